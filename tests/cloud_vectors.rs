//! The vendor's published examples, to the byte: what is hashed, what it gives, and what the messages look like.
//! Numbers and texts are those of cloud 1.1; `kva` and `ds069ed4223ac1660f` are the samples that the vendor prints.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use vend::cloud::envelope::{self, Value};
use vend::cloud::sign::{SigningKey, sign, signed_bytes};

fn key(text: &str) -> SigningKey {
    SigningKey::new(text).unwrap()
}

/// Fields in any order, the key, the hashed bytes, the signature.
type Vector = (&'static [(&'static str, &'static str)], &'static str, &'static str, &'static str);

const VECTORS: [Vector; 6] = [
    // Update order: the vendor's status is the JSON number 2.
    (
        &[("timestamp", "1714128358"), ("status", "2"), ("machine_no", "16327129")],
        "kva",
        "machine_no=16327129&status=2&timestamp=1714128358&key=kva",
        "9C84FD1CE2C76849E7778ACF2C50FFF0",
    ),
    // Dispense.
    (
        &[
            ("machine_no", "16327129"),
            ("method", "device.delivery.put"),
            ("order_id", "60"),
            ("record_id", "78"),
            ("sign", "2457E8CE3CB49D31EC2054365FC8AD90"),
            ("timestamp", "1714373688"),
        ],
        "kva",
        "machine_no=16327129&method=device.delivery.put&order_id=60&record_id=78&timestamp=1714373688&key=kva",
        "2457E8CE3CB49D31EC2054365FC8AD90",
    ),
    // Pickup codes: blank and colons enter raw.
    (
        &[
            ("method", "pickup_code.product.id"),
            ("machine_no", "16327129"),
            ("product_id", "1323442"),
            ("count", "2"),
            ("quantity", "1"),
            ("expired_at", "2024-12-31 23:59:59"),
            ("code_length", "7"),
            ("timestamp", "1714185061"),
        ],
        "kva",
        "code_length=7&count=2&expired_at=2024-12-31 23:59:59&machine_no=16327129&method=pickup_code.product.id\
         &product_id=1323442&quantity=1&timestamp=1714185061&key=kva",
        "6C73E1EE2B92089A61DC721E72BB3139",
    ),
    // A message to the device: "0" is not empty.
    (
        &[
            ("client_id", "16327127"),
            ("machine_id", "1"),
            ("method", "client.power.schedule.clear"),
            ("status", "0"),
            ("timestamp", "1758519471"),
            ("empty", ""),
        ],
        "kva",
        "client_id=16327127&machine_id=1&method=client.power.schedule.clear&status=0&timestamp=1758519471&key=kva",
        "6EDCE0702B2D4D3664DE63BDAC90A3F7",
    ),
    // Another key: the AppId signs the device's log-in.
    (
        &[("username", "16327127"), ("password", "12345678"), ("timestamp", "1758780469")],
        "ds069ed4223ac1660f",
        "password=12345678&timestamp=1758780469&username=16327127&key=ds069ed4223ac1660f",
        "8A6029504B9E4E1697E6875413B970BF",
    ),
    // An advertisement for the device: addresses enter raw.
    (
        &[
            ("video_url", ADVERTISEMENT),
            ("machine_id", "10003"),
            ("view_type", "0"),
            ("method", "client.ads.push"),
            ("id", "10"),
            ("expired_at", "0"),
            ("client_id", "16327132"),
            ("timestamp", "1759112028"),
            ("title", "abc"),
            ("is_visible", "0"),
            ("cover_image", ADVERTISEMENT),
        ],
        "kva",
        "client_id=16327132&cover_image=https://dash.awish.vip/storage/p50v9ggY/7c4a2139-38fc-4e42-933a-57ccd841e5db.jpg\
         &expired_at=0&id=10&is_visible=0&machine_id=10003&method=client.ads.push&timestamp=1759112028&title=abc\
         &video_url=https://dash.awish.vip/storage/p50v9ggY/7c4a2139-38fc-4e42-933a-57ccd841e5db.jpg&view_type=0&key=kva",
        "354D2CA0D6173F088E6993DFE2A11D5E",
    ),
];

const ADVERTISEMENT: &str = "https://dash.awish.vip/storage/p50v9ggY/7c4a2139-38fc-4e42-933a-57ccd841e5db.jpg";

/// The payload printed in the page "update order".
const UPDATE_PAYLOAD: &str = "eyJtYWNoaW5lX25vIjoiMTYzMjcxMjkiLCJzaWduIjoiOUM4NEZEMUNFMkM3Njg0OUU3Nzc4QUNGMkM1MEZGRjAiLCJz\
                              dGF0dXMiOjIsInRpbWVzdGFtcCI6IjE3MTQxMjgzNTgifQ==";

#[test]
fn every_published_signature_is_reproduced_with_its_hashed_bytes() {
    for (fields, signing_key, hashed, signature) in VECTORS {
        let key = key(signing_key);
        let bytes = signed_bytes(fields.iter().copied(), &key);
        assert_eq!(String::from_utf8(bytes).unwrap(), hashed);
        assert_eq!(sign(fields.iter().copied(), &key).as_str(), signature, "{hashed}");
    }
}

#[test]
fn every_published_message_opens_and_verifies_after_being_sealed() {
    for (fields, signing_key, _, signature) in VECTORS {
        let unsigned = fields.iter().filter(|(name, _)| *name != "sign");
        let payload = envelope::seal(unsigned.map(|(name, value)| (*name, (*value).into())), &key(signing_key));
        let opened = envelope::open(&payload).unwrap();
        assert_eq!(opened.get("sign"), Some(signature));
        assert_eq!(envelope::verify(&opened, &key(signing_key)), Ok(()));
    }
}

#[test]
fn the_published_payload_is_reproduced_to_the_byte() {
    let fields: [(&str, Value); 3] =
        [("machine_no", "16327129".into()), ("status", Value::from(2)), ("timestamp", "1714128358".into())];
    assert_eq!(String::from_utf8(envelope::seal(fields, &key("kva"))).unwrap(), UPDATE_PAYLOAD);
}

#[test]
fn the_published_payload_opens_and_its_number_signs_as_its_digits() {
    let fields = envelope::open(UPDATE_PAYLOAD.as_bytes()).unwrap();
    assert_eq!(fields.get("status"), Some("2"));
    assert_eq!(envelope::verify(&fields, &key("kva")), Ok(()));
}

#[test]
fn a_pretty_printed_message_verifies_like_a_compact_one() {
    let json = "{\n  \"timestamp\": \"1714128358\",\n  \"status\": \"2\",\n  \"machine_no\": \"16327129\",\n  \
                \"sign\": \"9C84FD1CE2C76849E7778ACF2C50FFF0\"\n}\n";
    let fields = envelope::Fields::from_json(json.as_bytes()).unwrap();
    assert_eq!(envelope::verify(&fields, &key("kva")), Ok(()));
}
