//! A journal as its users see it, and the recipe that makes a commit durable.
//!
//! sled's `flush()` only starts write-back; it survives no power cut on Linux. A commit is therefore one write into the
//! lead ([`super::lead`]) and one `fdatasync` of it. What a full half of the lead holds is one atomic batch of sled,
//! `flush()`, and one `fdatasync` of sled's file on a handle of our own ([`Store::giving`]), while commits go on in the other
//! half. A commit that finds no room in either is such a batch itself, with all that the lead holds, and in a new journal waits
//! for the making of sled; any other waits for sled at most while sled applies a batch, and only where the commit has a key that
//! neither half knows.

use super::birth::{self, NotMade};
use super::damage::{CommitError, Damage, OpenError, is_full};
use super::database::{Contents, DataFile, Database, META_KEY, RECORD_PREFIX, Refusal};
use super::disk::Disk;
use super::doing::{Doing, Part};
use super::held::{Changes, Held, Round};
use super::home::Home;
use super::layout::Layout;
use super::lead;
use super::lock::StateLock;
use super::note;
use super::opening::{self, Sound};
use super::second_file::SecondFile;
use super::value::HEADER_BYTES;
use crate::io::clock::boot_now;
use crate::order::record::OnlySeen;
use crate::order::said::{InChinese as _, Said};
use crate::sabotage::{self, Clause};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest key, in bytes: two ids of 64 characters and the 00 between them, with room.
pub const KEY_BYTES_MAX: usize = 256;
/// Longest value, in bytes: with its header 4 KiB. sled keeps up to 17 entries in a leaf and moves leaves above
/// 128 KiB to blob files, which it never syncs; 17 × (4,096 + 256) is 74 KB (order-life, rule 2).
pub const VALUE_BYTES_MAX: usize = 4096 - HEADER_BYTES;
/// Below this, in bytes, the disk counts as full (order-life, rule 7): sled grows by segments of 512 KiB and writes a
/// snapshot at each start, and the rest of the system shares the disk. 32 segments are far more than all orders
/// under way need to reach their ends.
pub const FREE_BYTES_MIN: u64 = 16 << 20;

/// Changes that become durable together, or not at all. Puts come first, in their order, then removes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Keys (at most [`KEY_BYTES_MAX`] bytes) and what stands under them from now on (at most [`VALUE_BYTES_MAX`]).
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys that go; those that are not there are no error.
    pub removes: Vec<Vec<u8>>,
    /// The core's own small record, when it changes (at most [`VALUE_BYTES_MAX`] bytes).
    pub meta: Option<Vec<u8>>,
}

impl Batch {
    /// Nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.removes.is_empty() && self.meta.is_none()
    }
}

/// What an opened state directory turned out to be.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "made once a start and taken apart at once")]
pub enum Opened {
    /// Everything that was committed is there.
    Sound {
        /// The journal, open for commits.
        store: Store,
        /// All records: keys and values, sorted by key.
        records: Vec<(Vec<u8>, Vec<u8>)>,
        /// Which of them are *seen* and perhaps not *durable*.
        only_seen: OnlySeen,
        /// The core's own small record.
        meta: Option<Vec<u8>>,
        /// Nothing was ever committed to this journal: it was born now, or by a start that was cut before its first
        /// commit (order-life, rule 6).
        fresh: bool,
        /// A person said that this is its place now ([`super::accept_move`]): it may be older than what it served. True
        /// until the first commit.
        moved: bool,
    },
    /// Something is lost, or nothing proves that nothing is. The folder is kept; nothing may be acknowledged, driven
    /// or released until [`super::accept_loss`] ends this (order-life, rule 5). It stays so over restarts.
    Quarantined {
        /// Keeps other processes out.
        lock: StateLock,
        /// What is wrong.
        damage: Damage,
    },
}

/// How far a commit may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// One write into the lead, or nothing.
    Lead,
    /// To sled, where the lead has no room.
    Sled,
}

/// An open journal that was sound. One process per state directory.
#[derive(Debug)]
pub struct Store {
    /// None after a failure: then sled is left alone until the process ends.
    held: Option<Held>,
    lead: DataFile,
    second: SecondFile,
    /// The second file does not know the newest commit yet.
    second_is_behind: bool,
    poison: Option<CommitError>,
    disk: Disk,
    /// What is to be written down of its place after the first commit.
    arrived: Option<Home>,
    state_dir: PathBuf,
    #[cfg(test)]
    gate: Arc<super::tests::Gate>,
    /// Last, so that it goes last; with whoever makes sled.
    lock: Arc<StateLock>,
}

