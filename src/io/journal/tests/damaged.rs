//! Journals that something happened to: each must be quarantined or open with exactly what was committed, never with
//! silently less or other.

use super::super::value::seal_as;
use super::*;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// This commit of the specimen's goes to sled with all before it, those after it are in the lead.
const FOR_SLED: usize = 70;

/// A journal with 60 records in several leaves, as a clean end leaves it; its records; room for copies.
fn specimen() -> (tempfile::TempDir, PathBuf, Records) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("specimen");
    let (mut store, ..) = sound(&path);
    for n in 0..90 {
        if n == FOR_SLED {
            store.fill_the_lead();
        }
        let value = format!("{n} {}", "x".repeat(n * 3));
        store.commit(&puts(&[(&format!("order {:03}", n % 60), &value)])).unwrap();
    }
    drop(store);
    let records = read_copy(&path).unwrap().records;
    assert_eq!(records.len(), 60);
    (dir, path, records)
}

/// Opens what may be damaged; true when it was noticed. Never other records.
fn noticed(dir: &Path, records: &Records) -> bool {
    match Store::open(dir) {
        Ok(Opened::Sound { records: found, .. }) => {
            assert!(found == *records, "{} records instead of {}, silently", found.len(), records.len());
            false
        }
        Ok(Opened::Quarantined { .. }) => true,
        Err(e) => panic!("damage is not {e}"),
    }
}

/// Changes the default tree of a closed journal behind the store's back.
fn behind_the_back(dir: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::Config::new().path(dir.join("journal")).flush_every_ms(None).open().unwrap();
    change(&db);
    db.flush().unwrap();
}

#[test]
fn no_flipped_bit_costs_a_record_silently() {
    let (dir, specimen, records) = specimen();
    let mut caught = 0;
    for name in ["journal/db", "journal/conf", "journal/lead", "journal.second"] {
        let len = fs::metadata(specimen.join(name)).unwrap().len();
        let step = (len / 80).max(1);
        for (n, at) in (0..len).step_by(usize::try_from(step).unwrap()).enumerate() {
            let broken = dir.path().join("broken");
            copy(&specimen, &broken);
            let file = fs::File::options().read(true).write(true).open(broken.join(name)).unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ (1 << (n % 8))], at).unwrap();
            drop(file);
            caught += usize::from(noticed(&broken, &records));
            fs::remove_dir_all(&broken).unwrap();
        }
    }
    assert!(caught > 20, "only {caught} flips were noticed: the test flips the wrong bits");
}

#[test]
fn no_truncation_costs_a_record_silently() {
    let (dir, specimen, records) = specimen();
    let len = fs::metadata(specimen.join("journal/db")).unwrap().len();
    let mut caught = 0;
    for part in 0..20 {
        let broken = dir.path().join(format!("broken {part}"));
        copy(&specimen, &broken);
        fs::File::options().write(true).open(broken.join("journal/db")).unwrap().set_len(len * part / 20).unwrap();
        caught += usize::from(noticed(&broken, &records));
    }
    assert!(caught > 0);
}

#[test]
fn a_torn_commit_is_there_as_a_whole_or_not_at_all_and_is_no_damage() {
    torn_commits_of("journal/lead", |_| {});
}

#[test]
fn a_torn_commit_of_sleds_is_there_as_a_whole_or_not_at_all_and_is_no_damage() {
    torn_commits_of("journal/db", Store::fill_the_lead);
}

