//! tcn-00ff: one request, one reply after the turn, and nothing to ask afterwards.
//!
//! The reply carries no slot and no number, so all that ties it to a command is that nothing else can answer: one
//! command at a time, and none before the longest vend time of an unresolved one has passed.

use super::driver::{
    Address, Driver, Finding, LineFault, LineState, MotorCommand, Output, Reference, Tally, Write, Written,
};
use super::frame::sum8;
use super::profile::Profile;
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
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

const REPLY_BYTES: usize = 5;
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

/// The driver. See the module.
pub struct Tcn00ff {
    profile: Profile,
    now: BootMs,
    is_open: bool,
    buffer: Vec<u8>,
    buffer_read_at: BootMs,
    running: Option<(Vend, Phase)>,
    /// The last command that ended without proof, until the next one: its reply may still come.
    unresolved: Option<Vend>,
    /// The last command of an earlier life ended without proof: its motor may still turn, and its reply come.
    may_still_turn: bool,
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
            unresolved: None,
            may_still_turn: false,
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

    fn reply(&mut self, [board, kind, error, delivered, _]: [u8; REPLY_BYTES]) {
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
    }

    fn deadline(&self) -> Option<BootMs> {
        match self.running {
            Some((_, Phase::Listening { until })) => Some(until),
            Some((_, Phase::Offered)) => None,
            None => Some(self.settled_at).filter(|&at| at > self.now),
        }
    }

    fn state(&self) -> LineState {
        if !self.is_open {
            LineState::Closed
        } else if self.running.is_some() {
            LineState::Busy
        } else if self.now < self.settled_at {
            LineState::Settling
        } else {
            LineState::Idle
        }
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

    /// Without round trips: the reply comes when the motor has stopped.
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
