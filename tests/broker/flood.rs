//! A broker that sends on although nothing is acknowledged.

use super::{Agent, Protocol, Scripted, config, timeout};
use tokio::time::Duration;
use vend::io::broker::{RECEIVE_MAX, Trouble};

/// A PUBLISH with QoS 1 and a body of so many bytes.
fn publish(packet_id: u16, body_bytes: usize) -> Vec<u8> {
    let topic = b"/clients/16327129";
    let mut length = 2 + topic.len() + 2 + body_bytes;
    let mut packet = vec![0x32];
    loop {
        let (digit, rest) = (length % 128, length / 128);
        packet.push(u8::try_from(digit).unwrap() | if rest > 0 { 0x80 } else { 0 });
        length = rest;
        if rest == 0 {
            break;
        }
    }
    packet.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
    packet.extend(topic);
    packet.extend(packet_id.to_be_bytes());
    packet.resize(packet.len() + body_bytes, b'x');
    packet
}

#[tokio::test]
async fn a_broker_that_sends_on_without_acknowledgements_is_cut_off_before_it_fills_the_memory() {
    // (bytes of each message, how many of them are more than is kept)
    let half_mib = 512 * 1_024;
    for (bytes, too_many) in [(10, 1_025), (half_mib, 4 * usize::from(RECEIVE_MAX) + 1)] {
        let (listener, port) = Scripted::listen().await;
        let mut agent = Agent::start(config(port, Protocol::V311));
        let mut broker = Scripted::accept(&listener, Protocol::V311).await;
        broker.grant(1).await;
        agent.connected().await;
        let flood = tokio::spawn(async move {
            for number in 1..=too_many {
                broker.send(&publish(u16::try_from(number).unwrap(), bytes)).await;
            }
            broker
        });
        for _ in 1..too_many {
            agent.message().await;
        }
        assert_eq!(agent.lost().await, Trouble::Flooded);
        // Its side of the connection lives until all was sent.
        let _ = timeout(Duration::from_secs(20), flood).await;
    }
}
