//! The MQTT session against a real mosquitto, and against scripted brokers where mosquitto behaves too well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

#[path = "../common/certificates.rs"]
mod certificates;
mod flood;
#[path = "../common/mosquitto.rs"]
mod mosquitto;
mod tls;

use bytes::Bytes;
use mosquitto::Mosquitto;
use rumqttc::v5::mqttbytes::{QoS, v5 as packet};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use vend::core::event::{Epoch, Tag};
use vend::io::broker::{
    BrokerConfig, BrokerFault, FromBroker, PACKET_BYTES_MAX, Password, Protocol, RECEIVE_MAX, ToBroker, Trouble, run,
};

/// Far more than anything here takes; a handful of back-offs of some seconds are the longest.
const DEADLINE: Duration = Duration::from_secs(60);
const BOTH: [Protocol; 2] = [Protocol::V5, Protocol::V311];
const DOWN: &str = "/clients/16327129";
const UP: &str = "/server/app";
const WILL: &[u8] = b"client.offline";

fn config(port: u16, protocol: Protocol) -> BrokerConfig {
    BrokerConfig {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        protocol,
        client_id: "16327129".to_owned(),
        username: None,
        password: None,
        keep_alive_s: 60,
        session_expiry_s: 3_600,
        subscribe: DOWN.to_owned(),
        publish: UP.to_owned(),
        will: WILL.to_vec(),
    }
}

/// The task under test, seen from the core.
struct Agent {
    to: mpsc::Sender<ToBroker>,
    from: mpsc::Receiver<FromBroker>,
    task: JoinHandle<()>,
}

impl Agent {
    fn start(config: BrokerConfig) -> Self {
        Agent::with_queues_of(64, config)
    }

    fn with_queues_of(capacity: usize, config: BrokerConfig) -> Self {
        let (to, commands) = mpsc::channel(capacity);
        let (events, from) = mpsc::channel(capacity);
        Agent { to, from, task: tokio::spawn(run(config, commands, events)) }
    }

    /// Started, connected, subscribed.
    async fn ready(config: BrokerConfig) -> (Self, Epoch, bool) {
        let mut agent = Agent::start(config);
        let (epoch, session_present) = agent.connected().await;
        agent.until(|event| (*event == FromBroker::Subscribed { epoch }).then_some(())).await;
        (agent, epoch, session_present)
    }

    async fn next(&mut self) -> FromBroker {
        timeout(DEADLINE, self.from.recv()).await.expect("an event in time").expect("the task lives")
    }

    /// The first event that `picks` something; those before it are passed over.
    async fn until<T>(&mut self, picks: impl Fn(&FromBroker) -> Option<T>) -> T {
        let mut passed = Vec::new();
        let picked = timeout(DEADLINE, async {
            loop {
                let event = self.from.recv().await.expect("the task lives");
                match picks(&event) {
                    Some(picked) => break picked,
                    None => passed.push(event),
                }
            }
        });
        match picked.await {
            Ok(picked) => picked,
            Err(_) => panic!("nothing of the kind among {passed:?}"),
        }
    }

    async fn connected(&mut self) -> (Epoch, bool) {
        self.until(|event| match event {
            FromBroker::Connected { epoch, session_present } => Some((*epoch, *session_present)),
            _ => None,
        })
        .await
    }

    async fn lost(&mut self) -> Trouble {
        self.until(|event| match event {
            FromBroker::Lost { trouble, .. } => Some(trouble.clone()),
            _ => None,
        })
        .await
    }

    async fn fault(&mut self) -> BrokerFault {
        self.until(|event| match event {
            FromBroker::Fault(fault) => Some(fault.clone()),
            _ => None,
        })
        .await
    }

    async fn message(&mut self) -> (Tag, Bytes, bool) {
        self.until(|event| match event {
            FromBroker::Message { tag, payload, redelivered } => Some((*tag, payload.clone(), *redelivered)),
            _ => None,
        })
        .await
    }

    async fn published(&mut self) -> u64 {
        self.until(|event| match event {
            FromBroker::Published { token } => Some(*token),
            _ => None,
        })
        .await
    }

