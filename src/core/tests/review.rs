//! What a review found: ways around the promise that the rules' own tests did not try.

use super::world::{DISPENSED, Put, T0_S, World, settings};
use crate::board::driver::{Address, Finding, LineState};
use crate::core::VerifyOrders;
use crate::core::event::{Ending, Event, FailureKind, HttpFailure};
use crate::order::outcome::Reason;
use crate::order::said::Said;
use crate::order::time::{BootMs, Now, UnixMs};

const URL: &str = "https://shop.example/notify";

fn late() -> Finding {
    Finding::Late { address: Address::new(1).unwrap(), slot: None, evidence: DISPENSED }
}

#[test]
fn a_commit_that_carries_a_former_intent_does_not_let_another_go() {
    let mut w = World::new();
    w.disk_is_quick = false;
    // The disk is at another commit for so long that the first order is given up before its intent is durable.
    w.deliver(&w.put("0", "1").with("quantity", "11"));
    w.deliver(&w.put("1", "1"));
    w.pass_s(50);
    w.commit();
    w.deliver(&w.put("2", "1"));
    w.pass_s(30);
    assert_eq!(w.driven(), 0);
    w.commit();
    assert_eq!(w.driven(), 0, "the second order's intent is not durable");
    w.commit();
    assert_eq!((w.driven(), w.on_disk("2", "1").unwrap().state.as_str()), (1, "intent"));
    assert_eq!(w.outcome_on_disk("1", "1"), ["refused"]);
}

#[test]
fn rule_07_a_commit_that_answers_after_the_journal_failed_drives_nothing() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.pass_s(61);
    assert_eq!(w.core.status(w.now).phase, "failed");
    w.commit();
    assert_eq!((w.driven(), w.acks.len()), (0, 1), "nobody would hear the board; the order itself is durable");
}

#[test]
fn rule_07_a_first_commit_that_answers_after_the_journal_failed_opens_no_board() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.restart();
    w.pass_s(61);
    w.commit();
    assert_eq!(w.script.lock().unwrap().opened, 0, "what is read from a board now could not be kept");
}

#[test]
fn rule_24_a_correction_leaves_only_after_the_commit_that_carries_it() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.disk_is_quick = false;
    w.board_says(Finding::Unproven("silence"));
    w.board_says(late());
    w.commit();
    assert_eq!(w.last_said("device.delivery.response")["sequence"], "1", "the correction is not durable");
    w.commit();
    assert_eq!(w.last_said("device.delivery.response")["sequence"], "2");
    w.answer(200, "");
    w.pass_s(2);
    let correction: serde_json::Value = serde_json::from_slice(&w.answer(200, "").body).unwrap();
    assert_eq!(correction["sequence"], 2);
}

#[test]
fn a_correction_leaves_though_an_attempt_at_the_first_report_fails_while_it_is_written() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_says(Finding::Unproven("silence"));
    w.disk_is_quick = false;
    w.board_says(late());
    w.no_answer();
    w.commit();
    assert_eq!(w.last_said("device.delivery.response")["sequence"], "2");
}

#[test]
fn get_is_answered_though_the_receiver_of_the_report_is_dead() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_ends(DISPENSED);
    let reports = w.count_said("device.delivery.response");
    w.no_answer();
    w.deliver(&w.put("1", "1").with("method", "device.delivery.get"));
    assert_eq!(w.count_said("device.delivery.response"), reports + 1);
}

#[test]
fn rule_14_a_command_that_never_reached_the_board_does_not_take_over_a_held_result() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.board_says(Finding::Unproven("silence"));
    w.line_is(LineState::Idle);
    w.deliver(&w.put("2", "1"));
    w.board_says(Finding::NotTaken(Reason::BoardOffline));
    w.board_says(late());
    assert_eq!(
        (w.outcome_on_disk("1", "1"), w.outcome_on_disk("2", "1")),
        (vec!["dispensed".to_owned()], vec!["refused".to_owned()])
    );
}

