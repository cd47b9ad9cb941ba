//! `vendapin`: Vendapin CTD-202 and CTD-203 card dispensers and the VCB-2 (boards.md, L). A counter: the board counts
//! what it dispensed for its host, apart from what its button dispensed, so one more than before the command is this
//! command's own.
//!
//! Answers carry no question, only *yes* or *no* and perhaps a status. So a yes that is late could be taken for a status:
//! a turn counts as over when two pictures in a row agree. No note says whether a *no* to the command comes before or
//! after the motor has moved: it proves nothing. A restarted board says its name.
//!
//! Its codes are the constants below, each with its meaning.

use super::asked::Asked;
use super::driver::Slot;
use super::frame::xor8;
use super::profile::{Mistake, Profile, Timing, not_everything_names_its_board};
use super::protocol::{Fit, Turn};
use super::service::{Reading, Service};
use super::words::{Answer, Question, Seen, Unasked, Verdict, Words};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::said::{Said, said};

/// The driver.
pub type Vendapin = Asked<VendapinWords>;

/// First byte of every frame.
pub const START: u8 = 0x02;
/// Last byte before the check.
pub const END: u8 = 0x03;
/// Dispense one card.
pub const DISPENSE: u8 = 0x80;
/// What is your status?
pub const STATUS: u8 = 0x81;
/// How many cards were dispensed for a host so far?
pub const COUNT: u8 = 0x82;

/// Answers: yes.
pub const ACK: u8 = 0x06;
/// No.
pub const NAK: u8 = 0x15;
/// The frame was not whole, not known, or its check was wrong.
pub const MISHEARD: [u8; 3] = [0xFD, 0xFE, 0xFF];

/// Statuses: a card can be dispensed.
pub const READY: u8 = b'0';
/// A card is being dispensed.
pub const BUSY: u8 = b'1';
/// No cards.
pub const EMPTY: u8 = b'2';
/// A card is stuck.
pub const STUCK: u8 = b'3';
/// A card came out and waits to be taken.
pub const CARD_HELD: u8 = b'4';
/// Switched off by a command.
pub const DISABLED: u8 = b'5';
/// The sensors contradict each other.
pub const CHECK_SENSORS: u8 = b'6';
/// As [`READY`], and few cards are left.
pub const LOW: u8 = b'7';

/// What a board says when power has come.
pub const BANNER: &[u8] = b"VENDAPIN\r";
/// The counter's length is not documented; more than eight bytes no counter needs.
pub const COUNT_BYTES_MAX: usize = 8;

/// Start, address, command, length; and behind the data the end and the check.
const AROUND_DATA: usize = 6;
/// The longest data of an answer to what is asked here.
const DATA_BYTES_MAX: usize = 16;
/// Nobody says whether the yes to a dispense comes at once or with the card; a card takes no longer.
const DISPENSE_REPLY_MS: u64 = 5_000;

/// A whole frame.
#[must_use]
pub fn frame(address: u8, command: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![START, address, command, u8::try_from(data.len()).unwrap_or(u8::MAX)];
    bytes.extend_from_slice(data);
    bytes.push(END);
    bytes.push(xor8(&bytes));
    bytes
}

/// Whether a counter went up by one. Its byte order is not documented: in the wrong one a step of one would be a step
/// of millions.
#[must_use]
pub fn is_one_more(before: &[u8], now: &[u8]) -> bool {
    fn value<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
        bytes.fold(0, |sum, &byte| (sum << 8) | u64::from(byte))
    }
    let is_step = |before: u64, now: u64| before.checked_add(1) == Some(now);
    before.len() == now.len()
        && (1..=COUNT_BYTES_MAX).contains(&now.len())
        && (is_step(value(before.iter()), value(now.iter()))
            || is_step(value(before.iter().rev()), value(now.iter().rev())))
}

/// What a dispenser says of itself, as far as it told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dispenser {
    pub(super) status: Option<u8>,
    /// The status was the same in the picture before.
    is_steady: bool,
    pub(super) count: Option<Vec<u8>>,
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_alone(&not_everything_names_its_board())?;
    if profile.slots.first != profile.slots.last {
        let problem = said!(
            "must be slots.first: the command of family vendapin names no slot",
            "必须等于 slots.first：协议族 vendapin 的指令不带货道号"
        );
        return Err(Mistake::new("slots.last", problem));
    }
    Ok(())
}

