//! Orders of the machine's own: somebody stands there, and has entered a pickup code or tests a slot. They pass the
//! same queue, intent, commit and outcome as any other, but nobody outside can name them (rule 30), and they are for
//! whoever stands there: not for another day. A test vend is never an order to anybody but the line (rule 35).

use super::books::{Books, BooksError};
use super::commit::After;
use super::event::{Effect, Level, Token};
use super::gate::Verdict;
use super::payments::PaymentHeard;
use super::persons::DecisionError;
use super::sale::{SaleRefusal, SaleView};
use super::slots::{SlotError, SlotLine};
use super::status::OrderLine;
use super::{Core, Phase};
use crate::board::driver::{Address, LineState, Slot};
use crate::board::service::ServiceError;
use crate::order::command::{BodyDigest, Echo, Put, Sold, Turns};
use crate::order::key::{Key, Own};
use crate::order::life::{Arrival, Order, State, Unit};
use crate::order::outcome::{Reason, UnitOutcome};
use crate::order::time::{BootMs, Now, UnixMs};
use crate::sabotage::{self, Clause};
use serde::{Deserialize, Serialize};

/// A pickup's units are begun within this time of the code's entry, in ms: three of the longest vends, after which
/// nobody waits any more.
pub const PICKUP_WAIT_MS: u64 = 300_000;
/// A test vend is begun within this time of being asked for, in ms. Nothing waits before it, so only a slow disk or a
/// board that goes away delays it, and then whoever asked is no longer looking.
pub const TEST_WAIT_MS: u64 = 20_000;

/// A slot to be tested, by the board's own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotTest {
    /// Which board.
    pub address: Address,
    /// Which slot.
    pub slot: Slot,
}

/// How a test vend stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestLine {
    /// Its number.
    pub test: u64,
    /// waiting, intent or outcome.
    pub state: String,
    /// The last thing the board said of its progress: a code of its family.
    pub progress: Option<u8>,
    /// Its outcome, in the words of a report.
    pub outcome: Option<String>,
    /// Why it was refused, if it was.
    pub reason: Option<String>,
    /// What the motor did, in the words of a report.
    pub motor: Option<String>,
    /// What the drop sensor saw, in the words of a report.
    pub drop_sensor: Option<String>,
}

/// What whoever stands there is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Somebody entered a pickup code.
    Entered(super::pickup::Entry),
    /// Somebody wants a slot tested: the test's number, once its intent is durable.
    Testing(Result<u64, ServiceError>),
    /// Somebody did something at a slot: the slots after it, once that is durable.
    Slots(Result<Vec<SlotLine>, SlotError>),
    /// Somebody buys, cancels or settles: the sale after it, once that is durable.
    Sale(Result<Box<SaleView>, SaleRefusal>),
    /// A gateway told of a payment: what follows from it, once that is durable.
    PaymentHeard(Result<PaymentHeard, SaleRefusal>),
    /// A person did something about calls or differences: both after it, once that is durable.
    Books(Result<Books, BooksError>),
    /// A person decided about an order: the order after it, once that is durable.
    Decided(Result<Box<OrderLine>, DecisionError>),
}

/// Test vends.
#[derive(Debug, Default)]
pub(super) struct Tests {
    /// The last one. It alone is kept, since what the board holds may be its result (rule 14).
    last: Option<Key>,
    progress: Option<u8>,
    /// The audit entry of the one that is under way, if the platform wanted it.
    audited_as: Option<u64>,
}

impl Tests {
    /// The test vend that is under way is the platform's.
    pub(super) const fn is_audited_as(&mut self, number: u64) {
        self.audited_as = Some(number);
    }

    /// The audit entry of the test vend that has ended, once.
    pub(super) const fn take_audited(&mut self) -> Option<u64> {
        self.audited_as.take()
    }
}

