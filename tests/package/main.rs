//! What the package brings: which file goes where, and what units, rules and profiles promise one another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scripts;
#[path = "../common/tree.rs"]
#[allow(dead_code, reason = "what reads documents is for others")]
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use tree::{files, read, root};
use vend::board::profile::Profile;
use vend::config::credentials::Credential;

/// From the end of a turn to the end of the process, in s: the outcome's commit on a slow card, the report's first try
/// over MQTT, and the broker's and the journal's last words.
const AFTER_THE_TURN_S: u64 = 25;

/// `make install` into a folder of its own.
fn staged() -> tempfile::TempDir {
    let stage = tempfile::tempdir().unwrap();
    let mut install = Command::new(root().join("scripts/install-tree"));
    let installed = install.arg(stage.path()).arg(env!("CARGO_BIN_EXE_vend")).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    stage
}

/// Mode and path of everything below a folder; of folders only those that others may not enter.
fn listing(top: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777;
        let line = format!("{mode:o} /{}", path.strip_prefix(top).unwrap().display());
        if path.is_dir() {
            found.extend((mode != 0o755).then_some(line));
            listing(top, &path, found);
        } else {
            found.insert(line);
        }
    }
}

fn unit_values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn the_package_brings_what_the_list_says_and_nothing_else() {
    let stage = staged();
    let mut found = BTreeSet::new();
    listing(stage.path(), stage.path(), &mut found);
    // One for each profile and each command: what there is stands elsewhere.
    let (pages, rest): (BTreeSet<_>, BTreeSet<_>) = found.into_iter().partition(|line| line.contains("/man1/vend-"));
    let (boards, rest): (BTreeSet<_>, BTreeSet<_>) = rest.into_iter().partition(|line| line.contains("/vend/boards/"));
    let listed: BTreeSet<String> = read("tests/package/tree.txt").lines().map(str::to_owned).collect();
    assert_eq!(rest, listed);
    let profiles =
        Profile::built_in().into_iter().map(|(name, _)| format!("{name}.toml")).chain(["README.md".to_owned()]);
    assert_eq!(boards, profiles.map(|name| format!("644 /usr/share/vend/boards/{name}")).collect());
    for command in ["run", "config-check", "journal-accept-loss", "slot-test"] {
        for folder in ["man1", "zh_CN/man1"] {
            assert!(pages.contains(&format!("644 /usr/share/man/{folder}/vend-{command}.1.gz")), "{pages:?}");
        }
    }
}

#[test]
fn a_stop_waits_for_the_longest_vend_of_every_profile() {
    let unit = read("systemd/vend.service");
    let stop_s: u64 = unit_values(&unit, "TimeoutStopSec")[0].strip_suffix('s').unwrap().parse().unwrap();
    for (name, text) in Profile::built_in() {
        let table: toml::Table = text.parse().unwrap();
        let longest_ms = table["timing"]["longest_vend_ms"].as_integer().unwrap();
        let longest_s = u64::try_from(longest_ms).unwrap().div_ceil(1_000);
        assert!(longest_s + AFTER_THE_TURN_S <= stop_s, "{name} vends for {longest_s} s, the unit waits {stop_s} s");
    }
}

#[test]
fn machines_on_one_controller_share_nothing_but_the_program() {
    let stage = staged();
    let units = stage.path().join("lib/systemd/system");
    let (one, many) = (
        fs::read_to_string(units.join("vend.service")).unwrap(),
        fs::read_to_string(units.join("vend@.service")).unwrap(),
    );
    assert_eq!(one.lines().count(), many.lines().count());
    for key in [
        "StateDirectory",
        "RuntimeDirectory",
        "ConfigurationDirectory",
        "ExecStart",
        "ExecCondition",
        "RequiresMountsFor",
        "LoadCredential",
    ] {
        let (of_one, of_many) = (unit_values(&one, key), unit_values(&many, key));
        assert!(!of_one.is_empty() && of_one.len() == of_many.len(), "{key}");
        for value in of_many {
            assert!(value.contains("%i"), "{key}={value}");
        }
    }
    // And nothing beside these differs: what is hardened once is hardened for all.
    let differ = one.lines().zip(many.lines()).filter(|(a, b)| a != b && !b.contains("%i")).count();
    assert_eq!(differ, 0);
}

