//! Reports and calls until their receivers have taken them (rules 24, 25, 40–43; order-life, section 4).
//!
//! Order is kept per order, and per subject of calls, only: one dead URL holds up nobody else. A host that fails again and again is left alone
//! for a while (a circuit breaker), so that ten thousand stored reports do not become a storm.

use super::Core;
use super::commit::After;
use super::event::{Audience, Effect, FailureKind, HttpAnswer, HttpFailure, Level, Request, Token};
use super::letters::Wait;
use super::troubles::not_archived;
use crate::cloud::pickup;
use crate::cloud::report::Report as Telling;
use crate::order::backoff::full_jitter;
use crate::order::call::{Call, CallRecord, Operation, Subject, SubjectKind, Way};
use crate::order::key::Key;
use crate::order::life::{Order, Refund, State};
use crate::order::report::{Answer, Copy, DeadReason, Next, RETRY_BASE_MS, RETRY_MAX_MS, Report};
use crate::order::time::{BootMs, Now};
use crate::sabotage::{self, Clause};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Requests under way at once: enough to hide one slow receiver, few enough for a small machine.
pub(super) const HTTP_IN_FLIGHT_MAX: usize = 8;
/// Requests under way at once to one host, so that a slow one leaves room for others.
const HTTP_PER_HOST_MAX: usize = 4;
/// So many failures in a row open the breaker of a host: then one probe at a time, with back-off.
const BREAKER_FAILURES: u32 = 5;
/// Hosts with failures that are remembered; beyond it the first is forgotten, which costs a few useless tries.
const HOSTS_MAX: usize = 256;

/// Which receiver a copy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Channel {
    /// `notify_url`.
    Http,
    /// The platform's topic.
    Mqtt,
}

/// Names one copy of one report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CopyId {
    pub(super) key: Key,
    pub(super) sequence: u32,
    pub(super) channel: Channel,
}

/// What the outbox carries. Where both could leave, reports go first: somebody waits for them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Parcel {
    /// A copy of a report.
    Report(CopyId),
    /// The call of this number.
    Call(u64),
}

#[derive(Debug, Default)]
struct Host {
    in_flight: usize,
    failures: u32,
    closed_until: BootMs,
    /// What waits until this host may be called, oldest first.
    waiting: VecDeque<Parcel>,
}

impl Host {
    /// How many more requests may go out now.
    fn room(&self, now: BootMs) -> usize {
        let most = if self.failures >= BREAKER_FAILURES { 1 } else { HTTP_PER_HOST_MAX };
        if self.closed_until > now { 0 } else { most.saturating_sub(self.in_flight) }
    }
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// All that is on its way or waits somewhere below, so that nothing is offered twice.
    known: BTreeSet<Parcel>,
    /// Reports among them.
    reports: usize,
    /// What waits for its time.
    due: BTreeSet<(BootMs, Parcel)>,
    /// Corrections that wait for the report before them, calls that wait for the one before them.
    parked: BTreeSet<Parcel>,
    /// What waits for the broker.
    for_broker: BTreeSet<Parcel>,
    in_flight: BTreeMap<Token, (Parcel, String)>,
    hosts: BTreeMap<String, Host>,
}

impl Outbox {
    pub(super) fn deadline(&self) -> Option<BootMs> {
        if self.in_flight.len() >= HTTP_IN_FLIGHT_MAX {
            return None;
        }
        let probes = self.hosts.values().filter(|h| !h.waiting.is_empty() && h.in_flight == 0).map(|h| h.closed_until);
        self.due.first().map(|(at, _)| *at).into_iter().chain(probes).min()
    }

    /// At once, while something waits for a broker that takes more: a step with a motor frame has left it.
    pub(super) fn publish_deadline(&self, has_room_to_publish: bool) -> Option<BootMs> {
        (has_room_to_publish && !self.for_broker.is_empty()).then_some(BootMs(0))
    }

    /// Copies of reports that are not yet taken.
    pub(super) const fn reports(&self) -> usize {
        self.reports
    }

