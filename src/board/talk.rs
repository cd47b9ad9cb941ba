//! One question at a time on a line, and what comes back in any shape: what every family whose host asks has to do,
//! whatever it asks. [`Polled`](super::polled::Polled) and [`Asked`](super::asked::Asked) both speak through it.

use super::driver::{Finding, LineFault, LineState, Output, Tally, Write};
use super::protocol::Fit;
use super::service::{Reading, Service};
use crate::order::time::BootMs;
use std::collections::VecDeque;

/// A board that took the command may still call itself idle for this long. No source gives a figure; a motor that
/// has not started after several polls will not. A vend that is faster is not missed: its result stays.
pub const START_GRACE_MS: u64 = 2_000;
/// A board that was seen idle this recently is not asked again before a motor command.
pub const FRESH_IDLE_MS: u64 = 1_000;
/// How often the boards are asked while none answers: soon enough to notice the repair.
pub const RETRY_MS: u64 = 1_000;
/// How often one board, in turn, is asked while there is nothing to do: only to see that it is there.
pub const WATCH_MS: u64 = 10_000;
/// Bytes kept that are not yet a frame: several of the longest frames.
pub const BUFFER_BYTES_MAX: usize = 128;
/// No frame of these families is longer, so older bytes cannot begin one that is still whole.
pub(super) const FRAME_BYTES_MAX: usize = 40;

/// [`Finding::Progress`] of these families: a motor turns. Those that number their states call it 1.
pub const PROGRESS_TURNING: u8 = 1;

/// First byte of the [`Reference`](super::driver::Reference) of a command to a board that does not answer: it is
/// refused without a byte written, and a later life of the agent knows that from the same mark.
pub(super) const NOT_HEARD: u8 = 0;
/// First byte of the reference of a command to a board that was seen idle.
pub(super) const HEARD_IDLE: u8 = 1;

/// A question that waits for its answer.
#[derive(Debug)]
pub(super) struct Exchange<Q> {
    pub(super) station: usize,
    pub(super) question: Q,
    pub(super) sent_at: BootMs,
    pub(super) deadline: BootMs,
}

/// A running [`Driver::serve`](super::driver::Driver::serve).
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) station: usize,
    pub(super) service: Service,
    /// Times that it was left unanswered.
    pub(super) unanswered: u8,
    /// Questions that were answered, where one is not enough, and what they told.
    pub(super) answered: u8,
    pub(super) reading: Option<Reading>,
}

impl Serving {
    pub(super) const fn new(station: usize, service: Service) -> Self {
        Serving { station, service, unanswered: 0, answered: 0, reading: None }
    }
}

/// A frame that goes out.
pub(super) struct Saying<Q> {
    pub(super) station: usize,
    pub(super) question: Q,
    pub(super) bytes: Vec<u8>,
    pub(super) motor: bool,
    /// It was said before and not answered.
    pub(super) again: bool,
    /// The cable gives it back before anything else.
    pub(super) echoes: bool,
}

/// The line: the question under way, the bytes that are not yet a frame, what is to be told.
pub(super) struct Talk<Q> {
    pub(super) is_open: bool,
    pub(super) exchange: Option<Exchange<Q>>,
    /// The line is left alone before.
    pub(super) not_before: BootMs,
    pub(super) tally: Tally,
    pub(super) outputs: VecDeque<Output>,
    /// What is not yet a frame.
    pub(super) buffer: Vec<u8>,
    /// What the board says unasked it says once: half of it is not thrown away when the next question goes out.
    keeps_halves: bool,
    /// What the cable still has to give back of our own frame.
    echo: VecDeque<u8>,
    /// What of it was given back so far.
    echoed: Vec<u8>,
}

impl<Q> Talk<Q> {
    pub(super) fn new() -> Self {
        Talk {
            is_open: false,
            exchange: None,
            not_before: BootMs(0),
            tally: Tally::default(),
            outputs: VecDeque::new(),
            buffer: Vec::new(),
            keeps_halves: false,
            echo: VecDeque::new(),
            echoed: Vec::new(),
        }
    }

    /// For a board that pushes what it will not say again.
    pub(super) fn keeping_halves(keeps_halves: bool) -> Self {
        Talk { keeps_halves, ..Talk::new() }
    }

    /// No answer is due, and no motor turns. These boards wait for nobody.
    pub(super) fn is_silent(&self, state: LineState) -> bool {
        self.exchange.is_none() && matches!(state, LineState::Idle | LineState::Held)
    }

    pub(super) fn find(&mut self, finding: Finding) {
        self.outputs.push_back(Output::Finding(finding));
    }

    pub(super) fn fault(&mut self, fault: LineFault) {
        self.find(Finding::Fault(fault));
    }

