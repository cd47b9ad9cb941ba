//! The jitter of the back-off spreads what comes back.

use crate::million::{Return, Storm, play};
use proptest::prelude::*;
use vend::io::broker::retry::MAX_MS;

const MACHINES: u32 = 100_000;
/// The back-off has reached its longest range, and the machines have mixed.
const LONG_OUTAGE_S: u64 = 600;
/// More than all of them in one second: nobody is refused.
const ALL_AT_ONCE: u64 = 1_000_000_000;
/// Chance may put so much more into one second than there is on the average: more than twenty standard deviations of
/// some 1,700 arrivals.
const LUCK: f64 = 1.5;

fn storm(jitter: bool, seed: u64) -> Storm {
    Storm { machines: MACHINES, outage_s: LONG_OUTAGE_S, accepts_per_s: ALL_AT_ONCE, jitter, seed }
}

/// Pauses are spread over 0…MAX, MAX/2 on the average. Whoever looks at a broker that comes back at any instant meets each
/// machine twice in MAX: so many arrivals a second, at most.
fn bound() -> f64 {
    f64::from(MACHINES) * 2.0 / (MAX_MS as f64 / 1_000.0) * LUCK
}

fn all_are_back(told: &Return) {
    assert_eq!(told.back.iter().sum::<u32>(), MACHINES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn no_second_sees_more_arrivals_than_the_back_off_allows(seed: u64) {
        let told = play(storm(true, seed));
        all_are_back(&told);
        prop_assert!(f64::from(told.peak()) <= bound(), "{} arrivals in a second, {} allowed", told.peak(), bound());
        // Nobody waits longer than the longest pause.
        prop_assert!(told.back.len() <= (MAX_MS / 1_000 + 1) as usize, "{} s", told.back.len());
    }
}

#[test]
fn without_jitter_all_come_in_one_second_and_the_bound_notices_it() {
    let told = play(storm(false, 1));
    all_are_back(&told);
    assert_eq!(told.peak(), MACHINES);
    assert!(f64::from(told.peak()) > bound());
}

#[test]
fn a_broker_that_takes_few_at_a_time_gets_them_all_as_fast_as_it_can() {
    let accepts_per_s = 500;
    let told = play(Storm { accepts_per_s, ..storm(true, 2) });
    all_are_back(&told);
    // While more are away than its pace times the mean pause, somebody stands at the door in every step.
    let full_s = u64::from(MACHINES) / accepts_per_s - MAX_MS / 1_000;
    let full = &told.back[..full_s as usize];
    assert!(full.iter().all(|n| u64::from(*n) == accepts_per_s), "{full:?}");
    assert!(f64::from(told.peak()) <= bound(), "who is refused comes back spread, too: {}", told.peak());
}
