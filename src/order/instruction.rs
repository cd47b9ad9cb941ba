//! Instructions: what the platform wants of the machine beside vending (cloud 1.9), and the audit of them.
//!
//! The journal keeps both: the [`Memory`] that makes a repeated instruction harmless, and one [`AuditEntry`] for each
//! that was carried out, or refused.

use super::command::Turns;
use super::said::words;
use super::schedule::{Cycle, Once, Schedule};
use super::time::{BootId, BootMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An instruction older than this, in s, is not followed: what lay at the broker while the machine was away is no longer
/// what somebody wants now, and a recorded message is worth nothing soon. Long enough for a slow network and a clock
/// that is told by a Date header (`order::time::WITNESS_AGREEMENT_MS`).
pub const FRESH_WITHIN_S: u64 = 300;
/// The same for a test vend, in s: a motor must not turn when whoever wanted to see it has given up waiting.
pub const TEST_FRESH_WITHIN_S: u64 = 60;

/// What kind of instruction it is. Each kind has its own memory of what was taken last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `client.machine.reboot`.
    Reboot,
    /// `client.machine.shutdown`, and what a schedule switches off.
    Shutdown,
    /// `client.power.schedule.once`, `.cycle` and `.clear`: the later word wins, whichever it is.
    Schedule,
    /// `client.machine.password.modified`.
    Password,
    /// `client.machine.config.push`.
    Configuration,
    /// `client.channel.fault.clear`.
    FaultClear,
    /// `client.factory.reset`.
    FactoryReset,
    /// `client.channel.debugging`.
    ChannelTest,
    /// A person had a call sent again that was refused for good.
    CallRetried,
    /// A person gave such a call up.
    CallDropped,
    /// A person had the platform asked once more about its books.
    DifferenceAsked,
    /// A person took a difference on.
    DifferenceAccepted,
    /// A person said what became of an order in doubt.
    OrderResolved,
    /// A person had dead letters sent again.
    ReportRetried,
    /// A person took a slot out of use.
    SlotLocked,
    /// A person looked at a slot, and found it well.
    SlotCleared,
    /// A person filled slots.
    SlotRestocked,
    /// A person had a slot turned for a test.
    SlotTested,
    /// A person had the board do something beside a vend.
    Service,
    /// A person made the log louder or quieter for a while.
    LogLevel,
    /// A person settled a sale.
    SaleSettled,
    /// A person put raw bytes on the line, while the agent did not run.
    LineSent,
}

words! {
    Kind {
        Kind::Reboot => "reboot", "重启";
        Kind::Shutdown => "shutdown", "关机";
        Kind::Schedule => "schedule", "定时开关机";
        Kind::Password => "password", "口令";
        Kind::Configuration => "configuration", "设置";
        Kind::FaultClear => "fault_clear", "清除故障";
        Kind::FactoryReset => "factory_reset", "恢复出厂";
        Kind::ChannelTest => "channel_test", "货道测试（平台）";
        Kind::CallRetried => "call_retried", "重发通知";
        Kind::CallDropped => "call_dropped", "放弃通知";
        Kind::DifferenceAsked => "difference_asked", "再问平台";
        Kind::DifferenceAccepted => "difference_accepted", "接受不一致";
        Kind::OrderResolved => "order_resolved", "认定订单";
        Kind::ReportRetried => "report_retried", "重发上报";
        Kind::SlotLocked => "slot_locked", "停用货道";
        Kind::SlotCleared => "slot_cleared", "恢复货道";
        Kind::SlotRestocked => "slot_restocked", "补货";
        Kind::SlotTested => "slot_tested", "测试货道";
        Kind::Service => "service", "板卡服务";
        Kind::LogLevel => "log_level", "日志级别";
        Kind::SaleSettled => "sale_settled", "处理销售";
        Kind::LineSent => "line_sent", "发送原始数据";
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 22] = [
        Kind::Reboot,
        Kind::Shutdown,
        Kind::Schedule,
        Kind::Password,
        Kind::Configuration,
        Kind::FaultClear,
        Kind::FactoryReset,
        Kind::ChannelTest,
        Kind::CallRetried,
        Kind::CallDropped,
        Kind::DifferenceAsked,
        Kind::DifferenceAccepted,
        Kind::OrderResolved,
        Kind::ReportRetried,
        Kind::SlotLocked,
        Kind::SlotCleared,
        Kind::SlotRestocked,
        Kind::SlotTested,
        Kind::Service,
        Kind::LogLevel,
        Kind::SaleSettled,
        Kind::LineSent,
    ];

    /// A slot's motor is turned for a test, by whoever wants it.
    #[must_use]
    pub const fn is_test_vend(self) -> bool {
        matches!(self, Kind::ChannelTest | Kind::SlotTested)
    }

    /// What the configuration must allow for it.
    #[must_use]
    pub const fn needs(self) -> Option<Permission> {
        match self {
            Kind::Reboot => Some(Permission::Reboot),
            Kind::Shutdown => Some(Permission::Shutdown),
            Kind::Schedule => Some(Permission::Schedule),
            Kind::Configuration => Some(Permission::Configuration),
            Kind::FactoryReset => Some(Permission::FactoryReset),
            Kind::ChannelTest => Some(Permission::ChannelTest),
            // One never happens, the other changes nothing but our own locks; persons stand before the machine.
            Kind::Password
            | Kind::FaultClear
            | Kind::CallRetried
            | Kind::CallDropped
            | Kind::DifferenceAsked
            | Kind::DifferenceAccepted
            | Kind::OrderResolved
            | Kind::ReportRetried
            | Kind::SlotLocked
            | Kind::SlotCleared
            | Kind::SlotRestocked
            | Kind::SlotTested
            | Kind::Service
            | Kind::LogLevel
            | Kind::SaleSettled
            | Kind::LineSent => None,
        }
    }

    /// How old it may be to be followed, in s.
    #[must_use]
    pub const fn fresh_within_s(self) -> u64 {
        match self {
            Kind::ChannelTest => TEST_FRESH_WITHIN_S,
            _ => FRESH_WITHIN_S,
        }
    }
}