impl Store {
    /// Opens the journal of a state directory, making both when there are none.
    ///
    /// What is *seen* here is not yet *durable*: it may come from the page cache of a process that was killed before
    /// its sync. Whoever opens must commit again what is not settled of it before anything is acknowledged, driven,
    /// released on a board or reported (order-life, rule 1).
    ///
    /// # Errors
    /// [`OpenError`] when the journal may be sound and cannot be opened now: in use, of a newer format, no space, no
    /// permission. Damage is no error but [`Opened::Quarantined`].
    pub fn open(state_dir: &Path) -> Result<Opened, OpenError> {
        let layout = Layout::of(state_dir);
        opening::make_state_dir(state_dir)?;
        let lock = opening::lock_state(&layout)?;
        match opening::open_sound(&layout) {
            Ok(Sound { held, contents, synced, second, is_newborn }) => {
                let lead = DataFile::of_lead(&layout.lead)?;
                // sled wrote when it opened, and the lead is written over from here on.
                if let Some(database) = &held.database {
                    Database::sync_folder(&layout.journal)?;
                    // After the sync, since only clean pages go.
                    database.data_file.drop_clean_pages();
                }
                birth::tidy_up(&layout);
                let arrived = if is_newborn { None } else { opening::settle_in(&layout)? };
                let moved = arrived.is_some();
                let fresh = held.digest.counter == 0;
                // Of a journal that lay elsewhere, it was synced there.
                let only_seen = if moved { OnlySeen::All } else { held.only_seen(&contents, synced) };
                let store = Store {
                    held: Some(held),
                    lead,
                    second,
                    second_is_behind: false,
                    poison: None,
                    disk: Disk::default(),
                    arrived,
                    state_dir: layout.state_dir,
                    #[cfg(test)]
                    gate: Arc::default(),
                    lock: Arc::new(lock),
                };
                let Contents { records, meta, .. } = contents;
                Ok(Opened::Sound { store, records, only_seen, meta, fresh, moved })
            }
            Err(Refusal::Environment(e)) => Err(e),
            Err(Refusal::Damage(damage)) => {
                // sled may have cut its log while it opened, so that the next start would find a journal that is
                // whole and too old. The note makes the quarantine last. One that lies elsewhere was not opened, and is
                // sound again where it was.
                if !matches!(damage, Damage::Earlier { .. } | Damage::Elsewhere { .. })
                    && let Err(e) = layout.write_durably(&layout.quarantine, &note::written(&damage.said()))
                {
                    tracing::error!("cannot write {}: {e}", layout.quarantine.display());
                }
                Ok(Opened::Quarantined { lock, damage })
            }
        }
    }

