//! The wiring: every task, every channel and its bound, in reading order. Nothing is decided here.
//!
//! ```text
//!   io/broker ──► core ──► io/journal (its own thread: it waits for the disk; and a hand here, while that is quick)
//!       ▲          │ ▲
//!       └──────────┤ └───── io/line ◄─► the board
//!                  ├──────► io/http  ──► merchants, the cloud
//!                  └──────► io/control ◄ vend status, vend board ask; io/web ◄ the pages
//! ```
//!
//! The core runs in this task alone. It takes one event at a time and waits for nothing, so that a board that polls is
//! answered while the disk syncs. Where the line is silent and the disk quick, it waits for a commit (order-life, rule 22).

mod clients;
mod clouds;
mod loud;
mod mirror;
pub(crate) mod notes;
mod requests;
mod session;
mod settings;
mod start_error;

use clients::Clients;
pub(crate) use clients::{cloud_client, http_request, tls_files};
pub(crate) use session::broker_config;
pub(crate) use settings::account;
pub use start_error::StartError;

use crate::board;
use crate::board::service::{Reading, ServiceError};
use crate::cloud::sign::SigningKey;
use crate::config::credentials::{Credentials, Secret};
use crate::config::{self, Config, MqttSigning};
use crate::control::{
    Answer, Ask, Asked, Audit, Codes, CurrentSale, LastTest, Orders, Refusal, Sales, Slots, Testing, Told, Versioned,
};
use crate::core::event::{Effect, Ending, Epoch, Event, Level, MachineRequest, MachineTold, Note, Token};
use crate::core::{
    CloudSettings, Core, DecisionError, Limits, Recovered, Reply, Settings, Start, Stock, TelemetrySettings,
    VerifyOrders,
};
use crate::io::broker::{self, BrokerFault, FromBroker, ToBroker};
use crate::io::clock::{self, Alarm, Clock};
use crate::io::control;
use crate::io::host::HostFiles;
use crate::io::http::authorities::Authorities;
use crate::io::journal::{self, JournalEvent, Opened, Store};
use crate::io::line::{self, FromLine, LineConfig, ToLine};
use crate::io::log::LogControl;
use crate::io::machine;
use crate::io::mark::MotorMark;
use crate::io::systemd::Notifier;
use crate::io::web::{self, Findings};
use crate::order::instruction::Kind;
use crate::order::mark::Mark;
use crate::order::record::{self, Birth, RecordError};
use crate::order::said::{InChinese, Said};
use crate::order::time::{BootId, BootMs, Now};
use crate::web::access::Access;
use loud::Loud;
use mirror::Mirror;
use notes::NoteLog;
use requests::Requests;
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::future::ready;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, LocalSet};

/// One commit is under way at a time; the second place keeps the sender from ever waiting.
const BATCHES_MAX: usize = 2;
/// Answers of the journal: one a commit, and what it says about space.
const JOURNAL_EVENTS_MAX: usize = 8;
/// Acknowledgements and publishes handed to the broker task at once. What is more waits in [`Hands::for_broker`],
/// which the core's windows bound: 64 publishes, and an acknowledgement for each message that the broker task keeps
/// track of (1,024). A lost acknowledgement would close the broker's own window for good.
const TO_BROKER_MAX: usize = 64;
/// Messages from the broker: more wait in the broker itself, which holds back what is not acknowledged.
const FROM_BROKER_MAX: usize = 64;
/// Frames to the line: drivers send one and wait for its answer; the rest is room for acknowledgements.
const TO_LINE_MAX: usize = 64;
/// Bytes from the line: see `io::line`, which keeps as many.
const FROM_LINE_MAX: usize = 64;
/// Questions of technicians under way.
const CONTROL_MAX: usize = 8;
/// News about certificates: one a handshake and one a renewal; what finds no room is said again.
const CERTIFICATE_NEWS_MAX: usize = 16;
/// A failed start pauses before it ends, so that `Restart=always` does not become a hot loop on a full disk.
const FAILED_START_PAUSE: Duration = Duration::from_secs(2);
/// How long the broker task and the journal may take to end after the core has.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How a life of the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop.
    Stopped,
    /// The journal failed or a task died: the next life begins with what is durable.
    Failed,
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// [`StartError`] when it cannot start: the state directory in use, a certificate that does not read.
pub fn run(
    config: Config,
    credentials: Credentials,
    doctor: Rc<Findings>,
    log: LogControl,
) -> Result<Ended, StartError> {
    let settings = settings(&config, &credentials)?;
    let journal = match journal::Store::open(&config.state_directory) {
        Ok(opened) => opened,
        Err(error @ journal::OpenError::InUse { .. }) => return Err(error.into()),
        Err(error) => {
            std::thread::sleep(FAILED_START_PAUSE);
            return Err(error.into());
        }
    };
    let (recovered, store) = recovered(journal, &settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // A task like the others: what the set itself waits for is looked at whenever anything happens.
    let tasks = LocalSet::new();
    let serving = tasks.spawn_local(serve(config, credentials, settings, recovered, store, (doctor, log)));
    let ended = tasks.block_on(&runtime, serving).unwrap_or_else(|died| match died.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Ok(Ended::Failed),
    });
    drop(tasks);
    // Dropped, the runtime would wait for the journal's thread, for ever if the disk hangs.
    runtime.shutdown_background();
    ended
}

