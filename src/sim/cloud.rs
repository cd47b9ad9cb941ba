//! A stand-in for the platform's open API: the three calls that vend makes, with the documented checks and errors.
//! Pure, so that tests, the simulation and the demo can serve it over any transport.

use crate::cloud::envelope::{self, Fields};
use crate::cloud::open_platform::{APP_ID_HEADER, APP_SECRET_HEADER, Account, AppSecret, BASE_PATH, NewStatus};
use crate::order::key::MachineNo;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Which of the two generations of codes the stand-in speaks (cloud 1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// Five digits, as in the pages' examples.
    FiveDigits,
    /// Four digits, as in the table of June 2024.
    FourDigits,
}

/// An order on the stand-in's books. Words are the platform's, so that a test can put in any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOrder {
    /// `SUCCESS`, `NOTPAY` …
    pub status: String,
    /// Record id → `WAITING_PICKED_UP`, `IS_TIMEOUT` …; an empty word is left out of the answer.
    pub records: BTreeMap<u64, String>,
}

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
}

/// The platform, as far as one machine sees it.
#[derive(Debug, Clone)]
pub struct SimCloud {
    account: Account,
    machine_no: MachineNo,
    /// Which codes it speaks.
    pub codes: Codes,
    /// By the platform's order id.
    pub orders: BTreeMap<u64, SimOrder>,
    /// What the next calls meet, first come first served.
    pub mishaps: VecDeque<Mishap>,
}

/// A refusal in both generations: HTTP status, five digits, four digits, text.
struct Refusal(u16, u32, u32, &'static str);

const NO_CREDENTIALS: Refusal = Refusal(401, 10_008, 4000, "appid or appsecret empty");
const WRONG_APP_ID: Refusal = Refusal(401, 10_014, 4001, "appid invalid");
const WRONG_APP_SECRET: Refusal = Refusal(401, 10_013, 4009, "app secret invalid");
const NO_ROUTE: Refusal = Refusal(404, 404, 6016, "route not found");
const BAD_FORM: Refusal = Refusal(200, 10_001, 4003, "invalid params");
const WRONG_SIGN: Refusal = Refusal(200, 10_001, 4006, "payload sign invalid");
const NO_MACHINE: Refusal = Refusal(200, 30_003, 6026, "machine not found");
const NO_ORDER: Refusal = Refusal(200, 80_002, 4004, "record not found");
const ORDER_EXPIRED: Refusal = Refusal(200, 40_005, 6042, "订单已过期");
const ORDER_STATUS: Refusal = Refusal(200, 40_006, 6043, "订单状态无效");
const ORDER_PAID: Refusal = Refusal(200, 40_006, 6049, "order paid");

impl SimCloud {
    /// An empty book for one merchant's machine.
    #[must_use]
    pub fn new(account: Account, machine_no: MachineNo) -> Self {
        SimCloud { account, machine_no, codes: Codes::FourDigits, orders: BTreeMap::new(), mishaps: VecDeque::new() }
    }

    /// Answers one call with HTTP status and body. Header names count without regard to case, as in HTTP.
    pub fn answer(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        match self.mishaps.pop_front() {
            None => self.serve(method, path, headers, body),
            Some(Mishap::Code(code)) => reply(200, json!({"code": code, "message": "on demand", "data": {}})),
            Some(Mishap::FailureWithCodeZero) => reply(200, json!({"code": 0, "message": "订单未支付", "data": {}})),
            Some(Mishap::Status(status)) => (status, Vec::new()),
            Some(Mishap::Html) => (200, b"<!DOCTYPE html><title>Log in</title>".to_vec()),
            Some(Mishap::HalfBody) => {
                let (status, mut body) = self.serve(method, path, headers, body);
                body.truncate(body.len() / 2);
                (status, body)
            }
        }
    }

    fn serve(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        match self.result(method, path, headers, body) {
            Ok(data) => reply(200, json!({"code": 0, "message": "ok", "data": data})),
            Err(Refusal(status, five, four, message)) => {
                let code = match self.codes {
                    Codes::FiveDigits => five,
                    Codes::FourDigits => four,
                };
                reply(status, json!({"code": code, "message": message, "data": {}}))
            }
        }
    }

    fn result(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Value, Refusal> {
        self.check_credentials(headers)?;
        let route = path.strip_prefix(BASE_PATH).ok_or(NO_ROUTE)?;
        let fields = self.open(body)?;
        match (method, route, route.strip_prefix("/orders/")) {
            ("POST", "/ping", _) => Ok("pong".into()),
            ("POST", _, Some(order_id)) => self.query(order_id),
            ("PUT", _, Some(order_id)) => self.update(order_id, fields.get("status")),
            _ => Err(NO_ROUTE),
        }
    }

    fn check_credentials(&self, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let sent = |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, v)| *v);
        let app_id = sent(APP_ID_HEADER).filter(|v| !v.is_empty());
        let app_secret = sent(APP_SECRET_HEADER).filter(|v| !v.is_empty());
        match (app_id, app_secret) {
            (None, _) | (_, None) => Err(NO_CREDENTIALS),
            (Some(app_id), _) if app_id != self.account.app_id => Err(WRONG_APP_ID),
            (_, Some(app_secret)) if self.account.app_secret != AppSecret::new(app_secret) => Err(WRONG_APP_SECRET),
            _ => Ok(()),
        }
    }

    fn open(&self, body: &[u8]) -> Result<Fields, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|_| BAD_FORM)?;
        let payload = body["payload"].as_str().ok_or(BAD_FORM)?;
        let fields = envelope::open(payload.as_bytes()).map_err(|_| BAD_FORM)?;
        envelope::verify(&fields, &self.account.app_key).map_err(|_| WRONG_SIGN)?;
        if fields.get("timestamp").is_none() {
            return Err(BAD_FORM);
        }
        if fields.get("machine_no") == Some(self.machine_no.as_str()) { Ok(fields) } else { Err(NO_MACHINE) }
    }

    fn query(&self, order_id: &str) -> Result<Value, Refusal> {
        let order_id: u64 = order_id.parse().map_err(|_| NO_ORDER)?;
        let order = self.orders.get(&order_id).ok_or(NO_ORDER)?;
        let record = |(id, status): (&u64, &String)| {
            without_empty(json!({"id": id, "product_id": 131, "quantity": 1, "price": "1.00", "status": status}))
        };
        let records: Vec<Value> = order.records.iter().map(record).collect();
        Ok(without_empty(json!({
            "order_id": order_id,
            "trade_id": format!("trade-{order_id}"),
            "date": "2024-04-29",
            "amount": format!("{}.00", records.len()),
            "status": order.status,
            "records": records,
        })))
    }

    fn update(&mut self, order_id: &str, status: Option<&str>) -> Result<Value, Refusal> {
        let order_id: u64 = order_id.parse().map_err(|_| NO_ORDER)?;
        let order = self.orders.get_mut(&order_id).ok_or(NO_ORDER)?;
        let to = NewStatus::ALL.into_iter().find(|to| Some(to.as_str()) == status).ok_or(BAD_FORM)?;
        match (order.status.as_str(), to) {
            ("SUCCESS" | "PICKUPCODE", NewStatus::Paid) => return Err(ORDER_PAID),
            ("9", _) => return Err(ORDER_EXPIRED),
            ("REFUND" | "CLOSED" | "REVOKED", _) => return Err(ORDER_STATUS),
            _ => {}
        }
        let word = match to {
            NewStatus::Paid => "SUCCESS",
            NewStatus::Refund => "REFUND",
            NewStatus::Closed => "CLOSED",
            NewStatus::Revoked => "REVOKED",
            NewStatus::UserPaying => "USERPAYING",
            NewStatus::PaymentFailed => "PAYERROR",
        };
        order.status = word.to_owned();
        Ok("".into())
    }
}

