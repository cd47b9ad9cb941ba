//! tcn-00ff: one request, one reply after the turn, and nothing to ask afterwards.
//!
//! The reply carries no slot and no number, so all that ties it to a command is that nothing else can answer: one
//! command at a time, and none before the longest vend time of an unresolved one has passed. The same holds for a
//! service: it is asked once, ends the time in which a late reply of a vend would be believed, and while its own reply
//! may still come nothing else is said. Command 65, which turns a slot home, is no service (rule 19).
//!
//! Its codes are the constants below, each with its meaning.

use super::driver::{
    Address, Driver, Finding, LineFault, LineState, MotorCommand, Output, Reference, Tally, Write, Written,
};
use super::frame::sum8;
use super::profile::{Mistake, Profile};
use super::service::{ClimateMode, Device, Reading, Service, ServiceError};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::said::{Said, said};
use crate::order::time::BootMs;
use crate::sabotage::{self, Clause};
use std::collections::VecDeque;

/// Parameter of a dispense command: with drop sensor; of the light: on.
pub const PARAMETER_ON: u8 = 0xAA;
/// Parameter of a dispense command: without drop sensor; of the light: off.
pub const PARAMETER_OFF: u8 = 0x55;
/// Second byte of a reply: fine.
pub const REPLY_OK: u8 = 0x5D;
/// Second byte of a reply: fault.
pub const REPLY_FAULT: u8 = 0x5C;
/// Fourth byte of a reply: goods were seen to fall.
pub const DELIVERED: u8 = 0xAA;
/// The highest slot that a command can name; the codes above mean other things.
pub const SLOT_MAX: u8 = 0x50;

/// The board tests itself.
pub const SELF_CHECK: u8 = 0x64;
/// 78h + n: is slot n there?
pub const SLOT_EXISTS: u8 = 0x78;
/// Temperature control on or off.
pub const HOLD: u8 = 0xCC;
/// What the temperature control does: 0 heats, 1 cools.
pub const HOLD_MODE: u8 = 0xCD;
/// The temperature to hold, in °C.
pub const HOLD_TARGET: u8 = 0xCE;
/// The heater of the door's glass.
pub const GLASS_HEATER: u8 = 0xD4;
/// The temperature, in °C, in the third byte of the reply.
pub const TEMPERATURE: u8 = 0xDC;
/// The light.
pub const LIGHT: u8 = 0xDD;
/// The door: the third byte of the reply is 1 when it is open.
pub const DOOR: u8 = 0xDF;

/// A reply has as many.
pub const REPLY_BYTES: usize = 5;
/// A reply takes 5 ms on the wire and a USB converter holds bytes back for 16 ms: what is incomplete for longer is
/// noise.
const REPLY_MS_MAX: u64 = 100;
/// The line is drained when nothing came for so long.
const QUIET_MS: u64 = 50;

/// The six bytes of a request: each byte and its complement.
#[must_use]
pub const fn request(board: u8, command: u8, parameter: u8) -> [u8; 6] {
    [board, !board, command, !command, parameter, !parameter]
}

/// The five bytes of a reply. `delivered` is another value in replies that are not about a vend.
#[must_use]
pub fn reply(board: u8, ok: bool, error: u8, delivered: u8) -> [u8; REPLY_BYTES] {
    let kind = if ok { REPLY_OK } else { REPLY_FAULT };
    [board, kind, error, delivered, sum8(&[board, kind, error, delivered])]
}

/// How far the running command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Given to the line; whether it was written is not known yet.
    Offered,
    /// Written: the reply may come until then.
    Listening { until: BootMs },
}

#[derive(Debug, Clone, Copy)]
struct Vend {
    address: Address,
    drop_check: bool,
}

/// The running [`Driver::serve`].
#[derive(Debug)]
struct Serving {
    service: Service,
    /// The part that is asked next, or waits for its reply.
    part: usize,
    /// When the part was said, and until when its reply may come; nothing while the line has to be quiet first.
    waits: Option<(BootMs, BootMs)>,
}

