//! The store in worlds that a test can only enter with a process of its own: a full disk, a read-only disk, strace.
//!
//! Each test starts this test program again, for one of the helpers at the end of this file. Where the system does not
//! let us, the test says SKIPPED.

use super::*;
use std::process::{Command, Output};

/// Which of ten commits has no room in the lead.
const FOR_SLED: usize = 7;
/// The state directory that a helper works in.
const STATE_DIR: &str = "VEND_TEST_JOURNAL";

/// This program, to run one helper.
fn helper(name: &str) -> Vec<String> {
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let test = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    [&program, "--exact", &test, "--ignored", "--nocapture"].map(str::to_owned).to_vec()
}

/// Runs a script with a mount namespace of its own; None when the system does not let us. `$0` is the state directory,
/// `$1`… this program with its arguments for the helper.
fn in_own_mounts(script: &str, dir: &Path, helper_name: &str) -> Option<Output> {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user"]).args(arguments);
        command
    };
    if !unshare(&["sh", "-c", "mount -t tmpfs none /mnt"]).output().is_ok_and(|o| o.status.success()) {
        eprintln!("SKIPPED: no mount namespace here (unshare --mount --map-root-user), so nothing was tested");
        return None;
    }
    let mut command = unshare(&["sh", "-ec", script]);
    command.arg(dir).args(helper(helper_name)).env(STATE_DIR, dir);
    Some(command.output().unwrap())
}

fn assert_passed(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{}\n{text}\n{errors}", output.status);
}

#[test]
fn a_full_disk_stops_the_store_and_costs_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        mount -t tmpfs -o size=5m none "$0"
        "$@"
        : > "$0/ballast"
        "$@""#;
    let Some(output) = in_own_mounts(script, dir.path(), "fill_or_check") else { return };
    assert_passed(&output);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("FILLED") && text.contains("CHECKED"), "{text}");
}

#[test]
fn a_read_only_disk_is_refused_with_words_and_no_quarantine() {
    let dir = tempfile::tempdir().unwrap();
    drop(sound(dir.path()));
    let script = r#"
        mount --bind "$0" "$0"
        mount -o remount,bind,ro "$0"
        "$@""#;
    let Some(output) = in_own_mounts(script, dir.path(), "find_it_read_only") else { return };
    assert_passed(&output);
    assert!(sound(dir.path()).3);
}

#[test]
fn low_space_is_told_and_its_end_too_without_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"
        mount -t tmpfs -o size=8m none "$0"
        "$@""#;
    let Some(output) = in_own_mounts(script, dir.path(), "wait_for_space") else { return };
    assert_passed(&output);
}

/// What the kernel was asked to make durable, and what got another name, by a helper that works in this state
/// directory: before, between and after its marks. Nothing where it cannot be traced.
fn syncs_of(helper_name: &str, log: &Path, state: &Path) -> Option<Vec<Vec<String>>> {
    let is_one = |line: &str| line.contains("sync(") || line.contains("rename(");
    calls_of(helper_name, "fsync,fdatasync,msync,syncfs,sync,rename", is_one, log, state)
}

/// The calls that a helper makes before, between and after its marks: of these, such lines. Nothing where it cannot be
/// traced.
fn calls_of(
    helper_name: &str,
    calls: &str,
    is_one: impl Fn(&str) -> bool,
    log: &Path,
    state: &Path,
) -> Option<Vec<Vec<String>>> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", &format!("trace=write,{calls}"), "-o"]).arg(log);
    let Ok(output) = strace.args(helper(helper_name)).env(STATE_DIR, state).output() else {
        eprintln!("SKIPPED: no strace here, so the calls were not looked at");
        return None;
    };
    if String::from_utf8_lossy(&output.stderr).contains("PTRACE") {
        eprintln!("SKIPPED: strace may not trace here, so the calls were not looked at");
        return None;
    }
    assert_passed(&output);
    let trace = fs::read_to_string(log).unwrap();
    let among = |text: &str| text.lines().filter(|line| is_one(line)).map(str::to_owned).collect();
    Some(trace.split("COMMIT").map(among).collect())
}

