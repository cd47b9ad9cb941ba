//! What comes from the line in any shape, and answers that no emulated board gives.

use super::super::driver::{Driver, FloorType};
use super::*;
use crate::board::adh::Adh;
use crate::board::protocol::{Fit, sealed};
use crate::board::talk::FRAME_BYTES_MAX;
use crate::board::uling_modbus::UlingModbus;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use proptest::prelude::*;
use std::path::Path;

fn profile(name: &str, count: u8) -> Profile {
    let mut profile = Profile::find(name, Path::new(".")).unwrap();
    profile.addresses.count = count;
    profile
}

fn command(slot: u16) -> MotorCommand {
    let address = Address::new(1).unwrap();
    MotorCommand { address, slot: Slot(slot), floor_type: FloorType::Spring, lift: false, drop_check: true }
}

fn outputs(driver: &mut dyn Driver) -> (Vec<Vec<u8>>, Vec<Finding>) {
    let (mut writes, mut findings) = (Vec::new(), Vec::new());
    while let Some(output) = driver.next_output() {
        match output {
            Output::Write(write) => writes.push(write.bytes),
            Output::Finding(finding) => findings.push(finding),
        }
    }
    (writes, findings)
}

/// Wakes the driver when it wants, until it writes; gives the time, what it wrote and what it found meanwhile.
fn next_write(driver: &mut dyn Driver, mut now: BootMs) -> (BootMs, Vec<u8>, Vec<Finding>) {
    let mut found = Vec::new();
    for _ in 0..100 {
        let (writes, findings) = outputs(driver);
        found.extend(findings);
        if let Some(write) = writes.into_iter().next() {
            return (now, write, found);
        }
        now = now.max(driver.deadline().unwrap_or(now)).plus_ms(1);
        driver.wake(now);
    }
    panic!("the driver wrote nothing: {found:?}");
}

const ZDM8_IDLE: &[u8] = &[1, 3, 2, 0, 0];
const ADH_IDLE: &[u8] = &[0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 25];

/// A driver that has just been told to drive, with the motor command written.
fn driving(name: &str, slot: u16) -> (Box<dyn Driver>, BootMs) {
    let profile = profile(name, 1);
    let mut driver = crate::board::driver_for(&profile);
    let idle = sealed(if name == "uling-zdm8" { ZDM8_IDLE.to_vec() } else { ADH_IDLE.to_vec() });
    driver.opened(BootMs(0));
    let (now, ..) = next_write(driver.as_mut(), BootMs(0));
    driver.received(now, now, &idle);
    assert_eq!(driver.state(), LineState::Idle);
    let reference = driver.reference(&command(slot));
    driver.drive(now, &command(slot), &reference);
    let (mut now, mut write, _) = next_write(driver.as_mut(), now);
    if name == "adh815" {
        assert_eq!(write, sealed(vec![1, 0x21, 0x80, 0]));
        driver.received(now, now, &sealed(vec![0, 0x21, 0x80, 0]));
        (now, write, _) = next_write(driver.as_mut(), now);
        assert_eq!(write[1], 5);
    } else {
        assert_eq!(write[1], 0x10);
    }
    driver.motor_written(now, Written::All);
    (driver, now)
}

fn findings_after(driver: &mut dyn Driver, now: BootMs, frame: Vec<u8>) -> Vec<Finding> {
    driver.received(now, now, &sealed(frame));
    outputs(driver).1
}

