//! One machine through all its lives: orders come in a steady stream, the agent is killed and started again, and at
//! the end everything that was seen is handed to the verdict.

use crate::common::agent::log_file;
use crate::common::command::{Command, get, put};
use crate::common::mount::Mount;
use crate::common::world::World;
use crate::ears::{Ears, Heard};
use crate::life_log::LifeLog;
use crate::merchant::{Mood, Receiver};
use crate::plan::{Aim, End, Phase, Trouble, end, troubles};
use crate::progress::Progress;
use crate::verdict::{Merchant, OrderSeen, Seen, Turned};
use fastrand::Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use vend::board::profile::{Family, Profile};
use vend::io::clock::boot_now;

/// Orders under way at once: a short queue, so that one is nearly always at each place of its life.
const OPEN_MAX: usize = 3;
/// A life that its aim does not end is ended so long after its start; longer than a start on a busy machine.
const LIFE_MS_MAX: u64 = 8_000;
/// A tenth of a real vend. Shorter ones would make more of the kills fall between the vend's steps than any machine
/// sees.
const TURN_MS: RangeInclusive<u64> = 200..=400;
/// Between two looks at the world.
const TICK: Duration = Duration::from_millis(2);
/// Much shorter than any real vend, and longer than the turns here and what a board needs to tell of them.
const LONGEST_VEND_MS: u64 = 2_500;
/// What a board needs that tells slowly: latches that are watched, results that are repeated or counted first.
const LONGEST_SLOW_VEND_MS: u64 = 6_000;
/// The boards that tell quickly.
const QUICK: [Family; 4] = [Family::Adh, Family::UlingModbus, Family::XyV3, Family::Tcn00ff];
/// An agent that was killed may hear of the end of a turn so long after it: xy-v3 repeats it for 1.2 s; the others are
/// asked when the agent is back.
const LISTENING_MS: u64 = 2_500;
/// After so long without a report the platform sends the command again, as it may: the same key.
const AGAIN_AFTER_MS: u64 = 3_000;
/// After the last fault everything must be final within this: a few back-offs of some seconds, on a busy machine.
const SETTLE_MS_MAX: u64 = 120_000;
/// Between the last kill and the next start, as systemd's RestartSec, an ended agent waits.
const RESTART: Duration = Duration::from_millis(20);
/// Beyond what the orders of a campaign need.
const STATE_MIB: u32 = 512;
/// Below `vend::io::journal::FREE_BYTES_MIN` (16 MiB).
const NEARLY_FULL_BYTES: u64 = 8 << 20;

/// What is done to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Campaign {
    OnlyKills,
    EverythingAtOnce,
}

/// Counts that are no part of the verdict.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub phases: BTreeMap<Phase, usize>,
    pub duplicates: usize,
    pub conflicts: usize,
    pub questions: usize,
    pub broker_kills: usize,
    pub cables_pulled: usize,
    pub board_power_losses: usize,
    pub disks_full: usize,
    pub receiver_outages: usize,
    /// Agents that ended by themselves, as they must on a full disk.
    pub ended_by_themselves: usize,
}

/// An order and what was seen of it so far.
struct Sent {
    seen: OrderSeen,
    command: Command,
    last_sent_ms: u64,
}

impl Sent {
    fn is_told(&self) -> bool {
        !self.seen.mqtt.is_empty()
    }

    fn has_turned(&self) -> bool {
        self.seen.turns.len() >= self.seen.quantity
    }

    /// The merchant lacks a report that the platform has.
    fn merchant_lags(&self) -> bool {
        let last = self.seen.mqtt.iter().map(|told| told.sequence).max();
        let taken = self.seen.http.iter().filter(|told| told.taken).map(|told| told.sequence).max();
        self.seen.merchant == Merchant::Listens && taken < last
    }

    fn platform_lags(&self) -> bool {
        let over_http = self.seen.http.iter().map(|told| told.sequence).max();
        self.seen.mqtt.iter().map(|told| told.sequence).max() < over_http
    }
}