/// By a birth, the making of its sled and ten commits, between twelve marks.
fn syncs_of_a_birth_and_ten_commits(dir: &Path) -> Option<Vec<Vec<String>>> {
    let between = syncs_of("commit_ten_times", &dir.join("strace.log"), &dir.join("state"))?;
    assert_eq!(between.len(), 13, "sled and ten commits between twelve marks");
    Some(between)
}

/// By the opening of a journal that is there.
pub(super) fn syncs_of_an_opening(state: &Path, log: &Path) -> Option<Vec<String>> {
    syncs_of("open_once", log, state)?.into_iter().next()
}

#[test]
fn a_commit_costs_exactly_one_sync() {
    let dir = tempfile::tempdir().unwrap();
    let Some(between) = syncs_of_a_birth_and_ten_commits(dir.path()) else { return };
    // What stands before the first mark is the opening, after the last the closing.
    for (n, syncs) in (1..).zip(&between[2..12]) {
        let file = if n == FOR_SLED { "/journal/db>" } else { "/journal/lead>" };
        assert_eq!(syncs.len(), 1, "{syncs:?}");
        assert!(syncs[0].contains("fdatasync(") && syncs[0].contains(file), "{syncs:?}");
    }
}

/// Newer kernels give the write after such a question a time of its own, and where the file system has no journal the
/// sync then writes the inode, too: half as much again for each commit.
#[test]
fn a_commit_asks_for_no_times_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let (log, state) = (dir.path().join("strace.log"), dir.path().join("state"));
    let looks =
        |line: &str| line.contains("stat") && ["/journal/lead", "/journal/db"].iter().any(|of| line.contains(of));
    let Some(between) = calls_of("commit_ten_times", "%%stat", looks, &log, &state) else { return };
    for looks in &between[2..12] {
        assert_eq!(looks.len(), 1, "once, whether the file is still in its place: {looks:?}");
        assert!(looks[0].contains("statx(") && looks[0].contains("AT_EMPTY_PATH, STATX_INO, "), "{looks:?}");
    }
}

#[test]
fn half_a_lead_given_to_sled_costs_one_sync_of_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let Some(between) = syncs_of("give_a_half", &dir.path().join("strace.log"), &dir.path().join("state")) else {
        return;
    };
    let syncs = &between[1];
    assert_eq!(syncs.len(), 1, "{syncs:?}");
    assert!(syncs[0].contains("fdatasync(") && syncs[0].contains("/journal/db>"), "{syncs:?}");
}

#[test]
fn every_name_of_a_new_journal_is_durable_before_its_first_commit() {
    let dir = tempfile::tempdir().unwrap();
    let Some(between) = syncs_of_a_birth_and_ten_commits(dir.path()) else { return };
    let of = |folder: &Path| between[0].iter().filter(|line| line.contains(&format!("<{}>", folder.display()))).count();
    let folder = dir.path().canonicalize().unwrap();
    assert_eq!(of(&folder), 1, "the state directory's own name: {:?}", between[0]);
    assert!(of(&folder.join("state")) >= 3, "the journal's, the second file's and the marker's: {:?}", between[0]);
}

