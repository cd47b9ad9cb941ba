//! How a sale goes on from payment to its end: the own order, its outcome, refund and report; and what a new life finds
//! (rules 52, 54, 56, 57).

use super::SaleSettings;
use super::asking::What;
use crate::cloud::orders::table::SellingCloud;
use crate::core::Core;
use crate::core::event::Level;
use crate::core::outbox::host_of;
use crate::order::call::{Call, CallRecord, Operation, Subject, SubjectKind, Way};
use crate::order::command::Turns;
use crate::order::instruction::Kind;
use crate::order::key::Key;
use crate::order::outcome::UnitOutcome;
use crate::order::payment::{Notice, Payment};
use crate::order::sale::{Event, Forbidden, Sale, State, Why};
use crate::order::stock::Fen;
use crate::order::time::{Now, UnixMs};
use crate::sabotage::{self, Clause};

/// Tells the merchant how a sale ended, in our words: the platform has none for it.
pub const SALE_METHOD: &str = "vend.sale.ended";

/// What is told about a sale leaves in order.
pub(super) fn subject(number: u64) -> Subject {
    Subject::new(SubjectKind::Sale, &number)
}

impl Core {
    /// The event happens to the sale, if the table allows it. Whoever calls this saves the sale in the same step.
    pub(super) fn change_sale(&mut self, now: Now, number: u64, event: Event, why: Option<Why>) {
        let moment = self.moment(now);
        let changed = self.sales.all.change(number, |sale| {
            let state = sale.take(event)?;
            if matches!(event, Event::PaidInVain | Event::NotDispensed | Event::Unproven) {
                (sale.left, sale.why) = (Some(moment), why);
            } else {
                // What came first is why.
                sale.why = sale.why.or(why);
            }
            Ok::<_, Forbidden>((state, sale.why))
        });
        match changed {
            None => {}
            Some(Ok((state, why))) => {
                let why = why.map(|why| format!(" ({})", why.as_str())).unwrap_or_default();
                let text = format!("sale {number} is {state}{why}");
                if !state.asks() {
                    self.sales.asking.remove(&number);
                }
                let level = if state.needs_person() { Level::Error } else { Level::Info };
                self.note(level, "sale", text);
                if state.is_ended() || state.needs_person() {
                    self.report_sale(now, number);
                }
            }
            Some(Err(error)) => self.note(Level::Error, "forbidden", format!("sale {number}: {error}")),
        }
    }

    /// The cloud says that it is paid: sale and own order are one batch (rule 52).
    pub(super) fn serve_sale(&mut self, now: Now, number: u64) {
        let Some(sale) = self.sales.all.get(number) else { return };
        let defaults = self.settings.profile.defaults;
        let turns = Turns {
            address: sale.address,
            slot: sale.slot,
            floor_type: defaults.floor_type,
            lift: defaults.lift,
            drop_check: defaults.drop_check,
            quantity: 1,
        };
        let Ok(key) = Key::of_sale(number) else { return };
        self.change_sale(now, number, Event::Paid, None);
        self.notify_of_sale(now, number, true);
        if !sabotage::is_out(Clause::R52PaidWithOrder) {
            self.save_sale(number);
        }
        self.on_own_order(now, key, turns, None);
    }

    /// Paid, and it is not served: the money goes back.
    pub(super) fn paid_in_vain(&mut self, now: Now, number: u64, paid: Option<Fen>, why: Why) {
        self.sales.all.change(number, |sale| sale.paid = paid);
        self.change_sale(now, number, Event::PaidInVain, Some(why));
        self.notify_of_sale(now, number, true);
        self.pay_back(now, number);
        self.save_sale(number);
    }

    /// songshu hears that an order was made, and that it was paid, in the batch that says so.
    pub(super) fn notify_of_sale(&mut self, now: Now, number: u64, is_paid: bool) {
        let (Some(sale), Some(settings)) = (self.sales.all.get(number), &self.settings.notify) else { return };
        let payment =
            if is_paid { Payment::PaidAt(UnixMs::from_seconds(self.told_time_s(now))) } else { Payment::Unpaid };
        let notice = Notice {
            order_id: sale.trade_no.clone(),
            openid: settings.openid.clone(),
            created_at: sale.chosen.trusted.unwrap_or(sale.chosen.wall),
            payment,
            amount: sale.paid.unwrap_or(sale.price),
            title: Some(sale.name.to_string()),
            is_test: settings.is_test,
        };
        self.notify(now, notice);
    }

