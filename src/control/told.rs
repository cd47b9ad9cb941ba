//! What is told: the documents, the lines of the streams, and why there may be neither.

use super::SCHEMA_VERSION;
use crate::board::service::ServiceError;
use crate::core::{
    AuditLine, BooksError, CodeLine, DecisionError, OrderLine, SaleRefusal, SaleView, SlotError, SlotLine, TestLine,
};
use crate::order::said::{InChinese, Said};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// A [`Versioned`] JSON document, or why there is none.
pub type DocumentAnswer = Result<Vec<u8>, Refusal>;

/// What is told: [`Versioned`] JSON documents.
#[derive(Debug)]
pub enum Told {
    /// One.
    Document(Vec<u8>),
    /// One a line, for as long as somebody listens.
    Stream(mpsc::Receiver<Vec<u8>>),
}

impl Told {
    /// The document.
    ///
    /// # Errors
    /// When it is a stream, which a page does not ask for.
    pub fn document(self) -> DocumentAnswer {
        match self {
            Told::Document(document) => Ok(document),
            Told::Stream(_) => Err(Refusal::of("this has no end".to_owned())),
        }
    }
}

/// What is told, or why nothing is.
pub type Answer = Result<Told, Refusal>;

/// A frame on the line, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameLine {
    /// When it passed, in ms of the boot clock.
    pub since_boot_ms: u64,
    /// And by the wall clock, in Unix ms, however wrong that is.
    pub wall_ms: u64,
    /// `to_board` or `from_board`; `lost` for lines that were not taken in time.
    pub way: String,
    /// Its bytes in hex.
    pub hex: String,
    /// What it means, in words.
    pub meaning: String,
    /// The same in Chinese.
    #[serde(default)]
    pub meaning_zh: String,
    /// Of a line `lost`: how many chunks were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

/// A message of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageLine {
    /// By the wall clock, in Unix ms, however wrong that is.
    pub wall_ms: u64,
    /// Its size.
    pub bytes: usize,
    /// The broker has sent it before.
    pub redelivered: bool,
    /// What it says, with secrets masked; nothing if it does not read.
    pub fields: std::collections::BTreeMap<String, String>,
    /// Messages that were not taken in time before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

/// The agent's connection to the broker, and how long its last keep-alive took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerTrip {
    /// It stands.
    pub connected: bool,
    /// How often it is measured, in s.
    pub keep_alive_s: u16,
    /// The last measurement on this connection.
    pub last: Option<MeasuredTrip>,
}

/// One keep-alive (PINGREQ, PINGRESP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasuredTrip {
    /// How long the broker took, in ms.
    pub round_trip_ms: u64,
    /// When it was, in ms of the boot clock.
    pub since_boot_ms: u64,
    /// How long ago that is, in ms.
    pub age_ms: u64,
}

/// How loud the log is, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevel {
    /// error, warn, info, debug or trace.
    pub level: Loudness,
    /// For how long, in s; then it falls back by itself.
    pub for_s: u64,
}

/// How loud the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Loudness {
    /// What needs somebody's hand.
    Error,
    /// And what needs somebody's eye.
    Warn,
    /// And the usual course.
    Info,
    /// And for those who look closely.
    Debug,
    /// And every read and write.
    Trace,
}

impl Loudness {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Loudness::Error => "error",
            Loudness::Warn => "warn",
            Loudness::Info => "info",
            Loudness::Debug => "debug",
            Loudness::Trace => "trace",
        }
    }
}

/// Longest time for which the log may be louder, in s: a day. Forgotten for longer, it would wear the disk out.
pub const LOUDER_S_MAX: u64 = 86_400;

/// Orders of whatever state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Every order that somebody may have to look after, oldest first.
    pub orders: Vec<OrderLine>,
    /// The last that are settled, newest first.
    #[serde(default)]
    pub settled: Vec<OrderLine>,
}

/// Every pickup code that is kept, without its digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Codes {
    /// The codes.
    pub codes: Vec<CodeLine>,
}

/// A test vend has begun: its intent is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Testing {
    /// Its number.
    pub test: u64,
}

/// The test vend that runs, or the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTest {
    /// Nothing if there never was one.
    pub last: Option<TestLine>,
}

