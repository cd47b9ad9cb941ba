//! What is stored, against what a step, the memory and the start cost.

use super::common::record::wait_until;
use super::common::world::World;
use super::counts::instructions;
use super::machine::Stored;
use super::page::{self, Curve, Table};
use super::process::Look;
use super::subjects::Subject;
use std::thread::sleep;
use std::time::{Duration, Instant};
use vend::io::journal::{Batch, Opened, Store};
use vend::order::life::Order;
use vend::order::record::{RecordKey, encode_ledger, encode_order};

/// What is stored, how much of it, and what is looked at.
const KINDS: [(&str, [usize; 4], &[&str]); 3] = [
    ("tombstones", [0, 1_000, 5_000, 20_000], &["wake", "vend", "status"]),
    ("pending orders", [1, 64, 256, 1_000], &["wake", "arrival", "status"]),
    ("stored reports", [0, 1_000, 4_000, 10_000], &["wake", "vend", "status"]),
];
/// Records a commit while a journal is filled; any number would do.
pub const RECORDS_A_COMMIT: usize = 500;
/// Until the agent has told everybody what it found, its memory is not looked at.
const SETTLES: Duration = Duration::from_secs(5);

fn stored(kind: &str, count: usize) -> Stored {
    match kind {
        "tombstones" => Stored { tombstones: count, ..Stored::default() },
        "pending orders" => Stored { pending: count, ..Stored::default() },
        _ => Stored { reports: count, ..Stored::default() },
    }
}

pub fn write() {
    let mut text = String::from("Instructions of one step, by callgrind:\n\n");
    let mut table = Table::new(&["stored", "subject", "least", "", "", "most", "most / least"]);
    let mut curves = Vec::new();
    for (kind, sizes, subjects) in KINDS {
        for name in subjects {
            eprintln!("{kind}: {name}");
            let counts = sizes.map(|size| instructions(Subject::find(name), &stored(kind, size)));
            let cells = sizes
                .iter()
                .zip(counts)
                .map(|(size, n)| format!("{} at {}", page::grouped(n), page::grouped(*size as u64)));
            let ratio = counts[3] as f64 / counts[0].max(1) as f64;
            let row = [kind.to_owned(), (*name).to_owned()].into_iter().chain(cells).chain([format!("{ratio:.2}")]);
            table.row(row);
            let points = sizes
                .iter()
                .zip(counts)
                .map(|(size, n)| (*size as f64 / sizes[3] as f64, n as f64 / counts[0].max(1) as f64));
            curves.push(Curve { name: format!("{kind}: {name}"), points: points.collect() });
        }
    }
    text += &table.to_string();
    let steps: Vec<Curve> = curves.into_iter().filter(|curve| !curve.name.ends_with("status")).take(5).collect();
    page::draw("growth-steps", "a step's instructions against what is stored", "share of the most", "× least", &steps);
    text += "\n![a step's instructions](growth-steps.svg)\n\n\
             The release binary on a journal that holds so much. Its functions do not lie together as in the shipped \
             one, which has some 4,000 KiB less:\n\n";
    let mut table =
        Table::new(&["stored", "count", "RSS, KiB", "of it no file's, KiB", "peak, KiB", "start to subscribed, ms"]);
    let mut curves = Vec::new();
    for (kind, sizes, _) in KINDS {
        let mut points = Vec::new();
        for size in sizes {
            eprintln!("{kind}: {size} in the binary");
            let (look, start_ms) = begin(&stored(kind, size), kind == "pending orders");
            points.push((size as f64 / sizes[3] as f64, look.rss_kb as f64 / 1024.0));
            let figures = [size as u64, look.rss_kb, look.anon_kb, look.peak_kb, start_ms].map(page::grouped);
            table.row([kind.to_owned()].into_iter().chain(figures));
        }
        curves.push(Curve { name: kind.to_owned(), points });
    }
    page::draw("growth-memory", "memory against what is stored", "share of the most", "MiB", &curves);
    text += &table.to_string();
    text += "\n![memory](growth-memory.svg)\n";
    page::write("growth", &text);
}

/// The binary on such a journal, and how long it took to subscribe.
fn begin(stored: &Stored, without_board: bool) -> (Look, u64) {
    let mut world = World::without_agent("tcn-00ff", |_| {});
    if without_board {
        world.board.unplug();
    }
    let (ledger, records) = stored.records();
    let Opened::Sound { mut store, .. } = Store::open(&world.state()).unwrap() else { panic!("a new journal") };
    for orders in records.orders.chunks(RECORDS_A_COMMIT) {
        store.commit(&Batch { puts: orders.iter().map(record_of).collect(), ..Batch::default() }).unwrap();
    }
    store.commit(&Batch { meta: Some(encode_ledger(&ledger).unwrap()), ..Batch::default() }).unwrap();
    drop(store);
    let begun = Instant::now();
    world.start_agent();
    wait_until("subscription", || (world.subscriptions() >= 1).then_some(()));
    let start_ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
    sleep(SETTLES);
    (Look::at(world.agent().id()), start_ms)
}

/// As the core has it written.
pub fn record_of(order: &Order) -> (Vec<u8>, Vec<u8>) {
    (RecordKey::Order(order.key.clone()).to_bytes(), encode_order(order).unwrap())
}
