//! What the cloud is asked about a sale, one question at a time and only about what is durable, and what its answers do
//! (rules 50, 51, 53–55).

use super::{SaleSettings, WATCH_FOR_MS};
use crate::cloud::api_codes::RetryClass;
use crate::cloud::orders::interface::{Ask, Failure, PayState, Said, Seen, Verb};
use crate::cloud::orders::poll::{Heard, Poll, PollEnd, PollNext};
use crate::cloud::orders::seller;
use crate::cloud::orders::table::SellingCloud;
use crate::core::Core;
use crate::core::event::{Audience, Effect, HttpAnswer, HttpFailure, Level, Request, Token};
use crate::core::outbox::host_of;
use crate::order::backoff::full_jitter;
use crate::order::key::Id;
use crate::order::record::RecordKey;
use crate::order::sale::{Event, PAY_CODE_BYTES_MAX, Sale, State, Why};
use crate::order::time::{BootMs, Now};
use crate::sabotage::{self, Clause};

/// Questions about sales under way at once: the attended one and one that is watched.
pub(super) const ASKED_AT_ONCE_MAX: usize = 2;
/// An order and its pay code are asked for so long, in ms, while somebody stands there and sees nothing yet.
const CREATE_FOR_MS: u64 = 30_000;
/// First pause after a question that told nothing, in ms.
const AGAIN_BASE_MS: u64 = 2_000;
/// Longest pause, in ms, while somebody stands there.
const AGAIN_MAX_MS: u64 = 10_000;
/// An order that was given up is asked about so often, in ms: nobody waits, and a payment is rare.
pub(super) const WATCH_EVERY_MS: u64 = 60_000;
/// What was heard last is written so often, in ms, while a pay code is shown: a cut costs no more of what is known.
const HEARD_SAVED_EVERY_MS: u64 = 10_000;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Make an order.
    Create,
    /// How does it stand?
    Query,
    /// The pay code.
    Pay,
    /// Nothing: the pay code is made here.
    Show,
    /// Close it.
    Close,
}

/// What is to be asked about one sale.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    what: What,
    pub(super) at: BootMs,
    tries: u32,
    poll: Option<Poll>,
    /// The question that is under way. An answer to any other is older than what is known.
    out: Option<Token>,
    /// The sale is durable as it stands.
    pub(super) is_durable: bool,
    /// What was heard was written at this time.
    heard_saved: BootMs,
}

impl Asking {
    /// Nothing leaves before the commit that carries its reason.
    pub(super) fn may_be_asked(&self) -> bool {
        let early = match self.what {
            What::Create => sabotage::is_out(Clause::R50AskedWhenDurable),
            What::Show | What::Query => sabotage::is_out(Clause::R51ShownWhenDurable),
            What::Pay | What::Close => false,
        };
        (self.is_durable || early) && self.out.is_none()
    }
}

/// A question that is under way.
#[derive(Debug)]
pub(super) struct Question {
    number: u64,
    what: What,
    host: String,
}

/// The question in the words of the interface.
fn words<'a>(what: What, sale: &'a Sale) -> Option<Ask<'a>> {
    let order = sale.order.as_ref();
    Some(match what {
        What::Create => Ask::Create { goods: sale.goods, trade_no: &sale.trade_no },
        What::Query => Ask::Query { order: Some(order?), trade_no: None },
        What::Pay => Ask::Pay { order: order?, name: &sale.name, amount: sale.price },
        What::Close => Ask::Close { order: order? },
        What::Show => return None,
    })
}

impl Core {
    /// This is asked about the sale next, from now on, once the sale is durable.
    pub(super) fn ask_from(&mut self, now: Now, number: u64, what: What) {
        let asking =
            Asking { what, at: now.boot, tries: 0, poll: None, out: None, is_durable: false, heard_saved: now.boot };
        self.sales.asking.insert(number, asking);
    }

    /// Every sale whose payment is waited or looked for is asked about now: how many.
    pub(in crate::core) fn ask_about_open_sales_at_once(&mut self, now: Now) -> usize {
        let waiting = self.sales.asking.values_mut().filter(|asking| asking.what == What::Query);
        waiting.map(|asking| asking.at = now.boot).count()
    }

