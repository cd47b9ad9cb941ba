//! What has happened so far, on all machines, for whoever watches.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// Counts of all machines together.
#[derive(Debug, Default)]
pub struct Progress {
    kills: AtomicUsize,
    orders: AtomicUsize,
    turns: AtomicUsize,
    done: AtomicBool,
}

impl Progress {
    pub fn killed(&self) {
        self.kills.fetch_add(1, Ordering::Relaxed);
    }

    pub fn ordered(&self) {
        self.orders.fetch_add(1, Ordering::Relaxed);
    }

    pub fn turned(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// The last line was written.
    pub fn end(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// A line every ten seconds until [`Progress::end`].
    pub fn tell(&self, what: &str, kills: usize) {
        for second in 1_u64.. {
            sleep(Duration::from_secs(1));
            if self.done.load(Ordering::Relaxed) {
                return;
            }
            if second.is_multiple_of(10) {
                let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
                let (killed, orders, turns) = (count(&self.kills), count(&self.orders), count(&self.turns));
                println!("{what}: {second} s, {killed} of {kills} kills, {orders} orders, {turns} turns");
            }
        }
    }
}
