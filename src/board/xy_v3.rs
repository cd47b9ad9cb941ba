//! Stub, replaced in the next commits.
use super::driver::{Driver, LineState, MotorCommand, Output, RecoveryClass, Reference, Written};
use super::profile::Profile;
use crate::order::time::BootMs;
/// Stub.
pub struct XyV3;
impl XyV3 {
    /// Stub.
    #[must_use]
    pub fn new(_profile: &Profile) -> Self {
        XyV3
    }
}
impl Driver for XyV3 {
    fn class(&self) -> RecoveryClass {
        RecoveryClass::None
    }
    fn opened(&mut self, _: BootMs) {}
    fn closed(&mut self, _: BootMs) {}
    fn received(&mut self, _: BootMs, _: BootMs, _: &[u8]) {}
    fn wake(&mut self, _: BootMs) {}
    fn deadline(&self) -> Option<BootMs> {
        None
    }
    fn state(&self) -> LineState {
        LineState::Closed
    }
    fn reference(&self, _: &MotorCommand) -> Reference {
        Reference::default()
    }
    fn drive(&mut self, _: BootMs, _: &MotorCommand, _: &Reference) {}
    fn resume(&mut self, _: BootMs, _: &MotorCommand, _: &Reference) {}
    fn motor_written(&mut self, _: BootMs, _: Written) {}
    fn give_up(&mut self, _: BootMs) {}
    fn release(&mut self, _: BootMs) {}
    fn next_output(&mut self) -> Option<Output> {
        None
    }
}
