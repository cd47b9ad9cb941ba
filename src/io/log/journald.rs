//! The log as the system's journal wants it: each line one datagram with fields, so that `journalctl ORDER=80001:1` tells an
//! order's story and `journalctl -u vend -p warning` what went wrong. On standard error all of it would be one text of one
//! priority. (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>)

use super::Lines;
use rustix::fs::fstat;
use std::fmt::{Debug, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Where the system's journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";
/// What systemd says of standard error, where that is its journal: device and inode.
pub(super) const STREAM_VARIABLE: &str = "JOURNAL_STREAM";
/// So long a line waits for a journal that does not read; then it is lost. A log must never keep a motor waiting, and a
/// board gives 100 ms.
const PATIENCE: Duration = Duration::from_millis(20);
/// Longest text of a line, in bytes. A datagram has room for some 200 KiB; nothing that is to be read is so long.
const MESSAGE_BYTES_MAX: usize = 16 * 1_024;
/// Longest name of a field: the journal drops longer ones.
const NAME_BYTES_MAX: usize = 64;

/// Whether standard error of this process is the system's journal. A variable that was inherited by somebody whose output
/// goes elsewhere says nothing.
#[must_use]
pub(super) fn is_our_stderr() -> bool {
    let Ok(stream) = std::env::var(STREAM_VARIABLE) else { return false };
    fstat(std::io::stderr()).is_ok_and(|stat| format!("{}:{}", stat.st_dev, stat.st_ino) == stream)
}

/// A log that ends in the system's journal.
pub(super) struct Journald {
    socket: UnixDatagram,
}

impl Journald {
    /// To the journal that listens at `path`.
    ///
    /// # Errors
    /// When nobody does.
    pub(super) fn connect(path: &Path) -> io::Result<Journald> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Journald { socket })
    }
}

impl Lines for Journald {
    fn write(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        // There is nowhere left to say that the log is gone.
        let _lost = self.socket.send(&line.datagram(*event.metadata().level()));
    }
}

/// The numbers of syslog.
const fn priority(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("3", "ERROR"),
        Level::WARN => ("4", "WARN"),
        Level::INFO => ("6", "INFO"),
        Level::DEBUG => ("7", "DEBUG"),
        Level::TRACE => ("7", "TRACE"),
    }
}

/// One line of the log, as its fields are told.
#[derive(Debug, Default)]
struct Line {
    text: String,
    /// What stands behind the text too, for whoever has no fields: rsyslog, `grep`, a bundle.
    behind: String,
    fields: Vec<(String, String)>,
}

impl Line {
    fn take(&mut self, field: &Field, value: String, shown: &str) {
        if field.name() == "message" {
            self.text = value;
            return;
        }
        let _ = write!(self.behind, " {}={shown}", field.name());
        let upper = field.name().to_ascii_uppercase();
        let name: String =
            upper.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(NAME_BYTES_MAX).collect();
        self.fields.push((name, value));
    }

    fn datagram(&self, level: Level) -> Vec<u8> {
        let (number, word) = priority(level);
        let mut text = format!("{word} {}{}", self.text, self.behind);
        text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
        let mut datagram = Vec::new();
        for (name, value) in [("PRIORITY", number), ("SYSLOG_IDENTIFIER", "vend"), ("MESSAGE", &text)] {
            put(&mut datagram, name, value);
        }
        for (name, value) in &self.fields {
            put(&mut datagram, name, &value[..value.floor_char_boundary(MESSAGE_BYTES_MAX)]);
        }
        datagram
    }
}

/// A value with an end of line in it is preceded by its length.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend(name.as_bytes());
    if value.contains('\n') {
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        datagram.push(b'\n');
        datagram.extend(length.to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend(value.as_bytes());
    datagram.push(b'\n');
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned(), &format!("{value:?}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}");
        self.take(field, value.clone(), &value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Log;
    use super::*;
    use tracing_subscriber::filter::{LevelFilter, Targets};

    /// What the journal hears of what is logged.
    fn heard(log: impl FnOnce()) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        journal.set_nonblocking(true).unwrap();
        let all = Targets::new().with_default(LevelFilter::TRACE);
        let (subscriber, _control) = Log::new(all, Journald::connect(&path).unwrap());
        tracing::subscriber::with_default(subscriber, log);
        let mut datagrams = Vec::new();
        let mut datagram = vec![0; 64 * 1_024];
        while let Ok(length) = journal.recv(&mut datagram) {
            datagrams.push(datagram[..length].to_vec());
        }
        datagrams
    }

    #[test]
    fn a_line_has_its_priority_and_the_keys_by_which_it_is_found() {
        let order = Some(tracing::field::display("80001:1"));
        let nothing: Option<u64> = None;
        let told = heard(|| {
            tracing::warn!(
                what = "unit",
                machine = "16327129",
                order,
                slot = Some(12_u16),
                nothing,
                "slot {}",
                "stuck"
            );
        });
        let expected = "PRIORITY=4\nSYSLOG_IDENTIFIER=vend\n\
            MESSAGE=WARN slot stuck what=\"unit\" machine=\"16327129\" order=80001:1 slot=12\n\
            WHAT=unit\nMACHINE=16327129\nORDER=80001:1\nSLOT=12\n";
        assert_eq!(String::from_utf8_lossy(&told[0]), expected);
        assert_eq!(told.len(), 1);
    }

    #[test]
    fn no_text_from_outside_makes_a_field_of_its_own() {
        let told = heard(|| tracing::info!(what = "x\nORDER=1", "two\nPRIORITY=0"));
        let mut expected = b"PRIORITY=6\nSYSLOG_IDENTIFIER=vend\nMESSAGE\n".to_vec();
        let message = b"INFO two\nPRIORITY=0 what=\"x\\nORDER=1\"";
        expected.extend(u64::try_from(message.len()).unwrap().to_le_bytes());
        expected.extend(message);
        expected.extend(b"\nWHAT\n");
        expected.extend(9_u64.to_le_bytes());
        expected.extend(b"x\nORDER=1\n");
        assert_eq!(String::from_utf8_lossy(&told[0]), String::from_utf8_lossy(&expected));
    }

    #[test]
    fn a_line_that_is_too_long_keeps_its_beginning() {
        let told = heard(|| tracing::error!("{}", "可".repeat(MESSAGE_BYTES_MAX)));
        assert!(told[0].len() < MESSAGE_BYTES_MAX + 100 && told[0].starts_with(b"PRIORITY=3\n"));
        assert!(std::str::from_utf8(&told[0]).is_ok(), "cut between characters");
    }

    #[test]
    fn a_journal_that_does_not_read_costs_a_moment_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _journal = UnixDatagram::bind(&path).unwrap();
        let log = Journald::connect(&path).unwrap();
        assert_eq!(log.socket.write_timeout().unwrap(), Some(PATIENCE));
        let full = (0..100_000).find_map(|_| log.socket.send(b"MESSAGE=x\n").err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
