//! An emulated MoneyFlex VMC96 (boards.md, J): motors turn until they are told to stop, and goods fall through the light
//! curtain when their motor has turned for long enough. Nothing is remembered without power, the curtain's history
//! neither.
//!
//! Faults: with `jam` and `no-drop` the motor draws current and nothing falls; with `open-motor` it draws none; `silence`
//! turns, and the board neither hears nor speaks for the longest vend time; `garble` spoils the first answer in which
//! the curtain saw something; with `late` goods fall later; `restart` and `power-loss` end the turn in its middle;
//! `refuse` answers with something that is not *yes*.

use super::fault::{FaultKind, Faults, LATE_MS, POWER_LOSS_MS, RESTART_MS};
use super::reader::Reader;
use super::{Emulator, Turn};
use crate::board::driver::Slot;
use crate::board::frame::xor8;
use crate::board::profile::Profile;
use crate::board::vmc96::{
    COLUMNS, CURTAIN, DONE, HISTORY_MS, MOTORS, PING, RELAYS, RUN, START, STATUS, STOP, SWITCH, VERSION, frame,
};
use crate::order::time::BootMs;
use std::collections::VecDeque;

/// One sample of the curtain.
const SAMPLE_MS: u64 = 40;
/// What a motor draws, in 255ths of 500 mA.
const DRAWN: u8 = 60;
/// What a jammed one draws.
const DRAWN_JAMMED: u8 = 255;
/// Not *yes*.
const NOT_DONE: u8 = 0xFF;
const FRAME_BYTES_MIN: usize = 5;
const FRAME_BYTES_MAX: usize = 8;

/// A motor that turns.
#[derive(Debug, Clone, Copy)]
struct Running {
    motor: u8,
    /// Which of the turns it is; none for a motor without a circuit.
    turn: Option<usize>,
    drawn: u8,
    falls_at: Option<BootMs>,
}

/// The board. See the module.
pub struct Vmc96Board {
    profile: Profile,
    turn_ms: u64,
    faults: Faults,
    reader: Reader,
    running: Vec<Running>,
    /// When something fell, as far as the board remembers.
    fallen: Vec<BootMs>,
    /// When it loses its power, and until when it is dark.
    power_fails: Option<(BootMs, BootMs)>,
    dark_until: BootMs,
    garble: bool,
    turns: Vec<Turn>,
    outputs: VecDeque<Vec<u8>>,
}

impl Vmc96Board {
    /// A board that is on. Goods fall when their motor has turned for `turn_ms`.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        Vmc96Board {
            profile: profile.clone(),
            turn_ms,
            faults,
            reader: Reader::default(),
            running: Vec::new(),
            fallen: Vec::new(),
            power_fails: None,
            dark_until: BootMs(0),
            garble: false,
            turns: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    fn request(&mut self, now: BootMs, controller: u8, data: &[u8]) {
        let answer = match (controller, data) {
            (MOTORS, [STOP]) => {
                self.stop();
                vec![DONE]
            }
            (MOTORS, [STATUS]) => {
                let drawn = self.running.iter().fold(0, |sum: u8, r| sum.saturating_add(r.drawn));
                [STATUS, drawn].into_iter().chain(self.running.iter().map(|r| r.motor)).collect()
            }
            (MOTORS, [CURTAIN]) => return self.tell_curtain(now),
            (MOTORS, &[RUN, motor]) => match self.run(now, motor) {
                Some(answer) => vec![answer],
                None => return,
            },
            (MOTORS, [VERSION]) => [&[VERSION], &b"VMC96 1.0"[..]].concat(),
            (_, [PING]) => vec![DONE],
            (relay, [SWITCH, 0 | 1]) if relay != MOTORS => vec![DONE],
            _ => return,
        };
        self.outputs.push_back(frame(controller, &answer));
    }

    fn tell_curtain(&mut self, now: BootMs) {
        let mut history = 0_u32;
        for at in &self.fallen {
            let sample = u32::try_from(now.since_ms(*at) / SAMPLE_MS).unwrap_or(u32::MAX);
            history |= 1_u32.checked_shl(sample).unwrap_or(0);
        }
        let mut reply = frame(MOTORS, &[&[CURTAIN][..], &history.to_le_bytes()].concat());
        if history != 0
            && std::mem::take(&mut self.garble)
            && let Some(last) = reply.last_mut()
        {
            *last ^= 0xFF;
        }
        self.outputs.push_back(reply);
    }

