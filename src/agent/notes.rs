//! The log of the core's notes: each with the machine, and with the order and slot that it is about, so that one key finds
//! a whole story. What repeats itself in a storm is kept back and counted: one device that is offline must not fill a disk.

use crate::core::event::{Level, Note};
use crate::order::key::Key;
use crate::order::time::BootMs;
use std::collections::HashMap;

/// So many notes of one kind about one order, or about none, are logged at once; then they are counted.
const BURST: u32 = 5;
/// After this time, in ms, a kind has its burst again. So a storm takes six lines a minute.
const WINDOW_MS: u64 = 60_000;
/// Kinds and orders that are remembered: more than the core has open in a minute at work. Beyond it all begin anew.
const KINDS_MAX: usize = 512;

/// What is said of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    /// It is logged; so many like it were not, since the last that was.
    Aloud { kept_back: u64 },
    /// It is counted.
    Nothing,
}

#[derive(Debug, Default)]
struct Run {
    since: BootMs,
    said: u32,
    kept_back: u64,
}

/// Writes notes to the log.
pub(crate) struct NoteLog {
    machine: String,
    runs: HashMap<(&'static str, Option<Key>), Run>,
}

impl NoteLog {
    pub(super) fn new(machine: &impl ToString) -> NoteLog {
        NoteLog { machine: machine.to_string(), runs: HashMap::new() }
    }

    fn take(&mut self, now: BootMs, what: &'static str, order: Option<&Key>) -> Say {
        if self.runs.len() >= KINDS_MAX {
            self.runs.retain(|_, run| now.since_ms(run.since) < WINDOW_MS);
            if self.runs.len() >= KINDS_MAX {
                self.runs.clear();
            }
        }
        let run = self.runs.entry((what, order.cloned())).or_insert(Run { since: now, said: 0, kept_back: 0 });
        if now.since_ms(run.since) >= WINDOW_MS {
            (run.since, run.said) = (now, 0);
        }
        if run.said >= BURST {
            run.kept_back = run.kept_back.saturating_add(1);
            return Say::Nothing;
        }
        run.said += 1;
        Say::Aloud { kept_back: std::mem::take(&mut run.kept_back) }
    }

    /// So many of these notes, in their order, would be logged; for tests of what the core has to say.
    #[cfg(test)]
    pub(crate) fn lines_of(notes: &[(BootMs, Note)]) -> usize {
        let mut log = NoteLog::new(&"16327129");
        let said = |(at, note): &&(BootMs, Note)| {
            note.level > Level::Debug && log.take(*at, note.what, note.order.as_ref()) != Say::Nothing
        };
        notes.iter().filter(said).count()
    }

    /// Logs it, unless enough like it were.
    pub(super) fn write(&mut self, now: BootMs, note: &Note) {
        // Debug is for those who look closely, and asked for.
        let kept_back = match note.level {
            Level::Debug => 0,
            Level::Info | Level::Warn | Level::Error => match self.take(now, note.what, note.order.as_ref()) {
                Say::Aloud { kept_back } => kept_back,
                Say::Nothing => return,
            },
        };
        let machine = self.machine.as_str();
        let order = note.order.as_ref().map(tracing::field::display);
        let slot = note.slot.map(|slot| slot.0);
        let kept_back = (kept_back > 0).then_some(kept_back);
        match note.level {
            Level::Debug => tracing::debug!(what = note.what, machine, order, slot, kept_back, "{}", note.text),
            Level::Info => tracing::info!(what = note.what, machine, order, slot, kept_back, "{}", note.text),
            Level::Warn => tracing::warn!(what = note.what, machine, order, slot, kept_back, "{}", note.text),
            Level::Error => tracing::error!(what = note.what, machine, order, slot, kept_back, "{}", note.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::key::Id;

    fn key(order_id: &str) -> Key {
        Key { order_id: Id::parse(order_id).unwrap(), record_id: Id::parse("1").unwrap() }
    }

    #[test]
    fn a_storm_of_one_kind_is_five_lines_a_minute_and_says_how_many_were_kept_back() {
        let mut log = NoteLog::new(&"16327129");
        // A port that comes and goes ten times a second, for three minutes.
        let said: Vec<(u64, Say)> =
            (0..1_800).map(|n| n * 100).map(|ms| (ms, log.take(BootMs(ms), "line_closed", None))).collect();
        let aloud: Vec<(u64, u64)> = said
            .into_iter()
            .filter_map(|(ms, say)| match say {
                Say::Aloud { kept_back } => Some((ms, kept_back)),
                Say::Nothing => None,
            })
            .collect();
        assert_eq!(aloud.len(), 15, "{aloud:?}");
        assert_eq!((aloud[5], aloud[6]), ((60_000, 595), (60_100, 0)));
    }

    #[test]
    fn no_storm_hides_another_kind_or_another_order() {
        let mut log = NoteLog::new(&"16327129");
        for _ in 0..100 {
            log.take(BootMs(0), "report_not_taken", Some(&key("1")));
        }
        assert_eq!(log.take(BootMs(0), "report_not_taken", Some(&key("1"))), Say::Nothing);
        for (what, order) in [("report_not_taken", Some(key("2"))), ("unit", Some(key("1"))), ("line_closed", None)] {
            assert_eq!(log.take(BootMs(0), what, order.as_ref()), Say::Aloud { kept_back: 0 }, "{what}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut log = NoteLog::new(&"16327129");
        for n in 0..5_000 {
            log.take(BootMs(n), "unit", Some(&key(&n.to_string())));
            assert!(log.runs.len() <= KINDS_MAX);
        }
    }
}
