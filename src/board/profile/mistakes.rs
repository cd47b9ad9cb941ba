//! Every key of a profile with a mistake in it: what is said, and where the caret stands.

use super::{Profile, ProfileError};
use crate::excerpt::Place;
use crate::order::said::InChinese as _;
use std::collections::BTreeSet;

/// What stands above the carets.
fn marked(place: &Place) -> String {
    place.text.chars().skip(place.column - 1).take(place.carets).collect()
}

/// A change of a built-in profile; the key that is blamed; what is marked. A word that is no key's is blamed by the
/// TOML reader, under no key: then it stands in brackets.
const MISTAKES: &[(&str, &str, &str, &str, &str)] = &[
    ("tcn-00ff", "name = \"tcn-00ff\"", "name = \"\"", "name", "\"\""),
    ("tcn-00ff", "title = \"TCN driver board (00 FF complement pairs)\"", "title = \" \"", "title", "\" \""),
    ("tcn-belt", "source = \"Dart", "source = 5 #", "[source]", "5"),
    ("tcn-00ff", "family = \"tcn-00ff\"", "family = \"tcn\"", "[family]", "\"tcn\""),
    ("adh815", "\"held-until-acknowledged\"", "\"push-only\"", "recovery_class", "\"push-only\""),
    ("tcn-00ff", "recovery_class = \"none\"", "recovery_class = \"nothing\"", "[recovery_class]", "\"nothing\""),
    ("tcn-00ff", "lacks = [", "lacks = [3,", "[lacks]", "3"),
    ("tcn-00ff", "baud = 9600", "baud = 0", "link.baud", "0"),
    ("tcn-00ff", "baud = 9600", "baud = 9600\nparity = \"evn\"", "[link.parity]", "\"evn\""),
    ("tcn-00ff", "first_on_wire = 0", "first_on_wire = 255", "addresses.first_on_wire", "255"),
    ("tcn-00ff", "first_on_wire = 0", "first_on_wire = 256", "[addresses.first_on_wire]", "256"),
    ("lock-cu", "first_on_wire = 0", "first_on_wire = 12", "addresses.first_on_wire", "12"),
    ("tcn-00ff", "count = 8", "count = 9", "addresses.count", "9"),
    ("tcn-00ff", "first = 1", "first = 81", "slots.first", "81"),
    ("tcn-00ff", "first = 1", "first = 0", "slots.first", "0"),
    ("xy-v3", "first = 1", "first = 0", "slots.first", "0"),
    ("tcn-00ff", "last = 80", "last = 81", "slots.last", "81"),
    ("xy-v3", "last = 1000", "last = 1001", "slots.last", "1001"),
    ("adh815", "last = 99", "last = 256", "slots.last", "256"),
    ("tcn-csc-8c", "last = 58", "last = 59", "slots.last", "59"),
    ("tcn-csc-8c", "last = 58", "last = 48", "slots.last", "48"),
    ("tcn-00ff", "last = 80", "last = 80\ngaps = [5, 81]", "slots.gaps", "[5, 81]"),
    ("tcn-csc-8c", "gaps = [41", "gaps = [9, 41", "slots.gaps", "[9, 41, 42, 43, 44]"),
    ("tcn-00ff", "last = 80", "last = 1\ngaps = [1]", "slots.gaps", "[1]"),
    ("tcn-00ff", "last = 80", "last = 80\nhundred_an_address = 1", "[slots.hundred_an_address]", "1"),
    ("adh815-cascade", "last = 99", "last = 100", "slots.last", "100"),
    ("tcn-csc-8c", "rows = 6", "rows = 0", "slots.rows", "0"),
    ("tcn-csc-8c", "columns = 8\n", "", "slots.rows", "6"),
    ("tcn-csc-8c", "rows = 6\n", "", "slots.columns", "8"),
    ("tcn-csc-8c", "columns = 8", "columns = 0", "slots.columns", "0"),
    ("tcn-csc-8c", "columns = 8", "columns = 11", "slots.columns", "11"),
    ("tcn-csc-8c", "columns = 8", "columns = 65535", "slots.columns", "65535"),
    ("tcn-csc-8c", "row*10+column", "row*8+column", "[slots.formula]", "\"row*8+column\""),
    ("tcn-00ff", "last = 80", "last = 80\nformula = \"row*10+column\"", "slots.formula", "\"row*10+column\""),
    ("adh814-from-1", "code_base = 1", "code_base = 65500", "slots.code_base", "65500"),
    ("adh815-cascade", "last = 99", "last = 99\ncode_base = 1", "slots.code_base", "1"),
    (
        "adh814-from-1",
        "code_base = 1",
        "code_base = 1\ncode_formula = \"row*10+column\"",
        "slots.code_formula",
        "\"row*10+column\"",
    ),
    (
        "tcn-csc-8c",
        "columns = 8",
        "columns = 8\ncode_formula = \"row*10+column\"",
        "slots.code_formula",
        "\"row*10+column\"",
    ),
    ("adh815", "floor_type = \"spring\"", "floor_type = \"coil\"", "[defaults.floor_type]", "\"coil\""),
    ("adh815", "lift = false", "lift = \"no\"", "[defaults.lift]", "\"no\""),
    ("adh815", "drop_check = true", "drop_check = 1", "[defaults.drop_check]", "1"),
    ("adh815", "longest_vend_ms = 15000", "longest_vend_ms = 600001", "timing.longest_vend_ms", "600001"),
    ("adh815", "longest_vend_ms = 15000", "longest_vend_ms = 0", "timing.longest_vend_ms", "0"),
    ("adh815", "reply_ms = 500", "reply_ms = 60001", "timing.reply_ms", "60001"),
    ("adh815", "poll_ms = 300", "poll_ms = 0", "timing.poll_ms", "0"),
    ("adh815", "min_gap_ms = 50", "min_gap_ms = 60001", "timing.min_gap_ms", "60001"),
    ("adh815", "min_gap_ms = 50", "min_gap_ms = 50\nretries = 6", "timing.retries", "6"),
    ("tcn-00ff", "reply_ms = 1000", "reply_ms = 1000\nretries = 0", "timing.retries", "0"),
    ("adh815", "adh_variant = \"815\"", "", "options.adh_variant", "options"),
    ("adh815", "[options]\nadh_variant = \"815\"", "", "options.adh_variant", "\"adh\""),
    ("adh815", "\"815\"\n", "\"816\"\n", "[options.adh_variant]", "\"816\""),
    ("xy-v3", "direct_drive_len = 5", "direct_drive_len = 4", "options.direct_drive_len", "4"),
    ("m102", "motor_type = \"three-wire\"", "", "options.motor_type", "options"),
    ("m102", "motor_type", "crc_suffix = \"\"\nmotor_type", "options.crc_suffix", "\"\""),
    ("lock-8a", "short_when = \"locked\"", "", "options.short_when", "options"),
    ("adh815", "adh_variant", "echo = true\nadh_variant", "options.echo", "true"),
    ("lift-c7", "columns = 10", "columns = 0", "options.grid", "grid"),
    ("ubox-e7", "online_type = 2", "online_type = 5", "options.online_type", "5"),
    ("vmc96", "longest_vend_ms = 10000", "longest_vend_ms = 4780", "timing.longest_vend_ms", "4780"),
    ("adh815", "adh_variant", "relays = {light = 1}\nadh_variant", "options.relays", "relays"),
    ("tcn-00ff", "[link]", "[outcomes]\n256 = {motor = \"ok\", drop_sensor = \"none\"}\n[link]", "outcomes", "256"),
    (
        "tcn-00ff",
        "[link]",
        "[outcomes]\n5 = {motor = \"burnt\", drop_sensor = \"none\"}\n[link]",
        "[outcomes]",
        "\"burnt\"",
    ),
];

