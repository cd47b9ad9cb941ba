//! What a family wants of its profiles beside what all have in common: each family's own file says it, with these words.

use super::{Family, Mistake, Options, Profile};
use crate::board::driver::Slot;
use crate::board::{
    adh, col_ed, ff0055, lift_c7, lock_8a, lock_cu, m102, tcn_00ff, ubox_e7, uling_modbus, vendapin, vmc96, xy_v3,
};
use crate::order::said::{Said, said};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

impl Profile {
    /// What its own family says of it.
    pub(super) fn check_own(&self) -> Result<(), Mistake> {
        match self.family {
            Family::UlingModbus => uling_modbus::check(self),
            Family::XyV3 => xy_v3::check(self),
            Family::Adh => adh::check(self),
            Family::Tcn00ff => tcn_00ff::check(self),
            Family::M102 => m102::check(self),
            Family::Lock8a => lock_8a::check(self),
            Family::LockCu => lock_cu::check(self),
            Family::LiftC7 => lift_c7::check(self),
            Family::ColEd => col_ed::check(self),
            Family::Ff0055 => ff0055::check(self),
            Family::UboxE7 => ubox_e7::check(self),
            Family::Vendapin => vendapin::check(self),
            Family::Vmc96 => vmc96::check(self),
        }
    }

    /// No switch of another family is there.
    pub(super) fn check_foreign(&self) -> Result<(), Mistake> {
        let Options {
            adh_variant,
            direct_drive_len,
            motor_type,
            crc_suffix,
            short_when,
            echo,
            relays,
            grid,
            online_type,
        } = &self.options;
        for (key, is_there, families) in [
            ("options.adh_variant", adh_variant.is_some(), &[Family::Adh][..]),
            ("options.direct_drive_len", direct_drive_len.is_some(), &[Family::XyV3]),
            ("options.motor_type", motor_type.is_some(), &[Family::M102]),
            ("options.crc_suffix", crc_suffix.is_some(), &[Family::M102]),
            ("options.short_when", short_when.is_some(), &[Family::Lock8a]),
            ("options.echo", echo.is_some(), &[Family::Lock8a, Family::LockCu, Family::M102]),
            ("options.relays", !relays.is_empty(), &[Family::UlingModbus, Family::Vmc96]),
            ("options.grid", grid.is_some(), &[Family::LiftC7]),
            ("options.online_type", online_type.is_some(), &[Family::UboxE7]),
        ] {
            if is_there && !families.contains(&self.family) {
                let names: Vec<String> = families.iter().map(super::word).collect();
                return Err(Mistake::new(key, {
                    let names = Said { en: names.join(" and "), zh: names.join(" 与 ") };
                    said!("is for family {names} only", "仅用于协议族 {names}", names)
                }));
            }
        }
        Ok(())
    }

    /// A switch that the family cannot do without.
    pub(in crate::board) fn check_given<T>(&self, key: &'static str, option: Option<T>) -> Result<T, Mistake> {
        option.ok_or_else(|| {
            Mistake::new(
                key,
                said!("is needed by family {family}", "是协议族 {family} 所必需的"; family = super::word(self.family)),
            )
        })
    }

    /// What a slot can be on the wire.
    pub(in crate::board) fn check_slots(&self, on_wire: RangeInclusive<u16>) -> Result<(), Mistake> {
        let (first, last) = on_wire.into_inner();
        let wrong = |key, bound: Said| {
            let problem = said!(
                "must be {bound}: beyond, the board has none or means all",
                "必须{bound}：超出后板卡没有货道，或指全部",
                bound
            );
            Err(Mistake::new(key, problem))
        };
        if self.slots.first < first {
            wrong("slots.first", said!("at least {first}", "不小于 {first}"; first))
        } else if self.slots.last > last {
            wrong("slots.last", said!("at most {last}", "不大于 {last}"; last))
        } else {
            Ok(())
        }
    }

    /// A single board on the line.
    pub(in crate::board) fn check_alone(&self, why: &Said) -> Result<(), Mistake> {
        if self.addresses.count == 1 {
            Ok(())
        } else {
            Err(Mistake::new("addresses.count", said!("must be 1: {why}", "必须为 1：{why}", why)))
        }
    }

    /// What hangs on relays 1 to `most`.
    pub(in crate::board) fn check_relays(&self, most: u8) -> Result<(), Mistake> {
        let relays = &self.options.relays;
        let numbers: BTreeSet<u8> = relays.values().copied().collect();
        let wrong = |problem| Err(Mistake::new("options.relays", problem));
        if numbers.iter().any(|number| !(1..=most).contains(number)) {
            wrong(said!("are numbered 1 to {most}", "编号为 1 至 {most}"; most))
        } else if numbers.len() < relays.len() {
            wrong(said!(
                "must be different ones: one relay cannot switch two things apart",
                "不能相同：一个继电器不能分别控制两样东西"
            ))
        } else {
            Ok(())
        }
    }

    /// Where its slots begin and end.
    pub(in crate::board) fn outer_slots(&self) -> [Slot; 2] {
        [self.slots.first, self.slots.last].map(Slot)
    }
}

/// Why such a family has one board on its line.
pub(in crate::board) fn no_address_on_the_wire() -> Said {
    said!("no address stands on the wire of this family", "此协议族在线上没有地址")
}

/// Why others have one too.
pub(in crate::board) fn not_everything_names_its_board() -> Said {
    said!("not everything that this family says names its board", "此协议族的应答并非都指明板卡")
}
