//! What the platform wants of the machine beside vending: followed when it is allowed, fresh and new, once, and never
//! while an order is open.

use super::catalogue::product;
use super::world::{DISPENSED, Put, World, settings};
use crate::board::driver::LineState;
use crate::cloud::envelope;
use crate::core::event::{Event, MachineTold};
use crate::core::{ACT_TAKES_MS, ACT_WAIT_MS, AUDIT_KEPT, REFRESH_PAUSE_MS, REFUSAL_PAUSE_MS, Recovered};
use crate::order::host::Host;
use crate::order::instruction::{FRESH_WITHIN_S, Permission};
use crate::order::local_time::{read_date_time, show_date_time};
use crate::order::said::Said;
use std::collections::BTreeMap;

const ALL: [Permission; 5] = [
    Permission::Reboot,
    Permission::Shutdown,
    Permission::Schedule,
    Permission::Configuration,
    Permission::FactoryReset,
];
const REBOOT: &str = "client.machine.reboot";
const SHUTDOWN: &str = "client.machine.shutdown";
const CLEAR: &str = "client.power.schedule.clear";

/// A method, its own fields, its kind.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

pub(super) fn allowing(permissions: &[Permission]) -> World {
    let mut settings = settings();
    settings.allow = permissions.iter().copied().collect();
    World::with(settings)
}

impl World {
    /// A signed instruction, issued at this second.
    pub(super) fn instruct_at(&mut self, method: &str, own: &[(&str, &str)], at_s: u64) {
        let at = at_s.to_string();
        let common = [("method", method), ("client_id", "16327129"), ("timestamp", at.as_str()), ("status", "0")];
        let fields = common.into_iter().chain(own.iter().copied());
        let payload = envelope::seal(fields.map(|(name, value)| (name, value.into())), &self.settings.mqtt_key);
        self.deliver_raw(&payload, false);
    }

    pub(super) fn instruct(&mut self, method: &str, own: &[(&str, &str)]) {
        self.instruct_at(method, own, self.now_s());
    }

    /// What became of each instruction, oldest first.
    pub(super) fn audited(&self) -> Vec<String> {
        let line = |line: crate::core::AuditLine| {
            let reason = line.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            format!("{} {}{reason}", line.kind, line.became)
        };
        self.core.audit_lines().into_iter().map(line).collect()
    }

    pub(super) fn last_audited(&self) -> String {
        self.audited().pop().unwrap()
    }

    /// What the machine was asked to do to itself.
    fn machine_asked(&self) -> Vec<&str> {
        self.story.iter().filter_map(|told| told.strip_prefix("machine ")).collect()
    }

    fn machine_says(&mut self, number: u64, told: MachineTold) {
        self.step(Event::Machine { number, told });
    }
}

#[test]
fn nothing_that_changes_the_machine_is_followed_unless_the_configuration_allows_it() {
    let once = [("power_off", "2030-01-01 00:00:00"), ("power_on", "2030-01-01 08:00:00")];
    let table: [Case; 8] = [
        (REBOOT, &[], "reboot"),
        (SHUTDOWN, &[], "shutdown"),
        ("client.power.schedule.once", &once, "schedule"),
        ("client.machine.config.push", &[("idle_timeout", "60")], "configuration"),
        ("client.factory.reset", &[("reset_type", "1")], "factory_reset"),
        (CLEAR, &[], "schedule"),
        ("client.channel.debugging", &[("code", "5"), ("order_type", "test")], "channel_test"),
        ("client.machine.password.modified", &[("password", "12345678")], "password"),
    ];
    let mut w = World::new();
    for (method, own, kind) in table {
        w.instruct(method, own);
        w.pass_ms(REFUSAL_PAUSE_MS);
        let reason = if kind == "password" { "not_offered" } else { "not_allowed" };
        assert_eq!(w.last_audited(), format!("{kind} refused {reason}"));
    }
    assert_eq!((w.acks.len(), w.machine_asked().len(), w.driven()), (table.len(), 0, 0));
    assert_eq!(w.core.status(w.now).schedule, [""; 0]);
    assert!(!format!("{:?}", w.core.audit_lines()).contains("12345678"));
}

