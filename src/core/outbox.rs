//! Reports and refunds until their receivers have taken them (rules 24, 25; order-life, section 4).
//!
//! Order is kept per order only: one dead URL holds up nobody else. A host that fails again and again is left alone
//! for a while (a circuit breaker), so that ten thousand stored reports do not become a storm.

use super::Core;
use super::commit::After;
use super::event::{Audience, Effect, FailureKind, HttpAnswer, HttpFailure, Level, Request, Token};
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::{self, ApiError, NewStatus};
use crate::cloud::report::Report as Telling;
use crate::order::backoff::full_jitter;
use crate::order::key::Key;
use crate::order::life::{Order, State};
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
    /// PUT status 2 at the platform.
    Refund,
}

/// Names one copy of one report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CopyId {
    pub(super) key: Key,
    pub(super) sequence: u32,
    pub(super) channel: Channel,
}

#[derive(Debug, Default)]
struct Host {
    in_flight: usize,
    failures: u32,
    closed_until: BootMs,
    /// Copies that wait until this host may be called, oldest first.
    waiting: VecDeque<CopyId>,
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
    /// All copies that are on their way or wait somewhere below, so that none is offered twice.
    known: BTreeSet<CopyId>,
    /// Copies that wait for their time.
    due: BTreeSet<(BootMs, CopyId)>,
    /// Corrections that wait for the report before them.
    parked: BTreeSet<CopyId>,
    /// Copies that wait for the broker.
    for_broker: BTreeSet<CopyId>,
    in_flight: BTreeMap<Token, (CopyId, String)>,
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

    /// Reports and refunds that are not yet taken.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn wait_for_broker(&mut self, copy: CopyId) {
        self.for_broker.insert(copy);
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

