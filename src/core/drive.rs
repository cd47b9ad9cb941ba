//! The line: one unit at a time, from intent to outcome (rules 14–18, 20–23).

use super::commit::After;
use super::event::Level::{self, Error, Info, Warn};
use super::event::{Effect, Token};
use super::gate::Verdict;
use super::quality::Quality;
use super::telemetry::OWN;
use super::{Core, Phase};
use crate::board::driver::{Address, Driver, Finding, LineFault, LineState, Output, Slot, Written};
use crate::board::service::{Reading, SERVICE_MS_MAX, Service, ServiceError};
use crate::order::key::Key;
use crate::order::life::{Forbidden, Intent, Order, Unit};
use crate::order::outcome::{DropSensor, Evidence, Reason, UnitOutcome};
use crate::order::record::LastIntent;
use crate::order::said::Said;
use crate::order::time::{BootMs, Now};
use crate::sabotage::{self, Clause};

/// Beyond the longest vend time, recovery waits so long for the port and the board before it says *unknown*, and an
/// order for a board that is away before it is refused, in ms (rule 21).
pub const BOARD_WAIT_MS: u64 = 60_000;

/// Slots that can be out of use at once: with them the ledger stays one small record (rule 2). More unknowns than
/// this are one broken board, not so many slots.
const LOCKED_SLOTS_MAX: usize = 400;

/// What is on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The intent waits for its commit, or, durable, for the line to be idle again. No byte has left.
    Intended,
    /// The driver has it.
    Driving,
    /// Found at start; the driver finds out what became of it.
    Recovering,
}

#[derive(Debug, Clone)]
struct Active {
    key: Key,
    unit: usize,
    /// Of its intent.
    sequence: u64,
    /// The last intent at its address before, which may be owed a held result still.
    former: Option<(Address, LastIntent)>,
    stage: Stage,
    /// The intent is durable.
    durable: bool,
    /// When waiting ends in *unknown* (or, while nothing was sent, in a refusal).
    gives_up_at: BootMs,
}

/// The line and its driver.
pub(super) struct Line {
    driver: Box<dyn Driver>,
    open: bool,
    active: Option<Active>,
    /// Since when the line cannot take a command though nothing runs on it.
    away_since: Option<BootMs>,
    was: LineState,
    identity: Option<String>,
    /// What the board does beside a vend is for this, and is over by then.
    serving: Option<(Token, BootMs)>,
    pub(super) quality: Quality,
}

impl Line {
    pub(super) fn new(driver: Box<dyn Driver>, now: BootMs) -> Self {
        Line {
            driver,
            open: false,
            active: None,
            away_since: None,
            was: LineState::Closed,
            identity: None,
            serving: None,
            quality: Quality::new(now),
        }
    }

    /// Nothing is on it whose answer could come to another life: no unit and no service.
    pub(super) const fn is_free(&self) -> bool {
        self.active.is_none() && self.serving.is_none()
    }

    pub(super) fn has_active(&self, key: &Key) -> bool {
        self.active.as_ref().is_some_and(|a| a.key == *key)
    }

    /// Whose unit is on it.
    pub(super) fn active_key(&self) -> Option<&Key> {
        self.active.as_ref().map(|active| &active.key)
    }

    /// The order has an intent of which no byte was sent.
    pub(super) fn is_only_intended(&self, key: &Key) -> bool {
        self.active.as_ref().is_some_and(|a| a.key == *key && a.stage == Stage::Intended)
    }

    /// The board can tell or do this.
    pub(super) fn serves(&self, service: &Service) -> bool {
        self.driver.serves(service)
    }

    pub(super) fn state(&self) -> LineState {
        self.driver.state()
    }

    /// See [`Driver::is_silent`].
    pub(super) fn is_silent(&self) -> bool {
        self.driver.is_silent()
    }

    pub(super) fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    pub(super) fn deadline(&self) -> Option<BootMs> {
        let given_up = self.active.as_ref().map(|a| a.gives_up_at);
        [self.driver.deadline(), given_up, self.serving.map(|(_, until)| until)].into_iter().flatten().min()
    }
}

