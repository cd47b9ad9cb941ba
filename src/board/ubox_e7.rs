//! `ubox-e7`: UBox / EasiVend VMC (boards.md, B). The board polls and the host speaks only in answer, with the number
//! of what it answers. Class 3: the board counts what it has sold and forgets no count without power.
//!
//! **Numbers.** The host has none of its own, so nothing about them is journaled. The same number from the board is the
//! same message: it is acknowledged again and is never a second finding.
//!
//! **While it vends** the board asks for no answer, so a poll says that nothing turns. A result is told three times,
//! 1.5 s apart; then it goes into the board's log, and the board sells offline until a poll is answered.
//!
//! **What proves what.** The result itself, by slot, class and a cost of 0. Otherwise the counter of vends of our class,
//! which only our commands move (a sale by the keypad has another): one more than before the command is a success.
//! The same as before is a failure only for a driver that was there all the time, without a restart of the board, a gap
//! in its numbers or noise: a board that lost its power in mid-turn has counted nothing either. Everything else is
//! unknown. The log names neither class nor outcome, so it proves nothing by itself; it is drained, so that it does not
//! overflow, and a vend in it that could be ours forbids to call ours a failure.
//!
//! Its codes are the constants of [`wire`], each with its meaning; what its reports hold is read in [`told`].

mod hear;
pub mod told;
pub mod wire;

use super::driver::{
    Address, Driver, Finding, LineFault, LineState, MotorCommand, Output, RecoveryClass, Reference, Tally, Write,
    Written,
};
use super::profile::{Mistake, Profile, no_address_on_the_wire};
use super::service::{Reading, Service, ServiceError};
use crate::order::outcome::Reason;
use crate::order::said::said;
use crate::order::time::BootMs;
use std::collections::VecDeque;
use told::{Before, SlotByte, Status};
use wire::{Deframer, Frame};

/// A poll is void after 1500 ms. 300 ms of that are left for the way of both frames: wire time, USB, scheduling.
const SPEAK_WITHIN_MS: u64 = 1_200;
/// The board is taken to be idle only if it polled within this time: one poll may be lost, and comes again after 1.5 s.
const FRESH_MS: u64 = 2_500;
/// Silence that means that the board is gone: an offline board polls each 5 s, and one of these may be lost.
const SILENCE_MS: u64 = 12_000;
/// A motor command that found no poll for so long ends unwritten.
const OFFER_MS_MAX: u64 = SILENCE_MS;
/// The board answers a question within 5 s.
const ANSWER_MS: u64 = 5_000;
/// How often a question is asked before it is left out: one may fall to noise.
const ASKED_MAX: u8 = 2;
/// How often the counter is read until it shows a vend that the board has told.
const COUNTED_READS_MAX: u8 = 4;
/// What was asked at the end of the longest vend is answered within this time, or never.
const CLOSING_MS: u64 = 15_000;
/// Status, slots and counters are read anew so often (the document: each 3 minutes).
const WATCH_MS: u64 = 180_000;
/// Messages of the log that are asked for at once: 2000 vends, 20 a message, and as many again.
const LOG_MESSAGES_MAX: u16 = 200;
/// A result with the number and bytes of the last one is a copy of it for so long: 3 copies 1.5 s apart, and some.
const COPY_MS_MAX: u64 = 8_000;
/// Between two messages that want an answer the board's number moves by one, and by one for each report between.
const NUMBER_STEP_MAX: u8 = 8;

/// What the host asks. All of it turns no motor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Log,
    Firmware,
    Hardware,
    Status,
    Slots,
    Counters,
    Reset,
}

/// After the port opened, and whenever the board may have started anew.
const ALL: &[Ask] = &[Ask::Log, Ask::Firmware, Ask::Hardware, Ask::Status, Ask::Slots, Ask::Counters];
/// What becomes of a command.
const INQUIRY: &[Ask] = &[Ask::Log, Ask::Slots, Ask::Counters];
/// What a vend has changed.
const AFTER_VEND: &[Ask] = &[Ask::Slots, Ask::Counters];
/// What others may have changed.
const WATCH: &[Ask] = &[Ask::Status, Ask::Slots, Ask::Counters];

