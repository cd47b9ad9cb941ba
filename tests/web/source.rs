//! The pages' listener with a machine behind it that is in whatever state a test wants.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use vend::config::credentials::Secret;
use vend::config::file::WebTokenFor;
use vend::config::host::Host;
use vend::control::{Ask, Asked, Place, Refusal, Told};
use vend::core::SaleRefusal;
use vend::io::web::accept;
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
}

impl Machine {
    /// A machine at work with four slots, one of each kind and one more.
    pub fn new() -> Machine {
        let documents = vec![
            (Place::Status, status()),
            (Place::Orders, json!({ "schema_version": 1, "orders": orders() })),
            (Place::Slots, json!({ "schema_version": 1, "slots": slots() })),
            (Place::Sale, json!({ "schema_version": 1, "sale": null })),
            (Place::SaleStart, json!({ "schema_version": 1, "sale": 7 })),
            (Place::SaleCancel, json!({ "schema_version": 1, "sale": 7 })),
        ];
        Machine { documents, refusals: Vec::new(), asked: Vec::new() }
    }

    /// What it answers there.
    pub fn document(&mut self, place: Place) -> &mut Value {
        &mut self.documents.iter_mut().find(|(at, _)| *at == place).unwrap().1
    }

    fn answer(&mut self, ask: Ask) -> Result<Vec<u8>, Refusal> {
        let place = ask.place();
        self.asked.push(ask);
        if let Some((_, why)) = self.refusals.iter().find(|(at, _)| *at == place) {
            return Err(Refusal::of_sale(*why));
        }
        let (_, document) = self.documents.iter().find(|(at, _)| *at == place).expect("a document of this machine");
        Ok(serde_json::to_vec(document).unwrap())
    }
}

/// A slot as the core tells of it.
pub fn slot(slot: u16, name: &str, price_fen: u64, count: u16) -> Value {
    json!({
        "address": 1, "slot": slot, "code": slot, "product_id": 20_000 + u64::from(slot), "product": name,
        "price_fen": price_fen, "count": count, "doubtful": 0, "capacity": 9, "condition": "well", "locked": false,
        "for_sale": count > 0
    })
}

pub fn slots() -> Vec<Value> {
    let mut jammed = slot(8, "Sparkling water with lemon, 500 ml", 450, 5);
    (jammed["condition"], jammed["for_sale"]) = ("jammed".into(), false.into());
    let mut nameless = slot(9, "", 100, 5);
    nameless["product"] = Value::Null;
    vec![slot(5, "可乐", 305, 7), slot(6, "矿泉水 550 毫升", 200, 2), slot(7, "Crisps", 1250, 0), jammed, nameless]
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
        "oldest_unsent_s": 4_000, "time_trusted": true, "orders_open": 1, "reports_open": 1, "calls_open": 0, "calls_dead": 0,
        "dead_calls": [], "results_open": 0, "differences": 0, "differing": [], "orders_settled": 12,
        "has_space": true, "verifies_orders": true, "certificates": [], "schedule": [], "settings": {},
        "counters": serde_json::to_value(vend::core::Counters { driven: 11, accepted: 12, ..Default::default() }).unwrap(),
        "rejected": [],
        "recent": [{ "level": "warn", "what": "broker", "text": "connection lost" }]
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
                let access = Rc::new(access);
                let answering = async {
                    while let Some(Asked { ask, answer, .. }) = asked.recv().await {
                        let _ = answer.send(core.lock().unwrap().answer(ask).map(Told::Document));
                    }
                };
                tokio::select! {
                    never = accept(listener, &access, &asks) => match never {},
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
