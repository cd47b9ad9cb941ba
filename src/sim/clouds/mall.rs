//! mall (seed 002): a shop with a cart, orders in both of the document's shapes, pay codes, a log-in.

use super::stand_in::{Dialect, NoSuchOrder, Told};
use super::{Door, Mishaps, StandIn, parted};
use crate::cloud::open_platform::Fen;
use crate::order::civil::{Civil, Zone};
use crate::order::time::UnixMs;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where one logs in, with `username` and `password` in JSON: the shop's public pages do so.
pub const LOG_IN_PATH: &str = "/user/login";
/// The first order's number, that of the document's example.
const FIRST_ORDER_NO: u64 = 1_612_438_083_648;

/// One product of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its number.
    pub product_id: u64,
    /// Its name.
    pub name: String,
    /// Of one.
    pub price: Fen,
    /// How many.
    pub quantity: u64,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOrder {
    /// What was bought.
    pub items: Vec<Item>,
    /// 0, 10, 20, 40, 50 or 60.
    pub status: u64,
    /// The address that it is for.
    pub shipping_id: u64,
    /// When it was created, Unix s.
    pub created_at_s: u64,
    /// When it was paid, Unix s.
    pub paid_at_s: Option<u64>,
    /// How often it was asked about.
    pub asked: u32,
}

impl SimOrder {
    fn payment(&self) -> Fen {
        let total = |item: &Item| item.price.times(item.quantity).unwrap_or_default();
        Fen(self.items.iter().fold(0, |sum, item| sum.saturating_add(total(item).0)))
    }
}

/// What stands where a date is missing: the document shows all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoDate {
    /// `""`
    #[default]
    Empty,
    /// `null`
    Null,
    /// Nothing at all.
    Absent,
}

/// The shop as one of its users sees it.
#[derive(Debug, Clone, Default)]
pub struct SimMall {
    /// What lies in the cart; the shop fills it again after each order.
    pub cart: Vec<Item>,
    /// Addresses on the books.
    pub addresses: Vec<u64>,
    /// By number.
    pub orders: BTreeMap<u64, SimOrder>,
    /// Who is logged in.
    pub door: Door,
    /// Answers in the shape of the document's test data, with `orderItemList`.
    pub other_shape: bool,
    /// With the comment of the document's example.
    pub comments: bool,
    /// What stands where a date is missing.
    pub no_date: NoDate,
    /// What the next calls meet.
    pub mishaps: Mishaps,
    /// What time it is, Unix s.
    pub now_s: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pay<'a> {
    order_id: String,
    order_name: String,
    #[serde(borrow)]
    amount: &'a RawValue,
    pay_type: u8,
}

fn refusal(code: u32, text: &str) -> Value {
    json!({ "status": code, "msg": text })
}

/// In yuan, as a JSON number: whole where it is whole, as in the document.
fn yuan(amount: Fen) -> String {
    let text = amount.to_string();
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}

const fn status_text(status: u64) -> &'static str {
    match status {
        0 => "已取消",
        10 => "未支付",
        20 => "已付款",
        40 => "已发货",
        50 => "交易成功",
        60 => "交易关闭",
        _ => "未知",
    }
}

impl SimMall {
    /// The order as JSON text: numbers as they are written, and perhaps a comment, which no JSON value holds.
    fn as_told(&self, number: u64, order: &SimOrder) -> String {
        let date = |name: &str, at_s: Option<u64>| match (at_s, self.no_date) {
            (Some(s), _) => {
                format!("\"{name}\": \"{}\",\n", Civil::at(UnixMs::from_seconds(s), Zone::CHINA))
            }
            (None, NoDate::Empty) => format!("\"{name}\": \"\",\n"),
            (None, NoDate::Null) => format!("\"{name}\": null,\n"),
            (None, NoDate::Absent) => String::new(),
        };
        let names = if self.other_shape {
            ["orderItemList", "good_id", "goods_name", "price", "count", "productTotalPrice"]
        } else {
            ["orderItemVoList", "productId", "productName", "currentUnitPrice", "quantity", "totalPrice"]
        };
        let [list, id, name, price, count, total] = names;
        let item = |item: &Item| {
            let sum = item.price.times(item.quantity).unwrap_or_default();
            let (quoted, price_of_one) = (Value::from(item.name.as_str()), yuan(item.price));
            format!(
                "{{\"orderNo\": {number}, \"{id}\": {}, \"{name}\": {quoted}, \"productImage\": null, \
                 \"{price}\": {price_of_one}, \"{count}\": {}, \"{total}\": {}, \"createTime\": \"\"}}",
                item.product_id,
                item.quantity,
                yuan(sum)
            )
        };
        let items: Vec<String> = order.items.iter().map(item).collect();
        let comment = if self.comments { " //后续支付了改变status为另一个值" } else { "" };
        let dates = [
            date("paymentTime", order.paid_at_s),
            date("sendTime", None),
            date("endTime", None),
            date("closeTime", None),
            date("createTime", Some(order.created_at_s)),
        ];
        format!(
            "{{\"status\": 0, \"data\": {{\n\"orderNo\": {number},\n\"payment\": {},\n\"paymentType\": 1,\n\
             \"paymentTypeDesc\": \"在线支付\",\n\"postage\": 0,\n\"status\": {},{comment}\n\
             \"statusDesc\": \"{}\",\n{}\"{list}\": [{}],\n\"imageHost\": null,\n\"shippingId\": {},\n\
             \"receiverName\": \"ddd\",\n\"shippingVo\": {{\"receiverName\": \"ddd\", \"receiverPhone\": null}}\n}}}}",
            yuan(order.payment()),
            order.status,
            status_text(order.status),
            dates.concat(),
            items.join(", "),
            order.shipping_id,
        )
    }

