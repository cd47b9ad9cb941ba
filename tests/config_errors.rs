//! Every way to get the configuration wrong, with the whole text that a person sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

const GOOD: &str = r#"machine_no = "16327129"

[broker]
url = "mqtts://broker.example:8883"

[cloud]
url = "https://cloud.example"
app_id = "ds0000000000000000"

[board]
profile = "tcn-00ff"
port = "/dev/vend-dispenser"
"#;

fn vend(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vend"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .output()
        .expect("vend starts")
}

fn check_in(directory: &Path, text: &str, language: &str) -> (Option<i32>, String) {
    std::fs::write(directory.join("vend.toml"), text).unwrap();
    let output = vend(directory, &["--lang", language, "config", "check", "--config", "vend.toml"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    // The folder's name differs from run to run.
    (output.status.code(), stderr.replace(&format!("{}/", directory.display()), "/etc/vend/"))
}

/// Checks the good configuration with `from` replaced by `to`, and expects this whole text.
fn wrong(from: &str, to: &str, expected: &str) {
    assert_eq!(GOOD.matches(from).count(), 1, "{from:?} stands in the good configuration once");
    let directory = tempfile::tempdir().unwrap();
    let (code, stderr) = check_in(directory.path(), &GOOD.replace(from, to), "en");
    assert_eq!(stderr, format!("error: {}\n", expected.trim_start_matches('\n')));
    assert_eq!(code, Some(78));
}

#[test]
fn a_good_configuration_is_valid_and_a_port_that_is_not_there_is_no_mistake() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(check_in(directory.path(), GOOD, "en"), (Some(0), String::new()));
}

#[test]
fn a_machine_no_without_quotes_is_told_to_take_some() {
    wrong(
        "\"16327129\"",
        "16327129",
        r#"
/etc/vend/vend.toml:1:14: machine_no is a number here and must be a text
  |
1 | machine_no = 16327129
  |              ^^^^^^^^
  = put it in quotes: machine_no = "16327129" (leading zeros count)"#,
    );
}

#[test]
fn a_machine_no_without_quotes_that_begins_with_zero_is_told_the_same() {
    wrong(
        "\"16327129\"",
        "00012345 # ours",
        r#"
/etc/vend/vend.toml:1:14: machine_no is a number here and must be a text
  |
1 | machine_no = 00012345 # ours
  |              ^
  = put it in quotes: machine_no = "00012345" (leading zeros count)"#,
    );
}

#[test]
fn a_file_from_windows_is_read_and_its_mistakes_keep_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(check_in(directory.path(), &windows(GOOD), "en"), (Some(0), String::new()));
    let (code, stderr) = check_in(directory.path(), &windows(&GOOD.replace("\"16327129\"", "16327129")), "en");
    assert!(stderr.starts_with("error: /etc/vend/vend.toml:1:14: machine_no is a number"), "{stderr}");
    assert!(!stderr.contains('\r'), "{stderr:?}");
    assert_eq!(code, Some(78));
    let joined = |text: &str| format!("\u{feff}{}", windows(text));
    let (_, stderr) = check_in(directory.path(), &joined(&GOOD.replace("\"16327129\"", "16327129")), "en");
    assert!(stderr.starts_with("error: /etc/vend/vend.toml:1:14: machine_no is a number"), "two marks: {stderr}");
}

#[test]
fn a_machine_no_of_seven_digits_is_refused() {
    wrong(
        "16327129",
        "1632712",
        r#"
/etc/vend/vend.toml:1:14: machine_no must have exactly 8 digits, and this one is "1632712"
  |
1 | machine_no = "1632712"
  |              ^^^^^^^^^
  = copy the number from the platform, leading zeros included: machine_no = "00012345""#,
    );
}

#[test]
fn a_missing_machine_no_is_told_where_to_stand() {
    wrong(
        "machine_no = \"16327129\"",
        "# empty",
        r##"
/etc/vend/vend.toml:1:1: machine_no is missing
  |
1 | # empty
  | ^
  = write at the top of the file: machine_no = "00012345""##,
    );
}

#[test]
fn a_misspelt_key_is_set_right() {
    wrong(
        "app_id =",
        "ap_id =",
        r#"
/etc/vend/vend.toml:8:1: there is no key `ap_id` here
  |
8 | ap_id = "ds0000000000000000"
  | ^^^^^
  = did you mean `app_id`? There are: url, allow_plaintext, app_id, verify_orders, refund_failed, sync, catalogue, ca_file, client_certificate, client_key"#,
    );
}