    fn answered(&mut self, name: &str, failed: bool, now: BootMs, random: u64) {
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

/// The host of a URL, as the breaker counts; good enough to tell hosts apart, the target rules check it.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

impl Core {
    /// All units have ended, or one was corrected: the report is written into the order's record, and leaves after
    /// the commit that carries it.
    pub(super) fn report(&mut self, now: Now, key: &Key) {
        let timestamp_s = self.told_time_s(now);
        let refund = self.settings.cloud.refund_failed;
        let Some(order) = self.orders.get_mut(key) else { return };
        let up_to = order.write_report(timestamp_s, refund);
        if sabotage::is_out(Clause::R00ReportAfterDurable) {
            self.offer(now, key, up_to);
        }
        self.save(key, [After::Offer { key: key.clone(), up_to }]);
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
        // A refund is decided with a report, the newest at the latest.
        if order.refund.is_open() && order.reports.last().is_some_and(|r| r.sequence <= up_to) {
            copies.push(CopyId { key: key.clone(), sequence: 0, channel: Channel::Refund });
        }
        copies.retain(|c| self.outbox.known.insert(c.clone()));
        for copy in copies {
            match copy.channel {
                Channel::Mqtt => {
                    self.outbox.for_broker.insert(copy);
                }
                Channel::Http | Channel::Refund => {
                    self.outbox.due.insert((now.boot, copy));
                }
            }
        }
        self.send_what_is_due(now);
    }

    /// Sends what may be sent now, within the limits.
    pub(super) fn send_what_is_due(&mut self, now: Now) {
        // Copies that waited for their host go first: they are older.
        let mut ready = Vec::new();
        for host in self.outbox.hosts.values_mut() {
            let room = host.room(now.boot).min(host.waiting.len());
            ready.extend(host.waiting.drain(..room));
        }
        self.outbox.due.extend(ready.into_iter().map(|copy| (BootMs(0), copy)));
        while self.outbox.in_flight.len() < HTTP_IN_FLIGHT_MAX {
            let Some(&(at, _)) = self.outbox.due.first() else { break };
            if at > now.boot {
                break;
            }
            let Some((_, copy)) = self.outbox.due.pop_first() else { break };
            match copy.channel {
                Channel::Mqtt => self.outbox.wait_for_broker(copy),
                Channel::Http | Channel::Refund => self.send_over_http(now, copy),
            }
        }
        while self.arrivals.has_room_to_publish()
            && let Some(copy) = self.outbox.for_broker.pop_first()
        {
            let payload = self.orders.get(&copy.key).and_then(|order| {
                let report = order.reports.iter().find(|r| r.sequence == copy.sequence)?;
                report.mqtt.is_open().then(|| self.mqtt_report(order, report))
            });
            match payload {
                Some(payload) => self.publish(payload, Some(copy)),
                None => {
                    self.outbox.known.remove(&copy);
                }
            }
        }
    }

    /// Sends one copy, or puts it where it waits.
    fn send_over_http(&mut self, now: Now, copy: CopyId) {
        // The sequence rises at the receiver too: a correction waits for what it corrects.
        if self.follows_an_open_report(&copy) {
            self.outbox.parked.insert(copy);
            return;
        }
        let Some(request) = self.request_for(now, &copy) else {
            self.outbox.known.remove(&copy);
            return;
        };
        let name = host_of(&request.url).to_owned();
        let host = self.outbox.host(&name);
        if host.room(now.boot) == 0 {
            host.waiting.push_back(copy);
            return;
        }
        host.in_flight += 1;
        let token = self.next_token();
        self.outbox.in_flight.insert(token, (copy, name));
        self.effects.push(Effect::Http { token, request });
    }

    fn follows_an_open_report(&self, copy: &CopyId) -> bool {
        copy.channel == Channel::Http
            && !sabotage::is_out(Clause::R24CorrectionWaits)
            && self
                .orders
                .get(&copy.key)
                .is_some_and(|order| order.reports.iter().any(|r| r.sequence < copy.sequence && r.http.is_open()))
    }

    /// The request of a copy; nothing when it is no longer wanted.
    fn request_for(&self, now: Now, copy: &CopyId) -> Option<Request> {
        let order = self.orders.get(&copy.key)?;
        if copy.channel == Channel::Refund {
            order.refund.is_open().then_some(())?;
            let (cloud, machine_no) = (&self.settings.cloud, &self.settings.machine_no);
            let time_s = self.told_time_s(now);
            let call = cloud
                .account
                .as_ref()
                .map(|account| account.update_order(machine_no, &copy.key.order_id, NewStatus::Refund, time_s));
            return call.map(|call| self.cloud_request(call));
        }
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
        self.telling(order, report).mqtt_payload(&self.settings.mqtt_key)
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
        let Some((copy, host)) = self.outbox.in_flight.remove(&token) else {
            self.on_platform_answered(now, token, answer);
            return;
        };
        let meaning = match (&copy.channel, &answer) {
            (Channel::Refund, Ok(answer)) => refund_answer(answer),
            (_, Ok(answer)) => Answer::of_status(answer.status, answer.retry_after_s),
            (_, Err(failure)) => match failure.kind {
                FailureKind::BadTarget => Answer::Never(DeadReason::BadTarget),
                FailureKind::Misled => Answer::Unwelcome(DeadReason::BadTarget),
                FailureKind::NoAnswer => Answer::Later { retry_after_s: None },
            },
        };
        let failed = matches!(meaning, Answer::Later { .. });
        let random = self.random.u64(..);
        self.outbox.answered(&host, failed, now.boot, random);
        if meaning != Answer::Taken {
            let why = match &answer {
                Ok(answer) => format!("status {}", answer.status),
                Err(failure) => failure.why.clone(),
            };
            let level = if failed { Level::Info } else { Level::Warn };
            self.note(level, "report_not_taken", format!("order {} at {host}: {why}", copy.key));
        }
        self.on_copy_answered(now, &copy, meaning);
    }

    /// What an answer does to the copy and to its order.
    pub(super) fn on_copy_answered(&mut self, now: Now, id: &CopyId, answer: Answer) {
        let Some(order) = self.orders.get_mut(&id.key) else { return };
        let report = order.reports.iter_mut().find(|r| r.sequence == id.sequence);
        let copy: &mut Copy = match (id.channel, report) {
            (Channel::Refund, _) => &mut order.refund,
            (Channel::Http, Some(report)) => &mut report.http,
            (Channel::Mqtt, Some(report)) => &mut report.mqtt,
            (_, None) => return,
        };
        if !copy.is_open() {
            return;
        }
        let next = copy.after(answer);
        if next == Next::Done {
            self.outbox.known.remove(id);
            let freed: Vec<CopyId> = self.outbox.parked.iter().filter(|c| c.key == id.key).cloned().collect();
            for copy in freed {
                self.outbox.parked.remove(&copy);
                self.outbox.due.insert((now.boot, copy));
            }
        }
        if sabotage::is_out(Clause::R24BodyFrozen)
            && let Some(report) = order.reports.last_mut()
        {
            report.timestamp_s += 1;
        }
        let settled = !order.has_open_copy() && order.is_final();
        match next {
            Next::Done => self.counters.reports_settled += u64::from(answer == Answer::Taken),
            Next::AgainWithBackOff { attempts } => {
                let pause_ms = full_jitter(attempts - 1, RETRY_BASE_MS, RETRY_MAX_MS, self.random.u64(..));
                let from = if sabotage::is_out(Clause::R29PausesOnBoot) { BootMs(now.wall.0) } else { now.boot };
                self.outbox.due.insert((from.plus_ms(pause_ms), id.clone()));
            }
            Next::AgainAfter { ms } => {
                self.outbox.due.insert((now.boot.plus_ms(ms), id.clone()));
            }
        }
        self.save_lazily(now, &id.key);
        if settled {
            self.settle(now, &id.key);
        }
    }

    /// The order is settled: shrunk, kept to answer duplicates, written with the next commit.
    pub(super) fn settle(&mut self, now: Now, key: &Key) {
        let Some(order) = self.orders.get_mut(key) else { return };
        match order.shrink() {
            Ok(()) => self.put_back(now, key),
            Err(error) => self.forbidden(key, error),
        }
    }

    /// A shrunk order goes (back) to the archive.
    pub(super) fn put_back(&mut self, now: Now, key: &Key) {
        let Some(order) = self.orders.get(key).filter(|o| o.state() == State::Tombstone) else { return };
        match self.archive.keep(order) {
            Ok(()) => {
                self.orders.remove(key);
            }
            Err(error) => self.journal_failed(now, format!("order {key} could not be archived: {error}")),
        }
    }

    /// Tombstones that are old enough go, a few at a time (rule 12).
    pub(super) fn forget_the_old(&mut self, now: Now) {
        let Some(time) = self.time.trusted(now) else { return };
        let expiry_s = self.settings.session_expiry_s;
        if let Some((key, issued_at_s)) =
            self.archive.forget_one(self.settings.limits.tombstones, time.seconds(), expiry_s)
        {
            if !sabotage::is_out(Clause::R12IssueTimeKept) {
                self.ledger.evicted_issued_at_s = self.ledger.evicted_issued_at_s.max(issued_at_s);
            }
            self.save_removal(&key);
        }
    }
}

/// What the cloud's answer to "to refund" means: refunded before is as good as refunded now.
fn refund_answer(answer: &HttpAnswer) -> Answer {
    let read = open_platform::read_update(answer.status, &answer.body);
    match read.as_ref().map_err(ApiError::class) {
        Ok(()) | Err(RetryClass::AlreadyDone) => Answer::Taken,
        Err(RetryClass::Retry) => Answer::Later { retry_after_s: answer.retry_after_s },
        Err(RetryClass::Final) => Answer::Never(DeadReason::Status(answer.status)),
    }
}
