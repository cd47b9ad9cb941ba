//! Clauses that could be taken out and no other test noticed (`tests/sabotage.rs`).

use super::limits::refused;
use super::world::{DISPENSED, Put, World};
use crate::board::driver::{Address, Finding, Slot};
use crate::core::event::Event;
use crate::core::{Recovered, TOMBSTONE_AGE_MIN_S, TOMBSTONES_KEPT};
use crate::order::outcome::Reason;
use crate::order::record::{self, Records};
use crate::order::said::Said;

const URL: &str = "https://shop.example/notify";

#[test]
fn rule_07_after_a_failure_not_even_what_needs_no_disk_is_acknowledged() {
    let mut w = World::new();
    w.step(Event::JournalFailed { why: Said::word("no space") });
    w.deliver_raw(b"no message of ours", false);
    assert!(w.acks.is_empty());
}

#[test]
fn rule_10_the_first_notify_url_stays() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.deliver(&w.put("1", "1").with("notify_url", "https://other.example/notify"));
    w.board_ends(DISPENSED);
    assert_eq!(w.answer(200, "").url, URL);
}

#[test]
fn rule_12_a_key_that_was_forgotten_is_stale_when_it_comes_again() {
    let mut w = World::new();
    let ledger = record::decode_ledger(w.ledger.as_ref().unwrap()).unwrap();
    let issued_at_s = w.now_s() - 2 * TOMBSTONE_AGE_MIN_S.max(w.settings.session_expiry_s);
    let tombstone = |number| {
        let mut order = refused(number, issued_at_s, issued_at_s);
        order.refuse(Reason::Invalid).unwrap();
        order.shrunk = true;
        order
    };
    let records = Records { orders: (0..=TOMBSTONES_KEPT).map(tombstone).collect(), ..Records::default() };
    w.live_again(Recovered::Journal { ledger: Some(Box::new(ledger)), stock: records.into() }, true);
    w.deliver(&Put::new("0", "1", issued_at_s));
    assert_eq!(w.received_states().last().unwrap(), "refused stale");
}

#[test]
fn rule_14_a_late_result_of_another_slot_corrects_nothing() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.board_says(Finding::Unproven("silence"));
    let address = Address::new(1).unwrap();
    w.board_says(Finding::Late { address, slot: Some(Slot(79)), evidence: DISPENSED });
    assert_eq!(w.outcome_on_disk("1", "1"), ["unknown"]);
}
