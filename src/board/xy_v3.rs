//! xy-v3: the board polls and the host speaks only in answer. A result is pushed, a few times, to whoever listens.
//!
//! **Sequence numbers.** The board drops a command whose PackNO is that of the last one it took. All commands of the
//! host draw from one counter, and only motor commands are journaled, so after a crash the counter may lag behind
//! what the board saw last. Therefore each opening begins with a `31`, and no motor command goes out before the board
//! has acknowledged it: from then on the last number that the board saw is that of the `31`, and the next differs.
//! [`Driver::reference`] is that next number; only a board restart between it and the command can move the command's
//! on by one, which loses nothing by the same argument.
//!
//! **Restarts.** A starting board sends `31` too. One that comes as the very next frame after the board acknowledged
//! ours is taken for an echo of it; every other is a restart.
//!
//! **Services** go out at a poll like every command, under a number of the same counter, and only while no motor command
//! is there: what the board answers to them cannot be a vend's result, which has a command byte of its own.
//!
//! **Slot status.** `02` may follow a command with a code that is not normal. The document ties it to commands 01 and
//! 03 only, so it does not prove that a direct drive was refused: the driver goes on listening.
//!
//! Its codes are the constants of [`wire`] (commands) and [`service`] (the menu), each with its meaning; how a vend ended
//! is read in `evidence` below.

mod keys;
pub mod service;
pub mod wire;

use super::driver::{
    Address, Driver, Finding, LineFault, LineState, MotorCommand, Output, RecoveryClass, Reference, Slot, Tally, Write,
    Written,
};
use super::profile::{Mistake, Profile};
use super::service::{Reading, Service, ServiceError};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::said::said;
use crate::order::time::BootMs;
use crate::sabotage::{self, Clause};
use keys::Keys;
use service::{MachineStatus, Serving};
use std::collections::VecDeque;
use wire::{Deframer, Frame, PackNo, frame};

/// The board hears an answer for 100 ms after its frame. 30 ms of that are left for the way of both frames: a USB
/// converter's hold of 16 ms, wire time and scheduling.
const SPEAK_WITHIN_MS: u64 = 70;
/// While nothing is to be said, ACK waits so long: an order that comes meanwhile need not wait for the next poll.
const ACK_AFTER_MS: u64 = 40;
/// The board sends a frame 6 times at most, one a poll interval: after that the line is drained of old ones.
const COPIES: u64 = 6;
/// The board is taken to be idle only if it polled within so many intervals.
const FRESH_POLLS: u64 = 3;
/// Silence that means that the board is gone.
const SILENCE_MS: u64 = 2_000;
/// A motor command that found no poll for so long ends unwritten, even if the board says other things meanwhile.
const OFFER_MS_MAX: u64 = 5_000;
/// A final status with the bytes of the last one is a copy of it for so long: 6 copies at the longest poll interval
/// (2 s), and some.
const COPY_MS_MAX: u64 = 15_000;
/// `02`: the slot is fine.
const SLOT_NORMAL: u8 = 0x01;

/// A final `04`, apart from its optional microwave number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FinalStatus {
    pack_no: u8,
    code: u8,
    slot: Slot,
}

/// How far the running command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not written: waits for a poll since then.
    Waiting { since: BootMs },
    /// Given to the line under this number; whether it was written is not known yet.
    Offered { since: BootMs, number: PackNo },
    /// Written: the result may come until then.
    Listening { until: BootMs },
    /// Written in an earlier life; listening begins when the port opens.
    Resumed,
}

/// The command of the running `drive` or `resume`.
#[derive(Debug, Clone, Copy)]
struct Vend {
    address: Address,
    slot: Slot,
    drop_check: bool,
    lift: bool,
    phase: Phase,
    odd_slot_status: bool,
}

/// A command that ended without proof and may still turn the motor.
#[derive(Debug, Clone, Copy)]
struct Unresolved {
    vend: Vend,
    until: BootMs,
    creditable: bool,
}

