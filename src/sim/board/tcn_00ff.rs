//! Stub, replaced in the next commits.
use super::{Emulator, Turn, fault::Faults};
use crate::board::profile::Profile;
use crate::order::time::BootMs;
/// Stub.
pub struct Tcn00ffBoard;
impl Tcn00ffBoard {
    /// Stub.
    #[must_use]
    pub fn new(_: &Profile, _: u64, _: Faults) -> Self {
        Tcn00ffBoard
    }
}
impl Emulator for Tcn00ffBoard {
    fn received(&mut self, _: BootMs, _: &[u8]) {}
    fn wake(&mut self, _: BootMs) {}
    fn deadline(&self) -> Option<BootMs> {
        None
    }
    fn next_output(&mut self) -> Option<Vec<u8>> {
        None
    }
    fn turns(&self) -> &[Turn] {
        &[]
    }
    fn power_cycle(&mut self, _: BootMs) {}
}
