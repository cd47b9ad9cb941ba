//! When the machine is to be without power (cloud 1.9: `client.power.schedule.*`). Pure: what time it is comes in as an
//! argument, and is always the trusted time.

use super::local_time::{self, DAY_S, TimeOfDay};
use super::said::{Said, said};
use serde::{Deserialize, Serialize};

/// A switching-off that was missed by more than this, in s, is left out: whoever switched the machine on later meant it.
/// As long as an act waits for the orders (`core::remote::ACT_WAIT_MS`), so that what waits is not missed meanwhile.
pub const MISSED_AFTER_S: u64 = 1_200;
/// A week and a day: the next time of any weekly plan lies within.
const DAYS_LOOKED: u64 = 8;

/// Off at one time and on again at another, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// Unix s.
    pub off_at_s: u64,
    /// Unix s, later.
    pub on_at_s: u64,
}

/// On from one time of the day to another, on some days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// When it is switched on.
    pub on: TimeOfDay,
    /// When it is switched off: on the same day, or, where that is earlier than `on`, on the next.
    pub off: TimeOfDay,
    /// Monday first; one at least.
    pub days: [bool; 7],
}

/// Both kinds, as the platform set them last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Once.
    pub once: Option<Once>,
    /// Every week.
    pub cycle: Option<Cycle>,
    /// Up to this time, in Unix s, every switching-off is done or left out.
    pub over_s: u64,
}

/// One switching-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Night {
    /// When, in Unix s.
    pub off_at_s: u64,
    /// When the machine is wanted again, in Unix s.
    pub on_at_s: u64,
}

impl Cycle {
    /// The first night that begins after `after_s`.
    fn next(&self, after_s: u64) -> Option<Night> {
        let off_of = |day: u64| {
            let day = if self.off > self.on { day } else { day.saturating_add(1) };
            local_time::unix_s_of(day, self.off)
        };
        let is_on = |day: &u64| self.days[local_time::weekday_of(*day)];
        // The day before may end today.
        let first = local_time::day_of(after_s).saturating_sub(1);
        let off_at_s = (first..=first + DAYS_LOOKED + 1).filter(is_on).map(off_of).find(|off_s| *off_s > after_s)?;
        let days = local_time::day_of(off_at_s)..=local_time::day_of(off_at_s) + DAYS_LOOKED;
        let on_at_s =
            days.filter(is_on).map(|day| local_time::unix_s_of(day, self.on)).find(|on_s| *on_s > off_at_s)?;
        Some(Night { off_at_s, on_at_s })
    }
}

impl Schedule {
    /// The next night that is neither over nor missed.
    #[must_use]
    pub fn next(&self, now_s: u64) -> Option<Night> {
        let after_s = self.over_s.max(now_s.saturating_sub(MISSED_AFTER_S + 1));
        let once = self.once.map(|Once { off_at_s, on_at_s }| Night { off_at_s, on_at_s });
        let once = once.filter(|night| night.off_at_s > after_s);
        let cycle = self.cycle.and_then(|cycle| cycle.next(after_s));
        once.into_iter().chain(cycle).min_by_key(|night| night.off_at_s)
    }

    /// This night was begun, or is left out for good.
    pub fn is_over(&mut self, night: &Night) {
        self.over_s = self.over_s.max(night.off_at_s);
        if self.once.is_some_and(|once| once.off_at_s <= self.over_s) {
            self.once = None;
        }
    }

    /// Nothing is planned.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.once.is_none() && self.cycle.is_none()
    }

    /// For people and logs, on the platform's clock: one line a plan.
    #[must_use]
    pub fn shown(&self) -> Vec<Said> {
        let once = self.once.map(|once| {
            let [off, on] = [once.off_at_s, once.on_at_s].map(local_time::show_date_time);
            said!("off {off}, on {on}", "{off} 关机，{on} 开机"; off, on)
        });
        once.into_iter().chain(self.cycle.map(|cycle| cycle.shown())).collect()
    }
}

impl Cycle {
    /// For people and logs, on the platform's clock.
    #[must_use]
    pub fn shown(&self) -> Said {
        const EN: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        const ZH: [&str; 7] = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"];
        let days = |names: [&'static str; 7]| {
            let days: Vec<&str> =
                names.into_iter().zip(self.days).filter(|(_, on)| *on).map(|(name, _)| name).collect();
            days.join(" ")
        };
        let days = Said { en: days(EN), zh: days(ZH) };
        let [on, off] = [self.on, self.off].map(local_time::show_time_of_day);
        said!("on {on}, off {off}, {days}", "{on} 开机，{off} 关机，{days}", days; on, off)
    }
}

