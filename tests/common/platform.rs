//! The platform's side of MQTT: sends commands down, keeps everything that comes up.

use super::RUNTIME;
use super::command::MACHINE_NO;
use super::record::Record;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

const UP: &str = "/server/app";
/// Above the 300 kB that a test sends.
const PACKET_BYTES_MAX: u32 = 2 << 20;
/// Between two attempts to reach a broker that is away.
const PAUSE: Duration = Duration::from_millis(50);

/// What the platform saw of the broker.
#[derive(Debug, Clone)]
enum Seen {
    Subscribed,
    Taken,
}

/// The platform.
pub struct Platform {
    client: AsyncClient,
    up: Arc<Record<Vec<u8>>>,
    seen: Arc<Record<Seen>>,
    sent: AtomicUsize,
    task: JoinHandle<()>,
}

impl Platform {
    /// Connected and subscribed.
    pub fn connect(host: &str, port: u16, tls: Option<Arc<rustls::ClientConfig>>, user: Option<(&str, &str)>) -> Self {
        let mut options = MqttOptions::new("platform", host, port);
        options.set_max_packet_size(Some(PACKET_BYTES_MAX)).set_clean_start(false);
        options.set_session_expiry_interval(Some(3_600));
        if let Some(config) = tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
        }
        if let Some((name, password)) = user {
            options.set_credentials(name, password);
        }
        let (client, mut events) = AsyncClient::new(options, 1_024);
        let (up, seen) = (Arc::new(Record::default()), Arc::new(Record::default()));
        let (commands, keep, tell) = (client.clone(), up.clone(), seen.clone());
        let task = RUNTIME.spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(ConnAck { .. }))) => {
                        // Each time: the broker may have lost the session.
                        commands.try_subscribe(UP, QoS::AtLeastOnce).expect("room");
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => tell.push(Seen::Subscribed),
                    Ok(Event::Incoming(Packet::PubAck(_))) => tell.push(Seen::Taken),
                    Ok(Event::Incoming(Packet::Publish(publish))) => keep.push(publish.payload.to_vec()),
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        });
        seen.wait("subscription of the platform", |seen: &[Seen]| {
            seen.iter().any(|s| matches!(s, Seen::Subscribed)).then_some(())
        });
        Platform { client, up, seen, sent: AtomicUsize::new(0), task }
    }

    /// Sends a payload; it may still be on its way.
    pub fn send_when_possible(&self, payload: Vec<u8>) {
        let topic = format!("/clients/{MACHINE_NO}");
        self.client.try_publish(topic, QoS::AtLeastOnce, false, payload).expect("room");
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Sends a payload, and returns when the broker has it and all before it.
    pub fn send(&self, payload: Vec<u8>) {
        self.send_when_possible(payload);
        self.wait_until_taken();
    }

    pub fn wait_until_taken(&self) {
        let sent = self.sent.load(Ordering::Relaxed);
        self.seen.wait("acknowledgement by the broker", |seen| {
            (seen.iter().filter(|s| matches!(s, Seen::Taken)).count() >= sent).then_some(())
        });
    }

    /// Everything that came up.
    pub fn up(&self) -> &Record<Vec<u8>> {
        &self.up
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.task.abort();
    }
}
