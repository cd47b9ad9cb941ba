//! What the platform and the merchants heard, in the order in which it came.

use crate::common::command::{checked, opened};
use crate::common::platform::Platform;
use crate::merchant::{Posted, Receiver};
use crate::verdict::Told;
use serde_json::Value;
use vend::io::clock::boot_now;

/// Something that was heard about an order.
#[derive(Debug)]
pub enum Heard {
    /// `device.delivery.received` with its state.
    Received { order_id: String, state: String },
    /// A report over MQTT.
    Mqtt { order_id: String, told: Told },
    /// A report over HTTP.
    Http { order_id: String, told: Told },
}

/// How far each source was read.
#[derive(Debug, Default)]
pub struct Ears {
    up: usize,
    posted: Vec<usize>,
}

impl Ears {
    /// Everything that came since the last call.
    pub fn listen(&mut self, platform: &Platform, receivers: &[&Receiver]) -> Vec<Heard> {
        let mut heard = Vec::new();
        let from = self.up;
        let messages = platform.up().wait("look at what came up", |up| Some(up[from..].to_vec()));
        self.up += messages.len();
        heard.extend(messages.iter().filter_map(|payload| over_mqtt(payload)));
        self.posted.resize(receivers.len(), 0);
        for (receiver, from) in receivers.iter().zip(&mut self.posted) {
            let posted = receiver.posted(*from);
            *from += posted.len();
            heard.extend(posted.iter().map(over_http));
        }
        heard
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn over_mqtt(payload: &[u8]) -> Option<Heard> {
    let message = opened(payload);
    let order_id = text(&message["order_id"]);
    match message["method"].as_str() {
        Some("device.delivery.received") => Some(Heard::Received { order_id, state: text(&message["state"]) }),
        Some("device.delivery.response") => {
            let units: Value = serde_json::from_str(&text(&message["units"])).expect("a list as text");
            let told = told(boot_now().0, &message, &units, true, payload);
            Some(Heard::Mqtt { order_id, told })
        }
        _ => None,
    }
}

fn over_http(Posted { at_ms, body, taken }: &Posted) -> Heard {
    let report = checked(body);
    Heard::Http { order_id: text(&report["order_id"]), told: told(*at_ms, &report, &report["units"], *taken, body) }
}

fn told(at_ms: u64, report: &Value, units: &Value, taken: bool, body: &[u8]) -> Told {
    let units = units.as_array().expect("a list of units");
    Told {
        at_ms,
        sequence: text(&report["sequence"]).parse().expect("a number"),
        outcome: text(&report["outcome"]),
        units: units.iter().map(|unit| text(&unit["outcome"])).collect(),
        deliver_status: text(&report["deliver_status"]),
        floor_status: report.get("floor_status").map(text),
        taken,
        body: body.to_vec(),
    }
}
