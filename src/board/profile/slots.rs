//! The slot map: which numbers a board has, how it numbers its trays, and what the platform calls them.
//!
//! A position is a tray (row, from the top) and a place on it (column, from the left), both counted from 0. The board
//! numbers positions by its layout from [`Slots::first`] on; that number is the [`Slot`], in the journal, in vend's own
//! commands and on the wire. The platform's `code` is the same number unless the profile gives codes of their own.

use super::Mistake;
use crate::order::motor::Slot;
use crate::order::said::{Said, said};
use serde::{Deserialize, Serialize};

/// Slots an address where a profile counts so; the platform's code holds the cabinet in its hundreds (cloud 1.9).
const SLOTS_AN_ADDRESS: u16 = 100;

/// Slots of one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slots {
    /// The lowest slot number: with `rows` the first position of the first tray.
    pub first: u16,
    /// The highest slot number: with `rows` the last position of the last tray.
    pub last: u16,
    /// Numbers between that do not exist.
    #[serde(default)]
    pub gaps: Vec<u16>,
    /// The board counts 100 slots an address: code 100 and above without addr is refused (contract, section 2).
    #[serde(default)]
    pub hundred_an_address: bool,
    /// Trays. Together with `columns` it leaves only the numbers that are positions of a tray.
    #[serde(default)]
    pub rows: Option<u16>,
    /// Places on a tray.
    #[serde(default)]
    pub columns: Option<u16>,
    /// How the board numbers the positions; [`Layout::Tens`] without it.
    #[serde(default)]
    pub formula: Option<Layout>,
    /// The platform's code of the slot `first`, where it is not its number.
    #[serde(default)]
    pub code_base: Option<u16>,
    /// How the platform's codes number the positions; [`Layout::Tens`] without it.
    #[serde(default)]
    pub code_formula: Option<Layout>,
}

/// How positions are numbered. Every documented board and host counts in one of these ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Layout {
    /// Ten numbers a tray, whether it has ten places or fewer.
    #[default]
    #[serde(rename = "row*10+column")]
    Tens,
    /// A hundred numbers a tray.
    #[serde(rename = "row*100+column")]
    Hundreds,
    /// Without holes: the first place of a tray follows the last of the tray above.
    #[serde(rename = "row*columns+column")]
    Consecutive,
}

impl Layout {
    const fn numbers_a_row(self, columns: u16) -> u16 {
        match self {
            Layout::Tens => 10,
            Layout::Hundreds => 100,
            Layout::Consecutive => columns,
        }
    }
}

/// Numbers of positions, from a first one on.
#[derive(Debug, Clone, Copy)]
struct Numbering {
    base: u16,
    rows: u16,
    columns: u16,
    numbers_a_row: u16,
}

impl Numbering {
    fn position_of(self, number: u16) -> Option<(u16, u16)> {
        let offset = number.checked_sub(self.base)?;
        let (row, column) = (offset.checked_div(self.numbers_a_row)?, offset.checked_rem(self.numbers_a_row)?);
        (row < self.rows && column < self.columns).then_some((row, column))
    }

    fn number_of(self, (row, column): (u16, u16)) -> Option<u16> {
        row.checked_mul(self.numbers_a_row)?.checked_add(column)?.checked_add(self.base)
    }

    fn last(self) -> Option<u16> {
        self.number_of((self.rows.checked_sub(1)?, self.columns.checked_sub(1)?))
    }
}

impl Slots {
    /// Whether the board has this slot.
    #[must_use]
    pub fn has(&self, slot: Slot) -> bool {
        (self.first..=self.last).contains(&slot.0)
            && !self.gaps.contains(&slot.0)
            && self.on_board().position_of(slot.0).is_some()
    }

    /// The slot that the platform means by a code.
    #[must_use]
    pub fn slot_of(&self, code: u16) -> Option<Slot> {
        let number = match self.on_platform() {
            None => Some(code),
            Some(codes) => codes.position_of(code).and_then(|position| self.on_board().number_of(position)),
        };
        number.map(Slot).filter(|&slot| self.has(slot))
    }

    /// The same for a code that came with or without an address. Where the board counts a hundred slots an address, the
    /// platform's code has the cabinet in its hundreds; which board that is depends on the machine's wiring, and only an
    /// address says it.
    #[must_use]
    pub fn slot_of_given(&self, code: u16, address_given: bool) -> Option<Slot> {
        match code {
            SLOTS_AN_ADDRESS.. if self.hundred_an_address && address_given => self.slot_of(code % SLOTS_AN_ADDRESS),
            _ => self.slot_of(code),
        }
    }

