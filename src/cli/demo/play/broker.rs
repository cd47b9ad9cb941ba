//! A small MQTT 3.1.1 broker in this process: QoS 0 and 1, sessions that outlive their clients, wills.
//!
//! [`Sessions`] decides and is pure; [`Broker`] carries bytes. Every message, acknowledgement and loss is told as
//! [`Seen`], so that whoever runs the broker is a witness that no client can influence. Frames are read and written
//! by the codec of `rumqttc`.
//!
//! What it does not do is refused, never ignored: MQTT 5, QoS 2, retained messages, wildcards, and subscriptions with
//! QoS 0. Sessions live as long as the broker.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode,
    UnsubAck,
};
use rumqttc::mqttbytes::{self, Protocol, QoS, has_wildcards};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Messages that a client may have without acknowledging one: as many as the agent announces with MQTT 5.
const IN_FLIGHT_MAX: usize = 16;
/// Largest packet in either direction, in bytes: what the agent's own client takes.
const PACKET_BYTES_MAX: usize = 1 << 20;
/// How long a connection may stay silent before it says CONNECT. On one machine it takes microseconds.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Packets on their way to one client: its window and the answers to what it sends meanwhile. A client that leaves
/// more unread is closed; its session keeps what must not be lost.
const TO_CLIENT_MAX: usize = 4 * IN_FLIGHT_MAX;
/// Packets of all clients on their way to the sessions; a client waits for room.
const FROM_CLIENTS_MAX: usize = 64;

/// What the broker saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A client is in.
    Connected {
        /// Who.
        client_id: String,
        /// Its session was kept.
        session_present: bool,
    },
    /// A connection ended.
    Gone {
        /// Whose.
        client_id: String,
        /// It said DISCONNECT, so its will is not published.
        politely: bool,
    },
    /// A client asked for a topic, and gets what comes for it from now on.
    Subscribed {
        /// Who.
        client_id: String,
        /// The topic.
        topic: String,
    },
    /// A client published, or its will did.
    Said {
        /// Who.
        client_id: String,
        /// Where.
        topic: String,
        /// What.
        payload: Bytes,
    },
    /// A message waits for a client that is away.
    Kept {
        /// For whom.
        client_id: String,
        /// What.
        payload: Bytes,
    },
    /// A message went out to a client.
    Handed {
        /// To whom.
        client_id: String,
        /// What.
        payload: Bytes,
        /// It went out before and was not acknowledged.
        again: bool,
    },
    /// A client acknowledged a message: it never comes again.
    Acknowledged {
        /// Who.
        client_id: String,
        /// What.
        payload: Bytes,
    },
}

/// A message of whoever runs the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
}

/// Names a connection for as long as the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ConnectionId(u64);

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Act {
    Send(ConnectionId, Packet),
    Close(ConnectionId),
    Tell(Seen),
}

struct Connected {
    client_id: String,
    will: Option<LastWill>,
}

#[derive(Default)]
struct Session {
    connection: Option<ConnectionId>,
    /// Ends with its connection.
    is_clean: bool,
    topics: BTreeSet<String>,
    queue: VecDeque<Queued>,
    last_packet_id: u16,
}

struct Queued {
    topic: String,
    payload: Bytes,
    /// Set when it first goes out, and then for ever.
    packet_id: Option<u16>,
    /// It went out on the present connection.
    is_in_flight: bool,
}

/// All sessions and connections. Pure: packets in, [`Act`]s out.
#[derive(Default)]
struct Sessions {
    by_client: BTreeMap<String, Session>,
    connections: BTreeMap<ConnectionId, Connected>,
    acts: Vec<Act>,
}

