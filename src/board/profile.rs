//! A board is data: one file in `boards/` says everything that differs between boards of a family.
//! `boards/README.md` shows how to write one.

mod error;
mod family;
#[cfg(test)]
mod mistakes;
mod slots;

use super::driver::{Address, FloorType, RecoveryClass, Slot};
use super::service::Device;
use crate::order::outcome::Evidence;
use crate::order::said::{Said, said};
pub(super) use error::Mistake;
pub use error::ProfileError;
pub(super) use family::{no_address_on_the_wire, not_everything_names_its_board};
use serde::{Deserialize, Serialize};
pub use slots::{Layout, Slots};
use std::collections::{BTreeMap, BTreeSet};

/// Protocol families that have a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Family {
    /// ZDM8 driver boards, Modbus RTU.
    #[serde(rename = "uling-modbus")]
    UlingModbus,
    /// Xing Yuan / JSK "VMC – upper computer" V3.
    #[serde(rename = "xy-v3")]
    XyV3,
    /// ADH814 and ADH815.
    #[serde(rename = "adh")]
    Adh,
    /// TCN driver boards.
    #[serde(rename = "tcn-00ff")]
    Tcn00ff,
    /// M102, M109E and MP2404 motor boards.
    #[serde(rename = "m102")]
    M102,
    /// Lock boards that speak `8A … 11 XOR`.
    #[serde(rename = "lock-8a")]
    Lock8a,
    /// Kerong KR-CU lock boards.
    #[serde(rename = "lock-cu")]
    LockCu,
    /// EasiVend lift VMC.
    #[serde(rename = "lift-c7")]
    LiftC7,
    /// EasiVend column boards.
    #[serde(rename = "col-ed")]
    ColEd,
    /// Control boards that speak `FF 00 55` / `FF 00 AA`.
    #[serde(rename = "ff0055")]
    Ff0055,
    /// UBox / EasiVend VMC, frames that begin with E7.
    #[serde(rename = "ubox-e7")]
    UboxE7,
    /// Vendapin card dispensers.
    #[serde(rename = "vendapin")]
    Vendapin,
    /// MoneyFlex VMC96.
    #[serde(rename = "vmc96")]
    Vmc96,
}

impl Family {
    /// The class that the family's protocol allows at best. A profile may only claim a lower one.
    #[must_use]
    pub const fn best_class(self) -> RecoveryClass {
        match self {
            Family::UlingModbus => RecoveryClass::ReadClears,
            Family::XyV3 | Family::ColEd => RecoveryClass::PushOnly,
            Family::Adh => RecoveryClass::HeldUntilAcknowledged,
            Family::Tcn00ff | Family::Vmc96 => RecoveryClass::None,
            Family::M102 | Family::LiftC7 | Family::Ff0055 => RecoveryClass::LastResult,
            Family::Lock8a | Family::LockCu => RecoveryClass::PhysicalState,
            Family::UboxE7 | Family::Vendapin => RecoveryClass::Counters,
        }
    }
}

/// Everything vend knows about one controller board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name in `[board] profile`, the same as the file's.
    pub name: String,
    /// For people: maker and model.
    pub title: String,
    /// Where the numbers come from.
    pub source: String,
    /// The protocol family.
    pub family: Family,
    /// How an outcome can be known after the agent was away; never better than the family's.
    pub recovery_class: RecoveryClass,
    /// What the board or its protocol lacks, in words for technicians.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// The serial link.
    pub link: Link,
    /// Driver boards on the line.
    #[serde(default)]
    pub addresses: Addresses,
    /// Slots of one address.
    pub slots: Slots,
    /// What a command means that says nothing about it.
    pub defaults: Defaults,
    /// Times.
    pub timing: Timing,
    /// The family's own switches.
    #[serde(default)]
    pub options: Options,
    /// The board's result or fault code (decimal or 0x…, as text) → what it says about motor and drop sensor,
    /// where the protocol's codes are not fixed by its document.
    #[serde(default)]
    pub outcomes: BTreeMap<String, Evidence>,
}

/// The serial link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Bits a second.
    pub baud: u32,
    /// Parity bit; always 8 data bits and 1 stop bit, as every board here.
    #[serde(default)]
    pub parity: Parity,
}

/// Parity bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// 8N1.
    #[default]
    None,
    /// 8E1.
    Even,
    /// 8O1.
    Odd,
}

