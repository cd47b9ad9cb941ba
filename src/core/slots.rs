//! What lies in the slots: counted in the very commit that carries an outcome, filled and cleared by people.
//!
//! Nothing here decides whether a paid order is driven. What was never driven by this journal (the birth barrier) is
//! not counted: the count is younger than the journal.

use super::commit::After;
use super::event::{Effect, Level, Token};
use super::own::Reply;
use super::{Core, Phase};
use crate::cloud::telemetry::{self, Message};
use crate::order::call::{Call, Subject, SubjectKind};
use crate::order::key::Key;
use crate::order::label::Label;
use crate::order::motor::{Address, Slot};
use crate::order::outcome::UnitOutcome;
use crate::order::record::RecordKey;
use crate::order::said::InChinese;
use crate::order::stock::{COUNT_MAX, Changed, Offer, ProductId, SLOTS_MAX, SlotRecord};
use crate::order::time::Now;
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A driver board and a slot on it.
pub(super) type At = (Address, Slot);

/// The slots of which anything is known.
#[derive(Debug, Default)]
pub(super) struct Slots {
    records: BTreeMap<At, SlotRecord>,
}

impl Slots {
    pub(super) fn get(&self, at: At) -> Option<&SlotRecord> {
        self.records.get(&at)
    }

    /// What the platform sells from it, and how many are there.
    fn sold(&self, at: At) -> Option<(ProductId, u16)> {
        let record = self.records.get(&at)?;
        Some((record.product.as_ref()?.id, record.count))
    }
}

/// Calls that one slot may need: its goods and its state.
const STATES_OF_A_SLOT: usize = 2;

/// A slot as calls about it name it.
struct Name(At);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name((address, slot)) = self;
        write!(f, "{}:{}", address.get(), slot.0)
    }
}

/// The goods of a slot: what is told of them leaves in order.
fn stock_of(at: At) -> Subject {
    Subject::new(SubjectKind::SlotStock, &Name(at))
}

/// The state of a slot.
fn state_of(at: At) -> Subject {
    Subject::new(SubjectKind::SlotState, &Name(at))
}

/// What a person did at a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum SlotAct {
    /// It was filled.
    Restock {
        /// The driver board.
        address: Address,
        /// The slot on it.
        slot: Slot,
        /// How many are there now; without it as many as fit.
        count: Option<u16>,
    },
    /// Every slot whose capacity is known was filled.
    RestockAll,
    /// Somebody wants it out of use until it is cleared.
    Lock {
        /// The driver board.
        address: Address,
        /// The slot on it.
        slot: Slot,
    },
    /// Somebody looked: it is well, and may be used.
    Clear {
        /// The driver board.
        address: Address,
        /// The slot on it.
        slot: Slot,
    },
}

/// Why an act at a slot is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum SlotError {
    /// The board has no such slot.
    #[error("the profile has no such slot; vend board show NAME says which it has")]
    NoSuchSlot,
    /// Nobody said how many fit.
    #[error("how many fit is not known: the platform has not told it; say how many are there now")]
    NoCapacity,
    /// The agent keeps nothing now.
    #[error("the agent keeps nothing now: it is starting or stopping, or its journal failed; see vend status")]
    Unavailable,
}

impl InChinese for SlotError {
    fn zh(&self) -> String {
        match self {
            SlotError::NoSuchSlot => "板卡配置中没有此货道；vend board show NAME 会列出货道",
            SlotError::NoCapacity => "不知道货道容量：平台尚未告知；请给出现有件数",
            SlotError::Unavailable => "守护进程此时不保存数据：正在启动或停止，或日志已失败；请看 vend status",
        }
        .to_owned()
    }
}

/// One slot as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotLine {
    /// The driver board, from 1.
    pub address: u8,
    /// As the board numbers it.
    pub slot: u16,
    /// As the platform calls it, if it does.
    pub code: Option<u16>,
    /// The platform's number of what is sold from it.
    pub product_id: Option<u64>,
    /// What is printed at it, where the configuration says so; else the code is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// What customers read.
    pub product: Option<String>,
    /// What it costs, in fen.
    pub price_fen: Option<u64>,
    /// How many are believed to be there.
    pub count: u16,
    /// How many of those taken off may still be there.
    pub doubtful: u16,
    /// How many fit.
    pub capacity: Option<u16>,
    /// well, jammed, faulty or absent.
    pub condition: String,
    /// Out of use until a person looked.
    pub locked: bool,
    /// Its motor turns, or may: the order under way lies here.
    #[serde(default)]
    pub turning: bool,
    /// A buyer at the machine could choose it now, as far as the slot is concerned.
    #[serde(default)]
    pub for_sale: bool,
}

