//! The other order clouds: what they answer, and what songshu asks.

use super::{Script, one_byte_changed};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use vend::cloud::api_codes::RetryClass;
use vend::cloud::open_platform::Fen;
use vend::cloud::orders::course::{self, Created, Due, PayStatus, Which};
use vend::cloud::orders::mall::{self, ITEMS_MAX, OrderNo, PAY_CODE_BYTES_MAX, Status};
use vend::cloud::orders::songshu::{self, BadQuestion, NoticeSecret};
use vend::cloud::orders::walk::ListWalk;
use vend::cloud::orders::{AnswerError, Refusal};
use vend::order::key::Id;
use vend::order::time::UnixMs;

/// The vendor's printed sample; any text would do.
static SECRET: LazyLock<NoticeSecret> = LazyLock::new(|| NoticeSecret::new("kva").expect("not empty"));
/// Longest error, in bytes: a few lines of a log.
const ERROR_BYTES_MAX: usize = 1_000;

/// A status, mostly 200, and a body.
fn answer(data: &[u8]) -> (u16, &[u8]) {
    let mut script = Script(data);
    let status = match script.byte() {
        0xFF => script.u16(),
        _ => 200,
    };
    (status, script.rest())
}

/// The answer as another reader sees it.
struct Seen {
    status: u16,
    json: Option<Json>,
}

impl Seen {
    fn new(status: u16, body: &[u8]) -> Seen {
        // serde_json gives one name a meaning of its own when it reads a `Json`.
        let is_plain = !body.windows(11).any(|window| window == b"$serde_json");
        Seen { status, json: serde_json::from_slice(body).ok().filter(|_| is_plain) }
    }

    fn at(&self, path: &str) -> Option<&Json> {
        self.json.as_ref()?.pointer(path)
    }

    /// Whether the member is this number or its text; true where this reader sees nothing.
    fn may_be(&self, path: &str, number: i64) -> bool {
        let same = |found: &Json| found.as_i64() == Some(number) || found.as_str() == Some(&number.to_string());
        self.json.is_none() || self.at(path).is_some_and(same)
    }

    fn is_success(&self, code: &str) {
        assert!((200..300).contains(&self.status) && self.may_be(code, 0), "a success of nothing");
    }

    /// The amount is the one that stands there, as far as floating point can tell.
    fn amount(&self, path: &str, fen: Fen) {
        let Some(found) = self.at(path) else { return };
        let written = found.as_f64().or_else(|| found.as_str()?.parse().ok()).expect("a number");
        let read = fen.0 as f64 / 100.0;
        assert!((written - read).abs() <= read.abs() * 1e-12 + 1e-9, "{path}: {found} is not {fen}");
    }
}

fn told(error: &AnswerError, status: u16) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() <= ERROR_BYTES_MAX, "{} bytes: {text}", text.len());
    if status >= 500 && !matches!(error, AnswerError::TooLarge { .. }) {
        assert_eq!(error.class(), RetryClass::Retry, "a server in trouble is not believed: {error}");
    }
    assert_ne!(error.class(), RetryClass::AlreadyDone);
}

/// Reads any answer of songshu, and takes the same bytes for something that is signed and for a question.
pub fn songshu_message(data: &[u8]) {
    let (status, body) = answer(data);
    let seen = Seen::new(status, body);
    match songshu::read_notified(status, body) {
        Ok(()) => seen.is_success("/errcode"),
        Err(error) => {
            told(&error, status);
            if let AnswerError::Refused { code, .. } = &error {
                assert!(seen.may_be("/errcode", *code));
                let is_final = code.to_string().starts_with('4') && status < 500;
                let class = if is_final { RetryClass::Final } else { RetryClass::Retry };
                assert_eq!(error.class(), class, "{error}");
                assert_ne!(error.refusal(), Some(Refusal::Undocumented), "each code has its rule");
            }
        }
    }
    let signature = SECRET.sign(body);
    assert!(SECRET.signs(body, &signature));
    let changed = one_byte_changed(body, &mut Script(data));
    assert_eq!(SECRET.signs(&changed, &signature), changed == body);
    assert!(!SECRET.signs(body, &String::from_utf8_lossy(body)), "nobody signs by chance");
    let Ok(path) = std::str::from_utf8(body) else { return };
    let now = UnixMs::from_seconds(1_575_883_879);
    assert_eq!(SECRET.check_question(path, &SECRET.sign(b"other"), now).is_ok(), body == b"other");
    let checked = SECRET.check_question(path, &signature, now);
    assert_ne!(checked, Err(BadQuestion::Signature));
    if checked.is_ok() {
        let (_, query) = path.split_once('?').expect("a query");
        let times: Vec<&str> = query.split('&').filter_map(|pair| pair.strip_prefix("time=")).collect();
        let [time] = times[..] else { panic!("{path}: which time?") };
        let time_s: u64 = time.parse().expect("a number");
        assert!((1_575_883_579..=1_575_884_179).contains(&time_s), "{path}");
    }
}

