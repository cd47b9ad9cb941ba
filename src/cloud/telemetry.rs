//! What the machine tells of itself over MQTT (cloud 1.9, device → server): signs of life, stock, the state of slots,
//! climate, traffic. Pure: a [`Message`] is a method and its own fields; [`Message::seal`] adds the common ones.
//!
//! Of the vendor's methods one is not here: `client.goods.slug.put` renames an article in the merchant's books. A
//! person does that at the vendor's own screen; this agent has no screen, and nothing that it knows better.

use super::call;
use super::sign::SigningKey;
use crate::board::service::tenths;
use crate::order::call::Way;
use crate::order::host::{Host, Network};
use crate::order::key::MachineNo;
use crate::order::stock::{Condition, ProductId};

/// A sign of life, every five minutes; after ten without one the platform takes the machine for offline.
pub const HEARTBEAT_METHOD: &str = "client.heartbeat";
/// Versions and hardware.
pub const ENV_METHOD: &str = "client.machine.env.put";
/// How the machine is set up.
pub const CONFIG_METHOD: &str = "client.machine.config.put";
/// How warm it is.
pub const TEMPERATURE_METHOD: &str = "client.temperature.put";
/// How damp it is.
pub const HUMIDITY_METHOD: &str = "client.humidity.put";
/// How many of a product are there, and whether it is sold.
pub const PRODUCT_METHOD: &str = "client.product.put";
/// Products are filled up.
pub const RESTOCK_METHOD: &str = "client.product.restock";
/// Whether a slot is well.
pub const CHANNEL_METHOD: &str = "client.channel.status.put";
/// What passed over the network, in all.
pub const TRAFFIC_METHOD: &str = "client.traffic.put";
/// How good the line to the board is. Ours, in the vendor's envelope: the vendor has none.
pub const LINE_METHOD: &str = "client.line.quality.put";

/// What a heartbeat says where the system tells nothing.
const NO_NETWORK: &str = "unknown";
/// The same for the signal: a cable has none, and the field must be there. No receiver is so loud.
const NO_RSSI: &str = "0";
/// "On sale", in `operation`.
const ON_SALE: &str = "1";
/// "Off sale".
const OFF_SALE: &str = "0";

/// A method and its own fields, all texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The method.
    pub method: &'static str,
    /// Without the common ones. What is absent is left out, as the vendor asks.
    pub fields: Vec<(&'static str, String)>,
}

impl Message {
    /// The payload for the platform's topic. `machine_id`, the platform's database id, is left out: no documented call
    /// tells it to the machine.
    #[must_use]
    pub fn seal(&self, machine_no: &MachineNo, timestamp_s: u64, signing: &SigningKey) -> Vec<u8> {
        call::message(machine_no, self.method, &self.stored(), timestamp_s, signing)
    }

    /// The fields as a call keeps them.
    fn stored(&self) -> Vec<(Box<str>, Box<str>)> {
        self.fields.iter().map(|(name, text)| ((*name).into(), text.as_str().into())).collect()
    }

    /// For what must not be lost.
    #[must_use]
    pub fn into_way(self) -> Way {
        Way::Publish { method: self.method.into(), fields: self.stored() }
    }
}

/// A sign of life. `uptime_minutes_today`: minutes since the controller started, at most since the platform's midnight.
#[must_use]
pub fn heartbeat(network: Option<Network>, uptime_minutes_today: u64) -> Message {
    let rssi = network.and_then(|n| n.rssi_dbm).map_or(NO_RSSI.to_owned(), |dbm| dbm.to_string());
    let fields = vec![
        ("network_type", network.map_or(NO_NETWORK, |n| n.kind.as_str()).to_owned()),
        ("network_rssi", rssi),
        ("uptime_minutes_today", uptime_minutes_today.to_string()),
    ];
    Message { method: HEARTBEAT_METHOD, fields }
}

/// What runs here, on what, with which board. The vendor's names where they fit (`app_version`, `device_model`,
/// `serial_no`), ours beside them; what is about Android and its screen is left out.
#[must_use]
pub fn env(app_version: &str, host: &Host, profile: &str, board: Option<&str>) -> Message {
    let known = [
        ("app_version", Some(app_version)),
        ("os_version", host.system.as_deref()),
        ("kernel_version", host.kernel.as_deref()),
        ("device_model", host.model.as_deref()),
        ("serial_no", host.serial_no.as_deref()),
        ("board_profile", Some(profile)),
        ("board_version", board),
    ];
    Message { method: ENV_METHOD, fields: present(known) }
}

