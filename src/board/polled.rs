//! The conversation of the families whose host asks and whose boards answer: one question at a time on a shared
//! line, a status that is polled, a motor command that is sent once. What stands on the wire is the family's
//! [`Protocol`]; when to say it, and what an answer or silence proves, is decided here.

use super::driver::{
    Address, Driver, Finding, LineFault, LineState, MotorCommand, Output, RecoveryClass, Reference, Slot, Tally,
    Written,
};
use super::profile::{Profile, Timing};
use super::protocol::{Protocol, Reply, Request, Status, Turn};
use super::service::{Reading, Service, ServiceError};
use super::station::{self, Standing, Station};
use super::talk::{
    FRESH_IDLE_MS, HEARD_IDLE, NOT_HEARD, PROGRESS_TURNING, START_GRACE_MS, Saying, Serving, Talk, WATCH_MS,
};
use crate::order::outcome::Reason;
use crate::order::time::BootMs;
use crate::sabotage::{self, Clause};
use under_way::{Memory, Open, Phase};

mod under_way;

/// The driver of a family whose host asks.
pub struct Polled<P> {
    protocol: P,
    class: RecoveryClass,
    timing: Timing,
    stations: Vec<Station<Memory>>,
    open: Option<Open>,
    /// The station whose finding is not yet released.
    held: Option<usize>,
    serving: Option<Serving>,
    /// Until then the answer to a question that was given up may come: no service is asked, since it could be taken
    /// for its answer.
    late_until: BootMs,
    /// The same for the answer to a service, which could be taken for a status: nothing is asked and nothing believed.
    service_late_until: BootMs,
    /// The port went away while a service waited for its answer, or an earlier life may have.
    service_cut: bool,
    talk: Talk<Request>,
    watch_at: BootMs,
    watch_next: usize,
}

