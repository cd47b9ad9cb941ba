//! course (seed 001): a platform of live courses with orders that are created, paid elsewhere and asked about.
//!
//! [`Account`] builds the calls, the `read_…` functions read what came back.
//! The document demands that whoever tells of a payment keeps a log of what went wrong: [`super::fault_log`].

use super::answer::{AnswerError, CloudName, Dialect, Refusal};
use super::interface::{Ask, Failure, OrderCloud, PayState, Said, Seen, Unfit, Verb};
use super::json::{Object, Stamp};
use super::request::{Session, parameters, request};
use super::row::{Cloud, Door, Hears, Sells};
use super::session::LogInWay;
use super::walk::Page;
use crate::cloud::open_platform::{ApiRequest, Fen};
use crate::order::key::Id;
pub use crate::order::payment::{Paid, PaidWith, PaymentResult, TradeNo};
use crate::order::time::UnixMs;
use std::sync::Arc;

/// Orders of one page that are asked for.
pub const PAGE_SIZE: u32 = 50;
/// Most orders of one page that are read: a platform may have a size of its own.
const PAGE_ORDERS_MAX: usize = 200;

/// A course on the platform; for a machine, a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlbumId(pub u64);

/// The platform's own order number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderId(pub Id);

/// The caller, who is logged in.
#[derive(Debug, Clone)]
pub struct Account {
    /// Without one, the platform answers 403 to most calls.
    pub session: Option<Session>,
}

/// By what an order is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// `id`.
    Id(OrderId),
    /// `trade_no`.
    TradeNo(TradeNo),
}

impl Which {
    /// Of two names the one that the platform looks at: `id` wins.
    #[must_use]
    pub fn of(id: Option<OrderId>, trade_no: Option<TradeNo>) -> Option<Which> {
        id.map(Which::Id).or_else(|| trade_no.map(Which::TradeNo))
    }
}

impl Account {
    /// Creates an order: POST /orders/create. The answer goes to [`read_created`].
    #[must_use]
    pub fn create(&self, album: AlbumId) -> ApiRequest {
        // POST, though the platform takes GET as well: no proxy on the way repeats it.
        let query = parameters([("album_id", album.0.to_string().as_str())]);
        request("POST", format!("/orders/create?{query}"), self.session.as_ref(), None)
    }

    /// Tells of a payment: POST /orders/alipay or /orders/wxpay. The answer goes to [`read_told`], and when that says
    /// an error or nothing came, a line goes to the [`super::fault_log`].
    #[must_use]
    pub fn tell_paid(&self, paid: &Paid) -> ApiRequest {
        let amount = paid.amount.to_string();
        let form = parameters([
            ("result", paid.result.as_str()),
            ("trade_no", paid.trade_no.0.as_str()),
            ("third_trade_no", &paid.third_trade_no),
            ("third_buyer_id", &paid.third_buyer_id),
            ("amount", &amount),
        ]);
        let path = format!("/orders/{}", paid.with.as_str());
        let body = ("application/x-www-form-urlencoded", form.into_bytes());
        request("POST", path, self.session.as_ref(), Some(body))
    }

    /// Asks for an order: GET /orders/get. The answer goes to [`read_order`].
    #[must_use]
    pub fn query(&self, which: &Which) -> ApiRequest {
        let parameter = match which {
            Which::Id(id) => ("id", id.0.as_str()),
            Which::TradeNo(trade_no) => ("trade_no", trade_no.0.as_str()),
        };
        request("GET", format!("/orders/get?{}", parameters([parameter])), self.session.as_ref(), None)
    }

    /// Asks for a page of orders, counted from 1: GET /orders/list. The answer goes to [`read_page`].
    #[must_use]
    pub fn list(&self, page: u32) -> ApiRequest {
        let (page, size) = (page.to_string(), PAGE_SIZE.to_string());
        let query = parameters([("page", page.as_str()), ("page_size", &size)]);
        request("GET", format!("/orders/list?{query}"), self.session.as_ref(), None)
    }
}

