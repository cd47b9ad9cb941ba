//! Real daemons between a real broker, an emulated board, a receiver and a platform: healthy, and then not.

use crate::common::command::{MACHINE_NO, put};
use crate::common::record::wait_until;
use crate::common::world::World;
use crate::support::{Told, doctor, one};
use serde_json::Value;
use std::fs;

/// Where no systemctl is.
fn look(world: &World, arguments: &[&str]) -> Told {
    doctor(world.path(), &world.path().join("no-bin"), arguments)
}

fn finding(world: &World, id: &str) -> Value {
    one(&look(world, &["--json", "--only", id]))
}

/// Waits until the check ends so.
fn becomes(world: &World, id: &str, state: &str) -> Value {
    wait_until(&format!("{id} {state}"), || Some(finding(world, id)).filter(|finding| finding["state"] == state))
}

/// Results may go to the receiver of the test and nowhere else.
fn with_listed_receiver(world: &World) {
    let path = world.path().join("vend.toml");
    let text = fs::read_to_string(&path).unwrap().replace("[report]\n", "[report]\nallow_hosts = [\"127.0.0.1\"]\n");
    fs::write(path, text).unwrap();
}

fn healthy() -> World {
    let mut world = World::without_agent("tcn-00ff", |setup| {
        setup.verify_orders = "always";
        setup.faults = vec!["jam:7"];
    });
    with_listed_receiver(&world);
    world.start_agent();
    world.wait_for_subscription(1);
    world.wait_until_line_is("idle");
    world
}

#[test]
fn a_healthy_machine_is_all_green_and_each_thing_that_breaks_is_seen() {
    let mut world = healthy();
    let told = look(&world, &["--json", "--strict"]);
    let bad: Vec<Value> = told
        .findings()
        .into_iter()
        .filter(|finding| finding["state"] != "ok" && finding["state"] != "not_applicable")
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(told.code, Some(0), "{}", told.err);
    // What a test's computer has no use for; everything else was looked at.
    // This board is silent until it is asked to turn, so that nothing can be said of it at rest (P5).
    let not_there = ["P5", "C10", "S1", "S2", "S3", "S4", "S5", "S6", "P8", "N1", "N4", "N8", "N9", "T5", "O8", "D3"];
    for id in told.ids("not_applicable") {
        assert!(not_there.contains(&id.as_str()), "{id} was not looked at");
    }

    o9_commands_with_a_wrong_signature_are_told(&world);
    o6_a_slot_out_of_use_is_told(&world);
    o3_a_result_that_nobody_may_take_is_told(&world);
    n8_a_merchant_that_is_away_is_told_without_the_path_of_its_url(&mut world);
    world.broker.kill();
    becomes(&world, "N3", "failed");
    assert_eq!(finding(&world, "N5")["skipped_because_of"], "N3");
    world.board.unplug();
    becomes(&world, "P1", "failed");
    assert_eq!(finding(&world, "P6")["skipped_because_of"], "P1");
    let told = look(&world, &["--json"]);
    assert_eq!(told.code, Some(1), "no check of the configuration failed: {}", told.out);
}

fn o9_commands_with_a_wrong_signature_are_told(world: &World) {
    world.send(put("9001", "1").signed_with("another"));
    assert!(becomes(world, "O9", "failed")["saw"]["en"].as_str().unwrap().contains("1 had a wrong signature"));
}

fn o6_a_slot_out_of_use_is_told(world: &World) {
    // Of a slot that nobody filled nothing is kept.
    let filled = world.tool(&["slot", "restock", "7", "3"], "");
    assert_eq!(filled.code, Some(0), "{}", filled.err);
    assert_eq!(finding(world, "O6")["state"], "ok");
    world.cloud.has_order(9002, 1, "SUCCESS");
    world.send(put("9002", "1").code("7"));
    world.report("9002", "1");
    let told = becomes(world, "O6", "warning");
    assert!(told["saw"]["en"].as_str().unwrap().contains("1/7 "), "{told}");
    assert_eq!(finding(world, "O9")["state"], "warning", "one command was accepted");
}

fn o3_a_result_that_nobody_may_take_is_told(world: &World) {
    assert_eq!(finding(world, "O3")["state"], "ok");
    world.cloud.has_order(9003, 1, "SUCCESS");
    world.send(put("9003", "1").notify("http://192.0.2.7/token-in-the-path"));
    becomes(world, "O3", "warning");
}

fn n8_a_merchant_that_is_away_is_told_without_the_path_of_its_url(world: &mut World) {
    assert_eq!(finding(world, "N8")["state"], "not_applicable");
    world.receiver.server.go_away();
    world.cloud.has_order(9004, 1, "SUCCESS");
    world.send(put("9004", "1").notify(&world.receiver.url()));
    let told = becomes(world, "N8", "warning");
    assert!(!told.to_string().contains("/notify"), "{told}");
    world.receiver.server.come_back();
    wait_until("the merchant", || (finding(world, "N8")["state"] != "warning").then_some(()));
}

#[test]
fn o8_a_certificate_in_use_that_is_about_to_end_is_told_and_the_session_is_left_alone() {
    let world = World::with("tcn-00ff", |setup| {
        setup.secure_broker = true;
        setup.client_certificate_days = Some(5);
    });
    let told = becomes(&world, "O8", "warning");
    assert!(told["saw"]["en"].as_str().unwrap().contains("this machine's certificate for the broker"), "{told}");
    assert_eq!(finding(&world, "C10")["state"], "warning");
    assert_eq!(finding(&world, "N4")["state"], "ok");
    assert_eq!(finding(&world, "N5")["state"], "ok");
    assert_eq!(world.subscriptions(), 1, "the doctor threw the daemon out");
    assert!(!world.broker.log().contains(&format!("Client {MACHINE_NO} already connected")));
}

#[test]
fn p5_a_board_that_says_nothing_is_told() {
    let mut world = World::without_agent("tcn-00ff", |setup| setup.port = "mute");
    let mute = {
        let _in_runtime = crate::common::RUNTIME.enter();
        vend::sim::pty::PtyBoard::open(Some(world.path().join("mute"))).unwrap()
    };
    world.start_agent();
    world.wait_until_line_is("settling");
    let told = finding(&world, "P5");
    assert_eq!(told["state"], "warning", "{told}");
    assert!(told["saw"]["en"].as_str().unwrap().contains("has not answered yet"), "{told}");
    drop(mute);
}

#[test]
fn s8_a_daemon_in_quarantine_is_told_and_its_journal_too() {
    let mut world = World::start("tcn-00ff");
    assert_eq!(finding(&world, "S8")["state"], "ok");
    world.stop_agent();
    fs::remove_file(world.path().join("state/journal.second")).unwrap();
    world.start_agent();
    becomes(&world, "S8", "failed");
    let told = finding(&world, "D6");
    assert!(told["saw"]["en"].as_str().unwrap().contains("QUARANTINE"), "{told}");
    assert_eq!(finding(&world, "P5")["skipped_because_of"], "S8");
}
