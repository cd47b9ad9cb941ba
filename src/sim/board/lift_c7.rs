//! Emulated EasiVend lift VMC (boards.md, C4): the result of the last vend stays until the next command or until power is
//! lost, and what it says then is three zeros, as after a success.
//!
//! `jam` is reason 3, `no-drop` reason 2, `open-motor` a reason that no source names; `refuse` leaves the command without
//! an answer; `silence` mutes the board for the longest vend time, within which the result is dropped; `garble` spoils
//! the first frame with the result.

use super::answering::Answering;
use super::fault::Faults;
use super::mechanism::{Doing, Mechanism, Met};
use crate::board::driver::Slot;
use crate::board::lift_c7::{
    BAD_DATA, BOARD, BUSY, EMPTY, HOST, INFO, LIGHT_OFF, LIGHT_ON, REQUEST, RESET, RESULT, STATUS, STUCK, VEND, frame,
    whole,
};
use crate::board::profile::Profile;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::time::BootMs;

/// A lift that gets power tries its way first.
pub const START_MS: u64 = 1_500;
/// A failed vend that no source names a reason for.
const OTHER_REASON: u8 = 6;
/// What it is configured for: six rows of ten.
const CONFIGURATION: [u8; 2] = [6, 10];

/// One lift.
pub struct LiftC7Board {
    mechanism: Mechanism,
    profile: Profile,
    /// The last command named a place that is none.
    had_bad_data: bool,
}

impl LiftC7Board {
    /// A lift that has vended nothing yet.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        LiftC7Board {
            mechanism: Mechanism::new(profile, turn_ms, faults).starting_in(START_MS),
            profile: profile.clone(),
            had_bad_data: false,
        }
    }

    fn result(&mut self, address: u8, doing: Doing) -> Vec<u8> {
        let data = match doing {
            Doing::Turning(_) => [1, 0, 0],
            Doing::Idle if self.had_bad_data => [0, 1, BAD_DATA],
            Doing::Idle => [0, 0, 0],
            Doing::Finished(_, Evidence { motor: Motor::Ok, drop_sensor }) => match drop_sensor {
                DropSensor::NotSeen => [0, 1, EMPTY],
                DropSensor::Seen | DropSensor::None => [0, 0, 0],
            },
            Doing::Finished(_, Evidence { motor: Motor::OverCurrent, .. }) => [0, 1, STUCK],
            Doing::Finished(..) => [0, 1, OTHER_REASON],
        };
        let mut frame = frame(BOARD, address, RESULT, &data);
        if let Doing::Finished(..) = doing {
            self.mechanism.garble(address, &mut frame);
        }
        frame
    }

    /// A lift that is at work does not hear another command.
    fn vend(&mut self, now: BootMs, address: u8, place: [u8; 2], doing: Doing) -> bool {
        if matches!(doing, Doing::Turning(_)) {
            return false;
        }
        let [row, column] = place;
        let slot = self.profile.options.grid.and_then(|grid| grid.slot(row, column));
        let known = slot.filter(|&slot| self.profile.has_slot(slot)).and_then(|Slot(n)| u8::try_from(n).ok());
        self.mechanism.forget(address);
        self.had_bad_data = known.is_none();
        // The lift itself sees that nothing comes, whatever the host thinks of sensors.
        let Some(slot) = known else { return true };
        match self.mechanism.drive(now, address, slot, true) {
            Met::Taken => !self.mechanism.is_mute(now, address),
            Met::NoSuchSlot | Met::Refused | Met::NotCleared => {
                self.mechanism.remember(address, doing);
                false
            }
        }
    }
}