impl<P: Protocol> Polled<P> {
    /// The driver of this profile's board, before the port was opened.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        let memory = || Memory { drop_mode: None, drop_check: profile.defaults.drop_check, result: None };
        Polled {
            protocol: P::new(profile),
            class: profile.recovery_class,
            timing: profile.timing,
            stations: Station::all(profile, memory),
            open: None,
            held: None,
            serving: None,
            late_until: BootMs(0),
            service_late_until: BootMs(0),
            service_cut: true,
            talk: Talk::new(),
            watch_at: BootMs(0),
            watch_next: 0,
        }
    }

    fn find(&mut self, finding: Finding) {
        self.talk.find(finding);
    }

    fn station_of(&self, address: Address) -> Option<usize> {
        self.stations.iter().position(|s| s.address == address)
    }

    fn turn_of(&self, command: &MotorCommand) -> Option<(usize, Turn)> {
        let slot = u8::try_from(command.slot.0).ok()?;
        Some((self.station_of(command.address)?, Turn { slot, command: *command }))
    }

    /// What is asked next and when; nothing while a finding is held, since a question may clear another result.
    fn next_request(&self) -> Option<(BootMs, usize, Request)> {
        if self.held.is_some() {
            return None;
        }
        if let Some(open) = &self.open {
            let request = match open.phase {
                Phase::Checking | Phase::Following => Request::Status,
                Phase::Arming => Request::DropMode(open.turn.command.drop_check),
                Phase::Ready => Request::Drive(open.turn),
            };
            return Some((open.ask_at, open.station, request));
        }
        if let Some(serving) = &self.serving {
            return Some((self.late_until, serving.station, Request::Service(serving.service)));
        }
        if let Some((index, station)) = station::unsettled(&self.stations) {
            let request = if station.standing == Standing::Releasing { Request::Forget } else { Request::Status };
            return Some((station.ask_at, index, request));
        }
        if let Some((index, station)) = station::anonymous(&self.stations, P::IDENTITY_PARTS) {
            return Some((BootMs(0), index, Request::Identity(station.identity_parts_asked)));
        }
        Some((self.watch_at, self.watch_next, Request::Status))
    }

    fn send(&mut self, now: BootMs, index: usize, request: Request) {
        let count = self.stations.len();
        let Some(station) = self.stations.get_mut(index) else { return };
        match request {
            Request::Identity(part) => station.identity_parts_asked = part.saturating_add(1),
            Request::Status => self.watch_next = (index + 1) % count,
            Request::Drive(_) => {
                if let Some(open) = &mut self.open {
                    open.phase = Phase::Following;
                    open.sent_at = now;
                    open.unproven_at = now.plus_ms(self.timing.longest_vend_ms);
                }
            }
            Request::DropMode(_) | Request::Forget | Request::Service(_) => {}
        }
        let bytes = self.protocol.request(station.wire_address, &request);
        let served_before = self.serving.as_ref().is_some_and(|s| s.unanswered > 0);
        let again = station.unanswered > 0 || served_before;
        let motor = matches!(request, Request::Drive(_));
        let saying = Saying { station: index, question: request, bytes, motor, again, echoes: false };
        self.talk.say(now, saying, self.timing.reply_ms);
        self.watch_at = now.plus_ms(WATCH_MS);
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
        if let Some(open) = self.open.take_if(|o| o.phase == Phase::Following && o.unproven_at <= now) {
            match open.failed {
                Some(result) => self.outcome(open, result),
                None => self.unproven(now, open, "the board did not tell the result within the longest vend time"),
            }
        }
        if let Some((due, index, request)) = self.next_request()
            && due.max(self.talk.not_before) <= now
        {
            self.send(now, index, request);
        }
    }

    fn unanswered(&mut self, now: BootMs) {
        let Some((exchange, fault)) = self.talk.unanswered(|bytes| self.protocol.fit(bytes)) else { return };
        self.talk.not_before = now.plus_ms(self.pause_ms());
        self.late_until = now.plus_ms(self.timing.reply_ms);
        if matches!(exchange.question, Request::Service(_)) {
            self.expect_a_late_service(now);
        }
        let Some(station) = self.stations.get_mut(exchange.station) else { return };
        // A board that is known to be absent is no news each time.
        let news = station.standing != Standing::Silent;
        // It may have lost its power, and its mode with it.
        station.memory.drop_mode = None;
        let open = self.open.as_mut().filter(|o| o.station == exchange.station);
        match (exchange.question, open) {
            (Request::Identity(_), _) => {}
            (Request::Service(_), _) => {
                if let Some(serving) = &mut self.serving {
                    serving.unanswered += 1;
                    if serving.unanswered >= station.tries {
                        station.missed(now);
                        self.served(Err(ServiceError::NoAnswer));
                    }
                }
            }
            (Request::Forget, _) => station.unsettle(now),
            (Request::Drive(_), Some(open)) if sabotage::is_out(Clause::R15NotResentPolled) => {
                open.phase = Phase::Ready;
                open.ask_at = now;
            }
            (Request::Drive(_), Some(open)) => open.ask_at = now,
            (Request::Drive(_), None) => station.unsettle(now),
            (Request::Status | Request::DropMode(_), Some(open)) if open.phase == Phase::Following => {
                open.ask_at = now.plus_ms(self.timing.poll_ms);
            }
            (Request::Status | Request::DropMode(_), Some(_)) => {
                station.missed(now);
                if station.standing == Standing::Silent {
                    self.not_taken(now, Reason::BoardOffline);
                }
            }
            (Request::Status | Request::DropMode(_), None) => station.missed(now),
        }
        if news {
            self.talk.fault(fault);
        }
    }

    /// A service may be answered although nobody waits for it any more.
    fn expect_a_late_service(&mut self, now: BootMs) {
        self.service_late_until = now.plus_ms(self.timing.reply_ms.max(self.pause_ms()));
        self.talk.not_before = self.talk.not_before.max(self.service_late_until);
    }

    /// How long the line is left alone while an old answer may come.
    fn pause_ms(&self) -> u64 {
        let drains = P::REPLIES_ARE_ANONYMOUS && !sabotage::is_out(Clause::R16Drained);
        let drain_ms = if drains { self.timing.reply_ms } else { 0 };
        self.timing.min_gap_ms.max(drain_ms)
    }

    /// Ends the open command: proof that the motor did not turn.
    fn not_taken(&mut self, now: BootMs, reason: Reason) {
        if let Some(open) = self.open.take() {
            if let Some(station) = self.stations.get_mut(open.station)
                && station.standing != Standing::Silent
            {
                station.unsettle(now);
            }
            self.find(Finding::NotTaken(reason));
        }
    }

    /// Ends the open command: it is known what became of it.
    fn outcome(&mut self, open: Open, result: u16) {
        let evidence = self.protocol.evidence(result, open.turn.command.drop_check);
        self.held = Some(open.station);
        self.find(Finding::Outcome(evidence));
    }

    /// Ends the open command: nothing more can be proven.
    fn unproven(&mut self, now: BootMs, open: Open, why: &'static str) {
        self.abandon(now, &open);
        self.find(Finding::Unproven(why));
    }

    /// From now on the open command's turn is only watched for, until it can no longer meet another.
    fn abandon(&mut self, now: BootMs, open: &Open) {
        if let Some(station) = self.stations.get_mut(open.station) {
            station.quiet_until = match (open.seen_turning, open.resumed) {
                _ if open.phase != Phase::Following || sabotage::is_out(Clause::R16AwaitedPolled) => now,
                (true, _) => now,
                (false, true) => now.plus_ms(START_GRACE_MS),
                (false, false) => open.sent_at.plus_ms(self.timing.longest_vend_ms),
            };
            // A result that is gone may mean that the board started anew (rule 20), and lost its mode with it.
            station.memory.drop_mode = None;
            station.unsettle(now);
        }
    }

    fn on_frame(&mut self, now: BootMs, frame: &[u8]) {
        let answered = self.talk.exchange.take_if(|e| {
            self.stations
                .get(e.station)
                .is_some_and(|s| self.protocol.reply(s.wire_address, &e.question, frame).is_some())
        });
        let Some(exchange) = answered else {
            self.on_late_frame(now, frame);
            return;
        };
        self.talk.not_before = now.plus_ms(self.timing.min_gap_ms);
        self.talk.tally.round_trip(now.since_ms(exchange.sent_at));
        let Some(station) = self.stations.get_mut(exchange.station) else { return };
        station.unanswered = 0;
        let address = station.address.get();
        match self.protocol.reply(station.wire_address, &exchange.question, frame) {
            Some(Reply::Status(status)) => self.on_status(now, exchange.station, status),
            Some(Reply::Identity(text)) => self.find(Finding::Identity(format!("address {address}: {text}"))),
            Some(Reply::Refused(_)) if matches!(exchange.question, Request::Service(_)) => {
                self.served(Err(ServiceError::Refused));
            }
            Some(Reply::Refused(reason)) => self.not_taken(now, reason),
            Some(Reply::Reading(reading)) => self.served(Ok(reading)),
            Some(Reply::Accepted) => self.accepted(now),
            Some(Reply::Failed(result)) => {
                if let Some(open) = &mut self.open {
                    // The status may know more; if it does not, this is the result.
                    open.failed = Some(result);
                    open.ask_at = now;
                }
            }
            Some(Reply::Done) => match (exchange.question, &mut self.open) {
                (Request::DropMode(on), open) => {
                    station.memory.drop_mode = Some(on);
                    if let Some(open) = open {
                        open.phase = Phase::Ready;
                        open.ask_at = now;
                    }
                }
                _ => station.unsettle(now),
            },
            Some(Reply::Unclear) | None => {
                if let Some(open) = &mut self.open {
                    open.ask_at = now;
                }
            }
        }
    }

    fn served(&mut self, result: Result<Reading, ServiceError>) {
        if self.serving.take().is_some() {
            self.find(Finding::Served(result));
        }
    }

    fn accepted(&mut self, now: BootMs) {
        if let Some(open) = &mut self.open {
            open.taken = true;
            open.ask_at = now.plus_ms(self.timing.poll_ms);
            self.find(Finding::Taken);
        }
    }

    /// A frame that answers nothing that is asked. Two are worth more than a fault: the acceptance of the open
    /// command, and a result that its reading has cleared, since it can never be read again.
    fn on_late_frame(&mut self, now: BootMs, frame: &[u8]) {
        self.talk.fault(LineFault::Unexpected);
        let driving = self.talk.exchange.as_ref().is_some_and(|e| matches!(e.question, Request::Drive(_)));
        if driving || self.held.is_some() || now < self.service_late_until {
            return;
        }
        if let Some(open) = &self.open
            && open.phase == Phase::Following
            && !(open.resumed || open.taken)
            && let Some(station) = self.stations.get(open.station)
            && self.protocol.reply(station.wire_address, &Request::Drive(open.turn), frame) == Some(Reply::Accepted)
        {
            self.accepted(now);
            return;
        }
        if P::HOLDS_RESULT || P::REPLIES_ARE_ANONYMOUS {
            return;
        }
        let open_station = self.open.as_ref().map(|o| o.station);
        let asked = |&(index, _): &(usize, &Station<Memory>)| open_station.is_none_or(|open| open == index);
        let read = self.stations.iter().enumerate().filter(asked).find_map(|(index, s)| {
            match self.protocol.reply(s.wire_address, &Request::Status, frame) {
                Some(Reply::Status(status @ Status::Finished(..))) => Some((index, status)),
                _ => None,
            }
        });
        if let Some((index, status)) = read {
            self.on_status(now, index, status);
        }
    }

    fn on_status(&mut self, now: BootMs, index: usize, status: Status) {
        match self.open.take() {
            Some(open) if open.phase != Phase::Following => self.check(now, open, index, status),
            Some(open) if open.station == index => self.follow(now, open, status),
            open => {
                self.open = open;
                self.settle(now, index, status);
            }
        }
    }

    /// A status while the motor command is not yet written.
    fn check(&mut self, now: BootMs, mut open: Open, index: usize, status: Status) {
        let ours = open.station == index;
        if sabotage::is_out(Clause::R14FoundBeforeIsFormer)
            && let Status::Finished(_, result) = status
        {
            self.outcome(open, result);
            return;
        }
        let quiet = self.stations.get(index).is_some_and(|s| s.quiet_until <= now);
        let goes_on = match status {
            Status::Idle => quiet || !ours,
            Status::Turning(_) => !ours,
            // A result found now is an older turn's. Were the command sent, the two could be confused.
            Status::Finished(..) => false,
        };
        if goes_on {
            if ours && open.phase == Phase::Checking {
                open.phase = self.after_check(&open);
                open.ask_at = now;
            }
            self.open = Some(open);
        } else {
            self.find(Finding::NotTaken(Reason::Busy));
        }
        self.settle(now, index, status);
    }

    fn after_check(&self, open: &Open) -> Phase {
        let set = self.stations.get(open.station).and_then(|s| s.memory.drop_mode);
        if self.protocol.has_drop_mode() && set != Some(open.turn.command.drop_check) {
            Phase::Arming
        } else {
            Phase::Ready
        }
    }

    /// A status of the open command's board after the command was written.
    fn follow(&mut self, now: BootMs, mut open: Open, status: Status) {
        let ours = |slot: Option<Slot>| slot.is_none_or(|s| s == Slot(u16::from(open.turn.slot)));
        open.ask_at = now.plus_ms(self.timing.poll_ms);
        let why = match status {
            Status::Turning(slot) if ours(slot) => {
                if !open.seen_turning {
                    open.seen_turning = true;
                    self.find(Finding::Progress(PROGRESS_TURNING));
                }
                self.open = Some(open);
                return;
            }
            Status::Finished(slot, result) if ours(slot) => {
                if let Some(station) = self.stations.get_mut(open.station) {
                    station.memory.result = Some(status);
                }
                self.outcome(open, result);
                return;
            }
            Status::Idle if let Some(result) = open.failed => {
                self.outcome(open, result);
                return;
            }
            Status::Idle if !open.seen_turning && now < self.idle_proves_nothing_until(&open) => {
                self.open = Some(open);
                return;
            }
            Status::Idle
                if open.resumed && sabotage::is_out(Clause::R17IdleProvesNothing)
                    || open.seen_turning && sabotage::is_out(Clause::R20IdleAfterTurning) =>
            {
                self.open = Some(open);
                self.not_taken(now, Reason::BoardOffline);
                return;
            }
            Status::Idle if open.resumed => "the board is idle: the result is gone, or the command never came",
            Status::Idle if open.seen_turning => "the board was turning and is idle without a result",
            Status::Idle => "the board is idle after the command was written",
            Status::Turning(_) | Status::Finished(..) => "the board is at another slot",
        };
        let index = open.station;
        self.unproven(now, open, why);
        self.settle(now, index, status);
    }

    fn idle_proves_nothing_until(&self, open: &Open) -> BootMs {
        match (open.resumed, open.taken || !P::UNANSWERED_WAITS_LONGEST_VEND) {
            (true, _) => BootMs(0),
            (false, true) => open.sent_at.plus_ms(START_GRACE_MS),
            (false, false) => open.unproven_at,
        }
    }

    /// A status that belongs to no open command.
    fn settle(&mut self, now: BootMs, index: usize, status: Status) {
        let Some(station) = self.stations.get_mut(index) else { return };
        let later = now.plus_ms(self.timing.poll_ms);
        match status {
            Status::Idle => {
                station.memory.result = None;
                station.idle_seen = Some(now);
                if station.quiet_until <= now {
                    station.standing = Standing::Idle;
                } else {
                    station.unsettle(later.min(station.quiet_until));
                }
            }
            Status::Turning(_) => {
                station.standing = Standing::Turning;
                station.idle_seen = None;
                station.ask_at = later;
            }
            // Told and durable already: the board has not heard that it may forget it.
            Status::Finished(..) if P::HOLDS_RESULT && station.memory.result == Some(status) => {
                station.standing = Standing::Releasing;
                station.ask_at = later;
            }
            Status::Finished(slot, result) => {
                station.memory.result = Some(status);
                station.unsettle(now);
                let (address, drop_check) = (station.address, station.memory.drop_check);
                let evidence = self.protocol.evidence(result, drop_check);
                self.held = Some(index);
                self.find(Finding::Late { address, slot, evidence });
            }
        }
    }
}

