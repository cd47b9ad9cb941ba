//! Finding a journal sound, or having one born where none ever was ([`super::birth`]).

use super::birth::give_birth;
use super::damage::{Damage, OpenError};
use super::database::{self, Contents, Refusal};
use super::digest::Digest;
use super::doing::Doing;
use super::held::Held;
use super::home::{self, Home};
use super::layout::{self, Layout};
use super::lead;
use super::lock::{LockError, StateLock};
use super::note;
use super::second_file::{self, SecondFile, Seen};
use crate::sabotage::{self, Clause};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

pub(super) fn make_state_dir(state_dir: &Path) -> Result<(), OpenError> {
    if layout::exists(state_dir).map_err(OpenError::io(Doing::LookAt, state_dir))? {
        return Ok(());
    }
    // Orders name their notify_urls, which may hold tokens: nobody else's to read, whatever the umask.
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(state_dir).map_err(OpenError::io(Doing::Make, state_dir))?;
    let parent = state_dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    layout::sync_dir(parent).map_err(OpenError::io(Doing::Sync, parent))
}

pub(super) fn lock_state(layout: &Layout) -> Result<StateLock, OpenError> {
    StateLock::exclusive(&layout.lock).map_err(|e| match e {
        LockError::Held(holder) => OpenError::InUse { state_dir: layout.state_dir.clone(), holder },
        LockError::Io(e) => OpenError::io(Doing::Lock, &layout.lock)(e),
    })
}

/// A journal in which everything is there.
pub(super) struct Sound {
    pub(super) held: Held,
    pub(super) contents: Contents,
    /// So many commits are known to be durable.
    pub(super) synced: u64,
    pub(super) second: SecondFile,
    /// It was born just now, and is durable.
    pub(super) is_newborn: bool,
}

/// Opens a journal that is there and sound, or makes one where none was ever born.
pub(super) fn open_sound(layout: &Layout) -> Result<Sound, Refusal> {
    let exists = |path: &Path| layout::exists(path).map_err(OpenError::io(Doing::LookAt, path));
    if exists(&layout.quarantine)? && !sabotage::is_out(Clause::R05QuarantineLasts) {
        let text = fs::read_to_string(&layout.quarantine).map_err(OpenError::io(Doing::Read, &layout.quarantine))?;
        return Err(Refusal::Damage(Damage::Earlier { text: note::read(&text) }));
    }
    match (exists(&layout.journal)?, exists(&layout.marker)?) {
        (true, true) => {
            let differs = home::doubt(layout).map_err(OpenError::io(Doing::Read, &layout.home))?;
            if !differs.is_empty() {
                return Err(Refusal::Damage(Damage::Elsewhere { differs }));
            }
            if lost_sled(layout)? {
                return Err(Refusal::Damage(Damage::SledMissing));
            }
        }
        (true, false) => {
            set_aside_unfinished(layout)?;
            return Ok(newborn(give_birth(layout)?));
        }
        (false, false) if !exists(&layout.second)? => return Ok(newborn(give_birth(layout)?)),
        (false, _) => return Err(Refusal::Damage(Damage::JournalMissing)),
    }
    look_at_the_disk(layout)?;
    let (mut held, contents, verdict) = Held::read(layout)?;
    let examined = verdict.and_then(|is_current| {
        let (second, synced) = examine_second(layout, &held.digest)?;
        if !is_current {
            bring_up(layout, &mut held, &contents)?;
        }
        Ok((second, synced))
    });
    match examined {
        Ok((second, synced)) => Ok(Sound { held, contents, synced, second, is_newborn: false }),
        Err(refusal) => {
            // What it says is known already.
            let _ = held.close();
            Err(refusal)
        }
    }
}

/// Has what is read next come from the disk. A process that was killed leaves in memory what it had not synced, and one
/// whose sync failed what no later sync writes, since the kernel then calls it clean. Commits that follow what is in memory
/// only would leave a hole before them when power fails, and sled would be read one way now and another way later.
fn look_at_the_disk(layout: &Layout) -> Result<(), OpenError> {
    for path in [&layout.lead, &layout.journal.join(database::DB)] {
        let file = match fs::File::open(path) {
            // What is not there is for its reader to judge.
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            other => other.map_err(OpenError::io(Doing::Open, path))?,
        };
        if !sabotage::is_out(Clause::R01LeadSynced) {
            file.sync_data().map_err(OpenError::io(Doing::Sync, path))?;
        }
        database::drop_clean_pages(&file);
    }
    Ok(())
}

/// See [`home::has_lost_sled`]. A journal that is no folder is for sled to refuse.
pub(super) fn lost_sled(layout: &Layout) -> Result<bool, OpenError> {
    match home::has_lost_sled(layout) {
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Ok(false),
        other => other.map_err(OpenError::io(Doing::Read, &layout.home)),
    }
}

