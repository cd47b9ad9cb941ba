//! A driver in simulated time between a script and the promises of `board::driver`.

use super::Script;
use vend::board::driver::{
    Address, Driver, Finding, FloorType, LineState, MotorCommand, Output, RecoveryClass, Reference, Slot, Write,
    Written,
};
use vend::board::driver_for;
use vend::board::profile::Profile;
use vend::board::service::{ClimateMode, Device, Service};
use vend::order::outcome::Reason;
use vend::order::time::BootMs;

/// What a family adds.
pub trait Family {
    /// Any frame that a board of the family could send, with a good check sum.
    fn board_frame(script: &mut Script, profile: &Profile) -> Vec<u8>;

    /// Whether these bytes are a whole frame of the host, and if so whether it turns a motor.
    fn turns_motor(bytes: &[u8], profile: &Profile) -> Option<bool>;

    /// The line says nothing at all while an outcome is not released.
    const SILENT_WHILE_HELD: bool;
}

/// The command of the running `drive` or `resume`.
struct Running {
    resumed: bool,
    /// A motor frame was given out and its write has not ended with "nothing".
    given: bool,
    /// The kernel took some of it.
    written: bool,
    heard_since: bool,
    /// A board that answers before the kernel says that nothing was written has heard it (order-life, rule 18).
    heard_first: bool,
}

/// One driver and what it owes.
pub struct Line {
    profile: Profile,
    driver: Box<dyn Driver>,
    now: BootMs,
    read_at: BootMs,
    is_open: bool,
    running: Option<Running>,
    /// Something is wanted of the board beside a vend.
    serving: bool,
    /// The result of a motor frame's write is not told yet.
    write_pending: bool,
    release_pending: bool,
}

/// More outputs than this for one call, and a queue grows without end.
const OUTPUTS_MAX: usize = 32;
/// A command that is over only after so many wakes spins.
const WAKES_MAX: usize = 2_000;
/// Beyond the longest vend a driver needs at most: a poll to be offered at (5 s), and the silence after it.
const PATIENCE_MS: u64 = 15_000;

impl Line {
    /// Plays the script against a fresh driver.
    pub fn play<F: Family>(profile: &Profile, script: &mut Script) {
        let mut line = Line {
            profile: profile.clone(),
            driver: driver_for(profile),
            now: BootMs(1_000),
            read_at: BootMs(1_000),
            is_open: false,
            running: None,
            serving: false,
            write_pending: false,
            release_pending: false,
        };
        if script.byte() & 1 == 1 {
            line.resume(script);
            line.settle::<F>(0);
        }
        while !script.is_over() {
            let bytes = line.step::<F>(script);
            line.settle::<F>(bytes);
        }
        line.finish::<F>();
    }

    fn command(&self, script: &mut Script) -> MotorCommand {
        let (place, switches) = (script.byte(), script.byte());
        let count = self.profile.addresses.count.max(1);
        MotorCommand {
            address: Address::new(1 + (place >> 5) % count).expect("1 to count"),
            slot: Slot(if place & 0x1F == 0x1F { script.u16() } else { u16::from(place & 0x1F) }),
            floor_type: [FloorType::Spring, FloorType::Lock, FloorType::Belt][usize::from(switches >> 2) % 3],
            lift: switches & 1 == 1,
            drop_check: switches & 2 == 2,
        }
    }

    fn service(&self, script: &mut Script) -> Service {
        let (kind, detail) = (script.byte(), script.byte());
        let address = Address::new(1 + (kind >> 5) % self.profile.addresses.count.max(1)).expect("1 to count");
        let device = Device::ALL[usize::from(detail >> 1) % Device::ALL.len()];
        let mode = [ClimateMode::Off, ClimateMode::Cool, ClimateMode::Heat][usize::from(detail) % 3];
        match kind & 0x1F {
            0 => Service::SelfCheck { address },
            1 => Service::Door { address },
            2 => Service::Climate { address },
            3 => Service::Switch { address, device, on: detail & 1 == 1 },
            4 => Service::Hold { address, mode, target_c: detail.cast_signed() },
            5 => Service::Reset { address },
            _ => Service::SlotState { address, slot: Slot(detail.into()) },
        }
    }

