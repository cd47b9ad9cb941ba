//! Pickup codes: used once, ever, whatever is cut, sent again, taken back or guessed.

use super::instructions::allowing;
use super::world::{DISPENSED, OPEN, Put, T0_S, World};
use crate::board::driver::{Finding, LineState};
use crate::board::service::ServiceError;
use crate::core::event::{Event, MachineTold, Token};
use crate::core::{
    CODES_MAX, Entry, PICKUP_WAIT_MS, Recovered, Reply, VerifyOrders, WRONG_FORGOTTEN_MS, WRONG_FREE,
    WRONG_PAUSE_MAX_MS, WRONG_PAUSE_MS,
};
use crate::order::instruction::Permission;
use crate::order::pickup::Digits;
use crate::order::record::Records;
use crate::order::said::Said;
use std::collections::BTreeMap;

const DIGITS: &str = "16327138";
const PUT_METHOD: &str = "client.pickup_codes.put";

impl World {
    /// Codes that were told to be used when they were used.
    fn used_at_once(&self) -> Vec<&str> {
        let told = self.said.iter().filter(|f| f["method"] == PUT_METHOD && !f.contains_key("outcome"));
        told.map(|f| f["id"].as_str()).collect()
    }

    /// A code for slot 5, issued now.
    pub(super) fn code(&self, id: &str, digits: &str) -> Put {
        Put::new("unused", "unused", self.now_s())
            .with("method", "client.pickup_codes.create")
            .with("order_id", "")
            .with("record_id", "")
            .with("id", id)
            .with("code", digits)
            .with("product_id", "20001")
            .with("quantity", "1")
            .with("channel_code", "5")
    }

    fn delete(&self, id: &str) -> Put {
        self.code(id, "").with("method", "client.pickup_codes.delete")
    }

    /// Nothing is told before a commit that this entry waits for.
    pub(super) fn enter_only(&mut self, digits: &str) {
        self.step(Event::CodeEntered { token: Token(1), digits: Digits::parse(digits).unwrap() });
    }

    fn enter(&mut self, digits: &str) -> Entry {
        let before = self.replies.len();
        self.enter_only(digits);
        assert_eq!(self.replies.len(), before + 1, "one answer");
        match self.replies.last().unwrap() {
            Reply::Entered(entry) => entry.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn is_accepted(&mut self, digits: &str) -> bool {
        matches!(self.enter(digits), Entry::Accepted { .. })
    }

    fn state_of_code(&self, id: &str) -> String {
        let line = self.core.code_lines(self.now).into_iter().find(|line| line.id == id);
        line.map_or_else(|| "unknown".to_owned(), |line| line.state)
    }

    /// The last word of what became of a code's order.
    fn last_outcome(&self) -> &BTreeMap<String, String> {
        self.said.iter().rfind(|f| f["method"] == PUT_METHOD && f.contains_key("outcome")).unwrap()
    }

    fn used_words(&self) -> Vec<(String, String)> {
        let told = self.said.iter().filter(|f| f["method"] == PUT_METHOD && f.contains_key("outcome"));
        told.map(|f| (f["id"].clone(), f["outcome"].clone())).collect()
    }
}

#[test]
fn a_code_dispenses_once_and_then_says_what_became_of_it() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS).with("quantity", "2"));
    assert_eq!((w.acks.len(), w.state_of_code("7").as_str()), (1, "open"));
    assert!(w.is_accepted(DIGITS));
    assert_eq!(w.driven(), 1);
    w.board_ends(DISPENSED);
    w.board_ends(DISPENSED);
    assert_eq!(w.driven(), 2);
    let Entry::Used { order: Some(order) } = w.enter(DIGITS) else { panic!("{:?}", w.replies.last()) };
    let outcomes: Vec<_> = order.units.iter().filter_map(|unit| unit.outcome.as_deref()).collect();
    assert_eq!((order.order_id.as_str(), outcomes), ("~p-7", vec!["dispensed", "dispensed"]));
    assert_eq!(w.used_words(), [("7".to_owned(), "dispensed".to_owned())]);
    assert_eq!((w.last_outcome()["used"].as_str(), w.requests.len()), ("1", 0));
    assert_eq!(w.driven(), 2);
}

