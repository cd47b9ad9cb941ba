//! What reaches the core, and what it wants done. Plain data: the daemon, the simulation and the tests speak this.

use super::books::BooksAct;
use super::own::{Reply, SlotTest};
use super::persons::Decision;
use super::sale::{SaleChoice, SaleCode, Settle};
use super::slots::SlotAct;
use crate::board::driver::{Write, Written};
use crate::board::service::{Reading, Service, ServiceError};
use crate::cloud::orders::Session;
use crate::order::host::Host;
use crate::order::instruction::{Act, Kind};
use crate::order::key::Key;
use crate::order::motor::Slot;
use crate::order::payment::Paid;
use crate::order::pickup::Digits;
use crate::order::said::{Said, words};
use crate::order::time::{BootMs, UnixMs};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One connection to the broker. Rises; an acknowledgement belongs to the connection its message came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// One received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The connection.
    pub epoch: Epoch,
    /// Its place among the messages of that connection.
    pub number: u64,
}

/// Names one thing that was asked of the world, so that its answer finds home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Whose certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateOf {
    /// The machine's own, shown to the broker.
    OwnForBroker,
    /// The broker's.
    Broker,
    /// The machine's own, shown to the cloud.
    OwnForCloud,
    /// The cloud's.
    Cloud,
    /// The authorities of merchants.
    Merchants,
    /// The authorities of whoever is told of orders.
    Notified,
}

impl CertificateOf {
    /// The machine's own.
    #[must_use]
    pub const fn is_our_own(self) -> bool {
        matches!(self, CertificateOf::OwnForBroker | CertificateOf::OwnForCloud)
    }

    /// What to do when it ends.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            CertificateOf::OwnForBroker => "put a new [broker] client_certificate and client_key there; no restart",
            CertificateOf::OwnForCloud => "put a new [cloud] client_certificate and client_key there; no restart",
            CertificateOf::Broker | CertificateOf::Cloud | CertificateOf::Merchants | CertificateOf::Notified => {
                "tell whoever runs that server"
            }
        }
    }
}

impl CertificateOf {
    /// For people.
    #[must_use]
    pub fn said(self) -> Said {
        let (en, zh) = match self {
            CertificateOf::OwnForBroker => ("this machine's certificate for the broker", "本机证书（消息服务器）"),
            CertificateOf::Broker => ("the broker's certificate", "消息服务器证书"),
            CertificateOf::OwnForCloud => ("this machine's certificate for the cloud", "本机证书（平台）"),
            CertificateOf::Cloud => ("the cloud's certificate", "平台证书"),
            CertificateOf::Merchants => ("the merchants' authorities", "商户证书"),
            CertificateOf::Notified => ("the authorities of [notify]", "[notify] 的证书"),
        };
        Said::new(en, zh)
    }
}

/// In English, for logs.
impl fmt::Display for CertificateOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said().en)
    }
}

