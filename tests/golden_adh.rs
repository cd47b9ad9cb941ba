//! The documented frames of the ADH814 and ADH815. If this fails, do not change the test: these are the bytes that
//! real boards speak, and the code is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use vend::board::driver::{Address, Driver, Finding, FloorType, LineState, MotorCommand, Output, Slot, Written};
use vend::board::driver_for;
use vend::board::frame::crc16_modbus;
use vend::board::profile::Profile;
use vend::board::service::{ClimateMode, Reading, Service, ServiceError};
use vend::order::outcome::{DropSensor, Evidence, Motor, Reason};
use vend::order::time::BootMs;
use vend::sim::board::emulator_for;
use vend::sim::board::fault::Faults;

const ID_815: &str = "01 01 C1 E0";
const POLL_815: &str = "01 03 40 21";
const IDLE_815: &str = "00 03 00 00 00 00 00 00 00 00 19 37 21";
const RUNNING_815: &str = "00 03 01 0C 00 00 00 00 00 00 19 3A E4";
const RUN_815: &str = "01 05 0C 23 55";
const RUN_OK_815: &str = "00 05 00 72 90";
const ACK_815: &str = "01 06 80 22";
const ACK_REPLY_815: &str = "00 06 81 B2";
const DROP_ON_815: &str = "01 21 80 00 30 12";
const DROP_OFF_815: &str = "01 21 00 00 51 D2";
const ID_814: &str = "01 A1 C1 98";
const POLL_814: &str = "01 A3 40 59";
const RUN_814: &str = "01 A5 0C 5B 55";
const RUN_OK_814: &str = "00 A5 00 0A 90";
const RUN_NOT_CLEARED_814: &str = "00 A5 03 4A 91";
const FINISHED_814: &str = "00 A3 02 0C 00 01 F4 01 2C 19 18 92 F7";
const NO_DROP_814: &str = "00 A3 02 0C 04 01 F4 01 2C 19 18 D7 37";
const ACK_814: &str = "01 A6 80 5A";
const ACK_REPLY_814: &str = "00 A6 81 CA";
const COOL_TO_5_814: &str = "01 A4 01 00 05 AB 33";

// Built from the documented layout.
const FINISHED_815: &str = "00 03 02 0C 00 01 F4 01 2C 19 19 55 B5";
const DROP_MODE_REPLY_815: &str = "00 21 80 00 31 EE";
const DROP_OFF_REPLY_815: &str = "00 21 00 00 50 2E";
const IDLE_814: &str = "00 A3 00 00 00 00 00 00 00 00 18 F0 63";
const COOL_REPLY_814: &str = "00 A4 01 00 05 96 F3";
const ID_REPLY_814: &str = "01 A1 41 44 48 38 31 34 20 56 31 2E 30 2E 31 2E 32 20 B1 12";
const ID_REPLY_815: &str = "00 01 41 44 48 38 31 35 20 56 31 2E 30 2E 31 2E 32 20 9C 30";

fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn profile(name: &str) -> Profile {
    let mut profile = Profile::find(name, Path::new(".")).unwrap();
    profile.addresses.count = 1;
    profile
}

fn assert_good_check_sums(frames: &[&str]) {
    for frame in frames {
        let bytes = hex(frame);
        let (body, check) = bytes.split_at(bytes.len() - 2);
        assert_eq!(crc16_modbus(body).to_le_bytes(), check, "{frame}");
    }
}

/// A driver in simulated time, with the test as its board.
struct Line {
    driver: Box<dyn Driver>,
    now: BootMs,
    findings: Vec<Finding>,
}

impl Line {
    fn idle(name: &str, poll: &str, idle: &str) -> Line {
        let mut driver = driver_for(&profile(name));
        driver.opened(BootMs(0));
        let mut line = Line { driver, now: BootMs(0), findings: Vec::new() };
        line.expect(poll);
        line.say(idle);
        assert_eq!(line.driver.state(), LineState::Idle);
        line
    }

