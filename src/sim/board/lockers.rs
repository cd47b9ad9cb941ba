//! What every lock family has to show, driver against emulated board.

#![allow(clippy::panic, reason = "a harness of tests")]

use super::fault::{Faults, LATE_MS};
use super::pair::{
    AWAY_MS, Mishap, Pair, TURN_MS, assert_absent_board, assert_writes_that_fail, at_every_step, command, outcome,
    profile,
};
use crate::board::driver::{Finding, LineFault, LineState, Written};
use crate::order::outcome::{DropSensor, Motor, Reason};

/// A family of lock boards.
pub struct Case {
    pub name: &'static str,
    /// A latch that stayed shut under the eyes of the driver is told as a failure.
    pub says_that_it_failed: bool,
}

/// Everything that does not depend on the family's bytes.
pub fn assert_lock_family(case: &Case) {
    every_outcome_arrives(case);
    an_open_latch_is_not_driven(case.name);
    a_crash_proves_only_what_the_latch_shows(case.name);
    a_door_that_was_open_before_a_crash_proves_nothing(case.name);
    a_board_restart_moves_no_latch(case.name);
    what_was_given_up_is_told_late(case.name);
    a_port_that_comes_back_to_an_open_door_proves_the_opening(case.name);
    assert_writes_that_fail(case.name);
    assert_absent_board(case.name);
    several_boards_are_told_apart(case.name);
    the_line_is_quiet(case.name);
}

fn every_outcome_arrives(case: &Case) {
    let failed = outcome(Motor::Timeout, DropSensor::None);
    for (fault, end) in [
        ("", outcome(Motor::Ok, DropSensor::None)),
        ("no-drop", outcome(Motor::Ok, DropSensor::None)),
        ("late@1", outcome(Motor::Ok, DropSensor::None)),
        ("garble@1", outcome(Motor::Ok, DropSensor::None)),
        ("restart@1", outcome(Motor::Ok, DropSensor::None)),
        ("power-loss@1", outcome(Motor::Ok, DropSensor::None)),
        ("jam", failed.clone()),
        ("open-motor", failed.clone()),
        ("refuse@1", failed),
    ] {
        let mut pair = Pair::new(case.name, fault);
        pair.vend(&command(1, 12, false));
        if case.says_that_it_failed || end == outcome(Motor::Ok, DropSensor::None) {
            assert_eq!(pair.ends, [end], "{} {fault}", case.name);
        }
        assert_eq!(pair.late, [], "{fault}");
        let garbled = pair.others.contains(&Finding::Fault(LineFault::BadCheck));
        assert_eq!(garbled, fault.starts_with("garble"), "{fault}");
        pair.run_for(10_000);
        pair.assert_can_vend_again();
    }
    let mut pair = Pair::new(case.name, "silence@1");
    pair.vend(&command(1, 12, false));
    assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
    assert_eq!(pair.written.iter().filter(|(_, w)| w.motor).count(), 1, "sent again");
    pair.run_for(10_000);
    pair.assert_can_vend_again();
}

fn an_open_latch_is_not_driven(name: &str) {
    let mut pair = Pair::with_turn(name, "", 60_000);
    pair.vend(&command(1, 12, false));
    for _ in 0..2 {
        pair.ends.clear();
        pair.vend(&command(1, 12, false));
        assert_eq!(pair.ends, [Finding::NotTaken(Reason::Busy)]);
        assert_eq!(pair.board.turns().len(), 1);
    }
    // Shut by hand meanwhile: it can be driven again.
    pair.run_for(100_000);
    pair.ends.clear();
    pair.vend(&command(1, 12, false));
    assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::None)]);
    assert_eq!(pair.board.turns().len(), 2);
}

fn a_crash_proves_only_what_the_latch_shows(name: &str) {
    let steps = at_every_step(name, Mishap::AgentCrash, |pair, step| {
        match (&pair.ends[..], pair.board.turns().len()) {
            ([Finding::Outcome(evidence)], 1) if evidence.motor == Motor::Ok => {}
            // Shut again before the next life looked, or never opened.
            ([Finding::Unproven(_)], 0 | 1) => {}
            other => panic!("{name} step {step}: {other:?}"),
        }
    });
    assert!(steps >= 4, "{steps}");
    // The door is still open when the next life looks.
    let mut pair = Pair::new(name, "");
    pair.until_idle();
    pair.drive(&command(1, 12, false));
    pair.run(10_000, |p| p.board.turns().len() == 1);
    pair.now = pair.now.plus_ms(100);
    pair.replace_driver(Some(&command(1, 12, false)));
    pair.until_idle();
    assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::None)]);
}

