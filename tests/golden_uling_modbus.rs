//! The published frames of the ZDM8 boards. If this fails, do not change the test: these are the bytes that real
//! boards speak, and the code is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use vend::board::driver::{
    Address, Driver, Finding, FloorType, LineFault, LineState, MotorCommand, Output, Slot, Written,
};
use vend::board::driver_for;
use vend::board::frame::crc16_modbus;
use vend::board::profile::Profile;
use vend::board::service::{Device, Reading, Service, ServiceError};
use vend::order::outcome::{DropSensor, Evidence, Motor, Reason};
use vend::order::time::BootMs;
use vend::sim::board::emulator_for;
use vend::sim::board::fault::Faults;

const READ_HARDWARE: &str = "01 03 00 01 00 02 95 CB";
const HARDWARE: &str = "01 03 04 20 02 0A 0A D6 94";
const READ_SOFTWARE: &str = "01 03 00 02 00 02 65 CB";
const SOFTWARE: &str = "01 03 04 20 20 02 20 F0 81";
const READ_STATUS: &str = "01 03 00 03 00 01 74 0A";
const IDLE: &str = "01 03 02 00 00 B8 44";
const DISPENSING: &str = "01 03 02 01 00 B9 D4";
const SUCCESS: &str = "01 03 02 02 00 B9 24";
const FAILED_7: &str = "01 03 02 03 07 F9 76";
const READ_TEMPERATURE: &str = "01 03 00 04 00 02 85 CA";
const TEMPERATURE: &str = "01 03 04 00 D2 02 26 DA B0";
const READ_BOX: &str = "01 03 00 05 00 01 94 0B";
const READ_DROP_DETECTOR: &str = "01 03 00 08 00 01 05 C8";
const SHIP_16: &str = "01 10 20 01 00 02 04 10 01 01 00 FF 32";
const SHIP_20_WITHOUT_DROP: &str = "01 10 20 01 00 02 04 14 01 00 00 FF 92";
const SHIP_0: &str = "01 10 20 01 00 02 04 00 01 01 00 FB F2";
const ACCEPTED: &str = "01 10 20 01 00 02 1B C8";
const EXCEPTION_4_ON_WRITE_ONE: &str = "01 86 04 43 A3";
const EXCEPTION_6: &str = "01 90 06 CC 02";
const RELAY_1_ON: &str = "01 06 10 01 01 01 1C 9A";
const LIFT_RESET: &str = "01 06 10 02 00 01 ED 0A";
const MOTOR_TIMEOUT_3000: &str = "01 06 10 04 0B B8 CB 89";

// Built from the published layout: box 1 is closed; the drop detector is clear; idle with the last fault code.
const BOX_CLOSED: &str = "01 03 02 01 01 78 14";
const DROP_DETECTOR_CLEAR: &str = "01 03 02 00 01 79 84";
const IDLE_AFTER_7: &str = "01 03 02 00 07 F9 86";

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
        READ_HARDWARE,
        HARDWARE,
        READ_SOFTWARE,
        SOFTWARE,
        READ_STATUS,
        IDLE,
        DISPENSING,
        SUCCESS,
        FAILED_7,
        READ_TEMPERATURE,
        TEMPERATURE,
        READ_BOX,
        READ_DROP_DETECTOR,
        SHIP_16,
        SHIP_20_WITHOUT_DROP,
        SHIP_0,
        ACCEPTED,
        EXCEPTION_4_ON_WRITE_ONE,
        EXCEPTION_6,
        RELAY_1_ON,
        LIFT_RESET,
        MOTOR_TIMEOUT_3000,
    ]);
}

fn idle() -> Line {
    Line::idle("uling-zdm8", READ_STATUS, IDLE)
}

#[test]
fn the_driver_asks_for_the_status_first_and_then_who_the_board_is() {
    let mut line = idle();
    line.expect(READ_HARDWARE);
    line.say(HARDWARE);
    line.expect(READ_SOFTWARE);
    line.say(SOFTWARE);
    let told = ["address 1: hardware 20.02, 10 rows, 10 columns", "address 1: software 2020-02-20"];
    assert_eq!(line.found(), told.map(|text| Finding::Identity(text.to_owned())));
}

