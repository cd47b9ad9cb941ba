//! Every published frame of the ubox-e7 family. If this fails, do not change the test: the code no longer speaks the
//! boards' language.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/golden.rs"]
#[allow(dead_code, reason = "a board that polls is not asked first")]
mod golden;

use golden::{Line, assert_answers, hex, profile};
use vend::board::driver::{Finding, LineFault, LineState};
use vend::board::ubox_e7::wire::{Deframer, Frame};
use vend::order::outcome::{DropSensor, Evidence, Motor, Reason};
use vend::order::time::BootMs;

const PAYIN: &str = "E7 0A 83 06 00 00 00 64 00 64 A3 19";
const ACK_RPT_2: &str = "E7 05 03 01 02 AA BE";
const POLL_10: &str = "E7 05 83 03 10 C5 F5";
const ACK_10: &str = "E7 05 03 80 10 B0 64";
const VENDOUT_12: &str = "E7 0B 83 83 10 00 02 0C 02 00 00 40 94";
const TAKEN_10: &str = "E7 05 03 01 10 98 CD";
const REFUSED_10: &str = "E7 05 03 02 10 CD 9E";
const SOLD_12: &str = "E7 0E 83 08 12 00 00 0C 02 00 00 00 00 07 FB 59";
const FAILED_12: &str = "E7 0E 83 08 12 00 02 0C 02 00 00 00 00 47 3C 3B";
const GET_COUNTERS: &str = "E7 06 03 8C 13 06 6D FD";
const GET_LOG: &str = "E7 05 03 91 15 D0 83";
const GET_STATUS: &str = "E7 05 03 86 16 7A 04";
const GET_SLOTS: &str = "E7 06 03 8A 17 00 73 5F";
const SLOTS: &str = "E7 09 03 0E 18 00 05 05 40 AD A2";

