//! The proof that the proof can fail: every clause of every rule is taken out once, and something must notice.
//!
//! What the simulation can see, it must find within [`SEEDS_MAX`] seeds from 0 on. What it cannot see is shown by a
//! test that is named here, and that fails when the clause is out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]

#[path = "common/tree.rs"]
#[allow(dead_code, reason = "the helper reads documents too")]
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;
use vend::sabotage::Clause;
use vend::sim::world::{Broken, Plan, Story, run, run_without};

/// No clause may hide from more seeds than this.
const SEEDS_MAX: u64 = 5_000;
/// A lib test that waits for ever under a switch has noticed it too, after this time.
const TEST_ENDS_WITHIN: Duration = Duration::from_secs(60);

/// What notices that a clause is out.
#[derive(Debug, Clone, Copy)]
enum By {
    /// The simulation, within so many seeds from 0 on.
    Seeds(u64),
    /// A unit test of the library, since the simulated world has no such thing.
    Test(&'static str),
}

use By::{Seeds, Test};

/// Every clause and what notices that it is out.
const TABLE: &[(Clause, By)] = &[];

/// The first seed from 0 on whose run breaks the promise, and how.
fn first_found(clause: Clause, seeds: u64) -> Option<(u64, Broken)> {
    let (next, first) = (AtomicU64::new(0), Mutex::new(None::<(u64, Broken)>));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    if let Some(broken) = run_without(&Plan::of_seed(seed), clause, Story::default()).broken {
                        next.fetch_max(seeds, Ordering::Relaxed);
                        let mut first = first.lock().unwrap();
                        if first.as_ref().is_none_or(|(earlier, _)| seed < *earlier) {
                            *first = Some((seed, broken));
                        }
                    }
                }
            });
        }
    });
    first.into_inner().unwrap()
}

#[test]
fn every_clause_is_in_the_table_once_and_every_rule_has_one() {
    let listed: Vec<Clause> = TABLE.iter().map(|(clause, _)| *clause).collect();
    assert_eq!(listed, Clause::ALL, "the table and the clauses differ");
    for rule in 1..=29 {
        assert!(listed.iter().any(|clause| clause.rule() == rule), "rule {rule} has no clause");
    }
}

#[test]
fn the_simulation_finds_every_clause_that_it_can_see() {
    let mut missed = Vec::new();
    println!("{:>4}  {:<26} {:>5}  what the judge said", "rule", "without", "seed");
    for &(clause, by) in TABLE {
        let Seeds(seeds) = by else { continue };
        assert!(seeds <= SEEDS_MAX, "{}: {seeds} seeds", clause.name());
        let Some((seed, broken)) = first_found(clause, seeds) else {
            println!("{:>4}  {:<26} {:>5}  NOT FOUND in {seeds} seeds", clause.rule(), clause.name(), "-");
            missed.push(clause.name());
            continue;
        };
        println!("{:>4}  {:<26} {seed:>5}  {broken}", clause.rule(), clause.name());
        let whole = run(&Plan::of_seed(seed), Story::default()).broken;
        assert_eq!(whole, None, "seed {seed} fails without sabotage too, so it shows nothing");
    }
    assert!(missed.is_empty(), "not found by the simulation: {missed:?}");
}

/// The library's unit tests as this build made them: every test's full name, and the program that has it.
fn lib_tests() -> (PathBuf, BTreeMap<String, String>) {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let is_ours = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("vend-") && path.extension().is_none()
    };
    let mut programs: Vec<PathBuf> =
        std::fs::read_dir(deps).unwrap().map(|entry| entry.unwrap().path()).filter(|path| is_ours(path)).collect();
    programs.sort_by_key(|path| std::cmp::Reverse(path.metadata().and_then(|meta| meta.modified()).unwrap()));
    for program in programs {
        let list = Command::new(&program).arg("--list").output().unwrap();
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
        let tests: BTreeMap<String, String> =
            names.map(|full| (full.rsplit("::").next().unwrap().to_owned(), full.to_owned())).collect();
        if !tests.is_empty() {
            return (program, tests);
        }
    }
    panic!("the library's unit tests are not built beside this one: use `make sabotage`");
}

/// Whether the test ends well, without this clause or (`None`) with all of them.
fn passes(program: &Path, full_name: &str, without: Option<Clause>) -> bool {
    let mut command = Command::new(program);
    command.args(["--exact", full_name]).stdout(Stdio::null()).stderr(Stdio::null());
    match without {
        Some(clause) => command.env("SABOTAGE", clause.name()),
        None => command.env_remove("SABOTAGE"),
    };
    let mut child = command.spawn().unwrap();
    let id = child.id();
    let (done, ended) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let _ = done.send(());
        child.wait().unwrap().success()
    });
    // The waiter says when it begins; then it ends by itself, or it is ended.
    ended.recv().unwrap();
    let (done, ended) = mpsc::channel();
    let watcher = std::thread::spawn(move || {
        if ended.recv_timeout(TEST_ENDS_WITHIN) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        }
    });
    let passed = waiter.join().unwrap();
    let _ = done.send(());
    watcher.join().unwrap();
    passed
}

#[test]
fn what_the_simulation_cannot_see_is_noticed_by_the_test_that_is_named() {
    let (program, tests) = lib_tests();
    let mut unnoticed = Vec::new();
    println!("{:>4}  {:<26} shown by", "rule", "without");
    for &(clause, by) in TABLE {
        let Test(name) = by else { continue };
        let full_name = tests.get(name).unwrap_or_else(|| panic!("{}: there is no unit test {name}", clause.name()));
        assert!(passes(&program, full_name, None), "{name} fails with all clauses in");
        let noticed = !passes(&program, full_name, Some(clause));
        println!(
            "{:>4}  {:<26} {full_name}{}",
            clause.rule(),
            clause.name(),
            if noticed { "" } else { ": NOT NOTICED" }
        );
        if !noticed {
            unnoticed.push(clause.name());
        }
    }
    assert!(unnoticed.is_empty(), "noticed by nobody: {unnoticed:?}");
}

#[test]
#[ignore]
fn explore() {
    let seeds: u64 = std::env::var("SEEDS").unwrap().parse().unwrap();
    let only = std::env::var("ONLY").unwrap_or_default();
    for &clause in Clause::ALL.iter().filter(|c| only.is_empty() || only.split(',').any(|o| c.name().contains(o))) {
        let began = std::time::Instant::now();
        match first_found(clause, seeds) {
            Some((seed, broken)) => println!("{} {seed} {broken} [{:?}]", clause.name(), began.elapsed()),
            None => println!("{} ---- [{:?}]", clause.name(), began.elapsed()),
        }
    }
}
