//! `m102`: M102, M109E and MP2404 motor boards (boards.md, E). Class 1c: the result of the last command, with its
//! motor, stays until the next one. Nothing acknowledges it and nothing numbers it, so an old result of the same motor
//! looks like a new one: it counts only when the motor was seen turning, or when it was not there before.
//!
//! Always 20 bytes. Some firmware forms the check sum with a fixed text behind the frame that is not sent; which one a
//! board has shows in its answers, and while none came it is asked in both ways.
//!
//! Its codes are the constants below, each with its meaning.

use super::asked::Asked;
use super::frame::crc16_modbus;
use super::profile::{Mistake, MotorType, Profile};
use super::protocol::{Fit, Turn};
use super::service::{Device, Reading, Service};
use super::talk::START_GRACE_MS;
use super::words::{Answer, Question, Seen, Verdict, Words};
use crate::order::motor::FloorType;
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::said::said;
use std::collections::BTreeMap;

/// The driver.
pub type M102 = Asked<M102Words>;

/// Every frame, both ways.
pub const FRAME_BYTES: usize = 20;
/// Between function and check sum.
pub const DATA_BYTES: usize = 16;

/// Functions: who are you.
pub const ID: u8 = 0x01;
/// What are you doing, and what did you do last.
pub const POLL: u8 = 0x03;
/// Is this motor wired? It does not turn.
pub const SCAN: u8 = 0x04;
/// Turn a motor.
pub const RUN: u8 = 0x05;
/// The temperature.
pub const TEMPERATURE: u8 = 0x07;
/// Switch an output.
pub const OUTPUT: u8 = 0x08;
/// The humidity.
pub const HUMIDITY: u8 = 0x10;

/// States in the reply to [`POLL`]: nothing was done since power came.
pub const IDLE: u8 = 0;
/// A motor turns.
pub const RUNNING: u8 = 1;
/// A turn has ended; its result stays.
pub const FINISHED: u8 = 2;

/// Codes in the reply to [`RUN`]: taken.
pub const RUN_OK: u8 = 0;
/// There is no such motor.
pub const RUN_BAD_INDEX: u8 = 1;
/// Not now.
pub const RUN_BUSY: u8 = 2;

/// Results: the motor drew too much.
pub const OVER_CURRENT: u8 = 1;
/// The motor's wire is open.
pub const WIRE: u8 = 2;
/// The light curtain failed its own test; the motor was not started.
pub const CURTAIN_FAILED: u8 = 4;

/// Answers to [`SCAN`].
pub const WIRED: u8 = 0xAA;
/// Nothing is connected.
pub const NOT_WIRED: u8 = 0xBB;
/// The motor is short.
pub const SHORT: u8 = 0xCC;

/// Second byte of the answer to [`OUTPUT`]: off was accepted.
pub const OUTPUT_OFF: u8 = 0xF0;
/// On was accepted.
pub const OUTPUT_ON: u8 = 0xF1;

/// What the board adds to a temperature, in tenths of °C.
const TEMPERATURE_OFFSET: i16 = 20;
/// Told instead of a temperature when there is no probe: −52 °C.
const NO_PROBE_DECI_C: i16 = -520;
/// A humidity with a status below is good.
const HUMIDITY_STATUS_BAD: u8 = 10;
/// Characters of the firmware's name in the answer to [`ID`].
const NAME_BYTES: usize = 12;

/// What a motor is on the wire of [`RUN`].
#[must_use]
pub const fn motor_type(floor_type: FloorType, wiring: MotorType) -> u8 {
    match (floor_type, wiring) {
        (FloorType::Lock, MotorType::TwoWire | MotorType::ThreeWire) => 0x00,
        (FloorType::Lock, _) => 0x0C,
        (_, MotorType::TwoWire) => 0x02,
        (_, MotorType::TwoWireReversed) => 0x0A,
        (_, MotorType::ThreeWire) => 0x03,
        (_, MotorType::ThreeWireReversed) => 0x0B,
    }
}

/// A whole frame. The check sum covers the suffix too, which is not sent.
#[must_use]
pub fn frame(address: u8, function: u8, data: &[u8], suffix: &[u8]) -> Vec<u8> {
    let mut bytes = vec![address, function];
    bytes.extend(data.iter().copied().chain(std::iter::repeat(0)).take(DATA_BYTES));
    bytes.extend(crc16_modbus(&[&bytes, suffix].concat()).to_le_bytes());
    bytes
}

