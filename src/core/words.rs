//! Every word that stands in a document for people, by what it is about: JSON carries it in English, and whoever shows it
//! looks here for what people read. Each type has its words in one list (`order::said::words`); this is the list of types.

use super::event::Level;
use super::letters::Wait;
use super::pickup::CodeStanding;
use crate::order::instruction::{Became, Kind, Refused, Who};
use crate::order::life;
use crate::order::outcome::{OfMotor, OfSensor, Reason, UnitOutcome};
use crate::order::report::{CopyState, DeadReason};
use crate::order::said::{Said, Word};
use crate::order::sale;
use crate::order::stock::Condition;
use crate::order::sync::Difference;

/// Makes the list: what words are about, what that is called on the pages, and the type that has them.
macro_rules! abouts {
    ($($(#[$doc:meta])* $about:ident = $key:literal: $type:ty;)*) => {
        /// What a word is about: the same word may mean another thing elsewhere.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum About {
            $($(#[$doc])* $about,)*
        }

        impl About {
            /// All of them.
            pub const ALL: &'static [About] = &[$(About::$about,)*];

            /// What the pages call it.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(About::$about => $key,)* }
            }

            /// Every word there is.
            #[must_use]
            pub const fn words(self) -> &'static [Word] {
                match self { $(About::$about => <$type>::WORDS,)* }
            }
        }
    };
}

abouts! {
    /// Where an order stands, and each of its units.
    Order = "order": life::State;
    /// What became of a unit.
    Outcome = "outcome": UnitOutcome;
    /// Why a unit was refused.
    Reason = "reason": Reason;
    /// What the motor did.
    Motor = "motor": OfMotor;
    /// What the drop sensor saw.
    Sensor = "sensor": OfSensor;
    /// Where a report, a copy or a call stands.
    Copy = "copy": CopyState;
    /// Why one is dead.
    Dead = "dead": DeadReason;
    /// What one waits for.
    Wait = "wait": Wait;
    /// What the platform's books do not agree about.
    Difference = "difference": Difference;
    /// How a slot is.
    Slot = "slot": Condition;
    /// Where a pickup code stands.
    Code = "code": CodeStanding;
    /// Where a sale stands.
    Sale = "sale": sale::State;
    /// Why a sale is not served.
    SaleWhy = "sale_why": sale::Why;
    /// What was wanted, in the audit.
    Deed = "deed": Kind;
    /// Who wanted it.
    Who = "who": Who;
    /// What became of it.
    Became = "became": Became;
    /// Why it was refused.
    Refused = "refused": Refused;
    /// How much an event matters.
    Level = "level": Level;
}

impl About {
    /// A word of a document for people, also one with a number behind it, like `status 404`. One that this program does
    /// not know, since the daemon is a newer one, stays as it is.
    #[must_use]
    pub fn said(self, word: &str) -> Said {
        let (head, rest) = word.split_once(' ').unwrap_or((word, ""));
        let known = self.words().iter().find(|known| known.json == head);
        let zh = match (known, rest) {
            (None, _) => word.to_owned(),
            (Some(known), "") => known.zh.to_owned(),
            (Some(known), rest) => format!("{} {rest}", known.zh),
        };
        Said::new(word, zh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_word_has_both_languages_and_no_two_of_one_kind_are_the_same() {
        for about in About::ALL {
            let words = about.words();
            assert!(!words.is_empty(), "{about:?}");
            for word in words {
                let is_json = word.json.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                assert!(is_json && !word.json.is_empty(), "{about:?}: {word:?}");
                assert!(word.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{about:?}: {word:?}");
                assert!(!word.zh.chars().any(|c| c.is_ascii_alphabetic()), "{about:?}: {word:?}");
                assert_eq!(about.said(word.json), word.said());
            }
            let different = |of: fn(&Word) -> &'static str| words.iter().map(of).collect::<BTreeSet<_>>().len();
            assert_eq!(different(|word| word.json), words.len(), "{about:?}");
            assert_eq!(different(|word| word.zh), words.len(), "{about:?}");
        }
        let keys: BTreeSet<&str> = About::ALL.iter().map(|about| about.key()).collect();
        assert_eq!(keys.len(), About::ALL.len());
    }

    #[test]
    fn a_number_stays_behind_its_word_and_an_unknown_word_as_it_is() {
        assert_eq!(About::Dead.said("status 404"), Said::new("status 404", "状态码 404"));
        assert_eq!(About::Order.said("from_the_future"), Said::word("from_the_future"));
    }
}
