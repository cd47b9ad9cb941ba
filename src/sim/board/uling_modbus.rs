//! Emulated ZDM8 boards (boards.md, K): Modbus RTU, and a result that is gone once it was read.
//!
//! `silence` mutes the board for the longest vend time, within which the turn ends and its result is dropped;
//! `garble` spoils the frame with the result, and with it the result; `refuse` is the exception "busy".

use super::answering::Answering;
use super::fault::Faults;
use super::mechanism::{Doing, Mechanism, Met};
use crate::board::frame::crc16_modbus;
use crate::board::profile::Profile;
use crate::board::protocol::sealed;
use crate::board::uling_modbus::{
    BOX, CLIMATE, DISPENSING, DROP_DETECTOR, EXCEPTION, FAILED, HARDWARE, IDLE, LIFT_RESET, READ, RELAY, RELAY_MAX,
    SHIP, SOFTWARE, STATUS, SUCCESS, WRITE_MANY, WRITE_ONE, fault,
};
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::time::BootMs;
use std::collections::BTreeMap;

/// The other registers that can be read, with what this board has there.
const READABLE: &[(u16, &[u8])] = &[
    (HARDWARE, &[0x20, 0x02, 10, 10]),
    (SOFTWARE, &[0x20, 0x20, 0x02, 0x20]),
    // 21.0 °C, 55.0 %.
    (CLIMATE, &[0x00, 0xD2, 0x02, 0x26]),
    // Box 1 is closed.
    (BOX, &[0x01, 0x01]),
    (0x0006, &[0, 0]),
    (0x0007, &[0, 0]),
    // The drop detector is clear.
    (DROP_DETECTOR, &[0, 1]),
];
/// Registers that take one word, and turn no motor here: relay, lift reset, axis, motor timeout.
const WRITABLE: std::ops::RangeInclusive<u16> = 0x1001..=0x1004;

/// One to eight boards on a line.
pub struct UlingModbusBoard {
    mechanism: Mechanism,
    profile: Profile,
    /// The fault code of each board's last failed turn: reading clears the state, not the code.
    fault_codes: BTreeMap<u8, u8>,
}

/// The request that bytes begin with, when it is whole and its check is good.
fn whole(bytes: &[u8]) -> Option<usize> {
    let len = match bytes {
        [_, READ | WRITE_ONE, ..] => 8,
        [_, WRITE_MANY, _, _, _, _, count, ..] => 9 + usize::from(*count),
        _ => return None,
    };
    bytes.get(..len).filter(|frame| crc16_modbus(frame) == 0).map(<[u8]>::len)
}

impl UlingModbusBoard {
    /// Idle boards at all addresses of the profile.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        UlingModbusBoard {
            mechanism: Mechanism::new(profile, turn_ms, faults),
            profile: profile.clone(),
            fault_codes: BTreeMap::new(),
        }
    }

    /// The code that the profile has for this failure; 7 where it has none, as the table is not published.
    fn code_of(&self, evidence: Evidence) -> u8 {
        let known = |code: &u8| self.profile.evidence_of(*code).is_some_and(|e| e.motor == evidence.motor);
        (1..=u8::MAX).find(known).unwrap_or(fault::SLAVE)
    }

    fn status(&mut self, wire_address: u8, doing: Doing) -> Vec<u8> {
        let state = match doing {
            Doing::Idle => IDLE,
            Doing::Turning(_) => DISPENSING,
            Doing::Finished(_, Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen | DropSensor::None }) => {
                SUCCESS
            }
            Doing::Finished(_, evidence) => {
                self.fault_codes.insert(wire_address, self.code_of(evidence));
                FAILED
            }
        };
        let code = self.fault_codes.get(&wire_address).copied().unwrap_or(0);
        let mut frame = sealed(vec![wire_address, READ, 2, state, code]);
        if let Doing::Finished(..) = doing {
            self.mechanism.garble(wire_address, &mut frame);
            self.mechanism.forget(wire_address);
        }
        frame
    }
}

impl Answering for UlingModbusBoard {
    fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    fn mechanism_mut(&mut self) -> &mut Mechanism {
        &mut self.mechanism
    }

    fn whole(&self, bytes: &[u8]) -> Option<usize> {
        whole(bytes)
    }

    fn answer(&mut self, now: BootMs, request: &[u8]) -> Option<Vec<u8>> {
        let &[wire_address, function, r1, r0, w1, w0, ..] = request else { return None };
        let doing = self.mechanism.doing(now, wire_address)?;
        let (register, words) = (u16::from_be_bytes([r1, r0]), u16::from_be_bytes([w1, w0]));
        let exception = |code| Some(sealed(vec![wire_address, function | EXCEPTION, code]));
        match (function, register) {
            (READ, STATUS) if words == 1 => Some(self.status(wire_address, doing)),
            (READ, _) => match READABLE.iter().find(|(known, _)| *known == register) {
                Some((_, data)) if data.len() == usize::from(words) * 2 => {
                    let count = u8::try_from(data.len()).ok()?;
                    Some(sealed([&[wire_address, READ, count], *data].concat()))
                }
                Some(_) => exception(fault::DATA),
                None => exception(fault::ADDRESS),
            },
            (WRITE_ONE, RELAY) if !((1..=RELAY_MAX).contains(&w1) && w0 <= 1) => exception(fault::DATA),
            (WRITE_ONE, LIFT_RESET) if words != 1 => exception(fault::DATA),
            (WRITE_ONE, register) if WRITABLE.contains(&register) => Some(request.to_vec()),
            (WRITE_MANY, SHIP) => {
                let &[_, _, _, _, 0, 2, 4, slot, 0..=4, drop_check @ 0..=1, 0..=1, _, _] = request else {
                    return exception(fault::DATA);
                };
                // A result that nobody read does not hinder the next turn on this board: it is overwritten.
                self.mechanism.forget(wire_address);
                let met = self.mechanism.drive(now, wire_address, slot, drop_check == 1);
                if self.mechanism.is_mute(now, wire_address) {
                    return None;
                }
                match met {
                    Met::Taken => Some(sealed(vec![wire_address, WRITE_MANY, r1, r0, w1, w0])),
                    Met::NoSuchSlot => exception(fault::DATA),
                    Met::Refused | Met::NotCleared => exception(fault::BUSY),
                }
            }
            _ => exception(fault::ADDRESS),
        }
    }

