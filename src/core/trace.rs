//! The course of each order, step by step, for `vend order show`: what came, what changed, what went over the line while
//! its unit was on it, and each try to report it. In memory only, and bounded; the journal knows the rest.
//!
//! Changes are not told by those who make them: whatever is saved is compared with what it was, so that none is
//! forgotten.

use super::Core;
use super::event::{Effect, Event, HttpAnswer, HttpFailure, Level};
use super::outbox::{Channel, Parcel};
use super::status::OrderLine;
use crate::board::driver::{LineState, Written};
use crate::board::frame::hex;
use crate::order::key::Key;
use crate::order::life::Order;
use crate::order::record::RecordKey;
use crate::order::said::Said;
use crate::order::time::{BootMs, Now, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Orders whose course is kept: a busy hour of vends. The one whose course began first goes.
pub const TRACED_ORDERS_MAX: usize = 64;
/// Steps kept of one order, the newest: ten units with what a polled board says of each, repeats counted. With
/// [`TRACED_ORDERS_MAX`] about a megabyte at worst.
pub const TRACE_STEPS_MAX: usize = 128;
/// Of the last orders so many are listed that are settled: a screen of them.
const SETTLED_SHOWN_MAX: usize = 16;
/// A frame that is among so many newest steps already is counted there: a question and its answer, again and again.
const REPEATS_WITHIN: usize = 4;

/// The courses of the orders of this life.
#[derive(Debug, Default)]
pub(super) struct Trace {
    stories: BTreeMap<Key, Story>,
    /// Whose course began first.
    began: VecDeque<Key>,
    /// Saved in this step.
    touched: BTreeSet<Key>,
    /// The highest arrival number that was seen: what is above it is new.
    newest: u64,
    /// What was last on the line, while its outcome is being kept safe.
    on_line: Option<Key>,
}

#[derive(Debug, Default)]
struct Story {
    steps: VecDeque<Step>,
    left_out: u64,
    seen: Option<OrderLine>,
    /// Its course is known from its arrival on.
    is_whole: bool,
}

#[derive(Debug)]
struct Step {
    boot: BootMs,
    trusted: Option<UnixMs>,
    what: What,
    times: u32,
    last: BootMs,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Message(Said),
    State(Said),
    Out(Box<[u8]>),
    In(Box<[u8]>),
    Report(Said),
    /// A line of the log, which is English.
    Note(String),
}

impl What {
    const fn is_frame(&self) -> bool {
        matches!(self, What::Out(_) | What::In(_))
    }

    /// Its kind, in JSON too, and its text.
    fn told(&self) -> (&'static str, Said) {
        match self {
            What::Message(text) => ("message", text.clone()),
            What::State(text) => ("state", text.clone()),
            What::Out(bytes) => ("frame_out", Said::word(hex(bytes))),
            What::In(bytes) => ("frame_in", Said::word(hex(bytes))),
            What::Report(text) => ("report", text.clone()),
            What::Note(text) => ("note", Said::word(text.clone())),
        }
    }
}

/// An order with its course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStory {
    /// As in the list.
    pub order: OrderLine,
    /// When the platform issued it, in Unix s; 0 if the machine made it without a time.
    pub issued_at_s: u64,
    /// After this, in Unix s, its motor must not be driven.
    pub drive_until_s: u64,
    /// The driver board of its goods; nothing if it was refused at the door.
    pub address: Option<u8>,
    /// Their slot, as the board numbers it.
    pub slot: Option<u16>,
    /// A person has said what became of it.
    pub resolved_by_person: bool,
    /// Every step since its arrival is there. Otherwise the agent was started since, or forgot some: then the steps of
    /// kind `journal` say what the journal knows.
    pub whole: bool,
    /// Steps that were too many to be kept.
    pub left_out: u64,
    /// The steps, oldest first.
    pub steps: Vec<StepLine>,
}

