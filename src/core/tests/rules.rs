//! One test a rule of an order's life. Rules that live in one module are tested there under the same kind of name;
//! `docs/order-life.md` lists all.

use super::world::{DISPENSED, OPEN, Put, T0_S, World, settings};
use crate::board::driver::{Finding, LineState};
use crate::core::commit::ARRIVAL_COMMIT_MS;
use crate::core::event::{Ending, Event, FailureKind};
use crate::core::{ORDERS_OPEN_MAX, Recovered, Stock, VerifyOrders};
use crate::order::mark::{Mark, MarkId};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::record::{self, OnlySeen};
use crate::order::said::Said;
use crate::order::time::{BootMs, Now, UnixMs};

const URL: &str = "https://shop.example/notify";

#[test]
fn a_vend_takes_two_commits_and_everything_leaves_in_its_order() {
    let mut w = World::new();
    w.disk_is_quick = false;
    let before = w.commits;
    w.deliver(&w.put("60", "78").with("notify_url", URL));
    assert!(w.acks.is_empty() && w.driven() == 0, "nothing before it is durable");
    w.commit();
    assert_eq!((w.acks.len(), w.driven()), (1, 1));
    assert_eq!(w.received_states(), ["accepted"]);
    w.board_ends(DISPENSED);
    assert_eq!(w.script.lock().unwrap().released, 0, "the board may not forget it yet");
    assert!(w.requests.is_empty());
    w.commit();
    assert_eq!(w.script.lock().unwrap().released, 1);
    let request = w.answer(204, "");
    assert_eq!(request.url, URL);
    assert_eq!(w.last_said("device.delivery.response")["outcome"], "dispensed");
    assert_eq!(w.commits - before, 2);
    assert!(w.at("commit") < w.at("ack"), "{:?}", w.story);
}

#[test]
fn rule_01_what_is_seen_after_a_restart_is_written_again_before_anything_follows_from_it() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.deliver(&w.put("1", "1"));
    w.board_ends(DISPENSED);
    w.deliver(&w.put("2", "1").with("notify_url", URL));
    w.script.lock().unwrap().state = LineState::Busy;
    w.disk_is_quick = false;
    w.story.clear();
    w.restart();
    assert_eq!(w.story, ["commit"], "only the commit before anything else");
    assert_eq!(w.script.lock().unwrap().opened, 0, "the board is not asked before");
    w.commit();
    assert_eq!(w.script.lock().unwrap().opened, 1);
    assert!(w.story.iter().any(|s| s == "say device.delivery.received"));
}

#[test]
fn rule_01_what_a_sync_vouches_for_is_not_written_again_unless_the_new_life_changes_it() {
    let mut w = World::new();
    w.mark = Some(Mark { id: MarkId([9; 16]), boot_id: w.settings.boot_id, written: 0 });
    w.restart();
    w.broker_is_quick = false;
    for order_id in ["told", "seen"] {
        w.deliver(&w.put(order_id, "1").with("notify_url", URL));
        w.board_ends(DISPENSED);
    }
    // Its intent is durable, and the mark says that nothing of it left.
    w.deliver(&w.put("begun", "1"));
    w.disk_is_quick = false;
    let seen = OnlySeen::Keys([b"seen\x001".to_vec()].into());
    let ledger = record::decode_ledger(w.ledger.as_ref().unwrap()).unwrap();
    let stock = Stock::read(std::mem::take(&mut w.disk), seen).unwrap();
    w.live_again(Recovered::Journal { ledger: Some(Box::new(ledger)), stock }, true);
    w.commit();
    let state = |order_id: &str| w.on_disk(order_id, "1").map(|line| line.state);
    assert_eq!(["told", "seen", "begun"].map(state), [None, Some("outcome".to_owned()), Some("accepted".to_owned())]);
}

