//! Pickup codes over MQTT (cloud 1.9): they come and go, and what became of a used one is told.

use super::body::Body;
use super::body::unix_seconds;
use super::envelope::ambiguous_beside;
use super::envelope::{self, Fields, Rejected, shown};
use super::report::Report;
use super::sign::SigningKey;
use super::up::common;
use crate::board::profile::Profile;
use crate::order::call::{Call, Subject, SubjectKind, Way};
use crate::order::key::Id;
use crate::order::pickup::{CODE_QUANTITY_MAX, CodeSays, CodeWord, Digits, NewCode, PRODUCT_ID_BYTES_MAX};
use crate::order::time::UnixMs;

/// A code may be entered.
pub const CREATE_METHOD: &str = "client.pickup_codes.create";
/// It may not be entered any more.
pub const DELETE_METHOD: &str = "client.pickup_codes.delete";
/// It was used.
pub const PUT_METHOD: &str = "client.pickup_codes.put";

/// Our extension: where the product lies, as `code` does in a dispense command. (`code` is the pickup code here.)
const CHANNEL_CODE: &str = "channel_code";
/// Fields with a meaning here beside those of orders.
const FIELDS: [&str; 6] = ["id", "product_id", "used", "expired_day", CHANNEL_CODE, "order_type"];
/// Longest id of a code, in characters: the order that it becomes has `~p-` before it.
const CODE_ID_CHARS_MAX: usize = 61;
/// The vendor says that `expired_at` is in ms, and shows one in s. What is below this is in s: as ms it would have been
/// over since 1973.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// Reads `client.pickup_codes.create`.
///
/// # Errors
/// A field that is missing or cannot be meant; what it says is not shown.
pub(super) fn create(fields: &Fields, profile: &Profile) -> Result<CodeWord, Rejected> {
    let word = |says| word(fields, says);
    // Used elsewhere: nobody may enter it here.
    match fields.get("used") {
        Some("1") => return word(CodeSays::Gone),
        Some("0") | None => {}
        Some(_) => return Err(Rejected::BadField { name: "used" }),
    }
    let text = |name: &'static str| fields.get(name).ok_or(Rejected::BadField { name });
    let number = |name: &'static str| unix_seconds(text(name)?).ok_or(Rejected::BadField { name });
    let product_id = text("product_id")?;
    if product_id.len() > PRODUCT_ID_BYTES_MAX || Id::parse(product_id).is_err() {
        return Err(Rejected::BadField { name: "product_id" });
    }
    let quantity = u8::try_from(number("quantity")?).ok().filter(|n| (1..=CODE_QUANTITY_MAX).contains(n));
    let quantity = quantity.ok_or(Rejected::BadField { name: "quantity" })?;
    let expires_at = match fields.get("expired_at") {
        // As the open API says it: without a time, never (cloud 1.4).
        None | Some("0") => None,
        Some(_) => Some(match number("expired_at")? {
            seconds @ ..MILLISECONDS_FROM => UnixMs::from_seconds(seconds),
            ms => UnixMs(ms),
        }),
    };
    let digits = Digits::parse(text("code")?).ok_or(Rejected::BadField { name: "code" })?;
    let turns = match fields.get(CHANNEL_CODE) {
        None => None,
        Some(_) => {
            let body = Body::read(fields, CHANNEL_CODE, profile);
            let turns = body.ok().and_then(|body| body.turns(profile).ok());
            Some(turns.ok_or(Rejected::BadField { name: CHANNEL_CODE })?)
        }
    };
    word(CodeSays::Create(NewCode { digits, product_id: product_id.into(), quantity, expires_at, turns }))
}

/// Reads `client.pickup_codes.delete`.
///
/// # Errors
/// A field that is missing or cannot be meant.
pub(super) fn delete(fields: &Fields) -> Result<CodeWord, Rejected> {
    word(fields, CodeSays::Gone)
}