/// A machine.
pub struct Machine<'a> {
    campaign: Campaign,
    chance: Rng,
    profile: Profile,
    world: World,
    /// After the world, so that the agent is gone when it is unmounted.
    disk: Option<Mount>,
    merchant: Receiver,
    /// Away until the faults are over.
    absent: Receiver,
    ears: Ears,
    log: LifeLog,
    orders: Vec<Sent>,
    by_id: BTreeMap<String, usize>,
    /// The last order for each place, as on the wire.
    by_place: BTreeMap<(u8, u16), usize>,
    next_place: u64,
    turns_read: usize,
    stray_turns: Vec<Turned>,
    kills_ms: Vec<u64>,
    counts: Counts,
    due: Vec<(u64, Trouble)>,
    broker_is_up: bool,
    receiver_is_there: bool,
    send_not_before_ms: u64,
    progress: &'a Progress,
}

impl<'a> Machine<'a> {
    pub fn new(profile: &'static str, campaign: Campaign, seed: u64, progress: &'a Progress) -> Self {
        let mut chance = Rng::with_seed(seed);
        let turn_ms = chance.u64(TURN_MS);
        let disk = if campaign == Campaign::EverythingAtOnce { Mount::tmpfs(STATE_MIB) } else { None };
        let state = disk.as_ref().map(|disk| disk.path().join("state"));
        let family = Profile::find(profile, Path::new(".")).expect("a built-in profile").family;
        let longest_vend_ms = if QUICK.contains(&family) { LONGEST_VEND_MS } else { LONGEST_SLOW_VEND_MS };
        let world = World::with(profile, |setup| {
            (setup.turn_ms, setup.longest_vend_ms, setup.state) = (turn_ms, Some(longest_vend_ms), state);
            setup.faults = vec!["no-drop:7", "jam:13", "open-motor:17"];
        });
        let mut absent = Receiver::start();
        absent.server.go_away();
        let next_place = chance.u64(..1_000);
        let mut machine = Machine {
            campaign,
            chance,
            profile: Profile::find(profile, world.path()).expect("a built-in profile"),
            world,
            disk,
            merchant: Receiver::start(),
            absent,
            ears: Ears::default(),
            log: LifeLog::default(),
            orders: Vec::new(),
            by_id: BTreeMap::new(),
            by_place: BTreeMap::new(),
            next_place,
            turns_read: 0,
            stray_turns: Vec::new(),
            kills_ms: Vec::new(),
            counts: Counts::default(),
            due: Vec::new(),
            broker_is_up: true,
            receiver_is_there: true,
            send_not_before_ms: 0,
            progress,
        };
        machine.log.look(&log_file(machine.world.path()));
        machine
    }

    /// So many kills, or as many as fit in until `end_ms`; then peace, and what was seen.
    pub fn live(mut self, kills: usize, end_ms: u64) -> (Seen, Counts) {
        for n in 0..kills {
            if boot_now().0 > end_ms {
                break;
            }
            if n > 0 {
                self.begin_life();
            }
            // A new journal that was never used cannot tell what the broker brings again from what a former one was given
            // (rule 6): the first turn shows that it is begun.
            self.one_life(usize::from(n == 0));
        }
        self.begin_peace();
        self.wait_until_all_is_final();
        self.hand_over()
    }

    fn begin_life(&mut self) {
        self.log.begin(&log_file(self.world.path()));
        self.world.start_agent();
    }

    fn one_life(&mut self, turns_at_least: usize) {
        let began_ms = boot_now().0;
        if self.campaign == Campaign::EverythingAtOnce {
            let troubles = troubles(&mut self.chance);
            self.due.extend(troubles.into_iter().map(|(at_ms, trouble)| (began_ms + at_ms, trouble)));
        }
        let End { aim, after_ms, turns_before } = end(&mut self.chance, self.world.setup.turn_ms);
        let turns_wanted = self.turns_read + turns_before.max(turns_at_least);
        let (mut before, mut kill_at_ms) = (None, None);
        loop {
            self.tick();
            let now_ms = boot_now().0;
            if !self.world.agent().is_running() {
                // On a full disk it ends; whoever minds it starts it again.
                self.world.kill9_if_alive();
                self.counts.ended_by_themselves += 1;
                sleep(RESTART);
                self.begin_life();
            }
            if self.log.is_subscribed() && (aim != Aim::Idle || self.turns_read < turns_wanted) {
                self.send_something();
            }
            let so_far = self.how_far(aim);
            if kill_at_ms.is_none() && self.turns_read >= turns_wanted && self.is_reached(aim, so_far, &mut before) {
                kill_at_ms = Some(now_ms + after_ms);
            }
            if kill_at_ms.is_some_and(|at| now_ms >= at) || now_ms >= began_ms + LIFE_MS_MAX {
                break;
            }
            sleep(TICK);
        }
        self.kill();
    }

