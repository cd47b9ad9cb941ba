//! Emulated `FF 00 55` / `FF 00 AA` control board (boards.md, I), at its worst: the result of a slot's last vend is told
//! until the next one of that slot has ended, so while the motor turns it is the old one. Without an old one it is
//! silent, as it is about every slot after a loss of power.
//!
//! `jam` and `open-motor` are a motor failure, `no-drop` one of the optical eye; `refuse` leaves the command without an
//! answer; `silence` mutes the board for the longest vend time and drops the result; `garble` spoils the first answer
//! with the new result.

use super::answering::Answering;
use super::fault::Faults;
use super::mechanism::{Doing, Mechanism, Met};
use crate::board::ff0055::{
    BOARD, CLEAR_FAULT, EYE_FAILED, HOST, ID, MOTOR_FAILED, ONE_UNIT, RESULT, SUCCESS, VEND, frame, whole,
};
use crate::board::profile::Profile;
use crate::order::outcome::{DropSensor, Motor};
use crate::order::time::BootMs;
use std::collections::BTreeMap;

/// Fifteen characters.
const NAME: &[u8; 15] = b"VMC-000123-V1.0";

/// One control board.
pub struct Ff0055Board {
    mechanism: Mechanism,
    /// The mechanism wants an address, and the wire has none.
    address: u8,
    results: BTreeMap<u8, u8>,
    is_turning: bool,
}

impl Ff0055Board {
    /// A board that has vended nothing yet.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        Ff0055Board {
            mechanism: Mechanism::new(profile, turn_ms, faults),
            address: profile.addresses.first_on_wire,
            results: BTreeMap::new(),
            is_turning: false,
        }
    }

    /// What has happened by now; nothing while the board is dark or mute.
    fn pass(&mut self, now: BootMs) -> Option<Doing> {
        let doing = self.mechanism.doing(now, self.address)?;
        if let Doing::Finished(slot, evidence) = doing {
            let result = match (evidence.motor, evidence.drop_sensor) {
                (Motor::Ok, DropSensor::NotSeen) => EYE_FAILED,
                (Motor::Ok, _) => SUCCESS,
                _ => MOTOR_FAILED,
            };
            self.results.insert(slot, result);
        } else if doing == Doing::Idle && self.is_turning {
            // A turn that leaves no result: the board has started anew.
            self.results.clear();
        }
        self.is_turning = matches!(doing, Doing::Turning(_));
        Some(doing)
    }

    fn vend(&mut self, now: BootMs, slot: u8, doing: Doing) -> bool {
        self.mechanism.forget(self.address);
        match self.mechanism.drive(now, self.address, slot, true) {
            Met::Taken => {
                self.is_turning = true;
                !self.mechanism.is_mute(now, self.address)
            }
            Met::NoSuchSlot | Met::Refused | Met::NotCleared => {
                self.mechanism.remember(self.address, doing);
                false
            }
        }
    }
}

