//! The fault matrix (`docs/faults.md`): what can go wrong around the core, met at every stage of an order's life.

use super::world::{DISPENSED, Put, T0_S, World};
use crate::board::driver::{Finding, LineState, Slot};
use crate::core::Recovered;
use crate::core::event::{Ending, Event};
use crate::order::outcome::Reason;
use crate::order::said::Said;
use crate::order::time::UnixMs;
use serde_json::Value;
use std::collections::BTreeMap;

const URL: &str = "https://shop.example/notify";

/// What the order was doing when the fault came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its commit is under way; not acknowledged.
    Arriving,
    /// Durable and acknowledged; the line is taken.
    Waiting,
    /// The intent is durable and no byte is out.
    Intended,
    /// The motor command is out.
    Turning,
    /// The outcome is durable; nobody was told.
    Outcome,
    /// The merchant did not take the report at the first try.
    Reported,
    /// A tombstone.
    Settled,
}

impl Stage {
    const ALL: [Stage; 7] = [
        Stage::Arriving,
        Stage::Waiting,
        Stage::Intended,
        Stage::Turning,
        Stage::Outcome,
        Stage::Reported,
        Stage::Settled,
    ];

    /// What the journal holds of it.
    const fn on_disk(self) -> Option<&'static str> {
        match self {
            Stage::Arriving => None,
            Stage::Waiting => Some("accepted"),
            Stage::Intended | Stage::Turning => Some("intent"),
            Stage::Outcome => Some("outcome"),
            Stage::Reported => Some("reported"),
            Stage::Settled => Some("tombstone"),
        }
    }

    const fn frames(self) -> usize {
        match self {
            Stage::Arriving | Stage::Waiting | Stage::Intended => 0,
            Stage::Turning | Stage::Outcome | Stage::Reported | Stage::Settled => 1,
        }
    }

    /// After the agent's death: what the board can say of the intent, how the order ends, motor frames in all.
    const fn ends_after_death(self) -> &'static [(Word, &'static str, usize)] {
        match self {
            Stage::Intended => &[(Word::NeverReceived, "dispensed", 1), (Word::Nothing, "unknown", 0)],
            Stage::Turning => &[(Word::Outcome, "dispensed", 1), (Word::Nothing, "unknown", 1)],
            _ => &[(Word::Nothing, "dispensed", 1)],
        }
    }
}

/// What a board can say of an intent of a former life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Outcome,
    NeverReceived,
    Nothing,
}

/// One order in its world.
struct Life {
    w: World,
    put: Put,
    stage: Stage,
    /// Motor frames of the agent's former lives.
    former_frames: usize,
    /// The disk has taken a batch, and the agent has not heard it.
    untold: Option<Event>,
    /// The bodies that the merchant saw.
    told: Vec<Vec<u8>>,
}

impl Life {
    fn at(stage: Stage) -> Life {
        let mut w = World::new();
        w.broker_is_quick = stage == Stage::Settled;
        let put = w.put("1", "1").with("notify_url", URL);
        let mut life = Life { w, put, stage, former_frames: 0, untold: None, told: Vec::new() };
        let Life { w, put, .. } = &mut life;
        match stage {
            Stage::Arriving => {
                w.disk_is_quick = false;
                w.deliver(put);
            }
            Stage::Waiting => {
                w.line_is(LineState::Busy);
                w.deliver(put);
            }
            Stage::Intended => {
                w.disk_is_quick = false;
                w.deliver(put);
                w.script.lock().unwrap().state = LineState::Settling;
                w.commit();
            }
            Stage::Turning | Stage::Outcome | Stage::Reported | Stage::Settled => {
                w.deliver(put);
            }
        }
        match stage {
            Stage::Outcome => {
                life.w.disk_is_quick = false;
                life.w.board_ends(DISPENSED);
                life.untold = Some(life.w.sync());
            }
            Stage::Reported => {
                life.w.board_ends(DISPENSED);
                life.told.push(life.w.requests[0].1.body.clone());
                life.w.no_answer();
                life.w.pass_s(31);
            }
            Stage::Settled => {
                life.w.board_ends(DISPENSED);
                life.merchant_answers();
                life.w.pass_s(31);
            }
            Stage::Arriving | Stage::Waiting | Stage::Intended | Stage::Turning => {}
        }
        let state = life.w.on_disk("1", "1").map(|line| line.state);
        assert_eq!((state.as_deref(), life.w.driven()), (stage.on_disk(), stage.frames()), "{stage:?}");
        life
    }