/// The platform leaves out what is empty.
fn without_empty(object: Value) -> Value {
    match object {
        Value::Object(fields) => {
            let empty = |value: &Value| value == "" || value.as_array().is_some_and(Vec::is_empty);
            Value::Object(fields.into_iter().filter(|(_, value)| !empty(value)).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn reply(status: u16, body: Value) -> (u16, Vec<u8>) {
    (status, body.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::api_codes::RetryClass;
    use crate::cloud::open_platform::{ApiError, ApiRequest, Verdict, may_drive, read_order, read_ping, read_update};
    use crate::cloud::sign::SigningKey;
    use crate::order::key::Id;
    use crate::order::outcome::Reason;

    fn account() -> Account {
        Account {
            app_id: "ds069ed4223ac1660f".to_owned(),
            app_secret: AppSecret::new("hush"),
            app_key: SigningKey::new("kva").unwrap(),
        }
    }

    fn machine() -> MachineNo {
        MachineNo::parse("16327129").unwrap()
    }

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    /// Order 60, paid, with record 78 waiting.
    fn cloud() -> SimCloud {
        let mut cloud = SimCloud::new(account(), machine());
        let records = BTreeMap::from([(78, "WAITING_PICKED_UP".to_owned())]);
        cloud.orders.insert(60, SimOrder { status: "SUCCESS".to_owned(), records });
        cloud
    }

    fn carry(cloud: &mut SimCloud, request: &ApiRequest) -> (u16, Vec<u8>) {
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        cloud.answer(request.method, &request.path, &headers, &request.body)
    }

    fn ping(cloud: &mut SimCloud, account: &Account) -> Result<(), ApiError> {
        let (status, body) = carry(cloud, &account.ping(&machine(), 7));
        read_ping(status, &body)
    }

    fn update(cloud: &mut SimCloud, order_id: &str, to: NewStatus) -> Result<(), ApiError> {
        let (status, body) = carry(cloud, &account().update_order(&machine(), &id(order_id), to, 7));
        read_update(status, &body)
    }

    fn verdict(cloud: &mut SimCloud) -> Verdict {
        let (status, body) = carry(cloud, &account().query_order(&machine(), &id("60"), 7));
        may_drive(&read_order(status, &body, &id("60")).unwrap(), &id("78"))
    }

    fn code(error: ApiError) -> u32 {
        match error {
            ApiError::Refused { code, .. } | ApiError::Unauthorized { code, .. } => code,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_paid_order_is_answered_and_changes_when_it_is_told() {
        let mut cloud = cloud();
        assert_eq!(ping(&mut cloud, &account()), Ok(()));
        assert_eq!(verdict(&mut cloud), Verdict::Drive);
        let again = update(&mut cloud, "60", NewStatus::Paid).unwrap_err();
        assert_eq!((again.class(), code(again)), (RetryClass::AlreadyDone, 6049));
        assert_eq!(update(&mut cloud, "60", NewStatus::Refund), Ok(()));
        assert_eq!(verdict(&mut cloud), Verdict::Refuse(Reason::Closed));
        let late = update(&mut cloud, "60", NewStatus::Closed).unwrap_err();
        assert_eq!((late.class(), code(late)), (RetryClass::Final, 6043));
    }

    #[test]
    fn both_generations_of_codes_are_spoken() {
        let wrong = |change: fn(&mut Account)| {
            let mut account = account();
            change(&mut account);
            account
        };
        let accounts = [
            (wrong(|a| a.app_id.clear()), 10_008, 4000),
            (wrong(|a| a.app_id.push('0')), 10_014, 4001),
            (wrong(|a| a.app_secret = AppSecret::new("hist")), 10_013, 4009),
            (wrong(|a| a.app_key = SigningKey::new("kvb").unwrap()), 10_001, 4006),
        ];
        for (codes, five) in [(Codes::FiveDigits, true), (Codes::FourDigits, false)] {
            let mut cloud = cloud();
            cloud.codes = codes;
            cloud.orders.insert(61, SimOrder { status: "9".to_owned(), records: BTreeMap::new() });
            for (account, five_digits, four_digits) in &accounts {
                let error = ping(&mut cloud, account).unwrap_err();
                assert_eq!(error.class(), RetryClass::Final);
                assert_eq!(code(error), if five { *five_digits } else { *four_digits });
            }
            let expired = update(&mut cloud, "61", NewStatus::Paid).unwrap_err();
            assert_eq!(code(expired), if five { 40_005 } else { 6042 });
            let absent = update(&mut cloud, "62", NewStatus::Paid).unwrap_err();
            assert_eq!(code(absent), if five { 80_002 } else { 4004 });
        }
    }

    #[test]
    fn a_mishap_spoils_one_call_and_half_a_body_still_did_its_work() {
        let mut cloud = cloud();
        let mishaps = [Mishap::Code(6025), Mishap::FailureWithCodeZero, Mishap::Status(503), Mishap::Html];
        cloud.mishaps.extend(mishaps.iter().cloned());
        for mishap in mishaps {
            let error = update(&mut cloud, "60", NewStatus::Refund).unwrap_err();
            assert_eq!(error.class(), RetryClass::Retry, "{mishap:?}: {error}");
        }
        assert_eq!(verdict(&mut cloud), Verdict::Drive, "none of them reached the books");
        cloud.mishaps.push_back(Mishap::HalfBody);
        let error = update(&mut cloud, "60", NewStatus::Refund).unwrap_err();
        assert_eq!(error.class(), RetryClass::Retry);
        assert_eq!(verdict(&mut cloud), Verdict::Refuse(Reason::Closed));
    }

    #[test]
    fn what_is_no_call_is_told_so() {
        let mut cloud = cloud();
        let mut request = account().ping(&machine(), 7);
        request.path = "/api/openapi/v1/products".to_owned();
        assert_eq!(carry(&mut cloud, &request).0, 404);
        request.path = "/elsewhere".to_owned();
        assert_eq!(carry(&mut cloud, &request).0, 404);
        request.path = "/api/openapi/v1/ping".to_owned();
        request.body = b"{}".to_vec();
        assert!(String::from_utf8(carry(&mut cloud, &request).1).unwrap().contains("4003"));
    }
}
