//! The thread that commits.

use super::*;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

/// Far more than any event takes.
const DEADLINE: Duration = Duration::from_secs(60);

fn started(store: Store) -> (Sender<(u64, Batch)>, Receiver<JournalEvent>, std::thread::JoinHandle<()>) {
    let (batches, from_core) = channel(8);
    let (done, events) = channel(8);
    let (thread, _) = spawn(store, from_core, done).unwrap();
    (batches, events, thread)
}

pub(super) fn block_on<F: Future>(f: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(f)
}

pub(super) async fn next(events: &mut Receiver<JournalEvent>) -> Option<JournalEvent> {
    timeout(DEADLINE, events.recv()).await.expect("no event in time")
}

/// The thread does it in its own time.
async fn until(what: &str, is_done: impl Fn() -> bool) {
    timeout(DEADLINE, async {
        while !is_done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("never: {what}"));
}

/// The second file is written while the journal is idle.
async fn until_changed(second: &Path, before: &[u8]) {
    until("the second file is written", || fs::read(second).unwrap() != before).await;
}

#[test]
fn a_new_journal_gets_its_sled_from_the_thread_while_nothing_happens_and_its_place_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = sound(dir.path());
    let (batches, mut events, thread) = started(store);
    block_on(async {
        assert!(matches!(next(&mut events).await, Some(JournalEvent::Space { enough: true, .. })));
        until("sled is made", || dir.path().join("journal/db").exists()).await;
        until("its place is known", || dir.path().join("journal.home").exists()).await;
        batches.send((1, puts(&[("a", "1")]))).await.unwrap();
        assert_eq!(next(&mut events).await, Some(JournalEvent::Committed(1)));
    });
    drop(batches);
    thread.join().unwrap();
    let (store, records, ..) = sound(dir.path());
    assert_eq!((records, store.making().is_none()), (vec![put("a", "1")], true));
}

#[test]
fn commits_and_the_second_file_do_not_wait_while_sled_is_made_on_a_slow_card() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    let gate = store.hold_up_the_making();
    let (batches, mut events, thread) = started(store);
    let second = dir.path().join("journal.second");
    let at_birth = fs::read(&second).unwrap();
    block_on(async {
        assert!(matches!(next(&mut events).await, Some(JournalEvent::Space { enough: true, .. })));
        until("sled is being made", || gate.is_waited_for()).await;
        for id in 1..=20 {
            batches.send((id, puts(&[("a", &id.to_string())]))).await.unwrap();
            assert_eq!(next(&mut events).await, Some(JournalEvent::Committed(id)));
        }
        until_changed(&second, &at_birth).await;
        assert!(!dir.path().join("journal/db").exists());
        gate.open();
        until("sled is made", || dir.path().join("journal/db").exists()).await;
    });
    drop((batches, events));
    thread.join().unwrap();
    assert_eq!(sound(dir.path()).1, [put("a", "20")]);
}

#[test]
fn a_commit_without_room_waits_for_the_sled_that_is_being_made() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    let gate = store.hold_up_the_making();
    let (batches, mut events, thread) = started(store);
    block_on(async {
        assert!(matches!(next(&mut events).await, Some(JournalEvent::Space { enough: true, .. })));
        until("sled is being made", || gate.is_waited_for()).await;
        batches.send((1, larger_than_the_lead())).await.unwrap();
        batches.send((2, puts(&[("a", "1")]))).await.unwrap();
        gate.open();
        assert_eq!(next(&mut events).await, Some(JournalEvent::Committed(1)));
        assert_eq!(next(&mut events).await, Some(JournalEvent::Committed(2)));
    });
    drop((batches, events));
    thread.join().unwrap();
    assert_eq!(sound(dir.path()).1.len(), larger_than_the_lead().puts.len() + 1);
}

#[test]
fn what_stands_in_the_way_of_sled_stops_no_commit_until_it_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("state")).unwrap();
    let state = dir.path().join("state");
    let (store, ..) = sound(&state);
    fs::write(state.join("journal.newborn"), "somebody's").unwrap();
    let (batches, mut events, thread) = started(store);
    block_on(async {
        assert!(matches!(next(&mut events).await, Some(JournalEvent::Space { enough: true, .. })));
        let value = "x".repeat(4_000);
        let mut id = 0;
        let failed = loop {
            id += 1;
            batches.send((id, puts(&[("a", &value)]))).await.unwrap();
            match next(&mut events).await {
                Some(JournalEvent::Committed(committed)) => assert_eq!(committed, id),
                other => break other,
            }
        };
        // A half is full, and what it holds must go to sled.
        assert!(id > 10, "commit {id}");
        let Some(JournalEvent::Failed { error, .. }) = &failed else { panic!("{failed:?}") };
        assert!(error.to_string().contains("cannot make the journal's database: cannot delete"), "{error}");
    });
    drop((batches, events));
    thread.join().unwrap();
    fs::remove_file(state.join("journal.newborn")).unwrap();
    let (mut store, records, ..) = sound(&state);
    assert_eq!(records.len(), 1, "nothing that was acknowledged is lost");
    make_sled(&mut store);
}

