//! One quick vend on every profile that has no test of its own: what the real binary says to a board on a pty.

use crate::common::command::put;
use crate::common::world::World;
use serde_json::json;

/// Profile, what a report says of one unit of it, and another longest vend time where a result is only sure at its end.
const FAMILIES: [(&str, &str, &str, Option<u64>); 8] = [
    ("lock-8a", "dispensed_unverified", "none", None),
    ("lock-cu", "dispensed", "seen", None),
    ("m102", "dispensed", "seen", None),
    ("m109e", "dispensed", "seen", None),
    ("mp2404", "dispensed", "seen", None),
    ("lift-c7", "dispensed_unverified", "none", None),
    ("col-ed", "dispensed", "seen", None),
    ("ff0055", "dispensed", "seen", Some(2_600)),
];

#[test]
fn every_family_vends_from_the_broker_to_the_merchant() {
    for (profile, outcome, drop_sensor, longest_vend_ms) in FAMILIES {
        let mut world = World::with(profile, |setup| setup.longest_vend_ms = longest_vend_ms);
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
