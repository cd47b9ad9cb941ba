//! `vend support bundle` of a machine that has used every secret there is: whatever got into its log, in whatever disguise,
//! nobody reads it out of the bundle.

use crate::common::agent::vend;
use crate::common::command::put;
use crate::common::order_clouds::Served;
use crate::common::record::wait_until;
use crate::common::world::{MQTT_PASSWORD, NOTIFY_SECRET, SALE_PASSWORD, World};
use crate::security::{assert_hidden, escaped};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use vend::cloud::orders::songshu::NoticeSecret;
use vend::order::stock::Fen;
use vend::sim::clouds::Door;
use vend::sim::clouds::course::{self, Album, SimCourse};
use vend::sim::clouds::songshu::SimSongshu;

const APP_KEY: &str = "mark+key/8d1f6c20b7=\"quoted\"";
const APP_SECRET: &str = "mark&secret%41e97a53dd\\back";
const SALE_SESSION: &str = "mark-session=0b52c6; Path=/; x";
const WEB_TOKEN: &str = "mark~token!5e0f'9a*31";
/// What others hide in URLs.
const URL_TOKEN: &str = "mark-url-token-c07b2e9415";
const URL_PASSWORD: &str = "mark-url-password-77ac01";
const PATH_TOKEN: &str = "mark-path-token-4fe81d6a90";
/// A line of a private key that is none of this machine's files.
const FOREIGN_KEY: &str = "MARKtheForeignKeyMC4CAQAwBQYDK2VwBCIEIA==";
/// Every file of secrets.
const SECRETS: [(&str, &str); 7] = [
    ("app_key", APP_KEY),
    ("app_secret", APP_SECRET),
    ("mqtt_password", MQTT_PASSWORD),
    ("sale_session", SALE_SESSION),
    ("sale_password", SALE_PASSWORD),
    ("web_token", WEB_TOKEN),
    ("notify_secret", NOTIFY_SECRET),
];

/// A line of the log for each way in which a secret could have got there.
fn disguises(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        format!("as it is: {secret}."),
        format!("Authorization: Basic {}", STANDARD.encode(format!("machine:{secret}"))),
        format!("in base64 {} and {}", STANDARD.encode(secret), STANDARD.encode(format!("x{secret}"))),
        format!("in a URL without its question mark: a={}&b=1", escaped(secret)),
        format!("in hex {hex} {}", hex.to_uppercase()),
        serde_json::json!({ "in JSON": secret }).to_string(),
        format!("https://machine:{}@cloud.example/v1", escaped(secret)),
    ]
}

