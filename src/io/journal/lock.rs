//! One process per state directory (order-life, rule 8).

use crate::sabotage::{self, Clause};
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How often a lock is tried for before it is called held: `vend journal dump` holds it while it copies, and a
/// process that was just killed may hold sled's own lock a moment longer than ours.
const ATTEMPTS: u32 = 40;
/// Pause between attempts; with [`ATTEMPTS`] two seconds in all.
const PAUSE: Duration = Duration::from_millis(50);

/// The state directory is ours for as long as this lives. The kernel gives the lock back when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process holds it; who, when the kernel says so.
    Held(Option<u32>),
    /// The lock file cannot be opened or locked.
    Io(io::Error),
}

impl StateLock {
    /// Takes the lock that excludes all others, making its file when there is none.
    pub(super) fn exclusive(path: &Path) -> Result<StateLock, LockError> {
        let file = File::options().write(true).create(true).truncate(false).open(path).map_err(LockError::Io)?;
        wait_for(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(StateLock { _file: file })
    }

    /// Takes the lock of one who only reads. Makes no file: without one, nobody holds the directory.
    pub(super) fn shared(path: &Path) -> Result<Option<StateLock>, LockError> {
        let file = match File::open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(LockError::Io)?,
        };
        wait_for(&file, FlockOperation::NonBlockingLockShared)?;
        Ok(Some(StateLock { _file: file }))
    }
}

/// Waits until nobody holds the lock of `file`, as sled takes it on its `db`.
pub(super) fn wait_until_free(path: &Path) -> Result<(), LockError> {
    match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // Closing the file gives the lock back.
        other => wait_for(&other.map_err(LockError::Io)?, FlockOperation::NonBlockingLockExclusive),
    }
}

fn wait_for(file: &File, operation: FlockOperation) -> Result<(), LockError> {
    for attempt in 1..=ATTEMPTS {
        match rustix::fs::flock(file, operation) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if sabotage::is_out(Clause::R08OneProcess) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if attempt < ATTEMPTS => std::thread::sleep(PAUSE),
            Err(rustix::io::Errno::WOULDBLOCK) => break,
            Err(other) => return Err(LockError::Io(other.into())),
        }
    }
    let inode = file.metadata().map(|found| found.ino());
    Err(LockError::Held(inode.and_then(holder).unwrap_or(None)))
}

/// Who holds the lock of the file with this number, from `/proc/locks`: lines like
/// `1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF`.
pub(super) fn holder(inode: u64) -> io::Result<Option<u32>> {
    let inode = inode.to_string();
    let locks = std::fs::read_to_string("/proc/locks")?;
    Ok(locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, process, place, ..] = words[..] else { return None };
        (place.rsplit(':').next() == Some(inode.as_str())).then(|| process.parse().ok()).flatten()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_the_first_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = StateLock::exclusive(&path).unwrap();
        for attempt in [StateLock::exclusive(&path).map(|_| ()), StateLock::shared(&path).map(|_| ())] {
            let Err(LockError::Held(holder)) = attempt else { panic!("{attempt:?}") };
            if std::fs::read_to_string("/proc/locks").is_ok_and(|locks| !locks.is_empty()) {
                assert_eq!(holder, Some(std::process::id()));
            } else {
                eprintln!("SKIPPED: this kernel does not show /proc/locks, so the holder's name was not checked");
            }
        }
        drop(first);
        assert!(StateLock::exclusive(&path).is_ok());
    }

    #[test]
    fn who_only_reads_makes_no_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(StateLock::shared(&dir.path().join("lock")).unwrap().is_none());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
