//! Emulated Kerong lock boards (boards.md, G). They answer nothing to an opening.

use super::latches::Doors;
use super::reader::Reader;
use super::{Emulator, Turn, fault::Faults};
use crate::board::frame::sum8;
use crate::board::lock_cu::{END, LOCKS, START, STATE, STATE_REPLY, UNLOCK, frame};
use crate::board::profile::Profile;
use crate::order::time::BootMs;
use std::collections::VecDeque;

const REQUEST_BYTES: usize = 5;

/// Lock boards on a line.
pub struct LockCuBoard {
    doors: Doors,
    reader: Reader,
    echoes: bool,
    outputs: VecDeque<Vec<u8>>,
}

impl LockCuBoard {
    /// Boards at all addresses of the profile, all doors shut and full. A door stays open for `open_ms`.
    #[must_use]
    pub fn new(profile: &Profile, open_ms: u64, faults: Faults) -> Self {
        LockCuBoard {
            doors: Doors::new(profile, open_ms, faults),
            reader: Reader::default(),
            echoes: profile.options.echo.unwrap_or(false),
            outputs: VecDeque::new(),
        }
    }

    fn answer(&mut self, now: BootMs, request: &[u8]) -> Option<Vec<u8>> {
        let [_, address, command, _, _] = *request else { return None };
        let (board, lock) = (address >> 4, address & 0x0F);
        if !self.doors.is_awake(now, board) {
            return None;
        }
        if command == UNLOCK {
            self.doors.unlock(now, board, lock);
            return None;
        }
        let (mut hooks, mut items) = (0_u16, 0_u16);
        for lock in 0..LOCKS {
            // A lock that is not there has its line pulled up: closed, and nothing behind it.
            let (is_open, is_full) = self.doors.state(board, lock).unwrap_or((false, false));
            hooks |= u16::from(!is_open) << lock;
            items |= u16::from(is_full) << lock;
        }
        let mut reply = frame(board, 0, STATE_REPLY, &[hooks.to_le_bytes(), items.to_le_bytes()].concat());
        self.doors.garble(board, &mut reply);
        Some(reply)
    }
}

impl Emulator for LockCuBoard {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        self.doors.pass(now);
        if self.echoes {
            self.outputs.push_back(bytes.to_vec());
        }
        let whole = |bytes: &[u8]| match *bytes {
            [START, address, command @ (STATE | UNLOCK), END, sum, ..] => {
                (sum8(&[START, address, command, END]) == sum).then_some(REQUEST_BYTES)
            }
            _ => None,
        };
        for request in self.reader.requests(now, bytes, whole) {
            let answer = self.answer(now, &request);
            self.outputs.extend(answer);
        }
    }

    fn wake(&mut self, now: BootMs) {
        self.doors.pass(now);
    }

    fn deadline(&self) -> Option<BootMs> {
        self.doors.next_move()
    }

    fn next_output(&mut self) -> Option<Vec<u8>> {
        self.outputs.pop_front()
    }

    fn turns(&self) -> &[Turn] {
        self.doors.turns()
    }

    fn power_cycle(&mut self, now: BootMs) {
        self.doors.pass(now);
        self.doors.power_cycle();
        self.reader = Reader::default();
        self.outputs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::lockers::{Case, assert_lock_family, assert_that_opens_late_is_not_credited};
    use super::super::pair::{Pair, command, outcome, profile};
    use crate::board::driver::{Finding, Output, RecoveryClass, Reference};
    use crate::board::driver_for;
    use crate::order::outcome::{DropSensor, Motor};
    use crate::order::time::BootMs;

    #[test]
    fn a_kerong_board_keeps_every_promise_of_a_lock_board() {
        assert_lock_family(&Case { name: "lock-cu", says_that_it_failed: true });
    }

    #[test]
    fn rule_16_a_latch_that_opens_late_is_not_credited_to_the_next_lifes_command() {
        assert_that_opens_late_is_not_credited("lock-cu");
    }

    #[test]
    fn the_sensor_behind_the_door_tells_whether_the_goods_were_taken() {
        for (fault, drop_check, end) in [
            ("", true, outcome(Motor::Ok, DropSensor::Seen)),
            ("", false, outcome(Motor::Ok, DropSensor::None)),
            ("no-drop", true, outcome(Motor::Ok, DropSensor::NotSeen)),
            ("no-drop", false, outcome(Motor::Ok, DropSensor::None)),
            ("jam", true, outcome(Motor::Timeout, DropSensor::NotSeen)),
        ] {
            let mut pair = Pair::new("lock-cu", fault);
            pair.vend(&command(1, 12, drop_check));
            assert_eq!(pair.ends, [end], "{fault} {drop_check}");
        }
    }

    #[test]
    fn goods_that_left_while_nobody_looked_prove_the_opening_though_the_door_is_shut() {
        let mut pair = Pair::new("lock-cu", "");
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.now = pair.now.plus_ms(60_000);
        pair.replace_driver(Some(&command(1, 12, true)));
        pair.until_idle();
        assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::Seen)]);
    }

    #[test]
    fn a_door_that_stays_open_ends_the_wait_without_a_word_of_the_sensor() {
        let mut pair = Pair::with_turn("lock-cu", "no-drop", 60_000);
        pair.until_idle();
        pair.drive(&command(1, 12, true));
        pair.run(30_000, |p| !p.ends.is_empty());
        assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::None)]);
        assert!(pair.others.contains(&Finding::Progress(1)));
    }

    #[test]
    fn an_order_that_was_given_up_before_the_port_was_there_does_not_end_again() {
        let mut forgets = profile("lock-cu");
        forgets.recovery_class = RecoveryClass::None;
        let mut driver = driver_for(&forgets);
        // Seen idle, with the latch shut.
        driver.resume(BootMs(0), &command(1, 12, false), &Reference(vec![1, 0]));
        driver.give_up(BootMs(60_000));
        driver.opened(BootMs(60_001));
        let findings: Vec<_> =
            std::iter::from_fn(|| driver.next_output()).filter(|o| matches!(o, Output::Finding(_))).collect();
        assert_eq!(findings, []);
    }
}
