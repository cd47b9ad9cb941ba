//! Edges that only a changed program showed to be untested: limits met exactly, retries, words for people.

use super::world::{DISPENSED, OPEN, Put, T0_S, World, settings};
use crate::board::driver::{Address, Finding, LineState, Written};
use crate::core::VerifyOrders;
use crate::core::commit::ARRIVAL_COMMIT_MS;
use crate::core::event::{Ending, Epoch, Event, HttpAnswer, Tag};
use crate::order::record::{self, RecordError};
use crate::order::said::Said;
use crate::order::time::{BootMs, Now, UnixMs};

const URL: &str = "https://shop.example/notify";

fn urls(w: &World) -> Vec<&str> {
    w.requests.iter().map(|(_, request)| request.url.as_str()).collect()
}

/// Orders 1 to `orders`, all dispensed, each with its receiver.
fn report_to(w: &mut World, orders: usize, url: impl Fn(usize) -> String) {
    for n in 1..=orders {
        w.deliver(&w.put(&n.to_string(), "1").with("notify_url", &url(n)));
        w.board_ends(DISPENSED);
    }
}

#[test]
fn an_order_whose_slot_the_profile_has_no_more_is_refused_like_a_command_for_it() {
    type Change = fn(&mut crate::board::profile::Profile);
    let changes: [Change; 2] = [|profile| profile.slots.gaps.push(5), |profile| profile.slots.first = 6];
    for change in changes {
        let mut w = World::new();
        w.line_is(LineState::Settling);
        w.deliver(&w.put("1", "1").with("quantity", "2"));
        w.pass_ms(ARRIVAL_COMMIT_MS);
        assert_eq!(w.on_disk("1", "1").unwrap().state, "accepted");
        change(&mut w.settings.profile);
        w.restart();
        assert_eq!(w.driven(), 0);
        assert_eq!(w.outcome_on_disk("1", "1"), ["refused", "refused"]);
        assert_eq!(w.last_said("device.delivery.response")["error_msg"], "slot");
    }
}

#[test]
fn a_unit_that_was_on_the_line_is_asked_about_although_the_profile_has_its_slot_no_more() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    assert_eq!(w.driven(), 1);
    w.settings.profile.slots.gaps.push(5);
    w.restart();
    assert_eq!(w.on_disk("1", "1").unwrap().state, "intent");
    w.board_ends(DISPENSED);
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"]);
}

#[test]
fn a_commit_that_was_not_asked_for_makes_nothing_durable() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1"));
    let pending = w.pending.unwrap();
    w.step(Event::Committed(pending + 1));
    assert_eq!((w.acks.len(), w.driven()), (0, 0));
    w.commit();
    assert_eq!((w.acks.len(), w.driven()), (1, 1), "the one that was asked for still counts");
}

#[test]
fn rule_06_a_new_journal_remembers_that_no_session_of_a_former_life_was_left() {
    let mut w = World::new();
    w.restart_with_session(true);
    let put = w.put("1", "1");
    w.redeliver(&put);
    assert_eq!(w.driven(), 1, "the first connection had no session, so this journal was given it");
}

#[test]
fn requests_are_limited_in_all_and_for_each_host() {
    let mut w = World::new();
    report_to(&mut w, 12, |n| format!("https://shop{n}.example/"));
    assert_eq!(w.requests.len(), 8, "in all");
    w.answer(200, "");
    assert_eq!(w.requests.len(), 8, "the next takes its place");

    let mut w = World::new();
    report_to(&mut w, 6, |_| URL.to_owned());
    assert_eq!(w.requests.len(), 4, "to one host");
    w.answer(200, "");
    assert_eq!(w.requests.len(), 4, "the next takes its place");
}

#[test]
fn a_message_of_a_lost_connection_or_of_a_failed_journal_changes_nothing() {
    let mut w = World::new();
    let put = w.put("1", "1").payload(&w.settings.mqtt_key);
    let old = Tag { epoch: Epoch(0), number: 1 };
    w.step(Event::Message { tag: old, payload: put.clone().into(), redelivered: false });
    assert_eq!((w.disk.len(), w.driven(), w.acks.len()), (0, 0, 0), "the broker gives it again on the next one");
    w.step(Event::JournalFailed { why: Said::word("EIO") });
    w.deliver_raw(&put, false);
    assert_eq!((w.core.open_orders().len(), w.driven(), w.acks.len()), (0, 0, 0), "nothing of it could be kept");
}