impl Core {
    pub(super) fn on_line_opened(&mut self, now: Now) {
        self.line.open = true;
        self.line.quality.opened(now.boot);
        self.note(Info, "line_opened", "the board's port is open".to_owned());
        self.troubles.line = None;
        if self.may_use_the_line() {
            self.line.driver.opened(now.boot);
            self.hear_the_driver(now);
        }
    }

    /// Nothing is read or released before the first commit, or in quarantine (rules 1, 5).
    fn may_use_the_line(&self) -> bool {
        let quarantined = self.phase == Phase::Quarantine && sabotage::is_out(Clause::R05LineLeftAlone);
        (self.phase == Phase::Running || quarantined) && self.failed.is_none()
    }

    pub(super) fn on_line_closed(&mut self, now: Now, why: Said) {
        self.line.open = false;
        self.note(Warn, "line_closed", why.en.clone());
        self.troubles.line = Some(why);
        if self.may_use_the_line() {
            self.line.driver.closed(now.boot);
            self.hear_the_driver(now);
        }
    }

    pub(super) fn on_line_bytes(&mut self, now: Now, read_at: BootMs, bytes: &[u8]) {
        if self.may_use_the_line() {
            self.line.quality.read(now.boot, bytes);
            self.line.driver.received(now.boot, read_at, bytes);
            self.hear_the_driver(now);
        }
    }

    pub(super) fn on_motor_written(&mut self, now: Now, written: Written) {
        if self.may_use_the_line() {
            self.line.driver.motor_written(now.boot, written);
            self.hear_the_driver(now);
        }
    }

    /// Something beside a vend: at once or not at all. An order that comes meanwhile finds the line busy, and is driven
    /// when it is idle again.
    pub(super) fn on_serve(&mut self, now: Now, token: Token, service: &Service) {
        match self.may_serve(service) {
            Ok(()) => {
                self.line.serving = Some((token, now.boot.plus_ms(SERVICE_MS_MAX)));
                self.line.driver.serve(now.boot, service);
                self.hear_the_driver(now);
            }
            Err(error) => self.effects.push(Effect::Served { token, result: Err(error) }),
        }
    }

    /// Only while no order wants the line: those that are paid come first.
    pub(super) fn may_serve(&self, service: &Service) -> Result<(), ServiceError> {
        if service.address().get() > self.settings.profile.addresses.count {
            return Err(ServiceError::NoSuchBoard);
        }
        if !self.line.driver.serves(service) {
            return Err(ServiceError::NotOffered);
        }
        if self.stopping || self.machine_is_going() || !self.may_use_the_line() {
            return Err(ServiceError::Unavailable);
        }
        if self.line.active.is_some() || self.line.serving.is_some() || self.queue.len() > 0 {
            return Err(ServiceError::Busy);
        }
        match self.line.driver.state() {
            LineState::Idle => Ok(()),
            LineState::Busy | LineState::Held => Err(ServiceError::Busy),
            LineState::Closed | LineState::Settling => Err(ServiceError::Away),
        }
    }

    /// Whoever wanted something beside a vend is told what became of it.
    pub(super) fn served(&mut self, result: Result<Reading, ServiceError>) {
        match self.line.serving.take() {
            Some((OWN, _)) => self.telemetry.reading = result.ok(),
            Some((token, _)) => {
                self.audit_the_served(token, &result);
                self.effects.push(Effect::Served { token, result });
            }
            None => {}
        }
    }

    /// Whatever the driver waits for, it is over. To the driver it is as if the port had gone and come back: then every
    /// family drains the line of what may still be answered.
    fn end_service(&mut self, now: Now) {
        self.note(Warn, "service_ended", "the board did not come to an end with a service".to_owned());
        self.served(Err(ServiceError::TookTooLong));
        self.line.driver.closed(now.boot);
        self.line.driver.opened(now.boot);
        self.hear_the_driver(now);
    }

