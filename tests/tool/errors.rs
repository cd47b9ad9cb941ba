//! Every error of ours that a person may read, in Chinese: with the values of the English text, and without its words.

use crate::chinese::assert_chinese;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use vend::board::profile::Profile;
use vend::board::service::ServiceError;
use vend::cloud::envelope::Rejected;
use vend::cloud::open_platform::{ApiError, BadAmount, BadOrder, BadPickup, CodeLength, Fen, PlatformTime, ProductId};
use vend::cloud::orders::Session;
use vend::cloud::orders::songshu::NoticeSecret;
use vend::cloud::sign::SigningKey;
use vend::config::credentials::{Credential, CredentialError, CredentialFault, Secret};
use vend::config::pem::{self, PemFault};
use vend::core::{BooksError, DecisionError, LineOwed, SaleRefusal, SlotError};
use vend::order::civil::Civil;
use vend::order::key::{Id, Key, MachineNo};
use vend::order::label::Label;
use vend::order::motor::{Address, NoAddress, Slot};
use vend::order::payment::OpenId;
use vend::order::record::{FORMAT, RecordError, decode_ledger};
use vend::order::said::{InChinese, Said};
use vend::qr::QrError;
use vend::web::access::NotMeant;

/// Every number of a text.
fn numbers(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).collect()
}

#[track_caller]
fn check(error: &dyn InChinese) {
    let Said { en, zh } = error.said();
    assert_chinese(&zh);
    assert_eq!(en, error.to_string());
    let missing: Vec<&str> = numbers(&en).difference(&numbers(&zh)).copied().collect();
    assert_eq!(missing, [""; 0], "{en}\n{zh}");
}

#[track_caller]
fn check_all<E: InChinese>(all: impl IntoIterator<Item = E>) {
    let all: Vec<E> = all.into_iter().collect();
    for error in &all {
        check(error);
    }
    let different: BTreeSet<String> = all.iter().map(InChinese::zh).collect();
    assert_eq!(different.len(), all.len(), "two errors are told alike: {different:?}");
}

fn key() -> Key {
    "60:78".parse().unwrap()
}

#[test]
fn why_nothing_is_done_is_told_in_chinese() {
    check_all([
        DecisionError::NoSuchOrder,
        DecisionError::NotEnded,
        DecisionError::NotInDoubt,
        DecisionError::MayStillTurn,
        DecisionError::NothingDead,
        DecisionError::BeingWritten,
        DecisionError::Unavailable,
    ]);
    check_all([SlotError::NoSuchSlot, SlotError::NoCapacity, SlotError::Unavailable]);
    check_all([
        BooksError::NoSuchCall,
        BooksError::NotDead,
        BooksError::MayBeOld,
        BooksError::NothingOwed,
        BooksError::NoDifference,
        BooksError::NotAsked,
        BooksError::Unavailable,
    ]);
    check_all([
        SaleRefusal::NotConfigured,
        SaleRefusal::Open,
        SaleRefusal::NoSuchSlot,
        SaleRefusal::NoSuchCode,
        SaleRefusal::AmbiguousCode,
        SaleRefusal::NotForSale,
        SaleRefusal::Empty,
        SaleRefusal::OutOfOrder,
        SaleRefusal::BoardAway,
        SaleRefusal::CloudAway,
        SaleRefusal::Busy,
        SaleRefusal::Unavailable,
        SaleRefusal::NoSuchSale,
        SaleRefusal::NotOpen,
        SaleRefusal::NothingOwed,
    ]);
    check_all([
        ServiceError::NotOffered,
        ServiceError::NoSuchBoard,
        ServiceError::NoSuchSlot,
        ServiceError::Busy,
        ServiceError::Away,
        ServiceError::Unavailable,
        ServiceError::Refused,
        ServiceError::NoAnswer,
        ServiceError::TookTooLong,
    ]);
    check_all([LineOwed::UnderWay(key()), LineOwed::InDoubt(key())]);
    check_all([NotMeant::NoHost, NotMeant::OtherName, NotMeant::OtherOrigin]);
}

#[test]
fn what_somebody_wrote_wrongly_is_told_in_chinese() {
    check_all([Id::parse("").unwrap_err(), Id::parse(&"9".repeat(65)).unwrap_err(), Id::parse("單").unwrap_err()]);
    check(&MachineNo::parse("1234567").unwrap_err());
    check(&Label::parse("").unwrap_err());
    check(&OpenId::parse("").unwrap_err());
    check(&"2024".parse::<Civil>().unwrap_err());
    check(&NoAddress(9));
    check(&"0".parse::<ProductId>().unwrap_err());
    check(&Fen::parse("3.005").unwrap_err());
    check(&BadAmount { found: "x".to_owned() });
    check_all([QrError::Empty, QrError::TooLong { found_bytes: 859, max_bytes: 858 }]);
    check_all([
        BadOrder::Lines(0),
        BadOrder::Nothing(ProductId(121)),
        BadOrder::Twice(ProductId(121)),
        BadOrder::NotifyUrl,
    ]);
    check_all([
        BadPickup::Code,
        "11".parse::<CodeLength>().unwrap_err(),
        "soon".parse::<PlatformTime>().unwrap_err(),
        BadPickup::Count,
        BadPickup::NotifyUrl,
    ]);
    check(&SigningKey::new("").unwrap_err());
    check(&NoticeSecret::new("").unwrap_err());
    check(&Session::new("").unwrap_err());
}

