//! Doubt and its causes. *unknown* is excused only if something that can destroy knowledge struck between the unit's
//! intent and its end, or if a former journal may have driven it (rule 6).

use super::UnitId;
use crate::order::key::Key;
use crate::order::life::{Order, Unit};
use crate::order::outcome::UnitOutcome;
use crate::order::record::{Birth, Ledger};
use std::collections::{BTreeMap, BTreeSet};

/// What struck so long before the intent may still spoil its frame, in ms: half a request in the board's buffer.
const LEAD_MS: u64 = 1_000;

/// From intent to *unknown*, in ms of the run; without intent it was never driven.
#[derive(Debug, Clone, Copy)]
struct Window {
    begun_ms: Option<u64>,
    ended_ms: u64,
    barred: bool,
}

/// Keeps what struck when, and how units came to be unknown.
#[derive(Debug, Default)]
pub(in crate::sim::world) struct Doubt {
    /// From when to when something kept line or board from speaking, in ms.
    struck: Vec<(u64, u64)>,
    /// When an agent died that had this unit on its line, and nothing kept what became of it.
    left_alone: BTreeMap<UnitId, Vec<u64>>,
    /// Of the last intent of a unit: its sequence, and when it was handed to the disk.
    begun: BTreeMap<UnitId, (u64, u64)>,
    unknown: BTreeMap<UnitId, Window>,
    /// Redelivered to a new journal by a session that was there before it.
    redelivered: BTreeSet<Key>,
    /// The journal's birth as it was last told, and when that was by the true time, both in s.
    birth: Option<(u64, u64)>,
    /// As far as it is durable: then nothing may date it anew.
    durable_birth_s: Option<u64>,
}

impl Doubt {
    /// Something struck the line or the board, for so long.
    pub(in crate::sim::world) fn strikes(&mut self, from_ms: u64, to_ms: u64) {
        self.struck.push((from_ms, to_ms));
    }

    /// The agent dies, and what becomes of this unit is not kept for it.
    pub(in crate::sim::world) fn leaves_alone(&mut self, unit: UnitId, now_ms: u64) {
        self.left_alone.entry(unit).or_default().push(now_ms);
    }

    /// An old session brings a new journal this order once more.
    pub(in crate::sim::world) fn redelivered(&mut self, key: Key) {
        self.redelivered.insert(key);
    }

    /// A new journal begins: what was begun before is older than it.
    pub(super) fn journal_lost(&mut self) {
        self.begun.clear();
        self.unknown.clear();
        (self.birth, self.durable_birth_s) = (None, None);
    }

    /// A ledger is durable.
    pub(in crate::sim::world) const fn birth_is_durable(&mut self, ledger: &Ledger) {
        if let Birth::At { s } = ledger.birth {
            self.durable_birth_s = Some(s);
        }
    }

    /// An order and the ledger as a batch hands them to the disk.
    pub(super) fn observe(&mut self, order: &Order, ledger: &Ledger, now_ms: u64, true_s: u64) {
        let barred = self.redelivered.contains(&order.key) || self.is_older(order, ledger, true_s);
        for (unit, state) in order.units.iter().enumerate() {
            let id = || UnitId { key: order.key.clone(), unit };
            match state {
                Unit::Waiting => {}
                Unit::Intent(intent) => {
                    let begun = self.begun.entry(id()).or_insert((intent.sequence, now_ms));
                    if begun.0 != intent.sequence {
                        *begun = (intent.sequence, now_ms);
                    }
                }
                Unit::Done(UnitOutcome::Unknown) => {
                    let begun_ms = self.begun.get(&id()).map(|(_, at_ms)| *at_ms);
                    self.unknown.entry(id()).or_insert(Window { begun_ms, ended_ms: now_ms, barred });
                }
                Unit::Done(_) => {}
            }
        }
    }

    /// Issued before the journal began, as far as the journal can know when that was.
    fn is_older(&mut self, order: &Order, ledger: &Ledger, true_s: u64) -> bool {
        match ledger.birth {
            Birth::Untimed { .. } => true,
            Birth::At { s } => {
                let is_as_before = self.durable_birth_s.is_none_or(|durable_s| durable_s == s);
                let told = self.birth.filter(|(told_s, _)| *told_s == s).unwrap_or((s, true_s));
                self.birth = Some(told);
                order.issued_at_s < s && is_as_before && s <= told.1 + 1
            }
        }
    }

    /// Something says why this unit may be called unknown. A clock that lies hides what is older than the journal.
    pub(super) fn is_excused(&self, unit: &UnitId, clock_lied: bool) -> bool {
        let Some(window) = self.unknown.get(unit) else { return false };
        // An intent that its life's death took from the journal does not count: what came again is barred.
        if window.barred {
            return true;
        }
        let Some(begun_ms) = window.begun_ms else { return clock_lied };
        let from_ms = begun_ms.saturating_sub(LEAD_MS);
        let left_alone = self.left_alone.get(unit).into_iter().flatten();
        self.struck.iter().any(|&(from, to)| from <= window.ended_ms && to >= from_ms)
            || left_alone.into_iter().any(|&at| (from_ms..=window.ended_ms).contains(&at))
    }
}
