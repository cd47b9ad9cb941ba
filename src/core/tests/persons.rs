//! What persons decide: an order in doubt ends as they say, dead letters leave again; and the course that they look at.

use super::world::{DISPENSED, World};
use crate::board::driver::{Finding, LineState};
use crate::core::drive::BOARD_WAIT_MS;
use crate::core::event::{Event, Token};
use crate::core::{
    DOUBT_TOLD_FOR_S, Decision, DecisionError, OrderStory, Reply, TRACE_STEPS_MAX, TRACED_ORDERS_MAX, Verdict,
};
use crate::order::key::{Id, Key};
use crate::order::record::Records;
use crate::order::said::Said;
use serde_json::Value;
use std::collections::BTreeMap;

const URL: &str = "https://shop.example/notify";
const UID: u32 = 1_000;

fn key(order_id: &str) -> Key {
    Key { order_id: Id::parse(order_id).unwrap(), record_id: Id::parse("1").unwrap() }
}

impl World {
    fn decide(&mut self, decision: Decision) {
        self.step(Event::Decide { token: Token(4), uid: UID, decision });
    }

    fn resolve(&mut self, order_id: &str, verdict: Verdict) {
        self.decide(Decision::Resolve { key: key(order_id), verdict, reason: "I looked".to_owned() });
    }

    /// What a person was told last: the order's state, or why not.
    fn decided(&mut self) -> Result<String, DecisionError> {
        match self.replies.pop() {
            Some(Reply::Decided(answer)) => answer.map(|order| order.state),
            other => panic!("{other:?}"),
        }
    }

    /// An order whose unit ended unknown while the line was in this state; its first report is taken.
    fn in_doubt(line: LineState) -> World {
        let mut w = World::new();
        w.deliver(&w.put("1", "1").with("notify_url", URL));
        w.script.lock().unwrap().state = line;
        w.board_says(Finding::Unproven("nothing came"));
        w.answer(200, "");
        w.pass_s(31);
        assert_eq!(w.on_disk("1", "1").unwrap().state, "tombstone");
        w
    }

    fn said_in(&self, request: usize) -> (Value, Value) {
        let body: Value = serde_json::from_slice(&self.requests[request].1.body).unwrap();
        (body["sequence"].clone(), body["outcome"].clone())
    }

    fn audit_on_disk(&self) -> Vec<String> {
        let entries = Records::read(&self.disk).unwrap().audit;
        entries.iter().map(|e| format!("{:?} {} {}", e.who, e.kind.as_str(), e.detail)).collect()
    }

    fn story(&self, order_id: &str) -> OrderStory {
        self.core.order_story(&key(order_id)).expect("the order is known")
    }

    fn course(&self, order_id: &str, kind: &str) -> Vec<String> {
        let steps = self.story(order_id).steps;
        steps.into_iter().filter(|step| step.kind == kind).map(|step| step.text).collect()
    }
}

#[test]
fn rule_60_a_persons_word_ends_the_doubt_with_the_next_report_and_turns_nothing() {
    for (verdict, outcome) in [
        (Verdict::Dispensed, "dispensed_unverified"),
        (Verdict::Failed, "not_dispensed"),
        (Verdict::Unknown, "unknown"),
    ] {
        let mut w = World::in_doubt(LineState::Idle);
        w.resolve("1", verdict);
        assert_eq!(w.decided(), Ok("reported".to_owned()));
        assert_eq!(w.said_in(0), (2.into(), outcome.into()));
        w.answer(200, "");
        w.pass_s(31);
        // What the board says later is not believed any more.
        w.board_says(Finding::Late {
            address: crate::board::driver::Address::new(1).unwrap(),
            slot: None,
            evidence: DISPENSED,
        });
        w.pass_s(31);
        assert_eq!((w.outcome_on_disk("1", "1"), w.driven(), w.requests.len()), (vec![outcome.to_owned()], 1, 0));
        assert!(w.story("1").resolved_by_person);
    }
}

