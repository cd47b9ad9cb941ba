//! Every error that a person may read, in Chinese: with the values of its English, and without its words.

use crate::agent::StartError;
use crate::control::Refusal;
use crate::io::broker::{BrokerFault, Trouble};
use crate::io::clock_word::NoWord;
use crate::io::console::ConsoleError;
use crate::io::control_client::AskError;
use crate::io::detect::DetectError;
use crate::io::http::client::{Failure, Phase};
use crate::io::http::proxy::Proxies;
use crate::io::http::target::{Refused, Target, TargetRules};
use crate::io::http::tls::TlsError;
use crate::io::journal::{
    AcceptError, CommitError, Damage, Digest, Doing, Fact, InspectError, OpenError, Part, Unreadable,
};
use crate::io::line::LineTrouble;
use crate::io::mark::MarkError;
use crate::order::said::{InChinese, Said};
use crate::order::time::BootMs;
use http::StatusCode;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Names, commands, settings, protocols, units, and what the system or a library is quoted with: the same in both
/// languages. Whatever else is English in a Chinese text is a part that was forgotten.
const NAMES: &str = "vend journal accept move reason TEXT lead sled blob bytes machine id no tmpfs run control socket fuser \
    dialout root os error systemctl status clock word broker url username mqtt password client certificate key ca file \
    QoS MQTT RabbitMQ protocol TLS topic EMQX VerneMQ mosquitto message size limit max packet report allow hosts private \
    targets true http https host port user proxy URL plaintext HTTP CONNECT Location PEM Punycode xn ASCII IPv IP \
    certificates UnknownIssuer UnknownCA losses db state second home dev ttyUSB vend sock in lib var etc RSA P Ed example \
    shop BEGIN CERTIFICATE ServerUnavailable QuotaExceeded ftp socks a b";

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).collect()
}

/// Runs of digits, in their order in the text sorted: the values.
fn numbers(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).collect()
}

fn check(error: &dyn InChinese) {
    let Said { en, zh } = error.said();
    assert_eq!(en, error.to_string(), "logs say it too");
    assert!(zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "no Chinese: {zh}");
    let known = words(NAMES);
    let strange: Vec<&str> = words(&zh).difference(&known).copied().collect();
    assert!(strange.is_empty(), "{strange:?} in: {zh}\n{en}");
    // 3.1.1 and 3.13 of the same advice, and so on: no value is left out, none is new.
    assert_eq!(numbers(&zh), numbers(&en), "{zh}\n{en}");
    for path in en.split(|c: char| c.is_whitespace() || "(),;:?".contains(c)).filter(|part| part.starts_with('/')) {
        assert!(zh.contains(path), "{path} is not in: {zh}");
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("/var/lib/vend/{name}"))
}