    pub(super) fn wait_for_broker(&mut self, parcel: Parcel) {
        self.for_broker.insert(parcel);
    }

    /// False when it is known already.
    fn learn(&mut self, parcel: Parcel) -> bool {
        let is_report = matches!(parcel, Parcel::Report(_));
        let is_new = self.known.insert(parcel);
        self.reports += usize::from(is_new && is_report);
        is_new
    }

    /// It is taken, dead or no longer wanted. What still lies among the due or waits for a host is dropped in its turn.
    pub(super) fn forget(&mut self, parcel: &Parcel) {
        let was_known = self.known.remove(parcel);
        self.reports -= usize::from(was_known && matches!(parcel, Parcel::Report(_)));
        self.parked.remove(parcel);
        self.for_broker.remove(parcel);
    }

    /// What it waited for is done.
    pub(super) fn unpark(&mut self, now: BootMs, parcel: Parcel) {
        if self.parked.remove(&parcel) {
            self.due.insert((now, parcel));
        }
    }

    /// Corrections of this order that wait for the report before them.
    fn parked_of(&self, key: &Key) -> Vec<Parcel> {
        let lowest = Parcel::Report(CopyId { key: key.clone(), sequence: 0, channel: Channel::Http });
        let is_of_it = |parcel: &&Parcel| matches!(parcel, Parcel::Report(copy) if copy.key == *key);
        self.parked.range(lowest..).take_while(is_of_it).cloned().collect()
    }

    /// What each copy of a report waits for that is not taken, in a stable word, and how long in ms if that is known.
    pub(super) fn waits(&self, now: BootMs) -> BTreeMap<CopyId, (Wait, Option<u64>)> {
        let copy = |parcel: &Parcel| match parcel {
            Parcel::Report(copy) => Some(copy.clone()),
            Parcel::Call(_) => None,
        };
        let mut waits = BTreeMap::new();
        let due = self.due.iter().map(|(at, parcel)| (parcel, Wait::Time, Some(at.since_ms(now))));
        let host = self.hosts.values().flat_map(|host| &host.waiting).map(|parcel| (parcel, Wait::Host, None));
        let parked = self.parked.iter().map(|parcel| (parcel, Wait::EarlierReport, None));
        let broker = self.for_broker.iter().map(|parcel| (parcel, Wait::Broker, None));
        let flying = self.in_flight.values().map(|(parcel, _)| (parcel, Wait::Answer, None));
        for (parcel, what, ms) in due.chain(host).chain(parked).chain(broker).chain(flying) {
            if let Some(copy) = copy(parcel) {
                waits.insert(copy, (what, ms));
            }
        }
        waits
    }

    /// What was sent under this token, and to which host.
    pub(super) fn under_way(&self, token: Token) -> Option<(&Parcel, &str)> {
        self.in_flight.get(&token).map(|(parcel, host)| (parcel, host.as_str()))
    }

    fn is_under_way(&self, parcel: &Parcel) -> bool {
        self.in_flight.values().any(|(flying, _)| flying == parcel)
    }

    fn host(&mut self, name: &str) -> &mut Host {
        if self.hosts.len() >= HOSTS_MAX && !self.hosts.contains_key(name) {
            let idle =
                self.hosts.iter().find(|(_, h)| h.in_flight == 0 && h.waiting.is_empty()).map(|(n, _)| n.clone());
            if let Some(idle) = idle {
                self.hosts.remove(&idle);
            }
        }
        self.hosts.entry(name.to_owned()).or_default()
    }

    /// From when on another request may go to this host; nothing while it is an answer that must be awaited.
    pub(super) fn room_from(&self, name: &str) -> Option<BootMs> {
        let Some(host) = self.hosts.get(name) else { return Some(BootMs(0)) };
        (host.room(host.closed_until) > 0).then_some(host.closed_until)
    }

    /// Somebody beside the outbox asks this host something, and will say how it was answered.
    pub(super) fn begins(&mut self, name: &str) {
        self.host(name).in_flight += 1;
    }