#[test]
fn a_section_that_does_not_exist_is_refused() {
    wrong(
        "[board]",
        "[bord]",
        r#"
/etc/vend/vend.toml:10:2: there is no key `bord` here
   |
10 | [bord]
   |  ^^^^
   = did you mean `board`? There are: machine_no, broker, cloud, signing, board, report, sale, telemetry, notify, time, remote, state, control, web"#,
    );
}

#[test]
fn a_secret_in_the_file_is_sent_where_secrets_are() {
    wrong(
        "app_id = \"ds0000000000000000\"",
        "app_secret = \"hunter2\"",
        r#"
/etc/vend/vend.toml:8:1: `app_secret` is a secret and never stands in this file
  |
8 | app_secret = (hidden)
  | ^^^^^^^^^^
  = delete the line, put the value into a file named app_secret (mode 0600) in the credentials directory, and renew it: others may have read it"#,
    );
}

#[test]
fn a_word_that_is_no_value_is_set_right() {
    wrong(
        "app_id =",
        "verify_orders = \"allways\"\napp_id =",
        r#"
/etc/vend/vend.toml:8:17: `allways` is not a value of this key
  |
8 | verify_orders = "allways"
  |                 ^^^^^^^^^
  = did you mean `always`? There are: always, late, never"#,
    );
}

#[test]
fn a_permission_that_does_not_exist_is_set_right() {
    wrong(
        "port = \"/dev/vend-dispenser\"",
        "port = \"/dev/vend-dispenser\"\n[remote]\nallow = [\"reboot\", \"shut_down\"]",
        r#"
/etc/vend/vend.toml:14:20: `shut_down` is not a value of this key
   |
14 | allow = ["reboot", "shut_down"]
   |                    ^^^^^^^^^^^
   = did you mean `shutdown`? There are: reboot, shutdown, schedule, configuration, factory_reset, channel_test"#,
    );
}

#[test]
fn a_protocol_without_quotes_is_told_to_take_some() {
    wrong(
        "url = \"mqtts://broker.example:8883\"",
        "url = \"mqtts://broker.example:8883\"\nprotocol = 5",
        r#"
/etc/vend/vend.toml:5:12: protocol is a number here and must be a text
  |
5 | protocol = 5
  |            ^
  = put it in quotes: protocol = "5""#,
    );
}

#[test]
fn text_that_is_not_toml_is_shown_with_its_place() {
    wrong(
        "port = \"/dev/vend-dispenser\"",
        "port = /dev/vend-dispenser",
        r#"
/etc/vend/vend.toml:12:8: string values must be quoted, expected literal string
   |
12 | port = /dev/vend-dispenser
   |        ^^^^^^^^^^^^^^^^^^^
   = every key with its form and range is in docs/configuration.md"#,
    );
}

#[test]
fn a_broker_by_another_scheme_is_refused() {
    wrong(
        "mqtts://broker.example:8883",
        "tcp://broker.example:8883",
        r#"
/etc/vend/vend.toml:4:7: broker.url has a scheme that is not spoken here
  |
4 | url = "tcp://broker.example:8883"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = write it like this: url = "mqtts://host:8883""#,
    );
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    wrong(
        "mqtts://broker.example:8883",
        "mqtts://me:hunter2@broker.example",
        r#"
/etc/vend/vend.toml:4:7: broker.url holds a user part, and secrets never stand in this file
  |
4 | url = (hidden)
  |       ^^^^^^^^
  = write it like this: url = "mqtts://host:8883""#,
    );
}

#[test]
fn plaintext_to_another_host_needs_to_be_meant() {
    let expected = r#"
/etc/vend/vend.toml:4:7: broker.url would go to broker.example without encryption
  |
4 | url = "mqtt://broker.example"
  |       ^^^^^^^^^^^^^^^^^^^^^^^
  = use mqtts://, or, if the network is safe, allow_plaintext = true under [broker]"#;
    wrong("mqtts://broker.example:8883", "mqtt://broker.example", expected);
    wrong(
        "https://cloud.example",
        "http://cloud.example:8080",
        r#"
/etc/vend/vend.toml:7:7: cloud.url would go to cloud.example without encryption
  |
7 | url = "http://cloud.example:8080"
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = use https://, or, if the network is safe, allow_plaintext = true under [cloud]"#,
    );
    let directory = tempfile::tempdir().unwrap();
    let url = "url = \"mqtts://broker.example:8883\"";
    for meant in [
        "url = \"mqtt://broker.example\"\nallow_plaintext = true",
        "url = \"mqtt://127.0.0.1\"",
        "url = \"mqtt://[::1]\"",
    ] {
        assert_eq!(check_in(directory.path(), &GOOD.replace(url, meant), "en"), (Some(0), String::new()), "{meant}");
    }
}

