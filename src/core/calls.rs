//! What the platform must be told once it is true: calls, durable before they leave, until they are taken (rules
//! 40–43). They share pauses, breaker, limits and dead letters with the reports: `outbox` carries both.

use super::Core;
use super::commit::After;
use super::event::{Audience, HttpAnswer, Level, Request};
use super::outbox::Parcel;
use super::platform::denies_order;
use super::refund;
use crate::cloud::api_codes::RetryClass;
use crate::cloud::call;
use crate::cloud::orders::AnswerError;
use crate::cloud::orders::interface::Failure;
use crate::order::call::{Call, CallRecord, Operation, Subject, Way};
use crate::order::payment::{Notice, Payment};
use crate::order::record::{self, RecordKey};
use crate::order::report::{Answer, Copy, DeadReason, Next};
use crate::order::time::Now;
use crate::sabotage::{self, Clause};
use std::collections::{BTreeMap, BTreeSet};

/// Calls that may be open at once. Beyond it orders are refused, so that nothing that must be told is made; and a state
/// of a subject that has no open call is left out, since the next state tells more. As many as reports: each order may
/// cause one.
pub const CALLS_OPEN_MAX: usize = 20_000;
/// Calls in the dead letters; beyond it the oldest is forgotten, which is said. Enough for a person to see what is
/// wrong, few enough to be written anew at each start.
pub const CALLS_DEAD_MAX: usize = 1_024;

/// All calls that are not yet taken.
#[derive(Debug, Default)]
pub(super) struct Calls {
    all: BTreeMap<u64, CallRecord>,
    /// The open ones, by what they are about.
    open: BTreeMap<Subject, BTreeSet<u64>>,
    open_count: usize,
    /// Those that were refused for good: at most [`CALLS_DEAD_MAX`], so that they may be looked through.
    dead: BTreeSet<u64>,
    /// The notices among the open ones, which have a bound of their own.
    open_notices: BTreeSet<u64>,
    /// Refunds that were refused for the order's status: how it stands is asked next ([`super::refund`]).
    pub(super) doubted: BTreeSet<u64>,
    last: u64,
    /// The last call of former lives.
    recovered: u64,
}

impl Calls {
    /// Calls that are not yet taken.
    pub(super) const fn open(&self) -> usize {
        self.open_count
    }

    /// The same without what only wants to be known, and stops no vend.
    pub(super) fn open_beside_notices(&self) -> usize {
        self.open_count.saturating_sub(self.open_notices.len())
    }

    pub(super) fn open_notices(&self) -> usize {
        self.open_notices.len()
    }

    /// The open notices, oldest first.
    pub(super) fn notices(&self) -> impl Iterator<Item = u64> {
        self.open_notices.iter().copied()
    }

    /// What the call tells songshu, if it is open and tells it anything.
    pub(super) fn notice(&self, number: u64) -> Option<&Notice> {
        match &self.get(number).filter(|record| record.is_open())?.call.way {
            Way::Http(Operation::Notify(notice)) => Some(notice),
            _ => None,
        }
    }

    /// A notice of a payment is open.
    pub(super) fn tells_a_payment(&self, subject: &Subject) -> bool {
        self.of(subject).any(|number| self.notice(number).is_some_and(|notice| notice.payment != Payment::Unpaid))
    }

    /// Calls in the dead letters.
    pub(super) fn dead(&self) -> usize {
        self.dead.len()
    }

    /// The newest dead ones, for people.
    pub(super) fn newest_dead(&self) -> impl Iterator<Item = &CallRecord> {
        self.dead.iter().rev().filter_map(|number| self.all.get(number))
    }

    /// The oldest that are not yet taken, for people.
    pub(super) fn oldest_open(&self) -> impl Iterator<Item = &CallRecord> {
        self.all.values().filter(|record| record.is_open())
    }

