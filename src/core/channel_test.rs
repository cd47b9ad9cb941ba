//! Test vends that the platform wants (`client.channel.debugging`, cloud 1.9): one turn of one slot, told to nobody.
//!
//! It is a test vend like one that a person at the machine wants (rule 35), begun by an instruction: its intent, the
//! memory that makes the instruction worthless when it comes again, and its audit entry are one batch, which the
//! acknowledgement follows. The platform keeps no result of a test, and documents no message for one: what became of it
//! stands in the audit.

use super::Core;
use crate::board::service::ServiceError;
use crate::order::command::Turns;
use crate::order::instruction::{Became, Refused};
use crate::order::key::Key;
use crate::order::life::{Order, Unit};
use crate::order::outcome::UnitOutcome;
use crate::order::time::Now;

impl Core {
    /// Begins the test, at once or not at all: what the audit says of it.
    pub(super) fn begin_channel_test(&mut self, now: Now, turns: Turns) -> Result<String, (Refused, &'static str)> {
        if self.instructions.act.is_some() {
            return Err((Refused::Busy, "the machine is about to start anew or to be switched off"));
        }
        // Asked before it begins: it is in the queue itself then.
        let orders_come_first = self.orders_come_first();
        let why_not = |error| match error {
            ServiceError::Busy if orders_come_first => (Refused::OrdersOpen, "orders come first"),
            ServiceError::Busy => (Refused::Busy, "the board is doing something"),
            ServiceError::Away => (Refused::BoardAway, "the board is not there, or has not settled"),
            ServiceError::NoSuchBoard => (Refused::Invalid, "addr"),
            ServiceError::NoSuchSlot => (Refused::Invalid, "code"),
            _ => (Refused::Unavailable, "the machine begins nothing now"),
        };
        let number = self.begin_test(now, turns, |_| None).map_err(why_not)?;
        Ok(format!("test {number} of slot {} of board {}", turns.slot.0, turns.address.get()))
    }

    /// The test vend has ended: its audit entry says how, in the batch of its outcome.
    pub(super) fn audit_ended_test(&mut self, key: &Key) {
        let unit = self.orders.get(key).and_then(|order| order.units.first());
        let Some(outcome) = unit.and_then(Unit::outcome) else { return };
        let Some(number) = self.tests.take_audited() else { return };
        let (became, said) = match outcome {
            UnitOutcome::Unknown => (Became::Unknown, "nothing proves what became of it"),
            UnitOutcome::Refused(reason) => (Became::Failed, reason.as_str()),
            outcome => (Became::Done, outcome.as_str()),
        };
        let begun = self.instructions.entry(number).map(|entry| entry.detail.to_string()).unwrap_or_default();
        self.set_entry(number, became, Some(&format!("{begun}: {said}")), None);
    }

    /// At start: a test vend that an audit entry calls under way, and that the journal does not have as open, has ended
    /// in a commit that was only seen.
    pub(super) fn find_the_audited_test(&mut self) {
        let is_open = |order: &Order| order.key.is_test() && !order.is_final();
        if self.orders.values().any(is_open) {
            return;
        }
        if let Some(number) = self.tests.take_audited() {
            self.set_entry(number, Became::Unknown, Some("nothing is kept of it"), None);
        }
    }
}
