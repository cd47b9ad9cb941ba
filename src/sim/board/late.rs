//! What comes late: to an agent that has lived again meanwhile, and to one that cannot see its motor.

use super::desk::{Cable, Desk, PROFILES, ends_a_vend, fitted, offered};
use super::pair::faults;
use crate::board::driver::{Finding, LineState};
use crate::board::protocol::sealed;
use crate::board::talk::WATCH_MS;
use crate::board::uling_modbus::{READ, SUCCESS};
use crate::board::vmc96::{DONE, HISTORY_MS, MOTORS, RUN, STATUS, frame, motor};
use crate::order::outcome::Motor;

/// How late an answer comes to a life that did not ask for it, in parts of the reply time: at the profile's word, it has
/// come by its end.
const PARTS: [(u64, u64); 5] = [(1, 20), (1, 4), (1, 2), (3, 4), (99, 100)];
/// A board that is watched is asked within this time, whatever its family.
const WATCHED_WITHIN_MS: u64 = 200_000;

/// Somebody is owed an answer and dies. The next life drives as soon as its driver calls the line idle, and hears the
/// answer; the vend ends as it does without.
fn assert_a_former_lifes_answer_changes_nothing(name: &str, asks: impl Fn(&mut Desk), story: &str) -> bool {
    let mut is_owed = false;
    for fault in ["", "no-drop@1", "silence@1", "refuse@1"] {
        let mut undisturbed = Desk::with(name, faults(fault));
        undisturbed.drive();
        undisturbed.until(|d| d.driver.state() == LineState::Idle);
        for ((part, of), in_front) in PARTS.into_iter().flat_map(|late| [(late, false), (late, true)]) {
            let story = format!("{name} {fault} {story}, {part}/{of} of the reply time later, in front: {in_front}");
            let mut desk = Desk::with(name, faults(fault));
            desk.cable = Cable::Slow;
            asks(&mut desk);
            let answers = std::mem::take(&mut desk.held_back);
            is_owed |= !answers.is_empty();
            desk.cable = Cable::Whole;
            desk.restart_agent();
            let comes_at = desk.now.plus_ms(desk.profile.timing.reply_ms * part / of);
            let mut by = desk.now.plus_ms(desk.profile.timing.reply_ms);
            desk.run(comes_at.since_ms(desk.now), |d| d.driver.state() == LineState::Idle);
            let is_driven = desk.driver.state() == LineState::Idle;
            if is_driven {
                desk.drive();
                desk.run(comes_at.since_ms(desk.now), |_| false);
                // What is asked next is about the turn: a driver that drove this early must know the two apart.
                by = comes_at.plus_ms(desk.profile.timing.poll_ms + desk.profile.timing.reply_ms);
            }
            if in_front {
                desk.hear_in_front(answers, by);
            } else {
                desk.hear_late(answers);
            }
            desk.until(|d| d.driver.state() == LineState::Idle);
            if !is_driven {
                assert_eq!(desk.ends(), (vec![], 0), "{story}");
                desk.drive();
                desk.until(|d| d.driver.state() == LineState::Idle);
            }
            assert_eq!(desk.ends(), undisturbed.ends(), "{story}");
        }
    }
    is_owed
}

#[test]
fn an_answer_to_a_service_of_a_former_life_is_no_vends_of_the_next() {
    for name in PROFILES {
        for service in offered(name) {
            let asks = |desk: &mut Desk| {
                desk.driver.serve(desk.now, &service);
                desk.run(300, |d| !d.held_back.is_empty());
            };
            assert_a_former_lifes_answer_changes_nothing(name, asks, &format!("{service:?}"));
        }
    }
}

#[test]
fn what_a_former_life_was_told_of_a_board_at_rest_is_not_taken_for_the_end_of_a_turn() {
    let owed = PROFILES.into_iter().filter(|name| {
        // Each part of the picture in turn: no family has more than three.
        [0, 1, 2].map(|third| third * WATCH_MS / 3).into_iter().all(|before_ms| {
            let asks = |desk: &mut Desk| {
                desk.cable = Cable::Whole;
                desk.run(before_ms, |_| false);
                desk.cable = Cable::Slow;
                desk.run(WATCHED_WITHIN_MS, |d| !d.held_back.is_empty());
            };
            assert_a_former_lifes_answer_changes_nothing(name, asks, &format!("watched, {before_ms} ms on"))
        })
    });
    assert!(owed.count() >= 11, "only xy-v3 and tcn-00ff are asked nothing at rest");
}

/// A uling reply names no register: the late state of a second box would read like a turn that succeeded.
#[test]
fn uling_a_late_box_of_a_former_life_is_no_finished_turn() {
    let reply_ms = fitted("uling-zdm8").timing.reply_ms;
    for late_ms in [0, 10, reply_ms / 2, reply_ms - 1] {
        let mut desk = Desk::idle("uling-zdm8");
        desk.restart_agent();
        desk.run(late_ms, |_| false);
        desk.driver.received(desk.now, desk.now, &sealed(vec![1, READ, 2, SUCCESS, 1]));
        desk.assert_can_vend(&format!("a second box, {late_ms} ms late"));
    }
}

