//! What is under way on the line.

use crate::board::protocol::{Status, Turn};
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

/// What is remembered of one board.
#[derive(Debug)]
pub(super) struct Memory {
    /// The drop mode that the board has for certain.
    pub(super) drop_mode: Option<bool>,
    /// Of the last command here: how a result without a command is read.
    pub(super) drop_check: bool,
    /// The result that was found last, to tell it from a new one until the board has forgotten it.
    pub(super) result: Option<Status>,
}
