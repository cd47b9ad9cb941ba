//! A test vend that the platform wants: once, allowed, fresh, never before an order and never an order itself.

use super::instructions::allowing;
use super::world::{DISPENSED, World};
use crate::board::driver::{Finding, LineState, Slot};
use crate::core::Recovered;
use crate::core::event::{Event, MachineTold};
use crate::order::instruction::{Permission, TEST_FRESH_WITHIN_S};
use crate::order::outcome::Reason;
use crate::order::record::{Records, decode_ledger};

const DEBUGGING: &str = "client.channel.debugging";
const OWN: [(&str, &str); 3] = [("code", "5"), ("addr", "1"), ("order_type", "test")];

fn world() -> World {
    allowing(&[Permission::ChannelTest, Permission::Reboot])
}

impl World {
    fn want_test(&mut self) {
        self.instruct(DEBUGGING, &OWN);
    }

    fn tested_outcome(&self) -> Option<String> {
        self.core.test_line().and_then(|line| line.outcome)
    }
}

#[test]
fn a_channel_test_turns_once_is_acknowledged_when_it_is_durable_and_told_to_nobody() {
    let mut w = world();
    w.disk_is_quick = false;
    w.want_test();
    assert_eq!((w.driven(), w.acks.len()), (0, 0), "no motor and no acknowledgement before the intent is durable");
    w.commit();
    assert_eq!((w.driven(), w.acks.len(), w.script.lock().unwrap().driven[0].slot), (1, 1, Slot(5)));
    assert_eq!(w.audited(), ["channel_test under_way"]);
    w.board_ends(DISPENSED);
    while w.pending.is_some() {
        w.commit();
    }
    assert_eq!((w.audited(), w.tested_outcome().as_deref()), (vec!["channel_test done".to_owned()], Some("dispensed")));
    let detail = &w.core.audit_lines()[0].detail;
    assert_eq!(detail, "test 1 of slot 5 of board 1: dispensed");
    w.disk_is_quick = true;
    w.pass_s(600);
    assert_eq!((w.said.len(), w.requests.len(), w.core.open_orders().len()), (0, 0, 0));
    w.restart();
    assert_eq!((w.audited(), w.driven()), (vec!["channel_test done".to_owned()], 0));
}

#[test]
fn a_channel_test_that_is_redelivered_after_a_cut_at_any_commit_turns_the_motor_at_most_once() {
    for commits in 0..5 {
        let mut w = world();
        let at_s = w.now_s();
        w.disk_is_quick = false;
        w.instruct_at(DEBUGGING, &OWN, at_s);
        for _ in 0..commits {
            match w.pending {
                Some(_) => w.commit(),
                None => w.board_ends(DISPENSED),
            }
        }
        let before = w.driven();
        w.disk_is_quick = true;
        w.restart();
        // The board never heard of it, as far as it remembers.
        w.board_says(Finding::NotTaken(Reason::BoardOffline));
        w.line_is(LineState::Idle);
        w.pass_s(5);
        for _ in 0..2 {
            w.instruct_at(DEBUGGING, &OWN, at_s);
        }
        assert_eq!(before + w.driven(), 1, "{commits} commits");
        let first = if commits == 0 {
            "under_way"
        } else if commits < 3 {
            "failed"
        } else {
            "done"
        };
        assert_eq!(w.audited()[0], format!("channel_test {first}"), "{commits} commits");
        assert!(w.audited()[1..].iter().all(|line| line == "channel_test refused replayed"), "{:?}", w.audited());
    }
}