fn word(fields: &Fields, says: CodeSays) -> Result<CodeWord, Rejected> {
    if let Some(name) = ambiguous_beside(fields, &FIELDS) {
        return Err(Rejected::Ambiguous { name: shown(name) });
    }
    let issued_at_s = fields.get("timestamp").unwrap_or_default();
    let issued_at_s = unix_seconds(issued_at_s).ok_or_else(|| Rejected::BadTimestamp { found: shown(issued_at_s) })?;
    let id = fields.get("id").unwrap_or_default();
    let id = Id::parse(id).map_err(|problem| Rejected::BadKey { field: "id", problem })?;
    if id.as_str().len() > CODE_ID_CHARS_MAX {
        return Err(Rejected::BadField { name: "id" });
    }
    Ok(CodeWord { id, issued_at_s, says })
}

/// The code is used from now on: `client.pickup_codes.put` with the documented fields alone, to be told as soon as the
/// use is durable (cloud 1.9). What becomes of its order is not known yet.
#[must_use]
pub fn used_now(code_id: &Id) -> Call {
    let fields = vec![("id".into(), code_id.as_str().into()), ("used".into(), "1".into())];
    let way = Way::Publish { method: PUT_METHOD.into(), fields };
    Call { subject: Subject::new(SubjectKind::Code, code_id), way, newest_wins: false }
}

