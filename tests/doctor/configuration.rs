//! C1 to C10.

use crate::common::certificates::Ca;
use crate::support::Machine;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn c1_a_configuration_that_is_not_there_is_told_and_all_that_needs_it_is_skipped() {
    let machine = Machine::new();
    machine.good("C1");
    fs::remove_file(machine.path("vend.toml")).unwrap();
    machine.broken("C1", "failed", "No such file");
    let skipped = machine.broken("P1", "skipped", "because of C1");
    assert_eq!(skipped["skipped_because_of"], "C1");
    assert_eq!(machine.doctor_json().code, Some(78));
}

#[test]
fn c2_a_misspelt_key_is_told_with_its_line() {
    let machine = Machine::new();
    machine.good("C2");
    machine.change("profile =", "profil =");
    let finding = machine.broken("C2", "failed", "line 7: there is no key `profil` here");
    assert!(finding["fix"]["en"].as_str().unwrap().contains("did you mean `profile`?"), "{finding}");
}

#[test]
fn c3_a_machine_number_that_is_none_or_the_examples_is_told() {
    let machine = Machine::new();
    machine.good("C3");
    machine.change("\"16327129\"", "\"00000000\"");
    machine.broken("C3", "failed", "as in the example");
    machine.change("\"00000000\"", "\"163\"");
    machine.broken("C3", "failed", "exactly 8 digits");
    machine.change("\"163\"", "16327129");
    machine.broken("C3", "failed", "must be a text");
    machine.broken("D2", "skipped", "because of C3");
}

#[test]
fn c4_an_unknown_board_profile_is_told() {
    let machine = Machine::new();
    machine.good("C4");
    machine.change("tcn-00ff", "tcn-00ee");
    machine.broken("C4", "failed", "profile");
}

#[test]
fn c5_addresses_of_the_example_and_those_without_encryption_are_told() {
    let machine = Machine::new();
    machine.good("C5");
    machine.change("mqtt://127.0.0.1:1", "mqtts://broker.example:8883");
    machine.broken("C5", "failed", "as in the example: [broker] url");
    machine.broken("N3", "skipped", "because of C5");
    machine.change("mqtts://broker.example:8883", "mqtt://192.0.2.1");
    machine.broken("C5", "failed", "without encryption");
}

#[test]
fn c6_a_certificate_file_that_is_cut_off_is_told() {
    let machine = Machine::new();
    let ca = Ca::new(&machine.path(""), "ca");
    machine.change("mqtt://127.0.0.1:1\"", "mqtts://127.0.0.1:1\"\nca_file = \"ca.pem\"");
    machine.good("C6");
    let whole = fs::read(&ca.file).unwrap();
    fs::write(&ca.file, &whole[..whole.len() / 2]).unwrap();
    machine.broken("C6", "failed", "not PEM, or cut off");
}

#[test]
fn c7_a_rule_that_fits_no_host_and_one_that_lets_everybody_in_are_told() {
    let machine = Machine::new();
    machine.good("C7");
    machine.change("[\"127.0.0.1\"]", "[\"https://shop.example\"]");
    machine.broken("C7", "failed", "can match no host");
    machine.change("allow_hosts = [\"https://shop.example\"]", "allow_private_targets = true");
    machine.broken("C7", "warning", "own network");
}

#[test]
fn c8_a_secret_that_is_missing_is_told_with_the_command_that_makes_it() {
    let machine = Machine::new();
    machine.good("C8");
    fs::write(machine.path("credentials/app_key"), "").unwrap();
    machine.broken("C8", "failed", "the file is empty");
    fs::remove_file(machine.path("credentials/app_key")).unwrap();
    let finding = machine.broken("C8", "failed", "app_key: No such file");
    assert!(finding["fix"]["en"].as_str().unwrap().contains("install -m 0600 /dev/null"), "{finding}");
}

#[test]
fn c9_a_secret_that_others_can_read_is_told() {
    let machine = Machine::new();
    machine.good("C9");
    fs::set_permissions(machine.path("credentials/app_key"), fs::Permissions::from_mode(0o644)).unwrap();
    let finding = machine.broken("C9", "warning", "0644");
    assert!(finding["fix"]["en"].as_str().unwrap().starts_with("chmod 0600 /"), "{finding}");
}

#[test]
fn c10_a_certificate_that_is_about_to_end_or_has_ended_is_told() {
    let machine = Machine::new();
    let ca = Ca::new(&machine.path(""), "ca");
    ca.client_files(&machine.path(""), "client", "machine-1", 400);
    machine.change(
        "mqtt://127.0.0.1:1\"",
        "mqtts://127.0.0.1:1\"\nclient_certificate = \"client.pem\"\nclient_key = \"client.key\"",
    );
    machine.good("C10");
    ca.client_files(&machine.path(""), "client", "machine-1", 5);
    machine.broken("C10", "warning", "client.pem ends on");
    ca.client_files(&machine.path(""), "client", "machine-1", 0);
    machine.broken("C10", "failed", "client.pem expired on");
}
