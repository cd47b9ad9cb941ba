//! Answers as JSON, read so that nothing is lost: a number keeps its digits until somebody says what it counts, a
//! member that comes twice is no answer, and what is not read costs neither stack nor copies.

use super::answer::AnswerError;
use crate::cloud::envelope::shown;
use crate::cloud::open_platform::Fen;
use crate::order::civil::Civil;
use crate::order::key::Id;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Most members of one object: four times what the longest documented order has.
const MEMBERS_MAX: usize = 128;
/// Most characters that are kept of a text for people.
pub const TEXT_CHARS_MAX: usize = 256;

/// The text without its `// …` comments, which one document has inside its examples. Each becomes blanks, so that the
/// places of mistakes stay right.
pub(super) fn without_comments(text: &str) -> Cow<'_, str> {
    let (mut in_string, mut escaped, mut in_comment) = (false, false, false);
    let mut plain = None;
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        if in_comment {
            in_comment = byte != b'\n';
        } else if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else {
            in_string = byte == b'"';
            in_comment = byte == b'/' && bytes.get(at + 1) == Some(&b'/');
        }
        if in_comment {
            plain.get_or_insert_with(|| bytes.to_vec())[at] = b' ';
        }
    }
    match plain.map(String::from_utf8) {
        Some(Ok(plain)) => Cow::Owned(plain),
        // A comment ends before a line end, so that no character is blanked in part.
        Some(Err(_)) | None => Cow::Borrowed(text),
    }
}

/// An object whose members are not looked at yet. It knows its place in the answer, for the errors.
pub(super) struct Object<'a> {
    place: String,
    members: BTreeMap<String, &'a RawValue>,
}

impl<'a> Object<'a> {
    /// # Errors
    /// What serde says about a text that is no object.
    pub(super) fn read(json: &'a str) -> Result<Object<'a>, serde_json::Error> {
        Object::at(String::new(), json)
    }

    fn at(place: String, json: &'a str) -> Result<Object<'a>, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(json);
        let members = reader.deserialize_map(Members)?;
        reader.end()?;
        Ok(Object { place, members })
    }

    /// The member, unless it is null or an empty text, which mean the same as leaving it out.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members.get(name).copied().filter(|raw| !matches!(raw.get(), "null" | "\"\""))
    }

    fn place_of(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }

    /// A member that cannot be read as what it should be.
    pub(super) fn odd(&self, name: &str, wanted: &'static str) -> AnswerError {
        let found = self.members.get(name).map_or("nothing", |raw| raw.get());
        AnswerError::Odd { field: self.place_of(name), wanted, found: shown(found) }
    }

    /// What must be there.
    pub(super) fn need<T>(&self, name: &str, value: Option<T>) -> Result<T, AnswerError> {
        value.ok_or_else(|| AnswerError::Missing { field: self.place_of(name) })
    }

