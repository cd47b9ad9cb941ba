//! What passes over a line, in words, for whoever watches it: frames cut out of what came, and what each means. Pure, and
//! beside the drivers: it listens to both sides with the same words that the driver speaks, asks nothing, and is not
//! there while nobody watches.

use super::deframer::{Deframer, Framing};
use super::driver::{Address, LineFault, MotorCommand, Slot};
use super::profile::{Family, Profile};
use super::protocol::{Fit, Protocol, Reply, Request, Status, Turn};
use super::service::{ClimateMode, Device, HOLD_C, Service};
use super::words::{Answer, Question, Words};
use super::{
    adh, col_ed, ff0055, lift_c7, lock_8a, lock_cu, m102, tcn_00ff, ubox_e7, uling_modbus, vendapin, vmc96, xy_v3,
};
use crate::order::motor::FloorType;
use crate::order::time::BootMs;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Frames of the host whose meaning is remembered: the questions of a whole vend, many times.
const KNOWN_MAX: usize = 256;
/// Highest slot that a byte on the wire names.
const SLOT_MAX: u16 = 255;

/// A frame, or bytes that are none, with what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// As they came.
    pub bytes: Vec<u8>,
    /// In words.
    pub meaning: String,
}

/// Reads a line for people.
pub trait Reader {
    /// The host put this frame on the line.
    fn sent(&mut self, bytes: &[u8]) -> String;
    /// These bytes came from the board, in any cut. What is not yet a frame waits for the rest.
    fn received(&mut self, at: BootMs, bytes: &[u8]) -> Vec<Heard>;
}

/// The reader of a profile's family.
#[must_use]
pub fn reader_for(profile: &Profile) -> Box<dyn Reader> {
    fn polled<P: Protocol + 'static>(profile: &Profile) -> Box<dyn Reader> {
        Box::new(Dialogue::new(profile, Polls(P::new(profile))))
    }
    fn asked<W: Words + 'static>(profile: &Profile) -> Box<dyn Reader>
    where
        W::Look: Debug,
    {
        Box::new(Dialogue::new(profile, Asks(W::new(profile))))
    }
    match profile.family {
        Family::UlingModbus => polled::<uling_modbus::Zdm8>(profile),
        Family::Adh => polled::<adh::AdhProtocol>(profile),
        Family::M102 => asked::<m102::M102Words>(profile),
        Family::Lock8a => asked::<lock_8a::Lock8aWords>(profile),
        Family::LockCu => asked::<lock_cu::LockCuWords>(profile),
        Family::LiftC7 => asked::<lift_c7::LiftC7Words>(profile),
        Family::ColEd => asked::<col_ed::ColEdWords>(profile),
        Family::Ff0055 => asked::<ff0055::Ff0055Words>(profile),
        Family::Vendapin => asked::<vendapin::VendapinWords>(profile),
        Family::Vmc96 => asked::<vmc96::Vmc96Words>(profile),
        Family::XyV3 => Box::new(Framed::<xy_v3::wire::Wire>::default()),
        Family::UboxE7 => Box::new(Framed::<ubox_e7::wire::Wire>::default()),
        Family::Tcn00ff => Box::new(Tcn::default()),
    }
}

/// One side of families whose host asks.
trait Speech {
    /// A question.
    type Ask: Clone + Debug;
    /// Everything that can be asked of this board, the usual first.
    fn asks(&self, profile: &Profile, address: Address) -> Vec<Self::Ask>;
    fn frame(&mut self, wire_address: u8, ask: &Self::Ask, tries: u8) -> Vec<u8>;
    fn fit(&self, bytes: &[u8]) -> Fit;
    fn said(&self, ask: &Self::Ask) -> String;
    fn answer(&self, wire_address: u8, ask: &Self::Ask, frame: &[u8]) -> Option<String>;
    fn unasked(&self, _wire_address: u8, _frame: &[u8]) -> Option<String> {
        None
    }
}

struct Polls<P>(P);
struct Asks<W>(W);

fn services(address: Address) -> Vec<Service> {
    let mut all = vec![
        Service::SelfCheck { address },
        Service::Door { address },
        Service::Climate { address },
        Service::Reset { address },
        Service::Hold { address, mode: ClimateMode::Off, target_c: 0 },
    ];
    for device in Device::ALL {
        all.extend([true, false].map(|on| Service::Switch { address, device, on }));
    }
    all
}

