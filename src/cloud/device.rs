//! The messages between platform and machine over MQTT (contract, section 2), on their way down. See [`super::up`] for
//! what goes up.
//!
//! What comes down ends in one of three ways. A message that cannot be trusted or named is [`Rejected`]: a trace, and
//! nothing else. A dispense command with a usable key is a [`Put`], even if it can never be driven: the refusal is
//! then an outcome under its key. Everything else is [`Inbound::Get`] or [`Inbound::Other`].

use super::body::{Body, digest_of_unreadable, unix_seconds};
use super::envelope::{self, Fields, Rejected, ambiguous_beside, shown};
use super::inbound::Inbound;
use super::instruction;
use super::open_platform::Fen;
use super::pickup;
use super::sign::SigningKey;
use crate::board::profile::Profile;
use crate::order::command::{ECHO_BYTES_MAX, Echo, NOTIFY_URL_BYTES_MAX, Put, Sold};
use crate::order::key::{Id, IdError, Key, MachineNo};
use crate::order::outcome::Reason;
use crate::order::payment::OpenId;
use crate::sabotage::{self, Clause};

/// The paid dispense command.
pub const PUT_METHOD: &str = "device.delivery.put";
/// The question for a result.
pub const GET_METHOD: &str = "device.delivery.get";
/// The platform neither drives nor refunds later than this after the payment (cloud 1.7), in seconds.
pub const DRIVE_WITHIN_S: u64 = 1_200;
/// The topic on which the platform speaks to this machine (cloud 1.9).
#[must_use]
pub fn down_topic(machine_no: &MachineNo) -> String {
    format!("/clients/{machine_no}")
}

/// Opens, verifies and reads a message from `/clients/{machine_no}`.
///
/// # Errors
/// [`Rejected`] says why the message is put aside. Nothing may be answered to it.
pub fn decode(
    payload: &[u8],
    machine_no: &MachineNo,
    signing: &SigningKey,
    profile: &Profile,
) -> Result<Inbound, Rejected> {
    let fields = envelope::open(payload)?;
    if !sabotage::is_out(Clause::R11SignatureVerified) {
        envelope::verify(&fields, signing)?;
    }
    let method = fields.get("method").ok_or(Rejected::NoMethod)?;
    match fields.get("client_id") {
        Some(_) if sabotage::is_out(Clause::R11ThisMachineOnly) => {}
        Some(id) if id == machine_no.as_str() => {}
        Some(other) => return Err(Rejected::NotForThisMachine { found: shown(other) }),
        // The merchant's key signs for all its machines: without client_id a command for one would drive another.
        None if [PUT_METHOD, GET_METHOD, pickup::CREATE_METHOD, pickup::DELETE_METHOD].contains(&method)
            || instruction::must_name_its_machine(method) =>
        {
            return Err(Rejected::NoMachine);
        }
        // The vendor's own examples of other methods leave it out (cloud 1.9).
        None => {}
    }
    match method {
        PUT_METHOD => put(&fields, profile).map(Inbound::Put),
        GET_METHOD => match ambiguous_beside(&fields, &[]) {
            Some(name) => Err(Rejected::Ambiguous { name: shown(name) }),
            None => Ok(Inbound::Get { key: order_key(&fields)? }),
        },
        pickup::CREATE_METHOD => pickup::create(&fields, profile).map(Inbound::Code),
        pickup::DELETE_METHOD => pickup::delete(&fields).map(Inbound::Code),
        other => match instruction::read(other, &fields, profile) {
            Some(read) => read,
            None => Ok(Inbound::Other { method: other.to_owned() }),
        },
    }
}

fn order_key(fields: &Fields) -> Result<Key, Rejected> {
    let id = |field: &'static str| {
        let text = fields.get(field).ok_or(IdError::Empty);
        text.and_then(Id::parse).map_err(|problem| Rejected::BadKey { field, problem })
    };
    Ok(Key { order_id: id("order_id")?, record_id: id("record_id")? })
}

