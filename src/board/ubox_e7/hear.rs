//! What the board says, and what it proves.

use super::told::{self, SlotByte, Status};
use super::wire::{self, Frame};
use super::{
    AFTER_VEND, ALL, Ask, CLOSING_MS, COPY_MS_MAX, COUNTED_READS_MAX, INQUIRY, Known, LOG_MESSAGES_MAX, LastResult,
    NUMBER_STEP_MAX, Phase, Question, UboxE7, Vend, Wants,
};
use crate::board::driver::{Finding, LineFault, Slot};
use crate::board::frame::crc16_xmodem;
use crate::board::service::{Reading, Service, ServiceError};
use crate::board::talk::PROGRESS_TURNING;
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::time::BootMs;

impl UboxE7 {
    pub(super) fn frame(&mut self, frame: &Frame, read_at: BootMs) {
        self.heard_at = read_at;
        self.silent = false;
        self.tally.frames_in += 1;
        if matches!(frame.kind, wire::ACK_RPT | wire::NAK_RPT) {
            return self.answered(frame.number, frame.kind == wire::ACK_RPT);
        }
        if frame.needs_answer {
            self.follow_number(frame.number);
            if self.motor.take().is_some() {
                // It went on without a word about the command, which is never said again (rule 15).
                self.tell(Finding::Fault(LineFault::TimeOut));
            }
        }
        let wants = match (frame.kind, frame.data.as_slice()) {
            (wire::POLL, _) => {
                self.polled_at = Some(read_at);
                self.polled(frame.number);
                Wants::Poll
            }
            (wire::VENDOUT_RPT, data) => self.vend_ended(frame.number, data),
            (wire::VMC_SETUP | wire::REQUEST, _) => {
                self.started();
                Wants::Ack
            }
            (wire::ACTION_RPT, &[wire::ACTION_VEND, _, slot, class, ..]) => {
                let is_ours = |v: &Vend| v.listens() && v.slot == slot && class == self.online_type && !v.is_told;
                if self.vend.as_ref().is_some_and(is_ours) {
                    self.tell(Finding::Progress(PROGRESS_TURNING));
                }
                Wants::Ack
            }
            (wire::ADMIN_RPT, &[what @ (wire::DOOR_OPENED | wire::DOOR_CLOSED), ..]) => {
                self.known.door_open = Some(what == wire::DOOR_OPENED);
                Wants::Ack
            }
            (wire::STATUS_RPT, data) => {
                if let Some(status) = Status::read(data) {
                    self.known.status = Some(status);
                    self.told(Ask::Status, Ok(()));
                }
                Wants::Ack
            }
            (wire::HUODAO_RPT, &[0, ref slots @ ..]) => {
                self.known.slots = slots.to_vec();
                self.told(Ask::Slots, Ok(()));
                Wants::Ack
            }
            (wire::INFO_RPT, &[about, ref data @ ..]) => {
                self.informed(about, data);
                Wants::Ack
            }
            (wire::OFFLINE_DATA_RPT, data) => {
                self.log_told(data);
                Wants::Ack
            }
            _ => Wants::Ack,
        };
        if frame.needs_answer {
            self.question = Some(Question { wants, number: frame.number, read_at });
        }
    }

    /// A gap in the board's numbers is frames that were not heard, or a restart.
    const fn follow_number(&mut self, number: u8) {
        if let Some(last) = self.last_number
            && number.wrapping_sub(last) > NUMBER_STEP_MAX
        {
            self.miss_something();
        }
        self.last_number = Some(number);
    }

    /// ACK_RPT or NAK_RPT.
    fn answered(&mut self, number: u8, is_taken: bool) {
        let written = self.vend.as_ref().is_some_and(Vend::listens);
        if self.motor == Some(number) && written {
            self.motor = None;
            self.tally.round_trip(self.now.since_ms(self.said_at));
            let Some(vend) = self.vend else { return };
            if is_taken {
                if !vend.is_told {
                    self.tell(Finding::Taken);
                }
                return;
            }
            let is_wrong = match self.slot_byte(vend.slot) {
                Some(slot) => slot.is_faulty(),
                None => !self.known.slots.is_empty(),
            };
            return self.not_taken(if is_wrong { Reason::Slot } else { Reason::Busy });
        }
        match self.asked {
            Some(asked) if asked.number == number && !is_taken => {
                if let Some(&ask) = self.to_ask.front() {
                    self.told(ask, Err(ServiceError::Refused));
                }
            }
            Some(asked) if asked.number == number => {}
            _ => self.tell(Finding::Fault(LineFault::Unexpected)),
        }
    }

