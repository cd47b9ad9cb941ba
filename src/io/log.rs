//! The log: standard error, or the system's journal where that keeps standard error anyway. Level by `VEND_LOG` (like
//! `debug` or `vend=debug`), info by default; it can be another one for a while.
//!
//! A subscriber of our own, since every vend is told in two lines: there are no spans here, and the layers, registry and
//! formatters that serve them were a tenth of what a vend cost. A line looks as theirs did.

mod journald;

use crate::io::clock;
use crate::order::civil::{Civil, Zone};
use crate::order::time::UnixMs;
use journald::Journald;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;

/// Where the level stands.
pub const VARIABLE: &str = "VEND_LOG";
/// The memory of a longer line, in bytes, is given back: usual ones are a tenth of it.
const LINE_KEPT_BYTES: usize = 2_048;

/// Changes the level of a running log.
#[derive(Debug)]
pub struct LogControl(Weak<Filter>);

impl LogControl {
    /// From now on what is at least so loud: a level's word. False if there is no log that could be changed.
    #[must_use]
    pub fn set(&self, level: &str) -> bool {
        level.parse().is_ok_and(|targets| self.put(targets))
    }

    /// As it was at the start.
    pub fn restore(&self) {
        self.put(at_start());
    }

    fn put(&self, targets: Targets) -> bool {
        let Some(filter) = self.0.upgrade() else { return false };
        *filter.0.write().unwrap_or_else(PoisonError::into_inner) = targets;
        tracing::callsite::rebuild_interest_cache();
        true
    }
}

/// Targets and levels only: filters by span and field would bring a regular-expression engine into the binary.
fn at_start() -> Targets {
    let wanted = std::env::var(VARIABLE).ok().and_then(|text| text.parse::<Targets>().ok());
    wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO))
}

/// Starts the log of this process. A second call changes nothing.
pub fn start() -> LogControl {
    let journal = Some(Path::new(journald::SOCKET)).filter(|_| journald::is_our_stderr());
    let lines: Box<dyn Lines> = match journal.map(Journald::connect) {
        Some(Ok(journal)) => Box::new(journal),
        Some(Err(_)) | None => {
            let look = if std::env::var_os(journald::STREAM_VARIABLE).is_some() {
                // Whoever keeps it adds the time itself, and shows colours as noise.
                Look::Bare
            } else if rustix::termios::isatty(std::io::stderr()) {
                Look::Coloured
            } else {
                Look::Plain
            };
            // Nobody could be told that standard error takes nothing.
            Box::new(Text::new(look, |line| _ = std::io::stderr().write_all(line)))
        }
    };
    let (log, control) = Log::new(at_start(), lines);
    let started = tracing::subscriber::set_global_default(log);
    // Only tests start it twice in one process.
    let _ = started;
    control
}

/// What is logged, and what not.
#[derive(Debug)]
struct Filter(RwLock<Targets>);

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Without the time.
    Bare,
    Plain,
    /// For a terminal.
    Coloured,
}

/// Where lines go.
trait Lines: Send + Sync + 'static {
    /// One line.
    fn write(&self, event: &Event<'_>);
}

impl Lines for Box<dyn Lines> {
    fn write(&self, event: &Event<'_>) {
        (**self).write(event);
    }
}

/// What hears everything, and has its lines written.
struct Log<L> {
    filter: Arc<Filter>,
    lines: L,
}

impl<L: Lines> Log<L> {
    fn new(targets: Targets, lines: L) -> (Log<L>, LogControl) {
        let filter = Arc::new(Filter(RwLock::new(targets)));
        let control = LogControl(Arc::downgrade(&filter));
        (Log { filter, lines }, control)
    }
}

