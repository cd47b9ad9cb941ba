//! What stands in the daemon's way, as a technician is told of it, in both languages.

use crate::chinese::assert_chinese;
use crate::support::{Machine, board, run, vend, wait_for};
use std::fs;

/// The rows of the status with what is in the way.
fn troubles(machine: &Machine, lang: &str, key: &str) -> Vec<String> {
    let shown = machine.tool(&["--lang", lang, "status", "--plain"]);
    let rows = shown.out.lines().filter_map(|row| row.strip_prefix(key));
    rows.map(|row| row.trim().to_owned()).collect()
}

fn in_chinese(machine: &Machine) -> Vec<String> {
    let rows = troubles(machine, "zh", "故障");
    for row in &rows {
        assert_chinese(row);
    }
    rows
}

/// What is in the way by the words of JSON.
fn of(machine: &Machine) -> Vec<String> {
    let status = machine.status();
    let lines = status["troubles"].as_array().unwrap().iter();
    lines.map(|line| line["of"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_port_and_a_broker_that_are_away_are_told_with_their_reasons_until_they_are_back() {
    let machine = Machine::new();
    let _daemon = machine.daemon();
    wait_for("both are away", || (of(&machine) == ["line", "broker"]).then_some(()));
    let rows = in_chinese(&machine);
    assert!(rows[0].contains("port 不存在") && rows[0].contains("适配器"), "{rows:?}");
    assert!(rows[1].contains("无法连接消息服务器") && rows[1].contains("连接被拒绝 (os error 111)"), "{rows:?}");
    let rows = troubles(&machine, "en", "TROUBLE");
    assert!(rows[0].contains("is the board's adapter plugged in?"), "{rows:?}");
    assert!(rows[1].contains("broker not reachable (Connection refused (os error 111))"), "{rows:?}");
    let _board = board(&machine, &[]);
    wait_for("the port is back", || (of(&machine) == ["broker"]).then_some(()));
    assert_eq!(in_chinese(&machine).len(), 1);
}

#[test]
fn a_quarantine_says_why_in_both_languages_in_this_life_and_in_the_next() {
    let machine = Machine::new();
    assert_eq!(machine.daemon().terminate(), Some(0));
    fs::remove_file(machine.path("state/journal.second")).unwrap();
    for (en, zh) in [
        ("the second file is gone", "第二文件不见了；无法得知日志是否丢失了最近的提交"),
        ("(found at an earlier start)", "第二文件不见了；无法得知日志是否丢失了最近的提交（在先前启动时发现）"),
    ] {
        let mut daemon = machine.daemon();
        assert_eq!(of(&machine)[0], "journal");
        assert_eq!(in_chinese(&machine)[0], zh);
        assert!(troubles(&machine, "en", "TROUBLE")[0].contains(en));
        let mut doctor = vend(["--lang", "zh", "doctor", "--plain", "--only", "D6,S8"]);
        doctor.args(machine.place());
        let told = run(doctor);
        assert_eq!(told.out.matches(zh).count(), 2, "{}", told.out);
        assert_eq!(daemon.terminate(), Some(0));
    }
}