    /// One that was refused for good is to be sent again, as it was. False for a state, which may have changed since.
    pub(super) fn reopen(&mut self, number: u64) -> bool {
        let event = self.all.get(&number).filter(|record| !record.call.newest_wins).cloned();
        let Some(record) = event else { return false };
        self.insert(CallRecord { copy: Copy::fresh(), ..record });
        true
    }

    /// Nothing about it is open, and nothing was refused for good.
    pub(super) fn settled(&self, subject: &Subject) -> bool {
        !self.open.contains_key(subject) && !self.newest_dead().any(|record| record.call.subject == *subject)
    }

    pub(super) fn get(&self, number: u64) -> Option<&CallRecord> {
        self.all.get(&number)
    }

    /// Something about it is not yet taken.
    pub(super) fn is_open(&self, subject: &Subject) -> bool {
        self.open.contains_key(subject)
    }

    fn insert(&mut self, record: CallRecord) {
        self.last = self.last.max(record.number);
        if !record.is_open() {
            self.dead.insert(record.number);
        } else {
            self.dead.remove(&record.number);
            if self.open.entry(record.call.subject.clone()).or_default().insert(record.number) {
                self.open_count += 1;
                if let Way::Http(Operation::Notify(_)) = &record.call.way {
                    self.open_notices.insert(record.number);
                }
            }
        }
        self.all.insert(record.number, record);
    }

    /// No longer open: taken, dead or replaced.
    fn close(&mut self, number: u64) {
        self.doubted.remove(&number);
        let Some(record) = self.all.get(&number) else { return };
        if !record.is_open() {
            self.dead.insert(number);
        }
        let Some(open) = self.open.get_mut(&record.call.subject) else { return };
        self.open_count -= usize::from(open.remove(&number));
        self.open_notices.remove(&number);
        if open.is_empty() {
            self.open.remove(&record.call.subject);
        }
    }

    fn of(&self, subject: &Subject) -> impl DoubleEndedIterator<Item = u64> {
        self.open.get(subject).into_iter().flatten().copied()
    }

    /// Another call of its subject must be taken first.
    pub(super) fn follows_another(&self, number: u64) -> bool {
        let Some(record) = self.all.get(&number) else { return false };
        self.of(&record.call.subject).next().is_some_and(|first| first < number)
            && !sabotage::is_out(Clause::R42SubjectInOrder)
    }

    /// It tells a state, and a newer one is there.
    fn is_outdated(&self, record: &CallRecord) -> bool {
        let newer = self.of(&record.call.subject).next_back().filter(|last| *last > record.number);
        record.call.newest_wins && newer.and_then(|last| self.all.get(&last)).is_some_and(|last| last.call.newest_wins)
    }
}

impl Core {
    /// The platform is to be told: written in the batch of this step, together with its reason, and sent when that is
    /// durable. At least once; in the order of calls about one subject; with the same bytes each time.
    /// False when it was left out.
    pub(super) fn call(&mut self, now: Now, call: Call) -> bool {
        let is_new_subject = !self.calls.is_open(&call.subject);
        let is_notice = matches!(call.way, Way::Http(Operation::Notify(_)));
        let is_full = self.calls.open_beside_notices() >= self.settings.limits.calls_open;
        if call.newest_wins && is_new_subject && !is_notice && is_full {
            self.counters.calls_left_out += 1;
            self.note(Level::Warn, "call_left_out", format!("too many calls are open; not told: {}", call.subject));
            return false;
        }
        let number = self.calls.last.saturating_add(1);
        let record = CallRecord { number, call, timestamp_s: self.told_time_s(now), copy: Copy::fresh() };
        if let Err(error) = record::encode_call(&record) {
            self.counters.calls_left_out += 1;
            self.note(Level::Error, "call_left_out", format!("{record}: {error}"));
            return false;
        }
        let older: Vec<u64> = self.calls.of(&record.call.subject).collect();
        self.calls.insert(record);
        for older in older {
            let is_outdated = self.calls.get(older).is_some_and(|record| self.calls.is_outdated(record));
            if is_outdated && !self.is_under_way(&Parcel::Call(older)) {
                self.end_call(now, older);
            }
        }
        if sabotage::is_out(Clause::R40CallAfterDurable) {
            self.offer_call(now, number);
        }
        self.save_record(RecordKey::Call(number), [After::OfferCall(number)]);
        true
    }

