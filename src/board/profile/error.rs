//! Why a profile cannot be used, and where in its text the reason stands.

use crate::excerpt::{Place, Source, show};
use crate::order::said::{InChinese, Said};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// What to do about every mistake in a profile.
const HINT: (&str, &str) = ("boards/README.md says what each key means", "各键的含义见 boards/README.md");

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No built-in profile and no file of that name.
    #[error("there is no board profile {name:?}; the built-in ones are {}. A path to a file is taken too", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not a profile: a key or a word that there is not, a text for a number.
    #[error("{}", shown(origin, place, message, HINT.0))]
    Syntax {
        /// File or built-in name.
        origin: String,
        /// Where.
        place: Place,
        /// From the TOML reader.
        message: String,
    },
    /// A value contradicts another or the family.
    #[error("{}", shown(origin, place, &format!("{key}: {}", problem.en), HINT.0))]
    Value {
        /// File or built-in name.
        origin: String,
        /// Where the value stands, or what is nearest to it if it is missing.
        place: Place,
        /// The key.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: Box<Said>,
    },
}

impl InChinese for ProfileError {
    fn zh(&self) -> String {
        match self {
            ProfileError::Unknown { name, known } => {
                format!("没有板卡配置 {name:?}；内置的有：{}。也可以给出文件路径", known.join(", "))
            }
            ProfileError::Read { path, source } => format!("{}：{}", path.display(), source.zh()),
            ProfileError::Syntax { origin, place, message } => {
                shown(origin, place, &format!("TOML 有误：{message}"), HINT.1)
            }
            ProfileError::Value { origin, place, key, problem } => {
                shown(origin, place, &format!("{key}：{}", problem.zh), HINT.1)
            }
        }
    }
}

fn shown(origin: &str, place: &Place, message: &str, hint: &str) -> String {
    let mut text = String::new();
    show(&mut text, Path::new(origin), place, message, hint);
    text
}

/// A value that contradicts another or the family, not yet placed.
pub(in crate::board) struct Mistake {
    key: &'static str,
    /// The entry below the key that is meant, in a table whose keys are not fixed.
    entry: Option<String>,
    problem: Said,
}

impl Mistake {
    pub(in crate::board) fn new(key: &'static str, problem: Said) -> Mistake {
        Mistake { key, entry: None, problem }
    }

    pub(super) fn of_entry(key: &'static str, entry: &str, problem: Said) -> Mistake {
        Mistake { key, entry: Some(entry.to_owned()), problem }
    }

    pub(super) fn placed(self, origin: &str, text: &str) -> ProfileError {
        let path: Vec<&str> = self.key.split('.').chain(self.entry.as_deref()).collect();
        let place = source(origin, text).place(span_of(text, &path));
        ProfileError::Value { origin: origin.to_owned(), place, key: self.key, problem: self.problem.into() }
    }
}

/// The TOML reader's own error, with its place.
pub(super) fn syntax(origin: &str, text: &str, error: &toml::de::Error) -> ProfileError {
    let place = source(origin, text).place(error.span().unwrap_or(0..0));
    ProfileError::Syntax { origin: origin.to_owned(), place, message: error.message().trim_end().to_owned() }
}

fn source<'a>(origin: &'a str, text: &'a str) -> Source<'a> {
    Source { path: Path::new(origin), text }
}

/// Where the value of a key stands. Of one that is missing: its section's header, or else the family, which asked for
/// it.
fn span_of(text: &str, path: &[&str]) -> Range<usize> {
    let Ok(document) = DeTable::parse(text) else { return 0..0 };
    let nearest = |path: &[&str]| {
        let (mut table, mut nearest) = (document.get_ref(), None);
        for segment in path {
            let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == segment) else { break };
            let Some(inner) = value.get_ref().as_table() else { return Some(value.span()) };
            nearest = Some(key.span());
            table = inner;
        }
        nearest
    };
    nearest(path).or_else(|| nearest(&["family"])).unwrap_or(0..0)
}
