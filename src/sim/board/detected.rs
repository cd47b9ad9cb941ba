//! Detection against every emulated board, and the proof that nothing it says can turn a motor, whoever hears it.

use super::fault::Faults;
use super::{Emulator, emulator_for};
use crate::board::detect::{DETECTION_MS_MAX, Detection, Detector, Step};
use crate::board::driver::{Address, FloorType, MotorCommand, Slot};
use crate::board::meaning::reader_for;
use crate::board::profile::{Family, Link, Profile};
use crate::board::protocol::{Protocol, Request, Status, Turn as TurnRequest};
use crate::board::{adh, uling_modbus};
use crate::order::time::BootMs;

const TURN_MS: u64 = 1_000;
const STEP_MS: u64 = 5;

fn profiles() -> Vec<Profile> {
    Profile::built_in().into_iter().map(|(name, text)| Profile::parse(name, text).unwrap()).collect()
}

fn board_of(profile: &Profile) -> Box<dyn Emulator> {
    emulator_for(profile, TURN_MS, Faults::default())
}

/// What a receiver at one speed makes of bytes that were sent at another, 8N1: each bit is looked at in its middle.
/// Receivers differ in what they do with a byte whose stop bit is wrong; `keeps_broken` says it.
fn as_read(bytes: &[u8], sent_baud: u32, read_baud: u32, keeps_broken: bool) -> Vec<u8> {
    if sent_baud == read_baud {
        return bytes.to_vec();
    }
    let levels: Vec<bool> = bytes
        .iter()
        .flat_map(|byte| {
            let data = (0..8).map(move |bit| byte >> bit & 1 == 1);
            std::iter::once(false).chain(data).chain(std::iter::once(true))
        })
        .collect();
    // In bits of the sender.
    let (bit, end) = (f64::from(sent_baud) / f64::from(read_baud), levels.len() as f64);
    let level = |at: f64| levels.get(at as usize).copied().unwrap_or(true);
    let (mut read, mut at) = (Vec::new(), 0.0);
    while at < end {
        if level(at) {
            at += bit / 16.0;
            continue;
        }
        let middle = |n: u32| level(at + bit * (f64::from(n) + 0.5));
        let byte = (1..=8).fold(0_u8, |byte, n| byte | u8::from(middle(n)) << (n - 1));
        let is_whole = middle(9);
        if is_whole || keeps_broken {
            read.push(byte);
        }
        at += bit * 9.5;
        while !is_whole && at < end && !level(at) {
            at += bit / 16.0;
        }
    }
    read
}

/// What happened in one detection.
struct Course {
    detection: Detection,
    took_ms: u64,
    frames: Vec<(Link, Vec<u8>)>,
}

/// A detection on a line with this board, which is set to this speed, or on an empty one.
fn detect(mut board: Option<(&mut dyn Emulator, u32)>, echoes: bool) -> Course {
    let begun = BootMs(1_000_000);
    let (mut detector, mut now, mut link) = (Detector::new(&profiles()), begun, None::<Link>);
    let mut frames = Vec::new();
    loop {
        let until = match detector.step(now) {
            Step::Over => break,
            Step::Set(new) => {
                link = Some(new);
                continue;
            }
            Step::Write(frame) => {
                let link = link.expect("set before");
                if let Some((board, baud)) = &mut board {
                    board.received(now, &as_read(&frame, link.baud, *baud, true));
                }
                if echoes {
                    detector.received(now, &frame);
                }
                frames.push((link, frame));
                continue;
            }
            Step::ReadUntil(until) => until,
        };
        assert!(until > now, "waiting for the past");
        now = now.plus_ms(STEP_MS);
        if let Some((board, baud)) = &mut board {
            if board.deadline().is_some_and(|at| at <= now) {
                board.wake(now);
            }
            while let Some(bytes) = board.next_output() {
                let bytes = as_read(&bytes, *baud, link.expect("set before").baud, true);
                detector.received(now, &bytes);
            }
        }
    }
    Course { detection: detector.found(), took_ms: now.since_ms(begun), frames }
}

