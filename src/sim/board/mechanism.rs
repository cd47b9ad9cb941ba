//! The motors behind an emulated board that is polled: what a turn does, when it ends, and what goes wrong on the
//! way. Time is only looked at when the host says something, since these boards never speak first.

use super::Turn;
use super::fault::{FaultKind, Faults, LATE_MS, POWER_LOSS_MS, RESTART_MS};
use super::reader::Reader;
use crate::board::profile::Profile;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::time::BootMs;
use std::collections::VecDeque;

/// What one board does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Nothing.
    Idle,
    /// A motor turns.
    Turning(u8),
    /// A turn ended.
    Finished(u8, Evidence),
}

/// How a motor command was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// Taken.
    Taken,
    /// There is no such slot.
    NoSuchSlot,
    /// The board is at another turn, or was told to refuse.
    Refused,
    /// An earlier result is still there.
    NotCleared,
}

/// One board on the line.
#[derive(Debug)]
struct Board {
    wire_address: u8,
    doing: Doing,
    /// Turning only: when the motor stops, and what is known then. Without result, the board restarts.
    ends: Option<(BootMs, Option<Evidence>)>,
    /// How long it stays dark after that restart.
    dark_ms: u64,
    /// It says nothing before.
    mute_until: BootMs,
    /// The next frame that carries a result gets a bad check.
    garble: bool,
    drop_armed: bool,
}

/// All boards of a profile, with the motors' memory.
#[derive(Debug)]
pub struct Mechanism {
    boards: Vec<Board>,
    profile: Profile,
    turn_ms: u64,
    faults: Faults,
    turns: Vec<Turn>,
    pub(super) reader: Reader,
    start_ms: u64,
    pub(super) outputs: VecDeque<Vec<u8>>,
}