    async fn ack(&self, tag: Tag) {
        self.to.send(ToBroker::Ack(tag)).await.unwrap();
    }

    async fn publish(&self, epoch: Epoch, token: u64, payload: impl Into<Vec<u8>>) {
        self.to.send(ToBroker::Publish { epoch, token, payload: payload.into() }).await.unwrap();
    }

    /// When this publish is settled, the broker has seen all acks that were sent before it.
    async fn barrier(&mut self, epoch: Epoch) {
        self.publish(epoch, u64::MAX, "barrier").await;
        self.until(|event| (*event == FromBroker::Published { token: u64::MAX }).then_some(())).await;
    }

    /// As a crash does.
    async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// The platform: publishes commands, sees reports.
struct Platform {
    client: AsyncClient,
    acks: mpsc::Receiver<()>,
    reports: mpsc::Receiver<Bytes>,
}

impl Platform {
    async fn connect(port: u16) -> Self {
        let mut options = MqttOptions::new("platform", "127.0.0.1", port);
        options.set_max_packet_size(Some(16 << 20));
        let (client, mut event_loop) = AsyncClient::new(options, 512);
        client.try_subscribe(UP, QoS::AtLeastOnce).unwrap();
        let (acked, mut acks) = mpsc::channel(512);
        let (reported, reports) = mpsc::channel(1_024);
        tokio::spawn(async move {
            while let Ok(event) = event_loop.poll().await {
                match event {
                    Event::Incoming(packet::Packet::PubAck(_) | packet::Packet::SubAck(_)) => {
                        let _ = acked.send(()).await;
                    }
                    Event::Incoming(packet::Packet::Publish(publish)) => {
                        let _ = reported.send(publish.payload).await;
                    }
                    _ => {}
                }
            }
        });
        timeout(DEADLINE, acks.recv()).await.unwrap().unwrap();
        Platform { client, acks, reports }
    }

    /// Returns when the broker has it.
    async fn send(&mut self, payload: impl Into<Vec<u8>>) {
        self.client.publish(DOWN, QoS::AtLeastOnce, false, payload.into()).await.unwrap();
        timeout(DEADLINE, self.acks.recv()).await.unwrap().unwrap();
    }

