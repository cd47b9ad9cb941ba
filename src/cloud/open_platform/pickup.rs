//! Pickup codes: POST and PUT /pickup_codes, POST /products/{product_id}/pickup_code, POST /consumes.

use super::account::{Account, ApiRequest};
use super::answer::{Answer, ApiError, text, whole, word};
use super::number::{PickupCodeId, ProductId};
use super::order::{Order, checked_notify_url, order, order_id_in};
use super::status::PickupCodeStatus;
use crate::order::civil::Civil;
use crate::order::constant_time;
use crate::order::key::{Id, MachineNo};
use crate::order::said::{InChinese, Word};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// Fewest and most digits of a code (cloud 1.4).
const CODE_LENGTH: std::ops::RangeInclusive<u8> = 6..=10;
/// Digits of a code unless told otherwise: the platform's default.
pub const CODE_LENGTH_DEFAULT: CodeLength = CodeLength(6);

/// Why a call about pickup codes cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPickup {
    /// Not a code. What it was is not repeated: it may be nearly right.
    #[error("a pickup code has {} to {} digits", CODE_LENGTH.start(), CODE_LENGTH.end())]
    Code,
    /// Not a length.
    #[error("a pickup code has {from} to {to} digits, not {0:?}", from = CODE_LENGTH.start(), to = CODE_LENGTH.end())]
    Length(String),
    /// Not a time.
    #[error("{0:?} is no time; write it like \"2024-12-31 23:59:59\", in the platform's time zone (GMT+8)")]
    Time(String),
    /// No codes.
    #[error("at least one code is to be made")]
    Count,
    /// No url that the platform could tell.
    #[error("notify_url must begin with http:// or https:// and fit into a message")]
    NotifyUrl,
}

impl InChinese for BadPickup {
    fn zh(&self) -> String {
        let (from, to) = (CODE_LENGTH.start(), CODE_LENGTH.end());
        match self {
            BadPickup::Code => format!("取货码为 {from} 至 {to} 位数字"),
            BadPickup::Length(found) => format!("取货码为 {from} 至 {to} 位数字，此处为 {found:?}"),
            BadPickup::Time(found) => {
                format!("{found:?} 不是时间；请写作 \"2024-12-31 23:59:59\"，平台时区 (GMT+8)")
            }
            BadPickup::Count => "至少生成一个取货码".to_owned(),
            BadPickup::NotifyUrl => "notify_url 必须以 http:// 或 https:// 开头，且能放进一条消息".to_owned(),
        }
    }
}

/// What a customer types: 6 to 10 digits, worth a product. Shown only where a person asked for it.
#[derive(Clone)]
pub struct PickupCode(Box<str>);

impl PartialEq for PickupCode {
    fn eq(&self, other: &Self) -> bool {
        constant_time::equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for PickupCode {}

impl PickupCode {
    /// The digits.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for PickupCode {
    type Err = BadPickup;
    fn from_str(text: &str) -> Result<Self, BadPickup> {
        let fits = u8::try_from(text.len()).is_ok_and(|len| CODE_LENGTH.contains(&len));
        if fits && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(PickupCode(text.into()))
        } else {
            Err(BadPickup::Code)
        }
    }
}

impl fmt::Debug for PickupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PickupCode(hidden)")
    }
}

/// How many digits new codes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLength(u8);

impl CodeLength {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl FromStr for CodeLength {
    type Err = BadPickup;
    fn from_str(text: &str) -> Result<Self, BadPickup> {
        let length = text.parse().ok().filter(|length| CODE_LENGTH.contains(length));
        length.map(CodeLength).ok_or_else(|| BadPickup::Length(text.to_owned()))
    }
}

/// A time of day as the platform writes it, in its time zone GMT+8: "2024-12-31 23:59:59".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformTime(Box<str>);

impl PlatformTime {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlatformTime {
    type Err = BadPickup;
    fn from_str(text: &str) -> Result<Self, BadPickup> {
        match text.parse::<Civil>() {
            Ok(_) => Ok(PlatformTime(text.into())),
            Err(_) => Err(BadPickup::Time(text.chars().take(32).collect())),
        }
    }
}

/// Codes that are to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCodes {
    /// For this product, so many; for every product one when absent.
    pub product: Option<(ProductId, u32)>,
    /// Good until then; for ever when absent.
    pub expired_at: Option<PlatformTime>,
    /// How many digits.
    pub length: CodeLength,
}

/// A code on the platform's books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCode {
    /// What cancelling it names.
    pub id: PickupCodeId,
    /// What the customer types.
    pub code: PickupCode,
    /// Whether it is still good.
    pub status: PickupCodeStatus,
    /// When it was made, the platform's time.
    pub created_at: String,
    /// Until when it is good, the platform's time; empty: for ever.
    pub expired_at: String,
    /// Units that it is worth; the platform's default is 1.
    pub quantity: u64,
}

/// A code that a customer has given to the merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consume {
    code: PickupCode,
    product_id: ProductId,
    notify_url: String,
    trade_id: Id,
}