#[test]
fn rule_01_an_order_that_comes_while_the_journal_opens_is_told_after_its_own_commit_and_once() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.restart();
    w.deliver(&w.put("1", "1"));
    w.deliver(&w.put("2", "1").with("quantity", "0").with("notify_url", URL));
    w.commit();
    assert_eq!((w.received_states().len(), w.requests.len()), (0, 0), "the first commit did not hold them");
    w.commit();
    assert_eq!(w.received_states(), ["accepted", "refused invalid"]);
    assert_eq!(w.requests.len(), 1);
}

#[test]
fn rule_02_the_largest_order_stays_under_four_kib() {
    let mut w = World::new();
    let long = "x".repeat(crate::order::command::ECHO_BYTES_MAX);
    let url = format!("https://shop.example/{}", "u".repeat(1_900));
    let put = w
        .put(&"o".repeat(64), &"r".repeat(64))
        .with("quantity", "10")
        .with("delivery_id", &long)
        .with("trade_id", &long)
        .with("machine_id", &long)
        .with("msg_id", &long)
        .with("amount", "184467440737095516.15")
        .with("notify_url", &url);
    w.deliver(&put);
    // The model journal refuses a record of 4 KiB or more; ten units with outcomes and a correction are the most.
    for _ in 0..9 {
        w.board_ends(DISPENSED);
    }
    w.board_says(Finding::Unproven("test"));
    assert_eq!(w.disk.len(), 1);
}

#[test]
fn rule_05_in_quarantine_nothing_is_acknowledged_driven_or_released_and_get_says_unavailable() {
    let mut w = World::new();
    w.deliver(&w.put("60", "78"));
    w.live_again(Recovered::Quarantine { why: Said::word("a digest is wrong") }, true);
    let acks = w.acks.len();
    w.deliver(&w.put("61", "78"));
    w.pass_s(600);
    w.deliver(&w.put("62", "78").with("method", "device.delivery.get"));
    let script = w.script.lock().unwrap();
    assert_eq!((script.driven.len(), script.released, script.opened), (0, 0, 0));
    drop(script);
    assert_eq!(w.acks.len(), acks, "the put before it is not acknowledged, so nothing after it may be");
    assert_eq!(w.received_states().last().unwrap(), "unavailable");
    assert_eq!(w.pending, None);
}

#[test]
fn rule_06_a_command_issued_before_the_journals_birth_is_never_driven() {
    let mut w = World::unborn(settings(), Now { boot: BootMs(1_000), wall: UnixMs(T0_S * 1_000), synchronised: true });
    w.deliver(&Put::new("1", "1", T0_S - 1));
    assert_eq!(w.driven(), 0);
    assert_eq!(w.outcome_on_disk("1", "1"), ["unknown"]);
    assert_eq!(w.last_said("device.delivery.response")["outcome"], "unknown");
    w.deliver(&Put::new("2", "1", T0_S));
    assert_eq!(w.driven(), 1, "the same whole second is not before");
}

#[test]
fn rule_06_what_an_old_session_redelivers_to_a_new_journal_is_never_driven() {
    let mut w = World::new();
    w.ledger = None;
    w.disk.clear();
    w.restart_with_session(true);
    let put = w.put("1", "1");
    w.redeliver(&put);
    assert_eq!((w.driven(), w.outcome_on_disk("1", "1")), (0, vec!["unknown".to_owned()]));
    // From the second connection on, what comes again was given to this very journal.
    w.connect(true);
    w.redeliver(&w.put("2", "1"));
    assert_eq!(w.driven(), 1);
}

#[test]
fn rule_06_a_journal_born_without_time_gets_its_birth_when_time_is_trusted() {
    let born = Now { boot: BootMs(0), wall: UnixMs(5_000), synchronised: false };
    let mut w = World::unborn(settings(), born);
    w.deliver(&Put::new("1", "1", T0_S - 31));
    w.deliver(&Put::new("2", "1", T0_S - 29));
    assert_eq!(w.driven(), 0, "held");
    w.pass_s(30);
    w.now.wall = UnixMs(T0_S * 1_000);
    w.now.synchronised = true;
    w.step(Event::Wake);
    assert_eq!(w.outcome_on_disk("1", "1"), ["unknown"], "issued a second before the birth");
    assert_eq!(w.driven(), 1);
}

