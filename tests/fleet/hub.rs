//! A client of MQTT 3.1.1, which every broker speaks: the platform's side of a fleet, or somebody who has no business
//! there.

use crate::common::RUNTIME;
use crate::common::record::{Record, wait_within};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, SubscribeReasonCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Between two attempts to reach a broker that is away.
const PAUSE: Duration = Duration::from_millis(50);
/// Messages that wait for the connection: one for each machine of the largest fleet.
const QUEUE: usize = 10_000;
/// The broker takes over what was sent, or answers, within this time, on a busy machine.
const GENEROUS: Duration = Duration::from_secs(120);

/// Who logs in.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    pub client_id: &'a str,
    pub user: &'a str,
    pub password: &'a str,
}

/// A message that came.
#[derive(Debug, Clone)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
}

/// A client with a session that lasts.
pub struct Hub {
    client: AsyncClient,
    heard: Arc<Record<Message>>,
    /// What the broker said to each subscription, the refused ones too.
    granted: Arc<Record<bool>>,
    taken: Arc<AtomicUsize>,
    sent: AtomicUsize,
    task: JoinHandle<()>,
}

impl Hub {
    /// Connected, and the broker has answered each subscription.
    pub fn connect(port: u16, login: Login<'_>, topics: &[&str]) -> Hub {
        let hub = Hub::connect_for(port, login, topics);
        hub.granted.wait("answer to the subscriptions", |answers| (answers.len() >= topics.len()).then_some(()));
        hub
    }

    /// The same, not waited for: some brokers answer what is not allowed by closing the connection, again and again.
    pub fn connect_for(port: u16, login: Login<'_>, topics: &[&str]) -> Hub {
        let mut options = MqttOptions::new(login.client_id, "127.0.0.1", port);
        options.set_clean_session(false).set_credentials(login.user, login.password);
        let (client, mut events) = AsyncClient::new(options, QUEUE);
        let (heard, granted) = (Arc::new(Record::default()), Arc::new(Record::default()));
        let taken = Arc::new(AtomicUsize::new(0));
        let (commands, keep, tell, count) = (client.clone(), heard.clone(), granted.clone(), taken.clone());
        let wanted: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let task = RUNTIME.spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        // Each time: the broker may have lost the session.
                        for topic in &wanted {
                            commands.try_subscribe(topic, QoS::AtLeastOnce).expect("room");
                        }
                    }
                    Ok(Event::Incoming(Packet::SubAck(answer))) => {
                        let all = answer.return_codes;
                        tell.push(all.iter().all(|code| matches!(code, SubscribeReasonCode::Success(_))));
                    }
                    Ok(Event::Incoming(Packet::PubAck(_))) => drop(count.fetch_add(1, Ordering::SeqCst)),
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        keep.push(Message { topic: publish.topic, payload: publish.payload.to_vec() });
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        });
        Hub { client, heard, granted, taken, sent: AtomicUsize::new(0), task }
    }

    /// Sends it with QoS 1 as soon as the broker is there.
    pub fn send(&self, topic: &str, payload: Vec<u8>) {
        self.publish(topic, payload, false);
    }

    /// The same, kept by the broker for everybody who subscribes later.
    pub fn send_retained(&self, topic: &str, payload: Vec<u8>) {
        self.publish(topic, payload, true);
    }

    fn publish(&self, topic: &str, payload: Vec<u8>, retained: bool) {
        self.client.try_publish(topic, QoS::AtLeastOnce, retained, payload).expect("room");
        self.sent.fetch_add(1, Ordering::SeqCst);
    }

    /// The broker has taken over everything that was sent.
    pub fn wait_until_taken(&self) {
        let sent = self.sent.load(Ordering::SeqCst);
        wait_within(GENEROUS, "acknowledgement by the broker", || {
            (self.taken.load(Ordering::SeqCst) >= sent).then_some(())
        });
    }

    /// Everything that came.
    pub fn heard(&self) -> Vec<Message> {
        self.heard.all()
    }

    /// Whether the broker granted each subscription so far.
    pub fn granted(&self) -> Vec<bool> {
        self.granted.all()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.task.abort();
    }
}
