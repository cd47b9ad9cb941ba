//! Who commits: a thread of its own, which waits for the disk, and beside it, while the disk is quick, whoever has nothing
//! better to do meanwhile ([`Here`]). The thread also gives sled what a full half of the lead holds; a commit beside it waits at
//! most for a lookup in sled. A new journal's sled is made beside both. The thread never waits for the core between a
//! batch and its sync, and on an idle machine it sleeps without a timer.

use super::birth::NotMade;
use super::damage::{CommitError, OpenError};
use super::database::Database;
use super::store::{Batch, FREE_BYTES_MIN, Reach, Store};
use crate::order::said::Said;
use std::future::{pending, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Sleep, sleep};

/// How long after a commit the second file learns of it, when no batch waits: half of the second that rule 3 allows.
/// A vend commits before the motor turns and after; this falls between, while it turns.
const SECOND_FILE_LAG: Duration = Duration::from_millis(500);
/// How long after a birth sled is made, when nothing wants it earlier: by then the machine is in touch with its cloud.
const SLED_LAG: Duration = Duration::from_secs(1);
/// When it is tried again, after something stood in the way.
const SLED_PAUSE: Duration = Duration::from_secs(60);
/// How often the space is looked at while it is low. While there is enough, commits look.
const LOW_SPACE_PAUSE: Duration = Duration::from_secs(5);

/// What the journal tells the core.
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

/// Starts the thread. It ends when either channel is closed, and closes the store when nobody can commit beside it either.
///
/// # Errors
/// When the system has no thread or timer for us.
pub fn spawn(
    store: Store,
    batches: Receiver<(u64, Batch)>,
    done: Sender<JournalEvent>,
) -> io::Result<(std::thread::JoinHandle<()>, Here)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let shared = Arc::new(Shared { desk: Mutex::new(Desk { store, is_minded: false }), left: Notify::new() });
    let here = Here { shared: Arc::clone(&shared), has_left_something: false, was_quick: false };
    let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
        // The core left: there is nobody to tell.
        let _ = runtime.block_on(Committer { shared, done, low: None, lag: None, sled: Sled::Made }.run(batches));
    })?;
    Ok((thread, here))
}

/// What both commit to. One commit is under way at a time, and a batch of sled's is made away from the desk, but for a moment's
/// coincidence with the second file; nor is sled made there. So nobody waits long for it: the thread for a commit beside it, and
/// that one for nothing.
#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    /// A commit beside the thread left something to it.
    left: Notify,
}

#[derive(Debug)]
struct Desk {
    store: Store,
    /// The thread knows that the second file is behind.
    is_minded: bool,
}

impl Desk {
    /// Whether the second file is behind, for the thread, which knows it from now on.
    fn mind_the_second(&mut self) -> bool {
        self.is_minded = self.store.second_is_behind();
        self.is_minded
    }

    fn write_second(&mut self) -> Result<(), CommitError> {
        self.is_minded = false;
        self.store.write_second()
    }
}

/// Commits on the caller's own thread: two changes of threads less on the way of a vend, and a caller that does nothing
/// else until the disk has answered.
#[derive(Debug)]
pub struct Here {
    shared: Arc<Shared>,
    has_left_something: bool,
    was_quick: bool,
}

impl Here {
    /// Makes a batch durable, and says what the thread would have said. None when it is the thread's: while the disk is
    /// not known to be quick, when sled must have the batch, or when the thread is at it with the second file.
    pub fn commit(&mut self, id: u64, batch: &Batch) -> Option<JournalEvent> {
        let mut desk = self.shared.desk.try_lock().ok()?;
        if !desk.store.is_quick() {
            return None;
        }
        let committed = desk.store.commit_within(Reach::Lead, batch, || {});
        self.was_quick = desk.store.is_quick();
        match committed {
            Ok(true) => {
                self.has_left_something |= !desk.is_minded || desk.store.is_half_full();
                desk.is_minded = true;
                tracing::trace!(what = "durable", id);
                Some(JournalEvent::Committed(id))
            }
            Ok(false) => None,
            Err(error) => Some(JournalEvent::Failed { id: Some(id), error }),
        }
    }

