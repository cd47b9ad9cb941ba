//! A driver and an emulated board on one line in simulated time, for the tests of the families that are asked.

#![allow(clippy::panic, reason = "a harness of tests")]

use super::fault::{Fault, Faults};
use super::{Emulator, emulator_for};
use crate::board::driver::{
    Address, Driver, Finding, FloorType, LineState, MotorCommand, Output, Reference, Slot, Write, Written,
};
use crate::board::driver_for;
use crate::board::profile::Profile;
use crate::board::talk::WATCH_MS;
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::time::BootMs;
use std::path::Path;

pub const TURN_MS: u64 = 2_500;
/// An answer is on its way for this long.
const TRANSIT_MS: u64 = 7;
/// No vend and no settling takes longer, or the driver hangs.
const PATIENCE_MS: u64 = 400_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    AgentCrash,
    BoardRestart,
    /// Both lose their power; the agent is back after so many milliseconds.
    Both {
        away_ms: u64,
    },
}

/// An agent that is there before its board, and one that finds it rested. No turn takes so long.
pub const AWAY_MS: [u64; 2] = [0, 6_000];

pub struct Pair {
    pub profile: Profile,
    pub now: BootMs,
    pub driver: Box<dyn Driver>,
    pub board: Box<dyn Emulator>,
    /// Outcome, NotTaken and Unproven, in order.
    pub ends: Vec<Finding>,
    pub late: Vec<Finding>,
    pub others: Vec<Finding>,
    pub written: Vec<(BootMs, Write)>,
    pub auto_release: bool,
    /// How the write of each motor frame ends; only of `All` does the board hear.
    pub write_ends: Written,
    pub mishap: Option<(u32, Mishap)>,
    pub steps: u32,
    /// What the board said last and nobody heard.
    pub lost: Option<Vec<u8>>,
    intent: Option<(MotorCommand, Reference)>,
    heard_at: BootMs,
    waiting: bool,
}

pub fn profile(name: &str) -> Profile {
    Profile::find(name, Path::new(".")).unwrap()
}

pub fn faults(text: &str) -> Faults {
    Faults::new(text.split_whitespace().map(|f| f.parse::<Fault>().unwrap()))
}

pub fn command(address: u8, slot: u16, drop_check: bool) -> MotorCommand {
    MotorCommand {
        address: Address::new(address).unwrap(),
        slot: Slot(slot),
        floor_type: FloorType::Spring,
        lift: false,
        drop_check,
    }
}

pub fn outcome(motor: Motor, drop_sensor: DropSensor) -> Finding {
    Finding::Outcome(Evidence { motor, drop_sensor })
}

impl Pair {
    pub fn new(name: &str, faults_text: &str) -> Pair {
        Pair::with_turn(name, faults_text, TURN_MS)
    }

    /// With another time for a turn, or for which a door stays open.
    pub fn with_turn(name: &str, faults_text: &str, turn_ms: u64) -> Pair {
        let profile = profile(name);
        let board = emulator_for(&profile, turn_ms, faults(faults_text));
        Pair::with_board(profile, board)
    }

    pub fn with_board(profile: Profile, board: Box<dyn Emulator>) -> Pair {
        let mut driver = driver_for(&profile);
        let now = BootMs(1_000);
        driver.opened(now);
        Pair {
            profile,
            now,
            driver,
            board,
            ends: Vec::new(),
            late: Vec::new(),
            others: Vec::new(),
            written: Vec::new(),
            auto_release: true,
            write_ends: Written::All,
            mishap: None,
            steps: 0,
            lost: None,
            intent: None,
            heard_at: BootMs(0),
            waiting: false,
        }
    }

    /// The agent dies and starts again, with an open intent or without.
    pub fn replace_driver(&mut self, resume: Option<&MotorCommand>) {
        self.driver = driver_for(&self.profile);
        if let Some(command) = resume {
            let reference = self.intent.as_ref().map(|(_, r)| r.clone()).unwrap_or_default();
            self.driver.resume(self.now, command, &reference);
        } else if matches!(self.ends.last(), Some(Finding::Unproven(_))) {
            self.driver.may_still_turn();
        }
        while let Some(bytes) = self.board.next_output() {
            self.lost = Some(bytes);
        }
        self.waiting = false;
        self.driver.opened(self.now);
    }

