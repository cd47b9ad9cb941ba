//! One rumqttc client and event loop, in words that MQTT 5 and MQTT 3.1.1 share.
//!
//! rumqttc keeps two copies of itself, one for each version of the protocol, with different types of the same names.

use super::{BrokerConfig, PACKET_BYTES_MAX, Protocol, RECEIVE_MAX, Trouble};
use crate::io::http::tls;
use crate::order::said::{InChinese as _, Said};
use bytes::Bytes;
use rumqttc::v5::mqttbytes::v5 as packet5;
use rumqttc::{NetworkOptions, Outgoing, TlsConfiguration, Transport, v5};
use rustls::ClientConfig;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// rumqttc gives packet ids in a ring of this size (or the broker's receive maximum, when less) and stops sending,
/// acks included, when so many publishes are in flight. The session stays below it ([`super::session`]).
pub(super) const PACKET_IDS: u16 = 32;

/// Requests that rumqttc may hold back. The session counts them, so this queue is never found full.
pub(super) const REQUESTS_MAX: usize = 64;

/// rumqttc panics on a shorter keep-alive with MQTT 5.
const KEEP_ALIVE_S_MIN: u16 = 5;

/// What the broker said when it let us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) session_present: bool,
    /// Most of our publishes that it takes unacknowledged.
    pub(super) receive_max: u16,
    /// Largest packet that it takes, in bytes.
    pub(super) packet_bytes_max: u32,
    /// The keep-alive that holds, ours or the one that it asks for.
    pub(super) keep_alive: Duration,
}

/// The packet id that a received message is acknowledged by. None with QoS 0, which is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AckOf(Option<u16>);

/// What one poll brought.
#[derive(Debug)]
pub(super) enum Event {
    Connected(Greeting),
    /// SUBACK; the error is the broker's reason.
    SubscribeAnswered(Result<(), Said>),
    Message {
        ack_of: AckOf,
        payload: Bytes,
        redelivered: bool,
    },
    /// The oldest publish not yet sent was written to the connection, with this packet id.
    PublishSent(u16),
    /// Another request (SUBSCRIBE, PUBACK) was.
    RequestSent,
    /// PUBACK; the error is the broker's reason.
    PublishAnswered(u16, Result<(), String>),
    /// The keep-alive's question was written.
    PingSent,
    /// And answered.
    PingAnswered,
    /// Nothing of interest, but a sign of life.
    Other,
}

/// Asks rumqttc to send something. Never waits.
pub(super) enum Requests {
    V5(v5::AsyncClient),
    V311(rumqttc::AsyncClient),
}

/// The event loop: connects, reads, writes, pings while it is polled.
pub(super) enum Poller {
    V5(Box<v5::EventLoop>),
    V311(Box<rumqttc::EventLoop>),
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The machine's session: the broker keeps it, and has a will.
    Session,
    /// One publish: nothing stays behind.
    Once,
}

/// The certificates for a connection that is to be made now.
///
/// # Errors
/// [`Trouble::Tls`] when there are none to be trusted.
pub(super) async fn tls_now(config: &BrokerConfig) -> Result<Option<Arc<ClientConfig>>, Trouble> {
    match &config.tls {
        Some(supply) => Ok(Some(supply.current().await.map_err(|e| Trouble::Tls(e.said()))?)),
        None => Ok(None),
    }
}

/// A fresh client, which has so long until CONNACK. Nothing is sent before the first poll.
pub(super) fn open(
    config: &BrokerConfig,
    tls: Option<Arc<ClientConfig>>,
    purpose: Purpose,
    patience_s: u64,
) -> (Requests, Poller) {
    match config.protocol {
        Protocol::V5 => {
            let (client, event_loop) = v5::AsyncClient::new(options_v5(config, tls, purpose, patience_s), REQUESTS_MAX);
            (Requests::V5(client), Poller::V5(Box::new(event_loop)))
        }
        Protocol::V311 => {
            let (client, mut event_loop) = rumqttc::AsyncClient::new(options_v311(config, tls, purpose), REQUESTS_MAX);
            event_loop.set_network_options(network_options(patience_s));
            (Requests::V311(client), Poller::V311(Box::new(event_loop)))
        }
    }
}

