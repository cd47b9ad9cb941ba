//! A Xing Yuan VMC in three-command mode: it keeps no prices or stock, so it sends no `11` after a `31`.
//!
//! Faults: `jam` ends with 03; `no-drop` ends with 03 when the drop sensor is armed, else with 02 (the board cannot
//! know); `open-motor` ends with 06, without a turn; `silence` turns and pushes nothing; `garble` spoils the first
//! copy of the result, the next copies are good; `late` pushes the result later; `restart` and `power-loss` turn, and
//! the board comes back with its `31`; `refuse` does not turn and answers `02` "paused".

use super::fault::{FaultKind, Faults, LATE_MS, POWER_LOSS_MS, RESTART_MS};
use super::{Emulator, Turn};
use crate::board::driver::Slot;
use crate::board::profile::Profile;
use crate::board::xy_v3::service::{
    MENU_HOLD, MENU_JAMS, MENU_LIFT_ERRORS, MENU_MOTOR_ERRORS, MENU_OK, MENU_READ, MENU_SET, MENU_TEMPERATURE_STATE,
    NOT_READ,
};
use crate::board::xy_v3::wire::{
    ACK, CHECK_SLOT, CHOSEN, DIRECT_DRIVE, DISPENSING, Deframer, Frame, MACHINE_STATUS, MACHINE_STATUS_REPLY, MENU,
    MENU_REPLY, POLL, PackNo, SELECT, SHORT_STATUS, SHORT_STATUS_REPLY, SLOT_STATUS, SYNC, frame,
};
use crate::order::time::BootMs;
use std::collections::{BTreeSet, VecDeque};

/// The host may speak for so long after a frame of the board.
const WINDOW_MS: u64 = 100;
/// The first copy and 5 more.
const COPIES_MAX: u8 = 6;
const STATUS_NORMAL: u8 = 0x01;
const STATUS_NO_SLOT: u8 = 0x03;
const STATUS_PAUSED: u8 = 0x04;
const DISPENSING_NOW: u8 = 0x01;
const DISPENSED: u8 = 0x02;
const JAMMED: u8 = 0x03;
const NO_MOTOR: u8 = 0x06;
/// The emulated machine's id in `52`.
const MACHINE_ID: &[u8; 10] = b"0000000042";

/// What the master's sensors read: 4 °C, 60 %. There are no slaves.
const TEMPERATURE_C: u8 = 4;
const HUMIDITY_PERCENT: u8 = 60;
/// A setting was refused.
const MENU_FAILED: u8 = 1;

/// A message that the host has not acknowledged.
struct Message {
    bytes: Vec<u8>,
    copies: u8,
    garble_first: bool,
}

/// What will happen at a time.
enum Event {
    Ends { slot: u16, code: u8, garbled: bool },
    Dark { until: BootMs },
}

/// The board. See the module.
pub struct XyV3Board {
    profile: Profile,
    turn_ms: u64,
    faults: Faults,
    deframer: Deframer,
    messages: VecDeque<Message>,
    last_number: PackNo,
    host_number: Option<u8>,
    /// Since when the host may speak; nothing once it did.
    asked_at: Option<BootMs>,
    next_tick: BootMs,
    dark_until: BootMs,
    events: Vec<(BootMs, Event)>,
    turns: Vec<Turn>,
    /// Kept without power, until they are cleared.
    jams: BTreeSet<u16>,
    motor_errors: BTreeSet<u16>,
    out_of_turn: u32,
    unacknowledged: u32,
    outputs: VecDeque<Vec<u8>>,
}

