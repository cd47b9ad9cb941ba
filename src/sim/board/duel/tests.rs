//! The duels: every family whose driver has a conversation of its own.

use super::super::fault::Faults;
use super::super::pair::AWAY_MS;
use super::super::tcn_00ff::Tcn00ffBoard;
use super::super::vendapin::VendapinBoard;
use super::super::vmc96::Vmc96Board;
use super::super::xy_v3::XyV3Board;
use super::super::{col_ed::ColEdBoard, ff0055::Ff0055Board, lift_c7::LiftC7Board};
use super::*;
use crate::board::driver::LineFault;
use crate::board::{tcn_00ff, xy_v3::wire};
use crate::order::outcome::Reason;
use proptest::prelude::*;

pub(in crate::sim::board) const TURN_MS: u64 = 1_000;
/// Two vends and the polls before, between and after take fewer steps, but for long silences.
const STEPS_CUT_MAX: u32 = 250;
const FAULTS: [&str; 9] =
    ["jam", "no-drop", "open-motor", "silence", "garble", "late", "restart", "power-loss", "refuse"];

/// The first command meets the fault, the later ones do not.
pub(in crate::sim::board) fn faults(kind: Option<&str>) -> Faults {
    Faults::new(kind.map(|k| format!("{k}@1").parse().unwrap()))
}

fn tcn(kind: Option<&str>) -> Duel<Tcn00ffBoard> {
    let profile = profile("tcn-00ff");
    Duel::new(&profile, Tcn00ffBoard::new(&profile, TURN_MS, faults(kind)))
}

fn xy(kind: Option<&str>) -> Duel<XyV3Board> {
    let profile = profile("xy-v3");
    Duel::new(&profile, XyV3Board::new(&profile, TURN_MS, faults(kind)))
}

fn lift(kind: Option<&str>) -> Duel<LiftC7Board> {
    let profile = profile("lift-c7");
    Duel::new(&profile, LiftC7Board::new(&profile, TURN_MS, faults(kind)))
}

fn col(kind: Option<&str>) -> Duel<ColEdBoard> {
    let profile = profile("col-ed");
    Duel::new(&profile, ColEdBoard::new(&profile, TURN_MS, faults(kind)))
}

fn ff0055(kind: Option<&str>) -> Duel<Ff0055Board> {
    let profile = profile("ff0055");
    Duel::new(&profile, Ff0055Board::new(&profile, TURN_MS, faults(kind)))
}

fn vendapin(kind: Option<&str>) -> Duel<VendapinBoard> {
    let mut profile = profile("vendapin");
    // Its only slot is the one that is driven here.
    (profile.slots.first, profile.slots.last) = (7, 7);
    Duel::new(&profile, VendapinBoard::new(&profile, TURN_MS, faults(kind)))
}

fn vmc96(kind: Option<&str>) -> Duel<Vmc96Board> {
    let profile = profile("vmc96");
    Duel::new(&profile, Vmc96Board::new(&profile, TURN_MS, faults(kind)))
}

pub(in crate::sim::board) fn evidence(motor: Motor, drop_sensor: DropSensor) -> Option<Evidence> {
    Some(Evidence { motor, drop_sensor })
}

/// Two vends of the same slot, so that a result of the first could be taken for the second's.
pub(in crate::sim::board) fn two_vends<E: Emulator>(duel: &mut Duel<E>, story: &str) {
    duel.vend(7);
    duel.check(story);
    duel.vend(7);
    duel.run_for(10_000);
    duel.check(story);
    // Whatever was cut, the line comes back.
    duel.until_idle();
}

/// A fast disk, and one slower than all copies of a result. To boards that are told nothing they are all the same.
pub(in crate::sim::board) const DISKS_MS: [u64; 3] = [5, 350, 3_000];

/// Every step of two vends, at which agent and board lose their power together.
pub(in crate::sim::board) fn cut_both_everywhere<E: Emulator>(make: impl Fn(Option<&str>) -> Duel<E>) {
    for away_ms in AWAY_MS {
        cut_everywhere(&make, Cut::Both { away_ms }, &[5]);
    }
}