#[test]
fn orders_are_counted_by_where_they_stand_while_they_are_open_and_when_they_are_settled() {
    let by_state = |w: &World| w.core.status(w.now).orders_by_state;
    let one = |state: &str| BTreeMap::from([(state.to_owned(), 1)]);
    let mut w = World::in_doubt(LineState::Idle);
    assert_eq!(by_state(&w), one("tombstone"));
    w.resolve("1", Verdict::Failed);
    assert_eq!(by_state(&w), one("reported"));
    w.answer(200, "");
    w.pass_s(31);
    assert_eq!(by_state(&w), one("tombstone"));
}

#[test]
fn an_order_in_doubt_is_told_until_a_person_resolves_it_or_a_week_is_over() {
    let told = |w: &World| {
        let status = w.core.status(w.now);
        (status.orders_in_doubt, status.in_doubt)
    };
    for verdict in [Verdict::Failed, Verdict::Unknown] {
        let mut w = World::in_doubt(LineState::Idle);
        assert_eq!(told(&w), (1, vec!["1:1".to_owned()]));
        let course = w.core.settled_orders();
        assert_eq!((course.len(), course[0].order_id.as_str()), (1, "1"), "its course can still be seen");
        w.resolve("1", verdict);
        assert_eq!(w.decided(), Ok("reported".to_owned()));
        assert_eq!(told(&w), (0, Vec::new()));
        assert_eq!(w.core.settled_orders(), [], "it is to be looked after again");
        w.answer(200, "");
        w.pass_s(31);
        assert_eq!(told(&w), (0, Vec::new()));
    }
    let mut w = World::in_doubt(LineState::Idle);
    w.pass_s(DOUBT_TOLD_FOR_S + 1);
    assert_eq!(told(&w), (0, Vec::new()));
}

#[test]
fn rule_60_a_persons_word_waits_until_the_motor_cannot_turn_any_more() {
    for line in [LineState::Busy, LineState::Held] {
        let mut w = World::in_doubt(line);
        w.resolve("1", Verdict::Failed);
        assert_eq!(w.decided(), Err(DecisionError::MayStillTurn), "{line:?}");
        w.line_is(LineState::Idle);
        w.resolve("1", Verdict::Failed);
        assert_eq!(w.decided(), Ok("reported".to_owned()));
    }
    for line in [LineState::Closed, LineState::Settling] {
        let mut w = World::in_doubt(line);
        let longest_vend_ms = w.settings.profile.timing.longest_vend_ms;
        w.pass_ms(longest_vend_ms + BOARD_WAIT_MS - 32_000);
        w.resolve("1", Verdict::Failed);
        assert_eq!(w.decided(), Err(DecisionError::MayStillTurn), "{line:?}");
        w.pass_s(2);
        w.resolve("1", Verdict::Failed);
        assert_eq!(w.decided(), Ok("reported".to_owned()), "a board that is gone for good must not keep the doubt");
    }
}

#[test]
fn rule_60_a_persons_word_its_audit_entry_and_the_report_are_one_batch() {
    let mut w = World::in_doubt(LineState::Idle);
    w.disk_is_quick = false;
    w.resolve("1", Verdict::Failed);
    assert!(w.replies.is_empty() && w.requests.is_empty(), "nothing is told before it is durable");
    assert!(w.audit_on_disk().is_empty());
    let durable = w.sync();
    let line = w.on_disk("1", "1").unwrap();
    assert_eq!((line.state.as_str(), line.reports.last().unwrap().sequence), ("reported", 2));
    assert_eq!(w.audit_on_disk(), ["Person(1000) order_resolved order 1:1 as failed: I looked"]);
    w.step(durable);
    assert_eq!((w.decided(), w.requests.len()), (Ok("reported".to_owned()), 1));
    w.disk_is_quick = true;
    w.restart();
    assert_eq!(w.said_in(0), (2.into(), "not_dispensed".into()), "told again after a power cut");
}

