//! `vend journal`: sound, damaged, in use, in quarantine.

use crate::support::{Machine, run, vend, wait_for};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use vend::board::driver::{Address, FloorType, Slot};
use vend::io::journal::{Batch, Opened, Store};
use vend::order::command::{BodyDigest, Echo, Put, Turns};
use vend::order::key::{Id, Key, MachineNo};
use vend::order::life::{Arrival, Order, State};
use vend::order::outcome::Reason;
use vend::order::record::{Birth, FORMAT, Ledger, decode_ledger, decode_order, encode_ledger, encode_order};
use vend::order::time::{BootId, BootMs, UnixMs};

const NOW_S: u64 = 1_714_373_690;
/// Stands in every order's record, as bytes that can be found again in the journal's file.
const URL: &str = "https://127.0.0.1/results/of/this/machine";

fn order(number: u64, quantity: u8) -> Order {
    order_issued_at(NOW_S, number, quantity)
}

fn order_issued_at(issued_at_s: u64, number: u64, quantity: u8) -> Order {
    let put = Put {
        key: Key { order_id: Id::parse(&format!("{}", 100 - number)).unwrap(), record_id: Id::parse("078").unwrap() },
        issued_at_s,
        paid_at_s: None,
        drive_until_s: issued_at_s + 1_200,
        notify_url: Some(URL.into()),
        echo: Echo::default(),
        digest: BodyDigest([7; 16]),
        sold: vend::order::command::Sold::default(),
        turns: Ok(Turns {
            address: Address::new(1).unwrap(),
            slot: Slot(3),
            floor_type: FloorType::Spring,
            lift: false,
            drop_check: false,
            quantity,
        }),
    };
    let arrival =
        Arrival { wall: UnixMs(issued_at_s * 1_000), boot: BootMs(5), boot_id: BootId([1; 16]), trusted: None };
    Order::new(&put, number, arrival)
}

fn ledger(machine_no: &str) -> Vec<u8> {
    encode_ledger(&Ledger::new(MachineNo::parse(machine_no).unwrap(), Birth::At { s: NOW_S - 9_000 })).unwrap()
}

/// A journal with two orders: one of three units that waits, one that was refused.
fn with_orders() -> Machine {
    let machine = Machine::new();
    let mut refused = order(2, 1);
    refused.refuse(Reason::Expired).unwrap();
    let puts = [order(1, 3), refused].map(|o| (o.key.to_bytes(), encode_order(&o).unwrap())).to_vec();
    commit(&machine, Batch { puts, removes: Vec::new(), meta: Some(ledger("16327129")) });
    machine
}

fn commit(machine: &Machine, batch: Batch) {
    let Opened::Sound { mut store, .. } = Store::open(&machine.path("state")).unwrap() else { panic!("damaged") };
    store.commit(&batch).unwrap();
}

