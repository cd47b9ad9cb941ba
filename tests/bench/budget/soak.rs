//! Forty days of 500 orders in half an hour, with faults on: does anything drift?
//!
//! Every order leaves a tombstone, and none younger than 30 days goes. So the machine has sold for months when this
//! begins: its journal has as many tombstones as are kept, all older than that, and each new one lets an old one go.

use super::common::command::{checked, now_s, put};
use super::common::http_server::Answer;
use super::common::world::World;
use super::growth::{RECORDS_A_COMMIT, record_of};
use super::machine::Stored;
use super::page::{self, Curve, Table};
use super::process::{Look, size_of};
use std::collections::BTreeSet;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use vend::core::{TOMBSTONE_AGE_MIN_S, TOMBSTONES_KEPT};
use vend::io::journal::{Batch, Opened, Store};
use vend::order::record::{Birth, RecordKey, encode_ledger};
use vend::order::time::UnixMs;

/// The old tombstones last as long: in less time fewer orders are served, in more they come slower.
const ALL_OLD_ONES_GO_IN: Duration = Duration::from_secs(30 * 60);
/// So often the kept tombstones were replaced before this began: the journal's file is as large as it becomes only after
/// it has forgotten as much as it holds (see `journal`).
const LIVES_BEFORE: usize = 3;
/// 500 orders a day.
const SOLD_EVERY_S: u64 = 86_400 / 500;
/// Looked at as often.
const SAMPLE: Duration = Duration::from_secs(5);
/// The first quarter is warming up: what is said of drift begins after it.
const WARM_SHARE: f64 = 0.25;

/// What is read from a sample.
type Figure = fn(&Sample) -> f64;

struct Sample {
    at_s: f64,
    sent: usize,
    look: Look,
    journal_bytes: u64,
}

