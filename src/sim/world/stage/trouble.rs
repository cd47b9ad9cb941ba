//! Faults, their end, and the look at what is left.

use super::{HOUR_MS, Happening, LOOK_MS, PATIENCE_H, Stage};
use crate::cloud::device::DRIVE_WITHIN_S;
use crate::core::event::Event;
use crate::core::{AUDIT_KEPT, Core, RING_MAX, TOMBSTONE_AGE_MIN_S};
use crate::order::command::QUANTITY_MAX;
use crate::order::key::Key;
use crate::order::sale::State;
use crate::order::time::Now;
use crate::sim::world::judge::Broken;
use crate::sim::world::plan::{Fault, When};
use std::collections::BTreeSet;

/// Two channels for a report and for one correction a unit.
const COPIES_AN_ORDER_MAX: usize = 2 * (1 + QUANTITY_MAX as usize);
/// An adapter that is plugged in again is found after this time, in ms.
const PLUGGED_MS: u64 = 300;

impl Stage<'_> {
    pub(super) fn fault(&mut self, n: usize, begins: bool) -> Result<(), Broken> {
        let Some(fault) = self.plan.faults.get(n).copied() else { return Ok(()) };
        self.story.tell(self.now_ms, || format!("FAULT {} {fault}", if begins { "begins:" } else { "is over:" }));
        match (fault, begins) {
            (Fault::Cut { whom, off_ms, clock, .. }, _) => self.cut(whom, off_ms, clock),
            (Fault::Unplugged { for_ms, .. }, true) => {
                self.judge.doubt.strikes(self.now_ms, self.now_ms + for_ms + PLUGGED_MS);
                self.unplug()?;
            }
            (Fault::Unplugged { .. }, false) => {
                self.line.is_plugged = true;
                self.after(PLUGGED_MS, Happening::OpenPort { life: self.life });
            }
            (Fault::BrokerAway { .. }, true) => {
                self.broker.is_away = true;
                self.lose_connection()?;
            }
            (Fault::BrokerAway { .. }, false) => self.broker.is_away = false,
            (Fault::SessionLost { .. }, _) => {
                self.broker.lose_session();
                self.lose_connection()?;
            }
            (Fault::DiskFull { .. }, begins) => {
                self.tell(Event::Space { enough: !begins })?;
            }
            (Fault::ClockJump { by_ms, vouched, .. }, _) => {
                self.host.wall_error_ms = self.host.wall_error_ms.saturating_add(by_ms);
                self.note_a_lie(vouched && self.host.synchronised);
                self.host.synchronised &= vouched;
                self.tell(Event::Wake)?;
            }
            (Fault::Terminate { .. }, _) => {
                self.tell(Event::Stop)?;
            }
            (
                Fault::Noise { .. }
                | Fault::MotorWrite { .. }
                | Fault::Board(_)
                | Fault::Receiver { .. }
                | Fault::Cloud { .. }
                | Fault::CommitFails { .. }
                | Fault::Damage { .. }
                | Fault::DiskSlow { .. },
                _,
            ) => {}
        }
        Ok(())
    }

    /// From now on the world is as it should be.
    pub(super) fn calm(&mut self) -> Result<(), Broken> {
        self.story.tell(self.now_ms, || "nothing goes wrong any more".to_owned());
        self.is_calm = true;
        self.synchronise();
        self.broker.is_away = false;
        self.line.is_plugged = true;
        let life = self.life;
        self.after(1, Happening::OpenPort { life });
        self.after(1, Happening::Connect { life });
        self.after(LOOK_MS, Happening::Look);
        self.tell(Event::Space { enough: true })?;
        Ok(())
    }

    /// Is all settled? Then the run is over; and if it never is, it fails.
    pub(super) fn look(&mut self) -> Result<(), Broken> {
        let now = self.now();
        // With each event the core forgets one tombstone: a quiet board leaves it few.
        for _ in 0..self.placed.len() {
            self.tell(Event::Wake)?;
        }
        let begun = self.plan.sendings.iter().all(|s| s.at_ms < self.now_ms)
            && self.plan.desk.sendings.iter().all(|s| s.at_ms < self.now_ms);
        if let Some(core) = self.core.as_ref().filter(|_| begun && !self.disk.is_damaged()) {
            let status = core.status(now);
            let open_reports = status.reports_open + status.calls_open + status.results_open;
            let open_orders = core.open_orders().len();
            let bought = self.plan.deals.iter().all(|dealt| dealt.at_ms < self.now_ms)
                && core.sale_views(now).iter().all(|sale| sale.needs_person || is_ended(&sale.state));
            self.is_over =
                bought && open_orders == 0 && open_reports == 0 && self.broker.is_empty() && self.disk.all_is_told();
            self.find_what_grows(core, now)?;
            let latest_ms = self.plan.calm_at_ms.max(self.started_at_ms) + PATIENCE_H * HOUR_MS;
            if !self.is_over && self.now_ms > latest_ms {
                return Err(Broken::WaitsForEver { hours: PATIENCE_H, open_orders, open_reports });
            }
        }
        self.after(LOOK_MS, Happening::Look);
        Ok(())
    }

    /// The end: the cloud's books agree with what was reported last, or the agent shows that they do not (rule 44).
    pub(super) fn hold_against_the_books(&self) -> Result<(), Broken> {
        // After weeks without power, in whatever kind of life, the agent has forgotten what it showed.
        let remembers = self.now_ms < TOMBSTONE_AGE_MIN_S * 1_000;
        let Some(core) = self.core.as_ref().filter(|_| self.plan.sync_results && remembers) else {
            return Ok(());
        };
        let shown = core.status(self.now()).differing;
        let is_shown = |key: &Key| shown.iter().any(|line| line.order_id == key.order_id.as_str());
        for (key, order) in self.placed.iter().filter(|(key, _)| !is_shown(key)) {
            if let Some(books) = self.outside.books(order) {
                self.judge.hold_against_the_books(key, &books)?;
            }
        }
        Ok(())
    }

    /// Nothing is kept beyond its limit, on the disk or in memory.
    fn find_what_grows(&self, core: &Core, now: Now) -> Result<(), Broken> {
        let (status, limits) = (core.status(now), self.plan.limits);
        let kept = core.open_orders().len() + status.orders_settled;
        let calls = status.calls_open + status.calls_dead;
        // Each code may be an order, and the last test vend is kept.
        let sold = self.plan.deals.len();
        let own = self.plan.desk.codes.len() + 1 + sold;
        // They go in the order of arrival: behind what came lately nothing goes.
        let since_ms = self.now_ms.saturating_sub((TOMBSTONE_AGE_MIN_S + DRIVE_WITHIN_S) * 1_000);
        let lately = self.plan.sendings.iter().filter(|sending| sending.at_ms >= since_ms).map(|sending| sending.order);
        let placed = self.placed.iter().enumerate();
        let from_the_future = placed.filter(|(_, (_, order))| order.oddity.is_some()).map(|(n, _)| n);
        let young = lately.chain(from_the_future).collect::<BTreeSet<_>>().len();
        for (what, found, limit) in [
            ("orders open", status.orders_open, limits.orders_open),
            ("orders not settled", core.open_orders().len(), limits.reports_open + limits.refusal_reserve),
            ("tombstones", status.orders_settled, limits.tombstones.max(young) + own),
            // One goes from memory with each event and from the disk with the next commit.
            ("records of orders", self.disk.orders(), kept + 2 * self.placed.len() + 2 * own),
            ("calls", calls, 6 * self.placed.len() + 4 * sold),
            ("orders", kept, self.placed.len() + own),
            ("rejected messages", status.rejected.len(), RING_MAX),
            ("audit entries", core.audit_lines().len(), AUDIT_KEPT),
            ("copies", status.reports_open, kept * COPIES_AN_ORDER_MAX),
        ] {
            if found > limit {
                return Err(Broken::Unbounded { what, found, limit });
            }
        }
        Ok(())
    }
}

/// Nothing more will happen to a sale that stands so.
fn is_ended(state: &str) -> bool {
    State::ALL.iter().any(|known| known.as_str() == state && known.is_ended())
}

/// When a fault that has its time begins and ends, in ms.
pub(super) const fn span(fault: &Fault) -> Option<(u64, Option<u64>)> {
    match *fault {
        Fault::Cut { when: When::At(at_ms), .. }
        | Fault::SessionLost { at_ms }
        | Fault::ClockJump { at_ms, .. }
        | Fault::Terminate { at_ms } => Some((at_ms, None)),
        Fault::Unplugged { at_ms, for_ms }
        | Fault::BrokerAway { at_ms, for_ms }
        | Fault::DiskFull { at_ms, for_ms }
        | Fault::Noise { at_ms, for_ms, .. }
        | Fault::Receiver { at_ms, for_ms, .. }
        | Fault::Cloud { at_ms, for_ms, .. }
        | Fault::DiskSlow { at_ms, for_ms, .. } => Some((at_ms, Some(at_ms + for_ms))),
        Fault::Cut { .. }
        | Fault::MotorWrite { .. }
        | Fault::Board(_)
        | Fault::CommitFails { .. }
        | Fault::Damage { .. } => None,
    }
}