    fn line(&self) -> LineState {
        self.w.script.lock().unwrap().state
    }

    fn state(&self) -> String {
        self.w.on_disk("1", "1").map(|line| line.state).unwrap_or_default()
    }

    /// The process is gone, with all that was not durable. A new one is not yet there.
    fn die(&mut self) {
        self.former_frames += self.w.driven();
        self.untold = None;
        self.w.ended = None;
        self.w.published.clear();
        (self.w.disk_is_quick, self.w.broker_is_quick) = (true, true);
    }

    /// The broker sends again what was not acknowledged.
    fn broker_sends_again(&mut self) {
        if self.stage == Stage::Arriving {
            self.w.redeliver(&self.put);
        }
    }

    /// The merchant takes every report under way; the cloud says nothing.
    fn merchant_answers(&mut self) {
        while let Some((_, request)) = self.w.requests.front() {
            if request.url == URL {
                self.told.push(request.body.clone());
                self.w.answer(204, "");
            } else {
                self.w.no_answer();
            }
        }
    }

    fn disk_answers(&mut self) {
        if let Some(event) = self.untold.take() {
            self.w.step(event);
        }
        if self.w.pending.is_some() {
            self.w.commit();
        }
    }

    fn broker_answers(&mut self) {
        for token in std::mem::take(&mut self.w.published) {
            self.w.step(Event::Published(token));
        }
    }

    /// The line becomes free, and every motor that turns ends well.
    fn board_goes_on(&mut self) {
        if self.w.driven() == 0 && self.line() != LineState::Idle {
            self.w.line_is(LineState::Idle);
        }
        while self.w.driven() > 0 && self.line() == LineState::Busy {
            self.w.board_ends(DISPENSED);
        }
    }

    /// Nothing goes wrong any more. `word` is what the board says of an intent that it is asked about.
    fn play_on(&mut self, word: Word) {
        (self.w.disk_is_quick, self.w.broker_is_quick) = (true, true);
        self.disk_answers();
        self.broker_answers();
        let asked = !self.w.script.lock().unwrap().resumed.is_empty();
        if asked && self.w.driven() == 0 && self.state() == "intent" {
            match word {
                Word::Outcome => self.w.board_ends(DISPENSED),
                Word::NeverReceived => self.w.board_says(Finding::NotTaken(Reason::Busy)),
                Word::Nothing => self.w.board_says(Finding::Unproven("the board remembers nothing")),
            }
        }
        self.board_goes_on();
        for _ in 0..3 {
            self.merchant_answers();
            self.w.pass_s(31);
        }
    }