#[test]
fn a_keep_alive_out_of_its_range_is_refused() {
    wrong(
        "mqtts://broker.example:8883\"",
        "mqtts://broker.example:8883\"\nkeep_alive_s = 0",
        r#"
/etc/vend/vend.toml:5:16: broker.keep_alive_s must be 5 to 600, and this is 0
  |
5 | keep_alive_s = 0
  |                ^
  = choose a number in the range, or delete the line for the default of broker.keep_alive_s"#,
    );
}

#[test]
fn a_profile_that_does_not_exist_is_refused_with_those_that_do() {
    let directory = tempfile::tempdir().unwrap();
    let (code, stderr) = check_in(directory.path(), &GOOD.replace("tcn-00ff", "tcn-0ff"), "en");
    // The list of profiles grows with every board, hence in two parts.
    let (start, end) = stderr.split_once("; the built-in ones are ").unwrap();
    assert_eq!(
        start,
        "error: /etc/vend/vend.toml:11:11: the board profile cannot be used: there is no board profile \"tcn-0ff\""
    );
    let shown = end.split_once('\n').unwrap().1;
    assert_eq!(
        shown,
        "   |\n11 | profile = \"tcn-0ff\"\n   |           ^^^^^^^^^\n   = vend board list shows the profiles\n"
    );
    assert_eq!(code, Some(78));
}

#[test]
fn a_ca_file_that_is_not_there_is_refused() {
    wrong(
        "mqtts://broker.example:8883\"",
        "mqtts://broker.example:8883\"\nca_file = \"ca.pem\"",
        r#"
/etc/vend/vend.toml:5:11: broker.ca_file cannot be used: /etc/vend/ca.pem: No such file or directory (os error 2)
  |
5 | ca_file = "ca.pem"
  |           ^^^^^^^^
  = give the path of a PEM file that the user vend can read; relative paths begin at the configuration's folder"#,
    );
}

#[test]
fn a_certificate_without_its_key_is_refused_and_with_it_is_fine() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["machine".to_owned()]).unwrap();
    std::fs::write(directory.path().join("client.pem"), made.cert.pem()).unwrap();
    std::fs::write(directory.path().join("client.key"), made.signing_key.serialize_pem()).unwrap();
    let alone = GOOD.replace(":8883\"", ":8883\"\nclient_certificate = \"client.pem\"");
    assert_eq!(
        check_in(directory.path(), &alone, "en"),
        (
            Some(78),
            "error: /etc/vend/vend.toml:5:22: broker.client_certificate is there without broker.client_key\n  |\n\
             5 | client_certificate = \"client.pem\"\n  |                      ^^^^^^^^^^^^\n  \
             = write broker.client_key as well, or delete broker.client_certificate\n"
                .to_owned()
        )
    );
    let both = alone.replace("\"client.pem\"", "\"client.pem\"\nclient_key = \"client.key\"\nca_file = \"client.pem\"");
    assert_eq!(check_in(directory.path(), &both, "en"), (Some(0), String::new()));
    let (code, stderr) = check_in(directory.path(), &both.replace("\"client.key\"", "\"client.pem\""), "en");
    assert!(stderr.contains("broker.client_key cannot be used"), "{stderr}");
    assert_eq!(code, Some(78));
    let (code, stderr) =
        check_in(directory.path(), &both.replace("mqtts://broker.example:8883", "mqtt://localhost"), "en");
    assert_eq!(stderr.matches("has no effect: the url speaks no TLS").count(), 3, "{stderr}");
    assert_eq!(code, Some(78));
}

