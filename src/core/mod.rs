//! The machine: events in, effects out. Pure: the daemon, the simulation and the tests run this one.
//!
//! [`Core::step`] takes one [`Event`] and the time, and returns what is to be done as [`Effect`]s. It never waits:
//! what must not leave before something is durable waits in `commit`, what must not leave before a time waits for
//! [`Core::deadline`].
//!
//! | file | subject |
//! |---|---|
//! | `acts` | what the machine does to itself: start anew, switch off |
//! | `arrivals` | a message came: who may say what, keys, duplicates, limits |
//! | `gate` | may this order be driven now? The one place that decides it |
//! | `deeds` | what persons do at the machine, and the audit of it |
//! | `drive` | the line: one unit at a time, from intent to outcome |
//! | `orders` | all orders that are not settled |
//! | `outbox` | reports and calls until they are taken |
//! | `books` | what a person does about calls that were refused and books that differ |
//! | `calls` | what the platform must be told: durable first, in order, at least once |
//! | `notify` | songshu is told of every order |
//! | `payments` | course is told of payments, and the log of what went wrong with it |
//! | `offline` | what a person may do at the line while the agent does not run |
//! | `own` | orders of the machine's own: for whoever stands there; test vends |
//! | `channel_test` | test vends that the platform wants |
//! | `pickup` | pickup codes: kept, entered, used once |
//! | `instructions` | what the platform wants beside vending, and the audit of it |
//! | `letters` | the reports that are not taken, and the dead letters |
//! | `persons` | what a person decides about an order in doubt, and about dead letters |
//! | `platform` | what is asked of the cloud: is it paid, what time is it |
//! | `sync` | what is asked after a result, until the cloud agrees |
//! | `refund` | a refund that was refused for the order's status |
//! | `recover` | what happens when power returns |
//! | `pace` | how many messages are looked at in what time |
//! | `certificates` | until when they are good |
//! | `catalogue` | what the platform sells here |
//! | `telemetry` | what the machine tells of itself |
//! | `commit` | what follows what into the journal |
//! | `archive` | settled orders, to answer duplicates |
//! | `hours` | counts kept apart by the hour |
//! | `quality` | how good the line is, by the hour |
//! | `vends` | how vends ended, by the hour |
//! | `sale` | sales at the machine: from the choice of a slot to goods or money |
//! | `slots` | what lies in the slots |
//! | `status` | what a person may see |
//! | `tally` | what is counted of the orders as they change |
//! | `trace` | the course of each order, step by step |
//! | `troubles` | what stands in the way now |

mod acts;
mod archive;
mod arrivals;
mod books;
mod calls;
mod catalogue;
mod certificates;
mod channel_test;
mod commit;
mod deeds;
mod drive;
pub mod event;
mod gate;
mod hours;
mod instructions;
mod letters;
mod notify;
mod offline;
mod orders;
mod outbox;
mod own;
mod pace;
mod payments;
mod persons;
mod pickup;
mod platform;
mod quality;
mod recover;
mod refund;
mod sale;
mod slots;
mod status;
mod sync;
mod tally;
mod telemetry;
#[cfg(test)]
mod tests;
mod trace;
mod troubles;
mod vends;
mod waiting;
pub mod words;