    /// Asks what is due.
    pub(in crate::core) fn ask_about_sales(&mut self, now: Now) {
        while self.sales_deadline().is_some_and(|at| at <= now.boot) {
            let due = |(_, asking): &(&u64, &Asking)| asking.may_be_asked() && asking.at <= now.boot;
            // The newest is the attended one.
            let Some(number) = self.sales.asking.iter().rev().find(due).map(|(number, _)| *number) else { return };
            self.ask_about_sale(now, number);
        }
    }

    fn ask_about_sale(&mut self, now: Now, number: u64) {
        let Some(what) = self.sales.asking.get(&number).map(|asking| asking.what) else { return };
        if what == What::Show {
            self.show_pay_code(now, number);
            return;
        }
        let time = self.time.trusted(now).unwrap_or(now.wall);
        let request = self.settings.sale.as_ref().zip(self.sales.all.get(number)).and_then(|(settings, sale)| {
            // Another cloud may have an order of the same number, which somebody else has paid.
            let place = settings.place();
            if !sale.may_be_of(|made_at| *made_at == place) && !sabotage::is_out(Clause::R54AskedWhereMade) {
                return None;
            }
            let ask = words(what, sale)?;
            match settings.cloud.with_session(self.sessions.current()).request(&ask, time) {
                Ok(call) => Some(Request {
                    audience: if settings.cloud.is_platform() { Audience::Cloud } else { Audience::Seller },
                    method: call.method,
                    url: format!("{}{}", settings.url.trim_end_matches('/'), call.path),
                    headers: call.headers,
                    body: call.body,
                }),
                Err(_) => None,
            }
        });
        let Some(request) = request else {
            // The configuration has another cloud now, or none: a person knows where that order was made.
            self.note(Level::Error, "sale_unaskable", format!("sale {number} cannot be asked about at this cloud"));
            self.cannot_ask(now, number);
            return;
        };
        let host = host_of(&request.url).to_owned();
        self.outbox.begins(&host);
        let token = self.next_token();
        if let Some(asking) = self.sales.asking.get_mut(&number) {
            asking.out = Some(token);
            if let Some(poll) = &mut asking.poll {
                poll.asked(now.boot);
            }
        }
        self.sales.questions.insert(token, Question { number, what, host });
        self.effects.push(Effect::Http { token, request });
    }

    /// The answer to a question about a sale; false when it was none.
    pub(in crate::core) fn on_sale_answered(
        &mut self,
        now: Now,
        token: Token,
        answer: &Result<HttpAnswer, HttpFailure>,
    ) -> bool {
        let Some(Question { number, what, host }) = self.sales.questions.remove(&token) else { return false };
        let random = self.random.u64(..);
        let failed = answer.as_ref().map_or(true, |answer| answer.status >= 500);
        self.outbox.answered(&host, failed, now.boot, random);
        self.troubles.answered(&host, answer);
        let Some(asking) = self.sales.asking.get_mut(&number).filter(|asking| asking.out == Some(token)) else {
            return true;
        };
        asking.out = None;
        let (Some(sale), Some(settings)) = (self.sales.all.get(number), self.settings.sale.as_ref()) else {
            return true;
        };
        let said = match (words(what, sale), answer) {
            (Some(ask), Ok(answer)) => settings.cloud.read(&ask, answer.status, &answer.body).map_err(Some),
            (_, Err(_)) | (None, _) => Err(None),
        };
        if let Err(Some(Failure::Answer(error))) = &said {
            self.heed_refusal(error);
        }
        if let Err(failure) = &said {
            let why = match (failure, answer) {
                (Some(failure), _) => failure.to_string(),
                (None, Err(failure)) => failure.why.en.clone(),
                (None, Ok(_)) => "nothing was asked".to_owned(),
            };
            self.note(Level::Info, "sale_not_told", format!("sale {number}, {what:?}: {why}"));
        }
        self.heed_answer(now, number, what, said);
        true
    }

