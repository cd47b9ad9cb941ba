//! What the platform's open API says about an order, and what it is told.

use crate::common::command::put;
use crate::common::record::wait_until;
use crate::common::world::World;
use serde_json::Value;
use vend::sim::cloud::Mishap;

/// Late enough to be asked about, early enough to be driven.
const LATE_S: u64 = 110;

#[test]
fn a_late_order_is_asked_about_and_a_fresh_one_is_not() {
    let world = World::with("tcn-00ff", |s| {
        (s.verify_orders, s.journal_age_s, s.turn_ms) = ("late", Some(7_200), 50);
    });
    world.cloud.has_order(60, 78, "SUCCESS");
    world.cloud.has_order(61, 79, "NOTPAY");
    world.cloud.has_order(62, 80, "REFUND");
    world.send(put("60", "78").issued_s_ago(LATE_S));
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.cloud.calls("POST", 60), 1);
    for (order, record, reason) in [("61", "79", "unpaid"), ("62", "80", "closed"), ("63", "81", "closed")] {
        world.send(put(order, record).code("6").issued_s_ago(LATE_S));
        world.one_truth(order, record, "refused");
        assert_eq!(world.report(order, record)["error_msg"], reason);
    }
    world.a_good_order_is_served("64");
    assert_eq!(world.cloud.calls("POST", 64), 0);
    assert_eq!(world.board.turned_slots(), [5, 9]);
}

#[test]
fn an_unclear_answer_is_asked_for_again_and_drives_nothing() {
    let world = World::with("tcn-00ff", |s| (s.verify_orders, s.turn_ms) = ("always", 50));
    let unclear = [Mishap::Html, Mishap::Status(401), Mishap::HalfBody, Mishap::Status(503)];
    for (record, mishap) in (1..).zip(unclear) {
        let order = 60 + record;
        world.cloud.has_order(order, record, "SUCCESS");
        world.cloud.meets([mishap.clone()]);
        world.send(put(&order.to_string(), &record.to_string()));
        world.cloud.wait_for_calls("POST", order, 1);
        world.one_truth(&order.to_string(), &record.to_string(), "dispensed");
        assert_eq!(world.cloud.calls("POST", order), 2, "{mishap:?}");
    }
    assert_eq!(world.board.turned_slots(), [5; 4]);
}

#[test]
fn an_order_that_the_cloud_denies_is_refused() {
    let world = World::with("tcn-00ff", |s| (s.verify_orders, s.turn_ms) = ("always", 50));
    for (order, code) in [("60", 40_006), ("61", 6_043), ("62", 80_002), ("63", 6_049)] {
        world.cloud.meets([Mishap::Code(code)]);
        world.send(put(order, "1"));
        world.one_truth(order, "1", "refused");
    }
    assert!(world.board.turned_slots().is_empty());
}

#[test]
fn a_failed_vend_is_refunded_and_a_good_one_is_not() {
    let world = World::with("tcn-00ff", |s| {
        (s.refund_failed, s.turn_ms, s.faults) = (true, 50, vec!["jam:6", "silence:7"]);
        s.longest_vend_ms = Some(1_000);
    });
    for (order, record) in [(60, 1), (61, 2), (62, 3), (63, 4)] {
        world.cloud.has_order(order, record, "SUCCESS");
    }
    world.send(put("60", "1").code("5"));
    world.one_truth("60", "1", "dispensed");
    world.send(put("61", "2").code("6"));
    world.one_truth("61", "2", "not_dispensed");
    world.cloud.wait_for_calls("PUT", 61, 1);
    world.send(put("62", "3").code("7"));
    world.one_truth("62", "3", "unknown");
    // An unclear answer is tried again.
    world.cloud.meets([Mishap::Html]);
    world.send(put("63", "4").code("6"));
    world.one_truth("63", "4", "not_dispensed");
    world.cloud.wait_for_calls("PUT", 63, 2);
    world.wait_until_settled();
    let told: Vec<_> = [60, 61, 62, 63].map(|o| (world.cloud.calls("PUT", o), world.cloud.order_status(o))).into();
    let expected = [(0, "SUCCESS"), (1, "REFUND"), (0, "SUCCESS"), (2, "REFUND")].map(|(n, s)| (n, s.to_owned()));
    assert_eq!(told, expected);
}

