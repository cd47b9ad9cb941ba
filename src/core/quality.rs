//! How good the line is: a cable that is about to fail looks like a program that is. Counted since the process started
//! and by the hour, in memory only: a machine at rest writes nothing to its disk.

use super::hours::Hours;
use crate::board::driver::{LineFault, Tally};
use crate::order::time::BootMs;
use serde::{Deserialize, Serialize};

/// What passed over the line, and what was wrong with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCounts {
    /// Frames from the board with a good check.
    pub frames_in: u64,
    /// Frames for the board.
    pub frames_out: u64,
    /// Bytes that were read, with those that belong to no frame.
    pub bytes_in: u64,
    /// Bytes that were handed to the port.
    pub bytes_out: u64,
    /// Frames whose check did not fit.
    pub bad_checks: u64,
    /// Times that bytes came which belong to no frame.
    pub noise: u64,
    /// Good frames that answer nothing, or from another address.
    pub unexpected: u64,
    /// Questions without an answer in time.
    pub time_outs: u64,
    /// Questions that were said again. Never a motor command.
    pub resends: u64,
    /// Times that the port was opened again.
    pub reopenings: u64,
    /// Times that the board was seen to restart.
    pub board_restarts: u64,
    /// Questions that were answered.
    pub round_trips: u64,
    /// The time that they took together, in ms.
    pub round_trips_ms: u64,
    /// The time that the longest took, in ms.
    pub longest_round_trip_ms: u64,
}

impl LineCounts {
    /// The mean time between a question and its answer, in ms; nothing before the first.
    #[must_use]
    pub fn mean_round_trip_ms(&self) -> Option<u64> {
        self.round_trips_ms.checked_div(self.round_trips)
    }

    /// Each count by its name in messages and in JSON.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 14] {
        [
            ("frames_in", self.frames_in),
            ("frames_out", self.frames_out),
            ("bytes_in", self.bytes_in),
            ("bytes_out", self.bytes_out),
            ("bad_checks", self.bad_checks),
            ("noise", self.noise),
            ("unexpected", self.unexpected),
            ("time_outs", self.time_outs),
            ("resends", self.resends),
            ("reopenings", self.reopenings),
            ("board_restarts", self.board_restarts),
            ("round_trips", self.round_trips),
            ("round_trips_ms", self.round_trips_ms),
            ("longest_round_trip_ms", self.longest_round_trip_ms),
        ]
    }

    /// Everything that was wrong with bytes or silence on the line.
    #[must_use]
    pub const fn faults(&self) -> u64 {
        self.bad_checks.saturating_add(self.noise).saturating_add(self.unexpected).saturating_add(self.time_outs)
    }
}

/// One hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineHour {
    /// Full hours of the boot clock ago: 0 is the running one.
    pub hours_ago: u8,
    /// What was counted in it.
    pub counts: LineCounts,
}

/// What a person may see of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineQuality {
    /// Since the process started, in s.
    pub counted_for_s: u64,
    /// In this time.
    pub total: LineCounts,
    /// Questions without an answer since a frame came last: how silent the board is now, whatever it said before.
    #[serde(default)]
    pub unanswered: u64,
    /// By the hour, newest first; hours in which nothing passed are left out.
    pub hours: Vec<LineHour>,
}

/// The counts of one line.
#[derive(Debug)]
pub(super) struct Quality {
    since: BootMs,
    opened_before: bool,
    /// What the driver had told when it was last asked.
    told: Tally,
    /// See [`LineQuality::unanswered`].
    unanswered: u64,
    total: LineCounts,
    hours: Hours<LineCounts>,
}

impl Quality {
    pub(super) fn new(now: BootMs) -> Self {
        Quality {
            since: now,
            opened_before: false,
            told: Tally::default(),
            unanswered: 0,
            total: LineCounts::default(),
            hours: Hours::default(),
        }
    }

    /// Counts in this hour and in all.
    fn count(&mut self, now: BootMs, add: impl Fn(&mut LineCounts)) {
        self.hours.count(now, &add);
        add(&mut self.total);
    }

    pub(super) fn opened(&mut self, now: BootMs) {
        if std::mem::replace(&mut self.opened_before, true) {
            self.count(now, |c| c.reopenings += 1);
        }
    }

    pub(super) fn read(&mut self, now: BootMs, bytes: &[u8]) {
        let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if bytes > 0 {
            self.count(now, |c| c.bytes_in = c.bytes_in.saturating_add(bytes));
        }
    }

    pub(super) fn wrote(&mut self, now: BootMs, bytes: &[u8]) {
        let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.count(now, |c| c.bytes_out = c.bytes_out.saturating_add(bytes));
    }

    pub(super) fn fault(&mut self, now: BootMs, fault: LineFault) {
        if fault == LineFault::TimeOut {
            self.unanswered = self.unanswered.saturating_add(1);
        }
        self.count(now, |c| match fault {
            LineFault::BadCheck => c.bad_checks += 1,
            LineFault::Noise => c.noise += 1,
            LineFault::Unexpected => c.unexpected += 1,
            LineFault::TimeOut => c.time_outs += 1,
        });
    }

    pub(super) fn board_restarted(&mut self, now: BootMs) {
        self.count(now, |c| c.board_restarts += 1);
    }

