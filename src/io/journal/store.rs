//! Opening a journal, and the recipe that makes a commit durable.
//!
//! sled's `flush()` only starts write-back; it survives no power cut on Linux. A commit is therefore one atomic
//! batch, `flush()`, and one `fdatasync` on a handle of our own.
//!
//! **Birth.** A new journal is made under another name, made durable, renamed, then given its second file and at
//! last its marker, each durable before the next. So a power cut leaves either no `journal/` or a whole one, and
//! with the marker everything must be there.

use super::damage::{CommitError, Damage, OpenError};
use super::database::{self, Contents, DIGEST_KEY, DataFile, Database, META_KEY, RECORD_PREFIX, Refusal};
use super::digest::Digest;
use super::home::{self, Home};
use super::layout::{self, Layout};
use super::lock::{LockError, StateLock};
use super::second_file::{self, SecondFile, Seen};
use super::value::{self, HEADER_BYTES};
use crate::sabotage::{self, Clause};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

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

/// An open journal that was sound. One process per state directory.
#[derive(Debug)]
pub struct Store {
    /// None after a failure: then sled is left alone until the process ends.
    database: Option<Database>,
    data_file: DataFile,
    second: SecondFile,
    digest: Digest,
    /// The second file does not know the newest commit yet.
    second_is_behind: bool,
    poison: Option<CommitError>,
    /// What is to be written down of its place after the first commit.
    arrived: Option<Home>,
    state_dir: PathBuf,
    /// Last, so that it goes last.
    _lock: StateLock,
}

