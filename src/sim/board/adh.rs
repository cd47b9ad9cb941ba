//! Emulated ADH814 and ADH815 boards (boards.md, D): the result stays until it is acknowledged or power is lost.
//!
//! `silence` mutes the board for the longest vend time, within which the turn ends and its result is dropped;
//! `garble` spoils the first frame with the result, which the next question brings again; `refuse` is code 2.

use super::answering::Answering;
use super::fault::Faults;
use super::mechanism::{Doing, Mechanism, Met};
use crate::board::adh::{
    ACK, DROP_NOT_SEEN, FINISHED, ID, IDLE, MODE, MODE_DROP, POLL, RUN, RUN_BAD_PARAMETER, RUN_NOT_CLEARED, RUN_OK,
    RUN_REFUSED, RUNNING, TEMPERATURE, command,
};
use crate::board::frame::crc16_modbus;
use crate::board::profile::{AdhVariant, Profile};
use crate::board::protocol::sealed;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::time::BootMs;

/// The temperature that a board tells, °C, as in the documented frames.
const fn temperature_c(variant: AdhVariant) -> u8 {
    match variant {
        AdhVariant::Adh814 => 24,
        AdhVariant::Adh815 => 25,
    }
}
/// Currents and run time of a finished turn: 500 mA at most, 300 mA on average, 2.5 s.
const MEASURED: [u8; 5] = [0x01, 0xF4, 0x01, 0x2C, 25];

/// One to four boards on a line.
pub struct AdhBoard {
    mechanism: Mechanism,
    variant: AdhVariant,
}

fn result_of(evidence: Evidence) -> u8 {
    let motor = match evidence.motor {
        Motor::Ok => 0,
        Motor::OverCurrent => 1,
        Motor::Open => 2,
        Motor::Timeout | Motor::Absent => 3,
    };
    if evidence.drop_sensor == DropSensor::NotSeen { motor | DROP_NOT_SEEN } else { motor }
}

impl AdhBoard {
    /// Idle boards at all addresses of the profile.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        AdhBoard {
            mechanism: Mechanism::new(profile, turn_ms, faults),
            variant: profile.options.adh_variant.unwrap_or(AdhVariant::Adh815),
        }
    }

    /// The request that bytes begin with, when it is whole and its check is good.
    fn whole_of(variant: AdhVariant, bytes: &[u8]) -> Option<usize> {
        let &second = bytes.get(1)?;
        let is = |code| command(variant, code) == second;
        let len = match () {
            () if is(ID) || is(POLL) || is(ACK) => 4,
            () if is(RUN) => 5,
            () if is(MODE) => 6,
            () if is(TEMPERATURE) => 7,
            () => return None,
        };
        bytes.get(..len).filter(|frame| crc16_modbus(frame) == 0).map(<[u8]>::len)
    }

    fn poll(&mut self, wire_address: u8, doing: Doing) -> Vec<u8> {
        let (state, motor, result, measured) = match doing {
            Doing::Idle => (IDLE, 0, 0, [0; 5]),
            Doing::Turning(motor) => (RUNNING, motor, 0, [0; 5]),
            Doing::Finished(motor, evidence) => (FINISHED, motor, result_of(evidence), MEASURED),
        };
        let head = [0, command(self.variant, POLL), state, motor, result];
        let mut frame = sealed([&head[..], &measured, &[temperature_c(self.variant)]].concat());
        if let Doing::Finished(..) = doing {
            self.mechanism.garble(wire_address, &mut frame);
        }
        frame
    }
}

impl Answering for AdhBoard {
    fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    fn mechanism_mut(&mut self) -> &mut Mechanism {
        &mut self.mechanism
    }

    fn whole(&self, bytes: &[u8]) -> Option<usize> {
        Self::whole_of(self.variant, bytes)
    }

