//! The promise, held against what the board really did and what the world was really told.

use super::plan::Placed;
use crate::cloud::device::DRIVE_WITHIN_S;
use crate::core::VerifyOrders;
use crate::order::key::Key;
use crate::order::life::Order;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The promise was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Two turns for one unit, or a turn for a unit that does not exist.
    #[error("order {key} unit {unit}: the motor turned {turns} times")]
    TurnedTwice {
        /// The order.
        key: Key,
        /// Counted from 1.
        unit: usize,
        /// How often.
        turns: usize,
    },
    /// The wrong motor turned.
    #[error("order {key} wants slot {wanted}, slot {turned} turned")]
    WrongSlot {
        /// The order.
        key: Key,
        /// Its slot.
        wanted: u16,
        /// The board's.
        turned: u16,
    },
    /// A motor frame left, or a motor turned, and no intent for it is durable.
    #[error("{0} without a durable intent")]
    NoIntent(&'static str),
    /// The motor was driven after the order's time was over.
    #[error("order {key} was driven {late_s} s after its deadline")]
    DrivenLate {
        /// The order.
        key: Key,
        /// By how much.
        late_s: u64,
    },
    /// The motor was driven though the cloud had to be asked and would not have said yes (rule 27).
    #[error("order {0} was driven and is not paid")]
    DrivenUnpaid(Key),
    /// A command was acknowledged and is not durable.
    #[error("order {0} was acknowledged before it was durable")]
    AckBeforeDurable(Key),
    /// An acknowledgement out of the order of receipt, twice, or on another connection.
    #[error("an acknowledgement out of order or on the wrong connection")]
    AckMisplaced,
    /// Two commits at once.
    #[error("two commits are under way at once")]
    TwoCommits,
    /// A record that the next life could not read.
    #[error("the journal does not read: {0}")]
    Journal(String),
    /// The same report with two bodies.
    #[error("report {0} has two bodies")]
    BodyChanged(String),
    /// A lower sequence came first after a higher one.
    #[error("order {key}: report {sequence} came for the first time after a later one")]
    SequenceFell {
        /// The order.
        key: Key,
        /// The lower one.
        sequence: u64,
    },
    /// A report that is none of ours.
    #[error("a report does not read: {0}")]
    ReportUnreadable(String),
    /// An accepted order without a report to the merchant or to the platform.
    #[error("order {key} was acknowledged, and its last report never came over {channel}")]
    NotReported {
        /// The order.
        key: Key,
        /// HTTP or MQTT.
        channel: &'static str,
    },
    /// The last report contradicts the board.
    #[error("order {key} unit {unit} is reported {said}; the motor turned: {turned}, goods dropped: {dropped}")]
    Untrue {
        /// The order.
        key: Key,
        /// Counted from 1.
        unit: usize,
        /// The outcome in the report.
        said: String,
        /// What the board did.
        turned: bool,
        /// Goods fell.
        dropped: bool,
    },
    /// A unit was driven though one before it was not dispensed (rule 23).
    #[error("order {key} unit {unit} was driven after a unit that is not dispensed")]
    DrivenOn {
        /// The order.
        key: Key,
        /// Counted from 1.
        unit: usize,
    },
    /// Doubt without any cause.
    #[error("order {0} ended unknown though nothing was cut, lost or broken")]
    GroundlessUnknown(Key),
    /// A refund though goods were dropped.
    #[error("order {0} was refunded though goods were dropped")]
    WrongRefund(Key),
    /// Something is still open though nothing goes wrong any more.
    #[error("{hours} h after the last fault: {open_orders} orders and {open_reports} reports are still open")]
    WaitsForEver {
        /// How long.
        hours: u64,
        /// Orders not final.
        open_orders: usize,
        /// Copies not taken.
        open_reports: usize,
    },
    /// Woken again and again without effect.
    #[error("the core spins at {at_ms} ms")]
    Spins {
        /// The run's time.
        at_ms: u64,
    },
    /// The run could not begin.
    #[error("the run cannot begin: {0}")]
    Setup(String),
    /// The core panicked.
    #[error("panic: {0}")]
    Panic(String),
}

