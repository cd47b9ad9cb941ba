//! An open serial port that wakes nobody but for bytes.
//!
//! tokio-serial's own stream asks the kernel for two kinds of news, "bytes came" and "there is room again", and the second
//! comes after each write that leaves: one wake-up more for each answer to a board that polls. Here only the first is
//! asked for. A frame is far shorter than the kernel's buffer, so that a full one means a line that is held up; then the
//! write is tried again from time to time, for as long as its writer likes.

use std::io::{self, Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};
use tokio_serial::{ClearBuffer, DataBits, FlowControl, Parity, SerialPort as _, StopBits};

/// Between two attempts to write on a line that is held up. At 9600 baud five bytes leave in it.
const WRITE_AGAIN: Duration = Duration::from_millis(5);

/// An open port, ours alone: TIOCEXCL, and a lock that also holds against root.
#[derive(Debug)]
pub struct Port {
    stream: AsyncFd<mio_serial::SerialStream>,
    /// Set while the kernel takes nothing.
    again: Option<Pin<Box<Sleep>>>,
}

impl Port {
    /// Opens it with 8 data bits, 1 stop bit and no flow control. What was received before is thrown away. Inside a tokio
    /// runtime only.
    ///
    /// # Errors
    /// In the system's words: it is not there, in use, not for us, or does not take the settings.
    pub fn open(name: &str, baud: u32, parity: Parity) -> tokio_serial::Result<Port> {
        let builder = tokio_serial::new(name, baud)
            .data_bits(DataBits::Eight)
            .stop_bits(StopBits::One)
            .flow_control(FlowControl::None)
            .parity(parity);
        let stream = mio_serial::SerialStream::open(&builder)?;
        stream.clear(ClearBuffer::Input)?;
        Ok(Port { stream: readable(stream)?, again: None })
    }

    /// Sets it anew, and throws away what was received at the old speed.
    ///
    /// # Errors
    /// It does not take the settings, or went away.
    pub fn set(&mut self, baud: u32, parity: Parity) -> tokio_serial::Result<()> {
        let stream = self.stream.get_mut();
        stream.set_baud_rate(baud)?;
        stream.set_parity(parity)?;
        stream.clear(ClearBuffer::Input)
    }

    /// Throws away what the kernel holds and has not sent.
    ///
    /// # Errors
    /// The port went away.
    pub fn clear_output(&self) -> tokio_serial::Result<()> {
        self.stream.get_ref().clear(ClearBuffer::Output)
    }
}

#[allow(
    deprecated,
    reason = "tokio 1.54 wants `unsafe` where a type might not own its descriptor. This one owns it until it is dropped, \
              and tokio-serial itself registers it so"
)]
fn readable(stream: mio_serial::SerialStream) -> io::Result<AsyncFd<mio_serial::SerialStream>> {
    AsyncFd::with_interest(stream, Interest::READABLE)
}

impl AsyncRead for Port {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.stream.poll_read_ready(context))?;
            if let Ok(read) = ready.try_io(|stream| stream.get_ref().read(buffer.initialize_unfilled())) {
                return Poll::Ready(read.map(|count| buffer.advance(count)));
            }
        }
    }
}

impl AsyncWrite for Port {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(again) = &mut self.again {
                ready!(again.as_mut().poll(context));
            }
            match self.stream.get_ref().write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.again
                        .get_or_insert_with(|| Box::pin(sleep(WRITE_AGAIN)))
                        .as_mut()
                        .reset(Instant::now() + WRITE_AGAIN);
                }
                written => {
                    self.again = None;
                    return Poll::Ready(written);
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The kernel has what was written; nobody here waits for the wire.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
