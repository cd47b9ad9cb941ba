//! The MQTT session: one task beside the core that keeps a connection to the broker, and decides nothing.
//!
//! What the core can rely on:
//!
//! 1. A message is acknowledged only by [`ToBroker::Ack`], on the connection that brought it, in the order of arrival.
//!    What is not acknowledged comes again, on a later connection, under another [`Tag`].
//! 2. A publish is settled only by [`FromBroker::Published`], at most once for each time it was offered. Nothing is
//!    carried from one connection to the next: after [`FromBroker::Connected`] the core offers again whatever is not
//!    settled. Acks and publishes that name an older connection are dropped without a word.
//! 3. Every [`FromBroker::Lost`] ends one epoch, whether it had been `Connected` or not. The next attempt follows
//!    after a back-off that grows until a connection has been stable, so neither a dead broker, nor one that kicks
//!    us, nor a second client with our id can make it a hot loop.
//! 4. The task goes on taking commands while its event queue is full, as far as it can keep them. When the core takes
//!    no events for longer than the keep-alive allows, the connection is lost and the commands for it are dropped: two
//!    full queues cannot stop each other for ever.
//!
//! A *fresh* rumqttc client serves each connection: its own memory of unsettled publishes and acks, which would leak
//! into the next connection, ends with it. The task itself must be the only one that polls (rumqtt#1025), and it
//! never waits for rumqttc's request queue.

mod in_chinese;
mod once;
pub mod retry;
mod session;
mod wire;

pub use once::{log_in_once, publish_once};

use crate::core::event::{Epoch, Tag};
use crate::io::http::supply::TlsSupply;
use crate::order::constant_time;
use crate::order::said::Said;
use bytes::Bytes;
use retry::Retry;
use session::{Ended, Session};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Largest packet that we take or send, in bytes (contract, section 5): four times the largest message that is not
/// rejected, so that one too large for the order's rules is still received, judged and acknowledged.
pub const PACKET_BYTES_MAX: u32 = 1 << 20;

/// Messages that the broker may send before we acknowledge one (announced with MQTT 5). Each may take
/// [`PACKET_BYTES_MAX`] of memory; and so many stay unacknowledged while the disk is full (order-life, rule 7).
pub const RECEIVE_MAX: u16 = 16;

/// The protocol's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT 5.
    V5,
    /// MQTT 3.1.1.
    V311,
}

/// A password. It cannot be printed.
#[derive(Clone)]
pub struct Password(String);

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        constant_time::equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Password {}

impl Password {
    /// Keeps a password.
    #[must_use]
    pub fn new(text: String) -> Self {
        Password(text)
    }

    fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// Where the broker is, and who we are.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Plain TCP when absent.
    pub tls: Option<Arc<TlsSupply>>,
    /// The protocol's version.
    pub protocol: Protocol,
    /// The session's name; the same for ever.
    pub client_id: String,
    /// For brokers that ask for it.
    pub username: Option<String>,
    /// For brokers that ask for it.
    pub password: Option<Password>,
    /// A dead link is noticed within twice this time, in s. Taken as 5 when less: rumqttc allows no less.
    pub keep_alive_s: u16,
    /// How long the broker keeps the session without us, in s (MQTT 5; with 3.1.1 the broker decides).
    pub session_expiry_s: u32,
    /// The topic that commands come on, QoS 1.
    pub subscribe: String,
    /// The topic that reports go to, QoS 1.
    pub publish: String,
    /// What the broker publishes there when we are gone, also after [`ToBroker::Stop`]. Empty: nothing, for a
    /// stand-in that does not speak for a machine.
    pub will: Vec<u8>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromBroker {
    /// The broker accepted us.
    Connected {
        /// The new connection.
        epoch: Epoch,
        /// The broker had kept our session.
        session_present: bool,
    },
    /// The broker confirmed the subscription. It is asked for on every connection: a session that the broker claims
    /// to have kept, without its subscription, would leave us alive but deaf.
    Subscribed {
        /// The connection.
        epoch: Epoch,
    },
    /// The broker answered a keep-alive.
    RoundTrip {
        /// How long it took.
        took: Duration,
    },
    /// A message came. It comes again until it is acknowledged.
    Message {
        /// What [`ToBroker::Ack`] wants.
        tag: Tag,
        /// The body.
        payload: Bytes,
        /// The broker says that it sent it before. Only a hint: duplicates are told by their key.
        redelivered: bool,
    },
    /// The broker has taken over the publish.
    Published {
        /// As in [`ToBroker::Publish`].
        token: u64,
    },
    /// The connection, or the attempt at one, ended.
    Lost {
        /// Which one.
        epoch: Epoch,
        /// Why.
        trouble: Trouble,
    },
    /// Something that a person must mend. It comes again as long as it lasts.
    Fault(BrokerFault),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToBroker {
    /// The message is durable: acknowledge it. Sent out of order, it waits for the messages before it.
    Ack(Tag),
    /// Publish with QoS 1.
    Publish {
        /// The connection that the core knows of.
        epoch: Epoch,
        /// Comes back in [`FromBroker::Published`].
        token: u64,
        /// The body.
        payload: Vec<u8>,
    },
    /// If the certificate files hold something newer than this connection was made with, connect anew.
    RenewTls,
    /// Send what was asked for before, as far as the broker takes it within [`STOP_FLUSH_MS`], then end. The
    /// connection is closed without DISCONNECT, so that the broker publishes the will: a stopped machine is offline.
    Stop,
}

/// Why there is no connection. All are tried again after a back-off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No TCP connection.
    #[error("broker not reachable ({0}); check the network, and host and port in [broker] url")]
    Unreachable(String),
    /// No TLS on it.
    #[error("no TLS with the broker: {}", .0.en)]
    Tls(Said),
    /// Not a trouble: the files hold a newer certificate, and the one in use is about to end.
    #[error("connecting anew with the renewed certificate")]
    TlsRenewed,
    /// No answer to CONNECT in time.
    #[error("the broker did not answer within {CONNECT_TIME_OUT_S} s")]
    ConnectTimeOut,
    /// CONNECT refused.
    #[error("the broker refuses user name or password; check [broker] username and the mqtt_password credential")]
    BadCredentials,
    /// CONNECT refused.
    #[error("the broker does not let this client in; check its user, password and rights there")]
    NotAuthorised,
    /// CONNECT refused.
    #[error("the broker refuses the client id; check machine_no")]
    ClientIdRejected,
    /// CONNECT refused.
    #[error("the broker refuses the connection: {0}")]
    Refused(String),
    /// Another client came with our id (MQTT 5 says so).
    #[error("another client took over our session")]
    TakenOver,
    /// The broker said why (MQTT 5).
    #[error("the broker ended the connection: {0}")]
    Disconnected(String),
    /// The connection was closed without a word.
    #[error("the connection was closed by the other side")]
    ClosedByBroker,
    /// The connection was closed without a word, and without an answer to CONNECT: what brokers do that do not speak
    /// MQTT 5 (RabbitMQ 3.10), or that want TLS.
    #[error(
        "the broker closed the connection without an answer; check that it speaks this version of MQTT ([broker] \
         protocol = \"3.1.1\" for RabbitMQ before 3.13), and whether the port wants TLS ([broker] url)"
    )]
    ClosedUnanswered,
    /// The link failed otherwise.
    #[error("the link failed: {0}")]
    Link(String),
    /// The broker was silent for longer than the keep-alive allows.
    #[error("the broker fell silent")]
    KeepAlive,
    /// The broker did not answer SUBSCRIBE.
    #[error("the broker did not confirm the subscription within {ANSWER_TIME_OUT_S} s")]
    SubscribeUnanswered,
    /// The broker answers, but no longer settles what we publish.
    #[error("the broker has settled no publish for {ANSWER_TIME_OUT_S} s")]
    PublishUnanswered,
    /// The broker sends on although we acknowledge nothing.
    #[error(
        "the broker sent more than {UNACKNOWLEDGED_MAX} messages or {UNACKNOWLEDGED_BYTES_MAX} bytes without waiting \
         for an acknowledgement"
    )]
    Flooded,
    /// The broker took a publish and threw it away (MQTT 5 says so).
    #[error("the broker refuses the message: {0}; check what this user may publish")]
    PublishRefused(String),
    /// A packet larger than we take; see [`BrokerFault::PacketTooLarge`].
    #[error("a packet of {bytes} bytes is larger than {PACKET_BYTES_MAX}")]
    PacketTooLarge {
        /// Its size, as far as it is told.
        bytes: usize,
    },
    /// The broker broke the protocol, or the decoder broke on what it sent.
    #[error("not MQTT as we know it: {}", .0.en)]
    Protocol(Said),
}

/// What a person must mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerFault {
    /// A second client uses our id: a cloned card, or two controllers with one machine_no.
    #[error(
        "another client uses this machine's client id (a cloned card, or a second controller with the same \
         machine_no?); the session was lost to it {times} times in a row"
    )]
    TakenOver {
        /// Since the last stable connection. Where the broker does not say so, connections that were closed soon
        /// after they had been accepted count.
        times: u32,
    },
    /// The broker sends a packet that we cannot take, and will send it again first on each connection: all behind it
    /// waits. With MQTT 5 a broker that honours our maximum packet size never does.
    #[error(
        "the broker holds a packet of {bytes} bytes, and {PACKET_BYTES_MAX} are the limit: nothing behind it can \
         arrive. Remove it, and limit the size of messages at the broker (mosquitto: message_size_limit; EMQX: \
         mqtt.max_packet_size; VerneMQ: max_message_size)"
    )]
    PacketTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Commands cannot come, or would be lost while we are away.
    #[error("the broker does not let us subscribe to {topic} with QoS 1: {}; give the client the right to", .reason.en)]
    SubscribeRefused {
        /// The topic.
        topic: String,
        /// In the broker's words.
        reason: Said,
    },
    /// The broker answered a publish with a refusal (MQTT 5). It is not settled; the core offers it again later.
    #[error("the broker refuses what we publish to {topic}: {reason}; give the client the right to")]
    PublishRefused {
        /// As in [`ToBroker::Publish`].
        token: u64,
        /// The topic.
        topic: String,
        /// In the broker's words.
        reason: String,
    },
    /// A publish that the broker would answer by closing the connection. It was not sent and is not settled.
    #[error("a report of {bytes} bytes is larger than the broker's limit of {limit_bytes}; raise the limit there")]
    PublishTooLarge {
        /// As in [`ToBroker::Publish`].
        token: u64,
        /// Topic, body and the largest header.
        bytes: usize,
        /// What the broker announced, at most [`PACKET_BYTES_MAX`].
        limit_bytes: u32,
    },
}