    fn forget(&mut self) {
        self.fault_codes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::*;
    use crate::board::driver::{Finding, Written};
    use crate::order::outcome::{DropSensor, Motor, Reason};

    const PROFILE: &str = "uling-zdm8";

    #[test]
    fn a_vend_ends_as_the_board_says() {
        for (fault, drop_check, end) in [
            ("", true, outcome(Motor::Ok, DropSensor::Seen)),
            ("", false, outcome(Motor::Ok, DropSensor::None)),
            ("jam", true, outcome(Motor::Timeout, DropSensor::NotSeen)),
            ("jam", false, outcome(Motor::Timeout, DropSensor::None)),
            ("no-drop", true, outcome(Motor::Timeout, DropSensor::NotSeen)),
            ("open-motor", true, outcome(Motor::Timeout, DropSensor::NotSeen)),
            ("late", true, outcome(Motor::Ok, DropSensor::Seen)),
            ("refuse", true, Finding::NotTaken(Reason::Busy)),
        ] {
            let mut pair = Pair::new(PROFILE, fault);
            pair.vend(&command(1, 16, drop_check));
            assert_eq!(pair.ends, [end], "{fault} {drop_check}");
            assert_eq!(pair.late, [], "{fault}");
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn what_cannot_be_known_is_unproven_and_the_line_comes_back() {
        for fault in ["silence@1", "garble@1", "restart@1", "power-loss@1"] {
            let mut pair = Pair::new(PROFILE, fault);
            pair.vend(&command(1, 16, true));
            assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{fault}: {:?}", pair.ends);
            assert_eq!(pair.board.turns().len(), 1, "{fault}");
            pair.assert_can_vend_again();
        }
    }

    #[test]
    fn rule_17_an_agent_crash_at_any_step_costs_the_outcome_only_if_the_clearing_answer_was_lost() {
        let mut unknown = 0;
        let steps = at_every_step(PROFILE, Mishap::AgentCrash, |pair, step| {
            let result_lost = pair.lost.as_deref().is_some_and(|b| matches!(b, [_, 0x03, 2, 2 | 3, ..]));
            match (&pair.ends[..], pair.board.turns().len()) {
                ([Finding::Outcome(_)], 1) => {}
                ([Finding::Unproven(_)], 0) => {}
                ([Finding::Unproven(_)], 1) if result_lost => unknown += 1,
                other => panic!("step {step}: {other:?}"),
            }
        });
        assert!(steps > 20, "{steps}");
        assert_eq!(unknown, 2, "once on the board and once on its way");
    }

    #[test]
    fn rule_20_a_board_restart_at_any_step_never_proves_anything() {
        at_every_step(PROFILE, Mishap::BoardRestart, assert_nothing_proven_by_restart);
    }

    #[test]
    fn rule_20_a_power_cut_of_agent_and_board_at_any_step_proves_nothing() {
        assert_both_prove_nothing(PROFILE);
    }

    #[test]
    fn a_motor_frame_of_which_nothing_was_written_is_refused_and_of_which_some_was_is_not() {
        assert_writes_that_fail(PROFILE);
    }

    #[test]
    fn a_result_found_without_a_command_is_late_and_names_no_slot() {
        let mut pair = Pair::new(PROFILE, "");
        pair.leave_a_result_behind(&command(3, 16, true));
        pair.until_idle();
        assert_eq!(pair.late.len(), 1);
        assert!(matches!(pair.late[0], Finding::Late { address, slot: None, .. } if address.get() == 3));
        pair.assert_can_vend_again();
    }

    #[test]
    fn an_absent_board_does_not_hold_up_the_others_and_its_command_is_refused_without_a_byte() {
        assert_absent_board(PROFILE);
    }

    #[test]
    fn a_command_that_was_given_up_is_watched_until_its_late_result() {
        assert_give_up(PROFILE);
    }

    #[test]
    fn an_idle_line_is_asked_once_in_ten_seconds() {
        assert_quiet_when_idle(PROFILE);
    }

    #[test]
    fn a_port_that_goes_and_comes_back_in_mid_turn_keeps_the_outcome() {
        assert_port_comes_back(PROFILE);
    }

    #[test]
    fn a_command_that_was_never_answered_is_unproven() {
        let mut pair = Pair::new(PROFILE, "");
        pair.write_ends = Written::Some;
        pair.vend(&command(1, 16, true));
        assert!(matches!(pair.ends[..], [Finding::Unproven(_)]));
    }
}