#[test]
fn what_the_books_do_not_agree_with_is_shown_and_what_they_do_is_not() {
    let world = World::with("tcn-00ff", |s| (s.verify_orders, s.sync, s.turn_ms) = ("always", "results", 50));
    for order in [60, 61] {
        world.cloud.has_order(order, 1, "SUCCESS");
        world.send(put(&order.to_string(), "1"));
        world.one_truth(&order.to_string(), "1", "dispensed");
    }
    world.cloud.has_on_its_books(60, 1, "SUCCESS", "IS_SUCCESS");
    world.cloud.has_on_its_books(61, 1, "REFUND", "IS_REFUND");
    wait_until("comparison of both results", || {
        let status = world.status();
        (status["results_open"] == 0 && status["differences"] == 1).then_some(())
    });
    let told = world.tool(&["order", "list", "--json"], "");
    let listed: Value = serde_json::from_str(&told.out).unwrap();
    let orders = listed["orders"].as_array().unwrap();
    assert_eq!(orders.len(), 1, "{listed}");
    assert_eq!((&orders[0]["order_id"], &orders[0]["difference"]), (&"61".into(), &"served_refunded".into()));
    let told = world.tool(&["status"], "");
    assert!(told.out.contains("61:1 served_refunded"), "{}", told.out);
    assert_eq!((world.cloud.calls("PUT", 61), world.board.turned_slots().len()), (0, 2), "nothing is undone");
}

#[test]
fn a_refused_call_is_sent_again_or_given_up_and_a_difference_is_taken_on_by_a_person() {
    let world = World::with("tcn-00ff", |s| {
        (s.refund_failed, s.sync, s.turn_ms, s.faults) = (true, "results", 50, vec!["jam:6"]);
    });
    let books = |world: &World, arguments: &[&str]| {
        let told = world.tool(&[arguments, &["--json"]].concat(), "");
        let document: Value = serde_json::from_str(&told.out).unwrap_or_default();
        (told.code, document["calls_dead"].as_u64(), document["differences"].as_array().map(Vec::len))
    };
    // The platform does not know the orders when it is asked to give the money back.
    for order in ["60", "61"] {
        world.cloud.meets([Mishap::Code(6_042)]);
        world.send(put(order, "1").code("6"));
        world.one_truth(order, "1", "not_dispensed");
        world.cloud.wait_for_calls("PUT", order.parse().unwrap(), 1);
    }
    wait_until("both are dead", || (world.status()["calls_dead"] == 2).then_some(()));
    assert_eq!(world.tool(&["call", "list", "--plain"], "").out.lines().count(), 2);
    world.cloud.has_order(61, 1, "SUCCESS");
    assert_eq!(books(&world, &["call", "drop", "1", "--reason", "paid back in cash"]).1, Some(1));
    assert_eq!(books(&world, &["call", "retry", "2"]).0, Some(0));
    wait_until("the money is back", || (world.cloud.order_status(61) == "REFUND").then_some(()));
    wait_until("nothing is owed", || (world.status()["calls_open"] == 0).then_some(()));
    assert_eq!(books(&world, &["call", "list"]).1, Some(0));
    for (arguments, code) in [
        (vec!["call", "retry", "1"], 6),
        (vec!["call", "drop", "1", "--reason", " "], 2),
        (vec!["difference", "accept", "9:9", "--reason", "x"], 6),
        (vec!["difference", "ask", "9"], 2),
    ] {
        assert_eq!(world.tool(&arguments, "").code, Some(code), "{arguments:?}");
    }
    world.cloud.has_on_its_books(62, 1, "REFUND", "IS_REFUND");
    world.send(put("62", "1"));
    world.one_truth("62", "1", "dispensed");
    wait_until("the difference", || (books(&world, &["difference", "list"]).2 == Some(1)).then_some(()));
    let told = world.tool(&["difference", "list", "--plain"], "");
    assert_eq!(told.out, "62:1\tserved_refunded\tserved here; the money went back\n", "{}", told.err);
    assert_eq!(books(&world, &["difference", "accept", "62:1", "--reason", "a gift"]), (Some(0), Some(0), Some(0)));
    let audit = world.tool(&["audit", "list", "--json"], "").out;
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let kinds: Vec<&str> = audit["entries"].as_array().unwrap().iter().filter_map(|e| e["kind"].as_str()).collect();
    assert_eq!(kinds, ["call_dropped", "call_retried", "difference_accepted"]);
    assert!(audit["entries"][0]["uid"].is_u64(), "{audit}");
}

#[test]
fn a_refund_that_the_cloud_did_not_take_survives_a_kill_and_is_the_same_to_the_byte() {
    let mut world = World::with("tcn-00ff", |s| (s.refund_failed, s.turn_ms, s.faults) = (true, 50, vec!["jam:6"]));
    world.cloud.has_order(60, 1, "SUCCESS");
    world.cloud.meets(vec![Mishap::Status(503); 1_000]);
    world.send(put("60", "1").code("6"));
    world.cloud.wait_for_calls("PUT", 60, 1);
    world.kill9();
    world.cloud.recovers();
    world.start_agent();
    wait_until("refund after the kill", || (world.cloud.order_status(60) == "REFUND").then_some(()));
    world.one_truth("60", "1", "not_dispensed");
    world.wait_until_settled();
    let all = world.cloud.server.requests().all();
    let bodies: Vec<_> = all.iter().filter(|r| r.method == "PUT").map(|r| &r.body).collect();
    assert!(bodies.len() >= 2 && bodies.windows(2).all(|two| two[0] == two[1]), "{} bodies differ", bodies.len());
    assert_eq!(world.board.turned_slots(), [6]);
}