pub use acts::{ACT_TAKES_MS, ACT_WAIT_MS};
pub use archive::{TOMBSTONE_AGE_MIN_S, TOMBSTONES_KEPT};
pub use arrivals::{HELD_MAX, ORDERS_OPEN_MAX, REFUSAL_RESERVE, REPORTS_OPEN_MAX, RING_MAX, RingEntry};
pub use books::{Books, BooksAct, BooksError, CALLS_SHOWN_MAX, CallLine, WHY_BYTES_MAX};
pub use calls::{CALLS_DEAD_MAX, CALLS_OPEN_MAX};
pub use certificates::{CertificateLine, CertificateState, WARN_DAYS};
pub use hours::HOURS_KEPT;
pub use instructions::{AUDIT_KEPT, AuditLine, REFRESH_PAUSE_MS, REFUSAL_PAUSE_MS};
pub use letters::{LETTERS_SHOWN_MAX, Letter, Letters, Wait};
pub use notify::{NOTICES_OPEN_MAX, NotifySettings};
pub use offline::{AtTheLine, LineOwed, may_use_the_line};
pub use own::{PICKUP_WAIT_MS, Reply, SlotTest, TEST_WAIT_MS, TestLine};
pub use pace::{MESSAGE_EVERY_MS, MESSAGES_BURST};
pub use payments::{Callback, FaultLine, FaultLines, PayWord, PaymentHeard, PaymentSettings, THIRD_NAME_BYTES_MAX};
pub use persons::{DOUBT_TOLD_FOR_S, Decision, DecisionError, Verdict, is_in_doubt};
pub use pickup::{CODES_MAX, CodeLine, Entry, WRONG_FORGOTTEN_MS, WRONG_FREE, WRONG_PAUSE_MAX_MS, WRONG_PAUSE_MS};
pub use quality::{LineCounts, LineHour, LineQuality};
pub use recover::{Recovered, Stock};
pub use sale::{
    Goods, KEY_NOTED_EVERY_MS, REFUND_LATE_S, SALE_METHOD, SALES_KEPT, SALES_OPEN_MAX, SaleChoice, SaleCode,
    SaleCounts, SaleRefusal, SaleSettings, SaleView, Settle, WATCH_FOR_MS,
};
pub use slots::{SlotAct, SlotError, SlotLine};
pub use status::{DifferenceLine, Headline, OrderLine, Recent, ReportLine, Status, UnitLine};
pub use telemetry::TelemetrySettings;
pub use trace::{OrderStory, StepLine, TRACE_STEPS_MAX, TRACED_ORDERS_MAX};
pub use troubles::TroubleLine;
pub use vends::{VendCounts, VendHour};
pub use waiting::Waiting;

use crate::board::driver::Driver;
use crate::board::profile::Profile;
use crate::board::service::ServiceError;
use crate::cloud::open_platform::Account;
use crate::cloud::orders::session::Sessions;
use crate::cloud::sign::SigningKey;
use crate::order::fault::FaultLog;
use crate::order::instruction::Permission;
use crate::order::key::{Key, MachineNo};
use crate::order::life::{Forbidden, Order};
use crate::order::mark::Mark;
use crate::order::motor::Slot;
use crate::order::record::Ledger;
use crate::order::said::Said;
use crate::order::time::{BootId, BootMs, Now, TimeKeeper};
use crate::sabotage::{self, Clause};
use event::{Effect, Ending, Event, Level, Note, Token};
use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

/// How long reports that are already durable may still leave after the journal failed, in ms, before the process
/// ends and starts anew.
pub const FAILED_PAUSE_MS: u64 = 10_000;

/// When the cloud is asked whether an order may be driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyOrders {
    /// Before every order.
    Always,
    /// Before an order that is late (rule 27).
    Late,
    /// Never.
    Never,
}

/// What the core must know of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose agent this is.
    pub machine_no: MachineNo,
    /// Signs and verifies messages and reports.
    pub mqtt_key: SigningKey,
    /// The cloud's HTTP side.
    pub cloud: CloudSettings,
    /// The board.
    pub profile: Profile,
    /// Keep a slot out of use after *unknown* until a person looked.
    pub lock_slot_after_unknown: bool,
    /// `[time] trust = "system"`.
    pub trust_system_clock: bool,
    /// How long the broker keeps our session, in s.
    pub session_expiry_s: u64,
    /// What the platform may have the machine do to itself.
    pub allow: BTreeSet<Permission>,
    /// This boot.
    pub boot_id: BootId,
    /// Seeds the jitter of back-offs.
    pub seed: u64,
    /// How often the machine tells of itself.
    pub telemetry: TelemetrySettings,
    /// Sales at the machine; nothing where there are none.
    pub sale: Option<SaleSettings>,
    /// Who is told of every order, if anybody.
    pub notify: Option<NotifySettings>,
    /// Who is told of payments, if anybody.
    pub payments: Option<PaymentSettings>,
    /// How much may be open and how much is remembered.
    pub limits: Limits,
}

/// How much the machine takes on before it says so. What is shipped is [`Limits::default`]; a simulated life has
/// smaller ones, so that it reaches them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Orders that may be open (not final) at once (rule 26).
    pub orders_open: usize,
    /// Orders with unsettled reports that may be kept at once (rule 26).
    pub reports_open: usize,
    /// Calls that may be open at once (rule 43).
    pub calls_open: usize,
    /// Refusals that are kept beyond all these limits (rule 9).
    pub refusal_reserve: usize,
    /// Tombstones that are kept however old they are (rule 12).
    pub tombstones: usize,
    /// Messages that may come at once before [`MESSAGE_EVERY_MS`] holds.
    pub messages_burst: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            orders_open: ORDERS_OPEN_MAX,
            reports_open: REPORTS_OPEN_MAX,
            calls_open: CALLS_OPEN_MAX,
            refusal_reserve: REFUSAL_RESERVE,
            tombstones: TOMBSTONES_KEPT,
            messages_burst: MESSAGES_BURST,
        }
    }
}