    /// What became of an intent stands in its order, and is not *unknown*.
    fn is_known(&self, intent: &LastIntent) -> bool {
        let order = self.known_order(&intent.key);
        let outcome = order.and_then(|o| o.units.get(usize::from(intent.unit)).and_then(Unit::outcome));
        outcome.is_some_and(|outcome| outcome != UnitOutcome::Unknown)
    }

    /// The first commit is durable: the driver may ask about what was left on the line, then the port counts.
    pub(super) fn begin_on_line(&mut self, now: Now) {
        if let Some(last) = self.ledger.last_intents.values().max_by_key(|l| l.sequence) {
            self.line.driver.last_reference(&last.reference);
            if !self.is_known(last) {
                self.line.driver.may_still_turn();
            }
        }
        if let Some(active) = self.line.active.clone() {
            let order = self.orders.get(&active.key);
            let command = order.and_then(Order::motor_command);
            let intent = order.and_then(|o| o.unit_on_line()).map(|(_, i)| i.reference.clone());
            if let (Some(command), Some(reference)) = (command, intent) {
                self.line.driver.resume(now.boot, &command, &reference);
            }
        }
        if self.line.open {
            self.line.driver.opened(now.boot);
        }
        self.hear_the_driver(now);
    }

    /// At start: this unit was on the line when the last life ended.
    pub(super) fn recover_unit(&mut self, now: Now, key: Key, unit: usize, sequence: u64) {
        let gives_up_at = match () {
            () if sabotage::is_out(Clause::R21Bounded) => BootMs(u64::MAX),
            () if sabotage::is_out(Clause::R21Patient) => now.boot,
            () => now.boot.plus_ms(self.board_wait_ms()),
        };
        self.note_of(
            &key,
            Info,
            "recovering",
            format!("order {key} unit {}: asking the board what became of it", unit + 1),
        );
        let (stage, durable, former) = (Stage::Recovering, true, None);
        self.line.active = Some(Active { key, unit, sequence, former, stage, durable, gives_up_at });
    }

    /// Starts the next unit if the line is idle: its intent goes into the next commit, the command follows it.
    pub(super) fn start_next(&mut self, now: Now) {
        if self.stopping
            || self.machine_is_going()
            || self.line.active.is_some()
            || self.failed.is_some()
            || self.phase != Phase::Running
        {
            return;
        }
        if self.line.driver.state() != LineState::Idle {
            return;
        }
        let Some(from) = self.queue.take_changed() else { return };
        let Some(key) = self.next_to_drive(now, from) else { return };
        let Some(command) = self.orders.get(&key).and_then(Order::motor_command) else { return };
        let reference = self.line.driver.reference(&command);
        self.ledger.intents += 1;
        let sequence = self.ledger.intents;
        let intent = Intent { sequence, boot_id: self.settings.boot_id, reference: reference.clone() };
        let Some(intended) = self.orders.change(&key, |order| order.intend(intent)) else { return };
        match intended {
            Ok(unit) => {
                let last = LastIntent {
                    sequence,
                    key: key.clone(),
                    unit: u8::try_from(unit).unwrap_or(u8::MAX),
                    slot: command.slot,
                    reference,
                };
                let former = self.ledger.last_intents.insert(command.address, last).map(|f| (command.address, f));
                let gives_up_at = now.boot.plus_ms(self.board_wait_ms());
                let (stage, durable) = (Stage::Intended, false);
                let active = Active { key: key.clone(), unit, sequence, former, stage, durable, gives_up_at };
                self.line.active = Some(active);
                self.save(&key, [After::Drive(sequence)]);
                if sabotage::is_out(Clause::R19IntentDurableFirst) {
                    self.intent_is_durable(now, sequence);
                }
            }
            Err(error) => self.forbidden(&key, error),
        }
    }

    pub(super) const fn board_wait_ms(&self) -> u64 {
        self.settings.profile.timing.longest_vend_ms.saturating_add(BOARD_WAIT_MS)
    }

