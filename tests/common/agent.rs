//! The process under test.

use super::record::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

const VEND: &str = env!("CARGO_BIN_EXE_vend");
/// Names another build of the program, for whoever measures the shipped one.
pub const VEND_VARIABLE: &str = "VEND_BINARY";
/// A proxy of whoever runs the tests must not see their requests.
const PROXY_VARIABLES: [&str; 8] =
    ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// Above every write of the agent: what strace cuts off cannot be rebuilt.
const TRACED_BYTES_MAX: &str = "2097152";
/// Whatever changes files or tells the world something, and what tells the agent something. A shared mapping would
/// change files unseen, so mmap is looked at too.
const TRACED_CALLS: &str = "trace=openat,creat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,read,readv,\
    recvfrom,recvmsg,fsync,fdatasync,sync,syncfs,msync,ftruncate,truncate,fallocate,copy_file_range,rename,renameat,\
    renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,mmap";

/// `vend` with arguments, in English and without a proxy.
pub fn vend(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os(VEND_VARIABLE).unwrap_or_else(|| VEND.into()));
    command.args(["--lang", "en"]).args(arguments).stdin(Stdio::null());
    without_proxy(command)
}

fn without_proxy(mut command: Command) -> Command {
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
        Agent::spawn(directory, vend(&[]))
    }

    /// The same with another log than the usual one.
    pub fn start_logging(directory: &Path, filter: &str) -> Agent {
        let mut program = vend(&[]);
        program.env(vend::io::log::VARIABLE, filter);
        Agent::spawn(directory, program)
    }

    /// The same under strace, which writes what the process says to disk, broker, board and receiver to `trace`, every
    /// byte of it. strace is a grandchild (`-D`), so that signals reach the agent itself.
    pub fn start_traced(directory: &Path, trace: &Path) -> Agent {
        let mut strace = Command::new("strace");
        strace.args(["-D", "-f", "-ttt", "-yy", "-xx", "-s", TRACED_BYTES_MAX, "-e", TRACED_CALLS, "-o"]).arg(trace);
        let program = vend(&[]);
        strace.arg(program.get_program()).args(program.get_args()).stdin(Stdio::null());
        Agent::spawn(directory, without_proxy(strace))
    }

    fn spawn(directory: &Path, mut program: Command) -> Agent {
        let log = File::options().create(true).append(true).open(log_file(directory)).unwrap();
        let (config, credentials) = (directory.join("vend.toml"), directory.join("credentials"));
        let child = program
            .args(["run", "--config"])
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

    /// Its process; of a traced one strace's own, which is the same.
    pub fn id(&self) -> u32 {
        self.child.id()
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
