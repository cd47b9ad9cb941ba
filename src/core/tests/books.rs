//! What a person does about calls that were refused for good and about books that differ: durable, audited, once.

use super::calls::{OK, UNKNOWN_ORDER, refund, stock};
use super::sync::syncing;
use super::world::World;
use crate::core::event::{Event, Token};
use crate::core::{BooksAct, BooksError, Recovered, Reply};
use crate::order::said::Said;

impl World {
    /// What somebody is told, if anything yet.
    fn at_the_books(&mut self, act: BooksAct) -> Option<Result<usize, BooksError>> {
        let before = self.replies.len();
        self.step(Event::BooksAct { token: Token(1), uid: 1_000, act });
        match self.replies.get(before..) {
            Some([Reply::Books(told)]) => Some(told.clone().map(|books| books.calls.len() + books.differences.len())),
            Some([]) | None => None,
            other => panic!("{other:?}"),
        }
    }

    /// A world with one call that was refused for good, and all of it on the disk.
    fn with_a_dead_call() -> World {
        let mut w = World::new();
        w.call(refund("1", "1"));
        w.answer(200, UNKNOWN_ORDER);
        w.pass_s(31);
        assert_eq!((w.core.status(w.now).calls_dead, w.requests.len()), (1, 0));
        w
    }
}

fn because(number: u64) -> BooksAct {
    BooksAct::Drop { number, reason: "refunded by hand".to_owned() }
}

#[test]
fn a_dead_call_is_sent_again_when_that_is_durable_and_after_any_cut() {
    let mut w = World::with_a_dead_call();
    w.disk_is_quick = false;
    assert_eq!(w.at_the_books(BooksAct::Retry { number: 1 }), None, "told when it is durable");
    assert_eq!(w.requests.len(), 0, "nor does it leave before");
    w.restart();
    w.commit();
    assert_eq!((w.requests.len(), w.core.status(w.now).calls_dead), (0, 1), "a cut before: nothing was done");
    assert_eq!(w.at_the_books(BooksAct::Retry { number: 1 }), None);
    w.commit();
    assert_eq!((w.requests.len(), w.replies.len()), (1, 1));
    w.disk_is_quick = true;
    w.restart();
    assert_eq!((w.requests.len(), w.core.status(w.now).calls_open), (1, 1), "a cut after: it is sent");
    w.answer(200, OK);
    w.pass_s(31);
    assert_eq!((w.calls_on_disk(), w.core.books().calls.len()), (0, 0));
    let line = w.core.audit_lines().pop().unwrap();
    assert_eq!((line.who.as_str(), line.uid, line.kind.as_str()), ("person", Some(1_000), "call_retried"));
    assert_eq!(line.detail, "call 1 about order 1: to be refunded");
}

#[test]
fn a_dead_call_that_is_given_up_is_gone_and_its_reason_is_kept() {
    let mut w = World::with_a_dead_call();
    assert_eq!(w.at_the_books(because(1)), Some(Ok(0)));
    w.restart();
    assert_eq!((w.core.status(w.now).calls_dead, w.calls_on_disk(), w.requests.len()), (0, 0, 0));
    assert_eq!(w.core.audit_lines()[0].detail, "call 1 about order 1: to be refunded: refunded by hand");
    assert_eq!(w.at_the_books(because(1)), Some(Err(BooksError::NoSuchCall)));
}

#[test]
fn what_is_on_its_way_or_may_be_old_is_not_sent_again() {
    let mut w = World::with_a_dead_call();
    w.call(refund("2", "2"));
    for act in [BooksAct::Retry { number: 2 }, because(2)] {
        assert_eq!(w.at_the_books(act), Some(Err(BooksError::NotDead)));
    }
    w.broker_is_quick = false;
    w.call(stock("5", "3"));
    let token = *w.published.last().unwrap();
    w.core.on_call_answered(w.now, 3, crate::order::report::Answer::Never(crate::order::report::DeadReason::BadTarget));
    w.step(Event::Published(token));
    assert_eq!(w.at_the_books(BooksAct::Retry { number: 3 }), Some(Err(BooksError::MayBeOld)), "a state of its time");
    assert_eq!(w.at_the_books(because(3)), Some(Ok(2)));
    assert_eq!(w.core.audit_lines().len(), 1, "what was not done is not audited");
    w.live_again(Recovered::Quarantine { why: Said::word("a digest is wrong") }, true);
    assert_eq!(w.at_the_books(because(1)), Some(Err(BooksError::Unavailable)));
}

#[test]
fn a_difference_is_asked_about_once_more_or_taken_on_for_good() {
    let mut w = World::with(syncing());
    w.vend("1");
    w.booked("REFUND", "IS_REFUND");
    assert_eq!(w.differing(), ["1 served_refunded"]);
    let key = "1:1".parse().unwrap();
    assert_eq!(w.at_the_books(BooksAct::Ask { key }), Some(Ok(0)), "it is open again");
    w.restart();
    w.booked("REFUND", "IS_REFUND");
    assert_eq!(w.differing(), ["1 served_refunded"], "and was asked, after a cut too");
    let accept = |key: &str| BooksAct::Accept { key: key.parse().unwrap(), reason: "paid in cash".to_owned() };
    assert_eq!(w.at_the_books(accept("9:1")), Some(Err(BooksError::NoDifference)));
    assert_eq!(w.at_the_books(accept("1:1")), Some(Ok(0)));
    w.restart();
    w.pass_s(7_200);
    assert_eq!((w.differing(), w.requests.len()), (vec![], 0));
    let told: Vec<_> = w.core.audit_lines().into_iter().map(|line| (line.kind, line.detail)).collect();
    assert_eq!(told[1], ("difference_accepted".to_owned(), "order 1:1: served_refunded: paid in cash".to_owned()));
}

#[test]
fn a_difference_that_is_older_than_the_asking_is_not_asked_about_any_more() {
    let mut w = World::with(syncing());
    w.vend("1");
    w.booked("REFUND", "IS_REFUND");
    w.pass_s(8 * 86_400);
    let key = "1:1".parse().unwrap();
    assert_eq!(w.at_the_books(BooksAct::Ask { key }), Some(Err(BooksError::NotAsked)));
    assert_eq!((w.differing().len(), w.core.audit_lines().len()), (1, 0));
}
