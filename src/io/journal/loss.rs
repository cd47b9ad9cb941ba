//! The end of a quarantine: a person accepts that orders may be lost, and the next start makes a new journal.

use super::damage::{advice, whom};
use super::layout::{self, Layout};
use super::lock::{LockError, StateLock};
use crate::order::time::UnixMs;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a quarantine was not ended.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The agent runs.
    #[error("the state directory {} is in use by {}; stop it first", .state_dir.display(), whom(.holder))]
    InUse {
        /// The directory.
        state_dir: PathBuf,
        /// The process, when the kernel says so.
        holder: Option<u32>,
    },
    /// No start of the agent found damage here.
    #[error("the journal in {} is not in quarantine; nothing was changed", .state_dir.display())]
    NotQuarantined {
        /// The directory.
        state_dir: PathBuf,
    },
    /// The reason says nothing.
    #[error("a reason is wanted; it is kept in journal.losses")]
    NoReason,
    /// The file system does not let us. What was done so far stays, and the quarantine too: try again.
    #[error("cannot {doing} {}: {source}{}", .path.display(), advice(.source))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl AcceptError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AcceptError {
        move |source| AcceptError::Io { doing, path: path.to_owned(), source }
    }
}

/// Sets everything of the journal aside in a numbered folder, which is returned, and adds a line with `reason` and
/// `at` to `journal.losses`. The next [`super::Store::open`] makes a new journal, with its birth barrier (order-life,
/// rules 5 and 6).
///
/// # Errors
/// See [`AcceptError`]. After any of them the quarantine lasts.
pub fn accept_loss(state_dir: &Path, reason: &str, at: UnixMs) -> Result<PathBuf, AcceptError> {
    // One line a loss, whatever was typed.
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    if reason.is_empty() {
        return Err(AcceptError::NoReason);
    }
    let layout = Layout::of(state_dir);
    let state_dir = &layout.state_dir;
    if !layout::exists(&layout.quarantine).map_err(AcceptError::io("look at", &layout.quarantine))? {
        return Err(AcceptError::NotQuarantined { state_dir: state_dir.clone() });
    }
    let _lock = StateLock::exclusive(&layout.lock).map_err(|e| match e {
        LockError::Held(holder) => AcceptError::InUse { state_dir: state_dir.clone(), holder },
        LockError::Io(e) => AcceptError::io("lock", &layout.lock)(e),
    })?;
    let damage = std::fs::read_to_string(&layout.quarantine).map_err(AcceptError::io("read", &layout.quarantine))?;
    let line = format!("{} s after 1970: {reason} | {damage}\n", at.seconds());
    append(&layout, &line).map_err(AcceptError::io("write", &layout.losses))?;
    // The note of the quarantine last: if power fails before, the quarantine lasts.
    layout
        .set_aside("lost", &[&layout.journal, &layout.marker, &layout.second, &layout.quarantine])
        .map_err(AcceptError::io("set aside", &layout.journal))
}

fn append(layout: &Layout, line: &str) -> io::Result<()> {
    let mut file = File::options().append(true).create(true).open(&layout.losses)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    layout::sync_dir(&layout.state_dir)
}
