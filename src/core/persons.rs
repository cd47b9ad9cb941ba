//! What a person decides about an order that came to its end: what became of one in doubt, and that dead letters are
//! sent again (rules 60, 61). Neither drives anything. The decision, its audit entry and what follows from it are one
//! batch, and whoever decided is told when it is durable.

use super::commit::After;
use super::event::{Effect, Token};
use super::own::Reply;
use super::status::OrderLine;
use super::{Core, Phase};
use crate::order::instruction::Kind;
use crate::order::key::Key;
use crate::order::life::{Order, State};
use crate::order::outcome::{DropSensor, Motor, UnitOutcome};
use crate::order::said::InChinese;
use crate::order::time::Now;
use crate::sabotage::{self, Clause};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// So long after it was issued an order in doubt is told to whoever looks after the machine, in s: a week. By then
/// somebody has looked into its slot, or nobody can any more.
pub const DOUBT_TOLD_FOR_S: u64 = 7 * 86_400;

/// So many of them are counted: a machine with more is out of order, and nobody reads how much.
const DOUBTS_COUNTED_MAX: usize = 1_000;

/// Nobody knows what became of a unit, and no person has said that this is so for good.
#[must_use]
pub fn is_in_doubt(order: &Order) -> bool {
    let is_unknown = order.units.iter().any(|unit| unit.outcome() == Some(UnitOutcome::Unknown));
    is_unknown && !order.resolved_by_person && !order.key.is_test()
}

/// Orders in doubt, by when they were issued, in Unix s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Doubts(BTreeSet<(u64, Key)>);

impl Doubts {
    pub(super) const fn new() -> Doubts {
        Doubts(BTreeSet::new())
    }

    pub(super) fn insert(&mut self, order: &Order) {
        self.0.insert((order.issued_at_s, order.key.clone()));
    }

    pub(super) fn remove(&mut self, order: &Order) {
        self.0.remove(&(order.issued_at_s, order.key.clone()));
    }

    /// The keys of those that were issued since, newest first.
    pub(super) fn since(&self, issued_at_s: u64) -> impl Iterator<Item = &Key> {
        self.0.iter().rev().take_while(move |(issued, _)| *issued >= issued_at_s).map(|(_, key)| key)
    }
}

/// What became of an order in doubt, in a person's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The customer has the goods.
    Dispensed,
    /// The goods are still there.
    Failed,
    /// Nobody will ever know; nothing that the board says later changes it any more.
    Unknown,
}

impl Verdict {
    /// The word on the command line and in the audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Dispensed => "dispensed",
            Verdict::Failed => "failed",
            Verdict::Unknown => "unknown",
        }
    }

    /// What the report says of a unit. No sensor saw it, and a motor of which no answer came has no better word than
    /// the time-out that it was.
    const fn outcome(self) -> UnitOutcome {
        match self {
            Verdict::Dispensed => UnitOutcome::DispensedUnverified,
            Verdict::Failed => UnitOutcome::NotDispensed(Motor::Timeout, DropSensor::None),
            Verdict::Unknown => UnitOutcome::Unknown,
        }
    }
}

/// What a person decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// This became of an order in doubt: a report with the next sequence says so.
    Resolve {
        /// Which order.
        key: Key,
        /// What became of it.
        verdict: Verdict,
        /// Why it is believed; kept in the audit.
        reason: String,
    },
    /// The order's dead letters are sent again.
    Retry {
        /// Which order.
        key: Key,
    },
}

impl Decision {
    /// Which order it is about.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Decision::Resolve { key, .. } | Decision::Retry { key } => key,
        }
    }
}

/// Why a decision is not taken. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum DecisionError {
    /// Nobody knows this order.
    #[error("no such order; vend order list shows those that are open, vend report list those with dead letters")]
    NoSuchOrder,
    /// It has not ended: it will be driven, refused or end by itself.
    #[error("the order has not ended yet: it is driven, refused or ends by itself; look again later")]
    NotEnded,
    /// Nothing of it is unknown.
    #[error("nothing of the order is unknown: there is nothing to resolve")]
    NotInDoubt,
    /// Its motor may still turn, or its result is on its way.
    #[error("the order's motor may still turn, or its result come: wait until vend status says that the line is idle")]
    MayStillTurn,
    /// None of its reports lies in the dead letters.
    #[error("none of the order's reports was refused for good: there is nothing to send again")]
    NothingDead,
    /// What changed last is on its way to the disk.
    #[error("what changed last is being written; try again")]
    BeingWritten,
    /// The agent keeps nothing now.
    #[error("the agent keeps nothing now: it is starting or stopping, or its journal failed; see vend status")]
    Unavailable,
}

impl InChinese for DecisionError {
    fn zh(&self) -> String {
        match self {
            DecisionError::NoSuchOrder => {
                "没有此订单；vend order list 列出未了结的订单，vend report list 列出有死信的订单"
            }
            DecisionError::NotEnded => "订单尚未结束：它将被驱动、被拒绝或自行结束；请稍后再看",
            DecisionError::NotInDoubt => "订单没有未知的商品：无需裁定",
            DecisionError::MayStillTurn => "订单的电机可能仍在转动，或结果尚未到达：请等 vend status 显示串口线空闲",
            DecisionError::NothingDead => "订单的上报没有被永久拒绝：无需重发",
            DecisionError::BeingWritten => "最近的变化正在写入；请重试",
            DecisionError::Unavailable => "守护进程此时不保存数据：正在启动或停止，或日志已失败；请看 vend status",
        }
        .to_owned()
    }
}