fn torn_commits_of(file: &str, prepare: impl Fn(&mut Store)) {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let bytes = || fs::read(alive.join(file)).unwrap();
    let (mut store, ..) = sound(&alive);
    let before = vec![put("a", "1"), put("b", "1"), put("c", "1")];
    prepare(&mut store);
    store.commit(&Batch { puts: before.clone(), ..Batch::default() }).unwrap();
    store.write_second().unwrap();
    prepare(&mut store);
    let old = bytes();
    let removes = vec![b"b".to_vec()];
    store.commit(&Batch { removes, meta: Some(b"m".to_vec()), ..puts(&[("a", "2"), ("d", "2")]) }).unwrap();
    let after = vec![put("a", "2"), put("c", "1"), put("d", "2")];
    let new = bytes();
    assert_eq!(old.len(), new.len(), "room for it was made before");
    let differs = |&at: &usize| old[at] != new[at];
    let start = (0..new.len()).find(differs).unwrap();
    let end = (0..new.len()).rfind(differs).unwrap() + 1;
    let (mut olds, mut news) = (0, 0);
    for cut in (start..end).step_by(3).chain([end]) {
        // What was not written is as before; what was written late leaves a hole.
        let part = [&new[..cut], &old[cut..]].concat();
        let hole = [&old[..cut], &new[cut..]].concat();
        for image in [part, hole] {
            let torn = dir.path().join("torn");
            copy(&alive, &torn);
            fs::write(torn.join(file), image).unwrap();
            let (store, records, meta, _) = sound(&torn);
            if meta.is_some() {
                assert!(records == after, "a part of the commit at {cut}: {records:?}");
                news += 1;
            } else {
                assert!(records == before, "a part of the commit at {cut}: {records:?}");
                olds += 1;
            }
            drop(store);
            fs::remove_dir_all(&torn).unwrap();
        }
    }
    assert!(olds > 10 && news > 0, "{olds} without it, {news} with it");
}

/// Where the specimen's lead begins: the commit after [`FOR_SLED`], numbered from 1.
const FIRST_IN_LEAD: u64 = FOR_SLED as u64 + 2;

/// Writes over some bytes of the specimen's lead, `sectors` from its beginning.
fn into_the_lead(specimen: &Path, sectors: u64, bytes: &[u8]) {
    let file = fs::File::options().write(true).open(specimen.join("journal/lead")).unwrap();
    file.write_all_at(bytes, sectors * 512).unwrap();
}

#[test]
fn a_commit_in_the_lead_that_is_not_whole_while_a_later_one_is_there_is_damage() {
    // An entry of the specimen takes one sector.
    for lost in [0, 1, 10, 17] {
        let (_dir, specimen, _) = specimen();
        into_the_lead(&specimen, lost, &[0xaa; 30]);
        let last = FIRST_IN_LEAD + lost - 1;
        assert_eq!(damaged(&specimen), Damage::Hole { last, beyond: last + 2 });
        assert_eq!(read_copy(&specimen).unwrap().damage, Some(Damage::Hole { last, beyond: last + 2 }));
    }
    // The newest: no power cut takes it either, once the second file knows of it.
    let (_dir, specimen, _) = specimen();
    into_the_lead(&specimen, 18, &[0xaa; 30]);
    assert_eq!(damaged(&specimen), Damage::SecondFileAhead { journal: 89, second: 90 });
}

#[test]
fn what_earlier_rounds_left_in_the_lead_is_not_taken_for_commits() {
    let (_dir, specimen, records) = specimen();
    let lead = fs::read(specimen.join("journal/lead")).unwrap();
    // The 19 commits of this round, and from the round before what they did not write over: 20 to 70.
    let counters = (0..70).map(|n| u64::from(lead[n * 512 + 4 + 5]));
    assert!(counters.eq((72..=90).chain(20..=70)), "one sector each");
    assert!(sound(&specimen).1 == records);
}