    /// What must grow for an aim to be reached.
    fn how_far(&self, aim: Aim) -> usize {
        match aim {
            Aim::Arrival => self.orders.len(),
            Aim::Accepted => self.orders.iter().rev().take(50).filter(|o| o.seen.accepted).count(),
            Aim::Turning => self.turns_read,
            Aim::Report => self.orders.iter().rev().take(50).map(|o| o.seen.http.len() + o.seen.mqtt.len()).sum(),
            Aim::Start | Aim::Recovery | Aim::Idle | Aim::Anywhen => 0,
        }
    }

    fn is_reached(&self, aim: Aim, so_far: usize, before: &mut Option<usize>) -> bool {
        let subscribed = self.log.is_subscribed();
        match aim {
            Aim::Start => true,
            Aim::Recovery => subscribed || self.log.is_recovering(),
            Aim::Anywhen => subscribed,
            Aim::Idle => subscribed && self.open_orders() == 0,
            Aim::Arrival | Aim::Accepted | Aim::Turning | Aim::Report => {
                subscribed && so_far > *before.get_or_insert(so_far)
            }
        }
    }

    fn kill(&mut self) {
        self.look();
        let phase = self.phase();
        let at_ms = boot_now().0;
        if self.campaign == Campaign::OnlyKills {
            // It must not have ended by itself.
            self.world.kill9();
        } else if !self.world.kill9_if_alive() {
            self.counts.ended_by_themselves += 1;
            return;
        }
        *self.counts.phases.entry(phase).or_default() += 1;
        self.kills_ms.push(at_ms);
        self.progress.killed();
    }

    fn phase(&self) -> Phase {
        let now_ms = boot_now().0;
        let turn_ms = self.world.setup.turn_ms;
        let open = || self.orders.iter().filter(|order| !order.is_told());
        let turns = |order: &Sent| order.seen.turns.iter().any(|t| now_ms < t.at_ms + turn_ms);
        if self.log.is_recovering() {
            Phase::Recovery
        } else if !self.log.is_subscribed() {
            Phase::Start
        } else if open().any(turns) {
            Phase::Turning
        } else if open().any(Sent::has_turned) || self.orders.iter().any(|o| o.is_told() && self.owes(o)) {
            Phase::Report
        } else if open().any(|order| !order.seen.accepted) {
            Phase::Arrival
        } else if open().next().is_some() {
            Phase::Accepted
        } else {
            Phase::Idle
        }
    }

    /// The merchant is there, and has not got what the platform has.
    fn owes(&self, order: &Sent) -> bool {
        order.merchant_lags() && !order.seen.order_id.starts_with(ABSENT)
    }

    fn open_orders(&self) -> usize {
        self.orders.iter().filter(|order| !order.is_told()).count()
    }

    // --- looking ----------------------------------------------------------------------------------------------------

    fn tick(&mut self) {
        self.look();
        let now_ms = boot_now().0;
        let (due, later) = std::mem::take(&mut self.due).into_iter().partition(|(at_ms, _)| *at_ms <= now_ms);
        self.due = later;
        let due: Vec<(u64, Trouble)> = due;
        for (_, trouble) in due {
            self.make(trouble);
        }
    }

    fn look(&mut self) {
        self.log.look(&log_file(self.world.path()));
        for turn in self.world.board.turns().split_off(self.turns_read) {
            self.turns_read += 1;
            self.progress.turned();
            let turned = Turned { at_ms: turn.at.0, dropped: turn.dropped };
            match self.by_place.get(&(turn.wire_address, turn.slot)) {
                Some(order) => self.orders[*order].seen.turns.push(turned),
                None => self.stray_turns.push(turned),
            }
        }
        for heard in self.ears.listen(&self.world.platform, &[&self.merchant, &self.absent]) {
            let (Heard::Received { order_id, .. } | Heard::Mqtt { order_id, .. } | Heard::Http { order_id, .. }) =
                &heard;
            let at = self.by_id.get(order_id).copied().unwrap_or_else(|| panic!("nobody sent order {order_id}"));
            let seen = &mut self.orders[at].seen;
            match heard {
                Heard::Received { state, .. } => seen.accepted |= state == "accepted",
                Heard::Mqtt { told, .. } => seen.mqtt.push(told),
                Heard::Http { told, .. } => seen.http.push(told),
            }
        }
    }