#[test]
fn rule_28_the_platform_is_asked_for_the_time_when_the_kernel_loses_it() {
    let mut w = World::new();
    w.now.synchronised = false;
    w.step(Event::Wake);
    w.deliver(&w.put("1", "1"));
    assert_eq!(w.driven(), 0, "held");
    w.answer_with_date(200, w.now_s(), r#"{"code":0,"data":"pong"}"#);
    assert_eq!(w.driven(), 1);
}

#[test]
fn rule_28_a_system_clock_from_before_this_program_is_not_believed() {
    let mut s = settings();
    s.trust_system_clock = true;
    let mut w = World::unborn(s, Now { boot: BootMs(5_000), wall: UnixMs(5_000), synchronised: false });
    w.answer_with_date(200, T0_S, r#"{"code":0,"data":"pong"}"#);
    w.deliver(&Put::new("1", "1", T0_S));
    assert_eq!(w.driven(), 1, "a dead clock battery is no reason to refuse");
    w.deliver(&Put::new("2", "1", T0_S - 60));
    assert_eq!(w.outcome_on_disk("2", "1"), ["unknown"], "the birth is in the platform's time");
}

#[test]
fn rule_01_nothing_is_acknowledged_or_repeated_before_the_first_commit() {
    let mut w = World::new();
    let put = w.put("1", "1");
    w.deliver(&put);
    w.board_ends(DISPENSED);
    w.pass_s(60);
    assert_eq!(w.on_disk("1", "1").unwrap().state, "tombstone");
    w.disk_is_quick = false;
    w.restart();
    let (acks, said) = (w.acks.len(), w.said.len());
    w.redeliver(&put);
    w.deliver(&put.clone().with("method", "device.delivery.get"));
    assert_eq!((w.acks.len(), w.said.len()), (acks, said));
    w.commit();
    assert_eq!(w.acks.len(), acks + 2);
    assert_eq!(w.received_states().last().unwrap(), "duplicate");
}

#[test]
fn rule_26_a_command_that_found_the_reserve_full_goes_on_when_there_is_room() {
    let mut w = World::new();
    w.broker_is_quick = false;
    let full = crate::core::REPORTS_OPEN_MAX + crate::core::REFUSAL_RESERVE;
    for n in 0..full {
        w.deliver(&w.put(&n.to_string(), "1").with("quantity", "11"));
        w.story.clear();
    }
    let acks = w.acks.len();
    let last = w.deliver(&w.put("last", "1"));
    assert_eq!(w.acks.len(), acks, "not even its refusal could be kept");
    for token in w.published.clone() {
        w.step(Event::Published(token));
    }
    assert_eq!(w.acks.last(), Some(&last), "on the same connection");
}

#[test]
fn a_command_that_goes_out_at_the_last_moment_is_not_given_up_at_once() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.script.lock().unwrap().state = LineState::Settling;
    w.commit();
    assert_eq!(w.driven(), 0);
    w.now.boot = w.now.boot.plus_ms(75_000);
    w.line_is(LineState::Idle);
    assert_eq!((w.driven(), w.on_disk("1", "1").unwrap().state.as_str()), (1, "intent"));
    assert_eq!(w.script.lock().unwrap().given_up, 0);
}

#[test]
fn a_report_that_the_broker_refuses_is_offered_again_on_the_same_connection() {
    let mut w = World::new();
    w.broker_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.board_ends(DISPENSED);
    let token = *w.published.last().unwrap();
    w.step(Event::NotPublished { token, why: Said::word("not authorised") });
    w.pass_s(2);
    assert_eq!(w.count_said("device.delivery.response"), 2);
    w.step(Event::Published(*w.published.last().unwrap()));
    assert_eq!(w.core.status(w.now).reports_open, 0);
}

#[test]
fn rule_24_a_correction_over_mqtt_waits_for_the_report_that_the_broker_refused() {
    let mut w = World::new();
    w.broker_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.board_says(Finding::Unproven("silence"));
    let token = *w.published.last().unwrap();
    w.step(Event::NotPublished { token, why: Said::word("quota exceeded") });
    w.board_says(late());
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"]);
    assert_eq!(w.count_said("device.delivery.response"), 1, "the correction waits");
    w.pass_s(2);
    assert_eq!(w.count_said("device.delivery.response"), 2, "the report again");
    w.step(Event::Published(*w.published.last().unwrap()));
    assert_eq!(w.count_said("device.delivery.response"), 3, "the correction");
    w.step(Event::Published(*w.published.last().unwrap()));
    assert_eq!(w.core.status(w.now).reports_open, 0);
}

#[test]
fn a_receiver_that_sends_us_elsewhere_is_asked_ten_times_and_one_that_is_not_found_for_ever() {
    for (kind, tries, left) in [(FailureKind::SentElsewhere, 10, 0), (FailureKind::NoAnswer, 40, 1)] {
        let mut w = World::new();
        w.deliver(&w.put("1", "1").with("notify_url", URL));
        w.board_ends(DISPENSED);
        let mut tried = 0;
        while tried < 40
            && let Some((token, _)) = w.requests.pop_front()
        {
            tried += 1;
            let failure = HttpFailure { kind, why: Said::word("302") };
            w.step(Event::Answered { token, answer: Err(failure) });
            w.pass_s(1_200);
        }
        assert_eq!((tried, w.core.status(w.now).reports_open), (tries, left), "{kind:?}");
    }
}

#[test]
fn refused_publishes_do_not_close_the_window() {
    let mut w = World::new();
    w.broker_is_quick = false;
    for n in 0..100 {
        w.deliver(&w.put(&n.to_string(), "1").with("method", "device.delivery.get"));
        let token = *w.published.last().unwrap();
        w.step(Event::NotPublished { token, why: Said::word("not authorised") });
    }
    assert_eq!(w.count_said("device.delivery.received"), 100);
}

#[test]
fn rule_27_an_order_that_became_late_during_the_sync_holds_and_leaves_the_line_to_others() {
    let mut s = settings();
    s.cloud.verify_orders = VerifyOrders::Late;
    let mut w = World::with(s);
    w.disk_is_quick = false;
    w.deliver(&Put::new("60", "78", w.now_s() - 99));
    w.pass_s(5);
    w.commit();
    w.disk_is_quick = true;
    w.commit();
    assert_eq!((w.driven(), w.on_disk("60", "78").unwrap().state.as_str()), (0, "accepted"));
    w.deliver(&w.put("2", "1"));
    assert_eq!(w.driven(), 1);
    w.board_ends(DISPENSED);
    w.no_answer();
    w.pass_s(200);
    assert_eq!(w.on_disk("60", "78").unwrap().state, "accepted", "no answer means hold");
    let paid = r#"{"code":0,"message":"ok","data":{"order_id":60,"status":"SUCCESS",
        "records":[{"id":78,"status":"WAITING_PICKED_UP"}]}}"#;
    w.answer(200, paid);
    assert_eq!(w.driven(), 2);
}

#[test]
fn sigterm_does_not_wait_for_a_board_that_is_away_and_the_next_life_drives() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.script.lock().unwrap().state = LineState::Closed;
    w.step(Event::Stop);
    w.commit();
    w.commit();
    assert_eq!((w.ended, w.driven()), (Some(Ending::Stopped), 0));
    w.disk_is_quick = true;
    w.restart();
    assert_eq!(w.driven(), 1);
}
