//! A stand-in for the platform: its open API with the documented checks, rules and errors, and its side of the
//! broker. Pure, so that tests, the simulation, the demonstration and `vend cloud simulate` serve it over any
//! transport.
//!
//! | file | subject |
//! |---|---|
//! | `over_http` | its answers for a server, and how a person changes something while it runs |
//! | `stand_in` | what it has in common with those of other clouds (`sim::clouds`) |
//! | `fault` | answers that are not a cloud's best, on demand |
//! | `refusal` | its refusals in both generations of codes |
//! | `shop` | products, stock, orders, the 20 minutes |
//! | `pickup` | pickup codes |
//! | `delivery` | commands to the machine, what it says, the 120 seconds, the notify_url |

mod delivery;
pub mod fault;
pub mod over_http;
mod pickup;
mod refusal;
mod shop;
pub mod stand_in;
#[cfg(test)]
mod tests;

use crate::cloud::envelope::{self, Fields};
use crate::cloud::open_platform::{APP_ID_HEADER, APP_SECRET_HEADER, Account, AppSecret, BASE_PATH, OrderStatus};
use crate::cloud::sign::SigningKey;
use crate::order::key::MachineNo;
use crate::order::local_time::show_date_time;
pub use delivery::{DELIVERY_TIME_OUT_S, SimDelivery};
pub use fault::{Mishap, Mishaps};
pub use pickup::SimCode;
pub use refusal::Codes;
use refusal::{BAD_FORM, NO_CREDENTIALS, NO_MACHINE, NO_ROUTE, Refusal, WRONG_APP_ID, WRONG_APP_SECRET, WRONG_SIGN};
use serde_json::{Map, Value, json};
pub(in crate::sim) use shop::SOME_PRICE;
pub use shop::{Closes, ORDER_TIME_OUT_S, SimOrder, SimProduct};
pub use stand_in::StandIn;
use stand_in::{Dialect, NoSuchOrder, Told};
use std::collections::{BTreeMap, VecDeque};

/// Things that wait to be carried out. A person's questions cause one each; a flood loses its oldest.
const OUTWARD_MAX: usize = 256;

/// What the platform wants done besides its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outward {
    /// This payload to the machine's topic.
    Command(Vec<u8>),
    /// This body to the merchant.
    Notify {
        /// The order's notify_url.
        url: String,
        /// JSON.
        body: Vec<u8>,
    },
}

/// The platform, as far as one machine sees it.
#[derive(Debug, Clone)]
pub struct SimCloud {
    account: Account,
    machine_no: MachineNo,
    /// Signs messages to the machine, and verifies the machine's.
    pub mqtt_key: SigningKey,
    /// Which codes it speaks.
    pub codes: Codes,
    /// By the platform's order id.
    pub orders: BTreeMap<u64, SimOrder>,
    /// How orders that were created here came to be.
    sales: BTreeMap<u64, shop::Sale>,
    /// What a close does to what is paid.
    pub closes: Closes,
    /// What the machine sells, by product id.
    pub products: BTreeMap<u64, SimProduct>,
    /// By their number on the books.
    pub pickup_codes: BTreeMap<u64, SimCode>,
    /// Commands to the machine, by delivery id.
    pub deliveries: BTreeMap<u64, SimDelivery>,
    /// What the next calls meet.
    pub mishaps: Mishaps,
    /// What the machine said last: it is there, or it has gone.
    pub machine_online: Option<bool>,
    outward: VecDeque<Outward>,
    now_s: u64,
}

impl SimCloud {
    /// An empty book for one merchant's machine.
    #[must_use]
    pub fn new(account: Account, machine_no: MachineNo) -> Self {
        SimCloud {
            mqtt_key: account.app_key.clone(),
            account,
            machine_no,
            codes: Codes::FourDigits,
            orders: BTreeMap::new(),
            sales: BTreeMap::new(),
            closes: Closes::Refuses,
            products: BTreeMap::new(),
            pickup_codes: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            mishaps: Mishaps::default(),
            machine_online: None,
            outward: VecDeque::new(),
            now_s: 0,
        }
    }

    /// The next thing to be carried out.
    pub fn next_outward(&mut self) -> Option<Outward> {
        self.outward.pop_front()
    }

    fn want(&mut self, outward: Outward) {
        if self.outward.len() == OUTWARD_MAX {
            self.outward.pop_front();
        }
        self.outward.push_back(outward);
    }

