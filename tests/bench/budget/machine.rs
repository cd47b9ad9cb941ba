//! One machine without a computer: the core, its driver, an emulated board, and a world that answers at once. Time
//! passes only when it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use vend::board::driver::Written;
use vend::board::driver_for;
use vend::board::profile::Profile;
use vend::cloud::sign::SigningKey;
use vend::core::event::{Effect, Epoch, Event, FailureKind, HttpAnswer, HttpFailure, Tag};
use vend::core::{CloudSettings, Core, Limits, Recovered, Settings, Start, TelemetrySettings, VerifyOrders};
use vend::order::key::{Id, MachineNo};
use vend::order::life::Order;
use vend::order::record::{self, Ledger, Records};
use vend::order::said::Said;
use vend::order::time::{BootId, BootMs, Now, UnixMs};
use vend::sim::board::fault::Faults;
use vend::sim::board::{Emulator, emulator_for};

use super::common::command::{APP_KEY, Command, MACHINE_NO, now_s, put};

/// The merchant that always answers.
const GOOD_URL: &str = "https://merchant.example/notify";
/// The one that never does.
const DEAD_URL: &str = "https://dead.example/notify";

/// What lies in the journal when a life begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stored {
    pub tombstones: usize,
    /// Accepted orders, and no line to drive them on.
    pub pending: usize,
    /// Final orders whose merchant does not answer.
    pub reports: usize,
}

impl Stored {
    /// Everything beside the orders' keys is as the core itself wrote it.
    pub fn records(&self) -> (Ledger, Records) {
        let mut machine = Machine::new(None, Records::default(), true);
        machine.deliver(&put("1", "1").notify(GOOD_URL));
        machine.pass_ms(40_000);
        let tombstone = machine.order("1");
        machine.deliver(&put("2", "1").notify(DEAD_URL));
        machine.pass_ms(20_000);
        let report = machine.order("2");
        let mut cut_off = Machine::new(Some(machine.ledger()), Records::default(), false);
        cut_off.deliver(&put("3", "1").notify(GOOD_URL));
        let pending = cut_off.order("3");
        assert!(tombstone.shrunk && report.is_final() && !report.shrunk && !pending.is_final(), "templates");
        let mut ledger = cut_off.ledger();
        let mut records = Records::default();
        for (template, count, range) in
            [(tombstone, self.tombstones, 'a'), (report, self.reports, 'b'), (pending, self.pending, 'c')]
        {
            for n in 0..count {
                ledger.arrivals += 1;
                let mut order = template.clone();
                order.key.order_id = Id::parse(&format!("{range}{n:07}")).unwrap();
                order.arrival_number = ledger.arrivals;
                records.orders.push(order);
            }
        }
        (ledger, records)
    }

    pub fn machine(&self) -> Machine {
        let (ledger, records) = self.records();
        Machine::new(Some(ledger), records, self.pending == 0)
    }
}

pub struct Machine {
    pub now: Now,
    pub core: Core,
    board: Box<dyn Emulator>,
    has_line: bool,
    journal: BTreeMap<Vec<u8>, Vec<u8>>,
    ledger: Vec<u8>,
    messages: u64,
    pub reports_taken: u64,
}

pub fn settings() -> Settings {
    Settings {
        machine_no: MachineNo::parse(MACHINE_NO).unwrap(),
        mqtt_key: SigningKey::new(APP_KEY).unwrap(),
        cloud: CloudSettings {
            url: String::new(),
            account: None,
            verify_orders: VerifyOrders::Never,
            refund_failed: true,
            sync_results: false,
            catalogue: false,
        },
        profile: profile("tcn-00ff"),
        lock_slot_after_unknown: false,
        trust_system_clock: false,
        session_expiry_s: 604_800,
        sale: None,
        notify: None,
        payments: None,
        allow: Default::default(),
        boot_id: BootId([1; 16]),
        seed: 7,
        telemetry: TelemetrySettings { heartbeat_ms: 300_000, climate_ms: None },
        limits: Limits { messages_burst: u64::MAX, ..Limits::default() },
    }
}

fn answer(is_taken: bool) -> Result<HttpAnswer, HttpFailure> {
    if !is_taken {
        return Err(HttpFailure { kind: FailureKind::NoAnswer, why: Said::word("nobody is there") });
    }
    Ok(HttpAnswer { status: 204, date: None, retry_after_s: None, session: None, body: Vec::new() })
}

pub fn profile(name: &str) -> Profile {
    Profile::find(name, Path::new(".")).unwrap()
}