/// One step of an order's course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLine {
    /// In ms of the boot clock; nothing when it was in another boot, or is known to the second only.
    pub since_boot_ms: Option<u64>,
    /// In Unix ms, if the time was trusted.
    pub trusted_ms: Option<u64>,
    /// journal, message, state, frame_out, frame_in, report or note.
    pub kind: String,
    /// In words; of a frame its bytes in hex.
    pub text: String,
    /// The same in Chinese; lines of the log, ids and states stay English.
    #[serde(default)]
    pub text_zh: String,
    /// How often it was so, close together.
    pub times: u32,
    /// When it was so last, in ms of the boot clock.
    pub last_since_boot_ms: Option<u64>,
}

impl Trace {
    pub(super) fn of_former_lives(&mut self, arrivals: u64) {
        self.newest = arrivals;
    }

    pub(super) fn touch(&mut self, key: &Key) {
        self.touched.insert(key.clone());
    }

    fn story(&mut self, key: &Key) -> &mut Story {
        if !self.stories.contains_key(key) {
            while self.began.len() >= TRACED_ORDERS_MAX {
                let Some(first) = self.began.pop_front() else { break };
                self.stories.remove(&first);
            }
            self.began.push_back(key.clone());
        }
        self.stories.entry(key.clone()).or_default()
    }

    fn push(&mut self, boot: BootMs, trusted: Option<UnixMs>, key: &Key, what: What) {
        let story = self.story(key);
        if what.is_frame()
            && let Some(same) = story.steps.iter_mut().rev().take(REPEATS_WITHIN).find(|step| step.what == what)
        {
            same.times = same.times.saturating_add(1);
            same.last = boot;
            return;
        }
        if story.steps.len() >= TRACE_STEPS_MAX {
            story.steps.pop_front();
            story.left_out = story.left_out.saturating_add(1);
        }
        story.steps.push_back(Step { boot, trusted, what, times: 1, last: boot });
    }
}

impl Core {
    /// A message came about an order, or is about to leave.
    pub(super) fn trace_message(&mut self, now: Now, key: &Key, said: Said) {
        let trusted = self.time.trusted(now);
        self.trace.push(now.boot, trusted, key, What::Message(said));
    }

    /// An order's record is to be written: it has changed.
    pub(super) fn trace_saved(&mut self, key: &RecordKey) {
        if let RecordKey::Order(key) = key {
            self.trace.touch(key);
        }
    }

    /// Whose unit is on the line, or has just ended there.
    fn traced_on_line(&mut self) -> Option<Key> {
        match self.line.active_key() {
            Some(key) => {
                if self.trace.on_line.as_ref() != Some(key) {
                    self.trace.on_line = Some(key.clone());
                }
                Some(key.clone())
            }
            None if self.line.state() == LineState::Held => self.trace.on_line.clone(),
            None => None,
        }
    }

    /// Before it is dealt with, since it may end what it is about.
    pub(super) fn trace_event(&mut self, now: Now, event: &Event) {
        let (key, what) = match event {
            Event::LineBytes { bytes, .. } if !bytes.is_empty() => {
                let Some(key) = self.traced_on_line() else { return };
                (key, What::In(bytes.as_slice().into()))
            }
            Event::MotorWritten(written) => {
                let Some(key) = self.traced_on_line() else { return };
                (key, What::State(written_words(*written)))
            }
            Event::Answered { token, answer } => {
                let Some((Parcel::Report(copy), host)) = self.outbox.under_way(*token) else { return };
                (copy.key.clone(), What::Report(over_http(copy.sequence, host, answered(answer))))
            }
            Event::Published(token) | Event::NotPublished { token, .. } => {
                let Some(Parcel::Report(copy)) = self.arrivals.under_way(*token) else { return };
                let became = match event {
                    Event::NotPublished { why, .. } => Said::word(why.clone()),
                    _ => Said::new("taken", "已接收"),
                };
                (copy.key.clone(), What::Report(over_mqtt(copy.sequence, &became)))
            }
            _ => return,
        };
        let trusted = self.time.trusted(now);
        self.trace.push(now.boot, trusted, &key, what);
    }

