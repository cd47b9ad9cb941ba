//! The published frames of the Vendapin dispensers. If this fails, do not change the test: these are the bytes that real
//! boards speak, and the code is wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/golden.rs"]
mod golden;

use golden::{Line, assert_answers, assert_only_the_good_frame_answers, hex, profile};
use vend::board::driver::{Finding, LineFault, LineState, Output};
use vend::board::frame::xor8;
use vend::board::vendapin::is_one_more;
use vend::order::outcome::{DropSensor, Evidence, Motor, Reason};

const DISPENSE: &str = "02 01 80 00 03 80";
const STATUS: &str = "02 01 81 00 03 81";
const COUNT: &str = "02 01 82 00 03 82";
const BANNER: &str = "56 45 4E 44 41 50 49 4E 0D";

// Built from the published layout.
const ACK: &str = "02 01 06 00 03 06";
const NAK: &str = "02 01 15 00 03 15";
const READY: &str = "02 01 06 01 30 03 37";
const BUSY: &str = "02 01 15 01 31 03 25";
const EMPTY: &str = "02 01 15 01 32 03 26";
const STUCK: &str = "02 01 15 01 33 03 27";
const CARD_HELD: &str = "02 01 15 01 34 03 20";
const LOW: &str = "02 01 06 01 37 03 30";
const MISHEARD: &str = "02 01 FF 00 03 FF";
const UNKNOWN: &str = "02 01 FE 00 03 FE";
const COUNT_254: &str = "02 01 06 04 00 00 00 FE 03 FC";
const COUNT_255: &str = "02 01 06 04 00 00 00 FF 03 FD";
const COUNT_256: &str = "02 01 06 04 00 00 01 00 03 03";

fn idle() -> Line {
    let mut line = Line::open(&profile("vendapin"));
    line.talk(&[(STATUS, READY), (COUNT, COUNT_254)]);
    assert_eq!(line.driver.state(), LineState::Idle);
    line
}

fn dispensed(drop_sensor: DropSensor) -> Finding {
    Finding::Outcome(Evidence { motor: Motor::Ok, drop_sensor })
}

#[test]
fn every_published_frame_has_a_good_check() {
    for frame in [DISPENSE, STATUS, COUNT, ACK, NAK, READY, BUSY, EMPTY, STUCK, CARD_HELD, LOW, COUNT_256] {
        let bytes = hex(frame);
        let (check, body) = bytes.split_last().unwrap();
        assert_eq!(xor8(body), *check, "{frame}");
    }
    assert_eq!(hex(BANNER), b"VENDAPIN\r");
}

#[test]
fn a_card_is_dispensed_with_the_published_frames_and_the_counter_decides() {
    for (drop_check, pictures, drop_sensor) in [
        (true, [CARD_HELD, CARD_HELD], DropSensor::Seen),
        (false, [CARD_HELD, CARD_HELD], DropSensor::None),
        (true, [READY, READY], DropSensor::None),
        // Plain acknowledgements are *ready* too.
        (true, [ACK, ACK], DropSensor::None),
        (true, [LOW, LOW], DropSensor::None),
        (true, [EMPTY, EMPTY], DropSensor::None),
    ] {
        let mut line = idle();
        line.drive(1, drop_check);
        line.talk(&[(STATUS, READY), (COUNT, COUNT_254), (DISPENSE, ACK)]);
        line.talk(&[(STATUS, BUSY), (COUNT, COUNT_254), (STATUS, BUSY), (COUNT, COUNT_255)]);
        assert_eq!(line.found(), [Finding::Taken, Finding::Progress(1)]);
        line.talk(&[(STATUS, pictures[0]), (COUNT, COUNT_255)]);
        assert_eq!(line.found(), [], "one picture is not two");
        line.talk(&[(STATUS, pictures[1]), (COUNT, COUNT_255)]);
        assert_eq!(line.found(), [dispensed(drop_sensor)], "{pictures:?}");
        line.driver.release(line.now);
    }
}

#[test]
fn a_late_yes_to_the_dispense_is_not_taken_for_a_status() {
    let mut line = idle();
    line.drive(1, true);
    line.talk(&[(STATUS, READY), (COUNT, COUNT_254)]);
    line.expect(DISPENSE);
    // No answer in time; then it comes as if it were the answer to the status.
    line.talk(&[(STATUS, ACK), (COUNT, COUNT_255), (STATUS, STUCK), (COUNT, COUNT_255), (STATUS, STUCK)]);
    line.talk(&[(COUNT, COUNT_255)]);
    let stuck = Evidence { motor: Motor::OverCurrent, drop_sensor: DropSensor::None };
    assert_eq!(line.found().last(), Some(&Finding::Outcome(stuck)));
}

/// How a vend ends whose board says *stuck* and counts nothing; one question may be left unanswered.
fn stuck(mut unanswered: Option<&str>) -> Finding {
    let mut line = idle();
    line.drive(1, true);
    line.talk(&[(STATUS, READY), (COUNT, COUNT_254), (DISPENSE, ACK)]);
    loop {
        while let Some(output) = line.driver.next_output() {
            match output {
                Output::Write(write) if unanswered.take_if(|u| write.bytes == hex(u)).is_some() => {}
                Output::Write(write) if write.bytes == hex(STATUS) => line.say(STUCK),
                Output::Write(_) => line.say(COUNT_254),
                Output::Finding(end @ (Finding::Outcome(_) | Finding::Unproven(_))) => return end,
                Output::Finding(_) => {}
            }
        }
        line.now = line.now.max(line.driver.deadline().unwrap());
        line.driver.wake(line.now);
    }
}

