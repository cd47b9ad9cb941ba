//! The motor mark in the running kernel's memory: a small file on a tmpfs (`order::mark` says what it proves).
//!
//! Only a tmpfs will do. It lives as long as the kernel, no device can fail under it, and nothing of it reaches the
//! flash. On a disk a page whose writing failed may be dropped, and an older mark would come back as a false proof.

use crate::order::mark::{Mark, MarkId};
use crate::order::time::BootId;
use rustix::fs::{FlockOperation, Mode, OFlags, StatFs, fchmod, flock, fstatfs, open, statfs};
use rustix::io::{Errno, pread, pwrite};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// `TMPFS_MAGIC` of the kernel's `linux/magic.h`.
const TMPFS: i64 = 0x0102_1994;
/// Name, boot, sequence and check sum.
const BYTES: usize = 16 + 16 + 8 + 4;

/// Why there is no mark. The vend goes on without it; a crash then leaves *unknown* where it would have helped.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// Not on a tmpfs.
    #[error("{} is not on a tmpfs; put [control] socket into a folder below /run", path.display())]
    NotInMemory {
        /// The file.
        path: PathBuf,
    },
    /// Another agent keeps it.
    #[error("{} is another agent's; give each agent a [control] socket of its own", path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The open mark of this life. The kernel keeps all others from it for as long as this lives: an agent that does not
/// know how far another's motor commands have come would lower the mark.
#[derive(Debug)]
pub struct MotorMark {
    file: OwnedFd,
    id: MarkId,
    boot_id: BootId,
    /// It never goes down, whatever older journal is put back under it in the same boot.
    written: AtomicU64,
}

impl MotorMark {
    /// Where the mark of an agent lies: beside its control socket, which no two agents should share.
    #[must_use]
    pub fn path(control_socket: &Path) -> PathBuf {
        control_socket.with_extension("mark")
    }

