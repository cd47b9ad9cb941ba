//! The life of one order: its data, its states, and what each event does in each state.
//!
//! [`step`] is the whole truth about which event may do what; every change of an [`Order`] asks it first.
//! `docs/order-life.md` prints it, and a test holds the two together.

use super::command::{BodyDigest, Echo, Put, Turns};
use super::key::Key;
use super::outcome::{Evidence, Reason, UnitOutcome};
use super::report::{Copy, Report};
use super::said::words;
use super::sync::Sync;
use super::time::{BootId, BootMs, UnixMs};
use crate::order::motor::{MotorCommand, Reference};
use crate::order::stock::Fen;
use crate::sabotage::{self, Clause};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where an order stands, as the journal would show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// The journal has no such key.
    Unseen,
    /// Durable, not begun, or between two units.
    Accepted,
    /// A motor command is durable and may have reached the board.
    Intent,
    /// All units have an outcome; no report was tried yet.
    Outcome,
    /// A report was tried and not all copies are settled.
    Reported,
    /// Every copy is settled or in the dead letters.
    Settled,
    /// Settled and shrunk to what a repeated report needs.
    Tombstone,
}

words! {
    State {
        State::Unseen => "unseen", "未收到";
        State::Accepted => "accepted", "已接受";
        State::Intent => "intent", "出货中";
        State::Outcome => "outcome", "已有结果";
        State::Reported => "reported", "上报中";
        State::Settled => "settled", "已了结";
        State::Tombstone => "tombstone", "已归档";
    }
}

impl State {
    /// All of them, in the order of life.
    pub const ALL: [State; 7] = [
        State::Unseen,
        State::Accepted,
        State::Intent,
        State::Outcome,
        State::Reported,
        State::Settled,
        State::Tombstone,
    ];

    /// All outcomes are written.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, State::Outcome | State::Reported | State::Settled | State::Tombstone)
    }
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// A verified command with this key and this body.
    Command,
    /// A verified command with this key and another body.
    OtherBody,
    /// `device.delivery.get` for this key.
    Get,
    /// All checks passed and the line is idle.
    Drive,
    /// A check says that the next unit must not be driven.
    Refuse,
    /// The board told the outcome of the running unit.
    BoardOutcome,
    /// Proof that the board did not take the command.
    NotTaken,
    /// No proof will come.
    Unproven,
    /// Evidence about a unit that ended unknown.
    LateEvidence,
    /// A person decided what became of it.
    PersonResolves,
    /// A person has its dead letters sent again.
    PersonRetries,
    /// The agent starts and finds the order so.
    PowerReturns,
    /// A copy of a report was tried and not taken.
    AttemptFailed,
    /// The last open copy was settled or went to the dead letters.
    CopiesSettled,
    /// A commit carried the shrunk record.
    Shrunk,
    /// Old enough to be forgotten.
    Evicted,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 16] = [
        Event::Command,
        Event::OtherBody,
        Event::Get,
        Event::Drive,
        Event::Refuse,
        Event::BoardOutcome,
        Event::NotTaken,
        Event::Unproven,
        Event::LateEvidence,
        Event::PersonResolves,
        Event::PersonRetries,
        Event::PowerReturns,
        Event::AttemptFailed,
        Event::CopiesSettled,
        Event::Shrunk,
        Event::Evicted,
    ];
}

