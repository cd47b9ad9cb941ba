//! N2 to N10 and T3 of a machine whose daemon is stopped.

use crate::common::certificates::Ca;
use crate::common::cloud::{APP_ID, APP_SECRET, Cloud};
use crate::common::command::MACHINE_NO;
use crate::common::http_server::{Answer, HttpServer};
use crate::common::mosquitto::Mosquitto;
use crate::common::world::MQTT_PASSWORD;
use crate::support::{Machine, doctor, one, run};
use std::process::Command;

/// A machine with this broker.
fn at(broker: &Mosquitto) -> Machine {
    let machine = Machine::new();
    machine.change("mqtt://127.0.0.1:1", &format!("mqtt://127.0.0.1:{}", broker.port()));
    machine
}

/// A machine that asks the platform at this port about every order.
fn at_platform(port: u16) -> Machine {
    let machine = Machine::new();
    machine.change(
        "verify_orders = \"never\"",
        &format!("url = \"http://127.0.0.1:{port}\"\napp_id = \"{APP_ID}\"\nverify_orders = \"always\""),
    );
    machine.secret("app_secret", APP_SECRET);
    machine
}

#[test]
fn n2_a_name_without_an_address_is_told() {
    let machine = Machine::new();
    machine.good("N2");
    machine.change("mqtt://127.0.0.1:1", "mqtt://no-such-name.localhost.invalid:1");
    machine.change("[cloud]", "allow_plaintext = true\n[cloud]");
    // Whether or not this computer has a network, the name has no address.
    let finding = machine.finding("N2");
    assert!(["failed", "skipped"].contains(&finding["state"].as_str().unwrap()), "{finding}");
    let by_itself = one(&machine.doctor(&["--json", "--only", "N2", "--skip", "N1"]));
    assert_eq!(by_itself["state"], "failed", "{by_itself}");
}

#[test]
fn n3_a_broker_that_is_not_there_is_told() {
    let mut broker = Mosquitto::start();
    let machine = at(&broker);
    machine.good("N3");
    broker.kill();
    machine.broken("N3", "failed", "refused");
    machine.broken("N5", "skipped", "because of N3");
}

#[test]
fn n4_a_broker_whose_authority_is_not_trusted_is_told() {
    let machine = Machine::new();
    let (ours, theirs) = (Ca::new(&machine.path(""), "ours"), Ca::new(&machine.path(""), "theirs"));
    let good = HttpServer::start(Some(ours.server_config()), |_| Answer::status(204));
    let other = HttpServer::start(Some(theirs.server_config()), |_| Answer::status(204));
    let url = |server: &HttpServer| format!("mqtts://localhost:{}", server.port());
    machine.change("mqtt://127.0.0.1:1\"", &format!("{}\"\nca_file = \"ours.pem\"", url(&good)));
    machine.good("N4");
    machine.change(&url(&good), &url(&other));
    machine.broken("N4", "failed", "authority that is not trusted");
}

#[test]
fn n5_a_broker_that_refuses_the_password_is_told_apart_from_one_that_is_away() {
    let broker = Mosquitto::start_with(|directory| {
        let passwords = directory.join("passwords");
        std::fs::write(&passwords, "").unwrap();
        let mut program = Command::new("mosquitto_passwd");
        assert!(program.arg("-b").arg(&passwords).args([MACHINE_NO, MQTT_PASSWORD]).status().unwrap().success());
        format!("allow_anonymous false\npassword_file {}\n", passwords.display())
    });
    let machine = at(&broker);
    machine.change("[cloud]", &format!("username = \"{MACHINE_NO}\"\n[cloud]"));
    machine.secret("mqtt_password", MQTT_PASSWORD);
    machine.good("N5");
    assert!(!broker.log().contains(&format!("as {MACHINE_NO} ")), "the machine's own session was touched");
    machine.secret("mqtt_password", "wrong-4b1d");
    let told = machine.doctor(&["--json", "--only", "N5"]);
    let finding = one(&told);
    assert_eq!(finding["state"], "failed", "{finding}");
    assert!(finding["saw"]["en"].as_str().unwrap().contains("password"), "{finding}");
    assert!(!told.out.contains("wrong-4b1d"), "a secret was printed");
    machine.good("N3");
}

