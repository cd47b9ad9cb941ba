//! The technician's page in Chromium.

use crate::browser::Browser;
use crate::source::{Source, TOKEN, slot};
use serde_json::json;
use vend::config::file::WebTokenFor;
use vend::control::{Ask, Place};

#[test]
fn a_technician_sees_slots_orders_line_and_vends_in_both_languages_on_a_telephone() {
    let source = Source::start(WebTokenFor::Service);
    let mut browser = Browser::start(360, 640);
    browser.open(&source.url("/service"));
    browser.wait_for_text("This page needs the token.");
    browser.eval(&format!("document.getElementById('token-field').value = {}", json!(TOKEN)));
    browser.click("#token button");
    for text in ["Service 16327129", "connected", "TCN \"v2\"", "1 d 1 h", "1 h 6 min", "80001:1", "jammed", "Sold out"]
    {
        browser.wait_for_text(text);
    }
    let tones =
        browser.eval("[...document.querySelectorAll('[data-slot]')].map((it) => [it.dataset.slot, it.dataset.tone])");
    assert_eq!(tones, json!([["1:5", "good"], ["1:6", "good"], ["1:7", "odd"], ["1:8", "bad"], ["1:9", "good"]]));
    let steps =
        browser.eval("[...document.querySelectorAll('[data-order=\"80001:1\"] ol li')].map((it) => it.textContent)");
    assert_eq!(steps, json!(["unit 1: outcome, unknown", "report 1: pending, 3 tries"]));
    // Each hour has its bars, in its place.
    let bars = |browser: &mut Browser, css: &str| {
        browser.eval(&format!(
            "[...document.querySelectorAll('#vends rect.{css}')].filter((it) => it.height.baseVal.value > 0).length"
        ))
    };
    assert_eq!([bars(&mut browser, "failed"), bars(&mut browser, "unknown")], [json!(1), json!(1)]);
    let newest = browser.eval("document.querySelector('#vends rect.unknown').x.baseVal.value");
    assert!(newest.as_f64() > Some(300.0), "the running hour is on the right: {newest}");
    assert_eq!(browser.eval("document.querySelector('#line polyline').points.length"), 24);
    browser.is_for_fingers();
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        json!({ "width": 360, "height": 2100, "deviceScaleFactor": 1, "mobile": false }),
    );
    browser.picture("service-en-360");
    browser.click("[data-language=zh]");
    for text in ["维护 16327129", "已连接", "卡货", "待处理订单", "小时前"] {
        // What is folded is not shown, and yet there.
        browser.wait(&format!("document.body.textContent.includes({})", json!(text)));
    }
    browser.resize(1280, 900);
    browser.is_for_fingers();
    browser.picture("service-zh-1280");
    source.change(Place::Slots, |slots| slots["slots"] = json!([slot(12, "可乐", 305, 3)]));
    browser.wait("document.querySelectorAll('[data-slot]').length === 1");
    let asked = source.machine.lock().unwrap().asked.clone();
    assert!(asked.iter().all(|ask| matches!(ask, Ask::Status | Ask::Slots | Ask::Orders)), "it only reads: {asked:?}");
}

#[test]
fn the_page_is_used_by_keys_alone_and_what_is_in_trouble_says_so_in_words() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(1280, 900);
    source.change(Place::Status, |status| {
        status["phase"] = "quarantine".into();
        status["line"] = "closed".into();
        status["broker_connected"] = false.into();
    });
    browser.open(&source.url("/service"));
    browser.wait_for_text("QUARANTINE: nothing is sold");
    for text in ["away", "closed"] {
        browser.wait_for_text(text);
    }
    let focused = "document.activeElement.textContent";
    let mut reached = Vec::new();
    for _ in 0..4 {
        for kind in ["keyDown", "keyUp"] {
            let key = json!({ "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 });
            browser.call("Input.dispatchKeyEvent", key);
        }
        reached.push(browser.eval(focused));
    }
    assert_eq!(json!(reached), json!(["中文", "EN", "As numbers", "As numbers"]));
    for kind in ["keyDown", "keyUp"] {
        let key = json!({ "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" });
        browser.call("Input.dispatchKeyEvent", key);
    }
    browser.wait("document.querySelector('#line details').open");
    browser.wait_for_text("hours ago");
    browser.picture("service-quarantine-en-1280");
    browser.is_content();
}
