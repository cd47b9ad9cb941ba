//! The goods of a slot change by what ended in the same batch, once for each unit, whatever was cut before.

use super::Broken;
use crate::order::life::{Order, Unit};
use crate::order::motor::{Address, Slot};
use crate::order::outcome::UnitOutcome;
use crate::order::record::Records;
use std::collections::BTreeMap;

/// By how much the units of an order change the count of their slot. Judged here anew, from what was on the disk and
/// what comes upon it; a unit that was never on the line is not counted.
fn change(before: Option<&Order>, now: &Order) -> i32 {
    let left = |outcome: UnitOutcome| i32::from(outcome.is_dispensed() || outcome == UnitOutcome::Unknown);
    let units = now.units.iter().enumerate().map(|(n, unit)| (before.and_then(|order| order.units.get(n)), unit));
    let changes = units.map(|(before, now)| match (before, now) {
        (Some(Unit::Intent(_)), Unit::Done(outcome)) => -left(*outcome),
        (Some(Unit::Done(before)), Unit::Done(outcome)) => left(*before) - left(*outcome),
        _ => 0,
    });
    changes.sum()
}

/// Holds a batch against what lies beneath it. Of an order that ends in it and is old enough to be forgotten in it too
/// nobody can say how it ended.
pub(super) fn hold_against_outcomes(beneath: &Records, batch: &Records, removes: &[Vec<u8>]) -> Result<(), Broken> {
    let is_forgotten = |order: &&Order| order.unit_on_line().is_some() && removes.contains(&order.key.to_bytes());
    let forgotten = beneath.orders.iter().filter(is_forgotten).filter_map(|order| order.turns);
    let forgotten: Vec<(Address, Slot)> = forgotten.map(|turns| (turns.address, turns.slot)).collect();
    let mut changes: BTreeMap<(Address, Slot), i32> = BTreeMap::new();
    // A test vend is nobody's order, and touches no stock.
    for order in batch.orders.iter().filter(|order| !order.key.is_test()) {
        let before = beneath.orders.iter().find(|known| known.key == order.key);
        if let Some(turns) = order.turns {
            *changes.entry((turns.address, turns.slot)).or_default() += change(before, order);
        }
    }
    for known in &beneath.slots {
        let at = (known.address, known.slot);
        let after = batch.slots.iter().find(|slot| (slot.address, slot.slot) == at).unwrap_or(known);
        let change = changes.get(&at).copied().unwrap_or(0);
        let wanted = u16::try_from(i32::from(known.count) + change).unwrap_or(0);
        let may_have_left = forgotten.contains(&at) && after.count.saturating_add(1) == wanted;
        if after.count != wanted && !may_have_left {
            return Err(Broken::Miscounted { slot: at.1.0, found: after.count, wanted });
        }
    }
    Ok(())
}