impl Store {
    /// Opens the journal of a state directory, making both when there are none.
    ///
    /// What is *seen* here is not yet *durable*: it may come from the page cache of a process that was killed before
    /// its sync. Whoever opens must commit all records that are not settled again before anything is acknowledged,
    /// driven, released on a board or reported (order-life, rule 1).
    ///
    /// # Errors
    /// [`OpenError`] when the journal may be sound and cannot be opened now: in use, of a newer format, no space, no
    /// permission. Damage is no error but [`Opened::Quarantined`].
    pub fn open(state_dir: &Path) -> Result<Opened, OpenError> {
        let layout = Layout::of(state_dir);
        make_state_dir(state_dir)?;
        let lock = lock_state(&layout)?;
        match open_sound(&layout) {
            Ok((database, contents, digest, second)) => {
                let data_file = DataFile::open(&layout.journal)?;
                Database::sync_folder(&layout.journal)?;
                // After the sync, since only clean pages go.
                data_file.drop_clean_pages();
                let arrived = settle_in(&layout)?;
                let moved = arrived.is_some();
                let store = Store {
                    database: Some(database),
                    data_file,
                    second,
                    digest,
                    second_is_behind: false,
                    poison: None,
                    arrived,
                    state_dir: layout.state_dir,
                    _lock: lock,
                };
                let Contents { records, meta, .. } = contents;
                Ok(Opened::Sound { store, records, meta, fresh: digest.counter == 0, moved })
            }
            Err(Refusal::Environment(e)) => Err(e),
            Err(Refusal::Damage(damage)) => {
                // sled may have cut its log while it opened, so that the next start would find a journal that is
                // whole and too old. The note makes the quarantine last. One that lies elsewhere was not opened, and is
                // sound again where it was.
                if !matches!(damage, Damage::Earlier { .. } | Damage::Elsewhere { .. })
                    && let Err(e) = layout.write_durably(&layout.quarantine, &damage.to_string())
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
    pub fn quarantine(&self, why: &str) -> io::Result<()> {
        let layout = Layout::of(&self.state_dir);
        layout.write_durably(&layout.quarantine, why)
    }

    /// Makes a batch durable, all of it or nothing. An empty batch costs nothing.
    ///
    /// # Errors
    /// After the first error nothing is known about what reached the disk: this store answers every later commit with
    /// the same error and never syncs again. The process ends, and the next start sees what is there (order-life,
    /// rule 7).
    pub fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        if let Some(error) = self.poison.as_ref().filter(|_| !sabotage::is_out(Clause::R07NotTriedAgain)) {
            return Err(error.clone());
        }
        if batch.is_empty() {
            return Ok(());
        }
        let committed = self.try_commit(batch);
        match committed {
            Ok(digest) => {
                self.digest = digest;
                self.second_is_behind = true;
                self.has_arrived();
                Ok(())
            }
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

    fn try_commit(&self, batch: &Batch) -> Result<Digest, CommitError> {
        // Only a poisoned store has none, and the caller looked.
        let Some(database) = &self.database else {
            return Err(CommitError::Failed { doing: "commit", text: "the journal is closed".to_owned() });
        };
        let (changes, digest) = self.stage(database, batch)?;
        database.apply(changes).map_err(CommitError::io("write the journal"))?;
        if !self.data_file.is_in_place().map_err(CommitError::io("look at the journal's file"))? {
            return Err(CommitError::FileReplaced);
        }
        self.data_file.sync().map_err(CommitError::io("sync the journal"))?;
        match database.blob().map_err(CommitError::io("look for blob files"))? {
            None => Ok(digest),
            Some(name) => Err(CommitError::BlobFile { name }),
        }
    }

    /// What sled is to change, and the digest that holds afterwards.
    fn stage(&self, database: &Database, batch: &Batch) -> Result<(sled::Batch, Digest), CommitError> {
        let mut effects: BTreeMap<Vec<u8>, Option<&[u8]>> = BTreeMap::new();
        for (key, body) in &batch.puts {
            effects.insert(record_key(key)?, Some(checked("value", body, VALUE_BYTES_MAX)?));
        }
        for key in &batch.removes {
            effects.insert(record_key(key)?, None);
        }
        if let Some(meta) = &batch.meta {
            effects.insert(META_KEY.to_vec(), Some(checked("value", meta, VALUE_BYTES_MAX)?));
        }
        let mut digest = self.digest;
        digest.counter = digest.counter.saturating_add(1);
        let mut changes = sled::Batch::default();
        for (key, body) in effects {
            let before = database.get(&key).map_err(CommitError::io("read the journal"))?;
            if let Some(before) = before {
                match value::unseal(&key, &before) {
                    Ok(before) => digest.remove(&key, before.counter),
                    Err(why) => return Err(CommitError::Unreadable { key, why }),
                }
            }
            match body {
                None => changes.remove(key),
                Some(body) => {
                    digest.add(&key, digest.counter);
                    let sealed = value::seal(&key, digest.counter, body);
                    changes.insert(key, sealed);
                }
            }
        }
        changes.insert(DIGEST_KEY, digest.seal(DIGEST_KEY));
        Ok((changes, digest))
    }

    /// The second file lags behind the journal.
    pub(super) fn second_is_behind(&self) -> bool {
        self.second_is_behind && self.poison.is_none()
    }

    /// Tells the second file of the newest commit. One sync; not on the way of a vend.
    pub(super) fn write_second(&mut self) -> Result<(), CommitError> {
        if !self.second_is_behind() {
            return Ok(());
        }
        match self.second.write(&self.digest) {
            Ok(()) => {
                self.second_is_behind = false;
                Ok(())
            }
            Err(e) => Err(self.poison(CommitError::io("write the second file")(e))),
        }
    }

    fn poison(&mut self, error: CommitError) -> CommitError {
        if let Some(database) = self.database.take() {
            database.abandon();
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

    /// Makes syncs fail, or succeed again.
    #[cfg(test)]
    pub(super) fn fail_syncs(&mut self, kind: Option<io::ErrorKind>) {
        self.data_file.failing = kind;
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A clean end leaves a second file that knows everything. A failure here loses only that.
        if let Err(e) = self.write_second() {
            tracing::warn!("{e}");
        }
        if let Some(database) = self.database.take()
            && let Err(e) = database.close()
        {
            tracing::warn!("cannot close the journal: {e}");
        }
    }
}

/// The key under which sled keeps a record.
fn record_key(key: &[u8]) -> Result<Vec<u8>, CommitError> {
    let key = checked("key", key, KEY_BYTES_MAX)?;
    Ok([&[RECORD_PREFIX], key].concat())
}

fn checked<'a>(what: &'static str, bytes: &'a [u8], limit_bytes: usize) -> Result<&'a [u8], CommitError> {
    if bytes.len() > limit_bytes {
        return Err(CommitError::TooLarge { what, found_bytes: bytes.len(), limit_bytes });
    }
    Ok(bytes)
}

fn make_state_dir(state_dir: &Path) -> Result<(), OpenError> {
    if layout::exists(state_dir).map_err(OpenError::io("look at", state_dir))? {
        return Ok(());
    }
    // Orders name their notify_urls, which may hold tokens: nobody else's to read, whatever the umask.
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(state_dir).map_err(OpenError::io("make", state_dir))?;
    let parent = state_dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    layout::sync_dir(parent).map_err(OpenError::io("sync", parent))
}

fn lock_state(layout: &Layout) -> Result<StateLock, OpenError> {
    StateLock::exclusive(&layout.lock).map_err(|e| match e {
        LockError::Held(holder) => OpenError::InUse { state_dir: layout.state_dir.clone(), holder },
        LockError::Io(e) => OpenError::io("lock", &layout.lock)(e),
    })
}

/// Opens a journal that is there and sound, or makes one where none was ever born.
fn open_sound(layout: &Layout) -> Result<(Database, Contents, Digest, SecondFile), Refusal> {
    let exists = |path: &Path| layout::exists(path).map_err(OpenError::io("look at", path));
    if exists(&layout.quarantine)? && !sabotage::is_out(Clause::R05QuarantineLasts) {
        let text = fs::read_to_string(&layout.quarantine).map_err(OpenError::io("read", &layout.quarantine))?;
        return Err(Refusal::Damage(Damage::Earlier { text }));
    }
    match (exists(&layout.journal)?, exists(&layout.marker)?) {
        (true, true) => {
            let differs = home::doubt(layout).map_err(OpenError::io("read", &layout.home))?;
            if !differs.is_empty() {
                return Err(Refusal::Damage(Damage::Elsewhere { differs }));
            }
        }
        (true, false) => {
            set_aside_unfinished(layout)?;
            give_birth(layout)?;
        }
        (false, false) if !exists(&layout.second)? => give_birth(layout)?,
        (false, _) => return Err(Refusal::Damage(Damage::JournalMissing)),
    }
    let database = Database::open(&layout.journal)?;
    match examine(layout, &database) {
        Ok((contents, digest, second)) => Ok((database, contents, digest, second)),
        Err(refusal) => {
            // What it says is known already.
            let _ = database.close();
            Err(refusal)
        }
    }
}

/// Writes down where the journal lies, as far as that is new. One that was moved has arrived with its first commit: then
/// what is to be written comes back.
fn settle_in(layout: &Layout) -> Result<Option<Home>, OpenError> {
    let known = Home::read(layout).map_err(OpenError::io("read", &layout.home))?;
    let here = Home::here(layout);
    match known {
        Some(known) if known.moved => Ok(Some(here.with(&known))),
        Some(known) if here.clone().with(&known) == known => Ok(None),
        known => {
            let home = here.with(&known.unwrap_or_default());
            home.write(layout).map(|()| None).map_err(OpenError::io("write", &layout.home))
        }
    }
}

/// Everything in the journal, once its digests agree.
fn examine(layout: &Layout, database: &Database) -> Result<(Contents, Digest, SecondFile), Refusal> {
    let contents = database.contents();
    let digest = sound_digest(database, &contents)?;
    let (second, seen) = match SecondFile::open(&layout.second) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Refusal::Damage(Damage::SecondFileMissing)),
        other => other.map_err(OpenError::io("open", &layout.second))?,
    };
    compare(&digest, seen)?;
    Ok((contents, digest, second))
}

/// The journal's own digest, when all that is in the folder agrees with it.
pub(super) fn sound_digest(database: &Database, contents: &Contents) -> Result<Digest, Refusal> {
    if let Some(found) = contents.newer() {
        return Err(database::newer(found).into());
    }
    let digest = contents.verify().map_err(Refusal::Damage)?;
    match database.blob().map_err(|e| Refusal::Damage(Damage::CannotRead { text: e.to_string() }))? {
        None => Ok(digest),
        Some(name) => Err(Refusal::Damage(Damage::BlobFile { name })),
    }
}

/// The second file may be behind: it is written up to a second late. It must not be ahead.
pub(super) fn compare(journal: &Digest, seen: Seen) -> Result<(), Refusal> {
    let second = match seen {
        Seen::Digest(second, _) => second,
        Seen::Nothing => return Err(Refusal::Damage(Damage::SecondFileUnreadable)),
        Seen::Newer(found) => return Err(database::newer(found).into()),
    };
    match second.counter.cmp(&journal.counter) {
        std::cmp::Ordering::Less => Ok(()),
        std::cmp::Ordering::Greater if sabotage::is_out(Clause::R03SecondFileAhead) => Ok(()),
        std::cmp::Ordering::Equal if second == *journal => Ok(()),
        std::cmp::Ordering::Equal => Err(Refusal::Damage(Damage::SecondFileDiffers { journal: *journal, second })),
        std::cmp::Ordering::Greater => {
            Err(Refusal::Damage(Damage::SecondFileAhead { journal: journal.counter, second: second.counter }))
        }
    }
}

/// A folder without its marker was never used when nothing was ever committed to it; otherwise the marker is what was
/// lost (order-life, rule 4).
fn set_aside_unfinished(layout: &Layout) -> Result<(), Refusal> {
    let database = Database::open(&layout.journal)?;
    let contents = database.contents();
    let verdict = unfinished(layout, &database, &contents);
    // What it says is known already.
    let _ = database.close();
    verdict?;
    // The second file first: a journal without it and without a marker is unfinished as before, if power fails now.
    layout
        .set_aside("unfinished", &[&layout.second, &layout.journal])
        .map_err(OpenError::io("set aside", &layout.journal))?;
    Ok(())
}

fn unfinished(layout: &Layout, database: &Database, contents: &Contents) -> Result<(), Refusal> {
    if let Some(found) = contents.newer() {
        return Err(database::newer(found).into());
    }
    if sabotage::is_out(Clause::R04MarkerMissed) {
        return Ok(());
    }
    let counter = match contents.digest {
        Some(Ok(digest)) => digest.counter,
        _ => 0,
    };
    let lost = Refusal::Damage(Damage::MarkerMissing { records: contents.records.len(), counter });
    if !contents.records.is_empty() || contents.meta.is_some() || counter > 0 {
        return Err(lost);
    }
    // Birth makes whole journals only, so one that cannot be read is one that was used.
    sound_digest(database, contents)?;
    match fs::File::open(&layout.second).and_then(|file| second_file::read(&file)) {
        Ok(Seen::Digest(second, _)) if second.counter > 0 => Err(lost),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(OpenError::io("read", &layout.second)(e).into()),
    }
}

/// Makes a new journal. See the head of this file for the order of things.
fn give_birth(layout: &Layout) -> Result<(), OpenError> {
    // That of another journal, whose file was another.
    match fs::remove_file(&layout.home) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => other.map_err(OpenError::io("delete", &layout.home))?,
    }
    match fs::remove_dir_all(&layout.newborn) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => other.map_err(OpenError::io("delete", &layout.newborn))?,
    }
    let database = Database::open(&layout.newborn).map_err(|refusal| match refusal {
        Refusal::Environment(e) => e,
        Refusal::Damage(damage) => OpenError::Birth { text: damage.to_string() },
    })?;
    let digest = Digest::default();
    let mut first = sled::Batch::default();
    first.insert(DIGEST_KEY, digest.seal(DIGEST_KEY));
    database.apply(first).map_err(OpenError::io("write", &layout.newborn))?;
    database.close().map_err(OpenError::io("close", &layout.newborn))?;
    Database::sync_folder(&layout.newborn)?;
    fs::rename(&layout.newborn, &layout.journal).map_err(OpenError::io("rename", &layout.newborn))?;
    layout::sync_dir(&layout.state_dir).map_err(OpenError::io("sync", &layout.state_dir))?;
    SecondFile::create(&layout.second, digest).map_err(OpenError::io("write", &layout.second))?;
    layout::sync_dir(&layout.state_dir).map_err(OpenError::io("sync", &layout.state_dir))?;
    let born = format!("The journal of this directory was born whole, in format {}.\n", value::FORMAT);
    layout.write_durably(&layout.marker, &born).map_err(OpenError::io("write", &layout.marker))
}