#[test]
fn all_that_sled_makes_is_durable_before_its_file_is_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let Some(between) = syncs_of_a_birth_and_ten_commits(dir.path()) else { return };
    let state = dir.path().canonicalize().unwrap().join("state");
    let place_of = |of: &Path| between[1].iter().position(|line| line.contains(&format!("<{}>", of.display())));
    let is_move = |n: &usize| between[1][*n].contains("rename(") && between[1][*n].contains("journal.newborn/");
    let moves: Vec<usize> = (0..between[1].len()).filter(is_move).collect();
    let (&moved_in, &last) = moves.first().zip(moves.last()).expect("it is moved in");
    assert!(between[1][last].contains("journal/db\""), "its file is the last: {:?}", between[1]);
    let names = |line: &String| line.contains(&format!("<{}>", state.join("journal").display()));
    assert!(names(&between[1][last - 1]) && names(&between[1][last + 1]), "with all names: {:?}", between[1]);
    for name in ["journal.newborn/db", "journal.newborn/conf", "journal.newborn/blobs", "journal.newborn"] {
        let synced = place_of(&state.join(name));
        assert!(synced.is_some_and(|place| place < moved_in), "{name}: {:?}", between[1]);
    }
    let of_the_lead = |line: &&String| line.contains("/lead>");
    assert_eq!(between[1].iter().filter(of_the_lead).count(), 0, "no commit waits for it: {:?}", between[1]);
}

#[test]
fn rule_07_a_sync_that_fails_while_sled_is_made_costs_no_commit_and_is_not_tried_again() {
    let (mut failed, mut nth) = (0, 0);
    loop {
        nth += 1;
        let Some(told) = made_where_syncs_fail(None, &[&format!("fsync,fdatasync:error=EIO:when={nth}")]) else {
            return eprintln!("SKIPPED: no strace here, or it may not trace, so no sync failed");
        };
        failed += usize::from(told.contains("FAILED"));
        if told.contains("MADE") && failed > 0 {
            break;
        }
        assert!(nth < 60, "{told}");
    }
    assert!(failed >= 8, "only {failed} syncs of the making failed");
    // Our own of sled's file in its place, and all that sled tries when it is closed.
    let ours = ["fdatasync:error=EIO:when=1+", "fsync:error=EIO:when=2+"];
    let told = made_where_syncs_fail(Some("journal/db"), &ours).unwrap();
    assert!(told.contains("FAILED: cannot sync"), "{told}");
}

/// What became of a making; None where nothing can be made to fail.
fn made_where_syncs_fail(only: Option<&str>, which: &[&str]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let (mut store, ..) = sound(&state);
    store.commit(&puts(&[("a", "1")])).unwrap();
    drop(store);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]);
    for which in which {
        strace.arg("-e").arg(format!("inject={which}"));
    }
    if let Some(file) = only {
        strace.arg("-P").arg(state.join(file));
    }
    let output = strace.args(helper("make_sled_on_a_bad_disk")).env(STATE_DIR, &state).output().ok()?;
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    if told.contains("PTRACE") {
        return None;
    }
    // sled panics over a sync of its own, which must not get past.
    assert!(output.status.success(), "{which:?}: {told}");
    assert!(!told.contains("TRIED AGAIN"), "{which:?}: {told}");
    let (mut store, records, ..) = sound(&state);
    assert_eq!(records, [put("a", "1")], "{which:?}: {told}");
    store.commit(&puts(&[("b", "2")])).unwrap();
    Some(told)
}

#[test]
#[ignore = "a helper of rule_07_a_sync_that_fails_while_sled_is_made_costs_no_commit_and_is_not_tried_again"]
fn make_sled_on_a_bad_disk() {
    // Or the opening fails, which is told as ever.
    let Ok(Opened::Sound { mut store, .. }) = Store::open(&state_dir()) else { return println!("NOT OPENED") };
    match store.making().map(|making| making.run()) {
        Some(Ok(database)) => {
            store.made(database);
            println!("MADE");
        }
        Some(Err(birth::NotMade::Failed(error))) => println!("FAILED: {error}"),
        Some(Err(birth::NotMade::Yet(error))) => println!("TRIED AGAIN: {error}"),
        None => println!("IT WAS THERE"),
    }
}

fn state_dir() -> std::path::PathBuf {
    std::env::var_os(STATE_DIR).expect("a helper of another test; see the head of this file").into()
}

