//! The conversation of the families whose board says what *is* and not what became of a command: the result of its
//! last command until the next one (classes 1b and 1c), a count of what it sold, a latch (class 5).
//!
//! One picture proves nothing there: it may be as old as the machine. So the board's picture at rest is read before
//! the line is idle, kept fresh, and goes into the intent; the command is sent once; then the picture is asked for
//! until the family's own judgement ([`Words::judge`]) finds a change that this command alone can explain. After a
//! restart of the agent the same judgement compares with the picture in the intent. Everything else is *unknown*.
//!
//! It is a machine of its own beside [`Polled`](super::polled::Polled), with the same `Talk` and `Station`s below:
//! there a result blocks the board until it is told, released and forgotten, here nothing is forgotten and every
//! picture has a former one. In one machine each of the two would be a special case of the other's every step.

use super::driver::{
    Driver, Finding, LineFault, LineState, MotorCommand, Output, RecoveryClass, Reference, Tally, Written,
};
use super::profile::{Profile, Timing};
use super::protocol::Turn;
use super::service::{Reading, Service, ServiceError};
use super::station::{self, Standing, Station};
use super::talk::{
    FRESH_IDLE_MS, HEARD_IDLE, NOT_HEARD, PROGRESS_TURNING, START_GRACE_MS, Saying, Serving, Talk, WATCH_MS,
};
use super::words::{Answer, Question, Unasked, Verdict, Words};
use crate::order::outcome::Reason;
use crate::order::time::BootMs;
use crate::sabotage::{self, Clause};
use under_way::{Memory, Open, Phase};

mod under_way;

/// A whole picture is read anew each [`WATCH_MS`], but its parts no closer than this: the line is to be quiet.
const WATCH_MS_MIN: u64 = 500;

/// The driver of a family whose board says what is.
pub struct Asked<W: Words> {
    words: W,
    class: RecoveryClass,
    timing: Timing,
    stations: Vec<Station<Memory<W::Look>>>,
    open: Option<Open<W::Look>>,
    /// An outcome or late evidence is not yet released.
    is_held: bool,
    serving: Option<Serving>,
    talk: Talk<Question>,
    watch_at: BootMs,
    watch_next: usize,
    /// The last command of an earlier life ended without proof: its motor may still turn when the port is opened.
    may_still_turn: bool,
}

