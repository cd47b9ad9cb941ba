//! Settled orders: kept small, to answer duplicates, until they are old enough to be forgotten (rule 12).

use super::gate::FUTURE_MAX_S;
use super::persons::{Doubts, is_in_doubt};
use crate::cloud::device::DRIVE_WITHIN_S;
use crate::order::key::{Id, Key};
use crate::order::life::Order;
use crate::order::outcome::{Reason, UnitOutcome};
use crate::order::record;
use crate::order::time::UnixMs;
use crate::sabotage::{self, Clause};
use std::collections::{BTreeMap, BTreeSet};

/// So many tombstones are kept however old they are.
pub const TOMBSTONES_KEPT: usize = 20_000;
/// No tombstone younger than this goes, in s: 30 days.
pub const TOMBSTONE_AGE_MIN_S: u64 = 30 * 86_400;

/// Tombstones in the order of their arrival, and by the platform's order.
#[derive(Debug, Clone, Default)]
pub(super) struct Archive {
    by_arrival: BTreeMap<u64, Tombstone>,
    /// A check sum of each order_id, and the arrival of the tombstone. The ids themselves stand in the records: once more,
    /// in a tree, they would need more room than those.
    by_order_id: BTreeSet<(u32, u64)>,
    /// Those with a report in the dead letters.
    dead: BTreeSet<Key>,
    /// Those of which nobody knows what became of them.
    doubts: Doubts,
    /// The tombstone that came last, if none was changed since: it is looked at again at once, and need not be read.
    newest: Option<Order>,
}

#[derive(Debug, Clone)]
struct Tombstone {
    record: Box<[u8]>,
    issued_at_s: u64,
    drive_until_s: u64,
}

/// What stands for an order_id in the index. Others may have the same: who finds a tombstone by it looks into its record.
fn sum_of(order_id: &Id) -> u32 {
    crc32fast::hash(order_id.as_str().as_bytes())
}

impl Archive {
    pub(super) fn len(&self) -> usize {
        self.by_arrival.len()
    }

    /// How many have a report in the dead letters.
    pub(super) fn dead(&self) -> usize {
        self.dead.len()
    }

    /// Keeps a shrunk order.
    pub(super) fn keep(&mut self, order: &Order) -> Result<(), record::RecordError> {
        self.keep_record(order, record::encode_order(order)?.into_boxed_slice());
        Ok(())
    }

    /// Keeps a shrunk order, as the record that it was read from.
    pub(super) fn keep_record(&mut self, order: &Order, record: Box<[u8]>) {
        self.by_order_id.insert((sum_of(&order.key.order_id), order.arrival_number));
        if order.has_dead_copy() {
            self.dead.insert(order.key.clone());
        }
        if is_in_doubt(order) {
            self.doubts.insert(order);
        }
        // A command "from the future" (a timestamp in milliseconds, say) was refused for that: it must not keep itself
        // and all after it for ever, nor make honest keys stale when it goes. It is never driven: while its time has
        // not come it is refused again, and after that it has expired. One that came while nobody knew the time was
        // refused when somebody did, which its report tells.
        let refused = order.reports.last().filter(|r| r.units.contains(&UnitOutcome::Refused(Reason::Clock)));
        let known_s = order.arrival.trusted.map(UnixMs::seconds).or(refused.map(|report| report.timestamp_s));
        let latest_s = known_s.map_or(u64::MAX, |s| s.saturating_add(FUTURE_MAX_S));
        let issued_at_s = order.issued_at_s.min(latest_s);
        let drive_until_s = order.drive_until_s.min(latest_s.saturating_add(DRIVE_WITHIN_S));
        self.by_arrival.insert(order.arrival_number, Tombstone { record, issued_at_s, drive_until_s });
        self.newest = None;
    }

    /// The highest arrival among them.
    pub(super) fn last_arrival(&self) -> Option<u64> {
        self.by_arrival.last_key_value().map(|(&arrival, _)| arrival)
    }

    /// This is the order that was kept just now.
    pub(super) fn remember(&mut self, newest: Order) {
        self.newest = Some(newest);
    }

    /// The tombstones of a platform's order, each with the record_id in its record.
    fn records_of(&self, order_id: &Id) -> impl Iterator<Item = (&str, &[u8])> {
        let sum = sum_of(order_id);
        let arrivals = self.by_order_id.range((sum, 0)..=(sum, u64::MAX));
        let records = arrivals.filter_map(|(_, arrival)| self.by_arrival.get(arrival)).map(|t| &*t.record);
        records.filter_map(move |record| {
            let (of, record_id) = record::ids_of_order(record)?;
            (of == order_id.as_str()).then_some((record_id, record))
        })
    }

    /// The tombstones of a platform's order.
    pub(super) fn orders_of(&self, order_id: &Id) -> impl Iterator<Item = Order> {
        self.records_of(order_id).filter_map(|(_, record)| record::read_order(record).ok())
    }

    /// The keys of those with a report in the dead letters, in their order.
    pub(super) fn dead_keys(&self) -> impl Iterator<Item = &Key> {
        self.dead.iter()
    }

    /// Those of which nobody knows what became of them.
    pub(super) const fn doubts(&self) -> &Doubts {
        &self.doubts
    }

    /// The record of a tombstone.
    pub(super) fn record(&self, key: &Key) -> Option<&[u8]> {
        self.records_of(&key.order_id).find(|(record_id, _)| *record_id == key.record_id.as_str()).map(|(_, r)| r)
    }

    /// The order of a tombstone.
    pub(super) fn get(&self, key: &Key) -> Option<Order> {
        let newest = self.newest.as_ref().filter(|order| order.key == *key);
        newest.cloned().or_else(|| record::read_order(self.record(key)?).ok())
    }

    /// Takes an order out, because late evidence or a person brings it back to life.
    pub(super) fn take(&mut self, key: &Key) -> Option<Order> {
        let order = self.get(key)?;
        self.remove(&order);
        Some(order)
    }

    /// Forgets the oldest tombstone if there are more than `kept` and it is old enough: older than 30 days and than
    /// the broker keeps a session, and past its deadline. Returns its key and issue time.
    pub(super) fn forget_one(&mut self, kept: usize, now_s: u64, session_expiry_s: u64) -> Option<(Key, u64)> {
        let at_once = sabotage::is_out(Clause::R12KeptLongEnough);
        if self.by_arrival.len() <= kept && !at_once {
            return None;
        }
        let (_, oldest) = self.by_arrival.first_key_value()?;
        let keep_until_s =
            oldest.issued_at_s.saturating_add(TOMBSTONE_AGE_MIN_S.max(session_expiry_s)).max(oldest.drive_until_s);
        if now_s <= keep_until_s && !at_once {
            return None;
        }
        let issued_at_s = oldest.issued_at_s;
        let order = record::read_order(&oldest.record).ok()?;
        self.remove(&order);
        Some((order.key, issued_at_s))
    }

    fn remove(&mut self, order: &Order) {
        self.newest = None;
        self.by_arrival.remove(&order.arrival_number);
        self.by_order_id.remove(&(sum_of(&order.key.order_id), order.arrival_number));
        self.dead.remove(&order.key);
        if is_in_doubt(order) {
            self.doubts.remove(order);
        }
    }
}