/// A unit of an order, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnitId {
    pub(super) key: Key,
    pub(super) unit: usize,
}

/// Where a report was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    Http,
    Mqtt,
}

#[derive(Debug)]
struct Heard {
    units: Vec<String>,
    body: Vec<u8>,
}

/// Keeps count while a run goes on, and judges at its end.
#[derive(Debug, Default)]
pub(super) struct Judge {
    acknowledged: BTreeSet<Key>,
    /// By unit: did goods drop, for each turn.
    turns: BTreeMap<UnitId, Vec<bool>>,
    reports: BTreeMap<(Channel, Key), BTreeMap<u64, Heard>>,
    /// Times that a merchant said 404 to a report: ten may end it in the dead letters.
    unwelcome: BTreeMap<Key, u32>,
    /// Something was cut, lost or broken.
    pub(super) has_excuse: bool,
    /// The kernel vouched for a wrong clock.
    pub(super) clock_lied: bool,
}

/// So many 404 may end in a dead letter (`order::report`).
const UNWELCOME_MAX: u32 = 10;
/// From the gate to the first byte, in ms.
const DRIVE_SLACK_MS: u64 = 1_000;
/// From the gate to the first byte while the board is waited for, in ms: an xy-v3 board speaks first.
const ASK_SLACK_MS: u64 = 6_000;
/// An order is late after this time and asked about, in s (rule 27).
const LATE_AFTER_S: u64 = 100;

impl Judge {
    pub(super) fn new(has_excuse: bool) -> Judge {
        Judge { has_excuse, ..Judge::default() }
    }

    pub(super) fn acknowledged(&mut self, key: Key) {
        self.acknowledged.insert(key);
    }

    pub(super) fn unwelcome(&mut self, key: Key) {
        *self.unwelcome.entry(key).or_default() += 1;
    }

    /// A motor frame leaves. By the true time it must still be allowed to.
    pub(super) fn driven(&self, order: &Order, verified: VerifyOrders, paid: bool, true_ms: u64) -> Result<(), Broken> {
        let key = order.key.clone();
        // What the record says, but never more than twenty minutes: no command of a plan names a later payment.
        let until_s = order.drive_until_s.min(order.issued_at_s + DRIVE_WITHIN_S);
        let late_ms = true_ms.saturating_sub((until_s + 1) * 1_000);
        if late_ms > DRIVE_SLACK_MS && !self.clock_lied {
            return Err(Broken::DrivenLate { key, late_s: late_ms / 1_000 });
        }
        let late_ms = true_ms.saturating_sub((order.issued_at_s + LATE_AFTER_S + 1) * 1_000);
        let had_to_ask = match verified {
            VerifyOrders::Always => true,
            VerifyOrders::Late => late_ms > ASK_SLACK_MS && !self.clock_lied,
            VerifyOrders::Never => false,
        };
        if had_to_ask && !paid { Err(Broken::DrivenUnpaid(key)) } else { Ok(()) }
    }

    pub(super) fn turned(&mut self, unit: UnitId, dropped: bool) -> Result<(), Broken> {
        let turns = self.turns.entry(unit.clone()).or_default();
        turns.push(dropped);
        match turns.len() {
            0 | 1 => Ok(()),
            turns => Err(Broken::TurnedTwice { key: unit.key, unit: unit.unit + 1, turns }),
        }
    }

    /// The unit's motor has turned.
    pub(super) fn has_turned(&self, unit: &UnitId) -> bool {
        self.turns.contains_key(unit)
    }

    /// Turns so far.
    pub(super) fn turns(&self) -> usize {
        self.turns.values().map(Vec::len).sum()
    }

    /// Units that were last reported unknown.
    pub(super) fn unknown(&self) -> usize {
        let last = self.reports.iter().filter(|((channel, _), _)| *channel == Channel::Mqtt);
        let last = last.filter_map(|(_, heard)| heard.last_key_value());
        last.map(|(_, heard)| heard.units.iter().filter(|u| *u == "unknown").count()).sum()
    }