impl<W: Words> Asked<W> {
    /// The driver of this profile's board, before the port was opened.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        Asked {
            words: W::new(profile),
            class: profile.recovery_class,
            timing: profile.timing,
            stations: Station::all(profile, Memory::default),
            open: None,
            is_held: false,
            serving: None,
            talk: Talk::keeping_halves(W::PUSHES),
            watch_at: BootMs(0),
            watch_next: 0,
            may_still_turn: false,
        }
    }

    fn find(&mut self, finding: Finding) {
        self.talk.find(finding);
    }

    fn turn_of(&self, command: &MotorCommand) -> Option<(usize, Turn)> {
        let slot = u8::try_from(command.slot.0).ok()?;
        let station = self.stations.iter().position(|s| s.address == command.address)?;
        Some((station, Turn { slot, command: *command }))
    }

    /// What is asked next and when; nothing while a finding is held, so that the line is still what it tells of.
    fn next_question(&self) -> Option<(BootMs, usize, Question)> {
        if self.is_held {
            return None;
        }
        if let Some(open) = &self.open {
            let question = match open.phase {
                Phase::Checking if W::CHECKS_BY_LOOKING => Question::Look(open.part),
                Phase::Following if open.is_to_halt => Question::Halt,
                Phase::Checking | Phase::Following => Question::Follow(open.turn, open.part),
                Phase::Ready => Question::Drive(open.turn),
            };
            return Some((open.ask_at, open.station, question));
        }
        if let Some(serving) = &self.serving {
            return Some((BootMs(0), serving.station, Question::Service(serving.service, serving.answered)));
        }
        if let Some((index, station)) = station::unsettled(&self.stations) {
            return Some((station.ask_at, index, Question::Look(station.memory.next_part)));
        }
        if let Some((index, station)) = station::anonymous(&self.stations, W::IDENTITY_PARTS) {
            return Some((BootMs(0), index, Question::Identity(station.identity_parts_asked)));
        }
        let part = self.stations.get(self.watch_next).map_or(0, |s| s.memory.next_part);
        Some((self.watch_at, self.watch_next, Question::Look(part)))
    }

    fn say(&mut self, now: BootMs, index: usize, question: Question) {
        let count = self.stations.len();
        let Some(station) = self.stations.get_mut(index) else { return };
        match question {
            Question::Identity(part) => station.identity_parts_asked = part.saturating_add(1),
            Question::Look(_) => self.watch_next = (index + 1) % count,
            Question::Drive(_) => {
                if let Some(open) = &mut self.open {
                    open.written(now, self.timing.longest_vend_ms);
                }
            }
            Question::Follow(..) | Question::Halt | Question::Service(..) => {}
        }
        let motor = matches!(question, Question::Drive(_));
        let unserved = self.serving.as_ref().map_or(0, |s| s.unanswered);
        let tries = if motor { 0 } else { station.unanswered.max(unserved) };
        let bytes = self.words.request(station.wire_address, &question, tries);
        let saying = Saying { station: index, question, bytes, motor, again: tries > 0, echoes: self.words.echoes() };
        let drive_reply_ms = self.words.drive_reply_ms(&self.timing);
        self.talk.say(now, saying, if motor { drive_reply_ms } else { None }.unwrap_or(self.timing.reply_ms));
        if motor && drive_reply_ms.is_none() {
            self.talk.exchange = None;
            self.talk.not_before = now.plus_ms(self.timing.min_gap_ms);
        }
        self.watch_at = now.plus_ms((WATCH_MS / u64::from(self.words.look_parts())).max(WATCH_MS_MIN));
    }

    /// Whatever is due now: time-outs, the end of patience, the next question.
    fn advance(&mut self, now: BootMs) {
        if !self.talk.is_open {
            return;
        }
        if self.talk.exchange.as_ref().is_some_and(|e| e.deadline <= now) {
            self.unanswered(now);
        }
        if self.talk.exchange.is_some() {
            return;
        }
        if self.open.as_ref().is_some_and(|o| o.phase == Phase::Following && o.over_at <= now) {
            self.judge(now, true);
        }
        if let Some((due, index, question)) = self.next_question()
            && due.max(self.talk.not_before) <= now
        {
            self.say(now, index, question);
        }
    }

    fn unanswered(&mut self, now: BootMs) {
        let Some((exchange, fault)) = self.talk.unanswered(|bytes| self.words.fit(bytes)) else { return };
        let is_check = self.is_checked_by_looking();
        let drain_ms = if W::REPLIES_ARE_ANONYMOUS { self.timing.reply_ms } else { 0 };
        self.talk.not_before = now.plus_ms(self.timing.min_gap_ms.max(drain_ms));
        let Some(station) = self.stations.get_mut(exchange.station) else { return };
        // A board that is known to be absent is no news each time, nor is one that has nothing to tell yet.
        let may_be_silent = W::CHECKS_BY_LOOKING && matches!(exchange.question, Question::Follow(..));
        let is_picture = matches!(exchange.question, Question::Look(_) | Question::Follow(..));
        // A frame that was spoilt is an answer that came.
        station.memory.owes_answer |= is_picture && fault != LineFault::BadCheck;
        let news = station.standing != Standing::Silent && !(may_be_silent && fault == LineFault::TimeOut);
        match exchange.question {
            Question::Identity(_) => {}
            Question::Service(..) => {
                if let Some(serving) = &mut self.serving {
                    serving.unanswered += 1;
                    if serving.unanswered >= station.tries {
                        missed(station, now);
                        self.served(Err(ServiceError::NoAnswer));
                    }
                }
            }
            Question::Drive(_) | Question::Halt => {
                if let Some(open) = &mut self.open {
                    open.ask_at = now;
                }
            }
            Question::Look(_) if !is_check => missed(station, now),
            Question::Look(_) | Question::Follow(..) => match &mut self.open {
                Some(open) if open.phase == Phase::Following => {
                    // A frame that was spoilt is a voice. Stray bytes are not: a board that loses power makes some.
                    open.seen.was_silent |= fault != LineFault::BadCheck;
                    // Parts from before and after a silence make no picture.
                    open.part = 0;
                    station.unanswered = station.unanswered.saturating_add(1);
                    open.time_passes(now);
                    open.is_to_halt |= self.words.must_halt(&open.seen);
                    open.ask_at = if open.is_to_halt { now } else { now.plus_ms(self.timing.poll_ms) };
                }
                Some(_) => {
                    missed(station, now);
                    if station.standing == Standing::Silent {
                        self.not_taken(now, Reason::BoardOffline);
                    }
                }
                None => missed(station, now),
            },
        }
        if news {
            self.talk.fault(fault);
        }
    }

    /// The open command waits for the picture at rest.
    fn is_checked_by_looking(&self) -> bool {
        W::CHECKS_BY_LOOKING && self.open.as_ref().is_some_and(|o| o.phase == Phase::Checking)
    }

    /// Ends the open command: proof that the motor did not turn.
    fn not_taken(&mut self, now: BootMs, reason: Reason) {
        let Some(open) = self.open.take() else { return };
        if let Some(station) = self.stations.get_mut(open.station)
            && station.standing != Standing::Silent
        {
            station.memory.next_part = 0;
            station.unsettle(now);
        }
        if !open.is_told {
            self.find(Finding::NotTaken(reason));
        }
    }

    fn on_frame(&mut self, now: BootMs, frame: &[u8]) {
        self.talk.not_before = self.talk.not_before.max(now.plus_ms(self.timing.min_gap_ms));
        let answered = self.talk.exchange.take_if(|e| {
            self.stations.get(e.station).is_some_and(|s| self.words.reply(s.wire_address, &e.question, frame).is_some())
        });
        let Some(exchange) = answered else {
            self.on_unasked(now, frame);
            return;
        };
        self.talk.tally.round_trip(now.since_ms(exchange.sent_at));
        let index = exchange.station;
        let Some(station) = self.stations.get_mut(index) else { return };
        station.unanswered = 0;
        let (wire_address, address) = (station.wire_address, station.address.get());
        if self.words.heard(wire_address, frame) {
            station.identity_parts_asked = 0;
        }
        match self.words.reply(wire_address, &exchange.question, frame) {
            Some(Answer::Look(part)) => match exchange.question {
                Question::Look(number) if !self.is_checked_by_looking() => self.on_look(now, index, number, part),
                Question::Halt => self.on_halted(now, part),
                _ => self.on_follow(now, index, part),
            },
            Some(Answer::Identity(text)) => self.find(Finding::Identity(format!("address {address}: {text}"))),
            Some(Answer::Refused(_)) if matches!(exchange.question, Question::Service(..)) => {
                self.served(Err(ServiceError::Refused));
            }
            Some(Answer::Refused(reason)) => self.not_taken(now, reason),
            Some(Answer::Reading(reading)) => self.on_reading(reading),
            Some(Answer::Taken) => {
                if let Some(open) = self.open.as_mut().filter(|o| o.phase == Phase::Following) {
                    open.seen.taken = true;
                    open.ask_at = now;
                    if !open.is_told {
                        self.find(Finding::Taken);
                    }
                }
            }
            Some(Answer::Unclear) | None => {
                if let Some(open) = &mut self.open {
                    open.ask_at = now;
                }
            }
        }
    }

    fn on_reading(&mut self, reading: Reading) {
        let Some(serving) = &mut self.serving else { return };
        serving.answered += 1;
        serving.unanswered = 0;
        let whole = match serving.reading.take() {
            Some(first) => first.joined(reading),
            None => reading,
        };
        if serving.answered >= self.words.service_parts(&serving.service) {
            self.served(Ok(whole));
        } else {
            serving.reading = Some(whole);
        }
    }

    fn served(&mut self, result: Result<Reading, ServiceError>) {
        if self.serving.take().is_some() {
            self.find(Finding::Served(result));
        }
    }

    /// A frame that answers nothing that is asked.
    fn on_unasked(&mut self, now: BootMs, frame: &[u8]) {
        let meant = |(index, s): (usize, &Station<_>)| Some((index, self.words.unasked(s.wire_address, frame)?));
        let Some((index, unasked)) = self.stations.iter().enumerate().find_map(meant) else {
            self.talk.fault(LineFault::Unexpected);
            return;
        };
        let open = self.open.as_mut().filter(|o| o.station == index && o.phase == Phase::Following);
        match (unasked, open) {
            (Unasked::Look(part), Some(_)) => {
                self.take_in(index, &part);
                if let Some(open) = &mut self.open {
                    self.words.absorb(&mut open.now, part);
                }
                self.judge(now, false);
            }
            (Unasked::Look(part), None) => self.take_in(index, &part),
            (Unasked::Changed, Some(open)) => open.ask_at = now,
            (Unasked::Changed, None) => self.look_again(now, index),
            (Unasked::Restarted, open) => {
                if let Some(open) = open {
                    open.seen.restarted = true;
                }
                self.find(Finding::BoardRestarted);
                if self.open.as_ref().is_none_or(|o| o.station != index) {
                    self.look_again(now, index);
                }
            }
        }
    }

    fn look_again(&mut self, now: BootMs, index: usize) {
        if let Some(station) = self.stations.get_mut(index) {
            station.memory.next_part = 0;
            station.unsettle(now);
        }
    }

    /// A part joins what is known of the board. A board that started anew is noticed.
    fn take_in(&mut self, index: usize, part: &W::Look) {
        let Some(station) = self.stations.get_mut(index) else { return };
        let before = station.memory.look.clone();
        self.words.absorb(&mut station.memory.look, part.clone());
        if self.words.restarted(&before, &station.memory.look) {
            if let Some(open) = self.open.as_mut().filter(|o| o.station == index) {
                open.seen.restarted = true;
            }
            self.find(Finding::BoardRestarted);
        }
    }

    /// A part of the picture at rest.
    fn on_look(&mut self, now: BootMs, index: usize, number: u8, part: W::Look) {
        self.take_in(index, &part);
        let parts = self.words.look_parts();
        let Some(station) = self.stations.get_mut(index) else { return };
        let memory = &mut station.memory;
        let was_whole = memory.is_whole;
        memory.next_part = number.saturating_add(1);
        if memory.next_part >= parts {
            memory.next_part = 0;
            memory.is_whole = true;
        }
        if !self.words.rests(&station.memory.look) {
            station.standing = Standing::Turning;
            station.idle_seen = None;
            station.ask_at = now.plus_ms(self.timing.poll_ms);
        } else if station.quiet_until > now {
            station.unsettle(now.plus_ms(self.timing.poll_ms).min(station.quiet_until));
        } else if station.memory.next_part == 0 || (was_whole && station.standing == Standing::Idle) {
            station.standing = Standing::Idle;
            station.idle_seen = (parts == 1).then_some(now);
        } else {
            station.unsettle(now);
        }
    }

    /// A part of the picture that the open command's turn changes.
    fn on_follow(&mut self, now: BootMs, index: usize, part: W::Look) {
        self.take_in(index, &part);
        let parts = self.words.follow_parts();
        let Some(open) = &mut self.open else { return };
        self.words.absorb(&mut open.now, part);
        open.part += 1;
        open.ask_at = now;
        if open.part < parts {
            return;
        }
        open.part = 0;
        open.ask_at = now.plus_ms(self.timing.poll_ms);
        match open.phase {
            Phase::Checking => self.check(now),
            Phase::Following => {
                open.seen.blind_ms = open.seen.blind_ms.max(now.since_ms(open.looked_at));
                open.looked_at = now;
                if !open.seen.restarted && self.words.restarted(&open.before, &open.now) {
                    open.seen.restarted = true;
                    self.find(Finding::BoardRestarted);
                }
                self.judge(now, false);
            }
            Phase::Ready => {}
        }
    }

    /// The motor stands still; the whole picture is asked for anew.
    fn on_halted(&mut self, now: BootMs, part: W::Look) {
        if let Some(open) = &mut self.open {
            self.words.absorb(&mut open.now, part);
            open.is_to_halt = false;
            open.part = 0;
            open.ask_at = now;
        }
    }

    /// The newest picture before the command goes out, which it will be compared with in this life.
    fn check(&mut self, now: BootMs) {
        let Some(open) = &mut self.open else { return };
        let Some(station) = self.stations.get_mut(open.station) else { return };
        let newest = station.memory.look.clone();
        let verdict = if self.words.rests(&newest) && station.quiet_until <= now {
            self.words.ready(&open.before, &newest, &open.turn)
        } else {
            Err(Reason::Busy)
        };
        match verdict {
            Ok(()) => {
                open.phase = Phase::Ready;
                open.ask_at = now;
                open.before = newest;
                open.now = W::Look::default();
                open.seen.restarted = false;
            }
            Err(reason) => self.not_taken(now, reason),
        }
    }

    /// What the pictures say of the command by now.
    fn judge(&mut self, now: BootMs, is_over: bool) {
        let Some(open) = &mut self.open else { return };
        open.seen.is_over = is_over;
        open.time_passes(now);
        let station = self.stations.get(open.station);
        open.seen.is_silent = station.is_none_or(|s| s.unanswered > 0);
        let owes_answer = W::MISSING_ANSWERS_ARE_FEARED && station.is_none_or(|s| s.memory.owes_answer);
        let verdict = self.words.judge(&open.turn, &open.before, &open.now, &open.seen);
        let verdict = if owes_answer { open.only_if_said_twice(verdict) } else { verdict };
        match open.only_if_seen_since(verdict) {
            Verdict::Turning => {
                let is_news = !std::mem::replace(&mut open.seen.turning, true);
                open.seen.was_silent = false;
                if is_news && !open.is_told {
                    self.find(Finding::Progress(PROGRESS_TURNING));
                }
            }
            Verdict::Waiting => {}
            Verdict::Halt => {
                open.is_to_halt = true;
                open.ask_at = now;
            }
            Verdict::Ended(evidence) => {
                self.words.ended(&open.turn, &open.now);
                let (address, slot) = (open.turn.command.address, Some(open.turn.command.slot));
                let finding =
                    if open.is_told { Finding::Late { address, slot, evidence } } else { Finding::Outcome(evidence) };
                self.is_held = true;
                self.find(finding);
                self.put_aside(now);
                return;
            }
            Verdict::CannotTell(why) => {
                self.tell_unproven(why);
                if W::HOST_ENDS_TURN {
                    return self.stand_still(now);
                }
            }
        }
        if is_over {
            self.tell_unproven("the board did not tell the result within the longest vend time");
        }
        self.let_go(now, is_over);
    }

    fn tell_unproven(&mut self, why: &'static str) {
        if let Some(open) = self.open.as_mut().filter(|o| !o.is_told) {
            open.is_told = true;
            self.find(Finding::Unproven(why));
        }
    }

    /// A command that ended without proof is watched until it can no longer meet another.
    fn let_go(&mut self, now: BootMs, is_over: bool) {
        let longest_vend_ms = self.timing.longest_vend_ms;
        let may_go = self.open.as_ref().is_some_and(|open| {
            let is_quiet = self.words.rests(&open.now) && open.quiet_from(longest_vend_ms) <= now;
            open.is_told && (is_over || is_quiet)
        });
        if may_go {
            self.put_aside(now);
        }
    }

    /// Where the host ends a turn, one that cannot be judged is not watched: the picture at rest stops whatever turns.
    fn stand_still(&mut self, now: BootMs) {
        if let Some(open) = &self.open
            && let Some(station) = self.stations.get_mut(open.station)
        {
            station.quiet_until = station.quiet_until.max(open.quiet_from(self.timing.longest_vend_ms));
        }
        self.put_aside(now);
    }

    /// The open command is over: its board is settled again if it rests.
    fn put_aside(&mut self, now: BootMs) {
        let Some(open) = self.open.take() else { return };
        let Some(station) = self.stations.get_mut(open.station) else { return };
        let rests = open.looked_at == now && self.words.rests(&station.memory.look);
        if rests && station.memory.is_whole && station.quiet_until <= now {
            station.standing = Standing::Idle;
            station.idle_seen = (self.words.look_parts() == 1).then_some(now);
        } else {
            station.memory.next_part = 0;
            station.unsettle(now);
        }
    }
}

