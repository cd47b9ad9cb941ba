//! The journal alone over very many orders: does it stay bounded? In memory, since only its size is looked at and a
//! disk's syncs would take days.

use super::page::{self, Curve};
use super::process::size_of;
use std::time::Instant;
use vend::io::journal::{Batch, Opened, Store};

/// As many tombstones as the core keeps.
const KEPT: u64 = vend::core::TOMBSTONES_KEPT as u64;
/// What an order's record has from intent to outcome, and as a tombstone, in bytes (see `encode` in the counts).
const LIVE_BYTES: usize = 300;
const TOMBSTONE_BYTES: usize = 160;
const LEDGER_BYTES: usize = 120;
const SAMPLES: u64 = 200;

pub fn write() {
    let orders = super::number("ORDERS", 1_000_000);
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let state = folder.path().join("state");
    let Opened::Sound { mut store, .. } = Store::open(&state).unwrap() else { panic!("a new journal is sound") };
    let begun = Instant::now();
    let mut points = Vec::new();
    let key = |n: u64| format!("{n:012}\0{}", 1).into_bytes();
    for n in 0..orders {
        let live = || (key(n), vec![n as u8; LIVE_BYTES]);
        let meta = || Some(vec![n as u8; LEDGER_BYTES]);
        store.commit(&Batch { puts: vec![live()], meta: meta(), ..Batch::default() }).unwrap();
        // The tombstone of the order before goes with the outcome of this one.
        let mut puts = vec![live()];
        puts.extend(n.checked_sub(1).map(|before| (key(before), vec![n as u8; TOMBSTONE_BYTES])));
        let removes = n.checked_sub(KEPT).map(key).into_iter().collect();
        store.commit(&Batch { puts, removes, meta: meta() }).unwrap();
        if n % (orders / SAMPLES).max(1) == 0 {
            points.push((n as f64, size_of(&state) as f64 / 1e6));
        }
    }
    let largest = points.iter().map(|p| p.1).fold(0.0, f64::max);
    let second_half = points.iter().filter(|p| p.0 >= orders as f64 / 2.0).map(|p| p.1);
    let (low, high) = second_half.fold((f64::MAX, 0.0_f64), |(low, high), mb| (low.min(mb), high.max(mb)));
    let text = format!(
        "{} orders, two commits each, {} tombstones kept, in {:.0} s on a tmpfs, where a sync costs nothing. Largest \
         {largest:.1} MB; in the second half between {low:.1} and {high:.1} MB.\n\n![size of the journal](journal.svg)\n",
        page::grouped(orders),
        page::grouped(KEPT),
        begun.elapsed().as_secs_f64()
    );
    page::draw("journal", "size of the journal", "orders", "MB", &[Curve { name: "journal".to_owned(), points }]);
    page::write("journal", &text);
}
