//! Fleets, measured. docs/fleet.md is written by this, a section a word:
//!
//! | word | what |
//! |---|---|
//! | `agents` | `N` real agents with emulated boards at one broker: memory, start, orders, a restart of the broker, idling |
//! | `arrivals` | a million machines come back to a broker that was away, with the shipped back-off in virtual time |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench may panic")]
#![allow(clippy::disallowed_methods, reason = "clocks and pauses of the tests' harness, and the bench's own")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../fleet/hub.rs"]
#[allow(dead_code, reason = "the tests ask more of it")]
mod hub;
#[path = "../fleet/machines.rs"]
#[allow(dead_code, reason = "the tests ask more of it")]
mod machines;
#[path = "../fleet/million.rs"]
mod million;
#[path = "budget/page.rs"]
mod page;
#[path = "budget/process.rs"]
#[allow(dead_code, reason = "the budget looks at more")]
mod process;

use common::agent::VEND_VARIABLE;
use machines::Fleet;
use million::{Storm, play};
use page::{Curve, Table, grouped};
use process::Look;
use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

const DOCUMENT: &str = "fleet.md";
/// Nothing of hundreds of agents on two cores takes longer.
const DEADLINE: Duration = Duration::from_secs(600);
/// How long the idling fleet is watched.
const IDLE: Duration = Duration::from_secs(30);
/// How long the broker is away: its agents' back-off has reached ranges of half a minute.
const OUTAGE: Duration = Duration::from_secs(30);
/// What `/proc/PID/stat` counts in: USER_HZ, the same on every Linux that Debian ships.
const TICKS_A_SECOND: f64 = 100.0;
/// Between two looks at the broker's log.
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match words.first().map(String::as_str) {
        Some("agents") => agents(number("N", 200)),
        Some("arrivals") => arrivals(number("MACHINES", 1_000_000)),
        _ => println!("say agents or arrivals: make fleet, make fleet-arrivals"),
    }
}

/// A number from the environment.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Proportional set size of a process, in KiB: pages that are shared count in parts.
fn pss_kb(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Processor seconds of a process so far.
fn cpu_s(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_A_SECOND
}

/// Least, middle and most of some figures.
fn spread(mut all: Vec<u64>) -> String {
    all.sort_unstable();
    format!("{} / {} / {}", grouped(all[0]), grouped(all[all.len() / 2]), grouped(all[all.len() - 1]))
}

/// Seconds from `begun` until each machine was subscribed for the so-manieth time, in order.
fn times_of_return(fleet: &Fleet, begun: Instant, times: usize) -> Vec<f64> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut at_s = Vec::new();
    while seen.len() < fleet.machines.len() {
        assert!(begun.elapsed() < DEADLINE, "only {} of {} came", seen.len(), fleet.machines.len());
        for (machine_no, count) in fleet.subscriptions() {
            let is_ours = fleet.machines.iter().any(|m| m.machine_no == machine_no);
            if is_ours && count >= times && seen.insert(machine_no) {
                at_s.push(begun.elapsed().as_secs_f64());
            }
        }
        sleep(LOOK_EVERY);
    }
    at_s
}

