//! The report of an order: the body for `notify_url` and its copy over MQTT (contract, section 3).

use super::envelope::{self, Value, texts};
use super::json;
use super::sign::{self, SIGN_FIELD, SigningKey};
use super::up::common;
use crate::order::command::Echo;
use crate::order::key::{Id, Key, MachineNo};
use crate::order::outcome::{OrderOutcome, UnitOutcome};

/// The platform's word for the result of a dispense command (cloud 1.6).
pub const REPORT_METHOD: &str = "device.delivery.response";

/// The list of what became of each unit.
const UNITS: &str = "units";
/// Room for one entry of the list, in bytes: refusals may need more.
const UNIT_LINE_BYTES: usize = 96;
/// Most fields of a report.
const FIELDS_MAX: usize = 20;

/// What became of an order, as the merchant hears it. Body and timestamp are frozen at the first sending: whoever
/// sends again passes the same values.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The machine.
    pub machine_no: &'a MachineNo,
    /// The order.
    pub key: &'a Key,
    /// What comes back unchanged.
    pub echo: &'a Echo,
    /// Every unit's outcome, in turn; at least one.
    pub units: &'a [UnitOutcome],
    /// 1 for the first report of the order, rising with each correction.
    pub sequence: u32,
    /// Unix seconds of the first sending.
    pub timestamp_s: u64,
}

