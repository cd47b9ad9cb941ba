//! What passes over a line, in words, for whoever watches it: frames cut out of what came, and what each means. Pure, and
//! beside the drivers: it listens to both sides with the same words that the driver speaks, asks nothing, and is not
//! there while nobody watches.

use super::deframer::{Deframer, Framing};
use super::driver::{Address, LineFault, MotorCommand, Slot};
use super::in_words::InWords;
use super::profile::{Family, Profile};
use super::protocol::{Fit, Protocol, Reply, Request, Status, Turn};
use super::service::{ClimateMode, Device, HOLD_C, Reading, Service, tenths};
use super::words::{Answer, Question, Unasked, Words};
use super::{
    adh, col_ed, ff0055, lift_c7, lock_8a, lock_cu, m102, tcn_00ff, ubox_e7, uling_modbus, vendapin, vmc96, xy_v3,
};
use crate::order::motor::FloorType;
use crate::order::outcome::Reason;
use crate::order::said::Said;
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
    pub meaning: Said,
}

/// Reads a line for people.
pub trait Reader {
    /// The host put this frame on the line.
    fn sent(&mut self, bytes: &[u8]) -> Said;
    /// These bytes came from the board, in any cut. What is not yet a frame waits for the rest.
    fn received(&mut self, at: BootMs, bytes: &[u8]) -> Vec<Heard>;
}

/// The reader of a profile's family, for whoever watches the line.
#[must_use]
pub fn reader_for(profile: &Profile) -> Box<dyn Reader> {
    reader(profile, &Asked::Anything)
}

/// The reader of what passes while one order is on the line: nothing is served beside it, and only its turn is driven. It
/// looks through a handful of questions instead of thousands, since it reads where the board is waited for.
#[must_use]
pub fn reader_of_turn(profile: &Profile, turn: Option<&MotorCommand>) -> Box<dyn Reader> {
    reader(profile, &Asked::Turn(turn.copied()))
}

/// What can be asked.
enum Asked {
    Anything,
    Turn(Option<MotorCommand>),
}

impl Asked {
    fn turns(&self, profile: &Profile, address: Address) -> Vec<Turn> {
        match self {
            Asked::Anything => turns(profile, address),
            Asked::Turn(command) => {
                let command = command.filter(|command| command.address == address);
                let turn = |command: MotorCommand| Some(Turn { slot: u8::try_from(command.slot.0).ok()?, command });
                command.and_then(turn).into_iter().collect()
            }
        }
    }

    fn services(&self, profile: &Profile, address: Address) -> Vec<Service> {
        match self {
            Asked::Anything => services(address).into_iter().chain(services_with_numbers(profile, address)).collect(),
            Asked::Turn(_) => Vec::new(),
        }
    }
}

fn reader(profile: &Profile, asked: &Asked) -> Box<dyn Reader> {
    fn polled<P: Protocol + 'static>(profile: &Profile, asked: &Asked) -> Box<dyn Reader> {
        Box::new(Dialogue::new(profile, asked, Polls(P::new(profile))))
    }
    fn asks<W: Words + 'static>(profile: &Profile, asked: &Asked) -> Box<dyn Reader>
    where
        W::Look: InWords,
    {
        Box::new(Dialogue::new(profile, asked, Asks(W::new(profile))))
    }
    match profile.family {
        Family::UlingModbus => polled::<uling_modbus::Zdm8>(profile, asked),
        Family::Adh => polled::<adh::AdhProtocol>(profile, asked),
        Family::M102 => asks::<m102::M102Words>(profile, asked),
        Family::Lock8a => asks::<lock_8a::Lock8aWords>(profile, asked),
        Family::LockCu => asks::<lock_cu::LockCuWords>(profile, asked),
        Family::LiftC7 => asks::<lift_c7::LiftC7Words>(profile, asked),
        Family::ColEd => asks::<col_ed::ColEdWords>(profile, asked),
        Family::Ff0055 => asks::<ff0055::Ff0055Words>(profile, asked),
        Family::Vendapin => asks::<vendapin::VendapinWords>(profile, asked),
        Family::Vmc96 => asks::<vmc96::Vmc96Words>(profile, asked),
        Family::XyV3 => Box::new(Framed::<xy_v3::wire::Wire>::default()),
        Family::UboxE7 => Box::new(Framed::<ubox_e7::wire::Wire>::default()),
        Family::Tcn00ff => Box::new(Tcn::default()),
    }
}

