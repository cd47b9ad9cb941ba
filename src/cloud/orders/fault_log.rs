//! The local log that course's document demands: when the platform answers a told payment with an error or not at all,
//! whoever told it writes that down, so that people can compare the books. Here it is data and text; a ring, since
//! nothing may grow for ever.

use super::answer::AnswerError;
use super::course::{Paid, PaidWith, PaymentResult};
use crate::cloud::envelope::shown;
use crate::cloud::open_platform::Fen;
use crate::order::civil::{Civil, Zone};
use crate::order::key::Id;
use crate::order::time::UnixMs;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};

/// So many faults are kept: weeks of a bad network, and little enough to be read by a person.
pub const FAULTS_KEPT: usize = 500;
/// Longest line, in bytes: what is foreign in it is cut to 64 characters each, which escaping makes ten times longer
/// at most.
pub const LINE_BYTES_MAX: usize = 4 * 1024;

/// A payment that the platform could not be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// When; absent while nobody vouches for the time.
    pub at: Option<UnixMs>,
    /// Which of the two calls.
    pub with: PaidWith,
    /// What should have been told.
    pub result: PaymentResult,
    /// Of which order.
    pub trade_no: Id,
    /// The payment system's name of the payment, cut short. The buyer's name is left out: the books do not need it.
    pub third_trade_no: String,
    /// What was paid.
    pub amount: Fen,
    /// What happened.
    pub why: String,
    /// How often the platform was tried, from 1.
    pub attempt: u32,
}

impl Fault {
    /// An answer that was an error.
    #[must_use]
    pub fn refused(paid: &Paid, at: Option<UnixMs>, attempt: u32, error: &AnswerError) -> Fault {
        Fault::new(paid, at, attempt, error.to_string())
    }

    /// No answer; `why` says what the transport knows of it.
    #[must_use]
    pub fn unanswered(paid: &Paid, at: Option<UnixMs>, attempt: u32, why: &str) -> Fault {
        Fault::new(paid, at, attempt, format!("no answer: {}", shown(why)))
    }

    fn new(paid: &Paid, at: Option<UnixMs>, attempt: u32, why: String) -> Fault {
        Fault {
            at,
            with: paid.with,
            result: paid.result,
            trade_no: paid.trade_no.0.clone(),
            third_trade_no: shown(&paid.third_trade_no),
            amount: paid.amount,
            why,
            attempt,
        }
    }

    /// One line, without its end: what is foreign cannot begin another.
    #[must_use]
    pub fn to_line(&self, zone: Zone) -> String {
        let time = self.at.map_or_else(|| "time-unknown".to_owned(), |at| Civil::at(at, zone).to_string());
        let Fault { with, result, trade_no, third_trade_no, amount, why, attempt, .. } = self;
        let mut line = format!(
            "{time} {} result={} trade_no={trade_no} third_trade_no={third_trade_no:?} amount={amount} \
             attempt={attempt} ",
            with.as_str(),
            result.as_str(),
        );
        let written: fmt::Result = why.chars().try_for_each(|c| {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                write!(line, "{}", c.escape_default())
            } else {
                line.write_char(c)
            }
        });
        debug_assert!(written.is_ok(), "a String takes every text");
        line
    }
}

/// The newest faults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultLog {
    faults: VecDeque<Fault>,
    dropped: u64,
}

impl FaultLog {
    /// Keeps a fault; beyond [`FAULTS_KEPT`] the oldest makes room and is counted.
    pub fn keep(&mut self, fault: Fault) {
        if self.faults.len() >= FAULTS_KEPT {
            self.faults.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.faults.push_back(fault);
    }

    /// The faults that are kept, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }

    /// How many made room.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The whole log as a person reads it: what is missing first, then a line for each fault.
    #[must_use]
    pub fn to_text(&self, zone: Zone) -> String {
        let missing = (self.dropped > 0).then(|| format!("{} older faults are gone\n", self.dropped));
        missing.into_iter().chain(self.faults.iter().map(|fault| fault.to_line(zone) + "\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::course::{TradeNo, read_told};
    use super::*;
    use proptest::prelude::*;

    fn paid() -> Paid {
        Paid {
            with: PaidWith::WeChat,
            result: PaymentResult::Success,
            trade_no: TradeNo(Id::parse("5-9996-6d2d").unwrap()),
            third_trade_no: "4200000429201912071609677638".to_owned(),
            third_buyer_id: "oBHx1s775pANd1HWQ".to_owned(),
            amount: Fen(1_250),
        }
    }

    #[test]
    fn a_fault_is_one_line_with_what_the_books_need() {
        let at = Some(UnixMs::from_seconds(1_530_759_438));
        let error = read_told(200, r#"{"code":403,"err_desc":"请先登录"}"#.as_bytes()).unwrap_err();
        assert_eq!(
            Fault::refused(&paid(), at, 2, &error).to_line(Zone::CHINA),
            "2018-07-05 10:57:18 wxpay result=SUCCESS trade_no=5-9996-6d2d \
             third_trade_no=\"4200000429201912071609677638\" amount=12.50 attempt=2 course refused with code 403 \
             (nobody is logged in: renew the session) over HTTP 200: 请先登录"
        );
        let silent = Fault::unanswered(&paid(), None, 1, "timed out").to_line(Zone::CHINA);
        assert!(silent.starts_with("time-unknown wxpay ") && silent.ends_with(" attempt=1 no answer: timed out"));
        assert!(!silent.contains("oBHx1s775pANd1HWQ"), "the buyer is nobody's business: {silent}");
    }

    #[test]
    fn the_log_keeps_the_newest_and_says_how_many_are_gone() {
        let mut log = FaultLog::default();
        assert_eq!(log.to_text(Zone::CHINA), "");
        for attempt in 1..=u32::try_from(FAULTS_KEPT).unwrap() + 2 {
            log.keep(Fault::unanswered(&paid(), None, attempt, "x"));
        }
        assert_eq!((log.iter().count(), log.dropped()), (FAULTS_KEPT, 2));
        assert_eq!(log.iter().next().map(|fault| fault.attempt), Some(3));
        let text = log.to_text(Zone::CHINA);
        assert!(text.starts_with("2 older faults are gone\ntime-unknown "), "{text}");
        assert_eq!(text.lines().count(), FAULTS_KEPT + 1);
    }

    proptest! {
        #[test]
        fn nothing_foreign_begins_another_line(why in any::<String>(), trade in any::<String>(), body in any::<String>()) {
            let paid = Paid { third_trade_no: trade, ..paid() };
            let mut faults = vec![Fault::unanswered(&paid, None, 1, &why)];
            let answer = format!("{{\"code\":9,\"err_desc\":{}}}", serde_json::to_string(&body).unwrap());
            for (status, text) in [(200, body.as_str()), (200, &answer)] {
                faults.extend(read_told(status, text.as_bytes()).err().map(|e| Fault::refused(&paid, None, 1, &e)));
            }
            for fault in faults {
                let line = fault.to_line(Zone::UTC);
                prop_assert!(line.len() <= LINE_BYTES_MAX, "{} bytes", line.len());
                prop_assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{line:?}");
            }
        }
    }
}
