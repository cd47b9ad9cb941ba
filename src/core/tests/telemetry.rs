//! What the machine tells of itself: when, never in a storm, never before an order, and nothing of it on the disk.

use super::world::{DISPENSED, World, settings};
use crate::board::driver::{Finding, LineFault, LineState};
use crate::board::service::{Reading, ServiceError};
use crate::core::event::Event;
use crate::order::host::{Host, Network, NetworkKind};
use crate::order::said::Said;
use crate::order::time::UnixMs;

const HEARTBEAT: &str = "client.heartbeat";
const ENV: &str = "client.machine.env.put";
const CONFIG: &str = "client.machine.config.put";
const TRAFFIC: &str = "client.traffic.put";
const LINE: &str = "client.line.quality.put";
const TEMPERATURE: &str = "client.temperature.put";
const HUMIDITY: &str = "client.humidity.put";
const OFFLINE: &str = "client.offline";
const HOUR_S: u64 = 3_600;

fn host() -> Host {
    let network = Network {
        kind: NetworkKind::Ethernet,
        rssi_dbm: None,
        sent_bytes: 7,
        received_bytes: 8,
        sent_packets: 9,
        received_packets: 10,
    };
    Host { network: Some(network), kernel: Some("6.1".to_owned()), ..Host::default() }
}

/// A world that is looked at, connected anew.
fn alive() -> World {
    alive_with(settings())
}

fn alive_with(settings: crate::core::Settings) -> World {
    let mut w = World::with(settings);
    w.host = Some(host());
    w.connect(true);
    w
}

fn with_climate() -> World {
    let mut s = settings();
    s.telemetry.climate_ms = Some(1_800_000);
    let w = alive_with(s);
    w.script.lock().unwrap().has_climate = true;
    w
}

impl World {
    fn is_asked(&self) -> bool {
        self.script.lock().unwrap().state == LineState::Busy
    }

    fn board_tells(&mut self, result: Result<Reading, ServiceError>) {
        self.script.lock().unwrap().state = LineState::Idle;
        self.board_says(Finding::Served(result));
    }
}

#[test]
fn a_connection_begins_with_a_sign_of_life_and_one_follows_every_five_minutes() {
    let mut w = alive();
    assert_eq!(w.count_said(HEARTBEAT), 1);
    w.pass_s(299);
    assert_eq!(w.count_said(HEARTBEAT), 1);
    w.pass_s(1);
    assert_eq!(w.count_said(HEARTBEAT), 2);
    w.pass_s(HOUR_S);
    assert_eq!(w.count_said(HEARTBEAT), 14);
    let said = w.last_said(HEARTBEAT);
    assert_eq!((&*said["network_type"], &*said["network_rssi"]), ("Ethernet", "0"));
}

#[test]
fn minutes_of_today_end_at_the_platforms_midnight_and_begin_with_the_controller() {
    let mut w = alive();
    // The world began at 1 s after boot, and an hour has passed.
    assert_eq!(w.last_said(HEARTBEAT)["uptime_minutes_today"], "60");
    // 2024-04-29 16:00:00 UTC is midnight in China.
    w.now.wall = UnixMs::from_seconds(1_714_406_400 + 120);
    w.now.boot = w.now.boot.plus_ms(12 * HOUR_S * 1_000);
    w.step(Event::Wake);
    assert_eq!(w.last_said(HEARTBEAT)["uptime_minutes_today"], "2");
}

#[test]
fn an_outage_of_days_leaves_one_sign_of_life_and_nothing_stored() {
    let mut w = alive();
    let commits = w.commits;
    w.step(Event::Disconnected { why: Said::word("gone") });
    let said = w.said.len();
    w.pass_s(3 * 24 * HOUR_S);
    assert_eq!((w.said.len(), w.core.telemetry_deadline()), (said, None), "nobody could hear it");
    w.connect(true);
    let new: Vec<&str> = w.said[said..].iter().map(|fields| &*fields["method"]).collect();
    assert_eq!(new, [HEARTBEAT, TRAFFIC, LINE], "what a day makes due, once");
    assert_eq!(w.commits, commits);
    w.connect(true);
    assert_eq!(w.count_said(HEARTBEAT), 3);
}

