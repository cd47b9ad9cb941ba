//! A driver against its board in simulated time, with a stand-in for the core: a journal of intents and outcomes that
//! survives crashes of the agent. Shared by the tests of the families.

use super::Emulator;
use crate::board::driver::{
    Address, Driver, Finding, FloorType, LineState, MotorCommand, Output, Reference, Slot, Tally, Written,
};
use crate::board::driver_for;
use crate::board::profile::Profile;
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::time::BootMs;
use std::collections::VecDeque;
use std::path::Path;

/// How long a byte is under way, in each direction.
const WIRE_MS: u64 = 2;
/// More things than this do not happen in one millisecond: the driver spins.
const EVENTS_A_MS_MAX: u32 = 200;

/// What the journal knows of one intent.
pub(super) struct Intent {
    pub(super) command: MotorCommand,
    pub(super) reference: Reference,
    pub(super) driven_at: BootMs,
    pub(super) outcome: Option<Evidence>,
    pub(super) not_taken: bool,
    pub(super) unproven: bool,
    pub(super) late: Option<Evidence>,
}

impl Intent {
    pub(super) fn is_resolved(&self) -> bool {
        self.outcome.is_some() || self.not_taken || self.unproven
    }
}

/// Something cut the agent or the board at this step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Agent,
    Board,
    /// Both lose their power; the agent is back after so many milliseconds.
    Both {
        away_ms: u64,
    },
}

pub(super) struct Duel<E> {
    profile: Profile,
    pub(super) board: E,
    driver: Box<dyn Driver>,
    pub(super) now: BootMs,
    pub(super) intents: Vec<Intent>,
    pub(super) findings: Vec<Finding>,
    /// How long an outcome takes to become durable.
    pub(super) sync_ms: u64,
    /// Writes of motor frames that fail in this way, in turn, before they work.
    pub(super) failing_writes: VecDeque<Written>,
    release_at: Option<BootMs>,
    unsynced: Option<Finding>,
    to_board: VecDeque<(BootMs, Vec<u8>)>,
    to_driver: VecDeque<(BootMs, Vec<u8>)>,
    lives: u32,
    pub(super) steps: u32,
    pub(super) cut: Option<(u32, Cut)>,
    events_this_ms: u32,
}

pub(super) fn profile(name: &str) -> Profile {
    let mut profile = Profile::find(name, Path::new(".")).unwrap();
    // Longer than the turn, a late result and all its copies; short enough for thousands of runs.
    profile.timing.longest_vend_ms = 8_000;
    profile
}

pub(super) fn command(slot: u16) -> MotorCommand {
    MotorCommand {
        address: Address::new(1).unwrap(),
        slot: Slot(slot),
        floor_type: FloorType::Spring,
        lift: false,
        drop_check: true,
    }
}

impl<E: Emulator> Duel<E> {
    pub(super) fn new(profile: &Profile, board: E) -> Self {
        let mut duel = Duel {
            profile: profile.clone(),
            board,
            driver: driver_for(profile),
            now: BootMs(0),
            intents: Vec::new(),
            findings: Vec::new(),
            sync_ms: 5,
            failing_writes: VecDeque::new(),
            release_at: None,
            unsynced: None,
            to_board: VecDeque::new(),
            to_driver: VecDeque::new(),
            lives: 0,
            steps: 0,
            cut: None,
            events_this_ms: 0,
        };
        duel.driver.opened(duel.now);
        duel
    }

    pub(super) fn state(&self) -> LineState {
        self.driver.state()
    }

    /// The agent dies and comes back: all that is not in the journal or on the line is gone.
    pub(super) fn restart_agent(&mut self) {
        self.lives += 1;
        self.driver = driver_for(&self.profile);
        self.to_driver.clear();
        self.release_at = None;
        self.unsynced = None;
        if let Some(last) = self.intents.last() {
            self.driver.last_reference(&last.reference);
            if last.outcome.is_none() && last.late.is_none() {
                self.driver.may_still_turn();
            }
            if !last.is_resolved() {
                self.driver.resume(self.now, &last.command, &last.reference);
            }
        }
        self.driver.opened(self.now);
    }

    /// The agent is dead for so long; something happens to the board meanwhile.
    pub(super) fn agent_away(&mut self, ms: u64, meanwhile: impl Fn(&mut E, BootMs)) {
        let back_at = self.now.plus_ms(ms);
        for (at, bytes) in std::mem::take(&mut self.to_board) {
            self.board.received(at, &bytes);
        }
        let mut is_over = false;
        while let Some(at) = self.board.deadline().filter(|&at| at < back_at) {
            self.now = at.max(self.now);
            self.board.wake(self.now);
            // In the middle: after what was under way.
            if !is_over && back_at.since_ms(self.now) < ms / 2 {
                is_over = true;
                meanwhile(&mut self.board, self.now);
            }
            while self.board.next_output().is_some() {}
        }
        assert!(is_over, "the board does nothing while the agent is away");
        self.now = back_at;
        self.restart_agent();
    }

