//! Every command of clap's own tree: what it offers, and what it says in Chinese.

use crate::chinese::english_words;
use crate::mosquitto::Mosquitto;
use crate::support::{Machine, board, run, vend, wait_for};
use clap::{Command, CommandFactory as _};
use std::path::Path;
use vend::board::profile::Profile;
use vend::cli::Cli;
use vend::core::words::About;

/// Commands whose result is no table and no document: a file, a script, a process, a number, one path.
const NO_TABLE: [&str; 14] = [
    "run",
    "demo",
    "sign",
    "completions",
    "man",
    "send dispense",
    "support bundle",
    "journal format",
    "journal accept-loss",
    "journal accept-move",
    "board simulate",
    "cloud simulate",
    "config check",
    "clock",
];

/// Every command that does something itself, by its words behind `vend`.
fn leaves(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let path = format!("{path} {}", sub.get_name());
        match sub.has_subcommands() {
            true => leaves(sub, &path, found),
            false => found.push((path.trim().to_owned(), sub.clone())),
        }
    }
}

fn all() -> Vec<(String, Command)> {
    let (mut found, mut whole) = (Vec::new(), Cli::command());
    whole.build();
    leaves(&whole, "", &mut found);
    assert!(found.len() > 60, "{}", found.len());
    found
}

#[test]
fn every_command_that_shows_something_has_json_and_plain() {
    for (path, command) in all() {
        let has = |name: &str| command.get_arguments().any(|argument| argument.get_long() == Some(name));
        let (json, plain) = (has("json"), has("plain"));
        let is_exempt = NO_TABLE.contains(&path.as_str());
        assert!(is_exempt || (json && plain), "vend {path}: --json {json}, --plain {plain}");
    }
}

/// A line is English when four words in a row are, and nothing on it is Chinese.
fn is_english(line: &str) -> bool {
    let mut run = 0;
    let is_chinese = line.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    line.split(' ').any(|word| {
        run = if word.len() >= 2 && word.chars().all(|c| c.is_ascii_lowercase()) { run + 1 } else { 0 };
        run >= 4
    }) && !is_chinese
}

#[test]
fn no_command_that_can_be_tried_says_an_english_sentence_where_chinese_is_wanted() {
    let machine = Machine::new();
    let mut daemon = machine.daemon();
    let (socket, directory) = (machine.text("control.sock"), machine.text("state"));
    let lacks = Profile::find("tcn-00ff", Path::new(".")).unwrap().lacks;
    let mut tried = 0;
    for round in ["with the agent", "without it"] {
        for (path, command) in all() {
            // What takes part in no conversation, asks for a whole file, or never ends.
            if ["run", "demo", "completions", "man", "sign", "setup", "serial monitor", "mqtt tail"]
                .contains(&path.as_str())
                || path.ends_with("simulate")
                || path == "board show"
            {
                continue;
            }
            let mut arguments: Vec<String> = ["--lang", "zh"].map(str::to_owned).to_vec();
            arguments.extend(path.split(' ').map(str::to_owned));
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                let value = match id {
                    "socket" | "other_socket" => socket.clone(),
                    "directory" => directory.clone(),
                    "config" => machine.text("vend.toml"),
                    "credentials" => machine.directory.path().to_str().unwrap().to_owned(),
                    "bundle_output" => machine.text(&format!("bundle-{tried}")),
                    "yes" | "yes_decided" | "yes_raw" | "yes_retry" => String::new(),
                    _ if !argument.is_required_set() => continue,
                    "key" | "differing" | "retried" => "60:78".to_owned(),
                    "verdict" => "failed".to_owned(),
                    "device" => "light".to_owned(),
                    "position" => "on".to_owned(),
                    "mode" => "off".to_owned(),
                    "loudness" => "info".to_owned(),
                    "name" => "tcn-00ff".to_owned(),
                    "why" | "reason" => "x".to_owned(),
                    "only" | "skip" => continue,
                    _ => "5".to_owned(),
                };
                if let Some(long) = argument.get_long() {
                    arguments.push(format!("--{long}"));
                }
                if !value.is_empty() {
                    arguments.push(value);
                }
            }
            let ended = run(vend(&arguments));
            // clap's own words for a wrong command line are English.
            if ended.code == Some(2) && ended.err.contains("--help") {
                continue;
            }
            tried += 1;
            // What a profile says that its board lacks is in its own words.
            let is_data = |line: &str| lacks.iter().any(|lack| line.trim_start_matches([' ', '=']) == lack);
            for line in ended.out.lines().chain(ended.err.lines()).filter(|line| !is_data(line)) {
                assert!(!is_english(line), "{round}: vend {}:\n{line}", arguments.join(" "));
            }
            // Why it is not done: not one word of it.
            for line in ended.err.lines().filter(|line| !is_data(line)) {
                assert_eq!(english_words(line), [""; 0], "{round}: vend {}:\n{line}", arguments.join(" "));
            }
            let code = ended.code.unwrap_or_else(|| panic!("{round}: vend {path} was killed"));
            assert!(
                [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 78].contains(&code),
                "{round}: vend {path} ends with {code}: {}",
                ended.err
            );
        }
        if daemon.is_running() {
            assert_eq!(daemon.terminate(), Some(0), "{}", daemon.log());
        }
    }
    assert!(tried > 60, "{tried}");
}