impl Sessions {
    fn packet(&mut self, from: ConnectionId, packet: Packet) {
        match (packet, self.connections.contains_key(&from)) {
            (Packet::Connect(connect), false) => self.connect(from, connect),
            (Packet::Publish(publish), true) => self.published(from, publish),
            (Packet::PubAck(ack), true) => self.acknowledged(from, ack.pkid),
            (Packet::Subscribe(subscribe), true) => self.subscribe(from, &subscribe),
            (Packet::Unsubscribe(unsubscribe), true) => {
                if let Some(session) = self.session(from) {
                    session.topics.retain(|topic| !unsubscribe.topics.contains(topic));
                }
                self.acts.push(Act::Send(from, Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))));
            }
            (Packet::PingReq, true) => self.acts.push(Act::Send(from, Packet::PingResp)),
            (Packet::Disconnect, true) => {
                if let Some(connected) = self.connections.get_mut(&from) {
                    connected.will = None;
                }
                self.end(from, true);
            }
            // Out of turn, or not served.
            _ => self.end(from, false),
        }
    }

    fn session(&mut self, of: ConnectionId) -> Option<&mut Session> {
        self.by_client.get_mut(&self.connections.get(&of)?.client_id)
    }

    fn connect(&mut self, from: ConnectionId, connect: Connect) {
        let Connect { protocol, client_id, clean_session, last_will, .. } = connect;
        let refusal = match () {
            () if protocol != Protocol::V4 => Some(ConnectReturnCode::RefusedProtocolVersion),
            () if client_id.is_empty() => Some(ConnectReturnCode::BadClientId),
            () if last_will.as_ref().is_some_and(|will| will.retain) => Some(ConnectReturnCode::NotAuthorized),
            () => None,
        };
        if let Some(code) = refusal {
            self.acts.push(Act::Send(from, Packet::ConnAck(ConnAck::new(code, false))));
            self.acts.push(Act::Close(from));
            return;
        }
        // A second client with this id takes the session over.
        if let Some(former) = self.by_client.get(&client_id).and_then(|session| session.connection) {
            self.end(former, false);
        }
        if clean_session {
            self.by_client.remove(&client_id);
        }
        let session_present = self.by_client.contains_key(&client_id);
        let session = self.by_client.entry(client_id.clone()).or_default();
        session.connection = Some(from);
        session.is_clean = clean_session;
        self.connections.insert(from, Connected { client_id: client_id.clone(), will: last_will });
        let accepted = ConnAck::new(ConnectReturnCode::Success, session_present);
        self.acts.push(Act::Send(from, Packet::ConnAck(accepted)));
        self.acts.push(Act::Tell(Seen::Connected { client_id: client_id.clone(), session_present }));
        self.hand_over(&client_id);
    }

    fn published(&mut self, from: ConnectionId, publish: Publish) {
        if publish.qos == QoS::ExactlyOnce || publish.retain {
            self.end(from, false);
            return;
        }
        let Some(client_id) = self.connections.get(&from).map(|c| c.client_id.clone()) else { return };
        let Publish { topic, payload, .. } = publish;
        self.acts.push(Act::Tell(Seen::Said { client_id, topic: topic.clone(), payload: payload.clone() }));
        self.publish(&topic, &payload);
        if publish.qos == QoS::AtLeastOnce {
            self.acts.push(Act::Send(from, Packet::PubAck(PubAck::new(publish.pkid))));
        }
    }

    /// Gives a message to every session that wants it, connected or not.
    fn publish(&mut self, topic: &str, payload: &Bytes) {
        let mut takers = Vec::new();
        for (client_id, session) in &mut self.by_client {
            if session.topics.contains(topic) {
                if session.connection.is_none() {
                    let (client_id, payload) = (client_id.clone(), payload.clone());
                    self.acts.push(Act::Tell(Seen::Kept { client_id, payload }));
                }
                let (topic, payload) = (topic.to_owned(), payload.clone());
                session.queue.push_back(Queued { topic, payload, packet_id: None, is_in_flight: false });
                takers.push(client_id.clone());
            }
        }
        for client_id in takers {
            self.hand_over(&client_id);
        }
    }

    fn acknowledged(&mut self, from: ConnectionId, packet_id: u16) {
        let Some(client_id) = self.connections.get(&from).map(|c| c.client_id.clone()) else { return };
        let Some(session) = self.by_client.get_mut(&client_id) else { return };
        let at = session.queue.iter().position(|m| m.is_in_flight && m.packet_id == Some(packet_id));
        if let Some(message) = at.and_then(|at| session.queue.remove(at)) {
            self.acts.push(Act::Tell(Seen::Acknowledged { client_id: client_id.clone(), payload: message.payload }));
            self.hand_over(&client_id);
        }
    }

    fn subscribe(&mut self, from: ConnectionId, subscribe: &Subscribe) {
        let mut codes = Vec::new();
        for filter in &subscribe.filters {
            let is_served = filter.qos != QoS::AtMostOnce && !has_wildcards(&filter.path);
            codes.push(match is_served {
                true => SubscribeReasonCode::Success(QoS::AtLeastOnce),
                false => SubscribeReasonCode::Failure,
            });
            if let (true, Some(session)) = (is_served, self.session(from)) {
                session.topics.insert(filter.path.clone());
                if let Some(Connected { client_id, .. }) = self.connections.get(&from) {
                    let (client_id, topic) = (client_id.clone(), filter.path.clone());
                    self.acts.push(Act::Tell(Seen::Subscribed { client_id, topic }));
                }
            }
        }
        self.acts.push(Act::Send(from, Packet::SubAck(SubAck::new(subscribe.pkid, codes))));
    }

    /// Sends what the client has not had on this connection, oldest first, as far as its window allows.
    fn hand_over(&mut self, client_id: &str) {
        let Some(session) = self.by_client.get_mut(client_id) else { return };
        let Some(connection) = session.connection else { return };
        let used: BTreeSet<u16> = session.queue.iter().filter_map(|message| message.packet_id).collect();
        for message in session.queue.iter_mut().take(IN_FLIGHT_MAX).filter(|message| !message.is_in_flight) {
            let again = message.packet_id.is_some();
            let packet_id = message.packet_id.unwrap_or_else(|| {
                // At most IN_FLIGHT_MAX ids are taken, so one of the next is free. 0 is none.
                let next = |id: &u16| Some(id.checked_add(1).unwrap_or(1));
                let free = std::iter::successors(next(&session.last_packet_id), next).find(|id| !used.contains(id));
                session.last_packet_id = free.unwrap_or(1);
                session.last_packet_id
            });
            message.packet_id = Some(packet_id);
            message.is_in_flight = true;
            let mut publish = Publish::from_bytes(message.topic.clone(), QoS::AtLeastOnce, message.payload.clone());
            publish.pkid = packet_id;
            publish.dup = again;
            self.acts.push(Act::Send(connection, Packet::Publish(publish)));
            let (client_id, payload) = (client_id.to_owned(), message.payload.clone());
            self.acts.push(Act::Tell(Seen::Handed { client_id, payload, again }));
        }
    }

    /// A connection is over, by whoever's wish. Ending it twice does nothing.
    fn end(&mut self, connection: ConnectionId, politely: bool) {
        self.acts.push(Act::Close(connection));
        let Some(Connected { client_id, will }) = self.connections.remove(&connection) else { return };
        if let Some(session) = self.by_client.get_mut(&client_id) {
            session.connection = None;
            session.queue.iter_mut().for_each(|message| message.is_in_flight = false);
            if session.is_clean {
                self.by_client.remove(&client_id);
            }
        }
        self.acts.push(Act::Tell(Seen::Gone { client_id: client_id.clone(), politely }));
        if let Some(LastWill { topic, message: payload, .. }) = will {
            self.acts.push(Act::Tell(Seen::Said { client_id, topic: topic.clone(), payload: payload.clone() }));
            self.publish(&topic, &payload);
        }
    }
}

