//! What is printed at a slot, as buyers read it and enter it at keys.

use super::said::InChinese;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Characters of a label at most: cabinets print one to four, and keypads show no more than eight.
pub const LABEL_CHARS_MAX: usize = 8;

/// What is printed at a slot, like `A3` or `12`. Letters of ASCII are large: nobody at a keypad tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(Box<str>);

/// Nothing that is printed at a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what is printed at a slot is 1 to {LABEL_CHARS_MAX} letters, digits or hyphens")]
pub struct LabelError;

impl InChinese for LabelError {
    fn zh(&self) -> String {
        format!("货道标签应为 1 至 {LABEL_CHARS_MAX} 个字母、数字或连字符")
    }
}

impl Label {
    /// Reads what somebody wrote or entered.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn parse(text: &str) -> Result<Label, LabelError> {
        let text = text.trim();
        let fits = (1..=LABEL_CHARS_MAX).contains(&text.chars().count())
            && text.chars().all(|c| c.is_alphanumeric() || c == '-');
        if fits { Ok(Label(text.to_ascii_uppercase().into())) } else { Err(LabelError) }
    }

    /// As it is printed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a number, where it is one: `05` and `5` are the same to whoever enters them.
    fn number(&self) -> Option<u32> {
        self.0.bytes().all(|b| b.is_ascii_digit()).then(|| self.0.parse().ok()).flatten()
    }

    /// All of these places that it may name: those that print exactly it, or else those that print the same number.
    #[must_use]
    pub fn picks<T: Copy>(&self, printed: &[(T, Label)]) -> Vec<T> {
        let those = |is_it: &dyn Fn(&Label) -> bool| -> Vec<T> {
            printed.iter().filter(|(_, label)| is_it(label)).map(|(place, _)| *place).collect()
        };
        let exactly = those(&|label| label == self);
        match self.number() {
            Some(number) if exactly.is_empty() => those(&|label| label.number() == Some(number)),
            _ => exactly,
        }
    }
}

impl From<u16> for Label {
    fn from(number: u16) -> Label {
        Label(number.to_string().into())
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Label, LabelError> {
        Label::parse(&text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> String {
        label.0.into()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_short_printable_and_the_same_in_small_letters() {
        assert_eq!(Label::parse(" a3 "), Label::parse("A3"));
        assert_eq!(Label::parse("左-3").unwrap().as_str(), "左-3");
        for bad in ["", " ", "A 3", "A\n3", "123456789", "{3}", "\u{202e}3"] {
            assert_eq!(Label::parse(bad), Err(LabelError), "{bad:?}");
        }
    }

    #[test]
    fn what_is_printed_exactly_so_comes_before_what_is_the_same_number() {
        let of = |texts: &[&str]| -> Vec<(usize, Label)> {
            texts.iter().map(|text| Label::parse(text).unwrap()).enumerate().collect()
        };
        let picked = |code: &str, texts: &[&str]| Label::parse(code).unwrap().picks(&of(texts));
        assert_eq!(picked("5", &["05", "A5", "6"]), [0]);
        assert_eq!(picked("05", &["5", "05"]), [1]);
        assert_eq!(picked("5", &["05", "005"]), [0, 1], "which, nobody knows");
        assert_eq!(picked("a5", &["05", "A5", "A5"]), [1, 2]);
        assert_eq!(picked("7", &["5"]), [0; 0]);
    }
}
