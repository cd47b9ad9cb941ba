//! The locks behind an emulated lock board: what an opening does, who takes the goods, and what goes wrong on the way.
//!
//! A latch and what lies behind it are things: no loss of power moves them. Somebody waits at the door, takes the goods
//! when half of the time is over for which it stays open, and shuts it.
//!
//! Faults: `jam` pulses the lock and its latch stays; `no-drop` opens and nobody takes anything; `open-motor` and
//! `refuse` do not pulse; `silence` opens, and the board is mute for the longest vend time; `garble` spoils the check of
//! the next answer about a latch; `late` opens later; `restart` and `power-loss` open, and the board is dark for a
//! while in the middle of it.

use super::Turn;
use super::fault::{FaultKind, Faults, LATE_MS, POWER_LOSS_MS, RESTART_MS};
use crate::board::driver::Slot;
use crate::board::profile::Profile;
use crate::order::time::BootMs;
use std::collections::BTreeMap;

/// From the pulse to the open latch.
pub const OPENS_AFTER_MS: u64 = 25;
/// Nobody is quicker than this between the open door and the shut one. The driver relies on less
/// ([`crate::board::latch::BLIND_MS_MAX`]), for what it hears was seen a little earlier.
const STAYS_OPEN_MS_MIN: u64 = 1_500;

/// One door.
#[derive(Debug, Clone, Copy)]
struct Door {
    is_open: bool,
    is_full: bool,
    opens: Option<BootMs>,
    emptied: Option<BootMs>,
    shuts: Option<BootMs>,
}

/// A latch has moved by itself or by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// When.
    pub at: BootMs,
    /// Of which board.
    pub wire_address: u8,
    /// Which lock.
    pub lock: u8,
    /// It is open now.
    pub is_open: bool,
}

/// One board.
#[derive(Debug)]
struct Board {
    doors: BTreeMap<u8, Door>,
    /// It neither hears nor speaks between these.
    dark: Option<(BootMs, BootMs)>,
    garble: bool,
}

/// All boards of a profile, with their doors.
#[derive(Debug)]
pub struct Doors {
    boards: BTreeMap<u8, Board>,
    longest_vend_ms: u64,
    /// How long a door stays open.
    open_ms: u64,
    faults: Faults,
    turns: Vec<Turn>,
}

impl Doors {
    /// All doors shut and full.
    #[must_use]
    pub fn new(profile: &Profile, open_ms: u64, faults: Faults) -> Self {
        let door = Door { is_open: false, is_full: true, opens: None, emptied: None, shuts: None };
        let locks = (profile.slots.first..=profile.slots.last).filter(|&n| profile.has_slot(Slot(n)));
        let doors: BTreeMap<u8, Door> = locks.filter_map(|n| Some((u8::try_from(n).ok()?, door))).collect();
        let board = |n| {
            let wire_address = profile.addresses.first_on_wire.saturating_add(n);
            (wire_address, Board { doors: doors.clone(), dark: None, garble: false })
        };
        Doors {
            boards: (0..profile.addresses.count).map(board).collect(),
            longest_vend_ms: profile.timing.longest_vend_ms,
            open_ms: open_ms.max(STAYS_OPEN_MS_MIN),
            faults,
            turns: Vec::new(),
        }
    }

    /// Whether the board is there and has power and a voice.
    #[must_use]
    pub fn is_awake(&self, now: BootMs, wire_address: u8) -> bool {
        let board = self.boards.get(&wire_address);
        board.is_some_and(|b| b.dark.is_none_or(|(from, to)| !(from..to).contains(&now)))
    }

    /// All that had to happen by now, oldest first.
    pub fn pass(&mut self, now: BootMs) -> Vec<Move> {
        let mut moves = Vec::new();
        for (&wire_address, board) in &mut self.boards {
            for (&lock, door) in &mut board.doors {
                if let Some(at) = door.opens.take_if(|at| *at <= now) {
                    door.is_open = true;
                    moves.push(Move { at, wire_address, lock, is_open: true });
                }
                if door.emptied.take_if(|at| *at <= now).is_some() {
                    door.is_full = false;
                }
                if let Some(at) = door.shuts.take_if(|at| *at <= now) {
                    door.is_open = false;
                    moves.push(Move { at, wire_address, lock, is_open: false });
                }
            }
        }
        moves.sort_by_key(|m| m.at);
        moves
    }

    /// When something moves next.
    #[must_use]
    pub fn next_move(&self) -> Option<BootMs> {
        let doors = self.boards.values().flat_map(|b| b.doors.values());
        doors.flat_map(|d| [d.opens, d.shuts]).flatten().min()
    }

    /// Whether a latch is open and something lies behind it, if there is such a lock.
    #[must_use]
    pub fn state(&self, wire_address: u8, lock: u8) -> Option<(bool, bool)> {
        self.boards.get(&wire_address)?.doors.get(&lock).map(|d| (d.is_open, d.is_full))
    }

    /// A pulse for a lock of a board that is awake. Says whether the latch moves, or is open already, and when.
    pub fn unlock(&mut self, now: BootMs, wire_address: u8, lock: u8) -> Option<BootMs> {
        let (open_ms, longest_vend_ms) = (self.open_ms, self.longest_vend_ms);
        let board = self.boards.get_mut(&wire_address)?;
        let door = board.doors.get_mut(&lock)?;
        let fault = self.faults.strike(u16::from(lock));
        if matches!(fault, Some(FaultKind::OpenMotor | FaultKind::Refuse)) {
            return None;
        }
        let dropped = !door.is_open && !matches!(fault, Some(FaultKind::Jam | FaultKind::NoDrop));
        self.turns.push(Turn { at: now, wire_address, slot: u16::from(lock), dropped });
        if fault == Some(FaultKind::Jam) {
            return None;
        }
        let middle = now.plus_ms(open_ms / 2);
        match fault {
            Some(FaultKind::Silence) => board.dark = Some((now, now.plus_ms(longest_vend_ms))),
            Some(FaultKind::Restart) => board.dark = Some((middle, middle.plus_ms(RESTART_MS))),
            Some(FaultKind::PowerLoss) => board.dark = Some((middle, middle.plus_ms(POWER_LOSS_MS))),
            Some(FaultKind::Garble) => board.garble = true,
            _ => {}
        }
        if door.is_open {
            return Some(now);
        }
        let late_ms = if fault == Some(FaultKind::Late) { LATE_MS } else { 0 };
        let opens = now.plus_ms(OPENS_AFTER_MS + late_ms);
        door.opens = Some(opens);
        door.emptied = (fault != Some(FaultKind::NoDrop)).then(|| opens.plus_ms(open_ms / 2));
        door.shuts = Some(opens.plus_ms(open_ms));
        Some(opens)
    }

    /// Spoils the check of an answer about a latch, when that fault was asked for.
    pub fn garble(&mut self, wire_address: u8, frame: &mut [u8]) {
        if let Some(board) = self.boards.get_mut(&wire_address)
            && std::mem::take(&mut board.garble)
            && let Some(last) = frame.last_mut()
        {
            *last ^= 0xFF;
        }
    }

    /// All pulses that moved something or should have.
    #[must_use]
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Power is back: the boards speak again. The doors do not care.
    pub fn power_cycle(&mut self) {
        for board in self.boards.values_mut() {
            board.dark = None;
            board.garble = false;
        }
    }
}
