//! mall (seed 002): a shop whose orders are created, shown as a pay code and asked about until they are paid
//! ([`super::poll`]).
//!
//! Its document shows orders in two shapes and with a comment inside; both are read. The buyer's names, telephone
//! numbers and addresses are not: a machine has no use for them.

use super::answer::{AnswerError, CloudName, Dialect, Refusal};
use super::interface::{Ask, Failure, OrderCloud, PayState, Said, Seen, Unfit, Verb};
use super::json::{Object, Stamp};
use super::request::{Session, escape, request};
use super::row::{Cloud, Door, Sells};
use super::session::LogInWay;
use crate::cloud::json::to_json;
use crate::cloud::open_platform::{ApiRequest, Fen};
use crate::order::key::Id;
use crate::order::time::UnixMs;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Most items of one order that are read: more than anybody takes out of one machine at once.
pub const ITEMS_MAX: usize = 64;
/// Longest pay code, in bytes: what a QR code of a size that telephones read from a screen holds.
pub const PAY_CODE_BYTES_MAX: usize = 512;

/// The shop's order number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderNo(pub u64);

impl fmt::Display for OrderNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address on the shop's books: that of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippingId(pub u64);

/// How an order is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayType {
    /// 1; the shop answers with a page, not with a pay code.
    Alipay,
    /// 2; the shop answers with a pay code.
    WeChat,
}

/// The caller, who is logged in.
#[derive(Debug, Clone)]
pub struct Account {
    /// Without one, the shop answers with status 10.
    pub session: Option<Session>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewOrder {
    shipping_id: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pay<'a> {
    order_id: String,
    order_name: &'a str,
    amount: Box<RawValue>,
    pay_type: u8,
}

impl Account {
    fn post(&self, path: &str, body: &impl Serialize) -> ApiRequest {
        request("POST", path.to_owned(), self.session.as_ref(), Some(("application/json", to_json(body))))
    }

    /// Creates an order of what lies in the shop's cart: POST /orders. The answer goes to [`read_order`].
    #[must_use]
    pub fn create(&self, shipping: ShippingId) -> ApiRequest {
        self.post("/orders", &NewOrder { shipping_id: shipping.0 })
    }

    /// Asks for an order: GET /orders/{orderNo}. The answer goes to [`read_order`].
    #[must_use]
    pub fn query(&self, order_no: OrderNo) -> ApiRequest {
        let mut path = "/orders/".to_owned();
        escape(&mut path, &order_no.to_string());
        request("GET", path, self.session.as_ref(), None)
    }

    /// Asks for a pay code: POST /pay. `name` is what the buyer's telephone shows. The answer goes to
    /// [`read_pay_code`]. The document shows only the answer; the request is the one that this shop's public pages
    /// make.
    #[must_use]
    #[allow(clippy::missing_panics_doc, clippy::expect_used, reason = "an amount's text is a JSON number")]
    pub fn pay(&self, order_no: OrderNo, name: &str, amount: Fen, pay_type: PayType) -> ApiRequest {
        let pay_type = match pay_type {
            PayType::Alipay => 1,
            PayType::WeChat => 2,
        };
        let amount = RawValue::from_string(amount.to_string()).expect("digits, a point and two digits");
        self.post("/pay", &Pay { order_id: order_no.to_string(), order_name: name, amount, pay_type })
    }
}

fn meaning(status: i64) -> (Refusal, &'static str) {
    match status {
        -1 => (Refusal::Trouble, "the shop has a fault"),
        1 => (Refusal::NotAllowed, "the password is wrong"),
        2 => (Refusal::BadRequest, "the user exists already"),
        3 => (Refusal::BadRequest, "a parameter is wrong"),
        4 => (Refusal::BadRequest, "the e-mail address exists already"),
        10 => (Refusal::LogIn, "nobody is logged in: renew the session"),
        11 => (Refusal::NotAllowed, "user or password is wrong"),
        12 => (Refusal::NotForSale, "the product is off sale or was deleted"),
        13 => (Refusal::NotForSale, "there is no such product"),
        14 => (Refusal::NotForSale, "the stock is wrong"),
        15 => (Refusal::NotForSale, "the product is not in the cart"),
        16 => (Refusal::BadRequest, "the address could not be deleted"),
        17 => (Refusal::BadRequest, "there is no such address"),
        18 => (Refusal::NotForSale, "nothing in the cart is selected"),
        19 => (Refusal::NoSuchOrder, "there is no such order"),
        20 => (Refusal::WrongStatus, "the order's status does not allow it"),
        _ => (Refusal::Undocumented, "undocumented"),
    }
}

/// Its name.
pub const NAME: CloudName = CloudName("mall");

const DIALECT: Dialect = Dialect { cloud: NAME, code: "status", text: "msg", comments: true, meaning };

/// An order's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: given up, never paid.
    Cancelled,
    /// 10.
    Unpaid,
    /// 20: paid and not handed over.
    Paid,
    /// 40, in one variant of the shop 30: on its way. In that variant 40 says that it arrived.
    Shipped,
    /// 50: done.
    Done,
    /// 60: closed.
    Closed,
    /// Anything else.
    Unknown(i64),
}