/// Commands and parameters of a service, one after the other; none where the protocol has none.
fn commands(service: &Service) -> Vec<(u8, u8)> {
    let switched = |on: bool| if on { PARAMETER_ON } else { PARAMETER_OFF };
    match *service {
        Service::SelfCheck { .. } => vec![(SELF_CHECK, PARAMETER_OFF)],
        Service::SlotState { slot, .. } => {
            let slot = u8::try_from(slot.0).ok().filter(|slot| (1..=SLOT_MAX).contains(slot));
            slot.map(|slot| (SLOT_EXISTS + slot, PARAMETER_OFF)).into_iter().collect()
        }
        Service::Door { .. } => vec![(DOOR, PARAMETER_OFF)],
        Service::Climate { .. } => vec![(TEMPERATURE, PARAMETER_OFF)],
        Service::Switch { device: Device::Light, on, .. } => vec![(LIGHT, switched(on))],
        Service::Switch { device: Device::GlassHeater, on, .. } => vec![(GLASS_HEATER, switched(on))],
        Service::Hold { mode: ClimateMode::Off, .. } => vec![(HOLD, PARAMETER_OFF)],
        Service::Hold { mode, target_c, .. } => {
            let cools = u8::from(mode == ClimateMode::Cool);
            vec![(HOLD_MODE, cools), (HOLD_TARGET, target_c.cast_unsigned()), (HOLD, PARAMETER_ON)]
        }
        Service::Switch { .. } | Service::Reset { .. } => Vec::new(),
    }
}

/// What the reply to a service's last command says.
fn reading(service: &Service, kind: u8, value: u8) -> Result<Reading, ServiceError> {
    let is_fine = kind == REPLY_OK;
    match service {
        Service::SelfCheck { .. } if is_fine && value == 0 => Ok(Reading::Healthy),
        Service::SelfCheck { .. } => Ok(Reading::faulty(what_is_wrong(value))),
        Service::SlotState { .. } if is_fine && value == 0 => Ok(Reading::SlotReady),
        Service::SlotState { .. } if value == 0 => Ok(Reading::SlotAbsent),
        Service::SlotState { .. } => Ok(Reading::faulty(what_is_wrong(value))),
        _ if !is_fine => Err(ServiceError::Refused),
        Service::Door { .. } => Ok(Reading::Door { open: value == 1 }),
        Service::Climate { .. } => Ok(Reading::Climate {
            temperature_deci_c: Some(i16::from(value.cast_signed()) * 10),
            humidity_permille: None,
        }),
        Service::Switch { .. } | Service::Hold { .. } | Service::Reset { .. } => Ok(Reading::Done),
    }
}

/// The error byte in words: its high half is the motor's, its low half the drop sensor's.
fn what_is_wrong(error: u8) -> Said {
    let motor = match error >> 4 {
        0 => None,
        1 => Some(said!("P-MOS short", "P-MOS 短路")),
        2 => Some(said!("N-MOS short", "N-MOS 短路")),
        3 => Some(said!("motor short", "电机短路")),
        4 => Some(said!("motor open", "电机开路")),
        5 => Some(said!("rotation time-out", "转动超时")),
        _ => Some(said!("unknown fault", "未知故障")),
    };
    let sensor = match error & 0x0F {
        0 => None,
        1 => Some(said!("drop sensor: signal without emission", "掉货传感器：未发射却有信号")),
        2 => Some(said!("drop sensor: no signal", "掉货传感器：无信号")),
        3 => Some(said!("drop sensor: always a signal", "掉货传感器：一直有信号")),
        _ => Some(said!("drop sensor: unknown fault", "掉货传感器：未知故障")),
    };
    let words: Vec<Said> = motor.into_iter().chain(sensor).collect();
    if words.is_empty() { said!("fault without a reason", "原因不明的故障") } else { Said::list(&words) }
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_slots(1..=u16::from(SLOT_MAX))
}

/// The driver. See the module.
pub struct Tcn00ff {
    profile: Profile,
    now: BootMs,
    is_open: bool,
    buffer: Vec<u8>,
    buffer_read_at: BootMs,
    running: Option<(Vend, Phase)>,
    serving: Option<Serving>,
    /// The last command that ended without proof, until the next one: its reply may still come.
    unresolved: Option<Vend>,
    /// The last command of an earlier life ended without proof: its motor may still turn, and its reply come.
    may_still_turn: bool,
    /// An earlier life may have asked something. Replies name nothing, so its answer would be the next vend's.
    service_may_be_owed: bool,
    /// No command before: an old one may still turn, or the line is not quiet.
    settled_at: BootMs,
    tally: Tally,
    outputs: VecDeque<Output>,
}

impl Tcn00ff {
    /// A driver for the profile's board; the port is not open yet.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        Tcn00ff {
            profile: profile.clone(),
            now: BootMs::default(),
            is_open: false,
            buffer: Vec::new(),
            buffer_read_at: BootMs::default(),
            running: None,
            serving: None,
            unresolved: None,
            may_still_turn: false,
            service_may_be_owed: true,
            settled_at: BootMs::default(),
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

