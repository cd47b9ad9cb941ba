//! What buyers do at the machine.

use super::{FIRST_COMMAND_MS, ISSUED_WITHIN_MS, one_of};

/// What a buyer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::world) enum Deal {
    /// Chooses a slot.
    Choose { slot: u16, address: u8 },
    /// Has the telephone read what is shown.
    Look,
    /// Pays what was read last.
    Pay,
    /// Gives it up.
    GiveUp,
}

/// A buyer does something at a time.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim::world) struct Dealt {
    pub(in crate::sim::world) at_ms: u64,
    pub(in crate::sim::world) deal: Deal,
}

/// How the platform takes a close, and what comes after one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::world) enum Closing {
    /// A paid order is not closed.
    Refused,
    /// A close is taken without a word, and what is paid stays paid.
    PaymentStands,
    /// The same, and an order that is closed, or whose time is over, may be paid all the same.
    PaidAfterwards,
    /// A close overtakes a payment, and so the machine is told to close nothing.
    NeverClosed,
}

impl Closing {
    /// Its chance is a stream of its own, as that of the buyers.
    pub(super) fn of_seed(seed: u64) -> Closing {
        let all = [Closing::Refused, Closing::PaymentStands, Closing::PaidAfterwards, Closing::NeverClosed];
        one_of(&mut fastrand::Rng::with_seed(seed ^ 0xC105E), &all)
    }
}

/// Of so many lives one has buyers: asking each second makes such a life as long as three.
const LIVES_FOR_ONE: u64 = 6;

/// An order that is given up is asked about and closed within this time, in ms, when all is well.
const CLOSED_WITHIN_MS: u64 = 1_500;

/// What buyers do in the life of a seed. Its chance is a stream of its own, so that it leaves the rest as it is.
pub(super) fn deals_of_seed(seed: u64, has_one_slot: bool) -> Vec<Dealt> {
    if !seed.is_multiple_of(LIVES_FOR_ONE) {
        return Vec::new();
    }
    let mut chance = fastrand::Rng::with_seed(seed ^ 0x5A1E);
    let chance = &mut chance;
    let mut deals = Vec::new();
    for _ in 0..chance.u8(1..=3) {
        let slot = if has_one_slot { 1 } else { chance.u16(5..=7) };
        let at_ms = chance.u64(FIRST_COMMAND_MS..=FIRST_COMMAND_MS + 2 * ISSUED_WITHIN_MS);
        deals.push(Dealt { at_ms, deal: Deal::Choose { slot, address: 1 } });
        let look_ms = at_ms + one_of(chance, &[300, 2_000, 8_000]);
        deals.push(Dealt { at_ms: look_ms, deal: Deal::Look });
        let later = |chance: &mut fastrand::Rng| {
            let reach_ms = one_of(chance, &[500, 5_000, 60_000, 400_000]);
            look_ms + chance.u64(0..=reach_ms)
        };
        if chance.u8(..5) > 0 {
            deals.push(Dealt { at_ms: later(chance), deal: Deal::Pay });
        }
        let given_up_at_ms = (chance.u8(..3) == 0).then(|| later(chance));
        deals.extend(given_up_at_ms.map(|at_ms| Dealt { at_ms, deal: Deal::GiveUp }));
        if let Some(at_ms) = given_up_at_ms.filter(|_| chance.bool()) {
            // Between the cloud's "unpaid" and the word "close", or just after it.
            deals.push(Dealt { at_ms: at_ms + chance.u64(0..=CLOSED_WITHIN_MS), deal: Deal::Pay });
        }
    }
    deals
}