impl Consume {
    /// What POST /consumes wants.
    ///
    /// # Errors
    /// [`BadPickup::NotifyUrl`].
    pub fn new(code: PickupCode, product_id: ProductId, notify_url: &str, trade_id: Id) -> Result<Consume, BadPickup> {
        let notify_url = checked_notify_url(notify_url).ok_or(BadPickup::NotifyUrl)?.to_owned();
        Ok(Consume { code, product_id, notify_url, trade_id })
    }
}

impl Account {
    /// Makes codes: POST /pickup_codes. The answer goes to [`read_codes_changed`]; the codes themselves come with
    /// [`Account::pickup_codes`].
    ///
    /// # Errors
    /// [`BadPickup::Count`].
    pub fn create_codes(
        &self,
        machine_no: &MachineNo,
        new: &NewCodes,
        timestamp_s: u64,
    ) -> Result<ApiRequest, BadPickup> {
        let method = match new.product {
            Some((_, 0)) => return Err(BadPickup::Count),
            Some(_) => "pickup_code.product.id",
            None => "pickup_code.product.all",
        };
        let product =
            new.product.map(|(id, count)| [("product_id", id.to_string().into()), ("count", count.to_string().into())]);
        // The platform ignores `quantity`, and its own examples carry it.
        let always =
            [("method", method.into()), ("code_length", new.length.get().to_string().into()), ("quantity", "1".into())];
        let until = new.expired_at.as_ref().map(|time| ("expired_at", time.as_str().into()));
        let own = always.into_iter().chain(until).chain(product.into_iter().flatten());
        Ok(self.signed("POST", "/pickup_codes", machine_no, timestamp_s, own))
    }

    /// Asks for a product's unused and unexpired codes: POST /products/{product_id}/pickup_code. The answer goes to
    /// [`read_codes`].
    #[must_use]
    pub fn pickup_codes(&self, machine_no: &MachineNo, product: ProductId, timestamp_s: u64) -> ApiRequest {
        self.signed("POST", &format!("/products/{product}/pickup_code"), machine_no, timestamp_s, [])
    }

    /// Cancels a code, or all of the machine: PUT /pickup_codes. The answer goes to [`read_codes_changed`].
    #[must_use]
    pub fn cancel_codes(&self, machine_no: &MachineNo, code: Option<PickupCodeId>, timestamp_s: u64) -> ApiRequest {
        let method = if code.is_some() { "pickup_code.delete.id" } else { "pickup_code.delete.all" };
        let id = code.map(|id| ("id", id.to_string().into()));
        let own = [("method", method.into())].into_iter().chain(id);
        self.signed("PUT", "/pickup_codes", machine_no, timestamp_s, own)
    }

    /// Turns a code into an order: POST /consumes. The answer goes to [`read_consumed`].
    #[must_use]
    pub fn consume_code(&self, machine_no: &MachineNo, consume: &Consume, timestamp_s: u64) -> ApiRequest {
        let own = [
            ("method", "event.consume.pickup_code".into()),
            ("code", consume.code.reveal().into()),
            ("product_id", consume.product_id.to_string().into()),
            ("notify_url", consume.notify_url.as_str().into()),
            ("trade_id", consume.trade_id.as_str().into()),
        ];
        self.signed("POST", "/consumes", machine_no, timestamp_s, own)
    }
}

/// Reads the answer to [`Account::create_codes`] and [`Account::cancel_codes`]. `data` is empty, so its proof is
/// `message` "ok".
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_codes_changed(status: u16, body: &[u8]) -> Result<(), ApiError> {
    Answer::read(status, body)?.says_ok()
}

/// Reads the answer to [`Account::pickup_codes`]. Its proof is a list.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_codes(status: u16, body: &[u8]) -> Result<Vec<StoredCode>, ApiError> {
    Answer::read(status, body)?.list(Word { json: "pickup codes", zh: "个取货码" }, |value| {
        Some(StoredCode {
            id: PickupCodeId::read(&value["id"])?,
            code: text(&value["code"])?.parse().ok()?,
            status: PickupCodeStatus::parse(&text(&value["status"]).unwrap_or_default()),
            created_at: word(&value["created_at"]),
            expired_at: word(&value["expired_at"]),
            quantity: whole(&value["quantity"]).max(1),
        })
    })
}

/// Reads the answer to [`Account::consume_code`]: an order with status PICKUPCODE. Its proof is `data.order_id`.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class); a used code's order is told by
/// [`order_of_used_code`].
pub fn read_consumed(status: u16, body: &[u8]) -> Result<Order, ApiError> {
    let answer = Answer::read(status, body)?;
    order(order_id_in(&answer)?, &answer.data)
}

/// The order that a used code became, which its refusal carries.
#[must_use]
pub fn order_of_used_code(body: &[u8]) -> Option<Id> {
    let json: Value = serde_json::from_slice(body).ok()?;
    Id::parse(&text(&json["data"]["order_id"])?).ok()
}
