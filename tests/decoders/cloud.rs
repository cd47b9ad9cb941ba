//! The platform's words: the envelope, the messages to the machine, the answers of the open API.

use super::{Script, one_byte_changed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use vend::board::profile::Profile;
use vend::cloud::device::{self, DRIVE_WITHIN_S, GET_METHOD, PUT_METHOD};
use vend::cloud::envelope::{self, FIELD_BYTES_MAX, FIELDS_MAX, Fields, MESSAGE_BYTES_MAX, Rejected};
use vend::cloud::inbound::Inbound;
use vend::cloud::open_platform::{self, ApiError, OrderStatus, Verdict, may_drive};
use vend::cloud::sign::{SIGN_FIELD, SigningKey, signed_bytes};
use vend::cloud::up::{self, ReceivedState};
use vend::order::command::{ECHO_BYTES_MAX, NOTIFY_URL_BYTES_MAX, Put, QUANTITY_MAX};
use vend::order::key::{Id, MachineNo};
use vend::order::life::{Arrival, Order};
use vend::order::outcome::Reason;
use vend::order::pickup::{CODE_QUANTITY_MAX, CodeSays};
use vend::order::record::{RECORD_BYTES_MAX, encode_order};
use vend::order::time::{BootId, BootMs, UnixMs};

/// The vendor's printed sample key, and another one.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::new("kva").expect("not empty"));
static OTHER_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::new("kvb").expect("not empty"));
const MACHINE: &str = "16327129";

static MACHINE_NO: LazyLock<MachineNo> = LazyLock::new(|| MachineNo::parse(MACHINE).expect("eight digits"));
static PROFILE: LazyLock<Profile> = LazyLock::new(|| super::line::profile_of("uling-zdm8", true));

/// Longest error, in bytes: a few lines of a log, however long the message was.
const ERROR_BYTES_MAX: usize = 800;

/// A message that was turned away leaves little behind.
fn told_briefly(error: &dyn std::fmt::Display) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() <= ERROR_BYTES_MAX, "{} bytes: {text}", text.len());
}

/// Opens any bytes, once as a payload, once as what stands inside the Base64.
pub fn envelope(data: &[u8]) {
    let mut script = Script(data);
    let choice = script.take(4);
    for opened in [envelope::open(script.0), envelope::open(BASE64.encode(script.0).as_bytes())] {
        match opened {
            Ok(fields) => sealed_again(&fields, choice),
            Err(rejected) => told_briefly(&rejected),
        }
    }
}

/// What was opened is bounded; sealed again it opens as the same, and no changed byte passes for it.
fn sealed_again(fields: &Fields, choice: &[u8]) {
    assert!(fields.iter().count() <= FIELDS_MAX);
    for (name, value) in fields.iter() {
        assert!(name.len() <= FIELD_BYTES_MAX && (1..=FIELD_BYTES_MAX).contains(&value.len()));
    }
    // With the signing key nobody has said this yet.
    if fields.get(SIGN_FIELD).is_none() {
        assert_eq!(envelope::verify(fields, &KEY), Err(Rejected::NoSignature));
    }
    let said: BTreeMap<&str, &str> = fields.iter().filter(|(name, _)| *name != SIGN_FIELD).collect();
    let payload = envelope::seal(said.iter().map(|(name, value)| (*name, (*value).into())), &KEY);
    if payload.len() > MESSAGE_BYTES_MAX || said.len() >= FIELDS_MAX {
        return;
    }
    let opened = envelope::open(&payload).expect("what was sealed opens");
    assert_eq!(envelope::verify(&opened, &KEY), Ok(()));
    assert_eq!(envelope::verify(&opened, &OTHER_KEY), Err(Rejected::WrongSignature));
    assert_eq!(opened.iter().filter(|(name, _)| *name != SIGN_FIELD).collect::<BTreeMap<_, _>>(), said);
    let changed = one_byte_changed(&payload, &mut Script(choice));
    if let Ok(other) = envelope::open(&changed)
        && envelope::verify(&other, &KEY).is_ok()
    {
        assert_eq!(other, opened, "another message under the same signature");
    }
    // Nor does any other digit of the signature, any other value, or a field less.
    let signature = opened.get(SIGN_FIELD).unwrap_or_default();
    let mut other: BTreeMap<String, String> =
        opened.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let passes = |fields: &BTreeMap<String, String>| {
        let json = serde_json::to_vec(fields).expect("texts");
        Fields::from_json(&json).is_ok_and(|fields| envelope::verify(&fields, &KEY).is_ok())
    };
    let any_digit = usize::from(choice.first().copied().unwrap_or_default()) % signature.len();
    for digit in [any_digit, signature.len() - 1] {
        let wrong = if signature.as_bytes()[digit] == b'0' { "1" } else { "0" };
        other.insert(SIGN_FIELD.to_owned(), [&signature[..digit], wrong, &signature[digit + 1..]].concat());
        assert!(!passes(&other), "a wrong digit {digit} in the signature");
    }
    other.insert(SIGN_FIELD.to_owned(), signature.to_owned());
    if let Some((name, value)) = said.iter().next() {
        other.insert((*name).to_owned(), format!("{value}0"));
        assert!(!passes(&other), "another value of {name:?}");
        other.remove(*name);
        assert!(!passes(&other), "a message without its {name:?}");
    }
}

