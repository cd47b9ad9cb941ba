//! Orders in fair weather, and what a board can say about them.

use crate::common::command::{get, now_s, put};
use crate::common::world::World;
use serde_json::json;

/// Two orders on one machine: one turn each, one report each over both ways, and a clean end.
fn vends_on(profile: &'static str, protocol: &'static str) {
    let mut world = World::with(profile, |s| s.protocol = protocol);
    world.send(put("60", "78").code("5").with("delivery_id", "d-1").with("msg_id", "m-1"));
    let report = world.report("60", "78");
    assert_eq!(report["outcome"], "dispensed");
    assert_eq!((&report["deliver_status"], &report["floor_status"]), (&json!("1"), &json!("1")));
    assert_eq!((&report["order_id"], &report["record_id"], &report["sequence"]), (&json!(60), &json!(78), &json!(1)));
    assert_eq!((&report["event_id"], &report["delivery_id"]), (&json!("16327129:60:78:1"), &json!("d-1")));
    assert_eq!(report["units"], json!([{"unit": 1, "outcome": "dispensed", "motor": "ok", "drop_sensor": "seen"}]));
    assert_eq!(world.received("60", "accepted")["msg_id"], "m-1");
    world.one_truth("60", "78", "dispensed");
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [5, 9]);
    assert_eq!(world.stop_agent().code(), Some(0));
    assert_eq!(world.receiver.tries("60", "78").len(), 1);
}

#[test]
fn uling_zdm8_vends_over_mqtt_5() {
    vends_on("uling-zdm8", "5");
}

#[test]
fn xy_v3_vends_over_mqtt_3_1_1() {
    vends_on("xy-v3", "3.1.1");
}

#[test]
fn adh814_vends_over_mqtt_5() {
    vends_on("adh814", "5");
}

#[test]
fn adh815_vends_over_mqtt_3_1_1() {
    vends_on("adh815", "3.1.1");
}

#[test]
fn tcn_00ff_vends_over_mqtt_5() {
    vends_on("tcn-00ff", "5");
}

#[test]
fn a_vend_goes_over_tls_with_a_password_and_own_authorities() {
    for protocol in ["5", "3.1.1"] {
        let world = World::with("tcn-00ff", |s| {
            s.protocol = protocol;
            (s.secure_broker, s.secure_receiver) = (true, true);
        });
        world.send(put("60", "78"));
        world.one_truth("60", "78", "dispensed");
        assert_eq!(world.board.turned_slots(), [5]);
    }
}

#[test]
fn three_units_are_three_turns_and_one_report() {
    for profile in ["tcn-00ff", "adh814"] {
        let world = World::start(profile);
        world.send(put("60", "78").quantity(3));
        let report = world.report("60", "78");
        assert_eq!(report["units"].as_array().map(Vec::len), Some(3));
        world.one_truth("60", "78", "dispensed");
        assert_eq!(world.board.turned_slots(), [5, 5, 5]);
    }
}

#[test]
fn after_a_unit_that_did_not_come_the_rest_is_refused() {
    let world = World::with("tcn-00ff", |s| s.faults = vec!["jam:5@2"]);
    world.send(put("60", "78").quantity(3));
    let report = world.report("60", "78");
    assert_eq!((&report["outcome"], &report["deliver_status"]), (&json!("partial"), &json!("0")));
    let outcomes: Vec<_> = report["units"].as_array().unwrap().iter().map(|u| u["outcome"].clone()).collect();
    assert_eq!(outcomes, ["dispensed", "not_dispensed", "refused"]);
    assert_eq!(world.board.turned_slots(), [5, 5]);
}

