//! How a journal comes to be: its lead, its second file and its marker at once, before anything is committed; sled's part
//! afterwards, when nobody waits. Until then the lead has every commit from the first on, and is the whole journal.
//!
//! **Birth.** The journal's folder is made under another name, made durable, renamed, then given its second file and at last
//! its marker, each durable before the next. So a power cut leaves either no `journal/` or a whole one, and with the marker
//! everything must be there.
//!
//! **sled** is made under that other name, too. What it made is moved into the journal's folder, its file last: a folder
//! without that file has no sled yet, and what else lies there is the remains of a making that was cut. From then on the file's
//! number is written down ([`super::home`]), so that one that is lost is not taken for one that was never there.

use super::damage::OpenError;
use super::database::{DB, DIGEST_KEY, Database, Refusal};
use super::digest::Digest;
use super::doing::Doing;
use super::layout::{self, Layout};
use super::lead;
use super::opening;
use super::second_file::SecondFile;
use super::value;
use crate::order::said::InChinese as _;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

/// Makes a new journal, durable when this returns. Where it lies is written down when it gets its sled.
pub(super) fn give_birth(layout: &Layout) -> Result<SecondFile, OpenError> {
    // That of another journal, whose file was another.
    found_or_not(fs::remove_file(&layout.home)).map_err(OpenError::io(Doing::Delete, &layout.home))?;
    clear(&layout.newborn)?;
    fs::create_dir(&layout.newborn).map_err(OpenError::io(Doing::Make, &layout.newborn))?;
    let lead = Layout::lead_in(&layout.newborn);
    lead::create(&lead).map_err(OpenError::io(Doing::Write, &lead))?;
    sync_dir(&layout.newborn)?;
    fs::rename(&layout.newborn, &layout.journal).map_err(OpenError::io(Doing::Rename, &layout.newborn))?;
    sync_dir(&layout.state_dir)?;
    let second =
        SecondFile::create(&layout.second, Digest::default()).map_err(OpenError::io(Doing::Write, &layout.second))?;
    sync_dir(&layout.state_dir)?;
    let born = format!("The journal of this directory was born whole, in format {}.\n", value::FORMAT);
    layout.write_durably(&layout.marker, &born).map_err(OpenError::io(Doing::Write, &layout.marker))?;
    Ok(second)
}

/// Why a journal did not get its sled. What is in the lead is none the worse.
#[derive(Debug)]
pub(super) enum NotMade {
    /// Something stands in the way: it may be tried again.
    Yet(OpenError),
    /// Something failed to reach the disk, or may have, after which no sync is to be believed (order-life, rule 7).
    Failed(OpenError),
}

impl From<OpenError> for NotMade {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io { doing: Doing::LookAt | Doing::Read | Doing::Delete | Doing::Rename, .. } => {
                NotMade::Yet(error)
            }
            other => NotMade::Failed(other),
        }
    }
}

/// Gives a journal its sled, empty and durable, and opens it. Meanwhile commits may go on in the lead.
///
/// # Errors
/// See [`NotMade`].
pub(super) fn make_sled(layout: &Layout) -> Result<Database, NotMade> {
    note_place(layout);
    if !Database::is_made(&layout.journal)? {
        make_apart(&layout.newborn)?;
        move_in(layout)?;
    }
    let database = open(&layout.journal)?;
    // Only clean pages go. Nothing that matters is in there yet.
    if let Err(e) = database.data_file.sync() {
        database.abandon();
        return Err(OpenError::io(Doing::Sync, &layout.journal)(e).into());
    }
    database.data_file.drop_clean_pages();
    tidy_up(layout);
    note_place(layout);
    Ok(database)
}

/// Writes down where the journal lies, as far as it can be told now. If that fails, the next start does it.
fn note_place(layout: &Layout) {
    // Of one that was moved its first commit does it, as far as was known at the start.
    if let Err(e) = opening::settle_in(layout) {
        tracing::error!("{e}");
    }
}

fn make_apart(folder: &Path) -> Result<(), NotMade> {
    clear(folder)?;
    let database = open(folder)?;
    let mut first = sled::Batch::default();
    first.insert(DIGEST_KEY, Digest::default().seal(DIGEST_KEY));
    if let Err(e) = database.apply(first) {
        database.abandon();
        return Err(OpenError::io(Doing::Write, folder)(e).into());
    }
    database.close().map_err(OpenError::io(Doing::Close, folder))?;
    Ok(Database::sync_folder(folder)?)
}

fn move_in(layout: &Layout) -> Result<(), OpenError> {
    let lead = layout.lead.file_name();
    for name in names_in(&layout.journal)?.into_iter().filter(|name| Some(name.as_os_str()) != lead) {
        let path = layout.journal.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(OpenError::io(Doing::Delete, &path))?;
    }
    let (last, first): (Vec<_>, Vec<_>) = names_in(&layout.newborn)?.into_iter().partition(|name| name == DB);
    for names in [first, last] {
        for name in names {
            let from = layout.newborn.join(&name);
            fs::rename(&from, layout.journal.join(&name)).map_err(OpenError::io(Doing::Rename, &from))?;
        }
        sync_dir(&layout.journal)?;
    }
    Ok(())
}

/// What a making leaves that is over, or was cut when all was in its place.
pub(super) fn tidy_up(layout: &Layout) {
    // Only if it is empty; whatever else it may be stands in nobody's way now.
    let _ = fs::remove_dir(&layout.newborn);
}

fn open(folder: &Path) -> Result<Database, OpenError> {
    Database::open(folder).map_err(|refusal| match refusal {
        Refusal::Environment(e) => e,
        Refusal::Damage(damage) => OpenError::Birth { text: damage.said() },
    })
}

fn names_in(folder: &Path) -> Result<Vec<OsString>, OpenError> {
    let names = fs::read_dir(folder).and_then(|entries| entries.map(|e| e.map(|e| e.file_name())).collect());
    names.map_err(OpenError::io(Doing::Read, folder))
}

/// Deletes a folder with what is in it, if it is there. What is no folder is somebody's.
fn clear(folder: &Path) -> Result<(), OpenError> {
    found_or_not(fs::remove_dir_all(folder)).map_err(OpenError::io(Doing::Delete, folder))
}

fn found_or_not(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn sync_dir(path: &Path) -> Result<(), OpenError> {
    layout::sync_dir(path).map_err(OpenError::io(Doing::Sync, path))
}