    /// The code by which the platform means a slot.
    #[must_use]
    pub fn code_of(&self, slot: Slot) -> Option<u16> {
        let codes = match self.on_platform() {
            None => Some(slot.0),
            Some(codes) => self.on_board().position_of(slot.0).and_then(|position| codes.number_of(position)),
        };
        codes.filter(|_| self.has(slot))
    }

    /// All slots, from the lowest.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = Slot> {
        (self.first..=self.last).map(Slot).filter(|&slot| self.has(slot))
    }

    /// Without trays all slots stand in one row.
    fn shape(&self) -> Option<(u16, u16)> {
        self.rows.zip(self.columns)
    }

    fn on_board(&self) -> Numbering {
        let (base, layout) = (self.first, self.formula.unwrap_or_default());
        match self.shape() {
            Some((rows, columns)) => Numbering { base, rows, columns, numbers_a_row: layout.numbers_a_row(columns) },
            None => Numbering { base, rows: 1, columns: u16::MAX, numbers_a_row: u16::MAX },
        }
    }

    fn on_platform(&self) -> Option<Numbering> {
        let base = self.code_base?;
        let Numbering { rows, columns, numbers_a_row, .. } = self.on_board();
        let layout = self.code_formula.unwrap_or_default();
        let numbers_a_row = if self.shape().is_some() { layout.numbers_a_row(columns) } else { numbers_a_row };
        Some(Numbering { base, rows, columns, numbers_a_row })
    }

    /// The first contradiction.
    pub(super) fn check(&self) -> Result<(), Mistake> {
        let wrong = |key, problem: Said| Err(Mistake::new(key, problem));
        if self.first > self.last {
            return wrong("slots.first", said!("is above slots.last", "大于 slots.last"));
        }
        if self.hundred_an_address && self.last > 99 {
            return wrong(
                "slots.last",
                said!("must be at most 99 when hundred_an_address is set", "设置 hundred_an_address 时不得大于 99"),
            );
        }
        match (self.rows, self.columns) {
            (Some(_), None) => {
                return wrong("slots.rows", said!("needs slots.columns beside it", "须同时有 slots.columns"));
            }
            (None, Some(_)) => {
                return wrong("slots.columns", said!("needs slots.rows beside it", "须同时有 slots.rows"));
            }
            (Some(0), _) => return wrong("slots.rows", said!("must be at least 1", "不得小于 1")),
            (_, Some(0)) => return wrong("slots.columns", said!("must be at least 1", "不得小于 1")),
            _ => {}
        }
        for (key, layout) in [("slots.formula", self.formula), ("slots.code_formula", self.code_formula)] {
            if layout.is_some() && self.shape().is_none() {
                return wrong(
                    key,
                    said!(
                        "means nothing without slots.rows and slots.columns",
                        "没有 slots.rows 与 slots.columns 时无意义"
                    ),
                );
            }
        }
        self.check_numbers()
    }

    fn check_numbers(&self) -> Result<(), Mistake> {
        let wrong = |key, problem: Said| Err(Mistake::new(key, problem));
        if let Some((rows, columns)) = self.shape() {
            let on_board = self.on_board();
            if columns > on_board.numbers_a_row {
                return wrong(
                    "slots.columns",
                    said!("must be at most {most} by slots.formula", "按 slots.formula 不得大于 {most}"; most = on_board.numbers_a_row),
                );
            }
            if on_board.last() != Some(self.last) {
                let beyond = || said!("beyond all numbers", "超出所有编号");
                let right = on_board.last().map_or_else(beyond, |last| Said::word(last.to_string()));
                let problem = said!(
                    "must be {right}, where {rows} rows of {columns} end when they begin at slots.first",
                    "必须为 {right}：从 slots.first 起，{rows} 层每层 {columns} 列到此为止",
                    right; rows, columns
                );
                return wrong("slots.last", problem);
            }
        }
        let is_number =
            |&number: &u16| (self.first..=self.last).contains(&number) && self.on_board().position_of(number).is_some();
        if let Some(number) = self.gaps.iter().find(|number| !is_number(number)) {
            return wrong(
                "slots.gaps",
                said!("names {number}, which is no slot anyway", "含有 {number}，而它本来就不是货道"; number),
            );
        }
        if self.all().next().is_none() {
            return wrong("slots.gaps", said!("leaves no slot", "未留下任何货道"));
        }
        match self.on_platform() {
            None if self.code_formula.is_some() => {
                wrong("slots.code_formula", said!("needs slots.code_base beside it", "须同时有 slots.code_base"))
            }
            None => Ok(()),
            Some(_) if self.hundred_an_address => wrong(
                "slots.code_base",
                said!(
                    "cannot stand beside hundred_an_address: 100 would mean two slots",
                    "不能与 hundred_an_address 并用：100 会指两个货道"
                ),
            ),
            Some(codes) if self.shape().is_some() && codes.columns > codes.numbers_a_row => {
                let problem = said!("leaves room for {most} columns: choose another", "只容得下 {most} 列：请选用其他方式"; most = codes.numbers_a_row);
                wrong("slots.code_formula", problem)
            }
            Some(_) if self.all().any(|slot| self.code_of(slot).is_none()) => {
                wrong("slots.code_base", said!("leads to codes above {max}", "会产生大于 {max} 的编号"; max = u16::MAX))
            }
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::profile::Profile;

    fn slots(text: &str) -> Slots {
        toml::from_str(text).unwrap()
    }

    fn numbers(slots: &Slots) -> Vec<u16> {
        slots.all().map(|slot| slot.0).collect()
    }

    #[test]
    fn each_layout_numbers_the_positions_as_its_name_says() {
        for (first, last, formula, expected) in [
            (1, 23, "row*10+column", [1, 2, 3, 11, 12, 13, 21, 22, 23]),
            (101, 303, "row*100+column", [101, 102, 103, 201, 202, 203, 301, 302, 303]),
            (5, 13, "row*columns+column", [5, 6, 7, 8, 9, 10, 11, 12, 13]),
        ] {
            let slots =
                slots(&format!("first = {first}\nlast = {last}\nrows = 3\ncolumns = 3\nformula = \"{formula}\""));
            slots.check().unwrap_or_else(|_| panic!("{formula}"));
            assert_eq!(numbers(&slots), expected, "{formula}");
        }
    }

    #[test]
    fn without_trays_every_number_from_the_first_to_the_last_is_a_slot_but_the_gaps() {
        let slots = slots("first = 3\nlast = 7\ngaps = [4, 6]");
        assert_eq!(numbers(&slots), [3, 5, 7]);
        for (number, is_slot) in [(2, false), (3, true), (4, false), (7, true), (8, false), (u16::MAX, false)] {
            assert_eq!(slots.slot_of(number), is_slot.then_some(Slot(number)), "{number}");
        }
    }

    #[test]
    fn the_platforms_codes_find_the_boards_numbers_and_nothing_beside_them() {
        // Labels 11 to 38 on a board that counts its 24 motors without holes from 0; one tray lacks its last place.
        let slots = slots(
            "first = 0\nlast = 23\nrows = 3\ncolumns = 8\nformula = \"row*columns+column\"\ngaps = [15]\n\
             code_base = 11\ncode_formula = \"row*10+column\"",
        );
        assert!(slots.check().is_ok());
        for (code, slot) in [
            (10, None),
            (11, Some(0)),
            (18, Some(7)),
            (19, None),
            (20, None),
            (21, Some(8)),
            (28, None),
            (31, Some(16)),
            (38, Some(23)),
            (39, None),
            (41, None),
            (0, None),
            (u16::MAX, None),
        ] {
            assert_eq!(slots.slot_of(code).map(|s| s.0), slot, "code {code}");
        }
        assert_eq!((slots.code_of(Slot(16)), slots.code_of(Slot(15)), slots.code_of(Slot(24))), (Some(31), None, None));
    }

    #[test]
    fn a_base_alone_moves_all_codes() {
        let slots = slots("first = 0\nlast = 60\ncode_base = 1");
        assert_eq!([0, 1, 61, 62].map(|code| slots.slot_of(code)), [None, Some(Slot(0)), Some(Slot(60)), None]);
    }

    #[test]
    fn every_slot_of_every_profile_is_found_by_its_code_alone() {
        for (name, text) in Profile::built_in() {
            let Profile { slots, .. } = Profile::parse(name, text).unwrap();
            let by_code: Vec<Slot> = (0..=u16::MAX).filter_map(|code| slots.slot_of(code)).collect();
            assert_eq!(by_code, slots.all().collect::<Vec<_>>(), "{name}");
            assert!(slots.all().all(|slot| slots.slot_of(slots.code_of(slot).unwrap()) == Some(slot)), "{name}");
        }
    }
}