impl From<i64> for Status {
    fn from(number: i64) -> Status {
        match number {
            0 => Status::Cancelled,
            10 => Status::Unpaid,
            20 => Status::Paid,
            30 | 40 => Status::Shipped,
            50 => Status::Done,
            60 => Status::Closed,
            other => Status::Unknown(other),
        }
    }
}

/// How an order is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentType {
    /// 1.
    Online,
    /// Anything else.
    Unknown(i64),
}

/// One product of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// `productId`, `good_id`.
    pub product_id: u64,
    /// `productName`, `goods_name`.
    pub name: Option<String>,
    /// `productImage`: its picture's address.
    pub image: Option<String>,
    /// `currentUnitPrice`, `price`: of one.
    pub unit_price: Fen,
    /// `quantity`, `count`; from 1.
    pub quantity: u64,
    /// `totalPrice`, `productTotalPrice`: of all of them.
    pub total: Fen,
    /// When it was ordered.
    pub created: Stamp,
}

/// An order as the shop knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub order_no: OrderNo,
    /// What is to be paid.
    pub payment: Fen,
    /// How it is paid.
    pub payment_type: Option<PaymentType>,
    /// How it is paid, in the shop's words.
    pub payment_type_text: Option<String>,
    /// What sending it costs.
    pub postage: Fen,
    /// Where it stands.
    pub status: Status,
    /// Where it stands, in the shop's words.
    pub status_text: Option<String>,
    /// When it was paid.
    pub paid: Stamp,
    /// When it was sent.
    pub sent: Stamp,
    /// When it was done.
    pub ended: Stamp,
    /// When it was closed.
    pub closed: Stamp,
    /// When it was created.
    pub created: Stamp,
    /// What was bought.
    pub items: Vec<Item>,
    /// Where pictures are, if not at the address of each.
    pub image_host: Option<String>,
    /// The address that it is for.
    pub shipping: Option<ShippingId>,
}

impl Order {
    /// Whether its numbers agree: each item's total, and the sum of all with the postage.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let sum = self.items.iter().try_fold(self.postage, |sum, item| {
            let fits = item.unit_price.times(item.quantity) == Some(item.total);
            sum.0.checked_add(item.total.0).map(Fen).filter(|_| fits)
        });
        sum == Some(self.payment)
    }
}

/// Of an item's names for the same thing the one that came; each of the two shapes has its own.
fn either<'n>(item: &Object, names: [&'n str; 2]) -> &'n str {
    if item.has(names[1]) && !item.has(names[0]) { names[1] } else { names[0] }
}

fn item(item: &Object, order_no: OrderNo) -> Result<Item, AnswerError> {
    if let Some(other) = item.count("orderNo")?.filter(|&other| other != order_no.0) {
        return Err(other_order(order_no, OrderNo(other)));
    }
    let need_amount = |names| {
        let name = either(item, names);
        item.need(name, item.amount(name)?)
    };
    let need_count = |names| {
        let name = either(item, names);
        item.need(name, item.count(name)?).map(|n| (name, n))
    };
    let (quantity_name, quantity) = need_count(["quantity", "count"])?;
    if quantity == 0 {
        return Err(item.odd(quantity_name, "a number from 1 on"));
    }
    Ok(Item {
        product_id: need_count(["productId", "good_id"])?.1,
        name: item.prose(either(item, ["productName", "goods_name"]))?,
        image: item.prose("productImage")?,
        unit_price: need_amount(["currentUnitPrice", "price"])?,
        quantity,
        total: need_amount(["totalPrice", "productTotalPrice"])?,
        created: item.stamp("createTime"),
    })
}

fn other_order(asked: OrderNo, answered: OrderNo) -> AnswerError {
    AnswerError::OtherOrder { cloud: NAME, asked: asked.to_string(), answered: answered.to_string() }
}

/// Reads the answer to [`Account::create`] (`asked` is absent then) and to [`Account::query`]. Its proof is
/// `data.orderNo`.
///
/// # Errors
/// [`AnswerError`], with what to do next in its [`class`](AnswerError::class).
pub fn read_order(status: u16, body: &[u8], asked: Option<OrderNo>) -> Result<Order, AnswerError> {
    DIALECT.read(status, body, |answer| {
        let data = answer.need("data", answer.object("data")?)?;
        let order_no = OrderNo(data.need("orderNo", data.count("orderNo")?)?);
        if let Some(asked) = asked.filter(|&asked| asked != order_no) {
            return Err(other_order(asked, order_no));
        }
        let list = either(&data, ["orderItemVoList", "orderItemList"]);
        if data.has("orderItemVoList") && data.has("orderItemList") {
            return Err(data.odd("orderItemList", "left out beside orderItemVoList"));
        }
        let items = data.list(list, ITEMS_MAX)?.unwrap_or_default();
        let payment_type = data.whole("paymentType")?.map(|number| match number {
            1 => PaymentType::Online,
            other => PaymentType::Unknown(other),
        });
        Ok(Order {
            order_no,
            payment: data.need("payment", data.amount("payment")?)?,
            payment_type,
            payment_type_text: data.prose("paymentTypeDesc")?,
            postage: data.amount("postage")?.unwrap_or_default(),
            status: data.need("status", data.whole("status")?)?.into(),
            status_text: data.prose("statusDesc")?,
            paid: data.stamp("paymentTime"),
            sent: data.stamp("sendTime"),
            ended: data.stamp("endTime"),
            closed: data.stamp("closeTime"),
            created: data.stamp("createTime"),
            items: items.iter().map(|found| item(found, order_no)).collect::<Result<_, _>>()?,
            image_host: data.prose("imageHost")?,
            shipping: data.count("shippingId")?.map(ShippingId),
        })
    })
}

