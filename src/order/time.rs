//! Ages, trust and expiry (order-life rules 27–29). Pure: the time of day comes in as an argument.

use super::civil::{Civil, Zone};
use crate::sabotage::{self, Clause};
use serde::{Deserialize, Serialize};

/// Milliseconds of CLOCK_BOOTTIME: goes on during suspend, never jumps, starts again at each boot.
/// All timers run on this (rule 29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct BootMs(pub u64);

impl BootMs {
    /// The time `ms` later; stays at the end of time instead of wrapping.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> BootMs {
        BootMs(self.0.saturating_add(ms))
    }

    /// How long ago `earlier` was, in ms; 0 when it is still to come.
    #[must_use]
    pub const fn since_ms(self, earlier: BootMs) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Milliseconds since 1970 by some wall clock. Whether to believe it is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// Whole seconds, as the cloud counts.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// From the cloud's seconds.
    #[must_use]
    pub const fn from_seconds(s: u64) -> UnixMs {
        UnixMs(s.saturating_mul(1000))
    }

    /// The day in UTC, like 2026-12-01, for people.
    #[must_use]
    pub fn date(self) -> String {
        let mut shown = Civil::at(self, Zone::UTC).to_string();
        shown.truncate("2026-12-01".len());
        shown
    }
}

/// The kernel's random name of this boot (`/proc/sys/kernel/random/boot_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct BootId(pub [u8; 16]);

/// What the clocks said at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time of this boot.
    pub boot: BootMs,
    /// The wall clock, believed or not.
    pub wall: UnixMs,
    /// The kernel says that the wall clock is synchronised.
    pub synchronised: bool,
}

/// A trusted time this far below the highest one seen is not believed without a second witness, in ms. Smaller steps
/// back are what time synchronisation does all day.
pub const STEP_BACK_TOLERANCE_MS: u64 = 60_000;
/// Two witnesses agree when they differ by less, in ms: the Date header counts whole seconds and travels.
pub const WITNESS_AGREEMENT_MS: u64 = 300_000;
/// A wall clock before this, the start of 2024, is one that lost its battery, whoever vouches for it: this program is
/// younger.
pub const WALL_CLOCK_MIN: UnixMs = UnixMs(1_704_067_200_000);

/// Decides what time it is, if that can be said (rule 28). Pure: fed with what the clocks and the platform said.
#[derive(Debug, Clone)]
pub struct TimeKeeper {
    trust_system: bool,
    platform: Option<(UnixMs, BootMs)>,
    highest: UnixMs,
}

impl TimeKeeper {
    /// `trust_system` is `[time] trust = "system"`; `highest` the highest trusted time that the journal has seen.
    #[must_use]
    pub const fn new(trust_system: bool, highest: UnixMs) -> Self {
        TimeKeeper { trust_system, platform: None, highest }
    }

    /// The platform's Date header arrived.
    pub const fn platform_said(&mut self, date: UnixMs, now: Now) {
        self.platform = Some((date, now.boot));
    }

    /// Whether nothing but the platform could tell the time now.
    #[must_use]
    pub fn needs_platform(&self, now: Now) -> bool {
        self.platform.is_none() && self.trusted(now).is_none()
    }

    /// The trusted time, if there is one.
    #[must_use]
    pub fn trusted(&self, now: Now) -> Option<UnixMs> {
        let vouched_for = now.synchronised || self.trust_system || sabotage::is_out(Clause::R28NotTrusted);
        let kernel = Some(now.wall).filter(|&wall| vouched_for && wall >= WALL_CLOCK_MIN);
        let platform = self.platform.map(|(date, at)| UnixMs(date.0.saturating_add(now.boot.since_ms(at))));
        // A battery-backed clock that nobody checks gives way to the platform when they disagree.
        let time = match (kernel, platform) {
            (Some(k), Some(p)) if !now.synchronised && !agree(k, p) => p,
            (Some(k), _) => k,
            (None, p) => p?,
        };
        let is_lower = time.0.saturating_add(STEP_BACK_TOLERANCE_MS) < self.highest.0;
        let steps_back = is_lower && !sabotage::is_out(Clause::R28HighestStands);
        let two_witnesses = matches!((kernel, platform), (Some(k), Some(p)) if agree(k, p));
        (!steps_back || two_witnesses).then_some(time)
    }

    /// Remembers the trusted time. Says so when two witnesses together lowered the highest time: that is audited.
    pub fn observe(&mut self, now: Now) -> Option<Lowered> {
        let time = self.trusted(now)?;
        let lowered = (time.0.saturating_add(STEP_BACK_TOLERANCE_MS) < self.highest.0)
            .then_some(Lowered { from: self.highest, to: time });
        self.highest = if lowered.is_some() { time } else { self.highest.max(time) };
        lowered
    }