    /// Says the next part of the running service, once the line is quiet.
    fn ask(&mut self) {
        let (now, settled_at) = (self.now, self.settled_at);
        let until = now.plus_ms(self.profile.timing.reply_ms);
        let Some(serving) = self.serving.as_mut().filter(|s| s.waits.is_none() && now >= settled_at) else { return };
        let Some(&(command, parameter)) = commands(&serving.service).get(serving.part) else { return };
        serving.waits = Some((now, until));
        let wire_address = self.profile.wire_address(serving.service.address());
        let bytes = request(wire_address, command, parameter).to_vec();
        self.tally.frames_out += 1;
        self.outputs.push_back(Output::Write(Write { bytes, motor: false, not_after: None }));
    }

    /// The running service ends; its last reply may still come if it did not.
    fn served(&mut self, result: Result<Reading, ServiceError>) {
        if let Some(serving) = self.serving.take() {
            if result == Err(ServiceError::NoAnswer) && serving.waits.is_some() {
                // No reply of any kind comes later than that of the longest vend.
                self.settled_at = self.settled_at.max(self.longest_vend_end());
            }
            self.tell(Finding::Served(result));
        }
    }

    fn service_reply(&mut self, sent_at: BootMs, kind: u8, value: u8) {
        let Some(serving) = &mut self.serving else { return };
        self.tally.round_trip(self.now.since_ms(sent_at));
        serving.waits = None;
        serving.part += 1;
        if kind == REPLY_OK && serving.part < commands(&serving.service).len() {
            return;
        }
        let result = reading(&serving.service, kind, value);
        self.served(result);
    }

    fn reply(&mut self, [board, kind, error, delivered, _]: [u8; REPLY_BYTES]) {
        if let Some(serving) = &self.serving {
            let is_asked = self.profile.wire_address(serving.service.address()) == board;
            return match serving.waits.filter(|_| is_asked) {
                Some((sent_at, _)) => self.service_reply(sent_at, kind, error),
                None => self.tell(Finding::Fault(LineFault::Unexpected)),
            };
        }
        let running = self.running.filter(|(_, phase)| matches!(phase, Phase::Listening { .. })).map(|(vend, _)| vend);
        let asked = running.or(self.unresolved);
        let Some(vend) = asked.filter(|vend| self.profile.wire_address(vend.address) == board) else {
            return self.tell(Finding::Fault(LineFault::Unexpected));
        };
        let evidence = self.evidence(kind, error, delivered, vend.drop_check);
        if running.is_some() {
            self.running = None;
            self.tell(Finding::Outcome(evidence));
        } else {
            self.unresolved = None;
            self.tell(Finding::Late { address: vend.address, slot: None, evidence });
        }
    }

    fn evidence(&self, kind: u8, error: u8, delivered: u8, drop_check: bool) -> Evidence {
        if let Some(evidence) = self.profile.evidence_of(error) {
            return evidence;
        }
        let motor = match error >> 4 {
            0 if kind == REPLY_OK || error != 0 => Motor::Ok,
            1..=3 => Motor::OverCurrent,
            4 => Motor::Open,
            // 5 is the rotation's time-out; a fault without a reason is told as a fault of the drive.
            _ => Motor::Timeout,
        };
        let sensor_is_sound = error & 0x0F == 0;
        let drop_sensor = match delivered {
            _ if !drop_check || !sensor_is_sound => DropSensor::None,
            DELIVERED => DropSensor::Seen,
            _ => DropSensor::NotSeen,
        };
        Evidence { motor, drop_sensor }
    }

    /// The running command ends without proof; none may follow before `settled_at`.
    fn unproven(&mut self, why: &'static str, settled_at: BootMs) {
        self.abandon(settled_at);
        self.tell(Finding::Unproven(why));
    }

    fn abandon(&mut self, settled_at: BootMs) {
        if let Some((vend, _)) = self.running.take() {
            self.unresolved = Some(vend);
            if !sabotage::is_out(Clause::R16AwaitedTcn) {
                self.settled_at = self.settled_at.max(settled_at);
            }
        }
    }

    fn expire(&mut self) {
        if let Some((_, Phase::Listening { until })) = self.running
            && self.now >= until
        {
            self.unproven("the board did not reply within the longest vend time", until);
        }
        if self.serving.as_ref().and_then(|s| s.waits).is_some_and(|(_, until)| self.now >= until) {
            self.tell(Finding::Fault(LineFault::TimeOut));
            self.served(Err(ServiceError::NoAnswer));
        }
    }

