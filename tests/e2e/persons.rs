//! What a technician decides at the machine: an order in doubt, a dead letter. The real binary, and what it told.

use crate::common::agent::vend;
use crate::common::command::put;
use crate::common::http_server::Answer;
use crate::common::world::World;
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_person_resolves_an_order_in_doubt_and_the_merchant_hears_it() {
    let mut world = World::with("tcn-00ff", |s| (s.turn_ms, s.longest_vend_ms) = (1_000, Some(4_000)));
    world.send(put("60", "78"));
    world.board.wait_for_turns(1);
    world.kill9();
    world.board.wait_for_rest();
    world.start_agent();
    world.one_truth("60", "78", "unknown");
    world.wait_until_line_is("idle");
    let resolve = |more: &[&str]| {
        let all = [&["order", "resolve", "60:78", "--as", "failed", "--reason", "it lies in the slot"], more].concat();
        world.tool(&all, "60:78\n")
    };
    let unasked = resolve(&[]);
    assert_eq!(unasked.code, Some(9), "without a terminal nobody confirms: {}", unasked.err);
    let resolved = resolve(&["--yes", "--json"]);
    assert_eq!(resolved.code, Some(0), "{}", resolved.err);
    assert_eq!(json(&resolved.out)["units"][0]["outcome"], "not_dispensed");
    let tries = world.receiver.wait_for_tries("60", "78", 2);
    assert_eq!((&tries[1]["sequence"], &tries[1]["outcome"]), (&2.into(), &"not_dispensed".into()));
    let again = resolve(&["--yes"]);
    assert_eq!(again.code, Some(5), "{}", again.err);
    assert!(again.err.contains("nothing to resolve"), "{}", again.err);
    assert_eq!(world.tool(&["order", "resolve", "1:1", "--as", "failed", "--reason", "x", "--yes"], "").code, Some(6));
    assert_eq!(world.tool(&["order", "resolve", "1", "--as", "failed", "--reason", "x", "--yes"], "").code, Some(2));
    let audit = world.tool(&["audit", "list", "--plain"], "");
    assert!(audit.out.contains("order_resolved") && audit.out.contains("it lies in the slot"), "{}", audit.out);
    let story = world.tool(&["order", "show", "60:78", "--json"], "");
    let story = json(&story.out);
    assert_eq!(
        (&story["resolved_by_person"], &story["whole"], &story["schema_version"]),
        (&true.into(), &false.into(), &1.into())
    );
    assert_eq!(world.board.turned_slots(), [5], "nothing turned for it");
    // The decision is durable, and found again.
    world.kill9();
    world.start_agent();
    world.wait_for_note("running");
    assert!(world.tool(&["audit", "list", "--plain"], "").out.contains("order_resolved"));
}

