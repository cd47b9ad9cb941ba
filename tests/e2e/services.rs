//! What a technician asks of the board through the real daemon, while orders come and go.

use crate::common::command::put;
use crate::common::world::World;
use serde_json::json;

/// Tenths of °C, and of % where there is such a sensor.
type Climate = (i32, Option<u32>);

/// What a board says to `ask`; nothing where it has no such question.
struct Family {
    profile: &'static str,
    climate: Option<Climate>,
    door: Option<bool>,
    is_self_checked: bool,
    /// That is there and in order.
    slot: Option<&'static str>,
}

const fn family(
    profile: &'static str,
    climate: Option<Climate>,
    door: Option<bool>,
    is_self_checked: bool,
    slot: Option<&'static str>,
) -> Family {
    Family { profile, climate, door, is_self_checked, slot }
}

const FAMILIES: [Family; 14] = [
    family("uling-zdm8", Some((210, Some(550))), Some(false), true, None),
    family("adh814", Some((240, None)), None, false, None),
    family("adh815", Some((250, None)), None, false, None),
    family("xy-v3", Some((40, Some(600))), Some(false), true, Some("5")),
    family("tcn-00ff", Some((50, None)), Some(false), true, Some("5")),
    family("m102", Some((240, Some(550))), None, false, Some("5")),
    family("lock-8a", None, None, false, Some("5")),
    family("lock-cu", None, None, false, Some("5")),
    family("lift-c7", None, None, true, None),
    family("col-ed", None, None, false, Some("5")),
    family("ff0055", None, None, false, None),
    family("ubox-e7", Some((50, None)), None, true, Some("5")),
    family("vendapin", None, None, true, Some("1")),
    family("vmc96", None, None, true, None),
];

#[test]
fn the_board_of_every_family_is_asked_while_no_order_runs() {
    for Family { profile, climate, door, is_self_checked, slot } in FAMILIES {
        let world = World::start(profile);
        world.wait_until_line_is("idle");
        let answers = [
            (
                vec!["climate"],
                climate.map(|(t, h)| json!({"reading": "climate", "temperature_deci_c": t, "humidity_permille": h})),
            ),
            (vec!["door"], door.map(|open| json!({"reading": "door", "open": open}))),
            (vec!["self-check"], is_self_checked.then(|| json!({"reading": "healthy"}))),
            (vec!["slot", slot.unwrap_or("5")], slot.map(|_| json!({"reading": "slot_ready"}))),
        ];
        for (question, reading) in answers {
            let asked = world.board(&[&["ask"], &question[..], &["--json"]].concat());
            let Some(mut wanted) = reading else {
                assert_eq!((asked.code, asked.out.as_str()), (Some(6), ""), "{profile} {question:?}");
                assert!(asked.err.contains("no such question"), "{profile} {question:?}: {}", asked.err);
                continue;
            };
            wanted["schema_version"] = json!(1);
            assert_eq!((asked.code, asked.err.as_str()), (Some(0), ""), "{profile} {question:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&asked.out).unwrap(), wanted, "{profile}");
            world.wait_until_line_is("idle");
        }
        assert_eq!(world.board.turned_slots(), [] as [u16; 0], "{profile}");
        let total = &world.status()["line_quality"]["total"];
        assert!(total["bytes_in"].as_u64() > Some(0) && total["frames_out"].as_u64() > Some(0), "{profile}: {total}");
    }
}

#[test]
fn a_service_is_refused_while_an_order_runs_and_the_order_is_served() {
    let mut world = World::with("uling-zdm8", |s| s.turn_ms = 3_000);
    world.send(put("60", "78").code("5"));
    world.board.wait_for_turns(1);
    for command in [["ask", "door"], ["hold", "off"]] {
        let asked = world.board(&command);
        let wanted = if command[0] == "hold" { (Some(6), "no such question") } else { (Some(5), "order") };
        assert_eq!(asked.code, wanted.0, "{command:?}: {}", asked.err);
        assert!(asked.err.contains(wanted.1), "{}", asked.err);
    }
    world.one_truth("60", "78", "dispensed");
    world.wait_until_line_is("idle");
    assert_eq!(world.board(&["ask", "door"]).code, Some(0));
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [5, 9]);
    assert_eq!(world.stop_agent().code(), Some(0));
}

#[test]
fn the_agents_own_user_may_switch_and_hold_and_reset() {
    let world = World::start("tcn-00ff");
    for command in [["switch", "light", "on"].as_slice(), &["hold", "cool", "-4"], &["hold", "off"]] {
        world.wait_until_line_is("idle");
        let asked = world.board(command);
        assert_eq!((asked.code, asked.out.as_str()), (Some(0), "board\tdone\n"), "{command:?}: {}", asked.err);
    }
    let asked = world.board(&["reset"]);
    assert_eq!(asked.code, Some(6));
    assert!(asked.err.contains("no query of the last outcome"), "what the profile lacks: {}", asked.err);
    for (profile, commands) in [
        ("lift-c7", [["switch", "light", "on"].as_slice(), &["reset"]]),
        ("vmc96", [&["switch", "light", "on"], &["switch", "heater", "off"]]),
    ] {
        let mut world = World::start(profile);
        for command in commands {
            world.wait_until_line_is("idle");
            let asked = world.board(command);
            let found = (asked.code, asked.out.as_str());
            assert_eq!(found, (Some(0), "board\tdone\n"), "{profile} {command:?}: {}", asked.err);
        }
        assert_eq!(world.board.turned_slots(), [] as [u16; 0], "{profile}");
        assert_eq!(world.stop_agent().code(), Some(0), "{profile}");
    }
}

#[test]
fn a_cable_that_spoils_a_frame_shows_in_the_status() {
    let world = World::with("adh815", |s| s.faults = vec!["garble@1"]);
    world.wait_until_line_is("idle");
    let before = world.status()["line_quality"]["total"]["bad_checks"].clone();
    world.send(put("60", "78").code("5"));
    world.one_truth("60", "78", "dispensed");
    let quality = world.status()["line_quality"].clone();
    assert_eq!((before, &quality["total"]["bad_checks"]), (json!(0), &json!(1)), "{quality}");
    let hour = quality["hours"].as_array().unwrap().iter().find(|h| h["counts"]["bad_checks"] == 1);
    assert!(hour.is_some(), "{quality}");
    assert!(quality["total"]["round_trips"].as_u64() > Some(2), "{quality}");
    assert_eq!(world.board.turned_slots(), [5]);
}
