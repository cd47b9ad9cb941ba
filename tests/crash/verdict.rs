//! Whether a journal still holds all that the world was told.

use super::told::{Name, OrderTold, Told};
use crate::common::command::{APP_KEY, MACHINE_NO};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use vend::cloud::report::Report;
use vend::cloud::sign::SigningKey;
use vend::io::journal::{InspectError, Inspected, OpenError, Opened, Store, read_copy};
use vend::order::key::MachineNo;
use vend::order::life::{Order, State, Unit};
use vend::order::record::{self, decode_ledger};

/// How often, and how long between, a journal is looked into that another thread seems to have.
const IN_USE_TRIES: u32 = 20;
const IN_USE_PAUSE: Duration = Duration::from_millis(10);

type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// What a journal turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Sound,
    /// Nothing was ever committed, and it was set aside or made anew.
    BegunAnew,
}

/// Opens the journal below `root` as the daemon does and holds it against what was told.
///
/// # Errors
/// Says what is lost, doubled or refused.
pub fn judge(root: &Path, told: &Told) -> Result<Found, String> {
    if let Some(contradiction) = &told.contradiction {
        return Err(contradiction.clone());
    }
    match Store::open(&root.join("state")).map_err(|e| format!("the journal does not open: {e}"))? {
        Opened::Quarantined { damage, .. } => Err(format!("quarantine after a mere cut: {damage}")),
        Opened::Sound { store, records, only_seen: _, meta, fresh, moved: _ } => {
            drop(store);
            compare(&records, meta.as_deref(), told)?;
            Ok(if fresh { Found::BegunAnew } else { Found::Sound })
        }
    }
}

/// The same by the eyes of `vend journal dump`.
///
/// # Errors
/// Says what is lost, doubled or refused.
pub fn judge_inspected(root: &Path, told: &Told) -> Result<Inspected, String> {
    let mut tries = 0;
    let inspected = loop {
        match read_copy(&root.join("state")) {
            Ok(inspected) => break inspected,
            // Another thread starts a program: until that runs, its process has our lock, too.
            Err(InspectError::Open(OpenError::InUse { .. })) if tries < IN_USE_TRIES => tries += 1,
            Err(e) => return Err(format!("the journal cannot be looked into: {e}")),
        }
        sleep(IN_USE_PAUSE);
    };
    if let Some(damage) = &inspected.damage {
        return Err(format!("damage after a mere cut: {damage}"));
    }
    compare(&inspected.records, inspected.meta.as_deref(), told)?;
    Ok(inspected)
}

fn compare(records: &Records, meta: Option<&[u8]>, told: &Told) -> Result<(), String> {
    let mut orders: BTreeMap<Name, Order> = BTreeMap::new();
    let mut arrivals = BTreeSet::new();
    let read = record::Records::read(records.iter().map(|(key, value)| (key, value))).map_err(|e| e.to_string())?;
    for order in read.orders {
        if !arrivals.insert(order.arrival_number) {
            return Err(format!("two orders have arrival {}", order.arrival_number));
        }
        orders.insert((order.key.order_id.to_string(), order.key.record_id.to_string()), order);
    }
    let on_line: Vec<_> = orders.values().filter(|o| o.state() == State::Intent).map(|o| o.key.to_string()).collect();
    if on_line.len() > 1 {
        return Err(format!("several motor commands are under way: {on_line:?}"));
    }
    match meta.map(decode_ledger) {
        None if orders.is_empty() => {}
        None => return Err("there are orders and no ledger".to_owned()),
        Some(Err(e)) => return Err(format!("the ledger does not read: {e}")),
        Some(Ok(_)) => {}
    }
    for (name, told) in &told.orders {
        holds(orders.get(name), told).map_err(|e| format!("order {name:?}: {e}"))?;
    }
    Ok(())
}

fn holds(order: Option<&Order>, told: &OrderTold) -> Result<(), String> {
    if !told.accepted && told.motor_commands == 0 && told.http.is_empty() && told.mqtt.is_empty() {
        return Ok(());
    }
    let Some(order) = order else { return Err("was acknowledged and is lost".to_owned()) };
    let units = &order.units;
    if units.iter().take(told.motor_commands).filter(|u| !matches!(u, Unit::Waiting)).count() < told.motor_commands {
        return Err(format!("{} motor commands left, and the units are {units:?}", told.motor_commands));
    }
    let machine_no = MachineNo::parse(MACHINE_NO).map_err(|e| e.to_string())?;
    let signing = SigningKey::new(APP_KEY).map_err(|e| e.to_string())?;
    let body = |sequence: u64, write: &dyn Fn(&Report<'_>) -> Vec<u8>| {
        let report = order.reports.iter().find(|r| u64::from(r.sequence) == sequence)?;
        let report = Report {
            machine_no: &machine_no,
            key: &order.key,
            echo: &order.echo,
            units: &report.units,
            sequence: report.sequence,
            timestamp_s: report.timestamp_s,
        };
        Some(write(&report))
    };
    let last = order.reports.last().map_or(0, |r| u64::from(r.sequence));
    let http = told.http.iter().map(|(&sequence, bytes)| (sequence, bytes, body(sequence, &|r| r.http_body(&signing))));
    let mqtt =
        told.mqtt.iter().map(|(&sequence, bytes)| (sequence, bytes, body(sequence, &|r| r.mqtt_payload(&signing))));
    for (sequence, bytes, kept) in http.chain(mqtt) {
        match kept {
            Some(kept) if kept == *bytes => {}
            Some(_) => return Err(format!("report {sequence} was sent and the journal says something else")),
            // A tombstone keeps the last one.
            None if order.shrunk && sequence < last => {}
            None => return Err(format!("report {sequence} was sent and is lost")),
        }
    }
    Ok(())
}