#[test]
fn a_reboot_leaves_when_its_entry_is_durable_and_is_known_by_the_new_boot() {
    let mut w = allowing(&ALL);
    w.disk_is_quick = false;
    w.instruct(REBOOT, &[]);
    assert_eq!((w.audited(), w.acks.len()), (vec!["reboot under_way".to_owned()], 0), "nothing waits for it");
    w.commit();
    assert_eq!((w.acks.len(), w.machine_asked()), (1, vec!["Ask { number: 1, act: Reboot }"]));
    w.machine_says(1, MachineTold::Asked);
    w.disk_is_quick = true;
    w.reboot(w.now_s() + 60, true);
    assert_eq!((w.audited(), w.machine_asked().len()), (vec!["reboot done".to_owned()], 1));
    w.restart();
    assert_eq!((w.audited(), w.machine_asked().len()), (vec!["reboot done".to_owned()], 1));
}

#[test]
fn a_reboot_waits_for_orders_on_the_line_and_in_the_queue() {
    let mut w = allowing(&ALL);
    w.deliver(&w.put("1", "1").with("quantity", "2"));
    w.deliver(&w.put("2", "1"));
    w.instruct(REBOOT, &[]);
    assert_eq!(w.last_audited(), "reboot waiting");
    assert!(w.core.audit_lines()[0].detail.contains("2 open orders"), "{:?}", w.core.audit_lines());
    for driven in 1..=3 {
        assert_eq!((w.driven(), w.machine_asked().len()), (driven, 0));
        w.pass_s(5);
        w.board_ends(DISPENSED);
    }
    assert_eq!(w.machine_asked(), ["Ask { number: 1, act: Reboot }"]);
}

#[test]
fn an_order_that_comes_while_the_entry_is_written_goes_first() {
    let mut w = allowing(&ALL);
    w.disk_is_quick = false;
    w.instruct(REBOOT, &[]);
    w.deliver(&w.put("1", "1"));
    w.disk_is_quick = true;
    w.commit();
    assert_eq!((w.driven(), w.last_audited().as_str(), w.machine_asked().len()), (1, "reboot waiting", 0));
    w.board_ends(DISPENSED);
    assert_eq!((w.last_audited().as_str(), w.machine_asked().len()), ("reboot under_way", 1));
}

#[test]
fn while_the_machine_is_about_to_go_orders_are_kept_and_not_driven() {
    let mut w = allowing(&ALL);
    w.instruct(REBOOT, &[]);
    w.machine_says(1, MachineTold::Asked);
    w.deliver(&w.put("1", "1"));
    w.pass_s(5);
    assert_eq!((w.driven(), w.acks.len()), (0, 2));
    w.step(Event::Stop);
    assert!(w.ended.is_some());
    w.ended = None;
    w.reboot(w.now_s() + 20, true);
    assert_eq!(w.driven(), 1, "the next boot drives it");
}

#[test]
fn a_request_that_nobody_takes_is_withdrawn_and_orders_go_on() {
    for (told, became) in [(MachineTold::Withdrawn, "failed"), (MachineTold::Gone, "unknown")] {
        let mut w = allowing(&ALL);
        w.instruct(SHUTDOWN, &[]);
        w.machine_says(1, MachineTold::Asked);
        w.deliver(&w.put("1", "1"));
        w.pass_ms(ACT_TAKES_MS);
        assert_eq!(
            w.machine_asked(),
            ["Ask { number: 1, act: PowerOff { wake_at_s: None } }", "Withdraw { number: 1 }"]
        );
        assert_eq!(w.driven(), 0);
        w.machine_says(1, told);
        assert_eq!((w.last_audited(), w.driven()), (format!("shutdown {became}"), 1));
    }
    let mut w = allowing(&ALL);
    w.instruct(REBOOT, &[]);
    w.machine_says(1, MachineTold::NotAsked("read-only".to_owned()));
    assert_eq!(w.last_audited(), "reboot failed");
    assert_eq!(w.core.audit_lines()[0].detail, "read-only");
}

#[test]
fn an_agent_that_dies_with_an_act_under_way_never_asks_for_it_again() {
    for (told, became) in [(MachineTold::Withdrawn, "failed"), (MachineTold::Gone, "unknown")] {
        let mut w = allowing(&ALL);
        w.instruct(REBOOT, &[]);
        w.restart();
        assert_eq!(w.machine_asked(), ["Ask { number: 1, act: Reboot }", "Withdraw { number: 1 }"]);
        w.machine_says(1, told);
        w.pass_ms(ACT_TAKES_MS);
        assert_eq!((w.last_audited(), w.machine_asked().len()), (format!("reboot {became}"), 2));
        w.restart();
        assert_eq!(w.machine_asked().len(), 2);
    }
}

