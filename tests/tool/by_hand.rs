//! What a technician does with his own hands: raw bytes on the line, the way to the broker, Ctrl-C.

use crate::mosquitto::Mosquitto;
use crate::support::{Ended, Machine, Process, board, run, vend, wait_for};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

/// Dispense on slot 3 of the first board of tcn-00ff, whole and as board, command and parameter.
const TURN_3: &str = "00 ff 03 fc aa 55";
const TURN_3_BARE: &str = "0003aa";

fn turns(machine: &Machine) -> usize {
    fs::read_to_string(machine.path("turns")).map_or(0, |text| text.lines().count())
}

fn send_command(machine: &Machine, arguments: &[&str]) -> std::process::Command {
    let mut command = vend(["serial", "send", "--config", &machine.text("vend.toml")]);
    command.args(arguments);
    command
}

fn send(machine: &Machine, arguments: &[&str]) -> Ended {
    run(send_command(machine, arguments))
}

/// With these lines on standard input.
fn send_lines(machine: &Machine, arguments: &[&str], lines: &str) -> Ended {
    let mut command = send_command(machine, arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// What the audit says, from a daemon that is started for it.
fn audit(machine: &Machine) -> Vec<serde_json::Value> {
    let mut daemon = machine.daemon();
    let mut document = machine.tool(&["audit", "list", "--json"]).documents().remove(0);
    assert_eq!(daemon.terminate(), Some(0), "{}", daemon.log());
    serde_json::from_value(document["entries"].take()).unwrap()
}

#[test]
fn raw_bytes_are_sent_only_while_the_agent_does_not_run_and_the_audit_knows_them() {
    let machine = Machine::new();
    let _board = board(&machine, &["--turn-time", "50"]);
    let never_ran = send(&machine, &["--yes", TURN_3]);
    assert_eq!(never_ran.code, Some(6), "nothing may be sent that nobody keeps: {}", never_ran.err);
    assert!(!machine.path("state").exists(), "a tool makes no journal");
    let mut daemon = machine.daemon();
    let busy = send(&machine, &["--yes", TURN_3]);
    assert_eq!((busy.code, busy.out.as_str()), (Some(5), ""), "{}", busy.err);
    assert!(busy.err.contains("systemctl stop vend"), "{}", busy.err);
    assert_eq!(daemon.terminate(), Some(0));

    for (wrong, code) in [(["--yes", "00 f"].as_slice(), 2), (&["--yes", "zz"], 2), (&[TURN_3], 9)] {
        let ended = send(&machine, wrong);
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{wrong:?}: {}", ended.err);
    }
    assert_eq!(turns(&machine), 0, "nothing was sent so far");
    let sent = send(&machine, &["--yes", TURN_3, "--quiet", "2000"]);
    assert_eq!(sent.code, Some(0), "{}", sent.err);
    assert!(sent.out.contains("TURN slot 3") && sent.out.contains("goods were seen to fall"), "{}", sent.out);
    let sealed = send(&machine, &["--yes", "--json", "--crc", TURN_3_BARE, "--quiet", "2000"]);
    let frames = sealed.documents();
    assert_eq!((&frames[0]["hex"], &frames[0]["schema_version"]), (&TURN_3.into(), &1.into()));
    assert_eq!(frames[1]["way"], "from_board");
    assert_eq!(turns(&machine), 2);
    // Another board than there is says nothing.
    let silent = send(&machine, &["--yes", "--crc", "090364", "--quiet", "100"]);
    assert_eq!(silent.code, Some(7), "{}", silent.err);

    let typed = send_lines(&machine, &["--yes", "--quiet", "1000"], &format!("{TURN_3}\nnonsense\n\n00ff03fcaa55\n"));
    assert_eq!(typed.code, Some(2), "what is no frame is not forgotten: {}", typed.err);
    assert_eq!(typed.out.lines().filter(|line| line.contains('→')).count(), 2, "{}", typed.out);
    assert!(typed.err.contains("nonsense"), "{}", typed.err);

    let entries = audit(&machine);
    let kept: Vec<&str> = entries.iter().map(|entry| entry["detail"].as_str().unwrap()).collect();
    assert_eq!(kept[0], format!("1 raw frames; the last: {TURN_3}"));
    assert_eq!((kept.len(), kept[3]), (4, format!("2 raw frames; the last: {TURN_3}").as_str()));
    for entry in &entries {
        assert_eq!((&entry["kind"], &entry["who"]), (&"line_sent".into(), &"person".into()));
        assert!(entry["uid"].is_u64(), "{entry}");
    }
}

#[test]
fn who_listens_on_the_line_keeps_the_agent_out_and_ends_with_130_on_ctrl_c() {
    let machine = Machine::new();
    let _board = board(&machine, &["--turn-time", "50"]);
    assert_eq!(audit(&machine).len(), 0);
    let mut command = send_command(&machine, &["--yes", TURN_3, "--quiet", "60000", "--for", "10m"]);
    let mut console = Process::spawn(
        {
            command.stdout(Stdio::piped());
            command
        },
        machine.path("console"),
    );
    let mut out = BufReader::new(console.take_stdout());
    let mut line = String::new();
    while !line.contains("goods were seen") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "{}", console.log());
    }
    let mut daemon = machine.start();
    assert_eq!(daemon.wait(), Some(5), "{}", daemon.log());
    console.signal(Signal::INT);
    assert_eq!(console.wait(), Some(130), "{}", console.log());
    assert_eq!(audit(&machine).len(), 1);
}

