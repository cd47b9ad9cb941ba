//! Floods, certificates that end, and old commands that come again.

use super::world::{DISPENSED, OPEN, T0_S, World, settings};
use crate::board::driver::{Finding, LineState};
use crate::cloud::sign::SigningKey;
use crate::core::event::{CertificateNews, CertificateOf, Event};
use crate::core::{CertificateState, HELD_MAX, Limits, MESSAGE_EVERY_MS, MESSAGES_BURST, RING_MAX, Settings};
use crate::order::outcome::{Evidence, Reason};
use crate::order::said::Said;
use crate::order::time::BootMs;

const DAY_S: u64 = 86_400;

// --- floods -----------------------------------------------------------------------------------------------------

fn paced(messages_burst: u64) -> World {
    World::with(Settings { limits: Limits { messages_burst, ..settings().limits }, ..settings() })
}

impl World {
    fn deliver_and_end(&mut self, order_id: &str, evidence: Evidence) {
        self.deliver(&self.put(order_id, "1"));
        self.board_ends(evidence);
    }
}

#[test]
fn beyond_the_burst_messages_wait_unacknowledged_and_go_on_one_at_a_time_in_order() {
    let mut w = paced(5);
    let tags: Vec<_> = (0..12).map(|n| w.deliver_raw(format!("rubbish {n}").as_bytes(), false)).collect();
    assert_eq!(w.acks, tags[..5]);
    let status = w.core.status(w.now);
    assert_eq!((status.counters.messages, status.counters.paced, status.counters.rejected), (12, 7, 5));
    for more in 1..=7 {
        w.pass_ms(MESSAGE_EVERY_MS);
        assert_eq!(w.acks, tags[..5 + more]);
    }
    assert_eq!(w.core.status(w.now).recent.iter().filter(|n| n.what == "message_flood").count(), 1);
    // The allowance comes back with time, and no further than the burst.
    w.pass_s(3_600);
    let before = w.acks.len();
    for n in 0..9 {
        w.deliver_raw(format!("more {n}").as_bytes(), false);
    }
    assert_eq!(w.acks.len(), before + 5);
}

#[test]
fn a_paid_order_behind_a_flood_is_served_and_nothing_is_refused_for_it() {
    let mut w = paced(3);
    for n in 0..20 {
        w.deliver_raw(format!("rubbish {n}").as_bytes(), false);
    }
    w.deliver(&w.put("60", "78"));
    w.pass_ms(17 * MESSAGE_EVERY_MS);
    assert_eq!(w.driven(), 0);
    w.pass_ms(MESSAGE_EVERY_MS);
    assert_eq!(w.driven(), 1);
    w.board_ends(DISPENSED);
    assert_eq!(w.outcome_on_disk("60", "78"), ["dispensed"]);
}

#[test]
fn what_waited_for_its_turn_is_forgotten_with_its_connection_and_comes_again() {
    let mut w = paced(1);
    w.deliver_raw(b"rubbish", false);
    let put = w.put("60", "78");
    w.deliver(&put);
    w.step(Event::Disconnected { why: Said::word("gone") });
    w.connect(true);
    w.redeliver(&put);
    assert_eq!(w.driven(), 0);
    // What belonged to the old connection takes no turn of the new one.
    w.pass_ms(MESSAGE_EVERY_MS);
    assert_eq!((w.driven(), w.acks.len()), (1, 2));
}

#[test]
fn a_flood_without_end_keeps_memory_log_and_disk_as_they_were() {
    let mut w = paced(MESSAGES_BURST);
    let commits = w.commits;
    for n in 0..20_000 {
        w.deliver_raw(format!("rubbish {n}").as_bytes(), false);
    }
    let status = w.core.status(w.now);
    assert_eq!((status.counters.rejected, status.rejected.len()), (MESSAGES_BURST, RING_MAX));
    assert_eq!(status.recent.iter().filter(|n| n.what.starts_with("message_")).count(), 2, "{:?}", status.recent);
    assert_eq!(w.commits, commits, "nothing of it reaches the disk");
    w.pass_ms(MESSAGE_EVERY_MS * 20_000);
    let looked_at = usize::try_from(MESSAGES_BURST).unwrap() + HELD_MAX;
    assert_eq!(w.acks.len(), looked_at, "no more than these were kept; the broker has the others");
}

