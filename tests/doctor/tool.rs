//! The command itself: ids, exit codes, forms, languages.

use crate::common::mosquitto::Mosquitto;
use crate::support::{Machine, doctor, run};
use std::fs;
use vend::doctor::Check;

/// A machine that is well but for its daemon.
fn well() -> (Mosquitto, Machine) {
    let (broker, machine) = (Mosquitto::start(), Machine::new());
    machine.change("mqtt://127.0.0.1:1", &format!("mqtt://127.0.0.1:{}", broker.port()));
    (broker, machine)
}

#[test]
fn a_fresh_install_is_red_exactly_where_secrets_are_missing() {
    let (_broker, machine) = well();
    if !machine.port_has_group() {
        return;
    }
    machine.systemd_says(
        "LoadState=loaded\nUnitFileState=enabled\nActiveState=inactive\nSubState=dead\nWatchdogUSec=30s\n\
        User=daemon\nSupplementaryGroups=tty dialout",
    );
    fs::write(machine.path("credentials/app_key"), "").unwrap();
    let told = machine.doctor_json();
    assert_eq!((told.ids("failed"), told.ids("warning")), (vec!["C8".to_owned()], Vec::new()), "{}", told.out);
    assert_eq!(told.code, Some(78));
    machine.secret("app_key", "kva");
    assert_eq!(machine.doctor_json().ids("failed"), ["S3"], "now it only has to be started");
}

#[test]
fn the_example_is_red_where_it_must_be_filled_in() {
    let machine = Machine::new();
    let example = fs::read_to_string(crate::tree::root().join("systemd/vend.toml.example")).unwrap();
    let socket = machine.memory().join("control.sock");
    let example = example
        .replace("/dev/vend-dispenser", "port")
        .replace("#directory = \"/var/lib/vend\"", "directory = \"state\"")
        .replace("#trust = \"synchronised\"", "trust = \"system\"")
        .replace("#socket = \"/run/vend/control.sock\"", &format!("socket = \"{}\"", socket.display()));
    fs::write(machine.path("vend.toml"), example).unwrap();
    fs::remove_dir_all(machine.path("credentials")).unwrap();
    let told = machine.doctor(&["--json", "--skip", "N1"]);
    assert_eq!(told.ids("failed"), ["C3", "C5", "C8"], "{}", told.out);
    assert_eq!(told.ids("warning"), [""; 0]);
}

#[test]
fn warnings_fail_only_when_they_are_to() {
    let machine = Machine::new();
    machine.change("allow_hosts = [\"127.0.0.1\"]", "allow_private_targets = true");
    let code = |arguments: &[&str]| machine.doctor(arguments).code;
    assert_eq!(code(&["--only", "C7"]), Some(0));
    assert_eq!(code(&["--only", "C7", "--strict"]), Some(1));
    assert_eq!(code(&["--only", "C2", "--strict"]), Some(0));
    assert_eq!(code(&["--only", "N3"]), Some(1));
    assert_eq!(code(&["--only", "n3,C2", "--skip", "N3"]), Some(0));
    assert_eq!(code(&["--only", "X9"]), Some(2));
    machine.change("tcn-00ff", "none-such");
    assert_eq!(code(&["--only", "C4"]), Some(78));
}

#[test]
fn the_list_has_every_check_and_looks_at_nothing() {
    let machine = Machine::new();
    fs::remove_file(machine.path("vend.toml")).unwrap();
    let told = machine.doctor(&["--list", "--plain"]);
    let ids: Vec<&str> = told.out.lines().map(|line| line.split('\t').next().unwrap()).collect();
    let all: Vec<&str> = Check::ALL.iter().map(|check| check.entry().id).collect();
    assert_eq!((told.code, ids), (Some(0), all));
    let one = machine.doctor(&["--list", "--json", "--only", "P4"]);
    let one: serde_json::Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(
        (&one["checks"][0]["id"], &one["checks"][0]["needs"]),
        (&"P4".into(), &serde_json::json!(["P1", "P2", "P3"]))
    );
}

#[test]
fn plain_output_has_five_columns_and_is_chinese_where_that_is_asked_for() {
    let machine = Machine::new();
    let told = machine.doctor(&["--only", "N3", "--plain"]);
    let cells: Vec<&str> = told.out.trim_end_matches('\n').split('\t').collect();
    let [id, state, title, saw, fix] = cells[..] else { panic!("{cells:?}") };
    assert_eq!((id, state, title), ("N3", "failed", "the broker's port is open"));
    assert!(saw.contains("127.0.0.1:1") && fix.contains("no broker at this port"), "{cells:?}");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vend"));
    command.args(["--lang", "zh", "doctor", "--only", "N3", "--plain", "--config"]).arg(machine.path("vend.toml"));
    let told = run(command);
    assert!(
        told.out.contains("可连接消息服务器端口") && told.out.contains("没有消息服务器"),
        "{}{}",
        told.out,
        told.err
    );
}

#[test]
fn no_secret_is_ever_printed() {
    let machine = Machine::new();
    machine.secret("app_key", "hush-5e0d9b");
    for form in ["--json", "--plain"] {
        let told = machine.doctor(&[form]);
        assert!(!(told.out + &told.err).contains("hush-5e0d9b"), "{form}");
    }
    fs::write(machine.path("credentials/app_key"), "hush-5e0d9b\nhush-5e0d9b\n").unwrap();
    let told = doctor(&machine.path(""), &machine.path("bin"), &["--json"]);
    assert!(told.ids("failed").contains(&"C8".to_owned()));
    assert!(!(told.out + &told.err).contains("hush-5e0d9b"));
}
