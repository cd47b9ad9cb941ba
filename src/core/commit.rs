//! Group commit: everything that became due while a sync was under way shares the next one, and nothing leaves
//! before the commit that carries its reason.

use super::Core;
use super::arrivals::{Received, Saying};
use super::event::{Batch, Effect, Level, Tag, Token};
use super::own::Reply;
use crate::board::service::Service;
use crate::order::key::Key;
use crate::order::record::{self, RecordKey};
use crate::order::said::said;
use crate::order::sale;
use crate::order::time::{BootMs, Now};
use crate::sabotage::{self, Clause};
use std::collections::BTreeSet;

/// A mark that nobody waits for (reported, settled) is written at the latest after this time, in ms, if no other
/// commit carried it before. Losing it costs one repeated report, so it is not worth a sync of its own soon.
pub(super) const LAZY_COMMIT_MS: u64 = 30_000;

/// An order that came while another has the line is written at the latest after this time, in ms, if no other commit
/// carried it before: of many that come at once each would else have its own. Its acknowledgement waits as long.
pub(super) const ARRIVAL_COMMIT_MS: u64 = 10;

/// A commit that takes longer is a journal that hangs (a dying card, a dead thread in sled), in ms. Sound flash under
/// load answers within seconds.
pub(super) const COMMIT_ANSWER_MS: u64 = 60_000;

/// What waits for a commit.
#[derive(Debug)]
pub(super) enum After {
    /// The first commit of this life: all that was only seen is durable (rule 1).
    Begin {
        /// The last arrival of former lives.
        recovered: u64,
    },
    /// Acknowledge a message.
    Ack(Tag),
    /// Say `received`.
    Received(Received),
    /// The intent with this sequence is durable: send the motor command.
    Drive(u64),
    /// The outcome is durable: the board may forget it.
    Release,
    /// The audit entry of this number says *under way*: have the machine do it.
    Act(u64),
    /// The order's reports up to this sequence are durable: they may leave. A correction that was written while this
    /// commit was under way waits for its own.
    Offer { key: Key, up_to: u32 },
    /// The call of this number is durable: it may leave.
    OfferCall(u64),
    /// The sale of this number is durable as it was then: what is asked next may be asked.
    Sale { number: u64, state: (sale::State, Option<sale::Why>) },
    /// The audit entry of this number says *under way*: the board does what a person wants of it.
    Serve { number: u64, token: Token, service: Service },
    /// Tell whoever stands there.
    Reply { token: Token, reply: Reply },
}

#[derive(Debug, Default)]
pub(super) struct Commits {
    last_id: u64,
    /// Changed since the last batch was made; what is no longer there is forgotten.
    dirty: BTreeSet<RecordKey>,
    /// Somebody waits, or the ledger alone changed and must not be lost.
    urgent: bool,
    ledger_changed: bool,
    /// What nobody waits for, or can wait, is written then at the latest.
    due: Option<BootMs>,
    waiting: Vec<After>,
    flying: Option<Flying>,
}

#[derive(Debug)]
struct Flying {
    id: u64,
    /// When the journal must have answered.
    answer_due: BootMs,
    keys: BTreeSet<RecordKey>,
    after: Vec<After>,
}

impl Commits {
    pub(super) fn deadline(&self) -> Option<BootMs> {
        match &self.flying {
            Some(flying) => Some(flying.answer_due),
            None => self.due,
        }
    }

    /// There must be a commit by then.
    fn is_due(&mut self, by: BootMs) {
        self.due = Some(self.due.map_or(by, |due| due.min(by)));
    }

    /// The newest batch.
    pub(super) const fn last_id(&self) -> u64 {
        self.last_id
    }

    pub(super) fn is_idle(&self) -> bool {
        self.flying.is_none() && self.dirty.is_empty() && self.waiting.is_empty()
    }
}

impl Core {
    /// The order changed and somebody waits for it: into the next commit, and `after` follows it.
    pub(super) fn save(&mut self, key: &Key, after: impl IntoIterator<Item = After>) {
        self.save_record(RecordKey::Order(key.clone()), after);
    }

    /// A record of any kind changed and somebody waits for it.
    pub(super) fn save_record(&mut self, key: RecordKey, after: impl IntoIterator<Item = After>) {
        self.trace_saved(&key);
        self.commits.dirty.insert(key);
        self.commits.urgent = true;
        self.commits.waiting.extend(after);
    }

    /// Something waits for the next commit, whatever is in it.
    pub(super) fn after_next_commit(&mut self, after: After) {
        self.commits.urgent = true;
        self.commits.waiting.push(after);
    }

    /// The ledger changed and the next life must know.
    pub(super) fn save_ledger(&mut self) {
        self.commits.urgent = true;
        self.commits.ledger_changed = true;
    }

    /// The order changed and nobody waits.
    pub(super) fn save_lazily(&mut self, now: Now, key: &Key) {
        self.save_record_lazily(now, RecordKey::Order(key.clone()));
    }

    /// A record of any kind changed and nobody waits.
    pub(super) fn save_record_lazily(&mut self, now: Now, key: RecordKey) {
        self.trace_saved(&key);
        self.commits.dirty.insert(key);
        self.commits.is_due(now.boot.plus_ms(LAZY_COMMIT_MS));
    }

    /// The order is forgotten, with the next commit.
    pub(super) fn save_removal(&mut self, key: &Key) {
        self.commits.dirty.insert(RecordKey::Order(key.clone()));
    }

    /// A commit under way holds the order, or one that is about to begin.
    pub(super) fn is_being_written(&self, key: &Key) -> bool {
        let key = RecordKey::Order(key.clone());
        self.commits.flying.as_ref().is_some_and(|flying| flying.keys.contains(&key))
    }