#[test]
fn every_answer_to_the_motor_command_of_uling_modbus_means_what_is_documented() {
    for (code, reason) in
        [(1, Reason::Invalid), (2, Reason::Invalid), (3, Reason::Slot), (4, Reason::Invalid), (6, Reason::Busy)]
    {
        let (mut driver, now) = driving("uling-zdm8", 16);
        assert_eq!(findings_after(driver.as_mut(), now, vec![1, 0x90, code]), [Finding::NotTaken(reason)], "{code}");
    }
    let (mut driver, now) = driving("uling-zdm8", 16);
    assert_eq!(findings_after(driver.as_mut(), now, vec![1, 0x90, 8]), [Finding::Taken]);

    // 5 has no meaning: the status decides.
    let (mut driver, now) = driving("uling-zdm8", 16);
    assert_eq!(findings_after(driver.as_mut(), now, vec![1, 0x90, 5]), []);
    assert_eq!(driver.state(), LineState::Busy);

    // 7 is a result, unless the status knows more.
    let failed = Evidence { motor: Motor::Timeout, drop_sensor: DropSensor::NotSeen };
    let (mut driver, now) = driving("uling-zdm8", 16);
    assert_eq!(findings_after(driver.as_mut(), now, vec![1, 0x90, 7]), []);
    let (now, ..) = next_write(driver.as_mut(), now);
    assert_eq!(findings_after(driver.as_mut(), now, ZDM8_IDLE.to_vec()), [Finding::Outcome(failed)]);
}

#[test]
fn every_answer_to_the_motor_command_of_adh_means_what_is_documented() {
    for (code, reason) in [(1, Reason::Slot), (2, Reason::Busy), (3, Reason::Busy)] {
        let (mut driver, now) = driving("adh815", 12);
        assert_eq!(findings_after(driver.as_mut(), now, vec![0, 5, code]), [Finding::NotTaken(reason)], "{code}");
    }
    let (mut driver, now) = driving("adh815", 12);
    assert_eq!(findings_after(driver.as_mut(), now, vec![0, 5, 9]), []);
    assert_eq!(driver.state(), LineState::Busy);
}

#[test]
fn rule_15_an_unanswered_motor_command_is_never_sent_again_and_its_late_result_is_ours() {
    for (name, slot, result) in
        [("uling-zdm8", 16, vec![1, 3, 2, 2, 0]), ("adh815", 12, vec![0, 3, 2, 12, 0, 0, 0, 0, 0, 0, 25])]
    {
        let (mut driver, mut now) = driving(name, slot);
        for _ in 0..10 {
            let (at, write, _) = next_write(driver.as_mut(), now);
            assert_eq!(write[1], 3, "{name} asked for more than the status");
            now = at;
        }
        let seen = Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen };
        assert_eq!(findings_after(driver.as_mut(), now, result), [Finding::Outcome(seen)], "{name}");
        assert_eq!(driver.state(), LineState::Held);
    }
}

#[test]
fn a_turn_of_another_motor_is_never_credited() {
    for state in [1, 2] {
        let (mut driver, now) = driving("adh815", 12);
        findings_after(driver.as_mut(), now, vec![0, 5, 0]);
        let (now, ..) = next_write(driver.as_mut(), now);
        let found = findings_after(driver.as_mut(), now, vec![0, 3, state, 13, 0, 0, 0, 0, 0, 0, 25]);
        assert!(matches!(found[0], Finding::Unproven(_)), "{found:?}");
        assert_eq!(found.len(), usize::from(state), "only a finished one is told as late: {found:?}");
    }
}

#[test]
fn rule_14_a_result_found_before_the_motor_command_is_an_older_turns() {
    let mut driver = crate::board::driver_for(&profile("adh815", 1));
    driver.opened(BootMs(0));
    let (now, ..) = next_write(driver.as_mut(), BootMs(0));
    driver.received(now, now, &sealed(ADH_IDLE.to_vec()));
    let later = now.plus_ms(FRESH_IDLE_MS);
    let reference = driver.reference(&command(16));
    driver.drive(later, &command(16), &reference);
    let (asked, question, _) = next_write(driver.as_mut(), later);
    assert_eq!(question[1], 3, "what is the board doing?");
    let found = findings_after(driver.as_mut(), asked, vec![0, 3, 2, 16, 0, 0, 0, 0, 0, 0, 25]);
    assert_eq!(found[0], Finding::NotTaken(Reason::Busy));
    assert!(matches!(found[1], Finding::Late { .. }), "{found:?}");
}