/// A board left a question unanswered. What it said is old when it is heard again.
fn missed<L: Default>(station: &mut Station<Memory<L>>, now: BootMs) {
    station.missed(now);
    if station.standing == Standing::Silent {
        station.memory.next_part = 0;
        station.memory.is_whole = false;
    }
}

impl<W: Words> Driver for Asked<W> {
    fn opened(&mut self, now: BootMs) {
        self.talk.is_open = true;
        // An earlier life's question may still be answered.
        let drain_ms = if W::REPLIES_ARE_ANONYMOUS { self.timing.reply_ms } else { 0 };
        self.talk.not_before = now.plus_ms(self.timing.min_gap_ms.max(drain_ms));
        // What it changes yet must not look like the next command's doing.
        let may_still_turn = std::mem::take(&mut self.may_still_turn) && !sabotage::is_out(Clause::R16AwaitedAsked);
        // An earlier life may have asked what is still to be answered.
        let resumed = self.open.as_ref().map(|open| open.station);
        for (index, station) in self.stations.iter_mut().enumerate() {
            station.memory.owes_answer = resumed == Some(index);
            if may_still_turn {
                station.quiet_until = now.plus_ms(self.timing.longest_vend_ms);
            }
            station.idle_seen = None;
            station.unanswered = 0;
            station.identity_parts_asked = 0;
            station.memory.next_part = 0;
            station.memory.is_whole = false;
            station.unsettle(now);
        }
        if let Some(open) = &mut self.open {
            open.opened(now, self.timing.longest_vend_ms, W::HOST_ENDS_TURN);
        }
        if self.class == RecoveryClass::None
            && let Some(open) = self.open.take_if(|o| o.seen.resumed)
        {
            if let Some(station) = self.stations.get_mut(open.station) {
                let longest_vend_ms = self.timing.longest_vend_ms;
                let rest_ms = if W::TELLS_REST { START_GRACE_MS } else { longest_vend_ms };
                station.quiet_until = now.plus_ms(rest_ms);
            }
            if !open.is_told {
                self.find(Finding::Unproven("this board remembers nothing"));
            }
        }
        self.advance(now);
    }