    /// The order changed and somebody waits for it who has a moment: into the next commit, and `after` follows it.
    pub(super) fn save_soon(&mut self, now: Now, key: &Key, after: impl IntoIterator<Item = After>) {
        let key = RecordKey::Order(key.clone());
        self.trace_saved(&key);
        self.commits.dirty.insert(key);
        self.commits.waiting.extend(after);
        self.commits.is_due(now.boot.plus_ms(ARRIVAL_COMMIT_MS));
    }

    /// Runs `after` once the order as it stands now is durable; at once when it is.
    pub(super) fn when_durable(&mut self, now: Now, key: &Key, after: After) {
        let key = RecordKey::Order(key.clone());
        if self.commits.dirty.contains(&key) {
            self.commits.urgent = true;
            self.commits.waiting.push(after);
        } else if let Some(flying) = self.commits.flying.as_mut().filter(|f| f.keys.contains(&key)) {
            flying.after.push(after);
        } else {
            self.follow(now, after);
        }
    }

    /// Makes the next batch if one is due and none is under way.
    pub(super) fn commit_if_due(&mut self, now: Now) {
        let is_due = self.commits.due.is_some_and(|due| due <= now.boot) || self.stopping;
        if self.commits.flying.as_ref().is_some_and(|f| f.answer_due <= now.boot) {
            let ms = COMMIT_ANSWER_MS;
            self.journal_failed(now, said!("the disk has not answered for {ms} ms", "磁盘 {ms} 毫秒未应答"; ms));
        }
        if self.commits.flying.is_some() || self.failed.is_some() || !(self.commits.urgent || is_due) {
            return;
        }
        let commits = &mut self.commits;
        commits.urgent = false;
        commits.due = None;
        let keys = std::mem::take(&mut commits.dirty);
        let after = std::mem::take(&mut commits.waiting);
        let ledger_changed = std::mem::take(&mut commits.ledger_changed);
        if keys.is_empty() && after.is_empty() && !ledger_changed {
            return;
        }
        self.ledger.highest_time = self.time.highest();
        match self.batch(&keys) {
            Ok(batch) => {
                self.commits.last_id += 1;
                let id = self.commits.last_id;
                let answer_due = now.boot.plus_ms(COMMIT_ANSWER_MS);
                self.commits.flying = Some(Flying { id, answer_due, keys, after });
                let is_written_to = self.effects.iter().any(|effect| matches!(effect, Effect::LineWrite { .. }));
                let line_waits = is_written_to || !self.line.is_silent();
                self.effects.push(Effect::Commit { id, batch, line_waits });
            }
            Err(error) => {
                let why = said!("a record could not be written: {error}", "记录无法写入：{error}", error);
                self.journal_failed(now, why);
            }
        }
    }

    fn batch(&self, keys: &BTreeSet<RecordKey>) -> Result<Batch, record::RecordError> {
        let mut batch = Batch { ledger: record::encode_ledger(&self.ledger)?, ..Batch::default() };
        for key in keys {
            match self.record_of(key)? {
                Some(bytes) => batch.puts.push((key.to_bytes(), bytes)),
                None => batch.removes.push(key.to_bytes()),
            }
        }
        Ok(batch)
    }

    /// The record as it stands now; nothing when it is forgotten.
    fn record_of(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, record::RecordError> {
        match key {
            RecordKey::Order(key) => match self.orders.get(key) {
                Some(order) => record::encode_order(order).map(Some),
                None => Ok(self.archive.record(key).map(<[u8]>::to_vec)),
            },
            RecordKey::Call(number) => self.calls.get(*number).map(record::encode_call).transpose(),
            RecordKey::Code(id) => self.codes.record(id),
            RecordKey::CodeBook => self.codes.book_record(),
            RecordKey::Instructions => record::encode_instructions(&self.instructions.memory).map(Some),
            RecordKey::Audit(number) => self.audit_entry(*number).map(record::encode_audit).transpose(),
            RecordKey::Sale(number) => self.sales.record(*number),
            RecordKey::Fault(number) => self.faults.get(*number).map(record::encode_fault).transpose(),
            RecordKey::Slot(address, slot) => self.slots.get((*address, *slot)).map(record::encode_slot).transpose(),
        }
    }

    /// The commit under way is durable: all that waited for it follows, in order.
    pub(super) fn on_committed(&mut self, now: Now, id: u64) {
        let flying = self.commits.flying.take();
        match flying {
            Some(flying) if flying.id == id => {
                for after in flying.after {
                    self.follow(now, after);
                }
            }
            other => {
                self.commits.flying = other;
                self.note(Level::Error, "commit_unexpected", format!("commit {id} was not under way"));
            }
        }
    }

    fn follow(&mut self, now: Now, after: After) {
        match after {
            After::Drive(sequence) if sabotage::is_out(Clause::R07NothingDriven) => {
                self.intent_is_durable(now, sequence)
            }
            // Rule 7, for a disk that answers after it was given up: what the board says now could not be kept.
            After::Begin { .. } | After::Drive(_) | After::Release | After::Act(_) if self.failed.is_some() => {}
            After::Begin { recovered } => self.begin(now, recovered),
            After::Ack(tag) => self.ack_when_due(tag),
            After::Received(received) => self.say(Saying::Received(received)),
            After::Drive(sequence) => self.intent_is_durable(now, sequence),
            After::Release => self.release(now),
            After::Act(number) => self.act_is_durable(now, number),
            After::Offer { key, up_to } => self.offer(now, &key, up_to),
            After::OfferCall(number) => self.offer_call(now, number),
            After::Sale { number, state } => self.sale_is_durable(number, state),
            After::Serve { number, token, service } => self.serve_the_audited(now, number, token, &service),
            After::Reply { token, reply } => self.effects.push(Effect::Reply { token, reply }),
        }
    }
}