#[test]
fn the_driver_ships_as_published_and_understands_every_published_status() {
    for (slot, drop_check, ship) in [(16, true, SHIP_16), (20, false, SHIP_20_WITHOUT_DROP), (0, true, SHIP_0)] {
        for (result, motor, sensor) in
            [(SUCCESS, Motor::Ok, DropSensor::Seen), (FAILED_7, Motor::Timeout, DropSensor::NotSeen)]
        {
            let mut line = idle();
            line.drive(slot, drop_check);
            line.expect(ship);
            line.say(ACCEPTED);
            line.expect(READ_STATUS);
            line.say(DISPENSING);
            line.expect(READ_STATUS);
            line.say(result);
            let drop_sensor = if drop_check { sensor } else { DropSensor::None };
            let outcome = Finding::Outcome(Evidence { motor, drop_sensor });
            assert_eq!(line.found(), [Finding::Taken, Finding::Progress(1), outcome], "{ship} {result}");
        }
    }
}

#[test]
fn the_driver_understands_a_busy_board_and_is_not_misled_by_another_functions_exception() {
    let mut line = idle();
    line.drive(16, true);
    line.expect(SHIP_16);
    line.say(EXCEPTION_4_ON_WRITE_ONE);
    assert_eq!(line.found(), [Finding::Fault(LineFault::Unexpected)]);
    line.say(EXCEPTION_6);
    assert_eq!(line.found(), [Finding::NotTaken(Reason::Busy)]);
}

#[test]
fn the_emulated_board_answers_as_published() {
    assert_answers(
        "uling-zdm8",
        "jam@2",
        &[
            (0, READ_HARDWARE, HARDWARE),
            (0, READ_SOFTWARE, SOFTWARE),
            (0, READ_TEMPERATURE, TEMPERATURE),
            (0, READ_BOX, BOX_CLOSED),
            (0, READ_DROP_DETECTOR, DROP_DETECTOR_CLEAR),
            (0, RELAY_1_ON, RELAY_1_ON),
            (0, LIFT_RESET, LIFT_RESET),
            (0, MOTOR_TIMEOUT_3000, MOTOR_TIMEOUT_3000),
            (0, READ_STATUS, IDLE),
            (1_000, SHIP_16, ACCEPTED),
            (1_100, READ_STATUS, DISPENSING),
            (1_200, SHIP_0, EXCEPTION_6),
            (3_000, READ_STATUS, SUCCESS),
            // Reading has cleared it.
            (3_000, READ_STATUS, IDLE),
            (4_000, SHIP_20_WITHOUT_DROP, ACCEPTED),
            (6_000, READ_STATUS, FAILED_7),
            // The state is cleared, the code stays.
            (6_000, READ_STATUS, IDLE_AFTER_7),
        ],
    );
}

#[test]
fn services_are_asked_and_answered_as_published() {
    let address = Address::new(1).unwrap();
    let mut profile = profile("uling-zdm8");
    profile.options.relays = [(Device::Light, 1)].into();
    let climate = Reading::Climate { temperature_deci_c: Some(210), humidity_permille: Some(550) };
    let light = Service::Switch { address, device: Device::Light, on: true };
    for (service, question, answer, result) in [
        (Service::Climate { address }, READ_TEMPERATURE, TEMPERATURE, Ok(climate)),
        (Service::Door { address }, READ_BOX, BOX_CLOSED, Ok(Reading::Door { open: false })),
        (Service::SelfCheck { address }, READ_DROP_DETECTOR, DROP_DETECTOR_CLEAR, Ok(Reading::Healthy)),
        (light, RELAY_1_ON, RELAY_1_ON, Ok(Reading::Done)),
        (light, RELAY_1_ON, EXCEPTION_4_ON_WRITE_ONE, Err(ServiceError::Refused)),
        (Service::Reset { address }, LIFT_RESET, LIFT_RESET, Ok(Reading::Done)),
    ] {
        let mut line = idle();
        line.driver = vend::board::driver_for(&profile);
        line.driver.opened(line.now);
        line.expect(READ_STATUS);
        line.say(IDLE);
        line.driver.serve(line.now, &service);
        line.expect(question);
        // Another register's echo and an accepted turn are not the answer.
        line.say(MOTOR_TIMEOUT_3000);
        line.say(ACCEPTED);
        assert_eq!(line.found(), [Finding::Fault(LineFault::Unexpected), Finding::Fault(LineFault::Unexpected)]);
        line.say(answer);
        assert_eq!(line.found(), [Finding::Served(result)], "{question}");
    }
    assert!(!idle().driver.serves(&light), "without its relay in the profile");
}
