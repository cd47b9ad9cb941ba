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
}

/// The documented code, if it is one.
#[must_use]
pub fn find(code: u32) -> Option<ApiCode> {
    CODES.iter().copied().find(|known| known.code == code)
}

const fn retry(code: u32, meaning: &'static str) -> ApiCode {
    ApiCode { code, class: RetryClass::Retry, meaning }
}

const fn last(code: u32, meaning: &'static str) -> ApiCode {
    ApiCode { code, class: RetryClass::Final, meaning }
}

const fn done(code: u32, meaning: &'static str) -> ApiCode {
    ApiCode { code, class: RetryClass::AlreadyDone, meaning }
}

/// Codes with two documented meanings name both; where only the subject is public, the subject.
const CODES: &[ApiCode] = &[
    last(400, "bad request"),
    last(404, "not found"),
    last(10_001, "a field of the form is wrong"),
    last(10_008, "Appid or AppSecret is empty"),
    last(10_009, "the merchant's contract has expired"),
    last(10_010, "the merchant is not verified"),
    last(10_013, "the AppSecret is wrong"),
    last(10_014, "the Appid is wrong"),
    last(10_023, "pickup codes are not enabled"),
    last(10_025, "the pickup code was used"),
    last(30_001, "no machine belongs to this account"),
    retry(30_002, "the machine is offline for the platform"),
    last(30_003, "there is no such machine"),
    last(30_004, "the machine is not in operation"),
    last(40_005, "the order has expired"),
    last(40_006, "the order's status does not allow it"),
    last(60_002, "the product is off sale"),
    last(60_003, "the stock is too low"),
    last(80_002, "there is no such record"),
    last(1000, "not authorized"),
    last(4000, "the Appid is empty"),
    last(4001, "the Appid is wrong"),
    last(4002, "not supported"),
    last(4003, "a parameter is wrong"),
    last(4004, "there is no such record"),
    last(4005, "the machine is installed already"),
    last(4006, "the signature of the payload is wrong"),
    last(4007, "the installation password is wrong"),
    retry(4008, "the machine is offline for the platform"),
    last(4009, "the AppSecret is wrong"),
    last(5001, "the transfer's state does not allow it"),
    last(5002, "the transfer's state does not allow it"),
    last(5003, "the transfer's state does not allow it"),
    last(6001, "the IMEI is in use"),
    last(6002, "no permission to create"),
    last(6003, "no permission to delete"),
    last(6004, "no permission to update"),
    last(6005, "no permission to read"),
    last(6006, "the machine is being transferred"),
    last(6007, "not the owner"),
    last(6008, "the other side's quota is too small"),
    last(6009, "the user name is in use"),
    last(6010, "the passwords differ"),
    last(6011, "the password is empty"),
    last(6012, "the user name is empty"),
    last(6013, "the telephone number or role name is in use"),
    last(6014, "the e-mail address is in use, or the token failed"),
    retry(6015, "the action timed out, or the QR code has expired"),
    last(6016, "there is no such route"),
    last(6017, "the merchant's contract has expired"),
    last(6018, "the merchant is not verified"),
    last(6020, "the Appid is wrong"),
    last(6021, "the HTTP method is not allowed"),
    last(6022, "the merchant exists already"),
    last(6023, "there is no such merchant"),
    last(6024, "the merchant is denied"),
    retry(6025, "the machine is offline for the platform"),
    last(6026, "there is no such machine"),
    last(6027, "the IMEI is in use"),
    last(6028, "the machine still has products"),
    last(6029, "expired_at is wrong"),
    last(6030, "the pickup code exists already"),
    last(6031, "pickup codes are disabled"),
    last(6032, "the pickup code has expired"),
    last(6033, "the pickup code was used"),
    done(6034, "the order was delivered already"),
    last(6035, "not enough pickup codes"),
    last(6036, "something is wrong with the banner"),
    last(6037, "something is wrong with the model"),
    last(6038, "something is wrong with the cabinet"),
    last(6039, "something is wrong with the merchant"),
    last(6040, "the trade id exists already"),
    last(6041, "the trade id is empty"),
    last(6042, "the order has expired"),
    last(6043, "the order's status does not allow it"),
    last(6044, "no permission"),
    last(6045, "there is no such product"),
    last(6046, "the product is off sale"),
    last(6047, "the stock is too low"),
    last(6048, "the order could not be created"),
    done(6049, "the order was paid already"),
    last(6050, "something is wrong with the cart"),
    last(6051, "something is wrong with the cart"),
    last(6052, "something is wrong with the cart"),
    last(6053, "the payment failed"),
    last(6054, "the order is not paid"),
    last(6055, "the model is in use"),
    last(6056, "the product is not for sale"),
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
