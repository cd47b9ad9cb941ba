//! What was seen so far, and waiting for what must still come: an event with a generous deadline, never a sleep.

use std::fmt::Debug;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Far more than anything here takes on a busy machine: a few back-offs of some seconds are the longest.
pub const DEADLINE: Duration = Duration::from_secs(40);
/// Between two looks at what cannot wake us (a log file, a child process).
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A growing list that others wait on.
#[derive(Debug)]
pub struct Record<T> {
    items: Mutex<Vec<T>>,
    grown: Condvar,
}

impl<T> Default for Record<T> {
    fn default() -> Self {
        Record { items: Mutex::new(Vec::new()), grown: Condvar::new() }
    }
}

impl<T: Clone + Debug> Record<T> {
    fn items(&self) -> MutexGuard<'_, Vec<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, item: T) {
        self.items().push(item);
        self.grown.notify_all();
    }

    pub fn all(&self) -> Vec<T> {
        self.items().clone()
    }

    /// Forgets what came so far.
    pub fn clear(&self) {
        self.items().clear();
    }

    /// Waits until `found` finds what it looks for among all items so far.
    pub fn wait<R>(&self, what: &str, found: impl Fn(&[T]) -> Option<R>) -> R {
        let end = Instant::now() + DEADLINE;
        let mut items = self.items();
        loop {
            if let Some(result) = found(&items) {
                return result;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what} within {DEADLINE:?}; what came: {items:#?}");
            items = self.grown.wait_timeout(items, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Looks until there is something, or the deadline has come.
pub fn wait_until<R>(what: &str, look: impl FnMut() -> Option<R>) -> R {
    wait_within(DEADLINE, what, look)
}

/// The same with another deadline, for hundreds of processes at once.
pub fn wait_within<R>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<R>) -> R {
    let end = Instant::now() + deadline;
    loop {
        if let Some(result) = look() {
            return result;
        }
        assert!(Instant::now() < end, "no {what} within {deadline:?}");
        sleep(LOOK_EVERY);
    }
}
