//! All orders that are not settled, whole, by their keys, and what is counted of them.

use super::tally::{Signs, Tally};
use crate::order::key::Key;
use crate::order::life::Order;
use crate::order::time::BootId;
use std::collections::BTreeMap;

/// The orders. Each lies in a place of its own: a node of the tree has room for eleven, and an order is large.
#[derive(Debug)]
pub(super) struct Orders {
    all: BTreeMap<Key, Box<Kept>>,
    tally: Tally,
}

#[derive(Debug)]
struct Kept {
    order: Order,
    /// As the tally has them.
    signs: Signs,
}

impl Orders {
    pub(super) fn new(boot_id: BootId) -> Orders {
        Orders { all: BTreeMap::new(), tally: Tally::new(boot_id) }
    }

    /// In the place of one with the same key, if there is one.
    pub(super) fn insert(&mut self, order: Order) {
        self.remove(&order.key);
        let signs = Signs::of(&order);
        self.tally.follow(&order, Signs::NONE, signs);
        self.all.insert(order.key.clone(), Box::new(Kept { order, signs }));
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Order> {
        self.all.get(key).map(|kept| &kept.order)
    }

    /// The one way to change an order: what is counted of it follows, and no step can forget it.
    pub(super) fn change<T>(&mut self, key: &Key, change: impl FnOnce(&mut Order) -> T) -> Option<T> {
        let Kept { order, signs } = &mut **self.all.get_mut(key)?;
        let done = change(order);
        let before = std::mem::replace(signs, Signs::of(order));
        self.tally.follow(order, before, *signs);
        Some(done)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Order> {
        let Kept { order, signs } = *self.all.remove(key)?;
        self.tally.follow(&order, signs, Signs::NONE);
        Some(order)
    }

    pub(super) fn contains_key(&self, key: &Key) -> bool {
        self.all.contains_key(key)
    }

    /// In the order of their keys.
    pub(super) fn values(&self) -> impl Iterator<Item = &Order> {
        self.all.values().map(|kept| &kept.order)
    }

    /// Those whose keys are not below this one, in their order.
    pub(super) fn values_from(&self, lowest: Key) -> impl Iterator<Item = &Order> {
        self.all.range(lowest..).map(|(_, kept)| &kept.order)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What is counted of them.
    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// A look at all of them counts the same.
    pub(super) fn are_tallied(&self) -> bool {
        self.tally == Tally::of(self.values(), self.tally.boot_id())
    }
}
