//! What the world had been told up to some call: by acknowledgements, messages, motor commands and reports. From the
//! bytes that the process gave to the kernel.

use super::trace::{Event, What};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use vend::board::profile::Profile;
use vend::order::time::BootMs;
use vend::sim::board::fault::Faults;
use vend::sim::board::{Emulator, emulator_for};

/// order_id and record_id.
pub type Name = (String, String);
/// Orders with this in front of their order_id are signed by nobody; nothing is promised about them.
pub const UNSIGNED: &str = "unsigned-";

/// One order as the script sends it. No other order has its slot.
#[derive(Debug, Clone)]
pub struct Scripted {
    pub name: Name,
    pub address: u8,
    pub slot: u16,
    pub quantity: usize,
}

/// Who is who on the wire, and which slot is whose.
#[derive(Debug, Clone)]
pub struct Cast {
    pub broker_port: u16,
    pub receiver_port: u16,
    pub mqtt_5: bool,
    pub profile: Profile,
    pub turn_ms: u64,
    pub orders: Vec<Scripted>,
}

impl Cast {
    /// The order of a slot on the wire.
    pub fn order_at(&self, wire_address: u8, slot: u16) -> Option<&Scripted> {
        let first = self.profile.addresses.first_on_wire;
        self.orders.iter().find(|o| o.slot == slot && first + o.address - 1 == wire_address)
    }
}

/// What the world knows about one order.
#[derive(Debug, Clone, Default)]
pub struct OrderTold {
    /// Its command was acknowledged, or answered.
    pub accepted: bool,
    /// Motor commands for it that began to leave.
    pub motor_commands: usize,
    /// Reports that began to leave, by sequence: bodies over HTTP.
    pub http: BTreeMap<u64, Vec<u8>>,
    /// Payloads over MQTT.
    pub mqtt: BTreeMap<u64, Vec<u8>>,
}

/// What happened on the board's side of the line.
#[derive(Debug, Clone)]
pub enum OnLine {
    Bytes {
        at_us: u64,
        bytes: Vec<u8>,
    },
    /// The board lost its power.
    Dark {
        at_us: u64,
    },
}

impl OnLine {
    const fn at_us(&self) -> u64 {
        match self {
            OnLine::Bytes { at_us, .. } | OnLine::Dark { at_us } => *at_us,
        }
    }

    fn reach(&self, board: &mut dyn Emulator, at: BootMs) {
        run_until(board, at);
        match self {
            OnLine::Bytes { bytes, .. } => board.received(at, bytes),
            OnLine::Dark { .. } => board.power_cycle(at),
        }
        while board.next_output().is_some() {}
    }
}

/// Everything that the world was told so far.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub orders: BTreeMap<Name, OrderTold>,
    /// What the board saw.
    pub line: Vec<OnLine>,
    /// Commands that reached the process, by connection and packet id; acknowledged ones go.
    inbound: HashMap<(String, u16), Vec<u8>>,
    streams: HashMap<(String, bool), Vec<u8>>,
    /// A report that was told twice in different words.
    pub contradiction: Option<String>,
}

impl Told {
    /// Commands that the broker would deliver again: sent, not acknowledged.
    pub fn undelivered(&self) -> Vec<Vec<u8>> {
        let mut all: Vec<_> = self.inbound.iter().collect();
        all.sort_by_key(|((_, id), _)| *id);
        all.into_iter().map(|(_, payload)| payload.clone()).collect()
    }

    /// Hears one event. True when the world learned something.
    pub fn follow(&mut self, event: &Event, cast: &Cast) -> bool {
        match &event.what {
            What::Sent { connection, port, bytes } if *port == cast.broker_port => {
                self.mqtt(connection, true, bytes, cast)
            }
            What::Received { connection, port, bytes } if *port == cast.broker_port => {
                self.mqtt(connection, false, bytes, cast)
            }
            What::Sent { connection, port, bytes } if *port == cast.receiver_port => self.http(connection, bytes),
            What::Line { bytes, turned } => {
                self.line.push(OnLine::Bytes { at_us: event.at_us, bytes: bytes.clone() });
                for name in turned {
                    self.orders.entry(name.clone()).or_default().motor_commands += 1;
                }
                !turned.is_empty()
            }
            _ => false,
        }
    }

    fn mqtt(&mut self, connection: &str, out: bool, bytes: &[u8], cast: &Cast) -> bool {
        let stream = self.streams.entry((connection.to_owned(), out)).or_default();
        stream.extend_from_slice(bytes);
        let mut packets = Vec::new();
        while let Some((packet, used)) = packet(stream) {
            packets.push(packet);
            stream.drain(..used);
        }
        let mut learned = false;
        for (kind, body) in packets {
            match (kind >> 4, out) {
                (PUBLISH, false) if kind & QOS_1 != 0 => {
                    let (id, payload) = published(&body, cast.mqtt_5);
                    self.inbound.insert((connection.to_owned(), id), payload);
                }
                (PUBLISH, true) if kind & QOS_1 != 0 => {
                    let (_, payload) = published(&body, cast.mqtt_5);
                    learned |= self.said(&payload);
                }
                (PUBACK, true) => {
                    let id = u16::from_be_bytes([body[0], body[1]]);
                    let payload = self.inbound.remove(&(connection.to_owned(), id)).expect("what is acknowledged came");
                    // Former connections brought it too. This one may have brought it twice, to be acknowledged twice.
                    self.inbound.retain(|(on, _), other| on == connection || *other != payload);
                    if let Some((message, name)) = opened(&payload)
                        && message["method"] == "device.delivery.put"
                        && !name.0.starts_with(UNSIGNED)
                    {
                        self.orders.entry(name).or_default().accepted = true;
                        learned = true;
                    }
                }
                _ => {}
            }
        }
        learned
    }

