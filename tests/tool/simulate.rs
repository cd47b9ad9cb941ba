//! `vend board simulate`: its place, its signals, its end.

use crate::support::{Machine, Process, run, vend, wait_for};
use rustix::process::Signal;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

const SYNC: u8 = 0x31;
const POLL: u8 = 0x41;
/// One request to a tcn-00ff board, and its answer: dispense on slot 3 of the first board.
const DISPENSE_3: [u8; 6] = [0x00, 0xFF, 0x03, 0xFC, 0xAA, 0x55];
const DISPENSED: [u8; 5] = [0x00, 0x5D, 0x00, 0xAA, 0x07];

/// Reads what the board says every 200 ms until it says this.
fn wait_for_frame(port: &mut File, command: u8) {
    let mut heard = Vec::new();
    let mut piece = [0; 64];
    for _ in 0..200 {
        let n = port.read(&mut piece).unwrap();
        heard.extend_from_slice(&piece[..n]);
        if heard.windows(3).any(|window| window == [0xFA, 0xFB, command]) {
            return;
        }
    }
    panic!("no frame {command:#x} in {heard:x?}");
}

fn start(machine: &Machine, profile: &str, arguments: &[&str]) -> (Process, String) {
    let mut command = vend(["board", "simulate", "--profile", profile, "--turn-time", "5"]);
    command.args(arguments).stdout(Stdio::piped());
    let mut board = Process::spawn(command, machine.path("board"));
    let mut line = String::new();
    BufReader::new(board.take_stdout()).read_line(&mut line).unwrap();
    assert!(line.ends_with('\n'), "{}", board.log());
    (board, line.trim_end().to_owned())
}

fn vend_once(place: &str) {
    let mut port = File::options().read(true).write(true).open(place).unwrap();
    port.write_all(&DISPENSE_3).unwrap();
    let mut answer = [0; DISPENSED.len()];
    port.read_exact(&mut answer).unwrap();
    assert_eq!(answer, DISPENSED);
}

#[test]
fn a_board_tells_where_it_is_writes_every_turn_down_and_ends_with_0_on_sigterm() {
    let machine = Machine::new();
    let (link, log) = (machine.text("link"), machine.text("turns"));
    let (mut board, place) = start(&machine, "tcn-00ff", &["--link", &link, "--log", &log]);
    assert_eq!(place, link);
    vend_once(&place);
    vend_once(&place);
    wait_for("two turns", || (fs::read_to_string(&log).unwrap().lines().count() == 2).then_some(()));
    for line in fs::read_to_string(&log).unwrap().lines() {
        assert!(line.starts_with("turn ") && line.ends_with(" address=0 slot=3 dropped=true"), "{line}");
    }
    assert_eq!(board.terminate(), Some(0), "{}", board.log());
    assert!(!fs::exists(&link).unwrap() && fs::read_link(&link).is_err());
}

#[test]
fn sigusr1_takes_the_power_of_the_board_and_gives_it_back() {
    let machine = Machine::new();
    // This board says SYNC when it has power again, some times if nobody answers, and then polls.
    let (board, place) = start(&machine, "xy-v3", &[]);
    let mut port = File::options().read(true).write(true).open(place).unwrap();
    wait_for_frame(&mut port, SYNC);
    wait_for_frame(&mut port, POLL);
    board.signal(Signal::USR1);
    wait_for_frame(&mut port, SYNC);
}

#[test]
fn without_a_link_it_names_the_pty_and_ctrl_c_is_130() {
    let machine = Machine::new();
    let (mut board, place) = start(&machine, "tcn-00ff", &["--fault", "no-drop:4"]);
    assert!(place.starts_with("/dev/pts/"), "{place}");
    vend_once(&place);
    board.signal(Signal::INT);
    assert_eq!(board.wait(), Some(130));
}

#[test]
fn what_cannot_be_simulated_is_told_before_anything_is_made() {
    let machine = Machine::new();
    let link = machine.text("link");
    fs::write(machine.path("precious"), "precious").unwrap();
    for (arguments, code) in [
        (["--profile", "nonsense", "--link", &link].as_slice(), 6),
        (&["--profile", "tcn-00ff", "--fault", "jamm", "--link", &link], 2),
        (&["--profile", "tcn-00ff", "--log", "/nowhere/log", "--link", &link], 1),
        (&["--profile", "tcn-00ff", "--link", &machine.text("precious")], 1),
    ] {
        let mut command = vend(["board", "simulate"]);
        command.args(arguments);
        let ended = run(command);
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{arguments:?} {}", ended.err);
        assert!(!fs::exists(&link).unwrap());
    }
    assert_eq!(fs::read_to_string(machine.path("precious")).unwrap(), "precious");
}
