//! The platform's side of a machine: commands down, what comes up, and what the merchant is told (cloud 1.6, 1.7, 1.9).

use super::refusal::{
    BAD_FORM, BUSY, NO_DELIVERY, NO_ORDER, NO_PRODUCT, OFFLINE, ORDER_DELIVERED, ORDER_EXPIRED, ORDER_STATUS,
    ORDER_UNPAID, Refusal,
};
use super::shop::ORDER_TIME_OUT_S;
use super::{Outward, SimCloud, SimProduct, number, without_empty};
use crate::cloud::device::PUT_METHOD;
use crate::cloud::envelope::{self, Fields, Rejected};
use crate::cloud::open_platform::{DeliveryState, OrderStatus};
use crate::cloud::report::REPORT_METHOD;
use crate::cloud::up::OFFLINE_METHOD;
use crate::order::local_time::show_date_time;
use serde_json::{Value, json};

/// A command without an answer is given up after so many seconds (cloud 1.7).
pub const DELIVERY_TIME_OUT_S: u64 = 120;
/// Deliveries begin with this number: the vendor's example.
const FIRST_DELIVERY_ID: u64 = 5_121_763_043_809_673;
/// The method of a channel test, the one command that the vendor documents (cloud 1.9).
const DEBUGGING_METHOD: &str = "client.channel.debugging";
/// The machine's number in the platform's own database.
const MACHINE_ID: &str = "1";

/// A command that went to the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimDelivery {
    /// The order and its record; nothing for a test.
    pub of: Option<(u64, u64)>,
    /// When it was sent, Unix s.
    pub sent_at_s: u64,
    /// When it was over, Unix s.
    pub over_at_s: Option<u64>,
    /// Why nothing came out.
    pub fail_reason: String,
    /// The highest correction that was heard.
    pub sequence: u64,
}

impl SimCloud {
    pub(super) fn dispense(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        if fields.get("method") != Some(PUT_METHOD) {
            return Err(BAD_FORM);
        }
        let order_id = number(fields, "order_id").ok_or(BAD_FORM)?;
        let record_id = number(fields, "record_id").ok_or(BAD_FORM)?;
        let order = self.orders.get(&order_id).ok_or(NO_ORDER)?;
        match OrderStatus::parse(&order.status) {
            OrderStatus::Success | OrderStatus::PickupCode | OrderStatus::TestPaid => {}
            OrderStatus::TimedOut => return Err(ORDER_EXPIRED),
            OrderStatus::NotPaid | OrderStatus::UserPaying | OrderStatus::PaymentError => return Err(ORDER_UNPAID),
            _ => return Err(ORDER_STATUS),
        }
        match order.records.get(&record_id).ok_or(NO_ORDER)?.as_str() {
            "" | "WAITING_PICKED_UP" => {}
            _ => return Err(ORDER_DELIVERED),
        }
        let sale = self.sales.get(&order_id);
        if sale.is_some_and(|sale| self.now_s >= sale.created_at_s.saturating_add(ORDER_TIME_OUT_S)) {
            return Err(ORDER_EXPIRED);
        }
        let line = sale.and_then(|sale| sale.lines.get(&record_id)).copied();
        let product = line.and_then(|(product, _)| self.products.get(&product)).ok_or(NO_PRODUCT)?.clone();
        let trade_id = sale.map(|sale| sale.trade_id.clone()).unwrap_or_default();
        let quantity = line.map_or(1, |(_, quantity)| quantity);
        let own = [
            ("order_id", order_id.to_string()),
            ("record_id", record_id.to_string()),
            ("trade_id", trade_id),
            ("quantity", quantity.to_string()),
        ];
        let told = self.command(PUT_METHOD, &product, &own, Some((order_id, record_id)))?;
        if let Some(word) = self.orders.get_mut(&order_id).and_then(|order| order.records.get_mut(&record_id)) {
            "IS_DELIVERING".clone_into(word);
        }
        Ok(told)
    }

    pub(super) fn test_channel(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        let name = fields.get("channel_name").ok_or(BAD_FORM)?;
        if fields.get("method") != Some(PUT_METHOD) || fields.get("notify_url").is_none() {
            return Err(BAD_FORM);
        }
        let product = self.products.values().find(|p| p.channel_name == name).ok_or(NO_PRODUCT)?.clone();
        self.command(DEBUGGING_METHOD, &product, &[("order_type", "test".to_owned())], None)
    }

    /// Sends a command and writes it down; the answer of POST /deliveries.
    fn command(
        &mut self,
        method: &str,
        product: &SimProduct,
        own: &[(&str, String)],
        of: Option<(u64, u64)>,
    ) -> Result<Value, Refusal> {
        if self.machine_online == Some(false) {
            return Err(OFFLINE);
        }
        // One machine dispenses one thing at a time.
        if self.deliveries.values().any(|delivery| delivery.over_at_s.is_none()) {
            return Err(BUSY);
        }
        let id = self.deliveries.keys().max().map_or(FIRST_DELIVERY_ID, |last| last + 1);
        let (delivery_id, now, addr) = (id.to_string(), self.now_s.to_string(), product.addr.to_string());
        let common = [
            ("method", method),
            ("timestamp", &now),
            ("client_id", self.machine_no.as_str()),
            ("machine_id", MACHINE_ID),
            ("msg_id", &delivery_id),
            ("delivery_id", &delivery_id),
            ("code", &product.code),
            ("addr", &addr),
        ];
        let all = common.into_iter().chain(own.iter().map(|(name, text)| (*name, text.as_str())));
        let payload = envelope::seal(all.map(|(name, text)| (name, text.into())), &self.mqtt_key);
        self.want(Outward::Command(payload));
        let delivery =
            SimDelivery { of, sent_at_s: self.now_s, over_at_s: None, fail_reason: String::new(), sequence: 0 };
        self.deliveries.insert(id, delivery);
        let mut told = self.query_delivery(&delivery_id)?;
        told["delivery_id"] = delivery_id.into();
        Ok(told)
    }