fn meaning(code: i64) -> (Refusal, &'static str) {
    match code {
        4 => (Refusal::BadRequest, "a parameter is missing"),
        401 => (Refusal::NotAllowed, "this log-in may not do that"),
        403 => (Refusal::LogIn, "nobody is logged in: renew the session"),
        _ => (Refusal::Undocumented, "undocumented"),
    }
}

/// Its name.
pub const NAME: CloudName = CloudName("course");

const DIALECT: Dialect = Dialect { cloud: NAME, code: "code", text: "err_desc", comments: false, meaning };

/// Whether a new order must be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// 0: it may be paid now.
    ToPay,
    /// 2: it is paid already, since it costs nothing, was paid before or is given away. Serve, and never charge.
    AlreadyPaid,
}

/// An order that was just created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Its number.
    pub id: OrderId,
    /// What is bought.
    pub name: Option<String>,
    /// What is to be paid.
    pub amount: Fen,
    /// Its name towards the payment system. An order that is to be paid has one.
    pub trade_no: Option<TradeNo>,
    /// Whether it must be paid.
    pub due: Due,
}

/// What came of [`Account::create`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The order.
    Order(NewOrder),
    /// Only its number, where an error's text would stand: `{"code":0,"err_desc":"6"}`. Ask for it before anything else.
    IdOnly(OrderId),
}

/// The entries of `data.items`.
fn items<'a>(answer: &Object<'a>) -> Result<(Object<'a>, Vec<Object<'a>>), AnswerError> {
    let data = answer.need("data", answer.object("data")?)?;
    let items = data.need("items", data.list("items", PAGE_ORDERS_MAX)?)?;
    Ok((data, items))
}

/// The only entry of `data.items`.
fn only_item<'a>(answer: &Object<'a>) -> Result<Object<'a>, AnswerError> {
    let (data, mut items) = items(answer)?;
    match (items.pop(), items.is_empty()) {
        (None, _) => Err(AnswerError::Missing { field: "data.items[0]".to_owned() }),
        (Some(item), true) => Ok(item),
        (Some(_), false) => Err(data.odd("items", "a list of one order")),
    }
}

fn id_of(item: &Object) -> Result<OrderId, AnswerError> {
    item.need("id", item.id("id")?).map(OrderId)
}

fn new_order(item: &Object) -> Result<NewOrder, AnswerError> {
    let trade_no = item.id("trade_no")?.map(TradeNo);
    let due = match item.need("status", item.whole("status")?)? {
        0 => Due::ToPay,
        2 => Due::AlreadyPaid,
        _ => return Err(item.odd("status", "0 (to be paid) or 2 (paid already)")),
    };
    if due == Due::ToPay {
        item.need("trade_no", trade_no.as_ref())?;
    }
    let amount = item.need("amount", item.amount("amount")?)?;
    Ok(NewOrder { id: id_of(item)?, name: item.prose("name")?, amount, trade_no, due })
}

/// Reads the answer to [`Account::create`]. Its proof is the order, or its number in `err_desc`.
///
/// # Errors
/// [`AnswerError`], with what to do next in its [`class`](AnswerError::class).
pub fn read_created(status: u16, body: &[u8]) -> Result<Created, AnswerError> {
    DIALECT.read(status, body, |answer| {
        if answer.has("data") || !answer.has("err_desc") {
            return new_order(&only_item(answer)?).map(Created::Order);
        }
        answer.need("err_desc", answer.id("err_desc")?).map(|id| Created::IdOnly(OrderId(id)))
    })
}

/// Reads the answer to [`Account::tell_paid`]. Its proof is `code` 0.
///
/// # Errors
/// [`AnswerError`], with what to do next in its [`class`](AnswerError::class).
pub fn read_told(status: u16, body: &[u8]) -> Result<(), AnswerError> {
    DIALECT.read(status, body, |_| Ok(()))
}

