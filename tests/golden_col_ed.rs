//! The documented frames of the EasiVend column boards. If this fails, do not change the test: these are the bytes that
//! real boards speak, and the code is wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/golden.rs"]
mod golden;

use golden::{Line, assert_answers, assert_only_the_good_frame_answers, hex, profile};
use vend::board::col_ed::{STATE, VEND, reply, request};
use vend::board::driver::{Address, Finding, LineFault, LineState, Slot};
use vend::board::frame::xor8;
use vend::board::service::{Reading, Service};
use vend::order::outcome::{DropSensor, Evidence, Motor};
use vend::order::said::Said;

const VEND_10: &str = "ED 08 01 70 0A 00 01 9F";
const BUSY_10: &str = "EE 08 01 70 0A 02 00 9F";
const OK_10: &str = "EE 08 01 70 0A 00 00 9D";
const FAILED_SENSOR_10: &str = "EE 08 01 70 0A 81 00 1C";
const STATE_10: &str = "ED 08 02 71 0A 00 00 9C";

// Built from the documented layout.
const STATE_1: &str = "ED 08 02 71 01 00 00 97";
const STATE_1_OK: &str = "EE 08 02 71 01 00 00 94";
const VEND_10_UNARMED: &str = "ED 08 01 70 0A 00 00 9E";
const FAILED_10: &str = "EE 08 01 70 0A 01 00 9C";
const FAULT_10: &str = "EE 08 01 70 0A 11 00 8C";
const SENSOR_10: &str = "EE 08 01 70 0A 80 00 1D";
const STATE_10_AGAIN: &str = "ED 08 04 71 0A 00 00 9A";
const STATE_10_BUSY: &str = "EE 08 04 71 0A 02 00 9B";
const STATE_10_OK: &str = "EE 08 04 71 0A 00 00 99";
const STATE_10_FAULT: &str = "EE 08 04 71 0A 10 00 89";
const STATE_10_SENSOR: &str = "EE 08 04 71 0A 80 00 19";
const STATE_10_EMPTY: &str = "EE 08 04 71 0A 08 00 91";
const NEXT_VEND_10: &str = "ED 08 03 70 0A 00 01 9D";
const NEXT_BUSY_10: &str = "EE 08 03 70 0A 02 00 9D";
const NEXT_OK_10: &str = "EE 08 03 70 0A 00 00 9F";
const NEXT_FAILED_10: &str = "EE 08 03 70 0A 01 00 9E";

fn idle() -> Line {
    let mut line = Line::open(&profile("col-ed"));
    line.talk(&[(STATE_1, STATE_1_OK)]);
    assert_eq!(line.driver.state(), LineState::Idle);
    line
}

#[test]
fn every_documented_frame_has_a_good_check_and_is_made_as_documented() {
    for frame in [VEND_10, BUSY_10, OK_10, FAILED_SENSOR_10, STATE_10] {
        assert_eq!(xor8(&hex(frame)), 0, "{frame}");
    }
    assert_eq!(request(1, VEND, 10, true).to_vec(), hex(VEND_10));
    assert_eq!(request(2, STATE, 10, false).to_vec(), hex(STATE_10));
    assert_eq!(reply(1, VEND, 10, 0x81).to_vec(), hex(FAILED_SENSOR_10));
}

#[test]
fn a_column_is_driven_with_the_documented_frames() {
    for (armed, result, motor, drop_sensor) in [
        (true, OK_10, Motor::Ok, DropSensor::Seen),
        (false, OK_10, Motor::Ok, DropSensor::None),
        (true, FAILED_10, Motor::Ok, DropSensor::NotSeen),
        (false, FAILED_10, Motor::Timeout, DropSensor::None),
        (true, FAULT_10, Motor::Timeout, DropSensor::NotSeen),
        (true, FAILED_SENSOR_10, Motor::Timeout, DropSensor::None),
        (true, SENSOR_10, Motor::Ok, DropSensor::None),
    ] {
        let mut line = idle();
        line.drive(10, armed);
        line.talk(&[(if armed { VEND_10 } else { VEND_10_UNARMED }, OK_10), (STATE_10_AGAIN, STATE_10_BUSY)]);
        assert_eq!(line.found(), [Finding::Taken, Finding::Progress(1)], "the first answer is no result");
        line.say(result);
        let outcome = Finding::Outcome(Evidence { motor, drop_sensor });
        assert_eq!(line.found(), [outcome], "{result} {armed}");
        assert_eq!(line.driver.state(), LineState::Held);
    }
}