impl Answering for Ff0055Board {
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
        let [_, _, _, command, _, data @ .., _] = request else { return None };
        let doing = self.pass(now)?;
        match (*command, data) {
            (ID, _) => Some(frame(BOARD, ID, NAME)),
            (VEND, &[slot, ONE_UNIT]) => self.vend(now, slot, doing).then(|| frame(BOARD, VEND, &[slot, ONE_UNIT])),
            (RESULT, &[slot, ONE_UNIT]) => {
                let mut frame = frame(BOARD, RESULT, &[*self.results.get(&slot)?]);
                if matches!(doing, Doing::Finished(finished, _) if finished == slot) {
                    self.mechanism.garble(self.address, &mut frame);
                }
                Some(frame)
            }
            (CLEAR_FAULT, _) => Some(frame(BOARD, CLEAR_FAULT, &[SUCCESS])),
            _ => None,
        }
    }

    fn forget(&mut self) {
        self.results.clear();
        self.is_turning = false;
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::{
        Mishap, Pair, assert_both_prove_nothing, assert_give_up, assert_held_until_released,
        assert_nothing_proven_by_restart, assert_port_comes_back, assert_quiet_when_idle, assert_writes_that_fail,
        at_every_step, command, outcome,
    };
    use super::*;
    use crate::board::driver::{Finding, LineFault, LineState, Written};

    #[test]
    fn every_outcome_of_the_motor_arrives_and_the_line_comes_back() {
        for (fault, end) in [
            ("", outcome(Motor::Ok, DropSensor::Seen)),
            ("jam", outcome(Motor::Timeout, DropSensor::None)),
            ("no-drop", outcome(Motor::Ok, DropSensor::NotSeen)),
            ("open-motor", outcome(Motor::Timeout, DropSensor::None)),
            ("late@1", outcome(Motor::Ok, DropSensor::Seen)),
            ("garble@1", outcome(Motor::Ok, DropSensor::Seen)),
        ] {
            let mut pair = Pair::new("ff0055", fault);
            pair.vend(&command(1, 12, true));
            assert_eq!(pair.ends, [end], "{fault}");
            assert_eq!(pair.late, [], "{fault}");
            let garbled = pair.others.contains(&Finding::Fault(LineFault::BadCheck));
            assert_eq!(garbled, fault.starts_with("garble"), "{fault}");
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn the_same_slot_is_driven_again_and_again_and_each_result_is_its_own() {
        let mut pair = Pair::new("ff0055", "jam@2 no-drop@4");
        let longest_vend_ms = pair.profile.timing.longest_vend_ms;
        for (end, is_another) in [
            (outcome(Motor::Ok, DropSensor::Seen), false),
            (outcome(Motor::Timeout, DropSensor::None), true),
            (outcome(Motor::Ok, DropSensor::Seen), true),
            (outcome(Motor::Ok, DropSensor::NotSeen), true),
            (outcome(Motor::Ok, DropSensor::Seen), true),
            (outcome(Motor::Ok, DropSensor::Seen), false),
        ] {
            pair.ends.clear();
            pair.until_idle();
            let start = pair.now;
            pair.vend(&command(1, 12, true));
            assert_eq!(pair.ends, [end]);
            assert_eq!(pair.now.since_ms(start) < longest_vend_ms, is_another, "another result is known at once");
        }
        assert_eq!(pair.board.turns().len(), 6);
    }

    #[test]
    fn what_cannot_be_known_is_unproven_and_the_line_comes_back() {
        for before in [0, 1] {
            for (fault, turns) in [("silence", 1), ("restart", 1), ("power-loss", 1), ("refuse", 0)] {
                // With and without an old result.
                let mut pair = Pair::new("ff0055", &format!("{fault}@{}", before + 1));
                for _ in 0..before {
                    pair.vend(&command(1, 12, true));
                    pair.ends.clear();
                }
                pair.vend(&command(1, 12, true));
                assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{fault} {before}: {:?}", pair.ends);
                assert_eq!(pair.late, [], "{fault}");
                assert_eq!(pair.board.turns().len(), before + turns, "{fault}");
                let motors = pair.written.iter().filter(|(_, w)| w.motor).count();
                assert_eq!(motors, before + 1, "{fault}: sent again");
                pair.assert_can_vend_again();
            }
        }
    }

    #[test]
    fn an_agent_crash_at_any_step_makes_up_nothing() {
        let steps = at_every_step("ff0055", Mishap::AgentCrash, |pair, step| match &pair.ends[..] {
            [Finding::Unproven(_)] => {}
            [end] if *end == outcome(Motor::Ok, DropSensor::Seen) && pair.board.turns().len() == 1 => {}
            other => panic!("step {step}: {other:?}"),
        });
        assert!(steps > 10, "{steps}");
    }

    #[test]
    fn after_a_crash_no_result_counts_since_the_board_may_have_started_anew_with_it() {
        // boards.md, I, only infers that the result outlives a restart, and nobody says what the board tells after its own.
        for (faults, was_sent) in [("", false), ("", true), ("jam@2", true), ("jam@1", true), ("jam@1", false)] {
            let mut pair = Pair::new("ff0055", faults);
            pair.vend(&command(1, 12, true));
            pair.ends.clear();
            pair.intend(&command(1, 12, true));
            if was_sent {
                pair.board.received(pair.now, &frame(HOST, VEND, &[12, ONE_UNIT]));
            }
            pair.replace_driver(Some(&command(1, 12, true)));
            pair.until_idle();
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{faults}: {:?}", pair.ends);
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn rule_20_another_result_after_a_silence_counts_only_if_it_stands_when_the_longest_vend_is_over() {
        // While the port is away the board may start anew, and nobody says what it tells of a slot then.
        let mut pair = Pair::new("ff0055", "jam@1");
        pair.vend(&command(1, 12, true));
        pair.ends.clear();
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(10_000, |p| p.board.turns().len() == 2);
        pair.port_away(1_000);
        let start = pair.now;
        pair.run(60_000, |p| !p.ends.is_empty());
        assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::Seen)]);
        assert!(pair.now.since_ms(start) >= pair.profile.timing.longest_vend_ms);
    }

    #[test]
    fn a_result_that_nobody_saw_is_not_credited_to_the_vend_after_it() {
        let mut pair = Pair::new("ff0055", "jam@2");
        pair.vend(&command(1, 12, true));
        pair.ends.clear();
        // The second is cut short under way, and the board hears it all the same when nobody looks any more.
        pair.write_ends = Written::Some;
        pair.vend(&command(1, 12, true));
        assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
        pair.ends.clear();
        pair.board.received(pair.now, &frame(HOST, VEND, &[12, ONE_UNIT]));
        pair.now = pair.now.plus_ms(60_000);
        pair.until_idle();
        pair.intend(&command(1, 12, true));
        pair.replace_driver(Some(&command(1, 12, true)));
        pair.until_idle();
        assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
    }

    #[test]
    fn rule_20_a_board_restart_at_any_step_never_proves_anything() {
        at_every_step("ff0055", Mishap::BoardRestart, assert_nothing_proven_by_restart);
    }

    #[test]
    fn rule_20_a_power_cut_of_agent_and_board_at_any_step_proves_nothing() {
        assert_both_prove_nothing("ff0055");
    }

    #[test]
    fn rule_16_a_motor_that_may_still_turn_is_waited_for_since_the_board_does_not_tell() {
        let mut pair = Pair::new("ff0055", "");
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.driver = crate::board::driver_for(&pair.profile);
        pair.driver.may_still_turn();
        pair.driver.opened(pair.now);
        let start = pair.now;
        pair.until_idle();
        assert!(pair.now.since_ms(start) >= pair.profile.timing.longest_vend_ms);
        assert_eq!(pair.driver.state(), LineState::Idle);
    }

    #[test]
    fn a_motor_frame_of_which_nothing_was_written_is_refused_and_of_which_some_was_is_not() {
        assert_writes_that_fail("ff0055");
    }

    #[test]
    fn a_command_that_was_given_up_is_watched_until_its_late_result() {
        assert_give_up("ff0055");
    }

    #[test]
    fn an_idle_line_is_asked_once_in_ten_seconds() {
        assert_quiet_when_idle("ff0055");
    }

    #[test]
    fn a_port_that_goes_and_comes_back_in_mid_turn_keeps_the_outcome() {
        assert_port_comes_back("ff0055");
    }

    #[test]
    fn a_result_stays_until_it_is_released_and_nothing_is_asked_meanwhile() {
        assert_held_until_released("ff0055", &command(1, 12, true)).assert_can_vend_again();
    }
}