/// Names with a meaning, most used first.
const NAMES: [&str; 20] = [
    "method",
    "timestamp",
    "client_id",
    "order_id",
    "record_id",
    "code",
    "addr",
    "quantity",
    "floor_type",
    "is_lp",
    "is_dc",
    "notify_url",
    "delivery_id",
    "trade_id",
    "machine_id",
    "msg_id",
    "expired_at",
    "paid_at",
    "status",
    "sign",
];

/// A dispense command with what the script changes: lines `name=value`, where a name may be a number below.
fn message(script: &str) -> BTreeMap<String, String> {
    let plain = [
        ("method", PUT_METHOD),
        ("timestamp", "1714373688"),
        ("client_id", MACHINE),
        ("order_id", "60"),
        ("record_id", "78"),
        ("code", "20"),
    ];
    let mut fields: BTreeMap<String, String> =
        plain.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for line in script.split('\n').take(FIELDS_MAX - plain.len() - 1) {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let name = match name.bytes().next() {
            Some(letter @ b'A'..=b'T') if name.len() == 1 => NAMES[usize::from(letter - b'A')],
            _ => name,
        };
        // "\x01" stands for "=" in names and for a line end in values.
        fields.insert(name.replace('\u{1}', "="), value.replace('\u{1}', "\n"));
    }
    fields.remove(SIGN_FIELD);
    fields.retain(|name, value| name.len() <= FIELD_BYTES_MAX && value.len() <= FIELD_BYTES_MAX);
    fields
}

