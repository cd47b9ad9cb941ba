//! What the platform wants of the machine beside vending, and the machine that does it: the request in memory, whoever
//! takes it, the SIGTERM, and the new boot.

use super::{BEGIN_MS, Happening, Stage};
use crate::board::driver::Slot;
use crate::cloud::envelope;
use crate::core::event::{Event, MachineRequest, MachineTold};
use crate::order::instruction::Act;
use crate::sim::world::judge::Broken;
use crate::sim::world::plan::{BootClock, Instruct};

/// Whoever acts on requests finds one within this time, in ms.
const TAKEN_WITHIN_MS: u64 = 3_000;
/// One boot in so many has nobody who acts on requests: the operator has not enabled the unit.
const NOBODY_ACTS: u64 = 6;

impl Stage<'_> {
    pub(super) fn instruct(&mut self, n: usize) {
        let Some(instruction) = self.plan.instructions.get(n).copied() else { return };
        self.story.tell(self.now_ms, || format!("the platform says {:?}", instruction.what));
        let method = match instruction.what {
            Instruct::Reboot => "client.machine.reboot",
            Instruct::Shutdown => "client.machine.shutdown",
            Instruct::FactoryReset => "client.factory.reset",
            Instruct::TestChannel { .. } => "client.channel.debugging",
        };
        let mut fields = vec![
            ("method", method.into()),
            ("client_id", self.settings.machine_no.as_str().into()),
            ("timestamp", ((BEGIN_MS + instruction.issued_at_ms) / 1_000).to_string().into()),
            ("status", "0".into()),
        ];
        if let Instruct::TestChannel { slot, address } = instruction.what {
            let label = self.settings.profile.slots.code_of(Slot(slot)).unwrap_or(slot);
            let (code, addr) = (label.to_string().into(), address.to_string().into());
            fields.extend([("code", code), ("addr", addr), ("order_type", "test".into())]);
        }
        let payload = envelope::seal(fields, &self.settings.mqtt_key);
        self.broker.publish(None, payload.into());
        self.deliver();
    }

    pub(super) fn carry_out_request(&mut self, request: MachineRequest) -> Result<(), Broken> {
        self.story.tell(self.now_ms, || format!("{request:?}"));
        if self.disk.is_damaged() {
            return Err(Broken::QuarantineBroken("the machine is asked to do something"));
        }
        let (number, told) = match request {
            MachineRequest::Ask { number, act } => {
                self.judge.acts(number, self.disk.durable_audit(number), self.disk.open_orders())?;
                self.host.request = Some(act);
                let boot = self.host.boot;
                if u64::from(boot) % NOBODY_ACTS != NOBODY_ACTS - 1 {
                    let taken_ms = self.chance.u64(1..=TAKEN_WITHIN_MS);
                    self.after(taken_ms, Happening::Requested { boot });
                }
                (number, MachineTold::Asked)
            }
            MachineRequest::Withdraw { number } => match self.host.request.take() {
                Some(_) => (number, MachineTold::Withdrawn),
                None => (number, MachineTold::Gone),
            },
        };
        let life = self.life;
        self.after(1, Happening::ToCore { life, connection: None, event: Event::Machine { number, told } });
        Ok(())
    }

    /// Somebody looks for a request, and follows it.
    pub(super) fn requested(&mut self, boot: u8) -> Result<(), Broken> {
        if boot != self.host.boot {
            return Ok(());
        }
        let Some(act) = self.host.request.take() else { return Ok(()) };
        self.story.tell(self.now_ms, || format!("THE MACHINE does as it was asked: {act:?}"));
        self.host.going = Some(act);
        match self.core {
            // It ends when the motor stands, and the machine goes.
            Some(_) => self.tell(Event::Stop).map(drop),
            None => self.go(),
        }
    }

    /// The agent has ended: the machine goes. What the page cache had is written or not; systemd syncs, a model need not.
    pub(super) fn go(&mut self) -> Result<(), Broken> {
        let was_alive = self.core.is_some();
        let open = self.disk.on_line().count();
        if was_alive && open > 0 {
            return Err(Broken::ActOnOpenOrder { what: "goes", open });
        }
        self.spoil_the_journal();
        self.disk.power_goes(&mut self.chance);
        let off_ms = match self.host.going.take() {
            Some(Act::PowerOff { .. }) => self.chance.u64(5_000..=60_000),
            Some(Act::Reboot) | None => self.chance.u64(2_000..=20_000),
        };
        self.host.reboots = Some(BootClock::Synchronised);
        self.end_life();
        self.after(off_ms, Happening::Start);
        Ok(())
    }
}
