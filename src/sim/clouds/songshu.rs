//! songshu (seed 000): hears of orders, checks what it hears, and says which orders it has heard of.

use super::stand_in::{Dialect, NoSuchOrder, Told, header};
use super::{Mishaps, StandIn, parted, unescaped};
use crate::cloud::open_platform::Fen;
use crate::cloud::orders::songshu::{BadQuestion, NoticeSecret, SIGNATURE_HEADER};
use crate::order::civil::Civil;
use crate::order::time::UnixMs;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Orders on a page of the list.
const PAGE_SIZE: usize = 100;

/// An order as it was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whether it is paid.
    pub is_paid: bool,
    /// What it costs.
    pub amount: Fen,
    /// Who buys.
    pub openid: String,
    /// What is bought.
    pub book: Option<String>,
    /// When it was created, as written.
    pub create_time: String,
    /// When it was paid, as written.
    pub pay_time: String,
    /// `?test=1`.
    pub is_test: bool,
    /// Every body that came about it.
    pub bodies: Vec<Vec<u8>>,
}

/// The platform as far as one account sees it.
#[derive(Debug, Clone)]
pub struct SimSongshu {
    /// The only account; without one every account is served.
    pub app_id: Option<String>,
    /// Calls must be signed with it.
    pub secret: Option<NoticeSecret>,
    /// What it has heard of.
    pub orders: BTreeMap<String, Heard>,
    /// What the next calls meet.
    pub mishaps: Mishaps,
    now_s: u64,
}

/// The members of a notice; what is none of them is let pass, as the document says nothing about it.
#[derive(Deserialize)]
struct Notice<'a> {
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
    openid: Option<String>,
    pay_status: Option<Value>,
    pay_time: Option<String>,
    create_time: Option<String>,
    order_id: Option<String>,
    book: Option<String>,
}

/// The document's own code for what is missing or in another form.
fn missing(what: &str) -> Value {
    json!({ "errcode": 40_000, "msg": format!("缺少必须参数: {what}") })
}

impl SimSongshu {
    /// Nothing was told yet.
    #[must_use]
    pub fn new(app_id: Option<String>, secret: Option<NoticeSecret>) -> SimSongshu {
        SimSongshu { app_id, secret, orders: BTreeMap::new(), mishaps: Mishaps::default(), now_s: 0 }
    }

    fn hear(&mut self, order_id: String, is_test: bool, body: &[u8]) -> Result<(), Value> {
        let notice: Notice = serde_json::from_slice(body).map_err(|_| missing("JSON"))?;
        let is_time = |text: &String| text.parse::<Civil>().is_ok();
        let is_paid = match notice.pay_status {
            Some(Value::String(text)) if text == "0" || text == "1" => text == "1",
            Some(Value::Number(number)) if number.as_u64().is_some_and(|n| n <= 1) => number.as_u64() == Some(1),
            _ => return Err(missing("pay_status")),
        };
        // A text has quotes, and is no amount then.
        let amount = notice.amount.and_then(|raw| Fen::parse(raw.get()).ok()).ok_or_else(|| missing("amount"))?;
        let openid = notice.openid.filter(|openid| !openid.is_empty()).ok_or_else(|| missing("openid"))?;
        let create_time = notice.create_time.filter(is_time).ok_or_else(|| missing("create_time"))?;
        let pay_time = notice.pay_time.ok_or_else(|| missing("pay_time"))?;
        if is_paid != is_time(&pay_time) || !(is_paid || pay_time.is_empty()) {
            return Err(missing("pay_time"));
        }
        if notice.order_id.is_some_and(|named| named != order_id) {
            return Err(missing("order_id"));
        }
        let mut bodies = self.orders.remove(&order_id).map(|heard| heard.bodies).unwrap_or_default();
        bodies.push(body.to_vec());
        let heard = Heard { is_paid, amount, openid, book: notice.book, create_time, pay_time, is_test, bodies };
        self.orders.insert(order_id, heard);
        Ok(())
    }

