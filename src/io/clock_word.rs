//! The kernel's word about the clock, for a daemon that may not ask. `vend-clock.service` asks and writes it down, so that
//! the unit that talks to the network needs no system call of the clock family (systemd/vend.service, `ProtectClock=`).
//!
//! The word is one line in a file below /run: the boot time at which the kernel was asked, in ms, and `yes` or `no`. It is
//! written anew every five seconds and at every setting of the clock; one that is older than twenty seconds counts for
//! nothing, and so does one of the future.

use super::clock::{boot_now, kernel_synchronised};
use crate::order::time::BootMs;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the word stands; `RuntimeDirectory=` of systemd/vend-clock.service.
pub const WORD_FILE: &str = "/run/vend-clock/word";
/// How often it is written, in s. Synchronisation comes once in a boot, and an order that waits for it waits this long more.
const EVERY_S: i64 = 5;
/// How long it counts, in ms: three writings may be late on a busy controller. Then nobody vouches for the clock.
const COUNTS_MS: u64 = 20_000;

/// Why nobody says whether the clock is synchronised.
#[derive(Debug, thiserror::Error)]
pub enum NoWord {
    /// The kernel was asked itself, and failed.
    #[error(transparent)]
    Kernel(#[from] io::Error),
    /// What writes the word does not run.
    #[error("{}: {source} (systemctl status vend-clock)", .file.display())]
    Unreadable {
        /// Where it should be.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else stands there.
    #[error("{}: {text:?} is no word about the clock (systemctl status vend-clock)", .file.display())]
    Unknown {
        /// Where.
        file: PathBuf,
        /// What.
        text: String,
    },
    /// What writes it runs no more, or it is of another boot.
    #[error(
        "{}: written {} ms after boot, and it is {} ms now (systemctl status vend-clock)",
        .file.display(),
        .asked.0,
        .now.0
    )]
    TooOld {
        /// Where.
        file: PathBuf,
        /// When it was written.
        asked: BootMs,
        /// When it was read.
        now: BootMs,
    },
}

/// The word that stands in a file.
///
/// # Errors
/// When there is none, or it is too old: what writes it does not run.
pub fn read(file: &Path, now: BootMs) -> Result<bool, NoWord> {
    let place = || file.to_owned();
    let text = fs::read_to_string(file).map_err(|source| NoWord::Unreadable { file: place(), source })?;
    let Some((asked, synchronised)) = parse(&text) else { return Err(NoWord::Unknown { file: place(), text }) };
    if asked > now || now.since_ms(asked) > COUNTS_MS {
        return Err(NoWord::TooOld { file: place(), asked, now });
    }
    Ok(synchronised)
}

fn parse(text: &str) -> Option<(BootMs, bool)> {
    // Without its end it may be half of one.
    let (asked, word) = text.strip_suffix('\n')?.split_once(' ')?;
    let synchronised = match word {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    Some((BootMs(asked.parse().ok()?), synchronised))
}

/// Writes a word, old or new at every moment.
fn write(file: &Path, asked: BootMs, synchronised: bool) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, format!("{} {}\n", asked.0, if synchronised { "yes" } else { "no" }))?;
    fs::rename(&new, file)
}

/// Asks the kernel and writes its word, until it is killed. `first` is called when there is one.
///
/// # Errors
/// When the kernel does not tell, or the file cannot be written.
pub fn keep(file: &Path, first: impl FnOnce()) -> io::Result<std::convert::Infallible> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC)?;
    let mut first = Some(first);
    loop {
        // Set before the kernel is asked: a setting of the clock in between ends the sleep at once.
        timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &in_a_while())?;
        write(file, boot_now(), kernel_synchronised()?)?;
        if let Some(first) = first.take() {
            first();
        }
        match rustix::io::read(&timer, &mut [0; 8]) {
            // Cancelled: the clock was set, or the controller has slept.
            Ok(_) | Err(Errno::CANCELED | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The time of the wall clock at which the word is written again.
fn in_a_while() -> Itimerspec {
    #[allow(clippy::disallowed_methods, reason = "a timer that ends with a setting of the wall clock is set on it")]
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(0));
    let at = Timespec { tv_sec: (now_s + EVERY_S) as _, tv_nsec: 0 };
    Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_for_twenty_seconds_and_never_from_the_future() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("word");
        assert!(read(&file, BootMs(0)).unwrap_err().to_string().contains("vend-clock"), "there is none");
        for synchronised in [true, false] {
            write(&file, BootMs(50_000), synchronised).unwrap();
            assert_eq!(read(&file, BootMs(50_000)).unwrap(), synchronised);
            assert_eq!(read(&file, BootMs(70_000)).unwrap(), synchronised);
            assert!(read(&file, BootMs(70_001)).is_err(), "too old");
            assert!(read(&file, BootMs(49_999)).is_err(), "of another boot");
        }
    }

    #[test]
    fn what_is_no_word_vouches_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("word");
        for text in ["", "yes\n", "5 yes", "5 ye\n", "5 yes \n", "5  yes\n", "-5 yes\n", "5 yes\n5 yes\n", "x yes\n"] {
            fs::write(&file, text).unwrap();
            assert!(read(&file, BootMs(10)).is_err(), "{text:?}");
        }
        fs::write(&file, "5 yes\n").unwrap();
        assert!(read(&file, BootMs(10)).unwrap());
    }
}
