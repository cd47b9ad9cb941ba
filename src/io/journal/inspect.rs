//! Looking into a journal that nobody uses, without changing it: sled changes what it opens, so a private copy is
//! opened.

use super::damage::{Damage, OpenError, whom};
use super::database::{Contents, Refusal};
use super::digest::Digest;
use super::doing::Doing;
use super::held::Held;
use super::layout::{self, Layout};
use super::lock::{LockError, StateLock};
use super::note;
use super::opening::{self, compare};
use super::second_file;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What stands in a journal.
#[derive(Debug, Default)]
pub struct Inspected {
    /// What is wrong with it; None when it is sound.
    pub damage: Option<Damage>,
    /// Every record that can be read, damaged journal or not, sorted by key.
    pub records: Vec<(Vec<u8>, Vec<u8>)>,
    /// The core's own small record.
    pub meta: Option<Vec<u8>>,
}

/// Why nothing can be said about a journal.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The agent runs.
    #[error("the state directory {} is in use by {}; stop it, or ask it", .state_dir.display(), whom(.holder).en)]
    InUse {
        /// The directory.
        state_dir: PathBuf,
        /// The process, when the kernel says so.
        holder: Option<u32>,
    },
    /// No journal was ever born here.
    #[error("there is no journal in {}", .state_dir.display())]
    Absent {
        /// The directory.
        state_dir: PathBuf,
    },
    /// The copy cannot be made.
    #[error("cannot copy {} to {}: {source}", .from.display(), .to.display())]
    Copy {
        /// What was copied.
        from: PathBuf,
        /// Where to; `TMPDIR` says where that is.
        to: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The copy cannot be opened, for reasons that are not the journal's.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// No agent begins in this state directory while this is held; nothing where none ever began.
///
/// # Errors
/// [`InspectError::InUse`] while an agent runs there.
pub fn hold_unused(state_dir: &Path) -> Result<Option<StateLock>, InspectError> {
    let layout = Layout::of(state_dir);
    StateLock::shared(&layout.lock).map_err(|e| match e {
        LockError::Held(holder) => InspectError::InUse { state_dir: state_dir.to_owned(), holder },
        LockError::Io(e) => OpenError::io(Doing::Lock, &layout.lock)(e).into(),
    })
}

/// Reads a state directory offline. Changes nothing in it.
///
/// # Errors
/// See [`InspectError`]. Damage is no error: it is said in [`Inspected`], beside all that can still be read.
pub fn read_copy(state_dir: &Path) -> Result<Inspected, InspectError> {
    let layout = Layout::of(state_dir);
    let exists = |path: &Path| layout::exists(path).map_err(OpenError::io(Doing::LookAt, path));
    let born = exists(&layout.marker)? || exists(&layout.second)?;
    let copy = {
        let _lock = hold_unused(state_dir)?;
        if !exists(&layout.journal)? {
            return match (born, exists(&layout.quarantine)?) {
                (false, false) => Err(InspectError::Absent { state_dir: state_dir.to_owned() }),
                _ => Ok(Inspected { damage: Some(Damage::JournalMissing), ..Inspected::default() }),
            };
        }
        PrivateCopy::make(&layout)?
    };
    let mut inspected = look_into(&copy.layout)?;
    if inspected.damage.is_none() && opening::lost_sled(&layout)? {
        inspected.damage = Some(Damage::SledMissing);
    }
    if inspected.damage.is_none() && exists(&layout.quarantine)? {
        let text = fs::read_to_string(&layout.quarantine).map_err(OpenError::io(Doing::Read, &layout.quarantine))?;
        inspected.damage = Some(Damage::Earlier { text: note::read(&text) });
    }
    Ok(inspected)
}

fn look_into(layout: &Layout) -> Result<Inspected, OpenError> {
    let damaged = |damage| Ok(Inspected { damage: Some(damage), ..Inspected::default() });
    let (held, contents, verdict) = match Held::read(layout) {
        Ok(read) => read,
        Err(Refusal::Damage(damage)) => return damaged(damage),
        Err(Refusal::Environment(e)) => return Err(e),
    };
    let verdict = verdict.and_then(|_| judge(layout, &held.digest, contents.records.len()));
    // It is a copy: how it closes says nothing.
    let _ = held.close();
    let damage = match verdict {
        Ok(()) => None,
        Err(Refusal::Damage(damage)) => Some(damage),
        Err(Refusal::Environment(e)) => return Err(e),
    };
    let Contents { records, meta, .. } = contents;
    Ok(Inspected { damage, records, meta })
}

fn judge(layout: &Layout, digest: &Digest, records: usize) -> Result<(), Refusal> {
    if !layout::exists(&layout.marker).map_err(OpenError::io(Doing::LookAt, &layout.marker))? {
        // Without its marker a journal that was never used is only unfinished.
        return match digest.counter {
            0 => Ok(()),
            counter => Err(Refusal::Damage(Damage::MarkerMissing { records, counter })),
        };
    }
    match File::open(&layout.second).and_then(|file| second_file::read(&file)) {
        Ok(seen) => compare(digest, seen).map(|_| ()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(Refusal::Damage(Damage::SecondFileMissing)),
        Err(e) => Err(OpenError::io(Doing::Read, &layout.second)(e).into()),
    }
}

/// A copy of a journal that only this user can read, deleted when it is dropped.
struct PrivateCopy {
    layout: Layout,
}

impl PrivateCopy {
    fn make(from: &Layout) -> Result<PrivateCopy, InspectError> {
        let root = new_private_dir().map_err(|(to, source)| InspectError::Copy {
            from: from.state_dir.clone(),
            to,
            source,
        })?;
        let copy = PrivateCopy { layout: Layout::of(&root) };
        copy_tree(&from.journal, &copy.layout.journal)?;
        for (from, to) in [(&from.marker, &copy.layout.marker), (&from.second, &copy.layout.second)] {
            match copy_tree(from, to) {
                Err(InspectError::Copy { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(copy)
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.layout.state_dir) {
            tracing::warn!("cannot delete {}: {e}", self.layout.state_dir.display());
        }
    }
}

/// A new directory for temporary files, with no way in for others.
fn new_private_dir() -> Result<PathBuf, (PathBuf, io::Error)> {
    let mut number: u64 = 0;
    loop {
        let path = std::env::temp_dir().join(format!("vend-journal-{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => number = number.saturating_add(1),
            Err(e) => return Err((path, e)),
        }
    }
}

/// Copies a file, or a folder with what is in it.
fn copy_tree(from: &Path, to: &Path) -> Result<(), InspectError> {
    let failed = |source| InspectError::Copy { from: from.to_owned(), to: to.to_owned(), source };
    if !fs::metadata(from).map_err(failed)?.is_dir() {
        return fs::copy(from, to).map(|_| ()).map_err(failed);
    }
    fs::create_dir(to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        copy_tree(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
