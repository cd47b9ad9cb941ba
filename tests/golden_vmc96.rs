//! The published frames of the VMC96. If this fails, do not change the test: these are the bytes that real boards speak,
//! and the code is wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/golden.rs"]
mod golden;

use golden::{Line, assert_answers, assert_only_the_good_frame_answers, command, hex, profile};
use vend::board::driver::{Address, Finding, LineState};
use vend::board::frame::xor8;
use vend::board::protocol::Turn;
use vend::board::service::{Device, Reading, Service};
use vend::board::vmc96::{Limits, Picture, judge, motor};
use vend::board::words::{Seen, Verdict};
use vend::order::outcome::{DropSensor, Evidence, Motor, Reason};

const RUN_0: &str = "35 30 06 13 11 01";
const STOP: &str = "35 30 05 12 12";
const ACK: &str = "35 30 05 00 00";

// Built from the published layout.
const STATUS: &str = "35 30 05 10 10";
const ALL_STILL: &str = "35 30 06 10 00 13";
const TURNING_0: &str = "35 30 07 10 3C 11 3F";
const TURNING_0_DRAWS_NOTHING: &str = "35 30 07 10 00 11 03";
const CURTAIN: &str = "35 30 05 15 15";
const CLEAR: &str = "35 30 09 15 00 00 00 00 19";
const FELL: &str = "35 30 09 15 00 10 00 00 09";
const RUN_95: &str = "35 30 06 13 8C 9C";
const NOT_DONE: &str = "35 30 05 FF FF";
const VERSION: &str = "35 30 05 02 02";
const VERSION_REPLY: &str = "35 30 0E 02 56 4D 43 39 36 20 31 2E 30 51";
const PING: &str = "35 30 05 00 00";
const LIGHT_ON: &str = "35 26 06 11 01 05";
const HEATER_OFF: &str = "35 27 06 11 00 05";
const RELAY_1_ACK: &str = "35 26 05 00 16";
const RELAY_2_ACK: &str = "35 27 05 00 17";

fn idle() -> Line {
    let mut line = Line::open(&profile("vmc96"));
    line.talk(&[(STOP, ACK), (STATUS, ALL_STILL), (CURTAIN, CLEAR)]);
    assert_eq!(line.driver.state(), LineState::Idle);
    line
}

fn driven(slot: u16, run: &str) -> Line {
    let mut line = idle();
    line.drive(slot, true);
    line.talk(&[(STATUS, ALL_STILL), (CURTAIN, CLEAR), (run, ACK)]);
    line
}

#[test]
fn every_published_frame_has_a_good_check() {
    for frame in [RUN_0, STOP, ACK, STATUS, TURNING_0, FELL, VERSION_REPLY, LIGHT_ON, RELAY_2_ACK] {
        let bytes = hex(frame);
        let (check, body) = bytes.split_last().unwrap();
        assert_eq!((xor8(body), bytes.len()), (*check, usize::from(bytes[2])), "{frame}");
    }
}

#[test]
fn a_motor_runs_with_the_published_frames_and_is_stopped_when_goods_fell() {
    let mut line = driven(0, RUN_0);
    line.talk(&[(STATUS, TURNING_0), (CURTAIN, CLEAR), (STATUS, TURNING_0), (CURTAIN, FELL)]);
    assert_eq!(line.found(), [Finding::Taken, Finding::Progress(1)]);
    line.talk(&[(STOP, ACK), (STATUS, ALL_STILL), (CURTAIN, FELL)]);
    let seen = Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen };
    assert_eq!(line.found(), [Finding::Outcome(seen)]);
    line.driver.release(line.now);
    // Not idle before nothing could be taken for the next command's goods.
    line.talk(&[(STOP, ACK), (STATUS, ALL_STILL), (CURTAIN, FELL)]);
    assert_eq!(line.driver.state(), LineState::Settling);
    line.talk(&[(STOP, ACK), (STATUS, ALL_STILL), (CURTAIN, CLEAR)]);
    assert_eq!(line.driver.state(), LineState::Idle);
}

#[test]
fn a_motor_that_does_not_stop_is_told_again_until_it_does() {
    let mut line = driven(0, RUN_0);
    line.talk(&[(STATUS, TURNING_0), (CURTAIN, FELL)]);
    line.expect(STOP);
    // No answer; then one that was not true.
    line.talk(&[(STOP, ACK), (STATUS, TURNING_0), (CURTAIN, FELL), (STOP, ACK), (STATUS, ALL_STILL), (CURTAIN, FELL)]);
    assert!(matches!(line.found().last(), Some(Finding::Outcome(_))));
}