#[test]
fn results_of_adh_keep_motor_and_drop_sensor_apart() {
    use DropSensor::{None as Unarmed, NotSeen, Seen};
    use Motor::{Ok, Open, OverCurrent, Timeout};
    let protocol = crate::board::adh::AdhProtocol::new(&profile("adh815", 1));
    for (code, motor, armed, unarmed) in [
        (0, Ok, Seen, Unarmed),
        (1, OverCurrent, Seen, Unarmed),
        (2, Open, Seen, Unarmed),
        (3, Timeout, Seen, Unarmed),
        (4, Ok, NotSeen, NotSeen),
        (5, OverCurrent, NotSeen, NotSeen),
        (6, Open, NotSeen, NotSeen),
        (7, Timeout, NotSeen, NotSeen),
        (8, Timeout, NotSeen, Unarmed),
    ] {
        assert_eq!(protocol.evidence(code, true), Evidence { motor, drop_sensor: armed }, "{code}");
        assert_eq!(protocol.evidence(code, false), Evidence { motor, drop_sensor: unarmed }, "{code}");
    }
}

#[test]
fn the_profile_may_know_more_of_a_fault_code() {
    let mut zdm8 = profile("uling-zdm8", 1);
    let jam = Evidence { motor: Motor::OverCurrent, drop_sensor: DropSensor::NotSeen };
    zdm8.outcomes.insert("0x07".to_owned(), jam);
    let protocol = crate::board::uling_modbus::Zdm8::new(&zdm8);
    assert_eq!(protocol.evidence(0x0307, true), jam);
    assert_eq!(protocol.evidence(0x0307, false), Evidence { drop_sensor: DropSensor::None, ..jam });
    assert_eq!(protocol.evidence(0x0308, true).motor, Motor::Timeout);
}

#[test]
fn faults_of_the_line_are_told_apart() {
    let waiting = || {
        let mut driver = UlingModbus::new(&profile("uling-zdm8", 1));
        driver.opened(BootMs(0));
        let (now, ..) = next_write(&mut driver, BootMs(0));
        (driver, now)
    };
    let bad_check = [&sealed(ZDM8_IDLE.to_vec())[..6], &[0]].concat();
    for (bytes, fault) in
        [(vec![], LineFault::TimeOut), (bad_check, LineFault::BadCheck), (vec![0xAA, 0x55], LineFault::Noise)]
    {
        let (mut driver, now) = waiting();
        driver.received(now, now, &bytes);
        let (_, _, found) = next_write(&mut driver, now);
        assert_eq!(found, [Finding::Fault(fault)]);
    }
    for foreign in [vec![2, 3, 2, 0, 0], vec![1, 0x86, 4], vec![1, 3, 2, 9, 0]] {
        let (mut driver, now) = waiting();
        driver.received(now, now, &sealed(foreign));
        assert_eq!(outputs(&mut driver).1, [Finding::Fault(LineFault::Unexpected)]);
        assert_eq!(driver.state(), LineState::Settling);
    }
    let (mut driver, now) = waiting();
    driver.received(now.plus_ms(9), BootMs(0), &sealed(ZDM8_IDLE.to_vec()));
    assert_eq!(outputs(&mut driver).1, [Finding::Fault(LineFault::Unexpected)], "read before the question");
}

#[test]
fn a_reply_is_found_in_any_cut_and_after_noise() {
    let idle = sealed(ZDM8_IDLE.to_vec());
    let noisy = [&[0x55, 1, 3, 2][..], &idle, &idle].concat();
    for cut in 0..noisy.len() {
        let mut driver = UlingModbus::new(&profile("uling-zdm8", 1));
        driver.opened(BootMs(0));
        let (now, ..) = next_write(&mut driver, BootMs(0));
        driver.received(now, now, &noisy[..cut]);
        driver.received(now, now, &noisy[cut..]);
        assert_eq!(driver.state(), LineState::Idle, "cut at {cut}");
        let (_, found) = outputs(&mut driver);
        let expected = [Finding::Fault(LineFault::Noise), Finding::Fault(LineFault::Unexpected)];
        assert_eq!(found, expected, "cut at {cut}");
    }
}

