//! What may be asked, as it is read from a request and written into one.

use super::{Answer, LOUDER_S_MAX, LogLevel, Place};
use crate::board::service::{HOLD_C, Service};
use crate::core::{BooksAct, Callback, Decision, SaleChoice, SaleCode, Settle, SlotAct, SlotTest, WHY_BYTES_MAX};
use crate::order::key::{Id, Key};
use crate::order::payment::Paid;
use crate::order::pickup::Digits;
use crate::order::said::{Said, said};
use crate::order::stock::COUNT_MAX;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

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
    /// At [`Place::SaleStart`], by what is printed at the slot.
    SaleCode(SaleCode),
    /// At [`Place::SaleCancel`].
    SaleCancel,
    /// At [`Place::Sales`].
    Sales,
    /// At [`Place::SaleSettle`].
    SaleSettle(Settle),
    /// At [`Place::SaleCallback`].
    SaleCallback(Paid),
    /// At [`Place::Books`].
    Books,
    /// At [`Place::BooksAct`].
    BooksAct(BooksAct),
    /// At [`Place::Order`].
    Order(Key),
    /// At [`Place::Decide`].
    Decide(Decision),
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
    /// At [`Place::BrokerTrip`].
    BrokerTrip,
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
            Ask::SaleStart(_) | Ask::SaleCode(_) => Place::SaleStart,
            Ask::SaleCancel => Place::SaleCancel,
            Ask::Sales => Place::Sales,
            Ask::SaleSettle(_) => Place::SaleSettle,
            Ask::SaleCallback(_) => Place::SaleCallback,
            Ask::Books => Place::Books,
            Ask::BooksAct(_) => Place::BooksAct,
            Ask::Order(_) => Place::Order,
            Ask::Decide(_) => Place::Decide,
            Ask::Reports => Place::Reports,
            Ask::Report(_) => Place::Report,
            Ask::Frames => Place::Frames,
            Ask::Messages => Place::Messages,
            Ask::Log(_) => Place::Log,
            Ask::BrokerTrip => Place::BrokerTrip,
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

    /// Reads what is asked at `place`: of most, nothing beyond the place matters.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(place: Place, query: Option<&str>, body: &[u8]) -> Result<Ask, String> {
        Ok(match place {
            Place::Status => Ask::Status,
            Place::Orders => Ask::Orders,
            Place::Audit => Ask::Audit,
            Place::Faults => Ask::Faults,
            Place::Service => Ask::Service(read_service(body)?),
            Place::Pickup => Ask::Pickup(read_pickup(body)?),
            Place::Codes => Ask::Codes,
            Place::Test => Ask::Test(read_test(body)?),
            Place::LastTest => Ask::LastTest,
            Place::Slots => Ask::Slots,
            Place::SlotAct => Ask::SlotAct(read_slot_act(body)?),
            Place::Sale => Ask::Sale,
            Place::SaleStart => read_sale_start(body)?,
            Place::SaleCancel => Ask::SaleCancel,
            Place::Sales => Ask::Sales,
            Place::SaleSettle => Ask::SaleSettle(read_settle(body)?),
            Place::SaleCallback => Ask::SaleCallback(read_callback(body)?),
            Place::Books => Ask::Books,
            Place::BooksAct => Ask::BooksAct(read_books_act(body)?),
            Place::Order => Ask::Order(read_key(query)?),
            Place::Decide => Ask::Decide(read_decision(body)?),
            Place::Reports => Ask::Reports,
            Place::Report => Ask::Report(read_key(query)?),
            Place::Frames => Ask::Frames,
            Place::Messages => Ask::Messages,
            Place::Log => Ask::Log(read_log_level(body)?),
            Place::BrokerTrip => Ask::BrokerTrip,
        })
    }

    /// Whether its answer waits for the board or for the disk, either of which may be slow.
    #[must_use]
    pub const fn waits(&self) -> bool {
        match self {
            Ask::Service(_)
            | Ask::Pickup(_)
            | Ask::Test(_)
            | Ask::SlotAct(_)
            | Ask::SaleStart(_)
            | Ask::SaleCode(_)
            | Ask::SaleCancel
            | Ask::SaleSettle(_)
            | Ask::SaleCallback(_)
            | Ask::BooksAct(_)
            | Ask::Decide(_) => true,
            Ask::Status
            | Ask::Orders
            | Ask::Audit
            | Ask::Faults
            | Ask::Codes
            | Ask::LastTest
            | Ask::Slots
            | Ask::Sale
            | Ask::Sales
            | Ask::Books
            | Ask::Order(_)
            | Ask::Reports
            | Ask::Report(_)
            | Ask::Frames
            | Ask::Messages
            | Ask::BrokerTrip
            | Ask::Log(_) => false,
        }
    }

    /// Whether it changes something at the machine, and so is for root and the daemon's user only. A buyer's code and
    /// choice are for whoever reaches the socket, as they are for whoever stands before the machine.
    #[must_use]
    pub const fn changes(&self) -> bool {
        match self {
            Ask::Service(service) => service.acts(),
            Ask::Test(_)
            | Ask::SlotAct(_)
            | Ask::SaleSettle(_)
            | Ask::SaleCallback(_)
            | Ask::BooksAct(_)
            | Ask::Decide(_)
            | Ask::Log(_) => true,
            Ask::Status
            | Ask::Orders
            | Ask::Audit
            | Ask::Faults
            | Ask::Pickup(_)
            | Ask::Codes
            | Ask::LastTest
            | Ask::Slots
            | Ask::Sale
            | Ask::SaleStart(_)
            | Ask::SaleCode(_)
            | Ask::SaleCancel
            | Ask::Sales
            | Ask::Books
            | Ask::Order(_)
            | Ask::Reports
            | Ask::Report(_)
            | Ask::Frames
            | Ask::Messages
            | Ask::BrokerTrip => false,
        }
    }

    /// The word of the log for somebody's having asked for something to be done; nothing for what only reads.
    #[must_use]
    pub const fn deed(&self) -> Option<&'static str> {
        match self {
            Ask::Service(_) => Some("service"),
            Ask::Pickup(_) => Some("pickup_entered"),
            Ask::Test(_) => Some("slot_test"),
            Ask::SlotAct(_) => Some("slot_act"),
            Ask::SaleStart(_) | Ask::SaleCode(_) => Some("sale_chosen"),
            Ask::SaleCancel => Some("sale_cancelled"),
            Ask::SaleSettle(_) => Some("sale_settled"),
            Ask::SaleCallback(_) => Some("sale_callback"),
            Ask::BooksAct(_) => Some("books_act"),
            Ask::Decide(_) => Some("decision"),
            Ask::Log(_) => Some("log_level"),
            Ask::Status
            | Ask::Orders
            | Ask::Audit
            | Ask::Faults
            | Ask::Codes
            | Ask::LastTest
            | Ask::Slots
            | Ask::Sale
            | Ask::Sales
            | Ask::Books
            | Ask::Order(_)
            | Ask::Reports
            | Ask::Report(_)
            | Ask::Frames
            | Ask::Messages
            | Ask::BrokerTrip => None,
        }
    }

    /// The order that it is about, where it names one.
    #[must_use]
    pub const fn order(&self) -> Option<&Key> {
        match self {
            Ask::Order(key) | Ask::Report(key) => Some(key),
            Ask::Decide(decision) => Some(decision.key()),
            _ => None,
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
            Ask::BooksAct(act) => serde_json::to_vec(act),
            Ask::SaleStart(choice) => serde_json::to_vec(choice),
            Ask::SaleCode(wanted) => serde_json::to_vec(wanted),
            Ask::SaleSettle(settle) => serde_json::to_vec(settle),
            Ask::SaleCallback(paid) => serde_json::to_vec(&Callback::from(paid)),
            Ask::Decide(decision) => serde_json::to_vec(decision),
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
            | Ask::Messages
            | Ask::BrokerTrip => Ok(Vec::new()),
        }
    }
}

