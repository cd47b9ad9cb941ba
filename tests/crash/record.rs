//! One recorded life of the real binary, from the first creation of its journal: orders of all kinds, kills, a clean end.

use super::disk::{Disk, How};
use super::told::{Cast, Scripted, Told, UNSIGNED, note_turns};
use super::trace::{self, Event, What};
use crate::common::command::{Command, put};
use crate::common::http_server::Answer;
use crate::common::record::wait_until;
use crate::common::world::World;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use vend::board::profile::Profile;
use vend::io::journal::lead::HALF_BYTES;

/// How long a motor turns: short, so that a life has many orders.
const TURN_MS: u64 = 30;
/// After this a command without an answer is settled as unknown: a hundred turns, for a machine that is busy with
/// other things. What a cut leaves in doubt takes as long to come to rest.
const LONGEST_VEND_MS: u64 = 3_000;
/// Slots an address that the script uses; above are slots of no order.
const SLOTS: usize = 50;
/// No board has it: the order is refused.
const NO_SLOT: u16 = 999;
/// [`World::a_good_order_is_served`] has this one.
const GOOD_SLOT: u16 = 9;
/// Makes records and with them the journal grow: segments are filled, cleaned and used again. In bytes.
const PADDING: usize = 1_600;

/// A recorded life, and the world in which it happened.
pub struct Recording {
    pub world: World,
    pub events: Vec<Event>,
    pub cast: Cast,
}

/// sled's segments, in bytes.
const SEGMENT_BYTES: u64 = 512 << 10;

impl Recording {
    /// How often a segment of the journal was begun that lies before one that was begun earlier: it was cleaned and
    /// is used again.
    pub fn segments_used_again(&self) -> usize {
        let (mut current, mut highest, mut count) = (0, 0, 0);
        for event in &self.events {
            let What::Write { path, offset, .. } = &event.what else { continue };
            let segment = offset / SEGMENT_BYTES;
            if !path.ends_with("state/journal/db") || segment == current {
                continue;
            }
            count += usize::from(segment < highest);
            (current, highest) = (segment, highest.max(segment));
        }
        count
    }

    /// How often a half of the lead was full, so that commits went on in the other.
    pub fn turns_of_the_lead(&self) -> usize {
        let (mut before, mut count) = (0, 0);
        for event in &self.events {
            let What::Write { path, offset, .. } = &event.what else { continue };
            if path.ends_with("state/journal/lead") {
                let half = *offset / HALF_BYTES as u64;
                count += usize::from(half != before);
                before = half;
            }
        }
        count
    }

    /// Commits that the core waited for itself: by a thread that also speaks to the world.
    pub fn commits_of_the_core(&self) -> usize {
        let speaks = |event: &&Event| matches!(event.what, What::Sent { .. } | What::Line { .. });
        let speakers: HashSet<u32> = self.events.iter().filter(speaks).map(|event| event.thread).collect();
        let commits = |e: &&Event| matches!(&e.what, What::Write { path, .. } if path.ends_with("state/journal/lead"));
        self.events.iter().filter(commits).filter(|event| speakers.contains(&event.thread)).count()
    }
}

