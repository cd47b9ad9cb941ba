//! Stand-ins for the three other order clouds, as strict as their documents. Pure, like the platform's
//! ([`sim::cloud`](super::cloud)), with its faults and its trait ([`StandIn`]); `vend cloud simulate --kind` serves
//! them, and tests ask them with our own calls.
//!
//! | file | subject |
//! |---|---|
//! | `songshu` | seed 000: hears of orders; tells which it has heard of |
//! | `course` | seed 001: creates, lists, hears of payments |
//! | `mall` | seed 002: a cart, orders in both shapes, pay codes |

pub mod course;
pub mod mall;
pub mod songshu;
#[cfg(test)]
mod tests;

use super::cloud::stand_in::{StandIn, header};
use super::cloud::{Mishaps, stand_in};
use std::collections::{BTreeMap, BTreeSet};

/// Who is logged in.
#[derive(Debug, Clone, Default)]
pub struct Door {
    /// Opens it; without one nobody need log in.
    password: Option<String>,
    sessions: BTreeSet<String>,
    given: u64,
}

impl Door {
    /// A door that this password opens, whoever says it.
    #[must_use]
    pub fn locked(password: &str) -> Door {
        Door { password: Some(password.to_owned()), ..Door::default() }
    }

    /// A new session for who knows the password: the text of a Set-Cookie header.
    fn log_in(&mut self, password: Option<&str>) -> Option<String> {
        if self.password.as_deref() != password {
            return None;
        }
        self.given += 1;
        let session = format!("SESSION=stand-in-{}", self.given);
        self.sessions.insert(session.clone());
        Some(format!("{session}; Path=/; HttpOnly"))
    }

    fn lets_in(&self, headers: &[(&str, &str)]) -> bool {
        let shown = header(headers, "cookie").into_iter().flat_map(|cookies| cookies.split("; "));
        self.password.is_none() || shown.into_iter().any(|cookie| self.sessions.contains(cookie))
    }

    fn log_all_out(&mut self) {
        self.sessions.clear();
    }
}

/// A path without its query, and the query's parameters. Of two of one name the last counts.
fn parted(path: &str) -> (&str, BTreeMap<String, String>) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    (path, parameters(query))
}

/// `name=value&…`, as in a query and in a form.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescaped(name), unescaped(value))
    };
    text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

fn unescaped(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, more @ ..] = rest {
        let digit = |at: usize| more.get(at).and_then(|b| char::from(*b).to_digit(16));
        let byte = digit(0).zip(digit(1)).and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                out.push(b' ');
                rest = more;
            }
            _ => {
                out.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