#[test]
fn the_clouds_certificate_and_key_are_checked_like_the_brokers_and_a_wrong_pair_is_told_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let made = ["machine", "other"].map(|name| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap());
    let key = made[0].signing_key.serialize_pem();
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let certificate = made[0].cert.pem();
    let files = [
        ("client.pem", certificate.as_str()),
        ("client.key", &key),
        ("other.key", &made[1].signing_key.serialize_pem()),
        ("locked.key", &encrypted),
        ("cut.pem", &certificate[..certificate.len() / 2]),
    ];
    for (name, text) in files {
        std::fs::write(here.join(name), text).unwrap();
    }
    let with = |certificate: &str, key: &str| {
        let lines = format!("[cloud]\nclient_certificate = \"{certificate}\"\nclient_key = \"{key}\"");
        check_in(here, &GOOD.replace("[cloud]", &lines), "en")
    };
    assert_eq!(with("client.pem", "client.key"), (Some(0), String::new()));
    for (certificate, key, told) in [
        ("client.pem", "other.key", "client_key cannot be used: /etc/vend/other.key: the key does not belong"),
        ("client.pem", "locked.key", "client_key cannot be used: /etc/vend/locked.key: the key is encrypted"),
        ("client.pem", "client.pem", "client_key cannot be used: /etc/vend/client.pem: holds no private key"),
        ("cut.pem", "client.key", "client_certificate cannot be used: /etc/vend/cut.pem: not PEM, or cut off"),
        ("client.key", "client.key", "client_certificate cannot be used: /etc/vend/client.key: holds no certificate"),
    ] {
        let (code, stderr) = with(certificate, key);
        assert!(stderr.contains(&format!("cloud.{told}")) && stderr.contains("^^^^"), "{stderr}");
        assert_eq!(code, Some(78));
    }
    let lines = "[cloud]\nclient_certificate = \"client.pem\"";
    let (code, stderr) = check_in(here, &GOOD.replace("[cloud]", lines), "zh");
    assert!(stderr.contains("cloud.client_key"), "{stderr}");
    assert_eq!(code, Some(78));
}

#[test]
fn a_cloud_that_is_to_be_asked_must_be_named() {
    wrong(
        "url = \"https://cloud.example\"\n",
        "",
        r#"
/etc/vend/vend.toml:6:1: cloud.url is missing, and cloud.verify_orders = "late" needs it
  |
6 | [cloud]
  | ^^^^^^^
  = write under [cloud]: url = "https://host""#,
    );
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let text = GOOD.replace("16327129", "1").replace("mqtts:", "mqtt:").replace(
        "port = \"/dev/vend-dispenser\"",
        "port = \"\"\n[report]\nallow_hosts = [\"*.shop.example\", \"shop.example:443\"]",
    );
    let (code, stderr) = check_in(directory.path(), &text, "en");
    let places: Vec<&str> = stderr.lines().filter_map(|l| l.split("vend.toml:").nth(1)?.split(": ").next()).collect();
    assert_eq!(places, ["1:14", "4:7", "12:8", "14:34"], "{stderr}");
    assert_eq!(code, Some(78));
}

#[test]
fn a_file_that_is_not_there_is_a_mistake_of_configuration() {
    let directory = tempfile::tempdir().unwrap();
    for command in [["config", "check"].as_slice(), &["config", "show", "--effective"], &["run"]] {
        let output = vend(directory.path(), &[command, &["--config", "/nowhere/vend.toml"]].concat());
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "error: /nowhere/vend.toml: No such file or directory (os error 2)\n  \
             = write the file, or name another one with --config FILE\n"
        );
        assert_eq!(output.status.code(), Some(78), "{command:?}");
    }
}

#[test]
fn the_same_mistake_in_chinese_keeps_its_place() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        check_in(directory.path(), &GOOD.replace("\"16327129\"", "16327129"), "zh"),
        (
            Some(78),
            "错误：/etc/vend/vend.toml:1:14: machine_no 写成了数字，应为文本\n  |\n1 | machine_no = 16327129\n  |              \
             ^^^^^^^^\n  = 请加引号：machine_no = \"16327129\"（前导零有意义）\n"
                .to_owned()
        )
    );
}

