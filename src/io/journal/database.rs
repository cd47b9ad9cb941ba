//! sled 0.34.7 on one folder: opened, read, changed and closed so that neither its errors nor its panics get past.
//!
//! What is durable and when is decided in [`super::store`]; this is only sled with its sharp edges covered:
//! - a torn `snap.*.generating` makes every later open fail, so it is deleted before;
//! - damaged files make it panic as well as fail;
//! - its cache is 1 GiB and its flusher syncs twice a second on an idle device, unless told otherwise.

use super::damage::{CommitError, Damage, OpenError};
use super::digest::Digest;
use super::doing::Doing;
use super::home;
use super::layout;
use super::lock::{self, LockError};
use super::value::{self, FORMAT, HALVES_FORMAT, LEAD_FORMAT, Unreadable};
use crate::order::said::Said;
use crate::sabotage::{self, Clause};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// sled's page cache, in bytes. Every record lives in the core's memory as well, and sled is only asked for a record
/// when it is replaced, so the cache earns nothing. Less saves nothing either: with 20,000 records the process is as
/// large with 256 KiB as with this, since each of 256 shards keeps the last page it saw.
const CACHE_BYTES: u64 = 1 << 20;

/// The smallest page of memory of any computer that vend runs on.
pub(super) const PAGE_BYTES: usize = 4096;

/// sled's file: beside it are its settings, snapshots and the folder of blobs.
pub(super) const DB: &str = "db";

/// Key of the digest.
pub(super) const DIGEST_KEY: &[u8] = b"d";
/// Key of the core's own small record.
pub(super) const META_KEY: &[u8] = b"m";
/// First byte of a record's key.
pub(super) const RECORD_PREFIX: u8 = b'r';

/// sled, open. A clone is another hand on the same: sled closes with the last.
#[derive(Debug, Clone)]
pub(super) struct Database {
    db: sled::Db,
    folder: PathBuf,
    /// Its file, to be synced.
    pub(super) data_file: DataFile,
}

/// Why sled did not open.
#[derive(Debug)]
pub(super) enum Refusal {
    Damage(Damage),
    Environment(OpenError),
}

impl From<OpenError> for Refusal {
    fn from(e: OpenError) -> Self {
        Refusal::Environment(e)
    }
}

/// Everything in a folder.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// What the newest commit in sled said about the rest.
    pub(super) digest: Option<Result<Digest, Unreadable>>,
    /// The commits since then lie in the lead: the digest says so by its format.
    pub(super) has_lead: bool,
    /// Likewise: the lead has halves.
    pub(super) has_halves: bool,
    /// The digest of what is there.
    pub(super) found: Digest,
    /// Keys and bodies.
    pub(super) records: Vec<(Vec<u8>, Vec<u8>)>,
    /// The core's own small record.
    pub(super) meta: Option<Vec<u8>>,
    /// Keys whose values cannot be read, and why.
    pub(super) unreadable: Vec<(Vec<u8>, Unreadable)>,
    /// A key that vend never writes.
    pub(super) foreign: Option<Vec<u8>>,
    /// sled's own words when it could not read to the end.
    pub(super) cut_short: Option<String>,
}

impl Contents {
    /// Those of a journal without sled, as it is born: all that was ever committed lies in the lead.
    pub(super) fn before_sled() -> Contents {
        Contents { digest: Some(Ok(Digest::default())), has_lead: true, has_halves: true, ..Contents::default() }
    }

    /// A format of a newer program, wherever it stands.
    pub(super) fn newer(&self) -> Option<u8> {
        let digest = self.digest.as_ref().and_then(|d| d.as_ref().err());
        self.unreadable.iter().map(|(_, why)| why).chain(digest).find_map(|why| match why {
            Unreadable::Newer(format) => Some(*format),
            _ => None,
        })
    }