/// Services with a number in them: many, so they are looked at last.
fn services_with_numbers(profile: &Profile, address: Address) -> Vec<Service> {
    let slots = slots(profile).map(|slot| Service::SlotState { address, slot });
    let held = [ClimateMode::Cool, ClimateMode::Heat];
    let held = held.into_iter().flat_map(|mode| HOLD_C.map(move |target_c| Service::Hold { address, mode, target_c }));
    slots.chain(held).collect()
}

fn slots(profile: &Profile) -> impl Iterator<Item = Slot> {
    (0..=SLOT_MAX).map(Slot).filter(|slot| profile.has_slot(*slot))
}

fn turns(profile: &Profile, address: Address) -> Vec<Turn> {
    let mut all = Vec::new();
    for slot in slots(profile) {
        for floor_type in [FloorType::Spring, FloorType::Lock, FloorType::Belt] {
            for (lift, drop_check) in [(false, false), (false, true), (true, false), (true, true)] {
                let command = MotorCommand { address, slot, floor_type, lift, drop_check };
                all.extend(u8::try_from(slot.0).ok().map(|slot| Turn { slot, command }));
            }
        }
    }
    all
}

fn turn_words(turn: &Turn) -> String {
    let MotorCommand { slot, drop_check, .. } = turn.command;
    format!("TURN slot {}{}", slot.0, if drop_check { ", drop sensor armed" } else { "" })
}

impl<P: Protocol> Speech for Polls<P> {
    type Ask = Request;

    fn asks(&self, profile: &Profile, address: Address) -> Vec<Request> {
        let mut all = vec![Request::Status, Request::Forget, Request::DropMode(true), Request::DropMode(false)];
        all.extend((0..P::IDENTITY_PARTS).map(Request::Identity));
        all.extend(turns(profile, address).into_iter().map(Request::Drive));
        let services = services(address).into_iter().chain(services_with_numbers(profile, address));
        all.extend(services.filter(|service| self.0.serves(service)).map(Request::Service));
        if !self.0.has_drop_mode() {
            all.retain(|ask| !matches!(ask, Request::DropMode(_)));
        }
        all
    }

    fn frame(&mut self, wire_address: u8, ask: &Request, _tries: u8) -> Vec<u8> {
        self.0.request(wire_address, ask)
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        self.0.fit(bytes)
    }

    fn said(&self, ask: &Request) -> String {
        match ask {
            Request::Status => "how are you?".to_owned(),
            Request::Identity(_) => "who are you?".to_owned(),
            Request::DropMode(on) => format!("drop sensor {}", if *on { "armed" } else { "off" }),
            Request::Drive(turn) => turn_words(turn),
            Request::Forget => "the result is kept, forget it".to_owned(),
            Request::Service(service) => format!("{service:?}"),
        }
    }

    fn answer(&self, wire_address: u8, ask: &Request, frame: &[u8]) -> Option<String> {
        Some(match self.0.reply(wire_address, ask, frame)? {
            Reply::Status(Status::Idle) => "idle".to_owned(),
            Reply::Status(Status::Turning(slot)) => format!("a motor turns{}", of_slot(slot)),
            Reply::Status(Status::Finished(slot, result)) => format!("finished{}, result {result:#06x}", of_slot(slot)),
            Reply::Accepted => "taken".to_owned(),
            Reply::Refused(reason) => format!("refused: {}", reason.as_str()),
            Reply::Failed(code) => format!("failed at once, code {code:#06x}"),
            Reply::Unclear => "a code without a meaning".to_owned(),
            Reply::Identity(text) => format!("I am {text}"),
            Reply::Done => "done".to_owned(),
            Reply::Reading(reading) => format!("{reading:?}"),
        })
    }
}

fn of_slot(slot: Option<Slot>) -> String {
    slot.map(|slot| format!(", slot {}", slot.0)).unwrap_or_default()
}

