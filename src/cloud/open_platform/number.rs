//! Ids that the platform counts: numbers, each of its own kind.

use super::answer::whole;
use crate::order::said::InChinese;
pub use crate::order::stock::ProductId;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// Not a number that the platform counts with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no id; a whole number from 1 is wanted, as the lists of the cloud show it")]
pub struct BadNumber(pub String);

impl InChinese for BadNumber {
    fn zh(&self) -> String {
        format!("{:?} 不是编号；应为从 1 起的整数，与云端列表所示相同", self.0)
    }
}

/// What all ids have, also those that the journal keeps.
macro_rules! numbers {
    ($name:ident) => {
        impl $name {
            /// From an answer; nothing when it is left out, since ids begin with 1.
            pub(super) fn read(value: &Value) -> Option<Self> {
                Some(whole(value)).filter(|&n| n > 0).map($name)
            }
        }

        impl FromStr for $name {
            type Err = BadNumber;
            fn from_str(text: &str) -> Result<Self, BadNumber> {
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let number = text.parse().ok().filter(|&n: &u64| digits && n > 0);
                number.map($name).ok_or_else(|| BadNumber(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident;)+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        numbers! { $name }
    )+ };
}

numbers! { ProductId }

ids! {
    /// A category of one machine's products, often a row.
    CategoryId;
    /// A pickup code on the platform's books; not the code that the customer types.
    PickupCodeId;
}
