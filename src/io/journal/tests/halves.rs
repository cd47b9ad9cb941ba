//! The two halves of the lead: sled gets the full one while commits go on in the other.

use super::super::lead::{HALF_BYTES, Half, Place};
use super::super::value::seal_as;
use super::*;
use crate::io::journal::store::Giving;

/// Commits until a half is full and what it holds has yet to go to sled; so many more than were expected.
fn until_half_full(store: &mut Store, expected: &mut BTreeMap<String, String>) -> Giving {
    loop {
        let n = expected.len();
        let (key, value) = (format!("order {n:04}"), "x".repeat(n * 13 % 2_000));
        store.commit(&puts(&[(&key, &value)])).unwrap();
        expected.insert(key, value);
        if let Some(giving) = half_to_give(store) {
            return giving;
        }
    }
}

fn records_of(expected: &BTreeMap<String, String>) -> Records {
    expected.iter().map(|(key, value)| put(key, value)).collect()
}

#[test]
fn commits_go_on_in_the_other_half_while_sled_gets_the_full_one_and_a_kill_at_any_moment_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    let mut expected = BTreeMap::new();
    for round in 0..5 {
        let giving = until_half_full(&mut store, &mut expected);
        let half = if round % 2 == 0 { Half::Second } else { Half::First };
        assert_eq!(store.next_place().map(|place| place.half), Some(half));
        killed_has(&alive, &records_of(&expected));
        // One more before sled has them, and one after; then they are forgotten here.
        for phase in ["before", "after"] {
            let key = format!("{phase} {round}");
            assert_eq!(store.commit_within(store::Reach::Lead, &puts(&[(&key, phase)]), || {}), Ok(true));
            expected.insert(key, phase.to_owned());
            killed_has(&alive, &records_of(&expected));
            giving.run().unwrap();
        }
        store.given(Ok(())).unwrap();
        assert!(store.giving().is_none());
        killed_has(&alive, &records_of(&expected));
    }
}

#[test]
fn a_half_that_sled_does_not_have_for_good_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    let mut expected = BTreeMap::new();
    // sled's batch never ends. The commit for which no half is left takes all to sled.
    drop(until_half_full(&mut store, &mut expected));
    let mut commits = 0;
    while store.giving().is_some() {
        let key = format!("late {commits:04}");
        store.commit(&puts(&[(&key, &"y".repeat(1_500))])).unwrap();
        expected.insert(key, "y".repeat(1_500));
        commits += 1;
    }
    assert!(commits > HALF_BYTES / 4096, "the other half was filled first: {commits}");
    assert_eq!(store.next_place(), Some(Place::START));
    killed_has(&alive, &records_of(&expected));
    until_half_full(&mut store, &mut expected);
    killed_has(&alive, &records_of(&expected));
}

#[test]
fn what_a_killed_life_left_in_both_halves_goes_to_sled_before_its_half_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut alive = dir.path().join("life 0");
    let mut expected = BTreeMap::new();
    for life in 1..4 {
        let (mut store, ..) = sound(&alive);
        // What the life before left is given first, or stands in the way.
        let left = store.giving();
        assert_eq!(left.is_some(), life > 1, "life {life}");
        if let Some(left) = left.filter(|_| life == 2) {
            left.run().unwrap();
            store.given(Ok(())).unwrap();
        }
        until_half_full(&mut store, &mut expected);
        let next = dir.path().join(format!("life {life}"));
        copy(&alive, &next);
        alive = next;
    }
    killed_has(&alive, &records_of(&expected));
}

#[test]
fn rule_01_the_second_file_waits_for_sleds_batch_and_a_batch_that_was_only_seen_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    let only_seen = |name: &str| only_seen_in_a_copy(&alive, &dir.path().join(name));
    // The second file knows the last commit of the half, and nothing of the one that began the other.
    let mut expected = BTreeMap::new();
    let giving = loop {
        store.write_second().unwrap();
        let (n, value) = (expected.len(), "x".repeat(1_500));
        store.commit(&puts(&[(&format!("{n}"), &value)])).unwrap();
        expected.insert(n, value);
        if let Some(giving) = half_to_give(&mut store) {
            break giving;
        }
    };
    giving.run().unwrap();
    assert_eq!(only_seen("a batch that nobody vouches for"), OnlySeen::All);
    // Now it would know all, and so it gives first.
    store.write_second().unwrap();
    assert!(store.giving().is_none(), "the batch is made before the second file");
    assert_eq!(only_seen("all is vouched for"), OnlySeen::Keys(Default::default()));
}

#[test]
fn a_batch_that_fails_poisons_the_store_and_loses_nothing_that_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    let mut expected = BTreeMap::new();
    until_half_full(&mut store, &mut expected);
    store.fail_syncs(Some(ErrorKind::Other));
    let giving = store.giving().unwrap();
    store.fail_syncs(None);
    let failed = giving.run();
    assert!(failed.is_err());
    let error = store.given(failed).unwrap_err();
    assert_eq!(store.commit(&puts(&[("late", "1")])), Err(error));
    assert!(!store.second_is_behind(), "the second file learns nothing more");
    killed_has(&alive, &records_of(&expected));
}

#[test]
fn a_journal_whose_lead_had_no_halves_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal of before");
    let (mut store, ..) = sound(&journal);
    make_sled(&mut store);
    let mut expected = BTreeMap::new();
    until_half_full(&mut store, &mut expected);
    for n in 0..20 {
        store.commit(&puts(&[(&format!("zz {n:02}"), "in the other half")])).unwrap();
        expected.insert(format!("zz {n:02}"), "in the other half".to_owned());
    }
    let path = journal.join("journal/lead");
    let bytes = fs::read(&path).unwrap();
    // A copy, since the store that goes would give sled what is there.
    let old = dir.path().join("old");
    copy(&journal, &old);
    drop(store);
    // One entry behind the other over the middle of the file, as the vend before wrote them.
    let (entries, _) = lead::read(&bytes, 0).unwrap();
    let mut together = Vec::new();
    for entry in &entries {
        let from = &bytes[entry.place.offset()..];
        let length = 4 + u32::from_le_bytes(*from.first_chunk().unwrap()) as usize;
        together.extend_from_slice(&from[..length.next_multiple_of(512)]);
    }
    assert!(together.len() > HALF_BYTES);
    together.resize(lead::LEAD_BYTES, 0);
    fs::write(old.join("journal/lead"), together).unwrap();
    let db = sled::Config::new().path(old.join("journal")).flush_every_ms(None).open().unwrap();
    let digest = value::unseal(b"d", &db.get(b"d").unwrap().unwrap()).map(|v| (v.counter, v.body.to_vec())).unwrap();
    assert_eq!(digest.0, 0, "sled has nothing yet");
    db.insert(b"d", seal_as(2, b"d", digest.0, &digest.1)).unwrap();
    db.flush().unwrap();
    drop(db);
    let records = records_of(&expected);
    assert!(read_copy(&old).unwrap().records == records, "looking is possible before");
    let (mut store, found, ..) = sound(&old);
    assert!(found == records);
    assert_eq!(store.next_place(), Some(Place::START), "sled has it all now");
    until_half_full(&mut store, &mut expected);
    killed_has(&old, &records_of(&expected));
}