fn system(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

const GONE: i32 = 2;
const FULL: i32 = 28;

#[test]
fn what_can_be_wrong_with_a_journal_is_said_in_chinese() {
    let (one, other) = (Digest { counter: 41, entries: 17, xor: 0x77 }, Digest { counter: 42, entries: 16, xor: 0x78 });
    let text = || Said::new("cannot read the journal: 91", "无法读取日志：91");
    let unreadable = [
        Unreadable::Short { found_bytes: 3 },
        Unreadable::CheckSum,
        Unreadable::Format(0),
        Unreadable::Newer(9),
        Unreadable::Body { found_bytes: 71 },
    ];
    for why in unreadable {
        check(&why);
        check(&Damage::DigestUnreadable(why));
        check(&Damage::Records { count: 12, key: b"7".to_vec(), why });
        check(&CommitError::Unreadable { key: b"8".to_vec(), why });
    }
    for damage in [
        Damage::JournalMissing,
        Damage::SledMissing,
        Damage::MarkerMissing { records: 60, counter: 90 },
        Damage::CannotOpen { text: text() },
        Damage::CannotRead { text: text() },
        Damage::DigestMissing,
        Damage::Digest { expected: one, found: other },
        Damage::ForeignKey { key: b"9".to_vec() },
        Damage::BlobFile { name: "-1".to_owned() },
        Damage::SecondFileMissing,
        Damage::SecondFileUnreadable,
        Damage::SecondFileAhead { journal: 89, second: 90 },
        Damage::SecondFileDiffers { journal: one, second: other },
        Damage::LeadMissing { counter: 5 },
        Damage::LeadCut { found_bytes: 4_000, expected_bytes: 65_536 },
        Damage::Hole { last: 5, beyond: 7 },
        Damage::Lead { counter: 5, expected: one, found: other },
        Damage::Elsewhere { differs: vec![Fact::MachineId, Fact::Controller, Fact::Disk, Fact::File] },
        Damage::Earlier { text: text() },
    ] {
        check(&damage);
    }
    let doing = |doing| OpenError::Io { doing, path: path("journal"), source: system(GONE) };
    for step in [
        Doing::LookAt,
        Doing::Make,
        Doing::Open,
        Doing::OpenJournal,
        Doing::Read,
        Doing::Write,
        Doing::Sync,
        Doing::Lock,
        Doing::Delete,
        Doing::Rename,
        Doing::Close,
        Doing::SetAside,
        Doing::Commit,
        Doing::ReadJournal,
        Doing::WriteJournal,
        Doing::SyncJournal,
        Doing::LookAtJournalsFile,
        Doing::LookForBlobFiles,
        Doing::WriteSecondFile,
    ] {
        check(&doing(step));
        check(&CommitError::StorageFull { doing: step });
        check(&CommitError::Failed { doing: step, text: text() });
    }
    let full = |number| OpenError::Io { doing: Doing::Write, path: path("journal"), source: system(number) };
    assert!(full(FULL).zh().contains("请腾出空间"));
    for holder in [None, Some(4_711)] {
        check(&OpenError::InUse { state_dir: path("state"), holder });
        check(&InspectError::InUse { state_dir: path("state"), holder });
        check(&AcceptError::InUse { state_dir: path("state"), holder });
    }
    // No space, no writing, no right: each with its advice.
    for number in [FULL, 30, 13] {
        check(&full(number));
        check(&AcceptError::Io { doing: Doing::SetAside, path: path("journal"), source: system(number) });
    }
    check(&OpenError::Newer { found: 9, known: 2 });
    check(&OpenError::Birth { text: text() });
    for what in [Part::Key, Part::Value] {
        check(&CommitError::TooLarge { what, found_bytes: 257, limit_bytes: 256 });
    }
    check(&CommitError::FileReplaced);
    check(&CommitError::BlobFile { name: "-1".to_owned() });
    check(&InspectError::Absent { state_dir: path("state") });
    check(&InspectError::Copy { from: path("db"), to: path("state"), source: system(FULL) });
    check(&InspectError::Open(OpenError::Newer { found: 9, known: 2 }));
    check(&AcceptError::NotQuarantined { state_dir: path("state") });
    check(&AcceptError::NotMoved { state_dir: path("state") });
    check(&AcceptError::NoReason);
}

#[test]
fn what_can_be_wrong_with_the_broker_is_said_in_chinese() {
    let text = || Said::new("what it says", "它的话");
    for trouble in [
        Trouble::Unreachable(system(111).to_string()),
        Trouble::Tls(text()),
        Trouble::TlsRenewed,
        Trouble::ConnectTimeOut,
        Trouble::BadCredentials,
        Trouble::NotAuthorised,
        Trouble::ClientIdRejected,
        Trouble::Refused("ServerUnavailable".to_owned()),
        Trouble::TakenOver,
        Trouble::Disconnected("QuotaExceeded".to_owned()),
        Trouble::ClosedByBroker,
        Trouble::ClosedUnanswered,
        Trouble::Link(system(5).to_string()),
        Trouble::KeepAlive,
        Trouble::SubscribeUnanswered,
        Trouble::PublishUnanswered,
        Trouble::Flooded,
        Trouble::PublishRefused("QuotaExceeded".to_owned()),
        Trouble::PacketTooLarge { bytes: 2_000_000 },
        Trouble::Protocol(text()),
    ] {
        check(&trouble);
    }
    for fault in [
        BrokerFault::TakenOver { times: 3 },
        BrokerFault::PacketTooLarge { bytes: 2_000_000 },
        BrokerFault::SubscribeRefused { topic: "7".to_owned(), reason: text() },
        BrokerFault::PublishRefused { token: 5, topic: "7".to_owned(), reason: "QuotaExceeded".to_owned() },
        BrokerFault::PublishTooLarge { token: 5, bytes: 70_000, limit_bytes: 65_536 },
    ] {
        check(&fault);
    }
}

#[test]
fn what_can_be_wrong_with_a_request_and_its_target_is_said_in_chinese() {
    let rules = TargetRules::new(Vec::new(), false, false);
    let refused = |url: &str| rules.check_url(url).unwrap_err();
    for url in [
        "http://a b",
        "example",
        "https:shop.example",
        "ftp://shop.example",
        "https://user@shop.example",
        "https://shop.example:99999",
        "https://[::1",
        "https://[shop]/",
        "https://單.example/",
        "https:///",
        "https://192.0.2",
        "https://a..b/",
        "https://10.0.0.1",
        "https://0.0.0.0",
        "http://8.8.8.8/",
    ] {
        check(&refused(url));
    }
    let Target { origin, .. } = Target::parse("https://shop.example").unwrap();
    let shop = crate::config::host::HostPattern::parse("example").unwrap();
    let listed = TargetRules::new(vec![shop], false, false);
    check(&listed.check_url("https://shop.example").unwrap_err());
    check(&listed.check_proxied(&origin).unwrap_err());
    let redirect = Failure::Redirect { status: StatusCode::FOUND, to: "https://shop.example".to_owned() };
    // The status' own words go: the number says it.
    assert_eq!(redirect.zh().matches("302").count(), 1);
    check(&redirect);
    let text = || Said::new("what it says", "它的话");
    for failure in [
        Failure::BadTarget(Refused::UserPart),
        Failure::Misled { host: "shop".to_owned(), why: Refused::UserPart },
        Failure::Tls { why: text() },
        Failure::Connect { host: "shop".to_owned(), why: text() },
        Failure::Proxy { status: StatusCode::FORBIDDEN },
        Failure::Lost { why: text() },
        Failure::Protocol { why: text() },
        Failure::TooLarge { limit_bytes: 65_536 },
    ] {
        check(&failure);
    }
    for phase in [Phase::Resolve, Phase::Connect, Phase::Proxy, Phase::Tls, Phase::Response, Phase::Body, Phase::Total]
    {
        check(&Failure::TimeOut { phase });
    }
    for value in ["socks://p:1", "@://p:1", "http://p:0", "http://a..b"] {
        check(&Proxies::parse(|name| (name == "https_proxy").then(|| value.to_owned())).unwrap_err());
    }
    check(&TlsError::Unreadable { path: path("ca"), source: system(GONE) });
    check(&TlsError::File { path: path("ca"), fault: crate::config::pem::PemFault::NoCertificate });
    check(&TlsError::NoSystemRoots { why: Said::new("none found", "没有找到") });
    check(&TlsError::Setup("TLS".to_owned()));
}

#[test]
fn what_can_be_wrong_with_line_mark_clock_and_socket_is_said_in_chinese() {
    let port = || PathBuf::from("/dev/ttyUSB0");
    let line = [
        LineTrouble::NotFound { port: port() },
        LineTrouble::Busy { port: port() },
        LineTrouble::Permission { port: port() },
        LineTrouble::Unplugged,
        LineTrouble::WriteTimeOut { bytes: 18, time_out_ms: 537 },
        LineTrouble::Io(system(5).to_string()),
    ];
    for trouble in line {
        check(&trouble);
        check(&ConsoleError::Line(trouble.clone()));
        check(&DetectError::Line(trouble));
    }
    check(&ConsoleError::Io(system(5)));
    check(&ConsoleError::Told(system(FULL)));
    check(&DetectError::State(InspectError::Absent { state_dir: path("state") }));
    check(&MarkError::NotInMemory { path: path("control") });
    check(&MarkError::Held { path: path("control") });
    check(&MarkError::Io { path: path("control"), source: system(GONE) });
    check(&NoWord::Kernel(system(GONE)));
    check(&NoWord::Unreadable { file: path("word"), source: system(GONE) });
    check(&NoWord::Unknown { file: path("word"), text: "7".to_owned() });
    check(&NoWord::TooOld { file: path("word"), asked: BootMs(50_000), now: BootMs(90_000) });
    let socket = || path("control");
    check(&AskError::NotRunning { socket: socket(), source: system(111) });
    check(&AskError::NoPermission { socket: socket() });
    check(&AskError::TimeOut { socket: socket(), after: Duration::from_secs(10) });
    let refusal = Refusal::said(Said::new("the daemon is stopping", "守护进程正在停止"));
    check(&AskError::Refused { status: StatusCode::SERVICE_UNAVAILABLE, refusal });
    check(&AskError::Unreadable { socket: socket(), why: Said::new("version 2", "版本 2") });
    check(&AskError::Io(system(GONE)));
    check(&StartError::Configuration(Said::new("app_key", "密钥")));
    check(&StartError::Journal(OpenError::Newer { found: 9, known: 2 }));
    check(&StartError::System(system(GONE)));
}
