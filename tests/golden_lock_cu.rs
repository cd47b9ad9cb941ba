//! The documented frames of the Kerong KR-CU12 and KR-CU16. If this fails, do not change the test: these are the bytes
//! that real boards speak, and the code is wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/golden.rs"]
mod golden;

use golden::{Line, assert_answers, assert_only_the_good_frame_answers, hex, profile};
use vend::board::driver::{Address, Finding, LineState, Slot};
use vend::board::frame::sum8;
use vend::board::service::{Reading, Service};
use vend::order::outcome::{DropSensor, Evidence, Motor};
use vend::order::said::Said;

const STATUS: &str = "02 00 30 03 35";
const UNLOCK_0: &str = "02 00 31 03 36";
const UNLOCK_15: &str = "02 0F 31 03 45";
const UNLOCK_BOARD_1_LOCK_0: &str = "02 10 31 03 46";
const STATUS_BOARD_1: &str = "02 10 30 03 45";
const LOCK_0_OPEN: &str = "02 00 35 FE FF 00 00 03 37";
const ALL_LOCKED: &str = "02 00 35 FF FF 00 00 03 38";
/// Of another generation of boards.
const OTHER_GENERATION: &str = "02 00 00 61 03 66";

// Published, and wrong.
const STATUS_BOARD_1_WRONG: &str = "02 10 30 03 3E";

// Built from the documented layout.
const LOCK_15_OPEN: &str = "02 00 35 FF 7F 00 00 03 B8";
const ALL_LOCKED_BOARD_1: &str = "02 10 35 FF FF 00 00 03 48";
const ALL_LOCKED_ALL_FULL: &str = "02 00 35 FF FF FF FF 03 36";
const LOCK_0_OPEN_ALL_FULL: &str = "02 00 35 FE FF FF FF 03 35";
const LOCK_0_OPEN_AND_EMPTY: &str = "02 00 35 FE FF FE FF 03 34";
const LOCK_0_EMPTY: &str = "02 00 35 FF FF FE FF 03 35";

fn idle(answer: &str) -> Line {
    let mut line = Line::open(&profile("lock-cu"));
    line.talk(&[(STATUS, answer)]);
    assert_eq!(line.driver.state(), LineState::Idle);
    line
}

fn opened(drop_sensor: DropSensor) -> Finding {
    Finding::Outcome(Evidence { motor: Motor::Ok, drop_sensor })
}

#[test]
fn every_documented_frame_has_a_good_sum_and_the_wrong_one_has_none() {
    let has_good_sum = |frame: &str| {
        let bytes = hex(frame);
        let (check, body) = bytes.split_last().unwrap();
        sum8(body) == *check
    };
    for frame in
        [STATUS, UNLOCK_0, UNLOCK_15, UNLOCK_BOARD_1_LOCK_0, STATUS_BOARD_1, LOCK_0_OPEN, ALL_LOCKED, OTHER_GENERATION]
    {
        assert!(has_good_sum(frame), "{frame}");
    }
    assert!(!has_good_sum(STATUS_BOARD_1_WRONG));
}

#[test]
fn a_lock_is_opened_with_the_documented_frames_and_its_latch_decides() {
    for (slot, unlock, open) in [(0, UNLOCK_0, LOCK_0_OPEN), (15, UNLOCK_15, LOCK_15_OPEN)] {
        let mut line = idle(ALL_LOCKED);
        line.drive(slot, false);
        line.expect(unlock);
        line.talk(&[(STATUS, ALL_LOCKED), (STATUS, open)]);
        assert_eq!(line.found(), [opened(DropSensor::None)]);
        line.driver.release(line.now);
        assert_eq!(line.driver.state(), LineState::Idle);
    }
}

#[test]
fn the_second_board_has_its_own_frames() {
    let mut profile = profile("lock-cu");
    profile.addresses.first_on_wire = 1;
    let mut line = Line::open(&profile);
    line.talk(&[(STATUS_BOARD_1, ALL_LOCKED_BOARD_1)]);
    line.drive(0, false);
    line.expect(UNLOCK_BOARD_1_LOCK_0);
}

#[test]
fn the_sensor_behind_the_door_is_told_apart_from_the_latch() {
    for (drop_check, answers, drop_sensor) in [
        (false, &[LOCK_0_OPEN_ALL_FULL][..], DropSensor::None),
        (true, &[LOCK_0_OPEN_AND_EMPTY], DropSensor::Seen),
        (true, &[LOCK_0_OPEN_ALL_FULL, LOCK_0_OPEN_AND_EMPTY], DropSensor::Seen),
        (true, &[LOCK_0_OPEN_ALL_FULL, ALL_LOCKED_ALL_FULL], DropSensor::NotSeen),
        (true, &[LOCK_0_EMPTY], DropSensor::Seen),
    ] {
        let mut line = idle(ALL_LOCKED_ALL_FULL);
        line.drive(0, drop_check);
        line.expect(UNLOCK_0);
        for answer in answers {
            line.talk(&[(STATUS, answer)]);
        }
        assert_eq!(line.found().last(), Some(&opened(drop_sensor)), "{answers:?}");
    }
}

#[test]
fn a_latch_can_be_asked_for_beside_a_vend() {
    let address = Address::new(1).unwrap();
    for (slot, reading) in
        [(15, Reading::SlotReady), (0, Reading::faulty(Said::new("the latch is open", "锁舌已打开")))]
    {
        let mut line = idle(ALL_LOCKED);
        line.driver.serve(line.now, &Service::SlotState { address, slot: Slot(slot) });
        line.talk(&[(STATUS, LOCK_0_OPEN)]);
        assert_eq!(line.found(), [Finding::Served(Ok(reading))]);
    }
    assert!(!idle(ALL_LOCKED).driver.serves(&Service::SlotState { address, slot: Slot(16) }));
}

#[test]
fn only_a_good_frame_of_the_asked_board_answers() {
    assert_only_the_good_frame_answers(
        &profile("lock-cu"),
        &[],
        STATUS,
        ALL_LOCKED,
        &[
            // Short, a flipped sum, a flipped byte, no end, another board, the question itself, an opening, another
            // generation's frame, and the published one that is wrong.
            "02 00 35 FF FF 00 00 03",
            "02 00 35 FF FF 00 00 03 39",
            "02 00 35 FE FF 00 00 03 38",
            "02 00 35 FF FF 00 00 04 39",
            ALL_LOCKED_BOARD_1,
            STATUS,
            UNLOCK_0,
            OTHER_GENERATION,
            STATUS_BOARD_1_WRONG,
        ],
    );
}

#[test]
fn the_emulated_board_answers_as_documented() {
    assert_answers(
        &profile("lock-cu"),
        "jam:15",
        2_000,
        &[
            (0, STATUS, &[ALL_LOCKED_ALL_FULL]),
            (0, STATUS_BOARD_1_WRONG, &[]),
            (1_000, UNLOCK_0, &[]),
            (1_100, STATUS, &[LOCK_0_OPEN_ALL_FULL]),
            (2_100, STATUS, &[LOCK_0_OPEN_AND_EMPTY]),
            (3_100, STATUS, &[LOCK_0_EMPTY]),
            (3_200, UNLOCK_15, &[]),
            (3_300, STATUS, &[LOCK_0_EMPTY]),
            (3_400, UNLOCK_BOARD_1_LOCK_0, &[]),
        ],
    );
}
