//! What a message of the platform may ask for.

use crate::order::command::Put;
use crate::order::instruction::Instruction;
use crate::order::key::Key;
use crate::order::pickup::CodeWord;

/// A message that the platform signed for this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// A dispense command; `turns` holds the reason if it can never be driven.
    Put(Put),
    /// A question for the result of an order.
    Get {
        /// The order.
        key: Key,
    },
    /// A pickup code comes, or goes.
    Code(CodeWord),
    /// The machine is to do something beside vending.
    Instruction(Instruction),
    /// What the platform keeps about the machine has changed.
    Refresh,
    /// Something for a screen that this machine's agent does not have.
    Advertisement {
        /// The method.
        method: String,
    },
    /// Any other method. It turns no motor.
    Other {
        /// The method.
        method: String,
    },
}