    fn answer(&mut self, now: BootMs, request: &[u8]) -> Option<Vec<u8>> {
        let [wire_address, second, data @ .., _, _] = request else { return None };
        let (wire_address, second) = (*wire_address, *second);
        let doing = self.mechanism.doing(now, wire_address)?;
        let is = |code| command(self.variant, code) == second;
        match *data {
            [] if is(POLL) => Some(self.poll(wire_address, doing)),
            [] if is(ACK) => {
                self.mechanism.forget(wire_address);
                Some(sealed(vec![0, second]))
            }
            [] if is(ID) => {
                let (from, name) = match self.variant {
                    AdhVariant::Adh814 => (wire_address, b"ADH814 V1.0.1.2 "),
                    AdhVariant::Adh815 => (0, b"ADH815 V1.0.1.2 "),
                };
                Some(sealed([&[from, second], &name[..]].concat()))
            }
            [motor] if is(RUN) => {
                // The ADH814 decides on its own; its sensor is taken as fitted and armed.
                let drop_check = self.variant == AdhVariant::Adh814 || self.mechanism.is_armed(wire_address);
                let met = self.mechanism.drive(now, wire_address, motor, drop_check);
                if self.mechanism.is_mute(now, wire_address) {
                    return None;
                }
                let code = match met {
                    Met::Taken => RUN_OK,
                    Met::NoSuchSlot => RUN_BAD_PARAMETER,
                    Met::Refused => RUN_REFUSED,
                    Met::NotCleared => RUN_NOT_CLEARED,
                };
                Some(sealed(vec![0, second, code]))
            }
            [mode, value] if is(MODE) => match self.variant {
                AdhVariant::Adh815 => {
                    self.mechanism.arm(wire_address, mode == MODE_DROP);
                    Some(sealed(vec![0, second, mode, value]))
                }
                // Two-wire motors: accepted, and no difference here.
                AdhVariant::Adh814 => Some(sealed(vec![0, second, 0])),
            },
            [mode, v1, v0] if is(TEMPERATURE) => Some(sealed(vec![0, second, mode, v1, v0])),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::*;
    use crate::board::driver::{Finding, Slot};
    use crate::order::outcome::{DropSensor, Motor, Reason};

    const PROFILES: [&str; 2] = ["adh815", "adh814"];

    #[test]
    fn a_vend_ends_as_the_board_says() {
        for profile in PROFILES {
            for (fault, end) in [
                ("", outcome(Motor::Ok, DropSensor::Seen)),
                ("jam", outcome(Motor::OverCurrent, DropSensor::NotSeen)),
                ("no-drop", outcome(Motor::Ok, DropSensor::NotSeen)),
                ("open-motor", outcome(Motor::Open, DropSensor::NotSeen)),
                ("late", outcome(Motor::Ok, DropSensor::Seen)),
                ("garble", outcome(Motor::Ok, DropSensor::Seen)),
                ("refuse", Finding::NotTaken(Reason::Busy)),
            ] {
                let mut pair = Pair::new(profile, fault);
                pair.vend(&command(1, 12, true));
                assert_eq!(pair.ends, [end], "{profile} {fault}");
                assert_eq!(pair.late, [], "{profile} {fault}");
                pair.assert_can_vend_again();
            }
        }
    }

    #[test]
    fn without_drop_check_the_sensor_says_nothing() {
        for (fault, end) in [
            ("", outcome(Motor::Ok, DropSensor::None)),
            ("jam", outcome(Motor::OverCurrent, DropSensor::None)),
            ("open-motor", outcome(Motor::Open, DropSensor::None)),
        ] {
            let mut pair = Pair::new("adh815", fault);
            pair.vend(&command(1, 12, false));
            assert_eq!(pair.ends, [end], "{fault}");
        }
    }

    #[test]
    fn the_drop_mode_follows_the_command() {
        let mut pair = Pair::new("adh815", "");
        for (drop_check, sensor) in [(true, DropSensor::Seen), (false, DropSensor::None), (true, DropSensor::Seen)] {
            pair.ends.clear();
            pair.vend(&command(1, 12, drop_check));
            assert_eq!(pair.ends, [outcome(Motor::Ok, sensor)]);
        }
        let modes = pair.written.iter().filter(|(_, w)| w.bytes.get(1) == Some(&super::MODE));
        assert_eq!(modes.map(|(_, w)| w.bytes[2]).collect::<Vec<_>>(), [0x80, 0, 0x80]);
    }

    #[test]
    fn what_cannot_be_known_is_unproven_and_the_line_comes_back() {
        for fault in ["silence@1", "restart@1", "power-loss@1"] {
            let mut pair = Pair::new("adh815", fault);
            pair.vend(&command(1, 12, true));
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{fault}: {:?}", pair.ends);
            assert_eq!(pair.board.turns().len(), 1, "{fault}");
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn an_agent_crash_at_any_step_loses_no_outcome_of_a_motor_that_turned() {
        for profile in PROFILES {
            let steps = at_every_step(profile, Mishap::AgentCrash, |pair, step| {
                match (&pair.ends[..], pair.board.turns().len()) {
                    ([end], 1) if *end == outcome(Motor::Ok, DropSensor::Seen) => {}
                    ([Finding::Unproven(_)], 0) => {}
                    other => panic!("{profile} step {step}: {other:?}"),
                }
                for late in &pair.late {
                    assert!(matches!(late, Finding::Late { slot: Some(Slot(12)), .. }), "{late:?}");
                }
            });
            assert!(steps > 20, "{steps}");
        }
    }

    #[test]
    fn rule_20_a_board_restart_at_any_step_never_proves_anything() {
        for profile in PROFILES {
            at_every_step(profile, Mishap::BoardRestart, assert_nothing_proven_by_restart);
        }
    }

    #[test]
    fn rule_20_a_power_cut_of_agent_and_board_at_any_step_proves_nothing() {
        for profile in PROFILES {
            assert_both_prove_nothing(profile);
        }
    }

    #[test]
    fn a_motor_frame_of_which_nothing_was_written_is_refused_and_of_which_some_was_is_not() {
        assert_writes_that_fail("adh815");
    }

    #[test]
    fn rule_22_the_result_stays_on_the_board_until_it_is_released() {
        let mut pair = Pair::new("adh814", "");
        pair.auto_release = false;
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(60_000, |p| !p.ends.is_empty());
        pair.run_for(60_000);
        assert!(pair.written.iter().all(|(_, w)| w.bytes.get(1) != Some(&0xA6)), "acknowledged too early");
        pair.replace_driver(None);
        pair.auto_release = true;
        pair.until_idle();
        assert_eq!(pair.late.len(), 1);
        assert!(matches!(pair.late[0], Finding::Late { slot: Some(Slot(12)), .. }));
        pair.assert_can_vend_again();
    }

    #[test]
    fn a_result_of_another_motor_is_late_and_never_ours() {
        let mut pair = Pair::new("adh815", "");
        pair.leave_a_result_behind(&command(1, 7, true));
        pair.replace_driver(Some(&command(1, 12, true)));
        pair.until_idle();
        assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
        assert!(matches!(pair.late[..], [Finding::Late { slot: Some(Slot(7)), .. }]), "{:?}", pair.late);
        assert_eq!(pair.board.turns().len(), 1);
    }

    #[test]
    fn an_absent_board_does_not_hold_up_the_others_and_its_command_is_refused_without_a_byte() {
        assert_absent_board("adh815");
    }

    #[test]
    fn a_command_that_was_given_up_is_watched_until_its_late_result() {
        assert_give_up("adh815");
    }

    #[test]
    fn an_idle_line_is_asked_once_in_ten_seconds() {
        assert_quiet_when_idle("adh814");
    }

    #[test]
    fn a_port_that_goes_and_comes_back_in_mid_turn_keeps_the_outcome() {
        assert_port_comes_back("adh815");
    }
}