/// Driver boards on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// What stands on the wire for addr "1".
    pub first_on_wire: u8,
    /// How many addresses may be used, 1…8.
    pub count: u8,
}

impl Default for Addresses {
    fn default() -> Self {
        Addresses { first_on_wire: 1, count: 1 }
    }
}

/// What a command means that says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The mechanism.
    pub floor_type: FloorType,
    /// The machine has a lift to be used.
    pub lift: bool,
    /// A drop sensor is fitted and armed.
    pub drop_check: bool,
}

/// Times, all in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// No vend takes longer: silence for this long after the command ends in *unknown*.
    pub longest_vend_ms: u64,
    /// The board answers a request (not a vend) within this time.
    pub reply_ms: u64,
    /// How often the board is asked while a motor turns, on families where the host asks.
    #[serde(default = "default_poll_ms")]
    pub poll_ms: u64,
    /// Silence that the host keeps between two frames.
    #[serde(default)]
    pub min_gap_ms: u64,
    /// How often a question that was not answered is asked again before the board counts as absent; once without it.
    /// A motor command never is (rule 15).
    #[serde(default)]
    pub retries: Option<u8>,
}

impl Timing {
    /// How often a question is asked in all before its silence means something: one answer may fall to noise.
    #[must_use]
    pub fn tries(&self) -> u8 {
        self.retries.unwrap_or(RETRIES_DEFAULT).saturating_add(1)
    }
}

/// Once more: of two answers in a row noise seldom takes both.
const RETRIES_DEFAULT: u8 = 1;
/// No document asks for more (xy-v3: 5 resends); more would only tell later that a board is gone.
pub const RETRIES_MAX: u8 = 5;

/// Longest time that a profile may give for a vend, in ms: ten minutes, half the time in which a command may be
/// driven at all. No mechanism needs it, and nobody who waits for goods would wait longer.
pub const LONGEST_VEND_MS_MAX: u64 = 600_000;
/// Longest reply time, poll interval or gap, in ms: a board that is silent for a minute is absent.
pub const REPLY_MS_MAX: u64 = 60_000;

const fn default_poll_ms() -> u64 {
    300
}

/// The family's own switches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// adh: which command codes the board speaks.
    pub adh_variant: Option<AdhVariant>,
    /// xy-v3: length of the text of command 06, 5 or 6 (newer firmware).
    pub direct_drive_len: Option<u8>,
    /// m102: how the motors are wired.
    pub motor_type: Option<MotorType>,
    /// m102: what some firmware appends to a frame before its check sum, without sending it. Only the operator has it.
    pub crc_suffix: Option<String>,
    /// lock-8a: when the contact of a latch is closed.
    pub short_when: Option<ShortWhen>,
    /// lock-8a, lock-cu and m102: the cable gives back what vend says, as RS485 adapters do that listen while they speak.
    pub echo: Option<bool>,
    /// What hangs on which relay: 1 to 10 of uling-modbus, 1 and 2 of vmc96.
    #[serde(default)]
    pub relays: BTreeMap<Device, u8>,
    /// lift-c7: which row and column a slot stands for.
    pub grid: Option<Grid>,
    /// ubox-e7: the class of vend that the board counts ours in, 2 to 4 or 6 to 100. Nothing else on the machine may use it.
    pub online_type: Option<u8>,
}

/// How slots are counted in rows and columns: slot − base = (row − first row) × columns + (column − first column).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// The slot in the first column of the first row.
    pub base: u16,
    /// Slots of a row.
    pub columns: u8,
    /// What stands on the wire for the first row.
    pub first_row: u8,
    /// What stands on the wire for the first column.
    pub first_column: u8,
}

impl Grid {
    /// Row and column on the wire, if the slot is not below the base and both fit into a byte.
    #[must_use]
    pub fn place(&self, slot: Slot) -> Option<(u8, u8)> {
        let n = slot.0.checked_sub(self.base)?;
        let columns = u16::from(self.columns);
        let row = u8::try_from(n.checked_div(columns)?).ok()?.checked_add(self.first_row)?;
        let column = u8::try_from(n.checked_rem(columns)?).ok()?.checked_add(self.first_column)?;
        Some((row, column))
    }