/// Whether an order is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayStatus {
    /// 0.
    Unpaid,
    /// 2.
    Paid,
    /// 4: the payment went wrong.
    Failed,
    /// Anything else.
    Unknown(i64),
}

impl From<i64> for PayStatus {
    fn from(number: i64) -> PayStatus {
        match number {
            0 => PayStatus::Unpaid,
            2 => PayStatus::Paid,
            4 => PayStatus::Failed,
            other => PayStatus::Unknown(other),
        }
    }
}

/// Where an order was paid, as the platform says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servicer {
    /// 1 or 2.
    Known(PaidWith),
    /// Anything else.
    Unknown(i64),
}

/// An order as the platform knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// Who bought.
    pub user_id: Option<Id>,
    /// Who sold.
    pub puber_id: Option<Id>,
    /// What was bought.
    pub album_id: Option<Id>,
    /// What that is called.
    pub title: Option<String>,
    /// What it costs.
    pub price: Option<Fen>,
    /// What is to be paid.
    pub amount: Fen,
    /// Where it was paid; absent before.
    pub servicer: Option<Servicer>,
    /// Its name towards the payment system.
    pub trade_no: Option<TradeNo>,
    /// The payment system's name of the payment.
    pub third_trade_no: Option<String>,
    /// The payment system's name of the buyer.
    pub third_buyer_id: Option<String>,
    /// Whether it is paid.
    pub pay_status: PayStatus,
    /// When it was created. The platform's example gives an unpaid order a time of payment too: only
    /// [`Order::pay_status`] counts.
    pub add_time: Stamp,
    /// When it was paid.
    pub pay_time: Stamp,
}

fn order(item: &Object) -> Result<Order, AnswerError> {
    let servicer = item.whole("servicer")?.map(|number| match number {
        1 => Servicer::Known(PaidWith::WeChat),
        2 => Servicer::Known(PaidWith::Alipay),
        other => Servicer::Unknown(other),
    });
    Ok(Order {
        id: id_of(item)?,
        user_id: item.id("user_id")?,
        puber_id: item.id("puber_id")?,
        album_id: item.id("album_id")?,
        title: item.prose("title")?,
        price: item.amount("price")?,
        amount: item.need("amount", item.amount("amount")?)?,
        servicer,
        trade_no: item.id("trade_no")?.map(TradeNo),
        third_trade_no: item.prose("third_trade_no")?,
        third_buyer_id: item.prose("third_buyer_id")?,
        pay_status: item.need("pay_status", item.whole("pay_status")?)?.into(),
        add_time: item.stamp("add_time"),
        pay_time: item.stamp("pay_time"),
    })
}

/// Reads the answer to [`Account::query`] about `asked`. Its proof is the name that was asked for.
///
/// # Errors
/// [`AnswerError`], with what to do next in its [`class`](AnswerError::class).
pub fn read_order(status: u16, body: &[u8], asked: &Which) -> Result<Order, AnswerError> {
    DIALECT.read(status, body, |answer| {
        let item = only_item(answer)?;
        let order = order(&item)?;
        let (asked, answered) = match asked {
            Which::Id(id) => (id.0.as_str(), order.id.0.as_str()),
            Which::TradeNo(asked) => (asked.0.as_str(), item.need("trade_no", order.trade_no.as_ref())?.0.as_str()),
        };
        if asked == answered {
            return Ok(order);
        }
        let (asked, answered) = (asked.to_owned(), answered.to_owned());
        Err(AnswerError::OtherOrder { cloud: NAME, asked, answered })
    })
}

/// Reads the answer to [`Account::list`]; a [`ListWalk`](super::walk::ListWalk) turns the pages. Its proof is the list.
///
/// # Errors
/// [`AnswerError`], with what to do next in its [`class`](AnswerError::class).
pub fn read_page(status: u16, body: &[u8]) -> Result<Page<Order>, AnswerError> {
    DIALECT.read(status, body, |answer| {
        let (data, items) = items(answer)?;
        Ok(Page { pages: data.count("pages")?, orders: items.iter().map(order).collect::<Result<_, _>>()? })
    })
}

