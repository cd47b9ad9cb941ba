//! Driver against emulated board, with a journal that survives the agent.

use super::super::Emulator;
use super::super::duel::tests::{DISKS_MS, TURN_MS, cut_both_everywhere, cut_everywhere, evidence, faults, two_vends};
use super::super::duel::{Cut, Duel, profile};
use super::UboxE7Board;
use crate::board::driver::{Finding, LineState, Written};
use crate::order::outcome::{DropSensor, Motor, Reason};
use crate::order::time::BootMs;

fn ubox(kind: Option<&str>) -> Duel<UboxE7Board> {
    ubox_that_turns(TURN_MS, kind)
}

fn ubox_that_turns(turn_ms: u64, kind: Option<&str>) -> Duel<UboxE7Board> {
    let profile = profile("ubox-e7");
    Duel::new(&profile, UboxE7Board::new(&profile, turn_ms, faults(kind)))
}

#[test]
fn ubox_tells_each_fault_as_it_is() {
    let seen = evidence(Motor::Ok, DropSensor::Seen);
    for (kind, wanted) in [
        (None, seen),
        (Some("jam"), evidence(Motor::Timeout, DropSensor::NotSeen)),
        (Some("no-drop"), evidence(Motor::Ok, DropSensor::NotSeen)),
        (Some("late"), seen),
        (Some("garble"), seen),
        // It counts what it does not tell.
        (Some("silence"), seen),
        (Some("open-motor"), None),
        (Some("refuse"), None),
        (Some("restart"), None),
        (Some("power-loss"), None),
    ] {
        let mut duel = ubox(kind);
        let intent = duel.vend(7);
        let is_refused = matches!(kind, Some("open-motor" | "refuse"));
        assert_eq!((intent.outcome, intent.not_taken), (wanted, is_refused), "{kind:?}");
        assert_eq!(duel.findings.contains(&Finding::NotTaken(Reason::Busy)), is_refused, "{kind:?}");
        assert_eq!(duel.vend(7).outcome, seen, "{kind:?}");
        duel.run_for(10_000);
        duel.check("fault");
        assert_eq!(duel.board.out_of_turn(), 0, "{kind:?}");
    }
}

#[test]
fn a_slot_that_the_board_does_not_have_is_refused_as_such() {
    let mut duel = ubox(None);
    assert!(duel.vend(81).not_taken);
    assert!(duel.findings.contains(&Finding::NotTaken(Reason::Slot)));
    duel.check("slot 81");
}

#[test]
fn a_ubox_agent_that_dies_at_any_step_turns_no_motor_twice() {
    cut_everywhere(ubox, Cut::Agent, &DISKS_MS);
}

#[test]
fn rule_20_a_ubox_board_that_restarts_at_any_step_proves_nothing_that_is_not_so() {
    cut_everywhere(ubox, Cut::Board, &DISKS_MS);
}

#[test]
fn rule_20_a_power_cut_of_agent_and_ubox_board_at_any_step_proves_only_what_was_counted() {
    cut_both_everywhere(ubox);
}

#[test]
fn a_long_vend_is_announced_and_the_silence_of_the_board_meanwhile_is_no_fault() {
    let mut duel = ubox_that_turns(4_000, None);
    assert_eq!(duel.vend(7).outcome, evidence(Motor::Ok, DropSensor::Seen));
    assert!(duel.findings.contains(&Finding::Taken));
    assert!(duel.findings.contains(&Finding::Progress(1)));
    assert!(!duel.findings.iter().any(|f| matches!(f, Finding::Fault(_))), "{:?}", duel.findings);
    duel.check("long vend");
}