/// A word of `[remote] allow`: without it the platform cannot have the machine do such a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Start the machine anew.
    Reboot,
    /// Switch it off, for good.
    Shutdown,
    /// Set, change and clear the times at which it is switched off and on.
    Schedule,
    /// Set what the machine's screen shows and how long it waits ([`Setting`]).
    Configuration,
    /// Forget schedule and settings.
    FactoryReset,
    /// Turn a slot's motor for a test: goods leave that nobody has paid for.
    // Its word of former versions, alone with a hyphen: configurations that have it go on working.
    #[serde(alias = "channel-test")]
    ChannelTest,
}

/// What the platform may set by `client.machine.config.push` (cloud 1.9): the settings of the machine's screen that the
/// vendor documents, and nothing else. No credential, no address of ours and nothing of the board is among them, so that
/// nothing that is pushed can change what vend pays attention to, whom it believes or what it drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Digits after the point of a price, 0 to 4.
    PriceDigits,
    /// Thousands are set apart, 0 or 1.
    PriceThousands,
    /// The former price is shown struck through, 0 or 1.
    PriceLine,
    /// The screen's language, like `zh_CN`.
    Language,
    /// Those that can be chosen, with commas.
    Languages,
    /// Seconds without a touch before advertisements, 30 to 180.
    IdleTimeout,
    /// Seconds a payment is waited for, 30 to 180.
    PaymentWaitTimeout,
    /// Advertisements while nobody is there, 0 or 1.
    StandbyAdsEnabled,
    /// They begin by themselves, 0 or 1.
    StandbyAdsAutoplay,
    /// A picture's URL.
    AppNavbarLogo,
    /// A picture's URL.
    AppHomeBackground,
}

impl Setting {
    /// All of them.
    pub const ALL: [Setting; 11] = [
        Setting::PriceDigits,
        Setting::PriceThousands,
        Setting::PriceLine,
        Setting::Language,
        Setting::Languages,
        Setting::IdleTimeout,
        Setting::PaymentWaitTimeout,
        Setting::StandbyAdsEnabled,
        Setting::StandbyAdsAutoplay,
        Setting::AppNavbarLogo,
        Setting::AppHomeBackground,
    ];

    /// The field's name in the platform's messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Setting::PriceDigits => "price_digits",
            Setting::PriceThousands => "price_thousands",
            Setting::PriceLine => "price_line",
            Setting::Language => "language",
            Setting::Languages => "languages",
            Setting::IdleTimeout => "idle_timeout",
            Setting::PaymentWaitTimeout => "payment_wait_timeout",
            Setting::StandbyAdsEnabled => "standby_ads_enabled",
            Setting::StandbyAdsAutoplay => "standby_ads_autoplay",
            Setting::AppNavbarLogo => "app_navbar_logo",
            Setting::AppHomeBackground => "app_home_background",
        }
    }
}

/// The settings that were pushed, with their values as they came and were found right.
pub type Settings = BTreeMap<Setting, Box<str>>;

/// What an instruction wants, read and found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Start the machine anew.
    Reboot,
    /// Switch it off.
    Shutdown,
    /// Off and on again, once.
    Once(Once),
    /// Off and on every week.
    Cycle(Cycle),
    /// No schedule any more.
    ClearSchedule,
    /// The screen's password. What it is, is not kept.
    Password,
    /// Settings of the screen.
    Configure(Settings),
    /// Slots of these products are in order again.
    ClearFaults(Vec<u64>),
    /// As it came from the factory.
    FactoryReset,
    /// One turn of one slot for a test.
    TestChannel(Turns),
}

/// A verified instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its kind.
    pub kind: Kind,
    /// When the platform issued it, in Unix s.
    pub issued_at_s: u64,
    /// What it wants, or the field that is missing or wrong.
    pub wish: Result<Wish, &'static str>,
}