    fn drive(&mut self, slot: u16, drop_check: bool) {
        let address = Address::new(1).unwrap();
        let floor_type = FloorType::Spring;
        let command = MotorCommand { address, slot: Slot(slot), floor_type, lift: false, drop_check };
        let reference = self.driver.reference(&command);
        self.driver.drive(self.now, &command, &reference);
    }

    /// The next frame that the driver writes is this one.
    fn expect(&mut self, frame: &str) {
        for _ in 0..100 {
            while let Some(output) = self.driver.next_output() {
                match output {
                    Output::Write(write) => {
                        assert_eq!(write.bytes, hex(frame), "{frame}");
                        if write.motor {
                            self.driver.motor_written(self.now, Written::All);
                        }
                        return;
                    }
                    Output::Finding(finding) => self.findings.push(finding),
                }
            }
            self.now = self.now.max(self.driver.deadline().expect("the driver has something to do"));
            self.driver.wake(self.now);
        }
        panic!("nothing was written instead of {frame}");
    }

    fn say(&mut self, frame: &str) {
        self.driver.received(self.now, self.now, &hex(frame));
    }

    fn found(&mut self) -> Vec<Finding> {
        while let Some(Output::Finding(finding)) = self.driver.next_output() {
            self.findings.push(finding);
        }
        std::mem::take(&mut self.findings)
    }
}

/// Time, question and answer, byte for byte.
fn assert_answers(name: &str, fault: &str, conversation: &[(u64, &str, &str)]) {
    let faults: Vec<_> = fault.split_whitespace().map(|f| f.parse().unwrap()).collect();
    let mut board = emulator_for(&profile(name), 2_000, Faults::new(faults));
    for (at, question, answer) in conversation {
        board.received(BootMs(*at), &hex(question));
        assert_eq!(board.next_output(), Some(hex(answer)), "{name}: {question} at {at}");
        assert_eq!(board.next_output(), None);
    }
}

#[test]
fn every_documented_frame_has_a_good_check_sum() {
    assert_good_check_sums(&[
        ID_815,
        POLL_815,
        IDLE_815,
        RUNNING_815,
        RUN_815,
        RUN_OK_815,
        ACK_815,
        ACK_REPLY_815,
        DROP_ON_815,
        DROP_OFF_815,
        ID_814,
        POLL_814,
        RUN_814,
        RUN_OK_814,
        RUN_NOT_CLEARED_814,
        FINISHED_814,
        NO_DROP_814,
        ACK_814,
        ACK_REPLY_814,
        COOL_TO_5_814,
    ]);
}

#[test]
fn an_adh815_is_driven_with_the_documented_frames() {
    for (drop_check, mode, reply, drop_sensor) in [
        (true, DROP_ON_815, DROP_MODE_REPLY_815, DropSensor::Seen),
        (false, DROP_OFF_815, DROP_OFF_REPLY_815, DropSensor::None),
    ] {
        let mut line = Line::idle("adh815", POLL_815, IDLE_815);
        line.drive(12, drop_check);
        line.expect(mode);
        line.say(reply);
        line.expect(RUN_815);
        line.say(RUN_OK_815);
        line.expect(POLL_815);
        line.say(RUNNING_815);
        line.expect(POLL_815);
        line.say(FINISHED_815);
        let outcome = Finding::Outcome(Evidence { motor: Motor::Ok, drop_sensor });
        assert_eq!(line.found(), [Finding::Taken, Finding::Progress(1), outcome]);
        assert_eq!(line.driver.deadline(), None, "nothing is asked while the result is not durable");
        line.driver.release(line.now);
        line.expect(ACK_815);
        line.say(ACK_REPLY_815);
        line.expect(POLL_815);
        assert_eq!(line.driver.state(), LineState::Settling);
        line.say(IDLE_815);
        assert_eq!(line.driver.state(), LineState::Idle);
        line.expect(ID_815);
    }
}