    /// Agent and board lose their power, and what was on the line is gone.
    fn restart_both(&mut self, away_ms: u64) {
        self.board.power_cycle(self.now);
        self.to_board.clear();
        let back_at = self.now.plus_ms(away_ms);
        // What the board says of its start nobody hears, unless the agent is there already.
        if away_ms > 0 {
            while self.board.next_output().is_some() {}
        }
        while let Some(at) = self.board.deadline().filter(|&at| at < back_at) {
            self.board.wake(at.max(self.now));
            while self.board.next_output().is_some() {}
        }
        self.now = back_at;
        self.restart_agent();
    }

    /// The host waits for its disk, and neither hears nor says anything; the board goes on.
    pub(super) fn wait_for_the_disk(&mut self, ms: u64) {
        let until = self.now.plus_ms(ms);
        loop {
            let at = [self.board.deadline(), self.to_board.front().map(|(at, _)| *at)];
            let Some(at) = at.into_iter().flatten().min().filter(|&at| at < until) else { break };
            self.now = at.max(self.now);
            match self.to_board.pop_front_if(|(at, _)| *at <= self.now) {
                Some((_, bytes)) => self.board.received(self.now, &bytes),
                None => self.board.wake(self.now),
            }
            while let Some(bytes) = self.board.next_output() {
                self.to_driver.push_back((self.now.plus_ms(WIRE_MS), bytes));
            }
        }
        self.now = until;
        while let Some((_, bytes)) = self.to_driver.pop_front_if(|(at, _)| *at <= until) {
            self.driver.received(until, until, &bytes);
            self.pump();
        }
        if self.release_at.take_if(|at| *at <= until).is_some() {
            self.made_durable();
        }
        self.driver.wake(until);
        self.pump();
    }

    /// Nothing will ever happen again.
    pub(super) fn is_at_rest(&self) -> bool {
        self.driver.deadline().is_none()
            && self.board.deadline().is_none()
            && self.to_driver.is_empty()
            && self.to_board.is_empty()
            && self.release_at.is_none()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.driver.is_silent()
    }

    /// What passed over the line in this life.
    pub(super) fn tally(&self) -> Tally {
        self.driver.tally()
    }

    /// The port goes away and comes back at once.
    pub(super) fn replug(&mut self) {
        self.driver.closed(self.now);
        self.pump();
        self.to_driver.clear();
        self.driver.opened(self.now);
        self.pump();
    }

    pub(super) fn give_up(&mut self) {
        self.driver.give_up(self.now);
        self.intents.last_mut().unwrap().unproven = true;
        self.pump();
    }

    fn step(&mut self) {
        self.steps += 1;
        match self.cut.take_if(|(at, _)| *at == self.steps) {
            Some((_, Cut::Agent)) => self.restart_agent(),
            Some((_, Cut::Board)) => self.board.power_cycle(self.now),
            Some((_, Cut::Both { away_ms })) => self.restart_both(away_ms),
            None => {}
        }
    }

    fn pump(&mut self) {
        self.step();
        while let Some(output) = self.driver.next_output() {
            match output {
                Output::Finding(finding) => self.finding(finding),
                Output::Write(write) => {
                    let in_time = write.not_after.is_none_or(|t| self.now <= t);
                    let written = if !write.motor || !in_time {
                        if in_time { Written::All } else { Written::Nothing }
                    } else {
                        self.failing_writes.pop_front().unwrap_or(Written::All)
                    };
                    let life = self.lives;
                    self.step();
                    if self.lives != life {
                        // Died before the write.
                        continue;
                    }
                    let sent = match written {
                        Written::All => write.bytes.len(),
                        Written::Some => write.bytes.len() / 2,
                        Written::Nothing => 0,
                    };
                    if sent > 0 {
                        self.to_board.push_back((self.now.plus_ms(WIRE_MS), write.bytes[..sent].to_vec()));
                    }
                    self.step();
                    // Otherwise died after the write.
                    if write.motor && self.lives == life {
                        self.driver.motor_written(self.now, written);
                    }
                }
            }
        }
        while let Some(bytes) = self.board.next_output() {
            self.to_driver.push_back((self.now.plus_ms(WIRE_MS), bytes));
        }
    }

    fn finding(&mut self, finding: Finding) {
        match &finding {
            Finding::Outcome(_) | Finding::Late { .. } => {
                self.unsynced = Some(finding.clone());
                self.release_at = Some(self.now.plus_ms(self.sync_ms));
            }
            Finding::NotTaken(_) => self.open_intent().not_taken = true,
            Finding::Unproven(_) => self.open_intent().unproven = true,
            _ => {}
        }
        self.findings.push(finding);
    }

    fn open_intent(&mut self) -> &mut Intent {
        let intent = self.intents.last_mut().expect("a finding about a command, and no command was given");
        assert!(!intent.is_resolved(), "a command ended twice");
        intent
    }

    fn made_durable(&mut self) {
        match self.unsynced.take() {
            Some(Finding::Outcome(evidence)) => self.open_intent().outcome = Some(evidence),
            Some(Finding::Late { slot, evidence, .. }) => {
                let intent = self.intents.last_mut().unwrap();
                assert!(intent.unproven && slot.is_none_or(|s| s == intent.command.slot), "late for nothing");
                intent.late = Some(evidence);
            }
            _ => {}
        }
        self.step();
        self.driver.release(self.now);
    }