/// The key of messages over MQTT.
///
/// # Errors
/// When it is empty, which neither configuration nor credentials allow.
pub(crate) fn mqtt_key(config: &Config, credentials: &Credentials) -> Result<SigningKey, StartError> {
    match &config.mqtt_signing {
        MqttSigning::AppKey => app_key_of(credentials.app_key.as_ref()),
        MqttSigning::AppId(app_id) => SigningKey::new(app_id)
            .map_err(|_| StartError::configuration("[cloud] app_id is empty", "[cloud] app_id 为空")),
    }
}

fn app_key_of(secret: Option<&Secret>) -> Result<SigningKey, StartError> {
    let text = secret.map(Secret::reveal).unwrap_or_default();
    SigningKey::new(text)
        .map_err(|_| StartError::configuration("the signing key app_key is empty", "签名密钥 app_key 为空"))
}

/// What the core must know.
fn settings(config: &Config, credentials: &Credentials) -> Result<Settings, StartError> {
    let account = settings::account(config, credentials)?;
    let cloud = config.cloud.as_ref();
    Ok(Settings {
        machine_no: config.machine_no.clone(),
        mqtt_key: mqtt_key(config, credentials)?,
        cloud: CloudSettings {
            url: cloud.map(|c| c.endpoint.to_string()).unwrap_or_default(),
            account,
            verify_orders: match cloud.map(|c| c.verify_orders) {
                Some(config::file::VerifyOrders::Always) => VerifyOrders::Always,
                Some(config::file::VerifyOrders::Late) => VerifyOrders::Late,
                Some(config::file::VerifyOrders::Never) | None => VerifyOrders::Never,
            },
            refund_failed: cloud.is_some_and(|c| c.refund_failed),
            sync_results: cloud.is_some_and(|c| c.sync == config::file::Sync::Results),
            catalogue: cloud.is_some_and(|c| c.catalogue),
        },
        profile: config.board.profile.clone(),
        lock_slot_after_unknown: config.board.lock_slot_after_unknown,
        trust_system_clock: config.time_trust == config::file::TimeTrust::System,
        session_expiry_s: config.broker.session_expiry_s.into(),
        allow: config.remote_allow.clone(),
        boot_id: clock::boot_id()?,
        seed: fastrand::u64(..),
        notify: clouds::notify(config, credentials)?,
        payments: clouds::payments(config, credentials)?,
        telemetry: TelemetrySettings {
            heartbeat_ms: config.telemetry.heartbeat_s.saturating_mul(1_000),
            climate_ms: config.telemetry.climate_s.map(|s| s.saturating_mul(1_000)),
        },
        sale: config.sale.as_ref().map(|sale| settings::sale(config, credentials, sale)).transpose()?,
        limits: Limits::default(),
    })
}

