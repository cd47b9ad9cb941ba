//! What the platform wants of the machine beside vending, through the real daemon, and what root does about it.

use crate::common::command::{Command as Message, instruction, now_s, opened, put};
use crate::common::record::wait_until;
use crate::common::world::World;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use vend::order::local_time::show_date_time;

const REBOOT: &str = "client.machine.reboot";

/// A turn of this slot for a test.
fn channel_test(slot: &str) -> Message {
    instruction("client.channel.debugging").code(slot).with("addr", "1").with("order_type", "test")
}

impl World {
    /// What became of each instruction, with its reason.
    fn audit(&self) -> Vec<String> {
        let told = self.tool(&["audit", "list", "--json"], "");
        assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
        let document: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(document["schema_version"], 1);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = document["entries"].as_array().unwrap().iter();
        entries.map(|e| format!("{} {} {}", text(&e["kind"]), text(&e["became"]), text(&e["reason"]))).collect()
    }

    fn wait_for_audit(&self, last: &str) {
        wait_until(last, || self.audit().last().is_some_and(|line| line.trim_end() == last).then_some(()));
    }
}

#[test]
fn a_reboot_waits_for_the_order_and_leaves_one_request_that_a_dead_agents_successor_takes_back() {
    let mut world = World::with("tcn-00ff", |s| {
        (s.remote_allow, s.turn_ms) = (r#"["reboot", "configuration"]"#, 1_000);
    });
    let request = world.request();
    world.send(put("60", "78"));
    world.received("60", "accepted");
    let reboot = instruction(REBOOT);
    world.send(reboot.clone());
    wait_until("request", || request.exists().then_some(()));
    assert_eq!(fs::read_to_string(&request).unwrap(), "reboot\n");
    assert_eq!((world.board.turned_slots(), &world.status()["orders_open"]), (vec![5], &0.into()));
    world.one_truth("60", "78", "dispensed");
    world.send(reboot);
    world.wait_for_audit("reboot refused replayed");
    world.send(put("61", "1"));
    world.received("61", "accepted");
    assert_eq!(world.board.turned_slots(), [5], "the machine is about to go");
    world.kill9();
    world.start_agent();
    world.one_truth("61", "1", "dispensed");
    assert!(!request.exists());
    assert_eq!(world.audit(), ["reboot failed ", "reboot refused replayed"]);
    world.send(instruction("client.machine.config.push").with("idle_timeout", "60"));
    world.wait_for_audit("configuration done");
    assert_eq!(world.status()["settings"]["idle_timeout"], "60");
}

#[test]
fn without_permission_nothing_is_done_and_the_audit_says_so_in_words() {
    let world = World::start("tcn-00ff");
    world.send(instruction(REBOOT));
    world.send(instruction("client.machine.password.modified").with("password", "hunter2"));
    world.wait_for_audit("password refused not_offered");
    assert!(!world.request().exists());
    let told = world.tool(&["audit", "list"], "");
    let lines: Vec<Vec<&str>> = told.out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((lines.len(), told.code), (2, Some(0)), "{}", told.out);
    assert_eq!((lines[0][2], lines[0][3], lines[0][4]), ("platform", "reboot", "refused: not_allowed"));
    assert_eq!((lines[1][0], lines[1][3]), ("2", "password"));
    assert!(!world.log().contains("hunter2") && !world.status().to_string().contains("hunter2"));
    world.a_good_order_is_served("61");
}

#[test]
fn a_channel_test_turns_the_motor_once_is_told_to_nobody_and_a_killed_agents_successor_turns_none() {
    let mut world = World::with("uling-zdm8", |s| {
        (s.remote_allow, s.turn_ms, s.longest_vend_ms) = (r#"["channel-test"]"#, 1_500, Some(6_000));
    });
    world.wait_until_line_is("idle");
    world.send(channel_test("6"));
    world.wait_for_audit("channel_test done");
    assert_eq!(world.board.turned_slots(), [6]);
    // An order first: it is paid.
    world.wait_until_line_is("idle");
    world.send(put("60", "78"));
    world.board.wait_for_turns(2);
    world.send(channel_test("6"));
    world.wait_for_audit("channel_test refused orders_open");
    world.one_truth("60", "78", "dispensed");
    world.wait_until_line_is("idle");
    let again = channel_test("7");
    world.send(again.clone());
    world.board.wait_for_turns(3);
    world.kill9();
    world.start_agent();
    world.wait_for_subscription(2);
    world.send(again);
    world.wait_for_audit("channel_test refused replayed");
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [6, 5, 7, 9]);
    let up = world.platform.up().all();
    assert!(!up.iter().any(|payload| opened(payload).to_string().contains("~t-")), "a test is nobody's order");
}

#[test]
fn a_schedule_whose_time_has_come_leaves_one_request_that_says_when_to_wake() {
    let world = World::with("tcn-00ff", |s| s.remote_allow = r#"["schedule"]"#);
    let on_at_s = now_s() + 7_200;
    let mut ahead_s = 2;
    // A slow machine may hear of it only after the time that it names: then it is told a later one.
    wait_until("a plan that was heard in time", || {
        let entries = world.audit().len();
        let plan = instruction("client.power.schedule.once");
        let plan = plan.with("power_off", &show_date_time(now_s() + ahead_s));
        world.send(plan.with("power_on", &show_date_time(on_at_s)));
        ahead_s += 2;
        let became = wait_until("word of the plan", || world.audit().get(entries).cloned());
        (became.trim_end() == "schedule done").then_some(())
    });
    let request = world.request();
    wait_until("request", || request.exists().then_some(()));
    assert_eq!(fs::read_to_string(&request).unwrap(), format!("poweroff-until {on_at_s}\n"));
    assert_eq!(world.audit().last().map(String::as_str), Some("shutdown under_way "));
    assert_eq!(world.status()["schedule"], serde_json::json!([]), "it is done once");
    world.send(put("60", "78"));
    world.received("60", "accepted");
    assert_eq!(world.board.turned_slots(), [] as [u16; 0], "the machine is about to go");
}

/// `systemd/vend-machine` with a system that only writes down what it is asked. What it did, and whether it ended well.
fn act_on(make: impl FnOnce(&Path), clock_wakes: bool) -> (String, bool) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (name, code) in [("systemctl", 0), ("rtcwake", u8::from(!clock_wakes))] {
        let program = here.join(name);
        let script = format!("#!/bin/sh\necho {name} \"$@\" >>{}\nexit {code}\n", here.join("done").display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let request = here.join("machine.request");
    make(&request);
    let path = format!("{}:{}", here.display(), std::env::var("PATH").unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/vend-machine");
    let ended =
        Command::new("sh").arg(script).arg(&request).arg(here.join("taken")).env("PATH", path).output().unwrap();
    assert!(fs::symlink_metadata(&request).is_err(), "it is acted on once");
    (fs::read_to_string(here.join("done")).unwrap_or_default(), ended.status.success())
}

#[test]
fn root_acts_on_fixed_words_and_on_nothing_else() {
    let act = |line: &str| act_on(|request| fs::write(request, line).unwrap(), true);
    assert_eq!(act("reboot\n"), ("systemctl reboot\n".to_owned(), true));
    assert_eq!(act("poweroff\n"), ("systemctl poweroff\n".to_owned(), true));
    let woken = "rtcwake --mode no --time 1758596861\nsystemctl poweroff\n".to_owned();
    assert_eq!(act("poweroff-until 1758596861\n"), (woken, true));
    for line in [
        "",
        "\n",
        "halt\n",
        "reboot now\n",
        "Reboot\n",
        "reboot;id\n",
        "$(reboot)\n",
        "`id`\n",
        "poweroff-until\n",
        "poweroff-until \n",
        "poweroff-until -1\n",
        "poweroff-until 1;id\n",
        "poweroff-until 1 2\n",
        "*\n",
        "poweroff-until 1111111111111\n",
        " reboot\n",
        "reboot\\\n",
        "rebooty\n",
    ] {
        assert_eq!(act(line), (String::new(), false), "{line:?}");
    }
    assert_eq!(act(&"x".repeat(1 << 20)), (String::new(), false));
    let linked = act_on(|request| symlink("/etc/hostname", request).unwrap(), true);
    assert_eq!(linked, (String::new(), false), "a link is not followed");
    let folder = act_on(|request| fs::create_dir(request).unwrap(), true);
    assert_eq!(folder, (String::new(), false));
}

#[test]
fn a_machine_that_nothing_would_wake_is_not_switched_off() {
    let act = act_on(|request| fs::write(request, "poweroff-until 1758596861\n").unwrap(), false);
    assert_eq!(act, ("rtcwake --mode no --time 1758596861\n".to_owned(), false));
}
