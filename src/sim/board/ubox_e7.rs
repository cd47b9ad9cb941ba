//! A UBox / EasiVend VMC that polls each 500 ms, tells a message three times, and then sells offline. Its counters, its
//! log and what is left in its slots survive without power.
//!
//! Faults: `jam` ends with 2 and the slot's fault; `no-drop` ends with 2 when the profile's drop sensor is fitted, else it
//! counts as sold (the board cannot know); `open-motor` and `refuse` are NAKed without a turn; `silence` turns, counts,
//! and tells and logs nothing; `garble` spoils the first copy of the result, the next are good; `late` tells it later;
//! `restart` and `power-loss` turn and are not counted, and the board comes back with its set-up.

use super::fault::{FaultKind, Faults, LATE_MS, POWER_LOSS_MS, RESTART_MS};
use super::{Emulator, Turn};
use crate::board::driver::Slot;
use crate::board::profile::Profile;
use crate::board::ubox_e7::wire::{
    ACK, ACK_RPT, ACTION_RPT, ACTION_VEND, BY_SLOT, Deframer, Frame, GET_HUODAO, GET_INFO, GET_OFFLINE_DATA, GET_SETUP,
    GET_STATUS, HUODAO_RPT, INFO_COUNTERS, INFO_FIRMWARE, INFO_HARDWARE, INFO_RPT, LOG_OF_VENDS, LOG_RECORD_BYTES,
    LOG_RECORDS_MAX, NAK_RPT, NOT_VENDED, OFFLINE_DATA_RPT, POLL, RESET_IND, STATUS_RPT, VENDED, VENDOUT_IND,
    VENDOUT_RPT, VMC_SETUP,
};
use crate::order::time::BootMs;
use std::collections::VecDeque;

/// The host may answer for so long, then the message comes again.
const ANSWER_MS: u64 = 1_500;
/// The first copy and two more.
const COPIES_MAX: u8 = 3;
/// How often the board polls while it sells offline.
const OFFLINE_POLL_MS: u64 = 5_000;
/// A vend that takes longer is announced.
const ANNOUNCED_MS: u64 = 1_000;
/// Records that the log holds.
const LOG_MAX: usize = 2_000;
/// What lies in each slot at first.
const LEFT: u8 = 9;
const SLOT_FAULT: u8 = 0x40;
/// The class of a sale by the keypad.
const CASH: u8 = 0;
/// Numbers of counters: all vends, all income, then vends and income by cash and online.
const ALL_VENDS: usize = 0;
const CASH_VENDS: usize = 2;
const ONLINE_VENDS: usize = 8;
const FIRMWARE: &[u8] = b"EMU 3.1.1";
const HARDWARE: &[u8] = &[0, 0, 0, 42];
/// In the first byte of a status: the drop sensor is there and well, or there is none.
const CHECK_OK: u8 = 0x00;
const CHECK_NONE: u8 = 0xC0;
/// 5.0 °C in the first compartment, and no others.
const TEMPERATURES: [u8; 4] = [5, 0xFE, 0xFE, 0xFE];

/// A message that wants an answer.
struct Message {
    frame: Frame,
    copies: u8,
    garble_first: bool,
    sent_at: BootMs,
}

/// A vend under way.
#[derive(Clone, Copy)]
struct Vend {
    slot: u8,
    class: u8,
    cost: u16,
    fault: Option<FaultKind>,
    ends_at: BootMs,
}

/// The board. See the module.
pub struct UboxE7Board {
    profile: Profile,
    turn_ms: u64,
    faults: Faults,
    deframer: Deframer,
    /// Durable.
    counters: [u32; 13],
    /// Durable: seconds, slot, cost.
    log: VecDeque<[u8; LOG_RECORD_BYTES]>,
    /// Durable: fault and count.
    slots: Vec<u8>,
    last_number: u8,
    messages: VecDeque<Message>,
    is_offline: bool,
    next_poll: BootMs,
    vend: Option<Vend>,
    dark_until: BootMs,
    turns: Vec<Turn>,
    out_of_turn: u32,
    unacknowledged: u32,
    outputs: VecDeque<Vec<u8>>,
}