#[test]
fn the_daemon_stops_at_a_wrong_configuration_and_at_a_missing_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vend.toml");
    std::fs::write(&path, GOOD.replace("\"16327129\"", "16327129")).unwrap();
    let output = vend(directory.path(), &["run", "--config", "vend.toml"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("vend.toml:1:14: "));
    assert_eq!(output.status.code(), Some(78));
    std::fs::write(&path, GOOD).unwrap();
    let output = vend(directory.path(), &["run", "--config", "vend.toml", "--credentials", "/nowhere"]);
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: /nowhere/app_secret: No such file or directory (os error 2); cloud.verify_orders = \"late\" needs the \
         secret app_secret\n  = make it: install -m 0600 /dev/null /nowhere/app_secret, then write the secret into it as \
         one line\n"
    );
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn a_program_gets_the_mistakes_as_json() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("vend.toml"), GOOD.replace("16327129", "1")).unwrap();
    let output = vend(directory.path(), &["--lang", "zh", "config", "check", "--config", "vend.toml", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["valid"], false);
    assert_eq!((&json["problems"][0]["line"], &json["problems"][0]["column"]), (&1.into(), &14.into()));
    assert!(json["problems"][0]["message"].as_str().unwrap().starts_with("machine_no must have"));
    assert_eq!((output.status.code(), output.stderr.len()), (Some(78), 0));
}

#[test]
fn pages_that_others_reach_need_a_token() {
    wrong(
        "port = \"/dev/vend-dispenser\"",
        "port = \"p\"\n[web]\nlisten = \"0.0.0.0:8480\"\ntoken = \"service\"",
        r#"
/etc/vend/vend.toml:14:10: web.listen would open the pages on 0.0.0.0 to the whole network
   |
14 | listen = "0.0.0.0:8480"
   |          ^^^^^^^^^^^^^^
   = write token = "always" under [web] and put a token into the credential web_token, or listen on 127.0.0.1"#,
    );
    let directory = tempfile::tempdir().unwrap();
    for good in
        ["listen = \"127.0.0.1:8480\"", "listen = \"[::1]:8480\"", "listen = \"0.0.0.0:80\"\ntoken = \"always\""]
    {
        let text = format!("{GOOD}[web]\n{good}\n");
        assert_eq!(check_in(directory.path(), &text, "en"), (Some(0), String::new()), "{good}");
    }
}

#[test]
fn pages_need_an_address_with_a_port_and_names_that_are_hosts() {
    wrong(
        "port = \"/dev/vend-dispenser\"",
        "port = \"p\"\n[web]\nlisten = \"localhost:8480\"\nnames = [\"vend.lan\", \"*.lan\"]",
        r#"
/etc/vend/vend.toml:14:10: web.listen is "localhost:8480", and that is no address with a port
   |
14 | listen = "localhost:8480"
   |          ^^^^^^^^^^^^^^^^
   = write it like this: listen = "127.0.0.1:8480" (IPv6 in brackets), or delete the line for no pages
/etc/vend/vend.toml:15:22: "*.lan" is no name of a host
   |
15 | names = ["vend.lan", "*.lan"]
   |                      ^^^^^^^
   = write the name or address that people type, without scheme, port and `*`"#,
    );
}

/// Checks the good configuration with these lines behind it, of which `«»` mark what is wrong. Exactly that must be
/// told: its place, `message` in that line, carets below the marked text, and `fix` in the line after them.
fn one_mistake(marked: &str, message: &str, fix: &str) {
    let directory = tempfile::tempdir().unwrap();
    let lines = marked.replace(['«', '»'], "");
    let (code, stderr) = check_in(directory.path(), &format!("{GOOD}\n{lines}"), "en");
    assert_eq!(code, Some(78), "{lines}: {stderr}");
    let (number, line) = (1..).zip(marked.lines()).find(|(_, line)| line.contains('«')).expect("something is marked");
    let (before, rest) = line.split_once('«').unwrap();
    let wrong = rest.split_once('»').unwrap().0.chars().count();
    // One empty line stands between.
    let place = format!("vend.toml:{}:{}: ", GOOD.lines().count() + 1 + number, before.chars().count() + 1);
    let told: Vec<&str> = stderr.lines().filter(|line| line.contains("vend.toml:")).collect();
    assert!(told.len() == 1 && told[0].contains(&place) && told[0].contains(message), "{lines}: {place}\n{stderr}");
    let carets = stderr.lines().find(|line| line.contains('^')).unwrap_or_else(|| panic!("no caret: {stderr}"));
    assert_eq!(carets.matches('^').count(), wrong, "{stderr}");
    let hint = stderr.lines().find_map(|line| line.trim_start().strip_prefix("= ")).unwrap_or_default();
    assert!(hint.contains(fix), "{fix:?} is not in the hint: {stderr}");
    let (_, chinese) = check_in(directory.path(), &format!("{GOOD}\n{lines}"), "zh");
    assert!(chinese.contains(&place) && chinese.lines().count() == stderr.lines().count(), "{chinese}");
    assert_ne!(chinese, stderr, "there is a Chinese text");
}