    fn parse(&mut self) {
        let mut noise = false;
        while let Some(&bytes) = self.buffer.first_chunk::<REPLY_BYTES>() {
            let [board, kind, error, delivered, sum] = bytes;
            if !matches!(kind, REPLY_OK | REPLY_FAULT) {
                noise = true;
                self.buffer.remove(0);
            } else if sum8(&[board, kind, error, delivered]) != sum {
                self.tell(Finding::Fault(LineFault::BadCheck));
                self.buffer.remove(0);
            } else {
                self.buffer.drain(..REPLY_BYTES);
                self.tally.frames_in += 1;
                self.reply(bytes);
            }
        }
        if noise {
            self.tell(Finding::Fault(LineFault::Noise));
        }
    }
}

impl Driver for Tcn00ff {
    fn opened(&mut self, now: BootMs) {
        self.now = now;
        self.is_open = true;
        self.buffer.clear();
        if std::mem::take(&mut self.service_may_be_owed) {
            self.settled_at = self.settled_at.max(now.plus_ms(self.profile.timing.reply_ms));
        }
        if std::mem::take(&mut self.may_still_turn) {
            self.settled_at = self.settled_at.max(self.longest_vend_end());
        }
        match self.running {
            // The reply may have come while nobody listened.
            Some((_, Phase::Listening { until })) => self.unproven("the port was lost during the vend", until),
            Some((_, Phase::Offered)) => {
                self.unproven("the port was lost during the vend", self.longest_vend_end());
            }
            None => {}
        }
    }

    fn closed(&mut self, now: BootMs) {
        self.now = now;
        self.is_open = false;
        self.served(Err(ServiceError::NoAnswer));
        self.expire();
    }

    fn received(&mut self, now: BootMs, read_at: BootMs, bytes: &[u8]) {
        self.now = now;
        if !self.buffer.is_empty() && read_at.since_ms(self.buffer_read_at) > REPLY_MS_MAX {
            self.buffer.clear();
            self.tell(Finding::Fault(LineFault::Noise));
        }
        self.buffer_read_at = read_at;
        self.buffer.extend_from_slice(bytes);
        if self.running.is_none() && !sabotage::is_out(Clause::R16Drained) {
            self.settled_at = self.settled_at.max(now.plus_ms(QUIET_MS));
        }
        self.parse();
        self.expire();
    }

    fn wake(&mut self, now: BootMs) {
        self.now = now;
        self.expire();
        self.ask();
    }

    fn deadline(&self) -> Option<BootMs> {
        match self.running {
            Some((_, Phase::Listening { until })) => Some(until),
            Some((_, Phase::Offered)) => None,
            None if let Some((_, until)) = self.serving.as_ref().and_then(|s| s.waits) => Some(until),
            None => Some(self.settled_at).filter(|&at| at > self.now),
        }
    }

    fn state(&self) -> LineState {
        if !self.is_open {
            LineState::Closed
        } else if self.running.is_some() || self.serving.is_some() {
            LineState::Busy
        } else if self.now < self.settled_at {
            LineState::Settling
        } else {
            LineState::Idle
        }
    }

    fn is_silent(&self) -> bool {
        self.state() == LineState::Idle
    }

    /// Empty: the protocol has no sequence number and the board nothing to say before a vend.
    fn reference(&self, _command: &MotorCommand) -> Reference {
        Reference::default()
    }

    /// Even if nothing of that command is left to resume: the life between may have been too short for its reply.
    fn may_still_turn(&mut self) {
        self.may_still_turn = true;
    }

    fn drive(&mut self, now: BootMs, command: &MotorCommand, _reference: &Reference) {
        self.now = now;
        let Some(slot) = u8::try_from(command.slot.0).ok().filter(|slot| (1..=SLOT_MAX).contains(slot)) else {
            return self.tell(Finding::NotTaken(Reason::Slot));
        };
        if !self.is_open {
            return self.tell(Finding::NotTaken(Reason::BoardOffline));
        }
        self.unresolved = None;
        if !sabotage::is_out(Clause::R16Drained) {
            self.buffer.clear();
        }
        self.running = Some((Vend { address: command.address, drop_check: command.drop_check }, Phase::Offered));
        let parameter = if command.drop_check { PARAMETER_ON } else { PARAMETER_OFF };
        let bytes = request(self.profile.wire_address(command.address), slot, parameter).to_vec();
        self.tally.frames_out += 1;
        self.outputs.push_back(Output::Write(Write { bytes, motor: true, not_after: None }));
    }