#[test]
fn the_way_to_the_broker_is_measured_with_and_without_the_agent() {
    let mosquitto = Mosquitto::start();
    let machine = Machine::with_broker(mosquitto.port(), "5");
    let config = fs::read_to_string(machine.path("vend.toml")).unwrap();
    fs::write(machine.path("vend.toml"), config.replace("[cloud]", "keep_alive_s = 5\n[cloud]")).unwrap();
    let ping = |more: &[&str]| {
        let mut command = vend(["mqtt", "ping", "--json"]);
        command.args(machine.place()).args(more);
        run(command)
    };
    let alone = ping(&["--count", "2"]);
    assert_eq!(alone.code, Some(0), "{}", alone.err);
    let trips = alone.documents();
    assert_eq!(trips.len(), 2);
    for trip in trips {
        assert_eq!((&trip["way"], &trip["schema_version"]), (&"log_in".into(), &1.into()));
        assert!(trip["round_trip_ms"].is_u64());
    }
    assert!(mosquitto.log().contains("vend-ping-") && !mosquitto.log().contains("as 16327129"), "{}", mosquitto.log());
    let mut daemon = machine.daemon();
    daemon.wait_for_log("commands can come");
    let with = ping(&[]);
    assert_eq!((with.code, with.documents()[0]["way"].as_str()), (Some(0), Some("session")), "{}", with.err);
    assert_eq!(
        mosquitto.log().matches("as vend-ping-").count(),
        2,
        "the session was measured, and nobody else logged in"
    );
    drop(mosquitto);
    wait_for("the agent has noticed", || (ping(&[]).code == Some(8)).then_some(()));
    assert_eq!(daemon.terminate(), Some(0));
    let gone = ping(&[]);
    assert_eq!(gone.code, Some(8), "{}", gone.err);
    assert!(gone.err.contains("vend doctor"), "{}", gone.err);
}

