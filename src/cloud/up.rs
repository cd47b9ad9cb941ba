//! The short messages from machine to platform (contract, section 2): received, offline, and the fields that all of
//! them share. The report stands in [`super::report`].

use super::envelope::{self, Value};
use super::sign::SigningKey;
use crate::order::command::Echo;
use crate::order::key::{Key, MachineNo};
use crate::order::outcome::Reason;
use crate::order::said::words;

/// Says that a command is durable, or what stands against it.
pub const RECEIVED_METHOD: &str = "device.delivery.received";
/// The platform's own word for a device that has gone (cloud 1.9).
pub const OFFLINE_METHOD: &str = "client.offline";
/// The one topic on which all machines speak to the platform (cloud 1.9).
pub const UP_TOPIC: &str = "/server/app";

/// What `device.delivery.received` says about a command or a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceivedState {
    /// Durable and not final yet.
    Accepted,
    /// The key was there already.
    Duplicate,
    /// It will not be driven.
    Refused(Reason),
    /// No such order.
    NotFound,
    /// The journal is in quarantine: nothing can be said.
    Unavailable,
}

words! {
    ReceivedState {
        ReceivedState::Accepted => "accepted", "已接受";
        ReceivedState::Duplicate => "duplicate", "重复";
        ReceivedState::Refused(_) => "refused", "已拒绝";
        ReceivedState::NotFound => "not_found", "无此订单";
        ReceivedState::Unavailable => "unavailable", "暂不可用";
    }
}

/// The platform's common fields (cloud 1.9).
pub(super) fn common<'n, 'a>(
    method: &'a str,
    machine_no: &'a MachineNo,
    machine_id: Option<&'a str>,
    timestamp_s: u64,
) -> impl Iterator<Item = (&'n str, Value<'a>)> {
    let always: [(&'n str, _); 4] = [
        ("method", method.into()),
        ("client_id", machine_no.as_str().into()),
        ("status", "0".into()),
        ("timestamp", timestamp_s.to_string().into()),
    ];
    always.into_iter().chain(machine_id.map(|id| ("machine_id", id.into())))
}

/// The payload of `device.delivery.received`.
#[must_use]
pub fn received(
    machine_no: &MachineNo,
    key: &Key,
    echo: &Echo,
    state: ReceivedState,
    timestamp_s: u64,
    signing: &SigningKey,
) -> Vec<u8> {
    let reason = match state {
        ReceivedState::Refused(reason) => Some(reason.as_str()),
        _ => None,
    };
    let own = [
        ("order_id", Some(key.order_id.as_str())),
        ("record_id", Some(key.record_id.as_str())),
        ("delivery_id", echo.delivery_id.as_deref()),
        ("trade_id", echo.trade_id.as_deref()),
        ("msg_id", echo.msg_id.as_deref()),
        ("state", Some(state.as_str())),
        ("reason", reason),
    ];
    let own = own.into_iter().filter_map(|(name, text)| text.map(|text| (name, text.into())));
    envelope::seal(common(RECEIVED_METHOD, machine_no, echo.machine_id.as_deref(), timestamp_s).chain(own), signing)
}

/// The payload of `client.offline`, the session's will. `reason` is a word like `network_timeout`; `timestamp_s` is
/// when the session began, since a will is written ahead.
#[must_use]
pub fn offline(
    machine_no: &MachineNo,
    machine_id: Option<&str>,
    reason: &str,
    timestamp_s: u64,
    signing: &SigningKey,
) -> Vec<u8> {
    let own = [("reason", reason.into())];
    envelope::seal(common(OFFLINE_METHOD, machine_no, machine_id, timestamp_s).chain(own), signing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::sign::SIGN_FIELD;
    use crate::order::key::Id;

    const NOW: &str = "1714373688";
    const NOW_S: u64 = 1_714_373_688;

    fn key() -> SigningKey {
        SigningKey::new("kva").unwrap()
    }

    fn machine() -> MachineNo {
        MachineNo::parse("16327129").unwrap()
    }

    fn told(payload: &[u8]) -> Vec<(String, String)> {
        let fields = envelope::open(payload).unwrap();
        envelope::verify(&fields, &key()).unwrap();
        let named = fields.iter().filter(|(name, _)| *name != SIGN_FIELD);
        named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn received_says_what_became_of_a_command() {
        let echo = Echo {
            delivery_id: Some("5".into()),
            msg_id: Some("m".into()),
            machine_id: Some("1".into()),
            ..Echo::default()
        };
        let order = Key { order_id: Id::parse("60").unwrap(), record_id: Id::parse("78").unwrap() };
        let payload = received(&machine(), &order, &echo, ReceivedState::Refused(Reason::Conflict), NOW_S, &key());
        let expected = pairs(&[
            ("client_id", "16327129"),
            ("delivery_id", "5"),
            ("machine_id", "1"),
            ("method", RECEIVED_METHOD),
            ("msg_id", "m"),
            ("order_id", "60"),
            ("reason", "conflict"),
            ("record_id", "78"),
            ("state", "refused"),
            ("status", "0"),
            ("timestamp", NOW),
        ]);
        assert_eq!(told(&payload), expected);
        for (state, word) in [
            (ReceivedState::Accepted, "accepted"),
            (ReceivedState::Duplicate, "duplicate"),
            (ReceivedState::NotFound, "not_found"),
            (ReceivedState::Unavailable, "unavailable"),
        ] {
            let told = told(&received(&machine(), &order, &Echo::default(), state, NOW_S, &key()));
            assert!(told.contains(&("state".to_owned(), word.to_owned())), "{told:?}");
            assert!(told.iter().all(|(name, _)| name != "reason" && name != "delivery_id"), "{told:?}");
        }
    }

    #[test]
    fn the_will_says_that_the_machine_is_gone() {
        let payload = offline(&machine(), None, "network_timeout", NOW_S, &key());
        let expected = pairs(&[
            ("client_id", "16327129"),
            ("method", OFFLINE_METHOD),
            ("reason", "network_timeout"),
            ("status", "0"),
            ("timestamp", NOW),
        ]);
        assert_eq!(told(&payload), expected);
    }
}