#[test]
fn a_dead_letter_is_sent_again_when_a_person_wants_it() {
    let mut world = World::without_agent("tcn-00ff", |s| (s.turn_ms, s.private_targets) = (50, false));
    world.start_agent();
    world.wait_for_subscription(1);
    // A private target is refused at once.
    for (order_id, record_id) in [("60", "78"), ("61", "1")] {
        world.send(put(order_id, record_id));
        world.response(order_id, record_id);
    }
    world.wait_until_settled();
    let list = world.tool(&["report", "list", "--plain"], "");
    assert!(list.out.starts_with("60:78\t1\t") && list.out.contains("dead: bad_target"), "{}", list.out);
    let show = world.tool(&["report", "show", "60:78", "--json"], "");
    let letters = json(&show.out);
    let says = &letters["letters"][0]["says"];
    assert_eq!((&says["outcome"], &says["sign"]), (&"dispensed".into(), &Value::Null), "{says}");
    assert!(!show.out.contains("/notify"), "a URL may hold a token: {}", show.out);
    assert_eq!(world.tool(&["report", "show", "9:9"], "").code, Some(6));
    // Somebody allows it.
    world.stop_agent();
    let config = std::fs::read_to_string(world.path().join("vend.toml")).unwrap();
    let allowed = config.replace("allow_private_targets = false", "allow_private_targets = true");
    assert_ne!(config, allowed);
    std::fs::write(world.path().join("vend.toml"), allowed).unwrap();
    let pending = world.tool(&["report", "list", "--pending", "--plain"], "");
    assert_eq!((pending.code, pending.out.as_str()), (Some(3), ""), "the agent is stopped");
    world.receiver.will([Answer::status(503)]);
    world.start_agent();
    world.wait_for_note("running");
    let retried = world.tool(&["report", "retry", "60:78"], "");
    assert_eq!(retried.code, Some(0), "{}", retried.err);
    world.receiver.wait_for_tries("60", "78", 2);
    world.one_truth("60", "78", "dispensed");
    world.wait_until_settled();
    assert_eq!(world.tool(&["report", "retry", "60:78"], "").code, Some(5));
    let listed = |filter: &str| world.tool(&["report", "list", filter, "--plain"], "").out;
    assert!(listed("--dead").starts_with("61:1\t") && listed("--pending").is_empty(), "{}", listed("--dead"));
    let unasked = world.tool(&["report", "retry", "--all"], "");
    assert_eq!(unasked.code, Some(9), "{}", unasked.err);
    let all = world.tool(&["report", "retry", "--all", "--yes", "--plain"], "");
    assert_eq!((all.code, all.out.as_str()), (Some(0), "61:1\tsent again\n"), "{}", all.err);
    world.one_truth("61", "1", "dispensed");
    world.wait_until_settled();
    let none = world.tool(&["report", "retry", "--all", "--json"], "");
    assert_eq!((none.code, &json(&none.out)["orders"]), (Some(0), &Value::Array(Vec::new())), "{}", none.err);
    let audit = world.tool(&["audit", "list", "--plain"], "").out;
    assert_eq!(audit.matches("report_retried\tdone").count(), 2, "{audit}");
    assert_eq!(world.board.turned_slots(), [5, 5]);
}

#[test]
fn the_course_of_an_order_is_shown_with_messages_frames_and_tries() {
    let world = World::with("tcn-00ff", |s| s.turn_ms = 50);
    world.send(put("60", "78"));
    world.one_truth("60", "78", "dispensed");
    world.wait_until_settled();
    let story = json(&world.tool(&["order", "show", "60:78", "--json"], "").out);
    assert_eq!(story["whole"], true, "{story}");
    let kinds: Vec<&str> = story["steps"].as_array().unwrap().iter().filter_map(|step| step["kind"].as_str()).collect();
    for kind in ["message", "state", "frame_out", "frame_in", "report"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    let plain = world.tool(&["order", "show", "60:78", "--plain"], "");
    assert!(plain.out.contains("to board") && plain.out.lines().all(|l| l.split('\t').count() == 5), "{}", plain.out);
    // What each frame means stands beside its bytes, in both languages.
    for step in story["steps"].as_array().unwrap() {
        let is_frame = step["kind"].as_str().unwrap().starts_with("frame_");
        assert_eq!(step["meaning"]["en"].is_string() && step["meaning"]["zh"].is_string(), is_frame, "{step}");
    }
    for meaning in ["TURN slot 5", "goods were seen to fall"] {
        assert!(plain.out.contains(meaning), "{meaning} in {}", plain.out);
    }
    for meaning in ["转动货道 5", "检测到掉货", "第 1 件：已出货"] {
        assert!(story["steps"].to_string().contains(meaning), "{meaning} in {story}");
    }
    assert_eq!(world.tool(&["order", "show", "9:9"], "").code, Some(6));
}

#[test]
fn nobody_puts_bytes_on_a_line_whose_board_owes_its_word_to_an_order() {
    let mut world = World::with("tcn-00ff", |s| s.turn_ms = 3_000);
    let config = world.path().join("vend.toml");
    let sent = || {
        let mut command = vend(&["serial", "send", "--yes", "00 ff 03 fc aa 55", "--quiet", "100", "--config"]);
        command.arg(&config).output().unwrap()
    };
    let refused = |why: &str| {
        let told = sent();
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert_eq!((told.status.code(), told.stdout.is_empty()), (Some(5), true), "{said}");
        assert!(said.contains(why), "{said}");
    };
    world.send(put("60", "78"));
    world.board.wait_for_turns(1);
    refused("systemctl stop vend");
    world.kill9();
    refused("vend order show 60:78");
    assert_eq!(world.board.turned_slots(), [5], "nothing but the order's own turn");
}
