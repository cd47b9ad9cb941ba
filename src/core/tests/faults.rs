//! The broker, the receiver and the operator at their worst.

use super::world::{DISPENSED, World, settings};
use crate::board::driver::LineState;
use crate::core::commit::ARRIVAL_COMMIT_MS;
use crate::core::event::{Ending, Event, FailureKind};
use crate::order::said::Said;

const URL: &str = "https://shop.example/notify";

#[test]
fn acknowledgements_leave_in_the_order_of_receipt_and_never_on_another_connection() {
    let mut w = World::new();
    w.disk_is_quick = false;
    let first = w.deliver(&w.put("1", "1"));
    let second = w.deliver_raw(b"junk", false);
    assert!(w.acks.is_empty(), "the junk could go at once, but the order before it cannot");
    w.commit();
    assert_eq!(w.acks, [first, second]);
    let third = w.deliver(&w.put("2", "1"));
    // It waits behind the first, so for a moment for a commit that somebody needs.
    w.pass_ms(ARRIVAL_COMMIT_MS);
    w.step(Event::Disconnected { why: Said::word("gone") });
    w.connect(true);
    w.commit();
    assert!(!w.acks.contains(&third), "its connection is gone");
    let again = w.redeliver(&w.put("2", "1"));
    assert_eq!(w.acks.last(), Some(&again));
}

#[test]
fn a_duplicate_is_answered_from_the_journal_and_the_result_at_most_once_a_minute() {
    let mut w = World::new();
    let put = w.put("1", "1");
    w.deliver(&put);
    w.board_ends(DISPENSED);
    let reports = w.count_said("device.delivery.response");
    for _ in 0..5 {
        w.deliver(&put);
    }
    assert_eq!((w.driven(), w.count_said("device.delivery.response")), (1, reports + 1));
    w.pass_s(61);
    w.deliver(&put.clone().with("method", "device.delivery.get"));
    assert_eq!(w.count_said("device.delivery.response"), reports + 2);
    assert_eq!(w.last_said("device.delivery.response")["sequence"], "1");
}

#[test]
fn what_comes_while_another_order_turns_shares_the_commit_of_its_outcome_or_has_its_own_in_a_moment() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    let committed = w.commits;
    for order in ["2", "3", "4"] {
        w.deliver(&w.put(order, "1"));
    }
    assert_eq!((w.acks.len(), w.commits), (1, committed), "there is a moment");
    w.board_ends(DISPENSED);
    assert_eq!((w.acks.len(), w.commits), (4, committed + 2), "one with the outcome, one with the next intent");
    assert_eq!(w.driven(), 2);
    w.deliver(&w.put("5", "1"));
    w.pass_ms(ARRIVAL_COMMIT_MS - 1);
    assert_eq!(w.acks.len(), 4);
    w.pass_ms(1);
    assert_eq!(w.acks.len(), 5, "a motor that turns for long keeps nobody waiting");
}

#[test]
fn a_duplicate_before_the_first_is_durable_is_acknowledged_after_it() {
    let mut w = World::new();
    w.disk_is_quick = false;
    let put = w.put("1", "1");
    w.deliver(&put);
    w.deliver(&put);
    assert!(w.acks.is_empty());
    w.commit();
    assert_eq!((w.acks.len(), w.driven()), (2, 1));
}

#[test]
fn get_of_an_unknown_order_says_not_found_and_of_an_open_one_accepted() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("method", "device.delivery.get"));
    w.deliver(&w.put("2", "1"));
    w.deliver(&w.put("2", "1").with("method", "device.delivery.get"));
    assert_eq!(w.received_states(), ["not_found", "accepted", "accepted"]);
}

#[test]
fn a_report_is_tried_until_it_is_taken_and_a_dead_url_holds_up_nobody() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", "https://dead.example/"));
    w.board_ends(DISPENSED);
    for _ in 0..20 {
        w.no_answer();
        w.pass_s(700);
    }
    w.deliver(&w.put("2", "1").with("notify_url", URL));
    w.board_ends(DISPENSED);
    let (_, last) = w.requests.back().unwrap().clone();
    assert_eq!(last.url, URL);
    w.answer(200, "");
    w.answer(200, "");
    assert_eq!(w.core.status(w.now).reports_open, 0);
}

#[test]
fn a_report_to_a_forbidden_target_becomes_a_dead_letter_and_still_goes_up_over_mqtt() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", "file:///etc/passwd"));
    w.board_ends(DISPENSED);
    let (token, _) = w.requests.pop_front().unwrap();
    let failure = crate::core::event::HttpFailure { kind: FailureKind::BadTarget, why: Said::word("scheme") };
    w.step(Event::Answered { token, answer: Err(failure) });
    w.pass_s(3_600);
    assert!(w.requests.is_empty());
    assert_eq!(w.count_said("device.delivery.response"), 1);
    assert_eq!(w.on_disk("1", "1").unwrap().reports[0].state, "dead");
}