/// What an event does in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The order goes to one of these states; the text says what is done.
    To(&'static [State], &'static str),
    /// The order stays as it is; the text says what is answered.
    Stay(&'static str),
    /// Cannot happen; the text says why. Refused when it is tried all the same.
    Never(&'static str),
}

/// The whole state × event table.
#[must_use]
pub const fn step(state: State, event: Event) -> Step {
    use Event as E;
    use State as S;
    use Step::{Never, Stay, To};
    match (state, event) {
        (S::Unseen, E::Command) => To(
            &[S::Accepted, S::Intent, S::Outcome],
            "one record; durable, then PUBACK and `received`; a refusal or the birth barrier is an outcome at once",
        ),
        (S::Unseen, E::Get) => Stay("`received` not_found"),
        (S::Unseen, _) => Never("there is no order yet"),
        (S::Tombstone, E::Evicted) => {
            To(&[S::Unseen], "removed; its issue time raises the line below which keys are stale")
        }
        (_, E::Evicted) => Never("only tombstones are forgotten"),

        (S::Accepted | S::Intent, E::Command) => Stay("PUBACK, `received` duplicate"),
        (S::Outcome | S::Reported | S::Settled | S::Tombstone, E::Command) => {
            Stay("PUBACK, `received` duplicate, the result again at most once a minute; never driven")
        }
        (_, E::OtherBody) => {
            Stay("PUBACK, `received` refused conflict, a local record; the result is the first body's")
        }
        (S::Accepted | S::Intent, E::Get) => Stay("`received` accepted"),
        (S::Outcome | S::Reported | S::Settled | S::Tombstone, E::Get) => {
            Stay("the stored result again, at most once a minute")
        }

        (S::Accepted, E::Drive) => To(&[S::Intent], "intent durable, then the first byte"),
        (_, E::Drive) => Never("one intent a unit, and only from accepted"),
        (S::Accepted | S::Intent, E::Refuse) => {
            To(&[S::Outcome], "this unit and the rest are refused; from intent only while no byte of it has left")
        }
        (_, E::Refuse) => Never("it already has its outcome"),
        (S::Intent, E::BoardOutcome) => To(
            &[S::Accepted, S::Outcome],
            "the unit's outcome durable, then released on the board; the next unit, or the report",
        ),
        (S::Intent, E::NotTaken) => To(
            &[S::Accepted, S::Outcome],
            "while driving: refused with the board's reason; after a restart, or while no byte has left: it may wait again",
        ),
        (S::Intent, E::Unproven) => To(&[S::Outcome], "unknown, never driven again; the rest is refused previous_unit"),
        (_, E::BoardOutcome | E::NotTaken | E::Unproven) => Never("no unit of it is on the line"),

        (S::Outcome | S::Reported | S::Settled | S::Tombstone, E::LateEvidence) => To(
            &[S::Outcome],
            "unknown becomes known, once: a correction with the next sequence; not after a person resolved it",
        ),
        (_, E::LateEvidence) => Never("nothing of it is unknown"),
        (S::Intent, E::PersonResolves) => Never("the board is still being asked; it ends by itself within its bound"),
        (S::Accepted, E::PersonResolves) => Never("it is not in doubt; it will be driven or expire"),
        (_, E::PersonResolves) => {
            To(&[S::Outcome, S::Reported], "a person's word replaces unknown: a report with the next sequence")
        }
        (S::Accepted | S::Intent, E::PersonRetries) => Never("it has no dead letter"),
        (_, E::PersonRetries) => To(
            &[S::Outcome, S::Reported, S::Settled],
            "what was refused for good is tried anew, under the same sequence, with the same body; or it is settled, where \
             its receiver has taken a later report",
        ),

        (S::Accepted, E::PowerReturns) => Stay("queued again under all checks; `received` accepted again"),
        (S::Intent, E::PowerReturns) => {
            Stay("the board is asked by its recovery class; never sent again without proof")
        }
        (S::Outcome | S::Reported, E::PowerReturns) => Stay("reported again under the same key, the same body"),
        (S::Settled | S::Tombstone, E::PowerReturns) => Stay("nothing to do"),

        (S::Outcome | S::Reported, E::AttemptFailed) => To(&[S::Reported], "tried again later with back-off"),
        (_, E::AttemptFailed) => Stay("a repeated result is not tried again"),
        (S::Outcome | S::Reported, E::CopiesSettled) => To(&[S::Settled], "written with the next commit"),
        (_, E::CopiesSettled) => Never("it has no open copy"),
        (S::Settled, E::Shrunk) => To(&[S::Tombstone], "only what a repeated report needs is kept"),
        (_, E::Shrunk) => Never("only a settled order is shrunk"),
    }
}

/// An event that the table forbids: a programmer's error, refused and logged, never acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to an order that is {}: {why}", state.as_str())]
pub struct Forbidden {
    /// Where the order stood.
    pub state: State,
    /// What was tried.
    pub event: Event,
    /// The table's reason.
    pub why: &'static str,
}

/// When and how trusted an order came (rule 28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The wall clock then.
    pub wall: UnixMs,
    /// CLOCK_BOOTTIME then.
    pub boot: BootMs,
    /// The boot in which that counts.
    pub boot_id: BootId,
    /// The trusted time then, if there was one.
    pub trusted: Option<UnixMs>,
}

