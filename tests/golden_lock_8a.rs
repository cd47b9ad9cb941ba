//! The documented frames of the `8A … 11 XOR` lock boards. If this fails, do not change the test: these are the bytes
//! that real boards speak, and the code is wrong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/golden.rs"]
mod golden;

use golden::{Line, assert_answers, assert_only_the_good_frame_answers, hex, profile};
use vend::board::driver::{Address, Finding, LineFault, LineState, Slot};
use vend::board::frame::xor8;
use vend::board::profile::{Profile, ShortWhen};
use vend::board::service::{Reading, Service};
use vend::order::outcome::{DropSensor, Evidence, Motor};
use vend::order::said::Said;

const UNLOCK_1: &str = "8A 01 01 11 9B";
const UNLOCK_2: &str = "8A 01 02 11 98";
const UNLOCK_12: &str = "8A 01 0C 11 96";
const UNLOCK_BOARD_2_LOCK_12: &str = "8A 02 0C 11 95";
const UNLOCK_1_DONE: &str = "8A 01 01 00 8A";
const UNLOCK_BOARD_2_LOCK_12_DONE: &str = "8A 02 0C 00 84";
const QUERY_1: &str = "80 01 01 33 B3";
const OPEN_1: &str = "80 01 01 00 80";
const CLOSED_1: &str = "80 01 01 11 91";
const QUERY_ALL: &str = "80 01 00 33 B2";
const ALL_OF_24: &str = "80 01 01 01 01 33 B3";
const OPEN_ALL: &str = "8A 01 00 11 9A";
const SAID_CLOSED_1: &str = "81 01 01 00 81";
const SAID_OPENED_1: &str = "81 01 01 11 90";

// Built from the documented layout.
const QUERY_2: &str = "80 01 02 33 B0";
const CLOSED_2: &str = "80 01 02 11 92";
const OPEN_2: &str = "80 01 02 00 83";
const QUERY_12: &str = "80 01 0C 33 BE";
const CLOSED_12: &str = "80 01 0C 11 9C";

/// A board that has locks 1, 2 and 12.
fn board() -> Profile {
    let mut profile = profile("lock-8a");
    profile.slots.last = 12;
    profile.slots.gaps = (3..=11).collect();
    profile
}

const ALL_CLOSED: [(&str, &str); 3] = [(QUERY_1, CLOSED_1), (QUERY_2, CLOSED_2), (QUERY_12, CLOSED_12)];

fn idle(profile: &Profile, all: &[(&str, &str)]) -> Line {
    let mut line = Line::open(profile);
    line.talk(all);
    assert_eq!(line.driver.state(), LineState::Idle);
    line
}

fn opened() -> Finding {
    Finding::Outcome(Evidence { motor: Motor::Ok, drop_sensor: DropSensor::None })
}

#[test]
fn every_documented_frame_has_a_good_check() {
    for frame in [
        UNLOCK_1,
        UNLOCK_2,
        UNLOCK_12,
        UNLOCK_BOARD_2_LOCK_12,
        UNLOCK_1_DONE,
        UNLOCK_BOARD_2_LOCK_12_DONE,
        QUERY_1,
        OPEN_1,
        CLOSED_1,
        QUERY_ALL,
        ALL_OF_24,
        OPEN_ALL,
        SAID_CLOSED_1,
        SAID_OPENED_1,
    ] {
        assert_eq!(xor8(&hex(frame)), 0, "{frame}");
    }
}

#[test]
fn a_lock_is_opened_with_the_documented_frames_and_its_latch_decides() {
    let mut line = idle(&board(), &ALL_CLOSED);
    line.drive(1, false);
    line.talk(&[(QUERY_1, CLOSED_1), (UNLOCK_1, UNLOCK_1_DONE)]);
    assert_eq!(line.found(), [Finding::Taken], "the answer to an opening is no evidence");
    line.talk(&[(QUERY_1, OPEN_1)]);
    assert_eq!(line.found(), [opened()]);
    line.driver.release(line.now);
    for (slot, query, closed, unlock) in [(2, QUERY_2, CLOSED_2, UNLOCK_2), (12, QUERY_12, CLOSED_12, UNLOCK_12)] {
        let mut line = idle(&board(), &ALL_CLOSED);
        line.drive(slot, false);
        line.talk(&[(query, closed)]);
        line.expect(unlock);
    }
}

#[test]
fn the_second_board_has_its_own_frames() {
    let mut profile = board();
    profile.addresses.first_on_wire = 2;
    let query = |lock: u8, last: u8| {
        let body = [0x80, 2, lock, last];
        body.iter().chain([xor8(&body)].iter()).map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(" ")
    };
    let mut line = Line::open(&profile);
    for lock in [1, 2, 12] {
        line.talk(&[(&query(lock, 0x33), &query(lock, 0x11))]);
    }
    line.drive(12, false);
    line.talk(&[(&query(12, 0x33), &query(12, 0x11)), (UNLOCK_BOARD_2_LOCK_12, UNLOCK_BOARD_2_LOCK_12_DONE)]);
    assert_eq!(line.found(), [Finding::Taken]);
}