impl<P: Protocol> Driver for Polled<P> {
    fn opened(&mut self, now: BootMs) {
        self.talk.is_open = true;
        // An earlier life's question may still be answered.
        self.talk.not_before = now.plus_ms(self.pause_ms());
        if std::mem::take(&mut self.service_cut) {
            self.expect_a_late_service(now);
        }
        for station in &mut self.stations {
            station.memory.drop_mode = None;
            station.idle_seen = None;
            station.unanswered = 0;
            station.identity_parts_asked = 0;
            if station.standing == Standing::Releasing {
                station.ask_at = now;
            } else {
                station.unsettle(now);
            }
        }
        if let Some(open) = &mut self.open {
            open.ask_at = now;
            open.unproven_at = now.plus_ms(self.timing.longest_vend_ms);
        }
        if self.class == RecoveryClass::None
            && let Some(open) = self.open.take_if(|o| o.resumed)
        {
            self.unproven(now, open, "this board remembers nothing");
        }
        self.advance(now);
    }

    fn closed(&mut self, now: BootMs) {
        let motor_unsent = self.talk.unqueue_writes();
        self.talk.close();
        let proven = motor_unsent || sabotage::is_out(Clause::R18LostPortProvesNothing);
        if self.open.as_ref().is_some_and(|o| proven || o.phase != Phase::Following) {
            self.not_taken(now, Reason::BoardOffline);
        }
        self.service_cut |= self.serving.is_some();
        self.served(Err(ServiceError::NoAnswer));
    }

