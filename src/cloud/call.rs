//! Calls on their way out: what a stored call of the platform's becomes when it leaves, and what proves that whoever is
//! told has taken it. The other clouds word their own (`super::orders`).

use super::envelope::{self, Value};
use super::open_platform::{self, Account, ApiRequest, NewStatus};
use super::orders::interface::{Failure, Unfit, Verb};
use super::orders::row::Hears;
use super::orders::songshu;
use super::sign::SigningKey;
use super::up::common;
use crate::order::call::Operation;
use crate::order::key::{Id, MachineNo};

/// The request for a refund. The same `timestamp_s` gives the same bytes.
#[must_use]
pub fn refund(account: &Account, machine_no: &MachineNo, order_id: &Id, timestamp_s: u64) -> ApiRequest {
    account.update_order(machine_no, order_id, NewStatus::Refund, timestamp_s)
}

/// Reads the answer to an operation; `hears` is of the cloud that was told, if it was told of a payment.
///
/// # Errors
/// [`Failure`], with what to do next in its [`class`](Failure::class).
pub fn read(operation: &Operation, hears: Option<Hears>, status: u16, body: &[u8]) -> Result<(), Failure> {
    match operation {
        Operation::Refund { .. } => Ok(open_platform::read_update(status, body)?),
        Operation::Notify(_) => Ok(songshu::read_notified(status, body)?),
        Operation::TellPaid(_) => {
            let hears = hears.ok_or(Unfit::Cannot(Verb::Notify))?;
            Ok((hears.read)(status, body)?)
        }
    }
}

/// The body of what a merchant is told beside results: all fields as texts in their order, then time and signature, which
/// covers everything that is not empty (cloud 1.1). The same `timestamp_s` gives the same bytes.
#[must_use]
pub fn told(fields: &[(Box<str>, Box<str>)], timestamp_s: u64, signing: &SigningKey) -> Vec<u8> {
    let fields = own(fields).chain([("timestamp", timestamp_s.to_string().into())]);
    envelope::signed_json(fields.collect(), signing)
}

/// The payload of a message up: the platform's common fields and these, signed. The same `timestamp_s` gives the same
/// bytes.
#[must_use]
pub fn message(
    machine_no: &MachineNo,
    method: &str,
    fields: &[(Box<str>, Box<str>)],
    timestamp_s: u64,
    signing: &SigningKey,
) -> Vec<u8> {
    envelope::seal(common(method, machine_no, None, timestamp_s).chain(own(fields)), signing)
}

fn own(fields: &[(Box<str>, Box<str>)]) -> impl Iterator<Item = (&str, Value<'_>)> {
    fields.iter().map(|(name, text)| (&**name, Value::from(&**text)))
}