    /// So many motor frames in all, one report everywhere, in the same words each time, and a duplicate turns nothing.
    fn ends(mut self, outcome: &str, frames: usize, what: &str) {
        let what = format!("{what}, {:?}", self.stage);
        assert_eq!(self.w.outcome_on_disk("1", "1"), [outcome], "{what}");
        assert_eq!(self.former_frames + self.w.driven(), frames, "motor frames: {what}");
        assert_eq!(self.state(), "tombstone", "{what}");
        let first: Value = serde_json::from_slice(self.told.first().expect("the merchant is told")).unwrap();
        assert_eq!((&first["outcome"], &first["sequence"]), (&Value::from(outcome), &Value::from(1)), "{what}");
        assert!(self.told.iter().all(|body| *body == self.told[0]), "other words: {what}");
        let up: Vec<&BTreeMap<String, String>> = self.w.said.iter().filter(|said| is_result(said)).collect();
        assert_eq!(up[0]["outcome"], outcome, "{what}");
        assert!(up.iter().all(|said| said == &up[0]), "other words over MQTT: {what}");
        self.w.deliver(&self.put);
        assert_eq!(self.w.received_states().last().unwrap(), "duplicate", "{what}");
        assert_eq!(self.former_frames + self.w.driven(), frames, "a duplicate: {what}");
        let is_called = self.w.requests.iter().any(|(_, request)| request.url == URL);
        assert!(!is_called, "a duplicate calls the merchant: {what}");
    }
}

fn is_result(said: &BTreeMap<String, String>) -> bool {
    said["method"] == "device.delivery.response" && said["order_id"] == "1"
}

#[test]
fn an_agent_killed_at_any_stage_drives_once_and_tells_one_result() {
    for stage in Stage::ALL {
        for &(word, outcome, frames) in stage.ends_after_death() {
            let mut life = Life::at(stage);
            life.die();
            life.w.restart();
            life.broker_sends_again();
            life.play_on(word);
            life.ends(outcome, frames, &format!("{word:?}"));
        }
    }
}

#[test]
fn a_command_that_was_durable_and_not_acknowledged_at_the_agents_death_is_a_duplicate_when_it_comes_again() {
    for (word, outcome, frames) in [(Word::NeverReceived, "dispensed", 1), (Word::Nothing, "unknown", 0)] {
        let mut life = Life::at(Stage::Arriving);
        // The line is idle, so the intent is in the same batch.
        drop(life.w.sync());
        life.die();
        life.w.restart();
        life.broker_sends_again();
        assert_eq!((life.w.received_states().last().unwrap().as_str(), life.w.acks.len()), ("duplicate", 1));
        life.play_on(word);
        life.ends(outcome, frames, &format!("{word:?}"));
    }
}

#[test]
fn a_computer_without_power_at_any_stage_and_a_clock_in_1970_drive_once_and_tell_one_result() {
    for stage in Stage::ALL {
        for &(word, outcome, frames) in stage.ends_after_death() {
            let mut life = Life::at(stage);
            let wall = life.w.now.wall;
            life.die();
            life.w.reboot(5, false);
            life.broker_sends_again();
            life.play_on(word);
            let what = format!("{word:?}");
            let is_held = matches!(stage, Stage::Arriving | Stage::Waiting) || word == Word::NeverReceived;
            assert_eq!(life.w.driven(), 0, "{stage:?}: nothing is driven while the time is not known");
            assert_eq!(life.told.is_empty(), is_held, "{stage:?} {what}: what has ended is told without the time");
            life.w.now.wall = UnixMs(wall.0 + 100_000);
            life.w.now.synchronised = true;
            life.w.step(Event::Wake);
            life.play_on(word);
            life.ends(outcome, frames, &what);
        }
    }
}

#[test]
fn a_broker_that_goes_at_any_stage_holds_up_neither_the_motor_nor_the_merchant() {
    for session_kept in [true, false] {
        for stage in Stage::ALL {
            let mut life = Life::at(stage);
            life.w.step(Event::Disconnected { why: Said::word("gone") });
            life.play_on(Word::Nothing);
            assert!(!life.told.is_empty(), "{stage:?}: the merchant is told without the broker");
            let acks = life.w.acks.len();
            life.w.connect(session_kept);
            if session_kept {
                life.broker_sends_again();
                let again = usize::from(stage == Stage::Arriving);
                assert_eq!(life.w.acks.len(), acks + again, "{stage:?}");
            }
            life.play_on(Word::Nothing);
            life.ends("dispensed", 1, &format!("session kept: {session_kept}"));
        }
    }
}

