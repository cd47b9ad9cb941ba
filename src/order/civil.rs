//! Dates with a time of day, as clouds write them: "2019-12-07 23:59:46", in a zone that stands in their documents and
//! not in the text.

use super::said::InChinese;
use super::time::UnixMs;
use std::fmt;
use std::str::FromStr;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;
/// Days from 0000-03-01, from where leap days are counted, to 1970-01-01.
const DAYS_BEFORE_1970: u64 = 719_468;
const DAYS_IN_400_YEARS: u64 = 146_097;
/// 9999-12-31 23:59:59, the last time that four digits of a year can say, in s since 1970.
const LAST_S: u64 = 253_402_300_799;
/// Farthest from UTC that a zone lies anywhere, in minutes.
const OFFSET_MINUTES_MAX: i16 = 14 * 60;

/// How far a place's clocks are ahead of UTC. Without summer time: the clouds' documents know none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    offset_s: i64,
}

impl Zone {
    /// GMT+8, where all the clouds of the documents are at home.
    pub const CHINA: Zone = Zone { offset_s: 8 * 3_600 };
    /// UTC itself.
    pub const UTC: Zone = Zone { offset_s: 0 };

    /// So many minutes ahead of UTC; nothing beyond 14 hours either way.
    #[must_use]
    pub fn from_minutes(minutes: i16) -> Option<Zone> {
        let exists = (-OFFSET_MINUTES_MAX..=OFFSET_MINUTES_MAX).contains(&minutes);
        exists.then_some(Zone { offset_s: i64::from(minutes) * 60 })
    }
}

/// A date and a time of day, from 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// Since 1970-01-01 00:00:00 by the same clock.
    seconds: u64,
}

/// A text that is no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time like \"2024-12-31 23:59:59\", from 1970 on, is wanted")]
pub struct BadCivil;

impl InChinese for BadCivil {
    fn zh(&self) -> String {
        "应为 1970 年起的时间，如 \"2024-12-31 23:59:59\"".to_owned()
    }
}

impl Civil {
    /// What the clocks of the zone show; the first or the last time that can be said where that lies beyond them.
    #[must_use]
    pub fn at(time: UnixMs, zone: Zone) -> Civil {
        Civil { seconds: time.seconds().saturating_add_signed(zone.offset_s).min(LAST_S) }
    }

    /// When the clocks of the zone show it; 1970 in UTC at the earliest.
    #[must_use]
    pub fn to_unix(self, zone: Zone) -> UnixMs {
        UnixMs::from_seconds(self.seconds.saturating_add_signed(-zone.offset_s))
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Years begin in March here, so that a leap day is the last of its year and months have a plain length.
        let days = self.seconds / DAY_S + DAYS_BEFORE_1970;
        let (era, day_of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let (hour, minute) = (self.seconds % DAY_S / HOUR_S, self.seconds % HOUR_S / MINUTE_S);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}", self.seconds % MINUTE_S)
    }
}

impl FromStr for Civil {
    type Err = BadCivil;
    fn from_str(text: &str) -> Result<Self, BadCivil> {
        let has_form = text.len() == 19
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                10 => byte == b' ',
                13 | 16 => byte == b':',
                _ => byte.is_ascii_digit(),
            });
        let part = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<u64>().ok());
        let parts = (part(0, 4), part(5, 7), part(8, 10), part(11, 13), part(14, 16), part(17, 19));
        let (Some(year @ 1970..), Some(month @ 1..=12), Some(day), Some(hour), Some(minute), Some(second)) = parts
        else {
            return Err(BadCivil);
        };
        if !has_form || hour > 23 || minute > 59 || second > 59 {
            return Err(BadCivil);
        }
        let (from_march, year) = if month > 2 { (month - 3, year) } else { (month + 9, year - 1) };
        let day_of_year = (153 * from_march + 2) / 5 + day.saturating_sub(1);
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
        let time = days.checked_sub(DAYS_BEFORE_1970).ok_or(BadCivil)?;
        let civil = Civil { seconds: time * DAY_S + hour * HOUR_S + minute * MINUTE_S + second };
        // A day that its month does not have comes back as another one.
        if civil.to_string() == text { Ok(civil) } else { Err(BadCivil) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants_are_written_and_read_in_their_zone() {
        let table = [
            (0, Zone::UTC, "1970-01-01 00:00:00"),
            (951_782_399, Zone::UTC, "2000-02-28 23:59:59"),
            (951_782_400, Zone::UTC, "2000-02-29 00:00:00"),
            (951_868_800, Zone::UTC, "2000-03-01 00:00:00"),
            (4_107_542_400, Zone::UTC, "2100-03-01 00:00:00"),
            (1_575_734_386, Zone::CHINA, "2019-12-07 23:59:46"),
            (1_530_759_438, Zone::CHINA, "2018-07-05 10:57:18"),
            (1_735_660_799, Zone::from_minutes(-210).unwrap(), "2024-12-31 12:29:59"),
            (LAST_S, Zone::UTC, "9999-12-31 23:59:59"),
        ];
        for (s, zone, text) in table {
            let time = UnixMs::from_seconds(s);
            assert_eq!(Civil::at(time, zone).to_string(), text);
            assert_eq!(text.parse::<Civil>().map(|civil| civil.to_unix(zone)), Ok(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let table = [
            "",
            "2019-12-07",
            "2019-12-07T23:59:46",
            "2019-12-07 23:59:46Z",
            " 2019-12-07 23:59:46",
            "2019-13-07 23:59:46",
            "2019-00-07 23:59:46",
            "2019-12-00 23:59:46",
            "2019-12-32 23:59:46",
            "2019-02-29 23:59:46",
            "2100-02-29 23:59:46",
            "2019-04-31 23:59:46",
            "2019-12-07 24:00:00",
            "2019-12-07 23:60:00",
            "2019-12-07 23:59:60",
            "1969-12-31 23:59:59",
            "0000-00-00 00:00:00",
            "+019-12-07 23:59:46",
            "20１9-12-07 23:5:46",
        ];
        for text in table {
            assert_eq!(text.parse::<Civil>(), Err(BadCivil), "{text}");
        }
    }

    #[test]
    fn a_zone_lies_at_most_fourteen_hours_from_utc() {
        assert_eq!(Zone::from_minutes(480), Some(Zone::CHINA));
        assert!(Zone::from_minutes(840).is_some() && Zone::from_minutes(-840).is_some());
        assert_eq!((Zone::from_minutes(841), Zone::from_minutes(-841)), (None, None));
    }

    #[test]
    fn times_beyond_what_can_be_written_stay_at_the_end() {
        assert_eq!(Civil::at(UnixMs(u64::MAX), Zone::CHINA).to_string(), "9999-12-31 23:59:59");
        assert_eq!(Civil::at(UnixMs(0), Zone::from_minutes(-60).unwrap()).to_string(), "1970-01-01 00:00:00");
        assert_eq!("1970-01-01 00:00:00".parse::<Civil>().unwrap().to_unix(Zone::CHINA), UnixMs(0));
    }

    proptest! {
        #[test]
        fn every_second_is_read_as_it_was_written(s in DAY_S..LAST_S - DAY_S, minutes in -840_i16..=840) {
            let (time, zone) = (UnixMs::from_seconds(s), Zone::from_minutes(minutes).unwrap());
            let text = Civil::at(time, zone).to_string();
            prop_assert_eq!(text.len(), 19);
            prop_assert_eq!(text.parse::<Civil>().map(|civil| civil.to_unix(zone)), Ok(time));
        }
    }
}
