//! Orders as format 1 of the journal had them, so that a machine keeps its journal over an update. They are only read:
//! what changes is written in the format of today.

use super::command::{BodyDigest, Echo, Turns};
use super::key::Key;
use super::life::{Arrival, Order, Refund, Unit};
use super::report::{Copy, Report};
use super::sync::Sync;
use serde::Deserialize;

/// An order whose refund was kept in its own record.
#[derive(Deserialize)]
pub(super) struct Order1 {
    key: Key,
    arrival_number: u64,
    arrival: Arrival,
    issued_at_s: u64,
    drive_until_s: u64,
    notify_url: Option<Box<str>>,
    echo: Echo,
    digest: BodyDigest,
    turns: Option<Turns>,
    units: Vec<Unit>,
    reports: Vec<Report>,
    refund: Copy,
    resolved_by_person: bool,
    shrunk: bool,
}

impl From<Order1> for Order {
    fn from(order: Order1) -> Order {
        let refund = match order.refund {
            Copy::None => Refund::No,
            Copy::Pending { .. } => Refund::Owed,
            Copy::Settled { .. } | Copy::Dead { .. } => Refund::Asked,
        };
        Order {
            key: order.key,
            arrival_number: order.arrival_number,
            arrival: order.arrival,
            issued_at_s: order.issued_at_s,
            drive_until_s: order.drive_until_s,
            notify_url: order.notify_url,
            echo: order.echo,
            digest: order.digest,
            turns: order.turns,
            units: order.units,
            reports: order.reports,
            refund,
            sync: Sync::No,
            resolved_by_person: order.resolved_by_person,
            shrunk: order.shrunk,
            amount: None,
        }
    }
}
