//! The core at work: what it is told, what it wants done, and the disk that does it.

use super::{Happening, RESTART_MS, SESSION_EXPIRY_S, Stage};
use crate::cloud::envelope;
use crate::cloud::pickup::PUT_METHOD as USED_METHOD;
use crate::cloud::telemetry::{CHANNEL_METHOD, PRODUCT_METHOD, RESTOCK_METHOD};
use crate::core::event::{Audience, Effect, Epoch, Event, Level, Request, Token};
use crate::core::{SlotAct, TOMBSTONE_AGE_MIN_S};
use crate::order::call::{CallRecord, Operation, Way};
use crate::order::host::Host;
use crate::order::motor::{Address, Slot};
use crate::order::said::Said;
use crate::sim::world::broker::Sent;
use crate::sim::world::judge::Broken;
use crate::sim::world::outside::{FILLED_WITH, Outside};
use crate::sim::world::plan::{Beat, Fault};
use std::collections::BTreeSet;

impl Stage<'_> {
    /// Gives the core an event and carries out what it wants. How many effects there were, notes apart.
    pub(super) fn tell(&mut self, event: Event) -> Result<usize, Broken> {
        let now = self.now();
        let Some(core) = &mut self.core else { return Ok(0) };
        let mut effects = Vec::new();
        core.step(now, event, &mut effects);
        if !core.is_tallied() {
            return Err(Broken::NotTallied);
        }
        let count = effects.iter().filter(|e| !matches!(e, Effect::Note(_))).count();
        for effect in effects {
            let beat = match &effect {
                Effect::Commit { .. } => Some(Beat::Commit),
                Effect::Ack(_) => Some(Beat::Ack),
                Effect::Publish { .. } => Some(Beat::Publish),
                Effect::Http { .. } => Some(Beat::Http),
                Effect::LineWrite { write, .. } if write.motor => Some(Beat::MotorWrite),
                Effect::Mark(_)
                | Effect::RenewBrokerTls
                | Effect::LineWrite { .. }
                | Effect::Served { .. }
                | Effect::Reply { .. }
                | Effect::Machine(_)
                | Effect::LookAtHost
                | Effect::Note(_)
                | Effect::End(_) => None,
            };
            if let Some(beat) = beat {
                self.beat(beat, true);
            }
            if self.core.is_none() {
                break;
            }
            self.carry_out(effect)?;
            if let Some(beat) = beat {
                self.beat(beat, false);
            }
            if self.core.is_none() {
                break;
            }
        }
        Ok(count)
    }

    pub(super) fn carry_out(&mut self, effect: Effect) -> Result<(), Broken> {
        let life = self.life;
        match effect {
            Effect::Commit { id, batch, line_waits: _ } => {
                self.story.tell(self.now_ms, || format!("commit {id}, {} records", batch.puts.len()));
                if self.disk.is_damaged() {
                    return Err(Broken::QuarantineBroken("a commit"));
                }
                self.judge.observe(&self.disk.beneath(), &batch, self.now_ms, self.true_ms() / 1_000)?;
                if !self.disk.begin(id, batch) {
                    return Err(Broken::TwoCommits);
                }
                let sync_ms = self.sync_ms();
                self.after(sync_ms, Happening::Synced { life, id });
            }
            Effect::Ack(tag) => {
                if tag.epoch != Epoch(self.epoch) {
                    return Err(Broken::AckMisplaced);
                }
                let connection = self.broker.connection.as_ref().map(|c| c.id);
                if let (Some(waiting), Some(connection)) = (self.broker.acknowledge(tag)?, connection) {
                    if let Some(put) = waiting.put {
                        self.story.tell(self.now_ms, || format!("ack of order {}", put.key));
                        self.acknowledged(put)?;
                    }
                    let on_its_way_ms = self.chance.u64(1..60);
                    self.after(on_its_way_ms, Happening::Acknowledged { connection, id: waiting.id });
                }
            }
            Effect::Publish { token, payload } => {
                if self.disk.is_damaged() && Outside::is_report(&payload) {
                    return Err(Broken::QuarantineBroken("a result is told"));
                }
                self.hold_message_against_the_calls(&payload)?;
                if let Some(connection) = self.broker.connection.as_ref().map(|c| c.id) {
                    let on_its_way_ms = if self.chance.u8(..20) == 0 { 900 } else { 10 };
                    let on_its_way_ms = self.broker.arrives_ms(self.now_ms, on_its_way_ms);
                    self.at(on_its_way_ms, Happening::AtPlatform { connection, life, token, payload });
                }
            }
            Effect::Http { token, request } => {
                self.story.tell(self.now_ms, || format!("{} {}", request.method, request.url));
                if self.disk.is_damaged() {
                    return Err(Broken::QuarantineBroken("a request leaves"));
                }
                let is_of_sale = request.audience == Audience::Cloud && self.hold_against_the_sales(&request)?;
                let is_call = request.audience == Audience::Cloud && request.method == "PUT" && !is_of_sale;
                if is_call || request.audience == Audience::Notify {
                    self.hold_against_the_calls(&request)?;
                }
                let on_its_way_ms = self.chance.u64(1..200);
                self.after(on_its_way_ms, Happening::AtReceiver { life, token, request });
            }
            Effect::LineWrite { .. } if self.disk.is_damaged() => {
                return Err(Broken::QuarantineBroken("the board is asked"));
            }
            Effect::Mark(written) => self.write_the_mark(written),
            Effect::LineWrite { write, intent } => self.write(write, intent)?,
            Effect::Served { .. } => {}
            Effect::Reply { reply, .. } => self.replied(&reply)?,
            Effect::Machine(request) => self.carry_out_request(request)?,
            Effect::LookAtHost => {
                self.after(0, Happening::ToCore { life, connection: None, event: Event::Host(Host::default()) });
            }
            Effect::Note(note) => {
                if note.level >= Level::Info {
                    self.story.tell(self.now_ms, || format!("  {}: {}", note.what, note.text));
                }
            }
            // The simulated broker speaks no TLS.
            Effect::RenewBrokerTls => {}
            Effect::End(ending) => {
                self.story.tell(self.now_ms, || format!("AGENT ends: {ending:?}"));
                self.leave_the_line_alone();
                if self.host.going.is_some() {
                    return self.go();
                }
                self.disk.process_dies(&mut self.chance);
                self.end_life();
                self.after(RESTART_MS, Happening::Start);
            }
        }
        Ok(())
    }

    /// Somebody fills the slots that will be sold from; their goods are counted from here on.
    pub(super) fn fill(&mut self) -> Result<(), Broken> {
        let slots: BTreeSet<(u8, u16)> = self.placed.iter().map(|(_, order)| (order.address, order.code)).collect();
        for (number, (address, slot)) in slots.into_iter().enumerate() {
            let token = Token(number.try_into().unwrap_or(u64::MAX));
            if let Some(address) = Address::new(address) {
                let act = SlotAct::Restock { address, slot: Slot(slot), count: Some(FILLED_WITH) };
                self.tell(Event::SlotAct { token, uid: 0, act })?;
            }
        }
        Ok(())
    }

    /// Nothing is acknowledged that is not durable, but what is stale: its key may be one that was forgotten (rule 12).
    fn acknowledged(&mut self, put: Sent) -> Result<(), Broken> {
        if self.disk.is_damaged() {
            return Err(Broken::QuarantineBroken("a command is acknowledged"));
        }
        if self.disk.is_durable(&put.key.to_bytes()) {
            self.judge.acknowledged(put.key);
            return Ok(());
        }
        let forgotten_after_s = TOMBSTONE_AGE_MIN_S.max(SESSION_EXPIRY_S);
        let may_be_forgotten = put.issued_at_s + forgotten_after_s < self.true_ms() / 1_000;
        if may_be_forgotten { Ok(()) } else { Err(Broken::AckBeforeDurable(put.key)) }
    }

    /// What changes something at the cloud is durable before it leaves (rule 40).
    fn hold_against_the_calls(&self, request: &Request) -> Result<(), Broken> {
        let is_this = |call: &CallRecord| match &call.call.way {
            Way::Http(Operation::Refund { order_id }) => request.url.ends_with(&format!("/orders/{order_id}")),
            Way::Http(Operation::Notify(notice)) => request.url.contains(&format!("/order/{}", notice.order_id)),
            Way::Http(Operation::TellPaid(_)) | Way::Publish { .. } | Way::Tell { .. } => false,
        };
        match self.disk.durable_calls().iter().any(is_this) {
            true => Ok(()),
            false => Err(Broken::CallBeforeDurable(format!("{} {}", request.method, request.url))),
        }
    }

    /// The same for what is told of a slot or a code.
    fn hold_message_against_the_calls(&self, payload: &[u8]) -> Result<(), Broken> {
        let Ok(message) = envelope::open(payload) else { return Ok(()) };
        let method = message.get("method").unwrap_or_default();
        let is_result = message.get("sequence").is_some();
        if is_result || ![PRODUCT_METHOD, RESTOCK_METHOD, CHANNEL_METHOD, USED_METHOD].contains(&method) {
            return Ok(());
        }
        let is_this = |call: &CallRecord| match &call.call.way {
            Way::Publish { method: m, fields } => {
                **m == *method && fields.iter().all(|(name, text)| message.get(name) == Some(&**text))
            }
            Way::Http(_) | Way::Tell { .. } => false,
        };
        match self.disk.durable_calls().iter().any(is_this) {
            true => Ok(()),
            false => Err(Broken::CallBeforeDurable(method.to_owned())),
        }
    }

    pub(super) fn sync_ms(&mut self) -> u64 {
        let now_ms = self.now_ms;
        let slow = self.plan.faults.iter().filter(|_| !self.is_calm).find_map(|fault| match *fault {
            Fault::DiskSlow { at_ms, for_ms, sync_ms } if (at_ms..at_ms + for_ms).contains(&now_ms) => Some(sync_ms),
            _ => None,
        });
        slow.unwrap_or_else(|| self.chance.u64(1..40))
    }

    pub(super) fn synced(&mut self, id: u64) -> Result<(), Broken> {
        self.commits += 1;
        let nth = self.commits;
        let fails = self.plan.faults.iter().filter(|_| !self.is_calm).find_map(|fault| match *fault {
            Fault::CommitFails { nth: n, seen } if n == nth => Some(seen),
            _ => None,
        });
        if let Some(seen) = fails {
            self.story.tell(self.now_ms, || format!("SYNC FAILS, its records seen: {seen}"));
            self.leave_the_line_alone();
            self.disk.fail(seen);
            self.tell(Event::JournalFailed { why: Said::word("simulated") })?;
            return Ok(());
        }
        self.beat(Beat::Synced, true);
        if self.core.is_some() && self.disk.sync(id) {
            if let Some(ledger) = self.disk.durable_ledger() {
                self.judge.doubt.birth_is_durable(&ledger);
            }
            self.beat(Beat::Synced, false);
            self.tell(Event::Committed(id))?;
        }
        Ok(())
    }
}
