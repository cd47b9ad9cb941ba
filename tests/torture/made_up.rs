//! The verdict can fail: records that were never written, each with one thing wrong.

use crate::verdict::{Broken, Merchant, OrderSeen, Seen, Told, Turned, judge};

const TURN_MS: u64 = 200;

fn told(at_ms: u64, sequence: u64, units: &[&str]) -> Told {
    let (outcome, deliver_status, floor_status) = match units {
        ["dispensed", "unknown"] => ("partial", "0", Some("47")),
        ["unknown", ..] => ("unknown", "0", Some("47")),
        ["refused", ..] => ("refused", "0", None),
        _ => ("dispensed", "1", Some("1")),
    };
    Told {
        at_ms,
        sequence,
        outcome: outcome.to_owned(),
        units: units.iter().map(|unit| (*unit).to_owned()).collect(),
        deliver_status: deliver_status.to_owned(),
        floor_status: floor_status.map(str::to_owned),
        taken: true,
        body: format!("{sequence} {units:?}").into_bytes(),
    }
}

/// An order that went as it should.
fn order(order_id: &str, sent_at_ms: u64) -> OrderSeen {
    let report = told(sent_at_ms + 400, 1, &["dispensed"]);
    OrderSeen {
        order_id: order_id.to_owned(),
        quantity: 1,
        merchant: Merchant::Listens,
        sent_at_ms,
        accepted: true,
        turns: vec![Turned { at_ms: sent_at_ms + 100, dropped: true }],
        http: vec![report.clone()],
        mqtt: vec![report],
        journal: Some(("settled".to_owned(), vec!["settled".to_owned()])),
    }
}

/// A life with one order that `change` spoils.
fn life(profile: &'static str, change: impl FnOnce(&mut OrderSeen)) -> Seen {
    let mut order = order("60", 1_000);
    change(&mut order);
    Seen {
        profile,
        turn_ms: TURN_MS,
        listening_ms: 500,
        orders: vec![order],
        stray_turns: Vec::new(),
        kills_ms: Vec::new(),
        only_kills: true,
    }
}

fn broken(change: impl FnOnce(&mut OrderSeen)) -> Vec<Broken> {
    judge(&life("adh814", change)).1
}

fn say(order: &mut OrderSeen, units: &[&str]) {
    (order.http, order.mqtt) = (vec![told(1_400, 1, units)], vec![told(1_400, 1, units)]);
}

#[test]
fn a_life_in_which_all_went_well_has_nothing_broken() {
    let (tally, broken) = judge(&life("adh814", |_| {}));
    assert_eq!(broken, []);
    assert_eq!((tally.orders, tally.units, tally.turns, tally.cut), (1, 1, 1, 0));
}

#[test]
fn a_second_turn_is_noticed() {
    let found = broken(|o| o.turns.push(Turned { at_ms: 1_500, dropped: true }));
    assert!(matches!(found[..], [Broken::TurnedTooOften { turns: 2, quantity: 1, .. }]), "{found:?}");
}

#[test]
fn a_turn_that_nobody_asked_for_is_noticed() {
    let mut life = life("adh814", |_| {});
    life.stray_turns.push(Turned { at_ms: 5, dropped: false });
    assert!(matches!(judge(&life).1[..], [Broken::Stray(_)]));
}

#[test]
fn a_turn_of_an_order_that_is_called_refused_is_noticed() {
    let found = broken(|o| say(o, &["refused"]));
    assert!(matches!(found[..], [Broken::Untrue { .. }]), "{found:?}");
}

#[test]
fn dispensed_without_a_turn_or_without_goods_is_noticed() {
    for turns in [vec![], vec![Turned { at_ms: 1_100, dropped: false }]] {
        let found = broken(|o| o.turns = turns);
        assert!(matches!(found[..], [Broken::Untrue { .. }]), "{found:?}");
    }
}

#[test]
fn a_unit_that_was_driven_after_one_that_is_not_dispensed_is_noticed() {
    let found = broken(|o| {
        o.quantity = 2;
        o.turns.push(Turned { at_ms: 1_350, dropped: true });
        say(o, &["unknown", "refused"]);
    });
    assert!(found.iter().any(|b| matches!(b, Broken::Untrue { .. })), "{found:?}");
}

#[test]
fn a_report_that_never_came_is_noticed_on_each_way() {
    let found = broken(|o| (o.http, o.mqtt) = (Vec::new(), Vec::new()));
    assert!(matches!(found[..], [Broken::Lost { channel: "any channel", .. }]), "{found:?}");
    let found = broken(|o| o.mqtt.clear());
    assert!(matches!(found[..], [Broken::Lost { channel: "MQTT", .. }]), "{found:?}");
    let found = broken(|o| o.http[0].taken = false);
    assert!(matches!(found[..], [Broken::Lost { channel: "HTTP", .. }]), "{found:?}");
}

#[test]
fn a_correction_that_reached_only_one_receiver_is_noticed() {
    let found = broken(|o| {
        say(o, &["unknown"]);
        o.mqtt.push(told(1_900, 2, &["dispensed"]));
    });
    assert!(found.iter().any(|b| matches!(b, Broken::Lost { channel: "HTTP", .. })), "{found:?}");
}

