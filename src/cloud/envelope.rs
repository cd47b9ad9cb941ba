//! The platform's envelope (cloud 1.2): Base64 of one flat JSON object that carries its own signature.
//!
//! What is accepted is exact, since everything here comes from outside: standard Base64 with padding and canonical
//! last bits (white space before and after it is tolerated, since tools add a line end; inside it is not), one JSON
//! object and nothing behind it, values that are texts or whole numbers. A nested value is refused where it begins,
//! so no depth of nesting costs stack: the contract's eight levels are never reached.

use super::json;
use super::sign::{self, SIGN_FIELD, SigningKey};
use crate::order::key::IdError;
use crate::order::said::InChinese;
use base64::engine::general_purpose::STANDARD as BASE64;
use base64::{DecodeError, Engine as _};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Longest payload, in bytes of Base64: far above any command, far below what the MQTT client takes (1 MiB), so that
/// the refusal is ours and leaves a trace (contract, section 5).
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Most fields: three times what the longest documented message has (contract, section 5).
pub const FIELDS_MAX: usize = 64;
/// Longest name and longest value, in bytes: what is kept of a message stays small (contract, section 5).
pub const FIELD_BYTES_MAX: usize = 4 * 1024;
/// Fields for which there is room from the beginning: few messages have more, and glibc keeps a piece of at most 1,032
/// bytes at hand.
const FIELDS_USUAL: usize = 20;
/// How much of a foreign text an error shows, in characters.
const SHOWN_CHARS_MAX: usize = 64;

/// Why a message was turned away: recorded, counted, acknowledged, and nothing else (order-life, rules 11 and 13).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Over [`MESSAGE_BYTES_MAX`].
    #[error("the message has {bytes} bytes; at most {MESSAGE_BYTES_MAX} are taken")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not standard, padded Base64.
    #[error("the message is not Base64: byte {at} (counted from 0) is wrong, or missing if the message ends there")]
    NotBase64 {
        /// Where reading stopped, counted from 0.
        at: usize,
    },
    /// Not JSON.
    #[error("inside the Base64 is no JSON: it goes wrong at line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// JSON, but not an object.
    #[error("inside the Base64 is JSON, but not an object {{\"name\":\"value\",…}}")]
    NotAnObject,
    /// A list or an object as a value.
    #[error("field {name:?} holds a list or an object; only texts and whole numbers are taken")]
    Nested {
        /// The field.
        name: String,
    },
    /// true, false, a fraction or a number above 64 bits.
    #[error("field {name:?} holds neither a text nor a whole number of at most 64 bits")]
    NotText {
        /// The field.
        name: String,
    },
    /// The same name twice: which one was signed?
    #[error("field {name:?} comes twice")]
    DuplicateField {
        /// The field.
        name: String,
    },
    /// More than [`FIELDS_MAX`].
    #[error("the message has more than {FIELDS_MAX} fields")]
    TooManyFields,
    /// A name or value over [`FIELD_BYTES_MAX`].
    #[error("field {name:?} has {bytes} bytes; at most {FIELD_BYTES_MAX} are taken")]
    FieldTooLong {
        /// The field.
        name: String,
        /// Of its name or its value, whichever is too long.
        bytes: usize,
    },
    /// No `sign`.
    #[error("the message is not signed: it has no field \"sign\"")]
    NoSignature,
    /// `sign` does not fit the fields and the key.
    #[error("the signature is wrong: check the signing key, and mqtt_key in [signing]")]
    WrongSignature,
    /// No `client_id` where one is needed.
    #[error("the message names no machine: it has no field \"client_id\"")]
    NoMachine,
    /// Another machine's `client_id`.
    #[error("the message is for machine {found:?}, not for this one")]
    NotForThisMachine {
        /// What it says.
        found: String,
    },
    /// No `method`.
    #[error("the message does not say what to do: it has no field \"method\"")]
    NoMethod,
    /// The order cannot be named.
    #[error("{field} {problem}")]
    BadKey {
        /// order_id or record_id.
        field: &'static str,
        /// What is wrong with it; a missing field is empty.
        problem: IdError,
    },
    /// A command without a readable `timestamp` cannot be dated.
    #[error("timestamp is {found:?}; Unix seconds like \"1714373688\" are wanted")]
    BadTimestamp {
        /// What it says; empty if it is missing.
        found: String,
    },
    /// A field without which the message means nothing. What it says may be a secret, and is not shown.
    #[error("field {name:?} is missing, or out of its range")]
    BadField {
        /// The field.
        name: &'static str,
    },
    /// A question whose signature would fit other fields as well. (A dispense command with this fault and a usable
    /// key is not turned away but refused, see [`super::inbound::Inbound::Put`].)
    #[error("field {name:?} could be read as two fields under the same signature")]
    Ambiguous {
        /// The field.
        name: String,
    },
}