#[test]
fn a_lead_that_is_missing_cut_empty_or_of_another_journal_is_damage() {
    let (_dir, specimen_a, _) = specimen();
    fs::remove_file(specimen_a.join("journal/lead")).unwrap();
    assert_eq!(damaged(&specimen_a), Damage::LeadMissing { counter: FIRST_IN_LEAD - 1 });
    assert!(read_copy(&specimen_a).unwrap().records.len() == 60, "what sled has is shown");

    let (_dir, specimen_b, _) = specimen();
    fs::File::options().write(true).open(specimen_b.join("journal/lead")).unwrap().set_len(4_000).unwrap();
    let expected_bytes = lead::LEAD_BYTES;
    assert_eq!(damaged(&specimen_b), Damage::LeadCut { found_bytes: 4_000, expected_bytes });

    let (_dir, specimen_c, _) = specimen();
    fs::write(specimen_c.join("journal/lead"), vec![0; lead::LEAD_BYTES]).unwrap();
    assert_eq!(damaged(&specimen_c), Damage::SecondFileAhead { journal: FIRST_IN_LEAD - 1, second: 90 });

    // The same commits of an older journal, and those of one that is far ahead.
    for (commits, hole) in [(FOR_SLED + 2, false), (FOR_SLED + 9, true)] {
        let (dir, specimen, _) = specimen();
        let other = dir.path().join("other");
        let (mut store, ..) = sound(&other);
        for n in 0..commits {
            if n + 2 == commits {
                store.fill_the_lead();
            }
            store.commit(&puts(&[("other", "1")])).unwrap();
        }
        drop(store);
        fs::copy(other.join("journal/lead"), specimen.join("journal/lead")).unwrap();
        match damaged(&specimen) {
            Damage::Lead { counter, .. } => assert_eq!((counter, hole), (FIRST_IN_LEAD, false)),
            // Those of its commits that happen to follow are no better for it: one between was never in the lead.
            Damage::Hole { last, .. } => assert_eq!((last, hole), (commits as u64 - 2, true)),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_lead_of_a_newer_format_is_a_refusal_and_no_quarantine() {
    let (_dir, specimen, _) = specimen();
    let sealed = seal_as(FORMAT + 1, b"lead", FIRST_IN_LEAD, b"?");
    into_the_lead(&specimen, 0, &[&u32::try_from(sealed.len()).unwrap().to_le_bytes(), sealed.as_slice()].concat());
    let refused = Store::open(&specimen).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found, .. } if found == FORMAT + 1), "{refused}");
    assert!(!specimen.join("journal.quarantine").exists());
}

#[test]
fn what_a_killed_process_wrote_and_did_not_sync_is_durable_before_anything_is_written_after_it() {
    // Else a cut might keep the later one alone, which is a hole.
    let dir = tempfile::tempdir().unwrap();
    make_sled(&mut sound(dir.path()).0);
    let trace = dir.path().join("trace");
    let Some(syncs) = worlds::syncs_of_an_opening(dir.path(), &trace) else { return };
    assert!(syncs.iter().any(|sync| sync.contains("/journal/lead>")), "{syncs:?}");
    assert!(syncs.iter().any(|sync| sync.contains("/journal/db>")), "{syncs:?}");
}

#[test]
fn rule_03_a_record_dropped_doubled_or_put_back_is_noticed() {
    let changes: [&dyn Fn(&sled::Db); 4] = [
        &|db| drop(db.remove(b"rorder 007").unwrap()),
        &|db| {
            // A leaf that went missing with two records.
            db.remove(b"rorder 007").unwrap();
            db.remove(b"rorder 008").unwrap();
        },
        &|db| drop(db.insert(b"rorder 999", value::seal(b"rorder 999", 3, b"other")).unwrap()),
        &|db| drop(db.insert(b"rorder 007", value::seal(b"rorder 007", 8, b"an older version")).unwrap()),
    ];
    for change in changes {
        let (_dir, specimen, _) = specimen();
        behind_the_back(&specimen, change);
        let damage = damaged(&specimen);
        assert!(matches!(damage, Damage::Digest { .. }), "{damage}");
    }
}

#[test]
fn a_wrong_check_sum_a_foreign_key_and_a_missing_digest_are_told_apart() {
    let (_dir, specimen_a, _) = specimen();
    behind_the_back(&specimen_a, |db| drop(db.insert(b"rorder 007", vec![1; 40]).unwrap()));
    let damage = damaged(&specimen_a);
    let key = b"order 007".to_vec();
    assert_eq!(damage, Damage::Records { count: 1, key, why: Unreadable::CheckSum });

    let (_dir, specimen_b, _) = specimen();
    behind_the_back(&specimen_b, |db| drop(db.insert(b"z", vec![1; 40]).unwrap()));
    assert_eq!(damaged(&specimen_b), Damage::ForeignKey { key: b"z".to_vec() });

    let (_dir, specimen_c, _) = specimen();
    behind_the_back(&specimen_c, |db| drop(db.remove(b"d").unwrap()));
    assert_eq!(damaged(&specimen_c), Damage::DigestMissing);
}

#[test]
fn a_damaged_journal_still_shows_what_can_be_read() {
    let (_dir, specimen, records) = specimen();
    behind_the_back(&specimen, |db| drop(db.insert(b"rorder 007", vec![1; 40]).unwrap()));
    let inspected = read_copy(&specimen).unwrap();
    assert!(matches!(inspected.damage, Some(Damage::Records { .. })));
    assert_eq!(inspected.records.len(), records.len() - 1);
}

