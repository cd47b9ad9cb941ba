//! One quick vend on every profile that has no test of its own: what the real binary says to a board on a pty.

use crate::common::command::put;
use crate::common::world::World;
use serde_json::json;

/// Profile, one of its slots, and what a report says of one unit of it.
const FAMILIES: [(&str, u16, &str, &str); 7] = [
    ("lock-8a", 5, "dispensed_unverified", "none"),
    ("lock-cu", 5, "dispensed", "seen"),
    ("m102", 5, "dispensed", "seen"),
    ("m109e", 5, "dispensed", "seen"),
    ("mp2404", 5, "dispensed", "seen"),
    ("vendapin", 1, "dispensed", "seen"),
    ("vmc96", 5, "dispensed", "seen"),
];

#[test]
fn every_family_vends_from_the_broker_to_the_merchant() {
    for (profile, slot, outcome, drop_sensor) in FAMILIES {
        let mut world = World::start(profile);
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