pub fn write() {
    let minutes = super::number("MINUTES", 30);
    let end = Duration::from_secs(60 * minutes);
    let every = end.max(ALL_OLD_ONES_GO_IN) / u32::try_from(TOMBSTONES_KEPT).unwrap();
    let mut world = World::without_agent("tcn-00ff", |setup| setup.turn_ms = 10);
    sell_before(&world.state());
    world.start_agent();
    world.wait_for_subscription(1);
    // Its line is looked at for a while before anything is driven.
    world.a_good_order_is_served(&order_id(0));
    let pid = world.agent().id();
    let tombstones = |world: &World| world.status()["orders_settled"].as_u64().unwrap();
    let old_ones = tombstones(&world);
    let begun = Instant::now();
    let look = |world: &World, sent| Sample {
        at_s: begun.elapsed().as_secs_f64(),
        sent,
        look: Look::at(pid),
        journal_bytes: size_of(&world.state()),
    };
    let (mut sent, mut samples, mut faults): (usize, Vec<Sample>, u32) = (1, Vec::new(), 0);
    loop {
        let due = every * u32::try_from(sent).unwrap();
        // The last one comes below.
        if due + every >= end {
            break;
        }
        sleep(due.saturating_sub(begun.elapsed()));
        if begun.elapsed() >= SAMPLE * u32::try_from(samples.len()).unwrap() {
            samples.push(look(&world, sent));
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
        // A merchant in a bad mood, once in ten orders; but not after a pause for all of it, which would be an outage.
        if sent.is_multiple_of(10) && world.receiver.has_said_all() {
            world.receiver.will([Answer::status(500)]);
        }
        world.send_when_possible(put(&order_id(sent), "1").code(&(sent % 60 + 1).to_string()));
        sent += 1;
    }
    // Whatever was sent before it has come.
    world.a_good_order_is_served(&order_id(sent));
    sent += 1;
    world.wait_until_settled();
    samples.push(look(&world, sent));
    let turned = world.board.turns().len();
    let told = world.receiver.server.requests().all();
    let reported: BTreeSet<String> =
        told.iter().map(|request| checked(&request.body)["order_id"].to_string()).collect();
    let text = format!(
        "{minutes} minutes, {} orders, {} turns, {} orders reported in {} tries, one in ten refused with 500 at first, \
         {faults} losses of the broker or the port; {} tombstones at the beginning, {} at the end.",
        page::grouped(sent as u64),
        page::grouped(turned as u64),
        page::grouped(reported.len() as u64),
        page::grouped(told.len() as u64),
        page::grouped(old_ones),
        page::grouped(tombstones(&world)),
    );
    tell(&text, &samples);
    // Last: who looks for what went wrong wants the figures.
    assert_eq!((turned, reported.len()), (sent, sent), "turns and reported orders, of those sent");
}

fn order_id(number: usize) -> String {
    format!("s{number:07}")
}

/// A journal as a machine has it that has sold for months, and nothing in the last 30 days.
fn sell_before(state: &Path) {
    let (mut ledger, mut records) =
        Stored { tombstones: LIVES_BEFORE * TOMBSTONES_KEPT, ..Stored::default() }.records();
    let last_s = now_s() - TOMBSTONE_AGE_MIN_S - 86_400;
    let first_s = last_s - SOLD_EVERY_S * records.orders.len() as u64;
    for (n, order) in records.orders.iter_mut().enumerate() {
        let back_s = order.issued_at_s - (first_s + SOLD_EVERY_S * n as u64);
        for time in [&mut order.arrival.wall].into_iter().chain(&mut order.arrival.trusted) {
            time.0 -= 1_000 * back_s;
        }
        order.issued_at_s -= back_s;
        order.drive_until_s -= back_s;
        for report in &mut order.reports {
            report.timestamp_s -= back_s;
        }
    }
    let kept_from = records.orders.len() - TOMBSTONES_KEPT;
    ledger.birth = Birth::At { s: first_s };
    ledger.highest_time = UnixMs::from_seconds(last_s);
    ledger.evicted_issued_at_s = records.orders[kept_from - 1].issued_at_s;
    let meta = encode_ledger(&ledger).unwrap();
    let Opened::Sound { mut store, .. } = Store::open(state).unwrap() else { panic!("a new journal") };
    let chunks: Vec<_> = records.orders.chunks(RECORDS_A_COMMIT).collect();
    for (n, orders) in chunks.iter().enumerate() {
        let gone = n.checked_sub(TOMBSTONES_KEPT / RECORDS_A_COMMIT).map_or(&[][..], |before| chunks[before]);
        let batch = Batch {
            puts: orders.iter().map(record_of).collect(),
            removes: gone.iter().map(|order| RecordKey::Order(order.key.clone()).to_bytes()).collect(),
            meta: Some(meta.clone()),
        };
        store.commit(&batch).unwrap();
    }
}

fn tell(text: &str, samples: &[Sample]) {
    let warm = (samples.len() as f64 * WARM_SHARE) as usize;
    let figures: [(&str, Figure); 5] = [
        ("RSS, KiB", |s| s.look.rss_kb as f64),
        ("of it no file's, KiB", |s| s.look.anon_kb as f64),
        ("descriptors", |s| s.look.descriptors as f64),
        ("threads", |s| s.look.threads as f64),
        ("journal, KB", |s| s.journal_bytes as f64 / 1e3),
    ];
    let mut table = Table::new(&["figure", "after warming up", "at the end", "least", "most", "trend in 1,000 orders"]);
    let mut curves = Vec::new();
    for (name, of) in figures {
        let all: Vec<(f64, f64)> = samples[warm..].iter().map(|s| (s.sent as f64 / 1e3, of(s))).collect();
        let (first, last) = (all[0].1, all[all.len() - 1].1);
        let (least, most) = all.iter().fold((f64::MAX, 0.0_f64), |(low, high), (_, n)| (low.min(*n), high.max(*n)));
        let cells = [first, last, least, most].map(|n| format!("{n:.0}"));
        table.row([name.to_owned()].into_iter().chain(cells).chain([format!("{:+.1}", slope(&all))]));
        let points = samples.iter().map(|s| (s.at_s / 60.0, of(s) / most.max(1.0))).collect();
        curves.push(Curve { name: name.to_owned(), points });
    }
    // The drawing after it, or the commit would be called dirty for that.
    page::write("soak", &format!("{text}\n\n{table}\n![soak](soak.svg)\n"));
    page::draw("soak", "soak: each figure as a share of its most", "minutes", "share", &curves);
}

/// Of the straight line that lies nearest.
fn slope(points: &[(f64, f64)]) -> f64 {
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x_mean, y_mean) = (mean(|p| p.0), mean(|p| p.1));
    let (up, across) = points.iter().fold((0.0, 0.0), |(up, across), (x, y)| {
        (up + (x - x_mean) * (y - y_mean), across + (x - x_mean) * (x - x_mean))
    });
    up / across
}
