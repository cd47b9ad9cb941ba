//! P1 to P4 of a machine whose daemon is stopped.

use crate::support::Machine;
use std::fs::{self, File};
use std::os::unix::fs::symlink;

/// The port leads elsewhere.
fn lead_port_to(machine: &Machine, place: &str) {
    fs::remove_file(machine.path("port")).unwrap();
    symlink(place, machine.path("port")).unwrap();
}

#[test]
fn p1_a_port_that_is_not_there_or_no_port_is_told() {
    let machine = Machine::new();
    machine.good("P1");
    lead_port_to(&machine, "vend.toml");
    machine.broken("P1", "failed", "is no serial port");
    lead_port_to(&machine, "nowhere");
    machine.broken("P1", "failed", "does not exist");
    machine.broken("P4", "skipped", "because of P1");
}

#[test]
fn p2_a_port_that_the_services_user_may_not_open_is_told() {
    let machine = Machine::new();
    let unit = "LoadState=loaded\nActiveState=inactive\nUser=daemon\nSupplementaryGroups=";
    if !machine.port_has_group() {
        return;
    }
    machine.systemd_says(&format!("{unit}tty"));
    machine.good("P2");
    machine.systemd_says(&format!("{unit}dialout"));
    machine.broken("P2", "failed", "mode 0660");
}

#[test]
fn p3_another_program_that_has_the_port_open_is_named() {
    let machine = Machine::new();
    machine.good("P3");
    let held = File::options().read(true).write(true).open(machine.path("port")).unwrap();
    let finding = machine.broken("P3", "failed", &format!("process {}", std::process::id()));
    assert!(finding["fix"]["en"].as_str().unwrap().contains(&format!("kill {}", std::process::id())), "{finding}");
    machine.broken("P4", "skipped", "because of P3");
    drop(held);
    machine.good("P3");
}

#[test]
fn p4_a_device_that_takes_no_settings_is_told() {
    let machine = Machine::new();
    machine.good("P4");
    // A character device that nobody else has open, and that is no terminal.
    lead_port_to(&machine, "/dev/full");
    machine.good("P1");
    machine.broken("P4", "failed", "");
}
