//! The technician's guide: what it says is typed is understood, and what only reads is done.

use crate::support::{Machine, run, vend};
use std::fs;
use std::path::Path;
use vend::cli::Cli;

/// What it has typed beside `vend`.
const OTHERS: [&str; 3] = ["apt install ", "systemctl restart vend", "journalctl -u vend "];
const GUIDES: [&str; 2] = ["technician.md", "technician.zh.md"];

fn guide(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// The lines of the fenced blocks.
fn commands(guide: &str) -> Vec<String> {
    let blocks = guide.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// A line in words, as a shell takes it apart.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(n, part)| match n % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

fn parses(words: &[String]) -> Result<(), String> {
    use clap::CommandFactory as _;
    Cli::command().try_get_matches_from(words).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_command_of_the_technicians_guide_is_one() {
    for name in GUIDES {
        let guide = guide(name);
        let commands = commands(&guide);
        assert!(commands.len() > 15, "{name}: {commands:?}");
        for line in &commands {
            let command = line.strip_prefix("sudo ").unwrap_or(line);
            if OTHERS.iter().any(|other| command.starts_with(other)) {
                continue;
            }
            let words = words(command);
            assert_eq!(words[0], "vend", "{name}: {line}");
            assert_eq!(parses(&words), Ok(()), "{name}: {line}");
        }
        // Those in the midst of a sentence, as far as they go: names of commands.
        for inline in
            guide.split('`').skip(1).step_by(2).filter(|it| it.starts_with("vend ") || it.starts_with("sudo vend "))
        {
            let mut words = words(inline.trim_start_matches("sudo "));
            words.push("--help".to_owned());
            let told = parses(&words).unwrap_err();
            assert!(told.contains("Usage: "), "{name}: {inline}: {told}");
        }
    }
    assert!(parses(&words("vend slot tset 12")).is_err(), "the test can fail");
}

#[test]
fn both_languages_of_the_guide_say_the_same_in_the_same_order() {
    let shape = |name: &str| {
        let guide = guide(name);
        // A comment of a shell would look like a heading.
        let prose: String = guide.split("```").step_by(2).collect();
        let kind = |line: &str| match line {
            line if line.starts_with('#') => Some(line.split(' ').next().unwrap().to_owned()),
            line if line.starts_with("| ") => Some(format!("row of {}", line.matches('|').count())),
            _ => None,
        };
        let links: Vec<String> =
            guide.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect();
        (prose.lines().filter_map(kind).collect::<Vec<_>>(), commands(&guide), links)
    };
    assert_eq!(shape(GUIDES[0]), shape(GUIDES[1]));
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for name in GUIDES {
        assert!(readme.contains(&format!("(docs/{name})")), "the README leads to {name}");
    }
}

#[test]
fn what_the_guide_only_has_read_can_be_read_on_a_machine() {
    const READS: [&str; 7] = [
        "vend status",
        "vend slot list",
        "vend order list",
        "vend report list",
        "vend call list",
        "vend difference list",
        "vend sale list",
    ];
    let machine = Machine::new();
    let _daemon = machine.daemon();
    let typed = commands(&guide(GUIDES[0]));
    for line in READS {
        assert!(typed.iter().any(|typed| typed == line), "the guide no longer has {line}");
        let arguments: Vec<String> = words(line).split_off(1);
        let ended = machine.tool(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ended.code, Some(0), "{line}: {}{}", ended.out, ended.err);
    }
    // What is not there is said, and is no crash: the order and the slot of the guide are not this machine's.
    let shown = machine.tool(&["order", "show", "80001:1"]);
    assert_eq!(shown.code, Some(6), "{}", shown.err);
    let tested = machine.tool(&["slot", "test", "12"]);
    assert_eq!(tested.code, Some(9), "nobody is there to type the slot's number: {}", tested.err);
    let mut bundle = vend([
        "support",
        "bundle",
        "--output",
        &machine.text("vend.tar.gz"),
        "--socket",
        &machine.text("control.sock"),
    ]);
    bundle.args(machine.place());
    let bundled = run(bundle);
    assert_eq!((bundled.code, bundled.out.trim()), (Some(0), &*machine.text("vend.tar.gz")), "{}", bundled.err);
}
