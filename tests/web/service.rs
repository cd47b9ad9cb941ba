//! The technician's page in Chromium.

use crate::browser::Browser;
use crate::source::{Source, TOKEN, slot, story};
use serde_json::{Value, json};
use std::fs;
use vend::config::file::WebTokenFor;
use vend::control::{Ask, Place};
use vend::core::words::About;
use vend::web::live::FRAMES_KEPT;

/// How large the page is on a telephone, on a machine's own small screen, and at a desk.
const SIZES: [(u32, u32); 3] = [(360, 740), (800, 480), (1280, 900)];

fn texts(browser: &mut Browser, selector: &str) -> Value {
    browser.eval(&format!("[...document.querySelectorAll({})].map((it) => it.textContent)", json!(selector)))
}

/// Pictures of the whole page at each size, looked at by people; and what can be said of it without eyes.
fn picture_all(browser: &mut Browser, name: &str) {
    for (width, height) in SIZES {
        browser.resize(width, height);
        browser.is_for_fingers();
        browser.can_be_heard();
        browser.picture(&format!("service-{name}-{width}"));
        let whole = browser.eval("Math.ceil(document.documentElement.scrollHeight)").as_u64().unwrap();
        browser.resize(width, u32::try_from(whole).unwrap());
        browser.picture(&format!("service-{name}-{width}-whole"));
        browser.resize(width, height);
    }
    for scheme in ["dark", "light"] {
        browser.prefer(scheme);
        browser.has_contrast();
    }
}

#[test]
fn a_technician_sees_slots_orders_line_and_vends_in_both_languages_on_a_telephone() {
    let source = Source::start(WebTokenFor::Service);
    let mut browser = Browser::start(360, 640);
    browser.open(&source.url("/service"));
    browser.wait_for_text("This page needs the token.");
    browser.can_be_heard();
    browser.has_contrast();
    browser.eval(&format!("document.getElementById('token-field').value = {}", json!(TOKEN)));
    browser.click("#token button");
    for text in [
        "Service 16327129",
        "connected",
        "TCN \"v2\"",
        "1 d 1 h",
        "1 h 6 min",
        "80001:1",
        "jammed",
        "turning",
        "Sold out",
    ] {
        browser.wait_for_text(text);
    }
    let tones =
        browser.eval("[...document.querySelectorAll('[data-slot]')].map((it) => [it.dataset.slot, it.dataset.tone])");
    assert_eq!(tones, json!([["1:5", "good"], ["1:6", "good"], ["1:7", "odd"], ["1:8", "bad"], ["1:9", "good"]]));
    assert_eq!(
        texts(&mut browser, "[data-order=\"80001:1\"] .steps"),
        json!(["unit 1: unknown · report 1: pending, 3 tries"])
    );
    assert_eq!(texts(&mut browser, "#settled .steps"), json!(["unit 1: dispensed · report 1: settled, 1 tries"]));
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
    assert_eq!(
        texts(&mut browser, "#since"),
        json!(["Counted since the agent was started, which was so long ago: 1 d 1 h"])
    );
    picture_all(&mut browser, "en");
    browser.click("[data-language=zh]");
    for text in ["维护 16327129", "已连接", "卡货", "待处理订单", "小时前", "1 天 1 小时", "转动中", "上报中", "警告"]
    {
        // What is folded is not shown, and yet there.
        browser.wait(&format!("document.body.textContent.includes({})", json!(text)));
    }
    picture_all(&mut browser, "zh");
    source.change(Place::Slots, |slots| slots["slots"] = json!([slot(12, "可乐", 305, 3)]));
    browser.wait("document.querySelectorAll('[data-slot]').length === 1");
    source.change(Place::Slots, |slots| slots["slots"][0]["count"] = 2.into());
    browser.wait("document.querySelector('[data-slot=\"1:12\"]').textContent.includes('12 2/9')");
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
        let why = json!({ "of": "journal", "why": "the second file is gone", "why_zh": "第二文件不见了" });
        status["troubles"] = json!([why]);
    });
    browser.open(&source.url("/service"));
    browser.wait_for_text("QUARANTINE: nothing is sold");
    for text in ["away", "closed", "the second file is gone"] {
        browser.wait_for_text(text);
    }
    browser.click("[data-language=zh]");
    browser.wait_for_text("第二文件不见了");
    assert!(!browser.text().contains("the second file is gone"));
    browser.click("[data-language=en]");
    browser.wait_for_text("the second file is gone");
    let focused = "document.activeElement.textContent";
    let mut reached = Vec::new();
    for _ in 0..8 {
        browser.press("Tab", 9, "");
        reached.push(browser.eval(focused));
    }
    let order = [
        "中文",
        "EN",
        "Check the machine",
        "▸80001:1 reported",
        "▸80000:1 settled",
        "As numbers",
        "As numbers",
        "Watch",
    ];
    assert_eq!(json!(reached), json!(order), "as it is read");
    browser.press("Enter", 13, "\r");
    browser.wait_for_text("Stop watching");
    assert_eq!(browser.eval(focused), "Stop watching", "the focus stays where it was");
    browser.eval("document.querySelector('#line summary').focus()");
    browser.press("Enter", 13, "\r");
    browser.wait("document.querySelector('#line details').open");
    browser.wait_for_text("hours ago");
    browser.eval("document.querySelector('[data-order=\"80001:1\"] button').focus()");
    browser.press("Enter", 13, "\r");
    browser.wait_for_text("put came from the platform");
    assert_eq!(browser.eval(focused), "▾80001:1 reported");
    assert_eq!(browser.eval("document.activeElement.ariaExpanded"), "true");
    browser.prefer("dark");
    browser.has_contrast();
    browser.picture("service-quarantine-en-1280");
    browser.is_content();
}

