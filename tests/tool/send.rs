//! `vend sign` and `vend send`.

use crate::mosquitto::Mosquitto;
use crate::support::{Ended, Machine, Process, run, vend, wait_for};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

fn sign(key_file: &str, object: &str) -> Ended {
    let mut command = vend(["sign", "--key-file", key_file]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have refused its key, and left, before it reads.
    let _ = child.stdin.take().unwrap().write_all(object.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn the_vendors_example_gets_the_vendors_signature() {
    let machine = Machine::new();
    let object = r#"{"order_id":60,"record_id":78,"machine_no":"16327129","method":"device.delivery.put","timestamp":"1714373688"}"#;
    let signed = sign(&machine.text("app_key"), object);
    assert_eq!((signed.code, signed.err.as_str()), (Some(0), ""));
    let [signed] = &signed.documents()[..] else { panic!("{signed:?}") };
    assert_eq!(signed["sign"], "2457E8CE3CB49D31EC2054365FC8AD90");
    assert_eq!((&signed["order_id"], signed.get("schema_version")), (&60.into(), None));
}

#[test]
fn a_missing_key_is_78_and_a_wrong_object_is_1() {
    let machine = Machine::new();
    let missing = sign(&machine.text("nowhere"), "{}");
    assert_eq!((missing.code, missing.out.as_str()), (Some(78), ""));
    assert!(missing.err.contains("nowhere"), "{}", missing.err);
    let wrong = sign(&machine.text("app_key"), "[1]");
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(1), ""));
    assert!(wrong.err.contains("standard input"), "{}", wrong.err);
}

fn dispense(machine: &Machine, arguments: &[&str]) -> Ended {
    let mut command = vend(["send", "dispense", "--record-id", "078", "--code", "3"]);
    command.args(machine.place()).args(arguments);
    run(command)
}

#[test]
fn a_broker_that_is_not_there_or_refuses_us_is_8() {
    let machine = Machine::new();
    let sent = dispense(&machine, &["--order-id", "60"]);
    assert_eq!((sent.code, sent.out.as_str()), (Some(8), ""));
    assert!(sent.err.contains("not reachable"), "{}", sent.err);

    let broker = Mosquitto::start_with(|_| "allow_anonymous false\n".to_owned());
    let url = format!("mqtt://127.0.0.1:{}", broker.port());
    fs::write(machine.path("password"), "hunter2").unwrap();
    let password = machine.text("password");
    let sent = dispense(
        &machine,
        &["--order-id", "60", "--broker", &url, "--username", "platform", "--password-file", &password],
    );
    assert_eq!(sent.code, Some(8));
    assert!(sent.err.contains("refuses") || sent.err.contains("let this client in"), "{}", sent.err);
    assert!(!sent.err.contains("hunter2"));
}

#[test]
fn what_no_machine_would_take_is_no_command() {
    let machine = Machine::new();
    for arguments in [
        ["--order-id", "a b"].as_slice(),
        &["--order-id", "60", "--quantity", "11"],
        &["--order-id", "60", "--addr", "9"],
        &["--order-id", "60", "--broker", "http://127.0.0.1"],
        &["--order-id", "60", "--broker", "mqtt://broker.example"],
        &["--order-id", "60", "--password-file", "x"],
    ] {
        assert_eq!(dispense(&machine, arguments).code, Some(2), "{arguments:?}");
    }
}

/// The whole way, with each version of MQTT: command, daemon, board, status.
#[test]
fn a_sent_command_turns_the_motor_of_the_emulated_board_once() {
    for protocol in ["5", "3.1.1"] {
        let broker = Mosquitto::start();
        let machine = Machine::with_broker(broker.port(), protocol);
        let link = machine.text("port");
        let log = machine.text("turns");
        let mut board = vend(["board", "simulate", "--profile", "tcn-00ff", "--turn-time", "20"]);
        board.args(["--link", &link, "--log", &log]).stdout(Stdio::null());
        let _board = Process::spawn(board, machine.path("board"));
        let mut daemon = machine.daemon();
        // A session without orders of a former life: what comes from now on is driven (order-life, rule 6).
        wait_for("the broker and the board", || {
            let status = machine.status();
            (status["broker_connected"] == true && status["line"] == "idle").then_some(())
        });
        wait_for("the subscription", || broker.log().contains("Sending SUBACK").then_some(()));

        let sent = dispense(&machine, &["--order-id", "60", "--json"]);
        assert_eq!(sent.code, Some(0), "{}", sent.err);
        assert_eq!(
            (&sent.documents()[0]["order_id"], &sent.documents()[0]["record_id"]),
            (&"60".into(), &"078".into())
        );
        wait_for(&format!("a turn; the daemon: {}", daemon.log()), || {
            fs::read_to_string(&log).unwrap_or_default().contains("slot=3 dropped=true").then_some(())
        });
        wait_for("the settled report", || {
            let status = machine.status();
            (status["orders_settled"] == 1 && status["orders_open"] == 0).then_some(())
        });
        assert_eq!(machine.status()["counters"]["driven"], 1);
        assert_eq!(dispense(&machine, &["--order-id", "60"]).out, "60:078\n");
        wait_for("the duplicate", || (machine.status()["counters"]["duplicates"] == 1).then_some(()));
        assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 1);
        assert_eq!(daemon.terminate(), Some(0));
        let dump = machine.dump(&["--json"]);
        assert_eq!((dump.code, &dump.documents()[0]["units"][0]["outcome"]), (Some(0), &"dispensed".into()));
    }
}
