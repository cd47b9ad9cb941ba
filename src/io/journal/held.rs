//! Everything that was committed: what sled has, and over it the changes that only the lead has yet.

use super::damage::{CommitError, Damage, OpenError};
use super::database::{self, Contents, DIGEST_KEY, Database, META_KEY, RECORD_PREFIX, Refusal};
use super::digest::Digest;
use super::doing::Doing;
use super::layout::Layout;
#[cfg(test)]
use super::lead::HALF_BYTES;
use super::lead::{self, Broken, LEAD_BYTES, Place};
use super::value;
use crate::order::record::OnlySeen;
use crate::order::said::InChinese as _;
use crate::sabotage::{self, Clause};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Keys as sled has them, and what is to stand under each: a body, or nothing.
pub(super) type Changes<'a> = BTreeMap<Vec<u8>, Option<&'a [u8]>>;

/// What sled is to have: values, and keys that go. They are sealed when sled gets them: most change again before.
type Newer = BTreeMap<Vec<u8>, Option<Version>>;

/// What stands under a key since a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    /// The commit's.
    counter: u64,
    body: Vec<u8>,
}

/// So many keys may half a lead hold. sled copies a whole page for each key of a batch and keeps the old ones until
/// its end: of some 800 keys that came in a burst, it had 2 MB. Of single vends no half has more than 90.
pub(super) const KEYS_AHEAD_MAX: usize = 384;

/// A journal's state.
#[derive(Debug)]
pub(super) struct Held {
    /// None until it has been made, which is after the journal's birth: until then the lead has all.
    pub(super) database: Option<Database>,
    /// What the full half of the lead holds, until sled has it for good.
    going: Option<Round>,
    /// What the half that is written now holds, over it.
    ahead: Newer,
    /// Where the next commit goes in the lead.
    pub(super) next: Place,
    /// Of everything.
    pub(super) digest: Digest,
}

/// What a full half of the lead holds, on its way to sled.
#[derive(Debug, Clone)]
pub(super) struct Round {
    changes: Arc<Newer>,
    /// Of everything, once sled has it.
    digest: Digest,
}

impl Round {
    /// Hands it to sled. Not durable yet.
    pub(super) fn give(&self, database: &Database) -> Result<(), io::Error> {
        let mut batch = sled::Batch::default();
        for (key, version) in &*self.changes {
            match version {
                Some(Version { counter, body }) => batch.insert(key.as_slice(), value::seal(key, *counter, body)),
                None => batch.remove(key.as_slice()),
            }
        }
        batch.insert(DIGEST_KEY, self.digest.seal(DIGEST_KEY));
        database.apply(batch)
    }
}

impl Held {
    /// A journal in which nothing was ever committed, as it is born.
    pub(super) fn unused() -> Held {
        let (going, ahead, next) = (None, BTreeMap::new(), Place::START);
        Held { database: None, going, ahead, next, digest: Digest::default() }
    }

    /// Reads a journal: its state and its contents as far as they can be read. True when its lead is of this format.
    pub(super) fn read(layout: &Layout) -> Result<(Held, Contents, Result<bool, Refusal>), Refusal> {
        let mut held = Held::unused();
        if Database::is_made(&layout.journal)? {
            held.database = Some(Database::open(&layout.journal)?);
        }
        let mut contents = held.database.as_ref().map_or_else(Contents::before_sled, Database::contents);
        let verdict = held.replay(layout, &contents);
        contents.overlay(&held.over_sled());
        Ok((held, contents, verdict))
    }

    /// Leaves sled alone, where it is ([`Database::abandon`]).
    pub(super) fn abandon(self) {
        if let Some(database) = self.database {
            database.abandon();
        }
    }

    /// Closes sled, where it is.
    pub(super) fn close(self) -> Result<(), io::Error> {
        self.database.map_or(Ok(()), Database::close)
    }

