//! The customer's screen in Chromium.

use crate::browser::Browser;
use crate::source::{PAY_CODE, Source, TOKEN, sale, slot};
use serde_json::{Value, json};
use vend::config::file::WebTokenFor;
use vend::control::{Ask, Place};
use vend::core::{SaleChoice, SaleRefusal};
use vend::order::motor::{Address, Slot};
use vend::order::sale::{State, Why};

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

/// The core tells of a sale that stands so.
fn stands(source: &Source, state: State, why: Option<Why>) {
    source.change(Place::Sale, |current| current["sale"] = sale(state, why));
}

/// What the page draws as the code to pay by, read as a telephone does.
fn scanned(browser: &mut Browser) -> String {
    let code = browser.eval(
        "(() => { const code = document.querySelector('.qr'); \
         return [code.viewBox.baseVal.width, code.querySelectorAll('path')[1].getAttribute('d')] })()",
    );
    let size = usize::try_from(code[0].as_u64().unwrap()).unwrap();
    let mut dark = vec![vec![false; size]; size];
    for run in code[1].as_str().unwrap().split('z').filter(|run| !run.is_empty()) {
        let numbers: Vec<usize> = run.split(['M', ' ', 'h', 'v', '-']).filter_map(|n| n.parse().ok()).collect();
        (numbers[0]..numbers[0] + numbers[2]).for_each(|x| dark[numbers[1]][x] = true);
    }
    let shade = |x: usize, y: usize| if dark[y / 3][x / 3] { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(size * 3, size * 3, shade);
    image.detect_grids()[0].decode().unwrap().1
}

#[test]
fn a_sale_goes_from_the_choice_over_the_code_and_the_goods_to_thanks() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(360, 640);
    browser.open(&source.url("/"));
    browser.wait_for_text("Please choose");
    browser.click("[data-key='1:5']");
    source.wait_for("the choice", |asked| {
        let choice = SaleChoice { address: Address::FIRST, slot: Slot(5) };
        asked.contains(&Ask::SaleStart(choice))
    });
    stands(&source, State::Chosen, None);
    browser.wait_for_text("One moment…");
    stands(&source, State::Waiting, None);
    browser.wait_for_text("Scan to pay");
    browser.wait_for_text("¥3.05");
    browser.wait_for_text("19:47");
    assert_eq!(scanned(&mut browser), PAY_CODE);
    browser.is_for_fingers();
    browser.picture("screen-pay-en-360");
    browser.click("[data-language=zh]");
    browser.wait_for_text("请扫码支付");
    browser.resize(1080, 1920);
    browser.is_for_fingers();
    browser.picture("screen-pay-zh-1080");
    stands(&source, State::Serving, None);
    browser.wait_for_text("正在出货");
    assert_eq!(browser.eval("document.querySelector('.message button')"), Value::Null, "nothing can be cancelled now");
    browser.picture("screen-dispensing-zh-1080");
    browser.resize(360, 640);
    stands(&source, State::Served, None);
    browser.wait_for_text("谢谢惠顾");
    browser.picture("screen-thanks-zh-360");
    browser.click("[data-key=done]");
    browser.wait_for_text("请选择商品");
    browser.is_content();
}

#[test]
fn whatever_becomes_of_a_sale_its_buyer_is_told_in_both_languages() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(360, 640);
    stands(&source, State::Waiting, None);
    browser.open(&source.url("/"));
    browser.wait_for_text("Scan to pay");
    for (state, why, en, zh) in [
        (State::Created, None, "One moment…", "正在下单"),
        (State::Serving, None, "you have paid", "支付成功"),
        (State::Served, None, "Please take your goods.", "请取走您的商品"),
        (State::Refunding, Some(Why::NotDispensed), "Your refund is on its way", "正在为您退款"),
        (State::Refunded, Some(Why::NotDispensed), "Your refund is on its way", "正在为您退款"),
        (State::Owed, Some(Why::NotDispensed), "We owe you a refund", "需要为您退款"),
        (State::Doubt, Some(Why::Unknown), "Did your goods come out?", "您的商品出来了吗"),
        (State::Leaving, Some(Why::Cancelled), "Cancelled", "已取消"),
        (State::Watched, Some(Why::TooOld), "The time to pay is over", "支付超时"),
        (State::Closed, Some(Why::TooOld), "The time to pay is over", "支付超时"),
        (State::Watched, Some(Why::Price), "This could not be sold", "暂时无法购买"),
        (State::Failed, Some(Why::Refused), "This could not be sold", "暂时无法购买"),
        (State::Failed, Some(Why::Cancelled), "Cancelled", "已取消"),
        (State::Settled, Some(Why::Unknown), "The operator has settled this", "运营方已处理完毕"),
    ] {
        stands(&source, state, why);
        browser.wait_for_text(en);
        browser.is_for_fingers();
        if matches!(state, State::Refunding | State::Doubt | State::Leaving) {
            browser.picture(&format!("screen-{state}-en-360"));
        }
        browser.click("[data-language=zh]");
        browser.wait_for_text(zh);
        browser.click("[data-language=en]");
    }
    browser.is_content();
}

#[test]
fn a_buyer_gives_up_and_a_choice_that_is_not_taken_says_why() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(360, 640);
    browser.open(&source.url("/"));
    browser.wait_for_text("Please choose");
    for (why, text) in [
        (SaleRefusal::Empty, "Please choose another."),
        (SaleRefusal::Open, "Somebody else is buying."),
        (SaleRefusal::CloudAway, "Nothing can be sold at the moment."),
    ] {
        source.machine.lock().unwrap().refusals = vec![(Place::SaleStart, why)];
        browser.click("[data-key='1:6']");
        browser.wait_for_text(text);
    }
    browser.picture("screen-not-now-en-360");
    stands(&source, State::Waiting, None);
    browser.wait_for_text("Scan to pay");
    browser.click("[data-key=cancel]");
    source.wait_for("the cancelling", |asked| asked.contains(&Ask::SaleCancel));
    stands(&source, State::Leaving, Some(Why::Cancelled));
    browser.wait_for_text("Cancelled");
    // Nobody stands there any more: the screen is the next one's by itself.
    browser.eval("(() => { const now = Date.now.bind(Date); Date.now = () => now() + 21000 })()");
    browser.wait_for_text("Please choose");
    assert_eq!(browser.complaints.iter().filter(|it| !it.contains("409")).count(), 0, "{:?}", browser.complaints);
}

#[test]
fn a_sale_that_ended_before_anybody_came_is_not_shown_and_one_that_was_shown_is_after_a_reload() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(360, 640);
    stands(&source, State::Refunded, Some(Why::NotDispensed));
    browser.open(&source.url("/"));
    browser.wait_for_text("Please choose");
    stands(&source, State::Serving, None);
    browser.wait_for_text("you have paid");
    stands(&source, State::Refunding, Some(Why::NotDispensed));
    browser.open(&source.url("/"));
    browser.wait_for_text("Your refund is on its way");
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
