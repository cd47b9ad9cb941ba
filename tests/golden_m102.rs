//! The documented frames of the M102, M109E and MP2404. If this fails, do not change the test: these are the bytes that
//! real boards speak, and the code is wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/golden.rs"]
mod golden;

use golden::{Line, assert_answers, assert_only_the_good_frame_answers, hex, profile};
use vend::board::driver::{Address, Finding, LineState, Slot};
use vend::board::m102::is_sealed;
use vend::board::service::{Device, Reading, Service};
use vend::order::outcome::{DropSensor, Evidence, Motor, Reason};

const ID: &str = "01 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 71 88";
/// The answer of a board that has done nothing yet is the same.
const POLL: &str = "01 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 D0 E8";
const RUN_15: &str = "01 05 0F 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 35 BC";
const RUN_15_CURTAIN: &str = "01 05 0F 03 01 00 00 00 00 00 00 00 00 00 00 00 00 00 35 7D";
const RUN_OK: &str = "01 05 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 33 49";
const LIGHT_ON: &str = "01 08 03 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 26 2B";

// Published, and wrong.
const PROBE_WITH_SUFFIX: &str = "01 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 EA D1";
const RUN_15_WRONG: &str = "01 05 0F 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 3F C9";

// Built from the documented layout.
const NOTHING_DONE: &str = POLL;
const RUNNING_15: &str = "01 03 01 0F 00 00 00 00 00 00 00 00 00 00 00 00 00 00 5E 7C";
const FINISHED_15: &str = "01 03 02 0F 00 01 F4 01 2C 00 19 03 00 00 00 00 00 00 99 0D";
const NO_DROP_15: &str = "01 03 02 0F 00 01 F4 01 2C 00 19 00 00 00 00 00 00 00 AA 0D";
const RUN_BAD_INDEX: &str = "01 05 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 F2 D9";
const RUN_BUSY: &str = "01 05 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 B2 28";
const ID_REPLY: &str = "01 01 4D 4A 32 33 30 37 20 56 31 2E 30 20 00 00 00 00 C2 0B";
const LIGHT_ON_REPLY: &str = "01 08 03 F1 00 00 00 00 00 00 00 00 00 00 00 00 00 00 D6 6F";
const LIGHT_OFF_REPLY: &str = "01 08 03 F0 00 00 00 00 00 00 00 00 00 00 00 00 00 00 17 6F";
const SCAN_15: &str = "01 04 0F 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 27 2D";
const WIRED: &str = "01 04 AA 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 9C 06";
const TEMPERATURE: &str = "01 07 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 92 29";
const TEMPERATURE_24: &str = "01 07 01 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 57 BA";
const HUMIDITY: &str = "01 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 2D DD";
const HUMIDITY_55: &str = "01 10 37 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 7B FB";

fn idle() -> Line {
    let mut line = Line::open(&profile("m102"));
    line.talk(&[(POLL, NOTHING_DONE)]);
    assert_eq!(line.driver.state(), LineState::Idle);
    line
}

#[test]
fn every_documented_frame_has_a_plain_check_sum_and_the_wrong_ones_have_none() {
    for frame in [ID, POLL, RUN_15, RUN_15_CURTAIN, RUN_OK, LIGHT_ON] {
        assert!(is_sealed(&hex(frame), &[]), "{frame}");
    }
    for frame in [PROBE_WITH_SUFFIX, RUN_15_WRONG] {
        assert!(!is_sealed(&hex(frame), &[]), "{frame}");
    }
}

#[test]
fn an_m102_is_driven_with_the_documented_frames() {
    for (drop_check, run, result, drop_sensor) in [
        (false, RUN_15, FINISHED_15, DropSensor::None),
        (true, RUN_15_CURTAIN, FINISHED_15, DropSensor::Seen),
        (true, RUN_15_CURTAIN, NO_DROP_15, DropSensor::NotSeen),
    ] {
        let mut line = idle();
        line.drive(15, drop_check);
        line.talk(&[(run, RUN_OK), (POLL, RUNNING_15), (POLL, result)]);
        let outcome = Finding::Outcome(Evidence { motor: Motor::Ok, drop_sensor });
        assert_eq!(line.found(), [Finding::Taken, Finding::Progress(1), outcome]);
        assert_eq!(line.driver.deadline(), None, "nothing is asked while the result is not durable");
        line.driver.release(line.now);
        assert_eq!(line.driver.state(), LineState::Idle);
        line.talk(&[(ID, ID_REPLY)]);
        assert_eq!(line.found(), [Finding::Identity("address 1: MJ2307 V1.0, plain check sums".to_owned())]);
    }
}

