//! Crash states of the real binary: it is recorded under strace while it serves orders, what the disk could hold at
//! each of its calls is rebuilt, and every such state is opened and held against what the world had been told by then.
//!
//! `make test` runs a slice; `make crash` runs the campaign. `STATES`, `RESTARTS`, `LIVES` and `SEED` set its size,
//! `KEEP` names a folder for states that fail.
//!
//! | file | subject |
//! |---|---|
//! | `record` | one life of the real binary, between a real broker, a board and a receiver |
//! | `trace` | what strace wrote, as events |
//! | `disk` | what is durable, what is not, and what a cut may leave of it |
//! | `told` | what the world knew at each call |
//! | `states` | all cuts of a life |
//! | `verdict` | does the journal hold what was told? |
//! | `restart` | the daemon on a cut state; its own life is recorded and cut in its turn |
//! | `failed_sync` | what the kernel still shows of a commit that never reached the disk |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "deadlines of tests, and the wall clock of the platform and its receivers"
)]

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod failed_sync;
mod record;
mod restart;
mod states;
mod told;
mod trace;
mod verdict;

use disk::How;
use record::{Recording, record};
use states::{Life, Tally};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};
use told::Cast;
use trace::{Event, What};

/// Boards whose emulators do exactly what they are told: what a board had done at a call can be rebuilt from the bytes.
const PROFILES: [&str; 4] = ["tcn-00ff", "adh814", "tcn-00ff", "uling-zdm8"];
/// Distinct states that must be judged at least, in the half minute that is this test's share of `make test`.
const STATES: u64 = 60;
/// States drawn for each of them: at most calls little is pending, and most draws are equal. Equal ones cost nothing.
const DRAWS: u64 = 8;
/// States kept for each restart: what is drawn equal is not kept.
const KEPT: usize = 6;
/// Restarts, in the same time.
const RESTARTS: u64 = 8;
/// Orders of a life in `make test`: enough that both halves of the lead are full once.
const ORDERS: u64 = 60;
/// Lives in which a worker mostly waits, so that there may be more workers than cores.
const WORKERS: u64 = 4;
/// No life is begun after this, in minutes.
const MINUTES: u64 = 15;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |t| t.parse().unwrap_or_else(|_| panic!("{name}={t} is not a number")))
}

