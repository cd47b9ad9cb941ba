//! What lies in the slots: counted once for each unit, in the batch that carries its outcome, whatever is cut.

use super::world::{DISPENSED, OPEN, World, settings};
use crate::board::driver::{Finding, LineState};
use crate::core::event::{Event, Token};
use crate::core::{Reply, SlotAct, SlotLine};
use crate::order::motor::{Address, Slot};
use crate::order::record::Records;
use crate::order::said::Said;
use crate::order::stock::{Fen, Product, ProductId};

fn address() -> Address {
    Address::new(1).unwrap()
}

pub(super) fn restock(slot: u16, count: Option<u16>) -> SlotAct {
    SlotAct::Restock { address: address(), slot: Slot(slot), count }
}

impl World {
    pub(super) fn act(&mut self, act: SlotAct) {
        self.step(Event::SlotAct { token: Token(9), uid: 0, act });
    }

    /// Ok, or why not.
    fn answers(&self) -> Vec<String> {
        let answers = self.replies.iter().filter_map(|reply| match reply {
            Reply::Sale(_) | Reply::PaymentHeard(_) => None,
            Reply::Slots(Ok(_)) => Some("Ok(())".to_owned()),
            Reply::Slots(Err(error)) => Some(format!("Err({error:?})")),
            Reply::Entered(_) | Reply::Testing(_) | Reply::Books(_) | Reply::Decided(_) => None,
        });
        answers.collect()
    }

    fn slot(&self, slot: u16) -> SlotLine {
        self.core.slots().into_iter().find(|line| line.slot == slot).expect("the slot is known")
    }

    /// Goods in slot 5, and how many of those taken off are doubtful, as the journal has them.
    fn goods_on_disk(&self) -> Option<(u16, u16)> {
        let slots = Records::read(&self.disk).unwrap().slots;
        slots.iter().find(|record| record.slot == Slot(5)).map(|record| (record.count, record.doubtful))
    }
}

/// A world with ten goods in slot 5, from which `put` sells.
fn filled() -> World {
    let mut w = World::new();
    w.act(restock(5, Some(10)));
    assert_eq!((w.answers(), w.goods_on_disk()), (vec!["Ok(())".to_owned()], Some((10, 0))));
    w
}

#[test]
fn the_answer_to_a_restock_leaves_after_it_is_durable() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.act(restock(5, Some(10)));
    assert!(w.answers().is_empty() && w.goods_on_disk().is_none());
    w.commit();
    assert_eq!((w.answers(), w.goods_on_disk()), (vec!["Ok(())".to_owned()], Some((10, 0))));
}

#[test]
fn a_restock_without_a_count_needs_a_capacity_and_a_slot_must_be_there() {
    let mut one_board = settings();
    one_board.profile.addresses.count = 1;
    let mut w = World::with(one_board);
    w.act(restock(5, None));
    w.act(SlotAct::RestockAll);
    w.act(restock(9_999, Some(1)));
    w.act(SlotAct::Restock { address: Address::new(2).unwrap(), slot: Slot(5), count: Some(1) });
    w.act(SlotAct::Clear { address: address(), slot: Slot(9_999) });
    let absent = "Err(NoSuchSlot)";
    assert_eq!(w.answers(), ["Err(NoCapacity)", "Err(NoCapacity)", absent, absent, absent]);
    assert_eq!((w.core.slots(), w.goods_on_disk()), (vec![], None));
    w.step(Event::JournalFailed { why: Said::word("full") });
    w.act(restock(5, Some(1)));
    assert_eq!(w.answers().last().map(String::as_str), Some("Err(Unavailable)"));
}

#[test]
fn the_count_changes_in_the_very_batch_that_carries_the_outcome() {
    let mut w = filled();
    let put = w.put("60", "78");
    w.deliver(&put);
    assert_eq!(w.goods_on_disk(), Some((10, 0)), "an intent is no outcome");
    w.disk_is_quick = false;
    w.board_ends(DISPENSED);
    assert_eq!((w.outcome_on_disk("60", "78"), w.goods_on_disk()), (vec!["intent".to_owned()], Some((10, 0))));
    w.sync();
    assert_eq!((w.outcome_on_disk("60", "78"), w.goods_on_disk()), (vec!["dispensed".to_owned()], Some((9, 0))));
}

#[test]
fn power_may_go_at_any_instant_and_no_unit_is_counted_twice_or_missed() {
    // Before the outcome is known, while it is being written, and after each further commit.
    for cut in 0..5 {
        let mut w = filled();
        let put = w.put("60", "78").with("quantity", "2");
        w.deliver(&put);
        w.disk_is_quick = false;
        if cut >= 1 {
            w.board_ends(DISPENSED);
        }
        if cut >= 2 {
            w.commit();
        }
        if cut >= 3 && w.pending.is_some() {
            w.commit();
        }
        if cut >= 4 && w.driven() == 2 {
            w.board_ends(DISPENSED);
            w.commit();
        }
        let done = |w: &World| w.outcome_on_disk("60", "78").iter().filter(|word| *word == "dispensed").count();
        let before = done(&w);
        assert_eq!(w.goods_on_disk(), Some((10 - u16::try_from(before).unwrap(), 0)), "cut {cut}");
        w.disk_is_quick = true;
        w.restart();
        assert_eq!(w.goods_on_disk(), Some((10 - u16::try_from(before).unwrap(), 0)), "cut {cut}, restarted");
        // The board still tells what became of the unit that was on the line.
        while w.outcome_on_disk("60", "78").iter().any(|word| word == "intent") {
            w.board_ends(DISPENSED);
        }
        let after = done(&w);
        assert_eq!(w.goods_on_disk(), Some((10 - u16::try_from(after).unwrap(), 0)), "cut {cut}, at the end");
        assert_eq!(after, 2, "cut {cut}");
    }
}