    /// After a step: what it changed and what it has done.
    pub(super) fn trace_step(&mut self, now: Now) {
        let trusted = self.time.trusted(now);
        let on_line = self.traced_on_line();
        let effects = std::mem::take(&mut self.effects);
        for effect in &effects {
            let (key, what) = match effect {
                // What is told of an order in words; its first line is told by its change of state.
                Effect::Note(note) if note.level >= Level::Info => match &note.order {
                    Some(key) => (key, What::Note(format!("{}: {}", note.what, note.text))),
                    None => continue,
                },
                Effect::LineWrite { write, .. } => match &on_line {
                    Some(key) => (key, What::Out(write.bytes.as_slice().into())),
                    None => continue,
                },
                Effect::Http { token, .. } => match self.outbox.under_way(*token) {
                    Some((Parcel::Report(copy), host)) => {
                        (&copy.key, What::Report(over_http(copy.sequence, host, sent())))
                    }
                    _ => continue,
                },
                Effect::Publish { token, .. } => match self.arrivals.under_way(*token) {
                    Some(Parcel::Report(copy)) if copy.channel == Channel::Mqtt => {
                        (&copy.key, What::Report(over_mqtt(copy.sequence, &sent())))
                    }
                    _ => continue,
                },
                _ => continue,
            };
            self.trace.push(now.boot, trusted, key, what);
        }
        self.effects = effects;
        self.trace_changes(now.boot, trusted);
    }

    fn trace_changes(&mut self, boot: BootMs, trusted: Option<UnixMs>) {
        let (touched, before) = (std::mem::take(&mut self.trace.touched), self.trace.newest);
        for key in touched {
            let archived = if self.orders.contains_key(&key) { None } else { self.archive.get(&key) };
            let Some(order) = self.orders.get(&key).or(archived.as_ref()) else { continue };
            let line = OrderLine::of(order);
            let is_new = order.arrival_number > before;
            self.trace.newest = self.trace.newest.max(order.arrival_number);
            let story = self.trace.story(&key);
            let changes = match story.seen.replace(line.clone()) {
                Some(seen) => changes(&seen, &line),
                None => {
                    story.is_whole = is_new;
                    let (en, zh) =
                        if is_new { ("new", "新订单") } else { ("found in the journal", "自日志恢复") };
                    vec![Said::new(format!("{en}: {}", line.state), format!("{zh}：{}", line.state))]
                }
            };
            for said in changes {
                self.trace.push(boot, trusted, &key, What::State(said));
            }
        }
    }

    /// The last orders of this life that are settled, newest first: nobody has to look after them, and their course is
    /// still known.
    #[must_use]
    pub fn settled_orders(&self) -> Vec<OrderLine> {
        let settled = self.trace.began.iter().rev().filter(|key| !self.orders.contains_key(key));
        let lines = settled.filter_map(|key| self.trace.stories.get(key)?.seen.clone());
        // What the cloud's books do not agree with is among those to look after.
        lines.filter(|line| line.difference.is_none()).take(SETTLED_SHOWN_MAX).collect()
    }

    /// An order with its course, as far as it is known.
    #[must_use]
    pub fn order_story(&self, key: &Key) -> Option<OrderStory> {
        let archived = if self.orders.contains_key(key) { None } else { self.archive.get(key) };
        let order = self.orders.get(key).or(archived.as_ref())?;
        let story = self.trace.stories.get(key);
        let whole = story.is_some_and(|story| story.is_whole && story.left_out == 0);
        let mut steps = if whole { Vec::new() } else { self.steps_of_the_journal(order) };
        steps.extend(story.into_iter().flat_map(|story| &story.steps).map(|step| {
            let (kind, Said { en: text, zh: text_zh }) = step.what.told();
            StepLine {
                since_boot_ms: Some(step.boot.0),
                trusted_ms: step.trusted.map(|time| time.0),
                kind: kind.to_owned(),
                text,
                text_zh,
                times: step.times,
                last_since_boot_ms: Some(step.last.0),
            }
        }));
        Some(OrderStory {
            order: OrderLine::of(order),
            issued_at_s: order.issued_at_s,
            drive_until_s: order.drive_until_s,
            address: order.turns.map(|turns| turns.address.get()),
            slot: order.turns.map(|turns| turns.slot.0),
            resolved_by_person: order.resolved_by_person,
            whole,
            left_out: story.map_or(0, |story| story.left_out),
            steps,
        })
    }

