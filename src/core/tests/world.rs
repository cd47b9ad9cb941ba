//! A world for one core: a scripted driver, a model journal, lists of what was said.

use crate::board::driver::{Driver, Finding, LineState, MotorCommand, Output, Reference, Tally, Write, Written};
use crate::board::profile::Profile;
use crate::board::service::Service;
use crate::cloud::envelope;
use crate::cloud::open_platform::{Account, AppSecret};
use crate::cloud::sign::SigningKey;
use crate::core::event::{
    Effect, Ending, Epoch, Event, FailureKind, HttpAnswer, HttpFailure, Note, Request, Tag, Token,
};
use crate::core::{
    CloudSettings, Core, Limits, OrderLine, Recovered, Reply, Settings, Start, Stock, TelemetrySettings, VerifyOrders,
};
use crate::order::host::Host;
use crate::order::key::MachineNo;
use crate::order::mark::Mark;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::record::{self, OnlySeen};
use crate::order::said::Said;
use crate::order::time::{BootId, BootMs, Now, UnixMs};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};

pub(super) const T0_S: u64 = 1_714_373_688;
pub(super) const DISPENSED: Evidence = Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen };
pub(super) const OPEN: Evidence = Evidence { motor: Motor::Open, drop_sensor: DropSensor::NotSeen };

/// What the scripted driver was told, and what it is to say.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) state: LineState,
    pub(super) driven: Vec<MotorCommand>,
    pub(super) resumed: Vec<(MotorCommand, Reference)>,
    pub(super) released: usize,
    pub(super) given_up: usize,
    pub(super) opened: usize,
    pub(super) closed: usize,
    /// The board can tell how warm it is.
    pub(super) has_climate: bool,
    /// It puts a frame on the line when it is driven.
    pub(super) writes: bool,
    /// The board asks, and waits for an answer.
    pub(super) polls: bool,
    outputs: VecDeque<Output>,
}

struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }
}

impl Driver for Scripted {
    fn opened(&mut self, _: BootMs) {
        self.script().opened += 1;
    }
    fn closed(&mut self, _: BootMs) {
        self.script().closed += 1;
    }
    fn received(&mut self, _: BootMs, _: BootMs, _: &[u8]) {}
    fn wake(&mut self, _: BootMs) {}
    fn deadline(&self) -> Option<BootMs> {
        None
    }
    fn state(&self) -> LineState {
        self.script().state
    }
    fn is_silent(&self) -> bool {
        !self.script().polls && self.script().state != LineState::Busy
    }
    fn reference(&self, _: &MotorCommand) -> Reference {
        Reference(vec![self.script().driven.len().try_into().unwrap()])
    }
    fn drive(&mut self, _: BootMs, command: &MotorCommand, _: &Reference) {
        let mut script = self.script();
        assert_eq!(script.state, LineState::Idle, "driven while not idle");
        script.driven.push(*command);
        script.state = LineState::Busy;
        if script.writes {
            script.outputs.push_back(Output::Write(Write { bytes: vec![1], motor: true, not_after: None }));
        }
    }
    fn resume(&mut self, _: BootMs, command: &MotorCommand, reference: &Reference) {
        self.script().resumed.push((*command, reference.clone()));
    }
    fn motor_written(&mut self, _: BootMs, _: Written) {}
    fn serves(&self, service: &Service) -> bool {
        match service {
            Service::Door { .. } | Service::Switch { .. } => true,
            Service::Climate { .. } => self.script().has_climate,
            _ => false,
        }
    }
    fn serve(&mut self, _: BootMs, _: &Service) {
        self.script().state = LineState::Busy;
    }
    fn tally(&self) -> Tally {
        Tally::default()
    }
    fn give_up(&mut self, _: BootMs) {
        self.script().given_up += 1;
    }
    fn release(&mut self, _: BootMs) {
        let mut script = self.script();
        script.released += 1;
        script.state = LineState::Idle;
    }
    fn next_output(&mut self) -> Option<Output> {
        self.script().outputs.pop_front()
    }
}

