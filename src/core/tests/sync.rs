//! Rules 44–49: after a result the cloud is asked until its books agree, or a difference stands for a person.

use super::world::{DISPENSED, OPEN, World, settings};
use crate::board::driver::{Address, Finding, LineState};
use crate::core::sync::{ANSWERS_MAX, ASKED_WITHIN_S, MENDED_AFTER};
use crate::core::{Settings, VerifyOrders};
use crate::order::record::Records;
use crate::order::sync::{Difference, Sync};
use std::collections::BTreeMap;

const OK: &str = r#"{"code":0,"message":"ok","data":""}"#;
/// Longer than any pause between two questions, in s.
const PAUSE_S: u64 = 601;

pub(super) fn syncing() -> Settings {
    let mut settings = settings();
    settings.cloud.sync_results = true;
    settings
}

fn refunding() -> Settings {
    let mut settings = syncing();
    settings.cloud.refund_failed = true;
    settings
}

/// What the cloud has on its books about record 1 of an order.
fn books(order_id: &str, status: &str, record: &str) -> String {
    format!(
        r#"{{"code":0,"message":"ok","data":{{"order_id":{order_id},"status":"{status}","records":[{{"id":1,"status":"{record}"}}]}}}}"#
    )
}

impl World {
    pub(super) fn vend(&mut self, order_id: &str) {
        self.deliver(&self.put(order_id, "1"));
        self.board_ends(DISPENSED);
    }

    /// The orders that the cloud is asked about, and those that are to be refunded.
    fn asked(&self) -> Vec<String> {
        self.requests.iter().map(|(_, r)| format!("{} {}", r.method, r.url.rsplit('/').next().unwrap())).collect()
    }

    /// The next question about order 1 is answered so.
    pub(super) fn booked(&mut self, status: &str, record: &str) {
        self.pass_s(PAUSE_S);
        assert_eq!(self.asked(), ["POST 1"]);
        self.answer(200, &books("1", status, record));
    }

    /// What the journal says of each order's sync.
    fn syncs(&self) -> Vec<Sync> {
        Records::read(&self.disk).unwrap().orders.iter().map(|order| order.sync).collect()
    }

    pub(super) fn differing(&self) -> Vec<String> {
        let status = self.core.status(self.now);
        assert_eq!(status.differences, status.differing.len());
        status.differing.into_iter().map(|line| format!("{} {}", line.order_id, line.difference)).collect()
    }
}

#[test]
fn rule_44_after_a_result_the_cloud_is_asked_until_it_agrees() {
    let mut w = World::with(syncing());
    w.vend("1");
    assert!(w.requests.is_empty(), "the platform has seconds to book it");
    w.pass_s(31);
    assert_eq!((w.asked(), w.core.status(w.now).results_open), (vec!["POST 1".to_owned()], 1));
    w.answer(200, &books("1", "SUCCESS", "IS_DELIVERING"));
    w.pass_s(31);
    assert_eq!(w.asked(), ["POST 1"], "it is not done with it: asked again");
    w.answer(200, &books("1", "SUCCESS", "IS_SUCCESS"));
    w.pass_s(7_200);
    let status = w.core.status(w.now);
    assert_eq!((w.requests.len(), status.results_open, status.differences), (0, 0, 0));
    assert_eq!(w.syncs(), [Sync::Agreed]);
}

#[test]
fn rule_44_nobody_is_asked_when_it_is_not_configured_or_the_platform_has_no_result_yet() {
    let mut w = World::new();
    w.vend("1");
    let mut unheard = World::with(syncing());
    unheard.broker_is_quick = false;
    unheard.vend("1");
    for mut w in [w, unheard] {
        w.pass_s(7_200);
        assert_eq!((w.requests.len(), w.core.status(w.now).results_open), (0, 0));
    }
}

