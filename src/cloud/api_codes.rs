//! The platform's error codes (cloud 1.8). Two generations live side by side: the pages' examples use five digits (and
//! HTTP's own 400 and 404), the table of June 2024 four. Both are accepted.

/// What to do after a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryClass {
    /// The same call may succeed later.
    Retry,
    /// The same call will fail again.
    Final,
    /// What was asked for had been done before.
    AlreadyDone,
}

impl RetryClass {
    /// What an HTTP status alone says: 408, 425, 429 and 5xx pass, as for reports (order-life, section 4). A 2xx comes
    /// here with a code that nobody documents: it proves nothing either way, and the caller's limits end the asking.
    #[must_use]
    pub const fn of_http(status: u16) -> RetryClass {
        match status {
            200..=299 | 408 | 425 | 429 | 500.. => RetryClass::Retry,
            _ => RetryClass::Final,
        }
    }
}

/// A documented code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiCode {
    /// The number.
    pub code: u32,
    /// What to do next.
    pub class: RetryClass,
    /// What it means, for technicians.
    pub meaning: &'static str,
    /// The same in Chinese.
    pub meaning_zh: &'static str,
}

/// The documented code, if it is one.
#[must_use]
pub fn find(code: u32) -> Option<ApiCode> {
    CODES.iter().copied().find(|known| known.code == code)
}

const fn retry(code: u32, meaning: &'static str, meaning_zh: &'static str) -> ApiCode {
    ApiCode { code, class: RetryClass::Retry, meaning, meaning_zh }
}

const fn last(code: u32, meaning: &'static str, meaning_zh: &'static str) -> ApiCode {
    ApiCode { code, class: RetryClass::Final, meaning, meaning_zh }
}

const fn done(code: u32, meaning: &'static str, meaning_zh: &'static str) -> ApiCode {
    ApiCode { code, class: RetryClass::AlreadyDone, meaning, meaning_zh }
}

