//! One device that is offline for an hour does not fill the log.

use super::world::{DISPENSED, World};
use crate::agent::notes::NoteLog;
use crate::core::event::Event;
use crate::order::said::Said;

/// Lines that an hour may cost, whatever is broken: a burst of five a minute for the one kind that repeats itself, and a
/// tenth of that for everything else that is said of it.
const LINES_MAX: usize = 5 * 60 + 30;

/// The lines of the hour in which `breaks` happens again and again.
fn lines_of_an_hour(every_s: u64, mut breaks: impl FnMut(&mut World)) -> (usize, usize) {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", "https://shop.example/notify"));
    w.board_ends(DISPENSED);
    w.notes.clear();
    for _ in 0..3_600 / every_s {
        breaks(&mut w);
        w.pass_s(every_s);
    }
    (w.notes.len(), NoteLog::lines_of(&w.notes))
}

#[test]
fn an_adapter_with_a_loose_plug_costs_a_bounded_number_of_lines_an_hour() {
    let (noted, logged) = lines_of_an_hour(2, |w| {
        w.step(Event::LineClosed { why: Said::word("unplugged") });
        w.step(Event::LineOpened);
    });
    assert!(noted > 3_000, "the storm is one: {noted}");
    assert!(logged <= 2 * LINES_MAX, "two kinds repeat themselves: {logged} of {noted}");
}

#[test]
fn a_broker_or_a_merchant_that_is_away_costs_a_bounded_number_of_lines_an_hour() {
    let (noted, logged) = lines_of_an_hour(1, |w| {
        w.step(Event::Disconnected { why: Said::word("gone") });
        w.connect(true);
        while !w.requests.is_empty() {
            w.no_answer();
        }
    });
    assert!(noted > 3_000 && logged <= 2 * LINES_MAX, "it comes and goes, two kinds: {logged} of {noted}");
    let (noted, logged) = lines_of_an_hour(60, |w| {
        while !w.requests.is_empty() {
            w.no_answer();
        }
    });
    assert!(noted > 0 && logged <= LINES_MAX, "{logged} of {noted}");
}
