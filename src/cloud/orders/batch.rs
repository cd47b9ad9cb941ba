//! When songshu is told: what may wait, and what goes now. Pure: time and chance come in as arguments.
//!
//! The document recommends near real time and allows every five minutes. Either way there is one notice for each
//! order: what became paid replaces what was only created, and nothing unpaid follows something paid, so that the
//! platform never sees an order go back. The notices themselves are kept by whoever calls; this only says which ones
//! are due.

use super::answer::AnswerError;
use super::songshu::{Notice, Payment};
use crate::cloud::api_codes::RetryClass;
use crate::order::backoff::full_jitter;
use crate::order::key::Id;
use crate::order::time::BootMs;
use std::collections::BTreeMap;

/// The document's "every five minutes", in ms.
pub const BATCH_MS: u64 = 300_000;
/// So many that wait go without waiting longer: a batch stays within what the platform takes in one go.
pub const BATCH_NOTICES_MAX: usize = 50;
/// So many are under way at once: they share one small HTTP client with results, which come first.
pub const IN_FLIGHT_MAX: usize = 4;
/// Most orders that wait. More than a machine sells in a day; who is over it keeps the notice and offers it later.
pub const WAITING_MAX: usize = 1_024;
/// First pause after a failure, in ms.
const RETRY_BASE_MS: u64 = 5_000;
/// Longest pause after failures, in ms: the batch itself.
const RETRY_MAX_MS: u64 = BATCH_MS;

/// How soon the platform is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// At once, as the document recommends.
    #[default]
    NearRealTime,
    /// In batches of [`BATCH_MS`], as it allows.
    Batches,
}

#[derive(Debug, Clone)]
struct Waiting {
    notice: Notice,
    due: BootMs,
    failures: u32,
    /// The notice that is under way, which may be an older one.
    in_flight: Option<Notice>,
}

/// More orders wait than [`WAITING_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{WAITING_MAX} notices wait already")]
pub struct Full;

/// What became of a notice that was under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The platform knows it; nothing is left to tell of this order.
    Told,
    /// The platform refused it for good.
    Refused(Notice),
    /// It goes again: later, or with what the order became meanwhile.
    Again,
    /// Nothing of this order was under way.
    Stray,
}

/// The notices that wait.
#[derive(Debug, Clone)]
pub struct Batch {
    pace: Pace,
    waiting: BTreeMap<Id, Waiting>,
}

impl Batch {
    /// Nothing waits yet.
    #[must_use]
    pub const fn new(pace: Pace) -> Batch {
        Batch { pace, waiting: BTreeMap::new() }
    }

    /// How many orders wait or are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing is left to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A notice that the platform must get.
    ///
    /// # Errors
    /// [`Full`]: offer it again when something was told.
    pub fn add(&mut self, notice: Notice, now: BootMs) -> Result<(), Full> {
        let is_now = self.pace == Pace::NearRealTime || notice.is_test;
        let due = if is_now { now } else { now.plus_ms(BATCH_MS - now.0 % BATCH_MS) };
        if let Some(known) = self.waiting.get_mut(&notice.order_id) {
            if known.notice.payment == Payment::Unpaid || notice.payment != Payment::Unpaid {
                known.due = known.due.min(due);
                known.notice = notice;
            }
            return Ok(());
        }
        if self.waiting.len() >= WAITING_MAX {
            return Err(Full);
        }
        self.waiting.insert(notice.order_id.clone(), Waiting { notice, due, failures: 0, in_flight: None });
        Ok(())
    }

    /// Whether so many wait that the batch goes early.
    fn is_full(&self) -> bool {
        self.waiting.values().filter(|w| w.in_flight.is_none() && w.failures == 0).count() >= BATCH_NOTICES_MAX
    }

    /// What goes now, the oldest first; each must be given back to [`Batch::answered`].
    pub fn take_due(&mut self, now: BootMs) -> Vec<Notice> {
        let under_way = self.waiting.values().filter(|w| w.in_flight.is_some()).count();
        let is_full = self.is_full();
        let is_due = |w: &Waiting| w.in_flight.is_none() && (w.due <= now || (is_full && w.failures == 0));
        let mut due: Vec<&mut Waiting> = self.waiting.values_mut().filter(|w| is_due(w)).collect();
        due.sort_by_key(|w| (w.due, w.notice.created_at));
        let go = due.into_iter().take(IN_FLIGHT_MAX.saturating_sub(under_way));
        go.map(|w| w.in_flight.insert(w.notice.clone()).clone()).collect()
    }

    /// When something is due next: now or earlier if something goes at once, nothing while all places are taken or
    /// nothing waits.
    #[must_use]
    pub fn next_due(&self) -> Option<BootMs> {
        if self.waiting.values().filter(|w| w.in_flight.is_some()).count() >= IN_FLIGHT_MAX {
            return None;
        }
        let is_full = self.is_full();
        let due = |w: &Waiting| if is_full && w.failures == 0 { BootMs(0) } else { w.due };
        self.waiting.values().filter(|w| w.in_flight.is_none()).map(due).min()
    }