#[test]
fn the_course_of_an_order_is_shown_with_every_step_and_goes_when_the_order_is_forgotten() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(360, 740);
    browser.open(&source.url("/service"));
    browser.click("[data-order=\"80001:1\"] button");
    browser.wait_for_text("report 1 over HTTP to shop.example: status 200");
    let story = story();
    let steps = story["steps"].as_array().unwrap();
    let shown = browser.eval("[...document.querySelectorAll('.course [data-kind]')].map((it) => it.dataset.kind)");
    let kinds: Vec<&Value> = steps.iter().map(|step| &step["kind"]).collect();
    assert_eq!(shown, json!(kinds), "every step, in order");
    let said: Vec<String> = steps
        .iter()
        .map(|step| {
            let said = step["meaning"]["en"].as_str().or(step["text"].as_str()).unwrap();
            match step["times"].as_u64() {
                Some(1) => said.to_owned(),
                times => format!("{said} ×{}", times.unwrap()),
            }
        })
        .collect();
    assert_eq!(texts(&mut browser, ".course .text"), json!(said));
    assert_eq!(texts(&mut browser, ".course code"), json!(["00 ff 05 fa aa 55", "00 5c aa 00"]), "the bytes beside");
    assert_eq!(texts(&mut browser, ".course .day"), json!(["2024-04-29 (GMT+8)"]));
    let when = texts(&mut browser, ".course .when");
    assert_eq!((&when[0], &when[1]), (&json!("boot + 61.005 s"), &json!("14:54:50.042")));
    // It lives: what is added is shown.
    source.change(Place::Order, |story| {
        let mut gap = story["steps"][0].clone();
        (gap["kind"], gap["text"]) = ("gap".into(), "frames before this are not kept".into());
        gap["text_zh"] = "此前的数据帧未保留".into();
        story["steps"].as_array_mut().unwrap().insert(0, gap);
        let mut step = story["steps"][6].clone();
        step["text"] = "report 1 over MQTT: taken".into();
        story["steps"].as_array_mut().unwrap().push(step);
        (story["whole"], story["resolved_by_person"]) = (false.into(), true.into());
    });
    for text in ["report 1 over MQTT: taken", "a person has said what became of it", "frames before this are not kept"]
    {
        browser.wait_for_text(text);
    }
    picture_all(&mut browser, "course-en");
    // In Chinese each step is, and each state: no word of JSON is left.
    browser.click("[data-language=zh]");
    browser.wait_for_text("此前的数据帧未保留");
    let orders = browser.eval("document.getElementById('orders').textContent").as_str().unwrap().to_owned();
    for word in About::ALL.iter().flat_map(|about| about.words()) {
        let is_there = orders.split(|c: char| !c.is_ascii_lowercase() && c != '_').any(|part| part == word.json);
        assert!(!is_there, "{}: {orders}", word.json);
    }
    assert!(orders.contains("转动货道 5") && orders.contains("上报中"), "{orders}");
    picture_all(&mut browser, "course-zh");
    browser.click("[data-language=en]");
    let asked = source.machine.lock().unwrap().asked.clone();
    let stories: Vec<_> = asked.iter().filter_map(Ask::order).map(ToString::to_string).collect();
    assert!(!stories.is_empty() && stories.iter().all(|key| key == "80001:1"), "only of the one that is open");
    // It is listed for a moment longer than it is known.
    source.change(Place::Orders, |all| all["orders"][0]["order_id"] = "90001".into());
    browser.click("[data-order=\"90001:1\"] button");
    browser.wait("document.querySelector('.course') === null");
    assert_eq!(browser.eval("document.getElementById('offline').hidden"), true, "which is no outage");
}

