//! Setting keys in a configuration's text: what a person wrote, and every comment, stays.

use std::ops::Range;
use toml::Value;

/// The text with `key` of `section` (empty: before all sections) set to `value`. A line that sets the key already, or a
/// comment that shows its default (`#key = …`), gives its place.
#[must_use]
pub fn set(text: &str, section: &str, key: &str, value: &Value) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = format!("{key} = {value}");
    let Some(range) = range_of(&lines, section) else {
        lines.extend([String::new(), format!("[{section}]"), line]);
        return joined(&lines);
    };
    let sets = |prefix: &str| {
        let of_key = |line: &String| {
            let rest = line.trim_start().strip_prefix(prefix)?.strip_prefix(key)?;
            rest.trim_start().starts_with('=').then_some(())
        };
        range.clone().find(|&n| lines.get(n).and_then(of_key).is_some())
    };
    match sets("").or_else(|| sets("#")) {
        Some(n) => {
            if let Some(old) = lines.get_mut(n) {
                *old = line;
            }
        }
        // Before the empty line that parts it from the next section.
        None => {
            let mut at = range.end;
            while at > range.start && lines.get(at - 1).is_some_and(|line| line.trim().is_empty()) {
                at -= 1;
            }
            lines.insert(at, line);
        }
    }
    joined(&lines)
}

/// The text without the line that sets `key` of `section`.
#[must_use]
pub fn unset(text: &str, section: &str, key: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let sets =
        |line: &String| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    if let Some(range) = range_of(&lines, section)
        && let Some(n) = range.clone().find(|&n| lines.get(n).is_some_and(sets))
    {
        lines.remove(n);
    }
    joined(&lines)
}

/// The lines below a section's header, up to the next.
fn range_of(lines: &[String], section: &str) -> Option<Range<usize>> {
    let is_header = |line: &String| line.trim_start().starts_with('[');
    let start = match section {
        "" => 0,
        _ => {
            let named = |line: &String| {
                let line = line.split('#').next().unwrap_or_default().trim();
                line.strip_prefix('[').and_then(|l| l.strip_suffix(']')).is_some_and(|name| name.trim() == section)
            };
            lines.iter().position(named)?.saturating_add(1)
        }
    };
    let end = lines.iter().skip(start).position(is_header).map_or(lines.len(), |n| start.saturating_add(n));
    Some(start..end)
}

fn joined(lines: &[String]) -> String {
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# head\nmachine_no = \"00000000\"\n\n[broker]\nurl = \"mqtts://a\" # why\n#protocol = \"5\"\n\n[board] # ours\nport = \"p\"\n";

    fn text_of(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn a_key_is_set_where_it_stands_or_where_its_default_is_shown() {
        let text = set(TEXT, "", "machine_no", &text_of("00012345"));
        let text = set(&text, "broker", "protocol", &text_of("3.1.1"));
        assert_eq!(text, TEXT.replace("00000000", "00012345").replace("#protocol = \"5\"", "protocol = \"3.1.1\""));
        assert_eq!(set(&text, "broker", "protocol", &text_of("3.1.1")), text, "again changes nothing");
    }

    #[test]
    fn a_key_or_a_section_that_is_not_there_is_added() {
        let text = set(TEXT, "broker", "username", &text_of("u"));
        assert_eq!(text, TEXT.replace("#protocol = \"5\"\n", "#protocol = \"5\"\nusername = \"u\"\n"));
        let text = set(TEXT, "board", "profile", &text_of("adh815"));
        assert_eq!(text, format!("{TEXT}profile = \"adh815\"\n"));
        let text = set(TEXT, "time", "trust", &text_of("system"));
        assert_eq!(text, format!("{TEXT}\n[time]\ntrust = \"system\"\n"));
    }

    #[test]
    fn a_key_is_taken_out_with_its_line_and_only_in_its_section() {
        let text = format!("{TEXT}url = \"x\"\n");
        assert_eq!(unset(&text, "board", "url"), TEXT);
        assert_eq!(unset(TEXT, "cloud", "url"), TEXT);
        assert_eq!(unset(TEXT, "broker", "protocol"), TEXT, "a comment sets nothing");
    }

    #[test]
    fn neither_a_key_of_another_section_nor_one_whose_name_is_longer_is_touched() {
        let text = set(TEXT, "cloud", "url", &text_of("https://c"));
        assert!(
            text.contains("url = \"mqtts://a\" # why") && text.ends_with("[cloud]\nurl = \"https://c\"\n"),
            "{text}"
        );
        let text = set("[report]\nallow_hosts = []\n", "report", "allow", &Value::Boolean(true));
        assert_eq!(text, "[report]\nallow_hosts = []\nallow = true\n");
    }
}
