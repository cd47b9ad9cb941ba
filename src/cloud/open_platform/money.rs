//! Money: the platform writes "3.00", we count fen. Never floating point.

use super::answer::text;
use crate::cloud::envelope::shown;
use crate::order::said::InChinese;
pub use crate::order::stock::Fen;
use serde_json::Value;
use std::fmt;

/// An amount that cannot be read without guessing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no amount; digits with at most two decimals are wanted, like \"3.00\"")]
pub struct BadAmount {
    /// What stands there, cut short.
    pub found: String,
}

impl InChinese for BadAmount {
    fn zh(&self) -> String {
        format!("{:?} 不是金额；应为至多两位小数的数字，如 \"3.00\"", self.found)
    }
}

/// An amount in an answer. An odd one is kept as such: nothing is guessed, and no vend hangs on it.
pub type Price = Result<Fen, BadAmount>;

impl Fen {
    /// Reads "3.00", "3.5" or "3".
    ///
    /// # Errors
    /// [`BadAmount`] for anything else: a sign, a unit, a third decimal, more than 64 bits of fen.
    pub fn parse(text: &str) -> Price {
        let bad = || BadAmount { found: shown(text) };
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let (whole, decimals) = match text.split_once('.') {
            None => (text, "0"),
            Some((whole, decimals)) => (whole, decimals),
        };
        if whole.is_empty() || !digits(whole) || !digits(decimals) {
            return Err(bad());
        }
        let cents: u64 = match decimals.len() {
            1 => decimals.parse::<u64>().map_err(|_| bad())?.saturating_mul(10),
            2 => decimals.parse().map_err(|_| bad())?,
            _ => return Err(bad()),
        };
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        whole.checked_mul(100).and_then(|fen| fen.checked_add(cents)).map(Fen).ok_or_else(bad)
    }

    /// So many times this amount; nothing when it does not fit.
    #[must_use]
    pub fn times(self, n: u64) -> Option<Fen> {
        self.0.checked_mul(n).map(Fen)
    }
}

/// As the platform writes it: "3.00".
impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// An amount in an answer; 0 when it is left out.
pub(super) fn price(value: &Value) -> Price {
    match text(value) {
        Some(text) if !text.is_empty() => Fen::parse(&text),
        Some(_) => Ok(Fen(0)),
        None if value.is_null() => Ok(Fen(0)),
        // A fraction as a JSON number has lost its digits already.
        None => Err(BadAmount { found: shown(&value.to_string()) }),
    }
}