impl Core {
    /// The slots of former lives. One that the profile has no more is forgotten.
    pub(super) fn recover_slots(&mut self, records: Vec<SlotRecord>) {
        for record in records {
            let at = (record.address, record.slot);
            if self.has_slot(at) {
                self.slots.records.insert(at, record);
            }
            // Seen is not durable: it is written again like the orders, which it must not fall behind (rule 1).
            self.save_record(RecordKey::Slot(at.0, at.1), None);
        }
    }

    pub(super) fn has_slot(&self, (address, slot): At) -> bool {
        address.get() <= self.settings.profile.addresses.count && self.settings.profile.has_slot(slot)
    }

    /// Where the order's units lie.
    pub(super) fn slot_of_order(&self, key: &Key) -> Option<At> {
        // A test vend is nobody's order, and touches no stock.
        self.orders.get(key).filter(|_| !key.is_test())?.turns.map(|turns| (turns.address, turns.slot))
    }

    /// A unit that was driven ended so, or its *unknown* end was corrected. Whoever calls this saves the order in the
    /// same step, so that both are in one batch: no unit is counted twice, and none is missed, whatever happens to power.
    pub(super) fn count_unit(&mut self, now: Now, at: Option<At>, before: Option<UnitOutcome>, outcome: UnitOutcome) {
        let Some(at) = at else { return };
        if before.is_none() {
            self.vends.ended(now.boot, outcome);
        }
        // Of a slot that nobody filled and the platform does not know there is nothing to count.
        let Some(record) = self.slots.records.get_mut(&at) else { return };
        let changed = record.unit_ended(before, outcome);
        self.slot_changed(now, at, changed);
    }

    /// Keeps what changed, and tells the platform in the same batch, if it sells from this slot.
    fn slot_changed(&mut self, now: Now, at: At, changed: Changed) {
        if changed.record {
            self.save_record(RecordKey::Slot(at.0, at.1), None);
        }
        if changed.count {
            self.catalogue.count_changed(at);
            self.tell_stock(now, at, telemetry::product);
        }
        if changed.condition {
            self.tell_condition(now, at);
        }
    }

    /// The platform is to know how many are there. A newer count takes the place of one that has not left.
    fn tell_stock(&mut self, now: Now, at: At, message: fn(ProductId, u16, Option<bool>) -> Message) {
        if let Some((product, count)) = self.slots.sold(at) {
            self.tell_of_slot(now, at, stock_of(at), message(product, count, None));
        }
    }

    fn tell_condition(&mut self, now: Now, at: At) {
        let condition = self.slots.get(at).map(|record| record.condition).unwrap_or_default();
        if let Some((product, _)) = self.slots.sold(at) {
            self.tell_of_slot(now, at, state_of(at), telemetry::channel_status(product, condition));
        }
    }

    /// A state of a slot. Where so many calls are open that it is left out, that is kept, and made good later.
    fn tell_of_slot(&mut self, now: Now, at: At, subject: Subject, message: Message) {
        let is_kept = self.call(now, Call { subject, way: message.into_way(), newest_wins: true });
        if let Some(record) = self.slots.records.get_mut(&at).filter(|record| !is_kept && !record.untold) {
            record.untold = true;
            self.save_record(RecordKey::Slot(at.0, at.1), None);
        }
    }

    /// A call that the journal still had may be older than what the platform has heard: that it was taken may have been
    /// seen and not durable, and is lost with the power. So what is true now takes its place.
    pub(super) fn tell_recovered_slots_anew(&mut self, now: Now) {
        let all: Vec<At> = self.slots.records.keys().copied().collect();
        for at in all {
            if self.calls.is_open(&stock_of(at)) {
                self.tell_stock(now, at, telemetry::product);
            }
            if self.calls.is_open(&state_of(at)) {
                self.tell_condition(now, at);
            }
        }
    }

    /// What was left out is told, if there is room now.
    pub(super) fn tell_the_untold(&mut self, now: Now) {
        let untold: Vec<At> =
            self.slots.records.iter().filter(|(_, record)| record.untold).map(|(at, _)| *at).collect();
        for at in untold {
            if self.calls.open().saturating_add(STATES_OF_A_SLOT) > self.settings.limits.calls_open {
                return;
            }
            if let Some(record) = self.slots.records.get_mut(&at) {
                record.untold = false;
                self.save_record(RecordKey::Slot(at.0, at.1), None);
                self.tell_stock(now, at, telemetry::product);
                self.tell_condition(now, at);
            }
        }
    }