/// Codes with two documented meanings name both; where only the subject is public, the subject.
const CODES: &[ApiCode] = &[
    last(400, "bad request", "请求有误"),
    last(404, "not found", "不存在"),
    last(10_001, "a field of the form is wrong", "表单字段有误"),
    last(10_008, "Appid or AppSecret is empty", "Appid 或 AppSecret 为空"),
    last(10_009, "the merchant's contract has expired", "商户合同已到期"),
    last(10_010, "the merchant is not verified", "商户未认证"),
    last(10_013, "the AppSecret is wrong", "AppSecret 有误"),
    last(10_014, "the Appid is wrong", "Appid 有误"),
    last(10_023, "pickup codes are not enabled", "未启用取货码"),
    last(10_025, "the pickup code was used", "取货码已使用"),
    last(30_001, "no machine belongs to this account", "此账户名下没有机器"),
    retry(30_002, "the machine is offline for the platform", "平台认为机器离线"),
    last(30_003, "there is no such machine", "没有此机器"),
    last(30_004, "the machine is not in operation", "机器未运营"),
    last(40_005, "the order has expired", "订单已过期"),
    last(40_006, "the order's status does not allow it", "订单状态不允许"),
    last(60_002, "the product is off sale", "商品已下架"),
    last(60_003, "the stock is too low", "库存不足"),
    last(80_002, "there is no such record", "没有此记录"),
    last(1000, "not authorized", "未授权"),
    last(4000, "the Appid is empty", "Appid 为空"),
    last(4001, "the Appid is wrong", "Appid 有误"),
    last(4002, "not supported", "不支持"),
    last(4003, "a parameter is wrong", "参数有误"),
    last(4004, "there is no such record", "没有此记录"),
    last(4005, "the machine is installed already", "机器已安装"),
    last(4006, "the signature of the payload is wrong", "内容的签名有误"),
    last(4007, "the installation password is wrong", "安装密码有误"),
    retry(4008, "the machine is offline for the platform", "平台认为机器离线"),
    last(4009, "the AppSecret is wrong", "AppSecret 有误"),
    last(5001, "the transfer's state does not allow it", "转移状态不允许"),
    last(5002, "the transfer's state does not allow it", "转移状态不允许"),
    last(5003, "the transfer's state does not allow it", "转移状态不允许"),
    last(6001, "the IMEI is in use", "IMEI 已被使用"),
    last(6002, "no permission to create", "无权创建"),
    last(6003, "no permission to delete", "无权删除"),
    last(6004, "no permission to update", "无权修改"),
    last(6005, "no permission to read", "无权读取"),
    last(6006, "the machine is being transferred", "机器正在转移"),
    last(6007, "not the owner", "不是所有者"),
    last(6008, "the other side's quota is too small", "对方配额不足"),
    last(6009, "the user name is in use", "用户名已被使用"),
    last(6010, "the passwords differ", "两次密码不同"),
    last(6011, "the password is empty", "密码为空"),
    last(6012, "the user name is empty", "用户名为空"),
    last(6013, "the telephone number or role name is in use", "电话号码或角色名已被使用"),
    last(6014, "the e-mail address is in use, or the token failed", "邮箱已被使用，或令牌失效"),
    retry(6015, "the action timed out, or the QR code has expired", "操作超时，或二维码已过期"),
    last(6016, "there is no such route", "没有此路由"),
    last(6017, "the merchant's contract has expired", "商户合同已到期"),
    last(6018, "the merchant is not verified", "商户未认证"),
    last(6020, "the Appid is wrong", "Appid 有误"),
    last(6021, "the HTTP method is not allowed", "不允许此 HTTP 方法"),
    last(6022, "the merchant exists already", "商户已存在"),
    last(6023, "there is no such merchant", "没有此商户"),
    last(6024, "the merchant is denied", "商户被禁止"),
    retry(6025, "the machine is offline for the platform", "平台认为机器离线"),
    last(6026, "there is no such machine", "没有此机器"),
    last(6027, "the IMEI is in use", "IMEI 已被使用"),
    last(6028, "the machine still has products", "机器仍有商品"),
    last(6029, "expired_at is wrong", "expired_at 有误"),
    last(6030, "the pickup code exists already", "取货码已存在"),
    last(6031, "pickup codes are disabled", "取货码已停用"),
    last(6032, "the pickup code has expired", "取货码已过期"),
    last(6033, "the pickup code was used", "取货码已使用"),
    done(6034, "the order was delivered already", "订单已出货"),
    last(6035, "not enough pickup codes", "取货码不足"),
    last(6036, "something is wrong with the banner", "图片有问题"),
    last(6037, "something is wrong with the model", "机型有问题"),
    last(6038, "something is wrong with the cabinet", "货柜有问题"),
    last(6039, "something is wrong with the merchant", "商户有问题"),
    last(6040, "the trade id exists already", "商户单号（trade_id）已存在"),
    last(6041, "the trade id is empty", "商户单号（trade_id）为空"),
    last(6042, "the order has expired", "订单已过期"),
    last(6043, "the order's status does not allow it", "订单状态不允许"),
    last(6044, "no permission", "没有权限"),
    last(6045, "there is no such product", "没有此商品"),
    last(6046, "the product is off sale", "商品已下架"),
    last(6047, "the stock is too low", "库存不足"),
    last(6048, "the order could not be created", "订单未能创建"),
    done(6049, "the order was paid already", "订单已支付"),
    last(6050, "something is wrong with the cart", "购物车有问题"),
    last(6051, "something is wrong with the cart", "购物车有问题"),
    last(6052, "something is wrong with the cart", "购物车有问题"),
    last(6053, "the payment failed", "支付失败"),
    last(6054, "the order is not paid", "订单未支付"),
    last(6055, "the model is in use", "机型正在使用"),
    last(6056, "the product is not for sale", "商品不出售"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once() {
        for (at, known) in CODES.iter().enumerate() {
            assert!(CODES[..at].iter().all(|other| other.code != known.code), "{}", known.code);
        }
        assert_eq!(find(0), None);
    }

    #[test]
    fn only_what_passes_by_itself_is_tried_again() {
        let of = |class| CODES.iter().filter(|known| known.class == class).map(|known| known.code).collect::<Vec<_>>();
        assert_eq!(of(RetryClass::Retry), [30_002, 4008, 6015, 6025]);
        assert_eq!(of(RetryClass::AlreadyDone), [6034, 6049]);
    }
}