impl Answering for LiftC7Board {
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
        let [_, _, address, _, command, data @ .., _, _] = request else { return None };
        let (address, command) = (*address, command.checked_sub(REQUEST)?);
        let doing = self.mechanism.doing(now, address)?;
        let is_busy = matches!(doing, Doing::Turning(_));
        let data = match (command, data) {
            (RESULT, _) => return Some(self.result(address, doing)),
            (STATUS, _) => vec![if is_busy { BUSY } else { 0 }, 0],
            (VEND, &[row, column]) if self.vend(now, address, [row, column], doing) => Vec::new(),
            (RESET, _) if !is_busy => Vec::new(),
            (LIGHT_ON | LIGHT_OFF, _) => Vec::new(),
            (INFO, _) => CONFIGURATION.to_vec(),
            _ => return None,
        };
        Some(frame(BOARD, address, command, &data))
    }

    fn forget(&mut self) {
        self.had_bad_data = false;
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::{
        Mishap, Pair, assert_absent_board, assert_both_prove_nothing, assert_held_until_released,
        assert_nothing_proven_by_restart, assert_writes_that_fail, at_every_step, command, outcome,
    };
    use super::*;
    use crate::board::driver::{Finding, LineFault, LineState};
    use crate::board::talk::WATCH_MS;
    use crate::order::outcome::Reason;

    fn sold() -> Finding {
        outcome(Motor::Ok, DropSensor::None)
    }

    #[test]
    fn every_outcome_of_the_lift_arrives_and_the_line_comes_back() {
        for (fault, end) in [
            ("", sold()),
            ("jam", outcome(Motor::OverCurrent, DropSensor::NotSeen)),
            ("no-drop", outcome(Motor::Ok, DropSensor::NotSeen)),
            ("open-motor", outcome(Motor::Timeout, DropSensor::None)),
            ("late@1", sold()),
            ("garble@1", sold()),
        ] {
            let mut pair = Pair::new("lift-c7", fault);
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
        let mut pair = Pair::new("lift-c7", "jam@2 no-drop@4");
        let ends = [
            sold(),
            outcome(Motor::OverCurrent, DropSensor::NotSeen),
            sold(),
            outcome(Motor::Ok, DropSensor::NotSeen),
            sold(),
            sold(),
        ];
        for end in ends {
            pair.ends.clear();
            pair.vend(&command(1, 12, true));
            assert_eq!(pair.ends, [end]);
        }
        assert_eq!(pair.board.turns().len(), 6);
        assert!(!pair.others.contains(&Finding::BoardRestarted), "{:?}", pair.others);
    }

    #[test]
    fn what_cannot_be_known_is_unproven_and_the_line_comes_back() {
        for (fault, turns) in [("silence@1", 1), ("restart@1", 1), ("power-loss@1", 1), ("refuse@1", 0)] {
            let mut pair = Pair::new("lift-c7", fault);
            pair.vend(&command(1, 12, true));
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{fault}: {:?}", pair.ends);
            assert_eq!(pair.late, [], "{fault}");
            assert_eq!(pair.board.turns().len(), turns, "{fault}");
            assert_eq!(pair.written.iter().filter(|(_, w)| w.motor).count(), 1, "{fault}: sent again");
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn an_agent_crash_at_any_step_keeps_the_outcome_of_a_lift_that_is_still_vending() {
        let mut known = 0;
        let steps = at_every_step("lift-c7", Mishap::AgentCrash, |pair, step| {
            match (&pair.ends[..], pair.board.turns().len()) {
                ([end], 1) if *end == sold() => known += 1,
                ([Finding::Unproven(_)], _) => {}
                other => panic!("step {step}: {other:?}"),
            }
        });
        assert!(steps > 10 && known > 5, "{steps} {known}");
    }

    #[test]
    fn after_a_crash_an_old_result_is_never_taken_for_a_new_one() {
        for (faults, first) in [("", sold()), ("jam@1", outcome(Motor::OverCurrent, DropSensor::NotSeen))] {
            for turns in [0, 1] {
                let mut pair = Pair::new("lift-c7", faults);
                pair.vend(&command(1, 12, true));
                assert_eq!(pair.ends, std::slice::from_ref(&first));
                pair.ends.clear();
                // The intent is durable, and the agent dies before the command or while nobody sees the lift at work.
                pair.intend(&command(1, 12, true));
                if turns == 1 {
                    pair.board.received(pair.now, &frame(HOST, 0x40, VEND | REQUEST, &[1, 2]));
                    pair.now = pair.now.plus_ms(60_000);
                }
                pair.replace_driver(Some(&command(1, 12, true)));
                pair.until_idle();
                assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{faults} {turns}: {:?}", pair.ends);
                assert_eq!(pair.board.turns().len(), 1 + turns);
                pair.assert_can_vend_again();
            }
        }
    }

    #[test]
    fn rule_20_a_board_restart_at_any_step_never_proves_anything() {
        at_every_step("lift-c7", Mishap::BoardRestart, assert_nothing_proven_by_restart);
    }

    #[test]
    fn rule_20_a_power_cut_of_agent_and_board_at_any_step_proves_nothing() {
        assert_both_prove_nothing("lift-c7");
    }

    #[test]
    fn the_zeros_of_a_lift_that_started_anew_in_mid_vend_are_no_success() {
        // With a stray byte, too, as a board makes that loses its power.
        for stray in [&[][..], &[0]] {
            let mut pair = Pair::new("lift-c7", "jam");
            pair.until_idle();
            pair.drive(&command(1, 12, true));
            pair.run(10_000, |p| p.others.contains(&Finding::Progress(1)));
            pair.board.power_cycle(pair.now);
            pair.run_for(1_100);
            pair.driver.received(pair.now, pair.now, stray);
            pair.until_idle();
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{stray:?}: {:?}", pair.ends);
            assert_eq!(pair.late, []);
        }
    }

    #[test]
    fn a_restart_is_noticed_when_a_failure_is_gone() {
        let mut pair = Pair::new("lift-c7", "jam@1");
        pair.vend(&command(1, 12, true));
        assert!(!pair.others.contains(&Finding::BoardRestarted));
        pair.board.power_cycle(pair.now);
        pair.run_for(60_000);
        assert_eq!(pair.others.iter().filter(|f| **f == Finding::BoardRestarted).count(), 1);
    }

    #[test]
    fn a_lift_with_goods_in_its_box_or_a_fault_is_not_driven() {
        for status in [[0x80, 0], [0, 3]] {
            let mut driver = crate::board::driver_for(&super::super::pair::profile("lift-c7"));
            let mut now = BootMs(0);
            driver.opened(now);
            let mut ends = Vec::new();
            let mut driven = false;
            while ends.is_empty() {
                while let Some(output) = driver.next_output() {
                    match output {
                        crate::board::driver::Output::Write(write) => {
                            assert!(!write.motor, "{status:?}");
                            let command = write.bytes[4] & !REQUEST;
                            let data: &[u8] = if command == STATUS { &status } else { &[0, 0, 0] };
                            driver.received(now, now, &frame(BOARD, 0x40, command, data));
                        }
                        crate::board::driver::Output::Finding(finding @ Finding::NotTaken(_)) => ends.push(finding),
                        crate::board::driver::Output::Finding(_) => {}
                    }
                }
                if driver.state() == LineState::Idle && !driven {
                    let reference = driver.reference(&command(1, 12, true));
                    driver.drive(now, &command(1, 12, true), &reference);
                    driven = true;
                }
                now = driver.deadline().unwrap_or(now).max(now.plus_ms(1));
                assert!(now < BootMs(60_000));
                driver.wake(now);
            }
            assert_eq!(ends, [Finding::NotTaken(Reason::Busy)], "{status:?}");
        }
    }

    #[test]
    fn a_motor_frame_of_which_nothing_was_written_is_refused_and_of_which_some_was_is_not() {
        assert_writes_that_fail("lift-c7");
    }

    #[test]
    fn an_absent_board_does_not_hold_up_the_others_and_its_command_is_refused_without_a_byte() {
        assert_absent_board("lift-c7");
    }

    #[test]
    fn a_command_that_was_given_up_is_watched_until_its_late_result() {
        let mut pair = Pair::new("lift-c7", "late@1");
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.driver.give_up(pair.now);
        assert_ne!(pair.driver.state(), LineState::Idle);
        pair.until_idle();
        assert_eq!(pair.ends, []);
        let sold = Evidence { motor: Motor::Ok, drop_sensor: DropSensor::None };
        assert!(matches!(&pair.late[..], [Finding::Late { evidence, .. }] if *evidence == sold), "{:?}", pair.late);
        pair.assert_can_vend_again();
    }

    #[test]
    fn an_idle_line_is_asked_two_questions_in_ten_seconds() {
        let mut pair = Pair::new("lift-c7", "");
        pair.until_idle();
        pair.run_for(3_000);
        pair.written.clear();
        pair.run_for(20 * WATCH_MS);
        assert!((39..=41).contains(&pair.written.len()), "{}", pair.written.len());
        let identity = Finding::Identity("address 1: lift, configuration 06 0a".to_owned());
        assert!(pair.others.contains(&identity), "{:?}", pair.others);
    }

    #[test]
    fn a_port_that_goes_in_mid_vend_keeps_the_outcome_only_of_a_lift_that_is_still_vending() {
        for (away_ms, end) in [(1_000, Some(sold())), (60_000, None)] {
            // Longer than the line is drained when the port is back, as every lift is.
            let mut pair = Pair::with_turn("lift-c7", "", 6_000);
            pair.until_idle();
            pair.drive(&command(1, 12, true));
            pair.run(10_000, |p| p.others.contains(&Finding::Progress(1)));
            pair.port_away(away_ms);
            pair.until_idle();
            match end {
                Some(end) => assert_eq!(pair.ends, [end]),
                None => assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends),
            }
            assert_eq!(pair.late, []);
        }
        let mut pair = Pair::new("lift-c7", "");
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.driver.closed(pair.now);
        pair.run(0, |p| !p.ends.is_empty());
        assert_eq!(pair.ends, [Finding::NotTaken(Reason::BoardOffline)], "nothing had been fetched to be written");
    }

    #[test]
    fn a_result_stays_until_it_is_released_and_nothing_is_asked_meanwhile() {
        assert_held_until_released("lift-c7", &command(1, 12, true)).assert_can_vend_again();
    }
}
