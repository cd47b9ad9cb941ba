//! What an xy-v3 machine is asked beside a vend, and what it answers. Menu `38`, which turns a slot, is not among it
//! (rule 19).

use super::wire::{self, PackNo};
use crate::board::driver::Address;
use crate::board::service::{ClimateMode, Reading, Service, ServiceError};
use crate::order::said::{Said, said};
use crate::order::time::BootMs;

/// Menu: hold a temperature.
pub const MENU_HOLD: u8 = 0x28;
/// Menu: the slots that jammed.
pub const MENU_JAMS: u8 = 0x32;
/// Menu: the slots whose motors failed.
pub const MENU_MOTOR_ERRORS: u8 = 0x33;
/// Menu: the errors of the lift.
pub const MENU_LIFT_ERRORS: u8 = 0x34;
/// Menu: how the temperature control fares.
pub const MENU_TEMPERATURE_STATE: u8 = 0x36;
/// Menu operation: read.
pub const MENU_READ: u8 = 0x00;
/// Menu operation: set, or clear.
pub const MENU_SET: u8 = 0x01;
/// A setting was taken.
pub const MENU_OK: u8 = 0x00;
/// Told instead of a temperature or a humidity that was not read.
pub const NOT_READ: u8 = 0xAA;

/// The highest slot; 1000 and above name whole trays in some commands.
const SLOT_MAX: u16 = 1_000;
/// Machines that `52` tells the climate of: the master and its slaves.
const MACHINES: usize = 8;
/// Temperature modes of [`MENU_HOLD`].
const HEAT: u8 = 1;
const COOL: u8 = 2;
const OFF: u8 = 4;

/// What `52` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineStatus {
    door: u8,
    /// As a technician set it.
    pub id: String,
    temperatures: [u8; MACHINES],
    humidities: [u8; MACHINES],
}

impl MachineStatus {
    /// PackNO, bill, coin, card, temperature control [, temperature], door, change 4 + 4, id, temperatures, humidities:
    /// the copies of the document disagree about the one byte.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<MachineStatus> {
        let rest = match text.len() {
            40 => text.get(5..)?,
            41 => text.get(6..)?,
            _ => return None,
        };
        let (&door, rest) = rest.split_first()?;
        let (id, rest) = rest.get(8..)?.split_first_chunk::<10>()?;
        let (temperatures, rest) = rest.split_first_chunk::<MACHINES>()?;
        let humidities = rest.first_chunk::<MACHINES>()?;
        let id = id.iter().filter(|b| b.is_ascii_graphic()).map(|&b| char::from(b)).collect();
        Some(MachineStatus { door, id, temperatures: *temperatures, humidities: *humidities })
    }

    fn climate(&self, address: Address) -> Reading {
        let machine = usize::from(address.get() - 1);
        let of = |all: &[u8; MACHINES]| all.get(machine).copied().filter(|&value| value != NOT_READ);
        Reading::Climate {
            temperature_deci_c: of(&self.temperatures).map(|t| i16::from(t.cast_signed()) * 10),
            humidity_permille: of(&self.humidities).map(|h| u16::from(h) * 10),
        }
    }
}

/// The running [`Driver::serve`](crate::board::driver::Driver::serve).
#[derive(Debug)]
pub(super) struct Serving {
    service: Service,
    /// The part that is asked.
    part: u8,
    /// What the parts before told.
    reading: Option<Reading>,
    /// The part's number, once it was said, and how often it was.
    number: Option<PackNo>,
    copies: u8,
    pub(super) acknowledged: bool,
    /// When the part has had its time.
    pub(super) until: BootMs,
}

impl Serving {
    pub(super) const fn new(service: Service, until: BootMs) -> Serving {
        Serving { service, part: 0, reading: None, number: None, copies: 0, acknowledged: false, until }
    }

    /// What is to be said at a poll: under the same number until the board has acknowledged it.
    pub(super) fn says(&self, next: PackNo, copies_max: u8) -> Option<Vec<u8>> {
        let (command, text) = question(&self.service, self.part);
        let number = self.number.unwrap_or(next);
        let is_to_say = !self.acknowledged && self.copies < copies_max;
        is_to_say.then(|| wire::frame(command, &[&[number.get()], &text[..]].concat()))
    }

    pub(super) const fn is_said(&self) -> bool {
        self.copies > 0
    }

    /// It was said, under this number.
    pub(super) fn said(&mut self, next: PackNo) -> PackNo {
        self.copies += 1;
        *self.number.get_or_insert(next)
    }