#[test]
fn batches_are_committed_in_order_and_the_second_file_follows() {
    let dir = tempfile::tempdir().unwrap();
    let second = dir.path().join("journal.second");
    let (store, ..) = sound(dir.path());
    let (batches, mut events, thread) = started(store);
    let at_birth = fs::read(&second).unwrap();
    block_on(async {
        assert!(matches!(next(&mut events).await, Some(JournalEvent::Space { enough: true, .. })));
        for id in 10..15 {
            batches.send((id, puts(&[("a", &id.to_string())]))).await.unwrap();
        }
        for id in 10..15 {
            assert_eq!(next(&mut events).await, Some(JournalEvent::Committed(id)));
        }
        until_changed(&second, &at_birth).await;
        drop(batches);
        assert_eq!(next(&mut events).await, None);
    });
    thread.join().unwrap();
    assert_eq!(sound(dir.path()).1, [put("a", "14")]);
}

#[test]
fn after_a_failure_every_batch_fails_alike() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    store.fail_syncs(Some(ErrorKind::Other));
    let (batches, mut events, thread) = started(store);
    block_on(async {
        assert!(matches!(next(&mut events).await, Some(JournalEvent::Space { .. })));
        let mut failures = vec![];
        for id in 1..4 {
            batches.send((id, puts(&[("a", "1")]))).await.unwrap();
            let Some(JournalEvent::Failed { id: Some(failed), error }) = next(&mut events).await else {
                panic!("no failure")
            };
            assert_eq!(failed, id);
            failures.push(error);
        }
        assert!(failures.iter().all(|e| *e == failures[0]), "{failures:?}");
        drop(batches);
        assert_eq!(next(&mut events).await, None);
    });
    thread.join().unwrap();
}

#[test]
fn the_thread_ends_and_gives_the_directory_back_when_the_core_stops_listening() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = sound(dir.path());
    let (batches, events, thread) = started(store);
    drop(events);
    block_on(async {
        // The thread may be gone before or after it took this one.
        let _ = batches.send((1, puts(&[("a", "1")]))).await;
    });
    thread.join().unwrap();
    sound(dir.path());
}

#[test]
fn a_batch_of_sleds_that_fails_beside_commits_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, ..) = sound(dir.path());
    while store.giving().is_none() {
        store.commit(&puts(&[("a", &"x".repeat(4_000))])).unwrap();
    }
    // As a life that was killed leaves it: the thread begins with the batch.
    fs::write(dir.path().join("journal/blobs/-1"), "x").unwrap();
    let (batches, mut events, thread) = started(store);
    block_on(async {
        assert!(matches!(next(&mut events).await, Some(JournalEvent::Space { .. })));
        let failed = next(&mut events).await;
        let error = CommitError::BlobFile { name: "-1".to_owned() };
        assert_eq!(failed, Some(JournalEvent::Failed { id: None, error: error.clone() }));
        batches.send((1, puts(&[("b", "1")]))).await.unwrap();
        assert_eq!(next(&mut events).await, Some(JournalEvent::Failed { id: Some(1), error }));
        drop(batches);
    });
    thread.join().unwrap();
}

/// A commit that is waited for, beside the thread.
mod here {
    use super::*;
    use crate::io::journal::disk::Disk;

    /// A thread with nothing to do, and a hand beside it.
    struct Desk {
        batches: Sender<(u64, Batch)>,
        events: Receiver<JournalEvent>,
        thread: std::thread::JoinHandle<()>,
        here: Here,
    }

    fn desk(store: Store) -> Desk {
        let (batches, from_core) = channel(8);
        let (done, mut events) = channel(8);
        let (thread, here) = spawn(store, from_core, done).unwrap();
        assert!(matches!(block_on(next(&mut events)), Some(JournalEvent::Space { enough: true, .. })));
        Desk { batches, events, thread, here }
    }

    impl Desk {
        /// On a quick disk, whatever this computer's is.
        fn commit(&mut self, id: u64, batch: &Batch) -> Option<JournalEvent> {
            self.here.take_the_disk_for(Disk::known_to_be_quick());
            self.here.commit(id, batch)
        }

        fn end(self) {
            drop((self.batches, self.here));
            self.thread.join().unwrap();
        }
    }

