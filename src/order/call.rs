//! A call: something that the platform must be told once it is true, and that no power cut may lose. One small record,
//! written in the batch that carries its reason (rule 40).

use super::key::Id;
use super::payment::{Notice, Paid, Payment};
use super::report::Copy;
use super::said::{Said, words};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a call is about. Calls about one subject leave in the order in which they were made; others do not wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject(Box<str>);

impl Subject {
    /// A subject of a kind, named among its kind. No secret: it is shown and logged.
    #[must_use]
    pub fn new(kind: SubjectKind, name: &impl fmt::Display) -> Subject {
        Subject(format!("{} {name}", kind.as_str()).into())
    }

    /// It is of this kind.
    #[must_use]
    pub fn is_of(&self, kind: SubjectKind) -> bool {
        self.0.split_once(' ').is_some_and(|(its, _)| its == kind.as_str())
    }

    /// The same for people. A journal may hold a kind that this program does not make.
    fn said(&self) -> Said {
        let (kind, name) = self.0.split_once(' ').unwrap_or((&self.0, ""));
        let zh = SubjectKind::WORDS.iter().find(|word| word.json == kind).map_or(kind, |word| word.zh);
        Said::new(&*self.0, format!("{zh} {name}"))
    }
}

/// What kinds of things calls are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// An order of the platform.
    Order,
    /// A pickup code.
    Code,
    /// How many are in a slot.
    SlotStock,
    /// In which condition a slot is.
    SlotState,
    /// What songshu is told of an order.
    Notice,
    /// A payment, by the machine's own name of its order.
    Payment,
    /// How a sale ended.
    Sale,
}

words! {
    SubjectKind {
        SubjectKind::Order => "order", "订单";
        SubjectKind::Code => "code", "取货码";
        SubjectKind::SlotStock => "slot-stock", "货道库存";
        SubjectKind::SlotState => "slot-state", "货道状态";
        SubjectKind::Notice => "notice", "订单通知";
        SubjectKind::Payment => "payment", "付款";
        SubjectKind::Sale => "sale", "销售";
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A call that changes something at a cloud, or tells it something that it must know. A record of the journal: variants
/// are added at the end. `cloud::call` knows the proof of success of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// PUT status 2: this order is to be refunded (cloud 1.5).
    Refund {
        /// The platform's order.
        order_id: Id,
    },
    /// songshu hears of an order (seed 000).
    Notify(Box<Notice>),
    /// course hears of a payment (seed 001, section 6.2).
    TellPaid(Box<Paid>),
}

/// How the platform is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// A signed message on the platform's topic (cloud 1.9). What all messages have in common is added when it leaves.
    Publish {
        /// Like `client.pickup_codes.put`.
        method: Box<str>,
        /// Its own fields; no secrets, they stand in the journal.
        fields: Vec<(Box<str>, Box<str>)>,
    },
    /// Over HTTP. Credentials and signature are added when it leaves, and never stored.
    Http(Operation),
    /// A signed POST to the merchant: how a sale ended. The signature is made when it leaves.
    Tell {
        /// The configured notify_url.
        url: Box<str>,
        /// All fields but time and signature; no secrets.
        fields: Vec<(Box<str>, Box<str>)>,
    },
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What it is about.
    pub subject: Subject,
    /// How it is told.
    pub way: Way,
    /// It tells a state and not an event: a newer one of the same subject takes the place of one that has not left.
    pub newest_wins: bool,
}

/// A call as the journal keeps it, until the platform has taken it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Rises with every call of a life, and above those that the journal still had.
    pub number: u64,
    /// What is told.
    pub call: Call,
    /// Unix seconds in the body: when it was made. A repeat is byte for byte the same.
    pub timestamp_s: u64,
    /// Pending or dead; a call that was taken has no record any more.
    pub copy: Copy,
}

impl CallRecord {
    /// Still to be taken.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.copy.is_open()
    }
}

impl CallRecord {
    /// What it is, for people.
    #[must_use]
    pub fn said(&self) -> Said {
        let what = match &self.call.way {
            Way::Publish { method, .. } => Said::word(&**method),
            Way::Tell { .. } => Said::new("told to the merchant", "告知商户"),
            Way::Http(Operation::Refund { .. }) => Said::new("to be refunded", "应退款"),
            Way::Http(Operation::Notify(notice)) if notice.payment == Payment::Unpaid => Said::new("made", "已下单"),
            Way::Http(Operation::Notify(_)) => Said::new("paid", "已支付"),
            Way::Http(Operation::TellPaid(paid)) => Said::word(paid.result.as_str()),
        };
        let (number, subject) = (self.number, self.call.subject.said());
        Said::new(
            format!("call {number} about {}: {}", subject.en, what.en),
            format!("通知 {number}（{}）：{}", subject.zh, what.zh),
        )
    }
}

/// In English, for logs.
impl fmt::Display for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said().en)
    }
}