    fn result(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Value, Refusal> {
        self.check_credentials(headers)?;
        let route = path.strip_prefix(BASE_PATH).ok_or(NO_ROUTE)?;
        let parts: Vec<&str> = route.split('/').skip(1).collect();
        // The one call that is neither wrapped nor signed (cloud 1.2).
        if (method, parts.as_slice()) == ("POST", &["orders"]) {
            return self.create_order(body);
        }
        let fields = self.open(body)?;
        match (method, parts.as_slice()) {
            ("POST", ["ping"]) => Ok("pong".into()),
            ("POST", ["rent", "machines"]) => Ok(json!([self.machine_line()])),
            ("POST", ["rent", "machines", no]) if *no == self.machine_no.as_str() => Ok(self.machine_detail()),
            ("POST", ["rent", "machines", _]) => Err(NO_MACHINE),
            ("POST", ["products"]) => self.list_products(&fields),
            ("POST", ["products", id, "pickup_code"]) => self.list_codes(id),
            ("POST", ["floors"]) => Ok(self.list_floors()),
            ("POST", ["categories"]) => Ok(self.list_categories()),
            ("POST", ["banners"]) => Ok(json!([])),
            ("POST", ["orders", id]) => self.query(id),
            ("PUT", ["orders", id]) => self.update(id, fields.get("status")),
            ("POST", ["deliveries"]) => self.dispense(&fields),
            ("POST", ["deliveries", "debug"]) => self.test_channel(&fields),
            ("POST", ["deliveries", id]) => self.query_delivery(id),
            ("POST", ["pickup_codes"]) => self.create_codes(&fields),
            ("PUT", ["pickup_codes"]) => self.cancel_codes(&fields),
            ("POST", ["consumes"]) => self.consume(&fields),
            ("POST", ["replenishments"]) => self.restock(&fields),
            _ => Err(NO_ROUTE),
        }
    }

    fn check_credentials(&self, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let sent = |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, v)| *v);
        let app_id = sent(APP_ID_HEADER).filter(|v| !v.is_empty());
        let app_secret = sent(APP_SECRET_HEADER).filter(|v| !v.is_empty());
        match (app_id, app_secret) {
            (None, _) | (_, None) => Err(NO_CREDENTIALS),
            (Some(app_id), _) if app_id != self.account.app_id => Err(WRONG_APP_ID),
            (_, Some(app_secret)) if self.account.app_secret != AppSecret::new(app_secret) => Err(WRONG_APP_SECRET),
            _ => Ok(()),
        }
    }

    fn open(&self, body: &[u8]) -> Result<Fields, Refusal> {
        let body: Value = serde_json::from_slice(body).map_err(|_| BAD_FORM)?;
        let payload = body["payload"].as_str().ok_or(BAD_FORM)?;
        let fields = envelope::open(payload.as_bytes()).map_err(|_| BAD_FORM)?;
        envelope::verify(&fields, &self.account.app_key).map_err(|_| WRONG_SIGN)?;
        if fields.get("timestamp").is_none() {
            return Err(BAD_FORM);
        }
        if fields.get("machine_no") == Some(self.machine_no.as_str()) { Ok(fields) } else { Err(NO_MACHINE) }
    }

    fn machine_line(&self) -> Value {
        without_empty(json!({
            "machine_name": "stand-in", "machine_no": self.machine_no.as_str(),
            "is_online": self.machine_online.unwrap_or(false), "status": true,
            "notify_message": "[stand-in]", "created_at": show_date_time(0),
        }))
    }

    fn machine_detail(&self) -> Value {
        without_empty(json!({
            "machine_name": "stand-in", "is_online": self.machine_online.unwrap_or(false), "machine_type": 1,
            "model": { "cabinet_names": ["A"] }, "categories": self.list_categories(),
            "merchant": { "title": "stand-in", "status": "VERIFIED" },
        }))
    }
}

impl StandIn for SimCloud {
    /// Unpaid orders and unanswered commands run out.
    fn tick(&mut self, now_s: u64) {
        self.now_s = self.now_s.max(now_s);
        self.expire_orders();
        self.give_up_deliveries();
    }

    fn mishaps(&mut self) -> &mut Mishaps {
        &mut self.mishaps
    }

    fn dialect(&self) -> Dialect {
        Dialect {
            code: "code",
            text: "message",
            refusal: |code, text| json!({ "code": code, "message": text, "data": {} }),
            unauthorized: (401, 10_013),
        }
    }

    fn serve(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Told {
        match self.result(method, path, headers, body) {
            Ok(data) => Told::json(200, &json!({"code": 0, "message": "ok", "data": data})),
            Err(refusal) => {
                let (status, answer) = refusal.spoken(self.codes);
                Told::json(status, &answer)
            }
        }
    }

    fn set_order(&mut self, order: &str, status: Option<&str>) -> Result<(), NoSuchOrder> {
        let order = order.parse().ok().and_then(|id: u64| self.orders.get_mut(&id)).ok_or(NoSuchOrder)?;
        order.status = status.unwrap_or(OrderStatus::Success.as_str()).to_owned();
        for word in order.records.values_mut().filter(|word| word.is_empty()) {
            "WAITING_PICKED_UP".clone_into(word);
        }
        Ok(())
    }

    /// Of the payload only what names things: no signature, no credential, no pickup code.
    fn shown_fields(&self, body: &[u8]) -> Vec<(String, String)> {
        const SHOWN: [&str; 9] =
            ["method", "status", "order_id", "record_id", "product_id", "channel_name", "id", "page", "trade_id"];
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let fields = asked["payload"].as_str().and_then(|payload| envelope::open(payload.as_bytes()).ok());
        let shown = fields.iter().flat_map(Fields::iter).filter(|(name, _)| SHOWN.contains(name));
        shown.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    }

    fn platform(&mut self) -> Option<&mut SimCloud> {
        Some(self)
    }
}

/// A field that is a whole number; nothing when it is left out or something else.
fn number(fields: &Fields, name: &str) -> Option<u64> {
    fields.get(name)?.parse().ok()
}

/// The platform leaves out what is empty or false.
fn without_empty(object: Value) -> Value {
    match object {
        Value::Object(fields) => {
            let empty = |value: &Value| {
                *value == json!("") || *value == json!(false) || value.as_array().is_some_and(Vec::is_empty)
            };
            Value::Object(fields.into_iter().filter(|(_, value)| !empty(value)).collect::<Map<_, _>>())
        }
        other => other,
    }
}