    /// A motor begins to turn. The answer, if there is one.
    fn run(&mut self, now: BootMs, motor: u8) -> Option<u8> {
        let (row, column) = ((motor >> 4).checked_sub(1)?, (motor & 0x0F).checked_sub(1)?);
        let slot = u16::from(row) * u16::from(COLUMNS) + u16::from(column);
        if column >= COLUMNS || !self.profile.has_slot(Slot(slot)) {
            return Some(NOT_DONE);
        }
        let fault = self.faults.strike(slot);
        let falls_at = match fault {
            Some(FaultKind::Refuse) => return Some(NOT_DONE),
            Some(FaultKind::Jam | FaultKind::NoDrop | FaultKind::OpenMotor) => None,
            Some(FaultKind::Late) => Some(now.plus_ms(self.turn_ms + LATE_MS)),
            _ => Some(now.plus_ms(self.turn_ms)),
        };
        let half = now.plus_ms(self.turn_ms / 2);
        match fault {
            Some(FaultKind::Restart) => self.power_fails = Some((half, half.plus_ms(RESTART_MS))),
            Some(FaultKind::PowerLoss) => self.power_fails = Some((half, half.plus_ms(POWER_LOSS_MS))),
            Some(FaultKind::Silence) => self.dark_until = now.plus_ms(self.profile.timing.longest_vend_ms),
            _ => {}
        }
        self.garble = fault == Some(FaultKind::Garble);
        let turn = (fault != Some(FaultKind::OpenMotor)).then_some(self.turns.len());
        if turn.is_some() {
            self.turns.push(Turn { at: now, wire_address: MOTORS, slot, dropped: falls_at.is_some() });
        }
        let drawn = match fault {
            Some(FaultKind::Jam) => DRAWN_JAMMED,
            Some(FaultKind::OpenMotor) => 0,
            _ => DRAWN,
        };
        self.running.push(Running { motor, turn, drawn, falls_at });
        (fault != Some(FaultKind::Silence)).then_some(DONE)
    }

    /// What has not fallen by now stays.
    fn stop(&mut self) {
        for running in self.running.drain(..).filter(|r| r.falls_at.is_some()) {
            if let Some(turn) = running.turn.and_then(|turn| self.turns.get_mut(turn)) {
                turn.dropped = false;
            }
        }
    }

    fn lose_power(&mut self, until: BootMs) {
        self.stop();
        self.fallen.clear();
        self.power_fails = None;
        self.garble = false;
        self.reader = Reader::default();
        self.dark_until = until;
    }
}

