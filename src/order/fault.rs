//! The local log that course's document demands: when the platform answers a told payment with an error or not at all,
//! whoever told it writes that down, so that people can compare the books. One small record for each payment that it
//! happens to, in a ring, since nothing may grow for ever.

use super::civil::{Civil, Zone};
use super::key::Id;
use super::payment::{PaidWith, PaymentResult};
use super::stock::Fen;
use super::time::UnixMs;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt::{self, Write as _};

/// So many faults are kept: weeks of a bad network, and little enough to be read by a person.
pub const FAULTS_KEPT: usize = 500;
/// Longest line, in bytes: what is foreign in it is cut to 64 characters each, which escaping makes ten times longer
/// at most.
pub const LINE_BYTES_MAX: usize = 4 * 1024;

/// A payment that the platform could not be told of, as it stood after the last try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Rises with every fault of a journal, from 1.
    pub number: u64,
    /// The call that tells it: its later tries change this fault, and are no others.
    pub call: u64,
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
    /// It was told in the end.
    pub is_told: bool,
}

impl Fault {
    /// One line, without its end: what is foreign cannot begin another.
    #[must_use]
    pub fn to_line(&self, zone: Zone) -> String {
        let time = self.at.map_or_else(|| "time-unknown".to_owned(), |at| Civil::at(at, zone).to_string());
        let Fault { with, result, trade_no, third_trade_no, amount, why, attempt, .. } = self;
        let told = if self.is_told { "told later, " } else { "" };
        let mut line = format!(
            "{time} {} result={} trade_no={trade_no} third_trade_no={third_trade_no:?} amount={amount} \
             attempt={attempt} {told}",
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

/// The newest faults, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultLog {
    faults: VecDeque<Fault>,
    last: u64,
}

impl FaultLog {
    /// Keeps a fault under the next number, or in the place of an earlier one of the same call. Returns the number under
    /// which it is kept, and that of the one which made room.
    pub fn keep(&mut self, fault: Fault) -> (u64, Option<u64>) {
        if let Some(known) = self.faults.iter_mut().find(|known| known.call == fault.call) {
            *known = Fault { number: known.number, ..fault };
            return (known.number, None);
        }
        let gone = (self.faults.len() >= FAULTS_KEPT).then(|| self.faults.pop_front()).flatten();
        self.last = self.last.saturating_add(1);
        self.faults.push_back(Fault { number: self.last, ..fault });
        (self.last, gone.map(|gone| gone.number))
    }

    /// A fault that the journal still had; they come in the order of their numbers.
    pub fn recall(&mut self, fault: Fault) {
        self.last = self.last.max(fault.number);
        self.faults.push_back(fault);
    }

    /// The call was taken: its number, if anything was wrong with it before.
    pub fn told(&mut self, call: u64) -> Option<u64> {
        let fault = self.faults.iter_mut().find(|fault| fault.call == call && !fault.is_told)?;
        fault.is_told = true;
        Some(fault.number)
    }

    /// The fault of this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Fault> {
        self.faults.iter().find(|fault| fault.number == number)
    }

    /// The faults that are kept, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }

    /// How many made room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.faults.front().map_or(0, |first| first.number.saturating_sub(1))
    }

    /// The whole log as a person reads it: what is missing first, then a line for each fault.
    #[must_use]
    pub fn to_text(&self, zone: Zone) -> String {
        let dropped = self.dropped();
        let missing = (dropped > 0).then(|| format!("{dropped} older faults are gone\n"));
        missing.into_iter().chain(self.faults.iter().map(|fault| fault.to_line(zone) + "\n")).collect()
    }
}