    async fn report(&mut self) -> Bytes {
        timeout(DEADLINE, self.reports.recv()).await.expect("a report in time").unwrap()
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_after_a_crash_in_order() {
    for protocol in BOTH {
        let broker = Mosquitto::start();
        let (mut agent, epoch, session_present) = Agent::ready(config(broker.port(), protocol)).await;
        assert!(!session_present, "{protocol:?}");
        let mut platform = Platform::connect(broker.port()).await;
        for text in ["first", "second", "third"] {
            platform.send(text).await;
        }
        let (tag, payload, redelivered) = agent.message().await;
        assert_eq!((&payload[..], redelivered), (&b"first"[..], false));
        agent.message().await;
        agent.message().await;
        agent.ack(tag).await;
        agent.barrier(epoch).await;
        agent.crash().await;

        let mut agent = Agent::start(config(broker.port(), protocol));
        let (_, session_present) = agent.connected().await;
        assert!(session_present, "{protocol:?}");
        for text in ["second", "third"] {
            let (_, payload, redelivered) = agent.message().await;
            assert_eq!((&payload[..], redelivered), (text.as_bytes(), true), "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn an_ack_out_of_order_waits_for_the_messages_before_it() {
    for protocol in BOTH {
        let broker = Mosquitto::start();
        let (mut agent, epoch, _) = Agent::ready(config(broker.port(), protocol)).await;
        let mut platform = Platform::connect(broker.port()).await;
        for text in ["first", "second"] {
            platform.send(text).await;
        }
        agent.message().await;
        let (second, ..) = agent.message().await;
        agent.ack(second).await;
        agent.barrier(epoch).await;
        agent.crash().await;

        let mut agent = Agent::start(config(broker.port(), protocol));
        let (epoch, _) = agent.connected().await;
        let (first, payload, _) = agent.message().await;
        assert_eq!(&payload[..], b"first", "{protocol:?}");
        let (second, payload, _) = agent.message().await;
        assert_eq!(&payload[..], b"second", "{protocol:?}: its ack had not left");
        agent.ack(second).await;
        agent.ack(first).await;
        agent.barrier(epoch).await;
        agent.crash().await;

        let (mut agent, ..) = Agent::ready(config(broker.port(), protocol)).await;
        platform.send("third").await;
        assert_eq!(&agent.message().await.1[..], b"third", "{protocol:?}: both acks had left");
    }
}

#[tokio::test]
async fn acks_and_publishes_for_an_old_connection_do_not_leave_on_the_new_one() {
    for protocol in BOTH {
        let mut broker = Mosquitto::start();
        let (mut agent, old_epoch, _) = Agent::ready(config(broker.port(), protocol)).await;
        Platform::connect(broker.port()).await.send("order").await;
        let (old_tag, ..) = agent.message().await;
        broker.kill();
        agent.lost().await;
        broker.restart();
        let (epoch, session_present) = agent.connected().await;
        assert!(session_present && epoch > old_epoch, "{protocol:?}");
        let (tag, ..) = agent.message().await;
        assert_ne!(tag, old_tag);
        let mut platform = Platform::connect(broker.port()).await;
        agent.ack(old_tag).await;
        agent.publish(old_epoch, 1, "stale").await;
        agent.barrier(epoch).await;
        assert_eq!(&platform.report().await[..], b"barrier", "{protocol:?}: the stale report did not leave");
        agent.crash().await;

        let mut agent = Agent::start(config(broker.port(), protocol));
        let (_, payload, redelivered) = agent.message().await;
        assert_eq!((&payload[..], redelivered), (&b"order"[..], true), "{protocol:?}: the stale ack did not leave");
    }
}

#[tokio::test]
async fn a_broker_that_comes_back_with_or_without_our_session_is_subscribed_to_again() {
    for protocol in BOTH {
        for remembers in [true, false] {
            let mut broker = Mosquitto::start();
            let (mut agent, ..) = Agent::ready(config(broker.port(), protocol)).await;
            broker.kill();
            agent.lost().await;
            if remembers {
                broker.restart()
            } else {
                broker.restart_without_memory()
            }
            let (epoch, session_present) = agent.connected().await;
            assert_eq!(session_present, remembers, "{protocol:?}");
            agent.until(|event| (*event == FromBroker::Subscribed { epoch }).then_some(())).await;
            Platform::connect(broker.port()).await.send("after").await;
            assert_eq!(&agent.message().await.1[..], b"after", "{protocol:?} {remembers}");
        }
    }
}

#[tokio::test]
async fn two_hundred_publishes_at_once_are_all_settled_exactly_once() {
    for protocol in BOTH {
        let broker = Mosquitto::start();
        let mut platform = Platform::connect(broker.port()).await;
        let (mut agent, epoch, _) = Agent::ready(config(broker.port(), protocol)).await;
        let to = agent.to.clone();
        let core = tokio::spawn(async move {
            for token in 0..200_u64 {
                to.send(ToBroker::Publish { epoch, token, payload: token.to_string().into() }).await.unwrap();
            }
        });
        let mut settled = Vec::new();
        while settled.len() < 200 {
            match agent.next().await {
                FromBroker::Published { token } => settled.push(token),
                other => panic!("{protocol:?}: {other:?}"),
            }
        }
        core.await.unwrap();
        agent.barrier(epoch).await;
        assert_eq!(settled.iter().copied().collect::<BTreeSet<_>>(), (0..200).collect(), "{protocol:?}");
        for token in 0..200 {
            assert_eq!(platform.report().await, token.to_string(), "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn three_hundred_kilobytes_pass_in_both_directions() {
    for protocol in BOTH {
        let broker = Mosquitto::start();
        let (mut agent, epoch, _) = Agent::ready(config(broker.port(), protocol)).await;
        let mut platform = Platform::connect(broker.port()).await;
        let large = vec![b'x'; 300_000];
        platform.send(large.clone()).await;
        assert_eq!(agent.message().await.1, large, "{protocol:?}");
        agent.publish(epoch, 1, large.clone()).await;
        assert_eq!(platform.report().await, large, "{protocol:?}");
    }
}

#[tokio::test]
async fn mqtt_5_a_broker_withholds_what_is_larger_than_we_take() {
    let broker = Mosquitto::start();
    let (mut agent, ..) = Agent::ready(config(broker.port(), Protocol::V5)).await;
    let mut platform = Platform::connect(broker.port()).await;
    platform.send(vec![b'x'; PACKET_BYTES_MAX as usize + 1]).await;
    platform.send("small").await;
    assert!(matches!(agent.next().await, FromBroker::Message { payload, .. } if payload == "small"));
}

#[tokio::test]
async fn mqtt_3_1_1_a_message_larger_than_we_take_is_a_loud_fault_and_no_hot_loop() {
    let broker = Mosquitto::start();
    let (mut agent, ..) = Agent::ready(config(broker.port(), Protocol::V311)).await;
    Platform::connect(broker.port()).await.send(vec![b'x'; PACKET_BYTES_MAX as usize + 1]).await;
    for _ in 0..3 {
        assert!(matches!(agent.lost().await, Trouble::PacketTooLarge { .. }));
        let fault = agent.fault().await;
        assert!(fault.to_string().contains("message_size_limit"), "{fault}");
    }
    assert_slow(&mut agent).await;
}

/// Connections end at most at the rate that the back-off allows.
async fn assert_slow(agent: &mut Agent) {
    let mut ends = 0;
    let _ = timeout(Duration::from_secs(2), async {
        loop {
            if matches!(agent.from.recv().await, Some(FromBroker::Lost { .. })) {
                ends += 1;
            }
        }
    })
    .await;
    assert!(ends < 20, "{ends} connections ended in two seconds");
}

#[tokio::test]
async fn a_second_client_with_our_id_is_a_fault_and_no_fight() {
    for protocol in BOTH {
        let broker = Mosquitto::start();
        let mut agent = Agent::start(config(broker.port(), protocol));
        let mut rivals = Vec::new();
        let mut takes_over = async || {
            let mut rival = TcpStream::connect(("127.0.0.1", broker.port())).await.unwrap();
            let connect = b"\x10\x14\x00\x04MQTT\x04\x00\x00\x3c\x00\x0816327129";
            rival.write_all(connect).await.unwrap();
            rival.read_exact(&mut [0; 4]).await.unwrap();
            rivals.push(rival);
        };
        let fault = loop {
            match agent.next().await {
                FromBroker::Connected { .. } => takes_over().await,
                FromBroker::Fault(fault) => break fault,
                _ => {}
            }
        };
        assert!(matches!(fault, BrokerFault::TakenOver { .. }), "{protocol:?}: {fault:?}");
        let mut ends = 0;
        let _ = timeout(Duration::from_secs(2), async {
            loop {
                match agent.next().await {
                    FromBroker::Connected { .. } => takes_over().await,
                    FromBroker::Lost { .. } => ends += 1,
                    _ => {}
                }
            }
        })
        .await;
        assert!(ends < 20, "{protocol:?}: {ends} times in two seconds");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_and_tried_again() {
    let with_password = |directory: &Path| {
        let file = directory.join("passwords");
        let made = Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&file).args(["16327129", "right"]).status();
        assert!(made.unwrap().success());
        format!("allow_anonymous false\npassword_file {}\n", file.display())
    };
    let broker = Mosquitto::start_with(with_password);
    for protocol in BOTH {
        let with = |password: &str| BrokerConfig {
            username: Some("16327129".to_owned()),
            password: Some(Password::new(password.to_owned())),
            ..config(broker.port(), protocol)
        };
        assert!(!format!("{:?}", with("wrong")).contains("wrong"), "a password is not printed");
        let mut agent = Agent::start(with("wrong"));
        for _ in 0..2 {
            let trouble = agent.lost().await;
            assert!(matches!(trouble, Trouble::NotAuthorised | Trouble::BadCredentials), "{protocol:?}: {trouble:?}");
        }
        agent.crash().await;
        Agent::ready(with("right")).await;
    }
}

#[tokio::test]
async fn the_will_is_published_after_a_crash_and_after_a_stop_that_first_sends_what_was_asked_for() {
    for protocol in BOTH {
        let broker = Mosquitto::start();
        let mut platform = Platform::connect(broker.port()).await;
        let (agent, ..) = Agent::ready(config(broker.port(), protocol)).await;
        agent.crash().await;
        assert_eq!(platform.report().await, WILL, "{protocol:?}");

        let (agent, epoch, _) = Agent::ready(config(broker.port(), protocol)).await;
        for token in 0..40 {
            agent.publish(epoch, token, token.to_string()).await;
        }
        agent.to.send(ToBroker::Stop).await.unwrap();
        timeout(DEADLINE, agent.task).await.expect("it ends").unwrap();
        for token in 0..40 {
            assert_eq!(platform.report().await, token.to_string(), "{protocol:?}");
        }
        assert_eq!(platform.report().await, WILL, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_core_that_takes_no_events_can_still_get_rid_of_its_commands() {
    let broker = Mosquitto::start();
    let mut agent = Agent::with_queues_of(1, BrokerConfig { keep_alive_s: 5, ..config(broker.port(), Protocol::V5) });
    let (epoch, _) = agent.connected().await;
    for token in 0..300 {
        timeout(DEADLINE, agent.publish(epoch, token, "report")).await.expect("the task takes the publish");
    }
    let again = agent.connected().await.0;
    assert!(again > epoch, "what had no room was dropped with the connection");
    agent.barrier(again).await;
}

/// A broker that does as the test says, on one connection.
struct Scripted {
    stream: TcpStream,
    protocol: Protocol,
}

impl Scripted {
    async fn listen() -> (TcpListener, u16) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    /// Answers CONNECT.
    async fn accept(listener: &TcpListener, protocol: Protocol) -> Self {
        let mut broker = Scripted::accept_with(
            listener,
            if protocol == Protocol::V5 { b"\x20\x03\x00\x00\x00" } else { b"\x20\x02\x00\x00" },
        )
        .await;
        broker.protocol = protocol;
        broker
    }

    /// Answers CONNECT of MQTT 5 with this.
    async fn accept_with(listener: &TcpListener, connack: &[u8]) -> Self {
        let (stream, _) = timeout(DEADLINE, listener.accept()).await.expect("a connection in time").unwrap();
        let mut broker = Scripted { stream, protocol: Protocol::V5 };
        assert_eq!(broker.packet().await.0 >> 4, 1, "CONNECT");
        broker.send(connack).await;
        broker
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// First byte and body of the next packet.
    async fn packet(&mut self) -> (u8, Vec<u8>) {
        timeout(DEADLINE, async {
            let first = self.stream.read_u8().await.unwrap();
            let (mut length, mut shift) = (0, 0);
            loop {
                let byte = self.stream.read_u8().await.unwrap();
                length |= usize::from(byte & 0x7F) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).await.unwrap();
            (first, body)
        })
        .await
        .expect("a packet in time")
    }

    /// Answers SUBSCRIBE with this code.
    async fn grant(&mut self, code: u8) {
        let (first, body) = self.packet().await;
        assert_eq!(first, 0x82, "SUBSCRIBE");
        match self.protocol {
            Protocol::V5 => self.send(&[0x90, 4, body[0], body[1], 0, code]).await,
            Protocol::V311 => self.send(&[0x90, 3, body[0], body[1], code]).await,
        }
    }

    /// Packet id and text of the next packet, which is a PUBLISH.
    async fn publish(&mut self) -> (u16, String) {
        let (first, body) = self.packet().await;
        assert_eq!(first, 0x32, "PUBLISH with QoS 1");
        let after_topic = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
        let packet_id = u16::from_be_bytes([body[after_topic], body[after_topic + 1]]);
        let properties = usize::from(self.protocol == Protocol::V5);
        (packet_id, String::from_utf8(body[after_topic + 2 + properties..].to_vec()).unwrap())
    }

    async fn settle(&mut self, packet_id: u16) {
        let [high, low] = packet_id.to_be_bytes();
        self.send(&[0x40, 2, high, low]).await;
    }
}

/// An agent that has handed over a hundred publishes, each with its number as its text, and a broker that has settled
/// none of them.
async fn a_hundred_publishes(protocol: Protocol) -> (Agent, Scripted) {
    let (listener, port) = Scripted::listen().await;
    let mut agent = Agent::with_queues_of(256, config(port, protocol));
    let mut broker = Scripted::accept(&listener, protocol).await;
    let (epoch, _) = agent.connected().await;
    broker.grant(1).await;
    for token in 0..100 {
        agent.publish(epoch, token, token.to_string()).await;
    }
    (agent, broker)
}

#[tokio::test]
async fn a_token_is_settled_by_the_puback_of_its_own_publish_in_whatever_order_they_come() {
    for protocol in BOTH {
        let (mut agent, mut broker) = a_hundred_publishes(protocol).await;
        for _ in 0..6 {
            let mut batch = Vec::new();
            for _ in 0..16 {
                batch.push(broker.publish().await);
            }
            while let Some((packet_id, text)) = batch.pop() {
                broker.settle(packet_id).await;
                assert_eq!(agent.published().await.to_string(), text, "{protocol:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_publish_that_is_settled_late_holds_up_the_others_only_when_its_packet_id_comes_round() {
    for protocol in BOTH {
        let (mut agent, mut broker) = a_hundred_publishes(protocol).await;
        let (late, text) = broker.publish().await;
        assert_eq!(text, "0");
        for expected in 1..32 {
            let (packet_id, text) = broker.publish().await;
            assert_ne!(packet_id, late, "{protocol:?}");
            assert_eq!(text, expected.to_string());
            broker.settle(packet_id).await;
            assert_eq!(agent.published().await, expected, "{protocol:?}");
        }
        broker.settle(late).await;
        assert_eq!(agent.published().await, 0, "{protocol:?}");
        for expected in 32..100 {
            let (packet_id, text) = broker.publish().await;
            assert_eq!(text, expected.to_string());
            broker.settle(packet_id).await;
            assert_eq!(agent.published().await, expected, "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn mqtt_5_what_the_broker_refuses_or_cannot_take_is_a_fault_and_not_settled() {
    let (listener, port) = Scripted::listen().await;
    let mut agent = Agent::start(config(port, Protocol::V5));
    let mut broker = Scripted::accept_with(&listener, b"\x20\x08\x00\x00\x05\x27\x00\x00\x00\x40").await;
    let (epoch, _) = agent.connected().await;
    broker.grant(1).await;
    agent.publish(epoch, 1, [b'x'; 64]).await;
    assert!(matches!(agent.fault().await, BrokerFault::PublishTooLarge { token: 1, limit_bytes: 64, .. }));
    agent.publish(epoch, 2, "refused").await;
    let (packet_id, _) = broker.publish().await;
    let [high, low] = packet_id.to_be_bytes();
    broker.send(&[0x40, 4, high, low, 0x87, 0]).await;
    assert!(matches!(agent.fault().await, BrokerFault::PublishRefused { token: 2, .. }));
    agent.publish(epoch, 3, "good").await;
    let (packet_id, text) = broker.publish().await;
    assert_eq!(text, "good");
    broker.settle(packet_id).await;
    assert_eq!(agent.published().await, 3);
}

#[tokio::test]
async fn mqtt_5_our_limits_are_announced_and_the_brokers_receive_maximum_is_kept() {
    let (listener, port) = Scripted::listen().await;
    let mut agent = Agent::start(config(port, Protocol::V5));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut connect = vec![0; 40];
    stream.read_exact(&mut connect).await.unwrap();
    let has = |property: &[u8]| connect.windows(property.len()).any(|window| window == property);
    assert!(has(&[&[0x27], &PACKET_BYTES_MAX.to_be_bytes()[..]].concat()), "maximum packet size: {connect:x?}");
    assert!(has(&[&[0x21], &RECEIVE_MAX.to_be_bytes()[..]].concat()), "receive maximum: {connect:x?}");
    assert!(has(&[&[0x11], &3_600_u32.to_be_bytes()[..]].concat()), "session expiry: {connect:x?}");
    drop(stream);

    let mut broker = Scripted::accept_with(&listener, b"\x20\x06\x00\x00\x03\x21\x00\x03").await;
    let (epoch, _) = agent.connected().await;
    broker.grant(1).await;
    for token in 0..10 {
        agent.publish(epoch, token, token.to_string()).await;
    }
    let mut unsettled = std::collections::VecDeque::new();
    for _ in 0..10 {
        unsettled.push_back(broker.publish().await.0);
        if unsettled.len() == 2 {
            let none = timeout(Duration::from_millis(50), broker.stream.peek(&mut [0])).await;
            assert!(none.is_err(), "one place of three is kept free, so that acks can always leave");
            broker.settle(unsettled.pop_front().unwrap()).await;
        }
    }
}

#[tokio::test]
async fn a_subscription_that_is_refused_or_granted_too_little_is_a_fault_and_reports_still_leave() {
    for (protocol, code) in [(Protocol::V5, 0x87), (Protocol::V311, 0x80), (Protocol::V5, 0), (Protocol::V311, 0)] {
        let (listener, port) = Scripted::listen().await;
        let mut agent = Agent::start(config(port, protocol));
        let mut broker = Scripted::accept(&listener, protocol).await;
        broker.grant(code).await;
        let (epoch, _) = agent.connected().await;
        let fault = agent.next().await;
        assert!(
            matches!(&fault, FromBroker::Fault(BrokerFault::SubscribeRefused { topic, .. }) if topic == DOWN),
            "{protocol:?} {code}: {fault:?}"
        );
        agent.publish(epoch, 1, "report").await;
        let (packet_id, _) = broker.publish().await;
        broker.settle(packet_id).await;
        assert_eq!(agent.published().await, 1);
    }
}

#[tokio::test]
async fn mqtt_5_a_broker_that_says_taken_over_is_believed_at_once() {
    let (listener, port) = Scripted::listen().await;
    let mut agent = Agent::start(config(port, Protocol::V5));
    let mut broker = Scripted::accept(&listener, Protocol::V5).await;
    broker.send(b"\xe0\x02\x8e\x00").await;
    assert_eq!(agent.lost().await, Trouble::TakenOver);
    assert_eq!(agent.fault().await, BrokerFault::TakenOver { times: 1 });
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_noticed_within_two_keep_alives() {
    for protocol in BOTH {
        let (listener, port) = Scripted::listen().await;
        let mut agent = Agent::start(BrokerConfig { keep_alive_s: 5, ..config(port, protocol) });
        let mut broker = Scripted::accept(&listener, protocol).await;
        agent.connected().await;
        broker.grant(1).await;
        let trouble = timeout(Duration::from_secs(11), agent.lost()).await.expect("within two keep-alives");
        assert_eq!(trouble, Trouble::KeepAlive, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_broker_that_accepts_tcp_and_says_nothing_is_given_up() {
    let (_listener, port) = Scripted::listen().await;
    let mut agents = BOTH.map(|protocol| Agent::start(config(port, protocol)));
    for agent in &mut agents {
        assert_eq!(agent.lost().await, Trouble::ConnectTimeOut);
    }
}

#[tokio::test]
async fn rubbish_from_the_broker_ends_the_connection_and_nothing_else() {
    let malformed_length = b"\x30\xff\xff\xff\xff";
    let no_such_packet = b"\x00\x01\x00";
    let settles_what_was_never_published = b"\x40\x02\x77\x77";
    let rubbish: [&[u8]; 3] = [malformed_length, no_such_packet, settles_what_was_never_published];
    for protocol in BOTH {
        let (listener, port) = Scripted::listen().await;
        let mut agent = Agent::start(config(port, protocol));
        for bytes in rubbish {
            let mut broker = Scripted::accept(&listener, protocol).await;
            agent.connected().await;
            broker.send(bytes).await;
            let trouble = agent.lost().await;
            assert!(matches!(trouble, Trouble::Protocol(_)), "{protocol:?} {bytes:x?}: {trouble:?}");
        }
    }
}
