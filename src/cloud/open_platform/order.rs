//! Orders: POST /orders, POST and PUT /orders/{order_id}.

use super::account::{Account, ApiRequest, segment};
use super::answer::{Answer, ApiError, entries, text, truth, whole, word};
use super::money::{Price, price};
use super::number::{PickupCodeId, ProductId};
use super::status::{OrderStatus, RecordStatus};
use crate::cloud::envelope::shown;
use crate::order::command::NOTIFY_URL_BYTES_MAX;
use crate::order::key::{Id, MachineNo};
use crate::order::said::{InChinese, Word};
use serde_json::{Value, json};

/// Most lines of an order that is created here: more than anybody takes out of one machine at once.
pub const ORDER_LINES_MAX: usize = 64;

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

    /// What a query answers afterwards.
    #[must_use]
    pub const fn becomes(self) -> OrderStatus {
        match self {
            NewStatus::Paid => OrderStatus::Success,
            NewStatus::Refund => OrderStatus::Refund,
            NewStatus::Closed => OrderStatus::Closed,
            NewStatus::Revoked => OrderStatus::Revoked,
            NewStatus::UserPaying => OrderStatus::UserPaying,
            NewStatus::PaymentFailed => OrderStatus::PaymentError,
        }
    }
}

/// A line of an order that is to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderLine {
    /// What.
    pub product_id: ProductId,
    /// How many units.
    pub quantity: u32,
}

/// An order that is to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    notify_url: String,
    trade_id: Id,
    lines: Vec<OrderLine>,
}

/// Why an order, or a test, cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOrder {
    /// Nothing, or too much at once.
    #[error("an order has 1 to {ORDER_LINES_MAX} products, not {0}")]
    Lines(usize),
    /// Nothing of a product.
    #[error("product {0} is asked for with quantity 0")]
    Nothing(ProductId),
    /// A product twice: which of the two lines would be dispensed?
    #[error("product {0} is named twice; give one line with the sum")]
    Twice(ProductId),
    /// No url, or one that no message holds.
    #[error("notify_url must begin with http:// or https:// and have at most {NOTIFY_URL_BYTES_MAX} bytes")]
    NotifyUrl,
}

impl InChinese for BadOrder {
    fn zh(&self) -> String {
        match self {
            BadOrder::Lines(found) => format!("一个订单应有 1 至 {ORDER_LINES_MAX} 种商品，此处为 {found}"),
            BadOrder::Nothing(product) => format!("商品 {product} 的数量为 0"),
            BadOrder::Twice(product) => format!("商品 {product} 出现两次；请合并为一行"),
            BadOrder::NotifyUrl => {
                format!("notify_url 必须以 http:// 或 https:// 开头，至多 {NOTIFY_URL_BYTES_MAX} 字节")
            }
        }
    }
}

impl NewOrder {
    /// An order that the platform can take.
    ///
    /// # Errors
    /// [`BadOrder`] says what it would refuse.
    pub fn new(trade_id: Id, notify_url: &str, lines: Vec<OrderLine>) -> Result<NewOrder, BadOrder> {
        if lines.is_empty() || lines.len() > ORDER_LINES_MAX {
            return Err(BadOrder::Lines(lines.len()));
        }
        for (at, line) in lines.iter().enumerate() {
            if line.quantity == 0 {
                return Err(BadOrder::Nothing(line.product_id));
            }
            if lines.iter().take(at).any(|other| other.product_id == line.product_id) {
                return Err(BadOrder::Twice(line.product_id));
            }
        }
        let notify_url = checked_notify_url(notify_url).ok_or(BadOrder::NotifyUrl)?.to_owned();
        Ok(NewOrder { notify_url, trade_id, lines })
    }
}

/// A url that the platform could POST to, as far as its text says.
pub(super) fn checked_notify_url(url: &str) -> Option<&str> {
    let has_scheme = url.starts_with("http://") || url.starts_with("https://");
    (has_scheme && url.len() <= NOTIFY_URL_BYTES_MAX).then_some(url)
}

