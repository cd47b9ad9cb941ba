//! The vendor's published examples of what the platform tells a machine (cloud 1.9), and everything that can be wrong
//! with each. `kva` is the sample key that the vendor prints; two of the examples carry a signature that fits it, the
//! others a placeholder.

use crate::board::profile::Profile;
use crate::cloud::device::decode;
use crate::cloud::envelope::{self, Rejected};
use crate::cloud::inbound::Inbound;
use crate::cloud::sign::{SigningKey, sign};
use crate::order::command::Turns;
use crate::order::instruction::{Instruction, Kind, Setting, Wish};
use crate::order::key::MachineNo;
use crate::order::local_time::{read_date_time, read_time_of_day};
use crate::order::motor::{Address, FloorType, Slot};
use crate::order::schedule::{Cycle, Once};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

type Fields<'a> = BTreeMap<&'a str, &'a str>;

/// Method, machine, time, and the fields of its own.
fn example<'a>(method: &'a str, client_id: &'a str, timestamp: &'a str, own: &[(&'a str, &'a str)]) -> Fields<'a> {
    let common = [("method", method), ("client_id", client_id), ("timestamp", timestamp), ("status", "0")];
    common.into_iter().chain(own.iter().copied()).collect()
}

fn key() -> SigningKey {
    SigningKey::new("kva").unwrap()
}

fn decoded(fields: &Fields<'_>, machine: &str) -> Result<Inbound, Rejected> {
    let payload = envelope::seal(fields.iter().map(|(name, value)| (*name, (*value).into())), &key());
    let profile = Profile::find("tcn-00ff", Path::new(".")).unwrap();
    decode(&payload, &MachineNo::parse(machine).unwrap(), &key(), &profile)
}

fn wish(fields: &Fields<'_>, machine: &str) -> Result<Wish, &'static str> {
    match decoded(fields, machine) {
        Ok(Inbound::Instruction(Instruction { wish, .. })) => wish,
        other => panic!("{fields:?}: {other:?}"),
    }
}

/// The printed machine of seven digits, as a machine number of eight: no other could be configured.
const MACHINE: &str = "04506173";

fn once() -> Fields<'static> {
    let own = [("machine_id", "1"), ("power_on", "2025-09-23 11:07:41"), ("power_off", "2025-09-22 18:00:00")];
    example("client.power.schedule.once", "16327127", "1758513120", &own)
}

fn cycle() -> Fields<'static> {
    let own = [("machine_id", "1"), ("weekdays", "1,1,1,0,0,0,0"), ("power_off", "18:00:00"), ("power_on", "11:07:41")];
    example("client.power.schedule.cycle", "16327127", "1758512979", &own)
}

fn clear() -> Fields<'static> {
    example("client.power.schedule.clear", "16327127", "1758519471", &[("machine_id", "1")])
}

/// Printed without client_id and status.
fn push() -> Fields<'static> {
    let fields = [
        ("method", "client.machine.config.push"),
        ("timestamp", "1758849511"),
        ("machine_id", "10009"),
        ("language", "zh_CN"),
        ("languages", "zh_CN,zh_HK"),
        ("standby_ads_autoplay", "1"),
        ("price_thousands", "1"),
        ("price_digits", "2"),
        ("idle_timeout", "60"),
        ("payment_wait_timeout", "180"),
        ("standby_ads_enabled", "1"),
        ("price_line", "1"),
        ("app_navbar_logo", "https://***"),
        ("app_home_background", "https://***"),
    ];
    fields.into_iter().collect()
}

fn fault_clear() -> Fields<'static> {
    let own = [("machine_id", "10009"), ("product_ids", "1,2,3"), ("floor_status", "1")];
    example("client.channel.fault.clear", "16327138", "1748331099", &own)
}

fn plain(method: &'static str) -> Fields<'static> {
    example(method, MACHINE, "1748330699", &[("machine_id", "000")])
}

/// Printed for board 3.
fn channel_test() -> Fields<'static> {
    let own = [
        ("machine_id", "10009"),
        ("floor_type", "1"),
        ("is_lp", "0"),
        ("is_dc", "1"),
        ("code", "12"),
        ("addr", "3"),
        ("order_type", "test"),
    ];
    example("client.channel.debugging", "16327138", "1748330699", &own)
}

fn reset() -> Fields<'static> {
    example("client.factory.reset", "16327138", "1748330699", &[("machine_id", "10009"), ("reset_type", "1")])
}

#[test]
fn the_printed_signatures_of_schedules_fit_the_printed_fields() {
    for (fields, printed) in [
        (once(), "3CBFE15E0D448CF8906B10922342F58A"),
        (cycle(), "D356DFCB16DBC34D56C86B7BAC8F71CF"),
        (clear(), "6EDCE0702B2D4D3664DE63BDAC90A3F7"),
    ] {
        assert_eq!(sign(fields.iter().map(|(name, value)| (*name, *value)), &key()).as_str(), printed);
    }
}