    /// The slot that stands at a row and column on the wire.
    #[must_use]
    pub fn slot(&self, row: u8, column: u8) -> Option<Slot> {
        let (row, column) = (row.checked_sub(self.first_row)?, column.checked_sub(self.first_column)?);
        let in_row = u16::from(row).checked_mul(u16::from(self.columns))?;
        (column < self.columns)
            .then(|| in_row.checked_add(u16::from(column))?.checked_add(self.base))
            .flatten()
            .map(Slot)
    }
}

/// When the contact of a latch is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShortWhen {
    /// While the door is locked.
    Locked,
    /// While the door is open.
    Open,
}

/// How the motors of an m102 board are wired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MotorType {
    /// Two wires: the stop switch is in the supply.
    TwoWire,
    /// Two wires, turning the other way.
    TwoWireReversed,
    /// Three wires: the stop switch has its own.
    ThreeWire,
    /// Three wires, turning the other way.
    ThreeWireReversed,
}

/// ADH814 and ADH815 use different command codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdhVariant {
    /// Commands A1…A6.
    #[serde(rename = "814")]
    Adh814,
    /// Commands 01…06.
    #[serde(rename = "815")]
    Adh815,
}

impl Profile {
    /// The address byte on the wire.
    #[must_use]
    pub fn wire_address(&self, address: Address) -> u8 {
        self.addresses.first_on_wire.saturating_add(address.get() - 1)
    }

    /// The address that a byte on the wire stands for, if the profile has it.
    #[must_use]
    pub fn address_of(&self, wire: u8) -> Option<Address> {
        let n = wire.checked_sub(self.addresses.first_on_wire)?.checked_add(1)?;
        (n <= self.addresses.count).then(|| Address::new(n)).flatten()
    }

    /// Whether the board has this slot.
    #[must_use]
    pub fn has_slot(&self, slot: Slot) -> bool {
        self.slots.has(slot)
    }

    /// What a code of the board means by the profile's own table.
    #[must_use]
    pub fn evidence_of(&self, code: u8) -> Option<Evidence> {
        self.outcomes.iter().find(|(text, _)| parse_code(text) == Some(code)).map(|(_, e)| *e)
    }
}

/// A word as a profile has it, in its quotes.
fn word(value: impl Serialize) -> String {
    toml::Value::try_from(value).map(|value| value.to_string()).unwrap_or_default()
}

