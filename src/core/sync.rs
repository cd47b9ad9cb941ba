//! After a result the cloud is asked until its books agree with it, or a difference stands for a person (rules 44–48).
//!
//! What is asked *before* an order is driven is `platform`'s (rule 27); both share its questions, and what is asked
//! before goes first: a customer waits for it.

use super::Core;
use super::event::{HttpAnswer, HttpFailure, Level};
use super::outbox::host_of;
use super::platform::{Meaning, Question};
use super::troubles::not_archived;
use crate::cloud::agreement::{Agreement, Ours, Theirs, compare};
use crate::order::backoff::full_jitter;
use crate::order::call::{Subject, SubjectKind};
use crate::order::key::Key;
use crate::order::life::{Order, Refund};
use crate::order::outcome::OrderOutcome;
use crate::order::sync::{Difference, Sync};
use crate::order::time::{BootMs, Now};
use crate::sabotage::{self, Clause};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The first question comes so long after the platform took the report, in ms: it books within seconds.
const FIRST_MS: u64 = 10_000;
/// The pause doubles with each answer that decides nothing, up to this, in ms.
const PAUSE_MAX_MS: u64 = 600_000;
/// After so many answers that decide nothing, whatever may mend it is done once more: the report published, the refund
/// asked for. By then the platform has had about two minutes, as long as it waits itself (cloud 1.7).
pub(super) const MENDED_AFTER: u8 = 4;
/// So many answers that decide nothing are a difference: with the pauses above half an hour, and never less than the 20
/// minutes for which an order can be open at the platform (cloud 1.7).
pub(super) const ANSWERS_MAX: u8 = 9;
/// The cloud is tried for so long after the report, in s: a week, as long as the broker keeps our session unless
/// configured otherwise. Then nobody compares the books any more without a person.
pub(super) const ASKED_WITHIN_S: u64 = 7 * 86_400;
/// Questions about results under way at once; two of the platform's four stay free for customers who wait.
const AT_ONCE_MAX: usize = 2;
/// One question in this time, in ms, after a burst of [`BURST`]: twenty a minute. A thousand results of an offline day
/// are spread over fifty minutes.
const INTERVAL_MS: u64 = 3_000;
/// So many questions may leave at once when nothing was asked before: an ordinary queue of vends does not wait.
const BURST: u64 = 4;

/// Whose books are to be compared, and when.
#[derive(Debug, Default)]
pub(super) struct Results {
    due: BTreeSet<(BootMs, Key)>,
    /// All that are asked about, and since when they were or will be due.
    asked: BTreeMap<Key, BootMs>,
    under_way: usize,
    /// From then on the whole burst is free again.
    full_at: BootMs,
    failures: u32,
    differences: BTreeMap<Key, Difference>,
}

impl Results {
    /// Orders that the cloud is still asked about.
    pub(super) fn open(&self) -> usize {
        self.asked.len()
    }

    /// What stands for a person.
    pub(super) const fn differences(&self) -> &BTreeMap<Key, Difference> {
        &self.differences
    }

    fn add(&mut self, at: BootMs, key: &Key) {
        if !self.asked.contains_key(key) {
            self.asked.insert(key.clone(), at);
            self.due.insert((at, key.clone()));
        }
    }

    fn again(&mut self, at: BootMs, key: &Key) {
        if let Some(due) = self.asked.get_mut(key) {
            self.due.remove(&(*due, key.clone()));
            *due = at;
            self.due.insert((at, key.clone()));
        }
    }

    fn end(&mut self, key: &Key) {
        if let Some(at) = self.asked.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }

    /// From when on the next question may leave.
    const fn token_at(&self) -> BootMs {
        BootMs(self.full_at.0.saturating_sub((BURST - 1) * INTERVAL_MS))
    }

    fn take_token(&mut self, now: BootMs) {
        let interval_ms = if sabotage::is_out(Clause::R45Spread) { 0 } else { INTERVAL_MS };
        self.full_at = self.full_at.max(now).plus_ms(interval_ms);
    }
}

impl Core {
    /// When the next question about a result may leave.
    pub(super) fn results_deadline(&self) -> Option<BootMs> {
        let results = &self.results;
        if results.under_way >= AT_ONCE_MAX {
            return None;
        }
        let (first, _) = results.due.first()?;
        let host_at = self.outbox.room_from(host_of(&self.settings.cloud.url))?;
        Some((*first).max(results.token_at()).max(host_at))
    }