#[test]
fn a_broker_that_does_not_let_the_machine_in_is_told_from_one_that_is_away() {
    let mosquitto = Mosquitto::start_with(|directory| {
        let passwords = directory.join("passwords");
        fs::write(&passwords, "").unwrap();
        let mut program = std::process::Command::new("mosquitto_passwd");
        assert!(program.arg("-b").arg(&passwords).args(["machine", "right-5"]).status().unwrap().success());
        format!("allow_anonymous false\npassword_file {}\n", passwords.display())
    });
    let machine = Machine::with_broker(mosquitto.port(), "5");
    let config = fs::read_to_string(machine.path("vend.toml")).unwrap();
    fs::write(machine.path("vend.toml"), config.replace("[cloud]", "username = \"machine\"\n[cloud]")).unwrap();
    // Where the package puts them: a person need not say so.
    fs::create_dir(machine.path("credentials")).unwrap();
    fs::copy(machine.path("app_key"), machine.path("credentials/app_key")).unwrap();
    let ping = |password: Option<&str>| {
        if let Some(password) = password {
            fs::write(machine.path("credentials/mqtt_password"), password).unwrap();
        }
        run(vend(["mqtt", "ping", "--plain", "--config", &machine.text("vend.toml")]))
    };
    let missing = ping(None);
    assert_eq!(missing.code, Some(78), "{}", missing.err);
    assert!(missing.err.contains("credentials/mqtt_password"), "{}", missing.err);
    let wrong = ping(Some("wrong-5"));
    assert_eq!(wrong.code, Some(8), "{}", wrong.err);
    assert!(!wrong.err.contains("wrong-5") && !wrong.err.contains("refused (os"), "{}", wrong.err);
    let right = ping(Some("right-5"));
    assert_eq!(right.code, Some(0), "{}", right.err);
    drop(mosquitto);
    let away = ping(Some("wrong-5"));
    assert_eq!(away.code, Some(8), "{}", away.err);
    assert_ne!(away.err, wrong.err, "what is wrong is told");
}

#[test]
fn ctrl_c_ends_a_slot_test_with_130_and_not_the_motor() {
    let machine = Machine::new();
    let _board = board(&machine, &["--turn-time", "2000"]);
    let mut daemon = machine.daemon();
    wait_for("the line is idle", || (machine.status()["line"] == "idle").then_some(()));
    let mut command = vend(["slot", "test", "3", "--yes", "--socket", &machine.text("control.sock")]);
    command.stdout(Stdio::null());
    let mut test = Process::spawn(command, machine.path("test"));
    test.wait_for_log("with the board");
    test.signal(Signal::INT);
    assert_eq!(test.wait(), Some(130), "{}", test.log());
    assert!(test.log().contains("vend audit list"), "{}", test.log());
    let last = wait_for("the test's end", || {
        let audit = machine.tool(&["audit", "list", "--json"]).documents().remove(0);
        let last = audit["entries"][0].clone();
        (last["became"] == "done").then_some(last)
    });
    assert_eq!((&last["kind"], &last["who"]), (&"slot_tested".into(), &"person".into()), "{last}");
    assert_eq!(last["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(machine.tool(&["log-level", "debug"]).code, Some(0));
    wait_for("who made the log louder", || {
        machine.tool(&["audit", "list", "--plain"]).out.contains("log_level\tdone\tdebug for 600 s").then_some(())
    });
    assert_eq!((daemon.terminate(), turns(&machine)), (Some(0), 1));
}

#[test]
fn every_stream_ends_with_130_on_ctrl_c() {
    let machine = Machine::new();
    let _daemon = machine.daemon();
    for arguments in [["serial", "monitor"].as_slice(), &["mqtt", "tail"], &["status", "--watch"]] {
        let mut command = vend(arguments);
        command.args(["--socket", &machine.text("control.sock")]).stdout(Stdio::piped());
        let mut stream = Process::spawn(command, machine.path("stream"));
        // Ctrl-C is heard from before it connects on.
        wait_for("a stream that runs", || {
            let catches = fs::read_to_string(format!("/proc/{}/status", stream.pid())).unwrap();
            let caught = catches.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            (caught & 1 << (Signal::INT.as_raw() - 1) != 0).then_some(())
        });
        stream.signal(Signal::INT);
        assert_eq!(stream.wait(), Some(130), "{arguments:?}: {}", stream.log());
    }
}
