//! Whatever a person does at the machine is in the audit, with the user, in the batch that carries it.

use super::slots::restock;
use super::world::{DISPENSED, World};
use crate::board::driver::{Address, Finding, LineState, Slot};
use crate::board::service::{Device, Reading, Service, ServiceError};
use crate::core::event::{Event, Token};
use crate::core::{AUDIT_KEPT, AtTheLine, Decision, LineOwed, Recovered, SlotAct, SlotTest, Verdict, may_use_the_line};
use crate::order::instruction::Kind;
use crate::order::key::{Id, Key};
use crate::order::record::{Records, decode_ledger};
use crate::order::said::Said;

const UID: u32 = 1_000;

fn address() -> Address {
    Address::new(1).unwrap()
}

fn light() -> Service {
    Service::Switch { address: address(), device: Device::Light, on: true }
}

impl World {
    fn person_acts(&mut self, act: SlotAct) {
        self.step(Event::SlotAct { token: Token(9), uid: UID, act });
    }

    fn person_switches(&mut self) {
        self.step(Event::Serve { token: Token(9), uid: UID, service: light() });
    }

    /// Every entry that is durable: who, what, what became of it, detail.
    fn audit_kept(&self) -> Vec<String> {
        let entries = Records::read(&self.disk).unwrap().audit;
        let told = |e: &crate::order::instruction::AuditEntry| {
            format!("{:?} {} {}: {}", e.who, e.kind.as_str(), e.became.as_str(), e.detail)
        };
        entries.iter().map(told).collect()
    }

    fn line_serves(&self) -> bool {
        self.script.lock().unwrap().state == LineState::Busy
    }

    fn switched(&mut self, result: Result<Reading, ServiceError>) {
        self.script.lock().unwrap().state = LineState::Idle;
        self.board_says(Finding::Served(result));
    }

    fn count_told(&self, what: &str) -> usize {
        self.story.iter().filter(|told| told.starts_with(what)).count()
    }
}

#[test]
fn who_did_what_at_a_slot_is_in_the_batch_of_what_was_done() {
    let mut w = World::new();
    w.disk_is_quick = false;
    let slot = Slot(5);
    w.person_acts(restock(5, Some(10)));
    assert_eq!((w.audit_kept(), w.replies.len()), (vec![], 0));
    w.commit();
    assert_eq!(w.audit_kept(), ["Person(1000) slot_restocked done: slot 5 of board 1: 10"]);
    assert_eq!((Records::read(&w.disk).unwrap().slots.len(), w.replies.len()), (1, 1));
    w.disk_is_quick = true;
    for act in [
        SlotAct::Lock { address: address(), slot },
        SlotAct::Clear { address: address(), slot },
        // Refused: its capacity is not known.
        SlotAct::RestockAll,
    ] {
        w.person_acts(act);
    }
    let kept = w.audit_kept();
    assert_eq!(kept[1..], ["slot_locked", "slot_cleared"].map(|k| format!("Person(1000) {k} done: slot 5 of board 1")));
}

#[test]
fn a_persons_test_vend_is_in_the_audit_with_its_intent_and_its_end_whatever_is_cut() {
    for commits in 0..4 {
        let mut w = World::new();
        w.disk_is_quick = false;
        w.step(Event::TestSlot { token: Token(3), uid: UID, test: SlotTest { address: address(), slot: Slot(5) } });
        for _ in 0..commits {
            match w.pending {
                Some(_) => w.commit(),
                None => w.board_ends(DISPENSED),
            }
        }
        let intents = w.disk.keys().filter(|key| key.starts_with(b"~t-")).count();
        assert_eq!(w.audit_kept().len(), intents, "{commits} commits: entry and intent are one batch");
        w.disk_is_quick = true;
        w.restart();
        w.board_says(Finding::Unproven("the agent ended"));
        w.pass_s(5);
        let became = match commits {
            0 => vec![],
            1 | 2 => vec!["unknown: test 1 of slot 5 of board 1: nothing proves what became of it"],
            _ => vec!["done: test 1 of slot 5 of board 1: dispensed"],
        };
        let told: Vec<String> = became.into_iter().map(|b| format!("Person(1000) slot_tested {b}")).collect();
        assert_eq!(w.audit_kept(), told, "{commits} commits");
    }
}

#[test]
fn the_board_is_switched_for_a_person_when_it_is_durable_who_wants_it() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.person_switches();
    assert!(!w.line_serves() && w.audit_kept().is_empty(), "not before its entry is durable");
    w.commit();
    assert!(w.line_serves());
    assert_eq!(w.audit_kept(), ["Person(1000) service under_way: light on on board 1"]);
    w.disk_is_quick = true;
    w.switched(Ok(Reading::Done));
    assert_eq!(w.audit_kept(), ["Person(1000) service done: light on on board 1: done"]);
    assert_eq!(w.count_told("served Ok(Done)"), 1);
    w.person_switches();
    w.switched(Err(ServiceError::NoAnswer));
    assert!(w.audit_kept()[1].starts_with("Person(1000) service unknown: "), "{:?}", w.audit_kept());
    // What only looks leaves no trace.
    w.step(Event::Serve { token: Token(9), uid: UID, service: Service::Door { address: address() } });
    assert_eq!((w.line_serves(), w.audit_kept().len()), (true, 2));
    w.switched(Ok(Reading::Door { open: false }));
    // Refused before anything was begun.
    w.deliver(&w.put("1", "1"));
    w.person_switches();
    assert_eq!((w.count_told("served Err(Busy)"), w.audit_kept().len()), (1, 2));
}

