//! A message came: who may say what, keys, duplicates, limits (rules 5, 6, 9–13, 26), and acknowledgement in the
//! order of receipt on the connection it came by.

use super::commit::After;
use super::event::{Effect, Epoch, Level, Tag, Token};
use super::gate::Verdict;
use super::outbox::Parcel;
use super::trace::Message;
use super::{Core, Phase};
use crate::cloud::device;
use crate::cloud::inbound::Inbound;
use crate::cloud::up::{self, ReceivedState};
use crate::order::command::{Echo, Put};
use crate::order::instruction::Instruction;
use crate::order::key::Key;
use crate::order::life::{Arrival, Order};
use crate::order::outcome::Reason;
use crate::order::pickup::CodeWord;
use crate::order::record::Birth;
use crate::order::report::Answer;
use crate::order::said::{InChinese as _, Said, said};
use crate::order::time::{BootMs, Now, UnixMs};
use crate::sabotage::{self, Clause};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Orders that may be open (not final) at once (rule 26).
pub const ORDERS_OPEN_MAX: usize = 1_024;
/// Orders with unsettled reports that may be kept at once (rule 26).
pub const REPORTS_OPEN_MAX: usize = 20_000;
/// Refusals that are kept beyond both limits, so that a refused key can never be driven later (rule 9).
pub const REFUSAL_RESERVE: usize = 1_024;
/// Messages that were not accepted, kept for technicians (rule 11).
pub const RING_MAX: usize = 256;
/// Messages that wait unacknowledged for the first commit or for room: as many as the broker task keeps track of, so
/// that none is dropped on a connection that lives on. The receive maximum keeps them far fewer, but an MQTT 3.1.1
/// broker knows none (rule 7).
pub const HELD_MAX: usize = 1_024;
/// A result is repeated at most once in this time a key, in ms (contract, section 2).
pub const REPEAT_PAUSE_MS: u64 = 60_000;
/// A rejected message is told in the log at most once in this time, in ms; the ring and the count know them all.
const REJECTION_PAUSE_MS: u64 = 10_000;
/// Keys whose last repeat is remembered; one that is dropped costs at most one repeat too many.
const REPEATS_MAX: usize = 1_024;
/// Sayings that wait for a connection; the oldest goes first, since a restart says again what is `received`.
const SAYINGS_MAX: usize = 256;
/// Messages of ours that the broker has not yet taken, at once: above it results wait in the outbox.
pub(super) const PUBLISH_WINDOW: usize = 64;

/// A message that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RingEntry {
    /// The wall clock then, in ms.
    pub wall_ms: u64,
    /// What was wrong with it.
    pub why: String,
    /// The same in Chinese.
    #[serde(default)]
    pub why_zh: String,
    /// Its size.
    pub bytes: usize,
}

#[derive(Debug)]
struct Held {
    tag: Tag,
    wanted: Wanted,
    redelivered: bool,
}

/// What a verified message may want of an order.
#[derive(Debug)]
enum Wanted {
    Put(Put),
    Get(Key),
    Code(CodeWord),
    Instruction(Instruction),
    Refresh,
}

/// A `received` message before it is worded: that is done when it leaves, so that no motor frame waits for it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) key: Key,
    pub(super) echo: Echo,
    pub(super) state: ReceivedState,
}

impl Received {
    fn of(put: &Put, state: ReceivedState) -> Received {
        Received { key: put.key.clone(), echo: put.echo.clone(), state }
    }
}

/// What is said once, and by itself. What is said until it is taken waits in the outbox.
#[derive(Debug)]
pub(super) enum Saying {
    /// What became of a command or a question.
    Received(Received),
    /// A stored result again, in words.
    Result(Vec<u8>),
}

#[derive(Debug, Default)]
pub(super) struct Arrivals {
    connection: Option<Epoch>,
    session_was_present: bool,
    /// Messages of this connection, in the order of receipt; true once its acknowledgement may leave.
    acks: VecDeque<(Tag, bool)>,
    held: VecDeque<Held>,
    no_space: bool,
    ring: VecDeque<RingEntry>,
    rejection_told: Option<BootMs>,
    repeats: BTreeMap<Key, BootMs>,
    sayings: VecDeque<Saying>,
    in_flight: BTreeMap<Token, Option<Parcel>>,
}

impl Arrivals {
    pub(super) const fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    pub(super) fn ring(&self) -> impl Iterator<Item = &RingEntry> {
        self.ring.iter()
    }

