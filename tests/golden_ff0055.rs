//! The documented frames of the `FF 00 55` / `FF 00 AA` control board. If this fails, do not change the test: these are
//! the bytes that real boards speak, and the code is wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/golden.rs"]
mod golden;

use golden::{Line, assert_answers, assert_only_the_good_frame_answers, hex, profile};
use vend::board::driver::{Address, Finding, LineState, Slot};
use vend::board::ff0055::whole;
use vend::board::protocol::Fit;
use vend::board::service::{Reading, Service, ServiceError};
use vend::order::outcome::{DropSensor, Evidence, Motor};

const ID: &str = "FF 00 55 31 01 AD 34";
const VEND_5: &str = "FF 00 55 41 02 05 01 9E";
const VEND_5_DONE: &str = "FF 00 AA 41 02 05 01 F3";
const RESULT_5: &str = "FF 00 55 E1 02 05 01 3E";
const SUCCESS: &str = "FF 00 AA E1 01 01 8D";
const MOTOR_FAILED: &str = "FF 00 AA E1 01 02 8E";
const EYE_FAILED: &str = "FF 00 AA E1 01 03 8F";
const CLEAR: &str = "FF 00 55 A2 01 FF F7";
const CLEAR_DONE: &str = "FF 00 AA A2 01 01 4E";

// Built from the documented layout.
const NAME: &str = "FF 00 AA 31 0F 56 4D 43 2D 30 30 30 31 32 33 2D 56 31 2E 30 35";
const AMOUNT: &str = "FF 00 AA E1 04 01 00 00 00 90";
const UNEXPLAINED: &str = "FF 00 AA E1 01 09 95";
const VEND_6_DONE: &str = "FF 00 AA 41 02 06 01 F4";
const CLEAR_REFUSED: &str = "FF 00 AA A2 01 02 4F";

fn idle() -> Line {
    let mut line = Line::open(&profile("ff0055"));
    line.talk(&[(ID, NAME), (ID, NAME)]);
    assert_eq!(line.driver.state(), LineState::Idle);
    assert_eq!(line.found(), [Finding::Identity("address 1: VMC-000123-V1.0".to_owned())]);
    line
}

#[test]
fn every_documented_frame_has_a_good_check_sum() {
    for frame in [ID, VEND_5, RESULT_5, CLEAR] {
        assert_eq!(whole(0x55, &hex(frame)), Fit::Whole(hex(frame).len()), "{frame}");
    }
    for frame in [VEND_5_DONE, SUCCESS, MOTOR_FAILED, EYE_FAILED, CLEAR_DONE] {
        assert_eq!(whole(0xAA, &hex(frame)), Fit::Whole(hex(frame).len()), "{frame}");
    }
}

#[test]
fn a_slot_is_driven_with_the_documented_frames_and_another_result_is_known_at_once() {
    let mut line = idle();
    let outcome = |motor, drop_sensor| Finding::Outcome(Evidence { motor, drop_sensor });
    let mut ends = Vec::new();
    for answer in [MOTOR_FAILED, SUCCESS, EYE_FAILED] {
        line.drive(5, true);
        line.talk(&[(VEND_5, VEND_5_DONE)]);
        let start = line.now;
        let mut found = Vec::new();
        while !found.iter().any(|f| matches!(f, Finding::Outcome(_))) {
            if line.driver.deadline().is_some_and(|due| due.since_ms(start) >= 10_000) {
                line.now = line.driver.deadline().unwrap();
                line.driver.wake(line.now);
            } else {
                line.talk(&[(RESULT_5, answer)]);
            }
            found.extend(line.found());
        }
        ends.push((found.last().unwrap().clone(), line.now.since_ms(start) < 10_000));
        line.driver.release(line.now);
        while line.driver.state() != LineState::Idle {
            line.talk(&[(ID, NAME)]);
        }
        line.found();
    }
    let wanted = [
        (outcome(Motor::Timeout, DropSensor::None), false),
        (outcome(Motor::Ok, DropSensor::Seen), true),
        (outcome(Motor::Ok, DropSensor::NotSeen), true),
    ];
    assert_eq!(ends, wanted);
}

#[test]
fn an_amount_of_money_or_an_unexplained_answer_is_no_result() {
    for answer in [AMOUNT, UNEXPLAINED, VEND_6_DONE] {
        let mut line = idle();
        line.drive(5, true);
        line.talk(&[(VEND_5, VEND_5_DONE)]);
        for _ in 0..5 {
            line.talk(&[(RESULT_5, answer)]);
        }
        let found = line.found();
        assert!(!found.iter().any(|f| matches!(f, Finding::Outcome(_) | Finding::NotTaken(_))), "{answer}: {found:?}");
    }
}

#[test]
fn what_stands_beside_a_vend_is_asked_with_the_documented_frames() {
    let address = Address::new(1).unwrap();
    for (answer, wanted) in [(CLEAR_DONE, Ok(Reading::Done)), (CLEAR_REFUSED, Err(ServiceError::Refused))] {
        let mut line = idle();
        let service = Service::Reset { address };
        assert!(line.driver.serves(&service));
        line.driver.serve(line.now, &service);
        line.talk(&[(CLEAR, answer)]);
        assert_eq!(line.found(), [Finding::Served(wanted)]);
    }
    assert!(!idle().driver.serves(&Service::SlotState { address, slot: Slot(5) }));
    assert!(!idle().driver.serves(&Service::SelfCheck { address }));
}

#[test]
fn only_a_good_frame_of_the_asked_kind_answers() {
    assert_only_the_good_frame_answers(
        &profile("ff0055"),
        &[],
        ID,
        NAME,
        &[
            // Short, a flipped check, a flipped byte, another command, the host's side, another head, too long a length.
            "FF 00 AA 31 0F 56 4D 43 2D 30 30 30 31 32 33 2D 56 31 2E 30",
            "FF 00 AA 31 0F 56 4D 43 2D 30 30 30 31 32 33 2D 56 31 2E 30 34",
            "FF 00 AA 31 0F 57 4D 43 2D 30 30 30 31 32 33 2D 56 31 2E 30 35",
            SUCCESS,
            CLEAR_DONE,
            ID,
            "FF 01 AA 31 0F 56 4D 43 2D 30 30 30 31 32 33 2D 56 31 2E 30 35",
            "FF 00 AA 31 FF 56 4D 43 2D 30 30 30 31 32 33 2D 56 31 2E 30 35",
        ],
    );
}

#[test]
fn the_emulated_board_answers_as_documented() {
    assert_answers(
        &profile("ff0055"),
        "jam@2 no-drop@3",
        2_000,
        &[
            (0, ID, &[NAME]),
            (0, CLEAR, &[CLEAR_DONE]),
            (0, RESULT_5, &[]),
            (0, "FF 00 55 41 02 05 01 9F", &[]),
            (1_000, VEND_5, &[VEND_5_DONE]),
            (1_100, RESULT_5, &[]),
            (1_200, VEND_5, &[]),
            (3_000, RESULT_5, &[SUCCESS]),
            (9_000, RESULT_5, &[SUCCESS]),
            (9_000, VEND_5, &[VEND_5_DONE]),
            // The old one, until the new one is there.
            (9_100, RESULT_5, &[SUCCESS]),
            (12_000, RESULT_5, &[MOTOR_FAILED]),
            (12_000, VEND_5, &[VEND_5_DONE]),
            (15_000, RESULT_5, &[EYE_FAILED]),
        ],
    );
}
