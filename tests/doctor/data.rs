//! D1 to D9 of a machine whose daemon is stopped, and T2.

use crate::common::command::MACHINE_NO;
use crate::common::mount::Mount;
use crate::support::Machine;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};
use vend::io::journal::{Batch, FREE_BYTES_MIN, Opened, Store};
use vend::order::key::MachineNo;
use vend::order::record::{Birth, Ledger, encode_ledger};

/// A journal of this machine.
fn with_journal(machine_no: &str) -> Machine {
    let machine = Machine::new();
    begin(&machine, machine_no);
    machine
}

fn begin(machine: &Machine, machine_no: &str) {
    let Opened::Sound { mut store, .. } = Store::open(&machine.path("state")).unwrap() else { panic!("damaged") };
    let ledger = Ledger::new(MachineNo::parse(machine_no).unwrap(), Birth::At { s: 1_714_373_690 });
    store.commit(&Batch { meta: Some(encode_ledger(&ledger).unwrap()), ..Batch::default() }).unwrap();
}

/// Every file below the state directory, with its bytes.
fn files(machine: &Machine) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![machine.path("state")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((path.clone(), fs::read(path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn looking_at_a_journal_changes_nothing_of_it() {
    let machine = with_journal(MACHINE_NO);
    let before = files(&machine);
    let told = machine.doctor_json();
    assert_eq!(told.ids("failed"), ["S7", "N3"], "only the daemon and the broker are missing: {}", told.out);
    assert_eq!(files(&machine), before);
}

#[test]
fn d1_a_state_directory_that_is_open_or_no_directory_is_told() {
    let machine = with_journal(MACHINE_NO);
    machine.good("D1");
    fs::set_permissions(machine.path("state"), fs::Permissions::from_mode(0o755)).unwrap();
    machine.broken("D1", "warning", "mode 0755");
    fs::remove_dir_all(machine.path("state")).unwrap();
    machine.good("D1");
    fs::write(machine.path("state"), "").unwrap();
    machine.broken("D1", "failed", "is no directory");
}

#[test]
fn d2_d3_and_d4_a_disk_that_is_full_out_of_files_or_read_only_is_told() {
    let Some(mount) = Mount::tmpfs(100) else { return };
    let machine = Machine::new();
    machine.change("\"state\"", &format!("\"{}\"", mount.path().display()));
    machine.good("D2");
    mount.leave_bytes(2 * FREE_BYTES_MIN);
    machine.broken("D2", "warning", "32 MiB are free");
    mount.leave_bytes(FREE_BYTES_MIN / 2);
    machine.broken("D2", "failed", "8 MiB are free");
    machine.good("D3");
    mount.set("nr_inodes=50");
    machine.broken("D3", "failed", "more files");
    machine.good("D4");
    mount.set("ro");
    machine.broken("D4", "failed", "read-only");
}

#[test]
fn d5_a_process_that_holds_the_journal_and_does_not_answer_is_named() {
    let machine = with_journal(MACHINE_NO);
    if fs::read_to_string("/proc/locks").is_ok_and(|locks| locks.is_empty()) {
        println!("SKIPPED: this kernel does not show /proc/locks");
        return;
    }
    machine.good("D5");
    let held = Store::open(&machine.path("state")).unwrap();
    let finding = machine.broken("D5", "failed", &format!("process {}", std::process::id()));
    assert!(finding["fix"]["en"].as_str().unwrap().contains("kill"), "{finding}");
    machine.broken("P4", "skipped", "because of D5");
    drop(held);
    machine.good("D5");
}

#[test]
fn d6_a_damaged_journal_is_told() {
    let machine = with_journal(MACHINE_NO);
    machine.good("D6");
    fs::remove_file(machine.path("state/journal.second")).unwrap();
    let finding = machine.broken("D6", "failed", "the second file is gone");
    assert!(finding["fix"]["en"].as_str().unwrap().contains("accept-loss"), "{finding}");
    machine.broken("D7", "skipped", "because of D6");
}

#[test]
fn d7_the_journal_of_another_machine_is_told() {
    with_journal(MACHINE_NO).good("D7");
    with_journal("00000007").broken("D7", "failed", "belongs to machine 00000007");
}

#[test]
fn s3_of_a_daemon_that_another_machines_journal_keeps_down_gives_the_fix_of_d7() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: the service's user must own the state directory");
        return;
    }
    let says = |machine: &Machine| {
        machine.systemd_says(
            "LoadState=loaded\nUnitFileState=enabled\nActiveState=failed\nSubState=failed\nExecMainStatus=78\nUser=root",
        );
        machine.broken("S3", "failed", "exit code 78")
    };
    let fix = |finding: &serde_json::Value| finding["fix"].clone();
    let ours = fix(&says(&with_journal(MACHINE_NO)));
    assert!(ours["en"].as_str().unwrap().contains("vend config check"), "{ours}");
    let machine = with_journal("00000007");
    let theirs = fix(&says(&machine));
    assert!(theirs["en"].as_str().unwrap().starts_with("D7 is why: correct machine_no"), "{theirs}");
    assert!(theirs["zh"].as_str().unwrap().starts_with("原因见 D7：请更正 machine_no"), "{theirs}");
    // Where one check is asked for, its cause is looked for all the same.
    assert_eq!(fix(&machine.finding("S3")), theirs);
}

#[test]
fn d9_a_motor_mark_on_a_disk_is_told() {
    let machine = Machine::new();
    machine.good("D9");
    let on_disk = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let on_disk = on_disk.path().join("control.sock");
    let before = machine.memory().join("control.sock");
    machine.change(before.to_str().unwrap(), on_disk.to_str().unwrap());
    if vend::io::mark::lies_in_memory(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap() {
        println!("SKIPPED: this checkout lies on a tmpfs");
        return;
    }
    machine.broken("D9", "warning", "is on a disk");
}

#[test]
fn t2_a_clock_that_is_behind_the_journal_is_told() {
    let machine = with_journal(MACHINE_NO);
    machine.good("T2");
    let later = SystemTime::now() + Duration::from_secs(3 * 3_600);
    File::options().write(true).open(machine.path("state/journal.second")).unwrap().set_modified(later).unwrap();
    machine.broken("T2", "failed", "the journal was written");
}
