//! What a paid command asks for, after everything about it was checked (contract, section 2).

use super::key::Key;
use crate::order::motor::{Address, FloorType, Slot};
use crate::order::outcome::Reason;
use crate::order::payment::OpenId;
use crate::order::stock::Fen;
use serde::{Deserialize, Serialize};

/// Most units of one order.
pub const QUANTITY_MAX: u8 = 10;
/// Longest notify_url kept, in bytes: with it an order's record stays well under 4 KiB (order-life, rule 2).
pub const NOTIFY_URL_BYTES_MAX: usize = 2_000;
/// Longest delivery_id, trade_id, machine_id or msg_id kept, in bytes, for the same reason.
pub const ECHO_BYTES_MAX: usize = 128;

/// MD5 over what makes two commands the same: code, addr, quantity, floor_type, is_lp, is_dc after defaults
/// (order-life, rule 10). Signatures, times and message ids may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BodyDigest(pub [u8; 16]);

/// What to turn, how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns {
    /// The driver board.
    pub address: Address,
    /// The slot on it.
    pub slot: Slot,
    /// The mechanism.
    pub floor_type: FloorType,
    /// Use the lift.
    pub lift: bool,
    /// Arm the drop sensor.
    pub drop_check: bool,
    /// Units, 1…[`QUANTITY_MAX`].
    pub quantity: u8,
}

/// Fields that come back unchanged in messages and reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// The platform's delivery.
    pub delivery_id: Option<Box<str>>,
    /// The merchant's trade.
    pub trade_id: Option<Box<str>>,
    /// The platform's machine.
    pub machine_id: Option<Box<str>>,
    /// The message.
    pub msg_id: Option<Box<str>>,
}

/// What a command says of the sale behind it. Other clouds may be told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sold {
    /// What was paid; where the platform is asked about the order, its books must not say otherwise (rule 59).
    pub amount: Option<Fen>,
    /// Who bought.
    pub openid: Option<OpenId>,
}

/// A verified `device.delivery.put` with a usable key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: Key,
    /// Unix seconds when the platform issued the command.
    pub issued_at_s: u64,
    /// Unix seconds of the payment, when the command says so; the 20 minutes count from it.
    pub paid_at_s: Option<u64>,
    /// Unix seconds after which the motor must not be driven: min(expired_at, (paid_at or timestamp) + 1200).
    pub drive_until_s: u64,
    /// Where the result is POSTed.
    pub notify_url: Option<Box<str>>,
    /// What comes back unchanged.
    pub echo: Echo,
    /// What tells two commands of one key apart.
    pub digest: BodyDigest,
    /// What it says of the sale.
    pub sold: Sold,
    /// What is to be turned, or why this command can never be driven (invalid, slot, ambiguous): a refusal under
    /// the key, like any other outcome (order-life, rule 9).
    pub turns: Result<Turns, Reason>,
}