/// The cloud's HTTP side.
#[derive(Debug, Clone)]
pub struct CloudSettings {
    /// Base of `/api/openapi/v1`.
    pub url: String,
    /// Who calls; nothing when the configuration never calls the cloud.
    pub account: Option<Account>,
    /// When an order is asked about.
    pub verify_orders: VerifyOrders,
    /// PUT status 2 after a failed vend.
    pub refund_failed: bool,
    /// Ask after each result until the cloud's books agree with it.
    pub sync_results: bool,
    /// Ask what is sold at this machine, where there is an account.
    pub catalogue: bool,
}

/// Where the whole agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first commit is under way: nothing that was only seen may be acted on (rule 1).
    Opening,
    /// At work.
    Running,
    /// The journal cannot be trusted (rule 5).
    Quarantine,
}

/// Counters since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Messages from the platform.
    pub messages: u64,
    /// Messages that had to wait because too many came at once.
    pub paced: u64,
    /// Messages that were not for us, not signed or not readable.
    pub rejected: u64,
    /// Orders accepted.
    pub accepted: u64,
    /// Orders refused, their keys taken.
    pub refused: u64,
    /// Commands that came again.
    pub duplicates: u64,
    /// Keys that came again with another body.
    pub conflicts: u64,
    /// Pickup codes used.
    pub codes_used: u64,
    /// Wrong pickup codes entered.
    pub codes_wrong: u64,
    /// Test vends begun.
    pub tests: u64,
    /// Motor commands sent.
    pub driven: u64,
    /// Reports taken by their receiver.
    pub reports_settled: u64,
    /// Calls taken by the platform.
    pub calls_settled: u64,
    /// Calls that were not even kept: too many were open, or one was too large.
    pub calls_left_out: u64,
    /// Results that the cloud's books did not agree with in the end.
    pub differences: u64,
    /// Commits.
    pub commits: u64,
    /// Frames with a bad check, noise, unexpected frames and time-outs on the line.
    pub line_faults: u64,
    /// Times the port was opened.
    pub line_opened: u64,
    /// Times the board was seen to restart.
    pub board_restarts: u64,
}

/// The machine. See the module.
pub struct Core {
    settings: Settings,
    phase: Phase,
    /// Set when the journal failed: when the process ends.
    failed: Option<BootMs>,
    stopping: bool,
    time: TimeKeeper,
    time_was_trusted: bool,
    ledger: Ledger,
    orders: orders::Orders,
    archive: archive::Archive,
    arrivals: arrivals::Arrivals,
    queue: gate::Queue,
    line: drive::Line,
    outbox: outbox::Outbox,
    calls: calls::Calls,
    notices: notify::Notices,
    faults: FaultLog,
    sessions: Sessions,
    log_in_token: Option<Token>,
    codes: pickup::Codes,
    tests: own::Tests,
    deeds: deeds::Deeds,
    platform: platform::Platform,
    pace: pace::Pace,
    certificates: certificates::Certificates,
    results: sync::Results,
    instructions: instructions::Instructions,
    slots: slots::Slots,
    sales: sale::Sales,
    catalogue: catalogue::Catalogue,
    telemetry: telemetry::Telemetry,
    vends: vends::Vends,
    troubles: troubles::Troubles,
    commits: commit::Commits,
    effects: Vec<Effect>,
    last_token: u64,
    random: fastrand::Rng,
    counters: Counters,
    recent: VecDeque<Note>,
    trace: trace::Trace,
}

/// So many notes are kept for `vend status`.
const RECENT_NOTES_MAX: usize = 32;

impl Core {
    /// Takes one event and adds what is to be done to `out`, in order.
    pub fn step(&mut self, now: Now, event: Event, out: &mut Vec<Effect>) {
        if self.phase != Phase::Quarantine && self.failed.is_none() {
            self.watch_the_clock(now);
        }
        self.trace_event(now, &event);
        self.take(now, event);
        self.go_on(now);
        self.trace_step(now);
        out.append(&mut self.effects);
    }