#[test]
fn a_command_that_comes_again_at_any_stage_is_acknowledged_and_never_driven() {
    for stage in Stage::ALL {
        let mut life = Life::at(stage);
        let acks = life.w.acks.len();
        life.w.deliver(&life.put.clone().with("msg_id", "again").with("timestamp", &(T0_S + 1).to_string()));
        let is_known = !matches!(stage, Stage::Arriving | Stage::Outcome);
        assert_eq!(
            life.w.acks.len(),
            acks + usize::from(is_known),
            "{stage:?}: not before the agent knows what is durable"
        );
        life.play_on(Word::Nothing);
        assert_eq!(life.w.acks.len(), 2, "{stage:?}");
        assert_eq!(life.w.received_states(), ["accepted", "duplicate"], "{stage:?}");
        life.ends("dispensed", 1, "again");
    }
}

#[test]
fn the_same_key_with_another_body_at_any_stage_changes_nothing() {
    for stage in Stage::ALL {
        let mut life = Life::at(stage);
        life.w.deliver(&life.put.clone().with("code", "6").with("notify_url", "https://other.example/"));
        life.play_on(Word::Nothing);
        assert_eq!(life.w.acks.len(), 2, "{stage:?}");
        assert_eq!(life.w.received_states(), ["accepted", "refused conflict"], "{stage:?}");
        let slots: Vec<Slot> = life.w.script.lock().unwrap().driven.iter().map(|command| command.slot).collect();
        assert_eq!(slots, [Slot(5)], "{stage:?}");
        life.ends("dispensed", 1, "another body");
    }
}

#[test]
fn a_question_at_any_stage_is_answered_with_what_is_durable() {
    for stage in Stage::ALL {
        let mut life = Life::at(stage);
        let before = (life.w.received_states().len(), life.w.count_said("device.delivery.response"));
        life.w.deliver(&life.put.clone().with("method", "device.delivery.get"));
        let answers =
            (life.w.received_states().len() - before.0, life.w.count_said("device.delivery.response") - before.1);
        let expected = match stage {
            Stage::Arriving => (0, 0),
            Stage::Waiting | Stage::Intended | Stage::Turning => (1, 0),
            // The report is on its way up.
            Stage::Outcome | Stage::Reported => (0, 0),
            Stage::Settled => (0, 1),
        };
        assert_eq!(answers, expected, "{stage:?}");
        life.play_on(Word::Nothing);
        let accepted = if expected == (1, 0) || stage == Stage::Arriving { 2 } else { 1 };
        assert_eq!(life.w.received_states(), vec!["accepted"; accepted], "{stage:?}");
        life.ends("dispensed", 1, "a question");
    }
}

#[test]
fn a_clock_that_jumps_at_any_stage_changes_no_order_that_is_under_way() {
    const DAY_S: u64 = 86_400;
    const Y2099_S: u64 = 4_070_908_800;
    for (wall_s, synchronised) in
        [(5, false), (5, true), (T0_S - DAY_S, true), (T0_S + DAY_S, true), (T0_S + DAY_S, false), (Y2099_S, true)]
    {
        for stage in Stage::ALL {
            let mut life = Life::at(stage);
            life.w.now.wall = UnixMs::from_seconds(wall_s);
            life.w.now.synchronised = synchronised;
            life.w.step(Event::Wake);
            life.play_on(Word::Nothing);
            life.ends("dispensed", 1, &format!("{wall_s} s, synchronised: {synchronised}"));
        }
    }
}