#[test]
fn rule_22_ubox_acknowledges_a_result_only_when_it_is_durable_and_the_log_tells_it_no_second_time() {
    // Within the first copy, with the second, with the third, and after all of them.
    for (sync_ms, lost) in [(5, 0), (1_000, 0), (2_000, 0), (4_000, 0), (6_000, 1)] {
        let mut duel = ubox(None);
        duel.sync_ms = sync_ms;
        duel.vend(7);
        duel.until(10_000, "held", |d| d.intents[0].outcome.is_some());
        assert_eq!(duel.board.unacknowledged(), lost, "sync {sync_ms} ms");
        assert_eq!(duel.board.logged(), usize::try_from(lost).unwrap(), "sync {sync_ms} ms");
        duel.until_idle();
        duel.run_for(10_000);
        let told = duel.findings.iter().filter(|f| matches!(f, Finding::Outcome(_) | Finding::Late { .. })).count();
        assert_eq!(told, 1, "sync {sync_ms} ms: a copy or a record was taken for a second result");
        assert_eq!(duel.board.logged(), 0, "sync {sync_ms} ms: the log was not drained");
        two_vends(&mut duel, "after a slow disk");
    }
}

#[test]
fn a_result_that_the_board_still_repeats_is_told_to_an_agent_that_comes_back() {
    let mut duel = ubox(None);
    duel.drive(7);
    duel.until(5_000, "a turn", |d| !d.board.turns().is_empty());
    duel.restart_agent();
    duel.until(5_000, "outcome", |d| d.intents[0].outcome.is_some());
    duel.check("resumed");
}

/// The agent dies as soon as the motor turns and comes back when the board has given up on it.
fn away(duel: &mut Duel<UboxE7Board>, meanwhile: impl Fn(&mut UboxE7Board, BootMs)) {
    duel.drive(7);
    duel.until(5_000, "a turn", |d| !d.board.turns().is_empty());
    duel.agent_away(20_000, meanwhile);
}

#[test]
fn what_the_board_counted_while_the_agent_was_away_is_its_outcome() {
    for (kind, wanted) in [
        (None, evidence(Motor::Ok, DropSensor::Seen)),
        (Some("silence"), evidence(Motor::Ok, DropSensor::Seen)),
        // Not counted: it failed, or the board was without power.
        (Some("jam"), None),
        (Some("no-drop"), None),
        (Some("restart"), None),
    ] {
        let mut duel = ubox(kind);
        away(&mut duel, |_, _| {});
        duel.until(30_000, "the end", |d| d.intents[0].outcome.is_some() || d.intents[0].unproven);
        assert_eq!(duel.intents[0].outcome, wanted, "{kind:?}");
        duel.until_idle();
        assert_eq!(duel.board.logged(), 0, "{kind:?}");
        duel.check("away");
        two_vends(&mut duel, "after it was away");
    }
}

#[test]
fn what_was_counted_is_known_as_soon_as_the_board_polls_again() {
    let mut duel = ubox(Some("silence"));
    duel.drive(7);
    duel.until(TURN_MS + 4_000, "outcome", |d| d.intents[0].outcome.is_some());
    duel.check("counted");
}

#[test]
fn what_was_counted_survives_the_boards_power_and_what_was_not_proves_nothing() {
    for (kind, wanted) in [(None, evidence(Motor::Ok, DropSensor::Seen)), (Some("jam"), None)] {
        let mut duel = ubox(kind);
        away(&mut duel, Emulator::power_cycle);
        duel.until(30_000, "the end", |d| d.intents[0].outcome.is_some() || d.intents[0].unproven);
        assert_eq!(duel.intents[0].outcome, wanted, "{kind:?}");
        duel.check("both without power");
    }
}

#[test]
fn a_sale_by_the_keypad_is_never_ours() {
    // The agent wrote an intent and died before the command; somebody buys the same, for money and for nothing.
    for cost in [100, 0] {
        let mut duel = ubox(None);
        duel.until_idle();
        duel.failing_writes = [Written::Some].into();
        duel.drive(7);
        duel.until(2_000, "written", |d| d.failing_writes.is_empty());
        duel.agent_away(20_000, |board, now| board.sell(now, 7, cost));
        duel.until(30_000, "the end", |d| d.intents[0].unproven);
        duel.check("keypad");
        // And while it listens.
        duel.until_idle();
        duel.board.sell(duel.now, 8, cost);
        assert_eq!(duel.vend(7).outcome, evidence(Motor::Ok, DropSensor::Seen));
        duel.run_for(5_000);
        duel.check("keypad while it listens");
    }
}