#[test]
fn the_last_slot_has_its_motor() {
    driven(95, RUN_95);
    for (slot, id) in [(0, 0x11), (11, 0x1C), (12, 0x21), (95, 0x8C)] {
        assert_eq!(motor(slot), id, "{slot}");
    }
}

#[test]
fn another_answer_than_yes_is_no_refusal() {
    let mut line = idle();
    line.drive(0, true);
    line.talk(&[(STATUS, ALL_STILL), (CURTAIN, CLEAR), (RUN_0, NOT_DONE), (STATUS, TURNING_0), (CURTAIN, FELL)]);
    line.talk(&[(STOP, ACK), (STATUS, ALL_STILL), (CURTAIN, FELL)]);
    assert!(matches!(line.found()[..], [Finding::Outcome(_)]));
}

#[test]
fn a_curtain_that_is_not_clear_drives_nothing() {
    let mut line = idle();
    line.drive(0, true);
    line.talk(&[(STATUS, ALL_STILL), (CURTAIN, FELL)]);
    assert_eq!(line.found(), [Finding::NotTaken(Reason::Busy)]);
}

/// What the host judges by, as one line of a table.
struct Case {
    armed: bool,
    turning: &'static [u8],
    has_turned: bool,
    has_drawn: bool,
    has_fallen: bool,
    has_vanished: bool,
    is_stopped: bool,
    looks_since: u16,
    since_ms: u64,
    blind_ms: u64,
}

const TURNS: Case = Case {
    armed: true,
    turning: &[0x11],
    has_turned: true,
    has_drawn: true,
    has_fallen: false,
    has_vanished: false,
    is_stopped: false,
    looks_since: 0,
    since_ms: 3_000,
    blind_ms: 300,
};
const STOPPED: Case = Case { turning: &[], is_stopped: true, looks_since: 6, since_ms: 9_000, ..TURNS };

fn verdict(case: &Case, samples_before: Option<[u8; 4]>) -> Verdict {
    let turn = Turn { slot: 0, command: command(0, case.armed) };
    let before = Picture { samples: samples_before, ..Picture::default() };
    let now = Picture {
        turning: Some(case.turning.to_vec()),
        samples: Some([0; 4]),
        has_drawn: case.has_drawn,
        has_fallen: case.has_fallen,
        has_turned: case.has_turned,
        has_vanished: case.has_vanished,
        is_stopped: case.is_stopped,
        looks_since: case.looks_since,
    };
    let seen = Seen {
        taken: true,
        turning: case.has_turned,
        restarted: false,
        resumed: false,
        cut_short: false,
        since_ms: case.since_ms,
        was_silent: false,
        is_silent: false,
        blind_ms: case.blind_ms,
        is_over: false,
    };
    judge(&turn, &before, &now, &seen, Limits { run_ms: 6_500, looks_after: 6 })
}

#[test]
fn the_judgement_of_the_curtain_is_this_table() {
    let ended = |motor, drop_sensor| Verdict::Ended(Evidence { motor, drop_sensor });
    let cannot = Verdict::CannotTell("");
    for (what, case, wanted) in [
        ("the motor turns", TURNS, Verdict::Turning),
        ("goods fell", Case { has_fallen: true, ..TURNS }, Verdict::Halt),
        ("just before the limit", Case { since_ms: 6_499, ..TURNS }, Verdict::Turning),
        ("the limit", Case { since_ms: 6_500, ..TURNS }, Verdict::Halt),
        ("the whole history was seen", Case { blind_ms: 1_280, ..TURNS }, Verdict::Turning),
        ("a drop may have been missed", Case { blind_ms: 1_281, ..TURNS }, Verdict::Halt),
        ("not yet turning", Case { turning: &[], has_turned: false, since_ms: 1_999, ..TURNS }, Verdict::Waiting),
        ("never turning", Case { turning: &[], has_turned: false, since_ms: 2_000, ..TURNS }, cannot),
        ("stopped by itself", Case { turning: &[], has_vanished: true, ..TURNS }, cannot),
        ("and then something fell", Case { turning: &[], has_vanished: true, has_fallen: true, ..TURNS }, cannot),
        ("another motor", Case { turning: &[0x12], ..TURNS }, cannot),
        ("another motor too", Case { turning: &[0x11, 0x12], ..TURNS }, cannot),
        ("stopped, and it turns", Case { turning: &[0x11], ..STOPPED }, Verdict::Halt),
        (
            "stopped, goods fell",
            Case { has_fallen: true, looks_since: 1, ..STOPPED },
            ended(Motor::Ok, DropSensor::Seen),
        ),
        ("unarmed", Case { has_fallen: true, armed: false, ..STOPPED }, ended(Motor::Ok, DropSensor::None)),
        ("may still fall", Case { looks_since: 5, ..STOPPED }, Verdict::Waiting),
        ("nothing fell", STOPPED, cannot),
        ("nothing fell, unarmed", Case { armed: false, ..STOPPED }, cannot),
        ("no current was seen", Case { has_drawn: false, blind_ms: 1_281, ..STOPPED }, cannot),
        ("it did after all", Case { blind_ms: 9_000, has_fallen: true, ..STOPPED }, ended(Motor::Ok, DropSensor::Seen)),
        ("no current", Case { has_drawn: false, ..STOPPED }, ended(Motor::Open, DropSensor::NotSeen)),
        (
            "no current, unarmed",
            Case { has_drawn: false, armed: false, ..STOPPED },
            ended(Motor::Open, DropSensor::None),
        ),
        ("never seen turning", Case { has_turned: false, has_fallen: true, ..STOPPED }, cannot),
    ] {
        let found = match verdict(&case, Some([0; 4])) {
            Verdict::CannotTell(_) => cannot,
            other => other,
        };
        assert_eq!(found, wanted, "{what}");
        for before in [None, Some([0, 0, 1, 0])] {
            assert!(matches!(verdict(&case, before), Verdict::CannotTell(_)), "{what}: the curtain was not clear");
        }
    }
}