#[test]
fn every_built_in_board_is_found_by_its_own_name_and_turns_nothing() {
    for profile in profiles() {
        let mut board = board_of(&profile);
        let course = detect(Some((&mut *board, profile.link.baud)), false);
        let Detection { profiles: found, family, link, .. } = &course.detection;
        assert!(found.contains(&profile.name), "{}: {:?}", profile.name, course.detection);
        assert_eq!((*family, *link), (Some(profile.family), Some(profile.link)), "{}", profile.name);
        for name in found {
            assert_eq!(Profile::find(name, ".".as_ref()).unwrap().family, profile.family, "{}", profile.name);
        }
        assert_eq!(board.turns(), [], "{}", profile.name);
        assert!(course.took_ms <= DETECTION_MS_MAX, "{}: {} ms", profile.name, course.took_ms);
    }
}

#[test]
fn whoever_polls_by_itself_is_asked_nothing() {
    for profile in profiles().iter().filter(|p| matches!(p.family, Family::XyV3 | Family::UboxE7)) {
        let mut board = board_of(profile);
        let course = detect(Some((&mut *board, profile.link.baud)), false);
        assert!(course.frames.is_empty() && !course.detection.profiles.is_empty(), "{}", profile.name);
    }
}

#[test]
fn boards_that_differ_in_their_frames_are_told_apart() {
    for (name, other) in [("adh814", "adh815"), ("adh815", "adh814"), ("adh815", "adh815-9600")] {
        let profile = Profile::find(name, ".".as_ref()).unwrap();
        let mut board = board_of(&profile);
        let found = detect(Some((&mut *board, profile.link.baud)), false).detection.profiles;
        assert!(found.iter().any(|n| n == name) && !found.iter().any(|n| n == other), "{name}: {found:?}");
    }
}

#[test]
fn an_empty_line_is_given_up_in_time_and_every_question_was_asked_twice() {
    let course = detect(None, false);
    assert_eq!(course.detection, Detection { questions: course.frames.len(), ..Detection::default() });
    assert!(course.took_ms <= DETECTION_MS_MAX, "{} ms", course.took_ms);
    assert_eq!(course.frames.len(), 2 * Detector::new(&profiles()).frames().count());
}

#[test]
fn an_echo_is_no_answer_and_is_told() {
    let alone = detect(None, true);
    assert!(alone.detection.profiles.is_empty() && alone.detection.echoes, "{:?}", alone.detection);
    for profile in profiles().iter().filter(|p| !matches!(p.family, Family::XyV3 | Family::UboxE7)) {
        let mut board = board_of(profile);
        let found = detect(Some((&mut *board, profile.link.baud)), true).detection;
        assert!(found.profiles.contains(&profile.name) && found.echoes, "{}: {found:?}", profile.name);
    }
}

/// Somebody who speaks what no family speaks.
struct Stranger {
    next: BootMs,
    waiting: bool,
}

impl Emulator for Stranger {
    fn received(&mut self, _: BootMs, bytes: &[u8]) {
        panic!("was asked {bytes:02x?}");
    }

    fn wake(&mut self, now: BootMs) {
        (self.next, self.waiting) = (now.plus_ms(500), true);
    }

    fn deadline(&self) -> Option<BootMs> {
        Some(self.next)
    }

    fn next_output(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.waiting).then(|| b"GPRMC,1".to_vec())
    }

    fn turns(&self) -> &[super::Turn] {
        &[]
    }

    fn power_cycle(&mut self, _: BootMs) {}
}

#[test]
fn who_speaks_and_is_not_understood_is_asked_nothing() {
    let mut stranger = Stranger { next: BootMs(0), waiting: false };
    let course = detect(Some((&mut stranger, 9_600)), false);
    assert!(course.frames.is_empty() && course.detection.profiles.is_empty(), "{:?}", course.detection);
    assert!(course.detection.strange_bytes > 0);
}