/// Reads what stands in the body of a request for [`Place::Service`].
///
/// # Errors
/// What is wrong with it, for people.
fn read_service(body: &[u8]) -> Result<Service, String> {
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
fn read_pickup(body: &[u8]) -> Result<Digits, String> {
    let entered: Option<Entered> = serde_json::from_slice(body).ok();
    let digits = entered.and_then(|entered| Digits::parse(&entered.code));
    digits.ok_or_else(|| "the body is not {\"code\":\"…\"} with eight digits".to_owned())
}

/// Reads what stands in the body of a request for [`Place::Test`].
///
/// # Errors
/// What is wrong with it, for people.
fn read_test(body: &[u8]) -> Result<SlotTest, String> {
    serde_json::from_slice(body).map_err(|e| format!("the body is no slot to test: {e}"))
}

/// Reads what stands in the body of a request for [`Place::SlotAct`].
///
/// # Errors
/// What is wrong with it, for people.
fn read_slot_act(body: &[u8]) -> Result<SlotAct, String> {
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
fn read_sale_start(body: &[u8]) -> Result<Ask, String> {
    #[derive(Deserialize)]
    struct ByCode {
        #[serde(rename = "code")]
        _code: IgnoredAny,
    }
    let is_by_code = serde_json::from_slice::<ByCode>(body).is_ok();
    let read = if is_by_code {
        serde_json::from_slice(body).map(Ask::SaleCode)
    } else {
        serde_json::from_slice(body).map(Ask::SaleStart)
    };
    read.map_err(|e| format!("the body is no slot to buy from, like {{\"slot\":12}} or {{\"code\":\"A3\"}}: {e}"))
}

/// Reads what stands in the body of a request for [`Place::SaleCallback`].
///
/// # Errors
/// What is wrong with it, for people.
fn read_callback(body: &[u8]) -> Result<Paid, String> {
    let callback: Callback = serde_json::from_slice(body).map_err(|e| format!("the body tells of no payment: {e}"))?;
    callback.paid()
}

/// Reads what stands in the body of a request for [`Place::SaleSettle`].
///
/// # Errors
/// What is wrong with it, for people.
fn read_settle(body: &[u8]) -> Result<Settle, String> {
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
fn read_books_act(body: &[u8]) -> Result<BooksAct, String> {
    let act: BooksAct = serde_json::from_slice(body).map_err(|e| format!("the body is no act at the books: {e}"))?;
    match act.reason() {
        Some(reason) => check_why(reason).map(|()| act.clone()).map_err(|why| why.en),
        None => Ok(act),
    }
}

/// Whether a person's reason can be kept in the audit.
///
/// # Errors
/// What is wrong with it, for people.
pub fn check_why(reason: &str) -> Result<(), Said> {
    match reason {
        reason if reason.trim().is_empty() => Err(Said::new("a reason is wanted", "请写明原因")),
        reason if reason.len() > WHY_BYTES_MAX => Err(said!(
            "the reason has {bytes} bytes, and at most {most} are kept",
            "原因有 {bytes} 字节，至多保存 {most} 字节";
            bytes = reason.len(), most = WHY_BYTES_MAX
        )),
        reason if reason.chars().any(char::is_control) => {
            Err(Said::new("the reason holds a control character", "原因中含有控制字符"))
        }
        _ => Ok(()),
    }
}

/// Reads the key of an order from what stands behind a path.
///
/// # Errors
/// What is wrong with it, for people.
fn read_key(query: Option<&str>) -> Result<Key, String> {
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
fn read_decision(body: &[u8]) -> Result<Decision, String> {
    let decision: Decision = serde_json::from_slice(body).map_err(|e| format!("the body is no decision: {e}"))?;
    match &decision {
        Decision::Resolve { reason, .. } => check_why(reason).map(|()| decision.clone()).map_err(|why| why.en),
        _ => Ok(decision),
    }
}

/// Reads what stands in the body of a request for [`Place::Log`].
///
/// # Errors
/// What is wrong with it, for people.
fn read_log_level(body: &[u8]) -> Result<LogLevel, String> {
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
    /// Who asks: the user that the kernel names; for a page, the daemon's own.
    pub uid: u32,
    /// For the answer.
    pub answer: oneshot::Sender<Answer>,
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
}
