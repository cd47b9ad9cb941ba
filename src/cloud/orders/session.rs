//! Logging in at a cloud that asks for it, and the session that it gives. course's document names a log-in and leaves it
//! out, mall's shows none; so path, names and form are the operator's. The session lives in memory only: it comes with
//! an answer, is dropped when the cloud says that nobody is logged in, and is never shown.

use super::AnswerError;
use super::request::{Session, request};
use crate::cloud::open_platform::ApiRequest;
use crate::order::backoff::full_jitter;
use crate::order::time::{BootMs, Now};
use std::fmt;

/// First pause after a log-in that came to nothing, in ms. A wrong password that is tried each second locks an account.
const RETRY_BASE_MS: u64 = 30_000;
/// Longest pause, in ms.
const RETRY_MAX_MS: u64 = 1_800_000;

/// Field and value of the name, and of the password.
pub type LogInFields<'a> = [(&'a str, &'a str); 2];

/// A cloud's own way to write the fields and to answer.
#[derive(Debug, Clone, Copy)]
pub struct LogInWay {
    /// The body's type, and the body with fields and values in it.
    pub write: fn(LogInFields) -> (&'static str, Vec<u8>),
    /// Reads the answer; the session stands beside it.
    pub read: fn(u16, &[u8]) -> Result<(), AnswerError>,
}

/// A log-in: POST of name and password. Never shown.
#[derive(Clone)]
pub struct LogIn {
    /// Its path below the cloud's url.
    pub path: String,
    /// How it is written and read there.
    pub way: LogInWay,
    /// Field and value of the name.
    pub name: (String, String),
    /// Field and value of the password.
    pub password: (String, String),
}

impl fmt::Debug for LogIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogIn").field("path", &self.path).finish_non_exhaustive()
    }
}

impl LogIn {
    /// Reads the answer. Its proof is the session that comes with it; without one it is no log-in.
    ///
    /// # Errors
    /// [`AnswerError`], which names neither name nor password.
    pub fn read(&self, status: u16, body: &[u8]) -> Result<(), AnswerError> {
        (self.way.read)(status, body)
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> ApiRequest {
        let fields = [&self.name, &self.password].map(|(name, value)| (name.as_str(), value.as_str()));
        request("POST", self.path.clone(), None, Some((self.way.write)(fields)))
    }
}

/// The session at one cloud, and when another one is wanted.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    now: Option<Session>,
    is_wanted: bool,
    is_under_way: bool,
    again_from: BootMs,
    failures: u32,
}

impl Sessions {
    /// Begins with what the operator gave, if it was a session.
    #[must_use]
    pub fn new(given: Option<Session>) -> Sessions {
        Sessions { is_wanted: given.is_none(), now: given, ..Sessions::default() }
    }

    /// What goes with every call; nothing while nobody is logged in.
    #[must_use]
    pub const fn current(&self) -> Option<&Session> {
        self.now.as_ref()
    }

    /// The cloud says that nobody is logged in.
    pub fn refused(&mut self) {
        self.now = None;
        self.is_wanted = true;
    }

    /// When the next log-in may be tried; nothing while none is wanted, or one is under way.
    #[must_use]
    pub const fn due(&self) -> Option<BootMs> {
        if self.is_wanted && !self.is_under_way { Some(self.again_from) } else { None }
    }

    /// A log-in leaves.
    pub const fn asked(&mut self) {
        self.is_under_way = true;
    }

    /// What came of it: a session, or none. `random` is any evenly spread number. True when somebody is logged in now.
    pub fn answered(&mut self, now: Now, session: Option<Session>, random: u64) -> bool {
        self.is_under_way = false;
        match session {
            Some(session) => {
                self.now = Some(session);
                (self.is_wanted, self.failures, self.again_from) = (false, 0, BootMs(0));
                true
            }
            None => {
                let pause_ms = full_jitter(self.failures, RETRY_BASE_MS, RETRY_MAX_MS, random).max(RETRY_BASE_MS);
                self.failures = self.failures.saturating_add(1);
                self.again_from = now.boot.plus_ms(pause_ms);
                false
            }
        }
    }
}
