//! Emulated ADH814 and ADH815 boards (boards.md, D): the result stays until it is acknowledged or power is lost.
//!
//! `silence` mutes the board for the longest vend time, within which the turn ends and its result is dropped;
//! `garble` spoils the first frame with the result, which the next question brings again; `refuse` is code 2.

use super::mechanism::{Doing, Mechanism, Met};
use super::{Emulator, Turn, fault::Faults};
use crate::board::adh::{
    ACK, DROP_NOT_SEEN, FINISHED, ID, IDLE, MODE, MODE_DROP, POLL, RUN, RUN_BAD_PARAMETER, RUN_NOT_CLEARED, RUN_OK,
    RUN_REFUSED, RUNNING, TEMPERATURE, command,
};
use crate::board::frame::crc16_modbus;
use crate::board::profile::{AdhVariant, Profile};
use crate::board::protocol::sealed;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::time::BootMs;
use std::collections::VecDeque;

/// The temperature that the board tells, °C.
const TEMPERATURE_C: u8 = 25;
/// Currents and run time of a finished turn: 500 mA at most, 300 mA on average, 2.5 s.
const MEASURED: [u8; 5] = [0x01, 0xF4, 0x01, 0x2C, 25];

/// One to four boards on a line.
pub struct AdhBoard {
    mechanism: Mechanism,
    variant: AdhVariant,
    outputs: VecDeque<Vec<u8>>,
}

fn result_of(evidence: Evidence) -> u8 {
    let motor = match evidence.motor {
        Motor::Ok => 0,
        Motor::OverCurrent => 1,
        Motor::Open => 2,
        Motor::Timeout | Motor::Absent => 3,
    };
    if evidence.drop_sensor == DropSensor::NotSeen { motor | DROP_NOT_SEEN } else { motor }
}

impl AdhBoard {
    /// Idle boards at all addresses of the profile.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        AdhBoard {
            mechanism: Mechanism::new(profile, turn_ms, faults),
            variant: profile.options.adh_variant.unwrap_or(AdhVariant::Adh815),
            outputs: VecDeque::new(),
        }
    }

    /// The request that bytes begin with, when it is whole and its check is good.
    fn whole(variant: AdhVariant, bytes: &[u8]) -> Option<usize> {
        let &second = bytes.get(1)?;
        let is = |code| command(variant, code) == second;
        let len = match () {
            () if is(ID) || is(POLL) || is(ACK) => 4,
            () if is(RUN) => 5,
            () if is(MODE) => 6,
            () if is(TEMPERATURE) => 7,
            () => return None,
        };
        bytes.get(..len).filter(|frame| crc16_modbus(frame) == 0).map(<[u8]>::len)
    }

    fn poll(&mut self, wire_address: u8, doing: Doing) -> Vec<u8> {
        let (state, motor, result, measured) = match doing {
            Doing::Idle => (IDLE, 0, 0, [0; 5]),
            Doing::Turning(motor) => (RUNNING, motor, 0, [0; 5]),
            Doing::Finished(motor, evidence) => (FINISHED, motor, result_of(evidence), MEASURED),
        };
        let head = [0, command(self.variant, POLL), state, motor, result];
        let mut frame = sealed([&head[..], &measured, &[TEMPERATURE_C]].concat());
        if let Doing::Finished(..) = doing {
            self.mechanism.garble(wire_address, &mut frame);
        }
        frame
    }

    fn answer(&mut self, now: BootMs, request: &[u8]) -> Option<Vec<u8>> {
        let [wire_address, second, data @ .., _, _] = request else { return None };
        let (wire_address, second) = (*wire_address, *second);
        let doing = self.mechanism.doing(now, wire_address)?;
        let is = |code| command(self.variant, code) == second;
        match *data {
            [] if is(POLL) => Some(self.poll(wire_address, doing)),
            [] if is(ACK) => {
                self.mechanism.forget(wire_address);
                Some(sealed(vec![0, second]))
            }
            [] if is(ID) => {
                let (from, name) = match self.variant {
                    AdhVariant::Adh814 => (wire_address, b"ADH814 V1.0.1.2 "),
                    AdhVariant::Adh815 => (0, b"ADH815 V1.0.1.2 "),
                };
                Some(sealed([&[from, second], &name[..]].concat()))
            }
            [motor] if is(RUN) => {
                // The ADH814 decides on its own; its sensor is taken as fitted and armed.
                let drop_check = self.variant == AdhVariant::Adh814 || self.mechanism.is_armed(wire_address);
                let met = self.mechanism.drive(now, wire_address, motor, drop_check);
                if self.mechanism.is_mute(now, wire_address) {
                    return None;
                }
                let code = match met {
                    Met::Taken => RUN_OK,
                    Met::NoSuchSlot => RUN_BAD_PARAMETER,
                    Met::Refused => RUN_REFUSED,
                    Met::NotCleared => RUN_NOT_CLEARED,
                };
                Some(sealed(vec![0, second, code]))
            }
            [mode, value] if is(MODE) => match self.variant {
                AdhVariant::Adh815 => {
                    self.mechanism.arm(wire_address, mode == MODE_DROP);
                    Some(sealed(vec![0, second, mode, value]))
                }
                // Two-wire motors: accepted, and no difference here.
                AdhVariant::Adh814 => Some(sealed(vec![0, second, 0])),
            },
            [mode, v1, v0] if is(TEMPERATURE) => Some(sealed(vec![0, second, mode, v1, v0])),
            _ => None,
        }
    }
}

impl Emulator for AdhBoard {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        let variant = self.variant;
        for request in self.mechanism.requests(now, bytes, |bytes| Self::whole(variant, bytes)) {
            let answer = self.answer(now, &request);
            self.outputs.extend(answer);
        }
    }

    fn wake(&mut self, _now: BootMs) {}

    fn deadline(&self) -> Option<BootMs> {
        None
    }

    fn next_output(&mut self) -> Option<Vec<u8>> {
        self.outputs.pop_front()
    }

    fn turns(&self) -> &[Turn] {
        self.mechanism.turns()
    }

    fn power_cycle(&mut self, _now: BootMs) {
        self.mechanism.power_cycle();
        self.outputs.clear();
    }
}