/// A wake-up for a time that lies further away would only be set again: the clock may be corrected meanwhile.
pub const LOOK_AGAIN_S: u64 = DAY_S / 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::local_time::{read_date_time, read_time_of_day};
    use proptest::prelude::*;

    fn at(text: &str) -> u64 {
        read_date_time(text).unwrap()
    }

    fn cycle(on: &str, off: &str, days: [u8; 7]) -> Schedule {
        let time = |text| read_time_of_day(text).unwrap();
        Schedule {
            cycle: Some(Cycle { on: time(on), off: time(off), days: days.map(|d| d == 1) }),
            ..Schedule::default()
        }
    }

    fn night(off: &str, on: &str) -> Option<Night> {
        Some(Night { off_at_s: at(off), on_at_s: at(on) })
    }

    #[test]
    fn the_vendors_week_switches_off_in_the_evening_and_on_on_the_next_day_that_is_marked() {
        let plan = cycle("11:07:41", "18:00:00", [1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(plan.next(at("2025-09-22 11:52:00")), night("2025-09-22 18:00:00", "2025-09-23 11:07:41"));
        assert_eq!(plan.next(at("2025-09-24 17:59:59")), night("2025-09-24 18:00:00", "2025-09-29 11:07:41"));
        assert_eq!(plan.next(at("2025-09-26 12:00:00")), night("2025-09-29 18:00:00", "2025-09-30 11:07:41"));
        assert_eq!(
            plan.shown(),
            [Said::new("on 11:07:41, off 18:00:00, Mon Tue Wed", "11:07:41 开机，18:00:00 关机，周一 周二 周三")]
        );
    }

    #[test]
    fn a_machine_that_sells_by_night_is_switched_off_on_the_morning_after() {
        let plan = cycle("18:00:00", "02:00:00", [0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(plan.next(at("2025-09-26 12:00:00")), night("2025-09-27 02:00:00", "2025-10-03 18:00:00"));
        assert_eq!(plan.next(at("2025-09-27 01:00:00")), night("2025-09-27 02:00:00", "2025-10-03 18:00:00"));
    }

    #[test]
    fn a_night_is_begun_once_and_one_that_was_missed_is_left_out() {
        let (off, on) = ("2025-09-22 18:00:00", "2025-09-23 11:07:41");
        let once = Once { off_at_s: at(off), on_at_s: at(on) };
        let mut plan = Schedule { once: Some(once), ..Schedule::default() };
        assert_eq!(plan.next(at("2025-09-22 11:52:00")), night(off, on));
        assert_eq!(plan.next(at("2025-09-22 18:20:00")), night(off, on), "late, and not missed");
        assert_eq!(plan.next(at("2025-09-22 18:20:01") + 1), None, "missed");
        plan.is_over(&night(off, on).unwrap());
        assert_eq!((plan.next(at("2025-09-22 18:00:00")), plan.is_empty()), (None, true));
        let mut week = cycle("08:00:00", "20:00:00", [1; 7]);
        let first = week.next(at("2025-09-22 19:00:00")).unwrap();
        week.is_over(&first);
        assert_eq!(week.next(at("2025-09-22 20:00:01")), night("2025-09-23 20:00:00", "2025-09-24 08:00:00"));
    }

    proptest! {
        #[test]
        fn a_week_with_a_day_always_has_a_next_night_and_ends_it(
            now_s in 1_700_000_000_u64..1_900_000_000,
            on in 0_u32..86_400,
            off in 0_u32..86_400,
            days in proptest::array::uniform7(proptest::bool::ANY),
        ) {
            prop_assume!(on != off && days.contains(&true));
            let cycle = Cycle { on: TimeOfDay { s: on }, off: TimeOfDay { s: off }, days };
            let plan = Schedule { cycle: Some(cycle), once: None, over_s: now_s };
            let night = plan.next(now_s).unwrap();
            prop_assert!(now_s < night.off_at_s && night.off_at_s < night.on_at_s);
            prop_assert!(night.off_at_s - now_s <= 8 * DAY_S && night.on_at_s - night.off_at_s < 7 * DAY_S);
        }
    }
}
