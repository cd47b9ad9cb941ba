//! What comes between the last question and the close, and after it: no document says what a platform does then, so
//! every way of taking it is played against the stand-in, with a cut at each instant.

use super::super::world::{OPEN, World};
use super::{PLATFORM_ORDER, PLATFORM_PUT, platform_world, status_of};
use crate::core::WATCH_FOR_MS;
use crate::core::event::{Audience, Event, HttpAnswer, Request, Token};
use crate::order::stock::Fen;
use crate::sim::cloud::{Closes, SimCloud, SimProduct, StandIn as _};

const OK: &str = super::OK;
/// The stand-in's first order.
const ORDER: u64 = 1_001;
/// The books' words for an order that was closed, and for one whose time is over.
const UNPAID: [&str; 2] = ["CLOSED", "9"];
/// The giving up is durable after so many instants.
const DURABLE_AFTER: u32 = 2;

#[test]
fn rule_55_a_close_is_no_end_until_the_cloud_has_said_since_that_the_order_is_closed() {
    let mut w = platform_world();
    w.show_at_platform();
    w.cancel().unwrap();
    w.platform_says_twice("NOTPAY");
    w.reply_to(PLATFORM_PUT, 200, OK);
    // "Done" is no proof: it may have met an order that was paid, or closed nothing.
    w.is("leaving", Some("cancelled"));
    w.pass_s(3);
    w.platform_says("NOTPAY");
    assert_eq!(status_of(&w.reply_to(PLATFORM_PUT, 200, OK)), "3", "once more, just after the word");
    w.pass_s(10);
    w.platform_says("CLOSED");
    w.is("watched", Some("cancelled"));
}

#[test]
fn rule_55_a_cloud_that_closes_nothing_is_not_told_for_ever() {
    let mut w = platform_world();
    w.show_at_platform();
    w.cancel().unwrap();
    w.platform_says_twice("NOTPAY");
    let mut closes = 0;
    for _ in 0..2 * WATCH_FOR_MS / 60_000 {
        if w.waits_for(PLATFORM_PUT) {
            w.reply_to(PLATFORM_PUT, 200, OK);
            closes += 1;
        }
        if w.waits_for(PLATFORM_ORDER) {
            w.platform_says("NOTPAY");
        }
        w.pass_s(60);
    }
    assert!((60..=125).contains(&closes), "{closes}");
    w.is("closed", Some("cancelled"));
    w.pass_s(600);
    assert!(!w.waits_for(PLATFORM_ORDER));
}

#[test]
fn what_is_not_to_be_closed_runs_out_and_is_watched_meanwhile() {
    let mut w = platform_world();
    w.settings.sale.as_mut().unwrap().closes = false;
    w.kill();
    w.show_at_platform();
    w.cancel().unwrap();
    w.platform_says_twice("NOTPAY");
    w.is("watched", Some("cancelled"));
    assert!(!w.waits_for(PLATFORM_PUT));
    w.pass_s(61);
    w.platform_says("SUCCESS");
    assert_eq!(status_of(&w.reply_to(PLATFORM_PUT, 200, OK)), "2");
    w.is("refunded", Some("paid_late"));
}

