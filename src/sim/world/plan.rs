//! What a run is made of: the machine, the orders, what the platform sends, and what goes wrong. All of it follows from
//! the seed, and is data, so that a failing run can be told again with less of it.

mod desk;
mod fault;
mod sale;

pub(super) use desk::{Act, CodeMessage, Desk, PlacedCode};
pub(super) use fault::LONG_NIGHT_MS;
pub use fault::{Beat, BootClock, Damage, Fault, Manner, When, Whom};
pub(super) use sale::{Closing, Deal, Dealt};

use crate::core::{Limits, VerifyOrders};
use crate::order::stock::Fen;
use crate::sim::cloud::SOME_PRICE;

/// One profile of every board that behaves differently; m109e and mp2404 are m102 under other names. And
/// one whose platform counts slots otherwise than the board.
pub const PROFILES: [&str; 15] = [
    "adh814",
    "adh815",
    "tcn-00ff",
    "uling-zdm8",
    "xy-v3",
    "lock-8a",
    "lock-cu",
    "m102",
    "lift-c7",
    "col-ed",
    "ff0055",
    "ubox-e7",
    "vendapin",
    "vmc96",
    "uling-from-1",
];
/// So many of them, the first, have the protocols of every recovery class that has rules of its own: most lives are
/// theirs. Latches are asked so often that one such life takes the time of ten.
const PROFILES_OF_MOST: usize = 5;
/// A dispenser of one kind of cards, in slot 1.
const ONE_SLOT: &str = "vendapin";
/// Merchants' receivers.
pub(super) const HOSTS: u8 = 3;
/// Orders of one run at most: enough for a queue, few enough for a story that a person reads.
const ORDERS_MAX: usize = 6;
/// Faults of one ordinary run at most.
const FAULTS_MAX: usize = 9;
/// Cuts of one storm.
const STORM_CUTS: std::ops::RangeInclusive<usize> = 30..=80;
/// One cut of a storm and the start after it take so long, in ms, more or less.
const STORM_CUT_MS: u64 = 2_500;
/// The first command comes at this time, in ms: the journal was born before, or rule 6 would end all.
pub(super) const FIRST_COMMAND_MS: u64 = 15_000;
/// Commands are issued within this time, in ms.
const ISSUED_WITHIN_MS: u64 = 90_000;

/// An order as the platform sells it.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    /// Its number on the platform; its record is always 1.
    pub(super) order_id: u64,
    pub(super) code: u16,
    pub(super) address: u8,
    pub(super) quantity: u8,
    pub(super) drop_check: bool,
    /// The merchant's receiver, if the command names one.
    pub(super) host: Option<u8>,
    pub(super) issued_at_ms: u64,
    /// `expired_at`, in s after the command.
    pub(super) expires_after_s: Option<u64>,
    pub(super) paid: bool,
    /// What the command says was paid, if it says so.
    pub(super) amount: Option<Fen>,
    /// A field that no sound command has (rule 13): verified, kept, and never driven.
    pub(super) oddity: Option<Oddity>,
}

impl Placed {
    /// The command names another amount than the books.
    pub(super) fn has_other_amount(&self) -> bool {
        self.amount.is_some_and(|amount| amount != SOME_PRICE)
    }
}

/// What is wrong with a verified command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oddity {
    /// More units than any order has.
    Quantity,
    /// A slot that no board has.
    Slot,
    /// A board that is not there.
    Address,
    /// The time in milliseconds.
    Milliseconds,
    /// A URL that is too long to be kept.
    LongUrl,
}

/// What the platform sends down, or somebody in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// The command as it was issued.
    Put,
    /// The command again, with a new timestamp.
    PutAnew,
    /// The same key with another body.
    OtherBody,
    /// The question for the result.
    Get,
    /// The command with another slot, and a signature that is not for it (rule 11).
    WrongSignature,
    /// The command for another machine of the same merchant (rule 11).
    OtherMachine,
    /// Bytes that are no message (rule 13).
    Garbage,
}

/// One message at its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending {
    pub(super) at_ms: u64,
    /// Which order.
    pub(super) order: usize,
    pub(super) message: Message,
}

/// What the platform wants the machine to do to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instruct {
    Reboot,
    Shutdown,
    FactoryReset,
    TestChannel { slot: u16, address: u8 },
}