/// The bytes on the wire.
pub struct VendapinWords {
    /// Its only slot, which no frame names.
    slot: Slot,
}

/// The status that an answer tells.
fn status_of(code: u8, data: &[u8]) -> Option<u8> {
    match (code, data) {
        (ACK, []) => Some(READY),
        (ACK | NAK, &[status @ READY..=LOW]) => Some(status),
        _ => None,
    }
}

impl Words for VendapinWords {
    type Look = Dispenser;

    const IDENTITY_PARTS: u8 = 0;
    const REPLIES_ARE_ANONYMOUS: bool = true;
    // Whether its status shows a card that is still on its way is not documented.
    const TELLS_REST: bool = false;

    fn new(profile: &Profile) -> Self {
        VendapinWords { slot: Slot(profile.slots.first) }
    }

    fn look_parts(&self) -> u8 {
        2
    }

    fn follow_parts(&self) -> u8 {
        2
    }

    fn drive_reply_ms(&self, _timing: &Timing) -> Option<u64> {
        Some(DISPENSE_REPLY_MS)
    }

    fn serves(&self, service: &Service) -> bool {
        match service {
            Service::SelfCheck { .. } => true,
            Service::SlotState { slot, .. } => *slot == self.slot,
            _ => false,
        }
    }

    fn request(&mut self, wire_address: u8, question: &Question, _tries: u8) -> Vec<u8> {
        let command = match question {
            Question::Drive(_) => DISPENSE,
            Question::Look(1) | Question::Follow(_, 1) => COUNT,
            _ => STATUS,
        };
        frame(wire_address, command, &[])
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        if bytes.starts_with(BANNER) {
            return Fit::Whole(BANNER.len());
        }
        let [START, _, _, data_len, ..] = *bytes else { return Fit::No };
        let len = usize::from(data_len) + AROUND_DATA;
        if usize::from(data_len) > DATA_BYTES_MAX {
            return Fit::No;
        }
        match bytes.get(..len).and_then(<[u8]>::split_last) {
            Some((check, body)) if body.last() == Some(&END) && xor8(body) == *check => Fit::Whole(len),
            Some(_) => Fit::BadCheck,
            None => Fit::No,
        }
    }

    fn reply(&self, wire_address: u8, question: &Question, frame: &[u8]) -> Option<Answer<Dispenser>> {
        let [START, from, code, _, data @ .., END, _] = frame else { return None };
        if *from != wire_address {
            return None;
        }
        match question {
            Question::Look(1) | Question::Follow(_, 1) => {
                let is_count = *code == ACK && (1..=COUNT_BYTES_MAX).contains(&data.len());
                let count = Some(data.to_vec()).filter(|_| is_count)?;
                Some(Answer::Look(Dispenser { count: Some(count), ..Dispenser::default() }))
            }
            Question::Look(_) | Question::Follow(..) => {
                let status = status_of(*code, data)?;
                Some(Answer::Look(Dispenser { status: Some(status), ..Dispenser::default() }))
            }
            Question::Drive(_) if *code == ACK && status_of(*code, data).is_some() => Some(Answer::Taken),
            Question::Drive(_) if *code == NAK || MISHEARD.contains(code) => Some(Answer::Unclear),
            Question::Service(Service::SlotState { .. }, _) => Some(Answer::Reading(match status_of(*code, data)? {
                READY | LOW => Reading::SlotReady,
                EMPTY => Reading::SlotEmpty,
                status => Reading::faulty(word(status)),
            })),
            Question::Service(..) => Some(Answer::Reading(match status_of(*code, data)? {
                READY | LOW => Reading::Healthy,
                status => Reading::faulty(word(status)),
            })),
            Question::Drive(_) | Question::Halt | Question::Identity(_) => None,
        }
    }

    /// The banner names no board: a profile has only one.
    fn unasked(&self, _wire_address: u8, frame: &[u8]) -> Option<Unasked<Dispenser>> {
        (frame == BANNER).then_some(Unasked::Restarted)
    }