#[test]
fn rule_54_a_refund_that_was_taken_and_not_written_down_is_found_by_the_orders_status() {
    // In both generations of codes, and those that would mean "done" to another call.
    for code in [6043, 40_006, 6042, 40_005, 6034, 6049] {
        let mut w = platform_world();
        w.show_at_platform();
        w.platform_says("SUCCESS");
        w.board_ends(OPEN);
        // The platform takes it; the machine dies before it hears so.
        let first = w.take_request(PLATFORM_PUT).1;
        w.kill();
        let again = w.reply_to(PLATFORM_PUT, 200, &format!(r#"{{"code":{code},"message":"no","data":{{}}}}"#));
        assert_eq!((status_of(&first).as_str(), again.body), ("2", first.body), "{code}");
        w.pass_s(31);
        assert!(!w.waits_for(PLATFORM_PUT), "{code}: it is not asked for again before its status is known");
        // And once more, between the refusal and the question.
        w.kill();
        w.reply_to(PLATFORM_PUT, 200, &format!(r#"{{"code":{code},"message":"no","data":{{}}}}"#));
        w.pass_s(31);
        w.silence(PLATFORM_ORDER);
        w.pass_s(31);
        w.platform_says("REFUND");
        w.is("refunded", Some("not_dispensed"));
        w.pass_s(31);
        w.is_told_once("refunded", Some("not_dispensed"));
        assert_eq!(w.core.status(w.now).calls_dead, 0, "{code}");
    }
}

// --- every way, with a cut at each instant ----------------------------------------------------------------------------

/// How the platform takes a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Refuses,
    PaymentStands,
    /// What is closed may be paid all the same.
    PaidAfterwards,
    /// A close overtakes a payment, and the machine is told to close nothing.
    NeverClosed,
}

struct Shop {
    cloud: SimCloud,
    way: Way,
    has_paid: bool,
    /// Served, and not yet told to the machine.
    answer: Option<(Token, HttpAnswer)>,
}

impl Shop {
    fn open(w: &mut World, way: Way) -> Shop {
        let account = w.settings.cloud.account.clone().unwrap();
        let mut cloud = SimCloud::new(account, w.settings.machine_no.clone());
        cloud.closes = match way {
            Way::Refuses => Closes::Refuses,
            Way::PaymentStands | Way::PaidAfterwards => Closes::Stands,
            Way::NeverClosed => Closes::Overtakes,
        };
        let product = SimProduct {
            name: "可乐".to_owned(),
            price: Fen(350),
            channel_name: "A6".to_owned(),
            code: "005".to_owned(),
            addr: 1,
            stock: 9,
            capacity: 9,
        };
        cloud.products.insert(36, product);
        w.settings.sale.as_mut().unwrap().closes = way != Way::NeverClosed;
        w.kill();
        Shop { cloud, way, has_paid: false, answer: None }
    }

    /// The buyer pays what the code says, if the platform lets them.
    fn pay(&mut self) {
        let is_late = self.way == Way::PaidAfterwards;
        if let Some(order) = self.cloud.orders.get_mut(&ORDER)
            && (order.status == "NOTPAY" || is_late && UNPAID.contains(&order.status.as_str()))
        {
            "SUCCESS".clone_into(&mut order.status);
            self.has_paid = true;
        }
    }

    fn status(&self) -> &str {
        &self.cloud.orders[&ORDER].status
    }

    fn serve(&mut self, w: &World, token: Token, request: &Request) {
        self.cloud.tick(w.now_s());
        let (status, body) = if request.audience == Audience::Cloud {
            let path = request.url.strip_prefix("https://cloud.example").unwrap();
            let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            self.cloud.answer(request.method, path, &headers, &request.body)
        } else {
            (204, Vec::new())
        };
        self.answer = Some((token, HttpAnswer { status, date: None, retry_after_s: None, session: None, body }));
    }

    /// The next thing that can happen: an answer arrives, a request is served, a commit ends, or time passes.
    fn happen(&mut self, w: &mut World) {
        if let Some((token, answer)) = self.answer.take() {
            w.step(Event::Answered { token, answer: Ok(answer) });
        } else if w.pending.is_some() {
            w.commit();
        } else if let Some((token, request)) = w.requests.pop_front() {
            self.serve(w, token, &request);
        } else {
            w.pass_s(30);
        }
    }
}

/// Somebody chooses, reads the code, gives it up, and pays `pay_at` instants later; the power fails `cut_at` instants
/// after the giving up.
fn live(way: Way, pay_at: u32, cut_at: u32) -> (World, Shop) {
    let mut w = platform_world();
    let mut shop = Shop::open(&mut w, way);
    w.choose_only(5);
    while w.core.current_sale(w.now).is_none_or(|sale| sale.pay_code.is_none()) {
        shop.happen(&mut w);
    }
    w.disk_is_quick = false;
    w.step(Event::SaleCancelled { token: Token(2) });
    for instant in 0..40 {
        if instant == pay_at {
            shop.pay();
        }
        if instant == cut_at {
            shop.answer = None;
            w.requests.clear();
            w.kill();
            w.disk_is_quick = false;
        }
        shop.happen(&mut w);
    }
    w.disk_is_quick = true;
    for _ in 0..20_000 {
        if ["closed", "refunded", "owed", "doubt", "served"].contains(&w.sale().state.as_str()) && w.requests.is_empty()
        {
            break;
        }
        shop.happen(&mut w);
    }
    (w, shop)
}

#[test]
fn rule_55_whoever_pays_around_the_close_has_the_money_back_whatever_the_platform_does_and_whenever_power_fails() {
    let (mut paid, mut closed) = (0, 0);
    for way in [Way::Refuses, Way::PaymentStands, Way::PaidAfterwards, Way::NeverClosed] {
        for pay_at in 0..14 {
            // Every other instant for each, and all of them for two that follow each other.
            for cut_at in (pay_at % 2..20).step_by(2).chain([u32::MAX]) {
                let (w, shop) = live(way, pay_at, cut_at);
                let (state, status) = (w.sale().state, shop.status());
                let is_right = match (shop.has_paid, w.driven()) {
                    (true, 0) => (state.as_str(), status) == ("refunded", "REFUND"),
                    (false, 0) => state == "closed" && UNPAID.contains(&status),
                    // The cut undid the giving up: the code was still shown, and who paid stood there.
                    (has_paid, turns) => has_paid && turns == 1 && cut_at <= DURABLE_AFTER,
                };
                assert!(
                    is_right,
                    "{way:?}, paid at {pay_at}, cut at {cut_at}: {state}, {status}, {} turns",
                    w.driven()
                );
                paid += u32::from(shop.has_paid);
                closed += u32::from(status == "CLOSED");
            }
        }
    }
    assert!(paid > 200 && closed > 50, "{paid} paid, {closed} closed: too few to prove anything");
}