#[test]
fn every_printed_example_is_read() {
    let (off_at_s, on_at_s) = (1_758_535_200, 1_758_596_861);
    assert_eq!(wish(&once(), "16327127"), Ok(Wish::Once(Once { off_at_s, on_at_s })));
    let time = |text| read_time_of_day(text).unwrap();
    let days = [true, true, true, false, false, false, false];
    let week = Cycle { on: time("11:07:41"), off: time("18:00:00"), days };
    assert_eq!(wish(&cycle(), "16327127"), Ok(Wish::Cycle(week)));
    assert_eq!(wish(&clear(), "16327127"), Ok(Wish::ClearSchedule));
    assert_eq!(wish(&fault_clear(), "16327138"), Ok(Wish::ClearFaults(vec![1, 2, 3])));
    assert_eq!(wish(&reset(), "16327138"), Ok(Wish::FactoryReset));
    let turns = Turns {
        address: Address::new(3).unwrap(),
        slot: Slot(12),
        floor_type: FloorType::Spring,
        lift: false,
        drop_check: true,
        quantity: 1,
    };
    assert_eq!(wish(&channel_test(), "16327138"), Ok(Wish::TestChannel(turns)));
    assert_eq!(wish(&plain("client.machine.reboot"), MACHINE), Ok(Wish::Reboot));
    assert_eq!(wish(&plain("client.machine.shutdown"), MACHINE), Ok(Wish::Shutdown));
    let mut password = plain("client.machine.password.modified");
    password.insert("password", "12345678");
    assert_eq!(wish(&password, MACHINE), Ok(Wish::Password));
    let Ok(Wish::Configure(settings)) = wish(&push(), "16327127") else { panic!("settings are wanted") };
    let fields = push();
    assert_eq!(settings.len(), Setting::ALL.len(), "the example has every setting");
    for (setting, value) in settings {
        assert_eq!(fields.get(setting.as_str()), Some(&&*value));
    }
    for method in ["client.machine.refresh", "client.machine.invalidate"] {
        assert_eq!(decoded(&plain(method), MACHINE), Ok(Inbound::Refresh));
    }
    for method in ["client.ads.push", "client.ads.update", "client.ads.delete"] {
        assert_eq!(decoded(&plain(method), MACHINE), Ok(Inbound::Advertisement { method: method.to_owned() }));
    }
}

#[test]
fn an_instruction_says_its_kind_and_when_it_was_issued() {
    let Ok(Inbound::Instruction(read)) = decoded(&clear(), "16327127") else { panic!("an instruction") };
    assert_eq!((read.kind, read.issued_at_s), (Kind::Schedule, 1_758_519_471));
    assert_eq!(read_date_time("2025-09-22 13:37:51"), Some(read.issued_at_s));
}

#[test]
fn a_wrong_or_missing_field_refuses_the_whole_instruction_and_names_the_field() {
    let long = format!("https://{}", "x".repeat(600));
    let many = vec!["zh_CN"; 17].join(",");
    let products = vec!["1"; 1_001].join(",");
    let table: Vec<(Fields<'_>, &str, Vec<&str>)> = vec![
        (
            once(),
            "power_off",
            vec!["", "2025-09-22", "18:00:00", "2025-02-30 00:00:00", "1758535200", "2025-09-22T18:00:00"],
        ),
        (once(), "power_on", vec!["", "tomorrow", "2025-09-22 18:00:00", "2025-09-22 17:59:59"]),
        (cycle(), "power_off", vec!["", "24:00:00", "18:00", "2025-09-22 18:00:00"]),
        (cycle(), "power_on", vec!["", "11:07:61", "18:00:00"]),
        (
            cycle(),
            "weekdays",
            vec![
                "",
                "1",
                "1,1,1,0,0,0",
                "1,1,1,0,0,0,0,0",
                "1,1,1,0,0,0,2",
                "1,1,1,0,0,0,",
                "0,0,0,0,0,0,0",
                "1110000",
            ],
        ),
        (
            fault_clear(),
            "product_ids",
            vec!["", ",", "1,,2", "1,2,", "a", "-1", "1.5", "99999999999999999999", &products],
        ),
        (fault_clear(), "floor_status", vec!["0", "2", "47", "x"]),
        (reset(), "reset_type", vec!["0", "2", "all"]),
        (channel_test(), "order_type", vec!["normal", "0", "tests"]),
        (channel_test(), "code", vec!["", "A20", "-1", "1.5"]),
        (channel_test(), "addr", vec!["0", "9", "03", "x"]),
        (channel_test(), "floor_type", vec!["0", "4"]),
        (channel_test(), "is_lp", vec!["2", "yes"]),
        (channel_test(), "is_dc", vec!["2"]),
        (channel_test(), "quantity", vec!["0", "2", "11"]),
        (push(), "price_digits", vec!["5", "-1", "two"]),
        (push(), "price_thousands", vec!["2", "true"]),
        (push(), "price_line", vec!["yes"]),
        (push(), "standby_ads_enabled", vec!["2"]),
        (push(), "standby_ads_autoplay", vec!["on"]),
        (push(), "idle_timeout", vec!["29", "181", "1m"]),
        (push(), "payment_wait_timeout", vec!["0", "99999999999999999999"]),
        (push(), "language", vec!["chinese", "zh-CN", "ZH_cn", "zh_CN_1", "../etc"]),
        (push(), "languages", vec!["zh_CN,", "zh_CN;en", &many]),
        (push(), "app_navbar_logo", vec!["file:///etc/passwd", "https://", "https://a b", &long]),
        (push(), "app_home_background", vec!["javascript:alert(1)", "//host/x"]),
    ];
    for (good, field, bad) in &table {
        let machine = good.get("client_id").copied().unwrap_or("16327127");
        assert!(wish(good, machine).is_ok(), "{good:?}");
        for value in bad {
            let mut fields = good.clone();
            fields.insert(field, value);
            assert_eq!(wish(&fields, machine), Err(*field), "{field} = {value:?}");
        }
    }
    assert_eq!(wish(&plain("client.machine.password.modified"), MACHINE), Err("password"));
    let empty = [("method", "client.machine.config.push"), ("timestamp", "1758849511")].into_iter().collect();
    assert_eq!(wish(&empty, "16327127"), Err("settings"));
    let mut elsewhere = channel_test();
    elsewhere.insert("code", "9999");
    assert_eq!(wish(&elsewhere, "16327138"), Err("code, addr"), "no board has such a slot");
}

