//! A driver and its emulated board at a technician's desk: services and vends over a cable that may be cut or slow.

#![allow(clippy::panic, reason = "a harness of tests")]

use super::fault::Faults;
use super::pair::{command, profile};
use super::{Emulator, emulator_for};
use crate::board::driver::{Address, Driver, Finding, LineState, Output, Slot, Written};
use crate::board::profile::{Family, Profile};
use crate::board::service::{ClimateMode, Device, Reading, Service, ServiceError};
use crate::board::{driver_for, ubox_e7, xy_v3};
use crate::order::outcome::Motor;
use crate::order::time::BootMs;
use std::collections::VecDeque;

const TURN_MS: u64 = 1_000;
/// How long a byte is under way.
const WIRE_MS: u64 = 2;
/// No service, no settling and no vend takes longer.
pub(super) const PATIENCE_MS: u64 = 400_000;

/// What becomes of the board's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cable {
    Whole,
    /// What the host says is lost.
    Cut,
    /// What the board answers is held back; a board that polls is still heard polling.
    Slow,
}

pub(super) struct Desk {
    pub(super) profile: Profile,
    pub(super) driver: Box<dyn Driver>,
    pub(super) board: Box<dyn Emulator>,
    pub(super) now: BootMs,
    pub(super) cable: Cable,
    /// To the driver.
    under_way: VecDeque<(BootMs, Vec<u8>)>,
    pub(super) held_back: Vec<Vec<u8>>,
    /// Comes in front of what the board says next, if that is by then.
    late: (Vec<u8>, BootMs),
    pub(super) found: Vec<Finding>,
}

/// With every relay, and with the slot that is asked and driven here.
pub(super) fn fitted(name: &str) -> Profile {
    let mut profile = profile(name);
    match name {
        "uling-zdm8" => profile.options.relays = Device::ALL.into_iter().zip(1..).collect(),
        "vendapin" => (profile.slots.first, profile.slots.last) = (5, 5),
        _ => {}
    }
    profile
}

/// What a board that polls says all the time, whatever it is asked.
fn is_polling(family: Family, bytes: &[u8]) -> bool {
    match family {
        Family::XyV3 => matches!(bytes.get(2), Some(&(xy_v3::wire::POLL | xy_v3::wire::ACK))),
        Family::UboxE7 => bytes.get(3) == Some(&ubox_e7::wire::POLL),
        _ => false,
    }
}

pub(super) const fn ends_a_vend(finding: &Finding) -> bool {
    matches!(finding, Finding::Outcome(_) | Finding::Late { .. } | Finding::Unproven(_) | Finding::NotTaken(_))
}

impl Desk {
    pub(super) fn idle(name: &str) -> Desk {
        Desk::with(name, Faults::default())
    }

    pub(super) fn with(name: &str, faults: Faults) -> Desk {
        let profile = fitted(name);
        let mut driver = driver_for(&profile);
        let now = BootMs(1_000);
        driver.opened(now);
        let board = emulator_for(&profile, TURN_MS, faults);
        let (under_way, held_back, found) = (VecDeque::new(), Vec::new(), Vec::new());
        let late = (Vec::new(), now);
        let mut desk = Desk { profile, driver, board, now, cable: Cable::Whole, under_way, held_back, late, found };
        desk.until(|d| d.driver.state() == LineState::Idle);
        // Identities and all that is said once.
        desk.run(5_000, |_| false);
        desk.until(|d| d.driver.state() == LineState::Idle);
        desk.found.clear();
        desk
    }

    /// The agent dies and lives again, without an open intent; what it was told and has not heard is gone.
    pub(super) fn restart_agent(&mut self) {
        self.driver = driver_for(&self.profile);
        self.under_way.clear();
        self.found.clear();
        self.driver.opened(self.now);
    }

    pub(super) fn pump(&mut self) {
        while let Some(output) = self.driver.next_output() {
            match output {
                Output::Finding(finding) => {
                    let held = matches!(finding, Finding::Outcome(_) | Finding::Late { .. });
                    self.found.push(finding);
                    if held {
                        self.driver.release(self.now);
                    }
                }
                Output::Write(write) => {
                    if self.cable != Cable::Cut {
                        self.board.received(self.now, &write.bytes);
                    }
                    if write.motor {
                        self.driver.motor_written(self.now, Written::All);
                    }
                }
            }
        }
        while let Some(bytes) = self.board.next_output() {
            // A board that polls is heard over a cut cable, too; what is lost is what the host says.
            if self.cable == Cable::Slow && !is_polling(self.profile.family, &bytes) {
                self.held_back.push(bytes);
            } else {
                let late = std::mem::take(&mut self.late.0);
                let said = if self.now <= self.late.1 { [late, bytes].concat() } else { bytes };
                self.under_way.push_back((self.now.plus_ms(WIRE_MS), said));
            }
        }
    }

