//! Programs that know nothing of ours on the other side of the line: pymodbus as a board for our driver and as a host for
//! our emulated board, pyvendapin as a host.

use crate::common::board::Board;
use crate::common::command::put;
use crate::common::record::Record;
use crate::common::world::World;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use vend::board::profile::Profile;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers");

/// A Python with both, which `make test` prepares.
fn python() -> Option<OsString> {
    let python = std::env::var_os("VEND_TEST_PYTHON");
    if python.is_none() {
        eprintln!("SKIPPED: VEND_TEST_PYTHON names no Python with the peers; `make test` prepares one");
    }
    python
}

/// A foreign host drives our emulated board as it likes; the slots that turned.
fn turned_by_a_foreign_host(host: &str, profile: &str, turn_ms: u64) -> Option<Vec<u16>> {
    let python = python()?;
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("port");
    let profile = Profile::find(profile, Path::new(".")).unwrap();
    let board = Board::new(&profile, turn_ms, &[], &link);
    let output = Command::new(python).arg(format!("{PEERS}/{host}")).arg(&link).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(board.turned_slots())
}

#[test]
fn a_foreign_host_vends_from_our_emulated_board() {
    assert!(turned_by_a_foreign_host("modbus_host.py", "uling-zdm8", 500).is_none_or(|turned| turned == [5]));
}

/// The library waits a second for each of its answers: the turn is longer than that.
#[test]
fn a_foreign_host_dispenses_from_our_emulated_vendapin() {
    assert!(turned_by_a_foreign_host("vendapin_host.py", "vendapin", 2_500).is_none_or(|turned| turned == [1]));
}

/// Killed when dropped.
struct ForeignBoard(Child);

impl Drop for ForeignBoard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn our_driver_vends_from_a_foreign_board() {
    let Some(python) = python() else { return };
    let mut world = World::without_agent("uling-zdm8", |s| s.port = "foreign");
    let mut foreign = Command::new(python);
    foreign.arg(format!("{PEERS}/modbus_board.py")).arg(world.path().join("foreign"));
    let mut foreign = ForeignBoard(foreign.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let said: Arc<Record<String>> = Arc::default();
    let (lines, heard) = (BufReader::new(foreign.0.stdout.take().unwrap()).lines(), said.clone());
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| heard.push(line)));
    said.wait("word of the foreign board", |said| said.iter().any(|line| line == "ready").then_some(()));

    world.start_agent();
    world.wait_for_subscription(1);
    world.send(put("60", "78").code("5").quantity(2));
    world.one_truth("60", "78", "dispensed");
    assert_eq!(said.all(), ["ready", "turn 5", "turn 5"]);

    // Killed in mid-turn: the result waits in the register until it is read.
    world.send(put("61", "1").code("7"));
    said.wait("third turn", |said| (said.len() == 4).then_some(()));
    world.kill9();
    world.start_agent();
    world.one_truth("61", "1", "dispensed");
    assert_eq!(said.all(), ["ready", "turn 5", "turn 5", "turn 7"]);
    assert!(world.board.turned_slots().is_empty());
}