/// A ff0055 answer names no slot: what became of another one, told when nobody waits for it any more, is not this one's.
#[test]
fn ff0055_a_late_answer_about_another_slot_is_not_this_ones() {
    let mut desk = Desk::with("ff0055", faults("no-drop:6"));
    let timing = desk.profile.timing;
    desk.drive_slot(5);
    desk.until(|d| d.driver.state() == LineState::Idle);
    let sold = desk.ends();
    desk.found.clear();
    desk.drive_slot(6);
    desk.until(|d| d.board.turns().len() == 2);
    desk.run(timing.longest_vend_ms - timing.poll_ms, |_| false);
    desk.cable = Cable::Slow;
    desk.until(|d| !d.held_back.is_empty());
    desk.cable = Cable::Whole;
    desk.until(|d| d.found.iter().any(ends_a_vend));
    assert!(matches!(desk.ends().0[..], [Finding::Unproven(_)]), "{:?}", desk.found);
    desk.found.clear();
    // It was asked a reply time ago, and is late by as much again.
    let (answers, by) = (std::mem::take(&mut desk.held_back), desk.now.plus_ms(timing.reply_ms - 1));
    if desk.run(timing.reply_ms - 1, |d| d.driver.state() == LineState::Idle) {
        desk.drive_slot(5);
        // The command is answered; what comes next is asked about this slot.
        desk.run(100, |_| false);
        desk.hear_in_front(answers, by);
    } else {
        desk.hear_late(answers);
        desk.until(|d| d.driver.state() == LineState::Idle);
        desk.drive_slot(5);
    }
    desk.until(|d| d.driver.state() == LineState::Idle);
    assert_eq!(desk.ends().0, sold.0);
}

/// The answers of these two name neither turn nor time. The first vend goes well; what the board said of it at rest
/// comes while the motor turns for the second, which jams: in front of the answer that is waited for.
#[test]
fn lift_and_m102_what_was_said_at_rest_and_comes_seconds_late_is_no_result_of_the_turn_that_runs() {
    for name in ["lift-c7", "m102"] {
        let mut undisturbed = Desk::with(name, faults("jam@2"));
        undisturbed.drive();
        undisturbed.until(|d| d.driver.state() == LineState::Idle);
        let well = std::mem::take(&mut undisturbed.found).into_iter().rfind(ends_a_vend);
        undisturbed.drive();
        undisturbed.until(|d| d.driver.state() == LineState::Idle);
        let (jammed, turned) = undisturbed.ends();
        assert!(matches!(well, Some(Finding::Outcome(e)) if e.motor == Motor::Ok) && turned == 2, "{well:?}");
        for part in [0, 1] {
            let mut desk = Desk::with(name, faults("jam@2"));
            desk.drive();
            desk.until(|d| d.driver.state() == LineState::Idle);
            // Of the two parts of a lift's picture each in turn.
            desk.run(part * WATCH_MS / 2, |_| false);
            desk.cable = Cable::Slow;
            desk.run(WATCHED_WITHIN_MS, |d| !d.held_back.is_empty());
            let answers = std::mem::take(&mut desk.held_back);
            desk.cable = Cable::Whole;
            desk.run(desk.profile.timing.reply_ms + 1, |_| false);
            desk.until(|d| d.driver.state() == LineState::Idle);
            desk.run(3_000, |_| false);
            desk.until(|d| d.driver.state() == LineState::Idle);
            desk.found.clear();
            desk.drive();
            desk.until(|d| d.found.iter().any(|f| matches!(f, Finding::Progress(_))));
            let by = desk.now.plus_ms(desk.profile.timing.longest_vend_ms);
            desk.hear_in_front(answers, by);
            desk.until(|d| d.driver.state() == LineState::Idle);
            assert_eq!(desk.ends(), (jammed.clone(), 2), "{name}, part {part}");
        }
    }
}

#[test]
fn vmc96_a_late_yes_of_a_former_life_is_no_yes_to_the_stop_of_this_one() {
    let mut desk = turning();
    let reply_ms = desk.profile.timing.reply_ms;
    desk.cable = Cable::Slow;
    desk.restart_agent();
    desk.run(reply_ms - 1, |_| false);
    assert_eq!(turning_motors(&mut desk), [motor(5)], "the line is left alone until nothing can come any more");
    // A yes to a ping, a switch or the command itself: it names none of them.
    desk.driver.received(desk.now, desk.now, &frame(MOTORS, &[DONE]));
    desk.held_back.clear();
    desk.run(reply_ms, |d| !d.held_back.is_empty());
    assert_eq!(turning_motors(&mut desk), [0; 0], "and then the motor is stopped");
}