#[test]
fn rule_06_a_faulty_command_from_before_the_journals_birth_is_unknown_and_not_refused() {
    let mut w = World::unborn(settings(), Now { boot: BootMs(1_000), wall: UnixMs(T0_S * 1_000), synchronised: true });
    w.deliver(&Put::new("1", "1", T0_S - 1).with("quantity", "0"));
    assert_eq!(w.outcome_on_disk("1", "1"), ["unknown"], "a former life may have read it otherwise and turned");
    w.deliver(&Put::new("2", "1", T0_S).with("quantity", "0"));
    assert_eq!(w.outcome_on_disk("2", "1"), ["refused"]);
}

#[test]
fn rule_06_nor_is_one_refused_as_long_as_nobody_knows_when_the_journal_was_born() {
    let mut w = World::unborn(settings(), Now { boot: BootMs(0), wall: UnixMs(5_000), synchronised: false });
    w.deliver(&Put::new("1", "1", T0_S).with("quantity", "0"));
    assert_eq!(w.outcome_on_disk("1", "1"), ["unknown"], "a former life may have got it with another body, and turned");
}

#[test]
fn an_order_that_expires_in_the_queue_does_not_touch_the_one_on_the_line() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    let until = (w.now_s() + 3).to_string();
    w.deliver(&w.put("2", "1").with("expired_at", &until));
    w.pass_s(5);
    assert_eq!(w.outcome_on_disk("2", "1"), ["refused"]);
    assert_eq!(w.on_disk("1", "1").unwrap().state, "intent");
    w.board_ends(DISPENSED);
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"]);
}

#[test]
fn an_order_that_expires_while_another_ones_intent_is_written_does_not_take_it_back() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.deliver(&w.put("1", "1"));
    let until = (w.now_s() + 3).to_string();
    w.deliver(&w.put("2", "1").with("expired_at", &until));
    w.disk_is_quick = false;
    w.line_is(LineState::Idle);
    w.pass_s(5);
    w.commit();
    assert_eq!(w.driven(), 1, "its intent is durable now");
    w.commit();
    assert_eq!(w.outcome_on_disk("2", "1"), ["refused"]);
}

#[test]
fn a_record_that_lies_under_another_key_is_no_record() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    let (key, record) = w.disk.pop_first().unwrap();
    assert!(record::decode_order(&key, &record).is_ok());
    assert!(matches!(record::decode_order(b"1\x002", &record), Err(RecordError::Misplaced { .. })));
}

#[test]
fn a_report_is_tried_again_within_a_second_the_first_time_and_two_the_next() {
    for seed in 0..40 {
        let mut s = settings();
        s.seed = seed;
        let mut w = World::with(s);
        report_to(&mut w, 1, |_| URL.to_owned());
        for most_ms in [1_000, 2_000] {
            w.no_answer();
            w.pass_ms(most_ms);
            assert_eq!(w.requests.len(), 1, "seed {seed}, within {most_ms} ms");
        }
    }
}

#[test]
fn a_stop_waits_for_what_is_on_its_way_to_the_disk() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.step(Event::Stop);
    assert_eq!(w.ended, None, "the order is not durable yet");
    w.commit();
    assert_eq!(w.ended, Some(Ending::Stopped));
    assert_eq!(w.acks.len(), 1);

    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_ends(DISPENSED);
    w.disk_is_quick = false;
    w.answer(200, "");
    assert_eq!((w.pending, w.ended), (None, None), "a mark that nobody waits for");
    w.step(Event::Stop);
    assert_eq!(w.ended, None, "is written before the end");
    w.commit();
    assert_eq!((w.ended, w.on_disk("1", "1").unwrap().state.as_str()), (Some(Ending::Stopped), "tombstone"));
}

#[test]
fn rule_07_a_failed_journal_wakes_nobody_before_the_process_ends() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    let until = (w.now_s() + 3).to_string();
    w.deliver(&w.put("1", "1").with("expired_at", &until));
    w.step(Event::JournalFailed { why: Said::word("EIO") });
    assert_eq!(w.core.deadline(), Some(w.now.boot.plus_ms(crate::core::FAILED_PAUSE_MS)));
}

