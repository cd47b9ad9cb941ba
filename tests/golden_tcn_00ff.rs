//! Every published frame of the tcn-00ff family. If this fails, do not change the test: the code no longer speaks
//! the boards' language.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says so when it fails")]

use std::path::Path;
use vend::board::driver::{
    Address, Driver, Finding, FloorType, LineState, MotorCommand, Output, Reference, Slot, Written,
};
use vend::board::profile::Profile;
use vend::board::service::{ClimateMode, Device, Reading, Service, ServiceError};
use vend::board::tcn_00ff::{Tcn00ff, reply, request};
use vend::order::outcome::{DropSensor, Evidence, Motor};
use vend::order::said::Said;
use vend::order::time::BootMs;
use vend::sim::board::{Emulator, emulator_for, fault::Faults};

const DISPENSE_1_ARMED: [u8; 6] = [0x00, 0xFF, 0x01, 0xFE, 0xAA, 0x55];
const DISPENSE_1_UNARMED: [u8; 6] = [0x00, 0xFF, 0x01, 0xFE, 0x55, 0xAA];
const LIGHT_ON: [u8; 6] = [0x00, 0xFF, 0xDD, 0x22, 0xAA, 0x55];
const READ_DOOR: [u8; 6] = [0x00, 0xFF, 0xDF, 0x20, 0x55, 0xAA];
const OK_DELIVERED: [u8; 5] = [0x00, 0x5D, 0x00, 0xAA, 0x07];
const OK_NOTHING_SEEN: [u8; 5] = [0x00, 0x5D, 0x00, 0x00, 0x5D];
const OPEN_CIRCUIT: [u8; 5] = [0x00, 0x5C, 0x40, 0x00, 0x9C];
const ROTATION_TIME_OUT: [u8; 5] = [0x00, 0x5C, 0x50, 0x00, 0xAC];

fn profile() -> Profile {
    Profile::find("tcn-00ff", Path::new(".")).unwrap()
}

/// Drives slot 1 and returns what went out.
fn drive(driver: &mut Tcn00ff, drop_check: bool) -> Vec<u8> {
    driver.opened(BootMs(0));
    let command = MotorCommand {
        address: Address::new(1).unwrap(),
        slot: Slot(1),
        floor_type: FloorType::Spring,
        lift: false,
        drop_check,
    };
    driver.drive(BootMs(0), &command, &Reference::default());
    let Some(Output::Write(write)) = driver.next_output() else { panic!("nothing went out") };
    assert!(write.motor);
    driver.motor_written(BootMs(0), Written::All);
    write.bytes
}

#[test]
fn requests_are_as_published() {
    assert_eq!(drive(&mut Tcn00ff::new(&profile()), true), DISPENSE_1_ARMED);
    assert_eq!(drive(&mut Tcn00ff::new(&profile()), false), DISPENSE_1_UNARMED);
    assert_eq!(request(0, 0xDD, 0xAA), LIGHT_ON);
    assert_eq!(request(0, 0xDF, 0x55), READ_DOOR);
}

#[test]
fn replies_are_as_published_and_mean_what_is_published() {
    use DropSensor::{NotSeen, Seen};
    for (frame, built, motor, drop_sensor) in [
        (OK_DELIVERED, reply(0, true, 0x00, 0xAA), Motor::Ok, Seen),
        (OK_NOTHING_SEEN, reply(0, true, 0x00, 0x00), Motor::Ok, NotSeen),
        (OPEN_CIRCUIT, reply(0, false, 0x40, 0x00), Motor::Open, NotSeen),
        (ROTATION_TIME_OUT, reply(0, false, 0x50, 0x00), Motor::Timeout, NotSeen),
    ] {
        assert_eq!(built, frame);
        let mut driver = Tcn00ff::new(&profile());
        drive(&mut driver, true);
        driver.received(BootMs(10), BootMs(10), &frame);
        assert_eq!(driver.next_output(), Some(Output::Finding(Finding::Outcome(Evidence { motor, drop_sensor }))));
        let mut driver = Tcn00ff::new(&profile());
        drive(&mut driver, false);
        driver.received(BootMs(10), BootMs(10), &frame);
        let unarmed = Evidence { motor, drop_sensor: DropSensor::None };
        assert_eq!(driver.next_output(), Some(Output::Finding(Finding::Outcome(unarmed))));
    }
}

#[test]
fn the_emulated_board_answers_as_published() {
    for (fault, frame, wanted) in [
        (None, DISPENSE_1_ARMED, OK_DELIVERED),
        (None, DISPENSE_1_UNARMED, OK_NOTHING_SEEN),
        (Some("no-drop"), DISPENSE_1_ARMED, OK_NOTHING_SEEN),
        (Some("open-motor"), DISPENSE_1_ARMED, OPEN_CIRCUIT),
        (None, LIGHT_ON, OK_NOTHING_SEEN),
        (None, READ_DOOR, OK_NOTHING_SEEN),
    ] {
        let faults = Faults::new(fault.map(|f| f.parse().unwrap()));
        let mut board: Box<dyn Emulator> = emulator_for(&profile(), 0, faults);
        board.received(BootMs(0), &frame);
        assert_eq!(board.next_output().as_deref(), Some(&wanted[..]), "{fault:?}");
        assert_eq!(board.next_output(), None);
    }
}