#[test]
fn an_unknown_unit_is_taken_off_and_doubtful_until_a_correction() {
    for (evidence, count) in [(DISPENSED, 9), (OPEN, 10)] {
        let mut w = filled();
        let put = w.put("60", "78");
        w.deliver(&put);
        w.board_says(Finding::Unproven("the port was lost"));
        assert_eq!(w.goods_on_disk(), Some((9, 1)));
        let (address, slot) = (address(), Some(Slot(5)));
        w.board_says(Finding::Late { address, slot, evidence });
        assert_eq!(w.goods_on_disk(), Some((count, 0)), "{evidence:?}");
        w.restart();
        assert_eq!(w.goods_on_disk(), Some((count, 0)), "{evidence:?}");
    }
}

#[test]
fn what_did_not_leave_stays_and_the_slot_says_why() {
    let mut w = filled();
    let put = w.put("60", "78");
    w.deliver(&put);
    w.board_ends(OPEN);
    let slot = w.slot(5);
    assert_eq!((slot.count, slot.condition.as_str(), slot.locked), (10, "faulty", false));
    w.restart();
    assert_eq!(w.slot(5).condition, "faulty", "it is kept");
    let put = w.put("61", "78");
    w.deliver(&put);
    assert_eq!(w.driven(), 1, "it decides nothing");
    w.board_ends(DISPENSED);
    assert_eq!((w.slot(5).count, w.slot(5).condition.as_str()), (9, "well"));
}

#[test]
fn an_empty_slot_is_driven_all_the_same() {
    let mut w = World::new();
    w.act(restock(5, Some(0)));
    let put = w.put("60", "78");
    w.deliver(&put);
    w.board_ends(DISPENSED);
    assert_eq!((w.outcome_on_disk("60", "78"), w.slot(5).count), (vec!["dispensed".to_owned()], 0));
}

#[test]
fn what_is_older_than_the_journal_is_not_counted() {
    let mut w = filled();
    let old = w.put("60", "78").with("timestamp", &(w.now_s() - 7_200).to_string());
    w.deliver(&old);
    assert_eq!((w.outcome_on_disk("60", "78"), w.goods_on_disk()), (vec!["unknown".to_owned()], Some((10, 0))));
}

#[test]
fn a_locked_slot_is_shown_and_sells_again_when_somebody_looked() {
    let mut locks = settings();
    locks.lock_slot_after_unknown = true;
    let mut w = World::with(locks);
    let put = w.put("60", "78");
    w.deliver(&put);
    w.board_says(Finding::Unproven("the port was lost"));
    w.line_is(LineState::Idle);
    assert!(w.slot(5).locked, "also a slot of which nothing else is known");
    let put = w.put("61", "78");
    w.deliver(&put);
    assert_eq!(w.outcome_on_disk("61", "78"), ["refused"]);
    w.act(SlotAct::Clear { address: address(), slot: Slot(5) });
    w.restart();
    assert!(w.core.slots().iter().all(|line| !line.locked), "it is durable");
    let put = w.put("62", "78");
    w.deliver(&put);
    w.board_ends(DISPENSED);
    assert_eq!(w.outcome_on_disk("62", "78"), ["dispensed"]);
}

#[test]
fn a_slot_that_the_profile_has_no_more_is_forgotten() {
    let mut w = filled();
    w.settings.profile.slots.gaps.push(5);
    w.restart();
    assert_eq!((w.core.slots(), w.goods_on_disk()), (vec![], None));
}

#[test]
fn a_product_in_several_slots_is_found_where_it_is_best_sold() {
    let mut w = World::new();
    for (slot, count) in [(5, 1), (6, 3), (7, 9), (8, 2)] {
        w.act(restock(slot, Some(count)));
    }
    let product = Product { id: ProductId(20), name: "可乐".into(), price: Some(Fen(10)) };
    let mut slots = Records::read(&w.disk).unwrap().slots;
    for record in &mut slots {
        record.product = Some(product.clone());
        if record.slot == Slot(7) {
            record.condition = crate::order::stock::Condition::Jammed;
        }
        let key = crate::order::record::RecordKey::Slot(record.address, record.slot).to_bytes();
        w.disk.insert(key, crate::order::record::encode_slot(record).unwrap());
    }
    w.restart();
    let found: Vec<u16> = w.core.slots_of_product(ProductId(20)).into_iter().map(|(_, slot)| slot.0).collect();
    assert_eq!((found, w.core.slots_of_product(ProductId(21))), (vec![6, 8, 5, 7], vec![]));
}

#[test]
fn a_slot_that_a_person_locked_is_refused_until_it_is_cleared_also_after_a_restart() {
    let mut w = filled();
    w.act(SlotAct::Lock { address: address(), slot: Slot(5) });
    w.act(SlotAct::Lock { address: address(), slot: Slot(9_999) });
    assert_eq!(w.answers()[1..], ["Ok(())", "Err(NoSuchSlot)"]);
    w.restart();
    w.deliver(&w.put("1", "1"));
    assert_eq!((w.driven(), w.outcome_on_disk("1", "1")), (0, vec!["refused".to_owned()]));
    assert!(w.slot(5).locked);
    w.act(SlotAct::Clear { address: address(), slot: Slot(5) });
    w.deliver(&w.put("2", "1"));
    assert_eq!(w.driven(), 1);
}
