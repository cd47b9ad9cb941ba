//! What a command puts on standard output: its result and nothing else, in the form that was asked for.

use super::lang::Lang;
use crate::control::Versioned;
use clap::Args;
use comfy_table::{Cell, ContentArrangement, Table, TableComponent, presets};
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write};

/// Columns of a terminal that does not say how many it has: the VT100's, which every later one can show.
pub(super) const COLUMNS_DEFAULT: u16 = 80;
/// And its lines.
pub(super) const ROWS_DEFAULT: u16 = 24;

/// The form of a result.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct OutputArgs {
    /// One JSON document, with schema_version
    #[arg(long, conflicts_with = "plain")]
    pub json: bool,
    /// Columns separated by TAB, without a header
    #[arg(long)]
    pub plain: bool,
}

/// A terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
    /// It shows colour, and may.
    pub colour: bool,
}

/// The form of a result, and where it goes.
pub struct Output<'a> {
    /// The language for people.
    pub lang: Lang,
    /// Where the result goes.
    out: &'a mut dyn Write,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    /// TAB separated: asked for, or nobody looks.
    Plain,
    /// Tables with lines, for a terminal.
    Terminal {
        colour: bool,
        columns: u16,
    },
}

impl<'a> Output<'a> {
    /// Standard output in the form that `args`, the terminal and the environment (NO_COLOR, TERM) ask for.
    pub fn new(out: &'a mut dyn Write, args: OutputArgs, lang: Lang) -> Output<'a> {
        let form = if args.json {
            Form::Json
        } else if args.plain || !io::stdout().is_terminal() {
            Form::Plain
        } else {
            Form::Terminal { colour: colour_wanted(|name| std::env::var(name).ok()), columns: terminal_columns() }
        };
        Output { lang, out, form }
    }

    /// A JSON document is wanted, and no words.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Columns separated by TAB are wanted, or nobody looks.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.form == Form::Plain
    }

    /// Where to show what changes in place: columns and lines of the terminal, and whether it has colour. Nothing when
    /// nobody looks at one.
    #[must_use]
    pub fn screen(&self) -> Option<Screen> {
        let Form::Terminal { colour, columns } = self.form else { return None };
        let rows = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_row);
        Some(Screen { columns, rows: if rows > 0 { rows } else { ROWS_DEFAULT }, colour })
    }

    /// Writes one document on one line; `document` must serialise to an object.
    ///
    /// # Errors
    /// When the other end takes no more.
    pub fn json(&mut self, document: &impl Serialize) -> io::Result<()> {
        // To memory first, as the daemon writes its documents: a second kind of writer would be a second copy of the
        // machine code for each of them.
        let mut line = serde_json::to_vec(&Versioned::of(document))?;
        line.push(b'\n');
        self.out.write_all(&line)
    }

    /// Writes a line, or several, as they are.
    ///
    /// # Errors
    /// When the other end takes no more.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", text.trim_end_matches('\n'))
    }

    /// Writes a line that says that something is good; green where there is colour, and in words anyway.
    ///
    /// # Errors
    /// When the other end takes no more.
    pub fn good(&mut self, text: &str) -> io::Result<()> {
        match self.form {
            Form::Terminal { colour: true, .. } => writeln!(self.out, "\x1b[32m{text}\x1b[0m"),
            _ => writeln!(self.out, "{text}"),
        }
    }

    /// Writes rows: a table with a header on a terminal, TAB separated otherwise.
    ///
    /// # Errors
    /// When the other end takes no more.
    pub fn table(&mut self, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        if let Form::Terminal { columns, .. } = self.form {
            let mut table = Table::new();
            table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(columns);
            // No line between rows: twice as many fit on a screen.
            for line in [
                TableComponent::HorizontalLines,
                TableComponent::MiddleIntersections,
                TableComponent::LeftBorderIntersections,
                TableComponent::RightBorderIntersections,
            ] {
                table.remove_style(line);
            }
            table.set_header(header.iter().map(Cell::new));
            for row in rows {
                table.add_row(row);
            }
            return writeln!(self.out, "{table}");
        }
        for row in rows {
            // A TAB or line end inside a cell would shift the columns after it.
            let cells: Vec<String> = row.iter().map(|cell| cell.replace(['\t', '\n', '\r'], " ")).collect();
            writeln!(self.out, "{}", cells.join("\t"))?;
        }
        Ok(())
    }

    /// Sends what is still held back.
    ///
    /// # Errors
    /// When the other end takes no more.
    pub fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// How wide the terminal is. A serial console says 0 and means that it does not know.
fn terminal_columns() -> u16 {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col,
        _ => COLUMNS_DEFAULT,
    }
}

/// Colour unless NO_COLOR says anything or the terminal is dumb (no-color.org).
pub(crate) fn colour_wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    variable("NO_COLOR").is_none_or(|v| v.is_empty()) && variable("TERM").is_some_and(|t| t != "dumb")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "memory takes everything, and all of it is text")]
fn written(form: Form, lang: Lang, write: impl FnOnce(&mut Output<'_>) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut Output { lang, out: &mut bytes, form }).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// What a terminal of so many columns shows.
#[cfg(test)]
pub(super) fn on_terminal(columns: u16, lang: Lang, write: impl FnOnce(&mut Output<'_>) -> io::Result<()>) -> String {
    written(Form::Terminal { colour: false, columns }, lang, write)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, write: impl FnOnce(&mut Output<'_>) -> io::Result<()>) -> String {
        super::written(form, Lang::En, write)
    }

    #[test]
    fn a_cell_cannot_shift_the_columns_of_plain_output() {
        let rows = [vec!["a\tb".to_owned(), "c\nd".to_owned()]];
        assert_eq!(written(Form::Plain, |out| out.table(&["x", "y"], &rows)), "a b\tc d\n");
    }

    #[test]
    fn a_table_with_chinese_text_is_straight() {
        let rows = [vec!["饮料".to_owned(), "1".to_owned()], vec!["cola".to_owned(), "2".to_owned()]];
        let table =
            written(Form::Terminal { colour: false, columns: COLUMNS_DEFAULT }, |out| out.table(&["名称", "n"], &rows));
        let column = |line: &str, c: char| {
            line.chars().take_while(|&x| x != c).map(|x| 1 + usize::from(x > '\u{2e80}')).sum::<usize>()
        };
        let lines: Vec<&str> = table.lines().collect();
        let of = |c: char| lines.iter().find(|l| l.contains(c)).map(|l| column(l, c)).unwrap();
        assert_eq!(of('1'), of('2'), "{table}");
        assert_eq!(of('1'), of('n'), "{table}");
    }

    #[test]
    fn json_carries_its_version_first() {
        let json = written(Form::Json, |out| out.json(&serde_json::json!({"name": "x"})));
        assert_eq!(json, "{\"schema_version\":1,\"name\":\"x\"}\n");
    }

    #[test]
    fn no_color_and_a_dumb_terminal_mean_no_colour() {
        let wanted = |no_color: Option<&str>, term: Option<&str>| {
            colour_wanted(|name| match name {
                "NO_COLOR" => no_color.map(str::to_owned),
                _ => term.map(str::to_owned),
            })
        };
        assert!(wanted(None, Some("xterm")) && wanted(Some(""), Some("xterm")));
        assert!(!wanted(Some("1"), Some("xterm")) && !wanted(None, Some("dumb")) && !wanted(None, None));
    }
}