    /// The intent is durable. It may have been given up meanwhile, and another one, which is not, stand in its place.
    pub(super) fn intent_is_durable(&mut self, now: Now, sequence: u64) {
        if let Some(active) = self.line.active.as_mut().filter(|a| a.sequence == sequence) {
            active.durable = true;
            self.drive_now(now);
        }
    }

    /// Time and line are looked at once more: the sync may have taken long (rule 27).
    fn drive_now(&mut self, now: Now) {
        let Some(active) = self.line.active.as_ref().filter(|a| a.stage == Stage::Intended && a.durable) else {
            return;
        };
        let key = active.key.clone();
        let Some(order) = self.orders.get(&key) else { return };
        match self.gate(order, now) {
            _ if sabotage::is_out(Clause::R27AskedWhenDurable) => {}
            Verdict::Refuse(reason) => {
                self.refuse_rest(now, &key, reason);
                return;
            }
            // Late since the intent was made: the cloud is asked first; nothing was sent, so it may wait.
            Verdict::Ask => {
                self.ask_about(now, &key);
                self.put_off(now);
                return;
            }
            Verdict::NeverDrive | Verdict::Hold => {
                self.put_off(now);
                return;
            }
            Verdict::Go => {}
        }
        if self.line.driver.state() != LineState::Idle {
            if self.stopping {
                self.put_off(now);
            }
            return;
        }
        let (Some(command), Some((_, intent))) = (order.motor_command(), order.unit_on_line()) else { return };
        let reference = intent.reference.clone();
        // The driver ends by itself; this bound is for a driver whose line went away.
        let gives_up_at = now.boot.plus_ms(self.board_wait_ms());
        if let Some(active) = &mut self.line.active {
            active.stage = Stage::Driving;
            active.gives_up_at = gives_up_at;
        }
        self.counters.driven += 1;
        self.line.driver.drive(now.boot, &command, &reference);
        self.hear_the_driver(now);
    }

    /// Nothing of the intended unit was sent: it waits again, and leaves the line to others or to the next life.
    fn put_off(&mut self, now: Now) {
        // A test vend has nothing to wait for (rule 35).
        if let Some(key) = self.line.active.as_ref().map(|active| active.key.clone()).filter(Key::is_test) {
            self.refuse_rest(now, &key, Reason::Expired);
            return;
        }
        let Some(active) = self.line.active.take() else { return };
        let waits = self.orders.change(&active.key, |order| order.not_taken(Reason::BoardOffline, true));
        let Some(waits) = waits else { return };
        match waits {
            Ok(()) => {
                self.take_back_intent(active.former);
                self.save(&active.key, None);
                self.queue.look_again();
            }
            Err(error) => self.forbidden(&active.key, error),
        }
    }

    /// Time passes on the line: the driver's own deadline, an intent that waits for the line, the bound of rule 21.
    pub(super) fn mind_the_line(&mut self, now: Now) {
        if self.line.driver.deadline().is_some_and(|at| at <= now.boot) {
            self.line.driver.wake(now.boot);
            self.hear_the_driver(now);
        }
        if self.line.serving.is_some_and(|(_, until)| until <= now.boot) {
            self.end_service(now);
        }
        let state = self.line.driver.state();
        if state != self.line.was {
            self.line.was = state;
            self.queue.look_again();
        }
        self.drive_now(now);
        if self.line.active.as_ref().is_some_and(|a| a.gives_up_at <= now.boot) {
            self.give_up(now);
        }
        self.mind_an_absent_board(now, state);
    }

