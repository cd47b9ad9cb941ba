//! What passes over the line: frames in any cut, whole, spoilt or lost, and the turns that follow.

use super::{Happening, Stage, closed};
use crate::board::driver::{Write, Written};
use crate::board::profile::Family;
use crate::core::event::Event;
use crate::order::time::BootMs;
use crate::sim::board::fault::FaultKind;
use crate::sim::world::judge::{Broken, UnitId};
use crate::sim::world::line::Command;
use crate::sim::world::plan::{Beat, Fault};

impl Stage<'_> {
    pub(super) fn write(&mut self, write: Write, intent: Option<u64>) -> Result<(), Broken> {
        let command = if write.motor { Some(self.motor_frame()?) } else { None };
        let life = self.life;
        let told = |stage: &mut Self, written| {
            if write.motor {
                stage.story.tell(stage.now_ms, || format!("motor frame written: {written:?}"));
                stage.after(1, Happening::ToCore { life, connection: None, event: Event::MotorWritten(written) });
            }
        };
        if self.line.open.is_none() {
            told(self, Written::Nothing);
            return Ok(());
        }
        let delay_ms = if self.chance.u16(..500) == 0 { 150 } else { self.chance.u64(..2) };
        if write.not_after.is_some_and(|at| self.now().boot.plus_ms(delay_ms) > at) {
            told(self, Written::Nothing);
            return Ok(());
        }
        let mut bytes = write.bytes;
        if let Some(sequence) = intent {
            self.write_the_mark(sequence);
            self.beat(Beat::Marked, true);
            if self.core.is_none() {
                return Ok(());
            }
        }
        if write.motor {
            self.line.motor_writes += 1;
            self.line.last_motor_write_ms = self.now_ms;
            let nth = self.line.motor_writes;
            let fails = self.plan.faults.iter().filter(|_| !self.is_calm).find_map(|fault| match *fault {
                Fault::MotorWrite { nth: n, written } if n == nth => Some(written),
                _ => None,
            });
            if let Some(written) = fails {
                let taken = if written == Written::Some { self.chance.usize(1..bytes.len().max(2)) } else { 0 };
                bytes.truncate(taken);
            }
            told(self, fails.unwrap_or(Written::All));
            if fails.is_some() {
                // What the kernel took is thrown away with the port, or was on the wire already.
                let at_ms = self.line.reaches_board_ms(self.now_ms, delay_ms);
                self.at(at_ms, Happening::AtBoard { wire: self.line.wire, bytes, command });
                self.judge.doubt.strikes(self.now_ms, self.now_ms);
                self.after(2, Happening::ToCore { life, connection: None, event: closed("the write failed") });
                self.line.open = None;
                let back_ms = self.chance.u64(50..2_000);
                self.after(back_ms, Happening::OpenPort { life });
                return Ok(());
            }
        }
        self.spoil(&mut bytes);
        let cut = if self.chance.u8(..10) == 0 { self.chance.usize(..=bytes.len()) } else { bytes.len() };
        let rest = bytes.split_off(cut);
        for part in [bytes, rest].into_iter().filter(|part| !part.is_empty()) {
            let at_ms = self.line.reaches_board_ms(self.now_ms, delay_ms);
            self.at(at_ms, Happening::AtBoard { wire: self.line.wire, bytes: part, command: command.clone() });
        }
        Ok(())
    }

    /// A motor frame leaves: for which unit, by the durable intent.
    fn motor_frame(&mut self) -> Result<Command, Broken> {
        let intents = self.disk.on_line();
        let last = intents.max_by_key(|order| order.unit_on_line().map(|(_, intent)| intent.sequence));
        let Some(order) = last else { return Err(Broken::NoIntent("a motor frame")) };
        let (Some((unit, intent)), Some(turns)) = (order.unit_on_line(), order.turns) else {
            return Err(Broken::NoIntent("a motor frame"));
        };
        if order.key.is_own() {
            self.own_is_driven(&order)?;
        } else {
            let placed = self.placed.iter().find(|(key, _)| *key == order.key).map(|(_, placed)| placed);
            self.judge.driven(&order, self.plan.verify_orders, placed, self.true_ms())?;
        }
        let (key, sequence) = (order.key.clone(), intent.sequence);
        let family = self.settings.profile.family;
        if self.plan.faults.iter().any(|fault| hides_a_result(fault, turns.slot.0, family)) {
            self.judge.doubt.leaves_alone(UnitId { key: key.clone(), unit }, self.now_ms);
        }
        self.story.tell(self.now_ms, || format!("MOTOR FRAME for order {key} unit {}, intent {sequence}", unit + 1));
        Ok(Command { id: UnitId { key, unit }, slot: turns.slot.0 })
    }

    /// Noise on the line.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        let now_ms = self.now_ms;
        let percent = self.plan.faults.iter().filter(|_| !self.is_calm).find_map(|fault| match *fault {
            Fault::Noise { at_ms, for_ms, percent } if (at_ms..at_ms + for_ms).contains(&now_ms) => Some(percent),
            _ => None,
        });
        if percent.is_none_or(|percent| self.chance.u8(..100) >= percent) {
            return;
        }
        self.judge.doubt.strikes(self.now_ms, self.now_ms);
        if self.chance.bool() {
            bytes.clear();
        } else {
            let (at, flip) = (self.chance.usize(..bytes.len().max(1)), self.chance.u8(1..));
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= flip;
            }
        }
    }

    pub(super) fn board_receives(&mut self, wire: u32, bytes: &[u8], command: Option<Command>) -> Result<(), Broken> {
        if wire != self.line.wire || self.line.is_dark(self.now_ms) {
            return Ok(());
        }
        let is_motor = command.is_some();
        if is_motor {
            self.beat(Beat::AtBoard, true);
            // The cut may have been the board's own.
            if wire != self.line.wire || self.line.is_dark(self.now_ms) {
                return Ok(());
            }
            self.line.last_command = command;
        }
        self.line.board.received(BootMs(self.now_ms), bytes);
        self.hear_the_board()?;
        if is_motor {
            self.beat(Beat::AtBoard, false);
        }
        Ok(())
    }

    /// Turns that began, and bytes that the board says.
    pub(super) fn hear_the_board(&mut self) -> Result<(), Broken> {
        for turn in self.line.new_turns() {
            let Some(command) = self.line.last_command.clone() else {
                return Err(Broken::NoIntent("a turn"));
            };
            let Command { id, slot } = command;
            self.story.tell(self.now_ms, || {
                format!("THE MOTOR TURNS for order {} unit {}, goods drop: {}", id.key, id.unit + 1, turn.dropped)
            });
            if slot != turn.slot {
                return Err(Broken::WrongSlot { key: id.key, wanted: slot, turned: turn.slot });
            }
            self.judge.turned(id, turn.dropped, self.now_ms)?;
            self.beat(Beat::Turn, true);
        }
        while let Some(mut bytes) = self.line.board.next_output() {
            let Some(opening) = self.line.open else { continue };
            self.spoil(&mut bytes);
            let cut = if self.chance.u8(..10) == 0 { self.chance.usize(..=bytes.len()) } else { bytes.len() };
            let rest = bytes.split_off(cut);
            for part in [bytes, rest].into_iter().filter(|part| !part.is_empty()) {
                let delay_ms = self.chance.u64(..3);
                let at_ms = self.line.reaches_core_ms(self.now_ms, delay_ms);
                self.at(at_ms, Happening::AtPort { opening, bytes: part });
            }
        }
        Ok(())
    }

    pub(super) fn unplug(&mut self) -> Result<(), Broken> {
        self.line.is_plugged = false;
        self.line.wire += 1;
        if self.line.open.take().is_some() {
            self.tell(closed("unplugged"))?;
        }
        Ok(())
    }
}

/// The board's own fault that may lose or hide what becomes of a command for this slot.
fn hides_a_result(fault: &Fault, slot: u16, family: Family) -> bool {
    match fault {
        Fault::Board(fault) => {
            // These two say too little of a turn that failed.
            let tells_failures = !matches!(family, Family::Vendapin | Family::Vmc96);
            let is_failure = matches!(fault.kind, FaultKind::Jam | FaultKind::NoDrop | FaultKind::OpenMotor);
            let is_told = is_failure && tells_failures;
            !is_told && fault.slot.is_none_or(|s| s == slot)
        }
        _ => false,
    }
}
