//! Instructions of the platform beside vending (cloud 1.9): which are followed, what the audit says of each, and what
//! the machine does about those that change nothing but its memory. What it does to itself is `acts`.
//!
//! An instruction is followed when the configuration allows it, when it is fresh by trusted time, and when it is newer
//! than the last of its kind. It leaves an audit entry in the same commit as whatever it changes, and is acknowledged
//! after that commit. One that is refused leaves an entry too, but no more than one a kind and reason in
//! [`REFUSAL_PAUSE_MS`], so that nobody can wash the audit away.

use super::Core;
use super::acts::Pending;
use super::commit::After;
use super::event::{Level, Tag};
use super::gate::FUTURE_MAX_S;
use crate::order::instruction::{
    AuditEntry, Became, DETAIL_BYTES_MAX, Instruction, Kind, Memory, Refused, Settings, Who, Wish,
};
use crate::order::life::Order;
use crate::order::motor::{Address, Slot};
use crate::order::record::{RecordKey, Records};
use crate::order::said::said;
use crate::order::schedule::Schedule;
use crate::order::stock::ProductId;
use crate::order::time::{BootMs, Now};
use crate::sabotage::{self, Clause};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Audit entries that are kept; the oldest go. A year of one reboot every three days, and some tens of kilobytes.
pub const AUDIT_KEPT: usize = 128;
/// Refusals of one kind for one reason leave at most one audit entry in this time, in ms.
pub const REFUSAL_PAUSE_MS: u64 = 60_000;
/// What is cached from the platform is read anew at most once in this time, in ms, however often it asks for it.
pub const REFRESH_PAUSE_MS: u64 = 60_000;

/// What instructions have left behind, and the act that is under way.
#[derive(Debug, Default)]
pub(super) struct Instructions {
    pub(super) memory: Memory,
    audit: BTreeMap<u64, AuditEntry>,
    /// When a refusal was last put into the audit.
    told: BTreeMap<(Kind, Refused), BootMs>,
    refreshed: Option<BootMs>,
    pub(super) refresh_at: Option<BootMs>,
    pub(super) act: Option<Pending>,
    /// When the schedule must be looked at again.
    pub(super) schedule_at: Option<BootMs>,
}

/// An audit entry as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Rises with each entry.
    pub number: u64,
    /// platform, schedule or person.
    pub who: String,
    /// Which user, of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// What kind of instruction.
    pub kind: String,
    /// When the platform issued it, or the time that the schedule set, in Unix s.
    pub issued_at_s: u64,
    /// When it came, in Unix s.
    pub came_at_s: u64,
    /// What became of it.
    pub became: String,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// More, in English.
    pub detail: String,
}

impl AuditLine {
    /// An entry as a person sees it.
    #[must_use]
    pub fn of(entry: &AuditEntry) -> AuditLine {
        let reason = match entry.became {
            Became::Refused(why) => Some(why.as_str().to_owned()),
            _ => None,
        };
        AuditLine {
            number: entry.number,
            who: entry.who.as_str().to_owned(),
            uid: entry.who.uid(),
            kind: entry.kind.as_str().to_owned(),
            issued_at_s: entry.issued_at_s,
            came_at_s: entry.came_at_s,
            became: entry.became.as_str().to_owned(),
            reason,
            detail: entry.detail.to_string(),
        }
    }
}

impl Instructions {
    pub(super) fn deadline(&self) -> Option<BootMs> {
        let act = self.act.as_ref().and_then(Pending::deadline);
        [self.refresh_at, self.schedule_at, act].into_iter().flatten().min()
    }

    pub(super) fn settings_shown(&self) -> BTreeMap<String, String> {
        let settings = self.memory.settings.iter();
        settings.map(|(setting, value)| (setting.as_str().to_owned(), value.to_string())).collect()
    }

    pub(super) fn entry(&self, number: u64) -> Option<&AuditEntry> {
        self.audit.get(&number)
    }