/// A motor command that is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Rises with every motor command of this journal.
    pub sequence: u64,
    /// The boot in which it was written.
    pub boot_id: BootId,
    /// What the driver wants to find again.
    pub reference: Reference,
}

/// One unit of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Not begun.
    Waiting,
    /// On its way to the board, or on it.
    Intent(Intent),
    /// Ended.
    Done(UnitOutcome),
}

impl Unit {
    /// Where it stands, in the words of its order: accepted, intent or outcome.
    #[must_use]
    pub const fn state(&self) -> State {
        match self {
            Unit::Waiting => State::Accepted,
            Unit::Intent(_) => State::Intent,
            Unit::Done(_) => State::Outcome,
        }
    }

    /// The outcome, if it has one.
    #[must_use]
    pub const fn outcome(&self) -> Option<UnitOutcome> {
        match self {
            Unit::Done(outcome) => Some(*outcome),
            Unit::Waiting | Unit::Intent(_) => None,
        }
    }
}

/// Whether the platform was asked to give the money back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Refund {
    /// There was no reason to.
    #[default]
    No,
    /// A call for it was made, in the very batch that says so here.
    Asked,
    /// A journal of format 1 says that it was still to be asked for; the call is made when the journal is read.
    Owed,
}

/// One order with all that its life needs. One small journal record (rule 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its key.
    pub key: Key,
    /// Rises with every order of this journal: the queue's order, and the order of forgetting.
    pub arrival_number: u64,
    /// When it came.
    pub arrival: Arrival,
    /// Unix seconds when the platform issued it.
    pub issued_at_s: u64,
    /// Unix seconds after which the motor must not be driven.
    pub drive_until_s: u64,
    /// Where the result is POSTed.
    pub notify_url: Option<Box<str>>,
    /// What comes back unchanged.
    pub echo: Echo,
    /// What tells two bodies of one key apart.
    pub digest: BodyDigest,
    /// What is to be turned; nothing for an order that was refused at the door.
    pub turns: Option<Turns>,
    /// Its units, at least one.
    pub units: Vec<Unit>,
    /// Its reports, by rising sequence.
    pub reports: Vec<Report>,
    /// Whether the platform was asked to give the money back (`refund_failed`).
    pub refund: Refund,
    /// Whether the platform's books agree with the last report.
    pub sync: Sync,
    /// A person decided; evidence no longer corrects it.
    pub resolved_by_person: bool,
    /// Shrunk to what a repeated report needs.
    pub shrunk: bool,
    /// What the command says was paid: held against the platform's books before it is driven (rule 59).
    pub amount: Option<Fen>,
}

