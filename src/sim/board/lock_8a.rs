//! Emulated `8A … 11 XOR` lock boards (boards.md, H): the answer to an opening comes when the board has seen the latch,
//! and is the request itself when it stayed shut. What a latch does by itself is told unasked, in the polarity of the
//! published examples.

use super::latches::Doors;
use super::reader::Reader;
use super::{Emulator, Turn, fault::Faults};
use crate::board::frame::xor8;
use crate::board::lock_8a::{CONTACT_CLOSED, CONTACT_OPEN, MOVED, OPEN, OPEN_MARK, STATE, STATE_MARK, frame};
use crate::board::profile::{Profile, ShortWhen};
use crate::order::time::BootMs;
use std::collections::VecDeque;

/// The board looks at the latch so long after the pulse has moved it.
const LOOKS_AFTER_MS: u64 = 75;
/// A latch that did not move for so long is told as a failure.
const FAILS_AFTER_MS: u64 = 500;
const REQUEST_BYTES: usize = 5;

/// Lock boards on a line.
pub struct Lock8aBoard {
    doors: Doors,
    reader: Reader,
    short_when: ShortWhen,
    echoes: bool,
    /// Answers to openings, and when they come.
    answers: Vec<(BootMs, u8, u8)>,
    outputs: VecDeque<Vec<u8>>,
}