/// What the platform wanted of the machine beside vending, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// One line for each.
    pub entries: Vec<AuditLine>,
}

/// Every slot of which anything is known, by address and slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// The slots.
    pub slots: Vec<SlotLine>,
}

/// The sale that somebody stands there for, or the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentSale {
    /// Nothing if there never was one.
    pub sale: Option<SaleView>,
}

/// Every sale that is kept, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sales {
    /// The sales.
    pub sales: Vec<SaleView>,
}

/// Why the socket does not answer with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For people.
    pub error: String,
    /// The same in Chinese; nothing where only programs make the mistake, and from a daemon of before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error_zh: String,
    /// Why the board did not do what it was asked, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<ServiceError>,
    /// Why an act at a slot was not taken, where that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<SlotError>,
    /// Why something about a sale was not done, where that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleRefusal>,
    /// Why nothing was done about calls or differences, where that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub books: Option<BooksError>,
    /// Why a decision about an order was not taken, where that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionError>,
    /// What the board's profile says that board and protocol lack, where that may be why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
}

impl Refusal {
    /// A mistake that no person makes who uses the tool or the pages.
    #[must_use]
    pub const fn of(error: String) -> Refusal {
        Refusal {
            error,
            error_zh: String::new(),
            why: None,
            slot: None,
            sale: None,
            books: None,
            decision: None,
            lacks: Vec::new(),
        }
    }

    /// A refusal that a person reads.
    #[must_use]
    pub fn said(why: Said) -> Refusal {
        Refusal { error_zh: why.zh, ..Refusal::of(why.en) }
    }

    /// The refusal in Chinese: of what has a word of its own by that, else as far as the daemon told it.
    #[must_use]
    pub fn zh(&self) -> String {
        let by_word: [Option<&dyn InChinese>; 5] = [
            self.why.as_ref().map(|why| why as _),
            self.slot.as_ref().map(|why| why as _),
            self.sale.as_ref().map(|why| why as _),
            self.books.as_ref().map(|why| why as _),
            self.decision.as_ref().map(|why| why as _),
        ];
        match by_word.into_iter().flatten().next() {
            Some(why) => why.zh(),
            None if self.error_zh.is_empty() => self.error.clone(),
            None => self.error_zh.clone(),
        }
    }

    /// An act at a slot was not taken.
    #[must_use]
    pub fn at_slot(why: SlotError) -> Refusal {
        Refusal { slot: Some(why), ..Refusal::of(why.to_string()) }
    }

    /// Something about a sale was not done.
    #[must_use]
    pub fn of_sale(why: SaleRefusal) -> Refusal {
        Refusal { sale: Some(why), ..Refusal::of(why.to_string()) }
    }

    /// Nothing was done about calls or differences.
    #[must_use]
    pub fn at_the_books(why: BooksError) -> Refusal {
        Refusal { books: Some(why), ..Refusal::of(why.to_string()) }
    }

    /// A decision about an order was not taken, or the order is not known.
    #[must_use]
    pub fn about_order(why: DecisionError) -> Refusal {
        Refusal { decision: Some(why), ..Refusal::of(why.to_string()) }
    }

    /// The board was asked, or could not be.
    #[must_use]
    pub fn by_board(why: ServiceError, lacks: &[String]) -> Refusal {
        let lacks = if why == ServiceError::NotOffered { lacks.to_vec() } else { Vec::new() };
        Refusal { why: Some(why), lacks, ..Refusal::of(why.to_string()) }
    }
}

/// A document with its version before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// An object.
    #[serde(flatten)]
    pub document: T,
}

impl<T> Versioned<T> {
    /// A document of this program's version.
    pub const fn of(document: T) -> Versioned<T> {
        Versioned { schema_version: SCHEMA_VERSION, document }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_profile_lacks_is_told_only_when_it_may_be_why() {
        let lacks = ["no door contact".to_owned()];
        assert_eq!(Refusal::by_board(ServiceError::NotOffered, &lacks).lacks, lacks);
        assert_eq!(Refusal::by_board(ServiceError::Busy, &lacks).lacks, [""; 0]);
    }
}