#[test]
fn an_order_that_comes_while_the_entry_is_written_has_the_line_and_the_switch_is_refused() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.person_switches();
    w.deliver(&w.put("1", "1"));
    w.disk_is_quick = true;
    w.commit();
    assert_eq!((w.driven(), w.count_told("served Err(Busy)")), (1, 1));
    assert!(
        w.audit_kept()[0].starts_with("Person(1000) service failed: light on on board 1: "),
        "{:?}",
        w.audit_kept()
    );
}

#[test]
fn two_wishes_whose_entries_are_written_together_each_have_their_own_end_in_the_audit() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.person_switches();
    w.step(Event::Serve { token: Token(10), uid: UID, service: light() });
    w.disk_is_quick = true;
    w.commit();
    assert_eq!(w.count_told("served Err(Busy)"), 1, "the board does one thing at a time");
    w.switched(Ok(Reading::Done));
    let kept = w.audit_kept();
    assert_eq!(kept[0], "Person(1000) service done: light on on board 1: done");
    assert!(kept[1].starts_with("Person(1000) service failed: light on on board 1: "), "{kept:?}");
}

#[test]
fn what_the_board_did_for_a_person_when_the_agent_ended_is_unknown() {
    let mut w = World::new();
    w.person_switches();
    w.restart();
    assert_eq!(w.audit_kept(), ["Person(1000) service unknown: light on on board 1: the agent ended meanwhile"]);
    w.switched(Ok(Reading::Done));
    w.person_switches();
    assert!(w.line_serves(), "nothing of it is left");
}

#[test]
fn a_deed_beside_the_core_is_kept_within_the_audits_bound_and_not_in_quarantine() {
    let deed = || Event::Deed { uid: UID, kind: Kind::LogLevel, detail: "debug for 600 s".to_owned() };
    let mut w = World::new();
    for _ in 0..AUDIT_KEPT + 5 {
        w.step(deed());
    }
    let kept = w.audit_kept();
    assert_eq!((kept.len(), kept[0].as_str()), (AUDIT_KEPT, "Person(1000) log_level done: debug for 600 s"));
    w.live_again(Recovered::Quarantine { why: Said::word("test") }, true);
    w.step(deed());
    assert!(w.core.audit_lines().is_empty());
}

/// Whether somebody else may use the line while the agent does not run.
fn line_is_free(w: &World) -> Result<(), LineOwed> {
    may_use_the_line(&decode_ledger(w.ledger.as_ref().unwrap()).unwrap(), &Records::read(&w.disk).unwrap())
}

#[test]
fn the_line_is_nobodys_while_the_boards_word_is_owed_to_an_order() {
    let key = Key { order_id: Id::parse("1").unwrap(), record_id: Id::parse("1").unwrap() };
    let mut w = World::new();
    assert_eq!(line_is_free(&w), Ok(()));
    w.deliver(&w.put("1", "1"));
    assert_eq!(line_is_free(&w), Err(LineOwed::UnderWay(key.clone())));
    w.board_says(Finding::Unproven("nothing came"));
    w.line_is(LineState::Idle);
    assert_eq!(line_is_free(&w), Err(LineOwed::InDoubt(key.clone())));
    let decision = Decision::Resolve { key, verdict: Verdict::Failed, reason: "I looked".to_owned() };
    w.step(Event::Decide { token: Token(1), uid: UID, decision });
    assert_eq!(line_is_free(&w), Ok(()));
    w.deliver(&w.put("2", "1"));
    w.board_ends(DISPENSED);
    assert_eq!(line_is_free(&w), Ok(()), "what is known of it is known for good");
}

#[test]
fn what_was_sent_by_hand_is_in_the_audit_of_the_next_life_within_its_bound() {
    let mut w = World::new();
    for _ in 0..AUDIT_KEPT {
        w.step(Event::Deed { uid: UID, kind: Kind::LogLevel, detail: "debug".to_owned() });
    }
    let records = Records::read(&w.disk).unwrap();
    let mut at_the_line = AtTheLine::begin(&records, 7, w.now, w.settings.boot_id);
    for frame in [[0x00, 0xff], [0x01, 0xfe]] {
        let (puts, removes) = at_the_line.sends(&frame).unwrap();
        w.disk.extend(puts);
        w.disk.retain(|key, _| !removes.contains(key));
    }
    w.restart();
    let kept = w.audit_kept();
    assert_eq!(kept.len(), AUDIT_KEPT);
    assert_eq!(kept.last().unwrap(), "Person(7) line_sent done: 2 raw frames; the last: 01 fe");
    w.step(Event::Deed { uid: UID, kind: Kind::LogLevel, detail: "info".to_owned() });
    let numbers: Vec<u64> = w.core.audit_lines().iter().map(|line| line.number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "no number is used twice: {numbers:?}");
    assert_eq!((numbers.len(), w.audit_kept().len()), (AUDIT_KEPT, AUDIT_KEPT));
}
