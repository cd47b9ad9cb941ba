//! A real broker of its own for a test: mosquitto on a free loopback port, that can be killed and come back.
#![allow(dead_code, reason = "each test that includes this uses what it needs")]

use rustix::process::{Pid, Signal};
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// Debian installs it where only root's PATH looks.
const PROGRAM: &str = "/usr/sbin/mosquitto";
/// Between two looks whether it listens; it does after some 20 ms.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// 30 s of looks.
const LOOKS_MAX: u32 = 3_000;
/// Its persistence file.
const STORE: &str = "mosquitto.db";

/// A broker. Killed when dropped.
pub struct Mosquitto {
    child: Child,
    port: u16,
    directory: TempDir,
}

impl Mosquitto {
    /// Lets anybody in, keeps sessions over a [`Mosquitto::kill`].
    pub fn start() -> Self {
        Mosquitto::start_with(|_| "allow_anonymous true\n".to_owned())
    }

    /// `config` gets a directory for its files and returns lines that follow those of the listener.
    pub fn start_with(config: impl Fn(&Path) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        loop {
            // Each time: a second listener's port may have been taken as well.
            let more = config(directory.path());
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = free.local_addr().expect("its number").port();
            drop(free);
            fs::write(config_file(directory.path()), base_config(port, directory.path()) + &more).expect("a file");
            let mut child = spawn(directory.path());
            let log = directory.path().join("log");
            if listens(&mut child, port, &log) {
                return Mosquitto { child, port, directory };
            }
            let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
            // Another test may have taken the port in between.
            assert!(log.contains("Address already in use"), "mosquitto does not start:\n{more}\n{log}");
        }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Where it logs to.
    pub fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, in the instant after it has written its store: whatever it acknowledged before is in there.
    pub fn kill(&mut self) {
        let before = self.store_inode();
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::USR1).expect("to ask for a store");
        for _ in 0..LOOKS_MAX {
            // It writes a new file beside the old one and then gives it the name.
            if self.store_inode() != before {
                self.child.kill().expect("to kill it");
                self.child.wait().expect("to see it gone");
                return;
            }
            sleep(LOOK_EVERY);
        }
        panic!("mosquitto does not write its store:\n{}", self.log());
    }

    fn store_inode(&self) -> Option<u64> {
        fs::metadata(self.directory.path().join(STORE)).ok().map(|store| store.ino())
    }

    /// Starts it again on the same port, after [`Mosquitto::kill`], with what it had kept.
    pub fn restart(&mut self) {
        for _ in 0..LOOKS_MAX {
            self.child = spawn(self.directory.path());
            let log = self.log_file();
            if listens(&mut self.child, self.port, &log) {
                return;
            }
            // The port may be taken for a moment by some outgoing connection.
            sleep(LOOK_EVERY);
        }
        panic!("mosquitto does not come back:\n{}", self.log());
    }

    /// The same, but all sessions and messages are gone.
    pub fn restart_without_memory(&mut self) {
        match fs::remove_file(self.directory.path().join(STORE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => self.restart(),
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config_file(directory: &Path) -> PathBuf {
    directory.join("mosquitto.conf")
}

fn base_config(port: u16, directory: &Path) -> String {
    let directory = directory.display();
    // Started by root, it would become a user that cannot write to our directory.
    format!(
        "user root\nlog_dest file {directory}/log\nlog_type all\npersistence true\n\
         persistence_location {directory}/\npersistence_file {STORE}\nautosave_interval 0\nlistener {port} 127.0.0.1\n"
    )
}

fn spawn(directory: &Path) -> Child {
    Command::new(PROGRAM)
        .arg("-c")
        .arg(config_file(directory))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{PROGRAM}: {error}; install the Debian package mosquitto"))
}

/// Waits until it accepts a connection. False when it has ended instead.
fn listens(child: &mut Child, port: u16, log: &Path) -> bool {
    for _ in 0..LOOKS_MAX {
        if child.try_wait().expect("to look").is_some() {
            return false;
        }
        // A connection to a free port may meet itself, or another test: the broker says when it is there.
        let is_running = || fs::read_to_string(log).is_ok_and(|log| log.contains(" running"));
        if is_running() && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        sleep(LOOK_EVERY);
    }
    panic!("mosquitto neither listens nor ends");
}