#[test]
fn after_a_power_cut_a_shutdown_is_unknown_and_one_that_waited_is_overtaken() {
    let mut w = allowing(&ALL);
    w.instruct(SHUTDOWN, &[]);
    w.reboot(w.now_s() + 60, true);
    assert_eq!((w.last_audited().as_str(), w.machine_asked().len()), ("shutdown unknown", 1));
    w.deliver(&w.put("1", "1"));
    w.instruct(REBOOT, &[]);
    assert_eq!(w.last_audited(), "reboot waiting");
    w.restart();
    assert_eq!(w.last_audited(), "reboot waiting", "the agent alone died");
    w.reboot(w.now_s() + 60, true);
    assert_eq!((w.last_audited().as_str(), w.machine_asked().len()), ("reboot overtaken", 1));
}

#[test]
fn an_act_is_given_up_when_orders_stay_open_for_too_long_and_says_what_it_waited_for() {
    let mut w = allowing(&ALL);
    w.instruct(REBOOT, &[]);
    assert_eq!(w.last_audited(), "reboot under_way");
    let mut w = allowing(&ALL);
    w.line_is(LineState::Busy);
    w.instruct(REBOOT, &[]);
    w.pass_ms(ACT_WAIT_MS - 1);
    assert_eq!(w.last_audited(), "reboot waiting");
    w.pass_ms(1);
    assert_eq!(w.last_audited(), "reboot given_up");
    assert_eq!(w.core.audit_lines()[0].detail, "the board is not idle");
}

#[test]
fn a_board_that_is_away_is_waited_for_and_then_the_machine_may_start_anew_without_it() {
    let mut w = allowing(&ALL);
    w.line_is(LineState::Settling);
    w.instruct(REBOOT, &[]);
    let wait_ms = w.settings.profile.timing.longest_vend_ms + 60_000;
    w.pass_ms(wait_ms - 1);
    assert_eq!(w.last_audited(), "reboot waiting", "its motor may still turn");
    w.pass_ms(1);
    assert_eq!(w.last_audited(), "reboot under_way");
}

#[test]
fn an_instruction_is_taken_only_while_it_is_fresh_by_trusted_time() {
    let mut w = allowing(&ALL);
    w.instruct_at(CLEAR, &[], w.now_s() - FRESH_WITHIN_S - 1);
    assert_eq!(w.last_audited(), "schedule refused stale");
    w.instruct_at(CLEAR, &[], w.now_s() + FRESH_WITHIN_S + 1);
    assert_eq!(w.last_audited(), "schedule refused future");
    w.instruct_at(CLEAR, &[], w.now_s() - FRESH_WITHIN_S);
    assert_eq!(w.last_audited(), "schedule done");
    w.now.synchronised = false;
    w.instruct(CLEAR, &[]);
    assert_eq!(w.last_audited(), "schedule refused time_unknown");
}

#[test]
fn an_instruction_that_comes_again_does_nothing_whatever_became_of_it_the_first_time() {
    let mut w = allowing(&ALL);
    let at_s = w.now_s();
    w.instruct_at(CLEAR, &[], at_s);
    w.instruct_at(CLEAR, &[], at_s);
    assert_eq!(w.audited(), ["schedule done", "schedule refused replayed"]);
    w.restart();
    w.pass_ms(REFUSAL_PAUSE_MS);
    w.instruct_at(CLEAR, &[], at_s);
    w.instruct_at(CLEAR, &[], at_s - 1);
    assert_eq!(
        w.audited(),
        ["schedule done", "schedule refused replayed", "schedule refused replayed"],
        "one a minute"
    );
    w.instruct_at(REBOOT, &[], at_s);
    w.machine_says(4, MachineTold::NotAsked(String::new()));
    w.instruct_at(REBOOT, &[], at_s);
    assert_eq!((w.last_audited().as_str(), w.machine_asked().len()), ("reboot refused replayed", 1));
    // What was refused has had its chance too.
    w.deliver(&w.put("1", "1"));
    let reset_s = w.now_s();
    w.instruct_at("client.factory.reset", &[], reset_s);
    w.board_ends(DISPENSED);
    w.instruct_at("client.factory.reset", &[], reset_s);
    assert_eq!(w.last_audited(), "factory_reset refused replayed");
    assert_eq!(w.acks.len(), 9);
}

