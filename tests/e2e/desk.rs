//! Somebody stands at the machine: enters a pickup code, or tests a slot. The real binary, with and without a network.

use crate::common::command::{Command, opened, pickup_code, put};
use crate::common::record::wait_until;
use crate::common::world::World;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::Write as _;

const DIGITS: &str = "16327138";

impl World {
    /// Waits until the machine knows the code so.
    fn wait_for_code(&self, id: &str, state: &str) {
        wait_until("code", || {
            let told = self.tool(&["pickup", "list", "--json"], "");
            let codes: Value = serde_json::from_str(&told.out).ok()?;
            codes["codes"].as_array()?.iter().any(|c| c["id"] == id && c["state"] == state).then_some(())
        });
    }

    fn has_code(&self, code: Command) {
        self.send(code);
        self.wait_for_code("7", "open");
        self.wait_until_line_is("idle");
    }

    fn enter(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let told = self.tool(&[&["pickup", "enter", "--json"], arguments].concat(), DIGITS);
        (told.code, serde_json::from_str(&told.out).unwrap_or_else(|e| panic!("{e}: {} {}", told.out, told.err)))
    }

    /// Everything told of what became of used codes: id, outcome and sequence.
    fn used_codes(&self) -> Vec<(String, String, String)> {
        let text = |message: &Value, name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let told = self.platform.up().all().iter().map(|payload| opened(payload)).collect::<Vec<_>>();
        let used = told.iter().filter(|m| m["method"] == "client.pickup_codes.put" && m["outcome"].is_string());
        used.map(|m| (text(m, "id"), text(m, "outcome"), text(m, "sequence"))).collect()
    }
}

#[test]
fn a_code_dispenses_once_without_a_network_through_a_kill_in_mid_turn_and_is_told_when_the_broker_is_back() {
    let mut world = World::with("uling-zdm8", |s| (s.turn_ms, s.longest_vend_ms) = (2_500, Some(6_000)));
    world.has_code(pickup_code("7", DIGITS));
    world.broker.kill();
    let (code, entered) = world.enter(&["--no-wait"]);
    assert_eq!((code, &entered["entry"], &entered["order"]["order_id"]), (Some(0), &"accepted".into(), &"~p-7".into()));
    world.board.wait_for_turns(1);
    world.kill9();
    world.start_agent();
    // The code says what became of its order, and dispenses nothing.
    let outcome = wait_until("outcome of the code's order", || {
        world.status();
        let (code, used) = world.enter(&[]);
        // Before its first commit the new life takes nothing.
        assert!(code == Some(5) && (used["entry"] == "used" || used["entry"] == "unavailable"), "{used}");
        used["order"]["units"][0]["outcome"].as_str().map(str::to_owned)
    });
    assert_eq!((outcome.as_str(), world.used_codes()), ("dispensed", Vec::new()));
    world.broker.restart();
    wait_until("word of the used code", || (!world.used_codes().is_empty()).then_some(()));
    let told = world.told_up("client.pickup_codes.put", |message| message["outcome"].is_null());
    assert_eq!((&told["id"], &told["used"]), (&"7".into(), &"1".into()), "that it was used, too");
    world.wait_until_settled();
    // Sent again by a platform that does not know: it stays used.
    world.send(pickup_code("7", DIGITS));
    world.a_good_order_is_served("61");
    assert_eq!(world.enter(&[]).1["entry"], "used");
    let word = ("7".to_owned(), "dispensed".to_owned(), "1".to_owned());
    assert!(world.used_codes().iter().all(|told| *told == word), "{:?}", world.used_codes());
    assert_eq!(world.board.turned_slots(), [5, 9]);
    assert_eq!(world.receiver.tries("~p-7", "1").len(), 0, "no merchant is told");
}

#[test]
fn the_tool_waits_for_what_becomes_of_a_code_and_shows_no_digits_anywhere() {
    let mut world = World::without_agent("uling-zdm8", |s| s.turn_ms = 600);
    world.start_agent_logging("debug");
    world.wait_for_subscription(1);
    world.has_code(pickup_code("7", DIGITS).quantity(2));
    let told = world.tool(&["pickup", "enter"], &format!("{DIGITS}\n"));
    assert_eq!((told.code, told.out.as_str()), (Some(0), "order ~p-7: dispensed, dispensed\n"), "{}", told.err);
    assert_eq!(world.board.turned_slots(), [5, 5]);
    // What the board says of an order while its motor turns is found under the order's key too.
    let log = world.log();
    let said: Vec<&str> = log.lines().filter(|line| line.contains("what=\"taken\"")).collect();
    assert!(!said.is_empty() && said.iter().all(|line| line.contains("order=~p-7")), "{said:?}");
    let again = world.tool(&["pickup", "enter"], DIGITS);
    assert_eq!((again.code, again.out.as_str()), (Some(5), "the code is used; order ~p-7: dispensed, dispensed\n"));
    let wrong = world.tool(&["pickup", "enter"], "16327139");
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(6), "there is no such code\n"));
    let list = world.tool(&["pickup", "list", "--plain"], "");
    assert_eq!(list.out, "7\tused\t-\t-\t-\t~p-7: dispensed, dispensed\n");
    assert_eq!(world.tool(&["pickup", "enter"], "1632713").code, Some(2));
    world.wait_until_settled();
    assert_eq!(world.stop_agent().code(), Some(0));
    let (code, lines) = world.dump();
    assert_eq!((code, lines.len()), (Some(0), 1));
    for (what, text) in [("log", world.log()), ("list", list.out), ("dump", format!("{lines:?}"))] {
        assert!(!text.contains(DIGITS) && !text.contains("16327139"), "{what} shows a code:\n{text}");
    }
}

