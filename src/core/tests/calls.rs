//! Rules 40–43: what the platform must be told is durable first, in order, at least once, and bounded.

use super::world::{OPEN, World, settings};
use crate::core::event::{Event, FailureKind, HttpFailure};
use crate::core::{CALLS_DEAD_MAX, Limits};
use crate::order::call::{Call, Operation, Subject, SubjectKind, Way};
use crate::order::key::Id;
use crate::order::record::Records;
use crate::order::said::Said;

pub(super) const OK: &str = r#"{"code":0,"message":"ok","data":""}"#;
pub(super) const UNKNOWN_ORDER: &str = r#"{"code":4004,"message":"no such record","data":{}}"#;

/// Stock of a slot, as a state.
pub(super) fn stock(slot: &str, count: &str) -> Call {
    Call {
        subject: Subject::new(SubjectKind::SlotStock, &slot),
        way: Way::Publish {
            method: "client.product.put".into(),
            fields: vec![("product_id".into(), slot.into()), ("current_inventory".into(), count.into())],
        },
        newest_wins: true,
    }
}

/// A pickup code that was used, as an event.
fn used(code: &str) -> Call {
    Call {
        subject: Subject::new(SubjectKind::Code, &code),
        way: Way::Publish {
            method: "client.pickup_codes.put".into(),
            fields: vec![("id".into(), code.into()), ("used".into(), "1".into())],
        },
        newest_wins: false,
    }
}

pub(super) fn refund(subject: &str, order_id: &str) -> Call {
    let order_id = Id::parse(order_id).unwrap();
    Call {
        subject: Subject::new(SubjectKind::Order, &subject),
        way: Way::Http(Operation::Refund { order_id }),
        newest_wins: false,
    }
}

impl World {
    /// Somebody has something to tell.
    pub(super) fn call(&mut self, call: Call) {
        let now = self.now;
        self.core.call(now, call);
        self.step(Event::Wake);
    }

    fn told(&self, method: &str, field: &str) -> Vec<&str> {
        self.said.iter().filter(|said| said["method"] == method).map(|said| said[field].as_str()).collect()
    }

    pub(super) fn calls_on_disk(&self) -> usize {
        Records::read(&self.disk).unwrap().calls.len()
    }

    /// What is done and not awaited is on the disk too.
    fn write_all(&mut self) {
        self.pass_s(31);
    }
}

fn refunding() -> World {
    let mut s = settings();
    s.cloud.refund_failed = true;
    World::with(s)
}

#[test]
fn rule_40_a_call_is_in_the_batch_of_its_reason_and_leaves_only_after_it() {
    let mut w = refunding();
    w.deliver(&w.put("1", "1"));
    w.disk_is_quick = false;
    w.board_ends(OPEN);
    assert_eq!((w.requests.len(), w.calls_on_disk()), (0, 0));
    let event = w.sync();
    assert_eq!((w.outcome_on_disk("1", "1"), w.calls_on_disk()), (vec!["not_dispensed".to_owned()], 1), "one batch");
    w.step(event);
    let (_, request) = &w.requests[0];
    assert_eq!((request.method, request.url.as_str()), ("PUT", "https://cloud.example/api/openapi/v1/orders/1"));
    // A message too.
    w.disk_is_quick = false;
    w.call(used("7"));
    assert_eq!(w.count_said("client.pickup_codes.put"), 0);
    w.commit();
    assert_eq!(w.told("client.pickup_codes.put", "id"), ["7"]);
    assert_eq!(w.last_said("client.pickup_codes.put")["client_id"], "16327129");
}

#[test]
fn rule_40_a_call_is_repeated_byte_for_byte_also_after_a_power_cut_at_any_instant() {
    // The life of one call of each way ends: with the batch under way; durable, and nobody told; sent; not taken; and
    // that written too.
    for cut in 0..5 {
        let mut w = World::new();
        (w.broker_is_quick, w.disk_is_quick) = (false, false);
        let now = w.now;
        w.core.call(now, used("7"));
        w.core.call(now, refund("1", "1"));
        w.step(Event::Wake);
        assert_eq!((w.requests.len(), w.said.len()), (0, 0), "nothing leaves before the batch is durable");
        let mut bodies = Vec::new();
        if cut >= 1 {
            let durable = w.sync();
            if cut >= 2 {
                w.step(durable);
                assert_eq!((w.requests.len(), w.count_said("client.pickup_codes.put")), (1, 1), "cut {cut}");
                bodies.push(w.requests[0].1.body.clone());
            }
        }
        if cut >= 3 {
            w.answer(503, "");
            w.step(Event::NotPublished { token: w.published[0], why: Said::word("quota") });
        }
        if cut >= 4 {
            w.pass_s(31);
            w.commit();
        }
        (w.broker_is_quick, w.disk_is_quick) = (true, true);
        w.pass_s(100);
        w.restart();
        let survive = usize::from(cut >= 1);
        assert_eq!((w.requests.len(), w.core.status(w.now).calls_open), (survive, survive), "cut {cut}");
        bodies.extend(w.requests.iter().map(|(_, request)| request.body.clone()));
        assert!(bodies.windows(2).all(|two| two[0] == two[1]), "cut {cut}: another body");
        let said = w.told("client.pickup_codes.put", "sign");
        assert!(said.len() >= survive, "cut {cut}: it is not told");
        assert!(said.windows(2).all(|two| two[0] == two[1]), "cut {cut}: {said:?}");
    }
}