/// Whether a frame's check sum was made with this suffix.
#[must_use]
pub fn is_sealed(frame: &[u8], suffix: &[u8]) -> bool {
    frame.split_last_chunk().is_some_and(|(body, check)| {
        body.len() == FRAME_BYTES - 2 && crc16_modbus(&[body, suffix].concat()).to_le_bytes() == *check
    })
}

/// How a board forms its check sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealing {
    Plain,
    Suffixed,
}

impl Sealing {
    const fn other(self) -> Self {
        match self {
            Sealing::Plain => Sealing::Suffixed,
            Sealing::Suffixed => Sealing::Plain,
        }
    }
}

/// What a board says of its last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poll {
    pub(super) state: u8,
    pub(super) motor: u8,
    pub(super) result: u8,
    /// Currents and run time.
    measured: [u8; 6],
    /// How long the light curtain was blocked; 0 when nothing fell.
    pub(super) curtain: u8,
}

impl Poll {
    fn read(data: &[u8]) -> Option<Poll> {
        let &[state @ IDLE..=FINISHED, motor, result, i1, i2, i3, i4, t1, t2, curtain, ..] = data else { return None };
        Some(Poll { state, motor, result, measured: [i1, i2, i3, i4, t1, t2], curtain })
    }

    fn bytes(&self) -> Vec<u8> {
        [&[self.state, self.motor, self.result][..], &self.measured, &[self.curtain]].concat()
    }
}

/// No longer suffix of a check sum was ever reported; what is longer is a mistake of the pasteboard.
const CRC_SUFFIX_BYTES_MAX: usize = 32;

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_given("options.motor_type", profile.options.motor_type)?;
    let is_suffix = |text: &String| (1..=CRC_SUFFIX_BYTES_MAX).contains(&text.len()) && text.is_ascii();
    if !profile.options.crc_suffix.as_ref().is_none_or(is_suffix) {
        let problem =
            said!("must be 1 to {max} ASCII characters", "必须为 1 至 {max} 个 ASCII 字符"; max = CRC_SUFFIX_BYTES_MAX);
        return Err(Mistake::new("options.crc_suffix", problem));
    }
    profile.check_slots(0..=u16::from(u8::MAX))
}

/// The bytes on the wire.
pub struct M102Words {
    profile: Profile,
    wiring: MotorType,
    /// How each board that was heard forms its check sums.
    heard: BTreeMap<u8, Sealing>,
}

impl M102Words {
    /// Which motor turns, how it is wired, and whether the curtain counts.
    fn run_data(&self, turn: &Turn) -> [u8; 3] {
        [turn.slot, motor_type(turn.command.floor_type, self.wiring), u8::from(turn.command.drop_check)]
    }

    fn suffix(&self) -> Option<&[u8]> {
        self.profile.options.crc_suffix.as_deref().map(str::as_bytes)
    }

    fn sealing_of(&self, frame: &[u8]) -> Option<Sealing> {
        if is_sealed(frame, &[]) {
            Some(Sealing::Plain)
        } else {
            self.suffix().is_some_and(|suffix| is_sealed(frame, suffix)).then_some(Sealing::Suffixed)
        }
    }

    fn evidence(&self, poll: &Poll, drop_check: bool) -> Evidence {
        let drop_sensor = match (drop_check, poll.curtain) {
            (false, _) => DropSensor::None,
            (true, _) if poll.result == CURTAIN_FAILED => DropSensor::None,
            (true, 0) => DropSensor::NotSeen,
            (true, _) => DropSensor::Seen,
        };
        let motor = match poll.result {
            0 => Motor::Ok,
            OVER_CURRENT => Motor::OverCurrent,
            WIRE => Motor::Open,
            // Time-outs of motor, lock and switch; what no note has, the profile may know.
            code => match self.profile.evidence_of(code) {
                Some(evidence) if drop_check => return evidence,
                Some(evidence) => evidence.motor,
                None => Motor::Timeout,
            },
        };
        Evidence { motor, drop_sensor }
    }
}

impl Words for M102Words {
    type Look = Option<Poll>;

    const IDENTITY_PARTS: u8 = 1;
    // They name the question, but not which one of its kind: an old picture would pass for a new one.
    const REPLIES_ARE_ANONYMOUS: bool = true;
    const MISSING_ANSWERS_ARE_FEARED: bool = true;