impl Machine {
    pub fn new(ledger: Option<Ledger>, records: Records, has_line: bool) -> Machine {
        let settings = settings();
        let now = Now { boot: BootMs(3_600_000), wall: UnixMs::from_seconds(now_s()), synchronised: true };
        let board = emulator_for(&settings.profile, 100, Faults::default());
        let start = Start { driver: driver_for(&settings.profile), settings, mark: None };
        let core = Core::new(start, Recovered::Journal { ledger: ledger.map(Box::new), stock: records.into() }, now);
        let (journal, ledger) = (BTreeMap::new(), Vec::new());
        let mut machine = Machine { now, core, board, has_line, journal, ledger, messages: 0, reports_taken: 0 };
        machine.step(Event::Wake);
        // The birth barrier: what was issued before the journal was born is never driven.
        machine.pass_ms(2_000);
        machine.step(Event::Connected { epoch: Epoch(1), session_present: false });
        if has_line {
            machine.step(Event::LineOpened);
            machine.pass_ms(30_000);
        }
        machine
    }

    pub fn order(&self, order_id: &str) -> Order {
        let key = [order_id.as_bytes(), b"\x001"].concat();
        record::decode_order(&key, &self.journal[&key]).unwrap()
    }

    pub fn ledger(&self) -> Ledger {
        record::decode_ledger(&self.ledger).unwrap()
    }

    /// A command, issued now.
    pub fn deliver(&mut self, command: &Command) {
        let command = command.clone().with("timestamp", &self.now.wall.seconds().to_string());
        self.deliver_payload(command.payload());
    }

    pub fn deliver_payload(&mut self, payload: Vec<u8>) {
        self.messages += 1;
        let tag = Tag { epoch: Epoch(1), number: self.messages };
        self.step(Event::Message { tag, payload: payload.into(), redelivered: false });
    }

    /// One event, and all that follows from it at once.
    pub fn step(&mut self, event: Event) {
        let mut todo = VecDeque::from([event]);
        let mut effects = Vec::new();
        while let Some(event) = todo.pop_front() {
            self.core.step(self.now, event, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Commit { id, batch, line_waits: _ } => {
                        for key in batch.removes {
                            self.journal.remove(&key);
                        }
                        self.journal.extend(batch.puts);
                        self.ledger = batch.ledger;
                        todo.push_back(Event::Committed(id));
                    }
                    Effect::Publish { token, .. } => todo.push_back(Event::Published(token)),
                    Effect::Http { token, request } => {
                        let is_taken = !request.url.starts_with(DEAD_URL);
                        self.reports_taken += u64::from(is_taken);
                        todo.push_back(Event::Answered { token, answer: answer(is_taken) });
                    }
                    Effect::LineWrite { write, intent } => {
                        self.board.received(self.now.boot, &write.bytes);
                        todo.extend(intent.map(|_| Event::MotorWritten(Written::All)));
                        let said = std::iter::from_fn(|| self.board.next_output());
                        todo.extend(said.map(|bytes| Event::LineBytes { read_at: self.now.boot, bytes }));
                    }
                    _ => {}
                }
            }
        }
    }

    fn hear(&mut self) {
        while self.has_line
            && let Some(bytes) = self.board.next_output()
        {
            self.step(Event::LineBytes { read_at: self.now.boot, bytes });
        }
    }

    /// Time passes, and everything that falls due in it happens.
    pub fn pass_ms(&mut self, ms: u64) {
        let end = self.now.boot.plus_ms(ms);
        loop {
            let board = self.board.deadline().filter(|_| self.has_line);
            let Some(at) = self.core.deadline().into_iter().chain(board).min().filter(|at| *at <= end) else { break };
            self.set(at.max(self.now.boot));
            if board.is_some_and(|at| at <= self.now.boot) {
                self.board.wake(self.now.boot);
                self.hear();
            }
            if self.core.deadline().is_some_and(|at| at <= self.now.boot) {
                self.step(Event::Wake);
            }
        }
        self.set(end);
    }

    fn set(&mut self, at: BootMs) {
        self.now.wall = UnixMs(self.now.wall.0 + at.since_ms(self.now.boot));
        self.now.boot = at;
    }

    /// An order from its message to its tombstone.
    pub fn vend(&mut self) {
        let before = self.reports_taken;
        self.deliver(&self.next_put().notify(GOOD_URL));
        self.pass_ms(500);
        assert_eq!(self.reports_taken, before + 1, "the vend's report was taken");
    }

    /// A command under a key of its own.
    pub fn next_put(&self) -> Command {
        put(&format!("n{}", self.messages), "1").notify(GOOD_URL)
    }
}
