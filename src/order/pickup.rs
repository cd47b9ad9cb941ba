//! Pickup codes: eight digits that a person enters at the machine, for goods that are paid for elsewhere
//! (cloud 1.7, 1.9). They work without a network, so the machine alone decides that a code is used once, ever.
//!
//! A code is a secret. It is kept as a salted hash: nothing that prints a record, a note or an error can show it.
//! More the hash does not do, since whoever has the journal's files has the salt too and tries all eight digits; what
//! keeps strangers from trying at the machine is the pause after wrong codes.

use super::command::Turns;
use super::key::Id;
use super::life::Arrival;
use super::time::UnixMs;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Digits of a code (cloud 1.7).
pub const CODE_DIGITS: usize = 8;
/// Most units of one code (cloud 1.7).
pub const CODE_QUANTITY_MAX: u8 = 3;
/// Longest product_id that is kept, in bytes: the platform's are numbers of a database.
pub const PRODUCT_ID_BYTES_MAX: usize = 32;

/// The digits of a code, as a person enters them. Never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digits([u8; CODE_DIGITS]);

impl Digits {
    /// Eight ASCII digits, or nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Digits> {
        let digits: [u8; CODE_DIGITS] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Digits(digits))
    }

    /// The digits as text: for whoever must hand them on.
    #[must_use]
    pub fn reveal(&self) -> String {
        self.0.iter().copied().map(char::from).collect()
    }

    /// What is kept of them.
    #[must_use]
    pub fn seal(&self, salt: Salt) -> Sealed {
        Sealed(Md5::new().chain_update(salt.0).chain_update(self.0).finalize().into())
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digits(********)")
    }
}

/// Makes the hashes of one journal's codes differ from those of every other. All codes share it, so that one entered
/// code is hashed once and held against all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt(pub [u8; 16]);

/// The salted hash of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed([u8; 16]);

impl Sealed {
    /// Whether both are of the same digits, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is_of_same(&self, other: &Sealed) -> bool {
        let differs = self.0.iter().zip(other.0).fold(0, |differs, (a, b)| differs | (a ^ b));
        std::hint::black_box(differs) == 0
    }
}

/// A code that may be entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCode {
    /// Its digits, hashed.
    pub sealed: Sealed,
    /// The platform's product.
    pub product_id: Box<str>,
    /// Units, 1…[`CODE_QUANTITY_MAX`].
    pub quantity: u8,
    /// Not believed after this time; without one it holds until it is taken back.
    pub expires_at: Option<UnixMs>,
    /// Where the product lies, if the message says so (our extension).
    pub turns: Option<Turns>,
    /// When it came: within one boot its age is known even when the time is not (rule 28).
    pub arrival: Arrival,
}

/// What a code is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeState {
    /// It may be entered.
    Open(OpenCode),
    /// It was entered here, and its order is [`Key::of_pickup`](super::key::Key::of_pickup). For ever.
    Used(Sealed),
    /// The platform took it back, or says that it was used elsewhere.
    Gone,
}

/// One code. One small journal record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickupCode {
    /// The platform's id.
    pub id: Id,
    /// When the platform issued its newest word about this code, in Unix s: an older one changes nothing.
    pub told_at_s: u64,
    /// What it is good for.
    pub state: CodeState,
}

/// What a journal knows of its codes beside the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeBook {
    /// For the hashes.
    pub salt: Salt,
    /// The newest word (Unix s) of a code that was forgotten: a word about an unknown code is stale at or below it.
    pub forgotten_s: u64,
    /// Wrong codes in a row.
    pub wrong: u32,
}

/// What the platform says about a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeWord {
    /// The platform's id.
    pub id: Id,
    /// Unix seconds when it was said.
    pub issued_at_s: u64,
    /// What is said.
    pub says: CodeSays,
}

/// What is said about a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeSays {
    /// It may be entered.
    Create(NewCode),
    /// It may not be entered, or not any more.
    Gone,
}

/// A code that may be entered, as the platform says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCode {
    /// What is to be entered.
    pub digits: Digits,
    /// The platform's product.
    pub product_id: Box<str>,
    /// Units, 1…[`CODE_QUANTITY_MAX`].
    pub quantity: u8,
    /// Not believed after this time.
    pub expires_at: Option<UnixMs>,
    /// Where the product lies, if it is said.
    pub turns: Option<Turns>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_eight_digits_and_is_never_printed() {
        let digits = Digits::parse("16327138").unwrap();
        assert_eq!(digits.reveal(), "16327138");
        assert!(!format!("{digits:?}").contains("16327138"));
        for bad in ["", "1632713", "163271380", "1632713a", " 6327138", "１２"] {
            assert_eq!(Digits::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_kept_of_a_code_fits_no_other_code_and_no_other_journal() {
        let digits = |text| Digits::parse(text).unwrap();
        let sealed = digits("16327138").seal(Salt([1; 16]));
        assert!(sealed.is_of_same(&digits("16327138").seal(Salt([1; 16]))));
        for (other, salt) in [("16327139", 1), ("06327138", 1), ("16327138", 2)] {
            assert!(!sealed.is_of_same(&digits(other).seal(Salt([salt; 16]))), "{other} {salt}");
        }
    }
}
