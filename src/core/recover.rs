//! What happens when power returns (order-life, section 1; rules 1, 5, 6, 14).

use super::archive::Archive;
use super::arrivals::{Arrivals, Received, Saying};
use super::calls::Calls;
use super::catalogue::Catalogue;
use super::certificates::Certificates;
use super::commit::{After, Commits};
use super::deeds::Deeds;
use super::drive::Line;
use super::event::{Effect, Level};
use super::gate::Queue;
use super::instructions::Instructions;
use super::notify::Notices;
use super::orders::Orders;
use super::outbox::Outbox;
use super::own::Tests;
use super::pace::Pace;
use super::pickup::Codes;
use super::platform::Platform;
use super::sale::Sales;
use super::slots::Slots;
use super::sync::Results;
use super::telemetry::Telemetry;
use super::trace::Trace;
use super::troubles::{Troubles, not_kept};
use super::vends::Vends;
use super::{Core, Counters, Phase, Start};
use crate::cloud::orders::session::Sessions;
use crate::cloud::up::ReceivedState;
use crate::order::fault::FaultLog;
use crate::order::key::Key;
use crate::order::life::{Order, Refund, State};
use crate::order::outcome::{Reason, UnitOutcome};
use crate::order::record::{Birth, Ledger, OnlySeen, RecordError, RecordKey, Records};
use crate::order::said::Said;
use crate::order::sync::Sync;
use crate::order::time::{BootId, Now, TimeKeeper};
use crate::sabotage::{self, Clause};
use std::collections::VecDeque;

/// What the journal held.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a life has one of them, and gives it away at once")]
pub enum Recovered {
    /// A sound journal. Without a ledger it is new.
    Journal {
        /// The ledger.
        ledger: Option<Box<Ledger>>,
        /// Everything beside it.
        stock: Stock,
    },
    /// A journal that cannot be trusted (rule 5).
    Quarantine {
        /// For people.
        why: Said,
    },
}

/// What a life begins with: everything that a journal held beside its ledger.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    records: Records,
    /// Tombstones of which nothing is to be done.
    archive: Archive,
    /// Which of all these were only seen.
    only_seen: OnlySeen,
}

impl From<Records> for Stock {
    fn from(records: Records) -> Stock {
        Stock { records, ..Stock::default() }
    }
}

impl Stock {
    /// Reads all records of a journal. A tombstone stays the record that it is: thousands of them as orders, beside the
    /// records, would be the most memory that a life ever needs.
    ///
    /// # Errors
    /// When one of them is not of a known kind and format, or lies under the wrong key.
    pub fn read(
        records: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
        only_seen: OnlySeen,
    ) -> Result<Stock, RecordError> {
        let mut stock = Stock { only_seen, ..Stock::default() };
        for (key, bytes) in records {
            stock.records.take(&key, &bytes)?;
            if let Some(order) = stock.records.orders.pop_if(|order| is_at_rest(order)) {
                stock.archive.keep_record(&order, bytes.into_boxed_slice());
            }
        }
        Ok(stock)
    }
}

/// A tombstone that a new life leaves as it is.
fn is_at_rest(order: &Order) -> bool {
    let is_asked_about = matches!(order.sync, Sync::Asking { .. } | Sync::Differs(_));
    order.state() == State::Tombstone && !is_asked_about && order.refund != Refund::Owed && !order.key.is_test()
}