    /// The cloud is to give the money back, by a call in the batch of its reason; where it cannot, a person must.
    fn pay_back(&mut self, now: Now, number: u64) {
        let Some(sale) = self.sales.all.get(number).filter(|sale| sale.state == State::Refunding) else { return };
        match sale.order.clone().filter(|_| self.refunds(sale)) {
            Some(_) if sabotage::is_out(Clause::R54RefundAsked) => {}
            Some(order_id) => {
                let way = Way::Http(Operation::Refund { order_id });
                self.call(now, Call { subject: subject(number), way, newest_wins: false });
            }
            None => self.change_sale(now, number, Event::NoRefund, None),
        }
    }

    /// The platform of today has made the sale's order, and can be told to give its money back. Elsewhere the same number
    /// is somebody else's order.
    fn refunds(&self, sale: &Sale) -> bool {
        let sells = self.settings.sale.as_ref().map(SaleSettings::place);
        let Some(made_at) = sale.made_at.as_ref().or(sells.as_ref()) else { return false };
        let can = SellingCloud::named(&made_at.cloud).is_some_and(|cloud| cloud.sells().refunds);
        let is_there = self.settings.cloud.account.is_some() && *made_at.host == *host_of(&self.settings.cloud.url);
        can && (is_there || sabotage::is_out(Clause::R54AskedWhereMade))
    }

    /// A call is over: the refund of a sale was taken, or refused for good.
    pub(in crate::core) fn sale_call_ended(&mut self, now: Now, record: &CallRecord, is_taken: bool) {
        let Way::Http(Operation::Refund { .. }) = &record.call.way else { return };
        let waits = |state| state == State::Refunding || (is_taken && state == State::Owed);
        let of_it = |sale: &&Sale| waits(sale.state) && subject(sale.number) == record.call.subject;
        let Some(number) = self.sales.all.open().find(of_it).map(|sale| sale.number) else { return };
        self.change_sale(now, number, if is_taken { Event::RefundTaken } else { Event::NoRefund }, None);
        self.save_sale(number);
    }

    /// The call would give back the money of a sale for which none is owed any more: it was settled by hand, or served after
    /// all.
    pub(in crate::core) fn pays_back_in_vain(&self, record: &CallRecord) -> bool {
        let is_refund = matches!(record.call.way, Way::Http(Operation::Refund { .. }));
        is_refund && record.call.subject.is_of(SubjectKind::Sale) && self.owed_by(record).is_none()
    }

    /// The refund of a sale leaves once more: what waited for a person waits for the cloud, in the batch that says so.
    pub(in crate::core) fn refund_sent_again(&mut self, now: Now, record: &CallRecord) {
        let Some(number) = self.owed_by(record) else { return };
        self.change_sale(now, number, Event::RefundSentAgain, None);
        self.save_sale(number);
    }

    /// The sale whose money the call gives back, and which waits for a person.
    fn owed_by(&self, record: &CallRecord) -> Option<u64> {
        let Way::Http(Operation::Refund { .. }) = &record.call.way else { return None };
        let owed = |sale: &&Sale| sale.state == State::Owed && subject(sale.number) == record.call.subject;
        self.sales.all.open().find(owed).map(|sale| sale.number)
    }

    /// The own order of a sale has ended, or late evidence corrected it. Its outcome is saved in the same step.
    pub(in crate::core) fn sale_order_ended(&mut self, now: Now, key: &Key) {
        let outcome = self.orders.get(key).and_then(|order| order.outcomes().first().copied());
        if let (Some(number), Some(outcome)) = (key.sale(), outcome) {
            self.sale_outcome(now, number, outcome);
        }
        // Nobody else is told of it.
        self.orders.change(key, |order| order.shrunk = false);
        self.settle(now, key);
        self.save(key, None);
    }

    fn sale_outcome(&mut self, now: Now, number: u64, outcome: UnitOutcome) {
        let heard = self.sales.all.change(number, |sale| {
            sale.outcome = Some(outcome);
            sale.state
        });
        let Some(state) = heard else { return };
        let refund_unknown = self.settings.sale.as_ref().is_some_and(|sale| sale.refund_unknown);
        let (event, why) = match outcome {
            UnitOutcome::Dispensed(_) | UnitOutcome::DispensedUnverified => (Event::Dispensed, None),
            UnitOutcome::NotDispensed(..) | UnitOutcome::Refused(_) => (Event::NotDispensed, Some(Why::NotDispensed)),
            UnitOutcome::NoDrop | UnitOutcome::Unknown if sabotage::is_out(Clause::R56UnknownStands) => {
                (Event::Dispensed, None)
            }
            UnitOutcome::NoDrop | UnitOutcome::Unknown if refund_unknown => (Event::NotDispensed, Some(Why::Unknown)),
            UnitOutcome::NoDrop | UnitOutcome::Unknown => (Event::Unproven, Some(Why::Unknown)),
        };
        if crate::order::sale::step(state, event).is_some() {
            self.change_sale(now, number, event, why);
            self.pay_back(now, number);
        } else {
            // Late evidence: the money is on its way back already, or a person has decided.
            let text = format!("sale {number} is {state}: {} changes nothing any more", outcome.as_str());
            self.note(Level::Warn, "sale_late_evidence", text);
        }
        self.save_sale(number);
    }