    /// The highest trusted time seen, for the journal.
    #[must_use]
    pub const fn highest(&self) -> UnixMs {
        self.highest
    }
}

/// The kernel and the platform together lowered the highest time seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lowered {
    /// It was this.
    pub from: UnixMs,
    /// It is this.
    pub to: UnixMs,
}

const fn agree(a: UnixMs, b: UnixMs) -> bool {
    a.0.abs_diff(b.0) < WITNESS_AGREEMENT_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_714_373_690_000;

    fn at(boot: u64, wall: u64, synchronised: bool) -> Now {
        Now { boot: BootMs(boot), wall: UnixMs(wall), synchronised }
    }

    #[test]
    fn a_date_is_the_day_in_utc() {
        let table = [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_799, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_735_689_599, "2024-12-31"),
            (4_107_542_400, "2100-03-01"),
        ];
        for (s, date) in table {
            assert_eq!(UnixMs::from_seconds(s).date(), date);
        }
    }

    #[test]
    fn rule_28_a_plausible_clock_that_nothing_vouches_for_is_not_trusted() {
        let keeper = TimeKeeper::new(false, UnixMs(0));
        assert_eq!(keeper.trusted(at(0, NOON, false)), None);
        assert_eq!(keeper.trusted(at(0, NOON, true)), Some(UnixMs(NOON)));
        assert_eq!(TimeKeeper::new(true, UnixMs(0)).trusted(at(0, NOON, false)), Some(UnixMs(NOON)));
    }

    #[test]
    fn rule_28_the_platforms_date_goes_on_with_the_boot_clock() {
        let mut keeper = TimeKeeper::new(false, UnixMs(0));
        assert!(keeper.needs_platform(at(0, 0, false)));
        keeper.platform_said(UnixMs(NOON), at(1_000, 0, false));
        assert_eq!(keeper.trusted(at(6_000, 0, false)), Some(UnixMs(NOON + 5_000)));
        assert!(!keeper.needs_platform(at(6_000, 0, false)));
    }

    #[test]
    fn rule_28_the_highest_time_rises_only_from_trusted_time_and_two_witnesses_lower_it() {
        let mut keeper = TimeKeeper::new(false, UnixMs(NOON));
        keeper.observe(at(0, NOON + 9_000_000, false));
        assert_eq!(keeper.highest(), UnixMs(NOON));
        let mistaken = NOON + 86_400_000;
        assert_eq!(keeper.observe(at(0, mistaken, true)), None);
        assert_eq!(keeper.highest(), UnixMs(mistaken));
        assert_eq!(keeper.trusted(at(0, NOON, true)), None, "one witness does not turn time back");
        keeper.platform_said(UnixMs(NOON), at(0, NOON, true));
        assert_eq!(keeper.trusted(at(0, NOON, true)), Some(UnixMs(NOON)));
        assert_eq!(keeper.observe(at(0, NOON, true)), Some(Lowered { from: UnixMs(mistaken), to: UnixMs(NOON) }));
    }

    #[test]
    fn a_small_step_back_is_what_synchronisation_does() {
        let keeper = TimeKeeper::new(false, UnixMs(NOON));
        assert_eq!(keeper.trusted(at(0, NOON - 2_000, true)), Some(UnixMs(NOON - 2_000)));
    }

    #[test]
    fn a_system_clock_in_1970_is_not_believed_once_the_journal_has_seen_better() {
        assert_eq!(TimeKeeper::new(true, UnixMs(NOON)).trusted(at(0, 5_000, false)), None);
    }

    #[test]
    fn a_step_back_of_just_the_tolerance_is_no_lowering_and_moves_nothing() {
        let mut keeper = TimeKeeper::new(false, UnixMs(NOON));
        assert_eq!(keeper.observe(at(0, NOON - STEP_BACK_TOLERANCE_MS, true)), None);
        assert_eq!(keeper.highest(), UnixMs(NOON));
        assert_eq!(keeper.trusted(at(0, NOON - STEP_BACK_TOLERANCE_MS - 1, true)), None);
    }

    #[test]
    fn rule_28_a_clock_that_nobody_checks_gives_way_to_the_platform_and_a_checked_one_does_not() {
        let said = |by_ms| {
            let mut keeper = TimeKeeper::new(true, UnixMs(0));
            keeper.platform_said(UnixMs(NOON + by_ms), at(0, 0, false));
            [false, true].map(|synchronised| keeper.trusted(at(0, NOON, synchronised)))
        };
        let (kernel, platform) = (Some(UnixMs(NOON)), Some(UnixMs(NOON + WITNESS_AGREEMENT_MS)));
        assert_eq!(said(WITNESS_AGREEMENT_MS), [platform, kernel]);
        assert_eq!(said(WITNESS_AGREEMENT_MS - 1), [kernel, kernel], "they agree");
    }
}