    /// Whether the member is there, whatever it is.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Object<'a>>, AnswerError> {
        let read = |raw: &'a RawValue| {
            Object::at(format!("{}.", self.place_of(name)), raw.get()).map_err(|_| self.odd(name, "an object"))
        };
        self.get(name).map(read).transpose()
    }

    /// A list of objects, at most `max`.
    pub(super) fn list(&self, name: &str, max: usize) -> Result<Option<Vec<Object<'a>>>, AnswerError> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        let wanted = "a list of objects";
        let raws: Vec<&'a RawValue> = serde_json::from_str(raw.get()).map_err(|_| self.odd(name, wanted))?;
        if raws.len() > max {
            return Err(self.odd(name, "a shorter list"));
        }
        let object = |(at, raw): (usize, &&'a RawValue)| {
            Object::at(format!("{}[{at}].", self.place_of(name)), raw.get()).map_err(|_| self.odd(name, wanted))
        };
        raws.iter().enumerate().map(object).collect::<Result<_, _>>().map(Some)
    }

    /// A text, or a whole number as its digits: the clouds are not of one mind about which they send.
    fn word(&self, name: &str) -> Result<Option<String>, AnswerError> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        let raw = raw.get();
        if raw.starts_with('"') {
            return self.text(name);
        }
        let digits = raw.strip_prefix('-').unwrap_or(raw);
        let is_whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if is_whole { Ok(Some(raw.to_owned())) } else { Err(self.odd(name, "a text or a whole number")) }
    }

    /// A text as it came.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, AnswerError> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| self.odd(name, "a text"))
    }

    /// A text for people, cut at [`TEXT_CHARS_MAX`].
    pub(super) fn prose(&self, name: &str) -> Result<Option<String>, AnswerError> {
        let cut = |text: String| match text.char_indices().nth(TEXT_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        Ok(self.word(name)?.map(cut))
    }

    /// A whole number, as a number or as its text, written as everybody writes it: "02" and "+2" are not 2.
    pub(super) fn whole(&self, name: &str) -> Result<Option<i64>, AnswerError> {
        let parse = |text: String| {
            let number = text.parse().ok().filter(|n: &i64| n.to_string() == text);
            number.ok_or_else(|| self.odd(name, "a whole number of at most 64 bits"))
        };
        self.word(name)?.map(parse).transpose()
    }

    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, AnswerError> {
        let count = |n: i64| u64::try_from(n).map_err(|_| self.odd(name, "a number from 0 on"));
        self.whole(name)?.map(count).transpose()
    }

    pub(super) fn id(&self, name: &str) -> Result<Option<Id>, AnswerError> {
        let parse = |text: String| Id::parse(&text).map_err(|_| self.odd(name, "1 to 64 of 0-9 A-Z a-z _ . -"));
        self.word(name)?.map(parse).transpose()
    }

    /// An amount in the currency's main unit, as a text or as a number: "0.00", 4098, 80.00.
    pub(super) fn amount(&self, name: &str) -> Result<Option<Fen>, AnswerError> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        let odd = || self.odd(name, "an amount of at most two decimals, not below 0");
        let text: Cow<str> = match raw.get() {
            text if text.starts_with('"') => serde_json::from_str::<String>(text).map_err(|_| odd())?.into(),
            number => number.into(),
        };
        Fen::parse(&text).map(Some).map_err(|_| odd())
    }

    /// A date. An odd one is kept as such: no paid order is lost over it.
    pub(super) fn stamp(&self, name: &str) -> Stamp {
        let Some(raw) = self.get(name) else { return Stamp::Absent };
        let text = serde_json::from_str::<String>(raw.get());
        match text.as_deref().map(str::parse) {
            Ok(Ok(civil)) => Stamp::At(civil),
            _ => Stamp::Odd(shown(raw.get())),
        }
    }
}