const AT_THE_PLATFORM: &str = "[sale]
cloud = \"platform\"
pay_url = \"https://shop.example/pay?order={order}\"
notify_url = \"https://shop.example/sold\"
";
const AT_COURSE: &str = "[sale]
cloud = \"course\"
url = \"https://course.example\"
pay_url = \"https://shop.example/pay?order={trade_no}&a={amount}\"
log_in_path = \"/user/login\"
log_in_name = \"machine\"
";
const AT_MALL: &str = "[sale]
cloud = \"mall\"
url = \"https://mall.example\"
";

#[test]
fn each_way_to_get_sales_wrong_is_told_with_its_place_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    for good in [AT_THE_PLATFORM, AT_COURSE, AT_MALL, "[sale]\n"] {
        assert_eq!(check_in(directory.path(), &format!("{GOOD}\n{good}"), "en"), (Some(0), String::new()), "{good}");
    }
    let platform = |from: &str, to: &str| changed(AT_THE_PLATFORM, from, to);
    let course = |from: &str, to: &str| changed(AT_COURSE, from, to);
    let mall = |lines: &str| format!("{AT_MALL}{lines}");
    let pay_url = "https://shop.example/pay?order={order}";
    for (marked, message, fix) in [
        (platform("\"platform\"", "«\"platfrom\"»"), "`platfrom` is not a value", "platform"),
        (platform("cloud =", "«clod» ="), "no key `clod`", "did you mean `cloud`"),
        (changed("«[sale]»\nnotify_url = \"x\"\npay_url = \"y\"", "x", "x"), "sale", "cloud = \"platform\""),
        (platform("pay_url", "url = «\"https://a.example\"»\npay_url"), "sale.url beside", "delete the line"),
        (platform("[sale]", "«[sale]»").replace("pay_url", "#pay_url"), "sale", "pay_url = \"https://host/pay?order="),
        (
            platform("[sale]", "«[sale]»").replace("notify_url", "#notify_url"),
            "sale",
            "notify_url = \"https://host/path\"",
        ),
        (platform(&format!("\"{pay_url}\""), "«\"https://shop.example/pay\"»"), "one order's payment", "{order}"),
        (platform(&format!("\"{pay_url}\""), "«\"https://支付/{order}\"»"), "one order's payment", "ASCII"),
        (platform(&format!("\"{pay_url}\""), "«\"shop.example/{order}\"»"), "one order's payment", "https://host"),
        (platform(&format!("\"{pay_url}\""), "«\"https://shop.example/{order}/{who}\"»"), "one order's", "{amount}"),
        (
            platform("\"https://shop.example/sold\"", "«\"shop.example/sold\"»"),
            "sale.notify_url is no",
            "https://host/path",
        ),
        (course("[sale]", "«[sale]»").replace("\nurl", "\n#url"), "sale", "url = \"https://host\""),
        (course("\"https://course.example\"", "«\"http://course.example\"»"), "without encryption", "allow_plaintext"),
        (course("\"https://course.example\"", "«\"ftp://course.example\"»"), "sale.url has a scheme", "https://"),
        (course("\"/user/login\"", "«\"user/login\"»"), "no path of a log-in", "/user/login"),
        (course("[sale]", "«[sale]»").replace("log_in_name", "#log_in_name"), "sale", "log_in_name = \"NAME\""),
        (format!("{AT_COURSE}log_in_fields = «[\"name\", \"name\"]»"), "not two names", "[\"name\", \"password\"]"),
        (format!("{AT_COURSE}log_in_fields = «[\"name\"]»"), "array of length 2", "docs/configuration.md"),
        (format!("{AT_COURSE}ca_file = «\"none.pem\"»"), "sale.ca_file cannot be used", ""),
        (platform("pay_url", "ca_file = «\"none.pem\"»\npay_url"), "sale.ca_file beside", "under [cloud]"),
        (platform("pay_url", "log_in_path = «\"/login\"»\npay_url"), "no path of a log-in", "delete the line"),
        (mall(&format!("pay_url = «\"{pay_url}\"»")), "sale.pay_url beside", "gives the pay code itself"),
        (mall("when_unknown = «\"keep\"»"), "`keep` is not a value", "report, refund"),
        (mall("serve_after_restart_s = «601»"), "must be 0 to 600", "default"),
        (mall("goods = «12»"), "expected a sequence", "docs/configuration.md"),
    ] {
        one_mistake(&marked, message, fix);
    }
}

