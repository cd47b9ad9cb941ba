//! songshu is told of every order that the machine sees paid: durable first, at least once, the same each time, and
//! nothing that it says or does not say ever stops a vend.

use super::world::{DISPENSED, Put, T0_S, World, settings};
use crate::cloud::orders::batch::{BATCH_NOTICES_MAX, Pace};
use crate::cloud::orders::songshu::{self, NoticeSecret, OpenId, SIGNATURE_HEADER, StatusForm};
use crate::core::event::{Audience, Event, Request, Token};
use crate::core::{Limits, NOTICES_OPEN_MAX, NotifySettings, Settings, SlotTest};
use crate::order::call::{Operation, Way};
use crate::order::civil::Zone;
use crate::order::key::{Id, Key};
use crate::order::motor::{Address, Slot};
use crate::order::payment::{Notice, Payment};
use crate::order::pickup::Digits;
use crate::order::record::Records;
use crate::order::stock::{Fen, Offer, Product, ProductId};
use crate::order::time::UnixMs;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const OK: &str = r#"{"errcode":0}"#;

fn told(pace: Pace) -> Settings {
    let account = songshu::Account {
        app_id: Id::parse("wx5").unwrap(),
        secret: Some(NoticeSecret::new("hush").unwrap()),
        zone: Zone::CHINA,
        status_form: StatusForm::Number,
    };
    let openid = OpenId::parse("oMachine").unwrap();
    let url = "https://songshu.example/".to_owned();
    Settings { notify: Some(NotifySettings { url, account, openid, pace, is_test: false }), ..settings() }
}