    pub(super) fn query_delivery(&self, delivery_id: &str) -> Result<Value, Refusal> {
        let id: u64 = delivery_id.parse().map_err(|_| NO_DELIVERY)?;
        let delivery = self.deliveries.get(&id).ok_or(NO_DELIVERY)?;
        let state = if delivery.over_at_s.is_some() { DeliveryState::Finished } else { DeliveryState::UnderWay };
        Ok(without_empty(json!({
            "delivered_at": show_date_time(delivery.sent_at_s), "status": state.as_str(),
            "pickup_at": delivery.over_at_s.map(show_date_time).unwrap_or_default(),
            "fail_reason": delivery.fail_reason,
        })))
    }

    /// Commands that nobody answered are given up, and the merchants told.
    pub(super) fn give_up_deliveries(&mut self) {
        let over =
            |d: &SimDelivery| d.over_at_s.is_none() && self.now_s >= d.sent_at_s.saturating_add(DELIVERY_TIME_OUT_S);
        let late: Vec<u64> = self.deliveries.iter().filter(|(_, d)| over(d)).map(|(id, _)| *id).collect();
        for id in late {
            let now_s = self.now_s;
            let Some(delivery) = self.deliveries.get_mut(&id) else { continue };
            delivery.over_at_s = Some(now_s);
            "timeout".clone_into(&mut delivery.fail_reason);
            if let Some((order_id, record_id)) = delivery.of {
                self.set_record(order_id, record_id, "IS_TIMEOUT");
                self.notify(order_id, record_id, "0", "", "timeout");
            }
        }
    }

    fn set_record(&mut self, order_id: u64, record_id: u64, word: &str) {
        if let Some(record) = self.orders.get_mut(&order_id).and_then(|order| order.records.get_mut(&record_id)) {
            word.clone_into(record);
        }
    }

    /// The body of the vendor's example, to whoever created the order.
    pub(super) fn notify(&mut self, order_id: u64, record_id: u64, deliver_status: &str, floor: &str, why: &str) {
        let Some(sale) = self.sales.get_mut(&order_id) else { return };
        *sale.notify_sent.entry(record_id).or_default() += 1;
        let url = sale.notify_url.clone();
        let body = without_empty(json!({
            "deliver_status": deliver_status, "error_msg": why, "floor_status": floor, "method": REPORT_METHOD,
            "order_id": order_id, "record_id": record_id,
        }));
        self.want(Outward::Notify { url, body: body.to_string().into_bytes() });
    }

    /// A message from `/server/app`: what it was, in a few words for a log. A message that is not signed is dropped
    /// like by the platform.
    ///
    /// # Errors
    /// [`Rejected`] says why it was dropped.
    pub fn hear(&mut self, payload: &[u8]) -> Result<String, Rejected> {
        let fields = envelope::open(payload)?;
        envelope::verify(&fields, &self.mqtt_key)?;
        let method = fields.get("method").ok_or(Rejected::NoMethod)?;
        match fields.get("client_id") {
            Some(id) if id == self.machine_no.as_str() => {}
            other => return Err(Rejected::NotForThisMachine { found: other.unwrap_or_default().to_owned() }),
        }
        self.machine_online = Some(method != OFFLINE_METHOD);
        if method == REPORT_METHOD {
            return Ok(self.hear_result(&fields));
        }
        let said: Vec<String> = ["state", "reason", "order_id", "record_id", "product_id", "floor_status"]
            .into_iter()
            .filter_map(|name| fields.get(name).map(|text| format!("{name}={text}")))
            .collect();
        Ok(format!("{method} {}", said.join(" ")).trim_end().to_owned())
    }

    fn hear_result(&mut self, fields: &Fields) -> String {
        let (order_id, record_id) = (number(fields, "order_id"), number(fields, "record_id"));
        let (status, floor) =
            (fields.get("deliver_status").unwrap_or_default(), fields.get("floor_status").unwrap_or_default());
        let why = fields.get("error_msg").or(fields.get("fail_reason")).unwrap_or_default();
        let sequence = number(fields, "sequence").unwrap_or(1);
        let told = format!(
            "{REPORT_METHOD} order_id={} record_id={} deliver_status={status} {why}",
            fields.get("order_id").unwrap_or_default(),
            fields.get("record_id").unwrap_or_default()
        );
        let (Some(order_id), Some(record_id)) = (order_id, record_id) else { return told };
        let now_s = self.now_s;
        let of = Some((order_id, record_id));
        // The same report comes again until it is acknowledged; only a correction says something new.
        let Some(delivery) = self.deliveries.values_mut().rfind(|d| d.of == of && d.sequence < sequence) else {
            return told;
        };
        delivery.sequence = sequence;
        delivery.over_at_s = Some(now_s);
        why.clone_into(&mut delivery.fail_reason);
        self.set_record(order_id, record_id, if status == "1" { "IS_SUCCESS" } else { "IS_FAILED" });
        self.notify(order_id, record_id, status, floor, why);
        told
    }
}