    fn heed_answer(&mut self, now: Now, number: u64, what: What, said: Result<Said, Option<Failure>>) {
        let Some(state) = self.sales.all.get(number).map(|sale| sale.state) else { return };
        match (what, said, state) {
            (What::Create, Ok(Said::Created(order, seen)), State::Chosen) => self.order_made(now, number, order, seen),
            (What::Create, Ok(_), State::Chosen) => self.not_made(now, number, Why::AnswerLost),
            (What::Create, Err(failure), State::Chosen) => self.order_not_made(now, number, failure.as_ref()),
            (What::Query, Ok(Said::Order(seen)), State::Created) => self.judge_new_order(now, number, &seen, false),
            (What::Query, Ok(Said::Order(seen)), State::Waiting) => self.judge_waiting(now, number, &seen),
            (What::Query, Ok(Said::Order(seen)), State::Leaving) => self.judge_leaving(now, number, &seen),
            (What::Query, Ok(Said::Order(seen)), State::Watched) => self.judge_watched(now, number, &seen),
            (What::Query, other, State::Waiting) => self.heard_while_waiting(now, number, Err(other.err().flatten())),
            (What::Query, _, State::Leaving | State::Watched) => self.watch_again(now, number),
            (What::Pay, Ok(Said::PayCode(code)), State::Created) => self.pay_code_came(now, number, &code),
            (What::Query | What::Pay, other, State::Created) => match other.err().flatten() {
                Some(failure) if failure.class() == RetryClass::Final => self.leave_sale(now, number, Why::Refused),
                _ if self.is_young(now, number) => self.ask_again(now, number),
                _ => self.leave_sale(now, number, Why::NotAsked),
            },
            (What::Close, Ok(Said::Done), State::Leaving) if sabotage::is_out(Clause::R55CloseAsked) => {
                self.left_behind(now, number);
            }
            // Whether it is closed, or paid meanwhile, the next question tells: no cloud documents what a close does to
            // an order that is being paid, and an answer that says "done" may have met one.
            (What::Close, _, State::Leaving) => {
                if let Some(asking) = self.sales.asking.get_mut(&number) {
                    asking.what = What::Query;
                }
                self.watch_again(now, number);
            }
            // It has changed while the question was under way.
            _ => {}
        }
    }

    /// Somebody has stood there for less than they can be kept waiting for a pay code.
    fn is_young(&self, now: Now, number: u64) -> bool {
        let sale = self.sales.all.get(number);
        sale.and_then(|sale| self.ms_since(&sale.chosen, now)).is_some_and(|age_ms| age_ms < CREATE_FOR_MS)
    }

    fn ask_again(&mut self, now: Now, number: u64) {
        let random = self.random.u64(..);
        if let Some(asking) = self.sales.asking.get_mut(&number) {
            asking.tries = asking.tries.saturating_add(1);
            let pause_ms = full_jitter(asking.tries - 1, AGAIN_BASE_MS, AGAIN_MAX_MS, random);
            asking.at = now.boot.plus_ms(pause_ms.max(AGAIN_BASE_MS));
        }
    }

    fn order_made(&mut self, now: Now, number: u64, order: Id, seen: Option<Seen>) {
        let place = self.settings.sale.as_ref().map(SaleSettings::place);
        let is_sold = self.sales.all.has_order(&order, |made_at| place.as_ref().is_none_or(|place| made_at == place))
            && !sabotage::is_out(Clause::R52OrderOnce);
        if is_sold {
            // What was paid for once would be served twice.
            self.note(Level::Error, "sale_sold_before", format!("sale {number} was given order {order} again"));
            self.not_made(now, number, Why::SoldBefore);
            return;
        }
        let made = self.sales.all.change(number, |sale| {
            sale.order = Some(order);
            sale.why.is_none()
        });
        let Some(is_wanted) = made else { return };
        self.change_sale(now, number, Event::Made, None);
        self.notify_of_sale(now, number, false);
        match seen {
            _ if !is_wanted => self.leave_sale(now, number, Why::Cancelled),
            Some(seen) => self.judge_new_order(now, number, &seen, true),
            None => self.ask_from(now, number, What::Query),
        }
        self.save_sale(number);
    }

