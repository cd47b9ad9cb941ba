//! The store as its users see it. `born` looks at journals that are new, `damaged` breaks journals, `worlds` runs it on full and read-only disks and under
//! strace, `threaded` runs its thread.

mod born;
mod damaged;
mod halves;
mod threaded;
mod worlds;

use super::held::KEYS_AHEAD_MAX;
use super::*;
use crate::order::record::OnlySeen;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Condvar, Mutex};

pub(super) type Records = Vec<(Vec<u8>, Vec<u8>)>;

pub(super) fn put(key: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (key.as_bytes().to_vec(), value.as_bytes().to_vec())
}

pub(super) fn puts(records: &[(&str, &str)]) -> Batch {
    Batch { puts: records.iter().map(|(k, v)| put(k, v)).collect(), ..Batch::default() }
}

/// A batch that has no place in the lead, so that sled gets it, and all that was committed before.
pub(super) fn larger_than_the_lead() -> Batch {
    let count = lead::LEAD_BYTES / VALUE_BYTES_MAX + 1;
    let largest = |n: usize| (format!("large {n:03}").into_bytes(), vec![0xaa; VALUE_BYTES_MAX]);
    Batch { puts: (0..count).map(largest).collect(), ..Batch::default() }
}

/// A new journal gets its sled now, as it does from its thread after a moment.
pub(super) fn make_sled(store: &mut Store) {
    let making = store.making().expect("it has none");
    store.made(making.run().unwrap());
}

/// What a full half of the lead holds, for sled, which is made first where it is not there.
pub(super) fn half_to_give(store: &mut Store) -> Option<store::Giving> {
    if store.is_half_full() && store.making().is_some() {
        make_sled(store);
    }
    store.giving()
}

/// Holds up whoever makes sled.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Shut, and somebody stands before it.
    state: Mutex<(bool, bool)>,
    opened: Condvar,
}

impl Gate {
    pub(super) fn wait(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 = true;
        drop(self.opened.wait_while(state, |(is_shut, _)| *is_shut).unwrap());
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.state.lock().unwrap().1
    }

    pub(super) fn shut(&self) {
        self.state.lock().unwrap().0 = true;
    }

    pub(super) fn open(&self) {
        self.state.lock().unwrap().0 = false;
        self.opened.notify_all();
    }
}

/// Opens a journal that must be sound.
pub(super) fn sound(dir: &Path) -> (Store, Records, Option<Vec<u8>>, bool) {
    match Store::open(dir).unwrap() {
        Opened::Sound { store, records, meta, fresh, .. } => (store, records, meta, fresh),
        Opened::Quarantined { damage, .. } => panic!("quarantined: {damage}"),
    }
}

/// Opens a journal that must be damaged.
pub(super) fn damaged(dir: &Path) -> Damage {
    match Store::open(dir).unwrap() {
        Opened::Sound { records, .. } => panic!("sound, with {} records", records.len()),
        Opened::Quarantined { damage, .. } => damage,
    }
}

/// A copy of a state directory as a killed process would leave it; without what tells that it is a copy.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() != "journal.home" {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file below a directory, with its bytes and the time of its last change.
fn bytes_of(dir: &Path) -> BTreeMap<std::path::PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let changed = fs::metadata(&path).unwrap().modified().unwrap();
        if path.is_dir() {
            all.extend(bytes_of(&path));
            all.insert(path, (vec![], changed));
        } else {
            all.insert(path.clone(), (fs::read(&path).unwrap(), changed));
        }
    }
    all
}

#[test]
fn what_was_committed_is_there_after_a_clean_end() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, records, meta, fresh) = sound(dir.path());
    assert_eq!((records.len(), meta, fresh), (0, None, true));
    store.commit(&Batch { meta: Some(b"born".to_vec()), ..puts(&[("a", "1"), ("b", "2"), ("c", "3")]) }).unwrap();
    store.commit(&Batch { removes: vec![b"b".to_vec(), b"nothing".to_vec()], ..puts(&[("a", "4")]) }).unwrap();
    drop(store);
    let (_store, records, meta, fresh) = sound(dir.path());
    assert_eq!((records, meta, fresh), (vec![put("a", "4"), put("c", "3")], Some(b"born".to_vec()), false));
}