#[test]
fn no_frame_of_a_detection_turns_a_motor_of_any_family_at_any_speed() {
    let detector = Detector::new(&profiles());
    let frames: Vec<(Link, Vec<u8>)> = detector.frames().map(|(link, frame)| (link, frame.to_vec())).collect();
    assert!(frames.len() >= 12, "{frames:?}");
    let mut heard = 0;
    for profile in profiles() {
        // By the words of the family's own reader: none is a turn.
        for (_, frame) in &frames {
            let said = reader_for(&profile).sent(frame).en;
            assert!(!said.contains("TURN") && !said.contains("STOP"), "{}: {frame:02x?} is {said}", profile.name);
        }
        // By the board itself: one by one with silence between, and all at once, whole and broken.
        for keeps_broken in [true, false] {
            let read = |(link, frame): &(Link, Vec<u8>)| as_read(frame, link.baud, profile.link.baud, keeps_broken);
            let (mut board, mut now) = (board_of(&profile), BootMs(1_000_000));
            let mut hear = |bytes: &[u8], silence_ms: u64| {
                board.received(now, bytes);
                heard += bytes.len();
                let end = now.plus_ms(silence_ms);
                while now < end {
                    now = now.plus_ms(50);
                    board.wake(now);
                    while board.next_output().is_some() {}
                }
            };
            for frame in &frames {
                hear(&read(frame), 1_000);
            }
            hear(&frames.iter().flat_map(read).collect::<Vec<u8>>(), 10_000);
            hear(&frames.iter().rev().flat_map(read).collect::<Vec<u8>>(), 10_000);
            assert_eq!(board.turns(), [], "{}", profile.name);
        }
    }
    assert!(heard > 10_000, "only {heard} bytes were heard: the boards were not asked");
}

#[test]
fn the_line_between_two_speeds_is_one_on_which_a_frame_can_be_read() {
    assert_eq!(as_read(&[0x35, 0x00, 0xFF], 9_600, 9_601, false), [0x35, 0x00, 0xFF], "almost the same speed");
    let garbled = as_read(&[0x01, 0x03, 0x40, 0x21], 38_400, 9_600, true);
    assert!(!garbled.is_empty() && garbled.len() < 4, "{garbled:02x?}");
}

/// A board that turned and holds its result for whoever drove it.
fn holds_after_detection<P: Protocol>(name: &str) {
    let profile = Profile::find(name, ".".as_ref()).unwrap();
    let (words, mut board) = (P::new(&profile), board_of(&profile));
    let wire = profile.addresses.first_on_wire;
    let address = Address::new(1).unwrap();
    let command =
        MotorCommand { address, slot: Slot(5), floor_type: FloorType::Spring, lift: false, drop_check: false };
    // Before the detection begins.
    let begun = BootMs(900_000);
    board.received(begun, &words.request(wire, &Request::Drive(TurnRequest { slot: 5, command })));
    for ms in 0..5_000 {
        board.wake(begun.plus_ms(ms));
    }
    while board.next_output().is_some() {}
    assert_eq!(board.turns().len(), 1);
    let course = detect(Some((&mut *board, profile.link.baud)), false);
    assert!(course.detection.profiles.iter().any(|found| found == name), "{:?}", course.detection);
    let later = BootMs(1_000_000 + 2 * DETECTION_MS_MAX);
    board.received(later, &words.request(wire, &Request::Status));
    board.wake(later.plus_ms(200));
    let answer: Vec<u8> = std::iter::from_fn(|| board.next_output()).flatten().collect();
    let status = words.reply(wire, &Request::Status, &answer);
    let is_held = matches!(status, Some(crate::board::protocol::Reply::Status(Status::Finished(..))));
    assert!(is_held, "{name}: {status:?} of {answer:02x?}");
}

#[test]
fn a_result_that_a_board_holds_is_still_there_after_a_detection() {
    holds_after_detection::<adh::AdhProtocol>("adh815");
    holds_after_detection::<uling_modbus::Zdm8>("uling-zdm8");
}
