//! What monitors read: text for Prometheus, and one word for those that only ask whether all is well.

use crate::board::driver::LineState;
use crate::core::{Counters, Status};
use crate::order::life::State;
use crate::order::sale::State as SaleState;
use std::fmt::Write as _;

/// Whether the machine can serve an order that comes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It can. Whether the broker is reached is another question: `vend_broker_connected`.
    Good,
    /// It opens its journal, or ends.
    NotServing,
    /// The journal cannot be trusted, or not be written: nothing is driven.
    Journal,
    /// The disk has no room for new orders.
    Disk,
    /// The port is closed, or the board does not answer.
    Board,
}

impl Health {
    /// Judges a status; what matters most is said.
    #[must_use]
    pub fn of(status: &Status) -> Health {
        match status.phase.as_str() {
            "quarantine" | "failed" => Health::Journal,
            "running" if !status.has_space => Health::Disk,
            "running" => match status.line {
                LineState::Closed | LineState::Settling => Health::Board,
                LineState::Idle | LineState::Busy | LineState::Held => Health::Good,
            },
            _ => Health::NotServing,
        }
    }

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Health::Good => "good",
            Health::NotServing => "not_serving",
            Health::Journal => "journal",
            Health::Disk => "disk",
            Health::Board => "board",
        }
    }
}

