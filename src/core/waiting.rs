//! How long orders and reports wait: for people who look at a machine, not for deciding anything.

use super::outbox::scheme_and_host;
use super::tally::Tally;
use crate::order::life::Order;
use crate::order::time::{BootId, Now};
use serde::{Deserialize, Serialize};

/// What waits, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The oldest order that has not ended came so long ago, in s.
    pub oldest_order_s: Option<u64>,
    /// The oldest report that somebody has not taken was made so long ago, in s; never longer ago than the oldest order
    /// with such a report came, however the clock was set meanwhile.
    pub oldest_report_s: Option<u64>,
    /// Scheme, host and port to which reports wait, at most 8: never a path, which may hold a token.
    pub receivers: Vec<String>,
    /// Orders with a report in the dead letters.
    pub orders_dead: usize,
}

impl Waiting {
    /// Of these orders. Ages are by boot time within a boot; across one only the wall clock has an opinion.
    pub fn of<'a>(orders: impl IntoIterator<Item = &'a Order>, now: Now, boot_id: BootId) -> Waiting {
        Tally::of(orders, boot_id).waiting(now)
    }
}

/// Where a URL leads, scheme and host, without what only its receiver may know.
pub(super) fn receiver_of(url: &str) -> Option<String> {
    let (scheme, host) = scheme_and_host(url)?;
    Some([scheme, "://", host].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_named_without_its_path_and_its_user() {
        assert_eq!(receiver_of("https://shop.example:8443/n?token=1").as_deref(), Some("https://shop.example:8443"));
        assert_eq!(receiver_of("https://user:hush@shop.example/n").as_deref(), Some("https://shop.example"));
        assert_eq!(receiver_of("nonsense"), None);
    }
}