    fn resume(&mut self, now: BootMs, command: &MotorCommand, _reference: &Reference) {
        self.now = now;
        self.running = Some((Vend { address: command.address, drop_check: command.drop_check }, Phase::Offered));
        self.unproven("the board remembers nothing that could be asked", self.longest_vend_end());
    }

    fn motor_written(&mut self, now: BootMs, written: Written) {
        self.now = now;
        let until = self.longest_vend_end();
        if let Some((_, phase @ Phase::Offered)) = &mut self.running {
            let written = match written {
                Written::Some if sabotage::is_out(Clause::R18SomeMayBeHeard) => Written::Nothing,
                told => told,
            };
            match written {
                Written::All | Written::Some => *phase = Phase::Listening { until },
                Written::Nothing => {
                    self.running = None;
                    self.tell(Finding::NotTaken(Reason::BoardOffline));
                }
            }
        }
    }

    fn give_up(&mut self, now: BootMs) {
        self.now = now;
        let until = match self.running {
            Some((_, Phase::Listening { until })) => until,
            _ => self.longest_vend_end(),
        };
        self.abandon(until);
    }

    /// The board holds nothing: its one reply was the end of it.
    fn release(&mut self, now: BootMs) {
        self.now = now;
    }

    fn serves(&self, service: &Service) -> bool {
        service.address().get() <= self.profile.addresses.count && !commands(service).is_empty()
    }

    fn serve(&mut self, now: BootMs, service: &Service) {
        self.now = now;
        if !self.serves(service) {
            return self.tell(Finding::Served(Err(ServiceError::NotOffered)));
        }
        if self.state() != LineState::Idle {
            return self.tell(Finding::Served(Err(ServiceError::Busy)));
        }
        // From now on a reply is this one's: an old vend's could not be told from it.
        self.unresolved = None;
        self.buffer.clear();
        self.serving = Some(Serving { service: *service, part: 0, waits: None });
        self.ask();
    }

    /// With round trips of services only: the reply to a vend comes when the motor has stopped.
    fn tally(&self) -> Tally {
        self.tally
    }

    fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::driver::{FloorType, Slot};
    use std::path::Path;

    /// A driver whose command was written at 0.
    fn driving() -> Tcn00ff {
        let mut driver = Tcn00ff::new(&Profile::find("tcn-00ff", Path::new(".")).unwrap());
        driver.opened(BootMs(0));
        let (address, floor_type) = (Address::new(1).unwrap(), FloorType::Spring);
        let command = MotorCommand { address, slot: Slot(1), floor_type, lift: false, drop_check: true };
        driver.drive(BootMs(0), &command, &Reference::default());
        driver.motor_written(BootMs(0), Written::All);
        driver.next_output();
        driver
    }

    fn findings(driver: &mut Tcn00ff) -> Vec<Finding> {
        std::iter::from_fn(|| driver.next_output())
            .map(|output| match output {
                Output::Finding(finding) => finding,
                Output::Write(write) => panic!("{write:?}"),
            })
            .collect()
    }

    #[test]
    fn a_reply_counts_whole_or_in_two_reads_and_half_of_one_is_noise_when_the_rest_does_not_follow() {
        let outcome = || Finding::Outcome(Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen });
        let bytes = reply(0, true, 0, DELIVERED);
        let read = |pieces: &[(u64, &[u8])]| {
            let mut driver = driving();
            for &(at, bytes) in pieces {
                driver.received(BootMs(at), BootMs(at), bytes);
            }
            findings(&mut driver)
        };
        assert_eq!(read(&[(2_000, &bytes)]), [outcome()]);
        assert_eq!(read(&[(2_000, &bytes[..3]), (2_000 + REPLY_MS_MAX, &bytes[3..])]), [outcome()]);
        let torn = read(&[(2_000, &bytes[..3]), (2_001 + REPLY_MS_MAX, &bytes)]);
        assert_eq!(torn, [Finding::Fault(LineFault::Noise), outcome()]);
    }

    #[test]
    fn while_the_line_is_not_quiet_the_driver_wants_to_be_woken_when_it_is_and_not_after() {
        let mut driver = driving();
        driver.received(BootMs(2_000), BootMs(2_000), &reply(0, true, 0, DELIVERED));
        driver.received(BootMs(2_001), BootMs(2_001), &[0]);
        let quiet_at = BootMs(2_001 + QUIET_MS);
        assert_eq!((driver.state(), driver.deadline()), (LineState::Settling, Some(quiet_at)));
        driver.wake(quiet_at);
        assert_eq!((driver.state(), driver.deadline()), (LineState::Idle, None));
    }
}
