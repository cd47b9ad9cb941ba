//! Emulated M102 boards (boards.md, E): the last result stays until the next command or until power is lost.
//!
//! A profile with a suffix makes boards whose check sums have it. `silence` mutes the board for the longest vend time,
//! within which the turn ends and its result is dropped; `garble` spoils the first frame with the result, which the
//! next question brings again; `refuse` is code 2.

use super::answering::Answering;
use super::fault::Faults;
use super::mechanism::{Doing, Mechanism, Met};
use crate::board::driver::Slot;
use crate::board::m102::{
    FINISHED, FRAME_BYTES, HUMIDITY, ID, IDLE, NOT_WIRED, OUTPUT, OUTPUT_OFF, OUTPUT_ON, OVER_CURRENT, POLL, RUN,
    RUN_BAD_INDEX, RUN_BUSY, RUN_OK, RUNNING, SCAN, TEMPERATURE, WIRE, WIRED, frame, is_sealed,
};
use crate::board::profile::Profile;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::time::BootMs;

/// Currents and run time of a finished turn: 500 mA at most, 300 mA on average, 2.5 s.
const MEASURED: [u8; 6] = [0x01, 0xF4, 0x01, 0x2C, 0x00, 25];
/// How long goods block the curtain.
const CURTAIN_BLOCKED: u8 = 3;
/// 24.0 °C as the board tells it.
const TEMPERATURE_RAW: [u8; 2] = [0x01, 0x04];
const HUMIDITY_PERCENT: u8 = 55;
/// Result of a motor that does not stop.
const TIMEOUT: u8 = 3;

/// One to four boards on a line.
pub struct M102Board {
    mechanism: Mechanism,
    profile: Profile,
    suffix: Vec<u8>,
}

fn result_of(evidence: Evidence) -> u8 {
    match evidence.motor {
        Motor::Ok => 0,
        Motor::OverCurrent => OVER_CURRENT,
        Motor::Open => WIRE,
        Motor::Timeout | Motor::Absent => TIMEOUT,
    }
}

impl M102Board {
    /// Boards at all addresses of the profile that have done nothing yet.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        M102Board {
            mechanism: Mechanism::new(profile, turn_ms, faults),
            profile: profile.clone(),
            suffix: profile.options.crc_suffix.clone().unwrap_or_default().into_bytes(),
        }
    }

    fn poll(&mut self, wire_address: u8, doing: Doing) -> Vec<u8> {
        let data = match doing {
            Doing::Idle => vec![IDLE],
            Doing::Turning(motor) => vec![RUNNING, motor],
            Doing::Finished(motor, evidence) => {
                let curtain = if evidence.drop_sensor == DropSensor::Seen { CURTAIN_BLOCKED } else { 0 };
                [&[FINISHED, motor, result_of(evidence)][..], &MEASURED, &[curtain]].concat()
            }
        };
        let mut frame = frame(wire_address, POLL, &data, &self.suffix);
        if let Doing::Finished(..) = doing {
            self.mechanism.garble(wire_address, &mut frame);
        }
        frame
    }

    fn run(&mut self, now: BootMs, wire_address: u8, motor: u8, drop_check: bool, doing: Doing) -> u8 {
        self.mechanism.forget(wire_address);
        match self.mechanism.drive(now, wire_address, motor, drop_check) {
            Met::Taken => RUN_OK,
            Met::NoSuchSlot => RUN_BAD_INDEX,
            Met::Refused | Met::NotCleared => {
                self.mechanism.remember(wire_address, doing);
                RUN_BUSY
            }
        }
    }
}

impl Answering for M102Board {
    fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    fn mechanism_mut(&mut self) -> &mut Mechanism {
        &mut self.mechanism
    }

    fn whole(&self, bytes: &[u8]) -> Option<usize> {
        bytes.get(..FRAME_BYTES).filter(|f| is_sealed(f, &self.suffix)).map(<[u8]>::len)
    }

