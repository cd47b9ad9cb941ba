//! Everything that was committed: what sled has, and over it the changes that only the lead has yet.

use super::damage::{CommitError, Damage, OpenError};
use super::database::{self, Contents, DIGEST_KEY, Database, META_KEY, RECORD_PREFIX, Refusal};
use super::digest::Digest;
use super::doing::Doing;
use super::layout::Layout;
use super::lead::{self, Broken, LEAD_BYTES};
use super::value;
use crate::order::record::OnlySeen;
use crate::order::said::InChinese as _;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;

/// Keys as sled has them, and what is to stand under each: a body, or nothing.
pub(super) type Changes<'a> = BTreeMap<Vec<u8>, Option<&'a [u8]>>;

/// So many keys may differ from what sled has. sled copies a whole page for each key of a batch and keeps the old ones until
/// its end: of a full lead that came in a burst, some 800 keys, it had 2 MB. Of single vends no lead has more than 180.
pub(super) const KEYS_AHEAD_MAX: usize = 384;

/// A journal's state.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) database: Database,
    /// What sled does not have: sealed values, and keys that went.
    ahead: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Of everything.
    pub(super) digest: Digest,
}

impl Held {
    /// Reads a journal: its state, its contents as far as they can be read, and where its lead goes on; no place, when it
    /// is of the format that had no lead.
    pub(super) fn read(layout: &Layout, database: Database) -> (Held, Contents, Result<Option<usize>, Refusal>) {
        let mut contents = database.contents();
        let mut held = Held { database, ahead: BTreeMap::new(), digest: Digest::default() };
        let verdict = held.replay(layout, &contents);
        contents.overlay(&held.ahead);
        (held, contents, verdict)
    }

    /// The commits that only the lead has, on top of what sled has.
    fn replay(&mut self, layout: &Layout, contents: &Contents) -> Result<Option<usize>, Refusal> {
        self.digest = sound_digest(&self.database, contents)?;
        if !contents.has_lead {
            return Ok(None);
        }
        let bytes = lead_of(layout, self.digest.counter)?;
        let (entries, at) = lead::read(&bytes, self.digest.counter).map_err(|broken| match broken {
            Broken::Hole { last, beyond } => Refusal::Damage(Damage::Hole { last, beyond }),
            Broken::Newer(format) => database::newer(format).into(),
        })?;
        for entry in entries {
            let changes: Changes<'_> = entry.changes.into_iter().map(|(key, body)| (key.to_vec(), body)).collect();
            let found =
                self.digest_after(&changes).map_err(|e| Refusal::Damage(Damage::CannotRead { text: e.said() }))?;
            if found != entry.digest {
                let counter = entry.digest.counter;
                return Err(Refusal::Damage(Damage::Lead { counter, expected: entry.digest, found }));
            }
            self.take(changes, found);
        }
        Ok(Some(at))
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
        let version = |sealed: &[u8]| match value::unseal(key, sealed) {
            Ok(value) => Ok(value.counter),
            Err(why) => Err(CommitError::Unreadable { key: key.to_vec(), why }),
        };
        match self.ahead.get(key) {
            Some(ahead) => ahead.as_deref().map(version).transpose(),
            None => {
                let stored = self.database.get(key).map_err(CommitError::io(Doing::ReadJournal))?;
                stored.as_deref().map(version).transpose()
            }
        }
    }

    /// Which records are not among the first commits, so many that each was synced. The second file counts them, which is
    /// written after the journal's own sync.
    pub(super) fn only_seen(&self, contents: &Contents, synced: u64) -> OnlySeen {
        // sled's batch moves records of others too.
        if !matches!(contents.digest, Some(Ok(of_sled)) if of_sled.counter <= synced) {
            return OnlySeen::All;
        }
        let is_newer = |(key, sealed): &(&Vec<u8>, &Option<Vec<u8>>)| {
            let value = sealed.as_deref().map(|sealed| value::unseal(key, sealed));
            value.is_some_and(|value| value.map_or(true, |value| value.counter > synced))
        };
        let record_key = |(key, _): (&Vec<u8>, _)| key.strip_prefix(&[RECORD_PREFIX]).map(<[u8]>::to_vec);
        OnlySeen::Keys(self.ahead.iter().filter(is_newer).filter_map(record_key).collect())
    }

    /// Sled need not have them now.
    pub(super) fn has_room_for(&self, changes: &Changes<'_>) -> bool {
        self.ahead.len().saturating_add(changes.len()) <= KEYS_AHEAD_MAX
    }

    /// These changes are in the lead.
    pub(super) fn take(&mut self, changes: Changes<'_>, digest: Digest) {
        self.digest = digest;
        for (key, body) in changes {
            let sealed = body.map(|body| value::seal(&key, digest.counter, body));
            self.ahead.insert(key, sealed);
        }
    }

    /// Hands sled all that it does not have, with one more commit. Not durable yet.
    pub(super) fn give_to_sled(&mut self, changes: Changes<'_>, digest: Digest) -> Result<(), io::Error> {
        self.take(changes, digest);
        let mut batch = sled::Batch::default();
        for (key, sealed) in std::mem::take(&mut self.ahead) {
            match sealed {
                Some(sealed) => batch.insert(key, sealed),
                None => batch.remove(key),
            }
        }
        batch.insert(DIGEST_KEY, digest.seal(DIGEST_KEY));
        self.database.apply(batch)
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
    fn overlay(&mut self, ahead: &BTreeMap<Vec<u8>, Option<Vec<u8>>>) {
        let body = |key: &[u8], sealed: &[u8]| value::unseal(key, sealed).map(|value| value.body.to_vec()).ok();
        let mut over: BTreeMap<&[u8], Option<Vec<u8>>> = BTreeMap::new();
        for (key, sealed) in ahead {
            let now = sealed.as_deref().and_then(|sealed| body(key, sealed));
            match key.as_slice() {
                [RECORD_PREFIX, rest @ ..] => drop(over.insert(rest, now)),
                META_KEY => self.meta = now,
                _ => self.foreign = Some(key.clone()),
            }
        }
        self.records.retain(|(key, _)| !over.contains_key(key.as_slice()));
        self.records.extend(over.into_iter().filter_map(|(key, body)| Some((key.to_vec(), body?))));
        // Two sorted runs, which the stable sort joins without more ado.
        self.records.sort_by(|a, b| a.0.cmp(&b.0));
    }
}