    fn absorb(&self, look: &mut Dispenser, part: Dispenser) {
        if let Some(status) = part.status {
            look.is_steady = look.status == Some(status);
            look.status = Some(status);
        }
        if let Some(count) = part.count {
            look.count = Some(count);
        }
    }

    /// A card that waits to be taken would meet the next one.
    fn rests(&self, look: &Dispenser) -> bool {
        look.count.is_some() && look.status.is_some_and(|status| !matches!(status, BUSY | CARD_HELD))
    }

    fn keep(&self, look: &Dispenser, _turn: &Turn) -> Vec<u8> {
        match (look.status, &look.count) {
            (Some(status), Some(count)) => [&[status][..], count].concat(),
            _ => Vec::new(),
        }
    }

    fn kept(&self, bytes: &[u8], _turn: &Turn) -> Option<Dispenser> {
        match bytes.split_first() {
            Some((&status @ READY..=LOW, count)) if (1..=COUNT_BYTES_MAX).contains(&count.len()) => {
                Some(Dispenser { status: Some(status), is_steady: false, count: Some(count.to_vec()) })
            }
            _ => None,
        }
    }

    fn ready(&self, _kept: &Dispenser, now: &Dispenser, _turn: &Turn) -> Result<(), Reason> {
        match now.status {
            Some(READY | LOW) if now.count.is_some() => Ok(()),
            // Empty, stuck, switched off: a command that may not be carried out is not given.
            _ => Err(Reason::Busy),
        }
    }

    fn judge(&self, turn: &Turn, before: &Dispenser, now: &Dispenser, seen: &Seen) -> Verdict {
        let (Some(was), Some(is), Some(status)) = (&before.count, &now.count, now.status) else {
            return Verdict::Waiting;
        };
        let (is_same, is_more) = (was == is, is_one_more(was, is));
        let if_armed = |drop_sensor| if turn.command.drop_check { drop_sensor } else { DropSensor::None };
        match status {
            BUSY if is_same || is_more => Verdict::Turning,
            _ if !(is_same || is_more) => Verdict::CannotTell("the counter went another way than this command"),
            _ if !now.is_steady => Verdict::Waiting,
            READY | EMPTY | LOW if is_more => {
                Verdict::Ended(Evidence { motor: Motor::Ok, drop_sensor: DropSensor::None })
            }
            CARD_HELD if is_more => {
                Verdict::Ended(Evidence { motor: Motor::Ok, drop_sensor: if_armed(DropSensor::Seen) })
            }
            STUCK if is_more => Verdict::Ended(Evidence { motor: Motor::OverCurrent, drop_sensor: DropSensor::None }),
            _ if is_more => Verdict::CannotTell("a card was counted, and the dispenser does not say where it is"),
            _ if seen.restarted => Verdict::CannotTell("the board started anew"),
            _ if seen.resumed => Verdict::CannotTell("the counter is what it was, and the board was not watched"),
            _ if !seen.is_over => Verdict::Waiting,
            _ if seen.was_silent => Verdict::CannotTell("the board may have started anew, and forgotten a count"),
            // Ready when the command went out, a fault since, and nothing was counted: the card did not come out.
            STUCK if !seen.cut_short => {
                Verdict::Ended(Evidence { motor: Motor::OverCurrent, drop_sensor: if_armed(DropSensor::NotSeen) })
            }
            EMPTY if !seen.cut_short && turn.command.drop_check => {
                Verdict::Ended(Evidence { motor: Motor::Ok, drop_sensor: DropSensor::NotSeen })
            }
            _ => Verdict::CannotTell("the counter is what it was, and the status does not say why"),
        }
    }
}

fn word(status: u8) -> Said {
    match status {
        BUSY => said!("busy", "忙"),
        EMPTY => said!("empty", "已空"),
        STUCK => said!("a card is stuck", "卡片被卡住"),
        CARD_HELD => said!("a card waits to be taken", "卡片待取走"),
        DISABLED => said!("disabled", "已停用"),
        CHECK_SENSORS => said!("check the sensors", "请检查传感器"),
        _ => said!("ready", "就绪"),
    }
}
