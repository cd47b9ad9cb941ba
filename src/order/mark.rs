//! The motor mark: how far motor commands have come in this boot, kept where it outlives the process and nothing else.
//!
//! A board that is found idle does not tell a command that never came from one whose result is gone. The agent can
//! tell, if it was only the agent that died: just before the first byte of a motor command goes to the kernel, its
//! intent's sequence is written to a few bytes of the running kernel's memory. A later life in the same boot that
//! finds an open intent above the mark knows that not one byte of it was written: the unit waits again, instead of
//! ending *unknown* without a turn.
//!
//! It proves nothing when it could be wrong, and then everything is as without it: a mark of another boot, a mark
//! that the journal does not name (the ledger does, with the very batch that carries an intent), no mark at all.

use super::record::Ledger;
use super::time::BootId;
use crate::sabotage::{self, Clause};
use serde::{Deserialize, Serialize};

/// The random name of a mark, so that a journal knows its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkId(pub [u8; 16]);

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its name.
    pub id: MarkId,
    /// The boot in which it was last written.
    pub boot_id: BootId,
    /// The highest intent of which a byte may have been written.
    pub written: u64,
}

impl Mark {
    /// The intent up to which bytes may have been written, if the mark may be believed: it is of this boot, and it is
    /// the one that the journal's last life kept.
    #[must_use]
    pub fn vouches(&self, ledger: &Ledger, boot_id: BootId) -> Option<u64> {
        let is_of_this_boot = self.boot_id == boot_id || sabotage::is_out(Clause::R00MarkOfThisBoot);
        let is_the_journals = ledger.mark == Some(self.id) || sabotage::is_out(Clause::R00MarkNamedByJournal);
        (is_of_this_boot && is_the_journals).then_some(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::key::MachineNo;
    use crate::order::record::Birth;

    #[test]
    fn a_mark_of_another_boot_or_another_journal_proves_nothing() {
        let mut ledger = Ledger::new(MachineNo::parse("16327129").unwrap(), Birth::At { s: 1 });
        let mark = Mark { id: MarkId([7; 16]), boot_id: BootId([1; 16]), written: 5 };
        assert_eq!(mark.vouches(&ledger, BootId([1; 16])), None);
        ledger.mark = Some(MarkId([8; 16]));
        assert_eq!(mark.vouches(&ledger, BootId([1; 16])), None);
        ledger.mark = Some(MarkId([7; 16]));
        assert_eq!(mark.vouches(&ledger, BootId([2; 16])), None);
        assert_eq!(mark.vouches(&ledger, BootId([1; 16])), Some(5));
    }
}