impl XyV3Board {
    /// A board that is just starting. `turn_ms` is how long a motor turns.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        let mut board = XyV3Board {
            profile: profile.clone(),
            turn_ms,
            faults,
            deframer: Deframer::default(),
            messages: VecDeque::new(),
            last_number: PackNo::START,
            host_number: None,
            asked_at: None,
            next_tick: BootMs::default(),
            dark_until: BootMs::default(),
            events: Vec::new(),
            turns: Vec::new(),
            jams: BTreeSet::new(),
            motor_errors: BTreeSet::new(),
            out_of_turn: 0,
            unacknowledged: 0,
            outputs: VecDeque::new(),
        };
        board.push(SYNC, &[]);
        board
    }

    /// Host frames that came when the host may not speak; they were ignored.
    #[must_use]
    pub fn out_of_turn(&self) -> u32 {
        self.out_of_turn
    }

    /// Messages that no copy brought an acknowledgement for.
    #[must_use]
    pub fn unacknowledged(&self) -> u32 {
        self.unacknowledged
    }

    fn push(&mut self, command: u8, text: &[u8]) {
        self.last_number = self.last_number.next();
        let mut numbered = vec![self.last_number.get()];
        numbered.extend_from_slice(text);
        self.messages.push_back(Message { bytes: frame(command, &numbered), copies: 0, garble_first: false });
    }

    fn push_about_slot(&mut self, command: u8, code: u8, slot: u16) {
        let [hi, lo] = slot.to_be_bytes();
        self.push(command, &[code, hi, lo]);
    }

    fn tick(&mut self, now: BootMs) {
        self.next_tick = now.plus_ms(self.profile.timing.poll_ms);
        self.asked_at = Some(now);
        if self.messages.front().is_some_and(|m| m.copies >= COPIES_MAX) {
            self.messages.pop_front();
            self.unacknowledged += 1;
        }
        let Some(message) = self.messages.front_mut() else {
            return self.outputs.push_back(frame(POLL, &[]));
        };
        let mut bytes = message.bytes.clone();
        if message.garble_first
            && message.copies == 0
            && let Some(check) = bytes.last_mut()
        {
            *check ^= 0x01;
        }
        message.copies += 1;
        self.outputs.push_back(bytes);
    }

    fn host_frame(&mut self, now: BootMs, host: &Frame) {
        if self.asked_at.take().is_none_or(|at| now.since_ms(at) > WINDOW_MS) {
            self.out_of_turn += 1;
            return;
        }
        if host.command == ACK {
            if self.messages.front().is_some_and(|m| m.copies > 0) {
                self.messages.pop_front();
            }
            return;
        }
        self.outputs.push_back(frame(ACK, &[]));
        let number = host.text.first().copied();
        if number == self.host_number {
            return;
        }
        self.host_number = number;
        match (host.command, host.text.as_slice()) {
            (SELECT, &[_, hi, lo]) => {
                self.vend(now, u16::from_be_bytes([hi, lo]), self.profile.defaults.drop_check);
            }
            (DIRECT_DRIVE, &[_, armed, _, hi, lo] | &[_, armed, _, hi, lo, _]) => {
                self.vend(now, u16::from_be_bytes([hi, lo]), armed == 1);
            }
            (CHECK_SLOT, &[_, hi, lo]) => {
                let slot = u16::from_be_bytes([hi, lo]);
                let status = if self.profile.has_slot(Slot(slot)) { STATUS_NORMAL } else { STATUS_NO_SLOT };
                self.push_about_slot(SLOT_STATUS, status, slot);
            }
            (MACHINE_STATUS, _) => {
                // Acceptors 4, temperature 1, door 1 (shut), change 8; the id; temperatures and humidities.
                let mut text = vec![0; 14];
                text.extend_from_slice(MACHINE_ID);
                for of_the_master in [TEMPERATURE_C, HUMIDITY_PERCENT] {
                    text.push(of_the_master);
                    text.extend_from_slice(&[NOT_READ; 7]);
                }
                self.push(MACHINE_STATUS_REPLY, &text);
            }
            (MENU, [_, kind, operation, rest @ ..]) => self.menu(*kind, *operation, rest),
            (SHORT_STATUS, _) => self.push(SHORT_STATUS_REPLY, &[0]),
            _ => {}
        }
    }

    fn menu(&mut self, kind: u8, operation: u8, rest: &[u8]) {
        let listed = |slots: &BTreeSet<u16>| {
            let count = u8::try_from(slots.len()).unwrap_or(u8::MAX);
            let slots = slots.iter().take(usize::from(count)).flat_map(|slot| slot.to_be_bytes());
            [count].into_iter().chain(slots).collect::<Vec<u8>>()
        };
        let data = match (kind, operation, rest) {
            (MENU_JAMS, MENU_READ, []) => listed(&self.jams),
            (MENU_MOTOR_ERRORS, MENU_READ, []) => listed(&self.motor_errors),
            (MENU_TEMPERATURE_STATE, MENU_READ, []) => vec![MENU_OK],
            (MENU_JAMS, MENU_SET, []) => {
                self.jams.clear();
                vec![MENU_OK]
            }
            (MENU_MOTOR_ERRORS, MENU_SET, []) => {
                self.motor_errors.clear();
                vec![MENU_OK]
            }
            (MENU_LIFT_ERRORS, MENU_SET, []) => vec![MENU_OK],
            (MENU_HOLD, MENU_SET, [0..=9, mode, _]) => vec![if (1..=4).contains(mode) { MENU_OK } else { MENU_FAILED }],
            // A machine without this menu says nothing.
            _ => return,
        };
        self.push(MENU_REPLY, &[&[kind, operation], &data[..]].concat());
    }

    fn vend(&mut self, now: BootMs, slot: u16, armed: bool) {
        if !self.profile.has_slot(Slot(slot)) {
            return self.push_about_slot(DISPENSING, NO_MOTOR, slot);
        }
        let fault = self.faults.strike(slot);
        let end = now.plus_ms(self.turn_ms);
        match fault {
            Some(FaultKind::OpenMotor) => {
                self.motor_errors.insert(slot);
                return self.push_about_slot(DISPENSING, NO_MOTOR, slot);
            }
            Some(FaultKind::Refuse) => return self.push_about_slot(SLOT_STATUS, STATUS_PAUSED, slot),
            _ => {}
        }
        let dropped = !matches!(fault, Some(FaultKind::Jam | FaultKind::NoDrop));
        self.turns.push(Turn { at: now, wire_address: self.profile.addresses.first_on_wire, slot, dropped });
        let ends = |code| Event::Ends { slot, code, garbled: fault == Some(FaultKind::Garble) };
        let middle = now.plus_ms(self.turn_ms / 2);
        let event = match fault {
            Some(FaultKind::Silence) => return,
            Some(FaultKind::Restart) => (middle, Event::Dark { until: end.plus_ms(RESTART_MS) }),
            Some(FaultKind::PowerLoss) => (middle, Event::Dark { until: end.plus_ms(POWER_LOSS_MS) }),
            Some(FaultKind::Jam) => (end, ends(JAMMED)),
            Some(FaultKind::NoDrop) if armed => (end, ends(JAMMED)),
            Some(FaultKind::Late) => (end.plus_ms(LATE_MS), ends(DISPENSED)),
            _ => (end, ends(DISPENSED)),
        };
        self.push_about_slot(DISPENSING, DISPENSING_NOW, slot);
        self.events.push(event);
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Ends { slot, code, garbled } => {
                if code == JAMMED {
                    self.jams.insert(slot);
                }
                self.push_about_slot(DISPENSING, code, slot);
                if let Some(message) = self.messages.back_mut() {
                    message.garble_first = garbled;
                }
            }
            Event::Dark { until } => self.lose_power(until),
        }
    }

    fn lose_power(&mut self, dark_until: BootMs) {
        self.dark_until = dark_until;
        self.next_tick = dark_until;
        self.deframer.clear();
        self.messages.clear();
        self.events.clear();
        self.last_number = PackNo::START;
        self.host_number = None;
        self.asked_at = None;
        self.push(SYNC, &[]);
    }
}

impl Emulator for XyV3Board {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        self.wake(now);
        if now < self.dark_until {
            return;
        }
        self.deframer.push(now, bytes);
        while let Some(found) = self.deframer.next_frame() {
            if let Ok(host) = found {
                self.host_frame(now, &host);
            }
        }
    }

    fn wake(&mut self, now: BootMs) {
        while let Some(due) =
            (0..self.events.len()).filter(|&i| self.events[i].0 <= now).min_by_key(|&i| self.events[i].0)
        {
            let (_, event) = self.events.remove(due);
            self.happen(&event);
        }
        if now >= self.next_tick {
            self.tick(now);
        }
    }

    fn deadline(&self) -> Option<BootMs> {
        self.events.iter().map(|(at, _)| *at).chain([self.next_tick]).min()
    }

    fn next_output(&mut self) -> Option<Vec<u8>> {
        self.outputs.pop_front()
    }

    fn turns(&self) -> &[Turn] {
        &self.turns
    }

    fn press(&mut self, slot: u16) -> bool {
        self.push(CHOSEN, &slot.to_be_bytes());
        true
    }

    fn power_cycle(&mut self, now: BootMs) {
        self.wake(now);
        self.lose_power(now);
    }
}