    fn resume(&mut self, script: &mut Script) {
        let command = self.command(script);
        let reference = Reference(script.piece().iter().copied().take(Reference::BYTES_MAX).collect());
        self.running =
            Some(Running { resumed: true, given: false, written: false, heard_since: false, heard_first: false });
        self.driver.last_reference(&reference);
        self.driver.resume(self.now, &command, &reference);
    }

    /// Does one thing; returns how many bytes the board said.
    fn step<F: Family>(&mut self, script: &mut Script) -> usize {
        match script.byte() % 16 {
            0 => self.pass(u64::from(script.u16() % 4_096)),
            1 => self.pass(u64::from(script.u16()) * 16),
            2 | 3 => {
                let due = self.driver.deadline().unwrap_or(self.now).max(self.now);
                self.pass(due.since_ms(self.now));
            }
            4 => {
                let said = script.piece();
                return self.hear(script, said);
            }
            5..=7 => {
                let said = F::board_frame(script, &self.profile);
                return self.hear(script, &said);
            }
            8 => {
                let said = F::board_frame(script, &self.profile);
                let said = super::one_byte_changed(&said, script);
                return self.hear(script, &said);
            }
            9 | 10 if self.driver.state() == LineState::Idle => {
                if std::mem::take(&mut self.release_pending) {
                    self.driver.release(self.now);
                    self.settle::<F>(0);
                }
                if self.driver.state() == LineState::Idle {
                    let command = self.command(script);
                    let reference = self.driver.reference(&command);
                    assert!(reference.0.len() <= Reference::BYTES_MAX, "{reference:?}");
                    self.running = Some(Running {
                        resumed: false,
                        given: false,
                        written: false,
                        heard_since: false,
                        heard_first: false,
                    });
                    self.driver.drive(self.now, &command, &reference);
                }
            }
            11 if self.release_pending => {
                self.release_pending = false;
                self.driver.release(self.now);
            }
            11 if self.driver.state() == LineState::Idle => {
                let service = self.service(script);
                if self.driver.serves(&service) {
                    self.serving = true;
                    self.driver.serve(self.now, &service);
                }
            }
            12 if self.write_pending => {
                self.written([Written::All, Written::Some, Written::Nothing][usize::from(script.byte()) % 3]);
            }
            13 if self.is_open => {
                if self.write_pending && script.byte() & 1 == 1 {
                    self.written(Written::Nothing);
                    self.settle::<F>(0);
                }
                // Otherwise nobody ever learns how the write ended.
                self.write_pending = false;
                self.is_open = false;
                self.driver.closed(self.now);
            }
            14 if !self.is_open => self.open(),
            15 if self.running.is_some() => {
                self.running = None;
                self.write_pending = false;
                self.driver.give_up(self.now);
            }
            _ => {}
        }
        0
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.driver.wake(self.now);
    }

    fn open(&mut self) {
        self.is_open = true;
        self.driver.opened(self.now);
    }

    fn hear(&mut self, script: &mut Script, bytes: &[u8]) -> usize {
        if !self.is_open {
            return 0;
        }
        let late_ms = u64::from(script.byte() % 64);
        self.read_at = self.read_at.max(BootMs(self.now.0.saturating_sub(late_ms)));
        if let Some(running) = &mut self.running {
            running.heard_since = true;
        }
        self.driver.received(self.now, self.read_at, bytes);
        bytes.len()
    }

    fn written(&mut self, written: Written) {
        self.write_pending = false;
        if let Some(running) = &mut self.running {
            running.given = written != Written::Nothing;
            running.heard_first |= written == Written::Nothing && running.heard_since;
            running.written = written != Written::Nothing;
        }
        self.driver.motor_written(self.now, written);
    }

    /// Takes what the driver wants, and holds its state against its promises.
    fn settle<F: Family>(&mut self, bytes: usize) {
        self.drain::<F>(bytes);
        if self.driver.deadline().is_some_and(|due| due <= self.now) {
            self.driver.wake(self.now);
            self.drain::<F>(0);
            let due = self.driver.deadline();
            assert!(due.is_none_or(|due| due > self.now), "woken at {:?}, wants {due:?}: it spins", self.now);
        }
        let state = self.driver.state();
        assert_eq!(state == LineState::Closed, !self.is_open, "{state:?}");
        assert!(self.running.is_none() || state != LineState::Idle, "idle with a command under way");
        assert!(!self.serving || state != LineState::Idle, "idle while something is served");
        if F::SILENT_WHILE_HELD && self.release_pending {
            assert!(matches!(state, LineState::Held | LineState::Closed), "{state:?} before the release");
        }
    }

