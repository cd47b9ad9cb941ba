//! What is under way on the line.

use crate::board::protocol::{Request, Turn};
use crate::board::service::Service;
use crate::order::time::BootMs;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Seeing that the board is idle. Nothing that turns a motor was written.
    Checking,
    /// Setting the drop mode. Nothing that turns a motor was written.
    Arming,
    /// The motor command is next. Nothing that turns a motor was written.
    Ready,
    /// The motor command was handed over, in this life or an earlier one: only the status can tell.
    Following,
}

/// The command of the running `drive` or `resume`.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) station: usize,
    pub(super) turn: Turn,
    pub(super) phase: Phase,
    pub(super) ask_at: BootMs,
    pub(super) resumed: bool,
    pub(super) sent_at: BootMs,
    pub(super) taken: bool,
    pub(super) seen_turning: bool,
    pub(super) failed: Option<u16>,
    pub(super) unproven_at: BootMs,
}

/// A running [`Driver::serve`].
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) station: usize,
    pub(super) service: Service,
    /// Times that it was left unanswered.
    pub(super) unanswered: u8,
}

/// A question that waits for its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) station: usize,
    pub(super) request: Request,
    pub(super) sent_at: BootMs,
    pub(super) deadline: BootMs,
}