    fn closed(&mut self, now: BootMs) {
        let motor_unsent = self.talk.unqueue_writes();
        self.talk.close();
        if self.open.as_ref().is_some_and(|o| motor_unsent || o.phase != Phase::Following) {
            self.not_taken(now, Reason::BoardOffline);
        }
        self.served(Err(ServiceError::NoAnswer));
    }

    fn received(&mut self, now: BootMs, read_at: BootMs, bytes: &[u8]) {
        if !self.talk.is_listening(read_at, bytes) {
            return;
        }
        for piece in Talk::<Question>::pieces(bytes) {
            self.talk.push(piece);
            while let Some(frame) = self.talk.take_frame(|bytes| self.words.fit(bytes)) {
                self.on_frame(now, &frame);
            }
            self.talk.trim();
        }
        self.advance(now);
    }

    fn wake(&mut self, now: BootMs) {
        self.advance(now);
    }

    fn deadline(&self) -> Option<BootMs> {
        let patience = self.open.as_ref().filter(|o| o.phase == Phase::Following).map(|o| o.over_at);
        self.talk.due(self.next_question().map(|(due, ..)| due), patience)
    }

    fn state(&self) -> LineState {
        match &self.open {
            _ if !self.talk.is_open => LineState::Closed,
            _ if self.is_held => LineState::Held,
            Some(open) if open.is_told => LineState::Settling,
            Some(_) => LineState::Busy,
            None if self.serving.is_some() => LineState::Busy,
            None if station::all_settled(&self.stations) => LineState::Idle,
            None => LineState::Settling,
        }
    }

