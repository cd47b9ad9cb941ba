//! The second file: how far the journal had come, kept apart from it (order-life, rule 3).
//!
//! sled cuts its log at the first thing it cannot read, and what is left is an older state that agrees with its own
//! digest. Only a witness outside the log notices that.
//!
//! Two slots are written in turn, each in a block of its own, so a cut tears at most the slot that was older: one
//! slot is always whole. Both torn, or no file beside a born journal, is damage and no trace of a power cut.

use super::digest::Digest;
use super::value::Unreadable;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Distance of the slots: one block of common file systems, which no write of the other slot touches.
const SLOT_BYTES: u64 = 4096;
/// Bytes of a slot that are used: a sealed [`Digest`].
pub const USED_BYTES: usize = super::value::HEADER_BYTES + 16;
/// What the check sums of a slot are made with: a slot copied over the other is noticed.
pub const SLOT_KEYS: [&[u8]; 2] = [b"second 0", b"second 1"];

/// The open second file.
#[derive(Debug)]
pub(super) struct SecondFile {
    file: File,
    /// The slot that is overwritten next: not the newest.
    next: usize,
}

/// What stood in a second file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The newest whole slot and its place.
    Digest(Digest, usize),
    /// No slot is whole.
    Nothing,
    /// A slot was written by a newer program.
    Newer(u8),
}

/// The newest whole one of both slots, each given as far as its bytes are there.
#[must_use]
pub fn newest(slots: [Option<&[u8]>; 2]) -> Seen {
    let mut newest: Option<(Digest, usize)> = None;
    for (place, (key, bytes)) in SLOT_KEYS.into_iter().zip(slots).enumerate() {
        let Some(bytes) = bytes else { continue };
        match Digest::unseal(key, bytes) {
            Ok(digest) if newest.is_none_or(|(n, _)| n.counter < digest.counter) => newest = Some((digest, place)),
            Err(Unreadable::Newer(format)) => return Seen::Newer(format),
            Ok(_) | Err(_) => {}
        }
    }
    newest.map_or(Seen::Nothing, |(digest, place)| Seen::Digest(digest, place))
}

/// Reads the newest whole slot.
pub(super) fn read(file: &File) -> io::Result<Seen> {
    let slot = |place: u64| {
        let mut bytes = [0; USED_BYTES];
        match file.read_exact_at(&mut bytes, SLOT_BYTES * place) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            other => other.map(|()| Some(bytes)),
        }
    };
    let (first, second) = (slot(0)?, slot(1)?);
    Ok(newest([first.as_ref().map(<[u8; USED_BYTES]>::as_slice), second.as_ref().map(<[u8; USED_BYTES]>::as_slice)]))
}

impl SecondFile {
    /// Makes the file, durable but for its name.
    pub(super) fn create(path: &Path, digest: Digest) -> io::Result<SecondFile> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        // All blocks now: later writes need no space.
        file.write_all_at(&[0; 2 * SLOT_BYTES as usize], 0)?;
        file.write_all_at(&digest.seal(SLOT_KEYS[0]), 0)?;
        file.sync_all()?;
        Ok(SecondFile { file, next: 1 })
    }

    /// Opens the file for writing and says what stands in it.
    pub(super) fn open(path: &Path) -> io::Result<(SecondFile, Seen)> {
        let file = File::options().read(true).write(true).open(path)?;
        let seen = read(&file)?;
        let newest = if let Seen::Digest(_, place) = seen { place } else { 1 };
        Ok((SecondFile { file, next: 1 - newest }, seen))
    }

    /// Writes the digest over the older slot, durable when it returns. Only after the journal's own sync.
    pub(super) fn write(&mut self, digest: &Digest) -> io::Result<()> {
        let place = self.next;
        self.file.write_all_at(&digest.seal(SLOT_KEYS[place]), SLOT_BYTES * place as u64)?;
        self.file.sync_data()?;
        self.next = 1 - place;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(counter: u64) -> Digest {
        Digest { counter, entries: 1, xor: 1 }
    }

    #[test]
    fn the_newest_slot_is_read_and_the_older_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("second");
        SecondFile::create(&path, at(0)).unwrap();
        for counter in 1..6 {
            let (mut second, seen) = SecondFile::open(&path).unwrap();
            assert!(matches!(seen, Seen::Digest(d, _) if d == at(counter - 1)), "{seen:?}");
            second.write(&at(counter)).unwrap();
        }
    }

    #[test]
    fn the_slots_are_written_in_turn_and_need_no_space_that_birth_did_not_take() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("second");
        SecondFile::create(&path, at(0)).unwrap();
        let size = || std::fs::metadata(&path).unwrap().len();
        assert_eq!(size(), 2 * SLOT_BYTES);
        let (mut second, _) = SecondFile::open(&path).unwrap();
        for counter in 1..6 {
            second.write(&at(counter)).unwrap();
            assert_eq!(read(&second.file).unwrap(), Seen::Digest(at(counter), (counter % 2) as usize));
        }
        assert_eq!(size(), 2 * SLOT_BYTES);
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("second");
        SecondFile::create(&path, at(0)).unwrap();
        let (mut second, _) = SecondFile::open(&path).unwrap();
        second.write(&at(1)).unwrap();
        let place = 1 - second.next;
        second.file.write_all_at(&[0xff; 9], SLOT_BYTES * place as u64 + 10).unwrap();
        let (second, seen) = SecondFile::open(&path).unwrap();
        assert_eq!(seen, Seen::Digest(at(0), 0));
        assert_eq!(second.next, 1, "the torn slot is written next");
        second.file.write_all_at(&[0xff; 9], 10).unwrap();
        assert_eq!(read(&second.file).unwrap(), Seen::Nothing);
        second.file.set_len(3).unwrap();
        assert_eq!(read(&second.file).unwrap(), Seen::Nothing);
    }

    #[test]
    fn a_slot_copied_over_the_other_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("second");
        SecondFile::create(&path, at(4)).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        file.write_all_at(&at(9).seal(SLOT_KEYS[0]), SLOT_BYTES).unwrap();
        assert_eq!(read(&file).unwrap(), Seen::Digest(at(4), 0));
    }
}
