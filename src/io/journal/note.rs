//! The note of a quarantine: why it is, in both languages, for the starts that only know that it lasts.

use crate::order::said::Said;

/// Before the Chinese. A vend of before wrote English alone.
const CHINESE: &str = "zh: ";

/// As it stands in the file: a line for each language.
pub(super) fn written(why: &Said) -> String {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}\n{CHINESE}{}\n", one_line(&why.en), one_line(&why.zh))
}

/// What stands in one.
pub(super) fn read(text: &str) -> Said {
    let (chinese, english): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with(CHINESE));
    let en = english.join(" ");
    match chinese.first().and_then(|line| line.strip_prefix(CHINESE)) {
        Some(zh) => Said::new(en, zh),
        None => Said::word(en),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_back_in_both_languages_and_one_of_before_in_its_own() {
        let why = Said::new("the journal\nis torn", "日志\n已损坏");
        assert_eq!(read(&written(&why)), Said::new("the journal is torn", "日志 已损坏"));
        assert_eq!(read("torn at\nthe end"), Said::word("torn at the end"));
    }
}