fn options_v5(
    config: &BrokerConfig,
    tls: Option<Arc<ClientConfig>>,
    purpose: Purpose,
    patience_s: u64,
) -> v5::MqttOptions {
    let mut options = v5::MqttOptions::new(&config.client_id, host(config), config.port);
    options
        .set_keep_alive(keep_alive(config))
        .set_clean_start(purpose == Purpose::Once)
        .set_session_expiry_interval((purpose == Purpose::Session).then_some(config.session_expiry_s))
        .set_receive_maximum(Some(RECEIVE_MAX))
        .set_max_packet_size(Some(PACKET_BYTES_MAX))
        .set_manual_acks(true)
        .set_outgoing_inflight_upper_limit(PACKET_IDS)
        .set_connection_timeout(patience_s)
        .set_network_options(network_options(patience_s))
        .set_transport(transport(tls));
    if purpose == Purpose::Session && !config.will.is_empty() {
        let qos = v5::mqttbytes::QoS::AtLeastOnce;
        options.set_last_will(packet5::LastWill::new(&config.publish, config.will.clone(), qos, false, None));
    }
    if let Some((username, password)) = credentials(config) {
        options.set_credentials(username, password);
    }
    options
}

fn options_v311(config: &BrokerConfig, tls: Option<Arc<ClientConfig>>, purpose: Purpose) -> rumqttc::MqttOptions {
    let mut options = rumqttc::MqttOptions::new(&config.client_id, host(config), config.port);
    options
        .set_keep_alive(keep_alive(config))
        .set_clean_session(purpose == Purpose::Once)
        .set_max_packet_size(PACKET_BYTES_MAX as usize, PACKET_BYTES_MAX as usize)
        .set_manual_acks(true)
        .set_inflight(PACKET_IDS)
        .set_transport(transport(tls));
    if purpose == Purpose::Session && !config.will.is_empty() {
        let qos = rumqttc::QoS::AtLeastOnce;
        options.set_last_will(rumqttc::LastWill::new(&config.publish, config.will.clone(), qos, false));
    }
    if let Some((username, password)) = credentials(config) {
        options.set_credentials(username, password);
    }
    options
}

/// rumqttc joins host and port with a colon before it looks the name up.
fn host(config: &BrokerConfig) -> String {
    let literal_v6 = config.tls.is_none() && config.host.parse::<std::net::Ipv6Addr>().is_ok();
    if literal_v6 { format!("[{}]", config.host) } else { config.host.clone() }
}

fn keep_alive(config: &BrokerConfig) -> Duration {
    Duration::from_secs(u64::from(config.keep_alive_s.max(KEEP_ALIVE_S_MIN)))
}

fn transport(tls: Option<Arc<ClientConfig>>) -> Transport {
    match tls {
        Some(tls) => Transport::Tls(TlsConfiguration::Rustls(tls)),
        None => Transport::Tcp,
    }
}

/// Empty is absent, for rumqttc too.
fn credentials(config: &BrokerConfig) -> Option<(&str, &str)> {
    let username = config.username.as_deref().unwrap_or("");
    let password = config.password.as_ref().map_or("", |password| password.reveal());
    (!username.is_empty() || !password.is_empty()).then_some((username, password))
}

fn network_options(patience_s: u64) -> NetworkOptions {
    let mut options = NetworkOptions::new();
    // What leaves while an earlier packet is on its way goes with the next segment: rumqttc writes each packet alone, and a
    // queue's acks and reports are many and small. Of a single order only `received` waits, for the ack's round trip.
    options.set_tcp_nodelay(false);
    options.set_connection_timeout(patience_s);
    options
}

impl Requests {
    /// Each success is answered by one [`Event::RequestSent`].
    pub(super) fn subscribe(&self, topic: &str) -> Result<(), Trouble> {
        match self {
            Requests::V5(client) => {
                client.try_subscribe(topic, v5::mqttbytes::QoS::AtLeastOnce).map_err(|error| request_refused(&error))
            }
            Requests::V311(client) => {
                client.try_subscribe(topic, rumqttc::QoS::AtLeastOnce).map_err(|error| request_refused(&error))
            }
        }
    }