#[test]
fn rule_60_only_what_is_in_doubt_is_resolved() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    for (order_id, why) in [("1", DecisionError::NotEnded), ("9", DecisionError::NoSuchOrder)] {
        w.resolve(order_id, Verdict::Failed);
        assert_eq!(w.decided(), Err(why));
    }
    w.board_ends(DISPENSED);
    w.resolve("1", Verdict::Failed);
    assert_eq!(w.decided(), Err(DecisionError::NotInDoubt));
    w.line_is(LineState::Busy);
    w.deliver(&w.put("2", "1"));
    w.resolve("2", Verdict::Dispensed);
    assert_eq!(w.decided(), Err(DecisionError::NotEnded), "it waits, and will be driven");
    w.step(Event::JournalFailed { why: Said::word("full") });
    w.resolve("1", Verdict::Failed);
    assert_eq!(w.decided(), Err(DecisionError::Unavailable));
    assert!(w.audit_on_disk().is_empty());
}

/// An order whose report its receiver has refused for good.
fn dead() -> World {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_ends(DISPENSED);
    for _ in 0..10 {
        w.answer(404, "");
        w.pass_s(700);
    }
    assert_eq!(w.on_disk("1", "1").unwrap().reports[0].state, "dead");
    w
}

#[test]
fn rule_61_a_dead_letter_leaves_again_only_when_that_is_durable() {
    let mut w = dead();
    let letters = w.core.letters(w.now);
    let letter = &letters.letters[0];
    assert_eq!((letters.dead_orders, letter.state.as_str(), letter.reason.as_deref()), (1, "dead", Some("status 404")));
    assert_eq!(letter.host.as_deref(), Some("shop.example"));
    w.disk_is_quick = false;
    w.decide(Decision::Retry { key: key("1") });
    assert!(w.replies.is_empty() && w.requests.is_empty());
    w.commit();
    assert_eq!((w.decided(), w.requests.len()), (Ok("reported".to_owned()), 1));
    assert_eq!(w.audit_on_disk(), ["Person(1000) report_retried order 1:1: 1 dead letters"]);
    assert_eq!(w.said_in(0), (1.into(), "dispensed".into()), "as it was");
    w.disk_is_quick = true;
    w.answer(200, "");
    w.pass_s(31);
    assert_eq!(w.on_disk("1", "1").unwrap().reports[0].state, "settled");
    assert_eq!((w.core.letters(w.now).dead_orders, w.driven()), (0, 1));
    w.decide(Decision::Retry { key: key("1") });
    assert_eq!(w.decided(), Err(DecisionError::NothingDead));
}

#[test]
fn rule_61_a_dead_letter_that_was_corrected_since_is_settled_and_nothing_leaves() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.restart();
    w.pass_s(76);
    for _ in 0..10 {
        w.answer(404, "");
        w.pass_s(700);
    }
    w.resolve("1", Verdict::Failed);
    assert_eq!(w.said_in(0), (2.into(), "not_dispensed".into()));
    w.answer(200, "");
    w.pass_s(31);
    let states = |w: &World| w.on_disk("1", "1").unwrap().reports.iter().map(|r| r.state.clone()).collect::<Vec<_>>();
    assert_eq!((states(&w), w.core.letters(w.now).dead_orders), (vec!["dead".to_owned(), "settled".to_owned()], 1));
    w.decide(Decision::Retry { key: key("1") });
    assert_eq!((w.decided(), w.requests.len()), (Ok("tombstone".to_owned()), 0));
    assert_eq!((states(&w), w.core.letters(w.now).dead_orders), (vec!["settled".to_owned()], 0));
    assert_eq!(w.audit_on_disk().last().unwrap(), "Person(1000) report_retried order 1:1: 0 dead letters");
}

#[test]
fn rule_61_a_dead_letter_that_is_refused_again_is_dead_again_and_a_restart_forgets_nothing() {
    let mut w = dead();
    w.restart();
    assert_eq!(w.core.letters(w.now).dead_orders, 1, "known from the journal");
    w.decide(Decision::Retry { key: key("1") });
    w.restart();
    assert_eq!(w.requests.len(), 1, "pending again, and durable");
    for _ in 0..10 {
        w.answer(404, "");
        w.pass_s(700);
    }
    assert_eq!((w.on_disk("1", "1").unwrap().reports[0].state.as_str(), w.requests.len()), ("dead", 0));
}