#[test]
fn an_adh814_is_driven_with_the_documented_frames() {
    for (reply, drop_sensor) in [(FINISHED_814, DropSensor::Seen), (NO_DROP_814, DropSensor::NotSeen)] {
        let mut line = Line::idle("adh814", POLL_814, IDLE_814);
        line.drive(12, true);
        line.expect(RUN_814);
        line.say(RUN_OK_814);
        line.expect(POLL_814);
        line.say(reply);
        let outcome = Finding::Outcome(Evidence { motor: Motor::Ok, drop_sensor });
        assert_eq!(line.found(), [Finding::Taken, outcome]);
        line.driver.release(line.now);
        line.expect(ACK_814);
        line.say(ACK_REPLY_814);
        line.expect(POLL_814);
        line.say(IDLE_814);
        line.expect(ID_814);
        line.say(ID_REPLY_814);
        assert_eq!(line.found(), [Finding::Identity("address 1: ADH814 V1.0.1.2".to_owned())]);
    }
}

#[test]
fn a_result_that_was_not_cleared_refuses_the_command_and_is_told_as_late() {
    let mut line = Line::idle("adh814", POLL_814, IDLE_814);
    line.drive(12, true);
    line.expect(RUN_814);
    line.say(RUN_NOT_CLEARED_814);
    line.expect(POLL_814);
    line.say(NO_DROP_814);
    let evidence = Evidence { motor: Motor::Ok, drop_sensor: DropSensor::NotSeen };
    let late = Finding::Late { address: Address::new(1).unwrap(), slot: Some(Slot(12)), evidence };
    assert_eq!(line.found(), [Finding::NotTaken(Reason::Busy), late]);
}

#[test]
fn the_emulated_boards_answer_as_documented() {
    assert_answers(
        "adh815",
        "",
        &[
            (0, ID_815, ID_REPLY_815),
            (0, DROP_ON_815, DROP_MODE_REPLY_815),
            (0, DROP_OFF_815, DROP_OFF_REPLY_815),
            (0, POLL_815, IDLE_815),
            (0, RUN_815, RUN_OK_815),
            (100, POLL_815, RUNNING_815),
            (3_000, POLL_815, FINISHED_815),
            (3_000, ACK_815, ACK_REPLY_815),
            (3_000, POLL_815, IDLE_815),
        ],
    );
    assert_answers(
        "adh814",
        "no-drop@2",
        &[
            (0, ID_814, ID_REPLY_814),
            (0, COOL_TO_5_814, COOL_REPLY_814),
            (0, RUN_814, RUN_OK_814),
            (3_000, POLL_814, FINISHED_814),
            // Held as often as it is read.
            (3_000, POLL_814, FINISHED_814),
            (3_000, RUN_814, RUN_NOT_CLEARED_814),
            (3_000, ACK_814, ACK_REPLY_814),
            (3_000, POLL_814, IDLE_814),
            (4_000, RUN_814, RUN_OK_814),
            (7_000, POLL_814, NO_DROP_814),
        ],
    );
}

#[test]
fn services_are_asked_and_answered_as_published() {
    let address = Address::new(1).unwrap();
    let cool = Service::Hold { address, mode: ClimateMode::Cool, target_c: 5 };
    let climate = |t| Ok(Reading::Climate { temperature_deci_c: Some(t), humidity_permille: None });
    for (name, poll, idle, service, question, answer, result) in [
        ("adh814", POLL_814, IDLE_814, cool, COOL_TO_5_814, COOL_REPLY_814, Ok(Reading::Done)),
        ("adh814", POLL_814, IDLE_814, Service::Climate { address }, POLL_814, IDLE_814, climate(240)),
        ("adh815", POLL_815, IDLE_815, Service::Climate { address }, POLL_815, IDLE_815, climate(250)),
    ] {
        let mut line = Line::idle(name, poll, idle);
        line.driver.serve(line.now, &service);
        line.expect(question);
        line.say(answer);
        assert_eq!(line.found(), [Finding::Served(result)], "{name} {question}");
    }
    let mut line = Line::idle("adh814", POLL_814, IDLE_814);
    line.driver.serve(line.now, &Service::Hold { address, mode: ClimateMode::Cool, target_c: 6 });
    line.expect("01 A4 01 00 06 EB 32");
    line.say(COOL_REPLY_814);
    assert_eq!(line.found(), [Finding::Served(Err(ServiceError::Refused))], "it holds another temperature");
}
