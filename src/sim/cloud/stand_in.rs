//! What all stand-ins have in common, whichever cloud they play: time, faults on demand, a person's word on an order,
//! and a line for whoever watches. A transport needs nothing else.

use super::SimCloud;
use super::fault::{self, Mishaps};
use crate::cloud::envelope;
use serde_json::Value;

/// How one cloud words its refusals.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The member with the code.
    pub code: &'static str,
    /// The member with the text beside it.
    pub text: &'static str,
    /// A refusal with this code and text.
    pub refusal: fn(u32, &str) -> Value,
    /// HTTP status and code of what it says to a wrong secret, signature or session.
    pub unauthorized: (u16, u32),
}

/// An answer, with what a fault may want of the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
    /// A session that begins: the text of a Set-Cookie header.
    pub set_cookie: Option<String>,
    /// Retry-After, in s.
    pub retry_after_s: Option<u64>,
    /// How wrong the Date header is, in s.
    pub date_off_s: i64,
    /// How long it takes, in s.
    pub after_s: u64,
    /// Nothing of it is sent: the connection is cut.
    pub is_cut: bool,
}

impl Told {
    /// A proper answer.
    #[must_use]
    pub const fn whole(status: u16, body: Vec<u8>) -> Told {
        Told { status, body, set_cookie: None, retry_after_s: None, date_off_s: 0, after_s: 0, is_cut: false }
    }

    /// A proper answer in JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Told {
        Told::whole(status, body.to_string().into_bytes())
    }
}

/// There is no such order on the books, or the word is no status of this cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such order on the books, or no such status of this cloud")]
pub struct NoSuchOrder;

/// A stand-in for a cloud.
pub trait StandIn: Send {
    /// Time has come to `now_s` (Unix seconds).
    fn tick(&mut self, now_s: u64);

    /// What the next calls meet.
    fn mishaps(&mut self) -> &mut Mishaps;

    /// How it words its refusals.
    fn dialect(&self) -> Dialect;

    /// Answers a call that gets through. Header names count without regard to case, as in HTTP.
    fn serve(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Told;

    /// A person says how an order stands from now on: in the cloud's own word, paid without one.
    ///
    /// # Errors
    /// [`NoSuchOrder`].
    fn set_order(&mut self, order: &str, status: Option<&str>) -> Result<(), NoSuchOrder>;

    /// What of a call's body may be shown to whoever watches.
    fn shown_fields(&self, _body: &[u8]) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Everyone is logged out, where there is a log-in.
    fn log_all_out(&mut self) {}

    /// The platform, which has a side at the broker too.
    fn platform(&mut self) -> Option<&mut SimCloud> {
        None
    }

    /// Answers one call, with everything that a fault may want of the transport.
    fn tell(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Told {
        let (mishap, dialect) = (self.mishaps().take(), self.dialect());
        fault::meet(mishap, &dialect, || self.serve(method, path, headers, body))
    }

    /// The same for transports that carry nothing but HTTP status and body.
    fn answer(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        let told = self.tell(method, path, headers, body);
        (told.status, told.body)
    }

    /// A line about a call for whoever watches. Only what names things is shown.
    fn told_line(&self, method: &str, path: &str, body: &[u8], told: &Told) -> String {
        let mut line = format!("{method} {}", envelope::shown(path));
        for (name, text) in self.shown_fields(body) {
            line.push_str(&format!(" {name}={}", envelope::shown(&text)));
        }
        if told.is_cut {
            return line + " -> cut";
        }
        let answer: Value = serde_json::from_slice(&told.body).unwrap_or_default();
        let dialect = self.dialect();
        line.push_str(&format!(" -> {}", told.status));
        match &answer[dialect.code] {
            Value::Null => line.push_str(" (a fault)"),
            code => {
                let text = envelope::shown(answer[dialect.text].as_str().unwrap_or_default());
                line.push_str(&format!(" {} {code} {text}", dialect.code));
            }
        }
        line
    }
}

/// A header's value.
pub(in crate::sim) fn header<'h>(headers: &[(&str, &'h str)], wanted: &str) -> Option<&'h str> {
    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
}
