//! What the tool asks of the person before it, on a real terminal.

use crate::support::vend;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStderr, Stdio};

/// `vend …` on a terminal, once it has asked something: the command, the person's end of the terminal, and what it says on
/// standard error with what it has said.
fn asked_on_terminal(arguments: &[&str]) -> (Child, OwnedFd, ChildStderr, String) {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
    let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let mut command = vend(arguments);
    command.args(["--socket", "/nonexistent/control.sock"]).stdin(Stdio::from(slave));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It holds the only other end of the terminal; ours must go, or the terminal never ends.
    drop(command);
    let mut stderr = child.stderr.take().unwrap();
    let mut said = String::new();
    while !said.ends_with(": ") {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "it asked nothing: {said}");
        said.push(char::from(byte[0]));
    }
    (child, master, stderr, said)
}

/// What the terminal showed of what was typed, what the command said, and its exit code.
fn on_terminal(arguments: &[&str], typed: &str) -> (String, String, Option<i32>) {
    let (mut child, master, mut stderr, mut said) = asked_on_terminal(arguments);
    let mut master = File::from(master);
    master.write_all(typed.as_bytes()).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    let code = child.wait().unwrap().code();
    let mut shown = Vec::new();
    // The terminal ends with an error, as terminals do.
    let _ = master.read_to_end(&mut shown);
    (String::from_utf8_lossy(&shown).into_owned(), said, code)
}

#[test]
fn a_motor_turns_only_when_the_slots_number_was_typed() {
    for (typed, code) in [("5\n", Some(3)), ("05\n", Some(3)), ("6\n", Some(9)), ("yes\n", Some(9)), ("\n", Some(9))] {
        let (shown, said, ended) = on_terminal(&["slot", "test", "5"], typed);
        assert_eq!(ended, code, "{typed:?}: {said}");
        assert!(said.contains("slot 5 of board 1") && shown.contains(typed.trim()), "{said} {shown}");
    }
}

#[test]
fn nobody_sees_a_pickup_code_being_typed() {
    let (shown, said, code) = on_terminal(&["pickup", "enter"], "16327138\n");
    assert_eq!(code, Some(3), "{said}");
    assert!(!shown.contains("1632") && !said.contains("1632"), "{shown:?} {said:?}");
}

#[test]
fn ctrl_c_at_a_secret_is_130_and_the_terminal_shows_again_what_is_typed() {
    let (mut child, master, mut stderr, mut said) = asked_on_terminal(&["pickup", "enter"]);
    // Both ends of a terminal have the same modes.
    let echoes = || tcgetattr(&master).unwrap().local_modes.contains(LocalModes::ECHO);
    assert!(!echoes(), "while it is asked, nothing is shown");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(echoes() && said.contains("given up"), "{said}");
}
