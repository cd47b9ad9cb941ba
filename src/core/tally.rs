//! What is counted of the orders, as they change: who asks how things stand, each second and on the thread that answers a
//! board, waits for no look at all of them.

use super::persons::{Doubts, is_in_doubt};
use super::waiting::{Waiting, receiver_of};
use crate::order::life::{Arrival, Order, State};
use crate::order::time::{BootId, BootMs, Now};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Receivers that are named, so that a screen can show them.
const RECEIVERS_MAX: usize = 8;

/// What of an order is counted. The rest that the tally reads (its key, arrival, issue time and, while a copy to it is
/// open, its URL) stays as it is for the order's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs {
    state: Option<State>,
    /// Not all units have ended.
    waits: bool,
    /// When the oldest of its reports was written that somebody has not taken, in Unix s.
    unsent_s: Option<u64>,
    /// A report waits for the server of its URL.
    waits_for_receiver: bool,
    has_dead_copy: bool,
    is_in_doubt: bool,
}

impl Signs {
    /// Of an order that is not there.
    pub(super) const NONE: Signs = Signs {
        state: None,
        waits: false,
        unsent_s: None,
        waits_for_receiver: false,
        has_dead_copy: false,
        is_in_doubt: false,
    };

    /// A test vend is nobody's order: only where it stands is counted.
    pub(super) fn of(order: &Order) -> Signs {
        let state = order.state();
        if order.key.is_test() {
            return Signs { state: Some(state), ..Signs::NONE };
        }
        let unsent = order.reports.iter().filter(|report| report.http.is_open() || report.mqtt.is_open());
        Signs {
            state: Some(state),
            waits: !state.is_final(),
            unsent_s: unsent.map(|report| report.timestamp_s).min(),
            waits_for_receiver: order.reports.iter().any(|report| report.http.is_open()),
            has_dead_copy: order.has_dead_copy(),
            is_in_doubt: is_in_doubt(order),
        }
    }
}

/// When an order came, by the only clock that has an opinion about its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// In this boot.
    Here(BootMs),
    /// In a former one, by the wall clock, in Unix s.
    Before(u64),
}

impl Came {
    fn of(arrival: &Arrival, boot_id: BootId) -> Came {
        match arrival.boot_id == boot_id {
            true => Came::Here(arrival.boot),
            false => Came::Before(arrival.wall.seconds()),
        }
    }

    const fn age_s(self, now: Now) -> u64 {
        match self {
            Came::Here(boot) => now.boot.since_ms(boot) / 1_000,
            Came::Before(wall_s) => now.wall.seconds().saturating_sub(wall_s),
        }
    }
}

/// Values, each as often as an order has it.
#[derive(Debug, PartialEq, Eq)]
struct Bag<T>(BTreeMap<T, usize>);

impl<T: Ord> Bag<T> {
    const fn new() -> Bag<T> {
        Bag(BTreeMap::new())
    }

    /// One more of it, or one less.
    fn count(&mut self, value: T, comes: bool) {
        match self.0.entry(value) {
            Entry::Vacant(place) if comes => drop(place.insert(1)),
            Entry::Vacant(_) => {}
            Entry::Occupied(mut count) if comes => *count.get_mut() += 1,
            Entry::Occupied(count) if *count.get() == 1 => drop(count.remove()),
            Entry::Occupied(mut count) => *count.get_mut() -= 1,
        }
    }

    fn first(&self) -> Option<&T> {
        self.0.first_key_value().map(|(value, _)| value)
    }
}

impl Bag<Came> {
    /// How long ago the oldest of them came.
    fn oldest_s(&self, now: Now) -> Option<u64> {
        let before = self.0.range(Came::Before(0)..).next().map(|(came, _)| came);
        self.first().into_iter().chain(before).map(|came| came.age_s(now)).max()
    }
}

/// The counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tally {
    boot_id: BootId,
    /// In the order of [`State::ALL`].
    states: [usize; State::ALL.len()],
    /// Orders that have not ended.
    waiting: Bag<Came>,
    /// Orders with a report that somebody has not taken.
    unsent: Bag<Came>,
    /// When the oldest such report of each was written, in Unix s.
    unsent_s: Bag<u64>,
    /// Scheme, host and port to which reports wait.
    receivers: Bag<String>,
    dead: usize,
    doubts: Doubts,
}

impl Tally {
    pub(super) const fn new(boot_id: BootId) -> Tally {
        Tally {
            boot_id,
            states: [0; State::ALL.len()],
            waiting: Bag::new(),
            unsent: Bag::new(),
            unsent_s: Bag::new(),
            receivers: Bag::new(),
            dead: 0,
            doubts: Doubts::new(),
        }
    }

