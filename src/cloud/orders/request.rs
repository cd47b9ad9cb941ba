//! What requests to the three clouds have in common: paths, parameters, forms and the session.

use crate::cloud::open_platform::ApiRequest;
use crate::order::constant_time;
use crate::order::said::InChinese;
use std::fmt::{self, Write as _};

/// A log-in, as the text of a `Cookie` header: given by the operator, or by the cloud in answer to a
/// [`LogIn`](super::session::LogIn). Never shown.
#[derive(Clone)]
pub struct Session(Box<str>);

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        constant_time::equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Session {}

/// A session that no header can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session is the text of a Cookie header, like NAME=VALUE: visible ASCII characters, and not empty")]
pub struct BadSession;

impl InChinese for BadSession {
    fn zh(&self) -> String {
        "会话应为 Cookie 头的文本，如 NAME=VALUE：可见 ASCII 字符，不能为空".to_owned()
    }
}

impl Session {
    /// Takes the text exactly as given; whoever reads it from a file cuts the line end off first.
    ///
    /// # Errors
    /// When a header cannot carry it.
    pub fn new(text: &str) -> Result<Session, BadSession> {
        let fits = !text.is_empty() && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        if fits { Ok(Session(text.into())) } else { Err(BadSession) }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(hidden)")
    }
}

/// Adds a text to a url's path, query or form, with everything escaped but the unreserved characters of RFC 3986.
pub(super) fn escape(out: &mut String, text: &str) {
    // "." and ".." would climb out of a path.
    let climbs = !text.is_empty() && text.bytes().all(|b| b == b'.');
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && !climbs) {
            out.push(char::from(byte));
        } else {
            let written = write!(out, "%{byte:02X}");
            debug_assert!(written.is_ok(), "a String takes every text");
        }
    }
}

/// `name=value&…`
pub(super) fn parameters<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        escape(&mut out, name);
        out.push('=');
        escape(&mut out, value);
    }
    out
}

/// A call with the session, if there is one, and the body's type, if there is a body.
pub(super) fn request(
    method: &'static str,
    path: String,
    session: Option<&Session>,
    body: Option<(&'static str, Vec<u8>)>,
) -> ApiRequest {
    let mut headers: Vec<(&'static str, String)> = session.map(|s| ("Cookie", s.0.to_string())).into_iter().collect();
    let (kind, body) = body.unzip();
    headers.extend(kind.map(|kind| ("Content-Type", kind.to_owned())));
    ApiRequest { method, path, headers, body: body.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_escaped_stays_one_part_of_its_url() {
        let escaped = |text| {
            let mut out = String::new();
            escape(&mut out, text);
            out
        };
        let table = [
            ("5-9996-6d2d", "5-9996-6d2d"),
            ("a b&c=d/e?f#g%h+i", "a%20b%26c%3Dd%2Fe%3Ff%23g%25h%2Bi"),
            ("他", "%E4%BB%96"),
            (".", "%2E"),
            ("..", "%2E%2E"),
            ("a..b", "a..b"),
            ("a\r\nb", "a%0D%0Ab"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(escaped(text), expected);
        }
        assert_eq!(parameters([("a", "1"), ("b&", "")]), "a=1&b%26=");
    }

    #[test]
    fn a_session_is_one_header_and_never_shown() {
        for text in ["", "a\r\nX: y", "a\n", "\u{7f}", "é"] {
            assert_eq!(Session::new(text).err(), Some(BadSession), "{text:?}");
        }
        let session = Session::new("JSESSIONID=hush; path=/").unwrap();
        let call = request("GET", "/orders".to_owned(), Some(&session), None);
        assert_eq!(call.headers, [("Cookie", "JSESSIONID=hush; path=/".to_owned())]);
        assert!(!format!("{session:?} {call:?}").contains("hush"));
    }
}
