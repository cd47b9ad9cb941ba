//! When songshu is told: what may wait, and what goes now. Pure: time comes in as an argument.
//!
//! The document recommends near real time and allows every five minutes. The notices themselves are calls in the
//! journal; this only says which of them may leave, by their numbers. What became of them, and when one goes again, is
//! the outbox's. After a power cut it begins anew from the records.

use crate::order::time::BootMs;
use std::collections::BTreeSet;

/// The document's "every five minutes", in s.
pub const BATCH_DEFAULT_S: u64 = 300;
/// So many that wait go without waiting longer: a batch stays within what the platform takes in one go.
pub const BATCH_NOTICES_MAX: usize = 50;

/// How soon the platform is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// At once, as the document recommends.
    #[default]
    NearRealTime,
    /// In batches, as it allows: together, whenever so many ms of the boot are over.
    Batches {
        /// In ms.
        every_ms: u64,
    },
}

/// The notices that wait for their batch.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    waiting: BTreeSet<u64>,
    due: BootMs,
}

impl Batch {
    /// A notice is durable. False when it may leave at once, and does not wait here.
    pub fn waits(&mut self, pace: Pace, number: u64, is_test: bool, now: BootMs) -> bool {
        let Pace::Batches { every_ms } = pace else { return false };
        if is_test || every_ms == 0 {
            return false;
        }
        if self.waiting.is_empty() {
            self.due = now.plus_ms(every_ms - now.0 % every_ms);
        }
        self.waiting.insert(number);
        true
    }

    /// What leaves now, oldest first.
    pub fn take_due(&mut self, now: BootMs) -> BTreeSet<u64> {
        let is_due = self.due <= now || self.waiting.len() >= BATCH_NOTICES_MAX;
        if is_due { std::mem::take(&mut self.waiting) } else { BTreeSet::new() }
    }

    /// When the batch is due; nothing while none waits.
    #[must_use]
    pub fn next_due(&self) -> Option<BootMs> {
        (!self.waiting.is_empty()).then_some(self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BATCHES: Pace = Pace::Batches { every_ms: 300_000 };

    #[test]
    fn near_real_time_and_tests_do_not_wait_and_batches_go_together_every_five_minutes() {
        let mut batch = Batch::default();
        assert!(!batch.waits(Pace::NearRealTime, 1, false, BootMs(0)) && !batch.waits(BATCHES, 1, true, BootMs(0)));
        assert_eq!(batch.next_due(), None);
        for (number, at_ms) in [(3, 301_000), (1, 302_000), (2, 599_999)] {
            assert!(batch.waits(BATCHES, number, false, BootMs(at_ms)));
            assert_eq!((batch.next_due(), batch.take_due(BootMs(at_ms)).len()), (Some(BootMs(600_000)), 0));
        }
        assert_eq!(batch.take_due(BootMs(600_000)), BTreeSet::from([1, 2, 3]));
        assert_eq!((batch.next_due(), batch.take_due(BootMs(600_001)).len()), (None, 0));
    }

    #[test]
    fn a_batch_that_is_full_goes_early() {
        let mut batch = Batch::default();
        for number in 1..BATCH_NOTICES_MAX as u64 {
            assert!(batch.waits(BATCHES, number, false, BootMs(5)));
            assert_eq!(batch.take_due(BootMs(6)).len(), 0);
        }
        assert!(batch.waits(BATCHES, 99, false, BootMs(7)));
        assert_eq!(batch.take_due(BootMs(7)).len(), BATCH_NOTICES_MAX);
    }

    proptest! {
        #[test]
        fn each_notice_leaves_once_and_never_later_than_its_batch(
            arrivals in proptest::collection::vec(0_u64..200_000, 1..80), every_ms in 1_u64..400_000,
        ) {
            let (mut batch, mut now, mut left) = (Batch::default(), BootMs(0), Vec::new());
            for (number, pause_ms) in (1_u64..).zip(&arrivals) {
                let until = now.plus_ms(*pause_ms);
                while let Some(due) = batch.next_due().filter(|due| *due <= until) {
                    prop_assert!(due > now && due.0 % every_ms == 0);
                    now = due;
                    left.extend(batch.take_due(now));
                }
                now = until;
                if !batch.waits(Pace::Batches { every_ms }, number, false, now) {
                    left.push(number);
                }
                left.extend(batch.take_due(now));
            }
            if let Some(due) = batch.next_due() {
                left.extend(batch.take_due(due));
            }
            prop_assert_eq!(left, (1..=arrivals.len() as u64).collect::<Vec<_>>());
        }
    }
}
