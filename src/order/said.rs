//! A text for people that is made where no language is known: both stand side by side, and one that lacks the other does
//! not compile.

use super::system_words::in_chinese;
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
    /// The same in both. What the system says of an error is put in Chinese too.
    #[must_use]
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Said {
        Said { en: en.into(), zh: in_chinese(zh.into()) }
    }

    /// So long, in the unit that a person would choose.
    #[must_use]
    pub fn duration(seconds: u64) -> Said {
        let said = |n: u64, en: &str, zh: &str| Said::new(format!("{n} {en}"), format!("{n} {zh}"));
        match seconds {
            0..=119 => said(seconds, "s", "秒"),
            120..=7_199 => said(seconds / 60, "min", "分钟"),
            7_200..=172_799 => said(seconds / 3_600, "h", "小时"),
            _ => said(seconds / 86_400, "d", "天"),
        }
    }

    /// What it is, and how it is.
    #[must_use]
    pub fn beside(&self, more: &Said) -> Said {
        Said { en: format!("{} {}", self.en, more.en), zh: format!("{} {}", self.zh, more.zh) }
    }

    /// Several, one behind the other.
    #[must_use]
    pub fn list<'a>(all: impl IntoIterator<Item = &'a Said>) -> Said {
        let (en, zh): (Vec<&str>, Vec<&str>) = all.into_iter().map(|said| (&*said.en, &*said.zh)).unzip();
        Said { en: en.join(", "), zh: zh.join("，") }
    }

    /// A number, a name, bytes: the same whatever the language, but for what the system says.
    #[must_use]
    pub fn word(word: impl Into<String>) -> Said {
        let word = word.into();
        Said { zh: in_chinese(word.clone()), en: word }
    }

    /// What it is, and then what is said of it.
    #[must_use]
    pub fn then(&self, more: &Said) -> Said {
        Said::new(format!("{}: {}", self.en, more.en), format!("{}：{}", self.zh, more.zh))
    }
}

/// An error whose English is its `Display`, for logs and JSON, and whose Chinese stands beside it. Written as a match over
/// all variants, so that one without its Chinese does not compile.
pub trait InChinese: std::fmt::Display {
    /// Its Chinese, with the same values and the same advice.
    fn zh(&self) -> String;

    /// Both.
    fn said(&self) -> Said {
        Said::new(self.to_string(), self.zh())
    }
}

/// The system's own words, of which the frequent ones have their Chinese in one place.
impl InChinese for std::io::Error {
    fn zh(&self) -> String {
        in_chinese(self.to_string())
    }
}

/// What the reader of JSON says: its own words in English, ours in Chinese, by their kind and place. What it quotes of the
/// text stays.
impl InChinese for serde_json::Error {
    fn zh(&self) -> String {
        use serde_json::error::Category;
        let place = format!("第 {} 行第 {} 列", self.line(), self.column());
        match self.classify() {
            Category::Io => "读取失败".to_owned(),
            Category::Eof => format!("JSON 不完整（{place}）"),
            Category::Syntax => format!("JSON 语法有误（{place}）"),
            Category::Data => {
                let said = self.to_string();
                let quoted = said.split('`').nth(1).map(|name| format!("`{name}`，")).unwrap_or_default();
                format!("JSON 内容不合要求（{quoted}{place}）")
            }
        }
    }
}

/// What a text in both languages quotes in both: an error of ours, or another such text. Not what is English alone.
pub trait Spoken {
    /// Both.
    fn spoken(&self) -> Said;
}

impl<E: InChinese + ?Sized> Spoken for E {
    fn spoken(&self) -> Said {
        self.said()
    }
}

impl Spoken for Said {
    fn spoken(&self) -> Said {
        self.clone()
    }
}

/// What is the same whatever the language: a number, a name, a path, a word of somebody else. No error of ours.
pub trait Same: std::fmt::Display {}

macro_rules! same {
    ($($type:ty),* $(,)?) => { $(impl Same for $type {})* };
}

same! {
    u8, u16, u32, u64, usize, i32, i64, char, str, String, std::borrow::Cow<'_, str>, std::path::Display<'_>,
    std::slice::EscapeAscii<'_>, super::key::Id, super::key::Key, super::stock::ProductId,
}

impl<T: Same + ?Sized> Same for &T {}

/// What a text quotes as it is.
pub const fn same<T: Same + ?Sized>(what: &T) -> &T {
    what
}

/// A text in both languages, and by construction nothing in the Chinese one that is English alone: whatever either quotes is
/// named behind the two. First what is itself in both languages ([`Spoken`]), then, behind a semicolon, what is the same in
/// both ([`Same`]): `said!("{path} does not read: {why}", "{path} 无法读取：{why}", why; path = path.display())`. What is
/// named and not quoted in both does not compile, nor what is quoted and not named, since a text that comes out of `concat!`
/// sees no variables around it.
macro_rules! said {
    (@of $name:ident) => { $name };
    (@of $name:ident $value:expr) => { $value };
    ($en:literal, $zh:literal $(, $spoken:ident $(= $error:expr)?)* $(; $($same:ident $(= $value:expr)?),+)? $(,)?) => {{
        #[allow(unused_imports, reason = "a text that quotes numbers alone speaks of nothing")]
        use $crate::order::said::Spoken as _;
        $(let $spoken = ($crate::order::said::said!(@of $spoken $($error)?)).spoken();)*
        $($(let $same = &$crate::order::said::said!(@of $same $($value)?);)+)?
        $crate::order::said::Said::new(
            format!(concat!($en), $($spoken = $spoken.en,)* $($($same = $crate::order::said::same($same),)+)?),
            format!(concat!($zh), $($spoken = $spoken.zh,)* $($($same = $crate::order::said::same($same),)+)?),
        )
    }};
}
pub(crate) use said;

/// A word of JSON beside what people read in Chinese. English people read JSON's own: it is what scripts, logs and the
/// documents say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// In JSON, in logs, and in English.
    pub json: &'static str,
    /// In Chinese, simplified.
    pub zh: &'static str,
}

impl Word {
    /// The same in both languages.
    #[must_use]
    pub fn said(self) -> Said {
        Said::new(self.json, self.zh)
    }
}

/// Gives a type its words, JSON's and the Chinese one side by side in one list: a value without both does not compile,
/// and a list of all words that lacks one cannot be written.
macro_rules! words {
    ($type:ident { $($value:pat => $json:literal, $zh:literal;)* }) => {
        impl $type {
            /// Every word of it.
            pub const WORDS: &'static [$crate::order::said::Word] =
                &[$($crate::order::said::Word { json: $json, zh: $zh },)*];

            /// Its word, for JSON and for people.
            #[must_use]
            pub const fn word(self) -> $crate::order::said::Word {
                match self { $($value => $crate::order::said::Word { json: $json, zh: $zh },)* }
            }

            /// Its word in JSON, in logs and in messages.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                self.word().json
            }
        }
    };
}
pub(crate) use words;
