//! A model of the journal's store: atomic batches, of which a cut leaves all or nothing, in their order. What a disk
//! does beyond that (half a batch, synced commits that are missing) the digests and the second file notice: the
//! journal is damaged, and stays so until a person accepts the loss (rules 3 and 5).
//!
//! What a process *sees* when it opens the store is not always what is *durable* (rule 1): after a killed process, or
//! after a failed sync, it may come from the page cache, and the next loss of power takes it.

use super::plan::Damage;
use crate::core::event::Batch;
use crate::core::{Recovered, Stock};
use crate::order::call::CallRecord;
use crate::order::instruction::{AuditEntry, Became, Kind};
use crate::order::life::Order;
use crate::order::record::{self, Ledger, OnlySeen, RecordError, Records};
use crate::order::said::Said;
use crate::order::sale::Sale;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default)]
struct Image {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    ledger: Option<Vec<u8>>,
}

impl Image {
    fn take(&mut self, batch: &Batch) {
        for key in &batch.removes {
            self.records.remove(key);
        }
        for (key, value) in &batch.puts {
            self.records.insert(key.clone(), value.clone());
        }
        self.ledger = Some(batch.ledger.clone());
    }
}

/// The disk. See the module.
#[derive(Debug, Default)]
pub(super) struct Disk {
    durable: Image,
    seen: Image,
    pending: Option<(u64, Batch)>,
    damage: Option<Damage>,
}

impl Disk {
    /// Nothing was ever written, or not yet that the journal's first connection is over: what the broker redelivers is
    /// then never driven (rule 6).
    pub(super) fn is_new(&self) -> bool {
        let ledger = self.seen.ledger.as_deref().map(record::decode_ledger);
        !matches!(ledger, Some(Ok(ledger)) if ledger.first_connection_over)
    }

    /// A batch is handed over. False when one was under way already.
    pub(super) fn begin(&mut self, id: u64, batch: Batch) -> bool {
        self.pending.replace((id, batch)).is_none()
    }

    /// The sync of this batch ends well. False when it is not under way any more.
    pub(super) fn sync(&mut self, id: u64) -> bool {
        let Some((_, batch)) = self.pending.take_if(|(pending, _)| *pending == id) else { return false };
        self.durable.take(&batch);
        self.seen.take(&batch);
        true
    }

    /// The sync of this batch fails; its pages may stay in the cache and look clean.
    pub(super) fn fail(&mut self, seen: bool) {
        if let Some((_, batch)) = self.pending.take()
            && seen
        {
            self.seen.take(&batch);
        }
    }

    /// The process dies with a batch under way: nothing of it was written, or it lies in the page cache, or it is
    /// durable and nobody was told.
    pub(super) fn process_dies(&mut self, chance: &mut fastrand::Rng) {
        let Some((_, batch)) = self.pending.take() else { return };
        match chance.u8(..3) {
            0 => {}
            1 => self.seen.take(&batch),
            _ => {
                self.seen.take(&batch);
                self.durable.take(&batch);
            }
        }
    }

    /// Power goes: the page cache is gone, whole, or was written just in time, whole.
    pub(super) fn power_goes(&mut self, chance: &mut fastrand::Rng) {
        self.process_dies(chance);
        if chance.bool() {
            self.seen = self.durable.clone();
        } else {
            self.durable = self.seen.clone();
        }
    }

    /// The journal is found damaged from now on. False when this damage cannot be: nothing is under way that could be
    /// torn, or nothing was synced that could be missing.
    pub(super) fn spoil(&mut self, damage: Damage) -> bool {
        let can_be = match damage {
            Damage::Torn => self.pending.is_some(),
            Damage::Missing => self.durable.ledger.is_some(),
        };
        if can_be {
            self.damage.get_or_insert(damage);
        }
        can_be
    }

    /// Nothing may be done before a person came.
    pub(super) const fn is_damaged(&self) -> bool {
        self.damage.is_some()
    }

    /// A person accepts the loss: the next start makes a new journal.
    pub(super) fn accept_loss(&mut self) {
        *self = Disk::default();
    }