#[test]
fn rule_44_what_does_not_agree_in_the_end_is_raised_kept_and_shown() {
    let mut w = World::with(syncing());
    w.vend("1");
    w.booked("REFUND", "IS_REFUND");
    let is_shown = |w: &World| {
        assert_eq!(w.differing(), ["1 served_refunded"]);
        let listed = w.core.listed_orders();
        assert_eq!(listed.iter().map(|line| line.difference.as_deref()).collect::<Vec<_>>(), [Some("served_refunded")]);
        assert!(w.core.open_orders().is_empty(), "it is settled all the same");
    };
    is_shown(&w);
    let status = w.core.status(w.now);
    assert_eq!(status.counters.differences, 1);
    assert!(status.recent.iter().any(|note| note.what == "order_differs" && note.level == "error"));
    w.pass_s(31);
    w.restart();
    w.pass_s(7_200);
    is_shown(&w);
    assert_eq!((w.requests.len(), w.driven()), (0, 0), "nothing is undone, nothing is asked again");

    // A word that stays unclear is a difference after so many answers, and not before.
    let mut w = World::with(syncing());
    w.vend("1");
    for answer in 1..=ANSWERS_MAX {
        assert_eq!(w.differing(), [""; 0], "after {} answers", answer - 1);
        w.booked("SUCCESS", "WAITING_PICKED_UP");
    }
    assert_eq!(w.differing(), ["1 not_heard"]);
    w.pass_s(7_200);
    assert!(w.requests.is_empty());
}

#[test]
fn rule_44_a_correction_is_compared_anew() {
    let mut w = World::with(syncing());
    w.deliver(&w.put("1", "1"));
    w.board_says(Finding::Unproven("silence"));
    w.booked("SUCCESS", "IS_FAILED");
    assert_eq!(w.core.status(w.now).results_open, 0, "nobody knows more: it agrees");
    w.board_says(Finding::Late { address: Address::new(1).unwrap(), slot: None, evidence: DISPENSED });
    w.booked("SUCCESS", "IS_SUCCESS");
    assert_eq!((w.core.status(w.now).results_open, w.differing()), (0, vec![]));
}

#[test]
fn rule_45_a_thousand_results_of_an_offline_day_are_spread_over_an_hour() {
    let mut w = World::with(syncing());
    w.broker_is_quick = false;
    for order in 1..=1_000 {
        w.deliver(&w.put(&order.to_string(), "1").with("code", "9999"));
    }
    w.broker_is_quick = true;
    w.connect(true);
    let (mut by_minute, mut all) = (Vec::new(), 0);
    while w.core.status(w.now).results_open > 0 {
        let mut asked = 0;
        for _ in 0..60 {
            w.pass_s(1);
            assert!(w.requests.len() <= 2, "at once: {:?}", w.asked());
            while let Some((_, request)) = w.requests.front() {
                let order_id = request.url.rsplit('/').next().unwrap().to_owned();
                w.answer(200, &books(&order_id, "SUCCESS", "IS_FAILED"));
                asked += 1;
            }
        }
        all += asked;
        by_minute.push(asked);
        assert!(by_minute.len() < 70, "{all} in {by_minute:?}");
    }
    assert!(by_minute.iter().all(|asked| *asked <= 24), "{by_minute:?}");
    assert_eq!((all, by_minute.len() >= 45), (1_000, true), "{by_minute:?}");
}

