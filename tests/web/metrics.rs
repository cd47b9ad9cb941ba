//! The page for Prometheus, read by the rules of its text format.

use crate::knocks::get;
use crate::source::{Source, TOKEN};
use std::collections::{BTreeMap, BTreeSet};
use vend::config::file::WebTokenFor;
use vend::control::Place;

/// Samples by name and labels, and the type of each family.
struct Read {
    samples: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().enumerate().all(|(n, b)| b == b'_' || b.is_ascii_alphabetic() || (n > 0 && b.is_ascii_digit()))
}

/// Reads labels to the brace that closes them, with the three escapes that the format has.
fn labels(mut text: &str) -> (BTreeMap<String, String>, &str) {
    let mut found = BTreeMap::new();
    loop {
        let (name, rest) = text.split_once("=\"").unwrap_or_else(|| panic!("no label: {text}"));
        assert!(is_name(name), "{name}");
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next().expect("a value that ends") {
                (at, '"') => break at,
                (_, '\\') => match chars.next().expect("an escape") {
                    (_, 'n') => value.push('\n'),
                    (_, c @ ('\\' | '"')) => value.push(c),
                    other => panic!("{other:?} is no escape"),
                },
                (_, c) => value.push(c),
            }
        };
        assert!(found.insert(name.to_owned(), value).is_none(), "{name} twice");
        match rest[end + 1..].split_at(1) {
            (",", more) => text = more,
            ("}", more) => return (found, more),
            other => panic!("after a label: {other:?}"),
        }
    }
}

/// Reads a page as the format's description says, and complains about everything else.
fn read(page: &str) -> Read {
    assert!(page.ends_with('\n'), "the last line has no end");
    let mut read = Read { samples: BTreeMap::new(), types: BTreeMap::new() };
    let (mut helped, mut family, mut finished) = (BTreeSet::new(), String::new(), BTreeSet::new());
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(is_name(name) && !text.is_empty() && helped.insert(name.to_owned()), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(helped.contains(name) && ["counter", "gauge", "summary"].contains(&kind), "{line}");
            assert!(!finished.contains(name), "the samples of {name} are not together");
            assert!(read.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} has two types");
            finished.insert(std::mem::replace(&mut family, name.to_owned()));
        } else {
            let at = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
            let name = &line[..at];
            assert!(is_name(name), "{line}");
            let base = name.strip_suffix("_sum").or_else(|| name.strip_suffix("_count"));
            let in_family = name == family || (read.types[&family] == "summary" && base == Some(&family));
            assert!(in_family, "{name} stands in the family {family}");
            let (labels, value) = match line[at..].strip_prefix('{') {
                Some(rest) => labels(rest),
                None => (BTreeMap::new(), &line[at..]),
            };
            let value: f64 = value.strip_prefix(' ').unwrap().parse().unwrap_or_else(|e| panic!("{line}: {e}"));
            assert!(read.samples.insert(format!("{name}{labels:?}"), value).is_none(), "twice: {line}");
        }
    }
    read
}

#[test]
fn the_metrics_are_read_by_the_rules_of_the_format_and_say_what_the_core_said() {
    let source = Source::start(WebTokenFor::Always);
    source.change(Place::Status, |status| {
        status["board"] = "odd \"board\"\\ of\ntwo lines".into();
        let by_state = serde_json::json!({ "waiting": 1, "owed": 2 });
        status["sales"] =
            serde_json::json!({ "open": 3, "by_state": by_state, "refunds_due": 2, "oldest_refund_s": 4_000 });
    });
    let answer = get(&source, "/metrics", &format!("Authorization: Bearer {TOKEN}\r\n"));
    assert!(answer.to_lowercase().contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{answer}");
    let page = read(answer.split_once("\r\n\r\n").unwrap().1);
    let labelled = |name: &str, label: &str, value: &str| format!("{name}{{{label:?}: {value:?}}}");
    for (sample, value) in [
        ("vend_uptime_seconds{}".to_owned(), 90_061.0),
        ("vend_reports_unsent{}".to_owned(), 1.0),
        ("vend_broker_connected{}".to_owned(), 1.0),
        ("vend_healthy{}".to_owned(), 1.0),
        ("vend_motor_commands_total{}".to_owned(), 11.0),
        (labelled("vend_orders", "state", "reported"), 1.0),
        (labelled("vend_orders", "state", "tombstone"), 12.0),
        (labelled("vend_orders", "state", "accepted"), 0.0),
        (labelled("vend_sales", "state", "waiting"), 1.0),
        (labelled("vend_sales", "state", "owed"), 2.0),
        (labelled("vend_sales", "state", "served"), 0.0),
        ("vend_sales_open{}".to_owned(), 3.0),
        ("vend_sales_refunds_due{}".to_owned(), 2.0),
        ("vend_sales_oldest_refund_seconds{}".to_owned(), 4000.0),
        (labelled("vend_phase", "phase", "running"), 1.0),
        (labelled("vend_line_state", "state", "idle"), 1.0),
        (labelled("vend_line_faults_total", "kind", "bad_check"), 4.0),
        ("vend_line_round_trip_seconds_sum{}".to_owned(), 31.5),
        ("vend_line_round_trip_seconds_count{}".to_owned(), 900.0),
    ] {
        assert_eq!(page.samples.get(&sample), Some(&value), "{sample}");
    }
    assert!(page.samples.keys().any(|name| name.starts_with("vend_info{") && name.contains("two lines")));
    for (name, kind) in &page.types {
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(name.starts_with("vend_"), "{name}");
    }
}

#[test]
fn health_is_good_only_while_an_order_that_comes_now_can_be_served() {
    let source = Source::start(WebTokenFor::Always);
    let health = || {
        let answer = get(&source, "/healthz", "");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].to_owned(), body.trim().to_owned())
    };
    let said = |code: &str, word: &str| (code.to_owned(), word.to_owned());
    assert_eq!(health(), said("200", "good"));
    for (key, value, word) in [
        ("line", "settling".into(), "board"),
        ("line", "closed".into(), "board"),
        ("has_space", false.into(), "disk"),
        ("phase", "opening".into(), "not_serving"),
        ("phase", "stopping".into(), "not_serving"),
        ("phase", "failed".into(), "journal"),
        ("phase", serde_json::Value::from("quarantine"), "journal"),
    ] {
        source.change(Place::Status, |status| *status = crate::source::status());
        source.change(Place::Status, |status| status[key] = value);
        assert_eq!(health(), said("503", word), "{key}");
    }
    source.change(Place::Status, |status| {
        *status = crate::source::status();
        status["broker_connected"] = false.into();
    });
    assert_eq!(health(), said("200", "good"), "a broker that is away is no reason to restart anything");
}
