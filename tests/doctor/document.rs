//! `docs/doctor.md` is printed from the list of checks; every check has a test that breaks something for it.
//! `BLESS=1 cargo test --test doctor document` writes the table anew.

use crate::tree::{files, read, root};
use std::fmt::Write as _;
use vend::doctor::{Check, Group};

const DOCUMENT: &str = "docs/doctor.md";
const BEGIN: &str = "<!-- printed from doctor::Check: begin -->\n";
const END: &str = "<!-- printed from doctor::Check: end -->\n";

fn table() -> String {
    let mut out = String::new();
    for group in Group::ALL {
        let title = group.title();
        writeln!(out, "\n## {} · {}\n", title.en, title.zh).unwrap();
        out.push_str("| id | what is checked | needs | what to do | 检查 | 处理 |\n|---|---|---|---|---|---|\n");
        for check in Check::ALL.into_iter().filter(|check| check.entry().group == group) {
            let (entry, title, fix) = (check.entry(), check.title(), check.fix());
            let needs: Vec<&str> = entry.needs.iter().map(|need| need.entry().id).collect();
            let cells = [entry.id.to_owned(), title.en, needs.join(" "), fix.en, title.zh, fix.zh];
            writeln!(out, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).unwrap();
        }
    }
    out
}

#[test]
fn the_document_holds_every_check_as_the_code_has_it() {
    let text = read(DOCUMENT);
    let (before, rest) = text.split_once(BEGIN).expect("the table's begin is marked");
    let (found, after) = rest.split_once(END).expect("the table's end is marked");
    let expected = format!("{}\n", table());
    if found != expected {
        assert!(
            std::env::var_os("BLESS").is_some(),
            "{DOCUMENT} is out of date: run `make bless`, read the difference"
        );
        std::fs::write(root().join(DOCUMENT), format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    }
}

#[test]
fn every_check_has_a_test_that_breaks_something_for_it() {
    let names: Vec<String> = files("tests/doctor", ".rs")
        .iter()
        .flat_map(|(_, text)| {
            text.lines().filter_map(|line| line.strip_prefix("fn ")).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    for check in Check::ALL {
        let id = check.entry().id.to_lowercase();
        let is_named = |name: &String| name.split('(').next().unwrap().split('_').any(|word| word == id);
        assert!(names.iter().any(is_named), "nothing is broken for {id}");
    }
}