#[test]
fn what_the_broker_did_not_take_is_said_again_on_the_next_connection() {
    let mut w = World::new();
    w.broker_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.board_ends(DISPENSED);
    assert_eq!(w.count_said("device.delivery.response"), 1);
    w.step(Event::Disconnected { why: Said::word("gone") });
    w.connect(false);
    assert_eq!(w.count_said("device.delivery.response"), 2);
    w.restart();
    assert_eq!(w.count_said("device.delivery.response"), 3);
}

#[test]
fn a_settled_order_is_shrunk_without_a_sync_of_its_own_and_still_answers() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_ends(DISPENSED);
    let commits = w.commits;
    w.answer(200, "");
    w.pass_s(20);
    assert_eq!(w.commits, commits, "nobody waits for it");
    w.pass_s(20);
    assert_eq!((w.commits, w.on_disk("1", "1").unwrap().state.as_str()), (commits + 1, "tombstone"));
    w.pass_s(3_600);
    assert_eq!(w.commits, commits + 1, "an idle machine writes nothing");
    w.restart();
    w.deliver(&w.put("1", "1"));
    assert_eq!((w.driven(), w.received_states().last().unwrap().as_str()), (0, "duplicate"));
}

#[test]
fn sigterm_in_mid_vend_lets_the_motor_finish_and_keeps_its_outcome() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.deliver(&w.put("2", "1"));
    w.step(Event::Stop);
    assert_eq!(w.ended, None);
    w.board_ends(DISPENSED);
    assert_eq!(w.ended, Some(Ending::Stopped));
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"]);
    assert_eq!((w.driven(), w.on_disk("2", "1").unwrap().state.as_str()), (1, "accepted"));
    w.restart();
    assert_eq!(w.driven(), 1, "the second goes on in the next life");
}

#[test]
fn sigterm_before_the_first_byte_takes_the_intent_back() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.script.lock().unwrap().state = LineState::Closed;
    w.step(Event::Stop);
    w.commit();
    assert_eq!(w.driven(), 0);
    w.commit();
    assert_eq!((w.on_disk("1", "1").unwrap().state.as_str(), w.ended), ("accepted", Some(Ending::Stopped)));
    w.disk_is_quick = true;
    w.restart();
    assert_eq!(w.driven(), 1);
}

#[test]
fn a_flood_of_forged_messages_does_not_flood_the_log() {
    let mut w = World::new();
    for _ in 0..100 {
        w.deliver_raw(b"junk", false);
    }
    assert_eq!(w.core.status(w.now).recent.iter().filter(|n| n.what == "message_rejected").count(), 1);
    assert_eq!(w.core.status(w.now).counters.rejected, 100);
}

#[test]
fn a_slot_is_locked_after_unknown_when_the_operator_wants_it() {
    let mut s = settings();
    s.lock_slot_after_unknown = true;
    let mut w = World::with(s);
    w.deliver(&w.put("1", "1"));
    w.board_says(crate::board::driver::Finding::Unproven("silence"));
    w.line_is(LineState::Idle);
    w.deliver(&w.put("2", "1"));
    assert_eq!((w.driven(), w.received_states().last().unwrap().as_str()), (1, "refused locked"));
    w.restart();
    w.deliver(&w.put("3", "1"));
    assert_eq!(w.driven(), 0, "still after a restart");
    w.deliver(&w.put("4", "1").with("code", "6"));
    assert_eq!(w.driven(), 1);
}

#[test]
fn an_agent_killed_between_intent_and_outcome_asks_the_board_and_never_drives_again() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    assert_eq!(w.driven(), 1);
    w.restart();
    assert_eq!((w.driven(), w.script.lock().unwrap().resumed.len()), (0, 1));
    w.board_ends(DISPENSED);
    assert_eq!((w.driven(), w.outcome_on_disk("1", "1")), (0, vec!["dispensed".to_owned()]));
}

#[test]
fn a_key_is_proven_never_received_and_only_then_driven_again() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.restart();
    w.board_says(crate::board::driver::Finding::NotTaken(crate::order::outcome::Reason::Busy));
    assert_eq!(w.driven(), 1);
}

#[test]
fn a_journal_that_does_not_answer_for_a_minute_has_failed() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.pass_s(59);
    assert_eq!(w.core.status(w.now).phase, "running");
    w.pass_s(2);
    assert_eq!(w.core.status(w.now).phase, "failed");
    w.pass_s(11);
    assert_eq!(w.ended, Some(Ending::JournalFailed));
}

#[test]
fn a_correction_waits_for_what_it_corrects_without_waking_anybody() {
    use crate::board::driver::{Address, Finding};
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_says(Finding::Unproven("silence"));
    let first = w.requests.pop_front().unwrap();
    w.board_says(Finding::Late { address: Address::new(1).unwrap(), slot: None, evidence: DISPENSED });
    w.pass_s(40);
    assert!(w.requests.is_empty(), "the first is under way");
    let due = w.core.deadline();
    assert_eq!(due, w.core.telemetry_deadline(), "nothing is due but the next heartbeat");
    w.requests.push_back(first);
    w.answer(204, "");
    let correction = w.answer(204, "");
    assert!(String::from_utf8_lossy(&correction.body).contains("\"sequence\":2"));
}