fn at_once() -> World {
    World::with(told(Pace::NearRealTime))
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

impl World {
    fn notices_on_disk(&self) -> usize {
        let calls = Records::read(&self.disk).unwrap().calls;
        calls.iter().filter(|call| matches!(call.call.way, Way::Http(Operation::Notify(_)))).count()
    }

    /// Without what an order says to others.
    fn order_is_paid(&mut self, order_id: &str) {
        self.deliver(&self.put(order_id, "1").with("amount", "3.50"));
        self.board_ends(DISPENSED);
    }
}

#[test]
fn an_order_is_told_with_the_batch_that_carries_it_and_only_after_that() {
    let mut w = at_once();
    w.disk_is_quick = false;
    w.deliver(
        &w.put("60", "78").with("amount", "3.50").with("paid_at", &(T0_S - 5).to_string()).with("openid", "oBuyer"),
    );
    assert_eq!(w.requests.len(), 0);
    let durable = w.sync();
    assert_eq!((w.notices_on_disk(), w.on_disk("60", "78").is_some()), (1, true), "one batch");
    w.step(durable);
    let (_, request) = &w.requests[0];
    assert_eq!((request.audience, request.method), (Audience::Notify, "POST"));
    assert_eq!(request.url, "https://songshu.example/v1/wx5/order/60-78");
    let signature = NoticeSecret::new("hush").unwrap().sign(&request.body);
    assert!(request.headers.contains(&(SIGNATURE_HEADER, signature)));
    assert_eq!(
        String::from_utf8_lossy(&request.body),
        r#"{"amount":3.50,"order_id":"60-78","create_time":"2024-04-29 14:54:48","pay_time":"2024-04-29 14:54:43","pay_status":1,"openid":"oBuyer"}"#
    );
    w.disk_is_quick = true;
    w.answer(200, OK);
    w.pass_s(31);
    assert_eq!((w.notices_on_disk(), w.core.status(w.now).calls_open), (0, 0));
}

#[test]
fn the_status_is_a_number_or_a_text_and_a_machine_that_only_tries_says_so_in_the_path() {
    let mut settings = told(Pace::NearRealTime);
    let notify = settings.notify.as_mut().unwrap();
    (notify.account.status_form, notify.account.secret, notify.is_test) = (StatusForm::Text, None, true);
    let mut w = World::with(settings);
    w.order_is_paid("60");
    let (_, request) = &w.requests[0];
    assert_eq!((&body(request)["pay_status"], &body(request)["openid"]), (&"1".into(), &"oMachine".into()));
    assert!(request.url.ends_with("/order/60-1?test=1"), "{}", request.url);
    assert!(request.headers.iter().all(|(name, _)| *name != SIGNATURE_HEADER));
}

#[test]
fn a_notice_is_repeated_byte_for_byte_after_a_power_cut_at_any_instant() {
    for cut in 0..5 {
        let mut w = at_once();
        w.disk_is_quick = false;
        w.deliver(&w.put("60", "78").with("amount", "3.50"));
        let mut bodies = Vec::new();
        if cut >= 1 {
            let durable = w.sync();
            if cut >= 2 {
                w.step(durable);
                bodies.push(w.requests[0].1.body.clone());
            }
        }
        if cut == 3 {
            w.answer(503, "");
        }
        if cut >= 4 {
            w.answer(200, OK);
            w.disk_is_quick = true;
            w.pass_s(31);
        }
        w.disk_is_quick = true;
        w.pass_s(100);
        w.restart();
        let notices: Vec<&Request> =
            w.requests.iter().map(|(_, request)| request).filter(|r| r.audience == Audience::Notify).collect();
        // Before the batch was durable nothing was acknowledged; after the taking nothing is left to tell.
        assert_eq!(notices.len(), usize::from((1..4).contains(&cut)), "cut {cut}");
        bodies.extend(notices.iter().map(|request| request.body.clone()));
        assert!(bodies.windows(2).all(|two| two[0] == two[1]), "cut {cut}: another body");
    }
}

#[test]
fn codes_that_begin_with_4_end_a_notice_in_the_dead_letters_and_everything_else_is_told_again() {
    let finals = [
        r#"{"errcode":40100,"msg":"签名错误"}"#,
        r#"{"errcode":401000}"#,
        r#"{"errcode":40000}"#,
        r#"{"errcode":"41000"}"#,
    ];
    for answer in finals {
        let mut w = at_once();
        w.order_is_paid("60");
        w.answer(200, answer);
        w.pass_s(3_600);
        let status = w.core.status(w.now);
        assert_eq!((w.requests.len(), status.dead_calls), (0, vec!["call 1 about notice 60-1: paid".to_owned()]));
        w.restart();
        assert_eq!((w.requests.len(), w.core.status(w.now).calls_dead, w.notices_on_disk()), (0, 1, 1), "kept");
    }
    let again = [
        (200, r#"{"errcode":50000}"#),
        (200, r#"{"errcode":-1,"msg":"x"}"#),
        (200, r#"{"errcode":null}"#),
        (200, r#"{"errcode":{}}"#),
        (200, r#"{"errcode":0.5}"#),
        (200, r#"{"errcode":"#),
        (200, "<!DOCTYPE html><title>Log in</title>"),
        (200, ""),
        (204, ""),
        (500, r#"{"errcode":40100}"#),
        (429, ""),
    ];
    for (status, answer) in again {
        let mut w = at_once();
        w.order_is_paid("60");
        w.answer(status, answer);
        assert_eq!((w.requests.len(), w.core.status(w.now).calls_dead), (0, 0), "{status} {answer}");
        w.pass_s(2);
        let first = w.requests[0].1.body.clone();
        w.no_answer();
        w.pass_s(3);
        assert_eq!(w.requests[0].1.body, first, "{status} {answer}");
        w.answer(200, OK);
        assert_eq!(w.core.status(w.now).calls_open, 0);
    }
    // A status without a code is about the way there: ten times, then it stands for a person.
    let mut w = at_once();
    w.order_is_paid("60");
    for attempt in 1..=10 {
        assert_eq!((w.requests.len(), w.core.status(w.now).calls_dead), (1, 0), "attempt {attempt}");
        w.answer(404, "not here");
        w.pass_s(601);
    }
    assert_eq!((w.requests.len(), w.core.status(w.now).calls_dead), (0, 1));
}

#[test]
fn batches_go_together_every_five_minutes_and_early_when_they_are_full() {
    let pace = Pace::Batches { every_ms: 300_000 };
    let mut w = World::with(told(pace));
    for order in ["1", "2", "3"] {
        w.order_is_paid(order);
    }
    assert_eq!((w.requests.len(), w.core.status(w.now).calls_open), (0, 3));
    w.pass_s(300);
    assert_eq!(w.requests.len(), 3);
    for _ in 0..3 {
        w.answer(200, OK);
    }
    for order in 0..BATCH_NOTICES_MAX {
        assert_eq!(w.requests.len(), 0);
        w.order_is_paid(&format!("o{order}"));
    }
    assert_eq!(w.requests.len(), 4, "so many at once to one host");
    // What waits survives a power cut, and waits for the next batch of the new life.
    let mut w = World::with(told(pace));
    w.order_is_paid("1");
    w.reboot(w.now_s(), true);
    assert_eq!((w.requests.len(), w.core.status(w.now).calls_open), (0, 1));
    w.pass_s(300);
    assert_eq!(w.requests.len(), 1);
}

#[test]
fn what_nobody_said_of_an_order_comes_from_its_slot_or_is_told_as_nothing_with_a_warning() {
    let mut w = at_once();
    let slot = (Address::new(1).unwrap(), Slot(5));
    let product = Product { id: ProductId(20_001), name: "可乐".into(), price: Some(Fen(305)) };
    let offer = Offer { address: slot.0, slot: slot.1, product, count: 5, capacity: None };
    let now = w.now;
    w.core.take_offers(now, BTreeMap::from([(slot, offer)]), &BTreeSet::new());
    w.deliver(&w.put("60", "1").with("quantity", "2"));
    w.deliver(&w.put("61", "1").with("amount", "1.00"));
    w.deliver(&w.put("62", "1").with("code", "6"));
    w.deliver(&w.put("63", "1").with("code", "6").with("amount", "much").with("openid", "o B"));
    let texts: Vec<String> =
        w.requests.iter().map(|(_, request)| String::from_utf8(request.body.clone()).unwrap()).collect();
    let amount = |n: usize| texts[n].split([':', ',']).nth(1).unwrap();
    assert_eq!([amount(0), amount(1), amount(2), amount(3)], ["6.10", "1.00", "0.00", "0.00"]);
    assert!(texts[0].contains("可乐") && texts[1].contains("可乐") && !texts[2].contains("book"));
    assert!(texts[3].contains("oMachine"), "what is no openid was not said");
    let warned = w.core.status(w.now).recent.iter().filter(|note| note.what == "notice_without_amount").count();
    assert_eq!((warned, w.driven()), (2, 1), "and it is served all the same");
}

#[test]
fn every_paid_order_is_told_of_once_and_pickups_and_test_vends_are_not() {
    let mut w = at_once();
    let put = w.put("60", "1").with("amount", "1.00");
    w.deliver(&put);
    w.redeliver(&put);
    w.deliver(&put.clone().with("code", "6"));
    assert_eq!(w.requests.len(), 1, "a duplicate or a conflict is no other order");
    w.board_ends(DISPENSED);
    w.deliver(&w.put("61", "1").with("amount", "1.00").with("code", "9999"));
    assert_eq!(w.outcome_on_disk("61", "1"), ["refused"]);
    assert_eq!(w.requests.len(), 2, "it was paid, whatever became of it");
    let code = Put::new("unused", "unused", w.now_s())
        .with("method", "client.pickup_codes.create")
        .with("order_id", "")
        .with("record_id", "")
        .with("id", "7")
        .with("code", "16327138")
        .with("product_id", "20001")
        .with("quantity", "1")
        .with("channel_code", "5");
    w.line_is(crate::board::driver::LineState::Idle);
    w.deliver(&code);
    w.step(Event::CodeEntered { token: Token(1), digits: Digits::parse("16327138").unwrap() });
    assert_eq!(w.driven(), 2, "the pickup is served");
    w.board_ends(DISPENSED);
    w.line_is(crate::board::driver::LineState::Idle);
    w.step(Event::TestSlot {
        token: Token(2),
        uid: 0,
        test: SlotTest { address: Address::new(1).unwrap(), slot: Slot(5) },
    });
    assert_eq!((w.driven(), w.requests.len()), (3, 2), "whoever sold the code has told of it; a test is no order");
}

#[test]
fn without_notify_nobody_is_told_and_what_was_left_to_tell_stays() {
    let mut w = World::new();
    w.order_is_paid("60");
    assert_eq!((w.requests.len(), w.notices_on_disk()), (0, 0));
    let mut w = at_once();
    w.order_is_paid("60");
    let notify = w.settings.notify.take();
    w.restart();
    assert_eq!((w.requests.len(), w.notices_on_disk()), (0, 1));
    w.settings.notify = notify;
    w.restart();
    assert_eq!(w.requests.len(), 1);
}

fn notice(order: &str, payment: Payment) -> Notice {
    Notice {
        order_id: Id::parse(order).unwrap(),
        openid: OpenId::parse("oB").unwrap(),
        created_at: UnixMs(1_000),
        payment,
        amount: Fen(300),
        title: None,
        is_test: false,
    }
}

#[test]
fn paid_replaces_made_as_long_as_that_has_not_left_and_nothing_unpaid_follows_it() {
    let mut w = World::with(told(Pace::Batches { every_ms: 300_000 }));
    let now = w.now;
    let paid = Payment::PaidAt(UnixMs(2_000));
    for payment in [Payment::Unpaid, paid, Payment::Unpaid] {
        w.core.notify(now, notice("s1", payment));
        w.step(Event::Wake);
    }
    w.pass_s(300);
    assert_eq!((w.requests.len(), body(&w.requests[0].1)["pay_status"].as_u64()), (1, Some(1)));
    w.answer(200, OK);
    // One that is under way is not changed; the payment follows it, whatever comes of it.
    for answer in [OK, r#"{"errcode":40000}"#, "<html>"] {
        let mut w = at_once();
        let now = w.now;
        w.core.notify(now, notice("s1", Payment::Unpaid));
        w.step(Event::Wake);
        w.core.notify(now, notice("s1", paid));
        w.step(Event::Wake);
        assert_eq!((w.requests.len(), body(&w.requests[0].1)["pay_status"].as_u64()), (1, Some(0)));
        w.answer(200, answer);
        assert_eq!((w.requests.len(), body(&w.requests[0].1)["pay_status"].as_u64()), (1, Some(1)), "{answer}");
        w.answer(200, OK);
        assert_eq!(w.core.status(w.now).calls_open, 0, "{answer}");
    }
}

#[test]
fn a_songshu_that_is_away_for_ever_stops_no_vend_and_its_oldest_notices_are_shown_as_dead() {
    let mut settings = told(Pace::NearRealTime);
    settings.limits = Limits { calls_open: 2, ..settings.limits };
    let mut w = World::with(settings);
    let now = w.now;
    for n in 0..NOTICES_OPEN_MAX + 3 {
        w.core.notify(now, notice(&format!("s{n}"), Payment::Unpaid));
    }
    w.step(Event::Wake);
    let status = w.core.status(w.now);
    assert_eq!((status.calls_open, status.calls_dead), (NOTICES_OPEN_MAX, 3));
    assert_eq!(status.dead_calls.last().unwrap(), "call 1 about notice s0: made");
    w.order_is_paid("60");
    assert_eq!(
        (w.outcome_on_disk("60", "1"), w.received_states()),
        (vec!["dispensed".to_owned()], vec!["accepted".to_owned()])
    );
}

#[test]
fn a_name_that_is_too_long_is_told_as_its_digest_and_each_line_of_an_order_has_its_own() {
    let key =
        |order: &str, record: &str| Key { order_id: Id::parse(order).unwrap(), record_id: Id::parse(record).unwrap() };
    let name = |order: &str, record: &str| songshu::name_of(&key(order, record)).unwrap();
    assert_eq!(name("60", "78").as_str(), "60-78");
    assert_ne!(name("60", "78"), name("60", "79"));
    let long = "x".repeat(64);
    assert_eq!(name(&long, "1").as_str().len(), 32);
    assert_ne!(name(&long, "1"), name(&long, "2"));
}

#[test]
fn no_text_of_a_buyer_reaches_a_note() {
    let mut w = at_once();
    w.deliver(&w.put("60", "1").with("amount", "1.00").with("openid", "oSecretBuyer"));
    w.answer(200, r#"{"errcode":40000,"msg":"x"}"#);
    let status = serde_json::to_vec(&w.core.status(w.now)).unwrap();
    assert!(!String::from_utf8_lossy(&status).contains("oSecretBuyer"));
    assert!(!format!("{:?}", Records::read(&w.disk).unwrap()).contains("oSecretBuyer"));
}
