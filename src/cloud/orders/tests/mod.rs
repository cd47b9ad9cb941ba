//! The examples of the three documents, to the byte and to the value, and everything that a bad answer may be.
//! `examples/` holds the documents' JSON as it is printed there, comment included.

mod bad_answers;
mod course;
mod interface;
mod mall;
mod songshu;

use super::json::Stamp;
use crate::order::key::Id;

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn at(text: &str) -> Stamp {
    Stamp::At(text.parse().unwrap())
}

fn header<'a>(call: &'a crate::cloud::open_platform::ApiRequest, name: &str) -> Option<&'a str> {
    call.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}
