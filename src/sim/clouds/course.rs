//! course (seed 001): orders of albums, payments that it is told of, a log-in.

use super::stand_in::{Dialect, NoSuchOrder, Told};
use super::{Door, Mishaps, StandIn, parameters, parted};
use crate::cloud::open_platform::Fen;
use crate::cloud::orders::course::PaymentResult;
use crate::order::civil::{Civil, Zone};
use crate::order::time::UnixMs;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where one logs in, with `name` and `password` in a form. The document names the log-in and leaves it out; it is this
/// stand-in's own.
pub const LOG_IN_PATH: &str = "/login";
/// Orders on a page unless told otherwise.
const PAGE_SIZE_DEFAULT: usize = 10;
/// Whose orders they are.
const USER_ID: &str = "1";
/// The first order's number, that of the document's example.
const FIRST_ORDER_ID: u64 = 5;

/// What can be bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Album {
    /// Its name.
    pub name: String,
    /// What it costs.
    pub price: Fen,
    /// It was paid before, or is given away: an order of it is paid at once.
    pub is_owned: bool,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOrder {
    /// What was bought.
    pub album_id: u64,
    /// What is to be paid.
    pub amount: Fen,
    /// Its name towards the payment system.
    pub trade_no: String,
    /// 0, 2 or 4.
    pub pay_status: u8,
    /// When it was created, Unix s.
    pub created_at_s: u64,
    /// When its status changed, Unix s.
    pub paid_at_s: Option<u64>,
    /// 1 or 2, of a payment that was told.
    pub servicer: Option<u8>,
    /// The payment system's name of the payment.
    pub third_trade_no: Option<String>,
    /// The payment system's name of the buyer.
    pub third_buyer_id: Option<String>,
    /// How often a payment was told.
    pub told: u32,
}

/// The platform as one of its users sees it.
#[derive(Debug, Clone, Default)]
pub struct SimCourse {
    /// What can be bought, by number.
    pub albums: BTreeMap<u64, Album>,
    /// By number.
    pub orders: BTreeMap<u64, SimOrder>,
    /// Who is logged in.
    pub door: Door,
    /// This log-in may not do anything (401).
    pub forbids: bool,
    /// A new order is answered with its number alone, where an error's text would stand.
    pub answers_number_only: bool,
    /// What the next calls meet.
    pub mishaps: Mishaps,
    /// What time it is, Unix s.
    pub now_s: u64,
}

fn refusal(code: u32, text: &str) -> Value {
    json!({ "code": code, "err_desc": text })
}

impl SimCourse {
    fn list_of(&self, items: Vec<Value>) -> Value {
        json!({ "count": items.len(), "ts": self.now_s, "items": items })
    }

    fn create(&mut self, asked: &BTreeMap<String, String>) -> Result<Value, Value> {
        let album_id: Option<u64> = asked.get("album_id").and_then(|id| id.parse().ok());
        let missing = || refusal(4, "缺少订购内容参数");
        let album_id = album_id.ok_or_else(missing)?;
        let album = self.albums.get(&album_id).ok_or_else(missing)?.clone();
        let id = self.orders.keys().max().map_or(FIRST_ORDER_ID, |last| last + 1);
        let is_paid = album.is_owned || album.price == Fen(0);
        let amount = if is_paid { Fen(0) } else { album.price };
        let trade_no = format!("{id}-{}-6d2d", 9_996_u64.saturating_add(id));
        let order = SimOrder {
            album_id,
            amount,
            trade_no: trade_no.clone(),
            pay_status: if is_paid { 2 } else { 0 },
            created_at_s: self.now_s,
            paid_at_s: is_paid.then_some(self.now_s),
            servicer: None,
            third_trade_no: None,
            third_buyer_id: None,
            told: 0,
        };
        let status = order.pay_status;
        self.orders.insert(id, order);
        if self.answers_number_only {
            return Ok(json!({ "code": 0, "err_desc": id.to_string() }));
        }
        let item = json!({
            "id": id.to_string(), "name": album.name, "amount": amount.to_string(), "trade_no": trade_no,
            "status": status,
        });
        Ok(json!({ "code": 0, "data": self.list_of(vec![item]) }))
    }

    fn hear_of_payment(&mut self, servicer: u8, told: &BTreeMap<String, String>) -> Result<Value, Value> {
        let said = |name: &str| told.get(name).filter(|text| !text.is_empty()).ok_or_else(|| refusal(4, name));
        let result = PaymentResult::parse(said("result")?);
        let (trade_no, amount) = (said("trade_no")?, Fen::parse(said("amount")?).map_err(|_| refusal(4, "amount"))?);
        let (payment, buyer) = (said("third_trade_no")?.clone(), said("third_buyer_id")?.clone());
        let now_s = self.now_s;
        let order = self.orders.values_mut().find(|order| order.trade_no == *trade_no);
        let order = order.filter(|order| order.amount == amount).ok_or_else(|| refusal(4, "trade_no, amount"))?;
        order.told += 1;
        // What is paid stays paid, whatever is told afterwards.
        if order.pay_status != 2 {
            order.pay_status = if result.is_paid() { 2 } else { 4 };
            order.paid_at_s = Some(now_s);
            order.servicer = Some(servicer);
            (order.third_trade_no, order.third_buyer_id) = (Some(payment), Some(buyer));
        }
        Ok(json!({ "code": 0 }))
    }