#[test]
fn rule_07_a_failed_journal_stops_accepting_and_driving_and_ends_the_process_after_a_pause() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_ends(DISPENSED);
    w.disk_is_quick = false;
    w.deliver(&w.put("2", "1"));
    let acks = w.acks.len();
    w.step(Event::JournalFailed { why: Said::word("no space") });
    w.deliver(&w.put("3", "1"));
    assert_eq!((w.acks.len(), w.driven()), (acks, 1), "order 2 is neither acknowledged nor driven");
    assert_eq!(w.ended, None);
    w.answer(200, "");
    w.pass_s(11);
    assert_eq!(w.ended, Some(Ending::JournalFailed));
}

#[test]
fn rule_07_without_space_new_commands_wait_unacknowledged_and_go_on_when_there_is_room() {
    let mut w = World::new();
    w.step(Event::Space { enough: false });
    w.deliver(&w.put("1", "1"));
    assert!(w.acks.is_empty() && w.disk.is_empty());
    w.step(Event::Space { enough: true });
    assert_eq!((w.acks.len(), w.driven()), (1, 1));
}

#[test]
fn rule_09_a_refusal_is_durable_before_it_is_told_and_its_key_cannot_be_driven_later() {
    let mut w = World::new();
    w.disk_is_quick = false;
    let bad = w.put("1", "1").with("quantity", "11").with("notify_url", URL);
    w.deliver(&bad);
    assert!(w.acks.is_empty() && w.said.is_empty() && w.requests.is_empty());
    w.commit();
    assert_eq!(w.received_states(), ["refused invalid"]);
    assert_eq!(w.last_said("device.delivery.response")["outcome"], "refused");
    w.disk_is_quick = true;
    w.deliver(&w.put("1", "1").with("quantity", "1"));
    assert_eq!((w.driven(), w.received_states().last().unwrap().as_str()), (0, "refused conflict"));
    w.deliver(&bad);
    assert_eq!((w.driven(), w.received_states().last().unwrap().as_str()), (0, "duplicate"));
}

#[test]
fn rule_10_the_same_key_with_another_body_is_a_conflict_and_never_a_result() {
    for (field, value) in
        [("code", "6"), ("addr", "2"), ("quantity", "2"), ("floor_type", "2"), ("is_lp", "1"), ("is_dc", "0")]
    {
        let mut w = World::new();
        w.deliver(&w.put("1", "1").with("notify_url", URL));
        w.board_ends(DISPENSED);
        w.answer(200, "");
        let reports = w.count_said("device.delivery.response");
        w.deliver(&w.put("1", "1").with(field, value).with("notify_url", "https://other.example/"));
        assert_eq!(w.received_states().last().unwrap(), "refused conflict", "{field}");
        assert_eq!((w.driven(), w.count_said("device.delivery.response")), (1, reports), "{field}");
        assert!(w.requests.is_empty());
        assert_eq!(w.acks.len(), 2);
    }
}

#[test]
fn rule_10_another_time_or_message_id_is_a_duplicate_and_the_first_deadline_stays() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.deliver(&w.put("1", "1").with("expired_at", &(T0_S + 30).to_string()));
    w.pass_s(10);
    w.deliver(&w.put("1", "1").with("msg_id", "again").with("expired_at", &(T0_S + 900).to_string()));
    assert_eq!(w.received_states(), ["accepted", "duplicate"]);
    w.pass_s(25);
    assert_eq!(w.outcome_on_disk("1", "1"), ["refused"]);
}

