//! Emulated boards: pure like the drivers (bytes and time in, bytes out), byte-exact, with faults on demand.

pub mod adh;
pub mod answering;
pub mod col_ed;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod detected;
#[cfg(test)]
mod duel;
#[cfg(test)]
mod every_profile;
pub mod fault;
pub mod ff0055;
pub mod latches;
#[cfg(test)]
mod late;
pub mod lift_c7;
pub mod lock_8a;
pub mod lock_cu;
#[cfg(test)]
mod lockers;
pub mod m102;
pub mod mechanism;
#[cfg(test)]
mod pair;
pub mod reader;
#[cfg(test)]
mod services;
pub mod tcn_00ff;
pub mod ubox_e7;
pub mod uling_modbus;
pub mod vendapin;
pub mod vmc96;
pub mod xy_v3;

use crate::board::profile::{Family, Profile};
use crate::order::time::BootMs;
use fault::Faults;

/// One motor turn, as the board itself saw it: the truth that reports are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// When the motor began to turn.
    pub at: BootMs,
    /// The address on the wire.
    pub wire_address: u8,
    /// The slot on the wire.
    pub slot: u16,
    /// Goods fell.
    pub dropped: bool,
}

/// A board on the other end of the line.
pub trait Emulator: Send {
    /// Bytes from the host.
    fn received(&mut self, now: BootMs, bytes: &[u8]);
    /// The time that [`Emulator::deadline`] named has come.
    fn wake(&mut self, now: BootMs);
    /// When the board wants to be woken next (a poll, the end of a turn).
    fn deadline(&self) -> Option<BootMs>;
    /// Bytes for the host, each item one write, in order; `None` when there is nothing more to send now.
    fn next_output(&mut self) -> Option<Vec<u8>>;
    /// All motor turns since the emulator was made. A power loss does not remove them.
    fn turns(&self) -> &[Turn];
    /// The board loses its power now and starts again at once: it forgets what its kind forgets.
    fn power_cycle(&mut self, now: BootMs);
    /// Somebody chooses a slot at the board's own keys, or gives the choice up (0). False where it has none that it
    /// tells of.
    fn press(&mut self, _slot: u16) -> bool {
        false
    }
}

impl Emulator for Box<dyn Emulator> {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        (**self).received(now, bytes);
    }

    fn wake(&mut self, now: BootMs) {
        (**self).wake(now);
    }

    fn deadline(&self) -> Option<BootMs> {
        (**self).deadline()
    }

    fn next_output(&mut self) -> Option<Vec<u8>> {
        (**self).next_output()
    }

    fn turns(&self) -> &[Turn] {
        (**self).turns()
    }

    fn power_cycle(&mut self, now: BootMs) {
        (**self).power_cycle(now);
    }

    fn press(&mut self, slot: u16) -> bool {
        (**self).press(slot)
    }
}

/// The emulator of a profile's board. `turn_ms` is how long a motor turns.
#[must_use]
pub fn emulator_for(profile: &Profile, turn_ms: u64, faults: Faults) -> Box<dyn Emulator> {
    match profile.family {
        Family::UlingModbus => Box::new(uling_modbus::UlingModbusBoard::new(profile, turn_ms, faults)),
        Family::XyV3 => Box::new(xy_v3::XyV3Board::new(profile, turn_ms, faults)),
        Family::Adh => Box::new(adh::AdhBoard::new(profile, turn_ms, faults)),
        Family::Tcn00ff => Box::new(tcn_00ff::Tcn00ffBoard::new(profile, turn_ms, faults)),
        Family::M102 => Box::new(m102::M102Board::new(profile, turn_ms, faults)),
        Family::Lock8a => Box::new(lock_8a::Lock8aBoard::new(profile, turn_ms, faults)),
        Family::LockCu => Box::new(lock_cu::LockCuBoard::new(profile, turn_ms, faults)),
        Family::LiftC7 => Box::new(lift_c7::LiftC7Board::new(profile, turn_ms, faults)),
        Family::ColEd => Box::new(col_ed::ColEdBoard::new(profile, turn_ms, faults)),
        Family::Ff0055 => Box::new(ff0055::Ff0055Board::new(profile, turn_ms, faults)),
        Family::UboxE7 => Box::new(ubox_e7::UboxE7Board::new(profile, turn_ms, faults)),
        Family::Vendapin => Box::new(vendapin::VendapinBoard::new(profile, turn_ms, faults)),
        Family::Vmc96 => Box::new(vmc96::Vmc96Board::new(profile, turn_ms, faults)),
    }
}