/// A date in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stamp {
    /// null, "" or left out: it did not happen yet.
    Absent,
    /// By the clocks of the cloud's zone.
    At(Civil),
    /// Something else, cut short.
    Odd(String),
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = BTreeMap<String, &'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if members.len() == MEMBERS_MAX {
                return Err(de::Error::custom(format_args!("more than {MEMBERS_MAX} members")));
            }
            let name_shown = shown(&name);
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom(format_args!("member {name_shown:?} comes twice")));
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_outside_texts_become_blanks() {
        let table = [
            ("{\"a\": 10, // 后续\n\"b\":1}", "{\"a\": 10, "),
            ("// x\n{}", "    \n{}"),
            ("{} // x", "{}     "),
            ("{\"a\":1}//", "{\"a\":1}  "),
        ];
        for (text, start) in table {
            let plain = without_comments(text);
            assert!(plain.starts_with(start), "{plain:?}");
            assert_eq!((plain.len(), plain.contains('/')), (text.len(), false), "{text}");
            assert!(Object::read(&plain).is_ok(), "{text}");
        }
        for text in [r#"{"a":"http://b"}"#, r#"{"a":"\"//"}"#, r#"{"a":"\\","b":"//"}"#, "{}", "", "/", "{ / / }"] {
            assert_eq!(without_comments(text), text);
        }
        assert_eq!(without_comments(r#"{"a":"\\"}//x"#), r#"{"a":"\\"}   "#);
    }

    #[test]
    fn a_member_that_comes_twice_and_too_many_members_are_refused() {
        let refused = |text: &str| Object::read(text).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused(r#"{"a":1,"\u0061":2}"#).contains("member \"a\" comes twice"));
        let many = |n| format!("{{{}}}", (0..n).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(","));
        assert!(refused(&many(MEMBERS_MAX + 1)).contains("more than 128 members"));
        assert_eq!(refused(&many(MEMBERS_MAX)), "");
        for text in ["", "[]", "1", "null", "{", "{}{", "{\"a\":}", "{\"a\":01}", "{'a':1}"] {
            assert!(!refused(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn no_depth_of_nesting_costs_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let object = Object::read(&deep).unwrap();
        assert!(object.list("a", 10).is_err() && object.whole("a").is_err());
        assert!(Object::read(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn amounts_keep_their_digits_and_odd_ones_are_refused() {
        let amount = |value: &str| Object::read(&format!("{{\"a\":{value}}}")).unwrap().amount("a");
        let good = [
            ("80.00", 8_000),
            ("\"0.00\"", 0),
            ("4098", 409_800),
            ("0.1", 10),
            ("0.29", 29),
            ("90071992547409.93", 9_007_199_254_740_993),
            ("\"184467440737095516.15\"", u64::MAX),
        ];
        for (text, fen) in good {
            assert_eq!(amount(text), Ok(Some(Fen(fen))), "{text}");
        }
        for text in ["null", "\"\""] {
            assert_eq!(amount(text), Ok(None), "{text}");
        }
        let odd = [
            "-1",
            "-0.01",
            "\"-1\"",
            "0.001",
            "\"1.999\"",
            "1e3",
            "1E-2",
            "184467440737095516.16",
            "99999999999999999999999999",
            "\"1,000.00\"",
            "\"¥3\"",
            "\" 3\"",
            "\"3.\"",
            "true",
            "[1]",
            "{}",
        ];
        for text in odd {
            assert!(matches!(amount(text), Err(AnswerError::Odd { field, .. }) if field == "a"), "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_written_in_one_way() {
        let whole = |value: &str| Object::read(&format!("{{\"a\":{value}}}")).unwrap().whole("a");
        for (text, n) in [("2", 2), ("\"2\"", 2), ("-1", -1), ("0", 0), ("9223372036854775807", i64::MAX)] {
            assert_eq!(whole(text), Ok(Some(n)), "{text}");
        }
        for text in ["\"02\"", "\"+2\"", "-0", "\" 2\"", "\"２\"", "2.0", "2e0", "9223372036854775808", "true", "[]"] {
            assert!(whole(text).is_err(), "{text}");
        }
    }

    #[test]
    fn errors_name_the_place_and_little_of_what_stands_there() {
        let long = format!("{{\"data\":{{\"items\":[{{}},{{\"n\":\"{}\"}}]}}}}", "单".repeat(5_000));
        let answer = Object::read(&long).unwrap();
        let items = answer.object("data").unwrap().unwrap().list("items", 2).unwrap().unwrap();
        let error = items[1].whole("n").unwrap_err();
        assert!(matches!(&error, AnswerError::Odd { field, .. } if field == "data.items[1].n"), "{error}");
        assert!(error.to_string().len() < 600, "{error}");
        assert_eq!(items[1].prose("n").unwrap().map(|text| text.chars().count()), Some(TEXT_CHARS_MAX + 1));
        assert!(answer.object("data").unwrap().unwrap().list("items", 1).is_err());
        assert_eq!(items[0].need::<()>("n", None), Err(AnswerError::Missing { field: "data.items[0].n".to_owned() }));
    }

    #[test]
    fn null_and_empty_mean_absent_and_an_odd_date_is_kept() {
        let text = r#"{"a":null,"b":"","c":"2021-02-06 11:37:18","d":"yesterday","e":7}"#;
        let object = Object::read(text).unwrap();
        for name in ["a", "b", "x"] {
            assert_eq!(object.stamp(name), Stamp::Absent);
            assert!(!object.has(name) && object.whole(name) == Ok(None) && object.id(name) == Ok(None));
        }
        assert_eq!(object.stamp("c"), Stamp::At("2021-02-06 11:37:18".parse().unwrap()));
        assert_eq!(object.stamp("d"), Stamp::Odd("\"yesterday\"".to_owned()));
        assert_eq!(object.stamp("e"), Stamp::Odd("7".to_owned()));
    }

    proptest! {
        #[test]
        fn comments_never_break_a_text(text in "[a{}\"/\\\\\n é:1,]{0,40}") {
            let plain = without_comments(&text);
            prop_assert_eq!(plain.len(), text.len());
            let again = without_comments(&plain).into_owned();
            prop_assert_eq!(again, plain.into_owned());
        }

        #[test]
        fn an_amount_is_read_as_it_was_written(fen: u64) {
            let text = format!("{{\"n\":{0},\"t\":\"{0}\"}}", Fen(fen));
            let object = Object::read(&text).unwrap();
            prop_assert_eq!((object.amount("n"), object.amount("t")), (Ok(Some(Fen(fen))), Ok(Some(Fen(fen)))));
        }
    }
}