impl<L: Lines> Subscriber for Log<L> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let targets = self.filter.0.read().unwrap_or_else(PoisonError::into_inner);
        metadata.is_event() && targets.would_enable(metadata.target(), metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let targets = self.filter.0.read().unwrap_or_else(PoisonError::into_inner);
        targets.iter().map(|(_, level)| level).chain(targets.default_level()).max()
    }

    fn event(&self, event: &Event<'_>) {
        self.lines.write(event);
    }

    // There are no spans: none is enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Lines of text.
struct Text<O> {
    look: Look,
    /// The last line's memory, for the next.
    kept: Mutex<String>,
    out: O,
}

impl<O: Fn(&[u8])> Text<O> {
    fn new(look: Look, out: O) -> Text<O> {
        Text { look, kept: Mutex::default(), out }
    }
}

impl<O: Fn(&[u8]) + Send + Sync + 'static> Lines for Text<O> {
    fn write(&self, event: &Event<'_>) {
        // Who finds another thread writing makes a line of its own: nobody waits here.
        let mut kept = self.kept.try_lock();
        let mut own = String::new();
        let line = kept.as_deref_mut().unwrap_or(&mut own);
        line.clear();
        if self.look != Look::Bare {
            push_time(line, self.look, clock::wall_us());
        }
        push_level(line, self.look, *event.metadata().level());
        event.record(&mut Fields(line));
        line.push('\n');
        (self.out)(line.as_bytes());
        if line.capacity() > LINE_KEPT_BYTES {
            *line = String::new();
        }
    }
}

/// Like `2026-11-23T00:04:15.786368Z `.
fn push_time(line: &mut String, look: Look, wall_us: u64) {
    let (before, after) = if look == Look::Coloured { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    let at = Civil::at(UnixMs(wall_us / 1_000), Zone::UTC);
    // A text takes everything.
    let _ = write!(line, "{before}{at}.{:06}Z{after} ", wall_us % 1_000_000);
    let space = before.len() + "2026-11-23".len();
    line.replace_range(space..=space, "T");
}

fn push_level(line: &mut String, look: Look, level: Level) {
    let (colour, word) = match level {
        Level::ERROR => ("\x1b[31m", "ERROR"),
        Level::WARN => ("\x1b[33m", " WARN"),
        Level::INFO => ("\x1b[32m", " INFO"),
        Level::DEBUG => ("\x1b[34m", "DEBUG"),
        Level::TRACE => ("\x1b[35m", "TRACE"),
    };
    for part in if look == Look::Coloured { [colour, word, "\x1b[0m"] } else { ["", word, ""] } {
        line.push_str(part);
    }
}

/// The message as it is, the others as ` name=value`.
struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push(' ');
        if field.name() != "message" {
            self.0.push_str(field.name());
            self.0.push('=');
        }
        // A text takes everything.
        let _ = write!(Harmless(self.0), "{value:?}");
    }
}

/// What comes from outside may hold what commands a terminal: it is shown, not obeyed.
struct Harmless<'a>(&'a mut String);

