//! What an attacker, a renewal or a curious reader meets: certificates, floods, and secrets that stay where they are.

use crate::common::agent::{log_file, vend};
use crate::common::command::put;
use crate::common::http_server::{Answer, HttpServer};
use crate::common::record::wait_until;
use crate::common::world::{MQTT_PASSWORD, World};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use md5::{Digest as _, Md5};
use serde_json::Value;
use std::path::Path;
use vend::core::{MESSAGES_BURST, RING_MAX};

// --- certificates -----------------------------------------------------------------------------------------------

fn certificate_state(world: &World, of: &str) -> Value {
    let status = world.status();
    let lines = status["certificates"].as_array().unwrap();
    lines.iter().find(|line| line["of"] == of).map_or(Value::Null, |line| line["state"].clone())
}

#[test]
fn a_renewed_client_certificate_is_used_at_the_next_connection_and_a_half_written_one_is_not() {
    let mut world = World::with("tcn-00ff", |s| {
        (s.secure_broker, s.client_certificate_days, s.turn_ms) = (true, Some(5), 50);
    });
    let logins = |world: &World, name: &str| world.broker.log().matches(&format!("u'{name}'")).count();
    assert_eq!(logins(&world, "machine-1"), 1);
    world.wait_for_note("certificate_ends");
    assert_eq!(certificate_state(&world, "own_for_broker"), "ends_within7_days");
    assert_eq!(certificate_state(&world, "broker"), "good");

    // A renewal that was cut off in the middle: the old one stays.
    let file = world.path().join("client.pem");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    world.broker.kill();
    world.broker.restart();
    world.wait_for_note("certificate_kept");
    world.wait_for_subscription(2);
    assert_eq!(logins(&world, "machine-1"), 2);

    world.broker_ca.client_files(world.path(), "client", "machine-2", 300);
    world.broker.kill();
    world.broker.restart();
    world.wait_for_subscription(3);
    assert_eq!((logins(&world, "machine-1"), logins(&world, "machine-2")), (2, 1));
    world.wait_for_note("certificate_renewed");
    assert_eq!(certificate_state(&world, "own_for_broker"), "good");
    world.a_good_order_is_served("60");
}

// --- floods -----------------------------------------------------------------------------------------------------

#[test]
fn a_flood_waits_at_the_broker_while_the_machine_sells_and_nothing_paid_is_lost() {
    let world = World::with("tcn-00ff", |s| s.turn_ms = 50);
    let excess = 300;
    let flood = usize::try_from(MESSAGES_BURST).unwrap() + excess;
    // Signed with nobody's key, and not even signed.
    for n in 0..flood {
        if n % 64 == 63 {
            world.platform.wait_until_taken();
        }
        let unsigned = format!("{{\"method\":\"device.delivery.put\",\"order_id\":\"{n}\"}}");
        world.platform.send_when_possible(unsigned.into_bytes());
    }
    world.a_good_order_is_served("60");
    let status = world.status();
    let counters = &status["counters"];
    assert_eq!(counters["rejected"], flood);
    assert!(counters["paced"].as_u64().unwrap() > 0, "{counters}");
    assert_eq!(status["rejected"].as_array().unwrap().len(), RING_MAX);
    assert!(counters["commits"].as_u64().unwrap() < 20, "the flood reaches the disk: {counters}");
    let told = world.log().lines().count();
    assert!(told < 60, "{told} lines of log");
    assert_eq!(world.board.turned_slots(), [9]);
}

// --- secrets ----------------------------------------------------------------------------------------------------

const APP_KEY: &str = "mark-app-key-8d1f6c20b7";
const APP_SECRET: &str = "mark-app-secret-41e97a53dd";
/// What a merchant may hide in his own URL.
const URL_TOKEN: &str = "mark-url-token-c07b2e9415";

/// As it stands in a URL.
pub fn escaped(secret: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    secret.bytes().map(one).collect()
}

/// A secret in every form in which it could slip out: as it is, in Base64 at any place of a longer text, in hex, in a URL,
/// in JSON, and hashed as it is.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let mut forms = vec![secret.to_owned(), hex(bytes), hex(&Md5::digest(bytes))];
    for skipped in 0..3 {
        // Whole groups of three bytes look the same wherever the text stands.
        let whole = &bytes[skipped..skipped + (bytes.len() - skipped) / 3 * 3];
        forms.extend([STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)]);
    }
    let quoted = serde_json::to_string(secret).unwrap();
    forms.extend([escaped(secret), quoted[1..quoted.len() - 1].to_owned()]);
    let listed = format!("{bytes:?}");
    forms.push(listed[1..listed.len() - 1].to_owned());
    forms
}

/// None of the secrets stands in the text in any form.
pub fn assert_hidden(place: &str, text: &[u8], secrets: &[&str]) {
    let text = String::from_utf8_lossy(text).to_lowercase();
    for secret in secrets {
        for form in forms(secret) {
            assert!(!text.contains(&form.to_lowercase()), "{place} holds {secret} as {form}");
        }
    }
}

fn tree(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tree(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
        }
    }
}