/// How far the running command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not written: waits for a poll since then.
    Waiting { since: BootMs },
    /// Given to the line in answer to a poll; whether it was written is not known yet.
    Offered { since: BootMs },
    /// Written: the result may come until then.
    Listening { until: BootMs },
    /// The result comes no more: the counters are asked, until then.
    Closing { until: BootMs },
    /// Written in an earlier life; listening begins when the port opens.
    Resumed,
}

/// The command of the running `drive` or `resume`, or one that ended without proof and may still turn the motor.
#[derive(Debug, Clone, Copy)]
struct Vend {
    address: Address,
    slot: u8,
    phase: Phase,
    before: Before,
    /// Ended for the core: what comes now is late.
    is_told: bool,
    /// Nothing of what the board said since can have been missed.
    is_watched: bool,
    /// The counters were asked since.
    is_asked: bool,
    /// The log has a vend that could be this one.
    is_logged: bool,
}

impl Vend {
    const fn listens(&self) -> bool {
        matches!(self.phase, Phase::Listening { .. } | Phase::Closing { .. })
    }
}

/// What the board's last message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// ACK or a message.
    Poll,
    /// ACK.
    Ack,
    /// ACK, but only after [`Driver::release`].
    AckWhenReleased,
}

/// The board's last message that wants an answer, while that is not too late.
#[derive(Debug, Clone, Copy)]
struct Question {
    wants: Wants,
    number: u8,
    read_at: BootMs,
}

/// What the board has not answered yet.
#[derive(Debug, Clone, Copy)]
struct Asked {
    number: u8,
    at: BootMs,
}

/// A result, as it would come again.
#[derive(Debug, Clone)]
struct LastResult {
    number: u8,
    data: Vec<u8>,
    at: BootMs,
}

/// What the board says of itself, as far as it was heard since the port opened.
#[derive(Debug, Default)]
struct Known {
    online: Option<u32>,
    slots: Vec<u8>,
    status: Option<Status>,
    firmware: Option<String>,
    hardware: Option<Vec<u8>>,
    door_open: Option<bool>,
}

/// The highest slot: the message with all slots has room for so many beside the device.
const SLOT_MAX: u16 = 249;

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_slots(1..=SLOT_MAX)?;
    profile.check_alone(&no_address_on_the_wire())?;
    if !matches!(profile.check_given("options.online_type", profile.options.online_type)?, 2..=4 | 6..=100) {
        let problem = said!(
            "must be 2 to 4 or 6 to 100: the others are cash, games and cards",
            "必须为 2 至 4 或 6 至 100：其余为现金、游戏与刷卡"
        );
        return Err(Mistake::new("options.online_type", problem));
    }
    Ok(())
}

/// The driver. See the module.
pub struct UboxE7 {
    profile: Profile,
    online_type: u8,
    now: BootMs,
    opened_at: Option<BootMs>,
    deframer: Deframer,
    question: Option<Question>,
    /// The number of a motor command that the board has neither taken nor refused.
    motor: Option<u8>,
    asked: Option<Asked>,
    /// What is asked, in turn; the first may be under way.
    to_ask: VecDeque<Ask>,
    times_asked: u8,
    log_messages: u16,
    serving: Option<Service>,
    vend: Option<Vend>,
    held: bool,
    last_result: Option<LastResult>,
    /// What the counter has to show after the last result.
    counted: Option<u32>,
    counter_reads: u8,
    /// The counter did not follow a vend that the board has told: it proves nothing on this board.
    is_distrusted: bool,
    known: Known,
    /// As it was last told.
    identity: String,
    last_number: Option<u8>,
    /// The board told its start, and has not polled since.
    is_starting: bool,
    heard_at: BootMs,
    silent: bool,
    polled_at: Option<BootMs>,
    watch_at: BootMs,
    /// When what awaits an acknowledgement was handed over.
    said_at: BootMs,
    tally: Tally,
    outputs: VecDeque<Output>,
}