/// Reads signed messages of any content.
pub fn device_message(data: &[u8]) {
    let fields = message(&String::from_utf8_lossy(data));
    let payload = |key: &SigningKey| {
        envelope::seal(fields.iter().map(|(name, value)| (name.as_str(), value.as_str().into())), key)
    };
    let decode = |payload: &[u8]| device::decode(payload, &MACHINE_NO, &KEY, &PROFILE);
    let payload_here = payload(&KEY);
    if payload_here.len() > MESSAGE_BYTES_MAX {
        return;
    }
    assert_eq!(decode(&payload(&OTHER_KEY)), Err(Rejected::WrongSignature));
    let field = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let inbound = match decode(&payload_here) {
        Ok(inbound) => inbound,
        Err(rejected) => {
            assert!(!matches!(rejected, Rejected::WrongSignature | Rejected::NotBase64 { .. }), "{rejected}");
            return told_briefly(&rejected);
        }
    };
    assert!(field("client_id").is_none_or(|id| id == MACHINE), "another machine's message");
    match inbound {
        Inbound::Put(put) => {
            assert_eq!((field("method"), field("client_id")), (Some(PUT_METHOD), Some(MACHINE)));
            assert_eq!(Ok(Inbound::Put(put.clone())), decode(&payload_here), "the same bytes mean the same");
            check_put(&put, &fields);
        }
        Inbound::Get { key } => {
            assert_eq!((field("method"), field("client_id")), (Some(GET_METHOD), Some(MACHINE)));
            assert_eq!(Some(key.order_id.as_str()), field("order_id"));
            assert_eq!(Some(key.record_id.as_str()), field("record_id"));
            assert_eq!(hidden_fields(&fields), 0, "a question that could be another one");
        }
        Inbound::Code(word) => {
            assert_eq!(field("client_id"), Some(MACHINE), "a code that is good at every machine");
            assert_eq!(Some(word.id.as_str()), field("id"));
            assert_eq!(hidden_fields(&fields), 0, "a word that could be another one");
            if let CodeSays::Create(code) = word.says {
                assert_eq!(Some(code.digits.reveal().as_str()), field("code"));
                assert!((1..=CODE_QUANTITY_MAX).contains(&code.quantity));
            }
        }
        Inbound::Instruction(read) => {
            assert_eq!(field("timestamp").and_then(|text| text.parse().ok()), Some(read.issued_at_s));
        }
        Inbound::Refresh => assert!(field("method").is_some_and(|method| method.starts_with("client.machine."))),
        Inbound::Advertisement { method } | Inbound::Other { method } => {
            assert_eq!(Some(method.as_str()), field("method"));
        }
    }
}

/// How many fields with a meaning the signed bytes could hold beyond those that came.
fn hidden_fields(fields: &BTreeMap<String, String>) -> usize {
    let signed = String::from_utf8(signed_bytes(fields.iter().map(|(n, v)| (n.as_str(), v.as_str())), &KEY))
        .expect("texts and &, =");
    let could_be =
        signed.split('&').filter(|part| part.split_once('=').is_some_and(|(name, _)| NAMES.contains(&name))).count();
    let came = fields.iter().filter(|(name, value)| NAMES.contains(&name.as_str()) && !value.is_empty()).count();
    could_be - came
}

fn check_put(put: &Put, fields: &BTreeMap<String, String>) {
    let field = |name: &str| fields.get(name).map(String::as_str).filter(|value| !value.is_empty());
    assert_eq!(Some(put.key.order_id.as_str()), field("order_id"));
    assert_eq!(Some(put.key.record_id.as_str()), field("record_id"));
    assert_eq!(field("timestamp").and_then(|text| text.parse().ok()), Some(put.issued_at_s));
    assert!(put.drive_until_s <= put.paid_at_s.unwrap_or(put.issued_at_s).saturating_add(DRIVE_WITHIN_S));
    let echo = &put.echo;
    for (kept, name, bytes_max) in [
        (&put.notify_url, "notify_url", NOTIFY_URL_BYTES_MAX),
        (&echo.delivery_id, "delivery_id", ECHO_BYTES_MAX),
        (&echo.trade_id, "trade_id", ECHO_BYTES_MAX),
        (&echo.machine_id, "machine_id", ECHO_BYTES_MAX),
        (&echo.msg_id, "msg_id", ECHO_BYTES_MAX),
    ] {
        let usable = field(name).filter(|text| text.len() <= bytes_max);
        assert_eq!(kept.as_deref(), usable, "{name}");
        assert!(usable == field(name) || put.turns.is_err(), "{name} is lost and the command driven");
    }
    if let Ok(turns) = put.turns {
        assert_eq!(hidden_fields(fields), 0, "a command that could be another one");
        assert!((1..=QUANTITY_MAX).contains(&turns.quantity));
        assert!(turns.address.get() <= PROFILE.addresses.count && PROFILE.has_slot(turns.slot));
        let code: u64 = field("code").and_then(|text| text.parse().ok()).expect("a number");
        let slot = u64::from(turns.slot.0);
        assert!(code == slot || (field("addr").is_some() && code % 100 == slot), "code {code} turns slot {slot}");
        let same = |name: &str, value: u8| field(name).is_none_or(|text| text.parse() == Ok(value));
        assert!(same("addr", turns.address.get()) && same("quantity", turns.quantity));
        assert!(same("is_lp", turns.lift.into()) && same("is_dc", turns.drop_check.into()));
    }

    // Whatever was accepted or refused fits into a record, and what is said about it verifies.
    let arrival = Arrival {
        wall: UnixMs(u64::MAX),
        boot: BootMs(u64::MAX),
        boot_id: BootId([0xFF; 16]),
        trusted: Some(UnixMs(u64::MAX)),
    };
    let record = encode_order(&Order::new(put, u64::MAX, arrival)).expect("an order fits into a record");
    assert!(record.len() <= RECORD_BYTES_MAX);
    let state = put.turns.map_or_else(ReceivedState::Refused, |_| ReceivedState::Accepted);
    let received = up::received(&MACHINE_NO, &put.key, echo, state, put.issued_at_s, &KEY);
    let told = envelope::open(&received).expect("our own message opens");
    assert_eq!(envelope::verify(&told, &KEY), Ok(()));
    assert_eq!(told.get("order_id"), field("order_id"));
    assert_eq!(told.get("msg_id"), echo.msg_id.as_deref());
}