    pub(super) const fn lacks_space(&self) -> bool {
        self.no_space
    }

    pub(super) fn is_under_way(&self, parcel: &Parcel) -> bool {
        self.in_flight.values().flatten().any(|flying| flying == parcel)
    }

    /// What was published under this token.
    pub(super) fn under_way(&self, token: Token) -> Option<&Parcel> {
        self.in_flight.get(&token)?.as_ref()
    }

    /// A message waits for the first commit, or for room.
    pub(super) fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    /// The connection's session is older than this journal (rule 6).
    pub(super) const fn session_is_older(&self) -> bool {
        self.session_was_present
    }

    pub(super) fn has_room_to_publish(&self) -> bool {
        self.connection.is_some() && self.in_flight.len() < PUBLISH_WINDOW
    }

    /// At once, while something is to be said to a broker that takes more: a step with a motor frame has left it.
    pub(super) fn deadline(&self) -> Option<BootMs> {
        (self.has_room_to_publish() && !self.sayings.is_empty()).then_some(BootMs(0))
    }
}

impl Core {
    pub(super) fn on_connected(&mut self, now: Now, epoch: Epoch, session_present: bool) {
        self.on_disconnected();
        self.arrivals.session_was_present = session_present && !self.ledger.first_connection_over;
        if !session_present && !self.ledger.first_connection_over {
            // There is no session that a former life could have left: what comes again later was given to this journal.
            self.ledger.first_connection_over = true;
            self.save_ledger();
        }
        self.arrivals.connection = Some(epoch);
        self.telemetry.connected(now.boot);
        self.troubles.broker = None;
        self.note(Level::Info, "broker_connected", format!("session present: {session_present}"));
    }

    pub(super) fn on_disconnected(&mut self) {
        if self.arrivals.connection.take().is_none() {
            return;
        }
        self.telemetry.disconnected();
        // What this journal was given from here on, it was given itself (rule 6).
        self.ledger.first_connection_over = true;
        // Unacknowledged messages come again on the next connection; an old acknowledgement must not (crates.md).
        if !sabotage::is_out(Clause::R00AckOnItsConnection) {
            self.arrivals.acks.clear();
            self.arrivals.held.clear();
            self.pace.forget();
        }
        for parcel in std::mem::take(&mut self.arrivals.in_flight).into_values().flatten() {
            self.outbox.wait_for_broker(parcel);
        }
        self.note(Level::Warn, "broker_lost", "the connection to the broker is gone".to_owned());
    }

    pub(super) fn on_message(&mut self, now: Now, tag: Tag, payload: &[u8], redelivered: bool) {
        let failed = self.failed.is_some() && !sabotage::is_out(Clause::R07NothingAccepted);
        if self.arrivals.connection != Some(tag.epoch) || failed {
            return;
        }
        self.arrivals.acks.push_back((tag, false));
        let (machine_no, signing) = (&self.settings.machine_no, &self.settings.mqtt_key);
        let decoded =
            catch_unwind(AssertUnwindSafe(|| device::decode(payload, machine_no, signing, &self.settings.profile)));
        match decoded {
            Ok(Ok(Inbound::Put(_) | Inbound::Code(_))) if self.phase == Phase::Quarantine => {
                if sabotage::is_out(Clause::R05NothingAcknowledged) {
                    self.ack_when_due(tag);
                }
            }
            Ok(Ok(Inbound::Instruction(_) | Inbound::Refresh)) if self.phase == Phase::Quarantine => {
                self.reject(
                    now,
                    tag,
                    payload.len(),
                    said!("in quarantine no instruction is followed", "隔离期间不执行任何指令"),
                );
            }
            Ok(Ok(Inbound::Instruction(instruction))) => {
                self.on_asked(now, tag, Wanted::Instruction(instruction), redelivered);
            }
            Ok(Ok(Inbound::Refresh)) => self.on_asked(now, tag, Wanted::Refresh, redelivered),
            Ok(Ok(Inbound::Advertisement { method })) => {
                let why = said!("{method}: this machine's agent shows no advertisements", "{method}：本机代理不展示广告"; method);
                self.reject(now, tag, payload.len(), why);
            }
            Ok(Ok(Inbound::Other { method })) => {
                self.reject(
                    now,
                    tag,
                    payload.len(),
                    said!("method {method} is not served", "不支持方法 {method}"; method),
                );
            }
            Ok(Ok(Inbound::Put(put))) => self.on_asked(now, tag, Wanted::Put(put), redelivered),
            Ok(Ok(Inbound::Code(word))) => self.on_asked(now, tag, Wanted::Code(word), redelivered),
            Ok(Ok(Inbound::Get { key })) => self.on_asked(now, tag, Wanted::Get(key), redelivered),
            Ok(Err(rejected)) => self.reject(now, tag, payload.len(), rejected.said()),
            Err(_) => {
                let why = said!("the decoder failed on it; please report this", "解码器出错；请反馈此问题");
                self.reject(now, tag, payload.len(), why);
            }
        }
    }