/// Name, TCP, TLS and CONNACK, together, in s: a bad mobile link needs several seconds for each of their trips.
const CONNECT_TIME_OUT_S: u64 = 20;
/// The same of each [`PATIENT_EACH`]th attempt of a row that nobody answered: rumqttc asks a name's addresses one after the other,
/// and the kernel needs 127 s to give up a silent one (tcp_syn_retries = 6), so that only then the next one is asked.
const CONNECT_PATIENT_S: u64 = 160;
/// So rarely, for who has one address only is found sooner by a new attempt.
const PATIENT_EACH: u32 = 3;
/// SUBACK and PUBACK, in s. A broker that answers pings but not these is half dead: commands come, results no longer
/// leave (thin-edge#3713). Far above any healthy broker's time, with a body of 1 MiB on a slow link.
const ANSWER_TIME_OUT_S: u64 = 60;
/// How long [`ToBroker::Stop`] waits for the last acks and publishes, in ms. They are repeated after the next start
/// anyway, so this must only be long enough to make that rare, and well within the unit's TimeoutStopSec.
pub const STOP_FLUSH_MS: u64 = 2_000;
/// Unacknowledged messages that we keep track of, some hundred bytes each. Only a broker that ignores
/// [`RECEIVE_MAX`], or a 3.1.1 broker without a limit of its own, gets here.
const UNACKNOWLEDGED_MAX: usize = 1_024;
/// Their bytes: twice what a broker that honours [`RECEIVE_MAX`] can have under way, since a 3.1.1 broker usually
/// stops at 20 by itself. Without this one that does not could fill the memory with large messages that wait.
const UNACKNOWLEDGED_BYTES_MAX: usize = 2 * RECEIVE_MAX as usize * PACKET_BYTES_MAX as usize;
/// Events kept for the core while it is busy. As many fit that a batch of rumqttc's reads (10 packets) never waits;
/// beyond it the broker is not polled.
const EVENTS_KEPT_MAX: usize = 32;

/// Events on their way to the core.
type Outbox = VecDeque<FromBroker>;

/// Keeps a session with the broker until [`ToBroker::Stop`] comes, or the core drops its end of a channel.
///
/// Any capacity of the two channels will do. Dropping this future leaves the session at the broker as it is.
pub async fn run(config: BrokerConfig, mut to: mpsc::Receiver<ToBroker>, from: mpsc::Sender<FromBroker>) {
    let mut retry = Retry::default();
    let mut outbox = Outbox::new();
    for number in 0.. {
        let epoch = Epoch(number);
        let session = Session::new(&config, epoch, retry.patience_s(), &mut outbox);
        let (trouble, lived) = match session.run(&mut to, &from).await {
            Ended::Stopped => return,
            Ended::Lost { trouble, lived } => (trouble, lived),
        };
        let faults = retry.lost(lived, &trouble);
        outbox.push_back(FromBroker::Lost { epoch, trouble });
        outbox.extend(faults.into_iter().map(FromBroker::Fault));
        let pause = Duration::from_millis(retry.pause_ms(fastrand::u64(..)));
        if !rest(Instant::now() + pause, &mut outbox, &mut to, &from).await {
            return;
        }
    }
}

/// Waits until `until`, and until the core has taken all events: without a listener there is nothing to connect for.
/// What the core asks for meanwhile belongs to an old connection. False when it is time to end.
async fn rest(
    until: Instant,
    outbox: &mut Outbox,
    to: &mut mpsc::Receiver<ToBroker>,
    from: &mpsc::Sender<FromBroker>,
) -> bool {
    loop {
        tokio::select! {
            permit = from.reserve(), if !outbox.is_empty() => match (permit, outbox.pop_front()) {
                (Ok(permit), Some(event)) => permit.send(event),
                _ => return false,
            },
            command = to.recv() => match command {
                Some(ToBroker::Ack(_) | ToBroker::Publish { .. } | ToBroker::RenewTls) => {}
                Some(ToBroker::Stop) | None => return false,
            },
            () = sleep_until(until), if outbox.is_empty() => return true,
        }
    }
}