fn usize_of(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

/// A recorded life: with the quickest board of as many orders as are wanted, with the others, which answer slowly, of
/// a third.
fn one_life(seed: u64, orders: u64) -> Recording {
    let profile = PROFILES[usize_of(seed) % PROFILES.len()];
    let orders = if profile == "tcn-00ff" { orders } else { orders / 3 };
    record(seed, profile, usize_of(orders), 1 + usize_of(orders) / 50)
}

#[test]
fn no_cut_at_any_call_loses_or_doubles_what_the_world_was_told() {
    let (first, lives) = (number("SEED", 0), number("LIVES", 1));
    let (states, restarts) = (number("STATES", STATES), number("RESTARTS", RESTARTS));
    let orders = number("ORDERS", ORDERS);
    let began = Instant::now();
    let end = began + Duration::from_secs(60 * number("MINUTES", MINUTES));
    let (next, total) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    let worker = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + lives || Instant::now() > end {
                return;
            }
            let mut random = fastrand::Rng::with_seed(seed);
            let tell = |what: &str| println!("{:>6.0} s  life {seed}: {what}", began.elapsed().as_secs_f64());
            let mut recording = one_life(seed, orders);
            tell(&format!("{} orders in {} events recorded", recording.cast.orders.len(), recording.events.len()));
            let (segments_used_again, turns) = (recording.segments_used_again(), recording.turns_of_the_lead());
            let of_the_core = recording.commits_of_the_core();
            let mut tally = Tally { segments_used_again, turns, of_the_core, ..Tally::default() };
            let (draws, restarts) = (usize_of((states * DRAWS).div_ceil(lives)), usize_of(restarts.div_ceil(lives)));
            let kept = Life::first(&recording, seed).explore(draws, restarts * KEPT, &mut random, &mut tally);
            tell(&format!("{} states judged", tally.judged.values().sum::<usize>()));
            restart::restart_all(&mut recording, kept, restarts, seed, &mut random, &mut tally);
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            total.add(tally);
            let (distinct, restarts, failures) = (total.distinct.len(), total.restarts, total.failures.len());
            tell(&format!("over; in all {distinct} distinct states, {restarts} restarts, {failures} failures"));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(lives) {
            scope.spawn(worker);
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    total.print();
    println!("in {:.0} s", began.elapsed().as_secs_f64());
    assert!(total.failures.is_empty(), "{}", total.failures.join("\n"));
    assert!(total.distinct.len() >= usize_of(states), "too few states are distinct");
    assert!(
        total.restarts >= usize_of(restarts) && total.dumped > 0 && total.set_aside > 0 && total.in_later_lives > 0
    );
    assert!(total.turns > 1, "no half of the lead was full, so that no cut fell into a batch of sled's");
    assert!(How::ALL.iter().all(|how| total.judged.contains_key(how)));
}

/// A short life, shared by the tests that falsify its trace.
static SHORT_LIFE: LazyLock<(Vec<Event>, Cast, PathBuf)> = LazyLock::new(|| {
    let recording = record(2, "tcn-00ff", 12, 0);
    (recording.events, recording.cast, recording.world.path().to_owned())
});

/// All failures that the judge finds in a falsified trace of the short life.
fn failures_in(falsify: impl FnOnce(Vec<Event>) -> Vec<Event>) -> Vec<String> {
    let (events, cast, root) = &*SHORT_LIFE;
    let events = falsify(events.clone());
    let mut tally = Tally::default();
    let life = Life { events: &events, cast, root: root.clone(), ..Life::nothing(cast) };
    life.explore(150, 0, &mut fastrand::Rng::with_seed(1), &mut tally);
    println!("{} of {} states fail", tally.failures.len(), tally.judged.values().sum::<usize>());
    tally.failures
}

/// The creation ends with the marker, and the sync that follows of its name.
fn after_birth(events: &[Event]) -> usize {
    let begun = |e: &Event| matches!(&e.what, What::Create { path, .. } if path.ends_with("state/journal.created"));
    let marker = events.iter().position(begun).expect("a birth");
    let named = |e: &Event| matches!(&e.what, What::Sync { path } if path.ends_with("state"));
    marker + events[marker..].iter().position(named).expect("a marker that lasts")
}

fn is_of_the_journal(path: &Path) -> bool {
    path.ends_with("state/journal/db") || path.ends_with("state/journal/lead")
}

fn is_sync_of_the_journal(event: &Event) -> bool {
    matches!(&event.what, What::Sync { path } if is_of_the_journal(path))
}

fn is_write_of_the_journal(event: &Event) -> bool {
    matches!(&event.what, What::Write { path, .. } if is_of_the_journal(path))
}

#[test]
fn a_true_trace_of_the_short_life_has_no_failure() {
    assert_eq!(failures_in(|events| events), [""; 0]);
}

#[test]
fn with_its_syncs_cut_from_the_trace_acknowledged_orders_are_lost() {
    let failures = failures_in(|mut events| {
        let birth = after_birth(&events);
        let mut n = 0;
        events.retain(|event| {
            n += 1;
            n <= birth || !matches!(event.what, What::Sync { .. })
        });
        events
    });
    assert!(failures.iter().any(|f| f.contains("was acknowledged and is lost")), "{failures:#?}");
}

#[test]
fn what_is_told_before_its_sync_is_found() {
    let failures = failures_in(|events| {
        let birth = after_birth(&events);
        let (mut late, mut reordered) = (Vec::new(), Vec::new());
        for (n, event) in events.into_iter().enumerate() {
            if n > birth && is_sync_of_the_journal(&event) {
                late.push(event);
                continue;
            }
            if is_write_of_the_journal(&event) {
                reordered.append(&mut late);
            }
            reordered.push(event);
        }
        reordered.append(&mut late);
        reordered
    });
    assert!(failures.iter().any(|f| f.contains("was acknowledged and is lost")), "{failures:#?}");
}

#[test]
fn a_turn_too_many_and_a_turn_that_was_not_told_are_found() {
    let report = |outcomes: &[&str]| {
        let units: Vec<_> = outcomes.iter().map(|o| serde_json::json!({ "outcome": o })).collect();
        serde_json::json!({ "units": units })
    };
    let fits = |turned, quantity, outcomes: &[&str]| restart::turns_fit(turned, quantity, &report(outcomes)).is_ok();
    assert!(fits(2, 2, &["dispensed", "dispensed"]) && fits(0, 1, &["refused"]));
    assert!(fits(1, 2, &["unknown", "refused"]) && fits(0, 2, &["unknown", "refused"]));
    assert!(!fits(2, 1, &["dispensed"]) && !fits(2, 1, &["unknown"]), "a unit turned twice");
    assert!(!fits(1, 1, &["refused"]) && !fits(0, 1, &["dispensed"]), "not what happened");
}

#[test]
fn another_report_under_the_same_sequence_is_found() {
    let (events, cast, _) = &*SHORT_LIFE;
    let mut told = told::Told::default();
    for event in events {
        told.follow(event, cast);
    }
    assert_eq!(told.contradiction, None);
    let post = events.iter().rev().find(|e| matches!(e.what, What::Sent { port, .. } if port == cast.receiver_port));
    let mut post = post.expect("a report").clone();
    let What::Sent { bytes, .. } = &mut post.what else { panic!("it is one") };
    let status = bytes.windows(10).rposition(|w| w == b"\"sequence\"").expect("a field");
    bytes[status - 3] ^= 1;
    told.follow(&post, cast);
    assert!(told.contradiction.is_some(), "another body under the same sequence");
}
