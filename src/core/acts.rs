//! What the machine does to itself: start anew, switch off. Only while no order is open, only after its audit entry is
//! durable, and never twice for one instruction.
//!
//! An act waits until no order is on the line and none waits for it; from then on the line is held, and orders that come
//! wait, durable. When the entry says *under way* and is durable, it is looked once more whether an order came meanwhile,
//! and the request leaves. Only the life that made the entry durable sends the request: a later life finds the entry and
//! concludes from the boot what became of it.

use super::event::{Effect, MachineRequest, MachineTold};
use super::instructions::cut;
use super::{Core, Phase};
use crate::board::driver::LineState;
use crate::core::commit::After;
use crate::order::instruction::{Act, Became, Kind, Permission, Who};
use crate::order::record::RecordKey;
use crate::order::schedule::LOOK_AGAIN_S;
use crate::order::time::{BootMs, Now};
use crate::sabotage::{self, Clause};

/// An act waits so long for the orders, in ms, then it is given up: no order waits longer (rule 27).
pub const ACT_WAIT_MS: u64 = 1_200_000;
/// After a request the machine is gone within this time, in ms: systemd asks the agent to end within seconds. Long
/// enough for a slow controller, short enough for customers who wait.
pub const ACT_TAKES_MS: u64 = 90_000;

/// Where an act stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// For the orders.
    Waiting,
    /// For its entry to be durable.
    Committing,
    /// The request has left.
    Asked {
        /// When.
        at: BootMs,
    },
    /// The request is being taken back.
    Withdrawing,
    /// Found at start, of an earlier life in this boot: the request may have left.
    Found,
    /// That life's request was taken by whoever acts on it: the machine is going, or never will.
    Left {
        /// Since when this is known.
        at: BootMs,
    },
}

/// An act that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    /// Of its audit entry.
    number: u64,
    act: Act,
    since: BootMs,
    stage: Stage,
    /// It is of an earlier life.
    is_found: bool,
}

impl Pending {
    pub(super) const fn deadline(&self) -> Option<BootMs> {
        match self.stage {
            Stage::Waiting => Some(self.since.plus_ms(ACT_WAIT_MS)),
            Stage::Asked { at } | Stage::Left { at } => Some(at.plus_ms(ACT_TAKES_MS)),
            Stage::Committing | Stage::Withdrawing | Stage::Found => None,
        }
    }
}

impl Core {
    /// The machine is about to go: no motor may be driven any more.
    pub(super) fn machine_is_going(&self) -> bool {
        let act = self.instructions.act.as_ref();
        act.is_some_and(|act| act.stage != Stage::Waiting) && !sabotage::is_out(Clause::R00ActHoldsTheLine)
    }

    /// At start: an entry that says that something waits or is under way.
    pub(super) fn find_what_became_of(&mut self, now: Now, number: u64) {
        let Some(entry) = self.instructions.entry(number) else { return };
        let (became, kind, since, act) = (entry.became, entry.kind, entry.boot, entry.act());
        let is_this_boot = entry.boot_id == self.settings.boot_id;
        if kind.is_test_vend() {
            // Its test vend is still to be found among the orders.
            self.tests.is_audited_as(number);
            return;
        }
        let Some(act) = act else {
            // What the board was doing for a person when the agent ended, too.
            let begun = self.instructions.entry(number).map(|entry| entry.detail.to_string()).unwrap_or_default();
            self.end_act(number, Became::Unknown, &format!("{begun}: the agent ended meanwhile"));
            return;
        };
        let pending = |stage, is_found| Pending { number, act, since: since.min(now.boot), stage, is_found };
        match (became, is_this_boot) {
            (Became::Waiting, true) => self.instructions.act = Some(pending(Stage::Waiting, false)),
            (Became::Waiting, false) => {
                self.end_act(number, Became::Overtaken, "the machine started anew before it was its turn");
            }
            (_, true) if sabotage::is_out(Clause::R00ActOnce) => {
                self.instructions.act = Some(pending(Stage::Waiting, false));
            }
            (_, true) => self.instructions.act = Some(pending(Stage::Found, true)),
            (_, false) if kind == Kind::Reboot => self.end_act(number, Became::Done, "the machine has started anew"),
            (_, false) => {
                self.end_act(number, Became::Unknown, "the machine has started anew; nothing proves that it was off");
            }
        }
    }