#[test]
fn rule_11_a_wrong_signature_or_another_machine_leaves_nothing_but_a_count() {
    let mut w = World::new();
    let forged = {
        let mut bytes = w.put("1", "1").with("notify_url", URL).payload(&settings().mqtt_key);
        let other = Put::new("1", "1", T0_S).payload(&crate::cloud::sign::SigningKey::new("wrong").unwrap());
        bytes.clear();
        bytes.extend(other);
        bytes
    };
    let commits = w.commits;
    w.deliver_raw(&forged, false);
    w.deliver(&w.put("2", "1").with("client_id", "99999999").with("notify_url", URL));
    assert_eq!((w.acks.len(), w.commits), (2, commits));
    assert!(w.said.is_empty() && w.requests.is_empty() && w.disk.is_empty() && w.driven() == 0);
    assert_eq!(w.core.status(w.now).rejected.len(), 2);
    for _ in 0..400 {
        w.deliver_raw(&forged, false);
    }
    assert_eq!(w.core.status(w.now).rejected.len(), crate::core::RING_MAX);
}

#[test]
fn rule_12_an_unknown_key_as_old_as_the_oldest_that_was_forgotten_is_stale() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.board_ends(DISPENSED);
    w.pass_s(31);
    // As if the archive had forgotten an order issued now.
    let mut ledger = crate::order::record::decode_ledger(w.ledger.as_ref().unwrap()).unwrap();
    ledger.evicted_issued_at_s = w.now_s();
    w.ledger = Some(crate::order::record::encode_ledger(&ledger).unwrap());
    w.restart();
    let reports = w.count_said("device.delivery.response");
    w.deliver(&w.put("2", "1"));
    assert_eq!((w.driven(), w.received_states().last().unwrap().as_str()), (0, "refused stale"));
    assert_eq!(w.count_said("device.delivery.response"), reports);
    w.pass_s(1);
    w.deliver(&w.put("3", "1"));
    assert_eq!(w.driven(), 1);
}

#[test]
fn rule_13_a_message_that_can_never_be_accepted_is_acknowledged_and_what_comes_after_is_served() {
    let mut w = World::new();
    for bad in ["", "not base64!", "bm90IGpzb24=", "W10=", "eyJhIjp7fX0=", "eyJhIjoiMSIsImEiOiIyIn0="] {
        w.deliver_raw(bad.as_bytes(), false);
    }
    w.deliver(&w.put("1", "1").with("order_id", "has space"));
    assert_eq!(w.acks.len(), 7);
    w.deliver(&w.put("2", "1"));
    assert_eq!((w.acks.len(), w.driven()), (8, 1));
}

#[test]
fn rule_14_the_next_intent_waits_until_the_result_is_durable_released_and_the_board_idle() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.deliver(&w.put("2", "1"));
    w.pass_ms(ARRIVAL_COMMIT_MS);
    w.disk_is_quick = false;
    w.board_ends(DISPENSED);
    assert_eq!(w.on_disk("2", "1").unwrap().state, "accepted");
    w.commit();
    // Released: the scripted board is idle only now, and only now the second intent goes into a commit.
    assert_eq!(w.driven(), 1);
    w.commit();
    assert_eq!((w.driven(), w.on_disk("2", "1").unwrap().state.as_str()), (2, "intent"));
}

#[test]
fn rule_14_a_held_result_belongs_to_the_last_unresolved_intent_and_never_to_a_new_one() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.restart();
    w.board_says(Finding::Unproven("the board restarted"));
    assert_eq!(w.outcome_on_disk("1", "1"), ["unknown"]);
    let late =
        Finding::Late { address: crate::board::driver::Address::new(1).unwrap(), slot: None, evidence: DISPENSED };
    w.board_says(late.clone());
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"]);
    w.deliver(&w.put("2", "1"));
    w.board_says(late);
    assert_eq!(w.on_disk("2", "1").unwrap().state, "intent", "a late result is not credited to the running order");
}