#[test]
fn every_secret_has_its_place_in_the_unit_in_the_example_and_in_the_package() {
    for credential in Credential::ALL {
        let name = credential.file_name();
        let unit = read("systemd/vend.service");
        assert!(
            unit_values(&unit, "LoadCredential").contains(&format!("{name}:/etc/vend/credentials/{name}").as_str())
        );
        let encrypted = read("systemd/examples/encrypted-credentials.conf");
        let line = format!("{name}:/etc/credstore.encrypted/vend.{name}");
        assert!(unit_values(&encrypted, "LoadCredentialEncrypted").contains(&line.as_str()), "{name}");
        let postinst = read("package/postinst");
        let list = postinst.lines().find_map(|line| line.strip_prefix("for name in ")).unwrap();
        assert!(list.trim_end_matches("; do").split(' ').any(|word| word == name), "{name}");
    }
}

#[test]
fn a_machine_is_set_up_when_its_number_is_no_longer_the_examples() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("vend.toml");
    let is_set_up = || {
        let asked = Command::new(root().join("systemd/is-set-up")).arg(&config).output().unwrap();
        (asked.status.code().unwrap(), String::from_utf8(asked.stdout).unwrap().contains("vend setup"))
    };
    assert_eq!(is_set_up(), (1, true), "no file");
    let example = read("systemd/vend.toml.example");
    fs::write(&config, &example).unwrap();
    assert_eq!(is_set_up(), (1, true), "the example");
    fs::write(&config, example.replace("\"00000000\"", "\"00012345\"")).unwrap();
    assert_eq!(is_set_up(), (0, false));
}

#[test]
fn rules_for_adapters_jump_only_to_places_that_are_there() {
    let rules = read("systemd/vend.rules");
    let lines: Vec<&str> = rules.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let named = |key: &str| -> BTreeSet<&str> {
        lines.iter().flat_map(|line| line.split(", ")).filter_map(|part| part.strip_prefix(key)).collect()
    };
    assert_eq!(named("GOTO="), named("LABEL="));
    for line in &lines {
        for part in line.split(", ") {
            // KEY{attribute}==|!=|=|+="value"
            let (key, value) = part.split_once('=').unwrap_or_else(|| panic!("{line}"));
            let value = value.trim_start_matches('=');
            let key = key.trim_end_matches(['!', '+']).split('{').next().unwrap();
            assert!(key.bytes().all(|b| b.is_ascii_uppercase()), "{line}");
            assert!(value.len() >= 2 && value.starts_with('"') && value.ends_with('"'), "{line}");
        }
    }
    for vendor in ["1a86", "0403", "10c4", "067b", "0483"] {
        assert!(rules.contains(&format!("ATTRS{{idVendor}}==\"{vendor}\"")), "{vendor}");
    }
}

#[test]
fn every_example_says_where_it_goes() {
    for (path, text) in files("systemd/examples", "") {
        assert!(text.starts_with("# As /etc/"), "{path}");
    }
}

#[test]
fn maintainer_scripts_and_helpers_are_whole_and_know_the_placeholders() {
    for (path, text) in files("package", "") {
        if path.ends_with("inst") || path.ends_with("rm") {
            let read = Command::new("sh").arg("-n").arg(root().join(&path)).status().unwrap();
            assert!(read.success(), "{path}");
            assert!(text.starts_with("#!/bin/sh\n") && text.contains("\nset -e\n"), "{path}");
        }
    }
    let build = read("scripts/build-deb");
    for (path, text) in files("package", "") {
        for placeholder in text
            .split('@')
            .skip(1)
            .step_by(2)
            .filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        {
            assert!(build.contains(&format!("s/@{placeholder}@/")), "{path}: {placeholder}");
        }
    }
}

/// What may not ask the kernel must find the word of what may.
#[test]
fn the_clocks_word_is_written_where_the_agent_looks() {
    let (agent, clock) = (read("systemd/vend.service"), read("systemd/vend-clock.service"));
    let file = vend::io::clock_word::WORD_FILE;
    assert_eq!(unit_values(&clock, "ExecStart"), [format!("/usr/bin/vend clock --file {file}")]);
    let folder = unit_values(&clock, "RuntimeDirectory")[0];
    assert_eq!(Path::new(file).parent(), Some(Path::new("/run").join(folder).as_path()));
    assert_eq!(unit_values(&agent, "ProtectClock"), ["yes"]);
    for key in ["Wants", "After"] {
        assert!(unit_values(&agent, key).contains(&"vend-clock.service"), "{key}=");
    }
    // On 32-bit ARM the C library asks by the third.
    let calls = unit_values(&clock, "SystemCallFilter");
    assert!(calls.contains(&"adjtimex clock_adjtime clock_adjtime64"), "{calls:?}");
}
