//! The end of a quarantine by a person, who accepts that orders may be lost, and the next start makes a new journal; or
//! who says that a journal lies where it belongs.

use super::damage::{advice, whom};
use super::doing::Doing;
use super::home::{self, Fact, Home};
use super::layout::{self, Layout};
use super::lock::{LockError, StateLock};
use super::note;
use crate::order::time::UnixMs;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a quarantine was not ended.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The agent runs.
    #[error("the state directory {} is in use by {}; stop it first", .state_dir.display(), whom(.holder).en)]
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
    /// Nothing speaks against its place.
    #[error("the journal in {} lies where it was written; nothing was changed", .state_dir.display())]
    NotMoved {
        /// The directory.
        state_dir: PathBuf,
    },
    /// The reason says nothing.
    #[error("a reason is wanted; it is kept in journal.losses")]
    NoReason,
    /// The file system does not let us. What was done so far stays, and the quarantine too: try again.
    #[error("cannot {} {}: {source}{}", .doing.as_str(), .path.display(), advice(.source).en)]
    Io {
        /// What was tried.
        doing: Doing,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl AcceptError {
    fn io(doing: Doing, path: &Path) -> impl FnOnce(io::Error) -> AcceptError {
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
    let reason = one_line(reason)?;
    let layout = Layout::of(state_dir);
    let noted = layout::exists(&layout.quarantine).map_err(AcceptError::io(Doing::LookAt, &layout.quarantine))?;
    let elsewhere = home::doubt(&layout).map_err(AcceptError::io(Doing::Read, &layout.home))?;
    if !noted && elsewhere.is_empty() {
        return Err(AcceptError::NotQuarantined { state_dir: layout.state_dir });
    }
    let _lock = lock(&layout)?;
    let damage = match noted {
        true => {
            let text = std::fs::read_to_string(&layout.quarantine);
            note::read(&text.map_err(AcceptError::io(Doing::Read, &layout.quarantine))?).en
        }
        false => format!("it lay elsewhere: {}", Fact::list(&elsewhere).en),
    };
    let line = format!("{} s after 1970: {reason} | {damage}\n", at.seconds());
    append(&layout, &line).map_err(AcceptError::io(Doing::Write, &layout.losses))?;
    // The note of the quarantine, or what tells that it lay elsewhere, last: if power fails before, the quarantine lasts.
    layout
        .set_aside("lost", &[&layout.journal, &layout.marker, &layout.second, &layout.quarantine, &layout.home])
        .map_err(AcceptError::io(Doing::SetAside, &layout.journal))
}

/// Binds the journal to where it lies now, and adds a line with `reason` and `at` to `journal.losses`. Its orders and
/// results are kept. The next start begins as with a new journal for all that is to be driven: what was issued before it
/// ends *unknown*, since it may have been served by a newer journal than this (order-life, rule 6).
///
/// # Errors
/// See [`AcceptError`]. After any of them the doubt lasts.
pub fn accept_move(state_dir: &Path, reason: &str, at: UnixMs) -> Result<(), AcceptError> {
    let reason = one_line(reason)?;
    let layout = Layout::of(state_dir);
    let differs = home::doubt(&layout).map_err(AcceptError::io(Doing::Read, &layout.home))?;
    if differs.is_empty() {
        return Err(AcceptError::NotMoved { state_dir: layout.state_dir });
    }
    let _lock = lock(&layout)?;
    let line = format!("{} s after 1970: {reason} | moved: {}\n", at.seconds(), Fact::list(&differs).en);
    append(&layout, &line).map_err(AcceptError::io(Doing::Write, &layout.losses))?;
    Home::accepted(&layout).write(&layout).map_err(AcceptError::io(Doing::Write, &layout.home))
}

/// One line in `journal.losses`, whatever was typed.
fn one_line(reason: &str) -> Result<String, AcceptError> {
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    if reason.is_empty() { Err(AcceptError::NoReason) } else { Ok(reason) }
}

fn lock(layout: &Layout) -> Result<StateLock, AcceptError> {
    StateLock::exclusive(&layout.lock).map_err(|e| match e {
        LockError::Held(holder) => AcceptError::InUse { state_dir: layout.state_dir.clone(), holder },
        LockError::Io(e) => AcceptError::io(Doing::Lock, &layout.lock)(e),
    })
}

fn append(layout: &Layout, line: &str) -> io::Result<()> {
    let mut file = File::options().append(true).create(true).open(&layout.losses)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    layout::sync_dir(&layout.state_dir)
}
