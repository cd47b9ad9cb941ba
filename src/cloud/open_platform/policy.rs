//! Whether the cloud's word lets a record be driven (order-life, rules 27 and 59).

use super::money::{Fen, Price};
use super::order::Order;
use super::status::{OrderStatus, RecordStatus};
use crate::order::key::Id;
use crate::order::outcome::Reason;

/// What the cloud's word means for a command that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing stands against it.
    Drive,
    /// It must never be driven.
    Refuse(Reason),
    /// The answer decides nothing: hold, ask again, and let the order's own expiry end it.
    AskAgain,
}

/// Whether the cloud lets a record be driven. A refusal is for ever, so only a clear word refuses, and only a clear
/// word drives.
#[must_use]
pub fn may_drive(order: &Order, record_id: &Id) -> Verdict {
    match order.status {
        // Paid by money, by code, or by the merchant's own test.
        OrderStatus::Success | OrderStatus::PickupCode | OrderStatus::TestPaid => {}
        OrderStatus::NotPaid | OrderStatus::PaymentError => return Verdict::Refuse(Reason::Unpaid),
        // The money was given back or never comes.
        OrderStatus::Refund | OrderStatus::Closed | OrderStatus::Revoked | OrderStatus::TimedOut => {
            return Verdict::Refuse(Reason::Closed);
        }
        // A payment under way may succeed in a second; an unknown word may mean anything.
        OrderStatus::UserPaying | OrderStatus::Unknown(_) => return Verdict::AskAgain,
    }
    let Some(record) = order.records.iter().find(|record| record.id == record_id.as_str()) else {
        // Empty lists are left out of answers, so a missing record proves nothing.
        return Verdict::AskAgain;
    };
    match record.status {
        // Delivering is what the platform says from the moment on that it sent us the command. An absent status is an
        // empty one: nothing happened to the record yet.
        None | Some(RecordStatus::WaitingPickedUp | RecordStatus::Delivering) => Verdict::Drive,
        Some(RecordStatus::Success | RecordStatus::PickedUp) => Verdict::Refuse(Reason::Served),
        // Given up, and the merchant was told: after IS_TIMEOUT and IS_FAILED the money may be on its way back.
        Some(RecordStatus::Failed | RecordStatus::TimedOut | RecordStatus::Refunded | RecordStatus::Cancelled) => {
            Verdict::Refuse(Reason::Closed)
        }
        Some(RecordStatus::Unknown(_)) => Verdict::AskAgain,
    }
}

/// Whether a command says that something else was paid than the books do (order-life, rule 59). No document says whether
/// a command carries the price of its record or of the whole order, so either is right. What is left out or cannot be
/// read says nothing, on either side; the platform leaves zeros out (cloud 1.4), so a zero on the books says nothing too.
#[must_use]
pub fn names_another_amount(command: Option<Fen>, order: &Order, record_id: &Id) -> bool {
    let Some(command) = command else { return false };
    let said = |price: &Price| price.as_ref().ok().copied().filter(|fen| *fen != Fen(0));
    let record = order.records.iter().find(|record| record.id == record_id.as_str());
    match (said(&order.amount), record.and_then(|record| said(&record.price))) {
        (Some(total), Some(price)) => command != total && command != price,
        // What an order of one record costs, its record costs.
        (Some(one), None) | (None, Some(one)) => order.records.len() == 1 && command != one,
        (None, None) => false,
    }
}
