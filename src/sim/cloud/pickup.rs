//! Pickup codes on the stand-in's books.

use super::refusal::{BAD_FORM, CODE_EXPIRED, CODE_USED, NO_CODE, NO_PRODUCT, Refusal};
use super::{SimCloud, number, without_empty};
use crate::cloud::envelope::Fields;
use crate::cloud::open_platform::PlatformTime;
use crate::order::local_time::show_date_time;
use serde_json::{Value, json};

/// Codes begin with this number on the books.
const FIRST_CODE_ID: u64 = 3_001;
/// Spreads the codes; it shares no factor with ten, so that no two numbers give one code.
const SPREAD: u64 = 7_368_787;

/// A code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimCode {
    /// What the customer types.
    pub code: String,
    /// What it is good for.
    pub product_id: u64,
    /// Until when, the platform's time; empty: for ever.
    pub expired_at: String,
    /// When it was made, Unix s.
    pub created_at_s: u64,
    /// The order that it became.
    pub order_id: Option<u64>,
}

impl SimCloud {
    /// The platform's texts of times sort as the times do.
    fn is_over(&self, code: &SimCode) -> bool {
        !code.expired_at.is_empty() && code.expired_at.as_str() <= show_date_time(self.now_s).as_str()
    }

    pub(super) fn create_codes(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        let length: u32 = number(fields, "code_length").unwrap_or(6).try_into().map_err(|_| BAD_FORM)?;
        let expired_at = fields.get("expired_at").unwrap_or_default();
        let is_time = expired_at.is_empty() || expired_at.parse::<PlatformTime>().is_ok();
        if !(6..=10).contains(&length) || !is_time {
            return Err(BAD_FORM);
        }
        let wanted: Vec<(u64, u64)> = match fields.get("method") {
            Some("pickup_code.product.id") => {
                let id = number(fields, "product_id").ok_or(BAD_FORM)?;
                let product = self.products.get(&id).ok_or(NO_PRODUCT)?;
                let count = number(fields, "count").unwrap_or(1);
                if !(1..=product.capacity).contains(&count) {
                    return Err(BAD_FORM);
                }
                vec![(id, count)]
            }
            Some("pickup_code.product.all") => self.products.keys().map(|id| (*id, 1)).collect(),
            _ => return Err(BAD_FORM),
        };
        for (product_id, count) in wanted {
            for _ in 0..count {
                let id = self.pickup_codes.keys().max().map_or(FIRST_CODE_ID, |last| last + 1);
                let digits = id.wrapping_mul(SPREAD) % 10_u64.pow(length);
                let code = SimCode {
                    code: format!("{digits:0width$}", width = usize::try_from(length).unwrap_or(6)),
                    product_id,
                    expired_at: expired_at.to_owned(),
                    created_at_s: self.now_s,
                    order_id: None,
                };
                self.pickup_codes.insert(id, code);
            }
        }
        Ok(json!({}))
    }

    pub(super) fn list_codes(&self, product_id: &str) -> Result<Value, Refusal> {
        let product_id: u64 = product_id.parse().map_err(|_| NO_PRODUCT)?;
        self.products.get(&product_id).ok_or(NO_PRODUCT)?;
        let is_good = |code: &SimCode| code.product_id == product_id && code.order_id.is_none() && !self.is_over(code);
        let told = |(id, code): (&u64, &SimCode)| {
            without_empty(json!({
                "id": id, "code": code.code, "status": "UNUSED", "created_at": show_date_time(code.created_at_s),
                "expired_at": code.expired_at, "quantity": 1,
            }))
        };
        Ok(self.pickup_codes.iter().filter(|(_, code)| is_good(code)).map(told).collect())
    }

    pub(super) fn cancel_codes(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        match fields.get("method") {
            Some("pickup_code.delete.id") => {
                let id = number(fields, "id").ok_or(BAD_FORM)?;
                self.pickup_codes.remove(&id).ok_or(NO_CODE)?;
            }
            Some("pickup_code.delete.all") => self.pickup_codes.clear(),
            _ => return Err(BAD_FORM),
        }
        Ok(json!({}))
    }

    pub(super) fn consume(&mut self, fields: &Fields) -> Result<Value, Refusal> {
        let text = |name: &str| fields.get(name).ok_or(BAD_FORM);
        if text("method")? != "event.consume.pickup_code" {
            return Err(BAD_FORM);
        }
        let (digits, notify_url, trade_id) = (text("code")?, text("notify_url")?, text("trade_id")?);
        let product_id = number(fields, "product_id").ok_or(BAD_FORM)?;
        let fits = |(_, code): &(&u64, &SimCode)| code.code == digits && code.product_id == product_id;
        let (id, code) = self.pickup_codes.iter().find(fits).ok_or(NO_CODE)?;
        if let Some(order_id) = code.order_id {
            return Err(CODE_USED.about(order_id));
        }
        if self.is_over(code) {
            return Err(CODE_EXPIRED);
        }
        let id = *id;
        let order_id = self.sell(&[(product_id, 1)], trade_id, notify_url, Some(id))?;
        if let Some(code) = self.pickup_codes.get_mut(&id) {
            code.order_id = Some(order_id);
        }
        self.order_as_told(order_id)
    }
}
