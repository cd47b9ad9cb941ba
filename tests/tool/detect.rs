//! `vend board detect` and `vend setup --board detect` on ports with an emulated board, or without one.

use crate::support::{Ended, Process, run, vend, wait_for};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use tempfile::TempDir;
use vend::io::journal::{Opened, Store};

/// One of each family, and two that are told apart only by their frames.
const BOARDS: [&str; 14] = [
    "uling-zdm8",
    "xy-v3",
    "adh815",
    "adh814",
    "tcn-00ff",
    "m102",
    "lock-8a",
    "lock-cu",
    "lift-c7",
    "col-ed",
    "ff0055",
    "ubox-e7",
    "vendapin",
    "vmc96",
];

/// A board on a pty, and a machine that was not set up yet.
struct Desk {
    folder: TempDir,
    _board: Process,
}

impl Desk {
    fn new(profile: &str) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let mut command = vend(["board", "simulate", "--turn-time", "5", "--profile", profile]);
        let path = |name: &str| folder.path().join(name);
        command.arg("--link").arg(path("port")).arg("--log").arg(path("turns")).stdout(Stdio::null());
        let board = Process::spawn(command, path("board"));
        wait_for("port of the board", || path("port").exists().then_some(()));
        let config = format!("[state]\ndirectory = \"{}\"\n", path("state").display());
        fs::write(path("vend.toml"), config).unwrap();
        Desk { folder, _board: board }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn detect(&self, more: &[&str]) -> Ended {
        detect(&self.path("port"), &self.path("vend.toml"), more)
    }

    fn turns(&self) -> String {
        fs::read_to_string(self.path("turns")).unwrap()
    }
}

fn detect(port: &Path, config: &Path, more: &[&str]) -> Ended {
    let mut command = vend(["board", "detect"]);
    command.arg("--port").arg(port).arg("--config").arg(config).args(more);
    run(command)
}

#[test]
fn a_board_of_every_family_is_found_on_its_port_and_turns_nothing() {
    thread::scope(|scope| {
        for profile in BOARDS {
            scope.spawn(move || {
                let desk = Desk::new(profile);
                let found = desk.detect(&["--json"]);
                assert_eq!(found.code, Some(0), "{profile}: {found:?}");
                let document = &found.documents()[0];
                let names: Vec<&str> =
                    document["found"].as_array().unwrap().iter().map(|f| f["profile"].as_str().unwrap()).collect();
                assert!(names.contains(&profile), "{profile}: {document}");
                assert_eq!(desk.turns(), "", "{profile}");
            });
        }
    });
}

#[test]
fn a_setup_takes_the_one_board_that_it_finds_and_asks_a_person_about_several() {
    thread::scope(|scope| {
        for (board, expected) in [("lift-c7", Some(0)), ("tcn-00ff", Some(2))] {
            scope.spawn(move || {
                let desk = Desk::new(board);
                let secret = desk.path("my.key");
                fs::write(&secret, "kva\n").unwrap();
                let config = desk.path("made.toml");
                let mut command = vend(["setup", "--no-questions", "--machine-no", "00012345", "--cloud", "none"]);
                command.args(["--broker", "mqtts://broker.example", "--board", "detect", "--no-checks"]);
                command.arg("--port").arg(desk.path("port")).arg("--config").arg(&config);
                command.arg("--secret").arg(format!("app_key={}", secret.display()));
                let made = run(command);
                assert_eq!(made.code, expected, "{board}: {made:?}");
                if expected == Some(0) {
                    assert!(fs::read_to_string(&config).unwrap().contains("profile = \"lift-c7\""), "{made:?}");
                } else {
                    assert!(made.err.contains("--profile: tcn-00ff, tcn-belt"), "{}", made.err);
                    assert!(!config.exists(), "nothing was written");
                }
            });
        }
    });
}

#[test]
fn a_port_in_use_or_a_machine_that_runs_is_left_alone() {
    let desk = Desk::new("tcn-00ff");
    // Each listens for seconds before it asks: one of them comes while the other is at it.
    let both = thread::scope(|scope| {
        let two = [(); 2].map(|()| scope.spawn(|| desk.detect(&[])));
        two.map(|one| one.join().unwrap())
    });
    let refused: Vec<&Ended> = both.iter().filter(|ended| ended.code == Some(5)).collect();
    assert!(refused.len() == 1 && both.iter().any(|ended| ended.code == Some(0)), "{both:?}");
    assert!(refused[0].err.contains("is used by another program"), "{}", refused[0].err);
    let state = desk.path("state");
    fs::create_dir(&state).unwrap();
    let Ok(Opened::Sound { store, .. }) = Store::open(&state) else { panic!("a new journal is sound") };
    let config = format!(
        "machine_no = \"00012345\"\n[broker]\nurl = \"mqtts://broker.example\"\n[cloud]\nverify_orders = \
         \"never\"\n[board]\nprofile = \"tcn-00ff\"\nport = \"port\"\n[state]\ndirectory = \"{}\"\n",
        state.display()
    );
    fs::write(desk.path("vend.toml"), config).unwrap();
    let refused = desk.detect(&[]);
    assert!(refused.code == Some(5) && refused.err.contains("is in use by"), "{refused:?}");
    drop(store);
    assert_eq!(desk.turns(), "");
}

#[test]
fn an_empty_port_says_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let missing = detect(&folder.path().join("port"), &folder.path().join("vend.toml"), &[]);
    assert!(missing.code == Some(6) && missing.err.contains("does not exist"), "{missing:?}");
}