    /// A receiver has a report before it.
    pub(super) fn heard(
        &mut self,
        channel: Channel,
        key: &Key,
        sequence: u64,
        units: &Value,
        body: &[u8],
    ) -> Result<(), Broken> {
        let reports = self.reports.entry((channel, key.clone())).or_default();
        if let Some(before) = reports.get(&sequence) {
            if before.body != body {
                return Err(Broken::BodyChanged(format!("{key}:{sequence} over {channel:?}")));
            }
            return Ok(());
        }
        if reports.last_key_value().is_some_and(|(last, _)| *last > sequence) {
            return Err(Broken::SequenceFell { key: key.clone(), sequence });
        }
        let units = units.as_array().into_iter().flatten();
        let units: Option<Vec<String>> = units.map(|u| u["outcome"].as_str().map(str::to_owned)).collect();
        match units {
            Some(units) if !units.is_empty() => {
                reports.insert(sequence, Heard { units, body: body.to_vec() });
                Ok(())
            }
            _ => Err(Broken::ReportUnreadable(format!("{key}:{sequence}"))),
        }
    }

    /// The end: nothing that was acknowledged is without its true, last, delivered report.
    pub(super) fn judge(&self, placed: &[(Key, Placed)], refunded: &BTreeSet<Key>) -> Result<(), Broken> {
        for (key, order) in placed {
            let over = |channel| self.reports.get(&(channel, key.clone())).and_then(|r| r.last_key_value());
            let (http, mqtt) = (over(Channel::Http), over(Channel::Mqtt));
            if refunded.contains(key) && self.dropped(key) {
                return Err(Broken::WrongRefund(key.clone()));
            }
            let last = http.into_iter().chain(mqtt).max_by_key(|(sequence, _)| **sequence);
            if let Some((_, last)) = last {
                self.hold_against_the_board(key, &last.units)?;
            }
            if !self.acknowledged.contains(key) {
                continue;
            }
            let missing = |channel| Broken::NotReported { key: key.clone(), channel };
            let Some((last, _)) = last else { return Err(missing("any channel")) };
            let may_be_dead = self.unwelcome.get(key).is_some_and(|n| *n >= UNWELCOME_MAX);
            if order.host.is_some() && !may_be_dead && http.is_none_or(|(sequence, _)| sequence < last) {
                return Err(missing("HTTP"));
            }
            if mqtt.is_none_or(|(sequence, _)| sequence < last) {
                return Err(missing("MQTT"));
            }
        }
        Ok(())
    }

    fn dropped(&self, key: &Key) -> bool {
        self.turns.iter().any(|(id, drops)| id.key == *key && drops.contains(&true))
    }

    /// What the board did × what may be said.
    fn hold_against_the_board(&self, key: &Key, units: &[String]) -> Result<(), Broken> {
        let mut has_failed = false;
        for (unit, said) in units.iter().enumerate() {
            let drops = self.turns.get(&UnitId { key: key.clone(), unit });
            let turned = drops.is_some_and(|d| !d.is_empty());
            let dropped = drops.is_some_and(|d| d.contains(&true));
            if has_failed && turned {
                return Err(Broken::DrivenOn { key: key.clone(), unit: unit + 1 });
            }
            has_failed |= !said.starts_with("dispensed");
            let may_be_said = match said.as_str() {
                "dispensed" => dropped,
                "dispensed_unverified" => turned,
                "no_drop" | "not_dispensed" => !dropped,
                "refused" => !turned,
                "unknown" if !self.has_excuse => return Err(Broken::GroundlessUnknown(key.clone())),
                "unknown" => true,
                _ => false,
            };
            if !may_be_said {
                let (key, said) = (key.clone(), said.clone());
                return Err(Broken::Untrue { key, unit: unit + 1, said, turned, dropped });
            }
        }
        let beyond = self.turns.keys().find(|id| id.key == *key && id.unit >= units.len());
        match beyond {
            Some(id) => Err(Broken::TurnedTwice { key: key.clone(), unit: id.unit + 1, turns: 1 }),
            None => Ok(()),
        }
    }
}
