//! What the control socket understands, and what it answers. HTTP and JSON, so that `curl --unix-socket` works too.

use crate::board::service::{HOLD_C, Service, ServiceError};
use crate::core::{
    AuditLine, BooksAct, BooksError, CodeLine, Decision, DecisionError, OrderLine, SaleChoice, SaleRefusal, SaleView,
    Settle, SlotAct, SlotError, SlotLine, SlotTest, TestLine, WHY_BYTES_MAX,
};
use crate::order::key::{Id, Key};
use crate::order::pickup::Digits;
use crate::order::stock::COUNT_MAX;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// Version of all JSON documents, of the socket as of the tool. It rises when a key goes away or changes its meaning,
/// not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// Where something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `GET /v1/status`: one [`crate::core::Status`].
    Status,
    /// `GET /v1/orders`: the [`Orders`].
    Orders,
    /// `GET /v1/audit`: the [`Audit`].
    Audit,
    /// `GET /v1/faults`: the [`crate::core::FaultLines`].
    Faults,
    /// `POST /v1/service` with a [`Service`]: one [`crate::board::service::Reading`].
    Service,
    /// `POST /v1/pickup` with `{"code":"…"}`: one [`crate::core::Entry`].
    Pickup,
    /// `GET /v1/pickup/codes`: the [`Codes`], without their digits.
    Codes,
    /// `POST /v1/slot/test` with a [`SlotTest`]: the [`Testing`], once the motor may turn.
    Test,
    /// `GET /v1/slot/last-test`: the [`LastTest`].
    LastTest,
    /// `GET /v1/slots`: the [`Slots`].
    Slots,
    /// `POST /v1/slots/act` with a [`SlotAct`]: the [`Slots`] after it, durable.
    SlotAct,
    /// `GET /v1/sale`: the [`CurrentSale`].
    Sale,
    /// `POST /v1/sale` with a [`SaleChoice`]: the [`SaleView`], durable. Its pay code comes with [`Place::Sale`].
    SaleStart,
    /// `POST /v1/sale/cancel`: the [`SaleView`] after it, durable.
    SaleCancel,
    /// `GET /v1/sales`: the [`Sales`].
    Sales,
    /// `POST /v1/sale/settle` with a [`Settle`]: the [`SaleView`] after it, durable.
    SaleSettle,
    /// `GET /v1/books`: the [`crate::core::Books`].
    Books,
    /// `POST /v1/books/act` with a [`BooksAct`]: the [`crate::core::Books`] after it, durable.
    BooksAct,
    /// `GET /v1/order?order_id=…&record_id=…`: one [`crate::core::OrderStory`].
    Order,
    /// `POST /v1/order/decide` with a [`Decision`]: the [`OrderLine`] after it, durable.
    Decide,
    /// `GET /v1/reports`: the [`crate::core::Letters`].
    Reports,
    /// `GET /v1/frames`: a [`FrameLine`] for each frame on the line, as it passes.
    Frames,
    /// `GET /v1/messages`: a [`MessageLine`] for each message of the platform, as it comes.
    Messages,
    /// `POST /v1/log` with a [`LogLevel`]: the [`LogLevel`] that holds.
    Log,
    /// `GET /v1/report?order_id=…&record_id=…`: the [`crate::core::Letters`] of one order, with what they say.
    Report,
}

impl Place {
    /// All of them.
    pub const ALL: [Place; 25] = [
        Place::Status,
        Place::Orders,
        Place::Audit,
        Place::Faults,
        Place::Service,
        Place::Pickup,
        Place::Codes,
        Place::Test,
        Place::LastTest,
        Place::Slots,
        Place::SlotAct,
        Place::Sale,
        Place::SaleStart,
        Place::SaleCancel,
        Place::Sales,
        Place::SaleSettle,
        Place::Books,
        Place::BooksAct,
        Place::Order,
        Place::Decide,
        Place::Reports,
        Place::Report,
        Place::Frames,
        Place::Messages,
        Place::Log,
    ];

