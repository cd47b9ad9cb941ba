//! Sales: who pays is served once, or gets the money back, or stands for a person, whatever is cut, lost or late.

mod again;
mod another_cloud;
mod callback;
mod close;
mod keys;

use super::world::{DISPENSED, OPEN, World, settings};
use crate::board::driver::{Finding, LineState};
use crate::cloud::orders::mall;
use crate::cloud::orders::row::Merchant;
use crate::cloud::orders::seller::Seller;
use crate::cloud::orders::table::SellingCloud;
use crate::core::event::{Event, FailureKind, HttpAnswer, HttpFailure, Request, Token};
use crate::core::{
    Decision, Goods, REFUND_LATE_S, Recovered, Reply, SaleChoice, SaleRefusal, SaleSettings, SaleView, Settle, SlotAct,
    Stock, Verdict, WATCH_FOR_MS,
};
use crate::order::motor::{Address, Slot};
use crate::order::said::Said;
use crate::order::sale::State;
use crate::order::stock::Fen;

const AT: (Address, Slot) = (Address::FIRST, Slot(5));
const MALL: &str = "https://shop.example";
const TOLD: &str = "https://merchant.example/sold";

/// A machine that sells slot 5 for 3.50.
fn world(at_platform: bool, refund_unknown: bool) -> World {
    let mut settings = settings();
    let goods = Goods { number: 36, name: "可乐".into(), price: Fen(350), label: None };
    let account = settings.cloud.account.clone().unwrap();
    let merchant = Merchant { account, machine_no: settings.machine_no.clone(), notify_url: TOLD.to_owned() };
    let cloud = SellingCloud::named(if at_platform { "platform" } else { "mall" }).unwrap();
    let cloud = Seller::new(cloud, Some(&merchant)).unwrap();
    settings.sale = Some(SaleSettings {
        cloud,
        url: if at_platform { settings.cloud.url.clone() } else { MALL.to_owned() },
        pay_url: at_platform.then(|| "https://pay.example/?o={order}".to_owned()),
        notify_url: Some(TOLD.to_owned()),
        refund_unknown,
        closes: true,
        keypad: true,
        deaf_ms: 60_000,
        goods: [(AT, goods)].into(),
    });
    World::with(settings)
}

fn mall_world() -> World {
    world(false, false)
}

fn platform_world() -> World {
    world(true, false)
}

impl World {
    fn choose(&mut self, slot: u16) -> Result<SaleView, SaleRefusal> {
        let before = self.replies.len();
        self.choose_only(slot);
        assert_eq!(self.replies.len(), before + 1, "one answer");
        self.sale_reply()
    }

    fn choose_only(&mut self, slot: u16) {
        let choice = SaleChoice { address: Address::FIRST, slot: Slot(slot) };
        self.step(Event::SaleChosen { token: Token(1), choice });
    }

    fn sale_reply(&self) -> Result<SaleView, SaleRefusal> {
        match self.replies.last() {
            Some(Reply::Sale(reply)) => reply.clone().map(|sale| *sale),
            other => panic!("{other:?}"),
        }
    }

    fn cancel(&mut self) -> Result<SaleView, SaleRefusal> {
        self.step(Event::SaleCancelled { token: Token(2) });
        self.sale_reply()
    }

    fn settle_sale(&mut self, sale: u64) -> Result<SaleView, SaleRefusal> {
        let settle = Settle { sale, reason: "paid in cash".to_owned() };
        self.step(Event::SaleSettled { token: Token(3), settle, uid: 0 });
        self.sale_reply()
    }

    fn sale(&self) -> SaleView {
        self.core.current_sale(self.now).expect("there is a sale")
    }

    fn state(&self) -> (String, Option<String>) {
        let sale = self.sale();
        (sale.state, sale.why)
    }

    fn is(&self, state: &str, why: Option<&str>) {
        assert_eq!(self.state(), (state.to_owned(), why.map(str::to_owned)));
    }

    /// The request whose method and url begin so is answered; the others stay.
    fn reply_to(&mut self, begins: &str, status: u16, body: &str) -> Request {
        let (token, request) = self.take_request(begins);
        let answer =
            HttpAnswer { status, date: None, retry_after_s: None, session: None, body: body.as_bytes().to_vec() };
        self.step(Event::Answered { token, answer: Ok(answer) });
        request
    }