    fn said(&mut self, payload: &[u8]) -> bool {
        let Some((message, name)) = opened(payload) else { return false };
        if message["method"] == "device.delivery.received" && message["state"] != "not_found" {
            self.orders.entry(name).or_default().accepted = true;
            return true;
        }
        if message["method"] != "device.delivery.response" {
            return false;
        }
        let sequence = message["sequence"].as_str().and_then(|s| s.parse().ok()).expect("a sequence");
        let told = self.orders.entry(name.clone()).or_default().mqtt.insert(sequence, payload.to_vec());
        if told.is_some_and(|before| before != payload) {
            self.contradiction = Some(format!("{name:?} was told in two ways over MQTT"));
        }
        true
    }

    fn http(&mut self, connection: &str, bytes: &[u8]) -> bool {
        let stream = self.streams.entry((connection.to_owned(), true)).or_default();
        stream.extend_from_slice(bytes);
        let mut learned = false;
        while let Some(head) = stream.windows(4).position(|w| w == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&stream[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let end = head + 4 + length.expect("a length");
            if stream.len() < end {
                break;
            }
            let body: Vec<u8> = stream.drain(..end).skip(head + 4).collect();
            let report: Value = serde_json::from_slice(&body).expect("a report");
            let (name, sequence) = (name(&report), report["sequence"].as_u64().expect("a sequence"));
            let before = self.orders.entry(name.clone()).or_default().http.insert(sequence, body.clone());
            if before.is_some_and(|before| before != body) {
                self.contradiction = Some(format!("{name:?} was told in two ways over HTTP"));
            }
            learned = true;
        }
        learned
    }

    /// The board as it stood when it had seen all this: `now` on its clock is `now_us` of the trace.
    pub fn board(&self, cast: &Cast, now_us: u64, now: BootMs) -> Box<dyn Emulator> {
        let mut board = emulator_for(&cast.profile, cast.turn_ms, Faults::default());
        for event in &self.line {
            event.reach(&mut *board, BootMs(now.0.saturating_sub(now_us.saturating_sub(event.at_us()) / 1_000)));
        }
        run_until(&mut *board, now);
        board
    }
}

/// Notes with each writing to the line whose motors turned by it, as a board sees it that has seen `past`.
pub fn note_turns(events: &mut [Event], past: &Told, cast: &Cast) {
    let ms = |us: u64| BootMs(us / 1_000);
    let Some(first_us) = events.first().map(|e| e.at_us) else { return };
    let mut board = past.board(cast, first_us, ms(first_us));
    for event in events {
        let What::Line { bytes, turned } = &mut event.what else { continue };
        let before = board.turns().len();
        OnLine::Bytes { at_us: event.at_us, bytes: bytes.clone() }.reach(&mut *board, ms(event.at_us));
        let turns = board.turns()[before..].iter();
        *turned = turns.filter_map(|t| cast.order_at(t.wire_address, t.slot)).map(|o| o.name.clone()).collect();
    }
}

fn run_until(board: &mut dyn Emulator, now: BootMs) {
    while let Some(due) = board.deadline().filter(|due| *due <= now) {
        board.wake(due);
        while board.next_output().is_some() {}
    }
}

const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const QOS_1: u8 = 2;

/// The first whole packet of a stream: its first byte and its body, and the bytes of both.
fn packet(stream: &[u8]) -> Option<((u8, Vec<u8>), usize)> {
    let (length, used) = variable(stream.get(1..)?)?;
    let start = 1 + used;
    Some(((stream[0], stream.get(start..start + length)?.to_vec()), start + length))
}

/// MQTT's number of variable length, and how long it is.
fn variable(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (n, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((value, n + 1));
        }
    }
    None
}

/// Packet id and payload of a PUBLISH with QoS 1.
fn published(body: &[u8], mqtt_5: bool) -> (u16, Vec<u8>) {
    let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let id = u16::from_be_bytes([body[2 + topic], body[3 + topic]]);
    let mut start = 4 + topic;
    if mqtt_5 {
        let (length, used) = variable(&body[start..]).expect("properties");
        start += used + length;
    }
    (id, body[start..].to_vec())
}

fn opened(payload: &[u8]) -> Option<(Value, Name)> {
    let value: Value = serde_json::from_slice(&BASE64.decode(payload).ok()?).ok()?;
    let name = name(&value);
    (!name.0.is_empty()).then_some((value, name))
}

/// Whose message or report it is; ids are texts or numbers.
pub fn name(value: &Value) -> Name {
    let text = |name: &str| match &value[name] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    (text("order_id"), text("record_id"))
}