pub(super) struct World {
    pub(super) now: Now,
    pub(super) core: Core,
    pub(super) settings: Settings,
    pub(super) script: Arc<Mutex<Script>>,
    /// What is durable.
    pub(super) disk: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) ledger: Option<Vec<u8>>,
    /// The commit under way.
    pub(super) pending: Option<u64>,
    batch: crate::core::event::Batch,
    /// The last commit was made while somebody on the line may wait.
    pub(super) line_waits: bool,
    /// Commits succeed at once.
    pub(super) disk_is_quick: bool,
    /// The broker acknowledges publishes at once.
    pub(super) broker_is_quick: bool,
    pub(super) commits: usize,
    pub(super) acks: Vec<Tag>,
    pub(super) said: Vec<BTreeMap<String, String>>,
    pub(super) published: Vec<Token>,
    pub(super) requests: VecDeque<(Token, Request)>,
    pub(super) ended: Option<Ending>,
    /// Everything that left, in order, in one word each.
    pub(super) story: Vec<String>,
    epoch: u64,
    messages: u64,
    /// The motor mark, where there is one.
    pub(super) mark: Option<Mark>,
    /// What whoever stands there was told.
    pub(super) replies: Vec<Reply>,
    /// What was to be logged, and when.
    pub(super) notes: Vec<(BootMs, Note)>,
    /// What the system says of the controller.
    pub(super) host: Option<Host>,
}

pub(super) fn settings() -> Settings {
    let key = SigningKey::new("kva").unwrap();
    Settings {
        machine_no: MachineNo::parse("16327129").unwrap(),
        mqtt_key: key.clone(),
        cloud: CloudSettings {
            url: "https://cloud.example".to_owned(),
            account: Some(Account {
                app_id: "ds069ed4223ac1660f".to_owned(),
                app_secret: AppSecret::new("secret"),
                app_key: key,
            }),
            verify_orders: VerifyOrders::Never,
            refund_failed: false,
            sync_results: false,
            catalogue: false,
        },
        profile: Profile::find("tcn-00ff", Path::new(".")).unwrap(),
        lock_slot_after_unknown: false,
        trust_system_clock: false,
        session_expiry_s: 604_800,
        allow: BTreeSet::new(),
        boot_id: BootId([1; 16]),
        seed: 7,
        notify: None,
        payments: None,
        telemetry: TelemetrySettings { heartbeat_ms: 300_000, climate_ms: None },
        sale: None,
        // Tests that bring thousands at once are about other limits.
        limits: Limits { messages_burst: u64::MAX, ..Limits::default() },
    }
}

fn script() -> Arc<Mutex<Script>> {
    Arc::new(Mutex::new(Script {
        state: LineState::Idle,
        driven: Vec::new(),
        resumed: Vec::new(),
        released: 0,
        given_up: 0,
        opened: 0,
        closed: 0,
        has_climate: false,
        writes: false,
        polls: false,
        outputs: VecDeque::new(),
    }))
}

impl World {
    pub(super) fn new() -> World {
        World::with(settings())
    }

    /// A world whose journal was born an hour before `T0_S`.
    pub(super) fn with(settings: Settings) -> World {
        let birth = Now { boot: BootMs(1_000), wall: UnixMs::from_seconds(T0_S - 3_600), synchronised: true };
        let mut world = World::unborn(settings, birth);
        world.pass_s(3_600);
        world
    }