#[test]
fn no_secret_leaves_its_place_in_a_life_with_faults_at_the_loudest_log() {
    let elsewhere = HttpServer::start(None, |_| Answer::status(200));
    let stolen = format!("Location: http://127.0.0.1:{}/stolen", elsewhere.port());
    // A cloud that sends its callers elsewhere, then fails in each other way.
    let cloud = HttpServer::start(None, move |request| match request.path.len() % 3 {
        0 => Answer::with_header(307, &stolen),
        1 => Answer::Whole {
            status: 401,
            headers: String::new(),
            body: b"{\"code\":401,\"msg\":\"AppSecret\"}".to_vec(),
        },
        _ => Answer::Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    });
    let mut world = World::without_agent("tcn-00ff", |s| {
        (s.secure_broker, s.client_certificate_days, s.turn_ms) = (true, Some(5), 50);
        (s.verify_orders, s.refund_failed, s.journal_age_s) = ("late", true, Some(7_200));
        s.faults = vec!["jam:6"];
    });
    let here = world.path().to_owned();
    let config = std::fs::read_to_string(here.join("vend.toml")).unwrap();
    let own_cloud = format!("http://127.0.0.1:{}", cloud.port());
    std::fs::write(here.join("vend.toml"), config.replace(&world.cloud.url(), &own_cloud)).unwrap();
    for (name, secret) in [("app_key", APP_KEY), ("app_secret", APP_SECRET)] {
        std::fs::write(here.join("credentials").join(name), secret).unwrap();
    }
    let key_file = std::fs::read_to_string(here.join("client.key")).unwrap();
    let private_key = key_file.lines().nth(1).unwrap();
    world.start_agent_logging("trace");
    world.wait_for_subscription(1);

    let notify = format!("{}?token={URL_TOKEN}", world.receiver.url());
    let send = |world: &World, command: crate::common::command::Command| {
        world.platform.send(command.notify(&notify).signed_with(APP_KEY).payload());
    };
    let reports = |world: &World, count: usize| {
        let orders = ["60", "61", "62"];
        world.receiver.server.requests().wait("reports", |requests| {
            let told = |order: &&str| requests.iter().any(|r| String::from_utf8_lossy(&r.body).contains(*order));
            (orders.iter().filter(|o| told(o)).count() >= count).then_some(())
        });
    };
    send(&world, put("60", "78").code("5"));
    send(&world, put("61", "78").code("6"));
    world.receiver.will([Answer::status(503), Answer::Cut(b"HTTP/1.1 200 O")]);
    reports(&world, 2);
    send(&world, put("63", "78").code("7").issued_s_ago(110));
    cloud.requests().wait("question and refund", |r| {
        (r.iter().any(|r| r.method == "POST") && r.iter().any(|r| r.method == "PUT")).then_some(())
    });
    world.platform.send(put("64", "78").signed_with("wrong").payload());
    world.platform.send(b"rubbish".to_vec());
    let moved = format!("Location: http://127.0.0.1:{}/moved", elsewhere.port());
    world.receiver.will([Answer::with_header(302, &moved)]);
    send(&world, put("62", "78").code("8"));
    reports(&world, 3);
    world.broker.kill();
    world.broker.restart();
    world.wait_for_subscription(1);
    world.wait_for_note("message_rejected");
    let status = world.status().to_string();
    world.kill9();
    world.start_agent_logging("trace");
    wait_until("second life", || (world.status()["phase"] == "running").then_some(()));
    let socket = world.socket();
    let tool = |arguments: &[&str], place: &Path| {
        let output = vend(arguments).arg(place).output().unwrap();
        [output.stdout, output.stderr].concat()
    };
    let mut told: Vec<(String, Vec<u8>)> = vec![
        ("the log".to_owned(), std::fs::read(log_file(&here)).unwrap()),
        ("the status document".to_owned(), status.into_bytes()),
        ("vend status".to_owned(), tool(&["status", "--socket"], &socket)),
        ("vend orders".to_owned(), tool(&["order", "list", "--json", "--socket"], &socket)),
        ("vend config show".to_owned(), tool(&["config", "show", "--effective", "--config"], &here.join("vend.toml"))),
        ("vend journal dump".to_owned(), world.dump_text()),
    ];
    assert_eq!(world.stop_agent().code(), Some(0));
    told.push(("the dump of the stopped journal".to_owned(), world.dump_text()));
    told.push(("the log to the end".to_owned(), std::fs::read(log_file(&here)).unwrap()));
    let ours = [APP_KEY, APP_SECRET, MQTT_PASSWORD, private_key];
    for (place, text) in &told {
        assert!(!text.is_empty(), "{place} is empty");
        assert_hidden(place, text, &ours);
        assert_hidden(place, text, &[URL_TOKEN]);
    }
    // What others get, and what lies on the disk: the merchant's own token is theirs.
    let mut others = Vec::new();
    tree(&here.join("state"), &mut others);
    for payload in world.platform.up().all() {
        let opened = base64::engine::general_purpose::STANDARD.decode(&payload).unwrap_or_default();
        others.extend([("MQTT".to_owned(), payload), ("MQTT, opened".to_owned(), opened)]);
    }
    for (place, server) in [("a merchant", world.receiver.server.requests()), ("elsewhere", elsewhere.requests())] {
        others.extend(server.all().into_iter().map(|r| (place.to_owned(), format!("{r:?}").into_bytes())));
        others.extend(server.all().into_iter().map(|r| (place.to_owned(), r.body)));
    }
    for (place, text) in &others {
        assert_hidden(place, text, &ours);
    }
    assert_eq!(elsewhere.requests().all().len(), 0, "no redirect is followed");
    // The cloud gets the one and nothing else, in its header.
    for request in cloud.requests().all() {
        let secret = request.headers.get("appsecret");
        assert!(secret.is_none_or(|secret| secret == APP_SECRET));
        assert_hidden("the cloud", format!("{request:?}").as_bytes(), &[APP_KEY, MQTT_PASSWORD, private_key]);
        assert_hidden("a body for the cloud", &request.body, &ours);
    }
    assert!(cloud.requests().all().iter().any(|r| r.headers.contains_key("appsecret")));
}
