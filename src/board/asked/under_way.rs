//! What is under way on the line, and what is remembered of a board.

use crate::board::protocol::Turn;
use crate::board::words::{Seen, Verdict};
use crate::order::outcome::{Evidence, Motor};
use crate::order::time::BootMs;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Reading the newest picture. Nothing that turns a motor was written.
    Checking,
    /// The motor command is next. Nothing that turns a motor was written.
    Ready,
    /// The motor command was handed over, in this life or an earlier one: only the pictures can tell.
    Following,
}

/// What is remembered of one board.
#[derive(Debug, Default)]
pub(super) struct Memory<L> {
    /// What it said of itself, all parts together.
    pub(super) look: L,
    /// All parts were read since the port was opened and the board heard.
    pub(super) is_whole: bool,
    /// Which part is asked next.
    pub(super) next_part: u8,
    /// A question for its picture was never answered since the port was opened, or may not have been before.
    pub(super) owes_answer: bool,
}

/// The command of the running `drive` or `resume`, until it can no longer meet another.
#[derive(Debug)]
pub(super) struct Open<L> {
    pub(super) station: usize,
    pub(super) turn: Turn,
    pub(super) phase: Phase,
    pub(super) ask_at: BootMs,
    /// Which part of the picture is asked next.
    pub(super) part: u8,
    /// The motor is told to stand still before anything else is asked.
    pub(super) is_to_halt: bool,
    /// What the board said at rest before the command.
    pub(super) before: L,
    /// What it said since.
    pub(super) now: L,
    pub(super) seen: Seen,
    /// When the command was written; when the port was opened, for one of an earlier life.
    pub(super) sent_at: BootMs,
    /// When the last whole picture was seen.
    pub(super) looked_at: BootMs,
    /// Patience ends.
    pub(super) over_at: BootMs,
    /// The core has been told that it ended without proof; what becomes known now is late.
    pub(super) is_told: bool,
    /// What the picture before said that became of it.
    pub(super) said_before: Option<Evidence>,
}

impl<L: Default> Open<L> {
    /// Before its command is written.
    pub(super) fn new(station: usize, turn: Turn, now: BootMs, before: L) -> Self {
        Open {
            station,
            turn,
            phase: Phase::Checking,
            ask_at: now,
            part: 0,
            is_to_halt: false,
            before,
            now: L::default(),
            seen: Seen {
                taken: false,
                turning: false,
                restarted: false,
                resumed: false,
                cut_short: false,
                since_ms: 0,
                blind_ms: 0,
                was_silent: false,
                is_silent: false,
                is_over: false,
            },
            sent_at: now,
            looked_at: now,
            over_at: now,
            is_told: false,
            said_before: None,
        }
    }

    /// A result that one picture tells is no result yet, where that picture may be an old one. The last judgement has no
    /// picture of its own.
    pub(super) fn only_if_said_twice(&mut self, verdict: Verdict) -> Verdict {
        let said = match verdict {
            Verdict::Ended(evidence) => Some(evidence),
            _ => None,
        };
        let before = std::mem::replace(&mut self.said_before, said);
        if said.is_some() && (self.seen.is_over || before != said) { Verdict::Waiting } else { verdict }
    }

    /// What was seen before the command is no evidence of it: when patience ends and no picture came since, nothing says
    /// that it succeeded.
    pub(super) fn only_if_seen_since(&self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Ended(Evidence { motor: Motor::Ok, .. })
                if self.seen.is_over && self.looked_at == self.sent_at =>
            {
                Verdict::Waiting
            }
            verdict => verdict,
        }
    }

    /// The command goes out now.
    pub(super) fn written(&mut self, now: BootMs, longest_vend_ms: u64) {
        self.phase = Phase::Following;
        self.part = 0;
        self.ask_at = now;
        self.sent_at = now;
        self.looked_at = now;
        self.over_at = now.plus_ms(longest_vend_ms);
    }

    /// It went out in an earlier life, if at all.
    pub(super) fn resumed(&mut self, now: BootMs, longest_vend_ms: u64) {
        self.written(now, longest_vend_ms);
        self.seen.resumed = true;
    }

    /// The port is back: the board has its whole time again to tell.
    pub(super) fn opened(&mut self, now: BootMs, longest_vend_ms: u64, is_to_halt: bool) {
        self.ask_at = now;
        self.part = 0;
        self.is_to_halt = is_to_halt;
        self.over_at = now.plus_ms(longest_vend_ms);
        self.seen.was_silent = true;
        if self.seen.resumed {
            self.sent_at = now;
        }
    }

    /// How long it has been since the command, and since the last whole picture.
    pub(super) fn time_passes(&mut self, now: BootMs) {
        self.seen.since_ms = now.since_ms(self.sent_at);
        self.seen.blind_ms = self.seen.blind_ms.max(now.since_ms(self.looked_at));
    }

    /// From then on a board at rest will not begin to turn for this command any more.
    pub(super) fn quiet_from(&self, longest_vend_ms: u64) -> BootMs {
        if self.seen.turning { BootMs(0) } else { self.sent_at.plus_ms(longest_vend_ms) }
    }
}