    /// What came of a notice that [`Batch::take_due`] gave out. `answer` is what [`read_notified`] read; no answer at
    /// all is nothing. `random` is any evenly spread number.
    ///
    /// [`read_notified`]: super::songshu::read_notified
    pub fn answered(
        &mut self,
        order_id: &Id,
        answer: Option<Result<(), AnswerError>>,
        now: BootMs,
        random: u64,
    ) -> Ending {
        let Some(waiting) = self.waiting.get_mut(order_id) else { return Ending::Stray };
        let Some(sent) = waiting.in_flight.take() else { return Ending::Stray };
        let has_news = sent != waiting.notice;
        let class = match answer {
            Some(Ok(())) => RetryClass::AlreadyDone,
            Some(Err(error)) => error.class(),
            None => RetryClass::Retry,
        };
        match class {
            RetryClass::Retry => {
                let pause_ms = full_jitter(waiting.failures, RETRY_BASE_MS, RETRY_MAX_MS, random);
                waiting.failures = waiting.failures.saturating_add(1);
                waiting.due = now.plus_ms(pause_ms);
                Ending::Again
            }
            // What the order became meanwhile is another notice, which may fare better.
            _ if has_news => {
                waiting.failures = 0;
                Ending::Again
            }
            RetryClass::AlreadyDone => {
                self.waiting.remove(order_id);
                Ending::Told
            }
            RetryClass::Final => {
                self.waiting.remove(order_id);
                Ending::Refused(sent)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::songshu::{OpenId, read_notified};
    use super::*;
    use crate::cloud::open_platform::Fen;
    use crate::order::time::UnixMs;
    use proptest::prelude::*;

    fn notice(order: &str, payment: Payment) -> Notice {
        Notice {
            order_id: Id::parse(order).unwrap(),
            openid: OpenId::parse("oB").unwrap(),
            created_at: UnixMs(1_000),
            payment,
            amount: Fen(300),
            title: None,
            is_test: false,
        }
    }

    fn unpaid(order: &str) -> Notice {
        notice(order, Payment::Unpaid)
    }

    fn paid(order: &str) -> Notice {
        notice(order, Payment::PaidAt(UnixMs(2_000)))
    }

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    fn told() -> Option<Result<(), AnswerError>> {
        Some(read_notified(200, b"{\"errcode\":0}"))
    }

    fn refused(code: u32) -> Option<Result<(), AnswerError>> {
        Some(read_notified(200, format!("{{\"errcode\":{code}}}").as_bytes()))
    }

    #[test]
    fn near_real_time_goes_at_once_and_batches_go_together_every_five_minutes() {
        let mut now = Batch::new(Pace::NearRealTime);
        now.add(unpaid("1"), BootMs(7)).unwrap();
        assert_eq!((now.next_due(), now.take_due(BootMs(7))), (Some(BootMs(7)), vec![unpaid("1")]));

        let mut batch = Batch::new(Pace::Batches);
        for (order, at) in [("1", 300_001), ("2", 450_000), ("3", 599_999)] {
            batch.add(unpaid(order), BootMs(at)).unwrap();
        }
        assert_eq!(batch.next_due(), Some(BootMs(600_000)));
        assert_eq!(batch.take_due(BootMs(599_999)), vec![]);
        assert_eq!(batch.take_due(BootMs(600_000)), [unpaid("1"), unpaid("2"), unpaid("3")]);
        let mut test = unpaid("4");
        test.is_test = true;
        batch.add(test.clone(), BootMs(600_001)).unwrap();
        assert_eq!(batch.take_due(BootMs(600_001)), [test], "somebody looks at a test");
    }

    #[test]
    fn a_batch_that_is_full_goes_early() {
        let mut batch = Batch::new(Pace::Batches);
        for n in 1..BATCH_NOTICES_MAX {
            batch.add(unpaid(&n.to_string()), BootMs(1)).unwrap();
        }
        assert_eq!((batch.take_due(BootMs(2)), batch.next_due()), (vec![], Some(BootMs(BATCH_MS))));
        batch.add(unpaid("last"), BootMs(2)).unwrap();
        assert_eq!(batch.next_due(), Some(BootMs(0)));
        assert_eq!(batch.take_due(BootMs(2)).len(), IN_FLIGHT_MAX);
        assert_eq!((batch.next_due(), batch.take_due(BootMs(3))), (None, vec![]), "no more at once");
    }

    #[test]
    fn paid_replaces_created_and_nothing_unpaid_follows_it() {
        let mut batch = Batch::new(Pace::Batches);
        batch.add(unpaid("1"), BootMs(0)).unwrap();
        batch.add(paid("1"), BootMs(1)).unwrap();
        batch.add(unpaid("1"), BootMs(2)).unwrap();
        assert_eq!(batch.take_due(BootMs(BATCH_MS)), [paid("1")]);
        assert_eq!(batch.answered(&id("1"), told(), BootMs(BATCH_MS), 0), Ending::Told);
        assert!(batch.is_empty());
    }

    #[test]
    fn what_became_paid_under_way_is_told_as_well() {
        for answer in [told(), refused(40_000)] {
            let mut batch = Batch::new(Pace::NearRealTime);
            batch.add(unpaid("1"), BootMs(0)).unwrap();
            assert_eq!(batch.take_due(BootMs(0)), [unpaid("1")]);
            batch.add(paid("1"), BootMs(1)).unwrap();
            assert_eq!(batch.take_due(BootMs(1)), [], "never two of one order at once");
            assert_eq!(batch.answered(&id("1"), answer, BootMs(2), 0), Ending::Again);
            assert_eq!(batch.take_due(BootMs(2)), [paid("1")]);
            assert_eq!(batch.answered(&id("1"), told(), BootMs(3), 0), Ending::Told);
        }
    }

    #[test]
    fn codes_beginning_with_4_end_a_notice_and_all_others_pass() {
        for (answer, is_final) in [(refused(40_100), true), (refused(4), true), (refused(50_000), false), (None, false)]
        {
            let mut batch = Batch::new(Pace::NearRealTime);
            batch.add(paid("1"), BootMs(0)).unwrap();
            batch.take_due(BootMs(0));
            let ending = batch.answered(&id("1"), answer, BootMs(10), 4_999);
            assert_eq!(ending, if is_final { Ending::Refused(paid("1")) } else { Ending::Again });
            assert_eq!(batch.next_due(), (!is_final).then_some(BootMs(10 + 4_999)));
            assert_eq!(batch.answered(&id("1"), told(), BootMs(11), 0), Ending::Stray);
        }
    }

    #[test]
    fn more_than_can_wait_is_given_back_and_not_lost_silently() {
        let mut batch = Batch::new(Pace::Batches);
        for n in 0..WAITING_MAX {
            assert_eq!(batch.add(unpaid(&n.to_string()), BootMs(0)), Ok(()));
        }
        assert_eq!(batch.add(unpaid("more"), BootMs(0)), Err(Full));
        assert_eq!(batch.add(paid("5"), BootMs(0)), Ok(()), "a known order finds its place");
        assert_eq!(batch.len(), WAITING_MAX);
    }

    proptest! {
        #[test]
        fn every_order_is_told_in_its_last_state_whatever_answers_come(
            script in proptest::collection::vec((0_u8..6, 0_u8..4, 0_u64..400_000, any::<u64>()), 1..120),
            batches: bool,
        ) {
            let mut batch = Batch::new(if batches { Pace::Batches } else { Pace::NearRealTime });
            let (mut now, mut flying, mut last) = (BootMs(0), Vec::<Notice>::new(), BTreeMap::<Id, Notice>::new());
            let mut heard = BTreeMap::<Id, Notice>::new();
            for (what, order, pause_ms, random) in script {
                now = now.plus_ms(pause_ms);
                let order = order.to_string();
                match what {
                    0 | 1 => {
                        let notice = if what == 0 { unpaid(&order) } else { paid(&order) };
                        batch.add(notice.clone(), now).unwrap();
                        let is_newer = last.get(&notice.order_id).is_none_or(|l| l.payment == Payment::Unpaid);
                        if is_newer || notice.payment != Payment::Unpaid {
                            last.insert(notice.order_id.clone(), notice);
                        }
                    }
                    2 => flying.extend(batch.take_due(now)),
                    _ => if let Some(notice) = flying.pop() {
                        let answer = if what == 3 { told() } else { refused(500) };
                        if what == 3 {
                            heard.insert(notice.order_id.clone(), notice.clone());
                        }
                        let ending = batch.answered(&notice.order_id, answer, now, random);
                        prop_assert!(ending != Ending::Stray);
                        if ending == Ending::Told {
                            // A later notice of this order begins anew, as the platform knows this one.
                            last.remove(&notice.order_id);
                        }
                    }
                }
                prop_assert!(flying.len() <= IN_FLIGHT_MAX);
            }
            // From now on every answer is good: all that waits is told.
            for _ in 0..200 {
                for notice in flying.drain(..) {
                    heard.insert(notice.order_id.clone(), notice.clone());
                    batch.answered(&notice.order_id, told(), now, 0);
                }
                let Some(due) = batch.next_due() else { break };
                now = now.max(due);
                flying = batch.take_due(now);
            }
            prop_assert!(batch.is_empty());
            for (order, notice) in last {
                prop_assert_eq!(heard.get(&order), Some(&notice));
            }
        }
    }
}