#[test]
fn n6_a_platform_that_does_not_answer_is_told() {
    let mut cloud = Cloud::start();
    let machine = at_platform(cloud.server.port());
    machine.good("N6");
    cloud.server.go_away();
    machine.broken("N6", "failed", "no connection");
    machine.broken("N7", "skipped", "because of N6");
    machine.broken("T3", "skipped", "because of N6");
}

#[test]
fn n7_a_secret_that_the_platform_does_not_know_is_told() {
    let cloud = Cloud::start();
    let machine = at_platform(cloud.server.port());
    machine.good("N7");
    machine.secret("app_secret", "wrong-77c0");
    let told = machine.doctor(&["--json", "--only", "N7"]);
    assert_eq!(one(&told)["state"], "failed", "{}", told.out);
    assert!(!told.out.contains("wrong-77c0"), "a secret was printed");
}

#[test]
fn n9_a_proxy_that_is_away_is_told() {
    let machine = Machine::new();
    machine.good("N9");
    let with_proxy = |proxy: &str| {
        let mut command = crate::common::agent::vend(&["doctor", "--json", "--only", "N9", "--config"]);
        command.arg(machine.path("vend.toml")).env("https_proxy", proxy);
        let told = run(command);
        assert!(!told.out.contains("hush"), "a password was printed: {}", told.out);
        one(&told)
    };
    let server = HttpServer::start(None, |_| Answer::status(204));
    assert_eq!(with_proxy(&format!("http://user:hush@127.0.0.1:{}", server.port()))["state"], "ok");
    assert_eq!(with_proxy("http://user:hush@127.0.0.1:1")["state"], "failed");
    assert_eq!(with_proxy("socks5://user:hush@127.0.0.1:1")["state"], "failed");
}

#[test]
fn n10_a_log_in_page_is_told_whether_it_answers_itself_or_sends_on() {
    let cloud = Cloud::start();
    at_platform(cloud.server.port()).good("N10");
    let page = HttpServer::start(None, |_| Answer::Whole {
        status: 200,
        headers: "Content-Type: text/html\r\n".to_owned(),
        body: b"<html>Welcome to our WiFi".to_vec(),
    });
    let machine = at_platform(page.port());
    machine.broken("N10", "failed", "is not the platform");
    machine.broken("N7", "skipped", "because of N10");
    let elsewhere = HttpServer::start(None, |_| Answer::Whole {
        status: 302,
        headers: "Location: http://portal.example/login\r\n".to_owned(),
        body: Vec::new(),
    });
    at_platform(elsewhere.port()).broken("N10", "failed", "is not the platform");
}

#[test]
fn t3_a_clock_that_is_not_the_platforms_is_told() {
    let cloud = Cloud::start();
    at_platform(cloud.server.port()).good("T3");
    let late = HttpServer::start(None, |_| Answer::Whole {
        status: 200,
        headers: "Date: Mon, 29 Apr 2024 06:54:50 GMT\r\n".to_owned(),
        body: br#"{"code":0,"message":"ok","data":"pong"}"#.to_vec(),
    });
    let finding = at_platform(late.port()).broken("T3", "failed", "this clock is");
    assert!(finding["fix"]["en"].as_str().unwrap().contains("timedatectl"), "{finding}");
}

#[test]
fn a_server_that_accepts_and_says_nothing_costs_its_time_out_and_not_more() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let machine = Machine::new();
    machine.change("mqtt://127.0.0.1:1", &format!("mqtt://{}", silent.local_addr().unwrap()));
    machine.good("N3");
    let told = doctor(&machine.path(""), &machine.path("none"), &["--json", "--only", "N5"]);
    assert_eq!(one(&told)["state"], "failed", "{}", told.out);
}