#[test]
fn a_status_of_adh_may_have_thirteen_or_fourteen_bytes() {
    for extra in [&[][..], &[0]] {
        let mut driver = Adh::new(&profile("adh815", 1));
        driver.opened(BootMs(0));
        let (now, ..) = next_write(&mut driver, BootMs(0));
        for byte in sealed([ADH_IDLE, extra].concat()) {
            driver.received(now, now, &[byte]);
        }
        assert_eq!(driver.state(), LineState::Idle);
    }
}

#[test]
fn the_line_settles_only_after_the_longest_vend_when_an_unanswered_command_met_an_idle_board() {
    let (mut driver, start) = driving("adh815", 12);
    let mut now = start;
    let mut unproven_at = None;
    while driver.state() != LineState::Idle {
        let (at, write, found) = next_write(driver.as_mut(), now);
        now = at;
        if found.iter().any(|f| matches!(f, Finding::Unproven(_))) {
            unproven_at = Some(now);
        }
        assert_eq!(write[1], 3);
        driver.received(now, now, &sealed(ADH_IDLE.to_vec()));
    }
    let unproven_ms = unproven_at.unwrap().since_ms(start);
    assert!((START_GRACE_MS..START_GRACE_MS + 1_000).contains(&unproven_ms), "{unproven_ms}");
    assert!(now.since_ms(start) >= 15_000);
}

#[test]
fn a_service_is_asked_again_as_often_as_the_profile_says() {
    for (retries, asked) in [(None, 2), (Some(0), 1), (Some(3), 4)] {
        let mut profile = profile("uling-zdm8", 1);
        profile.timing.retries = retries;
        let mut driver = UlingModbus::new(&profile);
        driver.opened(BootMs(0));
        let (mut now, ..) = next_write(&mut driver, BootMs(0));
        driver.received(now, now, &sealed(ZDM8_IDLE.to_vec()));
        driver.serve(now, &Service::Climate { address: Address::new(1).unwrap() });
        let (mut written, mut served) = (0, Vec::new());
        // Register 4 is the climate; what follows when it is given up is another question.
        while served.is_empty() {
            let (at, write, found) = next_write(&mut driver, now);
            now = at;
            written += usize::from(write[..4] == [1, 3, 0, 4]);
            served = found.into_iter().filter(|f| matches!(f, Finding::Served(_))).collect();
        }
        assert_eq!((written, served), (asked, vec![Finding::Served(Err(ServiceError::NoAnswer))]), "{retries:?}");
    }
}

#[test]
fn a_class_less_profile_proves_nothing_after_a_restart() {
    let mut profile = profile("adh815", 1);
    profile.recovery_class = RecoveryClass::None;
    let mut driver = Adh::new(&profile);
    driver.resume(BootMs(0), &command(12), &Reference(vec![HEARD_IDLE]));
    driver.opened(BootMs(0));
    assert!(matches!(outputs(&mut driver).1[..], [Finding::Unproven(_)]));
}

#[test]
fn a_result_that_its_reading_has_cleared_counts_even_when_it_comes_late() {
    let (mut driver, now) = driving("uling-zdm8", 16);
    findings_after(driver.as_mut(), now, vec![1, 0x10, 0x20, 1, 0, 2]);
    let (now, ..) = next_write(driver.as_mut(), now);
    let late = driver.deadline().unwrap();
    driver.wake(late);
    assert_eq!(outputs(driver.as_mut()).1, [Finding::Fault(LineFault::TimeOut)]);
    assert!(late > now);
    let found = findings_after(driver.as_mut(), late, vec![1, 3, 2, 2, 0]);
    let seen = Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen };
    assert_eq!(found, [Finding::Fault(LineFault::Unexpected), Finding::Outcome(seen)]);
}

#[test]
fn a_motor_command_that_nobody_fetched_is_never_written_after_the_core_gave_up() {
    let profile = profile("uling-zdm8", 1);
    let mut driver = UlingModbus::new(&profile);
    driver.opened(BootMs(0));
    let (now, ..) = next_write(&mut driver, BootMs(0));
    driver.received(now, now, &sealed(ZDM8_IDLE.to_vec()));
    // Who the board is may be asked first.
    let (mut now, ..) = next_write(&mut driver, now);
    let reference = driver.reference(&command(16));
    driver.drive(now, &command(16), &reference);
    while !driver.talk.has_motor_queued() {
        now = driver.deadline().unwrap();
        driver.wake(now);
        if driver.talk.exchange.as_ref().is_some_and(|e| e.question == Request::Status) {
            driver.received(now, now, &sealed(ZDM8_IDLE.to_vec()));
        }
    }
    driver.give_up(now);
    for _ in 0..100 {
        now = driver.deadline().unwrap();
        driver.wake(now);
        while let Some(output) = driver.next_output() {
            assert!(!matches!(output, Output::Write(w) if w.motor));
        }
    }
}