    /// Orders and tombstones, as the next process will find them.
    pub(super) fn orders(&self) -> usize {
        orders_of(&self.seen.records).len()
    }

    /// What a new process finds.
    pub(super) fn open(&self) -> Result<Recovered, RecordError> {
        if let Some(damage) = self.damage {
            return Ok(Recovered::Quarantine { why: Said::word(format!("{damage:?}")) });
        }
        let ledger = self.seen.ledger.as_deref().map(record::decode_ledger).transpose()?;
        let stock = Stock::read(self.seen.records.clone(), self.only_seen())?;
        Ok(Recovered::Journal { ledger: ledger.map(Box::new), stock })
    }

    /// No more than what the next loss of power may take: the store, which knows less, tells of more.
    fn only_seen(&self) -> OnlySeen {
        let seen = self.seen.records.iter().filter(|(key, value)| self.durable.records.get(*key) != Some(*value));
        OnlySeen::Keys(seen.map(|(key, _)| key.clone()).collect())
    }

    /// The ledger that no loss of power can take any more.
    pub(super) fn durable_ledger(&self) -> Option<Ledger> {
        record::decode_ledger(self.durable.ledger.as_deref()?).ok()
    }

    /// An audit entry that no loss of power can take any more.
    pub(super) fn durable_audit(&self, number: u64) -> Option<AuditEntry> {
        all_of(&self.durable.records).audit.into_iter().find(|entry| entry.number == number)
    }

    /// The test vend that the platform wanted and that is under way, by what no loss of power can take any more.
    pub(super) fn durable_test(&self) -> Option<AuditEntry> {
        let is_it = |entry: &AuditEntry| entry.kind == Kind::ChannelTest && entry.became == Became::UnderWay;
        all_of(&self.durable.records).audit.into_iter().find(is_it)
    }

    /// Orders that are not final, and no loss of power can take any more.
    pub(super) fn open_orders(&self) -> usize {
        orders_of(&self.durable.records).iter().filter(|order| !order.is_final()).count()
    }

    /// An order that no loss of power can take any more.
    pub(super) fn is_durable(&self, key: &[u8]) -> bool {
        self.durable.records.contains_key(key)
    }

    /// A record that no loss of power can take any more.
    pub(super) fn durable(&self, key: &[u8]) -> Option<&Vec<u8>> {
        self.durable.records.get(key)
    }

    /// The orders with a durable intent and no outcome.
    pub(super) fn on_line(&self) -> impl Iterator<Item = Order> {
        orders_of(&self.durable.records).into_iter().filter(|order| order.unit_on_line().is_some())
    }

    /// All that the next process may find so, by whatever is left: durable, seen, or under way.
    pub(super) fn may_be_on_line(&self) -> impl Iterator<Item = Order> {
        let under_way = self.pending.iter().flat_map(|(_, batch)| batch.puts.iter().map(|(key, value)| (key, value)));
        let records = self.seen.records.iter().chain(&self.durable.records).chain(under_way);
        orders_of(records).into_iter().filter(|order| order.unit_on_line().is_some())
    }

    /// Sales that are durable.
    pub(super) fn durable_sales(&self) -> Vec<Sale> {
        self.beneath().sales
    }

    /// The calls that no loss of power can take any more.
    pub(super) fn durable_calls(&self) -> Vec<CallRecord> {
        all_of(&self.durable.records).calls
    }

    /// No slot waits for room to be told of.
    pub(super) fn all_is_told(&self) -> bool {
        self.beneath().slots.iter().all(|slot| !slot.untold)
    }

    /// What the journal holds beneath a batch that is about to be handed over.
    pub(super) fn beneath(&self) -> Records {
        all_of(&self.seen.records)
    }
}

/// All that reads.
fn all_of<'r>(records: impl IntoIterator<Item = (&'r Vec<u8>, &'r Vec<u8>)>) -> Records {
    let mut all = Records::default();
    for (key, value) in records {
        // What does not read the core has not written: the judge looks at each batch.
        let _ = all.take(key, value);
    }
    all
}

fn orders_of<'r>(records: impl IntoIterator<Item = (&'r Vec<u8>, &'r Vec<u8>)>) -> Vec<Order> {
    all_of(records).orders
}
