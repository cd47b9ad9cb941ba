//! A test vend turns a motor, and is never an order to anybody.

use super::world::{DISPENSED, OPEN, World};
use crate::board::driver::{Address, Finding, LineState, Slot};
use crate::board::service::ServiceError;
use crate::core::commit::ARRIVAL_COMMIT_MS;
use crate::core::event::{Event, Token};
use crate::core::{Recovered, Reply, SlotTest, TEST_WAIT_MS};
use crate::order::record::{Records, decode_ledger};
use crate::order::said::Said;

fn address(n: u8) -> Address {
    Address::new(n).unwrap()
}

impl World {
    fn test_only(&mut self, slot: u16) {
        self.step(Event::TestSlot {
            token: Token(3),
            uid: 0,
            test: SlotTest { address: address(1), slot: Slot(slot) },
        });
    }

    pub(super) fn tests_begun(&self) -> u64 {
        self.core.status(self.now).counters.tests
    }

    pub(super) fn test(&mut self, slot: u16) -> Result<u64, ServiceError> {
        self.test_only(slot);
        match self.replies.pop() {
            Some(Reply::Testing(testing)) => testing,
            other => panic!("{other:?}"),
        }
    }

    /// The state and outcome of the last test.
    fn tested(&self) -> (String, Option<String>) {
        let line = self.core.test_line().expect("there was a test");
        (line.state, line.outcome)
    }

    fn records_of_tests(&self) -> usize {
        self.disk.keys().filter(|key| key.starts_with(b"~t-")).count()
    }
}

fn ended(outcome: &str) -> (String, Option<String>) {
    ("outcome".to_owned(), Some(outcome.to_owned()))
}

#[test]
fn rule_35_a_test_vend_turns_once_and_is_reported_to_nobody() {
    let mut w = World::new();
    w.settings.cloud.refund_failed = true;
    w.restart();
    w.disk_is_quick = false;
    w.test_only(5);
    assert_eq!((w.driven(), w.replies.len()), (0, 0), "no motor without a durable intent (rule 19)");
    w.commit();
    assert_eq!((w.driven(), w.replies.len()), (1, 1));
    assert_eq!(w.tested(), ("intent".to_owned(), None));
    w.board_says(Finding::Progress(0x10));
    assert_eq!(w.core.test_line().unwrap().progress, Some(0x10));
    w.board_ends(OPEN);
    assert_eq!(w.script.lock().unwrap().released, 0);
    w.commit();
    assert_eq!(w.script.lock().unwrap().released, 1, "released when it is durable, like any other (rule 14)");
    let line = w.core.test_line().unwrap();
    assert_eq!((line.motor.as_deref(), line.drop_sensor.as_deref()), (Some("open"), Some("not_seen")));
    assert_eq!(w.tested(), ended("not_dispensed"));
    w.pass_s(600);
    assert_eq!((w.said.len(), w.requests.len(), w.core.open_orders().len()), (0, 0, 0));
    assert_eq!((w.core.status(w.now).orders_open, w.core.status(w.now).reports_open), (0, 0));
}

#[test]
fn rule_35_a_test_vend_is_refused_while_an_order_is_not_final_or_waits() {
    let mut w = World::new();
    w.deliver(&w.put("60", "78"));
    assert_eq!(w.test(6), Err(ServiceError::Busy));
    w.board_ends(DISPENSED);
    w.line_is(LineState::Settling);
    assert_eq!(w.test(6), Err(ServiceError::Away));
    w.deliver(&w.put("61", "78"));
    w.script.lock().unwrap().state = LineState::Idle;
    assert_eq!(w.test(6), Err(ServiceError::Busy), "one that waits for the line comes first");
    w.board_ends(DISPENSED);
    // Held back since nobody knows the time: it waits all the same.
    w.reboot(w.now_s(), false);
    w.deliver(&w.put("62", "78"));
    assert_eq!((w.test(6), w.driven()), (Err(ServiceError::Busy), 0));
}

#[test]
fn an_order_that_comes_while_a_test_runs_waits_for_its_end() {
    let mut w = World::new();
    assert!(w.test(6).is_ok());
    w.deliver(&w.put("60", "78"));
    w.pass_ms(ARRIVAL_COMMIT_MS);
    assert_eq!((w.driven(), w.acks.len()), (1, 1));
    assert_eq!(w.test(7), Err(ServiceError::Busy), "one test at a time");
    w.board_ends(DISPENSED);
    assert_eq!((w.driven(), w.script.lock().unwrap().driven[1].slot), (2, Slot(5)));
    w.board_ends(OPEN);
    assert_eq!((w.outcome_on_disk("60", "78"), w.tested()), (vec!["not_dispensed".to_owned()], ended("dispensed")));
}

