//! Emulated EasiVend column board (boards.md, C1): two answers to a vend, the second when the motor has stopped, and
//! none of it again.
//!
//! `jam` and `open-motor` are a fault of the column, `no-drop` a failure without one; `refuse` answers *busy*; `garble`
//! spoils the check of the second answer; `silence` mutes the board for the longest vend time, and the second answer
//! never comes.

use super::answering::Answering;
use super::fault::Faults;
use super::mechanism::{Doing, Mechanism, Met};
use crate::board::col_ed::{BUSY, EMPTY, FAILED, FAULT, HOST, STATE, VEND, reply, whole};
use crate::board::driver::Slot;
use crate::board::profile::Profile;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::time::BootMs;

/// One column board.
pub struct ColEdBoard {
    mechanism: Mechanism,
    profile: Profile,
    /// The mechanism wants an address, and the wire has none.
    address: u8,
    /// Of the vend under way.
    sn: u8,
    /// Fault bits of columns.
    faulty: Vec<u8>,
}

impl ColEdBoard {
    /// A board that is at rest.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        ColEdBoard {
            mechanism: Mechanism::new(profile, turn_ms, faults),
            profile: profile.clone(),
            address: profile.addresses.first_on_wire,
            sn: 0,
            faulty: Vec::new(),
        }
    }
}

impl Answering for ColEdBoard {
    fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    fn mechanism_mut(&mut self) -> &mut Mechanism {
        &mut self.mechanism
    }

    fn whole(&self, bytes: &[u8]) -> Option<usize> {
        whole(HOST, bytes).whole_len()
    }

    fn answer(&mut self, now: BootMs, request: &[u8]) -> Option<Vec<u8>> {
        let [_, _, sn, command, column, _, armed, _] = *request else { return None };
        let doing = self.mechanism.doing(now, self.address)?;
        let status = match (command, doing) {
            (STATE, Doing::Turning(turning)) if turning == column => BUSY,
            (STATE, _) if !self.profile.has_slot(Slot(u16::from(column))) => EMPTY,
            (STATE, _) if self.faulty.contains(&column) => FAULT & 0x10,
            (STATE, _) => 0,
            (VEND, _) => match self.mechanism.drive(now, self.address, column, armed == 1) {
                Met::Taken => {
                    self.sn = sn;
                    0
                }
                Met::NoSuchSlot | Met::Refused | Met::NotCleared => BUSY,
            },
            _ => return None,
        };
        (!self.mechanism.is_mute(now, self.address)).then(|| reply(sn, command, column, status).to_vec())
    }

    /// The second answer, when the motor has stopped.
    fn tell(&mut self, now: BootMs) {
        let Some(Doing::Finished(column, evidence)) = self.mechanism.doing(now, self.address) else { return };
        self.mechanism.forget(self.address);
        let status = match evidence {
            Evidence { motor: Motor::Ok, drop_sensor: DropSensor::NotSeen } => FAILED,
            Evidence { motor: Motor::Ok, .. } => 0,
            _ => FAILED | (FAULT & 0x10),
        };
        self.faulty.retain(|&other| other != column);
        if status & FAULT != 0 {
            self.faulty.push(column);
        }
        let mut frame = reply(self.sn, VEND, column, status).to_vec();
        self.mechanism.garble(self.address, &mut frame);
        self.mechanism.say(frame);
    }

    fn tells_at(&self) -> Option<BootMs> {
        self.mechanism.next_end()
    }

