//! What lies in a slot: the product, how many, and whether the slot is well. One small record a slot.
//!
//! The count follows the motor commands of this journal and what people put in, and decides nothing: no paid order is
//! driven or refused because of it. Goods that are seen to leave, or may have left (*unknown*), are taken off; those of
//! an *unknown* end are doubtful until a correction or a person says more.

use super::motor::{Address, Slot};
use super::outcome::{Motor, UnitOutcome};
use super::said::words;
use serde::{Deserialize, Serialize};

/// Slots that are kept: eight boards of a hundred, and some. A catalogue with more is not this machine's.
pub const SLOTS_MAX: usize = 1_000;
/// Goods in one slot at most: no spring, belt or locker holds more, and what is above is a slip of the keyboard.
pub const COUNT_MAX: u16 = 999;
/// Bytes of a product's name that are kept: enough for a label in any script, and the record stays small.
pub const NAME_BYTES_MAX: usize = 96;

/// The platform's number of a product at a machine. It names one slot's goods, not the article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProductId(pub u64);

/// An amount in fen, hundredths of the machine's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Fen(pub u64);

/// What the platform sells from a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its number.
    pub id: ProductId,
    /// What customers read; at most [`NAME_BYTES_MAX`].
    pub name: Box<str>,
    /// What it costs, if the platform said it readably.
    pub price: Option<Fen>,
}

/// Whether a slot is well, in the platform's words (`floor_status`, cloud 1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Nothing is known against it.
    #[default]
    Well,
    /// The motor was fine and nothing fell: goods are stuck.
    Jammed,
    /// The motor or its feedback failed.
    Faulty,
    /// There is no motor.
    Absent,
}

words! {
    Condition {
        Condition::Well => "well", "正常";
        Condition::Jammed => "jammed", "卡货";
        Condition::Faulty => "faulty", "电机故障";
        Condition::Absent => "absent", "无电机";
    }
}

impl Condition {
    /// All of them.
    pub const ALL: [Condition; 4] = [Condition::Well, Condition::Jammed, Condition::Faulty, Condition::Absent];

    /// The platform's number.
    #[must_use]
    pub const fn floor_status(self) -> &'static str {
        match self {
            Condition::Absent => "0",
            Condition::Well => "1",
            Condition::Jammed => "2",
            Condition::Faulty => "3",
        }
    }

    /// What an outcome says of the slot; nothing if its mechanism was not tried or nobody knows.
    #[must_use]
    pub const fn after(outcome: UnitOutcome) -> Option<Condition> {
        match outcome {
            UnitOutcome::Dispensed(_) | UnitOutcome::DispensedUnverified => Some(Condition::Well),
            UnitOutcome::NoDrop => Some(Condition::Jammed),
            UnitOutcome::NotDispensed(Motor::Absent, _) => Some(Condition::Absent),
            UnitOutcome::NotDispensed(..) => Some(Condition::Faulty),
            UnitOutcome::Refused(_) | UnitOutcome::Unknown => None,
        }
    }
}

/// What the platform tells of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The driver board.
    pub address: Address,
    /// The slot on it.
    pub slot: Slot,
    /// What is sold.
    pub product: Product,
    /// How many the platform believes to be there.
    pub count: u16,
    /// How many fit; nothing if it does not say.
    pub capacity: Option<u16>,
}

/// What is kept of one slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// The driver board.
    pub address: Address,
    /// The slot on it.
    pub slot: Slot,
    /// What is sold from it, as far as the platform said.
    pub product: Option<Product>,
    /// How many fit.
    pub capacity: Option<u16>,
    /// How many are believed to be there.
    pub count: u16,
    /// How many of those taken off since the last filling may still be there.
    pub doubtful: u16,
    /// Whether it is well.
    pub condition: Condition,
    /// There was no room to tell the platform; it is told when there is.
    pub untold: bool,
}