    /// The driver's own count after it was told something: what is new in it belongs to this hour.
    pub(super) fn tally(&mut self, now: BootMs, tally: Tally) {
        let told = std::mem::replace(&mut self.told, tally);
        if told == tally {
            return;
        }
        let new = |now: u64, before: u64| now.saturating_sub(before);
        if new(tally.frames_in, told.frames_in) > 0 {
            self.unanswered = 0;
        }
        let trips = new(tally.round_trips, told.round_trips);
        let trips_ms = new(tally.round_trips_ms, told.round_trips_ms);
        // One call of a driver ends one round trip at most; were it more, the mean of them is at least no invention.
        let longest_ms = trips_ms.checked_div(trips).unwrap_or(0);
        self.count(now, |c| {
            c.frames_in += new(tally.frames_in, told.frames_in);
            c.frames_out += new(tally.frames_out, told.frames_out);
            c.resends += new(tally.resends, told.resends);
            c.round_trips += trips;
            c.round_trips_ms = c.round_trips_ms.saturating_add(trips_ms);
            c.longest_round_trip_ms = c.longest_round_trip_ms.max(longest_ms);
        });
    }

    pub(super) const fn total(&self) -> &LineCounts {
        &self.total
    }

    /// Times that the port was opened.
    pub(super) fn openings(&self) -> u64 {
        self.total.reopenings + u64::from(self.opened_before)
    }

    pub(super) fn report(&self, now: BootMs) -> LineQuality {
        let hours = self.hours.newest_first(now).map(|(hours_ago, &counts)| LineHour { hours_ago, counts });
        LineQuality {
            counted_for_s: now.since_ms(self.since) / 1_000,
            total: self.total,
            unanswered: self.unanswered,
            hours: hours.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hours::HOURS_KEPT;
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    fn at_hour(hour: u64) -> BootMs {
        BootMs(hour * HOUR_MS)
    }

    #[test]
    fn each_hour_has_its_own_counts_and_the_total_has_all() {
        let mut quality = Quality::new(at_hour(5));
        quality.fault(at_hour(5), LineFault::Noise);
        quality.fault(BootMs(at_hour(6).0 - 1), LineFault::BadCheck);
        quality.fault(at_hour(6), LineFault::TimeOut);
        quality.fault(at_hour(8), LineFault::Unexpected);
        let report = quality.report(at_hour(8).plus_ms(59_000));
        assert_eq!(report.counted_for_s, 3 * 3_600 + 59);
        let faults: Vec<(u8, u64)> = report.hours.iter().map(|h| (h.hours_ago, h.counts.faults())).collect();
        assert_eq!(faults, [(0, 1), (2, 1), (3, 2)], "an hour without anything is left out");
        let LineCounts { noise, bad_checks, time_outs, unexpected, .. } = report.total;
        assert_eq!([noise, bad_checks, time_outs, unexpected], [1; 4]);
    }

    #[test]
    fn a_board_is_silent_since_its_last_frame_whatever_passed_before() {
        let mut quality = Quality::new(at_hour(0));
        for expected in 1..=3 {
            quality.fault(at_hour(0), LineFault::TimeOut);
            quality.fault(at_hour(0), LineFault::Noise);
            assert_eq!(quality.report(at_hour(0)).unanswered, expected);
        }
        quality.tally(at_hour(0), Tally { frames_out: 4, ..Tally::default() });
        assert_eq!(quality.report(at_hour(0)).unanswered, 3, "what we say is no answer");
        quality.tally(at_hour(0), Tally { frames_out: 4, frames_in: 1, ..Tally::default() });
        assert_eq!(quality.report(at_hour(0)).unanswered, 0);
    }

    #[test]
    fn what_is_older_than_a_day_is_in_the_total_only() {
        let mut quality = Quality::new(at_hour(0));
        for hour in 0..40 {
            quality.board_restarted(at_hour(hour));
        }
        let report = quality.report(at_hour(39));
        assert_eq!(report.total.board_restarts, 40);
        assert_eq!(report.hours.len(), usize::from(HOURS_KEPT));
        assert_eq!((report.hours[0].hours_ago, report.hours[23].hours_ago), (0, 23));
        assert_eq!(quality.report(at_hour(39 + 24)).hours, [], "a day in which nothing passed");
        assert_eq!(quality.report(at_hour(39 + 23)).hours.len(), 1);
    }

    #[test]
    fn the_drivers_count_is_taken_once_and_the_longest_round_trip_belongs_to_its_hour() {
        let mut quality = Quality::new(at_hour(0));
        let mut tally = Tally { frames_out: 2, frames_in: 1, ..Tally::default() };
        tally.round_trip(80);
        quality.tally(at_hour(0), tally);
        quality.tally(at_hour(0), tally);
        tally.round_trip(20);
        tally.resends = 1;
        quality.tally(at_hour(1), tally);
        let report = quality.report(at_hour(1));
        assert_eq!((report.total.frames_out, report.total.frames_in, report.total.resends), (2, 1, 1));
        assert_eq!((report.total.longest_round_trip_ms, report.total.mean_round_trip_ms()), (80, Some(50)));
        let longest: Vec<u64> = report.hours.iter().map(|h| h.counts.longest_round_trip_ms).collect();
        assert_eq!(longest, [20, 80], "newest first");
        assert_eq!(LineCounts::default().mean_round_trip_ms(), None);
    }

    #[test]
    fn the_first_opening_is_no_reopening() {
        let mut quality = Quality::new(at_hour(0));
        assert_eq!(quality.openings(), 0);
        quality.opened(at_hour(0));
        assert_eq!((quality.openings(), quality.total().reopenings), (1, 0));
        quality.opened(at_hour(0));
        assert_eq!((quality.openings(), quality.total().reopenings), (2, 1));
    }

    #[test]
    fn reading_nothing_counts_nothing() {
        let mut quality = Quality::new(at_hour(0));
        quality.read(at_hour(0), &[]);
        quality.tally(at_hour(0), Tally::default());
        assert_eq!(quality.report(at_hour(0)).hours, []);
        quality.read(at_hour(0), &[1, 2]);
        quality.wrote(at_hour(0), &[3]);
        assert_eq!((quality.total().bytes_in, quality.total().bytes_out), (2, 1));
    }
}