    pub(super) fn unborn(settings: Settings, now: Now) -> World {
        let script = script();
        let recovered = Recovered::Journal { ledger: None, stock: Stock::default() };
        let start = Start { settings: settings.clone(), driver: Box::new(Scripted(script.clone())), mark: None };
        let mut world = World {
            now,
            core: Core::new(start, recovered, now),
            settings,
            script,
            disk: BTreeMap::new(),
            ledger: None,
            pending: None,
            line_waits: true,
            batch: crate::core::event::Batch::default(),
            disk_is_quick: true,
            broker_is_quick: true,
            commits: 0,
            acks: Vec::new(),
            said: Vec::new(),
            published: Vec::new(),
            requests: VecDeque::new(),
            ended: None,
            story: Vec::new(),
            epoch: 0,
            messages: 0,
            mark: None,
            replies: Vec::new(),
            notes: Vec::new(),
            host: None,
        };
        world.begin(false);
        world
    }

    /// The process starts anew with what is durable.
    pub(super) fn restart(&mut self) {
        self.restart_with_session(true);
    }

    pub(super) fn restart_with_session(&mut self, session_present: bool) {
        let recovered = match &self.ledger {
            None => Recovered::Journal { ledger: None, stock: Stock::default() },
            Some(bytes) => Recovered::Journal {
                ledger: Some(Box::new(record::decode_ledger(bytes).unwrap())),
                stock: Stock::read(self.disk.clone(), OnlySeen::All).unwrap(),
            },
        };
        self.live_again(recovered, session_present);
    }

    pub(super) fn live_again(&mut self, recovered: Recovered, session_present: bool) {
        self.script = script();
        let start =
            Start { settings: self.settings.clone(), driver: Box::new(Scripted(self.script.clone())), mark: self.mark };
        self.core = Core::new(start, recovered, self.now);
        self.pending = None;
        self.requests.clear();
        self.begin(session_present);
    }

    /// The machine loses its power and starts again: another boot, whose clock begins at zero.
    pub(super) fn reboot(&mut self, wall_s: u64, synchronised: bool) {
        self.settings.boot_id.0[0] += 1;
        self.now = Now { boot: BootMs(5_000), wall: UnixMs::from_seconds(wall_s), synchronised };
        self.restart();
    }

    fn begin(&mut self, session_present: bool) {
        self.step(Event::LineOpened);
        self.connect(session_present);
    }

    pub(super) fn connect(&mut self, session_present: bool) {
        self.epoch += 1;
        self.step(Event::Connected { epoch: Epoch(self.epoch), session_present });
    }