/// Reads any answer of course in every way.
pub fn course_answer(data: &[u8]) {
    let (status, body) = answer(data);
    let seen = Seen::new(status, body);
    let created = course::read_created(status, body);
    match &created {
        Ok(Created::Order(order)) => {
            seen.is_success("/code");
            let number = if order.due == Due::AlreadyPaid { 2 } else { 0 };
            assert!(seen.may_be("/data/items/0/status", number), "never charge or serve by guess");
            assert!(order.due == Due::AlreadyPaid || order.trade_no.is_some());
            seen.amount("/data/items/0/amount", order.amount);
        }
        Ok(Created::IdOnly(id)) => {
            seen.is_success("/code");
            let told = seen.at("/err_desc").map(|told| told.as_str().map_or_else(|| told.to_string(), str::to_owned));
            assert!(seen.json.is_none() || told.as_deref() == Some(id.0.as_str()));
        }
        Err(error) => told(error, status),
    }
    match course::read_told(status, body) {
        Ok(()) => seen.is_success("/code"),
        Err(error) => told(&error, status),
    }
    let asked = Which::Id(course::OrderId(Id::parse("1").expect("an id")));
    match course::read_order(status, body, &asked) {
        Ok(order) => {
            seen.is_success("/code");
            assert!(seen.may_be("/data/items/0/id", 1), "the order that was asked for");
            paid_as_written(&seen, 0, &order);
        }
        Err(error) => told(&error, status),
    }
    let mut walk = ListWalk::default();
    match course::read_page(status, body) {
        Ok(page) => {
            seen.is_success("/code");
            let turned = walk.turn(page.clone(), |order| &order.id.0);
            assert_eq!(walk.page(), 2);
            let ids: BTreeSet<&course::OrderId> = turned.orders.iter().map(|order| &order.id).collect();
            assert_eq!(ids.len(), turned.orders.len(), "an order twice");
            if seen.at("/data/items").and_then(Json::as_array).is_some_and(|items| items.len() == ids.len()) {
                turned.orders.iter().enumerate().for_each(|(at, order)| paid_as_written(&seen, at, order));
            }
            let again = walk.turn(page, |order| &order.id.0);
            assert!(again.orders.is_empty() && again.end.is_some(), "a walk that stands still ends");
        }
        Err(error) => told(&error, status),
    }
}

fn paid_as_written(seen: &Seen, at: usize, order: &course::Order) {
    let number = match order.pay_status {
        PayStatus::Unpaid => 0,
        PayStatus::Paid => 2,
        PayStatus::Failed => 4,
        PayStatus::Unknown(number) => number,
    };
    assert!(seen.may_be(&format!("/data/items/{at}/pay_status"), number), "{order:?}");
    seen.amount(&format!("/data/items/{at}/amount"), order.amount);
}

/// Reads any answer of mall in every way.
pub fn mall_answer(data: &[u8]) {
    let (status, body) = answer(data);
    let seen = Seen::new(status, body);
    let any = mall::read_order(status, body, None);
    match &any {
        Ok(order) => {
            seen.is_success("/status");
            let paid = order.status == Status::Paid;
            assert!(!paid || seen.may_be("/data/status", 20), "paid by guess: {order:?}");
            assert!(paid || seen.json.is_none() || !seen.may_be("/data/status", 20), "paid and not seen: {order:?}");
            seen.amount("/data/payment", order.payment);
            assert!(order.items.len() <= ITEMS_MAX && order.items.iter().all(|item| item.quantity > 0));
            let same = mall::read_order(status, body, Some(order.order_no));
            assert_eq!(same.as_ref(), Ok(order));
            let other = mall::read_order(status, body, Some(OrderNo(order.order_no.0 ^ 1)));
            assert!(matches!(other, Err(AnswerError::OtherOrder { .. })));
            let _ = order.adds_up();
        }
        Err(error) => told(error, status),
    }
    match mall::read_pay_code(status, body) {
        Ok(code) => {
            seen.is_success("/status");
            let code = code.as_str();
            assert!(code.len() <= PAY_CODE_BYTES_MAX && code.contains("://"), "{code}");
            assert!(code.bytes().all(|b| b.is_ascii_graphic()), "{code}");
            assert!(seen.json.is_none() || seen.at("/data/content").and_then(Json::as_str) == Some(code));
        }
        Err(error) => told(&error, status),
    }
}