#[test]
fn a_body_that_changed_is_noticed() {
    let found = broken(|o| {
        let mut again = o.http[0].clone();
        again.body.push(b' ');
        o.http.push(again);
    });
    assert!(matches!(found[..], [Broken::BodyChanged { channel: "HTTP", sequence: 1, .. }]), "{found:?}");
}

#[test]
fn a_sequence_that_falls_is_noticed() {
    let found = broken(|o| {
        say(o, &["unknown"]);
        o.http.insert(0, told(1_300, 2, &["dispensed"]));
        o.mqtt.push(told(1_900, 2, &["dispensed"]));
    });
    assert!(found.iter().any(|b| matches!(b, Broken::SequenceFell { sequence: 1, .. })), "{found:?}");
}

#[test]
fn two_receivers_that_hear_two_truths_are_noticed() {
    let found = broken(|o| o.mqtt = vec![told(1_400, 1, &["refused"])]);
    assert!(found.iter().any(|b| matches!(b, Broken::TwoTruths { sequence: 1, .. })), "{found:?}");
}

#[test]
fn a_sum_that_does_not_follow_from_the_units_is_noticed() {
    type Spoil = fn(&mut Told);
    let spoils: [Spoil; 4] = [
        |t| t.outcome = "partial".to_owned(),
        |t| t.deliver_status = "0".to_owned(),
        |t| t.floor_status = Some("2".to_owned()),
        |t| t.units.push("dispensed".to_owned()),
    ];
    for spoil in spoils {
        let found = broken(|o| {
            spoil(&mut o.http[0]);
            o.mqtt = o.http.clone();
        });
        assert!(found.iter().any(|b| matches!(b, Broken::WrongSum { .. })), "{found:?}");
    }
}

#[test]
fn a_report_after_a_known_outcome_is_noticed() {
    let found = broken(|o| {
        o.http.push(told(1_900, 2, &["dispensed"]));
        o.mqtt.push(told(1_900, 2, &["dispensed"]));
    });
    assert!(matches!(found[..], [Broken::CorrectedTwice { .. }]), "{found:?}");
}

#[test]
fn an_unknown_that_no_kill_explains_is_noticed() {
    let mut life = life("tcn-00ff", |o| say(o, &["unknown"]));
    for (kill_ms, explains) in [(1_099, false), (1_100, true), (1_800, true), (1_801, false)] {
        life.kills_ms = vec![kill_ms];
        let found = judge(&life).1;
        assert_eq!(found.is_empty(), explains, "a kill at {kill_ms}: {found:?}");
    }
}

#[test]
fn an_unknown_without_a_turn_needs_a_kill_before_it_was_told() {
    let mut life = life("tcn-00ff", |o| {
        o.turns.clear();
        say(o, &["unknown"]);
    });
    for (kill_ms, explains) in [(999, false), (1_000, true), (1_400, true), (1_401, false)] {
        life.kills_ms = vec![kill_ms];
        assert_eq!(judge(&life).1.is_empty(), explains, "a kill at {kill_ms}");
    }
    assert_eq!(judge(&life).0.unknown_unturned, 1);
}

#[test]
fn an_unknown_beyond_the_limit_of_its_family_is_noticed() {
    for (profile, unknown, is_too_many) in
        [("adh814", 1, true), ("xy-v3", 2, false), ("xy-v3", 3, true), ("uling-zdm8", 3, true), ("tcn-00ff", 90, false)]
    {
        let mut life = life(profile, |_| {});
        life.orders = (0..100).map(|n| order(&n.to_string(), n * 1_000)).collect();
        life.kills_ms = life.orders.iter().map(|o| o.sent_at_ms + 150).collect();
        life.orders.iter_mut().take(unknown).for_each(|o| say(o, &["unknown"]));
        let found = judge(&life).1;
        assert_eq!(matches!(found[..], [Broken::TooManyUnknown { .. }]), is_too_many, "{profile}: {found:?}");
    }
}

#[test]
fn what_stands_open_in_the_journal_or_not_at_all_is_noticed() {
    let settled = || vec!["settled".to_owned()];
    for journal in
        [None, Some(("reported".to_owned(), settled())), Some(("settled".to_owned(), vec!["dead".to_owned()]))]
    {
        let found = broken(|o| o.journal = journal);
        assert!(matches!(found[..], [Broken::Journal { .. }]), "{found:?}");
    }
}

#[test]
fn a_forbidden_url_that_was_called_is_noticed() {
    let spoil = |o: &mut OrderSeen| {
        o.merchant = Merchant::Forbidden;
        o.journal = Some(("settled".to_owned(), vec!["dead".to_owned()]));
    };
    assert!(matches!(broken(spoil)[..], [Broken::Lost { channel: "HTTP", .. }]));
    let mut life = life("adh814", spoil);
    life.orders[0].http.clear();
    assert_eq!(judge(&life).1, []);
}