    /// Orders do not wait for ever for a board that is away.
    fn mind_an_absent_board(&mut self, now: Now, state: LineState) {
        let away = matches!(state, LineState::Closed | LineState::Settling) && self.line.active.is_none();
        if !away {
            self.line.away_since = None;
            return;
        }
        let since = *self.line.away_since.get_or_insert(now.boot);
        let wait_ms = self.board_wait_ms();
        while let Some((number, key)) = self.queue.first() {
            let Some(order) = self.orders.get(&key) else {
                self.queue.remove(number);
                continue;
            };
            let waits_since = if order.arrival.boot_id == self.settings.boot_id { order.arrival.boot } else { since };
            if now.boot.since_ms(waits_since.max(since)) < wait_ms {
                let again = waits_since.max(since).plus_ms(wait_ms);
                self.queue.look_no_later(number, again);
                return;
            }
            if !key.is_own() && self.may_be_of_a_former_life(order.issued_at_s) {
                self.end_undriven(now, &key);
            } else {
                self.refuse_rest(now, &key, Reason::BoardOffline);
            }
            // A refused order leaves the queue. Were the refusal ever forbidden, this loop must not become a hang.
            if self.queue.first().is_some_and(|(first, _)| first == number) {
                return;
            }
        }
    }

    fn give_up(&mut self, now: Now) {
        let Some(active) = self.line.active.clone() else { return };
        if active.stage == Stage::Intended {
            self.refuse_rest(now, &active.key, Reason::BoardOffline);
            return;
        }
        self.line.driver.give_up(now.boot);
        self.end_unit(now, "the board could not be asked in time", Order::unproven);
        self.hear_the_driver(now);
    }

    pub(super) fn release(&mut self, now: Now) {
        self.line.driver.release(now.boot);
        self.hear_the_driver(now);
    }

    /// Takes everything the driver wants done or known.
    fn hear_the_driver(&mut self, now: Now) {
        while let Some(output) = self.line.driver.next_output() {
            match output {
                Output::Write(write) => {
                    self.line.quality.wrote(now.boot, &write.bytes);
                    let marked = write.motor && !sabotage::is_out(Clause::R00MarkBeforeFrame);
                    let intent = self.line.active.as_ref().filter(|_| marked).map(|a| a.sequence);
                    self.effects.push(Effect::LineWrite { write, intent });
                }
                Output::Finding(finding) => self.on_finding(now, finding),
            }
        }
        self.line.quality.tally(now.boot, self.line.driver.tally());
        if self.line.driver.state() != self.line.was {
            self.line.was = self.line.driver.state();
            self.queue.look_again();
        }
    }

    /// Notes what is about the order whose unit is on the line, or about none.
    fn note_on_line(&mut self, level: Level, what: &'static str, text: String) {
        match self.line.active.as_ref().map(|active| active.key.clone()) {
            Some(key) => self.note_of(&key, level, what, text),
            None => self.note(level, what, text),
        }
    }

    fn on_finding(&mut self, now: Now, finding: Finding) {
        match finding {
            Finding::Taken => self.note_on_line(Level::Debug, "taken", "the board took the command".to_owned()),
            Finding::Progress(code) => {
                if self.line.active.as_ref().is_some_and(|active| active.key.is_test()) {
                    self.note_test_progress(code);
                }
                if self.line.active.as_ref().is_some_and(|active| active.key.sale().is_some()) {
                    self.note_sale_progress(code);
                }
                self.note_on_line(Level::Debug, "progress", format!("board code {code:#04x}"));
            }
            Finding::Outcome(evidence) => self.on_outcome(now, evidence),
            Finding::NotTaken(reason) => self.on_not_taken(now, reason),
            Finding::Unproven(why) => self.end_unit(now, why, Order::unproven),
            Finding::Late { address, slot, evidence } => self.on_late_evidence(now, address, slot, evidence),
            Finding::BoardRestarted => {
                self.line.quality.board_restarted(now.boot);
                self.note(Warn, "board_restarted", "the board restarted".to_owned());
            }
            Finding::Identity(text) => {
                self.note(Info, "board", text.clone());
                self.line.identity = Some(text);
            }
            Finding::Selected { address, slot } => self.on_key(now, address, slot),
            Finding::Served(result) => self.served(result),
            Finding::Fault(fault) => {
                self.line.quality.fault(now.boot, fault);
                let text = match fault {
                    LineFault::BadCheck => "a frame with a bad check sum",
                    LineFault::Noise => "bytes that belong to no frame",
                    LineFault::Unexpected => "a frame that answers nothing",
                    LineFault::TimeOut => "no answer in time",
                };
                self.note_on_line(Level::Debug, "line_fault", text.to_owned());
            }
        }
    }

