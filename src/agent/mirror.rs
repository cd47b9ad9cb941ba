//! What passes, shown to whoever listens on the control socket: frames on the line, messages of the platform. While nobody
//! listens nothing is copied. A listener that is slow loses what is oldest, and is told how much.

use crate::board::frame::hex;
use crate::board::meaning::reader_for;
use crate::board::profile::Profile;
use crate::cloud::envelope;
use crate::control::{BrokerTrip, FrameLine, MeasuredTrip, MessageLine, Refusal, Told, Versioned};
use crate::order::said::Said;
use crate::order::time::{BootMs, Now};
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

/// Chunks of the line, and messages, kept for a listener that is slow: seconds of a busy line.
const KEPT_MAX: usize = 256;
/// Lines on their way to one listener.
const LINES_MAX: usize = 16;
/// Listeners at once: half of the clients that the control socket takes, so that a question always finds room.
const LISTENERS_MAX: usize = 4;
/// Fields of a message that nobody has to see: a pickup code's digits, passwords, what could be replayed.
const MASKED: [&str; 6] = ["code", "sign", "password", "new_password", "old_password", "notify_url"];
/// Methods whose `code` is a slot and no secret.
const CODE_IS_SLOT: &str = "device.delivery.";

#[derive(Debug, Clone)]
struct Chunk {
    now: Now,
    at: BootMs,
    is_out: bool,
    bytes: Bytes,
}

#[derive(Debug, Clone)]
struct Message {
    now: Now,
    payload: Bytes,
    redelivered: bool,
}

/// What passes.
pub(super) struct Mirror {
    profile: Profile,
    chunks: broadcast::Sender<Chunk>,
    messages: broadcast::Sender<Message>,
    /// The last keep-alive on this connection to the broker, in ms, and when it was.
    round_trip: Option<(u64, BootMs)>,
}

impl Mirror {
    pub(super) fn new(profile: Profile) -> Mirror {
        Mirror {
            profile,
            chunks: broadcast::Sender::new(KEPT_MAX),
            messages: broadcast::Sender::new(KEPT_MAX),
            round_trip: None,
        }
    }

    pub(super) fn out(&self, now: impl FnOnce() -> Now, bytes: &[u8]) {
        if self.chunks.receiver_count() > 0 {
            let now = now();
            let _ = self.chunks.send(Chunk { now, at: now.boot, is_out: true, bytes: Bytes::copy_from_slice(bytes) });
        }
    }

    pub(super) fn came(&self, now: impl FnOnce() -> Now, at: BootMs, bytes: &[u8]) {
        if self.chunks.receiver_count() > 0 {
            let _ = self.chunks.send(Chunk { now: now(), at, is_out: false, bytes: Bytes::copy_from_slice(bytes) });
        }
    }

    pub(super) fn message(&self, now: impl FnOnce() -> Now, payload: &Bytes, redelivered: bool) {
        if self.messages.receiver_count() > 0 {
            let _ = self.messages.send(Message { now: now(), payload: payload.clone(), redelivered });
        }
    }

    pub(super) fn round_trip(&mut self, now: BootMs, took: Option<Duration>) {
        self.round_trip = took.map(|took| (u64::try_from(took.as_millis()).unwrap_or(u64::MAX), now));
    }

    /// How long the broker took for the last keep-alive.
    pub(super) fn broker_trip(&self, now: BootMs, connected: bool, keep_alive_s: u16) -> BrokerTrip {
        let last = self.round_trip.map(|(round_trip_ms, at)| MeasuredTrip {
            round_trip_ms,
            since_boot_ms: at.0,
            age_ms: now.since_ms(at),
        });
        BrokerTrip { connected, keep_alive_s, last }
    }

    fn has_room(&self) -> Result<(), Refusal> {
        if self.chunks.receiver_count() + self.messages.receiver_count() < LISTENERS_MAX {
            return Ok(());
        }
        let en = format!("{LISTENERS_MAX} listen already; end one of them");
        Err(Refusal::said(Said::new(en, format!("已有 {LISTENERS_MAX} 处在监听；请结束其中之一"))))
    }

