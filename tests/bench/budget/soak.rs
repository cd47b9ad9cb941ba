//! A high rate with faults on: does anything drift?

use super::common::command::put;
use super::common::http_server::Answer;
use super::common::world::World;
use super::page::{self, Curve, Table};
use super::process::{Look, size_of};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// So many orders may be on their way at once.
const OPEN_MAX: usize = 30;
/// Looked at as often.
const SAMPLE: Duration = Duration::from_secs(5);
/// The first quarter is warming up: what is said of drift begins after it.
const WARM_SHARE: f64 = 0.25;

/// What is read from a sample.
type Figure = fn(&Sample) -> f64;

struct Sample {
    at_s: f64,
    look: Look,
    journal_bytes: u64,
}

pub fn write() {
    let minutes = super::number("MINUTES", 30);
    let end = Duration::from_secs(60 * minutes);
    // Its turns time out now and then, as the board's faults have it; each is reported, none is repeated.
    let mut world = World::with("tcn-00ff", |setup| setup.turn_ms = 10);
    let pid = world.agent().id();
    let begun = Instant::now();
    let (mut sent, mut samples, mut faults): (usize, Vec<Sample>, u32) = (0, Vec::new(), 0);
    while begun.elapsed() < end {
        // A merchant in a bad mood, once in ten orders.
        if sent.is_multiple_of(10) {
            world.receiver.will([Answer::status(500)]);
        }
        world.send_when_possible(put(&format!("s{sent}"), "1").code(&(sent % 60 + 1).to_string()));
        sent += 1;
        while sent.saturating_sub(world.board.turns().len()) > OPEN_MAX && begun.elapsed() < end {
            sleep(Duration::from_millis(2));
        }
        if samples.len() as f64 * SAMPLE.as_secs_f64() < begun.elapsed().as_secs_f64() {
            let at_s = begun.elapsed().as_secs_f64();
            samples.push(Sample { at_s, look: Look::at(pid), journal_bytes: size_of(&world.state()) });
            // Every few samples something goes away and comes back. The broker not oftener than once in 80 s: connections
            // that live less than a minute, again and again, look like a rival with our id, and we give way to it.
            match samples.len() % 16 {
                2 => {
                    world.broker.kill();
                    world.broker.restart();
                    faults += 1;
                }
                5 | 10 | 15 if world.board.turns().len() == sent => {
                    world.board.unplug();
                    world.board.plug_in();
                    faults += 1;
                }
                _ => {}
            }
        }
    }
    world.wait_until_settled();
    let turned = world.board.turns().len();
    assert!(turned <= sent, "{turned} turns of {sent} orders");
    let told = world.receiver.server.requests().all().len();
    samples.push(Sample {
        at_s: begun.elapsed().as_secs_f64(),
        look: Look::at(pid),
        journal_bytes: size_of(&world.state()),
    });
    tell(minutes, sent, turned, told, faults, &samples);
}

fn tell(minutes: u64, sent: usize, turned: usize, told: usize, faults: u32, samples: &[Sample]) {
    let warm = (samples.len() as f64 * WARM_SHARE) as usize;
    let figures: [(&str, Figure); 5] = [
        ("RSS, KiB", |s| s.look.rss_kb as f64),
        ("of it no file's, KiB", |s| s.look.anon_kb as f64),
        ("descriptors", |s| s.look.descriptors as f64),
        ("threads", |s| s.look.threads as f64),
        ("journal, KB", |s| s.journal_bytes as f64 / 1e3),
    ];
    let mut table = Table::new(&["figure", "after warming up", "at the end", "least", "most"]);
    let mut curves = Vec::new();
    for (name, of) in figures {
        let all: Vec<f64> = samples[warm..].iter().map(of).collect();
        let (first, last) = (all[0], all[all.len() - 1]);
        let (least, most) = all.iter().fold((f64::MAX, 0.0_f64), |(low, high), n| (low.min(*n), high.max(*n)));
        table.row([name.to_owned()].into_iter().chain([first, last, least, most].map(|n| format!("{n:.0}"))));
        let points = samples.iter().map(|s| (s.at_s / 60.0, of(s) / most.max(1.0))).collect();
        curves.push(Curve { name: name.to_owned(), points });
    }
    page::draw("soak", "soak: each figure as a share of its most", "minutes", "share", &curves);
    let text = format!(
        "{minutes} minutes, {} orders, {} turns, {} tries of reports, one in ten refused with 500 at first, {faults} \
         losses of the broker or the port.\n\n{table}\n![soak](soak.svg)\n",
        page::grouped(sent as u64),
        page::grouped(turned as u64),
        page::grouped(told as u64)
    );
    page::write("soak", &text);
}