#[test]
fn a_result_that_the_board_did_not_forget_is_acknowledged_again_and_not_told_twice() {
    let result = vec![0, 3, 2, 12, 0, 0, 0, 0, 0, 0, 25];
    let (mut driver, now) = driving("adh815", 12);
    findings_after(driver.as_mut(), now, vec![0, 5, 0]);
    let (now, ..) = next_write(driver.as_mut(), now);
    assert!(matches!(findings_after(driver.as_mut(), now, result.clone())[..], [Finding::Outcome(_)]));
    driver.release(now);
    let mut now = now;
    for _ in 0..3 {
        let (at, acknowledge, _) = next_write(driver.as_mut(), now);
        assert_eq!(acknowledge[1], 6);
        findings_after(driver.as_mut(), at, vec![0, 6]);
        let (at, ..) = next_write(driver.as_mut(), at);
        assert_eq!(findings_after(driver.as_mut(), at, result.clone()), []);
        now = at;
    }
    assert_eq!(driver.state(), LineState::Settling);
}

#[test]
fn a_status_that_comes_while_the_motor_command_is_under_way_is_not_its_result() {
    let (mut driver, now) = driving("uling-zdm8", 16);
    // A turn cannot have ended before its command was answered: this is what the board said about an older one.
    assert_eq!(findings_after(driver.as_mut(), now, vec![1, 3, 2, 2, 0]), [Finding::Fault(LineFault::Unexpected)]);
    assert_eq!(findings_after(driver.as_mut(), now, vec![1, 0x10, 0x20, 1, 0, 2]), [Finding::Taken]);
}

#[test]
fn an_acceptance_that_comes_after_its_time_out_still_says_that_the_command_was_taken() {
    let (mut driver, now) = driving("uling-zdm8", 16);
    driver.wake(driver.deadline().unwrap());
    let (now, write, _) = next_write(driver.as_mut(), now);
    assert_eq!(write[1], 3, "the status is asked instead");
    let found = findings_after(driver.as_mut(), now, vec![1, 0x10, 0x20, 1, 0, 2]);
    assert_eq!(found, [Finding::Fault(LineFault::Unexpected), Finding::Taken]);
}

#[test]
fn a_taken_command_whose_board_stays_idle_is_given_its_grace_and_not_a_millisecond_more() {
    for (after_ms, unproven) in [(START_GRACE_MS - 1, false), (START_GRACE_MS, true)] {
        let (mut driver, sent_at) = driving("uling-zdm8", 16);
        findings_after(driver.as_mut(), sent_at, vec![1, 0x10, 0x20, 1, 0, 2]);
        let (now, ..) = next_write(driver.as_mut(), sent_at);
        let found = findings_after(driver.as_mut(), now, ZDM8_IDLE.to_vec());
        assert_eq!(found, [], "it may still begin to turn");
        let at = sent_at.plus_ms(after_ms);
        next_write(driver.as_mut(), now);
        let found = findings_after(driver.as_mut(), at, ZDM8_IDLE.to_vec());
        assert_eq!(found.iter().any(|f| matches!(f, Finding::Unproven(_))), unproven, "{after_ms} ms: {found:?}");
    }
}