#[test]
fn a_refused_command_has_turned_nothing() {
    for (answer, reason) in [(RUN_BAD_INDEX, Reason::Slot), (RUN_BUSY, Reason::Busy)] {
        let mut line = idle();
        line.drive(15, false);
        line.talk(&[(RUN_15, answer)]);
        assert_eq!(line.found(), [Finding::NotTaken(reason)]);
    }
}

#[test]
fn what_stands_beside_a_vend_is_asked_with_the_documented_frames() {
    let address = Address::new(1).unwrap();
    let served = |service: Service, exchanges: &[(&str, &str)]| {
        let mut line = idle();
        line.talk(&[(ID, ID_REPLY)]);
        line.found();
        assert!(line.driver.serves(&service));
        line.driver.serve(line.now, &service);
        line.talk(exchanges);
        line.found()
    };
    let light = Service::Switch { address, device: Device::Light, on: true };
    assert_eq!(served(light, &[(LIGHT_ON, LIGHT_ON_REPLY)]), [Finding::Served(Ok(Reading::Done))]);
    let refused = Finding::Served(Err(vend::board::service::ServiceError::Refused));
    assert_eq!(served(light, &[(LIGHT_ON, LIGHT_OFF_REPLY)]), [refused]);
    let slot = Service::SlotState { address, slot: Slot(15) };
    assert_eq!(served(slot, &[(SCAN_15, WIRED)]), [Finding::Served(Ok(Reading::SlotReady))]);
    let climate = Service::Climate { address };
    let reading = Reading::Climate { temperature_deci_c: Some(240), humidity_permille: Some(550) };
    let exchanges = [(TEMPERATURE, TEMPERATURE_24), (HUMIDITY, HUMIDITY_55)];
    assert_eq!(served(climate, &exchanges), [Finding::Served(Ok(reading))]);
    assert!(!idle().driver.serves(&Service::Door { address }));
}

#[test]
fn only_a_good_frame_of_the_asked_board_answers() {
    assert_only_the_good_frame_answers(
        &profile("m102"),
        &[],
        POLL,
        FINISHED_15,
        &[
            PROBE_WITH_SUFFIX,
            RUN_15_WRONG,
            // Short, a flipped check, a flipped byte, another board, another function, an unknown state.
            "01 03 02 0F 00 01 F4 01 2C 00 19 03 00 00 00 00 00 00 99",
            "01 03 02 0F 00 01 F4 01 2C 00 19 03 00 00 00 00 00 00 99 0C",
            "01 03 02 0E 00 01 F4 01 2C 00 19 03 00 00 00 00 00 00 99 0D",
            "02 03 02 0F 00 01 F4 01 2C 00 19 03 00 00 00 00 00 00 69 49",
            RUN_OK,
            "01 03 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 90 19",
        ],
    );
}

#[test]
fn the_emulated_board_answers_as_documented() {
    assert_answers(
        &profile("m102"),
        "no-drop@2 refuse@3",
        2_000,
        &[
            (0, ID, &[ID_REPLY]),
            (0, LIGHT_ON, &[LIGHT_ON_REPLY]),
            (0, SCAN_15, &[WIRED]),
            (0, TEMPERATURE, &[TEMPERATURE_24]),
            (0, HUMIDITY, &[HUMIDITY_55]),
            (0, POLL, &[NOTHING_DONE]),
            (0, RUN_15_WRONG, &[]),
            (1_000, RUN_15_CURTAIN, &[RUN_OK]),
            (1_100, POLL, &[RUNNING_15]),
            (1_200, RUN_15_CURTAIN, &[RUN_BUSY]),
            (3_000, POLL, &[FINISHED_15]),
            // It stays as often as it is read, until the next command that is taken.
            (9_000, POLL, &[FINISHED_15]),
            (9_000, RUN_15_CURTAIN, &[RUN_OK]),
            (9_100, POLL, &[RUNNING_15]),
            (12_000, POLL, &[NO_DROP_15]),
            (12_000, RUN_15_CURTAIN, &[RUN_BUSY]),
            (12_000, POLL, &[NO_DROP_15]),
        ],
    );
}