/// Reads any answer of the open API: status, order asked for, body.
pub fn platform_answer(data: &[u8]) {
    let mut script = Script(data);
    let status = match script.byte() {
        n if n < 0x80 => 200,
        n if n < 0xA0 => 401,
        _ => script.u16(),
    };
    let body = script.rest();
    let (asked, record) = (Id::parse("54").expect("an id"), Id::parse("70").expect("an id"));
    let json: Option<Json> = serde_json::from_slice(body).ok();
    let at = |path: &str| json.as_ref().and_then(|json| json.pointer(path)).cloned().unwrap_or_default();
    let is = |path: &str, text: &str| match at(path) {
        Json::String(found) => found == text,
        Json::Number(found) => found.to_string() == text,
        _ => false,
    };
    let is_good =
        (200..300).contains(&status) && (at("/code").is_null() || is("/code", "0") || all_zeros(&at("/code")));

    let ping = open_platform::read_ping(status, body);
    assert!(ping.is_err() || (is_good && at("/data") == "pong"));
    let update = open_platform::read_update(status, body);
    assert!(update.is_err() || (is_good && at("/message").as_str().is_some_and(|m| m.eq_ignore_ascii_case("ok"))));
    let order = open_platform::read_order(status, body, &asked);
    for error in [ping.err(), update.err(), order.as_ref().err().cloned()].into_iter().flatten() {
        told_briefly(&error);
        let _ = error.class();
        assert!(status != 401 || matches!(error, ApiError::Unauthorized { .. }), "{error}");
    }
    every_other_answer(status, body, is_good, &at("/data"));
    let Ok(order) = order else { return };
    assert!(is_good && is("/data/order_id", "54"));
    assert_eq!(order.order_id, asked);
    let verdict = may_drive(&order, &record);
    if verdict == Verdict::Drive {
        let paid = ["SUCCESS", "1", "PICKUPCODE", "7", "TESTPAY", "8"];
        assert!(paid.iter().any(|word| is("/data/status", word)), "{order:?}");
        let records = at("/data/records");
        let ours = |line: &Json| [Json::from("70"), Json::from(70)].contains(&line["id"]);
        let line = records.as_array().and_then(|lines| lines.iter().find(|line| ours(line))).expect("our record");
        let state = line["status"].as_str().unwrap_or_default();
        assert!(["", "WAITING_PICKED_UP", "未取货", "IS_DELIVERING"].contains(&state), "{line}");
    }
    if let Verdict::Refuse(reason) = verdict {
        assert!(matches!(reason, Reason::Unpaid | Reason::Closed));
        let unclear = matches!(order.status, OrderStatus::Unknown(_) | OrderStatus::UserPaying);
        assert!(!unclear, "refused for ever on an unclear word");
    }
}

