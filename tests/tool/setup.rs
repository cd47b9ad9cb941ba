//! `vend setup`: what it writes, with which modes, and that it writes all of it or nothing.

use crate::support::{Ended, run, vend};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Without a look at the broker, which is not there.
    fn setup(&self, arguments: &[&str]) -> Ended {
        self.proved(&[&["--no-checks"], arguments].concat())
    }

    fn proved(&self, arguments: &[&str]) -> Ended {
        let config = self.path("vend.toml");
        run(vend(["setup", "--config", config.to_str().unwrap()].iter().chain(arguments)))
    }

    /// Everything there is, with mode and inode.
    fn files(&self) -> Vec<(String, u32, u64)> {
        let mut found = Vec::new();
        for folder in [self.folder.path().to_owned(), self.path("credentials")] {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let metadata = fs::metadata(&path).unwrap();
                let name = path.strip_prefix(self.folder.path()).unwrap().display().to_string();
                found.push((name, metadata.permissions().mode() & 0o7777, metadata.ino()));
            }
        }
        found.sort();
        found
    }

    fn keys(&self) -> Vec<String> {
        let names = self.files().into_iter().map(|(name, ..)| name);
        names.filter(|name| !name.ends_with(".key")).collect()
    }

    fn checks(&self) -> Ended {
        let [config, credentials] = ["vend.toml", "credentials"].map(|name| self.path(name));
        let place = ["--config".as_ref(), config.as_os_str(), "--credentials".as_ref(), credentials.as_os_str()];
        run(vend(["config".as_ref(), "check".as_ref()].into_iter().chain(place)))
    }
}

const MACHINE: [&str; 10] = [
    "--machine-no",
    "00012345",
    "--broker",
    "mqtts://broker.example",
    "--cloud",
    "none",
    "--profile",
    "adh815",
    "--port",
    "/dev/serial/by-path/x",
];

/// The argument for a file with the AppKey.
fn secret(place: &Path) -> String {
    fs::write(place, "kva\n").unwrap();
    format!("app_key={}", place.display())
}

#[test]
fn a_machine_is_made_of_arguments_and_the_same_again_changes_nothing() {
    let place = Place::new();
    let key = secret(&place.path("my.key"));
    let arguments: Vec<&str> = MACHINE.into_iter().chain(["--secret", &key]).collect();
    let made = place.setup(&arguments);
    assert_eq!((made.code, made.err.as_str()), (Some(0), ""), "{made:?}");
    assert!(made.out.contains("secrets written: app_key") && made.out.contains("systemctl restart vend"), "{made:?}");
    assert!(!made.out.contains("kva"), "a secret is not shown");
    let checked = place.checks();
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let files = place.files();
    let modes: Vec<(&str, u32)> = files.iter().map(|(name, mode, _)| (name.as_str(), *mode)).collect();
    for expected in [("credentials", 0o700), ("credentials/app_key", 0o600), ("vend.toml", 0o644)] {
        assert!(modes.contains(&expected), "{modes:?}");
    }
    assert_eq!(fs::read_to_string(place.path("credentials/app_key")).unwrap(), "kva\n");
    let text = fs::read_to_string(place.path("vend.toml")).unwrap();
    assert!(text.contains("machine_no = \"00012345\"") && text.contains("# vend board list shows"), "{text}");
    let again = place.setup(&arguments);
    assert!(again.code == Some(0) && again.out.contains("nothing to change"), "{again:?}");
    assert_eq!(place.files(), files, "not even written anew");
    let moved = place.setup(&["--port", "/dev/serial/by-path/y", "--json"]);
    assert_eq!(moved.documents()[0]["config_changed"], true, "{moved:?}");
    let text_now = fs::read_to_string(place.path("vend.toml")).unwrap();
    assert_eq!(text_now, text.replace("by-path/x", "by-path/y"), "what a person wrote stays");
}