#[test]
fn rule_01_a_journal_that_opens_slowly_wakes_nobody_for_what_must_wait_for_it() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    let until = (w.now_s() + 3).to_string();
    w.deliver(&w.put("1", "1").with("expired_at", &until));
    w.disk_is_quick = false;
    w.restart();
    let commit_due = w.now.boot.plus_ms(60_000);
    assert_eq!(w.core.deadline(), Some(commit_due), "nothing but the commit that opens the journal");
    w.pass_s(10);
    w.commit();
    assert_eq!(w.core.open_orders().len(), 1);
    w.commit();
    assert_eq!((w.outcome_on_disk("1", "1"), w.driven()), (vec!["refused".to_owned()], 0));
}

#[test]
fn nothing_is_published_without_a_connection_and_little_before_the_broker_takes_it() {
    let mut w = World::new();
    w.broker_is_quick = false;
    for n in 1..=40 {
        w.deliver(&w.put(&n.to_string(), "1"));
        w.board_ends(DISPENSED);
    }
    assert_eq!(w.said.len(), 64, "the window; the rest waits in the journal");
    w.broker_is_quick = true;
    let published = std::mem::take(&mut w.published);
    for token in published {
        w.step(Event::Published(token));
    }
    assert_eq!((w.count_said("device.delivery.received"), w.count_said("device.delivery.response")), (40, 40));

    w.line_is(LineState::Busy);
    w.deliver(&w.put("41", "1"));
    w.disk_is_quick = false;
    w.deliver(&w.put("42", "1"));
    w.step(Event::Disconnected { why: Said::word("gone") });
    w.commit();
    assert_eq!(w.count_said("device.delivery.received"), 41, "there is nobody to hear it");
    w.connect(true);
    assert_eq!(w.count_said("device.delivery.received"), 42);
}

#[test]
fn a_host_that_failed_five_times_is_called_by_one_probe_at_a_time_until_it_answers() {
    let mut w = World::new();
    report_to(&mut w, 7, |_| URL.to_owned());
    for _ in 0..5 {
        w.no_answer();
        w.pass_ms(1);
    }
    assert!(w.requests.len() <= 3, "those that were under way: {:?}", urls(&w));
    while !w.requests.is_empty() {
        w.no_answer();
    }
    let (mut most, mut calls) = (0, 0);
    for _ in 0..600 {
        w.pass_ms(1_000);
        most = most.max(w.requests.len());
        if !w.requests.is_empty() {
            calls += 1;
            w.no_answer();
            assert!(w.requests.is_empty(), "the host is left alone after a failure: {:?}", urls(&w));
        }
    }
    assert_eq!(most, 1);
    assert!((5..120).contains(&calls), "{calls} calls in ten minutes");
    w.pass_s(1_200);
    assert_eq!(w.requests.len(), 1, "woken for the probe, and for it alone");
    for _ in 0..7 {
        w.answer(200, "");
        w.pass_s(1_200);
    }
    assert_eq!(w.core.status(w.now).reports_open, 0, "all follow once it answers");
    assert_eq!(w.core.status(w.now).counters.reports_settled, 14, "each over HTTP and over MQTT");
}

#[test]
fn the_repeated_result_of_a_corrected_order_is_the_correction() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_says(Finding::Unproven("silence"));
    w.board_says(Finding::Late { address: Address::new(1).unwrap(), slot: None, evidence: DISPENSED });
    w.answer(200, "");
    w.answer(200, "");
    w.pass_s(61);
    let on_disk = w.on_disk("1", "1").unwrap();
    assert_eq!((on_disk.state.as_str(), on_disk.reports.len()), ("tombstone", 1), "the last is the truth");
    let said = w.count_said("device.delivery.response");
    w.deliver(&w.put("1", "1").with("method", "device.delivery.get"));
    assert_eq!(w.count_said("device.delivery.response"), said + 1);
    let repeated = w.last_said("device.delivery.response");
    assert_eq!((repeated["sequence"].as_str(), repeated["outcome"].as_str()), ("2", "dispensed"));
}

#[test]
fn a_result_is_repeated_once_a_minute_and_again_when_the_minute_is_over() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.board_ends(DISPENSED);
    let get = w.put("1", "1").with("method", "device.delivery.get");
    for (wait_ms, said) in [(0, 2), (59_999, 2), (1, 3), (0, 3)] {
        w.pass_ms(wait_ms);
        w.deliver(&get);
        assert_eq!(w.count_said("device.delivery.response"), said, "after {wait_ms} ms more");
    }
}

