//! The merchant's receiver of reports.

use super::command::checked;
use super::http_server::{Answer, HttpServer, Request};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Where reports are POSTed to.
pub struct Receiver {
    pub server: HttpServer,
    scheme: &'static str,
    script: Arc<Mutex<VecDeque<Answer>>>,
}

impl Receiver {
    /// Takes every report, unless [`Receiver::will`] says otherwise.
    pub fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Receiver {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let script: Arc<Mutex<VecDeque<Answer>>> = Arc::default();
        let told = script.clone();
        let server =
            HttpServer::start(tls, move |_| told.lock().unwrap().pop_front().unwrap_or_else(|| Answer::status(204)));
        Receiver { server, scheme, script }
    }

    /// The next requests are answered so, one each; those after them are taken.
    pub fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().extend(answers);
    }

    /// Nothing is left of what [`Receiver::will`] said.
    pub fn has_said_all(&self) -> bool {
        self.script.lock().unwrap().is_empty()
    }

    pub fn url(&self) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}/notify", self.scheme, self.server.port())
    }

    /// All tries to report this order so far.
    pub fn tries(&self, order_id: &str, record_id: &str) -> Vec<Value> {
        self.server.requests().all().iter().filter_map(|r| report_in(r, order_id, record_id)).collect()
    }

    /// Waits for so many tries to report this order.
    pub fn wait_for_tries(&self, order_id: &str, record_id: &str, count: usize) -> Vec<Value> {
        self.server.requests().wait(&format!("try number {count} to report {order_id}/{record_id}"), |requests| {
            let tries: Vec<Value> = requests.iter().filter_map(|r| report_in(r, order_id, record_id)).collect();
            (tries.len() >= count).then_some(tries)
        })
    }
}

/// The report, with what must hold for every one of them.
fn report_in(request: &Request, order_id: &str, record_id: &str) -> Option<Value> {
    let value: Value = serde_json::from_slice(&request.body).ok()?;
    let text = |name: &str| value[name].as_str().map_or_else(|| value[name].to_string(), str::to_owned);
    if text("order_id") != order_id || text("record_id") != record_id {
        return None;
    }
    let report = checked(&request.body);
    assert_eq!((request.method.as_str(), request.headers["content-type"].as_str()), ("POST", "application/json"));
    assert_eq!(report["event_id"], request.headers["idempotency-key"]);
    assert_eq!(report["method"], "device.delivery.response");
    Some(report)
}