#[test]
fn a_newer_format_is_a_refusal_and_no_quarantine() {
    let (_dir, specimen, _) = specimen();
    behind_the_back(&specimen, |db| drop(db.insert(b"rnew", seal_as(FORMAT + 1, b"rnew", 1, b"?")).unwrap()));
    for _ in 0..2 {
        let refused = Store::open(&specimen).unwrap_err();
        assert!(matches!(refused, OpenError::Newer { found, known: FORMAT } if found == FORMAT + 1), "{refused}");
    }
    assert!(!specimen.join("journal.quarantine").exists());
}

#[test]
fn rule_03_a_second_file_ahead_of_the_journal_is_noticed_and_one_behind_is_normal() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    store.commit(&puts(&[("a", "1")])).unwrap();
    let older = dir.path().join("older");
    copy(&alive, &older);
    store.commit(&puts(&[("a", "2")])).unwrap();
    drop(store);
    assert_eq!(sound(&older).1, [put("a", "1")], "behind is normal");
    let newer = dir.path().join("newer");
    copy(&older, &newer);
    fs::copy(alive.join("journal.second"), newer.join("journal.second")).unwrap();
    assert_eq!(damaged(&newer), Damage::SecondFileAhead { journal: 1, second: 2 });
}

#[test]
fn a_second_file_of_another_journal_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    for (name, key) in [("one", "a"), ("other", "b")] {
        let (mut store, ..) = sound(&dir.path().join(name));
        store.commit(&puts(&[(key, "1")])).unwrap();
    }
    fs::copy(dir.path().join("one/journal.second"), dir.path().join("other/journal.second")).unwrap();
    let damage = damaged(&dir.path().join("other"));
    assert!(matches!(damage, Damage::SecondFileDiffers { .. }), "{damage}");
}

#[test]
fn one_torn_slot_is_normal_and_two_are_damage() {
    let (_dir, specimen, records) = specimen();
    let tear = |at| {
        let file = fs::File::options().write(true).open(specimen.join("journal.second")).unwrap();
        file.write_all_at(&[0xaa; 20], at).unwrap();
    };
    tear(0);
    assert_eq!(sound(&specimen).1, records);
    tear(4096);
    assert_eq!(damaged(&specimen), Damage::SecondFileUnreadable);
}

#[test]
fn a_missing_folder_is_a_lost_journal() {
    for keep in ["journal.created", "journal.second"] {
        let (_dir, specimen, _) = specimen();
        for name in ["journal.created", "journal.second"].into_iter().filter(|&name| name != keep) {
            fs::remove_file(specimen.join(name)).unwrap();
        }
        fs::remove_dir_all(specimen.join("journal")).unwrap();
        assert_eq!(damaged(&specimen), Damage::JournalMissing);
        assert!(!specimen.join("journal").exists(), "nothing new is made over a loss");
        assert_eq!(read_copy(&specimen).unwrap().damage, Some(Damage::JournalMissing));
    }
}

#[test]
fn rule_04_without_a_marker_a_used_journal_is_damage() {
    let (_dir, specimen_a, _) = specimen();
    fs::remove_file(specimen_a.join("journal.created")).unwrap();
    assert_eq!(read_copy(&specimen_a).unwrap().damage, Some(Damage::MarkerMissing { records: 60, counter: 90 }));
    assert_eq!(damaged(&specimen_a), Damage::MarkerMissing { records: 60, counter: 90 });

    // Its records are gone, and only the second file tells.
    let dir = tempfile::tempdir().unwrap();
    drop(sound(dir.path()));
    fs::remove_file(dir.path().join("journal.created")).unwrap();
    fs::copy(specimen_a.join("journal.second"), dir.path().join("journal.second")).unwrap();
    assert_eq!(damaged(dir.path()), Damage::MarkerMissing { records: 0, counter: 0 });
}

#[test]
fn rule_04_without_a_marker_an_unused_journal_is_set_aside_and_a_new_one_made() {
    for second_too in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        drop(sound(dir.path()));
        fs::remove_file(dir.path().join("journal.created")).unwrap();
        if !second_too {
            fs::remove_file(dir.path().join("journal.second")).unwrap();
        }
        assert!(sound(dir.path()).3);
        assert!(dir.path().join("journal.unfinished-1/journal/lead").exists());
        assert!(dir.path().join("journal.created").exists());
    }
}

