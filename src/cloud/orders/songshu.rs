//! songshu (seed 000): a platform that wants to be told of every order, when it is created and when it is paid.
//!
//! Out goes one POST for each order and state ([`Account::notify`]); [`read_notified`] reads what came back. When it
//! goes is decided by [`super::batch`]. The platform's own questions about orders are signed as well:
//! [`NoticeSecret::check_question`] says whether one may be answered.

use super::answer::{AnswerError, CloudName, Dialect, Refusal};
use super::interface::{Ask, Failure, OrderCloud, Said, Unfit, Verb};
use super::json::TEXT_CHARS_MAX;
use super::request::{escape, request};
use super::row::Cloud;
use crate::cloud::json::to_json;
use crate::cloud::open_platform::{ApiRequest, Fen};
use crate::order::civil::{Civil, Zone};
use crate::order::key::{Id, Key};
pub use crate::order::payment::{BadOpenId, Notice, OpenId, Payment};
use crate::order::said::InChinese;
use crate::order::time::UnixMs;
use hmac::{Hmac, Mac};
use md5::{Digest as _, Md5};
use serde::Serialize;
use serde_json::value::RawValue;
use sha1::Sha1;
use std::fmt::{self, Write as _};

/// Below the configured url.
pub const BASE_PATH: &str = "/v1";
/// Carries the signature, when a secret was agreed on.
pub const SIGNATURE_HEADER: &str = "X-Hub-Signature";
/// How old a signed question may be, in s (songshu: `signature`).
pub const QUESTION_AGE_MAX_S: u64 = 300;

/// The secret that was agreed on with the platform. Never shown.
#[derive(Clone)]
pub struct NoticeSecret(Box<str>);

/// A secret must not be empty: everyone could sign with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is empty; put the text that was agreed on with the platform into its credentials file")]
pub struct EmptySecret;

impl InChinese for EmptySecret {
    fn zh(&self) -> String {
        "密钥为空；请把与平台约定的文本写入凭据文件".to_owned()
    }
}

impl fmt::Debug for NoticeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoticeSecret(hidden)")
    }
}

/// Why a question of the platform's is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadQuestion {
    /// No signature, or a wrong one.
    #[error("the question's signature is wrong")]
    Signature,
    /// No time.
    #[error("the question has no time, or more than one")]
    Time,
    /// Asked too long ago, or in the future.
    #[error("the question's time is more than {QUESTION_AGE_MAX_S} s away")]
    Expired,
}

impl BadQuestion {
    /// The code that the document names for it.
    #[must_use]
    pub const fn errcode(self) -> i64 {
        match self {
            BadQuestion::Signature => 40_100,
            BadQuestion::Time => 40_000,
            BadQuestion::Expired => 41_000,
        }
    }

    /// The answer's body.
    #[must_use]
    pub fn to_body(self) -> Vec<u8> {
        to_json(&serde_json::json!({ "errcode": self.errcode(), "msg": self.to_string() }))
    }
}

impl NoticeSecret {
    /// Takes the secret exactly as given; whoever reads it from a file cuts the line end off first.
    ///
    /// # Errors
    /// When it is empty.
    pub fn new(text: &str) -> Result<NoticeSecret, EmptySecret> {
        if text.is_empty() { Err(EmptySecret) } else { Ok(NoticeSecret(text.into())) }
    }

    #[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
    fn mac(&self, bytes: &[u8]) -> Hmac<Sha1> {
        let mut mac = Hmac::new_from_slice(self.0.as_bytes()).expect("any length");
        mac.update(bytes);
        mac
    }

    /// The text of [`SIGNATURE_HEADER`]: of a POST its raw body is signed, of a GET its path with the query.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> String {
        let mut header = "sha1=".to_owned();
        for byte in self.mac(bytes).finalize().into_bytes() {
            let written = write!(header, "{byte:02x}");
            debug_assert!(written.is_ok(), "a String takes every text");
        }
        header
    }

    /// Whether the header signs these bytes. Takes the same time wherever they differ.
    #[must_use]
    pub fn signs(&self, bytes: &[u8], header: &str) -> bool {
        let digits = header.strip_prefix("sha1=").unwrap_or_default().as_bytes();
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        };
        let claimed: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        claimed.is_some_and(|claimed| self.mac(bytes).verify_slice(&claimed).is_ok())
    }

    /// Whether a question (a GET with this path and query) is the platform's and of now. Time is judged after the
    /// signature, since it is part of what was signed.
    ///
    /// # Errors
    /// [`BadQuestion`], which is also the answer.
    pub fn check_question(&self, path_and_query: &str, header: &str, now: UnixMs) -> Result<(), BadQuestion> {
        if !self.signs(path_and_query.as_bytes(), header) {
            return Err(BadQuestion::Signature);
        }
        let query = path_and_query.split_once('?').map_or("", |(_, query)| query);
        let mut times = query.split('&').filter_map(|pair| pair.strip_prefix("time="));
        let (Some(time), None) = (times.next(), times.next()) else { return Err(BadQuestion::Time) };
        let time_s: u64 = time.parse().map_err(|_| BadQuestion::Time)?;
        // The document refuses only what is old; what is far ahead would be good for all that time.
        let is_of_now = time_s.abs_diff(now.seconds()) <= QUESTION_AGE_MAX_S;
        if is_of_now { Ok(()) } else { Err(BadQuestion::Expired) }
    }
}