    fn new(profile: &Profile) -> Self {
        // Profile::parse refuses an m102 profile that does not name its motors.
        let wiring = profile.options.motor_type.unwrap_or(MotorType::ThreeWire);
        M102Words { profile: profile.clone(), wiring, heard: BTreeMap::new() }
    }

    fn serves(&self, service: &Service) -> bool {
        match service {
            Service::SlotState { slot, .. } => u8::try_from(slot.0).is_ok(),
            Service::Climate { .. } | Service::Switch { .. } => true,
            Service::SelfCheck { .. } | Service::Door { .. } | Service::Hold { .. } | Service::Reset { .. } => false,
        }
    }

    fn service_parts(&self, service: &Service) -> u8 {
        if matches!(service, Service::Climate { .. }) { 2 } else { 1 }
    }

    /// A board that has done nothing answers the status question with the question itself, so an echo that is not
    /// taken off looks like a board at rest.
    fn echoes(&self) -> bool {
        self.profile.options.echo.unwrap_or(false)
    }

    fn request(&mut self, wire_address: u8, question: &Question, tries: u8) -> Vec<u8> {
        let known = self.heard.get(&wire_address).copied();
        // A board that no longer answers may have been exchanged for one of the other kind.
        let is_doubtful = known.is_none() || tries >= self.profile.timing.tries();
        let known = known.unwrap_or(Sealing::Plain);
        let sealing = if is_doubtful && tries % 2 == 1 { known.other() } else { known };
        let suffix = match (sealing, self.suffix()) {
            (Sealing::Suffixed, Some(suffix)) => suffix,
            _ => &[],
        };
        let ask = |function, data: &[u8]| frame(wire_address, function, data, suffix);
        match *question {
            // No verdict here halts; a question for the state turns nothing.
            Question::Look(_) | Question::Follow(..) | Question::Halt => ask(POLL, &[]),
            Question::Identity(_) => ask(ID, &[]),
            Question::Drive(turn) => ask(RUN, &self.run_data(&turn)),
            Question::Service(Service::SlotState { slot, .. }, _) => ask(SCAN, &slot.0.to_be_bytes()[1..]),
            Question::Service(Service::Switch { device, on, .. }, _) => ask(OUTPUT, &[channel(device), u8::from(on)]),
            Question::Service(_, 0) => ask(TEMPERATURE, &[]),
            Question::Service(..) => ask(HUMIDITY, &[]),
        }
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        match bytes.get(..FRAME_BYTES) {
            Some(frame) if self.sealing_of(frame).is_some() => Fit::Whole(FRAME_BYTES),
            Some(_) => Fit::BadCheck,
            None => Fit::No,
        }
    }

    fn reply(&self, wire_address: u8, question: &Question, frame: &[u8]) -> Option<Answer<Option<Poll>>> {
        let [from, function, data @ .., _, _] = frame else { return None };
        if *from != wire_address {
            return None;
        }
        match (question, *function, data) {
            (Question::Look(_) | Question::Follow(..), POLL, data) => Some(Answer::Look(Some(Poll::read(data)?))),
            // What a cable gives back is no answer, even if the profile does not know that it does.
            (Question::Drive(turn), RUN, data) if data.starts_with(&self.run_data(turn)) => Some(Answer::Unclear),
            (Question::Drive(_), RUN, [code, ..]) => Some(match *code {
                RUN_OK => Answer::Taken,
                RUN_BAD_INDEX => Answer::Refused(Reason::Slot),
                RUN_BUSY => Answer::Refused(Reason::Busy),
                _ => Answer::Unclear,
            }),
            (Question::Identity(_), ID, data) => {
                let name = data.iter().take(NAME_BYTES).filter(|b| b.is_ascii_graphic() || **b == b' ');
                let name: String = name.map(|&b| char::from(b)).collect();
                let sealing = match self.sealing_of(frame)? {
                    Sealing::Plain => "plain check sums",
                    Sealing::Suffixed => "check sums with suffix",
                };
                Some(Answer::Identity(format!("{}, {sealing}", name.trim())))
            }
            (Question::Service(Service::SlotState { .. }, _), SCAN, [state, ..]) => Some(match *state {
                WIRED => Answer::Reading(Reading::SlotReady),
                NOT_WIRED => Answer::Reading(Reading::SlotAbsent),
                SHORT => Answer::Reading(Reading::faulty(said!("the motor is short", "电机短路"))),
                _ => return None,
            }),
            (Question::Service(Service::Switch { on, .. }, _), OUTPUT, [_, accepted, ..]) => {
                let is_done = *accepted == if *on { OUTPUT_ON } else { OUTPUT_OFF };
                Some(if is_done { Answer::Reading(Reading::Done) } else { Answer::Refused(Reason::Invalid) })
            }
            (Question::Service(Service::Climate { .. }, 0), TEMPERATURE, [high, low, ..]) => {
                let deci_c = i16::from_be_bytes([*high, *low]).saturating_sub(TEMPERATURE_OFFSET);
                let temperature_deci_c = Some(deci_c).filter(|c| *c != NO_PROBE_DECI_C);
                Some(Answer::Reading(Reading::Climate { temperature_deci_c, humidity_permille: None }))
            }
            (Question::Service(Service::Climate { .. }, _), HUMIDITY, [percent, status, ..]) => {
                let is_good = *status < HUMIDITY_STATUS_BAD;
                let humidity_permille = is_good.then(|| u16::from(*percent) * 10);
                Some(Answer::Reading(Reading::Climate { temperature_deci_c: None, humidity_permille }))
            }
            _ => None,
        }
    }