impl Core {
    /// An order that the machine makes itself. `after` follows the commit that carries it.
    pub(super) fn on_own_order(&mut self, now: Now, key: Key, turns: Turns, after: impl IntoIterator<Item = After>) {
        let trusted = self.time.trusted(now);
        let arrival = Arrival { wall: now.wall, boot: now.boot, boot_id: self.settings.boot_id, trusted };
        // Without a time it is as old as can be, and so the first to be forgotten: no key becomes stale by it.
        let issued_at_s = trusted.map_or(0, UnixMs::seconds);
        let put = Put {
            key: key.clone(),
            issued_at_s,
            paid_at_s: None,
            drive_until_s: issued_at_s,
            notify_url: None,
            echo: Echo::default(),
            digest: BodyDigest([0; 16]),
            sold: Sold::default(),
            turns: Ok(turns),
        };
        self.ledger.arrivals += 1;
        let order = Order::new(&put, self.ledger.arrivals, arrival);
        let (number, look_at) = (order.arrival_number, self.look_at(&order, now));
        self.note_at(&key, Some(turns.slot), Level::Info, "own_order", format!("order {key}"));
        self.orders.insert(order);
        self.queue.push(number, key.clone(), look_at);
        // The intent, if the line is free, joins this very commit, as for any other order.
        self.start_next(now);
        self.save(&key, after);
    }

    /// May the next unit of an order of the machine's own be driven now? No clock on the wall is asked: it is for
    /// somebody who stands there, in this boot.
    pub(super) fn gate_own(&self, own: Own, order: &Order, now: Now) -> Verdict {
        let is_locked = order.turns.is_some_and(|t| self.ledger.locked.contains(&(t.address, t.slot)));
        // A slot that is out of use until a person looked may be tested: that person does.
        if own != Own::Test && is_locked {
            return Verdict::Refuse(Reason::Locked);
        }
        if order.turns.is_some_and(|t| !self.has_slot((t.address, t.slot))) {
            return Verdict::Refuse(Reason::Slot);
        }
        let is_here = self.own_wait_ends(own, order).is_some_and(|end| now.boot <= end);
        if is_here || sabotage::is_out(Clause::R30NotForTheAbsent) {
            Verdict::Go
        } else {
            Verdict::Refuse(Reason::Expired)
        }
    }

    /// Until when whoever wanted it is thought to be there; nothing after a reboot.
    pub(super) fn own_wait_ends(&self, own: Own, order: &Order) -> Option<BootMs> {
        let wait_ms = match own {
            Own::Pickup | Own::Sale => PICKUP_WAIT_MS,
            Own::Test => TEST_WAIT_MS,
        };
        (order.arrival.boot_id == self.settings.boot_id).then(|| order.arrival.boot.plus_ms(wait_ms))
    }

    /// Somebody wants to see a slot turn: at once or not at all.
    pub(super) fn on_test_slot(&mut self, now: Now, token: Token, uid: u32, test: SlotTest) {
        let defaults = self.settings.profile.defaults;
        let turns = Turns {
            address: test.address,
            slot: test.slot,
            floor_type: defaults.floor_type,
            lift: defaults.lift,
            drop_check: defaults.drop_check,
            quantity: 1,
        };
        let told = |number| After::Reply { token, reply: Reply::Testing(Ok(number)) };
        match self.begin_test(now, turns, |number| Some(told(number))) {
            Ok(number) => self.audit_persons_test(now, uid, number, (test.address, test.slot)),
            Err(error) => self.effects.push(Effect::Reply { token, reply: Reply::Testing(Err(error)) }),
        }
    }

    /// A test vend begins: its number. Its intent is in the next commit, which `after` follows.
    pub(super) fn begin_test(
        &mut self,
        now: Now,
        turns: Turns,
        after: impl FnOnce(u64) -> Option<After>,
    ) -> Result<u64, ServiceError> {
        self.may_test(turns.address, turns.slot)?;
        let number = self.ledger.arrivals.saturating_add(1);
        let key = Key::of_test(number).map_err(|_| ServiceError::Unavailable)?;
        self.tests.progress = None;
        self.counters.tests += 1;
        self.on_own_order(now, key, turns, after(number));
        Ok(number)
    }

