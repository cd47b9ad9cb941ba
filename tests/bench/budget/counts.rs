//! Instructions, by callgrind: twice with different repetitions, so that preparation falls out of the difference.

use super::machine::Stored;
use super::page::{self, Table};
use super::subjects::{ALL, Subject};
use std::process::Command;

/// Repetitions beyond the first ones, which warm caches of the allocator and of the subject itself.
const TIMES: u64 = 8;
const WARM: u64 = 2;

/// Instructions of one run of a subject with this much stored.
pub fn instructions(subject: &Subject, stored: &Stored) -> u64 {
    let of = |times: u64| {
        let Stored { tombstones, pending, reports } = stored;
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().unwrap())
            .args(["repeat", subject.name, &tombstones.to_string(), &pending.to_string(), &reports.to_string()])
            .arg(times.to_string())
            .output()
            .expect("valgrind is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let collected = said.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's count").1;
        collected.trim().parse::<u64>().expect("a number")
    };
    of(WARM + TIMES).saturating_sub(of(WARM)) / TIMES
}

pub fn write() {
    let mut table = Table::new(&["subject", "what", "instructions"]);
    // What sled's own threads do in a commit is not the same twice: it is timed only.
    for subject in ALL.iter().filter(|subject| subject.name != "commit") {
        eprintln!("{subject}");
        let count = instructions(subject, &Stored::default());
        table.row([subject.name.to_owned(), subject.what.to_owned(), page::grouped(count)]);
    }
    page::write("counts", &table.to_string());
}