/// One instruction at its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instructed {
    pub(super) at_ms: u64,
    pub(super) what: Instruct,
    /// When it was issued: a recorded message comes later, or more than once.
    pub(super) issued_at_ms: u64,
}

/// What kind of life a seed means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Next to nothing goes wrong: doubt is not excused.
    Quiet,
    /// Some things do.
    Ordinary,
    /// Power fails again and again.
    Storm,
    /// A month without power in its midst: commands come late, and tombstones are old enough to be forgotten.
    Month,
}

/// One run: everything that is decided before it begins.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All chance of the run comes from it.
    pub seed: u64,
    /// What kind of life it is.
    pub life: Life,
    /// The board.
    pub profile: &'static str,
    /// How long a motor turns, in ms.
    pub(super) turn_ms: u64,
    pub(super) verify_orders: VerifyOrders,
    pub(super) refund_failed: bool,
    /// Results are compared with the cloud's books.
    pub(super) sync_results: bool,
    /// The platform gives a command up 120 s after it was issued (cloud 1.7), and then takes no result any more.
    pub(super) gives_up: bool,
    pub(super) lock_slot_after_unknown: bool,
    pub(super) trust_system_clock: bool,
    pub(super) limits: Limits,
    pub(super) first_clock: BootClock,
    /// A clock that is not synchronised at boot is so within this time, in ms.
    pub(super) synchronised_within_ms: u64,
    pub(super) orders: Vec<Placed>,
    pub(super) sendings: Vec<Sending>,
    /// What people do at the machine.
    pub(super) desk: Desk,
    /// What buyers do.
    pub(super) deals: Vec<Dealt>,
    /// How the platform takes a close.
    pub(super) closing: Closing,
    /// What the platform wants of the machine beside vending.
    pub(super) instructions: Vec<Instructed>,
    /// What goes wrong; a shorter story has less.
    pub faults: Vec<Fault>,
    /// From then on nothing goes wrong any more.
    pub(super) calm_at_ms: u64,
}

impl Plan {
    /// The run of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Plan {
        Plan::of_seed_on(seed, None)
    }

    /// The run of a seed, on this board if one is named.
    #[must_use]
    pub fn of_seed_on(seed: u64, board: Option<&'static str>) -> Plan {
        let mut chance = fastrand::Rng::with_seed(seed);
        let chance = &mut chance;
        let life = match chance.u8(..20) {
            0 => Life::Quiet,
            1..=6 => Life::Ordinary,
            7 => Life::Month,
            _ => Life::Storm,
        };
        let most = chance.u8(..32) > 0;
        let profile = one_of(chance, if most { &PROFILES[..PROFILES_OF_MOST] } else { &PROFILES[PROFILES_OF_MOST..] });
        let profile = board.unwrap_or(profile);
        let mut orders: Vec<Placed> = (0..chance.usize(1..=ORDERS_MAX)).map(|n| placed(chance, n)).collect();
        if profile == ONE_SLOT {
            orders.iter_mut().filter(|placed| placed.oddity.is_none()).for_each(|placed| placed.code = 1);
        }
        let mut sendings = Vec::new();
        for (order, placed) in orders.iter().enumerate() {
            send(chance, order, placed, &mut sendings);
        }
        let last_ms = last(&sendings);
        let faults = match life {
            Life::Quiet => (0..chance.usize(0..=1)).map(|_| fault::fault(chance, last_ms + 60_000)).collect(),
            Life::Ordinary => ordinary(chance, last_ms + 60_000),
            Life::Storm => storm(chance, last_ms),
            Life::Month => month(chance, &mut orders, &mut sendings),
        };
        let desk = Desk::of_seed(seed, profile == ONE_SLOT);
        let deals = sale::deals_of_seed(seed, profile == ONE_SLOT);
        let last_deal_ms = deals.iter().map(|dealt| dealt.at_ms).max().unwrap_or(0);
        let storm_ms = if life == Life::Storm { count_ms(faults.len(), STORM_CUT_MS) } else { 0 };
        let mut plan = Plan {
            seed,
            life,
            profile,
            turn_ms: chance.u64(300..=6_000),
            verify_orders: one_of(chance, &[VerifyOrders::Never, VerifyOrders::Late, VerifyOrders::Always]),
            refund_failed: chance.bool(),
            lock_slot_after_unknown: chance.u8(..4) == 0,
            trust_system_clock: chance.u8(..16) == 0,
            limits: if chance.u8(..3) == 0 { small_limits(chance) } else { Limits::default() },
            first_clock: fault::boot_clock(chance),
            synchronised_within_ms: one_of(chance, &[20_000, 400_000, 400_000, 3_000_000]),
            calm_at_ms: last(&sendings).max(desk.last_ms()).max(last_deal_ms) + storm_ms + chance.u64(60_000..=200_000),
            instructions: instructions(seed, last(&sendings), profile == ONE_SLOT),
            orders,
            sendings,
            desk,
            deals,
            closing: Closing::of_seed(seed),
            faults,
            // Last, so that the rest of a seed's life is what it was.
            sync_results: chance.u8(..4) > 0,
            gives_up: chance.bool(),
        };
        plan.keep_possible();
        plan
    }

    /// Takes out what nobody could survive.
    fn keep_possible(&mut self) {
        if self.faults.iter().any(|fault| matches!(fault, Fault::Damage { .. })) {
            // A new journal knows what is older than itself by the clock alone.
            self.trust_system_clock = false;
            self.faults.retain(|fault| !matches!(fault, Fault::ClockJump { vouched: true, .. }));
        }
        if !self.trust_system_clock {
            return;
        }
        // Whoever says that the system's clock is to be trusted has one that runs on without power.
        let right = |clock: &mut BootClock| {
            if matches!(clock, BootClock::Epoch) {
                *clock = BootClock::Wrong(2_000);
            }
        };
        right(&mut self.first_clock);
        for fault in &mut self.faults {
            if let Fault::Cut { clock, .. } = fault {
                right(clock);
            }
        }
    }
}