    fn answer(&mut self, now: BootMs, request: &[u8]) -> Option<Vec<u8>> {
        let [wire_address, function, data @ .., _, _] = request else { return None };
        let (wire_address, function) = (*wire_address, *function);
        let doing = self.mechanism.doing(now, wire_address)?;
        let data = match (function, data) {
            (POLL, _) => return Some(self.poll(wire_address, doing)),
            (ID, _) => b"MJ2307 V1.0 ".to_vec(),
            (SCAN, [motor, ..]) => {
                vec![if self.profile.has_slot(Slot(u16::from(*motor))) { WIRED } else { NOT_WIRED }]
            }
            (RUN, [motor, _, curtain, ..]) => {
                // The former result goes with the next command that is taken, and only then.
                let code = if self.profile.has_slot(Slot(u16::from(*motor))) {
                    self.run(now, wire_address, *motor, *curtain > 0, doing)
                } else {
                    RUN_BAD_INDEX
                };
                if self.mechanism.is_mute(now, wire_address) {
                    return None;
                }
                vec![code]
            }
            (TEMPERATURE, _) => TEMPERATURE_RAW.to_vec(),
            (HUMIDITY, _) => vec![HUMIDITY_PERCENT, 0],
            (OUTPUT, [channel, on, ..]) => vec![*channel, if *on == 0 { OUTPUT_OFF } else { OUTPUT_ON }],
            _ => return None,
        };
        Some(frame(wire_address, function, &data, &self.suffix))
    }