#[test]
fn a_repeated_instruction_is_not_acknowledged_before_the_first_is_durable() {
    let mut w = allowing(&ALL);
    w.disk_is_quick = false;
    let at_s = w.now_s();
    for _ in 0..3 {
        w.instruct_at(CLEAR, &[], at_s);
        w.connect(true);
        assert_eq!(w.acks.len(), 0);
    }
    w.instruct_at(CLEAR, &[], at_s);
    w.commit();
    w.commit();
    assert_eq!(w.acks.len(), 1, "on the connection that still stands");
}

#[test]
fn a_second_act_is_refused_while_one_waits() {
    let mut w = allowing(&ALL);
    w.deliver(&w.put("1", "1"));
    w.instruct(REBOOT, &[]);
    w.instruct(SHUTDOWN, &[]);
    assert_eq!(w.audited(), ["reboot waiting", "shutdown refused busy"]);
}

#[test]
fn in_quarantine_and_before_the_first_commit_nothing_is_followed() {
    let mut w = allowing(&ALL);
    w.disk_is_quick = false;
    w.restart();
    w.instruct(REBOOT, &[]);
    assert_eq!((w.audited().len(), w.acks.len()), (0, 0), "it waits for the first commit");
    w.disk_is_quick = true;
    w.commit();
    assert_eq!(w.last_audited(), "reboot under_way");
    let mut w = allowing(&ALL);
    w.live_again(Recovered::Quarantine { why: Said::word("test") }, true);
    w.instruct(REBOOT, &[]);
    assert_eq!((w.audited().len(), w.machine_asked().len(), w.acks.len()), (0, 0, 1));
    assert!(w.core.status(w.now).rejected[0].why.contains("quarantine"));
}

#[test]
fn a_journal_that_failed_asks_the_machine_for_nothing() {
    let mut w = allowing(&ALL);
    w.disk_is_quick = false;
    w.instruct(REBOOT, &[]);
    w.step(Event::JournalFailed { why: Said::word("test") });
    let late = w.sync();
    w.step(late);
    assert_eq!(w.machine_asked(), [""; 0]);
}