    /// Counts a step; true when the agent died at it.
    fn step(&mut self) -> bool {
        self.steps += 1;
        match self.mishap {
            Some((at, Mishap::AgentCrash)) if at == self.steps => {
                self.restart_agent();
                true
            }
            Some((at, Mishap::BoardRestart)) if at == self.steps => {
                self.board.power_cycle(self.now);
                false
            }
            Some((at, Mishap::Both { away_ms })) if at == self.steps => {
                self.board.power_cycle(self.now);
                self.now = self.now.plus_ms(away_ms);
                self.board.wake(self.now);
                self.restart_agent();
                true
            }
            _ => false,
        }
    }

    /// The agent dies and starts again with what is in its journal.
    fn restart_agent(&mut self) {
        let open = self.intent.as_ref().filter(|_| self.ends.is_empty()).map(|(c, _)| *c);
        self.replace_driver(open.as_ref());
    }

    fn pump(&mut self) {
        loop {
            if let Some(output) = self.driver.next_output() {
                match output {
                    Output::Finding(finding) => self.note(finding),
                    Output::Write(write) => self.write(write),
                }
            } else if let Some(bytes) = self.board.next_output() {
                self.now = self.now.plus_ms(TRANSIT_MS);
                if self.step() {
                    self.lost = Some(bytes);
                    continue;
                }
                self.heard_at = self.now;
                self.waiting = false;
                self.driver.received(self.now, self.now, &bytes);
            } else {
                return;
            }
        }
    }

    fn note(&mut self, finding: Finding) {
        let held = matches!(finding, Finding::Outcome(_) | Finding::Late { .. });
        match &finding {
            Finding::Outcome(_) | Finding::NotTaken(_) | Finding::Unproven(_) => self.ends.push(finding),
            Finding::Late { .. } => self.late.push(finding),
            _ => self.others.push(finding),
        }
        if held && self.auto_release {
            assert_eq!(self.driver.state(), LineState::Held);
            if !self.step() {
                self.driver.release(self.now);
            }
        }
    }

    fn write(&mut self, write: Write) {
        assert!(!self.waiting, "two questions at once on the line");
        assert!(self.now.since_ms(self.heard_at) >= self.profile.timing.min_gap_ms, "the gap was not kept");
        self.written.push((self.now, write.clone()));
        if self.step() {
            return;
        }
        if write.motor && self.write_ends != Written::All {
            let ends = self.write_ends;
            return self.driver.motor_written(self.now, ends);
        }
        self.waiting = true;
        self.board.received(self.now, &write.bytes);
        if write.motor {
            self.driver.motor_written(self.now, Written::All);
        }
        self.step();
    }

    /// Lets time pass until `done`, or fails after `limit_ms`.
    pub fn run(&mut self, limit_ms: u64, done: impl Fn(&Pair) -> bool) {
        assert!(self.run_within(limit_ms, done), "{:?}: {:?} {:?}", self.driver.state(), self.ends, self.late);
    }

    pub fn run_for(&mut self, ms: u64) {
        self.run_within(ms, |_| false);
    }

    fn run_within(&mut self, limit_ms: u64, done: impl Fn(&Pair) -> bool) -> bool {
        let end = self.now.plus_ms(limit_ms);
        loop {
            self.pump();
            if done(self) {
                return true;
            }
            let next = self.driver.deadline().into_iter().chain(self.board.deadline()).min();
            let next = next.unwrap_or(end).max(self.now.plus_ms(1));
            if next > end {
                self.now = end;
                return false;
            }
            self.now = next;
            if self.waiting && self.driver.deadline().is_some_and(|d| d <= next) {
                self.waiting = false;
            }
            self.board.wake(next);
            self.driver.wake(next);
        }
    }