    /// Only while no order wants the line, here or at the broker: those that are paid come first.
    fn may_test(&self, address: Address, slot: Slot) -> Result<(), ServiceError> {
        if address.get() > self.settings.profile.addresses.count {
            return Err(ServiceError::NoSuchBoard);
        }
        if !self.settings.profile.has_slot(slot) {
            return Err(ServiceError::NoSuchSlot);
        }
        let is_ready =
            self.phase == Phase::Running && self.failed.is_none() && !self.stopping && !self.machine_is_going();
        if !is_ready || self.arrivals.lacks_space() {
            return Err(ServiceError::Unavailable);
        }
        if !self.line.is_free() || self.orders_come_first() && !sabotage::is_out(Clause::R35OrdersFirst) {
            return Err(ServiceError::Busy);
        }
        match self.line.state() {
            LineState::Idle => Ok(()),
            LineState::Busy | LineState::Held => Err(ServiceError::Busy),
            LineState::Closed | LineState::Settling => Err(ServiceError::Away),
        }
    }

    /// An order wants the line, or waits at the door.
    pub(super) fn orders_come_first(&self) -> bool {
        self.queue.len() > 0 || self.arrivals.holds_any()
    }

    /// The board is at a test vend.
    pub(super) const fn note_test_progress(&mut self, code: u8) {
        self.tests.progress = Some(code);
    }

    /// The test vend has ended: nobody is told of it. It is kept until the next one, since the board may still say
    /// something about it.
    pub(super) fn end_test(&mut self, now: Now, key: &Key) {
        self.audit_ended_test(key);
        // Late evidence may have brought it back.
        self.orders.change(key, |order| order.shrunk = false);
        self.settle(now, key);
        if let Some(former) = self.tests.last.replace(key.clone()).filter(|former| former != key) {
            self.forget_test(&former);
        }
    }

    fn forget_test(&mut self, key: &Key) {
        if self.archive.take(key).is_some() {
            self.save_removal(key);
        }
    }

    /// A test vend that is kept from an earlier life.
    pub(super) fn recall_test(&mut self, key: &Key) {
        let number = |key: &Key| self.archive.get(key).map(|order| order.arrival_number);
        let (older, newer) = match self.tests.last.take() {
            Some(last) if number(&last) > number(key) => (Some(key.clone()), last),
            last => (last, key.clone()),
        };
        self.tests.last = Some(newer);
        if let Some(older) = older {
            self.forget_test(&older);
        }
    }

    /// At start: a test vend that was not yet on the line ends, whoever wanted it (rule 35).
    pub(super) fn end_tests_of_former_lives(&mut self, now: Now) {
        let is_left = |order: &&Order| order.state() == State::Accepted;
        let left: Vec<Key> = self.tests_kept().filter(is_left).map(|order| order.key.clone()).collect();
        for key in left {
            if !sabotage::is_out(Clause::R35EndsWithItsLife) {
                self.refuse_rest(now, &key, Reason::Expired);
            }
        }
    }

    /// The test vend that runs, or the last one.
    #[must_use]
    pub fn test_line(&self) -> Option<TestLine> {
        let running = self.tests_kept().find(|order| !order.is_final());
        let kept = self.tests.last.as_ref().and_then(|key| self.archive.get(key));
        let order = running.or(kept.as_ref())?;
        let unit = order.units.first()?;
        let outcome = unit.outcome();
        let said = |word: fn(UnitOutcome) -> &'static str| outcome.map(|o| word(o).to_owned());
        Some(TestLine {
            test: order.arrival_number,
            state: match unit {
                Unit::Waiting => "waiting",
                Unit::Intent(_) => "intent",
                Unit::Done(_) => "outcome",
            }
            .to_owned(),
            progress: self.tests.progress,
            outcome: said(UnitOutcome::as_str),
            reason: match outcome {
                Some(UnitOutcome::Refused(reason)) => Some(reason.as_str().to_owned()),
                _ => None,
            },
            motor: said(UnitOutcome::motor),
            drop_sensor: said(UnitOutcome::drop_sensor),
        })
    }

    /// Orders that are not final, without what only tests.
    pub(super) fn orders_open(&self) -> usize {
        self.queue.len().saturating_sub(self.tests_kept().count())
    }

    /// Test vends that are not settled: one at most, found without a look at all orders.
    fn tests_kept(&self) -> impl Iterator<Item = &Order> {
        self.orders.values_from(Key::lowest_of_tests())
    }
}
