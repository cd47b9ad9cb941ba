//! Requests that the machine do something to itself. The agent has no right to: it writes one line into one file beside
//! its control socket, and the unit `vend-machine.path`, where the operator has enabled it, lets root act on it.
//!
//! The line is made of fixed words and a number, so that whoever reads it has nothing to interpret.

use crate::order::instruction::Act;
use rustix::fs::{Mode, OFlags, open};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The file's name beside the control socket; `systemd/vend-machine.path` waits for it.
pub const REQUEST_FILE: &str = "machine.request";

/// Where requests are left.
#[derive(Debug, Clone)]
pub struct Requests {
    file: PathBuf,
    draft: PathBuf,
}

impl Requests {
    /// Beside the control socket, which no two agents share.
    #[must_use]
    pub fn beside(control_socket: &Path) -> Requests {
        let file = control_socket.with_file_name(REQUEST_FILE);
        Requests { draft: file.with_extension("draft"), file }
    }

    /// Leaves a request, whole or not at all.
    ///
    /// # Errors
    /// The system's; then nobody will act on anything.
    pub fn ask(&self, act: Act) -> io::Result<()> {
        self.remove(&self.draft)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut draft = File::from(open(&self.draft, flags, Mode::RUSR | Mode::WUSR)?);
        writeln!(draft, "{}", line(act))?;
        // The name appears with its line in it: what waits for the name reads all of it.
        fs::rename(&self.draft, &self.file)
    }

    /// Takes the request back. False when nobody can any more: it was taken, or it never was there.
    ///
    /// # Errors
    /// The system's.
    pub fn withdraw(&self) -> io::Result<bool> {
        self.remove(&self.file)
    }

    fn remove(&self, path: &Path) -> io::Result<bool> {
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What `systemd/vend-machine` understands.
fn line(act: Act) -> String {
    match act {
        Act::Reboot => "reboot".to_owned(),
        Act::PowerOff { wake_at_s: None } => "poweroff".to_owned(),
        Act::PowerOff { wake_at_s: Some(at_s) } => format!("poweroff-until {at_s}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> (tempfile::TempDir, Requests) {
        let folder = tempfile::tempdir().unwrap();
        let requests = Requests::beside(&folder.path().join("control.sock"));
        (folder, requests)
    }

    #[test]
    fn a_request_is_one_line_of_fixed_words_and_replaces_the_one_before() {
        let (folder, requests) = requests();
        let file = folder.path().join(REQUEST_FILE);
        for (act, line) in [
            (Act::Reboot, "reboot\n"),
            (Act::PowerOff { wake_at_s: None }, "poweroff\n"),
            (Act::PowerOff { wake_at_s: Some(1_758_596_861) }, "poweroff-until 1758596861\n"),
        ] {
            requests.ask(act).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), line);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        }
    }

    #[test]
    fn a_request_is_taken_back_once_and_only_while_it_is_there() {
        let (folder, requests) = requests();
        assert!(!requests.withdraw().unwrap());
        requests.ask(Act::Reboot).unwrap();
        assert!(requests.withdraw().unwrap());
        assert!(!requests.withdraw().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_draft_that_a_dead_agent_left_is_in_nobodys_way_and_a_link_is_not_followed() {
        let (folder, requests) = requests();
        let aim = folder.path().join("aim");
        fs::write(&aim, "untouched").unwrap();
        std::os::unix::fs::symlink(&aim, folder.path().join("machine.draft")).unwrap();
        requests.ask(Act::Reboot).unwrap();
        assert_eq!(fs::read_to_string(&aim).unwrap(), "untouched");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let requests = Requests::beside(Path::new("/nowhere/control.sock"));
        assert!(requests.ask(Act::Reboot).is_err());
    }
}
