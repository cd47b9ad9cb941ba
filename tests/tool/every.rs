//! Every command of clap's own tree: what it offers, and what it says in Chinese.

use crate::support::{Machine, run, vend};
use clap::{Command, CommandFactory as _};
use std::path::Path;
use vend::board::profile::Profile;
use vend::cli::Cli;

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