    fn on_asked(&mut self, now: Now, tag: Tag, wanted: Wanted, redelivered: bool) {
        match wanted {
            // What the index says now was only seen (rule 1).
            wanted if self.phase == Phase::Opening => self.hold(tag, wanted, redelivered),
            Wanted::Instruction(instruction) => self.on_instruction(now, tag, instruction),
            Wanted::Refresh => self.on_refresh_asked(now, tag),
            Wanted::Put(put) => self.on_put(now, tag, put, redelivered),
            Wanted::Get(key) => {
                self.on_get(now, &key);
                self.ack_when_due(tag);
            }
            Wanted::Code(word) if self.arrivals.no_space && !sabotage::is_out(Clause::R07SpaceAwaited) => {
                self.hold(tag, Wanted::Code(word), redelivered);
            }
            Wanted::Code(word) => self.on_code(now, tag, word, redelivered),
        }
    }

    /// The message waits, unacknowledged, for [`Core::serve_the_held`].
    fn hold(&mut self, tag: Tag, wanted: Wanted, redelivered: bool) {
        if self.arrivals.held.len() < HELD_MAX {
            self.arrivals.held.push_back(Held { tag, wanted, redelivered });
        }
    }

    /// What waited goes on, as far as there is room for it now.
    pub(super) fn serve_the_held(&mut self, now: Now) {
        while self.phase == Phase::Running
            && !self.arrivals.no_space
            && self.limit() != Limit::Full
            && let Some(held) = self.arrivals.held.pop_front()
        {
            self.on_asked(now, held.tag, held.wanted, held.redelivered);
        }
    }

    /// Rules 11, 13: kept in the ring, counted, acknowledged; nothing else happens because of it.
    fn reject(&mut self, now: Now, tag: Tag, bytes: usize, why: Said) {
        self.counters.rejected += 1;
        self.keep_in_ring(now, bytes, why);
        if !sabotage::is_out(Clause::R13UnreadableAcknowledged) {
            self.ack_when_due(tag);
        }
    }

    pub(super) fn keep_in_ring(&mut self, now: Now, bytes: usize, why: Said) {
        if self.arrivals.ring.len() >= RING_MAX && !sabotage::is_out(Clause::R11RingBounded) {
            self.arrivals.ring.pop_front();
        }
        let Said { en: why, zh: why_zh } = why;
        self.arrivals.ring.push_back(RingEntry { wall_ms: now.wall.0, why: why.clone(), why_zh, bytes });
        let quiet = self.arrivals.rejection_told.is_some_and(|last| now.boot.since_ms(last) < REJECTION_PAUSE_MS);
        if !quiet {
            self.arrivals.rejection_told = Some(now.boot);
            self.note(Level::Warn, "message_rejected", why);
        }
    }

    pub(super) fn on_space(&mut self, enough: bool) {
        if self.arrivals.no_space == enough {
            let text = if enough { "there is room again" } else { "too little room: new orders wait at the broker" };
            self.note(if enough { Level::Info } else { Level::Error }, "disk_space", text.to_owned());
        }
        self.arrivals.no_space = !enough;
    }

    fn on_put(&mut self, now: Now, tag: Tag, put: Put, redelivered: bool) {
        if sabotage::is_out(Clause::R10KeyKnown) {
            self.on_new_key(now, tag, put, redelivered);
        } else if let Some(known) = self.orders.get(&put.key) {
            let (same, is_final) = (known.digest == put.digest, known.is_final());
            self.on_known_key(now, tag, &put, same, is_final);
        } else if let Some(known) = self.archive.get(&put.key) {
            self.on_known_key(now, tag, &put, known.digest == put.digest, true);
        } else if self.is_sold_here(&put.key.order_id) && !sabotage::is_out(Clause::R58NotFromOutside) {
            // Rule 58: the machine serves it itself, and tells how it ended.
            self.answer_refused(now, tag, &put, Reason::Conflict);
        } else if put.issued_at_s <= self.ledger.evicted_issued_at_s && !sabotage::is_out(Clause::R12StaleRefused) {
            // Rule 12: it may be a key that was forgotten.
            self.answer_refused(now, tag, &put, Reason::Stale);
        } else if self.arrivals.no_space && !sabotage::is_out(Clause::R07SpaceAwaited) {
            self.hold(tag, Wanted::Put(put), redelivered);
        } else if self.limit() == Limit::Full && !sabotage::is_out(Clause::R09ReserveKept) {
            // Not even a refusal can be kept: it stays with the broker until there is room (rule 9).
            self.note_of(&put.key, Level::Error, "reserve_full", format!("order {} waits at the broker", put.key));
            self.hold(tag, Wanted::Put(put), redelivered);
        } else {
            self.on_new_key(now, tag, put, redelivered);
        }
    }

