//! Thousands of simulated lives of one machine, each with its own faults. `SEEDS=n` runs more,
//! `FROM=n` begins elsewhere, `SEED=n` tells one, `BOARD=name` runs all of them on that board.

#![allow(clippy::panic, reason = "a failing seed ends the test with its story")]
#![allow(clippy::disallowed_methods, reason = "only the rate that is printed comes from this clock")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use vend::sim::world::plan::PROFILES;
use vend::sim::world::{Plan, Run, Story, failure_of, run};

/// For a plain `cargo test`, which builds for debugging: a few seconds. `make test` runs 20,000 in another profile.
const SEEDS: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// The life of a seed, on the board that was asked for.
fn life(seed: u64) -> Plan {
    let wanted = std::env::var("BOARD").ok();
    let board = wanted.as_ref().map(|wanted| {
        let known = PROFILES.into_iter().find(|known| known == wanted);
        known.unwrap_or_else(|| panic!("BOARD={wanted}: the simulated boards are {PROFILES:?}"))
    });
    Plan::of_seed_on(seed, board)
}

#[test]
fn the_promise_holds_in_every_simulated_life() {
    if let Some(seed) = number("SEED") {
        if let Some(story) = failure_of(&life(seed)) {
            panic!("{story}");
        }
        println!("{}", run(&life(seed), Story::told()).story);
        return;
    }
    let (first, seeds) = (number("FROM").unwrap_or(0), number("SEEDS").unwrap_or(SEEDS));
    #[allow(clippy::disallowed_methods, reason = "the rate of the runs, for people; no run sees it")]
    let began = Instant::now();
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let runs: Vec<(u64, Run)> = std::thread::scope(|scope| {
        let worker = || {
            let mut runs = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + seeds {
                    return runs;
                }
                let run = run(&life(seed), Story::default());
                if run.broken.is_some() {
                    next.store(first + seeds, Ordering::Relaxed);
                }
                runs.push((seed, run));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    let sum = |of: fn(&Run) -> usize| runs.iter().map(|(_, run)| of(run)).sum::<usize>();
    let (orders, turns, unknown) = (sum(|run| run.orders), sum(|run| run.turns), sum(|run| run.unknown));
    let (cuts, board_cuts) = (sum(|run| run.cuts), sum(|run| run.board_cuts));
    let seconds = began.elapsed().as_secs_f64();
    let (seeds, rate) = (runs.len(), runs.len() as f64 / seconds);
    let (orders_a_second, cuts_an_order) = (orders as f64 / seconds, cuts as f64 / orders.max(1) as f64);
    println!("{seeds} seeds, {orders} orders, {turns} turns, {unknown} units unknown in {seconds:.1} s");
    println!("{cuts} power cuts, {cuts_an_order:.1} an order, and {board_cuts} of the board alone");
    println!("{rate:.0} seeds a second, {orders_a_second:.0} orders a second");
    let failing = runs.iter().filter(|(_, run)| run.broken.is_some()).map(|(seed, _)| *seed).min();
    if let Some(story) = failing.and_then(|seed| failure_of(&life(seed))) {
        panic!("{story}");
    }
    assert!(turns > orders / 3 && unknown > 0, "the runs exercise nothing");
    assert!(cuts >= 5 * orders, "{cuts_an_order:.1} power cuts an order are too few to prove anything");
}

#[test]
fn one_seed_replays_one_life_byte_for_byte() {
    for seed in 0..40 {
        let plan = Plan::of_seed(seed);
        assert_eq!(run(&plan, Story::told()), run(&plan, Story::told()), "seed {seed}");
    }
}
