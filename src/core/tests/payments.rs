//! course is told of payments, and what goes wrong with it stands in the log that its document demands.

use super::world::{World, settings};
use crate::cloud::orders::Session;
use crate::cloud::orders::course;
use crate::cloud::orders::mall;
use crate::cloud::orders::session::LogIn;
use crate::core::event::{Audience, Event, HttpAnswer, Request};
use crate::core::{FaultLine, PaymentSettings, Settings};
use crate::order::fault::FAULTS_KEPT;
use crate::order::key::Id;
use crate::order::payment::{Paid, PaidWith, PaymentResult, TradeNo};
use crate::order::record::Records;
use crate::order::stock::Fen;
use crate::sim::cloud::StandIn as _;
use crate::sim::clouds::Door;
use crate::sim::clouds::course::{Album, LOG_IN_PATH, SimCourse};

const OK: &str = r#"{"code":0}"#;

fn world() -> World {
    with_log_in(None, None)
}

fn with_log_in(session: Option<Session>, log_in: Option<LogIn>) -> World {
    let payments =
        PaymentSettings { url: "https://course.example".to_owned(), hears: Some(course::HEARS), session, log_in };
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

fn log_in(password: &str) -> LogIn {
    LogIn {
        path: LOG_IN_PATH.to_owned(),
        way: course::LOG_IN,
        name: ("name".to_owned(), "vend".to_owned()),
        password: ("password".to_owned(), password.to_owned()),
    }
}

impl World {
    /// The stand-in answers the oldest request; which path it went to.
    fn served_by(&mut self, cloud: &mut SimCourse) -> String {
        let (token, Request { method, url, headers, body, .. }) = self.requests.pop_front().expect("a request");
        let path = url.strip_prefix("https://course.example").unwrap().to_owned();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let told = cloud.tell(method, &path, &headers, &body);
        let session = told.set_cookie.and_then(|text| Session::new(text.split(';').next().unwrap()).ok());
        let answer = HttpAnswer { status: told.status, date: None, retry_after_s: None, session, body: told.body };
        self.step(Event::Answered { token, answer: Ok(answer) });
        path
    }

    fn notes(&self) -> String {
        format!("{:?}", self.core.status(self.now).recent)
    }
}

fn course_with_an_order() -> SimCourse {
    let album = Album { name: "x".to_owned(), price: Fen(1_250), is_owned: false };
    let mut cloud = SimCourse { albums: [(2, album)].into(), ..SimCourse::default() };
    assert_eq!(cloud.tell("POST", "/orders/create?album_id=2", &[], b"").status, 200);
    cloud.door = Door::locked("right-31c7f0a9");
    cloud
}

#[test]
fn the_machine_logs_in_and_again_when_its_session_is_over_and_then_tells_the_payment() {
    let mut cloud = course_with_an_order();
    let mut w = with_log_in(None, Some(log_in("right-31c7f0a9")));
    assert_eq!(w.served_by(&mut cloud), LOG_IN_PATH, "at the start, before anything is to be told");
    cloud.log_all_out();
    w.tell_paid(paid("5-10001-6d2d"));
    assert_eq!(w.served_by(&mut cloud), "/orders/wxpay");
    assert_eq!(cloud.orders[&5].pay_status, 0, "nobody is logged in");
    assert_eq!(w.served_by(&mut cloud), LOG_IN_PATH);
    w.pass_s(2);
    assert_eq!(w.served_by(&mut cloud), "/orders/wxpay");
    assert_eq!((cloud.orders[&5].pay_status, w.requests.len(), w.faults()[0].told), (2, 0, true));
    // In memory only: a new life logs in anew, and nothing of it is on the disk or in a note.
    w.pass_s(31);
    let disk: Vec<u8> = w.disk.values().flatten().copied().collect();
    for secret in ["SESSION", "right-31c7f0a9"] {
        assert!(!String::from_utf8_lossy(&disk).contains(secret) && !w.notes().contains(secret), "{secret}");
    }
    w.restart();
    assert_eq!(w.served_by(&mut cloud), LOG_IN_PATH);
}

#[test]
fn a_log_in_is_written_and_read_in_each_clouds_own_form_and_one_without_a_session_is_none() {
    let mall = LogIn { path: "/user/login".to_owned(), way: mall::LOG_IN, ..log_in("p\"1&") };
    let (form, json) = (log_in("p\"1&").request(), mall.request());
    assert_eq!(form.body, b"name=vend&password=p%221%26");
    assert_eq!(json.body, br#"{"name":"vend","password":"p\"1&"}"#);
    assert_eq!((form.path.as_str(), json.path.as_str(), json.method), (LOG_IN_PATH, "/user/login", "POST"));
    assert!(mall.read(200, br#"{"status":0,"data":{"username":"vend"}}"#).is_ok() && mall.read(200, b"{}").is_err());
    assert!(mall.read(200, br#"{"status":1,"msg":"x"}"#).is_err() && log_in("x").read(200, b"<html>").is_err());
    let mut w = with_log_in(None, Some(log_in("x")));
    w.answer(200, OK);
    assert!(w.notes().contains("the answer gives no session"));
    w.pass_s(29);
    assert_eq!(w.requests.len(), 0, "not at once again");
}

#[test]
fn a_log_in_that_is_refused_is_tried_again_slowly_and_one_that_was_given_is_used_first() {
    let mut cloud = course_with_an_order();
    let mut w = with_log_in(None, Some(log_in("wrong-31c7f0a9")));
    let mut tries = 0;
    for _ in 0..3_600 {
        while !w.requests.is_empty() {
            assert_eq!(w.served_by(&mut cloud), LOG_IN_PATH);
            tries += 1;
        }
        w.pass_s(1);
    }
    assert!((3..12).contains(&tries), "{tries} log-ins in an hour");
    assert!(w.notes().contains("log_in_failed") && !w.notes().contains("wrong-31c7f0a9"));
    let given = Session::new("SESSION=given").unwrap();
    let mut w = with_log_in(Some(given), None);
    w.tell_paid(paid("5-10001-6d2d"));
    assert!(w.requests[0].1.headers.contains(&("Cookie", "SESSION=given".to_owned())));
    w.served_by(&mut cloud);
    w.pass_s(3);
    let (_, again) = w.requests.pop_front().unwrap();
    assert!(again.url.ends_with("/orders/wxpay") && again.headers.iter().all(|(name, _)| *name != "Cookie"));
    assert!(!format!("{:?}", log_in("hidden-31c7f0a9")).contains("hidden"));
}