impl fmt::Write for Harmless<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_plain = |byte: u8| (b' '..0x7f).contains(&byte) || matches!(byte, b'\n' | b'\t' | b'\r');
        if text.bytes().all(is_plain) {
            self.0.push_str(text);
            return Ok(());
        }
        for character in text.chars() {
            if character.is_control() && !matches!(character, '\n' | '\t' | '\r') {
                self.0.extend(character.escape_unicode());
            } else {
                self.0.push(character);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines = Arc<Mutex<Vec<String>>>;

    fn logged(filter: &str, look: Look, say: impl FnOnce(&LogControl)) -> Vec<String> {
        let lines = Lines::default();
        let kept = Arc::clone(&lines);
        let push = move |line: &[u8]| kept.lock().unwrap().push(String::from_utf8(line.to_vec()).unwrap());
        let (log, control) = Log::new(filter.parse().unwrap(), Text::new(look, push));
        tracing::subscriber::with_default(log, || say(&control));
        std::mem::take(&mut *lines.lock().unwrap())
    }

    #[test]
    fn a_line_has_its_level_its_message_and_its_fields_as_they_were_given() {
        let lines = logged("info", Look::Bare, |_| {
            let (order, slot) = (Some(tracing::field::display("60:1")), Some(5_u16));
            tracing::info!(
                what = "accepted",
                machine = "16327129",
                order,
                slot,
                kept_back = None::<u64>,
                "order {}",
                7
            );
            tracing::error!(slot = %3, "bad");
            tracing::debug!("not heard");
        });
        let told = " INFO order 7 what=\"accepted\" machine=\"16327129\" order=60:1 slot=5\n";
        assert_eq!(lines, [told, "ERROR bad slot=3\n"]);
    }

    #[test]
    fn the_time_is_utc_to_the_microsecond_and_coloured_on_a_terminal_only() {
        let mut line = String::new();
        push_time(&mut line, Look::Plain, 1_795_392_255_006_368);
        push_level(&mut line, Look::Plain, Level::WARN);
        assert_eq!(line, "2026-11-23T00:04:15.006368Z  WARN");
        let mut line = String::new();
        push_time(&mut line, Look::Coloured, 1_795_392_255_786_368);
        push_level(&mut line, Look::Coloured, Level::INFO);
        assert_eq!(line, "\x1b[2m2026-11-23T00:04:15.786368Z\x1b[0m \x1b[32m INFO\x1b[0m");
        let lines = logged("info", Look::Plain, |_| tracing::info!("now"));
        assert!(lines[0].ends_with("Z  INFO now\n") && lines[0].starts_with("20"), "{lines:?}");
    }

    #[test]
    fn nothing_from_outside_commands_a_terminal() {
        let evil = "a\x1b[2Jb\u{9b}c\x07 é\n";
        let lines = logged("info", Look::Coloured, |_| tracing::warn!(text = %evil, "{evil}"));
        assert_eq!(lines[0].matches("a\\u{1b}[2Jb\\u{9b}c\\u{7} é\n").count(), 2, "{lines:?}");
        assert_eq!(lines[0].matches('\x1b').count(), 4, "only what the log itself wrote");
    }

    #[test]
    fn targets_have_levels_of_their_own_and_the_level_can_be_another_for_a_while() {
        let say = || {
            tracing::debug!(target: "vend::io::line", "line");
            tracing::debug!(target: "rumqttc", "client");
            tracing::info!(target: "rumqttc", "aloud");
        };
        let lines = logged("info,vend=debug", Look::Bare, |control| {
            say();
            assert!(control.set("warn") && !control.set("a=b=c"));
            say();
            assert!(control.set("debug"));
            say();
            control.restore();
            say();
        });
        let (line, client, aloud) = ("DEBUG line\n", "DEBUG client\n", " INFO aloud\n");
        assert_eq!(lines, [line, aloud, line, client, aloud, aloud]);
    }

    #[test]
    fn a_log_that_is_gone_cannot_be_changed() {
        let (log, control) = Log::new(Targets::new(), Text::new(Look::Bare, |_| ()));
        drop(log);
        assert!(!control.set("debug"));
    }

    #[test]
    fn a_long_line_keeps_no_memory_and_who_writes_meanwhile_has_a_line_of_its_own() {
        let lines = Lines::default();
        let heard = Arc::clone(&lines);
        let (log, control) = Log::new(
            at_start(),
            Text::new(Look::Bare, move |line: &[u8]| {
                heard.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
            }),
        );
        let log = Arc::new(log);
        tracing::subscriber::with_default(Arc::clone(&log), || {
            tracing::error!("{}", "x".repeat(LINE_KEPT_BYTES));
            assert_eq!(log.lines.kept.lock().unwrap().capacity(), 0);
            let others = log.lines.kept.lock().unwrap();
            tracing::error!("meanwhile");
            drop(others);
        });
        assert_eq!(lines.lock().unwrap()[1], "ERROR meanwhile\n");
        assert!(control.set("warn"));
    }
}
