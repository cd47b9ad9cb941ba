//! Who calls in tests: the samples that the vendor prints, and no real credentials.

#![allow(clippy::unwrap_used, reason = "constants, and right ones")]

use crate::cloud::open_platform::{Account, AppSecret};
use crate::cloud::orders::course::PaidWith;
use crate::cloud::orders::interface::PaidBy;
use crate::cloud::sign::SigningKey;
use crate::order::key::{Id, MachineNo};
use crate::order::time::UnixMs;

/// The merchant's account.
#[must_use]
pub fn account() -> Account {
    Account {
        app_id: "ds069ed4223ac1660f".to_owned(),
        app_secret: AppSecret::new("hush"),
        app_key: SigningKey::new("kva").unwrap(),
    }
}

/// The machine.
#[must_use]
pub fn machine() -> MachineNo {
    MachineNo::parse("16327129").unwrap()
}

/// A payment by WeChat.
#[must_use]
pub fn payment(at: UnixMs) -> PaidBy {
    let (third_trade_no, third_buyer_id) = ("42000004".to_owned(), "oB".to_owned());
    PaidBy { at, with: PaidWith::WeChat, third_trade_no, third_buyer_id }
}

/// An id that is known to be one.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}
