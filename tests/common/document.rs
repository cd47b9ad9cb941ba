//! The documents that say which tests show what: their tables, and the tests that they name.

use crate::tree::in_module;

/// The cells of a table's row; nothing for any other line.
pub fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

/// The files that have a test of this name, `module::name` or `name`.
pub fn files_with_test<'a>(sources: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    let parts: Vec<&str> = name.split("::").collect();
    let Some((name, modules)) = parts.split_last() else { return Vec::new() };
    let has_test = |text: &str| {
        text.match_indices(&format!("fn {name}(")).any(|(at, _)| {
            let above = text[..at].trim_end_matches("async ").trim_end_matches(' ').lines().rev();
            let mut above = above.take_while(|l| !l.trim().is_empty() && l.trim() != "}");
            above.any(|l| l.contains("#[test]") || l.contains("#[tokio::test"))
        })
    };
    sources.iter().filter(|(file, text)| in_module(file, modules) && has_test(text)).map(|(f, _)| f.as_str()).collect()
}
