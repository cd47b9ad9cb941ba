//! An emulated Vendapin card dispenser (boards.md, L). It counts a card when it has come out; the count survives a loss
//! of power, after which the board says its name. Somebody takes each card after a while, and mends what is stuck or
//! empty when two longest vends have passed.
//!
//! Faults: `jam` leaves a card stuck; `no-drop` finds no card; `open-motor` does not turn and complains of its sensors;
//! `silence` dispenses and is mute for the longest vend time; `garble` spoils the first count of the card; `late` takes
//! longer; `restart` and `power-loss` cut the power when the card is out and not yet counted; `refuse` says no.

use super::fault::{FaultKind, Faults, LATE_MS, POWER_LOSS_MS, RESTART_MS};
use super::reader::Reader;
use super::{Emulator, Turn};
use crate::board::frame::xor8;
use crate::board::profile::Profile;
use crate::board::vendapin::{
    ACK, BANNER, BUSY, CARD_HELD, CHECK_SENSORS, COUNT, DISPENSE, EMPTY, END, LOW, MISHEARD, NAK, READY, START, STATUS,
    STUCK, frame,
};
use crate::order::time::BootMs;
use std::collections::VecDeque;

/// A card waits so long until it is taken.
const HELD_MS: u64 = 1_000;
/// Start, address, command, length; and behind the data the end and the check.
const AROUND_DATA: usize = 6;
/// No command has more.
const DATA_BYTES_MAX: usize = 4;

/// What will happen at a time.
enum Event {
    Status(u8),
    Counted,
    Dark { until: BootMs },
    Banner,
}

/// The dispenser. See the module.
pub struct VendapinBoard {
    wire_address: u8,
    slot: u16,
    turn_ms: u64,
    longest_vend_ms: u64,
    faults: Faults,
    reader: Reader,
    status: u8,
    count: u32,
    events: Vec<(BootMs, Event)>,
    /// It neither hears nor speaks before.
    dark_until: BootMs,
    garble: bool,
    turns: Vec<Turn>,
    outputs: VecDeque<Vec<u8>>,
}

impl VendapinBoard {
    /// A dispenser that is on and full.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        VendapinBoard {
            wire_address: profile.addresses.first_on_wire,
            slot: profile.slots.first,
            turn_ms,
            longest_vend_ms: profile.timing.longest_vend_ms,
            faults,
            reader: Reader::default(),
            status: READY,
            // Near a carry.
            count: 0xFE,
            events: Vec::new(),
            dark_until: BootMs(0),
            garble: false,
            turns: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    fn say(&mut self, code: u8, data: &[u8]) {
        self.outputs.push_back(frame(self.wire_address, code, data));
    }

    fn request(&mut self, now: BootMs, request: &[u8]) {
        let [_, address, command, _, _data @ .., _, check] = request else { return };
        let is_good = request.split_last().is_some_and(|(_, body)| xor8(body) == *check);
        let (address, command, [_, unknown, misheard]) = (*address, *command, MISHEARD);
        if address != self.wire_address {
            return;
        }
        match command {
            _ if !is_good => self.say(misheard, &[]),
            STATUS => self.tell_status(),
            COUNT => {
                let mut reply = frame(address, ACK, &self.count.to_be_bytes());
                if std::mem::take(&mut self.garble)
                    && let Some(last) = reply.last_mut()
                {
                    *last ^= 0xFF;
                }
                self.outputs.push_back(reply);
            }
            DISPENSE if matches!(self.status, READY | LOW) => self.dispense(now),
            DISPENSE => self.tell_status(),
            _ => self.say(unknown, &[]),
        }
    }

    fn tell_status(&mut self) {
        let code = if matches!(self.status, READY | LOW) { ACK } else { NAK };
        self.say(code, &[self.status]);
    }

    fn dispense(&mut self, now: BootMs) {
        let fault = self.faults.strike(self.slot);
        if fault == Some(FaultKind::Refuse) {
            return self.say(NAK, &[READY]);
        }
        self.status = BUSY;
        let end = now.plus_ms(self.turn_ms).plus_ms(if fault == Some(FaultKind::Late) { LATE_MS } else { 0 });
        let half = now.plus_ms(self.turn_ms / 2);
        let mended = end.plus_ms(2 * self.longest_vend_ms);
        match fault {
            Some(kind @ (FaultKind::Jam | FaultKind::NoDrop | FaultKind::OpenMotor)) => {
                let status = match kind {
                    FaultKind::Jam => STUCK,
                    FaultKind::NoDrop => EMPTY,
                    _ => CHECK_SENSORS,
                };
                self.events.extend([(end, Event::Status(status)), (mended, Event::Status(READY))]);
            }
            Some(FaultKind::Restart) => self.events.push((half, Event::Dark { until: end.plus_ms(RESTART_MS) })),
            Some(FaultKind::PowerLoss) => self.events.push((half, Event::Dark { until: end.plus_ms(POWER_LOSS_MS) })),
            _ => {
                let taken = end.plus_ms(HELD_MS);
                let goes_on = [(end, Event::Counted), (end, Event::Status(CARD_HELD)), (taken, Event::Status(READY))];
                self.events.extend(goes_on);
            }
        }
        if fault != Some(FaultKind::OpenMotor) {
            let dropped = !matches!(fault, Some(FaultKind::Jam | FaultKind::NoDrop));
            self.turns.push(Turn { at: now, wire_address: self.wire_address, slot: self.slot, dropped });
        }
        self.garble = fault == Some(FaultKind::Garble);
        if fault == Some(FaultKind::Silence) {
            self.dark_until = now.plus_ms(self.longest_vend_ms);
        } else {
            // With a status, which the one foreign host there is wants to see in each answer.
            self.say(ACK, &[READY]);
        }
    }