/// What a buyer's telephone reads from the screen: `weixin://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayCode(Box<str>);

impl PayCode {
    /// The text of the QR code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads the answer to [`Account::pay`]. Its proof is `data.content`, an address: a page, which the shop sends for
/// Alipay, is nothing that a QR code could hold.
///
/// # Errors
/// [`AnswerError`], with what to do next in its [`class`](AnswerError::class).
pub fn read_pay_code(status: u16, body: &[u8]) -> Result<PayCode, AnswerError> {
    DIALECT.read(status, body, |answer| {
        let data = answer.need("data", answer.object("data")?)?;
        let content = data.need("content", data.text("content")?)?;
        let is_address = content.len() <= PAY_CODE_BYTES_MAX
            && content.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"".contains(&b))
            && content.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
        if is_address {
            Ok(PayCode(content.into()))
        } else {
            Err(data.odd("content", "the address of a payment, like weixin://wxpay/…, of at most 512 bytes"))
        }
    })
}

/// Reads the answer to a log-in. Its proof is status 0, and a session beside it.
///
/// # Errors
/// [`AnswerError`], with what to do next in its [`class`](AnswerError::class).
pub fn read_logged_in(status: u16, body: &[u8]) -> Result<(), AnswerError> {
    DIALECT.read(status, body, |_| Ok(()))
}

/// How one logs in: with a flat JSON object, like its other calls.
pub const LOG_IN: LogInWay =
    LogInWay { write: |fields| ("application/json", to_json(&BTreeMap::from(fields))), read: read_logged_in };

/// Its row.
pub(super) const CLOUD: Cloud = Cloud {
    name: NAME,
    can: &[Verb::Create, Verb::Pay, Verb::Query],
    sells: Some(Sells {
        door: Door::Session { account: |session| Arc::new(Account { session }), log_in: LOG_IN, hears: None },
        makes_once: false,
        refunds: false,
    }),
};

/// The order's number, from its text.
fn order_no(id: Option<&Id>) -> Result<OrderNo, Unfit> {
    let number = id.and_then(Id::as_canonical_integer).map(OrderNo);
    number.ok_or(Unfit::Needs("the order's number: digits, and no other name"))
}

impl OrderCloud for Account {
    fn request(&self, ask: &Ask, _: UnixMs) -> Result<ApiRequest, Unfit> {
        match ask {
            Ask::Create { goods, .. } => Ok(self.create(ShippingId(*goods))),
            Ask::Pay { order, name, amount } => Ok(self.pay(order_no(Some(order))?, name, *amount, PayType::WeChat)),
            Ask::Query { order, .. } => Ok(self.query(order_no(*order)?)),
            Ask::List { .. } | Ask::Close { .. } | Ask::Notify(_) => Err(Unfit::Cannot(ask.verb())),
        }
    }

    fn read(&self, ask: &Ask, status: u16, body: &[u8]) -> Result<Said, Failure> {
        match ask {
            Ask::Create { .. } => {
                let seen = seen(&read_order(status, body, None)?)?;
                Ok(Said::Created(seen.order.clone(), Some(seen)))
            }
            Ask::Pay { .. } => Ok(Said::PayCode(read_pay_code(status, body)?.as_str().to_owned())),
            Ask::Query { order, .. } => Ok(Said::Order(seen(&read_order(status, body, Some(order_no(*order)?))?)?)),
            Ask::List { .. } | Ask::Close { .. } | Ask::Notify(_) => Err(Unfit::Cannot(ask.verb()).into()),
        }
    }
}

fn seen(order: &Order) -> Result<Seen, Failure> {
    let state = match order.status {
        Status::Unpaid => PayState::Unpaid,
        Status::Paid => PayState::Paid,
        Status::Shipped | Status::Done => PayState::Served,
        Status::Cancelled | Status::Closed => PayState::Closed,
        Status::Unknown(_) => PayState::Unclear,
    };
    let id = Id::parse(&order.order_no.to_string()).map_err(|_| Unfit::Needs("an order number of digits"))?;
    Ok(Seen { order: id, trade_no: None, amount: Some(order.payment), state })
}