    // --- orders -----------------------------------------------------------------------------------------------------

    /// Mostly a new order while there is room; now and then something about an old one.
    fn send_something(&mut self) {
        let now_ms = boot_now().0;
        if now_ms < self.send_not_before_ms {
            return;
        }
        self.send_not_before_ms = now_ms + self.chance.u64(10..100);
        self.ask_again_where_nothing_came();
        if self.chance.u32(..5) == 0 && !self.orders.is_empty() {
            return self.send_about_an_old_order();
        }
        if self.open_orders() < OPEN_MAX {
            self.send_new_order();
        }
    }

    fn send_about_an_old_order(&mut self) {
        let recent = self.orders.len().saturating_sub(20);
        let order = &self.orders[self.chance.usize(recent..self.orders.len())];
        let order_id = &order.seen.order_id;
        match self.chance.u32(..3) {
            0 => {
                self.counts.questions += 1;
                self.world.send_when_possible(get(order_id, "1"));
            }
            // Only what is known can be contradicted.
            1 if order.seen.accepted => {
                self.counts.conflicts += 1;
                self.world.send_when_possible(order.command.clone().quantity(9));
            }
            _ => {
                self.counts.duplicates += 1;
                self.world.send_when_possible(order.command.clone());
            }
        }
    }

    fn send_new_order(&mut self) {
        let Some((wire_address, slot, address)) = self.free_place() else { return };
        let quantity = [1, 1, 1, 2, 3][self.chance.usize(..5)];
        let number = self.orders.len() + 1;
        let (prefix, merchant, url) = match self.chance.u32(..20) {
            0 => (ABSENT, Merchant::Listens, self.absent.url()),
            1 => (FORBIDDEN, Merchant::Forbidden, self.merchant.url().replace("http://", "http://user@")),
            _ => (PLAIN, Merchant::Listens, self.merchant.url()),
        };
        let order_id = format!("{prefix}{number:06}");
        let command = put(&order_id, "1").code(&slot.to_string()).quantity(quantity).notify(&url);
        let command = if address == 1 { command } else { command.with("addr", &address.to_string()) };
        let sent_at_ms = boot_now().0;
        self.world.send_when_possible(command.clone());
        let seen = OrderSeen {
            order_id: order_id.clone(),
            quantity: quantity as usize,
            merchant,
            sent_at_ms,
            accepted: false,
            turns: Vec::new(),
            http: Vec::new(),
            mqtt: Vec::new(),
            journal: None,
        };
        let at = self.orders.len();
        self.by_id.insert(order_id, at);
        self.by_place.insert((wire_address, slot), at);
        self.orders.push(Sent { seen, command, last_sent_ms: sent_at_ms });
        self.progress.ordered();
    }

    /// The next place whose last order is told: a turn there can only be the new order's.
    fn free_place(&mut self) -> Option<(u8, u16, u8)> {
        let addresses = u64::from(self.profile.addresses.count);
        let first = u64::from(self.profile.slots.first.max(1));
        let slots = u64::from(self.profile.slots.last).min(200) - first + 1;
        for _ in 0..addresses * slots {
            self.next_place += 1;
            let address = u8::try_from(self.next_place % addresses + 1).expect("a small number");
            let slot = u16::try_from(self.next_place / addresses % slots + first).expect("a small number");
            let wire_address = self.profile.addresses.first_on_wire + address - 1;
            let last = self.by_place.get(&(wire_address, slot)).map(|at| &self.orders[*at]);
            if last.is_none_or(Sent::is_told) {
                return Some((wire_address, slot, address));
            }
        }
        None
    }

    /// What a broker lost when it died. Without such a fault nothing needs to be asked twice.
    fn ask_again_where_nothing_came(&mut self) {
        if self.campaign == Campaign::OnlyKills {
            return;
        }
        let now_ms = boot_now().0;
        let waits = |order: &&mut Sent| now_ms >= order.last_sent_ms + AGAIN_AFTER_MS;
        for order in self.orders.iter_mut().filter(waits) {
            if !order.is_told() {
                self.world.send_when_possible(order.command.clone());
            } else if order.platform_lags() {
                self.world.send_when_possible(get(&order.seen.order_id, "1"));
            } else {
                continue;
            }
            order.last_sent_ms = now_ms;
        }
    }

