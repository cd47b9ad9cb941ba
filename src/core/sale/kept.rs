//! The sales that are kept, by their numbers, and what is counted of them as they change: of those that have ended there
//! may be as many as the merchant has not heard of, and nobody waits for a look at all.

use crate::order::key::Id;
use crate::order::sale::{MadeAt, Sale, State};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Kept {
    all: BTreeMap<u64, Sale>,
    /// Those that have not ended: [`super::SALES_OPEN_MAX`] at most.
    open: BTreeSet<u64>,
    /// In the order of [`State::ALL`].
    states: [usize; State::ALL.len()],
    /// The orders of them, each with its sale: two clouds may give the same number.
    orders: BTreeSet<(Id, u64)>,
}

impl Kept {
    pub(super) fn insert(&mut self, sale: Sale) {
        self.remove(sale.number);
        self.states[sale.state as usize] += 1;
        if !sale.state.is_ended() {
            self.open.insert(sale.number);
        }
        self.orders.extend(sale.order.clone().map(|order| (order, sale.number)));
        self.all.insert(sale.number, sale);
    }

    pub(super) fn get(&self, number: u64) -> Option<&Sale> {
        self.all.get(&number)
    }

    /// The one way to change a sale: what is counted of it follows, and no step can forget it.
    pub(super) fn change<T>(&mut self, number: u64, change: impl FnOnce(&mut Sale) -> T) -> Option<T> {
        let sale = self.all.get_mut(&number)?;
        let (before, had_order) = (sale.state, sale.order.is_some());
        let done = change(sale);
        if sale.state != before {
            self.states[before as usize] -= 1;
            self.states[sale.state as usize] += 1;
            match sale.state.is_ended() {
                true => self.open.remove(&number),
                false => self.open.insert(number),
            };
        }
        if !had_order {
            self.orders.extend(sale.order.clone().map(|order| (order, number)));
        }
        Some(done)
    }

    pub(super) fn remove(&mut self, number: u64) {
        let Some(sale) = self.all.remove(&number) else { return };
        self.states[sale.state as usize] -= 1;
        self.open.remove(&number);
        if let Some(order) = sale.order {
            self.orders.remove(&(order, number));
        }
    }

    /// Oldest first.
    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &Sale> {
        self.all.values()
    }

    /// Those that have not ended, oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = &Sale> {
        self.open.iter().filter_map(|number| self.all.get(number))
    }

    /// How many have ended.
    pub(super) fn ended(&self) -> usize {
        self.all.len().saturating_sub(self.open.len())
    }

    /// How many stand where.
    pub(super) fn states(&self) -> impl Iterator<Item = (State, usize)> {
        State::ALL.into_iter().zip(self.states)
    }

    /// One of them has this order of the cloud that is there.
    pub(super) fn has_order(&self, order: &Id, is_there: impl Fn(&MadeAt) -> bool) -> bool {
        let same = self.orders.range((order.clone(), 0)..=(order.clone(), u64::MAX));
        same.filter_map(|(_, number)| self.all.get(number)).any(|sale| sale.may_be_of(&is_there))
    }

    /// A look at all of them counts the same.
    pub(super) fn are_tallied(&self) -> bool {
        let mut anew = Kept::default();
        for sale in self.all.values() {
            anew.insert(sale.clone());
        }
        (&anew.open, anew.states, &anew.orders) == (&self.open, self.states, &self.orders)
    }
}
