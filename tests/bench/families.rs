//! How long the agent itself takes, for each protocol family: from the durable intent to the first byte of the motor
//! command, and from the board's last byte to the durable outcome. The shipped binary with a real broker and disk, an
//! emulated board on a pty; what a board makes the agent wait for (its polls, its idle question) is in the figures.
//! `VENDS=n` is how many vends each. The instants are those of the agent's own log at its finest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench may panic")]
#![allow(clippy::disallowed_methods, reason = "receivers and deadlines of the tests' harness")]

#[path = "../common/mod.rs"]
mod common;

use comfy_table::Table;
use common::command::put;
use common::world::World;
use std::collections::BTreeMap;
use std::path::Path;
use vend::board::profile::Profile;

const VENDS: u32 = 40;
const TURN_MS: u64 = 150;
const LOG: &str = "info,vend=trace";
const DAY_US: u64 = 86_400_000_000;

/// One line of the agent's log.
struct Noted<'a> {
    /// Since midnight.
    at_us: u64,
    what: &'a str,
    line: &'a str,
}

fn noted(line: &str) -> Option<Noted<'_>> {
    let (time, _) = line.split_once('Z')?;
    let (_, time) = time.split_once('T')?;
    let mut parts = time.splitn(3, ':');
    let mut whole = || parts.next()?.parse::<f64>().ok();
    let seconds = whole()? * 3_600.0 + whole()? * 60.0 + whole()?;
    let (_, rest) = line.split_once("what=\"")?;
    Some(Noted { at_us: (seconds * 1e6).round() as u64, what: rest.split_once('"')?.0, line })
}

/// What one family needed, in µs.
#[derive(Default)]
struct Times {
    to_first_byte: Vec<u64>,
    to_durable_outcome: Vec<u64>,
}

fn times(log: &str) -> Times {
    let mut times = Times::default();
    let (mut durable, mut read, mut told) = (None, None, None);
    let since = |then: u64, now: u64| (now + DAY_US - then) % DAY_US;
    for Noted { at_us, what, line } in log.lines().filter_map(noted) {
        match what {
            "durable" => {
                durable = Some(at_us);
                times.to_durable_outcome.extend(told.take().map(|then| since(then, at_us)));
            }
            "wrote" if line.contains("intent=") => {
                times.to_first_byte.extend(durable.take().map(|then| since(then, at_us)));
            }
            "read" => read = Some(at_us),
            "unit" => told = read,
            _ => {}
        }
    }
    times
}

fn vend(profile: &'static str, vends: u32) -> Times {
    let mut world = World::without_agent(profile, |setup| setup.turn_ms = TURN_MS);
    world.start_agent_logging(LOG);
    world.wait_for_subscription(1);
    let text = Profile::find(profile, Path::new(".")).expect("a built-in profile");
    let first = text.slots.first.max(1);
    let slots = text.slots.last - first + 1;
    for n in 0..vends {
        let order = (10_000 + n).to_string();
        let slot = first + u16::try_from(n).unwrap() % slots;
        world.send(put(&order, "1").code(&slot.to_string()));
        world.report(&order, "1");
    }
    assert_eq!(world.stop_agent().code(), Some(0), "{profile}");
    times(&world.log())
}

fn middle_and_worst(mut us: Vec<u64>) -> [String; 2] {
    us.sort_unstable();
    let ms = |us: Option<&u64>| us.map_or("-".to_owned(), |us| format!("{:.2}", *us as f64 / 1e3));
    [ms(us.get(us.len() / 2)), ms(us.last())]
}

fn main() {
    let vends = std::env::var("VENDS").map_or(VENDS, |n| n.parse().expect("VENDS is a number"));
    // The first profile of each family stands for it.
    let mut families: BTreeMap<String, &'static str> = BTreeMap::new();
    for (name, text) in Profile::built_in() {
        let profile = Profile::parse(name, text).expect("a built-in profile");
        let family = serde_json::to_value(profile.family).expect("a word").as_str().expect("a word").to_owned();
        families.entry(family).or_insert(name);
    }
    let mut table = Table::new();
    table.set_header([
        "family",
        "profile",
        "vends",
        "intent durable to first byte: median, ms",
        "longest",
        "last byte to outcome durable: median, ms",
        "longest",
    ]);
    for (family, profile) in families {
        eprintln!("{family}: {vends} vends on {profile}");
        let Times { to_first_byte, to_durable_outcome } = vend(profile, vends);
        assert!(to_first_byte.len() == vends as usize, "{profile}: {} commands", to_first_byte.len());
        let count = vends.to_string();
        let [first, first_longest] = middle_and_worst(to_first_byte);
        let [outcome, outcome_longest] = middle_and_worst(to_durable_outcome);
        table.add_row([family, profile.to_owned(), count, first, first_longest, outcome, outcome_longest]);
    }
    println!("{table}");
}