/// Writes metrics in the text format, version 0.0.4: for each a help, a type, and its samples together.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // A text takes whatever is written to it.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn labelled<'a>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        label: &str,
        samples: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        self.family(name, kind, help);
        for (value, sample) in samples {
            let _ = writeln!(self.0, "{name}{{{label}=\"{}\"}} {sample}", escaped(value));
        }
    }
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A number of things, as a sample.
fn many(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The whole page.
#[must_use]
pub fn text(status: &Status) -> String {
    let mut page = Page(String::new());
    let about = [("version", &status.version), ("machine_no", &status.machine_no), ("board", &status.board)];
    let labels: Vec<String> = about.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    page.family("vend_info", "gauge", "The program and its machine, in the labels.");
    let _ = writeln!(page.0, "vend_info{{{}}} 1", labels.join(","));
    page.gauge(
        "vend_healthy",
        "1 when an order that comes now can be served.",
        u64::from(Health::of(status) == Health::Good),
    );
    let phases = ["opening", "running", "quarantine", "failed", "stopping"];
    let phase = ("vend_phase", "gauge", "Where the agent stands: 1 at one of the phases.");
    page.labelled(phase, "phase", phases.map(|phase| (phase, u64::from(phase == status.phase))));
    page.gauge("vend_uptime_seconds", "Since the process started.", status.line_quality.counted_for_s);
    page.gauge("vend_broker_connected", "1 while the broker is connected.", u64::from(status.broker_connected));
    page.gauge("vend_time_trusted", "1 while the time of day can be trusted.", u64::from(status.time_trusted));
    page.gauge("vend_disk_has_room", "1 while there is room on the disk for new orders.", u64::from(status.has_space));
    journal(&mut page, status);
    sales(&mut page, status);
    line(&mut page, status);
    counters(&mut page, &status.counters);
    page.0
}

fn sales(page: &mut Page, status: &Status) {
    let family = ("vend_sales", "gauge", "Sales at the machine that are kept, by where they stand.");
    let states = SaleState::ALL.map(|state| (state.as_str(), many(status.sales.of(state))));
    page.labelled(family, "state", states);
    page.gauge("vend_sales_open", "Sales at the machine that have not ended.", many(status.sales.open));
    page.gauge("vend_sales_refunds_due", "Sales of which money is to go back.", many(status.sales.refunds_due));
    let oldest_s = status.sales.oldest_refund_s.unwrap_or(0);
    page.gauge("vend_sales_oldest_refund_seconds", "How long the oldest of these waits; 0 without one.", oldest_s);
}

fn journal(page: &mut Page, status: &Status) {
    let family = ("vend_orders", "gauge", "Orders in the journal, by state of their life.");
    let states = State::ALL.into_iter().filter(|state| *state != State::Unseen).map(State::as_str);
    let count = |state| many(status.orders_by_state.get(state).copied().unwrap_or(0));
    page.labelled(family, "state", states.map(|state| (state, count(state))));
    page.gauge("vend_orders_open", "Orders that are not final.", many(status.orders_open));
    page.gauge("vend_reports_unsent", "Copies of reports that no receiver has taken yet.", many(status.reports_open));
    let oldest_s = status.oldest_unsent_s.unwrap_or(0);
    page.gauge("vend_oldest_report_unsent_seconds", "Age of the oldest of these reports; 0 without one.", oldest_s);
    page.gauge("vend_calls_unsent", "Calls that the platform has not taken yet.", many(status.calls_open));
    page.gauge("vend_calls_dead", "Calls that the platform refused for good.", many(status.calls_dead));
    page.gauge(
        "vend_results_uncompared",
        "Results still to be compared with the cloud's books.",
        many(status.results_open),
    );
    page.gauge("vend_differences", "Results that the cloud's books do not agree with.", many(status.differences));
}

fn line(page: &mut Page, status: &Status) {
    let states = [
        ("closed", LineState::Closed),
        ("settling", LineState::Settling),
        ("idle", LineState::Idle),
        ("busy", LineState::Busy),
        ("held", LineState::Held),
    ];
    let family = ("vend_line_state", "gauge", "The line to the board: 1 at one of the states.");
    page.labelled(family, "state", states.map(|(word, state)| (word, u64::from(state == status.line))));
    let total = status.line_quality.total;
    let directions = |into, out| [("in", into), ("out", out)];
    let frames = ("vend_line_frames_total", "counter", "Frames on the line.");
    page.labelled(frames, "direction", directions(total.frames_in, total.frames_out));
    let bytes = ("vend_line_bytes_total", "counter", "Bytes on the line.");
    page.labelled(bytes, "direction", directions(total.bytes_in, total.bytes_out));
    let faults = ("vend_line_faults_total", "counter", "What was wrong on the line.");
    let kinds = [
        ("bad_check", total.bad_checks),
        ("noise", total.noise),
        ("unexpected", total.unexpected),
        ("time_out", total.time_outs),
        ("resend", total.resends),
        ("reopening", total.reopenings),
        ("board_restart", total.board_restarts),
    ];
    page.labelled(faults, "kind", kinds);
    page.family("vend_line_round_trip_seconds", "summary", "From a question to the board's answer.");
    let _ = writeln!(page.0, "vend_line_round_trip_seconds_sum {}", seconds(total.round_trips_ms));
    let _ = writeln!(page.0, "vend_line_round_trip_seconds_count {}", total.round_trips);
}

/// Milliseconds as seconds, exactly.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

fn counters(page: &mut Page, counters: &Counters) {
    let Counters {
        messages,
        paced,
        rejected,
        accepted,
        refused,
        duplicates,
        conflicts,
        codes_used,
        codes_wrong,
        tests,
        driven,
        reports_settled,
        calls_settled,
        calls_left_out,
        differences,
        commits,
        // With the line.
        line_faults: _,
        line_opened,
        board_restarts: _,
    } = *counters;
    page.counter("vend_messages_total", "Messages from the platform.", messages);
    let family = ("vend_messages_odd_total", "counter", "Those of them that were made to wait or led to no order.");
    let kinds = [("paced", paced), ("rejected", rejected), ("duplicate", duplicates), ("conflict", conflicts)];
    page.labelled(family, "kind", kinds);
    let family = ("vend_orders_total", "counter", "Orders that came, by whether they were taken.");
    page.labelled(family, "verdict", [("accepted", accepted), ("refused", refused)]);
    let family = ("vend_pickup_codes_total", "counter", "Pickup codes entered, by whether they were right.");
    page.labelled(family, "verdict", [("used", codes_used), ("wrong", codes_wrong)]);
    for (name, help, value) in [
        ("vend_motor_commands_total", "Motor commands sent.", driven),
        ("vend_test_vends_total", "Test vends begun.", tests),
        ("vend_reports_taken_total", "Reports taken by their receiver.", reports_settled),
        ("vend_calls_taken_total", "Calls taken by the platform.", calls_settled),
        ("vend_calls_left_out_total", "Calls that were not even kept.", calls_left_out),
        ("vend_differences_total", "Results that the cloud's books did not agree with in the end.", differences),
        ("vend_journal_commits_total", "Commits of the journal.", commits),
        ("vend_line_openings_total", "Times that the port was opened.", line_opened),
    ] {
        page.counter(name, help, value);
    }
}
