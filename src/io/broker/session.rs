//! One connection, from CONNECT to its end.

use super::wire::{self, AckOf, Event, Greeting, Poller, REQUESTS_MAX, Requests, decoder_panicked, guarded};
use super::{
    ANSWER_TIME_OUT_S, BrokerConfig, BrokerFault, EVENTS_KEPT_MAX, Epoch, FromBroker, Outbox, PACKET_BYTES_MAX,
    STOP_FLUSH_MS, Tag, ToBroker, Trouble, UNACKNOWLEDGED_BYTES_MAX, UNACKNOWLEDGED_MAX,
};
use crate::order::said::Said;
use rustls::ClientConfig;
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

/// Publishes that the broker has not settled yet, at most. One less than what makes rumqttc hold back acks too, and
/// than most brokers' own limit (mosquitto: 20). Half of the packet ids, so that one settled late stops nothing.
const PUBLISHES_IN_FLIGHT_MAX: u16 = wire::PACKET_IDS / 2;

/// Publishes that wait for one of those places. When so many wait, no more commands are taken.
const PUBLISHES_WAITING_MAX: usize = 64;

/// Bytes of a PUBLISH besides topic and body: header (5), topic length (2), packet id (2), no properties (1).
const PUBLISH_HEADER_BYTES_MAX: usize = 10;

/// Silence that ends a connection, in keep-alives since the last sign of life. rumqttc pings after each keep-alive
/// and gives up when the next is due; it hangs when a write does. Either way it is noticed within two.
const SILENCE_MAX: f32 = 1.5;

/// How long a refused subscription rests before it is tried again on the same connection: reports still leave on it.
const SUBSCRIBE_AGAIN: Duration = Duration::from_secs(60);

/// Slack over rumqttc's own connect time-out, so that its error is the one that is told.
const CONNECT_SLACK: Duration = Duration::from_secs(5);

/// How a connection ended.
pub(super) enum Ended {
    /// The core wants no more.
    Stopped,
    /// To be tried again.
    Lost {
        trouble: Trouble,
        /// Since CONNACK, if there was one.
        lived: Option<Duration>,
    },
}

/// Where the subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscription {
    /// To be asked for as soon as no publish is in flight, whose packet id it could take, from this time on.
    WantedFrom(Instant),
    /// SUBSCRIBE was sent; SUBACK is due at this time. No publish is sent meanwhile, for the same reason.
    AnswerDue(Instant),
    Confirmed,
}

struct Unacknowledged {
    number: u64,
    ack_of: AckOf,
    acknowledged: bool,
    bytes: usize,
}

struct InFlight {
    packet_id: u16,
    token: u64,
}

