//! Every published frame of the xy-v3 family. If this fails, do not change the test: the code no longer speaks the
//! boards' language.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so when it fails")]

use std::path::Path;
use vend::board::driver::{
    Address, Driver, Finding, FloorType, LineState, MotorCommand, Output, Reference, Slot, Written,
};
use vend::board::profile::Profile;
use vend::board::service::{ClimateMode, Reading, Service, ServiceError};
use vend::board::xy_v3::XyV3;
use vend::board::xy_v3::wire::{Deframer, Frame, frame};
use vend::order::outcome::{DropSensor, Evidence, Motor};
use vend::order::said::Said;
use vend::order::time::BootMs;
use vend::sim::board::{Emulator, fault::Faults, xy_v3::XyV3Board};

/// Meaning, CMD, PackNO and text, frame.
const FRAMES: &[(&str, u8, &[u8], &str)] = &[
    ("VMC POLL", 0x41, &[], "FA FB 41 00 40"),
    ("ACK (either side)", 0x42, &[], "FA FB 42 00 43"),
    ("sync 0x31, PackNO 1", 0x31, &[0x01], "FA FB 31 01 01 30"),
    ("check slot 25 (LEN 3 form), PackNO 2", 0x01, &[0x02, 0x00, 0x19], "FA FB 01 03 02 00 19 18"),
    ("slot 25 normal (0x02, status 01)", 0x02, &[0x05, 0x01, 0x00, 0x19], "FA FB 02 04 05 01 00 19 1A"),
    ("select to buy slot 25, PackNO 3", 0x03, &[0x03, 0x00, 0x19], "FA FB 03 03 03 00 19 1B"),
    (
        "direct drive slot 10, drop sensor on, lift off, PackNO 4",
        0x06,
        &[0x04, 0x01, 0x00, 0x00, 0x0A],
        "FA FB 06 05 04 01 00 00 0A 0D",
    ),
    (
        "direct drive, LEN 6 variant (extra cart byte 0)",
        0x06,
        &[0x04, 0x01, 0x00, 0x00, 0x0A, 0x00],
        "FA FB 06 06 04 01 00 00 0A 00 0E",
    ),
    ("0x04 dispensing slot 25, VMC PackNO 6", 0x04, &[0x06, 0x01, 0x00, 0x19], "FA FB 04 04 06 01 00 19 1F"),
    ("0x04 success slot 25, VMC PackNO 7", 0x04, &[0x07, 0x02, 0x00, 0x19], "FA FB 04 04 07 02 00 19 1D"),
    (
        "0x04 success, LEN 5 form (+microwave no.)",
        0x04,
        &[0x07, 0x02, 0x00, 0x19, 0x00],
        "FA FB 04 05 07 02 00 19 00 1C",
    ),
    ("0x04 jammed slot 25, VMC PackNO 8", 0x04, &[0x08, 0x03, 0x00, 0x19], "FA FB 04 04 08 03 00 19 13"),
    ("0x04 purchase terminated FF", 0x04, &[0x09, 0xFF, 0x00, 0x19], "FA FB 04 04 09 FF 00 19 EE"),
    (
        "0x11 slot 25 price 150 inv 5 cap 10 product 1 ok",
        0x11,
        &[0x08, 0x00, 0x19, 0x00, 0x00, 0x00, 0x96, 0x05, 0x0A, 0x00, 0x01, 0x00],
        "FA FB 11 0C 08 00 19 00 00 00 96 05 0A 00 01 00 95",
    ),
    ("0x51 full status request, PackNO 9", 0x51, &[0x09], "FA FB 51 01 09 58"),
    ("0x53 short status request, PackNO 10", 0x53, &[0x0A], "FA FB 53 01 0A 59"),
    ("0x54 short status reply: normal", 0x54, &[0x0A, 0x00], "FA FB 54 02 0A 00 5D"),
    ("0x16 poll interval 200 ms", 0x16, &[0x0B, 0x02], "FA FB 16 02 0B 02 1C"),
    ("0x70/16 light on 20h-07h", 0x70, &[0x0C, 0x16, 0x01, 0x14, 0x07], "FA FB 70 05 0C 16 01 14 07 7C"),
    (
        "0x70/28 master cabinet: refrigeration 5 C",
        0x70,
        &[0x10, 0x28, 0x01, 0x00, 0x02, 0x05],
        "FA FB 70 06 10 28 01 00 02 05 49",
    ),
    ("0x70/47 read slot 25 sales counter", 0x70, &[0x0D, 0x47, 0x00, 0x00, 0x19], "FA FB 70 05 0D 47 00 00 19 27"),
    (
        "0x71/47 reply: 42 vends, amount 6300",
        0x71,
        &[0x0D, 0x47, 0x00, 0x00, 0x00, 0x00, 0x2A, 0x00, 0x00, 0x18, 0x9C],
        "FA FB 71 0B 0D 47 00 00 00 00 2A 00 00 18 9C 9F",
    ),
    ("0x70/32 list jammed slots", 0x70, &[0x0E, 0x32, 0x00], "FA FB 70 03 0E 32 00 4E"),
    (
        "0x71/32 reply: one jammed slot 25 (belt part omitted)",
        0x71,
        &[0x0E, 0x32, 0x00, 0x01, 0x00, 0x19],
        "FA FB 71 06 0E 32 00 01 00 19 52",
    ),
    (
        "0x70/38 selection test slot 25, motor turns",
        0x70,
        &[0x0F, 0x38, 0x01, 0x01, 0x00, 0x19],
        "FA FB 70 06 0F 38 01 01 00 19 59",
    ),
];

