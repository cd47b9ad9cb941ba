//! What can be wrong with a journal, and what stands in the way of one that may be sound.

use super::digest::Digest;
use super::doing::{Doing, Part};
use super::home::Fact;
use super::value::Unreadable;
use crate::order::said::Said;
use std::io;
use std::path::{Path, PathBuf};

/// Something is lost, or nothing proves that nothing is: quarantine (order-life, rule 5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A journal was born here and its folder is gone.
    #[error("the journal's folder is gone; orders that were in it are lost")]
    JournalMissing,
    /// sled's file was here, and is gone.
    #[error("journal/db is gone; what the lead no longer holds is lost")]
    SledMissing,
    /// The folder holds commits, and the marker of its birth is gone.
    #[error("the creation marker is gone beside a journal with {records} records, which has seen {counter} commits")]
    MarkerMissing {
        /// Records that can be read.
        records: usize,
        /// The newest commit; 0 when no digest can be read.
        counter: u64,
    },
    /// sled refuses the folder.
    #[error("the journal cannot be opened: {}", .text.en)]
    CannotOpen {
        /// What sled said.
        text: Said,
    },
    /// sled fails while it reads, or gave up in the middle.
    #[error("the journal cannot be read to its end: {}", .text.en)]
    CannotRead {
        /// What sled said.
        text: Said,
    },
    /// Every commit writes a digest, and there is none.
    #[error("the journal has no digest, which each of its commits writes; whether records are missing is unknown")]
    DigestMissing,
    /// The digest's bytes are not what was written.
    #[error("the journal's digest {0}")]
    DigestUnreadable(Unreadable),
    /// The digest is not that of the records that are there.
    #[error("the journal should hold {expected} and holds {found}: records are missing, too many or out of date")]
    Digest {
        /// What the newest commit wrote.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
    /// A record's bytes are not what was written.
    #[error("{count} records cannot be read; the first, {}, {why}", .key.escape_ascii())]
    Records {
        /// How many.
        count: usize,
        /// The key of the first.
        key: Vec<u8>,
        /// What is wrong with the first.
        why: Unreadable,
    },
    /// A key that no program ever wrote.
    #[error("the journal holds a key that vend never writes: {}", .key.escape_ascii())]
    ForeignKey {
        /// The key.
        key: Vec<u8>,
    },
    /// sled moved a record to a file of its own, which it never syncs. Values are kept too small for that.
    #[error("the journal holds a blob file, {name}, which is never synced and which vend's records are too small for")]
    BlobFile {
        /// Its name below `journal/blobs`.
        name: String,
    },
    /// The second file is gone. It is durable before the marker is, so no power cut explains that.
    #[error("the second file is gone; whether the journal has lost its newest commits is unknown")]
    SecondFileMissing,
    /// No slot of the second file is whole. They are written in turn, so no power cut explains that.
    #[error("neither slot of the second file can be read; whether the journal has lost its newest commits is unknown")]
    SecondFileUnreadable,
    /// The second file saw commits that the journal lost.
    #[error("the journal has lost commits: it stands at {journal}, and {second} was durable")]
    SecondFileAhead {
        /// The journal's newest commit.
        journal: u64,
        /// The second file's.
        second: u64,
    },
    /// Both are at the same commit and disagree about it.
    #[error("the journal holds {journal} and the second file says {second}")]
    SecondFileDiffers {
        /// The journal's digest.
        journal: Digest,
        /// The second file's.
        second: Digest,
    },
    /// The digest says that there is a lead. It is durable before the digest is, so no power cut explains that.
    #[error("journal/lead is gone, and the newest commits with it; sled's part of the journal is of commit {counter}")]
    LeadMissing {
        /// The newest commit that sled has.
        counter: u64,
    },
    /// It is written in its whole length before the digest speaks of it, so no power cut explains that either.
    #[error("journal/lead has {found_bytes} bytes instead of {expected_bytes}; newer commits may be lost")]
    LeadCut {
        /// Its length.
        found_bytes: u64,
        /// What it has been written with.
        expected_bytes: usize,
    },
    /// A commit is there that was written after others that are not: a power cut takes the last one only.
    #[error("the journal has lost commits: what can be read ends with {last}, and {beyond} lies beyond it")]
    Hole {
        /// The last that can be reached.
        last: u64,
        /// The first beyond.
        beyond: u64,
    },
    /// A commit in the lead is whole, and is none of this journal's.
    #[error("commit {counter} says that the journal then held {expected}, and it holds {found}")]
    Lead {
        /// The commit.
        counter: u64,
        /// What it says.
        expected: Digest,
        /// What holds after its changes.
        found: Digest,
    },
    /// It is whole, and lies elsewhere than where it was written: a clone, a backup, or a machine with a new part. Back in
    /// its place it is sound again.
    #[error(
        "the journal was not written where it lies now ({}): a cloned card, a backup, or an exchanged part. Orders that \
         were served since may be missing in it. If no other machine goes on with it, and this is its place now: vend \
         journal accept-move --reason TEXT",
        Fact::list(.differs).en
    )]
    Elsewhere {
        /// What differs.
        differs: Vec<Fact>,
    },
    /// A former start found damage and no person has ended the quarantine since.
    #[error("{} (found at an earlier start)", .text.en)]
    Earlier {
        /// What was found then.
        text: Said,
    },
}