    fn silence(&mut self, begins: &str) -> Request {
        let (token, request) = self.take_request(begins);
        let failure = HttpFailure { kind: FailureKind::NoAnswer, why: Said::word("reset") };
        self.step(Event::Answered { token, answer: Err(failure) });
        request
    }

    fn take_request(&mut self, begins: &str) -> (Token, Request) {
        let at = self.requests.iter().position(|(_, r)| format!("{} {}", r.method, r.url).starts_with(begins));
        let all: Vec<&String> = self.requests.iter().map(|(_, r)| &r.url).collect();
        let at = at.unwrap_or_else(|| panic!("{begins} is not among {all:?}"));
        self.requests.remove(at).unwrap()
    }

    fn waits_for(&self, begins: &str) -> bool {
        self.requests.iter().any(|(_, r)| format!("{} {}", r.method, r.url).starts_with(begins))
    }

    fn mall_order(&mut self, begins: &str, status: u8, payment: &str) {
        let body = format!(r#"{{"status":0,"data":{{"orderNo":77,"payment":{payment},"status":{status}}}}}"#);
        self.reply_to(begins, 200, &body);
    }

    /// The shop says how order 77 stands.
    fn shop_says(&mut self, status: u8) {
        self.mall_order("GET https://shop.example/orders/77", status, "3.50");
    }

    /// The shop has made order 77, and its pay code is shown.
    fn show_at_mall(&mut self) {
        self.choose(5).unwrap();
        self.mall_order("POST https://shop.example/orders", 10, "3.50");
        self.reply_to("POST https://shop.example/pay", 200, r#"{"status":0,"data":{"content":"weixin://wxpay/x"}}"#);
        self.is("waiting", None);
    }

    fn platform_says(&mut self, status: &str) {
        let body = format!(
            r#"{{"code":0,"message":"ok","data":{{"order_id":77,"trade_id":"1","date":"2024-04-26","amount":"3.50","status":"{status}","records":[]}}}}"#
        );
        self.reply_to(PLATFORM_ORDER, 200, &body);
    }

    fn platform_makes_it(&mut self) -> Request {
        self.reply_to(PLATFORM_NEW, 200, r#"{"code":0,"message":"ok","data":{"order_id":77}}"#)
    }

    fn show_at_platform(&mut self) {
        self.choose(5).unwrap();
        self.platform_makes_it();
        self.platform_says("NOTPAY");
        self.is("waiting", None);
    }

    /// What the merchant was told in all, taken by him now: state, final, reason.
    fn sale_told(&mut self) -> Vec<(String, String, Option<String>)> {
        let mut told = Vec::new();
        while self.waits_for(&format!("POST {TOLD}")) {
            let body = self.reply_to(&format!("POST {TOLD}"), 200, "").body;
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert!(body["sign"].is_string() && body["event_id"].as_str().unwrap().starts_with("16327129:sale:"));
            let text = |name: &str| body[name].as_str().map(str::to_owned);
            told.push((text("state").unwrap(), text("final").unwrap(), text("reason")));
        }
        told
    }

    fn is_told_once(&mut self, state: &str, reason: Option<&str>) {
        assert_eq!(self.sale_told(), [(state.to_owned(), "1".to_owned(), reason.map(str::to_owned))]);
    }

    /// The disk is all that is left, and the process begins anew.
    fn kill(&mut self) {
        self.pending = None;
        self.disk_is_quick = true;
        self.restart();
    }
}

const PLATFORM_NEW: &str = "POST https://cloud.example/api/openapi/v1/orders";
const PLATFORM_ORDER: &str = "POST https://cloud.example/api/openapi/v1/orders/77";
const PLATFORM_PUT: &str = "PUT https://cloud.example/api/openapi/v1/orders/77";
const QUERY: &str = "GET https://shop.example/orders/77";
const CREATE: &str = "POST https://shop.example/orders";
const OK: &str = r#"{"code":0,"message":"ok","data":""}"#;

#[test]
fn who_pays_is_served_once_and_the_merchant_hears_it_once() {
    let mut w = mall_world();
    w.show_at_mall();
    assert_eq!(w.sale().pay_code.as_deref(), Some("weixin://wxpay/x"));
    for _ in 0..3 {
        w.shop_says(10);
        w.pass_s(1);
    }
    assert_eq!(w.driven(), 0);
    w.shop_says(20);
    assert_eq!((w.driven(), w.sale().pay_code), (1, None));
    w.is("serving", None);
    w.board_ends(DISPENSED);
    w.is("served", None);
    w.is_told_once("served", None);
    assert_eq!(w.count_said("device.delivery.response"), 0, "the platform has no such order");
    // That it was told is written lazily.
    w.pass_s(31);
    w.kill();
    w.pass_s(30);
    assert_eq!((w.driven(), w.sale_told().len()), (0, 0));
    assert!(w.choose(5).is_ok(), "the next one may buy");
}

#[test]
fn at_the_platform_the_order_is_named_made_asked_about_and_paid_for() {
    let mut w = platform_world();
    w.choose(5).unwrap();
    let made: serde_json::Value = serde_json::from_slice(&w.platform_makes_it().body).unwrap();
    assert_eq!(
        (made["trade_id"].as_str().unwrap(), made["notify_url"].as_str()),
        (w.sale().trade_no.as_str(), Some(TOLD))
    );
    assert_eq!(w.sale().pay_code, None);
    w.platform_says("NOTPAY");
    assert_eq!(w.sale().pay_code.as_deref(), Some("https://pay.example/?o=77"));
    w.platform_says("SUCCESS");
    assert_eq!(w.driven(), 1);
    w.board_ends(DISPENSED);
    w.is_told_once("served", None);
    assert!(w.requests.is_empty(), "nothing is undone");
}

#[test]
fn what_cannot_be_sold_is_refused_with_its_reason() {
    let mut w = World::new();
    assert_eq!(w.choose(5), Err(SaleRefusal::NotConfigured));
    let mut w = mall_world();
    assert_eq!(w.choose(999), Err(SaleRefusal::NoSuchSlot));
    assert_eq!(w.choose(6), Err(SaleRefusal::NotForSale));
    let fill = |count| SlotAct::Restock { address: AT.0, slot: AT.1, count: Some(count) };
    w.step(Event::SlotAct { token: Token(9), uid: 0, act: fill(0) });
    assert_eq!(w.choose(5), Err(SaleRefusal::Empty));
    w.step(Event::SlotAct { token: Token(9), uid: 0, act: fill(3) });
    w.line_is(LineState::Closed);
    assert_eq!(w.choose(5), Err(SaleRefusal::BoardAway));
    w.line_is(LineState::Idle);
    assert!(w.core.slots().iter().any(|line| line.slot == 5 && line.for_sale && line.price_fen == Some(350)));
    w.choose(5).unwrap();
    assert_eq!(w.choose(5), Err(SaleRefusal::Open));
    assert_eq!(w.settle_sale(1), Err(SaleRefusal::NothingOwed));
    assert_eq!(w.settle_sale(7), Err(SaleRefusal::NoSuchSale));
    w.step(Event::Stop);
    assert_eq!(w.choose(5), Err(SaleRefusal::Unavailable));
}

#[test]
fn rule_50_an_order_is_asked_for_only_when_its_sale_is_durable() {
    let mut w = mall_world();
    w.disk_is_quick = false;
    w.choose_only(5);
    w.pass_s(2);
    assert_eq!((w.requests.len(), w.replies.len()), (0, 0));
    w.commit();
    assert!(w.waits_for(CREATE));
}

#[test]
fn rule_50_an_order_whose_answer_was_lost_is_never_made_twice() {
    let mut w = mall_world();
    w.choose(5).unwrap();
    w.silence(CREATE);
    w.pass_s(60);
    w.is("failed", Some("answer_lost"));
    assert!(!w.waits_for(CREATE));
    w.is_told_once("failed", Some("answer_lost"));

    // The platform knows its orders by the machine's own name: it may be asked again.
    let mut w = platform_world();
    w.choose(5).unwrap();
    let first = w.silence(PLATFORM_NEW);
    w.pass_s(10);
    let again = w.reply_to(PLATFORM_NEW, 200, r#"{"code":6040,"message":"trade id exists","data":{}}"#);
    assert_eq!(again.body, first.body, "the same name, the same order");
    w.is("failed", Some("answer_lost"));

    let mut w = mall_world();
    w.choose(5).unwrap();
    w.kill();
    w.pass_s(60);
    w.is("failed", Some("restarted"));
    assert!(!w.waits_for(CREATE));
}

#[test]
fn rule_51_a_pay_code_is_shown_only_when_its_orders_number_is_durable() {
    let mut w = platform_world();
    w.choose(5).unwrap();
    w.disk_is_quick = false;
    w.platform_makes_it();
    w.pass_s(1);
    assert!(!w.waits_for(PLATFORM_ORDER), "nobody asks about what may be forgotten");
    w.commit();
    w.platform_says("NOTPAY");
    assert_eq!(w.sale().pay_code, None, "the code itself is not durable yet");
    w.commit();
    assert!(w.sale().pay_code.is_some());
    w.kill();
    w.platform_says("SUCCESS");
    assert_eq!(w.driven(), 1, "paid found again, and the buyer still stands there");
}

#[test]
fn a_pay_code_made_here_waits_for_its_order_to_be_durable() {
    let mut w = platform_world();
    w.choose(5).unwrap();
    w.disk_is_quick = false;
    w.platform_makes_it();
    w.pass_s(5);
    w.is("created", None);
    assert_eq!(w.sale().pay_code, None);
}

#[test]
fn rule_52_a_cut_at_any_commit_leaves_both_payment_and_order_or_neither() {
    for commits in 0..4 {
        let mut w = mall_world();
        w.show_at_mall();
        w.disk_is_quick = false;
        w.shop_says(20);
        for _ in 0..commits {
            match w.pending {
                Some(_) => w.commit(),
                None => w.board_ends(DISPENSED),
            }
        }
        let driven = w.driven();
        w.kill();
        let paid = w.sale().state != "waiting";
        assert_eq!(paid, w.on_disk("~s-1", "1").is_some(), "{commits} commits");
        if !paid {
            w.shop_says(20);
        }
        match commits {
            0 => assert_eq!((driven, w.driven()), (0, 1)),
            _ => assert_eq!((driven, w.driven()), (1, 0), "{commits} commits: never a second turn"),
        }
        if w.sale().state == "serving" && driven == 1 {
            w.board_says(Finding::Unproven("nobody knows"));
        } else if w.driven() == 1 {
            w.board_ends(DISPENSED);
        }
        assert!(["served", "doubt"].contains(&w.sale().state.as_str()), "{commits} commits: {:?}", w.sale());
    }
}

#[test]
fn rule_52_an_order_that_was_sold_before_is_not_served_again() {
    let mut w = mall_world();
    w.show_at_mall();
    w.shop_says(20);
    w.board_ends(DISPENSED);
    w.sale_told();
    w.choose(5).unwrap();
    w.mall_order(CREATE, 20, "3.50");
    w.is("failed", Some("sold_before"));
    assert_eq!(w.driven(), 1);
}

#[test]
fn rule_53_an_order_of_another_amount_is_never_shown_and_what_was_paid_goes_back() {
    let mut w = mall_world();
    w.choose(5).unwrap();
    w.mall_order(CREATE, 10, "3.51");
    w.is("leaving", Some("price"));
    assert!(!w.waits_for("POST https://shop.example/pay"));

    // The price changes while the code is shown.
    let mut w = mall_world();
    w.show_at_mall();
    w.mall_order(QUERY, 10, "0.01");
    w.is("leaving", Some("price"));

    let mut w = mall_world();
    w.show_at_mall();
    w.mall_order(QUERY, 20, "0.01");
    w.is("owed", Some("paid_other"));
    assert_eq!((w.driven(), w.sale().paid_fen), (0, Some(1)));
}

#[test]
fn rule_54_who_pays_after_leaving_gets_the_money_back_and_no_goods() {
    let mut w = platform_world();
    w.show_at_platform();
    w.cancel().unwrap();
    w.is("leaving", Some("cancelled"));
    assert_eq!(w.cancel(), Err(SaleRefusal::NotOpen));
    // Paid before the order could be closed: it is not closed, since the platform would book that as unpaid.
    w.platform_says_twice("SUCCESS");
    w.is("refunding", Some("paid_late"));
    let refund = w.reply_to(PLATFORM_PUT, 200, OK);
    assert_eq!(status_of(&refund), "2");
    w.is("refunded", Some("paid_late"));
    w.pass_s(31);
    w.is_told_once("refunded", Some("paid_late"));
    assert_eq!(w.driven(), 0);

    // After its time, and while it is watched.
    let mut w = mall_world();
    w.show_at_mall();
    w.cancel().unwrap();
    w.shop_says(10);
    w.shop_says(10);
    w.is("watched", Some("cancelled"));
    w.pass_s(61);
    w.shop_says(20);
    w.is("owed", Some("paid_late"));
    assert_eq!(w.driven(), 0);
}

impl World {
    /// The answer to a question that a cancellation found under way counts for nothing.
    fn platform_says_twice(&mut self, status: &str) {
        let before = self.state();
        self.platform_says(status);
        assert_eq!((self.state(), self.waits_for(PLATFORM_PUT)), (before, false));
        self.platform_says(status);
    }
}

fn status_of(request: &Request) -> String {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let fields = crate::cloud::envelope::open(body["payload"].as_str().unwrap().as_bytes()).unwrap();
    fields.get("status").unwrap().to_owned()
}

#[test]
fn rule_54_a_payment_found_after_a_long_cut_goes_back() {
    for (down_s, state) in [(30, "serving"), (61, "owed")] {
        let mut w = mall_world();
        w.show_at_mall();
        w.shop_says(10);
        w.now.boot = w.now.boot.plus_ms(down_s * 1_000);
        w.now.wall.0 += down_s * 1_000;
        w.kill();
        w.shop_says(20);
        assert_eq!(w.sale().state, state, "{down_s} s");
        assert_eq!(w.driven(), usize::from(state == "serving"));
    }
    // After a reboot only trusted time can tell.
    for (synchronised, state) in [(true, "serving"), (false, "owed")] {
        let mut w = mall_world();
        w.show_at_mall();
        w.shop_says(10);
        let wall_s = w.now_s() + 20;
        w.reboot(wall_s, synchronised);
        w.shop_says(20);
        assert_eq!(w.sale().state, state, "synchronised: {synchronised}");
    }
    // A time that was trusted, and lay ahead, tells nothing.
    let mut w = mall_world();
    w.show_at_mall();
    w.shop_says(10);
    let wall_s = w.now_s() - 86_400;
    w.reboot(wall_s, true);
    w.shop_says(20);
    w.is("owed", Some("paid_late"));
    // The same when the network was away.
    let mut w = mall_world();
    w.show_at_mall();
    for _ in 0..12 {
        w.silence(QUERY);
        w.pass_s(21);
    }
    w.shop_says(20);
    w.is("owed", Some("paid_late"));
}

#[test]
fn rule_54_a_refused_refund_stands_for_a_person_until_one_settles_it() {
    let mut w = platform_world();
    w.show_at_platform();
    w.platform_says("SUCCESS");
    w.board_ends(OPEN);
    w.is("refunding", Some("not_dispensed"));
    w.reply_to(PLATFORM_PUT, 200, r#"{"code":6043,"message":"order status invalid","data":{}}"#);
    w.is("refunding", Some("not_dispensed"));
    // Whether it was refunded before, its status tells.
    w.pass_s(31);
    assert!(!w.waits_for(PLATFORM_PUT));
    w.platform_says("SUCCESS");
    w.is("owed", Some("not_dispensed"));
    w.pass_s(31);
    assert_eq!(w.sale_told(), [("owed".to_owned(), "0".to_owned(), Some("not_dispensed".to_owned()))]);
    assert_eq!(w.core.sales_for_people(), 1);
    let sales = w.core.status(w.now).sales;
    assert_eq!((sales.open, sales.refunds_due, sales.of(State::Owed), sales.has_late_refund()), (1, 1, 1, false));
    w.pass_s(REFUND_LATE_S);
    let sales = w.core.status(w.now).sales;
    assert!(sales.has_late_refund() && sales.oldest_refund_s.unwrap() > REFUND_LATE_S, "{sales:?}");
    w.kill();
    w.is("owed", Some("not_dispensed"));
    assert_eq!(w.settle_sale(1).unwrap().state, "settled");
    w.is_told_once("settled", Some("not_dispensed"));
    let audit = w.core.audit_lines();
    let entry = audit.last().expect("an entry");
    assert_eq!((entry.kind.as_str(), entry.uid), ("sale_settled", Some(0)));
    assert_eq!(entry.detail, "sale 1: paid in cash");
    assert_eq!((w.core.sales_for_people(), w.sale().settled.as_deref()), (0, Some("paid in cash")));
    let sales = w.core.status(w.now).sales;
    assert_eq!((sales.open, sales.refunds_due, sales.of(State::Settled), sales.oldest_refund_s), (0, 0, 1, None));
}

#[test]
fn a_refund_survives_a_kill_and_is_asked_for_again() {
    let mut w = platform_world();
    w.show_at_platform();
    w.platform_says("SUCCESS");
    w.board_ends(OPEN);
    w.kill();
    w.is("refunding", Some("not_dispensed"));
    assert_eq!(status_of(&w.reply_to(PLATFORM_PUT, 200, OK)), "2");
    w.is("refunded", Some("not_dispensed"));
}

#[test]
fn rule_55_a_sale_that_was_given_up_is_closed_and_watched_for_two_hours() {
    let mut w = platform_world();
    w.show_at_platform();
    // Twenty minutes pass.
    while w.sale().state == "waiting" {
        w.platform_says("NOTPAY");
        w.pass_s(60);
    }
    w.is("leaving", Some("too_old"));
    w.platform_says("NOTPAY");
    assert_eq!(status_of(&w.reply_to(PLATFORM_PUT, 200, OK)), "3");
    w.pass_s(3);
    w.platform_says("CLOSED");
    w.is("watched", Some("too_old"));
    assert!(w.choose(5).is_ok(), "the next buyer need not wait");
    w.silence(PLATFORM_NEW);
    let mut asked = 0;
    for _ in 0..WATCH_FOR_MS / 60_000 + 2 {
        w.pass_s(60);
        if w.waits_for(PLATFORM_ORDER) {
            w.platform_says("CLOSED");
            asked += 1;
        }
    }
    assert!((110..=121).contains(&asked), "{asked}");
    let first = w.core.sale_views(w.now).remove(0);
    assert_eq!((first.state.as_str(), first.why.as_deref()), ("closed", Some("too_old")));
    assert_eq!(w.driven(), 0);
}

#[test]
fn a_close_whose_answer_was_lost_is_asked_about_before_it_is_said_again() {
    let mut w = platform_world();
    w.show_at_platform();
    w.cancel().unwrap();
    w.platform_says_twice("NOTPAY");
    w.silence(PLATFORM_PUT);
    w.pass_s(60);
    assert!(!w.waits_for(PLATFORM_PUT));
    w.platform_says("CLOSED");
    w.is("watched", Some("cancelled"));
}

#[test]
fn an_order_of_which_nobody_tells_anything_stands_for_a_person() {
    let mut w = mall_world();
    w.show_at_mall();
    w.cancel().unwrap();
    for _ in 0..2_000 {
        if w.waits_for(QUERY) {
            w.silence(QUERY);
        }
        w.pass_s(30);
    }
    w.is("doubt", Some("cancelled"));
    assert_eq!(w.sale_told(), [("doubt".to_owned(), "0".to_owned(), Some("cancelled".to_owned()))]);
}

#[test]
fn rule_56_an_unknown_end_stands_for_a_person_or_goes_back() {
    let mut w = world(true, false);
    w.show_at_platform();
    w.platform_says("SUCCESS");
    w.board_says(Finding::Unproven("the power went"));
    w.is("doubt", Some("unknown"));
    assert!(!w.waits_for(PLATFORM_PUT));
    // What the board says later ends the doubt.
    w.board_says(Finding::Late { address: AT.0, slot: Some(AT.1), evidence: DISPENSED });
    w.is("served", Some("unknown"));

    let mut w = world(true, true);
    w.show_at_platform();
    w.platform_says("SUCCESS");
    w.board_says(Finding::Unproven("the power went"));
    w.is("refunding", Some("unknown"));
    assert!(w.waits_for(PLATFORM_PUT));

    let mut w = world(true, false);
    w.show_at_platform();
    w.platform_says("SUCCESS");
    w.board_says(Finding::Unproven("the power went"));
    w.board_says(Finding::Late { address: AT.0, slot: Some(AT.1), evidence: OPEN });
    w.is("refunding", Some("not_dispensed"));
}

#[test]
fn rule_60_a_person_who_resolves_a_sales_order_is_told_how_it_stands() {
    let mut w = world(true, false);
    w.show_at_platform();
    w.platform_says("SUCCESS");
    w.board_says(Finding::Unproven("the power went"));
    // Only of a line that is quiet is it known that the motor no longer turns.
    w.line_is(LineState::Idle);
    let key = w.core.orders_in_doubt(w.now)[0].clone();
    let (verdict, reason) = (Verdict::Failed, "I looked".to_owned());
    w.step(Event::Decide { token: Token(4), uid: 1_000, decision: Decision::Resolve { key, verdict, reason } });
    let told = w.replies.pop();
    assert!(matches!(told, Some(Reply::Decided(Ok(_)))), "{told:?}");
    w.is("refunding", Some("not_dispensed"));
}

#[test]
fn rule_57_each_sale_ends_in_one_final_report() {
    let mut w = mall_world();
    w.show_at_mall();
    w.shop_says(20);
    w.disk_is_quick = false;
    w.board_ends(DISPENSED);
    assert!(!w.waits_for(&format!("POST {TOLD}")), "its reason is not durable");
    w.commit();
    let first = w.silence(&format!("POST {TOLD}"));
    w.kill();
    let again = w.reply_to(&format!("POST {TOLD}"), 204, "");
    assert_eq!((again.body, again.headers), (first.body, first.headers), "byte for byte");
    w.pass_s(60);
    w.kill();
    w.pass_s(60);
    assert_eq!(w.sale_told(), []);
}

#[test]
fn rule_58_no_message_has_an_order_driven_that_a_sale_has_made() {
    let mut w = platform_world();
    w.show_at_platform();
    w.deliver(&w.put("77", "1"));
    assert_eq!(w.received_states(), ["refused conflict"]);
    assert_eq!((w.driven(), w.acks.len()), (0, 1));
    w.platform_says("SUCCESS");
    assert_eq!(w.driven(), 1);
    w.board_ends(DISPENSED);
    w.deliver(&w.put("77", "1"));
    assert_eq!(w.driven(), 1);
    w.deliver(&w.put("78", "1"));
    assert_eq!(w.driven(), 2, "another order is served");
}

#[test]
fn orders_that_are_paid_already_go_first_and_a_slot_that_broke_meanwhile_is_paid_back() {
    let mut w = mall_world();
    w.show_at_mall();
    w.deliver(&w.put("60", "78"));
    assert_eq!(w.driven(), 1);
    w.shop_says(20);
    assert_eq!(w.driven(), 1);
    w.board_ends(DISPENSED);
    assert_eq!(w.driven(), 2);
    w.board_ends(OPEN);
    w.is("owed", Some("not_dispensed"));
}

#[test]
fn a_cancelled_question_for_an_order_is_closed_when_its_answer_comes() {
    let mut w = platform_world();
    w.choose(5).unwrap();
    assert_eq!(w.cancel().unwrap().why.as_deref(), Some("cancelled"));
    w.platform_makes_it();
    w.is("leaving", Some("cancelled"));
    assert_eq!(w.sale().pay_code, None);
    w.platform_says("NOTPAY");
    assert!(w.waits_for(PLATFORM_PUT));
}

#[test]
fn a_cloud_that_says_something_unclear_neither_serves_nor_ends_a_sale() {
    let mut w = mall_world();
    w.show_at_mall();
    w.shop_says(33);
    w.pass_s(30);
    w.is("waiting", None);
    w.reply_to(QUERY, 502, "<html>");
    w.pass_s(30);
    w.is("waiting", None);
    w.shop_says(60);
    w.is("leaving", Some("closed_there"));
    assert_eq!(w.driven(), 0);
}

#[test]
fn a_new_journal_knows_no_sales_and_names_its_own_anew() {
    let mut w = platform_world();
    let first = w.choose(5).unwrap().trade_no;
    w.pass_s(2);
    w.disk.clear();
    w.live_again(Recovered::Journal { ledger: None, stock: Stock::default() }, true);
    assert_eq!(w.core.current_sale(w.now), None);
    let again = w.choose(5).unwrap();
    assert_eq!(again.sale, 1);
    assert_ne!(again.trade_no, first);
}

// --- who else hears of it, and who is logged in -----------------------------------------------------------------------

#[test]
fn songshu_hears_of_a_sale_when_it_is_made_and_when_it_is_paid() {
    use crate::cloud::orders::batch::Pace;
    use crate::cloud::orders::songshu::{Account, OpenId, StatusForm};
    use crate::core::NotifySettings;
    use crate::order::civil::Zone;
    use crate::order::key::Id;
    let mut settings = mall_world().settings;
    let app_id = Id::parse("wx5").unwrap();
    settings.notify = Some(NotifySettings {
        url: "https://songshu.example".to_owned(),
        account: Account { app_id, secret: None, zone: Zone::CHINA, status_form: StatusForm::Number },
        openid: OpenId::parse("oMachine").unwrap(),
        pace: Pace::NearRealTime,
        is_test: false,
    });
    let mut w = World::with(settings);
    w.show_at_mall();
    let begins = format!("POST https://songshu.example/v1/wx5/order/{}", w.sale().trade_no);
    let told = |request: Request| -> serde_json::Value { serde_json::from_slice(&request.body).unwrap() };
    let made = told(w.reply_to(&begins, 200, r#"{"errcode":0}"#));
    assert_eq!((&made["pay_status"], &made["amount"], &made["book"]), (&0.into(), &3.5.into(), &"可乐".into()));
    assert_eq!(made["pay_time"], "");
    w.shop_says(20);
    let paid = told(w.reply_to(&begins, 200, r#"{"errcode":0}"#));
    assert_eq!((&paid["pay_status"], &paid["create_time"]), (&1.into(), &made["create_time"]));
    assert!(!w.waits_for(&begins) && paid["pay_time"] != "");
}

#[test]
fn the_cloud_that_sells_is_asked_as_whoever_is_logged_in_and_a_session_that_is_over_is_renewed() {
    use crate::cloud::orders::Session;
    use crate::cloud::orders::session::LogIn;
    use crate::core::PaymentSettings;
    let mut settings = mall_world().settings;
    settings.payments = Some(PaymentSettings {
        url: MALL.to_owned(),
        hears: None,
        session: Some(Session::new("JSESSIONID=first").unwrap()),
        log_in: Some(LogIn {
            path: "/user/login".to_owned(),
            way: mall::LOG_IN,
            name: ("username".to_owned(), "vend".to_owned()),
            password: ("password".to_owned(), "right-31c7f0a9".to_owned()),
        }),
    });
    let mut w = World::with(settings);
    w.show_at_mall();
    let cookie = |request: &Request| request.headers.iter().find(|(name, _)| *name == "Cookie").map(|(_, v)| v.clone());
    let asked = w.reply_to(QUERY, 200, r#"{"status":10,"msg":"not logged in"}"#);
    assert_eq!(cookie(&asked).as_deref(), Some("JSESSIONID=first"));
    let (token, log_in) = w.take_request("POST https://shop.example/user/login");
    assert_eq!((cookie(&log_in), log_in.body), (None, br#"{"password":"right-31c7f0a9","username":"vend"}"#.to_vec()));
    let session = Session::new("JSESSIONID=second").ok();
    let body = br#"{"status":0,"data":{}}"#.to_vec();
    let answer = HttpAnswer { status: 200, date: None, retry_after_s: None, session, body };
    w.step(Event::Answered { token, answer: Ok(answer) });
    w.pass_s(30);
    let (token, asked) = w.take_request(QUERY);
    assert_eq!(cookie(&asked).as_deref(), Some("JSESSIONID=second"));
    let body = br#"{"status":0,"data":{"orderNo":77,"payment":3.50,"status":20}}"#.to_vec();
    let answer = HttpAnswer { status: 200, date: None, retry_after_s: None, session: None, body };
    w.step(Event::Answered { token, answer: Ok(answer) });
    assert_eq!(w.driven(), 1, "and who has paid is served");
}
