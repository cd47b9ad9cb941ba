//! May this order be driven now? The one place that decides it (rules 6, 23, 27, 28).

use super::{Core, VerifyOrders};
use crate::cloud::device::DRIVE_WITHIN_S;
use crate::order::key::Key;
use crate::order::life::{Arrival, Order};
use crate::order::outcome::Reason;
use crate::order::record::Birth;
use crate::order::time::{BootMs, Now, UnixMs};
use crate::sabotage::{self, Clause};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// The platform gives up 120 s after its command; from 100 s on an order is late and the cloud is asked (rule 27).
pub const LATE_AFTER_S: u64 = 100;
/// A command issued further in the future of a trusted clock than this is refused, in s (contract, section 2).
pub const FUTURE_MAX_S: u64 = 300;
/// An order waits so long for trusted time, in ms, then it expires (contract, section 1).
pub const TRUST_WAIT_MS: u64 = 1_200_000;

/// An order whose time seems over but that cannot be ended now is looked at again after this time, in ms, so that a
/// deadline in the past cannot spin.
const LOOK_AGAIN_MS: u64 = 1_000;

/// Orders that are not yet done on the line, in the order of their arrival, and when each must be looked at again.
#[derive(Debug, Default)]
pub(super) struct Queue {
    by_arrival: BTreeMap<u64, Key>,
    look_at: BTreeSet<(BootMs, u64)>,
    /// Something changed that may let an order go: from this arrival on they are to be looked at.
    changed: Option<u64>,
}

impl Queue {
    pub(super) fn push(&mut self, arrival_number: u64, key: Key, look_at: BootMs) {
        self.by_arrival.insert(arrival_number, key);
        self.look_at.insert((look_at, arrival_number));
        // Those before it are held for reasons of their own: a thousand that wait for trusted time are not looked at
        // again with each arrival.
        self.changed = Some(self.changed.map_or(arrival_number, |from| from.min(arrival_number)));
    }

    pub(super) fn remove(&mut self, arrival_number: u64) {
        self.by_arrival.remove(&arrival_number);
        self.look_again();
    }

    /// All are to be looked at.
    pub(super) const fn look_again(&mut self) {
        self.changed = Some(0);
    }

    pub(super) fn len(&self) -> usize {
        self.by_arrival.len()
    }

    pub(super) fn deadline(&self) -> Option<BootMs> {
        self.look_at.first().map(|&(at, _)| at)
    }

    /// From which arrival on orders are to be looked at, if any.
    pub(super) const fn take_changed(&mut self) -> Option<u64> {
        self.changed.take()
    }

    /// The oldest order.
    pub(super) fn first(&self) -> Option<(u64, Key)> {
        self.next(Bound::Unbounded)
    }

    /// Looks at an order at this time, beside the times that are already set.
    pub(super) fn look_no_later(&mut self, arrival_number: u64, at: BootMs) {
        self.look_at.insert((at, arrival_number));
    }

    /// The first order from here on.
    fn next(&self, start: Bound<u64>) -> Option<(u64, Key)> {
        self.by_arrival.range((start, Bound::Unbounded)).next().map(|(&n, k)| (n, k.clone()))
    }

    /// Orders whose time to be looked at has come.
    fn due(&mut self, now: BootMs) -> Vec<(u64, Key)> {
        let mut due = Vec::new();
        while let Some(&(at, number)) = self.look_at.first()
            && at <= now
        {
            self.look_at.pop_first();
            if let Some(key) = self.by_arrival.get(&number) {
                due.push((number, key.clone()));
            }
        }
        due
    }
}

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// May be driven now.
    Go,
    /// Never: the rest of it is refused.
    Refuse(Reason),
    /// Never, and a former life may have driven it (rule 6).
    NeverDrive,
    /// Not now.
    Hold,
    /// Not before the cloud said so.
    Ask,
}

impl Core {
    /// What time it is for this order: by the boot clock since a trusted arrival in this boot, otherwise trusted time.
    fn time_for(&self, order: &Order, now: Now) -> Option<UnixMs> {
        self.time_since(&order.arrival, now)
    }

    /// What time it is for something that arrived so.
    pub(super) fn time_since(&self, arrival: &Arrival, now: Now) -> Option<UnixMs> {
        let same_boot = arrival.boot_id == self.settings.boot_id || sabotage::is_out(Clause::R28RebootForgets);
        match arrival.trusted {
            Some(_) if sabotage::is_out(Clause::R28AgeByBoot) => Some(now.wall),
            Some(then) if same_boot => Some(UnixMs(then.0.saturating_add(now.boot.since_ms(arrival.boot)))),
            _ => self.time.trusted(now),
        }
    }

