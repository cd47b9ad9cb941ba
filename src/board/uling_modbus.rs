//! `uling-modbus`: ZDM8 driver boards over Modbus RTU (boards.md, K). Class 2: reading the result clears it.
//!
//! The status register names no slot and the board numbers no command, so only order protects: one command at a
//! time, and the register is read before anything else while a command is open.
//!
//! Its codes are the constants below, each with its meaning.

use super::driver::FloorType;
use super::frame::crc16_modbus;
use super::polled::Polled;
use super::profile::{Mistake, Profile};
use super::protocol::{Fit, Protocol, Reply, Request, Status, sealed};
use super::service::{Reading, Service};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::said::said;

/// The driver.
pub type UlingModbus = Polled<Zdm8>;

/// Function 03, read registers.
pub const READ: u8 = 0x03;
/// Function 06, write one register.
pub const WRITE_ONE: u8 = 0x06;
/// Function 10, write several registers.
pub const WRITE_MANY: u8 = 0x10;
/// Set in the function of an exception.
pub const EXCEPTION: u8 = 0x80;

/// Hardware version, rows and columns.
pub const HARDWARE: u16 = 0x0001;
/// Date of the software.
pub const SOFTWARE: u16 = 0x0002;
/// State and fault code of the last turn; reading a result clears it.
pub const STATUS: u16 = 0x0003;
/// Temperature and humidity, in tenths.
pub const CLIMATE: u16 = 0x0004;
/// A box and whether it is closed.
pub const BOX: u16 = 0x0005;
/// The drop detector: 1 clear, 0 absent or blocked.
pub const DROP_DETECTOR: u16 = 0x0008;
/// A relay and where it stands.
pub const RELAY: u16 = 0x1001;
/// The lift seeks its zero; no slot turns.
pub const LIFT_RESET: u16 = 0x1002;
/// Relays that a board has.
pub const RELAY_MAX: u8 = 10;
/// The only box in any published frame; how another one would be asked is not known.
pub const FIRST_BOX: u8 = 1;
/// Slot, mechanism, drop check and lift: writing it turns a motor.
pub const SHIP: u16 = 0x2001;

/// States in the high byte of [`STATUS`].
pub const IDLE: u8 = 0;
/// A motor turns.
pub const DISPENSING: u8 = 1;
/// The turn succeeded.
pub const SUCCESS: u8 = 2;
/// The turn failed; the low byte says why.
pub const FAILED: u8 = 3;

/// Exceptions and fault codes.
pub mod fault {
    /// The function is not known.
    pub const FUNCTION: u8 = 1;
    /// There is no such register.
    pub const ADDRESS: u8 = 2;
    /// The value is out of range: the slot, since all others are ours to choose.
    pub const DATA: u8 = 3;
    /// The request's check sum was wrong.
    pub const CHECK: u8 = 4;
    /// A motor turns.
    pub const BUSY: u8 = 6;
    /// The board failed.
    pub const SLAVE: u8 = 7;
    /// Accepted, and it takes time.
    pub const ACCEPTED: u8 = 8;
}

/// Registers asked for have at most two words; four leave room for a board that knows more.
const DATA_BYTES_MAX: u8 = 8;

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_relays(RELAY_MAX)?;
    // Rows and columns 0 to 9.
    profile.check_slots(0..=99)
}

/// The bytes on the wire.
pub struct Zdm8 {
    profile: Profile,
}

fn read(wire_address: u8, register: u16, words: u16) -> Vec<u8> {
    let ([r1, r0], [w1, w0]) = (register.to_be_bytes(), words.to_be_bytes());
    sealed(vec![wire_address, READ, r1, r0, w1, w0])
}

fn write_one(wire_address: u8, register: u16, value: u16) -> Vec<u8> {
    let ([r1, r0], [v1, v0]) = (register.to_be_bytes(), value.to_be_bytes());
    sealed(vec![wire_address, WRITE_ONE, r1, r0, v1, v0])
}

impl Zdm8 {
    /// The frame for a service; nothing where the board has none.
    fn service_request(&self, wire_address: u8, service: &Service) -> Option<Vec<u8>> {
        Some(match service {
            Service::Climate { .. } => read(wire_address, CLIMATE, 2),
            Service::Door { .. } => read(wire_address, BOX, 1),
            Service::SelfCheck { .. } => read(wire_address, DROP_DETECTOR, 1),
            Service::Switch { device, on, .. } => {
                let relay = *self.profile.options.relays.get(device)?;
                write_one(wire_address, RELAY, u16::from_be_bytes([relay, u8::from(*on)]))
            }
            Service::Reset { .. } => write_one(wire_address, LIFT_RESET, 1),
            Service::SlotState { .. } | Service::Hold { .. } => return None,
        })
    }

