//! All orders that are not settled, whole, by their keys.

use crate::order::key::Key;
use crate::order::life::Order;
use std::collections::BTreeMap;

/// The orders. Each lies in a place of its own: a node of the tree has room for eleven, and an order is large.
#[derive(Debug, Default)]
pub(super) struct Orders(BTreeMap<Key, Box<Order>>);

impl Orders {
    pub(super) fn insert(&mut self, order: Order) {
        self.0.insert(order.key.clone(), Box::new(order));
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Order> {
        self.0.get(key).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Order> {
        self.0.get_mut(key).map(Box::as_mut)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Order> {
        self.0.remove(key).map(|order| *order)
    }

    pub(super) fn contains_key(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// In the order of their keys.
    pub(super) fn values(&self) -> impl Iterator<Item = &Order> {
        self.0.values().map(Box::as_ref)
    }

    /// Those whose keys are not below this one, in their order.
    pub(super) fn values_from(&self, lowest: Key) -> impl Iterator<Item = &Order> {
        self.0.range(lowest..).map(|(_, order)| order.as_ref())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