#[test]
fn what_was_committed_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(&dir.path().join("alive"));
    for n in 0..200 {
        store.commit(&puts(&[(&format!("order {}", n % 50), &n.to_string())])).unwrap();
        if n % 40 == 0 {
            let killed = dir.path().join(format!("killed {n}"));
            copy(&dir.path().join("alive"), &killed);
            let (_store, records, ..) = sound(&killed);
            assert_eq!(records.len(), 50.min(n + 1));
            assert!(records.contains(&put(&format!("order {}", n % 50), &n.to_string())));
        }
    }
}

/// What a start after a kill at this moment would take for only seen.
pub(super) fn only_seen_in_a_copy(alive: &Path, killed: &Path) -> OnlySeen {
    copy(alive, killed);
    match Store::open(killed).unwrap() {
        Opened::Sound { only_seen, .. } => only_seen,
        Opened::Quarantined { damage, .. } => panic!("quarantined: {damage}"),
    }
}

#[test]
fn rule_01_only_what_the_second_file_does_not_know_was_only_seen() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    let only_seen = |name: &str| only_seen_in_a_copy(&alive, &dir.path().join(name));
    let keys = |keys: &[&str]| OnlySeen::Keys(keys.iter().map(|key| key.as_bytes().to_vec()).collect());
    store.commit(&puts(&[("a", "1"), ("b", "1")])).unwrap();
    assert_eq!(only_seen("behind"), OnlySeen::All, "nothing was ever vouched for");
    store.write_second().unwrap();
    assert_eq!(only_seen("level"), keys(&[]));
    store.commit(&Batch { removes: vec![b"b".to_vec()], ..puts(&[("c", "1")]) }).unwrap();
    assert_eq!(only_seen("behind again"), keys(&["c"]));
    store.commit(&larger_than_the_lead()).unwrap();
    assert_eq!(only_seen("in sled"), OnlySeen::All, "its batch moves what lay there before");
    store.write_second().unwrap();
    assert_eq!(only_seen("in sled and level"), OnlySeen::All, "as after a batch that began when all else was level");
    store.commit(&puts(&[("d", "1")])).unwrap();
    store.write_second().unwrap();
    assert_eq!(only_seen("in sled, and the second file beyond"), keys(&[]));
}

#[test]
fn a_burst_of_many_records_goes_to_sled_before_it_is_too_large_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    let mut expected = BTreeMap::new();
    let mut rounds = Vec::new();
    for burst in 0..60 {
        let records: Vec<_> = (0..16).map(|n| (format!("order {burst:02} {n:02}"), "accepted")).collect();
        let before = store.next_place().unwrap();
        store.commit(&puts(&records.iter().map(|(k, v)| (k.as_str(), *v)).collect::<Vec<_>>())).unwrap();
        assert!(before.at < lead::HALF_BYTES / 2, "the half is far from full");
        rounds.extend((store.next_place().unwrap().half != before.half).then_some(expected.len()));
        if let Some(giving) = half_to_give(&mut store) {
            giving.run().unwrap();
            store.given(Ok(())).unwrap();
        }
        expected.extend(records.into_iter().map(|(k, v)| (k.into_bytes(), v.as_bytes().to_vec())));
    }
    assert_eq!(rounds, [KEYS_AHEAD_MAX, 2 * KEYS_AHEAD_MAX], "each half takes as many");
    let killed = dir.path().join("killed");
    copy(&alive, &killed);
    assert_eq!(sound(&killed).1, expected.into_iter().collect::<Vec<_>>());
}

