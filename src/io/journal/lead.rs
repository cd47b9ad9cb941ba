//! The lead: the newest commits, one behind the other in a file of fixed length. A commit is one write here and one
//! `fdatasync`. The file has two halves. When one is full, or too many keys would be in it (`held::KEYS_AHEAD_MAX`), commits
//! go on in the other at once, and all that the full one holds goes to sled in one batch meanwhile; it is written over only
//! when sled has that for good. So a commit seldom waits for sled (`super::store`).
//! sled alone would need two writes a commit, by seven threads that all wake for each of them, and never syncs what it wrote;
//! and most of what a commit changes is changed again by the next.
//!
//! | bytes | of an entry, which begins at a sector |
//! |---|---|
//! | 4 | length of what follows (little endian) |
//! | 13 | header of a sealed value ([`value::seal`], under "lead"); its counter is the commit's |
//! | 16 | the digest after this commit: entries and XOR |
//! | … | changes: `01`, key, body for what is put; `00`, key for what goes. Each of both after its length (2 bytes) |
//!
//! **Which entries count.** Counters rise by one from commit to commit, and sled's digest says up to which it has them
//! all. What is newer counts, wherever it lies: an older round of the same half is not newer. A power cut tears the last
//! entry at most, since the next is written only after its sync: so a commit that is missing before a newer one is damage.
//! No entry shares a sector with another, so that none is written twice.

use super::database::PAGE_BYTES;
use super::digest::Digest;
use super::value::{self, Unreadable};
use crate::sabotage::{self, Clause};
use rustix::fs::Advice;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Length of the file. Each half holds some 85 vends, whose two commits take three sectors: more than can come while sled
/// takes a batch, and little enough that the changes fit in memory beside the records.
pub const LEAD_BYTES: usize = 256 << 10;
/// Length of a half, whole sectors.
pub const HALF_BYTES: usize = LEAD_BYTES / 2;
/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;
/// What the check sums of entries are made with: a value from elsewhere is no entry.
const KEY: &[u8] = b"lead";
/// Bytes before the sealed part.
const LENGTH_BYTES: usize = 4;
/// Room that the digest and the changes of most commits need.
const BODY_BYTES_USUAL: usize = 2 * SECTOR_BYTES;
const PUT: u8 = 1;
const GOES: u8 = 0;

/// What stands under a key from a commit on: a body, or nothing.
pub(super) type Change<'a> = (&'a [u8], Option<&'a [u8]>);

/// One half of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// It begins with the file.
    First,
    /// It ends with the file.
    Second,
}

/// Where in the lead something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// In which half.
    pub half: Half,
    /// So many bytes behind the half's begin; at most [`HALF_BYTES`].
    pub at: usize,
}

impl Place {
    /// Where an empty lead begins.
    pub const START: Place = Place { half: Half::First, at: 0 };

    /// Where the other half begins.
    #[must_use]
    pub const fn other_half(self) -> Place {
        match self.half {
            Half::First => Place { half: Half::Second, at: 0 },
            Half::Second => Place { half: Half::First, at: 0 },
        }
    }

    /// Bytes until its half is full.
    #[must_use]
    pub const fn room_bytes(self) -> usize {
        HALF_BYTES.saturating_sub(self.at)
    }

    /// The place behind so many bytes of the same half.
    #[must_use]
    pub const fn after(self, bytes: usize) -> Place {
        Place { at: self.at.saturating_add(bytes), ..self }
    }

    /// Bytes from the file's begin.
    #[must_use]
    pub const fn offset(self) -> usize {
        match self.half {
            Half::First => self.at,
            Half::Second => HALF_BYTES.saturating_add(self.at),
        }
    }

    const fn of_offset(offset: usize) -> Place {
        match offset.checked_sub(HALF_BYTES) {
            Some(at) => Place { half: Half::Second, at },
            None => Place { half: Half::First, at: offset },
        }
    }
}

/// A commit that was read from the lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Where it begins.
    pub place: Place,
    /// What holds after it.
    pub digest: Digest,
    /// Keys and what stands under them.
    pub changes: Vec<Change<'a>>,
}

/// Why a lead cannot be gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A commit is there that cannot be reached.
    Hole {
        /// The last commit that can.
        last: u64,
        /// The one beyond the hole.
        beyond: u64,
    },
    /// It was written by a newer program.
    Newer(u8),
}