#[test]
fn rule_31_nothing_is_told_or_driven_before_use_and_order_are_durable() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    w.disk_is_quick = false;
    w.enter_only(DIGITS);
    assert_eq!((w.replies.len(), w.driven()), (0, 0));
    w.enter_only(DIGITS);
    assert!(matches!(w.replies[..], [Reply::Entered(Entry::Used { .. })]), "nor a second time");
    w.commit();
    assert_eq!((w.replies.len(), w.driven()), (2, 1));
}

#[test]
fn rule_31_a_cut_at_any_commit_leaves_both_code_and_order_or_neither() {
    for commits in 0..4 {
        let mut w = World::new();
        w.deliver(&w.code("7", DIGITS));
        w.disk_is_quick = false;
        w.enter_only(DIGITS);
        for _ in 0..commits {
            match w.pending {
                Some(_) => w.commit(),
                None => w.board_ends(DISPENSED),
            }
        }
        let driven = w.driven();
        w.disk_is_quick = true;
        w.restart();
        let used = w.state_of_code("7") == "used";
        assert_eq!(used, w.on_disk("~p-7", "1").is_some(), "{commits} commits");
        assert_eq!(used, commits > 0, "{commits} commits");
        assert_eq!(w.is_accepted(DIGITS), !used, "{commits} commits");
        assert_eq!(driven + w.driven(), 1, "{commits} commits");
    }
}

#[test]
fn rule_31_a_use_that_was_only_seen_is_written_again() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    w.disk_is_quick = false;
    let before = (w.disk.clone(), w.ledger.clone());
    w.enter_only(DIGITS);
    w.commit();
    // The process dies; its successor sees the batch, but the disk does not have it yet.
    let seen = Recovered::Journal {
        ledger: w.ledger.as_deref().map(|bytes| crate::order::record::decode_ledger(bytes).unwrap()).map(Box::new),
        stock: Records::read(&w.disk).unwrap().into(),
    };
    (w.disk, w.ledger) = before;
    w.live_again(seen, true);
    w.commit();
    w.restart();
    w.commit();
    assert_eq!(w.state_of_code("7"), "used");
}

#[test]
fn rule_31_a_used_code_stays_used_whatever_the_platform_sends() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    assert!(w.is_accepted(DIGITS));
    w.board_ends(OPEN);
    w.pass_s(60);
    for again in [w.code("7", DIGITS), w.code("7", "00000000"), w.delete("7"), w.code("7", DIGITS).with("used", "1")] {
        w.pass_s(1);
        w.deliver(&again);
        assert_eq!(w.state_of_code("7"), "used");
    }
    w.deliver(&w.code("7", DIGITS));
    assert!(matches!(w.enter(DIGITS), Entry::Used { .. }), "not even after a vend that failed");
    assert_eq!((w.enter("00000000"), w.driven()), (Entry::Wrong, 1));
    assert_eq!(w.acks.len(), 6, "and nothing comes back for ever");
    assert_eq!(w.used_words(), [("7".to_owned(), "not_dispensed".to_owned())]);
}

#[test]
fn rule_31_the_newest_word_about_a_code_counts_and_an_older_one_changes_nothing() {
    let mut w = World::new();
    let created = w.code("7", DIGITS);
    w.deliver(&created);
    w.pass_s(10);
    let deleted = w.delete("7");
    w.deliver(&deleted);
    assert_eq!(w.enter(DIGITS), Entry::Wrong);
    w.deliver(&created);
    w.deliver(&w.code("7", DIGITS));
    assert_eq!(w.state_of_code("7"), "gone", "of two words of one second the deletion counts");
    w.pass_s(1);
    w.deliver(&w.code("7", "00000007"));
    w.deliver(&deleted);
    assert_eq!(w.state_of_code("7"), "open", "a replayed deletion");
    assert!(w.is_accepted("00000007"));
    let early = w.delete("8");
    w.deliver(&early);
    w.deliver(&w.code("8", "00000008"));
    assert_eq!(w.state_of_code("8"), "gone", "the deletion came first");
}

#[test]
fn rule_31_a_deletion_that_comes_after_the_use_changes_nothing() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    w.disk_is_quick = false;
    w.enter_only(DIGITS);
    w.deliver(&w.delete("7"));
    w.commit();
    w.commit();
    assert_eq!((w.driven(), w.state_of_code("7").as_str()), (1, "used"));
}

