//! The course of each order, step by step, for `vend order show`: what came, what changed, what went over the line while
//! its unit was on it, and each try to report it. In memory only, and bounded; the journal knows the rest.
//!
//! Changes are not told by those who make them: whatever is saved is compared with what it was, so that none is
//! forgotten. Steps are kept as what happened ([`step`]): most of them nobody asks for.

mod step;

use super::Core;
use super::event::{Effect, Event, Level};
use super::outbox::{Channel, Parcel};
use super::status::{OrderLine, Standing};
use crate::board::driver::{LineState, MotorCommand};
use crate::board::meaning::reader_of_turn;
use crate::board::profile::Profile;
use crate::order::key::Key;
use crate::order::life::Order;
use crate::order::record::RecordKey;
use crate::order::said::Said;
use crate::order::time::{BootMs, Now, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
pub(super) use step::Message;
use step::{Became, Change, Try, What, report_written, unit_number};

/// Orders whose course is kept: a busy hour of vends. The one whose course began first goes.
pub const TRACED_ORDERS_MAX: usize = 64;
/// Steps kept of one order, the newest: ten units with what a polled board says of each, repeats counted. With
/// [`TRACED_ORDERS_MAX`] about a megabyte at worst.
pub const TRACE_STEPS_MAX: usize = 128;
/// Of the last orders so many are listed that are settled: a screen of them.
const SETTLED_SHOWN_MAX: usize = 16;
/// A frame that is among so many newest steps already is counted there: a question and its answer, again and again.
const REPEATS_WITHIN: usize = 4;

/// Bytes that come within this time belong together, in ms: adapters hand on what they have every 16 ms, in any cut, and
/// boards answer in one go.
const ANSWER_GAP_MS: u64 = 30;
/// Bytes kept as one answer: longer than the frames that tell of a vend. What follows is kept as another.
const ANSWER_BYTES_MAX: usize = 256;

/// The courses of the orders of this life.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// That which began first stands first. Most steps are about the newest, so they are looked through from there.
    stories: VecDeque<(Key, Story)>,
    /// Saved in this step.
    touched: Vec<Key>,
    /// The highest arrival number that was seen: what is above it is new.
    newest: u64,
    /// What was last on the line, while its outcome is being kept safe.
    on_line: Option<Key>,
}

#[derive(Debug, Default)]
struct Story {
    steps: VecDeque<Step>,
    left_out: u64,
    seen: Option<Standing>,
    /// Its course is known from its arrival on.
    is_whole: bool,
    /// The number of the next step.
    next: u64,
    /// The last frame that left.
    asked: Option<u64>,
    /// When bytes came last, and nothing has happened since: what comes next may belong to them.
    listens: Option<BootMs>,
}

#[derive(Debug)]
struct Step {
    /// Rises with each.
    number: u64,
    boot: BootMs,
    trusted: Option<UnixMs>,
    what: What,
    times: u32,
    last: BootMs,
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
    /// kind `journal` say what the journal knows, and one of kind `gap` what lacks.
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
    /// journal, gap, message, state, frame_out, frame_in, report or note.
    pub kind: String,
    /// In words; of a frame its bytes in hex.
    pub text: String,
    /// The same in Chinese; lines of the log and ids stay as they are.
    #[serde(default)]
    pub text_zh: String,
    /// What a frame means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<Said>,
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
        self.touched.push(key.clone());
    }

    fn place(&self, key: &Key) -> Option<usize> {
        self.stories.iter().rposition(|(of, _)| of == key)
    }

    fn known(&self, key: &Key) -> Option<&Story> {
        self.place(key).map(|place| &self.stories[place].1)
    }

    fn story(&mut self, key: &Key) -> &mut Story {
        let place = self.place(key).unwrap_or_else(|| {
            let oldest = if self.stories.len() >= TRACED_ORDERS_MAX { self.stories.pop_front() } else { None };
            // In a queue each order begins one: with the memory of the one that goes.
            let mut steps = oldest.map(|(_, story)| story.steps).unwrap_or_default();
            steps.clear();
            self.stories.push_back((key.clone(), Story { steps, ..Story::default() }));
            self.stories.len() - 1
        });
        &mut self.stories[place].1
    }

    fn push(&mut self, boot: BootMs, trusted: Option<UnixMs>, key: &Key, what: What) {
        let story = self.story(key);
        story.close();
        if matches!(what, What::Out(_))
            && let Some(same) = story.repeated(&what)
        {
            same.times = same.times.saturating_add(1);
            same.last = boot;
            story.asked = Some(same.number);
            return;
        }
        story.append(boot, trusted, what);
    }

    fn came(&mut self, boot: BootMs, trusted: Option<UnixMs>, key: &Key, bytes: &[u8]) {
        let story = self.story(key);
        let is_more = story.listens.is_some_and(|last| boot.since_ms(last) <= ANSWER_GAP_MS);
        story.listens = Some(boot);
        match story.steps.back_mut() {
            Some(Step { what: What::In { bytes: before, .. }, last, .. })
                if is_more && before.len() + bytes.len() <= ANSWER_BYTES_MAX =>
            {
                before.extend_from_slice(bytes);
                *last = boot;
            }
            _ => {
                story.close();
                let asked = story.asked;
                story.append(boot, trusted, What::In { bytes: bytes.to_vec(), asked });
                story.listens = Some(boot);
            }
        }
    }
}