/// One life in three has some. They have a stream of chance of their own, so that all else is as without them.
fn instructions(seed: u64, last_ms: u64, has_one_slot: bool) -> Vec<Instructed> {
    let mut chance = fastrand::Rng::with_seed(seed ^ 0x0001_2570_0C71_0725);
    let mut all = Vec::new();
    if chance.u8(..3) > 0 {
        return all;
    }
    for _ in 0..chance.usize(1..=3) {
        let slot = if has_one_slot { 1 } else { chance.u16(5..=7) };
        let test = Instruct::TestChannel { slot, address: chance.u8(1..=2) };
        let what = one_of(&mut chance, &[Instruct::Reboot, Instruct::Shutdown, Instruct::FactoryReset, test, test]);
        let issued_at_ms = chance.u64(FIRST_COMMAND_MS..=last_ms.min(FIRST_COMMAND_MS + 2 * ISSUED_WITHIN_MS));
        for _ in 0..chance.usize(1..=3) {
            all.push(Instructed { at_ms: issued_at_ms + chance.u64(10..=100_000), what, issued_at_ms });
        }
    }
    all
}

/// So many times so long, in ms.
fn count_ms(count: usize, each_ms: u64) -> u64 {
    u64::try_from(count).unwrap_or(0).saturating_mul(each_ms)
}

fn last(sendings: &[Sending]) -> u64 {
    sendings.iter().map(|s| s.at_ms).max().unwrap_or(0)
}

fn one_of<T: Copy>(chance: &mut fastrand::Rng, all: &[T]) -> T {
    all[chance.usize(..all.len())]
}

/// Limits that a run of a few orders reaches.
fn small_limits(chance: &mut fastrand::Rng) -> Limits {
    Limits {
        messages_burst: Limits::default().messages_burst,
        orders_open: chance.usize(1..=3),
        reports_open: chance.usize(1..=4),
        calls_open: 4,
        refusal_reserve: chance.usize(1..=3),
        tombstones: chance.usize(..=2),
    }
}

/// A handful of anything.
fn ordinary(chance: &mut fastrand::Rng, within_ms: u64) -> Vec<Fault> {
    let mut faults: Vec<Fault> = (0..chance.usize(0..=FAULTS_MAX)).map(|_| fault::fault(chance, within_ms)).collect();
    if chance.u8(..12) == 0 {
        faults.extend(fault::damage(chance, within_ms));
    }
    faults
}

/// Dozens of cuts, and a few other faults among them.
fn storm(chance: &mut fastrand::Rng, last_ms: u64) -> Vec<Fault> {
    let cuts = chance.usize(STORM_CUTS);
    let mut faults: Vec<Fault> = (0..cuts).map(|_| fault::cut_of_storm(chance)).collect();
    let within_ms = last_ms + count_ms(cuts, STORM_CUT_MS);
    faults.extend((0..chance.usize(0..=4)).map(|_| fault::fault(chance, within_ms)));
    if chance.u8(..8) == 0 {
        faults.extend(fault::damage(chance, within_ms));
    }
    faults
}