#[test]
fn a_card_that_sticks_is_told_only_by_a_board_that_was_heard_all_the_time() {
    let evidence = Evidence { motor: Motor::OverCurrent, drop_sensor: DropSensor::NotSeen };
    assert_eq!(stuck(None), Finding::Outcome(evidence));
    for question in [STATUS, COUNT] {
        assert!(matches!(stuck(Some(question)), Finding::Unproven(_)), "{question}: it may have forgotten a count");
    }
}

#[test]
fn no_answer_to_the_dispense_but_a_picture_ends_it() {
    for answer in [NAK, BUSY, EMPTY, MISHEARD, UNKNOWN] {
        let mut line = idle();
        line.drive(1, true);
        line.talk(&[(STATUS, READY), (COUNT, COUNT_254), (DISPENSE, answer), (STATUS, READY), (COUNT, COUNT_255)]);
        assert_eq!(line.found(), [], "{answer}");
        line.talk(&[(STATUS, READY), (COUNT, COUNT_255)]);
        assert_eq!(line.found(), [dispensed(DropSensor::None)], "{answer}");
    }
}

#[test]
fn a_counter_that_jumps_proves_nothing() {
    for count in [COUNT_256, "02 01 06 04 00 00 00 00 03 02", "02 01 06 02 00 FF 03 FB"] {
        let mut line = idle();
        line.drive(1, true);
        line.talk(&[(STATUS, READY), (COUNT, COUNT_254), (DISPENSE, ACK), (STATUS, READY), (COUNT, count)]);
        assert!(matches!(line.found()[..], [Finding::Taken, Finding::Unproven(_)]), "{count}");
    }
}

#[test]
fn a_dispenser_that_is_not_ready_is_not_commanded() {
    for status in [EMPTY, STUCK, "02 01 15 01 35 03 21", "02 01 15 01 36 03 22"] {
        let mut line = idle();
        line.drive(1, true);
        line.talk(&[(STATUS, status), (COUNT, COUNT_254)]);
        assert_eq!(line.found(), [Finding::NotTaken(Reason::Busy)], "{status}");
    }
}

#[test]
fn the_banner_tells_of_a_restart_and_the_counter_alone_then_proves() {
    for (after, proof) in [(COUNT_255, true), (COUNT_254, false)] {
        let mut line = idle();
        line.drive(1, true);
        line.talk(&[(STATUS, READY), (COUNT, COUNT_254), (DISPENSE, ACK)]);
        line.say(BANNER);
        assert_eq!(line.found(), [Finding::Taken, Finding::BoardRestarted]);
        line.talk(&[(STATUS, READY), (COUNT, after), (STATUS, READY), (COUNT, after)]);
        match &line.found()[..] {
            [Finding::Outcome(_)] if proof => {}
            [Finding::Unproven(_)] if !proof => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_counter_goes_up_by_one_in_either_byte_order_and_only_by_one() {
    for (before, now, is_more) in [
        (&[0, 0, 0, 0xFF][..], &[0, 0, 1, 0][..], true),
        (&[0xFF, 0, 0, 0], &[0, 1, 0, 0], true),
        (&[7], &[8], true),
        (&[0xFF], &[0], false),
        (&[0xFF; 8], &[0; 8], false),
        (&[0, 7], &[8], false),
        (&[0, 7], &[0, 7], false),
        (&[0, 7], &[0, 9], false),
        (&[0, 8], &[0, 7], false),
        (&[], &[], false),
        (&[0; 9], &[0, 0, 0, 0, 0, 0, 0, 0, 1], false),
    ] {
        assert_eq!(is_one_more(before, now), is_more, "{before:02x?} {now:02x?}");
    }
}

#[test]
fn only_a_good_frame_of_the_asked_board_answers() {
    assert_only_the_good_frame_answers(
        &profile("vendapin"),
        &[(STATUS, READY)],
        COUNT,
        COUNT_254,
        &[
            // Short, a flipped check, a flipped byte, no end, another board, no data, too much of it, a no, the
            // question itself, a status.
            "02 01 06 04 00 00 00 FE 03",
            "02 01 06 04 00 00 00 FE 03 FD",
            "02 01 06 04 00 01 00 FE 03 FC",
            "02 01 06 04 00 00 00 FE 04 FB",
            "02 02 06 04 00 00 00 FE 03 FF",
            ACK,
            "02 01 06 09 00 00 00 00 00 00 00 00 01 03 0E",
            "02 01 15 04 00 00 00 FE 03 EF",
            COUNT,
            BUSY,
        ],
    );
}

#[test]
fn a_frame_with_a_bad_check_is_told() {
    let mut line = Line::open(&profile("vendapin"));
    line.talk(&[(STATUS, "02 01 06 01 30 03 38"), (STATUS, READY), (COUNT, COUNT_254)]);
    assert!(line.found().contains(&Finding::Fault(LineFault::BadCheck)));
    assert_eq!(line.driver.state(), LineState::Idle);
}

#[test]
fn the_emulated_board_answers_as_published() {
    assert_answers(
        &profile("vendapin"),
        "no-drop@2",
        2_000,
        &[
            (0, STATUS, &[READY]),
            (0, COUNT, &[COUNT_254]),
            (0, "02 01 81 00 03 82", &[MISHEARD]),
            (0, "02 01 70 00 03 70", &[UNKNOWN]),
            (0, "02 02 81 00 03 82", &[]),
            (1_000, DISPENSE, &[READY]),
            (1_100, DISPENSE, &[BUSY]),
            (1_200, STATUS, &[BUSY]),
            (3_100, STATUS, &[CARD_HELD]),
            (3_100, COUNT, &[COUNT_255]),
            (4_100, STATUS, &[READY]),
            (5_000, DISPENSE, &[READY]),
            (7_000, STATUS, &[EMPTY]),
            (7_000, COUNT, &[COUNT_255]),
        ],
    );
}