#[test]
fn rule_41_a_call_that_was_not_taken_is_sent_again_after_a_restart_and_one_that_was_is_gone() {
    let mut w = World::new();
    w.call(refund("1", "1"));
    w.call(refund("2", "2"));
    w.answer(200, OK);
    w.no_answer();
    w.write_all();
    assert_eq!((w.calls_on_disk(), w.core.status(w.now).calls_open), (1, 1));
    w.restart();
    let urls: Vec<_> = w.requests.iter().map(|(_, request)| request.url.as_str()).collect();
    assert_eq!(urls, ["https://cloud.example/api/openapi/v1/orders/2"]);
    w.answer(200, OK);
    w.write_all();
    w.restart();
    assert_eq!((w.requests.len(), w.calls_on_disk()), (0, 0));
}

#[test]
fn rule_41_a_call_that_is_refused_for_good_is_kept_and_shown() {
    let mut w = World::new();
    w.call(refund("1", "1"));
    w.call(refund("1", "1"));
    w.answer(200, UNKNOWN_ORDER);
    let status = w.core.status(w.now);
    assert_eq!((status.calls_open, status.calls_dead), (1, 1));
    assert!(status.recent.iter().any(|note| note.what == "call_dead" && note.level == "error"), "{:?}", status.recent);
    // It holds up nobody: the next of its subject leaves.
    w.answer(200, OK);
    w.write_all();
    w.restart();
    assert_eq!((w.requests.len(), w.core.status(w.now).calls_dead, w.calls_on_disk()), (0, 1, 1));
}

