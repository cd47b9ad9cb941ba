//! What a person may see: no secrets, no URLs with tokens. Served by the control socket, printed by `vend status`.

use super::arrivals::RingEntry;
use super::words::About;
use super::{CertificateLine, Core, Counters, LineQuality, Phase, SaleCounts, TroubleLine, VendHour, Waiting};
use crate::board::driver::LineState;
use crate::order::key::Key;
use crate::order::life::{Order, State, Unit};
use crate::order::outcome::UnitOutcome;
use crate::order::report::{CopyState, Report};
use crate::order::said::Said;
use crate::order::sync::{Difference, Sync};
use crate::order::time::Now;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// So many dead calls, and so many differences, are in the status: a screen of each.
const SHOWN_MAX: usize = 32;

/// One screen of the agent's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Whose agent this is.
    pub machine_no: String,
    /// opening, running, quarantine, failed or stopping.
    pub phase: String,
    /// What stands in the way now.
    #[serde(default)]
    pub troubles: Vec<TroubleLine>,
    /// Connected to the broker.
    pub broker_connected: bool,
    /// The board's profile.
    pub board: String,
    /// What the board says of itself.
    pub board_identity: Option<String>,
    /// The line.
    pub line: LineState,
    /// What passed over it, and what was wrong with it.
    pub line_quality: LineQuality,
    /// How vends ended, by the hour, newest first; hours without any are left out.
    #[serde(default)]
    pub vend_hours: Vec<VendHour>,
    /// The time can be trusted.
    pub time_trusted: bool,
    /// Orders not final.
    pub orders_open: usize,
    /// Orders that are kept, by their state: see `order::life::State`. States without any are left out.
    #[serde(default)]
    pub orders_by_state: BTreeMap<String, usize>,
    /// How long orders and reports wait.
    #[serde(default)]
    pub waiting: Waiting,
    /// Copies of reports not yet taken.
    pub reports_open: usize,
    /// How long ago the oldest report was made of which a copy is not yet taken, in s.
    #[serde(default)]
    pub oldest_unsent_s: Option<u64>,
    /// Calls that the platform has not yet taken.
    pub calls_open: usize,
    /// Calls that it refused for good.
    pub calls_dead: usize,
    /// The newest of them, at most 32, in words.
    pub dead_calls: Vec<String>,
    /// The same in Chinese.
    #[serde(default)]
    pub dead_calls_zh: Vec<String>,
    /// Results that the cloud's books are still to be compared with.
    pub results_open: usize,
    /// Results that the cloud's books do not agree with.
    pub differences: usize,
    /// The newest of them, at most 32.
    pub differing: Vec<DifferenceLine>,
    /// Sales that wait for a person: a refund is owed, or nobody knows whether goods came out.
    #[serde(default)]
    pub sales_for_people: usize,
    /// Sales at the machine, by where they stand.
    #[serde(default)]
    pub sales: SaleCounts,
    /// Orders of the last week of which nobody knows what became of them: a person may say it. 1,000 stands for more.
    #[serde(default)]
    pub orders_in_doubt: usize,
    /// At most 32 of them: those with reports on their way, then the others, each the newest first.
    #[serde(default)]
    pub in_doubt: Vec<String>,
    /// Orders kept to answer duplicates.
    pub orders_settled: usize,
    /// Room on the disk for new orders.
    pub has_space: bool,
    /// The cloud is asked about orders.
    pub verifies_orders: bool,
    /// The certificates in use.
    #[serde(default)]
    pub certificates: Vec<CertificateLine>,
    /// When the machine is switched off and on, on the platform's clock.
    #[serde(default)]
    pub schedule: Vec<String>,
    /// The same in Chinese.
    #[serde(default)]
    pub schedule_zh: Vec<String>,
    /// What the platform has set of the machine's screen.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Since the process started.
    pub counters: Counters,
    /// Messages that were not accepted, newest last.
    pub rejected: Vec<RingEntry>,
    /// The last things worth a person's eye, newest last.
    pub recent: Vec<Recent>,
}

/// A result that the cloud's books do not agree with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceLine {
    /// The platform's order.
    pub order_id: String,
    /// Its line.
    pub record_id: String,
    /// What they do not agree about: a word of `order::sync::Difference`.
    pub difference: String,
}

/// One note for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// info, warn or error.
    pub level: String,
    /// A stable word.
    pub what: String,
    /// For people.
    pub text: String,
}

