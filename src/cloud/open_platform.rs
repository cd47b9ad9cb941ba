//! Three calls of the platform's open API (cloud 1.3–1.8): ask for an order, change its status, ping. Requests are
//! built and answers read here; somebody else carries them.
//!
//! The platform leaves out what is zero, false or empty, and has shown failures with `code` 0. So no answer is taken
//! as a success for what it lacks: each call names the one thing that proves it.

use super::api_codes::{self, RetryClass};
use super::envelope::{Value as Field, seal, shown, to_json};
use super::sign::SigningKey;
use crate::order::key::{Id, MachineNo};
use crate::order::outcome::Reason;
use serde_json::{Value, json};
use std::fmt;

/// Below the configured `[cloud] url`.
pub const BASE_PATH: &str = "/api/openapi/v1";
/// Names the merchant.
pub const APP_ID_HEADER: &str = "Appid";
/// Proves the merchant; it never enters a signature.
pub const APP_SECRET_HEADER: &str = "AppSecret";

/// The secret of [`APP_SECRET_HEADER`]. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AppSecret(Box<str>);

impl AppSecret {
    /// Takes the secret exactly as given; whoever reads it from a file cuts the line end off first.
    #[must_use]
    pub fn new(text: &str) -> Self {
        AppSecret(text.into())
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(hidden)")
    }
}

/// What the merchant is known by. Signatures over HTTP use the AppKey, whatever `[signing]` says about MQTT.
#[derive(Debug, Clone)]
pub struct Account {
    /// `ds` and 16 hex digits.
    pub app_id: String,
    /// The secret in the header.
    pub app_secret: AppSecret,
    /// The key of the signatures.
    pub app_key: SigningKey,
}

/// A call to be carried by any HTTP client.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiRequest {
    /// POST or PUT.
    pub method: &'static str,
    /// Below the base url; safe as it is.
    pub path: String,
    /// Names and values. The secret is among them.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (headers hidden, {} bytes)", self.method, self.path, self.body.len())
    }
}

impl ApiRequest {
    /// Asks without credentials: refused, and the refusal tells the cloud's time all the same.
    #[must_use]
    pub fn unsigned_ping() -> Self {
        let path = format!("{BASE_PATH}/ping");
        ApiRequest { method: "POST", path, headers: Vec::new(), body: b"{}".to_vec() }
    }
}

/// What PUT can make of an order. Anything but [`NewStatus::Paid`] gives the goods back to the stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewStatus {
    /// "1": paid; may be dispensed.
    Paid,
    /// "2": to be refunded.
    Refund,
    /// "3": closed.
    Closed,
    /// "4": revoked.
    Revoked,
    /// "5": the user is paying.
    UserPaying,
    /// "6": the payment failed.
    PaymentFailed,
}

impl NewStatus {
    /// All of them, "1" to "6".
    pub const ALL: [NewStatus; 6] = [
        NewStatus::Paid,
        NewStatus::Refund,
        NewStatus::Closed,
        NewStatus::Revoked,
        NewStatus::UserPaying,
        NewStatus::PaymentFailed,
    ];

    /// The digit in the message.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            NewStatus::Paid => "1",
            NewStatus::Refund => "2",
            NewStatus::Closed => "3",
            NewStatus::Revoked => "4",
            NewStatus::UserPaying => "5",
            NewStatus::PaymentFailed => "6",
        }
    }
}

impl Account {
    /// Asks for an order: POST /orders/{order_id}. The answer goes to [`read_order`].
    #[must_use]
    pub fn query_order(&self, machine_no: &MachineNo, order_id: &Id, timestamp_s: u64) -> ApiRequest {
        self.request("POST", &order_path(order_id), machine_no, timestamp_s, None)
    }

    /// Changes an order's status: PUT /orders/{order_id}. The answer goes to [`read_update`].
    #[must_use]
    pub fn update_order(&self, machine_no: &MachineNo, order_id: &Id, to: NewStatus, timestamp_s: u64) -> ApiRequest {
        self.request("PUT", &order_path(order_id), machine_no, timestamp_s, Some(("status", to.as_str().into())))
    }