impl Core {
    /// The machine at the start of a life. The first [`Core::step`] makes the first commit: everything that was only
    /// seen is written again and synced before anything is acknowledged, driven, released or reported (rule 1).
    #[must_use]
    pub fn new(start: Start, recovered: Recovered, now: Now) -> Core {
        let Start { settings, driver, mark } = start;
        let born = |boot_id: BootId| Birth::Untimed { boot_id, boot: now.boot };
        let (phase, ledger, stock, why) = match recovered {
            Recovered::Journal { ledger, stock } => (Phase::Opening, ledger.map(|ledger| *ledger), stock, None),
            Recovered::Quarantine { why } => (Phase::Quarantine, None, Stock::default(), Some(why)),
        };
        let fresh = ledger.is_none();
        let mut ledger = ledger.unwrap_or_else(|| Ledger::new(settings.machine_no.clone(), born(settings.boot_id)));
        let written = mark.and_then(|mark| mark.vouches(&ledger, settings.boot_id));
        ledger.mark = mark.map(|mark| mark.id);
        let mut core = Core {
            phase,
            failed: None,
            stopping: false,
            time: TimeKeeper::new(settings.trust_system_clock, ledger.highest_time),
            time_was_trusted: false,
            ledger,
            orders: Orders::new(settings.boot_id),
            archive: Archive::default(),
            arrivals: Arrivals::default(),
            queue: Queue::default(),
            line: Line::new(driver, now.boot),
            outbox: Outbox::default(),
            calls: Calls::default(),
            notices: Notices::default(),
            faults: FaultLog::default(),
            sessions: Sessions::new(settings.payments.as_ref().and_then(|payments| payments.session.clone())),
            log_in_token: None,
            codes: Codes::default(),
            tests: Tests::default(),
            deeds: Deeds::default(),
            platform: Platform::default(),
            pace: Pace::default(),
            certificates: Certificates::default(),
            results: Results::default(),
            instructions: Instructions::default(),
            slots: Slots::default(),
            sales: Sales::default(),
            catalogue: Catalogue::default(),
            telemetry: Telemetry::new(now.boot),
            vends: Vends::default(),
            troubles: Troubles::default(),
            commits: Commits::default(),
            effects: Vec::new(),
            last_token: 0,
            random: fastrand::Rng::with_seed(settings.seed),
            counters: Counters::default(),
            recent: VecDeque::new(),
            trace: Trace::default(),
            settings,
        };
        if let Some(why) = why {
            core.note(Level::Error, "quarantine", why.en.clone());
            core.troubles.journal = Some(why);
            return core;
        }
        if fresh {
            core.note(Level::Warn, "journal_new", "a new journal begins; older commands are not driven".to_owned());
        }
        core.take_stock(now, stock, written);
        core.trace.of_former_lives(core.ledger.arrivals);
        if mark.is_some() && written.is_none() && !sabotage::is_out(Clause::R00MarkBeginsHigh) {
            // From now on this mark counts: it must not call an older intent unwritten.
            core.effects.push(Effect::Mark(core.ledger.intents));
        }
        core
    }