    /// What the journal knows of an order: when it came, which motor commands it had, what was told.
    fn steps_of_the_journal(&self, order: &Order) -> Vec<StepLine> {
        let line = |boot: Option<BootMs>, trusted: Option<UnixMs>, said: Said| StepLine {
            since_boot_ms: boot.map(|boot| boot.0),
            trusted_ms: trusted.map(|time| time.0),
            kind: "journal".to_owned(),
            text: said.en,
            text_zh: said.zh,
            times: 1,
            last_since_boot_ms: boot.map(|boot| boot.0),
        };
        let arrival = &order.arrival;
        let is_this_boot = arrival.boot_id == self.settings.boot_id;
        let came = match is_this_boot {
            true => Said::new("came", "到达"),
            false => Said::new("came, in a former boot", "在此前的开机期间到达"),
        };
        let mut lines = vec![line(is_this_boot.then_some(arrival.boot), arrival.trusted, came)];
        for (k, unit) in order.units.iter().enumerate() {
            let became = unit.outcome().map_or(("not ended", "未结束"), |o| (o.as_str(), o.as_str()));
            let (en, zh) = (format!("unit {}: {}", k + 1, became.0), format!("第 {} 件：{}", k + 1, became.1));
            lines.push(line(None, None, Said::new(en, zh)));
        }
        for report in &order.reports {
            let (n, state) = (report.sequence, report.state_word());
            let said = Said::new(format!("report {n} written: {state}"), format!("写入上报 {n}：{state}"));
            lines.push(line(None, Some(UnixMs::from_seconds(report.timestamp_s)), said));
        }
        lines
    }
}

/// What became of a try.
fn answered(answer: &Result<HttpAnswer, HttpFailure>) -> Said {
    match answer {
        Ok(answer) => Said::new(format!("status {}", answer.status), format!("状态码 {}", answer.status)),
        // In the system's words.
        Err(failure) => Said::word(failure.why.clone()),
    }
}

fn sent() -> Said {
    Said::new("sent", "已发出")
}

fn over_http(sequence: u32, host: &str, became: Said) -> Said {
    Said::new(
        format!("report {sequence} over HTTP to {host}: {}", became.en),
        format!("上报 {sequence} 经 HTTP 至 {host}：{}", became.zh),
    )
}

fn over_mqtt(sequence: u32, became: &Said) -> Said {
    Said::new(format!("report {sequence} over MQTT: {}", became.en), format!("上报 {sequence} 经 MQTT：{}", became.zh))
}

/// How far the motor frame got.
fn written_words(written: Written) -> Said {
    match written {
        Written::All => Said::new("motor frame written: all", "电机指令已写出：全部"),
        Written::Some => Said::new("motor frame written: some", "电机指令已写出：部分"),
        Written::Nothing => Said::new("motor frame written: nothing", "电机指令未写出"),
    }
}

/// What is another now, in words.
fn changes(seen: &OrderLine, line: &OrderLine) -> Vec<Said> {
    let mut changes = Vec::new();
    for unit in line.units.iter().filter(|unit| !seen.units.contains(unit)) {
        let became = unit.outcome.as_ref().unwrap_or(&unit.state);
        let n = unit.unit;
        changes.push(Said::new(format!("unit {n}: {became}"), format!("第 {n} 件：{became}")));
    }
    for report in line.reports.iter().filter(|report| seen.reports.iter().all(|r| r.sequence != report.sequence)) {
        let n = report.sequence;
        changes.push(Said::new(format!("report {n} written"), format!("写入上报 {n}")));
    }
    if seen.state != line.state {
        changes.push(Said::new(format!("order: {}", line.state), format!("订单：{}", line.state)));
    }
    if seen.difference != line.difference {
        let (en, zh) = line.difference.as_deref().map_or(("agrees", "一致"), |differs| (differs, differs));
        changes.push(Said::new(format!("the platform's books: {en}"), format!("平台账目：{zh}")));
    }
    changes
}
