//! Sales by where they stand, for whoever looks at the machine from afar.

use crate::core::Core;
use crate::order::sale::{Sale, State};
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
        let sales = &self.sales.all;
        let by_state = sales.states().filter(|(_, count)| *count > 0);
        let refunds = || sales.open().filter(|sale| matches!(sale.state, State::Refunding | State::Owed));
        let waits_ms = |sale: &Sale| self.ms_since(sale.left.as_ref()?, now);
        SaleCounts {
            open: sales.open().count(),
            by_state: by_state.map(|(state, count)| (state.as_str().to_owned(), count)).collect(),
            refunds_due: refunds().count(),
            oldest_refund_s: refunds().filter_map(waits_ms).max().map(|ms| ms / 1_000),
        }
    }
}