/// What changed in a slot, for those who are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changed {
    /// The count.
    pub count: bool,
    /// The condition.
    pub condition: bool,
    /// Anything that is kept.
    pub record: bool,
}

impl SlotRecord {
    /// A slot of which nothing is known yet.
    #[must_use]
    pub const fn new(address: Address, slot: Slot) -> SlotRecord {
        let (product, capacity, condition) = (None, None, Condition::Well);
        SlotRecord { address, slot, product, capacity, count: 0, doubtful: 0, condition, untold: false }
    }

    /// What a change leaves different.
    fn change(&mut self, change: impl FnOnce(&mut SlotRecord)) -> Changed {
        let before = self.clone();
        change(self);
        Changed {
            count: self.count != before.count,
            condition: self.condition != before.condition,
            record: *self != before,
        }
    }

    /// A unit of it ended so, or an *unknown* one was corrected (`before`). Called once for each, in the very commit
    /// that carries the outcome.
    pub fn unit_ended(&mut self, before: Option<UnitOutcome>, now: UnitOutcome) -> Changed {
        self.change(|slot| {
            match before {
                None if now.is_dispensed() || now == UnitOutcome::Unknown => {
                    slot.count = slot.count.saturating_sub(1);
                    slot.doubtful = slot.doubtful.saturating_add(u16::from(now == UnitOutcome::Unknown));
                }
                // Filled since: whoever filled it has seen what was there, and no doubt is left that could be cleared.
                Some(_) if slot.doubtful > 0 => {
                    slot.doubtful -= 1;
                    slot.count = slot.count.saturating_add(u16::from(!now.is_dispensed()));
                }
                _ => {}
            }
            slot.condition = Condition::after(now).unwrap_or(slot.condition);
        })
    }

    /// A person filled it, and so many are there now.
    pub fn filled(&mut self, count: u16) -> Changed {
        self.change(|slot| (slot.count, slot.doubtful) = (count, 0))
    }

    /// A person, or the platform, says that it is well again.
    pub fn cleared(&mut self) -> Changed {
        self.change(|slot| slot.condition = Condition::Well)
    }

    /// What the platform says of it. Our own count stands, since it is taken where the goods fall; but another product
    /// was filled in by somebody who told the platform, and so was more than we know of. `count_is_told`: the platform
    /// knew our count when it said this.
    pub fn offered(&mut self, offer: &Offer, count_is_told: bool) -> Changed {
        self.change(|slot| {
            let is_other = slot.product.as_ref().is_some_and(|p| p.id != offer.product.id);
            // What the platform gave back for an unknown vend is no filling; nor may it know yet what we sold.
            let is_more = offer.count > slot.count.saturating_add(slot.doubtful) && count_is_told;
            // Until now it was filled by people alone, and the platform has not heard of it.
            let is_new = slot.product.is_none();
            if is_other || (is_more && !is_new) {
                (slot.count, slot.doubtful) = (offer.count, 0);
            }
            slot.product = Some(offer.product.clone());
            slot.capacity = offer.capacity.or(slot.capacity);
        })
    }

    /// A slot that the platform tells us of.
    #[must_use]
    pub fn of_offer(offer: &Offer) -> SlotRecord {
        let (product, capacity, count) = (Some(offer.product.clone()), offer.capacity, offer.count);
        SlotRecord { product, capacity, count, ..SlotRecord::new(offer.address, offer.slot) }
    }
}

