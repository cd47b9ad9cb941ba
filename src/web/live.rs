//! What the technician's page watches beside the core's documents: the frames on the line as they pass, and what the
//! doctor found. Pure; `io::web` listens, and runs the doctor.

use crate::doctor::Report;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::VecDeque;

/// Lines kept for pages that ask each second: some seconds of the busiest line. A page that is slower loses the oldest,
/// and is told how many.
pub const FRAMES_KEPT: usize = 256;

/// The last frames, each with a number that never comes again in this life of the daemon.
#[derive(Debug, Default)]
pub struct Frames {
    kept: VecDeque<Box<RawValue>>,
    /// The number of the next one.
    next: u64,
}

/// Frames for a page.
#[derive(Debug, Serialize)]
pub struct Passed<'a> {
    /// What to ask after the next time.
    pub next: u64,
    /// So many passed since the last time and are no longer kept.
    pub lost: u64,
    /// `control::FrameLine`s, oldest first.
    pub frames: Vec<&'a RawValue>,
}

impl Frames {
    /// Keeps a line of the stream of frames; what is no JSON is none.
    pub fn push(&mut self, line: Vec<u8>) {
        let read = String::from_utf8(line).ok().and_then(|line| RawValue::from_string(line.trim_end().to_owned()).ok());
        let Some(line) = read else { return };
        if self.kept.len() >= FRAMES_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(line);
        self.next = self.next.saturating_add(1);
    }

    /// Nobody watches any more. The numbers go on, so that who comes back is told what it missed of what was kept.
    pub fn forget(&mut self) {
        self.kept = VecDeque::new();
    }

    /// What passed since a page was told to ask after `after`; everything that is kept for one that begins, or that
    /// remembers a former life of the daemon.
    #[must_use]
    pub fn after(&self, after: Option<u64>) -> Passed<'_> {
        let oldest = self.next.saturating_sub(u64::try_from(self.kept.len()).unwrap_or(u64::MAX));
        let from = after.filter(|after| *after <= self.next).unwrap_or(oldest);
        let skipped = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let frames = self.kept.iter().skip(skipped).map(Box::as_ref).collect();
        Passed { next: self.next, lost: oldest.saturating_sub(from), frames }
    }
}

/// What the doctor found, for a page.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// The doctor is looking.
    pub looking: bool,
    /// How long ago it looked last, in s; nothing if it never did.
    pub age_s: Option<u64>,
    /// What it found then.
    pub report: Option<Report>,
    /// Why there is no report, although it looked.
    pub error: Option<String>,
    /// The same in Chinese.
    pub error_zh: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(n: usize) -> Frames {
        let mut frames = Frames::default();
        for n in 0..n {
            frames.push(format!("{{\"hex\":\"{n}\"}}\n").into_bytes());
        }
        frames
    }

    fn hexes(passed: &Passed<'_>) -> Vec<String> {
        let hex = |line: &&RawValue| serde_json::from_str::<serde_json::Value>(line.get()).unwrap()["hex"].clone();
        passed.frames.iter().map(|line| hex(line).as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_page_gets_each_line_once_and_is_told_what_it_lost() {
        let mut frames = frames(3);
        assert_eq!(hexes(&frames.after(None)), ["0", "1", "2"]);
        assert_eq!((frames.after(Some(2)).next, hexes(&frames.after(Some(2)))), (3, vec!["2".to_owned()]));
        assert_eq!(frames.after(Some(3)).frames.len(), 0);
        for n in 3..FRAMES_KEPT + 5 {
            frames.push(format!("{{\"hex\":\"{n}\"}}").into_bytes());
        }
        let late = frames.after(Some(3));
        assert_eq!((late.lost, late.frames.len()), (2, FRAMES_KEPT), "5 are gone, 3 of them were seen");
        assert_eq!(frames.after(Some(1 << 40)).frames.len(), FRAMES_KEPT, "the daemon was started anew");
    }

    #[test]
    fn what_is_forgotten_is_counted_as_lost_and_what_is_no_line_is_not_kept() {
        let mut frames = frames(3);
        frames.forget();
        frames.push(b"no JSON".to_vec());
        frames.push(vec![0xff]);
        let passed = frames.after(Some(1));
        assert_eq!((passed.lost, passed.next, passed.frames.len()), (2, 3, 0));
    }
}