#[test]
fn an_acceptance_that_comes_twice_is_told_once() {
    let accepted = vec![1, 0x10, 0x20, 1, 0, 2];
    let (mut driver, now) = driving("uling-zdm8", 16);
    assert_eq!(findings_after(driver.as_mut(), now, accepted.clone()), [Finding::Taken]);
    assert_eq!(findings_after(driver.as_mut(), now, accepted.clone()), [Finding::Fault(LineFault::Unexpected)]);

    let mut driver = UlingModbus::new(&profile("uling-zdm8", 1));
    driver.resume(BootMs(0), &command(16), &Reference(vec![HEARD_IDLE]));
    driver.opened(BootMs(0));
    let (now, ..) = next_write(&mut driver, BootMs(0));
    let found = findings_after(&mut driver, now, accepted);
    assert_eq!(found, [Finding::Fault(LineFault::Unexpected)], "the command is of an earlier life");
}

#[test]
fn an_idle_board_does_not_answer_for_another_that_was_not_asked() {
    let mut driver = UlingModbus::new(&profile("uling-zdm8", 2));
    let idle = |address: u8| sealed(vec![address, 3, 2, 0, 0]);
    let (mut now, mut watched) = (BootMs(0), Vec::new());
    driver.opened(now);
    // Until the second board is watched, long after the first was seen idle.
    while now < BootMs(WATCH_MS) || watched.first() != Some(&2) {
        let (at, write, _) = next_write(&mut driver, now);
        (now, watched) = (at, write);
        if now < BootMs(WATCH_MS) || watched[0] != 2 {
            driver.received(now, now, &idle(watched[0]));
        }
    }
    driver.drive(now, &command(16), &Reference(vec![HEARD_IDLE]));
    driver.received(now, now, &idle(2));
    let (now, write, _) = next_write(&mut driver, now);
    assert_eq!((write[0], write[1]), (1, 3), "it is asked itself");
    driver.received(now, now, &idle(1));
    let (_, write, _) = next_write(&mut driver, now);
    assert_eq!((write[0], write[1]), (1, 0x10));
}

#[test]
fn a_result_that_comes_twice_before_it_is_durable_is_told_once() {
    let (mut driver, now) = driving("uling-zdm8", 16);
    findings_after(driver.as_mut(), now, vec![1, 0x10, 0x20, 1, 0, 2]);
    let (now, ..) = next_write(driver.as_mut(), now);
    assert!(matches!(findings_after(driver.as_mut(), now, vec![1, 3, 2, 2, 0])[..], [Finding::Outcome(_)]));
    assert_eq!(findings_after(driver.as_mut(), now, vec![1, 3, 2, 2, 0]), [Finding::Fault(LineFault::Unexpected)]);
}

/// The addresses that are asked within this time by a driver of two boards, of which those in `present` answer.
fn asked_within(present: &[u8], ms: u64) -> Vec<u8> {
    let mut driver = UlingModbus::new(&profile("uling-zdm8", 2));
    let mut asked = Vec::new();
    let mut now = BootMs(0);
    driver.opened(now);
    while now < BootMs(ms) {
        let (writes, _) = outputs(&mut driver);
        for write in writes {
            asked.push(write[0]);
            if present.contains(&write[0]) && write[3] == 3 {
                driver.received(now, now, &sealed(vec![write[0], 3, 2, 0, 0]));
            }
        }
        now = now.plus_ms(10);
        driver.wake(now);
    }
    asked
}

#[test]
fn who_a_board_of_adh_is_does_not_tell_that_it_is_idle() {
    let mut driver = Adh::new(&profile("adh815", 1));
    driver.opened(BootMs(0));
    let (now, ..) = next_write(&mut driver, BootMs(0));
    // Its text is free, so it can begin with what would be an idle state.
    driver.received(now, now, &sealed(vec![0, crate::board::adh::ID, 0, 0, 0, 0]));
    assert_eq!(outputs(&mut driver).1, [Finding::Fault(LineFault::Unexpected)]);
    assert_eq!(driver.state(), LineState::Settling);
}

#[test]
fn who_a_board_of_adh_is_does_not_answer_the_motor_command() {
    let (mut driver, now) = driving("adh815", 12);
    let identity = vec![0, crate::board::adh::ID, crate::board::adh::RUN_BAD_PARAMETER];
    assert_eq!(findings_after(driver.as_mut(), now, identity), [Finding::Fault(LineFault::Unexpected)]);
    assert_eq!(findings_after(driver.as_mut(), now, vec![0, 5, 0]), [Finding::Taken]);
}