impl<W: Words> Speech for Asks<W>
where
    W::Look: Debug,
{
    type Ask = Question;

    fn asks(&self, profile: &Profile, address: Address) -> Vec<Question> {
        let mut all: Vec<Question> = (0..self.0.look_parts()).map(Question::Look).collect();
        all.extend((0..W::IDENTITY_PARTS).map(Question::Identity));
        all.extend(W::HOST_ENDS_TURN.then_some(Question::Halt));
        let turns = turns(profile, address);
        for turn in &turns {
            all.extend((0..self.0.follow_parts()).map(|part| Question::Follow(*turn, part)));
        }
        all.extend(turns.into_iter().map(Question::Drive));
        let services = services(address).into_iter().chain(services_with_numbers(profile, address));
        for service in services.filter(|service| self.0.serves(service)) {
            all.extend((0..self.0.service_parts(&service)).map(|part| Question::Service(service, part)));
        }
        all
    }

    fn frame(&mut self, wire_address: u8, ask: &Question, tries: u8) -> Vec<u8> {
        self.0.request(wire_address, ask, tries)
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        self.0.fit(bytes)
    }

    fn said(&self, ask: &Question) -> String {
        match ask {
            Question::Look(_) => "how are you?".to_owned(),
            Question::Follow(turn, _) => format!("what became of slot {}?", turn.command.slot.0),
            Question::Identity(_) => "who are you?".to_owned(),
            Question::Drive(turn) => turn_words(turn),
            Question::Halt => "STOP the motor".to_owned(),
            Question::Service(service, _) => format!("{service:?}"),
        }
    }

    fn answer(&self, wire_address: u8, ask: &Question, frame: &[u8]) -> Option<String> {
        Some(match self.0.reply(wire_address, ask, frame)? {
            Answer::Look(look) => format!("{look:?}"),
            Answer::Taken => "taken".to_owned(),
            Answer::Refused(reason) => format!("refused: {}", reason.as_str()),
            Answer::Unclear => "a code that says nothing certain".to_owned(),
            Answer::Identity(text) => format!("I am {text}"),
            Answer::Reading(reading) => format!("{reading:?}"),
        })
    }

    fn unasked(&self, wire_address: u8, frame: &[u8]) -> Option<String> {
        self.0.unasked(wire_address, frame).map(|unasked| format!("unasked: {unasked:?}"))
    }
}

/// A line on which the host asks and boards answer.
struct Dialogue<S: Speech> {
    speech: S,
    /// Every board with all that it can be asked.
    boards: Vec<(u8, Vec<S::Ask>)>,
    known: BTreeMap<Vec<u8>, Option<(u8, S::Ask)>>,
    asked: Option<(u8, S::Ask)>,
    buffer: Vec<u8>,
}

impl<S: Speech> Dialogue<S> {
    fn new(profile: &Profile, speech: S) -> Self {
        let addresses = (1..=profile.addresses.count).filter_map(Address::new);
        let boards = addresses.map(|address| (profile.wire_address(address), speech.asks(profile, address))).collect();
        Dialogue { speech, boards, known: BTreeMap::new(), asked: None, buffer: Vec::new() }
    }

    /// The question that has this frame. Bytes that count (serial numbers, and the check over them) are not compared:
    /// those that differ when the same is asked twice.
    /// True when it has no such bytes.
    fn question_of(&mut self, bytes: &[u8]) -> Option<(u8, S::Ask, bool)> {
        for (wire_address, asks) in &self.boards {
            for ask in asks {
                for tries in [0, 1] {
                    let first = self.speech.frame(*wire_address, ask, tries);
                    if first.len() != bytes.len() {
                        continue;
                    }
                    let again = self.speech.frame(*wire_address, ask, tries);
                    let mut compared = first.iter().zip(&again).zip(bytes).filter(|((a, b), _)| a == b);
                    if compared.all(|((a, _), byte)| a == byte) {
                        // Where the family counts, its words go on counting from where the driver's are.
                        let is_same = (0..=u8::MAX).any(|_| self.speech.frame(*wire_address, ask, tries) == bytes);
                        return Some((*wire_address, ask.clone(), is_same && first == again));
                    }
                }
            }
        }
        None
    }

    fn meaning(&self, frame: &[u8]) -> String {
        if let Some((wire_address, ask)) = &self.asked
            && let Some(text) = self.speech.answer(*wire_address, ask, frame)
        {
            return text;
        }
        let unasked = self.boards.iter().find_map(|(wire_address, _)| self.speech.unasked(*wire_address, frame));
        unasked.unwrap_or_else(|| "a frame that answers nothing".to_owned())
    }

    fn noise(&mut self, count: usize) -> Option<Heard> {
        let bytes: Vec<u8> = self.buffer.drain(..count).collect();
        (!bytes.is_empty()).then(|| Heard { bytes, meaning: "noise: no frame".to_owned() })
    }
}

