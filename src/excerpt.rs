//! Where something stands in a text file, shown with its line and a caret.
//!
//! The TOML reader places its own mistakes; it cannot place ours (its errors take no span from outside), so both
//! are shown by one hand here, from the reader's spans: in the configuration and in a board's profile.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::Path;

/// Names that a person may try to write into the file, and that are credentials.
pub const SECRETS: [&str; 7] =
    ["app_secret", "app_key", "mqtt_password", "sale_session", "web_token", "notify_secret", "sale_password"];

/// A text with the name of the file it came from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file.
    pub path: &'a Path,
    /// What it holds.
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// The line that holds the byte at `offset`, without its end.
    #[must_use]
    pub fn line_of(&self, offset: usize) -> &'a str {
        self.text.get(self.line_start(offset)..).and_then(|rest| rest.lines().next()).unwrap_or_default()
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
    }

    /// Where a section's header stands, or the end of the file, where it can be added.
    #[must_use]
    pub fn section(&self, name: &str) -> Range<usize> {
        let header = format!("[{name}]");
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            if line.trim_start().starts_with(&header) {
                let indent = line.len() - line.trim_start().len();
                return start + indent..start + indent + header.len();
            }
            start += line.len();
        }
        start..start
    }

    /// The place of a span of bytes, for people: lines and columns count from 1, columns in characters.
    #[must_use]
    pub fn place(&self, span: Range<usize>) -> Place {
        let start = span.start.min(self.text.len());
        let line_start = self.line_start(start);
        let line = self.line_of(start);
        let before = self.text.get(line_start..start).unwrap_or_default();
        let marked = self.text.get(start..span.end).unwrap_or_default().lines().next().unwrap_or_default();
        let text = masked(line);
        let column = before.chars().count() + 1;
        let room = (text.chars().count() + 1).saturating_sub(column);
        Place {
            line: self.text.get(..line_start).map_or(1, |above| above.matches('\n').count() + 1),
            column,
            carets: marked.chars().count().min(room).max(1),
            text,
        }
    }
}

/// A line as it may be shown: errors end in logs, and a secret that stands here by mistake must not.
fn masked(line: &str) -> String {
    match line.split_once('=') {
        Some((key, value)) if SECRETS.contains(&key.trim()) || (value.contains("://") && value.contains('@')) => {
            format!("{key}= (hidden)")
        }
        _ => line.to_owned(),
    }
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// How many characters are meant.
    pub carets: usize,
    /// The line's text.
    pub text: String,
}

/// Adds one mistake to a text for people: `file:line:column: what`, the line, the caret below it, and what to do.
pub fn show(out: &mut String, path: &Path, place: &Place, message: &str, hint: &str) {
    let Place { line, column, carets, text } = place;
    let gutter = " ".repeat(line.to_string().len());
    // Tabs before the mark stay tabs, so that the caret stands below it whatever their width.
    let lead: String = text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let marks = "^".repeat(*carets);
    let new_line = if out.is_empty() { "" } else { "\n" };
    let shown: fmt::Result = write!(
        out,
        "{new_line}{}:{line}:{column}: {message}\n{gutter} |\n{line} | {text}\n{gutter} | {lead}{marks}\n{gutter} = {hint}",
        path.display()
    );
    debug_assert!(shown.is_ok(), "a String takes every text");
}