    /// Every frame from now on, in words.
    pub(super) fn frames(&self) -> Result<Told, Refusal> {
        self.has_room()?;
        let (mut chunks, profile) = (self.chunks.subscribe(), self.profile.clone());
        let (lines, told) = mpsc::channel(LINES_MAX);
        tokio::task::spawn_local(async move {
            let mut reader = reader_for(&profile);
            loop {
                let heard = tokio::select! {
                    heard = chunks.recv() => heard,
                    // Nobody listens any more.
                    () = lines.closed() => return,
                };
                let told = match heard {
                    Ok(Chunk { now, at, is_out: true, bytes }) => {
                        let meaning = reader.sent(&bytes);
                        vec![frame_line(now, at, "to_board", hex(&bytes), meaning, None)]
                    }
                    Ok(Chunk { now, at, is_out: false, bytes }) => {
                        let heard = reader.received(at, &bytes).into_iter();
                        heard.map(|h| frame_line(now, at, "from_board", hex(&h.bytes), h.meaning, None)).collect()
                    }
                    Err(broadcast::error::RecvError::Lagged(lost)) => {
                        let now = Now { boot: BootMs(0), wall: crate::order::time::UnixMs(0), synchronised: false };
                        let meaning =
                            Said::new(format!("{lost} were not taken in time"), format!("有 {lost} 条未能及时取走"));
                        vec![frame_line(now, BootMs(0), "lost", String::new(), meaning, Some(lost))]
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                for line in told {
                    if lines.send(line_of(&line)).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Told::Stream(told))
    }

    /// Every message from now on, with secrets masked.
    pub(super) fn messages(&self) -> Result<Told, Refusal> {
        self.has_room()?;
        let mut messages = self.messages.subscribe();
        let (lines, told) = mpsc::channel(LINES_MAX);
        tokio::task::spawn_local(async move {
            let mut lost = None;
            loop {
                let heard = tokio::select! {
                    heard = messages.recv() => heard,
                    () = lines.closed() => return,
                };
                match heard {
                    Ok(message) => {
                        let line = message_line(&message, lost.take());
                        if lines.send(line_of(&line)).await.is_err() {
                            return;
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(count)) => lost = Some(count),
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        Ok(Told::Stream(told))
    }
}

fn frame_line(now: Now, at: BootMs, way: &str, hex: String, said: Said, lost: Option<u64>) -> FrameLine {
    let (meaning, meaning_zh) = (said.en, said.zh);
    FrameLine { since_boot_ms: at.0, wall_ms: now.wall.0, way: way.to_owned(), hex, meaning, meaning_zh, lost }
}

fn message_line(message: &Message, lost: Option<u64>) -> MessageLine {
    let fields = envelope::open(&message.payload).map(|fields| masked(fields.iter())).unwrap_or_default();
    MessageLine {
        wall_ms: message.now.wall.0,
        bytes: message.payload.len(),
        redelivered: message.redelivered,
        fields,
        lost,
    }
}

/// The fields, without what nobody has to see.
fn masked<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let all: BTreeMap<String, String> = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let is_delivery = all.get("method").is_some_and(|method| method.starts_with(CODE_IS_SLOT));
    let is_secret = |name: &str| match name {
        "code" => !is_delivery,
        name => MASKED.contains(&name),
    };
    all.into_iter()
        .map(|(name, value)| if is_secret(&name) { (name, "***".to_owned()) } else { (name, value) })
        .collect()
}

/// The types have no key or value that JSON lacks.
fn line_of(document: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(&Versioned::of(document)).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::time::UnixMs;
    use std::path::Path;
    use tokio::task::LocalSet;

    const NOW: Now = Now { boot: BootMs(5), wall: UnixMs(7), synchronised: false };

    fn mirror() -> Mirror {
        Mirror::new(Profile::find("tcn-00ff", Path::new(".")).unwrap())
    }

    #[test]
    fn nothing_is_looked_at_while_nobody_listens() {
        let mirror = mirror();
        mirror.out(|| panic!("a clock was read"), &[1]);
        mirror.came(|| panic!("a clock was read"), BootMs(0), &[1]);
        mirror.message(|| panic!("a clock was read"), &Bytes::new(), false);
    }

    #[test]
    fn a_slow_listener_is_told_how_much_it_lost_and_there_is_a_bound_to_listeners() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let mirror = mirror();
            let Ok(Told::Stream(mut lines)) = mirror.frames() else { panic!("no stream") };
            // Not one line is taken meanwhile: the task has not even run.
            for n in 0..KEPT_MAX + 50 {
                mirror.out(|| NOW, &[0, 0xff, u8::try_from(n % 80).unwrap()]);
            }
            let first: serde_json::Value = serde_json::from_slice(&lines.recv().await.unwrap()).unwrap();
            assert_eq!((&first["way"], &first["lost"]), (&"lost".into(), &50.into()));
            let next: serde_json::Value = serde_json::from_slice(&lines.recv().await.unwrap()).unwrap();
            assert_eq!((&next["way"], &next["hex"]), (&"to_board".into(), &"00 ff 32".into()));
            let more: Vec<_> = (0..LISTENERS_MAX).map(|_| mirror.messages()).collect();
            assert_eq!(more.iter().filter(|m| m.is_ok()).count(), LISTENERS_MAX - 1);
        });
    }

    #[test]
    fn a_message_is_shown_without_its_secrets() {
        let code = masked([("method", "client.pickup_codes.create"), ("code", "16327138"), ("sign", "ab")].into_iter());
        assert_eq!((code["code"].as_str(), code["sign"].as_str()), ("***", "***"));
        let put =
            masked([("method", "device.delivery.put"), ("code", "5"), ("notify_url", "https://x/?t=1")].into_iter());
        assert_eq!((put["code"].as_str(), put["notify_url"].as_str()), ("5", "***"));
    }
}