    fn received(&mut self, now: BootMs, read_at: BootMs, bytes: &[u8]) {
        if !self.talk.is_listening(read_at, bytes) {
            return;
        }
        for piece in Talk::<Request>::pieces(bytes) {
            self.talk.push(piece);
            while let Some(frame) = self.talk.take_frame(|bytes| self.protocol.fit(bytes)) {
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
        let patience = self.open.as_ref().filter(|o| o.phase == Phase::Following).map(|o| o.unproven_at);
        self.talk.due(self.next_request().map(|(due, ..)| due), patience)
    }

    fn state(&self) -> LineState {
        match () {
            () if !self.talk.is_open => LineState::Closed,
            () if self.held.is_some() && !sabotage::is_out(Clause::R14IntentAfterRelease) => LineState::Held,
            () if self.open.is_some() || self.serving.is_some() => LineState::Busy,
            () if station::all_settled(&self.stations) => LineState::Idle,
            () => LineState::Settling,
        }
    }

    fn is_silent(&self) -> bool {
        self.talk.is_silent(self.state())
    }

    fn reference(&self, command: &MotorCommand) -> Reference {
        let station = self.station_of(command.address).and_then(|index| self.stations.get(index));
        let heard = station.is_some_and(|s| s.standing == Standing::Idle);
        Reference(vec![if heard { HEARD_IDLE } else { NOT_HEARD }])
    }

    fn drive(&mut self, now: BootMs, command: &MotorCommand, reference: &Reference) {
        let Some((index, turn)) = self.turn_of(command) else {
            return self.find(Finding::NotTaken(Reason::Slot));
        };
        if !self.talk.is_open || reference.0 == [NOT_HEARD] {
            return self.find(Finding::NotTaken(Reason::BoardOffline));
        }
        if self.open.is_some() || self.held.is_some() {
            return self.find(Finding::NotTaken(Reason::Busy));
        }
        let Some(station) = self.stations.get_mut(index) else { return };
        station.memory.drop_check = command.drop_check;
        let fresh = station.standing == Standing::Idle
            && station.idle_seen.is_some_and(|seen| now.since_ms(seen) < FRESH_IDLE_MS);
        if !fresh {
            // It may have restarted unseen, and lost its mode.
            station.memory.drop_mode = None;
        }
        let mut open = Open {
            station: index,
            turn,
            phase: Phase::Checking,
            ask_at: now,
            resumed: false,
            sent_at: now,
            taken: false,
            seen_turning: false,
            failed: None,
            unproven_at: now,
        };
        if fresh {
            open.phase = self.after_check(&open);
        }
        self.open = Some(open);
        self.advance(now);
    }

    fn resume(&mut self, now: BootMs, command: &MotorCommand, reference: &Reference) {
        if reference.0 == [NOT_HEARD] {
            // `drive` wrote nothing for such a command, and never would have.
            return self.find(Finding::NotTaken(Reason::BoardOffline));
        }
        let Some((index, turn)) = self.turn_of(command) else {
            return self.find(Finding::Unproven("the profile no longer has the command's address or slot"));
        };
        if let Some(station) = self.stations.get_mut(index) {
            station.memory.drop_check = command.drop_check;
        }
        // The life that had this intent had drained the line of its services before, and has begun none since.
        self.service_cut = false;
        self.open = Some(Open {
            station: index,
            turn,
            phase: Phase::Following,
            ask_at: now,
            resumed: true,
            sent_at: now,
            taken: false,
            seen_turning: false,
            failed: None,
            unproven_at: now.plus_ms(self.timing.longest_vend_ms),
        });
    }

    fn motor_written(&mut self, now: BootMs, written: Written) {
        let written = match written {
            Written::Some if sabotage::is_out(Clause::R18SomeMayBeHeard) => Written::Nothing,
            told => told,
        };
        let driving = self.talk.exchange.as_ref().is_some_and(|e| matches!(e.question, Request::Drive(_)));
        let unheard = |o: &Open| o.phase == Phase::Following && !(o.resumed || o.taken || o.seen_turning);
        match written {
            Written::Nothing if self.open.as_ref().is_some_and(unheard) => {
                if driving {
                    self.talk.exchange = None;
                }
                self.not_taken(now, Reason::BoardOffline);
            }
            Written::All | Written::Some => {
                if let Some(exchange) = self.talk.exchange.as_mut().filter(|_| driving) {
                    exchange.deadline = now.plus_ms(self.timing.reply_ms);
                }
            }
            Written::Nothing => {}
        }
        self.advance(now);
    }

    fn give_up(&mut self, now: BootMs) {
        if let Some(open) = self.open.take() {
            self.abandon(now, &open);
            // Nothing may turn for a command that has ended.
            if self.talk.has_motor_queued() {
                self.talk.unqueue_writes();
                self.talk.exchange = None;
            }
        }
        self.advance(now);
    }

    fn release(&mut self, now: BootMs) {
        if let Some(station) = self.held.take().and_then(|index| self.stations.get_mut(index)) {
            station.unsettle(now);
            if P::HOLDS_RESULT {
                station.standing = Standing::Releasing;
            }
        }
        self.advance(now);
    }

    fn serves(&self, service: &Service) -> bool {
        self.station_of(service.address()).is_some() && self.protocol.serves(service)
    }

    fn serve(&mut self, now: BootMs, service: &Service) {
        match self.station_of(service.address()) {
            Some(station) if self.state() == LineState::Idle && self.protocol.serves(service) => {
                self.serving = Some(Serving::new(station, *service));
                self.advance(now);
            }
            Some(_) if self.protocol.serves(service) => self.find(Finding::Served(Err(ServiceError::Busy))),
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

#[cfg(test)]
mod tests;