#[test]
fn a_machine_at_rest_writes_nothing_and_wakes_with_its_heartbeats_only() {
    let mut w = alive();
    let commits = w.commits;
    let mut wakes = 0;
    let end = w.now.boot.plus_ms(24 * HOUR_S * 1_000);
    while let Some(at) = w.core.deadline().filter(|at| *at <= end) {
        w.pass_ms(at.since_ms(w.now.boot));
        wakes += 1;
    }
    assert_eq!((w.commits - commits, wakes), (0, 24 * 12));
}

#[test]
fn environment_and_settings_are_told_at_the_start_and_when_they_change() {
    let mut w = alive();
    assert_eq!((w.count_said(ENV), w.count_said(CONFIG)), (1, 1));
    let env = w.last_said(ENV);
    assert_eq!((&*env["kernel_version"], &*env["board_profile"]), ("6.1", "tcn-00ff"));
    assert!(!env.contains_key("board_version"), "the board has not said");
    assert_eq!(w.last_said(CONFIG)["heartbeat_s"], "300");
    w.pass_s(HOUR_S);
    w.connect(true);
    assert_eq!((w.count_said(ENV), w.count_said(CONFIG)), (1, 1), "nothing changed");
    w.board_says(Finding::Identity("TCN 3.1".to_owned()));
    w.pass_s(300);
    assert_eq!((w.count_said(ENV), &*w.last_said(ENV)["board_version"]), (2, "TCN 3.1"));
    w.core.tell_and_ask_anew(w.now);
    w.step(Event::Wake);
    assert_eq!((w.count_said(ENV), w.count_said(CONFIG)), (3, 2), "asked for anew");
}

#[test]
fn what_the_broker_has_not_taken_is_told_again() {
    let mut w = World::new();
    w.host = Some(host());
    w.broker_is_quick = false;
    w.connect(true);
    assert_eq!(w.count_said(ENV), 1);
    w.connect(true);
    assert_eq!(w.count_said(ENV), 2, "the connection was lost before it had it");
    for token in std::mem::take(&mut w.published) {
        w.step(Event::Published(token));
    }
    w.connect(true);
    assert_eq!((w.count_said(ENV), w.count_said(HEARTBEAT)), (2, 3));
}

#[test]
fn a_broker_that_takes_nothing_is_told_no_more_than_it_has_room_for() {
    let mut w = alive();
    w.broker_is_quick = false;
    w.pass_s(24 * HOUR_S);
    let on_their_way = w.said.len();
    w.pass_s(24 * HOUR_S);
    assert_eq!(w.said.len(), on_their_way, "the window is full, and nothing is kept for later");
}

#[test]
fn traffic_is_told_daily_and_with_the_last_word() {
    let mut w = alive();
    assert_eq!((w.count_said(TRAFFIC), &*w.last_said(TRAFFIC)["upload_bytes"]), (1, "7"));
    w.pass_s(23 * HOUR_S);
    assert_eq!(w.count_said(TRAFFIC), 1);
    w.pass_s(HOUR_S + 300);
    assert_eq!(w.count_said(TRAFFIC), 2);
    w.step(Event::Stop);
    assert_eq!((w.count_said(TRAFFIC), &*w.last_said(OFFLINE)["reason"]), (3, "stopped"));
    assert_eq!(w.said.last().unwrap()["method"], OFFLINE);
}

#[test]
fn a_stop_says_goodbye_only_when_the_motor_stands() {
    let mut w = alive();
    let put = w.put("60", "78");
    w.deliver(&put);
    w.step(Event::Stop);
    assert_eq!((w.count_said(OFFLINE), w.ended), (0, None));
    w.board_ends(DISPENSED);
    assert_eq!((w.count_said(OFFLINE), w.ended.is_some()), (1, true));
    let mut w = alive();
    w.step(Event::Disconnected { why: Said::word("gone") });
    w.step(Event::Stop);
    assert_eq!((w.count_said(OFFLINE), w.ended.is_some()), (0, true), "the will says it");
}