#[test]
fn a_birth_that_was_cut_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("journal.newborn/blobs")).unwrap();
    fs::write(dir.path().join("journal.newborn/conf"), "torn").unwrap();
    assert!(sound(dir.path()).3);
    assert!(!dir.path().join("journal.newborn").exists());
}

#[test]
fn what_stands_in_the_way_of_a_birth_and_is_no_folder_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("journal.newborn");
    fs::write(&in_the_way, "somebody's").unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(&error, OpenError::Io { doing: Doing::Delete, path, .. } if *path == in_the_way), "{error}");
    assert_eq!(fs::read_to_string(&in_the_way).unwrap(), "somebody's");
}

#[test]
fn a_torn_snapshot_is_no_harm() {
    let (_dir, specimen, records) = specimen();
    fs::write(specimen.join("journal/snap.FFFFFFFFFFFFFFFF.generating"), "torn").unwrap();
    assert_eq!(sound(&specimen).1, records);
    assert!(!specimen.join("journal/snap.FFFFFFFFFFFFFFFF.generating").exists());
}

#[test]
fn a_folder_that_sled_refuses_is_kept_in_quarantine() {
    let (_dir, specimen_a, _) = specimen();
    fs::write(specimen_a.join("journal/snap.FFFFFFFFFFFFFFFF"), "not a snapshot at all").unwrap();
    assert!(matches!(damaged(&specimen_a), Damage::CannotOpen { .. }));
    assert!(specimen_a.join("journal/db").exists());
    fs::remove_file(specimen_a.join("journal/snap.FFFFFFFFFFFFFFFF")).unwrap();
    assert!(matches!(damaged(&specimen_a), Damage::Earlier { .. }), "what sled can open again may be too old");

    let (_dir, specimen_b, _) = specimen();
    fs::remove_dir_all(specimen_b.join("journal")).unwrap();
    fs::write(specimen_b.join("journal"), "a file").unwrap();
    assert!(matches!(damaged(&specimen_b), Damage::CannotOpen { .. }));

    let (_dir, specimen_c, _) = specimen();
    fs::write(specimen_c.join("journal/db"), "a foreign file".repeat(100_000)).unwrap();
    let damage = damaged(&specimen_c);
    assert!(read_copy(&specimen_c).unwrap().damage.is_some(), "{damage}");
}

#[test]
fn a_lost_journal_is_set_aside_beside_earlier_ones_and_an_interrupted_end_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let now = crate::order::time::UnixMs::default();
    for number in 1..=2 {
        drop(sound(dir.path()));
        fs::write(dir.path().join("journal.second"), "").unwrap();
        assert_eq!(damaged(dir.path()), Damage::SecondFileUnreadable);
        if number == 2 {
            // Power failed when only the folder had been moved.
            fs::rename(dir.path().join("journal"), dir.path().join("moved")).unwrap();
            assert!(matches!(damaged(dir.path()), Damage::Earlier { .. }));
        }
        let aside = accept_loss(dir.path(), "test", now).unwrap();
        assert_eq!(aside, dir.path().join(format!("journal.lost-{number}")));
    }
    assert!(sound(dir.path()).3);
}

#[test]
fn rule_05_a_journal_that_lies_elsewhere_is_in_doubt_until_it_is_back_or_a_person_says_otherwise() {
    let (_dir, specimen, records) = specimen();
    let home = specimen.join("journal.home");
    let here = fs::read_to_string(&home).unwrap();
    if here.is_empty() {
        eprintln!("SKIPPED: nothing names this place, so no other can be told from it");
        return;
    }
    let elsewhere: String = here.lines().map(|line| format!("{line}0\n")).collect();
    fs::write(&home, &elsewhere).unwrap();
    for _ in 0..2 {
        assert!(matches!(damaged(&specimen), Damage::Elsewhere { .. }), "it lasts");
    }
    fs::write(&home, &here).unwrap();
    assert!(sound(&specimen).1 == records, "back in its place it is sound");
    fs::write(&home, &elsewhere).unwrap();
    accept_move(&specimen, "the controller was exchanged", crate::order::time::UnixMs::from_seconds(1_700_000_000))
        .unwrap();
    assert!(sound(&specimen).1 == records, "nothing is lost");
}