/// What the board's last frame asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// ACK or a command.
    Poll,
    /// ACK.
    Data,
    /// ACK, but only after [`Driver::release`].
    HeldData,
}

/// The board's last frame, while an answer is not too late.
#[derive(Debug, Clone, Copy)]
struct Question {
    asks: Asks,
    read_at: BootMs,
}

/// What the board has not acknowledged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    Nothing,
    Sync,
    Motor,
    Identity,
    Service,
}

/// A `31` that the board has not acknowledged.
#[derive(Debug, Clone, Copy)]
struct Sync {
    number: PackNo,
    copies: u8,
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    if profile.options.direct_drive_len.is_some_and(|len| !(5..=6).contains(&len)) {
        return Err(Mistake::new("options.direct_drive_len", said!("must be 5 or 6", "必须为 5 或 6")));
    }
    // Above are whole trays.
    profile.check_slots(1..=1_000)
}

/// The driver. See the module.
pub struct XyV3 {
    profile: Profile,
    now: BootMs,
    opened_at: Option<BootMs>,
    deframer: Deframer,
    question: Option<Question>,
    last_number: PackNo,
    awaiting: Awaiting,
    /// `None` once the board acknowledged; `Some(None)` when it has to be sent under a new number.
    sync: Option<Option<Sync>>,
    just_synced: bool,
    ask_identity: bool,
    vend: Option<Vend>,
    serving: Option<Serving>,
    keys: Keys,
    unresolved: Option<Unresolved>,
    held: bool,
    last_final: Option<(FinalStatus, BootMs)>,
    heard_at: BootMs,
    silent: bool,
    polled_at: Option<BootMs>,
    /// When what awaits an acknowledgement was handed over.
    said_at: BootMs,
    tally: Tally,
    outputs: VecDeque<Output>,
}

