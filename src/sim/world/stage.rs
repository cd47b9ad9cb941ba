//! The run itself: an agenda of what will happen, the real core, and what carries its effects out.

mod wire;

use super::broker::Broker;
use super::disk::Disk;
use super::judge::{Broken, Judge, UnitId};
use super::line::{Command, Line};
use super::outside::{CLOUD_URL, Outside, key_of, manner_now, notify_url};
use super::plan::{Beat, BootClock, Fault, Message, Placed, Plan, When, Whom};
use super::story::Story;
use crate::board::driver::RecoveryClass;
use crate::board::driver_for;
use crate::board::profile::Profile;
use crate::cloud::device::{GET_METHOD, PUT_METHOD};
use crate::cloud::envelope::{self, Value};
use crate::cloud::sign::SigningKey;
use crate::core::event::{Effect, Ending, Epoch, Event, Level, Request, Token};
use crate::core::{CloudSettings, Core, Settings, Start};
use crate::order::key::{Key, MachineNo};
use crate::order::life::Order;
use crate::order::time::{BootId, BootMs, Now, UnixMs};
use crate::sim::board::emulator_for;
use crate::sim::board::fault::Faults;
use std::collections::BTreeMap;
use std::path::Path;

/// The true time at the beginning of every run, in Unix ms.
const BEGIN_MS: u64 = 1_714_373_688_000;
/// What the boot clock shows when the agent starts, in ms.
const BOOTED_MS: u64 = 4_000;
/// The broker keeps our session this long, in s: a week.
const SESSION_EXPIRY_S: u64 = 604_800;
/// A process that ended is started again after this time, in ms.
const RESTART_MS: u64 = 2_000;
/// An unsynchronised clock is synchronised so long after the boot, in ms, at most.
const SYNCHRONISED_WITHIN_MS: u64 = 400_000;
/// How often it is looked whether all is settled, in ms.
const LOOK_MS: u64 = 20_000;
/// All that is open must be settled so long after the last fault, in h: longer than a deadline, a wait for trust and
/// the longest back-off one after another.
const PATIENCE_H: u64 = 4;
const HOUR_MS: u64 = 3_600_000;
/// More wake-ups than this in one millisecond are no progress.
const WAKES_A_MS_MAX: u32 = 50;

/// What will happen.
#[derive(Debug)]
enum Happening {
    /// The agent's process starts.
    Start,
    /// The agent hears of it, if it still lives the same life, and on the same connection.
    ToCore { life: u32, connection: Option<u32>, event: Event },
    /// The disk has done its work.
    Synced { life: u32, id: u64 },
    /// Bytes reach the board.
    AtBoard { wire: u32, bytes: Vec<u8>, command: Option<Command> },
    /// Bytes reach the port.
    AtPort { opening: u32, bytes: Vec<u8> },
    /// The port is opened.
    OpenPort { life: u32 },
    /// The agent connects to the broker.
    Connect { life: u32 },
    /// A message reaches the platform.
    AtPlatform { connection: u32, life: u32, token: Token, payload: Vec<u8> },
    /// An acknowledgement reaches the broker.
    Acknowledged { connection: u32, id: u64 },
    /// A request reaches its receiver.
    AtReceiver { life: u32, token: Token, request: Request },
    /// The platform sends.
    Send(usize),
    /// A fault begins, or ends.
    Fault { fault: usize, begins: bool },
    /// The board has power again.
    BoardLit,
    /// The kernel's clock is synchronised.
    Synchronised { boot: u8 },
    /// Nothing goes wrong any more.
    Calm,
    /// Is all settled?
    Look,
}

/// What the wall clock does.
#[derive(Debug)]
struct Host {
    boot: u8,
    booted_at_ms: u64,
    wall_error_ms: i64,
    synchronised: bool,
    /// A new boot at the next start, with this clock.
    reboots: Option<BootClock>,
}

/// The world of one run.
pub(super) struct Stage<'p> {
    plan: &'p Plan,
    pub(super) story: Story,
    pub(super) judge: Judge,
    placed: Vec<(Key, Placed)>,
    chance: fastrand::Rng,
    now_ms: u64,
    agenda: BTreeMap<(u64, u64), Happening>,
    happenings: u64,
    settings: Settings,
    core: Option<Core>,
    life: u32,
    epoch: u64,
    started_at_ms: u64,
    host: Host,
    disk: Disk,
    broker: Broker,
    line: Line,
    outside: Outside,
    beats: BTreeMap<Beat, u32>,
    commits: u32,
    is_calm: bool,
    is_over: bool,
    wakes: (u64, u32),
    pub(super) cuts: u32,
}