impl UboxE7 {
    /// A driver for the profile's board; the port is not open yet.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        UboxE7 {
            profile: profile.clone(),
            // Profile::parse refuses a profile of this family that does not name it.
            online_type: profile.options.online_type.unwrap_or(2),
            now: BootMs::default(),
            opened_at: None,
            deframer: Deframer::default(),
            question: None,
            motor: None,
            asked: None,
            to_ask: VecDeque::new(),
            times_asked: 0,
            log_messages: 0,
            serving: None,
            vend: None,
            held: false,
            last_result: None,
            counted: None,
            counter_reads: 0,
            is_distrusted: profile.recovery_class == RecoveryClass::None,
            known: Known::default(),
            identity: String::new(),
            last_number: None,
            is_starting: false,
            heard_at: BootMs::default(),
            silent: false,
            polled_at: None,
            watch_at: BootMs::default(),
            said_at: BootMs::default(),
            tally: Tally::default(),
            outputs: VecDeque::new(),
        }
    }

    fn tell(&mut self, finding: Finding) {
        self.outputs.push_back(Output::Finding(finding));
    }

    fn fault(&mut self, fault: LineFault) {
        self.miss_something();
        self.tell(Finding::Fault(fault));
    }

    /// Something that the board said may have gone by: what it did not count is no failure any more.
    const fn miss_something(&mut self) {
        if let Some(vend) = &mut self.vend {
            vend.is_watched = false;
        }
    }

    fn longest_vend_end(&self) -> BootMs {
        self.now.plus_ms(self.profile.timing.longest_vend_ms)
    }

    /// Begins to ask these, instead of whatever was asked.
    fn ask(&mut self, all: &[Ask]) {
        self.to_ask = all.iter().copied().collect();
        self.asked = None;
        self.times_asked = 0;
        self.log_messages = 0;
        self.counter_reads = 0;
        if all.contains(&Ask::Counters) {
            self.known.online = None;
        }
        self.watch_at = self.now.plus_ms(WATCH_MS);
    }

    fn slot_byte(&self, slot: u8) -> Option<SlotByte> {
        let at = usize::from(slot).checked_sub(1)?;
        self.known.slots.get(at).copied().map(SlotByte)
    }

    /// The command ends without proof, and its time is over.
    fn unproven(&mut self, why: &'static str) {
        let was_told = self.vend.take().is_none_or(|vend| vend.is_told);
        self.motor = None;
        if !was_told {
            self.tell(Finding::Unproven(why));
        }
    }

    fn not_taken(&mut self, reason: Reason) {
        let was_told = self.vend.take().is_none_or(|vend| vend.is_told);
        self.motor = None;
        if !was_told {
            self.tell(Finding::NotTaken(reason));
        }
    }

    /// Ends what the time has ended.
    fn expire(&mut self) {
        let now = self.now;
        match self.vend.as_ref().map(|vend| vend.phase) {
            Some(Phase::Waiting { since }) if now >= since.plus_ms(OFFER_MS_MAX) => {
                self.not_taken(Reason::BoardOffline);
            }
            Some(Phase::Listening { until }) if now >= until => {
                if let Some(vend) = &mut self.vend {
                    vend.phase = Phase::Closing { until: now.plus_ms(CLOSING_MS) };
                    vend.is_asked = true;
                }
                self.ask(INQUIRY);
            }
            Some(Phase::Closing { until }) if now >= until => {
                self.unproven("the board told no result within the longest vend time, and no counter");
                self.ask(ALL);
            }
            _ => {}
        }
        if let Some(asked) = self.asked
            && now >= asked.at.plus_ms(ANSWER_MS)
        {
            self.tell(Finding::Fault(LineFault::TimeOut));
            // A reset is not said twice: the first may have been heard.
            let is_reset = self.to_ask.front() == Some(&Ask::Reset);
            match self.to_ask.front() {
                Some(&ask) if is_reset || self.times_asked >= ASKED_MAX => {
                    self.told(ask, Err(ServiceError::NoAnswer));
                }
                _ => self.asked = None,
            }
        }
        if self.stale_at().is_some_and(|at| now >= at) {
            self.polled_at = None;
            if self.vend.is_none() && self.serving.is_none() {
                // It may have sold something, or restarted unheard.
                self.ask(ALL);
            }
        }
        if self.silent_at().is_some_and(|at| now >= at) {
            self.silent = true;
            self.last_number = None;
            if self.serving.take().is_some() {
                self.ask(ALL);
                self.tell(Finding::Served(Err(ServiceError::NoAnswer)));
            }
            self.tell(Finding::Fault(LineFault::TimeOut));
        }
        if self.is_free() && now >= self.watch_at {
            self.ask(WATCH);
        }
    }

    fn stale_at(&self) -> Option<BootMs> {
        self.polled_at.map(|at| at.plus_ms(FRESH_MS))
    }

    /// A board that vends says nothing.
    fn silent_at(&self) -> Option<BootMs> {
        let may_vend = self.vend.as_ref().is_some_and(Vend::listens);
        (self.opened_at.is_some() && !self.silent && !may_vend).then(|| self.heard_at.plus_ms(SILENCE_MS))
    }

    /// Says what the board's last message asks for, if it can be said now.
    fn answer(&mut self) {
        let Some(Question { wants, number, read_at }) = self.question else { return };
        let not_after = read_at.plus_ms(SPEAK_WITHIN_MS);
        if self.now > not_after {
            self.question = None;
            return;
        }
        if wants == Wants::AckWhenReleased && self.held {
            return;
        }
        self.question = None;
        let said = if wants == Wants::Poll { self.next_message(number) } else { None };
        let (frame, motor) = said.unwrap_or_else(|| (message(wire::ACK, &[], number), false));
        if frame.kind != wire::ACK {
            self.said_at = self.now;
        }
        self.tally.frames_out += 1;
        self.outputs.push_back(Output::Write(Write { bytes: frame.bytes(), motor, not_after: Some(not_after) }));
    }

    /// What the host has to say in answer to a poll, and whether it turns a motor.
    fn next_message(&mut self, number: u8) -> Option<(Frame, bool)> {
        if let Some(vend) = &mut self.vend
            && let Phase::Waiting { since } = vend.phase
        {
            vend.phase = Phase::Offered { since };
            self.motor = Some(number);
            let data = [0, wire::BY_SLOT, vend.slot, self.online_type, 0, 0];
            return Some((Frame { needs_answer: true, ..message(wire::VENDOUT_IND, &data, number) }, true));
        }
        let is_on_line = self.vend.as_ref().is_some_and(|vend| !vend.listens());
        if self.held || self.asked.is_some() || is_on_line {
            return None;
        }
        let ask = *self.to_ask.front()?;
        self.tally.resends += u64::from(self.times_asked > 0);
        self.times_asked = self.times_asked.saturating_add(1);
        self.asked = Some(Asked { number, at: self.now });
        let (kind, data): (u8, &[u8]) = match ask {
            Ask::Log => (wire::GET_OFFLINE_DATA, &[]),
            Ask::Firmware => (wire::GET_INFO, &[wire::INFO_FIRMWARE]),
            Ask::Hardware => (wire::GET_INFO, &[wire::INFO_HARDWARE]),
            Ask::Status => (wire::GET_STATUS, &[]),
            Ask::Slots => (wire::GET_HUODAO, &[0]),
            Ask::Counters => (wire::GET_INFO, &[wire::INFO_COUNTERS]),
            Ask::Reset => (wire::RESET_IND, &[0]),
        };
        Some((message(kind, data, number), false))
    }

    /// Nothing runs, nothing is in doubt, all is known, and the board polls.
    fn is_free(&self) -> bool {
        self.vend.is_none()
            && !self.held
            && self.serving.is_none()
            && self.to_ask.is_empty()
            && self.opened_at.is_some()
            && self.stale_at().is_some_and(|at| self.now < at)
    }

    fn reading(&self, service: &Service) -> Result<Reading, ServiceError> {
        match *service {
            Service::SelfCheck { .. } => self.known.status.map(Status::self_check).ok_or(ServiceError::NoAnswer),
            Service::Climate { .. } => self.known.status.map(Status::climate).ok_or(ServiceError::NoAnswer),
            Service::SlotState { slot, .. } => {
                let slot = u8::try_from(slot.0).ok().and_then(|slot| self.slot_byte(slot));
                Ok(slot.map_or(Reading::SlotAbsent, SlotByte::reading))
            }
            Service::Reset { .. } => Ok(Reading::Done),
            Service::Door { .. } => {
                self.known.door_open.map(|open| Reading::Door { open }).ok_or(ServiceError::NoAnswer)
            }
            Service::Switch { .. } | Service::Hold { .. } => Err(ServiceError::NotOffered),
        }
    }
}

