//! What of the reports is not taken, or was refused for good, as a person sees it. No URL: it may hold a token.

use super::Core;
use super::outbox::{Channel, CopyId, host_of};
use crate::order::key::Key;
use crate::order::life::Order;
use crate::order::report::{Copy, CopyState, Report};
use crate::order::said::words;
use crate::order::time::Now;
use serde::{Deserialize, Serialize};

/// So many letters are shown at once, the oldest orders first; the counts know them all. A list of twenty thousand would
/// be read by nobody, and keep the board waiting.
pub const LETTERS_SHOWN_MAX: usize = 500;

/// The copies of reports that are not taken, and the dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letters {
    /// Copies that are not yet taken.
    pub open: usize,
    /// Orders with dead letters.
    pub dead_orders: usize,
    /// At most [`LETTERS_SHOWN_MAX`].
    pub letters: Vec<Letter>,
}

/// One copy of one report on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The platform's order.
    pub order_id: String,
    /// Its line.
    pub record_id: String,
    /// Which report of the order.
    pub sequence: u32,
    /// When it was written, in Unix s.
    pub written_at_s: u64,
    /// http or mqtt.
    pub way: String,
    /// The host of its receiver, over HTTP, as long as it is kept.
    pub host: Option<String>,
    /// pending, settled or dead.
    pub state: String,
    /// Tries so far.
    pub attempts: u32,
    /// Why it is dead: `bad_target`, or the last status.
    pub reason: Option<String>,
    /// What a pending one waits for: time, host, `earlier_report`, broker or answer.
    pub waits_for: Option<String>,
    /// For how long at least, in ms, where that is known.
    pub waits_ms: Option<u64>,
    /// What it says, without its signature; in one letter alone, over HTTP and MQTT alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<serde_json::Value>,
}

/// What a copy that is not yet taken waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it is tried again.
    Time,
    /// Other requests to its host.
    Host,
    /// A report of the same order that was written before it.
    EarlierReport,
    /// The broker.
    Broker,
    /// The answer to what was sent.
    Answer,
}

words! {
    Wait {
        Wait::Time => "time", "时间";
        Wait::Host => "host", "其主机";
        Wait::EarlierReport => "earlier_report", "前一份上报";
        Wait::Broker => "broker", "消息服务器";
        Wait::Answer => "answer", "应答";
    }
}

/// The waits of all copies.
type Waits = std::collections::BTreeMap<CopyId, (Wait, Option<u64>)>;

impl Core {
    /// What is not taken, and what was refused for good, of the oldest orders.
    #[must_use]
    pub fn letters(&self, now: Now) -> Letters {
        let waits = self.outbox.waits(now.boot);
        let mut letters = Vec::new();
        let dead_here = self.orders.values().filter(|order| order.has_dead_copy());
        let dead_orders = dead_here.count() + self.archive.dead();
        let mut open: Vec<&Order> =
            self.orders.values().filter(|order| order.has_open_copy() || order.has_dead_copy()).collect();
        open.sort_by_key(|order| order.arrival_number);
        let dead = self.archive.dead_keys().take(LETTERS_SHOWN_MAX).filter_map(|key| self.archive.get(key));
        for order in dead {
            letters.extend(letters_of(&order, &waits).filter(|letter| letter.state == CopyState::Dead.as_str()));
        }
        for order in open {
            if letters.len() >= LETTERS_SHOWN_MAX {
                break;
            }
            letters.extend(letters_of(order, &waits).filter(|letter| letter.state != CopyState::Settled.as_str()));
        }
        letters.truncate(LETTERS_SHOWN_MAX);
        Letters { open: self.outbox.reports(), dead_orders, letters }
    }

    /// Every copy of an order's reports, and what they say.
    #[must_use]
    pub fn letters_of_order(&self, now: Now, key: &Key) -> Option<Letters> {
        let order = &*self.known_order(key)?;
        let waits = self.outbox.waits(now.boot);
        let mut letters: Vec<Letter> = letters_of(order, &waits).collect();
        for letter in &mut letters {
            let report = order.reports.iter().find(|report| report.sequence == letter.sequence);
            letter.says = report.map(|report| self.says(order, report));
        }
        let dead_orders = usize::from(order.has_dead_copy());
        let open = letters.iter().filter(|letter| letter.state == CopyState::Pending.as_str()).count();
        Some(Letters { open, dead_orders, letters })
    }

    /// A report's body without its signature, which nobody can use to guess the key then.
    fn says(&self, order: &Order, report: &Report) -> serde_json::Value {
        let mut body = serde_json::from_slice(&self.report_body(order, report)).unwrap_or(serde_json::Value::Null);
        if let Some(fields) = body.as_object_mut() {
            fields.remove("sign");
        }
        body
    }
}

fn letters_of<'a>(order: &'a Order, waits: &'a Waits) -> impl Iterator<Item = Letter> + 'a {
    let copies = order.reports.iter().flat_map(|report| {
        [(Channel::Http, report.http), (Channel::Mqtt, report.mqtt)].map(|(channel, copy)| (report, channel, copy))
    });
    copies.filter(|(.., copy)| *copy != Copy::None).map(|(report, channel, copy)| {
        let id = CopyId { key: order.key.clone(), sequence: report.sequence, channel };
        let (waits_for, waits_ms) = match waits.get(&id).filter(|_| copy.is_open()) {
            Some((what, ms)) => (Some(what.as_str().to_owned()), *ms),
            None => (None, None),
        };
        let is_http = channel == Channel::Http;
        Letter {
            order_id: order.key.order_id.to_string(),
            record_id: order.key.record_id.to_string(),
            sequence: report.sequence,
            written_at_s: report.timestamp_s,
            way: if is_http { "http" } else { "mqtt" }.to_owned(),
            host: order.notify_url.as_deref().filter(|_| is_http).map(|url| host_of(url).to_owned()),
            state: copy.state().as_str().to_owned(),
            attempts: copy.attempts(),
            reason: copy.dead_reason().map(|reason| reason.to_string()),
            waits_for,
            waits_ms,
            says: None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_before_the_host_is_not_shown() {
        assert_eq!(host_of("https://user:pass@shop.example/x?token=1"), "shop.example");
        assert_eq!(host_of("https://shop.example:8443/x"), "shop.example:8443");
    }
}
