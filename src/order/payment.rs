//! What other clouds than the platform are told of orders and payments, as the journal keeps it until they have taken
//! it. How it is worded is theirs: `cloud::orders`.

use super::key::Id;
use super::said::InChinese;
use super::stock::Fen;
use super::time::UnixMs;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest openid, in characters: four times what WeChat gives out.
pub const OPENID_CHARS_MAX: usize = 128;

/// What songshu knows a buyer by: visible ASCII characters, 1 to 128.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OpenId(Box<str>);

/// A text that is no openid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an openid has 1 to {OPENID_CHARS_MAX} visible ASCII characters")]
pub struct BadOpenId;

impl InChinese for BadOpenId {
    fn zh(&self) -> String {
        format!("openid 应为 1 至 {OPENID_CHARS_MAX} 个可见 ASCII 字符")
    }
}

impl OpenId {
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<OpenId, BadOpenId> {
        let fits = (1..=OPENID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(OpenId(text.into())) } else { Err(BadOpenId) }
    }

    /// The text, for the one call that carries it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OpenId {
    type Error = BadOpenId;
    fn try_from(text: String) -> Result<OpenId, BadOpenId> {
        OpenId::parse(&text)
    }
}

impl From<OpenId> for String {
    fn from(openid: OpenId) -> String {
        openid.0.into()
    }
}

/// Says little: it names a person.
impl fmt::Debug for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenId(hidden)")
    }
}

/// Whether and when an order was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payment {
    /// Not yet. `pay_time` is empty then.
    Unpaid,
    /// Then.
    PaidAt(UnixMs),
}

/// What songshu is told of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The order, under a name that no other order has.
    pub order_id: Id,
    /// Who buys.
    pub openid: OpenId,
    /// When the order was created.
    pub created_at: UnixMs,
    /// Whether it is paid.
    pub payment: Payment,
    /// What it costs.
    pub amount: Fen,
    /// What is bought, in any script; the field is called `book`.
    pub title: Option<String>,
    /// `?test=1`: an order that does not count.
    pub is_test: bool,
}

/// course's name of an order towards a payment system; there it is called `out_trade_no`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeNo(pub Id);

/// Where a payment was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaidWith {
    /// 1, /orders/wxpay.
    WeChat,
    /// 2, /orders/alipay.
    Alipay,
}

impl PaidWith {
    /// The last part of the path that is told of its payments.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PaidWith::WeChat => "wxpay",
            PaidWith::Alipay => "alipay",
        }
    }
}

/// What came of a payment, in course's spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaymentResult {
    /// 2: paid.
    Two,
    /// SUCCESS: paid.
    Success,
    /// Anything else: not paid.
    Failed,
}

impl PaymentResult {
    /// Reads what a payment system says. Only the two spellings mean paid.
    #[must_use]
    pub fn parse(text: &str) -> PaymentResult {
        match text {
            "2" => PaymentResult::Two,
            "SUCCESS" => PaymentResult::Success,
            _ => PaymentResult::Failed,
        }
    }

    /// Whether the order is paid.
    #[must_use]
    pub const fn is_paid(self) -> bool {
        matches!(self, PaymentResult::Two | PaymentResult::Success)
    }

    /// What is written. For a failure the document leaves the word open; this is the one of WeChat's payments.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PaymentResult::Two => "2",
            PaymentResult::Success => "SUCCESS",
            PaymentResult::Failed => "FAIL",
        }
    }
}

/// What course is told of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// Where it was made.
    pub with: PaidWith,
    /// What came of it.
    pub result: PaymentResult,
    /// The order.
    pub trade_no: TradeNo,
    /// The payment system's name of the payment.
    pub third_trade_no: String,
    /// The payment system's name of the buyer.
    pub third_buyer_id: String,
    /// What was paid.
    pub amount: Fen,
}
