//! How long to wait before trying again. Pure: chance comes in as an argument.

/// Exponential back-off with full jitter: anything from 0 to `base_ms` × 2^`attempt`, at most `max_ms`.
///
/// `attempt` counts the failures since the last success, from 0; `random` is any evenly spread number. Spreading
/// over the whole range, and not around its end, keeps a thousand machines that lost the same broker from coming
/// back in waves.
#[must_use]
pub fn full_jitter(attempt: u32, base_ms: u64, max_ms: u64, random: u64) -> u64 {
    let factor = 1_u64.checked_shl(attempt).unwrap_or(u64::MAX);
    let ceiling_ms = base_ms.saturating_mul(factor).min(max_ms);
    match ceiling_ms.checked_add(1) {
        Some(range) => random % range,
        None => random,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_wait_doubles_with_each_attempt_and_stops_at_the_maximum() {
        let longest = |attempt| (0..=2_000).map(|random| full_jitter(attempt, 100, 1_000, random)).max().unwrap();
        assert_eq!([0, 1, 2, 3, 4, 5].map(longest), [100, 200, 400, 800, 1_000, 1_000]);
    }

    #[test]
    fn every_wait_from_nothing_to_the_longest_can_come() {
        let waits: std::collections::BTreeSet<u64> =
            (0..=4_000).map(|random| full_jitter(2, 10, 500, random)).collect();
        assert_eq!(waits, (0..=40).collect());
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        assert_eq!(full_jitter(1_000, 1_000, u64::MAX, 77), 77);
        assert_eq!(full_jitter(63, u64::MAX, 5, 6), 0);
        assert_eq!(full_jitter(5, 0, 1_000, 9), 0);
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_maximum(attempt: u32, base_ms: u64, max_ms: u64, random: u64) {
            prop_assert!(full_jitter(attempt, base_ms, max_ms, random) <= max_ms);
        }
    }
}