    /// The digest, when it agrees with all that is there.
    pub(super) fn verify(&self) -> Result<Digest, Damage> {
        if let Some(text) = &self.cut_short {
            return Err(Damage::CannotRead { text: Said::word(text) });
        }
        if let Some(key) = &self.foreign {
            return Err(Damage::ForeignKey { key: key.clone() });
        }
        if let Some((key, why)) = self.unreadable.first() {
            return Err(Damage::Records { count: self.unreadable.len(), key: key.clone(), why: *why });
        }
        let expected = match self.digest {
            None => return Err(Damage::DigestMissing),
            Some(Err(why)) => return Err(Damage::DigestUnreadable(why)),
            Some(Ok(digest)) => digest,
        };
        // A record newer than the newest commit is as wrong as a missing one.
        let same = (expected.entries, expected.xor) == (self.found.entries, self.found.xor);
        if same && self.found.counter <= expected.counter || sabotage::is_out(Clause::R03DigestChecked) {
            Ok(expected)
        } else {
            Err(Damage::Digest { expected, found: self.found })
        }
    }

    fn take(&mut self, key: &[u8], bytes: &[u8]) {
        if key == DIGEST_KEY {
            self.digest = Some(Digest::unseal(key, bytes));
            let is_since = |first: u8| bytes.first().is_some_and(|&format| format >= first);
            (self.has_lead, self.has_halves) = (is_since(LEAD_FORMAT), is_since(HALVES_FORMAT));
            return;
        }
        let record_key = match key {
            [RECORD_PREFIX, rest @ ..] => Some(rest),
            META_KEY => None,
            other => {
                self.foreign = Some(other.to_vec());
                return;
            }
        };
        match value::unseal(key, bytes) {
            Err(why) => self.unreadable.push((record_key.unwrap_or(META_KEY).to_vec(), why)),
            Ok(value) => {
                self.found.add(key, value.counter);
                self.found.counter = self.found.counter.max(value.counter);
                match record_key {
                    Some(record_key) => self.records.push((record_key.to_vec(), value.body.to_vec())),
                    None => self.meta = Some(value.body.to_vec()),
                }
            }
        }
    }
}

/// The words of a panic.
fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it panicked without words").to_owned()
}

/// Kinds that sled's I/O errors have when its files are not what they should be. All others come from the file system
/// and say nothing about the journal: read-only, no permission, no space, a failing medium.
const fn is_of_the_files(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as K;
    matches!(
        kind,
        K::Other
            | K::InvalidData
            | K::InvalidInput
            | K::UnexpectedEof
            | K::NotFound
            | K::AlreadyExists
            | K::IsADirectory
            | K::NotADirectory
    )
}

impl Database {
    /// sled was made in this folder: its file is the last that gets there. What is no folder is for sled to refuse.
    pub(super) fn is_made(folder: &Path) -> Result<bool, OpenError> {
        let db_file = folder.join(DB);
        match layout::exists(&db_file) {
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => Ok(true),
            other => other.map_err(OpenError::io(Doing::LookAt, &db_file)),
        }
    }