    /// Asks whether url, credentials and key are right: POST /ping. The answer goes to [`read_ping`].
    #[must_use]
    pub fn ping(&self, machine_no: &MachineNo, timestamp_s: u64) -> ApiRequest {
        self.request("POST", "/ping", machine_no, timestamp_s, None)
    }

    fn request(
        &self,
        method: &'static str,
        path: &str,
        machine_no: &MachineNo,
        timestamp_s: u64,
        own: Option<(&'static str, Field)>,
    ) -> ApiRequest {
        let fields = [("machine_no", machine_no.as_str().into()), ("timestamp", timestamp_s.to_string().into())];
        let payload = seal(fields.into_iter().chain(own), &self.app_key);
        ApiRequest {
            method,
            path: format!("{BASE_PATH}{path}"),
            headers: vec![
                (APP_ID_HEADER, self.app_id.clone()),
                (APP_SECRET_HEADER, self.app_secret.0.to_string()),
                ("Content-Type", "application/json".to_owned()),
            ],
            body: to_json(&json!({ "payload": String::from_utf8_lossy(&payload) })),
        }
    }
}

/// An [`Id`] holds nothing that a path must escape, but "." and ".." would climb out of `/orders`.
fn order_path(order_id: &Id) -> String {
    let id = order_id.as_str();
    if id.bytes().all(|b| b == b'.') { format!("/orders/{}", id.replace('.', "%2E")) } else { format!("/orders/{id}") }
}

/// An order as the cloud knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The order that was asked for.
    pub order_id: Id,
    /// Whether it is paid.
    pub status: OrderStatus,
    /// Its lines.
    pub records: Vec<OrderRecord>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// The platform's record id, as text.
    pub id: String,
    /// Where its goods are; absent until the order is paid.
    pub status: Option<RecordStatus>,
}

/// An order's status (cloud 1.5), by name or by its numeric twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderStatus {
    /// NOTPAY, 0.
    NotPaid,
    /// SUCCESS, 1.
    Success,
    /// REFUND, 2.
    Refund,
    /// CLOSED, 3.
    Closed,
    /// REVOKED, 4.
    Revoked,
    /// USERPAYING, 5.
    UserPaying,
    /// PAYERROR, 6.
    PaymentError,
    /// PICKUPCODE, 7: paid by a pickup code.
    PickupCode,
    /// TESTPAY, 8: a test order of the merchant.
    TestPaid,
    /// 9, without a name: closed by the platform after 20 minutes.
    TimedOut,
    /// Anything else, or nothing (empty).
    Unknown(String),
}

impl OrderStatus {
    /// Reads either form.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "NOTPAY" | "0" => OrderStatus::NotPaid,
            "SUCCESS" | "1" => OrderStatus::Success,
            "REFUND" | "2" => OrderStatus::Refund,
            "CLOSED" | "3" => OrderStatus::Closed,
            "REVOKED" | "4" => OrderStatus::Revoked,
            "USERPAYING" | "5" => OrderStatus::UserPaying,
            "PAYERROR" | "6" => OrderStatus::PaymentError,
            "PICKUPCODE" | "7" => OrderStatus::PickupCode,
            "TESTPAY" | "8" => OrderStatus::TestPaid,
            "9" => OrderStatus::TimedOut,
            other => OrderStatus::Unknown(shown(other)),
        }
    }
}

/// A record's status (cloud 1.5), by name or by the Chinese text of before September 2024.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordStatus {
    /// WAITING_PICKED_UP, 未取货: paid and not dispensed.
    WaitingPickedUp,
    /// IS_DELIVERING: the platform has sent its command.
    Delivering,
    /// IS_SUCCESS: dispensed.
    Success,
    /// IS_FAILED: reported as failed.
    Failed,
    /// IS_TIMEOUT: the platform gave up waiting and told the merchant so.
    TimedOut,
    /// IS_PICKED_UP, 已取货: taken.
    PickedUp,
    /// IS_REFUND: the money went back.
    Refunded,
    /// 订单取消: cancelled.
    Cancelled,
    /// Anything else.
    Unknown(String),
}

