//! What the machine sells, who bought it, and for how long an order keeps its goods.

use super::refusal::{
    BAD_FORM, NO_MACHINE, NO_ORDER, NO_PRODUCT, ORDER_EXPIRED, ORDER_PAID, ORDER_STATUS, OVERFULL, Refusal, STOCK_LOW,
    TRADE_ID_EMPTY, TRADE_ID_USED,
};
use super::{SimCloud, number, without_empty};
use crate::cloud::device::DRIVE_WITHIN_S;
use crate::cloud::envelope::Fields;
use crate::cloud::open_platform::{Fen, NewStatus, OrderStatus};
use crate::order::local_time::show_date_time;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An unpaid order gives its goods back after so many seconds (cloud 1.7): the platform's 20 minutes.
pub const ORDER_TIME_OUT_S: u64 = DRIVE_WITHIN_S;
/// The product of orders that a test put on the books without saying more: that of the vendor's examples.
const SOME_PRODUCT: u64 = 131;
/// What orders that are put on the books cost a line.
pub(in crate::sim) const SOME_PRICE: Fen = Fen(100);
/// Orders that are created here begin with this id, above those of the vendor's examples.
const FIRST_ORDER_ID: u64 = 1_001;
/// Records begin with this id.
const FIRST_RECORD_ID: u64 = 2_001;

/// What a close does to an order that was paid meanwhile. No document says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closes {
    /// It is refused: who closes what is paid would lose the money without a word.
    Refuses,
    /// It is taken without a word, and the order stays paid.
    Stands,
    /// It is taken, and the books say *closed*: nothing tells of the payment any more.
    Overtakes,
}

/// An order on the stand-in's books. Words are the platform's, so that a test can put in any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOrder {
    /// `SUCCESS`, `NOTPAY` …
    pub status: String,
    /// Record id → `WAITING_PICKED_UP`, `IS_TIMEOUT` …; an empty word is left out of the answer.
    pub records: BTreeMap<u64, String>,
}

/// A product of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimProduct {
    /// What customers read.
    pub name: String,
    /// What it costs.
    pub price: Fen,
    /// As on the labels, "A1".
    pub channel_name: String,
    /// The slot in the platform's numbering.
    pub code: String,
    /// The driver board, from 1.
    pub addr: u8,
    /// Units that are there.
    pub stock: u64,
    /// Units that fit.
    pub capacity: u64,
}

/// How an order that was created here came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sale {
    pub(super) trade_id: String,
    pub(super) notify_url: String,
    pub(super) created_at_s: u64,
    pub(super) pickup_code: Option<u64>,
    /// Record id → product id and quantity.
    pub(super) lines: BTreeMap<u64, (u64, u64)>,
    /// The goods are out of the stock.
    pub(super) holds_goods: bool,
    pub(super) notify_sent: BTreeMap<u64, u64>,
}

impl SimCloud {
    /// Takes the goods out of the stock and writes the order down: its id.
    pub(super) fn sell(
        &mut self,
        lines: &[(u64, u64)],
        trade_id: &str,
        notify_url: &str,
        pickup_code: Option<u64>,
    ) -> Result<u64, Refusal> {
        if trade_id.is_empty() {
            return Err(TRADE_ID_EMPTY);
        }
        if self.sales.values().any(|sale| sale.trade_id == trade_id) {
            return Err(TRADE_ID_USED);
        }
        // A product may stand in two lines: what counts is their sum.
        let mut wanted: BTreeMap<u64, u64> = BTreeMap::new();
        for (product, quantity) in lines {
            let sum = wanted.entry(*product).or_default();
            *sum = sum.checked_add(*quantity).filter(|_| *quantity > 0).ok_or(BAD_FORM)?;
        }
        let mut left = BTreeMap::new();
        for (id, quantity) in wanted {
            let product = self.products.get(&id).ok_or(NO_PRODUCT)?;
            left.insert(id, product.stock.checked_sub(quantity).ok_or(STOCK_LOW)?);
        }
        for (id, stock) in left {
            if let Some(product) = self.products.get_mut(&id) {
                product.stock = stock;
            }
        }
        let order_id = self.orders.keys().max().map_or(FIRST_ORDER_ID, |last| FIRST_ORDER_ID.max(last + 1));
        let used = self.orders.values().flat_map(|order| order.records.keys()).max();
        let first = used.map_or(FIRST_RECORD_ID, |last| FIRST_RECORD_ID.max(last + 1));
        let lines: BTreeMap<u64, (u64, u64)> = (first..).zip(lines.iter().copied()).collect();
        let (status, word) = if pickup_code.is_some() {
            (OrderStatus::PickupCode, "WAITING_PICKED_UP")
        } else {
            (OrderStatus::NotPaid, "")
        };
        let records = lines.keys().map(|id| (*id, word.to_owned())).collect();
        self.orders.insert(order_id, SimOrder { status: status.as_str().to_owned(), records });
        let sale = Sale {
            trade_id: trade_id.to_owned(),
            notify_url: notify_url.to_owned(),
            created_at_s: self.now_s,
            pickup_code,
            lines,
            holds_goods: true,
            notify_sent: BTreeMap::new(),
        };
        self.sales.insert(order_id, sale);
        Ok(order_id)
    }

