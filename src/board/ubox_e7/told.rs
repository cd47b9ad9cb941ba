//! What a ubox-e7 board tells of itself, and what of it is kept with an intent.

use super::wire::{LOG_RECORD_BYTES, NOT_VENDED, VENDED};
use crate::board::driver::Reference;
use crate::board::profile::Profile;
use crate::board::service::Reading;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::said::said;

/// Where the vends of the online class stand among the 13 counters.
const ONLINE_VENDS: usize = 8;
/// A slot's byte: its fault.
const SLOT_FAULT: u8 = 0b0100_0000;
/// A slot's byte: how much is left.
const SLOT_LEFT: u8 = 0b0011_1111;
/// The drop sensor in the first byte of a status: armed and well.
const CHECK_OK: u8 = 0;
/// Temperatures from here on mean that there is none: FD meaningless, FE no compartment, FF no sensor.
const NO_TEMPERATURE: u8 = 0xFD;
/// A temperature's sign; the rest is its amount.
const MINUS: u8 = 0x80;

const HAS_COUNTER: u8 = 0b0001;
const HAS_SLOT: u8 = 0b0010;
const HAS_HARDWARE: u8 = 0b0100;
const ARMED: u8 = 0b1000;

/// The vends of the online class, of a whole set of counters.
#[must_use]
pub fn online_vends(counters: &[u8]) -> Option<u32> {
    let (all, rest) = counters.as_chunks();
    if !rest.is_empty() {
        return None;
    }
    all.get(ONLINE_VENDS).map(|counter| u32::from_be_bytes(*counter))
}

/// One slot, as [`HUODAO_RPT`](super::wire::HUODAO_RPT) tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotByte(pub u8);

impl SlotByte {
    /// The slot has a fault.
    #[must_use]
    pub const fn is_faulty(self) -> bool {
        self.0 & SLOT_FAULT != 0
    }

    /// How much is left, as far as the board counts.
    #[must_use]
    pub const fn left(self) -> u8 {
        self.0 & SLOT_LEFT
    }

    /// As an answer to a service.
    #[must_use]
    pub fn reading(self) -> Reading {
        if self.is_faulty() {
            Reading::faulty(said!("the board calls the slot faulty", "板卡报告货道故障"))
        } else if self.left() == 0 {
            Reading::SlotEmpty
        } else {
            Reading::SlotReady
        }
    }
}

/// How the machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    first: u8,
    temperatures: [u8; 4],
}

impl Status {
    /// Reads the data of a [`STATUS_RPT`](super::wire::STATUS_RPT).
    #[must_use]
    pub fn read(data: &[u8]) -> Option<Status> {
        let &[first, _, _, _, t1, t2, t3, t4, ..] = data else { return None };
        Some(Status { first, temperatures: [t1, t2, t3, t4] })
    }

    /// The drop sensor is there, on and well.
    #[must_use]
    pub const fn is_armed(self) -> bool {
        self.first >> 6 == CHECK_OK
    }

    /// The self-check: the machine first, then its drop sensor.
    #[must_use]
    pub fn self_check(self) -> Reading {
        let what = match (self.first & 0b11, self.first >> 6) {
            (1, _) => said!("sold out, or outside its hours", "售空，或在营业时间之外"),
            (2, _) => said!("the machine has a fault", "机器故障"),
            (3, _) => said!("under maintenance", "维护中"),
            (_, 2) => said!("the drop sensor has a fault", "掉货传感器故障"),
            _ => return Reading::Healthy,
        };
        Reading::faulty(what)
    }

    /// The first compartment that has a temperature.
    #[must_use]
    pub fn climate(self) -> Reading {
        let told = self.temperatures.into_iter().find(|&t| t < NO_TEMPERATURE);
        let temperature_deci_c = told.map(|t| {
            let amount = i16::from(t & !MINUS) * 10;
            if t & MINUS == 0 { amount } else { -amount }
        });
        Reading::Climate { temperature_deci_c, humidity_permille: None }
    }
}

/// Whether the log names a vend of this slot that cost nothing, as ours do.
#[must_use]
pub fn log_names(records: &[u8], slot: u8) -> bool {
    let (records, _) = records.as_chunks::<LOG_RECORD_BYTES>();
    records.iter().any(|&[_, _, _, _, of, high, low]| (of, high, low) == (slot, 0, 0))
}

/// What the end of a vend says. Nothing for a code that has no meaning.
#[must_use]
pub fn evidence(profile: &Profile, status: u8, slot: SlotByte, is_armed: bool) -> Option<Evidence> {
    let told = |drop_sensor| if is_armed { drop_sensor } else { DropSensor::None };
    Some(match status {
        VENDED => Evidence { motor: Motor::Ok, drop_sensor: told(DropSensor::Seen) },
        _ if let Some(evidence) = profile.evidence_of(status) => evidence,
        // One code for all that fails. With a sensor and a sound slot the motor did its turn and nothing was seen.
        NOT_VENDED if is_armed && !slot.is_faulty() => Evidence { motor: Motor::Ok, drop_sensor: DropSensor::NotSeen },
        NOT_VENDED => failed(is_armed),
        _ => return None,
    })
}

