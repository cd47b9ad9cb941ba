//! What is said once: after the motor frame, before the result of the same order, and never more of it kept than fits.

use super::world::{DISPENSED, World};
use crate::board::driver::{LineState, Written};
use crate::core::event::Event;
use crate::order::said::Said;

const RECEIVED: &str = "say device.delivery.received";
const RESULT: &str = "say device.delivery.response";

/// Order 1 just before its commit is durable, with whatever else is delivered into the same commit.
fn before_the_motor_frame(others: impl FnOnce(&mut World)) -> World {
    let mut w = World::new();
    w.script.lock().unwrap().writes = true;
    w.disk_is_quick = false;
    // A commit under way makes what comes now share the next one.
    w.deliver(&w.put("0", "1").with("quantity", "11"));
    w.deliver(&w.put("1", "1"));
    others(&mut w);
    w.commit();
    w.story.clear();
    w.said.clear();
    w
}

#[test]
fn received_is_worded_only_in_the_step_after_the_motor_frame() {
    for line_answers in [true, false] {
        let mut w = before_the_motor_frame(|_| {});
        w.commit();
        assert_eq!(w.story, ["write", "ack", "drive"], "the frame's step words nothing");
        match line_answers {
            true => w.step(Event::MotorWritten(Written::All)),
            false => {
                assert!(w.core.deadline().is_some_and(|at| at <= w.now.boot), "it is due though the line is silent");
                w.pass_ms(0);
            }
        }
        assert_eq!(w.story, ["write", "ack", "drive", RECEIVED]);
        assert_eq!(w.received_states(), ["accepted"]);
        assert!(w.core.deadline().is_none_or(|at| at > w.now.boot), "and it is said once");
    }
}

#[test]
fn what_a_motor_frame_held_back_is_said_before_the_result_of_the_same_order() {
    let mut w = before_the_motor_frame(|w| {
        w.deliver(&w.put("2", "1").with("quantity", "11"));
    });
    w.commit();
    assert_eq!(w.story, ["write", "ack", "ack", "drive"], "a refusal and its result share the frame's commit");
    w.step(Event::MotorWritten(Written::All));
    assert_eq!(w.story[4..], [RECEIVED, RECEIVED, RESULT]);
    assert_eq!(w.received_states(), ["accepted", "refused invalid"], "in the order in which they came");

    // A board that ends before the line has answered for the frame.
    let mut w = before_the_motor_frame(|_| {});
    w.commit();
    w.disk_is_quick = true;
    w.board_ends(DISPENSED);
    assert!(w.at(RECEIVED) < w.at(RESULT), "{:?}", w.story);
}

#[test]
fn what_a_motor_frame_held_back_wakes_nobody_while_it_cannot_be_said_and_is_said_on_the_next_connection() {
    let mut w = before_the_motor_frame(|_| {});
    w.commit();
    w.step(Event::Disconnected { why: Said::word("gone") });
    assert!(w.core.deadline().is_none_or(|at| at > w.now.boot), "nobody could hear it");
    w.disk_is_quick = true;
    w.board_ends(DISPENSED);
    assert!(w.said.is_empty(), "{:?}", w.story);
    w.pass_s(10);
    w.connect(true);
    assert_eq!((w.count_said("device.delivery.received"), w.count_said("device.delivery.response")), (1, 1));
    assert!(w.at(RECEIVED) < w.at(RESULT), "{:?}", w.story);
    assert_eq!(w.said[0]["timestamp"], w.now_s().to_string(), "the time is that of saying it");

    // The same while the broker takes nothing more.
    let mut w = before_the_motor_frame(|_| {});
    w.broker_is_quick = false;
    for number in 100..164 {
        w.deliver(&w.put(&number.to_string(), "1").with("method", "device.delivery.get"));
    }
    w.said.clear();
    w.commit();
    assert!(w.said.is_empty() && w.core.deadline().is_none_or(|at| at > w.now.boot), "the window is full");
    let token = *w.published.last().unwrap();
    w.step(Event::Published(token));
    assert_eq!(w.received_states(), ["accepted"]);
}

#[test]
fn of_more_sayings_than_are_kept_the_window_leaves_and_the_newest_wait() {
    let mut w = World::new();
    w.line_is(LineState::Busy);
    for number in 0..400 {
        w.deliver(&w.put(&number.to_string(), "1"));
    }
    w.pass_s(1);
    w.said.clear();
    (w.disk_is_quick, w.broker_is_quick) = (false, false);
    w.restart();
    w.line_is(LineState::Busy);
    w.commit();
    let orders = |w: &World| w.said.iter().map(|said| said["order_id"].clone()).collect::<Vec<_>>();
    assert_eq!(orders(&w).len(), 64, "what the broker may have at once");
    w.broker_is_quick = true;
    let token = *w.published.last().unwrap();
    w.step(Event::Published(token));
    let all = orders(&w);
    assert_eq!(all.len(), 64 + 256, "and what waits for it");
    let mut by_key: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    by_key.sort();
    assert_eq!(all[..64], by_key[..64]);
    assert_eq!(all[64..], by_key[400 - 256..], "the newest");
}