    /// Makes a quarantine last over restarts, until [`super::accept_loss`]: for records that are whole here and mean
    /// nothing to whoever reads them. Commit nothing afterwards, and keep the store: it holds the lock.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub fn quarantine(&self, why: &Said) -> io::Result<()> {
        let layout = Layout::of(&self.state_dir);
        layout.write_durably(&layout.quarantine, &note::written(why))
    }

    /// Makes a batch durable, all of it or nothing. An empty batch costs nothing.
    ///
    /// # Errors
    /// After the first error nothing is known about what reached the disk: this store answers every later commit with
    /// the same error and never syncs again. The process ends, and the next start sees what is there (order-life,
    /// rule 7).
    pub fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.commit_within(Reach::Sled, batch, || {}).map(|_| ())
    }

    /// Makes a batch durable within reach, and calls `durable` as soon as it is. False when sled would have to take it and is out
    /// of reach: then nothing has happened.
    ///
    /// # Errors
    /// As of [`Self::commit`]; then `durable` was not called.
    pub(super) fn commit_within(
        &mut self,
        reach: Reach,
        batch: &Batch,
        durable: impl FnOnce(),
    ) -> Result<bool, CommitError> {
        if let Some(error) = self.poison.as_ref().filter(|_| !sabotage::is_out(Clause::R07NotTriedAgain)) {
            return Err(error.clone());
        }
        if batch.is_empty() {
            durable();
            return Ok(true);
        }
        match self.try_commit(reach, batch, durable) {
            Ok(true) => {
                self.second_is_behind = true;
                self.has_arrived();
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(error) if sabotage::is_out(Clause::R07NotTriedAgain) => Err(error),
            Err(error) => Err(self.poison(error)),
        }
    }

    /// A life has begun here and its birth is durable. If this cannot be written, the next life begins so once more.
    fn has_arrived(&mut self) {
        let Some(home) = self.arrived.take() else { return };
        if let Err(e) = home.write(&Layout::of(&self.state_dir)) {
            tracing::error!("cannot write down where the journal lies: {e}");
        }
    }

    fn try_commit(&mut self, reach: Reach, batch: &Batch, durable: impl FnOnce()) -> Result<bool, CommitError> {
        let making = self.making();
        // Only a poisoned store has none, and the caller looked.
        let Some(held) = &mut self.held else {
            return Err(CommitError::Failed {
                doing: Doing::Commit,
                text: Said::new("the journal is closed", "日志已关闭"),
            });
        };
        // What it asks sled for may have to wait for a batch under way.
        let began = boot_now();
        let changes = changes_of(batch)?;
        let digest = held.digest_after(&changes)?;
        let entry = lead::encode(&digest, &changes);
        let placed = entry.and_then(|entry| Some((held.place_for(entry.len(), changes.len())?, entry)));
        match placed {
            Some((place, entry)) => {
                self.lead.write(&entry, place.offset()).map_err(CommitError::io(Doing::WriteJournal))?;
                self.lead.begin_write_out(place.offset(), entry.len());
                // While the disk writes. Should the sync fail, nothing of it is ever looked at again; and until it has ended
                // the second file must not learn of it, whoever closes the store.
                self.second_is_behind = false;
                held.take_at(place, entry.len(), changes, digest);
                self.lead.sync_in_place()?;
                durable();
                self.disk.took(boot_now().since_ms(began));
                Ok(true)
            }
            None if reach == Reach::Lead => Ok(false),
            None => {
                self.second_is_behind = false;
                if let Some(making) = making {
                    held.database = Some(making.run().map_err(NotMade::into_commit_error)?);
                }
                let Some(database) = held.database.clone() else { return Ok(false) };
                held.take(changes, digest);
                held.give_all(&database).map_err(CommitError::io(Doing::WriteJournal))?;
                database.make_durable()?;
                durable();
                Ok(true)
            }
        }
    }

    /// The journal has no sled yet, and whoever has time for it is to make it: the thread. Commits may go on meanwhile.
    pub(super) fn making(&self) -> Option<Making> {
        let held = self.held.as_ref()?;
        held.database.is_none().then(|| Making {
            state_dir: self.state_dir.clone(),
            #[cfg(test)]
            gate: Arc::clone(&self.gate),
            _lock: Arc::clone(&self.lock),
        })
    }

    /// It has one now.
    pub(super) fn made(&mut self, database: Database) {
        match &mut self.held {
            Some(held) => held.database = Some(database),
            // A commit failed meanwhile, and was told.
            None => database.abandon(),
        }
    }

    /// What a full half of the lead holds and sled has yet to get, for whoever has time for it: the thread. Commits may go on
    /// meanwhile. None while there is no sled.
    pub(super) fn giving(&self) -> Option<Giving> {
        let held = self.held.as_ref()?;
        Some(Giving { round: held.going()?.clone(), database: held.database.clone()? })
    }

    /// sled has it for good, and the half is free; or it could not be given, and nothing more is committed.
    ///
    /// # Errors
    /// The same error.
    pub(super) fn given(&mut self, given: Result<(), CommitError>) -> Result<(), CommitError> {
        match (given, &mut self.held) {
            (Ok(()), Some(held)) => {
                held.gone();
                Ok(())
            }
            // A commit failed meanwhile, and was told.
            (_, None) => Ok(()),
            (Err(error), Some(_)) => Err(self.poison(error)),
        }
    }

    /// A half of the lead is full, and sled has yet to get what it holds.
    pub(super) fn is_half_full(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.going().is_some())
    }

    /// A commit in the lead can be waited for: the last ones were all done in a moment.
    pub(super) const fn is_quick(&self) -> bool {
        self.disk.is_quick()
    }

    /// The second file lags behind the journal.
    pub(super) fn second_is_behind(&self) -> bool {
        self.second_is_behind && self.poison.is_none()
    }

    /// Tells the second file of the newest commit. One sync; not on the way of a vend. What it counts is in sled for good or
    /// will be when the lead's other half is full: a batch between would look durable at a start where it was only seen.
    pub(super) fn write_second(&mut self) -> Result<(), CommitError> {
        if !self.second_is_behind() {
            return Ok(());
        }
        if self.is_half_full() && !sabotage::is_out(Clause::R01BatchBeforeSecond) {
            // Without sled it waits, for whoever makes that.
            let Some(giving) = self.giving() else { return Ok(()) };
            let given = giving.run();
            self.given(given)?;
        }
        // Only a poisoned store has none.
        let Some(held) = &self.held else { return Ok(()) };
        match self.second.write(&held.digest) {
            Ok(()) => {
                self.second_is_behind = false;
                Ok(())
            }
            Err(e) => Err(self.poison(CommitError::io(Doing::WriteSecondFile)(e))),
        }
    }

    fn poison(&mut self, error: CommitError) -> CommitError {
        if let Some(held) = self.held.take() {
            held.abandon();
        }
        self.poison.insert(error).clone()
    }

    /// Free space for this process on the journal's file system, in bytes. Compare with [`FREE_BYTES_MIN`].
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let space = rustix::fs::statvfs(&self.state_dir)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// Where the next commit goes in the lead.
    #[cfg(test)]
    pub(super) fn next_place(&self) -> Option<lead::Place> {
        self.held.as_ref().map(|held| held.next)
    }

    /// The next commit finds no room in either half of the lead.
    #[cfg(test)]
    pub(super) fn fill_the_lead(&mut self) {
        if let Some(held) = &mut self.held {
            held.fill_the_lead();
        }
    }

    /// The disk was so quick.
    #[cfg(test)]
    pub(super) fn take_the_disk_for(&mut self, disk: Disk) {
        self.disk = disk;
    }

    /// sled is not made before the gate is opened.
    #[cfg(test)]
    pub(super) fn hold_up_the_making(&mut self) -> Arc<super::tests::Gate> {
        self.gate.shut();
        Arc::clone(&self.gate)
    }

    /// Makes syncs of the lead last.
    #[cfg(test)]
    pub(super) fn take_time_for_syncs(&mut self, lasting: std::time::Duration) {
        self.lead.lasting = lasting;
    }

    /// Makes syncs fail, or succeed again.
    #[cfg(test)]
    pub(super) fn fail_syncs(&mut self, kind: Option<io::ErrorKind>) {
        self.lead.failing = kind;
        if let Some(database) = self.held.as_mut().and_then(|held| held.database.as_mut()) {
            database.data_file.failing = kind;
        }
    }
}

