//! The run itself: an agenda of what will happen, the real core, and what carries its effects out.

mod acts;
mod desk;
mod host;
mod net;
mod sale;
mod trouble;
mod wire;
mod work;

use super::broker::Broker;
use super::disk::Disk;
use super::judge::{Broken, Judge, UnitId};
use super::line::{Command, Line};
use super::outside::{CLOUD_URL, Outside, key_of};
use super::plan::{Beat, BootClock, Fault, PROFILES, Placed, Plan, When};
use super::story::Story;
use crate::board::profile::Profile;
use crate::cloud::sign::SigningKey;
use crate::core::event::{Event, Request, Token};
use crate::core::{CloudSettings, Core, Settings, TelemetrySettings};
use crate::order::instruction::{Act, Permission};
use crate::order::key::{Key, MachineNo};
use crate::order::mark::Mark;
use crate::order::said::Said;
use crate::order::time::{BootId, BootMs, Now, UnixMs};
use crate::sim::board::emulator_for;
use crate::sim::board::fault::Faults;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;
use trouble::span;

/// The true time at the beginning of every run, in Unix ms.
const BEGIN_MS: u64 = 1_714_373_688_000;
/// What the boot clock shows when the agent starts, in ms.
const BOOTED_MS: u64 = 4_000;
/// Somebody fills the slots at this time, in ms: before the first command.
const FILLED_MS: u64 = 10_000;
/// Signs of life come so often, in ms, as in the field: some runs last a month.
const HEARTBEAT_MS: u64 = 300_000;
/// So does the question for the climate after the first of each life, where the board can tell.
const CLIMATE_MS: u64 = 1_800_000;
/// The broker keeps our session this long, in s: a week.
const SESSION_EXPIRY_S: u64 = 604_800;
/// A process that ended is started again after this time, in ms.
const RESTART_MS: u64 = 2_000;
/// How often it is looked whether all is settled, in ms.
const LOOK_MS: u64 = 20_000;
/// All that is open must be settled so long after the last fault, in h: longer than a deadline, a wait for trust and
/// the longest back-off one after another.
const PATIENCE_H: u64 = 4;
const HOUR_MS: u64 = 3_600_000;
/// More wake-ups than this in one millisecond are no progress.
const WAKES_A_MS_MAX: u32 = 50;

/// Read once: reading them anew would be most of a run.
static BOARDS: LazyLock<BTreeMap<&str, Result<Profile, String>>> = LazyLock::new(|| {
    let find = |name: &'static str| (name, Profile::find(name, Path::new(".")).map_err(|e| e.to_string()));
    PROFILES.into_iter().map(find).collect()
});

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
    /// The platform says something about a pickup code.
    SendCode(usize),
    /// Somebody does something at the machine.
    Visit(usize),
    /// A buyer does something.
    Deal(usize),
    /// The platform wants something of the machine.
    Instruct(usize),
    /// Whoever acts on requests looks for one.
    Requested { boot: u8 },
    /// A fault begins, or ends.
    Fault { fault: usize, begins: bool },
    /// A person accepts that the journal is lost.
    Person,
    /// The board has power again.
    BoardLit,
    /// The kernel's clock is synchronised.
    Synchronised { boot: u8 },
    /// Nothing goes wrong any more.
    Calm,
    /// Is all settled?
    Look,
    /// A person fills the slots.
    Fill,
}