fn present<const N: usize>(known: [(&'static str, Option<&str>); N]) -> Vec<(&'static str, String)> {
    known.into_iter().filter_map(|(name, text)| Some((name, text?.to_owned()))).collect()
}

/// The settings by which the machine behaves as it does. The vendor's own fields are about a screen and its
/// advertisements, which this machine has not.
#[must_use]
pub fn config(settings: Vec<(&'static str, String)>) -> Message {
    Message { method: CONFIG_METHOD, fields: settings }
}

/// How warm it is, in tenths of °C.
#[must_use]
pub fn temperature(deci_c: i16) -> Message {
    Message { method: TEMPERATURE_METHOD, fields: vec![("temperature", tenths(deci_c.into()))] }
}

/// How damp it is, in tenths of % relative humidity.
#[must_use]
pub fn humidity(permille: u16) -> Message {
    Message { method: HUMIDITY_METHOD, fields: vec![("humidity", tenths(permille.into()))] }
}

/// How many are there; `on_sale` only where that changed.
#[must_use]
pub fn product(id: ProductId, count: u16, on_sale: Option<bool>) -> Message {
    let mut fields = vec![("product_id", id.to_string()), ("current_inventory", count.to_string())];
    fields.extend(on_sale.map(|on| ("operation", if on { ON_SALE } else { OFF_SALE }.to_owned())));
    Message { method: PRODUCT_METHOD, fields }
}

/// These products are filled to what fits. Never an empty list: it would mean all of the machine's.
#[must_use]
pub fn restock(first: ProductId, others: &[ProductId]) -> Message {
    let ids: Vec<String> = [first].iter().chain(others).map(|id| format!("\"{id}\"")).collect();
    let fields = vec![("product_ids", format!("[{}]", ids.join(","))), ("operation", ON_SALE.to_owned())];
    Message { method: RESTOCK_METHOD, fields }
}

/// Whether the product's slot is well. `lock_status` is about a locker's door, whose state no outcome tells, and is left
/// out as the vendor allows.
#[must_use]
pub fn channel_status(id: ProductId, condition: Condition) -> Message {
    let fields = vec![("product_id", id.to_string()), ("floor_status", condition.floor_status().to_owned())];
    Message { method: CHANNEL_METHOD, fields }
}

/// What passed over the network: totals, never differences.
#[must_use]
pub fn traffic(network: &Network) -> Message {
    let fields = vec![
        ("network_type", network.kind.number().to_owned()),
        ("upload_bytes", network.sent_bytes.to_string()),
        ("download_bytes", network.received_bytes.to_string()),
        ("upload_packets", network.sent_packets.to_string()),
        ("download_packets", network.received_packets.to_string()),
    ];
    Message { method: TRAFFIC_METHOD, fields }
}

/// How good the line to the board is: counts since the agent started `counted_for_s` ago.
#[must_use]
pub fn line_quality(counted_for_s: u64, counts: &[(&'static str, u64)]) -> Message {
    let mut fields = vec![("counted_for_s", counted_for_s.to_string())];
    fields.extend(counts.iter().map(|(name, count)| (*name, count.to_string())));
    Message { method: LINE_METHOD, fields }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::envelope;
    use crate::order::host::NetworkKind;
    use std::collections::BTreeMap;

    const NETWORK: Network = Network {
        kind: NetworkKind::Cellular,
        rssi_dbm: Some(-67),
        sent_bytes: 1_234_567,
        received_bytes: 2_345_678,
        sent_packets: 3_456,
        received_packets: 4_567,
    };

    fn key() -> SigningKey {
        SigningKey::new("kva").unwrap()
    }

    /// What the platform reads, without the signature, which is checked.
    fn heard(message: &Message, timestamp_s: u64) -> BTreeMap<String, String> {
        let payload = message.seal(&MachineNo::parse("16327138").unwrap(), timestamp_s, &key());
        let fields = envelope::open(&payload).unwrap();
        envelope::verify(&fields, &key()).unwrap();
        let own = fields.iter().filter(|(name, _)| *name != "sign");
        own.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
    }

    /// The vendor's printed example without `sign`, whose printed values are placeholders, and without `machine_id`, which
    /// the machine does not know.
    fn printed(example: &str) -> BTreeMap<String, String> {
        let mut fields: BTreeMap<String, String> = serde_json::from_str(example).unwrap();
        fields.remove("sign");
        fields.remove("machine_id");
        fields.insert("client_id".to_owned(), "16327138".to_owned());
        fields
    }

    #[test]
    fn each_message_has_the_fields_of_the_vendors_printed_example_and_no_other() {
        let id = ProductId;
        let table = [
            (
                heartbeat(Some(NETWORK), 86_400),
                r#"{"timestamp":"1748330699","method":"client.heartbeat","network_type":"cellular","network_rssi":"-67",
                   "uptime_minutes_today":"86400","status":"0"}"#,
            ),
            (
                temperature(32_760),
                r#"{"timestamp":"1748330699","method":"client.temperature.put","temperature":"3276.0","status":"0"}"#,
            ),
            (
                humidity(32_760),
                r#"{"timestamp":"1748330699","method":"client.humidity.put","humidity":"3276.0","status":"0"}"#,
            ),
            (
                product(id(1), 0, Some(true)),
                r#"{"timestamp":"1748330699","method":"client.product.put","product_id":"1","current_inventory":"0",
                   "operation":"1","status":"0"}"#,
            ),
            (
                restock(id(1), &[id(2), id(3)]),
                r#"{"timestamp":"1748330699","method":"client.product.restock","product_ids":"[\"1\",\"2\",\"3\"]",
                   "operation":"1","status":"0"}"#,
            ),
            (
                channel_status(id(1), Condition::Absent),
                r#"{"timestamp":"1748330699","method":"client.channel.status.put","product_id":"1","floor_status":"0",
                   "status":"0"}"#,
            ),
            (
                traffic(&Network { kind: NetworkKind::Wifi, ..NETWORK }),
                r#"{"timestamp":"1748330699","method":"client.traffic.put","network_type":"1","upload_bytes":"1234567",
                   "download_bytes":"2345678","upload_packets":"3456","download_packets":"4567","status":"0"}"#,
            ),
        ];
        for (message, example) in table {
            assert_eq!(heard(&message, 1_748_330_699), printed(example));
        }
    }

    #[test]
    fn a_message_is_byte_for_byte_what_it_was() {
        let payload =
            product(ProductId(20), 4, None).seal(&MachineNo::parse("16327129").unwrap(), 1_714_373_688, &key());
        assert_eq!(String::from_utf8(payload).unwrap(), PRODUCT_PAYLOAD);
    }

    #[test]
    fn what_is_not_known_is_said_as_the_vendor_asks() {
        let heartbeat = heard(&heartbeat(None, 3), 5);
        assert_eq!((&*heartbeat["network_type"], &*heartbeat["network_rssi"]), ("unknown", "0"));
        let host = Host { system: Some("Debian".to_owned()), ..Host::default() };
        let env = env("1.0", &host, "tcn-00ff", None);
        let names: Vec<&str> = env.fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["app_version", "os_version", "board_profile"]);
        assert!(product(ProductId(1), 2, None).fields.iter().all(|(name, _)| *name != "operation"));
        assert_eq!(product(ProductId(1), 2, Some(false)).fields[2], ("operation", "0".to_owned()));
    }

    #[test]
    fn every_state_of_a_slot_has_the_platforms_number() {
        use Condition::{Absent, Faulty, Jammed, Well};
        assert_eq!([Absent, Well, Jammed, Faulty].map(Condition::floor_status), ["0", "1", "2", "3"]);
        let line = heard(&line_quality(60, &[("noise", 2)]), 5);
        assert_eq!((&*line["counted_for_s"], &*line["noise"]), ("60", "2"));
    }

    /// Computed apart from this program, with the vendor's sample key.
    const PRODUCT_PAYLOAD: &str = concat!(
        "eyJjbGllbnRfaWQiOiIxNjMyNzEyOSIsImN1cnJlbnRfaW52ZW50b3J5IjoiNCIsIm1ldGhvZCI6ImNsaWVudC5wcm9kdWN0LnB1",
        "dCIsInByb2R1Y3RfaWQiOiIyMCIsInNpZ24iOiJFMDc1NTBEOERGQjFGQ0U0Mzg4Mzg2MTc4MDEzNTI0NSIsInN0YXR1cyI6IjAi",
        "LCJ0aW1lc3RhbXAiOiIxNzE0MzczNjg4In0=",
    );
}