    fn on_known_key(&mut self, now: Now, tag: Tag, put: &Put, same_body: bool, is_final: bool) {
        if !same_body && !sabotage::is_out(Clause::R10OtherBodyConflicts) {
            if sabotage::is_out(Clause::R10FirstBodyStays) {
                self.orders.change(&put.key, |order| order.turns = put.turns.ok());
            }
            if sabotage::is_out(Clause::R10ConflictWithoutResult) {
                self.repeat_result(now, &put.key);
            }
            self.counters.conflicts += 1;
            self.keep_in_ring(now, 0, refused(&put.key, Reason::Conflict));
            // Until the first body is durable there is nothing that this one stands against.
            self.trace_message(now, &put.key, Message::Another);
            let said = Received::of(put, ReceivedState::Refused(Reason::Conflict));
            self.when_durable(now, &put.key, After::Ack(tag));
            self.when_durable(now, &put.key, After::Received(said));
            return;
        }
        if sabotage::is_out(Clause::R10FirstUrlStays) {
            self.orders.change(&put.key, |order| order.notify_url.clone_from(&put.notify_url));
        }
        if sabotage::is_out(Clause::R10FirstDeadlineStays) {
            self.orders.change(&put.key, |order| order.drive_until_s = put.drive_until_s);
        }
        self.counters.duplicates += 1;
        self.trace_message(now, &put.key, Message::Again);
        let said = Received::of(put, ReceivedState::Duplicate);
        self.when_durable(now, &put.key, After::Ack(tag));
        self.when_durable(now, &put.key, After::Received(said));
        if is_final {
            self.repeat_result(now, &put.key);
        }
    }

    /// `received`/refused and a local record, never a result report: the key's result belongs to somebody else.
    fn answer_refused(&mut self, now: Now, tag: Tag, put: &Put, reason: Reason) {
        self.keep_in_ring(now, 0, refused(&put.key, reason));
        self.say(Saying::Received(Received::of(put, ReceivedState::Refused(reason))));
        self.ack_when_due(tag);
    }