    /// A new act begins to wait.
    pub(super) fn wait_to_act(&mut self, now: Now, number: u64) {
        let Some(act) = self.instructions.entry(number).and_then(|entry| entry.act()) else { return };
        let (since, stage) = (now.boot, Stage::Waiting);
        self.instructions.act = Some(Pending { number, act, since, stage, is_found: false });
    }

    /// What an act waits for, in words.
    pub(super) fn what_is_open(&self) -> String {
        match self.queue.len() {
            0 if !self.line.is_free() => "the board is doing something".to_owned(),
            0 if self.line.state() == LineState::Idle => "nothing is waited for".to_owned(),
            0 => "the board is not idle".to_owned(),
            orders => format!("waits for {orders} open orders"),
        }
    }

    /// No order is open on the line and none that is paid waits for it.
    fn may_act(&self, now: Now, since: BootMs) -> bool {
        if sabotage::is_out(Clause::R00ActWaitsForOrders) {
            return true;
        }
        self.line.is_free() && self.queue.len() == 0 && self.line_may_act(now.boot, since)
    }

    /// A motor of an order that ended *unknown* may still turn. A board that is away cannot be waited for any longer.
    fn line_may_act(&self, now: BootMs, since: BootMs) -> bool {
        match self.line.state() {
            LineState::Idle => true,
            LineState::Busy | LineState::Held => false,
            LineState::Closed | LineState::Settling => now.since_ms(since) >= self.board_wait_ms(),
        }
    }

    /// Schedule and acts, as far as they may go on now.
    pub(super) fn mind_the_machine(&mut self, now: Now) {
        self.refresh_when_due(now);
        self.mind_the_schedule(now);
        let Some(Pending { number, since, stage, .. }) = self.instructions.act else { return };
        match stage {
            Stage::Waiting if self.stopping => {}
            Stage::Waiting if self.may_act(now, since) => {
                self.set_stage(Stage::Committing);
                self.set_entry(number, Became::UnderWay, None, [After::Act(number)]);
                if sabotage::is_out(Clause::R00ActAfterDurable) {
                    self.act_is_durable(now, number);
                }
            }
            Stage::Waiting if now.boot.since_ms(since) >= ACT_WAIT_MS => {
                let open = self.what_is_open();
                self.end_act(number, Became::GivenUp, &open);
            }
            Stage::Asked { at } if now.boot.since_ms(at) >= ACT_TAKES_MS => self.withdraw(number),
            Stage::Found => self.withdraw(number),
            Stage::Left { at } if now.boot.since_ms(at) >= ACT_TAKES_MS => {
                self.end_act(number, Became::Unknown, "the request was taken in an earlier life of the agent");
            }
            _ => {}
        }
    }

    /// A board that is away is waited for; then the machine may go all the same.
    pub(super) fn act_deadline(&self) -> Option<BootMs> {
        let act = self.instructions.act.filter(|act| act.stage == Stage::Waiting)?;
        let is_away = matches!(self.line.state(), LineState::Closed | LineState::Settling);
        let is_free = self.queue.len() == 0 && self.line.is_free();
        (is_away && is_free).then(|| act.since.plus_ms(self.board_wait_ms()))
    }

    /// The entry that says *under way* is durable. An order may have come while it was written.
    pub(super) fn act_is_durable(&mut self, now: Now, number: u64) {
        let Some(pending) = self.instructions.act.filter(|a| a.number == number && a.stage == Stage::Committing) else {
            return;
        };
        if self.stopping || !(self.may_act(now, pending.since) || sabotage::is_out(Clause::R00ActAskedWhenDurable)) {
            self.set_stage(Stage::Waiting);
            let open = self.what_is_open();
            self.set_entry(number, Became::Waiting, Some(&open), None);
            self.queue.look_again();
            return;
        }
        self.set_stage(Stage::Asked { at: now.boot });
        self.effects.push(Effect::Machine(MachineRequest::Ask { number, act: pending.act }));
    }