/// A message of the host that wants no answer, under the number of what it answers.
fn message(kind: u8, data: &[u8], number: u8) -> Frame {
    Frame { needs_answer: false, kind, number, data: data.to_vec() }
}

impl Driver for UboxE7 {
    fn opened(&mut self, now: BootMs) {
        self.now = now;
        self.opened_at = Some(now);
        self.heard_at = now;
        self.silent = false;
        self.polled_at = None;
        self.deframer.clear();
        self.question = None;
        self.motor = None;
        self.last_number = None;
        self.is_starting = false;
        self.known = Known::default();
        self.miss_something();
        self.ask(ALL);
        let until = self.longest_vend_end();
        if self.profile.recovery_class == RecoveryClass::None
            && self.vend.as_ref().is_some_and(|v| v.phase == Phase::Resumed)
        {
            self.unproven("this board's counters are not trusted");
        }
        if let Some(vend) = &mut self.vend {
            match vend.phase {
                // How the write of an offered one ended was never told: it may have gone out.
                Phase::Resumed | Phase::Offered { .. } => vend.phase = Phase::Listening { until },
                Phase::Waiting { .. } | Phase::Listening { .. } | Phase::Closing { .. } => {}
            }
            vend.is_asked = vend.listens();
        }
        self.expire();
    }