#[test]
fn orders_that_turned_give_their_places_back_so_that_a_queue_goes_at_the_pace_of_the_line() {
    let mut w = paced(3);
    let tags: Vec<_> = (0..30).map(|n| w.deliver(&w.put(&n.to_string(), "1"))).collect();
    for ended in 0..30 {
        let accepted = usize::try_from(w.core.status(w.now).counters.accepted).unwrap();
        assert_eq!((w.driven(), accepted), (ended + 1, tags.len().min(ended + 3)), "no time has passed");
        w.board_ends(DISPENSED);
    }
    assert_eq!(w.acks, tags, "each once, in order");
    assert_eq!(w.received_states(), ["accepted"; 30]);
}

#[test]
fn only_an_order_that_a_motor_turned_for_gives_its_place_back_and_only_one() {
    let waits = |w: &mut World| {
        let before = w.acks.len();
        w.deliver_raw(b"rubbish", false);
        w.acks.len() == before
    };
    let mut w = paced(2);
    w.deliver(&w.put("1", "1").with("quantity", "2"));
    w.board_ends(DISPENSED);
    w.deliver_raw(b"rubbish", false);
    assert!(waits(&mut w), "one of its units is not the order");
    w.board_ends(DISPENSED);
    assert!(waits(&mut w), "the one place went to who waited, and two units are one message");

    // (what takes the place, whether the next must wait)
    type Taker = fn(&mut World);
    let takers: [(&str, Taker, bool); 7] = [
        ("turned", |w| w.deliver_and_end("1", DISPENSED), false),
        ("turned for nothing", |w| w.deliver_and_end("1", OPEN), false),
        ("duplicate", |w| _ = w.deliver(&w.put("0", "1")), true),
        ("forged", |w| _ = w.deliver_raw(&w.put("1", "1").payload(&SigningKey::new("other").unwrap()), false), true),
        ("refused", |w| _ = w.deliver(&w.put("1", "1").with("code", "999")), true),
        (
            "not taken",
            |w| {
                w.deliver(&w.put("1", "1"));
                w.board_says(Finding::NotTaken(Reason::Locked));
            },
            true,
        ),
        (
            "a pickup code that was entered, which is no message",
            |w| {
                w.deliver(&w.code("c-1", "12345678"));
                w.enter_only("12345678");
                w.board_ends(DISPENSED);
            },
            true,
        ),
    ];
    for (what, take, must_wait) in takers {
        let mut w = paced(1);
        w.deliver_and_end("0", DISPENSED);
        take(&mut w);
        w.script.lock().unwrap().state = LineState::Idle;
        assert_eq!(waits(&mut w), must_wait, "{what}");
    }
}

#[test]
fn places_that_are_given_back_bring_no_more_orders_than_may_be_open() {
    let limits = Limits { messages_burst: 30, orders_open: 30, ..settings().limits };
    let mut w = World::with(Settings { limits, ..settings() });
    let tags: Vec<_> = (0..250).map(|n| w.deliver(&w.put(&n.to_string(), "1"))).collect();
    for _ in &tags {
        // A hundred turns a second, while time alone gives twenty places.
        w.board_ends(DISPENSED);
        w.pass_ms(10);
    }
    assert_eq!((w.driven(), w.acks.len(), w.core.status(w.now).counters.refused), (250, 250, 0));
}

#[test]
fn rubbish_between_orders_stays_at_its_pace_however_fast_the_line_is() {
    let mut w = paced(3);
    for n in 0..50 {
        w.deliver(&w.put(&n.to_string(), "1"));
        w.deliver_raw(b"rubbish", false);
    }
    for _ in 0..3 {
        w.board_ends(DISPENSED);
    }
    assert_eq!(w.core.status(w.now).counters.rejected, 3, "the burst is rubbish now");
    let driven = w.driven();
    w.pass_ms(MESSAGE_EVERY_MS);
    assert!(w.driven() - driven <= 1);
    assert!(w.core.status(w.now).counters.rejected <= 4);
}

// --- certificates -----------------------------------------------------------------------------------------------

fn meet(w: &mut World, of: CertificateOf, not_after_s: u64) {
    w.step(Event::Certificate(CertificateNews::InUse { of, not_after_s }));
}

fn warnings(w: &World) -> Vec<String> {
    let status = w.core.status(w.now);
    status
        .recent
        .into_iter()
        .filter(|n| n.what == "certificate_ends")
        .map(|n| format!("{} {}", n.level, n.text))
        .collect()
}

