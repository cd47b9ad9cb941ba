//! The motor mark (`order::mark`): a crash between the intent and its first byte costs nothing.

use super::world::{DISPENSED, World};
use crate::order::mark::{Mark, MarkId};
use crate::order::record;
use crate::order::time::BootId;

fn intents(w: &World) -> u64 {
    record::decode_ledger(w.ledger.as_ref().unwrap()).unwrap().intents
}

/// A world that keeps a mark from its first life on.
fn marked() -> World {
    let mut w = World::new();
    w.mark = Some(Mark { id: MarkId([9; 16]), boot_id: w.settings.boot_id, written: 0 });
    w.restart();
    w
}

/// The order's intent is durable, and the agent died just before, or after, the mark was written.
fn died_with_an_intent(w: &mut World, marked: bool) {
    w.deliver(&w.put("1", "1"));
    assert_eq!(w.on_disk("1", "1").unwrap().state, "intent");
    let sequence = intents(w);
    if let Some(mark) = w.mark.as_mut().filter(|_| marked) {
        mark.written = sequence;
    }
}

#[test]
fn a_crash_before_the_first_byte_lets_the_unit_wait_again_and_be_driven_once() {
    let mut w = marked();
    died_with_an_intent(&mut w, false);
    w.restart();
    assert!(w.script.lock().unwrap().resumed.is_empty(), "the board was asked about a command that never left");
    assert_eq!(w.script.lock().unwrap().driven.len(), 1);
    w.board_ends(DISPENSED);
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"]);
}

#[test]
fn a_crash_after_the_mark_asks_the_board_and_drives_nothing() {
    let mut w = marked();
    died_with_an_intent(&mut w, true);
    w.restart();
    let script = w.script.lock().unwrap();
    assert_eq!((script.resumed.len(), script.driven.len()), (1, 0));
}

#[test]
fn a_mark_of_another_boot_or_another_place_or_none_proves_nothing() {
    let spoil: [fn(&mut World); 3] = [
        |w| w.settings.boot_id = BootId([77; 16]),
        |w| w.mark.as_mut().unwrap().id = MarkId([8; 16]),
        |w| w.mark = None,
    ];
    for spoil in spoil {
        let mut w = marked();
        died_with_an_intent(&mut w, false);
        spoil(&mut w);
        w.restart();
        let script = w.script.lock().unwrap();
        assert_eq!((script.resumed.len(), script.driven.len()), (1, 0));
    }
}

#[test]
fn a_mark_that_begins_to_count_calls_no_older_intent_unwritten() {
    let mut w = marked();
    died_with_an_intent(&mut w, true);
    // The next life keeps another mark, and dies while it asks the board; the one after finds that mark.
    w.mark = Some(Mark { id: MarkId([8; 16]), boot_id: w.settings.boot_id, written: 0 });
    w.restart();
    assert_eq!(w.mark.unwrap().written, intents(&w), "raised before the journal names it");
    w.restart();
    let script = w.script.lock().unwrap();
    assert_eq!((script.resumed.len(), script.driven.len()), (1, 0));
}