#[test]
fn an_instruction_without_time_or_for_another_machine_is_rejected() {
    for mut fields in [once(), cycle(), clear(), fault_clear(), reset(), channel_test()] {
        let machine = fields["client_id"];
        let other = if machine == "16327127" { "16327138" } else { "16327127" };
        assert_eq!(decoded(&fields, other), Err(Rejected::NotForThisMachine { found: machine.to_owned() }));
        fields.insert("timestamp", "now");
        assert_eq!(decoded(&fields, machine), Err(Rejected::BadTimestamp { found: "now".to_owned() }));
        fields.remove("client_id");
        assert_eq!(decoded(&fields, machine), Err(Rejected::NoMachine), "it would hold for every machine");
    }
}

#[test]
fn a_field_that_could_be_two_under_the_same_signature_is_rejected() {
    for (mut fields, name, value) in [
        (once(), "machine_id", "1&power_off=2025-09-22 12:00:00"),
        (plain("client.machine.password.modified"), "password", "x&reset_type=1"),
        (push(), "language", "zh_CN&idle_timeout=60"),
        (reset(), "unknown", "1&method=client.machine.reboot"),
        (channel_test(), "machine_id", "1&code=13"),
        (channel_test(), "machine_id", "1&order_type=test"),
    ] {
        let machine = fields.get("client_id").copied().unwrap_or("16327127").to_owned();
        fields.insert(name, value);
        assert_eq!(decoded(&fields, &machine), Err(Rejected::Ambiguous { name: name.to_owned() }));
    }
}

#[test]
fn nothing_of_a_password_is_left_of_an_instruction() {
    let mut fields = plain("client.machine.password.modified");
    fields.insert("password", "hunter2");
    assert!(!format!("{:?}", decoded(&fields, MACHINE)).contains("hunter2"));
}

proptest! {
    #[test]
    fn any_fields_are_read_or_refused_and_what_is_read_keeps_its_limits(
        method in proptest::sample::select(vec![
            "client.power.schedule.once", "client.power.schedule.cycle", "client.machine.config.push",
            "client.channel.fault.clear", "client.factory.reset", "client.machine.password.modified",
            "client.channel.debugging",
        ]),
        values in proptest::collection::vec("[0-9]{1,5}|[01],[01]|[0-9]{2}:[0-9]{2}:[0-9]{2}|[ -%\'-~]{0,9}|\\PC{0,4}", 25),
    ) {
        let body = ["code", "addr", "floor_type", "is_lp", "is_dc", "quantity"];
        let names = super::FIELDS.into_iter().chain(body).chain(Setting::ALL.map(Setting::as_str));
        let mut fields = example(method, "16327127", "1758513120", &[]);
        fields.extend(names.zip(values.iter().map(String::as_str)).filter(|(_, value)| !value.contains('&')));
        match wish(&fields, "16327127") {
            Ok(Wish::Once(once)) => prop_assert!(once.off_at_s < once.on_at_s),
            Ok(Wish::Cycle(cycle)) => prop_assert!(cycle.on != cycle.off && cycle.days.contains(&true)),
            Ok(Wish::Configure(settings)) => {
                prop_assert!(!settings.is_empty() && settings.values().all(|value| value.len() <= super::PICTURE_BYTES_MAX));
            }
            Ok(_) => {}
            Err(field) => {
                let more = ["settings", "code, addr"];
                let mut names = super::FIELDS.into_iter().chain(body).chain(Setting::ALL.map(Setting::as_str)).chain(more);
                prop_assert!(names.any(|name| name == field), "{field} is the name of a field");
            }
        }
    }
}