/// Something about the certificates in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateNews {
    /// This one is in use from now on, or was met in a handshake.
    InUse {
        /// Whose.
        of: CertificateOf,
        /// Its last second, in Unix seconds.
        not_after_s: u64,
    },
    /// The files were changed and are not good: those read before stay in use.
    Kept {
        /// Whose.
        of: CertificateOf,
        /// What is wrong with the new ones.
        why: Said,
    },
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The broker accepted us.
    Connected {
        /// The new connection.
        epoch: Epoch,
        /// It kept our session.
        session_present: bool,
    },
    /// Commands can come.
    Subscribed,
    /// The connection is gone, or could not be made.
    Disconnected {
        /// For people.
        why: Said,
    },
    /// A message from the platform.
    Message {
        /// To acknowledge it by.
        tag: Tag,
        /// Its payload.
        payload: Bytes,
        /// The broker says that it has sent it before.
        redelivered: bool,
    },
    /// The broker took a message of ours.
    Published(Token),
    /// The broker refused a message of ours, and the connection goes on.
    NotPublished {
        /// Which one.
        token: Token,
        /// For people.
        why: Said,
    },
    /// The commit is durable.
    Committed(u64),
    /// The journal failed. It will not be used again in this process.
    JournalFailed {
        /// For people.
        why: Said,
    },
    /// Whether there is room on the disk for new orders.
    Space {
        /// There is.
        enough: bool,
    },
    /// The port was opened.
    LineOpened,
    /// The port is gone.
    LineClosed {
        /// For people.
        why: Said,
    },
    /// Bytes from the board.
    LineBytes {
        /// When they were read.
        read_at: BootMs,
        /// In any cut.
        bytes: Vec<u8>,
    },
    /// How the write of a motor frame ended.
    MotorWritten(Written),
    /// A receiver or the cloud answered, or did not.
    Answered {
        /// To what.
        token: Token,
        /// With what.
        answer: Result<HttpAnswer, HttpFailure>,
    },
    /// A person wants something of the board beside a vend; answered by [`Effect::Served`].
    Serve {
        /// For the answer.
        token: Token,
        /// Who, as the kernel names them.
        uid: u32,
        /// What.
        service: Service,
    },
    /// A certificate was met or renewed, or could not be.
    Certificate(CertificateNews),
    /// Somebody entered a pickup code; answered by [`Effect::Reply`].
    CodeEntered {
        /// For the answer.
        token: Token,
        /// What was entered.
        digits: Digits,
    },
    /// Somebody wants to see a slot turn; answered by [`Effect::Reply`].
    TestSlot {
        /// For the answer.
        token: Token,
        /// Who, as the kernel names them.
        uid: u32,
        /// Which slot.
        test: SlotTest,
    },
    /// What became of a [`MachineRequest`].
    Machine {
        /// Which one.
        number: u64,
        /// What is known.
        told: MachineTold,
    },
    /// A person did something at a slot; answered by [`Effect::Reply`].
    SlotAct {
        /// For the answer.
        token: Token,
        /// Who, as the kernel names them.
        uid: u32,
        /// What.
        act: SlotAct,
    },
    /// Somebody wants to buy; answered by [`Effect::Reply`].
    SaleChosen {
        /// For the answer.
        token: Token,
        /// What.
        choice: SaleChoice,
    },
    /// The same, by what is printed at the slot.
    SaleCode {
        /// For the answer.
        token: Token,
        /// What was entered.
        wanted: SaleCode,
    },
    /// The buyer does not want it any more; answered by [`Effect::Reply`].
    SaleCancelled {
        /// For the answer.
        token: Token,
    },
    /// A gateway at the machine relays what a payment system says; answered by [`Effect::Reply`].
    PaymentHeard {
        /// For the answer.
        token: Token,
        /// What it says.
        paid: Box<Paid>,
    },
    /// A person settled a sale; answered by [`Effect::Reply`].
    SaleSettled {
        /// For the answer.
        token: Token,
        /// Which and how.
        settle: Settle,
        /// Who, as the kernel names them.
        uid: u32,
    },
    /// A person did something about calls or differences; answered by [`Effect::Reply`].
    BooksAct {
        /// Whose answer it is.
        token: Token,
        /// Who, as the kernel names them.
        uid: u32,
        /// What.
        act: BooksAct,
    },
    /// A person decided about an order; answered by [`Effect::Reply`].
    Decide {
        /// For the answer.
        token: Token,
        /// The user's number, as the kernel names it.
        uid: u32,
        /// What.
        decision: Decision,
    },
    /// A person did something that only the audit is to know of.
    Deed {
        /// Who, as the kernel names them.
        uid: u32,
        /// What kind.
        kind: Kind,
        /// What.
        detail: String,
    },
    /// What the system says of the controller; the answer to [`Effect::LookAtHost`].
    Host(Host),
    /// The session with the broker needs a person's hand.
    Fault {
        /// A stable word.
        what: &'static str,
        /// For people.
        text: Said,
    },
    /// SIGTERM: let the motor finish, keep its outcome, go.
    Stop,
    /// Nothing; time has passed.
    Wake,
}

/// What the machine is asked to do to itself. Each is answered by [`Event::Machine`], as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineRequest {
    /// Whoever may is to do this, once.
    Ask {
        /// Names the request.
        number: u64,
        /// What.
        act: Act,
    },
    /// The request is taken back, if nobody has taken it yet.
    Withdraw {
        /// Which one.
        number: u64,
    },
}