impl Mechanism {
    /// All addresses of the profile, idle.
    #[must_use]
    pub fn new(profile: &Profile, turn_ms: u64, faults: Faults) -> Self {
        let addresses = (0..profile.addresses.count).map(|n| profile.addresses.first_on_wire.saturating_add(n));
        let boards = addresses.map(|wire_address| Board {
            wire_address,
            doing: Doing::Idle,
            ends: None,
            dark_ms: 0,
            mute_until: BootMs(0),
            garble: false,
            drop_armed: false,
        });
        Mechanism {
            boards: boards.collect(),
            profile: profile.clone(),
            turn_ms,
            faults,
            turns: Vec::new(),
            reader: Reader::default(),
            start_ms: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Boards that are never back sooner after a restart.
    #[must_use]
    pub fn starting_in(mut self, start_ms: u64) -> Self {
        self.start_ms = start_ms;
        self
    }

    /// When the next motor stops, for boards that tell it by themselves.
    #[must_use]
    pub fn next_end(&self) -> Option<BootMs> {
        self.boards.iter().filter_map(|b| b.ends).map(|(end, _)| end).min()
    }

    /// Puts a frame on the line.
    pub fn say(&mut self, frame: Vec<u8>) {
        self.outputs.push_back(frame);
    }

    fn board(&mut self, wire_address: u8) -> Option<&mut Board> {
        self.boards.iter_mut().find(|b| b.wire_address == wire_address)
    }

    /// What the board does now, as it is after all that had to happen by now. `None`: no such board, or it is dark
    /// or mute.
    pub fn doing(&mut self, now: BootMs, wire_address: u8) -> Option<Doing> {
        let board = self.board(wire_address)?;
        if let (Doing::Turning(slot), Some((end, result))) = (board.doing, board.ends)
            && end <= now
        {
            board.ends = None;
            board.doing = match result {
                Some(result) => Doing::Finished(slot, result),
                None => {
                    board.mute_until = end.plus_ms(board.dark_ms);
                    board.drop_armed = false;
                    Doing::Idle
                }
            };
        }
        if now < board.mute_until {
            return None;
        }
        Some(board.doing)
    }

    /// A motor command, for a board that [`Mechanism::doing`] found awake. `drop_check` says whether the sensor
    /// counts.
    pub fn drive(&mut self, now: BootMs, wire_address: u8, slot: u8, drop_check: bool) -> Met {
        let known = self.profile.has_slot(crate::board::driver::Slot(u16::from(slot)));
        let (turn_ms, longest_vend_ms) = (self.turn_ms, self.profile.timing.longest_vend_ms);
        let Some(at) = self.boards.iter().position(|b| b.wire_address == wire_address) else { return Met::Refused };
        let Some(board) = self.boards.get_mut(at) else { return Met::Refused };
        match board.doing {
            Doing::Turning(_) => return Met::Refused,
            Doing::Finished(..) => return Met::NotCleared,
            Doing::Idle if !known => return Met::NoSuchSlot,
            Doing::Idle => {}
        }
        let fault = self.faults.strike(u16::from(slot));
        if fault == Some(FaultKind::Refuse) {
            return Met::Refused;
        }
        let fell = !matches!(fault, Some(FaultKind::Jam | FaultKind::NoDrop | FaultKind::OpenMotor));
        let motor = match fault {
            Some(FaultKind::Jam) => Motor::OverCurrent,
            Some(FaultKind::OpenMotor) => Motor::Open,
            _ => Motor::Ok,
        };
        let drop_sensor = match (drop_check, fell) {
            (false, _) => DropSensor::None,
            (true, true) => DropSensor::Seen,
            (true, false) => DropSensor::NotSeen,
        };
        let result = Some(Evidence { motor, drop_sensor });
        let end = now.plus_ms(turn_ms);
        board.doing = Doing::Turning(slot);
        board.garble = fault == Some(FaultKind::Garble);
        board.ends = Some(match fault {
            Some(FaultKind::Late) => (end.plus_ms(LATE_MS), result),
            Some(FaultKind::Restart | FaultKind::PowerLoss) => (now.plus_ms(turn_ms / 2), None),
            // The turn is done and its result dropped while nobody hears it.
            Some(FaultKind::Silence) => (end, None),
            _ => (end, result),
        });
        match fault {
            Some(FaultKind::Silence) => {
                board.dark_ms = longest_vend_ms.saturating_sub(turn_ms);
                board.mute_until = now.plus_ms(longest_vend_ms);
            }
            Some(FaultKind::Restart) => board.dark_ms = RESTART_MS.max(self.start_ms),
            Some(FaultKind::PowerLoss) => board.dark_ms = POWER_LOSS_MS.max(self.start_ms),
            _ => {}
        }
        if fault != Some(FaultKind::OpenMotor) {
            self.turns.push(Turn { at: now, wire_address, slot: u16::from(slot), dropped: fell });
        }
        Met::Taken
    }

    /// The board says nothing before a later time.
    #[must_use]
    pub fn is_mute(&self, now: BootMs, wire_address: u8) -> bool {
        self.boards.iter().any(|b| b.wire_address == wire_address && now < b.mute_until)
    }

    /// The result is read or acknowledged: the board is idle again.
    pub fn forget(&mut self, wire_address: u8) {
        if let Some(board) = self.board(wire_address)
            && matches!(board.doing, Doing::Finished(..))
        {
            board.doing = Doing::Idle;
        }
    }

    /// What the board did before a command that it did not take is still so.
    pub fn remember(&mut self, wire_address: u8, doing: Doing) {
        if let Some(board) = self.board(wire_address)
            && board.doing == Doing::Idle
        {
            board.doing = doing;
        }
    }

    /// Spoils the check of the first frame that carries a result, when that fault was asked for.
    pub fn garble(&mut self, wire_address: u8, frame: &mut [u8]) {
        if let Some(board) = self.board(wire_address)
            && std::mem::take(&mut board.garble)
            && let Some(last) = frame.last_mut()
        {
            *last ^= 0xFF;
        }
    }

    /// Arms or disarms the drop sensor.
    pub fn arm(&mut self, wire_address: u8, armed: bool) {
        if let Some(board) = self.board(wire_address) {
            board.drop_armed = armed;
        }
    }

    /// Whether the drop sensor is armed.
    #[must_use]
    pub fn is_armed(&self, wire_address: u8) -> bool {
        self.boards.iter().any(|b| b.wire_address == wire_address && b.drop_armed)
    }

    /// All motor turns.
    #[must_use]
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Everything volatile goes: turns under way, results, modes, half requests, words on the way.
    pub fn power_cycle(&mut self, now: BootMs) {
        self.reader = Reader::default();
        self.outputs.clear();
        for board in &mut self.boards {
            board.doing = Doing::Idle;
            board.ends = None;
            board.mute_until = now.plus_ms(self.start_ms);
            board.garble = false;
            board.drop_armed = false;
        }
    }
}