    fn create(&mut self, body: &[u8]) -> Result<String, Value> {
        let body: Value = serde_json::from_slice(body).map_err(|_| refusal(3, "参数错误"))?;
        let shipping_id = body["shippingId"].as_u64().ok_or_else(|| refusal(3, "参数错误"))?;
        if !self.addresses.contains(&shipping_id) {
            return Err(refusal(17, "收货地址不存在"));
        }
        if self.cart.is_empty() {
            return Err(refusal(18, "请选择商品后下单"));
        }
        let number = self.orders.keys().max().map_or(FIRST_ORDER_NO, |last| last + 1);
        let order = SimOrder {
            items: self.cart.clone(),
            status: 10,
            shipping_id,
            created_at_s: self.now_s,
            paid_at_s: None,
            asked: 0,
        };
        let told = self.as_told(number, &order);
        self.orders.insert(number, order);
        Ok(told)
    }

    fn query(&mut self, number: &str) -> Result<String, Value> {
        let absent = || refusal(19, "订单不存在");
        let number: u64 = number.parse().map_err(|_| absent())?;
        let order = self.orders.get_mut(&number).ok_or_else(absent)?;
        order.asked += 1;
        let order = order.clone();
        Ok(self.as_told(number, &order))
    }

    fn pay(&self, body: &[u8]) -> Result<Told, Value> {
        let wrong = || refusal(3, "参数错误");
        let pay: Pay = serde_json::from_slice(body).map_err(|_| wrong())?;
        let number: Option<u64> = pay.order_id.parse().ok();
        let order = number.and_then(|number| self.orders.get(&number)).ok_or_else(|| refusal(19, "订单不存在"))?;
        if Fen::parse(pay.amount.get()) != Ok(order.payment()) || pay.order_name.is_empty() {
            return Err(wrong());
        }
        if order.status != 10 {
            return Err(refusal(20, "订单状态有误"));
        }
        match pay.pay_type {
            // Alipay answers with a page for a browser.
            1 => Ok(Told::json(200, &json!({ "status": 0, "data": { "content": "<form action='pay'></form>" } }))),
            2 => {
                let content = format!("weixin://wxpay/bizpayurl?pr={}", pay.order_id);
                Ok(Told::json(200, &json!({ "status": 0, "data": { "content": content } })))
            }
            _ => Err(wrong()),
        }
    }

    fn log_in(&mut self, body: &[u8]) -> Told {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        match self.door.log_in(body["password"].as_str()) {
            Some(cookie) => {
                let data = json!({ "username": body["username"] });
                Told { set_cookie: Some(cookie), ..Told::json(200, &json!({ "status": 0, "data": data })) }
            }
            None => Told::json(200, &refusal(11, "用户名或密码错误")),
        }
    }
}

impl StandIn for SimMall {
    fn tick(&mut self, now_s: u64) {
        self.now_s = self.now_s.max(now_s);
    }

    fn mishaps(&mut self) -> &mut Mishaps {
        &mut self.mishaps
    }

    fn dialect(&self) -> Dialect {
        Dialect { code: "status", text: "msg", refusal, unauthorized: (200, 10) }
    }

    fn serve(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Told {
        let (place, _) = parted(path);
        if (method, place) == ("POST", LOG_IN_PATH) {
            return self.log_in(body);
        }
        if !self.door.lets_in(headers) {
            return Told::json(200, &refusal(10, "用户未登录, 请先登录"));
        }
        let text = |text: String| Told::whole(200, text.into_bytes());
        let parts: Vec<&str> = place.split('/').skip(1).collect();
        let answer = match (method, parts.as_slice()) {
            ("POST", ["orders"]) => self.create(body).map(text),
            ("GET", ["orders", number]) => self.query(number).map(text),
            ("POST", ["pay"]) => self.pay(body),
            _ => return Told::whole(404, Vec::new()),
        };
        answer.unwrap_or_else(|refusal| Told::json(200, &refusal))
    }

    fn set_order(&mut self, order: &str, status: Option<&str>) -> Result<(), NoSuchOrder> {
        let now_s = self.now_s;
        let order = order.parse().ok().and_then(|number: u64| self.orders.get_mut(&number)).ok_or(NoSuchOrder)?;
        order.status = status.unwrap_or("20").parse().map_err(|_| NoSuchOrder)?;
        if order.status == 20 {
            order.paid_at_s = Some(now_s);
        }
        Ok(())
    }

    fn log_all_out(&mut self) {
        self.door.log_all_out();
    }
}