    fn is_silent(&self) -> bool {
        self.talk.is_silent(self.state())
    }

    fn reference(&self, command: &MotorCommand) -> Reference {
        let heard = self
            .turn_of(command)
            .and_then(|(index, turn)| Some((self.stations.get(index)?, turn)))
            .filter(|(station, _)| station.standing == Standing::Idle);
        Reference(match heard {
            Some((station, turn)) => [vec![HEARD_IDLE], self.words.keep(&station.memory.look, &turn)].concat(),
            None => vec![NOT_HEARD],
        })
    }

    fn drive(&mut self, now: BootMs, command: &MotorCommand, reference: &Reference) {
        let Some((index, turn)) = self.turn_of(command) else {
            return self.find(Finding::NotTaken(Reason::Slot));
        };
        let kept = match reference.0.split_first() {
            Some((&HEARD_IDLE, kept)) if self.talk.is_open => self.words.kept(kept, &turn),
            _ => None,
        };
        let Some(kept) = kept else { return self.find(Finding::NotTaken(Reason::BoardOffline)) };
        if self.open.is_some() || self.is_held {
            return self.find(Finding::NotTaken(Reason::Busy));
        }
        let Some(station) = self.stations.get(index) else { return };
        let is_fresh = station.standing == Standing::Idle
            && station.idle_seen.is_some_and(|seen| now.since_ms(seen) < FRESH_IDLE_MS);
        self.open = Some(Open::new(index, turn, now, kept));
        if is_fresh {
            self.check(now);
        }
        self.advance(now);
    }

