//! One publish on a connection of its own, for tools.

use super::wire::{self, Event, Purpose, decoder_panicked, guarded};
use super::{ANSWER_TIME_OUT_S, BrokerConfig, CONNECT_TIME_OUT_S, Trouble};
use std::time::Duration;
use tokio::time::timeout;

/// From the first packet to the broker's acknowledgement.
const TIME_OUT: Duration = Duration::from_secs(CONNECT_TIME_OUT_S + ANSWER_TIME_OUT_S);

/// Publishes `payload` to the topic `config.publish`, QoS 1, and waits until the broker has taken it over. Neither
/// session nor will stays behind; `config.client_id` must not be that of a session in use.
///
/// # Errors
/// Why it was not taken, or may not have been.
pub async fn publish_once(config: &BrokerConfig, payload: Vec<u8>) -> Result<(), Trouble> {
    timeout(TIME_OUT, exchange(config, payload)).await.unwrap_or(Err(Trouble::PublishUnanswered))
}

/// Logs in and leaves again: neither session nor will stays behind; `config.client_id` must not be that of a session in
/// use.
///
/// # Errors
/// Why the broker does not let us in.
pub async fn log_in_once(config: &BrokerConfig) -> Result<(), Trouble> {
    let log_in = async {
        let tls = wire::tls_now(config).await?;
        let (_requests, mut poller) = wire::open(config, tls, Purpose::Once, CONNECT_TIME_OUT_S);
        loop {
            let event = guarded(poller.next()).await;
            let event = event.map_err(|panic| decoder_panicked(&panic))??;
            if let Event::Connected(_) = event {
                return Ok(());
            }
        }
    };
    timeout(TIME_OUT, log_in).await.unwrap_or(Err(Trouble::ConnectTimeOut))
}

async fn exchange(config: &BrokerConfig, payload: Vec<u8>) -> Result<(), Trouble> {
    let tls = wire::tls_now(config).await?;
    let (requests, mut poller) = wire::open(config, tls, Purpose::Once, CONNECT_TIME_OUT_S);
    let mut payload = Some(payload);
    loop {
        let event = guarded(poller.next()).await;
        match event.map_err(|panic| decoder_panicked(&panic))?? {
            Event::Connected(_) => {
                if let Some(payload) = payload.take() {
                    requests.publish(&config.publish, payload)?;
                }
            }
            Event::PublishAnswered(_, answer) => return answer.map_err(Trouble::PublishRefused),
            _ => {}
        }
    }
}