/// The payload of `client.pickup_codes.put`: the code is used, and this became of its order. The documented fields
/// first, then those that a report has.
#[must_use]
pub fn used(code_id: &str, report: &Report<'_>, signing: &SigningKey) -> Vec<u8> {
    let documented = [("id", code_id.into()), ("used", "1".into())];
    let common = common(PUT_METHOD, report.machine_no, report.echo.machine_id.as_deref(), report.timestamp_s);
    envelope::seal(common.chain(documented).chain(report.flat()), signing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::device::decode;
    use crate::cloud::inbound::Inbound;
    use crate::order::command::{Echo, Turns};
    use crate::order::key::{IdError, Key, MachineNo};
    use crate::order::motor::{Address, FloorType, Slot};
    use crate::order::outcome::{Motor, Reason, UnitOutcome};
    use std::path::Path;

    /// The fields that the vendor's page prints.
    const PRINTED: [(&str, &str); 12] = [
        ("timestamp", "1748330699"),
        ("machine_id", "10009"),
        ("method", CREATE_METHOD),
        ("client_id", "16327138"),
        ("id", "1"),
        ("product_id", "20001"),
        ("code", "16327138"),
        ("quantity", "1"),
        ("expired_at", "1748339999"),
        ("expired_day", "2025-10-23 20:51:37"),
        ("used", "0"),
        ("status", "0"),
    ];

    fn key() -> SigningKey {
        SigningKey::new("kva").unwrap()
    }

    fn machine() -> MachineNo {
        MachineNo::parse("16327138").unwrap()
    }

    /// The printed message with changes; an empty change takes the field away.
    fn read(changes: &[(&str, &str)]) -> Result<Inbound, Rejected> {
        let fields = PRINTED.iter().chain(changes).map(|(name, value)| (*name, (*value).into()));
        decode(&envelope::seal(fields, &key()), &machine(), &key(), &Profile::find("tcn-00ff", Path::new(".")).unwrap())
    }

    fn new_code(changes: &[(&str, &str)]) -> NewCode {
        match read(changes) {
            Ok(Inbound::Code(CodeWord { says: CodeSays::Create(code), .. })) => code,
            other => panic!("{changes:?}: {other:?}"),
        }
    }

    #[test]
    fn the_code_that_the_vendor_prints_is_read() {
        let says = CodeSays::Create(NewCode {
            digits: Digits::parse("16327138").unwrap(),
            product_id: "20001".into(),
            quantity: 1,
            expires_at: Some(UnixMs(1_748_339_999_000)),
            turns: None,
        });
        let word = CodeWord { id: Id::parse("1").unwrap(), issued_at_s: 1_748_330_699, says };
        assert_eq!(read(&[]), Ok(Inbound::Code(word)));
    }

    #[test]
    fn a_time_is_in_milliseconds_as_it_is_documented_or_in_seconds_as_it_is_printed_and_none_is_never() {
        for (text, time) in [
            ("1748339999000", Some(UnixMs(1_748_339_999_000))),
            ("1748339999", Some(UnixMs(1_748_339_999_000))),
            ("0", None),
            ("", None),
        ] {
            assert_eq!(new_code(&[("expired_at", text)]).expires_at, time, "{text}");
        }
    }

    #[test]
    fn the_slot_may_be_said_as_in_a_dispense_command() {
        let turns = Turns {
            address: Address::new(2).unwrap(),
            slot: Slot(5),
            floor_type: FloorType::Belt,
            lift: false,
            drop_check: true,
            quantity: 2,
        };
        let fields = [("channel_code", "005"), ("addr", "2"), ("floor_type", "3"), ("is_dc", "1"), ("quantity", "2")];
        assert_eq!(new_code(&[&fields[..], &[("is_lp", "0")]].concat()).turns, Some(turns));
    }

    #[test]
    fn a_code_that_is_used_or_deleted_is_gone() {
        for changes in [&[("used", "1")][..], &[("method", DELETE_METHOD)], &[("method", DELETE_METHOD), ("code", "")]]
        {
            let word = CodeWord { id: Id::parse("1").unwrap(), issued_at_s: 1_748_330_699, says: CodeSays::Gone };
            assert_eq!(read(changes), Ok(Inbound::Code(word)), "{changes:?}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_turned_away_and_never_shown() {
        let field = |name| Rejected::BadField { name };
        let id = |problem| Rejected::BadKey { field: "id", problem };
        let long = "7".repeat(62);
        for (changes, wanted) in [
            (&[("code", "1632713")][..], field("code")),
            (&[("code", "163271380")], field("code")),
            (&[("code", "1632713x")], field("code")),
            (&[("code", "")], field("code")),
            (&[("quantity", "0")], field("quantity")),
            (&[("quantity", "4")], field("quantity")),
            (&[("quantity", "")], field("quantity")),
            (&[("product_id", "")], field("product_id")),
            (&[("product_id", "a/b")], field("product_id")),
            (&[("product_id", &long)], field("product_id")),
            (&[("expired_at", "tomorrow")], field("expired_at")),
            (&[("used", "2")], field("used")),
            (&[("channel_code", "9999")], field("channel_code")),
            (&[("channel_code", "5"), ("addr", "9")], field("channel_code")),
            (&[("id", "")], id(IdError::Empty)),
            (&[("id", "~p-1")], id(IdError::Character('~'))),
            (&[("id", &long)], field("id")),
            (&[("timestamp", "soon")], Rejected::BadTimestamp { found: "soon".to_owned() }),
            (&[("client_id", "")], Rejected::NoMachine),
            (&[("client_id", "16327139")], Rejected::NotForThisMachine { found: "16327139".to_owned() }),
            (&[("note", "x&quantity=3")], Rejected::Ambiguous { name: "note".to_owned() }),
            (&[("note", "x&product_id=3")], Rejected::Ambiguous { name: "note".to_owned() }),
        ] {
            let read = read(changes);
            assert_eq!(read, Err(wanted), "{changes:?}");
            assert!(!read.unwrap_err().to_string().contains("1632713x"), "{changes:?}");
        }
    }

    #[test]
    fn a_used_code_is_told_with_the_documented_fields_and_what_became_of_its_order() {
        let (machine, order) = (machine(), Key::of_pickup(&Id::parse("7").unwrap()).unwrap());
        let units = [UnitOutcome::Dispensed(Motor::Ok), UnitOutcome::Refused(Reason::Expired)];
        let echo = Echo { machine_id: Some("10009".into()), ..Echo::default() };
        let report =
            Report { machine_no: &machine, key: &order, echo: &echo, units: &units, sequence: 1, timestamp_s: 9 };
        let fields = envelope::open(&used("7", &report, &key())).unwrap();
        envelope::verify(&fields, &key()).unwrap();
        for (name, value) in [
            ("method", PUT_METHOD),
            ("client_id", "16327138"),
            ("machine_id", "10009"),
            ("timestamp", "9"),
            ("status", "0"),
            ("id", "7"),
            ("used", "1"),
            ("order_id", "~p-7"),
            ("record_id", "1"),
            ("outcome", "partial"),
            ("sequence", "1"),
            ("deliver_status", "0"),
        ] {
            assert_eq!(fields.get(name), Some(value), "{name}");
        }
        assert!(fields.get("units").unwrap().contains("\"refused\""));
    }
}
