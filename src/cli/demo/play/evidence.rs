//! What the board, the merchant, the cloud and the broker saw, each by itself. The agent is never asked.

use super::broker::Seen;
use crate::cloud::envelope::{self, Fields};
use crate::cloud::report::REPORT_METHOD;
use crate::cloud::sign::{self, SIGN_FIELD, SigningKey};
use crate::cloud::up::{OFFLINE_METHOD, RECEIVED_METHOD};
use crate::core::SALE_METHOD;
use crate::order::said::Said;
use crate::sim::board::Turn;
use bytes::Bytes;
use serde_json::Value;

/// Something that a witness saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The board's own log: a motor began to turn.
    Turn(Turn),
    /// The broker.
    Broker(Seen),
    /// The merchant took a report and answered 200.
    Posted(Post),
    /// Somebody came to the merchant while it was down.
    HungUp,
    /// The cloud was asked about an order.
    Asked {
        /// The order.
        order_id: String,
    },
    /// The cloud has made an order for the machine.
    Made {
        /// The order.
        order_id: String,
    },
    /// The cloud has given the money of an order back.
    Refunded {
        /// The order.
        order_id: String,
    },
    /// The buyer sees a line on the terminal.
    Shown(String),
    /// A witness cannot go on.
    Broke {
        /// Who.
        who: Said,
        /// What the system said.
        why: Said,
    },
}

/// A report as the merchant got it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Post {
    /// As text; empty if the body cannot be read.
    pub order_id: String,
    /// Rises with each correction; 0 if the body cannot be read.
    pub sequence: u64,
    /// The order's.
    pub outcome: String,
    /// Every unit's.
    pub units: Vec<String>,
    /// `sign` fits the body.
    pub is_signed: bool,
    /// Idempotency-Key is the body's `event_id`.
    pub is_keyed: bool,
    /// All of it.
    pub body: Bytes,
}

