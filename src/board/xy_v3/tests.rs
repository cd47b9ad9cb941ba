//! When the driver speaks, when it waits, and when it wants to be woken: to the millisecond.

use super::*;
use crate::board::driver::FloorType;
use std::path::Path;

const POLL_MS: u64 = 200;
const ACK: &[u8] = &[0xFA, 0xFB, 0x42, 0x00, 0x43];

fn command(slot: u16) -> MotorCommand {
    let address = Address::new(1).unwrap();
    MotorCommand { address, slot: Slot(slot), floor_type: FloorType::Spring, lift: false, drop_check: true }
}

fn writes(driver: &mut XyV3) -> Vec<Vec<u8>> {
    let outputs = std::iter::from_fn(|| driver.next_output());
    outputs
        .filter_map(|output| match output {
            Output::Write(write) => Some(write.bytes),
            Output::Finding(_) => None,
        })
        .collect()
}

fn findings(driver: &mut XyV3) -> Vec<Finding> {
    let outputs = std::iter::from_fn(|| driver.next_output());
    outputs
        .filter_map(|output| match output {
            Output::Write(_) => None,
            Output::Finding(finding) => Some(finding),
        })
        .collect()
}

fn hear(driver: &mut XyV3, now: BootMs, command: u8, text: &[u8]) -> Vec<Vec<u8>> {
    driver.received(now, now, &frame(command, text));
    writes(driver)
}

/// An idle driver that was polled at the time that is returned, and has said ACK.
fn idle() -> (XyV3, BootMs) {
    let mut driver = XyV3::new(&Profile::find("xy-v3", Path::new(".")).unwrap());
    let mut now = BootMs(1_000);
    driver.opened(now);
    for _ in 0..10 {
        now = now.plus_ms(POLL_MS);
        for said in hear(&mut driver, now, wire::POLL, &[]) {
            if said != ACK {
                hear(&mut driver, now.plus_ms(1), wire::ACK, &[]);
            }
        }
        driver.wake(now.plus_ms(ACK_AFTER_MS));
        writes(&mut driver);
    }
    assert_eq!(driver.state(), LineState::Idle);
    (driver, now)
}

#[test]
fn an_idle_host_says_ack_late_so_that_an_order_may_still_go_into_this_poll() {
    let (mut driver, now) = idle();
    let polled_at = now.plus_ms(POLL_MS);
    assert_eq!(hear(&mut driver, polled_at, wire::POLL, &[]), Vec::<Vec<u8>>::new());
    assert_eq!(driver.deadline(), Some(polled_at.plus_ms(ACK_AFTER_MS)));
    driver.wake(polled_at.plus_ms(ACK_AFTER_MS - 1));
    assert_eq!(writes(&mut driver), Vec::<Vec<u8>>::new());
    driver.drive(polled_at.plus_ms(ACK_AFTER_MS - 1), &command(25), &Reference::default());
    assert_eq!(writes(&mut driver)[0][2], wire::DIRECT_DRIVE);

    let (mut driver, now) = idle();
    let polled_at = now.plus_ms(POLL_MS);
    hear(&mut driver, polled_at, wire::POLL, &[]);
    driver.wake(polled_at.plus_ms(ACK_AFTER_MS));
    assert_eq!(writes(&mut driver), [ACK]);
}

#[test]
fn a_host_that_can_take_no_order_says_ack_at_once() {
    let (mut driver, now) = idle();
    let reference = driver.reference(&command(25));
    driver.drive(now.plus_ms(10), &command(25), &reference);
    let polled_at = now.plus_ms(POLL_MS);
    assert_eq!(hear(&mut driver, polled_at, wire::POLL, &[])[0][2], wire::DIRECT_DRIVE);
    driver.motor_written(polled_at, Written::All);
    hear(&mut driver, polled_at.plus_ms(5), wire::ACK, &[]);
    assert_eq!(hear(&mut driver, polled_at.plus_ms(POLL_MS), wire::POLL, &[]), [ACK], "a vend is under way");
    // Its result waits for the journal.
    let result_at = polled_at.plus_ms(2 * POLL_MS);
    assert_eq!(hear(&mut driver, result_at, wire::DISPENSING, &[7, 2, 0, 25]), Vec::<Vec<u8>>::new());
    assert_eq!(driver.state(), LineState::Idle);
    assert_eq!(hear(&mut driver, result_at.plus_ms(POLL_MS), wire::POLL, &[]), [ACK], "a result is held");
}