#[test]
fn rule_16_a_new_life_waits_until_a_turn_of_an_earlier_one_must_be_over() {
    let mut driver = Tcn00ff::new(&profile());
    driver.may_still_turn();
    driver.opened(BootMs(1_000));
    assert_eq!(driver.state(), LineState::Settling);
    let settled_at = driver.deadline().unwrap();
    assert_eq!(settled_at, BootMs(1_000).plus_ms(profile().timing.longest_vend_ms));
    driver.wake(settled_at);
    assert_eq!(driver.state(), LineState::Idle);
    // Once a life: a port that comes back costs nothing.
    driver.closed(settled_at);
    driver.opened(settled_at);
    assert_eq!(driver.state(), LineState::Idle);
}

#[test]
fn a_new_life_waits_for_what_an_earlier_one_may_have_asked() {
    let mut driver = Tcn00ff::new(&profile());
    driver.opened(BootMs(1_000));
    assert_eq!(driver.state(), LineState::Settling);
    assert_eq!(driver.deadline(), Some(BootMs(1_000).plus_ms(profile().timing.reply_ms)));
    driver.wake(BootMs(1_000).plus_ms(profile().timing.reply_ms));
    assert_eq!(driver.state(), LineState::Idle);
}

/// Serves with these exchanges and returns the end.
fn served(service: Service, exchanges: &[([u8; 6], [u8; 5])]) -> Finding {
    let mut driver = Tcn00ff::new(&profile());
    let mut now = BootMs(0);
    driver.opened(now);
    now = driver.deadline().unwrap();
    driver.wake(now);
    driver.serve(now, &service);
    for (question, answer) in exchanges {
        // Between two parts the line has to be quiet.
        now = now.plus_ms(60);
        driver.wake(now);
        let Some(Output::Write(write)) = driver.next_output() else { panic!("{question:02X?} did not go out") };
        assert_eq!((&write.bytes[..], write.motor), (&question[..], false));
        driver.received(now, now, answer);
    }
    let Some(Output::Finding(finding)) = driver.next_output() else { panic!("{service:?} did not end") };
    assert_eq!(driver.next_output(), None);
    finding
}

#[test]
fn services_are_asked_and_answered_as_documented() {
    let address = Address::new(1).unwrap();
    let fine = OK_NOTHING_SEEN;
    let light = Service::Switch { address, device: Device::Light, on: true };
    assert_eq!(served(light, &[(LIGHT_ON, fine)]), Finding::Served(Ok(Reading::Done)));
    assert_eq!(served(light, &[(LIGHT_ON, reply(0, false, 0, 0))]), Finding::Served(Err(ServiceError::Refused)));
    for (value, open) in [(0, false), (1, true)] {
        let door = served(Service::Door { address }, &[(READ_DOOR, reply(0, true, value, 0))]);
        assert_eq!(door, Finding::Served(Ok(Reading::Door { open })));
    }
    let read_temperature = [0x00, 0xFF, 0xDC, 0x23, 0x55, 0xAA];
    for (value, deci_c) in [(0x05, 50), (0xFB, -50)] {
        let climate = served(Service::Climate { address }, &[(read_temperature, reply(0, true, value, 0))]);
        let reading = Reading::Climate { temperature_deci_c: Some(deci_c), humidity_permille: None };
        assert_eq!(climate, Finding::Served(Ok(reading)));
    }
    let self_check = [0x00, 0xFF, 0x64, 0x9B, 0x55, 0xAA];
    for (answer, reading) in [
        (fine, Reading::Healthy),
        (OPEN_CIRCUIT, Reading::faulty(Said::new("motor open", "电机开路"))),
        (
            reply(0, false, 0x52, 0),
            Reading::faulty(Said::new("rotation time-out, drop sensor: no signal", "转动超时，掉货传感器：无信号")),
        ),
    ] {
        assert_eq!(served(Service::SelfCheck { address }, &[(self_check, answer)]), Finding::Served(Ok(reading)));
    }
    let slot_1_exists = [0x00, 0xFF, 0x79, 0x86, 0x55, 0xAA];
    let slot = Service::SlotState { address, slot: Slot(1) };
    assert_eq!(served(slot, &[(slot_1_exists, fine)]), Finding::Served(Ok(Reading::SlotReady)));
    assert_eq!(served(slot, &[(slot_1_exists, reply(0, false, 0, 0))]), Finding::Served(Ok(Reading::SlotAbsent)));
    let mode = [0x00, 0xFF, 0xCD, 0x32, 0x01, 0xFE];
    let target = [0x00, 0xFF, 0xCE, 0x31, 0xFC, 0x03];
    let on = [0x00, 0xFF, 0xCC, 0x33, 0xAA, 0x55];
    let cool = Service::Hold { address, mode: ClimateMode::Cool, target_c: -4 };
    assert_eq!(served(cool, &[(mode, fine), (target, fine), (on, fine)]), Finding::Served(Ok(Reading::Done)));
    let refused = reply(0, false, 0, 0);
    assert_eq!(served(cool, &[(mode, fine), (target, refused)]), Finding::Served(Err(ServiceError::Refused)));
}

#[test]
fn rule_19_the_command_that_turns_a_slot_home_is_no_service() {
    let driver = Tcn00ff::new(&profile());
    let address = Address::new(1).unwrap();
    assert!(!driver.serves(&Service::Reset { address }));
    for slot in [0, 81, 256] {
        assert!(!driver.serves(&Service::SlotState { address, slot: Slot(slot) }), "{slot}");
    }
}