    /// `written`: of no intent above it a byte was written, if the motor mark says so.
    fn take_stock(&mut self, now: Now, stock: Stock, written: Option<u64>) {
        let Stock { mut records, archive, only_seen } = stock;
        self.ledger.arrivals = self.ledger.arrivals.max(archive.last_arrival().unwrap_or_default());
        self.archive = archive;
        self.take_stock_of_instructions(now, &mut records);
        self.recover_slots(std::mem::take(&mut records.slots));
        let mut on_line: Vec<(u64, Key, usize)> = Vec::new();
        self.take_calls(now, records.calls);
        self.recall_faults(std::mem::take(&mut records.faults));
        self.tell_recovered_slots_anew(now);
        for mut order in records.orders {
            let key = order.key.clone();
            self.ledger.arrivals = self.ledger.arrivals.max(order.arrival_number);
            let owes_refund = order.refund == Refund::Owed;
            if owes_refund {
                order.refund = Refund::Asked;
                self.refund(now, &key);
            }
            self.resume_sync(now, &order);
            match order.state() {
                State::Tombstone => {
                    if let Err(error) = self.archive.keep(&order) {
                        self.journal_failed(now, not_kept(&key, &error));
                    }
                    if key.is_test() {
                        self.recall_test(&key);
                        // Its end and its outcome are one commit, which may only have been seen (rule 1).
                        if !sabotage::is_out(Clause::R01WrittenAgain) {
                            self.save(&key, None);
                        }
                    }
                    continue;
                }
                State::Settled => {
                    if let Err(error) = order.shrink() {
                        self.forbidden(&key, error);
                    }
                    if let Err(error) = self.archive.keep(&order) {
                        self.journal_failed(now, not_kept(&key, &error));
                    }
                    self.save_lazily(now, &key);
                    if key.is_test() {
                        self.recall_test(&key);
                        // Its end and its outcome are one commit, which may only have been seen (rule 1).
                        if !sabotage::is_out(Clause::R01WrittenAgain) {
                            self.save(&key, None);
                        }
                    }
                    continue;
                }
                State::Intent => {
                    if let Some((unit, intent)) = order.unit_on_line() {
                        on_line.push((intent.sequence, key.clone(), unit));
                    }
                }
                State::Unseen | State::Accepted | State::Outcome | State::Reported => {}
            }
            if !order.is_final() {
                self.queue.push(order.arrival_number, key.clone(), self.look_at(&order, now));
            }
            self.orders.insert(order);
            let key = RecordKey::Order(key);
            if owes_refund || only_seen.has(&key) && !sabotage::is_out(Clause::R01WrittenAgain) {
                self.save_record(key, None);
            }
        }
        // Only one motor command can have been under way; an older one without outcome has nothing left to prove it.
        on_line.sort();
        // A journal whose birth has no time yet drives nothing: one with an intent was moved here, where the board may be
        // another, and what it says is of other vends.
        let last = if matches!(self.ledger.birth, Birth::Untimed { .. }) { None } else { on_line.pop() };
        for (_, key, _) in on_line {
            if let Some(ended) = self.orders.change(&key, Order::unproven) {
                if let Err(error) = ended {
                    self.forbidden(&key, error);
                }
                self.count_unit(now, self.slot_of_order(&key), None, UnitOutcome::Unknown);
                let number = self.orders.get(&key).map_or(0, |o| o.arrival_number);
                self.queue.remove(number);
                self.report(now, &key);
            }
        }
        if let Some((sequence, key, unit)) = last {
            self.ledger.intents = self.ledger.intents.max(sequence);
            let unwritten = written.is_some_and(|written| sequence > written);
            if unwritten && key.is_test() && !sabotage::is_out(Clause::R35EndsWithItsLife) {
                self.refuse_rest(now, &key, Reason::Expired);
            } else if unwritten || sabotage::is_out(Clause::R00NotDrivenAgain) {
                self.wait_again(&key, unit);
            } else {
                self.recover_unit(now, key, unit, sequence);
            }
        }
        self.end_tests_of_former_lives(now);
        self.find_the_audited_test();
        self.recall_codes(now, records.codes, records.code_book);
        self.recover_sales(now, records.sales);
        if sabotage::is_out(Clause::R01NothingBefore) {
            self.begin(now, self.ledger.arrivals);
            return;
        }
        self.after_next_commit(After::Begin { recovered: self.ledger.arrivals });
    }

    /// The motor mark proves that not one byte of this unit's command was written: it is as if it had no intent.
    fn wait_again(&mut self, key: &Key, unit: usize) {
        self.note_of(
            key,
            Level::Info,
            "not_written",
            format!("order {key} unit {}: nothing of it was written", unit + 1),
        );
        let waits = self.orders.change(key, |order| order.not_taken(Reason::BoardOffline, true));
        if let Some(Err(error)) = waits {
            self.forbidden(key, error);
        }
        self.save(key, None);
        self.queue.look_again();
    }

    /// The first commit is durable: the life begins. `recovered` is the last arrival of former lives: orders that came
    /// while the journal opened follow their own commit, and must not be told before it.
    pub(super) fn begin(&mut self, now: Now, recovered: u64) {
        self.phase = Phase::Running;
        self.note(Level::Info, "running", format!("{} orders not settled", self.orders.len()));
        // As they are durable now: what the driver ends in this very step has its report in a commit still to come.
        let of_former_lives = self.orders.values().filter(|order| order.arrival_number <= recovered);
        let durable: Vec<(Key, Option<u32>)> = of_former_lives
            .map(|order| (order.key.clone(), order.reports.last().filter(|_| order.is_final()).map(|r| r.sequence)))
            .collect();
        self.begin_on_line(now);
        self.begin_asking_for_time(now);
        self.begin_fetching(now);
        for (key, reported) in durable {
            match (reported, self.orders.get(&key)) {
                (Some(_), _) if sabotage::is_out(Clause::R00OutboxKept) => {}
                (Some(up_to), _) => self.offer(now, &key, up_to),
                (None, Some(order)) if !order.is_final() && !key.is_own() => {
                    let (echo, state) = (order.echo.clone(), ReceivedState::Accepted);
                    self.say(Saying::Received(Received { key, echo, state }));
                }
                (None, _) => {}
            }
        }
        self.offer_recovered_calls(now);
        self.queue.look_again();
    }
}