/// A text in which something stands once, with something else there.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?}");
    text.replace(from, to)
}

#[test]
fn each_way_to_get_goods_wrong_is_told_at_its_own_entry() {
    let cola = "{ slot = 12, goods = 20001, name = \"Cola\", price = \"3.00\" }";
    let wrong = |from: &str, to: &str| format!("{AT_MALL}goods = [«{}»]", changed(cola, from, to));
    let label = |label: &str| changed(cola, " }", &format!(", label = \"{label}\" }}"));
    for (marked, message) in [
        (wrong("slot = 12", "slot = 65536"), "slot is no slot's number"),
        (wrong("slot = 12", "slot = 999"), "the board has no such slot"),
        (wrong("slot = 12", "address = 9, slot = 12"), "address is 1 to 8"),
        (wrong("20001", "0"), "goods is a number above 0"),
        (wrong("\"3.00\"", "\"3.005\""), "price is like \"3.00\""),
        (wrong("\"3.00\"", "\"0\""), "and not 0"),
        (wrong("\"3.00\"", "\"-3\""), "price is like"),
        (wrong("Cola", " "), "name is empty"),
        (format!("{AT_MALL}goods = [{cola}, «{cola}»]"), "this slot has goods already"),
        (format!("{AT_MALL}goods = [«{}»]", label("A 3")), "label is 1 to 8 letters"),
        (
            format!("{AT_MALL}goods = [{}, «{}»]", label("A3"), changed(&label("a3"), "12", "13")),
            "this label is printed at another slot",
        ),
    ] {
        one_mistake(&marked, message, "each entry is like { slot = 12");
    }
    one_mistake(
        &format!("{AT_MALL}goods = [{}]", changed(cola, "slot = 12, ", "").replace('{', "«{").replace('}', "}»")),
        "slot",
        "",
    );
    one_mistake(
        &format!("{AT_MALL}goods = [{}]", changed(cola, "price = \"3.00\"", "price = «3.00»")),
        "than a text",
        "price = \"3.00\"",
    );
}

#[test]
fn each_way_to_get_the_notices_wrong_is_told_with_its_place_and_what_to_do() {
    let good = "[notify]\nurl = \"https://songshu.example\"\napp_id = \"wx5\"\nopenid = \"oB\"\n";
    let directory = tempfile::tempdir().unwrap();
    for fine in [good, "[notify]\n"] {
        assert_eq!(check_in(directory.path(), &format!("{GOOD}\n{fine}"), "en"), (Some(0), String::new()), "{fine}");
    }
    for (marked, message, fix) in [
        (
            changed(good, "\"https://songshu.example\"", "«\"ftp://songshu.example\"»"),
            "notify.url has a scheme",
            "https://",
        ),
        (
            changed(good, "\"https://songshu.example\"", "«\"http://songshu.example\"»"),
            "without encryption",
            "[notify]",
        ),
        (changed(good, "\"wx5\"", "«\"wx 5\"»"), "notify.app_id is none", "1 to 64"),
        (changed(good, "\"oB\"", "«\"\"»"), "notify.openid is none", "visible ASCII"),
        (changed(good, "[notify]", "«[notify]»").replace("app_id", "#app_id"), "notify", "app_id ="),
        (changed(good, "[notify]", "«[notify]»").replace("openid", "#openid"), "notify", "openid ="),
        (changed(good, "[notify]", "«[notify]»").replace("url", "#url"), "notify", "url ="),
        (format!("{good}batch_s = «9»"), "must be 10 to 3600", "default"),
        (format!("{good}mode = «\"hourly\"»"), "`hourly` is not a value", "realtime, batch"),
        (format!("{good}pay_status = «\"word\"»"), "`word` is not a value", "number, text"),
        (format!("{good}«secret» = \"hush\""), "secret", ""),
        (format!("{good}signed = «\"yes\"»"), "expected a boolean", "docs/configuration.md"),
        (format!("{good}ca_file = «\"none.pem\"»"), "notify.ca_file cannot be used", ""),
    ] {
        one_mistake(&marked, message, fix);
    }
}