/// Why a journal cannot be opened now, though nothing says that it is damaged.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works in the state directory.
    #[error("the state directory {} is in use by {}; only one vend may work in it", .state_dir.display(), whom(.holder).en)]
    InUse {
        /// The directory.
        state_dir: PathBuf,
        /// The process, when the kernel says so.
        holder: Option<u32>,
    },
    /// A newer vend wrote here.
    #[error(
        "the journal is of format {found}, and this vend knows formats up to {known}: install the newer vend again"
    )]
    Newer {
        /// The format found.
        found: u8,
        /// [`super::FORMAT`].
        known: u8,
    },
    /// The file system does not let us.
    #[error("cannot {} {}: {source}{}", .doing.as_str(), .path.display(), advice(.source).en)]
    Io {
        /// What was tried.
        doing: Doing,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A new journal could not be made, for no reason that the file system gave.
    #[error("a new journal cannot be made: {}", .text.en)]
    Birth {
        /// What sled said.
        text: Said,
    },
}

impl OpenError {
    /// For `map_err` beside an I/O call.
    pub(super) fn io(doing: Doing, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
        move |source| OpenError::Io { doing, path: path.to_owned(), source }
    }
}

/// The holder of a lock, in words.
pub(super) fn whom(holder: &Option<u32>) -> Said {
    match holder {
        Some(process) => Said::new(format!("process {process}"), format!("进程 {process}")),
        None => Said::new("another process", "另一进程"),
    }
}

/// What the user can do about an I/O error; starts with a separator, or is empty.
pub(super) fn advice(e: &io::Error) -> Said {
    match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Said::new("; make space, nothing is lost", "；请腾出空间，数据不会丢失")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            Said::new("; mount the file system for writing", "；请以可写方式挂载文件系统")
        }
        io::ErrorKind::PermissionDenied => {
            Said::new("; run as the user who owns the state directory", "；请以状态目录所属用户的身份运行")
        }
        _ => Said::word(""),
    }
}

/// Why a commit is not durable. Every later commit of the same [`super::Store`] fails with the same error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A key or value over its limit; nothing was written.
    #[error("a journal entry has a {} of {found_bytes} bytes; at most {limit_bytes} are allowed", .what.as_str())]
    TooLarge {
        /// Its key or its value.
        what: Part,
        /// Its length.
        found_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// The disk is full.
    #[error("the disk is full while it was to {}; make space, and nothing that was acknowledged is lost", .doing.as_str())]
    StorageFull {
        /// The step.
        doing: Doing,
    },
    /// A step failed.
    #[error("cannot {}: {}", .doing.as_str(), .text.en)]
    Failed {
        /// The step.
        doing: Doing,
        /// What sled or the system said.
        text: Said,
    },
    /// The record that is to be replaced cannot be read.
    #[error("the journal's record {} {why}", .key.escape_ascii())]
    Unreadable {
        /// Its key.
        key: Vec<u8>,
        /// What is wrong with it.
        why: Unreadable,
    },
    /// `journal/db` is no longer the file that was opened: what is written now goes nowhere.
    #[error("the journal's file was moved, deleted or replaced while vend was running")]
    FileReplaced,
    /// sled wrote a blob file, which it never syncs.
    #[error("the journal wrote a blob file, {name}, which is never synced")]
    BlobFile {
        /// Its name below `journal/blobs`.
        name: String,
    },
}

/// There is no space.
pub(super) fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl CommitError {
    /// For `map_err` beside an I/O call.
    pub(super) fn io(doing: Doing) -> impl FnOnce(io::Error) -> CommitError {
        move |e| match is_full(&e) {
            true => CommitError::StorageFull { doing },
            false => CommitError::Failed { doing, text: Said::word(e.to_string()) },
        }
    }
}