fn a_door_that_was_open_before_a_crash_proves_nothing(name: &str) {
    let mut pair = Pair::with_turn(name, "", 60_000);
    pair.vend(&command(1, 12, false));
    pair.ends.clear();
    pair.intend(&command(1, 12, false));
    pair.replace_driver(Some(&command(1, 12, false)));
    pair.until_idle();
    assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
    assert_eq!(pair.board.turns().len(), 1);
}

fn a_board_restart_moves_no_latch(name: &str) {
    let both = AWAY_MS.map(|away_ms| Mishap::Both { away_ms });
    for mishap in [Mishap::BoardRestart].into_iter().chain(both) {
        at_every_step(name, mishap, |pair, step| match (&pair.ends[..], pair.board.turns().len()) {
            ([Finding::Outcome(evidence)], 1) if evidence.motor == Motor::Ok => {}
            // A board that lost power before the command came to it shows a latch that did not move.
            ([Finding::Outcome(evidence)], 0) if evidence.motor != Motor::Ok && mishap == Mishap::BoardRestart => {}
            ([Finding::Unproven(_)], _) => {}
            other => panic!("{name}, {mishap:?}, step {step}: {other:?}"),
        });
    }
}

fn what_was_given_up_is_told_late(name: &str) {
    let mut pair = Pair::new(name, "late@1");
    pair.until_idle();
    pair.drive(&command(1, 12, false));
    pair.run(10_000, |p| p.board.turns().len() == 1);
    pair.driver.give_up(pair.now);
    assert_ne!(pair.driver.state(), LineState::Idle);
    pair.until_idle();
    assert_eq!(pair.ends, []);
    assert!(
        matches!(&pair.late[..], [Finding::Late { evidence, .. }] if evidence.motor == Motor::Ok),
        "{:?}",
        pair.late
    );
    pair.assert_can_vend_again();
}

/// Found by a simulated life: two restarts, and the latch of an order that had ended *unknown* opened between the next
/// order's intent and its first byte.
pub fn assert_that_opens_late_is_not_credited(name: &str) {
    let mut pair = Pair::new(name, "late@1");
    pair.until_idle();
    pair.drive(&command(1, 12, false));
    pair.run(10_000, |p| p.board.turns().len() == 1);
    pair.replace_driver(Some(&command(1, 12, false)));
    pair.run(10_000, |p| matches!(p.ends[..], [Finding::Unproven(_)]));
    pair.replace_driver(None);
    pair.until_idle();
    pair.ends.clear();
    pair.intend(&command(1, 12, false));
    // The agent is dead while the latch springs, if it still may.
    pair.now = pair.now.plus_ms(LATE_MS);
    pair.board.wake(pair.now);
    pair.replace_driver(Some(&command(1, 12, false)));
    pair.until_idle();
    assert!(matches!(pair.ends[..], [Finding::Unproven(_)]), "{:?}", pair.ends);
    assert_eq!(pair.board.turns().len(), 1);
}

fn a_port_that_comes_back_to_an_open_door_proves_the_opening(name: &str) {
    for (away_ms, open_ms) in [(20_000, 60_000), (60_000, TURN_MS)] {
        let mut pair = Pair::with_turn(name, "", open_ms);
        pair.until_idle();
        pair.drive(&command(1, 12, false));
        pair.run(10_000, |p| p.board.turns().len() == 1);
        pair.port_away(away_ms);
        pair.until_idle();
        if away_ms < open_ms {
            assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::None)]);
        } else {
            assert!(matches!(pair.ends[..], [Finding::Unproven(_) | Finding::Outcome(_)]), "{:?}", pair.ends);
            assert_ne!(pair.ends, [outcome(Motor::Timeout, DropSensor::None)]);
        }
        assert_eq!(pair.board.turns().len(), 1);
    }
}

fn several_boards_are_told_apart(name: &str) {
    let mut two = profile(name);
    two.addresses.count = 2;
    let board = super::emulator_for(&two, 60_000, Faults::default());
    let mut pair = Pair::with_board(two, board);
    for address in [1, 2] {
        pair.ends.clear();
        pair.vend(&command(address, 12, false));
        assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::None)], "{address}");
    }
    let wires: Vec<u8> = pair.board.turns().iter().map(|t| t.wire_address).collect();
    assert_eq!(wires, [pair.profile.addresses.first_on_wire, pair.profile.addresses.first_on_wire + 1]);
    assert_eq!(pair.write_ends, Written::All);
}

fn the_line_is_quiet(name: &str) {
    let mut pair = Pair::new(name, "");
    pair.until_idle();
    pair.written.clear();
    pair.run_for(60_000);
    // Twice a second where the latches are asked one by one.
    assert!((5..=121).contains(&pair.written.len()), "{}", pair.written.len());
}
