//! What is asked of the cloud: may this order be driven (rules 27, 59), what time is it (rule 28), for `sync`, does it
//! agree with a result (rule 44), and, for `catalogue`, what is sold. One way for all questions.

use super::event::{Audience, Effect, HttpAnswer, HttpFailure, Level, Request, Token};
use super::{Core, VerifyOrders};
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::{self, ApiError, ApiRequest, Verdict};
use crate::order::backoff::full_jitter;
use crate::order::key::Key;
use crate::order::life::{Order, State};
use crate::order::outcome::Reason;
use crate::order::report::{RETRY_BASE_MS, RETRY_MAX_MS};
use crate::order::time::{BootMs, Now};
use crate::sabotage::{self, Clause};
use std::collections::{BTreeMap, BTreeSet};

/// Orders asked about at once; the rest wait their turn, so that an outage does not end in a storm.
const ASKED_AT_ONCE_MAX: usize = 4;
/// An order is asked about again after an unclear answer within at most this time, in ms: it has 20 minutes.
const ASK_AGAIN_MAX_MS: u64 = 30_000;

/// So many orders that ended may still stand among the asks before all are looked through.
const ASKS_OF_ENDED_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// To be asked in its turn.
    Waiting,
    /// Under way.
    UnderWay,
    /// The cloud said: drive.
    Confirmed,
}

#[derive(Debug, Clone)]
pub(super) enum Question {
    /// May it be driven?
    Order(Key),
    /// Do the books agree with its result?
    Result(Key),
    /// What time is it?
    Time,
    Products,
}

/// What an answer to a question about an order means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The cloud's books.
    Order(open_platform::Order),
    /// The cloud says that there is no such order, or that nothing of it is open: why it is not driven.
    Denied(Reason),
    /// Nothing about the order: no answer, trouble there, or something that is wrong with us.
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Platform {
    /// Orders that were or are to be asked about. Some may have ended since: they go when their turn comes.
    asks: BTreeMap<Key, (Ask, u32)>,
    /// Those that wait for their time. What is no longer among the asks is dropped in its turn.
    due: BTreeSet<(BootMs, Key)>,
    questions: BTreeMap<Token, Question>,
    time_from: Option<BootMs>,
    time_tries: u32,
}

impl Platform {
    /// No more is asked now.
    pub(super) fn is_busy(&self) -> bool {
        self.questions.len() >= ASKED_AT_ONCE_MAX
    }

    pub(super) fn has_confirmed(&self, key: &Key) -> bool {
        matches!(self.asks.get(key), Some((Ask::Confirmed, _)))
    }

    pub(super) fn deadline(&self) -> Option<BootMs> {
        if self.is_busy() {
            return None;
        }
        let first = self.due.first().map(|(at, _)| *at);
        first.into_iter().chain(self.time_from).min()
    }

    /// The next order that is to be asked about by now.
    fn pop_due(&mut self, now: BootMs) -> Option<Key> {
        self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.pop_first().map(|(_, key)| key)
    }
}

impl Core {
    /// The gate wants the cloud's word on an order.
    pub(super) fn ask_about(&mut self, now: Now, key: &Key) {
        if !self.platform.asks.contains_key(key) {
            self.platform.asks.insert(key.clone(), (Ask::Waiting, 0));
            self.platform.due.insert((now.boot, key.clone()));
        }
    }

    /// Begins to ask for the time if nothing else could tell it (rule 28: whatever `verify_orders` says).
    pub(super) fn begin_asking_for_time(&mut self, now: Now) {
        if self.time.needs_platform(now) && !self.settings.cloud.url.is_empty() {
            self.platform.time_from = Some(now.boot);
        }
    }

    /// What the cloud said of orders may no longer hold: those that wait are asked about again.
    pub(super) fn forget_what_the_cloud_said(&mut self) {
        self.platform.asks.retain(|_, (ask, _)| *ask != Ask::Confirmed);
        self.queue.look_again();
    }

    pub(super) fn ask_the_platform(&mut self, now: Now) {
        if self.platform.time_from.is_some_and(|at| at <= now.boot) {
            self.platform.time_from = None;
            if self.time.needs_platform(now) {
                let time_s = self.told_time_s(now);
                // Any answer carries a Date, a refusal too: without credentials the question is simply not signed.
                let call = match &self.settings.cloud.account {
                    Some(account) => account.ping(&self.settings.machine_no, time_s),
                    None => ApiRequest::unsigned_ping(),
                };
                self.ask(Question::Time, call);
            }
        }
        // Once in as many orders as wait, so that it costs each of them the same however many there are.
        if self.platform.asks.len() > ASKS_OF_ENDED_MAX.saturating_add(self.queue.len().saturating_mul(2)) {
            self.platform.asks.retain(|key, _| self.orders.get(key).is_some_and(|o| !o.is_final()));
        }
        while self.has_room_to_ask() {
            let Some(key) = self.platform.pop_due(now.boot) else { break };
            if self.orders.get(&key).is_none_or(Order::is_final) {
                self.platform.asks.remove(&key);
                continue;
            }
            let Some((ask, _)) = self.platform.asks.get_mut(&key) else { continue };
            *ask = Ask::UnderWay;
            let time_s = self.told_time_s(now);
            let account = self.settings.cloud.account.as_ref();
            let Some(call) = account.map(|a| a.query_order(&self.settings.machine_no, &key.order_id, time_s)) else {
                break;
            };
            self.ask(Question::Order(key), call);
        }
        self.ask_about_results(now);
    }

    /// Another question may leave.
    pub(super) fn has_room_to_ask(&self) -> bool {
        self.platform.questions.len() < ASKED_AT_ONCE_MAX
    }