impl Report<'_> {
    /// Names this report for ever: `Idempotency-Key` and `event_id`.
    #[must_use]
    pub fn event_id(&self) -> String {
        let Key { order_id, record_id } = self.key;
        [self.machine_no.as_str(), order_id.as_str(), record_id.as_str(), &self.sequence.to_string()].join(":")
    }

    /// The JSON body for `notify_url`: documented fields first, ours after them, `sign` last. `sign` covers
    /// everything but the list `units`; empty fields are in the body and not in the signature (cloud 1.1).
    #[must_use]
    pub fn http_body(&self, signing: &SigningKey) -> Vec<u8> {
        let mut fields = Vec::with_capacity(FIELDS_MAX);
        fields.push(("method", REPORT_METHOD.into()));
        fields.extend(self.result(|id| id.as_canonical_integer().map_or(id.as_str().into(), Value::from)));
        fields.extend(self.ours(u64::from(self.sequence).into()));
        let units_at = fields.len();
        fields.push(("timestamp", self.timestamp_s.to_string().into()));
        let signature = sign::sign(texts(&fields), signing);
        fields.insert(units_at, (UNITS, Value::Json(self.units().into())));
        fields.push((SIGN_FIELD, signature.as_str().into()));
        json::object(&fields)
    }

    /// The payload of the copy over MQTT: flat, all texts, with the platform's common fields. `units` is the JSON
    /// list as text, the way the platform writes lists (cloud 1.9, `product_ids`), and so it is signed here.
    #[must_use]
    pub fn mqtt_payload(&self, signing: &SigningKey) -> Vec<u8> {
        let common = common(REPORT_METHOD, self.machine_no, self.echo.machine_id.as_deref(), self.timestamp_s);
        envelope::seal(common.chain(self.flat()), signing)
    }

    /// The result as flat texts.
    pub(super) fn flat(&self) -> impl Iterator<Item = (&'static str, Value<'_>)> {
        self.result(|id| id.as_str().into())
            .chain(self.ours(self.sequence.to_string().into()))
            .chain([(UNITS, self.units().into())])
    }

    /// The fields that the platform documents.
    fn result<'a>(&'a self, id: fn(&'a Id) -> Value<'a>) -> impl Iterator<Item = (&'static str, Value<'a>)> {
        let outcome = OrderOutcome::of(self.units);
        let fields = [
            ("order_id", Some(id(&self.key.order_id))),
            ("record_id", Some(id(&self.key.record_id))),
            ("deliver_status", Some(outcome.deliver_status().into())),
            ("floor_status", outcome.floor_status().map(Value::from)),
            ("error_msg", Some(outcome.error_msg().into())),
            ("fail_reason", Some(outcome.error_msg().into())),
        ];
        fields.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)))
    }

    /// The flat fields that we add.
    fn ours<'a>(&'a self, sequence: Value<'a>) -> impl Iterator<Item = (&'static str, Value<'a>)> {
        fn kept(text: &Option<Box<str>>) -> Option<Value<'_>> {
            text.as_deref().map(Value::from)
        }
        let outcome = OrderOutcome::of(self.units);
        let fields = [
            ("machine_no", Some(self.machine_no.as_str().into())),
            ("delivery_id", kept(&self.echo.delivery_id)),
            ("trade_id", kept(&self.echo.trade_id)),
            ("machine_id", kept(&self.echo.machine_id)),
            ("msg_id", kept(&self.echo.msg_id)),
            ("event_id", Some(self.event_id().into())),
            ("sequence", Some(sequence)),
            ("outcome", Some(outcome.as_str().into())),
            ("reason", outcome.reason().map(|reason| reason.as_str().into())),
        ];
        fields.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)))
    }

    /// The JSON list of what became of each unit, which are counted from 1. Our words hold nothing that is escaped.
    fn units(&self) -> String {
        let mut list = String::with_capacity(UNIT_LINE_BYTES * self.units.len());
        list.push('[');
        for (unit, outcome) in (1..).zip(self.units) {
            if unit > 1 {
                list.push(',');
            }
            let (word, motor, drop_sensor) = (outcome.as_str(), outcome.motor(), outcome.drop_sensor());
            list.push_str(&format!(
                r#"{{"unit":{unit},"outcome":"{word}","motor":"{motor}","drop_sensor":"{drop_sensor}""#
            ));
            if let UnitOutcome::Refused(reason) = outcome {
                list.push_str(&format!(r#","reason":"{}""#, reason.as_str()));
            }
            list.push('}');
        }
        list.push(']');
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::outcome::UnitOutcome::{Dispensed, NotDispensed, Refused};
    use crate::order::outcome::{DropSensor, Motor, Reason};

    fn key() -> SigningKey {
        SigningKey::new("kva").unwrap()
    }

    fn with_report<T>(ids: (&str, &str), units: &[UnitOutcome], read: impl FnOnce(&Report) -> T) -> T {
        let echo = Echo { delivery_id: Some("5121763043809673".into()), ..Echo::default() };
        let order = Key { order_id: Id::parse(ids.0).unwrap(), record_id: Id::parse(ids.1).unwrap() };
        let machine_no = MachineNo::parse("16327129").unwrap();
        read(&Report {
            machine_no: &machine_no,
            key: &order,
            echo: &echo,
            units,
            sequence: 1,
            timestamp_s: 1_714_373_690,
        })
    }

    fn body(ids: (&str, &str), units: &[UnitOutcome]) -> String {
        with_report(ids, units, |report| String::from_utf8(report.http_body(&key())).unwrap())
    }

    fn signature(fields: &[(&str, &str)]) -> String {
        sign::sign(fields.iter().copied(), &key()).as_str().to_owned()
    }

    #[test]
    fn the_body_of_a_dispensed_order_is_the_contracts_to_the_byte() {
        let sign = signature(&[
            ("method", "device.delivery.response"),
            ("order_id", "60"),
            ("record_id", "78"),
            ("deliver_status", "1"),
            ("floor_status", "1"),
            ("machine_no", "16327129"),
            ("delivery_id", "5121763043809673"),
            ("event_id", "16327129:60:78:1"),
            ("sequence", "1"),
            ("outcome", "dispensed"),
            ("timestamp", "1714373690"),
        ]);
        let expected = [
            r#"{"method":"device.delivery.response","order_id":60,"record_id":78,"deliver_status":"1","#,
            r#""floor_status":"1","error_msg":"","fail_reason":"","machine_no":"16327129","#,
            r#""delivery_id":"5121763043809673","event_id":"16327129:60:78:1","sequence":1,"outcome":"dispensed","#,
            r#""units":[{"unit":1,"outcome":"dispensed","motor":"ok","drop_sensor":"seen"}],"#,
            r#""timestamp":"1714373690","sign":""#,
            &sign,
            "\"}",
        ];
        assert_eq!(body(("60", "78"), &[Dispensed(Motor::Ok)]), expected.concat());
    }

    #[test]
    fn ids_that_are_no_canonical_integers_stay_texts() {
        let body = body(("060", "9007199254740992"), &[Dispensed(Motor::Ok)]);
        assert!(body.contains(r#""order_id":"060","record_id":"9007199254740992","#), "{body}");
    }

    #[test]
    fn a_refusal_has_its_reason_after_the_outcome_and_no_floor_status() {
        let body = body(("60", "78"), &[Refused(Reason::Expired)]);
        assert!(!body.contains("floor_status"), "{body}");
        for part in [
            r#""deliver_status":"0","error_msg":"expired","fail_reason":"expired","machine_no""#,
            r#""outcome":"refused","reason":"expired","units":[{"unit":1,"outcome":"refused","#,
            r#""motor":"not_driven","drop_sensor":"none","reason":"expired"}],"timestamp""#,
        ] {
            assert!(body.contains(part), "{part} in {body}");
        }
    }

    #[test]
    fn a_partial_order_tells_every_unit() {
        let open = NotDispensed(Motor::Open, DropSensor::NotSeen);
        let body = body(("60", "78"), &[Dispensed(Motor::Ok), open, Refused(Reason::PreviousUnit)]);
        for part in [
            r#""deliver_status":"0","floor_status":"3","error_msg":"Load No Current""#,
            r#""outcome":"partial","units":[{"unit":1,"outcome":"dispensed""#,
            r#"{"unit":2,"outcome":"not_dispensed","motor":"open","drop_sensor":"not_seen"},{"unit":3,"outcome":"refused""#,
        ] {
            assert!(body.contains(part), "{part} in {body}");
        }
    }

    #[test]
    fn the_copy_over_mqtt_is_flat_signed_and_all_texts() {
        let payload = with_report(("60", "78"), &[Dispensed(Motor::Ok)], |report| report.mqtt_payload(&key()));
        let fields = envelope::open(&payload).unwrap();
        assert_eq!(envelope::verify(&fields, &key()), Ok(()));
        for (name, value) in [
            ("method", REPORT_METHOD),
            ("client_id", "16327129"),
            ("status", "0"),
            ("timestamp", "1714373690"),
            ("order_id", "60"),
            ("deliver_status", "1"),
            ("event_id", "16327129:60:78:1"),
            ("sequence", "1"),
            ("outcome", "dispensed"),
            ("units", r#"[{"unit":1,"outcome":"dispensed","motor":"ok","drop_sensor":"seen"}]"#),
        ] {
            assert_eq!(fields.get(name), Some(value), "{name}");
        }
        let text = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &payload).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert!(json.as_object().unwrap().values().all(serde_json::Value::is_string), "{json}");
        assert_eq!(json["error_msg"], "", "empty, but there");
    }
}