impl Emulator for Vmc96Board {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        self.wake(now);
        if now < self.dark_until {
            return;
        }
        let whole = |bytes: &[u8]| {
            let [START, controller, len, ..] = *bytes else { return None };
            let len = usize::from(len);
            let (check, body) = bytes.get(..len)?.split_last()?;
            let is_known = controller == MOTORS || RELAYS.contains(&controller);
            let fits = (FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&len);
            (is_known && fits && xor8(body) == *check).then_some(len)
        };
        for request in self.reader.requests(now, bytes, whole) {
            if let [_, controller, _, data @ .., _] = &request[..] {
                self.request(now, *controller, data);
            }
        }
    }

    fn wake(&mut self, now: BootMs) {
        while let Some(next) = self.deadline().filter(|at| *at <= now) {
            if let Some((_, until)) = self.power_fails.filter(|(at, _)| *at <= next) {
                self.lose_power(until);
                continue;
            }
            for running in self.running.iter_mut().filter(|r| r.falls_at == Some(next)) {
                running.falls_at = None;
                self.fallen.push(next);
            }
        }
        self.fallen.retain(|at| now.since_ms(*at) < HISTORY_MS);
    }

    fn deadline(&self) -> Option<BootMs> {
        let falls = self.running.iter().filter_map(|r| r.falls_at);
        falls.chain(self.power_fails.map(|(at, _)| at)).min()
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
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::{AWAY_MS, Mishap, Pair, assert_writes_that_fail, at_every_step, command, outcome};
    use super::*;
    use crate::board::driver::{Finding, LineFault, LineState};
    use crate::board::service::{Device, Reading, Service};
    use crate::order::outcome::{DropSensor, Motor, Reason};

    /// Nothing turns any more.
    fn assert_all_stopped(pair: &mut Pair) {
        let now = pair.now;
        pair.board.received(now, &frame(MOTORS, &[STATUS]));
        assert_eq!(pair.board.next_output(), Some(frame(MOTORS, &[STATUS, 0])));
    }

    #[test]
    fn every_outcome_arrives_as_evidence_and_the_motor_stands_still() {
        for (fault, armed, end) in [
            ("", true, outcome(Motor::Ok, DropSensor::Seen)),
            ("", false, outcome(Motor::Ok, DropSensor::None)),
            ("late@1", true, outcome(Motor::Ok, DropSensor::Seen)),
            ("garble@1", true, outcome(Motor::Ok, DropSensor::Seen)),
            ("open-motor@1", true, outcome(Motor::Open, DropSensor::NotSeen)),
            ("open-motor@1", false, outcome(Motor::Open, DropSensor::None)),
        ] {
            let mut pair = Pair::new("vmc96", fault);
            pair.vend(&command(1, 12, armed));
            assert_eq!(pair.ends, [end], "{fault}");
            assert_eq!(pair.late, [], "{fault}");
            assert_all_stopped(&mut pair);
            assert_eq!(pair.written.iter().filter(|(_, w)| w.motor).count(), 1, "{fault}: sent again");
            let garbled = pair.others.contains(&Finding::Fault(LineFault::BadCheck));
            assert_eq!(garbled, fault.starts_with("garble"), "{fault}");
            pair.assert_can_vend_again();
            assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::Seen)], "{fault}");
        }
    }

    #[test]
    fn what_cannot_be_known_is_unproven_and_the_motor_stands_still() {
        for (fault, armed, turns) in [
            ("silence@1", true, 1),
            ("restart@1", true, 1),
            ("power-loss@1", true, 1),
            ("refuse@1", true, 0),
            ("jam@1", true, 1),
            ("no-drop@1", true, 1),
            ("no-drop@1", false, 1),
        ] {
            let mut pair = Pair::new("vmc96", fault);
            pair.vend(&command(1, 12, armed));
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{fault}: {:?}", pair.ends);
            assert_eq!(pair.board.turns().len(), turns, "{fault}");
            assert_all_stopped(&mut pair);
            assert_eq!(pair.written.iter().filter(|(_, w)| w.motor).count(), 1, "{fault}: sent again");
            pair.assert_can_vend_again();
            assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::Seen)], "{fault}");
        }
    }

    #[test]
    fn two_units_of_one_slot_have_their_own_goods() {
        let mut pair = Pair::new("vmc96", "no-drop@2");
        for has_fallen in [true, false, true] {
            pair.ends.clear();
            pair.vend(&command(1, 12, true));
            assert_eq!(pair.ends == [outcome(Motor::Ok, DropSensor::Seen)], has_fallen, "{:?}", pair.ends);
        }
        assert_eq!(pair.board.turns().len(), 3);
    }

    #[test]
    fn an_agent_crash_at_any_step_ends_in_unknown_and_the_next_life_stops_the_motor_first() {
        let steps = at_every_step("vmc96", Mishap::AgentCrash, |pair, step| match &pair.ends[..] {
            [Finding::Outcome(_) | Finding::Unproven(_)] => {}
            other => panic!("step {step}: {other:?}"),
        });
        assert!(steps > 10, "{steps}");
        let mut pair = Pair::new("vmc96", "");
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.written.clear();
        pair.replace_driver(Some(&command(1, 12, true)));
        pair.until_idle();
        assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
        assert_eq!(pair.written[0].1.bytes, frame(MOTORS, &[STOP]));
        assert!(!pair.board.turns()[0].dropped, "it was stopped before the goods fell");
    }

    #[test]
    fn rule_20_a_restart_of_the_board_or_of_both_at_any_step_never_proves_that_nothing_fell() {
        let both = AWAY_MS.map(|away_ms| Mishap::Both { away_ms });
        for mishap in [Mishap::BoardRestart].into_iter().chain(both) {
            at_every_step("vmc96", mishap, |pair, step| match (&pair.ends[..], pair.board.turns()) {
                ([Finding::Outcome(evidence)], [turn]) => {
                    assert_eq!(evidence.drop_sensor == DropSensor::Seen, turn.dropped, "{mishap:?}, step {step}");
                }
                ([Finding::Unproven(_)], _) => {}
                other => panic!("{mishap:?}, step {step}: {other:?}"),
            });
        }
    }

    #[test]
    fn a_motor_frame_of_which_nothing_was_written_is_refused_and_of_which_some_was_is_not() {
        assert_writes_that_fail("vmc96");
    }

    #[test]
    fn a_command_that_was_given_up_is_stopped_and_told_late() {
        let mut pair = Pair::new("vmc96", "");
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.driver.give_up(pair.now);
        assert_ne!(pair.driver.state(), LineState::Idle);
        pair.until_idle();
        assert_eq!(pair.ends, []);
        assert!(matches!(&pair.late[..], [Finding::Late { evidence, .. }] if evidence.drop_sensor == DropSensor::Seen));
        assert_all_stopped(&mut pair);
        pair.assert_can_vend_again();
    }

    #[test]
    fn a_port_that_comes_back_stops_the_motor_and_proves_nothing() {
        let mut pair = Pair::new("vmc96", "");
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.port_away(60_000);
        pair.until_idle();
        assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
        assert_all_stopped(&mut pair);
        pair.assert_can_vend_again();
    }

    #[test]
    fn a_result_stays_until_it_is_released_and_nothing_is_asked_meanwhile() {
        let mut pair = Pair::new("vmc96", "");
        pair.auto_release = false;
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(60_000, |p| !p.ends.is_empty());
        let written = pair.written.len();
        assert_all_stopped(&mut pair);
        pair.run_for(60_000);
        assert_eq!((pair.written.len(), pair.driver.state()), (written, LineState::Held));
        pair.driver.release(pair.now);
        pair.until_idle();
    }

    #[test]
    fn an_idle_board_is_asked_thrice_in_ten_seconds_and_tells_its_version() {
        let mut pair = Pair::new("vmc96", "");
        pair.until_idle();
        pair.run_for(5_000);
        pair.written.clear();
        pair.run_for(100_000);
        assert!((29..=31).contains(&pair.written.len()), "{}", pair.written.len());
        assert!(pair.others.contains(&Finding::Identity("address 1: VMC96 1.0".to_owned())), "{:?}", pair.others);
    }

    #[test]
    fn relays_and_a_ping_are_served_beside_a_vend_and_no_scan_of_the_motors() {
        let address = command(1, 12, true).address;
        let switch = |device| Service::Switch { address, device, on: true };
        let mut pair = Pair::new("vmc96", "");
        for (service, reading) in [
            (Service::SelfCheck { address }, Reading::Healthy),
            (switch(Device::Light), Reading::Done),
            (switch(Device::Heater), Reading::Done),
        ] {
            pair.until_idle();
            assert!(pair.driver.serves(&service), "{service:?}");
            pair.driver.serve(pair.now, &service);
            pair.others.clear();
            pair.run(5_000, |p| p.others.iter().any(|f| matches!(f, Finding::Served(_))));
            assert!(pair.others.contains(&Finding::Served(Ok(reading))), "{service:?}: {:?}", pair.others);
        }
        let scan = Service::SlotState { address, slot: Slot(5) };
        for service in [switch(Device::Fan), scan, Service::Reset { address }, Service::Door { address }] {
            assert!(!pair.driver.serves(&service), "{service:?}");
        }
        pair.until_idle();
        pair.drive(&command(1, 96, true));
        pair.run(10_000, |p| !p.ends.is_empty());
        assert_eq!(pair.ends, [Finding::NotTaken(Reason::Slot)]);
    }
}