#[test]
fn what_was_committed_over_many_rounds_of_the_lead_is_there_after_a_kill_in_any_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    let mut expected = BTreeMap::new();
    let mut rounds = 0;
    for n in 0..900_usize {
        let (key, goes) = (format!("order {:02}", n % 37), format!("order {:02}", n * 7 % 41));
        let value = format!("{n} {}", "x".repeat(n * 13 % 2_000));
        let removes = vec![goes.clone().into_bytes()];
        store.commit(&Batch { removes, meta: Some(n.to_string().into_bytes()), ..puts(&[(&key, &value)]) }).unwrap();
        expected.insert(key, value);
        expected.remove(&goes);
        let at_start = store.next_place() == Some(lead::Place::START);
        rounds += usize::from(at_start);
        if n % 23 == 0 || at_start {
            let killed = dir.path().join("killed");
            copy(&alive, &killed);
            let (store, records, meta, _) = sound(&killed);
            let expected: Records = expected.iter().map(|(key, value)| put(key, value)).collect();
            assert!(records == expected, "after commit {n}: {} of {} records", records.len(), expected.len());
            assert_eq!(meta, Some(n.to_string().into_bytes()));
            assert_eq!(read_copy_of(store, &killed), (None, expected), "the same without opening it");
            fs::remove_dir_all(&killed).unwrap();
        }
    }
    assert!(rounds >= 3, "only {rounds} rounds");
}

/// What a kill at this moment leaves is everything: for whoever looks, for the store, and for whoever looks after it.
pub(super) fn killed_has(alive: &Path, expected: &Records) {
    let killed = alive.with_extension("killed");
    copy(alive, &killed);
    let before = read_copy(&killed).unwrap();
    let (store, records, ..) = sound(&killed);
    let after = read_copy_of(store, &killed);
    for (damage, records) in [(before.damage, before.records), (None, records), after] {
        assert_eq!(damage, None);
        assert!(records == *expected, "{} of {} records", records.len(), expected.len());
    }
    fs::remove_dir_all(&killed).unwrap();
}

/// What a look at a journal that nobody has open says.
fn read_copy_of(store: Store, dir: &Path) -> (Option<Damage>, Records) {
    drop(store);
    let inspected = read_copy(dir).unwrap();
    (inspected.damage, inspected.records)
}

#[test]
fn a_journal_of_the_format_without_a_lead_gets_one_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for cut in [false, true] {
        let journal = dir.path().join(format!("cut {cut}"));
        let (mut store, ..) = sound(&journal);
        store.commit(&puts(&[("a", "1"), ("b", "2")])).unwrap();
        store.commit(&larger_than_the_lead()).unwrap();
        drop(store);
        let records = read_copy(&journal).unwrap().records;
        // As the vend before this format left it: nothing but sled.
        fs::remove_file(journal.join("journal/lead")).unwrap();
        let db = sled::Config::new().path(journal.join("journal")).flush_every_ms(None).open().unwrap();
        let digest =
            value::unseal(b"d", &db.get(b"d").unwrap().unwrap()).map(|v| (v.counter, v.body.to_vec())).unwrap();
        db.insert(b"d", value::seal_as(1, b"d", digest.0, &digest.1)).unwrap();
        db.flush().unwrap();
        drop(db);
        if cut {
            // Power failed when the new lead was not whole.
            fs::write(journal.join("journal/lead"), "torn").unwrap();
        }
        assert!(read_copy(&journal).unwrap().records == records, "looking is possible before");
        let (mut store, found, _, fresh) = sound(&journal);
        assert!(found == records && !fresh);
        store.commit(&puts(&[("c", "3")])).unwrap();
        drop(store);
        assert!(sound(&journal).1.contains(&put("c", "3")));
        fs::remove_file(journal.join("journal/lead")).unwrap();
        assert_eq!(damaged(&journal), Damage::LeadMissing { counter: 2 }, "from then on it must be there");
    }
}

#[test]
fn a_journal_that_was_never_used_stays_fresh() {
    let dir = tempfile::tempdir().unwrap();
    drop(sound(dir.path()));
    assert!(sound(dir.path()).3, "a start without a commit is no life");
    let (mut store, ..) = sound(dir.path());
    store.commit(&Batch::default()).unwrap();
    drop(store);
    assert!(sound(dir.path()).3, "an empty commit is none");
}