#[test]
fn vmc96_a_yes_that_comes_after_its_time_is_no_yes_to_the_stop_that_is_said_again() {
    let mut desk = turning();
    let timing = desk.profile.timing;
    desk.cable = Cable::Slow;
    // The motor is stopped for want of pictures; what the board says to that comes too late.
    desk.run(HISTORY_MS + timing.poll_ms + 3 * timing.reply_ms, |d| d.held_back.iter().any(|said| is_yes(said)));
    let stopped_at = desk.now;
    desk.held_back.clear();
    desk.run(timing.reply_ms + 1, |_| false);
    desk.driver.received(desk.now, desk.now, &frame(MOTORS, &[DONE]));
    desk.run(timing.reply_ms, |d| d.held_back.iter().any(|said| is_yes(said)));
    assert!(desk.held_back.iter().any(|said| is_yes(said)), "it is told to stand still once more");
    assert!(desk.now.since_ms(stopped_at) >= 2 * timing.reply_ms - timing.min_gap_ms);
}

fn is_yes(said: &[u8]) -> bool {
    said == frame(MOTORS, &[DONE])
}

/// A vmc96 whose motor 5 turns.
fn turning() -> Desk {
    let mut desk = Desk::with("vmc96", faults("no-drop@1"));
    desk.drive();
    desk.until(|d| d.board.turns().len() == 1);
    desk.run(400, |_| false);
    assert_eq!(turning_motors(&mut desk), [motor(5)]);
    desk
}

/// What the board itself says, whoever listens.
fn turning_motors(desk: &mut Desk) -> Vec<u8> {
    desk.board.received(desk.now, &frame(MOTORS, &[STATUS]));
    let said: Vec<Vec<u8>> = std::iter::from_fn(|| desk.board.next_output()).collect();
    let [.., last] = &said[..] else { panic!("the board says nothing") };
    last[5..last.len() - 1].to_vec()
}

#[test]
fn vmc96_a_motor_that_cannot_be_seen_is_stopped_before_something_can_fall_and_be_forgotten() {
    let mut desk = turning();
    desk.cable = Cable::Slow;
    let timing = desk.profile.timing;
    // The last picture is as old as a poll, and the answer that is missed last is waited for.
    desk.run(HISTORY_MS + timing.poll_ms + 3 * timing.reply_ms, |_| false);
    assert_eq!(turning_motors(&mut desk), [0; 0]);
    desk.cable = Cable::Whole;
    desk.until(|d| d.driver.state() == LineState::Idle);
    assert!(matches!(desk.ends(), (ends, 1) if ends == [Finding::Unproven("")]), "{:?}", desk.found);
}

#[test]
fn vmc96_a_motor_that_was_never_seen_turning_is_stopped_all_the_same() {
    let mut desk = Desk::with("vmc96", faults("no-drop@1"));
    desk.drive();
    desk.until(|d| d.board.turns().len() == 1);
    desk.cable = Cable::Slow;
    let timing = desk.profile.timing;
    desk.run(HISTORY_MS + timing.poll_ms + 3 * timing.reply_ms, |_| false);
    assert_eq!(turning_motors(&mut desk), [0; 0]);
}

#[test]
fn vmc96_a_motor_is_stopped_first_when_the_port_comes_back() {
    let mut desk = turning();
    desk.driver.closed(desk.now);
    desk.run(100, |_| false);
    desk.driver.opened(desk.now);
    // Not one picture is needed for it.
    desk.cable = Cable::Slow;
    desk.run(desk.profile.timing.reply_ms + 50, |_| false);
    assert_eq!(turning_motors(&mut desk), [0; 0]);
    desk.cable = Cable::Whole;
    desk.until(|d| d.driver.state() == LineState::Idle);
    assert!(matches!(desk.ends(), (ends, 1) if ends == [Finding::Unproven("")]), "{:?}", desk.found);
}

#[test]
fn vmc96_another_motor_that_turns_is_stopped_and_its_goods_are_not_credited() {
    for is_first in [false, true] {
        let mut desk = turning();
        if is_first {
            // The own one has vanished: only the other turns.
            desk.board.power_cycle(desk.now);
        }
        desk.board.received(desk.now, &frame(MOTORS, &[RUN, motor(6)]));
        desk.board.next_output();
        let timing = desk.profile.timing;
        desk.run(timing.poll_ms + timing.reply_ms, |_| false);
        assert_eq!(turning_motors(&mut desk), [0; 0], "{is_first}");
        desk.run(60_000, |_| false);
        assert_eq!(desk.driver.state(), LineState::Idle);
        let ends: Vec<&Finding> = desk.found.iter().filter(|f| ends_a_vend(f)).collect();
        assert!(matches!(ends[..], [Finding::Unproven(_)]), "{is_first}: {ends:?}");
    }
}