#[test]
fn an_end_is_told_30_7_and_1_days_ahead_and_when_it_is_there_each_once() {
    let mut w = World::new();
    let end_s = w.now_s() + 40 * DAY_S;
    meet(&mut w, CertificateOf::OwnForCloud, end_s);
    let state = |w: &World| w.core.status(w.now).certificates[0].state;
    assert_eq!((warnings(&w).len(), state(&w)), (0, CertificateState::Good));
    // (days that pass, warnings in all, state)
    let course = [
        (9, 0, CertificateState::Good),
        (1, 1, CertificateState::EndsWithin30Days),
        (10, 1, CertificateState::EndsWithin30Days),
        (13, 2, CertificateState::EndsWithin7Days),
        (6, 3, CertificateState::EndsWithin1Day),
        (1, 3, CertificateState::EndsWithin1Day),
    ];
    for (days, told, expected) in course {
        w.pass_s(days * DAY_S);
        // The same certificate is met with each connection.
        meet(&mut w, CertificateOf::OwnForCloud, end_s);
        assert_eq!((warnings(&w).len(), state(&w)), (told, expected), "after {days} days more: {:?}", warnings(&w));
    }
    w.pass_s(1);
    assert_eq!(state(&w), CertificateState::Expired);
    w.pass_s(30 * DAY_S);
    let told = warnings(&w);
    let levels: Vec<&str> = told.iter().map(|t| t.split(' ').next().unwrap()).collect();
    assert_eq!(levels, ["warn", "warn", "error", "error"], "{told:?}");
    assert!(told[0].contains("30 days more") && told[0].contains("[cloud] client_certificate"), "{told:?}");
    assert!(told[3].contains("expired on 2024-06-08"), "{told:?}");
}

#[test]
fn without_trusted_time_nothing_is_said_of_a_certificate_and_with_it_at_once() {
    let now = crate::order::time::Now {
        boot: BootMs(1_000),
        wall: crate::order::time::UnixMs::from_seconds(T0_S),
        synchronised: false,
    };
    let mut w = World::unborn(settings(), now);
    meet(&mut w, CertificateOf::Broker, T0_S - DAY_S);
    w.pass_s(100 * DAY_S);
    assert_eq!(warnings(&w), [""; 0]);
    assert_eq!(w.core.status(w.now).certificates[0].state, CertificateState::TimeUnknown);
    w.now.synchronised = true;
    w.step(Event::Wake);
    assert_eq!(warnings(&w).len(), 1);
}

#[test]
fn servers_with_different_certificates_are_no_storm() {
    let mut w = World::new();
    let (soon_s, late_s) = (w.now_s() + 5 * DAY_S, w.now_s() + 300 * DAY_S);
    for _ in 0..100 {
        for end_s in [soon_s, late_s] {
            meet(&mut w, CertificateOf::Broker, end_s);
            w.pass_s(10);
        }
    }
    assert_eq!(warnings(&w).len(), 1);
}

#[test]
fn on_the_last_day_of_the_own_certificate_the_files_are_looked_at_until_there_is_a_newer_one() {
    let mut w = World::new();
    let renewals = |w: &World| w.story.iter().filter(|s| *s == "renew").count();
    let (broker_s, own_s) = (w.now_s() + 60, w.now_s() + 2 * DAY_S);
    meet(&mut w, CertificateOf::Broker, broker_s);
    meet(&mut w, CertificateOf::OwnForBroker, own_s);
    w.pass_s(DAY_S - 1);
    assert_eq!(renewals(&w), 0, "the connection stands, and the broker's own end is not ours to mend");
    w.pass_s(1);
    assert_eq!(renewals(&w), 1);
    w.pass_s(DAY_S);
    assert_eq!(renewals(&w), 1 + 48);
    let renewed_s = w.now_s() + 300 * DAY_S;
    meet(&mut w, CertificateOf::OwnForBroker, renewed_s);
    w.pass_s(10 * DAY_S);
    assert_eq!(renewals(&w), 1 + 48);
    assert!(w.core.status(w.now).recent.iter().any(|n| n.what == "certificate_renewed"));
}

#[test]
fn new_files_that_are_not_good_are_said_loudly() {
    let mut w = World::new();
    let why = Said::word("client.pem: not PEM");
    w.step(Event::Certificate(CertificateNews::Kept { of: CertificateOf::OwnForBroker, why }));
    let status = w.core.status(w.now);
    let note = status.recent.iter().find(|n| n.what == "certificate_kept").unwrap();
    assert!(note.level == "error" && note.text.contains("client.pem"), "{note:?}");
}

// --- old commands ----------------------------------------------------------------------------------------------