#[test]
fn frames_pass_before_whoever_watches_and_a_page_that_was_too_slow_is_told_so() {
    let source = Source::start(WebTokenFor::Never);
    let mut browser = Browser::start(800, 480);
    browser.open(&source.url("/service"));
    browser.wait_for_text("Nothing is copied while nobody watches.");
    assert!(source.machine.lock().unwrap().listeners.is_empty(), "nobody watches");
    source.machine.lock().unwrap().is_crowded = true;
    browser.click("#frames button");
    browser.wait_for_text("Too many watch already");
    source.machine.lock().unwrap().is_crowded = false;
    browser.wait_for_text("Nothing has passed yet.");
    let passes = |way: &str, hex: &str| source.machine.lock().unwrap().passes(way, hex, "turn slot 5");
    passes("to_board", "00 ff 05 fa aa 55");
    passes("from_board", "00 5c");
    browser.wait("document.querySelectorAll('.frames li').length === 2");
    let lines = texts(&mut browser, ".frames li");
    assert_eq!(lines[0], "14:54:50.042→ to board00 ff 05 fa aa 55turn slot 5");
    assert_eq!(lines[1], "14:54:50.042← from board00 5cturn slot 5");
    picture_all(&mut browser, "frames-en");
    // While the page does not ask, more passes than is kept.
    browser.eval("window.really = window.fetch; window.fetch = () => new Promise((resolve) => { window.go = resolve; }).then(() => Promise.reject(new Error()))");
    browser.wait("window.go !== undefined");
    for n in 0..FRAMES_KEPT + 7 {
        passes("to_board", &format!("{n:04}"));
    }
    browser.eval("window.fetch = window.really; window.go()");
    browser.wait_for_text("7 lines passed unseen: this page was too slow");
    browser.wait_for_text("0262");
    assert!(!browser.text().contains("0006"), "and they are not there");
    browser.click("#frames button");
    browser.wait_for_text("Watch");
    browser.click("[data-language=zh]");
    browser.wait_for_text("开始查看");
    let asked = source.machine.lock().unwrap().asked.iter().filter(|ask| **ask == Ask::Frames).count();
    assert_eq!(asked, 1, "the pages share one listener");
}

