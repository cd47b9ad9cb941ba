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
    let thread = spawn(store, from_core, done).unwrap();
    (batches, events, thread)
}

pub(super) fn block_on<F: Future>(f: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(f)
}

pub(super) async fn next(events: &mut Receiver<JournalEvent>) -> Option<JournalEvent> {
    timeout(DEADLINE, events.recv()).await.expect("no event in time")
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
        timeout(DEADLINE, async {
            while fs::read(&second).unwrap() == at_birth {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the second file was not written while the journal was idle");
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