impl InChinese for Rejected {
    fn zh(&self) -> String {
        match self {
            Rejected::TooLong { bytes } => format!("消息有 {bytes} 字节；至多接收 {MESSAGE_BYTES_MAX} 字节"),
            Rejected::NotBase64 { at } => {
                format!("消息不是 Base64：第 {at} 字节（从 0 数）有误，若消息到此为止则是缺少")
            }
            Rejected::NotJson { line, column } => format!("Base64 内不是 JSON：第 {line} 行第 {column} 列有误"),
            Rejected::NotAnObject => "Base64 内是 JSON，但不是对象 {\"name\":\"value\",…}".to_owned(),
            Rejected::Nested { name } => format!("字段 {name:?} 是列表或对象；只接受文本与整数"),
            Rejected::NotText { name } => format!("字段 {name:?} 既不是文本，也不是 64 位以内的整数"),
            Rejected::DuplicateField { name } => format!("字段 {name:?} 出现两次"),
            Rejected::TooManyFields => format!("消息的字段多于 {FIELDS_MAX} 个"),
            Rejected::FieldTooLong { name, bytes } => {
                format!("字段 {name:?} 有 {bytes} 字节；至多接收 {FIELD_BYTES_MAX} 字节")
            }
            Rejected::NoSignature => "消息未签名：没有字段 \"sign\"".to_owned(),
            Rejected::WrongSignature => "签名有误：请检查签名密钥与 [signing] 中的 mqtt_key".to_owned(),
            Rejected::NoMachine => "消息未指明机器：没有字段 \"client_id\"".to_owned(),
            Rejected::NotForThisMachine { found } => format!("消息是给机器 {found:?} 的，不是本机"),
            Rejected::NoMethod => "消息未说明要做什么：没有字段 \"method\"".to_owned(),
            Rejected::BadKey { field, problem } => format!("{field} {}", problem.zh()),
            Rejected::BadTimestamp { found } => {
                format!("timestamp 为 {found:?}；应为 Unix 秒数，如 \"1714373688\"")
            }
            Rejected::BadField { name } => format!("字段 {name:?} 缺失，或超出范围"),
            Rejected::Ambiguous { name } => format!("字段 {name:?} 在同一签名下可被读作两个字段"),
        }
    }
}

/// A foreign text, cut to what an error should show.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The fields of one message by name, without the empty ones. `sign` is among them.
#[derive(Clone, Default)]
pub struct Fields {
    /// Every name with its value behind it: one piece of memory for a whole message.
    text: String,
    /// Where they stand in it, sorted by name.
    places: Vec<Place>,
}

/// Where a field stands in [`Fields::text`], in bytes.
#[derive(Clone, Copy)]
struct Place {
    name_at: usize,
    value_at: usize,
    end: usize,
}