impl Lock8aBoard {
    /// Boards at all addresses of the profile, all doors shut. A door stays open for `open_ms`.
    #[must_use]
    pub fn new(profile: &Profile, open_ms: u64, faults: Faults) -> Self {
        Lock8aBoard {
            doors: Doors::new(profile, open_ms, faults),
            reader: Reader::default(),
            short_when: profile.options.short_when.unwrap_or(ShortWhen::Locked),
            echoes: profile.options.echo.unwrap_or(false),
            answers: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    fn contact(&self, board: u8, lock: u8) -> Option<u8> {
        let (is_open, _) = self.doors.state(board, lock)?;
        let is_closed_contact = is_open == (self.short_when == ShortWhen::Open);
        Some(if is_closed_contact { CONTACT_CLOSED } else { CONTACT_OPEN })
    }

    fn request(&mut self, now: BootMs, request: &[u8]) {
        let [kind, board, lock, _, _] = *request else { return };
        if !self.doors.is_awake(now, board) || self.doors.state(board, lock).is_none() {
            return;
        }
        if kind == OPEN {
            let opens = self.doors.unlock(now, board, lock);
            let at = opens.map_or(now.plus_ms(FAILS_AFTER_MS), |at| at.plus_ms(LOOKS_AFTER_MS));
            self.answers.push((at, board, lock));
        } else if let Some(contact) = self.contact(board, lock) {
            let mut reply = frame(STATE, board, lock, contact);
            self.doors.garble(board, &mut reply);
            self.outputs.push_back(reply.to_vec());
        }
    }

    fn pass(&mut self, now: BootMs) {
        for moved in self.doors.pass(now) {
            if self.doors.is_awake(moved.at, moved.wire_address) {
                let last = if moved.is_open { CONTACT_CLOSED } else { CONTACT_OPEN };
                self.outputs.push_back(frame(MOVED, moved.wire_address, moved.lock, last).to_vec());
            }
        }
        let (due, later): (Vec<_>, _) = self.answers.drain(..).partition(|(at, ..)| *at <= now);
        self.answers = later;
        for (at, board, lock) in due {
            if let Some(contact) = self.contact(board, lock).filter(|_| self.doors.is_awake(at, board)) {
                self.outputs.push_back(frame(OPEN, board, lock, contact).to_vec());
            }
        }
    }
}

impl Emulator for Lock8aBoard {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        self.pass(now);
        if self.echoes {
            self.outputs.push_back(bytes.to_vec());
        }
        let whole = |bytes: &[u8]| match *bytes {
            [kind @ (OPEN | STATE), board, lock, last @ (OPEN_MARK | STATE_MARK), check, ..] => {
                let belongs = (kind == OPEN) == (last == OPEN_MARK);
                (belongs && xor8(&[kind, board, lock, last]) == check).then_some(REQUEST_BYTES)
            }
            _ => None,
        };
        for request in self.reader.requests(now, bytes, whole) {
            self.request(now, &request);
        }
    }

    fn wake(&mut self, now: BootMs) {
        self.pass(now);
    }

    fn deadline(&self) -> Option<BootMs> {
        self.answers.iter().map(|(at, ..)| *at).chain(self.doors.next_move()).min()
    }

    fn next_output(&mut self) -> Option<Vec<u8>> {
        self.outputs.pop_front()
    }

    fn turns(&self) -> &[Turn] {
        self.doors.turns()
    }

    fn power_cycle(&mut self, now: BootMs) {
        self.pass(now);
        self.doors.power_cycle();
        self.answers.clear();
        self.reader = Reader::default();
        self.outputs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::Faults;
    use super::super::lockers::{Case, assert_lock_family, assert_that_opens_late_is_not_credited};
    use super::super::pair::{Pair, TURN_MS, command, faults, outcome, profile};
    use super::*;
    use crate::board::driver::Finding;
    use crate::order::outcome::{DropSensor, Motor};

    #[test]
    fn an_8a_board_keeps_every_promise_of_a_lock_board() {
        assert_lock_family(&Case { name: "lock-8a", says_that_it_failed: true });
    }

    #[test]
    fn rule_16_a_latch_that_opens_late_is_not_credited_to_the_next_lifes_command() {
        assert_that_opens_late_is_not_credited("lock-8a");
    }

    #[test]
    fn both_kinds_of_latch_and_of_cable_are_told_right() {
        for short_when in [ShortWhen::Locked, ShortWhen::Open] {
            for echo in [false, true] {
                for (fault, end) in [
                    ("", outcome(Motor::Ok, DropSensor::None)),
                    ("jam", outcome(Motor::Timeout, DropSensor::None)),
                    ("open-motor", outcome(Motor::Timeout, DropSensor::None)),
                ] {
                    let mut profile = profile("lock-8a");
                    profile.options.short_when = Some(short_when);
                    profile.options.echo = Some(echo);
                    let board = Box::new(Lock8aBoard::new(&profile, TURN_MS, faults(fault)));
                    let mut pair = Pair::with_board(profile, board);
                    pair.vend(&command(1, 12, true));
                    assert_eq!(pair.ends, [end], "{short_when:?} {echo} {fault}");
                }
            }
        }
    }

    #[test]
    fn an_echo_that_the_profile_does_not_know_is_never_an_outcome() {
        for short_when in [ShortWhen::Locked, ShortWhen::Open] {
            let mut profile = profile("lock-8a");
            profile.options.short_when = Some(short_when);
            profile.options.echo = Some(true);
            let board = Box::new(Lock8aBoard::new(&profile, TURN_MS, faults("jam:12 refuse:7")));
            profile.options.echo = Some(false);
            let mut pair = Pair::with_board(profile, board);
            for (slot, motor) in [(12, Motor::Timeout), (7, Motor::Timeout), (9, Motor::Ok)] {
                pair.ends.clear();
                pair.others.clear();
                pair.vend(&command(1, slot, true));
                assert_eq!(pair.ends, [outcome(motor, DropSensor::None)], "{short_when:?} {slot}");
                assert!(!pair.others.contains(&Finding::Taken), "an echo says nothing");
            }
        }
    }

    #[test]
    fn an_opening_that_only_its_echo_answers_is_never_taken_for_one() {
        let mut profile = profile("lock-8a");
        profile.options.short_when = Some(ShortWhen::Open);
        let mut pair =
            Pair::with_board(profile.clone(), Box::new(Lock8aBoard::new(&profile, TURN_MS, Faults::default())));
        pair.until_idle();
        let reference = pair.intend(&command(1, 12, true));
        pair.driver.drive(pair.now, &command(1, 12, true), &reference);
        // The cable gives everything back and the board hears nothing more.
        pair.board = Box::new(Deaf::default());
        pair.run(60_000, |p| !p.ends.is_empty());
        assert!(matches!(pair.ends[..], [Finding::NotTaken(_) | Finding::Unproven(_)]), "{:?}", pair.ends);
    }

    /// A cable without a board.
    #[derive(Default)]
    struct Deaf(VecDeque<Vec<u8>>);

    impl Emulator for Deaf {
        fn received(&mut self, _now: BootMs, bytes: &[u8]) {
            self.0.push_back(bytes.to_vec());
        }
        fn wake(&mut self, _now: BootMs) {}
        fn deadline(&self) -> Option<BootMs> {
            None
        }
        fn next_output(&mut self) -> Option<Vec<u8>> {
            self.0.pop_front()
        }
        fn turns(&self) -> &[Turn] {
            &[]
        }
        fn power_cycle(&mut self, _now: BootMs) {}
    }
}