    /// A frame may be the answer; says how the service ends, if it does. The next part has until then.
    pub(super) fn hear(&mut self, frame: &wire::Frame, until: BootMs) -> Option<Result<Reading, ServiceError>> {
        if !self.is_said() {
            return None;
        }
        let reading = match answer(&self.service, self.part, frame)? {
            Ok(reading) => reading,
            Err(error) => return Some(Err(error)),
        };
        let whole = match self.reading.take() {
            Some(before) => before.joined(reading),
            None => reading,
        };
        let is_enough = matches!(whole, Reading::Faulty { .. } | Reading::SlotAbsent | Reading::SlotEmpty);
        if is_enough || self.part + 1 >= parts(&self.service) {
            return Some(Ok(whole));
        }
        *self = Serving { part: self.part + 1, reading: Some(whole), ..Serving::new(self.service, until) };
        None
    }

    /// No answer came to the part.
    pub(super) fn given_up(self) -> Result<Reading, ServiceError> {
        let worth_telling = may_lack(&self.service, self.part);
        self.reading.filter(|_| worth_telling).ok_or(ServiceError::NoAnswer)
    }
}

/// Whether the protocol has it.
pub(super) const fn serves(service: &Service) -> bool {
    match service {
        Service::SlotState { slot, .. } => slot.0 >= 1 && slot.0 <= SLOT_MAX,
        Service::SelfCheck { .. }
        | Service::Door { .. }
        | Service::Climate { .. }
        | Service::Hold { .. }
        | Service::Reset { .. } => true,
        Service::Switch { .. } => false,
    }
}

/// How many questions it takes.
const fn parts(service: &Service) -> u8 {
    match service {
        Service::SlotState { .. } | Service::Reset { .. } => 3,
        Service::SelfCheck { .. } => 2,
        _ => 1,
    }
}

/// Without an answer to this part, what was told before it is worth telling: a machine need not have the menus.
const fn may_lack(service: &Service, part: u8) -> bool {
    part > 0 && matches!(service, Service::SlotState { .. } | Service::SelfCheck { .. })
}

/// The command of a part, and its text after the PackNO.
fn question(service: &Service, part: u8) -> (u8, Vec<u8>) {
    let menu = |text: &[u8]| (wire::MENU, text.to_vec());
    match *service {
        Service::SlotState { slot, .. } => match part {
            0 => (wire::CHECK_SLOT, slot.0.to_be_bytes().to_vec()),
            1 => menu(&[MENU_JAMS, MENU_READ]),
            _ => menu(&[MENU_MOTOR_ERRORS, MENU_READ]),
        },
        Service::SelfCheck { .. } if part == 0 => (wire::SHORT_STATUS, Vec::new()),
        Service::SelfCheck { .. } => menu(&[MENU_TEMPERATURE_STATE, MENU_READ]),
        Service::Hold { address, mode, target_c } => {
            let mode = match mode {
                ClimateMode::Heat => HEAT,
                ClimateMode::Cool => COOL,
                ClimateMode::Off => OFF,
            };
            menu(&[MENU_HOLD, MENU_SET, address.get() - 1, mode, target_c.cast_unsigned()])
        }
        Service::Reset { .. } => menu(&[cleared(part), MENU_SET]),
        Service::Door { .. } | Service::Climate { .. } | Service::Switch { .. } => (wire::MACHINE_STATUS, Vec::new()),
    }
}

const fn cleared(part: u8) -> u8 {
    match part {
        0 => MENU_JAMS,
        1 => MENU_MOTOR_ERRORS,
        _ => MENU_LIFT_ERRORS,
    }
}

