//! The frames on the line for the pages: one listener for all of them, which leaves when no page asks any more.

use crate::control::{Ask, Asked, Refusal, Told, Versioned};
use crate::web::live;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// After the last page has asked: a page that asks each second, and whose network stumbles, loses nothing by it.
const LISTEN_FOR: Duration = Duration::from_secs(10);

/// What passes, while a page watches. Nothing is listened to, and nothing copied, otherwise.
pub(super) struct Frames {
    kept: RefCell<live::Frames>,
    asked_last: Cell<Instant>,
    is_listening: Cell<bool>,
}

impl Frames {
    pub(super) fn new() -> Rc<Frames> {
        let (kept, asked_last) = (RefCell::default(), Cell::new(Instant::now()));
        Rc::new(Frames { kept, asked_last, is_listening: Cell::new(false) })
    }

    /// What passed, as a document; nothing when the core takes no questions any more.
    pub(super) async fn after(
        self: &Rc<Frames>,
        after: Option<u64>,
        asks: &mpsc::Sender<Asked>,
    ) -> Option<Result<Vec<u8>, Refusal>> {
        self.asked_last.set(Instant::now());
        // Before anything is waited for: of two pages that begin together one listens.
        if !self.is_listening.replace(true) {
            match listen(asks).await {
                Some(Ok(lines)) => drop(tokio::task::spawn_local(self.clone().keep(lines))),
                other => {
                    self.is_listening.set(false);
                    return other.map(|refused| refused.map(|_| Vec::new()));
                }
            }
        }
        let kept = self.kept.borrow();
        // The types have no key or value that JSON lacks.
        Some(Ok(serde_json::to_vec(&Versioned::of(kept.after(after))).unwrap_or_default()))
    }

    async fn keep(self: Rc<Frames>, mut lines: mpsc::Receiver<Vec<u8>>) {
        loop {
            let until = self.asked_last.get() + LISTEN_FOR;
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => self.kept.borrow_mut().push(line),
                    None => break,
                },
                () = sleep_until(until) => if self.asked_last.get() + LISTEN_FOR <= Instant::now() { break },
            }
        }
        self.kept.borrow_mut().forget();
        self.is_listening.set(false);
    }
}

async fn listen(asks: &mpsc::Sender<Asked>) -> Option<Result<mpsc::Receiver<Vec<u8>>, Refusal>> {
    let (answer, told) = oneshot::channel();
    asks.send(Asked { ask: Ask::Frames, uid: rustix::process::geteuid().as_raw(), answer }).await.ok()?;
    Some(match told.await.ok()? {
        Ok(Told::Stream(lines)) => Ok(lines),
        Ok(Told::Document(_)) => Err(Refusal::of("the frames did not come one by one".to_owned())),
        Err(refusal) => Err(refusal),
    })
}
