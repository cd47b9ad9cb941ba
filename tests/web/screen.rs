//! The customer's screen in Chromium.

use crate::browser::Browser;
use crate::source::{Source, TOKEN, slot};
use serde_json::{Value, json};
use vend::config::file::WebTokenFor;
use vend::control::Place;

/// Every offer on the screen: its slot, its state, whether it can be touched, what it says.
fn offers(browser: &mut Browser) -> Value {
    browser.eval(
        "[...document.querySelectorAll('.offer')].map((it) => [it.dataset.key, it.dataset.state, it.disabled, \
         it.querySelector('.price').textContent])",
    )
}

#[test]
fn a_customer_sees_what_is_sold_and_for_how_much_in_both_languages_on_every_screen() {
    let source = Source::start(WebTokenFor::Service);
    let mut browser = Browser::start(360, 640);
    browser.open(&source.url("/"));
    browser.wait_for_text("Please choose");
    let shown = json!([
        ["1:5", "for_sale", false, "¥3.05"],
        ["1:6", "for_sale", false, "¥2.00"],
        ["1:7", "sold_out", true, "Sold out"],
        ["1:8", "out_of_use", true, "Not available"]
    ]);
    assert_eq!(offers(&mut browser), shown, "and nothing from a slot without a name");
    assert!(browser.text().contains("可乐"), "{}", browser.text());
    browser.is_for_fingers();
    browser.picture("screen-grid-en-360");
    browser.click("[data-language=zh]");
    browser.wait_for_text("请选择商品");
    assert_eq!(browser.eval("document.documentElement.lang"), "zh-Hans");
    assert_eq!(offers(&mut browser)[2][3], "已售完");
    browser.is_for_fingers();
    browser.picture("screen-grid-zh-360");
    browser.resize(1080, 1920);
    let many: Vec<Value> =
        (1..=30).map(|n| slot(n, ["可乐", "矿泉水 550 毫升", "Crisps"][usize::from(n % 3)], 300, n % 7)).collect();
    source.change(Place::Slots, |slots| slots["slots"] = many.into());
    browser.wait("document.querySelectorAll('.offer').length === 30");
    browser.is_for_fingers();
    browser.picture("screen-grid-zh-1080");
    // It is remembered where it was chosen.
    browser.open(&source.url("/"));
    browser.wait_for_text("请选择商品");
    browser.click("[data-language=en]");
    browser.wait_for_text("Please choose");
    browser.picture("screen-grid-en-1080");
    browser.is_content();
}

#[test]
fn a_machine_that_cannot_sell_says_so_and_sells_again_when_it_can() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(360, 640);
    source.change(Place::Status, |status| status["line"] = "settling".into());
    browser.open(&source.url("/"));
    browser.wait_for_text("One moment, please");
    source.change(Place::Status, |status| status["line"] = "closed".into());
    browser.wait_for_text("Out of order");
    browser.wait_for_text("Please try again later.");
    assert_eq!(offers(&mut browser), json!([]));
    browser.is_for_fingers();
    browser.picture("screen-out-of-order-en-360");
    browser.click("[data-language=zh]");
    browser.wait_for_text("暂停服务");
    source.change(Place::Status, |status| status["line"] = "busy".into());
    source.change(Place::Slots, |slots| slots["slots"] = json!([]));
    browser.wait_for_text("暂无商品");
    source.change(Place::Slots, |slots| slots["slots"] = json!([slot(5, "可乐", 5, 1)]));
    browser.wait_for_text("¥0.05");
    browser.is_content();
}

#[test]
fn a_screen_keeps_the_focus_of_whoever_uses_keys_while_prices_change() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(1080, 1920);
    browser.open(&source.url("/"));
    browser.wait_for_text("Please choose");
    browser.eval("document.querySelector('[data-key=\"1:6\"]').focus()");
    source.change(Place::Slots, |slots| slots["slots"][1]["price_fen"] = 210.into());
    browser.wait_for_text("¥2.10");
    assert_eq!(browser.eval("document.activeElement.dataset.key"), "1:6");
}

#[test]
fn a_kiosk_shows_its_token_and_a_person_is_asked_for_it() {
    let source = Source::start(WebTokenFor::Always);
    let mut browser = Browser::start(360, 640);
    browser.open(&source.url(&format!("/#token={TOKEN}")));
    browser.wait_for_text("Please choose");
    assert_eq!(browser.eval("location.hash"), "", "it does not stay where people see it");
    browser.eval("sessionStorage.clear()");
    browser.open(&source.url("/"));
    browser.wait_for_text("This page needs the token.");
    browser.is_for_fingers();
    browser.picture("screen-token-en-360");
    for (entered, shown) in [("not the token", "This page needs the token."), (TOKEN, "Please choose")] {
        browser.wait("document.getElementById('token-field')");
        browser.eval(&format!("document.getElementById('token-field').value = {}", json!(entered)));
        browser.click("#token button");
        browser.wait_for_text(shown);
    }
}