/// One side of families whose host asks.
trait Speech {
    /// A question.
    type Ask: Clone + Debug;
    /// What can be asked of this board, the usual first.
    fn asks(&self, profile: &Profile, asked: &Asked, address: Address) -> Vec<Self::Ask>;
    fn frame(&mut self, wire_address: u8, ask: &Self::Ask, tries: u8) -> Vec<u8>;
    fn fit(&self, bytes: &[u8]) -> Fit;
    fn said(&self, ask: &Self::Ask) -> Said;
    fn answer(&self, wire_address: u8, ask: &Self::Ask, frame: &[u8]) -> Option<Said>;
    fn unasked(&self, _wire_address: u8, _frame: &[u8]) -> Option<Said> {
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

fn turn_words(slot: u16, drop_check: bool) -> Said {
    let armed = if drop_check { (", drop sensor armed", "，掉货检测开启") } else { ("", "") };
    Said::new(format!("TURN slot {slot}{}", armed.0), format!("转动货道 {slot}{}", armed.1))
}

fn to(wire_address: u8, said: &Said) -> Said {
    Said::new(format!("to {wire_address}: {}", said.en), format!("发往 {wire_address}：{}", said.zh))
}

fn how_are_you() -> Said {
    Said::new("how are you?", "状态如何？")
}

fn who_are_you() -> Said {
    Said::new("who are you?", "是何板卡？")
}

fn not_a_word() -> Said {
    Said::new("not a word of this board's family", "不属于此板卡的协议")
}

fn noise() -> Said {
    Said::new("noise: no frame", "杂波：不是帧")
}

fn taken() -> Said {
    Said::new("taken", "已接受")
}

fn refused(reason: Reason) -> Said {
    Said::new("refused", "拒绝").then(&reason.word().said())
}

fn service_words(service: &Service) -> Said {
    let device_zh = |device: &Device| match device {
        Device::Light => "灯",
        Device::Cooler => "制冷",
        Device::Heater => "加热",
        Device::GlassHeater => "玻璃加热",
        Device::Fan => "风扇",
    };
    match service {
        Service::SelfCheck { .. } => Said::new("test yourself", "自检"),
        Service::SlotState { slot, .. } => {
            Said::new(format!("is slot {} there?", slot.0), format!("货道 {} 是否存在？", slot.0))
        }
        Service::Door { .. } => Said::new("is the door open?", "门是否打开？"),
        Service::Climate { .. } => Said::new("how warm and how damp is it?", "温度与湿度？"),
        Service::Switch { device, on: true, .. } => {
            Said::new(format!("{} on", device.as_str()), format!("打开{}", device_zh(device)))
        }
        Service::Switch { device, on: false, .. } => {
            Said::new(format!("{} off", device.as_str()), format!("关闭{}", device_zh(device)))
        }
        Service::Hold { mode: ClimateMode::Off, .. } => Said::new("hold no temperature", "停止控温"),
        Service::Hold { mode: ClimateMode::Cool, target_c, .. } => {
            Said::new(format!("cool to {target_c} °C"), format!("制冷至 {target_c} °C"))
        }
        Service::Hold { mode: ClimateMode::Heat, target_c, .. } => {
            Said::new(format!("heat to {target_c} °C"), format!("加热至 {target_c} °C"))
        }
        Service::Reset { .. } => Said::new("start anew", "复位"),
    }
}

fn reading_words(reading: &Reading) -> Said {
    match reading {
        Reading::Done => Said::new("done", "完成"),
        Reading::Healthy => Said::new("nothing is wrong", "一切正常"),
        Reading::Faulty { what, what_zh } => Said::new(format!("FAULT: {what}"), format!("故障：{what_zh}")),
        Reading::SlotReady => Said::new("the slot is well", "货道正常"),
        Reading::SlotAbsent => Said::new("there is no such slot", "没有此货道"),
        Reading::SlotEmpty => Said::new("the slot is empty", "货道已空"),
        Reading::Door { open: true } => Said::new("the door is open", "门已打开"),
        Reading::Door { open: false } => Said::new("the door is shut", "门已关闭"),
        Reading::Climate { temperature_deci_c, humidity_permille } => {
            let warm = temperature_deci_c.map_or_else(|| "-".to_owned(), |t| tenths(t.into()));
            let damp = humidity_permille.map_or_else(|| "-".to_owned(), |h| tenths(h.into()));
            Said::word(format!("{warm} °C, {damp} %"))
        }
    }
}

impl<P: Protocol> Speech for Polls<P> {
    type Ask = Request;

    fn asks(&self, profile: &Profile, asked: &Asked, address: Address) -> Vec<Request> {
        let mut all = vec![Request::Status, Request::Forget, Request::DropMode(true), Request::DropMode(false)];
        all.extend((0..P::IDENTITY_PARTS).map(Request::Identity));
        all.extend(asked.turns(profile, address).into_iter().map(Request::Drive));
        let services = asked.services(profile, address).into_iter();
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

    fn said(&self, ask: &Request) -> Said {
        match ask {
            Request::Status => how_are_you(),
            Request::Identity(_) => who_are_you(),
            Request::DropMode(true) => Said::new("drop sensor armed", "掉货检测开启"),
            Request::DropMode(false) => Said::new("drop sensor off", "掉货检测关闭"),
            Request::Drive(turn) => turn_words(turn.command.slot.0, turn.command.drop_check),
            Request::Forget => Said::new("the result is kept, forget it", "结果已保存，可清除"),
            Request::Service(service) => service_words(service),
        }
    }

    fn answer(&self, wire_address: u8, ask: &Request, frame: &[u8]) -> Option<Said> {
        Some(match self.0.reply(wire_address, ask, frame)? {
            Reply::Status(Status::Idle) => Said::new("idle", "空闲"),
            Reply::Status(Status::Turning(slot)) => {
                let (en, zh) = of_slot(slot);
                Said::new(format!("a motor turns{en}"), format!("电机转动中{zh}"))
            }
            Reply::Status(Status::Finished(slot, result)) => {
                let (en, zh) = of_slot(slot);
                Said::new(format!("finished{en}, result {result:#06x}"), format!("已结束{zh}，结果 {result:#06x}"))
            }
            Reply::Accepted => taken(),
            Reply::Refused(reason) => refused(reason),
            Reply::Failed(code) => {
                Said::new(format!("failed at once, code {code:#06x}"), format!("立即失败，代码 {code:#06x}"))
            }
            Reply::Unclear => Said::new("a code without a meaning", "含义不明的代码"),
            Reply::Identity(text) => Said::new(format!("I am {text}"), format!("我是 {text}")),
            Reply::Done => reading_words(&Reading::Done),
            Reply::Reading(reading) => reading_words(&reading),
        })
    }
}

fn of_slot(slot: Option<Slot>) -> (String, String) {
    slot.map(|slot| (format!(", slot {}", slot.0), format!("，货道 {}", slot.0))).unwrap_or_default()
}

impl<W: Words> Speech for Asks<W>
where
    W::Look: InWords,
{
    type Ask = Question;

    fn asks(&self, profile: &Profile, asked: &Asked, address: Address) -> Vec<Question> {
        let mut all: Vec<Question> = (0..self.0.look_parts()).map(Question::Look).collect();
        all.extend((0..W::IDENTITY_PARTS).map(Question::Identity));
        all.extend(W::HOST_ENDS_TURN.then_some(Question::Halt));
        let turns = asked.turns(profile, address);
        for turn in &turns {
            all.extend((0..self.0.follow_parts()).map(|part| Question::Follow(*turn, part)));
        }
        all.extend(turns.into_iter().map(Question::Drive));
        for service in asked.services(profile, address).into_iter().filter(|service| self.0.serves(service)) {
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

    fn said(&self, ask: &Question) -> Said {
        match ask {
            Question::Look(_) => how_are_you(),
            Question::Follow(turn, _) => {
                let slot = turn.command.slot.0;
                Said::new(format!("what became of slot {slot}?"), format!("货道 {slot} 结果如何？"))
            }
            Question::Identity(_) => who_are_you(),
            Question::Drive(turn) => turn_words(turn.command.slot.0, turn.command.drop_check),
            Question::Halt => Said::new("STOP the motor", "停止电机"),
            Question::Service(service, _) => service_words(service),
        }
    }

    fn answer(&self, wire_address: u8, ask: &Question, frame: &[u8]) -> Option<Said> {
        Some(match self.0.reply(wire_address, ask, frame)? {
            Answer::Look(look) => look.said(),
            Answer::Taken => taken(),
            Answer::Refused(reason) => refused(reason),
            Answer::Unclear => Said::new("a code that says nothing certain", "不能确定的代码"),
            Answer::Identity(text) => Said::new(format!("I am {text}"), format!("我是 {text}")),
            Answer::Reading(reading) => reading_words(&reading),
        })
    }

    fn unasked(&self, wire_address: u8, frame: &[u8]) -> Option<Said> {
        let unasked = match self.0.unasked(wire_address, frame)? {
            Unasked::Look(look) => look.said(),
            Unasked::Changed => Said::new("something changed", "状态有变化"),
            Unasked::Restarted => Said::new("I have started", "已启动"),
        };
        Some(Said::new("unasked", "主动上报").then(&unasked))
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
    fn new(profile: &Profile, asked: &Asked, speech: S) -> Self {
        let addresses = (1..=profile.addresses.count).filter_map(Address::new);
        let boards =
            addresses.map(|address| (profile.wire_address(address), speech.asks(profile, asked, address))).collect();
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

    fn meaning(&self, frame: &[u8]) -> Said {
        if let Some((wire_address, ask)) = &self.asked
            && let Some(text) = self.speech.answer(*wire_address, ask, frame)
        {
            return text;
        }
        let unasked = self.boards.iter().find_map(|(wire_address, _)| self.speech.unasked(*wire_address, frame));
        unasked.unwrap_or_else(|| Said::new("a frame that answers nothing", "没有对应询问的帧"))
    }

    fn noise(&mut self, count: usize) -> Option<Heard> {
        let bytes: Vec<u8> = self.buffer.drain(..count).collect();
        (!bytes.is_empty()).then(|| Heard { bytes, meaning: noise() })
    }
}

impl<S: Speech> Reader for Dialogue<S> {
    fn sent(&mut self, bytes: &[u8]) -> Said {
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
            Some((wire_address, ask)) => to(*wire_address, &self.speech.said(ask)),
            None => not_a_word(),
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
    fn tell(frame: &Self::Frame) -> (Vec<u8>, Said);
}

#[derive(Default)]
struct Framed<F: Telling> {
    from_board: Deframer<F>,
}

impl<F: Telling> Reader for Framed<F> {
    fn sent(&mut self, bytes: &[u8]) -> Said {
        let mut whole = Deframer::<F>::default();
        whole.push(BootMs(0), bytes);
        match whole.next_frame() {
            Some(Ok(frame)) => F::tell(&frame).1,
            _ => not_a_word(),
        }
    }

    fn received(&mut self, at: BootMs, bytes: &[u8]) -> Vec<Heard> {
        self.from_board.push(at, bytes);
        let mut heard = Vec::new();
        while let Some(next) = self.from_board.next_frame() {
            let (bytes, meaning) = match next {
                Ok(frame) => F::tell(&frame),
                Err(LineFault::BadCheck) => (Vec::new(), Said::new("a frame with a bad check sum", "校验错误的帧")),
                Err(_) => (Vec::new(), noise()),
            };
            heard.push(Heard { bytes, meaning });
        }
        heard
    }
}

impl Telling for xy_v3::wire::Wire {
    fn tell(frame: &xy_v3::wire::Frame) -> (Vec<u8>, Said) {
        use xy_v3::wire;
        let (en, zh) = match frame.command {
            wire::POLL => ("have you something to say?", "是否有事要说？"),
            wire::ACK => ("heard", "收到"),
            wire::CHECK_SLOT => ("how is this slot?", "此货道状态？"),
            wire::SLOT_STATUS => ("how a slot is", "货道状态"),
            wire::SELECT => ("TURN, as if a key was pressed", "转动，如同按键"),
            wire::CHOSEN => ("somebody chose a slot", "有人按键选择了货道"),
            wire::DISPENSING => ("how a vend goes or ended", "出货进度或结果"),
            wire::DIRECT_DRIVE => ("TURN this motor", "转动此电机"),
            wire::SYNC => ("I have started", "已启动"),
            wire::MACHINE_STATUS => ("how is the machine?", "机器状态？"),
            wire::MACHINE_STATUS_REPLY => ("how the machine is", "机器状态"),
            wire::SHORT_STATUS => ("how is the machine, in a byte?", "机器状态（一字节）？"),
            wire::SHORT_STATUS_REPLY => ("how the machine is, in a byte", "机器状态（一字节）"),
            wire::MENU => ("the menu", "菜单"),
            wire::MENU_REPLY => ("what the menu says", "菜单内容"),
            _ => ("an unknown command", "未知命令"),
        };
        let number = frame.text.first().map(|number| (format!(", number {number}"), format!("，序号 {number}")));
        let (number_en, number_zh) = number.unwrap_or_default();
        let (code, bytes) = (frame.command, wire::frame(frame.command, &frame.text));
        (bytes, Said::new(format!("{code:02x} {en}{number_en}"), format!("{code:02x} {zh}{number_zh}")))
    }
}

impl Telling for ubox_e7::wire::Wire {
    fn tell(frame: &ubox_e7::wire::Frame) -> (Vec<u8>, Said) {
        use ubox_e7::wire;
        let (en, zh) = match frame.kind {
            wire::ACK_RPT => ("heard, I do it", "收到，将执行"),
            wire::NAK_RPT => ("I do not", "不执行"),
            wire::POLL => ("have you something to say?", "是否有事要说？"),
            wire::VMC_SETUP => ("how I am set up", "板卡设置"),
            wire::VENDOUT_RPT => ("how a vend ended", "出货结果"),
            wire::REQUEST => ("send me my configuration", "请发送配置"),
            wire::ADMIN_RPT => ("what somebody did at the machine", "机器上的人工操作"),
            wire::ACTION_RPT => ("what I am doing", "正在进行"),
            wire::STATUS_RPT => ("how the machine is", "机器状态"),
            wire::HUODAO_RPT => ("every slot", "全部货道"),
            wire::INFO_RPT => ("what I am", "板卡信息"),
            wire::OFFLINE_DATA_RPT => ("what was sold while nobody listened", "离线期间的出货"),
            wire::ACK => ("heard", "收到"),
            wire::VENDOUT_IND => ("TURN", "转动"),
            wire::RESET_IND => ("start anew", "复位"),
            wire::GET_STATUS => ("how is the machine?", "机器状态？"),
            wire::GET_HUODAO => ("how are the slots?", "各货道状态？"),
            wire::GET_INFO => ("what are you?", "是何板卡？"),
            wire::GET_SETUP => ("how are you set up?", "如何设置？"),
            wire::GET_OFFLINE_DATA => ("what was sold while nobody listened?", "离线期间有何出货？"),
            _ => ("an unknown message", "未知消息"),
        };
        let (kind, number) = (frame.kind, frame.number);
        let said = Said::new(format!("{kind:02x} {en}, number {number}"), format!("{kind:02x} {zh}，序号 {number}"));
        (frame.bytes(), said)
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
    fn sent(&mut self, bytes: &[u8]) -> Said {
        let [board, _, command, _, parameter, _] = *bytes else {
            return not_a_word();
        };
        if bytes != tcn_00ff::request(board, command, parameter) {
            return not_a_word();
        }
        self.was_turn = (1..=tcn_00ff::SLOT_MAX).contains(&command);
        let what = match command {
            slot if self.was_turn => turn_words(slot.into(), parameter == tcn_00ff::PARAMETER_ON),
            tcn_00ff::SELF_CHECK => Said::new("test yourself", "自检"),
            tcn_00ff::HOLD => {
                Said::new(format!("hold a temperature: {parameter:#04x}"), format!("控温：{parameter:#04x}"))
            }
            tcn_00ff::HOLD_MODE => {
                Said::new(format!("cool or heat: {parameter:#04x}"), format!("制冷或加热：{parameter:#04x}"))
            }
            tcn_00ff::HOLD_TARGET => Said::new(format!("hold {parameter} °C"), format!("保持 {parameter} °C")),
            tcn_00ff::GLASS_HEATER => {
                Said::new(format!("the glass heater: {parameter:#04x}"), format!("玻璃加热：{parameter:#04x}"))
            }
            tcn_00ff::TEMPERATURE => Said::new("how warm is it?", "温度？"),
            tcn_00ff::LIGHT => Said::new(format!("the light: {parameter:#04x}"), format!("灯：{parameter:#04x}")),
            tcn_00ff::DOOR => Said::new("is the door open?", "门是否打开？"),
            slot if slot > tcn_00ff::SLOT_EXISTS => {
                let slot = slot - tcn_00ff::SLOT_EXISTS;
                Said::new(format!("is slot {slot} there?"), format!("货道 {slot} 是否存在？"))
            }
            other => Said::new(format!("command {other:#04x}"), format!("命令 {other:#04x}")),
        };
        to(board, &what)
    }

    fn received(&mut self, _at: BootMs, bytes: &[u8]) -> Vec<Heard> {
        self.buffer.extend_from_slice(bytes);
        let mut heard = Vec::new();
        while let Some(&[board, kind, code, value, _]) = self.buffer.first_chunk() {
            let is_ok = kind == tcn_00ff::REPLY_OK;
            let is_reply = is_ok || kind == tcn_00ff::REPLY_FAULT;
            if is_reply && self.buffer.starts_with(&tcn_00ff::reply(board, is_ok, code, value)) {
                let bytes = self.buffer.drain(..5).collect();
                let state = match is_ok {
                    true => ("fine".to_owned(), "正常".to_owned()),
                    false => (format!("FAULT {code:#04x}"), format!("故障 {code:#04x}")),
                };
                let goods = match value {
                    tcn_00ff::DELIVERED if self.was_turn => {
                        (", goods were seen to fall".to_owned(), "，检测到掉货".to_owned())
                    }
                    _ if self.was_turn => (", nothing was seen to fall".to_owned(), "，未检测到掉货".to_owned()),
                    value => (format!(", value {value:#04x}"), format!("，值 {value:#04x}")),
                };
                let meaning = Said::new(format!("{}{}", state.0, goods.0), format!("{}{}", state.1, goods.1));
                heard.push(Heard { bytes, meaning });
            } else {
                let bytes = self.buffer.drain(..1).collect();
                heard.push(Heard { bytes, meaning: noise() });
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
        let slot = slots(profile).find(|slot| slot.0 >= 1).unwrap();
        let (address, defaults) = (Address::FIRST, profile.defaults);
        let command = MotorCommand {
            address,
            slot,
            floor_type: defaults.floor_type,
            lift: defaults.lift,
            drop_check: defaults.drop_check,
        };
        // Who looks at one order reads the same as who watches the line.
        let mut of_turn = reader_of_turn(profile, Some(&command));
        let mut board = emulator_for(profile, 300, Faults::new([]));
        let (mut sent, mut heard, mut now) = (Vec::new(), Vec::new(), BootMs(10_000));
        let mut driven = false;
        driver.opened(now);
        for _ in 0..40_000 {
            while let Some(output) = driver.next_output() {
                match output {
                    Output::Write(write) => {
                        let said = reader.sent(&write.bytes);
                        // Where the frame does not say it, only the order knows that the sensor is armed.
                        let as_sent = |said: &Said| said.en.trim_end_matches(", drop sensor armed").to_owned();
                        assert_eq!(as_sent(&of_turn.sent(&write.bytes)), as_sent(&said), "{}", profile.name);
                        sent.push(said.en);
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
                let told = reader.received(now, &bytes);
                assert_eq!(of_turn.received(now, &bytes), told, "{}", profile.name);
                heard.extend(told);
                driver.received(now, now, &bytes);
            }
            if driver.state() == LineState::Idle && !driven {
                driven = true;
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
            let odd = heard.iter().filter(|heard| !is_read(&heard.meaning.en));
            unread.extend(odd.map(|heard| format!("{name}: {:02x?} {}", heard.bytes, heard.meaning.en)));
            // In Chinese nothing is left English but codes, units and what a board says in its own words.
            let is_english = |said: &Said| {
                let own = said.en.starts_with("I am ") || said.en.contains("°C");
                let word = |word: &str| word.len() > 2 && word.chars().all(|c| c.is_ascii_alphabetic());
                !own && said.zh.split(|c: char| !c.is_ascii_alphanumeric()).any(word)
            };
            let odd = heard.iter().filter(|heard| is_english(&heard.meaning));
            unread.extend(odd.map(|heard| format!("{name}: {}", heard.meaning.zh)));
        }
        assert_eq!(unread, [""; 0]);
    }

    #[test]
    fn noise_and_frames_in_pieces_are_told_apart() {
        let profile =
            Profile::parse("tcn-00ff", Profile::built_in().iter().find(|(n, _)| *n == "tcn-00ff").unwrap().1).unwrap();
        let mut reader = reader_for(&profile);
        assert_eq!(
            reader.sent(&tcn_00ff::request(0, 5, tcn_00ff::PARAMETER_ON)).en,
            "to 0: TURN slot 5, drop sensor armed"
        );
        assert_eq!(reader.sent(&[1, 2, 3]).en, "not a word of this board's family");
        let reply = tcn_00ff::reply(0, true, 0, tcn_00ff::DELIVERED);
        reader.sent(&tcn_00ff::request(0, 5, tcn_00ff::PARAMETER_ON));
        let mut all = reader.received(BootMs(0), &[0x77]);
        all.extend(reader.received(BootMs(1), &reply[..2]));
        all.extend(reader.received(BootMs(2), &reply[2..]));
        let told: Vec<&str> = all.iter().map(|heard| heard.meaning.en.as_str()).collect();
        assert_eq!(told, ["noise: no frame", "fine, goods were seen to fall"]);
    }
}