#[test]
fn what_is_pushed_is_kept_and_shown_and_a_wrong_value_changes_nothing() {
    let mut w = allowing(&ALL);
    w.instruct("client.machine.config.push", &[("idle_timeout", "60"), ("language", "zh_CN"), ("broker_url", "x")]);
    w.pass_s(1);
    w.instruct("client.machine.config.push", &[("idle_timeout", "90"), ("price_digits", "9")]);
    w.restart();
    let settings = [("idle_timeout", "60"), ("language", "zh_CN")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(w.core.status(w.now).settings, BTreeMap::from(settings));
    assert_eq!(w.audited(), ["configuration done", "configuration refused invalid"]);
    assert_eq!(w.core.audit_lines()[1].detail, "price_digits");
}

#[test]
fn a_factory_reset_is_refused_while_anything_is_owed_and_forgets_no_key() {
    let mut w = allowing(&ALL);
    let put = w.put("1", "1").with("notify_url", "https://shop.example/notify");
    w.instruct("client.machine.config.push", &[("idle_timeout", "60")]);
    w.deliver(&put);
    w.instruct("client.factory.reset", &[]);
    assert_eq!(w.last_audited(), "factory_reset refused orders_open");
    w.board_ends(DISPENSED);
    w.pass_s(1);
    w.instruct("client.factory.reset", &[]);
    assert_eq!(w.last_audited(), "factory_reset refused reports_open");
    w.answer(200, "");
    w.pass_s(1);
    w.instruct("client.factory.reset", &[]);
    assert_eq!((w.last_audited().as_str(), w.core.status(w.now).settings.len()), ("factory_reset done", 0));
    w.deliver(&put);
    w.restart();
    w.deliver(&put);
    assert_eq!((w.driven(), w.received_states().last().map(String::as_str)), (0, Some("duplicate")));
    assert_eq!(w.audited().len(), 4, "nor is the audit forgotten");
}

#[test]
fn faults_are_cleared_as_far_as_it_is_known_where_a_product_lies() {
    let mut settings = settings();
    settings.lock_slot_after_unknown = true;
    settings.cloud.catalogue = true;
    settings.profile.addresses.count = 1;
    let mut w = World::with(settings);
    w.deliver(&w.put("1", "1"));
    w.pass_s(1_000);
    w.line_is(LineState::Idle);
    w.deliver(&w.put("2", "1"));
    assert_eq!(w.outcome_on_disk("2", "1"), ["refused"], "the slot is locked");
    w.instruct("client.channel.fault.clear", &[("product_ids", "7,8"), ("floor_status", "1")]);
    assert_eq!(w.core.audit_lines()[0].detail, "0 of 2 products known, 0 slots unlocked");
    w.is_told(&[product(7, "005", 1, 5)]);
    w.pass_s(1);
    w.instruct("client.channel.fault.clear", &[("product_ids", "7,8"), ("floor_status", "1")]);
    assert_eq!(w.core.audit_lines()[1].detail, "1 of 2 products known, 1 slots unlocked");
    w.restart();
    w.deliver(&w.put("3", "1"));
    assert_eq!(w.driven(), 1);
}

#[test]
fn a_refresh_asks_again_and_no_more_than_once_a_minute() {
    let mut w = World::new();
    let told = |w: &World| w.core.status(w.now).recent.iter().filter(|note| note.what == "refresh").count();
    w.instruct("client.machine.refresh", &[]);
    assert_eq!((told(&w), w.acks.len()), (1, 1));
    w.instruct("client.machine.invalidate", &[]);
    w.instruct("client.machine.refresh", &[]);
    assert_eq!((told(&w), w.acks.len()), (1, 3));
    w.pass_ms(REFRESH_PAUSE_MS);
    assert_eq!(told(&w), 2);
    w.pass_ms(REFRESH_PAUSE_MS * 3);
    assert_eq!((told(&w), w.audited().len()), (2, 0));
}

#[test]
fn a_refresh_has_the_machine_tell_of_itself_and_ask_for_its_goods_anew() {
    let mut w = allowing(&ALL);
    w.settings.cloud.catalogue = true;
    w.settings.profile.addresses.count = 1;
    w.host = Some(Host::default());
    w.restart();
    w.pass_s(10);
    w.is_told(&[product(7, "005", 1, 5)]);
    let told = |w: &World| {
        ["client.heartbeat", "client.machine.env.put", "client.machine.config.put"].map(|method| w.count_said(method))
    };
    assert_eq!((told(&w), w.requests.len()), ([1; 3], 0));
    w.instruct("client.machine.refresh", &[]);
    w.pass_s(10);
    assert_eq!(told(&w), [2; 3], "its settings and its state, though nothing has changed");
    assert!(w.requests.iter().any(|(_, request)| request.url.ends_with("/products")), "{:?}", w.requests);
    w.pass_s(300);
    assert_eq!(told(&w), [3, 2, 2], "once");
}

#[test]
fn advertisements_are_not_for_this_machine_and_it_says_so() {
    let mut w = World::new();
    w.instruct("client.ads.push", &[("id", "10")]);
    assert_eq!((w.acks.len(), w.audited().len()), (1, 0));
    assert_eq!(w.core.status(w.now).rejected[0].why, "client.ads.push: this machine's agent shows no advertisements");
}

#[test]
fn the_audit_is_bounded_and_refusals_go_before_what_was_done() {
    let mut w = allowing(&[Permission::Schedule]);
    w.instruct(CLEAR, &[]);
    for _ in 0..AUDIT_KEPT + 20 {
        w.pass_ms(REFUSAL_PAUSE_MS);
        w.instruct(REBOOT, &[]);
    }
    let lines = w.core.audit_lines();
    assert_eq!((lines.len(), lines[0].became.as_str(), lines[1].number), (AUDIT_KEPT, "done", 23));
    for _ in 0..AUDIT_KEPT {
        w.pass_s(1);
        w.instruct(CLEAR, &[]);
    }
    let lines = w.core.audit_lines();
    assert_eq!(lines.len(), AUDIT_KEPT);
    assert!(lines.iter().filter(|line| line.became == "done").count() >= AUDIT_KEPT / 2);
    w.restart();
    assert_eq!(w.core.audit_lines(), lines, "the journal holds the same");
}

/// A world at noon on the platform's clock, with a plan to be off from 18:00 on.
fn until_evening() -> World {
    let mut w = allowing(&ALL);
    let today = show_date_time(w.now_s());
    let noon = read_date_time(&format!("{} 17:00:00", &today[..10])).unwrap();
    w.pass_s(noon + 86_400 - w.now_s());
    let day = show_date_time(w.now_s())[..10].to_owned();
    let (off, on) = (format!("{day} 18:00:00"), format!("{day} 23:00:00"));
    w.instruct("client.power.schedule.once", &[("power_off", &off), ("power_on", &on)]);
    assert_eq!(w.core.status(w.now).schedule, [format!("off {off}, on {on}")]);
    w
}

#[test]
fn a_schedule_switches_off_at_its_time_once_and_asks_to_be_woken() {
    let mut w = until_evening();
    w.restart();
    w.pass_s(3_599);
    assert_eq!(w.machine_asked(), [""; 0]);
    w.pass_s(1);
    let on_at_s = w.now_s() + 5 * 3_600;
    assert_eq!(w.machine_asked(), [format!("Ask {{ number: 2, act: PowerOff {{ wake_at_s: Some({on_at_s}) }} }}")]);
    assert_eq!((w.last_audited().as_str(), w.core.status(w.now).schedule.len()), ("shutdown under_way", 0));
    w.reboot(on_at_s, true);
    w.pass_s(3_600);
    assert_eq!(w.machine_asked().len(), 1);
}

#[test]
fn a_schedule_waits_for_orders_and_is_called_off_when_it_is_cleared_meanwhile() {
    let mut w = until_evening();
    w.pass_s(3_595);
    w.deliver(&w.put("1", "1"));
    w.pass_s(10);
    assert_eq!((w.last_audited().as_str(), w.machine_asked().len()), ("shutdown waiting", 0));
    w.instruct(CLEAR, &[]);
    assert_eq!(w.audited(), ["schedule done", "shutdown overtaken", "schedule done"]);
    w.board_ends(DISPENSED);
    w.pass_s(60);
    assert_eq!(w.machine_asked(), [""; 0]);
}

#[test]
fn a_schedule_goes_by_trusted_time_alone_and_leaves_out_what_it_missed() {
    let mut w = until_evening();
    w.reboot(w.now_s(), false);
    w.pass_s(4_000);
    assert_eq!(w.machine_asked(), [""; 0], "nobody knows what time it is");
    w.now.synchronised = true;
    w.pass_s(1);
    assert_eq!(w.machine_asked().len(), 1, "late, and not missed");
    let mut w = until_evening();
    w.reboot(w.now_s() + 3_600 + 1_300, true);
    w.pass_s(10);
    assert_eq!(w.machine_asked(), [""; 0], "whoever switched it on meant it");
    let mut w = until_evening();
    w.settings.allow.clear();
    w.restart();
    w.pass_s(4_000);
    assert_eq!(w.machine_asked(), [""; 0], "it is no longer allowed");
}

#[test]
fn a_week_is_followed_from_the_next_evening_on() {
    let mut w = allowing(&ALL);
    let own = [("power_on", "08:00:00"), ("power_off", "20:00:00"), ("weekdays", "1,1,1,1,1,1,1")];
    let today = show_date_time(w.now_s());
    let evening = read_date_time(&format!("{} 20:05:00", &today[..10])).unwrap();
    w.pass_s(evening + 86_400 - w.now_s());
    w.instruct("client.power.schedule.cycle", &own);
    w.pass_s(3_600);
    assert_eq!(w.machine_asked(), [""; 0], "this evening is over");
    w.pass_s(86_400 - 3_600 - 300);
    assert_eq!(w.machine_asked().len(), 1);
    assert_eq!(w.core.status(w.now).schedule, ["on 08:00:00, off 20:00:00, Mon Tue Wed Thu Fri Sat Sun"]);
}

#[test]
fn a_schedule_in_the_past_is_invalid() {
    let mut w = allowing(&ALL);
    let own = [("power_off", "2024-01-01 00:00:00"), ("power_on", "2040-01-01 00:00:00")];
    w.instruct("client.power.schedule.once", &own);
    assert_eq!(w.audited(), ["schedule refused invalid"]);
}

#[test]
fn what_was_bought_is_not_touched_by_an_instruction_that_is_refused() {
    let mut w = World::new();
    w.instruct(REBOOT, &[]);
    w.deliver(&Put::new("1", "1", w.now_s()));
    w.board_ends(DISPENSED);
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"]);
}