impl Fields {
    /// The value; never empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let place = self.places.iter().find(|place| self.name(place) == name.as_bytes())?;
        Some(&self.text[place.value_at..place.end])
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.places
            .iter()
            .map(|place| (&self.text[place.name_at..place.value_at], &self.text[place.value_at..place.end]))
    }

    /// In bytes, since that compares without a look at where characters begin.
    #[inline]
    fn name(&self, place: &Place) -> &[u8] {
        &self.text.as_bytes()[place.name_at..place.value_at]
    }

    /// Reads a flat JSON object: what stands inside the Base64.
    ///
    /// # Errors
    /// [`Rejected`] says what is wrong with it.
    pub fn from_json(json: &[u8]) -> Result<Fields, Rejected> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let mut refused = None;
        // No text is longer than its JSON.
        let fields = Fields { text: String::with_capacity(json.len()), places: Vec::with_capacity(FIELDS_USUAL) };
        let seed = FlatObject { fields, refused: &mut refused };
        let fields = seed.deserialize(&mut reader).and_then(|fields| reader.end().map(|()| fields));
        match (fields, refused) {
            (_, Some(rejected)) => Err(rejected),
            (Ok(mut fields), None) => {
                let mut places = std::mem::take(&mut fields.places);
                places.retain(|place| place.value_at < place.end);
                places.sort_by(|a, b| fields.name(a).cmp(fields.name(b)));
                Ok(Fields { places, ..fields })
            }
            (Err(e), None) if e.is_data() => Err(Rejected::NotAnObject),
            (Err(e), None) => Err(Rejected::NotJson { line: e.line(), column: e.column() }),
        }
    }
}

/// Whatever their order was in the JSON.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Opens a payload. The signature is not looked at: see [`verify`].
///
/// # Errors
/// [`Rejected`] says what is wrong with it.
pub fn open(payload: &[u8]) -> Result<Fields, Rejected> {
    if payload.len() > MESSAGE_BYTES_MAX {
        return Err(Rejected::TooLong { bytes: payload.len() });
    }
    let indent = payload.len() - payload.trim_ascii_start().len();
    let text = payload.trim_ascii();
    let json = BASE64.decode(text).map_err(|e| {
        // The decoder looks at the last byte first; people want the first wrong one.
        let foreign = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"+/=".contains(byte);
        let at = text.iter().position(foreign).unwrap_or(match e {
            DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len(),
        });
        Rejected::NotBase64 { at: indent + at }
    })?;
    Fields::from_json(&json)
}

/// Checks `sign` over exactly the fields that came, known or not.
///
/// # Errors
/// [`Rejected::NoSignature`] or [`Rejected::WrongSignature`].
pub fn verify(fields: &Fields, key: &SigningKey) -> Result<(), Rejected> {
    let claimed = fields.get(SIGN_FIELD).ok_or(Rejected::NoSignature)?;
    if sign::sign_sorted(fields.iter(), key).matches(claimed) { Ok(()) } else { Err(Rejected::WrongSignature) }
}

/// A value of a message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A JSON string.
    Text(Cow<'a, str>),
    /// JSON as it is: the digits of a whole number, which is signed as them, or a list.
    Json(Cow<'a, str>),
}

impl Value<'_> {
    /// What enters the signature.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Value::Text(text) | Value::Json(text) => text,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl From<u64> for Value<'_> {
    fn from(n: u64) -> Self {
        Value::Json(Cow::Owned(n.to_string()))
    }
}

/// Signs and wraps a message: Base64 of compact JSON, names sorted. Of fields with the same name the last counts. Empty
/// values are written, but do not sign.
#[must_use]
pub fn seal<'n, 'v>(fields: impl IntoIterator<Item = (&'n str, Value<'v>)>, key: &SigningKey) -> Vec<u8> {
    let mut all = Vec::with_capacity(FIELDS_USUAL);
    all.extend(fields);
    BASE64.encode(signed_json(all, key)).into_bytes()
}