#[test]
fn rule_31_beyond_its_limit_the_oldest_that_nobody_may_enter_is_forgotten_and_its_id_is_stale() {
    let mut w = World::new();
    let first = w.code("0", "00000000");
    w.deliver(&first);
    w.pass_s(1);
    w.deliver(&w.delete("0"));
    let deleted_s = w.now_s();
    w.pass_s(1);
    for n in 1..CODES_MAX {
        w.deliver(&w.code(&n.to_string(), &format!("{n:08}")));
    }
    assert_eq!(w.core.code_lines(w.now).len(), CODES_MAX);
    w.deliver(&w.code("more", "99999999"));
    assert_eq!((w.state_of_code("0").as_str(), w.state_of_code("more").as_str()), ("unknown", "open"));
    w.deliver(&w.code("too-many", "99999998"));
    assert_eq!(w.state_of_code("too-many"), "unknown", "none of the others may go");
    assert!(w.is_accepted("00000001"));
    w.board_ends(DISPENSED);
    w.restart();
    w.deliver(&w.code("again", "99999998").with("timestamp", &deleted_s.to_string()));
    w.deliver(&first);
    assert_eq!((w.state_of_code("again").as_str(), w.state_of_code("0").as_str()), ("unknown", "unknown"));
    w.deliver(&w.code("fits", "99999998"));
    assert_eq!((w.state_of_code("1").as_str(), w.state_of_code("fits").as_str()), ("unknown", "open"));
    w.pass_s(1);
    w.deliver(&w.code("1", "00000001"));
    assert_eq!(w.enter("00000001"), Entry::Wrong, "its order is known still");
    assert_eq!(w.core.code_lines(w.now).len(), CODES_MAX);
}

#[test]
fn rule_32_a_code_holds_until_its_time_and_without_a_time_for_ever() {
    let mut w = World::new();
    let at = |s: u64| ((T0_S + s) * 1_000).to_string();
    w.deliver(&w.code("1", "00000001").with("expired_at", &at(60)));
    w.deliver(&w.code("2", "00000002").with("expired_at", &at(60)));
    w.deliver(&w.code("3", "00000003"));
    w.pass_s(60);
    assert!(w.is_accepted("00000001"), "to the last instant");
    w.board_ends(DISPENSED);
    w.pass_s(1);
    assert_eq!((w.enter("00000002"), w.state_of_code("2").as_str()), (Entry::Expired, "expired"));
    w.pass_s(86_400 * 400);
    assert!(w.is_accepted("00000003"));
}

#[test]
fn rule_32_without_trusted_time_only_what_has_no_time_or_came_in_this_boot_is_believed() {
    let mut w = World::new();
    let at = ((T0_S + 60) * 1_000).to_string();
    for id in ["00000001", "00000002", "00000003"] {
        w.deliver(&w.code(id, id).with("expired_at", &at));
    }
    w.deliver(&w.code("4", "00000004"));
    w.now.synchronised = false;
    w.pass_s(30);
    assert!(w.is_accepted("00000001"), "its age counts by the boot clock");
    w.board_ends(DISPENSED);
    w.pass_s(31);
    assert_eq!(w.enter("00000002"), Entry::Expired);
    w.reboot(T0_S, false);
    assert_eq!(w.enter("00000003"), Entry::TimeUnknown, "a plausible clock proves nothing");
    assert_eq!(w.state_of_code("00000003"), "open", "and the code is not lost by it");
    assert!(w.is_accepted("00000004"));
}

#[test]
fn rule_32_a_code_that_may_be_of_a_former_life_is_not_believed() {
    let mut w = World::new();
    let (old, redelivered) = (w.code("1", "00000001"), w.code("2", "00000002"));
    w.pass_s(10);
    w.ledger = None;
    w.disk.clear();
    w.restart_with_session(true);
    w.pass_s(10);
    w.deliver(&old);
    assert_eq!((w.enter("00000001"), w.driven()), (Entry::MayBeUsed, 0));
    w.redeliver(&redelivered.with("timestamp", &w.now_s().to_string()));
    assert_eq!((w.enter("00000002"), w.acks.len()), (Entry::Wrong, 2));
    w.deliver(&w.code("3", "00000003"));
    assert!(w.is_accepted("00000003"));
}