    /// The calls that the journal still had. They are written again like everything that was only seen (rule 1).
    pub(super) fn take_calls(&mut self, now: Now, records: Vec<CallRecord>) {
        for record in records {
            let (number, is_open) = (record.number, record.is_open());
            self.calls.insert(record);
            if is_open {
                self.save_record(RecordKey::Call(number), None);
            }
        }
        self.calls.recovered = self.calls.last;
        self.bound_the_dead(now);
    }

    /// All that was open when the last life ended is durable: it may leave.
    pub(super) fn offer_recovered_calls(&mut self, now: Now) {
        if sabotage::is_out(Clause::R41CallsKept) {
            return;
        }
        let open = self.calls.all.range(..=self.calls.recovered).filter(|(_, record)| record.is_open());
        let numbers: Vec<u64> = open.map(|(&number, _)| number).collect();
        for number in numbers {
            self.offer_call(now, number);
        }
    }

    /// The request or message of a call; nothing when it is no longer wanted, or when nobody could carry it.
    pub(super) fn publication_of(&self, number: u64) -> Option<Vec<u8>> {
        let record = self.calls.get(number).filter(|record| record.is_open())?;
        let Way::Publish { method, fields } = &record.call.way else { return None };
        let settings = &self.settings;
        Some(call::message(&settings.machine_no, method, fields, record.timestamp_s, &settings.mqtt_key))
    }

    /// See [`Core::publication_of`].
    pub(super) fn request_of_call(&self, number: u64) -> Option<Request> {
        let record = self.calls.get(number).filter(|record| record.is_open())?;
        let operation = match &record.call.way {
            Way::Http(operation) => operation,
            Way::Tell { url, fields } => {
                let idempotency_key =
                    fields.iter().find(|(name, _)| **name == *"event_id").map(|(_, id)| id.to_string());
                let mut headers = vec![("content-type", "application/json".to_owned())];
                headers.extend(idempotency_key.map(|id| ("idempotency-key", id)));
                let body = call::told(fields, record.timestamp_s, &self.settings.mqtt_key);
                return Some(Request {
                    audience: Audience::Merchant,
                    method: "POST",
                    url: url.to_string(),
                    headers,
                    body,
                });
            }
            Way::Publish { .. } => return None,
        };
        match operation {
            Operation::Refund { order_id } => self.request_of_refund(number, order_id, record.timestamp_s),
            Operation::Notify(notice) => self.request_of_notice(notice),
            Operation::TellPaid(paid) => self.request_of_payment(paid),
        }
    }

    /// What the cloud's answer means for a call. What was done before is as good as done now; a refusal that is about us
    /// (credentials, signature, machine) says nothing about the call, and may pass when a person mends it.
    pub(super) fn meaning_for_call(&mut self, now: Now, number: u64, answer: &HttpAnswer) -> Answer {
        let later = Answer::Later { retry_after_s: answer.retry_after_s };
        let Some(record) = self.calls.get(number) else { return later };
        let operation = match &record.call.way {
            Way::Http(Operation::Refund { order_id }) if self.calls.doubted.contains(&number) => {
                let order_id = order_id.clone();
                return self.meaning_of_doubted_refund(number, &order_id, answer);
            }
            Way::Http(operation) => operation,
            Way::Tell { .. } => return Answer::of_status(answer.status, answer.retry_after_s),
            Way::Publish { .. } => return later,
        };
        let hears = self.settings.payments.as_ref().and_then(|payments| payments.hears);
        let Err(error) = call::read(operation, hears, answer.status, &answer.body) else { return Answer::Taken };
        let text = format!("{record}: {error}");
        let reason = DeadReason::Status(answer.status);
        let is_refund = matches!(operation, Operation::Refund { .. });
        let meaning = match error.class() {
            _ if is_refund && refund::leaves_in_doubt(&error) => {
                self.calls.doubted.insert(number);
                later
            }
            RetryClass::AlreadyDone => Answer::Taken,
            RetryClass::Retry => later,
            RetryClass::Final if denies_for_good(&error) => Answer::Never(reason),
            RetryClass::Final => Answer::Unwelcome(reason),
        };
        if let Failure::Answer(error) = &error {
            self.log_fault(now, number, Ok(error));
            self.heed_refusal(error);
        }
        self.note(Level::Warn, "call_refused", text);
        meaning
    }