#[test]
fn why_a_message_is_turned_away_is_told_in_chinese() {
    let name = || "order_id".to_owned();
    check_all([
        Rejected::TooLong { bytes: 262_145 },
        Rejected::NotBase64 { at: 17 },
        Rejected::NotJson { line: 1, column: 23 },
        Rejected::NotAnObject,
        Rejected::Nested { name: name() },
        Rejected::NotText { name: name() },
        Rejected::DuplicateField { name: name() },
        Rejected::TooManyFields,
        Rejected::FieldTooLong { name: name(), bytes: 4_097 },
        Rejected::NoSignature,
        Rejected::WrongSignature,
        Rejected::NoMachine,
        Rejected::NotForThisMachine { found: "16327130".to_owned() },
        Rejected::NoMethod,
        Rejected::BadKey { field: "record_id", problem: Id::parse("").unwrap_err() },
        Rejected::BadTimestamp { found: "yesterday".to_owned() },
        Rejected::BadField { name: "code" },
        Rejected::Ambiguous { name: name() },
    ]);
}

#[test]
fn what_the_cloud_answers_wrongly_is_told_in_chinese_with_the_meaning_of_its_code() {
    let refused = |code| ApiError::Refused { status: 200, code, message: "余额不足".to_owned() };
    check_all([
        ApiError::Unauthorized { code: 0, message: String::new() },
        ApiError::Unauthorized { code: 10_013, message: "密钥错误".to_owned() },
        ApiError::Http { status: 502 },
        ApiError::NotPlatform { start: "<html>".to_owned() },
        refused(4004),
        refused(777_777),
        ApiError::NotProven { wanted: Said::word("data.order_id"), message: "失败".to_owned() },
        ApiError::OtherOrder { asked: Id::parse("60").unwrap(), answered: "61".to_owned() },
    ]);
    assert!(refused(4004).zh().contains("没有此记录"), "{}", refused(4004).zh());
    for code in (400..100_000).filter(|code| vend::cloud::api_codes::find(*code).is_some()) {
        check(&refused(code));
    }
    let read = |text: String| vend::cloud::open_platform::read_floors(200, text.as_bytes()).unwrap_err();
    check(&read(" ".repeat(2 << 20)));
    check(&read("{\"code\":0,\"message\":\"ok\",\"data\":{}}".to_owned()));
    let many: Vec<String> = (0..1_001).map(|n| format!("{{\"id\":{n}}}")).collect();
    check(&read(format!("{{\"code\":0,\"message\":\"ok\",\"data\":[{}]}}", many.join(","))));
}

#[test]
fn what_is_wrong_with_a_record_is_told_in_chinese() {
    let misplaced = [
        RecordError::Misplaced { inside: key() },
        RecordError::MisplacedCall { inside: 7 },
        RecordError::MisplacedCode { inside: Id::parse("7").unwrap() },
        RecordError::MisplacedAudit { inside: 7 },
        RecordError::MisplacedFault { inside: 7 },
        RecordError::MisplacedSale { inside: 7 },
        RecordError::MisplacedSlot { address: Address::FIRST, slot: Slot(12) },
    ];
    check_all(misplaced);
    let cut = decode_ledger(&[FORMAT]).unwrap_err();
    assert!(matches!(cut, RecordError::Content(_)), "{cut}");
    check_all([
        cut,
        RecordError::Format { found: Some(9) },
        RecordError::Format { found: None },
        RecordError::TooLarge { bytes: 70_000 },
    ]);
}

#[test]
fn what_is_wrong_with_a_secret_or_a_certificate_is_told_in_chinese() {
    let file = |fault| CredentialError::File {
        credential: Credential::AppKey,
        needed_by: "signing.mqtt_key = \"app_key\"",
        path: "/etc/vend/credentials/app_key".into(),
        fault,
    };
    let read = |kind: std::io::ErrorKind| {
        let number = if kind == std::io::ErrorKind::NotFound { 2 } else { 13 };
        CredentialFault::Read(Arc::new(std::io::Error::from_raw_os_error(number)))
    };
    check_all([
        CredentialError::NoDirectory { credential: Credential::AppKey, needed_by: "broker.username" },
        file(read(std::io::ErrorKind::NotFound)),
        file(read(std::io::ErrorKind::PermissionDenied)),
        file(Secret::of_file(b"").unwrap_err()),
        file(Secret::of_file(&[b'x'; 5_000]).unwrap_err()),
        file(Secret::of_file(b"a\nb").unwrap_err()),
        file(CredentialFault::NoWebToken),
    ]);
    let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n";
    let garbled = "-----BEGIN CERTIFICATE-----\n$$$$\n-----END CERTIFICATE-----\n";
    // What the reader of PEM says in English are bytes.
    for text in [cut, garbled] {
        assert_chinese(&pem::chain(text.as_bytes()).unwrap_err().zh());
    }
    check_all([PemFault::NoCertificate, PemFault::NoKey, PemFault::EncryptedKey, PemFault::KeyDoesNotFit]);
}

#[test]
fn every_mistake_in_a_profile_is_told_in_chinese_with_its_line() {
    let (_, text) = Profile::built_in().into_iter().find(|(name, _)| *name == "tcn-00ff").unwrap();
    let error = Profile::parse("mine.toml", &text.replace("baud = 9600", "baud = 0")).unwrap_err();
    check(&error);
    assert!(error.zh().contains("mine.toml:") && error.zh().contains("baud = 0"), "{}", error.zh());
    check(&Profile::find("nonsense", Path::new(".")).unwrap_err());
    check(&Profile::find("/nowhere/mine.toml", Path::new(".")).unwrap_err());
}
