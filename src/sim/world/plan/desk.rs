//! What people do at the machine: pickup codes, entered rightly and wrongly, and tests of slots. And what the platform
//! says about codes.

use super::{FIRST_COMMAND_MS, ISSUED_WITHIN_MS, one_of};

/// A pickup code as the platform gives it away.
#[derive(Debug, Clone)]
pub(in crate::sim::world) struct PlacedCode {
    pub(in crate::sim::world) id: u64,
    pub(in crate::sim::world) slot: u16,
    pub(in crate::sim::world) address: u8,
    pub(in crate::sim::world) quantity: u8,
    pub(in crate::sim::world) issued_at_ms: u64,
    /// By the run's time, in ms.
    pub(in crate::sim::world) expires_at_ms: Option<u64>,
}

impl PlacedCode {
    /// What is to be entered.
    pub(in crate::sim::world) fn digits(&self) -> String {
        format!("{:08}", 20_000_000 + self.id)
    }
}

/// What the platform says about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::world) enum CodeMessage {
    /// As it was issued.
    Create,
    /// Again, with a new timestamp: the platform does not know that it is used.
    CreateAnew,
    /// It is taken back.
    Delete,
}

/// One word about a code at its time.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::world) struct CodeSending {
    pub(in crate::sim::world) at_ms: u64,
    pub(in crate::sim::world) code: usize,
    pub(in crate::sim::world) message: CodeMessage,
}

/// What somebody does at the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::world) enum Act {
    /// Enters this code.
    Enter(usize),
    /// Enters digits that are no code.
    EnterWrong,
    /// Tests a slot.
    Test { slot: u16, address: u8 },
}

/// Somebody does something at the machine, at a time.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::world) struct Visit {
    pub(in crate::sim::world) at_ms: u64,
    pub(in crate::sim::world) act: Act,
}

/// Everything of one life that has to do with people at the machine.
#[derive(Debug, Clone, Default)]
pub(in crate::sim::world) struct Desk {
    pub(in crate::sim::world) codes: Vec<PlacedCode>,
    pub(in crate::sim::world) sendings: Vec<CodeSending>,
    pub(in crate::sim::world) visits: Vec<Visit>,
}

impl Desk {
    /// The desk of a seed. Its chance is a stream of its own, so that it leaves the rest of the life as it is.
    pub(super) fn of_seed(seed: u64, has_one_slot: bool) -> Desk {
        let mut chance = fastrand::Rng::with_seed(seed ^ 0xDE5C);
        let chance = &mut chance;
        let mut desk = Desk::default();
        if chance.bool() {
            return desk;
        }
        let slot = |chance: &mut fastrand::Rng| if has_one_slot { 1 } else { chance.u16(5..=7) };
        for n in 0..chance.usize(1..=3) {
            let issued_at_ms = chance.u64(FIRST_COMMAND_MS..=FIRST_COMMAND_MS + ISSUED_WITHIN_MS);
            let expires = chance.bool().then(|| issued_at_ms + 1_000 * chance.u64(20..=200));
            desk.codes.push(PlacedCode {
                id: u64::try_from(n).unwrap_or(0),
                slot: slot(chance),
                address: chance.u8(1..=2),
                quantity: chance.u8(1..=3),
                issued_at_ms,
                expires_at_ms: expires,
            });
            desk.fill(chance, n, issued_at_ms);
        }
        for _ in 0..chance.u8(..3) {
            let test = Act::Test { slot: slot(chance), address: chance.u8(1..=2) };
            desk.visits.push(Visit { at_ms: chance.u64(1_000..=FIRST_COMMAND_MS + 2 * ISSUED_WITHIN_MS), act: test });
        }
        desk
    }

    /// What is said about a code, and who enters it when.
    fn fill(&mut self, chance: &mut fastrand::Rng, code: usize, issued_at_ms: u64) {
        let first_ms = issued_at_ms + chance.u64(10..=2_000);
        self.sendings.push(CodeSending { at_ms: first_ms, code, message: CodeMessage::Create });
        let soon = |chance: &mut fastrand::Rng| {
            let reach_ms = one_of(chance, &[50, 2_000, 60_000, 200_000]);
            first_ms + chance.u64(0..=reach_ms)
        };
        for _ in 0..chance.u8(..3) {
            let message = one_of(chance, &[CodeMessage::Create, CodeMessage::CreateAnew, CodeMessage::Delete]);
            let at_ms = soon(chance);
            self.sendings.push(CodeSending { at_ms, code, message });
        }
        for _ in 0..chance.u8(1..=4) {
            let at_ms = soon(chance);
            let act = if chance.u8(..5) == 0 { Act::EnterWrong } else { Act::Enter(code) };
            self.visits.push(Visit { at_ms, act });
        }
    }

    /// When the last of it happens, in ms.
    pub(super) fn last_ms(&self) -> u64 {
        let said = self.sendings.iter().map(|sending| sending.at_ms);
        said.chain(self.visits.iter().map(|visit| visit.at_ms)).max().unwrap_or(0)
    }
}
