//! The repository as text, for tests that read it.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository, by its path from the root.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below a folder whose name ends so: paths from the root with their texts, sorted.
pub fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().is_some_and(|name| name.ends_with(ending)) {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
                found.push((name, text));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no {ending}");
    found
}

/// What stands between single backticks in a Markdown text, outside fenced blocks.
pub fn in_backticks(markdown: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (nth, part) in markdown.split("```").enumerate() {
        if nth % 2 == 0 {
            found.extend(part.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// `a::b::c`: c is defined in (or is a variant or method in) a file whose module path ends in a::b, where a leading
/// type name (`Type::method`) is looked for in the same file.
pub fn item_exists(sources: &[(String, String)], name: &str) -> bool {
    let parts: Vec<&str> = name.trim_start_matches("crate::").split("::").collect();
    let (item, path) = parts.split_last().unwrap();
    let (types, modules): (Vec<&str>, Vec<&str>) =
        path.iter().partition(|part| part.starts_with(|c: char| c.is_ascii_uppercase()));
    sources.iter().any(|(file, text)| {
        in_module(file, &modules)
            && types.iter().all(|name| defines(text, name))
            && (defines(text, item) || (!types.is_empty() && has_variant(text, item)))
    })
}

/// The module path of a file holds these modules, one after another.
pub fn in_module(file: &str, modules: &[&str]) -> bool {
    let path = Path::new(file).with_extension("");
    let parts: Vec<&str> = path.iter().filter_map(|p| p.to_str()).filter(|p| *p != "mod").collect();
    modules.is_empty() || parts.windows(modules.len()).any(|window| window == modules)
}

fn defines(text: &str, item: &str) -> bool {
    ["fn", "struct", "enum", "trait", "const", "static", "type", "mod"].iter().any(|kind| {
        let definition = format!("{kind} {item}");
        text.match_indices(&definition).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + definition.len()..].chars().next();
            let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
            !word(before) && !word(after)
        })
    })
}

fn has_variant(text: &str, variant: &str) -> bool {
    text.lines().any(|line| {
        line.trim_start().strip_prefix(variant).is_some_and(|rest| rest.is_empty() || rest.starts_with([',', '(', ' ']))
    })
}