#[test]
fn an_answer_that_would_come_too_late_is_not_given() {
    for (late_ms, said) in [(SPEAK_WITHIN_MS, vec![ACK.to_vec()]), (SPEAK_WITHIN_MS + 1, vec![])] {
        let (mut driver, now) = idle();
        let polled_at = now.plus_ms(POLL_MS);
        hear(&mut driver, polled_at, wire::POLL, &[]);
        driver.wake(polled_at.plus_ms(late_ms));
        assert_eq!(writes(&mut driver), said, "{late_ms} ms after the poll");
    }
}

#[test]
fn a_board_that_stopped_polling_is_not_idle_and_the_driver_wants_to_be_woken_to_say_so() {
    let (mut driver, now) = idle();
    let stale_at = now.plus_ms(FRESH_POLLS * POLL_MS);
    assert_eq!(driver.deadline(), Some(stale_at));
    driver.wake(BootMs(stale_at.0 - 1));
    assert_eq!(driver.state(), LineState::Idle);
    driver.wake(stale_at);
    assert_eq!(driver.state(), LineState::Settling);
    assert_eq!(driver.deadline(), Some(now.plus_ms(SILENCE_MS)), "then it is gone");
    driver.wake(now.plus_ms(SILENCE_MS));
    assert_eq!(driver.next_output(), Some(Output::Finding(Finding::Fault(LineFault::TimeOut))));
    assert_eq!(driver.deadline(), None);
}

#[test]
fn a_command_that_finds_no_poll_ends_unwritten_when_the_board_is_silent_or_never_polls() {
    let not_taken = Some(Output::Finding(Finding::NotTaken(Reason::BoardOffline)));
    let (mut driver, now) = idle();
    let began = now.plus_ms(POLL_MS);
    driver.drive(began, &command(25), &Reference::default());
    driver.wake(began.plus_ms(SILENCE_MS - 1));
    assert!(!std::iter::from_fn(|| driver.next_output()).any(|o| Some(o) == not_taken));
    driver.wake(began.plus_ms(SILENCE_MS));
    assert_eq!(driver.next_output(), not_taken, "silence");

    let (mut driver, now) = idle();
    driver.drive(now.plus_ms(1), &command(25), &Reference::default());
    let ends_at = now.plus_ms(1 + OFFER_MS_MAX);
    let mut at = now;
    while at.plus_ms(1_000) < ends_at {
        at = at.plus_ms(1_000);
        assert_eq!(hear(&mut driver, at, wire::SHORT_STATUS_REPLY, &[7, 0]), [ACK]);
        assert_eq!(driver.state(), LineState::Busy);
    }
    assert_eq!(driver.deadline(), Some(ends_at));
    driver.wake(ends_at);
    assert_eq!(driver.next_output(), not_taken, "it says other things, but never polls");
}

#[test]
fn a_final_status_counts_again_when_no_copy_of_the_last_can_be_under_way_any_more() {
    for (pause_ms, counts) in [(COPY_MS_MAX, false), (COPY_MS_MAX + 1, true)] {
        let (mut driver, now) = idle();
        driver.last_final = Some((FinalStatus { pack_no: 7, code: 2, slot: Slot(25) }, now));
        driver.vend = Some(Vend::new(&command(25), Phase::Listening { until: now.plus_ms(60_000) }));
        hear(&mut driver, now.plus_ms(pause_ms), wire::DISPENSING, &[7, 2, 0, 25]);
        assert_eq!(driver.vend.is_none(), counts, "{pause_ms} ms after the same bytes");
    }
}