/// How one logs in: with a form, like its other calls.
pub const LOG_IN: LogInWay = LogInWay {
    write: |fields| ("application/x-www-form-urlencoded", parameters(fields).into_bytes()),
    read: read_told,
};

/// How it is told of a payment.
pub const HEARS: Hears =
    Hears { tell: |session, paid| Account { session: session.cloned() }.tell_paid(paid), read: read_told };

/// Its row.
pub(super) const CLOUD: Cloud = Cloud {
    name: NAME,
    can: &[Verb::Create, Verb::Query, Verb::List, Verb::Notify],
    sells: Some(Sells {
        door: Door::Session { account: |session| Arc::new(Account { session }), log_in: LOG_IN, hears: Some(HEARS) },
        makes_once: false,
        refunds: false,
    }),
};

fn which(order: Option<&Id>, trade_no: Option<&Id>) -> Result<Which, Unfit> {
    let which = Which::of(order.cloned().map(OrderId), trade_no.cloned().map(TradeNo));
    which.ok_or(Unfit::Needs("the order's number, or its trade_no"))
}

impl OrderCloud for Account {
    fn request(&self, ask: &Ask, _: UnixMs) -> Result<ApiRequest, Unfit> {
        match ask {
            Ask::Create { goods, .. } => Ok(self.create(AlbumId(*goods))),
            Ask::Query { order, trade_no } => Ok(self.query(&which(*order, *trade_no)?)),
            Ask::List { page } => Ok(self.list(*page)),
            Ask::Notify(news) => {
                let paid = news.paid.as_ref().ok_or(Unfit::Needs("a payment: it made the order itself"))?;
                let trade_no = news.trade_no.clone().ok_or(Unfit::Needs("the order's trade_no"))?;
                Ok(self.tell_paid(&Paid {
                    with: paid.with,
                    result: PaymentResult::Success,
                    trade_no: TradeNo(trade_no),
                    third_trade_no: paid.third_trade_no.clone(),
                    third_buyer_id: paid.third_buyer_id.clone(),
                    amount: news.amount,
                }))
            }
            Ask::Pay { .. } | Ask::Close { .. } => Err(Unfit::Cannot(ask.verb())),
        }
    }

    fn read(&self, ask: &Ask, status: u16, body: &[u8]) -> Result<Said, Failure> {
        match ask {
            Ask::Create { .. } => Ok(match read_created(status, body)? {
                Created::Order(order) => {
                    let state = match order.due {
                        Due::ToPay => PayState::Unpaid,
                        Due::AlreadyPaid => PayState::Paid,
                    };
                    let trade_no = order.trade_no.map(|trade_no| trade_no.0);
                    let seen = Seen { order: order.id.0.clone(), trade_no, amount: Some(order.amount), state };
                    Said::Created(order.id.0, Some(seen))
                }
                Created::IdOnly(id) => Said::Created(id.0, None),
            }),
            Ask::Query { order, trade_no } => {
                Ok(Said::Order(read_order(status, body, &which(*order, *trade_no)?)?.into()))
            }
            Ask::List { .. } => Ok(Said::Orders(read_page(status, body)?.map(Seen::from))),
            Ask::Notify(_) => {
                read_told(status, body)?;
                Ok(Said::Done)
            }
            Ask::Pay { .. } | Ask::Close { .. } => Err(Unfit::Cannot(ask.verb()).into()),
        }
    }
}

impl From<Order> for Seen {
    fn from(order: Order) -> Seen {
        let state = match order.pay_status {
            PayStatus::Unpaid => PayState::Unpaid,
            PayStatus::Paid => PayState::Paid,
            PayStatus::Failed => PayState::Failed,
            PayStatus::Unknown(_) => PayState::Unclear,
        };
        let trade_no = order.trade_no.map(|trade_no| trade_no.0);
        Seen { order: order.id.0, trade_no, amount: Some(order.amount), state }
    }
}
