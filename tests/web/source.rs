//! The pages' listener with a machine behind it that is in whatever state a test wants.

use serde_json::{Value, json};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use vend::config::credentials::Secret;
use vend::config::file::WebTokenFor;
use vend::config::host::Host;
use vend::control::{Ask, Asked, Place, Refusal, Told};
use vend::core::{DecisionError, SaleRefusal};
use vend::io::web::{self, Findings, accept};
use vend::order::sale::{State, Why};
use vend::web::access::Access;

pub const PAY_CODE: &str = "weixin://wxpay/bizpayurl?pr=NwY5Mz9&groupid=00";
pub const TOKEN: &str = "a-token-of-some-length";

/// What the core would answer, by what it is asked.
pub struct Machine {
    pub documents: Vec<(Place, Value)>,
    /// What it does not do.
    pub refusals: Vec<(Place, SaleRefusal)>,
    /// Everything that was asked.
    pub asked: Vec<Ask>,
    /// Whoever listens to the frames.
    pub listeners: Vec<mpsc::Sender<Vec<u8>>>,
    /// Nobody more may listen to them.
    pub is_crowded: bool,
}

impl Machine {
    /// A machine at work with four slots, one of each kind and one more.
    pub fn new() -> Machine {
        let documents = vec![
            (Place::Status, status()),
            (Place::Orders, json!({ "schema_version": 1, "orders": orders(), "settled": settled() })),
            (Place::Order, story()),
            (Place::Slots, json!({ "schema_version": 1, "slots": slots() })),
            (Place::Sale, json!({ "schema_version": 1, "sale": null })),
            (Place::SaleStart, json!({ "schema_version": 1, "sale": 7 })),
            (Place::SaleCancel, json!({ "schema_version": 1, "sale": 7 })),
        ];
        Machine { documents, refusals: Vec::new(), asked: Vec::new(), listeners: Vec::new(), is_crowded: false }
    }

    /// What it answers there.
    pub fn document(&mut self, place: Place) -> &mut Value {
        &mut self.documents.iter_mut().find(|(at, _)| *at == place).unwrap().1
    }

    fn answer(&mut self, ask: Ask) -> Result<Told, Refusal> {
        if ask == Ask::Frames {
            if self.is_crowded {
                return Err(Refusal::of("4 listen already; end one of them".to_owned()));
            }
            let (listener, lines) = mpsc::channel(16);
            self.listeners.push(listener);
            self.asked.push(ask);
            return Ok(Told::Stream(lines));
        }
        if let Ask::Order(key) = &ask
            && key.order_id.as_str().starts_with('9')
        {
            return Err(Refusal::about_order(DecisionError::NoSuchOrder));
        }
        let place = ask.place();
        self.asked.push(ask);
        if let Some((_, why)) = self.refusals.iter().find(|(at, _)| *at == place) {
            return Err(Refusal::of_sale(*why));
        }
        let (_, document) = self.documents.iter().find(|(at, _)| *at == place).expect("a document of this machine");
        Ok(Told::Document(serde_json::to_vec(document).unwrap()))
    }

    /// A frame passes.
    pub fn passes(&self, way: &str, hex: &str, meaning: &str) {
        let line = json!({
            "schema_version": 1, "since_boot_ms": 5, "wall_ms": 1_714_373_690_042_u64, "way": way, "hex": hex,
            "meaning": meaning, "meaning_zh": "转动货道 5"
        });
        for listener in &self.listeners {
            // One that left hears nothing.
            let _ = listener.blocking_send(format!("{line}\n").into_bytes());
        }
    }
}

/// A slot as the core tells of it.
pub fn slot(slot: u16, name: &str, price_fen: u64, count: u16) -> Value {
    json!({
        "address": 1, "slot": slot, "code": slot, "product_id": 20_000 + u64::from(slot), "product": name,
        "price_fen": price_fen, "count": count, "doubtful": 0, "capacity": 9, "condition": "well", "locked": false,
        "turning": false, "for_sale": count > 0
    })
}

pub fn slots() -> Vec<Value> {
    let mut jammed = slot(8, "Sparkling water with lemon, 500 ml", 450, 5);
    (jammed["condition"], jammed["for_sale"]) = ("jammed".into(), false.into());
    let mut nameless = slot(9, "", 100, 5);
    nameless["product"] = Value::Null;
    let mut turning = slot(5, "可乐", 305, 7);
    turning["turning"] = true.into();
    vec![turning, slot(6, "矿泉水 550 毫升", 200, 2), slot(7, "Crisps", 1250, 0), jammed, nameless]
}

/// A sale of the first slot as the core tells of it.
pub fn sale(state: State, why: Option<Why>) -> Value {
    let is_waiting = state == State::Waiting;
    json!({
        "sale": 7, "state": state.as_str(), "attended": state.is_attended(), "needs_person": state.needs_person(),
        "address": 1, "slot": 5, "name": "可乐", "price_fen": 305,
        "pay_code": is_waiting.then_some(PAY_CODE), "trade_no": "1", "order": null, "chosen_at_s": 1,
        "expires_in_s": is_waiting.then_some(1_187), "progress": null, "why": why.map(Why::as_str), "outcome": null,
        "paid_fen": null, "settled": null
    })
}

pub fn orders() -> Vec<Value> {
    vec![json!({
        "order_id": "80001", "record_id": "1", "state": "reported",
        "units": [{ "unit": 1, "state": "outcome", "outcome": "unknown" }],
        "reports": [{ "sequence": 1, "state": "pending", "attempts": 3 }]
    })]
}

fn settled() -> Vec<Value> {
    vec![json!({
        "order_id": "80000", "record_id": "1", "state": "settled",
        "units": [{ "unit": 1, "state": "outcome", "outcome": "dispensed" }],
        "reports": [{ "sequence": 1, "state": "settled", "attempts": 1 }]
    })]
}

