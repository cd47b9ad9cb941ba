//! What lies where in the state directory, and how names become durable.
//!
//! | name | what |
//! |---|---|
//! | `journal/` | sled's folder, once sled has been made (`super::birth`) |
//! | `journal/lead` | the newest commits, which sled does not have yet |
//! | `journal.created` | the creation marker: a journal was born here, whole |
//! | `journal.second` | the second file |
//! | `journal.quarantine` | why the journal may not be used until a person said so |
//! | `journal.losses` | every quarantine and every doubt that a person ended, and why |
//! | `journal.home` | what names the machine, the disk and the file in which the journal lives |
//! | `journal.newborn/` | a journal, or its sled, that is being made; never used before it is in its place |
//! | `journal.unfinished-N/`, `journal.lost-N/` | set aside, never deleted |
//! | `lock` | held by the one process that works here |

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Paths below one state directory.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) state_dir: PathBuf,
    pub(super) journal: PathBuf,
    pub(super) lead: PathBuf,
    pub(super) marker: PathBuf,
    pub(super) second: PathBuf,
    pub(super) quarantine: PathBuf,
    pub(super) losses: PathBuf,
    pub(super) home: PathBuf,
    pub(super) newborn: PathBuf,
    pub(super) lock: PathBuf,
}

impl Layout {
    pub(super) fn of(state_dir: &Path) -> Layout {
        Layout {
            state_dir: state_dir.to_owned(),
            journal: state_dir.join("journal"),
            lead: Layout::lead_in(&state_dir.join("journal")),
            marker: state_dir.join("journal.created"),
            second: state_dir.join("journal.second"),
            quarantine: state_dir.join("journal.quarantine"),
            losses: state_dir.join("journal.losses"),
            home: state_dir.join("journal.home"),
            newborn: state_dir.join("journal.newborn"),
            lock: state_dir.join("lock"),
        }
    }

    /// The lead of a journal that lies in this folder.
    pub(super) fn lead_in(journal: &Path) -> PathBuf {
        journal.join("lead")
    }

    /// Makes `journal.KIND-N` with the first free number and moves `names` into it, in this order, as far as they
    /// exist. Durable when it returns.
    pub(super) fn set_aside(&self, kind: &str, names: &[&Path]) -> io::Result<PathBuf> {
        let folder = self.new_folder(kind)?;
        for from in names {
            let Some(name) = from.file_name() else { continue };
            match fs::rename(from, folder.join(name)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
            sync_dir(&folder)?;
            sync_dir(&self.state_dir)?;
        }
        Ok(folder)
    }

    fn new_folder(&self, kind: &str) -> io::Result<PathBuf> {
        let mut number: u64 = 1;
        loop {
            let folder = self.state_dir.join(format!("journal.{kind}-{number}"));
            match fs::create_dir(&folder) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => number = number.saturating_add(1),
                other => return other.map(|()| folder),
            }
        }
    }

    /// Writes a small file that must be there after a power cut.
    pub(super) fn write_durably(&self, path: &Path, text: &str) -> io::Result<()> {
        use std::io::Write;
        let mut file = File::create(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        sync_dir(&self.state_dir)
    }
}

/// Something is there, were it a dangling link.
pub(super) fn exists(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