/// Every file below a directory.
fn snapshot(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            files.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn a_sound_journal_is_one_document_an_order_oldest_first_and_is_not_changed() {
    let machine = with_orders();
    let before = snapshot(&machine.path("state"));
    let dump = machine.dump(&["--json"]);
    assert_eq!((dump.code, dump.err.as_str()), (Some(0), ""));
    let [waiting, refused] = &dump.documents()[..] else { panic!("{}", dump.out) };
    let unit = |n| serde_json::json!({ "unit": n, "state": "accepted", "outcome": null });
    assert_eq!(
        *waiting,
        serde_json::json!({
            "schema_version": 1, "order_id": "99", "record_id": "078", "state": "accepted",
            "units": [unit(1), unit(2), unit(3)], "reports": []
        })
    );
    assert_eq!((&refused["order_id"], &refused["units"][0]["outcome"]), (&"98".into(), &"refused".into()));
    let plain = machine.dump(&["--plain"]);
    assert_eq!(plain.out.lines().next(), Some("99\t078\taccepted\taccepted, accepted, accepted\t-"));
    assert_eq!(machine.dump(&["--lang", "zh"]).code, Some(0));
    assert_eq!(snapshot(&machine.path("state")), before);
}

#[test]
fn a_flipped_bit_is_told_and_ends_with_1() {
    let machine = with_orders();
    let file = machine.path("state/journal/lead");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(URL.len()).rposition(|window| window == URL.as_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    let dump = machine.dump(&["--json"]);
    assert_eq!(dump.code, Some(1), "{dump:?}");
    assert!(dump.err.starts_with("damage: "), "{}", dump.err);
    assert_eq!(machine.dump(&["--json"]).code, Some(1), "a dump mends nothing");
}

#[test]
fn a_damaged_journal_still_shows_the_orders_that_can_be_read() {
    let machine = with_orders();
    fs::remove_file(machine.path("state/journal.second")).unwrap();
    let dump = machine.dump(&["--json"]);
    assert_eq!(dump.code, Some(1));
    assert_eq!(dump.documents().len(), 2);
    assert!(dump.err.contains("second file"), "{}", dump.err);
    let dump = machine.dump(&["--lang", "zh"]);
    assert!(dump.err.starts_with("损坏："), "{}", dump.err);
}

#[test]
fn what_is_whole_and_cannot_be_explained_is_told_too() {
    let machine = with_orders();
    commit(&machine, Batch { puts: vec![(b"1\x002".to_vec(), b"nonsense".to_vec())], ..Batch::default() });
    let dump = machine.dump(&["--json"]);
    assert_eq!((dump.code, dump.documents().len()), (Some(1), 2));
    assert!(dump.err.contains("none of ours") && dump.err.contains("1\\x002"), "{}", dump.err);

    let machine = Machine::new();
    let order = order(1, 1);
    commit(&machine, Batch { puts: vec![(order.key.to_bytes(), encode_order(&order).unwrap())], ..Batch::default() });
    let dump = machine.dump(&["--json"]);
    assert_eq!((dump.code, dump.documents().len()), (Some(1), 1));
    assert!(dump.err.contains("no ledger"), "{}", dump.err);
    commit(&machine, Batch { meta: Some(b"nonsense".to_vec()), ..Batch::default() });
    assert!(machine.dump(&[]).err.contains("ledger does not read"));
}

#[test]
fn a_directory_in_use_is_5_and_one_without_a_journal_is_6() {
    let machine = Machine::new();
    assert_eq!(machine.dump(&[]).code, Some(6));
    let mut daemon = machine.daemon();
    let dump = machine.dump(&["--json"]);
    assert_eq!((dump.code, dump.out.as_str()), (Some(5), ""));
    assert!(dump.err.contains("in use"), "{}", dump.err);
    assert_eq!(machine.accept_loss("none").code, Some(5));
    assert_eq!(daemon.terminate(), Some(0));
    assert_eq!(machine.dump(&[]).code, Some(0));
}

#[test]
fn an_order_survives_the_daemon_and_is_shown_by_it() {
    let machine = with_orders();
    let mut daemon = machine.daemon();
    let listed = machine.tool(&["order", "list", "--json"]).documents().remove(0);
    assert!(listed["orders"].to_string().contains("\"order_id\":\"99\""), "{listed}");
    assert_eq!(daemon.terminate(), Some(0));
    assert_eq!(machine.dump(&["--json"]).documents().len(), 2);
}

#[test]
fn a_quarantine_ends_by_a_person_and_the_next_daemon_begins_anew() {
    let machine = with_orders();
    let refused = machine.accept_loss("not yet");
    assert_eq!(refused.code, Some(5));
    assert!(refused.err.contains("not in quarantine"), "{}", refused.err);

    fs::remove_file(machine.path("state/journal.second")).unwrap();
    let mut daemon = machine.daemon();
    let status = machine.tool(&["status", "--plain"]);
    assert_eq!(status.code, Some(1), "{}", status.out);
    assert!(status.out.contains("phase\tQUARANTINE"), "{}", status.out);
    let refused = machine.accept_loss("while it runs");
    assert_eq!(refused.code, Some(5));
    assert!(refused.err.contains("in use"), "{}", refused.err);
    assert_eq!(daemon.terminate(), Some(0));

    assert_eq!(machine.accept_loss("  ").code, Some(2));
    let accepted = machine.accept_loss("the card was swapped");
    assert_eq!((accepted.code, accepted.err.as_str()), (Some(0), ""));
    assert!(accepted.out.contains("journal.lost-1"), "{}", accepted.out);
    assert!(fs::read_to_string(machine.path("state/journal.losses")).unwrap().contains("the card was swapped"));
    let _daemon = machine.daemon();
    assert_eq!(machine.status()["phase"], "running");
}

#[test]
fn a_record_that_means_nothing_is_a_quarantine_that_a_person_can_end() {
    let machine = with_orders();
    commit(&machine, Batch { puts: vec![(b"1\x002".to_vec(), b"nonsense".to_vec())], ..Batch::default() });
    for _ in 0..2 {
        let mut daemon = machine.daemon();
        assert_eq!(machine.status()["phase"], "quarantine");
        assert_eq!(daemon.terminate(), Some(0));
    }
    assert_eq!(machine.accept_loss("written by nobody").code, Some(0));
    let _daemon = machine.daemon();
    assert_eq!(machine.status()["phase"], "running");
}

#[test]
fn a_loss_without_a_reason_is_no_command() {
    assert_eq!(run(vend(["journal", "accept-loss"])).code, Some(2));
}

#[test]
fn what_is_unfinished_is_counted_and_told_by_the_exit_code() {
    let unfinished =
        |machine: &Machine| run(vend(["journal", "unfinished", "--json", "--directory", &machine.text("state")]));
    let machine = Machine::new();
    assert_eq!(unfinished(&machine).code, Some(6), "no journal");
    let mut daemon = machine.daemon();
    assert_eq!(unfinished(&machine).code, Some(5), "in use");
    assert_eq!(daemon.terminate(), Some(0));
    let empty = unfinished(&machine);
    assert_eq!(empty.code, Some(0), "{empty:?}");
    let machine = with_orders();
    let found = unfinished(&machine);
    assert_eq!((found.code, &found.documents()[0]["orders"]), (Some(5), &1.into()), "{found:?}");
    fs::remove_file(machine.path("state/journal.second")).unwrap();
    assert_eq!(unfinished(&machine).code, Some(1), "a damaged journal may hold more than it shows");
}

/// After a downgrade: the journal is whole, and another vend's.
#[test]
fn a_journal_of_a_newer_vend_is_left_as_it_is_and_says_so() {
    let machine = with_orders();
    let mut newer = ledger("16327129");
    newer[0] = FORMAT + 1;
    commit(&machine, Batch { meta: Some(newer), ..Batch::default() });
    let mut daemon = machine.start();
    assert_eq!(daemon.wait(), Some(78), "{}", daemon.log());
    daemon.wait_for_log("install the newer vend again");
    assert!(!machine.path("state/journal.quarantine").exists(), "nothing is damaged");
    commit(&machine, Batch { meta: Some(ledger("16327129")), ..Batch::default() });
    let _daemon = machine.daemon();
    assert_eq!(machine.status()["phase"], "running");
    assert_eq!(run(vend(["journal", "format"])).out, format!("{FORMAT}\n"));
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Journals as each format's vend wrote them (tests/journals), gone on with by this one. A new format needs its own.
#[test]
fn the_daemon_goes_on_with_a_journal_of_every_format_and_writes_it_in_the_format_of_today() {
    for format in 1..=FORMAT {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/journals/format_{format}.txt"));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (mut batch, mut expected) = (Batch::default(), Vec::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match *line.split(' ').collect::<Vec<_>>() {
                ["ledger", value] => batch.meta = Some(bytes_of(value)),
                ["record", key, value] => batch.puts.push((bytes_of(key), bytes_of(value))),
                ["then", order, outcomes] => expected.push(format!("{order} {outcomes}")),
                _ => panic!("{}: {line}", path.display()),
            }
        }
        let values = batch.puts.iter().map(|(_, value)| value).chain(&batch.meta);
        assert!(values.clone().count() > 4 && values.clone().all(|value| value[0] == format));
        let machine = Machine::new();
        commit(&machine, batch);
        let mut daemon = machine.daemon();
        assert_eq!(machine.status()["phase"], "running");
        assert_eq!(daemon.terminate(), Some(0));
        let found: Vec<String> = machine.dump(&["--json"]).documents().iter().map(units_of).collect();
        assert_eq!(found, expected, "format {format}");
        let Opened::Sound { records, meta, .. } = Store::open(&machine.path("state")).unwrap() else {
            panic!("damaged")
        };
        // What is over is only read; all that may still change is written anew at the start.
        for (key, value) in records.iter().filter(|(_, value)| value[0] != FORMAT) {
            let state = decode_order(key, value).unwrap().state();
            assert_eq!(state, State::Tombstone, "{key:?} is of format {format} still");
        }
        assert_eq!(meta.unwrap()[0], FORMAT);
    }
}

/// `ORDER:RECORD outcome,outcome` of an order that `vend journal dump --json` shows.
fn units_of(order: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("none").to_owned();
    let outcomes: Vec<String> = order["units"].as_array().unwrap().iter().map(|unit| text(&unit["outcome"])).collect();
    format!("{}:{} {}", text(&order["order_id"]), text(&order["record_id"]), outcomes.join(","))
}

/// A backup, or a clone of the card: whole, and nobody knows what was served since.
#[test]
fn a_copied_journal_drives_nothing_until_a_person_says_that_it_belongs_here() {
    let machine = Machine::new();
    // The daemon goes by the system's clock: a command of a moment ago waits for its board.
    #[allow(clippy::disallowed_methods, reason = "the daemon that is tested reads the same clock")]
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let waits = order_issued_at(now_s - 1, 1, 1);
    let puts = vec![(waits.key.to_bytes(), encode_order(&waits).unwrap())];
    commit(&machine, Batch { puts, removes: Vec::new(), meta: Some(ledger("16327129")) });
    let mut daemon = machine.daemon();
    // A journal that is new gets its sled, whose file tells its place.
    let db = machine.path("state/journal/db");
    wait_for("a journal with sled", || db.exists().then_some(()));
    if rustix::fs::statfs(&db).unwrap().f_type == 0x0102_1994 {
        println!("SKIPPED: this folder lies on a tmpfs, where a copied file cannot be told");
        return;
    }
    let home = || fs::read_to_string(machine.path("state/journal.home")).unwrap();
    wait_for("a place that is written down", || home().contains("file ").then_some(()));
    assert_eq!(daemon.terminate(), Some(0));
    let (state, backup) = (machine.text("state"), machine.text("backup"));
    let cp = std::process::Command::new("cp").args(["-a", &state, &backup]).status().unwrap();
    assert!(cp.success());
    let accept = |machine: &Machine, reason: &str| {
        run(vend(["journal", "accept-move", "--directory", &machine.text("state"), "--reason", reason]))
    };
    let refused = accept(&machine, "nothing was moved");
    assert_eq!(refused.code, Some(5));
    assert!(refused.err.contains("lies where it was written"), "{}", refused.err);

    fs::remove_dir_all(&state).unwrap();
    fs::rename(&backup, &state).unwrap();
    for _ in 0..2 {
        let mut daemon = machine.daemon();
        let status = machine.status();
        assert_eq!(status["phase"], "quarantine");
        daemon.wait_for_log("(file)");
        daemon.wait_for_log("accept-move");
        assert_eq!(accept(&machine, "while it runs").code, Some(5));
        assert_eq!(daemon.terminate(), Some(0));
    }
    assert_eq!(accept(&machine, " ").code, Some(2));
    let accepted = accept(&machine, "the backup of this morning");
    assert_eq!((accepted.code, accepted.err.as_str()), (Some(0), ""));
    assert!(
        fs::read_to_string(machine.path("state/journal.losses")).unwrap().contains("of this morning | moved: file")
    );

    // What waited may have been served meanwhile: it is older than the birth that the journal has here (rule 6).
    let mut daemon = machine.daemon();
    assert_eq!(machine.status()["phase"], "running");
    assert_eq!(daemon.terminate(), Some(0));
    assert_eq!(machine.dump(&["--json"]).documents()[0]["order_id"], "99", "nothing is lost");
    let Opened::Sound { meta, moved, .. } = Store::open(&machine.path("state")).unwrap() else { panic!("damaged") };
    assert!(!moved, "it has arrived");
    let ledger = decode_ledger(&meta.unwrap()).unwrap();
    assert!(matches!(ledger.birth, Birth::At { s } if s >= now_s), "{:?}", ledger.birth);
    assert!(!home().contains("moved\n"));
}