    /// A sale that is kept has this order of the platform, whose orders messages name.
    pub(in crate::core) fn is_sold_here(&self, order: &Id) -> bool {
        self.sales
            .all
            .has_order(order, |made_at| SellingCloud::named(&made_at.cloud).is_some_and(SellingCloud::is_platform))
    }

    fn order_not_made(&mut self, now: Now, number: u64, failure: Option<&Failure>) {
        let makes_once = self.settings.sale.as_ref().is_some_and(|sale| sale.cloud.makes_once());
        let is_wanted = self.sales.all.get(number).is_some_and(|sale| sale.why.is_none());
        match failure {
            Some(failure) if seller::exists_already(failure) => self.not_made(now, number, Why::AnswerLost),
            Some(failure) if failure.class() == RetryClass::Final => self.not_made(now, number, Why::Refused),
            // Under the same name it is the same order, however often it is asked for.
            _ if (makes_once || sabotage::is_out(Clause::R50CreateOnce)) && is_wanted && self.is_young(now, number) => {
                self.ask_again(now, number);
            }
            _ => self.not_made(now, number, Why::AnswerLost),
        }
    }

    /// There is no order, or one that nobody has seen a pay code of.
    fn not_made(&mut self, now: Now, number: u64, why: Why) {
        self.change_sale(now, number, Event::NotMade, Some(why));
        self.save_sale(number);
    }

    /// What the cloud says of an order of which nobody has seen a pay code.
    fn judge_new_order(&mut self, now: Now, number: u64, seen: &Seen, is_answer_to_create: bool) {
        let Some(sale) = self.sales.all.get(number) else { return };
        let is_right = seen.amount == Some(sale.price) || sabotage::is_out(Clause::R53AmountsAgree);
        match seen.state {
            PayState::Unpaid if is_right => {
                let pays = self.settings.sale.as_ref().is_some_and(|sale| sale.cloud.can(Verb::Pay));
                let is_durable = self.sales.asking.get(&number).is_some_and(|asking| asking.is_durable);
                self.ask_from(now, number, if pays { What::Pay } else { What::Show });
                // Nothing about the sale has changed by the answer to a question.
                if let Some(asking) = self.sales.asking.get_mut(&number) {
                    asking.is_durable = is_durable && !is_answer_to_create;
                }
            }
            PayState::Unpaid => self.leave_sale(now, number, Why::Price),
            // Free, or paid before by other means: serve, and never charge (seed 001). The amount is what would have
            // been due.
            PayState::Paid if is_answer_to_create || is_right => self.serve_sale(now, number),
            PayState::Paid => self.paid_in_vain(now, number, seen.amount, Why::PaidOther),
            PayState::Closed => self.leave_sale(now, number, Why::ClosedThere),
            PayState::Failed => self.leave_sale(now, number, Why::PaymentFailed),
            PayState::Served => self.leave_sale(now, number, Why::ServedThere),
            PayState::Unclear if self.is_young(now, number) => {
                if is_answer_to_create {
                    self.ask_from(now, number, What::Query);
                }
                self.ask_again(now, number);
            }
            PayState::Unclear => self.leave_sale(now, number, Why::NotAsked),
        }
    }

    fn show_pay_code(&mut self, now: Now, number: u64) {
        let pay_url = self.settings.sale.as_ref().and_then(|sale: &SaleSettings| sale.pay_url.as_deref());
        let Some(sale) = self.sales.all.get(number) else { return };
        match (pay_url, &sale.order) {
            (Some(pay_url), Some(order)) => {
                let code = seller::pay_code(pay_url, order, &sale.trade_no, sale.price);
                self.pay_code_came(now, number, &code);
            }
            _ => self.leave_sale(now, number, Why::Refused),
        }
    }

    fn pay_code_came(&mut self, now: Now, number: u64, code: &str) {
        let moment = self.moment(now);
        if code.len() > PAY_CODE_BYTES_MAX {
            self.leave_sale(now, number, Why::Refused);
            return;
        }
        self.sales.all.change(number, |sale| (sale.pay_code, sale.heard) = (Some(code.into()), Some(moment)));
        self.change_sale(now, number, Event::Shown, None);
        self.poll_sale(now, number);
        self.save_sale(number);
    }