    pub(super) fn entry_mut(&mut self, number: u64) -> Option<&mut AuditEntry> {
        self.audit.get_mut(&number)
    }

    /// Which entry goes when there are too many: of refusals, once they are most, the oldest, else the oldest that is
    /// final.
    fn to_forget(&self) -> Option<u64> {
        let is_refused = |entry: &&AuditEntry| matches!(entry.became, Became::Refused(_));
        let refusals = self.audit.values().filter(is_refused);
        let oldest = match refusals.clone().count() * 2 > self.audit.len() {
            true => refusals.min_by_key(|entry| entry.number),
            false => self.audit.values().find(|entry| entry.became.is_final()),
        };
        oldest.filter(|_| self.audit.len() > AUDIT_KEPT).map(|entry| entry.number)
    }
}

impl Core {
    /// At start: what the journal held of instructions. What may still be acted on is written again (rule 1).
    pub(super) fn take_stock_of_instructions(&mut self, now: Now, records: &mut Records) {
        if let Some(memory) = records.instructions.take() {
            self.instructions.memory = *memory;
            self.save_record(RecordKey::Instructions, None);
        }
        let entries = std::mem::take(&mut records.audit);
        // The end of a test vend and of its entry are one commit, which may only have been seen.
        let last_test = entries.iter().filter(|e| e.kind.is_test_vend()).map(|e| e.number).max();
        for entry in entries {
            let (number, is_final) = (entry.number, entry.became.is_final());
            self.instructions.audit.insert(number, entry);
            if !is_final || last_test == Some(number) {
                self.save_record(RecordKey::Audit(number), None);
            }
            if !is_final {
                self.find_what_became_of(now, number);
            }
        }
    }

    pub(super) fn on_instruction(&mut self, now: Now, tag: Tag, instruction: Instruction) {
        let Instruction { kind, issued_at_s, wish } = instruction;
        if let Err(why) = self.may_follow(now, kind, issued_at_s) {
            self.refuse_instruction(now, tag, kind, issued_at_s, why, String::new());
            return;
        }
        // Whatever becomes of it, it has had its chance: the same bytes never do anything later.
        self.instructions.memory.last_taken_s.insert(kind, issued_at_s);
        self.save_record(RecordKey::Instructions, None);
        match wish.map_err(|field| (Refused::Invalid, field)).and_then(|wish| self.follow_wish(now, wish)) {
            Ok((became, detail)) => {
                let number = self.audit(now, Who::Platform, kind, issued_at_s, became, detail, [After::Ack(tag)]);
                match became {
                    Became::Waiting => self.wait_to_act(now, number),
                    Became::UnderWay => self.tests.is_audited_as(number),
                    _ => {}
                }
            }
            Err((why, detail)) => self.refuse_instruction(now, tag, kind, issued_at_s, why, detail.to_owned()),
        }
    }

    fn may_follow(&self, now: Now, kind: Kind, issued_at_s: u64) -> Result<(), Refused> {
        let is_allowed = kind.needs().is_none_or(|permission| self.settings.allow.contains(&permission));
        if !is_allowed && !sabotage::is_out(Clause::R00InstructionAllowed) {
            return Err(Refused::NotAllowed);
        }
        let Some(time) = self.time.trusted(now) else { return Err(Refused::TimeUnknown) };
        // A journal has no memory of what came before it was born.
        let is_old = issued_at_s.saturating_add(kind.fresh_within_s()) < time.seconds()
            || self.may_be_of_a_former_life(issued_at_s);
        if is_old && !sabotage::is_out(Clause::R00InstructionFresh) {
            return Err(Refused::Stale);
        }
        if issued_at_s > time.seconds().saturating_add(FUTURE_MAX_S) {
            return Err(Refused::Future);
        }
        let last_s = self.instructions.memory.last_taken_s.get(&kind);
        if last_s.is_some_and(|last_s| issued_at_s <= *last_s) && !sabotage::is_out(Clause::R00InstructionNewer) {
            return Err(Refused::Replayed);
        }
        Ok(())
    }