    /// A slot that is out of use is off sale, and on sale again when it was looked at. No newer count takes its place: it
    /// would leave the slot as it was.
    pub(super) fn tell_sale(&mut self, now: Now, at: At, on_sale: bool) {
        if let Some((product, count)) = self.slots.sold(at) {
            let way = telemetry::product(product, count, Some(on_sale)).into_way();
            self.call(now, Call { subject: stock_of(at), way, newest_wins: false });
        }
    }

    /// Slots whose count the platform may not know yet.
    pub(super) fn counts_on_their_way(&self) -> BTreeSet<At> {
        self.slots.records.keys().filter(|at| !self.stock_is_told(**at)).copied().collect()
    }

    /// Nothing that was counted here is still on its way to the platform.
    fn stock_is_told(&self, at: At) -> bool {
        !self.calls.is_open(&stock_of(at)) && self.slots.get(at).is_none_or(|record| !record.untold)
    }

    /// A person did something at a slot. The answer leaves when it is durable.
    pub(super) fn on_slot_act(&mut self, now: Now, token: Token, uid: u32, act: SlotAct) {
        match self.act_on_slots(now, act) {
            Ok(()) => {
                self.audit_slot_act(now, uid, act);
                let reply = Reply::Slots(Ok(self.slots()));
                self.after_next_commit(After::Reply { token, reply });
            }
            Err(error) => self.effects.push(Effect::Reply { token, reply: Reply::Slots(Err(error)) }),
        }
    }

    fn act_on_slots(&mut self, now: Now, act: SlotAct) -> Result<(), SlotError> {
        if self.phase != Phase::Running || self.failed.is_some() || self.stopping {
            return Err(SlotError::Unavailable);
        }
        match act {
            SlotAct::Restock { address, slot, count } => {
                let at = (address, slot);
                let known = self.slots.get(at);
                if !self.has_slot(at) || (known.is_none() && self.slots.records.len() >= SLOTS_MAX) {
                    return Err(SlotError::NoSuchSlot);
                }
                let capacity = known.and_then(|record| record.capacity);
                let count = count.or(capacity).ok_or(SlotError::NoCapacity)?.min(COUNT_MAX);
                self.fill(now, at, count);
            }
            SlotAct::RestockAll => {
                let full = self.slots.records.iter().filter_map(|(at, record)| Some((*at, record.capacity?)));
                let full: Vec<(At, u16)> = full.collect();
                if full.is_empty() {
                    return Err(SlotError::NoCapacity);
                }
                for (at, capacity) in full {
                    self.fill(now, at, capacity);
                }
            }
            SlotAct::Lock { address, slot } => {
                if !self.has_slot((address, slot)) {
                    return Err(SlotError::NoSuchSlot);
                }
                self.lock_slot(now, address, slot);
                self.save_ledger();
                let text = format!("slot {} of board {}: by a person", slot.0, address.get());
                self.note(Level::Info, "slot_locked", text);
            }
            SlotAct::Clear { address, slot } => {
                if !self.has_slot((address, slot)) {
                    return Err(SlotError::NoSuchSlot);
                }
                self.clear_slot(now, (address, slot));
            }
        }
        Ok(())
    }

    fn fill(&mut self, now: Now, at: At, count: u16) {
        let record = self.slots.records.entry(at).or_insert_with(|| SlotRecord::new(at.0, at.1));
        let before = (record.count, record.doubtful);
        let changed = record.filled(count);
        let text = format!("slot {} of board {}: {count}, was {}", at.1.0, at.0.get(), before.0);
        self.note(Level::Info, "restocked", text);
        if changed.record {
            self.save_record(RecordKey::Slot(at.0, at.1), None);
        }
        // Also what was counted right is told: the platform may believe something else.
        self.catalogue.count_changed(at);
        let is_full = self.slots.get(at).is_some_and(|record| record.capacity == Some(count));
        self.tell_stock(now, at, if is_full { |id, _, _| telemetry::restock(id, &[]) } else { telemetry::product });
    }

    /// A person or the platform says that the slot is well: it may be used again.
    pub(super) fn clear_slot(&mut self, now: Now, at: At) {
        let was_locked = self.ledger.locked.remove(&at);
        let changed = self.slots.records.get_mut(&at).map(SlotRecord::cleared).unwrap_or_default();
        let text = format!("slot {} of board {}: was locked: {was_locked}", at.1.0, at.0.get());
        self.note(Level::Info, "slot_cleared", text);
        if was_locked {
            self.save_ledger();
            self.tell_sale(now, at, true);
        }
        self.slot_changed(now, at, changed);
    }

