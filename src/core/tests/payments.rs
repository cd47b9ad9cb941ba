//! course is told of payments, and what goes wrong with it stands in the log that its document demands.

use super::world::{World, settings};
use crate::cloud::orders::course;
use crate::core::event::{Audience, Event};
use crate::core::{FaultLine, PaymentSettings, Settings};
use crate::order::fault::FAULTS_KEPT;
use crate::order::key::Id;
use crate::order::payment::{Paid, PaidWith, PaymentResult, TradeNo};
use crate::order::record::Records;
use crate::order::stock::Fen;

const OK: &str = r#"{"code":0}"#;

fn world() -> World {
    let payments =
        PaymentSettings { url: "https://course.example".to_owned(), account: course::Account { session: None } };
    World::with(Settings { payments: Some(payments), ..settings() })
}

fn paid(trade_no: &str) -> Paid {
    Paid {
        with: PaidWith::WeChat,
        result: PaymentResult::Success,
        trade_no: TradeNo(Id::parse(trade_no).unwrap()),
        third_trade_no: "4200".to_owned(),
        third_buyer_id: "oSecretBuyer".to_owned(),
        amount: Fen(1_250),
    }
}

impl World {
    fn tell_paid(&mut self, paid: Paid) {
        let now = self.now;
        self.core.tell_paid(now, paid);
        self.step(Event::Wake);
    }

    fn faults(&self) -> Vec<FaultLine> {
        self.core.fault_lines().faults
    }
}

#[test]
fn a_payment_is_told_after_it_is_durable_and_the_same_again_until_it_is_taken() {
    let mut w = world();
    w.disk_is_quick = false;
    w.tell_paid(paid("5-9996-6d2d"));
    assert_eq!(w.requests.len(), 0);
    w.commit();
    let first = w.requests[0].1.clone();
    assert_eq!((first.audience, first.method), (Audience::Seller, "POST"));
    assert_eq!(first.url, "https://course.example/orders/wxpay");
    assert_eq!(
        String::from_utf8_lossy(&first.body),
        "result=SUCCESS&trade_no=5-9996-6d2d&third_trade_no=4200&third_buyer_id=oSecretBuyer&amount=12.50"
    );
    w.disk_is_quick = true;
    w.restart();
    assert_eq!(w.requests[0].1, first, "byte for byte");
    w.answer(200, OK);
    assert_eq!((w.core.status(w.now).calls_open, w.faults()), (0, vec![]), "nothing went wrong");
    w.tell_paid(Paid { with: PaidWith::Alipay, result: PaymentResult::Two, ..paid("6") });
    let request = &w.requests[0].1;
    assert!(request.url.ends_with("/orders/alipay") && request.body.starts_with(b"result=2&trade_no=6&"));
}

#[test]
fn an_error_or_no_answer_stands_in_the_log_durably_and_so_does_that_it_was_mended() {
    let answers = [
        (200, r#"{"code":4,"err_desc":"缺少参数"}"#, "code 4"),
        (200, r#"{"code":403,"err_desc":"需要登录"}"#, "code 403"),
        (200, "<!DOCTYPE html>", "not JSON"),
        (200, r#"{"code":"#, "not JSON"),
        (200, r#"{"code":[]}"#, "not JSON"),
        (502, "", "HTTP 502"),
    ];
    for (status, body, why) in answers {
        let mut w = world();
        w.tell_paid(paid("5-9996-6d2d"));
        w.disk_is_quick = false;
        w.answer(status, body);
        let durable = w.sync();
        assert_eq!(Records::read(&w.disk).unwrap().faults.len(), 1, "{why}: it is written at once");
        w.step(durable);
        w.disk_is_quick = true;
        w.restart();
        let faults = w.faults();
        assert!(faults.len() == 1 && faults[0].why.contains(why), "{why}: {faults:?}");
        assert_eq!((faults[0].attempt, faults[0].told, faults[0].trade_no.as_str()), (1, false, "5-9996-6d2d"));
        assert!(!faults[0].line.contains("oSecretBuyer"), "the buyer is nobody's business");
    }
    let mut w = world();
    w.tell_paid(paid("5-9996-6d2d"));
    for attempt in 1..=3 {
        w.no_answer();
        let faults = w.faults();
        assert_eq!((faults.len(), faults[0].attempt), (1, attempt), "one payment, one line");
        assert!(faults[0].why.starts_with("no answer: connection refused"), "{faults:?}");
        w.pass_s(30);
    }
    w.answer(200, OK);
    w.pass_s(31);
    w.restart();
    assert_eq!((w.faults()[0].told, w.requests.len()), (true, 0));
    assert!(w.faults()[0].line.contains("told later"), "{:?}", w.faults());
}

#[test]
fn what_a_log_in_may_not_do_is_final_and_who_is_not_logged_in_tries_again() {
    for (body, dead) in
        [(r#"{"code":401,"err_desc":"x"}"#, 1), (r#"{"code":4}"#, 1), (r#"{"code":403}"#, 0), (r#"{"code":99}"#, 0)]
    {
        let mut w = world();
        w.tell_paid(paid("5"));
        w.answer(200, body);
        w.pass_s(5);
        assert_eq!((w.core.status(w.now).calls_dead, w.requests.len()), (dead, 1 - dead), "{body}");
        assert_eq!(w.faults().len(), 1, "{body}");
    }
}

#[test]
fn the_log_is_a_ring_on_the_disk_as_well() {
    let mut w = world();
    for n in 0..FAULTS_KEPT + 2 {
        w.tell_paid(paid(&format!("t{n}")));
        w.answer(200, r#"{"code":4}"#);
    }
    w.pass_s(31);
    w.restart();
    let log = w.core.fault_lines();
    assert_eq!((log.faults.len(), log.dropped, log.faults[0].trade_no.as_str()), (FAULTS_KEPT, 2, "t2"));
    assert_eq!(Records::read(&w.disk).unwrap().faults.len(), FAULTS_KEPT);
    w.tell_paid(paid("t0"));
    w.answer(200, r#"{"code":4}"#);
    assert_eq!(w.faults().last().map(|fault| fault.number), Some(u64::try_from(FAULTS_KEPT).unwrap() + 3));
}

#[test]
fn without_such_a_cloud_nothing_is_told_and_no_other_call_gets_into_the_log() {
    let mut w = World::new();
    w.tell_paid(paid("5"));
    assert_eq!((w.requests.len(), w.core.status(w.now).calls_open), (0, 0));
    let mut s = settings();
    s.cloud.refund_failed = true;
    let mut w = World::with(s);
    w.deliver(&w.put("1", "1"));
    w.board_ends(super::world::OPEN);
    w.answer(200, r#"{"code":6042,"message":"expired"}"#);
    assert_eq!(w.faults(), []);
}