#[test]
fn rule_41_a_refusal_that_is_about_us_is_tried_ten_times_before_the_call_is_dead() {
    for (status, body) in [(401, ""), (200, r#"{"code":4006,"message":"payload sign invalid"}"#)] {
        let mut w = World::new();
        w.call(refund("1", "1"));
        for attempt in 1..=10 {
            assert_eq!((w.requests.len(), w.core.status(w.now).calls_dead), (1, 0), "{status}: attempt {attempt}");
            w.answer(status, body);
            w.pass_s(601);
        }
        let status = w.core.status(w.now);
        assert_eq!((w.requests.len(), status.dead_calls), (0, vec!["call 1 about order 1: to be refunded".to_owned()]));
    }
}

#[test]
fn rule_41_what_the_cloud_has_done_before_is_done() {
    let mut w = World::new();
    let codes = [6034, 6049, 6042, 6043, 6054, 40_005, 40_006];
    let refused_and_then = |w: &mut World, code: u32, status: &str| {
        w.call(refund("1", "1"));
        w.answer(200, &format!(r#"{{"code":{code},"message":"x","data":{{}}}}"#));
        // A refusal for the order's status says nothing of the money: the status is asked.
        w.pass_s(2);
        let body = format!(r#"{{"code":0,"message":"ok","data":{{"order_id":1,"trade_id":"1","status":"{status}"}}}}"#);
        assert_eq!(w.answer(200, &body).method, "POST", "{code}");
    };
    for code in codes {
        refused_and_then(&mut w, code, "REFUND");
    }
    let status = w.core.status(w.now);
    assert_eq!((status.calls_open, status.calls_dead, status.counters.calls_settled), (0, 0, 7));
    for status in ["SUCCESS", "CLOSED", "NOTPAY", "9"] {
        refused_and_then(&mut w, 6043, status);
    }
    assert_eq!((w.core.status(w.now).calls_open, w.core.status(w.now).calls_dead), (0, 4), "that is no refund");
    // A word that nobody documents ends it neither way at once.
    refused_and_then(&mut w, 6043, "PONDERING");
    assert_eq!((w.core.status(w.now).calls_open, w.core.status(w.now).calls_dead), (1, 4));
}

#[test]
fn rule_42_calls_about_one_subject_leave_in_their_order_and_others_do_not_wait() {
    let mut w = World::new();
    w.call(refund("a", "1"));
    w.call(refund("a", "2"));
    w.call(refund("b", "3"));
    let asked = |w: &World| -> Vec<String> {
        w.requests.iter().map(|(_, request)| request.url.rsplit('/').next().unwrap().to_owned()).collect()
    };
    assert_eq!(asked(&w), ["1", "3"], "2 waits for 1, 3 for nobody");
    w.answer(503, "");
    assert_eq!(asked(&w), ["3"], "a try that failed is not the end of it");
    w.pass_s(2);
    assert_eq!(asked(&w), ["3", "1"]);
    w.answer(200, OK);
    w.answer(200, OK);
    assert_eq!(asked(&w), ["2"]);

    let mut w = World::new();
    w.broker_is_quick = false;
    w.call(used("7"));
    w.call(Call { subject: used("7").subject, ..used("8") });
    w.call(used("9"));
    assert_eq!(w.told("client.pickup_codes.put", "id"), ["7", "9"]);
    w.step(Event::Disconnected { why: Said::word("gone") });
    w.connect(true);
    assert_eq!(w.told("client.pickup_codes.put", "id"), ["7", "9", "7", "9"], "what was not taken goes again");
    w.step(Event::Published(w.published[2]));
    assert_eq!(w.told("client.pickup_codes.put", "id").last(), Some(&"8"));
}

#[test]
fn rule_42_a_newer_state_takes_the_place_of_one_that_has_not_left() {
    let mut w = World::new();
    w.step(Event::Disconnected { why: Said::word("gone") });
    for count in ["9", "8", "7"] {
        w.call(stock("5", count));
        w.call(stock("6", count));
    }
    w.write_all();
    assert_eq!((w.core.status(w.now).calls_open, w.calls_on_disk()), (2, 2), "a week offline stays small");
    w.broker_is_quick = false;
    w.connect(true);
    assert_eq!(w.told("client.product.put", "current_inventory"), ["7", "7"]);
    // What is under way is not changed; the newer one follows it.
    w.call(stock("5", "4"));
    w.call(stock("5", "3"));
    assert_eq!(w.count_said("client.product.put"), 2);
    w.step(Event::Published(w.published[0]));
    assert_eq!(w.told("client.product.put", "current_inventory"), ["7", "7", "3"]);
    // One that was not taken is not repeated when there is a newer one.
    w.call(stock("6", "1"));
    w.step(Event::NotPublished { token: w.published[1], why: Said::word("quota") });
    assert_eq!(w.told("client.product.put", "current_inventory"), ["7", "7", "3", "1"]);
    w.step(Event::Published(w.published[2]));
    w.step(Event::Published(w.published[3]));
    w.write_all();
    assert_eq!((w.core.status(w.now).calls_open, w.calls_on_disk()), (0, 0));
}

#[test]
fn rule_43_beyond_the_open_calls_an_order_is_refused_and_a_state_is_left_out() {
    let mut s = settings();
    s.limits = Limits { calls_open: 2, refusal_reserve: 1, ..Limits::default() };
    let mut w = World::with(s);
    w.step(Event::Disconnected { why: Said::word("gone") });
    w.call(stock("5", "9"));
    w.call(used("7"));
    w.call(stock("6", "9"));
    w.call(stock("5", "8"));
    let status = w.core.status(w.now);
    assert_eq!(
        (status.calls_open, status.counters.calls_left_out),
        (2, 1),
        "a known subject still tells its newest state"
    );
    w.broker_is_quick = false;
    w.connect(true);
    w.deliver(&w.put("1", "1"));
    assert_eq!(w.received_states(), ["refused busy"]);
    w.call(used("8"));
    assert_eq!(w.core.status(w.now).calls_open, 3, "an event is never left out");
    w.deliver(&w.put("2", "1"));
    assert_eq!(
        (w.acks.len(), w.received_states().len()),
        (1, 1),
        "not even a refusal is taken: it waits at the broker"
    );
}

#[test]
fn rule_43_the_oldest_dead_call_goes_when_there_are_too_many() {
    let mut w = World::new();
    for n in 0..=CALLS_DEAD_MAX {
        w.call(refund(&n.to_string(), "1"));
        w.answer(200, UNKNOWN_ORDER);
    }
    w.write_all();
    let status = w.core.status(w.now);
    assert_eq!((status.calls_dead, w.calls_on_disk()), (CALLS_DEAD_MAX, CALLS_DEAD_MAX));
    assert!(status.recent.iter().any(|note| note.what == "dead_call_forgotten"));
    assert_eq!(Records::read(&w.disk).unwrap().calls[0].number, 2);
}

#[test]
fn rule_43_a_call_that_no_record_holds_is_left_out_and_spoils_no_batch() {
    let mut w = World::new();
    w.call(used(&"7".repeat(5_000)));
    assert_eq!((w.core.status(w.now).counters.calls_left_out, w.calls_on_disk(), w.ended), (1, 0, None));
}

#[test]
fn a_dead_cloud_is_left_alone_by_calls_as_by_reports_and_takes_all_of_them_in_the_end() {
    let mut w = World::new();
    for n in 0..200 {
        w.call(refund(&n.to_string(), "1"));
    }
    let mut tries = 0;
    for _ in 0..600 {
        while let Some((token, _)) = w.requests.pop_front() {
            tries += 1;
            let failure = HttpFailure { kind: FailureKind::NoAnswer, why: Said::word("connection refused") };
            w.step(Event::Answered { token, answer: Err(failure) });
        }
        w.pass_s(6);
    }
    assert!(tries < 60, "{tries} tries in an hour are a storm");
    for _ in 0..400 {
        while !w.requests.is_empty() {
            assert!(w.requests.len() <= 4, "to one host");
            w.answer(200, OK);
        }
        w.pass_s(6);
    }
    assert_eq!(w.core.status(w.now).calls_open, 0);
}