    /// The whole catalogue came. What changed is written with the next commit; nothing, if nothing did.
    /// `counted_since`: slots whose count it did not know when it was asked, or that changed since.
    pub(super) fn take_offers(&mut self, now: Now, offers: BTreeMap<At, Offer>, counted_since: &BTreeSet<At>) {
        // What is sold no more is not counted any more; what only people know of is none of the platform's business.
        let is_gone = |(at, record): (&At, &SlotRecord)| record.product.is_some() && !offers.contains_key(at);
        let gone: Vec<At> = self.slots.records.iter().filter(|slot| is_gone(*slot)).map(|(at, _)| *at).collect();
        for at in gone {
            self.slots.records.remove(&at);
            self.save_record_lazily(now, RecordKey::Slot(at.0, at.1));
        }
        for (at, offer) in offers {
            let is_told = self.stock_is_told(at) && !counted_since.contains(&at);
            let is_full = self.slots.records.len() >= SLOTS_MAX;
            match self.slots.records.entry(at) {
                Entry::Occupied(mut known) => {
                    let was_filled_by_people = known.get().product.is_none();
                    if known.get_mut().offered(&offer, is_told).record {
                        self.save_record_lazily(now, RecordKey::Slot(at.0, at.1));
                    }
                    if was_filled_by_people {
                        // In the batch that makes the product known, or it would never be told.
                        self.tell_stock(now, at, telemetry::product);
                        self.tell_condition(now, at);
                    }
                }
                Entry::Vacant(_) if is_full => {}
                Entry::Vacant(place) => {
                    place.insert(SlotRecord::of_offer(&offer));
                    self.save_record_lazily(now, RecordKey::Slot(at.0, at.1));
                }
            }
        }
    }

    /// Every slot of which anything is known, by address and slot.
    #[must_use]
    pub fn slots(&self) -> Vec<SlotLine> {
        let record = |at: At| self.slots.get(at).cloned().unwrap_or_else(|| SlotRecord::new(at.0, at.1));
        self.known_slots().map(|at| self.slot_line(&record(at))).collect()
    }

    /// Where the motor command lies that is on the line.
    fn turning_slot(&self) -> Option<At> {
        let order = self.orders.get(self.line.active_key()?)?;
        order.unit_on_line()?;
        order.turns.map(|turns| (turns.address, turns.slot))
    }

    /// Those that were filled or offered, are locked, are turning, or stand in the configuration of sales; each once.
    pub(super) fn known_slots(&self) -> impl Iterator<Item = At> {
        let all = self.slots.records.keys().chain(&self.ledger.locked).copied().chain(self.slots_for_sale());
        all.chain(self.turning_slot()).collect::<BTreeSet<At>>().into_iter()
    }

    fn slot_line(&self, record: &SlotRecord) -> SlotLine {
        let at = (record.address, record.slot);
        let product = record.product.as_ref();
        let goods = self.goods_of(at);
        let goods = goods.as_ref();
        SlotLine {
            address: record.address.get(),
            slot: record.slot.0,
            code: self.settings.profile.slots.code_of(record.slot),
            label: self.configured_label(at).cloned(),
            product_id: product.map(|p| p.id.0),
            product: goods.map(|g| &g.name).or(product.map(|p| &p.name)).map(ToString::to_string),
            price_fen: goods.map(|g| g.price).or(product.and_then(|p| p.price)).map(|price| price.0),
            count: record.count,
            doubtful: record.doubtful,
            capacity: record.capacity,
            condition: record.condition.as_str().to_owned(),
            locked: self.ledger.locked.contains(&at),
            turning: self.turning_slot() == Some(at),
            for_sale: self.is_for_sale(at),
        }
    }

    /// Where a product lies, the best place first: not locked, well, with the most goods.
    #[must_use]
    pub fn slots_of_product(&self, id: ProductId) -> Vec<(Address, Slot)> {
        let of_it = self.slots.records.values().filter(|r| r.product.as_ref().is_some_and(|p| p.id == id));
        let mut found: Vec<&SlotRecord> = of_it.collect();
        found.sort_by_key(|r| {
            let is_locked = self.ledger.locked.contains(&(r.address, r.slot));
            (is_locked, r.condition != Default::default(), std::cmp::Reverse(r.count))
        });
        found.into_iter().map(|r| (r.address, r.slot)).collect()
    }
}