#[test]
fn what_comes_back_as_it_was_sent_is_no_answer_to_an_opening() {
    // The failure, or the cable: only the latch knows.
    let mut line = idle(&board(), &ALL_CLOSED);
    line.drive(1, false);
    line.talk(&[(QUERY_1, CLOSED_1), (UNLOCK_1, UNLOCK_1), (QUERY_1, OPEN_1)]);
    assert_eq!(line.found(), [opened()]);

    // A cable that is known to give everything back.
    let mut profile = board();
    profile.options.echo = Some(true);
    let mut line = Line::open(&profile);
    for (query, closed) in ALL_CLOSED {
        line.talk(&[(query, &format!("{query} {closed}"))]);
    }
    line.drive(1, false);
    line.talk(&[(QUERY_1, &format!("{QUERY_1} {CLOSED_1}"))]);
    line.talk(&[(UNLOCK_1, UNLOCK_1)]);
    assert!(line.driver.deadline().unwrap() > line.now.plus_ms(2_000), "the echo is not taken for the answer");
    line.say(UNLOCK_1_DONE);
    line.talk(&[(QUERY_1, &format!("{QUERY_1} {OPEN_1}"))]);
    assert_eq!(line.found(), [Finding::Taken, opened()]);
}

#[test]
fn a_latch_of_the_other_kind_is_read_the_other_way() {
    let mut profile = board();
    profile.options.short_when = Some(ShortWhen::Open);
    let mut line = idle(&profile, &[(QUERY_1, OPEN_1), (QUERY_2, OPEN_2), (QUERY_12, "80 01 0C 00 8D")]);
    line.drive(1, false);
    line.talk(&[(QUERY_1, OPEN_1), (UNLOCK_1, UNLOCK_1)]);
    assert_eq!(line.found(), [], "success looks like an echo");
    line.talk(&[(QUERY_1, CLOSED_1)]);
    assert_eq!(line.found(), [opened()]);
}

#[test]
fn what_a_board_says_by_itself_is_a_reason_to_ask_and_nothing_more() {
    for said in [SAID_CLOSED_1, SAID_OPENED_1] {
        let mut line = idle(&board(), &ALL_CLOSED);
        line.say(said);
        assert_eq!(line.found(), []);
        assert_eq!(line.driver.state(), LineState::Settling);
        line.talk(&ALL_CLOSED);
        assert_eq!(line.driver.state(), LineState::Idle);

        line.drive(1, false);
        line.talk(&[(QUERY_1, CLOSED_1), (UNLOCK_1, UNLOCK_1_DONE)]);
        line.found();
        line.say(said);
        assert_eq!(line.found(), []);
        line.talk(&[(QUERY_1, OPEN_1)]);
        assert_eq!(line.found(), [opened()]);
    }
}

#[test]
fn a_latch_can_be_asked_for_beside_a_vend() {
    let address = Address::new(1).unwrap();
    let service = Service::SlotState { address, slot: Slot(2) };
    for (answer, reading) in
        [(CLOSED_2, Reading::SlotReady), (OPEN_2, Reading::faulty(Said::new("the latch is open", "锁舌已打开")))]
    {
        let mut line = idle(&board(), &ALL_CLOSED);
        line.driver.serve(line.now, &service);
        line.talk(&[(QUERY_2, answer)]);
        assert_eq!(line.found(), [Finding::Served(Ok(reading))]);
    }
    let line = idle(&board(), &ALL_CLOSED);
    assert!(!line.driver.serves(&Service::SlotState { address, slot: Slot(3) }));
    assert!(!line.driver.serves(&Service::Door { address }));
}

#[test]
fn only_a_good_frame_about_the_asked_lock_answers() {
    assert_only_the_good_frame_answers(
        &board(),
        &ALL_CLOSED[..2],
        QUERY_12,
        CLOSED_12,
        &[
            // Short, a flipped check, a flipped byte, another lock, another board, the question itself, an opening's
            // answer, all locks, an unknown state.
            "80 01 0C 11",
            "80 01 0C 11 9D",
            "80 01 0D 11 9C",
            CLOSED_2,
            "80 02 0C 11 9F",
            QUERY_12,
            "8A 01 02 00 89",
            ALL_OF_24,
            "80 01 0C 22 AF",
        ],
    );
}

#[test]
fn a_foreign_frame_is_a_fault_that_a_technician_sees() {
    let mut line = Line::open(&board());
    line.expect(QUERY_1);
    line.say(QUERY_1);
    assert_eq!(line.found(), [Finding::Fault(LineFault::Unexpected)], "an echo that the profile does not know");
}

#[test]
fn the_emulated_board_answers_as_documented() {
    assert_answers(
        &profile("lock-8a"),
        "jam@2",
        2_000,
        &[
            (0, QUERY_1, &[CLOSED_1]),
            (0, UNLOCK_1, &[]),
            (25, "", &[SAID_OPENED_1]),
            (100, "", &[UNLOCK_1_DONE]),
            (200, QUERY_1, &[OPEN_1]),
            (2_025, "", &[SAID_CLOSED_1]),
            (2_100, QUERY_1, &[CLOSED_1]),
            (3_000, UNLOCK_2, &[]),
            (3_500, "", &[UNLOCK_2]),
            (3_600, QUERY_2, &[CLOSED_2]),
            (3_700, UNLOCK_BOARD_2_LOCK_12, &[]),
            (9_000, OPEN_ALL, &[]),
        ],
    );
}
