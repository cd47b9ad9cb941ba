//! `docs/faults.md` against the code: every fault has a row for every stage of an order, every row a test that exists,
//! every fault that is simulated a place in the matrix, and what the merchant is told are words of the code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]

#[path = "common/document.rs"]
mod document;
#[path = "common/tree.rs"]
mod tree;

use document::{cells, files_with_test};
use std::collections::{BTreeMap, BTreeSet};
use tree::{files, in_backticks, item_exists, read};
use vend::cloud::up::ReceivedState;
use vend::order::outcome::{DropSensor, Motor, OrderOutcome, Reason, UnitOutcome};

const DOCUMENT: &str = "docs/faults.md";
/// The stages of an order, in the order of its life, as the document calls them.
const STAGES: [&str; 7] = ["arriving", "waiting", "intended", "turning", "outcome", "reported", "settled"];
/// The rows of a section that hold for each of its faults.
const EVERY_FAULT: &str = "*each of these*";
/// A row that needs no test, since it says why it cannot happen.
const IMPOSSIBLE: &str = "cannot be: ";
/// A shorter text gives no reason.
const REASON_CHARS_MIN: usize = 25;

/// One row of the matrix.
#[derive(Debug)]
struct Row<'a> {
    section: &'a str,
    fault: &'a str,
    stages: Vec<&'static str>,
    done: &'a str,
    told: &'a str,
    tests: &'a str,
}

/// `all`, `waiting`, `waiting, intended` or `arriving to turning`.
fn stages(text: &str) -> Vec<&'static str> {
    let number = |word: &str| {
        STAGES.iter().position(|s| *s == word).unwrap_or_else(|| panic!("{word:?} of {text:?} is no stage of an order"))
    };
    if text == "all" {
        return STAGES.to_vec();
    }
    let mut found = Vec::new();
    for part in text.split(", ") {
        match part.split_once(" to ") {
            Some((first, last)) => found.extend(&STAGES[number(first)..=number(last)]),
            None => found.push(STAGES[number(part)]),
        }
    }
    found
}

/// The rows of five cells; one without a fault goes on with the fault above it.
fn matrix(text: &str) -> Vec<Row<'_>> {
    let (mut section, mut above, mut rows) = ("", "", Vec::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            (section, above) = (title, "");
        }
        let Some([fault, when, done, told, tests]) = cells(line).and_then(|c| <[&str; 5]>::try_from(c).ok()) else {
            continue;
        };
        if fault == "fault" || fault.starts_with("---") {
            continue;
        }
        if !fault.is_empty() {
            above = fault.trim_matches(|c| c == '*' && fault.starts_with("**"));
        }
        assert!(!above.is_empty(), "{section}: a row without a fault: {line}");
        rows.push(Row { section, fault: above, stages: stages(when), done, told, tests });
    }
    assert!(rows.len() > 100, "only {} rows were found: the test does not see what it should", rows.len());
    rows
}

#[test]
fn every_fault_says_what_happens_at_every_stage_and_says_it_once() {
    let text = read(DOCUMENT);
    let rows = matrix(&text);
    let faults: BTreeSet<_> = rows.iter().filter(|r| r.fault != EVERY_FAULT).map(|r| (r.section, r.fault)).collect();
    for (section, fault) in faults {
        let of_fault = rows.iter().filter(|r| r.section == section && (r.fault == fault || r.fault == EVERY_FAULT));
        let mut found: Vec<_> = of_fault.flat_map(|r| &r.stages).collect();
        found.sort_by_key(|stage| STAGES.iter().position(|s| s == *stage));
        assert_eq!(found, STAGES.iter().collect::<Vec<_>>(), "{section}: {fault}");
    }
}

#[test]
fn every_row_is_shown_by_tests_that_exist() {
    let sources: Vec<_> = files("src", ".rs").into_iter().chain(files("tests", ".rs")).collect();
    let text = read(DOCUMENT);
    for row in matrix(&text) {
        let place = format!("{}: {}, {}", row.section, row.fault, row.stages.join(", "));
        let names = in_backticks(row.tests);
        if let Some(why) = row.done.strip_prefix(IMPOSSIBLE) {
            assert!(why.len() >= REASON_CHARS_MIN, "{place}: cannot be, and does not say why");
        } else {
            assert!(!names.is_empty(), "{place}: no test shows it");
        }
        for name in names {
            assert!(name.contains("::"), "{place}: {name} says not where it is");
            let found = files_with_test(&sources, name);
            assert_eq!(found.len(), 1, "{place}: tests {name}: {found:?}");
        }
        assert!(!row.done.is_empty() && !row.told.is_empty(), "{place}: an empty cell");
    }
}

#[test]
fn a_test_that_does_not_exist_and_a_name_that_two_tests_have_are_noticed() {
    let sources: Vec<_> = files("src", ".rs").into_iter().chain(files("tests", ".rs")).collect();
    let of = |name| files_with_test(&sources, name).len();
    assert_eq!(of("line::bytes_go_both_ways_unchanged_and_carry_the_time_of_their_reading"), 1);
    assert_eq!(of("journal::bytes_go_both_ways_unchanged_and_carry_the_time_of_their_reading"), 0);
    assert_eq!(of("kills::killed_in_mid_vend"), 0, "a helper is no test");
    assert!(of("sigterm_in_mid_vend_lets_the_motor_finish_and_keeps_its_outcome") > 1);
}