#[test]
fn only_the_adh815_has_an_answer_to_a_drop_mode() {
    let fits = |name: &str, second| {
        let bytes = sealed(vec![0, second, 0x80, 0]);
        crate::board::adh::AdhProtocol::new(&profile(name, 1)).fit(&bytes)
    };
    assert_eq!(fits("adh815", crate::board::adh::MODE), Fit::Whole(6));
    assert_eq!(fits("adh814", crate::board::adh::MODE), Fit::No);
    assert_eq!(fits("adh815", 0x77), Fit::No);
}

#[test]
fn rule_18_a_board_that_answered_has_heard_the_command_whatever_the_kernel_says_of_its_bytes() {
    let profile = profile("uling-zdm8", 1);
    let mut driver = UlingModbus::new(&profile);
    driver.opened(BootMs(0));
    let (now, ..) = next_write(&mut driver, BootMs(0));
    driver.received(now, now, &sealed(ZDM8_IDLE.to_vec()));
    let reference = driver.reference(&command(16));
    driver.drive(now, &command(16), &reference);
    let (now, write, _) = next_write(&mut driver, now);
    assert_eq!(write[1], 0x10);
    assert_eq!(findings_after(&mut driver, now, vec![1, 0x10, 0x20, 1, 0, 2]), [Finding::Taken]);
    driver.motor_written(now, Written::Nothing);
    assert_eq!(outputs(&mut driver).1, []);
    assert_eq!(driver.state(), LineState::Busy);
}

#[test]
fn a_result_that_is_gone_says_whether_the_motor_was_seen_turning() {
    for (turned, words) in [(false, "after the command was written"), (true, "was turning")] {
        let (mut driver, now) = driving("uling-zdm8", 16);
        findings_after(driver.as_mut(), now, vec![1, 0x10, 0x20, 1, 0, 2]);
        let (mut now, ..) = next_write(driver.as_mut(), now);
        if turned {
            findings_after(driver.as_mut(), now, vec![1, 3, 2, 1, 0]);
            (now, ..) = next_write(driver.as_mut(), now);
        }
        now = now.plus_ms(START_GRACE_MS);
        let found = findings_after(driver.as_mut(), now, ZDM8_IDLE.to_vec());
        assert!(found.iter().any(|f| matches!(f, Finding::Unproven(why) if why.contains(words))), "{found:?}");
    }
}

/// A board that starts anew has lost its mode and its result (boards.md, D): between two polls only the missing result
/// tells of it.
#[test]
fn a_drop_mode_is_set_anew_after_a_vend_whose_result_is_gone() {
    for ending in [0, 1] {
        let (mut driver, now) = driving("adh815", 12);
        findings_after(driver.as_mut(), now, vec![0, 5, 0]);
        let (mut now, ..) = next_write(driver.as_mut(), now);
        findings_after(driver.as_mut(), now, vec![0, 3, 1, 12, 0, 0, 0, 0, 0, 0, 25]);
        if ending == 0 {
            (now, ..) = next_write(driver.as_mut(), now);
            let found = findings_after(driver.as_mut(), now, ADH_IDLE.to_vec());
            assert!(matches!(found[..], [Finding::Unproven(_)]), "{found:?}");
        } else {
            driver.give_up(now);
        }
        while driver.state() != LineState::Idle {
            (now, ..) = next_write(driver.as_mut(), now);
            findings_after(driver.as_mut(), now, ADH_IDLE.to_vec());
        }
        let reference = driver.reference(&command(16));
        driver.drive(now, &command(16), &reference);
        let write = loop {
            let (at, write, _) = next_write(driver.as_mut(), now);
            now = at;
            match write[1] {
                3 => findings_after(driver.as_mut(), now, ADH_IDLE.to_vec()),
                4 => findings_after(driver.as_mut(), now, vec![0, 4, b'A', b'D', b'H']),
                _ => break write,
            };
        };
        assert_eq!(write, sealed(vec![1, 0x21, 0x80, 0]), "{ending}");
    }
}