    /// The platform has taken the order's last report: from now on it is asked whether it agrees.
    pub(super) fn begin_sync(&mut self, now: Now, key: &Key) {
        // Of an order of the machine's own the platform has no book under that name.
        if !self.settings.cloud.sync_results || self.settings.cloud.account.is_none() || key.is_own() {
            return;
        }
        if sabotage::is_out(Clause::R44ResultsAsked) {
            return;
        }
        self.results.end(key);
        self.set_sync(now, key, Sync::Asking { answers: 0 });
        let pause_ms = FIRST_MS + full_jitter(0, FIRST_MS, FIRST_MS, self.random.u64(..));
        self.results.add(now.boot.plus_ms(pause_ms), key);
    }

    /// What the journal says of an order's sync.
    pub(super) fn resume_sync(&mut self, now: Now, order: &Order) {
        match order.sync {
            Sync::Asking { .. } if self.settings.cloud.account.is_none() => {}
            Sync::Asking { .. } if sabotage::is_out(Clause::R46SyncSurvives) => {}
            Sync::Asking { .. } => {
                // Many at once after a long outage: the tokens spread them, chance makes machines differ.
                let pause_ms = full_jitter(0, FIRST_MS, FIRST_MS, self.random.u64(..));
                self.results.add(now.boot.plus_ms(pause_ms), &order.key);
            }
            Sync::Differs(difference) => {
                self.results.differences.insert(order.key.clone(), difference);
            }
            Sync::No | Sync::Agreed => {}
        }
    }

    /// A person wants the cloud asked once more about a result that differs. False where it is not asked, or for too long
    /// already.
    pub(super) fn ask_anew_about(&mut self, now: Now, key: &Key) -> bool {
        let told_s = self.known_order(key).and_then(|order| Some(order.reports.last()?.timestamp_s));
        let is_over = told_s.is_none_or(|s| self.told_time_s(now) > s.saturating_add(ASKED_WITHIN_S));
        if is_over || self.settings.cloud.account.is_none() {
            return false;
        }
        self.set_sync(now, key, Sync::Asking { answers: 0 });
        self.results.add(now.boot, key);
        true
    }

    /// A person knows of the difference, and why it is none any more.
    pub(super) fn accept_difference(&mut self, now: Now, key: &Key) {
        self.set_sync(now, key, Sync::Agreed);
        self.results.end(key);
    }

    /// The order is forgotten.
    pub(super) fn forget_sync(&mut self, key: &Key) {
        self.results.end(key);
        self.results.differences.remove(key);
    }

    fn set_sync(&mut self, now: Now, key: &Key, sync: Sync) {
        if let Sync::Differs(difference) = sync {
            self.results.differences.insert(key.clone(), difference);
        } else {
            self.results.differences.remove(key);
        }
        if self.orders.change(key, |order| order.sync = sync).is_none()
            && let Some(mut order) = self.archive.take(key)
        {
            order.sync = sync;
            if let Err(error) = self.archive.keep(&order) {
                self.journal_failed(now, not_archived(key, &error));
            }
        }
        self.save_lazily(now, key);
    }

    /// Asks about the results whose time has come, as many as may be asked now.
    pub(super) fn ask_about_results(&mut self, now: Now) {
        while self.results_deadline().is_some_and(|at| at <= now.boot) && self.has_room_to_ask() {
            let Some((_, key)) = self.results.due.pop_first() else { return };
            let Some(order) = self.known_order(&key) else {
                self.results.end(&key);
                continue;
            };
            let told_s = order.reports.last().map_or(0, |report| report.timestamp_s);
            let is_over = |time_s: u64| time_s > told_s.saturating_add(ASKED_WITHIN_S);
            if self.time.trusted(now).is_some_and(|time| is_over(time.seconds())) {
                self.differ(now, &key, Difference::NotAsked);
                continue;
            }
            let time_s = self.told_time_s(now);
            let account = self.settings.cloud.account.as_ref();
            let Some(call) = account.map(|a| a.query_order(&self.settings.machine_no, &key.order_id, time_s)) else {
                return;
            };
            self.results.take_token(now.boot);
            self.results.under_way += 1;
            let host = host_of(&self.settings.cloud.url).to_owned();
            self.outbox.begins(&host);
            self.ask(Question::Result(key), call);
        }
    }