/// What [`seal`] wraps.
pub(super) fn signed_json(mut fields: Vec<(&str, Value<'_>)>, key: &SigningKey) -> Vec<u8> {
    fields.sort_by_key(|(name, _)| *name);
    fields.dedup_by(|later, kept| {
        let is_same = later.0 == kept.0;
        if is_same {
            std::mem::swap(later, kept);
        }
        is_same
    });
    let signature = (SIGN_FIELD, sign::sign_sorted(texts(&fields), key).as_str().to_owned().into());
    match fields.binary_search_by_key(&SIGN_FIELD, |(name, _)| name) {
        Ok(at) => fields[at] = signature,
        Err(at) => fields.insert(at, signature),
    }
    json::object(&fields)
}

/// What enters the signature of each field.
pub(super) fn texts<'f>(fields: &'f [(&str, Value<'_>)]) -> impl Iterator<Item = (&'f str, &'f str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str()))
}

/// Leaves the reason where [`Fields::from_json`] finds it; serde's own errors carry only text.
fn refuse<E: de::Error>(refused: &mut Option<Rejected>, why: Rejected) -> E {
    *refused = Some(why);
    E::custom("refused")
}

/// Fills `fields`, which come empty, in the order of the JSON, the empty values among them.
struct FlatObject<'a> {
    fields: Fields,
    refused: &'a mut Option<Rejected>,
}

/// A name; borrowed from the JSON unless something in it is escaped.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for FlatObject<'_> {
    type Value = Fields;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FlatObject<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flat JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let FlatObject { mut fields, refused } = self;
        while let Some(Name(name)) = map.next_key()? {
            if name.len() > FIELD_BYTES_MAX {
                return Err(refuse(refused, Rejected::FieldTooLong { name: shown(&name), bytes: name.len() }));
            }
            if fields.places.len() == FIELDS_MAX {
                return Err(refuse(refused, Rejected::TooManyFields));
            }
            if fields.places.iter().any(|place| fields.name(place) == name.as_bytes()) {
                return Err(refuse(refused, Rejected::DuplicateField { name: shown(&name) }));
            }
            let name_at = fields.text.len();
            fields.text.push_str(&name);
            let value_at = fields.text.len();
            map.next_value_seed(FlatValue { name: &name, text: &mut fields.text, refused })?;
            fields.places.push(Place { name_at, value_at, end: fields.text.len() });
        }
        Ok(fields)
    }
}

/// Writes the text of one value behind `text`; nothing for null.
struct FlatValue<'a> {
    name: &'a str,
    text: &'a mut String,
    refused: &'a mut Option<Rejected>,
}

impl<'de> DeserializeSeed<'de> for FlatValue<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl FlatValue<'_> {
    fn not_text<E: de::Error>(self) -> Result<(), E> {
        Err(refuse(self.refused, Rejected::NotText { name: shown(self.name) }))
    }

    fn nested<E: de::Error>(self) -> Result<(), E> {
        Err(refuse(self.refused, Rejected::Nested { name: shown(self.name) }))
    }
}

