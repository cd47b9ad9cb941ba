//! How long orders and reports wait: for people who look at a machine, not for deciding anything.

use super::outbox::host_of;
use crate::order::life::{Order, Unit};
use crate::order::time::{BootId, Now};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Receivers that are named, so that a screen can show them.
const RECEIVERS_MAX: usize = 8;

/// What waits, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The oldest order that has not ended came so long ago, in s.
    pub oldest_order_s: Option<u64>,
    /// The oldest report that somebody has not taken was made so long ago, in s.
    pub oldest_report_s: Option<u64>,
    /// Scheme, host and port to which reports wait, at most 8: never a path, which may hold a token.
    pub receivers: Vec<String>,
    /// Orders with a report in the dead letters.
    pub orders_dead: usize,
}

impl Waiting {
    /// Of these orders. Ages are by boot time within a boot; across one only the wall clock has an opinion.
    pub fn of<'a>(orders: impl IntoIterator<Item = &'a Order>, now: Now, boot_id: BootId) -> Waiting {
        let mut waiting = Waiting::default();
        let mut receivers = BTreeSet::new();
        for order in orders {
            let arrival = &order.arrival;
            let age_s = match arrival.boot_id == boot_id {
                true => now.boot.since_ms(arrival.boot) / 1_000,
                false => now.wall.seconds().saturating_sub(arrival.wall.seconds()),
            };
            let older = |than: Option<u64>, s: u64| than.max(Some(s));
            if order.units.iter().any(|unit| !matches!(unit, Unit::Done(_))) {
                waiting.oldest_order_s = older(waiting.oldest_order_s, age_s);
            }
            for report in &order.reports {
                if report.http.is_open() || report.mqtt.is_open() {
                    // No report is older than its order, however the clock was set meanwhile.
                    let report_s = now.wall.seconds().saturating_sub(report.timestamp_s).min(age_s);
                    waiting.oldest_report_s = older(waiting.oldest_report_s, report_s);
                }
                if report.http.is_open() {
                    receivers.extend(order.notify_url.as_deref().and_then(receiver_of));
                }
            }
            waiting.orders_dead += usize::from(order.has_dead_copy());
        }
        let named = |(scheme, host)| format!("{scheme}://{host}");
        waiting.receivers = receivers.into_iter().take(RECEIVERS_MAX).map(named).collect();
        waiting
    }
}

/// Where a URL leads, scheme and host, without what only its receiver may know. Borrowed: thousands of reports may wait.
fn receiver_of(url: &str) -> Option<(&str, &str)> {
    let (scheme, _) = url.split_once("://")?;
    Some((scheme, host_of(url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_named_without_its_path_and_its_user() {
        assert_eq!(receiver_of("https://shop.example:8443/n?token=1"), Some(("https", "shop.example:8443")));
        assert_eq!(receiver_of("https://user:hush@shop.example/n"), Some(("https", "shop.example")));
        assert_eq!(receiver_of("nonsense"), None);
    }
}
