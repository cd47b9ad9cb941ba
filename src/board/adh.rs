//! `adh`: ADH814 and ADH815 driver boards (boards.md, D). Class 1: the result stays, with its motor, until the host
//! acknowledges it.
//!
//! Frames carry no length and replies come from address 00, so the check sum decides where a reply ends and the
//! question which board speaks.
//!
//! Its codes are the constants below, each with its meaning.

use super::driver::Slot;
use super::frame::crc16_modbus;
use super::polled::Polled;
use super::profile::{AdhVariant, Mistake, Profile};
use super::protocol::{Fit, Protocol, Reply, Request, Status, sealed};
use super::service::{ClimateMode, Reading, Service};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};

/// The driver.
pub type Adh = Polled<AdhProtocol>;

/// Added to a command of the ADH815 it gives that of the ADH814.
const ADH814_COMMANDS: u8 = 0xA0;
/// Commands of the ADH815: who are you.
pub const ID: u8 = 0x01;
/// What are you doing.
pub const POLL: u8 = 0x03;
/// Temperature control: mode and value.
pub const TEMPERATURE: u8 = 0x04;
/// Turn a motor.
pub const RUN: u8 = 0x05;
/// Forget the result.
pub const ACK: u8 = 0x06;
/// Set the mode; the same on both boards, but only the ADH815 has a drop mode.
pub const MODE: u8 = 0x21;
/// First data byte of [`MODE`] that arms the drop sensor.
pub const MODE_DROP: u8 = 0x80;

/// States in the reply to [`POLL`].
pub const IDLE: u8 = 0;
/// A motor turns.
pub const RUNNING: u8 = 1;
/// A result waits for [`ACK`].
pub const FINISHED: u8 = 2;

/// Modes of [`TEMPERATURE`]: nothing.
pub const TEMPERATURE_OFF: u8 = 0;
/// Cool.
pub const TEMPERATURE_COOL: u8 = 1;
/// Heat.
pub const TEMPERATURE_HEAT: u8 = 2;

/// Told instead of a temperature: the sensor's wire is open.
pub const NO_SENSOR_C: i8 = -40;
/// Told instead of a temperature: the sensor is short.
pub const SHORT_SENSOR_C: i8 = 120;

/// Codes in the reply to [`RUN`]: taken.
pub const RUN_OK: u8 = 0;
/// There is no such motor.
pub const RUN_BAD_PARAMETER: u8 = 1;
/// Not now.
pub const RUN_REFUSED: u8 = 2;
/// An earlier result is not yet acknowledged.
pub const RUN_NOT_CLEARED: u8 = 3;

/// Bits 0 and 1 of a result.
pub const MOTOR_BITS: u8 = 0b011;
/// Bit 2 of a result: nothing was seen to fall.
pub const DROP_NOT_SEEN: u8 = 0b100;
/// No reply to [`ID`] was seen longer than 20 bytes; the ADH815's length is not documented.
const ID_REPLY_BYTES_MAX: usize = 24;

/// The command code that a board speaks.
#[must_use]
pub const fn command(variant: AdhVariant, code: u8) -> u8 {
    match variant {
        AdhVariant::Adh814 if code != MODE => code | ADH814_COMMANDS,
        AdhVariant::Adh814 | AdhVariant::Adh815 => code,
    }
}

/// The data of [`TEMPERATURE`].
fn hold(mode: ClimateMode, target_c: i8) -> [u8; 3] {
    let mode = match mode {
        ClimateMode::Off => TEMPERATURE_OFF,
        ClimateMode::Cool => TEMPERATURE_COOL,
        ClimateMode::Heat => TEMPERATURE_HEAT,
    };
    let [high, low] = i16::from(target_c).to_be_bytes();
    [mode, high, low]
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_given("options.adh_variant", profile.options.adh_variant)?;
    profile.check_slots(0..=u16::from(u8::MAX))
}

/// The bytes on the wire.
pub struct AdhProtocol {
    profile: Profile,
    variant: AdhVariant,
}

impl Protocol for AdhProtocol {
    const HOLDS_RESULT: bool = true;
    const REPLIES_ARE_ANONYMOUS: bool = true;
    const UNANSWERED_WAITS_LONGEST_VEND: bool = false;
    const IDENTITY_PARTS: u8 = 1;

    fn new(profile: &Profile) -> Self {
        // Profile::parse refuses an adh profile that does not name its variant.
        let variant = profile.options.adh_variant.unwrap_or(AdhVariant::Adh815);
        AdhProtocol { profile: profile.clone(), variant }
    }

    fn has_drop_mode(&self) -> bool {
        self.variant == AdhVariant::Adh815
    }

    fn serves(&self, service: &Service) -> bool {
        matches!(service, Service::Climate { .. } | Service::Hold { .. })
    }