#[test]
fn the_course_of_an_order_tells_every_message_state_and_try_in_order() {
    let mut w = World::new();
    let put = w.put("1", "1").with("notify_url", URL);
    w.deliver(&put);
    for _ in 0..2 {
        w.step(Event::LineBytes { read_at: w.now.boot, bytes: vec![1, 2] });
        w.pass_s(1);
    }
    w.board_ends(DISPENSED);
    w.answer(500, "");
    w.pass_s(2);
    w.answer(200, "");
    w.deliver(&put);
    let story = w.story("1");
    assert!(
        story.whole && story.steps.iter().all(|step| step.trusted_ms.is_some() == w.core.status(w.now).time_trusted)
    );
    assert_eq!(w.course("1", "message"), ["device.delivery.put: accepted", "device.delivery.put again: duplicate"]);
    assert_eq!(w.course("1", "frame_in"), ["01 02"]);
    assert_eq!(story.steps.iter().find(|step| step.kind == "frame_in").unwrap().times, 2);
    let states = w.course("1", "state");
    assert_eq!(states[..1], ["new: intent"]);
    for wanted in ["unit 1: dispensed", "report 1 written", "order: tombstone"] {
        assert!(states.iter().any(|state| state == wanted), "{wanted} in {states:?}");
    }
    let reports = w.course("1", "report");
    for wanted in [
        "report 1 over HTTP to shop.example: sent",
        "report 1 over HTTP to shop.example: status 500",
        "report 1 over HTTP to shop.example: status 200",
        "report 1 over MQTT: taken",
    ] {
        assert!(reports.iter().any(|report| report == wanted), "{wanted} in {reports:?}");
    }
    let times: Vec<Option<u64>> = story.steps.iter().map(|step| step.since_boot_ms).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn after_a_restart_the_course_says_that_it_is_not_whole_and_what_the_journal_knows() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.board_ends(DISPENSED);
    w.restart();
    let story = w.story("1");
    assert!(!story.whole);
    assert_eq!(w.course("1", "journal"), ["came", "unit 1: dispensed", "report 1 written: pending"]);
    let gap = w.course("1", "gap");
    assert!(matches!(gap.as_slice(), [gap] if gap.contains("the agent was started since")), "{gap:?}");
    assert_eq!((w.course("1", "frame_out"), w.course("1", "frame_in")), (Vec::new(), Vec::new()), "and no frame");
    let kinds: Vec<String> = story.steps.iter().map(|step| step.kind.clone()).collect();
    assert_eq!(kinds[..5], ["journal", "journal", "journal", "gap", "state"], "where it lacks");
    assert!(w.course("1", "state").iter().any(|state| state.starts_with("found in the journal")));
    assert!(w.course("1", "report").iter().any(|report| report.contains("sent")));
}

#[test]
fn courses_are_bounded_in_orders_and_in_steps() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    for n in 0..TRACE_STEPS_MAX + 10 {
        let bytes = n.to_be_bytes().to_vec();
        w.step(Event::LineBytes { read_at: w.now.boot, bytes });
        // What comes at once would be one answer.
        w.pass_ms(40);
    }
    let story = w.story("1");
    assert!(story.left_out > 0 && !story.whole);
    assert_eq!(w.course("1", "gap"), [format!("{} older steps were too many to be kept", story.left_out)]);
    assert!(
        story.steps.iter().filter(|step| !["journal", "gap"].contains(&step.kind.as_str())).count() <= TRACE_STEPS_MAX
    );
    w.board_ends(DISPENSED);
    w.line_is(LineState::Closed);
    for n in 0..TRACED_ORDERS_MAX {
        w.deliver(&w.put(&format!("a{n}"), "1"));
    }
    assert!(w.course("1", "state").is_empty(), "the first that began was forgotten");
    assert!(!w.course("a0", "state").is_empty());
    let newest = w.story(&format!("a{}", TRACED_ORDERS_MAX - 1));
    assert!(
        newest.whole && newest.steps.iter().all(|step| step.kind != "frame_in"),
        "it begins with nothing of that one"
    );
}