impl RecordStatus {
    /// Reads either form.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "WAITING_PICKED_UP" | "未取货" => RecordStatus::WaitingPickedUp,
            "IS_DELIVERING" => RecordStatus::Delivering,
            "IS_SUCCESS" => RecordStatus::Success,
            "IS_FAILED" => RecordStatus::Failed,
            "IS_TIMEOUT" => RecordStatus::TimedOut,
            "IS_PICKED_UP" | "已取货" => RecordStatus::PickedUp,
            "IS_REFUND" => RecordStatus::Refunded,
            "订单取消" => RecordStatus::Cancelled,
            other => RecordStatus::Unknown(shown(other)),
        }
    }
}

/// What the cloud's word means for a command that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing stands against it.
    Drive,
    /// It must never be driven.
    Refuse(Reason),
    /// The answer decides nothing: hold, ask again, and let the order's own expiry end it.
    AskAgain,
}

/// Whether the cloud lets a record be driven. A refusal is for ever, so only a clear word refuses, and only a clear
/// word drives.
#[must_use]
pub fn may_drive(order: &Order, record_id: &Id) -> Verdict {
    match order.status {
        // Paid by money, by code, or by the merchant's own test.
        OrderStatus::Success | OrderStatus::PickupCode | OrderStatus::TestPaid => {}
        OrderStatus::NotPaid | OrderStatus::PaymentError => return Verdict::Refuse(Reason::Unpaid),
        // The money was given back or never comes.
        OrderStatus::Refund | OrderStatus::Closed | OrderStatus::Revoked | OrderStatus::TimedOut => {
            return Verdict::Refuse(Reason::Closed);
        }
        // A payment under way may succeed in a second; an unknown word may mean anything.
        OrderStatus::UserPaying | OrderStatus::Unknown(_) => return Verdict::AskAgain,
    }
    let Some(record) = order.records.iter().find(|record| record.id == record_id.as_str()) else {
        // Empty lists are left out of answers, so a missing record proves nothing.
        return Verdict::AskAgain;
    };
    match record.status {
        // Delivering is what the platform says from the moment on that it sent us the command. An absent status is an
        // empty one: nothing happened to the record yet.
        None | Some(RecordStatus::WaitingPickedUp | RecordStatus::Delivering) => Verdict::Drive,
        // Served, or given up, and the merchant was told: after IS_TIMEOUT and IS_FAILED the money may be on its way
        // back.
        Some(
            RecordStatus::Success
            | RecordStatus::PickedUp
            | RecordStatus::Failed
            | RecordStatus::TimedOut
            | RecordStatus::Refunded
            | RecordStatus::Cancelled,
        ) => Verdict::Refuse(Reason::Closed),
        Some(RecordStatus::Unknown(_)) => Verdict::AskAgain,
    }
}

/// Why an answer is not the wanted one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// HTTP 401.
    #[error("the cloud does not know us (401{}): check app_id in [cloud] and the credential app_secret", told(*.code, .message))]
    Unauthorized {
        /// The platform's code, 0 when the body has none.
        code: u32,
        /// The platform's text.
        message: String,
    },
    /// Another HTTP status than 2xx, without a code of the platform.
    #[error("the cloud answered with HTTP {status} and nothing readable")]
    Http {
        /// The status.
        status: u16,
    },
    /// A page of a proxy, half a body, or nothing.
    #[error(
        "the answer is not JSON of the platform, it begins with {start:?}: check url in [cloud], and for a proxy or log-in page on the network"
    )]
    NotPlatform {
        /// How it begins.
        start: String,
    },
    /// The platform refused.
    #[error("the cloud refused with code {code}{}: {message}", api_codes::find(*.code).map(|known| format!(" ({})", known.meaning)).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The platform's code.
        code: u32,
        /// The platform's text.
        message: String,
    },
    /// `code` is 0, but what would prove the success is not there.
    #[error("the cloud's answer does not prove success: {wanted} is missing, and it says {message:?}")]
    NotProven {
        /// What would prove it.
        wanted: &'static str,
        /// The platform's text.
        message: String,
    },
    /// An answer about another order.
    #[error("the cloud answered about order {answered:?} instead of {asked}")]
    OtherOrder {
        /// The order that was asked for.
        asked: Id,
        /// The order in the answer.
        answered: String,
    },
}

