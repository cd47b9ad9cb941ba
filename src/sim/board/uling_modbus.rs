//! Emulated ZDM8 boards (boards.md, K): Modbus RTU, and a result that is gone once it was read.
//!
//! `silence` mutes the board for the longest vend time, within which the turn ends and its result is dropped;
//! `garble` spoils the frame with the result, and with it the result; `refuse` is the exception "busy".

use super::mechanism::{Doing, Mechanism, Met};
use super::{Emulator, Turn, fault::Faults};
use crate::board::frame::crc16_modbus;
use crate::board::profile::Profile;
use crate::board::protocol::sealed;
use crate::board::uling_modbus::{
    DISPENSING, EXCEPTION, FAILED, HARDWARE, IDLE, READ, SHIP, SOFTWARE, STATUS, SUCCESS, WRITE_MANY, WRITE_ONE, fault,
};
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::time::BootMs;
use std::collections::VecDeque;

/// The other registers that can be read, with what this board has there.
const READABLE: &[(u16, &[u8])] = &[
    (HARDWARE, &[0x20, 0x02, 10, 10]),
    (SOFTWARE, &[0x20, 0x20, 0x02, 0x20]),
    // 21.0 °C, 55.0 %.
    (0x0004, &[0x00, 0xD2, 0x02, 0x26]),
    // Box 1 is closed.
    (0x0005, &[0x01, 0x01]),
    (0x0006, &[0, 0]),
    (0x0007, &[0, 0]),
    // The drop detector is clear.
    (0x0008, &[0, 1]),
];
/// Registers that take one word, and turn no motor here: relay, lift reset, axis, motor timeout.
const WRITABLE: std::ops::RangeInclusive<u16> = 0x1001..=0x1004;

/// One to eight boards on a line.
pub struct UlingModbusBoard {
    mechanism: Mechanism,
    profile: Profile,
    /// The fault code of the last failed turn: reading clears the state, not the code.
    fault_code: u8,
    outputs: VecDeque<Vec<u8>>,
}

/// The request that bytes begin with, when it is whole and its check is good.
fn whole(bytes: &[u8]) -> Option<usize> {
    let len = match bytes {
        [_, READ | WRITE_ONE, ..] => 8,
        [_, WRITE_MANY, _, _, _, _, count, ..] => 9 + usize::from(*count),
        _ => return None,
    };
    bytes.get(..len).filter(|frame| crc16_modbus(frame) == 0).map(<[u8]>::len)
}

impl UlingModbusBoard {
    /// Idle boards at all addresses of the profile.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        UlingModbusBoard {
            mechanism: Mechanism::new(profile, turn_ms, faults),
            profile: profile.clone(),
            fault_code: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The code that the profile has for this failure; 7 where it has none, as the table is not published.
    fn code_of(&self, evidence: Evidence) -> u8 {
        let known = |code: &u8| self.profile.evidence_of(*code).is_some_and(|e| e.motor == evidence.motor);
        (1..=u8::MAX).find(known).unwrap_or(fault::SLAVE)
    }

    fn status(&mut self, wire_address: u8, doing: Doing) -> Vec<u8> {
        let state = match doing {
            Doing::Idle => IDLE,
            Doing::Turning(_) => DISPENSING,
            Doing::Finished(_, Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen | DropSensor::None }) => {
                SUCCESS
            }
            Doing::Finished(_, evidence) => {
                self.fault_code = self.code_of(evidence);
                FAILED
            }
        };
        let mut frame = sealed(vec![wire_address, READ, 2, state, self.fault_code]);
        if let Doing::Finished(..) = doing {
            self.mechanism.garble(wire_address, &mut frame);
            self.mechanism.forget(wire_address);
        }
        frame
    }

    fn answer(&mut self, now: BootMs, request: &[u8]) -> Option<Vec<u8>> {
        let &[wire_address, function, r1, r0, w1, w0, ..] = request else { return None };
        let doing = self.mechanism.doing(now, wire_address)?;
        let (register, words) = (u16::from_be_bytes([r1, r0]), u16::from_be_bytes([w1, w0]));
        let exception = |code| Some(sealed(vec![wire_address, function | EXCEPTION, code]));
        match (function, register) {
            (READ, STATUS) if words == 1 => Some(self.status(wire_address, doing)),
            (READ, _) => match READABLE.iter().find(|(known, _)| *known == register) {
                Some((_, data)) if data.len() == usize::from(words) * 2 => {
                    let count = u8::try_from(data.len()).ok()?;
                    Some(sealed([&[wire_address, READ, count], *data].concat()))
                }
                Some(_) => exception(fault::DATA),
                None => exception(fault::ADDRESS),
            },
            (WRITE_ONE, register) if WRITABLE.contains(&register) => Some(request.to_vec()),
            (WRITE_MANY, SHIP) => {
                let &[_, _, _, _, 0, 2, 4, slot, mechanism @ 0..=4, drop_check @ 0..=1, 0..=1, _, _] = request else {
                    return exception(fault::DATA);
                };
                // A slot belongs to one kind of mechanism, which this board takes on trust.
                let _ = mechanism;
                // A result that nobody read does not hinder the next turn on this board: it is overwritten.
                self.mechanism.forget(wire_address);
                let met = self.mechanism.drive(now, wire_address, slot, drop_check == 1);
                if self.mechanism.is_mute(now, wire_address) {
                    return None;
                }
                match met {
                    Met::Taken => Some(sealed(vec![wire_address, WRITE_MANY, r1, r0, w1, w0])),
                    Met::NoSuchSlot => exception(fault::DATA),
                    Met::Refused | Met::NotCleared => exception(fault::BUSY),
                }
            }
            _ => exception(fault::ADDRESS),
        }
    }
}

impl Emulator for UlingModbusBoard {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        for request in self.mechanism.requests(now, bytes, whole) {
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
        self.fault_code = 0;
        self.outputs.clear();
    }
}