#[test]
fn rule_16_after_unknown_no_motor_command_goes_out_before_the_line_is_idle() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.line_is(LineState::Settling);
    w.board_says(Finding::Unproven("silence"));
    w.deliver(&w.put("2", "1"));
    w.pass_s(5);
    assert_eq!(w.driven(), 1);
    w.line_is(LineState::Idle);
    assert_eq!(w.driven(), 2);
}

#[test]
fn rule_18_board_offline_is_said_only_when_no_byte_left_and_otherwise_unknown() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.board_says(Finding::NotTaken(Reason::BoardOffline));
    assert_eq!(w.outcome_on_disk("1", "1"), ["refused"]);
    assert_eq!(w.last_said("device.delivery.response")["reason"], "board_offline");
    w.line_is(LineState::Idle);
    w.deliver(&w.put("2", "1"));
    w.board_says(Finding::Unproven("silence"));
    assert_eq!(w.outcome_on_disk("2", "1"), ["unknown"]);
}

#[test]
fn rule_19_no_message_but_an_order_turns_a_motor_unless_the_configuration_allows_it() {
    let mut w = World::new();
    // The one other message that turns a motor: it is no order, and off by default.
    let debugging = w.put("1", "1").with("method", "client.channel.debugging").with("order_type", "test");
    w.deliver(&debugging);
    assert_eq!((w.driven(), w.acks.len(), w.core.open_orders().len()), (0, 1, 0));
}

#[test]
fn an_order_for_a_board_that_is_away_waits_its_time_and_is_refused_board_offline() {
    let mut w = World::new();
    w.line_is(LineState::Closed);
    w.deliver(&w.put("1", "1"));
    w.pass_s(70);
    assert_eq!(w.on_disk("1", "1").unwrap().state, "accepted");
    w.pass_s(10);
    assert_eq!(w.last_said("device.delivery.response")["reason"], "board_offline");
    assert_eq!(w.driven(), 0);
}

#[test]
fn rule_21_recovery_ends_in_unknown_and_later_evidence_corrects_it() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.restart();
    assert_eq!(w.script.lock().unwrap().resumed.len(), 1);
    w.pass_s(74);
    assert_eq!(w.on_disk("1", "1").unwrap().state, "intent");
    w.pass_s(2);
    assert_eq!(w.outcome_on_disk("1", "1"), ["unknown"]);
    assert_eq!(w.script.lock().unwrap().given_up, 1);
    let slot = Some(crate::board::driver::Slot(5));
    let address = crate::board::driver::Address::new(1).unwrap();
    w.board_says(Finding::Late { address, slot, evidence: DISPENSED });
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"]);
    assert_eq!(w.last_said("device.delivery.response")["sequence"], "2");
}

#[test]
fn rule_22_a_commit_says_when_somebody_on_the_line_may_wait_for_us() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    assert!(!w.line_waits, "nothing is under way: the intent may be waited for");
    w.commit();
    w.deliver(&w.put("2", "1"));
    w.pass_ms(ARRIVAL_COMMIT_MS);
    assert!(w.line_waits, "a motor turns");
    w.commit();
    w.board_ends(DISPENSED);
    assert!(!w.line_waits, "it stands still");
    w.script.lock().unwrap().polls = true;
    w.commit();
    assert!(w.pending.is_some(), "the next intent");
    assert!(w.line_waits, "a board that polls gives us 100 ms at any time");
}

#[test]
fn rule_23_units_go_one_by_one_and_the_rest_is_refused_after_the_first_that_fails() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("quantity", "3"));
    w.board_ends(DISPENSED);
    assert_eq!(w.driven(), 2);
    w.board_ends(OPEN);
    assert_eq!(w.driven(), 2);
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed", "not_dispensed", "refused"]);
    let report = w.last_said("device.delivery.response");
    assert_eq!((report["outcome"].as_str(), report["deliver_status"].as_str()), ("partial", "0"));
}