#[test]
#[ignore = "a helper of a_full_disk_stops_the_store_and_costs_nothing_that_was_acknowledged"]
fn fill_or_check() {
    let (dir, ballast) = (state_dir(), state_dir().join("ballast"));
    let acknowledged = state_dir().join("acknowledged");
    if ballast.exists() {
        let last: usize = fs::read_to_string(&acknowledged).unwrap().trim().parse().unwrap();
        let (mut store, records, ..) = sound(&dir);
        for n in 0..=last {
            assert!(records.contains(&put(&format!("{n:0200}"), "x")), "record {n} of {last} is lost");
        }
        store.commit(&puts(&[("afterwards", "x")])).unwrap();
        return println!("CHECKED");
    }
    let (mut store, ..) = sound(&dir);
    // Space that is there already, so that the count can be written on a full disk.
    fs::write(&acknowledged, "0000000000").unwrap();
    fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let mut n = 0;
    let error = loop {
        match store.commit(&puts(&[(&format!("{n:0200}"), "x")])) {
            Ok(()) => n += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CommitError::StorageFull { .. }), "{error}");
    assert!(n > 10, "full after {n} commits");
    use std::os::unix::fs::FileExt;
    let count = fs::File::options().write(true).open(&acknowledged).unwrap();
    count.write_all_at(format!("{:010}", n - 1).as_bytes(), 0).unwrap();
    fs::File::options().write(true).open(&ballast).unwrap().set_len(0).unwrap();
    assert_eq!(store.commit(&puts(&[("late", "x")])), Err(error), "space alone heals nothing");
    println!("FILLED after {n} commits");
}

#[test]
#[ignore = "a helper of low_space_is_told_and_its_end_too_without_a_commit"]
fn wait_for_space() {
    let next = |events: &mut _| threaded::block_on(threaded::next(events));
    let (store, ..) = sound(&state_dir());
    let (_batches, from_core) = tokio::sync::mpsc::channel(1);
    let (done, mut events) = tokio::sync::mpsc::channel(1);
    let _thread = spawn(store, from_core, done).unwrap();
    assert!(matches!(next(&mut events), Some(JournalEvent::Space { enough: false, free_bytes: 1.. })));
    let grown = Command::new("mount").args(["-o", "remount,size=64m"]).arg(state_dir()).status().unwrap();
    assert!(grown.success());
    assert!(matches!(next(&mut events), Some(JournalEvent::Space { enough: true, .. })));
}

#[test]
#[ignore = "a helper of a_read_only_disk_is_refused_with_words_and_no_quarantine"]
fn find_it_read_only() {
    let refused = Store::open(&state_dir()).unwrap_err();
    assert!(refused.to_string().contains("mount the file system for writing"), "{refused}");
    // Looking works all the same.
    assert_eq!(read_copy(&state_dir()).unwrap().damage, None);
}

/// What is done since the last one is told apart in the trace.
fn mark() {
    use std::io::Write;
    std::io::stderr().lock().write_all(b"COMMIT").unwrap();
}

#[test]
#[ignore = "a helper of the tests that look at syncs"]
fn open_once() {
    let opened = sound(&state_dir());
    // Its end syncs too.
    mark();
    drop(opened);
}

#[test]
#[ignore = "a helper of the tests that look at syncs"]
fn give_a_half() {
    let (mut store, ..) = sound(&state_dir());
    let giving = loop {
        store.commit(&puts(&[("a", &"x".repeat(4_000))])).unwrap();
        if let Some(giving) = half_to_give(&mut store) {
            break giving;
        }
    };
    mark();
    giving.run().unwrap();
    mark();
    store.given(Ok(())).unwrap();
}

#[test]
#[ignore = "a helper of the tests that look at syncs"]
fn commit_ten_times() {
    let (mut store, ..) = sound(&state_dir());
    mark();
    make_sled(&mut store);
    mark();
    for n in 1..=10 {
        let batch =
            if n == FOR_SLED { larger_than_the_lead() } else { puts(&[(&format!("order {n}"), "x"), ("same", "y")]) };
        store.commit(&batch).unwrap();
        mark();
    }
}
