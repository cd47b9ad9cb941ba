//! The broker, the platform, the receivers and the cloud, as far as the run moves them.

use super::{BEGIN_MS, Happening, Stage};
use crate::cloud::device::{GET_METHOD, PUT_METHOD};
use crate::cloud::envelope::{self, Value};
use crate::core::TOMBSTONE_AGE_MIN_S;
use crate::core::event::{Epoch, Event, Request, Token};
use crate::order::command::NOTIFY_URL_BYTES_MAX;
use crate::order::key::Key;
use crate::order::motor::Slot;
use crate::order::said::Said;
use crate::sim::world::broker::Sent;
use crate::sim::world::judge::Broken;
use crate::sim::world::outside::{manner_now, notify_url};
use crate::sim::world::plan::{Beat, Fault, Message, Oddity, Placed};

/// Of what is published while anything may go wrong.
const REFUSED_ONE_IN: u8 = 24;

impl Stage<'_> {
    pub(super) fn connect(&mut self, life: u32) -> Result<(), Broken> {
        if life != self.life || self.core.is_none() || self.broker.connection.is_some() {
            return Ok(());
        }
        if self.broker.is_away {
            let again_ms = self.chance.u64(500..5_000);
            self.after(again_ms, Happening::Connect { life });
            return Ok(());
        }
        self.epoch += 1;
        let epoch = Epoch(self.epoch);
        let session_present = self.broker.connect(epoch);
        self.is_first_connection = session_present && self.disk.is_new();
        self.tell(Event::Connected { epoch, session_present })?;
        self.deliver();
        Ok(())
    }

    pub(super) fn deliver(&mut self) {
        let Some(connection) = self.broker.connection.as_ref().map(|c| c.id) else { return };
        let chance = &mut self.chance;
        let sent = self.broker.send(self.now_ms, || chance.u64(1..60));
        for (tag, waiting, redelivered, at_ms) in sent {
            if let Some(put) = waiting.put.filter(|_| redelivered && self.is_first_connection) {
                self.judge.doubt.redelivered(put.key);
            }
            let event = Event::Message { tag, payload: waiting.payload, redelivered };
            self.at(at_ms, Happening::ToCore { life: self.life, connection: Some(connection), event });
        }
    }

    pub(super) fn lose_connection(&mut self) -> Result<(), Broken> {
        if self.broker.connection.take().is_some() {
            self.tell(Event::Disconnected { why: Said::word("simulated") })?;
            let (life, again_ms) = (self.life, self.chance.u64(100..3_000));
            self.after(again_ms, Happening::Connect { life });
        }
        Ok(())
    }

    pub(super) fn send(&mut self, n: usize) {
        let Some(sending) = self.plan.sendings.get(n).copied() else { return };
        let Some((key, order)) = self.placed.get(sending.order).cloned() else { return };
        let message = sending.message;
        self.story.tell(self.now_ms, || format!("the platform sends {message:?} of order {key}"));
        let issued_at_s = self.issued_at_s(message, &order);
        let payload = self.payload(message, &key, &order, issued_at_s);
        let is_command = matches!(message, Message::Put | Message::PutAnew | Message::OtherBody);
        self.broker.publish(is_command.then_some(Sent { key, issued_at_s }), payload.into());
        self.deliver();
    }

    /// When the platform says that it issued the command, in Unix s.
    fn issued_at_s(&self, message: Message, order: &Placed) -> u64 {
        // No machine knows a key again that it has lost or forgotten (rule 12): the platform must not make it young.
        let is_forgotten = self.first_life > 0 || self.now_ms > order.issued_at_ms + TOMBSTONE_AGE_MIN_S * 1_000;
        let at_ms = if message == Message::PutAnew && !is_forgotten { self.now_ms } else { order.issued_at_ms };
        (BEGIN_MS + at_ms) / 1_000
    }

    fn payload(&mut self, message: Message, key: &Key, order: &Placed, issued_at_s: u64) -> Vec<u8> {
        if message == Message::Garbage {
            let bytes = self.chance.usize(..80);
            return (0..bytes).map(|_| self.chance.u8(..)).collect();
        }
        let is = |oddity| order.oddity == Some(oddity);
        let other_slot = matches!(message, Message::OtherBody | Message::WrongSignature);
        // Where there is no other slot, another body is one whose sensor is to be used in another way: of an order for no
        // slot at all nobody could say how many units a former journal has driven.
        let has_other_slot = self.settings.profile.has_slot(Slot(order.code + 1));
        let code = if other_slot && has_other_slot { order.code + 1 } else { order.code };
        let drop_check = order.drop_check ^ (other_slot && !has_other_slot);
        let code = if is(Oddity::Slot) { 9_999 } else { code };
        let code = self.settings.profile.slots.code_of(Slot(code)).unwrap_or(code);
        let address = if is(Oddity::Address) { 99 } else { order.address };
        let quantity = if is(Oddity::Quantity) { 99 } else { order.quantity };
        let issued_at = if is(Oddity::Milliseconds) { issued_at_s * 1_000 } else { issued_at_s };
        let machine_no = if message == Message::OtherMachine { "16327130" } else { self.settings.machine_no.as_str() };
        let text = |text: String| Value::from(text);
        let mut fields = vec![
            ("method", Value::from(if message == Message::Get { GET_METHOD } else { PUT_METHOD })),
            ("client_id", Value::from(machine_no)),
            ("timestamp", text(issued_at.to_string())),
            ("order_id", Value::from(key.order_id.as_str())),
            ("record_id", Value::from(key.record_id.as_str())),
            ("code", text(code.to_string())),
            ("addr", text(address.to_string())),
            ("quantity", text(quantity.to_string())),
            ("is_dc", Value::from(if drop_check { "1" } else { "0" })),
        ];
        fields.extend(order.host.map(|host| ("notify_url", text(notify_url(host)))));
        fields.extend(order.amount.map(|amount| ("amount", text(amount.to_string()))));
        if is(Oddity::LongUrl) {
            fields.push(("notify_url", text(format!("{}{}", notify_url(0), "x".repeat(NOTIFY_URL_BYTES_MAX)))));
        }
        let expires_s = order.expires_after_s.map(|s| s + (BEGIN_MS + order.issued_at_ms) / 1_000);
        fields.extend(expires_s.map(|s| ("expired_at", text(s.to_string()))));
        let key = if message == Message::WrongSignature { &self.strange_key } else { &self.settings.mqtt_key };
        envelope::seal(fields, key)
    }

    /// What left on a connection that is gone arrives up to some point, and nothing after it.
    fn still_arrives(&mut self, connection: u32) -> bool {
        let arrives = !self.fallen_silent.contains(&connection) && self.chance.bool();
        if !arrives {
            self.fallen_silent.insert(connection);
        }
        arrives
    }

    pub(super) fn at_platform(
        &mut self,
        connection: u32,
        life: u32,
        token: Token,
        payload: &[u8],
    ) -> Result<(), Broken> {
        self.beat(Beat::AtPlatform, true);
        let is_on = self.broker.is_on(connection);
        // A quota, a rule that forbids: taken by nobody, and said so.
        let is_refused = is_on && !self.is_calm && self.chance.u8(..REFUSED_ONE_IN) == 0;
        // A lost journal's word that arrives only now stands for nothing that this one said.
        if !is_refused && (is_on || self.still_arrives(connection)) && life >= self.first_life {
            self.outside.give_up(self.now_ms);
            self.outside.hear(payload, is_on, &mut self.judge)?;
        }
        if is_on {
            let why = Said::word("quota exceeded");
            let event = if is_refused { Event::NotPublished { token, why } } else { Event::Published(token) };
            let back_ms = self.chance.u64(1..60);
            self.after(back_ms, Happening::ToCore { life, connection: Some(connection), event });
        }
        self.beat(Beat::AtPlatform, false);
        Ok(())
    }

    pub(super) fn at_receiver(&mut self, life: u32, token: Token, request: &Request) -> Result<(), Broken> {
        // A request of a process that died may still arrive.
        if life != self.life && self.chance.bool() {
            return Ok(());
        }
        if life < self.first_life {
            return Ok(());
        }
        self.beat(Beat::AtReceiver, true);
        let faults: &[Fault] = if self.is_calm { &[] } else { &self.plan.faults };
        let manner = manner_now(faults, request, self.now_ms);
        self.outside.give_up(self.now_ms);
        let (delay_ms, true_ms) = (self.chance.u64(1..300), self.true_ms());
        let (after_ms, answer) = self.outside.take(request, manner, true_ms, delay_ms, &mut self.judge)?;
        self.after(after_ms, Happening::ToCore { life, connection: None, event: Event::Answered { token, answer } });
        self.beat(Beat::AtReceiver, false);
        Ok(())
    }
}