#[test]
fn rule_33_after_five_wrong_codes_nothing_is_looked_at_for_a_growing_while() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    for _ in 0..WRONG_FREE {
        assert_eq!(w.enter("00000000"), Entry::Wrong);
    }
    let mut pause_ms = WRONG_PAUSE_MS;
    for _ in 0..10 {
        assert_eq!(w.enter(DIGITS), Entry::Paused { wait_s: pause_ms / 1_000 }, "not even the right one");
        w.pass_ms(pause_ms - 1);
        assert_eq!(w.enter("00000000"), Entry::Paused { wait_s: 1 });
        w.pass_ms(1);
        let is_forgotten = pause_ms == WRONG_FORGOTTEN_MS;
        assert_eq!(w.enter("00000000"), Entry::Wrong);
        if is_forgotten {
            break;
        }
        pause_ms = (pause_ms * 2).min(WRONG_PAUSE_MAX_MS);
    }
    assert_eq!(pause_ms, WRONG_PAUSE_MAX_MS);
    assert!(w.is_accepted(DIGITS), "wrong codes of an hour ago are forgotten");
    for _ in 0..WRONG_FREE {
        assert_eq!(w.enter("00000000"), Entry::Wrong, "a right code ends the row");
    }
}

#[test]
fn rule_33_a_restart_gives_no_further_try_and_begins_the_pause_anew() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    w.disk_is_quick = false;
    for n in 0..WRONG_FREE {
        w.enter_only("00000000");
        assert_eq!(w.replies.len(), usize::try_from(n).unwrap(), "told when it is counted for good");
        w.commit();
    }
    w.disk_is_quick = true;
    w.pass_ms(WRONG_PAUSE_MS - 1);
    w.restart();
    assert_eq!(w.enter(DIGITS), Entry::Paused { wait_s: WRONG_PAUSE_MS / 1_000 });
    w.pass_ms(WRONG_PAUSE_MS);
    assert!(w.is_accepted(DIGITS));
}

#[test]
fn rule_34_a_used_code_is_told_until_the_platform_took_it() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    w.step(Event::Disconnected { why: Said::word("gone") });
    assert!(w.is_accepted(DIGITS));
    w.board_ends(DISPENSED);
    w.broker_is_quick = false;
    w.restart();
    assert_eq!(w.used_words().len(), 1);
    let first = w.last_outcome().clone();
    w.pass_s(10);
    w.restart();
    assert_eq!((w.used_words().len(), w.last_outcome()), (2, &first), "word for word");
    for token in w.published.clone() {
        w.step(Event::Published(token));
    }
    w.pass_s(40);
    w.restart();
    assert_eq!(w.used_words().len(), 2);
}

#[test]
fn rule_34_a_code_is_told_as_soon_as_it_is_used_and_again_after_any_cut() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    w.disk_is_quick = false;
    w.enter_only(DIGITS);
    assert_eq!(w.used_at_once(), [""; 0], "not before the use is durable");
    w.commit();
    assert_eq!((w.used_at_once(), w.driven()), (vec!["7"], 1), "before the motor stands");
    let said = w.last_said(PUT_METHOD);
    let own: Vec<&str> = said.keys().map(String::as_str).collect();
    assert_eq!(own, ["client_id", "id", "method", "sign", "status", "timestamp", "used"], "the documented fields");
    // The network is away when it is used; the process dies; the motor turns.
    for commits in 0..3 {
        let mut w = World::new();
        w.deliver(&w.code("7", DIGITS));
        w.step(Event::Disconnected { why: Said::word("gone") });
        w.disk_is_quick = false;
        w.enter_only(DIGITS);
        for _ in 0..commits {
            match w.pending {
                Some(_) => w.commit(),
                None => w.pass_s(1),
            }
        }
        w.disk_is_quick = true;
        w.restart();
        let used = if commits > 0 { vec!["7"] } else { Vec::new() };
        assert_eq!(w.used_at_once(), used, "{commits} commits");
        assert_eq!((w.state_of_code("7") == "used", w.core.status(w.now).calls_open), (commits > 0, 0));
    }
}

