//! What can be said of a journal from outside: without its lock, without opening it, without changing anything.

use super::layout::Layout;
use super::lock;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// sled's folder has one level of folders below it; more would be somebody else's.
const DEPTH_MAX: u32 = 4;

/// A journal from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outside {
    /// What its files take, in bytes; nothing when there is none, or when it may not be looked at.
    pub bytes: Option<u64>,
    /// When it was last written, in Unix seconds of the wall clock then.
    pub written_s: Option<u64>,
}

impl Outside {
    /// The journal of a state directory.
    #[must_use]
    pub fn of(state_dir: &Path) -> Outside {
        let layout = Layout::of(state_dir);
        let written = fs::metadata(&layout.second).ok();
        Outside {
            bytes: bytes_below(&layout.journal, DEPTH_MAX).ok(),
            written_s: written.and_then(|found| u64::try_from(found.mtime()).ok()),
        }
    }
}

fn bytes_below(folder: &Path, depth: u32) -> io::Result<u64> {
    let mut bytes: u64 = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes = bytes.saturating_add(match found.is_dir() {
            true if depth > 0 => bytes_below(&entry.path(), depth - 1)?,
            true => 0,
            // What it takes of the disk: a file with holes is smaller than it seems.
            false => found.blocks().saturating_mul(512),
        });
    }
    Ok(bytes)
}

/// Who holds the lock of a state directory: nothing when there is no lock, then nothing when nobody does. The lock is
/// not touched, so that a daemon that starts at this moment does not find it held.
///
/// # Errors
/// When the lock file or the kernel's list of locks may not be looked at.
pub fn lock_holder(state_dir: &Path) -> io::Result<Option<Option<u32>>> {
    let path = Layout::of(state_dir).lock;
    let inode = match fs::metadata(&path) {
        Ok(found) => found.ino(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let holder = lock::holder(inode)?.filter(|pid| has_open(*pid, inode));
    Ok(Some(holder))
}

/// Whether a process has a file with this number open: inodes are numbered by each file system anew, and the list of
/// locks does not say reliably which one is meant. A process that may not be looked at is believed to be the one.
fn has_open(pid: u32, inode: u64) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return true };
    entries.flatten().any(|entry| fs::metadata(entry.path()).is_ok_and(|found| found.ino() == inode))
}