/// What is known of a [`MachineRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineTold {
    /// It lies where it is waited for.
    Asked,
    /// It could not be made: nothing will be done.
    NotAsked(String),
    /// It was taken back: nothing will be done.
    Withdrawn,
    /// It is not there any more: somebody took it, or it never was.
    Gone,
}

/// An HTTP answer as far as we read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// Its `Date`.
    pub date: Option<UnixMs>,
    /// Its `Retry-After`, in s.
    pub retry_after_s: Option<u64>,
    /// The log-in that it gives.
    pub session: Option<Session>,
    /// Its body, bounded.
    pub body: Vec<u8>,
}

/// Why there was no HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpFailure {
    /// What it means for another try.
    pub kind: FailureKind,
    /// For people.
    pub why: Said,
}

/// What a failure means for another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The target may never be called: trying again is useless.
    BadTarget,
    /// The target sends us where we do not go.
    SentElsewhere,
    /// Nobody answered as HTTP wants it.
    NoAnswer,
}

/// Whom a request is for: each has its own target rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// A `notify_url` from a message: not trusted.
    Merchant,
    /// The configured cloud.
    Cloud,
    /// The cloud of `[notify]`.
    Notify,
    /// The cloud that sells, where that is another one.
    Seller,
}

/// An HTTP request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// For whom.
    pub audience: Audience,
    /// POST or PUT.
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Headers; some hold secrets.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("audience", &self.audience)
            .field("method", &self.method)
            .field("url", &self.url)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What goes into the journal in one atomic, durable step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Records by key.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys to forget.
    pub removes: Vec<Vec<u8>>,
    /// The ledger.
    pub ledger: Vec<u8>,
}

/// Something for the log, with a stable name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How loud.
    pub level: Level,
    /// A stable word, like `order_accepted`.
    pub what: &'static str,
    /// For people.
    pub text: String,
    /// The order that it is about, so that one key finds its whole story.
    pub order: Option<Key>,
    /// The slot of that order's goods.
    pub slot: Option<Slot>,
}

/// How loud a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who look closely.
    Debug,
    /// The usual course.
    Info,
    /// Needs somebody's eye.
    Warn,
    /// Needs somebody's hand.
    Error,
}

words! {
    Level {
        Level::Debug => "debug", "调试";
        Level::Info => "info", "信息";
        Level::Warn => "warn", "警告";
        Level::Error => "error", "错误";
    }
}

/// Why the process is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was asked to, and nothing is under way.
    Stopped,
    /// The journal failed and durable reports had their time to leave.
    JournalFailed,
}

/// Something is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make this durable, then say [`Event::Committed`]. At most one is under way.
    Commit {
        /// Its number.
        id: u64,
        /// What.
        batch: Batch,
        /// Somebody on the line may wait for us meanwhile, and must not wait for the disk (order-life, rule 22).
        line_waits: bool,
    },
    /// Acknowledge a message. In the order of receipt, on its own connection.
    Ack(Tag),
    /// Publish on the platform's topic.
    Publish {
        /// For [`Event::Published`].
        token: Token,
        /// The sealed payload.
        payload: Vec<u8>,
    },
    /// Send a request, then say [`Event::Answered`].
    Http {
        /// For the answer.
        token: Token,
        /// What.
        request: Request,
    },
    /// What became of [`Event::Serve`].
    Served {
        /// To what.
        token: Token,
        /// What the board said.
        result: Result<Reading, ServiceError>,
    },
    /// The machine's certificate for the broker is about to end: connect anew if its files hold a newer one.
    RenewBrokerTls,
    /// Look at the system, then say [`Event::Host`].
    LookAtHost,
    /// Tell whoever stands there.
    Reply {
        /// To what.
        token: Token,
        /// What.
        reply: Reply,
    },
    /// Raise the motor mark to this, before the next [`Effect::Commit`] is begun. It is never lowered.
    Mark(u64),
    /// Put bytes on the line; for a motor frame write its intent into the motor mark just before, and say
    /// [`Event::MotorWritten`].
    LineWrite {
        /// The bytes.
        write: Write,
        /// The sequence of the intent, for a motor frame.
        intent: Option<u64>,
    },
    /// Have the machine do something to itself, then say [`Event::Machine`].
    Machine(MachineRequest),
    /// Log it.
    Note(Note),
    /// End the process.
    End(Ending),
}
