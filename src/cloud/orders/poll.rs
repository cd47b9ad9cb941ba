//! Asking for an order until its payment is decided: each second, with a back-off after errors, and never longer than
//! an order can be paid. Pure: time and chance come in as arguments.

use super::answer::AnswerError;
use crate::cloud::api_codes::RetryClass;
use crate::order::backoff::full_jitter;
use crate::order::time::BootMs;

/// The document's "each second", in ms.
pub const POLL_MS: u64 = 1_000;
/// How long an unpaid order is asked about, in ms from its creation: the platform's 20 minutes (cloud 1.7), which hold
/// for every order that is sold here.
pub const POLL_FOR_MS: u64 = 1_200_000;
/// First pause after an error, in ms.
const RETRY_BASE_MS: u64 = 2 * POLL_MS;
/// Longest pause after errors, in ms: a buyer who has paid stands before the machine.
const RETRY_MAX_MS: u64 = 20_000;

/// What an answer said about the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Not paid yet: ask on.
    Unpaid,
    /// Anything else: whoever asked acts on it.
    Decided,
    /// An answer that says nothing.
    Failed(&'a AnswerError),
    /// No answer.
    Silence,
}

/// Why the asking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollEnd {
    /// The status changed.
    Decided,
    /// The cloud will not tell: the order may be paid all the same.
    Refused,
    /// [`POLL_FOR_MS`] are over, and the last answer was "unpaid".
    StillUnpaid,
    /// [`POLL_FOR_MS`] are over, and nobody knows: the order may be paid.
    NobodyKnows,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollNext {
    /// Ask when this time has come, and then call [`Poll::asked`].
    AskAt(BootMs),
    /// Wait for the answer, and then call [`Poll::heard`]; whoever carries the question ends it in time.
    Wait,
    /// Done.
    Over(PollEnd),
}

/// The asking about one order.
#[derive(Debug, Clone)]
pub struct Poll {
    until: BootMs,
    next: PollNext,
    asked_at: BootMs,
    failures: u32,
}

impl Poll {
    /// Begins now with an order that was created `age_ms` ago; one that is too old is asked about once.
    #[must_use]
    pub const fn begin(now: BootMs, age_ms: u64) -> Poll {
        let until = now.plus_ms(POLL_FOR_MS.saturating_sub(age_ms));
        Poll { until, next: PollNext::AskAt(now), asked_at: now, failures: 0 }
    }

    /// What to do.
    #[must_use]
    pub const fn next(&self) -> PollNext {
        self.next
    }

    /// The question left. Does nothing where none was due.
    pub const fn asked(&mut self, now: BootMs) {
        if matches!(self.next, PollNext::AskAt(_)) {
            self.next = PollNext::Wait;
            self.asked_at = now;
        }
    }