/// One order on one line; also a line of `vend journal dump`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// The platform's order.
    pub order_id: String,
    /// Its line.
    pub record_id: String,
    /// In the words of an order's life.
    pub state: String,
    /// The units.
    pub units: Vec<UnitLine>,
    /// The reports.
    pub reports: Vec<ReportLine>,
    /// What the cloud's books do not agree about, if they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitLine {
    /// Counted from 1.
    pub unit: usize,
    /// accepted, intent or outcome.
    pub state: String,
    /// Its outcome.
    pub outcome: Option<String>,
}

/// One report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportLine {
    /// Its sequence.
    pub sequence: u32,
    /// pending, settled or dead.
    pub state: String,
    /// Tries over HTTP.
    pub attempts: u32,
}

impl Status {
    /// What is in the way of this, if anything is; of several clouds of the first.
    #[must_use]
    pub fn trouble(&self, of: &str) -> Option<Said> {
        self.troubles.iter().find(|line| line.of == of).map(TroubleLine::said)
    }
}

impl UnitLine {
    /// What became of it, or where it stands.
    #[must_use]
    pub fn said(&self) -> Said {
        match &self.outcome {
            Some(outcome) => About::Outcome.said(outcome),
            None => About::Order.said(&self.state),
        }
    }
}

impl OrderLine {
    /// An order as a person sees it.
    #[must_use]
    pub fn of(order: &Order) -> OrderLine {
        Standing::of(order).line(&order.key)
    }
}