/// Lives one life of `orders` orders on a board of this profile, with so many kills in its middle.
pub fn record(seed: u64, profile: &'static str, orders: usize, kills: usize) -> Recording {
    let mqtt_5 = seed.is_multiple_of(2);
    let mut world = World::without_agent(profile, |s| {
        (s.turn_ms, s.longest_vend_ms) = (TURN_MS, Some(LONGEST_VEND_MS));
        s.protocol = if mqtt_5 { "5" } else { "3.1.1" };
    });
    let text = fs::read_to_string(world.path().join("board.toml")).unwrap();
    let profile = Profile::parse("board.toml", &text).unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    let orders: Vec<Scripted> = (0..orders).map(|n| scripted(n, &profile, &mut random)).collect();
    let cast = Cast {
        broker_port: world.broker.port(),
        receiver_port: world.receiver.server.port(),
        mqtt_5,
        profile,
        turn_ms: TURN_MS,
        orders,
    };
    let mut events = Vec::new();
    let lives = kills + 1;
    for (life, orders) in cast.orders.chunks(cast.orders.len().div_ceil(lives)).enumerate() {
        let trace = world.path().join(format!("trace-{life}"));
        let subscriptions = world.subscriptions();
        world.start_agent_traced(&trace);
        world.wait_for_subscription(subscriptions + 1);
        serve(&mut world, orders, &mut random);
        if life + 1 < lives {
            let turned = world.board.turned_slots().len();
            let next = &cast.orders[(life + 1) * orders.len()];
            world.send(command(next, &world));
            if next.slot != NO_SLOT && random.bool() {
                world.board.wait_for_turns(turned + 1);
            }
            world.kill9();
        } else {
            world.wait_until_settled();
            assert_eq!(world.stop_agent().code(), Some(0));
        }
        let first_line = events.last().map_or(0, |e: &Event| e.ended + 1);
        events.extend(trace::read(&finished(&trace), first_line));
    }
    note_turns(&mut events, &Told::default(), &cast);
    let mut disk = Disk::empty();
    for event in &events {
        disk.follow(event, world.path());
    }
    let everything = disk.cut(How::Everything, &mut random);
    let differences: Vec<_> =
        everything.differences(world.path()).into_iter().filter(|path| path.contains("/state/")).collect();
    assert!(differences.is_empty(), "the rebuilt directory is not the one that was left: {differences:?}");
    Recording { world, events, cast }
}

fn scripted(n: usize, profile: &Profile, random: &mut fastrand::Rng) -> Scripted {
    let refused = n % 9 == 4;
    let address = u8::try_from(n / SLOTS).unwrap() % profile.addresses.count + 1;
    let slot = u16::try_from(n % SLOTS).unwrap() + GOOD_SLOT + 1;
    assert!(n < SLOTS * usize::from(profile.addresses.count), "an order more than the board has slots");
    Scripted {
        name: ((1_000 + n).to_string(), "1".to_owned()),
        address,
        slot: if refused { NO_SLOT } else { slot },
        quantity: if refused || random.u8(0..4) > 0 { 1 } else { random.usize(2..4) },
    }
}

fn command(order: &Scripted, world: &World) -> Command {
    let quantity = u32::try_from(order.quantity).unwrap();
    // The hundreds of a number may name an address: only what is no number is no slot of any board.
    let code = if order.slot == NO_SLOT { "none".to_owned() } else { order.slot.to_string() };
    let command = put(&order.name.0, &order.name.1).code(&code).quantity(quantity);
    let command = command.with("addr", &order.address.to_string()).with("msg_id", &order.name.0);
    command.notify(&format!("{}?{}", world.receiver.url(), "x".repeat(PADDING)))
}

/// Sends the orders in groups, with duplicates, conflicts, forgeries and receivers that are not at home.
fn serve(world: &mut World, orders: &[Scripted], random: &mut fastrand::Rng) {
    let mut rest = orders;
    while !rest.is_empty() {
        let (group, others) = rest.split_at(random.usize(1..=5).min(rest.len()));
        rest = others;
        if random.u8(0..6) == 0 {
            world.receiver.will([Answer::status(503)]);
        }
        for order in group {
            world.platform.send_when_possible(command(order, world).payload());
            match random.u8(0..8) {
                0 => world.send_when_possible(command(order, world).with("msg_id", "again")),
                1 => world.send_when_possible(command(order, world).quantity(4)),
                2 => {
                    let forged = put(&format!("{UNSIGNED}{}", order.name.0), "1").signed_with("nobody's");
                    world.send_when_possible(forged);
                }
                _ => {}
            }
        }
        world.platform.wait_until_taken();
        for order in group {
            world.receiver.wait_for_tries(&order.name.0, &order.name.1, 1);
        }
    }
}

/// The trace, once strace has written its end.
pub fn finished(trace: &Path) -> String {
    wait_until("end of the trace", || {
        let text = fs::read_to_string(trace).ok()?;
        let (process, _) = text.split_once(' ')?;
        let last = text.lines().next_back().filter(|_| text.ends_with('\n'))?;
        (last.contains("+++") && last.split_once(' ')?.0 == process).then_some(text)
    })
}
