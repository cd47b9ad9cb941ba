//! How many messages are looked at in what time. What comes faster waits, unread and unacknowledged, so that the broker
//! holds back the rest: nothing paid is refused for it, and a flood costs no more than its share. An order that a motor
//! turned for was no flood: it gives the place of its message back, so that a queue of them goes at the pace of the line.

use super::event::{Level, Tag};
use super::{Core, HELD_MAX};
use crate::order::key::Key;
use crate::order::life::Order;
use crate::order::time::{BootMs, Now};
use bytes::Bytes;
use std::collections::VecDeque;

/// Between two messages of a flood, in ms: 20 a second. A machine sells one unit in some seconds; and a message of the
/// largest size costs a small controller some 10 ms to verify, so that most of the time is left for the board.
pub const MESSAGE_EVERY_MS: u64 = 50;
/// Messages that may come at once before that holds: as many orders as may be open, since all of them may have waited
/// at the broker while the machine was away.
pub const MESSAGES_BURST: u64 = 1_024;
/// When so few more orders may be open no place is given back: these are for what time gives in a second. Time gives
/// whether a motor turned or not, and would otherwise bring one order too many, which would have to be refused.
const PLACES_FOR_TIME: usize = 20;
/// A flood is told at most once in this time, in ms.
const FLOOD_PAUSE_MS: u64 = 60_000;

/// The pace of arriving messages, and those that came too early.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the allowance will be whole again.
    whole_at: BootMs,
    waiting: VecDeque<(Tag, Bytes, bool)>,
    told: Option<BootMs>,
}

impl Pace {
    /// When the next of the waiting may be looked at.
    pub(super) fn deadline(&self, burst: u64) -> Option<BootMs> {
        (!self.waiting.is_empty()).then(|| self.next_at(burst))
    }

    const fn next_at(&self, burst: u64) -> BootMs {
        let reach_ms = MESSAGE_EVERY_MS.saturating_mul(burst.saturating_sub(1));
        BootMs(self.whole_at.0.saturating_sub(reach_ms))
    }

    fn may_pass(&mut self, now: Now, burst: u64) -> bool {
        let passes = self.next_at(burst) <= now.boot;
        if passes {
            self.whole_at = self.whole_at.max(now.boot).plus_ms(MESSAGE_EVERY_MS);
        }
        passes
    }

    /// One more may pass. The allowance grows no further than to the whole.
    fn give_back(&mut self) {
        self.whole_at = BootMs(self.whole_at.0.saturating_sub(MESSAGE_EVERY_MS));
    }

    /// The connection is gone, and what was not acknowledged comes again.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }
}

impl Core {
    /// A message came: it is looked at now or when its time has come, always in the order of receipt.
    pub(super) fn on_arrival(&mut self, now: Now, tag: Tag, payload: Bytes, redelivered: bool) {
        self.counters.messages += 1;
        let burst = self.settings.limits.messages_burst;
        if self.pace.waiting.is_empty() && self.pace.may_pass(now, burst) {
            self.on_message(now, tag, &payload, redelivered);
            return;
        }
        self.counters.paced += 1;
        if self.pace.told.is_none_or(|last| now.boot.since_ms(last) >= FLOOD_PAUSE_MS) {
            self.pace.told = Some(now.boot);
            let text = format!("more messages than one in {MESSAGE_EVERY_MS} ms: the rest waits at the broker");
            self.note(Level::Warn, "message_flood", text);
        }
        // The broker task keeps track of no more, so that nothing is dropped here on a connection that lives on.
        if self.pace.waiting.len() < HELD_MAX {
            self.pace.waiting.push_back((tag, payload, redelivered));
        }
    }

    /// The motor turned for an order. If the order has ended the place of its message is free again, unless nearly as many
    /// orders are open as may be.
    pub(super) fn give_place_back(&mut self, key: &Key) {
        let ended = self.orders.get(key).is_some_and(Order::is_final);
        let has_room = self.queue.len().saturating_add(PLACES_FOR_TIME) < self.settings.limits.orders_open;
        if ended && has_room && !key.is_own() {
            self.pace.give_back();
        }
    }

    /// Those whose time has come.
    pub(super) fn look_at_the_paced(&mut self, now: Now) {
        while !self.pace.waiting.is_empty()
            && self.pace.may_pass(now, self.settings.limits.messages_burst)
            && let Some((tag, payload, redelivered)) = self.pace.waiting.pop_front()
        {
            self.on_message(now, tag, &payload, redelivered);
        }
    }
}