fn parse_code(text: &str) -> Option<u8> {
    match text.strip_prefix("0x") {
        Some(hex) => u8::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

impl Profile {
    /// Reads a profile from its text. `origin` names it in errors.
    ///
    /// # Errors
    /// [`ProfileError::Syntax`] with line and caret, or [`ProfileError::Value`] for a contradiction.
    pub fn parse(origin: &str, text: &str) -> Result<Profile, ProfileError> {
        let profile: Profile = toml::from_str(text).map_err(|e| error::syntax(origin, text, &e))?;
        profile.check().map_err(|mistake| mistake.placed(origin, text))?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), Mistake> {
        let wrong = |key, problem: Said| Err(Mistake::new(key, problem));
        if let Some(key) = self.empty_text() {
            return wrong(key, said!("says nothing", "没有内容"));
        }
        if self.link.baud == 0 {
            return wrong("link.baud", said!("must be above 0", "必须大于 0"));
        }
        if !(1..=Address::MAX).contains(&self.addresses.count) {
            return wrong("addresses.count", said!("must be 1 to {max}", "必须为 1 至 {max}"; max = Address::MAX));
        }
        if self.addresses.first_on_wire.checked_add(self.addresses.count - 1).is_none() {
            return wrong(
                "addresses.first_on_wire",
                said!("plus addresses.count goes beyond 255 on the wire", "加上 addresses.count 在线上超过 255"),
            );
        }
        self.slots.check()?;
        self.check_timing()?;
        let best = self.family.best_class();
        if self.recovery_class != best && self.recovery_class != RecoveryClass::None {
            // Classes are kinds of evidence, not grades: a board cannot tell less in another family's way, only nothing.
            let problem = said!(
                "must be {best} as the family's, or \"none\"",
                "必须与协议族相同，为 {best}，或为 \"none\"";
                best = word(best)
            );
            return wrong("recovery_class", problem);
        }
        self.check_foreign()?;
        self.check_own()?;
        let wrong_code = |code: &str, problem| Err(Mistake::of_entry("outcomes", code, problem));
        if let Some(text) = self.outcomes.keys().find(|text| parse_code(text).is_none()) {
            return wrong_code(
                text,
                said!("{text:?} is not a code; write 0 to 255 or 0x00 to 0xff", "{text:?} 不是代码；请写 0 至 255 或 0x00 至 0xff"; text),
            );
        }
        let mut codes = BTreeSet::new();
        if let Some(text) = self.outcomes.keys().find(|text| !codes.insert(parse_code(text))) {
            return wrong_code(
                text,
                said!("{text:?} is the code of another entry too; keep one of them", "{text:?} 与另一条目的代码相同；请只保留一条"; text),
            );
        }
        Ok(())
    }

    fn empty_text(&self) -> Option<&'static str> {
        let texts = [("name", &self.name), ("title", &self.title), ("source", &self.source)];
        texts.into_iter().find(|(_, text)| text.trim().is_empty()).map(|(key, _)| key)
    }

    fn check_timing(&self) -> Result<(), Mistake> {
        let Timing { longest_vend_ms, reply_ms, poll_ms, min_gap_ms, retries } = self.timing;
        for (key, ms, least, most) in [
            ("timing.longest_vend_ms", longest_vend_ms, 1, LONGEST_VEND_MS_MAX),
            ("timing.reply_ms", reply_ms, 1, REPLY_MS_MAX),
            ("timing.poll_ms", poll_ms, 1, REPLY_MS_MAX),
            ("timing.min_gap_ms", min_gap_ms, 0, REPLY_MS_MAX),
        ] {
            if !(least..=most).contains(&ms) {
                return Err(Mistake::new(
                    key,
                    said!("must be {least} to {most}", "必须为 {least} 至 {most}"; least, most),
                ));
            }
        }
        match retries {
            Some(_) if self.family == Family::Tcn00ff => {
                let problem = said!(
                    "family tcn-00ff asks no questions, and a motor command is never said twice",
                    "协议族 tcn-00ff 没有询问，而电机指令绝不重发"
                );
                Err(Mistake::new("timing.retries", problem))
            }
            Some(more) if more > RETRIES_MAX => {
                Err(Mistake::new("timing.retries", said!("must be 0 to {max}", "必须为 0 至 {max}"; max = RETRIES_MAX)))
            }
            _ => Ok(()),
        }
    }

    /// The profiles that are part of the binary: name and text, sorted by name.
    #[must_use]
    pub fn built_in() -> Vec<(&'static str, &'static str)> {
        BUILT_IN.to_vec()
    }
}

// Made by build.rs from the files of boards/, so that adding a board touches no Rust.
include!(concat!(env!("OUT_DIR"), "/built_in_profiles.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_loads_under_its_own_name() {
        assert!(!BUILT_IN.is_empty());
        for (name, text) in BUILT_IN {
            let profile = Profile::parse(name, text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(profile.name, *name);
            assert!(!profile.source.is_empty(), "{name} cites no source");
        }
    }

    #[test]
    fn a_mistake_in_a_profile_is_refused_with_its_line() {
        let (_, text) = BUILT_IN[0];
        let broken = text.replace("[timing]", "[timing]\nlongest_vend = 3");
        let line = broken.lines().position(|line| line == "longest_vend = 3").unwrap() + 1;
        let error = Profile::parse("x.toml", &broken).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("x.toml:{line}:1: ")) && error.contains("longest_vend") && error.contains('^'),
            "{error}"
        );
    }

    #[test]
    fn an_option_that_is_missing_foreign_or_out_of_range_is_refused_by_its_name() {
        for (name, from, to, key) in [
            ("m102", "motor_type = \"three-wire\"", "", "options.motor_type"),
            ("m102", "motor_type", "crc_suffix = \"\"\nmotor_type", "options.crc_suffix"),
            ("m102", "motor_type", "crc_suffix = \"ä\"\nmotor_type", "options.crc_suffix"),
            ("adh815", "adh_variant", "echo = true\nadh_variant", "options.echo"),
            ("lock-8a", "short_when = \"locked\"", "", "options.short_when"),
            ("lock-8a", "short_when", "motor_type = \"two-wire\"\nshort_when", "options.motor_type"),
            ("lock-8a", "short_when", "crc_suffix = \"x\"\nshort_when", "options.crc_suffix"),
            ("lock-8a", "first = 1", "first = 0", "slots.first"),
            ("lock-8a", "last = 24", "last = 51", "slots.last"),
            ("lock-cu", "echo", "short_when = \"open\"\necho", "options.short_when"),
            ("lock-cu", "last = 15", "last = 16", "slots.last"),
            (
                "lock-cu",
                "echo",
                "grid = { base = 0, columns = 1, first_row = 0, first_column = 0 }\necho",
                "options.grid",
            ),
            ("lift-c7", "columns = 10", "columns = 0", "options.grid"),
            ("lift-c7", "base = 0", "base = 2", "options.grid"),
            ("lift-c7", "first_row = 0", "first_row = 247", "options.grid"),
            ("lift-c7", "[options.grid]", "[options]\necho = true\n[options.grid]", "options.echo"),
            ("lift-c7", "last = 99", "last = 256", "slots.last"),
            ("col-ed", "first = 1", "first = 0", "slots.first"),
            ("col-ed", "[slots]", "[addresses]\nfirst_on_wire = 1\ncount = 2\n[slots]", "addresses.count"),
            ("ff0055", "last = 99", "last = 256", "slots.last"),
            ("ff0055", "[slots]", "[addresses]\nfirst_on_wire = 1\ncount = 2\n[slots]", "addresses.count"),
            ("lock-cu", "first_on_wire = 0", "first_on_wire = 12", "addresses.first_on_wire"),
            ("lock-cu", "echo", "online_type = 2\necho", "options.online_type"),
            ("ubox-e7", "online_type = 2", "", "options.online_type"),
            ("ubox-e7", "online_type = 2", "online_type = 0", "options.online_type"),
            ("ubox-e7", "online_type = 2", "online_type = 1", "options.online_type"),
            ("ubox-e7", "online_type = 2", "online_type = 5", "options.online_type"),
            ("ubox-e7", "online_type = 2", "online_type = 101", "options.online_type"),
            ("ubox-e7", "first = 1", "first = 0", "slots.first"),
            ("ubox-e7", "last = 80", "last = 250", "slots.last"),
            ("ubox-e7", "[slots]", "[addresses]\nfirst_on_wire = 1\ncount = 2\n\n[slots]", "addresses.count"),
            ("vmc96", "last = 95", "last = 96", "slots.last"),
            ("vmc96", "count = 1", "count = 2", "addresses.count"),
            ("vmc96", "drop_check = true", "drop_check = false", "defaults.drop_check"),
            ("vmc96", "longest_vend_ms = 10000", "longest_vend_ms = 4780", "timing.longest_vend_ms"),
            ("vmc96", "reply_ms = 300", "reply_ms = 490", "timing.poll_ms"),
            ("vendapin", "count = 1", "count = 2", "addresses.count"),
            ("vendapin", "last = 1", "last = 2", "slots.last"),
        ] {
            let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == name).unwrap();
            let broken = text.replace(from, to);
            assert_ne!(broken, *text, "{name} {key}");
            let error = Profile::parse("x", &broken).unwrap_err().to_string();
            assert!(error.contains(&format!(" {key}: ")), "{name} {key}: {error}");
        }
        let (_, m102) = BUILT_IN.iter().find(|(n, _)| *n == "m102").unwrap();
        Profile::parse("x", &m102.replace("motor_type", "crc_suffix = \"made up\"\nmotor_type")).unwrap();
    }

    #[test]
    fn addresses_that_would_be_one_board_on_the_wire_are_refused() {
        let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == "tcn-00ff").unwrap();
        let with =
            |first: u8| Profile::parse("x", &text.replace("first_on_wire = 0", &format!("first_on_wire = {first}")));
        let last = with(248).unwrap();
        assert_eq!(last.wire_address(Address::new(8).unwrap()), 255);
        assert!(with(249).unwrap_err().to_string().contains("addresses.first_on_wire"));
    }

    #[test]
    fn times_that_nobody_would_wait_for_are_refused() {
        let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == "xy-v3").unwrap();
        for (key, most) in
            [("longest_vend_ms", LONGEST_VEND_MS_MAX), ("reply_ms", REPLY_MS_MAX), ("poll_ms", REPLY_MS_MAX)]
        {
            let mut table: toml::Table = text.parse().unwrap();
            let mut with = |ms: u64| {
                table["timing"][key] = toml::Value::Integer(i64::try_from(ms).unwrap());
                Profile::parse("x", &table.to_string())
            };
            assert!(with(most).is_ok(), "{key}");
            for ms in [most + 1, i64::MAX as u64] {
                assert!(with(ms).unwrap_err().to_string().contains("timing"), "{key} = {ms}");
            }
        }
    }

    #[test]
    fn two_entries_for_one_code_are_refused() {
        let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == "tcn-00ff").unwrap();
        let with = |second: &str| {
            let entry = "{ motor = \"open\", drop_sensor = \"none\" }";
            Profile::parse("x", &format!("{text}\n[outcomes]\n\"64\" = {entry}\n{second} = {entry}\n"))
        };
        assert!(with("\"0x41\"").is_ok());
        assert!(with("\"0x40\"").unwrap_err().to_string().contains("another entry"));
    }

    #[test]
    fn a_profile_may_not_claim_a_better_recovery_than_its_family() {
        let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == "tcn-00ff").unwrap();
        let broken = text.replace("recovery_class = \"none\"", "recovery_class = \"held-until-acknowledged\"");
        assert!(Profile::parse("x", &broken).unwrap_err().to_string().contains("recovery_class"));
    }

    /// The key that a built-in profile is refused for after this change; nothing when it is taken.
    fn refused(name: &str, from: &str, to: &str) -> Option<&'static str> {
        let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == name).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, *text, "{name} has no {from:?}");
        match Profile::parse("x", &changed) {
            Ok(_) => None,
            Err(ProfileError::Value { key, .. }) => Some(key),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn every_contradiction_in_a_profile_is_refused_by_its_key_and_the_limits_themselves_are_taken() {
        let (zdm8, xy) = ("uling-zdm8", "xy-v3");
        for (name, from, to, key) in [
            (zdm8, "count = 8", "count = 0", Some("addresses.count")),
            (zdm8, "count = 8", "count = 1", None),
            (zdm8, "first = 0", "first = 99", None),
            (zdm8, "first = 0", "first = 100", Some("slots.first")),
            (zdm8, "last = 99", "last = 100", Some("slots.last")),
            (zdm8, "hundred_an_address = true", "hundred_an_address = false", None),
            (zdm8, "longest_vend_ms = 15000", "longest_vend_ms = 0", Some("timing.longest_vend_ms")),
            (zdm8, "reply_ms = 500", "reply_ms = 0", Some("timing.reply_ms")),
            (zdm8, "poll_ms = 300", "poll_ms = 0", Some("timing.poll_ms")),
            (zdm8, "\"read-clears\"", "\"none\"", None),
            (zdm8, "\"read-clears\"", "\"push-only\"", Some("recovery_class")),
            (zdm8, "[timing]", "[options]\nadh_variant = \"815\"\n\n[timing]", Some("options.adh_variant")),
            ("adh815", "adh_variant = \"815\"", "", Some("options.adh_variant")),
            (zdm8, "[timing]", "[options]\ndirect_drive_len = 5\n\n[timing]", Some("options.direct_drive_len")),
            (zdm8, "[timing]", "[options.relays]\nlight = 1\nglass_heater = 10\n\n[timing]", None),
            (zdm8, "[timing]", "[options.relays]\nlight = 0\n\n[timing]", Some("options.relays")),
            (zdm8, "[timing]", "[options.relays]\nlight = 11\n\n[timing]", Some("options.relays")),
            (zdm8, "[timing]", "[options.relays]\nlight = 2\nfan = 2\n\n[timing]", Some("options.relays")),
            (xy, "[options]", "[options.relays]\nlight = 1\n\n[options]", Some("options.relays")),
            (xy, "direct_drive_len = 5", "direct_drive_len = 4", Some("options.direct_drive_len")),
            (xy, "direct_drive_len = 5", "direct_drive_len = 6", None),
            (xy, "direct_drive_len = 5", "direct_drive_len = 7", Some("options.direct_drive_len")),
        ] {
            assert_eq!(refused(name, from, to), key, "{name}: {from} -> {to}");
        }
    }

    #[test]
    fn an_address_and_its_byte_on_the_wire_are_each_others() {
        let mut profile = Profile::find("uling-zdm8", std::path::Path::new(".")).unwrap();
        profile.addresses.first_on_wire = 3;
        profile.addresses.count = 2;
        let wire = [1, 2].map(|n| profile.wire_address(Address::new(n).unwrap()));
        assert_eq!(wire, [3, 4]);
        let back = [2, 3, 4, 5].map(|byte| profile.address_of(byte).map(Address::get));
        assert_eq!(back, [None, Some(1), Some(2), None]);
    }
}