    /// Its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Place::Status => "/v1/status",
            Place::Orders => "/v1/orders",
            Place::Audit => "/v1/audit",
            Place::Faults => "/v1/faults",
            Place::Service => "/v1/service",
            Place::Pickup => "/v1/pickup",
            Place::Codes => "/v1/pickup/codes",
            Place::Test => "/v1/slot/test",
            Place::LastTest => "/v1/slot/last-test",
            Place::Slots => "/v1/slots",
            Place::SlotAct => "/v1/slots/act",
            Place::Sale | Place::SaleStart => "/v1/sale",
            Place::SaleCancel => "/v1/sale/cancel",
            Place::Sales => "/v1/sales",
            Place::SaleSettle => "/v1/sale/settle",
            Place::Books => "/v1/books",
            Place::BooksAct => "/v1/books/act",
            Place::Order => "/v1/order",
            Place::Decide => "/v1/order/decide",
            Place::Reports => "/v1/reports",
            Place::Report => "/v1/report",
            Place::Frames => "/v1/frames",
            Place::Messages => "/v1/messages",
            Place::Log => "/v1/log",
        }
    }

    /// How it is asked: what only reads the daemon's own memory by GET, what wants something done by POST.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Place::Status
            | Place::Orders
            | Place::Audit
            | Place::Faults
            | Place::Codes
            | Place::LastTest
            | Place::Slots
            | Place::Sale
            | Place::Sales
            | Place::Books
            | Place::Order
            | Place::Reports
            | Place::Report
            | Place::Frames
            | Place::Messages => "GET",
            Place::Service
            | Place::Pickup
            | Place::Test
            | Place::SlotAct
            | Place::SaleStart
            | Place::SaleCancel
            | Place::SaleSettle
            | Place::BooksAct
            | Place::Decide
            | Place::Log => "POST",
        }
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// At [`Place::Status`].
    Status,
    /// At [`Place::Orders`].
    Orders,
    /// At [`Place::Audit`].
    Audit,
    /// At [`Place::Faults`].
    Faults,
    /// At [`Place::Service`].
    Service(Service),
    /// At [`Place::Pickup`].
    Pickup(Digits),
    /// At [`Place::Codes`].
    Codes,
    /// At [`Place::Test`].
    Test(SlotTest),
    /// At [`Place::LastTest`].
    LastTest,
    /// At [`Place::Slots`].
    Slots,
    /// At [`Place::SlotAct`].
    SlotAct(SlotAct),
    /// At [`Place::Sale`].
    Sale,
    /// At [`Place::SaleStart`].
    SaleStart(SaleChoice),
    /// At [`Place::SaleCancel`].
    SaleCancel,
    /// At [`Place::Sales`].
    Sales,
    /// At [`Place::SaleSettle`].
    SaleSettle {
        /// Which and how.
        settle: Settle,
        /// Who asks, as the kernel names them; it does not travel.
        uid: u32,
    },
    /// At [`Place::Books`].
    Books,
    /// At [`Place::BooksAct`].
    BooksAct {
        /// Who does it; the socket says it, whatever the tool believes.
        uid: u32,
        /// What.
        act: BooksAct,
    },
    /// At [`Place::Order`].
    Order(Key),
    /// At [`Place::Decide`].
    Decide {
        /// Who decides; the socket says it, whatever the tool believes.
        uid: u32,
        /// What.
        decision: Decision,
    },
    /// At [`Place::Reports`].
    Reports,
    /// At [`Place::Report`].
    Report(Key),
    /// At [`Place::Frames`].
    Frames,
    /// At [`Place::Messages`].
    Messages,
    /// At [`Place::Log`].
    Log(LogLevel),
}