#[test]
fn a_command_that_comes_after_the_clock_jumped_back_is_held_until_kernel_and_platform_agree() {
    const BACK_S: u64 = 1_800;
    for (platform_s, outcome, frames) in [(T0_S - BACK_S, "dispensed", 1), (T0_S, "refused", 0)] {
        let mut w = World::new();
        w.now.wall = UnixMs::from_seconds(T0_S - BACK_S);
        w.step(Event::Wake);
        let put = Put::new("1", "1", platform_s);
        w.deliver(&put);
        assert_eq!((w.driven(), w.received_states()), (0, vec!["accepted".to_owned()]), "one witness is not enough");
        w.answer_with_date(200, platform_s, r#"{"code":0,"data":"pong"}"#);
        assert_eq!(w.driven(), frames, "the platform says {platform_s}");
        if frames > 0 {
            w.board_ends(DISPENSED);
        }
        w.pass_s(1_300);
        assert_eq!(w.outcome_on_disk("1", "1"), [outcome], "it ends, and the merchant is told");
        assert_eq!(w.last_said("device.delivery.response")["outcome"], outcome);
    }
}

#[test]
fn a_journal_that_fails_at_any_stage_stops_all_that_is_new_and_the_next_life_goes_on() {
    for is_seen in [true, false] {
        for stage in Stage::ALL {
            let mut life = Life::at(stage);
            if is_seen && life.w.pending.is_some() {
                drop(life.w.sync());
            }
            let before = (life.w.acks.len(), life.w.driven(), life.w.script.lock().unwrap().released);
            life.w.step(Event::JournalFailed { why: Said::word("EIO") });
            life.w.deliver(&Put::new("2", "1", T0_S));
            life.w.line_is(LineState::Idle);
            life.w.board_says(Finding::Outcome(DISPENSED));
            life.merchant_answers();
            let after = (life.w.acks.len(), life.w.driven(), life.w.script.lock().unwrap().released);
            assert_eq!(after, before, "{stage:?}: acknowledged, driven or released");
            life.w.pass_s(11);
            assert_eq!(life.w.ended, Some(Ending::JournalFailed), "{stage:?}");
            life.die();
            life.w.restart();
            life.broker_sends_again();
            let word = if stage == Stage::Turning { Word::Outcome } else { Word::NeverReceived };
            life.play_on(word);
            life.ends("dispensed", 1, &format!("seen: {is_seen}"));
        }
    }
}

#[test]
fn an_outcome_whose_commit_fails_stays_on_the_board_and_the_next_life_takes_it() {
    let mut life = Life::at(Stage::Turning);
    life.w.disk_is_quick = false;
    life.w.board_ends(DISPENSED);
    life.w.step(Event::JournalFailed { why: Said::word("no space") });
    assert_eq!(life.w.script.lock().unwrap().released, 0, "the board may not forget it");
    life.merchant_answers();
    assert!(life.told.is_empty(), "it is not durable");
    life.die();
    life.w.restart();
    life.play_on(Word::Outcome);
    life.ends("dispensed", 1, "the board holds it");
}

#[test]
fn a_full_disk_at_any_stage_lets_the_order_end_and_keeps_new_ones_at_the_broker() {
    for stage in Stage::ALL {
        let mut life = Life::at(stage);
        life.w.step(Event::Space { enough: false });
        let other = life.w.deliver(&Put::new("2", "1", T0_S).with("code", "6"));
        life.play_on(Word::Nothing);
        assert_eq!((life.w.driven(), life.state().as_str()), (1, "tombstone"), "{stage:?}");
        assert!(!life.w.acks.contains(&other) && life.w.on_disk("2", "1").is_none(), "{stage:?}");
        life.w.step(Event::Space { enough: true });
        life.play_on(Word::Nothing);
        assert_eq!(life.w.outcome_on_disk("2", "1"), ["dispensed"], "{stage:?}");
        life.ends("dispensed", 2, "full disk");
    }
}

#[test]
fn a_disk_that_takes_fifty_seconds_for_each_commit_at_any_stage_costs_only_time() {
    for stage in Stage::ALL {
        let mut life = Life::at(stage);
        life.w.disk_is_quick = false;
        for _ in 0..12 {
            if life.w.pending.is_some() || life.untold.is_some() {
                life.w.pass_s(50);
            } else {
                life.w.pass_s(31);
            }
            life.disk_answers();
            life.broker_answers();
            life.board_goes_on();
            life.merchant_answers();
        }
        life.ends("dispensed", 1, "slow disk");
    }
}

#[test]
fn sigterm_at_any_stage_lets_a_turning_motor_end_and_the_next_life_does_the_rest() {
    for stage in Stage::ALL {
        let mut life = Life::at(stage);
        life.w.disk_is_quick = true;
        life.w.step(Event::Stop);
        life.disk_answers();
        if life.w.driven() > 0 && life.line() == LineState::Busy {
            assert_eq!(life.w.ended, None, "{stage:?}: the motor turns");
            life.w.board_ends(DISPENSED);
        }
        assert_eq!(life.w.ended, Some(Ending::Stopped), "{stage:?}");
        assert_ne!(life.state(), "intent", "{stage:?}: nothing is left in doubt");
        life.die();
        life.w.restart();
        life.play_on(Word::Nothing);
        life.ends("dispensed", 1, "SIGTERM");
    }
}

#[test]
fn a_cable_unplugged_at_any_stage_costs_time_or_ends_in_what_can_be_known() {
    for (away_s, holds_result) in [(30, true), (30, false), (80, false)] {
        for stage in Stage::ALL {
            let mut life = Life::at(stage);
            life.w.step(Event::LineClosed { why: Said::word("the adapter is gone") });
            life.w.line_is(LineState::Closed);
            (life.w.disk_is_quick, life.w.broker_is_quick) = (true, true);
            life.disk_answers();
            life.w.pass_s(away_s);
            life.w.step(Event::LineOpened);
            let is_on_line = stage == Stage::Turning && life.state() == "intent";
            if is_on_line && holds_result {
                life.w.board_ends(DISPENSED);
            } else if is_on_line {
                life.w.board_says(Finding::Unproven("the board remembers nothing"));
            }
            life.w.line_is(LineState::Idle);
            life.play_on(Word::Nothing);
            let is_too_long = away_s > 75;
            let (outcome, frames) = match stage {
                Stage::Arriving | Stage::Waiting | Stage::Intended if is_too_long => ("refused", 0),
                Stage::Turning if is_too_long || !holds_result => ("unknown", 1),
                _ => ("dispensed", 1),
            };
            if outcome == "refused" {
                assert_eq!(life.w.last_said("device.delivery.response")["reason"], "board_offline", "{stage:?}");
            }
            life.ends(outcome, frames, &format!("unplugged for {away_s} s"));
        }
    }
}

#[test]
fn a_journal_lost_at_any_stage_touches_nothing_and_after_a_person_accepts_it_nothing_of_before_is_driven() {
    for stage in Stage::ALL {
        let mut life = Life::at(stage);
        life.die();
        let why = Said::word("a digest is wrong");
        life.w.live_again(Recovered::Quarantine { why }, true);
        let before = (life.w.acks.len(), life.w.said.len(), life.w.requests.len());
        life.w.redeliver(&life.put);
        life.w.pass_s(600);
        assert_eq!((life.w.acks.len(), life.w.said.len(), life.w.requests.len()), before, "{stage:?}");
        assert_eq!((life.w.driven(), life.w.script.lock().unwrap().opened), (0, 0), "{stage:?}");
        life.w.ledger = None;
        life.w.disk.clear();
        life.w.restart_with_session(true);
        life.w.redeliver(&life.put);
        life.play_on(Word::Nothing);
        assert_eq!(life.w.outcome_on_disk("1", "1"), ["unknown"], "{stage:?}");
        assert_eq!(life.former_frames + life.w.driven(), stage.frames(), "{stage:?}");
        assert_eq!(life.w.last_said("device.delivery.response")["outcome"], "unknown", "{stage:?}");
    }
}
