//! Reading a list of orders page by page, with a bound. Pure.

use crate::order::key::Id;
use std::collections::BTreeSet;

/// Most pages of one walk: a machine's orders of several months. Whoever needs more begins a new walk later.
pub const PAGES_MAX: u32 = 100;

/// One page as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its orders.
    pub orders: Vec<T>,
    /// How many pages there are, where the cloud says so.
    pub pages: Option<u64>,
}

impl<T> Page<T> {
    /// The same page with its orders in other words.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { orders: self.orders.into_iter().map(f).collect(), pages: self.pages }
    }
}

/// Why a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkEnd {
    /// All pages were read.
    Complete,
    /// [`PAGES_MAX`] pages were read, and there are more.
    TooManyPages,
    /// A page brought nothing new though it was not the last: the cloud does not turn its pages.
    StandsStill,
}

/// What a page brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned<T> {
    /// Its orders that no page before had.
    pub orders: Vec<T>,
    /// Set when there is nothing more to ask for.
    pub end: Option<WalkEnd>,
}

/// A walk through a whole list. Orders that are created meanwhile move the pages; what comes twice is given out once.
#[derive(Debug, Clone)]
pub struct ListWalk {
    page: u32,
    seen: BTreeSet<Id>,
}

impl Default for ListWalk {
    fn default() -> ListWalk {
        ListWalk { page: 1, seen: BTreeSet::new() }
    }
}

impl ListWalk {
    /// The page to ask for, from 1. After an error it is still the same.
    #[must_use]
    pub const fn page(&self) -> u32 {
        self.page
    }

    /// Takes the page that was asked for, and turns it. `id` names an order.
    pub fn turn<T>(&mut self, page: Page<T>, id: impl Fn(&T) -> &Id) -> Turned<T> {
        let Page { mut orders, pages } = page;
        let came = orders.len();
        orders.retain(|order| self.seen.insert(id(order).clone()));
        let is_last = match pages {
            Some(pages) => u64::from(self.page) >= pages,
            // Without a number of pages only an empty one is surely behind the last: sizes are the cloud's choice.
            None => came == 0,
        };
        let end = if is_last {
            Some(WalkEnd::Complete)
        } else if orders.is_empty() {
            Some(WalkEnd::StandsStill)
        } else if self.page >= PAGES_MAX {
            Some(WalkEnd::TooManyPages)
        } else {
            None
        };
        self.page = self.page.saturating_add(1);
        Turned { orders, end }
    }
}