#[test]
fn a_command_and_its_payment_may_lie_five_minutes_ahead_of_a_trusted_clock_and_no_more() {
    let mut w = World::new();
    let ahead = |w: &World, s: u64| (w.now_s() + s).to_string();
    for (n, field) in [(1, "timestamp"), (3, "paid_at")] {
        w.deliver(&w.put(&n.to_string(), "1").with(field, &ahead(&w, 300)));
        assert_eq!(w.received_states().last().unwrap(), "accepted", "{field}");
        w.board_ends(DISPENSED);
        w.deliver(&w.put(&(n + 1).to_string(), "1").with(field, &ahead(&w, 301)));
        assert_eq!(w.received_states().last().unwrap(), "refused clock", "{field}");
    }
    assert_eq!(w.driven(), 2);
}

#[test]
fn a_rejected_message_is_told_again_after_ten_seconds_and_the_ring_knows_them_all() {
    let mut w = World::new();
    let told = |w: &World| w.core.status(w.now).recent.iter().filter(|n| n.what == "message_rejected").count();
    w.deliver_raw(b"junk", false);
    w.pass_ms(9_999);
    w.deliver_raw(b"junk", false);
    assert_eq!(told(&w), 1);
    w.pass_ms(1);
    w.deliver_raw(b"junk", false);
    assert_eq!((told(&w), w.core.status(w.now).rejected.len()), (2, 3));
    assert_eq!(w.core.status(w.now).counters.messages, 3);
}

#[test]
fn the_first_repeated_question_comes_within_a_second_whatever_chance_says() {
    for seed in 0..40 {
        let mut s = settings();
        s.seed = seed;
        let unknown = Now { boot: BootMs(1_000), wall: UnixMs(5_000), synchronised: false };
        let mut w = World::unborn(s, unknown);
        assert_eq!(w.requests.len(), 1, "what time is it?");
        w.no_answer();
        w.pass_ms(1_000);
        assert_eq!(w.requests.len(), 1, "seed {seed}: asked again");

        let mut s = settings();
        s.seed = seed;
        s.cloud.verify_orders = VerifyOrders::Always;
        let mut w = World::with(s);
        w.deliver(&w.put("1", "1"));
        w.no_answer();
        w.pass_ms(999);
        assert_eq!(w.requests.len(), 0, "seed {seed}: not at once");
        w.pass_ms(1);
        assert_eq!(w.requests.len(), 1, "seed {seed}: is it paid?");
    }
}

#[test]
fn without_a_cloud_nobody_is_asked_for_the_time() {
    let mut s = settings();
    s.cloud.url = String::new();
    let w = World::unborn(s, Now { boot: BootMs(1_000), wall: UnixMs(5_000), synchronised: false });
    assert!(w.requests.is_empty());
}

#[test]
fn four_orders_are_asked_about_at_once_and_the_rest_wait_their_turn() {
    let mut s = settings();
    s.cloud.verify_orders = VerifyOrders::Always;
    let mut w = World::with(s);
    for n in 1..=6 {
        w.deliver(&w.put(&n.to_string(), "1"));
    }
    assert_eq!(w.requests.len(), 4);
    w.no_answer();
    assert_eq!(w.requests.len(), 4, "the fifth has its turn");
}

#[test]
fn rule_28_in_the_boot_of_its_arrival_an_order_ages_by_the_boot_clock_though_trust_is_lost() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.deliver(&w.put("1", "1"));
    w.now.synchronised = false;
    w.pass_s(30);
    w.line_is(LineState::Idle);
    assert_eq!(w.driven(), 1, "30 s old, whatever the wall clock is worth");
}

#[test]
fn rule_28_the_wait_for_trusted_time_begins_anew_with_a_boot() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    w.deliver(&w.put("1", "1"));
    w.reboot(0, false);
    w.pass_s(1_190);
    assert_eq!(w.on_disk("1", "1").unwrap().state, "accepted", "it arrived an hour into the former boot");
    w.pass_s(10);
    assert_eq!(w.outcome_on_disk("1", "1"), ["refused"]);
    assert_eq!(w.driven(), 0);
}

#[test]
fn an_order_waits_for_an_absent_board_to_the_millisecond_and_no_longer() {
    let mut w = World::new();
    w.line_is(LineState::Closed);
    w.deliver(&w.put("1", "1"));
    let wait_ms = w.settings.profile.timing.longest_vend_ms + crate::core::drive::BOARD_WAIT_MS;
    assert_eq!(w.core.deadline(), Some(w.now.boot.plus_ms(wait_ms)), "it wants to be woken for that");
    w.pass_ms(wait_ms - 1);
    assert_eq!(w.on_disk("1", "1").unwrap().state, "accepted");
    w.pass_ms(1);
    assert_eq!(w.received_states(), ["accepted"]);
    assert_eq!(w.outcome_on_disk("1", "1"), ["refused"]);
}

