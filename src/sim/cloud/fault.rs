//! Faults on demand: answers that are not a cloud's best. The same for every stand-in.

use super::stand_in::{Dialect, Told};
use crate::order::said::InChinese;
use std::collections::VecDeque;
use std::str::FromStr;

/// Longest pause that can be asked for, in s: beyond it every client has given up.
const SLOW_S_MAX: u64 = 600;
/// Most repetitions of one fault: whoever wants more says `@all`.
const REPEAT_MAX: usize = 1_000;

/// An answer that is not the cloud's best.
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
    /// What the cloud says to a wrong secret, signature or session.
    Unauthorized,
    /// HTTP 429 with Retry-After of so many seconds.
    Busy(u64),
    /// What was asked for is done, and the connection is cut before a word of it is said.
    AnswerLost,
}

/// What a mishap makes of an answer. `serve` is asked only if the call gets through.
pub(super) fn meet(mishap: Option<Mishap>, dialect: &Dialect, serve: impl FnOnce() -> Told) -> Told {
    let said = |status, code: u32, text: &str| Told::json(status, &(dialect.refusal)(code, text));
    match mishap {
        None => serve(),
        Some(Mishap::Code(code)) => said(200, code, "on demand"),
        Some(Mishap::FailureWithCodeZero) => said(200, 0, "订单未支付"),
        Some(Mishap::Status(status)) => Told::whole(status, Vec::new()),
        Some(Mishap::Html) => Told::whole(200, b"<!DOCTYPE html><title>Log in</title>".to_vec()),
        Some(Mishap::HalfBody) => {
            let mut told = serve();
            told.body.truncate(told.body.len() / 2);
            told
        }
        Some(Mishap::Slow(after_s)) => Told { after_s, ..serve() },
        Some(Mishap::Down) => Told { is_cut: true, ..Told::whole(200, Vec::new()) },
        Some(Mishap::WrongDate(date_off_s)) => Told { date_off_s, ..serve() },
        Some(Mishap::Unauthorized) => {
            let (status, code) = dialect.unauthorized;
            said(status, code, "on demand: who are you?")
        }
        Some(Mishap::Busy(s)) => Told { retry_after_s: Some(s), ..Told::whole(429, Vec::new()) },
        Some(Mishap::AnswerLost) => Told { is_cut: true, ..serve() },
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
    "{0:?} is no fault; write KIND[:VALUE][@TIMES]: code:40006, code-zero, status:503, html, half-body, slow:3, down, wrong-date:-86400, unauthorized, busy:30, answer-lost, and @all for every call"
)]
pub struct BadFault(String);

impl InChinese for BadFault {
    fn zh(&self) -> String {
        format!(
            "{:?} 不是故障；应写作 KIND[:VALUE][@TIMES]：code:40006, code-zero, status:503, html, half-body, slow:3, down, \
             wrong-date:-86400, unauthorized, busy:30, answer-lost；@all 为每次请求",
            self.0
        )
    }
}

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
            ("answer-lost", None) => Some(Mishap::AnswerLost),
            _ => None,
        };
        Ok(Fault { mishap: mishap.ok_or_else(bad)?, times })
    }
}

/// What the next calls meet.
#[derive(Debug, Clone, Default)]
pub struct Mishaps {
    /// First come first served.
    next: VecDeque<Mishap>,
    /// What every call meets after those.
    lasting: Option<Mishap>,
}

impl Mishaps {
    /// What the next calls meet besides what waits already.
    pub fn meet(&mut self, fault: Fault) {
        match fault.times {
            None => self.lasting = Some(fault.mishap),
            Some(times) => self.next.extend(std::iter::repeat_n(fault.mishap, times)),
        }
    }

    /// One after the other, besides what waits already.
    pub fn extend(&mut self, mishaps: impl IntoIterator<Item = Mishap>) {
        self.next.extend(mishaps);
    }

    /// From now on all is well.
    pub fn clear(&mut self) {
        *self = Mishaps::default();
    }

    pub(super) fn take(&mut self) -> Option<Mishap> {
        self.next.pop_front().or_else(|| self.lasting.clone())
    }
}
