//! What the platform sends: signed commands, and commands that are wrong in one way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use vend::cloud::sign::{SigningKey, sign};

pub const MACHINE_NO: &str = "16327129";
/// The vendor's printed sample key.
pub const APP_KEY: &str = "kva";

/// Unix seconds.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A command for the machine, good unless told otherwise.
#[derive(Debug, Clone)]
pub struct Command {
    fields: BTreeMap<String, String>,
    key: &'static str,
}

/// Dispense one unit from slot 5.
pub fn put(order_id: &str, record_id: &str) -> Command {
    Command::new("device.delivery.put", order_id, record_id).with("code", "5")
}

/// What became of an order?
pub fn get(order_id: &str, record_id: &str) -> Command {
    Command::new("device.delivery.get", order_id, record_id)
}

/// A pickup code for one unit from slot 5.
pub fn pickup_code(id: &str, digits: &str) -> Command {
    Command::new("client.pickup_codes.create", "", "")
        .with("id", id)
        .with("code", digits)
        .with("product_id", "20001")
        .with("quantity", "1")
        .with("channel_code", "5")
}

/// Something beside an order, by its method.
#[allow(dead_code, reason = "not every test that sends commands sends these")]
pub fn instruction(method: &str) -> Command {
    Command::new(method, "", "").without("order_id").without("record_id")
}

impl Command {
    fn new(method: &str, order_id: &str, record_id: &str) -> Command {
        let timestamp = now_s().to_string();
        let fields = [
            ("method", method),
            ("timestamp", &timestamp),
            ("client_id", MACHINE_NO),
            ("order_id", order_id),
            ("record_id", record_id),
        ];
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Command { fields, key: APP_KEY }
    }

    pub fn with(mut self, name: &str, value: &str) -> Command {
        self.fields.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn without(mut self, name: &str) -> Command {
        self.fields.remove(name);
        self
    }

    pub fn code(self, slot: &str) -> Command {
        self.with("code", slot)
    }

    pub fn quantity(self, units: u32) -> Command {
        self.with("quantity", &units.to_string())
    }

    pub fn notify(self, url: &str) -> Command {
        self.with("notify_url", url)
    }

    /// As if the platform had issued it so many seconds ago.
    pub fn issued_s_ago(self, s: u64) -> Command {
        self.with("timestamp", &(now_s() - s).to_string())
    }

    pub fn signed_with(mut self, key: &'static str) -> Command {
        self.key = key;
        self
    }

    /// A default for what the test did not say.
    pub fn or_notify(self, url: &str) -> Command {
        if self.fields.contains_key("notify_url") { self } else { self.notify(url) }
    }

    /// The signed JSON object.
    pub fn json(&self) -> String {
        let mut fields = self.fields.clone();
        fields.insert("sign".to_owned(), signature(&self.fields, self.key));
        serde_json::to_string(&fields).expect("texts")
    }

    pub fn payload(&self) -> Vec<u8> {
        envelope(self.json().as_bytes())
    }
}

pub fn envelope(json: &[u8]) -> Vec<u8> {
    BASE64.encode(json).into_bytes()
}

fn signature(fields: &BTreeMap<String, String>, key: &str) -> String {
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    sign(fields, &SigningKey::new(key).expect("a key")).as_str().to_owned()
}

/// A message or report of ours, its signature checked: it covers everything but lists.
pub fn checked(json: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(json).expect("JSON");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let object = value.as_object().expect("an object");
    let fields = object
        .iter()
        .filter(|(name, value)| *name != "sign" && !value.is_array())
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    assert_eq!(value["sign"], signature(&fields, APP_KEY), "the signature of {value}");
    value
}

/// The same from inside its envelope, as it goes up over MQTT: all values are texts.
pub fn opened(payload: &[u8]) -> Value {
    let value = checked(&BASE64.decode(payload).expect("Base64"));
    let fields = value.as_object().expect("an object");
    assert!(fields.values().all(Value::is_string), "{value} has something else than texts");
    value
}