    /// Does what it wants, as far as that changes only what the next commit carries.
    fn follow_wish(&mut self, now: Now, wish: Wish) -> Result<(Became, String), (Refused, &'static str)> {
        let now_s = self.told_time_s(now);
        let memory = &mut self.instructions.memory;
        let detail = match wish {
            Wish::Reboot | Wish::Shutdown => {
                return match &self.instructions.act {
                    Some(_) => Err((Refused::Busy, "another act waits or is under way")),
                    None => Ok((Became::Waiting, self.what_is_open())),
                };
            }
            Wish::Password => {
                return Err((Refused::NotOffered, "nothing of this machine's agent opens with a password"));
            }
            Wish::Once(once) if once.off_at_s <= now_s => return Err((Refused::Invalid, "power_off")),
            Wish::Once(once) => {
                memory.schedule.once = Some(once);
                memory.schedule.shown().first().map(|said| said.en.clone()).unwrap_or_default()
            }
            Wish::Cycle(cycle) => {
                memory.schedule.cycle = Some(cycle);
                // What this week's plan would have done before it was made is not made up for.
                memory.schedule.over_s = memory.schedule.over_s.max(now_s);
                cycle.shown().en
            }
            Wish::ClearSchedule => {
                memory.schedule = Schedule { over_s: memory.schedule.over_s, ..Schedule::default() };
                self.call_off_the_schedule();
                "no schedule".to_owned()
            }
            Wish::Configure(settings) => {
                let names: Vec<&str> = settings.keys().map(|setting| setting.as_str()).collect();
                let names = names.join(", ");
                memory.settings.extend(settings);
                names
            }
            Wish::ClearFaults(products) => self.unlock(now, &products),
            Wish::FactoryReset => {
                self.may_reset()?;
                let memory = &mut self.instructions.memory;
                memory.schedule = Schedule { over_s: memory.schedule.over_s, ..Schedule::default() };
                memory.settings = Settings::new();
                self.call_off_the_schedule();
                "schedule and settings are forgotten; orders, their keys, locks and this audit are not".to_owned()
            }
            Wish::TestChannel(turns) => {
                return self.begin_channel_test(now, turns).map(|detail| (Became::UnderWay, detail));
            }
        };
        Ok((Became::Done, detail))
    }

    /// A factory reset comes when the machine is handed over: nobody may be owed anything by it.
    fn may_reset(&self) -> Result<(), (Refused, &'static str)> {
        if sabotage::is_out(Clause::R00ResetWhenSettled) {
            return Ok(());
        }
        if !self.orders.values().all(Order::is_final) {
            return Err((Refused::OrdersOpen, "orders are not final"));
        }
        if !self.orders.is_empty() {
            return Err((Refused::ReportsOpen, "results have not been taken by their receivers"));
        }
        Ok(())
    }

    /// The locks of these products' slots are opened, as far as it is known where they lie.
    fn unlock(&mut self, now: Now, products: &[u64]) -> String {
        let lie = products.iter().map(|product| self.slots_of_product(ProductId(*product)));
        let places: Vec<Vec<(Address, Slot)>> = lie.filter(|places| !places.is_empty()).collect();
        let (known, before) = (places.len(), self.ledger.locked.len());
        for place in places.into_iter().flatten() {
            self.clear_slot(now, place);
        }
        let opened = before.saturating_sub(self.ledger.locked.len());
        if opened > 0 {
            self.queue.look_again();
        }
        format!("{known} of {} products known, {opened} slots unlocked", products.len())
    }