#[test]
fn a_ubox_restart_in_mid_vend_ends_the_wait_as_soon_as_the_counter_was_read() {
    for kind in ["restart", "power-loss"] {
        let mut duel = ubox(Some(kind));
        duel.drive(7);
        duel.until(7_000, "unproven", |d| d.intents[0].unproven);
        assert_eq!(duel.findings.iter().filter(|f| **f == Finding::BoardRestarted).count(), 2, "{kind}");
        assert_eq!(duel.state(), LineState::Idle, "{kind}: a board that polls turns nothing");
    }
}

#[test]
fn rule_15_half_a_motor_command_of_ubox_ends_in_unknown_and_is_never_written_again() {
    let mut duel = ubox(None);
    duel.failing_writes = [Written::Some].into();
    assert!(duel.vend(7).unproven);
    assert!(duel.board.turns().is_empty());
    two_vends(&mut duel, "after half a command");
}

#[test]
fn a_ubox_command_that_missed_its_poll_is_offered_again_and_turns_once() {
    let mut duel = ubox(None);
    duel.failing_writes = [Written::Nothing, Written::Nothing].into();
    assert_eq!(duel.vend(7).outcome, evidence(Motor::Ok, DropSensor::Seen));
    duel.check("offered thrice");
}

#[test]
fn ubox_a_late_result_is_late_evidence_and_not_the_next_commands() {
    // Told late, or only counted.
    for kind in ["late", "silence"] {
        let mut duel = ubox(Some(kind));
        duel.drive(7);
        duel.until(5_000, "a turn", |d| !d.board.turns().is_empty());
        duel.give_up();
        assert_eq!(duel.state(), LineState::Settling, "{kind}");
        duel.until_idle();
        assert_eq!(duel.intents[0].late, evidence(Motor::Ok, DropSensor::Seen), "{kind}");
        two_vends(&mut duel, "after late");
    }
}

#[test]
fn a_port_that_goes_away_in_mid_vend_keeps_the_outcome_of_ubox() {
    let mut duel = ubox(None);
    duel.drive(7);
    duel.until(5_000, "a turn", |d| !d.board.turns().is_empty());
    duel.replug();
    duel.until(10_000, "outcome", |d| d.intents[0].outcome.is_some());
    two_vends(&mut duel, "replugged");
}

#[test]
fn without_a_drop_sensor_one_turn_is_a_success() {
    let mut profile = profile("ubox-e7");
    profile.defaults.drop_check = false;
    let mut duel = Duel::new(&profile, UboxE7Board::new(&profile, TURN_MS, faults(Some("no-drop"))));
    assert_eq!(duel.vend(7).outcome, evidence(Motor::Ok, DropSensor::None));
    duel.check("no sensor");
}

#[test]
fn an_idle_ubox_line_is_asked_each_three_minutes_and_never_out_of_turn() {
    let mut duel = ubox(None);
    duel.until_idle();
    duel.run_for(600_000);
    assert_eq!((duel.board.out_of_turn(), duel.board.unacknowledged()), (0, 0));
    assert_eq!(duel.state(), LineState::Idle);
    let told = "firmware EMU 3.1.1, board 0000002A".to_owned();
    let identities: Vec<_> = duel.findings.iter().filter(|f| matches!(f, Finding::Identity(_))).collect();
    assert_eq!(identities, [&Finding::Identity(told)]);
    assert_eq!(duel.tally().resends, 0);
    // Six at first, and three of them each three minutes.
    assert_eq!(duel.tally().round_trips, 6 + 3 * 3);
}