impl Post {
    /// Reads a request's body and its Idempotency-Key.
    #[must_use]
    pub fn read(idempotency_key: Option<&str>, body: Bytes, signing: &SigningKey) -> Post {
        let Ok(Value::Object(fields)) = serde_json::from_slice(&body) else {
            return Post { body, ..Post::default() };
        };
        // The signature covers texts and numbers, and so everything but the list of units.
        let flat: Vec<(&str, String)> =
            fields.iter().filter_map(|(name, value)| Some((&**name, text(value)?))).collect();
        let claimed = fields.get(SIGN_FIELD).and_then(Value::as_str).unwrap_or_default();
        let is_signed = sign::sign(flat.iter().map(|(name, value)| (*name, value.as_str())), signing).matches(claimed);
        let of = |name: &str| fields.get(name).and_then(text).unwrap_or_default();
        let units = fields.get("units").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Post {
            order_id: of("order_id"),
            sequence: of("sequence").parse().unwrap_or_default(),
            // How a sale ended says its state; what became of its goods stands beside it.
            outcome: if of("method") == SALE_METHOD { of("state") } else { of("outcome") },
            units: units.iter().filter_map(|unit| unit.get("outcome").and_then(text)).collect(),
            is_signed,
            is_keyed: idempotency_key.is_some_and(|key| key == of("event_id")),
            body,
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What a machine published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saying {
    /// `device.delivery.received`.
    Received {
        /// The order.
        order_id: String,
        /// accepted, duplicate, refused …
        state: String,
        /// Why it was refused.
        reason: String,
    },
    /// `device.delivery.response`: the copy of a report.
    Reported {
        /// The order.
        order_id: String,
        /// The order's.
        outcome: String,
        /// As in the merchant's copy.
        sequence: u64,
    },
    /// `client.offline`.
    Offline,
    /// Any other `client.` message: what the machine tells of itself.
    OfItself {
        /// Its method.
        method: String,
    },
    /// Unsigned, unreadable, or of a method that nobody expects.
    Strange,
}

impl Saying {
    /// Reads a payload; only what is signed counts.
    #[must_use]
    pub fn read(payload: &[u8], signing: &SigningKey) -> Saying {
        let signed = envelope::open(payload).ok().filter(|fields| envelope::verify(fields, signing).is_ok());
        let Some(fields) = signed else { return Saying::Strange };
        let of = |name: &str| fields.get(name).unwrap_or_default().to_owned();
        let order_id = of("order_id");
        match fields.get("method") {
            Some(RECEIVED_METHOD) => Saying::Received { order_id, state: of("state"), reason: of("reason") },
            Some(REPORT_METHOD) => {
                let sequence = of("sequence").parse().unwrap_or_default();
                Saying::Reported { order_id, outcome: of("outcome"), sequence }
            }
            Some(OFFLINE_METHOD) => Saying::Offline,
            Some(method) if method.starts_with("client.") => Saying::OfItself { method: method.to_owned() },
            _ => Saying::Strange,
        }
    }
}

/// The order that a message of the platform is about.
#[must_use]
pub fn order_of(payload: &[u8]) -> String {
    let fields: Fields = envelope::open(payload).unwrap_or_default();
    fields.get("order_id").unwrap_or("?").to_owned()
}

/// All that was seen so far.
#[derive(Debug, Default)]
pub struct Record {
    /// By the board.
    pub turns: Vec<Turn>,
    /// By the merchant.
    pub posts: Vec<Post>,
    /// By the merchant while it was down.
    pub hung_up: usize,
    /// By the broker: what machines said.
    pub sayings: Vec<Saying>,
    /// By the broker: what machines acknowledged.
    pub acknowledged: Vec<Bytes>,
    /// By the broker: subscriptions.
    pub subscribed: usize,
    /// By the cloud: orders that were asked about.
    pub asked: Vec<String>,
    /// By the cloud: orders that it made for the machine.
    pub made: Vec<String>,
    /// By the cloud: orders whose money it gave back.
    pub refunded: Vec<String>,
    /// By buyers: what they read.
    pub shown: Vec<String>,
}

impl Record {
    /// Keeps a fact.
    pub fn keep(&mut self, fact: &Fact, signing: &SigningKey) {
        match fact {
            Fact::Turn(turn) => self.turns.push(*turn),
            Fact::Posted(post) => self.posts.push(post.clone()),
            Fact::HungUp => self.hung_up += 1,
            Fact::Asked { order_id } => self.asked.push(order_id.clone()),
            Fact::Made { order_id } => self.made.push(order_id.clone()),
            Fact::Refunded { order_id } => self.refunded.push(order_id.clone()),
            Fact::Shown(line) => self.shown.push(line.clone()),
            Fact::Broker(Seen::Said { payload, .. }) => self.sayings.push(Saying::read(payload, signing)),
            Fact::Broker(Seen::Acknowledged { payload, .. }) => self.acknowledged.push(payload.clone()),
            Fact::Broker(Seen::Subscribed { .. }) => self.subscribed += 1,
            Fact::Broker(_) | Fact::Broke { .. } => {}
        }
    }

    /// Turns of one slot.
    pub fn turns_of(&self, slot: u16) -> impl Iterator<Item = &Turn> {
        self.turns.iter().filter(move |turn| turn.slot == slot)
    }

    /// Reports of one order, as the merchant got them.
    pub fn posts_of<'a>(&'a self, order_id: &'a str) -> impl Iterator<Item = &'a Post> {
        self.posts.iter().filter(move |post| post.order_id == order_id)
    }

    /// What was answered to the commands of one order: state and reason.
    pub fn received<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.sayings.iter().filter_map(move |saying| match saying {
            Saying::Received { order_id, state, reason } if order_id == wanted => Some((&**state, &**reason)),
            _ => None,
        })
    }

    /// The copies of one order's reports over MQTT: sequence and outcome.
    pub fn copies<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = (u64, &'a str)> {
        self.sayings.iter().filter_map(move |saying| match saying {
            Saying::Reported { order_id, sequence, outcome } if order_id == wanted => Some((*sequence, &**outcome)),
            _ => None,
        })
    }

    /// The order's result has reached merchant and platform.
    #[must_use]
    pub fn is_told(&self, order_id: &str) -> bool {
        self.posts_of(order_id).next().is_some() && self.copies(order_id).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::report::Report;
    use crate::order::command::Echo;
    use crate::order::key::{Id, Key, MachineNo};
    use crate::order::outcome::{Motor, UnitOutcome};

    fn key() -> SigningKey {
        SigningKey::new("kva").unwrap()
    }

    fn with_report<T>(read: impl FnOnce(&Report<'_>) -> T) -> T {
        read(&Report {
            machine_no: &MachineNo::parse("16327129").unwrap(),
            key: &Key { order_id: Id::parse("60").unwrap(), record_id: Id::parse("1").unwrap() },
            echo: &Echo::default(),
            units: &[UnitOutcome::Dispensed(Motor::Ok), UnitOutcome::NoDrop],
            sequence: 2,
            timestamp_s: 1_714_373_690,
        })
    }

    #[test]
    fn the_merchant_sees_whether_a_report_is_signed_and_keyed() {
        let (body, event_id) = with_report(|report| (Bytes::from(report.http_body(&key())), report.event_id()));
        let good = Post::read(Some(&event_id), body.clone(), &key());
        assert_eq!((good.order_id.as_str(), good.sequence, good.outcome.as_str()), ("60", 2, "partial"));
        assert_eq!(good.units, ["dispensed", "no_drop"]);
        assert!(good.is_signed && good.is_keyed);
        let altered = String::from_utf8(body.to_vec()).unwrap().replace("partial", "unknown");
        assert!(!Post::read(Some(&event_id), altered.into(), &key()).is_signed);
        assert!(!Post::read(Some("60"), body.clone(), &key()).is_keyed);
        assert!(!Post::read(None, body, &key()).is_keyed);
        assert!(!Post::read(None, Bytes::from_static(b"<html>"), &key()).is_signed);
    }

    #[test]
    fn what_is_not_signed_by_the_machine_says_nothing() {
        let payload = with_report(|report| report.mqtt_payload(&key()));
        let reported = Saying::Reported { order_id: "60".to_owned(), outcome: "partial".to_owned(), sequence: 2 };
        assert_eq!(Saying::read(&payload, &key()), reported);
        assert_eq!(Saying::read(&payload, &SigningKey::new("other").unwrap()), Saying::Strange);
        assert_eq!(Saying::read(b"!", &key()), Saying::Strange);
        assert_eq!(order_of(&payload), "60");
    }
}