    /// The list of what was heard, a page at a time.
    fn list(&self, path: &str, headers: &[(&str, &str)]) -> Result<Value, Value> {
        let answer = |error: BadQuestion| -> Value { serde_json::from_slice(&error.to_body()).unwrap_or_default() };
        let signature = header(headers, SIGNATURE_HEADER).unwrap_or_default();
        if let Some(secret) = &self.secret {
            secret.check_question(path, signature, UnixMs::from_seconds(self.now_s)).map_err(answer)?;
        }
        let (_, query) = parted(path);
        let page: usize = query.get("page").and_then(|n| n.parse().ok()).filter(|&n| n > 0).ok_or(missing("page"))?;
        let after = |name: &str, heard: &Heard| query.get(name).is_none_or(|time| *time <= heard.create_time);
        let before = |name: &str, heard: &Heard| query.get(name).is_none_or(|time| heard.create_time <= *time);
        let is_wanted = |heard: &Heard| {
            let by = query.get("openid").is_none_or(|openid| *openid == heard.openid);
            let paid = match query.get("pay_status").map(String::as_str) {
                Some("0") => !heard.is_paid,
                Some("1") => heard.is_paid,
                _ => true,
            };
            by && paid && after("begin", heard) && before("end", heard)
        };
        let found: Vec<_> = self.orders.iter().filter(|(_, heard)| is_wanted(heard)).collect();
        let on_page = found.iter().skip((page - 1).saturating_mul(PAGE_SIZE)).take(PAGE_SIZE);
        let order = |(id, heard): &(&String, &Heard)| {
            json!({
                "order_id": id, "openid": heard.openid, "amount": heard.amount.to_string(), "book": heard.book,
                "pay_status": u8::from(heard.is_paid), "create_time": heard.create_time, "pay_time": heard.pay_time,
            })
        };
        let orders: Vec<Value> = on_page.map(order).collect();
        Ok(json!({ "page": page, "total": found.len(), "page_size": PAGE_SIZE, "orders": orders }))
    }

    fn result(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Value, Value> {
        let (place, query) = parted(path);
        let parts: Vec<String> = place.split('/').skip(1).map(unescaped).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let no_route = || json!({ "errcode": 40_400, "msg": "no such interface" });
        match (method, parts.as_slice()) {
            (_, ["v1", app_id, ..]) if self.app_id.as_deref().is_some_and(|own| own != *app_id) => {
                Err(json!({ "errcode": 40_300, "msg": "no such appid" }))
            }
            ("POST", ["v1", _, "order", order_id]) => {
                let signature = header(headers, SIGNATURE_HEADER).unwrap_or_default();
                if self.secret.as_ref().is_some_and(|secret| !secret.signs(body, signature)) {
                    return Err(json!({ "errcode": 40_100, "msg": "签名错误" }));
                }
                let is_test = match query.get("test").map(String::as_str) {
                    None | Some("0") => false,
                    Some("1") => true,
                    Some(_) => return Err(missing("test")),
                };
                self.hear((*order_id).to_owned(), is_test, body)?;
                Ok(json!({ "errcode": 0 }))
            }
            ("GET", ["v1", _, "orders"]) => self.list(path, headers),
            _ => Err(no_route()),
        }
    }
}

impl StandIn for SimSongshu {
    fn tick(&mut self, now_s: u64) {
        self.now_s = self.now_s.max(now_s);
    }

    fn mishaps(&mut self) -> &mut Mishaps {
        &mut self.mishaps
    }

    fn dialect(&self) -> Dialect {
        Dialect {
            code: "errcode",
            text: "msg",
            refusal: |code, text| json!({ "errcode": code, "msg": text }),
            unauthorized: (200, 40_100),
        }
    }

    fn serve(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Told {
        let (Ok(answer) | Err(answer)) = self.result(method, path, headers, body);
        Told::json(200, &answer)
    }

    /// It only hears.
    fn set_order(&mut self, _: &str, _: Option<&str>) -> Result<(), NoSuchOrder> {
        Err(NoSuchOrder)
    }
}