    /// Of these orders.
    pub(super) fn of<'a>(orders: impl IntoIterator<Item = &'a Order>, boot_id: BootId) -> Tally {
        let mut tally = Tally::new(boot_id);
        for order in orders {
            tally.follow(order, Signs::NONE, Signs::of(order));
        }
        tally
    }

    /// An order came, changed or went.
    pub(super) fn follow(&mut self, order: &Order, before: Signs, after: Signs) {
        if before == after {
            return;
        }
        if let Some(state) = before.state {
            self.states[state as usize] -= 1;
        }
        if let Some(state) = after.state {
            self.states[state as usize] += 1;
        }
        let came = Came::of(&order.arrival, self.boot_id);
        if before.waits != after.waits {
            self.waiting.count(came, after.waits);
        }
        if before.unsent_s != after.unsent_s {
            for (unsent_s, comes) in [(before.unsent_s, false), (after.unsent_s, true)] {
                if let Some(unsent_s) = unsent_s {
                    self.unsent.count(came, comes);
                    self.unsent_s.count(unsent_s, comes);
                }
            }
        }
        if before.waits_for_receiver != after.waits_for_receiver
            && let Some(receiver) = order.notify_url.as_deref().and_then(receiver_of)
        {
            self.receivers.count(receiver, after.waits_for_receiver);
        }
        self.dead += usize::from(after.has_dead_copy);
        self.dead -= usize::from(before.has_dead_copy);
        match (before.is_in_doubt, after.is_in_doubt) {
            (false, true) => self.doubts.insert(order),
            (true, false) => self.doubts.remove(order),
            (false, false) | (true, true) => {}
        }
    }

    pub(super) const fn boot_id(&self) -> BootId {
        self.boot_id
    }

    /// How many orders stand where.
    pub(super) fn states(&self) -> impl Iterator<Item = (State, usize)> {
        State::ALL.into_iter().zip(self.states)
    }

    /// When the oldest report was written that somebody has not taken, in Unix s.
    pub(super) fn oldest_unsent_at_s(&self) -> Option<u64> {
        self.unsent_s.first().copied()
    }

    /// Those of which nobody knows what became of them.
    pub(super) const fn doubts(&self) -> &Doubts {
        &self.doubts
    }

    /// How long they wait.
    pub(super) fn waiting(&self, now: Now) -> Waiting {
        let written_s = self.oldest_unsent_at_s().map(|written_s| now.wall.seconds().saturating_sub(written_s));
        Waiting {
            oldest_order_s: self.waiting.oldest_s(now),
            oldest_report_s: written_s.min(self.unsent.oldest_s(now)),
            receivers: self.receivers.0.keys().take(RECEIVERS_MAX).cloned().collect(),
            orders_dead: self.dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::orders::Orders;
    use crate::order::command::{BodyDigest, Echo, Put, Sold};
    use crate::order::key::{Id, Key};
    use crate::order::life::{Intent, Unit};
    use crate::order::motor::Reference;
    use crate::order::outcome::{Reason, UnitOutcome};
    use crate::order::report::{Copy, DeadReason, Report};
    use crate::order::time::UnixMs;
    use fastrand::Rng;
    use std::collections::BTreeSet;

    const HERE: BootId = BootId([1; 16]);
    const URLS: [&str; 4] =
        ["https://a.example/n?token=1", "https://b.example:8443/n", "http://u:hush@a.example/", "nonsense"];
    /// Unix s when this boot began.
    const BOOTED_S: u64 = 1_714_373_000;

    fn at(boot_s: u64) -> Now {
        let wall = UnixMs::from_seconds(BOOTED_S + boot_s);
        Now { boot: BootMs(boot_s * 1_000), wall, synchronised: true }
    }

    /// An order that came so long after the boot, or so long before it.
    fn order(random: &mut Rng, key: Key) -> Order {
        let (boot_id, now) = (if random.bool() { HERE } else { BootId([2; 16]) }, at(random.u64(..1_000)));
        let put = Put {
            key,
            issued_at_s: BOOTED_S + random.u64(..1_000),
            paid_at_s: None,
            drive_until_s: 0,
            notify_url: random.choice(URLS).filter(|_| random.u8(..4) > 0).map(Into::into),
            echo: Echo::default(),
            digest: BodyDigest([0; 16]),
            sold: Sold::default(),
            turns: Err(Reason::Expired),
        };
        Order::new(&put, 1, Arrival { wall: now.wall, boot: now.boot, boot_id, trusted: None })
    }

    /// Anything may have become of it.
    fn shuffle(random: &mut Rng, order: &mut Order) {
        let intent = Intent { sequence: 1, boot_id: HERE, reference: Reference::default() };
        let units = [
            Unit::Waiting,
            Unit::Intent(intent),
            Unit::Done(UnitOutcome::Unknown),
            Unit::Done(UnitOutcome::DispensedUnverified),
        ];
        order.units = (0..random.usize(1..3)).filter_map(|_| random.choice(&units).cloned()).collect();
        let attempts = random.u32(..3);
        let reason = DeadReason::BadTarget;
        let copies = [
            Copy::None,
            Copy::Pending { attempts },
            Copy::Pending { attempts },
            Copy::Settled { attempts },
            Copy::Dead { attempts, reason },
        ];
        let came_s = order.arrival.wall.seconds();
        order.reports = (0..random.u32(..3))
            .map(|sequence| Report {
                sequence,
                timestamp_s: random.u64(came_s..=BOOTED_S + 1_000),
                units: Vec::new(),
                http: copies[random.usize(..copies.len())],
                mqtt: copies[random.usize(..copies.len())],
            })
            .collect();
        order.resolved_by_person = random.u8(..4) == 0;
        order.shrunk = random.u8(..4) == 0;
    }

    /// What a look at each order finds.
    fn looked(orders: &Orders, now: Now) -> Waiting {
        let mut waiting = Waiting::default();
        let mut receivers = BTreeSet::new();
        for order in orders.values().filter(|order| !order.key.is_test()) {
            let age_s = match order.arrival.boot_id == HERE {
                true => now.boot.since_ms(order.arrival.boot) / 1_000,
                false => now.wall.seconds().saturating_sub(order.arrival.wall.seconds()),
            };
            if order.units.iter().any(|unit| !matches!(unit, Unit::Done(_))) {
                waiting.oldest_order_s = waiting.oldest_order_s.max(Some(age_s));
            }
            for report in order.reports.iter().filter(|report| report.http.is_open() || report.mqtt.is_open()) {
                let report_s = now.wall.seconds().saturating_sub(report.timestamp_s).min(age_s);
                waiting.oldest_report_s = waiting.oldest_report_s.max(Some(report_s));
                if report.http.is_open() {
                    receivers.extend(order.notify_url.as_deref().and_then(receiver_of));
                }
            }
            waiting.orders_dead += usize::from(order.has_dead_copy());
        }
        waiting.receivers = receivers.into_iter().take(RECEIVERS_MAX).collect();
        waiting
    }

    /// A thousand orders come, change and go; what is said of them is looked at after each.
    fn live(seed: u64, mut check: impl FnMut(&Orders)) {
        let mut random = Rng::with_seed(seed);
        let keys: Vec<Key> = (0..20)
            .map(|n| match n {
                0 => Key::of_test(1).unwrap(),
                n => Key { order_id: Id::parse(&n.to_string()).unwrap(), record_id: Id::parse("1").unwrap() },
            })
            .collect();
        let mut orders = Orders::new(HERE);
        for _ in 0..1_000 {
            let key = &keys[random.usize(..keys.len())];
            match random.u8(..4) {
                0 => {
                    let mut order = order(&mut random, key.clone());
                    shuffle(&mut random, &mut order);
                    orders.insert(order);
                }
                1 => drop(orders.remove(key)),
                _ => drop(orders.change(key, |order| shuffle(&mut random, order))),
            }
            check(&orders);
        }
    }

    #[test]
    fn what_is_counted_is_what_a_look_at_all_orders_finds() {
        live(1, |orders| {
            assert!(orders.are_tallied());
            for now in [at(1_000), at(90_000)] {
                assert_eq!(orders.tally().waiting(now), looked(orders, now));
            }
            let unsent = orders.values().filter(|order| !order.key.is_test()).flat_map(|order| &order.reports);
            let unsent = unsent.filter(|report| report.http.is_open() || report.mqtt.is_open());
            assert_eq!(orders.tally().oldest_unsent_at_s(), unsent.map(|report| report.timestamp_s).min());
            let standing = |state| orders.values().filter(|order| order.state() == state).count();
            for state in State::ALL {
                assert!(orders.tally().states().any(|counted| counted == (state, standing(state))), "{state}");
            }
            let since_s = BOOTED_S + 500;
            let doubtful = orders.values().filter(|order| is_in_doubt(order) && order.issued_at_s >= since_s);
            let told: Vec<&Key> = orders.tally().doubts().since(since_s).collect();
            let all: BTreeSet<&Key> = doubtful.map(|order| &order.key).collect();
            assert_eq!((told.len(), told.iter().copied().collect::<BTreeSet<_>>()), (all.len(), all));
            let issued_s = |key: &&Key| orders.get(key).unwrap().issued_at_s;
            assert!(told.is_sorted_by_key(|key| u64::MAX - issued_s(key)), "newest first");
        });
    }

    #[test]
    fn a_clock_that_is_set_makes_no_report_older_than_the_oldest_order_that_has_one() {
        live(2, |orders| {
            for set_s in [0, 86_400 * 365] {
                let now = Now { wall: UnixMs::from_seconds(BOOTED_S + set_s), ..at(1_000) };
                let (told, looked) = (orders.tally().waiting(now).oldest_report_s, looked(orders, now).oldest_report_s);
                assert!(told >= looked && told <= orders.tally().unsent.oldest_s(now), "{told:?} {looked:?}");
            }
        });
    }
}
