//! A model of the broker: one session, messages in order, each again until it is acknowledged.

use super::judge::Broken;
use crate::core::event::{Epoch, Tag};
use crate::order::key::Key;
use bytes::Bytes;
use std::collections::VecDeque;

/// A command of the platform.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) key: Key,
    pub(super) issued_at_s: u64,
}

/// A message for the machine.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) id: u64,
    /// The command that it is; nothing for a question, or for what must not be taken.
    pub(super) put: Option<Sent>,
    pub(super) payload: Bytes,
    was_sent: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: u32,
    epoch: Epoch,
    /// Received messages that were not acknowledged on it, in the order of receipt.
    unacknowledged: VecDeque<(Tag, u64)>,
    received: u64,
    /// The highest message sent on it; they rise.
    last_sent: u64,
    last_at_ms: u64,
    last_up_ms: u64,
}

/// The broker. See the module.
#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) is_away: bool,
    has_session: bool,
    queue: VecDeque<Waiting>,
    pub(super) connection: Option<Connection>,
    connections: u32,
    messages: u64,
}

impl Broker {
    /// The platform publishes for the machine: kept by the session, if there is one.
    pub(super) fn publish(&mut self, put: Option<Sent>, payload: Bytes) {
        if self.has_session {
            self.messages += 1;
            self.queue.push_back(Waiting { id: self.messages, put, payload, was_sent: false });
        }
    }

    /// A new connection of a process's n-th epoch. Whether the session was there.
    pub(super) fn connect(&mut self, epoch: Epoch) -> bool {
        self.connections += 1;
        let unacknowledged = VecDeque::new();
        let id = self.connections;
        self.connection =
            Some(Connection { id, epoch, unacknowledged, received: 0, last_sent: 0, last_at_ms: 0, last_up_ms: 0 });
        std::mem::replace(&mut self.has_session, true)
    }

    pub(super) fn lose_session(&mut self) {
        self.has_session = false;
        self.queue.clear();
    }

    /// What is still to be sent on this connection: tag, message, whether it was sent before, and when it arrives.
    pub(super) fn send(&mut self, now_ms: u64, mut delay_ms: impl FnMut() -> u64) -> Vec<(Tag, Waiting, bool, u64)> {
        let Some(connection) = &mut self.connection else { return Vec::new() };
        let mut sent = Vec::new();
        let already = connection.last_sent;
        for waiting in self.queue.iter_mut().filter(|waiting| waiting.id > already) {
            connection.received += 1;
            let tag = Tag { epoch: connection.epoch, number: connection.received };
            connection.last_sent = waiting.id;
            connection.unacknowledged.push_back((tag, waiting.id));
            connection.last_at_ms = connection.last_at_ms.max(now_ms + delay_ms());
            let again = std::mem::replace(&mut waiting.was_sent, true);
            sent.push((tag, waiting.clone(), again, connection.last_at_ms));
        }
        sent
    }

    /// An acknowledgement leaves the agent: the message that it is for, if its connection still stands.
    pub(super) fn acknowledge(&mut self, tag: Tag) -> Result<Option<Waiting>, Broken> {
        let Some(connection) = &mut self.connection else { return Ok(None) };
        if tag.epoch != connection.epoch {
            return Err(Broken::AckMisplaced);
        }
        match connection.unacknowledged.pop_front() {
            Some((front, id)) if front == tag => Ok(self.queue.iter().find(|w| w.id == id).cloned()),
            _ => Err(Broken::AckMisplaced),
        }
    }

    /// When a message of the machine that leaves now arrives: after all that left before on this connection.
    pub(super) fn arrives_ms(&mut self, now_ms: u64, delay_ms: u64) -> u64 {
        let Some(connection) = &mut self.connection else { return now_ms };
        connection.last_up_ms = connection.last_up_ms.max(now_ms + delay_ms);
        connection.last_up_ms
    }

    /// The session holds nothing for the machine.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// An acknowledgement arrives.
    pub(super) fn acknowledged(&mut self, id: u64) {
        self.queue.retain(|w| w.id != id);
    }

    pub(super) fn is_on(&self, connection: u32) -> bool {
        self.connection.as_ref().is_some_and(|c| c.id == connection)
    }
}