/// What the journal held, in the core's words. A record that does not read is damage that the store could not see.
fn recovered(opened: Opened, settings: &Settings) -> Result<(Recovered, Option<Store>), StartError> {
    let (store, records, only_seen, meta, moved) = match opened {
        Opened::Quarantined { lock, damage } => {
            // The lock lives as long as the process: nobody else may touch the damaged journal meanwhile.
            std::mem::forget(lock);
            return Ok((Recovered::Quarantine { why: damage.said() }, None));
        }
        Opened::Sound { store, records, only_seen, meta, fresh: _, moved } => (store, records, only_seen, meta, moved),
    };
    let ledger = meta.as_deref().map(record::decode_ledger).transpose();
    let held = !records.is_empty();
    // Every commit writes the ledger anew, so that its format is the newest that ever wrote here.
    if let Some(found) = ledger.as_ref().err().and_then(RecordError::newer) {
        return Err(journal::OpenError::Newer { found, known: record::FORMAT }.into());
    }
    match (ledger, Stock::read(records, only_seen)) {
        (Ok(Some(ledger)), Ok(_)) if ledger.machine_no != settings.machine_no => {
            let (theirs, ours) = (&ledger.machine_no, &settings.machine_no);
            Err(StartError::configuration(
                format!(
                    "the state directory belongs to machine {theirs}, the configuration names {ours}: use another \
                     [state] directory"
                ),
                format!("状态目录属于机器 {theirs}，而配置为 {ours}：请另设 [state] directory"),
            ))
        }
        (Ok(None), Ok(_)) if held => {
            let why = Said::new("the journal has records and no ledger", "日志有记录而没有总账");
            Ok((quarantined(store, why), None))
        }
        (Ok(mut ledger), Ok(stock)) => {
            if let Some(ledger) = ledger.as_mut().filter(|_| moved) {
                ledger.birth = Birth::Untimed { boot_id: settings.boot_id, boot: clock::boot_now() };
            }
            Ok((Recovered::Journal { ledger: ledger.map(Box::new), stock }, Some(store)))
        }
        (Err(error), _) | (_, Err(error)) => Ok((quarantined(store, error.said()), None)),
    }
}

/// A journal whose bytes are whole and whose records mean nothing.
fn quarantined(store: Store, why: Said) -> Recovered {
    if let Err(error) = store.quarantine(&why) {
        tracing::error!(what = "quarantine", "cannot be written down, so only this start knows it: {error}");
    }
    // Kept open, and so locked, for the life of the process.
    std::mem::forget(store);
    Recovered::Quarantine { why }
}

