//! What the flash must bear: from what the process said to its disk, by strace, every byte of it.

use super::common::command::put;
use super::common::world::World;
use super::page::{self, Table};
use super::process::Look;
use super::trace::{self, Event, What};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// Vends with nothing else near them: a settled mark is written by itself at most 30 s after its vend.
const SPACED: u64 = 3;
const PAUSE: Duration = Duration::from_secs(33);
/// Vends as fast as they go.
const QUEUED: u64 = 200;
/// How long nothing is written.
const IDLE: Duration = Duration::from_secs(60);
/// A usual motor.
const TURN_MS: u64 = 1_500;
/// The card: 8 GB of MLC flash that bears 3,000 erasures, whose controller writes four bytes for one of ours.
const CARD_BYTES: f64 = 8e9;
const ERASURES: f64 = 3_000.0;
const CARD_FACTOR: f64 = 4.0;

/// What was written between two instants, a vend.
#[derive(Debug, Default)]
struct Written {
    syncs: f64,
    bytes: f64,
    /// Each write reaches the disk by itself, since sled writes out what it wrote; in pages of 4 and of 16 KiB.
    pages_4k: f64,
    pages_16k: f64,
}

impl Written {
    fn of(events: &[Event], state: &Path, vends: u64) -> Written {
        let mut all = Written::default();
        for event in events {
            match &event.what {
                What::Sync { path } if path.starts_with(state) => all.syncs += 1.0,
                What::Write { path, offset, bytes } if path.starts_with(state) && !bytes.is_empty() => {
                    let pages = |page: u64| {
                        let last = offset + bytes.len() as u64 - 1;
                        (offset / page..=last / page).collect::<BTreeSet<_>>().len() as f64
                    };
                    all.bytes += bytes.len() as f64;
                    all.pages_4k += pages(4_096);
                    all.pages_16k += pages(16_384);
                }
                _ => {}
            }
        }
        let each = vends as f64;
        let Written { syncs, bytes, pages_4k, pages_16k } = all;
        Written { syncs: syncs / each, bytes: bytes / each, pages_4k: pages_4k / each, pages_16k: pages_16k / each }
    }
}

pub fn write() {
    eprintln!("idle");
    let (idle_bytes, wake_ups) = idle();
    eprintln!("{SPACED} vends far apart");
    let spaced = vends(SPACED, TURN_MS, PAUSE);
    eprintln!("{QUEUED} vends at once");
    let queued = vends(QUEUED, 20, Duration::ZERO);
    let mut text = format!(
        "Idle for {} s after a vend, connected, its board answering: {idle_bytes} bytes written, {wake_ups:.1} \
         wake-ups a second (voluntary context switches of all threads).\n\n",
        IDLE.as_secs()
    );
    let mut table = Table::new(&["a vend", "syncs", "bytes", "pages of 4 KiB", "factor", "pages of 16 KiB", "factor"]);
    for (name, w) in [("far from others", &spaced), ("in a queue", &queued)] {
        let (four, sixteen) = (w.pages_4k * 4_096.0 / w.bytes, w.pages_16k * 16_384.0 / w.bytes);
        let cells = [w.syncs, w.bytes, w.pages_4k, four, w.pages_16k, sixteen].map(|n| format!("{n:.1}"));
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    text += &table.to_string();
    text += "\nA day of vends that are far apart, and a card of 8 GB (MLC, 3,000 erasures, whose controller writes four \
             bytes for one of ours: assumed, no data sheet):\n\n";
    let mut table = Table::new(&[
        "orders a day",
        "syncs",
        "KB",
        "MB in pages of 4 KiB",
        "MB in pages of 16 KiB",
        "years of the card",
    ]);
    for orders in [0.0, 50.0, 500.0] {
        let bytes_16k = orders * spaced.pages_16k * 16_384.0;
        let years = CARD_BYTES * ERASURES / (bytes_16k * CARD_FACTOR) / 365.0;
        table.row([
            format!("{orders:.0}"),
            format!("{:.0}", orders * spaced.syncs),
            format!("{:.0}", orders * spaced.bytes / 1e3),
            format!("{:.2}", orders * spaced.pages_4k * 4_096.0 / 1e6),
            format!("{:.2}", bytes_16k / 1e6),
            if orders > 0.0 { format!("{years:.0}") } else { "not worn by us".to_owned() },
        ]);
    }
    text += &table.to_string();
    page::write("flash", &text);
}

/// Bytes, and wake-ups a second.
fn idle() -> (u64, f64) {
    let mut world = World::start("tcn-00ff");
    world.a_good_order_is_served("1");
    sleep(PAUSE);
    let pid = world.agent().id();
    let before = Look::at(pid);
    sleep(IDLE);
    let after = Look::at(pid);
    (after.write_bytes - before.write_bytes, (after.wake_ups - before.wake_ups) as f64 / IDLE.as_secs_f64())
}

fn vends(count: u64, turn_ms: u64, pause: Duration) -> Written {
    let mut world = World::without_agent("tcn-00ff", |setup| setup.turn_ms = turn_ms);
    let trace = world.path().join("trace");
    world.start_agent_traced(&trace);
    world.wait_for_subscription(1);
    world.a_good_order_is_served("1");
    sleep(PAUSE);
    let warm = fs::read_to_string(&trace).unwrap().len();
    for n in 0..count {
        let order = (100 + n).to_string();
        world.send(put(&order, "1").code(&(n % 60 + 1).to_string()));
        if !pause.is_zero() {
            world.report(&order, "1");
            sleep(pause);
        }
    }
    for n in 0..count {
        world.report(&(100 + n).to_string(), "1");
    }
    world.wait_until_settled();
    let whole = fs::read_to_string(&trace).unwrap();
    let cut = whole[warm..].find('\n').map_or(warm, |at| warm + at + 1);
    let first = whole[..cut].lines().count();
    let events = trace::read(&whole, 0).into_iter().filter(|event| event.began >= first).collect::<Vec<_>>();
    assert_eq!(world.board.turns().len() as u64, count + 1, "each order turned once");
    Written::of(&events, &world.state(), count)
}