#[test]
fn rule_15_numbers_go_on_from_the_last_one_that_was_journaled() {
    let mut driver = XyV3::new(&Profile::find("xy-v3", Path::new(".")).unwrap());
    driver.last_reference(&Reference(vec![7]));
    assert_eq!(driver.reference(&command(5)).0.first(), Some(&8));
}

#[test]
fn rule_15_a_motor_command_that_the_board_passed_over_is_told_and_a_later_ack_is_not_its_own() {
    let (mut driver, now) = idle();
    driver.drive(now.plus_ms(100), &command(25), &Reference::default());
    let polled_at = now.plus_ms(POLL_MS);
    assert_eq!(hear(&mut driver, polled_at, wire::POLL, &[])[0][2], wire::DIRECT_DRIVE);
    driver.motor_written(polled_at, Written::All);
    let next_at = polled_at.plus_ms(POLL_MS);
    driver.received(next_at, next_at, &frame(wire::POLL, &[]));
    assert_eq!(findings(&mut driver), [Finding::Fault(LineFault::TimeOut)]);
    driver.received(next_at.plus_ms(50), next_at.plus_ms(50), &frame(wire::ACK, &[]));
    assert_eq!(findings(&mut driver), [Finding::Fault(LineFault::Unexpected)]);
    assert_eq!(driver.state(), LineState::Busy, "its result may still come");
}

#[test]
fn a_sync_that_nobody_acknowledges_is_said_under_each_number_as_often_as_the_profile_says() {
    let said = |retries: Option<u8>| {
        let mut profile = Profile::find("xy-v3", Path::new(".")).unwrap();
        if retries.is_some() {
            profile.timing.retries = retries;
        }
        let mut driver = XyV3::new(&profile);
        let mut now = BootMs(1_000);
        driver.opened(now);
        let mut numbers = Vec::new();
        for _ in 0..14 {
            now = now.plus_ms(POLL_MS);
            let said = hear(&mut driver, now, wire::POLL, &[]);
            assert_eq!((said.len(), said[0][2]), (1, wire::SYNC));
            numbers.push(said[0][4]);
        }
        numbers
    };
    // The document: five resends.
    assert_eq!(said(None), [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3]);
    assert_eq!(said(Some(1)), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]);
}

#[test]
fn a_class_less_profile_hears_no_result_of_an_earlier_life() {
    let mut profile = Profile::find("xy-v3", Path::new(".")).unwrap();
    profile.recovery_class = RecoveryClass::None;
    let mut driver = XyV3::new(&profile);
    driver.resume(BootMs(1_000), &command(25), &Reference(vec![7]));
    driver.opened(BootMs(1_000));
    assert!(matches!(findings(&mut driver)[..], [Finding::Unproven(_)]));
    hear(&mut driver, BootMs(1_100), wire::DISPENSING, &[7, 2, 0, 25]);
    let longest_ms = profile.timing.longest_vend_ms;
    for at_ms in (1_200..=1_000 + longest_ms + POLL_MS).step_by(200) {
        for said in hear(&mut driver, BootMs(at_ms), wire::POLL, &[]) {
            if said != ACK {
                hear(&mut driver, BootMs(at_ms + 1), wire::ACK, &[]);
            }
        }
        let is_over = at_ms >= 1_000 + longest_ms;
        assert_eq!(driver.state() == LineState::Idle, is_over, "at {at_ms} ms the motor may still turn");
        driver.wake(BootMs(at_ms + ACK_AFTER_MS));
        writes(&mut driver);
    }
}