/// How `pay_status` is written: the document's table says text, its example is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatusForm {
    /// 1, as in the example.
    #[default]
    Number,
    /// "1", as in the table.
    Text,
}

/// By what the platform knows this machine's operator.
#[derive(Debug, Clone)]
pub struct Account {
    /// The AppId of the operator's WeChat account.
    pub app_id: Id,
    /// Signs, when one was agreed on.
    pub secret: Option<NoticeSecret>,
    /// In which zone times are written.
    pub zone: Zone,
    /// How `pay_status` is written.
    pub status_form: StatusForm,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Status {
    Number(u8),
    Text(&'static str),
}

/// The fields in the order of the document's example.
#[derive(Serialize)]
struct Body<'a> {
    amount: Box<RawValue>,
    order_id: &'a str,
    create_time: String,
    pay_time: String,
    pay_status: Status,
    openid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    book: Option<String>,
}

/// 80.00, as the document writes it: a number with two decimals.
#[allow(clippy::expect_used, reason = "digits, a point and two digits are a JSON number")]
fn json_number(amount: Fen) -> Box<RawValue> {
    RawValue::from_string(amount.to_string()).expect("a number")
}

impl Account {
    /// Tells of an order: POST /v1/{appid}/order/{orderId}. The answer goes to [`read_notified`]. Telling again does
    /// no harm: the platform takes the same notice any number of times.
    #[must_use]
    pub fn notify(&self, notice: &Notice) -> ApiRequest {
        let time = |time: UnixMs| Civil::at(time, self.zone).to_string();
        let (digit, text, pay_time) = match notice.payment {
            Payment::Unpaid => (0, "0", String::new()),
            Payment::PaidAt(at) => (1, "1", time(at)),
        };
        let body = to_json(&Body {
            amount: json_number(notice.amount),
            order_id: notice.order_id.as_str(),
            create_time: time(notice.created_at),
            pay_time,
            pay_status: match self.status_form {
                StatusForm::Number => Status::Number(digit),
                StatusForm::Text => Status::Text(text),
            },
            openid: notice.openid.reveal(),
            book: notice.title.as_ref().map(|title| title.chars().take(TEXT_CHARS_MAX).collect()),
        });
        let mut path = format!("{BASE_PATH}/");
        escape(&mut path, self.app_id.as_str());
        path.push_str("/order/");
        escape(&mut path, notice.order_id.as_str());
        path.push_str(if notice.is_test { "?test=1" } else { "" });
        let signature = self.secret.as_ref().map(|secret| (SIGNATURE_HEADER, secret.sign(&body)));
        let mut call = request("POST", path, None, Some(("application/json", body)));
        call.headers.extend(signature);
        call
    }
}

/// The name of an order: that of one line of the platform's order, since each is an order of the machine's, with its own
/// amount. A name that would be too long is told as its MD5.
#[must_use]
pub fn name_of(key: &Key) -> Option<Id> {
    let name = format!("{}-{}", key.order_id, key.record_id);
    let digest = || Md5::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Id::parse(&name).or_else(|_| Id::parse(&digest())).ok()
}

/// What a code means: those that begin with 4 are final, all others pass (songshu: `errcodes`).
fn meaning(code: i64) -> (Refusal, &'static str) {
    match code {
        // The document's table has five digits, its example six.
        40_100 | 401_000 => (Refusal::NotAllowed, "the signature is wrong: check the secret"),
        41_000 => (Refusal::TooLate, "the question's time is over"),
        40_000 => (Refusal::BadRequest, "a parameter is missing"),
        code if code.to_string().starts_with('4') => (Refusal::BadRequest, "the same notice will fail again"),
        _ => (Refusal::Trouble, "the same notice may succeed later"),
    }
}

/// Its name.
pub const NAME: CloudName = CloudName("songshu");

const DIALECT: Dialect = Dialect { cloud: NAME, code: "errcode", text: "msg", comments: false, meaning };

/// Reads the answer to [`Account::notify`]. Its proof is `errcode` 0.
///
/// # Errors
/// [`AnswerError`], with what to do next in its [`class`](AnswerError::class).
pub fn read_notified(status: u16, body: &[u8]) -> Result<(), AnswerError> {
    DIALECT.read(status, body, |_| Ok(()))
}

/// Its row: it listens.
pub(super) const CLOUD: Cloud = Cloud { name: NAME, can: &[Verb::Notify], sells: None };

impl OrderCloud for Account {
    fn request(&self, ask: &Ask, _: UnixMs) -> Result<ApiRequest, Unfit> {
        let Ask::Notify(news) = ask else { return Err(Unfit::Cannot(ask.verb())) };
        let openid = news.openid.clone().ok_or(Unfit::Needs("the buyer's openid"))?;
        Ok(self.notify(&Notice {
            order_id: news.order.clone(),
            openid,
            created_at: news.created_at,
            payment: news.paid.as_ref().map_or(Payment::Unpaid, |paid| Payment::PaidAt(paid.at)),
            amount: news.amount,
            title: news.title.clone(),
            is_test: news.is_test,
        }))
    }

    fn read(&self, ask: &Ask, status: u16, body: &[u8]) -> Result<Said, Failure> {
        let Ask::Notify(_) = ask else { return Err(Unfit::Cannot(ask.verb()).into()) };
        read_notified(status, body)?;
        Ok(Said::Done)
    }
}
