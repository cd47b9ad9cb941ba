//! The process under test.

use super::record::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

const VEND: &str = env!("CARGO_BIN_EXE_vend");
/// A proxy of whoever runs the tests must not see their requests.
const PROXY_VARIABLES: [&str; 8] =
    ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// `vend` with arguments, in English and without a proxy.
pub fn vend(arguments: &[&str]) -> Command {
    let mut command = Command::new(VEND);
    command.args(["--lang", "en"]).args(arguments).stdin(Stdio::null());
    for name in PROXY_VARIABLES {
        command.env_remove(name);
    }
    command
}

/// A running `vend run`. Killed when dropped.
pub struct Agent {
    child: Child,
}

impl Agent {
    /// Starts it on `directory`/vend.toml and `directory`/credentials; it logs to `directory`/agent.log.
    pub fn start(directory: &Path) -> Agent {
        let log = File::options().create(true).append(true).open(log_file(directory)).unwrap();
        let (config, credentials) = (directory.join("vend.toml"), directory.join("credentials"));
        let child = vend(&["run", "--config"])
            .arg(config)
            .arg("--credentials")
            .arg(credentials)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Agent { child }
    }

    /// Power cut, as far as the process is concerned.
    pub fn kill9(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "the agent had ended before it was killed: {status}");
    }

    /// SIGKILL for an agent that may have ended by itself: whether it was killed.
    pub fn kill9_if_alive(mut self) -> bool {
        self.child.kill().unwrap();
        self.child.wait().unwrap().signal() == Some(Signal::KILL.as_raw())
    }

    /// SIGTERM.
    pub fn ask_to_stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits for it to end by itself.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        wait_until("end of the agent", || self.child.try_wait().unwrap())
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn log_file(directory: &Path) -> PathBuf {
    directory.join("agent.log")
}