/// The slot did not do its turn.
#[must_use]
pub const fn failed(is_armed: bool) -> Evidence {
    let drop_sensor = if is_armed { DropSensor::NotSeen } else { DropSensor::None };
    Evidence { motor: Motor::Timeout, drop_sensor }
}

/// What the board said before a command, as far as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// Vends of the online class so far.
    pub online: Option<u32>,
    /// The command's slot.
    pub slot: Option<u8>,
    /// A check over the board's own number: another board counts otherwise.
    pub hardware: Option<u16>,
    /// The drop sensor is on.
    pub is_armed: bool,
}

impl Before {
    /// In 8 bytes: what there is, the counter, the slot, the board.
    #[must_use]
    pub fn keep(&self) -> Reference {
        let has = |is: bool, bit: u8| if is { bit } else { 0 };
        let flags = has(self.online.is_some(), HAS_COUNTER)
            | has(self.slot.is_some(), HAS_SLOT)
            | has(self.hardware.is_some(), HAS_HARDWARE)
            | has(self.is_armed, ARMED);
        let mut bytes = vec![flags];
        bytes.extend(self.online.unwrap_or(0).to_be_bytes());
        bytes.push(self.slot.unwrap_or(0));
        bytes.extend(self.hardware.unwrap_or(0).to_be_bytes());
        Reference(bytes)
    }

    /// What [`Before::keep`] kept; of anything else, nothing.
    #[must_use]
    pub fn kept(reference: &Reference) -> Before {
        let &[flags, c1, c2, c3, c4, slot, h1, h2] = reference.0.as_slice() else { return Before::default() };
        let has = |bit: u8| flags & bit != 0;
        Before {
            online: has(HAS_COUNTER).then_some(u32::from_be_bytes([c1, c2, c3, c4])),
            slot: has(HAS_SLOT).then_some(slot),
            hardware: has(HAS_HARDWARE).then_some(u16::from_be_bytes([h1, h2])),
            is_armed: has(ARMED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_before_a_command_comes_back_from_its_reference() {
        for online in [None, Some(0), Some(u32::MAX)] {
            for (slot, hardware, is_armed) in [(None, None, true), (Some(7), Some(0xABCD), false)] {
                let before = Before { online, slot, hardware, is_armed };
                assert_eq!(Before::kept(&before.keep()), before);
            }
        }
        assert_eq!(Before::kept(&Reference::default()), Before::default());
        assert_eq!(Before::kept(&Reference(vec![0xFF; 9])), Before::default());
    }

    #[test]
    fn a_temperature_has_its_sign_apart_and_the_first_one_that_is_measured_counts() {
        for (temperatures, wanted) in [
            ([0x82, 5, 5, 5], Some(-20)),
            ([0xFE, 0x19, 0xFD, 0xFF], Some(250)),
            ([0xFC, 0, 0, 0], Some(-1_240)),
            ([0xFF, 0xFE, 0xFD, 0xFF], None),
        ] {
            let data = [&[0, 1, 0, 0][..], &temperatures, &[0, 0]].concat();
            let reading = Reading::Climate { temperature_deci_c: wanted, humidity_permille: None };
            assert_eq!(Status::read(&data).unwrap().climate(), reading);
        }
    }

    #[test]
    fn a_status_tells_what_is_wrong_with_the_machine_and_its_sensor() {
        for (first, armed, healthy) in [
            (0x00, true, true),
            (0x40, false, true),
            (0xC0, false, true),
            (0x80, false, false),
            (0x01, true, false),
            (0x02, true, false),
            (0x03, true, false),
        ] {
            let status = Status::read(&[first, 0, 0, 0, 0, 0, 0, 0]).unwrap();
            assert_eq!(status.is_armed(), armed, "{first:02X}");
            assert_eq!(status.self_check() == Reading::Healthy, healthy, "{first:02X}");
        }
        assert_eq!(Status::read(&[0; 7]), None);
    }

    #[test]
    fn the_log_names_a_slot_only_in_a_vend_that_cost_nothing() {
        let records = [0, 0, 0, 9, 12, 0, 0, 0, 0, 0, 9, 13, 0, 100];
        assert!(log_names(&records, 12));
        assert!(!log_names(&records, 13), "a sale of the keypad");
        assert!(!log_names(&records, 0));
    }

    #[test]
    fn only_a_whole_set_of_counters_is_read() {
        let counters: Vec<u8> = (0..13u32).flat_map(u32::to_be_bytes).collect();
        assert_eq!(online_vends(&counters), Some(8));
        assert_eq!(online_vends(&counters[..51]), None);
        assert_eq!(online_vends(&counters[..32]), None);
    }
}