pub(super) struct Session<'a> {
    config: &'a BrokerConfig,
    epoch: Epoch,
    outbox: &'a mut Outbox,
    /// Set by CONNACK.
    greeting: Option<(Greeting, Instant)>,
    /// When the other side must have given a sign of life.
    alive_until: Instant,
    /// How long it may take until CONNACK.
    patience_s: u64,
    subscription: Subscription,
    next_number: u64,
    /// Received, oldest first.
    unacknowledged: VecDeque<Unacknowledged>,
    /// Offered by the core, not yet given to rumqttc.
    waiting: VecDeque<(u64, Vec<u8>)>,
    /// Tokens given to rumqttc, not yet written: it reports them in this order.
    requested: VecDeque<u64>,
    /// Written, not yet settled.
    in_flight: Vec<InFlight>,
    /// When the broker must have settled one of those.
    settle_until: Option<Instant>,
    /// All requests in rumqttc's queue.
    queued: usize,
    /// The core wants to end; when we stop waiting for the rest.
    stop_at: Option<Instant>,
    /// What the connection was made with.
    tls: Option<Arc<ClientConfig>>,
    /// The core wants to know whether there is something newer.
    renewal_wanted: bool,
    /// A keep-alive that is not answered yet.
    ping_sent: Option<Instant>,
    /// Goes off when it is time to look again, or before: times move on with every packet, and to set a timer to a nearer
    /// time than all others costs a wake-up of the runtime.
    timer: Pin<Box<Sleep>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(config: &'a BrokerConfig, epoch: Epoch, patience_s: u64, outbox: &'a mut Outbox) -> Self {
        let now = Instant::now();
        Session {
            config,
            epoch,
            outbox,
            greeting: None,
            alive_until: now + Duration::from_secs(patience_s) + CONNECT_SLACK,
            patience_s,
            subscription: Subscription::WantedFrom(now),
            next_number: 0,
            unacknowledged: VecDeque::new(),
            waiting: VecDeque::new(),
            requested: VecDeque::new(),
            in_flight: Vec::new(),
            settle_until: None,
            queued: 0,
            stop_at: None,
            tls: None,
            renewal_wanted: false,
            ping_sent: None,
            timer: Box::pin(sleep_until(now)),
        }
    }

    /// Connects, and serves the connection until it ends.
    pub(super) async fn run(mut self, to: &mut mpsc::Receiver<ToBroker>, from: &mpsc::Sender<FromBroker>) -> Ended {
        self.tls = match wire::tls_now(self.config).await {
            Ok(tls) => tls,
            Err(trouble) => return Ended::Lost { trouble, lived: None },
        };
        let (requests, mut poller) = wire::open(self.config, self.tls.clone(), wire::Purpose::Session, self.patience_s);
        let trouble = loop {
            let Some(polled) = self.next(&requests, &mut poller, to, from).await else { return Ended::Stopped };
            let now = Instant::now();
            if let Err(trouble) = polled.and_then(|event| self.event(now, event)) {
                break trouble;
            }
        };
        let now = Instant::now();
        for event in poller.left_over() {
            // The connection is lost already, for the first trouble.
            let _ = self.event(now, event);
        }
        if self.stop_at.is_some() {
            return Ended::Stopped;
        }
        let lived = self.greeting.map(|(_, since)| now.duration_since(since));
        let trouble = match trouble {
            Trouble::ClosedByBroker if lived.is_none() => Trouble::ClosedUnanswered,
            other => other,
        };
        Ended::Lost { trouble, lived }
    }

    /// Waits for what comes next from rumqttc. Meanwhile it hands events over, takes commands and watches the time.
    /// The poll is never dropped half-way but at the connection's end: rumqttc would lose the packet that it is
    /// writing. Nothing comes when it is time to stop.
    async fn next(
        &mut self,
        requests: &Requests,
        poller: &mut Poller,
        to: &mut mpsc::Receiver<ToBroker>,
        from: &mpsc::Sender<FromBroker>,
    ) -> Option<Result<Event, Trouble>> {
        let mut poll = pin!(guarded(poller.next()));
        loop {
            let now = Instant::now();
            if self.stop_at.is_some_and(|time| now >= time || self.nothing_to_flush()) {
                return None;
            }
            if std::mem::take(&mut self.renewal_wanted) && self.is_outdated().await {
                return Some(Err(Trouble::TlsRenewed));
            }
            if let Err(trouble) = self.overdue(now).and_then(|()| self.pump(now, requests)) {
                return Some(Err(trouble));
            }
            self.set_timer(now);
            tokio::select! {
                biased;
                permit = from.reserve(), if !self.outbox.is_empty() => match (permit, self.outbox.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => return None,
                },
                command = to.recv(), if self.takes_commands() => self.command(now, command),
                polled = &mut poll, if self.outbox.len() < EVENTS_KEPT_MAX => return Some(match polled {
                    Ok(event) => event,
                    Err(panic) => Err(decoder_panicked(&panic)),
                }),
                () = &mut self.timer => {},
            }
        }
    }

    /// As long as there is room for what it may ask for.
    fn takes_commands(&self) -> bool {
        self.stop_at.is_none() && self.waiting.len() < PUBLISHES_WAITING_MAX && self.queued < REQUESTS_MAX
    }

    /// The files hold something newer than this connection was made with.
    async fn is_outdated(&self) -> bool {
        match (&self.tls, wire::tls_now(self.config).await) {
            (Some(used), Ok(Some(newest))) => !Arc::ptr_eq(used, &newest),
            _ => false,
        }
    }

    fn nothing_to_flush(&self) -> bool {
        let unsent = self.queued > 0 || !self.waiting.is_empty();
        self.greeting.is_none() || (!unsent && self.in_flight.is_empty() && self.outbox.is_empty())
    }

    fn command(&mut self, now: Instant, command: Option<ToBroker>) {
        match command {
            Some(ToBroker::Ack(tag)) if tag.epoch == self.epoch => {
                if let Some(message) = self.unacknowledged.iter_mut().find(|message| message.number == tag.number) {
                    message.acknowledged = true;
                }
            }
            Some(ToBroker::Publish { epoch, token, payload }) if epoch == self.epoch => {
                self.waiting.push_back((token, payload));
            }
            Some(ToBroker::Ack(_) | ToBroker::Publish { .. }) => {}
            Some(ToBroker::RenewTls) => self.renewal_wanted = true,
            Some(ToBroker::Stop) | None => self.stop_at = Some(now + Duration::from_millis(STOP_FLUSH_MS)),
        }
    }

    /// Gives rumqttc what may go out now.
    fn pump(&mut self, now: Instant, requests: &Requests) -> Result<(), Trouble> {
        let Some((greeting, _)) = self.greeting else { return Ok(()) };
        while self.queued < REQUESTS_MAX && self.unacknowledged.front().is_some_and(|oldest| oldest.acknowledged) {
            if let Some(oldest) = self.unacknowledged.pop_front()
                && requests.ack(oldest.ack_of)?
            {
                self.queued += 1;
            }
        }
        let unsettled = self.requested.len() + self.in_flight.len();
        match self.subscription {
            Subscription::WantedFrom(time) if time <= now => {
                if unsettled == 0 && self.queued < REQUESTS_MAX {
                    requests.subscribe(&self.config.subscribe)?;
                    self.queued += 1;
                    self.subscription = Subscription::AnswerDue(now + Duration::from_secs(ANSWER_TIME_OUT_S));
                }
                return Ok(());
            }
            Subscription::AnswerDue(_) => return Ok(()),
            Subscription::WantedFrom(_) | Subscription::Confirmed => {}
        }
        let window = usize::from(PUBLISHES_IN_FLIGHT_MAX.min(greeting.receive_max.saturating_sub(1)).max(1));
        for _ in unsettled..window {
            if self.queued >= REQUESTS_MAX {
                break;
            }
            let Some((token, payload)) = self.waiting.pop_front() else { break };
            let bytes = payload.len().saturating_add(self.config.publish.len() + PUBLISH_HEADER_BYTES_MAX);
            let limit_bytes = greeting.packet_bytes_max.min(PACKET_BYTES_MAX);
            if bytes > limit_bytes as usize {
                self.fault(BrokerFault::PublishTooLarge { token, bytes, limit_bytes });
                continue;
            }
            requests.publish(&self.config.publish, payload)?;
            self.requested.push_back(token);
            self.queued += 1;
        }
        Ok(())
    }

    /// It is left alone while it goes off in time.
    fn set_timer(&mut self, now: Instant) {
        let deadline = self.deadline(now);
        if self.timer.is_elapsed() || deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
    }

    /// When to look again if nothing happens.
    fn deadline(&self, now: Instant) -> Instant {
        let subscribe = match self.subscription {
            Subscription::AnswerDue(time) => Some(time),
            Subscription::WantedFrom(time) if time > now => Some(time),
            Subscription::WantedFrom(_) | Subscription::Confirmed => None,
        };
        [subscribe, self.settle_until, self.stop_at].into_iter().flatten().fold(self.alive_until, Instant::min)
    }

    /// An answer that has not come in time ends the connection.
    fn overdue(&self, now: Instant) -> Result<(), Trouble> {
        if now >= self.alive_until {
            return Err(if self.greeting.is_some() { Trouble::KeepAlive } else { Trouble::ConnectTimeOut });
        }
        if self.settle_until.is_some_and(|time| now >= time) {
            return Err(Trouble::PublishUnanswered);
        }
        if matches!(self.subscription, Subscription::AnswerDue(time) if now >= time) {
            return Err(Trouble::SubscribeUnanswered);
        }
        Ok(())
    }

    fn event(&mut self, now: Instant, event: Event) -> Result<(), Trouble> {
        if let Some((greeting, _)) = self.greeting {
            self.alive_until = now + greeting.keep_alive.mul_f32(SILENCE_MAX);
        }
        match event {
            Event::Connected(greeting) => {
                if greeting.receive_max == 0 {
                    let why = Said::new("the broker announces a receive maximum of 0", "消息服务器声明的接收上限为 0");
                    return Err(Trouble::Protocol(why));
                }
                self.greeting = Some((greeting, now));
                self.alive_until = now + greeting.keep_alive.mul_f32(SILENCE_MAX);
                let session_present = greeting.session_present;
                self.outbox.push_back(FromBroker::Connected { epoch: self.epoch, session_present });
            }
            Event::SubscribeAnswered(Ok(())) => {
                self.subscription = Subscription::Confirmed;
                self.outbox.push_back(FromBroker::Subscribed { epoch: self.epoch });
            }
            Event::SubscribeAnswered(Err(reason)) => {
                self.subscription = Subscription::WantedFrom(now + SUBSCRIBE_AGAIN);
                let topic = self.config.subscribe.clone();
                self.fault(BrokerFault::SubscribeRefused { topic, reason });
            }
            Event::Message { ack_of, payload, redelivered } => {
                let bytes = payload.len();
                let waiting_bytes = self.unacknowledged.iter().fold(bytes, |sum, m| sum.saturating_add(m.bytes));
                if self.unacknowledged.len() >= UNACKNOWLEDGED_MAX || waiting_bytes > UNACKNOWLEDGED_BYTES_MAX {
                    return Err(Trouble::Flooded);
                }
                let number = self.next_number;
                self.next_number += 1;
                self.unacknowledged.push_back(Unacknowledged { number, ack_of, acknowledged: false, bytes });
                let tag = Tag { epoch: self.epoch, number };
                self.outbox.push_back(FromBroker::Message { tag, payload, redelivered });
            }
            Event::PublishSent(packet_id) => {
                self.queued = self.queued.saturating_sub(1);
                if let Some(token) = self.requested.pop_front() {
                    self.in_flight.push(InFlight { packet_id, token });
                }
                self.settle_until.get_or_insert(now + Duration::from_secs(ANSWER_TIME_OUT_S));
            }
            Event::RequestSent => self.queued = self.queued.saturating_sub(1),
            Event::PublishAnswered(packet_id, answer) => {
                if let Some(at) = self.in_flight.iter().position(|publish| publish.packet_id == packet_id) {
                    let InFlight { token, .. } = self.in_flight.swap_remove(at);
                    match answer {
                        Ok(()) => self.outbox.push_back(FromBroker::Published { token }),
                        Err(reason) => {
                            let topic = self.config.publish.clone();
                            self.fault(BrokerFault::PublishRefused { token, topic, reason });
                        }
                    }
                }
                let again = now + Duration::from_secs(ANSWER_TIME_OUT_S);
                self.settle_until = (!self.in_flight.is_empty()).then_some(again);
            }
            Event::PingSent => self.ping_sent = Some(now),
            Event::PingAnswered => {
                let took = self.ping_sent.take().map(|sent| now.duration_since(sent));
                self.outbox.extend(took.map(|took| FromBroker::RoundTrip { took }));
            }
            Event::Other => {}
        }
        Ok(())
    }

    fn fault(&mut self, fault: BrokerFault) {
        self.outbox.push_back(FromBroker::Fault(fault));
    }
}
