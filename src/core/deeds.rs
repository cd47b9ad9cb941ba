//! What persons do at the machine, each with its audit entry and the user that the kernel names: one way for all.
//!
//! What only changes records has its entry in the same batch. What the board does for a person (switch, hold, start anew)
//! is begun when an entry that says *under way* is durable, and the entry says afterwards how it ended; a test vend is
//! its own intent, and shares the way of the platform's tests (`channel_test`).

use super::Core;
use super::commit::After;
use super::event::{Effect, Token};
use super::{Phase, SlotAct};
use crate::board::service::{ClimateMode, Reading, Service, ServiceError};
use crate::order::instruction::{Became, Kind, Who};
use crate::order::motor::{Address, Slot};
use crate::order::time::Now;
use crate::sabotage::{self, Clause};
use std::collections::BTreeMap;

/// What the board is doing for a person.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    /// Whose answer it is, and its entry in the audit. One is at the board; another may have come while the first one's
    /// entry was written, and is refused in its turn.
    serving: BTreeMap<Token, u64>,
}

impl Core {
    /// The audit entry of what a person did joins the batch of what was done.
    pub(super) fn audit_person(&mut self, now: Now, uid: u32, kind: Kind, detail: String) {
        let at_s = self.told_time_s(now);
        if !sabotage::is_out(Clause::R60Audited) {
            self.audit(now, Who::Person(uid), kind, at_s, Became::Done, detail, None);
        }
    }

    /// A person did something that is no matter of the core; it is only kept who did what. In quarantine nothing is kept.
    pub(super) fn on_deed(&mut self, now: Now, uid: u32, kind: Kind, detail: String) {
        if self.phase == Phase::Running && self.failed.is_none() {
            self.audit_person(now, uid, kind, detail);
        }
    }

    /// What a person did at a slot, in the batch that carries it.
    pub(super) fn audit_slot_act(&mut self, now: Now, uid: u32, act: SlotAct) {
        let (kind, detail) = match act {
            SlotAct::Restock { address, slot, count: Some(count) } => {
                (Kind::SlotRestocked, format!("{}: {count}", place(address, slot)))
            }
            SlotAct::Restock { address, slot, count: None } => {
                (Kind::SlotRestocked, format!("{}: full", place(address, slot)))
            }
            SlotAct::RestockAll => (Kind::SlotRestocked, "every slot of known capacity: full".to_owned()),
            SlotAct::Lock { address, slot } => (Kind::SlotLocked, place(address, slot)),
            SlotAct::Clear { address, slot } => (Kind::SlotCleared, place(address, slot)),
        };
        self.audit_person(now, uid, kind, detail);
    }

    /// The test vend that a person began is under way: its entry is in the batch of its intent, and its end in the batch of
    /// its outcome.
    pub(super) fn audit_persons_test(&mut self, now: Now, uid: u32, number: u64, (address, slot): (Address, Slot)) {
        let (at_s, detail) = (self.told_time_s(now), format!("test {number} of {}", place(address, slot)));
        let entry = self.audit(now, Who::Person(uid), Kind::SlotTested, at_s, Became::UnderWay, detail, None);
        self.tests.is_audited_as(entry);
    }

    /// A person wants something of the board beside a vend. What only looks leaves no trace.
    pub(super) fn on_persons_service(&mut self, now: Now, token: Token, uid: u32, service: Service) {
        if !service.acts() {
            return self.on_serve(now, token, &service);
        }
        if let Err(error) = self.may_serve(&service) {
            self.effects.push(Effect::Served { token, result: Err(error) });
            return;
        }
        let (at_s, detail) = (self.told_time_s(now), told(&service));
        let begin = |number| After::Serve { number, token, service };
        let number = self.next_audit_number();
        self.audit(now, Who::Person(uid), Kind::Service, at_s, Became::UnderWay, detail, [begin(number)]);
    }

    /// The entry is durable: the board is told. An order that came meanwhile has the line, and nothing was done.
    pub(super) fn serve_the_audited(&mut self, now: Now, number: u64, token: Token, service: &Service) {
        self.deeds.serving.insert(token, number);
        self.on_serve(now, token, service);
        let refused = self.effects.iter().find_map(|effect| match effect {
            Effect::Served { token: of, result } if *of == token => Some(result.clone()),
            _ => None,
        });
        if let Some(result) = refused {
            self.audit_the_served(token, &result);
        }
    }

    /// What the board was asked has ended: where a person's deed is behind it, its entry says how.
    pub(super) fn audit_the_served(&mut self, token: Token, result: &Result<Reading, ServiceError>) {
        let Some(number) = self.deeds.serving.remove(&token) else { return };
        let begun = self.instructions.entry(number).map(|entry| entry.detail.to_string()).unwrap_or_default();
        let (became, said) = match result {
            Ok(_) => (Became::Done, "done".to_owned()),
            // The question may have reached the board, and only its answer not us.
            Err(error @ (ServiceError::NoAnswer | ServiceError::TookTooLong)) => (Became::Unknown, error.to_string()),
            Err(error) => (Became::Failed, error.to_string()),
        };
        self.set_entry(number, became, Some(&format!("{begun}: {said}")), None);
    }
}

fn place(address: Address, slot: Slot) -> String {
    format!("slot {} of board {}", slot.0, address.get())
}

fn told(service: &Service) -> String {
    let board = service.address().get();
    match service {
        Service::Switch { device, on, .. } => {
            format!("{} {} on board {board}", device.as_str(), if *on { "on" } else { "off" })
        }
        Service::Hold { mode: ClimateMode::Off, .. } => format!("climate off on board {board}"),
        Service::Hold { mode: ClimateMode::Cool, target_c, .. } => format!("cool to {target_c} °C on board {board}"),
        Service::Hold { mode: ClimateMode::Heat, target_c, .. } => format!("heat to {target_c} °C on board {board}"),
        Service::Reset { .. } => format!("reset of board {board}"),
        Service::SelfCheck { .. } | Service::SlotState { .. } | Service::Door { .. } | Service::Climate { .. } => {
            format!("a look at board {board}")
        }
    }
}