    /// A person says so.
    pub(super) fn settle_sale(&mut self, now: Now, number: u64, reason: &str, uid: u32) {
        self.sales.all.change(number, |sale| sale.settled = Some(reason.into()));
        self.audit_person(now, uid, Kind::SaleSettled, format!("sale {number}: {reason}"));
        self.change_sale(now, number, Event::Person, None);
        self.save_sale(number);
    }

    /// The merchant is told how it stands at its end: by a call in the batch of its reason (rule 57).
    fn report_sale(&mut self, now: Now, number: u64) {
        let Some(url) = self.settings.sale.as_ref().and_then(|sale| sale.notify_url.clone()) else { return };
        if sabotage::is_out(Clause::R57Reported) {
            return;
        }
        let told = self.sales.all.change(number, |sale| {
            sale.told = sale.told.saturating_add(1);
            report(sale, self.settings.machine_no.as_str())
        });
        let Some(fields) = told else { return };
        let way = Way::Tell { url: url.into(), fields };
        self.call(now, Call { subject: subject(number), way, newest_wins: false });
    }

    /// What the journal knew of sales. Everything that has not ended is written again (rule 1).
    pub(in crate::core) fn recover_sales(&mut self, now: Now, records: Vec<Sale>) {
        for sale in records {
            self.sales.last = self.sales.last.max(sale.number);
            self.sales.all.insert(sale);
        }
        let open: Vec<(u64, State)> = self.sales.all.open().map(|sale| (sale.number, sale.state)).collect();
        for (number, state) in open {
            match state {
                State::Chosen => self.change_sale(now, number, Event::PowerReturns, Some(Why::Restarted)),
                State::Created => {
                    self.change_sale(now, number, Event::PowerReturns, Some(Why::Restarted));
                    self.sales.all.change(number, |sale| sale.left = Some(sale.chosen));
                    self.ask_from(now, number, What::Query);
                }
                State::Waiting => self.poll_sale(now, number),
                State::Leaving | State::Watched => self.ask_from(now, number, What::Query),
                State::Serving => self.find_order_of_sale(now, number),
                _ => {}
            }
            if !sabotage::is_out(Clause::R01WrittenAgain) {
                self.save_sale(number);
            }
        }
    }

    /// The own order of a sale that is being served is open, or ended in the very batch that ended the sale. One that
    /// is nowhere may have been driven.
    fn find_order_of_sale(&mut self, now: Now, number: u64) {
        let Ok(key) = Key::of_sale(number) else { return };
        if self.orders.contains_key(&key) {
            return;
        }
        let kept = self.archive.get(&key).and_then(|order| order.outcomes().first().copied());
        self.sale_outcome(now, number, kept.unwrap_or(UnitOutcome::Unknown));
    }
}

/// The fields of a report: all texts, what is absent is left out.
fn report(sale: &Sale, machine_no: &str) -> Vec<(Box<str>, Box<str>)> {
    let sequence = sale.told.to_string();
    let text = |text: &dyn std::fmt::Display| Some(text.to_string());
    let fields = [
        ("method", text(&SALE_METHOD)),
        ("machine_no", text(&machine_no)),
        ("sale", text(&sale.number)),
        ("trade_no", text(&sale.trade_no)),
        ("order_id", sale.order.as_ref().map(ToString::to_string)),
        ("cloud", sale.made_at.as_ref().map(|made_at| made_at.cloud.to_string())),
        ("event_id", text(&format!("{machine_no}:sale:{}:{sequence}", sale.number))),
        ("sequence", text(&sequence)),
        ("final", text(&u8::from(sale.state.is_ended()))),
        ("state", text(&sale.state)),
        ("reason", sale.why.map(|why| why.as_str().to_owned())),
        ("outcome", sale.outcome.map(|outcome| outcome.as_str().to_owned())),
        ("address", text(&sale.address.get())),
        ("slot", text(&sale.slot.0)),
        ("goods", text(&sale.goods)),
        ("name", text(&sale.name)),
        ("price", text(&sale.price)),
        ("paid", sale.paid.map(|paid| paid.to_string())),
        ("settled", sale.settled.as_deref().map(str::to_owned)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into()))).collect()
}
