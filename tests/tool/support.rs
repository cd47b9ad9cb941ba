//! A machine in a directory of its own: configuration, secrets, state and socket.

use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// Between two looks at something that another process does.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// 60 s of looks.
const LOOKS_MAX: u32 = 6_000;

pub const MACHINE_NO: &str = "16327129";

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Each line of standard output as JSON.
    pub fn documents(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

/// `vend` with these arguments and an empty environment.
pub fn vend<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vend"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

pub fn run(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Looks again and again until there is something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS_MAX {
        if let Some(found) = look() {
            return found;
        }
        sleep(LOOK_EVERY);
    }
    panic!("in vain: {what}");
}

/// A process that is killed when dropped.
pub struct Process {
    child: Child,
    /// Its standard error.
    log: PathBuf,
}

impl Process {
    pub fn spawn(mut command: Command, log: PathBuf) -> Process {
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        Process { child, log }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn wait_for_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log:\n{}", self.log()), || self.log().contains(text).then_some(()));
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn take_stdout(&mut self) -> std::process::ChildStdout {
        self.child.stdout.take().unwrap()
    }

    #[allow(dead_code, reason = "not every test that starts a daemon looks into it")]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end and says how it ended.
    pub fn wait(&mut self) -> Option<i32> {
        wait_for("the end of a process", || self.child.try_wait().unwrap()).code()
    }

    pub fn terminate(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A machine's files.
pub struct Machine {
    pub directory: TempDir,
}

impl Machine {
    /// A machine whose broker is not there.
    pub fn new() -> Machine {
        // Nobody listens on port 1 (tcpmux), and a refused connection is quick.
        Machine::with_broker(1, "5")
    }

    pub fn with_broker(port: u16, protocol: &str) -> Machine {
        let machine = Machine { directory: tempfile::tempdir().unwrap() };
        let config = format!(
            "machine_no = \"{MACHINE_NO}\"\n[broker]\nurl = \"mqtt://127.0.0.1:{port}\"\nprotocol = \"{protocol}\"\n\
             [cloud]\nverify_orders = \"never\"\n[board]\nprofile = \"tcn-00ff\"\nport = \"port\"\n\
             [time]\ntrust = \"system\"\n[state]\ndirectory = \"state\"\n[control]\nsocket = \"control.sock\"\n"
        );
        fs::write(machine.path("vend.toml"), config).unwrap();
        fs::write(machine.path("app_key"), "kva\n").unwrap();
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `name` as text, for a command line.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub fn place(&self) -> [String; 4] {
        let directory = self.directory.path().to_str().unwrap().to_owned();
        ["--config".to_owned(), self.text("vend.toml"), "--credentials".to_owned(), directory]
    }

    /// A daemon, however it fares.
    pub fn start(&self) -> Process {
        let mut command = vend(["run"]);
        command.args(self.place());
        Process::spawn(command, self.path("log"))
    }

    /// A daemon that answers and whose first commit is over.
    pub fn daemon(&self) -> Process {
        let daemon = self.start();
        wait_for("a daemon that answers", || {
            let asked = self.tool(&["status", "--json"]);
            (asked.code != Some(3) && asked.documents()[0]["phase"] != "opening").then_some(())
        });
        daemon
    }

    /// A command that asks the daemon.
    pub fn tool(&self, arguments: &[&str]) -> Ended {
        let mut command = vend(arguments);
        command.args(["--socket", &self.text("control.sock")]);
        run(command)
    }

    pub fn status(&self) -> serde_json::Value {
        self.tool(&["status", "--json"]).documents().remove(0)
    }

    pub fn dump(&self, arguments: &[&str]) -> Ended {
        let mut command = vend(["journal", "dump", "--directory", &self.text("state")]);
        command.args(arguments);
        run(command)
    }

    pub fn accept_loss(&self, reason: &str) -> Ended {
        run(vend(["journal", "accept-loss", "--directory", &self.text("state"), "--reason", reason]))
    }
}

/// An emulated board at the machine's port.
pub fn board(machine: &Machine, arguments: &[&str]) -> Process {
    let (link, log) = (machine.text("port"), machine.text("turns"));
    let mut command = vend(["board", "simulate", "--profile", "tcn-00ff", "--link", &link, "--log", &log]);
    command.args(arguments).stdout(Stdio::piped());
    let mut board = Process::spawn(command, machine.path("board"));
    let mut line = String::new();
    BufReader::new(board.take_stdout()).read_line(&mut line).unwrap();
    assert!(line.ends_with('\n'), "{}", board.log());
    board
}