    pub(super) fn answered(&mut self, name: &str, failed: bool, now: BootMs, random: u64) {
        let host = self.host(name);
        host.in_flight = host.in_flight.saturating_sub(1);
        if failed {
            host.failures = host.failures.saturating_add(1);
            if host.failures >= BREAKER_FAILURES {
                let pause_ms = full_jitter(host.failures - BREAKER_FAILURES, RETRY_BASE_MS, RETRY_MAX_MS, random);
                host.closed_until = now.plus_ms(pause_ms);
            }
        } else {
            host.failures = 0;
            host.closed_until = BootMs(0);
        }
        if host.failures == 0 && host.in_flight == 0 && host.waiting.is_empty() {
            self.hosts.remove(name);
        }
    }
}

/// The host of a URL, as the breaker counts and persons read it; good enough to tell hosts apart, the target rules check
/// it. Without the user before it, which may hold a password.
pub(super) fn host_of(url: &str) -> &str {
    scheme_and_host(url).map_or_else(|| host_in(url), |(_, host)| host)
}

/// The same with the scheme before it, where there is one. Each report has it done, so it looks at bytes.
pub(super) fn scheme_and_host(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    Some((scheme, host_in(rest.strip_prefix("//")?)))
}

fn host_in(rest: &str) -> &str {
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let authority = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// What an answer does to a copy; nothing when it was not waited for.
fn hear(order: &mut Order, id: &CopyId, answer: Answer) -> Option<Next> {
    let report = order.reports.iter_mut().find(|report| report.sequence == id.sequence)?;
    let copy: &mut Copy = match id.channel {
        Channel::Http => &mut report.http,
        Channel::Mqtt => &mut report.mqtt,
    };
    let next = copy.is_open().then(|| copy.after(answer))?;
    if sabotage::is_out(Clause::R24BodyFrozen)
        && let Some(report) = order.reports.last_mut()
    {
        report.timestamp_s += 1;
    }
    Some(next)
}

impl Core {
    /// All units have ended, or one was corrected: the report is written into the order's record, and leaves after
    /// the commit that carries it.
    pub(super) fn report(&mut self, now: Now, key: &Key) {
        let timestamp_s = self.told_time_s(now);
        if key.is_test() && !sabotage::is_out(Clause::R35ToldToNobody)
            || key.is_own() && sabotage::is_out(Clause::R34UsedIsTold)
        {
            self.end_test(now, key);
            return;
        }
        if key.sale().is_some() {
            self.sale_order_ended(now, key);
            return;
        }
        // Nobody paid the machine for an order of its own.
        let refunds = self.settings.cloud.refund_failed && !key.is_own();
        let Some(up_to) = self.orders.change(key, |order| order.write_report(timestamp_s)) else { return };
        if refunds && self.owes_refund(key) {
            self.refund(now, key);
        }
        if sabotage::is_out(Clause::R00ReportAfterDurable) {
            self.offer(now, key, up_to);
        }
        self.save(key, [After::Offer { key: key.clone(), up_to }]);
    }

    /// The platform is to give the money back (rule 25).
    pub(super) fn refund(&mut self, now: Now, key: &Key) {
        self.orders.change(key, |order| order.refund = Refund::Asked);
        let order_id = key.order_id.clone();
        let subject = Subject::new(SubjectKind::Order, &order_id);
        self.call(now, Call { subject, way: Way::Http(Operation::Refund { order_id }), newest_wins: false });
    }

    /// The order's reports up to this sequence are durable: their open copies may leave.
    pub(super) fn offer(&mut self, now: Now, key: &Key, up_to: u32) {
        let Some(order) = self.orders.get(key) else { return };
        let mut copies = Vec::new();
        for report in order.reports.iter().filter(|r| r.sequence <= up_to) {
            for (copy, channel) in [(report.http, Channel::Http), (report.mqtt, Channel::Mqtt)] {
                if copy.is_open() {
                    copies.push(CopyId { key: key.clone(), sequence: report.sequence, channel });
                }
            }
        }
        for copy in copies {
            self.enter(now, Parcel::Report(copy));
        }
    }

    /// The call is durable: it may leave.
    pub(super) fn offer_call(&mut self, now: Now, number: u64) {
        if !self.waits_for_its_batch(now, number) {
            self.enter_call(now, number);
        }
    }

    /// The call leaves as soon as its host lets it.
    pub(super) fn enter_call(&mut self, now: Now, number: u64) {
        if self.calls.get(number).is_some_and(CallRecord::is_open) {
            self.enter(now, Parcel::Call(number));
        }
    }

    fn enter(&mut self, now: Now, parcel: Parcel) {
        if self.outbox.learn(parcel.clone()) {
            match self.goes_over_mqtt(&parcel) {
                true => self.outbox.wait_for_broker(parcel),
                false => drop(self.outbox.due.insert((now.boot, parcel))),
            }
        }
    }

    fn goes_over_mqtt(&self, parcel: &Parcel) -> bool {
        match parcel {
            Parcel::Report(copy) => copy.channel == Channel::Mqtt,
            Parcel::Call(number) => {
                self.calls.get(*number).is_some_and(|record| matches!(record.call.way, Way::Publish { .. }))
            }
        }
    }

    /// It has left, and its receiver has not answered yet.
    pub(super) fn is_under_way(&self, parcel: &Parcel) -> bool {
        self.outbox.is_under_way(parcel) || self.arrivals.is_under_way(parcel)
    }

    /// Sends what may be sent now, within the limits.
    pub(super) fn send_what_is_due(&mut self, now: Now) {
        // What waited for its host goes first: it is older.
        let mut ready = Vec::new();
        for host in self.outbox.hosts.values_mut() {
            let room = host.room(now.boot).min(host.waiting.len());
            ready.extend(host.waiting.drain(..room));
        }
        self.outbox.due.extend(ready.into_iter().map(|parcel| (BootMs(0), parcel)));
        while self.outbox.in_flight.len() < HTTP_IN_FLIGHT_MAX {
            let Some(&(at, _)) = self.outbox.due.first() else { break };
            if at > now.boot {
                break;
            }
            let Some((_, parcel)) = self.outbox.due.pop_first() else { break };
            match self.goes_over_mqtt(&parcel) {
                true => self.outbox.wait_for_broker(parcel),
                false => self.send_over_http(now, parcel),
            }
        }
        while self.arrivals.has_room_to_publish()
            && let Some(parcel) = self.outbox.for_broker.pop_first()
        {
            let payload = match &parcel {
                Parcel::Call(number) if self.calls.follows_another(*number) => {
                    self.outbox.parked.insert(parcel);
                    continue;
                }
                Parcel::Call(number) => self.publication_of(*number),
                Parcel::Report(copy) if self.follows_an_open_report(copy) => {
                    self.outbox.parked.insert(parcel);
                    continue;
                }
                Parcel::Report(copy) => self.orders.get(&copy.key).and_then(|order| {
                    let report = order.reports.iter().find(|r| r.sequence == copy.sequence)?;
                    report.mqtt.is_open().then(|| self.mqtt_report(order, report))
                }),
            };
            match payload {
                Some(payload) => self.publish(payload, Some(parcel)),
                None => self.outbox.forget(&parcel),
            }
        }
    }

    /// Sends it, or puts it where it waits.
    fn send_over_http(&mut self, now: Now, parcel: Parcel) {
        let (must_wait, request) = match &parcel {
            Parcel::Report(copy) => (self.follows_an_open_report(copy), self.request_of_report(copy)),
            Parcel::Call(number) => (self.calls.follows_another(*number), self.request_of_call(*number)),
        };
        if must_wait {
            self.outbox.parked.insert(parcel);
            return;
        }
        let Some(request) = request else {
            self.outbox.forget(&parcel);
            return;
        };
        let name = host_of(&request.url).to_owned();
        let host = self.outbox.host(&name);
        if host.room(now.boot) == 0 {
            host.waiting.push_back(parcel);
            return;
        }
        host.in_flight += 1;
        let token = self.next_token();
        self.outbox.in_flight.insert(token, (parcel, name));
        self.effects.push(Effect::Http { token, request });
    }

    /// The sequence rises at each receiver too: a correction waits for what it corrects.
    fn follows_an_open_report(&self, copy: &CopyId) -> bool {
        let is_open = |report: &Report| match copy.channel {
            Channel::Http => report.http.is_open(),
            Channel::Mqtt => report.mqtt.is_open(),
        };
        !sabotage::is_out(Clause::R24CorrectionWaits)
            && self
                .orders
                .get(&copy.key)
                .is_some_and(|order| order.reports.iter().any(|r| r.sequence < copy.sequence && is_open(r)))
    }

    /// The request of a copy; nothing when it is no longer wanted.
    fn request_of_report(&self, copy: &CopyId) -> Option<Request> {
        let order = self.orders.get(&copy.key)?;
        let report = order.reports.iter().find(|r| r.sequence == copy.sequence).filter(|r| r.http.is_open())?;
        self.http_report(order, report)
    }

    fn telling<'a>(&'a self, order: &'a Order, report: &'a Report) -> Telling<'a> {
        Telling {
            machine_no: &self.settings.machine_no,
            key: &order.key,
            echo: &order.echo,
            units: &report.units,
            sequence: report.sequence,
            timestamp_s: report.timestamp_s,
        }
    }

    /// The copy that goes up over MQTT.
    pub(super) fn mqtt_report(&self, order: &Order, report: &Report) -> Vec<u8> {
        let telling = self.telling(order, report);
        match order.key.pickup_code() {
            Some(code_id) => pickup::used(code_id, &telling, &self.settings.mqtt_key),
            None => telling.mqtt_payload(&self.settings.mqtt_key),
        }
    }

    /// What the report says, as it is POSTed.
    pub(super) fn report_body(&self, order: &Order, report: &Report) -> Vec<u8> {
        self.telling(order, report).http_body(&self.settings.mqtt_key)
    }

    fn http_report(&self, order: &Order, report: &Report) -> Option<Request> {
        let telling = self.telling(order, report);
        Some(Request {
            audience: Audience::Merchant,
            method: "POST",
            url: order.notify_url.as_deref()?.to_owned(),
            headers: vec![("content-type", "application/json".to_owned()), ("idempotency-key", telling.event_id())],
            body: telling.http_body(&self.settings.mqtt_key),
        })
    }

    /// A request of ours was answered, or was not.
    pub(super) fn on_answered(&mut self, now: Now, token: Token, answer: Result<HttpAnswer, HttpFailure>) {
        let Some((parcel, host)) = self.outbox.in_flight.remove(&token) else {
            if !self.on_sale_answered(now, token, &answer) && !self.on_logged_in(now, token, &answer) {
                self.on_platform_answered(now, token, answer);
            }
            return;
        };
        if let Parcel::Call(_) = &parcel {
            self.troubles.answered(&host, &answer);
        }
        let meaning = match (&parcel, &answer) {
            (Parcel::Call(number), Ok(answer)) => self.meaning_for_call(now, *number, answer),
            (_, Ok(answer)) => Answer::of_status(answer.status, answer.retry_after_s),
            (_, Err(failure)) => match failure.kind {
                FailureKind::BadTarget => Answer::Never(DeadReason::BadTarget),
                FailureKind::SentElsewhere => Answer::Unwelcome(DeadReason::BadTarget),
                FailureKind::NoAnswer => Answer::Later { retry_after_s: None },
            },
        };
        let failed = matches!(meaning, Answer::Later { .. });
        let random = self.random.u64(..);
        self.outbox.answered(&host, failed, now.boot, random);
        if meaning != Answer::Taken {
            let why = match &answer {
                Ok(answer) => format!("status {}", answer.status),
                Err(failure) => failure.why.en.clone(),
            };
            let level = if failed { Level::Info } else { Level::Warn };
            match &parcel {
                Parcel::Report(CopyId { key, .. }) => {
                    self.note_of(key, level, "report_not_taken", format!("order {key} at {host}: {why}"));
                }
                Parcel::Call(number) => self.note(level, "call_not_taken", format!("call {number} at {host}: {why}")),
            }
        }
        if let (Parcel::Call(number), Err(failure)) = (&parcel, &answer) {
            self.log_fault(now, *number, Err(&failure.why.en));
        }
        self.on_parcel_answered(now, &parcel, meaning);
    }

    /// What a receiver's answer does to what was sent.
    pub(super) fn on_parcel_answered(&mut self, now: Now, parcel: &Parcel, answer: Answer) {
        match parcel {
            Parcel::Report(copy) => self.on_copy_answered(now, copy, answer),
            Parcel::Call(number) => self.on_call_answered(now, *number, answer),
        }
    }

    /// It was not taken: it waits for its next try.
    pub(super) fn try_again(&mut self, now: Now, parcel: Parcel, next: Next) {
        let at = match next {
            Next::Done => return,
            Next::AgainWithBackOff { attempts } => {
                let pause_ms = full_jitter(attempts - 1, RETRY_BASE_MS, RETRY_MAX_MS, self.random.u64(..));
                let from = if sabotage::is_out(Clause::R29PausesOnBoot) { BootMs(now.wall.0) } else { now.boot };
                from.plus_ms(pause_ms)
            }
            Next::AgainAfter { ms } => now.boot.plus_ms(ms),
        };
        self.outbox.due.insert((at, parcel));
    }

    /// What an answer does to the copy and to its order.
    fn on_copy_answered(&mut self, now: Now, id: &CopyId, answer: Answer) {
        let heard = self.orders.change(&id.key, |order| {
            let next = hear(order, id, answer)?;
            let is_last = order.reports.last().is_some_and(|last| last.sequence == id.sequence);
            Some((next, !order.has_open_copy() && order.is_final(), is_last))
        });
        let Some((next, settled, is_last)) = heard.flatten() else { return };
        if next == Next::Done {
            self.outbox.forget(&Parcel::Report(id.clone()));
            for parcel in self.outbox.parked_of(&id.key) {
                self.outbox.unpark(now.boot, parcel);
            }
        }
        self.counters.reports_settled += u64::from(answer == Answer::Taken);
        if id.channel == Channel::Mqtt && answer == Answer::Taken && is_last {
            self.begin_sync(now, &id.key);
        }
        self.try_again(now, Parcel::Report(id.clone()), next);
        self.save_lazily(now, &id.key);
        if settled {
            self.settle(now, &id.key);
        }
    }

    /// The order is settled: shrunk, kept to answer duplicates, written with the next commit.
    pub(super) fn settle(&mut self, now: Now, key: &Key) {
        match self.orders.change(key, Order::shrink) {
            None => {}
            Some(Ok(())) => self.put_back(now, key),
            Some(Err(error)) => self.forbidden(key, error),
        }
    }

    /// A shrunk order goes (back) to the archive.
    pub(super) fn put_back(&mut self, now: Now, key: &Key) {
        let Some(order) = self.orders.get(key).filter(|o| o.state() == State::Tombstone) else { return };
        match self.archive.keep(order) {
            Ok(()) => {
                if let Some(order) = self.orders.remove(key) {
                    self.archive.remember(order);
                }
            }
            Err(error) => self.journal_failed(now, not_archived(key, &error)),
        }
    }

    /// Tombstones that are old enough go, a few at a time (rule 12).
    pub(super) fn forget_the_old(&mut self, now: Now) {
        let Some(time) = self.time.trusted(now) else { return };
        let expiry_s = self.settings.session_expiry_s;
        if let Some((key, issued_at_s)) =
            self.archive.forget_one(self.settings.limits.tombstones, time.seconds(), expiry_s)
        {
            // No message names an order of the machine's own, so none becomes stale by it.
            if !key.is_own() && !sabotage::is_out(Clause::R12IssueTimeKept) {
                self.ledger.evicted_issued_at_s = self.ledger.evicted_issued_at_s.max(issued_at_s);
            }
            self.forget_sync(&key);
            self.save_removal(&key);
        }
    }
}
