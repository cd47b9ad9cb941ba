//! What every family has to show beside a vend: each service is served as the emulated board has it, none turns a
//! motor, and none of their answers is ever taken for a vend's, however late it comes.

use super::desk::{Cable, Desk, PROFILES, all, fitted, offered};
use super::pair::faults;
use crate::board::driver::{Address, Finding, LineState, Output, Slot};
use crate::board::driver_for;
use crate::board::protocol::sealed;
use crate::board::service::{Device, Reading, Service, ServiceError};
use crate::board::uling_modbus::{READ, SUCCESS};

/// What the emulated board of a family says; nothing where the family has no such service.
fn expected(name: &str, service: &Service) -> Option<Reading> {
    let climate = |temperature_deci_c, humidity_permille| {
        Some(Reading::Climate { temperature_deci_c: Some(temperature_deci_c), humidity_permille })
    };
    match (name, service) {
        (
            "xy-v3" | "tcn-00ff" | "m102" | "lock-8a" | "lock-cu" | "col-ed" | "ubox-e7" | "vendapin",
            Service::SlotState { .. },
        ) => Some(Reading::SlotReady),
        ("uling-zdm8", Service::Climate { .. }) => climate(210, Some(550)),
        ("adh814", Service::Climate { .. }) => climate(240, None),
        ("adh815", Service::Climate { .. }) => climate(250, None),
        ("xy-v3", Service::Climate { .. }) => climate(40, Some(600)),
        ("tcn-00ff" | "ubox-e7", Service::Climate { .. }) => climate(50, None),
        ("m102", Service::Climate { .. }) => climate(240, Some(550)),
        ("uling-zdm8" | "xy-v3" | "tcn-00ff", Service::Door { .. }) => Some(Reading::Door { open: false }),
        (
            "uling-zdm8" | "xy-v3" | "tcn-00ff" | "lift-c7" | "ubox-e7" | "vendapin" | "vmc96",
            Service::SelfCheck { .. },
        ) => Some(Reading::Healthy),
        ("adh814" | "adh815" | "xy-v3" | "tcn-00ff", Service::Hold { .. }) => Some(Reading::Done),
        ("uling-zdm8" | "m102", Service::Switch { .. }) => Some(Reading::Done),
        ("tcn-00ff", Service::Switch { device: Device::Light | Device::GlassHeater, .. }) => Some(Reading::Done),
        ("lift-c7", Service::Switch { device: Device::Light, .. }) => Some(Reading::Done),
        ("vmc96", Service::Switch { device: Device::Light | Device::Heater, .. }) => Some(Reading::Done),
        ("uling-zdm8" | "xy-v3" | "lift-c7" | "ff0055" | "ubox-e7", Service::Reset { .. }) => Some(Reading::Done),
        _ => None,
    }
}

#[test]
fn every_service_is_served_as_the_board_has_it_and_turns_no_motor() {
    for name in PROFILES {
        let mut desk = Desk::idle(name);
        for service in all() {
            let expected = expected(name, &service).ok_or(ServiceError::NotOffered);
            assert_eq!(desk.driver.serves(&service), expected.is_ok(), "{name} {service:?}");
            assert_eq!(desk.serve(&service), expected, "{name} {service:?}");
            desk.until(|d| d.driver.state() == LineState::Idle);
        }
        let tally = desk.driver.tally();
        assert!(tally.round_trips > 0 && tally.longest_round_trip_ms > 0, "{name}: {tally:?}");
        desk.assert_can_vend(name);
    }
}

#[test]
fn a_service_at_an_address_that_the_profile_lacks_is_not_offered() {
    for name in PROFILES {
        let mut one = fitted(name);
        one.addresses.count = 1;
        let driver = driver_for(&one);
        let address = Address::new(2).unwrap();
        for service in [Service::Climate { address }, Service::SlotState { address, slot: Slot(5) }] {
            assert!(!driver.serves(&service), "{name}");
        }
    }
}