    /// What was held back comes now; from a board that polls, in its turn.
    pub(super) fn hear_late(&mut self, answers: Vec<Vec<u8>>) {
        if matches!(self.profile.family, Family::XyV3 | Family::UboxE7) {
            return self.hear_in_front(answers, self.now.plus_ms(PATIENCE_MS));
        }
        for bytes in answers {
            self.driver.received(self.now, self.now, &bytes);
        }
    }

    /// What was held back comes at the worst moment: while something else is asked, in front of its answer.
    pub(super) fn hear_in_front(&mut self, answers: Vec<Vec<u8>>, by: BootMs) {
        self.late = (answers.concat(), by);
    }

    pub(super) fn run(&mut self, ms: u64, done: impl Fn(&Desk) -> bool) -> bool {
        let end = self.now.plus_ms(ms);
        loop {
            self.pump();
            if done(self) {
                return true;
            }
            let heard = self.under_way.front().map(|(at, _)| *at);
            let next = [heard, self.driver.deadline(), self.board.deadline()].into_iter().flatten().min();
            let next = next.unwrap_or(end).max(self.now.plus_ms(1));
            if next > end {
                self.now = end;
                return false;
            }
            self.now = next;
            while let Some((_, bytes)) = self.under_way.pop_front_if(|(at, _)| *at <= next) {
                self.driver.received(next, next, &bytes);
            }
            self.board.wake(next);
            self.driver.wake(next);
        }
    }

    pub(super) fn until(&mut self, done: impl Fn(&Desk) -> bool) {
        assert!(self.run(PATIENCE_MS, done), "{:?}: {:?}", self.driver.state(), self.found);
    }

    pub(super) fn served(&self) -> Vec<&Result<Reading, ServiceError>> {
        let served = self.found.iter().filter_map(|finding| match finding {
            Finding::Served(result) => Some(result),
            _ => None,
        });
        served.collect()
    }

    pub(super) fn serve(&mut self, service: &Service) -> Result<Reading, ServiceError> {
        self.found.clear();
        self.driver.serve(self.now, service);
        self.until(|d| !d.served().is_empty());
        let [result] = self.served()[..] else { panic!("{:?}", self.found) };
        result.clone()
    }

    /// A vend begins: of the slot that is asked here, too.
    pub(super) fn drive(&mut self) {
        self.drive_slot(5);
    }

    pub(super) fn drive_slot(&mut self, slot: u16) {
        let command = command(1, slot, true);
        let reference = self.driver.reference(&command);
        self.driver.drive(self.now, &command, &reference);
    }

    /// How the vend ended, from idle to idle, and whether the motor turned.
    pub(super) fn ends(&self) -> (Vec<Finding>, usize) {
        let ends = self.found.iter().filter(|f| ends_a_vend(f)).map(|finding| match finding {
            // Why nothing is proven may differ.
            Finding::Unproven(_) => Finding::Unproven(""),
            other => other.clone(),
        });
        (ends.collect(), self.board.turns().len())
    }

    /// What was said beside the vend is not a vend's, and the line still serves one.
    pub(super) fn assert_can_vend(&mut self, story: &str) {
        self.until(|d| d.driver.state() == LineState::Idle);
        assert!(!self.found.iter().any(ends_a_vend), "{story}: {:?}", self.found);
        assert_eq!(self.board.turns(), [], "{story}");
        self.found.clear();
        self.drive();
        self.until(|d| d.found.iter().any(ends_a_vend));
        let outcome = self.found.iter().find(|f| ends_a_vend(f));
        assert!(matches!(outcome, Some(Finding::Outcome(e)) if e.motor == Motor::Ok), "{story}: {outcome:?}");
        assert_eq!(self.board.turns().len(), 1, "{story}");
    }
}

pub(super) const PROFILES: [&str; 14] = [
    "uling-zdm8",
    "adh814",
    "adh815",
    "xy-v3",
    "tcn-00ff",
    "m102",
    "lock-8a",
    "lock-cu",
    "lift-c7",
    "col-ed",
    "ff0055",
    "ubox-e7",
    "vendapin",
    "vmc96",
];

/// Every service that there is, at address 1 and slot 5.
pub(super) fn all() -> Vec<Service> {
    let address = Address::new(1).unwrap();
    let held = [ClimateMode::Cool, ClimateMode::Heat, ClimateMode::Off];
    let held = held.map(|mode| Service::Hold { address, mode, target_c: -4 });
    let switched = Device::ALL.map(|device| [true, false].map(|on| Service::Switch { address, device, on }));
    let asked = [
        Service::SelfCheck { address },
        Service::SlotState { address, slot: Slot(5) },
        Service::Door { address },
        Service::Climate { address },
        Service::Reset { address },
    ];
    asked.into_iter().chain(held).chain(switched.into_iter().flatten()).collect()
}

pub(super) fn offered(name: &str) -> Vec<Service> {
    let driver = driver_for(&fitted(name));
    all().into_iter().filter(|service| driver.serves(service)).collect()
}