    pub(super) fn create_order(&mut self, body: &[u8]) -> Result<Value, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|_| BAD_FORM)?;
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
        if text("machine_no").ok_or(BAD_FORM)? != self.machine_no.as_str() {
            return Err(NO_MACHINE);
        }
        let line = |line: &Value| Some((line["product_id"].as_u64()?, line["quantity"].as_u64()?));
        let lines: Option<Vec<(u64, u64)>> = body["products"].as_array().ok_or(BAD_FORM)?.iter().map(line).collect();
        let lines = lines.filter(|lines| !lines.is_empty()).ok_or(BAD_FORM)?;
        let notify_url = text("notify_url").ok_or(BAD_FORM)?;
        let order_id = self.sell(&lines, text("trade_id").unwrap_or_default(), notify_url, None)?;
        Ok(json!({ "order_id": order_id }))
    }

    pub(super) fn query(&self, order_id: &str) -> Result<Value, Refusal> {
        let order_id: u64 = order_id.parse().map_err(|_| NO_ORDER)?;
        self.order_as_told(order_id)
    }

    pub(super) fn order_as_told(&self, order_id: u64) -> Result<Value, Refusal> {
        let order = self.orders.get(&order_id).ok_or(NO_ORDER)?;
        let sale = self.sales.get(&order_id);
        let mut sum = Fen(0);
        let mut record = |(id, status): (&u64, &String)| {
            let line = sale.and_then(|sale| sale.lines.get(id));
            let (product, quantity) = line.copied().unwrap_or((SOME_PRODUCT, 1));
            let unit = self.products.get(&product).map_or(SOME_PRICE, |product| product.price);
            let price = unit.times(quantity).unwrap_or_default();
            sum = Fen(sum.0.saturating_add(price.0));
            let sent = sale.is_some_and(|sale| sale.notify_sent.contains_key(id));
            without_empty(json!({
                "id": id, "product_id": product, "quantity": quantity, "price": price.to_string(), "status": status,
                "notify_sent": if sent { "1" } else { "0" },
            }))
        };
        let records: Vec<Value> = order.records.iter().map(&mut record).collect();
        let sent: u64 = sale.map_or(0, |sale| sale.notify_sent.values().sum());
        let created = show_date_time(sale.map_or(self.now_s, |sale| sale.created_at_s));
        let mut told = without_empty(json!({
            "order_id": order_id,
            "trade_id": sale.map_or_else(|| format!("trade-{order_id}"), |sale| sale.trade_id.clone()),
            "date": created.split(' ').next(),
            "amount": sum.to_string(),
            "status": order.status,
            "records": records,
        }));
        if sent > 0 {
            told["notify_send_count"] = sent.into();
        }
        if let Some(code) = sale.and_then(|sale| sale.pickup_code) {
            told["pickup_code_id"] = code.into();
        }
        Ok(told)
    }

    pub(super) fn update(&mut self, order_id: &str, status: Option<&str>) -> Result<Value, Refusal> {
        let order_id: u64 = order_id.parse().map_err(|_| NO_ORDER)?;
        let order = self.orders.get_mut(&order_id).ok_or(NO_ORDER)?;
        let to = NewStatus::ALL.into_iter().find(|to| Some(to.as_str()) == status).ok_or(BAD_FORM)?;
        match (OrderStatus::parse(&order.status), to) {
            (OrderStatus::Success | OrderStatus::PickupCode, NewStatus::Paid) => return Err(ORDER_PAID),
            (OrderStatus::Success, NewStatus::Closed) => match self.closes {
                Closes::Refuses => return Err(ORDER_PAID),
                Closes::Stands => return Ok("".into()),
                Closes::Overtakes => {}
            },
            (OrderStatus::TimedOut, _) => return Err(ORDER_EXPIRED),
            (OrderStatus::Refund | OrderStatus::Closed | OrderStatus::Revoked, _) => return Err(ORDER_STATUS),
            _ => {}
        }
        order.status = to.becomes().as_str().to_owned();
        if to == NewStatus::Paid {
            // An unpaid order's records say nothing yet; those that a test put in keep their word.
            for word in order.records.values_mut().filter(|word| word.is_empty()) {
                "WAITING_PICKED_UP".clone_into(word);
            }
        } else {
            self.give_back(order_id);
        }
        Ok("".into())
    }

    /// The goods of an order that came to nothing go back to the stock, once; what was dispensed is gone.
    pub(super) fn give_back(&mut self, order_id: u64) {
        let (Some(sale), Some(order)) = (self.sales.get_mut(&order_id), self.orders.get(&order_id)) else { return };
        if !std::mem::replace(&mut sale.holds_goods, false) {
            return;
        }
        for (record, (product, quantity)) in &sale.lines {
            let gone = order.records.get(record).is_some_and(|word| word == "IS_SUCCESS");
            if let Some(product) = self.products.get_mut(product).filter(|_| !gone) {
                product.stock = product.capacity.min(product.stock.saturating_add(*quantity));
            }
        }
    }

    /// Unpaid orders run out, and their merchants are told (cloud 1.7).
    pub(super) fn expire_orders(&mut self) {
        let is_over = |sale: &super::shop::Sale| self.now_s >= sale.created_at_s.saturating_add(ORDER_TIME_OUT_S);
        let unpaid =
            |id: &u64| self.orders.get(id).is_some_and(|o| OrderStatus::parse(&o.status) == OrderStatus::NotPaid);
        let over: Vec<u64> =
            self.sales.iter().filter(|(id, sale)| is_over(sale) && unpaid(id)).map(|(id, _)| *id).collect();
        for order_id in over {
            if let Some(order) = self.orders.get_mut(&order_id) {
                OrderStatus::TimedOut.as_str().clone_into(&mut order.status);
            }
            self.give_back(order_id);
            let records: Vec<u64> =
                self.orders.get(&order_id).map(|o| o.records.keys().copied().collect()).unwrap_or_default();
            for record_id in records {
                self.notify(order_id, record_id, "0", "", "order expired");
            }
        }
    }

    // --- lists --------------------------------------------------------------------------------------------------------

    fn product_as_told(id: u64, product: &SimProduct) -> Value {
        let good = json!({
            "name": product.name, "description": product.name, "thumb": "", "price": product.price.to_string(),
            "original_price": "0.00", "content": "",
        });
        let channel = json!({
            "name": product.channel_name, "cabinet_name": "A", "code": product.code, "x": "0", "y": "0",
            "addr": product.addr,
        });
        // Zero is left out like everything empty.
        let mut told = json!({
            "id": id, "category": { "id": 1, "title": "stand-in" }, "good": without_empty(good), "channel": channel,
            "inventory": product.capacity,
        });
        if product.stock > 0 {
            told["current_inventory"] = product.stock.into();
        }
        told
    }

    pub(super) fn list_products(&self, fields: &Fields) -> Result<Value, Refusal> {
        if fields.get("cabinet_name").is_some() && fields.get("addr").is_some() {
            return Err(BAD_FORM);
        }
        let page = number(fields, "page").filter(|&page| page > 0).ok_or(BAD_FORM)?;
        let per_page = number(fields, "per_page").unwrap_or(10).clamp(1, 100);
        let in_category = number(fields, "category_id").is_none_or(|id| id <= 1);
        let in_cabinet = fields.get("cabinet_name").is_none_or(|name| name == "A");
        let on_board = |p: &SimProduct| number(fields, "addr").is_none_or(|addr| addr == u64::from(p.addr));
        let found: Vec<Value> = self
            .products
            .iter()
            .filter(|(_, product)| in_category && in_cabinet && on_board(product))
            .map(|(id, product)| Self::product_as_told(*id, product))
            .collect();
        let total = found.len();
        let skipped = usize::try_from((page - 1).saturating_mul(per_page)).unwrap_or(usize::MAX);
        let taken = usize::try_from(per_page).unwrap_or(usize::MAX);
        let on_page: Vec<Value> = found.into_iter().skip(skipped).take(taken).collect();
        if on_page.is_empty() {
            return Ok(json!([]));
        }
        let last_page = total.div_ceil(taken);
        Ok(json!({
            "data": on_page, "total": total, "current_page": page, "last_page": last_page, "per_page": per_page,
        }))
    }

    pub(super) fn list_floors(&self) -> Value {
        let floor = |(id, product): (&u64, &SimProduct)| {
            let mut told = Self::product_as_told(*id, product);
            told["status"] = "1".into();
            told
        };
        self.products.iter().map(floor).collect()
    }

    pub(super) fn list_categories(&self) -> Value {
        json!([{ "id": 1, "title": "stand-in", "sort_id": 100, "is_visible": true }])
    }

    pub(super) fn restock(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        let added = number(fields, "current_inventory");
        let full = |product: &mut SimProduct| {
            product.stock = product.capacity;
            Ok(())
        };
        let add = |product: &mut SimProduct, added: u64| {
            let stock = product.stock.checked_add(added).filter(|&stock| stock <= product.capacity);
            product.stock = stock.ok_or(OVERFULL)?;
            Ok(())
        };
        match fields.get("method") {
            Some("replenishment.machine.all") => self.products.values_mut().try_for_each(full)?,
            Some("replenishment.product.id") => {
                let id = number(fields, "product_id").ok_or(BAD_FORM)?;
                add(self.products.get_mut(&id).ok_or(NO_PRODUCT)?, added.ok_or(BAD_FORM)?)?;
            }
            Some("replenishment.category.id") => {
                let added = added.ok_or(BAD_FORM)?;
                self.products.values_mut().try_for_each(|product| add(product, added))?;
            }
            _ => return Err(BAD_FORM),
        }
        Ok(json!({}))
    }
}