#[test]
fn a_person_sees_units_by_number_the_boards_name_and_every_phase() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("quantity", "2"));
    let open = w.core.open_orders();
    let units: Vec<_> = open[0].units.iter().map(|u| (u.unit, u.state.as_str())).collect();
    assert_eq!(units, [(1, "intent"), (2, "accepted")]);
    assert_eq!(w.core.status(w.now).board_identity, None);
    w.board_says(Finding::Identity("ZDM8 1.0".to_owned()));
    w.board_says(Finding::BoardRestarted);
    w.board_ends(OPEN);
    let status = w.core.status(w.now);
    assert_eq!((status.phase.as_str(), status.board_identity.as_deref()), ("running", Some("ZDM8 1.0")));
    assert_eq!((status.counters.board_restarts, status.counters.driven, status.verifies_orders), (1, 1, false));
    assert_eq!(w.core.headline().to_string(), "board ready, broker connected, 0 orders open, 0 reports open");

    let mut s = settings();
    s.cloud.verify_orders = VerifyOrders::Late;
    let mut w = World::with(s);
    w.disk_is_quick = false;
    w.restart();
    let status = w.core.status(w.now);
    assert_eq!((status.phase.as_str(), status.verifies_orders), ("opening", true));
    w.live_again(crate::core::Recovered::Quarantine { why: Said::word("a digest is wrong") }, true);
    assert_eq!(w.core.status(w.now).phase, "quarantine");
    assert!(w.core.headline().to_string().starts_with("QUARANTINE, "), "{}", w.core.headline());
}

#[test]
fn a_refusal_that_is_about_us_says_nothing_about_the_order() {
    let mut s = settings();
    s.cloud.verify_orders = VerifyOrders::Always;
    let mut w = World::with(s);
    w.deliver(&w.put("1", "1"));
    w.answer(401, r#"{"code":401,"message":"sign error"}"#);
    assert_eq!(w.on_disk("1", "1").unwrap().state, "accepted", "held, since our credentials are wrong");
    w.pass_s(1);
    w.answer(200, r#"{"code":80002,"message":"no such order"}"#);
    assert_eq!(w.outcome_on_disk("1", "1"), ["refused"]);
}

#[test]
fn rule_28_time_from_the_platform_is_taken_from_any_answer() {
    let mut w = World::unborn(settings(), Now { boot: BootMs(1_000), wall: UnixMs(5_000), synchronised: false });
    let (token, _) = w.requests.pop_front().unwrap();
    let date = Some(UnixMs::from_seconds(T0_S));
    let answer = HttpAnswer { status: 500, date, retry_after_s: None, session: None, body: Vec::new() };
    w.step(Event::Answered { token, answer: Ok(answer) });
    assert!(w.core.status(w.now).time_trusted);
    w.pass_s(3_600);
    assert!(w.requests.is_empty(), "and then nobody is asked again");
}

/// The board would wait meanwhile; and should the line be silent about the frame, the report leaves all the same.
#[test]
fn the_next_motor_frame_leaves_before_the_report_about_the_last_one_is_worded() {
    for (line_answers, url) in [(true, URL), (false, URL), (true, ""), (false, "")] {
        let mut w = World::new();
        w.deliver(&w.put("1", "1").with("notify_url", url));
        w.deliver(&w.put("2", "1"));
        w.pass_ms(1_000);
        w.disk_is_quick = false;
        // A board that holds no result: the next intent joins the outcome's commit.
        w.script.lock().unwrap().state = LineState::Idle;
        w.board_says(Finding::Outcome(DISPENSED));
        w.script.lock().unwrap().writes = true;
        let before = w.story.len();
        w.commit();
        assert_eq!(w.story[before..], ["write", "drive"], "the outcome of the one and the intent of the other");
        w.disk_is_quick = true;
        match line_answers {
            true => w.step(Event::MotorWritten(Written::All)),
            false => {
                assert!(w.core.deadline().is_some_and(|at| at <= w.now.boot), "it is due now: {url:?}");
                w.pass_ms(0);
            }
        }
        assert_eq!(w.count_said("device.delivery.response"), 1, "{:?}", w.story);
        assert_eq!(w.requests.len(), usize::from(!url.is_empty()), "{:?}", w.story);
    }
}