/// A `journalctl` that tells the agent's log, and what of our secrets somebody else said.
fn journalctl(world: &World, folder: &Path) {
    let mut leaks: Vec<String> = SECRETS.iter().flat_map(|(_, secret)| disguises(secret)).collect();
    leaks.push(fs::read_to_string(world.path().join("client.key")).unwrap());
    leaks.push(format!("-----BEGIN PRIVATE KEY-----\n{FOREIGN_KEY}\n-----END PRIVATE KEY-----"));
    leaks.push(format!("https://{URL_PASSWORD}@shop.example/?token={URL_TOKEN}"));
    leaks.push(format!("POST https://shop.example/hook/{PATH_TOKEN}/told: 200"));
    leaks.push("the end of the log".to_owned());
    fs::write(folder.join("leaks"), leaks.join("\n")).unwrap();
    let log = world.path().join("agent.log");
    let program = folder.join("journalctl");
    fs::write(&program, format!("#!/bin/sh\nexec cat {} {}/leaks\n", log.display(), folder.display())).unwrap();
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A request of a page, with this token: the status of its answer.
fn page(port: u16, token: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.lines().next().unwrap_or_default().to_owned()
}

/// Every part of a bundle, one after the other.
fn unpacked(bundle: &Path) -> String {
    let told = Command::new("tar").arg("-xzOf").arg(bundle).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn no_secret_in_any_disguise_is_read_out_of_a_bundle_whatever_is_missing() {
    let songshu_secret = NoticeSecret::new(NOTIFY_SECRET).unwrap();
    let songshu = Served::start(SimSongshu::new(Some("wx5".to_owned()), Some(songshu_secret)), None);
    let album = Album { name: "可乐".to_owned(), price: Fen(305), is_owned: false };
    let shop =
        SimCourse { albums: BTreeMap::from([(2, album)]), door: Door::locked(SALE_PASSWORD), ..SimCourse::default() };
    let shop = Served::start(shop, None);
    let sale = format!(
        "cloud = \"course\"\nurl = \"{}\"\nlog_in_name = \"machine\"\nlog_in_path = \"{}\"\n\
         pay_url = \"https://pay.example/{PATH_TOKEN}/{{order}}?a={{amount}}\"\n\
         goods = [{{ slot = 5, goods = 2, name = \"可乐\", price = \"3.05\" }}]",
        shop.url(),
        course::LOG_IN_PATH
    );
    let mut world = World::without_agent("tcn-00ff", |s| {
        (s.secure_broker, s.client_certificate_days, s.turn_ms) = (true, Some(300), 50);
        (s.sale, s.notify, s.web, s.catalogue, s.refund_failed) = (Some(sale), Some(songshu.url()), true, true, true);
    });
    let (here, file) = (world.path().to_owned(), world.path().join("vend.toml"));
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, config.replace("127.0.0.1:0\"", "127.0.0.1:0\"\ntoken = \"service\"")).unwrap();
    for (name, secret) in SECRETS {
        fs::write(here.join("credentials").join(name), secret).unwrap();
    }
    let tools = tempfile::tempdir().unwrap();
    journalctl(&world, tools.path());

    // It logs in everywhere, tells everybody, and is loud about it.
    world.start_agent_logging("trace");
    world.wait_for_subscription(1);
    wait_until("the cloud to be asked with our secret", || {
        let asked = world.cloud.server.requests().all();
        asked.iter().any(|request| request.headers.get("appsecret").is_some_and(|it| it == APP_SECRET)).then_some(())
    });
    let port = world.web_port();
    assert!(page(port, WEB_TOKEN).contains("200") && page(port, "mark-another").contains("401"));
    let url = format!("{}/hook/{PATH_TOKEN}?token={URL_TOKEN}", world.receiver.url().trim_end_matches('/'));
    let send =
        |order: &str, url: &str| world.platform.send(put(order, "78").notify(url).signed_with(APP_KEY).payload());
    send("60", &url);
    send("61", &format!("https://machine:{URL_PASSWORD}@127.0.0.1/?token={URL_TOKEN}"));
    // Signed with a key of its own, the report is no other helper's to check.
    let told = |body: &[u8]| String::from_utf8_lossy(body).contains("dispensed");
    world.receiver.server.requests().wait("the report", |all| all.iter().any(|r| told(&r.body)).then_some(()));
    wait_until("the other's end", || (world.status()["reports_open"] == 0).then_some(()));
    world.wait_until_line_is("idle");
    assert_eq!(world.tool(&["sale", "start", "--slot", "5", "--no-wait"], "").code, Some(0));
    wait_until("the pay code", || world.sale()["pay_code"].is_string().then_some(()));
    wait_until("songshu", || (!songshu.books().orders.is_empty()).then_some(()));

    let key = fs::read_to_string(here.join("client.key")).unwrap();
    let key_line = key.lines().nth(1).unwrap();
    let secrets: Vec<&str> = SECRETS
        .iter()
        .map(|(_, secret)| *secret)
        .chain([key_line, FOREIGN_KEY, URL_TOKEN, URL_PASSWORD, PATH_TOKEN])
        .collect();
    let bundle = |name: &str, config: &Path, more: &[&str]| {
        let path = here.join(name);
        let mut command = vend(&["support", "bundle", "--output"]);
        command.arg(&path).arg("--config").arg(config).args(more);
        let told = command.env("PATH", format!("{}:/usr/bin:/bin", tools.path().display())).output().unwrap();
        assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
        let (all, warned) = (unpacked(&path), String::from_utf8(told.stderr).unwrap());
        assert!(all.contains("the end of the log") && all.contains("\"machine_no\": \"16327129\""), "{name}:\n{all}");
        assert_hidden(name, format!("{all}{warned}").as_bytes(), &secrets);
        (all, warned)
    };
    // As a person types it: the secrets are found beside the configuration, and the daemon by it.
    let (all, warned) = bundle("whole", &file, &[]);
    assert_eq!(warned, "");
    assert!(
        all.contains("in hex *** ***")
            && all.contains("shop.example/hook/***/told")
            && all.contains("\"findings\"")
            && !all.contains("could not be read")
    );
    let credentials = here.join("credentials");
    let socket = world.socket();
    let place = ["--credentials", credentials.to_str().unwrap(), "--socket", socket.to_str().unwrap()];
    // Without the configuration: the secrets lie where somebody says.
    let elsewhere = here.join("none.toml");
    fs::remove_file(credentials.join("sale_session")).unwrap();
    fs::write(tools.path().join("leaks"), "the end of the log").unwrap();
    bundle("without the configuration", &elsewhere, &place);
    // What cannot be read cannot be looked for: who makes the bundle is told so, and who gets it.
    let told = |name: &str, of: &str| {
        let (all, warned) = bundle(name, &file, &[]);
        let unread = format!("credentials/{of}: ");
        assert!(warned.contains("could not be read") && warned.contains(&unread), "{warned}");
        assert!(all.contains(warned.trim_start_matches("warning: ").trim_end()), "{all}");
    };
    fs::create_dir(credentials.join("sale_session")).unwrap();
    told("one that is no file", "sale_session");
    // As where systemd-creds has the secrets: the plain file is empty.
    fs::write(credentials.join("app_key"), "").unwrap();
    told("one that lies elsewhere", "app_key");
}
