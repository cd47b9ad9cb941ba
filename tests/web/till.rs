//! A buyer at the customer's screen of the real daemon: a cloud that takes the money, a board that turns, Chromium.

use crate::browser::Browser;
use crate::common::record::wait_until;
use crate::common::world::{Setup, World};
use vend::sim::cloud::Mishap;

/// A telephone, a small screen in the door, a tall one. The last two are what buyers stand before.
const SCREENS: [(&str, u32, u32); 3] = [("360", 360, 640), ("800", 800, 480), ("1080", 1_080, 1_920)];
/// Long enough that the screen, which looks each second, sees it.
const TURN_MS: u64 = 2_500;

/// A machine that sells from three slots at the platform; the motor of slot 6 is stuck.
fn machine(change: impl FnOnce(&mut Setup)) -> World {
    let goods = |slot: u16, name: &str| {
        format!("{{ slot = {slot}, goods = 2000{slot}, name = \"{name}\", price = \"3.05\", label = \"A{slot}\" }}")
    };
    let goods = [goods(5, "可乐"), goods(6, "Sparkling water with lemon, 500 ml"), goods(7, "矿泉水 550 毫升")];
    let world = World::with("uling-zdm8", |s| {
        let pay_url = "https://pay.example/{order}?a={amount}";
        let sale = format!("cloud = \"platform\"\npay_url = \"{pay_url}\"\ngoods = [{}]", goods.join(", "));
        (s.sale, s.web, s.turn_ms, s.faults) = (Some(sale), true, TURN_MS, vec!["jam:6"]);
        change(s);
    });
    for slot in [5, 6, 7] {
        world.cloud.sells(20_000 + slot, &slot.to_string(), 9, 9);
    }
    world.wait_until_line_is("idle");
    world
}

fn at_the_screen(world: &World) -> Browser {
    let mut browser = Browser::start(800, 480);
    browser.open(&format!("http://127.0.0.1:{}/", world.web_port()));
    browser.wait_for_text("Please choose");
    browser
}

/// The order of the sale that is on.
fn order(world: &World) -> u64 {
    wait_until("the cloud's order", || world.sale()["order"].as_str()?.parse().ok())
}

/// What is shown now fits every screen, for fingers; at a machine all of it is seen at once, since nobody scrolls there.
/// Keeps pictures.
fn fits_every_screen(browser: &mut Browser, name: &str) {
    for (size, width, height) in SCREENS {
        browser.resize(width, height);
        browser.is_for_fingers();
        browser.picture(&format!("till-{name}-{size}"));
        let heights = browser.eval("[document.documentElement.scrollHeight, innerHeight]");
        // A telephone scrolls.
        assert!(size == "360" || heights[0].as_u64() <= heights[1].as_u64(), "{name} at {size}: {heights}");
    }
    browser.resize(800, 480);
}

#[test]
fn a_buyer_pays_and_is_served_and_the_next_whose_goods_are_stuck_gets_a_refund() {
    let world = machine(|_| {});
    let mut browser = at_the_screen(&world);
    browser.picture("till-grid-en-800");
    browser.click("[data-key='1:5']");
    browser.wait_for_text("Scan to pay");
    browser.wait_for_text("¥3.05");
    fits_every_screen(&mut browser, "pay-en");
    world.cloud.pay(order(&world));
    browser.wait_for_text("you have paid");
    browser.wait_for_text("Please take your goods.");
    fits_every_screen(&mut browser, "thanks-en");
    browser.click("[data-key=done]");
    browser.click("[data-language=zh]");
    browser.wait_for_text("请选择商品");
    fits_every_screen(&mut browser, "grid-zh");

    browser.click("[data-key='1:6']");
    browser.wait_for_text("请扫码支付");
    fits_every_screen(&mut browser, "pay-zh");
    let paid = order(&world);
    // The refund's first try fails: what the buyer reads is true all the same.
    world.cloud.pay(paid);
    browser.wait_for_text("支付成功");
    fits_every_screen(&mut browser, "dispensing-zh");
    browser.wait_for_text("正在为您退款");
    fits_every_screen(&mut browser, "refund-zh");
    world.wait_for_sale("refunded");
    assert_eq!((world.cloud.order_status(paid).as_str(), world.board.turned_slots()), ("REFUND", vec![5, 6]));
    browser.click("[data-key=done]");
    browser.wait_for_text("请选择商品");
    // Keys beside the screen say what is printed at the slot, which is what the screen shows.
    assert_eq!(browser.eval("document.querySelector('.offer .label').textContent"), "A5");
    let entered = "fetch('/api/sale', { method: 'POST', headers: { 'content-type': 'application/json' }, \
                   body: JSON.stringify({ code: 'a7' }) }).then((answer) => answer.json())";
    assert_eq!(browser.eval(entered)["slot"], 7);
    browser.wait_for_text("请扫码支付");
    browser.is_content();
}

#[test]
fn a_screen_that_shows_a_code_survives_its_daemon_and_an_absent_cloud() {
    let mut world = machine(|_| {});
    world.keep_web_port();
    let mut browser = at_the_screen(&world);
    browser.click("[data-key='1:5']");
    browser.wait_for_text("Scan to pay");
    let paid = order(&world);
    let code = "document.querySelectorAll('.qr path')[1].getAttribute('d')";
    let drawn = browser.eval(code);
    world.kill9();
    browser.wait_for_text("No connection to the machine");
    browser.picture("till-offline-en-800");
    world.start_agent();
    browser.wait("document.getElementById('offline').hidden && document.querySelector('.qr') !== null");
    assert_eq!(browser.eval(code), drawn, "the same order is to be paid");
    // The money comes while nobody can be asked.
    world.cloud.server.go_away();
    world.cloud.pay(paid);
    browser.wait_for_text("Scan to pay");
    world.cloud.server.come_back();
    browser.wait_for_text("Please take your goods.");
    browser.click("[data-key=done]");

    // A cloud that makes no order: the buyer may go, and owes nothing.
    world.cloud.meets(vec![Mishap::Status(503); 100]);
    browser.click("[data-key='1:7']");
    browser.wait_for_text("One moment…");
    browser.click("[data-key=cancel]");
    browser.wait_for_text("Cancelled");
    assert!(!browser.text().contains("old code"), "there was none");
    browser.picture("till-cloud-away-en-800");
    world.cloud.recovers();
    assert_eq!(world.board.turned_slots(), [5]);
}