/// A machine that has served one order, and the very bytes of its command.
fn served() -> (World, Vec<u8>) {
    let mut w = World::new();
    let put = w.put("60", "78");
    w.deliver(&put);
    w.board_ends(DISPENSED);
    assert_eq!(w.driven(), 1);
    (w, put.payload(&settings().mqtt_key))
}

#[test]
fn an_old_command_that_is_played_again_turns_no_motor_whatever_happened_since() {
    // (what happened since, what it is told)
    type Since = fn(&mut World);
    let table: [(Since, &str); 5] = [
        (|_| {}, "duplicate"),
        (|w| w.pass_s(3_600), "duplicate"),
        (World::restart, "duplicate"),
        (|w| w.reboot(T0_S + 9_000, true), "duplicate"),
        (|w| w.reboot(T0_S + 9_000, false), "duplicate"),
    ];
    for (row, (since, told)) in table.into_iter().enumerate() {
        for redelivered in [false, true] {
            let (mut w, old) = served();
            since(&mut w);
            let before = w.driven();
            w.deliver_raw(&old, redelivered);
            w.pass_s(7_200);
            assert_eq!(w.driven(), before, "row {row}");
            assert_eq!(w.received_states().last().unwrap(), told, "row {row}");
            assert_eq!(w.outcome_on_disk("60", "78"), ["dispensed"], "row {row}");
        }
    }
}

#[test]
fn an_old_command_turns_no_motor_of_a_machine_that_has_forgotten_it() {
    let old = |w: &World, age_s: u64| super::world::Put::new("60", "78", w.now_s() - age_s);
    // A new journal: the command is older than it.
    let mut w = World::new();
    let put = old(&w, 7_200);
    w.deliver(&put);
    w.pass_s(60);
    assert_eq!((w.driven(), w.outcome_on_disk("60", "78")), (0, vec!["unknown".to_owned()]));
    // A tombstone that had to go: whatever is as old as it is stale.
    let mut w = World::new();
    w.pass_s(3_600);
    w.core.ledger.evicted_issued_at_s = w.now_s() - 60;
    let put = old(&w, 60);
    w.deliver(&put);
    w.pass_s(60);
    assert_eq!((w.driven(), w.received_states()), (0, vec!["refused stale".to_owned()]));
    assert_eq!(w.on_disk("60", "78"), None);
    // Never seen, and older than any command may be driven.
    let mut w = World::new();
    w.pass_s(7_200);
    let put = old(&w, 1_201);
    w.deliver(&put);
    w.pass_s(60);
    assert_eq!((w.driven(), w.outcome_on_disk("60", "78")), (0, vec!["refused".to_owned()]));
}

#[test]
fn a_known_key_with_another_body_is_a_conflict_and_changes_nothing() {
    // The platform may send a command again under a new timestamp; anything else is another command.
    for (field, value, told) in [
        ("code", "9", "refused conflict"),
        ("quantity", "10", "refused conflict"),
        ("timestamp", "1714377000", "duplicate"),
    ] {
        let (mut w, _) = served();
        let other = super::world::Put::new("60", "78", T0_S).with(field, value);
        w.deliver(&other);
        w.pass_s(7_200);
        assert_eq!((w.driven(), w.received_states().last().unwrap().as_str()), (1, told), "{field}");
    }
}

#[test]
fn a_command_of_another_machine_or_from_the_future_or_with_another_key_does_nothing() {
    let mut w = World::new();
    let put = w.put("60", "78").with("client_id", "16327130");
    w.deliver(&put);
    let other_key = crate::cloud::sign::SigningKey::new("kvb").unwrap();
    let payload = w.put("61", "78").payload(&other_key);
    w.deliver_raw(&payload, false);
    let mut changed = w.put("62", "78").payload(&settings().mqtt_key);
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    w.deliver_raw(&changed, false);
    assert_eq!((w.core.status(w.now).counters.rejected, w.said.len()), (3, 0), "no word to whoever sent them");
    let put = super::world::Put::new("63", "78", w.now_s() + 301);
    w.deliver(&put);
    assert_eq!(w.received_states(), ["refused clock"]);
    w.pass_s(7_200);
    assert_eq!(w.driven(), 0);
}

#[test]
fn an_old_question_only_repeats_the_result_and_at_most_once_a_minute() {
    let (mut w, _) = served();
    w.pass_s(3_600);
    let get = super::world::Put::new("60", "78", T0_S).with("method", "device.delivery.get");
    let before = w.count_said("device.delivery.response");
    for _ in 0..100 {
        w.deliver(&get);
    }
    assert_eq!(w.count_said("device.delivery.response"), before + 1);
    assert_eq!(w.driven(), 1);
}