impl XyV3 {
    /// A driver for the profile's board; the port is not open yet.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        XyV3 {
            profile: profile.clone(),
            now: BootMs::default(),
            opened_at: None,
            deframer: Deframer::default(),
            question: None,
            last_number: PackNo::START,
            awaiting: Awaiting::Nothing,
            sync: Some(None),
            just_synced: false,
            ask_identity: true,
            vend: None,
            serving: None,
            keys: Keys::default(),
            unresolved: None,
            held: false,
            last_final: None,
            heard_at: BootMs::default(),
            silent: false,
            polled_at: None,
            said_at: BootMs::default(),
            tally: Tally::default(),
            outputs: VecDeque::new(),
        }
    }

    fn tell(&mut self, finding: Finding) {
        self.outputs.push_back(Output::Finding(finding));
    }

    fn longest_vend_end(&self) -> BootMs {
        self.now.plus_ms(self.profile.timing.longest_vend_ms)
    }

    /// When the copies of a frame from before the opening have ended.
    fn drained_at(&self) -> Option<BootMs> {
        self.opened_at.map(|at| at.plus_ms(COPIES * self.profile.timing.poll_ms))
    }

    fn stale_at(&self) -> Option<BootMs> {
        self.polled_at.map(|at| at.plus_ms(FRESH_POLLS * self.profile.timing.poll_ms))
    }

    fn frame(&mut self, frame: &Frame, read_at: BootMs) {
        self.heard_at = read_at;
        self.silent = false;
        self.tally.frames_in += 1;
        if frame.command == wire::ACK {
            return self.acknowledged();
        }
        let after_sync = std::mem::take(&mut self.just_synced);
        self.not_acknowledged();
        self.service_frame(frame);
        let asks = match (frame.command, frame.text.as_slice()) {
            (wire::POLL, _) => {
                self.polled_at = Some(read_at);
                Asks::Poll
            }
            (wire::DISPENSING, &[pack_no, code, hi, lo] | &[pack_no, code, hi, lo, _]) => {
                self.dispensing(FinalStatus { pack_no, code, slot: Slot(u16::from_be_bytes([hi, lo])) })
            }
            (wire::SLOT_STATUS, &[_, status, hi, lo]) => {
                self.slot_status(status, Slot(u16::from_be_bytes([hi, lo])));
                Asks::Data
            }
            (wire::CHOSEN, &[pack_no, hi, lo]) => {
                let chosen = self.keys.pressed(self.now, pack_no, u16::from_be_bytes([hi, lo]));
                self.outputs.extend(chosen.map(Output::Finding));
                Asks::Data
            }
            (wire::SYNC, _) => {
                if !after_sync {
                    self.board_restarted();
                }
                Asks::Data
            }
            (wire::MACHINE_STATUS_REPLY, text) => {
                self.machine_status(text);
                Asks::Data
            }
            _ => Asks::Data,
        };
        self.question = Some(Question { asks, read_at });
    }

    fn acknowledged(&mut self) {
        if self.awaiting != Awaiting::Nothing {
            self.tally.round_trip(self.now.since_ms(self.said_at));
        }
        match std::mem::replace(&mut self.awaiting, Awaiting::Nothing) {
            Awaiting::Sync => {
                self.sync = None;
                self.just_synced = true;
            }
            Awaiting::Motor if self.vend.is_some() => self.tell(Finding::Taken),
            Awaiting::Service => {
                if let Some(serving) = &mut self.serving {
                    serving.acknowledged = true;
                }
            }
            Awaiting::Motor | Awaiting::Identity => {}
            Awaiting::Nothing => self.tell(Finding::Fault(LineFault::Unexpected)),
        }
    }

    /// The board went on without an acknowledgement. A `31` is sent again; a motor command never is (rule 15).
    fn not_acknowledged(&mut self) {
        match std::mem::replace(&mut self.awaiting, Awaiting::Nothing) {
            Awaiting::Sync => {
                if self.sync.flatten().is_some_and(|sync| sync.copies >= self.profile.timing.tries()) {
                    self.sync = Some(None);
                    self.tell(Finding::Fault(LineFault::TimeOut));
                }
            }
            Awaiting::Motor => {
                if sabotage::is_out(Clause::R15NotResentXy)
                    && let Some(vend) = &mut self.vend
                {
                    vend.phase = Phase::Waiting { since: self.now };
                }
                self.tell(Finding::Fault(LineFault::TimeOut));
            }
            // A service is said again at the next poll.
            Awaiting::Identity | Awaiting::Service | Awaiting::Nothing => {}
        }
    }

    /// The time in which a question and its answer pass, however often both have to be said.
    fn part_ends(&self) -> BootMs {
        self.now.plus_ms((u64::from(self.profile.timing.tries()) + COPIES) * self.profile.timing.poll_ms)
    }

    /// A frame may be what the running service waits for.
    fn service_frame(&mut self, frame: &Frame) {
        let until = self.part_ends();
        if let Some(result) = self.serving.as_mut().and_then(|serving| serving.hear(frame, until)) {
            self.served(result);
        }
    }

    fn served(&mut self, result: Result<Reading, ServiceError>) {
        if self.serving.take().is_some() {
            self.tell(Finding::Served(result));
        }
    }

    fn dispensing(&mut self, status: FinalStatus) -> Asks {
        let listening = self.vend.filter(|v| matches!(v.phase, Phase::Listening { .. }) && v.slot == status.slot);
        if self.evidence(status.code, false).is_none() {
            self.tell(match listening {
                Some(_) => Finding::Progress(status.code),
                None => Finding::Fault(LineFault::Unexpected),
            });
            return Asks::Data;
        }
        if let Some((last, at)) = &mut self.last_final
            && *last == status
            && self.now.since_ms(*at) <= COPY_MS_MAX
        {
            *at = self.now;
            return if self.held { Asks::HeldData } else { Asks::Data };
        }
        let late = self.unresolved.filter(|u| u.creditable && u.vend.slot == status.slot && self.now < u.until);
        let Some(vend) = listening.or(late.map(|u| u.vend)).filter(|_| !self.held) else {
            if !self.held {
                self.last_final = Some((status, self.now));
            }
            self.tell(Finding::Fault(LineFault::Unexpected));
            return Asks::Data;
        };
        let Some(evidence) = self.evidence(status.code, vend.drop_check) else { return Asks::Data };
        self.last_final = Some((status, self.now));
        self.held = true;
        if listening.is_some() {
            self.vend = None;
            self.tell(Finding::Outcome(evidence));
        } else {
            if let Some(unresolved) = &mut self.unresolved {
                unresolved.creditable = false;
            }
            self.tell(Finding::Late { address: vend.address, slot: Some(vend.slot), evidence });
        }
        Asks::HeldData
    }

    /// What a `04` proves; nothing while the vend goes on, and an unknown code is taken for that.
    fn evidence(&self, code: u8, drop_check: bool) -> Option<Evidence> {
        let sensor = |said| if drop_check { said } else { DropSensor::None };
        let (motor, drop_sensor) = match code {
            _ if let Some(evidence) = self.profile.evidence_of(code) => return Some(evidence),
            0x02 | 0x24 => (Motor::Ok, sensor(DropSensor::Seen)),
            // There is no code for "nothing fell": with the sensor armed it is this one.
            0x03 if drop_check => (Motor::Ok, DropSensor::NotSeen),
            0x03 => (Motor::OverCurrent, DropSensor::None),
            0x06 => (Motor::Absent, sensor(DropSensor::NotSeen)),
            0x04 | 0x07 | 0x12 | 0x13 | 0x15 | 0x17 | 0x20 | 0x25 | 0x28 | 0x29 | 0x30..=0x32 | 0xFF => {
                (Motor::Timeout, sensor(DropSensor::NotSeen))
            }
            _ => return None,
        };
        Some(Evidence { motor, drop_sensor })
    }

    fn slot_status(&mut self, status: u8, slot: Slot) {
        if status != SLOT_NORMAL
            && let Some(vend) = &mut self.vend
            && vend.slot == slot
        {
            vend.odd_slot_status = true;
            self.tell(Finding::Fault(LineFault::Unexpected));
        }
    }

    fn board_restarted(&mut self) {
        self.sync = Some(None);
        self.last_final = None;
        self.keys = Keys::default();
        if let Some(unresolved) = &mut self.unresolved {
            unresolved.creditable = false;
        }
        self.tell(Finding::BoardRestarted);
        self.served(Err(ServiceError::NoAnswer));
        if let Some(vend) = self.vend
            && matches!(vend.phase, Phase::Listening { .. })
            && !sabotage::is_out(Clause::R20RestartNoticed)
        {
            self.unproven("the board restarted before it told the result", false);
        }
    }

    fn machine_status(&mut self, text: &[u8]) {
        let Some(status) = MachineStatus::read(text) else {
            return self.tell(Finding::Fault(LineFault::Unexpected));
        };
        self.ask_identity = false;
        self.tell(Finding::Identity(format!("machine id {}", status.id)));
    }

    /// The running command ends without proof. `creditable`: its result may still come.
    fn unproven(&mut self, why: &'static str, creditable: bool) {
        self.abandon(creditable);
        self.tell(Finding::Unproven(why));
    }

    fn abandon(&mut self, creditable: bool) {
        let Some(vend) = self.vend.take() else { return };
        let until = match vend.phase {
            Phase::Waiting { .. } => return,
            Phase::Offered { number, .. } => {
                self.last_number = number;
                self.longest_vend_end()
            }
            Phase::Listening { until } => until,
            Phase::Resumed => self.longest_vend_end(),
        };
        if !sabotage::is_out(Clause::R16AwaitedXy) {
            self.unresolved = Some(Unresolved { vend, until, creditable });
        }
    }

    fn not_taken(&mut self) {
        self.vend = None;
        self.tell(Finding::NotTaken(Reason::BoardOffline));
    }

    /// Ends what the time has ended.
    fn expire(&mut self) {
        let now = self.now;
        if self.unresolved.is_some_and(|u| now >= u.until) {
            self.unresolved = None;
        }
        if let Some(serving) = self.serving.take_if(|s| now >= s.until) {
            self.tell(Finding::Fault(LineFault::TimeOut));
            self.tell(Finding::Served(serving.given_up()));
        }
        match self.vend {
            Some(Vend { phase: Phase::Waiting { since }, .. })
                if now >= since.plus_ms(OFFER_MS_MAX) || now >= self.heard_at.max(since).plus_ms(SILENCE_MS) =>
            {
                self.not_taken();
            }
            Some(Vend { phase: Phase::Listening { until }, odd_slot_status, .. }) if now >= until => {
                self.unproven(
                    if odd_slot_status {
                        "the board called the slot not ready, which proves nothing, and told no result"
                    } else {
                        "the board told no result within the longest vend time"
                    },
                    false,
                );
                self.unresolved = None;
            }
            _ => {}
        }
        if self.opened_at.is_some() && !self.silent && now >= self.heard_at.plus_ms(SILENCE_MS) {
            self.silent = true;
            self.polled_at = None;
            if self.vend.is_none() {
                // It may have restarted unheard.
                self.sync = Some(None);
            }
            self.tell(Finding::Fault(LineFault::TimeOut));
        }
    }

    /// Says what the board's last frame asks for, if it can be said now.
    fn answer(&mut self) {
        let Some(Question { asks, read_at }) = self.question else { return };
        let not_after = read_at.plus_ms(SPEAK_WITHIN_MS);
        if self.now > not_after {
            self.question = None;
            return;
        }
        if asks == Asks::HeldData && self.held && !sabotage::is_out(Clause::R22FinalFrameDurable) {
            return;
        }
        let (bytes, motor) = match self.next_command().filter(|_| asks == Asks::Poll) {
            Some((awaiting, bytes)) => {
                self.sent(awaiting);
                (bytes, awaiting == Awaiting::Motor)
            }
            None if asks == Asks::Poll && self.is_idle() && self.now < read_at.plus_ms(ACK_AFTER_MS) => return,
            None => (frame(wire::ACK, &[]), false),
        };
        self.question = None;
        self.said_at = self.now;
        self.tally.frames_out += 1;
        self.outputs.push_back(Output::Write(Write { bytes, motor, not_after: Some(not_after) }));
    }

    /// What the host has to say in answer to a poll.
    fn next_command(&self) -> Option<(Awaiting, Vec<u8>)> {
        let next = self.last_number.next();
        if let Some(sync) = self.sync {
            let number = sync.map_or(next, |s| s.number);
            return Some((Awaiting::Sync, frame(wire::SYNC, &[number.get()])));
        }
        match self.vend {
            Some(vend @ Vend { phase: Phase::Waiting { .. }, .. }) => {
                let [hi, lo] = vend.slot.0.to_be_bytes();
                let text = [next.get(), u8::from(vend.drop_check), u8::from(vend.lift), hi, lo, 0];
                let len = usize::from(self.profile.options.direct_drive_len.unwrap_or(5));
                Some((Awaiting::Motor, frame(wire::DIRECT_DRIVE, &text[..len.min(text.len())])))
            }
            None if let Some(asked) = self.serving.as_ref().and_then(|s| s.says(next, self.profile.timing.tries())) => {
                Some((Awaiting::Service, asked))
            }
            None if self.ask_identity => Some((Awaiting::Identity, frame(wire::MACHINE_STATUS, &[next.get()]))),
            _ => None,
        }
    }

    fn sent(&mut self, awaiting: Awaiting) {
        self.awaiting = awaiting;
        let next = self.last_number.next();
        match awaiting {
            Awaiting::Sync => {
                let Sync { number, copies } = self.sync.flatten().unwrap_or(Sync { number: next, copies: 0 });
                self.last_number = number;
                self.tally.resends += u64::from(copies > 0);
                self.sync = Some(Some(Sync { number, copies: copies + 1 }));
            }
            Awaiting::Motor => {
                if let Some(Vend { phase, .. }) = &mut self.vend
                    && let Phase::Waiting { since } = *phase
                {
                    *phase = Phase::Offered { since, number: next };
                }
            }
            Awaiting::Identity => {
                self.ask_identity = false;
                self.last_number = next;
            }
            Awaiting::Service => {
                if let Some(serving) = &mut self.serving {
                    self.tally.resends += u64::from(serving.is_said());
                    self.last_number = serving.said(next);
                }
            }
            Awaiting::Nothing => {}
        }
    }

    fn is_idle(&self) -> bool {
        self.is_free() && !self.held
    }

    /// Nothing runs, nothing is in doubt, and the board polls.
    fn is_free(&self) -> bool {
        self.sync.is_none()
            && self.vend.is_none()
            && self.unresolved.is_none()
            && self.drained_at().is_some_and(|at| self.now >= at || sabotage::is_out(Clause::R16Drained))
            && self.stale_at().is_some_and(|at| self.now < at)
    }
}

