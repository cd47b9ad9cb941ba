//! Sales by where they stand, for whoever looks at the machine from afar.

use crate::core::Core;
use crate::order::sale::State;
use crate::order::time::Now;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Money that is to go back for longer than this, in s, is late. A call that can be taken is tried every ten minutes at
/// least (`order::report::RETRY_MAX_MS`): after an hour a refund does not go by itself any more, or its cloud is away.
pub const REFUND_LATE_S: u64 = 3_600;

/// Sales that are kept, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SaleCounts {
    /// Those that have not ended.
    pub open: usize,
    /// All that are kept, by their state: see `order::sale::State`. States without any are left out.
    pub by_state: BTreeMap<String, usize>,
    /// Those of which money is to go back, by the machine or by a person.
    pub refunds_due: usize,
    /// For how long the oldest of these waits, in s; nothing without one, or while nobody knows the time.
    pub oldest_refund_s: Option<u64>,
}

impl SaleCounts {
    /// How many stand so.
    #[must_use]
    pub fn of(&self, state: State) -> usize {
        self.by_state.get(state.as_str()).copied().unwrap_or(0)
    }

    /// Money is to go back for too long.
    #[must_use]
    pub fn has_late_refund(&self) -> bool {
        self.oldest_refund_s.is_some_and(|s| s > REFUND_LATE_S)
    }
}

impl Core {
    /// Sales by where they stand.
    pub(in crate::core) fn sale_counts(&self, now: Now) -> SaleCounts {
        let mut counts = SaleCounts::default();
        for sale in self.sales.all.values() {
            *counts.by_state.entry(sale.state.as_str().to_owned()).or_default() += 1;
            counts.open += usize::from(!sale.state.is_ended());
            if matches!(sale.state, State::Refunding | State::Owed) {
                counts.refunds_due += 1;
                let waits_s = sale.left.and_then(|left| self.ms_since(&left, now)).map(|ms| ms / 1_000);
                counts.oldest_refund_s = counts.oldest_refund_s.max(waits_s);
            }
        }
        counts
    }
}