#[test]
fn while_something_is_served_or_driven_nothing_else_is() {
    for name in PROFILES {
        let Some(service) = offered(name).first().copied() else { continue };
        let mut desk = Desk::idle(name);
        desk.driver.serve(desk.now, &service);
        assert_eq!(desk.driver.state(), LineState::Busy, "{name}");
        desk.driver.serve(desk.now, &service);
        desk.until(|d| d.served().len() == 2);
        assert_eq!(desk.served()[0], &Err(ServiceError::Busy), "{name}");
        assert!(desk.served()[1].is_ok(), "{name}");
        desk.assert_can_vend(name);
    }
}

#[test]
fn a_board_that_does_not_hear_ends_every_service_without_an_answer_and_the_line_comes_back() {
    for name in PROFILES {
        for service in offered(name) {
            let story = format!("{name} {service:?}");
            let mut desk = Desk::idle(name);
            desk.cable = Cable::Cut;
            assert_eq!(desk.serve(&service), Err(ServiceError::NoAnswer), "{story}");
            desk.cable = Cable::Whole;
            desk.assert_can_vend(&story);
        }
    }
}

#[test]
fn an_answer_that_comes_after_its_service_was_given_up_is_no_vends_and_no_status() {
    for name in PROFILES {
        for service in offered(name) {
            for late_ms in [0, 1, 30] {
                let story = format!("{name} {service:?}, {late_ms} ms too late");
                let mut desk = Desk::idle(name);
                desk.cable = Cable::Slow;
                assert_eq!(desk.serve(&service), Err(ServiceError::NoAnswer), "{story}");
                desk.run(late_ms, |_| false);
                desk.cable = Cable::Whole;
                let answers = std::mem::take(&mut desk.held_back);
                desk.hear_late(answers);
                desk.assert_can_vend(&story);
            }
        }
    }
}

#[test]
fn a_port_that_closes_ends_a_service_and_what_comes_after_it_opens_again_is_no_vends() {
    for name in PROFILES {
        for service in offered(name) {
            let story = format!("{name} {service:?}");
            let mut desk = Desk::idle(name);
            desk.cable = Cable::Slow;
            desk.driver.serve(desk.now, &service);
            desk.run(300, |d| !d.held_back.is_empty());
            desk.driver.closed(desk.now);
            desk.pump();
            assert_eq!(desk.served(), [&Err(ServiceError::NoAnswer)], "{story}");
            assert_eq!(desk.driver.state(), LineState::Closed, "{story}");
            desk.cable = Cable::Whole;
            desk.driver.opened(desk.now);
            let answers = std::mem::take(&mut desk.held_back);
            desk.hear_late(answers);
            desk.assert_can_vend(&story);
        }
    }
}

/// The reply of a tcn board names nothing: a service ends the time in which a vend's late reply is believed.
#[test]
fn tcn_a_vends_late_reply_is_not_credited_once_something_else_was_asked() {
    let mut desk = Desk::idle("tcn-00ff");
    desk.cable = Cable::Slow;
    desk.drive();
    desk.until(|d| d.found.iter().any(|f| matches!(f, Finding::Unproven(_))));
    desk.until(|d| d.driver.state() == LineState::Idle);
    let late = std::mem::take(&mut desk.held_back);
    assert_eq!(late.len(), 1);
    desk.cable = Cable::Whole;
    let address = Address::new(1).unwrap();
    assert!(desk.serve(&Service::Door { address }).is_ok());
    desk.found.clear();
    desk.driver.received(desk.now, desk.now, &late[0]);
    desk.pump();
    assert!(!desk.found.iter().any(|f| matches!(f, Finding::Late { .. })), "{:?}", desk.found);
}

