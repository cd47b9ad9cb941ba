//! The line in a person's hands: a port that is opened, written and listened to, without a driver. Only while the caller
//! holds the state directory ([`crate::io::journal`]), so that no agent has it too.

use super::clock::boot_now;
use super::line::{self, LineConfig, LineTrouble};
use super::port::Port;
use crate::order::time::BootMs;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Bytes of one read: more than the longest frame of any board.
const READ_BYTES_MAX: usize = 512;
/// A frame that the kernel does not take within this time never leaves: the longest takes a tenth of it at 9600 baud.
const WRITE_TIME_OUT: Duration = Duration::from_secs(3);
/// Lines that a person typed ahead.
const LINES_MAX: usize = 1;

/// How listening ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was quiet for long enough, or it was enough.
    Enough,
    /// Ctrl-C.
    Interrupted,
}

/// Why the line is lost.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The port does not open.
    #[error(transparent)]
    Line(#[from] LineTrouble),
    /// It failed, or the system refused a timer or a signal.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Whoever is told takes no more.
    #[error(transparent)]
    Told(io::Error),
}

/// An open port, and Ctrl-C.
pub struct Console {
    runtime: Runtime,
    stream: Port,
    interrupt: Signal,
}

impl Console {
    /// Opens the port for nobody else.
    ///
    /// # Errors
    /// It is not there, in use, not for us.
    pub fn open(config: &LineConfig) -> Result<Console, ConsoleError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let inside = runtime.enter();
        let stream = line::open(config)?;
        let interrupt = signal(SignalKind::interrupt())?;
        drop(inside);
        Ok(Console { runtime, stream, interrupt })
    }

    /// Puts all bytes on the line.
    ///
    /// # Errors
    /// The port failed, or did not take them in time; some may have left.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), ConsoleError> {
        let Console { runtime, stream, .. } = self;
        let written = runtime.block_on(async { tokio::time::timeout(WRITE_TIME_OUT, stream.write_all(bytes)).await });
        match written {
            Ok(written) => Ok(written?),
            Err(_) => Err(ConsoleError::Io(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Hands over what comes, until nothing came for `quiet`, `longest` is over, or Ctrl-C.
    ///
    /// # Errors
    /// The port failed, or whoever is told did.
    pub fn listen(
        &mut self,
        quiet: Duration,
        longest: Duration,
        mut tell: impl FnMut(BootMs, &[u8]) -> io::Result<()>,
    ) -> Result<Heard, ConsoleError> {
        let Console { runtime, stream, interrupt } = self;
        runtime.block_on(async {
            let end = Instant::now() + longest;
            let mut buffer = [0; READ_BYTES_MAX];
            loop {
                let until = end.min(Instant::now() + quiet);
                let read = tokio::select! {
                    read = timeout_at(until, stream.read(&mut buffer)) => read,
                    _ = interrupt.recv() => return Ok(Heard::Interrupted),
                };
                let Ok(read) = read else { return Ok(Heard::Enough) };
                match read? {
                    0 => return Err(ConsoleError::Line(LineTrouble::Unplugged)),
                    n => tell(boot_now(), &buffer[..n]).map_err(ConsoleError::Told)?,
                }
            }
        })
    }

    /// The next line that `lines` brings; nothing at their end or on Ctrl-C, which the second value tells apart.
    pub fn next_line(&mut self, lines: &mut mpsc::Receiver<String>) -> Result<Option<String>, Heard> {
        let Console { runtime, interrupt, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                line = lines.recv() => Ok(line),
                _ = interrupt.recv() => Err(Heard::Interrupted),
            }
        })
    }
}

/// The lines of standard input, read in a thread of their own so that Ctrl-C is heard meanwhile. None is longer than
/// `bytes_max`.
#[must_use]
pub fn standard_input(bytes_max: u64) -> mpsc::Receiver<String> {
    let (to, lines) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        use io::{BufRead as _, Read as _};
        loop {
            let mut line = String::new();
            match io::stdin().lock().take(bytes_max).read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if to.blocking_send(line.trim().to_owned()).is_err() {
                return;
            }
        }
    });
    lines
}
