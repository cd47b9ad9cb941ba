//! The merchant's receiver in good and bad moods. It writes down what it heard, and what of that it took.

use crate::common::http_server::{Answer, HttpServer};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vend::io::clock::boot_now;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Takes,
    /// 500.
    Fails,
    /// 503 with a `Retry-After` of a second.
    Overloaded,
    /// Takes it, and says so half a second later.
    Slow,
    /// Takes it, and dies before the answer is out.
    TakesAndDies,
}

/// One POST.
#[derive(Debug, Clone)]
pub struct Posted {
    pub at_ms: u64,
    pub body: Vec<u8>,
    /// The merchant has it, whatever the agent heard.
    pub taken: bool,
}

/// The receiver.
pub struct Receiver {
    pub server: HttpServer,
    posted: Arc<Mutex<Vec<Posted>>>,
    mood: Arc<Mutex<Mood>>,
}

impl Receiver {
    pub fn start() -> Receiver {
        let (posted, mood) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Mood::Takes)));
        let (keep, told) = (posted.clone(), mood.clone());
        let server = HttpServer::start(None, move |request| {
            let mood = *told.lock().unwrap();
            let taken = !matches!(mood, Mood::Fails | Mood::Overloaded);
            keep.lock().unwrap().push(Posted { at_ms: boot_now().0, body: request.body.clone(), taken });
            match mood {
                Mood::Takes => Answer::status(204),
                Mood::Fails => Answer::status(500),
                Mood::Overloaded => Answer::with_header(503, "Retry-After: 1"),
                Mood::Slow => Answer::After(Duration::from_millis(500), Box::new(Answer::status(200))),
                Mood::TakesAndDies => Answer::Cut(b"HTTP/1.1 2"),
            }
        });
        Receiver { server, posted, mood }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/notify", self.server.port())
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// What was heard from the `from`th POST on.
    pub fn posted(&self, from: usize) -> Vec<Posted> {
        self.posted.lock().unwrap().iter().skip(from).cloned().collect()
    }
}
