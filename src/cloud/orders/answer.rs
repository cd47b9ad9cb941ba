//! What the three clouds' answers have in common: a code and a text under names of their own, and what is wrong with
//! an answer.

use super::json::{Object, without_comments};
use crate::cloud::api_codes::RetryClass;
use crate::cloud::envelope::shown;
use std::fmt;

/// Longest answer that is read, in bytes: a page of a hundred orders is a third of it.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A cloud's name, as a configuration writes it; one word each (glossary). It stands in the cloud's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloudName(pub &'static str);

impl fmt::Display for CloudName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why a cloud refused, as far as the caller acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody is logged in. Passes with the next session.
    LogIn,
    /// Who asks may not.
    NotAllowed,
    /// A parameter is missing or wrong, or the signature.
    BadRequest,
    /// The signature's time is over.
    TooLate,
    /// There is no such order.
    NoSuchOrder,
    /// The order's status does not allow it: ask for the order.
    WrongStatus,
    /// What was ordered cannot be had.
    NotForSale,
    /// The cloud is in trouble.
    Trouble,
    /// A code that nobody documents.
    Undocumented,
}

impl Refusal {
    /// What to do next after a refusal over this HTTP status. It says nothing about the order.
    const fn class(self, status: u16) -> RetryClass {
        match self {
            // A server in trouble is not to be believed about the rest.
            _ if status >= 500 => RetryClass::Retry,
            Refusal::LogIn | Refusal::Trouble => RetryClass::Retry,
            Refusal::NotAllowed
            | Refusal::BadRequest
            | Refusal::TooLate
            | Refusal::NoSuchOrder
            | Refusal::WrongStatus
            | Refusal::NotForSale => RetryClass::Final,
            Refusal::Undocumented => RetryClass::of_http(status),
        }
    }
}

/// Why a call did not get the wanted answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Another HTTP status than 2xx, without a code of the cloud.
    #[error("{cloud} answered with HTTP {status} and no code of its own: check its url and the session")]
    Http {
        /// Who answered.
        cloud: CloudName,
        /// The status.
        status: u16,
    },
    /// Over [`ANSWER_BYTES_MAX`].
    #[error("the answer of {cloud} has {bytes} bytes; at most {ANSWER_BYTES_MAX} are read: ask for shorter pages")]
    TooLarge {
        /// Who answered.
        cloud: CloudName,
        /// Its length.
        bytes: usize,
    },
    /// A page of a proxy, half a body, or nothing.
    #[error(
        "the answer is not JSON of {cloud} ({why}), it begins with {start:?}: check its url, and for a proxy or log-in page on the network"
    )]
    NotTheCloud {
        /// Who should have answered.
        cloud: CloudName,
        /// What the reader stumbled over.
        why: String,
        /// How it begins.
        start: String,
    },
    /// The cloud refused.
    #[error("{cloud} refused with code {code} ({meaning}) over HTTP {status}: {text}")]
    Refused {
        /// Who refused.
        cloud: CloudName,
        /// The HTTP status.
        status: u16,
        /// The cloud's code.
        code: i64,
        /// What the caller can act on.
        refusal: Refusal,
        /// The code's documented meaning.
        meaning: &'static str,
        /// The cloud's text.
        text: String,
    },
    /// The code says success, and what would prove it is not there.
    #[error("the answer says success and proves nothing: it has no {field}")]
    Missing {
        /// The member, with its place.
        field: String,
    },
    /// A member that cannot be read without guessing.
    #[error("{field} should be {wanted}, and is {found}")]
    Odd {
        /// The member, with its place.
        field: String,
        /// What it should be.
        wanted: &'static str,
        /// What stands there, cut short.
        found: String,
    },
    /// An answer about another order.
    #[error("{cloud} answered about order {answered:?} instead of {asked:?}")]
    OtherOrder {
        /// Who answered.
        cloud: CloudName,
        /// The order that was asked for.
        asked: String,
        /// The order in the answer.
        answered: String,
    },
}

impl AnswerError {
    /// What to do next with the call. It says nothing about the order: one whose query fails for good may be paid.
    #[must_use]
    pub const fn class(&self) -> RetryClass {
        match self {
            AnswerError::Http { status, .. } => RetryClass::of_http(*status),
            AnswerError::NotTheCloud { .. } | AnswerError::Missing { .. } => RetryClass::Retry,
            AnswerError::Refused { refusal, status, .. } => refusal.class(*status),
            AnswerError::TooLarge { .. } | AnswerError::Odd { .. } | AnswerError::OtherOrder { .. } => {
                RetryClass::Final
            }
        }
    }

    /// Why the cloud refused, if that is what happened.
    #[must_use]
    pub const fn refusal(&self) -> Option<Refusal> {
        match self {
            AnswerError::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }
}

/// How one cloud words its answers.
pub(super) struct Dialect {
    pub(super) cloud: CloudName,
    /// The member with the code, 0 for success.
    pub(super) code: &'static str,
    /// The member with the text for people.
    pub(super) text: &'static str,
    /// Whether its answers hold `// …` comments.
    pub(super) comments: bool,
    /// What its codes mean.
    pub(super) meaning: fn(i64) -> (Refusal, &'static str),
}

impl Dialect {
    /// Reads an answer; `success` reads what stands beside the code 0.
    pub(super) fn read<T>(
        &self,
        status: u16,
        body: &[u8],
        success: impl FnOnce(&Object) -> Result<T, AnswerError>,
    ) -> Result<T, AnswerError> {
        let cloud = self.cloud;
        if body.len() > ANSWER_BYTES_MAX {
            return Err(AnswerError::TooLarge { cloud, bytes: body.len() });
        }
        let is_success = (200..300).contains(&status);
        let unreadable = |why: &dyn fmt::Display| {
            if !is_success {
                return AnswerError::Http { cloud, status };
            }
            let start = shown(String::from_utf8_lossy(body).trim());
            AnswerError::NotTheCloud { cloud, why: shown(&why.to_string()), start }
        };
        let text = std::str::from_utf8(body).map_err(|e| unreadable(&e))?;
        let text = if self.comments { without_comments(text) } else { text.into() };
        let answer = Object::read(&text).map_err(|e| unreadable(&e))?;
        // No cloud of the three leaves out a code that is 0.
        let code = answer.whole(self.code).and_then(|code| answer.need(self.code, code)).map_err(|e| unreadable(&e))?;
        if code != 0 {
            let (refusal, meaning) = (self.meaning)(code);
            let text = answer.prose(self.text).ok().flatten().unwrap_or_default();
            return Err(AnswerError::Refused { cloud, status, code, refusal, meaning, text: shown(&text) });
        }
        if !is_success {
            return Err(AnswerError::Http { cloud, status });
        }
        success(&answer)
    }
}
