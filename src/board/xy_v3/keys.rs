//! The keys at the machine: `05` tells which slot somebody chose, or that they gave the choice up (slot 0). Like all
//! that the board says it is said again until it is acknowledged; a copy is not another press.

use super::COPY_MS_MAX;
use crate::board::driver::{Address, Finding, Slot};
use crate::order::time::BootMs;

/// The last press, while a copy of it may come.
#[derive(Debug, Default)]
pub(super) struct Keys {
    last: Option<(u8, u16, BootMs)>,
}

impl Keys {
    /// What a `05` with this number and slot tells; nothing for a copy.
    pub(super) fn pressed(&mut self, now: BootMs, pack_no: u8, slot: u16) -> Option<Finding> {
        let is_copy = self
            .last
            .is_some_and(|(number, chosen, at)| (number, chosen) == (pack_no, slot) && now.since_ms(at) <= COPY_MS_MAX);
        self.last = Some((pack_no, slot, now));
        let slot = (slot != 0).then_some(Slot(slot));
        // The family has one board on a line.
        (!is_copy).then_some(Finding::Selected { address: Address::FIRST, slot })
    }
}