    fn lose_power(&mut self, until: BootMs) {
        self.events.clear();
        self.reader = Reader::default();
        self.garble = false;
        self.status = READY;
        self.dark_until = until;
        self.events.push((until, Event::Banner));
    }
}

impl Emulator for VendapinBoard {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        self.wake(now);
        if now < self.dark_until {
            return;
        }
        let whole = |bytes: &[u8]| {
            let [START, _, _, data_len, ..] = *bytes else { return None };
            let len = usize::from(data_len) + AROUND_DATA;
            let body = bytes.get(..len)?.split_last()?.1;
            (usize::from(data_len) <= DATA_BYTES_MAX && body.last() == Some(&END)).then_some(len)
        };
        for request in self.reader.requests(now, bytes, whole) {
            self.request(now, &request);
        }
    }

    fn wake(&mut self, now: BootMs) {
        while let Some(due) = (0..self.events.len())
            .filter(|&i| self.events.get(i).is_some_and(|(at, _)| *at <= now))
            .min_by_key(|&i| self.events.get(i).map(|(at, _)| *at))
        {
            match self.events.remove(due).1 {
                Event::Status(status) => self.status = status,
                Event::Counted => self.count = self.count.wrapping_add(1),
                Event::Dark { until } => self.lose_power(until),
                Event::Banner => self.outputs.push_back(BANNER.to_vec()),
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
        self.outputs.clear();
        self.lose_power(now);
        self.wake(now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::Faults;
    use super::super::pair::{
        Mishap, Pair, assert_both_prove_nothing, assert_held_until_released, assert_nothing_proven_by_restart,
        assert_writes_that_fail, at_every_step, command, outcome, profile,
    };
    use super::*;
    use crate::board::driver::{Finding, LineFault, LineState};
    use crate::board::service::{Reading, Service};
    use crate::order::outcome::{DropSensor, Motor};

    fn seen() -> Finding {
        outcome(Motor::Ok, DropSensor::Seen)
    }

    #[test]
    fn every_outcome_arrives_as_evidence_and_the_dispenser_can_vend_again() {
        for (fault, armed, end) in [
            ("", true, seen()),
            ("", false, outcome(Motor::Ok, DropSensor::None)),
            ("late@1", true, seen()),
            ("garble@1", true, seen()),
            ("jam@1", true, outcome(Motor::OverCurrent, DropSensor::NotSeen)),
            ("jam@1", false, outcome(Motor::OverCurrent, DropSensor::None)),
            ("no-drop@1", true, outcome(Motor::Ok, DropSensor::NotSeen)),
        ] {
            let mut pair = Pair::new("vendapin", fault);
            pair.vend(&command(1, 1, armed));
            assert_eq!(pair.ends, [end], "{fault}");
            assert_eq!(pair.late, [], "{fault}");
            let garbled = pair.others.contains(&Finding::Fault(LineFault::BadCheck));
            assert_eq!(garbled, fault.starts_with("garble"), "{fault}");
            pair.assert_can_vend_again();
            pair.run_for(60_000);
            pair.assert_can_vend_again();
            assert_eq!(pair.ends, [seen()], "{fault}");
        }
    }

    #[test]
    fn what_cannot_be_known_is_unproven_and_the_line_comes_back() {
        for (fault, turns) in
            [("silence@1", 1), ("restart@1", 1), ("power-loss@1", 1), ("refuse@1", 0), ("open-motor@1", 0)]
        {
            let mut pair = Pair::new("vendapin", fault);
            pair.vend(&command(1, 1, true));
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{fault}: {:?}", pair.ends);
            assert_eq!(pair.board.turns().len(), turns, "{fault}");
            assert_eq!(pair.written.iter().filter(|(_, w)| w.motor).count(), 1, "{fault}: sent again");
            pair.run_for(60_000);
            pair.assert_can_vend_again();
            assert_eq!(pair.ends, [seen()], "{fault}");
        }
    }

    #[test]
    fn nothing_is_dispensed_on_an_empty_or_stuck_dispenser() {
        for fault in ["jam@1", "no-drop@1"] {
            let mut pair = Pair::new("vendapin", fault);
            pair.vend(&command(1, 1, true));
            pair.ends.clear();
            pair.vend(&command(1, 1, true));
            assert_eq!(pair.ends, [Finding::NotTaken(crate::order::outcome::Reason::Busy)], "{fault}");
            assert_eq!(pair.written.iter().filter(|(_, w)| w.motor).count(), 1, "{fault}");
        }
    }

    #[test]
    fn an_agent_crash_at_any_step_loses_no_card_that_was_counted() {
        let steps = at_every_step("vendapin", Mishap::AgentCrash, |pair, step| {
            match (&pair.ends[..], pair.board.turns().len()) {
                ([Finding::Outcome(evidence)], 1) if evidence.motor == Motor::Ok => {}
                ([Finding::Unproven(_)], 0) => {}
                other => panic!("step {step}: {other:?}"),
            }
        });
        assert!(steps > 10, "{steps}");
    }

    #[test]
    fn rule_20_a_board_restart_at_any_step_never_proves_anything() {
        at_every_step("vendapin", Mishap::BoardRestart, assert_nothing_proven_by_restart);
    }

    #[test]
    fn rule_20_a_power_cut_of_agent_and_board_at_any_step_proves_nothing() {
        assert_both_prove_nothing("vendapin");
    }

    #[test]
    fn rule_20_a_card_that_sticks_after_a_restart_is_no_proof() {
        let mut pair = Pair::new("vendapin", "jam@1");
        pair.until_idle();
        pair.drive(&command(1, 1, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.run_for(5_000);
        pair.others.clear();
        pair.driver.received(pair.now, pair.now, BANNER);
        pair.until_idle();
        assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
        assert!(pair.others.contains(&Finding::BoardRestarted));
    }

    #[test]
    fn the_banner_is_a_restart_in_any_cut() {
        for cut in 0..=BANNER.len() {
            let mut pair = Pair::new("vendapin", "");
            pair.until_idle();
            pair.driver.received(pair.now, pair.now, &BANNER[..cut]);
            pair.driver.received(pair.now, pair.now, &BANNER[cut..]);
            pair.run_for(1);
            assert_eq!(pair.others.iter().filter(|f| **f == Finding::BoardRestarted).count(), 1, "{cut}");
            pair.until_idle();
        }
    }

    #[test]
    fn a_motor_frame_of_which_nothing_was_written_is_refused_and_of_which_some_was_is_not() {
        assert_writes_that_fail("vendapin");
    }

    #[test]
    fn a_command_that_was_given_up_is_watched_until_its_late_result() {
        let mut pair = Pair::new("vendapin", "late@1");
        pair.until_idle();
        pair.drive(&command(1, 1, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.driver.give_up(pair.now);
        assert_ne!(pair.driver.state(), LineState::Idle);
        pair.until_idle();
        assert_eq!(pair.ends, []);
        assert!(matches!(&pair.late[..], [Finding::Late { evidence, .. }] if evidence.motor == Motor::Ok));
        pair.assert_can_vend_again();
    }

    #[test]
    fn a_port_that_comes_back_finds_the_card_counted() {
        let mut pair = Pair::new("vendapin", "");
        pair.until_idle();
        pair.drive(&command(1, 1, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.port_away(60_000);
        pair.until_idle();
        assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::None)]);
        assert_eq!(pair.board.turns().len(), 1);
    }

    #[test]
    fn a_result_stays_until_it_is_released_and_nothing_is_asked_meanwhile() {
        assert_held_until_released("vendapin", &command(1, 1, true));
    }

    #[test]
    fn an_absent_dispenser_is_never_idle_and_a_quiet_one_is_asked_twice_in_ten_seconds() {
        let mut elsewhere = profile("vendapin");
        elsewhere.addresses.first_on_wire = 2;
        let board = Box::new(VendapinBoard::new(&elsewhere, 2_500, Faults::default()));
        let mut pair = Pair::with_board(profile("vendapin"), board);
        pair.run_for(60_000);
        assert_eq!(pair.driver.state(), LineState::Settling);

        let mut pair = Pair::new("vendapin", "");
        pair.until_idle();
        pair.written.clear();
        pair.run_for(100_000);
        assert!((19..=21).contains(&pair.written.len()), "{}", pair.written.len());
    }

    #[test]
    fn the_status_is_served_beside_a_vend() {
        let address = command(1, 1, true).address;
        let slot = crate::board::driver::Slot(1);
        let mut pair = Pair::new("vendapin", "no-drop@1");
        for (check, state) in [
            (Reading::Healthy, Reading::SlotReady),
            (Reading::faulty(crate::order::said::Said::new("empty", "已空")), Reading::SlotEmpty),
        ] {
            for (service, reading) in
                [(Service::SelfCheck { address }, check), (Service::SlotState { address, slot }, state)]
            {
                pair.until_idle();
                assert!(pair.driver.serves(&service));
                pair.driver.serve(pair.now, &service);
                pair.others.clear();
                pair.run(5_000, |p| p.others.iter().any(|f| matches!(f, Finding::Served(_))));
                assert!(pair.others.contains(&Finding::Served(Ok(reading))), "{service:?}: {:?}", pair.others);
            }
            pair.vend(&command(1, 1, true));
        }
        assert!(!pair.driver.serves(&Service::Reset { address }));
    }
}
