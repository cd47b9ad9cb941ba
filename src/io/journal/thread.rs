//! The thread that commits: batches in, in order; events out. It never waits for the core between a batch and its
//! sync, and on an idle machine it sleeps without a timer.

use super::damage::CommitError;
use super::store::{Batch, FREE_BYTES_MIN, Store};
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Sleep, sleep};

/// How long after a commit the second file learns of it, when no batch waits: half of the second that rule 3 allows.
/// A vend commits before the motor turns and after; this falls between, while it turns.
const SECOND_FILE_LAG: Duration = Duration::from_millis(500);
/// How often the space is looked at while it is low. While there is enough, commits look.
const LOW_SPACE_PAUSE: Duration = Duration::from_secs(5);

/// What the journal's thread tells the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEvent {
    /// The batch with this number is durable.
    Committed(u64),
    /// It is not, or not for certain, nor will any batch after it be: stop, and end the process (order-life, rule 7).
    Failed {
        /// The batch; None when the second file failed.
        id: Option<u64>,
        /// What happened.
        error: CommitError,
    },
    /// Whether there is space for new orders; told at the start and at each change.
    Space {
        /// At least [`FREE_BYTES_MIN`].
        enough: bool,
        /// Bytes that are free; 0 when the file system does not say.
        free_bytes: u64,
    },
}

/// Starts the thread. It ends when either channel is closed, and closes the store.
///
/// # Errors
/// When the system has no thread or timer for us.
pub fn spawn(store: Store, batches: Receiver<(u64, Batch)>, done: Sender<JournalEvent>) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
        // The core left: there is nobody to tell.
        let _ = runtime.block_on(Committer { store, done, low: None, lag: None }.run(batches));
    })
}

/// The core left.
struct Gone;

struct Committer {
    store: Store,
    done: Sender<JournalEvent>,
    /// What was told about the space.
    low: Option<bool>,
    /// Set while the second file is behind.
    lag: Option<Pin<Box<Sleep>>>,
}

impl Committer {
    async fn run(mut self, mut batches: Receiver<(u64, Batch)>) -> Result<(), Gone> {
        self.look_at_space().await?;
        loop {
            let low = self.low == Some(true);
            tokio::select! {
                // The second file first, or an endless queue would keep it behind for ever.
                biased;
                () = due(&mut self.lag) => self.write_second().await?,
                batch = batches.recv() => match batch {
                    Some((id, batch)) => self.commit(id, &batch).await?,
                    None => return Ok(()),
                },
                () = sleep(LOW_SPACE_PAUSE), if low => self.look_at_space().await?,
            }
        }
    }

    async fn commit(&mut self, id: u64, batch: &Batch) -> Result<(), Gone> {
        // Room before, so that nothing is waited for between the disk and the core.
        let room = self.done.reserve().await.map_err(|_| Gone)?;
        let durable = || {
            room.send(JournalEvent::Committed(id));
            tracing::trace!(what = "durable", id);
        };
        if let Err(error) = self.store.commit_and_tell(batch, durable) {
            self.tell(JournalEvent::Failed { id: Some(id), error }).await?;
        }
        if self.lag.is_none() && self.store.second_is_behind() {
            self.lag = Some(Box::pin(sleep(SECOND_FILE_LAG)));
        }
        self.look_at_space().await
    }

    async fn write_second(&mut self) -> Result<(), Gone> {
        self.lag = None;
        match self.store.write_second() {
            Ok(()) => Ok(()),
            Err(error) => self.tell(JournalEvent::Failed { id: None, error }).await,
        }
    }

    async fn look_at_space(&mut self) -> Result<(), Gone> {
        let free_bytes = self.store.free_bytes().unwrap_or_else(|e| {
            tracing::warn!("cannot tell how much space is free: {e}");
            0
        });
        let low = free_bytes < FREE_BYTES_MIN;
        if self.low.replace(low) == Some(low) {
            return Ok(());
        }
        self.tell(JournalEvent::Space { enough: !low, free_bytes }).await
    }

    async fn tell(&self, event: JournalEvent) -> Result<(), Gone> {
        self.done.send(event).await.map_err(|_| Gone)
    }
}

/// Waits for a timer that is set, for ever for one that is not.
async fn due(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => pending().await,
    }
}
