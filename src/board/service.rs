//! What people and the platform want of a board beside a vend: to look, to switch, to reset. Nothing here turns the
//! motor of a slot, so nothing here needs an intent; what could (a slot reset that winds a spring home) is a motor
//! command and does not belong here (rule 19).

use crate::order::motor::{Address, Slot};
use crate::order::said::{InChinese, Said};
use serde::{Deserialize, Serialize};

/// One wish. A family serves those that its protocol has ([`Driver::serves`](super::driver::Driver::serves)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "service")]
pub enum Service {
    /// The board tests itself.
    SelfCheck {
        /// Which board.
        address: Address,
    },
    /// Is the slot there and in order?
    SlotState {
        /// Which board.
        address: Address,
        /// Which slot.
        slot: Slot,
    },
    /// Is the machine's door open?
    Door {
        /// Which board.
        address: Address,
    },
    /// How warm and how damp is it?
    Climate {
        /// Which board.
        address: Address,
    },
    /// Switch something on or off.
    Switch {
        /// Which board.
        address: Address,
        /// What.
        device: Device,
        /// On.
        on: bool,
    },
    /// Hold this temperature.
    Hold {
        /// Which board.
        address: Address,
        /// Cool or heat.
        mode: ClimateMode,
        /// In °C.
        target_c: i8,
    },
    /// Start anew whatever the board can start anew without turning a slot's motor: the board itself, its lift, its
    /// fault memory.
    Reset {
        /// Which board.
        address: Address,
    },
}

/// No [`Service`] takes longer, in ms. The longest are three questions of a board that listens every two seconds, each
/// said twice and answered in six copies, which makes 48 s. What is not over by then hangs on a line that is never quiet
/// or on a board that speaks and never listens, and an order must not wait behind it for ever.
pub const SERVICE_MS_MAX: u64 = 55_000;

/// Temperatures that may be held, in °C: the coldest freezers keep ice cream at −25, hot food is kept at 65. What is
/// outside is a slip of the keyboard, and would spoil the goods.
pub const HOLD_C: std::ops::RangeInclusive<i8> = -30..=70;

/// What can be switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// The light.
    Light,
    /// The compressor or cooler.
    Cooler,
    /// The heater.
    Heater,
    /// The heater of the door's glass.
    GlassHeater,
    /// The fan.
    Fan,
}

impl Device {
    /// All of them.
    pub const ALL: [Device; 5] = [Device::Light, Device::Cooler, Device::Heater, Device::GlassHeater, Device::Fan];

    /// Its word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Device::Light => "light",
            Device::Cooler => "cooler",
            Device::Heater => "heater",
            Device::GlassHeater => "glass-heater",
            Device::Fan => "fan",
        }
    }
}

/// What the temperature control does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClimateMode {
    /// Nothing.
    Off,
    /// Cool.
    Cool,
    /// Heat.
    Heat,
}

/// What the board said to a [`Service`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reading")]
pub enum Reading {
    /// It was done.
    Done,
    /// The self-check found nothing wrong.
    Healthy,
    /// The self-check or the slot has a fault; the words of the protocol.
    Faulty {
        /// What is wrong.
        what: String,
        /// The same in Chinese.
        #[serde(default)]
        what_zh: String,
    },
    /// The slot is there and in order.
    SlotReady,
    /// There is no such slot.
    SlotAbsent,
    /// The slot is empty, as far as the board counts.
    SlotEmpty,
    /// The door.
    Door {
        /// It is open.
        open: bool,
    },
    /// The climate. What has no sensor is absent.
    Climate {
        /// In tenths of °C.
        temperature_deci_c: Option<i16>,
        /// In tenths of % relative humidity.
        humidity_permille: Option<u16>,
    },
}

/// Tenths as a decimal number: "-2.0".
#[must_use]
pub fn tenths(value: i32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{}", value.unsigned_abs() / 10, value.unsigned_abs() % 10)
}

impl Reading {
    /// The self-check or the slot has this fault.
    #[must_use]
    pub fn faulty(what: Said) -> Reading {
        Reading::Faulty { what: what.en, what_zh: what.zh }
    }