    fn drain<F: Family>(&mut self, bytes: usize) {
        let mut outputs = 0;
        while let Some(output) = self.driver.next_output() {
            outputs += 1;
            assert!(outputs <= OUTPUTS_MAX + 2 * bytes, "{outputs} outputs for {bytes} bytes");
            match output {
                Output::Write(write) => self.write::<F>(&write),
                Output::Finding(finding) => self.finding(&finding),
            }
        }
    }

    fn write<F: Family>(&mut self, write: &Write) {
        assert_eq!(F::turns_motor(&write.bytes, &self.profile), Some(write.motor), "{write:02x?}");
        assert!(!(F::SILENT_WHILE_HELD && self.release_pending), "said before the release: {write:02x?}");
        if write.motor {
            let running = self.running.as_mut().expect("a motor frame without a command");
            assert!(!running.resumed, "a motor frame for a resumed command");
            assert!(!running.given, "a second motor frame for one command");
            running.given = true;
            running.heard_since = false;
            self.write_pending = true;
        }
    }

    fn finding(&mut self, finding: &Finding) {
        match finding {
            Finding::Taken | Finding::Progress(_) => assert!(self.running.is_some(), "{finding:?} without a command"),
            Finding::Outcome(_) => {
                let running = self.running.take().expect("an outcome without a command");
                let may_have_heard = running.given || running.resumed || running.heard_first;
                assert!(may_have_heard, "an outcome of a command that was never given out");
                assert!(running.heard_since, "an outcome that nobody told");
                self.release_pending = true;
            }
            Finding::NotTaken(reason) => {
                let running = self.running.take().expect("a refusal without a command");
                let silent = *reason == Reason::BoardOffline;
                assert!(!(silent && running.written), "offline, and the kernel took bytes of the command");
            }
            Finding::Unproven(_) => {
                self.running.take().expect("no proof of no command");
            }
            Finding::Late { address, .. } => {
                assert!(address.get() <= self.profile.addresses.count, "{finding:?}");
                self.release_pending = true;
            }
            Finding::Served(_) => assert!(std::mem::take(&mut self.serving), "nobody waits: {finding:?}"),
            Finding::Selected { address, .. } => assert!(address.get() <= self.profile.addresses.count, "{finding:?}"),
            Finding::BoardRestarted | Finding::Identity(_) | Finding::Fault(_) => {}
        }
        if self.running.is_none() {
            self.write_pending = false;
        }
    }

    /// With an open port and a silent board every command comes to its end.
    fn finish<F: Family>(&mut self) {
        if self.write_pending {
            self.written(Written::All);
        }
        if !self.is_open {
            self.open();
        }
        self.settle::<F>(0);
        let end = self.now.plus_ms(2 * self.profile.timing.longest_vend_ms + PATIENCE_MS);
        for _ in 0..WAKES_MAX {
            if self.running.is_none() && !self.serving {
                return;
            }
            if std::mem::take(&mut self.release_pending) {
                self.driver.release(self.now);
                self.settle::<F>(0);
                continue;
            }
            if self.write_pending {
                self.written(Written::All);
                self.settle::<F>(0);
                continue;
            }
            let due = self.driver.deadline().expect("a running command without a deadline never ends");
            assert!(due <= end, "the command goes on beyond its longest time");
            self.pass(due.since_ms(self.now));
            self.settle::<F>(0);
        }
        assert!(self.running.is_none() && !self.serving, "the command does not end");
    }
}

/// The built-in profile, perhaps with the lower recovery class.
pub fn profile_of(name: &str, remembers: bool) -> Profile {
    let (_, text) = Profile::built_in().into_iter().find(|(known, _)| *known == name).expect("a built-in profile");
    let mut profile = Profile::parse(name, text).expect("a good profile");
    if !remembers {
        profile.recovery_class = RecoveryClass::None;
    }
    profile
}