impl Order {
    /// A new order of a command. With turns it waits; without it is to be refused by the caller.
    #[must_use]
    pub fn new(put: &Put, arrival_number: u64, arrival: Arrival) -> Order {
        let turns = put.turns.ok();
        let units = usize::from(turns.map_or(1, |t| t.quantity).max(1));
        Order {
            key: put.key.clone(),
            arrival_number,
            arrival,
            issued_at_s: put.issued_at_s,
            drive_until_s: put.drive_until_s,
            notify_url: put.notify_url.clone(),
            echo: put.echo.clone(),
            digest: put.digest,
            turns,
            units: vec![Unit::Waiting; units],
            reports: Vec::new(),
            refund: Refund::No,
            sync: Sync::No,
            resolved_by_person: false,
            shrunk: false,
            amount: put.sold.amount,
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        if self.units.iter().any(|u| matches!(u, Unit::Intent(_))) {
            State::Intent
        } else if self.units.iter().any(|u| matches!(u, Unit::Waiting)) {
            State::Accepted
        } else if self.shrunk {
            State::Tombstone
        } else if self.has_open_copy() {
            if self.reports.iter().any(Report::was_tried) { State::Reported } else { State::Outcome }
        } else {
            State::Settled
        }
    }

    /// Whether a copy of a report is still to be taken by its receiver.
    #[must_use]
    pub fn has_open_copy(&self) -> bool {
        self.reports.iter().any(|r| r.http.is_open() || r.mqtt.is_open())
    }

    /// The outcomes so far; one an ended unit.
    #[must_use]
    pub fn outcomes(&self) -> Vec<UnitOutcome> {
        self.units.iter().filter_map(Unit::outcome).collect()
    }

    /// The index of the unit that is on the line.
    #[must_use]
    pub fn unit_on_line(&self) -> Option<(usize, &Intent)> {
        self.units.iter().enumerate().find_map(|(k, u)| match u {
            Unit::Intent(intent) => Some((k, intent)),
            Unit::Waiting | Unit::Done(_) => None,
        })
    }

    /// The motor command of any of its units: always one unit (rule 23).
    #[must_use]
    pub fn motor_command(&self) -> Option<MotorCommand> {
        self.turns.map(|t| MotorCommand {
            address: t.address,
            slot: t.slot,
            floor_type: t.floor_type,
            lift: t.lift,
            drop_check: t.drop_check,
        })
    }

    fn permit(&self, event: Event) -> Result<(), Forbidden> {
        let state = self.state();
        match step(state, event) {
            Step::To(..) | Step::Stay(_) => Ok(()),
            Step::Never(why) => Err(Forbidden { state, event, why }),
        }
    }

    /// The next waiting unit gets its intent. Returns its index.
    ///
    /// # Errors
    /// When the table forbids it.
    pub fn intend(&mut self, intent: Intent) -> Result<usize, Forbidden> {
        self.permit(Event::Drive)?;
        let waiting = self.units.iter().position(|u| matches!(u, Unit::Waiting));
        let Some(k) = waiting else {
            return Err(Forbidden { state: self.state(), event: Event::Drive, why: "no unit waits" });
        };
        self.units[k] = Unit::Intent(intent);
        Ok(k)
    }

    /// The next unit, and with it the rest, is refused. Of a unit with an intent no byte may have left.
    ///
    /// # Errors
    /// When the table forbids it.
    pub fn refuse(&mut self, reason: Reason) -> Result<(), Forbidden> {
        self.permit(Event::Refuse)?;
        self.end_next_unit(UnitOutcome::Refused(reason));
        Ok(())
    }

    /// The birth barrier (rule 6): a former life may have driven it.
    ///
    /// # Errors
    /// When the order was already begun.
    pub fn never_drive(&mut self) -> Result<(), Forbidden> {
        self.permit(Event::Refuse)?;
        for unit in &mut self.units {
            *unit = Unit::Done(UnitOutcome::Unknown);
        }
        Ok(())
    }

    /// The unit on the line has ended as the board said.
    ///
    /// # Errors
    /// When the table forbids it.
    pub fn board_outcome(&mut self, evidence: Evidence) -> Result<UnitOutcome, Forbidden> {
        self.permit(Event::BoardOutcome)?;
        let outcome = UnitOutcome::from_evidence(evidence);
        self.end_next_unit(outcome);
        if sabotage::is_out(Clause::R23OneByOne) {
            self.units.fill(Unit::Done(outcome));
        }
        Ok(outcome)
    }

    /// The board did not take the unit. `waits_again`: it may be driven later, under another intent.
    ///
    /// # Errors
    /// When the table forbids it.
    pub fn not_taken(&mut self, reason: Reason, waits_again: bool) -> Result<(), Forbidden> {
        self.permit(Event::NotTaken)?;
        if waits_again {
            for unit in &mut self.units {
                if matches!(unit, Unit::Intent(_)) {
                    *unit = Unit::Waiting;
                }
            }
        } else {
            self.end_next_unit(UnitOutcome::Refused(reason));
        }
        Ok(())
    }

    /// Nothing will ever prove what became of the unit on the line.
    ///
    /// # Errors
    /// When the table forbids it.
    pub fn unproven(&mut self) -> Result<(), Forbidden> {
        self.permit(Event::Unproven)?;
        self.end_next_unit(UnitOutcome::Unknown);
        Ok(())
    }

    /// Evidence for a unit that ended unknown. False when it changes nothing (rule 24: once, and not after a person).
    ///
    /// # Errors
    /// When the table forbids it.
    pub fn late_evidence(&mut self, unit: usize, evidence: Evidence) -> Result<bool, Forbidden> {
        self.permit(Event::LateEvidence)?;
        let is_unknown = self.units.get(unit) == Some(&Unit::Done(UnitOutcome::Unknown));
        let resolved = self.resolved_by_person && !sabotage::is_out(Clause::R24PersonStands);
        let may_correct = is_unknown || sabotage::is_out(Clause::R24CorrectedOnce);
        if resolved || !may_correct || sabotage::is_out(Clause::R21Corrected) {
            return Ok(false);
        }
        self.units[unit] = Unit::Done(UnitOutcome::from_evidence(evidence));
        Ok(true)
    }

    /// A person says what became of every unit that ended unknown; nothing corrects it afterwards (rules 24, 60). The
    /// units that it was about, by index.
    ///
    /// # Errors
    /// When the table forbids it.
    pub fn resolve(&mut self, outcome: UnitOutcome) -> Result<Vec<usize>, Forbidden> {
        self.permit(Event::PersonResolves)?;
        let mut resolved = Vec::new();
        for (k, unit) in self.units.iter_mut().enumerate() {
            if *unit == Unit::Done(UnitOutcome::Unknown) {
                *unit = Unit::Done(outcome);
                resolved.push(k);
            }
        }
        self.resolved_by_person = true;
        Ok(resolved)
    }

    /// A person has the dead copies sent again, with as many tries as the first time (rule 61). One whose receiver has
    /// taken a later report is settled instead: what it says was corrected, and the last word must stay the last. How
    /// many leave again.
    ///
    /// # Errors
    /// When the table forbids it.
    pub fn retry(&mut self) -> Result<usize, Forbidden> {
        self.permit(Event::PersonRetries)?;
        let had_dead = self.has_dead_copy();
        let mut retried = 0;
        let (mut http_taken, mut mqtt_taken) = (false, false);
        for report in self.reports.iter_mut().rev() {
            for (copy, is_later_taken) in [(&mut report.http, &mut http_taken), (&mut report.mqtt, &mut mqtt_taken)] {
                match *copy {
                    Copy::Settled { .. } => *is_later_taken = true,
                    Copy::Dead { attempts, .. } if *is_later_taken => *copy = Copy::Settled { attempts },
                    Copy::Dead { .. } => {
                        *copy = Copy::fresh();
                        retried += 1;
                    }
                    Copy::None | Copy::Pending { .. } => {}
                }
            }
        }
        if had_dead {
            self.shrunk = false;
        }
        Ok(retried)
    }

    /// A copy of a report lies in the dead letters.
    #[must_use]
    pub fn has_dead_copy(&self) -> bool {
        self.reports.iter().any(|report| report.http.is_dead() || report.mqtt.is_dead())
    }

    /// After a unit that was not dispensed the rest are refused (rule 23). Whether all units have now ended.
    fn end_next_unit(&mut self, outcome: UnitOutcome) {
        let next = self.units.iter().position(|u| !matches!(u, Unit::Done(_)));
        if let Some(k) = next {
            self.units[k] = Unit::Done(outcome);
        }
        if !outcome.is_dispensed() && !sabotage::is_out(Clause::R23RestRefused) {
            for unit in &mut self.units {
                if matches!(unit, Unit::Waiting) {
                    *unit = Unit::Done(UnitOutcome::Refused(Reason::PreviousUnit));
                }
            }
        }
    }

    /// All units have ended.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.state().is_final()
    }