    fn take(&mut self, now: Now, event: Event) {
        match event {
            Event::Connected { epoch, session_present } => self.on_connected(now, epoch, session_present),
            Event::Subscribed => self.troubles.broker = None,
            Event::Disconnected { why } => {
                self.troubles.broker = Some(why);
                self.on_disconnected();
            }
            Event::Message { tag, payload, redelivered } => self.on_arrival(now, tag, payload, redelivered),
            Event::Published(token) => self.on_published(now, token),
            Event::NotPublished { token, why } => self.on_not_published(now, token, why),
            Event::Committed(id) => {
                self.counters.commits += 1;
                self.on_committed(now, id);
            }
            Event::JournalFailed { .. } if sabotage::is_out(Clause::R07FailureBelieved) => {
                self.on_committed(now, self.commits.last_id())
            }
            Event::JournalFailed { why } => self.journal_failed(now, why),
            Event::Space { enough } => self.on_space(enough),
            Event::LineOpened => self.on_line_opened(now),
            Event::LineClosed { why } => self.on_line_closed(now, why),
            Event::LineBytes { read_at, bytes } => self.on_line_bytes(now, read_at, &bytes),
            Event::MotorWritten(written) => self.on_motor_written(now, written),
            Event::Answered { token, answer } => self.on_answered(now, token, answer),
            Event::Serve { token, uid, service } => self.on_persons_service(now, token, uid, service),
            Event::Certificate(news) => self.on_certificate(now, news),
            Event::CodeEntered { token, digits } => self.on_code_entered(now, token, digits),
            Event::TestSlot { token, uid, test } => self.on_test_slot(now, token, uid, test),
            Event::Machine { number, told } => self.on_machine_told(now, number, told),
            Event::SlotAct { token, uid, act } => self.on_slot_act(now, token, uid, act),
            Event::SaleChosen { token, choice } => self.on_sale_chosen(now, token, choice),
            Event::SaleCode { token, wanted } => self.on_sale_code(now, token, &wanted),
            Event::SaleCancelled { token } => self.on_sale_cancelled(now, token),
            Event::PaymentHeard { token, paid } => self.on_payment_heard(now, token, *paid),
            Event::SaleSettled { token, settle, uid } => self.on_sale_settled(now, token, &settle, uid),
            Event::BooksAct { token, uid, act } => self.on_books_act(now, token, uid, &act),
            Event::Decide { token, uid, decision } => self.on_decision(now, token, uid, decision),
            Event::Deed { uid, kind, detail } => self.on_deed(now, uid, kind, detail),
            Event::Host(host) => self.on_host(now, &host),
            Event::Fault { what, text } => {
                self.note(Level::Error, what, text.en.clone());
                self.troubles.broker = Some(text);
            }
            Event::Stop => {
                self.stopping = true;
                self.note(Level::Info, "stopping", "asked to stop; a running motor or service may finish".to_owned());
            }
            Event::Wake => {}
        }
    }

    /// Everything that may follow from what is known now.
    fn go_on(&mut self, now: Now) {
        if self.failed.is_none() {
            self.look_at_the_paced(now);
        }
        if self.phase == Phase::Running && self.failed.is_none() {
            self.serve_the_held(now);
            self.mind_the_line(now);
            self.expire_the_waiting(now);
            self.mind_the_machine(now);
            self.start_next(now);
        }
        // A motor frame first: what is told is worded while it is on its way. The line answers for it at once
        // ([`Event::MotorWritten`]); and what waits has a deadline, should it not.
        let has_motor_frame =
            self.effects.iter().any(|effect| matches!(effect, Effect::LineWrite { intent: Some(_), .. }));
        // Before reports: `received` goes before the result of the same order.
        if !has_motor_frame {
            self.say_what_waits(now);
        }
        if self.phase == Phase::Running {
            self.ask_the_platform(now);
            self.ask_about_sales(now);
            self.fetch_catalogue(now);
            self.tell_of_the_machine(now);
            self.send_the_batch(now);
            self.log_in_if_due(now);
            if !has_motor_frame {
                self.send_what_is_due(now);
            }
            self.forget_the_old(now);
        }
        self.mind_the_certificates(now);
        if self.phase != Phase::Quarantine {
            self.commit_if_due(now);
        }
        self.end_if_done(now);
    }