    /// What came of the question. `random` is any evenly spread number. Does nothing where no question is out.
    pub fn heard(&mut self, heard: Heard, now: BootMs, random: u64) {
        if self.next != PollNext::Wait {
            return;
        }
        let is_last = self.asked_at >= self.until;
        let due = match heard {
            Heard::Decided => return self.next = PollNext::Over(PollEnd::Decided),
            Heard::Failed(error) if error.class() == RetryClass::Final => {
                return self.next = PollNext::Over(PollEnd::Refused);
            }
            Heard::Unpaid if is_last => return self.next = PollNext::Over(PollEnd::StillUnpaid),
            Heard::Failed(_) | Heard::Silence if is_last => return self.next = PollNext::Over(PollEnd::NobodyKnows),
            Heard::Unpaid => {
                self.failures = 0;
                self.asked_at.plus_ms(POLL_MS).max(now)
            }
            Heard::Failed(_) | Heard::Silence => {
                let pause_ms = full_jitter(self.failures, RETRY_BASE_MS, RETRY_MAX_MS, random);
                self.failures = self.failures.saturating_add(1);
                now.plus_ms(pause_ms.max(POLL_MS))
            }
        };
        // The last question is asked when the time is over, not up to a pause before: who pays late is noticed.
        self.next = PollNext::AskAt(due.min(self.until.max(now)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::mall::read_order;
    use super::*;
    use proptest::prelude::*;

    fn ask_at(ms: u64) -> PollNext {
        PollNext::AskAt(BootMs(ms))
    }

    fn error(status: u16, body: &str) -> AnswerError {
        read_order(status, body.as_bytes(), None).unwrap_err()
    }

    #[test]
    fn an_order_is_asked_about_each_second_until_its_status_changes() {
        let mut poll = Poll::begin(BootMs(5_000), 0);
        assert_eq!(poll.next(), ask_at(5_000));
        poll.asked(BootMs(5_010));
        assert_eq!(poll.next(), PollNext::Wait);
        poll.heard(Heard::Unpaid, BootMs(5_300), 0);
        assert_eq!(poll.next(), ask_at(6_010), "a second after the question, however long the answer took");
        poll.asked(BootMs(6_010));
        poll.heard(Heard::Unpaid, BootMs(9_000), 0);
        assert_eq!(poll.next(), ask_at(9_000), "never two questions at once");
        poll.asked(BootMs(9_000));
        poll.heard(Heard::Decided, BootMs(9_100), 0);
        assert_eq!(poll.next(), PollNext::Over(PollEnd::Decided));
        poll.asked(BootMs(9_200));
        poll.heard(Heard::Unpaid, BootMs(9_300), 0);
        assert_eq!(poll.next(), PollNext::Over(PollEnd::Decided), "over is over");
    }

    #[test]
    fn errors_are_waited_out_longer_and_longer_and_a_good_answer_ends_that() {
        let trouble = error(200, r#"{"status":-1,"msg":"x"}"#);
        let mut poll = Poll::begin(BootMs(0), 0);
        let (mut now, mut pauses) = (BootMs(0), Vec::new());
        for n in 0..7 {
            poll.asked(now);
            poll.heard(if n % 2 == 0 { Heard::Failed(&trouble) } else { Heard::Silence }, now, u64::MAX);
            let PollNext::AskAt(at) = poll.next() else { panic!("{:?}", poll.next()) };
            assert!((POLL_MS..=RETRY_MAX_MS).contains(&at.since_ms(now)), "{at:?}");
            pauses.push(poll.failures);
            now = at;
        }
        assert_eq!(pauses, [1, 2, 3, 4, 5, 6, 7]);
        poll.asked(now);
        poll.heard(Heard::Unpaid, now, 0);
        assert_eq!((poll.next(), poll.failures), (PollNext::AskAt(now.plus_ms(POLL_MS)), 0));
    }

    #[test]
    fn what_the_cloud_will_never_tell_ends_the_asking_at_once() {
        for answer in [r#"{"status":19}"#, r#"{"status":3}"#, r#"{"status":0,"data":{"orderNo":-7}}"#] {
            let mut poll = Poll::begin(BootMs(0), 0);
            poll.asked(BootMs(0));
            poll.heard(Heard::Failed(&error(200, answer)), BootMs(1), 0);
            assert_eq!(poll.next(), PollNext::Over(PollEnd::Refused), "{answer}");
        }
        let mut poll = Poll::begin(BootMs(0), 0);
        poll.asked(BootMs(0));
        poll.heard(Heard::Failed(&error(200, r#"{"status":10}"#)), BootMs(1), 0);
        assert_eq!(poll.next(), ask_at(1_001), "a session that ran out is renewed by somebody");
    }

    #[test]
    fn the_last_question_is_asked_when_the_twenty_minutes_are_over() {
        for (last, end) in [
            (Heard::Unpaid, PollEnd::StillUnpaid),
            (Heard::Silence, PollEnd::NobodyKnows),
            (Heard::Decided, PollEnd::Decided),
        ] {
            let mut poll = Poll::begin(BootMs(0), POLL_FOR_MS - 1_500);
            poll.asked(BootMs(0));
            poll.heard(Heard::Unpaid, BootMs(1), 0);
            poll.asked(BootMs(1_000));
            poll.heard(Heard::Unpaid, BootMs(1_001), 0);
            assert_eq!(poll.next(), ask_at(1_500));
            poll.asked(BootMs(1_500));
            poll.heard(last, BootMs(1_600), 0);
            assert_eq!(poll.next(), PollNext::Over(end));
        }
    }

    #[test]
    fn an_order_that_was_too_old_when_power_came_back_is_asked_about_once() {
        let mut poll = Poll::begin(BootMs(70), POLL_FOR_MS + 1);
        assert_eq!(poll.next(), ask_at(70));
        poll.asked(BootMs(80));
        poll.heard(Heard::Unpaid, BootMs(90), 0);
        assert_eq!(poll.next(), PollNext::Over(PollEnd::StillUnpaid));
    }

    proptest! {
        #[test]
        fn the_asking_ends_and_never_asks_more_than_once_a_second(
            answers in proptest::collection::vec((0_u8..3, 0_u64..3_000, any::<u64>()), 0..1_300),
            (start, age_ms) in (0_u64..1 << 40, 0_u64..2 * POLL_FOR_MS),
        ) {
            let trouble = error(503, "");
            let (mut now, mut poll) = (BootMs(start), Poll::begin(BootMs(start), age_ms));
            let (mut asked, mut answers) = (Vec::<BootMs>::new(), answers.into_iter().cycle());
            loop {
                match poll.next() {
                    PollNext::AskAt(at) => {
                        now = now.max(at);
                        asked.push(now);
                        poll.asked(now);
                    }
                    PollNext::Wait => {
                        let (what, took_ms, random) = answers.next().unwrap_or((0, 10, 0));
                        now = now.plus_ms(took_ms);
                        let heard = match what {
                            0 => Heard::Unpaid,
                            1 => Heard::Silence,
                            _ => Heard::Failed(&trouble),
                        };
                        poll.heard(heard, now, random);
                    }
                    PollNext::Over(end) => {
                        prop_assert!(end == PollEnd::StillUnpaid || end == PollEnd::NobodyKnows);
                        break;
                    }
                }
                prop_assert!(asked.len() <= 1_202, "it does not end");
            }
            let last = asked.last().copied().unwrap_or_default();
            prop_assert!(last.since_ms(BootMs(start)) <= POLL_FOR_MS + RETRY_MAX_MS);
            // Only the very last one may come sooner after the one before it.
            for pair in asked.windows(2).rev().skip(1) {
                prop_assert!(pair[1].since_ms(pair[0]) >= POLL_MS, "{pair:?}");
            }
        }
    }
}