/// Where an order stands: what its line says, without the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: State,
    pub(super) units: Vec<UnitStanding>,
    pub(super) reports: Vec<ReportStanding>,
    pub(super) difference: Option<Difference>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnitStanding {
    pub(super) state: State,
    pub(super) outcome: Option<UnitOutcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReportStanding {
    pub(super) sequence: u32,
    state: CopyState,
    attempts: u32,
}

impl Standing {
    pub(super) fn of(order: &Order) -> Standing {
        let report = |r: &Report| ReportStanding {
            sequence: r.sequence,
            state: r.state(),
            attempts: r.http.attempts().max(r.mqtt.attempts()),
        };
        let unit = |unit: &Unit| UnitStanding { state: unit.state(), outcome: unit.outcome() };
        Standing {
            state: order.state(),
            units: order.units.iter().map(unit).collect(),
            reports: order.reports.iter().map(report).collect(),
            difference: match order.sync {
                Sync::Differs(difference) => Some(difference),
                Sync::No | Sync::Asking { .. } | Sync::Agreed => None,
            },
        }
    }

    /// In words.
    pub(super) fn line(&self, key: &Key) -> OrderLine {
        let unit = |(k, unit): (usize, &UnitStanding)| UnitLine {
            unit: k + 1,
            state: unit.state.as_str().to_owned(),
            outcome: unit.outcome.map(|outcome| outcome.as_str().to_owned()),
        };
        let report = |report: &ReportStanding| ReportLine {
            sequence: report.sequence,
            state: report.state.as_str().to_owned(),
            attempts: report.attempts,
        };
        OrderLine {
            order_id: key.order_id.to_string(),
            record_id: key.record_id.to_string(),
            state: self.state.to_string(),
            units: self.units.iter().enumerate().map(unit).collect(),
            reports: self.reports.iter().map(report).collect(),
            difference: self.difference.map(|difference| difference.as_str().to_owned()),
        }
    }
}

impl Core {
    /// One screen of state.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let phase = match self.phase {
            _ if self.failed.is_some() => "failed",
            _ if self.stopping => "stopping",
            Phase::Opening => "opening",
            Phase::Running => "running",
            Phase::Quarantine => "quarantine",
        };
        let recent = |note: &super::Note| Recent {
            level: note.level.as_str().to_owned(),
            what: note.what.to_owned(),
            text: note.text.clone(),
        };
        let differing = |(key, difference): (&Key, &Difference)| DifferenceLine {
            order_id: key.order_id.to_string(),
            record_id: key.record_id.to_string(),
            difference: difference.as_str().to_owned(),
        };
        let in_doubt = self.orders_in_doubt(now);
        let schedule = self.instructions.memory.schedule.shown();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine_no: self.settings.machine_no.to_string(),
            phase: phase.to_owned(),
            troubles: self.troubles.lines(),
            broker_connected: self.arrivals.is_connected(),
            board: self.settings.profile.name.clone(),
            board_identity: self.line.identity().map(str::to_owned),
            line: self.line.state(),
            line_quality: self.line.quality.report(now.boot),
            vend_hours: self.vends.report(now.boot),
            time_trusted: self.time.trusted(now).is_some(),
            orders_open: self.orders_open(),
            orders_by_state: self.orders_by_state(),
            waiting: self.waiting(now),
            reports_open: self.outbox.reports(),
            oldest_unsent_s: self.oldest_unsent_s(now),
            calls_open: self.calls.open(),
            calls_dead: self.calls.dead(),
            dead_calls: self.calls.newest_dead().take(SHOWN_MAX).map(|call| call.said().en).collect(),
            dead_calls_zh: self.calls.newest_dead().take(SHOWN_MAX).map(|call| call.said().zh).collect(),
            results_open: self.results.open(),
            differences: self.results.differences().len(),
            sales_for_people: self.sales_for_people(),
            sales: self.sale_counts(now),
            differing: self.results.differences().iter().rev().take(SHOWN_MAX).map(differing).collect(),
            orders_in_doubt: in_doubt.len(),
            in_doubt: in_doubt.iter().take(SHOWN_MAX).map(ToString::to_string).collect(),
            orders_settled: self.archive.len(),
            has_space: !self.arrivals.lacks_space(),
            verifies_orders: self.verifies(),
            certificates: self.certificate_lines(now),
            schedule: schedule.iter().map(|plan| plan.en.clone()).collect(),
            schedule_zh: schedule.into_iter().map(|plan| plan.zh).collect(),
            settings: self.instructions.settings_shown(),
            counters: Counters {
                line_faults: self.line.quality.total().faults(),
                line_opened: self.line.quality.openings(),
                board_restarts: self.line.quality.total().board_restarts,
                ..self.counters
            },
            rejected: self.arrivals.ring().cloned().collect(),
            recent: self.recent.iter().map(recent).collect(),
        }
    }

    fn orders_by_state(&self) -> BTreeMap<String, usize> {
        let archived = (State::Tombstone, self.archive.len());
        let mut by_state = BTreeMap::new();
        for (state, count) in self.orders.tally().states().chain([archived]).filter(|(_, count)| *count > 0) {
            *by_state.entry(state.as_str().to_owned()).or_default() += count;
        }
        by_state
    }

    fn waiting(&self, now: Now) -> Waiting {
        let waiting = self.orders.tally().waiting(now);
        Waiting { orders_dead: waiting.orders_dead + self.archive.dead(), ..waiting }
    }

    fn oldest_unsent_s(&self, now: Now) -> Option<u64> {
        Some(self.told_time_s(now).saturating_sub(self.orders.tally().oldest_unsent_at_s()?))
    }

    /// What is counted of orders and sales is what a look at all of them finds. The simulation asks with each step.
    #[must_use]
    pub fn is_tallied(&self) -> bool {
        self.orders.are_tallied() && self.sales.are_tallied()
    }

    /// Every order that is not settled, oldest first.
    #[must_use]
    pub fn open_orders(&self) -> Vec<OrderLine> {
        let mut orders: Vec<&Order> = self.orders.values().filter(|order| !order.key.is_test()).collect();
        orders.sort_by_key(|o| o.arrival_number);
        orders.into_iter().map(OrderLine::of).collect()
    }

    /// Every order that somebody may have to look after, oldest first: not settled, or not as the cloud's books say.
    #[must_use]
    pub fn listed_orders(&self) -> Vec<OrderLine> {
        let differing = self.results.differences().keys().filter_map(|key| self.archive.get(key));
        let mut orders: Vec<Order> = self.orders.values().cloned().chain(differing).collect();
        orders.sort_by_key(|o| o.arrival_number);
        orders.iter().map(OrderLine::of).collect()
    }

    /// One line for `systemctl status`.
    #[must_use]
    pub fn headline(&self) -> Headline {
        Headline {
            trouble: match self.phase {
                Phase::Quarantine => "QUARANTINE, ",
                _ if self.failed.is_some() => "JOURNAL FAILED, ",
                _ => "",
            },
            line: match self.line.state() {
                LineState::Closed => "port closed",
                LineState::Settling => "board settling",
                LineState::Idle | LineState::Busy | LineState::Held => "board ready",
            },
            is_connected: self.arrivals.is_connected(),
            orders_open: self.orders_open(),
            reports_open: self.outbox.reports(),
        }
    }

    /// Everything is ready to serve: the first commit is durable and recovery is planned.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase != Phase::Opening
    }
}

/// What `systemctl status` shows of the whole agent, as [`fmt::Display`] writes it. Made with every step, so it is a few
/// words to compare and no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headline {
    trouble: &'static str,
    line: &'static str,
    is_connected: bool,
    orders_open: usize,
    reports_open: usize,
}

impl fmt::Display for Headline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Headline { trouble, line, is_connected, orders_open, reports_open } = self;
        let broker = if *is_connected { "broker connected" } else { "broker away" };
        write!(f, "{trouble}{line}, {broker}, {orders_open} orders open, {reports_open} reports open")
    }
}
