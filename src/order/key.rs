//! What names an order: machine_no + order_id + record_id.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest order_id or record_id, in characters (contract, section 2).
pub const ID_CHARS_MAX: usize = 64;

/// An order_id or record_id: 1–64 of `0-9 A-Z a-z _ . -`, kept as text ("060" is not 60).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(Box<str>);

/// Why a text is not an [`Id`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing was given.
    #[error("is empty; 1 to {ID_CHARS_MAX} of 0-9 A-Z a-z _ . - are wanted")]
    Empty,
    /// More than [`ID_CHARS_MAX`].
    #[error("has {0} characters; at most {ID_CHARS_MAX} are allowed")]
    TooLong(usize),
    /// A character outside the alphabet.
    #[error("contains {0:?}; only 0-9 A-Z a-z _ . - are allowed")]
    Character(char),
}

impl Id {
    /// Reads an id, refusing what could not be told apart later.
    ///
    /// # Errors
    /// [`IdError`] says which rule of the contract was broken.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if let Some(c) = text.chars().find(|&c| !allowed(c)) {
            return Err(IdError::Character(c));
        }
        if text.len() > ID_CHARS_MAX {
            return Err(IdError::TooLong(text.len()));
        }
        Ok(Id(text.into()))
    }

    /// The text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a JSON number when it is a canonical integer below 2^53 (contract, section 3).
    #[must_use]
    pub fn as_canonical_integer(&self) -> Option<u64> {
        let n: u64 = self.0.parse().ok()?;
        (n < 1 << 53 && n.to_string() == *self.0).then_some(n)
    }
}

impl TryFrom<String> for Id {
    type Error = IdError;
    fn try_from(s: String) -> Result<Self, IdError> {
        Id::parse(&s)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        id.0.into()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The key of an order. The machine_no is the same for all orders of one journal and stands in its meta record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The platform's order id.
    pub order_id: Id,
    /// The platform's line id within the order.
    pub record_id: Id,
}

impl Key {
    /// The bytes under which the journal keeps the order: `order_id 00 record_id`. Neither id can hold 00.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.order_id.0.len() + 1 + self.record_id.0.len());
        bytes.extend_from_slice(self.order_id.0.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.record_id.0.as_bytes());
        bytes
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.order_id, self.record_id)
    }
}

/// The machine's number: exactly 8 digits, kept as text because of leading zeros.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineNo(Box<str>);

/// Why a text is not a [`MachineNo`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("machine_no must be a string of exactly 8 digits, like \"00012345\"; this one has {found:?}")]
pub struct MachineNoError {
    /// What was given.
    pub found: String,
}

impl MachineNo {
    /// Reads a machine number.
    ///
    /// # Errors
    /// When it is not exactly 8 ASCII digits.
    pub fn parse(text: &str) -> Result<Self, MachineNoError> {
        if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(MachineNo(text.into()))
        } else {
            Err(MachineNoError { found: text.to_owned() })
        }
    }

    /// The eight digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MachineNo {
    type Error = MachineNoError;
    fn try_from(s: String) -> Result<Self, MachineNoError> {
        MachineNo::parse(&s)
    }
}

impl From<MachineNo> for String {
    fn from(no: MachineNo) -> String {
        no.0.into()
    }
}

impl fmt::Display for MachineNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MachineNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_text_and_060_is_not_60() {
        assert_ne!(Id::parse("060"), Id::parse("60"));
        assert_eq!(Id::parse("060").unwrap().as_canonical_integer(), None);
        assert_eq!(Id::parse("60").unwrap().as_canonical_integer(), Some(60));
        assert_eq!(Id::parse("9007199254740991").unwrap().as_canonical_integer(), Some((1 << 53) - 1));
        assert_eq!(Id::parse("9007199254740992").unwrap().as_canonical_integer(), None);
    }

    #[test]
    fn an_id_outside_its_alphabet_or_length_is_refused() {
        assert_eq!(Id::parse(""), Err(IdError::Empty));
        assert_eq!(Id::parse("a b"), Err(IdError::Character(' ')));
        assert_eq!(Id::parse("單"), Err(IdError::Character('單')));
        assert_eq!(Id::parse(&"x".repeat(65)), Err(IdError::TooLong(65)));
        assert!(Id::parse(&"x".repeat(64)).is_ok());
    }

    #[test]
    fn a_machine_no_has_exactly_eight_digits() {
        assert!(MachineNo::parse("00012345").is_ok());
        for bad in ["", "1234567", "123456789", "1234567a", "１２３４５６７８"] {
            assert!(MachineNo::parse(bad).is_err(), "{bad}");
        }
    }
}