/// What a frame of the board says to a part, if it can be its answer.
fn answer(service: &Service, part: u8, frame: &wire::Frame) -> Option<Result<Reading, ServiceError>> {
    let text = frame.text.as_slice();
    match (*service, frame.command, text) {
        (Service::SlotState { slot, .. }, wire::SLOT_STATUS, &[_, status, hi, lo])
            if part == 0 && [hi, lo] == slot.0.to_be_bytes() =>
        {
            Some(Ok(slot_reading(status)))
        }
        (Service::SlotState { slot, .. }, wire::MENU_REPLY, &[_, kind, MENU_READ, ref lists @ ..]) if part > 0 => {
            let (wanted, what) = match part {
                1 => (MENU_JAMS, said!("jammed", "卡货")),
                _ => (MENU_MOTOR_ERRORS, said!("motor error", "电机故障")),
            };
            let (&count, rest) = lists.split_first().filter(|_| kind == wanted)?;
            let listed = rest.get(..usize::from(count) * 2)?;
            let is_listed = listed.chunks_exact(2).any(|pair| pair == slot.0.to_be_bytes());
            Some(Ok(if is_listed { Reading::faulty(what) } else { Reading::SlotReady }))
        }
        (Service::SelfCheck { .. }, wire::SHORT_STATUS_REPLY, &[_, status]) if part == 0 => {
            Some(Ok(health(status, &SHORT_STATUS)))
        }
        (Service::SelfCheck { .. }, wire::MENU_REPLY, &[_, MENU_TEMPERATURE_STATE, MENU_READ, state]) if part == 1 => {
            Some(Ok(health(state, &TEMPERATURE_STATE)))
        }
        (Service::Door { .. }, wire::MACHINE_STATUS_REPLY, _) => match MachineStatus::read(text)?.door {
            0 => Some(Ok(Reading::Door { open: false })),
            1 => Some(Ok(Reading::Door { open: true })),
            _ => None,
        },
        (Service::Climate { address }, wire::MACHINE_STATUS_REPLY, _) => {
            Some(Ok(MachineStatus::read(text)?.climate(address)))
        }
        (Service::Hold { .. }, wire::MENU_REPLY, &[_, MENU_HOLD, MENU_SET, status]) => Some(done(status)),
        (Service::Reset { .. }, wire::MENU_REPLY, &[_, kind, MENU_SET, status]) if kind == cleared(part) => {
            Some(done(status))
        }
        _ => None,
    }
}

const fn done(status: u8) -> Result<Reading, ServiceError> {
    if status == MENU_OK { Ok(Reading::Done) } else { Err(ServiceError::Refused) }
}

/// Words for the states of `54`.
const SHORT_STATUS: [(u8, &str, &str); 4] = [
    (1, "goods in the lift", "升降机内有货"),
    (2, "the delivery door is not closed", "取货门未关"),
    (3, "lift error", "升降机故障"),
    (4, "the lift failed its self-check", "升降机自检失败"),
];

/// Words for the states of menu `36`.
const TEMPERATURE_STATE: [(u8, &str, &str); 7] = [
    (1, "compressor: over-current", "压缩机：过流"),
    (2, "compressor: open circuit", "压缩机：开路"),
    (3, "evaporator fan", "蒸发器风扇"),
    (4, "evaporator fan", "蒸发器风扇"),
    (5, "condenser fan", "冷凝器风扇"),
    (6, "condenser fan", "冷凝器风扇"),
    (7, "temperature sensor", "温度传感器"),
];

/// Words for the states of `02` that are neither ready nor absent nor empty.
const SLOT_STATUS: [(u8, &str, &str); 20] = [
    (0x04, "paused", "已暂停"),
    (0x05, "goods in the lift", "升降机内有货"),
    (0x06, "the delivery door is unlocked", "取货门未锁"),
    (0x07, "lift error", "升降机故障"),
    (0x08, "the lift failed its self-check", "升降机自检失败"),
    (0x09, "microwave: the delivery door does not close", "微波炉：取货门关不上"),
    (0x10, "microwave: the inlet does not open", "微波炉：进料口打不开"),
    (0x11, "microwave: the inlet does not close", "微波炉：进料口关不上"),
    (0x12, "microwave: no box seen", "微波炉：未检测到餐盒"),
    (0x13, "microwave: heating", "微波炉：加热中"),
    (0x14, "microwave: the delivery door does not open", "微波炉：取货门打不开"),
    (0x15, "microwave: the box waits to be taken", "微波炉：餐盒待取走"),
    (0x16, "the staypole does not return", "撑杆未收回"),
    (0x17, "main motor", "主电机"),
    (0x18, "translation motor", "平移电机"),
    (0x19, "the staypole does not push", "撑杆未推出"),
    (0x20, "the lift does not enter the microwave", "升降机未进入微波炉"),
    (0x21, "the lift does not leave the microwave", "升降机未离开微波炉"),
    (0x22, "the pushrod does not push", "推杆未推出"),
    (0x23, "the pushrod does not return", "推杆未收回"),
];

fn faulty(code: u8, words: &[(u8, &str, &str)]) -> Reading {
    let known = words.iter().find(|(known, ..)| *known == code).map(|(_, en, zh)| Said::new(*en, *zh));
    Reading::faulty(known.unwrap_or_else(|| said!("code {code:#04x}", "代码 {code:#04x}"; code)))
}

fn health(code: u8, words: &[(u8, &str, &str)]) -> Reading {
    if code == 0 { Reading::Healthy } else { faulty(code, words) }
}

fn slot_reading(status: u8) -> Reading {
    match status {
        super::SLOT_NORMAL => Reading::SlotReady,
        0x02 => Reading::SlotEmpty,
        0x03 => Reading::SlotAbsent,
        other => faulty(other, &SLOT_STATUS),
    }
}
