//! Five machines, what `make fleet` does with hundreds.

use crate::common::command::put;
use crate::common::record::DEADLINE;
use crate::hub::{Hub, Login};
use crate::machines::{Fleet, PERMISSIONS, UP, down, password_of};

/// A board that takes a command within 100 ms of its poll only may miss it while this computer is busy.
fn only_in_a_hurry(failed: Vec<(String, String)>) {
    let missed = ("xy-v3".to_owned(), "\"unknown\"".to_owned());
    assert!(failed.iter().all(|order| *order == missed), "not dispensed: {failed:?}");
}

#[test]
fn each_machine_of_a_fleet_serves_its_own_orders_once_over_a_restart_of_the_broker() {
    let mut fleet = Fleet::new(5);
    fleet.start_agents();
    fleet.wait_until_all_are_there(DEADLINE, 1);
    fleet.order_from_all();
    fleet.order_from_all();
    only_in_a_hurry(fleet.every_order_ends_once(DEADLINE));
    let before = fleet.subscriptions();
    fleet.broker.kill();
    fleet.broker.restart();
    // Kept by the broker for whoever is not back yet.
    fleet.order_from_all();
    only_in_a_hurry(fleet.every_order_ends_once(DEADLINE));
    let after = fleet.subscriptions();
    for machine in &fleet.machines {
        assert!(after[&machine.machine_no] > before[&machine.machine_no], "{} did not come back", machine.machine_no);
    }
}

#[test]
fn a_machine_of_a_fleet_neither_hears_nor_commands_another_one() {
    let mut fleet = Fleet::new(3);
    fleet.start_agents();
    fleet.wait_until_all_are_there(DEADLINE, 1);
    let [thief, other] = [1, 2].map(|n| fleet.machines[n].machine_no.clone());
    // Whoever took the second machine's controller home has its password and the merchant's key.
    let login = Login { client_id: "at-home", user: &thief, password: &password_of(&thief) };
    let spy = Hub::connect(fleet.broker.port(), login, &["#", "/clients/#", UP, &down(&other)]);
    let stolen = put("stolen", "1").with("client_id", &other).notify(&fleet.receiver.url());
    spy.send(&down(&other), stolen.payload());
    // The broker answers although it throws the message away: MQTT 3.1.1 has no word for that.
    spy.wait_until_taken();
    fleet.order_from_all();
    only_in_a_hurry(fleet.every_order_ends_once(DEADLINE));
    let overheard: Vec<String> = spy.heard().into_iter().map(|message| message.topic).collect();
    let mine = down(&thief);
    assert!(!overheard.is_empty() && overheard.iter().all(|topic| *topic == mine), "{overheard:?}");
}

#[test]
fn the_alerts_for_operators_ask_for_metrics_that_there_are() {
    let (rules, metrics) =
        (include_str!("../../systemd/examples/prometheus-rules.yml"), include_str!("../../src/web/metrics.rs"));
    let words = rules.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let named: Vec<&str> = words.filter(|word| word.starts_with("vend_")).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(
            metrics.contains(&format!("\"{name}\"")) || metrics.contains(&format!("# {name} ")) || name == "vend_info"
        );
    }
}

#[test]
fn the_document_for_operators_has_the_permissions_that_are_tested_here() {
    let document = include_str!("../../docs/fleet.md");
    assert!(document.contains(&format!("```\n{PERMISSIONS}```")), "the acl_file in docs/fleet.md");
}