    pub(super) fn ask(&mut self, question: Question, call: ApiRequest) {
        let token = self.next_token();
        let request = self.cloud_request(call);
        self.platform.questions.insert(token, question);
        self.effects.push(Effect::Http { token, request });
    }

    /// A call of the open API as a request to the configured cloud.
    pub(super) fn cloud_request(&self, call: ApiRequest) -> Request {
        Request {
            audience: Audience::Cloud,
            method: call.method,
            url: format!("{}{}", self.settings.cloud.url.trim_end_matches('/'), call.path),
            headers: call.headers,
            body: call.body,
        }
    }

    pub(super) fn on_platform_answered(&mut self, now: Now, token: Token, answer: Result<HttpAnswer, HttpFailure>) {
        let Some(question) = self.platform.questions.remove(&token) else { return };
        let host = super::outbox::host_of(&self.settings.cloud.url).to_owned();
        self.troubles.answered(&host, &answer);
        if let Ok(HttpAnswer { date: Some(date), .. }) = &answer {
            self.time.platform_said(*date, now);
            self.watch_the_clock(now);
        }
        match question {
            Question::Time => {
                if self.time.needs_platform(now) {
                    self.platform.time_tries = self.platform.time_tries.saturating_add(1);
                    let tries = self.platform.time_tries;
                    let pause_ms = full_jitter(tries - 1, RETRY_BASE_MS, RETRY_MAX_MS, self.random.u64(..));
                    self.platform.time_from = Some(now.boot.plus_ms(pause_ms));
                    self.note(Level::Warn, "time_unknown", "the cloud did not tell the time either".to_owned());
                }
            }
            Question::Products => self.on_products_answered(now, answer),
            Question::Order(key) => self.on_order_answered(now, &key, answer),
            Question::Result(key) => self.on_result_answered(now, &key, answer),
        }
    }

    fn on_order_answered(&mut self, now: Now, key: &Key, answer: Result<HttpAnswer, HttpFailure>) {
        let verdict = match self.meaning_of_order(key, answer) {
            Meaning::Order(order) => self.verdict_on(key, &order),
            Meaning::Denied(reason) => Verdict::Refuse(reason),
            Meaning::Nothing => Verdict::AskAgain,
        };
        let Some((ask, tries)) = self.platform.asks.get_mut(key) else { return };
        match verdict {
            Verdict::AskAgain if sabotage::is_out(Clause::R27SilenceHolds) => *ask = Ask::Confirmed,
            Verdict::Refuse(_) if sabotage::is_out(Clause::R27DenialRefuses) => *ask = Ask::Confirmed,
            Verdict::Drive => {
                *ask = Ask::Confirmed;
                self.queue.look_again();
            }
            Verdict::Refuse(reason) => {
                self.platform.asks.remove(key);
                if self.orders.get(key).is_some_and(|o| o.state() == State::Accepted) || self.line.is_only_intended(key)
                {
                    self.refuse_rest(now, key, reason);
                }
            }
            // No answer means hold; the order expires by itself (rule 27).
            Verdict::AskAgain => {
                *tries = tries.saturating_add(1);
                let pause_ms = full_jitter(*tries - 1, RETRY_BASE_MS, ASK_AGAIN_MAX_MS, self.random.u64(..));
                *ask = Ask::Waiting;
                self.platform.due.insert((now.boot.plus_ms(pause_ms.max(RETRY_BASE_MS)), key.clone()));
            }
        }
    }

    /// Whether the cloud's books let an order be driven, and for the amount that its command names (rules 27, 59).
    fn verdict_on(&mut self, key: &Key, books: &open_platform::Order) -> Verdict {
        let verdict = open_platform::may_drive(books, &key.record_id);
        let command = self.orders.get(key).and_then(|order| order.amount);
        let differs = open_platform::names_another_amount(command, books, &key.record_id);
        if verdict == Verdict::Drive && differs && !sabotage::is_out(Clause::R59AmountCompared) {
            Verdict::Refuse(Reason::Amount)
        } else {
            verdict
        }
    }

    /// Reads an answer to a question about an order.
    pub(super) fn meaning_of_order(&mut self, key: &Key, answer: Result<HttpAnswer, HttpFailure>) -> Meaning {
        let (what, text) = match answer {
            Ok(answer) => match open_platform::read_order(answer.status, &answer.body, &key.order_id) {
                Ok(order) => return Meaning::Order(order),
                Err(error) => {
                    let denial = match error.class() {
                        RetryClass::Final => denies_order(&error).then_some(Reason::Closed),
                        RetryClass::AlreadyDone if says_delivered(&error) => Some(Reason::Served),
                        RetryClass::AlreadyDone => Some(Reason::Closed),
                        RetryClass::Retry => None,
                    };
                    if let Some(reason) = denial {
                        self.note_of(key, Level::Warn, "cloud_error", format!("order {key}: {error}"));
                        return Meaning::Denied(reason);
                    }
                    ("cloud_error", error.to_string())
                }
            },
            Err(failure) => ("cloud_unreachable", failure.why.en),
        };
        self.note_of(key, Level::Warn, what, format!("order {key}: {text}"));
        Meaning::Nothing
    }

    /// For people: when orders are asked about.
    pub(super) const fn verifies(&self) -> bool {
        !matches!(self.settings.cloud.verify_orders, VerifyOrders::Never)
    }
}

/// The cloud knows the order and says no, or says that there is no such order (cloud 1.8). Other final answers are
/// about us (credentials, signature) and say nothing about the order.
pub(super) const fn denies_order(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { code: 404 | 4004 | 80002 | 40005 | 40006 | 6042 | 6043, .. })
}

/// The cloud says that the order was delivered already.
const fn says_delivered(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { code: 6034, .. })
}