#[test]
fn rule_01_what_is_said_again_of_a_code_is_written_again_before_it_is_acknowledged() {
    let mut w = World::new();
    let older = w.code("7", DIGITS);
    w.pass_s(1);
    w.disk_is_quick = false;
    let before = (w.disk.clone(), w.ledger.clone());
    w.deliver(&w.code("7", DIGITS));
    w.commit();
    // The process dies; its successor sees the newer word, but the disk does not have it yet.
    let seen = Recovered::Journal {
        ledger: w.ledger.as_deref().map(|bytes| crate::order::record::decode_ledger(bytes).unwrap()).map(Box::new),
        stock: Records::read(&w.disk).unwrap().into(),
    };
    (w.disk, w.ledger) = before;
    w.acks.clear();
    w.live_again(seen, true);
    while w.pending.is_some() {
        w.commit();
    }
    let codes = |w: &World| Records::read(&w.disk).unwrap().codes.len();
    assert_eq!(codes(&w), 0, "it was only seen");
    w.redeliver(&older);
    assert_eq!(
        w.acks.len(),
        0,
        "an older word says nothing new, and is not acknowledged before what it met is durable"
    );
    w.commit();
    assert_eq!((w.acks.len(), codes(&w)), (1, 1));
}

#[test]
fn while_the_machine_is_about_to_go_no_code_is_taken_and_no_slot_tested() {
    for asked in [false, true] {
        let mut w = allowing(&[Permission::Reboot]);
        w.deliver(&w.code("7", DIGITS));
        w.disk_is_quick = asked;
        w.instruct("client.machine.reboot", &[]);
        if asked {
            w.step(Event::Machine { number: 1, told: MachineTold::Asked });
        }
        assert_eq!((w.enter(DIGITS), w.state_of_code("7").as_str()), (Entry::Unavailable, "open"), "asked: {asked}");
        assert_eq!(w.test(5), Err(ServiceError::Unavailable), "asked: {asked}");
        w.disk_is_quick = true;
        if w.pending.is_some() {
            w.commit();
        }
        assert_eq!((w.driven(), w.tests_begun()), (0, 0), "asked: {asked}");
        w.step(Event::Machine { number: 1, told: MachineTold::NotAsked("read-only".to_owned()) });
        assert!(w.is_accepted(DIGITS), "it stays after all");
        w.board_ends(DISPENSED);
        assert!(w.test(5).is_ok());
    }
}

#[test]
fn the_platform_is_not_asked_about_an_order_that_the_machine_made_itself() {
    let mut w = World::new();
    w.settings.cloud.sync_results = true;
    w.settings.cloud.refund_failed = true;
    w.settings.cloud.verify_orders = VerifyOrders::Always;
    w.restart();
    w.deliver(&w.code("7", DIGITS));
    assert!(w.is_accepted(DIGITS));
    w.board_ends(OPEN);
    w.pass_s(3_600);
    assert_eq!((w.driven(), w.used_words().len(), w.requests.len()), (1, 1, 0), "{:?}", w.requests);
}

#[test]
fn rule_34_late_evidence_corrects_what_was_told_of_a_code() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    assert!(w.is_accepted(DIGITS));
    w.board_says(Finding::Unproven("silence"));
    let address = crate::board::driver::Address::new(1).unwrap();
    w.board_says(Finding::Late { address, slot: None, evidence: DISPENSED });
    let told: Vec<_> = w.used_words().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(told, ["unknown", "dispensed"]);
    assert_eq!(w.last_outcome()["sequence"], "2");
}

#[test]
fn rule_30_what_waits_for_somebody_who_has_gone_is_refused() {
    for reboot in [false, true] {
        let mut w = World::new();
        w.deliver(&w.code("7", DIGITS));
        w.line_is(LineState::Busy);
        assert!(w.is_accepted(DIGITS));
        if reboot {
            w.reboot(w.now_s(), true);
        } else {
            w.pass_ms(PICKUP_WAIT_MS);
            assert_eq!(w.outcome_on_disk("~p-7", "1"), ["accepted"]);
            w.pass_ms(1);
        }
        w.line_is(LineState::Idle);
        assert_eq!((w.driven(), w.outcome_on_disk("~p-7", "1")), (0, vec!["refused".to_owned()]));
        assert_eq!(w.last_outcome()["reason"], "expired");
        assert!(matches!(w.enter(DIGITS), Entry::Used { .. }));
    }
}

#[test]
fn after_a_crash_in_the_same_boot_whoever_waits_is_served() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    w.line_is(LineState::Busy);
    assert!(w.is_accepted(DIGITS));
    w.now.synchronised = false;
    w.restart();
    assert_eq!(w.driven(), 1);
    assert_eq!(w.count_said("device.delivery.received"), 0);
}