impl Driver for XyV3 {
    fn opened(&mut self, now: BootMs) {
        self.now = now;
        self.opened_at = Some(now);
        self.heard_at = now;
        self.silent = false;
        self.polled_at = None;
        self.deframer.clear();
        self.question = None;
        self.awaiting = Awaiting::Nothing;
        self.sync = Some(None);
        self.just_synced = false;
        let until = self.longest_vend_end();
        if let Some(vend) = &mut self.vend {
            match vend.phase {
                Phase::Resumed => vend.phase = Phase::Listening { until },
                // How the write ended was never told: it may have gone out.
                Phase::Offered { number, .. } => {
                    self.last_number = number;
                    vend.phase = Phase::Listening { until };
                }
                Phase::Waiting { .. } | Phase::Listening { .. } => {}
            }
        }
        self.expire();
    }

    fn closed(&mut self, now: BootMs) {
        self.now = now;
        self.opened_at = None;
        self.question = None;
        self.polled_at = None;
        self.served(Err(ServiceError::NoAnswer));
        if matches!(self.vend, Some(Vend { phase: Phase::Waiting { .. }, .. })) {
            self.not_taken();
        }
        self.expire();
    }

    fn received(&mut self, now: BootMs, read_at: BootMs, bytes: &[u8]) {
        self.now = now;
        // Whatever comes, the board no longer waits for an answer to what it said before.
        self.question = None;
        self.deframer.push(read_at, bytes);
        while let Some(found) = self.deframer.next_frame() {
            // Of several frames in one read only the last can still wait for an answer.
            self.question = None;
            match found {
                Ok(frame) => self.frame(&frame, read_at),
                Err(fault) => self.tell(Finding::Fault(fault)),
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
            Phase::Waiting { since } => {
                Some(since.plus_ms(OFFER_MS_MAX).min(self.heard_at.max(since).plus_ms(SILENCE_MS)))
            }
            Phase::Listening { until } => Some(until),
            Phase::Offered { .. } | Phase::Resumed => None,
        });
        let silence = self.opened_at.filter(|_| !self.silent).map(|_| self.heard_at.plus_ms(SILENCE_MS));
        let ack = self.question.filter(|q| q.asks == Asks::Poll).map(|q| q.read_at.plus_ms(ACK_AFTER_MS));
        // These two only change the state.
        let settles = [self.drained_at(), self.stale_at()].into_iter().flatten().filter(|&at| at > self.now);
        let served = self.serving.as_ref().map(|s| s.until);
        let actions = [vend_ends, silence, ack, served, self.unresolved.map(|u| u.until)];
        actions.into_iter().flatten().chain(settles).min()
    }