#[test]
fn rule_45_a_cloud_in_trouble_is_left_alone_and_nobody_gives_up_on_it() {
    let answers = [
        (500, ""),
        (200, "<html>log in</html>"),
        (200, r#"{"code":6015,"message":"action timeout"}"#),
        (200, r#"{"code":30002,"message":"machine offline"}"#),
        (200, r#"{"code":4006,"message":"payload sign invalid"}"#),
        (401, r#"{"code":10013,"message":"app secret invalid"}"#),
        (429, ""),
        (0, ""),
    ];
    for (status, body) in answers {
        let mut w = World::with(syncing());
        for order in 1..=20 {
            w.vend(&order.to_string());
        }
        let mut tries = 0;
        for _ in 0..1_440 {
            w.pass_s(5);
            while !w.requests.is_empty() {
                tries += 1;
                match status {
                    0 => w.no_answer(),
                    status => drop(w.answer(status, body)),
                }
            }
        }
        assert!((5..60).contains(&tries), "{status} {body}: {tries} questions in two hours");
        assert_eq!((w.core.status(w.now).results_open, w.differing()), (20, vec![]), "{status} {body}");
    }
    // But for ever nobody compares.
    let mut w = World::with(syncing());
    w.vend("1");
    w.pass_s(31);
    w.no_answer();
    w.pass_s(31);
    w.requests.clear();
    w.restart();
    w.pass_s(31);
    w.no_answer();
    let passed_s = ASKED_WITHIN_S + PAUSE_S;
    for _ in 0..passed_s / 600 {
        w.pass_s(600);
        while !w.requests.is_empty() {
            w.no_answer();
        }
    }
    w.pass_s(PAUSE_S);
    assert_eq!(w.differing(), ["1 not_asked"]);
}

#[test]
fn rule_45_who_waits_for_goods_is_asked_about_first() {
    let mut s = syncing();
    s.cloud.verify_orders = VerifyOrders::Always;
    let mut w = World::with(s);
    for order in ["1", "2", "3"] {
        w.deliver(&w.put(order, "1"));
        w.answer(200, &books(order, "SUCCESS", "WAITING_PICKED_UP"));
        w.board_ends(DISPENSED);
    }
    w.pass_s(60);
    assert_eq!(w.requests.len(), 2, "two questions about results, and silence");
    w.deliver(&w.put("4", "1"));
    assert_eq!(w.asked().last().unwrap(), "POST 4");
}

#[test]
fn rule_46_the_asking_goes_on_after_a_power_cut_at_any_instant() {
    // Cut: before the mark is written; after it; after an answer that is not written; after one that is; when it agreed
    // and that is not written; when it is.
    for cut in 0..6 {
        let mut w = World::with(syncing());
        w.vend("1");
        if cut >= 1 {
            w.pass_s(31);
        }
        if cut >= 2 {
            w.answer(200, &books("1", "SUCCESS", "IS_DELIVERING"));
        }
        if cut >= 3 {
            w.pass_s(31);
        }
        if cut >= 4 {
            w.pass_s(PAUSE_S);
            w.answer(200, &books("1", "SUCCESS", "IS_SUCCESS"));
        }
        if cut >= 5 {
            w.pass_s(31);
        }
        let written: &[Sync] = match cut {
            0 => &[Sync::No],
            1 | 2 => &[Sync::Asking { answers: 0 }],
            3 | 4 => &[Sync::Asking { answers: 1 }],
            _ => &[Sync::Agreed],
        };
        assert_eq!(w.syncs(), written, "cut {cut}");
        w.restart();
        w.pass_s(PAUSE_S);
        let asks = usize::from(cut < 5);
        assert_eq!((w.requests.len(), w.core.status(w.now).results_open), (asks, asks), "cut {cut}");
        if asks > 0 {
            w.answer(200, &books("1", "SUCCESS", "IS_SUCCESS"));
        }
        w.pass_s(31);
        assert_eq!(w.syncs(), [Sync::Agreed], "cut {cut}");
    }
    // Answers count over lives.
    let mut w = World::with(syncing());
    w.vend("1");
    for _ in 1..ANSWERS_MAX {
        w.booked("SUCCESS", "");
        w.pass_s(31);
        w.requests.clear();
        w.restart();
    }
    assert_eq!(w.differing(), [""; 0]);
    w.booked("SUCCESS", "");
    assert_eq!(w.differing(), ["1 not_heard"]);
}

#[test]
fn rule_47_what_may_mend_a_difference_is_done_once_more_and_then_it_stands() {
    for (status, record, difference) in [
        ("SUCCESS", "IS_TIMEOUT", Difference::ServedNotKnown),
        ("SUCCESS", "IS_FAILED", Difference::ServedNotKnown),
        ("SUCCESS", "WAITING_PICKED_UP", Difference::NotHeard),
        ("SUCCESS", "something new", Difference::Unreadable),
    ] {
        let mut w = World::with(refunding());
        w.vend("1");
        let mut reports = Vec::new();
        for _ in 0..ANSWERS_MAX {
            w.booked(status, record);
            reports.push(w.count_said("device.delivery.response"));
        }
        let again = usize::from(difference.may_be_mended_by_the_report());
        let expected: Vec<usize> =
            (1..=usize::from(ANSWERS_MAX)).map(|n| 1 + again * usize::from(n >= usize::from(MENDED_AFTER))).collect();
        assert_eq!(reports, expected, "{record}");
        assert_eq!(w.differing(), [format!("1 {}", difference.as_str())]);
        let said: BTreeMap<_, _> = w.said.iter().map(|said| (&said["method"], &said["sign"])).collect();
        assert_eq!(said.len(), 2, "received and response; and the same bytes again");
        w.pass_s(86_400);
        assert_eq!((w.driven(), w.requests.len()), (1, 0), "{record}: nothing is undone, driven or refunded for it");
    }
    // A platform that lost the report has it now.
    let mut w = World::with(syncing());
    w.vend("1");
    for _ in 0..MENDED_AFTER {
        w.booked("SUCCESS", "IS_TIMEOUT");
    }
    w.booked("SUCCESS", "IS_SUCCESS");
    assert_eq!((w.differing(), w.core.status(w.now).results_open), (vec![], 0));
}

#[test]
fn rule_47_a_refund_that_was_not_booked_is_asked_for_once_more() {
    let failed = || {
        let mut w = World::with(refunding());
        w.deliver(&w.put("1", "1"));
        w.board_ends(OPEN);
        w
    };
    let mut w = failed();
    assert_eq!(w.asked(), ["PUT 1"]);
    w.answer(200, OK);
    for _ in 0..MENDED_AFTER {
        w.booked("SUCCESS", "IS_FAILED");
    }
    assert_eq!(w.asked(), ["PUT 1"], "once more");
    w.answer(200, OK);
    w.booked("REFUND", "IS_REFUND");
    assert_eq!((w.differing(), w.core.status(w.now).results_open), (vec![], 0));

    // Never a third time, and then it stands.
    let mut w = failed();
    w.answer(200, OK);
    for answer in 1..=ANSWERS_MAX {
        w.booked("SUCCESS", "IS_FAILED");
        assert_eq!(w.requests.len(), usize::from(answer == MENDED_AFTER));
        if answer == MENDED_AFTER {
            w.answer(200, OK);
        }
    }
    assert_eq!(w.differing(), ["1 not_refunded"]);

    // What was refused for good lies in the dead letters and is not asked for behind a person's back.
    let mut w = failed();
    w.answer(200, r#"{"code":4004,"message":"no such record"}"#);
    for _ in 0..ANSWERS_MAX {
        w.booked("SUCCESS", "IS_FAILED");
    }
    assert_eq!((w.differing(), w.core.status(w.now).calls_dead), (vec!["1 not_refunded".to_owned()], 1));
}

#[test]
fn rule_48_an_order_is_refunded_only_when_nothing_of_any_of_its_records_may_have_left() {
    type End = fn(&mut World);
    let open: End = |w| w.board_ends(OPEN);
    let fell: End = |w| w.board_ends(DISPENSED);
    let silent: End = |w| {
        w.board_says(Finding::Unproven("silence"));
        w.line_is(LineState::Idle);
    };
    for (first, second, refunds) in
        [(open, open, 1), (open, fell, 0), (open, silent, 0), (fell, open, 0), (silent, open, 0)]
    {
        let mut w = World::with(refunding());
        w.deliver(&w.put("1", "1"));
        w.deliver(&w.put("1", "2"));
        first(&mut w);
        assert!(w.requests.is_empty(), "the other record has not ended");
        second(&mut w);
        assert_eq!(w.asked(), vec!["PUT 1"; refunds]);
        assert_eq!(w.driven(), 2);
    }
    // One that is settled long since counts too.
    let mut w = World::with(refunding());
    w.vend("1");
    w.pass_s(60);
    w.requests.clear();
    w.deliver(&w.put("1", "2"));
    w.board_ends(OPEN);
    assert!(w.asked().iter().all(|asked| !asked.starts_with("PUT")), "{:?}", w.asked());
    // Part of a quantity is no refund either, and a refusal before the motor is.
    let mut w = World::with(refunding());
    w.deliver(&w.put("1", "1").with("quantity", "2"));
    w.board_ends(DISPENSED);
    w.board_ends(OPEN);
    assert_eq!((w.outcome_on_disk("1", "1").join(" ").as_str(), w.requests.len()), ("dispensed not_dispensed", 0));
    w.deliver(&w.put("2", "1").with("code", "9999"));
    assert_eq!(w.asked(), ["PUT 2"]);
}

#[test]
fn rule_49_what_the_platform_gave_up_on_or_closed_is_never_driven() {
    for (status, record) in
        [("SUCCESS", "IS_TIMEOUT"), ("9", "WAITING_PICKED_UP"), ("CLOSED", ""), ("REFUND", "IS_REFUND")]
    {
        let mut s = syncing();
        s.cloud.verify_orders = VerifyOrders::Late;
        let mut w = World::with(s);
        w.line_is(LineState::Busy);
        w.deliver(&w.put("1", "1"));
        // 120 s after its command the platform has given it up; we ask from 100 s on.
        w.pass_s(121);
        w.line_is(LineState::Idle);
        assert_eq!(w.asked(), ["POST 1"]);
        w.answer(200, &books("1", status, record));
        assert_eq!((w.outcome_on_disk("1", "1"), w.driven()), (vec!["refused".to_owned()], 0), "{status} {record}");
        // The refusal is a result like any other: the books agree with it.
        w.booked(status, record);
        w.pass_s(1_300);
        assert_eq!((w.differing(), w.driven(), w.core.status(w.now).results_open), (vec![], 0, 0), "{status} {record}");
    }
}