    pub fn until_idle(&mut self) {
        self.run(PATIENCE_MS, |p| p.driver.state() == LineState::Idle);
    }

    /// The intent is durable, and nothing is sent yet.
    pub fn intend(&mut self, command: &MotorCommand) -> Reference {
        assert_eq!(self.driver.state(), LineState::Idle);
        let reference = self.driver.reference(command);
        assert!(reference.0.len() <= Reference::BYTES_MAX);
        self.intent = Some((*command, reference.clone()));
        reference
    }

    pub fn drive(&mut self, command: &MotorCommand) {
        let reference = self.intend(command);
        self.driver.drive(self.now, command, &reference);
    }

    /// The port goes and comes back.
    pub fn port_away(&mut self, ms: u64) {
        self.driver.closed(self.now);
        self.waiting = false;
        assert_eq!(self.driver.state(), LineState::Closed);
        assert_eq!(self.driver.deadline(), None);
        self.now = self.now.plus_ms(ms);
        self.board.wake(self.now);
        while self.board.next_output().is_some() {}
        self.driver.opened(self.now);
    }

    /// From an unknown line to an ended command and an idle line again.
    pub fn vend(&mut self, command: &MotorCommand) {
        self.until_idle();
        self.drive(command);
        self.run(PATIENCE_MS, |p| !p.ends.is_empty());
        self.until_idle();
    }

    pub fn assert_can_vend_again(&mut self) {
        let before = self.board.turns().len();
        self.ends.clear();
        self.late.clear();
        self.vend(&command(1, 9, true));
        assert_eq!(self.ends.len(), 1, "{:?}", self.ends);
        assert_eq!(self.late, []);
        assert!(self.board.turns().len() <= before + 1);
    }

    /// Another agent drives and vanishes; then this one starts, knowing nothing.
    pub fn leave_a_result_behind(&mut self, command: &MotorCommand) {
        self.until_idle();
        self.drive(command);
        self.run(PATIENCE_MS, |p| p.board.turns().len() == 1);
        self.now = self.now.plus_ms(TURN_MS);
        self.intent = None;
        self.replace_driver(None);
    }
}

/// One vend with a mishap at each of its steps in turn; returns how many steps there were.
pub fn at_every_step(name: &str, mishap: Mishap, mut check: impl FnMut(&Pair, u32)) -> u32 {
    let first = {
        let mut pair = Pair::new(name, "");
        pair.until_idle();
        pair.run_for(3_000);
        pair.steps
    };
    for at in first + 1.. {
        let mut pair = Pair::new(name, "");
        pair.until_idle();
        pair.run_for(3_000);
        pair.mishap = Some((at, mishap));
        pair.vend(&command(1, 12, true));
        if pair.steps < at {
            return at - first;
        }
        let turns = pair.board.turns().len();
        assert!(turns <= 1, "step {at}: turned {turns} times");
        assert_eq!(pair.ends.len(), 1, "step {at}: {:?}", pair.ends);
        check(&pair, at);
        pair.mishap = None;
        pair.assert_can_vend_again();
    }
    0
}

pub fn assert_nothing_proven_by_restart(pair: &Pair, step: u32) {
    match (&pair.ends[..], pair.board.turns().len()) {
        ([Finding::Outcome(_) | Finding::Unproven(_)], 1) => {}
        ([Finding::Unproven(_)], 0) => {}
        other => panic!("step {step}: {other:?}"),
    }
}

/// Agent and board lose their power together, at every step.
pub fn assert_both_prove_nothing(name: &str) {
    for away_ms in AWAY_MS {
        let steps = at_every_step(name, Mishap::Both { away_ms }, assert_nothing_proven_by_restart);
        assert!(steps > 4, "{name}: {steps}");
    }
}

