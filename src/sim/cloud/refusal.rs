//! The stand-in's refusals, each in both generations of codes (cloud 1.8).

use serde_json::{Value, json};

/// Which of the two generations of codes the stand-in speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// Five digits, as in the pages' examples.
    FiveDigits,
    /// Four digits, as in the table of June 2024.
    FourDigits,
}

/// A refusal in both generations: HTTP status, five digits, four digits, text, and the order it names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    status: u16,
    five: u32,
    four: u32,
    message: &'static str,
    order_id: Option<u64>,
}

const fn refusal(status: u16, five: u32, four: u32, message: &'static str) -> Refusal {
    Refusal { status, five, four, message, order_id: None }
}

pub(super) const NO_CREDENTIALS: Refusal = refusal(401, 10_008, 4000, "appid or appsecret is empty");
pub(super) const WRONG_APP_ID: Refusal = refusal(401, 10_014, 4001, "appid is invalid");
pub(super) const WRONG_APP_SECRET: Refusal = refusal(401, 10_013, 4009, "app secret is invalid");
pub(super) const NO_ROUTE: Refusal = refusal(404, 404, 6016, "route not found");
pub(super) const BAD_FORM: Refusal = refusal(200, 10_001, 4003, "invalid params");
pub(super) const WRONG_SIGN: Refusal = refusal(200, 10_001, 4006, "payload sign invalid");
pub(super) const NO_MACHINE: Refusal = refusal(200, 30_003, 6026, "设备不存在");
pub(super) const OFFLINE: Refusal = refusal(200, 30_002, 4008, "设备已离线");
pub(super) const NO_ORDER: Refusal = refusal(200, 80_002, 4004, "查不到对应记录");
pub(super) const NO_DELIVERY: Refusal = refusal(200, 404, 404, "Not Found");
pub(super) const ORDER_EXPIRED: Refusal = refusal(200, 40_005, 6042, "订单已过期");
pub(super) const ORDER_STATUS: Refusal = refusal(200, 40_006, 6043, "订单状态无效");
pub(super) const ORDER_PAID: Refusal = refusal(200, 40_006, 6049, "订单已支付");
pub(super) const ORDER_DELIVERED: Refusal = refusal(200, 40_006, 6034, "订单已出货");
/// The five digits' page shows this one with code 0.
pub(super) const ORDER_UNPAID: Refusal = refusal(200, 0, 6054, "订单未支付");
pub(super) const BUSY: Refusal = refusal(200, 40_006, 6015, "设备正在出货");
pub(super) const TRADE_ID_USED: Refusal = refusal(200, 10_001, 6040, "trade id exists");
pub(super) const TRADE_ID_EMPTY: Refusal = refusal(200, 10_001, 6041, "trade id is empty");
pub(super) const NO_PRODUCT: Refusal = refusal(200, 80_002, 6045, "商品不存在");
pub(super) const STOCK_LOW: Refusal = refusal(200, 60_003, 6047, "商品库存不足");
/// Shown with code 0 in both.
pub(super) const OVERFULL: Refusal = refusal(200, 0, 0, "超出货道最大库存");
pub(super) const NO_CODE: Refusal = refusal(200, 80_002, 4004, "查不到对应记录");
pub(super) const CODE_EXPIRED: Refusal = refusal(200, 80_002, 6032, "取货码已过期");
pub(super) const CODE_USED: Refusal = refusal(200, 10_025, 6033, "取货码已使用");

impl Refusal {
    pub(super) const fn about(self, order_id: u64) -> Refusal {
        Refusal { order_id: Some(order_id), ..self }
    }

    /// HTTP status and envelope.
    pub(super) fn spoken(self, codes: Codes) -> (u16, Value) {
        let code = match codes {
            Codes::FiveDigits => self.five,
            Codes::FourDigits => self.four,
        };
        let data = self.order_id.map_or_else(|| json!({}), |id| json!({ "order_id": id }));
        (self.status, json!({ "code": code, "message": self.message, "data": data }))
    }
}
