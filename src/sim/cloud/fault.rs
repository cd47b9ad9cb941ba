//! Faults on demand: answers that are not the platform's best.

use serde_json::json;
use std::str::FromStr;

/// Longest pause that can be asked for, in s: beyond it every client has given up.
const SLOW_S_MAX: u64 = 600;
/// Most repetitions of one fault: whoever wants more says `@all`.
const REPEAT_MAX: usize = 1_000;

/// An answer that is not the platform's best.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mishap {
    /// This code, over HTTP 200.
    Code(u32),
    /// `code` 0 with a text that says otherwise.
    FailureWithCodeZero,
    /// An HTTP status without a body.
    Status(u16),
    /// A log-in page over HTTP 200.
    Html,
    /// The right answer, cut in half. What was asked for is done.
    HalfBody,
    /// The right answer, so many seconds later.
    Slow(u64),
    /// The connection is cut without a word. Nothing was done.
    Down,
    /// The right answer, under a Date header that is so many seconds wrong.
    WrongDate(i64),
    /// HTTP 401 with code 10013.
    Unauthorized,
    /// HTTP 429 with Retry-After of so many seconds.
    Busy(u64),
}

/// An answer, with what a fault may want of the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
    /// Retry-After, in s.
    pub retry_after_s: Option<u64>,
    /// How wrong the Date header is, in s.
    pub date_off_s: i64,
    /// How long it takes, in s.
    pub after_s: u64,
    /// Nothing of it is sent: the connection is cut.
    pub is_cut: bool,
}

/// What a mishap makes of an answer. `serve` is asked only if the call gets through.
pub(super) fn meet(mishap: Option<Mishap>, serve: impl FnOnce() -> (u16, Vec<u8>)) -> Told {
    let whole = |(status, body)| Told { status, body, retry_after_s: None, date_off_s: 0, after_s: 0, is_cut: false };
    let said = |status, code: u32, message: &str| {
        whole((status, json!({ "code": code, "message": message, "data": {} }).to_string().into_bytes()))
    };
    match mishap {
        None => whole(serve()),
        Some(Mishap::Code(code)) => said(200, code, "on demand"),
        Some(Mishap::FailureWithCodeZero) => said(200, 0, "订单未支付"),
        Some(Mishap::Status(status)) => whole((status, Vec::new())),
        Some(Mishap::Html) => whole((200, b"<!DOCTYPE html><title>Log in</title>".to_vec())),
        Some(Mishap::HalfBody) => {
            let (status, mut body) = serve();
            body.truncate(body.len() / 2);
            whole((status, body))
        }
        Some(Mishap::Slow(after_s)) => Told { after_s, ..whole(serve()) },
        Some(Mishap::Down) => Told { is_cut: true, ..whole((200, Vec::new())) },
        Some(Mishap::WrongDate(date_off_s)) => Told { date_off_s, ..whole(serve()) },
        Some(Mishap::Unauthorized) => said(401, 10_013, "app secret is invalid"),
        Some(Mishap::Busy(s)) => Told { retry_after_s: Some(s), ..whole((429, Vec::new())) },
    }
}

/// A fault as a person writes it: `KIND[:VALUE][@TIMES]`, for the next call, the next so many, or with `@all` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub mishap: Mishap,
    /// How many calls it meets; nothing: all of them.
    pub times: Option<usize>,
}

/// Why a text is no [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no fault; write KIND[:VALUE][@TIMES]: code:40006, code-zero, status:503, html, half-body, slow:3, down, wrong-date:-86400, unauthorized, busy:30, and @all for every call"
)]
pub struct BadFault(String);

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let bad = || BadFault(text.chars().take(80).collect());
        let (what, times) = match text.split_once('@') {
            None => (text, Some(1)),
            Some((what, "all")) => (what, None),
            Some((what, times)) => {
                (what, Some(times.parse().ok().filter(|n| (1..=REPEAT_MAX).contains(n)).ok_or_else(bad)?))
            }
        };
        let (kind, value) = match what.split_once(':') {
            None => (what, None),
            Some((kind, value)) => (kind, Some(value)),
        };
        let seconds = |value: &str| value.parse().ok().filter(|&s| s <= SLOW_S_MAX);
        let mishap = match (kind, value) {
            ("code", Some(code)) => code.parse().ok().filter(|&code| code > 0).map(Mishap::Code),
            ("code-zero", None) => Some(Mishap::FailureWithCodeZero),
            ("status", Some(status)) => status.parse().ok().filter(|s| (400..600).contains(s)).map(Mishap::Status),
            ("html", None) => Some(Mishap::Html),
            ("half-body", None) => Some(Mishap::HalfBody),
            ("slow", Some(s)) => seconds(s).map(Mishap::Slow),
            ("down", None) => Some(Mishap::Down),
            ("wrong-date", Some(s)) => s.parse().ok().map(Mishap::WrongDate),
            ("unauthorized", None) => Some(Mishap::Unauthorized),
            ("busy", Some(s)) => seconds(s).map(Mishap::Busy),
            _ => None,
        };
        Ok(Fault { mishap: mishap.ok_or_else(bad)?, times })
    }
}

impl super::SimCloud {
    /// What the next calls meet besides what waits already.
    pub fn meets(&mut self, fault: Fault) {
        match fault.times {
            None => self.lasting = Some(fault.mishap),
            Some(times) => self.mishaps.extend(std::iter::repeat_n(fault.mishap, times)),
        }
    }

    /// From now on all is well.
    pub fn meets_no_more(&mut self) {
        self.mishaps.clear();
        self.lasting = None;
    }
}
