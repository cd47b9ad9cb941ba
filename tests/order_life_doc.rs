//! `docs/order-life.md` against the code: the table is printed from `order::life::step`, and every rule names where it
//! lives and the tests that show it. `BLESS=1 cargo test --test order_life_doc` writes the table anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]

#[path = "common/document.rs"]
mod document;
#[path = "common/tree.rs"]
mod tree;

use document::{cells, files_with_test};
use std::fmt::Write as _;
use tree::{files, in_backticks, item_exists, read, root};
use vend::order::life::{Event, State, Step, step};

const DOCUMENT: &str = "docs/order-life.md";
const BEGIN: &str = "<!-- printed from order::life::step: begin -->\n";
const END: &str = "<!-- printed from order::life::step: end -->\n";
const RULES: usize = 35;
/// The last of the rules about calls, sync and sales, that begin at 40.
const RULES_OF_CALLS: usize = 59;
/// The last of the rules about persons, that begin at 60.
const RULES_OF_PERSONS: usize = 61;

/// `AttemptFailed` as `attempt failed`.
fn words(event: Event) -> String {
    let mut text = String::new();
    for c in format!("{event:?}").chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn states(states: &[State]) -> String {
    states.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ")
}

/// The whole table: an overview, then each state with what is done.
fn table() -> String {
    let mut out = String::from("| event \\ state |");
    for state in State::ALL {
        write!(out, " {state} |").unwrap();
    }
    writeln!(out, "\n|---|{}", "---|".repeat(State::ALL.len())).unwrap();
    for event in Event::ALL {
        write!(out, "| {} |", words(event)).unwrap();
        for state in State::ALL {
            match step(state, event) {
                Step::To(next, _) => write!(out, " → {} |", states(next)).unwrap(),
                Step::Stay(_) => write!(out, " stays |").unwrap(),
                Step::Never(_) => write!(out, " – |").unwrap(),
            }
        }
        out.push('\n');
    }
    for state in State::ALL {
        writeln!(out, "\n### {state}\n\n| event | next | what is done |\n|---|---|---|").unwrap();
        for event in Event::ALL {
            let (next, text) = match step(state, event) {
                Step::To(next, text) => (states(next), text.to_owned()),
                Step::Stay(text) => (state.as_str().to_owned(), text.to_owned()),
                Step::Never(why) => ("–".to_owned(), format!("cannot happen: {why}")),
            };
            writeln!(out, "| {} | {next} | {text} |", words(event)).unwrap();
        }
    }
    out
}

#[test]
fn the_document_holds_the_whole_table_as_the_code_has_it() {
    let text = read(DOCUMENT);
    let (before, rest) = text.split_once(BEGIN).expect("the table's begin is marked");
    let (found, after) = rest.split_once(END).expect("the table's end is marked");
    let expected = format!("\n{}\n", table());
    if found != expected {
        assert!(
            std::env::var_os("BLESS").is_some(),
            "{DOCUMENT} is out of date: run `make bless`, read the difference"
        );
        std::fs::write(root().join(DOCUMENT), format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    }
}

/// The rows `| number | rule | where | tests |`.
fn rules(text: &str) -> Vec<(usize, [&str; 3])> {
    text.lines()
        .filter_map(|line| {
            let cells = cells(line)?;
            let number = cells.first()?.parse().ok()?;
            let [rule, place, tests] = cells.get(1..)?.try_into().ok()?;
            Some((number, [rule, place, tests]))
        })
        .collect()
}

#[test]
fn every_rule_is_listed_once_and_in_order() {
    let text = read(DOCUMENT);
    let numbers: Vec<usize> = rules(&text).into_iter().map(|(n, _)| n).collect();
    assert_eq!(numbers, (1..=RULES).chain(40..=RULES_OF_CALLS).chain(60..=RULES_OF_PERSONS).collect::<Vec<_>>());
}

#[test]
fn every_rule_lives_where_the_document_says() {
    let sources: Vec<_> = files("src", ".rs").into_iter().chain(files("tests", ".rs")).collect();
    let text = read(DOCUMENT);
    for (number, [_, place, _]) in rules(&text) {
        let names = in_backticks(place);
        assert!(!names.is_empty(), "rule {number} lives nowhere");
        for name in names {
            assert!(item_exists(&sources, name), "rule {number}: there is no {name}");
        }
    }
}

#[test]
fn every_rule_is_shown_by_tests_that_exist() {
    let sources: Vec<_> = files("src", ".rs").into_iter().chain(files("tests", ".rs")).collect();
    let text = read(DOCUMENT);
    for (number, [_, _, tests]) in rules(&text) {
        let names = in_backticks(tests);
        assert!(!names.is_empty(), "rule {number} is shown by nothing");
        for name in names {
            assert!(!files_with_test(&sources, name).is_empty(), "rule {number}: there is no test {name}");
        }
    }
}
