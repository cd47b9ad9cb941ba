//! People at the machine, and what the platform says about their codes.

use super::{BEGIN_MS, Stage};
use crate::board::driver::{Address, Slot};
use crate::cloud::envelope::{self, Value};
use crate::cloud::pickup::{CREATE_METHOD, DELETE_METHOD};
use crate::core::event::{Event, Token};
use crate::core::{Core, Entry, PICKUP_WAIT_MS, Reply, SlotTest, TestLine};
use crate::order::key::{Id, Key};
use crate::order::life::Order;
use crate::order::pickup::{CodeState, Digits};
use crate::order::record::{RecordKey, Records};
use crate::sim::world::judge::Broken;
use crate::sim::world::plan::{Act, CodeMessage, PlacedCode};

/// From the gate to the first byte while the board is waited for, in ms.
const DRIVE_SLACK_MS: u64 = 6_000;
/// A code is looked at in whole ms, and its time travels in them.
const EXPIRY_SLACK_MS: u64 = 1_000;

impl Stage<'_> {
    pub(super) fn send_code(&mut self, n: usize) {
        let Some(sending) = self.plan.desk.sendings.get(n).copied() else { return };
        let Some(code) = self.plan.desk.codes.get(sending.code) else { return };
        self.story.tell(self.now_ms, || format!("the platform sends {:?} of code {}", sending.message, code.id));
        // Of a journal that was lost nobody knows what was used: the platform must not make it young.
        let is_fresh = sending.message != CodeMessage::Create && self.first_life == 0;
        let issued_at_ms = if is_fresh { self.now_ms } else { code.issued_at_ms };
        let text = |text: String| Value::from(text);
        let label = self.settings.profile.slots.code_of(Slot(code.slot)).unwrap_or(code.slot);
        let method = if sending.message == CodeMessage::Delete { DELETE_METHOD } else { CREATE_METHOD };
        let mut fields = vec![
            ("method", Value::from(method)),
            ("client_id", Value::from(self.settings.machine_no.as_str())),
            ("timestamp", text(((BEGIN_MS + issued_at_ms) / 1_000).to_string())),
            ("id", text(code.id.to_string())),
        ];
        if sending.message != CodeMessage::Delete {
            fields.extend([
                ("code", text(code.digits())),
                ("product_id", Value::from("20001")),
                ("quantity", text(code.quantity.to_string())),
                ("channel_code", text(label.to_string())),
                ("addr", text(code.address.to_string())),
            ]);
            fields.extend(code.expires_at_ms.map(|ms| ("expired_at", text((BEGIN_MS + ms).to_string()))));
        }
        let payload = envelope::seal(fields, &self.settings.mqtt_key);
        self.broker.publish(None, payload.into());
        self.deliver();
    }

    pub(super) fn visit(&mut self, n: usize) -> Result<(), Broken> {
        let Some(visit) = self.plan.desk.visits.get(n).copied() else { return Ok(()) };
        if self.core.is_none() {
            return Ok(());
        }
        self.story.tell(self.now_ms, || format!("somebody at the machine: {:?}", visit.act));
        let token = Token(u64::try_from(n).unwrap_or(0));
        let enter = |digits: &str| Digits::parse(digits).map(|digits| Event::CodeEntered { token, digits });
        let event = match visit.act {
            Act::Enter(code) => self.plan.desk.codes.get(code).and_then(|code| enter(&code.digits())),
            Act::EnterWrong => enter("99999999"),
            Act::Test { slot, address } => Address::new(address).map(|address| Event::TestSlot {
                token,
                uid: 0,
                test: SlotTest { address, slot: Slot(slot) },
            }),
        };
        let Some(event) = event else { return Ok(()) };
        let is_test = matches!(visit.act, Act::Test { .. });
        let order_waits = self.core.as_ref().is_some_and(|core| core.status(self.now()).orders_open > 0);
        let before = self.core.as_ref().and_then(Core::test_line);
        self.tell(event)?;
        let after = self.core.as_ref().and_then(Core::test_line);
        let number = |line: &Option<TestLine>| line.as_ref().map(|line| line.test);
        if is_test && order_waits && number(&after) > number(&before) {
            return Err(Broken::TestBeforeOrders);
        }
        Ok(())
    }

    /// Somebody at the machine is told something.
    pub(super) fn replied(&mut self, reply: &Reply) -> Result<(), Broken> {
        self.story.tell(self.now_ms, || format!("told at the machine: {reply:?}"));
        let Reply::Entered(Entry::Accepted { order }) = reply else { return Ok(()) };
        let unreadable = || Broken::ReportUnreadable(order.order_id.clone());
        let id = order.order_id.strip_prefix("~p-").and_then(|id| Id::parse(id).ok()).ok_or_else(unreadable)?;
        let key = Key::of_pickup(&id).map_err(|_| unreadable())?;
        let is_used = |bytes: &Vec<u8>| {
            let mut records = Records::default();
            let read = records.take(&RecordKey::Code(id.clone()).to_bytes(), bytes);
            read.is_ok() && records.codes.iter().all(|code| matches!(code.state, CodeState::Used(_)))
        };
        let code_is_used = self.disk.durable(&RecordKey::Code(id.clone()).to_bytes()).is_some_and(is_used);
        if !code_is_used || !self.disk.is_durable(&key.to_bytes()) {
            return Err(Broken::UsedBeforeDurable(key));
        }
        let placed = self.plan.desk.codes.iter().find(|code| code.id.to_string() == id.as_str());
        let late = |code: &PlacedCode| code.expires_at_ms.is_some_and(|ms| self.now_ms > ms + self.sync_slack_ms());
        if placed.is_some_and(late) && !self.judge.clock_lied {
            return Err(Broken::CodeLate(key));
        }
        self.judge.code_accepted(key)
    }

    /// Between the look at the clock and the answer lies a sync.
    fn sync_slack_ms(&self) -> u64 {
        let slow = self.plan.faults.iter().filter_map(|fault| match *fault {
            crate::sim::world::plan::Fault::DiskSlow { sync_ms, .. } => Some(2 * sync_ms),
            _ => None,
        });
        slow.max().unwrap_or(0) + EXPIRY_SLACK_MS
    }

    /// A motor frame leaves for an order of the machine's own: only in the life that it is for.
    pub(super) fn own_is_driven(&mut self, order: &Order) -> Result<(), Broken> {
        if order.key.is_test() {
            let is_of_this_boot = order.arrival.boot_id.0 == [self.host.boot; 16];
            let is_of_this_life = self.run_time_ms(order.arrival.boot) >= self.started_at_ms;
            if let Some(entry) = self.disk.durable_test() {
                self.judge.tests(&entry, &order.key)?;
            }
            let is_right = is_of_this_boot && is_of_this_life;
            return if is_right { Ok(()) } else { Err(Broken::TestResumed(order.key.clone())) };
        }
        self.sale_is_driven(order)?;
        let now = self.now();
        let age_ms = now.boot.since_ms(order.arrival.boot);
        let is_of_this_boot = order.arrival.boot_id.0 == [self.host.boot; 16];
        if is_of_this_boot && age_ms <= PICKUP_WAIT_MS + DRIVE_SLACK_MS {
            Ok(())
        } else {
            Err(Broken::DrivenLate { key: order.key.clone(), late_s: age_ms / 1_000 })
        }
    }

    /// At the end: the keys of the codes, and which of them this journal calls used.
    pub(super) fn codes_at_the_end(&self) -> Vec<(Key, bool)> {
        let lines = self.core.as_ref().map(|core| core.code_lines(self.now())).unwrap_or_default();
        let is_used = |id: &str| lines.iter().any(|line| line.id == id && line.state == "used");
        let codes = self.plan.desk.codes.iter().filter_map(|code| {
            let id = code.id.to_string();
            Some((Key::of_pickup(&Id::parse(&id).ok()?).ok()?, is_used(&id)))
        });
        codes.collect()
    }
}