/// The entries that sled does not have, oldest first, and where the next one goes. `known` is the counter of sled's digest.
///
/// # Errors
/// [`Broken`]: commits were lost, or this program does not know the format.
pub fn read(bytes: &[u8], known: u64) -> Result<(Vec<Entry<'_>>, Place), Broken> {
    let mut newer: Vec<(Entry<'_>, usize)> = Vec::new();
    let mut offset = 0;
    while offset < bytes.len() {
        let found = entry_at(bytes, offset)?;
        let taken = found.as_ref().map_or(SECTOR_BYTES, |(_, length)| *length);
        newer.extend(found.filter(|(entry, _)| entry.digest.counter > known));
        offset = offset.saturating_add(taken);
    }
    newer.sort_by_key(|(entry, _)| entry.digest.counter);
    let (mut entries, mut last, mut next): (Vec<Entry<'_>>, u64, Place) = (Vec::new(), known, Place::START);
    for (entry, length) in newer {
        let beyond = entry.digest.counter;
        if last.checked_add(1) != Some(beyond) {
            if sabotage::is_out(Clause::R03HoleNoticed) {
                break;
            }
            return Err(Broken::Hole { last, beyond });
        }
        (last, next) = (beyond, entry.place.after(length));
        entries.push(entry);
    }
    Ok((entries, next))
}

/// The whole entry at a place, with the bytes that it takes; nothing when there is none.
fn entry_at(bytes: &[u8], at: usize) -> Result<Option<(Entry<'_>, usize)>, Broken> {
    let Some((length, rest)) = bytes.get(at..).and_then(|b| b.split_first_chunk::<LENGTH_BYTES>()) else {
        return Ok(None);
    };
    let sealed = usize::try_from(u32::from_le_bytes(*length)).ok().and_then(|length| rest.get(..length));
    let Some(sealed) = sealed else { return Ok(None) };
    match value::unseal(KEY, sealed) {
        Ok(value) => {
            let taken = LENGTH_BYTES.saturating_add(sealed.len()).next_multiple_of(SECTOR_BYTES);
            Ok(parse(Place::of_offset(at), value.counter, value.body).map(|entry| (entry, taken)))
        }
        Err(Unreadable::Newer(format)) => Err(Broken::Newer(format)),
        Err(_) => Ok(None),
    }
}

fn parse(place: Place, counter: u64, body: &[u8]) -> Option<Entry<'_>> {
    let (&entries, rest) = body.split_first_chunk::<8>()?;
    let (&xor, mut rest) = rest.split_first_chunk::<8>()?;
    let digest = Digest { counter, entries: u64::from_le_bytes(entries), xor: u64::from_le_bytes(xor) };
    let mut changes = Vec::new();
    while let Some((&kind, tail)) = rest.split_first() {
        let (key, tail) = field(tail)?;
        let (body, tail) = match kind {
            PUT => field(tail).map(|(body, tail)| (Some(body), tail))?,
            GOES => (None, tail),
            _ => return None,
        };
        changes.push((key, body));
        rest = tail;
    }
    Some(Entry { place, digest, changes })
}

/// What stands after its length.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(length)))
}

/// An entry, filled up to whole sectors; nothing when it has no place in half a lead, be it empty.
#[must_use]
pub fn encode(digest: &Digest, changes: &BTreeMap<Vec<u8>, Option<&[u8]>>) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(BODY_BYTES_USUAL);
    body.extend_from_slice(&digest.entries.to_le_bytes());
    body.extend_from_slice(&digest.xor.to_le_bytes());
    for (key, put) in changes {
        body.push(if put.is_some() { PUT } else { GOES });
        for field in [Some(key.as_slice()), *put].into_iter().flatten() {
            body.extend_from_slice(&u16::try_from(field.len()).ok()?.to_le_bytes());
            body.extend_from_slice(field);
        }
    }
    let sealed = value::seal(KEY, digest.counter, &body);
    let entry_bytes = LENGTH_BYTES.saturating_add(sealed.len()).next_multiple_of(SECTOR_BYTES);
    let mut entry = Vec::with_capacity(entry_bytes);
    entry.extend_from_slice(&u32::try_from(sealed.len()).ok()?.to_le_bytes());
    entry.extend_from_slice(&sealed);
    entry.resize(entry_bytes, 0);
    (entry.len() <= HALF_BYTES).then_some(entry)
}

/// Makes the file, durable but for its name. Its room is taken, so that no commit needs any later. Page by page: see
/// [`bytes_of`].
pub(super) fn create(path: &Path) -> io::Result<()> {
    let file = File::options().write(true).create(true).truncate(true).open(path)?;
    for at in (0..LEAD_BYTES).step_by(PAGE_BYTES) {
        file.write_all_at(&[0; PAGE_BYTES], at as u64)?;
    }
    file.sync_all()
}

/// All bytes of the file. They stay in the kernel's memory, so that a commit that fills a part of a page need not read it:
/// page by page, since newer kernels would keep what is read ahead by themselves as a few large folios, and count all of one
/// as written with each commit (`docs/budget.md`). The pages are asked for together, or each would be waited for.
pub(super) fn bytes_of(file: &File) -> io::Result<Vec<u8>> {
    for advice in [Advice::Random, Advice::WillNeed] {
        // Advice only.
        let _ = rustix::fs::fadvise(file, 0, None, advice);
    }
    let mut bytes = vec![0; LEAD_BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