    /// Two answers to one wish together: what the second knows more, and the first of two faults.
    #[must_use]
    pub fn joined(self, second: Reading) -> Reading {
        match (self, second) {
            (
                Reading::Climate { temperature_deci_c: t1, humidity_permille: h1 },
                Reading::Climate { temperature_deci_c: t2, humidity_permille: h2 },
            ) => Reading::Climate { temperature_deci_c: t1.or(t2), humidity_permille: h1.or(h2) },
            (Reading::Healthy | Reading::Done | Reading::SlotReady, second) => second,
            (first, _) => first,
        }
    }
}

/// Why a [`Service`] has no reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ServiceError {
    /// The protocol has no such question.
    #[error("the board's protocol has no such question; vend board show NAME says what it lacks")]
    NotOffered,
    /// The profile has no such address.
    #[error("the profile has no board at this address; vend board show NAME says how many it has")]
    NoSuchBoard,
    /// The profile has no such slot.
    #[error("the profile has no such slot; vend board show NAME says which it has")]
    NoSuchSlot,
    /// An order is on the line or waits for it, or something else is asked.
    #[error("an order is being served, or something else is asked; try again when the line is idle")]
    Busy,
    /// The port is closed, or the board has not yet been heard since it was opened or since an unknown end.
    #[error("the board is not ready: its port is closed, or it has not settled yet; vend status says which")]
    Away,
    /// The agent does not use the board now.
    #[error("the agent leaves the board alone: it is starting or stopping, or its journal failed; see vend status")]
    Unavailable,
    /// The board said no.
    #[error("the board refused")]
    Refused,
    /// The board said nothing in time.
    #[error("the board did not answer; check its power, the cable and the address")]
    NoAnswer,
    /// The board never came to an end with it, though it is not silent.
    #[error(
        "it took longer than {} s and was ended: the board speaks and does not answer, or the line is never quiet; \
         vend status counts what is wrong on the line",
        SERVICE_MS_MAX / 1_000
    )]
    TookTooLong,
}

impl InChinese for ServiceError {
    fn zh(&self) -> String {
        match self {
            ServiceError::NotOffered => "板卡的协议没有此项；vend board show NAME 会列出所缺功能".to_owned(),
            ServiceError::NoSuchBoard => "板卡配置中没有此地址；vend board show NAME 会列出地址数".to_owned(),
            ServiceError::NoSuchSlot => "板卡配置中没有此货道；vend board show NAME 会列出货道".to_owned(),
            ServiceError::Busy => "正在处理订单，或另有询问；请在线路空闲时重试".to_owned(),
            ServiceError::Away => "板卡未就绪：串口未打开，或尚未稳定；请看 vend status".to_owned(),
            ServiceError::Unavailable => {
                "守护进程此时不使用板卡：正在启动或停止，或日志已失败；请看 vend status".to_owned()
            }
            ServiceError::Refused => "板卡拒绝".to_owned(),
            ServiceError::NoAnswer => "板卡未应答；请检查其电源、线缆与地址".to_owned(),
            ServiceError::TookTooLong => format!(
                "超过 {} 秒，已终止：板卡有通信但未完成应答，或线路干扰不断；请看 vend status 中的线路质量",
                SERVICE_MS_MAX / 1_000
            ),
        }
    }
}

impl Service {
    /// The board that is meant.
    #[must_use]
    pub const fn address(&self) -> Address {
        match *self {
            Service::SelfCheck { address }
            | Service::SlotState { address, .. }
            | Service::Door { address }
            | Service::Climate { address }
            | Service::Switch { address, .. }
            | Service::Hold { address, .. }
            | Service::Reset { address } => address,
        }
    }

    /// It changes something; the others only look.
    #[must_use]
    pub const fn acts(&self) -> bool {
        match self {
            Service::Switch { .. } | Service::Hold { .. } | Service::Reset { .. } => true,
            Service::SelfCheck { .. } | Service::SlotState { .. } | Service::Door { .. } | Service::Climate { .. } => {
                false
            }
        }
    }
}