/// Who wanted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The platform, by an instruction.
    Platform,
    /// The schedule, which the platform set.
    Schedule,
    /// A person at the machine, by the number of the user that the kernel names.
    Person(u32),
}

words! {
    Who {
        Who::Platform => "platform", "平台";
        Who::Schedule => "schedule", "定时";
        Who::Person(_) => "person", "人员";
    }
}

impl Who {
    /// The user's number, of a person.
    #[must_use]
    pub const fn uid(self) -> Option<u32> {
        match self {
            Who::Person(uid) => Some(uid),
            Who::Platform | Who::Schedule => None,
        }
    }
}

/// Why an instruction was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// `[remote] allow` does not name it.
    NotAllowed,
    /// Nobody knows what time it is, so nobody knows how old it is.
    TimeUnknown,
    /// Issued too long ago.
    Stale,
    /// Issued in the future.
    Future,
    /// Not newer than one of its kind that was taken before.
    Replayed,
    /// A field is missing or wrong.
    Invalid,
    /// This machine has nothing of the kind.
    NotOffered,
    /// Another act is under way or waits.
    Busy,
    /// Orders are not final.
    OrdersOpen,
    /// Results have not been taken by their receivers.
    ReportsOpen,
    /// The board is not there, or has not settled.
    BoardAway,
    /// The machine begins nothing now: it stops, or lacks room on its disk.
    Unavailable,
}

words! {
    Refused {
        Refused::NotAllowed => "not_allowed", "不允许";
        Refused::TimeUnknown => "time_unknown", "时间未知";
        Refused::Stale => "stale", "过旧";
        Refused::Future => "future", "时间在未来";
        Refused::Replayed => "replayed", "重放";
        Refused::Invalid => "invalid", "字段无效";
        Refused::NotOffered => "not_offered", "不支持";
        Refused::Busy => "busy", "过忙";
        Refused::OrdersOpen => "orders_open", "订单未完成";
        Refused::ReportsOpen => "reports_open", "上报未送达";
        Refused::BoardAway => "board_away", "板卡未就绪";
        Refused::Unavailable => "unavailable", "暂不可用";
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Became {
    /// It waits until no order is open.
    Waiting,
    /// It is being done, or the power went while it was.
    UnderWay,
    /// Done.
    Done,
    /// Tried, and certainly not done.
    Failed,
    /// Nothing proves whether it was done. It is not tried again.
    Unknown,
    /// The machine had started anew before it was its turn.
    Overtaken,
    /// Orders were open for too long.
    GivenUp,
    /// Not followed.
    Refused(Refused),
}

words! {
    Became {
        Became::Waiting => "waiting", "等待中";
        Became::UnderWay => "under_way", "进行中";
        Became::Done => "done", "完成";
        Became::Failed => "failed", "失败";
        Became::Unknown => "unknown", "未知";
        Became::Overtaken => "overtaken", "已失效";
        Became::GivenUp => "given_up", "已放弃";
        Became::Refused(_) => "refused", "已拒绝";
    }
}

impl Became {
    /// Nothing follows any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Became::Waiting | Became::UnderWay)
    }
}

/// Longest [`AuditEntry::detail`], in bytes: a record stays far below its limit.
pub const DETAIL_BYTES_MAX: usize = 240;

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Rises from 1; never used twice in a journal.
    pub number: u64,
    /// Who wanted it.
    pub who: Who,
    /// What kind.
    pub kind: Kind,
    /// When the platform issued it, in Unix s; for a schedule the time that was set.
    pub issued_at_s: u64,
    /// When it came, in Unix s, by trusted time where there was one.
    pub came_at_s: u64,
    /// In which boot.
    pub boot_id: BootId,
    /// And when in it.
    pub boot: BootMs,
    /// What became of it.
    pub became: Became,
    /// When it is wanted on again, in Unix s, where it is switched off by a schedule.
    pub on_at_s: Option<u64>,
    /// In words, never a secret.
    pub detail: Box<str>,
}

/// What the machine does to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Start anew.
    Reboot,
    /// Switch off, and on again at this time (Unix s) where one is set.
    PowerOff {
        /// When the real-time clock is to wake the machine.
        wake_at_s: Option<u64>,
    },
}

impl AuditEntry {
    /// What is to be done for it, where it is something that the machine does to itself.
    #[must_use]
    pub const fn act(&self) -> Option<Act> {
        match self.kind {
            Kind::Reboot => Some(Act::Reboot),
            Kind::Shutdown => Some(Act::PowerOff { wake_at_s: self.on_at_s }),
            _ => None,
        }
    }
}

/// What the journal remembers so that instructions hold and are harmless when they come again. One record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The issue time, in Unix s, of the last one that was taken of each kind.
    pub last_taken_s: BTreeMap<Kind, u64>,
    /// The number of the last audit entry.
    pub entries: u64,
    /// When the machine is switched off and on.
    pub schedule: Schedule,
    /// What was pushed.
    pub settings: Settings,
}