    /// What an answer does to a call.
    pub(super) fn on_call_answered(&mut self, now: Now, number: u64, answer: Answer) {
        let Some(record) = self.calls.all.get_mut(&number).filter(|record| record.is_open()) else { return };
        let next = record.copy.after(answer);
        let is_dead = record.copy.is_dead();
        let text = record.to_string();
        let is_outdated = self.calls.get(number).is_some_and(|record| self.calls.is_outdated(record));
        if next == Next::Done
            && let Some(record) = self.calls.get(number).cloned()
        {
            self.sale_call_ended(now, &record, answer == Answer::Taken);
        }
        match next {
            Next::Done if is_dead && !is_outdated => {
                self.note(Level::Error, "call_dead", format!("{text}: refused for good, kept in the dead letters"));
                self.close_call(now, number);
                self.bound_the_dead(now);
            }
            Next::Done => {
                self.counters.calls_settled += u64::from(answer == Answer::Taken);
                if answer == Answer::Taken {
                    self.mend_fault(now, number);
                }
                self.end_call(now, number);
            }
            // The newer state goes instead.
            _ if is_outdated => self.end_call(now, number),
            again => self.try_again(now, Parcel::Call(number), again),
        }
        self.save_record_lazily(now, RecordKey::Call(number));
    }

    /// It will not be told: too many newer ones wait with it.
    pub(super) fn bury_call(&mut self, now: Now, number: u64) {
        self.on_call_answered(now, number, Answer::Never(DeadReason::Crowded));
    }

    /// The call is over: its record goes with the next commit.
    pub(super) fn end_call(&mut self, now: Now, number: u64) {
        self.close_call(now, number);
        self.calls.all.remove(&number);
        self.calls.dead.remove(&number);
        self.save_record_lazily(now, RecordKey::Call(number));
    }

    /// The call is not open any more; the next of its subject may leave.
    fn close_call(&mut self, now: Now, number: u64) {
        let Some(subject) = self.calls.get(number).map(|record| record.call.subject.clone()) else { return };
        self.calls.close(number);
        self.outbox.forget(&Parcel::Call(number));
        if let Some(next) = self.calls.of(&subject).next() {
            self.outbox.unpark(now.boot, Parcel::Call(next));
        }
    }

    fn bound_the_dead(&mut self, now: Now) {
        while self.calls.dead() > CALLS_DEAD_MAX
            && let Some(record) = self.calls.dead.first().and_then(|oldest| self.calls.all.get(oldest))
        {
            let (number, text) = (record.number, record.to_string());
            self.note(Level::Error, "dead_call_forgotten", format!("{text}: {CALLS_DEAD_MAX} newer ones are kept"));
            self.end_call(now, number);
        }
    }
}

/// The refusal is about what is told and not about us. The other clouds name a code for each; what they say of a wrong
/// signature or a missing permission is final by their documents.
const fn denies_for_good(error: &Failure) -> bool {
    match error {
        Failure::Api(error) => denies_order(error),
        Failure::Answer(error) => matches!(error, AnswerError::Refused { .. }),
        Failure::Unfit(_) => true,
    }
}