    /// The commits that only the lead has, on top of what sled has.
    fn replay(&mut self, layout: &Layout, contents: &Contents) -> Result<bool, Refusal> {
        if let Some(database) = &self.database {
            self.digest = sound_digest(database, contents)?;
        }
        if !contents.has_lead {
            return Ok(false);
        }
        let bytes = lead_of(layout, self.digest.counter)?;
        let (entries, next) = lead::read(&bytes, self.digest.counter).map_err(|broken| match broken {
            Broken::Hole { last, beyond } => Refusal::Damage(Damage::Hole { last, beyond }),
            Broken::Newer(format) => database::newer(format).into(),
        })?;
        self.next = entries.first().map_or(Place::START, |first| first.place);
        for entry in entries {
            let changes: Changes<'_> = entry.changes.into_iter().map(|(key, body)| (key.to_vec(), body)).collect();
            let found =
                self.digest_after(&changes).map_err(|e| Refusal::Damage(Damage::CannotRead { text: e.said() }))?;
            if found != entry.digest {
                let counter = entry.digest.counter;
                return Err(Refusal::Damage(Damage::Lead { counter, expected: entry.digest, found }));
            }
            if entry.place.half != self.next.half {
                if self.going.is_some() {
                    // The first of a half is written over before any other of it.
                    let (last, beyond) = (self.digest.counter, found.counter);
                    return Err(Refusal::Damage(Damage::Hole { last, beyond }));
                }
                self.turn_over();
            }
            self.take(changes, found);
        }
        self.next = next;
        Ok(contents.has_halves)
    }

    /// The digest once one more commit has made these changes.
    pub(super) fn digest_after(&self, changes: &Changes<'_>) -> Result<Digest, CommitError> {
        let mut digest = self.digest;
        digest.counter = digest.counter.saturating_add(1);
        for (key, body) in changes {
            if let Some(version) = self.version(key)? {
                digest.remove(key, version);
            }
            if body.is_some() {
                digest.add(key, digest.counter);
            }
        }
        Ok(digest)
    }

    /// The commit that wrote what stands under a key.
    fn version(&self, key: &[u8]) -> Result<Option<u64>, CommitError> {
        let going = || self.going.as_ref().and_then(|round| round.changes.get(key));
        if let Some(newer) = self.ahead.get(key).or_else(going) {
            return Ok(newer.as_ref().map(|version| version.counter));
        }
        let Some(database) = &self.database else { return Ok(None) };
        let stored = database.get(key).map_err(CommitError::io(Doing::ReadJournal))?;
        match stored.as_deref().map(|sealed| value::unseal(key, sealed)).transpose() {
            Ok(value) => Ok(value.map(|value| value.counter)),
            Err(why) => Err(CommitError::Unreadable { key: key.to_vec(), why }),
        }
    }

    /// What sled does not have yet, or not for good.
    fn over_sled(&self) -> BTreeMap<&[u8], Option<&Version>> {
        let going = self.going.iter().flat_map(|round| &*round.changes);
        going.chain(&self.ahead).map(|(key, version)| (key.as_slice(), version.as_ref())).collect()
    }

    /// Which records are not among the first commits, so many that each was synced. The second file counts them, which is
    /// written after the journal's own sync, and after sled's when it has a batch.
    pub(super) fn only_seen(&self, contents: &Contents, synced: u64) -> OnlySeen {
        // sled's batch moves records of others too; and one that was under way may end with the commit that the second file
        // knew before.
        if !matches!(contents.digest, Some(Ok(of_sled)) if of_sled.counter < synced) {
            return OnlySeen::All;
        }
        let is_newer = |(_, version): &(&[u8], Option<&Version>)| version.is_some_and(|is| is.counter > synced);
        let record_key = |(key, _): (&[u8], _)| key.strip_prefix(&[RECORD_PREFIX]).map(<[u8]>::to_vec);
        OnlySeen::Keys(self.over_sled().into_iter().filter(is_newer).filter_map(record_key).collect())
    }

    /// Where a commit of so many bytes and keys goes: in the half that is written now, or in the other when that is free.
    pub(super) fn place_for(&self, entry_bytes: usize, keys: usize) -> Option<Place> {
        let other = self.next.other_half();
        if entry_bytes <= self.next.room_bytes() && self.ahead.len().saturating_add(keys) <= KEYS_AHEAD_MAX {
            Some(self.next)
        } else if self.other_is_free() && entry_bytes <= other.room_bytes() && keys <= KEYS_AHEAD_MAX {
            Some(other)
        } else {
            None
        }
    }