    fn as_told(&self, id: u64, order: &SimOrder) -> Value {
        let album = self.albums.get(&order.album_id);
        let time = |s: u64| Civil::at(UnixMs::from_seconds(s), Zone::CHINA).to_string();
        let created = time(order.created_at_s);
        json!({
            "id": id.to_string(), "user_id": USER_ID, "puber_id": USER_ID, "album_id": order.album_id.to_string(),
            "title": album.map(|album| &album.name), "price": album.map(|album| album.price.to_string()),
            "amount": order.amount.to_string(), "servicer": order.servicer.map(|n| n.to_string()),
            "trade_no": order.trade_no, "third_trade_no": order.third_trade_no,
            "third_buyer_id": order.third_buyer_id, "pay_status": order.pay_status.to_string(),
            // The document's example gives an unpaid order a time of payment, too.
            "pay_time": order.paid_at_s.map_or_else(|| created.clone(), time), "add_time": created,
        })
    }

    fn query(&self, asked: &BTreeMap<String, String>) -> Result<Value, Value> {
        // Of two names the number wins.
        let found = match (asked.get("id"), asked.get("trade_no")) {
            (Some(id), _) => id.parse().ok().and_then(|id| self.orders.get_key_value(&id)),
            (None, Some(trade_no)) => self.orders.iter().find(|(_, order)| order.trade_no == *trade_no),
            (None, None) => return Err(refusal(4, "id, trade_no")),
        };
        let items = found.map(|(id, order)| self.as_told(*id, order)).into_iter().collect();
        Ok(json!({ "code": 0, "data": self.list_of(items) }))
    }

    fn list(&self, asked: &BTreeMap<String, String>) -> Value {
        let number = |name: &str| asked.get(name).and_then(|text| text.parse().ok()).filter(|&n: &usize| n > 0);
        let (page, size) = (number("page").unwrap_or(1), number("page_size").unwrap_or(PAGE_SIZE_DEFAULT));
        let on_page = self.orders.iter().skip((page - 1).saturating_mul(size)).take(size);
        let mut data = self.list_of(on_page.map(|(id, order)| self.as_told(*id, order)).collect());
        data["page"] = page.into();
        data["page_size"] = size.to_string().into();
        data["pages"] = self.orders.len().div_ceil(size).into();
        data["total"] = self.orders.len().into();
        json!({ "code": 0, "data": data })
    }
}

impl StandIn for SimCourse {
    fn tick(&mut self, now_s: u64) {
        self.now_s = self.now_s.max(now_s);
    }

    fn mishaps(&mut self) -> &mut Mishaps {
        &mut self.mishaps
    }

    fn dialect(&self) -> Dialect {
        Dialect { code: "code", text: "err_desc", refusal, unauthorized: (200, 403) }
    }

    /// GET and POST are the same to it: parameters stand in the query or in a form.
    fn serve(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Told {
        let (place, mut asked) = parted(path);
        if method == "POST" {
            asked.extend(parameters(&String::from_utf8_lossy(body)));
        }
        if place == LOG_IN_PATH {
            return match self.door.log_in(asked.get("password").map(String::as_str)) {
                Some(cookie) => Told { set_cookie: Some(cookie), ..Told::json(200, &json!({ "code": 0 })) },
                None => Told::json(200, &refusal(4, "用户名或密码错误")),
            };
        }
        if !self.door.lets_in(headers) {
            return Told::json(200, &refusal(403, "需要登录"));
        }
        if self.forbids {
            return Told::json(200, &refusal(401, "权限不足"));
        }
        let answer = match (method, place) {
            ("GET" | "POST", "/orders/create") => self.create(&asked),
            ("GET" | "POST", "/orders/wxpay") => self.hear_of_payment(1, &asked),
            ("GET" | "POST", "/orders/alipay") => self.hear_of_payment(2, &asked),
            ("GET" | "POST", "/orders/get") => self.query(&asked),
            ("GET" | "POST", "/orders/list") => Ok(self.list(&asked)),
            _ => return Told::whole(404, Vec::new()),
        };
        let (Ok(answer) | Err(answer)) = answer;
        Told::json(200, &answer)
    }

    fn set_order(&mut self, order: &str, status: Option<&str>) -> Result<(), NoSuchOrder> {
        let now_s = self.now_s;
        let order = order.parse().ok().and_then(|id: u64| self.orders.get_mut(&id)).ok_or(NoSuchOrder)?;
        order.pay_status = status.unwrap_or("2").parse().map_err(|_| NoSuchOrder)?;
        order.paid_at_s = Some(now_s);
        Ok(())
    }

    fn log_all_out(&mut self) {
        self.door.log_all_out();
    }
}