fn told(code: u32, message: &str) -> String {
    match (code, message) {
        (0, "") => String::new(),
        (0, message) => format!(", {message}"),
        (code, message) => format!(", code {code} {message}"),
    }
}

impl ApiError {
    /// What to do next (cloud 1.8).
    #[must_use]
    pub fn class(&self) -> RetryClass {
        match self {
            ApiError::Unauthorized { .. } | ApiError::OtherOrder { .. } => RetryClass::Final,
            ApiError::Http { status } => http_class(*status),
            ApiError::NotPlatform { .. } | ApiError::NotProven { .. } => RetryClass::Retry,
            // A server in trouble is not to be believed about the rest.
            ApiError::Refused { status: 500.., .. } => RetryClass::Retry,
            ApiError::Refused { status, code, .. } => {
                api_codes::find(*code).map_or_else(|| http_class(*status), |known| known.class)
            }
        }
    }
}

/// 408, 425, 429 and 5xx pass, as for reports (order-life, section 4). A 2xx comes here with a code that nobody
/// documents: it proves nothing either way, and the caller's limits end the asking.
fn http_class(status: u16) -> RetryClass {
    match status {
        200..=299 | 408 | 425 | 429 | 500.. => RetryClass::Retry,
        _ => RetryClass::Final,
    }
}

/// A readable answer: code 0 or absent, over HTTP 2xx.
struct Answer {
    message: String,
    data: Value,
}

impl Answer {
    fn read(status: u16, body: &[u8]) -> Result<Answer, ApiError> {
        let json: Option<Value> = serde_json::from_slice(body).ok().filter(Value::is_object);
        let part = |name: &str| json.as_ref().map_or(&Value::Null, |json| &json[name]);
        let message = shown(&text(part("message")).unwrap_or_default());
        // A code that is there but no number is not 0.
        let code = match text(part("code")) {
            None if part("code").is_null() => Some(0),
            text => text.and_then(|text| text.parse().ok()),
        };
        match (status, code) {
            (401, code) => Err(ApiError::Unauthorized { code: code.unwrap_or(0), message }),
            (_, Some(code)) if code != 0 => Err(ApiError::Refused { status, code, message }),
            (200..=299, Some(_)) if json.is_some() => Ok(Answer { message, data: part("data").clone() }),
            (200..=299, _) => Err(ApiError::NotPlatform { start: shown(String::from_utf8_lossy(body).trim()) }),
            _ => Err(ApiError::Http { status }),
        }
    }

    fn not_proven(&self, wanted: &'static str) -> ApiError {
        ApiError::NotProven { wanted, message: self.message.clone() }
    }
}

/// A text, or a whole number as its text; the platform is not of one mind about which it sends.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// Reads the answer to [`Account::ping`]. Its proof is `data` "pong".
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_ping(status: u16, body: &[u8]) -> Result<(), ApiError> {
    let answer = Answer::read(status, body)?;
    if answer.data == "pong" { Ok(()) } else { Err(answer.not_proven("data \"pong\"")) }
}

/// Reads the answer to [`Account::update_order`]. `data` is empty, so its proof is `message` "ok".
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_update(status: u16, body: &[u8]) -> Result<(), ApiError> {
    let answer = Answer::read(status, body)?;
    if answer.message.eq_ignore_ascii_case("ok") { Ok(()) } else { Err(answer.not_proven("message \"ok\"")) }
}