    /// Writes a frame; its answer is due within `reply_ms`.
    pub(super) fn say(&mut self, now: BootMs, saying: Saying<Q>, reply_ms: u64) {
        self.tally.frames_out += 1;
        self.tally.resends += u64::from(saying.again);
        if !self.keeps_halves && !self.take_bytes().is_empty() {
            self.fault(LineFault::Noise);
        }
        if saying.echoes {
            self.echo = saying.bytes.iter().copied().collect();
        }
        self.outputs.push_back(Output::Write(Write { bytes: saying.bytes, motor: saying.motor, not_after: None }));
        let deadline = now.plus_ms(reply_ms);
        self.exchange = Some(Exchange { station: saying.station, question: saying.question, sent_at: now, deadline });
    }

    fn take_bytes(&mut self) -> Vec<u8> {
        self.echo.clear();
        self.echoed.clear();
        std::mem::take(&mut self.buffer)
    }

    /// The question under way gets no answer; what its silence looked like.
    pub(super) fn unanswered(&mut self, fit: impl Fn(&[u8]) -> Fit) -> Option<(Exchange<Q>, LineFault)> {
        let exchange = self.exchange.take()?;
        let rest = if self.keeps_halves { self.buffer.clone() } else { self.take_bytes() };
        let fault = if rest.is_empty() {
            LineFault::TimeOut
        } else if (0..rest.len()).any(|at| fit(rest.get(at..).unwrap_or_default()) == Fit::BadCheck) {
            LineFault::BadCheck
        } else {
            LineFault::Noise
        };
        Some((exchange, fault))
    }

    /// The port went away, and all that was on it.
    pub(super) fn close(&mut self) {
        self.is_open = false;
        self.exchange = None;
        self.take_bytes();
    }

    /// Whether bytes read at this time are to be looked at; those from before the question are no answer to it.
    pub(super) fn is_listening(&mut self, read_at: BootMs, bytes: &[u8]) -> bool {
        if !self.is_open || bytes.is_empty() {
            return false;
        }
        let from_before = !self.keeps_halves && self.exchange.as_ref().is_some_and(|e| read_at < e.sent_at);
        if from_before {
            self.fault(LineFault::Unexpected);
        }
        !from_before
    }

    /// Bytes in pieces that fit beside what is kept.
    pub(super) fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        bytes.chunks(BUFFER_BYTES_MAX - FRAME_BYTES_MAX)
    }

    /// Takes one piece in, without what the cable gives back.
    pub(super) fn push(&mut self, piece: &[u8]) {
        for &byte in piece {
            match self.echo.front() {
                Some(&own) if own == byte => {
                    self.echo.pop_front();
                    self.echoed.push(byte);
                }
                Some(_) => {
                    // Not our own frame after all.
                    self.echo.clear();
                    self.buffer.append(&mut self.echoed);
                    self.buffer.push(byte);
                }
                None => self.buffer.push(byte),
            }
        }
    }

    /// The next whole frame.
    pub(super) fn take_frame(&mut self, fit: impl Fn(&[u8]) -> Fit) -> Option<Vec<u8>> {
        let found = (0..self.buffer.len()).find_map(|at| match fit(self.buffer.get(at..)?) {
            Fit::Whole(len) => Some((at, at + len)),
            Fit::BadCheck | Fit::No => None,
        });
        let (start, end) = found?;
        let frame = self.buffer.get(start..end)?.to_vec();
        self.buffer.drain(..end);
        self.tally.frames_in += 1;
        if start > 0 {
            self.fault(LineFault::Noise);
        }
        Some(frame)
    }

    /// Drops what is too old to begin a frame.
    pub(super) fn trim(&mut self) {
        if self.buffer.len() > FRAME_BYTES_MAX {
            self.buffer.drain(..self.buffer.len() - FRAME_BYTES_MAX);
            self.fault(LineFault::Noise);
        }
    }

    /// When something is due: the answer that is waited for, or else what is said next and the end of patience.
    pub(super) fn due(&self, next: Option<BootMs>, patience: Option<BootMs>) -> Option<BootMs> {
        match &self.exchange {
            _ if !self.is_open => None,
            Some(exchange) => Some(exchange.deadline),
            None => next.map(|next| next.max(self.not_before)).map(|due| patience.map_or(due, |p| p.min(due))),
        }
    }

    /// A motor command waits to be fetched.
    pub(super) fn has_motor_queued(&self) -> bool {
        self.outputs.iter().any(|o| matches!(o, Output::Write(w) if w.motor))
    }

    /// Takes back writes that nobody has fetched yet; says whether the motor command was among them.
    pub(super) fn unqueue_writes(&mut self) -> bool {
        let motor = self.has_motor_queued();
        self.outputs.retain(|o| matches!(o, Output::Finding(_)));
        motor
    }
}