fn agents(count: usize) {
    let mut fleet = Fleet::new(count);
    let begun = Instant::now();
    fleet.start_agents();
    let started = times_of_return(&fleet, begun, 1);
    let pids: Vec<u32> = fleet.machines.iter().map(machines::Machine::id).collect();

    let begun = Instant::now();
    fleet.order_from_all();
    fleet.order_from_all();
    fleet.every_order_ends_once(DEADLINE);
    let served_s = begun.elapsed().as_secs_f64();

    let (cpu, broker_cpu) = (|| pids.iter().map(|pid| cpu_s(*pid)).sum::<f64>(), cpu_s(fleet.broker.id()));
    let (before, idle_from) = (cpu(), Instant::now());
    sleep(IDLE);
    let idle_s = idle_from.elapsed().as_secs_f64();
    let (idle_cpu, broker_cpu) = ((cpu() - before) / idle_s, (cpu_s(fleet.broker.id()) - broker_cpu) / idle_s);
    let looks: Vec<Look> = pids.iter().map(|pid| Look::at(*pid)).collect();
    let pss: Vec<u64> = pids.iter().map(|pid| pss_kb(*pid)).collect();
    let (broker_look, pss_all) = (Look::at(fleet.broker.id()), pss.iter().sum::<u64>());

    fleet.broker.kill();
    sleep(OUTAGE);
    fleet.broker.restart();
    let begun = Instant::now();
    let back = times_of_return(&fleet, begun, 2);
    fleet.order_from_all();
    let failed = fleet.every_order_ends_once(DEADLINE);

    let curve = |at_s: &[f64]| {
        let steps = at_s.iter().enumerate().map(|(n, at)| (*at, (n + 1) as f64));
        std::iter::once((0.0, 0.0)).chain(steps).collect::<Vec<_>>()
    };
    page::draw(
        "fleet",
        &format!("{count} agents: subscribed after the start, and after {} s without a broker", OUTAGE.as_secs()),
        "seconds",
        "machines",
        &[
            Curve { name: "since all were started".to_owned(), points: curve(&started) },
            Curve { name: "since the broker came back".to_owned(), points: curve(&back) },
        ],
    );
    let build = match std::env::var_os(VEND_VARIABLE) {
        Some(path) if path.to_string_lossy().contains("/release/") => "the shipped build",
        _ => "a debug build: sled that is not optimised touches 21 MB more than the shipped one (docs/budget.md)",
    };
    let mut table = Table::new(&["figure", "measured"]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("agents", format!("{count}, {build}"));
    row("RSS of one, KiB: least / middle / most", spread(looks.iter().map(|l| l.rss_kb).collect()));
    row("of it what no file backs, KiB", spread(looks.iter().map(|l| l.anon_kb).collect()));
    row("PSS of one, KiB", spread(pss));
    row("PSS of all, MiB", grouped(pss_all / 1_024));
    row("threads of one", spread(looks.iter().map(|l| l.threads).collect()));
    row("descriptors of one", spread(looks.iter().map(|l| l.descriptors).collect()));
    row("all started at once, all subscribed after", format!("{:.1} s", started[started.len() - 1]));
    row("two orders each, all at once: all ended, told over HTTP and MQTT after", format!("{served_s:.1} s"));
    row("processor while idle, all agents together", format!("{:.1} % of a core", idle_cpu * 100.0));
    row("the same for one agent", format!("{:.3} % of a core", idle_cpu * 100.0 / count as f64));
    row(
        "the broker: processor while idle, RSS",
        format!("{:.1} %, {} KiB", broker_cpu * 100.0, grouped(broker_look.rss_kb)),
    );
    let away = OUTAGE.as_secs();
    let (half, last) = (back[back.len() / 2], back[back.len() - 1]);
    row(&format!("after {away} s without a broker: half are back, all are back"), format!("{half:.1} s, {last:.1} s"));
    row("orders in all, each with one result, none with two turns", grouped(3 * count as u64));
    let mut kinds = std::collections::BTreeMap::new();
    for kind in failed {
        *kinds.entry(kind).or_insert(0) += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|((board, how), count)| format!("{count} {how} on {board}")).collect();
    row(
        "of these not dispensed, for all the boards run on this computer too",
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ").replace('"', "") },
    );
    page::write_into(DOCUMENT, "agents", &format!("{table}\n![agents](fleet.svg)\n"));
}

fn arrivals(machines: usize) {
    let machines = u32::try_from(machines).expect("at most 4 billion");
    let mut table = Table::new(&[
        "broker away",
        "it takes a second",
        "most tries a second while away",
        "most tries a second since it is back",
        "half are back after",
        "99 % after",
        "all after",
    ]);
    let (mut tries, mut back) = (Vec::new(), Vec::new());
    for outage_s in [5, 60, 600] {
        for accepts_per_s in [1_000, 10_000, 100_000] {
            let told = play(Storm { machines, outage_s, accepts_per_s, jitter: true, seed: 1 });
            let minutes = |s: usize| if s < 120 { format!("{s} s") } else { format!("{:.0} min", s as f64 / 60.0) };
            table.row([
                format!("{outage_s} s"),
                grouped(accepts_per_s),
                grouped(told.peak_away().into()),
                grouped(told.peak().into()),
                minutes(told.back_after_s(0.5)),
                minutes(told.back_after_s(0.99)),
                minutes(told.back.len()),
            ]);
            if outage_s == 60 {
                let name = format!("{} a second", grouped(accepts_per_s));
                let since = told.tries[told.returned_at_s..].iter().enumerate();
                let points = since.map(|(s, n)| (s as f64 / 60.0, f64::from(*n)));
                // A quarter of an hour shows all that differs.
                let points = points.take_while(|(minute, _)| *minute <= 15.0).collect();
                tries.push(Curve { name: name.clone(), points });
                let mut sum = 0.0;
                let share = told.back.iter().enumerate().map(|(s, n)| {
                    sum += f64::from(*n) / f64::from(machines);
                    (s as f64 / 60.0, sum)
                });
                back.push(Curve { name, points: share.collect() });
            }
        }
    }
    let title = |what: &str| format!("{} machines, the broker was away for 60 s: {what}", grouped(machines.into()));
    page::draw("fleet-tries", &title("tries a second"), "minutes since it is back", "tries", &tries);
    page::draw("fleet-back", &title("share that is back"), "minutes since it is back", "share", &back);
    let text = format!("{table}\n![tries](fleet-tries.svg)\n\n![back](fleet-back.svg)\n");
    page::write_into(DOCUMENT, "arrivals", &text);
}