impl<'p> Stage<'p> {
    pub(super) fn new(plan: &'p Plan, story: Story) -> Result<Stage<'p>, Broken> {
        let broken = |what: &dyn std::fmt::Display| Broken::Setup(what.to_string());
        let profile = Profile::find(plan.profile, Path::new(".")).map_err(|e| broken(&e))?;
        let machine_no = MachineNo::parse("16327129").map_err(|e| broken(&e))?;
        let key = SigningKey::new("kva").map_err(|e| broken(&e))?;
        let with_key = |order: &Placed| Ok((key_of(order).map_err(|e| broken(&e))?, order.clone()));
        let placed = plan.orders.iter().map(with_key).collect::<Result<_, Broken>>()?;
        let faults = Faults::new(plan.faults.iter().filter_map(|fault| match fault {
            Fault::Board(fault) => Some(*fault),
            _ => None,
        }));
        let account = Outside::account(&key);
        let mut stage = Stage {
            plan,
            story,
            judge: Judge::new(plan.has_treacherous_board()),
            placed,
            // Another stream than the plan's, so that one fault less changes as little as possible.
            chance: fastrand::Rng::with_seed(!plan.seed),
            now_ms: 0,
            agenda: BTreeMap::new(),
            happenings: 0,
            core: None,
            life: 0,
            epoch: 0,
            started_at_ms: 0,
            host: Host { boot: 0, booted_at_ms: 0, wall_error_ms: 0, synchronised: false, reboots: None },
            disk: Disk::default(),
            broker: Broker::default(),
            line: Line::new(emulator_for(&profile, plan.turn_ms, faults)),
            outside: Outside::new(plan, account.clone(), machine_no.clone()),
            settings: Settings {
                machine_no,
                mqtt_key: key,
                cloud: CloudSettings {
                    url: CLOUD_URL.to_owned(),
                    account: Some(account),
                    verify_orders: plan.verify_orders,
                    refund_failed: plan.refund_failed,
                },
                profile,
                lock_slot_after_unknown: plan.lock_slot_after_unknown,
                trust_system_clock: false,
                session_expiry_s: SESSION_EXPIRY_S,
                boot_id: BootId([0; 16]),
                seed: plan.seed,
            },
            beats: BTreeMap::new(),
            commits: 0,
            is_calm: false,
            is_over: false,
            wakes: (0, 0),
            cuts: 0,
        };
        stage.boot(plan.first_clock);
        stage.at(1, Happening::Start);
        for (n, sending) in plan.sendings.iter().enumerate() {
            stage.at(sending.at_ms, Happening::Send(n));
        }
        for (n, fault) in plan.faults.iter().enumerate() {
            if let Some((begins_ms, ends_ms)) = span(fault) {
                stage.at(begins_ms, Happening::Fault { fault: n, begins: true });
                if let Some(ends_ms) = ends_ms {
                    stage.at(ends_ms, Happening::Fault { fault: n, begins: false });
                }
            }
        }
        stage.at(plan.calm_at_ms, Happening::Calm);
        Ok(stage)
    }

    /// Runs to the end and judges.
    pub(super) fn run(&mut self) -> Result<(), Broken> {
        while !self.is_over {
            let wake_ms = self.core.as_ref().and_then(Core::deadline).map(|at| self.run_time_ms(at));
            let board = self.line.board.deadline().map(|at| at.0.max(self.line.dark_until_ms));
            let next = self.agenda.first_key_value().map(|(at, _)| at.0);
            let earliest = [next, wake_ms, board].into_iter().flatten().min().unwrap_or(self.now_ms);
            self.now_ms = self.now_ms.max(earliest);
            if next.is_some_and(|at| at <= self.now_ms) {
                if let Some((_, happening)) = self.agenda.pop_first() {
                    self.happen(happening)?;
                }
            } else if board.is_some_and(|at| at <= self.now_ms) {
                self.line.board.wake(BootMs(self.now_ms));
                self.hear_the_board()?;
            } else {
                self.wake()?;
            }
        }
        self.judge.judge(&self.placed, &self.outside.refunded(&self.placed))
    }

    /// The core's own deadline: it must do something, or want to be woken later.
    fn wake(&mut self) -> Result<(), Broken> {
        let before = self.core.as_ref().and_then(Core::deadline);
        self.wakes = if self.wakes.0 == self.now_ms { (self.now_ms, self.wakes.1 + 1) } else { (self.now_ms, 0) };
        let effects = self.tell(Event::Wake)?;
        let idle = effects == 0 && self.core.as_ref().and_then(Core::deadline) == before;
        if idle || self.wakes.1 > WAKES_A_MS_MAX {
            return Err(Broken::Spins { at_ms: self.now_ms });
        }
        Ok(())
    }

    fn at(&mut self, at_ms: u64, happening: Happening) {
        self.happenings += 1;
        self.agenda.insert((at_ms, self.happenings), happening);
    }

    fn after(&mut self, ms: u64, happening: Happening) {
        self.at(self.now_ms + ms, happening);
    }

    fn run_time_ms(&self, boot: BootMs) -> u64 {
        (boot.0 + self.host.booted_at_ms).saturating_sub(BOOTED_MS)
    }

    const fn true_ms(&self) -> u64 {
        BEGIN_MS + self.now_ms
    }

    const fn now(&self) -> Now {
        Now {
            boot: BootMs(self.now_ms - self.host.booted_at_ms + BOOTED_MS),
            wall: UnixMs(self.true_ms().saturating_add_signed(self.host.wall_error_ms)),
            synchronised: self.host.synchronised,
        }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Broken> {
        match happening {
            Happening::Start => self.start()?,
            Happening::ToCore { life, connection, event } => {
                if life == self.life && connection.is_none_or(|id| self.broker.is_on(id)) {
                    self.tell(event)?;
                }
            }
            Happening::Synced { life, id } => {
                if life == self.life {
                    self.synced(id)?;
                }
            }
            Happening::AtBoard { wire, bytes, command } => self.board_receives(wire, &bytes, command)?,
            Happening::AtPort { opening, bytes } => {
                if self.line.open == Some(opening) {
                    if self.line.is_busy(self.now_ms) {
                        self.beat(Beat::Heard, true);
                    }
                    if self.core.is_some() {
                        let read_at = self.now().boot;
                        self.tell(Event::LineBytes { read_at, bytes })?;
                    }
                }
            }
            Happening::OpenPort { life } => {
                if life == self.life && self.line.is_plugged && self.line.open.is_none() && self.core.is_some() {
                    self.line.opened();
                    self.tell(Event::LineOpened)?;
                }
            }
            Happening::Connect { life } => self.connect(life)?,
            Happening::AtPlatform { connection, life, token, payload } => {
                let is_on = self.broker.is_on(connection);
                if is_on || self.chance.bool() {
                    Outside::hear(&payload, &mut self.judge)?;
                }
                if is_on {
                    let event = Event::Published(token);
                    let back_ms = self.chance.u64(1..60);
                    self.after(back_ms, Happening::ToCore { life, connection: Some(connection), event });
                }
            }
            Happening::Acknowledged { connection, id } => {
                if self.broker.is_on(connection) {
                    self.broker.acknowledged(id);
                }
            }
            Happening::AtReceiver { life, token, request } => self.at_receiver(life, token, &request)?,
            Happening::Send(n) => self.send(n),
            Happening::Fault { fault, begins } => {
                if !self.is_calm {
                    self.fault(fault, begins)?;
                }
            }
            Happening::BoardLit => {
                if !self.line.is_dark(self.now_ms) {
                    self.line.board.power_cycle(BootMs(self.now_ms));
                    self.hear_the_board()?;
                }
            }
            Happening::Synchronised { boot } => {
                if boot == self.host.boot {
                    self.synchronise();
                    self.tell(Event::Wake)?;
                }
            }
            Happening::Calm => self.calm()?,
            Happening::Look => self.look()?,
        }
        Ok(())
    }

    // --- The process and its host.

    fn start(&mut self) -> Result<(), Broken> {
        if self.core.is_some() {
            return Ok(());
        }
        if let Some(clock) = self.host.reboots.take() {
            self.boot(clock);
        }
        self.life += 1;
        self.epoch = 0;
        self.started_at_ms = self.now_ms;
        let (life, boot) = (self.life, self.host.boot);
        self.story.tell(self.now_ms, || format!("AGENT starts, life {life}, boot {boot}"));
        let recovered = self.disk.open().map_err(|e| Broken::Journal(e.to_string()))?;
        let mut settings = self.settings.clone();
        settings.boot_id = BootId([self.host.boot; 16]);
        settings.seed = self.chance.u64(..);
        let start = Start { driver: driver_for(&settings.profile), settings };
        self.core = Some(Core::new(start, recovered, self.now()));
        self.tell(Event::Wake)?;
        let (port_ms, broker_ms) = (self.chance.u64(1..200), self.chance.u64(20..2_000));
        self.after(port_ms, Happening::OpenPort { life });
        self.after(broker_ms, Happening::Connect { life });
        Ok(())
    }

    fn boot(&mut self, clock: BootClock) {
        self.host.boot += 1;
        self.host.booted_at_ms = self.now_ms;
        let (error_ms, synchronised) = match clock {
            BootClock::Synchronised => (0, true),
            BootClock::Wrong(by_ms) => (by_ms, false),
            BootClock::Epoch => (-i64::try_from(self.true_ms()).unwrap_or(i64::MAX), false),
        };
        self.host.wall_error_ms = error_ms;
        self.host.synchronised = synchronised || self.is_calm;
        if self.host.synchronised {
            self.host.wall_error_ms = 0;
        } else {
            let boot = self.host.boot;
            let wait_ms = self.chance.u64(1_000..SYNCHRONISED_WITHIN_MS);
            self.after(wait_ms, Happening::Synchronised { boot });
        }
    }

    fn synchronise(&mut self) {
        self.story.tell(self.now_ms, || "the clock is synchronised".to_owned());
        self.host.wall_error_ms = 0;
        self.host.synchronised = true;
    }

    /// The process is gone, however that came.
    fn end_life(&mut self) {
        self.core = None;
        self.life += 1;
        self.line.open = None;
        self.broker.connection = None;
    }

    fn cut(&mut self, whom: Whom, off_ms: u64, clock: BootClock) {
        self.story.tell(self.now_ms, || format!("CUT {whom:?}, off for {off_ms} ms"));
        self.cuts += 1;
        if matches!(whom, Whom::Board | Whom::Both) {
            self.line.wire += 1;
            self.line.dark_until_ms = self.line.dark_until_ms.max(self.now_ms + off_ms);
            self.line.board.power_cycle(BootMs(self.now_ms));
            while self.line.board.next_output().is_some() {}
            self.at(self.line.dark_until_ms, Happening::BoardLit);
        }
        self.judge.has_excuse |= whom != Whom::Agent;
        if whom == Whom::Board || self.core.is_none() {
            return;
        }
        if whom == Whom::Agent {
            self.disk.process_dies(&mut self.chance);
            // A journal that was not yet born is born after commands that are then never driven (rule 6).
            self.judge.has_excuse |= self.disk.is_new() || !self.board_holds_what_was_begun();
        } else {
            self.disk.power_goes(&mut self.chance);
            self.host.reboots = Some(clock);
            if self.chance.bool() {
                self.line.wire += 1;
            }
        }
        self.end_life();
        if off_ms > SESSION_EXPIRY_S * 1_000 {
            self.broker.lose_session();
        }
        self.after(off_ms.max(1), Happening::Start);
    }

    /// A mere crash of the agent leaves no doubt: the board keeps the result of what is on the line until it is asked.
    fn board_holds_what_was_begun(&self) -> bool {
        let unit_of = |order: Order| order.unit_on_line().map(|(unit, _)| UnitId { key: order.key.clone(), unit });
        self.settings.profile.recovery_class == RecoveryClass::HeldUntilAcknowledged
            && self.disk.seen_on_line().filter_map(unit_of).all(|id| self.judge.has_turned(&id))
    }

    /// Counts an instant, and cuts if the plan says so. `before` or after what makes it.
    fn beat(&mut self, beat: Beat, before: bool) {
        let count = self.beats.entry(beat).or_default();
        *count += u32::from(before);
        let now = if before { When::Before(beat, *count) } else { When::After(beat, *count) };
        if self.is_calm {
            return;
        }
        for fault in &self.plan.faults {
            if let Fault::Cut { when, whom, off_ms, clock } = *fault
                && when == now
            {
                self.cut(whom, off_ms, clock);
            }
        }
    }

    // --- The core and its effects.

    /// Gives the core an event and carries out what it wants. How many effects there were, notes apart.
    fn tell(&mut self, event: Event) -> Result<usize, Broken> {
        let now = self.now();
        let Some(core) = &mut self.core else { return Ok(0) };
        let mut effects = Vec::new();
        core.step(now, event, &mut effects);
        let count = effects.iter().filter(|e| !matches!(e, Effect::Note(_))).count();
        for effect in effects {
            let beat = match &effect {
                Effect::Commit { .. } => Some(Beat::Commit),
                Effect::Ack(_) => Some(Beat::Ack),
                Effect::Publish { .. } => Some(Beat::Publish),
                Effect::Http { .. } => Some(Beat::Http),
                Effect::LineWrite(write) if write.motor => Some(Beat::MotorWrite),
                Effect::LineWrite(_) | Effect::Served { .. } | Effect::Note(_) | Effect::End(_) => None,
            };
            if let Some(beat) = beat {
                self.beat(beat, true);
            }
            if self.core.is_none() {
                break;
            }
            self.carry_out(effect)?;
            if let Some(beat) = beat {
                self.beat(beat, false);
            }
            if self.core.is_none() {
                break;
            }
        }
        Ok(count)
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), Broken> {
        let life = self.life;
        match effect {
            Effect::Commit { id, batch } => {
                self.story.tell(self.now_ms, || format!("commit {id}, {} records", batch.puts.len()));
                if !self.disk.begin(id, batch) {
                    return Err(Broken::TwoCommits);
                }
                let sync_ms = self.sync_ms();
                self.after(sync_ms, Happening::Synced { life, id });
            }
            Effect::Ack(tag) => {
                if tag.epoch != Epoch(self.epoch) {
                    return Err(Broken::AckMisplaced);
                }
                let connection = self.broker.connection.as_ref().map(|c| c.id);
                if let (Some(waiting), Some(connection)) = (self.broker.acknowledge(tag)?, connection) {
                    if let Some(key) = waiting.put {
                        self.story.tell(self.now_ms, || format!("ack of order {key}"));
                        if !self.disk.is_durable(&key.to_bytes()) {
                            return Err(Broken::AckBeforeDurable(key));
                        }
                        self.judge.acknowledged(key);
                    }
                    let on_its_way_ms = self.chance.u64(1..60);
                    self.after(on_its_way_ms, Happening::Acknowledged { connection, id: waiting.id });
                }
            }
            Effect::Publish { token, payload } => {
                if let Some(connection) = self.broker.connection.as_ref().map(|c| c.id) {
                    let on_its_way_ms = if self.chance.u8(..20) == 0 { 900 } else { 10 };
                    let on_its_way_ms = self.broker.arrives_ms(self.now_ms, on_its_way_ms);
                    self.at(on_its_way_ms, Happening::AtPlatform { connection, life, token, payload });
                }
            }
            Effect::Http { token, request } => {
                self.story.tell(self.now_ms, || format!("{} {}", request.method, request.url));
                let on_its_way_ms = self.chance.u64(1..200);
                self.after(on_its_way_ms, Happening::AtReceiver { life, token, request });
            }
            Effect::LineWrite(write) => self.write(write)?,
            Effect::Served { .. } => {}
            Effect::Note(note) => {
                if note.level >= Level::Info {
                    self.story.tell(self.now_ms, || format!("  {}: {}", note.what, note.text));
                }
            }
            Effect::End(ending) => {
                self.story.tell(self.now_ms, || format!("AGENT ends: {ending:?}"));
                self.judge.has_excuse |= ending == Ending::JournalFailed;
                self.disk.process_dies(&mut self.chance);
                self.end_life();
                self.after(RESTART_MS, Happening::Start);
            }
        }
        Ok(())
    }

    fn sync_ms(&mut self) -> u64 {
        let now_ms = self.now_ms;
        let slow = self.plan.faults.iter().filter(|_| !self.is_calm).find_map(|fault| match *fault {
            Fault::DiskSlow { at_ms, for_ms, sync_ms } if (at_ms..at_ms + for_ms).contains(&now_ms) => Some(sync_ms),
            _ => None,
        });
        slow.unwrap_or_else(|| self.chance.u64(1..40))
    }

    fn synced(&mut self, id: u64) -> Result<(), Broken> {
        self.commits += 1;
        let nth = self.commits;
        let fails = self.plan.faults.iter().filter(|_| !self.is_calm).find_map(|fault| match *fault {
            Fault::CommitFails { nth: n, seen } if n == nth => Some(seen),
            _ => None,
        });
        if let Some(seen) = fails {
            self.story.tell(self.now_ms, || format!("SYNC FAILS, its records seen: {seen}"));
            self.judge.has_excuse = true;
            self.disk.fail(seen);
            self.tell(Event::JournalFailed { why: "simulated".to_owned() })?;
            return Ok(());
        }
        self.beat(Beat::Synced, true);
        if self.core.is_some() && self.disk.sync(id) {
            self.beat(Beat::Synced, false);
            self.tell(Event::Committed(id))?;
        }
        Ok(())
    }

    // --- The broker, the receivers, the platform.

    fn connect(&mut self, life: u32) -> Result<(), Broken> {
        if life != self.life || self.core.is_none() || self.broker.connection.is_some() {
            return Ok(());
        }
        if self.broker.is_away {
            let again_ms = self.chance.u64(500..5_000);
            self.after(again_ms, Happening::Connect { life });
            return Ok(());
        }
        self.epoch += 1;
        let epoch = Epoch(self.epoch);
        let session_present = self.broker.connect(epoch);
        self.tell(Event::Connected { epoch, session_present })?;
        self.deliver();
        Ok(())
    }

    fn deliver(&mut self) {
        let Some(connection) = self.broker.connection.as_ref().map(|c| c.id) else { return };
        let chance = &mut self.chance;
        let sent = self.broker.send(self.now_ms, || chance.u64(1..60));
        for (tag, waiting, redelivered, at_ms) in sent {
            let event = Event::Message { tag, payload: waiting.payload, redelivered };
            self.at(at_ms, Happening::ToCore { life: self.life, connection: Some(connection), event });
        }
    }

    fn lose_connection(&mut self) -> Result<(), Broken> {
        if self.broker.connection.take().is_some() {
            self.tell(Event::Disconnected)?;
            let (life, again_ms) = (self.life, self.chance.u64(100..3_000));
            self.after(again_ms, Happening::Connect { life });
        }
        Ok(())
    }

    fn send(&mut self, n: usize) {
        let Some(sending) = self.plan.sendings.get(n).copied() else { return };
        let Some((key, order)) = self.placed.get(sending.order).cloned() else { return };
        self.story.tell(self.now_ms, || format!("the platform sends {:?} of order {key}", sending.message));
        let issued_at_ms = if sending.message == Message::PutAnew { self.now_ms } else { order.issued_at_ms };
        let issued_at_s = (BEGIN_MS + issued_at_ms) / 1_000;
        let is_get = sending.message == Message::Get;
        let code = if sending.message == Message::OtherBody { order.code + 1 } else { order.code };
        let text = |text: String| Value::from(text);
        let mut fields = vec![
            ("method", Value::from(if is_get { GET_METHOD } else { PUT_METHOD })),
            ("client_id", Value::from(self.settings.machine_no.as_str())),
            ("timestamp", text(issued_at_s.to_string())),
            ("order_id", Value::from(key.order_id.as_str())),
            ("record_id", Value::from(key.record_id.as_str())),
            ("code", text(code.to_string())),
            ("addr", text(order.address.to_string())),
            ("quantity", text(order.quantity.to_string())),
            ("is_dc", Value::from(if order.drop_check { "1" } else { "0" })),
        ];
        fields.extend(order.host.map(|host| ("notify_url", text(notify_url(host)))));
        let expires_s = order.expires_after_s.map(|s| s + (BEGIN_MS + order.issued_at_ms) / 1_000);
        fields.extend(expires_s.map(|s| ("expired_at", text(s.to_string()))));
        let payload = envelope::seal(fields, &self.settings.mqtt_key);
        self.broker.publish((!is_get).then_some(key), payload.into());
        self.deliver();
    }

    fn at_receiver(&mut self, life: u32, token: Token, request: &Request) -> Result<(), Broken> {
        // A request of a process that died may still arrive.
        if life != self.life && self.chance.bool() {
            return Ok(());
        }
        let faults: &[Fault] = if self.is_calm { &[] } else { &self.plan.faults };
        let manner = manner_now(faults, request, self.now_ms);
        let (delay_ms, true_ms) = (self.chance.u64(1..300), self.true_ms());
        let (after_ms, answer) = self.outside.take(request, manner, true_ms, delay_ms, &mut self.judge)?;
        self.after(after_ms, Happening::ToCore { life, connection: None, event: Event::Answered { token, answer } });
        Ok(())
    }

    // --- Faults, and their end.

    fn fault(&mut self, n: usize, begins: bool) -> Result<(), Broken> {
        let Some(fault) = self.plan.faults.get(n).copied() else { return Ok(()) };
        self.story.tell(self.now_ms, || format!("FAULT {} {fault}", if begins { "begins:" } else { "is over:" }));
        match (fault, begins) {
            (Fault::Cut { whom, off_ms, clock, .. }, _) => self.cut(whom, off_ms, clock),
            (Fault::Unplugged { .. }, true) => self.unplug()?,
            (Fault::Unplugged { .. }, false) => {
                self.line.is_plugged = true;
                self.after(300, Happening::OpenPort { life: self.life });
            }
            (Fault::BrokerAway { .. }, true) => {
                self.broker.is_away = true;
                self.lose_connection()?;
            }
            (Fault::BrokerAway { .. }, false) => self.broker.is_away = false,
            (Fault::SessionLost { .. }, _) => {
                self.broker.lose_session();
                self.lose_connection()?;
            }
            (Fault::DiskFull { .. }, begins) => {
                self.tell(Event::Space { enough: !begins })?;
            }
            (Fault::ClockJump { by_ms, vouched, .. }, _) => {
                self.host.wall_error_ms = self.host.wall_error_ms.saturating_add(by_ms);
                self.judge.clock_lied |= vouched && self.host.synchronised;
                self.host.synchronised &= vouched;
                self.tell(Event::Wake)?;
            }
            (Fault::Terminate { .. }, _) => {
                self.tell(Event::Stop)?;
            }
            (
                Fault::Noise { .. }
                | Fault::MotorWrite { .. }
                | Fault::Board(_)
                | Fault::Receiver { .. }
                | Fault::Cloud { .. }
                | Fault::CommitFails { .. }
                | Fault::DiskSlow { .. },
                _,
            ) => {}
        }
        Ok(())
    }

    /// From now on the world is as it should be.
    fn calm(&mut self) -> Result<(), Broken> {
        self.story.tell(self.now_ms, || "nothing goes wrong any more".to_owned());
        self.is_calm = true;
        self.synchronise();
        self.broker.is_away = false;
        self.line.is_plugged = true;
        let life = self.life;
        self.after(1, Happening::OpenPort { life });
        self.after(1, Happening::Connect { life });
        self.after(LOOK_MS, Happening::Look);
        self.tell(Event::Space { enough: true })?;
        Ok(())
    }

    /// Is all settled? Then the run is over; and if it never is, it fails.
    fn look(&mut self) -> Result<(), Broken> {
        let now = self.now();
        let begun = self.plan.sendings.iter().all(|s| s.at_ms < self.now_ms);
        if let Some(core) = self.core.as_ref().filter(|_| begun) {
            let (open_orders, open_reports) = (core.open_orders().len(), core.status(now).reports_open);
            self.is_over = open_orders == 0 && open_reports == 0 && self.broker.is_empty();
            let latest_ms = self.plan.calm_at_ms.max(self.started_at_ms) + PATIENCE_H * HOUR_MS;
            if !self.is_over && self.now_ms > latest_ms {
                return Err(Broken::WaitsForEver { hours: PATIENCE_H, open_orders, open_reports });
            }
        }
        self.after(LOOK_MS, Happening::Look);
        Ok(())
    }
}

fn closed(why: &str) -> Event {
    Event::LineClosed { why: why.to_owned() }
}

/// When a fault that has its time begins and ends, in ms.
const fn span(fault: &Fault) -> Option<(u64, Option<u64>)> {
    match *fault {
        Fault::Cut { when: When::At(at_ms), .. }
        | Fault::SessionLost { at_ms }
        | Fault::ClockJump { at_ms, .. }
        | Fault::Terminate { at_ms } => Some((at_ms, None)),
        Fault::Unplugged { at_ms, for_ms }
        | Fault::BrokerAway { at_ms, for_ms }
        | Fault::DiskFull { at_ms, for_ms }
        | Fault::Noise { at_ms, for_ms, .. }
        | Fault::Receiver { at_ms, for_ms, .. }
        | Fault::Cloud { at_ms, for_ms, .. }
        | Fault::DiskSlow { at_ms, for_ms, .. } => Some((at_ms, Some(at_ms + for_ms))),
        Fault::Cut { .. } | Fault::MotorWrite { .. } | Fault::Board(_) | Fault::CommitFails { .. } => None,
    }
}
