//! A refund that the cloud refused, sent again by a person.

use super::super::world::{OPEN, World};
use super::{PLATFORM_PUT, platform_world};
use crate::core::event::{Event, Token};
use crate::core::{BooksAct, BooksError, Reply, SaleRefusal};

#[test]
fn rule_54_a_refused_refund_that_is_sent_again_pays_once_and_not_after_a_person_did() {
    let owed = || {
        let mut w = platform_world();
        w.show_at_platform();
        w.platform_says("SUCCESS");
        w.board_ends(OPEN);
        w.reply_to(PLATFORM_PUT, 200, r#"{"code":6043,"message":"order status invalid","data":{}}"#);
        w.pass_s(31);
        w.platform_says("SUCCESS");
        w.is("owed", Some("not_dispensed"));
        w.pass_s(31);
        let dead = w.core.books().calls.first().expect("the refused refund").number;
        (w, BooksAct::Retry { number: dead })
    };
    let act_on = |w: &mut World, act| {
        w.step(Event::BooksAct { token: Token(9), uid: 0, act });
        w.replies.pop().expect("an answer")
    };
    let (mut w, again) = owed();
    assert!(matches!(act_on(&mut w, again), Reply::Books(Ok(_))));
    assert_eq!((w.core.status(w.now).calls_dead, w.waits_for(PLATFORM_PUT)), (0, true), "it is on its way");
    w.is("refunding", Some("not_dispensed"));
    assert_eq!(w.settle_sale(1), Err(SaleRefusal::NothingOwed), "both would pay");
    w.kill();
    w.is("refunding", Some("not_dispensed"));
    w.reply_to(PLATFORM_PUT, 200, r#"{"code":0,"message":"ok","data":""}"#);
    w.is("refunded", Some("not_dispensed"));
    assert_eq!(w.core.sales_for_people(), 0);

    // Refused again, it is a person's again.
    let (mut w, again) = owed();
    assert!(matches!(act_on(&mut w, again), Reply::Books(Ok(_))));
    w.reply_to(PLATFORM_PUT, 200, r#"{"code":6043,"message":"order status invalid","data":{}}"#);
    w.pass_s(31);
    w.platform_says("SUCCESS");
    w.is("owed", Some("not_dispensed"));
    w.settle_sale(1).unwrap();

    let (mut w, again) = owed();
    w.settle_sale(1).unwrap();
    assert!(matches!(act_on(&mut w, again), Reply::Books(Err(BooksError::NothingOwed))));
    assert!(!w.waits_for(PLATFORM_PUT));
}