    fn on_outcome(&mut self, now: Now, evidence: Evidence) {
        let Some(active) = self.line.active.take() else {
            // The driver ends what the core gave it, once; anything else is released and never credited.
            self.note(Error, "outcome_unexpected", format!("{evidence:?} belongs to no command"));
            self.line.driver.release(now.boot);
            return;
        };
        let Some(ended) = self.orders.change(&active.key, |order| order.board_outcome(evidence)) else { return };
        match ended {
            Ok(outcome) => {
                self.tell_unit(&active, outcome);
                self.count_unit(now, self.slot_of_order(&active.key), None, outcome);
                self.after_unit(now, &active.key, Some(After::Release));
                self.give_place_back(&active.key);
                if sabotage::is_out(Clause::R14ReleasedWhenDurable) {
                    self.line.driver.release(now.boot);
                }
            }
            Err(error) => self.forbidden(&active.key, error),
        }
    }

    fn on_not_taken(&mut self, now: Now, reason: Reason) {
        let Some(active) = self.line.active.take() else { return };
        // After a restart it may wait again; a test vend ends with the life that began it (rule 35).
        let ends = active.key.is_test() && !sabotage::is_out(Clause::R35EndsWithItsLife);
        let waits_again = active.stage == Stage::Recovering && !ends;
        let Some(done) = self.orders.change(&active.key, |order| order.not_taken(reason, waits_again)) else { return };
        match done {
            Ok(()) => {
                self.take_back_intent(active.former);
                self.note_of(&active.key, Warn, "not_taken", format!("order {}: {}", active.key, reason.as_str()));
                self.after_unit(now, &active.key, None);
            }
            Err(error) => self.forbidden(&active.key, error),
        }
    }

    /// The unit on the line ends without an outcome from the board.
    fn end_unit(&mut self, now: Now, why: &str, end: impl FnOnce(&mut Order) -> Result<(), Forbidden>) {
        let Some(active) = self.line.active.take() else { return };
        let Some(ended) = self.orders.change(&active.key, |order| end(order).map(|()| order.turns)) else { return };
        match ended {
            Ok(turns) => {
                if self.settings.lock_slot_after_unknown
                    && !active.key.is_test()
                    && let Some(turns) = turns
                {
                    self.lock_slot(now, turns.address, turns.slot);
                }
                self.note_of(
                    &active.key,
                    Warn,
                    "unknown",
                    format!("order {} unit {}: {why}", active.key, active.unit + 1),
                );
                self.count_unit(now, self.slot_of_order(&active.key), None, UnitOutcome::Unknown);
                self.after_unit(now, &active.key, None);
            }
            Err(error) => self.forbidden(&active.key, error),
        }
    }

    pub(super) fn lock_slot(&mut self, now: Now, address: Address, slot: Slot) {
        if self.ledger.locked.len() < LOCKED_SLOTS_MAX {
            if self.ledger.locked.insert((address, slot)) {
                self.tell_sale(now, (address, slot), false);
            }
        } else {
            self.note(Error, "lock_full", format!("slot {} of board {} stays in use", slot.0, address.get()));
        }
    }

    fn tell_unit(&mut self, active: &Active, outcome: UnitOutcome) {
        let text = format!("order {} unit {}: {}", active.key, active.unit + 1, outcome.as_str());
        self.note_of(&active.key, Info, "unit", text);
    }

    /// A unit has ended: the outcome goes into the next commit, with the next unit's intent where the board holds
    /// no result (rule 14), and the report when it was the last.
    fn after_unit(&mut self, now: Now, key: &Key, after: Option<After>) {
        let is_final = self.orders.get(key).is_some_and(Order::is_final);
        self.save(key, after);
        self.queue.look_again();
        if is_final {
            if let Some(order) = self.orders.get(key) {
                self.queue.remove(order.arrival_number);
            }
            self.report(now, key);
        }
    }