    /// sled has for good what the half that is not written holds.
    fn other_is_free(&self) -> bool {
        self.going.is_none() || sabotage::is_out(Clause::R03HalfKept)
    }

    /// A commit is durable at a place of the lead, and takes so many bytes.
    pub(super) fn take_at(&mut self, place: Place, entry_bytes: usize, changes: Changes<'_>, digest: Digest) {
        if place.half != self.next.half {
            self.turn_over();
        }
        self.next = place.after(entry_bytes);
        self.take(changes, digest);
    }

    /// The half that was written is full: what it holds goes to sled.
    fn turn_over(&mut self) {
        let changes = Arc::new(std::mem::take(&mut self.ahead));
        self.going = Some(Round { changes, digest: self.digest });
        self.next = self.next.other_half();
    }

    /// What a full half holds, if sled does not have it for good.
    pub(super) fn going(&self) -> Option<&Round> {
        self.going.as_ref()
    }

    /// sled has it for good.
    pub(super) fn gone(&mut self) {
        self.going = None;
    }

    /// Neither half has room.
    #[cfg(test)]
    pub(super) fn fill_the_lead(&mut self) {
        if self.going.is_none() {
            self.turn_over();
        }
        self.next.at = HALF_BYTES;
    }

    /// These changes are in the lead.
    pub(super) fn take(&mut self, changes: Changes<'_>, digest: Digest) {
        self.digest = digest;
        for (key, body) in changes {
            let version = body.map(|body| Version { counter: digest.counter, body: body.to_vec() });
            self.ahead.insert(key, version);
        }
    }

    /// Hands sled all that it does not have. Not durable yet; when it is, both halves are free.
    pub(super) fn give_all(&mut self, database: &Database) -> Result<(), io::Error> {
        let mut all = self.going.take().map(|round| Arc::unwrap_or_clone(round.changes)).unwrap_or_default();
        all.append(&mut self.ahead);
        self.next = Place::START;
        Round { changes: Arc::new(all), digest: self.digest }.give(database)
    }
}

/// The bytes of the lead, which must be there in its whole length.
fn lead_of(layout: &Layout, counter: u64) -> Result<Vec<u8>, Refusal> {
    let file = match File::open(&layout.lead) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(Refusal::Damage(Damage::LeadMissing { counter })),
        other => other.map_err(OpenError::io(Doing::Open, &layout.lead))?,
    };
    let found_bytes = file.metadata().map_err(OpenError::io(Doing::LookAt, &layout.lead))?.len();
    if found_bytes != LEAD_BYTES as u64 {
        return Err(Refusal::Damage(Damage::LeadCut { found_bytes, expected_bytes: LEAD_BYTES }));
    }
    Ok(lead::bytes_of(&file).map_err(OpenError::io(Doing::Read, &layout.lead))?)
}

/// Sled's own digest, when all that is in its folder agrees with it.
fn sound_digest(database: &Database, contents: &Contents) -> Result<Digest, Refusal> {
    if let Some(found) = contents.newer() {
        return Err(database::newer(found).into());
    }
    let digest = contents.verify().map_err(Refusal::Damage)?;
    match database.blob().map_err(|e| Refusal::Damage(Damage::CannotRead { text: e.said() }))? {
        None => Ok(digest),
        Some(name) => Err(Refusal::Damage(Damage::BlobFile { name })),
    }
}

impl Contents {
    /// What stands under the same keys now, over what sled has.
    fn overlay(&mut self, newer: &BTreeMap<&[u8], Option<&Version>>) {
        let mut over: BTreeMap<&[u8], Option<Vec<u8>>> = BTreeMap::new();
        for (&key, version) in newer {
            let now = version.map(|version| version.body.clone());
            match key {
                [RECORD_PREFIX, rest @ ..] => drop(over.insert(rest, now)),
                META_KEY => self.meta = now,
                _ => self.foreign = Some(key.to_vec()),
            }
        }
        self.records.retain(|(key, _)| !over.contains_key(key.as_slice()));
        self.records.extend(over.into_iter().filter_map(|(key, body)| Some((key.to_vec(), body?))));
        // Two sorted runs, which the stable sort joins without more ado.
        self.records.sort_by(|a, b| a.0.cmp(&b.0));
    }
}
