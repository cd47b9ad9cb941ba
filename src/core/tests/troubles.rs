//! What stands in the way, in the status: the last word about each thing, until it is well again.

use super::calls::{OK, refund};
use super::world::World;
use crate::core::Recovered;
use crate::core::event::Event;
use crate::order::said::Said;

/// What is in the way, of what and in both languages.
fn told(w: &World) -> Vec<(String, String, String)> {
    w.core.status(w.now).troubles.into_iter().map(|line| (line.of, line.why, line.why_zh)).collect()
}

fn line(of: &str, en: &str, zh: &str) -> (String, String, String) {
    (of.to_owned(), en.to_owned(), zh.to_owned())
}

fn why(n: u8) -> Said {
    Said::new(format!("reason {n}"), format!("原因 {n}"))
}

#[test]
fn a_machine_that_is_well_has_no_trouble_and_each_one_goes_with_its_cause() {
    let mut w = World::new();
    assert_eq!(told(&w), []);
    w.step(Event::LineClosed { why: why(1) });
    w.step(Event::LineClosed { why: why(2) });
    assert_eq!(told(&w), [line("line", "reason 2", "原因 2")], "the last word");
    w.step(Event::Disconnected { why: why(3) });
    assert_eq!(told(&w)[1], line("broker", "reason 3", "原因 3"));
    w.step(Event::LineOpened);
    assert_eq!(told(&w), [line("broker", "reason 3", "原因 3")]);
    w.connect(true);
    assert_eq!(told(&w), []);
    // Connected, and deaf.
    w.step(Event::Fault { what: "broker_fault", text: why(4) });
    assert_eq!(told(&w), [line("broker", "reason 4", "原因 4")]);
    w.step(Event::Subscribed);
    assert_eq!(told(&w), []);
}

#[test]
fn a_cloud_that_does_not_answer_is_in_trouble_until_it_says_something() {
    let mut w = World::new();
    w.call(refund("1", "1"));
    w.no_answer();
    let [(of, en, zh)] = &told(&w)[..] else { panic!("{:?}", told(&w)) };
    assert_eq!(of, "cloud");
    assert!(en.starts_with("the cloud ") && en.ends_with(": connection refused"), "{en}");
    assert!(zh.starts_with("平台 ") && zh.ends_with("：connection refused"), "{zh}");
    w.pass_s(600);
    w.answer(200, OK);
    assert_eq!(told(&w), []);
}

#[test]
fn a_journal_in_trouble_stays_so_for_this_life() {
    let mut w = World::new();
    w.step(Event::JournalFailed { why: why(1) });
    w.step(Event::JournalFailed { why: why(2) });
    assert_eq!(told(&w), [line("journal", "reason 1", "原因 1")], "the first failure is the cause of the others");
    let mut w = World::new();
    w.live_again(Recovered::Quarantine { why: why(3) }, true);
    assert_eq!(told(&w)[0], line("journal", "reason 3", "原因 3"));
}
