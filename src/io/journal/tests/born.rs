//! Journals that are new: whole from their birth, although they get their sled later.

use super::super::birth::NotMade;
use super::*;
use std::ffi::OsString;

fn commit(store: &mut Store, records: &mut Records, count: usize) {
    for _ in 0..count {
        let record = (format!("order {:04}", records.len()).into_bytes(), vec![b'x'; 700]);
        store.commit(&Batch { puts: vec![record.clone()], ..Batch::default() }).unwrap();
        records.push(record);
    }
}

fn names_in(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn a_new_journal_is_whole_before_it_has_its_sled_and_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    let mut records = Records::new();
    assert_eq!(names_in(&alive.join("journal")), ["lead"], "nobody waits for sled at a birth");
    killed_has(&alive, &records);
    commit(&mut store, &mut records, 30);
    killed_has(&alive, &records);
    make_sled(&mut store);
    assert!(store.making().is_none(), "once is enough");
    killed_has(&alive, &records);
    commit(&mut store, &mut records, 30);
    killed_has(&alive, &records);
    drop(store);
    killed_has(&alive, &records);
}

#[test]
fn a_life_without_its_sled_is_gone_on_with_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = Records::new();
    for life in 0..4 {
        let (mut store, found, _, fresh) = sound(dir.path());
        assert_eq!((found.as_slice(), fresh), (records.as_slice(), life == 0));
        commit(&mut store, &mut records, 5);
    }
    assert_eq!(names_in(&dir.path().join("journal")), ["lead"]);
}

#[test]
fn commits_go_on_in_the_lead_while_sled_is_made_however_many_come() {
    let dir = tempfile::tempdir().unwrap();
    let alive = dir.path().join("alive");
    let (mut store, ..) = sound(&alive);
    let mut records = Records::new();
    let making = store.making().unwrap();
    commit(&mut store, &mut records, 20);
    let database = making.run().unwrap();
    // A half is full meanwhile, and the other is begun.
    while !store.is_half_full() {
        commit(&mut store, &mut records, 1);
    }
    commit(&mut store, &mut records, 1);
    killed_has(&alive, &records);
    assert!(store.giving().is_none(), "it does not have it yet");
    store.made(database);
    killed_has(&alive, &records);
    let giving = store.giving().unwrap();
    commit(&mut store, &mut records, 1);
    giving.run().unwrap();
    store.given(Ok(())).unwrap();
    killed_has(&alive, &records);
    // And a life that needs sled before anybody made it: both halves are full.
    let other = dir.path().join("other");
    let (mut store, ..) = sound(&other);
    let mut records = Records::new();
    while store.making().is_some() {
        commit(&mut store, &mut records, 1);
    }
    assert!(records.len() > 100, "{} commits found room", records.len());
    killed_has(&other, &records);
}

#[test]
fn a_making_that_was_cut_anywhere_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (dir.path().join("before"), dir.path().join("after"));
    let (mut store, ..) = sound(&before);
    let mut records = Records::new();
    commit(&mut store, &mut records, 3);
    copy(&before, &after);
    make_sled(&mut sound(&after).0);
    let mut names = names_in(&after.join("journal"));
    names.retain(|name| name != "lead");
    assert!(names.iter().any(|name| name == "db") && names.len() >= 3, "{names:?}");
    // So many of them had been moved in, its file never; what had not lies where it was made, torn or whole.
    names.sort_by_key(|name| name == "db");
    for moved in 0..names.len() {
        for torn in [false, true] {
            let cut = dir.path().join(format!("{moved} {torn}"));
            copy(&before, &cut);
            fs::create_dir(cut.join("journal.newborn")).unwrap();
            for (n, name) in names.iter().enumerate() {
                let to = if n < moved { cut.join("journal") } else { cut.join("journal.newborn") }.join(name);
                let from = after.join("journal").join(name);
                match from.is_dir() {
                    true => fs::create_dir(&to).unwrap(),
                    false if torn => fs::write(&to, "torn").unwrap(),
                    false => drop(fs::copy(&from, &to).unwrap()),
                }
            }
            killed_has(&cut, &records);
            let mut store = sound(&cut).0;
            make_sled(&mut store);
            assert!(!cut.join("journal.newborn").exists());
            let mut records = records.clone();
            store.fill_the_lead();
            commit(&mut store, &mut records, 2);
            drop(store);
            assert!(sound(&cut).1 == records, "sled has them now");
        }
    }
}

#[test]
fn what_stands_in_the_way_of_sled_costs_no_commit_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    let in_the_way = dir.path().join("journal.newborn");
    fs::write(&in_the_way, "somebody's").unwrap();
    let making = store.making().unwrap();
    let error = making.run().unwrap_err();
    assert!(matches!(&error, NotMade::Yet(OpenError::Io { doing: Doing::Delete, .. })), "{error:?}");
    assert_eq!(fs::read_to_string(&in_the_way).unwrap(), "somebody's");
    let mut records = Records::new();
    commit(&mut store, &mut records, 5);
    fs::remove_file(&in_the_way).unwrap();
    store.made(making.run().unwrap());
    commit(&mut store, &mut records, 5);
    drop(store);
    assert!(matches!(Store::open(dir.path()), Err(OpenError::InUse { .. })), "whoever makes sled holds the lock");
    drop(making);
    assert_eq!(sound(dir.path()).1, records);
}

#[test]
fn sleds_file_that_is_lost_is_damage_and_where_nobody_knows_that_it_was_there_the_lead_must_have_every_commit() {
    // Not /tmp, which may be a tmpfs: there a file has no number that lasts.
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let (mut store, ..) = sound(dir.path());
    let mut records = Records::new();
    commit(&mut store, &mut records, 10);
    make_sled(&mut store);
    drop(store);
    let (db, home) = (dir.path().join("journal/db"), dir.path().join("journal.home"));
    fs::remove_file(&db).unwrap();
    if fs::read_to_string(&home).unwrap().contains("file ") {
        assert_eq!(read_copy(dir.path()).unwrap().damage, Some(Damage::SledMissing));
        assert_eq!(damaged(dir.path()), Damage::SledMissing);
        fs::remove_file(dir.path().join("journal.quarantine")).unwrap();
    } else {
        eprintln!("SKIPPED: this file system has no lasting inodes, so nobody knows that sled was there");
    }
    fs::remove_file(home).unwrap();
    killed_has(dir.path(), &records);
    let (mut store, ..) = sound(dir.path());
    make_sled(&mut store);
    store.fill_the_lead();
    commit(&mut store, &mut records, 5);
    drop(store);
    fs::remove_file(&db).unwrap();
    fs::remove_file(dir.path().join("journal.home")).unwrap();
    // What was committed last lies over the first ones.
    let hole = Damage::Hole { last: 0, beyond: 5 };
    assert_eq!(read_copy(dir.path()).unwrap().damage, Some(hole.clone()));
    assert_eq!(damaged(dir.path()), hole);
    assert!(!db.exists(), "nothing new is made over a loss");
}