    /// Opens or makes sled's folder. Changes it: sled clears what is torn at its end.
    pub(super) fn open(folder: &Path) -> Result<Database, Refusal> {
        delete_torn_snapshots(folder)?;
        let db_file = folder.join(DB);
        match lock::wait_until_free(&db_file) {
            Ok(()) => {}
            Err(LockError::Held(holder)) => {
                return Err(OpenError::InUse { state_dir: folder.to_owned(), holder }.into());
            }
            Err(LockError::Io(e)) if is_of_the_files(e.kind()) => return Err(cannot_open(e.to_string())),
            Err(LockError::Io(e)) => return Err(OpenError::io(Doing::Lock, &db_file)(e).into()),
        }
        let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => match DataFile::of_sled(folder) {
                Ok(data_file) => Ok(Database { db, folder: folder.to_owned(), data_file }),
                Err(error) => {
                    // Closing may panic; what it says is nothing to the error.
                    let _ = no_panic(|| {
                        drop(db);
                        Ok(())
                    });
                    Err(error.into())
                }
            },
            // sled's words: it gives a lock that it cannot have no kind of its own.
            Ok(Err(sled::Error::Io(e))) if e.to_string().contains("could not acquire lock") => {
                Err(OpenError::InUse { state_dir: folder.to_owned(), holder: None }.into())
            }
            Ok(Err(sled::Error::Io(e))) if !is_of_the_files(e.kind()) => {
                Err(OpenError::io(Doing::OpenJournal, folder)(e).into())
            }
            Ok(Err(e)) => Err(cannot_open(e.to_string())),
            Err(panic) => Err(cannot_open(panic_text(&*panic))),
        }
    }

    /// Reads everything, as far as it can be read.
    pub(super) fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        let read = catch_unwind(AssertUnwindSafe(|| {
            for entry in &*self.db {
                let (key, bytes) = entry?;
                contents.take(&key, &bytes);
            }
            Ok::<(), sled::Error>(())
        }));
        contents.cut_short = match read {
            Ok(Ok(())) => None,
            Ok(Err(e)) => Some(e.to_string()),
            Err(panic) => Some(panic_text(&*panic)),
        };
        contents
    }

    /// The value under a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, io::Error> {
        no_panic(|| self.db.get(key))
    }

    /// Changes entries, all or none, and hands them to the system. Not durable: see [`super::store`].
    pub(super) fn apply(&self, batch: sled::Batch) -> Result<(), io::Error> {
        no_panic(|| {
            self.db.apply_batch(batch)?;
            self.db.flush().map(|_| ())
        })
    }

    /// The name of a blob file, when there is one.
    pub(super) fn blob(&self) -> io::Result<Option<String>> {
        let first = fs::read_dir(self.folder.join("blobs"))?.next().transpose()?;
        let first = first.filter(|_| !sabotage::is_out(Clause::R02BlobFileFails));
        Ok(first.map(|entry| entry.file_name().to_string_lossy().into_owned()))
    }

    /// Makes durable what sled wrote while it opened: its files and their names.
    pub(super) fn sync_folder(folder: &Path) -> Result<(), OpenError> {
        for name in ["conf", DB, "blobs"] {
            let path = folder.join(name);
            File::open(&path).and_then(|f| f.sync_all()).map_err(OpenError::io(Doing::Sync, &path))?;
        }
        for path in [Some(folder), folder.parent()].into_iter().flatten() {
            layout::sync_dir(path).map_err(OpenError::io(Doing::Sync, path))?;
        }
        Ok(())
    }

    /// What sled was handed reaches the disk, whole.
    pub(super) fn make_durable(&self) -> Result<(), CommitError> {
        self.data_file.sync_in_place()?;
        match self.blob().map_err(CommitError::io(Doing::LookForBlobFiles))? {
            None => Ok(()),
            Some(name) => Err(CommitError::BlobFile { name }),
        }
    }

    /// Closes sled, which flushes and syncs once more and may panic over it.
    pub(super) fn close(self) -> Result<(), io::Error> {
        no_panic(|| {
            drop(self);
            Ok(())
        })
    }

    /// Leaves sled as it is until the process ends: closing it would sync again, and a sync after one that failed
    /// may claim success for pages that the kernel has dropped (order-life, rule 7).
    pub(super) fn abandon(self) {
        std::mem::forget(self);
    }
}

fn cannot_open(text: String) -> Refusal {
    Refusal::Damage(Damage::CannotOpen { text: Said::word(text) })
}

fn no_panic<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, io::Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(e))) => Err(e),
        Ok(Err(e)) => Err(io::Error::other(e)),
        Err(panic) => Err(io::Error::other(panic_text(&*panic))),
    }
}

fn delete_torn_snapshots(folder: &Path) -> Result<(), Refusal> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) if is_of_the_files(e.kind()) => return Err(cannot_open(e.to_string())),
        other => other.map_err(OpenError::io(Doing::Read, folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(OpenError::io(Doing::Read, folder))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path()).map_err(OpenError::io(Doing::Delete, &entry.path()))?;
        }
    }
    Ok(())
}

/// A file of the journal, by a handle of our own: sled's `db`, which sled syncs through no handle of its, or the lead. A
/// clone is the same handle.
#[derive(Debug, Clone)]
pub(super) struct DataFile {
    file: Arc<File>,
    path: PathBuf,
    /// What [`identity`] said when it was opened.
    identity: (u32, u32, u64),
    /// It lies on a file system that writes in place whenever it writes. Others would put what they write before the sync
    /// somewhere else, and have more to sync.
    begins_early: bool,
    /// A sync that fails, for tests.
    #[cfg(test)]
    pub(super) failing: Option<io::ErrorKind>,
    /// How long a sync lasts at least, for tests.
    #[cfg(test)]
    pub(super) lasting: std::time::Duration,
}