    // --- troubles ---------------------------------------------------------------------------------------------------

    fn make(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::BrokerDies if self.broker_is_up => {
                self.world.broker.kill();
                self.broker_is_up = false;
                self.counts.broker_kills += 1;
            }
            Trouble::BrokerReturns if !self.broker_is_up => {
                self.world.broker.restart();
                self.broker_is_up = true;
            }
            Trouble::CablePulled if self.world.board.is_plugged_in() => {
                self.world.board.unplug();
                self.counts.cables_pulled += 1;
            }
            Trouble::CablePluggedIn if !self.world.board.is_plugged_in() => self.world.board.plug_in(),
            Trouble::BoardLosesPower if self.world.board.is_plugged_in() => {
                self.world.board.lose_power();
                self.counts.board_power_losses += 1;
            }
            Trouble::DiskNearlyFull | Trouble::DiskFull if let Some(disk) = &self.disk => {
                disk.leave_bytes(if trouble == Trouble::DiskFull { 0 } else { NEARLY_FULL_BYTES });
                self.counts.disks_full += 1;
            }
            Trouble::DiskHasRoom if let Some(disk) = &self.disk => disk.set(&format!("size={STATE_MIB}m")),
            Trouble::ReceiverGone if self.receiver_is_there => {
                self.merchant.server.go_away();
                self.receiver_is_there = false;
                self.counts.receiver_outages += 1;
            }
            Trouble::ReceiverBack if !self.receiver_is_there => {
                self.merchant.server.come_back();
                self.receiver_is_there = true;
            }
            Trouble::ReceiverIs(mood) => {
                self.merchant.set(mood);
                self.counts.receiver_outages += usize::from(mood != Mood::Takes);
            }
            _ => {}
        }
    }

    // --- the end ----------------------------------------------------------------------------------------------------

    fn begin_peace(&mut self) {
        self.due.clear();
        for end in [
            Trouble::BrokerReturns,
            Trouble::CablePluggedIn,
            Trouble::DiskHasRoom,
            Trouble::ReceiverBack,
            Trouble::ReceiverIs(Mood::Takes),
        ] {
            self.make(end);
        }
        self.absent.server.come_back();
        self.begin_life();
    }

    fn wait_until_all_is_final(&mut self) {
        let end_ms = boot_now().0 + SETTLE_MS_MAX;
        loop {
            self.tick();
            self.ask_again_where_nothing_came();
            let lags = |order: &Sent| !order.is_told() || order.merchant_lags() || order.platform_lags();
            if !self.orders.iter().any(lags) && self.world.is_settled() {
                // A correction may have left just before.
                self.look();
                return;
            }
            if boot_now().0 > end_ms {
                // The verdict says what is missing.
                eprintln!("{}: not all is final after {SETTLE_MS_MAX} ms", self.world.setup.profile);
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }

    fn hand_over(mut self) -> (Seen, Counts) {
        let profile = self.world.setup.profile;
        assert_eq!(self.world.stop_agent().code(), Some(0), "{profile}: the agent stops when it is asked to");
        self.look();
        let blobs = fs::read_dir(self.world.state().join("journal/blobs")).map_or(0, Iterator::count);
        assert_eq!(blobs, 0, "{profile}: blob files are never synced");
        let (code, lines) = self.world.dump();
        assert_eq!(code, Some(0), "{profile}: the journal is not sound");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for line in lines {
            let reports = line["reports"].as_array().expect("a list").iter().map(|r| text(&r["state"])).collect();
            if let Some(at) = self.by_id.get(&text(&line["order_id"])) {
                self.orders[*at].seen.journal = Some((text(&line["state"]), reports));
            }
        }
        let seen = Seen {
            profile,
            turn_ms: self.world.setup.turn_ms,
            listening_ms: LISTENING_MS,
            orders: self.orders.into_iter().map(|order| order.seen).collect(),
            stray_turns: self.stray_turns,
            kills_ms: self.kills_ms,
            only_kills: self.campaign == Campaign::OnlyKills,
        };
        (seen, self.counts)
    }
}

/// Beginnings of order numbers.
const PLAIN: &str = "1";
const ABSENT: &str = "2";
const FORBIDDEN: &str = "3";