    /// Adds the report of what is known now, with the next sequence, which it returns. Its body is frozen from here on
    /// (rule 24).
    pub fn write_report(&mut self, timestamp_s: u64) -> u32 {
        let units = self.outcomes();
        let step = u32::from(!sabotage::is_out(Clause::R24SequenceRises));
        let sequence = self.reports.last().map_or(1, |r| r.sequence.saturating_add(step));
        self.shrunk = false;
        self.sync = Sync::No;
        self.reports.push(Report {
            sequence,
            timestamp_s,
            units,
            http: if self.notify_url.is_some() { Copy::fresh() } else { Copy::None },
            mqtt: Copy::fresh(),
        });
        sequence
    }

    /// Keeps only what a repeated report needs, and what late evidence or a dead letter needs.
    ///
    /// # Errors
    /// When it is not settled.
    pub fn shrink(&mut self) -> Result<(), Forbidden> {
        self.permit(Event::Shrunk)?;
        self.shrunk = true;
        self.amount = None;
        let dead = self.has_dead_copy();
        let unknown = self.outcomes().contains(&UnitOutcome::Unknown);
        if !dead && !unknown {
            self.notify_url = None;
        }
        if !dead && self.reports.len() > 1 {
            self.reports.drain(..self.reports.len() - 1);
        }
        Ok(())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::key::Id;
    use crate::order::motor::{Address, FloorType, Slot};
    use crate::order::outcome::{DropSensor, Motor};
    use crate::order::report::{Answer, DeadReason};

    const FELL: Evidence = Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen };

    fn order() -> Order {
        let turns = Turns {
            address: Address::new(1).unwrap(),
            slot: Slot(5),
            floor_type: FloorType::Spring,
            lift: false,
            drop_check: true,
            quantity: 1,
        };
        let put = Put {
            key: Key { order_id: Id::parse("60").unwrap(), record_id: Id::parse("78").unwrap() },
            issued_at_s: 0,
            paid_at_s: None,
            drive_until_s: 1_200,
            notify_url: None,
            echo: Echo::default(),
            digest: BodyDigest([0; 16]),
            sold: crate::order::command::Sold::default(),
            turns: Ok(turns),
        };
        Order::new(&put, 1, Arrival { wall: UnixMs(0), boot: BootMs(0), boot_id: BootId([0; 16]), trusted: None })
    }

    fn intent() -> Intent {
        Intent { sequence: 1, boot_id: BootId([0; 16]), reference: Reference::default() }
    }

    #[test]
    fn rule_24_nothing_corrects_what_a_person_decided() {
        let mut order = order();
        order.intend(intent()).unwrap();
        order.unproven().unwrap();
        let mut undecided = order.clone();
        assert_eq!(undecided.late_evidence(0, FELL), Ok(true));
        assert_eq!(undecided.late_evidence(0, FELL), Ok(false), "once");
        order.resolved_by_person = true;
        assert_eq!(order.late_evidence(0, FELL), Ok(false));
        assert_eq!(order.outcomes(), [UnitOutcome::Unknown]);
    }

