//! A driver in simulated time with the test as its board, byte for byte, and an emulated board with the test as its
//! host: what the tests of published frames need.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::path::Path;
use vend::board::driver::{Address, Driver, Finding, FloorType, LineState, MotorCommand, Output, Slot, Written};
use vend::board::driver_for;
use vend::board::profile::Profile;
use vend::order::time::BootMs;
use vend::sim::board::emulator_for;
use vend::sim::board::fault::Faults;

pub fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// A built-in profile with one board.
pub fn profile(name: &str) -> Profile {
    let mut profile = Profile::find(name, Path::new(".")).unwrap();
    profile.addresses.count = 1;
    profile
}

pub fn command(slot: u16, drop_check: bool) -> MotorCommand {
    let address = Address::new(1).unwrap();
    MotorCommand { address, slot: Slot(slot), floor_type: FloorType::Spring, lift: false, drop_check }
}

/// The driver's side.
pub struct Line {
    pub driver: Box<dyn Driver>,
    pub now: BootMs,
    findings: Vec<Finding>,
}

impl Line {
    pub fn open(profile: &Profile) -> Line {
        let mut driver = driver_for(profile);
        driver.opened(BootMs(0));
        Line { driver, now: BootMs(0), findings: Vec::new() }
    }

    pub fn drive(&mut self, slot: u16, drop_check: bool) {
        assert_eq!(self.driver.state(), LineState::Idle);
        let command = command(slot, drop_check);
        let reference = self.driver.reference(&command);
        self.driver.drive(self.now, &command, &reference);
    }

    /// The next frame that the driver writes is this one.
    pub fn expect(&mut self, frame: &str) {
        for _ in 0..100 {
            while let Some(output) = self.driver.next_output() {
                match output {
                    Output::Write(write) => {
                        assert_eq!(write.bytes, hex(frame), "{frame}");
                        if write.motor {
                            self.driver.motor_written(self.now, Written::All);
                        }
                        return;
                    }
                    Output::Finding(finding) => self.findings.push(finding),
                }
            }
            self.now = self.now.max(self.driver.deadline().expect("the driver has something to do"));
            self.driver.wake(self.now);
        }
        panic!("nothing was written instead of {frame}");
    }

    pub fn say(&mut self, frame: &str) {
        self.driver.received(self.now, self.now, &hex(frame));
    }

    /// Questions and their answers, in this order.
    pub fn talk(&mut self, exchanges: &[(&str, &str)]) {
        for (question, answer) in exchanges {
            self.expect(question);
            self.say(answer);
        }
    }

    pub fn found(&mut self) -> Vec<Finding> {
        while let Some(Output::Finding(finding)) = self.driver.next_output() {
            self.findings.push(finding);
        }
        std::mem::take(&mut self.findings)
    }
}

/// After these exchanges one question is open, and its good answer makes the line idle: in any cut and between other
/// bytes. The bad ones do not, in no cut.
pub fn assert_only_the_good_frame_answers(
    profile: &Profile,
    before: &[(&str, &str)],
    question: &str,
    good: &str,
    bad: &[&str],
) {
    let after = |bytes: &[u8], cut: usize| {
        let mut line = Line::open(profile);
        line.talk(before);
        line.expect(question);
        let (first, second) = bytes.split_at(cut);
        line.driver.received(line.now, line.now, first);
        line.driver.received(line.now, line.now, second);
        line.driver.state()
    };
    for good in [good.to_owned(), format!("00 FF {good}"), format!("{good} 55"), format!("7F {good} 00 01")] {
        let bytes = hex(&good);
        for cut in 0..=bytes.len() {
            assert_eq!(after(&bytes, cut), LineState::Idle, "{good} cut at {cut}");
        }
    }
    for bad in bad {
        let bytes = hex(bad);
        for cut in 0..=bytes.len() {
            assert_eq!(after(&bytes, cut), LineState::Settling, "{bad} cut at {cut}");
        }
    }
}

/// Time, question and answers of the emulated board, byte for byte.
pub fn assert_answers(profile: &Profile, fault: &str, turn_ms: u64, conversation: &[(u64, &str, &[&str])]) {
    let faults: Vec<_> = fault.split_whitespace().map(|f| f.parse().unwrap()).collect();
    let mut board = emulator_for(profile, turn_ms, Faults::new(faults));
    for (at, question, answers) in conversation {
        match *question {
            "" => board.wake(BootMs(*at)),
            question => board.received(BootMs(*at), &hex(question)),
        }
        for answer in *answers {
            assert_eq!(board.next_output(), Some(hex(answer)), "{question} at {at}");
        }
        assert_eq!(board.next_output(), None, "{question} at {at}");
    }
}
