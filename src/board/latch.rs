//! What is common to lock boards: what can be seen of a latch, and what it proves (boards.md, class 5).
//!
//! The latch itself is the evidence. A closed one that is open now was opened by the command; a closed one that is
//! still closed may have been opened, emptied and shut, unless it was watched all the time. A latch that is open
//! before the command can show nothing, so the command is not sent.

use super::protocol::Turn;
use super::words::{Seen, Verdict};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use std::collections::BTreeMap;

/// Nobody opens a door, takes something out and shuts it again within this time.
pub const BLIND_MS_MAX: u64 = 1_000;

const OPEN: u8 = 0b001;
const HAS_SENSOR: u8 = 0b010;
const ITEM: u8 = 0b100;

/// One latch, and what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latch {
    /// The door can be opened.
    pub is_open: bool,
    /// A sensor sees something behind the door; absent where the family has none.
    pub item: Option<bool>,
}

/// The latches of one board, as far as it told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latches(pub BTreeMap<u8, Latch>);

impl Latches {
    /// Adds what was told of some.
    pub fn absorb(&mut self, part: Latches) {
        self.0.extend(part.0);
    }

    /// The latch of this turn as one byte, or nothing if it was not told.
    #[must_use]
    pub fn keep(&self, turn: &Turn) -> Vec<u8> {
        self.0.get(&turn.slot).map_or_else(Vec::new, |latch| {
            let sensor = match latch.item {
                None => 0,
                Some(false) => HAS_SENSOR,
                Some(true) => HAS_SENSOR | ITEM,
            };
            vec![sensor | if latch.is_open { OPEN } else { 0 }]
        })
    }

    /// What [`Latches::keep`] kept.
    #[must_use]
    pub fn kept(bytes: &[u8], turn: &Turn) -> Option<Latches> {
        match *bytes {
            [] => Some(Latches::default()),
            [bits] if bits & !(OPEN | HAS_SENSOR | ITEM) == 0 => {
                let item = (bits & HAS_SENSOR != 0).then_some(bits & ITEM != 0);
                Some(Latches([(turn.slot, Latch { is_open: bits & OPEN != 0, item })].into()))
            }
            _ => None,
        }
    }

    /// Whether the lock may be driven: its latch is known and closed.
    ///
    /// # Errors
    /// `Slot` when the board has no such lock, `Busy` when its latch is open: the opening could not be seen.
    pub fn ready(&self, turn: &Turn) -> Result<(), Reason> {
        match self.0.get(&turn.slot) {
            None => Err(Reason::Slot),
            Some(latch) if latch.is_open => Err(Reason::Busy),
            Some(_) => Ok(()),
        }
    }
}

/// What became of a lock's command.
#[must_use]
pub fn judge(turn: &Turn, before: &Latches, now: &Latches, seen: &Seen) -> Verdict {
    let Some(latch) = now.0.get(&turn.slot) else { return Verdict::Waiting };
    let Some(before) = before.0.get(&turn.slot).filter(|before| !before.is_open) else {
        return Verdict::CannotTell("the latch was not seen closed before the command");
    };
    // A sensor that saw nothing before may not be fitted, or has nothing to tell.
    let was_full = before.item == Some(true);
    let is_armed = was_full && turn.command.drop_check;
    let opened = |drop_sensor| Verdict::Ended(Evidence { motor: Motor::Ok, drop_sensor });
    let if_armed = |drop_sensor| if is_armed { drop_sensor } else { DropSensor::None };
    match (latch.is_open, latch.item) {
        // Nothing leaves through a shut door.
        (_, Some(false)) if was_full => opened(if_armed(DropSensor::Seen)),
        // The door is open: what is behind it may still be taken.
        (true, _) if is_armed && !seen.is_over => Verdict::Turning,
        (true, _) => opened(DropSensor::None),
        (false, _) if seen.turning => opened(if_armed(DropSensor::NotSeen)),
        (false, _) if seen.resumed => Verdict::CannotTell("the latch is closed: it may have been opened and shut"),
        (false, _) if !seen.is_over => Verdict::Waiting,
        (false, _) if seen.blind_ms <= BLIND_MS_MAX && !seen.cut_short => {
            Verdict::Ended(Evidence { motor: Motor::Timeout, drop_sensor: if_armed(DropSensor::NotSeen) })
        }
        (false, _) => Verdict::CannotTell("the latch is closed, and was not watched all the time"),
    }
}