#[test]
fn a_motor_without_current_is_an_open_circuit() {
    let mut line = driven(0, RUN_0);
    let driven_at = line.now;
    while line.now.since_ms(driven_at) < 6_500 {
        line.talk(&[(STATUS, TURNING_0_DRAWS_NOTHING), (CURTAIN, CLEAR)]);
    }
    line.talk(&[(STOP, ACK)]);
    for _ in 0..6 {
        line.talk(&[(STATUS, ALL_STILL), (CURTAIN, CLEAR)]);
    }
    let open = Evidence { motor: Motor::Open, drop_sensor: DropSensor::NotSeen };
    assert_eq!(line.found().last(), Some(&Finding::Outcome(open)));
}

#[test]
fn version_ping_and_relays_have_their_frames() {
    let mut line = idle();
    line.talk(&[(VERSION, VERSION_REPLY)]);
    assert_eq!(line.found(), [Finding::Identity("address 1: VMC96 1.0".to_owned())]);
    let address = Address::new(1).unwrap();
    for (service, question, answer, reading) in [
        (Service::SelfCheck { address }, PING, ACK, Reading::Healthy),
        (Service::Switch { address, device: Device::Light, on: true }, LIGHT_ON, RELAY_1_ACK, Reading::Done),
        (Service::Switch { address, device: Device::Heater, on: false }, HEATER_OFF, RELAY_2_ACK, Reading::Done),
    ] {
        line.driver.serve(line.now, &service);
        line.talk(&[(question, answer)]);
        assert_eq!(line.found(), [Finding::Served(Ok(reading))], "{service:?}");
    }
}

#[test]
fn only_a_good_frame_of_the_asked_controller_answers() {
    assert_only_the_good_frame_answers(
        &profile("vmc96"),
        &[(STOP, ACK), (STATUS, ALL_STILL)],
        CURTAIN,
        CLEAR,
        &[
            // Short, a flipped check, a flipped byte, a length of its own, another controller, a yes, another answer,
            // the question itself.
            "35 30 09 15 00 00 00 00",
            "35 30 09 15 00 00 00 00 18",
            "35 30 09 15 01 00 00 00 19",
            "35 30 08 15 00 00 00 18",
            "35 26 09 15 00 00 00 00 0F",
            ACK,
            TURNING_0,
            CURTAIN,
        ],
    );
}

#[test]
fn the_emulated_board_answers_as_published() {
    assert_answers(
        &profile("vmc96"),
        "refuse:95",
        2_000,
        &[
            (0, STATUS, &[ALL_STILL]),
            (0, CURTAIN, &[CLEAR]),
            (0, VERSION, &[VERSION_REPLY]),
            (0, PING, &[ACK]),
            (0, LIGHT_ON, &[RELAY_1_ACK]),
            (0, "35 30 05 12 13", &[]),
            (500, RUN_95, &[NOT_DONE]),
            (1_000, RUN_0, &[ACK]),
            (1_100, STATUS, &[TURNING_0]),
            (2_900, CURTAIN, &[CLEAR]),
            (3_480, CURTAIN, &[FELL]),
            (3_500, STOP, &[ACK]),
            (3_600, STATUS, &[ALL_STILL]),
            (4_300, CURTAIN, &[CLEAR]),
        ],
    );
}
