//! What the simulation found, each in its smallest form.

use super::world::{DISPENSED, Put, T0_S, World, settings};
use crate::board::driver::{Finding, LineState, Slot};
use crate::core::event::Event;
use crate::core::gate::TRUST_WAIT_MS;
use crate::core::{Limits, Settings};
use crate::order::record::{self, Birth};
use crate::order::said::Said;
use crate::order::time::{BootMs, Now, UnixMs};

const URL: &str = "https://shop.example/notify";

#[test]
fn a_driver_that_gives_up_as_the_life_begins_does_not_let_the_report_out_before_it_is_durable() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.disk_is_quick = false;
    w.restart();
    w.driver_has(Finding::Unproven("the board remembers nothing"));
    w.commit();
    assert_eq!((w.requests.len(), w.count_said("device.delivery.response")), (0, 0), "its commit is under way");
    w.commit();
    assert_eq!((w.requests.len(), w.count_said("device.delivery.response")), (1, 1));
}

#[test]
fn whatever_is_logged_of_an_order_names_its_slot_from_its_acceptance_on() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.board_ends(DISPENSED);
    let told: Vec<(&str, Option<Slot>)> =
        w.notes.iter().filter(|(_, note)| note.order.is_some()).map(|(_, note)| (note.what, note.slot)).collect();
    for wanted in ["accepted", "unit"] {
        assert!(told.contains(&(wanted, Some(Slot(5)))), "{wanted}: {told:?}");
    }
}

#[test]
fn another_body_is_no_conflict_before_the_first_one_is_durable() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.step(Event::Disconnected { why: Said::word("gone") });
    w.connect(false);
    let other = w.deliver(&w.put("1", "1").with("code", "6"));
    assert!(!w.acks.contains(&other));
    w.commit();
    assert!(w.acks.contains(&other));
    assert_eq!(w.received_states().last().unwrap(), "refused conflict");
}

/// A journal that was born without time: nobody knows yet what is older than it (rule 6).
fn unborn(settings: Settings) -> World {
    World::unborn(settings, Now { boot: BootMs(0), wall: UnixMs(5_000), synchronised: false })
}

#[test]
fn an_order_that_may_be_older_than_the_journal_is_not_refused_as_expired_when_no_time_ever_comes() {
    let mut w = unborn(settings());
    w.deliver(&w.put("1", "1"));
    w.pass_s(TRUST_WAIT_MS / 1_000 + 1);
    assert_eq!((w.driven(), w.outcome_on_disk("1", "1")), (0, vec!["unknown".to_owned()]));
}

#[test]
fn an_order_that_may_be_older_than_the_journal_is_not_refused_for_a_board_that_is_away() {
    let mut w = unborn(settings());
    w.line_is(LineState::Closed);
    w.deliver(&w.put("1", "1"));
    w.pass_s(600);
    assert_eq!((w.driven(), w.outcome_on_disk("1", "1")), (0, vec!["unknown".to_owned()]));
}

#[test]
fn an_order_that_may_be_older_than_the_journal_is_not_refused_as_one_too_many() {
    let mut w = unborn(Settings { limits: Limits { orders_open: 1, ..settings().limits }, ..settings() });
    w.deliver(&w.put("1", "1"));
    w.deliver(&w.put("2", "1"));
    assert_eq!((w.driven(), w.outcome_on_disk("2", "1")), (0, vec!["unknown".to_owned()]));
}

#[test]
fn a_journals_birth_is_durable_as_soon_as_it_is_known() {
    let mut w = unborn(settings());
    w.pass_s(30);
    w.now.wall = UnixMs(T0_S * 1_000);
    w.now.synchronised = true;
    w.step(Event::Wake);
    // Dated anew after a reboot, it would bar what was bought before.
    w.reboot(T0_S + 600, true);
    w.deliver(&Put::new("1", "1", T0_S + 1));
    assert_eq!(w.driven(), 1);
}

/// `journal accept-move`: the board there may be another, and its last vend another machine's.
#[test]
fn rule_06_a_turn_that_a_moved_journal_had_under_way_ends_unknown_whatever_the_board_there_says() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    assert_eq!(w.driven(), 1);
    let mut ledger = record::decode_ledger(w.ledger.as_ref().unwrap()).unwrap();
    ledger.birth = Birth::Untimed { boot_id: w.settings.boot_id, boot: w.now.boot };
    w.ledger = Some(record::encode_ledger(&ledger).unwrap());
    w.restart();
    assert_eq!((w.outcome_on_disk("1", "1"), w.driven()), (vec!["unknown".to_owned()], 0));
    let put = w.put("2", "1");
    w.deliver(&put);
    assert_eq!(w.driven(), 1, "what is issued after it was moved is driven");
}