    /// The next unit and the rest of the order are refused; nothing of them is on the line.
    pub(super) fn refuse_rest(&mut self, now: Now, key: &Key, reason: Reason) {
        if self.line.is_only_intended(key) {
            let former = self.line.active.take().and_then(|active| active.former);
            self.take_back_intent(former);
        }
        let Some(refused) = self.orders.change(key, |order| order.refuse(reason)) else { return };
        match refused {
            Ok(()) => {
                self.counters.refused += 1;
                self.note_of(key, Warn, "refused", format!("order {key}: {}", reason.as_str()));
                self.after_unit(now, key, None);
            }
            Err(error) => self.forbidden(key, error),
        }
    }

    /// The board never took the last command at this address: what it holds belongs to the one before (rule 14).
    fn take_back_intent(&mut self, former: Option<(Address, LastIntent)>) {
        if !sabotage::is_out(Clause::R14FormerRestored) {
            self.ledger.last_intents.extend(former);
        }
    }

    /// The last motor command at some address was this order's, and nothing shows yet that its motor stands (rule 16). A
    /// board that is away is waited for as long as for any order.
    pub(super) fn may_still_turn(&self, now: Now, key: &Key) -> bool {
        let was_last = self.ledger.last_intents.values().any(|last| last.key == *key);
        was_last
            && match self.line.driver.state() {
                LineState::Idle => false,
                LineState::Busy | LineState::Held => true,
                LineState::Closed | LineState::Settling => {
                    self.line.away_since.is_none_or(|since| now.boot.since_ms(since) < self.board_wait_ms())
                }
            }
    }

    /// The birth barrier: *unknown* without a turn (rule 6).
    pub(super) fn end_undriven(&mut self, now: Now, key: &Key) {
        let Some(ended) = self.orders.change(key, Order::never_drive) else { return };
        match ended {
            Ok(()) => {
                self.note_of(
                    key,
                    Warn,
                    "birth_barrier",
                    format!("order {key} is older than this journal: never driven"),
                );
                self.after_unit(now, key, None);
            }
            Err(error) => self.forbidden(key, error),
        }
    }

    /// Rule 14: a held result belongs to the last unresolved intent at that address, never to another.
    fn on_late_evidence(&mut self, now: Now, address: Address, slot: Option<Slot>, evidence: Evidence) {
        let last = self.ledger.last_intents.get(&address);
        let any_slot = sabotage::is_out(Clause::R14SlotCompared);
        let last = last.filter(|l| any_slot || slot.is_none_or(|s| s == l.slot)).cloned();
        if let Some(last) = last {
            let archived = self.archive.take(&last.key);
            if let Some(order) = archived {
                self.orders.insert(order);
            }
            let unit = usize::from(last.unit);
            // The driver may have read it with another command's drop check; for this one the sensor was not armed.
            let unarmed = self.orders.get(&last.key).and_then(|order| order.turns).is_some_and(|t| !t.drop_check);
            let evidence = match evidence.drop_sensor {
                DropSensor::Seen if unarmed => Evidence { drop_sensor: DropSensor::None, ..evidence },
                _ => evidence,
            };
            let corrected = self.orders.change(&last.key, |order| order.late_evidence(unit, evidence));
            match corrected.unwrap_or(Ok(false)) {
                Ok(true) => {
                    self.note_of(&last.key, Warn, "correction", format!("order {}: {evidence:?}", last.key));
                    let now_is = UnitOutcome::from_evidence(evidence);
                    self.count_unit(now, self.slot_of_order(&last.key), Some(UnitOutcome::Unknown), now_is);
                    self.save(&last.key, [After::Release]);
                    self.report(now, &last.key);
                    return;
                }
                Ok(false) => self.put_back(now, &last.key),
                Err(error) => self.forbidden(&last.key, error),
            }
        }
        self.note(Warn, "evidence_unclaimed", format!("address {}: {evidence:?} belongs to no order", address.get()));
        self.line.driver.release(now.boot);
    }
}