#[test]
fn rule_23_every_unit_has_its_own_expiry_check() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("quantity", "2").with("expired_at", &(T0_S + 10).to_string()));
    w.pass_s(11);
    w.board_ends(DISPENSED);
    assert_eq!((w.driven(), w.outcome_on_disk("1", "1")), (1, vec!["dispensed".to_owned(), "refused".to_owned()]));
}

#[test]
fn rule_21_later_evidence_says_nothing_of_a_sensor_that_the_order_did_not_arm() {
    for (is_dc, drop_sensor, outcome) in [
        ("0", DropSensor::Seen, "dispensed_unverified"),
        ("1", DropSensor::Seen, "dispensed"),
        // A board whose sensor judges unasked.
        ("0", DropSensor::NotSeen, "no_drop"),
    ] {
        let mut w = World::new();
        w.deliver(&w.put("1", "1").with("is_dc", is_dc));
        w.board_says(Finding::Unproven("silence"));
        let address = crate::board::driver::Address::new(1).unwrap();
        let evidence = Evidence { motor: Motor::Ok, drop_sensor };
        w.board_says(Finding::Late { address, slot: None, evidence });
        assert_eq!(w.outcome_on_disk("1", "1"), [outcome], "is_dc {is_dc}");
    }
}

#[test]
fn rule_24_a_correction_comes_once_and_a_report_is_frozen_when_it_is_first_sent() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_says(Finding::Unproven("silence"));
    let (token, first) = w.requests.pop_front().unwrap();
    w.pass_s(3);
    let failure = crate::core::event::HttpFailure { kind: FailureKind::NoAnswer, why: Said::word("refused") };
    w.step(Event::Answered { token, answer: Err(failure) });
    let address = crate::board::driver::Address::new(1).unwrap();
    let late = |evidence| Finding::Late { address, slot: None, evidence };
    w.board_says(late(DISPENSED));
    w.board_says(late(OPEN));
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"], "once");
    w.pass_s(30);
    let again = w.answer(200, "");
    assert_eq!((again.body, again.headers), (first.body, first.headers), "the same body under the same key");
    w.pass_s(30);
    let correction = w.answer(200, "");
    let body: serde_json::Value = serde_json::from_slice(&correction.body).unwrap();
    assert_eq!((body["sequence"].as_u64(), body["outcome"].as_str()), (Some(2), Some("dispensed")));
}

#[test]
fn rule_24_a_restart_repeats_a_report_byte_for_byte() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_ends(DISPENSED);
    let (_, first) = w.requests.pop_front().unwrap();
    w.pass_s(5);
    w.restart();
    let again = w.answer(200, "");
    assert_eq!(again.body, first.body);
}