    /// A poll: nothing turns, and the host may speak.
    fn polled(&mut self, number: u8) {
        self.is_starting = false;
        // The same poll again would say that the board did not hear of it.
        let is_next = self.asked.is_some_and(|asked| asked.number != number);
        if is_next && self.to_ask.front() == Some(&Ask::Reset) {
            self.told(Ask::Reset, Ok(()));
        }
        if let Some(vend) = &mut self.vend
            && vend.listens()
            && !vend.is_asked
        {
            vend.is_asked = true;
            self.ask(INQUIRY);
        }
    }

    /// The question was answered, if it was asked; or there will be no answer.
    pub(super) fn told(&mut self, ask: Ask, result: Result<(), ServiceError>) {
        if self.to_ask.front() != Some(&ask) {
            return;
        }
        let Some(asked) = self.asked.take() else { return };
        if result.is_ok() {
            self.tally.round_trip(self.now.since_ms(asked.at));
        }
        self.times_asked = 0;
        self.to_ask.pop_front();
        if ask == Ask::Hardware {
            self.identify();
        }
        if let Some(service) = self.serving.take() {
            let reading = result.and_then(|()| self.reading(&service));
            self.tell(Finding::Served(reading));
            if ask == Ask::Reset {
                self.ask(ALL);
            }
        }
        if self.to_ask.is_empty() && self.vend.as_ref().is_some_and(Vend::listens) {
            self.judge();
        }
    }

    fn identify(&mut self) {
        let firmware = self.known.firmware.as_ref().map(|text| format!("firmware {text}"));
        let hardware = self.known.hardware.as_ref().map(|bytes| {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("board {digits}")
        });
        let parts: Vec<String> = firmware.into_iter().chain(hardware).collect();
        let text = parts.join(", ");
        if !text.is_empty() && text != self.identity {
            self.identity.clone_from(&text);
            self.tell(Finding::Identity(text));
        }
    }

    fn informed(&mut self, about: u8, data: &[u8]) {
        match about {
            wire::INFO_COUNTERS => {
                if let Some(online) = told::online_vends(data) {
                    self.counters_told(online);
                }
            }
            wire::INFO_FIRMWARE => {
                let text = data.iter().filter(|b| b.is_ascii_graphic() || **b == b' ').map(|&b| char::from(b));
                self.known.firmware = Some(text.collect::<String>().trim().to_owned());
                self.told(Ask::Firmware, Ok(()));
            }
            wire::INFO_HARDWARE => {
                self.known.hardware = Some(data.to_vec());
                self.told(Ask::Hardware, Ok(()));
            }
            _ => {}
        }
    }

    fn counters_told(&mut self, online: u32) {
        if self.asked.is_none() || self.to_ask.front() != Some(&Ask::Counters) {
            // Of which moment it tells is not known.
            return;
        }
        if self.counted.is_some_and(|counted| counted != online) {
            self.counter_reads += 1;
            if self.counter_reads < COUNTED_READS_MAX {
                // It may count a little later than it tells: what is kept with the next intent must be the new count.
                self.asked = None;
                self.times_asked = 0;
                return;
            }
            self.is_distrusted = true;
        }
        self.counted = None;
        self.known.online = Some(online);
        self.told(Ask::Counters, Ok(()));
    }

    fn log_told(&mut self, data: &[u8]) {
        let records = match data {
            [wire::LOG_OF_VENDS, records @ ..] => records,
            _ => &[],
        };
        if let Some(vend) = &mut self.vend
            && told::log_names(records, vend.slot)
        {
            vend.is_logged = true;
        }
        self.log_messages = self.log_messages.saturating_add(1);
        let is_last = records.len() < wire::LOG_RECORDS_MAX * wire::LOG_RECORD_BYTES;
        if is_last || self.log_messages >= LOG_MESSAGES_MAX {
            self.told(Ask::Log, Ok(()));
        } else if self.to_ask.front() == Some(&Ask::Log) {
            self.asked = None;
            self.times_asked = 0;
        }
    }