impl<S: Speech> Reader for Dialogue<S> {
    fn sent(&mut self, bytes: &[u8]) -> String {
        let question = match self.known.get(bytes) {
            Some(known) => known.clone(),
            None => {
                let found = self.question_of(bytes);
                if self.known.len() >= KNOWN_MAX {
                    self.known.clear();
                }
                let is_constant = found.as_ref().is_none_or(|(.., is_constant)| *is_constant);
                let found = found.map(|(wire_address, ask, _)| (wire_address, ask));
                if is_constant {
                    self.known.insert(bytes.to_vec(), found.clone());
                }
                found
            }
        };
        let text = match &question {
            Some((wire_address, ask)) => format!("to {wire_address}: {}", self.speech.said(ask)),
            None => "not a word of this board's family".to_owned(),
        };
        self.asked = question;
        text
    }

    fn received(&mut self, _at: BootMs, bytes: &[u8]) -> Vec<Heard> {
        self.buffer.extend_from_slice(bytes);
        let mut heard = Vec::new();
        let mut at = 0;
        while let Some(rest) = self.buffer.get(at..).filter(|rest| !rest.is_empty()) {
            match self.speech.fit(rest) {
                Fit::Whole(len) if len > 0 => {
                    heard.extend(self.noise(at));
                    let frame: Vec<u8> = self.buffer.drain(..len.min(self.buffer.len())).collect();
                    let meaning = self.meaning(&frame);
                    heard.push(Heard { bytes: frame, meaning });
                    at = 0;
                }
                Fit::Whole(_) | Fit::BadCheck | Fit::No => at += 1,
            }
        }
        // What may still become a frame waits; no frame of these families is longer.
        let kept = super::talk::BUFFER_BYTES_MAX;
        if self.buffer.len() > kept {
            heard.extend(self.noise(self.buffer.len() - kept));
        }
        heard
    }
}

/// A frame that is cut by its head, in words.
trait Telling: Framing + Default {
    fn tell(frame: &Self::Frame) -> (Vec<u8>, String);
}

#[derive(Default)]
struct Framed<F: Telling> {
    from_board: Deframer<F>,
}

impl<F: Telling> Reader for Framed<F> {
    fn sent(&mut self, bytes: &[u8]) -> String {
        let mut whole = Deframer::<F>::default();
        whole.push(BootMs(0), bytes);
        match whole.next_frame() {
            Some(Ok(frame)) => F::tell(&frame).1,
            _ => "not a word of this board's family".to_owned(),
        }
    }

    fn received(&mut self, at: BootMs, bytes: &[u8]) -> Vec<Heard> {
        self.from_board.push(at, bytes);
        let mut heard = Vec::new();
        while let Some(next) = self.from_board.next_frame() {
            let (bytes, meaning) = match next {
                Ok(frame) => F::tell(&frame),
                Err(LineFault::BadCheck) => (Vec::new(), "a frame with a bad check sum".to_owned()),
                Err(_) => (Vec::new(), "noise: no frame".to_owned()),
            };
            heard.push(Heard { bytes, meaning });
        }
        heard
    }
}

impl Telling for xy_v3::wire::Wire {
    fn tell(frame: &xy_v3::wire::Frame) -> (Vec<u8>, String) {
        use xy_v3::wire;
        let what = match frame.command {
            wire::POLL => "have you something to say?",
            wire::ACK => "heard",
            wire::CHECK_SLOT => "how is this slot?",
            wire::SLOT_STATUS => "how a slot is",
            wire::SELECT => "TURN, as if a key was pressed",
            wire::CHOSEN => "somebody chose a slot",
            wire::DISPENSING => "how a vend goes or ended",
            wire::DIRECT_DRIVE => "TURN this motor",
            wire::SYNC => "I have started",
            wire::MACHINE_STATUS => "how is the machine?",
            wire::MACHINE_STATUS_REPLY => "how the machine is",
            wire::SHORT_STATUS => "how is the machine, in a byte?",
            wire::SHORT_STATUS_REPLY => "how the machine is, in a byte",
            wire::MENU => "the menu",
            wire::MENU_REPLY => "what the menu says",
            _ => "an unknown command",
        };
        let number = frame.text.first().map(|number| format!(", number {number}")).unwrap_or_default();
        (wire::frame(frame.command, &frame.text), format!("{:02x} {what}{number}", frame.command))
    }
}