#[test]
fn a_code_is_not_served_from_a_slot_that_the_profile_has_no_more_after_a_restart() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    w.line_is(LineState::Busy);
    assert!(w.is_accepted(DIGITS));
    w.settings.profile.slots.gaps.push(5);
    w.restart();
    assert_eq!((w.driven(), w.last_outcome()["outcome"].as_str()), (0, "refused"));
}

#[test]
fn what_cannot_be_served_now_leaves_the_code_as_it_was() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    w.line_is(LineState::Settling);
    assert_eq!(w.enter(DIGITS), Entry::BoardAway);
    w.line_is(LineState::Idle);
    w.step(Event::Space { enough: false });
    assert_eq!(w.enter(DIGITS), Entry::Unavailable);
    w.step(Event::Space { enough: true });
    w.deliver(&w.code("8", "00000008").with("channel_code", ""));
    assert_eq!(w.enter("00000008"), Entry::NoSlot);
    assert_eq!((w.state_of_code("7").as_str(), w.state_of_code("8").as_str(), w.driven()), ("open", "open", 0));
    w.line_is(LineState::Busy);
    assert!(w.is_accepted(DIGITS), "a board that is busy will be free");
}

#[test]
fn a_code_that_names_only_its_product_dispenses_from_the_slot_that_the_catalogue_knows() {
    let mut w = super::catalogue::selling(20_001, "006");
    w.deliver(&w.code("7", DIGITS).with("channel_code", ""));
    assert!(w.is_accepted(DIGITS));
    w.board_ends(DISPENSED);
    let driven: Vec<u16> = w.script.lock().unwrap().driven.iter().map(|command| command.slot.0).collect();
    assert_eq!((driven, w.core.slots()[0].count), (vec![6], 4), "and is counted");
}

#[test]
fn a_locked_slot_refuses_the_code_and_keeps_it() {
    let mut w = World::new();
    w.settings.lock_slot_after_unknown = true;
    w.restart();
    w.deliver(&w.put("60", "78"));
    w.board_says(Finding::Unproven("silence"));
    w.deliver(&w.code("7", DIGITS));
    assert_eq!((w.enter(DIGITS), w.state_of_code("7").as_str()), (Entry::SlotLocked, "open"));
}

#[test]
fn rule_05_in_quarantine_no_code_is_taken_acknowledged_or_entered() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    let acks = w.acks.len();
    w.live_again(Recovered::Quarantine { why: Said::word("a digest is wrong") }, true);
    w.deliver(&w.code("8", "00000008"));
    assert_eq!((w.enter(DIGITS), w.acks.len(), w.driven()), (Entry::Unavailable, acks, 0));
}

#[test]
fn a_code_waits_for_the_first_commit_and_for_room() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.restart();
    w.deliver(&w.code("7", DIGITS));
    assert_eq!(w.state_of_code("7"), "unknown");
    w.commit();
    assert_eq!((w.state_of_code("7").as_str(), w.acks.len()), ("open", 0));
    w.commit();
    assert_eq!(w.acks.len(), 1);
    w.disk_is_quick = true;
    w.step(Event::Space { enough: false });
    w.deliver(&w.code("8", "00000008"));
    assert_eq!((w.state_of_code("8").as_str(), w.acks.len()), ("unknown", 1));
    w.step(Event::Space { enough: true });
    assert_eq!((w.state_of_code("8").as_str(), w.acks.len()), ("open", 2));
}

#[test]
fn no_code_is_in_the_journal_the_status_or_what_is_said() {
    let mut w = World::new();
    w.deliver(&w.code("7", DIGITS));
    assert!(w.is_accepted(DIGITS));
    w.board_ends(DISPENSED);
    w.enter("99999999");
    let is_in = |bytes: &[u8]| bytes.windows(DIGITS.len()).any(|part| part == DIGITS.as_bytes());
    assert!(!w.disk.values().any(|value| is_in(value)));
    let status = serde_json::to_string(&w.core.status(w.now)).unwrap();
    assert!(!status.contains(DIGITS) && !status.contains("99999999"), "{status}");
    assert!(!format!("{:?}{:?}", w.said, w.replies).contains(DIGITS));
}