async fn serve(
    config: Config,
    credentials: Credentials,
    settings: Settings,
    recovered: Recovered,
    store: Option<Store>,
    (doctor, log): (Rc<Findings>, LogControl),
) -> Result<Ended, StartError> {
    let mut clock = Clock::new();
    let mut alarm = Alarm::new()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    // The journal: its own thread, and a hand here for commits that are done in a moment.
    let (to_journal, batches) = mpsc::channel(BATCHES_MAX);
    let (committed, mut from_journal) = mpsc::channel(JOURNAL_EVENTS_MAX);
    let quarantined = store.is_none();
    let (journal, here) = store.map(|store| journal::spawn(store, batches, committed)).transpose()?.unzip();

    // Certificates: each connection looks at their files. The system's authorities are for all connections.
    let authorities = Authorities::default();
    let (certificates, mut from_certificates) = mpsc::channel(CERTIFICATE_NEWS_MAX);

    // The broker.
    let (to_broker, broker_commands) = mpsc::channel(TO_BROKER_MAX);
    let (broker_events, mut from_broker) = mpsc::channel(FROM_BROKER_MAX);
    let now_s = clock.now().wall.seconds();
    let broker_config =
        broker_config(&config, &credentials, &settings.mqtt_key, now_s, Some(&certificates), &authorities)?;
    let broker = tokio::task::spawn_local(broker::run(broker_config, broker_commands, broker_events));

    // The motor mark: written by the line, in memory that outlives this process.
    let (motor_mark, mark) = open_motor_mark(&config.control_socket, settings.boot_id).unzip();

    // The line. In quarantine the port stays closed: nothing may be read or released (order-life, rule 5).
    let (to_line, line_commands) = mpsc::channel(TO_LINE_MAX);
    let (line_events, mut from_line) = mpsc::channel(FROM_LINE_MAX);
    if !quarantined {
        let link = config.board.profile.link;
        let line_config = LineConfig { port: config.board.port.clone(), baud: link.baud, parity: link.parity };
        tokio::task::spawn_local(line::run(line_config, motor_mark.clone(), line_commands, line_events));
    }

    // HTTP: one client for merchants, one for the cloud; each request is a task, the core bounds how many.
    let mut requests = Requests::default();
    let clients = Clients::new(&config, Some(&certificates), &authorities)?;

    // The control socket, and the pages beside it.
    let (asks, mut from_control) = mpsc::channel(CONTROL_MAX);
    if let Some(pages) = &config.web {
        let access = Access::of(pages, credentials.web_token.as_ref());
        tokio::task::spawn_local(web::serve(pages.listen, web::Source::new(access, asks.clone(), doctor)));
    }
    tokio::task::spawn_local(control::serve(config.control_socket.clone(), asks));

    let start = Start { driver: board::driver_for(&settings.profile), settings, mark };
    let mut core = Core::new(start, recovered, clock.now());
    let broker_room = to_broker.clone();
    let mut services = Services {
        lacks: config.board.profile.lacks.clone(),
        keep_alive_s: config.broker.keep_alive_s,
        ..Services::default()
    };
    let mut hands = Hands {
        to_journal,
        here,
        committed_here: None,
        to_broker,
        for_broker: VecDeque::new(),
        to_line,
        epoch: Epoch(0),
        writes: 0,
        motor_write: None,
        mirror: Mirror::new(config.board.profile.clone()),
        notes: NoteLog::new(&config.machine_no),
    };
    let mut loud = Loud::new(log);
    let machine = machine::Requests::beside(&config.control_socket);
    let mut told_by_machine = VecDeque::new();
    let host_files = HostFiles::default();
    let mut host = None;
    let mut systemd = Notifier::new();
    let mut effects = Vec::new();
    let mut notes = Vec::new();
    let mut event = Event::Wake;
    let mut was_committed = false;
    let ended = 'life: loop {
        let now = clock.now();
        core.step(now, event, &mut effects);
        let mut ending = None;
        let mut leaves_now = false;
        for effect in effects.drain(..) {
            match effect {
                Effect::Note(note) => notes.push(note),
                Effect::Http { token, request } => {
                    requests.begin(token, clients.send(request));
                    leaves_now = true;
                }
                Effect::Mark(written) => {
                    if let Some(Err(error)) = motor_mark.as_ref().map(|mark| mark.set(written)) {
                        tracing::error!(what = "motor_mark", "{error}");
                        ending = Some(Ended::Failed);
                        break;
                    }
                }
                Effect::Served { token, result } => services.end(token, result),
                Effect::Reply { token, reply } => services.reply(token, reply),
                Effect::Machine(request) => told_by_machine.push_back(carry_out(&machine, request)),
                Effect::LookAtHost => host = Some(host_files.look()),
                Effect::End(how) => {
                    ending = Some(match how {
                        Ending::Stopped => Ended::Stopped,
                        Ending::JournalFailed => Ended::Failed,
                    });
                    break;
                }
                other => hands.carry_out(now, other),
            }
        }
        // A motor frame and a request leave now, before the log and all else. And where the disk took its time, the board may
        // have said something meanwhile, which is heard before what the commit lets go; nor do commits that follow from one
        // another keep everybody out.
        let others_first = hands.committed_here.is_some() && (hands.committed_slowly() || was_committed);
        if hands.motor_write.is_some() || others_first || leaves_now {
            tokio::task::yield_now().await;
        }
        was_committed = false;
        // Last, and after what is durable now has left. The thread's disk writes meanwhile.
        if hands.committed_here.is_none() || ending.is_some() {
            for note in notes.drain(..) {
                hands.notes.write(now.boot, &note);
            }
            hands.leave_the_rest();
        }
        if let Some(ended) = ending {
            break 'life ended;
        }
        // What is durable goes on at once: whoever else wants something has waited for the disk with us.
        if !others_first && let Some(told) = hands.committed_here.take() {
            was_committed = true;
            event = told_by_journal(told);
            continue;
        }
        systemd.tell(&core, now);
        if let Some(host) = host.take() {
            event = Event::Host(host);
            continue;
        }
        loud.mind(now.boot);
        let deadline = core.deadline().into_iter().chain(systemd.deadline()).chain(loud.deadline()).min();
        if let Some(told) = told_by_machine.pop_front() {
            event = told;
            continue;
        }
        event = loop {
            tokio::select! {
                // The board first: it may have given us 100 ms. Then what is durable, then what leaves, then what is
                // new.
                biased;
                told = from_line.recv() => match told {
                    Some(told) => if let Some(event) = hands.told_by_line(&mut clock, told) { break event },
                    None => break 'life died("line"),
                },
                () = ready(()), if hands.committed_here.is_some() => {
                    if let Some(told) = hands.committed_here.take() { break told_by_journal(told) }
                }
                told = from_journal.recv(), if !quarantined => match told {
                    Some(told) => break told_by_journal(told),
                    None => break 'life died("journal"),
                },
                Ok(room) = broker_room.reserve(), if !hands.for_broker.is_empty() => {
                    if let Some(command) = hands.for_broker.pop_front() {
                        room.send(command);
                    }
                }
                told = from_broker.recv() => match told {
                    Some(told) => if let Some(event) = hands.told_by_broker(&mut clock, told) { break event },
                    None => break 'life died("broker"),
                },
                Some(news) = from_certificates.recv() => break Event::Certificate(news),
                Some((token, answer)) = requests.next() => break Event::Answered { token, answer },
                Some(asked) = from_control.recv() => {
                    if let Some(event) = answer(&core, &mut clock, &mut services, (&hands.mirror, &mut loud), asked) { break event }
                }
                () = sleep_until(&mut alarm, deadline) => break Event::Wake,
                _ = terminate.recv() => break Event::Stop,
                _ = interrupt.recv() => break Event::Stop,
            }
        };
    };
    drop(broker_room);
    end(hands, broker, journal).await;
    Ok(ended)
}

