//! One quick vend on every profile that has no test of its own: what the real binary says to a board on a pty.

use crate::common::command::put;
use crate::common::world::World;
use serde_json::json;

/// Profile, and what a report says of one unit of it.
const FAMILIES: [(&str, &str, &str); 6] = [
    ("lock-8a", "dispensed_unverified", "none"),
    ("lock-cu", "dispensed", "seen"),
    ("m102", "dispensed", "seen"),
    ("m109e", "dispensed", "seen"),
    ("mp2404", "dispensed", "seen"),
    ("ubox-e7", "dispensed", "seen"),
];

#[test]
fn every_family_vends_from_the_broker_to_the_merchant() {
    for (profile, outcome, drop_sensor) in FAMILIES {
        let mut world = World::start(profile);
        world.send(put("60", "78").code("5").with("is_dc", "1"));
        let report = world.report("60", "78");
        assert_eq!(report["outcome"], outcome, "{profile}: {report}");
        let units = json!([{"unit": 1, "outcome": outcome, "motor": "ok", "drop_sensor": drop_sensor}]);
        assert_eq!(report["units"], units, "{profile}");
        world.one_truth("60", "78", outcome);
        assert_eq!(world.board.turned_slots(), [5], "{profile}");
        assert_eq!(world.stop_agent().code(), Some(0), "{profile}");
    }
}