#[test]
fn only_an_odd_status_of_the_slot_that_turns_is_told_and_it_ends_nothing() {
    for (slot, status, told) in [(25, 2, true), (25, SLOT_NORMAL, false), (26, 2, false)] {
        let (mut driver, now) = idle();
        driver.vend = Some(Vend::new(&command(25), Phase::Listening { until: now.plus_ms(60_000) }));
        let at = now.plus_ms(POLL_MS);
        driver.received(at, at, &frame(wire::SLOT_STATUS, &[9, status, 0, slot]));
        let expected = if told { vec![Finding::Fault(LineFault::Unexpected)] } else { vec![] };
        assert_eq!(findings(&mut driver), expected, "slot {slot}, status {status}");
        assert_eq!(driver.state(), LineState::Busy);
    }
}

#[test]
fn a_late_result_is_credited_only_while_the_vend_it_could_belong_to_may_last() {
    for (early_ms, credited) in [(1, true), (0, false)] {
        let (mut driver, now) = idle();
        let until = now.plus_ms(60_000);
        let vend = Vend::new(&command(25), Phase::Listening { until });
        driver.unresolved = Some(Unresolved { vend, until, creditable: true });
        let at = BootMs(until.0 - early_ms);
        driver.received(at, at, &frame(wire::DISPENSING, &[7, 2, 0, 25]));
        assert_eq!(findings(&mut driver).iter().any(|f| matches!(f, Finding::Late { .. })), credited, "{early_ms}");
    }
}

#[test]
fn a_port_that_goes_away_ends_what_was_not_written_and_silences_the_answer_that_waited() {
    let (mut driver, now) = idle();
    driver.drive(now.plus_ms(100), &command(25), &Reference::default());
    driver.closed(now.plus_ms(110));
    assert_eq!(findings(&mut driver), [Finding::NotTaken(Reason::BoardOffline)]);
    assert_eq!((driver.state(), driver.deadline()), (LineState::Closed, None));

    let (mut driver, now) = idle();
    let polled_at = now.plus_ms(POLL_MS);
    hear(&mut driver, polled_at, wire::POLL, &[]);
    driver.closed(polled_at.plus_ms(10));
    driver.wake(polled_at.plus_ms(ACK_AFTER_MS));
    assert_eq!(writes(&mut driver), Vec::<Vec<u8>>::new());
}

#[test]
fn a_slot_that_is_chosen_at_the_keys_is_told_once_acknowledged_and_turns_nothing() {
    let chosen = |slot| Finding::Selected { address: Address::FIRST, slot };
    let (mut driver, now) = idle();
    let mut at = now.plus_ms(POLL_MS);
    let mut press = |driver: &mut XyV3, number: u8, slot: u8| {
        at = at.plus_ms(POLL_MS);
        driver.received(at, at, &frame(wire::CHOSEN, &[number, 0, slot]));
        let mut told = Vec::new();
        while let Some(output) = driver.next_output() {
            match output {
                Output::Write(write) => assert_eq!((write.bytes.as_slice(), write.motor), (ACK, false)),
                Output::Finding(finding) => told.push(finding),
            }
        }
        told
    };
    assert_eq!(press(&mut driver, 7, 25), [chosen(Some(Slot(25)))]);
    assert_eq!(press(&mut driver, 7, 25), [], "a copy, whose acknowledgement was lost");
    assert_eq!(press(&mut driver, 8, 25), [chosen(Some(Slot(25)))], "pressed once more");
    assert_eq!(press(&mut driver, 9, 0), [chosen(None)], "given up");
    assert!(driver.vend.is_none());
    // Whoever starts anew counts anew.
    let restarted_at = at.plus_ms(POLL_MS);
    driver.received(restarted_at, restarted_at, &frame(wire::SYNC, &[1]));
    assert!(findings(&mut driver).contains(&Finding::BoardRestarted));
    driver.received(restarted_at, restarted_at, &frame(wire::CHOSEN, &[9, 0, 0]));
    assert_eq!(findings(&mut driver), [chosen(None)]);
    driver.received(restarted_at, restarted_at, &frame(wire::CHOSEN, &[10, 0]));
    assert_eq!(findings(&mut driver), [], "a frame that is too short tells nothing");
}