/// A file in memory: nothing that the core would have to wait for.
fn carry_out(machine: &machine::Requests, request: MachineRequest) -> Event {
    let (number, told) = match request {
        MachineRequest::Ask { number, act } => (
            number,
            machine.ask(act).map_or_else(|error| MachineTold::NotAsked(error.to_string()), |()| MachineTold::Asked),
        ),
        MachineRequest::Withdraw { number } => match machine.withdraw() {
            Ok(true) => (number, MachineTold::Withdrawn),
            // What cannot be taken back may be taken.
            Ok(false) | Err(_) => (number, MachineTold::Gone),
        },
    };
    Event::Machine { number, told }
}

/// Without a mark the vend goes on, and a crash between intent and first byte ends *unknown*.
fn open_motor_mark(control_socket: &Path, boot_id: BootId) -> Option<(Arc<MotorMark>, Mark)> {
    match MotorMark::open(&MotorMark::path(control_socket), boot_id) {
        Ok((file, mark)) => Some((Arc::new(file), mark)),
        Err(error) => {
            tracing::warn!(what = "motor_mark", "none, so more orders end unknown after a crash: {error}");
            None
        }
    }
}

/// Without the board, the broker or the journal's thread the agent would look alive and do nothing: it ends, and the next life
/// has them.
fn died(task: &'static str) -> Ended {
    tracing::error!(what = "task_died", "the {task} task is gone; see what it said before");
    Ended::Failed
}