    /// Opens the mark, or makes a new one, which no journal names yet. What the last life left in it comes back too.
    ///
    /// # Errors
    /// See [`MarkError`].
    pub fn open(path: &Path, boot_id: BootId) -> Result<(MotorMark, Mark), MarkError> {
        let failed = |source: Errno| MarkError::Io { path: path.to_owned(), source: source.into() };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = open(path, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        if !is_tmpfs(&fstatfs(&file).map_err(failed)?) {
            return Err(MarkError::NotInMemory { path: path.to_owned() });
        }
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|refused| match refused {
            Errno::WOULDBLOCK => MarkError::Held { path: path.to_owned() },
            other => failed(other),
        })?;
        fchmod(&file, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        let mut bytes = [0; BYTES];
        let read = pread(&file, &mut bytes, 0).map_err(failed)?;
        let found = decode(bytes.get(..read).unwrap_or_default()).filter(|mark| mark.boot_id == boot_id);
        let mark = found.unwrap_or_else(|| {
            let mut id = [0; 16];
            id.fill_with(|| fastrand::u8(..));
            Mark { id: MarkId(id), boot_id, written: 0 }
        });
        let opened = MotorMark { file, id: mark.id, boot_id, written: AtomicU64::new(mark.written) };
        // The first write takes the page, so that later ones have their room; and it shows that there will be later ones.
        opened.set(mark.written).map_err(|source| MarkError::Io { path: path.to_owned(), source })?;
        Ok((opened, mark))
    }

    /// From now on, bytes of this intent, and of all before, may have been written.
    ///
    /// # Errors
    /// The system's. Then nothing of the intent may be written.
    pub fn set(&self, written: u64) -> io::Result<()> {
        let highest = self.written.fetch_max(written, Ordering::Relaxed).max(written);
        let bytes = encode(&Mark { id: self.id, boot_id: self.boot_id, written: highest });
        match pwrite(&self.file, &bytes, 0)? {
            BYTES => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

/// Whether a mark in this directory would be in memory.
///
/// # Errors
/// The system's.
pub fn lies_in_memory(directory: &Path) -> io::Result<bool> {
    Ok(is_tmpfs(&statfs(directory)?))
}

fn is_tmpfs(found: &StatFs) -> bool {
    #[allow(clippy::useless_conversion, reason = "the field has 32 bits on 32-bit ARM controllers")]
    let kind = i64::from(found.f_type);
    kind == TMPFS
}

fn encode(mark: &Mark) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let (name, rest) = bytes.split_at_mut(16);
    let (boot, rest) = rest.split_at_mut(16);
    let (written, check) = rest.split_at_mut(8);
    name.copy_from_slice(&mark.id.0);
    boot.copy_from_slice(&mark.boot_id.0);
    written.copy_from_slice(&mark.written.to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    for part in [name, boot, written] {
        sum.update(part);
    }
    check.copy_from_slice(&sum.finalize().to_le_bytes());
    bytes
}

/// Nothing when it was not written by [`encode`], whole.
fn decode(bytes: &[u8]) -> Option<Mark> {
    let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
    let id = MarkId(bytes.first_chunk().copied()?);
    let boot_id = BootId(bytes.get(16..)?.first_chunk().copied()?);
    let written = u64::from_le_bytes(bytes.get(32..)?.first_chunk().copied()?);
    let mark = Mark { id, boot_id, written };
    (encode(&mark) == *bytes).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: BootId = BootId([3; 16]);

    fn memory() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").unwrap()
    }

    #[test]
    fn a_mark_outlives_its_process_and_not_its_boot() {
        let folder = memory();
        let path = MotorMark::path(&folder.path().join("control.sock"));
        let (first, found) = MotorMark::open(&path, BOOT).unwrap();
        first.set(42).unwrap();
        first.set(41).unwrap();
        drop(first);
        let (_, again) = MotorMark::open(&path, BOOT).unwrap();
        assert_eq!((again.id, again.written), (found.id, 42));
        let (_, elsewhere) = MotorMark::open(&path, BootId([4; 16])).unwrap();
        assert_ne!(elsewhere.id, found.id, "no journal names it");
    }

    #[test]
    fn a_mark_that_another_agent_keeps_is_left_to_it_and_never_lowered() {
        let folder = memory();
        let path = folder.path().join("control.mark");
        let (first, found) = MotorMark::open(&path, BOOT).unwrap();
        let refused = MotorMark::open(&path, BOOT).unwrap_err();
        assert!(refused.to_string().contains("[control] socket"), "{refused}");
        first.set(50).unwrap();
        drop(first);
        assert_eq!(MotorMark::open(&path, BOOT).unwrap().1, Mark { written: 50, ..found });
    }

    #[test]
    fn a_mark_that_is_damaged_is_a_new_one() {
        let folder = memory();
        let path = folder.path().join("control.mark");
        let (mark, found) = MotorMark::open(&path, BOOT).unwrap();
        mark.set(7).unwrap();
        drop(mark);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut spoilt = whole.clone();
            spoilt[at] ^= 1;
            std::fs::write(&path, &spoilt).unwrap();
            let (_, again) = MotorMark::open(&path, BOOT).unwrap();
            assert_ne!(again.id, found.id, "byte {at}");
        }
        std::fs::write(&path, &whole[..20]).unwrap();
        assert_ne!(MotorMark::open(&path, BOOT).unwrap().1.id, found.id);
    }

    #[test]
    fn a_mark_on_a_disk_is_refused() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let on_disk = fstatfs(std::fs::File::open(folder.path()).unwrap()).unwrap();
        if on_disk.f_type == TMPFS {
            println!("SKIPPED: this checkout lies on a tmpfs");
            return;
        }
        let refused = MotorMark::open(&folder.path().join("control.mark"), BOOT).unwrap_err();
        assert!(matches!(refused, MarkError::NotInMemory { .. }), "{refused}");
        assert!(refused.to_string().contains("/run"), "{refused}");
    }

    #[test]
    fn a_mark_in_a_folder_that_is_not_there_says_which() {
        let refused = MotorMark::open(Path::new("/dev/shm/no-such-folder/control.mark"), BOOT).unwrap_err();
        assert!(refused.to_string().starts_with("/dev/shm/no-such-folder/control.mark: "), "{refused}");
    }
}
