//! What stands in the daemon's way, as a technician is told of it, in both languages.

use crate::chinese::assert_chinese;
use crate::support::{Machine, board, run, vend, wait_for};
use std::fs;

/// A row of the status.
fn row(machine: &Machine, lang: &str, key: &str) -> String {
    let shown = machine.tool(&["--lang", lang, "status", "--plain"]);
    let row = shown.out.lines().find_map(|row| row.strip_prefix(key)?.strip_prefix('\t'));
    row.unwrap_or_else(|| panic!("no {key} in:\n{}", shown.out)).to_owned()
}

/// The same of a Chinese one, which must be Chinese.
fn in_chinese(machine: &Machine, key: &str) -> String {
    let row = row(machine, "zh", key);
    assert_chinese(&row);
    row
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
    let (line, broker) = (in_chinese(&machine, "串口线"), in_chinese(&machine, "消息服务器"));
    assert!(line.contains("port 不存在") && line.contains("适配器"), "{line}");
    assert!(broker.contains("无法连接消息服务器") && broker.contains("连接被拒绝 (os error 111)"), "{broker}");
    let (line, broker) = (row(&machine, "en", "line"), row(&machine, "en", "broker"));
    assert!(line.contains("is the board's adapter plugged in?"), "{line}");
    assert!(broker.contains("away; broker not reachable (Connection refused (os error 111))"), "{broker}");
    let _board = board(&machine, &[]);
    wait_for("the port is back", || (of(&machine) == ["broker"]).then_some(()));
    assert!(!in_chinese(&machine, "串口线").contains("不存在"));
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
        assert!(in_chinese(&machine, "阶段").ends_with(zh));
        assert!(row(&machine, "en", "phase").contains(en));
        let mut doctor = vend(["--lang", "zh", "doctor", "--plain", "--only", "D6,S8"]);
        doctor.args(machine.place());
        let told = run(doctor);
        assert_eq!(told.out.matches(zh).count(), 2, "{}", told.out);
        assert_eq!(daemon.terminate(), Some(0));
    }
}