#[test]
fn ctrl_c_ends_the_waiting_for_a_codes_goods_with_130_and_not_the_motor() {
    let world = World::with("uling-zdm8", |s| s.turn_ms = 3_000);
    world.has_code(pickup_code("7", DIGITS));
    let mut entering = world.begin_tool(&["pickup", "enter"]);
    entering.stdin.take().unwrap().write_all(DIGITS.as_bytes()).unwrap();
    world.board.wait_for_turns(1);
    kill_process(Pid::from_child(&entering), Signal::INT).unwrap();
    let told = entering.wait_with_output().unwrap();
    let said = String::from_utf8(told.stderr).unwrap();
    assert_eq!((told.status.code(), said.contains("not stopped by Ctrl-C")), (Some(130), true), "{said}");
    world.wait_for_code("7", "used");
    world.wait_until_settled();
    assert_eq!(world.tool(&["pickup", "enter"], DIGITS).out, "the code is used; order ~p-7: dispensed\n");
    assert_eq!(world.board.turned_slots(), [5]);
}

#[test]
fn wrong_codes_end_in_a_pause_that_a_restart_does_not_end() {
    let mut world = World::start("uling-zdm8");
    world.has_code(pickup_code("7", DIGITS));
    for _ in 0..5 {
        assert_eq!(world.tool(&["pickup", "enter"], "00000000").code, Some(6));
    }
    assert_eq!(world.enter(&[]).1["entry"], "paused");
    world.kill9();
    world.start_agent();
    world.wait_until_line_is("idle");
    let (code, paused) = world.enter(&[]);
    assert_eq!((code, &paused["entry"]), (Some(5), &"paused".into()));
    assert!(paused["wait_s"].as_u64() > Some(20), "{paused}");
    assert_eq!(world.board.turned_slots(), [] as [u16; 0]);
}

#[test]
fn a_slot_is_tested_while_no_order_is_open_and_nobody_is_told() {
    let mut world = World::with("uling-zdm8", |s| {
        s.turn_ms = 1_500;
        s.faults = vec!["no-drop:6"];
    });
    world.wait_until_line_is("idle");
    let refused = world.tool(&["slot", "test", "5"], "5\n");
    assert_eq!(refused.code, Some(9), "without a terminal nobody confirms: {}", refused.err);
    let tested = world.tool(&["slot", "test", "5", "--yes", "--json"], "");
    let line: Value = serde_json::from_str(&tested.out).unwrap();
    assert_eq!((tested.code, &line["outcome"], &line["motor"]), (Some(0), &"dispensed".into(), &"ok".into()));
    assert!(tested.err.contains("board"), "it says how far it is: {}", tested.err);
    world.wait_until_line_is("idle");
    let failed = world.tool(&["slot", "test", "6", "--address", "1", "--yes"], "");
    assert_eq!(failed.code, Some(7), "{}", failed.err);
    // This board takes a missing drop for a motor that did not stop.
    assert!(failed.out.contains("motor\ttimeout\ndrop sensor\tnot_seen"), "{}", failed.out);
    assert_eq!(world.tool(&["slot", "test", "9999", "--yes"], "").code, Some(6));

    world.wait_until_line_is("idle");
    // Open for long: ten turns.
    world.send(put("60", "78").code("7").quantity(10));
    world.board.wait_for_turns(3);
    let busy = world.tool(&["slot", "test", "5", "--yes"], "");
    assert_eq!(busy.code, Some(5), "{}", busy.err);
    let up = world.platform.up().all();
    assert!(!up.iter().any(|payload| opened(payload).to_string().contains("~t-")), "a test is nobody's order");
    world.stop_agent();
    let turned = world.board.turned_slots();
    assert!(turned.starts_with(&[5, 6, 7]) && turned[2..].iter().all(|slot| *slot == 7), "{turned:?}");
    let (code, lines) = world.dump();
    assert_eq!(code, Some(0));
    let tests = lines.iter().filter(|line| line["order_id"].as_str().is_some_and(|id| id.starts_with("~t-")));
    assert!(tests.clone().count() <= 1 && tests.clone().all(|line| line["reports"].as_array().unwrap().is_empty()));
}

#[test]
fn a_test_whose_agent_is_killed_is_not_driven_again_and_is_no_orders_result() {
    let mut world = World::with("uling-zdm8", |s| (s.turn_ms, s.longest_vend_ms) = (2_000, Some(6_000)));
    world.wait_until_line_is("idle");
    let mut tool = world.begin_tool(&["slot", "test", "6", "--yes"]);
    world.board.wait_for_turns(1);
    world.kill9();
    assert_ne!(tool.wait().unwrap().code(), Some(0), "whoever tested it is told that nobody answers");
    world.start_agent();
    world.send(put("60", "78"));
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.board.turned_slots(), [6, 5]);
}
