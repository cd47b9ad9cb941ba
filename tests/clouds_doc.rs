//! `docs/clouds.md` against the code and the documents: every test that it names exists, every member of the documents'
//! examples has its row, and the codes mean in the code what stands there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]

#[path = "common/document.rs"]
mod document;
#[path = "common/tree.rs"]
mod tree;

use document::{cells, files_with_test};
use std::collections::{BTreeMap, BTreeSet};
use tree::{files, in_backticks, item_exists, read};
use vend::cloud::api_codes::RetryClass;
use vend::cloud::orders::interface::Verb;
use vend::cloud::orders::row::Cloud;
use vend::cloud::orders::table::TABLE;
use vend::cloud::orders::{AnswerError, CloudName, course, mall, songshu};

const DOCUMENT: &str = "docs/clouds.md";
const CLOUDS: [CloudName; 3] = [songshu::NAME, course::NAME, mall::NAME];

/// The document's sections by title.
fn sections(text: &str) -> BTreeMap<&str, &str> {
    text.split("\n## ").filter_map(|section| section.split_once('\n')).collect()
}

/// The rows of the tables whose head ends with "test".
fn rows_with_tests(text: &str) -> Vec<Vec<&str>> {
    let mut rows = Vec::new();
    let mut has_tests = false;
    let mut in_table = false;
    for line in text.lines() {
        let Some(row) = cells(line) else {
            in_table = false;
            continue;
        };
        if !in_table {
            has_tests = row.last() == Some(&"test");
            in_table = true;
        } else if has_tests && !row[0].starts_with("---") {
            rows.push(row);
        }
    }
    rows
}

#[test]
fn every_row_is_shown_by_tests_that_exist() {
    let sources: Vec<_> = files("src", ".rs").into_iter().chain(files("tests", ".rs")).collect();
    let text = read(DOCUMENT);
    let rows = rows_with_tests(&text);
    assert!(rows.len() > 75, "only {} rows were found: the test does not see what it should", rows.len());
    for row in rows {
        let names = in_backticks(row.last().unwrap());
        assert!(!names.is_empty(), "{}: no test shows it", row[0]);
        assert!(row.iter().all(|cell| !cell.is_empty()), "{}: an empty cell", row[0]);
        for name in names {
            let found = files_with_test(&sources, name);
            assert_eq!(found.len(), 1, "{}: tests {name}: {found:?}", row[0]);
        }
    }
}

#[test]
fn what_it_says_of_the_code_exists() {
    let sources = files("src", ".rs");
    let text = read(DOCUMENT);
    let tests: BTreeSet<&str> =
        rows_with_tests(&text).iter().flat_map(|row| in_backticks(row.last().unwrap())).collect();
    let items: Vec<&str> = in_backticks(&text).into_iter().filter(|n| n.contains("::") && !tests.contains(n)).collect();
    assert!(items.len() >= 8, "{items:?}");
    for item in items {
        assert!(item_exists(&sources, item), "there is no {item}");
    }
}

/// The names of all members in a JSON text, comments and all.
fn members(json: &str) -> BTreeSet<&str> {
    let parts: Vec<&str> = json.split('"').collect();
    let names = parts.windows(2).enumerate().filter(|(at, _)| at % 2 == 1);
    names.filter(|(_, pair)| pair[1].trim_start().starts_with(':')).map(|(_, pair)| pair[0]).collect()
}

#[test]
fn every_member_of_the_documents_examples_has_its_row() {
    let text = read(DOCUMENT);
    let sections = sections(&text);
    let mut found = 0;
    for cloud in CLOUDS.map(|cloud| cloud.to_string()) {
        let named: BTreeSet<&str> =
            sections[cloud.as_str()].lines().filter_map(cells).flat_map(|row| in_backticks(row[0])).collect();
        for (file, json) in files("src/cloud/orders/tests/examples", ".json") {
            if file.rsplit('/').next().unwrap().starts_with(&cloud) {
                let missing: Vec<_> = members(&json).into_iter().filter(|name| !named.contains(name)).collect();
                assert!(missing.is_empty(), "{file}: {missing:?} have no row");
                found += members(&json).len();
            }
        }
    }
    assert!(found > 100, "only {found} members were found");
}

/// What a cloud says to a code.
fn refused(cloud: CloudName, code: i64) -> AnswerError {
    let body = format!("{{\"errcode\":{code},\"code\":{code},\"status\":{code}}}");
    let answer = match cloud {
        songshu::NAME => songshu::read_notified(200, body.as_bytes()),
        course::NAME => course::read_told(200, body.as_bytes()),
        mall::NAME => mall::read_pay_code(200, body.as_bytes()).map(drop),
        CloudName(other) => panic!("{other}"),
    };
    answer.expect_err("a code is no success")
}

#[test]
fn the_codes_are_those_of_the_code() {
    let text = read(DOCUMENT);
    let sections = sections(&text);
    for cloud in CLOUDS {
        let mut told = BTreeMap::new();
        let rows = rows_with_tests(sections[cloud.to_string().as_str()]);
        for (code, row) in rows.iter().filter_map(|row| Some((row[0].trim_matches('`').parse::<i64>().ok()?, row))) {
            let error = refused(cloud, code);
            let AnswerError::Refused { meaning, .. } = &error else { panic!("{error:?}") };
            let then = if error.class() == RetryClass::Final { "final" } else { "again" };
            assert_eq!((row[1], row[2]), (*meaning, then), "{cloud}: {code}");
            assert!(told.insert(code, *meaning).is_none(), "{cloud}: {code} stands there twice");
        }
        // Every meaning that any code has must stand there.
        let rest: BTreeSet<&str> = told.values().copied().collect();
        for code in (-100..1_000).chain(39_990..50_010).chain([401_000]).filter(|&code| code != 0) {
            let AnswerError::Refused { meaning, .. } = refused(cloud, code) else { panic!("{cloud}: {code}") };
            assert!(rest.contains(meaning), "{cloud}: {code} ({meaning}) has no row");
            let is_own = told.values().filter(|known| **known == meaning).count() == 1;
            let is_rest = [5, 21, 49_999, 50_000].iter().any(|rest| told.get(rest) == Some(&meaning));
            assert!(!is_own || is_rest || told.contains_key(&code), "{cloud}: {code} has no row of its own");
        }
    }
}

#[test]
fn the_table_of_clouds_is_that_of_the_interface() {
    let text = read(DOCUMENT);
    let sections = sections(&text);
    let rows: Vec<Vec<&str>> =
        sections["One interface"].lines().filter_map(cells).filter(|row| row.len() == 7).collect();
    assert_eq!(rows[0][1..], Verb::ALL.map(|verb| verb.to_string()), "the head");
    let told: Vec<&str> = rows[2..].iter().map(|row| row[0]).collect();
    assert_eq!(told, TABLE.each_ref().map(|cloud| cloud.name.0));
    for (row, Cloud { name, can, .. }) in rows[2..].iter().zip(&TABLE) {
        for (verb, cell) in Verb::ALL.iter().zip(&row[1..]) {
            assert_eq!(*cell != "no", can.contains(verb), "{name}: {verb}");
        }
    }
}

#[test]
fn what_is_missing_in_the_document_is_noticed() {
    assert_eq!(members("{\"a\": 1, //x\n \"b\":\"c\", \"d\": [\"e\"]}"), BTreeSet::from(["a", "b", "d"]));
    let text = "| a | test |\n|---|---|\n| b | `c::d` |\n\n| a | b |\n|---|---|\n| c | d |\n";
    assert_eq!(rows_with_tests(text), [vec!["b", "`c::d`"]]);
}
