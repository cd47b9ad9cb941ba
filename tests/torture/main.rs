//! Kill loops with the real binary: a real broker, a board of every family on a pty, merchants that note what they
//! hear. The agent is killed at random instants, first alone, then with everything else at once; afterwards the
//! records of board, merchant and platform are held against the promise. `KILLS=n` is how many kills in all,
//! `SEED=n` the choices, `BOARDS=a,b` the boards; `make torture` is the campaign.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "deadlines of tests, and the wall clock of the platform and its receivers"
)]

#[path = "../common/mod.rs"]
mod common;

mod ears;
mod life_log;
mod machine;
mod made_up;
mod merchant;
mod plan;
mod progress;
mod table;
mod verdict;

use machine::{Campaign, Counts, Machine};
use plan::PHASES;
use progress::Progress;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;
use vend::board::profile::Profile;
use vend::io::clock::boot_now;
use verdict::{Broken, Tally, judge};

/// One machine for each, unless `BOARDS` names others: the families whose share of *unknown* has a limit, and the one
/// that remembers nothing.
const PROFILES: [&str; 5] = ["adh814", "adh815", "uling-zdm8", "xy-v3", "tcn-00ff"];
/// Kills in all without `KILLS`: what fits into the share of `make test`.
const KILLS: usize = 20;
/// So many must have hit every phase of a life.
const KILLS_FOR_EVERY_PHASE: usize = 200;
/// After so long a part of the campaign ends with as many kills as there were.
const PART_MS_MAX: u64 = 10 * 60_000;

/// How one machine fared.
pub struct Fared {
    profile: &'static str,
    kills: usize,
    counts: Counts,
    tally: Tally,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// The boards of this campaign: `BOARDS=m102,lock-cu` names built-in profiles.
fn boards() -> Vec<&'static str> {
    let Ok(wanted) = std::env::var("BOARDS") else { return PROFILES.to_vec() };
    let known = |name: &str| Profile::built_in().into_iter().map(|(known, _)| known).find(|known| *known == name);
    wanted.split(',').map(|name| known(name).unwrap_or_else(|| panic!("BOARDS: no profile {name}"))).collect()
}

/// One machine for each board, all at once, each with its share of the kills.
fn campaign(campaign: Campaign, what: &str, kills: usize, seed: u64) {
    let boards = boards();
    let share = kills.div_ceil(boards.len());
    println!("{what}: {} kills, SEED={seed}", share * boards.len());
    let (progress, end_ms) = (Progress::default(), boot_now().0 + PART_MS_MAX);
    let progress = &progress;
    let lives = thread::scope(|scope| {
        scope.spawn(|| progress.tell(what, share * boards.len()));
        let machines: Vec<_> = (seed..)
            .zip(&boards)
            .map(|(seed, &profile)| {
                scope.spawn(move || Machine::new(profile, campaign, seed, progress).live(share, end_ms))
            })
            .collect();
        let ended: Vec<_> = machines.into_iter().map(|machine| machine.join()).collect();
        progress.end();
        ended
    });
    let mut broken: Vec<(&str, Broken)> = Vec::new();
    let mut fared = Vec::new();
    for life in lives {
        let (seen, counts) = life.unwrap_or_else(|panic| resume_unwind(panic));
        let (tally, found) = judge(&seen);
        broken.extend(found.into_iter().map(|broken| (seen.profile, broken)));
        fared.push(Fared { profile: seen.profile, kills: seen.kills_ms.len(), counts, tally });
    }
    println!("{}", table::of(campaign, &fared));
    let broken: Vec<String> = broken.iter().map(|(profile, broken)| format!("{profile}: {broken}")).collect();
    assert!(broken.is_empty(), "SEED={seed}; the promise was broken:\n{}", broken.join("\n"));
    assert!(fared.iter().all(|f| f.kills > 0 && f.tally.turns > 0), "nothing was shown");
    let is_missed = |phase| fared.iter().all(|f| !f.counts.phases.contains_key(phase));
    let missed: Vec<_> = PHASES.iter().filter(|phase| is_missed(phase)).collect();
    assert!(kills < KILLS_FOR_EVERY_PHASE || missed.is_empty(), "SEED={seed}: no kill fell into {missed:?}");
}

/// Both at once would only disturb each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Plays a campaign with its share of the kills, in fifths.
fn play(which: Campaign, what: &str, fifths: usize) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let kills = number("KILLS").map_or(KILLS, |kills| usize::try_from(kills).expect("a number of kills"));
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    campaign(which, what, (kills * fifths).div_ceil(5), seed);
}

#[test]
fn an_agent_that_is_killed_at_any_instant_turns_no_motor_twice_and_loses_no_result() {
    play(Campaign::OnlyKills, "only kills", 3);
}

#[test]
fn nor_does_it_when_broker_board_cable_disk_and_merchant_fail_at_the_same_time() {
    play(Campaign::EverythingAtOnce, "everything at once", 2);
}