    /// When [`Core::step`] wants to be called with [`Event::Wake`] at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<BootMs> {
        // Only what this phase attends to, or the caller would be woken for nothing, again and again.
        let running = self.phase == Phase::Running;
        let at_work = running && self.failed.is_none();
        let all = [
            self.failed,
            self.pace.deadline(self.settings.limits.messages_burst).filter(|_| self.failed.is_none()),
            self.certificates.deadline(),
            self.arrivals.deadline(),
            self.commits.deadline().filter(|_| self.failed.is_none()),
            self.line.deadline().filter(|_| at_work),
            self.queue.deadline().filter(|_| at_work),
            self.outbox.deadline().filter(|_| running),
            self.outbox.publish_deadline(self.arrivals.has_room_to_publish()).filter(|_| running),
            self.notices.deadline().filter(|_| running),
            self.log_in_deadline().filter(|_| running),
            self.platform.deadline().filter(|_| running),
            self.results_deadline().filter(|_| running && self.has_room_to_ask()),
            self.sales_deadline().filter(|_| running),
            self.machine_deadline(),
            self.catalogue.deadline().filter(|_| running),
            self.telemetry_deadline().filter(|_| running && !self.stopping),
        ];
        all.into_iter().flatten().min()
    }

    fn watch_the_clock(&mut self, now: Now) {
        if let Some(lowered) = self.time.observe(now) {
            let text = format!("highest trusted time lowered from {} to {} ms", lowered.from.0, lowered.to.0);
            self.note(Level::Warn, "time_lowered", text);
        }
        let trusted = self.time.trusted(now);
        if let Some(time) = trusted {
            self.note_birth(now, time);
        }
        if trusted.is_some() != self.time_was_trusted {
            self.time_was_trusted = trusted.is_some();
            self.queue.look_again();
            self.look_at_all(now);
            let text = if trusted.is_some() { "the time is trusted" } else { "the time is no longer trusted" };
            self.note(Level::Info, "time_trust", text.to_owned());
            if self.phase == Phase::Running {
                self.begin_asking_for_time(now);
            }
        }
    }

    fn end_if_done(&mut self, now: Now) {
        match self.failed {
            Some(when) if when <= now.boot => self.effects.push(Effect::End(Ending::JournalFailed)),
            Some(_) => {}
            None if self.stopping && self.line.is_free() && self.commits.is_idle() => {
                self.say_goodbye(now);
                self.effects.push(Effect::End(Ending::Stopped));
            }
            None => {}
        }
    }

    /// Rule 7: stop accepting and driving at once; what is durable may still be reported; then the process ends.
    fn journal_failed(&mut self, now: Now, why: Said) {
        if self.failed.is_none() {
            self.failed = Some(now.boot.plus_ms(FAILED_PAUSE_MS));
            self.served(Err(ServiceError::Unavailable));
            self.note(Level::Error, "journal_failed", why.en.clone());
            self.troubles.journal = Some(why);
        }
    }

    /// An order that is open or archived.
    fn known_order(&self, key: &Key) -> Option<Cow<'_, Order>> {
        let open = self.orders.get(key).map(Cow::Borrowed);
        open.or_else(|| self.archive.get(key).map(Cow::Owned))
    }

    fn next_token(&mut self) -> Token {
        self.last_token += 1;
        Token(self.last_token)
    }

    fn note(&mut self, level: Level, what: &'static str, text: String) {
        self.keep_note(Note { level, what, text, order: None, slot: None });
    }

    /// The same, about an order: whatever is logged of it can be found by its key.
    fn note_of(&mut self, key: &Key, level: Level, what: &'static str, text: String) {
        let slot = self.orders.get(key).and_then(|order| order.turns).map(|turns| turns.slot);
        self.note_at(key, slot, level, what, text);
    }

    /// The same, about one that is not among the orders yet.
    fn note_at(&mut self, key: &Key, slot: Option<Slot>, level: Level, what: &'static str, text: String) {
        self.keep_note(Note { level, what, text, order: Some(key.clone()), slot });
    }

    fn keep_note(&mut self, note: Note) {
        let level = note.level;
        if level >= Level::Info {
            if self.recent.len() >= RECENT_NOTES_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(note.clone());
        }
        self.effects.push(Effect::Note(note));
    }

    /// A change that the table of an order's life forbids was refused; nothing was changed.
    fn forbidden(&mut self, key: &Key, error: Forbidden) {
        self.note_of(key, Level::Error, "forbidden", format!("order {key}: {error}"));
    }

    /// The wall time for bodies that a person or the cloud reads: trusted if possible.
    fn told_time_s(&self, now: Now) -> u64 {
        self.time.trusted(now).unwrap_or(now.wall).seconds()
    }
}

/// The parts that a life of the core begins with.
pub struct Start {
    /// The configuration's share.
    pub settings: Settings,
    /// The board's conversation.
    pub driver: Box<dyn Driver>,
    /// The motor mark as the last life left it, if this life can keep one.
    pub mark: Option<Mark>,
}