const POLL: &str = "FA FB 41 00 40";
const ACK: &str = "FA FB 42 00 43";

fn bytes(hex: &str) -> Vec<u8> {
    hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn published(meaning: &str) -> Vec<u8> {
    bytes(FRAMES.iter().find(|f| f.0 == meaning).unwrap().3)
}

#[test]
fn every_published_frame_is_built_and_read() {
    for (meaning, command, text, hex) in FRAMES {
        assert_eq!(frame(*command, text), bytes(hex), "{meaning}");
        let mut deframer = Deframer::default();
        deframer.push(BootMs(0), &bytes(hex));
        assert_eq!(deframer.next_frame(), Some(Ok(Frame { command: *command, text: text.to_vec() })), "{meaning}");
        assert_eq!(deframer.next_frame(), None, "{meaning}");
    }
}

fn profile(direct_drive_len: u8) -> Profile {
    let mut profile = Profile::find("xy-v3", Path::new(".")).unwrap();
    profile.options.direct_drive_len = Some(direct_drive_len);
    profile
}

/// A driver that waits, and a clock.
struct Line {
    driver: XyV3,
    now: BootMs,
}

impl Line {
    /// A line that is idle, whose next sequence number follows `last` and two of the start-up.
    fn idle(profile: &Profile, last: u8) -> Line {
        let mut driver = XyV3::new(profile);
        driver.last_reference(&Reference(vec![last]));
        let mut line = Line { driver, now: BootMs(0) };
        line.driver.opened(line.now);
        for _ in 0..10 {
            let answers = line.hear(&bytes(POLL));
            assert_eq!(answers.len(), 1);
            if answers[0] != bytes(ACK) {
                assert!(line.hear(&bytes(ACK)).is_empty());
            }
        }
        assert_eq!(line.driver.state(), LineState::Idle);
        line
    }

    /// What goes out in answer to a frame, in its window.
    fn hear(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        self.now = self.now.plus_ms(200);
        self.driver.received(self.now, self.now, frame);
        self.driver.wake(self.now.plus_ms(50));
        self.written()
    }

    fn written(&mut self) -> Vec<Vec<u8>> {
        let outputs: Vec<_> = std::iter::from_fn(|| self.driver.next_output()).collect();
        let writes = outputs.into_iter().filter_map(|output| match output {
            Output::Write(write) => Some(write.bytes),
            Output::Finding(_) => None,
        });
        writes.collect()
    }

    fn drive(&mut self, slot: u16) {
        let command = MotorCommand {
            address: Address::new(1).unwrap(),
            slot: Slot(slot),
            floor_type: FloorType::Spring,
            lift: false,
            drop_check: true,
        };
        let reference = self.driver.reference(&command);
        self.driver.drive(self.now.plus_ms(50), &command, &reference);
    }
}

#[test]
fn the_first_command_is_the_published_sync() {
    let mut driver = XyV3::new(&profile(5));
    driver.opened(BootMs(0));
    let mut line = Line { driver, now: BootMs(0) };
    assert_eq!(line.hear(&bytes(POLL)), [published("sync 0x31, PackNO 1")]);
}

#[test]
fn a_direct_drive_is_as_published_in_both_lengths() {
    for (len, meaning) in [
        (5, "direct drive slot 10, drop sensor on, lift off, PackNO 4"),
        (6, "direct drive, LEN 6 variant (extra cart byte 0)"),
    ] {
        let mut line = Line::idle(&profile(len), 1);
        line.drive(10);
        assert_eq!(line.hear(&bytes(POLL)), [published(meaning)]);
    }
}

#[test]
fn the_published_results_mean_what_is_published() {
    use DropSensor::{NotSeen, Seen};
    for (meaning, motor, drop_sensor) in [
        ("0x04 success slot 25, VMC PackNO 7", Motor::Ok, Seen),
        ("0x04 success, LEN 5 form (+microwave no.)", Motor::Ok, Seen),
        ("0x04 jammed slot 25, VMC PackNO 8", Motor::Ok, NotSeen),
        ("0x04 purchase terminated FF", Motor::Timeout, NotSeen),
    ] {
        let mut line = Line::idle(&profile(5), 1);
        line.drive(25);
        line.hear(&bytes(POLL));
        line.driver.motor_written(line.now, Written::All);
        line.hear(&bytes(ACK));
        let progress = published("0x04 dispensing slot 25, VMC PackNO 6");
        assert_eq!(line.hear(&progress), [bytes(ACK)], "progress is acknowledged at once");

        line.now = line.now.plus_ms(200);
        line.driver.received(line.now, line.now, &published(meaning));
        let wanted = Finding::Outcome(Evidence { motor, drop_sensor });
        assert_eq!(line.driver.next_output(), Some(Output::Finding(wanted)), "{meaning}");
        assert_eq!(line.driver.next_output(), None, "{meaning}: acknowledged before it was durable");
        line.driver.release(line.now.plus_ms(20));
        assert_eq!(line.written(), [bytes(ACK)], "{meaning}");
    }
}

#[test]
fn other_published_data_frames_are_acknowledged_at_once() {
    let mut line = Line::idle(&profile(5), 1);
    for meaning in ["slot 25 normal (0x02, status 01)", "0x11 slot 25 price 150 inv 5 cap 10 product 1 ok"] {
        assert_eq!(line.hear(&published(meaning)), [bytes(ACK)], "{meaning}");
    }
}

/// What the board says at its next poll, to which the host then says something.
fn exchange(board: &mut XyV3Board, now: &mut BootMs, host: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    *now = now.plus_ms(200);
    board.wake(*now);
    let said = board.next_output().unwrap();
    board.received(now.plus_ms(30), host);
    (said, board.next_output())
}

#[test]
fn the_emulated_board_speaks_the_published_frames() {
    let mut board = XyV3Board::new(&profile(5), 0, Faults::default());
    let mut now = BootMs(0);
    let ack = bytes(ACK);
    let mut hear = |host: &[u8]| exchange(&mut board, &mut now, host);
    assert_eq!(hear(&ack), (published("sync 0x31, PackNO 1"), None));
    assert_eq!(hear(&published("sync 0x31, PackNO 1")), (bytes(POLL), Some(ack.clone())));
    // A repeated number is acknowledged and not executed.
    let drive = published("direct drive slot 10, drop sensor on, lift off, PackNO 4");
    assert_eq!(hear(&drive), (bytes(POLL), Some(ack.clone())));
    assert_eq!(hear(&ack), (frame(0x04, &[2, 1, 0, 10]), None));
    assert_eq!(hear(&ack), (frame(0x04, &[3, 2, 0, 10]), None));
    assert_eq!(hear(&drive), (bytes(POLL), Some(ack.clone())));
    assert_eq!(hear(&published("0x53 short status request, PackNO 10")), (bytes(POLL), Some(ack.clone())));
    assert_eq!(hear(&ack), (frame(0x54, &[4, 0]), None));
    assert_eq!(hear(&published("check slot 25 (LEN 3 form), PackNO 2")), (bytes(POLL), Some(ack.clone())));
    assert_eq!(hear(&ack), (published("slot 25 normal (0x02, status 01)"), None));
    assert_eq!(hear(&published("0x51 full status request, PackNO 9")), (bytes(POLL), Some(ack.clone())));
    let (status, _) = hear(&ack);
    assert_eq!((status[2], status[3], status.len()), (0x52, 41, 46));
    assert_eq!(hear(&published("0x16 poll interval 200 ms")), (bytes(POLL), Some(ack.clone())));
    assert_eq!(hear(&published("select to buy slot 25, PackNO 3")), (bytes(POLL), Some(ack.clone())));
    assert_eq!(hear(&ack), (frame(0x04, &[7, 1, 0, 25]), None));
    assert_eq!(hear(&ack), (frame(0x04, &[8, 2, 0, 25]), None));
    assert_eq!(board.turns().iter().map(|t| t.slot).collect::<Vec<_>>(), [10, 25]);
    assert_eq!(board.out_of_turn(), 0);
}

#[test]
fn the_emulated_board_sends_a_message_six_times_and_hears_nobody_after_its_window() {
    let mut board = XyV3Board::new(&profile(5), 0, Faults::default());
    let mut now = BootMs(0);
    for _ in 0..6 {
        now = now.plus_ms(200);
        board.wake(now);
        assert_eq!(board.next_output(), Some(published("sync 0x31, PackNO 1")));
        board.received(now.plus_ms(101), &bytes(ACK));
    }
    assert_eq!(exchange(&mut board, &mut now, &bytes(ACK)).0, bytes(POLL));
    assert_eq!((board.out_of_turn(), board.unacknowledged()), (6, 1));
}

/// Serves on an idle line whose next number follows `last` and two of the start-up: what goes out, what comes back.
fn served(last: u8, service: Service, exchanges: &[(Vec<u8>, Vec<u8>)]) -> Finding {
    let mut line = Line::idle(&profile(5), last);
    line.driver.serve(line.now.plus_ms(50), &service);
    for (question, answer) in exchanges {
        assert_eq!(line.hear(&bytes(POLL)), std::slice::from_ref(question), "{service:?}");
        assert_eq!(line.hear(&bytes(ACK)), [] as [Vec<u8>; 0]);
        line.now = line.now.plus_ms(200);
        line.driver.received(line.now, line.now, answer);
        while let Some(output) = line.driver.next_output() {
            match output {
                Output::Finding(finding @ Finding::Served(_)) => return finding,
                Output::Finding(Finding::Identity(_)) => {}
                Output::Write(write) if write.bytes == bytes(ACK) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    panic!("{service:?} did not end");
}

#[test]
fn services_are_asked_and_answered_as_published() {
    let address = Address::new(1).unwrap();
    let slot = Service::SlotState { address, slot: Slot(25) };
    let faulty = |en: &str, zh: &str| Finding::Served(Ok(Reading::faulty(Said::new(en, zh))));

    let ask = published("0x53 short status request, PackNO 10");
    let temperature = frame(0x70, &[11, 0x36, 0x00]);
    let fine = published("0x54 short status reply: normal");
    let healthy = [(ask.clone(), fine.clone()), (temperature.clone(), frame(0x71, &[11, 0x36, 0x00, 0]))];
    assert_eq!(served(7, Service::SelfCheck { address }, &healthy), Finding::Served(Ok(Reading::Healthy)));
    let no_door = [(ask.clone(), frame(0x54, &[10, 2]))];
    assert_eq!(
        served(7, Service::SelfCheck { address }, &no_door),
        faulty("the delivery door is not closed", "取货门未关")
    );
    let sensor = [(ask, fine), (temperature, frame(0x71, &[11, 0x36, 0x00, 7]))];
    assert_eq!(served(7, Service::SelfCheck { address }, &sensor), faulty("temperature sensor", "温度传感器"));

    let check = published("check slot 25 (LEN 3 form), PackNO 2");
    for (status, wanted) in [
        (2, Finding::Served(Ok(Reading::SlotEmpty))),
        (3, Finding::Served(Ok(Reading::SlotAbsent))),
        (0x17, faulty("main motor", "主电机")),
        (0x99, faulty("code 0x99", "代码 0x99")),
    ] {
        assert_eq!(served(254, slot, &[(check.clone(), frame(0x02, &[5, status, 0, 25]))]), wanted);
    }
    let normal = published("slot 25 normal (0x02, status 01)");
    let jams = published("0x70/32 list jammed slots");
    let checked = (frame(0x01, &[13, 0, 25]), normal);
    let jammed = published("0x71/32 reply: one jammed slot 25 (belt part omitted)");
    assert_eq!(served(10, slot, &[checked.clone(), (jams.clone(), jammed)]), faulty("jammed", "卡货"));
    // Belts that failed their test follow the list; they are not jams.
    let none = (jams, frame(0x71, &[14, 0x32, 0x00, 1, 0, 24, 1, 0, 25]));
    let motors = frame(0x70, &[15, 0x33, 0x00]);
    let open = [checked.clone(), none.clone(), (motors.clone(), frame(0x71, &[15, 0x33, 0x00, 1, 0, 25]))];
    assert_eq!(served(10, slot, &open), faulty("motor error", "电机故障"));
    let ready = [checked, none, (motors, frame(0x71, &[15, 0x33, 0x00, 0]))];
    assert_eq!(served(10, slot, &ready), Finding::Served(Ok(Reading::SlotReady)));

    let cool = Service::Hold { address, mode: ClimateMode::Cool, target_c: 5 };
    let set = published("0x70/28 master cabinet: refrigeration 5 C");
    for (status, wanted) in [(0, Ok(Reading::Done)), (1, Err(ServiceError::Refused))] {
        let exchange = (set.clone(), frame(0x71, &[16, 0x28, 0x01, status]));
        assert_eq!(served(13, cool, &[exchange]), Finding::Served(wanted));
    }

    let full = published("0x51 full status request, PackNO 9");
    for (with_temperature, door) in [(true, 1), (false, 0)] {
        let mut text = vec![9, 0, 0, 0, 0];
        text.extend(with_temperature.then_some(19));
        text.push(door);
        text.extend([0; 8]);
        text.extend(*b"0000000042");
        text.extend([0xFD, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 55, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA]);
        let exchange = [(full.clone(), frame(0x52, &text))];
        let open = door == 1;
        assert_eq!(served(6, Service::Door { address }, &exchange), Finding::Served(Ok(Reading::Door { open })));
        let climate = Reading::Climate { temperature_deci_c: Some(-30), humidity_permille: Some(550) };
        assert_eq!(served(6, Service::Climate { address }, &exchange), Finding::Served(Ok(climate)));
    }
}

#[test]
fn rule_19_the_menu_that_turns_a_slot_is_no_service() {
    let driver = XyV3::new(&profile(5));
    let address = Address::new(1).unwrap();
    for slot in [0, 1_001] {
        assert!(!driver.serves(&Service::SlotState { address, slot: Slot(slot) }), "{slot}");
    }
    let source = include_str!("../src/board/xy_v3/service.rs");
    assert!(!source.contains("0x38"), "38 is named, and may be asked");
}