async fn sleep_until(alarm: &mut Alarm, deadline: Option<BootMs>) {
    match deadline {
        Some(at) => {
            if let Err(error) = alarm.sleep_until(at).await {
                // The kernel refuses no time; if it did, a pause keeps this from spinning.
                tracing::error!(%error, "the timer failed");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        None => std::future::pending().await,
    }
}

/// What the core's effects need, and what gives events back their meaning.
struct Hands {
    /// For commits while nobody on the line waits for us. None in quarantine. It goes before the channel, or the store would
    /// be closed here.
    here: Option<journal::Here>,
    to_journal: mpsc::Sender<(u64, journal::Batch)>,
    /// What became of the last commit made here.
    committed_here: Option<JournalEvent>,
    to_broker: mpsc::Sender<ToBroker>,
    /// What the broker task has no room for yet, oldest first.
    for_broker: VecDeque<ToBroker>,
    to_line: mpsc::Sender<ToLine>,
    /// The connection that publishes are meant for.
    epoch: Epoch,
    /// Frames put on the line so far; the number names a frame.
    writes: u64,
    /// The motor frame whose write has not ended.
    motor_write: Option<u64>,
    mirror: Mirror,
    notes: NoteLog,
}

impl Hands {
    fn carry_out(&mut self, now: Now, effect: Effect) {
        match effect {
            Effect::Commit { id, batch, line_waits } => {
                let batch = journal::Batch { puts: batch.puts, removes: batch.removes, meta: Some(batch.ledger) };
                self.committed_here = match &mut self.here {
                    Some(here) if !line_waits => here.commit(id, &batch),
                    _ => None,
                };
                if self.committed_here.is_none() {
                    self.hand_over("journal", self.to_journal.try_send((id, batch)).is_ok());
                }
            }
            Effect::Ack(tag) => self.for_broker.push_back(ToBroker::Ack(tag)),
            Effect::RenewBrokerTls => self.for_broker.push_back(ToBroker::RenewTls),
            Effect::Publish { token: Token(token), payload } => {
                self.for_broker.push_back(ToBroker::Publish { epoch: self.epoch, token, payload });
            }
            Effect::LineWrite { write, intent } => {
                self.writes += 1;
                let id = self.writes;
                self.mirror.out(|| now, &write.bytes);
                if write.motor {
                    self.motor_write = Some(id);
                }
                let write = ToLine::Write { id, bytes: write.bytes, not_after: write.not_after, intent };
                self.hand_over("line", self.to_line.try_send(write).is_ok());
            }
            Effect::Note(_)
            | Effect::Http { .. }
            | Effect::Served { .. }
            | Effect::Reply { .. }
            | Effect::LookAtHost
            | Effect::Mark(_)
            | Effect::Machine(_)
            | Effect::End(_) => {}
        }
    }

    /// A commit was made here, and it took longer than those before it.
    fn committed_slowly(&self) -> bool {
        self.committed_here.is_some() && !self.here.as_ref().is_some_and(journal::Here::was_quick)
    }

    /// What commits made here left to the journal's thread.
    fn leave_the_rest(&mut self) {
        if let Some(here) = &mut self.here {
            here.leave_the_rest();
        }
    }

    /// These channels hold more than the core ever has under way, so a full one means a dead task. Nothing is lost by
    /// it: what was not done has no answer, and the next life finds it in the journal.
    fn hand_over(&self, whom: &str, taken: bool) {
        if !taken {
            tracing::error!("the {whom} task takes nothing; see what it said before");
        }
    }

    fn told_by_line(&mut self, clock: &mut Clock, told: FromLine) -> Option<Event> {
        Some(match told {
            FromLine::Opened => Event::LineOpened,
            FromLine::Closed { why } => Event::LineClosed { why: why.said() },
            FromLine::Bytes { read_at, bytes } => {
                self.mirror.came(|| clock.now(), read_at, &bytes);
                Event::LineBytes { read_at, bytes }
            }
            FromLine::Written { id, written } => {
                self.motor_write.take_if(|motor| *motor == id)?;
                Event::MotorWritten(written)
            }
        })
    }

    fn told_by_broker(&mut self, clock: &mut Clock, told: FromBroker) -> Option<Event> {
        Some(match told {
            FromBroker::Connected { epoch, session_present } => {
                self.epoch = epoch;
                self.for_broker.clear();
                Event::Connected { epoch, session_present }
            }
            FromBroker::Subscribed { .. } => {
                tracing::info!(what = "subscribed", "commands can come");
                Event::Subscribed
            }
            FromBroker::RoundTrip { took } => {
                self.mirror.round_trip(clock.now().boot, Some(took));
                return None;
            }
            FromBroker::Message { tag, payload, redelivered } => {
                self.mirror.message(|| clock.now(), &payload, redelivered);
                Event::Message { tag, payload, redelivered }
            }
            FromBroker::Published { token } => Event::Published(Token(token)),
            FromBroker::Lost { trouble, .. } => {
                self.mirror.round_trip(clock.now().boot, None);
                let (level, what, text) = (Level::Warn, "broker", trouble.to_string());
                self.notes.write(clock.now().boot, &Note { level, what, text, order: None, slot: None });
                Event::Disconnected { why: trouble.said() }
            }
            FromBroker::Fault(fault) => match fault {
                BrokerFault::PublishRefused { token, .. } | BrokerFault::PublishTooLarge { token, .. } => {
                    Event::NotPublished { token: Token(token), why: fault.said() }
                }
                fault => Event::Fault { what: "broker_fault", text: fault.said() },
            },
        })
    }
}

fn told_by_journal(told: JournalEvent) -> Event {
    match told {
        JournalEvent::Committed(id) => Event::Committed(id),
        JournalEvent::Failed { error, .. } => Event::JournalFailed { why: error.said() },
        JournalEvent::Space { enough, .. } => Event::Space { enough },
    }
}

/// Answers what is known here; the rest is an event for the core.
fn answer(
    core: &Core,
    clock: &mut Clock,
    services: &mut Services,
    (mirror, loud): (&Mirror, &mut Loud),
    asked: Asked,
) -> Option<Event> {
    let no_such_order = || Err(Refusal::about_order(DecisionError::NoSuchOrder));
    let answer = match asked.ask {
        Ask::Status => document(&core.status(clock.now())),
        Ask::Orders => document(&Orders { orders: core.listed_orders(), settled: core.settled_orders() }),
        Ask::Codes => document(&Codes { codes: core.code_lines(clock.now()) }),
        Ask::LastTest => document(&LastTest { last: core.test_line() }),
        Ask::Pickup(digits) => return Some(Event::CodeEntered { token: services.begin(asked.answer), digits }),
        Ask::Test(test) => return Some(Event::TestSlot { token: services.begin(asked.answer), uid: asked.uid, test }),
        Ask::Audit => document(&Audit { entries: core.audit_lines() }),
        Ask::Faults => document(&core.fault_lines()),
        Ask::Slots => document(&Slots { slots: core.slots() }),
        Ask::Service(service) => {
            return Some(Event::Serve { token: services.begin(asked.answer), uid: asked.uid, service });
        }
        Ask::Sale => document(&CurrentSale { sale: core.current_sale(clock.now()) }),
        Ask::Sales => document(&Sales { sales: core.sale_views(clock.now()) }),
        Ask::SaleCode(wanted) => return Some(Event::SaleCode { token: services.begin(asked.answer), wanted }),
        Ask::SaleStart(choice) => return Some(Event::SaleChosen { token: services.begin(asked.answer), choice }),
        Ask::SaleCancel => return Some(Event::SaleCancelled { token: services.begin(asked.answer) }),
        Ask::SaleCallback(paid) => {
            return Some(Event::PaymentHeard { token: services.begin(asked.answer), paid: Box::new(paid) });
        }
        Ask::SaleSettle(settle) => {
            return Some(Event::SaleSettled { token: services.begin(asked.answer), settle, uid: asked.uid });
        }
        Ask::SlotAct(act) => return Some(Event::SlotAct { token: services.begin(asked.answer), uid: asked.uid, act }),
        Ask::Books => document(&core.books()),
        Ask::BooksAct(act) => {
            return Some(Event::BooksAct { token: services.begin(asked.answer), uid: asked.uid, act });
        }
        Ask::Decide(decision) => {
            return Some(Event::Decide { token: services.begin(asked.answer), uid: asked.uid, decision });
        }
        Ask::Reports => document(&core.letters(clock.now())),
        Ask::Order(key) => core.order_story(&key).map_or_else(no_such_order, |story| document(&story)),
        Ask::Report(key) => {
            core.letters_of_order(clock.now(), &key).map_or_else(no_such_order, |letters| document(&letters))
        }
        Ask::BrokerTrip => {
            let (now, keep_alive_s) = (clock.now(), services.keep_alive_s);
            document(&mirror.broker_trip(now.boot, core.status(now).broker_connected, keep_alive_s))
        }
        Ask::Frames => mirror.frames(),
        Ask::Messages => mirror.messages(),
        Ask::Log(level) => match loud.set(clock.now().boot, level) {
            Ok(level) => {
                let detail = format!("{} for {} s", level.level.as_str(), level.for_s);
                let _ = asked.answer.send(document(&level));
                return Some(Event::Deed { uid: asked.uid, kind: Kind::LogLevel, detail });
            }
            Err(refusal) => Err(refusal),
        },
    };
    // Whoever asked may have left.
    let _ = asked.answer.send(answer);
    None
}

/// The types have no key or value that JSON lacks.
fn document(document: &impl Serialize) -> Answer {
    Ok(Told::Document(serde_json::to_vec(&Versioned::of(document)).unwrap_or_default()))
}

/// Those who wait for the core to have something done, at the board or in the journal. The control socket lets so many
/// in, and each is answered, refused or left when the daemon ends.
#[derive(Default)]
struct Services {
    waiting: HashMap<Token, oneshot::Sender<Answer>>,
    /// The core only gives it back: these tokens meet no others.
    last_token: u64,
    /// What the profile says that board and protocol lack.
    lacks: Vec<String>,
    /// How often the session with the broker says something, in s.
    keep_alive_s: u16,
}

impl Services {
    fn begin(&mut self, answer: oneshot::Sender<Answer>) -> Token {
        self.last_token += 1;
        let token = Token(self.last_token);
        self.waiting.insert(token, answer);
        token
    }

    fn end(&mut self, token: Token, result: Result<Reading, ServiceError>) {
        let answer = match result {
            Ok(reading) => document(&reading),
            Err(error) => Err(Refusal::by_board(error, &self.lacks)),
        };
        self.answer(token, answer);
    }

    fn reply(&mut self, token: Token, reply: Reply) {
        let answer = match reply {
            Reply::Entered(entry) => document(&entry),
            Reply::Testing(Ok(test)) => document(&Testing { test }),
            Reply::Slots(Ok(slots)) => document(&Slots { slots }),
            Reply::Sale(Ok(sale)) => document(&*sale),
            Reply::PaymentHeard(Ok(heard)) => document(&heard),
            Reply::Sale(Err(error)) | Reply::PaymentHeard(Err(error)) => Err(Refusal::of_sale(error)),
            Reply::Slots(Err(error)) => Err(Refusal::at_slot(error)),
            Reply::Books(Ok(books)) => document(&books),
            Reply::Books(Err(error)) => Err(Refusal::at_the_books(error)),
            Reply::Testing(Err(error)) => Err(Refusal::by_board(error, &self.lacks)),
            Reply::Decided(Ok(order)) => document(&order),
            Reply::Decided(Err(error)) => Err(Refusal::about_order(error)),
        };
        self.answer(token, answer);
    }

    fn answer(&mut self, token: Token, answer: Answer) {
        if let Some(waiting) = self.waiting.remove(&token) {
            // Whoever asked may have left.
            let _ = waiting.send(answer);
        }
    }
}

/// The last words: what was handed over is sent, the journal closes.
async fn end(hands: Hands, broker: JoinHandle<()>, journal: Option<std::thread::JoinHandle<()>>) {
    let Hands { to_journal, here, to_broker, for_broker, .. } = hands;
    for command in for_broker.into_iter().chain([ToBroker::Stop]) {
        let _ = to_broker.send_timeout(command, LAST_WORDS).await;
    }
    let _ = tokio::time::timeout(LAST_WORDS, broker).await;
    // The hand first: whoever is the last to leave closes the store, and that is to be the thread.
    drop((here, to_journal));
    if let Some(journal) = journal {
        let joined = tokio::task::spawn_blocking(move || journal.join());
        let _ = tokio::time::timeout(LAST_WORDS, joined).await;
    }
}