impl Ask {
    /// Where it is asked.
    #[must_use]
    pub const fn place(&self) -> Place {
        match self {
            Ask::Status => Place::Status,
            Ask::Orders => Place::Orders,
            Ask::Audit => Place::Audit,
            Ask::Faults => Place::Faults,
            Ask::Service(_) => Place::Service,
            Ask::Pickup(_) => Place::Pickup,
            Ask::Codes => Place::Codes,
            Ask::Test(_) => Place::Test,
            Ask::LastTest => Place::LastTest,
            Ask::Slots => Place::Slots,
            Ask::SlotAct(_) => Place::SlotAct,
            Ask::Sale => Place::Sale,
            Ask::SaleStart(_) => Place::SaleStart,
            Ask::SaleCancel => Place::SaleCancel,
            Ask::Sales => Place::Sales,
            Ask::SaleSettle { .. } => Place::SaleSettle,
            Ask::Books => Place::Books,
            Ask::BooksAct { .. } => Place::BooksAct,
            Ask::Order(_) => Place::Order,
            Ask::Decide { .. } => Place::Decide,
            Ask::Reports => Place::Reports,
            Ask::Report(_) => Place::Report,
            Ask::Frames => Place::Frames,
            Ask::Messages => Place::Messages,
            Ask::Log(_) => Place::Log,
        }
    }

    /// Where it is asked, with what stands behind the path. No character of an id means anything there.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        let path = self.place().path();
        match self {
            Ask::Order(key) | Ask::Report(key) => {
                format!("{path}?order_id={}&record_id={}", key.order_id, key.record_id)
            }
            _ => path.to_owned(),
        }
    }

    /// What stands in the body of the request.
    ///
    /// # Errors
    /// Never; the types have no key or value that JSON lacks.
    pub fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Ask::Service(service) => serde_json::to_vec(service),
            Ask::Test(test) => serde_json::to_vec(test),
            Ask::SlotAct(act) => serde_json::to_vec(act),
            Ask::Pickup(digits) => serde_json::to_vec(&Entered { code: digits.reveal() }),
            Ask::BooksAct { act, .. } => serde_json::to_vec(act),
            Ask::SaleStart(choice) => serde_json::to_vec(choice),
            Ask::SaleSettle { settle, .. } => serde_json::to_vec(settle),
            Ask::Decide { decision, .. } => serde_json::to_vec(decision),
            Ask::Log(level) => serde_json::to_vec(level),
            Ask::Status
            | Ask::Orders
            | Ask::Audit
            | Ask::Faults
            | Ask::Codes
            | Ask::LastTest
            | Ask::Slots
            | Ask::Sale
            | Ask::SaleCancel
            | Ask::Sales
            | Ask::Books
            | Ask::Order(_)
            | Ask::Reports
            | Ask::Report(_)
            | Ask::Frames
            | Ask::Messages => Ok(Vec::new()),
        }
    }
}

/// Reads what stands in the body of a request for [`Place::Service`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_service(body: &[u8]) -> Result<Service, String> {
    let service: Service = serde_json::from_slice(body).map_err(|e| format!("the body is no service: {e}"))?;
    match service {
        Service::Hold { target_c, .. } if !HOLD_C.contains(&target_c) => {
            Err(format!("target_c is {target_c}, and goods are held at {} to {} °C", HOLD_C.start(), HOLD_C.end()))
        }
        service => Ok(service),
    }
}

/// What somebody entered, as it travels.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entered {
    code: String,
}

/// Reads what stands in the body of a request for [`Place::Pickup`].
///
/// # Errors
/// What is wrong with it, for people; never what it says, since that may be a code with one digit too many.
pub fn read_pickup(body: &[u8]) -> Result<Digits, String> {
    let entered: Option<Entered> = serde_json::from_slice(body).ok();
    let digits = entered.and_then(|entered| Digits::parse(&entered.code));
    digits.ok_or_else(|| "the body is not {\"code\":\"…\"} with eight digits".to_owned())
}

/// Reads what stands in the body of a request for [`Place::Test`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_test(body: &[u8]) -> Result<SlotTest, String> {
    serde_json::from_slice(body).map_err(|e| format!("the body is no slot to test: {e}"))
}

/// Reads what stands in the body of a request for [`Place::SlotAct`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_slot_act(body: &[u8]) -> Result<SlotAct, String> {
    let act: SlotAct = serde_json::from_slice(body).map_err(|e| format!("the body is no act at a slot: {e}"))?;
    match act {
        SlotAct::Restock { count: Some(count), .. } if count > COUNT_MAX => {
            Err(format!("count is {count}, and a slot holds at most {COUNT_MAX}"))
        }
        act => Ok(act),
    }
}