impl UboxE7Board {
    /// A board that is just starting. `turn_ms` is how long a motor turns.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        let mut board = UboxE7Board {
            profile: profile.clone(),
            turn_ms,
            faults,
            deframer: Deframer::default(),
            counters: [0; 13],
            log: VecDeque::new(),
            slots: vec![LEFT; usize::from(profile.slots.last)],
            last_number: 0,
            messages: VecDeque::new(),
            is_offline: false,
            next_poll: BootMs::default(),
            vend: None,
            dark_until: BootMs::default(),
            turns: Vec::new(),
            out_of_turn: 0,
            unacknowledged: 0,
            outputs: VecDeque::new(),
        };
        board.tell_setup();
        board
    }

    /// Host frames that came when the host may not speak, or under a false number; they were ignored.
    #[must_use]
    pub fn out_of_turn(&self) -> u32 {
        self.out_of_turn
    }

    /// Messages that no copy brought an answer for.
    #[must_use]
    pub fn unacknowledged(&self) -> u32 {
        self.unacknowledged
    }

    /// Vends that are kept for the host.
    #[must_use]
    pub fn logged(&self) -> usize {
        self.log.len()
    }

    /// Somebody buys with coins at the keypad. Nothing happens while a vend is under way.
    pub fn sell(&mut self, now: BootMs, slot: u8, cost: u16) {
        if self.vend.is_none() {
            self.vend = Some(Vend { slot, class: CASH, cost, fault: None, ends_at: now.plus_ms(self.turn_ms) });
        }
    }

    fn number(&mut self) -> u8 {
        self.last_number = self.last_number.wrapping_add(1);
        self.last_number
    }

    fn report(&mut self, kind: u8, data: &[u8]) {
        let number = self.number();
        self.outputs.push_back(Frame { needs_answer: false, kind, number, data: data.to_vec() }.bytes());
    }

    fn push(&mut self, kind: u8, data: &[u8]) {
        let number = self.number();
        let frame = Frame { needs_answer: true, kind, number, data: data.to_vec() };
        self.messages.push_back(Message { frame, copies: 0, garble_first: false, sent_at: BootMs::default() });
    }

    fn tell_setup(&mut self) {
        let slots = u8::try_from(self.profile.slots.last).unwrap_or(u8::MAX);
        self.push(VMC_SETUP, &[slots, 1, 0, 1, 1, 2, 0, 0, 0, 0]);
    }

    /// Sends what is due: nothing that wants an answer while it vends.
    fn speak(&mut self, now: BootMs) {
        if self.vend.is_some() {
            return;
        }
        if self.messages.is_empty() && now >= self.next_poll {
            let every_ms = if self.is_offline { OFFLINE_POLL_MS } else { self.profile.timing.poll_ms };
            self.next_poll = now.plus_ms(every_ms);
            self.push(POLL, &[]);
        }
        let is_offline = self.is_offline;
        let Some(message) = self.messages.front_mut() else { return };
        if message.copies > 0 && now < message.sent_at.plus_ms(ANSWER_MS) {
            return;
        }
        let copies_max = if is_offline && message.frame.kind == POLL { 1 } else { COPIES_MAX };
        if message.copies >= copies_max {
            return self.lost(now);
        }
        let mut bytes = message.frame.bytes();
        if message.garble_first
            && message.copies == 0
            && let Some(check) = bytes.last_mut()
        {
            *check ^= 0x01;
        }
        message.copies += 1;
        message.sent_at = now;
        self.outputs.push_back(bytes);
    }

    /// No copy was answered: the host is away.
    fn lost(&mut self, now: BootMs) {
        let Some(message) = self.messages.pop_front() else { return };
        self.unacknowledged += 1;
        self.is_offline = true;
        self.next_poll = now.plus_ms(OFFLINE_POLL_MS);
        if let (VENDOUT_RPT, &[_, VENDED, slot, _, high, low, ..]) = (message.frame.kind, message.frame.data.as_slice())
        {
            self.keep(now, slot, [high, low]);
        }
    }

    fn keep(&mut self, now: BootMs, slot: u8, [high, low]: [u8; 2]) {
        let [.., s1, s2, s3, s4] = (now.0 / 1_000).to_be_bytes();
        if self.log.len() < LOG_MAX {
            self.log.push_back([s1, s2, s3, s4, slot, high, low]);
        }
    }

    fn host_frame(&mut self, now: BootMs, host: &Frame) {
        if self.vend.is_some() && host.kind == VENDOUT_IND {
            self.outputs.push_back(reply(NAK_RPT, host.number));
            return;
        }
        let is_answer = |m: &Message| m.copies > 0 && m.frame.number == host.number;
        let answered = if self.vend.is_none() { self.messages.pop_front_if(|m| is_answer(m)) } else { None };
        let Some(message) = answered else {
            self.out_of_turn += 1;
            return;
        };
        if self.is_offline {
            self.is_offline = false;
            self.next_poll = now.plus_ms(self.profile.timing.poll_ms);
        }
        match message.frame.kind {
            OFFLINE_DATA_RPT if host.kind == ACK => drop(self.log.drain(..self.log.len().min(LOG_RECORDS_MAX))),
            POLL => self.asked(now, host),
            _ => {}
        }
    }

    /// What the host says in answer to a poll.
    fn asked(&mut self, now: BootMs, host: &Frame) {
        match (host.kind, host.data.as_slice()) {
            (VENDOUT_IND, &[0, BY_SLOT, slot, class, high, low]) => {
                let taken = self.vend(now, slot, class, u16::from_be_bytes([high, low]));
                self.outputs.push_back(reply(if taken { ACK_RPT } else { NAK_RPT }, host.number));
                if taken && self.turn_ms > ANNOUNCED_MS {
                    let seconds = u8::try_from(self.turn_ms / 1_000).unwrap_or(u8::MAX);
                    self.report(ACTION_RPT, &[ACTION_VEND, seconds, slot, class, high, low, 0, 0]);
                }
            }
            (GET_STATUS, _) => {
                let check = if self.profile.defaults.drop_check { CHECK_OK } else { CHECK_NONE };
                self.report(STATUS_RPT, &[&[check, 1, 0, 0][..], &TEMPERATURES, &[0xFD, 0]].concat());
            }
            (GET_HUODAO, _) => self.report(HUODAO_RPT, &[&[0], self.slots.as_slice()].concat()),
            (GET_INFO, &[INFO_COUNTERS]) => {
                let counters = self.counters.iter().flat_map(|counter| counter.to_be_bytes());
                let data: Vec<u8> = std::iter::once(INFO_COUNTERS).chain(counters).collect();
                self.report(INFO_RPT, &data);
            }
            (GET_INFO, &[INFO_FIRMWARE]) => self.report(INFO_RPT, &[&[INFO_FIRMWARE], FIRMWARE].concat()),
            (GET_INFO, &[INFO_HARDWARE]) => self.report(INFO_RPT, &[&[INFO_HARDWARE], HARDWARE].concat()),
            (GET_SETUP, _) => self.tell_setup(),
            (GET_OFFLINE_DATA, _) => {
                let records = self.log.iter().take(LOG_RECORDS_MAX).flatten().copied();
                let data: Vec<u8> = std::iter::once(LOG_OF_VENDS).chain(records).collect();
                self.push(OFFLINE_DATA_RPT, &data);
            }
            (RESET_IND, _) => self.lose_power(now.plus_ms(RESTART_MS)),
            (ACK, _) => {}
            _ => self.outputs.push_back(reply(NAK_RPT, host.number)),
        }
    }

    /// Whether the board takes the command.
    fn vend(&mut self, now: BootMs, slot: u8, class: u8, cost: u16) -> bool {
        let is_known = self.profile.has_slot(Slot(u16::from(slot)));
        if !is_known || (class != CASH && cost != 0) {
            return false;
        }
        let fault = self.faults.strike(u16::from(slot));
        if matches!(fault, Some(FaultKind::Refuse | FaultKind::OpenMotor)) {
            return false;
        }
        let dropped = !matches!(fault, Some(FaultKind::Jam | FaultKind::NoDrop));
        let wire_address = self.profile.addresses.first_on_wire;
        self.turns.push(Turn { at: now, wire_address, slot: u16::from(slot), dropped });
        let ends_at = now.plus_ms(match fault {
            Some(FaultKind::Late) => self.turn_ms + LATE_MS,
            Some(FaultKind::Restart | FaultKind::PowerLoss) => self.turn_ms / 2,
            _ => self.turn_ms,
        });
        self.vend = Some(Vend { slot, class, cost, fault, ends_at });
        true
    }

    fn vend_ends(&mut self, vend: Vend) {
        let dark_ms = match vend.fault {
            Some(FaultKind::Restart) => Some(RESTART_MS),
            Some(FaultKind::PowerLoss) => Some(POWER_LOSS_MS),
            _ => None,
        };
        if let Some(dark_ms) = dark_ms {
            return self.lose_power(vend.ends_at.plus_ms(dark_ms));
        }
        let sees = self.profile.defaults.drop_check;
        let sold = match vend.fault {
            Some(FaultKind::Jam) => false,
            Some(FaultKind::NoDrop) => !sees,
            _ => true,
        };
        let at = usize::from(vend.slot).saturating_sub(1);
        let left = self.slots.get(at).map_or(0, |slot| slot & !SLOT_FAULT);
        let huodao = match vend.fault {
            Some(FaultKind::Jam) => left | SLOT_FAULT,
            _ => left.saturating_sub(1),
        };
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = huodao;
        }
        if sold {
            let vends = if vend.class == CASH { CASH_VENDS } else { ONLINE_VENDS };
            for (vends, by) in [(ALL_VENDS, 1), (ALL_VENDS + 1, vend.cost), (vends, 1), (vends + 1, vend.cost)] {
                self.counters[vends] = self.counters[vends].wrapping_add(u32::from(by));
            }
        }
        if vend.fault == Some(FaultKind::Silence) {
            return;
        }
        let status = if sold { VENDED } else { NOT_VENDED };
        let [high, low] = vend.cost.to_be_bytes();
        if self.is_offline {
            if sold {
                self.keep(vend.ends_at, vend.slot, [high, low]);
            }
            return;
        }
        self.push(VENDOUT_RPT, &[0, status, vend.slot, vend.class, high, low, 0, 0, huodao]);
        if let Some(message) = self.messages.back_mut() {
            message.garble_first = vend.fault == Some(FaultKind::Garble);
        }
    }

    fn lose_power(&mut self, dark_until: BootMs) {
        self.dark_until = dark_until;
        self.next_poll = dark_until;
        self.deframer.clear();
        self.messages.clear();
        self.outputs.clear();
        self.vend = None;
        self.is_offline = false;
        self.last_number = 0;
        self.tell_setup();
    }
}

/// The board's word on a message of the host, under its number.
fn reply(kind: u8, number: u8) -> Vec<u8> {
    Frame { needs_answer: false, kind, number, data: Vec::new() }.bytes()
}

impl Emulator for UboxE7Board {
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
        self.wake(now);
    }

    fn wake(&mut self, now: BootMs) {
        if let Some(vend) = self.vend.take_if(|vend| vend.ends_at <= now) {
            self.vend_ends(vend);
        }
        if now >= self.dark_until {
            self.speak(now);
        }
    }

    fn deadline(&self) -> Option<BootMs> {
        let due = match (&self.vend, self.messages.front()) {
            (Some(vend), _) => vend.ends_at,
            (None, Some(Message { copies: 0, .. })) => BootMs::default(),
            (None, Some(message)) => message.sent_at.plus_ms(ANSWER_MS),
            (None, None) => self.next_poll,
        };
        Some(due.max(self.dark_until))
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

#[cfg(test)]
mod tests;
