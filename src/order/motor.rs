//! What one turn of one motor is: the words that orders and boards share.

use super::said::InChinese;
use serde::{Deserialize, Serialize};

/// A driver board's number as the platform counts: 1…8. The profile says what stands on the wire for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Address(u8);

/// A number that names no driver board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address is 1 to {max}, not {0}", max = Address::MAX)]
pub struct NoAddress(pub u8);

impl InChinese for NoAddress {
    fn zh(&self) -> String {
        format!("驱动板地址应为 1 至 {}，此处为 {}", Address::MAX, self.0)
    }
}

impl TryFrom<u8> for Address {
    type Error = NoAddress;
    fn try_from(n: u8) -> Result<Self, NoAddress> {
        Address::new(n).ok_or(NoAddress(n))
    }
}

impl From<Address> for u8 {
    fn from(address: Address) -> u8 {
        address.0
    }
}

impl Address {
    /// Most driver boards on one line (contract, `addr`).
    pub const MAX: u8 = 8;
    /// The first, or only, driver board.
    pub const FIRST: Address = Address(1);

    /// 1…8, or nothing.
    #[must_use]
    pub const fn new(n: u8) -> Option<Self> {
        if n >= 1 && n <= Self::MAX { Some(Address(n)) } else { None }
    }

    /// 1…8.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A slot in the board's own numbering, already checked against the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub u16);

/// What kind of mechanism turns (cloud 1.9 `floor_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FloorType {
    /// "1": spring motor.
    Spring,
    /// "2": electronic lock.
    Lock,
    /// "3": belt.
    Belt,
}

/// One turn of one motor: always one unit (rule 23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MotorCommand {
    /// The driver board.
    pub address: Address,
    /// The slot on it.
    pub slot: Slot,
    /// The mechanism.
    pub floor_type: FloorType,
    /// Use the lift (`is_lp`).
    pub lift: bool,
    /// Arm the drop sensor (`is_dc`).
    pub drop_check: bool,
}

/// What the driver wants kept with the intent: what the board said just before, and the sequence number that the
/// command will carry where the protocol has one. Opaque to the core; at most [`Reference::BYTES_MAX`] bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference(pub Vec<u8>);

impl Reference {
    /// Keeps the order's record small (rule 2).
    pub const BYTES_MAX: usize = 64;
}