/// What the wall clock does.
#[derive(Debug)]
struct Host {
    boot: u8,
    booted_at_ms: u64,
    wall_error_ms: i64,
    synchronised: bool,
    /// Without power until then, in ms.
    dark_until_ms: u64,
    /// A new boot at the next start, with this clock.
    reboots: Option<BootClock>,
    /// The motor marks at the two places where the configuration may have them, and which one it is now.
    marks: [Option<Mark>; 2],
    mark_at: usize,
    /// What the agent wants the machine to do to itself, as long as nobody has taken it.
    request: Option<Act>,
    /// What the machine is doing to itself.
    going: Option<Act>,
    /// Units of which nothing was written when the agent died: the mark knows it.
    unwritten: Vec<UnitId>,
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
    /// What somebody signs with who has not the machine's key.
    strange_key: SigningKey,
    core: Option<Core>,
    life: u32,
    epoch: u64,
    started_at_ms: u64,
    host: Host,
    disk: Disk,
    broker: Broker,
    /// Connections that are gone, and of which nothing arrives any more.
    fallen_silent: BTreeSet<u32>,
    line: Line,
    outside: Outside,
    beats: BTreeMap<Beat, u32>,
    /// The cuts at beats: after which, and which fault.
    cuts_at: Vec<(When, usize)>,
    /// The cuts of the storm that are still to come, the next one last: after how many places, and which fault.
    storm: Vec<(u32, usize)>,
    /// Places since the last of them.
    places: u32,
    commits: u32,
    /// When this journal began, by the run's time in ms.
    journal_began_ms: u64,
    /// A person was called to a damaged journal.
    person_called: bool,
    /// What is redelivered on this connection may be older than the journal (rule 6).
    is_first_connection: bool,
    /// The first life of this journal: what older ones sent is told about another.
    first_life: u32,
    /// The order whose pay code a telephone read last.
    shown_order: Option<u64>,
    is_calm: bool,
    is_over: bool,
    wakes: (u64, u32),
    /// Times that the agent lost its life to a cut.
    pub(super) cuts: usize,
    /// Times that the board alone lost its power.
    pub(super) board_cuts: usize,
}