/// The broker's door on loopback.
#[derive(Debug)]
pub struct Broker {
    listener: TcpListener,
    address: SocketAddr,
}

impl Broker {
    /// Opens a free port on loopback. Inside a tokio runtime with I/O only.
    ///
    /// # Errors
    /// When the system gives none.
    pub async fn open() -> io::Result<Broker> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Broker { listener, address })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves clients and publishes `messages` until their sender is dropped. What happens is given to `seen`.
    ///
    /// # Errors
    /// When the port fails.
    pub async fn run(self, mut messages: mpsc::Receiver<Message>, mut seen: impl FnMut(Seen)) -> io::Result<()> {
        let mut sessions = Sessions::default();
        let mut writers: BTreeMap<ConnectionId, mpsc::Sender<Packet>> = BTreeMap::new();
        let (to_us, mut from_clients) = mpsc::channel(FROM_CLIENTS_MAX);
        let mut last_id = 0;
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (stream, _) = accepted?;
                    last_id += 1;
                    let (writer, packets) = mpsc::channel(TO_CLIENT_MAX);
                    writers.insert(ConnectionId(last_id), writer);
                    tokio::spawn(serve(ConnectionId(last_id), stream, to_us.clone(), packets));
                }
                Some((from, packet)) = from_clients.recv() => match packet {
                    Some(packet) => sessions.packet(from, packet),
                    None => sessions.end(from, false),
                },
                message = messages.recv() => match message {
                    Some(Message { topic, payload }) => sessions.publish(&topic, &payload.into()),
                    None => return Ok(()),
                },
            }
            for act in sessions.acts.drain(..) {
                match act {
                    // The broker waits for no client: without its writer, the connection ends.
                    Act::Send(to, packet) => {
                        if writers.get(&to).is_some_and(|writer| writer.try_send(packet).is_err()) {
                            writers.remove(&to);
                        }
                    }
                    Act::Close(connection) => drop(writers.remove(&connection)),
                    Act::Tell(event) => seen(event),
                }
            }
        }
    }
}

