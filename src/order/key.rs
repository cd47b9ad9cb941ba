//! What names an order: machine_no + order_id + record_id.

use super::said::InChinese;
use crate::sabotage::{self, Clause};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest order_id or record_id, in characters (contract, section 2).
pub const ID_CHARS_MAX: usize = 64;

/// With this begins an id that the machine made itself. No message can name one: [`Id::parse`] refuses it (rule 30).
const OWN: char = '~';

/// An order_id or record_id: 1–64 of `0-9 A-Z a-z _ . -`, kept as text ("060" is not 60). One that the machine made
/// begins with `~`. Shared between its copies: the key of an order is kept in many places at once.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Id(Arc<str>);

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

impl InChinese for IdError {
    fn zh(&self) -> String {
        match self {
            IdError::Empty => format!("为空；应为 1 至 {ID_CHARS_MAX} 个字符：0-9 A-Z a-z _ . -"),
            IdError::TooLong(found) => format!("有 {found} 个字符；至多 {ID_CHARS_MAX} 个"),
            IdError::Character(found) => format!("含有 {found:?}；只能用 0-9 A-Z a-z _ . -"),
        }
    }
}

impl Id {
    /// Reads an id from a message, refusing what could not be told apart later and what only the machine makes.
    ///
    /// # Errors
    /// [`IdError`] says which rule of the contract was broken.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if sabotage::is_out(Clause::R30OwnUnnamed) {
            return Id::read(text);
        }
        Id::checked(text, text)
    }

    /// Reads an id from the journal, or from this machine's own JSON: one of its own too.
    ///
    /// # Errors
    /// [`IdError`] says which rule of the contract was broken.
    pub fn read(text: &str) -> Result<Self, IdError> {
        Id::checked(text, text.strip_prefix(OWN).unwrap_or(text))
    }

    /// An id that the machine makes itself: `~` and this.
    ///
    /// # Errors
    /// When with the `~` it is no id.
    pub fn own(text: &str) -> Result<Self, IdError> {
        Id::read(&format!("{OWN}{text}"))
    }

    /// The whole text is an id if the part of it is made of an id's characters.
    fn checked(whole: &str, text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if let Some(c) = text.chars().find(|&c| !allowed(c)) {
            return Err(IdError::Character(c));
        }
        if whole.len() > ID_CHARS_MAX {
            return Err(IdError::TooLong(whole.len()));
        }
        Ok(Id(whole.into()))
    }

    /// The text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a JSON number when it is a canonical integer below 2^53 (contract, section 3).
    #[must_use]
    pub fn as_canonical_integer(&self) -> Option<u64> {
        let is_canonical = &*self.0 == "0" || !self.0.starts_with('0');
        // Of signs `parse` takes `+` alone, which no id has.
        self.0.parse().ok().filter(|n| is_canonical && *n < 1 << 53)
    }
}

impl TryFrom<String> for Id {
    type Error = IdError;
    fn try_from(s: String) -> Result<Self, IdError> {
        Id::read(&s)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
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

/// What an order of the machine's own is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Own {
    /// Somebody entered a pickup code.
    Pickup,
    /// Somebody tests a slot: it turns a motor and is told to nobody.
    Test,
    /// Somebody has paid at the machine.
    Sale,
}

/// What stands behind the `~` of a pickup's order, before the code's id.
const PICKUP: &str = "p-";
/// What stands behind the `~` of a sale's order, before its number.
const SALE: &str = "s-";
/// What stands behind the `~` of a test vend, before its number.
const TEST: &str = "t-";
/// Every order of the machine's own has one line.
const OWN_RECORD: &str = "1";

impl Key {
    /// The key of the order that a pickup code with this id becomes: always the same, so that a code can never become
    /// two orders (rule 31).
    ///
    /// # Errors
    /// When the id is too long.
    pub fn of_pickup(code_id: &Id) -> Result<Key, IdError> {
        Key::own(&format!("{PICKUP}{code_id}"))
    }

    /// The key of the test vend with this number.
    ///
    /// # Errors
    /// Never; a number is short.
    pub fn of_test(number: u64) -> Result<Key, IdError> {
        Key::own(&format!("{TEST}{number}"))
    }

    /// The key of the order that the sale with this number becomes when it is paid: always the same, so that a sale
    /// can never become two orders (rule 52).
    ///
    /// # Errors
    /// Never; a number is short.
    pub fn of_sale(number: u64) -> Result<Key, IdError> {
        Key::own(&format!("{SALE}{number}"))
    }

    /// Not above any key of this platform order, so that its records are found without a look at all others. No key
    /// of its own: it has no line.
    #[must_use]
    pub fn lowest_of(order_id: &Id) -> Key {
        Key { order_id: order_id.clone(), record_id: Id(Arc::default()) }
    }

    /// Not above any key of a test vend, and above all others: what the machine makes itself comes last, and of that
    /// the tests.
    #[must_use]
    pub fn lowest_of_tests() -> Key {
        Key::lowest_of(&Id(format!("{OWN}{TEST}").into()))
    }

    fn own(text: &str) -> Result<Key, IdError> {
        Ok(Key { order_id: Id::own(text)?, record_id: Id::parse(OWN_RECORD)? })
    }

    /// What the order is for, if the machine made it itself.
    #[must_use]
    pub fn made_for(&self) -> Option<Own> {
        let text = self.order_id.0.strip_prefix(OWN)?;
        Some(match text {
            text if text.starts_with(TEST) => Own::Test,
            text if text.starts_with(SALE) => Own::Sale,
            _ => Own::Pickup,
        })
    }

