//! What the tool asks of the person before it, on a real terminal.

use crate::support::vend;
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

/// Runs `vend …` on a terminal on which this is typed once something was asked; what the terminal showed of it, what the
/// command said, and its exit code.
fn on_terminal(arguments: &[&str], typed: &str) -> (String, String, Option<i32>) {
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