impl Story {
    /// What came is whole: if it came just before, too, it is counted there.
    fn close(&mut self) {
        if self.listens.take().is_none() {
            return;
        }
        let Some(step) = self.steps.pop_back() else { return };
        match self.repeated(&step.what) {
            Some(same) => {
                same.times = same.times.saturating_add(1);
                same.last = step.last;
            }
            None => self.steps.push_back(step),
        }
    }

    /// The same, among the newest.
    fn repeated(&mut self, what: &What) -> Option<&mut Step> {
        self.steps.iter_mut().rev().take(REPEATS_WITHIN).find(|step| step.what == *what)
    }

    fn append(&mut self, boot: BootMs, trusted: Option<UnixMs>, what: What) {
        if self.steps.len() >= TRACE_STEPS_MAX {
            self.steps.pop_front();
            self.left_out = self.left_out.saturating_add(1);
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        if matches!(what, What::Out(_)) {
            self.asked = Some(number);
        }
        self.steps.push_back(Step { number, boot, trusted, what, times: 1, last: boot });
    }

    /// What each frame means, by its step. An answer is read behind its own question: between the two stand others, when
    /// both were counted where they were before.
    fn meanings(&self, profile: &Profile, turn: Option<&MotorCommand>) -> BTreeMap<u64, Said> {
        let mut reader = reader_of_turn(profile, turn);
        let (mut last_asked, mut meanings) = (None, BTreeMap::new());
        for step in &self.steps {
            match &step.what {
                What::Out(bytes) => {
                    last_asked = Some(step.number);
                    meanings.insert(step.number, reader.sent(bytes));
                }
                What::In { bytes, asked } => {
                    if *asked != last_asked {
                        let question = self.steps.iter().find(|step| Some(step.number) == *asked);
                        if let Some(What::Out(question)) = question.map(|step| &step.what) {
                            reader.sent(question);
                        }
                        last_asked = *asked;
                    }
                    let heard = reader.received(step.boot, bytes);
                    let said = match heard.is_empty() {
                        true => Said::new("a part of a frame", "帧的一部分"),
                        false => Said::list(heard.iter().map(|heard| &heard.meaning)),
                    };
                    meanings.insert(step.number, said);
                }
                What::Message(_) | What::Changed(_) | What::MotorFrame(_) | What::Report(_) | What::Note { .. } => {}
            }
        }
        meanings
    }
}

impl Core {
    /// A message came about an order, or is about to leave.
    pub(super) fn trace_message(&mut self, now: Now, key: &Key, message: Message) {
        let trusted = self.time.trusted(now);
        self.trace.push(now.boot, trusted, key, What::Message(message));
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
                let trusted = self.time.trusted(now);
                return self.trace.came(now.boot, trusted, &key, bytes);
            }
            Event::MotorWritten(written) => {
                let Some(key) = self.traced_on_line() else { return };
                (key, What::MotorFrame(*written))
            }
            Event::Answered { token, answer } => {
                let Some((Parcel::Report(copy), host)) = self.outbox.under_way(*token) else { return };
                let (host, became) = (Some(host.into()), Became::of(answer));
                (copy.key.clone(), What::Report(Try { sequence: copy.sequence, host, became }))
            }
            Event::Published(token) | Event::NotPublished { token, .. } => {
                let Some(Parcel::Report(copy)) = self.arrivals.under_way(*token) else { return };
                let became = match event {
                    Event::NotPublished { why, .. } => Became::Failed(why.clone()),
                    _ => Became::Taken,
                };
                (copy.key.clone(), What::Report(Try { sequence: copy.sequence, host: None, became }))
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
                    Some(key) => (key, What::Note { what: note.what, text: note.text.clone() }),
                    None => continue,
                },
                Effect::LineWrite { write, .. } => match &on_line {
                    Some(key) => (key, What::Out(write.bytes.clone())),
                    None => continue,
                },
                Effect::Http { token, .. } => match self.outbox.under_way(*token) {
                    Some((Parcel::Report(copy), host)) => {
                        let host = Some(host.into());
                        (&copy.key, What::Report(Try { sequence: copy.sequence, host, became: Became::Sent }))
                    }
                    _ => continue,
                },
                Effect::Publish { token, .. } => match self.arrivals.under_way(*token) {
                    Some(Parcel::Report(copy)) if copy.channel == Channel::Mqtt => {
                        (&copy.key, What::Report(Try { sequence: copy.sequence, host: None, became: Became::Sent }))
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
        let (mut touched, before) = (std::mem::take(&mut self.trace.touched), self.trace.newest);
        touched.sort_unstable();
        touched.dedup();
        for key in touched {
            let Some(order) = self.known_order(&key) else { continue };
            let now = Standing::of(&order);
            let number = order.arrival_number;
            let is_new = number > before;
            self.trace.newest = self.trace.newest.max(number);
            let story = self.trace.story(&key);
            let changes = match &story.seen {
                Some(seen) => Change::between(seen, &now),
                None => {
                    story.is_whole = is_new;
                    vec![Change::Begins { is_new, state: now.state }]
                }
            };
            story.seen = Some(now);
            for change in changes {
                self.trace.push(boot, trusted, &key, What::Changed(change));
            }
        }
    }

    /// The last orders of this life that are settled, newest first: nobody has to look after them, and their course is
    /// still known.
    #[must_use]
    pub fn settled_orders(&self) -> Vec<OrderLine> {
        let settled = self.trace.stories.iter().rev().filter(|(key, _)| !self.orders.contains_key(key));
        let lines = settled.filter_map(|(key, story)| Some(story.seen.as_ref()?.line(key)));
        // What the cloud's books do not agree with is among those to look after.
        lines.filter(|line| line.difference.is_none()).take(SETTLED_SHOWN_MAX).collect()
    }

    /// An order with its course, as far as it is known.
    #[must_use]
    pub fn order_story(&self, key: &Key) -> Option<OrderStory> {
        let order = &*self.known_order(key)?;
        let story = self.trace.known(key);
        let whole = story.is_some_and(|story| story.is_whole && story.left_out == 0);
        let mut steps = if whole { Vec::new() } else { self.steps_of_the_journal(order) };
        if !whole {
            steps.push(gap(story.map_or(0, |story| story.left_out)));
        }
        let turn = order.motor_command();
        let meanings = story.map(|story| story.meanings(&self.settings.profile, turn.as_ref())).unwrap_or_default();
        steps.extend(story.into_iter().flat_map(|story| &story.steps).map(|step| {
            let (kind, Said { en: text, zh: text_zh }) = step.what.told();
            StepLine {
                since_boot_ms: Some(step.boot.0),
                trusted_ms: step.trusted.map(|time| time.0),
                kind: kind.to_owned(),
                text,
                text_zh,
                meaning: meanings.get(&step.number).cloned(),
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
            meaning: None,
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
            let not_ended = || Said::new("not ended", "未结束");
            let became = unit.outcome().map_or_else(not_ended, |outcome| outcome.word().said());
            lines.push(line(None, None, unit_number(k + 1).then(&became)));
        }
        for report in &order.reports {
            let said = report_written(report.sequence).then(&report.state().word().said());
            lines.push(line(None, Some(UnixMs::from_seconds(report.timestamp_s)), said));
        }
        lines
    }
}

/// What lacks, said where it lacks.
fn gap(left_out: u64) -> StepLine {
    let said = match left_out {
        0 => Said::new(
            "frames, messages and tries before this are not kept: the agent was started since, or forgot them",
            "此前的数据帧、消息与上报尝试未保留：代理程序之后重新启动过，或已清除",
        ),
        n => Said::new(format!("{n} older steps were too many to be kept"), format!("较早的 {n} 步过多，未保留")),
    };
    StepLine {
        since_boot_ms: None,
        trusted_ms: None,
        kind: "gap".to_owned(),
        text: said.en,
        text_zh: said.zh,
        meaning: None,
        times: 1,
        last_since_boot_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::tcn_00ff;
    use crate::order::key::{Id, Key};
    use crate::order::motor::{Address, FloorType, Slot};

    fn key() -> Key {
        Key { order_id: Id::read("60").unwrap(), record_id: Id::read("78").unwrap() }
    }

    fn profile(name: &str) -> Profile {
        Profile::parse(name, Profile::built_in().into_iter().find(|(n, _)| *n == name).unwrap().1).unwrap()
    }

    fn turn(slot: u16) -> MotorCommand {
        let address = Address::FIRST;
        MotorCommand { address, slot: Slot(slot), floor_type: FloorType::Spring, lift: false, drop_check: true }
    }

    struct Line(Trace, BootMs);

    impl Line {
        fn new() -> Line {
            Line(Trace::default(), BootMs(1_000))
        }

        fn asks(&mut self, bytes: &[u8]) {
            self.1 = self.1.plus_ms(100);
            self.0.push(self.1, None, &key(), What::Out(bytes.to_vec()));
        }

        /// After so many ms.
        fn hears(&mut self, after_ms: u64, bytes: &[u8]) {
            self.1 = self.1.plus_ms(after_ms);
            self.0.came(self.1, None, &key(), bytes);
        }

        /// Each frame with how often it passed and what it means.
        fn told(&self, profile: &Profile, turn: &MotorCommand) -> Vec<(u32, String)> {
            let story = self.0.known(&key()).unwrap();
            let meanings = story.meanings(profile, Some(turn));
            story.steps.iter().map(|step| (step.times, meanings[&step.number].en.clone())).collect()
        }
    }

    #[test]
    fn an_answer_in_pieces_is_one_frame_and_what_is_said_again_is_counted() {
        let mut line = Line::new();
        let answer = tcn_00ff::reply(0, true, 0, tcn_00ff::DELIVERED);
        for cut in [2, 3, 5] {
            line.asks(&tcn_00ff::request(0, 5, tcn_00ff::PARAMETER_ON));
            line.hears(5, &answer[..cut]);
            if cut < 5 {
                line.hears(16, &answer[cut..]);
            }
        }
        line.asks(&tcn_00ff::request(0, 5, tcn_00ff::PARAMETER_ON));
        let told = line.told(&profile("tcn-00ff"), &turn(5));
        let wanted = [(4, "to 0: TURN slot 5, drop sensor armed"), (3, "fine, goods were seen to fall")];
        assert_eq!(told, wanted.map(|(times, text)| (times, text.to_owned())));
    }

    #[test]
    fn what_comes_long_after_is_another_answer() {
        let mut line = Line::new();
        let answer = tcn_00ff::reply(0, true, 0, tcn_00ff::DELIVERED);
        line.asks(&tcn_00ff::request(0, 5, tcn_00ff::PARAMETER_ON));
        line.hears(5, &answer[..2]);
        line.hears(ANSWER_GAP_MS + 1, &answer[2..]);
        let told = line.told(&profile("tcn-00ff"), &turn(5));
        assert_eq!(told[1..], [(1, "a part of a frame".to_owned()), (1, "fine, goods were seen to fall".to_owned())]);
    }

    #[test]
    fn an_answer_is_read_behind_its_own_question_though_that_was_counted_where_it_was_before() {
        let mut line = Line::new();
        let (turns, asks_heat) =
            (tcn_00ff::request(0, 5, tcn_00ff::PARAMETER_ON), tcn_00ff::request(0, tcn_00ff::TEMPERATURE, 0));
        for question in [turns, asks_heat, turns] {
            line.asks(&question);
        }
        // The last frame that is shown above it asks for something else.
        line.hears(5, &tcn_00ff::reply(0, true, 0, tcn_00ff::DELIVERED));
        let told: Vec<String> = line.told(&profile("tcn-00ff"), &turn(5)).into_iter().map(|(_, text)| text).collect();
        assert_eq!(
            told,
            ["to 0: TURN slot 5, drop sensor armed", "to 0: how warm is it?", "fine, goods were seen to fall"]
        );
    }

    #[test]
    fn a_flood_without_a_question_does_not_grow_one_step() {
        let mut line = Line::new();
        for _ in 0..100 {
            line.hears(1, &[0x77; 100]);
        }
        let longest = line.0.known(&key()).unwrap().steps.iter().map(|step| match &step.what {
            What::In { bytes, .. } => bytes.len(),
            _ => 0,
        });
        assert!(longest.max().unwrap() <= ANSWER_BYTES_MAX);
    }
}