#[test]
fn a_value_that_is_wrong_or_missing_writes_nothing() {
    let place = Place::new();
    let missing = place.setup(&MACHINE);
    assert_eq!(missing.code, Some(78));
    assert!(missing.err.contains("app_key"), "{}", missing.err);
    let key = secret(&place.path("my.key"));
    let mut wrong: Vec<&str> = MACHINE.into_iter().chain(["--secret", &key]).collect();
    wrong[1] = "12345";
    let refused = place.setup(&wrong);
    assert_eq!(refused.code, Some(78));
    assert!(refused.err.contains("vend.toml:") && refused.err.contains('^'), "{}", refused.err);
    assert_eq!(place.keys(), [""; 0]);
}

#[test]
fn a_file_from_a_stick_sets_keys_and_secrets_and_no_others() {
    let place = Place::new();
    let stick = place.path("stick.key");
    let text = "machine_no = \"00012345\"\n[broker]\nurl = \"mqtts://broker.example\"\nusername = \"m\"\nkeep_alive_s = 30\n\
        [cloud]\nurl = \"https://cloud.example\"\napp_id = \"ds1\"\n[board]\nprofile = \"adh815\"\nport = \"/dev/ttyS1\"\n\
        [secrets]\napp_key = \"kva\"\napp_secret = \"s\"\n";
    let from = ["--from", stick.to_str().unwrap()];
    fs::write(&stick, text).unwrap();
    let missing = place.setup(&from);
    assert_eq!(missing.code, Some(78), "{missing:?}");
    assert!(missing.err.contains("mqtt_password"), "{}", missing.err);
    fs::write(&stick, format!("{text}mqtt_pasword = \"p\"\n")).unwrap();
    let misspelt = place.setup(&from);
    assert!(misspelt.code == Some(78) && misspelt.err.contains("mqtt_pasword"), "{misspelt:?}");
    fs::write(&stick, format!("{text}mqtt_password = \"p\"\n").replace("[board]", "[board]\nprofil = \"x\"")).unwrap();
    assert_eq!(place.setup(&from).code, Some(78), "a key that vend does not know");
    assert_eq!(place.keys(), [""; 0], "nothing was written so far");
    fs::write(&stick, format!("{text}mqtt_password = \"p\"\n")).unwrap();
    let made = place.setup(&from);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(place.checks().code, Some(0));
    let written = fs::read_to_string(place.path("vend.toml")).unwrap();
    assert!(written.contains("keep_alive_s = 30") && !written.contains("kva"), "{written}");
    assert_eq!(fs::read_to_string(place.path("credentials/mqtt_password")).unwrap(), "p\n");
}

#[test]
fn a_secret_that_others_could_read_is_written_anew_for_nobody_else() {
    let place = Place::new();
    let key = secret(&place.path("my.key"));
    fs::create_dir(place.path("credentials")).unwrap();
    let path = place.path("credentials/app_key");
    fs::write(&path, "kva\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let arguments: Vec<&str> = MACHINE.into_iter().chain(["--secret", &key]).collect();
    assert_eq!(place.setup(&arguments).code, Some(0));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_was_set_is_proved_by_doctor_and_stays_when_that_finds_something() {
    let place = Place::new();
    let key = secret(&place.path("my.key"));
    let mut arguments: Vec<&str> = MACHINE.into_iter().chain(["--secret", &key]).collect();
    // Nobody listens there: the port is below those that are given out.
    arguments[3] = "mqtt://127.0.0.1:1";
    let made = place.proved(&arguments);
    assert_eq!(made.code, Some(1), "{made:?}");
    assert!(made.out.contains("written and valid") && made.out.contains("systemctl restart vend"), "{made:?}");
    let state_of = |id: &str| made.out.lines().find(|line| line.contains(id)).map(str::to_owned).unwrap_or_default();
    assert!(state_of("C1").contains("\tok\t") && state_of("P1").contains("\tfailed\t"), "{made:?}");
    assert!(!["S1", "D1", "O1"].iter().any(|id| made.out.contains(id)), "the daemon's own is not looked at");
    assert_eq!(place.checks().code, Some(0), "it is written");
    let again = place.proved(&["--json", "--no-questions"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    let document = &again.documents()[0];
    assert_eq!(document["config_changed"], false);
    assert!(document["doctor"]["findings"].as_array().unwrap().iter().any(|f| f["id"] == "N4"), "{document}");
    let unproved = place.setup(&["--json"]);
    assert_eq!((unproved.code, unproved.documents()[0]["doctor"].is_null()), (Some(0), true));
}