#[test]
fn an_order_comes_before_a_channel_test_and_one_that_was_refused_has_had_its_chance() {
    let mut w = world();
    w.deliver(&w.put("60", "78"));
    let at_s = w.now_s();
    w.instruct_at(DEBUGGING, &OWN, at_s);
    assert_eq!(w.last_audited(), "channel_test refused orders_open");
    w.board_ends(DISPENSED);
    w.instruct_at(DEBUGGING, &OWN, at_s);
    assert_eq!((w.last_audited().as_str(), w.driven()), ("channel_test refused replayed", 1));
    w.pass_s(1);
    w.want_test();
    w.deliver(&w.put("61", "1"));
    assert_eq!((w.driven(), w.last_audited().as_str()), (2, "channel_test under_way"), "one that comes later waits");
    w.pass_s(1);
    w.want_test();
    let told = w.core.status(w.now).rejected.pop().map(|entry| entry.why);
    assert_eq!(told.as_deref(), Some("instruction channel_test refused: orders_open"), "one test at a time");
    w.board_ends(DISPENSED);
    assert_eq!(w.driven(), 3);
}

#[test]
fn no_channel_test_begins_while_the_machine_is_about_to_go_or_the_board_is_away() {
    let mut w = world();
    w.instruct("client.machine.reboot", &[]);
    w.want_test();
    assert_eq!((w.last_audited().as_str(), w.driven()), ("channel_test refused busy", 0));
    w.step(Event::Machine { number: 1, told: MachineTold::NotAsked("read-only".to_owned()) });
    w.pass_s(1);
    w.line_is(LineState::Settling);
    w.instruct("client.machine.reboot", &[]);
    w.want_test();
    assert_eq!(w.core.audit_lines().iter().filter(|line| line.became == "waiting").count(), 1);
    assert_eq!((w.audited().len(), w.driven()), (3, 0), "that it waits is enough, and is not told twice a minute");
    let mut w = world();
    w.line_is(LineState::Settling);
    w.want_test();
    assert_eq!(w.last_audited(), "channel_test refused board_away");
    w.line_is(LineState::Busy);
    w.pass_s(1);
    w.want_test();
    assert_eq!(w.last_audited(), "channel_test refused busy");
    w.line_is(LineState::Idle);
    w.step(Event::Space { enough: false });
    w.pass_s(1);
    w.want_test();
    assert_eq!((w.last_audited().as_str(), w.driven()), ("channel_test refused unavailable", 0));
}

#[test]
fn a_channel_test_is_begun_only_while_whoever_wanted_it_may_still_look() {
    let mut w = world();
    w.instruct_at(DEBUGGING, &OWN, w.now_s() - TEST_FRESH_WITHIN_S - 1);
    assert_eq!((w.last_audited().as_str(), w.driven()), ("channel_test refused stale", 0));
    w.instruct_at(DEBUGGING, &OWN, w.now_s() - TEST_FRESH_WITHIN_S);
    assert_eq!((w.last_audited().as_str(), w.driven()), ("channel_test under_way", 1));
    let mut w = world();
    w.instruct(DEBUGGING, &[("code", "5"), ("order_type", "normal")]);
    assert_eq!((w.last_audited().as_str(), w.driven()), ("channel_test refused invalid", 0));
    assert_eq!(w.core.audit_lines()[0].detail, "order_type");
}

#[test]
fn a_channel_test_that_nothing_proves_is_unknown_in_the_audit() {
    let mut w = world();
    w.want_test();
    w.restart();
    assert_eq!(w.last_audited(), "channel_test under_way", "the board is being asked");
    w.board_says(Finding::Unproven("silence"));
    assert_eq!((w.audited(), w.driven()), (vec!["channel_test unknown".to_owned()], 0));
    w.line_is(LineState::Idle);
    w.pass_s(1);
    w.want_test();
    assert_eq!((w.last_audited().as_str(), w.driven()), ("channel_test under_way", 1), "another one is another one");
}

#[test]
fn rule_01_the_end_of_a_channel_test_that_was_only_seen_is_written_again_with_its_entry() {
    let mut w = world();
    w.want_test();
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
    w.disk_is_quick = true;
    w.restart();
    assert_eq!((w.audited(), w.tested_outcome().as_deref()), (vec!["channel_test done".to_owned()], Some("dispensed")));
}