    fn state(&self) -> LineState {
        if self.opened_at.is_none() {
            LineState::Closed
        } else if self.vend.is_some() || self.serving.is_some() {
            LineState::Busy
        } else if self.is_free() {
            // Also while the final status waits for its ACK: the board keeps nothing for later, and the ACK leaves
            // with the release, before the next command (driver promise 3).
            LineState::Idle
        } else if self.held {
            LineState::Held
        } else {
            LineState::Settling
        }
    }

    /// The command's PackNO; then, while the board may still repeat it, the last final status of before, which must
    /// not be taken for this command's.
    fn reference(&self, _command: &MotorCommand) -> Reference {
        let mut bytes = vec![self.last_number.next().get()];
        if let Some((last, at)) = self.last_final
            && self.now.since_ms(at) <= COPY_MS_MAX
        {
            let [hi, lo] = last.slot.0.to_be_bytes();
            bytes.extend([last.pack_no, last.code, hi, lo]);
        }
        Reference(bytes)
    }

    fn drive(&mut self, now: BootMs, command: &MotorCommand, _reference: &Reference) {
        self.now = now;
        if self.opened_at.is_none() {
            return self.tell(Finding::NotTaken(Reason::BoardOffline));
        }
        self.vend = Some(Vend::new(command, Phase::Waiting { since: now }));
        self.answer();
    }