/// Device and inode of what a name leads to, or of the open file itself where there is no name.
///
/// Asks for nothing else. Whoever asks for a file's times has the kernel (6.13 and later) note that they were read, and
/// give the next write a time of its own; on a file system without a journal each sync then writes the inode as well
/// (`docs/budget.md`).
fn identity(of: impl AsFd, name: &Path) -> io::Result<(u32, u32, u64)> {
    use rustix::fs::{AtFlags, StatxFlags};
    let how = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    let found = rustix::fs::statx(of, name, how, StatxFlags::INO)?;
    Ok((found.stx_dev_major, found.stx_dev_minor, found.stx_ino))
}

/// Has the kernel drop a file's clean pages: what is read next comes from the disk.
pub(super) fn drop_clean_pages(file: &File) {
    // Advice only: what stays is as it was.
    if let Err(e) = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed) {
        tracing::debug!("the kernel keeps the journal's pages: {e}");
    }
}

impl DataFile {
    /// Opens `db` in sled's folder, to be synced.
    pub(super) fn of_sled(folder: &Path) -> Result<DataFile, OpenError> {
        DataFile::open(folder.join(DB), false).map_err(|(path, e)| OpenError::io(Doing::Open, &path)(e))
    }

    /// Opens the lead, to be written and synced.
    pub(super) fn of_lead(path: &Path) -> Result<DataFile, OpenError> {
        DataFile::open(path.to_owned(), true).map_err(|(path, e)| OpenError::io(Doing::Open, &path)(e))
    }

    fn open(path: PathBuf, writes: bool) -> Result<DataFile, (PathBuf, io::Error)> {
        let opened = File::options().read(true).write(writes).open(&path);
        let (file, identity) = match opened.and_then(|file| identity(&file, Path::new("")).map(|is| (file, is))) {
            Ok(opened) => opened,
            Err(e) => return Err((path, e)),
        };
        Ok(DataFile {
            // The one that was measured (`docs/budget.md`).
            begins_early: home::kind_of_file_system(&file) == Some(home::EXT4),
            file: Arc::new(file),
            path,
            identity,
            #[cfg(test)]
            failing: None,
            #[cfg(test)]
            lasting: std::time::Duration::ZERO,
        })
    }

    /// Has the kernel drop the file's clean pages, so that it keeps what is written from now on in small pieces. sled
    /// fills free segments in one piece of 512 KiB when it opens, and newer kernels keep that as one large folio: each
    /// commit of 500 bytes then marked half a megabyte as written (`docs/budget.md`). What is not yet on the disk stays.
    pub(super) fn drop_clean_pages(&self) {
        drop_clean_pages(&self.file);
    }

    /// The path still leads to the file that was opened.
    fn is_in_place(&self) -> io::Result<bool> {
        match identity(rustix::fs::CWD, &self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map(|found| found == self.identity),
        }
    }

    /// Writes within the file's length.
    pub(super) fn write(&self, bytes: &[u8], at: usize) -> io::Result<()> {
        self.file.write_all_at(bytes, at as u64)
    }

    /// Has the kernel begin to write this to the disk, which it else does only when it is synced: what we do until then costs
    /// a vend no time. Not of what is larger than a page, whose pages it would try to drop as well.
    pub(super) fn begin_write_out(&self, at: usize, length_bytes: usize) {
        if !self.begins_early || length_bytes >= PAGE_BYTES {
            return;
        }
        let length = std::num::NonZeroU64::new(length_bytes as u64);
        // Advice only: the sync writes what this did not.
        if let Err(e) = rustix::fs::fadvise(&*self.file, at as u64, length, rustix::fs::Advice::DontNeed) {
            tracing::trace!("the kernel takes its time: {e}");
        }
    }

    /// Makes durable what was written, wherever the name leads now: whoever moved the file away is told.
    pub(super) fn sync_in_place(&self) -> Result<(), CommitError> {
        if !self.is_in_place().map_err(CommitError::io(Doing::LookAtJournalsFile))? {
            return Err(CommitError::FileReplaced);
        }
        self.sync().map_err(CommitError::io(Doing::SyncJournal))
    }

    /// fdatasync.
    pub(super) fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        std::thread::sleep(self.lasting);
        #[cfg(test)]
        if let Some(kind) = self.failing {
            return Err(kind.into());
        }
        self.file.sync_data()
    }
}

/// The format that this program knows, beside one that it does not.
pub(super) fn newer(found: u8) -> OpenError {
    OpenError::Newer { found, known: FORMAT }
}