    /// The thread has left the desk, and the disk is known to be so quick, whatever it was just now.
    #[cfg(test)]
    pub(super) fn take_the_disk_for(&self, disk: super::disk::Disk) {
        self.shared.desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner).store.take_the_disk_for(disk);
    }

    /// The last commit made here took no longer than those before it: what was known then holds now.
    #[must_use]
    pub const fn was_quick(&self) -> bool {
        self.was_quick
    }

    /// The thread has yet to give sled a half of the lead.
    #[cfg(test)]
    pub(super) fn is_half_full(&self) -> bool {
        self.shared.desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner).store.is_half_full()
    }

    /// Wakes the thread for what a commit here left to it, if it does not know yet: sled's batch, the second file, and how
    /// much space is left. It costs a moment, so it comes after what the commit was for.
    pub fn leave_the_rest(&mut self) {
        if std::mem::take(&mut self.has_left_something) {
            self.shared.left.notify_one();
        }
    }
}

/// The core left, or died with the desk in its hands.
struct Gone;

struct Committer {
    shared: Arc<Shared>,
    done: Sender<JournalEvent>,
    /// What was told about the space.
    low: Option<bool>,
    /// Set while the second file is behind.
    lag: Option<Pin<Box<Sleep>>>,
    sled: Sled,
}

/// What becomes of sled.
enum Sled {
    Made,
    /// It is made then.
    Later {
        at: Pin<Box<Sleep>>,
        /// Nobody has tried yet, so whoever wants it earlier may have it.
        is_first_try: bool,
    },
    /// It is being made, on a thread of its own: on a slow card that takes as long as many commits.
    Now(JoinHandle<Result<Database, NotMade>>),
}

/// What [`Sled::next`] brings.
enum Turn {
    Begin,
    Ended(Result<Database, NotMade>),
}

impl Sled {
    fn later(pause: Duration, is_first_try: bool) -> Sled {
        Sled::Later { at: Box::pin(sleep(pause)), is_first_try }
    }

    /// Waits until it is to be made, or is made; for ever when there is nothing to wait for.
    async fn next(&mut self) -> Turn {
        match self {
            Sled::Made => pending().await,
            Sled::Later { at, .. } => {
                at.await;
                Turn::Begin
            }
            Sled::Now(making) => Turn::Ended(match making.await {
                Ok(made) => made,
                Err(died) => {
                    let why = OpenError::Birth { text: Said::word(died.to_string()) };
                    Err(NotMade::Failed(why))
                }
            }),
        }
    }
}

impl Committer {
    async fn run(mut self, mut batches: Receiver<(u64, Batch)>) -> Result<(), Gone> {
        self.look_at_space().await?;
        if self.desk()?.store.making().is_some() {
            self.sled = Sled::later(SLED_LAG, true);
        }
        let shared = Arc::clone(&self.shared);
        loop {
            let low = self.low == Some(true);
            // A life before may have left a half, too.
            let half_full = self.desk()?.store.is_half_full();
            let is_made = matches!(self.sled, Sled::Made);
            if half_full && matches!(self.sled, Sled::Later { is_first_try: true, .. }) {
                self.begin_to_make_sled()?;
            }
            tokio::select! {
                // The second file first, or an endless queue would keep it behind for ever.
                biased;
                () = due(&mut self.lag) => self.write_second().await?,
                turn = self.sled.next() => self.go_on_with_sled(turn).await?,
                batch = batches.recv() => match batch {
                    Some((id, batch)) => self.commit(id, &batch).await?,
                    None => return Ok(()),
                },
                () = shared.left.notified() => self.mind_the_rest().await?,
                // When no batch waits. If that never happens, a commit will find no room and take all to sled.
                () = ready(()), if half_full && is_made => self.give_what_is_full().await?,
                () = sleep(LOW_SPACE_PAUSE), if low => self.look_at_space().await?,
            }
        }
    }