/// Reads the answer to [`Account::query_order`] about `asked`. Its proof is `data.order_id`.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_order(status: u16, body: &[u8], asked: &Id) -> Result<Order, ApiError> {
    let answer = Answer::read(status, body)?;
    let answered = text(&answer.data["order_id"]).ok_or_else(|| answer.not_proven("data.order_id"))?;
    if answered != asked.as_str() {
        return Err(ApiError::OtherOrder { asked: asked.clone(), answered: shown(&answered) });
    }
    let records = answer.data["records"].as_array().map_or(&[][..], Vec::as_slice);
    let record = |record: &Value| {
        let status = text(&record["status"]).filter(|status| !status.is_empty());
        Some(OrderRecord { id: text(&record["id"])?, status: status.map(|status| RecordStatus::parse(&status)) })
    };
    Ok(Order {
        order_id: asked.clone(),
        status: OrderStatus::parse(&text(&answer.data["status"]).unwrap_or_default()),
        records: records.iter().filter_map(record).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::envelope;
    use proptest::prelude::*;

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

    #[test]
    fn requests_carry_the_documented_path_headers_and_signed_payload() {
        let calls = [
            (account().ping(&machine(), 7), "POST", "/api/openapi/v1/ping", None),
            (account().query_order(&machine(), &id("60"), 7), "POST", "/api/openapi/v1/orders/60", None),
            (
                account().update_order(&machine(), &id("60"), NewStatus::Refund, 7),
                "PUT",
                "/api/openapi/v1/orders/60",
                Some("2"),
            ),
        ];
        for (request, method, path, status) in calls {
            assert_eq!((request.method, request.path.as_str()), (method, path));
            for header in [("Appid", "ds069ed4223ac1660f"), ("AppSecret", "hush"), ("Content-Type", "application/json")]
            {
                assert!(request.headers.contains(&(header.0, header.1.to_owned())), "{header:?}");
            }
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let fields = envelope::open(body["payload"].as_str().unwrap().as_bytes()).unwrap();
            assert_eq!(envelope::verify(&fields, &account().app_key), Ok(()));
            assert_eq!((fields.get("machine_no"), fields.get("timestamp")), (Some("16327129"), Some("7")));
            assert_eq!(fields.get("status"), status);
            assert_eq!(fields.iter().count(), 3 + usize::from(status.is_some()));
            assert!(!format!("{request:?} {:?}", account()).contains("hush"));
            assert!(format!("{request:?}").starts_with(&format!("{method} {path} ")), "{request:?}");
        }
    }

    #[test]
    fn an_order_id_never_climbs_out_of_its_path() {
        let path = |text| account().query_order(&machine(), &id(text), 7).path;
        assert_eq!(path(".."), "/api/openapi/v1/orders/%2E%2E");
        assert_eq!(path("a..b_-"), "/api/openapi/v1/orders/a..b_-");
    }

    #[test]
    fn the_vendors_order_is_read_and_what_is_left_out_is_its_default() {
        // The example of the page "query order", shortened to what differs.
        let body = r#"{"code":0,"message":"ok","data":{"order_id":54,"trade_id":"3f2a58ad69b74e86b8a1a3da6fd75cc1",
            "date":"2024-04-26","amount":"3.00","status":"SUCCESS","notify_send_count":1,"records":[
            {"id":70,"product_id":121,"quantity":1,"price":"1.00","status":"未取货","notify_sent":"1"},
            {"id":71,"product_id":122,"quantity":1,"price":"1.00"}]}}"#;
        let order = read_order(200, body.as_bytes(), &id("54")).unwrap();
        assert_eq!(order.status, OrderStatus::Success);
        let records = [
            OrderRecord { id: "70".to_owned(), status: Some(RecordStatus::WaitingPickedUp) },
            OrderRecord { id: "71".to_owned(), status: None },
        ];
        assert_eq!(order.records, records);
        let bare = read_order(200, br#"{"data":{"order_id":"54"}}"#, &id("54")).unwrap();
        assert_eq!((bare.status, bare.records), (OrderStatus::Unknown(String::new()), vec![]));
        let numeric = read_order(200, br#"{"data":{"order_id":54,"status":7}}"#, &id("54")).unwrap();
        assert_eq!(numeric.status, OrderStatus::PickupCode);
    }

    #[test]
    fn every_odd_answer_is_an_error_with_its_class() {
        let not_proven = |wanted, message: &str| ApiError::NotProven { wanted, message: message.to_owned() };
        let not_platform = |start: &str| ApiError::NotPlatform { start: start.to_owned() };
        let refused = |status, code, message: &str| ApiError::Refused { status, code, message: message.to_owned() };
        let other = ApiError::OtherOrder { asked: id("54"), answered: "55".to_owned() };
        let unauthorized = |code, message: &str| ApiError::Unauthorized { code, message: message.to_owned() };
        use RetryClass::{AlreadyDone, Final, Retry};
        let half = r#"{"code":0,"message":"ok","da"#;
        let table = [
            (200, r#"{"code":40005,"message":"订单已过期","data":{}}"#, refused(200, 40005, "订单已过期"), Final),
            (200, r#"{"code":6042,"data":null}"#, refused(200, 6042, ""), Final),
            (200, r#"{"code":"40006"}"#, refused(200, 40006, ""), Final),
            (200, r#"{"code":6015}"#, refused(200, 6015, ""), Retry),
            (200, r#"{"code":30002}"#, refused(200, 30002, ""), Retry),
            (200, r#"{"code":4008}"#, refused(200, 4008, ""), Retry),
            (400, r#"{"code":6025}"#, refused(400, 6025, ""), Retry),
            (200, r#"{"code":6034}"#, refused(200, 6034, ""), AlreadyDone),
            (200, r#"{"code":6049}"#, refused(200, 6049, ""), AlreadyDone),
            (200, r#"{"code":4006}"#, refused(200, 4006, ""), Final),
            (404, r#"{"code":404}"#, refused(404, 404, ""), Final),
            (200, r#"{"code":777777}"#, refused(200, 777_777, ""), Retry),
            (400, r#"{"code":777777}"#, refused(400, 777_777, ""), Final),
            (502, r#"{"code":40006}"#, refused(502, 40006, ""), Retry),
            (200, r#"{"code":0,"message":"订单未支付","data":{}}"#, not_proven("data.order_id", "订单未支付"), Retry),
            (200, r#"{"code":0,"message":"ok","data":""}"#, not_proven("data.order_id", "ok"), Retry),
            (200, r#"{"code":0,"message":"ok","data":null}"#, not_proven("data.order_id", "ok"), Retry),
            (200, r#"{"data":[]}"#, not_proven("data.order_id", ""), Retry),
            (200, "{}", not_proven("data.order_id", ""), Retry),
            (200, r#"{"data":{"order_id":55}}"#, other, Final),
            (
                200,
                r#"{"code":[],"data":{"order_id":54}}"#,
                not_platform(r#"{"code":[],"data":{"order_id":54}}"#),
                Retry,
            ),
            (
                200,
                r#"{"code":-1,"data":{"order_id":54}}"#,
                not_platform(r#"{"code":-1,"data":{"order_id":54}}"#),
                Retry,
            ),
            (200, "null", not_platform("null"), Retry),
            (200, "", not_platform(""), Retry),
            (200, half, not_platform(half), Retry),
            (200, " <html>log in</html>", not_platform("<html>log in</html>"), Retry),
            (502, "<html>bad gateway</html>", ApiError::Http { status: 502 }, Retry),
            (503, r#"{"code":0,"message":"ok","data":{"order_id":54}}"#, ApiError::Http { status: 503 }, Retry),
            (429, "", ApiError::Http { status: 429 }, Retry),
            (404, "", ApiError::Http { status: 404 }, Final),
            (302, "", ApiError::Http { status: 302 }, Final),
            (401, "", unauthorized(0, ""), Final),
            (401, r#"{"code":10013,"message":"x"}"#, unauthorized(10013, "x"), Final),
        ];
        for (status, body, error, class) in table {
            let answer = read_order(status, body.as_bytes(), &id("54"));
            assert_eq!(answer.as_ref(), Err(&error), "{status} {body}");
            assert_eq!(error.class(), class, "{status} {body}");
        }
    }

    #[test]
    fn each_call_has_its_own_proof_of_success() {
        assert_eq!(read_ping(200, br#"{"code":0,"message":"ok","data":"pong"}"#), Ok(()));
        assert_eq!(read_ping(200, br#"{"data":"pong"}"#), Ok(()));
        assert!(matches!(read_ping(200, br#"{"code":0,"message":"ok"}"#), Err(ApiError::NotProven { .. })));
        assert_eq!(read_update(200, br#"{"code":0,"message":"ok","data":""}"#), Ok(()));
        assert_eq!(read_update(200, br#"{"message":"ok"}"#), Ok(()));
        let unpaid = read_update(200, r#"{"code":0,"message":"订单未支付","data":{}}"#.as_bytes());
        assert!(matches!(unpaid, Err(ApiError::NotProven { .. })));
        assert!(matches!(read_update(200, b"{}"), Err(ApiError::NotProven { .. })));
    }

    #[test]
    fn errors_tell_a_technician_what_the_code_means() {
        let refused = ApiError::Refused { status: 200, code: 4006, message: "x".to_owned() };
        assert_eq!(refused.to_string(), "the cloud refused with code 4006 (the signature of the payload is wrong): x");
        let unauthorized = ApiError::Unauthorized { code: 10013, message: "no".to_owned() };
        assert!(unauthorized.to_string().contains("(401, code 10013 no): check app_id"), "{unauthorized}");
    }

    #[test]
    fn only_a_paid_order_with_an_unserved_record_may_be_driven() {
        use Verdict::{AskAgain, Drive, Refuse};
        let verdict = |status: &str, record: &str| {
            let records = vec![
                OrderRecord { id: "77".to_owned(), status: Some(RecordStatus::Refunded) },
                OrderRecord {
                    id: "78".to_owned(),
                    status: Some(record).filter(|text| !text.is_empty()).map(RecordStatus::parse),
                },
            ];
            may_drive(&Order { order_id: id("60"), status: OrderStatus::parse(status), records }, &id("78"))
        };
        let (unpaid, closed) = (Refuse(Reason::Unpaid), Refuse(Reason::Closed));
        let orders = [
            ("NOTPAY", "0", unpaid),
            ("SUCCESS", "1", Drive),
            ("REFUND", "2", closed),
            ("CLOSED", "3", closed),
            ("REVOKED", "4", closed),
            ("USERPAYING", "5", AskAgain),
            ("PAYERROR", "6", unpaid),
            ("PICKUPCODE", "7", Drive),
            ("TESTPAY", "8", Drive),
            ("9", "9", closed),
            ("", "10", AskAgain),
            ("success", "-1", AskAgain),
        ];
        for (name, number, expected) in orders {
            assert_eq!((verdict(name, "IS_DELIVERING"), verdict(number, "")), (expected, expected), "{name}");
        }
        let records = [
            ("", Drive),
            ("WAITING_PICKED_UP", Drive),
            ("未取货", Drive),
            ("IS_DELIVERING", Drive),
            ("IS_SUCCESS", closed),
            ("IS_FAILED", closed),
            ("IS_TIMEOUT", closed),
            ("IS_PICKED_UP", closed),
            ("已取货", closed),
            ("IS_REFUND", closed),
            ("订单取消", closed),
            ("something new", AskAgain),
        ];
        for (record, expected) in records {
            assert_eq!(verdict("SUCCESS", record), expected, "{record}");
            assert_ne!(verdict("CLOSED", record), Drive, "{record}");
        }
        let nothing = Order { order_id: id("60"), status: OrderStatus::Success, records: vec![] };
        assert_eq!(may_drive(&nothing, &id("78")), AskAgain);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(status in any::<u16>(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_order(status, &body, &id("54"));
            prop_assert!(status < 300 || read_update(status, &body).is_err());
        }
    }
}