/// An ordinary life, a month without power, and what comes a month late.
fn month(chance: &mut fastrand::Rng, orders: &mut Vec<Placed>, sendings: &mut Vec<Sending>) -> Vec<Fault> {
    let night_ms = last(sendings) + chance.u64(0..=120_000);
    let mut faults: Vec<Fault> = (0..chance.usize(0..=4)).map(|_| fault::fault(chance, night_ms)).collect();
    faults.push(fault::long_night(chance, night_ms));
    let day_ms = night_ms + LONG_NIGHT_MS;
    // A timestamp in milliseconds is from the future for ever: forgotten, it is refused anew, in a report anew.
    let may_come_again = |order: &usize| orders[*order].oddity != Some(Oddity::Milliseconds);
    for order in (0..orders.len()).filter(may_come_again) {
        for _ in 0..chance.u8(..3) {
            let message = one_of(chance, &[Message::Put, Message::Put, Message::PutAnew, Message::Get]);
            sendings.push(Sending { at_ms: day_ms + chance.u64(2_000..=90_000), order, message });
        }
    }
    // What is bought now is driven although the key's neighbours are forgotten.
    let fresh = Placed { issued_at_ms: day_ms + chance.u64(10_000..=60_000), ..placed(chance, orders.len()) };
    send(chance, orders.len(), &fresh, sendings);
    orders.push(fresh);
    faults
}

fn placed(chance: &mut fastrand::Rng, n: usize) -> Placed {
    let odd = [Oddity::Quantity, Oddity::Slot, Oddity::Address, Oddity::Milliseconds, Oddity::LongUrl];
    let oddity = (chance.u8(..30) == 0).then(|| one_of(chance, &odd));
    let host = (chance.u8(..5) > 0).then(|| chance.u8(..HOSTS));
    let order_id = 100 + u64::try_from(n).unwrap_or(0);
    Placed {
        order_id,
        // Few slots and addresses, so that orders meet what others left there.
        code: chance.u16(5..=7),
        address: chance.u8(1..=2),
        quantity: if chance.bool() { 1 } else { chance.u8(1..=4) },
        drop_check: chance.u8(..4) > 0,
        host: host.filter(|_| oddity != Some(Oddity::LongUrl)),
        issued_at_ms: chance.u64(FIRST_COMMAND_MS..=FIRST_COMMAND_MS + ISSUED_WITHIN_MS),
        expires_after_s: (chance.u8(..5) == 0).then(|| chance.u64(20..=200)),
        paid: chance.u8(..10) > 0,
        // By the number and not by chance, so that a seed keeps the course that it had before there were amounts.
        amount: match order_id % 8 {
            1 | 4 => Some(SOME_PRICE),
            6 => Some(Fen(SOME_PRICE.0 + 1)),
            _ => None,
        },
        oddity,
    }
}

fn send(chance: &mut fastrand::Rng, order: usize, placed: &Placed, sendings: &mut Vec<Sending>) {
    // The network is quick, slow, or a back road.
    let delay_ms = match chance.u8(..10) {
        0 => chance.u64(90_000..=130_000),
        1 | 2 => chance.u64(1_000..=30_000),
        _ => chance.u64(10..=300),
    };
    let first_ms = placed.issued_at_ms + delay_ms;
    sendings.push(Sending { at_ms: first_ms, order, message: Message::Put });
    for _ in 0..chance.u8(..4) {
        let again = [Message::Put, Message::Put, Message::PutAnew, Message::OtherBody, Message::Get];
        let message = one_of(chance, &again);
        let after_ms = one_of(chance, &[0, 5, 400, 4_000, 60_000]);
        sendings.push(Sending { at_ms: first_ms + chance.u64(0..=after_ms), order, message });
    }
    if chance.u8(..6) == 0 {
        // Just before the command too: what it leaves behind would meet the command.
        let message = one_of(chance, &[Message::WrongSignature, Message::OtherMachine, Message::Garbage]);
        sendings.push(Sending { at_ms: (first_ms + chance.u64(0..=2_000)).saturating_sub(1_000), order, message });
    }
}
