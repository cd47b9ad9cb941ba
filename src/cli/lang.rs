//! The language for people. JSON keys, logs and ids stay English.

use crate::core::words::About;
use crate::order::said::Said;
use clap::ValueEnum;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, simplified.
    Zh,
}

impl Lang {
    /// `--lang`, else the first of LC_ALL, LC_MESSAGES and LANG that says anything (POSIX), else English.
    pub fn choose(option: Option<Lang>, variable: impl Fn(&str) -> Option<String>) -> Lang {
        option.unwrap_or_else(|| {
            let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|v| !v.is_empty());
            match locale {
                Some(locale) if locale == "zh" || locale.starts_with("zh_") || locale.starts_with("zh.") => Lang::Zh,
                _ => Lang::En,
            }
        })
    }

    /// One of two texts that stand side by side.
    #[must_use]
    pub fn say<T>(self, en: T, zh: T) -> T {
        match self {
            Lang::En => en,
            Lang::Zh => zh,
        }
    }

    /// A word of a document: JSON's own in English.
    #[must_use]
    pub fn word(self, about: About, word: &str) -> String {
        self.pick(about.said(word))
    }

    /// One behind the other; a dash for none.
    #[must_use]
    pub fn list(self, all: impl IntoIterator<Item = String>) -> String {
        let all: Vec<String> = all.into_iter().collect();
        if all.is_empty() { "-".to_owned() } else { all.join(self.say(", ", "，")) }
    }

    /// One of the two.
    #[must_use]
    pub fn pick(self, both: Said) -> String {
        self.say(both.en, both.zh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(option: Option<Lang>, variables: &[(&str, &str)]) -> Lang {
        Lang::choose(option, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn the_option_comes_before_the_locale_and_an_empty_variable_says_nothing() {
        assert_eq!(chosen(None, &[]), Lang::En);
        assert_eq!(chosen(None, &[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(chosen(Some(Lang::En), &[("LC_ALL", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(chosen(None, &[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")]), Lang::En);
        assert_eq!(chosen(None, &[("LC_ALL", ""), ("LC_MESSAGES", "zh_TW"), ("LANG", "en_GB")]), Lang::Zh);
        assert_eq!(chosen(None, &[("LANG", "zhoo")]), Lang::En);
    }
}