    pub(super) fn step(&mut self, event: Event) {
        let mut todo = VecDeque::from([event]);
        while let Some(event) = todo.pop_front() {
            let mut effects = Vec::new();
            self.core.step(self.now, event, &mut effects);
            for effect in effects {
                self.carry_out(effect, &mut todo);
            }
            let driven = self.script.lock().unwrap().driven.len();
            let told = self.story.iter().filter(|s| *s == "drive").count();
            for _ in told..driven {
                self.story.push("drive".to_owned());
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, todo: &mut VecDeque<Event>) {
        match effect {
            Effect::Commit { id, batch, line_waits } => {
                assert_eq!(self.pending, None, "two commits at once");
                self.line_waits = line_waits;
                self.pending = Some(id);
                self.batch = batch;
                self.story.push("commit".to_owned());
                if self.disk_is_quick {
                    todo.push_back(self.sync());
                }
            }
            Effect::Ack(tag) => {
                self.story.push("ack".to_owned());
                self.acks.push(tag);
            }
            Effect::Publish { token, payload } => {
                let fields = envelope::open(&payload).unwrap();
                envelope::verify(&fields, &self.settings.mqtt_key).unwrap();
                let fields: BTreeMap<String, String> =
                    fields.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
                self.story.push(format!("say {}", fields["method"]));
                self.said.push(fields);
                self.published.push(token);
                if self.broker_is_quick {
                    todo.push_back(Event::Published(token));
                }
            }
            Effect::Http { token, request } => {
                self.story.push(format!("{} {}", request.method, request.url));
                self.requests.push_back((token, request));
            }
            // Without a host to look at, nothing is heard of the machine: most tests are about orders.
            Effect::LookAtHost => todo.extend(self.host.clone().map(Event::Host)),
            Effect::Served { result, .. } => self.story.push(format!("served {result:?}")),
            Effect::Reply { reply, .. } => {
                self.story.push("reply".to_owned());
                self.replies.push(reply);
            }
            Effect::Mark(written) => {
                if let Some(mark) = &mut self.mark {
                    mark.written = mark.written.max(written);
                }
            }
            Effect::LineWrite { .. } => self.story.push("write".to_owned()),
            Effect::RenewBrokerTls => self.story.push("renew".to_owned()),
            Effect::Machine(request) => self.story.push(format!("machine {request:?}")),
            Effect::Note(note) => self.notes.push((self.now.boot, note)),
            Effect::End(ending) => self.ended = Some(ending),
        }
    }

    /// The disk takes the batch under way; nobody has heard of it yet.
    pub(super) fn sync(&mut self) -> Event {
        let id = self.pending.take().unwrap();
        let batch = std::mem::take(&mut self.batch);
        for key in batch.removes {
            self.disk.remove(&key);
        }
        for (key, value) in batch.puts {
            assert!(value.len() < 4_096, "rule 2: a record of {} bytes", value.len());
            self.disk.insert(key, value);
        }
        self.ledger = Some(batch.ledger);
        self.commits += 1;
        Event::Committed(id)
    }

    /// The commit under way becomes durable.
    pub(super) fn commit(&mut self) {
        let event = self.sync();
        self.step(event);
    }

    pub(super) fn pass_ms(&mut self, ms: u64) {
        let end = self.now.boot.plus_ms(ms);
        let wall_end = UnixMs(self.now.wall.0 + ms);
        while let Some(at) = self.core.deadline().filter(|&at| at <= end && self.ended.is_none()) {
            let at = at.max(self.now.boot);
            self.now.wall = UnixMs(self.now.wall.0 + at.since_ms(self.now.boot));
            let before = (self.now.boot, self.core.deadline());
            self.now.boot = at;
            self.step(Event::Wake);
            assert!(before != (self.now.boot, self.core.deadline()), "the core spins at {at:?}");
        }
        self.now.boot = end;
        self.now.wall = wall_end;
        self.step(Event::Wake);
    }

    pub(super) fn pass_s(&mut self, s: u64) {
        self.pass_ms(s * 1_000);
    }

    /// The platform's second now.
    pub(super) fn now_s(&self) -> u64 {
        self.now.wall.seconds()
    }

    /// A signed command for this machine, issued now.
    pub(super) fn put(&self, order_id: &str, record_id: &str) -> Put {
        Put::new(order_id, record_id, self.now_s())
    }

    pub(super) fn deliver(&mut self, put: &Put) -> Tag {
        self.deliver_raw(&put.payload(&self.settings.mqtt_key), false)
    }

    pub(super) fn redeliver(&mut self, put: &Put) -> Tag {
        self.deliver_raw(&put.payload(&self.settings.mqtt_key), true)
    }

    pub(super) fn deliver_raw(&mut self, payload: &[u8], redelivered: bool) -> Tag {
        self.messages += 1;
        let tag = Tag { epoch: Epoch(self.epoch), number: self.messages };
        self.step(Event::Message { tag, payload: payload.to_vec().into(), redelivered });
        tag
    }

    /// The driver says something as soon as it is asked.
    pub(super) fn driver_has(&mut self, finding: Finding) {
        self.script.lock().unwrap().outputs.push_back(Output::Finding(finding));
    }

    /// The board says something.
    pub(super) fn board_says(&mut self, finding: Finding) {
        self.driver_has(finding);
        self.step(Event::LineBytes { read_at: self.now.boot, bytes: Vec::new() });
    }

    /// The board ends the running command; it holds the result until it is released.
    pub(super) fn board_ends(&mut self, evidence: Evidence) {
        self.script.lock().unwrap().state = LineState::Held;
        self.board_says(Finding::Outcome(evidence));
    }

    pub(super) fn line_is(&mut self, state: LineState) {
        self.script.lock().unwrap().state = state;
        self.step(Event::Wake);
    }

    pub(super) fn driven(&self) -> usize {
        self.script.lock().unwrap().driven.len()
    }

    pub(super) fn answer(&mut self, status: u16, body: &str) -> Request {
        let (token, request) = self.requests.pop_front().expect("a request is under way");
        let answer =
            HttpAnswer { status, date: None, retry_after_s: None, session: None, body: body.as_bytes().to_vec() };
        self.step(Event::Answered { token, answer: Ok(answer) });
        request
    }

    pub(super) fn answer_with_date(&mut self, status: u16, date_s: u64, body: &str) {
        let (token, _) = self.requests.pop_front().expect("a request is under way");
        let date = Some(UnixMs::from_seconds(date_s));
        let answer = HttpAnswer { status, date, retry_after_s: None, session: None, body: body.as_bytes().to_vec() };
        self.step(Event::Answered { token, answer: Ok(answer) });
    }

    pub(super) fn no_answer(&mut self) {
        let (token, _) = self.requests.pop_front().expect("a request is under way");
        let failure = HttpFailure { kind: FailureKind::NoAnswer, why: Said::word("connection refused") };
        self.step(Event::Answered { token, answer: Err(failure) });
    }

    /// The last message of a method.
    pub(super) fn last_said(&self, method: &str) -> &BTreeMap<String, String> {
        self.said.iter().rev().find(|f| f["method"] == method).expect("it was said")
    }

    pub(super) fn count_said(&self, method: &str) -> usize {
        self.said.iter().filter(|f| f["method"] == method).count()
    }

    pub(super) fn received_states(&self) -> Vec<String> {
        let received = self.said.iter().filter(|f| f["method"] == "device.delivery.received");
        received
            .map(|f| match f.get("reason") {
                Some(reason) => format!("{} {reason}", f["state"]),
                None => f["state"].clone(),
            })
            .collect()
    }

    /// What the journal holds of an order, as the dump would show it.
    pub(super) fn on_disk(&self, order_id: &str, record_id: &str) -> Option<OrderLine> {
        let key = [order_id.as_bytes(), &[0], record_id.as_bytes()].concat();
        self.disk.get(&key).map(|bytes| OrderLine::of(&record::decode_order(&key, bytes).unwrap()))
    }

    pub(super) fn outcome_on_disk(&self, order_id: &str, record_id: &str) -> Vec<String> {
        let line = self.on_disk(order_id, record_id).expect("the order is on the disk");
        line.units.into_iter().map(|u| u.outcome.unwrap_or(u.state)).collect()
    }

    /// Where in the story something first happened.
    pub(super) fn at(&self, what: &str) -> usize {
        self.story.iter().position(|s| s == what).unwrap_or_else(|| panic!("{what} is not in {:?}", self.story))
    }
}

#[derive(Clone)]
pub(super) struct Put(BTreeMap<&'static str, String>);

impl Put {
    pub(super) fn new(order_id: &str, record_id: &str, timestamp_s: u64) -> Put {
        let fields = [
            ("method", "device.delivery.put"),
            ("client_id", "16327129"),
            ("order_id", order_id),
            ("record_id", record_id),
            ("code", "5"),
            ("timestamp", &timestamp_s.to_string()),
        ];
        Put(fields.into_iter().map(|(k, v)| (k, v.to_owned())).collect())
    }

    pub(super) fn with(mut self, field: &'static str, value: &str) -> Put {
        self.0.insert(field, value.to_owned());
        self
    }

    pub(super) fn payload(&self, key: &SigningKey) -> Vec<u8> {
        envelope::seal(self.0.iter().map(|(k, v)| (*k, v.as_str().into())), key)
    }
}
