//! How vends ended, by the hour: what a technician looks at first. What is corrected later counts in the hour in which it
//! was not known.

use super::hours::Hours;
use crate::order::outcome::UnitOutcome;
use crate::order::time::BootMs;
use serde::{Deserialize, Serialize};

/// Units whose motor was driven, by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendCounts {
    /// The goods came out, as far as anything tells.
    pub dispensed: u64,
    /// They did not.
    pub failed: u64,
    /// Nobody knows.
    pub unknown: u64,
}

/// One hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendHour {
    /// Full hours of the boot clock ago: 0 is the running one.
    pub hours_ago: u8,
    /// What was counted in it.
    pub counts: VendCounts,
}

/// The vends of the last day.
#[derive(Debug, Default)]
pub(super) struct Vends {
    hours: Hours<VendCounts>,
}

impl Vends {
    pub(super) fn ended(&mut self, now: BootMs, outcome: UnitOutcome) {
        self.hours.count(now, |counts| {
            let count = match outcome {
                UnitOutcome::Dispensed(_) | UnitOutcome::DispensedUnverified => &mut counts.dispensed,
                UnitOutcome::NotDispensed(..) | UnitOutcome::NoDrop | UnitOutcome::Refused(_) => &mut counts.failed,
                UnitOutcome::Unknown => &mut counts.unknown,
            };
            *count = count.saturating_add(1);
        });
    }

    pub(super) fn report(&self, now: BootMs) -> Vec<VendHour> {
        self.hours.newest_first(now).map(|(hours_ago, &counts)| VendHour { hours_ago, counts }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::outcome::Reason;

    #[test]
    fn each_end_of_a_vend_counts_in_its_hour() {
        let at_hour = |hour: u64| BootMs(hour * 3_600_000);
        let mut vends = Vends::default();
        vends.ended(at_hour(3), UnitOutcome::DispensedUnverified);
        vends.ended(at_hour(3), UnitOutcome::NoDrop);
        vends.ended(at_hour(4), UnitOutcome::Unknown);
        vends.ended(at_hour(4), UnitOutcome::Refused(Reason::Expired));
        let counts = |dispensed, failed, unknown| VendCounts { dispensed, failed, unknown };
        let hours: Vec<(u8, VendCounts)> = vends.report(at_hour(5)).iter().map(|h| (h.hours_ago, h.counts)).collect();
        assert_eq!(hours, [(1, counts(0, 1, 1)), (2, counts(1, 1, 0))]);
        assert_eq!(vends.report(at_hour(28)), [], "a day later");
    }
}
