//! The promise, held against what the board, the receiver and the platform wrote down on their own. Pure: made-up
//! records show in `made_up.rs` that each way of breaking it is noticed.

use std::collections::BTreeMap;

/// One motor turn of the board's own log, by boot time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turned {
    pub at_ms: u64,
    /// Goods fell.
    pub dropped: bool,
}

/// One report, as one receiver heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub at_ms: u64,
    pub sequence: u64,
    /// The order's outcome.
    pub outcome: String,
    /// Each unit's outcome.
    pub units: Vec<String>,
    /// `deliver_status`: "1" when everything was dispensed.
    pub deliver_status: String,
    pub floor_status: Option<String>,
    /// The receiver said 2xx.
    pub taken: bool,
    pub body: Vec<u8>,
}

/// What the merchant's receiver of an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merchant {
    /// Takes reports, at the latest when the faults are over.
    Listens,
    /// Its URL may never be called: the copy ends in the dead letters.
    Forbidden,
}

/// One order that was sent, and everything that was seen of it.
#[derive(Debug, Clone)]
pub struct OrderSeen {
    pub order_id: String,
    pub quantity: usize,
    pub merchant: Merchant,
    pub sent_at_ms: u64,
    /// The agent said `accepted`.
    pub accepted: bool,
    /// Turns of its slot since it was sent.
    pub turns: Vec<Turned>,
    pub http: Vec<Told>,
    pub mqtt: Vec<Told>,
    /// Its line of `vend journal dump`: its state, and each report's state.
    pub journal: Option<(String, Vec<String>)>,
}

/// A machine's life: its orders, and what was done to it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub profile: &'static str,
    pub turn_ms: u64,
    /// After the end of a turn an agent that was killed may still need to hear of it for so long.
    pub listening_ms: u64,
    pub orders: Vec<OrderSeen>,
    /// Turns of slots that no order had asked for.
    pub stray_turns: Vec<Turned>,
    /// When the agent was killed.
    pub kills_ms: Vec<u64>,
    /// Only kills, board powered and plugged in: then *unknown* needs a kill and is limited.
    pub only_kills: bool,
}

