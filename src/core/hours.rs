//! Counts that are kept apart by the hour of the boot clock, for a day: a fault that comes with the sun or with the
//! evening's customers shows in them. In memory only: a machine at rest writes nothing to its disk.

use crate::order::time::BootMs;
use std::collections::VecDeque;

/// Hours that are kept apart.
pub const HOURS_KEPT: u8 = 24;
const HOUR_MS: u64 = 3_600_000;

/// The counts of the last hours in which anything was counted.
#[derive(Debug)]
pub(super) struct Hours<T> {
    /// Number of the hour since boot and its counts, oldest first.
    kept: VecDeque<(u64, T)>,
}

impl<T> Default for Hours<T> {
    fn default() -> Self {
        Hours { kept: VecDeque::new() }
    }
}

impl<T: Default> Hours<T> {
    /// Counts in this hour.
    pub(super) fn count(&mut self, now: BootMs, add: impl FnOnce(&mut T)) {
        let hour = now.0 / HOUR_MS;
        if self.kept.back().is_none_or(|(newest, _)| *newest < hour) {
            self.kept.push_back((hour, T::default()));
        }
        while self.kept.len() > usize::from(HOURS_KEPT) {
            self.kept.pop_front();
        }
        if let Some((_, counts)) = self.kept.back_mut() {
            add(counts);
        }
    }

    /// Newest first: how many full hours ago, and the counts. What is older than a day is left out.
    pub(super) fn newest_first(&self, now: BootMs) -> impl Iterator<Item = (u8, &T)> {
        let this_hour = now.0 / HOUR_MS;
        self.kept.iter().rev().filter_map(move |(hour, counts)| {
            let hours_ago = u8::try_from(this_hour.saturating_sub(*hour)).ok().filter(|&ago| ago < HOURS_KEPT)?;
            Some((hours_ago, counts))
        })
    }
}