/// Every step of two vends, cut in turn.
pub(in crate::sim::board) fn cut_everywhere<E: Emulator>(
    make: impl Fn(Option<&str>) -> Duel<E>,
    cut: Cut,
    disks_ms: &[u64],
) {
    for kind in FAULTS.into_iter().map(Some).chain([None]) {
        for &sync_ms in disks_ms {
            for at in 1.. {
                let mut duel = make(kind);
                duel.sync_ms = sync_ms;
                duel.cut = Some((at, cut));
                two_vends(&mut duel, &format!("{kind:?}, sync {sync_ms} ms, {cut:?} cut at step {at}"));
                // The steps after the second vend's end are all alike.
                if duel.cut.is_some() || at > STEPS_CUT_MAX {
                    break;
                }
            }
        }
    }
}

/// The first vend meets the fault and ends like this, unknown where nothing is wanted; the second is as if nothing had
/// been.
fn assert_tells<E: Emulator>(
    make: impl Fn(Option<&str>) -> Duel<E>,
    told: impl IntoIterator<Item = (&'static str, Option<Evidence>)>,
    then: impl Fn(&E),
) {
    let fine = evidence(Motor::Ok, DropSensor::Seen);
    let unknown = ["silence", "restart", "power-loss", "refuse"].map(|kind| (kind, None));
    for (kind, wanted) in [("", fine), ("late", fine)].into_iter().chain(told).chain(unknown) {
        let mut duel = make(Some(kind).filter(|kind| !kind.is_empty()));
        let intent = duel.vend(7);
        assert_eq!((intent.outcome, intent.unproven), (wanted, wanted.is_none()), "{kind}");
        assert_eq!(duel.vend(7).outcome, fine, "{kind}");
        duel.check(kind);
        then(&duel.board);
    }
}

#[test]
fn tcn_tells_each_fault_as_it_is() {
    let told = [
        ("jam", evidence(Motor::OverCurrent, DropSensor::NotSeen)),
        ("no-drop", evidence(Motor::Ok, DropSensor::NotSeen)),
        ("open-motor", evidence(Motor::Open, DropSensor::NotSeen)),
        ("garble", None),
    ];
    assert_tells(tcn, told, |_| {});
}

#[test]
fn xy_tells_each_fault_as_it_is() {
    let told = [
        ("jam", evidence(Motor::Ok, DropSensor::NotSeen)),
        ("no-drop", evidence(Motor::Ok, DropSensor::NotSeen)),
        ("open-motor", evidence(Motor::Absent, DropSensor::NotSeen)),
        ("garble", evidence(Motor::Ok, DropSensor::Seen)),
    ];
    assert_tells(xy, told, |board| assert_eq!(board.out_of_turn(), 0));
}

#[test]
fn a_tcn_agent_that_dies_at_any_step_turns_no_motor_twice() {
    cut_everywhere(tcn, Cut::Agent, &DISKS_MS);
}

#[test]
fn rule_20_a_tcn_board_that_restarts_at_any_step_proves_nothing() {
    cut_everywhere(tcn, Cut::Board, &DISKS_MS);
}

#[test]
fn an_xy_agent_that_dies_at_any_step_turns_no_motor_twice() {
    cut_everywhere(xy, Cut::Agent, &DISKS_MS);
}

#[test]
fn rule_20_an_xy_board_that_restarts_at_any_step_proves_nothing() {
    cut_everywhere(xy, Cut::Board, &DISKS_MS);
}

#[test]
fn an_agent_of_a_lift_column_or_ff0055_board_that_dies_at_any_step_turns_no_motor_twice() {
    cut_everywhere(lift, Cut::Agent, &[5]);
    cut_everywhere(col, Cut::Agent, &[5]);
    cut_everywhere(ff0055, Cut::Agent, &[5]);
}

#[test]
fn rule_20_a_lift_column_or_ff0055_board_that_restarts_at_any_step_proves_nothing() {
    cut_everywhere(lift, Cut::Board, &[5]);
    cut_everywhere(col, Cut::Board, &[5]);
    cut_everywhere(ff0055, Cut::Board, &[5]);
}

#[test]
fn a_vendapin_agent_that_dies_at_any_step_turns_no_motor_twice() {
    cut_everywhere(vendapin, Cut::Agent, &[5]);
}

#[test]
fn rule_20_a_vendapin_board_that_restarts_at_any_step_proves_nothing() {
    cut_everywhere(vendapin, Cut::Board, &[5]);
}

#[test]
fn a_vmc96_agent_that_dies_at_any_step_turns_no_motor_twice() {
    cut_everywhere(vmc96, Cut::Agent, &[5]);
}

#[test]
fn rule_20_a_vmc96_board_that_restarts_at_any_step_proves_nothing() {
    cut_everywhere(vmc96, Cut::Board, &[5]);
}

#[test]
fn rule_20_a_power_cut_of_a_tcn_agent_and_board_at_any_step_proves_nothing() {
    cut_both_everywhere(tcn);
}

#[test]
fn rule_20_a_power_cut_of_an_xy_agent_and_board_at_any_step_proves_nothing() {
    cut_both_everywhere(xy);
}

#[test]
fn rule_20_a_power_cut_of_agent_and_lift_column_or_ff0055_board_at_any_step_proves_nothing() {
    cut_both_everywhere(lift);
    cut_both_everywhere(col);
    cut_both_everywhere(ff0055);
}

#[test]
fn rule_20_a_power_cut_of_agent_and_vendapin_board_at_any_step_proves_only_what_was_counted() {
    cut_both_everywhere(vendapin);
}

#[test]
fn rule_20_a_power_cut_of_agent_and_vmc96_board_at_any_step_proves_nothing() {
    cut_both_everywhere(vmc96);
}

#[test]
fn xy_says_its_request_in_the_first_poll_and_never_out_of_turn() {
    for wait_ms in 0..400 {
        let mut duel = xy(None);
        duel.until_idle();
        duel.run_for(wait_ms);
        duel.drive(7);
        let driven_at = duel.now;
        duel.until(30_000, "a turn", |d| !d.board.turns().is_empty());
        let waited = duel.board.turns()[0].at.since_ms(driven_at);
        assert!(waited <= 200 + 2 * WIRE_MS, "{wait_ms}: {waited} ms");
        duel.until(30_000, "outcome", |d| d.intents[0].outcome.is_some());
        duel.run_for(2_000);
        assert_eq!((duel.board.out_of_turn(), duel.board.unacknowledged()), (0, 0), "{wait_ms}");
    }
}

#[test]
fn rule_22_xy_acknowledges_a_result_only_when_it_is_durable() {
    for (sync_ms, lost) in [(5, 0), (350, 0), (3_000, 1)] {
        let mut duel = xy(None);
        duel.sync_ms = sync_ms;
        duel.vend(7);
        duel.run_for(3_000);
        assert_eq!(duel.board.unacknowledged(), lost, "sync {sync_ms} ms");
        let outcomes = duel.findings.iter().filter(|f| matches!(f, Finding::Outcome(_))).count();
        assert_eq!(outcomes, 1, "a copy of a result was taken for a second one");
    }
}

#[test]
fn an_xy_result_that_comes_after_a_quick_restart_of_the_agent_is_taken() {
    let mut duel = xy(None);
    duel.drive(7);
    duel.until(5_000, "a turn", |d| !d.board.turns().is_empty());
    duel.restart_agent();
    duel.until(5_000, "outcome", |d| d.intents[0].outcome.is_some());
    duel.check("resumed");
}

#[test]
fn a_copy_of_the_last_result_is_not_taken_for_the_resumed_command() {
    let mut duel = xy(None);
    duel.sync_ms = 350;
    duel.vend(7);
    // The board still repeats the first result when the agent dies with the second intent just written.
    let reference = duel.driver.reference(&command(7));
    duel.intents.push(Intent {
        command: command(7),
        reference,
        driven_at: duel.now,
        outcome: None,
        not_taken: false,
        unproven: false,
        late: None,
    });
    duel.restart_agent();
    duel.until(30_000, "the end", |d| d.intents[1].is_resolved());
    duel.check("copy");
    assert!(duel.intents[1].unproven);
}

#[test]
fn an_xy_restart_in_mid_vend_ends_the_wait_at_once() {
    for kind in ["restart", "power-loss"] {
        let mut duel = xy(Some(kind));
        duel.drive(7);
        duel.until(4_000, "unproven", |d| d.intents[0].unproven);
        assert!(duel.findings.contains(&Finding::BoardRestarted), "{kind}");
        assert_eq!(duel.state(), LineState::Settling, "{kind}: only the longest vend time proves rest");
    }
}

#[test]
fn a_motor_command_that_missed_its_window_is_offered_again_and_turns_once() {
    let mut duel = xy(None);
    duel.failing_writes = [Written::Nothing, Written::Nothing].into();
    assert_eq!(duel.vend(7).outcome, evidence(Motor::Ok, DropSensor::Seen));
    duel.check("offered thrice");
}

#[test]
fn rule_15_half_a_motor_command_ends_in_unknown_and_is_never_written_again() {
    let mut duel = xy(None);
    duel.failing_writes = [Written::Some].into();
    assert!(duel.vend(7).unproven);
    assert!(duel.board.turns().is_empty());
    let mut duel = tcn(None);
    duel.failing_writes = [Written::Some].into();
    assert!(duel.vend(7).unproven);
    assert!(duel.board.turns().is_empty());
}

#[test]
fn a_tcn_command_of_which_no_byte_left_is_not_taken() {
    let mut duel = tcn(None);
    duel.failing_writes = [Written::Nothing].into();
    assert!(duel.vend(7).not_taken);
    assert_eq!(duel.state(), LineState::Idle);
    assert!(duel.findings.contains(&Finding::NotTaken(Reason::BoardOffline)));
}

#[test]
fn tcn_a_late_reply_is_late_evidence_and_not_the_next_commands() {
    let mut duel = tcn(Some("late"));
    duel.drive(7);
    duel.run_for(1_500);
    duel.give_up();
    assert_eq!(duel.state(), LineState::Settling);
    duel.until_idle();
    assert_eq!(duel.intents[0].late, evidence(Motor::Ok, DropSensor::Seen));
    two_vends(&mut duel, "after late");
}

#[test]
fn xy_a_late_result_is_late_evidence_and_not_the_next_commands() {
    let mut duel = xy(Some("late"));
    duel.drive(7);
    duel.run_for(1_500);
    duel.give_up();
    assert_eq!(duel.state(), LineState::Settling);
    duel.until_idle();
    assert_eq!(duel.intents[0].late, evidence(Motor::Ok, DropSensor::Seen));
    assert!(duel.now.since_ms(duel.intents[0].driven_at) >= 8_000);
    duel.check("late");
}

#[test]
fn a_port_that_goes_away_in_mid_vend_leaves_tcn_nothing_and_xy_the_push() {
    let mut duel = tcn(None);
    duel.drive(7);
    duel.run_for(500);
    duel.replug();
    assert!(duel.intents[0].unproven);
    duel.until_idle();
    duel.check("replugged");

    let mut duel = xy(None);
    duel.drive(7);
    duel.until(5_000, "a turn", |d| !d.board.turns().is_empty());
    duel.replug();
    duel.until(5_000, "outcome", |d| d.intents[0].outcome.is_some());
    duel.check("replugged");
}

#[test]
fn xy_ends_a_command_unwritten_when_the_board_falls_silent() {
    let mut duel = xy(None);
    duel.until_idle();
    let profile = profile("xy-v3");
    // A board that is never heard again, and no bytes under way.
    duel.board = XyV3Board::new(&profile, TURN_MS, Faults::default());
    duel.to_driver.clear();
    let reference = duel.driver.reference(&command(7));
    let mut driver = std::mem::replace(&mut duel.driver, driver_for(&profile));
    driver.wake(duel.now.plus_ms(300));
    driver.drive(duel.now.plus_ms(300), &command(7), &reference);
    assert_eq!(driver.state(), LineState::Busy);
    driver.wake(duel.now.plus_ms(2_300));
    let outputs: Vec<_> = std::iter::from_fn(|| driver.next_output()).collect();
    assert!(outputs.contains(&Output::Finding(Finding::NotTaken(Reason::BoardOffline))), "{outputs:?}");
    assert!(outputs.contains(&Output::Finding(Finding::Fault(LineFault::TimeOut))), "{outputs:?}");
    assert_eq!(driver.state(), LineState::Settling);
}

#[test]
fn a_result_of_another_slot_is_never_credited() {
    let mut duel = xy(Some("silence"));
    duel.drive(7);
    duel.until(5_000, "a turn", |d| !d.board.turns().is_empty());
    let foreign = crate::board::xy_v3::wire::frame(0x04, &[9, 2, 0, 8]);
    duel.to_driver.push_back((duel.now, foreign));
    duel.until(30_000, "the end", |d| d.intents[0].is_resolved());
    assert!(duel.intents[0].unproven);
    assert!(duel.findings.contains(&Finding::Fault(LineFault::Unexpected)));
}

/// Bytes that look like frames and break them: heads, codes and lengths of both families are frequent.
fn noise() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let whole = prop_oneof![
        (any::<u8>(), prop::sample::select(vec![0x02, 0x03, 0xFF]), 0u8..9)
            .prop_map(|(pack_no, code, slot)| wire::frame(wire::DISPENSING, &[pack_no, code, 0, slot])),
        any::<u8>().prop_map(|pack_no| wire::frame(wire::SYNC, &[pack_no])),
        prop::collection::vec(any::<u8>(), 0..45).prop_map(|text| wire::frame(0x52, &text)),
        Just(wire::frame(wire::POLL, &[])),
        Just(wire::frame(wire::ACK, &[])),
        Just(tcn_00ff::reply(0, true, 0, 0xAA).to_vec()),
        prop::collection::vec(any::<u8>(), 1..20),
        (any::<u8>(), any::<u8>()).prop_map(|(command, len)| vec![0xFA, 0xFB, command, len]),
    ];
    (prop::collection::vec(whole, 1..40), prop::collection::vec(1usize..12, 1..20)).prop_map(|(frames, cuts)| {
        let bytes = frames.concat();
        let mut rest = bytes.as_slice();
        let mut pieces = Vec::new();
        for n in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at(n.min(rest.len()));
            pieces.push(piece.to_vec());
            rest = later;
        }
        pieces
    })
}

