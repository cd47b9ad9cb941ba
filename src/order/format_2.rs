//! Orders as format 2 of the journal had them: what a command says was paid was not kept. They are only read, like those
//! of format 1.

use super::command::{BodyDigest, Echo, Turns};
use super::key::Key;
use super::life::{Arrival, Order, Refund, Unit};
use super::report::Report;
use super::sync::Sync;
use serde::Deserialize;

/// An order without an amount.
#[derive(Deserialize)]
pub(super) struct Order2 {
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
    refund: Refund,
    sync: Sync,
    resolved_by_person: bool,
    shrunk: bool,
}

impl From<Order2> for Order {
    fn from(order: Order2) -> Order {
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
            refund: order.refund,
            sync: order.sync,
            resolved_by_person: order.resolved_by_person,
            shrunk: order.shrunk,
            amount: None,
        }
    }
}
