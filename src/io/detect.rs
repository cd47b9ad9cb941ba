//! Puts a detection on a real port, which is ours alone while it lasts: opened exclusively, with the agent's state
//! directory locked, so that no daemon can want it meanwhile.

use super::clock::boot_now;
use super::journal::{self, InspectError};
use super::line::{self, LineConfig, LineTrouble};
use super::port::Port;
use crate::board::detect::{Detection, Detector, Step};
use crate::board::profile::Parity;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// Bytes of one read: more than any frame.
const READ_BYTES_MAX: usize = 512;
/// What a question may take to leave, in ms: twenty times the longest at 9600 baud.
const WRITE_MS_MAX: u64 = 500;

/// Why nothing could be looked for.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The daemon runs, or its state directory cannot be looked at.
    #[error(transparent)]
    State(#[from] InspectError),
    /// The port does not open, or went away.
    #[error(transparent)]
    Line(#[from] LineTrouble),
}

/// Looks which board is on this port. Inside a tokio runtime only; it takes up to
/// [`DETECTION_MS_MAX`](crate::board::detect::DETECTION_MS_MAX).
///
/// # Errors
/// [`DetectError`]: the port or the machine is in use.
pub async fn detect(port: &Path, state_dir: &Path, mut detector: Detector) -> Result<Detection, DetectError> {
    let _nobody_else = journal::hold_unused(state_dir)?;
    let mut open: Option<Port> = None;
    let mut buffer = [0; READ_BYTES_MAX];
    loop {
        match (detector.step(boot_now()), &mut open) {
            (Step::Over, _) => return Ok(detector.found()),
            (Step::Set(link), Some(stream)) => line::set(stream, port, link.baud, link.parity)?,
            (Step::Set(link), None) => open = Some(first_open(port, link.baud, link.parity)?),
            (Step::Write(frame), Some(stream)) => {
                let time_out = || LineTrouble::WriteTimeOut { bytes: frame.len(), time_out_ms: WRITE_MS_MAX };
                let written = timeout(Duration::from_millis(WRITE_MS_MAX), stream.write_all(&frame)).await;
                written.map_err(|_| time_out())?.map_err(|_| LineTrouble::Unplugged)?;
            }
            (Step::ReadUntil(until), Some(stream)) => {
                let left = Duration::from_millis(until.since_ms(boot_now()).max(1));
                match timeout(left, stream.read(&mut buffer)).await {
                    Err(_) => {}
                    Ok(Ok(count)) if count > 0 => {
                        detector.received(boot_now(), buffer.get(..count).unwrap_or_default());
                    }
                    Ok(_) => return Err(LineTrouble::Unplugged.into()),
                }
            }
            // The link is set before anything else.
            (Step::Write(_) | Step::ReadUntil(_), None) => return Err(LineTrouble::Unplugged.into()),
        }
    }
}

fn first_open(port: &Path, baud: u32, parity: Parity) -> Result<Port, LineTrouble> {
    line::open(&LineConfig { port: port.to_owned(), baud, parity })
}