/// The variants of a public enum, wherever it stands below a folder or in a file.
fn variants(place: &str, name: &str) -> BTreeSet<String> {
    let sources = files("src/sim", ".rs");
    let head = format!("pub enum {name} {{\n");
    let body = sources.iter().filter(|(file, _)| file.starts_with(place)).find_map(|(_, text)| {
        let (_, rest) = text.split_once(&head)?;
        rest.split_once("\n}").map(|(body, _)| body)
    });
    let body = body.unwrap_or_else(|| panic!("{place} has no enum {name}"));
    let lines = body.lines().filter_map(|line| line.strip_prefix("    ")?.split([' ', ',', '(', '{']).next());
    let found: BTreeSet<String> =
        lines.filter(|w| w.starts_with(|c: char| c.is_ascii_uppercase())).map(|v| format!("{name}::{v}")).collect();
    assert!(found.len() > 1, "{place}: {name} has no variants: the test does not see what it should");
    found
}

#[test]
fn every_fault_that_is_simulated_has_its_place_in_the_matrix() {
    let text = read(DOCUMENT);
    let faults: BTreeSet<&str> = matrix(&text).iter().map(|row| row.fault).collect();
    let mut played = BTreeMap::new();
    for row in text.lines().filter_map(cells) {
        if let [names, places] = row[..] {
            for name in in_backticks(names) {
                assert!(played.insert(name.to_owned(), places).is_none(), "{name} stands there twice");
            }
        }
    }
    for (name, places) in &played {
        for place in places.split("; ") {
            assert!(faults.contains(place), "{name} is played, and the matrix has no fault {place:?}");
        }
    }
    let mut simulated = BTreeSet::new();
    for name in ["Fault", "Whom", "Manner", "BootClock"] {
        simulated.extend(variants("src/sim/world", name));
    }
    simulated.extend(variants("src/sim/board/fault.rs", "FaultKind"));
    assert_eq!(played.into_keys().collect::<BTreeSet<_>>(), simulated, "left: the document; right: the simulators");
}

const MOTORS: [Motor; 5] = [Motor::Ok, Motor::Open, Motor::OverCurrent, Motor::Timeout, Motor::Absent];

/// Every outcome of a unit but the refusals.
fn outcomes() -> Vec<UnitOutcome> {
    let failed = MOTORS.into_iter().map(|motor| UnitOutcome::NotDispensed(motor, DropSensor::None));
    let ok = UnitOutcome::Dispensed(Motor::Ok);
    [ok, UnitOutcome::DispensedUnverified, UnitOutcome::NoDrop, UnitOutcome::Unknown]
        .into_iter()
        .chain(failed)
        .collect()
}

/// The reason of this name.
fn reason(word: &str) -> Option<Reason> {
    serde_json::from_value(word.into()).ok()
}

#[test]
fn what_the_merchant_is_told_are_words_of_the_code() {
    let text = read(DOCUMENT);
    let partial = OrderOutcome::Partial(UnitOutcome::Unknown).as_str();
    let refused = UnitOutcome::Refused(Reason::Expired).as_str();
    let states =
        [ReceivedState::Accepted, ReceivedState::Duplicate, ReceivedState::NotFound, ReceivedState::Unavailable];
    let mut words: BTreeSet<&str> = outcomes().iter().map(|o| o.as_str()).chain([partial, refused]).collect();
    words.extend(states.map(ReceivedState::as_str));
    words.extend(outcomes().iter().map(|o| OrderOutcome::of(&[*o]).error_msg()).filter(|m| !m.is_empty()));
    let mut said = BTreeSet::new();
    for row in matrix(&text) {
        for word in in_backticks(row.told) {
            let is_refusal = word.split_once(' ').is_some_and(|(first, why)| first == refused && reason(why).is_some());
            assert!(
                is_refusal || words.contains(word),
                "{}: {}: {word} is nothing that is told",
                row.section,
                row.fault
            );
            said.insert(word.to_owned());
        }
    }
    for outcome in outcomes() {
        let word = outcome.as_str();
        assert!(said.contains(word) || word == "dispensed_unverified", "no fault leads to {word}");
    }
}

#[test]
fn the_summary_of_outcomes_is_that_of_the_code() {
    let text = read(DOCUMENT);
    let found: BTreeSet<Vec<String>> = text
        .lines()
        .filter_map(cells)
        .filter(|row| row.len() == 6 && row[0].starts_with('`'))
        .map(|row| row.iter().take(5).map(|cell| cell.trim_matches('`').to_owned()).collect())
        .collect();
    let row = |outcome: UnitOutcome| {
        let order = OrderOutcome::of(&[outcome]);
        let floor = order.floor_status().unwrap_or("absent");
        let error = match outcome {
            UnitOutcome::Refused(_) => "the reason",
            _ => order.error_msg(),
        };
        let refund = if OrderOutcome::may_refund(&[outcome]) { "yes" } else { "no" };
        [outcome.as_str(), order.deliver_status(), floor, error, refund].map(str::to_owned).to_vec()
    };
    let all = outcomes().into_iter().chain([UnitOutcome::Refused(Reason::Expired)]);
    assert_eq!(found, all.map(row).collect());
}

/// Limits and items that the document names.
#[test]
fn what_the_agent_does_names_only_what_exists() {
    let sources = files("src", ".rs");
    let text = read(DOCUMENT);
    let named: Vec<_> = matrix(&text).iter().flat_map(|row| in_backticks(row.done)).collect();
    assert!(!named.is_empty());
    for name in named {
        assert!(item_exists(&sources, name), "there is no {name}");
    }
}