    #[test]
    fn a_commit_is_made_here_and_the_thread_tells_the_second_file_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let second = dir.path().join("journal.second");
        let mut desk = desk(sound(dir.path()).0);
        let at_birth = fs::read(&second).unwrap();
        assert_eq!(desk.commit(7, &puts(&[("a", "1")])), Some(JournalEvent::Committed(7)));
        assert_eq!(desk.commit(8, &puts(&[("a", "2")])), Some(JournalEvent::Committed(8)));
        desk.here.leave_the_rest();
        block_on(until_changed(&second, &at_birth));
        // And once more: the thread has to be told of what comes after that, too.
        let once = fs::read(&second).unwrap();
        assert_eq!(desk.commit(9, &puts(&[("a", "3")])), Some(JournalEvent::Committed(9)));
        desk.here.leave_the_rest();
        block_on(until_changed(&second, &once));
        desk.end();
        assert_eq!(sound(dir.path()).1, [put("a", "3")]);
    }

    #[test]
    fn a_commit_that_took_long_is_told_from_quick_ones_and_the_next_is_the_threads() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, ..) = sound(dir.path());
        store.take_time_for_syncs(Duration::from_millis(50));
        let mut desk = desk(store);
        assert_eq!(desk.commit(1, &puts(&[("a", "1")])), Some(JournalEvent::Committed(1)));
        assert!(!desk.here.was_quick());
        assert_eq!(desk.here.commit(2, &puts(&[("a", "2")])), None);
        desk.end();
        let mut desk = self::desk(sound(dir.path()).0);
        // However slow this computer's disk is, one of many commits is quick.
        let quick = (3..1_000).any(|id| {
            desk.commit(id, &puts(&[("a", "3")]));
            desk.here.was_quick()
        });
        assert!(quick);
        desk.end();
    }

    #[test]
    fn a_disk_that_is_not_known_to_be_quick_is_the_threads() {
        let dir = tempfile::tempdir().unwrap();
        let (store, ..) = sound(dir.path());
        let mut desk = desk(store);
        assert_eq!(desk.here.commit(1, &puts(&[("a", "1")])), None);
        desk.end();
        assert_eq!(sound(dir.path()).1, [], "nothing happened");
    }

    #[test]
    fn what_sled_must_have_is_the_threads_and_goes_with_all_that_was_committed_here() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = desk(sound(dir.path()).0);
        assert_eq!(desk.commit(1, &puts(&[("a", "1")])), Some(JournalEvent::Committed(1)));
        assert_eq!(desk.commit(2, &larger_than_the_lead()), None);
        block_on(async {
            desk.batches.send((2, larger_than_the_lead())).await.unwrap();
            assert_eq!(next(&mut desk.events).await, Some(JournalEvent::Committed(2)));
        });
        desk.end();
        let records = sound(dir.path()).1;
        assert_eq!(records.len(), larger_than_the_lead().puts.len() + 1);
    }

    #[test]
    fn half_after_half_is_filled_here_and_the_thread_gives_each_to_sled() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = desk(sound(dir.path()).0);
        let (mut id, mut halves) = (0, 0);
        while halves < 4 {
            id += 1;
            let batch = puts(&[("a", &id.to_string()), (&format!("{}", id % 40), &"x".repeat(1_500))]);
            assert_eq!(desk.commit(id, &batch), Some(JournalEvent::Committed(id)), "no commit waits for sled");
            if desk.here.is_half_full() {
                halves += 1;
                desk.here.leave_the_rest();
                block_on(until("the thread gives", || !desk.here.is_half_full()));
            }
        }
        desk.end();
        let db = sled::Config::new().path(dir.path().join("journal")).flush_every_ms(None).open().unwrap();
        let newest = value::unseal(b"ra", &db.get(b"ra").unwrap().unwrap()).unwrap().counter;
        assert!(newest + 1 >= id, "sled has {newest} of {id}");
        drop(db);
        assert!(sound(dir.path()).1.contains(&put("a", &id.to_string())));
    }

    #[test]
    fn commits_beside_sleds_batches_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = desk(sound(dir.path()).0);
        let mut expected = Records::new();
        for id in 0..600 {
            let record = put(&format!("order {id:04}"), &"x".repeat(1_500));
            let batch = Batch { puts: vec![record.clone()], ..Batch::default() };
            expected.push(record);
            let committed = desk.commit(id, &batch);
            desk.here.leave_the_rest();
            let committed = committed.unwrap_or_else(|| {
                block_on(async {
                    desk.batches.send((id, batch)).await.unwrap();
                    next(&mut desk.events).await.unwrap()
                })
            });
            assert_eq!(committed, JournalEvent::Committed(id));
        }
        desk.end();
        assert!(sound(dir.path()).1 == expected);
    }

    #[test]
    fn a_failure_here_fails_every_batch_after_it_on_the_thread_too() {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, ..) = sound(dir.path());
        store.fail_syncs(Some(ErrorKind::Other));
        let mut desk = desk(store);
        let Some(JournalEvent::Failed { id: Some(1), error }) = desk.commit(1, &puts(&[("a", "1")])) else {
            panic!("no failure")
        };
        block_on(async {
            desk.batches.send((2, puts(&[("a", "2")]))).await.unwrap();
            assert_eq!(next(&mut desk.events).await, Some(JournalEvent::Failed { id: Some(2), error }));
        });
        desk.end();
    }
}
