//! One quick vend on every profile that has no test of its own: what the real binary says to a board on a pty.

use crate::common::command::put;
use crate::common::world::World;
use serde_json::json;

/// Profile, one of its slots, what a report says of one unit of it, and another longest vend time where a result is only sure at its end.
const FAMILIES: [(&str, u16, &str, &str, Option<u64>); 15] = [
    ("lock-8a", 5, "dispensed_unverified", "none", None),
    ("lock-cu", 5, "dispensed", "seen", None),
    ("m102", 5, "dispensed", "seen", None),
    ("m109e", 5, "dispensed", "seen", None),
    ("mp2404", 5, "dispensed", "seen", None),
    ("lift-c7", 5, "dispensed_unverified", "none", None),
    ("col-ed", 5, "dispensed", "seen", None),
    ("ff0055", 5, "dispensed", "seen", Some(2_600)),
    ("adh815-cascade", 5, "dispensed", "seen", None),
    ("lock-8a-open", 5, "dispensed_unverified", "none", None),
    ("tcn-csc-8c", 5, "dispensed", "seen", None),
    ("xy-v3-cart", 5, "dispensed", "seen", None),
    ("ubox-e7", 5, "dispensed", "seen", None),
    ("vendapin", 1, "dispensed", "seen", None),
    ("vmc96", 5, "dispensed", "seen", None),
];

#[test]
fn every_family_vends_from_the_broker_to_the_merchant() {
    for (profile, slot, outcome, drop_sensor, longest_vend_ms) in FAMILIES {
        let mut world = World::with(profile, |setup| setup.longest_vend_ms = longest_vend_ms);
        world.send(put("60", "78").code(&slot.to_string()).with("is_dc", "1"));
        let report = world.report("60", "78");
        assert_eq!(report["outcome"], outcome, "{profile}: {report}");
        let units = json!([{"unit": 1, "outcome": outcome, "motor": "ok", "drop_sensor": drop_sensor}]);
        assert_eq!(report["units"], units, "{profile}");
        world.one_truth("60", "78", outcome);
        assert_eq!(world.board.turned_slots(), [slot], "{profile}");
        assert_eq!(world.stop_agent().code(), Some(0), "{profile}");
    }
}

/// Trays of eight on a board that knows ten, labelled from 11 on, and a name that is not in the binary.
fn make_own(profile: &mut toml::Table) {
    profile["name"] = "corner-shop".into();
    profile["title"] = "The machine at the corner".into();
    profile["slots"] = toml::toml! {
        first = 0
        last = 57
        rows = 6
        columns = 8
        gaps = [3]
        code_base = 11
    }
    .into();
}

#[test]
fn a_machine_with_a_profile_of_its_own_turns_what_its_labels_say_and_refuses_what_it_has_not() {
    let mut world = World::with("uling-zdm8", |setup| setup.own_profile = Some(make_own));
    world.send(put("60", "1").code("026"));
    assert_eq!(world.report("60", "1")["outcome"], "dispensed");
    // The gap, a place beyond the tray, and the board's own number of the first slot.
    for (record, code) in [("2", "14"), ("3", "19"), ("4", "0")] {
        world.send(put("60", record).code(code));
        let report = world.report("60", record);
        assert_eq!((&report["outcome"], &report["reason"]), (&json!("refused"), &json!("slot")), "code {code}");
    }
    assert_eq!(world.board.turned_slots(), [15]);
    assert_eq!(world.stop_agent().code(), Some(0));
}
