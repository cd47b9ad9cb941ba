//! What the agent costs: time, instructions, memory and flash. `docs/budget.md` is written by this, a section a word:
//!
//! | word | what |
//! |---|---|
//! | none | timings of the pure parts and of a commit, by divan; the document is left alone |
//! | `counts` | instructions of the pure parts, by callgrind: the same on every run |
//! | `growth` | what is stored against instructions of a step, memory, time to start |
//! | `flash` | bytes and syncs a vend and a day, a card's years |
//! | `journal` | the journal's size over `ORDERS` orders |
//! | `soak` | `MINUTES` at a high rate with faults |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench may panic")]
#![allow(clippy::disallowed_methods, reason = "clocks and pauses of the tests' harness, and the bench's own")]

#[path = "../../common/mod.rs"]
mod common;
mod counts;
mod flash;
mod growth;
mod journal;
mod machine;
mod page;
mod process;
mod soak;
mod subjects;
#[path = "../../crash/told.rs"]
#[allow(dead_code, reason = "the trace's reader names what it tells")]
mod told;
#[path = "../../crash/trace.rs"]
#[allow(dead_code, reason = "only writes and syncs are looked at")]
mod trace;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match words.first().map(String::as_str) {
        Some("counts") => counts::write(),
        Some("growth") => growth::write(),
        Some("flash") => flash::write(),
        Some("journal") => journal::write(),
        Some("soak") => soak::write(),
        // What callgrind runs.
        Some("repeat") => subjects::repeat(&words[1..]),
        _ => divan::main(),
    }
}

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[divan::bench(args = &subjects::ALL)]
fn alone(bencher: divan::Bencher<'_, '_>, subject: &subjects::Subject) {
    let mut run = subject.prepare(&machine::Stored::default());
    bencher.bench_local(&mut run);
}