    /// The cloud's answer to a question about a result.
    pub(super) fn on_result_answered(&mut self, now: Now, key: &Key, answer: Result<HttpAnswer, HttpFailure>) {
        self.results.under_way = self.results.under_way.saturating_sub(1);
        let meaning = self.meaning_of_order(key, answer);
        let host = host_of(&self.settings.cloud.url).to_owned();
        let random = self.random.u64(..);
        self.outbox.answered(&host, matches!(meaning, Meaning::Nothing), now.boot, random);
        // The order may have gone, or been corrected, while the question was under way.
        let Some(order) = self.known_order(key).map(Cow::into_owned) else { return self.results.end(key) };
        let Sync::Asking { answers } = order.sync else { return self.results.end(key) };
        let agreement = match meaning {
            Meaning::Nothing => {
                self.results.failures = self.results.failures.saturating_add(1);
                let pause_ms = full_jitter(self.results.failures, FIRST_MS, PAUSE_MAX_MS, self.random.u64(..));
                return self.results.again(now.boot.plus_ms(pause_ms.max(FIRST_MS)), key);
            }
            Meaning::Denied(_) => Agreement::Wait(Difference::NotThere),
            Meaning::Order(theirs) => {
                let units = order.reports.last().map_or(&[][..], |report| &report.units);
                compare(Ours::of(units), Theirs::of(&theirs, &key.record_id), order.refund == Refund::Asked)
            }
        };
        self.results.failures = 0;
        match agreement {
            Agreement::Agrees => {
                self.set_sync(now, key, Sync::Agreed);
                self.results.end(key);
            }
            Agreement::Differs(difference) => self.differ(now, key, difference),
            Agreement::Wait(difference) if answers.saturating_add(1) >= ANSWERS_MAX => {
                self.differ(now, key, difference);
            }
            Agreement::Wait(difference) => {
                let answers = answers.saturating_add(1);
                self.set_sync(now, key, Sync::Asking { answers });
                if answers == MENDED_AFTER {
                    self.mend(now, key, difference);
                }
                let longest_ms = FIRST_MS.saturating_mul(1 << answers.min(16)).min(PAUSE_MAX_MS);
                let pause_ms = longest_ms / 2 + full_jitter(0, longest_ms / 2, longest_ms / 2, self.random.u64(..));
                self.results.again(now.boot.plus_ms(pause_ms), key);
            }
        }
    }

    /// What may mend a difference is done once more; nothing is ever undone, and nothing is driven (rule 47).
    fn mend(&mut self, now: Now, key: &Key, difference: Difference) {
        if difference.may_be_mended_by_the_report() && !sabotage::is_out(Clause::R47ReportRepeated) {
            self.note_of(key, Level::Warn, "report_repeated", format!("order {key}: {}", difference.as_str()));
            self.repeat_result(now, key);
        }
        let subject = Subject::new(SubjectKind::Order, &key.order_id);
        if difference.may_be_mended_by_the_refund() && self.may_refund(key) && self.calls.settled(&subject) {
            self.note_of(key, Level::Warn, "refund_repeated", format!("order {key}: {}", difference.as_str()));
            self.refund(now, key);
        }
    }

    /// It stands for a person: raised, kept, shown, counted.
    fn differ(&mut self, now: Now, key: &Key, difference: Difference) {
        self.counters.differences += 1;
        self.note_of(key, Level::Error, "order_differs", format!("order {key}: {}", difference.as_str()));
        self.set_sync(now, key, Sync::Differs(difference));
        self.results.end(key);
    }

    /// The platform is to be asked now: rule 25 allows it, and nobody asked for any record of the order yet.
    pub(super) fn owes_refund(&self, key: &Key) -> bool {
        self.may_refund(key) && self.family_of(key).all(|order| order.refund == Refund::No)
    }

    /// All that this machine knows of the platform's order of this key.
    fn family_of(&self, key: &Key) -> impl Iterator<Item = Cow<'_, Order>> {
        let lowest = Key::lowest_of(&key.order_id);
        let is_of_it = |other: &Key| other.order_id == key.order_id;
        let open = self.orders.values_from(lowest).take_while(move |order| is_of_it(&order.key));
        open.map(Cow::Borrowed).chain(self.archive.orders_of(&key.order_id).map(Cow::Owned))
    }

    /// May the platform be asked to give the money of this order back? PUT speaks of the whole order, so every record of
    /// it that came here must have ended, and nothing of any may have left the machine (rules 25, 48).
    pub(super) fn may_refund(&self, key: &Key) -> bool {
        let is_alone = sabotage::is_out(Clause::R48WholeOrder);
        let mut family = self.family_of(key).filter(|order| !is_alone || order.key == *key);
        family.all(|order| order.is_final() && OrderOutcome::may_refund(&order.outcomes()))
    }
}