    /// Begins to ask each second whether it is paid.
    pub(super) fn poll_sale(&mut self, now: Now, number: u64) {
        let age_ms = self.sales.all.get(number).and_then(|sale| self.ms_since(&sale.chosen, now)).unwrap_or(u64::MAX);
        self.ask_from(now, number, What::Query);
        if let Some(asking) = self.sales.asking.get_mut(&number) {
            asking.poll = Some(Poll::begin(now.boot, age_ms));
        }
    }

    /// What the cloud says while the pay code is shown.
    fn judge_waiting(&mut self, now: Now, number: u64, seen: &Seen) {
        let Some(sale) = self.sales.all.get(number) else { return };
        let is_right =
            seen.amount.is_none_or(|amount| amount == sale.price) || sabotage::is_out(Clause::R53AmountsAgree);
        match seen.state {
            PayState::Unpaid if is_right => self.heard_while_waiting(now, number, Ok(())),
            PayState::Unpaid => self.leave_sale(now, number, Why::Price),
            PayState::Paid if !is_right => self.paid_in_vain(now, number, seen.amount, Why::PaidOther),
            PayState::Paid if self.is_attended(now, number) => self.serve_sale(now, number),
            PayState::Paid => self.paid_in_vain(now, number, seen.amount, Why::PaidLate),
            PayState::Closed => self.leave_sale(now, number, Why::ClosedThere),
            PayState::Failed => self.leave_sale(now, number, Why::PaymentFailed),
            PayState::Served => self.leave_sale(now, number, Why::ServedThere),
            PayState::Unclear => self.heard_while_waiting(now, number, Err(None)),
        }
    }

    /// The buyer has not been left without a word for so long that nobody stands there any more.
    fn is_attended(&self, now: Now, number: u64) -> bool {
        let (Some(sale), Some(settings)) = (self.sales.all.get(number), self.settings.sale.as_ref()) else {
            return false;
        };
        let deaf_ms = sale.heard.as_ref().and_then(|heard| self.ms_since(heard, now));
        deaf_ms.is_some_and(|ms| ms <= settings.deaf_ms) || sabotage::is_out(Clause::R54LateNotServed)
    }

    fn heard_while_waiting(&mut self, now: Now, number: u64, heard: Result<(), Option<Failure>>) {
        let (moment, random) = (self.moment(now), self.random.u64(..));
        let Some(asking) = self.sales.asking.get_mut(&number) else { return };
        let Some(poll) = &mut asking.poll else { return };
        match &heard {
            Ok(()) => {
                poll.heard(Heard::Unpaid, now.boot, random);
                self.sales.all.change(number, |sale| sale.heard = Some(moment));
                if now.boot.since_ms(asking.heard_saved) >= HEARD_SAVED_EVERY_MS {
                    asking.heard_saved = now.boot;
                    self.save_record(RecordKey::Sale(number), None);
                }
            }
            Err(Some(Failure::Answer(error))) => poll.heard(Heard::Failed(error), now.boot, random),
            Err(_) => poll.heard(Heard::Silence, now.boot, random),
        }
        let next = self.sales.asking.get(&number).and_then(|asking| asking.poll.as_ref()).map(Poll::next);
        match next {
            Some(PollNext::AskAt(at)) => {
                if let Some(asking) = self.sales.asking.get_mut(&number) {
                    asking.at = at;
                }
            }
            Some(PollNext::Over(PollEnd::Refused)) => self.leave_sale(now, number, Why::NotAsked),
            Some(PollNext::Over(_)) => self.leave_sale(now, number, Why::TooOld),
            Some(PollNext::Wait) | None => {}
        }
    }

    /// It will not be served: its order is to be closed, if it is not paid.
    pub(super) fn leave_sale(&mut self, now: Now, number: u64, why: Why) {
        let moment = self.moment(now);
        self.sales.all.change(number, |sale| sale.left = Some(moment));
        self.change_sale(now, number, Event::Left, Some(why));
        self.ask_from(now, number, What::Query);
        self.save_sale(number);
    }

