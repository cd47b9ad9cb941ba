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
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "deadlines of tests, and the wall clock of the platform and its receivers"
)]

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod record;
mod restart;
mod states;
mod told;
mod trace;
mod verdict;

use record::{Recording, record};
use states::{Life, Tally};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use trace::{Event, What};

/// Boards whose emulators do exactly what they are told: what a board had done at a call can be rebuilt from the bytes.
const PROFILES: [&str; 4] = ["tcn-00ff", "adh814", "tcn-00ff", "uling-zdm8"];

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |t| t.parse().unwrap_or_else(|_| panic!("{name}={t} is not a number")))
}

fn one_life(seed: u64, orders: usize, kills: usize) -> Recording {
    let profile = PROFILES[usize::try_from(seed).unwrap() % PROFILES.len()];
    record(seed, profile, orders, kills)
}

#[test]
fn probe() {
    let t = Instant::now();
    let mut recording = one_life(0, 30, 1);
    eprintln!("recorded {:?} {} events", t.elapsed(), recording.events.len());
    let mut random = fastrand::Rng::with_seed(1);
    let mut tally = Tally::default();
    let t = Instant::now();
    let states = Life::first(&recording, 0).explore(number("STATES", 400), 40, &mut random, &mut tally);
    eprintln!("explored {:?}", t.elapsed());
    tally.print();
    for f in tally.failures.iter().take(5) { eprintln!("{f}"); }
    let t = Instant::now();
    restart::restart_all(&mut recording, states, number("RESTARTS", 10), 0, &mut random, &mut tally);
    eprintln!("restarted {:?}", t.elapsed());
    tally.print();
    for f in tally.failures.iter().take(5) { eprintln!("{f}"); }
}