    fn last_reference(&mut self, reference: &Reference) {
        if sabotage::is_out(Clause::R15NumbersGoOn) {
            return;
        }
        if let Some(number) = reference.0.first().copied().and_then(PackNo::new) {
            self.last_number = number;
        }
    }

    fn resume(&mut self, now: BootMs, command: &MotorCommand, reference: &Reference) {
        self.now = now;
        self.last_reference(reference);
        if let &[_, pack_no, code, hi, lo] = reference.0.as_slice() {
            let last = FinalStatus { pack_no, code, slot: Slot(u16::from_be_bytes([hi, lo])) };
            self.last_final = Some((last, now));
        }
        self.vend = Some(Vend::new(command, Phase::Resumed));
        if self.profile.recovery_class == RecoveryClass::None {
            self.unproven("the profile says that this board keeps no result for a later life", false);
        }
    }

    fn motor_written(&mut self, now: BootMs, written: Written) {
        self.now = now;
        let until = self.longest_vend_end();
        let is_open = self.opened_at.is_some();
        let written = match written {
            Written::Some if sabotage::is_out(Clause::R18SomeMayBeHeard) => Written::Nothing,
            told => told,
        };
        let Some(vend) = &mut self.vend else { return };
        let Phase::Offered { since, number } = vend.phase else { return };
        match written {
            Written::All | Written::Some => {
                self.last_number = number;
                vend.phase = Phase::Listening { until };
            }
            Written::Nothing => {
                self.awaiting = Awaiting::Nothing;
                vend.phase = Phase::Waiting { since };
                if !is_open {
                    self.not_taken();
                }
            }
        }
        self.expire();
    }

    fn give_up(&mut self, now: BootMs) {
        self.now = now;
        self.abandon(true);
        self.expire();
    }

    fn release(&mut self, now: BootMs) {
        self.now = now;
        self.held = false;
        self.answer();
    }

    fn serves(&self, wanted: &Service) -> bool {
        wanted.address().get() <= self.profile.addresses.count && service::serves(wanted)
    }

    fn serve(&mut self, now: BootMs, wanted: &Service) {
        self.now = now;
        if !self.serves(wanted) {
            return self.tell(Finding::Served(Err(ServiceError::NotOffered)));
        }
        if self.state() != LineState::Idle {
            return self.tell(Finding::Served(Err(ServiceError::Busy)));
        }
        self.serving = Some(Serving::new(*wanted, self.part_ends()));
        self.answer();
    }

    fn tally(&self) -> Tally {
        self.tally
    }

    fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

impl Vend {
    fn new(command: &MotorCommand, phase: Phase) -> Self {
        Vend {
            address: command.address,
            slot: command.slot,
            drop_check: command.drop_check,
            lift: command.lift,
            phase,
            odd_slot_status: false,
        }
    }
}

#[cfg(test)]
mod tests;