#[test]
fn rule_35_a_test_vend_ends_with_the_life_that_began_it() {
    // Asked for and durable, the line not idle any more: the next life drives nothing.
    let mut w = World::new();
    w.disk_is_quick = false;
    w.test_only(6);
    w.script.lock().unwrap().state = LineState::Busy;
    w.commit();
    assert_eq!(w.driven(), 0);
    w.disk_is_quick = true;
    w.restart();
    // The board is asked, since a byte may have left, and proves that it never heard of it.
    assert_eq!(w.script.lock().unwrap().resumed.len(), 1);
    w.board_says(Finding::NotTaken(crate::order::outcome::Reason::BoardOffline));
    w.pass_s(600);
    assert_eq!((w.driven(), w.tested()), (0, ended("refused")));
    assert_eq!((w.said.len(), w.core.status(w.now).orders_open), (0, 0));
}

#[test]
fn rule_35_what_a_mark_proves_unwritten_is_not_driven_later_either() {
    let mut w = World::new();
    let id = crate::order::mark::MarkId([7; 16]);
    w.mark = Some(crate::order::mark::Mark { id, boot_id: w.settings.boot_id, written: 0 });
    w.restart();
    w.disk_is_quick = false;
    w.test_only(6);
    w.script.lock().unwrap().state = LineState::Busy;
    w.commit();
    w.disk_is_quick = true;
    w.restart();
    assert_eq!((w.driven(), w.tested()), (0, ended("refused")));
}

#[test]
fn rule_14_what_the_board_holds_of_a_test_is_no_orders_result() {
    let mut w = World::new();
    w.deliver(&w.put("60", "78"));
    w.board_says(Finding::Unproven("silence"));
    w.line_is(LineState::Idle);
    assert!(w.test(6).is_ok());
    w.board_says(Finding::Unproven("silence"));
    assert_eq!(w.tested(), ended("unknown"));
    w.restart();
    w.board_says(Finding::Late { address: address(1), slot: None, evidence: DISPENSED });
    assert_eq!(w.outcome_on_disk("60", "78"), ["unknown"], "it is the test's");
    assert_eq!(w.tested(), ended("dispensed"));
    assert_eq!(w.said.iter().filter(|f| f["method"] == "device.delivery.response").count(), 1);
}

#[test]
fn rule_01_the_end_of_a_test_that_was_only_seen_is_written_again() {
    let mut w = World::new();
    let number = w.test(6).unwrap();
    w.disk_is_quick = false;
    let before = (w.disk.clone(), w.ledger.clone());
    w.board_ends(DISPENSED);
    w.commit();
    let seen = Recovered::Journal {
        ledger: w.ledger.as_deref().map(|bytes| Box::new(decode_ledger(bytes).unwrap())),
        stock: Records::read(&w.disk).unwrap().into(),
    };
    (w.disk, w.ledger) = before;
    w.live_again(seen, true);
    w.commit();
    assert_eq!(w.outcome_on_disk(&format!("~t-{number}"), "1"), ["dispensed"]);
}

#[test]
fn a_slow_disk_starts_no_motor_that_nobody_looks_at() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.test_only(6);
    w.pass_ms(TEST_WAIT_MS + 1);
    w.commit();
    while w.pending.is_some() {
        w.commit();
    }
    assert_eq!((w.driven(), w.tested()), (0, ended("refused")));
}

#[test]
fn only_the_last_test_is_kept_also_over_a_restart() {
    let mut w = World::new();
    for n in 0..5 {
        assert!(w.test(5 + n).is_ok());
        w.board_ends(DISPENSED);
        w.pass_s(40);
        assert_eq!(w.records_of_tests(), 1, "{n}");
    }
    let last = w.core.test_line();
    w.restart();
    assert_eq!(w.core.test_line().map(|line| (line.test, line.outcome)), last.map(|line| (line.test, line.outcome)));
    assert!(w.test(5).is_ok());
    w.board_ends(DISPENSED);
    w.pass_s(40);
    assert_eq!(w.records_of_tests(), 1);
}

#[test]
fn what_cannot_be_tested_is_said_at_once() {
    let mut w = World::new();
    assert_eq!(w.test(60_000), Err(ServiceError::NoSuchSlot));
    w.settings.profile.addresses.count = 1;
    w.restart();
    let beyond = address(2);
    w.step(Event::TestSlot { token: Token(3), uid: 0, test: SlotTest { address: beyond, slot: Slot(5) } });
    assert_eq!(w.replies.pop(), Some(Reply::Testing(Err(ServiceError::NoSuchBoard))));
    w.step(Event::Space { enough: false });
    assert_eq!(w.test(5), Err(ServiceError::Unavailable));
    w.live_again(Recovered::Quarantine { why: Said::word("a digest is wrong") }, true);
    assert_eq!(w.test(5), Err(ServiceError::Unavailable));
}

#[test]
fn a_locked_slot_may_be_tested_and_a_test_locks_none() {
    let mut w = World::new();
    w.settings.lock_slot_after_unknown = true;
    w.restart();
    w.deliver(&w.put("60", "78"));
    w.board_says(Finding::Unproven("silence"));
    w.line_is(LineState::Idle);
    assert!(w.test(5).is_ok());
    w.board_ends(DISPENSED);
    assert!(w.test(6).is_ok());
    w.board_says(Finding::Unproven("silence"));
    w.line_is(LineState::Idle);
    w.deliver(&w.put("61", "1").with("code", "6"));
    assert_eq!(w.script.lock().unwrap().driven.len(), 4);
}
