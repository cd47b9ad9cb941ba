//! A TCN driver board. It answers for all addresses of its profile, and each of them turns whatever it is told to,
//! even while another motor turns: nothing protects against a repeated command.
//!
//! Faults: `jam` replies motor short; `no-drop` replies fine with nothing seen; `open-motor` replies open circuit,
//! without a turn; `silence` turns and never replies; `garble` replies with a bad sum; `late` replies later;
//! `restart` and `power-loss` turn, and the reply is lost; `refuse` neither turns nor replies (the protocol has no
//! refusal).

use super::fault::{FaultKind, Faults, LATE_MS, POWER_LOSS_MS, RESTART_MS};
use super::{Emulator, Turn};
use crate::board::profile::Profile;
use crate::board::tcn_00ff::{DELIVERED, DOOR, PARAMETER_ON, SLOT_EXISTS, SLOT_MAX, TEMPERATURE, reply, request};
use crate::order::time::BootMs;
use std::collections::VecDeque;

const ERROR_MOTOR_SHORT: u8 = 0x30;
const ERROR_MOTOR_OPEN: u8 = 0x40;
/// Bytes of a request that stopped for this long are forgotten: their sender is gone. No document says that the board
/// does so; one that does not reads half a frame and the next one as a self-check.
const STALE_MS: u64 = 200;
/// What the emulated cabinet's thermometer shows, in °C.
const TEMPERATURE_C: u8 = 5;

/// What will happen at a time.
enum Event {
    Reply([u8; 5]),
    Dark { until: BootMs },
}

/// The board. See the module.
pub struct Tcn00ffBoard {
    profile: Profile,
    turn_ms: u64,
    faults: Faults,
    buffer: Vec<u8>,
    last_byte: BootMs,
    events: Vec<(BootMs, Event)>,
    dark_until: BootMs,
    turns: Vec<Turn>,
    outputs: VecDeque<Vec<u8>>,
}

impl Tcn00ffBoard {
    /// A board that is on. `turn_ms` is how long a motor turns.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        Tcn00ffBoard {
            profile: profile.clone(),
            turn_ms,
            faults,
            buffer: Vec::new(),
            last_byte: BootMs::default(),
            events: Vec::new(),
            dark_until: BootMs::default(),
            turns: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    fn request(&mut self, now: BootMs, board: u8, command: u8, parameter: u8) {
        if self.profile.address_of(board).is_none() {
            return;
        }
        let answer = match command {
            1..=SLOT_MAX => return self.dispense(now, board, command, parameter == PARAMETER_ON),
            TEMPERATURE => reply(board, true, TEMPERATURE_C, 0),
            // The door is shut: open would be 01.
            DOOR => reply(board, true, 0, 0),
            _ if let Some(slot @ 1..=SLOT_MAX) = command.checked_sub(SLOT_EXISTS) => {
                reply(board, self.profile.has_slot(crate::board::driver::Slot(slot.into())), 0, 0)
            }
            // Self-check, light, temperature and slot settings: always fine.
            _ => reply(board, true, 0, 0),
        };
        self.outputs.push_back(answer.to_vec());
    }

    fn dispense(&mut self, now: BootMs, board: u8, slot: u8, armed: bool) {
        let fault = self.faults.strike(slot.into());
        let end = now.plus_ms(self.turn_ms);
        let fine = reply(board, true, 0, if armed { DELIVERED } else { 0 });
        let mut garbled = fine;
        garbled[4] ^= 0x01;
        if !matches!(fault, Some(FaultKind::OpenMotor | FaultKind::Refuse)) {
            let dropped = !matches!(fault, Some(FaultKind::Jam | FaultKind::NoDrop));
            self.turns.push(Turn { at: now, wire_address: board, slot: slot.into(), dropped });
        }
        let event = match fault {
            None => (end, Event::Reply(fine)),
            Some(FaultKind::Jam) => (end, Event::Reply(reply(board, false, ERROR_MOTOR_SHORT, 0))),
            Some(FaultKind::NoDrop) => (end, Event::Reply(reply(board, true, 0, 0))),
            Some(FaultKind::OpenMotor) => (now, Event::Reply(reply(board, false, ERROR_MOTOR_OPEN, 0))),
            Some(FaultKind::Garble) => (end, Event::Reply(garbled)),
            Some(FaultKind::Late) => (end.plus_ms(LATE_MS), Event::Reply(fine)),
            Some(FaultKind::Restart) => (now.plus_ms(self.turn_ms / 2), Event::Dark { until: end.plus_ms(RESTART_MS) }),
            Some(FaultKind::PowerLoss) => {
                (now.plus_ms(self.turn_ms / 2), Event::Dark { until: end.plus_ms(POWER_LOSS_MS) })
            }
            Some(FaultKind::Silence | FaultKind::Refuse) => return,
        };
        self.events.push(event);
        self.wake(now);
    }

    fn lose_power(&mut self, dark_until: BootMs) {
        self.dark_until = dark_until;
        self.events.clear();
        self.buffer.clear();
    }
}

impl Emulator for Tcn00ffBoard {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        self.wake(now);
        if now < self.dark_until {
            return;
        }
        if now.since_ms(self.last_byte) > STALE_MS {
            self.buffer.clear();
        }
        self.last_byte = now;
        self.buffer.extend_from_slice(bytes);
        while let Some(&[board, _, command, _, parameter, _]) = self.buffer.first_chunk::<6>() {
            if self.buffer.starts_with(&request(board, command, parameter)) {
                self.buffer.drain(..6);
                self.request(now, board, command, parameter);
            } else {
                self.buffer.remove(0);
            }
        }
    }

    fn wake(&mut self, now: BootMs) {
        while let Some(due) =
            (0..self.events.len()).filter(|&i| self.events[i].0 <= now).min_by_key(|&i| self.events[i].0)
        {
            match self.events.remove(due).1 {
                Event::Reply(bytes) => self.outputs.push_back(bytes.to_vec()),
                Event::Dark { until } => self.lose_power(until),
            }
        }
    }

    fn deadline(&self) -> Option<BootMs> {
        self.events.iter().map(|(at, _)| *at).min()
    }

    fn next_output(&mut self) -> Option<Vec<u8>> {
        self.outputs.pop_front()
    }

    fn turns(&self) -> &[Turn] {
        &self.turns
    }

    fn power_cycle(&mut self, now: BootMs) {
        self.wake(now);
        self.lose_power(now);
    }
}