impl<'de> Visitor<'de> for FlatValue<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.len() > FIELD_BYTES_MAX {
            let name = shown(self.name);
            return Err(refuse(self.refused, Rejected::FieldTooLong { name, bytes: text.len() }));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<(), E> {
        self.text.push_str(&n.to_string());
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<(), E> {
        self.text.push_str(&n.to_string());
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.not_text()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.not_text()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.nested()
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.nested()
    }
}

/// The names with a meaning in our messages and in the platform's common fields: after `&` and before `=` inside a
/// value they could have been a field of their own when the message was signed.
pub(super) const KNOWN_FIELDS: [&str; 20] = [
    "method",
    "timestamp",
    "client_id",
    SIGN_FIELD,
    "status",
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
];

/// The first field that the same signed bytes could also have spelled as two fields: `&` and a known name in its
/// value, or `&` or `=` in its name, which could have swallowed a field before it. `more` are names that are known too.
pub(super) fn ambiguous_beside<'f>(fields: &'f Fields, more: &[&str]) -> Option<&'f str> {
    let is_known = |name: &str| KNOWN_FIELDS.contains(&name) || more.contains(&name);
    let hides_a_field = |part: &str| part.split_once('=').is_some_and(|(name, _)| is_known(name));
    fields
        .iter()
        .find(|(name, value)| {
            name.bytes().any(|b| matches!(b, b'&' | b'='))
                || value.split_once('&').is_some_and(|(_, rest)| rest.split('&').any(hides_a_field))
        })
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key() -> SigningKey {
        SigningKey::new("kva").unwrap()
    }

    fn sealed(json: &str) -> Vec<u8> {
        BASE64.encode(json).into_bytes()
    }

    #[test]
    fn texts_and_whole_numbers_are_read_and_empty_means_absent() {
        let json = r#" {"a":"1","b":-7,"c":18446744073709551615,"d":null,"e":"","f":"\u00e9\n"} "#;
        let fields = open(&sealed(json)).unwrap();
        let read: Vec<_> = fields.iter().collect();
        assert_eq!(read, [("a", "1"), ("b", "-7"), ("c", "18446744073709551615"), ("f", "é\n")]);
    }

    #[test]
    fn every_fault_inside_the_base64_is_named() {
        let name = || "a".to_owned();
        let many: Vec<String> = (0..=FIELDS_MAX).map(|n| format!("\"f{n}\":\"\"")).collect();
        let long = "x".repeat(FIELD_BYTES_MAX + 1);
        let table = [
            ("", Rejected::NotJson { line: 1, column: 0 }),
            ("{\"a\":\n1,}", Rejected::NotJson { line: 2, column: 3 }),
            (r#"{"a":"1""#, Rejected::NotJson { line: 1, column: 8 }),
            (r#"{"a":"1"}{"#, Rejected::NotJson { line: 1, column: 10 }),
            ("[1]", Rejected::NotAnObject),
            (r#""text""#, Rejected::NotAnObject),
            ("null", Rejected::NotAnObject),
            (r#"{"a":[]}"#, Rejected::Nested { name: name() }),
            (r#"{"a":{"b":"c"}}"#, Rejected::Nested { name: name() }),
            (r#"{"a":true}"#, Rejected::NotText { name: name() }),
            (r#"{"a":1.0}"#, Rejected::NotText { name: name() }),
            (r#"{"a":1e3}"#, Rejected::NotText { name: name() }),
            (r#"{"a":-0}"#, Rejected::NotText { name: name() }),
            (r#"{"a":18446744073709551616}"#, Rejected::NotText { name: name() }),
            (r#"{"a":"1","a":"1"}"#, Rejected::DuplicateField { name: name() }),
            (r#"{"a":null,"\u0061":"1"}"#, Rejected::DuplicateField { name: name() }),
            (&format!("{{{}}}", many.join(",")), Rejected::TooManyFields),
            (&format!(r#"{{"a":"{long}"}}"#), Rejected::FieldTooLong { name: name(), bytes: long.len() }),
            (&format!(r#"{{"{long}":"1"}}"#), Rejected::FieldTooLong { name: shown(&long), bytes: long.len() }),
        ];
        for (json, rejected) in table {
            assert_eq!(open(&sealed(json)), Err(rejected), "{}", shown(json));
        }
        assert!(open(&sealed(&format!("{{{}}}", many[1..].join(",")))).is_ok());
        assert!(open(&sealed(&format!(r#"{{"a":"{}"}}"#, &long[1..]))).is_ok());
    }

    #[test]
    fn base64_is_exact_but_for_white_space_around_it() {
        // eyJhIjoiMSJ9 is {"a":"1"}; the same with a blank behind ends in padding.
        assert_eq!(open(b" \neyJhIjoiMSJ9\r\n").unwrap().get("a"), Some("1"));
        assert_eq!(open(b"eyJhIjoiMSJ9IA==").unwrap().get("a"), Some("1"));
        let table: [(&[u8], usize); 7] = [
            (b"eyJh IjoiMSJ9", 4),
            (b" eyJh*joiMSJ9", 5),
            (b"eyJhIjoiMSJ9IA", 14),
            (b"eyJhIjoiMSJ9IB==", 13),
            (b"eyJhIjoi-SJ9", 8),
            (b"{\"a\":\"1\"}", 0),
            (b"\xff\x00", 0),
        ];
        for (payload, at) in table {
            assert_eq!(open(payload), Err(Rejected::NotBase64 { at }), "{}", String::from_utf8_lossy(payload));
        }
    }

    #[test]
    fn a_payload_over_the_limit_is_not_even_decoded() {
        let bytes = MESSAGE_BYTES_MAX + 1;
        assert_eq!(open(&vec![b'*'; bytes]), Err(Rejected::TooLong { bytes }));
        assert_eq!(open(&vec![b'*'; MESSAGE_BYTES_MAX]), Err(Rejected::NotBase64 { at: 0 }));
    }

    #[test]
    fn no_depth_of_nesting_costs_stack() {
        let deep = format!("{{\"a\":{}", "[".repeat(190_000));
        assert_eq!(open(&sealed(&deep)), Err(Rejected::Nested { name: "a".to_owned() }));
        assert_eq!(open(&sealed(&"[".repeat(190_000))), Err(Rejected::NotAnObject));
    }

    #[test]
    fn text_that_is_not_utf_8_is_not_json() {
        let payload = BASE64.encode(b"{\"a\":\"\xff\"}").into_bytes();
        assert!(matches!(open(&payload), Err(Rejected::NotJson { line: 1, .. })));
    }

    #[test]
    fn unknown_fields_count_for_the_signature() {
        let payload = seal([("a", "1".into()), ("anything", "2".into())], &key());
        let fields = open(&payload).unwrap();
        assert_eq!(verify(&fields, &key()), Ok(()));
        assert_eq!(verify(&fields, &SigningKey::new("kvb").unwrap()), Err(Rejected::WrongSignature));
        let mut fewer = fields.clone();
        fewer.places.retain(|place| fields.name(place) != b"anything");
        assert_eq!(verify(&fewer, &key()), Err(Rejected::WrongSignature));
        assert_eq!(verify(&Fields::from_json(b"{\"a\":\"1\"}").unwrap(), &key()), Err(Rejected::NoSignature));
    }

    #[test]
    fn errors_show_little_of_foreign_text() {
        let rejected = Rejected::Nested { name: shown(&"單".repeat(4_000)) };
        assert!(rejected.to_string().chars().count() < 200, "{rejected}");
    }

    fn any_fields() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("[a-z_&=\"\\\\ é]{1,8}", any::<String>(), 0..12)
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_rejected_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = open(&bytes);
            let _ = Fields::from_json(&bytes);
            let _ = open(BASE64.encode(&bytes).as_bytes());
        }

        #[test]
        fn what_is_sealed_opens_and_verifies(mut fields in any_fields()) {
            fields.remove(SIGN_FIELD);
            let payload = seal(fields.iter().map(|(n, v)| (n.as_str(), v.as_str().into())), &key());
            let opened = open(&payload).unwrap();
            prop_assert_eq!(verify(&opened, &key()), Ok(()));
            fields.retain(|_, value| !value.is_empty());
            let read: Vec<_> = opened.iter().filter(|(name, _)| *name != SIGN_FIELD).collect();
            prop_assert_eq!(read, fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>());
        }

        #[test]
        fn a_changed_byte_in_any_value_breaks_the_signature(
            fields in proptest::collection::btree_map("[a-z]{1,6}", "[ -~]{1,20}", 1..8),
            (which, place, other) in (any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), 0x20u8..0x7f),
        ) {
            prop_assume!(!fields.contains_key(SIGN_FIELD));
            let opened = open(&seal(fields.iter().map(|(n, v)| (n.as_str(), v.as_str().into())), &key())).unwrap();
            let name = which.get(&fields.keys().cloned().collect::<Vec<_>>()).clone();
            let mut value = fields[&name].clone().into_bytes();
            let at = place.index(value.len());
            prop_assume!(value[at] != other);
            value[at] = other;
            let mut changed: BTreeMap<_, _> = opened.iter().collect();
            let value = String::from_utf8(value).unwrap();
            changed.insert(&name, &value);
            let changed = Fields::from_json(&json::to_json(&changed)).unwrap();
            prop_assert_eq!(verify(&changed, &key()), Err(Rejected::WrongSignature));
        }
    }
}