#[test]
fn rule_25_a_refund_is_asked_for_when_nothing_was_or_may_have_been_dispensed() {
    let mut s = settings();
    s.cloud.refund_failed = true;
    let mut w = World::with(s);
    w.deliver(&w.put("1", "1"));
    w.board_ends(OPEN);
    let refund = w.answer(200, r#"{"code":0,"message":"ok","data":""}"#);
    assert_eq!((refund.method, refund.url.as_str()), ("PUT", "https://cloud.example/api/openapi/v1/orders/1"));
    w.deliver(&w.put("2", "1"));
    w.board_ends(DISPENSED);
    w.deliver(&w.put("3", "1"));
    w.board_says(Finding::Unproven("silence"));
    assert!(w.requests.is_empty());
}

#[test]
fn rule_25_no_refund_is_asked_for_an_order_that_the_cloud_calls_served() {
    let body = |status: &str| {
        let records = format!(r#"[{{"id":1,"status":"{status}"}}]"#);
        format!(r#"{{"code":0,"message":"ok","data":{{"order_id":1,"status":"SUCCESS","records":{records}}}}}"#)
    };
    let delivered = r#"{"code":6034,"message":"order already delivered","data":""}"#.to_owned();
    for (answer, reason, refunds) in [
        (body("IS_SUCCESS"), "served", 0),
        (body("IS_PICKED_UP"), "served", 0),
        (delivered, "served", 0),
        (body("IS_TIMEOUT"), "closed", 1),
    ] {
        let mut s = settings();
        s.cloud.refund_failed = true;
        s.cloud.verify_orders = VerifyOrders::Always;
        let mut w = World::with(s);
        w.deliver(&w.put("1", "1"));
        w.answer(200, &answer);
        assert_eq!((&*w.last_said("device.delivery.response")["reason"], w.driven()), (reason, 0), "{answer}");
        let asked = w.requests.iter().filter(|(_, request)| request.method == "PUT").count();
        assert_eq!(asked, refunds, "{answer}");
    }
}

#[test]
fn rule_26_beyond_1024_open_orders_a_command_is_refused_busy() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    for n in 0..ORDERS_OPEN_MAX {
        w.deliver(&w.put(&n.to_string(), "1"));
    }
    assert_eq!(w.received_states().last().unwrap(), "accepted");
    w.deliver(&w.put("one-more", "1"));
    assert_eq!(w.received_states().last().unwrap(), "refused busy");
    assert_eq!(w.acks.len(), ORDERS_OPEN_MAX + 1);
}

#[test]
fn rule_27_an_order_is_not_driven_after_its_deadline_or_twenty_minutes() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.deliver(&w.put("1", "1").with("expired_at", &(T0_S + 9_999).to_string()));
    w.pass_s(1_199);
    assert_eq!(w.on_disk("1", "1").unwrap().state, "accepted");
    w.pass_s(3);
    assert_eq!(w.outcome_on_disk("1", "1"), ["refused"]);
    w.line_is(LineState::Idle);
    w.deliver(&Put::new("2", "1", w.now_s() - 1_201));
    assert_eq!((w.driven(), w.received_states().last().unwrap().as_str()), (0, "refused expired"));
}

#[test]
fn rule_27_a_slow_sync_cannot_make_an_expired_order_turn() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1").with("expired_at", &(T0_S + 5).to_string()));
    w.pass_s(6);
    w.commit();
    assert_eq!(w.driven(), 0);
    w.commit();
    assert_eq!(w.outcome_on_disk("1", "1"), ["refused"]);
}

#[test]
fn rule_27_a_late_order_is_driven_only_when_the_cloud_says_so() {
    let mut s = settings();
    s.cloud.verify_orders = VerifyOrders::Late;
    let mut w = World::with(s);
    w.deliver(&Put::new("60", "78", w.now_s() - 101));
    assert_eq!(w.driven(), 0);
    w.no_answer();
    w.pass_s(31);
    assert_eq!(w.driven(), 0, "no answer means hold");
    let paid = r#"{"code":0,"message":"ok","data":{"order_id":60,"status":"SUCCESS",
        "records":[{"id":78,"status":"WAITING_PICKED_UP"}]}}"#;
    let asked = w.answer(200, paid);
    assert_eq!(asked.url, "https://cloud.example/api/openapi/v1/orders/60");
    assert_eq!(w.driven(), 1);
}