    fn on_new_key(&mut self, now: Now, tag: Tag, mut put: Put, redelivered: bool) {
        let trusted = self.time.trusted(now);
        let arrival = Arrival { wall: now.wall, boot: now.boot, boot_id: self.settings.boot_id, trusted };
        let limit = self.limit();
        self.ledger.arrivals += 1;
        let mut order = Order::new(&put, self.ledger.arrivals, arrival);
        // Rule 6: what an existing session redelivers to a new journal may have been driven in a former life. Nor is
        // one refused that may turn out to be older than the journal: a refusal promises that the motor did not move.
        let is_busy = put.turns.is_ok() && limit != Limit::Room;
        let is_refused = is_busy || put.turns.is_err();
        let old_session = self.arrivals.session_was_present && !sabotage::is_out(Clause::R06OldSession);
        let former_life = (redelivered && old_session)
            || self.issued_before_birth(&put)
            || (is_refused && self.may_be_of_a_former_life(put.issued_at_s));
        let refusal = match put.turns {
            Err(reason) => Some(reason),
            Ok(_) if is_busy => Some(Reason::Busy),
            Ok(_) => None,
        };
        let verdict = match (former_life, refusal) {
            (true, _) => Verdict::NeverDrive,
            (false, Some(reason)) => Verdict::Refuse(reason),
            (false, None) => self.gate(&order, now),
        };
        if sabotage::is_out(Clause::R09RefusalTakesKey)
            && let Verdict::Refuse(reason) = verdict
        {
            self.answer_refused(now, tag, &put, reason);
            return;
        }
        let (ended, state) = match verdict {
            Verdict::NeverDrive => (order.never_drive(), ReceivedState::Accepted),
            Verdict::Refuse(reason) => (order.refuse(reason), ReceivedState::Refused(reason)),
            Verdict::Go | Verdict::Hold | Verdict::Ask => (Ok(()), ReceivedState::Accepted),
        };
        if let Err(error) = ended {
            self.forbidden(&put.key, error);
        }
        let slot = order.turns.map(|turns| turns.slot);
        if let ReceivedState::Refused(reason) = state {
            self.counters.refused += 1;
            self.note_at(&put.key, slot, Level::Warn, "refused", format!("order {}: {}", put.key, reason.as_str()));
        } else {
            self.counters.accepted += 1;
            self.note_at(&put.key, slot, Level::Info, "accepted", format!("order {}", put.key));
        }
        self.trace_message(now, &put.key, Message::Put(state));
        // The order has a copy of its own.
        let said = Received { key: put.key.clone(), echo: std::mem::take(&mut put.echo), state };
        if sabotage::is_out(Clause::R00AckAfterDurable)
            || order.is_final() && sabotage::is_out(Clause::R09RefusalDurable)
        {
            self.ack_when_due(tag);
        }
        let (key, number, look_at) = (order.key.clone(), order.arrival_number, self.look_at(&order, now));
        let is_final = order.is_final();
        self.orders.insert(order);
        if !is_final {
            self.queue.push(number, key.clone(), look_at);
            // The intent, if the line is free, joins this very commit and goes first (order-life, section 1).
            self.start_next(now);
        }
        let after = [After::Ack(tag), After::Received(said)];
        // One that waits behind another shares the commit of that one's outcome, if it comes in a moment.
        match self.line.active_key() {
            Some(turning) if *turning != key => self.save_soon(now, &key, after),
            _ => self.save(&key, after),
        }
        self.notify_of_command(now, &put);
        if is_final {
            self.report(now, &key);
        }
    }

    fn issued_before_birth(&self, put: &Put) -> bool {
        matches!(self.ledger.birth, Birth::At { s } if put.issued_at_s < s)
            && !sabotage::is_out(Clause::R06BirthBarrier)
    }

    /// A command of this issue time may be older than the journal: certainly, or as long as nobody knows when the
    /// journal was born.
    pub(super) fn may_be_of_a_former_life(&self, issued_at_s: u64) -> bool {
        match self.ledger.birth {
            _ if sabotage::is_out(Clause::R06BirthBarrier) => false,
            Birth::Untimed { .. } => true,
            Birth::At { s } => issued_at_s < s,
        }
    }

    /// A journal that was born before its time was known gets its birth when time is trusted (rule 6).
    pub(super) fn note_birth(&mut self, now: Now, time: UnixMs) {
        if let Birth::Untimed { boot_id, boot } = self.ledger.birth {
            let age_ms = if boot_id == self.settings.boot_id { now.boot.since_ms(boot) } else { 0 };
            self.ledger.birth = Birth::At { s: UnixMs(time.0.saturating_sub(age_ms)).seconds() };
            // A reboot before this is durable would date the birth anew, and bar what was bought meanwhile.
            self.save_ledger();
        }
    }

    /// One more order may be taken.
    pub(super) fn has_room_for_orders(&self) -> bool {
        self.limit() == Limit::Room
    }

    fn limit(&self) -> Limit {
        let (open, reports, calls) = (self.queue.len(), self.orders.len(), self.calls.open_beside_notices());
        let limits = self.settings.limits;
        let reserve = limits.refusal_reserve;
        if reports >= limits.reports_open.saturating_add(reserve) || calls >= limits.calls_open.saturating_add(reserve)
        {
            Limit::Full
        } else if (open >= limits.orders_open && !sabotage::is_out(Clause::R26OrdersBounded))
            || (reports >= limits.reports_open && !sabotage::is_out(Clause::R26ReportsBounded))
            || (calls >= limits.calls_open && !sabotage::is_out(Clause::R43CallsBounded))
        {
            Limit::RefusalsOnly
        } else {
            Limit::Room
        }
    }

