//! What the platform sells at this machine: asked for at the start, when the platform says so, and once a day; kept in
//! the journal, slot by slot, so that it is there offline.

use super::Core;
use super::event::{HttpAnswer, HttpFailure, Level};
use super::platform::Question;
use super::slots::At;
use crate::board::driver::Address;
use crate::board::profile::Profile;
use crate::cloud::open_platform::{self, ApiError, Place, ProductPage, ProductQuery};
use crate::order::backoff::full_jitter;
use crate::order::report::RETRY_BASE_MS;
use crate::order::stock::{COUNT_MAX, Offer, Product, SLOTS_MAX, short_name};
use crate::order::time::{BootMs, Now};
use std::collections::{BTreeMap, BTreeSet};

/// Asked for anew after this time, in ms: prices change, and a person may have filled at the platform's desk.
const FETCHED_EVERY_MS: u64 = 86_400_000;
/// Of this time a random part comes upon it, in ms, so that a fleet does not ask as one.
const FETCH_SPREAD_MS: u64 = 3_600_000;
/// The same at the start: after a power cut a whole street starts together. What is kept serves until then.
const START_SPREAD_MS: u64 = 10_000;
/// The same when the platform says that something changed: it may have said so to all its machines.
const REFRESH_SPREAD_MS: u64 = 5_000;
/// After failures it is asked for again within at most this time, in ms. Nothing waits for it.
const FETCH_AGAIN_MAX_MS: u64 = 3_600_000;
/// Products on a page: the platform's own default. With long descriptions more would exceed the 64 KiB of an answer.
const PER_PAGE: u32 = 10;
/// Pages of one board: with [`PER_PAGE`] more products than slots are kept. A platform that never ends is left.
const PAGES_MAX: u32 = 100;

#[derive(Debug, Default)]
pub(super) struct Catalogue {
    /// When it is asked for.
    at: Option<BootMs>,
    tries: u32,
    fetch: Option<Fetch>,
}

/// Pages that came so far.
#[derive(Debug)]
struct Fetch {
    /// What is still to be asked, the next one last.
    places: Vec<Place>,
    page: u32,
    is_under_way: bool,
    offers: BTreeMap<At, Offer>,
    /// Slots whose count the platform did not know yet when it was asked, or that changed since: its answer may be older.
    counted_since: BTreeSet<At>,
    /// Products for slots that this board has not.
    strange: usize,
}

impl Catalogue {
    /// The count of a slot changed.
    pub(super) fn count_changed(&mut self, at: At) {
        if let Some(fetch) = &mut self.fetch {
            fetch.counted_since.insert(at);
        }
    }

    pub(super) fn deadline(&self) -> Option<BootMs> {
        // One that is under way, or waits for its turn among the questions, goes on when one of them is answered.
        self.at.filter(|_| self.fetch.is_none())
    }
}

/// The parts of a machine that are asked for. The platform tells one cabinet or one board at a time; where there is one
/// board, its default is it.
fn places(profile: &Profile) -> Vec<Place> {
    match profile.addresses.count {
        1 => vec![Place::Main],
        count => (1..=count).rev().filter_map(Address::new).map(Place::Board).collect(),
    }
}

impl Core {
    /// The life begins: what is kept may be a week old.
    pub(super) fn begin_fetching(&mut self, now: Now) {
        self.fetch_within(now, START_SPREAD_MS);
    }

    /// The platform says that something changed.
    pub(super) fn fetch_catalogue_soon(&mut self, now: Now) {
        self.catalogue.tries = 0;
        self.fetch_within(now, REFRESH_SPREAD_MS);
    }

    fn fetch_within(&mut self, now: Now, ms: u64) {
        if self.settings.cloud.catalogue && self.settings.cloud.account.is_some() {
            self.catalogue.at = Some(now.boot.plus_ms(self.random.u64(..ms)));
        }
    }

