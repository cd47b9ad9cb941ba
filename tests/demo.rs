//! The demonstration itself, as a visitor runs it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vend")).arg("demo").args(arguments).output().unwrap()
}

#[test]
fn the_promise_is_kept_to_every_order_and_the_table_says_so() {
    let output = demo(&["--lang", "en"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for row in [
        "│ all goes well                 ┆           1 ┆ dispensed ",
        "│ the motor jams                ┆           1 ┆ not_dispensed ",
        "│ nothing falls                 ┆           1 ┆ no_drop ",
        "│ three units                   ┆           3 ┆ dispensed ",
        "│ sent twice                    ┆           1 ┆ dispensed ",
        "│ same key, another slot        ┆           1 ┆ dispensed ",
        "│ wrong signature               ┆           0 ┆ - ",
        "│ expired                       ┆           0 ┆ refused ",
        "│ merchant down, then up        ┆           1 ┆ dispensed ",
        "│ late: the cloud is asked      ┆           1 ┆ dispensed ",
        "│ agent killed in mid-turn      ┆           1 ┆ dispensed ",
        "│ board loses power in mid-turn ┆           1 ┆ unknown ",
        "│ the next order                ┆           1 ┆ dispensed ",
        "│ bought at the machine         ┆           1 ┆ served ",
        "│ bought, and the slot breaks   ┆           1 ┆ refunded ",
    ] {
        let row = row.trim_start_matches("│ ");
        let found = text.lines().filter(|line| line.contains(row) && line.ends_with("┆ kept    │")).count();
        assert_eq!(found, 1, "{row} in\n{text}");
    }
    for event in [
        "is killed with SIGKILL while the motor turns",
        "keeps order 1011 until the agent is back",
        "the agent is back; its session was kept",
        "answers order 1011: duplicate",
        "is asked whether order 1010 is still paid",
        "is down: hangs up",
        "makes order 2001 for the machine",
        "https://pay.example/2001",
        "scans the code and pays",
        "gives the money of order 2002 back",
    ] {
        assert!(text.contains(event), "{event} in\n{text}");
    }
    assert!(text.contains('█'), "no code to scan in\n{text}");
    assert!(!text.contains('\x1b'), "colour without a terminal:\n{text}");
}