#[test]
fn every_mistake_is_told_by_its_key_with_line_and_caret() {
    for &(name, from, to, key, above_carets) in MISTAKES {
        let (_, text) = Profile::built_in().into_iter().find(|(known, _)| *known == name).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{name} has no {from:?}");
        let error = Profile::parse("mine.toml", &changed).expect_err(to);
        let (blamed, place) = match &error {
            ProfileError::Value { key, place, .. } => ((*key).to_owned(), place),
            ProfileError::Syntax { place, .. } => (key.trim_matches(['[', ']']).to_owned(), place),
            other => panic!("{other}"),
        };
        assert_eq!(matches!(error, ProfileError::Syntax { .. }), key.starts_with('['), "{name}: {to}: {error}");
        assert_eq!(blamed, key.trim_matches(['[', ']']), "{name}: {to}: {error}");
        assert_eq!(marked(place), above_carets, "{name}: {to}: {error}");
        let line = changed.lines().nth(place.line - 1).unwrap();
        assert!(line.contains(above_carets), "{name}: {to}: {error}");
        assert!(error.to_string().starts_with(&format!("mine.toml:{}:{}: ", place.line, place.column)), "{error}");
    }
}

#[test]
fn every_mistake_is_told_in_chinese_with_the_same_numbers_and_no_english_sentence() {
    let numbers = |text: &str| -> BTreeSet<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
    };
    for &(name, from, to, ..) in MISTAKES {
        let (_, text) = Profile::built_in().into_iter().find(|(known, _)| *known == name).unwrap();
        let error = Profile::parse("mine.toml", &text.replacen(from, to, 1)).expect_err(to);
        let zh = error.zh();
        assert!(zh.contains("各键的含义见"), "{zh}");
        let ProfileError::Value { problem, .. } = &error else { continue };
        assert!(problem.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{problem:?}");
        assert_eq!(numbers(&problem.en), numbers(&problem.zh), "{problem:?}");
        let english = ["the", "must", "is", "be", "of", "to", "a", "for", "at", "needs", "beside"];
        assert!(!problem.zh.split(' ').any(|word| english.contains(&word)), "{problem:?}");
        assert!(zh.contains(&problem.zh) && zh.contains("mine.toml:"), "{zh}");
    }
}

#[test]
fn no_key_is_without_a_mistake_that_is_told() {
    let blamed: BTreeSet<&str> = MISTAKES.iter().map(|mistake| mistake.3.trim_matches(['[', ']'])).collect();
    let profile = serde_json::to_value(Profile::find("tcn-00ff", std::path::Path::new(".")).unwrap()).unwrap();
    for (name, value) in profile.as_object().unwrap() {
        match value.as_object().filter(|_| name != "outcomes") {
            None => assert!(blamed.contains(name.as_str()), "{name}"),
            Some(section) => {
                for key in section.keys() {
                    assert!(blamed.contains(format!("{name}.{key}").as_str()), "{name}.{key}");
                }
            }
        }
    }
}

#[test]
fn a_mistake_looks_as_one_in_the_configuration() {
    let (_, text) = Profile::built_in().into_iter().find(|(known, _)| *known == "adh815").unwrap();
    let wrong = text.replace("reply_ms = 500", "reply_ms = 0");
    let line = wrong.lines().position(|line| line == "reply_ms = 0").unwrap() + 1;
    let error = Profile::parse("boards/mine.toml", &wrong).unwrap_err().to_string();
    let shown = format!(
        "boards/mine.toml:{line}:12: timing.reply_ms: must be 1 to 60000\n   |\n{line} | reply_ms = 0\n   |            ^\n   \
         = boards/README.md says what each key means"
    );
    assert_eq!(error, shown);
}