    fn closed(&mut self, now: BootMs) {
        self.now = now;
        self.opened_at = None;
        self.question = None;
        self.polled_at = None;
        self.asked = None;
        self.miss_something();
        if matches!(self.vend, Some(Vend { phase: Phase::Waiting { .. }, .. })) {
            self.not_taken(Reason::BoardOffline);
        }
        if self.serving.take().is_some() {
            self.tell(Finding::Served(Err(ServiceError::NoAnswer)));
        }
        self.expire();
    }

    fn received(&mut self, now: BootMs, read_at: BootMs, bytes: &[u8]) {
        self.now = now;
        self.deframer.push(read_at, bytes);
        while let Some(found) = self.deframer.next_frame() {
            match found {
                Ok(frame) => self.frame(&frame, read_at),
                Err(fault) => self.fault(fault),
            }
        }
        self.expire();
        self.answer();
    }

    fn wake(&mut self, now: BootMs) {
        self.now = now;
        self.expire();
        self.answer();
    }

    fn deadline(&self) -> Option<BootMs> {
        let vend_ends = self.vend.and_then(|vend| match vend.phase {
            Phase::Waiting { since } => Some(since.plus_ms(OFFER_MS_MAX)),
            Phase::Listening { until } | Phase::Closing { until } => Some(until),
            Phase::Offered { .. } | Phase::Resumed => None,
        });
        let unanswered = self.asked.map(|asked| asked.at.plus_ms(ANSWER_MS));
        let watch = self.is_free().then_some(self.watch_at);
        [vend_ends, unanswered, self.stale_at(), self.silent_at(), watch].into_iter().flatten().min()
    }

    fn state(&self) -> LineState {
        if self.opened_at.is_none() {
            LineState::Closed
        } else if self.held {
            LineState::Held
        } else if self.vend.as_ref().is_some_and(|vend| !vend.is_told) || self.serving.is_some() {
            LineState::Busy
        } else if self.is_free() {
            LineState::Idle
        } else {
            LineState::Settling
        }
    }

    fn reference(&self, command: &MotorCommand) -> Reference {
        let slot = u8::try_from(command.slot.0).ok().and_then(|slot| self.slot_byte(slot));
        let before = Before {
            online: self.known.online.filter(|_| !self.is_distrusted),
            slot: slot.map(|slot| slot.0),
            hardware: self.hardware(),
            is_armed: self.known.status.is_some_and(Status::is_armed),
        };
        before.keep()
    }