/// A code that is written as a text of zeros.
fn all_zeros(code: &Json) -> bool {
    code.as_str().is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b == b'0' || b == b'+'))
}

/// The answers that no motor hangs on: bounded, and never a success without its proof.
fn every_other_answer(status: u16, body: &[u8], is_good: bool, data: &Json) {
    use open_platform::{LIST_ITEMS_MAX, TEXT_CHARS_MAX};
    fn checked<T>(status: u16, is_good: bool, proof: bool, answer: Result<T, ApiError>) -> Option<T> {
        match answer {
            Ok(answer) => {
                assert!(is_good && proof, "a success that nothing proves");
                Some(answer)
            }
            Err(error) => {
                told_briefly(&error);
                let _ = error.class();
                assert!(status != 401 || matches!(error, ApiError::Unauthorized { .. }), "{error}");
                None
            }
        }
    }
    let short = |texts: &[&str]| {
        for text in texts {
            assert!(text.chars().count() <= TEXT_CHARS_MAX + 1, "a text of {} bytes was kept", text.len());
        }
    };
    let is_list = data.is_array();
    let names = |what: &str| data[what].is_string() || data[what].is_number();

    for machine in checked(status, is_good, is_list, open_platform::read_machines(status, body)).unwrap_or_default() {
        short(&[&machine.machine_no, &machine.name, &machine.address, &machine.notify_message, &machine.contact]);
    }
    if let Some(machine) = checked(status, is_good, names("machine_name"), open_platform::read_machine(status, body)) {
        short(&[&machine.name, &machine.announcement, &machine.merchant]);
        assert!(machine.categories.len() <= LIST_ITEMS_MAX && machine.cabinet_names.len() <= LIST_ITEMS_MAX);
    }
    let proof = is_list || data["data"].is_array();
    let page = checked(status, is_good, proof, open_platform::read_products(status, body)).unwrap_or_default();
    assert!(page.products.len() <= LIST_ITEMS_MAX);
    for product in page.products {
        short(&[&product.good.name, &product.good.description, &product.good.thumb, &product.channel.name]);
        assert!(product.id.0 > 0 && !product.channel.name.is_empty());
        // What is read as an amount is written as it stood there.
        if let Ok(price) = product.good.price {
            assert_eq!(open_platform::Fen::parse(&price.to_string()), Ok(price));
        }
    }
    let floors = checked(status, is_good, is_list, open_platform::read_floors(status, body)).unwrap_or_default();
    let categories =
        checked(status, is_good, is_list, open_platform::read_categories(status, body)).unwrap_or_default();
    let banners = checked(status, is_good, is_list, open_platform::read_banners(status, body)).unwrap_or_default();
    assert!(floors.len().max(categories.len()).max(banners.len()) <= LIST_ITEMS_MAX);
    for code in checked(status, is_good, is_list, open_platform::read_codes(status, body)).unwrap_or_default() {
        assert!((6..=10).contains(&code.code.reveal().len()) && code.code.reveal().bytes().all(|b| b.is_ascii_digit()));
        assert!(!format!("{code:?}").contains(&format!("\"{}\"", code.code.reveal())), "a code showed itself");
    }
    checked(status, is_good, names("order_id"), open_platform::read_created(status, body));
    checked(status, is_good, names("order_id"), open_platform::read_consumed(status, body));
    checked(status, is_good, names("delivery_id"), open_platform::read_dispensed(status, body));
    if let Some(delivery) = checked(status, is_good, names("status"), open_platform::read_delivery(status, body)) {
        short(&[&delivery.fail_reason, &delivery.delivered_at, &delivery.pickup_at]);
    }
    let _ = open_platform::order_of_used_code(body);
}