    /// Each success is answered by one [`Event::PublishSent`], in the order of the calls.
    pub(super) fn publish(&self, topic: &str, payload: Vec<u8>) -> Result<(), Trouble> {
        match self {
            Requests::V5(client) => client
                .try_publish(topic, v5::mqttbytes::QoS::AtLeastOnce, false, payload)
                .map_err(|error| request_refused(&error)),
            Requests::V311(client) => client
                .try_publish(topic, rumqttc::QoS::AtLeastOnce, false, payload)
                .map_err(|error| request_refused(&error)),
        }
    }

    /// Each success that says true is answered by one [`Event::RequestSent`]; a QoS 0 message needs no ack.
    pub(super) fn ack(&self, AckOf(packet_id): AckOf) -> Result<bool, Trouble> {
        let Some(packet_id) = packet_id else { return Ok(false) };
        // rumqttc wants the message, and looks at these two fields.
        match self {
            Requests::V5(client) => {
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                let message = packet5::Publish { pkid: packet_id, qos, ..Default::default() };
                client.try_ack(&message).map_err(|error| request_refused(&error))?;
            }
            Requests::V311(client) => {
                let mut message = rumqttc::Publish::new("", rumqttc::QoS::AtLeastOnce, []);
                message.pkid = packet_id;
                client.try_ack(&message).map_err(|error| request_refused(&error))?;
            }
        }
        Ok(true)
    }
}

/// The queue is never full (see [`REQUESTS_MAX`]), so this is a topic with wildcards or an empty one.
fn request_refused(error: &dyn std::error::Error) -> Trouble {
    Trouble::Protocol(Said::new(format!("the client cannot send this: {error}"), format!("客户端无法发送：{error}")))
}

/// What rumqttc's decoder said when it broke on what it was sent.
pub(super) fn decoder_panicked(panic: &str) -> Trouble {
    Trouble::Protocol(Said::new(format!("the decoder panicked: {panic}"), format!("解码器崩溃：{panic}")))
}

impl Poller {
    /// Waits for the next event. To be polled to its end: an event loop that is dropped while it writes loses
    /// the packet.
    pub(super) async fn next(&mut self) -> Result<Event, Trouble> {
        match self {
            Poller::V5(event_loop) => match event_loop.poll().await {
                Ok(event) => Ok(event_v5(event, event_loop.options.keep_alive())),
                Err(error) => Err(trouble_v5(error)),
            },
            Poller::V311(event_loop) => match event_loop.poll().await {
                Ok(event) => Ok(event_v311(event, event_loop.mqtt_options.keep_alive())),
                Err(error) => Err(trouble_v311(error)),
            },
        }
    }

    /// What had come before the error that [`Poller::next`] returned: a PUBACK among it saves a repetition.
    pub(super) fn left_over(&mut self) -> Vec<Event> {
        match self {
            Poller::V5(event_loop) => {
                let keep_alive = event_loop.options.keep_alive();
                event_loop.state.events.drain(..).map(|event| event_v5(event, keep_alive)).collect()
            }
            Poller::V311(event_loop) => {
                let keep_alive = event_loop.mqtt_options.keep_alive();
                event_loop.state.events.drain(..).map(|event| event_v311(event, keep_alive)).collect()
            }
        }
    }
}

