//! The Chinese tables, with everything in them that a document may say: no word of JSON is left.

use super::lang::Lang;
use super::{audit, books, order, pickup, report, sale, slot, slot_test};
use crate::core::words::About;
use crate::core::{
    AuditLine, CallLine, CodeLine, DifferenceLine, Letter, OrderLine, ReportLine, SaleView, SlotLine, TestLine,
    UnitLine,
};

fn words(about: About) -> impl Iterator<Item = String> {
    about.words().iter().map(|word| word.json.to_owned())
}

/// The words of JSON that stand in a row, whatever they are about.
fn of_json(row: &[String]) -> Vec<&str> {
    let known = |word: &&str| About::ALL.iter().any(|about| about.words().iter().any(|known| known.json == *word));
    let parts = row.iter().flat_map(|cell| cell.split(|c: char| !c.is_ascii_lowercase() && c != '_'));
    parts.filter(known).collect()
}

/// In Chinese nothing of JSON is left, and in English each word stands there that is looked for.
fn check(row: impl Fn(Lang) -> Vec<String>, wanted: &[&str]) {
    let (chinese, english) = (row(Lang::Zh), row(Lang::En));
    assert_eq!(of_json(&chinese), [""; 0], "{chinese:?}");
    let said = english.join(" ");
    assert!(wanted.iter().all(|word| said.contains(word)), "{wanted:?} in {english:?}");
}

fn order_line(state: &str, unit: Option<&str>, copy: &str, difference: Option<&str>) -> OrderLine {
    OrderLine {
        order_id: "60".to_owned(),
        record_id: "78".to_owned(),
        state: state.to_owned(),
        units: vec![UnitLine { unit: 1, state: state.to_owned(), outcome: unit.map(str::to_owned) }],
        reports: vec![ReportLine { sequence: 1, state: copy.to_owned(), attempts: 3 }],
        difference: difference.map(str::to_owned),
    }
}

#[test]
fn no_word_of_json_is_left_in_the_table_of_orders() {
    for state in words(About::Order) {
        check(|lang| order::row(&order_line(&state, None, "pending", None), lang), &[&state, "pending"]);
    }
    for outcome in words(About::Outcome) {
        for copy in words(About::Copy) {
            let line = order_line("reported", Some(&outcome), &copy, None);
            check(|lang| order::row(&line, lang), &["reported", &outcome, &copy]);
        }
    }
    for difference in words(About::Difference) {
        let line = order_line("tombstone", None, "settled", Some(&difference));
        check(|lang| order::row(&line, lang), &[&difference]);
        let line = DifferenceLine { order_id: "60".to_owned(), record_id: "78".to_owned(), difference };
        check(|lang| books::differing(&line, lang), &[&line.difference]);
    }
}

#[test]
fn no_word_of_json_is_left_in_the_tables_of_reports_and_calls() {
    for state in words(About::Copy) {
        let reasons = words(About::Dead).map(|word| Some(format!("{word} 404"))).chain([None]);
        for reason in reasons {
            for wait in words(About::Wait) {
                let letter = Letter {
                    order_id: "60".to_owned(),
                    record_id: "78".to_owned(),
                    sequence: 1,
                    written_at_s: 0,
                    way: "http".to_owned(),
                    host: None,
                    state: state.clone(),
                    attempts: 1,
                    reason: reason.clone(),
                    waits_for: Some(wait),
                    waits_ms: Some(1_500),
                    says: None,
                };
                check(|lang| report::row(&letter, lang), &[&state]);
            }
            let call = CallLine {
                number: 7,
                what: "told to the merchant".to_owned(),
                what_zh: "告知商户".to_owned(),
                made_at_s: 0,
                state: state.clone(),
                attempts: 1,
                reason,
            };
            check(|lang| books::row(&call, lang), &[&state, "told to the merchant"]);
        }
    }
}

#[test]
fn no_word_of_json_is_left_in_the_audit() {
    let entry = |who: &str, kind: &str, became: &str, reason: Option<&str>| AuditLine {
        number: 1,
        who: who.to_owned(),
        uid: Some(0),
        kind: kind.to_owned(),
        issued_at_s: 0,
        came_at_s: 0,
        became: became.to_owned(),
        reason: reason.map(str::to_owned),
        detail: String::new(),
    };
    for who in words(About::Who) {
        check(|lang| audit::row(&entry(&who, "service", "done", None), lang), &[&who, "service", "done"]);
    }
    for kind in words(About::Deed) {
        check(|lang| audit::row(&entry("person", &kind, "done", None), lang), &[&kind]);
    }
    for became in words(About::Became) {
        check(|lang| audit::row(&entry("person", "reboot", &became, None), lang), &[&became]);
    }
    for reason in words(About::Refused) {
        check(|lang| audit::row(&entry("platform", "reboot", "refused", Some(&reason)), lang), &[&reason]);
    }
}

#[test]
fn no_word_of_json_is_left_of_slots_and_codes() {
    for condition in words(About::Slot) {
        let line = SlotLine {
            address: 1,
            slot: 5,
            code: None,
            label: None,
            product_id: None,
            product: None,
            price_fen: None,
            count: 1,
            doubtful: 1,
            capacity: None,
            condition,
            locked: true,
            turning: true,
            for_sale: false,
        };
        check(|lang| slot::row(&line, lang), &["TURNING", "LOCKED", "doubtful"]);
    }
    for state in words(About::Code) {
        let order = Some(order_line("intent", None, "pending", None));
        let line = CodeLine { id: "9".to_owned(), state, product_id: None, quantity: None, expires_at_ms: None, order };
        check(|lang| pickup::row(&line, lang), &[&line.state, "intent"]);
    }
}

#[test]
fn no_word_of_json_is_left_of_sales_and_tests() {
    for state in words(About::Sale) {
        for why in words(About::SaleWhy) {
            let view: SaleView = serde_json::from_value(serde_json::json!({
                "sale": 7, "state": state, "attended": false, "needs_person": false, "address": 1, "slot": 5,
                "name": "可乐", "price_fen": 305, "pay_code": null, "trade_no": "1", "order": null, "chosen_at_s": 1,
                "expires_in_s": null, "progress": null, "why": why, "outcome": null, "paid_fen": null, "settled": null,
            }))
            .unwrap();
            check(|lang| sale::row(&view, lang), &[]);
            let told = sale::row(&view, Lang::En).join(" ");
            assert!(!told.contains("does not know") && !told.contains("another reason"), "{state} {why}");
        }
    }
    let motors =
        || words(About::Motor).flat_map(|motor| words(About::Sensor).map(move |sensor| (motor.clone(), sensor)));
    for outcome in words(About::Outcome) {
        for (motor, sensor) in motors() {
            for reason in words(About::Reason) {
                let line = TestLine {
                    test: 1,
                    state: "outcome".to_owned(),
                    progress: None,
                    outcome: Some(outcome.clone()),
                    reason: Some(reason.clone()),
                    motor: Some(motor.clone()),
                    drop_sensor: Some(sensor.clone()),
                };
                check(|lang| slot_test::rows(&line, lang).concat(), &[&outcome, &motor, &sensor, &reason]);
            }
        }
    }
}