/// Reads what stands in the body of a request for [`Place::SaleStart`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_sale_choice(body: &[u8]) -> Result<SaleChoice, String> {
    serde_json::from_slice(body).map_err(|e| format!("the body is no slot to buy from, like {{\"slot\":12}}: {e}"))
}

/// Reads what stands in the body of a request for [`Place::SaleSettle`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_settle(body: &[u8]) -> Result<Settle, String> {
    let settle: Settle = serde_json::from_slice(body).map_err(|e| format!("the body settles no sale: {e}"))?;
    if settle.reason.trim().is_empty() {
        Err("a reason is wanted, for whoever reads the list".to_owned())
    } else {
        Ok(settle)
    }
}

/// Reads what stands in the body of a request for [`Place::BooksAct`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_books_act(body: &[u8]) -> Result<BooksAct, String> {
    let act: BooksAct = serde_json::from_slice(body).map_err(|e| format!("the body is no act at the books: {e}"))?;
    match act.reason() {
        Some(reason) => check_why(reason).map(|()| act.clone()),
        None => Ok(act),
    }
}

/// Whether a person's reason can be kept in the audit.
///
/// # Errors
/// What is wrong with it, for people.
pub fn check_why(reason: &str) -> Result<(), String> {
    match reason {
        reason if reason.trim().is_empty() => Err("a reason is wanted".to_owned()),
        reason if reason.len() > WHY_BYTES_MAX => {
            Err(format!("the reason has {} bytes, and at most {WHY_BYTES_MAX} are kept", reason.len()))
        }
        reason if reason.chars().any(char::is_control) => Err("the reason holds a control character".to_owned()),
        _ => Ok(()),
    }
}

/// A [`Versioned`] JSON document, or why there is none.
pub type DocumentAnswer = Result<Vec<u8>, Refusal>;

/// Reads the key of an order from what stands behind a path.
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_key(query: Option<&str>) -> Result<Key, String> {
    let fields = query.unwrap_or_default().split('&').filter_map(|field| field.split_once('='));
    let (mut order_id, mut record_id) = (None, None);
    for (name, value) in fields {
        let id = Id::read(value).map_err(|error| format!("{name} {error}"))?;
        match name {
            "order_id" => order_id = Some(id),
            "record_id" => record_id = Some(id),
            other => return Err(format!("{other} is no part of an order's key")),
        }
    }
    match (order_id, record_id) {
        (Some(order_id), Some(record_id)) => Ok(Key { order_id, record_id }),
        _ => Err("the order is named by ?order_id=…&record_id=…".to_owned()),
    }
}

/// Reads what stands in the body of a request for [`Place::Decide`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_decision(body: &[u8]) -> Result<Decision, String> {
    let decision: Decision = serde_json::from_slice(body).map_err(|e| format!("the body is no decision: {e}"))?;
    match &decision {
        Decision::Resolve { reason, .. } => check_why(reason).map(|()| decision.clone()),
        _ => Ok(decision),
    }
}

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

/// Reads what stands in the body of a request for [`Place::Log`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_log_level(body: &[u8]) -> Result<LogLevel, String> {
    let level: LogLevel = serde_json::from_slice(body).map_err(|e| format!("the body is no log level: {e}"))?;
    match level.for_s {
        1..=LOUDER_S_MAX => Ok(level),
        for_s => Err(format!("for_s is {for_s}, and 1 to {LOUDER_S_MAX} is possible")),
    }
}

/// A question and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub ask: Ask,
    /// For the answer.
    pub answer: oneshot::Sender<Answer>,
}

