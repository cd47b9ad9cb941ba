//! Frames in bytes that come in any cut, with noise between them, from boards that speak when they like: what is
//! incomplete for too long began with noise. How boards are read that only answer is [`Talk`](super::talk)'s.

use super::driver::LineFault;
use crate::order::time::BootMs;
use std::marker::PhantomData;

/// How a family cuts its frames.
pub trait Framing {
    /// A frame whose check fits.
    type Frame;
    /// What each begins with; at least one byte.
    const HEAD: &'static [u8];
    /// What is incomplete for longer began with noise.
    const FRAME_MS_MAX: u64;

    /// What these bytes are, which begin with the head.
    fn cut(bytes: &[u8]) -> Cut<Self::Frame>;
}

/// What bytes begin with.
#[derive(Debug)]
pub enum Cut<F> {
    /// Perhaps a frame, when more has come.
    Short,
    /// No frame; at most so many bytes of it.
    Bad(LineFault, usize),
    /// A frame of so many bytes.
    Whole(F, usize),
}

/// What is not yet a frame.
#[derive(Debug, Default)]
pub struct Deframer<F> {
    buffer: Vec<u8>,
    begun_at: BootMs,
    read_at: BootMs,
    was_stale: bool,
    framing: PhantomData<F>,
}

impl<F: Framing + Default> Deframer<F> {
    /// Takes bytes. Call [`Deframer::next_frame`] until it is empty after each call: then less than one frame is kept.
    pub fn push(&mut self, read_at: BootMs, bytes: &[u8]) {
        self.read_at = read_at;
        if !self.buffer.is_empty() && read_at.since_ms(self.begun_at) > F::FRAME_MS_MAX {
            // A false length would swallow what follows. A true frame that is lost here comes again.
            self.buffer.clear();
            self.was_stale = true;
        }
        if self.buffer.is_empty() {
            self.begun_at = read_at;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Forgets what is incomplete.
    pub fn clear(&mut self) {
        *self = Deframer::default();
    }

    /// The next frame, or what was wrong with bytes that are dropped.
    pub fn next_frame(&mut self) -> Option<Result<F::Frame, LineFault>> {
        if std::mem::take(&mut self.was_stale) {
            return Some(Err(LineFault::Noise));
        }
        let start = head_position(&self.buffer, F::HEAD);
        if start > 0 {
            self.drop_front(start);
            return Some(Err(LineFault::Noise));
        }
        match F::cut(&self.buffer) {
            Cut::Short => None,
            Cut::Whole(frame, size) => {
                self.drop_front(size);
                Some(Ok(frame))
            }
            // Its length may be what is wrong: a true frame may begin inside.
            Cut::Bad(fault, size) => {
                let next = 1 + head_position(self.buffer.get(1..).unwrap_or_default(), F::HEAD);
                self.drop_front(next.min(size));
                Some(Err(fault))
            }
        }
    }

    fn drop_front(&mut self, n: usize) {
        self.buffer.drain(..n.min(self.buffer.len()));
        self.begun_at = self.read_at;
    }
}

/// Where a head begins, or may begin with the last bytes; the length when nowhere.
fn head_position(bytes: &[u8], head: &[u8]) -> usize {
    (0..bytes.len()).find(|&at| bytes.iter().skip(at).zip(head).all(|(byte, head)| byte == head)).unwrap_or(bytes.len())
}
