//! Days, weekdays and times of day on the platform's clock, eight hours east of Greenwich (cloud 1.4: GMT+8), on the
//! calendar of `civil`. China has no summer time, so one offset is all there is to it.

use super::civil::{Civil, Zone};
use super::time::UnixMs;

/// How far the platform's clock on the wall is ahead of UTC, in s.
pub const PLATFORM_AHEAD_S: u64 = 8 * 3_600;
/// Seconds of a day; Unix time has no others.
pub const DAY_S: u64 = 86_400;
/// Unix day 0 was a Thursday: so many days after a Monday.
const WEEKDAY_OF_DAY_0: u64 = 3;

/// A time of day on the platform's clock: whole seconds since its midnight, below [`DAY_S`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TimeOfDay {
    /// Seconds since midnight.
    pub s: u32,
}

/// The platform's day that a Unix second falls on, counted from its 1 January 1970.
#[must_use]
pub const fn day_of(unix_s: u64) -> u64 {
    unix_s.saturating_add(PLATFORM_AHEAD_S) / DAY_S
}

/// The weekday of a platform's day: 0 is Monday.
#[must_use]
pub const fn weekday_of(day: u64) -> usize {
    (day.saturating_add(WEEKDAY_OF_DAY_0) % 7) as usize
}

/// The Unix second of a time on a platform's day; the hours of 1970 that lie before Unix time are its beginning.
#[must_use]
pub const fn unix_s_of(day: u64, time: TimeOfDay) -> u64 {
    day.saturating_mul(DAY_S).saturating_add(time.s as u64).saturating_sub(PLATFORM_AHEAD_S)
}

/// Reads "HH:MM:SS", two digits each.
#[must_use]
pub fn read_time_of_day(text: &str) -> Option<TimeOfDay> {
    // As on a day at the platform's clock, of which only the time is kept.
    let time = format!("2000-01-01 {text}").parse::<Civil>().ok()?.to_unix(Zone::CHINA).seconds();
    u32::try_from(time.saturating_add(PLATFORM_AHEAD_S) % DAY_S).ok().map(|s| TimeOfDay { s })
}

/// Reads "YYYY-MM-DD HH:MM:SS" on the platform's clock as Unix seconds.
#[must_use]
pub fn read_date_time(text: &str) -> Option<u64> {
    text.parse::<Civil>().ok().map(|time| time.to_unix(Zone::CHINA).seconds())
}

/// "YYYY-MM-DD HH:MM:SS" on the platform's clock.
#[must_use]
pub fn show_date_time(unix_s: u64) -> String {
    Civil::at(UnixMs::from_seconds(unix_s), Zone::CHINA).to_string()
}

/// "HH:MM:SS".
#[must_use]
pub fn show_time_of_day(TimeOfDay { s }: TimeOfDay) -> String {
    format!("{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vendors_dates_are_eight_hours_ahead_of_utc() {
        // The printed schedule was sent at 1758513120, which is 11:52 there.
        assert_eq!(read_date_time("2025-09-22 18:00:00"), Some(1_758_535_200));
        assert_eq!(read_date_time("2025-09-23 11:07:41"), Some(1_758_596_861));
        assert_eq!(show_date_time(1_758_513_120), "2025-09-22 11:52:00");
        assert_eq!(weekday_of(day_of(1_758_513_120)), 0, "a Monday");
        assert_eq!(read_date_time("1970-01-01 08:00:00"), Some(0));
        assert_eq!(read_date_time("2024-02-29 00:00:00"), Some(1_709_136_000));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            " ",
            "2025-09-22",
            "2025-09-22T18:00:00",
            "2025-9-22 18:00:00",
            "2025-09-22 18:00",
            "2025-02-29 00:00:00",
            "2025-04-31 00:00:00",
            "2025-13-01 00:00:00",
            "2025-00-01 00:00:00",
            "2025-01-00 00:00:00",
            "2025-09-22 24:00:00",
            "2025-09-22 18:60:00",
            "2025-09-22 18:00:60",
            "1969-12-31 23:59:59",
            "2025-09-22 18:00:00 ",
            "2025-09-22 18:00:00:00",
            "２０２５-09-22 18:00:00",
            "+025-09-22 18:00:00",
        ] {
            assert_eq!(read_date_time(text), None, "{text:?}");
        }
        for text in ["", "18", "18:00", "1:00:00", "18:00:00:00", "-1:00:00", "24:00:00"] {
            assert_eq!(read_time_of_day(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_date_is_read_as_it_is_shown(unix_s in 0_u64..253_402_272_000) {
            prop_assert_eq!(read_date_time(&show_date_time(unix_s)), Some(unix_s));
        }
    }
}