    /// Lets one thing happen, the earliest.
    pub(super) fn tick(&mut self) {
        let at = [
            self.driver.deadline(),
            self.board.deadline(),
            self.release_at,
            self.to_board.front().map(|(at, _)| *at),
            self.to_driver.front().map(|(at, _)| *at),
        ];
        let next = at.into_iter().flatten().min().expect("nothing will ever happen again").max(self.now);
        self.events_this_ms = if next == self.now { self.events_this_ms + 1 } else { 0 };
        assert!(self.events_this_ms < EVENTS_A_MS_MAX, "somebody spins at {next:?}");
        self.now = next;
        if self.to_board.front().is_some_and(|(at, _)| *at <= next) {
            let (_, bytes) = self.to_board.pop_front().unwrap();
            self.board.received(next, &bytes);
        } else if self.to_driver.front().is_some_and(|(at, _)| *at <= next) {
            let (_, bytes) = self.to_driver.pop_front().unwrap();
            self.driver.received(next, next, &bytes);
        } else if self.release_at.take_if(|at| *at <= next).is_some() {
            self.made_durable();
        } else if self.board.deadline().is_some_and(|at| at <= next) {
            self.board.wake(next);
        } else {
            self.driver.wake(next);
        }
        self.pump();
    }

    /// Lets things happen until `done`, or panics after `ms`.
    pub(super) fn until(&mut self, ms: u64, what: &str, done: impl Fn(&Self) -> bool) {
        let limit = self.now.plus_ms(ms);
        while !done(self) {
            assert!(self.now < limit, "{what}: not within {ms} ms; {:?}, {:?}", self.state(), self.findings);
            if self.is_at_rest() {
                panic!("{what}: nothing will ever happen; {:?}, {:?}", self.state(), self.findings);
            }
            self.tick();
        }
    }

    /// Lets things happen for a time.
    pub(super) fn run_for(&mut self, ms: u64) {
        let limit = self.now.plus_ms(ms);
        while self.now < limit {
            if self.is_at_rest() {
                self.now = limit;
                break;
            }
            self.tick();
        }
    }

    pub(super) fn until_idle(&mut self) {
        self.until(30_000, "idle", |d| d.state() == LineState::Idle);
    }

    /// Writes an intent and drives it.
    pub(super) fn drive(&mut self, slot: u16) {
        self.drive_this(&command(slot));
    }

    pub(super) fn drive_this(&mut self, command: &MotorCommand) {
        self.until_idle();
        let reference = self.driver.reference(command);
        assert!(reference.0.len() <= Reference::BYTES_MAX);
        self.intents.push(Intent {
            command: *command,
            reference: reference.clone(),
            driven_at: self.now,
            outcome: None,
            not_taken: false,
            unproven: false,
            late: None,
        });
        self.driver.drive(self.now, command, &reference);
        self.pump();
    }

    /// Drives one unit to its end.
    pub(super) fn vend(&mut self, slot: u16) -> &Intent {
        self.drive(slot);
        self.until(30_000, "the end of a vend", |d| d.intents.last().unwrap().is_resolved());
        self.intents.last().unwrap()
    }

    /// No more turns than commands, each of its own command, and nothing said that the turns contradict.
    pub(super) fn check(&self, story: &str) {
        let mut turns = self.board.turns().iter().peekable();
        for (i, intent) in self.intents.iter().enumerate() {
            let end = self.intents.get(i + 1).map(|next| next.driven_at);
            let mut own = Vec::new();
            while let Some(turn) = turns.next_if(|t| end.is_none_or(|end| t.at < end)) {
                assert!(turn.at >= intent.driven_at, "{story}: a turn before its intent");
                assert_eq!(turn.slot, intent.command.slot.0, "{story}: a foreign slot turned");
                own.push(turn);
            }
            assert!(own.len() <= 1, "{story}: unit {i} turned {} times", own.len());
            assert!(!intent.not_taken || own.is_empty(), "{story}: unit {i} turned and was called not taken");
            for evidence in [intent.outcome, intent.late].into_iter().flatten() {
                let turned = !matches!(evidence.motor, Motor::Open | Motor::Absent);
                // A fault of the drive that the board does not name may have kept the motor from turning.
                let is_named = evidence.motor != Motor::Timeout;
                assert!(turned != own.is_empty() || !is_named, "{story}: unit {i}: {evidence:?} against {own:?}");
                let fell = own.iter().any(|t| t.dropped);
                match evidence.drop_sensor {
                    DropSensor::Seen => assert!(fell, "{story}: unit {i}: nothing fell"),
                    DropSensor::NotSeen => assert!(!fell, "{story}: unit {i}: goods fell"),
                    DropSensor::None => {}
                }
            }
        }
        assert!(turns.next().is_none(), "{story}: a turn of no command");
    }
}

pub(super) mod tests;
