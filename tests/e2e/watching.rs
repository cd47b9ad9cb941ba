//! Somebody watches while the machine works: frames, messages, one screen, the log, and a bundle for support. The real
//! binary, and nothing of it gets in the way of an order.

use crate::common::cloud::APP_SECRET;
use crate::common::command::{APP_KEY, pickup_code, put};
use crate::common::record::wait_until;
use crate::common::world::{MQTT_PASSWORD, World};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than any line is waited for.
const GENEROUS: Duration = Duration::from_secs(60);
/// Until a message is sent again to somebody who may not have listened yet.
const AGAIN: Duration = Duration::from_millis(500);

/// A command that goes on, and its lines as they come.
struct Watcher {
    child: Child,
    lines: Receiver<String>,
}

impl Watcher {
    fn of(world: &World, arguments: &[&str]) -> Watcher {
        let mut child = world.begin_tool(arguments);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    return;
                }
            }
        });
        Watcher { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(GENEROUS).expect("a line in time")
    }

    /// Lines until one of them is it.
    fn until(&self, is_it: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| is_it(line)) {
            lines.push(self.next());
        }
        lines
    }

    /// Ctrl-C: its exit code.
    fn interrupt(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait().unwrap().code()
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_monitor_shows_the_frames_of_a_vend_with_their_meaning_while_it_goes_on() {
    let world = World::with("uling-zdm8", |s| s.turn_ms = 300);
    let watcher = Watcher::of(&world, &["serial", "monitor", "--json"]);
    // The line is polled: the first frame says that it is listened to.
    let first = json(&watcher.next());
    assert_eq!(first["schema_version"], 1, "{first}");
    world.send(put("60", "78"));
    let turn = watcher.until(|line| line.contains("TURN slot 5"));
    let turn = json(turn.last().unwrap());
    assert!(turn["way"] == "to_board" && turn["hex"].as_str().unwrap().len() > 10, "{turn}");
    watcher.until(|line| line.contains("finished"));
    world.one_truth("60", "78", "dispensed");
    assert_eq!(watcher.interrupt(), Some(130));
    let raw = Watcher::of(&world, &["serial", "monitor", "--raw"]);
    assert_eq!(raw.next().split('\t').count(), 3);
    assert_eq!(raw.interrupt(), Some(130));
    // A fifth listener has no place, and the questions of others still find one.
    let four: Vec<Watcher> = (0..4).map(|_| Watcher::of(&world, &["serial", "monitor"])).collect();
    for watcher in &four {
        watcher.next();
    }
    let fifth = world.tool(&["serial", "monitor"], "");
    assert_eq!(fifth.code, Some(1), "{}", fifth.err);
    assert!(fifth.err.contains("listen already"), "{}", fifth.err);
    assert_eq!(world.tool(&["status"], "").code, Some(0));
    drop(four.into_iter().map(Watcher::interrupt).collect::<Vec<_>>());
    assert_eq!(world.board.turned_slots(), [5]);
}

#[test]
fn the_tail_shows_commands_and_no_pickup_code() {
    let world = World::with("tcn-00ff", |s| s.turn_ms = 50);
    let watcher = Watcher::of(&world, &["mqtt", "tail", "--json"]);
    let first = wait_until("the tail listens", || {
        world.send(put("60", "78"));
        watcher.lines.recv_timeout(AGAIN).ok()
    });
    let first = json(&first);
    assert_eq!((&first["fields"]["order_id"], &first["fields"]["sign"]), (&"60".into(), &"***".into()), "{first}");
    world.send(pickup_code("7", "16327138"));
    let code = watcher.until(|line| line.contains("pickup_codes"));
    assert!(!code.concat().contains("16327138"), "{code:?}");
    assert_eq!(watcher.interrupt(), Some(130));
}

#[test]
fn the_log_is_louder_for_a_while_and_falls_back_by_itself() {
    let mut world = World::start("uling-zdm8");
    world.wait_until_line_is("idle");
    assert!(!world.log().contains("DEBUG"), "{}", world.log());
    let louder = world.tool(&["log-level", "debug", "--for", "2s", "--json"], "");
    assert_eq!(louder.code, Some(0), "{}", louder.err);
    assert_eq!(json(&louder.out)["level"], "debug");
    wait_until("a debug line", || {
        world.status();
        world.log().contains("DEBUG").then_some(())
    });
    wait_until("the end of it", || world.log().contains("as loud as at the start again").then_some(()));
    let loud = world.log().matches("DEBUG").count();
    world.status();
    world.a_good_order_is_served("61");
    assert_eq!(world.log().matches("DEBUG").count(), loud, "{}", world.log());
    // One key finds an order's story.
    let story: Vec<String> = world.log().lines().filter(|l| l.contains("order=61:1")).map(str::to_owned).collect();
    assert!(story.len() >= 2 && story.iter().all(|l| l.contains("machine=\"16327129\"")), "{story:?}");
    assert!(story.iter().any(|line| line.contains("slot=9")), "{story:?}");
    assert_eq!(world.tool(&["log-level", "loud"], "").code, Some(2));
    assert_eq!(world.tool(&["log-level", "debug", "--for", "25h"], "").code, Some(2));
    world.stop_agent();
    assert_eq!(world.tool(&["log-level", "debug"], "").code, Some(3));
}

#[test]
fn the_screen_is_shown_again_and_again_and_a_slot_that_a_person_locked_is_in_it() {
    let world = World::start("tcn-00ff");
    assert_eq!(world.tool(&["slot", "restock", "5", "7"], "").code, Some(0));
    assert_eq!(world.tool(&["slot", "lock", "5"], "").code, Some(0));
    let shown = world.tool(&["slot", "show", "5", "--json"], "");
    assert_eq!(json(&shown.out)["slots"][0]["locked"], true);
    assert_eq!(world.tool(&["slot", "show", "6"], "").code, Some(6));
    let watcher = Watcher::of(&world, &["status", "--watch"]);
    let screen = watcher.until(|line| line.contains("events"));
    assert!(screen[0].contains("16327129") && screen.iter().any(|line| line.contains("5:7L")), "{screen:?}");
    watcher.until(|line| line.contains("16327129"));
    assert_eq!(watcher.interrupt(), Some(130));
    world.send(put("60", "78"));
    world.one_truth("60", "78", "refused");
    assert_eq!(world.tool(&["slot", "clear", "5"], "").code, Some(0));
    assert_eq!(world.board.turned_slots(), [] as [u16; 0]);
}

#[test]
fn a_bundle_holds_everything_but_secrets() {
    const TOKEN: &str = "t0ken-in-a-url";
    let mut world = World::with("tcn-00ff", |s| (s.secure_broker, s.turn_ms) = (true, 50));
    let url = format!("{}?token={TOKEN}", world.receiver.url());
    world.send(put("60", "78").with("notify_url", &url));
    world.response("60", "78");
    let bundle = world.path().join("bundle.tar.gz");
    let (config, credentials) = (world.path().join("vend.toml"), world.path().join("credentials"));
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let arguments = |output: &str| {
        let all =
            ["support", "bundle", "--output", output, "--config", &text(&config), "--credentials", &text(&credentials)];
        world.tool(&all, "")
    };
    let told = arguments(&text(&bundle));
    assert_eq!((told.code, told.out.trim()), (Some(0), text(&bundle).as_str()), "{}", told.err);
    let unpacked = Command::new("tar").arg("-xzOf").arg(&bundle).output().unwrap();
    let all = String::from_utf8_lossy(&unpacked.stdout).into_owned();
    for part in
        ["\"machine_no\": \"16327129\"", "machine_no = \"16327129\"", "\"orders\"", "vend 0.", "Linux", "\"findings\""]
    {
        assert!(all.contains(part), "{part} is missing:\n{all}");
    }
    for secret in [MQTT_PASSWORD, APP_SECRET, APP_KEY, TOKEN] {
        assert!(!all.contains(secret), "{secret} is in the bundle");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&bundle).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(arguments(&text(&bundle)).code, Some(5), "nothing is written over");
    // Without a daemon it says what is missing, and holds the rest.
    world.stop_agent();
    let second = text(&world.path().join("second.tar.gz"));
    let all =
        ["support", "bundle", "--output", &second, "--config", &text(&config), "--credentials", &text(&credentials)];
    assert_eq!(world.tool(&all, "").code, Some(0));
    let list = Command::new("tar").args(["-tzf", &second]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("status.json.missing.txt") && list.contains("configuration.toml\n"), "{list}");
}

#[test]
fn the_configuration_is_shown_with_where_each_value_is_from() {
    let world = World::without_agent("tcn-00ff", |_| {});
    let config = world.path().join("vend.toml");
    let mut command = crate::common::agent::vend(&["config", "show", "--effective", "--origin", "--plain", "--config"]);
    let told = String::from_utf8(command.arg(&config).output().unwrap().stdout).unwrap();
    let origin =
        |key: &str| told.lines().find(|line| line.starts_with(&format!("{key}\t"))).unwrap().rsplit('\t').next();
    assert_eq!((origin("machine_no"), origin("broker.keep_alive_s")), (config.to_str(), Some("default")));
}