#[test]
fn in_one_batch_the_last_put_counts_and_removes_come_after_puts() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    store.commit(&Batch { removes: vec![b"b".to_vec()], ..puts(&[("a", "1"), ("b", "1"), ("a", "2")]) }).unwrap();
    drop(store);
    assert_eq!(sound(dir.path()).1, [put("a", "2")]);
}

#[test]
fn records_and_the_cores_own_record_never_meet() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    let names = [("", "empty"), ("d", "d"), ("m", "m"), ("r", "r")];
    store.commit(&Batch { meta: Some(vec![]), ..puts(&names) }).unwrap();
    drop(store);
    let (_store, records, meta, _) = sound(dir.path());
    assert_eq!((records, meta), (names.map(|(k, v)| put(k, v)).to_vec(), Some(vec![])));
}

#[test]
fn a_value_or_key_over_its_limit_is_refused_and_nothing_of_its_batch_is_kept() {
    for (key_bytes, value_bytes, what) in [
        (1, VALUE_BYTES_MAX + 1, Part::Value),
        (KEY_BYTES_MAX + 1, 1, Part::Key),
        (KEY_BYTES_MAX + 1, VALUE_BYTES_MAX, Part::Key),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, ..) = sound(dir.path());
        let mut batch = puts(&[("a", "1")]);
        batch.puts.push((vec![b'k'; key_bytes], vec![b'v'; value_bytes]));
        let error = store.commit(&batch).unwrap_err();
        assert!(matches!(error, CommitError::TooLarge { what: w, .. } if w == what), "{error}");
        assert_eq!(store.commit(&puts(&[("b", "2")])), Err(error), "any failure poisons");
        let killed = tempfile::tempdir().unwrap();
        copy(dir.path(), killed.path());
        assert_eq!(sound(killed.path()).1, []);
    }
}

#[test]
fn the_largest_entries_allowed_never_become_blob_files() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    let largest = |n: usize, fill: u8| (format!("{n:0KEY_BYTES_MAX$}").into_bytes(), vec![fill; VALUE_BYTES_MAX]);
    assert_eq!(value::seal(b"k", 1, &largest(0, 1).1).len(), 4_096, "4 KiB with its header (rule 2)");
    let all = Batch { puts: (0..300).map(|n| largest(n, 1)).collect(), ..Batch::default() };
    store.commit(&all).unwrap();
    for n in 0..300 {
        store.commit(&Batch { puts: vec![largest(n, 2)], ..Batch::default() }).unwrap();
    }
    drop(store);
    let (_store, records, ..) = sound(dir.path());
    assert_eq!(records, (0..300).map(|n| largest(n, 2)).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(dir.path().join("journal/blobs")).unwrap().count(), 0);
}

#[test]
fn a_blob_file_that_appears_is_a_failure_and_at_the_next_start_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    make_sled(&mut store);
    fs::write(dir.path().join("journal/blobs/-1"), "x").unwrap();
    let error = CommitError::BlobFile { name: "-1".to_owned() };
    assert_eq!(store.commit(&larger_than_the_lead()), Err(error));
    let killed = tempfile::tempdir().unwrap();
    copy(dir.path(), killed.path());
    assert_eq!(damaged(killed.path()), Damage::BlobFile { name: "-1".to_owned() });
}

#[test]
fn a_failed_sync_poisons_for_ever_and_is_never_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    store.commit(&puts(&[("a", "1")])).unwrap();
    store.fail_syncs(Some(ErrorKind::StorageFull));
    let error = store.commit(&puts(&[("b", "2")])).unwrap_err();
    assert_eq!(error, CommitError::StorageFull { doing: Doing::SyncJournal });
    store.fail_syncs(None);
    for _ in 0..2 {
        assert_eq!(store.commit(&puts(&[("c", "3")])), Err(error.clone()));
        assert_eq!(store.commit(&Batch::default()), Err(error.clone()));
    }
    assert!(!store.second_is_behind(), "the second file must not learn of what may not be durable");
    let killed = tempfile::tempdir().unwrap();
    copy(dir.path(), killed.path());
    let (_store, records, ..) = sound(killed.path());
    assert!(records.contains(&put("a", "1")), "what was acknowledged is there");
    assert!(!records.contains(&put("c", "3")), "what was refused outright is not");
}