#[test]
fn rule_27_an_order_that_the_cloud_calls_closed_is_refused() {
    let mut s = settings();
    s.cloud.verify_orders = VerifyOrders::Always;
    let mut w = World::with(s);
    w.deliver(&w.put("60", "78"));
    w.answer(200, r#"{"code":0,"message":"ok","data":{"order_id":60,"status":"REFUND","records":[{"id":78}]}}"#);
    assert_eq!((w.driven(), w.outcome_on_disk("60", "78")), (0, vec!["refused".to_owned()]));
    assert_eq!(w.last_said("device.delivery.response")["reason"], "closed");
    w.deliver(&w.put("61", "78"));
    w.answer(200, r#"{"code":40006,"message":"no","data":{}}"#);
    assert_eq!(w.last_said("device.delivery.response")["reason"], "closed");
    w.deliver(&w.put("62", "78"));
    w.answer(401, r#"{"code":1000,"message":"who are you"}"#);
    assert_eq!(w.on_disk("62", "78").unwrap().state, "accepted", "it says nothing about the order: hold");
    w.pass_s(1_260);
    assert_eq!(w.outcome_on_disk("62", "78"), ["refused"], "and in the end it expires");
}

#[test]
fn rule_28_after_a_reboot_an_order_waits_for_trusted_time_and_then_expires() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.deliver(&w.put("1", "1"));
    w.reboot(T0_S + 20, false);
    w.no_answer();
    assert_eq!(w.driven(), 0, "a plausible clock proves nothing");
    w.pass_s(60);
    w.now.wall = UnixMs::from_seconds(T0_S + 100);
    w.now.synchronised = true;
    w.step(Event::Wake);
    assert_eq!(w.driven(), 1);
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.deliver(&w.put("1", "1"));
    w.reboot(5, false);
    w.pass_s(1_260);
    assert_eq!((w.driven(), w.outcome_on_disk("1", "1")), (0, vec!["refused".to_owned()]));
}

#[test]
fn rule_28_the_platforms_date_is_asked_at_start_and_trusted() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.deliver(&w.put("1", "1"));
    w.reboot(5, false);
    w.answer_with_date(200, T0_S + 50, r#"{"code":0,"data":"pong"}"#);
    assert_eq!(w.driven(), 1);
}

#[test]
fn rule_29_a_jump_of_the_wall_clock_moves_no_timer() {
    for jump in [T0_S * 1_000 + 86_400_000, 0] {
        let mut w = World::new();
        w.line_is(LineState::Busy);
        w.deliver(&w.put("1", "1"));
        w.now.wall = UnixMs(jump);
        w.step(Event::Wake);
        assert_eq!(w.on_disk("1", "1").unwrap().state, "accepted", "aged by the boot clock alone");
        w.line_is(LineState::Idle);
        assert_eq!(w.driven(), 1);
    }
}

#[test]
fn a_command_from_the_future_is_refused_clock() {
    let mut w = World::new();
    w.deliver(&Put::new("1", "1", w.now_s() + 301));
    assert_eq!((w.driven(), w.received_states()), (0, vec!["refused clock".to_owned()]));
    w.deliver(&w.put("2", "1").with("paid_at", &(w.now_s() + 301).to_string()));
    assert_eq!((w.driven(), w.received_states().last().unwrap().as_str()), (0, "refused clock"));
    w.deliver(&Put::new("3", "1", w.now_s() + 299));
    assert_eq!(w.driven(), 1);
}

#[test]
fn a_clock_in_2099_or_1970_drives_nothing_and_loses_nothing() {
    const Y2099_S: u64 = 4_070_908_800;
    for (trust_system_clock, synchronised, wall_s) in
        [(true, false, Y2099_S), (false, true, Y2099_S), (true, false, 5), (false, false, Y2099_S), (false, false, 5)]
    {
        let mut s = settings();
        s.trust_system_clock = trust_system_clock;
        let mut w = World::with(s);
        w.now.wall = UnixMs::from_seconds(wall_s);
        w.now.synchronised = synchronised;
        w.step(Event::Wake);
        w.deliver(&Put::new("1", "1", T0_S).with("notify_url", URL));
        w.pass_s(1_300);
        assert_eq!(w.driven(), 0, "{trust_system_clock} {synchronised} {wall_s}");
        assert_eq!(w.outcome_on_disk("1", "1"), ["refused"], "it ends, and the merchant is told");
        assert!(w.acks.len() == 1 && w.count_said("device.delivery.response") == 1);
    }
}