proptest! {
    #[test]
    fn no_bytes_in_any_cut_are_an_outcome_when_no_command_was_written(
        pieces in noise(), gap_ms in 0u64..300, waiting in any::<bool>(),
    ) {
        for name in ["tcn-00ff", "xy-v3"] {
            let mut driver = driver_for(&profile(name));
            driver.opened(BootMs(0));
            if waiting {
                // Given to the line, and how the write ended is not known: nothing can answer it yet.
                driver.drive(BootMs(0), &command(7), &Reference(vec![1]));
            }
            let mut now = BootMs(0);
            for piece in &pieces {
                now = now.plus_ms(gap_ms);
                driver.received(now, now, piece);
                while let Some(at) = driver.deadline().filter(|&at| at <= now) {
                    driver.wake(now);
                    prop_assert!(driver.deadline() != Some(at), "spins at {at:?}");
                }
                let mut motors = 0;
                while let Some(output) = driver.next_output() {
                    match output {
                        Output::Finding(Finding::Outcome(_) | Finding::Late { .. }) => {
                            prop_assert!(false, "{name}: {output:?}");
                        }
                        Output::Write(write) if write.motor => motors += 1,
                        _ => {}
                    }
                }
                prop_assert!(motors <= usize::from(waiting));
            }
        }
    }

    #[test]
    fn no_bytes_make_a_command_end_twice_or_be_written_twice(pieces in noise(), gap_ms in 0u64..300) {
        for name in ["tcn-00ff", "xy-v3"] {
            let mut driver = driver_for(&profile(name));
            driver.opened(BootMs(0));
            driver.drive(BootMs(0), &command(7), &Reference(vec![1]));
            let (mut now, mut ends, mut motors) = (BootMs(0), 0, 0);
            for piece in pieces.iter().map(Vec::as_slice).chain([&[0; 0][..]]) {
                now = now.plus_ms(gap_ms);
                driver.received(now, now, piece);
                driver.release(now);
                while let Some(output) = driver.next_output() {
                    match output {
                        Output::Finding(Finding::Outcome(_) | Finding::NotTaken(_) | Finding::Unproven(_)) => {
                            ends += 1;
                        }
                        Output::Write(write) if write.motor => {
                            motors += 1;
                            driver.motor_written(now, Written::All);
                        }
                        _ => {}
                    }
                }
            }
            prop_assert!(ends <= 1 && motors <= 1, "{name}: {ends} ends, {motors} motor commands");
        }
    }
}