    fn heard(&mut self, wire_address: u8, frame: &[u8]) -> bool {
        let Some(sealing) = self.sealing_of(frame) else { return false };
        self.heard.insert(wire_address, sealing).is_some_and(|before| before != sealing)
    }

    fn absorb(&self, look: &mut Option<Poll>, part: Option<Poll>) {
        *look = part.or(*look);
    }

    fn rests(&self, look: &Option<Poll>) -> bool {
        look.is_some_and(|poll| poll.state != RUNNING)
    }

    /// Nothing but a loss of power takes a state back to *nothing was done*.
    fn restarted(&self, before: &Option<Poll>, now: &Option<Poll>) -> bool {
        matches!((before, now), (Some(before), Some(now)) if before.state != IDLE && now.state == IDLE)
    }

    fn keep(&self, look: &Option<Poll>, _turn: &Turn) -> Vec<u8> {
        look.as_ref().map(Poll::bytes).unwrap_or_default()
    }

    fn kept(&self, bytes: &[u8], _turn: &Turn) -> Option<Option<Poll>> {
        Poll::read(bytes).map(Some)
    }

    fn ready(&self, _kept: &Option<Poll>, _now: &Option<Poll>, _turn: &Turn) -> Result<(), Reason> {
        // A result that is there does not hinder the next command, and is told from it by the motor that turns.
        Ok(())
    }

    fn judge(&self, turn: &Turn, before: &Option<Poll>, now: &Option<Poll>, seen: &Seen) -> Verdict {
        let (Some(before), Some(now)) = (before, now) else { return Verdict::Waiting };
        let is_ours = now.motor == turn.slot;
        match now.state {
            RUNNING if is_ours => Verdict::Turning,
            RUNNING => Verdict::CannotTell("the board is at another motor"),
            FINISHED if is_ours && (seen.turning || is_new(before, now, seen.taken)) => {
                Verdict::Ended(self.evidence(now, turn.command.drop_check))
            }
            _ if seen.turning => Verdict::CannotTell("the board was turning and has no result of it"),
            _ if seen.restarted => Verdict::CannotTell("the board started anew"),
            _ if seen.resumed => Verdict::CannotTell("the board says what it said before the command"),
            _ if seen.since_ms < START_GRACE_MS => Verdict::Waiting,
            _ => Verdict::CannotTell("the board does not show the command"),
        }
    }
}

/// This result of our motor was not there before the command. Another result code can only be another turn's; the
/// figures beside it count only when the board took the command, since nobody says that they are still at rest.
fn is_new(before: &Poll, now: &Poll, taken: bool) -> bool {
    before.state != FINISHED || before.motor != now.motor || before.result != now.result || (taken && before != now)
}

const fn channel(device: Device) -> u8 {
    match device {
        Device::Fan => 0,
        Device::Cooler => 1,
        Device::GlassHeater => 2,
        Device::Light => 3,
        Device::Heater => 4,
    }
}