    fn forget(&mut self) {
        self.faulty.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::{
        Mishap, Pair, assert_both_prove_nothing, assert_give_up, assert_held_until_released,
        assert_nothing_proven_by_restart, assert_writes_that_fail, at_every_step, command, outcome,
    };
    use super::super::{Emulator, Turn};
    use super::*;
    use crate::board::driver::{Finding, LineFault, LineState, Output};
    use crate::board::talk::WATCH_MS;
    use crate::order::outcome::Reason;

    #[test]
    fn every_outcome_of_the_motor_arrives_and_the_line_comes_back() {
        for (fault, drop_check, end) in [
            ("", true, outcome(Motor::Ok, DropSensor::Seen)),
            ("", false, outcome(Motor::Ok, DropSensor::None)),
            ("jam", true, outcome(Motor::Timeout, DropSensor::NotSeen)),
            ("jam", false, outcome(Motor::Timeout, DropSensor::None)),
            ("no-drop", true, outcome(Motor::Ok, DropSensor::NotSeen)),
            ("open-motor", true, outcome(Motor::Timeout, DropSensor::NotSeen)),
            ("late@1", true, outcome(Motor::Ok, DropSensor::Seen)),
        ] {
            let mut pair = Pair::new("col-ed", fault);
            pair.vend(&command(1, 12, drop_check));
            assert_eq!(pair.ends, [end], "{fault}");
            assert_eq!(pair.late, [], "{fault}");
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn what_cannot_be_known_is_unproven_and_the_line_comes_back() {
        for (fault, turns) in
            [("silence@1", 1), ("restart@1", 1), ("power-loss@1", 1), ("garble@1", 1), ("refuse@1", 0)]
        {
            let mut pair = Pair::new("col-ed", fault);
            pair.vend(&command(1, 12, true));
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{fault}: {:?}", pair.ends);
            assert_eq!(pair.late, [], "{fault}");
            let garbled = pair.others.contains(&Finding::Fault(LineFault::BadCheck))
                || pair.others.contains(&Finding::Fault(LineFault::Noise));
            assert_eq!(garbled, fault.starts_with("garble"), "{fault}: {:?}", pair.others);
            assert_eq!(pair.board.turns().len(), turns, "{fault}");
            assert_eq!(pair.written.iter().filter(|(_, w)| w.motor).count(), 1, "{fault}: sent again");
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn an_agent_crash_at_any_step_keeps_what_is_told_afterwards_and_makes_up_nothing() {
        let mut known = 0;
        let steps = at_every_step("col-ed", Mishap::AgentCrash, |pair, step| {
            match (&pair.ends[..], pair.board.turns().len()) {
                ([end], 1) if *end == outcome(Motor::Ok, DropSensor::Seen) => known += 1,
                ([Finding::Unproven(_)], _) => {}
                other => panic!("step {step}: {other:?}"),
            }
        });
        assert!(steps > 6 && known > 3, "{steps} {known}");
    }

    #[test]
    fn the_first_answer_of_a_vend_that_jams_is_not_taken_for_its_result_after_a_crash() {
        // The agent dies with the command on its way, and comes back before the first answer.
        let mut pair = Pair::with_turn("col-ed", "jam", 10_000);
        pair.until_idle();
        let reference = pair.intend(&command(1, 12, true));
        let sn = reference.0[1];
        pair.replace_driver(Some(&command(1, 12, true)));
        pair.run_for(50);
        pair.board.received(pair.now, &crate::board::col_ed::request(sn, VEND, 12, true));
        pair.until_idle();
        assert_eq!(pair.ends, [outcome(Motor::Timeout, DropSensor::NotSeen)]);
    }

    #[test]
    fn a_result_of_an_earlier_vend_of_the_same_column_is_not_the_next_ones() {
        let mut pair = Pair::new("col-ed", "");
        pair.until_idle();
        let old = pair.intend(&command(1, 12, true)).0[1];
        pair.vend(&command(1, 12, true));
        pair.ends.clear();
        pair.intend(&command(1, 12, true));
        pair.replace_driver(Some(&command(1, 12, true)));
        pair.run_for(5_000);
        let told = reply(old, VEND, 12, 0);
        pair.driver.received(pair.now, pair.now, &told);
        pair.driver.received(pair.now, pair.now, &told);
        pair.until_idle();
        assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
    }

    #[test]
    fn numbers_of_vends_go_on_after_a_restart_and_are_never_those_of_questions() {
        let mut pair = Pair::new("col-ed", "");
        let mut sns = Vec::new();
        for _ in 0..3 {
            pair.vend(&command(1, 12, true));
            let reference = pair.intend(&command(1, 12, true));
            pair.replace_driver(None);
            pair.driver.last_reference(&reference);
        }
        for (_, write) in &pair.written {
            assert_eq!(write.motor, write.bytes[2] % 2 == 1, "{write:02x?}");
            if write.motor {
                sns.push(write.bytes[2]);
            }
        }
        assert_eq!(sns, [1, 5, 9], "each second one was journaled and never sent");
    }

    #[test]
    fn rule_16_a_column_that_may_still_turn_is_waited_for_since_the_board_was_asked_about_another() {
        let mut pair = Pair::with_turn("col-ed", "", 8_000);
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.driver = crate::board::driver_for(&pair.profile);
        pair.driver.may_still_turn();
        pair.driver.opened(pair.now);
        let start = pair.now;
        pair.until_idle();
        assert!(pair.now.since_ms(start) >= pair.profile.timing.longest_vend_ms);
    }

    #[test]
    fn rule_20_a_board_restart_at_any_step_never_proves_anything() {
        at_every_step("col-ed", Mishap::BoardRestart, assert_nothing_proven_by_restart);
    }

    #[test]
    fn rule_20_a_power_cut_of_agent_and_board_at_any_step_proves_nothing() {
        assert_both_prove_nothing("col-ed");
    }

    #[test]
    fn a_motor_frame_of_which_nothing_was_written_is_refused_and_of_which_some_was_is_not() {
        assert_writes_that_fail("col-ed");
    }

    #[test]
    fn a_board_that_is_not_there_is_never_idle() {
        let mut pair = Pair::with_board(super::super::pair::profile("col-ed"), Box::new(Nobody));
        pair.run_for(60_000);
        assert_eq!(pair.driver.state(), LineState::Settling);
        assert!(pair.written.iter().all(|(_, w)| !w.motor));
    }

    #[test]
    fn a_command_that_was_given_up_is_watched_until_its_late_result() {
        assert_give_up("col-ed");
    }

    #[test]
    fn an_idle_line_is_asked_once_in_ten_seconds() {
        let mut pair = Pair::new("col-ed", "");
        pair.until_idle();
        pair.written.clear();
        pair.run_for(20 * WATCH_MS);
        assert!((19..=21).contains(&pair.written.len()), "{}", pair.written.len());
    }

    #[test]
    fn a_port_that_is_away_when_the_result_is_told_leaves_nothing_and_one_that_is_back_before_keeps_it() {
        for (away_ms, is_known) in [(500, true), (60_000, false)] {
            let mut pair = Pair::new("col-ed", "");
            pair.until_idle();
            pair.drive(&command(1, 12, true));
            pair.run(10_000, |p| p.others.contains(&Finding::Progress(1)));
            pair.port_away(away_ms);
            pair.until_idle();
            let is_sold = pair.ends == [outcome(Motor::Ok, DropSensor::Seen)];
            assert_eq!(is_sold, is_known, "{:?}", pair.ends);
            assert_eq!(pair.ends.len(), 1);
        }
        let mut pair = Pair::new("col-ed", "");
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.driver.closed(pair.now);
        pair.run(0, |p| !p.ends.is_empty());
        assert_eq!(pair.ends, [Finding::NotTaken(Reason::BoardOffline)], "nothing had been fetched to be written");
    }

    #[test]
    fn a_result_stays_until_it_is_released_and_nothing_is_asked_meanwhile() {
        assert_held_until_released("col-ed", &command(1, 12, true)).assert_can_vend_again();
    }

    /// Found by a simulated life: the question went out between the two halves, and threw the first one away.
    #[test]
    fn a_result_that_comes_in_two_halves_with_a_question_between_them_is_not_lost() {
        let mut pair = Pair::new("col-ed", "");
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(10_000, |p| p.others.contains(&Finding::Progress(1)));
        let sn = pair.written.iter().find(|(_, write)| write.motor).unwrap().1.bytes[2];
        let result = reply(sn, VEND, 12, 0);
        let (first, second) = result.split_at(3);
        pair.driver.received(pair.now, pair.now, first);
        let asks_at = pair.driver.deadline().unwrap();
        pair.driver.wake(asks_at);
        assert!(matches!(pair.driver.next_output(), Some(Output::Write(_))), "the next question");
        pair.driver.received(asks_at, asks_at, second);
        assert_eq!(pair.driver.next_output(), Some(Output::Finding(outcome(Motor::Ok, DropSensor::Seen))));
    }

    /// What the driver wants done, the faults aside.
    fn wanted(pair: &mut Pair) -> Vec<Output> {
        let outputs = std::iter::from_fn(|| pair.driver.next_output());
        outputs.filter(|output| !matches!(output, Output::Finding(Finding::Fault(_)))).collect()
    }

    #[test]
    fn the_first_answer_is_not_the_result_though_it_comes_after_its_time() {
        let mut pair = Pair::new("col-ed", "");
        pair.until_idle();
        pair.board = Box::new(Nobody);
        pair.drive(&command(1, 12, true));
        pair.run_for(1);
        let sn = pair.written.iter().find(|(_, write)| write.motor).unwrap().1.bytes[2];
        pair.now = pair.now.plus_ms(2_500);
        pair.driver.wake(pair.now);
        let [Output::Write(question)] = &wanted(&mut pair)[..] else { panic!("no question") };
        let question_sn = question.bytes[2];
        pair.driver.received(pair.now, pair.now, &reply(sn, VEND, 12, 0));
        assert_eq!(wanted(&mut pair), [], "the agent had stood still meanwhile, and the motor has only begun to turn");
        pair.driver.received(pair.now, pair.now, &reply(question_sn, STATE, 12, BUSY));
        pair.driver.received(pair.now, pair.now, &reply(sn, VEND, 12, FAILED));
        let ends = wanted(&mut pair);
        assert!(
            ends.contains(&Output::Finding(outcome(Motor::Ok, DropSensor::NotSeen))),
            "what comes after an answer to a later question is: {ends:?}"
        );
    }

    /// The other end of a cable that leads nowhere.
    struct Nobody;

    impl Emulator for Nobody {
        fn received(&mut self, _now: BootMs, _bytes: &[u8]) {}
        fn wake(&mut self, _now: BootMs) {}
        fn deadline(&self) -> Option<BootMs> {
            None
        }
        fn next_output(&mut self) -> Option<Vec<u8>> {
            None
        }
        fn turns(&self) -> &[Turn] {
            &[]
        }
        fn power_cycle(&mut self, _now: BootMs) {}
    }
}