impl Core {
    /// The orders of the last days that a person may resolve: those with reports on their way first, each newest first.
    pub(super) fn orders_in_doubt(&self, now: Now) -> Vec<&Key> {
        let since_s = self.told_time_s(now).saturating_sub(DOUBT_TOLD_FOR_S);
        let doubts = [self.orders.tally().doubts(), self.archive.doubts()];
        doubts.into_iter().flat_map(|doubts| doubts.since(since_s)).take(DOUBTS_COUNTED_MAX).collect()
    }

    /// A person decides. The answer leaves when it is durable.
    pub(super) fn on_decision(&mut self, now: Now, token: Token, uid: u32, decision: Decision) {
        if let Err(error) = self.decide(now, token, uid, decision) {
            self.effects.push(Effect::Reply { token, reply: Reply::Decided(Err(error)) });
        }
    }

    fn decide(&mut self, now: Now, token: Token, uid: u32, decision: Decision) -> Result<(), DecisionError> {
        if self.phase != Phase::Running || self.failed.is_some() || self.stopping {
            return Err(DecisionError::Unavailable);
        }
        let key = decision.key().clone();
        match decision {
            Decision::Resolve { verdict, reason, .. } => self.resolve(now, uid, &key, verdict, &reason)?,
            Decision::Retry { .. } => self.retry(now, uid, &key)?,
        }
        // A sale's order is told to nobody, and is in the archive already.
        let order = self.known_order(&key).map(|order| OrderLine::of(&order)).ok_or(DecisionError::NoSuchOrder)?;
        self.after_next_commit(After::Reply { token, reply: Reply::Decided(Ok(Box::new(order))) });
        Ok(())
    }

    fn resolve(&mut self, now: Now, uid: u32, key: &Key, verdict: Verdict, reason: &str) -> Result<(), DecisionError> {
        self.may_decide(key, |order| {
            if order.outcomes().contains(&UnitOutcome::Unknown) { Ok(()) } else { Err(DecisionError::NotInDoubt) }
        })?;
        if self.may_still_turn(now, key) && !sabotage::is_out(Clause::R60NotWhileItMayTurn) {
            return Err(DecisionError::MayStillTurn);
        }
        self.bring_back(key);
        let outcome = verdict.outcome();
        match self.orders.change(key, |order| order.resolve(outcome)).ok_or(DecisionError::NoSuchOrder)? {
            Ok(units) => {
                for _ in units.iter().filter(|_| verdict != Verdict::Unknown) {
                    self.count_unit(now, self.slot_of_order(key), Some(UnitOutcome::Unknown), outcome);
                }
                let detail = format!("order {key} as {}: {reason}", verdict.as_str());
                self.audit_person(now, uid, Kind::OrderResolved, detail);
                self.report(now, key);
                Ok(())
            }
            Err(error) => {
                self.forbidden(key, error);
                Err(DecisionError::NotEnded)
            }
        }
    }

    fn retry(&mut self, now: Now, uid: u32, key: &Key) -> Result<(), DecisionError> {
        self.may_decide(key, |order| if order.has_dead_copy() { Ok(()) } else { Err(DecisionError::NothingDead) })?;
        // A commit under way may let the order's reports out, and this one must not leave with them.
        if self.is_being_written(key) && !sabotage::is_out(Clause::R61RetriedWhenDurable) {
            return Err(DecisionError::BeingWritten);
        }
        self.bring_back(key);
        match self.orders.change(key, Order::retry).ok_or(DecisionError::NoSuchOrder)? {
            Ok(copies) => {
                let order = self.orders.get(key);
                let up_to = order.and_then(|order| order.reports.last()).map_or(0, |report| report.sequence);
                let is_settled = order.is_some_and(|order| order.state() == State::Settled);
                self.audit_person(now, uid, Kind::ReportRetried, format!("order {key}: {copies} dead letters"));
                // Nothing leaves: what was dead was corrected since.
                if is_settled {
                    self.settle(now, key);
                }
                self.save(key, [After::Offer { key: key.clone(), up_to }]);
                if sabotage::is_out(Clause::R61RetriedWhenDurable) {
                    self.offer(now, key, up_to);
                }
                Ok(())
            }
            Err(error) => {
                self.forbidden(key, error);
                Err(DecisionError::NotEnded)
            }
        }
    }

    /// Whether there is such an order, ended, about which this can be decided. A test vend is nobody's order (rule 35).
    fn may_decide(
        &self,
        key: &Key,
        check: impl FnOnce(&Order) -> Result<(), DecisionError>,
    ) -> Result<(), DecisionError> {
        match self.known_order(key).filter(|_| !key.is_test()) {
            None => Err(DecisionError::NoSuchOrder),
            Some(order) if !order.is_final() => Err(DecisionError::NotEnded),
            Some(order) => check(&order),
        }
    }

    /// A tombstone is an order again, whole enough for what is still to be sent.
    fn bring_back(&mut self, key: &Key) {
        if let Some(order) = self.archive.take(key) {
            debug_assert!(order.state() == State::Tombstone, "only tombstones lie in the archive");
            self.orders.insert(order);
        }
    }
}