impl<'p> Stage<'p> {
    pub(super) fn new(plan: &'p Plan, story: Story) -> Result<Stage<'p>, Broken> {
        let broken = |what: &dyn std::fmt::Display| Broken::Setup(what.to_string());
        let Some(Ok(profile)) = BOARDS.get(plan.profile).cloned() else { return Err(broken(&plan.profile)) };
        let machine_no = MachineNo::parse("16327129").map_err(|e| broken(&e))?;
        let key = SigningKey::new("kva").map_err(|e| broken(&e))?;
        let with_key = |order: &Placed| Ok((key_of(order).map_err(|e| broken(&e))?, order.clone()));
        let placed = plan.orders.iter().map(with_key).collect::<Result<_, Broken>>()?;
        let faults = Faults::new(plan.faults.iter().filter_map(|fault| match fault {
            Fault::Board(fault) => Some(*fault),
            _ => None,
        }));
        let account = Outside::account(&key);
        let sale = (!plan.deals.is_empty()).then(|| Outside::sale(account.clone(), machine_no.clone(), plan));
        let mut stage = Stage {
            plan,
            story,
            judge: Judge::default(),
            placed,
            // Another stream than the plan's, so that one fault less changes as little as possible.
            chance: fastrand::Rng::with_seed(!plan.seed),
            now_ms: 0,
            agenda: BTreeMap::new(),
            happenings: 0,
            strange_key: SigningKey::new("avk").map_err(|e| broken(&e))?,
            core: None,
            life: 0,
            epoch: 0,
            started_at_ms: 0,
            host: Host {
                boot: 0,
                booted_at_ms: 0,
                wall_error_ms: 0,
                synchronised: false,
                dark_until_ms: 0,
                reboots: None,
                marks: [None; 2],
                mark_at: 0,
                request: None,
                going: None,
                unwritten: Vec::new(),
            },
            disk: Disk::default(),
            broker: Broker::default(),
            fallen_silent: BTreeSet::new(),
            line: Line::new(emulator_for(&profile, plan.turn_ms, faults)),
            outside: Outside::new(plan, &profile, account.clone(), machine_no.clone()),
            settings: Settings {
                machine_no,
                mqtt_key: key,
                cloud: CloudSettings {
                    url: CLOUD_URL.to_owned(),
                    account: Some(account),
                    verify_orders: plan.verify_orders,
                    refund_failed: plan.refund_failed,
                    sync_results: plan.sync_results,
                    catalogue: true,
                },
                profile,
                lock_slot_after_unknown: plan.lock_slot_after_unknown,
                trust_system_clock: plan.trust_system_clock,
                session_expiry_s: SESSION_EXPIRY_S,
                allow: [Permission::Reboot, Permission::Shutdown, Permission::FactoryReset, Permission::ChannelTest]
                    .into(),
                boot_id: BootId([0; 16]),
                seed: plan.seed,
                notify: Outside::notify(plan.seed),
                payments: None,
                telemetry: TelemetrySettings { heartbeat_ms: HEARTBEAT_MS, climate_ms: Some(CLIMATE_MS) },
                sale,
                limits: plan.limits,
            },
            beats: BTreeMap::new(),
            cuts_at: Vec::new(),
            storm: Vec::new(),
            places: 0,
            commits: 0,
            journal_began_ms: 0,
            person_called: false,
            is_first_connection: false,
            first_life: 0,
            shown_order: None,
            is_calm: false,
            is_over: false,
            wakes: (0, 0),
            cuts: 0,
            board_cuts: 0,
        };
        stage.boot(plan.first_clock);
        stage.at(1, Happening::Start);
        stage.at(FILLED_MS, Happening::Fill);
        for (n, sending) in plan.sendings.iter().enumerate() {
            stage.at(sending.at_ms, Happening::Send(n));
        }
        for (n, sending) in plan.desk.sendings.iter().enumerate() {
            stage.at(sending.at_ms, Happening::SendCode(n));
        }
        for (n, visit) in plan.desk.visits.iter().enumerate() {
            stage.at(visit.at_ms, Happening::Visit(n));
        }
        for (n, dealt) in plan.deals.iter().enumerate() {
            stage.at(dealt.at_ms, Happening::Deal(n));
        }
        for (n, instruction) in plan.instructions.iter().enumerate() {
            stage.at(instruction.at_ms, Happening::Instruct(n));
        }
        for (n, fault) in plan.faults.iter().enumerate() {
            match *fault {
                Fault::Cut { when: When::Later(places), .. } => stage.storm.push((places, n)),
                Fault::Cut { when: when @ (When::Before(..) | When::After(..)), .. } => stage.cuts_at.push((when, n)),
                _ => {}
            }
            if let Some((begins_ms, ends_ms)) = span(fault) {
                stage.at(begins_ms, Happening::Fault { fault: n, begins: true });
                if let Some(ends_ms) = ends_ms {
                    stage.at(ends_ms, Happening::Fault { fault: n, begins: false });
                }
            }
        }
        stage.storm.reverse();
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
        self.outside.hold_against_the_slots(&self.disk.beneath().slots)?;
        self.judge_sales()?;
        self.judge.judge_codes(&self.codes_at_the_end())?;
        let calls = &self.disk.beneath().calls;
        self.outside.hold_against_the_notices(self.judge.acknowledged_keys(), calls, self.first_life > 0)?;
        self.judge.judge(&self.placed, self.plan.refund_failed, &self.outside.refunded(&self.placed))?;
        self.hold_against_the_books()
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
                let is_heard = |stage: &Self| life == stage.life && connection.is_none_or(|id| stage.broker.is_on(id));
                if is_heard(self) {
                    self.beat(Beat::ToCore, true);
                }
                if is_heard(self) {
                    self.tell(event)?;
                    self.beat(Beat::ToCore, false);
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
                self.at_platform(connection, life, token, &payload)?;
            }
            Happening::Acknowledged { connection, id } => {
                self.beat(Beat::Acknowledged, true);
                if self.broker.is_on(connection) {
                    self.broker.acknowledged(id);
                }
                self.beat(Beat::Acknowledged, false);
            }
            Happening::AtReceiver { life, token, request } => self.at_receiver(life, token, &request)?,
            Happening::Send(n) => self.send(n),
            Happening::SendCode(n) => self.send_code(n),
            Happening::Visit(n) => self.visit(n)?,
            Happening::Deal(n) => self.deal(n)?,
            Happening::Instruct(n) => self.instruct(n),
            Happening::Requested { boot } => self.requested(boot)?,
            Happening::Fault { fault, begins } => {
                if !self.is_calm {
                    self.fault(fault, begins)?;
                }
            }
            Happening::Person => self.person()?,
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
            Happening::Fill => self.fill()?,
        }
        Ok(())
    }
}

fn closed(why: &str) -> Event {
    Event::LineClosed { why: Said::word(why) }
}
