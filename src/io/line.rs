//! The serial line: one task beside the core that moves bytes between a port and the driver, and decodes nothing.
//!
//! What the core can rely on:
//!
//! 1. Every [`ToLine::Write`] is answered by exactly one [`FromLine::Written`], in order, which says exactly what the
//!    kernel took: [`Written::Nothing`] promises that not one byte can reach the board (order-life, rule 18).
//! 2. A write is never repeated, and never survives a closed port.
//! 3. After a write that failed or timed out the state of the line is unknown: the port is closed and opened again.
//! 4. Bytes of before [`FromLine::Opened`] never come after it.
//! 5. A missing port costs one failed open now and then, and one event, not one for each attempt.
//! 6. The task goes on taking writes when its event queue is full; then it stops only reading, and the kernel keeps
//!    the bytes.

use crate::board::driver::Written;
use crate::board::profile::Parity;
use crate::io::clock::boot_now;
use crate::io::mark::MotorMark;
use crate::io::port::Port;
use crate::order::backoff::full_jitter;
use crate::order::time::BootMs;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Which port, and how it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineConfig {
    /// The stable name; symbolic links are followed at each open, since an adapter may come back as another device.
    pub port: PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// Always 8 data bits and 1 stop bit.
    pub parity: Parity,
}

/// Why the port is not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineTrouble {
    /// Nothing has this name.
    #[error("{} does not exist; is the board's adapter plugged in?", port.display())]
    NotFound {
        /// The port.
        port: PathBuf,
    },
    /// Another process has it.
    #[error("{} is used by another program; `fuser {}` names it", port.display(), port.display())]
    Busy {
        /// The port.
        port: PathBuf,
    },
    /// We may not.
    #[error("no permission for {}; the user must be in its group (dialout)", port.display())]
    Permission {
        /// The port.
        port: PathBuf,
    },
    /// It was there and went away.
    #[error("the port went away; was the adapter unplugged?")]
    Unplugged,
    /// The kernel did not take a frame in time.
    #[error("the port did not take {bytes} bytes within {time_out_ms} ms; is it held up by flow control?")]
    WriteTimeOut {
        /// Length of the frame.
        bytes: usize,
        /// What it was given.
        time_out_ms: u64,
    },
    /// Anything else, in the system's words.
    #[error("the port failed: {0}")]
    Io(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromLine {
    /// The port is open, what had been received before is thrown away.
    Opened,
    /// The port is closed, or could not be opened for another reason than the last one told.
    Closed {
        /// Why.
        why: LineTrouble,
    },
    /// Bytes came, in any cut.
    Bytes {
        /// When they were read.
        read_at: BootMs,
        /// At least one.
        bytes: Vec<u8>,
    },
    /// A write has ended.
    Written {
        /// As in [`ToLine::Write`].
        id: u64,
        /// How.
        written: Written,
    },
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToLine {
    /// Put these bytes on the line.
    Write {
        /// Comes back in [`FromLine::Written`].
        id: u64,
        /// The whole frame.
        bytes: Vec<u8>,
        /// Useless after this time: dropped, as long as no byte went out.
        not_after: Option<BootMs>,
        /// For a motor frame the sequence of its intent: goes into the motor mark before the first byte goes out.
        intent: Option<u64>,
    },
    /// End, after the writes before it.
    Stop,
}

/// Back-off between two attempts to open, in ms: the first soon, as a re-plugged adapter is back within a second; the
/// last rare enough to cost nothing for months without a board.
const OPEN_BASE_MS: u64 = 200;
/// See [`OPEN_BASE_MS`].
const OPEN_MAX_MS: u64 = 5_000;
/// A port that was open this long was a good one: the back-off starts anew.
const OPEN_STABLE: Duration = Duration::from_secs(5);
/// What a write gets above twice its time on the wire, in ms: an adapter on a busy bus takes this long at worst.
const WRITE_SLACK_MS: u64 = 500;
/// Start bit, 8 data bits, parity, stop bit.
const BITS_A_BYTE: u64 = 11;
/// Bytes of one read. The longest frame of any board is a fraction of it.
const READ_BYTES_MAX: usize = 512;
/// Events kept for a busy core before the task stops reading. A frame or two each; the kernel keeps 4 KiB more.
const EVENTS_KEPT_MAX: usize = 64;

/// Keeps the port open until [`ToLine::Stop`] comes, or the core drops its end of a channel.
/// Motor frames are marked first, if there is a mark.
pub async fn run(
    config: LineConfig,
    mark: Option<Arc<MotorMark>>,
    to: mpsc::Receiver<ToLine>,
    from: mpsc::Sender<FromLine>,
) {
    let mut line = Line { config, mark, to, from, outbox: VecDeque::new() };
    let mut attempt = 0;
    let mut told = None;
    loop {
        let why = match open(&line.config) {
            Ok(stream) => {
                line.outbox.push_back(FromLine::Opened);
                told = None;
                let opened = Instant::now();
                let Some(why) = line.serve(stream).await else { return };
                if opened.elapsed() >= OPEN_STABLE {
                    attempt = 0;
                }
                why
            }
            Err(why) => why,
        };
        if told.as_ref() != Some(&why) {
            line.outbox.push_back(FromLine::Closed { why: why.clone() });
            told = Some(why);
        }
        let pause = Duration::from_millis(full_jitter(attempt, OPEN_BASE_MS, OPEN_MAX_MS, fastrand::u64(..)));
        attempt = attempt.saturating_add(1);
        if !line.rest(Instant::now() + pause).await {
            return;
        }
    }
}

/// Opens a port as the profile wants it. What was received before is thrown away. Inside a tokio runtime only.
///
/// # Errors
/// [`LineTrouble`]: it is not there, in use, not for us, or does not take the settings.
pub fn open(config: &LineConfig) -> Result<Port, LineTrouble> {
    let LineConfig { port, baud, parity } = config;
    Port::open(&port.to_string_lossy(), *baud, in_serial(*parity)).map_err(|error| trouble_opening(port, &error))
}

/// Sets an open port anew, and throws away what was received at the old speed.
///
/// # Errors
/// [`LineTrouble`]: it does not take the settings, or went away.
pub fn set(open: &mut Port, port: &Path, baud: u32, parity: Parity) -> Result<(), LineTrouble> {
    open.set(baud, in_serial(parity)).map_err(|error| trouble_opening(port, &error))
}

const fn in_serial(parity: Parity) -> tokio_serial::Parity {
    match parity {
        Parity::None => tokio_serial::Parity::None,
        Parity::Even => tokio_serial::Parity::Even,
        Parity::Odd => tokio_serial::Parity::Odd,
    }
}

fn trouble_opening(port: &Path, error: &tokio_serial::Error) -> LineTrouble {
    let port = port.to_owned();
    match error.kind {
        tokio_serial::ErrorKind::NoDevice => LineTrouble::Busy { port },
        tokio_serial::ErrorKind::Io(io::ErrorKind::NotFound) => LineTrouble::NotFound { port },
        tokio_serial::ErrorKind::Io(io::ErrorKind::PermissionDenied) => LineTrouble::Permission { port },
        _ => LineTrouble::Io(error.description.clone()),
    }
}

/// How long a write of so many bytes may take, in ms. The kernel's buffer takes a frame at once when all is well.
fn write_time_out_ms(baud: u32, bytes: usize) -> u64 {
    let bits = BITS_A_BYTE.saturating_mul(u64::try_from(bytes).unwrap_or(u64::MAX));
    let on_the_wire_ms = bits.saturating_mul(1_000) / u64::from(baud.max(1));
    on_the_wire_ms.saturating_mul(2).saturating_add(WRITE_SLACK_MS)
}

/// A write under way.
struct Writing {
    id: u64,
    /// Of a motor command.
    intent: Option<u64>,
    bytes: Vec<u8>,
    /// Bytes that the kernel took.
    taken: usize,
    time_out_ms: u64,
    time_out_at: Instant,
    /// Given up at this time if no byte went out.
    useless_at: Option<Instant>,
}

impl Writing {
    /// Takes a write on, unless its time has passed.
    fn begin(id: u64, intent: Option<u64>, bytes: Vec<u8>, not_after: Option<BootMs>, baud: u32) -> Option<Self> {
        let now = boot_now();
        if not_after.is_some_and(|not_after| now > not_after) {
            return None;
        }
        let time_out_ms = write_time_out_ms(baud, bytes.len());
        let in_ms = |ms| Instant::now() + Duration::from_millis(ms);
        // Beyond the time-out it makes no difference; and a far time could not be added.
        let useless_at = not_after.map(|not_after| in_ms(not_after.since_ms(now).min(time_out_ms)));
        Some(Writing { id, intent, bytes, taken: 0, time_out_ms, time_out_at: in_ms(time_out_ms), useless_at })
    }

    fn written(&self) -> Written {
        match self.taken {
            0 => Written::Nothing,
            taken if taken < self.bytes.len() => Written::Some,
            _ => Written::All,
        }
    }

    fn deadline(&self) -> Instant {
        match self.useless_at {
            Some(useless_at) if self.taken == 0 => useless_at.min(self.time_out_at),
            _ => self.time_out_at,
        }
    }
}

/// What the port did.
enum Moved {
    Read(usize),
    Wrote(usize),
}

/// The motor mark has the intent, or needs none. A motor frame that could not be marked is not written.
fn is_marked(mark: Option<&Arc<MotorMark>>, intent: Option<u64>) -> bool {
    let (Some(mark), Some(intent)) = (mark, intent) else { return true };
    match mark.set(intent) {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(what = "motor_mark", "cannot be written, so the motor is left alone: {error}");
            false
        }
    }
}

struct Line {
    config: LineConfig,
    mark: Option<Arc<MotorMark>>,
    to: mpsc::Receiver<ToLine>,
    from: mpsc::Sender<FromLine>,
    outbox: VecDeque<FromLine>,
}

impl Line {
    /// Moves bytes until the port fails, and says why; nothing when it is time to end.
    async fn serve(&mut self, mut stream: Port) -> Option<LineTrouble> {
        let Line { config, mark, to, from, outbox } = self;
        let mut buffer = [0; READ_BYTES_MAX];
        let mut writing: Option<Writing> = None;
        let why = loop {
            let may_read = outbox.len() < EVENTS_KEPT_MAX;
            let unwritten = writing.as_ref().map(|writing| &writing.bytes[writing.taken..]);
            let deadline = writing.as_ref().map(Writing::deadline);
            tokio::select! {
                biased;
                permit = from.reserve(), if !outbox.is_empty() => match (permit, outbox.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => return None,
                },
                command = to.recv(), if writing.is_none() => match command {
                    Some(ToLine::Write { id, bytes, not_after, intent }) => {
                        writing = Writing::begin(id, intent, bytes, not_after, config.baud);
                        // Last before the port gets it: what is marked and not written ends unknown after a crash.
                        writing.take_if(|_| !is_marked(mark.as_ref(), intent));
                        if writing.is_none() {
                            outbox.push_back(FromLine::Written { id, written: Written::Nothing });
                        }
                    }
                    Some(ToLine::Stop) | None => return None,
                },
                moved = transfer(&mut stream, unwritten, may_read.then_some(&mut buffer)) => match moved {
                    Ok(Moved::Read(0)) => break LineTrouble::Unplugged,
                    Ok(Moved::Read(count)) => {
                        tracing::trace!(what = "read", count);
                        let bytes = buffer[..count].to_vec();
                        outbox.push_back(FromLine::Bytes { read_at: boot_now(), bytes });
                    }
                    Ok(Moved::Wrote(count)) => {
                        if let Some(write) = &mut writing {
                            tracing::trace!(what = "wrote", count, intent = write.intent);
                            write.taken += count;
                        }
                    }
                    Err(why) => break why,
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    if let Some(write) = &writing && Instant::now() >= write.time_out_at {
                        let (bytes, time_out_ms) = (write.bytes.len(), write.time_out_ms);
                        break LineTrouble::WriteTimeOut { bytes, time_out_ms };
                    }
                    if let Some(Writing { id, .. }) = writing.take() {
                        outbox.push_back(FromLine::Written { id, written: Written::Nothing });
                    }
                },
            }
            if let Some(Writing { id, .. }) = writing.take_if(|writing| writing.taken == writing.bytes.len()) {
                outbox.push_back(FromLine::Written { id, written: Written::All });
            }
        };
        if let Some(cut_short) = writing {
            outbox.push_back(FromLine::Written { id: cut_short.id, written: cut_short.written() });
            // Closing waits, with the whole runtime, until the wire has taken what the kernel holds.
            let _ = stream.clear_output();
        }
        Some(why)
    }

    /// Waits with the port closed. False when it is time to end.
    async fn rest(&mut self, until: Instant) -> bool {
        let Line { to, from, outbox, .. } = self;
        loop {
            tokio::select! {
                biased;
                permit = from.reserve(), if !outbox.is_empty() => match (permit, outbox.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => return false,
                },
                command = to.recv() => match command {
                    Some(ToLine::Write { id, .. }) => {
                        outbox.push_back(FromLine::Written { id, written: Written::Nothing });
                    }
                    Some(ToLine::Stop) | None => return false,
                },
                () = sleep_until(until) => return true,
            }
        }
    }
}

/// Waits until the port takes or gives bytes, whatever comes first. Dropped, it has moved nothing.
async fn transfer(
    stream: &mut Port,
    unwritten: Option<&[u8]>,
    mut buffer: Option<&mut [u8; READ_BYTES_MAX]>,
) -> Result<Moved, LineTrouble> {
    std::future::poll_fn(|context| {
        let mut stream = Pin::new(&mut *stream);
        if let Some(unwritten) = unwritten
            && let Poll::Ready(wrote) = stream.as_mut().poll_write(context, unwritten)
        {
            return Poll::Ready(wrote.map(Moved::Wrote));
        }
        if let Some(buffer) = &mut buffer {
            let mut buffer = ReadBuf::new(&mut buffer[..]);
            if let Poll::Ready(read) = stream.as_mut().poll_read(context, &mut buffer) {
                return Poll::Ready(read.map(|()| Moved::Read(buffer.filled().len())));
            }
        }
        Poll::Pending
    })
    .await
    .map_err(|error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        // A tty that was hung up; a USB adapter that is gone.
        Some(rustix::io::Errno::IO | rustix::io::Errno::NODEV | rustix::io::Errno::NXIO) => LineTrouble::Unplugged,
        _ => LineTrouble::Io(error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_gets_twice_its_time_on_the_wire_and_half_a_second() {
        assert_eq!(write_time_out_ms(9_600, 0), 500);
        assert_eq!(write_time_out_ms(9_600, 96), 500 + 2 * 110);
        assert_eq!(write_time_out_ms(0, 0), 500, "no speed is no reason to divide by zero");
    }
}