    fn echoes(&self) -> bool {
        self.profile.options.echo == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::{
        Mishap, Pair, assert_absent_board, assert_both_prove_nothing, assert_give_up, assert_held_until_released,
        assert_nothing_proven_by_restart, assert_port_comes_back, assert_quiet_when_idle, assert_writes_that_fail,
        at_every_step, command, outcome, profile,
    };
    use super::*;
    use crate::board::driver::{Finding, LineFault};
    use crate::order::outcome::Reason;

    #[test]
    fn every_outcome_of_the_motor_arrives_and_the_line_comes_back() {
        for (fault, end) in [
            ("", outcome(Motor::Ok, DropSensor::Seen)),
            ("jam", outcome(Motor::OverCurrent, DropSensor::NotSeen)),
            ("no-drop", outcome(Motor::Ok, DropSensor::NotSeen)),
            ("open-motor", outcome(Motor::Open, DropSensor::NotSeen)),
            ("late@1", outcome(Motor::Ok, DropSensor::Seen)),
            ("garble@1", outcome(Motor::Ok, DropSensor::Seen)),
            ("refuse@1", Finding::NotTaken(Reason::Busy)),
        ] {
            let mut pair = Pair::new("m102", fault);
            pair.vend(&command(1, 12, true));
            assert_eq!(pair.ends, [end], "{fault}");
            assert_eq!(pair.late, [], "{fault}");
            let garbled = pair.others.contains(&Finding::Fault(LineFault::BadCheck));
            assert_eq!(garbled, fault.starts_with("garble"), "{fault}");
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn the_same_motor_is_driven_again_and_again_and_each_result_is_its_own() {
        let mut pair = Pair::new("m102", "jam@2 no-drop@4");
        for end in [
            outcome(Motor::Ok, DropSensor::Seen),
            outcome(Motor::OverCurrent, DropSensor::NotSeen),
            outcome(Motor::Ok, DropSensor::Seen),
            outcome(Motor::Ok, DropSensor::NotSeen),
            outcome(Motor::Ok, DropSensor::Seen),
            outcome(Motor::Ok, DropSensor::Seen),
        ] {
            pair.ends.clear();
            pair.vend(&command(1, 12, true));
            assert_eq!(pair.ends, [end]);
        }
        assert_eq!(pair.board.turns().len(), 6);
    }

    #[test]
    fn what_cannot_be_known_is_unproven_and_the_line_comes_back() {
        for fault in ["silence@1", "restart@1", "power-loss@1"] {
            let mut pair = Pair::new("m102", fault);
            pair.vend(&command(1, 12, true));
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{fault}: {:?}", pair.ends);
            assert_eq!(pair.board.turns().len(), 1, "{fault}");
            assert_eq!(pair.written.iter().filter(|(_, w)| w.motor).count(), 1, "{fault}: sent again");
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn an_agent_crash_at_any_step_loses_no_outcome_of_a_motor_that_did_not_turn_before() {
        let steps =
            at_every_step("m102", Mishap::AgentCrash, |pair, step| match (&pair.ends[..], pair.board.turns().len()) {
                ([end], 1) if *end == outcome(Motor::Ok, DropSensor::Seen) => {}
                ([Finding::Unproven(_)], 0) => {}
                other => panic!("step {step}: {other:?}"),
            });
        assert!(steps > 10, "{steps}");
    }

    #[test]
    fn after_a_crash_an_old_result_of_the_same_motor_is_never_taken_for_a_new_one() {
        for turns in [0, 1] {
            let mut pair = Pair::new("m102", "");
            pair.vend(&command(1, 12, true));
            pair.ends.clear();
            // The intent is durable, and the agent dies before the command or while nobody sees the motor turn.
            pair.intend(&command(1, 12, true));
            if turns == 1 {
                let run = frame(1, RUN, &[12, 3, 1], &[]);
                pair.board.received(pair.now, &run);
                pair.now = pair.now.plus_ms(60_000);
            }
            pair.replace_driver(Some(&command(1, 12, true)));
            pair.until_idle();
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{turns}: {:?}", pair.ends);
            assert_eq!(pair.board.turns().len(), 1 + turns);
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn rule_20_a_board_restart_at_any_step_never_proves_anything() {
        at_every_step("m102", Mishap::BoardRestart, assert_nothing_proven_by_restart);
    }

    #[test]
    fn rule_20_a_power_cut_of_agent_and_board_at_any_step_proves_nothing() {
        assert_both_prove_nothing("m102");
    }

    #[test]
    fn a_board_restart_is_noticed_when_the_last_result_is_gone() {
        let mut pair = Pair::new("m102", "");
        pair.vend(&command(1, 12, true));
        assert!(!pair.others.contains(&Finding::BoardRestarted));
        pair.board.power_cycle(pair.now);
        pair.run_for(60_000);
        assert_eq!(pair.others.iter().filter(|f| **f == Finding::BoardRestarted).count(), 1);
    }

    #[test]
    fn a_motor_frame_of_which_nothing_was_written_is_refused_and_of_which_some_was_is_not() {
        assert_writes_that_fail("m102");
    }

    #[test]
    fn an_absent_board_does_not_hold_up_the_others_and_its_command_is_refused_without_a_byte() {
        assert_absent_board("m102");
    }

    #[test]
    fn a_command_that_was_given_up_is_watched_until_its_late_result() {
        assert_give_up("m102");
    }

    #[test]
    fn an_idle_line_is_asked_once_in_ten_seconds() {
        assert_quiet_when_idle("m102");
    }

    #[test]
    fn a_port_that_goes_and_comes_back_in_mid_turn_keeps_the_outcome() {
        assert_port_comes_back("m102");
    }

    #[test]
    fn a_result_stays_until_it_is_released_and_nothing_is_asked_meanwhile() {
        assert_held_until_released("m102", &command(1, 12, true)).assert_can_vend_again();
    }

    #[test]
    fn a_cable_that_echoes_is_not_taken_for_a_board_at_rest() {
        let mut one = profile("m102");
        one.options.echo = Some(true);
        let board = Box::new(M102Board::new(&one, 2_500, Faults::default()));
        let mut pair = Pair::with_board(one, board);
        pair.vend(&command(1, 12, true));
        assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::Seen)]);
        pair.assert_can_vend_again();
    }

    /// The slot's number stands where an answer has its code: 1 would be *no such motor*, 2 *busy*, 0 *taken*.
    #[test]
    fn an_echo_that_the_profile_does_not_know_is_no_answer_to_a_command() {
        for slot in [0, 1, 2] {
            let mut one = profile("m102");
            one.options.echo = Some(true);
            let board = Box::new(M102Board::new(&one, 2_500, Faults::default()));
            one.options.echo = Some(false);
            let mut pair = Pair::with_board(one, board);
            pair.vend(&command(1, slot, true));
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{slot}: {:?}", pair.ends);
            assert!(!pair.others.contains(&Finding::Taken), "{slot}: an echo says nothing");
            assert_eq!(pair.board.turns().len(), 1, "{slot}");
        }
    }

    #[test]
    fn boards_of_both_kinds_of_check_sum_are_found_and_told() {
        for (suffix, told) in [(None, "plain check sums"), (Some("-test-"), "check sums with suffix")] {
            let mut one = profile("m102");
            one.addresses.count = 1;
            one.options.crc_suffix = suffix.map(str::to_owned);
            let board = Box::new(M102Board::new(&one, 2_500, Faults::default()));
            one.options.crc_suffix = Some("-test-".to_owned());
            let mut pair = Pair::with_board(one, board);
            pair.until_idle();
            pair.run_for(3_000);
            pair.vend(&command(1, 12, true));
            assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::Seen)]);
            let text = format!("address 1: MJ2307 V1.0, {told}");
            assert!(pair.others.contains(&Finding::Identity(text.clone())), "{text}: {:?}", pair.others);
            pair.assert_can_vend_again();
        }
    }
}