    fn on_get(&mut self, now: Now, key: &Key) {
        let received = |state| Received { key: key.clone(), echo: Echo::default(), state };
        if self.orders.contains_key(key) || self.archive.record(key).is_some() {
            self.trace_message(now, key, Message::Get);
        }
        let state = if self.phase == Phase::Quarantine && !sabotage::is_out(Clause::R05UnavailableSaid) {
            ReceivedState::Unavailable
        } else if let Some(order) = self.orders.get(key) {
            if order.is_final() {
                self.repeat_result(now, key);
            } else {
                // *Accepted* promises that it is durable.
                self.when_durable(now, key, After::Received(received(ReceivedState::Accepted)));
            }
            return;
        } else if self.archive.record(key).is_some() {
            self.repeat_result(now, key);
            return;
        } else {
            ReceivedState::NotFound
        };
        self.say(Saying::Received(received(state)));
    }

    /// The stored result goes up again, at most once a minute and key.
    pub(super) fn repeat_result(&mut self, now: Now, key: &Key) {
        if self.arrivals.repeats.get(key).is_some_and(|&last| now.boot.since_ms(last) < REPEAT_PAUSE_MS) {
            return;
        }
        let order = self.known_order(key);
        let Some((order, report)) = order.as_ref().and_then(|o| Some((o, o.reports.last()?))) else { return };
        if report.mqtt.is_open() {
            return; // It is on its way up for the first time; and it may not be durable yet.
        }
        let payload = self.mqtt_report(order, report);
        if self.arrivals.repeats.len() >= REPEATS_MAX {
            self.arrivals.repeats.retain(|_, last| now.boot.since_ms(*last) < REPEAT_PAUSE_MS);
            if self.arrivals.repeats.len() >= REPEATS_MAX {
                self.arrivals.repeats.pop_first();
            }
        }
        self.arrivals.repeats.insert(key.clone(), now.boot);
        self.say(Saying::Result(payload));
    }

    /// It leaves with this step or the next ([`Core::say_what_waits`]), or when there is a connection and room.
    pub(super) fn say(&mut self, saying: Saying) {
        self.arrivals.sayings.push_back(saying);
    }

    /// Words and publishes what is to be said, as far as it can leave now, and keeps of the rest what there is room for.
    pub(super) fn say_what_waits(&mut self, now: Now) {
        while self.arrivals.has_room_to_publish()
            && let Some(saying) = self.arrivals.sayings.pop_front()
        {
            let payload = match saying {
                Saying::Received(Received { key, echo, state }) => {
                    let settings = &self.settings;
                    up::received(&settings.machine_no, &key, &echo, state, self.told_time_s(now), &settings.mqtt_key)
                }
                Saying::Result(payload) => payload,
            };
            self.publish(payload, None);
        }
        while self.arrivals.sayings.len() > SAYINGS_MAX {
            self.arrivals.sayings.pop_front();
        }
    }

    pub(super) fn publish(&mut self, payload: Vec<u8>, parcel: Option<Parcel>) {
        self.hand_up(payload, parcel);
    }

    /// The same, for one who wants to know when it is taken.
    pub(super) fn hand_up(&mut self, payload: Vec<u8>, parcel: Option<Parcel>) -> Token {
        let token = self.next_token();
        self.arrivals.in_flight.insert(token, parcel);
        self.effects.push(Effect::Publish { token, payload });
        token
    }

    pub(super) fn on_published(&mut self, now: Now, token: Token) {
        self.telemetry.taken(token);
        if let Some(Some(parcel)) = self.arrivals.in_flight.remove(&token) {
            self.on_parcel_answered(now, &parcel, Answer::Taken);
        }
    }

    /// What the broker refused holds no place of the window: a report is tried again later, a saying is asked for again.
    pub(super) fn on_not_published(&mut self, now: Now, token: Token, why: Said) {
        self.note(Level::Error, "publish_refused", why.en);
        self.telemetry.refused(token);
        if let Some(Some(parcel)) = self.arrivals.in_flight.remove(&token) {
            self.on_parcel_answered(now, &parcel, Answer::Later { retry_after_s: None });
        }
    }

    /// The message's acknowledgement may leave: it does, as soon as those of all earlier messages have.
    pub(super) fn ack_when_due(&mut self, tag: Tag) {
        // They came in this order.
        if let Ok(place) = self.arrivals.acks.binary_search_by_key(&tag, |(t, _)| *t) {
            self.arrivals.acks[place].1 = true;
        }
        while let Some(&(tag, true)) = self.arrivals.acks.front() {
            self.arrivals.acks.pop_front();
            self.effects.push(Effect::Ack(tag));
        }
    }
}

/// A command that became no order.
fn refused(key: &Key, reason: Reason) -> Said {
    said!("order {key} refused: {reason}", "订单 {key} 被拒绝：{reason}", reason = reason.word().said(); key)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Room,
    RefusalsOnly,
    Full,
}