    fn request(&self, wire_address: u8, request: &Request) -> Vec<u8> {
        let code = |code| command(self.variant, code);
        sealed(match request {
            Request::Service(Service::Hold { mode, target_c, .. }) => {
                [&[wire_address, code(TEMPERATURE)][..], &hold(*mode, *target_c)].concat()
            }
            // The status tells the temperature too; nothing else is served.
            Request::Status | Request::Service(_) => vec![wire_address, code(POLL)],
            Request::Identity(_) => vec![wire_address, code(ID)],
            Request::DropMode(on) => vec![wire_address, code(MODE), if *on { MODE_DROP } else { 0 }, 0],
            Request::Drive(turn) => vec![wire_address, code(RUN), turn.slot],
            Request::Forget => vec![wire_address, code(ACK)],
        })
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        let Some(&second) = bytes.get(1) else { return Fit::No };
        let is = |code| command(self.variant, code) == second;
        let lengths = match () {
            () if is(POLL) => 13..=14,
            () if is(RUN) => 5..=5,
            () if is(ACK) => 4..=4,
            () if is(TEMPERATURE) => 7..=7,
            () if is(MODE) && self.variant == AdhVariant::Adh815 => 6..=6,
            () if is(ID) => 5..=ID_REPLY_BYTES_MAX,
            () => return Fit::No,
        };
        let shortest = *lengths.start();
        // Over a frame with its own check sum the CRC is zero.
        match lengths.into_iter().find(|&len| bytes.get(..len).is_some_and(|frame| crc16_modbus(frame) == 0)) {
            Some(len) => Fit::Whole(len),
            None if bytes.len() >= shortest => Fit::BadCheck,
            None => Fit::No,
        }
    }

    fn reply(&self, wire_address: u8, request: &Request, frame: &[u8]) -> Option<Reply> {
        let [from, second, data @ .., _, _] = frame else { return None };
        let is = |code| command(self.variant, code) == *second;
        // The ADH814 keeps its own address in this one reply.
        let from_board = *from == 0 || (*from == wire_address && is(ID));
        match (request, data) {
            _ if !from_board => None,
            (Request::Status, &[state, motor, result, ..]) if is(POLL) => Some(Reply::Status(match state {
                IDLE => Status::Idle,
                RUNNING => Status::Turning(Some(Slot(u16::from(motor)))),
                FINISHED => Status::Finished(Some(Slot(u16::from(motor))), u16::from(result)),
                _ => return None,
            })),
            (Request::Service(Service::Hold { mode, target_c, .. }), data) if is(TEMPERATURE) => {
                // It repeats what it took.
                let is_taken = data == hold(*mode, *target_c);
                Some(if is_taken { Reply::Reading(Reading::Done) } else { Reply::Refused(Reason::Invalid) })
            }
            (Request::Service(Service::Climate { .. }), &[IDLE, _, _, _, _, _, _, .., temperature]) if is(POLL) => {
                // Without a sensor, or with a broken one, the board tells one of these two.
                let real =
                    Some(i8::from_be_bytes([temperature])).filter(|t| !matches!(*t, NO_SENSOR_C | SHORT_SENSOR_C));
                Some(Reply::Reading(Reading::Climate {
                    temperature_deci_c: real.map(|t| i16::from(t) * 10),
                    humidity_permille: None,
                }))
            }
            (Request::Drive(_), &[code]) if is(RUN) => Some(match code {
                RUN_OK => Reply::Accepted,
                RUN_BAD_PARAMETER => Reply::Refused(Reason::Slot),
                RUN_REFUSED | RUN_NOT_CLEARED => Reply::Refused(Reason::Busy),
                _ => Reply::Unclear,
            }),
            (Request::Forget, []) if is(ACK) => Some(Reply::Done),
            (Request::DropMode(_), [_, _]) if is(MODE) => Some(Reply::Done),
            (Request::Identity(_), text) if is(ID) => {
                let printable = text.iter().filter(|b| b.is_ascii_graphic() || **b == b' ');
                Some(Reply::Identity(printable.map(|&b| char::from(b)).collect::<String>().trim().to_owned()))
            }
            _ => None,
        }
    }

    fn evidence(&self, result: u16, drop_check: bool) -> Evidence {
        let code = result.to_be_bytes()[1];
        let nothing_fell = code & DROP_NOT_SEEN != 0;
        if code > MOTOR_BITS | DROP_NOT_SEEN {
            // No document has such a code: the profile may know more.
            let sensor = if drop_check { DropSensor::NotSeen } else { DropSensor::None };
            return self.profile.evidence_of(code).unwrap_or(Evidence { motor: Motor::Timeout, drop_sensor: sensor });
        }
        let motor = match code & MOTOR_BITS {
            0 => Motor::Ok,
            1 => Motor::OverCurrent,
            2 => Motor::Open,
            _ => Motor::Timeout,
        };
        let drop_sensor = match (nothing_fell, drop_check) {
            // Even unasked the board says so: any result but 0 is a failure.
            (true, _) => DropSensor::NotSeen,
            (false, true) => DropSensor::Seen,
            (false, false) => DropSensor::None,
        };
        Evidence { motor, drop_sensor }
    }
}