    async fn commit(&mut self, id: u64, batch: &Batch) -> Result<(), Gone> {
        // Room before, so that nothing is waited for between the disk and the core.
        let mut room = Some(self.done.clone().reserve_owned().await.map_err(|_| Gone)?);
        let mut durable = || {
            if let Some(room) = room.take() {
                room.send(JournalEvent::Committed(id));
            }
            tracing::trace!(what = "durable", id);
        };
        let mut committed = self.desk()?.store.commit_within(Reach::Lead, batch, &mut durable);
        if committed == Ok(false) {
            // Neither half has room.
            self.have_sled_made().await?;
            committed = self.desk()?.store.commit_within(Reach::Sled, batch, durable);
        }
        if let Err(error) = committed {
            self.tell(JournalEvent::Failed { id: Some(id), error }).await?;
        }
        self.mind_the_rest().await
    }

    /// What a commit leaves to do, wherever it was made.
    async fn mind_the_rest(&mut self) -> Result<(), Gone> {
        if self.desk()?.mind_the_second() && self.lag.is_none() {
            self.lag = Some(Box::pin(sleep(SECOND_FILE_LAG)));
        }
        self.look_at_space().await
    }

    fn begin_to_make_sled(&mut self) -> Result<(), Gone> {
        let making = self.desk()?.store.making();
        self.sled = match making {
            Some(making) => Sled::Now(spawn_blocking(move || making.run())),
            None => Sled::Made,
        };
        Ok(())
    }

    async fn go_on_with_sled(&mut self, turn: Turn) -> Result<(), Gone> {
        match turn {
            // It takes room that orders need.
            Turn::Begin if self.low == Some(true) => self.sled = Sled::later(SLED_PAUSE, false),
            Turn::Begin => self.begin_to_make_sled()?,
            Turn::Ended(Ok(database)) => {
                self.sled = Sled::Made;
                self.desk()?.store.made(database);
            }
            Turn::Ended(Err(NotMade::Yet(error))) => {
                tracing::warn!("the journal goes on without its database: {error}");
                self.sled = Sled::later(SLED_PAUSE, false);
            }
            Turn::Ended(Err(failed)) => {
                self.sled = Sled::Made;
                let failed = self.desk()?.store.given(Err(failed.into_commit_error()));
                if let Err(error) = failed {
                    self.tell(JournalEvent::Failed { id: None, error }).await?;
                }
            }
        }
        Ok(())
    }

    /// Waits until sled is there, or cannot be made now.
    async fn have_sled_made(&mut self) -> Result<(), Gone> {
        if matches!(self.sled, Sled::Later { .. }) {
            self.begin_to_make_sled()?;
        }
        if matches!(self.sled, Sled::Now(_)) {
            let turn = self.sled.next().await;
            self.go_on_with_sled(turn).await?;
        }
        Ok(())
    }

    /// sled gets what a full half of the lead holds. Only this thread gives, and the desk is free meanwhile.
    async fn give_what_is_full(&mut self) -> Result<(), Gone> {
        let giving = self.desk()?.store.giving();
        let Some(giving) = giving else { return Ok(()) };
        let given = giving.run();
        let settled = self.desk()?.store.given(given);
        match settled {
            Ok(()) => Ok(()),
            Err(error) => self.tell(JournalEvent::Failed { id: None, error }).await,
        }
    }

    async fn write_second(&mut self) -> Result<(), Gone> {
        self.lag = None;
        self.give_what_is_full().await?;
        let written = self.desk()?.write_second();
        match written {
            // It waits for a sled that is not made yet.
            Ok(()) if self.desk()?.mind_the_second() => self.lag = Some(Box::pin(sleep(SECOND_FILE_LAG))),
            Ok(()) => {}
            Err(error) => self.tell(JournalEvent::Failed { id: None, error }).await?,
        }
        Ok(())
    }

    async fn look_at_space(&mut self) -> Result<(), Gone> {
        let free_bytes = self.desk()?.store.free_bytes().unwrap_or_else(|e| {
            tracing::warn!("cannot tell how much space is free: {e}");
            0
        });
        let low = free_bytes < FREE_BYTES_MIN;
        if self.low.replace(low) == Some(low) {
            return Ok(());
        }
        self.tell(JournalEvent::Space { enough: !low, free_bytes }).await
    }

    fn desk(&self) -> Result<MutexGuard<'_, Desk>, Gone> {
        self.shared.desk.lock().map_err(|_| Gone)
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