#[test]
fn on_a_quiet_line_the_boards_are_watched_in_turn() {
    let began = asked_within(&[1, 2], 9_000).len();
    let asked = asked_within(&[1, 2], 9_000 + 4 * WATCH_MS);
    assert!(matches!(asked[began..], [1, 2, 1, 2] | [2, 1, 2, 1]), "{:?}", &asked[began..]);
}

#[test]
fn while_no_board_answers_all_are_asked_every_second_and_an_absent_one_costs_the_others_nothing() {
    let silent = asked_within(&[], 20_000).len();
    assert!(silent > 20, "{silent} questions in 20 s: a repaired board would be found late");
    let began = asked_within(&[1], 9_000).len();
    let watched = asked_within(&[1], 9_000 + 4 * WATCH_MS).len() - began;
    assert!(watched <= 4, "{watched} questions while the absent board is one of two");
}

/// Bytes that are often a frame, or nearly one.
fn line_bytes() -> impl Strategy<Value = Vec<u8>> {
    let frames = vec![
        vec![1, 3, 2, 1, 0],
        vec![1, 3, 2, 2, 0],
        vec![1, 3, 2, 3, 7],
        ZDM8_IDLE.to_vec(),
        vec![1, 0x10, 0x20, 1, 0, 2],
        ADH_IDLE.to_vec(),
        vec![0, 3, 1, 12, 0, 0, 0, 0, 0, 0, 25],
        vec![0, 3, 2, 12, 0, 0, 0, 0, 0, 0, 25],
        vec![0, 5, 0],
        vec![0, 6],
    ];
    let frame = proptest::sample::select(frames).prop_map(sealed);
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), frame]
}

proptest! {
    #[test]
    fn no_bytes_panic_grow_without_bound_or_make_an_outcome_without_a_command(
        adh in any::<bool>(),
        pieces in proptest::collection::vec((line_bytes(), 0u64..2_000, any::<bool>()), 0..60),
    ) {
        let (name, mut now) = (if adh { "adh815" } else { "uling-zdm8" }, BootMs(0));
        let profile = profile(name, 2);
        let mut uling = UlingModbus::new(&profile);
        let mut adh_driver = Adh::new(&profile);
        let driver: &mut dyn Driver = if adh { &mut adh_driver } else { &mut uling };
        driver.opened(now);
        for (bytes, pause_ms, release) in pieces {
            driver.received(now, now, &bytes);
            now = now.plus_ms(pause_ms);
            driver.wake(now);
            if release && driver.state() == LineState::Held {
                driver.release(now);
            }
            while let Some(output) = driver.next_output() {
                match output {
                    Output::Finding(f) => prop_assert!(!matches!(
                        f,
                        Finding::Outcome(_) | Finding::NotTaken(_) | Finding::Unproven(_) | Finding::Taken
                    )),
                    Output::Write(write) => prop_assert!(!write.motor),
                }
            }
        }
        prop_assert!(uling.talk.buffer.len() <= FRAME_BYTES_MAX && adh_driver.talk.buffer.len() <= FRAME_BYTES_MAX);
    }

    #[test]
    fn rule_15_whatever_the_line_says_one_command_is_written_once_and_ends_once(
        adh in any::<bool>(),
        pieces in proptest::collection::vec((line_bytes(), 0u64..2_000), 0..60),
    ) {
        let name = if adh { "adh815" } else { "uling-zdm8" };
        let (mut driver, mut now) = driving(name, 12);
        let mut ends = 0;
        for (bytes, pause_ms) in pieces.into_iter().chain([(Vec::new(), 60_000), (Vec::new(), 60_000)]) {
            driver.received(now, now, &bytes);
            now = now.plus_ms(pause_ms);
            driver.wake(now);
            while let Some(output) = driver.next_output() {
                match output {
                    Output::Finding(Finding::Outcome(_) | Finding::NotTaken(_) | Finding::Unproven(_)) => ends += 1,
                    Output::Finding(_) => {}
                    Output::Write(write) => prop_assert!(!write.motor),
                }
            }
        }
        prop_assert_eq!(ends, 1);
    }
}