    /// A reply names neither register nor question, so each is only taken in the shape that its own register has: the
    /// first byte of a finished turn's status is none of them.
    fn service_reply(&self, wire_address: u8, service: &Service, frame: &[u8]) -> Option<Reply> {
        let reading = match (service, frame.get(1..)?) {
            (Service::Climate { .. }, &[READ, 4, t1, t0, h1, h0, _, _]) => Reading::Climate {
                temperature_deci_c: Some(i16::from_be_bytes([t1, t0])),
                humidity_permille: Some(u16::from_be_bytes([h1, h0])),
            },
            (Service::Door { .. }, &[READ, 2, FIRST_BOX, closed @ 0..=1, _, _]) => Reading::Door { open: closed == 0 },
            (Service::SelfCheck { .. }, &[READ, 2, 0, 1, _, _]) => Reading::Healthy,
            (Service::SelfCheck { .. }, &[READ, 2, 0, 0, _, _]) => {
                Reading::faulty(said!("the drop detector is absent or blocked", "掉货检测器缺失或被遮挡"))
            }
            (Service::Switch { .. } | Service::Reset { .. }, [WRITE_ONE, ..]) => {
                (self.service_request(wire_address, service)?.as_slice() == frame).then_some(Reading::Done)?
            }
            (_, &[function, code, _, _]) => {
                let asked = *self.service_request(wire_address, service)?.get(1)?;
                let is_taken = asked == WRITE_ONE && code == fault::ACCEPTED;
                return (function == asked | EXCEPTION).then_some(match is_taken {
                    true => Reply::Reading(Reading::Done),
                    false => Reply::Refused(Reason::Invalid),
                });
            }
            _ => return None,
        };
        Some(Reply::Reading(reading))
    }
}

impl Protocol for Zdm8 {
    const HOLDS_RESULT: bool = false;
    const REPLIES_ARE_ANONYMOUS: bool = false;
    const UNANSWERED_WAITS_LONGEST_VEND: bool = true;
    const IDENTITY_PARTS: u8 = 2;

    fn new(profile: &Profile) -> Self {
        Zdm8 { profile: profile.clone() }
    }

    fn has_drop_mode(&self) -> bool {
        false
    }

    fn serves(&self, service: &Service) -> bool {
        self.service_request(0, service).is_some()
    }

    fn request(&self, wire_address: u8, request: &Request) -> Vec<u8> {
        match request {
            Request::Identity(0) => read(wire_address, HARDWARE, 2),
            Request::Identity(_) => read(wire_address, SOFTWARE, 2),
            Request::Drive(turn) => {
                let [r1, r0] = SHIP.to_be_bytes();
                let mechanism = match turn.command.floor_type {
                    FloorType::Spring => 1,
                    FloorType::Lock => 2,
                    FloorType::Belt => 3,
                };
                let (drop_check, lift) = (u8::from(turn.command.drop_check), u8::from(turn.command.lift));
                sealed(vec![wire_address, WRITE_MANY, r1, r0, 0, 2, 4, turn.slot, mechanism, drop_check, lift])
            }
            Request::Service(service) if let Some(frame) = self.service_request(wire_address, service) => frame,
            // This board has no other; asking what it does is the harmless answer to a question never put.
            Request::Status | Request::DropMode(_) | Request::Forget | Request::Service(_) => {
                read(wire_address, STATUS, 1)
            }
        }
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        let len = match bytes {
            [_, READ, count @ 1..=DATA_BYTES_MAX, ..] => 5 + usize::from(*count),
            [_, WRITE_ONE | WRITE_MANY, ..] => 8,
            [_, function, ..] if [READ, WRITE_ONE, WRITE_MANY].contains(&(function ^ EXCEPTION)) => 5,
            _ => return Fit::No,
        };
        match bytes.get(..len) {
            // Over a frame with its own check sum the CRC is zero.
            Some(frame) if crc16_modbus(frame) == 0 => Fit::Whole(len),
            Some(_) => Fit::BadCheck,
            None => Fit::No,
        }
    }

    fn reply(&self, wire_address: u8, request: &Request, frame: &[u8]) -> Option<Reply> {
        let (&from, rest) = frame.split_first()?;
        if from != wire_address {
            return None;
        }
        let [ship1, ship0] = SHIP.to_be_bytes();
        match (request, rest) {
            (Request::Status, &[READ, 2, state, code, _, _]) => Some(Reply::Status(match state {
                IDLE => Status::Idle,
                DISPENSING => Status::Turning(None),
                SUCCESS | FAILED => Status::Finished(None, u16::from_be_bytes([state, code])),
                _ => return None,
            })),
            (Request::Identity(0), [READ, 4, year, month, rows, columns, _, _]) => {
                Some(Reply::Identity(format!("hardware {year:02x}.{month:02x}, {rows} rows, {columns} columns")))
            }
            (Request::Identity(_), [READ, 4, century, year, month, day, _, _]) => {
                Some(Reply::Identity(format!("software {century:02x}{year:02x}-{month:02x}-{day:02x}")))
            }
            (Request::Service(service), _) => self.service_reply(wire_address, service, frame),
            (Request::Drive(_), &[WRITE_MANY, r1, r0, 0, 2, _, _]) if [r1, r0] == [ship1, ship0] => {
                Some(Reply::Accepted)
            }
            (Request::Drive(_), &[function, code, _, _]) if function == WRITE_MANY | EXCEPTION => Some(match code {
                fault::DATA => Reply::Refused(Reason::Slot),
                fault::FUNCTION | fault::ADDRESS | fault::CHECK => Reply::Refused(Reason::Invalid),
                fault::BUSY => Reply::Refused(Reason::Busy),
                fault::SLAVE => Reply::Failed(u16::from_be_bytes([FAILED, code])),
                fault::ACCEPTED => Reply::Accepted,
                _ => Reply::Unclear,
            }),
            _ => None,
        }
    }

    fn evidence(&self, result: u16, drop_check: bool) -> Evidence {
        let [state, code] = result.to_be_bytes();
        let known = match state {
            SUCCESS => Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen },
            // The table of motor faults is in no published copy: the profile may know more.
            _ => (self.profile.evidence_of(code))
                .unwrap_or(Evidence { motor: Motor::Timeout, drop_sensor: DropSensor::NotSeen }),
        };
        if drop_check { known } else { Evidence { drop_sensor: DropSensor::None, ..known } }
    }
}