/// An order as the cloud knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The order that was asked for.
    pub order_id: Id,
    /// The merchant's own number of it.
    pub trade_id: String,
    /// The day it was made, "2024-04-26".
    pub date: String,
    /// What all of it costs.
    pub amount: Price,
    /// Whether it is paid.
    pub status: OrderStatus,
    /// How often the merchant was told of it.
    pub notify_send_count: u64,
    /// The pickup code that paid for it.
    pub pickup_code_id: Option<PickupCodeId>,
    /// Its lines.
    pub records: Vec<OrderRecord>,
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// The platform's record id, as text.
    pub id: String,
    /// What.
    pub product_id: Option<ProductId>,
    /// How many units.
    pub quantity: u64,
    /// What the line costs.
    pub price: Price,
    /// Where its goods are; absent until the order is paid.
    pub status: Option<RecordStatus>,
    /// The merchant was told of it.
    pub notify_sent: bool,
}

impl Account {
    /// Creates an order: POST /orders, in plain JSON and unsigned (cloud 1.2). The answer goes to [`read_created`].
    #[must_use]
    pub fn create_order(&self, machine_no: &MachineNo, order: &NewOrder) -> ApiRequest {
        let line = |line: &OrderLine| json!({ "product_id": line.product_id.0, "quantity": line.quantity });
        let body = json!({
            "machine_no": machine_no.as_str(),
            "notify_url": order.notify_url,
            "products": order.lines.iter().map(line).collect::<Vec<Value>>(),
            "trade_id": order.trade_id.as_str(),
        });
        self.plain("POST", "/orders", &body)
    }

    /// Asks for an order: POST /orders/{order_id}. The answer goes to [`read_order`].
    #[must_use]
    pub fn query_order(&self, machine_no: &MachineNo, order_id: &Id, timestamp_s: u64) -> ApiRequest {
        self.signed("POST", &order_path(order_id), machine_no, timestamp_s, [])
    }

    /// Changes an order's status: PUT /orders/{order_id}. The answer goes to [`read_update`].
    #[must_use]
    pub fn update_order(&self, machine_no: &MachineNo, order_id: &Id, to: NewStatus, timestamp_s: u64) -> ApiRequest {
        self.signed("PUT", &order_path(order_id), machine_no, timestamp_s, [("status", to.as_str().into())])
    }
}

fn order_path(order_id: &Id) -> String {
    format!("/orders/{}", segment(order_id.as_str()))
}

/// Reads the answer to [`Account::create_order`]. Its proof is `data.order_id`.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_created(status: u16, body: &[u8]) -> Result<Id, ApiError> {
    order_id_in(&Answer::read(status, body)?)
}

/// Reads the answer to [`Account::update_order`]. `data` is empty, so its proof is `message` "ok".
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_update(status: u16, body: &[u8]) -> Result<(), ApiError> {
    Answer::read(status, body)?.says_ok()
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
    order(asked.clone(), &answer.data)
}

/// The id of the order in an answer about whichever.
pub(super) fn order_id_in(answer: &Answer) -> Result<Id, ApiError> {
    let id = text(&answer.data["order_id"]).and_then(|text| Id::parse(&text).ok());
    id.ok_or_else(|| answer.not_proven("data.order_id"))
}

pub(super) fn order(order_id: Id, data: &Value) -> Result<Order, ApiError> {
    let record = |record: &Value| {
        let status = text(&record["status"]).filter(|status| !status.is_empty());
        Some(OrderRecord {
            id: text(&record["id"])?,
            product_id: ProductId::read(&record["product_id"]),
            quantity: whole(&record["quantity"]),
            price: price(&record["price"]),
            status: status.map(|status| RecordStatus::parse(&status)),
            notify_sent: truth(&record["notify_sent"]),
        })
    };
    Ok(Order {
        order_id,
        trade_id: word(&data["trade_id"]),
        date: word(&data["date"]),
        amount: price(&data["amount"]),
        status: OrderStatus::parse(&text(&data["status"]).unwrap_or_default()),
        notify_send_count: whole(&data["notify_send_count"]),
        pickup_code_id: PickupCodeId::read(&data["pickup_code_id"]),
        records: entries(
            Word { json: "records", zh: "条记录" },
            data["records"].as_array().map_or(&[][..], Vec::as_slice),
            record,
        )?,
    })
}