    /// An order with a receiver that ended so, both copies of its one report answered so.
    fn settled(end: fn(&mut Order) -> Result<(), Forbidden>, http: Answer) -> Order {
        let mut order = order();
        order.notify_url = Some("https://shop.example/".into());
        order.intend(intent()).unwrap();
        end(&mut order).unwrap();
        order.write_report(0);
        order.reports[0].http.after(http);
        order.reports[0].mqtt.after(Answer::Taken);
        assert_eq!(order.state(), State::Settled);
        order
    }

    #[test]
    fn a_tombstone_keeps_the_url_only_while_something_may_still_be_sent_to_it() {
        let dispensed: fn(&mut Order) -> _ = |o| o.board_outcome(FELL).map(drop);
        let dead = Answer::Never(DeadReason::BadTarget);
        for (end, http, keeps, why) in [
            (dispensed, Answer::Taken, false, "all is said"),
            (dispensed, dead, true, "a person may send a dead letter again"),
            (Order::unproven, Answer::Taken, true, "a correction may come"),
        ] {
            let mut order = settled(end, http);
            order.shrink().unwrap();
            assert_eq!((order.notify_url.is_some(), order.state()), (keeps, State::Tombstone), "{why}");
        }
    }

    #[test]
    fn rule_61_a_dead_letter_is_not_sent_after_the_correction_that_its_receiver_has_taken() {
        let dead = Answer::Never(DeadReason::Status(404));
        for (later, leaves) in [(Answer::Taken, 0), (dead, 2)] {
            let mut order = settled(Order::unproven, dead);
            assert_eq!(order.late_evidence(0, FELL), Ok(true));
            assert_eq!(order.write_report(0), 2);
            order.reports[1].http.after(later);
            order.reports[1].mqtt.after(Answer::Taken);
            order.shrink().unwrap();
            assert_eq!((order.retry(), order.has_dead_copy()), (Ok(leaves), false), "{later:?}");
            assert_eq!(order.state(), if leaves == 0 { State::Settled } else { State::Reported }, "{later:?}");
        }
    }

    #[test]
    fn what_the_table_forbids_is_refused_and_changes_nothing() {
        let waiting = order();
        let mut on_line = waiting.clone();
        on_line.intend(intent()).unwrap();
        let mut ended = on_line.clone();
        ended.board_outcome(FELL).unwrap();
        ended.write_report(0);
        type Change = fn(&mut Order) -> Result<(), Forbidden>;
        let changes: [(Event, Change); 9] = [
            (Event::Drive, |o| o.intend(intent()).map(drop)),
            (Event::Refuse, |o| o.refuse(Reason::Expired)),
            (Event::BoardOutcome, |o| o.board_outcome(FELL).map(drop)),
            (Event::NotTaken, |o| o.not_taken(Reason::BoardOffline, false)),
            (Event::Unproven, Order::unproven),
            (Event::LateEvidence, |o| o.late_evidence(0, FELL).map(drop)),
            (Event::Shrunk, Order::shrink),
            (Event::PersonResolves, |o| o.resolve(UnitOutcome::DispensedUnverified).map(drop)),
            (Event::PersonRetries, |o| o.retry().map(drop)),
        ];
        for order in [waiting, on_line, ended] {
            for (event, change) in changes {
                let mut changed = order.clone();
                let result = change(&mut changed);
                // The core writes the report of an order in the same step in which its last unit ends.
                if !order.is_final() && changed.is_final() {
                    changed.write_report(0);
                }
                match step(order.state(), event) {
                    Step::Never(why) => {
                        assert_eq!(result, Err(Forbidden { state: order.state(), event, why }));
                        assert_eq!(changed, order);
                    }
                    Step::To(to, _) => {
                        assert_eq!(result, Ok(()), "{event:?} in {}", order.state());
                        // A late word about an outcome that is known changes nothing.
                        assert!(to.contains(&changed.state()) || changed == order, "{event:?}: {}", changed.state());
                    }
                    Step::Stay(_) => assert_eq!(changed, order),
                }
            }
        }
    }
}