impl Telling for ubox_e7::wire::Wire {
    fn tell(frame: &ubox_e7::wire::Frame) -> (Vec<u8>, String) {
        use ubox_e7::wire;
        let what = match frame.kind {
            wire::ACK_RPT => "heard, I do it",
            wire::NAK_RPT => "I do not",
            wire::POLL => "have you something to say?",
            wire::VMC_SETUP => "how I am set up",
            wire::VENDOUT_RPT => "how a vend ended",
            wire::REQUEST => "send me my configuration",
            wire::ADMIN_RPT => "what somebody did at the machine",
            wire::ACTION_RPT => "what I am doing",
            wire::STATUS_RPT => "how the machine is",
            wire::HUODAO_RPT => "every slot",
            wire::INFO_RPT => "what I am",
            wire::OFFLINE_DATA_RPT => "what was sold while nobody listened",
            wire::ACK => "heard",
            wire::VENDOUT_IND => "TURN",
            wire::RESET_IND => "start anew",
            wire::GET_STATUS => "how is the machine?",
            wire::GET_HUODAO => "how are the slots?",
            wire::GET_INFO => "what are you?",
            wire::GET_SETUP => "how are you set up?",
            wire::GET_OFFLINE_DATA => "what was sold while nobody listened?",
            _ => "an unknown message",
        };
        (frame.bytes(), format!("{:02x} {what}, number {}", frame.kind, frame.number))
    }
}

/// tcn-00ff: six bytes there, five back.
#[derive(Default)]
struct Tcn {
    /// The last command was a turn: what its reply's bytes mean hangs on it.
    was_turn: bool,
    buffer: Vec<u8>,
}

impl Reader for Tcn {
    fn sent(&mut self, bytes: &[u8]) -> String {
        let [board, _, command, _, parameter, _] = *bytes else {
            return "not a word of this board's family".to_owned();
        };
        if bytes != tcn_00ff::request(board, command, parameter) {
            return "not a word of this board's family".to_owned();
        }
        self.was_turn = (1..=tcn_00ff::SLOT_MAX).contains(&command);
        let what = match command {
            slot if self.was_turn => {
                let armed = if parameter == tcn_00ff::PARAMETER_ON { ", drop sensor armed" } else { "" };
                format!("TURN slot {slot}{armed}")
            }
            tcn_00ff::SELF_CHECK => "test yourself".to_owned(),
            tcn_00ff::HOLD => format!("hold a temperature: {parameter:#04x}"),
            tcn_00ff::HOLD_MODE => format!("cool or heat: {parameter:#04x}"),
            tcn_00ff::HOLD_TARGET => format!("hold {parameter} °C"),
            tcn_00ff::GLASS_HEATER => format!("the glass heater: {parameter:#04x}"),
            tcn_00ff::TEMPERATURE => "how warm is it?".to_owned(),
            tcn_00ff::LIGHT => format!("the light: {parameter:#04x}"),
            tcn_00ff::DOOR => "is the door open?".to_owned(),
            slot if slot > tcn_00ff::SLOT_EXISTS => format!("is slot {} there?", slot - tcn_00ff::SLOT_EXISTS),
            other => format!("command {other:#04x}"),
        };
        format!("to {board}: {what}")
    }

