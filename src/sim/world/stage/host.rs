//! The process and its host: starts, boots, clocks, and the cuts that end them.

use super::{Happening, SESSION_EXPIRY_S, Stage};
use crate::board::driver::RecoveryClass;
use crate::board::driver_for;
use crate::core::event::Event;
use crate::core::{Core, Recovered, Start};
use crate::order::life::Order;
use crate::order::mark::{Mark, MarkId};
use crate::order::time::{BootId, BootMs};
use crate::sim::world::judge::{Broken, UnitId};
use crate::sim::world::plan::{Beat, BootClock, FIRST_COMMAND_MS, Fault, When, Whom};
use std::collections::BTreeSet;

/// A question that has left the agent reaches the board within this time, in ms.
const QUESTION_MS_MAX: u64 = 200;
/// A board that has power again may still drop what it is told for so long, in ms.
const BOARD_START_MS: u64 = 2_000;

impl Stage<'_> {
    pub(super) fn start(&mut self) -> Result<(), Broken> {
        if self.core.is_some() {
            return Ok(());
        }
        if self.now_ms < self.host.dark_until_ms {
            self.at(self.host.dark_until_ms, Happening::Start);
            return Ok(());
        }
        if let Some(clock) = self.host.reboots.take() {
            self.boot(clock);
        }
        self.life += 1;
        self.epoch = 0;
        self.started_at_ms = self.now_ms;
        let (life, boot) = (self.life, self.host.boot);
        self.story.tell(self.now_ms, || format!("AGENT starts, life {life}, boot {boot}"));
        let recovered = self.disk.open().map_err(|e| Broken::Journal(e.to_string()))?;
        if matches!(recovered, Recovered::Journal { ledger: None, .. }) {
            self.journal_began_ms = self.now_ms;
        }
        if self.disk.is_damaged() {
            self.call_a_person();
        }
        let mut settings = self.settings.clone();
        settings.boot_id = BootId([self.host.boot; 16]);
        settings.seed = self.chance.u64(..);
        let mark = Some(self.find_the_mark(settings.boot_id));
        let start = Start { driver: driver_for(&settings.profile), settings, mark };
        self.core = Some(Core::new(start, recovered, self.now()));
        self.tell(Event::Wake)?;
        let (port_ms, broker_ms) = (self.chance.u64(1..200), self.chance.u64(20..2_000));
        self.after(port_ms, Happening::OpenPort { life });
        self.after(broker_ms, Happening::Connect { life });
        Ok(())
    }

    /// The mark as the new life finds it. Now and then the configuration names another place for it.
    fn find_the_mark(&mut self, boot_id: BootId) -> Mark {
        if self.chance.u8(..16) == 0 {
            self.host.mark_at = 1 - self.host.mark_at;
            for unit in std::mem::take(&mut self.host.unwritten) {
                self.judge.doubt.leaves_alone(unit, self.now_ms);
            }
        }
        let id = MarkId(self.chance.u128(..).to_le_bytes());
        *self.host.marks[self.host.mark_at].get_or_insert(Mark { id, boot_id, written: 0 })
    }

    pub(super) fn write_the_mark(&mut self, written: u64) {
        self.story.tell(self.now_ms, || format!("the motor mark says {written}"));
        if let Some(mark) = &mut self.host.marks[self.host.mark_at] {
            (mark.boot_id, mark.written) = (BootId([self.host.boot; 16]), mark.written.max(written));
        }
    }

    pub(super) fn boot(&mut self, clock: BootClock) {
        self.host.boot += 1;
        // Both are in memory.
        (self.host.request, self.host.going) = (None, None);
        for mark in &mut self.host.marks {
            // Harsher than a tmpfs: what is left of it may be older than what was written last.
            match mark {
                Some(mark) if self.chance.bool() => mark.written = mark.written.saturating_sub(self.chance.u64(..4)),
                _ => *mark = None,
            }
        }
        for unit in std::mem::take(&mut self.host.unwritten) {
            self.judge.doubt.leaves_alone(unit, self.now_ms);
        }
        self.host.booted_at_ms = self.now_ms;
        let (error_ms, synchronised) = match clock {
            BootClock::Synchronised => (0, true),
            BootClock::Wrong(by_ms) => (by_ms, false),
            BootClock::Epoch => (-i64::try_from(self.true_ms()).unwrap_or(i64::MAX), false),
        };
        self.host.wall_error_ms = error_ms;
        self.host.synchronised = synchronised || self.is_calm;
        if self.host.synchronised {
            self.host.wall_error_ms = 0;
        } else {
            let boot = self.host.boot;
            let wait_ms = self.chance.u64(1_000..=self.plan.synchronised_within_ms);
            self.after(wait_ms, Happening::Synchronised { boot });
        }
        self.note_a_lie(false);
    }

    /// The time is wrong, and somebody vouches for it.
    pub(super) const fn note_a_lie(&mut self, vouched: bool) {
        self.judge.clock_lied |= self.host.wall_error_ms != 0 && (vouched || self.plan.trust_system_clock);
    }

    pub(super) fn synchronise(&mut self) {
        self.story.tell(self.now_ms, || "the clock is synchronised".to_owned());
        self.host.wall_error_ms = 0;
        self.host.synchronised = true;
    }

    /// The process is gone, however that came.
    pub(super) fn end_life(&mut self) {
        self.core = None;
        self.life += 1;
        self.line.open = None;
        self.broker.connection = None;
    }

    pub(super) fn cut(&mut self, whom: Whom, off_ms: u64, clock: BootClock) {
        self.story.tell(self.now_ms, || format!("CUT {whom:?}, off for {off_ms} ms"));
        if matches!(whom, Whom::Board | Whom::Both) {
            self.line.wire += 1;
            self.line.dark_until_ms = self.line.dark_until_ms.max(self.now_ms + off_ms);
            self.line.board.power_cycle(BootMs(self.now_ms));
            while self.line.board.next_output().is_some() {}
            self.at(self.line.dark_until_ms, Happening::BoardLit);
            self.judge.doubt.strikes(self.now_ms, self.line.dark_until_ms + BOARD_START_MS);
        }
        if whom == Whom::Board {
            self.board_cuts += 1;
            return;
        }
        if whom != Whom::Agent {
            // A computer that is just starting has no power either: it does not poll a dark board for a month.
            self.host.dark_until_ms = self.host.dark_until_ms.max(self.now_ms + off_ms);
        }
        if off_ms > SESSION_EXPIRY_S * 1_000 {
            self.broker.lose_session();
        }
        if self.core.is_none() {
            return;
        }
        self.cuts += 1;
        self.leave_the_line_alone();
        if whom == Whom::Agent {
            self.disk.process_dies(&mut self.chance);
        } else {
            self.spoil_the_journal();
            self.disk.power_goes(&mut self.chance);
            self.host.reboots = Some(clock);
            if self.chance.bool() {
                // What the kernel still had to send is gone with it.
                self.line.wire += 1;
            }
        }
        self.end_life();
        self.after(off_ms.max(1), Happening::Start);
    }

    /// Nobody listens any more: whose outcome nothing keeps may end unknown.
    pub(super) fn leave_the_line_alone(&mut self) {
        let unit_of = |order: Order| {
            order.unit_on_line().map(|(unit, intent)| (UnitId { key: order.key.clone(), unit }, intent.sequence))
        };
        let on_line: BTreeSet<(UnitId, u64)> = self.disk.may_be_on_line().filter_map(unit_of).collect();
        let written = self.host.marks[self.host.mark_at].map_or(u64::MAX, |mark| mark.written);
        for (unit, sequence) in on_line {
            if sequence > written {
                self.host.unwritten.push(unit);
            } else if !self.is_kept_by_the_board(&unit) {
                self.judge.doubt.leaves_alone(unit, self.now_ms);
            }
        }
    }

    /// The board keeps what became of this unit until the agent asks again: then its death is no excuse.
    fn is_kept_by_the_board(&self, unit: &UnitId) -> bool {
        let Some(turned_at_ms) = self.judge.turned_at_ms(unit) else { return false };
        match self.settings.profile.recovery_class {
            RecoveryClass::HeldUntilAcknowledged => true,
            // Once the motor stands the answer may have been read: by the agent that died, or by its last question, which
            // was on its way then.
            RecoveryClass::ReadClears => self.now_ms + QUESTION_MS_MAX < turned_at_ms + self.plan.turn_ms,
            // What these tell later is evidence at best, never kept for one agent alone.
            RecoveryClass::LastResult
            | RecoveryClass::Counters
            | RecoveryClass::PhysicalState
            | RecoveryClass::PushOnly
            | RecoveryClass::None => false,
        }
    }

    /// Power goes, and the plan says that the journal does not survive it.
    pub(super) fn spoil_the_journal(&mut self) {
        for fault in &self.plan.faults {
            if let Fault::Damage { at_ms, damage, .. } = *fault
                && at_ms <= self.now_ms
                && self.first_life == 0
                && self.disk.spoil(damage)
            {
                self.story.tell(self.now_ms, || format!("THE JOURNAL IS DAMAGED: {damage:?}"));
                return;
            }
        }
    }

    /// The journal is in quarantine: a person will come, once.
    fn call_a_person(&mut self) {
        if !std::mem::replace(&mut self.person_called, true) {
            let after_ms = self.plan.faults.iter().find_map(|fault| match *fault {
                Fault::Damage { person_after_ms, .. } => Some(person_after_ms),
                _ => None,
            });
            self.after(after_ms.unwrap_or(0), Happening::Person);
        }
    }

    /// A person stops the agent, accepts the loss and starts it again.
    pub(super) fn person(&mut self) -> Result<(), Broken> {
        self.story.tell(self.now_ms, || "a person accepts that the journal is lost".to_owned());
        self.tell(Event::Stop)?;
        if self.core.is_some() {
            return Err(Broken::QuarantineBroken("asked to stop, it goes on"));
        }
        self.disk.accept_loss();
        self.first_life = self.life + 1;
        self.judge.journal_lost();
        Ok(())
    }

    /// Counts an instant, and cuts if the plan says so. `before` or after what makes it.
    pub(super) fn beat(&mut self, beat: Beat, before: bool) {
        let count = self.beats.entry(beat).or_default();
        *count += u32::from(before);
        let now = if before { When::Before(beat, *count) } else { When::After(beat, *count) };
        if self.is_calm {
            return;
        }
        while let Some(at) = self.cuts_at.iter().position(|(when, _)| *when == now) {
            let (_, fault) = self.cuts_at.swap_remove(at);
            self.planned_cut(fault);
        }
        if self.core.is_some()
            && self.now_ms >= FIRST_COMMAND_MS
            && let Some(&(places, fault)) = self.storm.last()
        {
            self.places += 1;
            if self.places >= places {
                self.places = 0;
                self.storm.pop();
                self.planned_cut(fault);
            }
        }
    }

    fn planned_cut(&mut self, fault: usize) {
        if let Some(&Fault::Cut { whom, off_ms, clock, .. }) = self.plan.faults.get(fault) {
            self.cut(whom, off_ms, clock);
        }
    }
}