#[test]
fn a_line_in_order_is_told_of_daily_and_a_bad_one_hourly() {
    let mut w = alive();
    w.pass_s(22 * HOUR_S);
    assert_eq!(w.count_said(LINE), 0, "an hour of the day had passed before the connection");
    w.pass_s(2 * HOUR_S);
    assert_eq!((w.count_said(LINE), &*w.last_said(LINE)["noise"]), (1, "0"));
    w.board_says(Finding::Fault(LineFault::Noise));
    w.pass_s(HOUR_S + 300);
    assert_eq!((w.count_said(LINE), &*w.last_said(LINE)["noise"]), (2, "1"));
    w.pass_s(4 * HOUR_S);
    assert_eq!(w.count_said(LINE), 2, "nothing more was wrong");
}

#[test]
fn the_climate_is_asked_for_only_where_it_is_wanted_and_the_board_can_tell() {
    let mut w = alive();
    w.script.lock().unwrap().has_climate = true;
    w.pass_s(24 * HOUR_S);
    assert!(!w.is_asked(), "off by default");
    let mut w = with_climate();
    w.script.lock().unwrap().has_climate = false;
    w.pass_s(24 * HOUR_S);
    assert!(!w.is_asked());
    w.script.lock().unwrap().has_climate = true;
    w.step(Event::Wake);
    assert!(w.is_asked());
    w.board_tells(Ok(Reading::Climate { temperature_deci_c: Some(-35), humidity_permille: None }));
    assert_eq!((&*w.last_said(TEMPERATURE)["temperature"], w.count_said(HUMIDITY)), ("-3.5", 0));
    w.pass_s(1_799);
    assert!(!w.is_asked());
    w.pass_s(1);
    assert!(w.is_asked());
    w.board_tells(Err(ServiceError::NoAnswer));
    assert_eq!(w.count_said(TEMPERATURE), 1);
    assert!(w.story.iter().all(|told| !told.starts_with("served")), "nobody else had asked");
}

#[test]
fn an_order_comes_before_the_climate_and_one_that_comes_meanwhile_is_next() {
    let mut w = with_climate();
    let put = w.put("60", "78");
    w.deliver(&put);
    w.pass_s(40);
    w.board_ends(DISPENSED);
    assert_eq!((w.driven(), w.is_asked()), (1, false));
    // Due long since: asked when the line is free, and once.
    w.pass_s(60);
    assert!(w.is_asked());
    let put = w.put("61", "78");
    w.deliver(&put);
    assert_eq!(w.driven(), 1);
    w.board_tells(Ok(Reading::Climate { temperature_deci_c: Some(20), humidity_permille: Some(500) }));
    assert_eq!((w.driven(), &*w.last_said(HUMIDITY)["humidity"]), (2, "50.0"));
}

#[test]
fn what_the_board_says_after_the_connection_is_gone_is_dropped() {
    let mut w = with_climate();
    w.pass_s(60);
    assert!(w.is_asked());
    w.step(Event::Disconnected { why: Said::word("gone") });
    w.board_tells(Ok(Reading::Climate { temperature_deci_c: Some(20), humidity_permille: None }));
    w.connect(true);
    assert_eq!(w.count_said(TEMPERATURE), 0);
    w.pass_s(1_800);
    assert!(w.is_asked(), "and asked for at its time");
}

#[test]
fn a_machine_that_cannot_sell_gives_no_sign_of_life() {
    let mut w = alive();
    w.step(Event::JournalFailed { why: Said::word("full") });
    let said = w.count_said(HEARTBEAT);
    w.connect(true);
    assert_eq!(w.count_said(HEARTBEAT), said);
    w.live_again(crate::core::Recovered::Quarantine { why: Said::word("torn") }, true);
    w.pass_s(HOUR_S);
    assert_eq!(w.count_said(HEARTBEAT), said);
}