/// What the doctor says of a machine on which this and that is wrong.
fn report() -> Value {
    let both = |en: &str, zh: &str| json!({ "en": en, "zh": zh });
    let finding = |id: &str, state: &str, fix: Value| {
        json!({
            "id": id, "group": "port", "state": state, "title": both("the board answers", "板卡应答"),
            "saw": both("no answer for 40 s", "40 秒无应答"), "fix": fix, "skipped_because_of": null
        })
    };
    let fix = both("look at the board's power", "请检查板卡电源");
    let findings = [
        finding("C1", "ok", Value::Null),
        finding("P5", "failed", fix.clone()),
        finding("P6", "skipped", Value::Null),
        finding("T1", "warning", fix),
        finding("N9", "not_applicable", Value::Null),
    ];
    json!({ "schema_version": 1, "findings": findings })
}

#[test]
fn the_doctor_looks_when_it_is_asked_to_and_says_what_is_wrong_first() {
    let directory = tempfile::tempdir().unwrap();
    let (report_file, runs, gate) =
        (directory.path().join("report"), directory.path().join("runs"), directory.path().join("gate"));
    fs::write(&report_file, serde_json::to_vec(&report()).unwrap()).unwrap();
    let script = format!(
        "echo x >> {}; while [ ! -e {} ]; do sleep 0.05; done; cat {}; exit 1",
        runs.display(),
        gate.display(),
        report_file.display()
    );
    let source = Source::with_doctor(WebTokenFor::Never, &script);
    let mut browser = Browser::start(360, 740);
    browser.open(&source.url("/service"));
    browser.wait_for_text("It takes some seconds and disturbs nothing.");
    assert!(!runs.exists(), "it is not asked for by being there");
    browser.click("#findings button");
    browser.wait_for_text("Checking…");
    // The rest of the page lives meanwhile, and asking again changes nothing.
    source.change(Place::Slots, |slots| slots["slots"] = json!([slot(12, "可乐", 305, 3)]));
    browser.wait("document.querySelectorAll('[data-slot]').length === 1");
    browser.click("#findings button");
    fs::write(&gate, "").unwrap();
    browser.wait_for_text("look at the board's power");
    let shown = "[...document.querySelectorAll('[data-check]')].map((it) => [it.dataset.check, it.dataset.state])";
    assert_eq!(browser.eval(shown), json!([["P5", "failed"], ["T1", "warning"]]));
    assert_eq!(texts(&mut browser, ".summary span"), json!(["1 failed", "1 warnings", "1 skipped", "1 n/a", "1 ok"]));
    picture_all(&mut browser, "doctor-en");
    browser.click("#findings .opener");
    let all = json!([["P5", "failed"], ["T1", "warning"], ["P6", "skipped"], ["N9", "not_applicable"], ["C1", "ok"]]);
    assert_eq!(browser.eval(shown), all);
    browser.click("[data-language=zh]");
    for text in ["请检查板卡电源", "40 秒无应答", "其余检查", "1 失败"] {
        browser.wait_for_text(text);
    }
    picture_all(&mut browser, "doctor-zh");
    browser.click("#findings button");
    browser.wait_for_text("检查时间");
    assert_eq!(fs::read_to_string(&runs).unwrap(), "x\n", "what is fresh is shown again");
    browser.is_content();
}

#[test]
fn a_doctor_that_cannot_look_is_no_healthy_machine() {
    let source = Source::with_doctor(WebTokenFor::Never, "echo nonsense; exit 3");
    let mut browser = Browser::start(360, 740);
    browser.open(&source.url("/service"));
    browser.click("#findings button");
    browser.wait_for_text("The doctor could not look: it ended with exit status: 3 and no report");
    assert!(!browser.text().contains("Nothing is wrong."));
    browser.click("[data-language=zh]");
    browser.wait_for_text("检查程序结束");
}
