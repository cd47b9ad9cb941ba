//! `vend slot`: what can be done with one slot.

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use super::slot_test;
use clap::Subcommand;

/// What to do with slots.
#[derive(Debug, Clone, Subcommand)]
pub enum SlotCommand {
    /// Turn a slot's motor once, as a vend does; for root and the daemon's user
    Test(slot_test::TestArgs),
}

impl SlotCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        let SlotCommand::Test(args) = self;
        args.output
    }
}

/// Runs `vend slot …`.
///
/// # Errors
/// See [`slot_test::run`].
pub fn run(command: &SlotCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let SlotCommand::Test(args) = command;
    slot_test::run(args, out)
}