fn event_v5(event: v5::Event, keep_alive: Duration) -> Event {
    use v5::mqttbytes::QoS;
    match event {
        v5::Event::Outgoing(outgoing) => event_outgoing(&outgoing),
        v5::Event::Incoming(packet5::Packet::ConnAck(connack)) => {
            let properties = connack.properties.as_ref();
            Event::Connected(Greeting {
                session_present: connack.session_present,
                receive_max: properties.and_then(|p| p.receive_max).unwrap_or(u16::MAX),
                packet_bytes_max: properties.and_then(|p| p.max_packet_size).unwrap_or(u32::MAX),
                keep_alive,
            })
        }
        v5::Event::Incoming(packet5::Packet::SubAck(suback)) => {
            Event::SubscribeAnswered(match suback.return_codes.first() {
                Some(packet5::SubscribeReasonCode::Success(QoS::AtMostOnce)) => Err(granted_qos_0()),
                Some(packet5::SubscribeReasonCode::Success(_)) => Ok(()),
                other => Err(Said::word(format!("{other:?}"))),
            })
        }
        v5::Event::Incoming(packet5::Packet::Publish(publish)) => Event::Message {
            ack_of: AckOf((publish.qos != QoS::AtMostOnce).then_some(publish.pkid)),
            payload: publish.payload,
            redelivered: publish.dup,
        },
        v5::Event::Incoming(packet5::Packet::PubAck(puback)) => Event::PublishAnswered(
            puback.pkid,
            match puback.reason {
                packet5::PubAckReason::Success | packet5::PubAckReason::NoMatchingSubscribers => Ok(()),
                reason => Err(format!("{reason:?}")),
            },
        ),
        v5::Event::Incoming(packet5::Packet::PingResp(_)) => Event::PingAnswered,
        v5::Event::Incoming(_) => Event::Other,
    }
}

fn event_v311(event: rumqttc::Event, keep_alive: Duration) -> Event {
    use rumqttc::{Packet, QoS, SubscribeReasonCode};
    match event {
        rumqttc::Event::Outgoing(outgoing) => event_outgoing(&outgoing),
        rumqttc::Event::Incoming(Packet::ConnAck(connack)) => Event::Connected(Greeting {
            session_present: connack.session_present,
            receive_max: u16::MAX,
            packet_bytes_max: u32::MAX,
            keep_alive,
        }),
        rumqttc::Event::Incoming(Packet::SubAck(suback)) => {
            Event::SubscribeAnswered(match suback.return_codes.first() {
                Some(SubscribeReasonCode::Success(QoS::AtMostOnce)) => Err(granted_qos_0()),
                Some(SubscribeReasonCode::Success(_)) => Ok(()),
                other => Err(Said::word(format!("{other:?}"))),
            })
        }
        rumqttc::Event::Incoming(Packet::Publish(publish)) => Event::Message {
            ack_of: AckOf((publish.qos != QoS::AtMostOnce).then_some(publish.pkid)),
            payload: publish.payload,
            redelivered: publish.dup,
        },
        rumqttc::Event::Incoming(Packet::PubAck(puback)) => Event::PublishAnswered(puback.pkid, Ok(())),
        rumqttc::Event::Incoming(Packet::PingResp) => Event::PingAnswered,
        rumqttc::Event::Incoming(_) => Event::Other,
    }
}

/// With QoS 0 a command that comes while we are away is lost.
fn granted_qos_0() -> Said {
    Said::new("it grants QoS 0 only", "它只给予 QoS 0")
}

/// rumqttc reports requests in the order in which it takes them from its queue, and a publish when it is written.
/// One whose packet id is still in use is announced as `AwaitAck` first, and holds up all requests behind it.
fn event_outgoing(outgoing: &Outgoing) -> Event {
    match outgoing {
        Outgoing::Publish(packet_id) => Event::PublishSent(*packet_id),
        Outgoing::Subscribe(_) | Outgoing::PubAck(_) | Outgoing::PubRec(_) => Event::RequestSent,
        Outgoing::PingReq => Event::PingSent,
        _ => Event::Other,
    }
}