    fn withdraw(&mut self, number: u64) {
        self.set_stage(Stage::Withdrawing);
        self.effects.push(Effect::Machine(MachineRequest::Withdraw { number }));
    }

    /// Whoever carries requests out of the core says what became of one.
    pub(super) fn on_machine_told(&mut self, now: Now, number: u64, told: MachineTold) {
        let Some(pending) = self.instructions.act.filter(|act| act.number == number) else { return };
        match told {
            MachineTold::Asked => {}
            MachineTold::NotAsked(why) => self.end_act(number, Became::Failed, &why),
            MachineTold::Withdrawn => {
                self.end_act(number, Became::Failed, "nobody took the request: is vend-machine.path enabled?");
            }
            MachineTold::Gone if pending.is_found => self.set_stage(Stage::Left { at: now.boot }),
            MachineTold::Gone => {
                self.end_act(number, Became::Unknown, "the request was taken, and the machine still runs");
            }
        }
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(act) = &mut self.instructions.act {
            act.stage = stage;
        }
    }

    pub(super) fn set_entry(
        &mut self,
        number: u64,
        became: Became,
        detail: Option<&str>,
        after: impl IntoIterator<Item = After>,
    ) {
        if let Some(entry) = self.instructions.entry_mut(number) {
            entry.became = became;
            if let Some(detail) = detail {
                entry.detail = cut(detail.to_owned());
            }
            let entry = entry.clone();
            self.tell_entry(&entry);
        }
        self.save_record(RecordKey::Audit(number), after);
    }

    /// Nothing follows any more: orders go on.
    fn end_act(&mut self, number: u64, became: Became, detail: &str) {
        self.instructions.act.take_if(|act| act.number == number);
        self.set_entry(number, became, Some(detail), None);
        self.queue.look_again();
    }

    /// The schedule was changed: what it has made wait, and nothing else, is called off.
    pub(super) fn call_off_the_schedule(&mut self) {
        let Some(act) = self.instructions.act.filter(|act| act.stage == Stage::Waiting) else { return };
        if self.instructions.entry(act.number).is_some_and(|entry| entry.who == Who::Schedule) {
            self.end_act(act.number, Became::Overtaken, "the schedule was cleared");
        }
    }

    /// Begins a night whose time has come, by trusted time only.
    fn mind_the_schedule(&mut self, now: Now) {
        self.instructions.schedule_at = None;
        let may = self.settings.allow.contains(&Permission::Schedule) && !self.stopping;
        if self.instructions.memory.schedule.is_empty() || !may {
            return;
        }
        let Some(time) = self.time.trusted(now) else { return };
        let schedule = &self.instructions.memory.schedule;
        let Some(night) = schedule.next(time.seconds()) else { return };
        if night.off_at_s > time.seconds() {
            let wait_ms = night.off_at_s.saturating_mul(1_000).saturating_sub(time.0).min(LOOK_AGAIN_S * 1_000);
            self.instructions.schedule_at = Some(now.boot.plus_ms(wait_ms));
        } else if self.instructions.act.is_none() {
            self.instructions.memory.schedule.is_over(&night);
            let (who, open) = (Who::Schedule, self.what_is_open());
            let number = self.audit(now, who, Kind::Shutdown, night.off_at_s, Became::Waiting, open, None);
            if let Some(entry) = self.instructions.entry_mut(number) {
                entry.on_at_s = Some(night.on_at_s);
            }
            self.wait_to_act(now, number);
        }
    }

    /// Acts are for a machine at work.
    pub(super) fn machine_deadline(&self) -> Option<BootMs> {
        let at_work = self.phase == Phase::Running && self.failed.is_none() && !self.stopping;
        let all = [self.instructions.deadline(), self.act_deadline()];
        all.into_iter().flatten().min().filter(|_| at_work)
    }
}