#[test]
fn a_journal_that_is_moved_away_while_it_is_open_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    copy(&dir.path().join("journal"), &dir.path().join("other"));
    fs::rename(dir.path().join("journal"), dir.path().join("gone")).unwrap();
    fs::rename(dir.path().join("other"), dir.path().join("journal")).unwrap();
    assert_eq!(store.commit(&puts(&[("a", "1")])), Err(CommitError::FileReplaced));
}

#[test]
fn rule_08_only_one_store_works_in_a_state_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = sound(dir.path());
    let refused = Store::open(dir.path()).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { state_dir, .. } if state_dir == dir.path()), "{refused}");
    assert!(matches!(read_copy(dir.path()), Err(InspectError::InUse { .. })));
    drop(store);
    sound(dir.path());
}

#[test]
fn a_copy_is_read_and_the_original_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(&dir.path().join("alive"));
    store.commit(&Batch { meta: Some(b"m".to_vec()), ..puts(&[("a", "1"), ("b", "2")]) }).unwrap();
    let killed = dir.path().join("killed");
    copy(&dir.path().join("alive"), &killed);
    fs::write(killed.join("journal/snap.0000000000000000.generating"), "torn").unwrap();
    let before = bytes_of(&killed);
    let inspected = read_copy(&killed).unwrap();
    assert_eq!(inspected.damage, None);
    assert_eq!((inspected.records, inspected.meta), (vec![put("a", "1"), put("b", "2")], Some(b"m".to_vec())));
    assert!(before == bytes_of(&killed), "the original was changed");
    assert!(matches!(read_copy(&dir.path().join("nowhere")), Err(InspectError::Absent { .. })));
}

#[test]
fn a_quarantine_ends_when_a_person_says_why_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    store.commit(&puts(&[("a", "1")])).unwrap();
    drop(store);
    let now = crate::order::time::UnixMs::from_seconds(1_700_000_000);
    let refused = accept_loss(dir.path(), "no reason to", now);
    assert!(matches!(refused, Err(AcceptError::NotQuarantined { .. })), "{refused:?}");
    fs::remove_file(dir.path().join("journal.second")).unwrap();
    assert_eq!(damaged(dir.path()), Damage::SecondFileMissing);
    assert!(matches!(damaged(dir.path()), Damage::Earlier { .. }), "it lasts");
    assert!(matches!(read_copy(dir.path()).unwrap().damage, Some(Damage::SecondFileMissing)));
    assert!(matches!(accept_loss(dir.path(), " \n", now), Err(AcceptError::NoReason)));
    let quarantined = Store::open(dir.path()).unwrap();
    let refused = accept_loss(dir.path(), "while the agent runs", now);
    assert!(matches!(refused, Err(AcceptError::InUse { .. })), "{refused:?}");
    drop(quarantined);
    let aside = accept_loss(dir.path(), "card was\nswapped", now).unwrap();
    assert_eq!(aside, dir.path().join("journal.lost-1"));
    assert!(aside.join("journal/lead").exists() && aside.join("journal.created").exists());
    let losses = fs::read_to_string(dir.path().join("journal.losses")).unwrap();
    assert!(losses.starts_with("1700000000 s after 1970: card was swapped | the second file is gone"), "{losses}");
    assert_eq!(losses.lines().count(), 1);
    let (_store, records, _, fresh) = sound(dir.path());
    assert_eq!((records, fresh), (vec![], true));
}

#[test]
fn free_space_is_what_the_file_system_says() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = sound(dir.path());
    assert!(store.free_bytes().unwrap() > 0);
}