/// The course of the first order.
pub fn story() -> Value {
    let step = |since: u64, trusted: Option<u64>, kind: &str, (text, zh): (&str, &str), times: u32| {
        json!({
            "since_boot_ms": since, "trusted_ms": trusted, "kind": kind, "text": text, "text_zh": zh, "times": times,
            "last_since_boot_ms": since
        })
    };
    let frame = |mut step: Value, en: &str, zh: &str| {
        step["meaning"] = json!({ "en": en, "zh": zh });
        step
    };
    let at = 1_714_373_690_042_u64;
    let steps = vec![
        step(61_005, None, "message", ("put came from the platform", "收到平台指令"), 1),
        step(61_006, Some(at), "state", ("new: accepted", "新订单：已接受"), 1),
        frame(step(61_040, Some(at + 35), "frame_out", ("00 ff 05 fa aa 55", ""), 1), "TURN slot 5", "转动货道 5"),
        frame(step(61_090, Some(at + 85), "frame_in", ("00 5c aa 00", ""), 3), "fine", "正常"),
        step(63_000, Some(at + 2_000), "state", ("unit 1: unknown", "第 1 件：未知"), 1),
        step(
            63_100,
            Some(at + 2_100),
            "report",
            ("report 1 over HTTP to shop.example: status 200", "上报 1 经 HTTP 至 shop.example：状态码 200"),
            1,
        ),
    ];
    json!({
        "schema_version": 1, "order": orders()[0], "issued_at_s": 1_714_373_680, "drive_until_s": 1_714_373_800,
        "address": 1, "slot": 5, "resolved_by_person": false, "whole": true, "left_out": 0, "steps": steps
    })
}

pub fn status() -> Value {
    let counts = |faults: u64, trips: u64| {
        json!({
            "frames_in": 900, "frames_out": 910, "bytes_in": 9_000, "bytes_out": 9_100, "bad_checks": faults,
            "noise": 0, "unexpected": 0, "time_outs": faults / 2, "resends": 1, "reopenings": 0, "board_restarts": 0,
            "round_trips": trips, "round_trips_ms": trips * 35, "longest_round_trip_ms": 80
        })
    };
    let hours: Vec<Value> =
        (0..24).map(|h| json!({ "hours_ago": h, "counts": counts((h * 7) % 5, 100 + h * 3) })).collect();
    json!({
        "schema_version": 1, "version": "0.1.0", "machine_no": "16327129", "phase": "running",
        "broker_connected": true, "board": "tcn-00ff", "board_identity": "TCN \"v2\"", "line": "idle",
        "line_quality": { "counted_for_s": 90_061, "total": counts(4, 900), "hours": hours },
        "vend_hours": (0..24)
            .filter(|h| h % 5 != 4)
            .map(|h| json!({ "hours_ago": h, "counts": { "dispensed": h % 7, "failed": u64::from(h == 6), "unknown": u64::from(h == 3) } }))
            .collect::<Vec<_>>(),
        "oldest_unsent_s": 4_000, "time_trusted": true, "orders_open": 1,
        "orders_by_state": { "reported": 1, "tombstone": 12 }, "reports_open": 1, "calls_open": 0, "calls_dead": 0,
        "dead_calls": [], "results_open": 0, "differences": 0, "differing": [],
        "orders_in_doubt": 1, "in_doubt": ["80001:1"], "orders_settled": 12,
        "has_space": true, "verifies_orders": true, "certificates": [], "schedule": [], "settings": {},
        "counters": serde_json::to_value(vend::core::Counters { driven: 11, accepted: 12, ..Default::default() }).unwrap(),
        "rejected": [],
        "troubles": [], "recent": [{ "level": "warn", "what": "broker", "text": "connection lost" }]
    })
}

/// The listener; it ends with this.
pub struct Source {
    pub address: SocketAddr,
    pub machine: Arc<Mutex<Machine>>,
    _end: oneshot::Sender<()>,
}

impl Source {
    /// On loopback, on a free port.
    pub fn start(token_for: WebTokenFor) -> Source {
        Source::with_doctor(token_for, "exit 1")
    }

    /// The same with a doctor that a shell's script plays.
    pub fn with_doctor(token_for: WebTokenFor, script: &str) -> Source {
        let doctor = ["-c", script].map(OsString::from).into();
        let machine = Arc::new(Mutex::new(Machine::new()));
        let access =
            Access { token_for, token: Some(Secret::new(TOKEN)), names: vec![Host::parse("vend.lan").unwrap()] };
        let (told, address) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        let core = machine.clone();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            LocalSet::new().block_on(&runtime, async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                let (asks, mut asked) = mpsc::channel::<Asked>(8);
                let source = web::Source::new(access, asks, Findings::told_by("sh".into(), doctor));
                let answering = async {
                    while let Some(Asked { ask, answer, .. }) = asked.recv().await {
                        let _ = answer.send(core.lock().unwrap().answer(ask));
                    }
                };
                tokio::select! {
                    never = accept(listener, &source) => match never {},
                    () = answering => {}
                    _ = ended => {}
                }
            });
        });
        Source { address: address.recv().unwrap(), machine, _end: end }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until the core was asked so.
    pub fn wait_for(&self, what: &str, was_asked: impl Fn(&[Ask]) -> bool) {
        crate::support::wait_for(what, || was_asked(&self.machine.lock().unwrap().asked).then_some(()));
    }

    /// Changes what the core tells.
    pub fn change(&self, place: Place, change: impl FnOnce(&mut Value)) {
        change(self.machine.lock().unwrap().document(place));
    }
}