    fn last_reference(&mut self, reference: &Reference) {
        if let Some((&HEARD_IDLE, kept)) = reference.0.split_first() {
            self.words.last_kept(kept);
        }
    }

    fn may_still_turn(&mut self) {
        self.may_still_turn = !W::TELLS_REST;
    }

    fn resume(&mut self, now: BootMs, command: &MotorCommand, reference: &Reference) {
        let Some((index, turn)) = self.turn_of(command) else {
            return self.find(Finding::Unproven("the profile no longer has the command's address or slot"));
        };
        let kept = match reference.0.split_first() {
            // `drive` wrote nothing for such a command, and never would have.
            Some((&NOT_HEARD, [])) => return self.find(Finding::NotTaken(Reason::BoardOffline)),
            Some((&HEARD_IDLE, kept)) => self.words.kept(kept, &turn),
            _ => None,
        };
        match kept {
            Some(kept) => {
                let mut open = Open::new(index, turn, now, kept);
                open.resumed(now, self.timing.longest_vend_ms);
                self.open = Some(open);
            }
            None => {
                if let Some(station) = self.stations.get_mut(index) {
                    station.quiet_until = now.plus_ms(self.timing.longest_vend_ms);
                }
                self.find(Finding::Unproven("what the board said before the command is not known"));
            }
        }
    }