    fn drive(&mut self, now: BootMs, command: &MotorCommand, reference: &Reference) {
        self.now = now;
        if self.opened_at.is_none() {
            return self.tell(Finding::NotTaken(Reason::BoardOffline));
        }
        let Ok(slot) = u8::try_from(command.slot.0) else {
            return self.tell(Finding::NotTaken(Reason::Slot));
        };
        if self.vend.is_some() || self.held {
            return self.tell(Finding::NotTaken(Reason::Busy));
        }
        self.vend = Some(Vend {
            address: command.address,
            slot,
            phase: Phase::Waiting { since: now },
            before: Before::kept(reference),
            is_told: false,
            is_watched: true,
            is_asked: false,
            is_logged: false,
        });
        self.answer();
    }

    fn resume(&mut self, now: BootMs, command: &MotorCommand, reference: &Reference) {
        self.now = now;
        let Ok(slot) = u8::try_from(command.slot.0) else {
            return self.tell(Finding::Unproven("the profile no longer has the command's address or slot"));
        };
        self.vend = Some(Vend {
            address: command.address,
            slot,
            phase: Phase::Resumed,
            before: Before::kept(reference),
            is_told: false,
            is_watched: false,
            is_asked: false,
            is_logged: false,
        });
    }

    fn motor_written(&mut self, now: BootMs, written: Written) {
        self.now = now;
        let until = self.longest_vend_end();
        let is_open = self.opened_at.is_some();
        let Some(vend) = &mut self.vend else { return };
        let Phase::Offered { since } = vend.phase else { return };
        match written {
            Written::All | Written::Some => {
                vend.phase = Phase::Listening { until };
                vend.is_watched &= written == Written::All;
            }
            Written::Nothing => {
                self.motor = None;
                vend.phase = Phase::Waiting { since };
                if vend.is_told {
                    self.vend = None;
                } else if !is_open {
                    self.not_taken(Reason::BoardOffline);
                }
            }
        }
        self.expire();
    }

    fn give_up(&mut self, now: BootMs) {
        self.now = now;
        match &mut self.vend {
            Some(Vend { phase: Phase::Waiting { .. }, .. }) => self.vend = None,
            Some(vend) => {
                vend.is_told = true;
                if vend.phase == Phase::Resumed {
                    // The port never opened; what comes after belongs to nobody's wait.
                    vend.phase = Phase::Listening { until: now.plus_ms(self.profile.timing.longest_vend_ms) };
                }
            }
            None => {}
        }
        self.expire();
    }

    fn release(&mut self, now: BootMs) {
        self.now = now;
        self.held = false;
        self.answer();
    }

    /// The door is told only when it moves: before the first time there is nothing to tell.
    fn serves(&self, service: &Service) -> bool {
        let is_here = service.address().get() <= self.profile.addresses.count;
        is_here
            && match service {
                Service::SelfCheck { .. } | Service::Climate { .. } | Service::Reset { .. } => true,
                Service::SlotState { slot, .. } => u8::try_from(slot.0).is_ok(),
                Service::Door { .. } => self.known.door_open.is_some(),
                Service::Switch { .. } | Service::Hold { .. } => false,
            }
    }

    fn serve(&mut self, now: BootMs, service: &Service) {
        self.now = now;
        if !self.serves(service) {
            return self.tell(Finding::Served(Err(ServiceError::NotOffered)));
        }
        if self.state() != LineState::Idle {
            return self.tell(Finding::Served(Err(ServiceError::Busy)));
        }
        let ask = match service {
            Service::SelfCheck { .. } | Service::Climate { .. } => Ask::Status,
            Service::SlotState { .. } => Ask::Slots,
            Service::Reset { .. } => Ask::Reset,
            Service::Door { .. } | Service::Switch { .. } | Service::Hold { .. } => {
                let reading = self.reading(service);
                return self.tell(Finding::Served(reading));
            }
        };
        self.serving = Some(*service);
        self.ask(&[ask]);
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

#[cfg(test)]
mod tests;