/// Carries one connection's packets until either side ends it; `None` says that it ended.
async fn serve(
    id: ConnectionId,
    mut stream: TcpStream,
    to_broker: mpsc::Sender<(ConnectionId, Option<Packet>)>,
    mut packets: mpsc::Receiver<Packet>,
) {
    let (mut incoming, mut outgoing) = (BytesMut::new(), BytesMut::new());
    let mut patience = Some(CONNECT_PATIENCE);
    let mut silent_since = Instant::now();
    loop {
        let packet = match Packet::read(&mut incoming, PACKET_BYTES_MAX) {
            Ok(packet) => packet,
            Err(mqttbytes::Error::InsufficientBytes(_)) => {
                let silence = async {
                    match patience {
                        Some(patience) => tokio::time::sleep_until(silent_since + patience).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    // What was decided to be sent leaves, even when the end was decided with it.
                    biased;
                    packet = packets.recv() => {
                        let Some(packet) = packet else { break };
                        outgoing.clear();
                        if packet.write(&mut outgoing, PACKET_BYTES_MAX).is_err() {
                            break;
                        }
                        let written = timeout_at(Instant::now() + CONNECT_PATIENCE, stream.write_all(&outgoing));
                        if !matches!(written.await, Ok(Ok(()))) {
                            break;
                        }
                    }
                    read = stream.read_buf(&mut incoming) => match read {
                        Ok(n) if n > 0 => silent_since = Instant::now(),
                        _ => break,
                    },
                    () = silence => break,
                }
                continue;
            }
            // Neither MQTT 3.1.1 nor worth an answer.
            Err(_) => break,
        };
        if let Packet::Connect(connect) = &packet {
            // One and a half times the keep-alive, as the standard wants; 0 means for ever.
            let keep_alive = Duration::from_secs(connect.keep_alive.into());
            patience = (!keep_alive.is_zero()).then(|| keep_alive.saturating_mul(3) / 2);
        }
        if to_broker.send((id, Some(packet))).await.is_err() {
            break;
        }
    }
    // Whoever does not listen any more has ended as well.
    let _ = to_broker.send((id, None)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "16327129";
    const DOWN: &str = "/clients/16327129";

    /// A client by hand, packet by packet: no library decides for it when to acknowledge.
    struct Client {
        stream: TcpStream,
        incoming: BytesMut,
    }

    impl Client {
        /// Connects, and says whether its session was there.
        async fn connect(to: SocketAddr, change: impl FnOnce(&mut Connect)) -> (Client, bool) {
            let mut client = Client { stream: TcpStream::connect(to).await.unwrap(), incoming: BytesMut::new() };
            let mut connect = Connect::new(AGENT);
            connect.clean_session = false;
            change(&mut connect);
            client.send(Packet::Connect(connect)).await;
            let Packet::ConnAck(ack) = client.next().await else { panic!("no CONNACK") };
            assert_eq!(ack.code, ConnectReturnCode::Success);
            (client, ack.session_present)
        }

        async fn send(&mut self, packet: Packet) {
            let mut bytes = BytesMut::new();
            packet.write(&mut bytes, PACKET_BYTES_MAX).unwrap();
            self.stream.write_all(&bytes).await.unwrap();
        }

        async fn subscribe(&mut self, topic: &str) -> SubscribeReasonCode {
            let mut subscribe = Subscribe::new(topic, QoS::AtLeastOnce);
            subscribe.pkid = 1;
            self.send(Packet::Subscribe(subscribe)).await;
            let Packet::SubAck(ack) = self.next().await else { panic!("no SUBACK") };
            ack.return_codes[0]
        }

        /// The next packet; `None` at the end of the connection.
        async fn try_next(&mut self) -> Option<Packet> {
            let deadline = Instant::now() + Duration::from_secs(20);
            loop {
                match Packet::read(&mut self.incoming, PACKET_BYTES_MAX) {
                    Ok(packet) => return Some(packet),
                    Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                let read = timeout_at(deadline, self.stream.read_buf(&mut self.incoming)).await.expect("in time");
                if read.is_ok_and(|n| n == 0) {
                    return None;
                }
            }
        }

        async fn next(&mut self) -> Packet {
            self.try_next().await.expect("a packet")
        }

        async fn message(&mut self) -> (String, bool, u16) {
            match self.next().await {
                Packet::Publish(p) => (String::from_utf8(p.payload.to_vec()).unwrap(), p.dup, p.pkid),
                other => panic!("{other:?}"),
            }
        }
    }

    struct Running {
        address: SocketAddr,
        messages: mpsc::Sender<Message>,
        seen: mpsc::Receiver<Seen>,
    }

    impl Running {
        async fn start() -> Running {
            let broker = Broker::open().await.unwrap();
            let address = broker.address();
            let (messages, from_platform) = mpsc::channel(64);
            let (tell, seen) = mpsc::channel(256);
            tokio::spawn(broker.run(from_platform, move |event| tell.try_send(event).unwrap_or_default()));
            Running { address, messages, seen }
        }

        async fn publish(&self, text: &str) {
            let message = Message { topic: DOWN.to_owned(), payload: text.into() };
            self.messages.send(message).await.unwrap();
        }

        /// Waits for an event.
        async fn until(&mut self, wanted: impl Fn(&Seen) -> bool) -> Seen {
            let deadline = Instant::now() + Duration::from_secs(20);
            loop {
                let seen = timeout_at(deadline, self.seen.recv()).await.expect("in time").expect("the broker runs");
                if wanted(&seen) {
                    return seen;
                }
            }
        }

        async fn until_gone(&mut self) -> bool {
            let gone = self.until(|seen| matches!(seen, Seen::Gone { .. })).await;
            matches!(gone, Seen::Gone { politely: true, .. })
        }
    }

    #[tokio::test]
    async fn what_was_not_acknowledged_comes_again_in_order_marked_and_under_its_id() {
        let mut broker = Running::start().await;
        let (mut client, present) = Client::connect(broker.address, |_| {}).await;
        assert!(!present);
        assert_eq!(client.subscribe(DOWN).await, SubscribeReasonCode::Success(QoS::AtLeastOnce));
        for text in ["one", "two"] {
            broker.publish(text).await;
        }
        let (one, two) = (client.message().await, client.message().await);
        assert_eq!((one.0.as_str(), one.1, two.0.as_str(), two.1), ("one", false, "two", false));
        client.send(Packet::PubAck(PubAck::new(two.2))).await;
        broker.until(|seen| matches!(seen, Seen::Acknowledged { .. })).await;
        drop(client);
        assert!(!broker.until_gone().await);
        broker.publish("three").await;
        broker.until(|seen| matches!(seen, Seen::Kept { payload, .. } if payload == "three")).await;
        let (mut client, present) = Client::connect(broker.address, |_| {}).await;
        assert!(present, "the session is gone");
        assert_eq!(client.message().await, ("one".to_owned(), true, one.2));
        let three = client.message().await;
        assert_eq!((three.0.as_str(), three.1), ("three", false));
        assert_ne!(three.2, one.2);
    }

    #[tokio::test]
    async fn a_clean_session_takes_nothing_over_and_leaves_nothing() {
        let mut broker = Running::start().await;
        let (mut client, _) = Client::connect(broker.address, |c| c.clean_session = true).await;
        client.subscribe(DOWN).await;
        drop(client);
        broker.until_gone().await;
        let (_, present) = Client::connect(broker.address, |_| {}).await;
        assert!(!present);
        let (mut client, present) = Client::connect(broker.address, |c| c.clean_session = true).await;
        assert!(!present);
        client.send(Packet::PingReq).await;
        assert_eq!(client.next().await, Packet::PingResp);
    }

    #[tokio::test]
    async fn a_will_is_published_when_a_client_vanishes_and_not_when_it_takes_leave() {
        let will = |c: &mut Connect| c.last_will = Some(LastWill::new("/server/app", "gone", QoS::AtLeastOnce, false));
        let mut broker = Running::start().await;
        let (client, _) = Client::connect(broker.address, will).await;
        drop(client);
        let said = broker.until(|seen| matches!(seen, Seen::Said { .. })).await;
        assert!(matches!(said, Seen::Said { payload, .. } if payload == "gone"));

        let (mut client, _) = Client::connect(broker.address, will).await;
        client.send(Packet::Disconnect).await;
        assert!(broker.until_gone().await);
        // The next event is the next client, not a will.
        let (_client, _) = Client::connect(broker.address, |_| {}).await;
        assert!(matches!(broker.seen.recv().await, Some(Seen::Connected { .. })));
    }

    #[tokio::test]
    async fn a_second_client_with_the_same_id_ends_the_first() {
        let broker = Running::start().await;
        let (mut first, _) = Client::connect(broker.address, |_| {}).await;
        first.subscribe(DOWN).await;
        let (mut second, present) = Client::connect(broker.address, |_| {}).await;
        assert!(present);
        assert_eq!(first.try_next().await, None);
        broker.publish("one").await;
        assert_eq!(second.message().await.0, "one");
    }

    #[tokio::test]
    async fn no_more_than_the_window_is_in_flight() {
        let broker = Running::start().await;
        let (mut client, _) = Client::connect(broker.address, |_| {}).await;
        client.subscribe(DOWN).await;
        for number in 0..=IN_FLIGHT_MAX {
            broker.publish(&number.to_string()).await;
        }
        let mut first = None;
        for number in 0..IN_FLIGHT_MAX {
            let (text, _, packet_id) = client.message().await;
            assert_eq!(text, number.to_string());
            first.get_or_insert(packet_id);
        }
        client.send(Packet::PingReq).await;
        assert_eq!(client.next().await, Packet::PingResp, "more than the window");
        client.send(Packet::PubAck(PubAck::new(first.unwrap()))).await;
        assert_eq!(client.message().await.0, IN_FLIGHT_MAX.to_string());
    }

    #[tokio::test]
    async fn what_is_not_served_is_refused_aloud() {
        let broker = Running::start().await;
        let (mut client, _) = Client::connect(broker.address, |_| {}).await;
        assert_eq!(client.subscribe("/clients/#").await, SubscribeReasonCode::Failure);
        let mut exactly_once = Publish::new("/server/app", QoS::ExactlyOnce, "x");
        exactly_once.pkid = 1;
        for refused in [Packet::Publish(exactly_once), Packet::PingResp, Packet::Connect(Connect::new(AGENT))] {
            let (mut client, _) = Client::connect(broker.address, |_| {}).await;
            client.send(refused.clone()).await;
            assert_eq!(client.try_next().await, None, "{refused:?}");
        }
    }
}