#[test]
fn a_board_that_says_busy_first_may_still_be_at_it() {
    let mut line = idle();
    line.drive(10, true);
    line.talk(&[(VEND_10, BUSY_10), (STATE_10_AGAIN, STATE_10_BUSY)]);
    line.say(OK_10);
    let sold = Finding::Outcome(Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen });
    assert_eq!(line.found(), [Finding::Progress(1), sold]);
}

#[test]
fn an_answer_with_another_number_or_column_is_not_the_commands() {
    let mut line = idle();
    line.drive(10, true);
    line.talk(&[(VEND_10, OK_10)]);
    line.expect(STATE_10_AGAIN);
    for foreign in [NEXT_OK_10, "EE 08 01 70 0B 00 00 9C", NEXT_FAILED_10] {
        line.say(foreign);
    }
    assert_eq!(line.found(), [Finding::Taken]);
    // A bad check.
    line.say("EE 08 01 70 0A 00 00 9C");
    assert_eq!(line.found(), []);
    assert_eq!(line.driver.state(), LineState::Busy);
}

#[test]
fn the_state_of_a_column_is_asked_with_the_documented_frame() {
    let (address, slot) = (Address::new(1).unwrap(), Slot(10));
    for (answer, reading) in [
        (STATE_10_OK, Reading::SlotReady),
        (STATE_10_EMPTY, Reading::SlotEmpty),
        (STATE_10_FAULT, Reading::faulty(Said::new("fault 1 of the column", "货道故障 1"))),
        (STATE_10_SENSOR, Reading::faulty(Said::new("the drop sensor is out of order", "掉货传感器故障"))),
    ] {
        let mut line = idle();
        let service = Service::SlotState { address, slot };
        assert!(line.driver.serves(&service));
        line.driver.serve(line.now, &service);
        line.talk(&[(STATE_10_AGAIN, answer)]);
        assert_eq!(line.found(), [Finding::Served(Ok(reading))]);
    }
    assert!(!idle().driver.serves(&Service::Reset { address }));
    assert!(!idle().driver.serves(&Service::Door { address }));
}

#[test]
fn only_a_good_frame_with_the_number_of_the_question_answers() {
    assert_only_the_good_frame_answers(
        &profile("col-ed"),
        &[],
        STATE_1,
        STATE_1_OK,
        &[
            // Short, a flipped check, a flipped byte, another number, another column, another command, the host's head,
            // another length.
            "EE 08 02 71 01 00 00",
            "EE 08 02 71 01 00 00 95",
            "EE 08 02 71 01 01 00 94",
            "EE 08 04 71 01 00 00 92",
            "EE 08 02 71 02 00 00 97",
            "EE 08 02 70 01 00 00 95",
            STATE_1,
            "EE 07 02 71 01 00 00 9B",
        ],
    );
    let mut line = Line::open(&profile("col-ed"));
    line.expect(STATE_1);
    line.say("EE 08 04 71 01 00 00 92");
    assert_eq!(line.found(), [Finding::Fault(LineFault::Unexpected)]);
}

#[test]
fn the_emulated_board_answers_as_documented() {
    assert_answers(
        &profile("col-ed"),
        "no-drop@2",
        2_000,
        &[
            (0, STATE_1, &[STATE_1_OK]),
            (0, "ED 08 01 70 0A 00 01 9E", &[]),
            (1_000, VEND_10, &[OK_10]),
            (1_100, STATE_10_AGAIN, &[STATE_10_BUSY]),
            (1_200, NEXT_VEND_10, &[NEXT_BUSY_10]),
            (3_000, "", &[OK_10]),
            // It is told once.
            (4_000, "", &[]),
            (4_000, STATE_10_AGAIN, &[STATE_10_OK]),
            (4_000, NEXT_VEND_10, &[NEXT_OK_10]),
            (6_000, "", &[NEXT_FAILED_10]),
        ],
    );
}
