//! What is known of one board on the line.

use super::{RETRY_MS, TRIES};
use crate::board::driver::Address;
use crate::board::protocol::Status;
use crate::order::time::BootMs;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its state is not known, or not settled.
    Unheard,
    /// Seen idle when that proves something.
    Idle,
    /// A motor turns that belongs to no open command.
    Turning,
    /// Its result is durable and has to be forgotten.
    Releasing,
    /// Does not answer.
    Silent,
}

/// One driver board on the line.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) address: Address,
    pub(super) wire_address: u8,
    pub(super) standing: Standing,
    pub(super) ask_at: BootMs,
    pub(super) unanswered: u8,
    pub(super) idle_seen: Option<BootMs>,
    /// Idle proves nothing before: an unproven command may still begin to turn.
    pub(super) quiet_until: BootMs,
    /// The drop mode that the board has for certain.
    pub(super) drop_mode: Option<bool>,
    pub(super) identity_parts_asked: u8,
    /// Of the last command here: how a result without a command is read.
    pub(super) drop_check: bool,
    /// The result that was found last, to tell it from a new one until the board has forgotten it.
    pub(super) result: Option<Status>,
}

impl Station {
    pub(super) fn unsettle(&mut self, now: BootMs) {
        self.standing = Standing::Unheard;
        self.ask_at = now;
    }

    pub(super) fn missed(&mut self, now: BootMs) {
        self.unanswered = self.unanswered.saturating_add(1);
        self.idle_seen = None;
        if self.unanswered >= TRIES {
            self.standing = Standing::Silent;
            self.ask_at = now.plus_ms(RETRY_MS);
        } else {
            self.unsettle(now);
        }
    }
}