/// Meaning, F7, MT, SN, data, frame.
type Row = (&'static str, bool, u8, u8, &'static [u8], &'static str);

const FRAMES: &[Row] = &[
    ("PAYIN_RPT", true, 0x06, 0x00, &[0, 0, 0x64, 0, 0x64], PAYIN),
    ("ACK_RPT, SN 2", false, 0x01, 0x02, &[], ACK_RPT_2),
    ("POLL, SN 10", true, 0x03, 0x10, &[], POLL_10),
    ("ACK to it", false, 0x80, 0x10, &[], ACK_10),
    ("vend slot 12, class 2", true, 0x83, 0x10, &[0, 2, 12, 2, 0, 0], VENDOUT_12),
    ("taken", false, 0x01, 0x10, &[], TAKEN_10),
    ("refused", false, 0x02, 0x10, &[], REFUSED_10),
    ("slot 12 sold, 7 left", true, 0x08, 0x12, &[0, 0, 12, 2, 0, 0, 0, 0, 7], SOLD_12),
    ("slot 12 failed, with a fault", true, 0x08, 0x12, &[0, 2, 12, 2, 0, 0, 0, 0, 0x47], FAILED_12),
    ("counters?", false, 0x8C, 0x13, &[6], GET_COUNTERS),
    ("log?", false, 0x91, 0x15, &[], GET_LOG),
    ("status?", false, 0x86, 0x16, &[], GET_STATUS),
    ("slots?", false, 0x8A, 0x17, &[0], GET_SLOTS),
    ("three slots", false, 0x0E, 0x18, &[0, 5, 5, 0x40], SLOTS),
];

fn built(needs_answer: bool, kind: u8, number: u8, data: &[u8]) -> String {
    let bytes = Frame { needs_answer, kind, number, data: data.to_vec() }.bytes();
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

fn poll(number: u8) -> String {
    built(true, 0x03, number, &[])
}

fn ack(number: u8) -> String {
    built(false, 0x80, number, &[])
}

fn found(bytes: &[u8], cut: usize) -> Vec<Frame> {
    let mut deframer = Deframer::default();
    let mut frames = Vec::new();
    let (first, second) = bytes.split_at(cut);
    for part in [first, second] {
        deframer.push(BootMs(0), part);
        frames.extend(std::iter::from_fn(|| deframer.next_frame()).flatten());
    }
    frames
}

#[test]
fn every_published_frame_is_built_and_read_in_any_cut_and_between_other_bytes() {
    for &(meaning, needs_answer, kind, number, data, text) in FRAMES {
        let frame = Frame { needs_answer, kind, number, data: data.to_vec() };
        assert_eq!(frame.bytes(), hex(text), "{meaning}");
        for text in [text.to_owned(), format!("00 FF {text}"), format!("E7 {text} 55"), format!("E7 05 04 {text} E7")] {
            let bytes = hex(&text);
            for cut in 0..=bytes.len() {
                assert_eq!(found(&bytes, cut), std::slice::from_ref(&frame), "{meaning}: {text} cut at {cut}");
            }
        }
    }
}

#[test]
fn bad_frames_are_no_frames_in_any_cut() {
    for bad in [
        // A flipped check, a flipped byte, short, a LEN too long, too short and below the least.
        "E7 05 83 03 10 C5 F4",
        "E7 05 83 03 11 C5 F5",
        "E7 05 83 03 10 C5",
        "E7 06 83 03 10 C5 F5",
        "E7 04 83 03 10 C5 F5",
        "E7 00 83 03 10 C5 F5",
        // Another version, and without the head.
        "E7 05 84 03 10 C5 F5",
        "05 83 03 10 C5 F5",
        // The check low byte first.
        "E7 05 83 03 10 F5 C5",
        // The sister protocol's order: E5, LEN, SN, version, MT.
        "E5 05 10 83 03 C5 F5",
    ] {
        let bytes = hex(bad);
        for cut in 0..=bytes.len() {
            assert_eq!(found(&bytes, cut), [], "{bad} cut at {cut}");
        }
        let mut line = Line::open(&profile("ubox-e7"));
        line.say(bad);
        assert!(!line.found().iter().any(|f| !matches!(f, Finding::Fault(_))), "{bad}");
    }
}

/// From an open port to an idle line, with what is published of it.
fn idle() -> Line {
    let mut line = Line::open(&profile("ubox-e7"));
    let counters = [&[6][..], &[0; 52]].concat();
    for (number, question, answer) in [
        (0x15, GET_LOG.to_owned(), built(true, 0x13, 0x20, &[0])),
        (0x21, built(false, 0x8C, 0x21, &[14]), built(false, 0x11, 0x21, b"\x0EV1")),
        (0x22, built(false, 0x8C, 0x22, &[15]), built(false, 0x11, 0x22, &[15, 7])),
        (0x16, GET_STATUS.to_owned(), built(false, 0x0D, 0x23, &[0, 1, 0, 0, 5, 0xFE, 0xFE, 0xFE, 0, 0])),
        (0x17, GET_SLOTS.to_owned(), SLOTS.to_owned()),
        (0x13, GET_COUNTERS.to_owned(), built(false, 0x11, 0x24, &counters)),
    ] {
        line.say(&poll(number));
        line.expect(&question);
        line.say(&answer);
        if number == 0x15 {
            line.expect(&ack(0x20));
        }
    }
    assert_eq!(line.driver.state(), LineState::Idle);
    assert_eq!(line.found(), [Finding::Identity("firmware V1, board 07".to_owned())]);
    line
}

#[test]
fn a_poll_is_answered_with_the_published_ack() {
    let mut line = idle();
    line.say(POLL_10);
    line.expect(ACK_10);
    line.say(PAYIN);
    line.expect(&ack(0));
}

#[test]
fn a_vend_goes_as_published_and_its_end_is_acknowledged_when_it_is_durable() {
    for (end, motor, drop_sensor) in
        [(SOLD_12, Motor::Ok, DropSensor::Seen), (FAILED_12, Motor::Timeout, DropSensor::NotSeen)]
    {
        let mut line = idle();
        line.drive(12, true);
        line.say(POLL_10);
        line.expect(VENDOUT_12);
        line.say(TAKEN_10);
        line.say(&built(false, 0x0B, 0x11, &[1, 3, 12, 2, 0, 0, 0, 0]));
        line.say(end);
        let outcome = Finding::Outcome(Evidence { motor, drop_sensor });
        assert_eq!(line.found(), [Finding::Taken, Finding::Progress(1), outcome], "acknowledged too early");
        assert_eq!(line.driver.state(), LineState::Held);
        line.driver.release(line.now);
        line.expect(&ack(0x12));
    }
}

#[test]
fn a_refusal_is_one_under_the_number_of_the_command_only() {
    let mut line = idle();
    line.drive(2, true);
    line.say(POLL_10);
    line.expect(&built(true, 0x83, 0x10, &[0, 2, 2, 2, 0, 0]));
    line.say(ACK_RPT_2);
    assert_eq!(line.found(), [Finding::Fault(LineFault::Unexpected)]);
    line.say(REFUSED_10);
    assert_eq!(line.found(), [Finding::NotTaken(Reason::Busy)]);
    // The board has three slots.
    let mut line = idle();
    line.drive(12, true);
    line.say(POLL_10);
    line.expect(VENDOUT_12);
    line.say(REFUSED_10);
    assert_eq!(line.found(), [Finding::NotTaken(Reason::Slot)]);
}

#[test]
fn the_emulated_board_speaks_as_documented() {
    let setup = built(true, 0x05, 1, &[80, 1, 0, 1, 1, 2, 0, 0, 0, 0]);
    let (poll_2, poll_3, poll_4) = (poll(2), poll(3), poll(4));
    let vend = |number| built(true, 0x83, number, &[0, 2, 12, 2, 0, 0]);
    let with_cost = built(true, 0x83, 2, &[0, 2, 12, 2, 0, 1]);
    let (taken_3, refused) = (built(false, 0x01, 3, &[]), |number| built(false, 0x02, number, &[]));
    let begins = built(false, 0x0B, 4, &[1, 2, 12, 2, 0, 0, 0, 0]);
    let sold = built(true, 0x08, 5, &[0, 0, 12, 2, 0, 0, 0, 0, 8]);
    assert_answers(
        &profile("ubox-e7"),
        "",
        2_000,
        &[
            // Three copies 1.5 s apart, a poll each 5 s then, and each 0.5 s once it was answered.
            (0, "", &[&setup]),
            (1_499, "", &[]),
            (1_500, "", &[&setup]),
            (3_000, "", &[&setup]),
            (4_500, "", &[]),
            (9_500, "", &[&poll_2]),
            // Another number is no answer; a cost in our class is refused.
            (9_600, &ack(9), &[]),
            (9_600, &with_cost, &[&refused(2)]),
            (10_100, "", &[&poll_3]),
            (10_200, &vend(3), &[&taken_3, &begins]),
            // While it vends it asks for no answer and takes no other vend.
            (11_000, "", &[]),
            (11_000, &vend(3), &[&refused(3)]),
            (12_200, "", &[&sold]),
            (13_700, "", &[&sold]),
            (13_800, &ack(5), &[&poll(6)]),
        ],
    );
    assert_answers(
        &profile("ubox-e7"),
        "refuse",
        2_000,
        &[
            (0, "", &[&setup]),
            (10, &ack(1), &[&poll_2]),
            (20, &ack(2), &[]),
            (510, "", &[&poll_3]),
            (520, &vend(3), &[&refused(3)]),
            (1_010, "", &[&poll_4]),
        ],
    );
}