    fn motor_written(&mut self, now: BootMs, written: Written) {
        let driving = self.talk.exchange.as_ref().is_some_and(|e| matches!(e.question, Question::Drive(_)));
        let unheard =
            |o: &Open<W::Look>| o.phase == Phase::Following && !(o.seen.resumed || o.seen.taken || o.seen.turning);
        match written {
            Written::Nothing if self.open.as_ref().is_some_and(unheard) => {
                if driving {
                    self.talk.exchange = None;
                }
                self.not_taken(now, Reason::BoardOffline);
            }
            Written::All | Written::Some => {
                if let Some(open) = self.open.as_mut().filter(|o| !o.seen.resumed) {
                    open.seen.cut_short |= written == Written::Some;
                }
                if let Some(exchange) = self.talk.exchange.as_mut().filter(|_| driving) {
                    let reply_ms = self.words.drive_reply_ms(&self.timing).unwrap_or(self.timing.reply_ms);
                    exchange.deadline = now.plus_ms(reply_ms);
                }
            }
            Written::Nothing => {}
        }
        self.advance(now);
    }

    fn give_up(&mut self, now: BootMs) {
        // Nothing may turn for a command that has ended.
        if self.talk.has_motor_queued() {
            self.talk.unqueue_writes();
            self.talk.exchange = None;
            self.put_aside(now);
        } else if let Some(open) = &mut self.open {
            open.is_told = true;
            if open.phase != Phase::Following {
                self.put_aside(now);
            }
        }
        self.advance(now);
    }

    fn release(&mut self, now: BootMs) {
        self.is_held = false;
        self.advance(now);
    }

    fn serves(&self, service: &Service) -> bool {
        self.stations.iter().any(|s| s.address == service.address()) && self.words.serves(service)
    }

    fn serve(&mut self, now: BootMs, service: &Service) {
        match self.stations.iter().position(|s| s.address == service.address()) {
            Some(station) if self.state() == LineState::Idle && self.words.serves(service) => {
                self.serving = Some(Serving::new(station, *service));
                self.advance(now);
            }
            Some(_) if self.words.serves(service) => self.find(Finding::Served(Err(ServiceError::Busy))),
            _ => self.find(Finding::Served(Err(ServiceError::NotOffered))),
        }
    }

    fn tally(&self) -> Tally {
        self.talk.tally
    }

    fn next_output(&mut self) -> Option<Output> {
        self.talk.outputs.pop_front()
    }
}