/// Every order that is not settled, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// The orders.
    pub orders: Vec<OrderLine>,
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
    /// A refusal that has nothing to do with the board.
    #[must_use]
    pub const fn of(error: String) -> Refusal {
        Refusal { error, why: None, slot: None, sale: None, books: None, decision: None, lacks: Vec::new() }
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
    use crate::board::driver::Address;
    use crate::board::service::ClimateMode;

    #[test]
    fn a_service_is_read_as_it_is_written_and_nothing_else_is() {
        let address = Address::new(2).unwrap();
        for service in [
            Service::Climate { address },
            Service::Hold { address, mode: ClimateMode::Cool, target_c: -30 },
            Service::Hold { address, mode: ClimateMode::Heat, target_c: 70 },
            Service::Reset { address },
        ] {
            assert_eq!(read_service(&serde_json::to_vec(&service).unwrap()), Ok(service));
        }
        for (body, why) in [
            ("", "EOF"),
            ("[]", "no service"),
            (r#"{"service":"motor","address":1}"#, "unknown variant"),
            (r#"{"service":"door"}"#, "address"),
            (r#"{"service":"door","address":9}"#, "1 to 8"),
            (r#"{"service":"door","address":0}"#, "1 to 8"),
            (r#"{"service":"slot_state","address":1,"slot":65536}"#, "no service"),
            (r#"{"service":"hold","address":1,"mode":"cool","target_c":-31}"#, "-30 to 70"),
            (r#"{"service":"hold","address":1,"mode":"heat","target_c":71}"#, "-30 to 70"),
        ] {
            let told = read_service(body.as_bytes()).unwrap_err();
            assert!(told.contains(why), "{body}: {told}");
        }
    }

    #[test]
    fn a_pickup_code_is_read_as_it_is_written_and_what_is_none_is_not_repeated() {
        let digits = Digits::parse("16327138").unwrap();
        assert_eq!(read_pickup(&Ask::Pickup(digits).body().unwrap()), Ok(digits));
        for body in ["", "16327138", r#"{"code":16327138}"#, r#"{"code":"163271380"}"#, r#"{"code":"16327138","x":1}"#]
        {
            let told = read_pickup(body.as_bytes()).unwrap_err();
            assert!(told.contains("eight digits") && !told.contains("16327"), "{told}");
        }
    }

    #[test]
    fn a_slot_to_test_is_read_as_it_is_written_and_nothing_else_is() {
        let test = SlotTest { address: Address::new(2).unwrap(), slot: crate::board::driver::Slot(5) };
        assert_eq!(read_test(&Ask::Test(test).body().unwrap()), Ok(test));
        for body in ["", r#"{"slot":5}"#, r#"{"address":9,"slot":5}"#, r#"{"address":1,"slot":5,"quantity":2}"#] {
            assert!(read_test(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn an_act_at_a_slot_is_read_as_it_is_written_and_nothing_else_is() {
        use crate::order::motor::Slot;
        let (address, slot) = (Address::new(2).unwrap(), Slot(5));
        for act in [
            SlotAct::Restock { address, slot, count: Some(COUNT_MAX) },
            SlotAct::Restock { address, slot, count: None },
            SlotAct::RestockAll,
            SlotAct::Clear { address, slot },
        ] {
            assert_eq!(read_slot_act(&serde_json::to_vec(&act).unwrap()), Ok(act));
        }
        for (body, why) in [
            ("", "EOF"),
            (r#"{"act":"turn","address":1,"slot":5}"#, "unknown variant"),
            (r#"{"act":"clear","address":9,"slot":5}"#, "1 to 8"),
            (r#"{"act":"restock","address":1,"slot":5,"count":-1}"#, "no act"),
            (r#"{"act":"restock","address":1,"slot":5,"count":1000}"#, "at most 999"),
        ] {
            let told = read_slot_act(body.as_bytes()).unwrap_err();
            assert!(told.contains(why), "{body}: {told}");
        }
    }

    #[test]
    fn what_a_profile_lacks_is_told_only_when_it_may_be_why() {
        let lacks = ["no door contact".to_owned()];
        assert_eq!(Refusal::by_board(ServiceError::NotOffered, &lacks).lacks, lacks);
        assert_eq!(Refusal::by_board(ServiceError::Busy, &lacks).lacks, [""; 0]);
    }
}
