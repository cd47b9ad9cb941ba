//! A text for people that is made where no language is known: both stand side by side, and one that lacks the other does
//! not compile.

use serde::{Deserialize, Serialize};

/// The same in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// English; also what JSON and logs say.
    pub en: String,
    /// Chinese, simplified.
    pub zh: String,
}

impl Said {
    /// The same in both.
    #[must_use]
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Said {
        Said { en: en.into(), zh: zh.into() }
    }

    /// A word of JSON, or bytes: the same whatever the language.
    #[must_use]
    pub fn word(word: impl Into<String>) -> Said {
        let word = word.into();
        Said { en: word.clone(), zh: word }
    }
}