    /// Asks for the next page, if it is time and there is room among the questions: orders are asked about first.
    pub(super) fn fetch_catalogue(&mut self, now: Now) {
        if self.catalogue.fetch.is_none() && self.catalogue.at.is_some_and(|at| at <= now.boot) {
            self.catalogue.at = None;
            let places = places(&self.settings.profile);
            let (offers, counted_since) = (BTreeMap::new(), self.counts_on_their_way());
            let fetch = Fetch { places, page: 1, is_under_way: false, offers, counted_since, strange: 0 };
            self.catalogue.fetch = Some(fetch);
        }
        let (time_s, has_room) = (self.told_time_s(now), self.has_room_to_ask());
        let Some(fetch) = self.catalogue.fetch.as_mut().filter(|fetch| !fetch.is_under_way) else { return };
        let (Some(place), Some(account)) = (fetch.places.last(), self.settings.cloud.account.as_ref()) else { return };
        if !has_room {
            return;
        }
        fetch.is_under_way = true;
        let query = ProductQuery { page: fetch.page, per_page: PER_PAGE, category: None, place: *place, all: true };
        let call = account.products(&self.settings.machine_no, &query, time_s);
        self.ask(Question::Products, call);
    }

    /// A page came, or did not.
    pub(super) fn on_products_answered(&mut self, now: Now, answer: Result<HttpAnswer, HttpFailure>) {
        let Some(mut fetch) = self.catalogue.fetch.take() else { return };
        let page = match answer {
            Ok(answer) => {
                open_platform::read_products(answer.status, &answer.body).map_err(|e: ApiError| e.to_string())
            }
            Err(failure) => Err(failure.why.en),
        };
        let page = match page {
            Ok(page) => page,
            Err(why) => {
                self.catalogue.tries = self.catalogue.tries.saturating_add(1);
                let tries = self.catalogue.tries;
                let pause_ms = full_jitter(tries - 1, RETRY_BASE_MS, FETCH_AGAIN_MAX_MS, self.random.u64(..));
                // Said when it begins to fail, not each time.
                let level = if tries == 1 { Level::Warn } else { Level::Debug };
                self.note(level, "catalogue_unreachable", format!("what is sold stays as it was kept: {why}"));
                self.catalogue.at.get_or_insert(now.boot.plus_ms(pause_ms.max(RETRY_BASE_MS)));
                return;
            }
        };
        let is_last = page.products.is_empty() || page.current_page >= page.last_page || fetch.page >= PAGES_MAX;
        fetch.take(page, &self.settings.profile);
        if is_last {
            fetch.places.pop();
            fetch.page = 1;
        } else {
            fetch.page += 1;
        }
        fetch.is_under_way = false;
        if fetch.places.is_empty() {
            self.catalogue.tries = 0;
            let pause_ms = FETCHED_EVERY_MS.saturating_add(self.random.u64(..FETCH_SPREAD_MS));
            self.catalogue.at.get_or_insert(now.boot.plus_ms(pause_ms));
            let text = format!("{} products, {} of them for no slot of ours", fetch.offers.len(), fetch.strange);
            let level = if fetch.strange > 0 { Level::Warn } else { Level::Info };
            self.note(level, "catalogue", text);
            self.take_offers(now, fetch.offers, &fetch.counted_since);
        } else {
            self.catalogue.fetch = Some(fetch);
        }
    }
}

impl Fetch {
    fn take(&mut self, page: ProductPage, profile: &Profile) {
        for product in page.products {
            match offer(&product, profile) {
                Some(offer) if self.offers.len() < SLOTS_MAX => {
                    self.offers.insert((offer.address, offer.slot), offer);
                }
                _ => self.strange += 1,
            }
        }
    }
}

/// What the platform sells, at a slot of ours; nothing if the board has no such slot.
fn offer(product: &open_platform::Product, profile: &Profile) -> Option<Offer> {
    let channel = &product.channel;
    // Left out it is the first: zero is what the platform leaves out, and it counts from 1.
    let address = Address::new(u8::try_from(channel.addr.max(1)).ok()?)?;
    let slot = profile.slots.slot_of_given(channel.code.parse().ok()?, channel.addr > 0)?;
    let count = |n: u64| u16::try_from(n).unwrap_or(COUNT_MAX).min(COUNT_MAX);
    (address.get() <= profile.addresses.count).then(|| Offer {
        address,
        slot,
        product: Product {
            id: product.id,
            name: short_name(&product.good.name),
            price: product.good.price.clone().ok(),
        },
        count: count(product.current_inventory),
        capacity: Some(count(product.inventory)).filter(|&n| n > 0),
    })
}