/// The promise was broken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Broken {
    #[error("order {order}: {turns} turns for {quantity} units")]
    TurnedTooOften { order: String, turns: usize, quantity: usize },
    #[error("slots turned that no order asked for: {0:?}")]
    Stray(Vec<Turned>),
    #[error("order {order}: no last report over {channel}")]
    Lost { order: String, channel: &'static str },
    #[error("order {order}: over {channel} report {sequence} came first after a later one")]
    SequenceFell { order: String, channel: &'static str, sequence: u64 },
    #[error("order {order}: report {sequence} has two bodies over {channel}")]
    BodyChanged { order: String, channel: &'static str, sequence: u64 },
    #[error("order {order}: HTTP and MQTT tell different units in report {sequence}")]
    TwoTruths { order: String, sequence: u64 },
    #[error("order {order}: reported {units:?} as {outcome}, deliver_status {deliver_status}, {floor_status:?}")]
    WrongSum {
        order: String,
        units: Vec<String>,
        outcome: String,
        deliver_status: String,
        floor_status: Option<String>,
    },
    #[error("order {order}: reported {units:?}, but the board says {turns:?}")]
    Untrue { order: String, units: Vec<String>, turns: Vec<Turned> },
    #[error("order {order}: a report follows one that was no longer unknown")]
    CorrectedTwice { order: String },
    #[error("order {order} unit {unit} is unknown, and no kill explains it")]
    Groundless { order: String, unit: usize },
    #[error("order {order} stands in the journal as {journal:?}")]
    Journal { order: String, journal: Option<(String, Vec<String>)> },
    #[error("{profile}: {unknown} of {of} units are unknown, the limit is {limit_percent} %")]
    TooManyUnknown { profile: &'static str, unknown: usize, of: usize, limit_percent: f64 },
}

/// Sums for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub orders: usize,
    pub units: usize,
    pub turns: usize,
    /// Units whose turn, or its telling, a kill fell into.
    pub cut: usize,
    /// Units that ended *unknown* though their motor had turned.
    pub unknown_turned: usize,
    /// Units that ended *unknown* and whose motor never moved: killed between the motor mark and the first byte.
    pub unknown_unturned: usize,
    /// Orders whose *unknown* was corrected.
    pub corrected: usize,
    /// Reports that a receiver heard again.
    pub repeated: usize,
    pub refused: usize,
}

/// How many of the units may end *unknown* when only the agent is killed, in percent, whether they turned or not. Where
/// the board remembers nothing no share is promised: there each one must be cut by a kill.
pub fn limit_percent(profile: &str) -> Option<f64> {
    match profile {
        "adh814" | "adh815" => Some(0.0),
        "uling-zdm8" | "xy-v3" => Some(2.0),
        _ => None,
    }
}

/// Here a jam and a slot without goods may end *unknown* in peace, too: a vmc96's host sees a turn through a window of a
/// second, and a lock-8a that says nothing may have opened unseen.
const DOUBTS_FAILURES: [&str; 2] = ["vmc96", "lock-8a"];

/// Below so many units one unknown says nothing about a share; a limit of nothing holds from the first.
const UNITS_FOR_A_SHARE: usize = 100;

/// Everything that is wrong with this life, and its sums.
pub fn judge(seen: &Seen) -> (Tally, Vec<Broken>) {
    let mut broken = Vec::new();
    let mut tally = Tally::default();
    if !seen.stray_turns.is_empty() {
        broken.push(Broken::Stray(seen.stray_turns.clone()));
    }
    for order in &seen.orders {
        judge_order(seen, order, &mut tally, &mut broken);
    }
    if seen.only_kills
        && let Some(limit_percent) = limit_percent(seen.profile)
    {
        let unknown = tally.unknown_turned + tally.unknown_unturned;
        let share = 100.0 * unknown as f64 / tally.units.max(1) as f64;
        let counts = limit_percent == 0.0 || tally.units >= UNITS_FOR_A_SHARE;
        if counts && share > limit_percent {
            let (profile, of) = (seen.profile, tally.units);
            broken.push(Broken::TooManyUnknown { profile, unknown, of, limit_percent });
        }
    }
    (tally, broken)
}

fn judge_order(seen: &Seen, order: &OrderSeen, tally: &mut Tally, broken: &mut Vec<Broken>) {
    let name = || order.order_id.clone();
    tally.orders += 1;
    tally.units += order.quantity;
    tally.turns += order.turns.len();
    tally.cut += order.turns.iter().filter(|turn| is_cut(seen, turn)).count();
    if order.turns.len() > order.quantity {
        let (turns, quantity) = (order.turns.len(), order.quantity);
        broken.push(Broken::TurnedTooOften { order: name(), turns, quantity });
    }
    for (channel, heard) in [("HTTP", &order.http), ("MQTT", &order.mqtt)] {
        tally.repeated += one_body_each(order, channel, heard, broken);
    }
    let last_of = |heard: &[Told]| heard.iter().max_by_key(|told| told.sequence).cloned();
    let (http, mqtt) = (last_of(&order.http), last_of(&order.mqtt));
    let Some(last) = http.iter().chain(&mqtt).max_by_key(|told| told.sequence) else {
        broken.push(Broken::Lost { order: name(), channel: "any channel" });
        return;
    };
    if mqtt.as_ref().is_none_or(|told| told.sequence < last.sequence) {
        broken.push(Broken::Lost { order: name(), channel: "MQTT" });
    }
    let taken = order.http.iter().any(|told| told.taken && told.sequence == last.sequence);
    if (order.merchant == Merchant::Listens) != taken {
        broken.push(Broken::Lost { order: name(), channel: "HTTP" });
    }
    for told in &order.http {
        if order.mqtt.iter().any(|m| m.sequence == told.sequence && m.units != told.units) {
            broken.push(Broken::TwoTruths { order: name(), sequence: told.sequence });
        }
    }
    let before: Vec<&Told> =
        order.http.iter().chain(&order.mqtt).filter(|told| told.sequence < last.sequence).collect();
    if before.iter().any(|told| !told.units.iter().any(|unit| unit == "unknown")) {
        broken.push(Broken::CorrectedTwice { order: name() });
    }
    tally.corrected += usize::from(!before.is_empty());
    sum_is_right(order, last, broken);
    hold_against_the_board(order, last, broken);
    tally.refused += last.units.iter().filter(|unit| *unit == "refused").count();
    let first_told_ms = order.http.iter().chain(&order.mqtt).map(|told| told.at_ms).min().unwrap_or(u64::MAX);
    for (unit, _) in last.units.iter().enumerate().filter(|(_, said)| *said == "unknown") {
        match order.turns.get(unit) {
            Some(turn) => {
                tally.unknown_turned += 1;
                if seen.only_kills && !DOUBTS_FAILURES.contains(&seen.profile) && !is_cut(seen, turn) {
                    broken.push(Broken::Groundless { order: name(), unit: unit + 1 });
                }
            }
            None => {
                tally.unknown_unturned += 1;
                let since_ms = order.turns.last().map_or(order.sent_at_ms, |turn| turn.at_ms + seen.turn_ms);
                let killed = seen.kills_ms.iter().any(|at| (since_ms..=first_told_ms).contains(at));
                if seen.only_kills && !DOUBTS_FAILURES.contains(&seen.profile) && !killed {
                    broken.push(Broken::Groundless { order: name(), unit: unit + 1 });
                }
            }
        }
    }
    let journal_is_closed = order.journal.as_ref().is_some_and(|(state, reports)| {
        let end = if order.merchant == Merchant::Forbidden { "dead" } else { "settled" };
        ["settled", "tombstone"].contains(&state.as_str()) && reports.iter().all(|state| state == end)
    });
    if !journal_is_closed {
        broken.push(Broken::Journal { order: name(), journal: order.journal.clone() });
    }
}

/// A kill fell between the first instant of the turn and the last in which the board may still tell of it.
fn is_cut(seen: &Seen, turn: &Turned) -> bool {
    let end_ms = turn.at_ms + seen.turn_ms + seen.listening_ms;
    seen.kills_ms.iter().any(|at| (turn.at_ms..=end_ms).contains(at))
}

/// The same sequence says the same, byte for byte, and they rise. Returns how often one was repeated.
fn one_body_each(order: &OrderSeen, channel: &'static str, heard: &[Told], broken: &mut Vec<Broken>) -> usize {
    let mut bodies: BTreeMap<u64, &[u8]> = BTreeMap::new();
    let mut repeated = 0;
    for told in heard {
        let (order, sequence) = (order.order_id.clone(), told.sequence);
        match bodies.get(&sequence) {
            Some(body) if *body == told.body => repeated += 1,
            Some(_) => broken.push(Broken::BodyChanged { order, channel, sequence }),
            None => {
                if bodies.last_key_value().is_some_and(|(last, _)| *last > sequence) {
                    broken.push(Broken::SequenceFell { order, channel, sequence });
                }
                bodies.insert(sequence, &told.body);
            }
        }
    }
    repeated
}

/// The order's outcome and statuses follow from its units as documented.
fn sum_is_right(order: &OrderSeen, last: &Told, broken: &mut Vec<Broken>) {
    let units: Vec<&str> = last.units.iter().map(String::as_str).collect();
    let failing = units.iter().find(|unit| !unit.starts_with("dispensed")).copied();
    let some_dispensed = units.iter().any(|unit| unit.starts_with("dispensed"));
    let (outcome, telling) = match failing {
        None if units.contains(&"dispensed_unverified") => ("dispensed_unverified", "dispensed"),
        None => ("dispensed", "dispensed"),
        Some(failing) if some_dispensed => ("partial", failing),
        Some(_) if units.contains(&"unknown") => ("unknown", "unknown"),
        Some(failing) => (failing, failing),
    };
    let floor_status_fits = match telling {
        "dispensed" => last.floor_status.as_deref() == Some("1"),
        "no_drop" => last.floor_status.as_deref() == Some("2"),
        "unknown" => last.floor_status.as_deref() == Some("47"),
        "refused" => last.floor_status.is_none(),
        _ => matches!(last.floor_status.as_deref(), Some("0" | "3")),
    };
    let deliver_status = if failing.is_none() { "1" } else { "0" };
    let all_told = units.len() == order.quantity;
    if !all_told || last.outcome != outcome || last.deliver_status != deliver_status || !floor_status_fits {
        broken.push(Broken::WrongSum {
            order: order.order_id.clone(),
            units: last.units.clone(),
            outcome: last.outcome.clone(),
            deliver_status: last.deliver_status.clone(),
            floor_status: last.floor_status.clone(),
        });
    }
}

/// What the board did × what may be said. Units go in turn, so turn n belongs to unit n, and only the first unit that
/// is not dispensed may have turned or not.
fn hold_against_the_board(order: &OrderSeen, last: &Told, broken: &mut Vec<Broken>) {
    let mut failed = false;
    for (unit, said) in last.units.iter().enumerate() {
        let turn = order.turns.get(unit);
        let dropped = turn.is_some_and(|turn| turn.dropped);
        let is_true = match said.as_str() {
            _ if failed && turn.is_some() => false,
            "dispensed" => dropped,
            "dispensed_unverified" => turn.is_some(),
            "no_drop" | "not_dispensed" => !dropped,
            "refused" => turn.is_none(),
            "unknown" => true,
            _ => false,
        };
        if !is_true {
            let (order, turns) = (order.order_id.clone(), order.turns.clone());
            broken.push(Broken::Untrue { order, units: last.units.clone(), turns });
            return;
        }
        failed |= !said.starts_with("dispensed");
    }
}