fn put(fields: &Fields, profile: &Profile) -> Result<Put, Rejected> {
    let key = order_key(fields)?;
    let issued_at_s = fields.get("timestamp").unwrap_or_default();
    let issued_at_s = unix_seconds(issued_at_s).ok_or_else(|| Rejected::BadTimestamp { found: shown(issued_at_s) })?;

    // What cannot be kept is left out, and the command refused.
    let mut all_usable = true;
    let mut keep = |name: &str, bytes_max: usize| -> Option<Box<str>> {
        let text = fields.get(name)?;
        let bytes_max = if sabotage::is_out(Clause::R02LongFieldsLeftOut) { usize::MAX } else { bytes_max };
        all_usable &= text.len() <= bytes_max;
        (text.len() <= bytes_max).then(|| text.into())
    };
    let notify_url = keep("notify_url", NOTIFY_URL_BYTES_MAX);
    let echo = Echo {
        delivery_id: keep("delivery_id", ECHO_BYTES_MAX),
        trade_id: keep("trade_id", ECHO_BYTES_MAX),
        machine_id: keep("machine_id", ECHO_BYTES_MAX),
        msg_id: keep("msg_id", ECHO_BYTES_MAX),
    };
    let mut seconds = |name: &str| -> Option<u64> {
        let read = unix_seconds(fields.get(name)?);
        all_usable &= read.is_some();
        read
    };
    let (paid_at_s, expired_at_s) = (seconds("paid_at"), seconds("expired_at"));
    let within_s = if sabotage::is_out(Clause::R27TwentyMinutes) { u64::from(u32::MAX) } else { DRIVE_WITHIN_S };
    let latest_s = paid_at_s.unwrap_or(issued_at_s).saturating_add(within_s);

    let body = Body::read(fields, "code", profile);
    let turns = match &body {
        _ if ambiguous_beside(fields, &[]).is_some() => Err(Reason::Ambiguous),
        Ok(body) if all_usable => body.turns(profile),
        _ => Err(Reason::Invalid),
    };
    Ok(Put {
        key,
        issued_at_s,
        paid_at_s,
        drive_until_s: expired_at_s.map_or(latest_s, |expired_at_s| expired_at_s.min(latest_s)),
        notify_url,
        echo,
        digest: body.map_or_else(|_| digest_of_unreadable(fields), |body| body.digest()),
        // What cannot be read here is as if it had not been said. The contract does not list `amount`, so a platform
        // may write it in a form of its own, and a buyer who has paid is not sent away for that: only an amount that
        // reads as money, and as another one than the books', refuses (rule 59).
        sold: Sold {
            amount: fields.get("amount").and_then(|text| Fen::parse(text).ok()),
            openid: fields.get("openid").and_then(|text| OpenId::parse(text).ok()),
        },
        turns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::driver::{Address, FloorType, Slot};
    use crate::cloud::envelope::{KNOWN_FIELDS, Value};
    use crate::cloud::sign::SIGN_FIELD;
    use crate::order::command::Turns;
    use crate::order::key::IdError;
    use proptest::prelude::*;

    const NOW: &str = "1714373688";
    const NOW_S: u64 = 1_714_373_688;

    fn key() -> SigningKey {
        SigningKey::new("kva").unwrap()
    }

    fn machine() -> MachineNo {
        MachineNo::parse("16327129").unwrap()
    }

    /// Three boards of slots 1 to 80 without 13; belt, lift and drop sensor by default.
    fn profile(hundred_an_address: bool) -> Profile {
        let (name, text) = Profile::built_in()[0];
        let mut profile = Profile::parse(name, text).unwrap();
        profile.addresses.count = 3;
        profile.slots.first = 1;
        profile.slots.last = 80;
        profile.slots.gaps = vec![13];
        profile.slots.hundred_an_address = hundred_an_address;
        profile.defaults.floor_type = FloorType::Belt;
        profile.defaults.lift = true;
        profile.defaults.drop_check = true;
        profile
    }

    /// A plain command with `changes`; an empty change takes the field away.
    fn payload(changes: &[(&str, &str)]) -> Vec<u8> {
        let plain = [
            ("method", PUT_METHOD),
            ("timestamp", NOW),
            ("client_id", "16327129"),
            ("order_id", "60"),
            ("record_id", "78"),
            ("code", "020"),
        ];
        envelope::seal(plain.iter().chain(changes).map(|(name, value)| (*name, (*value).into())), &key())
    }

    fn decoded(changes: &[(&str, &str)]) -> Result<Inbound, Rejected> {
        decode(&payload(changes), &machine(), &key(), &profile(false))
    }

    fn put_of(changes: &[(&str, &str)], profile: &Profile) -> Put {
        match decode(&payload(changes), &machine(), &key(), profile) {
            Ok(Inbound::Put(put)) => put,
            other => panic!("{changes:?}: {other:?}"),
        }
    }

    fn turns_of(changes: &[(&str, &str)]) -> Result<Turns, Reason> {
        put_of(changes, &profile(false)).turns
    }

    fn address(n: u8) -> Address {
        Address::new(n).unwrap()
    }

    #[test]
    fn a_short_command_takes_its_defaults_from_the_profile() {
        let put = put_of(&[], &profile(false));
        assert_eq!(put.key.to_string(), "60:78");
        assert_eq!((put.issued_at_s, put.paid_at_s, put.drive_until_s), (NOW_S, None, NOW_S + 1_200));
        assert_eq!((put.notify_url, put.echo), (None, Echo::default()));
        let turns = Turns {
            address: address(1),
            slot: Slot(20),
            floor_type: FloorType::Belt,
            lift: true,
            drop_check: true,
            quantity: 1,
        };
        assert_eq!(put.turns, Ok(turns));
    }

    #[test]
    fn every_field_of_a_full_command_is_read() {
        let put = put_of(
            &[
                ("addr", "3"),
                ("quantity", "10"),
                ("floor_type", "2"),
                ("is_lp", "0"),
                ("is_dc", "0"),
                ("notify_url", "https://shop.example/cb?a=1&b=2"),
                ("delivery_id", "5121763043809673"),
                ("trade_id", "t"),
                ("machine_id", "1"),
                ("msg_id", "m"),
                ("status", "0"),
                ("expired_at", "1714373700"),
                ("paid_at", "1714373000"),
            ],
            &profile(false),
        );
        let turns = Turns {
            address: address(3),
            slot: Slot(20),
            floor_type: FloorType::Lock,
            lift: false,
            drop_check: false,
            quantity: 10,
        };
        assert_eq!(put.turns, Ok(turns));
        assert_eq!((put.paid_at_s, put.drive_until_s), (Some(1_714_373_000), 1_714_373_700));
        assert_eq!(put.notify_url.as_deref(), Some("https://shop.example/cb?a=1&b=2"));
        let echo = Echo {
            delivery_id: Some("5121763043809673".into()),
            trade_id: Some("t".into()),
            machine_id: Some("1".into()),
            msg_id: Some("m".into()),
        };
        assert_eq!(put.echo, echo);
    }

    #[test]
    fn numbers_that_came_as_json_integers_are_their_texts() {
        let fields = [
            ("method", PUT_METHOD.into()),
            ("timestamp", Value::from(NOW_S)),
            ("client_id", Value::from(16_327_129)),
            ("order_id", Value::from(60)),
            ("record_id", Value::from(78)),
            ("code", Value::from(20)),
        ];
        let decoded = decode(&envelope::seal(fields, &key()), &machine(), &key(), &profile(false));
        assert_eq!(decoded, Ok(Inbound::Put(put_of(&[], &profile(false)))));
    }

    #[test]
    fn a_field_out_of_range_refuses_the_order_under_its_key() {
        let long = |n: usize| "x".repeat(n);
        let table: &[(&str, &str, Reason)] = &[
            ("code", "", Reason::Invalid),
            ("code", "A20", Reason::Invalid),
            ("code", "-1", Reason::Invalid),
            ("code", "+20", Reason::Invalid),
            ("code", "２０", Reason::Invalid),
            ("code", "000", Reason::Slot),
            ("code", "81", Reason::Slot),
            ("code", "13", Reason::Slot),
            ("code", "120", Reason::Slot),
            ("code", "65556", Reason::Slot),
            ("code", "99999999999999999999999", Reason::Slot),
            ("addr", "0", Reason::Invalid),
            ("addr", "9", Reason::Invalid),
            ("addr", "257", Reason::Invalid),
            ("addr", "01", Reason::Invalid),
            ("addr", "A", Reason::Invalid),
            ("addr", "4", Reason::Slot),
            ("quantity", "0", Reason::Invalid),
            ("quantity", "11", Reason::Invalid),
            ("quantity", "257", Reason::Invalid),
            ("quantity", "1.0", Reason::Invalid),
            ("quantity", " 1", Reason::Invalid),
            ("floor_type", "0", Reason::Invalid),
            ("floor_type", "4", Reason::Invalid),
            ("is_lp", "true", Reason::Invalid),
            ("is_dc", "2", Reason::Invalid),
            ("expired_at", "soon", Reason::Invalid),
            ("expired_at", "-1", Reason::Invalid),
            ("paid_at", "2024-04-29 10:00:00", Reason::Invalid),
            ("paid_at", "99999999999999999999999", Reason::Invalid),
            ("notify_url", &long(NOTIFY_URL_BYTES_MAX + 1), Reason::Invalid),
            ("delivery_id", &long(ECHO_BYTES_MAX + 1), Reason::Invalid),
            ("trade_id", &long(ECHO_BYTES_MAX + 1), Reason::Invalid),
            ("machine_id", &long(ECHO_BYTES_MAX + 1), Reason::Invalid),
            ("msg_id", &long(ECHO_BYTES_MAX + 1), Reason::Invalid),
        ];
        for (name, value, reason) in table {
            assert_eq!(turns_of(&[(name, value)]), Err(*reason), "{name}={value}");
        }
        assert!(turns_of(&[("notify_url", &long(NOTIFY_URL_BYTES_MAX)), ("msg_id", &long(ECHO_BYTES_MAX))]).is_ok());
        let put = put_of(&[("notify_url", &long(NOTIFY_URL_BYTES_MAX + 1))], &profile(false));
        assert_eq!(put.notify_url, None, "what is too long is not kept");
    }

    #[test]
    fn a_message_that_cannot_be_trusted_or_named_is_rejected() {
        let bad = |field, problem| Rejected::BadKey { field, problem };
        let table: &[(&[(&str, &str)], Rejected)] = &[
            (&[("method", "")], Rejected::NoMethod),
            (&[("client_id", "")], Rejected::NoMachine),
            (&[("client_id", "16327130")], Rejected::NotForThisMachine { found: "16327130".to_owned() }),
            (
                &[("method", "client.machine.reboot"), ("client_id", "1")],
                Rejected::NotForThisMachine { found: "1".to_owned() },
            ),
            (&[("order_id", "")], bad("order_id", IdError::Empty)),
            (&[("record_id", "7/8")], bad("record_id", IdError::Character('/'))),
            (&[("order_id", "60&record_id=78"), ("record_id", "")], bad("order_id", IdError::Character('&'))),
            (&[("record_id", &"1".repeat(65))], bad("record_id", IdError::TooLong(65))),
            (&[("timestamp", "")], Rejected::BadTimestamp { found: String::new() }),
            (&[("timestamp", "now")], Rejected::BadTimestamp { found: "now".to_owned() }),
            (&[("timestamp", "+1")], Rejected::BadTimestamp { found: "+1".to_owned() }),
            (&[("method", GET_METHOD), ("msg_id", "1&order_id=9")], Rejected::Ambiguous { name: "msg_id".to_owned() }),
            (&[("method", GET_METHOD), ("client_id", "")], Rejected::NoMachine),
            (&[("method", GET_METHOD), ("order_id", "")], bad("order_id", IdError::Empty)),
        ];
        for (changes, rejected) in table {
            assert_eq!(decoded(changes).as_ref(), Err(rejected), "{changes:?}");
        }
        let other_key = SigningKey::new("kvb").unwrap();
        let wrong = decode(&payload(&[]), &machine(), &other_key, &profile(false));
        assert_eq!(wrong, Err(Rejected::WrongSignature));
    }

    #[test]
    fn what_the_signature_cannot_tell_from_another_message_is_refused_as_ambiguous() {
        for change in [
            ("notify_url", "https://shop.example/?a=1&code=21"),
            ("msg_id", "1&sign=2"),
            ("unknown", "&&expired_at="),
            ("unknown&code", "1"),
            ("expired_at=1", "2"),
        ] {
            assert_eq!(turns_of(&[change]), Err(Reason::Ambiguous), "{change:?}");
        }
        for change in [
            ("notify_url", "https://shop.example/?code=1&b=2"),
            ("msg_id", "1&codes=2"),
            ("msg_id", "a&code"),
            ("trade_id", "&"),
        ] {
            assert!(turns_of(&[change]).is_ok(), "{change:?}");
        }
        // The attack itself: the deadline of a signed command moved into its neighbour keeps the signature.
        let honest = payload(&[("delivery_id", "5"), ("expired_at", "1714373690")]);
        let sign = envelope::open(&honest).unwrap().get(SIGN_FIELD).unwrap().to_owned();
        let forged = payload(&[("delivery_id", "5&expired_at=1714373690")]);
        assert_eq!(envelope::open(&forged).unwrap().get(SIGN_FIELD), Some(sign.as_str()));
        assert_eq!(turns_of(&[("delivery_id", "5&expired_at=1714373690")]), Err(Reason::Ambiguous));
    }

    #[test]
    fn where_a_profile_counts_a_hundred_slots_an_address_the_hundreds_need_addr() {
        let hundred = profile(true);
        let slot = |changes: &[(&str, &str)]| put_of(changes, &hundred).turns.map(|t| (t.address.get(), t.slot.0));
        assert_eq!(slot(&[("code", "80")]), Ok((1, 80)));
        assert_eq!(slot(&[("code", "120")]), Err(Reason::Slot));
        assert_eq!(slot(&[("code", "120"), ("addr", "2")]), Ok((2, 20)));
        assert_eq!(slot(&[("code", "200"), ("addr", "3")]), Err(Reason::Slot), "slot 0 is none of this profile's");
    }

    #[test]
    fn the_motor_must_stand_after_the_earlier_of_expiry_and_twenty_minutes() {
        let until = |changes: &[(&str, &str)]| put_of(changes, &profile(false)).drive_until_s;
        assert_eq!(until(&[("expired_at", "1714373689")]), NOW_S + 1);
        assert_eq!(until(&[("expired_at", "1714973689")]), NOW_S + 1_200);
        assert_eq!(until(&[("paid_at", "1714373588")]), NOW_S + 1_100);
        assert_eq!(until(&[("paid_at", "1714373588"), ("expired_at", "1714373600")]), 1_714_373_600);
        assert_eq!(until(&[("timestamp", &u64::MAX.to_string())]), u64::MAX, "no wrap into the past");
    }

    #[test]
    fn rule_10_two_commands_are_the_same_when_they_turn_the_same() {
        let digest = |changes: &[(&str, &str)]| put_of(changes, &profile(false)).digest;
        let plain = digest(&[]);
        for same in [
            ("code", "20"),
            ("addr", "1"),
            ("quantity", "1"),
            ("floor_type", "3"),
            ("is_lp", "1"),
            ("is_dc", "1"),
            ("timestamp", "1714373699"),
            ("expired_at", "1714373699"),
            ("msg_id", "2"),
            ("notify_url", "https://shop.example"),
            ("unknown", "x"),
        ] {
            assert_eq!(digest(&[same]), plain, "{same:?}");
        }
        let others = [
            ("code", "21"),
            ("code", "120"),
            ("addr", "2"),
            ("quantity", "2"),
            ("floor_type", "1"),
            ("is_lp", "0"),
            ("is_dc", "0"),
            ("code", ""),
            ("code", "x"),
            ("code", "y"),
            ("quantity", "x"),
            ("addr", "x"),
        ];
        let mut digests: Vec<_> = others.iter().map(|change| digest(&[*change])).chain([plain]).collect();
        assert_eq!(digest(&[others[8]]), digests[8], "a refused command that comes again is known");
        digests.sort_by_key(|digest| digest.0);
        digests.dedup();
        assert_eq!(digests.len(), others.len() + 1);
    }

    #[test]
    fn a_question_names_its_order_and_other_methods_pass() {
        let get = decoded(&[("method", GET_METHOD), ("timestamp", ""), ("code", "")]);
        assert!(matches!(get, Ok(Inbound::Get { key }) if key.to_string() == "60:78"));
        let method = "client.machine.unheard_of";
        let other = Ok(Inbound::Other { method: method.to_owned() });
        assert_eq!(decoded(&[("method", method), ("client_id", "")]), other);
        assert_eq!(decoded(&[("method", method), ("order_id", "?")]), other);
    }

    proptest! {
        #[test]
        fn no_signed_command_panics_or_breaks_a_limit(
            names in proptest::sample::subsequence(KNOWN_FIELDS.to_vec(), 0..KNOWN_FIELDS.len()),
            values in proptest::collection::vec("[0-9]{1,25}|[ -~]{0,9}|\\PC{0,5}", KNOWN_FIELDS.len()),
        ) {
            let changes: Vec<_> = names
                .iter()
                .zip(&values)
                .filter(|(name, _)| !["method", "client_id", SIGN_FIELD].contains(name))
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            if let Ok(Inbound::Put(put)) = decoded(&changes) {
                prop_assert!(put.drive_until_s <= put.paid_at_s.unwrap_or(put.issued_at_s).saturating_add(1_200));
                if let Ok(turns) = put.turns {
                    prop_assert!(profile(false).has_slot(turns.slot));
                    prop_assert!((1..=3).contains(&turns.address.get()) && (1..=10).contains(&turns.quantity));
                }
            }
        }
    }
}