#[test]
fn jam_no_drop_and_open_motor_are_told_as_what_they_are() {
    let world = World::with("tcn-00ff", |s| s.faults = vec!["jam:5", "no-drop:6", "open-motor:7"]);
    let expected = [
        ("5", "not_dispensed", "over_current", "3", "Over Current"),
        ("6", "no_drop", "ok", "2", "Goods are Stuck"),
        ("7", "not_dispensed", "open", "3", "Load No Current"),
    ];
    for (slot, outcome, motor, floor_status, error_msg) in expected {
        world.send(put("60", slot).code(slot));
        let report = world.report("60", slot);
        assert_eq!(report["outcome"], outcome);
        assert_eq!((&report["units"][0]["motor"], &report["deliver_status"]), (&json!(motor), &json!("0")), "{report}");
        assert_eq!((&report["floor_status"], &report["error_msg"]), (&json!(floor_status), &json!(error_msg)));
        assert_eq!(report["error_msg"], report["fail_reason"]);
    }
    assert_eq!(world.board.turned_slots(), [5, 6], "an open circuit turns no motor");
}

#[test]
fn a_duplicate_is_answered_and_not_driven() {
    let world = World::start("tcn-00ff");
    let order = put("60", "78").with("msg_id", "first");
    world.send(order.clone());
    world.report("60", "78");
    world.send(order.with("msg_id", "again"));
    assert_eq!(world.received("60", "duplicate")["msg_id"], "again");
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [5, 9]);
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.receiver.tries("60", "78").len(), 1);
}

#[test]
fn the_same_key_with_another_body_is_a_conflict_without_a_result() {
    let world = World::start("tcn-00ff");
    world.send(put("60", "78").code("5"));
    world.report("60", "78");
    world.send(put("60", "78").code("6"));
    assert_eq!(world.received("60", "refused")["reason"], "conflict");
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [5, 9]);
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.receiver.tries("60", "78").len(), 1);
}

#[test]
fn a_question_is_answered_with_the_result_or_with_not_found() {
    let world = World::start("tcn-00ff");
    world.send(put("60", "78"));
    let first = world.response("60");
    world.send(get("60", "78"));
    world.platform.up().wait("second copy of the result", |up| {
        let copies = up.iter().filter(|payload| crate::common::command::opened(payload) == first).count();
        (copies == 2).then_some(())
    });
    world.send(get("60", "79"));
    assert_eq!(world.received("60", "not_found")["record_id"], "79");
    assert_eq!(world.board.turned_slots(), [5]);
}

#[test]
fn what_may_not_be_driven_is_refused_with_its_reason() {
    let world = World::with("tcn-00ff", |s| s.journal_age_s = Some(7_200));
    let ahead = (now_s() + 600).to_string();
    let refused = [
        ("1", put("60", "1").issued_s_ago(1_300), "expired"),
        ("2", put("60", "2").with("expired_at", &(now_s() - 1).to_string()), "expired"),
        ("3", put("60", "3").with("timestamp", &ahead), "clock"),
        ("4", put("60", "4").code("81"), "slot"),
        ("5", put("60", "5").code("5").with("addr", "9"), "invalid"),
        ("6", put("60", "6").with("paid_at", &(now_s() - 1_300).to_string()), "expired"),
    ];
    for (record, command, reason) in refused {
        world.send(command);
        let report = world.report("60", record);
        assert_eq!((&report["outcome"], &report["error_msg"]), (&json!("refused"), &json!(reason)), "{report}");
        assert!(report.get("floor_status").is_none(), "no motor was asked: {report}");
    }
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [9]);
}

#[test]
fn a_command_older_than_the_journal_is_unknown_and_not_driven() {
    let world = World::start("tcn-00ff");
    world.send(put("60", "78").issued_s_ago(60));
    world.one_truth("60", "78", "unknown");
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [9]);
}

#[test]
fn without_trusted_time_an_order_is_accepted_and_held_until_the_cloud_tells_the_time() {
    let mut world = World::without_agent("tcn-00ff", |s| s.trust = "synchronised");
    world.cloud.server.go_away();
    world.start_agent();
    world.wait_for_subscription(1);
    world.send(put("60", "78"));
    world.received("60", "accepted");
    if world.status()["time_trusted"] == true {
        eprintln!("SKIPPED: this machine's clock is synchronised, so it is trusted at once");
        return;
    }
    assert!(world.board.turned_slots().is_empty());
    world.cloud.server.come_back();
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.board.turned_slots(), [5]);
}
