//! The promise, held against what the board really did and what the world was really told.

mod doubt;
mod stock;

use super::plan::Placed;
use crate::cloud::device::DRIVE_WITHIN_S;
use crate::core::VerifyOrders;
use crate::core::event::Batch;
use crate::order::instruction::{AuditEntry, Became, Kind};
use crate::order::key::{Key, Own};
use crate::order::life::Order;
use crate::order::record::{self, Records};
use crate::order::sale::Sale;
use doubt::Doubt;
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
    /// The motor was driven though the cloud had to be asked, and the command names another amount (rule 59).
    #[error("order {0} was driven for another amount than the books say")]
    DrivenForOtherAmount(Key),
    /// A command was acknowledged and is not durable.
    #[error("order {0} was acknowledged before it was durable")]
    AckBeforeDurable(Key),
    /// An acknowledgement out of the order of receipt, twice, or on another connection.
    #[error("an acknowledgement out of order or on the wrong connection")]
    AckMisplaced,
    /// Somebody was told that a code is used now, and it is not durable.
    #[error("order {0}: its code was told to be used before that was durable")]
    UsedBeforeDurable(Key),
    /// A code was believed after its time.
    #[error("order {0}: its code was believed after its time")]
    CodeLate(Key),
    /// One code was accepted twice.
    #[error("order {0}: its code was accepted a second time")]
    CodeTwice(Key),
    /// A test vend began while an order was open.
    #[error("a test vend began while an order was open")]
    TestBeforeOrders,
    /// A test vend was driven in a later life than the one that it was for.
    #[error("test vend {0} was driven in a later life")]
    TestResumed(Key),
    /// The machine is asked to do something to itself, and what says so is not durable.
    #[error("act {0} leaves before its audit entry is durable")]
    ActBeforeDurable(u64),
    /// The same instruction is followed twice.
    #[error("the {kind} that was issued at {issued_at_s} is done twice")]
    ActTwice {
        /// Its kind.
        kind: &'static str,
        /// When it was issued.
        issued_at_s: u64,
    },
    /// The machine goes while an order is open.
    #[error("the machine {what} while {open} orders are open")]
    ActOnOpenOrder {
        /// What it does.
        what: &'static str,
        /// How many.
        open: usize,
    },
    /// Somebody has paid, and the journal knows nothing of it.
    #[error("order {order} was paid at the machine, and no sale knows it")]
    SaleForgotten {
        /// The cloud's order.
        order: u64,
    },
    /// Somebody has paid, and has neither goods nor money, or both.
    #[error("sale {sale} (order {order}) is {state} in the end, and that is not so")]
    SaleWrong {
        /// The sale.
        sale: u64,
        /// The cloud's order.
        order: u64,
        /// What the journal says.
        state: &'static str,
    },
    /// A sale that never ends.
    #[error("sale {sale} is still {state}")]
    SaleOpen {
        /// The sale.
        sale: u64,
        /// Where it stands.
        state: &'static str,
    },
    /// The merchant does not know how a sale ended.
    #[error("sale {sale} is {state}, and the merchant was not told so last")]
    SaleUntold {
        /// The sale.
        sale: u64,
        /// How it ended.
        state: &'static str,
    },
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
    #[error("order {key} unit {unit} ended unknown though nothing was cut, lost or broken while it was on the line")]
    GroundlessUnknown {
        /// The order.
        key: Key,
        /// Counted from 1.
        unit: usize,
    },
    /// A report changed what an earlier one, or the other channel, had said for certain (rule 24).
    #[error("order {key}: report {sequence} says {now:?} where {before:?} was said")]
    Rewrote {
        /// The order.
        key: Key,
        /// Of the later report.
        sequence: u64,
        /// Units before.
        before: Vec<String>,
        /// Units now.
        now: Vec<String>,
    },
    /// A journal in quarantine, and something was done all the same (rule 5).
    #[error("in quarantine: {0}")]
    QuarantineBroken(&'static str),
    /// A report about an order that was never sold.
    #[error("a report about the strange order {0}")]
    Stranger(Key),
    /// The platform was told something that is not durable (rule 40).
    #[error("{0} leaves, and no call for it is durable")]
    CallBeforeDurable(String),
    /// The money was to be given back, and the platform was never told (rule 41).
    #[error("order {0} failed as a whole, and no refund was ever asked for")]
    NotRefunded(Key),
    /// The cloud's books say something else than the last report, and the agent does not show it (rule 44).
    #[error("order {key}: reported as {said:?}, on the books as {books}, and no difference is shown")]
    OutOfStep {
        /// The order.
        key: Key,
        /// Its units in the last report.
        said: Vec<String>,
        /// The words of the books.
        books: String,
    },
    /// The goods of a slot were not counted with the outcomes that the same batch carries.
    #[error("slot {slot}: {found} goods are kept where {wanted} must be left by the outcomes in the same batch")]
    Miscounted {
        /// The slot.
        slot: u16,
        /// What the batch says.
        found: u16,
        /// What follows from the outcomes.
        wanted: u16,
    },
    /// Nothing goes wrong any more, and the platform believes another count than the machine.
    #[error("slot {slot} holds {count} goods, the platform was told {told:?}")]
    StockNotTold {
        /// The slot.
        slot: u16,
        /// What the machine keeps.
        count: u16,
        /// What the platform believes.
        told: Option<u64>,
    },
    /// More is kept than may be.
    #[error("{found} {what}, at most {limit} may be")]
    Unbounded {
        /// What.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// What is counted of orders and sales is not what a look at them finds.
    #[error("what the status counts is not what a look at all finds")]
    NotTallied,
    /// songshu never heard of an order, and no dead letter says so.
    #[error("order {0} was acknowledged, and songshu never heard of it")]
    NotNoticed(Key),
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
        /// Copies and calls not taken, results not compared.
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

/// One turn of a motor.
#[derive(Debug, Clone, Copy)]
struct Turned {
    at_ms: u64,
    dropped: bool,
}

/// All that was heard of one order over one channel, by sequence.
type Reports = BTreeMap<u64, Heard>;

/// Keeps count while a run goes on, and judges at its end.
#[derive(Debug, Default)]
pub(super) struct Judge {
    acknowledged: BTreeSet<Key>,
    turns: BTreeMap<UnitId, Vec<Turned>>,
    reports: BTreeMap<(Channel, Key), Reports>,
    /// Reports of journals that were lost.
    former_reports: Vec<(Key, Reports)>,
    /// Times that a merchant said 404 to a report: ten may end it in the dead letters.
    unwelcome: BTreeMap<Key, u32>,
    /// Orders of which the cloud said for good that they cannot be changed.
    cloud_refused: BTreeSet<Key>,
    /// What the merchant heard last of a sale, by its trade_no: the sequence and the state.
    sales: BTreeMap<String, (u64, String)>,
    /// Sales of which a report was answered 404.
    sales_unwelcome: BTreeMap<String, u32>,
    /// Codes that somebody was told to have been accepted, in whatever journal.
    accepted_codes: BTreeSet<Key>,
    pub(super) doubt: Doubt,
    /// Instructions of this journal that the machine was asked to follow.
    followed: BTreeSet<(Kind, u64)>,
    /// The test vends that the platform wanted, by the second of their issue.
    tests: BTreeMap<u64, Key>,
    /// Whoever vouches for the time vouched for a wrong one.
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
    /// A batch is handed to the disk: what becomes of units, as the core believes.
    pub(super) fn observe(&mut self, beneath: &Records, batch: &Batch, now_ms: u64, true_s: u64) -> Result<(), Broken> {
        let unreadable = |e: record::RecordError| Broken::Journal(e.to_string());
        let ledger = record::decode_ledger(&batch.ledger).map_err(unreadable)?;
        let records = Records::read(batch.puts.iter().map(|(key, bytes)| (key, bytes))).map_err(unreadable)?;
        for order in &records.orders {
            self.doubt.observe(order, &ledger, now_ms, true_s);
        }
        stock::hold_against_outcomes(beneath, &records, &batch.removes)
    }

    /// A motor frame leaves for a test vend that the platform wanted: once for an instruction.
    pub(super) fn tests(&mut self, entry: &AuditEntry, key: &Key) -> Result<(), Broken> {
        let first = self.tests.entry(entry.issued_at_s).or_insert_with(|| key.clone());
        let twice = Broken::ActTwice { kind: entry.kind.as_str(), issued_at_s: entry.issued_at_s };
        if first == key { Ok(()) } else { Err(twice) }
    }

    /// A person accepts that the journal is lost: what was acknowledged may be lost with it, and what is sent once
    /// more is told anew.
    pub(super) fn journal_lost(&mut self) {
        // The tests and sales of a new journal are counted anew; somebody stood there for each.
        self.turns.retain(|unit, _| !matches!(unit.key.made_for(), Some(Own::Test | Own::Sale)));
        self.acknowledged.clear();
        self.unwelcome.clear();
        self.followed.clear();
        self.tests.clear();
        self.doubt.journal_lost();
        let former = std::mem::take(&mut self.reports);
        self.former_reports.extend(former.into_iter().map(|((_, key), reports)| (key, reports)));
    }

    /// The machine is asked to do something to itself: once for an instruction, and never before that is durable.
    pub(super) fn acts(&mut self, number: u64, entry: Option<AuditEntry>, open: usize) -> Result<(), Broken> {
        let Some(entry) = entry.filter(|entry| entry.became == Became::UnderWay) else {
            return Err(Broken::ActBeforeDurable(number));
        };
        if !self.followed.insert((entry.kind, entry.issued_at_s)) {
            return Err(Broken::ActTwice { kind: entry.kind.as_str(), issued_at_s: entry.issued_at_s });
        }
        if open > 0 { Err(Broken::ActOnOpenOrder { what: "is asked to go", open }) } else { Ok(()) }
    }

    pub(super) fn acknowledged(&mut self, key: Key) {
        self.acknowledged.insert(key);
    }

    /// Orders whose commands were acknowledged by this journal.
    pub(super) fn acknowledged_keys(&self) -> impl Iterator<Item = &Key> {
        self.acknowledged.iter()
    }

    /// The cloud refuses for good to change an order.
    pub(super) fn cloud_refused(&mut self, key: Key) {
        self.cloud_refused.insert(key);
    }

    /// The cloud said, of an order that was paid at the machine, that there is no such place.
    pub(super) fn is_refused_by_the_cloud(&self, order: u64) -> bool {
        self.cloud_refused.iter().any(|key| key.order_id.as_str() == order.to_string())
    }

    /// Somebody was told that a code is accepted.
    pub(super) fn code_accepted(&mut self, key: Key) -> Result<(), Broken> {
        if self.accepted_codes.insert(key.clone()) { Ok(()) } else { Err(Broken::CodeTwice(key)) }
    }

    pub(super) fn unwelcome(&mut self, key: Key) {
        *self.unwelcome.entry(key).or_default() += 1;
    }

    /// A motor frame leaves. By the true time it must still be allowed to.
    pub(super) fn driven(
        &self,
        order: &Order,
        verified: VerifyOrders,
        placed: Option<&Placed>,
        true_ms: u64,
    ) -> Result<(), Broken> {
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
        match placed {
            _ if !had_to_ask => Ok(()),
            Some(placed) if placed.paid && placed.has_other_amount() => Err(Broken::DrivenForOtherAmount(key)),
            Some(placed) if placed.paid => Ok(()),
            _ => Err(Broken::DrivenUnpaid(key)),
        }
    }

    pub(super) fn turned(&mut self, unit: UnitId, dropped: bool, at_ms: u64) -> Result<(), Broken> {
        let turns = self.turns.entry(unit.clone()).or_default();
        turns.push(Turned { at_ms, dropped });
        match turns.len() {
            0 | 1 => Ok(()),
            turns => Err(Broken::TurnedTwice { key: unit.key, unit: unit.unit + 1, turns }),
        }
    }

    /// Goods of it were seen to fall.
    pub(super) fn has_dropped(&self, unit: &UnitId) -> bool {
        self.turns.get(unit).is_some_and(|turns| turns.iter().any(|turn| turn.dropped))
    }

    /// The merchant is told how a sale stands; `is_heard` unless the answer is 404.
    pub(super) fn sale_told(&mut self, body: &Value, is_heard: bool) -> Result<(), Broken> {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let read = || Some((text("trade_no")?, text("sequence")?.parse::<u64>().ok()?, text("state")?));
        let (trade_no, sequence, state) = read().ok_or_else(|| Broken::ReportUnreadable(body.to_string()))?;
        if !is_heard {
            *self.sales_unwelcome.entry(trade_no).or_default() += 1;
            return Ok(());
        }
        match self.sales.get(&trade_no) {
            Some((last, _)) if *last > sequence => {}
            Some((last, said)) if *last == sequence && *said != state => {
                return Err(Broken::BodyChanged(format!("sale {trade_no}:{sequence}")));
            }
            _ => drop(self.sales.insert(trade_no, (sequence, state))),
        }
        Ok(())
    }

    /// What the merchant heard last is how it ended; what he did not want to hear is excused.
    pub(super) fn sale_was_told(&self, sale: &Sale) -> bool {
        let trade_no = sale.trade_no.as_str();
        let is_told = self.sales.get(trade_no).is_some_and(|(_, state)| state == sale.state.as_str());
        is_told || self.sales_unwelcome.get(trade_no).is_some_and(|n| *n >= UNWELCOME_MAX)
    }

    /// When the unit's motor began to turn, in ms.
    pub(super) fn turned_at_ms(&self, unit: &UnitId) -> Option<u64> {
        self.turns.get(unit)?.last().map(|turn| turn.at_ms)
    }

    /// Turns so far.
    pub(super) fn turns(&self) -> usize {
        self.turns.values().map(Vec::len).sum()
    }

    /// Units that were last reported unknown.
    pub(super) fn unknown(&self) -> usize {
        let last = self.reports.iter().filter(|((channel, _), _)| *channel == Channel::Mqtt);
        let last = last.filter_map(|(_, heard)| heard.last_key_value());
        last.map(|(_, heard)| heard.units.iter().filter(|u| *u == UNKNOWN).count()).sum()
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
            // By a clock that lied it came from the future, and was refused for that: such a key is forgotten a little
            // early, and refused anew.
            let is_refused_anew = self.clock_lied && before.units.iter().all(|said| said == "refused");
            if before.body != body && !is_refused_anew {
                return Err(Broken::BodyChanged(format!("{key}:{sequence} over {channel:?}")));
            }
            return Ok(());
        }
        let last = reports.last_key_value();
        if last.is_some_and(|(last, _)| *last > sequence) {
            return Err(Broken::SequenceFell { key: key.clone(), sequence });
        }
        let units = units.as_array().into_iter().flatten();
        let units: Option<Vec<String>> = units.map(|u| u["outcome"].as_str().map(str::to_owned)).collect();
        let Some(units) = units.filter(|units| !units.is_empty()) else {
            return Err(Broken::ReportUnreadable(format!("{key}:{sequence}")));
        };
        if let Some((_, last)) = last.filter(|(_, last)| !is_correction(&last.units, &units)) {
            return Err(rewrote(key, sequence, last, &units));
        }
        let heard = Heard { units, body: body.to_vec() };
        let other = if channel == Channel::Http { Channel::Mqtt } else { Channel::Http };
        let other = self.reports.get(&(other, key.clone())).and_then(|reports| reports.get(&sequence));
        if let Some(other) = other.filter(|other| other.units != heard.units) {
            return Err(rewrote(key, sequence, other, &heard.units));
        }
        self.reports.entry((channel, key.clone())).or_default().insert(sequence, heard);
        Ok(())
    }

    /// The end: nothing that was acknowledged is without its true, last, delivered report.
    /// `refunds`: the agent is to ask for a refund; `refunded`: of these the cloud knows it.
    pub(super) fn judge(
        &self,
        placed: &[(Key, Placed)],
        refunds: bool,
        refunded: &BTreeSet<Key>,
    ) -> Result<(), Broken> {
        let keys: BTreeSet<&Key> = placed.iter().map(|(key, _)| key).collect();
        let is_strange = |key: &Key| !keys.contains(key) && key.pickup_code().is_none();
        if let Some((_, stranger)) = self.reports.keys().find(|(_, key)| is_strange(key)) {
            return Err(Broken::Stranger(stranger.clone()));
        }
        for (key, order) in placed {
            let over = |channel| self.reports.get(&(channel, key.clone())).and_then(|r| r.last_key_value());
            let (http, mqtt) = (over(Channel::Http), over(Channel::Mqtt));
            if refunded.contains(key) && self.dropped(key) {
                return Err(Broken::WrongRefund(key.clone()));
            }
            self.hold_all_against_the_board(key)?;
            let last = http.into_iter().chain(mqtt).max_by_key(|(sequence, _)| **sequence);
            if let Some((_, last)) = last {
                self.find_groundless_doubt(key, &last.units)?;
            }
            if !self.acknowledged.contains(key) {
                continue;
            }
            if refunds
                && last.is_some_and(|(_, last)| last.units.iter().all(|said| REFUNDED.contains(&said.as_str())))
                && !refunded.contains(key)
                && !self.cloud_refused.contains(key)
            {
                return Err(Broken::NotRefunded(key.clone()));
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

    /// What the platform heard last × what it has on its books: `order` and `record` are its words.
    pub(super) fn hold_against_the_books(&self, key: &Key, (order, record): &(String, String)) -> Result<(), Broken> {
        let heard = self.reports.get(&(Channel::Mqtt, key.clone())).and_then(|reports| reports.last_key_value());
        let Some((_, last)) = heard.filter(|_| self.acknowledged.contains(key)) else { return Ok(()) };
        let dispensed = last.units.iter().filter(|said| said.starts_with("dispensed")).count();
        let (is_booked, is_refunded) = (record == "IS_SUCCESS", order == "REFUND");
        let is_in_step = match dispensed {
            0 => !is_booked,
            all if all == last.units.len() => is_booked && !is_refunded && order != "NOTPAY",
            _ => !is_booked && !is_refunded && order != "NOTPAY",
        };
        if is_in_step {
            return Ok(());
        }
        Err(Broken::OutOfStep { key: key.clone(), said: last.units.clone(), books: format!("{order} {record}") })
    }

    /// The same for pickup codes: a used one is told at last, and truly. With each comes whether the journal says that
    /// it is used.
    pub(super) fn judge_codes(&self, codes: &[(Key, bool)]) -> Result<(), Broken> {
        for (key, is_used) in codes {
            self.hold_all_against_the_board(key)?;
            let last = self.reports.get(&(Channel::Mqtt, key.clone())).and_then(|reports| reports.last_key_value());
            match last {
                Some((_, last)) => self.find_groundless_doubt(key, &last.units)?,
                None if *is_used => return Err(Broken::NotReported { key: key.clone(), channel: "MQTT" }),
                None => {}
            }
        }
        Ok(())
    }

    fn dropped(&self, key: &Key) -> bool {
        self.turns.iter().any(|(id, turns)| id.key == *key && turns.iter().any(|turn| turn.dropped))
    }

    /// Whatever was ever said for certain, also in reports that were corrected, also out of a journal that was lost.
    fn hold_all_against_the_board(&self, key: &Key) -> Result<(), Broken> {
        let now = [Channel::Http, Channel::Mqtt].into_iter().filter_map(|c| self.reports.get(&(c, key.clone())));
        let former = self.former_reports.iter().filter(|(former, _)| former == key).map(|(_, reports)| reports);
        now.chain(former)
            .flat_map(BTreeMap::values)
            .try_for_each(|heard| self.hold_against_the_board(key, &heard.units))
    }

    /// What the board did × what may be said.
    fn hold_against_the_board(&self, key: &Key, units: &[String]) -> Result<(), Broken> {
        let mut has_failed = false;
        for (unit, said) in units.iter().enumerate() {
            let turns = self.turns.get(&UnitId { key: key.clone(), unit });
            let turned = turns.is_some_and(|turns| !turns.is_empty());
            let dropped = turns.is_some_and(|turns| turns.iter().any(|turn| turn.dropped));
            if has_failed && turned {
                return Err(Broken::DrivenOn { key: key.clone(), unit: unit + 1 });
            }
            // A barred order is unknown as a whole, and a former life may have driven all of it.
            has_failed |= !said.starts_with("dispensed") && said != UNKNOWN;
            let may_be_said = match said.as_str() {
                "dispensed" => dropped,
                "dispensed_unverified" => turned,
                "no_drop" => turned && !dropped,
                "not_dispensed" => !dropped,
                "refused" => !turned,
                UNKNOWN => true,
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

    fn find_groundless_doubt(&self, key: &Key, units: &[String]) -> Result<(), Broken> {
        let unknown = units.iter().enumerate().filter(|(_, said)| *said == UNKNOWN);
        for (unit, _) in unknown {
            if !self.doubt.is_excused(&UnitId { key: key.clone(), unit }, self.clock_lied) {
                return Err(Broken::GroundlessUnknown { key: key.clone(), unit: unit + 1 });
            }
        }
        Ok(())
    }
}

const UNKNOWN: &str = "unknown";
/// An order whose units all ended so is refunded (rule 25).
const REFUNDED: [&str; 2] = ["not_dispensed", "refused"];

/// Only *unknown* may be replaced by something else.
fn is_correction(before: &[String], now: &[String]) -> bool {
    before.len() == now.len() && before.iter().zip(now).all(|(before, now)| before == now || before == UNKNOWN)
}

fn rewrote(key: &Key, sequence: u64, before: &Heard, now: &[String]) -> Broken {
    Broken::Rewrote { key: key.clone(), sequence, before: before.units.clone(), now: now.to_vec() }
}