/// Rule 19: what can turn a slot is no service of any family.
#[test]
fn rule_19_no_service_is_a_motor_command() {
    for name in PROFILES {
        for service in offered(name) {
            let mut desk = Desk::idle(name);
            desk.driver.serve(desk.now, &service);
            for _ in 0..3_000 {
                while let Some(output) = desk.driver.next_output() {
                    if let Output::Write(write) = output {
                        assert!(!write.motor, "{name} {service:?}");
                        desk.board.received(desk.now, &write.bytes);
                    }
                }
                while let Some(bytes) = desk.board.next_output() {
                    desk.driver.received(desk.now, desk.now, &bytes);
                }
                desk.now = desk.now.plus_ms(1);
                desk.board.wake(desk.now);
                desk.driver.wake(desk.now);
            }
            assert_eq!(desk.board.turns(), [], "{name} {service:?}");
        }
    }
}

/// The order that waited is driven as soon as the driver calls the line idle; then the old answer comes, as late as it
/// can: within the reply time, or, where a reply names nothing at all, within the longest vend. Whatever becomes of the
/// vend, it is what becomes of it without the late answer.
#[test]
fn an_answer_that_comes_as_late_as_it_can_is_not_taken_for_the_next_vends() {
    for name in PROFILES {
        let timing = fitted(name).timing;
        let names_nothing = matches!(name, "tcn-00ff" | "vendapin" | "vmc96");
        let latest_ms = if names_nothing { timing.longest_vend_ms } else { timing.reply_ms };
        for fault in ["", "no-drop@1", "silence@1", "refuse@1"] {
            let mut undisturbed = Desk::with(name, faults(fault));
            undisturbed.drive();
            undisturbed.until(|d| d.driver.state() == LineState::Idle);
            for service in offered(name) {
                let late_ms = [latest_ms / 20, latest_ms / 4, latest_ms / 2, latest_ms / 4 * 3, latest_ms - 1];
                for (late_ms, in_front) in late_ms.into_iter().flat_map(|ms| [(ms, false), (ms, true)]) {
                    let story = format!("{name} {fault} {service:?}, {late_ms} ms too late, in front: {in_front}");
                    let mut desk = Desk::with(name, faults(fault));
                    desk.cable = Cable::Slow;
                    assert_eq!(desk.serve(&service), Err(ServiceError::NoAnswer), "{story}");
                    let (comes_at, latest) = (desk.now.plus_ms(late_ms), desk.now.plus_ms(latest_ms));
                    let answers = std::mem::take(&mut desk.held_back);
                    desk.cable = Cable::Whole;
                    desk.found.clear();
                    desk.run(late_ms, |d| d.driver.state() == LineState::Idle);
                    if desk.driver.state() == LineState::Idle {
                        desk.drive();
                        desk.run(comes_at.since_ms(desk.now), |_| false);
                        if in_front {
                            desk.hear_in_front(answers, latest);
                        } else {
                            desk.hear_late(answers);
                        }
                    } else {
                        desk.hear_late(answers);
                        desk.until(|d| d.driver.state() == LineState::Idle);
                        assert_eq!(desk.ends(), (vec![], 0), "{story}");
                        desk.drive();
                    }
                    desk.until(|d| d.driver.state() == LineState::Idle);
                    assert_eq!(desk.ends(), undisturbed.ends(), "{story}");
                }
            }
        }
    }
}

/// A uling reply names no register: the late state of a second box would read like a turn that succeeded.
#[test]
fn uling_a_late_box_is_no_finished_turn() {
    let mut desk = Desk::idle("uling-zdm8");
    desk.cable = Cable::Cut;
    let address = Address::new(1).unwrap();
    assert_eq!(desk.serve(&Service::Door { address }), Err(ServiceError::NoAnswer));
    desk.cable = Cable::Whole;
    let second_box = sealed(vec![1, READ, 2, SUCCESS, 1]);
    desk.driver.received(desk.now, desk.now, &second_box);
    desk.assert_can_vend("a second box");
}
