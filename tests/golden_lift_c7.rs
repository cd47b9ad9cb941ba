//! The documented frames of the EasiVend lift VMC. If this fails, do not change the test: these are the bytes that real
//! boards speak, and the code is wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/golden.rs"]
mod golden;

use golden::{Line, assert_answers, assert_only_the_good_frame_answers, hex, profile};
use vend::board::driver::{Address, Finding, LineState, Slot};
use vend::board::frame::crc16_xmodem;
use vend::board::lift_c7::{BOARD, HOST, LIGHT_ON as LIGHT, frame};
use vend::board::service::{Device, Reading, Service};
use vend::order::outcome::{DropSensor, Evidence, Motor, Reason};
use vend::order::said::Said;

const VEND_12: &str = "C7 07 40 00 82 01 02 F0 31";
const VEND_DONE: &str = "C8 05 40 00 02 B0 3F";
const RESULT: &str = "C7 05 40 00 83 54 6F";
const VENDING: &str = "C8 08 40 00 03 01 00 00 40 DA";
const SUCCESS: &str = "C8 08 40 00 03 00 00 00 77 EA";
const STUCK: &str = "C8 08 40 00 03 00 01 03 74 B8";
const STATUS: &str = "C7 05 40 00 81 74 2D";
/// Another cabinet of the same maker, with the same frame.
const OPEN_CABINET: &str = "C7 07 01 52 01 01 05 C1 B6";

// Built from the documented layout.
const RESTS: &str = "C8 07 40 00 01 00 00 0B A1";
const BUSY: &str = "C8 07 40 00 01 01 00 38 90";
const GOODS_LEFT: &str = "C8 07 40 00 01 80 00 10 39";
const FAULT_7: &str = "C8 07 40 00 01 00 07 7B 46";
const EMPTY: &str = "C8 08 40 00 03 00 01 02 64 99";
const NOT_TAKEN: &str = "C8 08 40 00 03 00 01 05 14 7E";
const RESET: &str = "C7 05 40 00 80 64 0C";
const RESET_DONE: &str = "C8 05 40 00 00 90 7D";
const LIGHT_ON: &str = "C7 05 40 00 86 04 CA";
const LIGHT_ON_DONE: &str = "C8 05 40 00 06 F0 BB";
const LIGHT_OFF: &str = "C7 05 40 00 87 14 EB";
const LIGHT_OFF_DONE: &str = "C8 05 40 00 07 E0 9A";
const INFO: &str = "C7 05 40 00 88 E5 04";
const INFO_REPLY: &str = "C8 07 40 00 08 06 0A 9E DC";
const VEND_99: &str = "C7 07 40 00 82 09 09 C8 F3";

fn idle() -> Line {
    let mut line = Line::open(&profile("lift-c7"));
    line.talk(&[(RESULT, SUCCESS), (STATUS, RESTS), (INFO, INFO_REPLY)]);
    assert_eq!(line.driver.state(), LineState::Idle);
    assert_eq!(line.found(), [Finding::Identity("address 1: lift, configuration 06 0a".to_owned())]);
    line
}

#[test]
fn every_documented_frame_has_a_good_check_sum() {
    for frame in [VEND_12, VEND_DONE, RESULT, VENDING, SUCCESS, STUCK, STATUS, OPEN_CABINET] {
        assert_eq!(crc16_xmodem(&hex(frame)), 0, "{frame}");
    }
    assert_eq!(frame(HOST, 0x40, LIGHT | 0x80, &[]), hex(LIGHT_ON));
    assert_eq!(frame(BOARD, 0x40, LIGHT, &[]), hex(LIGHT_ON_DONE));
}

#[test]
fn a_lift_is_driven_with_the_documented_frames() {
    for (result, evidence) in [
        (SUCCESS, Some(Evidence { motor: Motor::Ok, drop_sensor: DropSensor::None })),
        (STUCK, Some(Evidence { motor: Motor::OverCurrent, drop_sensor: DropSensor::NotSeen })),
        (EMPTY, Some(Evidence { motor: Motor::Ok, drop_sensor: DropSensor::NotSeen })),
        (NOT_TAKEN, None),
    ] {
        let mut line = idle();
        line.drive(12, true);
        line.talk(&[(RESULT, SUCCESS), (STATUS, RESTS), (VEND_12, VEND_DONE)]);
        line.talk(&[(RESULT, VENDING), (STATUS, BUSY), (RESULT, result), (STATUS, RESTS)]);
        let found = line.found();
        let (end, begin) = found.split_last().unwrap();
        assert_eq!(begin, [Finding::Taken, Finding::Progress(1)], "{result}");
        let Some(evidence) = evidence else {
            assert!(matches!(end, Finding::Unproven(_)), "{end:?}");
            continue;
        };
        assert_eq!(*end, Finding::Outcome(evidence), "{result}");
        assert_eq!(line.driver.deadline(), None, "nothing is asked while the result is not durable");
        line.driver.release(line.now);
        assert_eq!(line.driver.state(), LineState::Idle);
    }
}