    fn judge_leaving(&mut self, now: Now, number: u64, seen: &Seen) {
        let closes = self.settings.sale.as_ref().is_some_and(|sale| sale.closes && sale.cloud.can(Verb::Close));
        // A cloud that says "done" and closes nothing is not told for ever; the order is watched like any other.
        let is_fresh = self.left_ms(now, number) < WATCH_FOR_MS;
        match seen.state {
            PayState::Paid => self.paid_in_vain(now, number, seen.amount, Why::PaidLate),
            // At once, so that a payment hardly finds its way between question and word.
            PayState::Unpaid if closes && is_fresh => {
                if let Some(asking) = self.sales.asking.get_mut(&number) {
                    (asking.what, asking.at) = (What::Close, now.boot);
                }
            }
            PayState::Unpaid | PayState::Closed | PayState::Failed | PayState::Served => self.left_behind(now, number),
            PayState::Unclear => self.watch_again(now, number),
        }
    }

    fn left_behind(&mut self, now: Now, number: u64) {
        self.change_sale(now, number, Event::LeftBehind, None);
        self.ask_from(now, number, What::Query);
        if let Some(asking) = self.sales.asking.get_mut(&number) {
            asking.at = now.boot.plus_ms(WATCH_EVERY_MS);
        }
        self.save_sale(number);
    }

    /// For how long nobody has wanted it any more, in ms. What nobody can tell begins anew.
    fn left_ms(&mut self, now: Now, number: u64) -> u64 {
        let moment = self.moment(now);
        let left = self.sales.all.get(number).and_then(|sale| sale.left);
        if let Some(ms) = left.and_then(|left| self.ms_since(&left, now)) {
            return ms;
        }
        if self.sales.all.change(number, |sale| sale.left = Some(moment)).is_some() {
            self.save_record(RecordKey::Sale(number), None);
        }
        0
    }

    fn judge_watched(&mut self, now: Now, number: u64, seen: &Seen) {
        let is_over = self.left_ms(now, number) >= WATCH_FOR_MS || sabotage::is_out(Clause::R55Watched);
        match seen.state {
            PayState::Paid => self.paid_in_vain(now, number, seen.amount, Why::PaidLate),
            PayState::Unclear => self.watch_again(now, number),
            _ if is_over => {
                self.change_sale(now, number, Event::WatchOver, None);
                self.save_sale(number);
            }
            _ => self.watch_again(now, number),
        }
    }

    /// Later again; an order of which nobody tells anything for twice the time stands for a person.
    fn watch_again(&mut self, now: Now, number: u64) {
        if self.left_ms(now, number) >= 2 * WATCH_FOR_MS {
            self.cannot_ask(now, number);
            return;
        }
        let is_leaving = self.sales.all.get(number).is_some_and(|sale| sale.state == State::Leaving);
        let random = self.random.u64(..);
        if let Some(asking) = self.sales.asking.get_mut(&number) {
            asking.tries = asking.tries.saturating_add(1);
            let soon_ms = full_jitter(asking.tries - 1, AGAIN_BASE_MS, WATCH_EVERY_MS, random).max(AGAIN_BASE_MS);
            asking.at = now.boot.plus_ms(if is_leaving { soon_ms } else { WATCH_EVERY_MS });
        }
    }

    /// Nobody tells how it stands: a person has to look, unless nobody can have paid.
    fn cannot_ask(&mut self, now: Now, number: u64) {
        let state = self.sales.all.get(number).map(|sale| sale.state);
        match state {
            Some(State::Chosen) => self.change_sale(now, number, Event::NotMade, Some(Why::NotAsked)),
            Some(State::Created | State::Waiting) => {
                self.change_sale(now, number, Event::Left, Some(Why::NotAsked));
                self.change_sale(now, number, Event::NobodyKnows, None);
            }
            _ => self.change_sale(now, number, Event::NobodyKnows, None),
        }
        self.save_sale(number);
    }
}