fn trouble_v5(error: v5::ConnectionError) -> Trouble {
    use packet5::{ConnectReturnCode as Code, DisconnectReasonCode};
    use v5::mqttbytes::Error as Packet;
    use v5::{ConnectionError, StateError};
    match error {
        ConnectionError::Io(error) => Trouble::Unreachable(error.to_string()),
        ConnectionError::Tls(error) => {
            Trouble::Tls(tls::complaint(&error).unwrap_or_else(|| Said::word(error.to_string())))
        }
        ConnectionError::Timeout(_) => Trouble::ConnectTimeOut,
        ConnectionError::ConnectionRefused(code) => match code {
            Code::BadUserNamePassword => Trouble::BadCredentials,
            Code::NotAuthorized | Code::Banned => Trouble::NotAuthorised,
            Code::BadClientId | Code::ClientIdentifierNotValid => Trouble::ClientIdRejected,
            code => Trouble::Refused(format!("{code:?}")),
        },
        ConnectionError::MqttState(error) => match error {
            StateError::ServerDisconnect { reason_code: DisconnectReasonCode::SessionTakenOver, .. } => {
                Trouble::TakenOver
            }
            StateError::ServerDisconnect { reason_code, reason_string } => Trouble::Disconnected(
                format!("{reason_code:?} {}", reason_string.unwrap_or_default()).trim().to_owned(),
            ),
            StateError::ConnectionAborted => Trouble::ClosedByBroker,
            StateError::AwaitPingResp => Trouble::KeepAlive,
            StateError::CollisionTimeout => Trouble::PublishUnanswered,
            StateError::Io(error) | StateError::Deserialization(Packet::Io(error)) => trouble_link(&error),
            StateError::Deserialization(Packet::PayloadSizeLimitExceeded { pkt_size, .. }) => {
                Trouble::PacketTooLarge { bytes: pkt_size }
            }
            error => Trouble::Protocol(Said::word(error.to_string())),
        },
        error => Trouble::Protocol(Said::word(error.to_string())),
    }
}

fn trouble_v311(error: rumqttc::ConnectionError) -> Trouble {
    use rumqttc::mqttbytes::Error as Packet;
    use rumqttc::{ConnectReturnCode as Code, ConnectionError, StateError};
    match error {
        ConnectionError::Io(error) => Trouble::Unreachable(error.to_string()),
        ConnectionError::Tls(error) => {
            Trouble::Tls(tls::complaint(&error).unwrap_or_else(|| Said::word(error.to_string())))
        }
        ConnectionError::NetworkTimeout => Trouble::ConnectTimeOut,
        ConnectionError::FlushTimeout => Trouble::KeepAlive,
        ConnectionError::ConnectionRefused(code) => match code {
            Code::BadUserNamePassword => Trouble::BadCredentials,
            Code::NotAuthorized => Trouble::NotAuthorised,
            Code::BadClientId => Trouble::ClientIdRejected,
            code => Trouble::Refused(format!("{code:?}")),
        },
        ConnectionError::MqttState(error) => match error {
            StateError::ConnectionAborted => Trouble::ClosedByBroker,
            StateError::AwaitPingResp => Trouble::KeepAlive,
            StateError::CollisionTimeout => Trouble::PublishUnanswered,
            StateError::Io(error) | StateError::Deserialization(Packet::Io(error)) => trouble_link(&error),
            StateError::Deserialization(Packet::PayloadSizeLimitExceeded(bytes)) => Trouble::PacketTooLarge { bytes },
            error => Trouble::Protocol(Said::word(error.to_string())),
        },
        error => Trouble::Protocol(Said::word(error.to_string())),
    }
}

/// A read or write failed on a connection that had been made.
fn trouble_link(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Trouble::ClosedByBroker,
        // So rustls tells its own errors, like a client certificate that is refused after the handshake.
        io::ErrorKind::InvalidData => {
            Trouble::Tls(tls::complaint(error).unwrap_or_else(|| Said::word(error.to_string())))
        }
        _ => Trouble::Link(error.to_string()),
    }
}

/// Runs a future; when it panics, the message comes back as an error. rumqttc's decoder must not take the process
/// down, whatever it is sent.
pub(super) async fn guarded<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        // Nothing of a future that panicked is used again but its drop.
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
                (Some(text), _) => (*text).to_owned(),
                (None, Some(text)) => text.clone(),
                (None, None) => "panic".to_owned(),
            })),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_decoder_that_panics_is_an_error_and_not_the_end() {
        let text = guarded(async { panic!("malformed {}", 7) }).await;
        assert_eq!(text, Err::<(), _>("malformed 7".to_owned()));
        assert_eq!(guarded(async { 7 }).await, Ok(7));
    }
}