#[test]
fn a_result_without_a_sight_of_the_vend_is_none() {
    let mut line = idle();
    line.drive(12, true);
    line.talk(&[(RESULT, SUCCESS), (STATUS, RESTS), (VEND_12, VEND_DONE)]);
    line.talk(&[(RESULT, STUCK), (STATUS, RESTS), (RESULT, STUCK), (STATUS, RESTS), (RESULT, STUCK), (STATUS, RESTS)]);
    assert!(matches!(line.found()[..], [Finding::Taken, Finding::Unproven(_)]));
}

#[test]
fn a_lift_that_could_not_vend_is_not_driven() {
    for status in [BUSY, GOODS_LEFT, FAULT_7] {
        let mut line = idle();
        line.drive(12, true);
        line.talk(&[(RESULT, SUCCESS), (STATUS, status)]);
        assert_eq!(line.found(), [Finding::NotTaken(Reason::Busy)], "{status}");
    }
}

#[test]
fn what_stands_beside_a_vend_is_asked_with_the_documented_frames() {
    let address = Address::new(1).unwrap();
    let served = |service: Service, question: &str, answer: &str| {
        let mut line = idle();
        assert!(line.driver.serves(&service));
        line.driver.serve(line.now, &service);
        line.talk(&[(question, answer)]);
        line.found()
    };
    let done = [Finding::Served(Ok(Reading::Done))];
    let light = |on| Service::Switch { address, device: Device::Light, on };
    assert_eq!(served(light(true), LIGHT_ON, LIGHT_ON_DONE), done);
    assert_eq!(served(light(false), LIGHT_OFF, LIGHT_OFF_DONE), done);
    assert_eq!(served(Service::Reset { address }, RESET, RESET_DONE), done);
    let check = Service::SelfCheck { address };
    let faulty = |en: &str, zh: &str| Finding::Served(Ok(Reading::faulty(Said::new(en, zh))));
    assert_eq!(served(check, STATUS, RESTS), [Finding::Served(Ok(Reading::Healthy))]);
    assert_eq!(served(check, STATUS, FAULT_7), [faulty("fault 7", "故障 7")]);
    assert_eq!(served(check, STATUS, GOODS_LEFT), [faulty("goods lie in the pick-up box", "取货口内有货")]);
    for other in [
        Service::Door { address },
        Service::Switch { address, device: Device::Cooler, on: true },
        Service::SlotState { address, slot: Slot(12) },
    ] {
        assert!(!idle().driver.serves(&other), "{other:?}");
    }
}

#[test]
fn only_a_good_frame_of_the_asked_board_answers() {
    assert_only_the_good_frame_answers(
        &profile("lift-c7"),
        &[(RESULT, SUCCESS)],
        STATUS,
        RESTS,
        &[
            // Short, a flipped check, a flipped byte, another command, the host's own head, too long a length.
            "C8 07 40 00 01 00 00 0B",
            "C8 07 40 00 01 00 00 0B A0",
            "C8 07 40 00 01 00 01 0B A1",
            SUCCESS,
            VEND_DONE,
            STATUS,
            "C8 FF 40 00 01 00 00 0B A1",
            "C8 04 40 00 01 00 00 0B A1",
        ],
    );
    assert_only_the_good_frame_answers(
        &profile("lift-c7"),
        &[(RESULT, STUCK)],
        STATUS,
        RESTS,
        // Another board.
        &["C8 08 41 00 03 00 00 00 32 4A"],
    );
}

#[test]
fn the_emulated_board_answers_as_documented() {
    assert_answers(
        &profile("lift-c7"),
        "jam@2",
        2_000,
        &[
            (0, INFO, &[INFO_REPLY]),
            (0, LIGHT_ON, &[LIGHT_ON_DONE]),
            (0, LIGHT_OFF, &[LIGHT_OFF_DONE]),
            (0, RESET, &[RESET_DONE]),
            (0, STATUS, &[RESTS]),
            (0, RESULT, &[SUCCESS]),
            (0, OPEN_CABINET, &[]),
            (1_000, VEND_12, &[VEND_DONE]),
            (1_100, RESULT, &[VENDING]),
            (1_100, STATUS, &[BUSY]),
            (1_200, VEND_12, &[]),
            (1_200, RESET, &[]),
            (3_000, RESULT, &[SUCCESS]),
            // It stays as often as it is read, until the next command that is taken.
            (9_000, RESULT, &[SUCCESS]),
            (9_000, VEND_99, &[VEND_DONE]),
            (9_100, RESULT, &[VENDING]),
            (12_000, RESULT, &[STUCK]),
            (12_000, STATUS, &[RESTS]),
        ],
    );
}