    /// May the order's next unit be driven now?
    pub(super) fn gate(&self, order: &Order, now: Now) -> Verdict {
        if let Some(own) = order.key.made_for() {
            return self.gate_own(own, order, now);
        }
        if order.turns.is_some_and(|t| self.ledger.locked.contains(&(t.address, t.slot))) {
            return Verdict::Refuse(Reason::Locked);
        }
        let Some(time) = self.time_for(order, now) else {
            return match self.trust_wait_ends(order) <= now.boot {
                true if self.may_be_of_a_former_life(order.issued_at_s) => Verdict::NeverDrive,
                true => Verdict::Refuse(Reason::Expired),
                false => Verdict::Hold,
            };
        };
        match self.ledger.birth {
            Birth::At { .. } if sabotage::is_out(Clause::R06BirthBarrier) => {}
            Birth::At { s } if order.issued_at_s < s => return Verdict::NeverDrive,
            Birth::Untimed { .. } => return Verdict::Hold,
            Birth::At { .. } => {}
        }
        // The profile may be another than when it was accepted.
        if order.turns.is_some_and(|t| !self.has_slot((t.address, t.slot))) {
            return Verdict::Refuse(Reason::Slot);
        }
        let begun = order.units.iter().any(|unit| unit.outcome().is_some());
        let unasked = sabotage::is_out(Clause::R27Deadline) || begun && sabotage::is_out(Clause::R23EachUnitExpires);
        if time.seconds() > order.drive_until_s && !unasked {
            return Verdict::Refuse(Reason::Expired);
        }
        let latest_s = time.seconds().saturating_add(FUTURE_MAX_S);
        // The payment's time (which moves the deadline) may not lie in the future either.
        let too_long = order.drive_until_s > latest_s.saturating_add(DRIVE_WITHIN_S);
        if order.issued_at_s > latest_s || (too_long && !sabotage::is_out(Clause::R27TwentyMinutes)) {
            return Verdict::Refuse(Reason::Clock);
        }
        let late = time.seconds() > order.issued_at_s.saturating_add(LATE_AFTER_S);
        let ask = match self.settings.cloud.verify_orders {
            VerifyOrders::Always => true,
            VerifyOrders::Late => late,
            VerifyOrders::Never => false,
        };
        let ask = ask && !sabotage::is_out(Clause::R27LateAsked);
        if ask && !self.platform.has_confirmed(&order.key) { Verdict::Ask } else { Verdict::Go }
    }

    /// Until when an order waits for trusted time: from its arrival, or from the start of this boot.
    fn trust_wait_ends(&self, order: &Order) -> BootMs {
        let from = if order.arrival.boot_id == self.settings.boot_id { order.arrival.boot } else { BootMs(0) };
        from.plus_ms(TRUST_WAIT_MS)
    }

    /// When the queue must look at an order again without any other cause: just after its time is over.
    pub(super) fn look_at(&self, order: &Order, now: Now) -> BootMs {
        if let Some(own) = order.key.made_for() {
            return self.own_wait_ends(own, order).map_or(now.boot, |end| end.plus_ms(1));
        }
        match self.time_for(order, now) {
            Some(time) => {
                let left_s = order.drive_until_s.saturating_add(1).saturating_sub(time.seconds());
                now.boot.plus_ms(left_s.saturating_mul(1_000))
            }
            None => self.trust_wait_ends(order),
        }
    }

    /// The time is known or lost: every order's own time is reckoned anew.
    pub(super) fn look_at_all(&mut self, now: Now) {
        let waiting: Vec<(u64, Key)> = self.queue.by_arrival.iter().map(|(&n, k)| (n, k.clone())).collect();
        for (number, key) in waiting {
            if let Some(order) = self.orders.get(&key) {
                let at = self.look_at(order, now);
                self.queue.look_no_later(number, at);
            }
        }
    }

    /// Orders whose time is over while they waited.
    pub(super) fn expire_the_waiting(&mut self, now: Now) {
        for (number, key) in self.queue.due(now.boot) {
            let Some(order) = self.orders.get(&key) else { continue };
            if self.line.has_active(&key) {
                // Its unit may be put off, or the next one wait.
                self.queue.look_no_later(number, now.boot.plus_ms(LOOK_AGAIN_MS));
                continue;
            }
            match self.gate(order, now) {
                Verdict::Refuse(reason) => self.refuse_rest(now, &key, reason),
                Verdict::NeverDrive => self.end_undriven(now, &key),
                Verdict::Go | Verdict::Hold | Verdict::Ask => {
                    let again = self.look_at(order, now).max(now.boot.plus_ms(LOOK_AGAIN_MS));
                    self.queue.look_no_later(number, again);
                    self.queue.look_again();
                }
            }
        }
    }

    /// The next order that may go, oldest first; orders that may never go are ended on the way.
    pub(super) fn next_to_drive(&mut self, now: Now, from: u64) -> Option<Key> {
        let mut start = Bound::Included(from);
        while let Some((number, key)) = self.queue.next(start) {
            start = Bound::Excluded(number);
            let Some(order) = self.orders.get(&key) else { continue };
            match self.gate(order, now) {
                Verdict::Go => {
                    // Those after it were not looked at.
                    self.queue.look_again();
                    return Some(key);
                }
                Verdict::Refuse(reason) => self.refuse_rest(now, &key, reason),
                Verdict::NeverDrive => self.end_undriven(now, &key),
                Verdict::Ask => self.ask_about(now, &key),
                Verdict::Hold => {}
            }
        }
        None
    }
}