/// What of a Chinese line is a word of JSON: none that a person has to learn. Names that are the same in both languages
/// (ids, methods, commands) are no such words.
fn of_json(text: &str) -> Vec<&str> {
    let known = |word: &&str| About::ALL.iter().any(|about| about.words().iter().any(|known| known.json == *word));
    text.split(|c: char| !c.is_ascii_lowercase() && c != '_').filter(known).collect()
}

#[test]
fn no_table_of_a_machine_that_has_worked_holds_a_word_of_json_where_chinese_is_wanted() {
    let mosquitto = Mosquitto::start();
    let machine = Machine::with_broker(mosquitto.port(), "5");
    let _board = board(&machine, &["--turn-time", "50"]);
    let mut daemon = machine.daemon();
    daemon.wait_for_log("commands can come");
    wait_for("the line is idle", || (machine.status()["line"] == "idle").then_some(()));
    let send = |order_id: &str, code: &str, more: &[&str]| {
        let mut command = vend(["send", "dispense", "--record-id", "1", "--order-id", order_id, "--code", code]);
        let sent = run({
            command.args(machine.place()).args(more);
            command
        });
        assert_eq!(sent.code, Some(0), "{}", sent.err);
    };
    // One is dispensed and its letter refused for good, one is refused, and a person locks a slot.
    send("60", "3", &["--notify-url", "http://127.0.0.1:1/"]);
    send("61", "99", &[]);
    let listed = |place: &str| machine.tool(&[place, "list", "--json"]).documents().remove(0);
    wait_for("both orders end", || {
        let letters = listed("report");
        letters["letters"]
            .as_array()?
            .iter()
            .any(|letter| letter["order_id"] == "60" && letter["state"] == "dead")
            .then_some(())
    });
    assert_eq!(machine.tool(&["slot", "lock", "7"]).code, Some(0));
    assert_eq!(machine.tool(&["slot", "test", "4", "--yes"]).code, Some(0));
    let (mut shown, mut said) = (0, String::new());
    for command in [
        "order list",
        "order show 60:1",
        "order show 61:1",
        "report list",
        "report show 60:1",
        "slot list",
        "slot show 7",
        "call list",
        "difference list",
        "audit list",
        "pickup list",
        "status",
    ] {
        let mut words: Vec<&str> = vec!["--lang", "zh"];
        words.extend(command.split(' '));
        let ended = machine.tool(&words);
        assert_eq!(ended.code, Some(0), "{command}: {}", ended.err);
        // Lines of the log and bodies of reports are as they are everywhere.
        let is_log = |line: &&str| line.contains("\t{") || line.contains("\t记录\t") || line.starts_with("事件\t");
        for line in ended.out.lines().filter(|line| !is_log(line)) {
            let line = match line {
                // What stands behind an entry of the audit is a line of the log, too.
                line if command == "audit list" => line.rsplit_once('\t').unwrap().0,
                // What to type next stays as it is typed.
                line if line.starts_with("下一步\t") => line.split(": ").next().unwrap(),
                line => line,
            };
            assert_eq!(of_json(line), [""; 0], "vend {command}: {line}");
            shown += 1;
        }
        said.push_str(&ended.out);
    }
    assert!(shown > 40, "{shown} lines");
    for wanted in ["已出货", "死信", "已锁定", "测试货道", "转动货道 3", "目标地址无效"] {
        assert!(said.contains(wanted), "{wanted} in\n{said}");
    }
    assert_eq!(daemon.terminate(), Some(0));
    // After a restart the frames are gone, and the time line says so where they stood.
    let mut daemon = machine.daemon();
    let course = machine.tool(&["--lang", "zh", "order", "show", "60:1"]).out;
    let gap = course.lines().find(|line| line.contains("\t缺失\t"));
    assert!(gap.is_some_and(|line| line.contains("数据帧") && line.contains("未保留")), "{course}");
    assert!(!course.contains("发往板卡") && course.contains("第 1 件：已出货"), "{course}");
    assert_eq!(daemon.terminate(), Some(0));
}