/// sled, to be made apart from the store.
#[derive(Debug)]
pub(super) struct Making {
    state_dir: PathBuf,
    #[cfg(test)]
    gate: Arc<super::tests::Gate>,
    /// Nobody else works here until it is over.
    _lock: Arc<StateLock>,
}

impl Making {
    /// Makes it, durable, and opens it.
    ///
    /// # Errors
    /// See [`NotMade`].
    pub(super) fn run(&self) -> Result<Database, NotMade> {
        #[cfg(test)]
        self.gate.wait();
        birth::make_sled(&Layout::of(&self.state_dir))
    }
}

impl NotMade {
    /// For whoever cannot commit without it.
    pub(super) fn into_commit_error(self) -> CommitError {
        let (NotMade::Yet(error) | NotMade::Failed(error)) = self;
        match error {
            OpenError::Io { doing, source, .. } if is_full(&source) => CommitError::StorageFull { doing },
            other => CommitError::Failed { doing: Doing::MakeSled, text: other.said() },
        }
    }
}

/// A batch of sled's, apart from the store.
#[derive(Debug)]
pub(super) struct Giving {
    round: Round,
    database: Database,
}

impl Giving {
    /// Gives it to sled, and waits until that is durable.
    ///
    /// # Errors
    /// Nothing is known then about what reached the disk: see [`Store::commit`].
    pub(super) fn run(&self) -> Result<(), CommitError> {
        self.round.give(&self.database).map_err(CommitError::io(Doing::WriteJournal))?;
        self.database.make_durable()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A clean end leaves a second file that knows everything. A failure here loses only that.
        if let Err(e) = self.write_second() {
            tracing::warn!("{e}");
        }
        if let Some(held) = self.held.take()
            && let Err(e) = held.close()
        {
            tracing::warn!("cannot close the journal: {e}");
        }
    }
}

/// What is to stand under which key, once the whole batch is done.
fn changes_of(batch: &Batch) -> Result<Changes<'_>, CommitError> {
    let mut changes = Changes::new();
    for (key, body) in &batch.puts {
        changes.insert(record_key(key)?, Some(checked(Part::Value, body, VALUE_BYTES_MAX)?));
    }
    for key in &batch.removes {
        changes.insert(record_key(key)?, None);
    }
    if let Some(meta) = &batch.meta {
        changes.insert(META_KEY.to_vec(), Some(checked(Part::Value, meta, VALUE_BYTES_MAX)?));
    }
    Ok(changes)
}

/// The key under which sled keeps a record.
fn record_key(key: &[u8]) -> Result<Vec<u8>, CommitError> {
    let key = checked(Part::Key, key, KEY_BYTES_MAX)?;
    Ok([&[RECORD_PREFIX], key].concat())
}

fn checked(what: Part, bytes: &[u8], limit_bytes: usize) -> Result<&[u8], CommitError> {
    if bytes.len() > limit_bytes {
        return Err(CommitError::TooLarge { what, found_bytes: bytes.len(), limit_bytes });
    }
    Ok(bytes)
}