pub fn assert_writes_that_fail(name: &str) {
    for (ends, proof) in [(Written::Nothing, true), (Written::Some, false)] {
        let mut pair = Pair::new(name, "");
        pair.write_ends = ends;
        pair.vend(&command(1, 12, true));
        match &pair.ends[..] {
            [Finding::NotTaken(Reason::BoardOffline)] if proof => {}
            [Finding::Unproven(_)] if !proof => {}
            other => panic!("{ends:?}: {other:?}"),
        }
        assert_eq!(pair.board.turns().len(), 0);
        pair.write_ends = Written::All;
        pair.assert_can_vend_again();
    }
}

pub fn assert_absent_board(name: &str) {
    let mut one = profile(name);
    one.addresses.count = 1;
    let board = emulator_for(&one, TURN_MS, Faults::default());
    let mut two = profile(name);
    two.addresses.count = 2;
    let mut pair = Pair::with_board(two, board);
    pair.until_idle();
    let absent = command(2, 12, true);
    pair.drive(&absent);
    pair.run(0, |p| !p.ends.is_empty());
    assert_eq!(pair.ends, [Finding::NotTaken(Reason::BoardOffline)]);
    assert!(pair.written.iter().all(|(_, w)| !w.motor));
    pair.ends.clear();
    pair.replace_driver(Some(&absent));
    pair.until_idle();
    assert_eq!(pair.ends, [Finding::NotTaken(Reason::BoardOffline)], "a later life knows that nothing was written");
    pair.assert_can_vend_again();
}

pub fn assert_give_up(name: &str) {
    let mut pair = Pair::new(name, "late@1");
    pair.until_idle();
    pair.drive(&command(1, 12, true));
    pair.run(PATIENCE_MS, |p| p.board.turns().len() == 1);
    pair.driver.give_up(pair.now);
    assert_ne!(pair.driver.state(), LineState::Idle);
    pair.until_idle();
    assert_eq!(pair.ends, []);
    let evidence = Evidence { motor: Motor::Ok, drop_sensor: DropSensor::Seen };
    assert!(
        matches!(&pair.late[..], [Finding::Late { address, evidence: e, .. }] if address.get() == 1 && *e == evidence),
        "{:?}",
        pair.late
    );
    pair.assert_can_vend_again();
}

/// A result waits for its release, and the line is still until then.
pub fn assert_held_until_released(name: &str, command: &MotorCommand) -> Pair {
    let mut pair = Pair::new(name, "");
    pair.auto_release = false;
    pair.until_idle();
    pair.drive(command);
    pair.run(60_000, |p| !p.ends.is_empty());
    let written = pair.written.len();
    pair.run_for(60_000);
    assert_eq!((pair.written.len(), pair.driver.state()), (written, LineState::Held));
    pair.driver.release(pair.now);
    pair.until_idle();
    pair.auto_release = true;
    pair
}

pub fn assert_quiet_when_idle(name: &str) {
    let mut pair = Pair::new(name, "");
    pair.until_idle();
    pair.run_for(5_000);
    pair.written.clear();
    pair.run_for(20 * WATCH_MS);
    assert!((19..=21).contains(&pair.written.len()), "{}", pair.written.len());
    assert!(pair.others.iter().any(|f| matches!(f, Finding::Identity(text) if text.starts_with("address 1: "))));
}

pub fn assert_port_comes_back(name: &str) {
    let mut pair = Pair::new(name, "");
    pair.until_idle();
    pair.drive(&command(1, 12, true));
    pair.run(PATIENCE_MS, |p| p.board.turns().len() == 1);
    pair.port_away(60_000);
    pair.until_idle();
    assert_eq!(pair.ends, [outcome(Motor::Ok, DropSensor::Seen)]);
    assert_eq!(pair.board.turns().len(), 1);

    let mut pair = Pair::new(name, "");
    pair.until_idle();
    pair.drive(&command(1, 12, true));
    pair.driver.closed(pair.now);
    pair.run(0, |p| !p.ends.is_empty());
    assert_eq!(pair.ends, [Finding::NotTaken(Reason::BoardOffline)], "nothing had been fetched to be written");
}
