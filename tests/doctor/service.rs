//! S1 to S7, by what `systemctl show` would say.

use crate::support::Machine;
use rustix::time::{ClockId, clock_gettime};
use vend::io::clock::boot_now;

/// A unit that is well.
const WELL: &str = "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\nSubState=running\nExecMainStatus=0\n\
    NRestarts=0\nActiveEnterTimestampMonotonic=1000000\nMainPID=4711\nWatchdogUSec=30s\nUser=daemon\n\
    SupplementaryGroups=tty dialout";

/// Good first, then with one property changed.
fn breaks(id: &str, from: &str, to: &str, state: &str, saw: &str) -> serde_json::Value {
    let machine = Machine::new();
    machine.systemd_says(WELL);
    machine.good(id);
    assert!(WELL.contains(from), "{from}");
    machine.systemd_says(&WELL.replace(from, to));
    machine.broken(id, state, saw)
}

#[test]
fn s1_a_unit_that_is_not_installed_is_told_and_the_rest_is_skipped() {
    breaks("S1", "LoadState=loaded", "LoadState=not-found", "failed", "vend.service is not-found");
    breaks("S2", "LoadState=loaded", "LoadState=masked", "skipped", "because of S1");
}

#[test]
fn s2_a_unit_that_does_not_start_with_the_machine_is_told() {
    breaks("S2", "=enabled", "=disabled", "failed", "it is disabled");
}

#[test]
fn s3_a_unit_that_ended_is_told_and_one_that_ended_with_78_above_all() {
    let stopped = breaks(
        "S3",
        "ActiveState=active\nSubState=running",
        "ActiveState=inactive\nSubState=dead",
        "failed",
        "inactive",
    );
    assert_eq!(stopped["fix"]["en"], "systemctl start vend");
    let wrong = "ActiveState=failed\nSubState=failed\nExecMainStatus=78";
    let wrong = breaks("S3", "ActiveState=active\nSubState=running\nExecMainStatus=0", wrong, "failed", "exit code 78");
    assert!(wrong["fix"]["en"].as_str().unwrap().contains("vend config check"), "{wrong}");
}

#[test]
fn s4_a_unit_that_restarts_again_and_again_is_told_and_an_old_restart_is_not() {
    let machine = Machine::new();
    let us = boot_now().0 * 1_000;
    let of = |active_since_us: u64| {
        WELL.replace("NRestarts=0", "NRestarts=5").replace("Monotonic=1000000", &format!("Monotonic={active_since_us}"))
    };
    // This computer may have started within the hour.
    if clock_gettime(ClockId::Boottime).tv_sec > 4_000 {
        machine.systemd_says(&of(us - 3_700_000_000));
        machine.good("S4");
    }
    machine.systemd_says(WELL);
    machine.good("S4");
    machine.systemd_says(&of(us));
    machine.broken("S4", "warning", "restarted 5 times");
}

#[test]
fn s5_a_watchdog_that_is_switched_off_is_told_and_one_that_never_began_is_not() {
    breaks("S5", "WatchdogUSec=30s", "WatchdogUSec=0", "warning", "WatchdogSec is 0");
    // What systemd says of a unit that it has not started yet.
    let machine = Machine::new();
    machine.systemd_says(
        &WELL
            .replace("WatchdogUSec=30s", "WatchdogUSec=infinity")
            .replace("ActiveState=active\nSubState=running", "ActiveState=inactive\nSubState=dead"),
    );
    machine.broken("S5", "not_applicable", "only while the service runs");
}

#[test]
fn s6_a_user_that_is_not_there_or_not_in_the_ports_group_is_told() {
    if !Machine::new().port_has_group() {
        return;
    }
    breaks("S6", "User=daemon", "User=nobody-of-this-name", "failed", "there is no user");
    breaks("S6", "tty dialout", "dialout", "failed", "not in the group of the port");
    breaks("S6", "User=daemon", "User=", "warning", "runs as root");
}

#[test]
fn s6_who_owns_the_port_needs_no_group_of_it() {
    let machine = Machine::new();
    if !machine.port_has_group() {
        return;
    }
    /// The user daemon, on every Debian.
    const DAEMON: u32 = 1;
    machine.systemd_says(&WELL.replace("tty dialout", "dialout"));
    machine.broken("S6", "failed", "not in the group of the port");
    std::os::unix::fs::chown(machine.path("port"), Some(DAEMON), None).unwrap();
    machine.good("S6");
}

#[test]
fn s7_a_daemon_that_does_not_answer_is_told() {
    let machine = Machine::new();
    machine.broken("S7", "failed", "nobody listens");
    machine.broken("S8", "skipped", "because of S7");
    let finding = machine.broken("P5", "skipped", "because of S7");
    assert_eq!(finding["fix"], serde_json::Value::Null);
}

#[test]
fn a_systemd_that_hangs_costs_its_time_out_and_not_more() {
    let machine = Machine::new();
    machine.systemd_says("END\nexec /bin/sleep 60\n/bin/cat <<'END'");
    machine.broken("S1", "failed", "no answer within 4 s");
}