    /// VENDOUT_RPT.
    fn vend_ended(&mut self, number: u8, data: &[u8]) -> Wants {
        let &[device, status, slot, class, cost_high, cost_low, _, _, huodao] = data else {
            self.fault(LineFault::Unexpected);
            return Wants::Ack;
        };
        if device == 0
            && let Some(known) = usize::from(slot).checked_sub(1).and_then(|at| self.known.slots.get_mut(at))
        {
            *known = huodao;
        }
        if let Some(last) = &mut self.last_result
            && last.number == number
            && last.data == data
            && self.now.since_ms(last.at) <= COPY_MS_MAX
        {
            last.at = self.now;
            return if self.held { Wants::AckWhenReleased } else { Wants::Ack };
        }
        if class != self.online_type {
            // A sale by the keypad.
            return Wants::Ack;
        }
        let is_ours = |v: &Vend| v.listens() && (device, v.slot, cost_high, cost_low) == (0, slot, 0, 0);
        let vend = self.vend.filter(|v| is_ours(v) && !self.held);
        let told =
            vend.and_then(|v| Some((v, told::evidence(&self.profile, status, SlotByte(huodao), v.before.is_armed)?)));
        let Some((vend, evidence)) = told else {
            self.fault(LineFault::Unexpected);
            return Wants::Ack;
        };
        self.last_result = Some(LastResult { number, data: data.to_vec(), at: self.now });
        let sold = u32::from(status == wire::VENDED);
        self.counted = vend.before.online.map(|online| online.wrapping_add(sold));
        self.ended(&vend, evidence);
        Wants::AckWhenReleased
    }

    /// The command has an outcome.
    fn ended(&mut self, vend: &Vend, evidence: Evidence) {
        self.vend = None;
        self.motor = None;
        self.held = true;
        self.ask(AFTER_VEND);
        self.tell(if vend.is_told {
            Finding::Late { address: vend.address, slot: Some(Slot(u16::from(vend.slot))), evidence }
        } else {
            Finding::Outcome(evidence)
        });
    }

    /// Slots and counters were asked: what do they prove?
    fn judge(&mut self) {
        let Some(vend) = self.vend else { return };
        let is_over = matches!(vend.phase, Phase::Closing { .. });
        let hardware = self.hardware();
        let is_same_board = vend.before.hardware.is_none() || hardware.is_none() || vend.before.hardware == hardware;
        let counters = vend.before.online.zip(self.known.online).filter(|_| is_same_board && !self.is_distrusted);
        match counters {
            Some((before, now)) if now == before.wrapping_add(1) => {
                let drop_sensor = if vend.before.is_armed { DropSensor::Seen } else { DropSensor::None };
                self.ended(&vend, Evidence { motor: Motor::Ok, drop_sensor });
            }
            Some((before, now)) if now == before && is_over && vend.is_watched && !self.may_be_gone(&vend) => {
                self.ended(&vend, told::failed(vend.before.is_armed));
            }
            Some((before, now)) if now == before && is_over => {
                self.unproven("the board has not counted the vend, and may have been without power");
            }
            Some(_) if is_over => self.unproven("the board's counter does not fit the command"),
            None if is_over => self.unproven("the board told no result within the longest vend time, and no counter"),
            _ => {}
        }
    }

    /// Something beside the counter says that goods of this slot are gone.
    fn may_be_gone(&self, vend: &Vend) -> bool {
        let now = self.slot_byte(vend.slot).map(SlotByte::left);
        let before = vend.before.slot.map(|slot| SlotByte(slot).left());
        vend.is_logged || before.zip(now).is_some_and(|(before, now)| now < before)
    }

    pub(super) fn hardware(&self) -> Option<u16> {
        self.known.hardware.as_deref().map(crc16_xmodem)
    }

    /// VMC_SETUP, which was not asked for, or REQUEST: the board starts.
    fn started(&mut self) {
        // Copies, and the wishes that follow: between them no command can have come to the board.
        if std::mem::replace(&mut self.is_starting, true) {
            return;
        }
        self.tell(Finding::BoardRestarted);
        self.last_result = None;
        self.counted = None;
        self.known = Known::default();
        self.miss_something();
        if let Some(service) = self.serving.take() {
            let is_reset = matches!(service, Service::Reset { .. });
            self.tell(Finding::Served(if is_reset { Ok(Reading::Done) } else { Err(ServiceError::NoAnswer) }));
        }
        self.ask(ALL);
        let until = self.now.plus_ms(CLOSING_MS);
        if let Some(vend) = &mut self.vend
            && vend.listens()
        {
            // Nothing of it turns any more. What was counted before stays counted.
            vend.phase = Phase::Closing { until };
            vend.is_asked = true;
        }
    }
}