/// A name cut to what is kept, between two characters.
#[must_use]
pub fn short_name(name: &str) -> Box<str> {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or(name).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::outcome::{DropSensor, Reason};

    fn slot(count: u16) -> SlotRecord {
        SlotRecord { count, ..SlotRecord::new(Address::new(1).unwrap(), Slot(5)) }
    }

    const DISPENSED: UnitOutcome = UnitOutcome::Dispensed(Motor::Ok);
    const OPEN: UnitOutcome = UnitOutcome::NotDispensed(Motor::Open, DropSensor::NotSeen);

    #[test]
    fn what_left_or_may_have_left_is_taken_off_and_nothing_else() {
        let table = [
            (DISPENSED, 4, 0, Condition::Well),
            (UnitOutcome::DispensedUnverified, 4, 0, Condition::Well),
            (UnitOutcome::Unknown, 4, 1, Condition::Faulty),
            (UnitOutcome::NoDrop, 5, 0, Condition::Jammed),
            (OPEN, 5, 0, Condition::Faulty),
            (UnitOutcome::NotDispensed(Motor::Absent, DropSensor::None), 5, 0, Condition::Absent),
            (UnitOutcome::Refused(Reason::Expired), 5, 0, Condition::Faulty),
        ];
        for (outcome, count, doubtful, condition) in table {
            let mut slot = SlotRecord { condition: Condition::Faulty, ..slot(5) };
            slot.unit_ended(None, outcome);
            assert_eq!((slot.count, slot.doubtful, slot.condition), (count, doubtful, condition), "{outcome:?}");
        }
        let mut empty = slot(0);
        assert_eq!(empty.unit_ended(None, DISPENSED), Changed::default(), "more was there than was counted");
    }

    #[test]
    fn a_correction_settles_the_doubt_once_and_not_after_a_filling() {
        for (now, count) in [(DISPENSED, 4), (OPEN, 5), (UnitOutcome::NoDrop, 5)] {
            let mut slot = slot(5);
            slot.unit_ended(None, UnitOutcome::Unknown);
            slot.unit_ended(Some(UnitOutcome::Unknown), now);
            assert_eq!((slot.count, slot.doubtful), (count, 0), "{now:?}");
        }
        let mut slot = slot(5);
        slot.unit_ended(None, UnitOutcome::Unknown);
        slot.filled(9);
        assert_eq!(slot.unit_ended(Some(UnitOutcome::Unknown), DISPENSED), Changed::default());
        assert_eq!((slot.count, slot.doubtful), (9, 0));
    }

    #[test]
    fn the_platforms_count_is_taken_for_another_product_or_for_more_than_we_know_of() {
        let offer = |id, count| {
            let product = Product { id: ProductId(id), name: "可乐".into(), price: Some(Fen(10)) };
            Offer { address: Address::new(1).unwrap(), slot: Slot(5), product, count, capacity: Some(9) }
        };
        let mut filled_by_people = slot(7);
        let known = filled_by_people.offered(&offer(20, 9), true);
        assert_eq!((known, filled_by_people.count), (Changed { record: true, ..Changed::default() }, 7));
        let mut it = SlotRecord::of_offer(&offer(20, 5));
        assert_eq!((it.count, it.capacity), (5, Some(9)));
        assert_eq!(it.offered(&offer(20, 5), true), Changed::default(), "nothing to write");
        it.unit_ended(None, DISPENSED);
        it.offered(&offer(20, 5), false);
        assert_eq!(it.count, 4, "what was sold is not told yet");
        it.offered(&offer(20, 3), true);
        assert_eq!(it.count, 4, "an order is on its way");
        it.unit_ended(None, UnitOutcome::Unknown);
        it.offered(&offer(20, 4), true);
        assert_eq!((it.count, it.doubtful), (3, 1), "it was given back, and may have fallen");
        it.offered(&offer(20, 9), true);
        assert_eq!((it.count, it.doubtful), (9, 0), "filled at the platform");
        it.offered(&offer(21, 2), true);
        assert_eq!(it.count, 2, "another product");
    }

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        assert_eq!(&*short_name("可乐"), "可乐");
        let cut = short_name(&"乐".repeat(100));
        assert_eq!(cut.len(), NAME_BYTES_MAX / 3 * 3);
        assert_eq!(short_name(&"x".repeat(200)).len(), NAME_BYTES_MAX);
    }
}
