//! The agent is killed, the board loses its power, the cable is pulled: one turn, and the truth that can be known.

use crate::common::command::put;
use crate::common::http_server::Answer;
use crate::common::world::World;
use std::collections::BTreeSet;
use std::time::Duration;

/// Killed while the motor turns and back before it stops.
fn killed_in_mid_vend(profile: &'static str, outcome: &str) {
    let mut world = World::with(profile, |s| (s.turn_ms, s.longest_vend_ms) = (2_500, Some(6_000)));
    world.send(put("60", "78"));
    world.board.wait_for_turns(1);
    world.kill9();
    world.start_agent();
    world.one_truth("60", "78", outcome);
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [5, 9]);
    world.one_truth("60", "78", outcome);
}

#[test]
fn adh814_keeps_the_outcome_of_a_killed_agents_vend() {
    killed_in_mid_vend("adh814", "dispensed");
}

#[test]
fn adh815_keeps_the_outcome_of_a_killed_agents_vend() {
    killed_in_mid_vend("adh815", "dispensed");
}

#[test]
fn uling_zdm8_keeps_the_outcome_of_a_killed_agents_vend() {
    killed_in_mid_vend("uling-zdm8", "dispensed");
}

#[test]
fn xy_v3_tells_the_outcome_to_an_agent_that_is_back_in_time() {
    killed_in_mid_vend("xy-v3", "dispensed");
}

#[test]
fn tcn_00ff_leaves_a_killed_agent_with_unknown() {
    killed_in_mid_vend("tcn-00ff", "unknown");
}

/// Killed while the motor turns, and back only after it has stopped.
fn killed_until_the_motor_stopped(profile: &'static str, outcome: &str) {
    let mut world = World::with(profile, |s| (s.turn_ms, s.longest_vend_ms) = (1_000, Some(6_000)));
    world.send(put("60", "78"));
    world.board.wait_for_turns(1);
    world.kill9();
    world.board.wait_for_rest();
    world.start_agent();
    world.one_truth("60", "78", outcome);
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [5, 9]);
}

#[test]
fn boards_that_hold_a_result_give_it_to_an_agent_that_comes_late() {
    for profile in ["adh814", "adh815", "uling-zdm8"] {
        killed_until_the_motor_stopped(profile, "dispensed");
    }
}

#[test]
fn boards_that_hold_nothing_leave_an_agent_that_comes_late_with_unknown() {
    killed_until_the_motor_stopped("tcn-00ff", "unknown");
}

#[test]
fn a_report_that_was_cut_by_a_kill_is_sent_again_word_for_word() {
    let mut world = World::start("tcn-00ff");
    world.receiver.will([Answer::After(Duration::from_secs(3_600), Box::new(Answer::status(204)))]);
    world.send(put("60", "78"));
    world.receiver.wait_for_tries("60", "78", 1);
    world.kill9();
    world.start_agent();
    world.receiver.wait_for_tries("60", "78", 2);
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.board.turned_slots(), [5]);
}

/// A kill with a queue of orders: every one of them is driven once and told once.
fn killed_with_a_queue(profile: &'static str, unknown_max: usize) {
    let mut world = World::with(profile, |s| (s.turn_ms, s.longest_vend_ms) = (150, Some(3_000)));
    let slots: Vec<String> = (11..=30).map(|slot: u16| slot.to_string()).collect();
    for slot in &slots {
        world.send(put("60", slot).code(slot));
    }
    world.board.wait_for_turns(4);
    world.kill9();
    world.start_agent();
    let mut unknown = 0;
    for slot in &slots {
        let outcome = world.report("60", slot)["outcome"].clone();
        assert!(outcome == "dispensed" || outcome == "unknown", "slot {slot}: {outcome}");
        unknown += usize::from(outcome == "unknown");
        let turned = world.board.turned_slots().iter().filter(|s| s.to_string() == *slot).count();
        assert!(turned == 1 || outcome == "unknown", "slot {slot} turned {turned} times: {outcome}");
    }
    assert!(unknown <= unknown_max, "{unknown} of one cut vend are unknown");
    let turned = world.board.turned_slots();
    assert_eq!(turned.iter().collect::<BTreeSet<_>>().len(), turned.len(), "turned twice: {turned:?}");
}

#[test]
fn a_queue_of_twenty_orders_outlives_a_kill_on_adh814() {
    killed_with_a_queue("adh814", 0);
}

#[test]
fn a_queue_of_twenty_orders_outlives_a_kill_on_tcn_00ff() {
    killed_with_a_queue("tcn-00ff", 1);
}

#[test]
fn a_board_that_lost_its_power_in_mid_vend_leaves_unknown_and_is_not_driven_again() {
    for profile in ["uling-zdm8", "xy-v3", "adh814", "adh815", "tcn-00ff"] {
        let world = World::with(profile, |s| (s.turn_ms, s.longest_vend_ms) = (1_500, Some(3_000)));
        world.send(put("60", "78"));
        world.board.wait_for_turns(1);
        world.board.lose_power();
        world.one_truth("60", "78", "unknown");
        world.a_good_order_is_served("61");
        assert_eq!(world.board.turned_slots(), [5, 9], "{profile}");
        world.one_truth("60", "78", "unknown");
    }
}

#[test]
fn a_cable_pulled_in_mid_vend_costs_no_outcome_where_the_board_holds_it() {
    for profile in ["uling-zdm8", "adh814", "adh815"] {
        let mut world = World::with(profile, |s| s.turn_ms = 1_000);
        world.send(put("60", "78"));
        world.board.wait_for_turns(1);
        world.board.unplug();
        world.board.plug_in();
        world.one_truth("60", "78", "dispensed");
        assert_eq!(world.board.turned_slots(), [5], "{profile}");
    }
}

#[test]
fn a_cable_pulled_until_the_motor_stopped_leaves_unknown_where_the_board_holds_nothing() {
    let mut world = World::with("tcn-00ff", |s| (s.turn_ms, s.longest_vend_ms) = (500, Some(3_000)));
    world.send(put("60", "78"));
    world.board.wait_for_turns(1);
    world.board.unplug();
    world.board.wait_for_rest();
    world.board.plug_in();
    world.one_truth("60", "78", "unknown");
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [5, 9]);
}

#[test]
fn an_order_waits_for_a_board_that_is_unplugged_and_is_driven_when_it_is_back() {
    for profile in ["uling-zdm8", "xy-v3", "adh814", "tcn-00ff"] {
        let mut world = World::start(profile);
        world.a_good_order_is_served("59");
        world.board.unplug();
        world.send(put("60", "78"));
        world.received("60", "accepted");
        world.board.plug_in();
        world.one_truth("60", "78", "dispensed");
        assert_eq!(world.board.turned_slots(), [9, 5], "{profile}");
    }
}

#[test]
fn sigterm_in_mid_vend_lets_the_motor_finish_and_keeps_its_outcome() {
    for profile in ["tcn-00ff", "xy-v3"] {
        let mut world = World::with(profile, |s| s.turn_ms = 1_000);
        world.send(put("60", "78"));
        world.board.wait_for_turns(1);
        assert_eq!(world.stop_agent().code(), Some(0));
        world.send(put("61", "1").code("9"));
        world.start_agent();
        world.one_truth("60", "78", "dispensed");
        world.one_truth("61", "1", "dispensed");
        assert_eq!(world.board.turned_slots(), [5, 9], "{profile}");
    }
}