fn newborn(second: SecondFile) -> Sound {
    Sound { held: Held::unused(), contents: Contents::before_sled(), synced: 0, second, is_newborn: true }
}

/// A journal of an older format has no lead, or one without halves: it gets a lead, durable before its digest speaks of it,
/// and sled all that the old one held. A cut between leaves a file that nobody reads, or the old one as it was.
fn bring_up(layout: &Layout, held: &mut Held, contents: &Contents) -> Result<(), OpenError> {
    if !contents.has_lead {
        lead::create(&layout.lead).map_err(OpenError::io(Doing::Write, &layout.lead))?;
        layout::sync_dir(&layout.journal).map_err(OpenError::io(Doing::Sync, &layout.journal))?;
    }
    // Whoever opens syncs sled's files next, before anything is committed. Only sled's digest tells of an older format.
    let Some(database) = held.database.clone() else { return Ok(()) };
    held.give_all(&database).map_err(OpenError::io(Doing::Write, &layout.journal))
}

/// Writes down where the journal lies, as far as that is new. One that was moved has arrived with its first commit: then
/// what is to be written comes back.
pub(super) fn settle_in(layout: &Layout) -> Result<Option<Home>, OpenError> {
    let known = Home::read(layout).map_err(OpenError::io(Doing::Read, &layout.home))?;
    let here = Home::here(layout);
    match known {
        Some(known) if known.moved => Ok(Some(here.with(&known))),
        Some(known) if here.clone().with(&known) == known => Ok(None),
        known => {
            let home = here.with(&known.unwrap_or_default());
            home.write(layout).map(|()| None).map_err(OpenError::io(Doing::Write, &layout.home))
        }
    }
}

/// The second file, when it does not say that commits are lost, and how many of them it knows.
fn examine_second(layout: &Layout, digest: &Digest) -> Result<(SecondFile, u64), Refusal> {
    let (second, seen) = match SecondFile::open(&layout.second) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Refusal::Damage(Damage::SecondFileMissing)),
        other => other.map_err(OpenError::io(Doing::Open, &layout.second))?,
    };
    let synced = compare(digest, seen)?;
    Ok((second, synced))
}

/// How many commits the second file knows. It may be behind: it is written up to a second late. It must not be ahead.
pub(super) fn compare(journal: &Digest, seen: Seen) -> Result<u64, Refusal> {
    let second = match seen {
        Seen::Digest(second, _) => second,
        Seen::Nothing => return Err(Refusal::Damage(Damage::SecondFileUnreadable)),
        Seen::Newer(found) => return Err(database::newer(found).into()),
    };
    match second.counter.cmp(&journal.counter) {
        std::cmp::Ordering::Less => Ok(second.counter),
        std::cmp::Ordering::Greater if sabotage::is_out(Clause::R03SecondFileAhead) => Ok(second.counter),
        std::cmp::Ordering::Equal if second == *journal => Ok(second.counter),
        std::cmp::Ordering::Equal => Err(Refusal::Damage(Damage::SecondFileDiffers { journal: *journal, second })),
        std::cmp::Ordering::Greater => {
            Err(Refusal::Damage(Damage::SecondFileAhead { journal: journal.counter, second: second.counter }))
        }
    }
}

/// A folder without its marker was never used when nothing was ever committed to it; otherwise the marker is what was
/// lost (order-life, rule 4).
fn set_aside_unfinished(layout: &Layout) -> Result<(), Refusal> {
    let (held, contents, verdict) = Held::read(layout)?;
    let verdict = unfinished(layout, &held.digest, &contents, verdict.map(|_| ()));
    // What it says is known already.
    let _ = held.close();
    verdict?;
    // The second file first: a journal without it and without a marker is unfinished as before, if power fails now.
    layout
        .set_aside("unfinished", &[&layout.second, &layout.journal])
        .map_err(OpenError::io(Doing::SetAside, &layout.journal))?;
    Ok(())
}

fn unfinished(
    layout: &Layout,
    digest: &Digest,
    contents: &Contents,
    verdict: Result<(), Refusal>,
) -> Result<(), Refusal> {
    if let Err(Refusal::Environment(_)) = &verdict {
        return verdict;
    }
    if sabotage::is_out(Clause::R04MarkerMissed) {
        return Ok(());
    }
    let lost = Damage::MarkerMissing { records: contents.records.len(), counter: digest.counter };
    let lost = Refusal::Damage(lost);
    if !contents.records.is_empty() || contents.meta.is_some() || digest.counter > 0 {
        return Err(lost);
    }
    // Birth makes whole journals only, so one that cannot be read is one that was used.
    verdict?;
    match fs::File::open(&layout.second).and_then(|file| second_file::read(&file)) {
        Ok(Seen::Digest(second, _)) if second.counter > 0 => Err(lost),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(OpenError::io(Doing::Read, &layout.second)(e).into()),
    }
}