    fn received(&mut self, _at: BootMs, bytes: &[u8]) -> Vec<Heard> {
        self.buffer.extend_from_slice(bytes);
        let mut heard = Vec::new();
        while let Some(&[board, kind, error, value, _]) = self.buffer.first_chunk() {
            let is_ok = kind == tcn_00ff::REPLY_OK;
            let is_reply = is_ok || kind == tcn_00ff::REPLY_FAULT;
            if is_reply && self.buffer.starts_with(&tcn_00ff::reply(board, is_ok, error, value)) {
                let bytes = self.buffer.drain(..5).collect();
                let state = if is_ok { "fine".to_owned() } else { format!("FAULT {error:#04x}") };
                let goods = match value {
                    tcn_00ff::DELIVERED if self.was_turn => ", goods were seen to fall".to_owned(),
                    _ if self.was_turn => ", nothing was seen to fall".to_owned(),
                    value => format!(", value {value:#04x}"),
                };
                heard.push(Heard { bytes, meaning: format!("{state}{goods}") });
            } else {
                let bytes = self.buffer.drain(..1).collect();
                heard.push(Heard { bytes, meaning: "noise: no frame".to_owned() });
            }
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::driver::{Finding, LineState, Output};
    use crate::board::driver_for;
    use crate::sim::board::emulator_for;
    use crate::sim::board::fault::Faults;

    /// A vend on an emulated board, with everything that passed as the reader tells it.
    fn watched(profile: &Profile) -> (Vec<String>, Vec<Heard>) {
        let (mut reader, mut driver) = (reader_for(profile), driver_for(profile));
        let mut board = emulator_for(profile, 300, Faults::new([]));
        let (mut sent, mut heard, mut now) = (Vec::new(), Vec::new(), BootMs(10_000));
        let mut driven = false;
        driver.opened(now);
        for _ in 0..40_000 {
            while let Some(output) = driver.next_output() {
                match output {
                    Output::Write(write) => {
                        sent.push(reader.sent(&write.bytes));
                        if write.motor {
                            driver.motor_written(now, crate::board::driver::Written::All);
                        }
                        board.received(now, &write.bytes);
                    }
                    Output::Finding(Finding::Outcome(_) | Finding::Unproven(_) | Finding::NotTaken(_)) => {
                        return (sent, heard);
                    }
                    Output::Finding(_) => {}
                }
            }
            while let Some(bytes) = board.next_output() {
                heard.extend(reader.received(now, &bytes));
                driver.received(now, now, &bytes);
            }
            if driver.state() == LineState::Idle && !driven {
                driven = true;
                let slot = slots(profile).find(|slot| slot.0 >= 1).unwrap();
                let address = Address::new(1).unwrap();
                let defaults = profile.defaults;
                let command = MotorCommand {
                    address,
                    slot,
                    floor_type: defaults.floor_type,
                    lift: defaults.lift,
                    drop_check: defaults.drop_check,
                };
                let reference = driver.reference(&command);
                driver.drive(now, &command, &reference);
                continue;
            }
            now = now.plus_ms(5);
            if driver.deadline().is_some_and(|at| at <= now) {
                driver.wake(now);
            }
            if board.deadline().is_some_and(|at| at <= now) {
                board.wake(now);
            }
        }
        panic!("{}: the vend never ended: {sent:?}", profile.name);
    }

    #[test]
    fn every_frame_of_a_vend_is_told_in_words_for_every_built_in_board() {
        let mut unread = Vec::new();
        for (name, text) in Profile::built_in() {
            let profile = Profile::parse(name, text).unwrap();
            let (sent, heard) = watched(&profile);
            assert!(sent.iter().any(|said| said.contains("TURN")), "{name}: no turn was told: {sent:?}");
            assert!(!heard.is_empty(), "{name}");
            let is_read = |text: &str| {
                !text.contains("not a word") && !text.contains("answers nothing") && !text.contains("noise")
            };
            unread.extend(sent.iter().filter(|said| !is_read(said)).map(|said| format!("{name}: {said}")));
            let odd = heard.iter().filter(|heard| !is_read(&heard.meaning));
            unread.extend(odd.map(|heard| format!("{name}: {:02x?} {}", heard.bytes, heard.meaning)));
        }
        assert_eq!(unread, [""; 0]);
    }

    #[test]
    fn noise_and_frames_in_pieces_are_told_apart() {
        let profile =
            Profile::parse("tcn-00ff", Profile::built_in().iter().find(|(n, _)| *n == "tcn-00ff").unwrap().1).unwrap();
        let mut reader = reader_for(&profile);
        assert_eq!(
            reader.sent(&tcn_00ff::request(0, 5, tcn_00ff::PARAMETER_ON)),
            "to 0: TURN slot 5, drop sensor armed"
        );
        assert_eq!(reader.sent(&[1, 2, 3]), "not a word of this board's family");
        let reply = tcn_00ff::reply(0, true, 0, tcn_00ff::DELIVERED);
        reader.sent(&tcn_00ff::request(0, 5, tcn_00ff::PARAMETER_ON));
        let mut all = reader.received(BootMs(0), &[0x77]);
        all.extend(reader.received(BootMs(1), &reply[..2]));
        all.extend(reader.received(BootMs(2), &reply[2..]));
        let told: Vec<&str> = all.iter().map(|heard| heard.meaning.as_str()).collect();
        assert_eq!(told, ["noise: no frame", "fine, goods were seen to fall"]);
    }
}