    #[allow(clippy::too_many_arguments, reason = "they are the fields of one audit entry")]
    pub(super) fn audit(
        &mut self,
        now: Now,
        who: Who,
        kind: Kind,
        issued_at_s: u64,
        became: Became,
        detail: String,
        after: impl IntoIterator<Item = After>,
    ) -> u64 {
        let number = self.next_audit_number();
        self.instructions.memory.entries = number;
        let (came_at_s, boot_id) = (self.told_time_s(now), self.settings.boot_id);
        let detail = cut(detail);
        let entry = AuditEntry {
            number,
            who,
            kind,
            issued_at_s,
            came_at_s,
            boot_id,
            boot: now.boot,
            became,
            on_at_s: None,
            detail,
        };
        self.tell_entry(&entry);
        self.instructions.audit.insert(number, entry);
        while let Some(forgotten) = self.instructions.to_forget() {
            self.instructions.audit.remove(&forgotten);
            self.save_record(RecordKey::Audit(forgotten), None);
        }
        self.save_record(RecordKey::Instructions, None);
        self.save_record(RecordKey::Audit(number), after);
        number
    }

    /// The number of the entry that is made next.
    pub(super) const fn next_audit_number(&self) -> u64 {
        self.instructions.memory.entries.saturating_add(1)
    }

    pub(super) fn tell_entry(&mut self, entry: &AuditEntry) {
        let line = AuditLine::of(entry);
        let reason = line.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
        let text = format!("{} of the {}: {}{reason}; {}", line.kind, line.who, line.became, line.detail);
        self.note(Level::Warn, "instruction", text);
    }

    fn refuse_instruction(&mut self, now: Now, tag: Tag, kind: Kind, issued_at_s: u64, why: Refused, detail: String) {
        self.counters.rejected += 1;
        let refused = said!(
            "instruction {kind} refused: {why}",
            "指令 {kind} 被拒绝：{why}",
            kind = kind.word().said(),
            why = why.word().said()
        );
        self.keep_in_ring(now, 0, refused);
        let told = self.instructions.told.get(&(kind, why));
        let is_quiet = told.is_some_and(|last| now.boot.since_ms(*last) < REFUSAL_PAUSE_MS);
        if !is_quiet {
            self.instructions.told.insert((kind, why), now.boot);
            self.audit(now, Who::Platform, kind, issued_at_s, Became::Refused(why), detail, [After::Ack(tag)]);
        } else if self.commits.is_idle() {
            self.ack_when_due(tag);
        } else {
            // The one that it repeats may still be on its way to the disk.
            self.after_next_commit(After::Ack(tag));
        }
    }

    /// The platform says that what it keeps about the machine has changed.
    pub(super) fn on_refresh_asked(&mut self, now: Now, tag: Tag) {
        let next = self.instructions.refreshed.map_or(now.boot, |last| last.plus_ms(REFRESH_PAUSE_MS));
        self.instructions.refresh_at.get_or_insert(next.max(now.boot));
        self.ack_when_due(tag);
    }

    pub(super) fn refresh_when_due(&mut self, now: Now) {
        if self.instructions.refresh_at.is_some_and(|at| at <= now.boot) {
            self.instructions.refresh_at = None;
            self.instructions.refreshed = Some(now.boot);
            self.on_refresh(now);
        }
    }

    /// Everything that is cached from the platform is read anew: what it said of orders, and the time.
    fn on_refresh(&mut self, now: Now) {
        self.note(Level::Info, "refresh", "what the platform said is asked for again".to_owned());
        self.forget_what_the_cloud_said();
        self.begin_asking_for_time(now);
        self.tell_and_ask_anew(now);
    }

    /// The audit, oldest first.
    #[must_use]
    pub fn audit_lines(&self) -> Vec<AuditLine> {
        self.instructions.audit.values().map(AuditLine::of).collect()
    }

    /// An audit entry's bytes for the journal.
    pub(super) fn audit_entry(&self, number: u64) -> Option<&AuditEntry> {
        self.instructions.entry(number)
    }
}

/// At most [`DETAIL_BYTES_MAX`], cut between characters.
pub(super) fn cut(mut text: String) -> Box<str> {
    if text.len() > DETAIL_BYTES_MAX {
        let end = (0..=DETAIL_BYTES_MAX).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
    text.into()
}
