//! A machine without a daemon: configuration, secrets, port, and what systemd would say.

use crate::chinese::english_words;
use crate::common::RUNTIME;
use crate::common::agent::vend;
use crate::common::command::{APP_KEY, MACHINE_NO};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use vend::sim::pty::PtyBoard;

/// What `vend doctor` left behind.
pub struct Told {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Told {
    pub fn findings(&self) -> Vec<Value> {
        let report: Value = serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}{}", self.out, self.err));
        assert_eq!(report["schema_version"], 1);
        report["findings"].as_array().unwrap().clone()
    }

    /// The ids that ended so.
    pub fn ids(&self, state: &str) -> Vec<String> {
        let findings = self.findings();
        let ours = findings.iter().filter(|finding| finding["state"] == state);
        ours.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn run(mut command: Command) -> Told {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// `vend doctor` on the files of a directory; only the stand-ins of `bin` are in its PATH.
pub fn doctor(directory: &Path, bin: &Path, arguments: &[&str]) -> Told {
    let mut command = vend(&["doctor", "--config"]);
    command.arg(directory.join("vend.toml")).arg("--credentials").arg(directory.join("credentials")).args(arguments);
    command.env("PATH", bin);
    run(command)
}

/// What findings name beside the rest of the tool: systemd's words, users and groups, TLS's own words.
const NAMES: [&str; 20] = [
    "MiB",
    "USB",
    "UnknownIssuer",
    "WatchdogSec",
    "active",
    "daemon",
    "dead",
    "disabled",
    "enabled",
    "failed",
    "gid",
    "inactive",
    "masked",
    "nobody-of-this-name",
    "not-found",
    "running",
    "sudo",
    "tty",
    "uid",
    "vend",
];
/// What the stand-in of the platform says, which is quoted.
const SAYS: &str = "app secret is invalid";

/// The finding of one check, and that it is told in both languages: nothing is English where Chinese is wanted.
pub fn one(told: &Told) -> Value {
    let findings = told.findings();
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    for text in ["title", "saw"] {
        for lang in ["en", "zh"] {
            assert!(!finding[text][lang].as_str().unwrap().is_empty(), "{finding}");
        }
    }
    // A profile's title is in its own words.
    if finding["id"] != "C4" {
        let saw = finding["saw"]["zh"].as_str().unwrap().replace(SAYS, "");
        let mut words = english_words(&saw);
        words.retain(|word| !NAMES.contains(word));
        assert_eq!(words, [""; 0], "{finding}");
    }
    let has_fix = ["warning", "failed"].contains(&finding["state"].as_str().unwrap());
    assert_eq!(finding["fix"]["en"].is_string() && finding["fix"]["zh"].is_string(), has_fix, "{finding}");
    finding.clone()
}

/// The group tty, on every Debian.
const TTY: u32 = 5;

pub struct Machine {
    directory: TempDir,
    memory: TempDir,
    bin: TempDir,
    /// The port belongs to the group [`TTY`].
    port_has_group: bool,
    /// The board's end of the port.
    _pty: PtyBoard,
}

impl Machine {
    /// Set up rightly, and never started.
    pub fn new() -> Machine {
        let directory = tempfile::tempdir().unwrap();
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let port = directory.path().join("port");
        let pty = {
            let _in_runtime = RUNTIME.enter();
            PtyBoard::open(Some(port.clone())).unwrap()
        };
        // As udev leaves a serial port, as far as this user may do that: of a group of its own.
        let owned = std::os::unix::fs::chown(&port, None, Some(TTY));
        let group = owned.is_ok_and(|()| fs::set_permissions(&port, fs::Permissions::from_mode(0o660)).is_ok());
        let config = format!(
            "machine_no = \"{MACHINE_NO}\"\n[broker]\nurl = \"mqtt://127.0.0.1:1\"\n[cloud]\nverify_orders = \"never\"\n\
             [board]\nprofile = \"tcn-00ff\"\nport = \"port\"\n[report]\nallow_hosts = [\"127.0.0.1\"]\n\
             [time]\ntrust = \"system\"\n[state]\ndirectory = \"state\"\n[control]\nsocket = \"{}\"\n",
            memory.path().join("control.sock").display()
        );
        let bin = tempfile::tempdir().unwrap();
        let machine = Machine { directory, memory, bin, port_has_group: group, _pty: pty };
        fs::write(machine.path("vend.toml"), config).unwrap();
        fs::create_dir(machine.path("credentials")).unwrap();
        machine.secret("app_key", APP_KEY);
        machine
    }

    /// Whether the port could be given to a group; else the test says why it ends.
    pub fn port_has_group(&self) -> bool {
        if !self.port_has_group {
            println!("SKIPPED: only root may give a port to a group");
        }
        self.port_has_group
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn secret(&self, name: &str, text: &str) {
        let path = self.path("credentials").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes another text in the place of one in the configuration.
    pub fn change(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("vend.toml")).unwrap();
        assert!(text.contains(from), "{from} is not in\n{text}");
        fs::write(self.path("vend.toml"), text.replace(from, to)).unwrap();
    }

    pub fn doctor(&self, arguments: &[&str]) -> Told {
        doctor(self.directory.path(), self.bin.path(), arguments)
    }

    pub fn doctor_json(&self) -> Told {
        self.doctor(&["--json"])
    }

    /// The finding of one check.
    pub fn finding(&self, id: &str) -> Value {
        let finding = one(&self.doctor(&["--json", "--only", id]));
        assert_eq!(finding["id"], id);
        finding
    }

    pub fn good(&self, id: &str) {
        let finding = self.finding(id);
        assert!(["ok", "not_applicable"].contains(&finding["state"].as_str().unwrap()), "{finding}");
    }

    /// The check ends so now, and says this of what it saw; its finding.
    pub fn broken(&self, id: &str, state: &str, saw: &str) -> Value {
        let finding = self.finding(id);
        assert_eq!(finding["state"], state, "{finding}");
        assert!(finding["saw"]["en"].as_str().unwrap().contains(saw), "{finding}");
        finding
    }

    /// What systemd says of the unit from now on.
    pub fn systemd_says(&self, properties: &str) {
        let program = self.bin.path().join("systemctl");
        fs::write(&program, format!("#!/bin/sh\n/bin/cat <<'END'\n{properties}\nEND\n")).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Below /run on a real machine.
    pub fn memory(&self) -> &Path {
        self.memory.path()
    }
}