    /// The machine made it itself: no message can name it (rule 30).
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.made_for().is_some()
    }

    /// It is a test vend: never an order to anybody outside (rule 35).
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.made_for() == Some(Own::Test)
    }

    /// The number of the sale that became this order.
    #[must_use]
    pub fn sale(&self) -> Option<u64> {
        self.order_id.0.strip_prefix(OWN)?.strip_prefix(SALE)?.parse().ok()
    }

    /// The id of the pickup code that became this order.
    #[must_use]
    pub fn pickup_code(&self) -> Option<&str> {
        self.order_id.0.strip_prefix(OWN)?.strip_prefix(PICKUP)
    }

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

/// Why a text names no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing parts the two ids.
    #[error("ORDER_ID:RECORD_ID is wanted")]
    NoPair,
    /// One of them is none.
    #[error("{text:?} {error}")]
    BadId {
        /// What was given.
        text: String,
        /// What is wrong with it.
        error: IdError,
    },
}

impl InChinese for KeyError {
    fn zh(&self) -> String {
        match self {
            KeyError::NoPair => "应写作 ORDER_ID:RECORD_ID".to_owned(),
            KeyError::BadId { text, error } => format!("{text:?} {}", error.zh()),
        }
    }
}

impl FromStr for Key {
    type Err = KeyError;
    /// Reads what is shown of a key: `ORDER_ID:RECORD_ID`, of an order of the machine's own too.
    fn from_str(text: &str) -> Result<Key, KeyError> {
        let (order_id, record_id) = text.split_once(':').ok_or(KeyError::NoPair)?;
        let id = |text: &str| Id::read(text).map_err(|error| KeyError::BadId { text: text.to_owned(), error });
        Ok(Key { order_id: id(order_id)?, record_id: id(record_id)? })
    }
}

/// The machine's number: exactly 8 digits, kept as text because of leading zeros.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct MachineNo(Box<str>);

/// Why a text is not a [`MachineNo`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("machine_no must be a string of exactly 8 digits, like \"00012345\"; this one has {found:?}")]
pub struct MachineNoError {
    /// What was given.
    pub found: String,
}

impl InChinese for MachineNoError {
    fn zh(&self) -> String {
        let MachineNoError { found } = self;
        format!("machine_no 必须正好是 8 位数字的文本，如 \"00012345\"；此处为 {found:?}")
    }
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

impl Serialize for MachineNo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
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
    fn the_keys_of_one_order_stand_together_and_those_of_tests_stand_last() {
        let key = |order: &str, record: &str| Key {
            order_id: Id::parse(order).unwrap(),
            record_id: Id::parse(record).unwrap(),
        };
        let pickup = Key::of_pickup(&Id::parse("zz").unwrap()).unwrap();
        let test = Key::of_test(0).unwrap();
        let all = std::collections::BTreeSet::from([
            key("9", "1"),
            key("10", "zz"),
            key("10", "-"),
            key("10-", "1"),
            key("1", "9"),
            key("zz", "1"),
            pickup,
            test.clone(),
        ]);
        let ten = Id::parse("10").unwrap();
        let found: Vec<&Key> = all.range(Key::lowest_of(&ten)..).take_while(|k| k.order_id == ten).collect();
        assert_eq!(found, [&key("10", "-"), &key("10", "zz")]);
        assert_eq!(all.range(Key::lowest_of_tests()..).collect::<Vec<_>>(), [&test]);
    }

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
    fn rule_30_no_message_can_name_what_the_machine_made_itself() {
        let pickup = Key::of_pickup(&Id::parse("1").unwrap()).unwrap();
        let test = Key::of_test(7).unwrap();
        assert_eq!((pickup.to_string(), test.to_string()), ("~p-1:1".to_owned(), "~t-7:1".to_owned()));
        assert_eq!((pickup.made_for(), test.made_for()), (Some(Own::Pickup), Some(Own::Test)));
        assert_eq!((pickup.pickup_code(), test.pickup_code()), (Some("1"), None));
        let sale = Key::of_sale(9).unwrap();
        assert_eq!((sale.made_for(), sale.sale(), sale.pickup_code()), (Some(Own::Sale), Some(9), None));
        for key in [pickup, test, sale] {
            let text = key.order_id.as_str();
            assert_eq!(Id::parse(text), Err(IdError::Character(OWN)));
            assert_eq!(serde_json::from_value::<Id>(text.into()).unwrap(), key.order_id, "the journal reads it");
            assert_eq!(key.to_string().parse(), Ok(key), "and a person may name it");
        }
        let from_a_message = Key { order_id: Id::parse("p-1").unwrap(), record_id: Id::parse("1").unwrap() };
        assert!(!from_a_message.is_own() && from_a_message.pickup_code().is_none());
        for bad in ["~", "~~p-1", "p~1", ""] {
            assert!(Id::read(bad).is_err(), "{bad}");
        }
        assert_eq!(Key::of_pickup(&Id::parse(&"9".repeat(62)).unwrap()), Err(IdError::TooLong(65)));
    }

    #[test]
    fn a_machine_no_has_exactly_eight_digits() {
        assert!(MachineNo::parse("00012345").is_ok());
        for bad in ["", "1234567", "123456789", "1234567a", "１２３４５６７８"] {
            assert!(MachineNo::parse(bad).is_err(), "{bad}");
        }
    }
}
