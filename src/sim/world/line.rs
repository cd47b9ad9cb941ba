//! The serial line between the core and an emulated board: bytes under way in both directions, in any cut.

use super::judge::UnitId;
use crate::sim::board::{Emulator, Turn};

/// Bytes are under way for this long at least, in ms.
const WIRE_MS: u64 = 2;
/// A turn, a late result and what follows them are over after this time, in ms.
const BUSY_MS: u64 = 20_000;

/// A motor frame and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) id: UnitId,
    pub(super) slot: u16,
}

/// The line and the board.
pub(super) struct Line {
    pub(super) board: Box<dyn Emulator>,
    /// The adapter is there.
    pub(super) is_plugged: bool,
    /// The port is open in this life of the agent; the number names the opening.
    pub(super) open: Option<u32>,
    openings: u32,
    /// What stands on the wire belongs to this state of it; raised when all of it is lost.
    pub(super) wire: u32,
    /// Without power until then, in ms.
    pub(super) dark_until_ms: u64,
    last_to_board_ms: u64,
    last_to_core_ms: u64,
    /// The last motor frame of which the board heard anything.
    pub(super) last_command: Option<Command>,
    turns_seen: usize,
    pub(super) motor_writes: u32,
    pub(super) last_motor_write_ms: u64,
}

impl Line {
    pub(super) fn new(board: Box<dyn Emulator>) -> Line {
        Line {
            board,
            is_plugged: true,
            open: None,
            openings: 0,
            wire: 0,
            dark_until_ms: 0,
            last_to_board_ms: 0,
            last_to_core_ms: 0,
            last_command: None,
            turns_seen: 0,
            motor_writes: 0,
            last_motor_write_ms: 0,
        }
    }

    pub(super) fn opened(&mut self) -> u32 {
        self.openings += 1;
        self.open = Some(self.openings);
        self.openings
    }

    /// A motor may be turning, or its result is on its way.
    pub(super) const fn is_busy(&self, now_ms: u64) -> bool {
        self.motor_writes > 0 && now_ms < self.last_motor_write_ms + BUSY_MS
    }

    pub(super) const fn is_dark(&self, now_ms: u64) -> bool {
        now_ms < self.dark_until_ms
    }

    /// When bytes that leave now reach the board: after all that left before.
    pub(super) fn reaches_board_ms(&mut self, now_ms: u64, delay_ms: u64) -> u64 {
        self.last_to_board_ms = self.last_to_board_ms.max(now_ms + delay_ms + WIRE_MS);
        self.last_to_board_ms
    }

    /// When bytes that the board sends now reach the core.
    pub(super) fn reaches_core_ms(&mut self, now_ms: u64, delay_ms: u64) -> u64 {
        self.last_to_core_ms = self.last_to_core_ms.max(now_ms + delay_ms + WIRE_MS);
        self.last_to_core_ms
    }

    /// Turns that were not seen before.
    pub(super) fn new_turns(&mut self) -> Vec<Turn> {
        let new = self.board.turns().get(self.turns_seen..).unwrap_or_default().to_vec();
        self.turns_seen += new.len();
        new
    }
}
