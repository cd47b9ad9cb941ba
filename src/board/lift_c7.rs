//! `lift-c7`: the EasiVend lift VMC (boards.md, C4). Class 1b: the result of the last vend can be asked for, and its
//! answer names neither slot nor vend.
//!
//! So a result counts only when the board was seen vending since the command: at rest before it, still vending after
//! it, a result at last. What is read of a board that was not seen vending is what it said before. A board that starts
//! anew has the answer of a success (three zeros), so a success after a silence proves nothing either.
//!
//! Its codes are the constants below, each with its meaning.

use super::asked::Asked;
use super::driver::Slot;
use super::frame::crc16_xmodem;
use super::profile::{Grid, Mistake, Profile};
use super::protocol::{Fit, Turn};
use super::service::{Device, Reading, Service};
use super::talk::{FRAME_BYTES_MAX, START_GRACE_MS};
use super::words::{Answer, Question, Seen, Verdict, Words};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::said::said;

/// The driver.
pub type LiftC7 = Asked<LiftC7Words>;

/// First byte of what the host says.
pub const HOST: u8 = 0xC7;
/// First byte of what the board says.
pub const BOARD: u8 = 0xC8;
/// A reply has the command's number without this bit.
pub const REQUEST: u8 = 0x80;

/// Commands, without [`REQUEST`]: bring the lift home. It turns no slot's motor.
pub const RESET: u8 = 0x00;
/// Are you busy, is something left in the pick-up box, is there a fault?
pub const STATUS: u8 = 0x01;
/// Vend from a row and column.
pub const VEND: u8 = 0x02;
/// What became of the last vend?
pub const RESULT: u8 = 0x03;
/// Light on.
pub const LIGHT_ON: u8 = 0x06;
/// Light off.
pub const LIGHT_OFF: u8 = 0x07;
/// How are you configured?
pub const INFO: u8 = 0x08;

/// First byte of a [`STATUS`] reply: at work.
pub const BUSY: u8 = 0x01;
/// First byte of a [`STATUS`] reply: nobody took the goods out of the pick-up box.
pub const GOODS_LEFT: u8 = 0x80;

/// Reasons of a failed vend: row or column make no sense to the board.
pub const BAD_DATA: u8 = 1;
/// Nothing came.
pub const EMPTY: u8 = 2;
/// The goods are stuck.
pub const STUCK: u8 = 3;
/// The door of the pick-up box did not open.
pub const DOOR_SHUT: u8 = 4;
/// Goods were not taken. Whether they are this vend's or hinder it is not said.
pub const NOT_TAKEN: u8 = 5;

/// Head, length, address, version, command: the length counts these and the data, but not the check sum.
const HEAD_BYTES: usize = 5;
const CHECK_BYTES: usize = 2;

/// A whole frame of either side.
#[must_use]
pub fn frame(start: u8, address: u8, command: u8, data: &[u8]) -> Vec<u8> {
    let len = u8::try_from(HEAD_BYTES + data.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![start, len, address, 0, command];
    bytes.extend_from_slice(data);
    bytes.extend(crc16_xmodem(&bytes).to_be_bytes());
    bytes
}

/// How long the frame is that bytes begin with, if it is whole and its check is good.
#[must_use]
pub fn whole(start: u8, bytes: &[u8]) -> Fit {
    let [first, len, ..] = *bytes else { return Fit::No };
    let len = usize::from(len);
    if first != start || !(HEAD_BYTES..=FRAME_BYTES_MAX - CHECK_BYTES).contains(&len) {
        return Fit::No;
    }
    match bytes.get(..len + CHECK_BYTES).and_then(<[u8]>::split_last_chunk) {
        Some((body, check)) if crc16_xmodem(body).to_be_bytes() == *check => Fit::Whole(len + CHECK_BYTES),
        Some(_) => Fit::BadCheck,
        None => Fit::No,
    }
}

/// The answer to [`RESULT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastVend {
    vending: u8,
    failed: u8,
    pub(super) reason: u8,
}

impl LastVend {
    pub(super) const fn is_vending(self) -> bool {
        self.vending != 0
    }

    /// Also what a board says that has not vended since its start.
    pub(super) const fn is_success(self) -> bool {
        self.vending == 0 && self.failed == 0
    }
}

/// What the board says of itself, as far as it told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    pub(super) result: Option<LastVend>,
    /// State bits and fault code.
    pub(super) status: Option<[u8; 2]>,
    /// The answer before this result was *still vending*.
    was_vending: bool,
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_slots(0..=u16::from(u8::MAX))?;
    let grid = profile.check_given("options.grid", profile.options.grid)?;
    if profile.outer_slots().iter().any(|&slot| grid.place(slot).is_none()) {
        let problem = said!(
            "must give every slot a row and a column of 0 to 255, with at least 1 column and a base not above slots.first",
            "须使每个货道的行与列为 0 至 255，至少 1 列，且 base 不大于 slots.first"
        );
        return Err(Mistake::new("options.grid", problem));
    }
    Ok(())
}

/// The bytes on the wire.
pub struct LiftC7Words {
    profile: Profile,
    grid: Option<Grid>,
}

impl LiftC7Words {
    fn place(&self, turn: &Turn) -> Option<(u8, u8)> {
        self.grid?.place(Slot(u16::from(turn.slot)))
    }

    /// Nothing, where the answer does not say whose goods it speaks of.
    fn evidence(&self, last: LastVend) -> Option<Evidence> {
        let reason = if last.is_success() { 0 } else { last.reason };
        let known = |motor, drop_sensor| Some(Evidence { motor, drop_sensor });
        match (self.profile.evidence_of(reason), reason) {
            // A failure without a reason: the maker's own program calls it a success.
            (_, 0) if !last.is_success() => None,
            (Some(evidence), _) => Some(evidence),
            _ if last.is_success() => known(Motor::Ok, DropSensor::None),
            (None, BAD_DATA) => known(Motor::Absent, DropSensor::None),
            (None, EMPTY) => known(Motor::Ok, DropSensor::NotSeen),
            (None, STUCK) => known(Motor::OverCurrent, DropSensor::NotSeen),
            (None, NOT_TAKEN) => None,
            // The pick-up door, and what no source names.
            (None, _) => known(Motor::Timeout, DropSensor::None),
        }
    }
}

impl Words for LiftC7Words {
    type Look = Look;

    const IDENTITY_PARTS: u8 = 1;
    // They name the question, but not which one of its kind: an old picture would pass for a new one.
    const REPLIES_ARE_ANONYMOUS: bool = true;
    const MISSING_ANSWERS_ARE_FEARED: bool = true;

    fn new(profile: &Profile) -> Self {
        LiftC7Words { profile: profile.clone(), grid: profile.options.grid }
    }

    /// The last result and the board's state.
    fn look_parts(&self) -> u8 {
        2
    }

    fn follow_parts(&self) -> u8 {
        2
    }

    fn serves(&self, service: &Service) -> bool {
        match service {
            Service::SelfCheck { .. } | Service::Reset { .. } => true,
            Service::Switch { device, .. } => *device == Device::Light,
            Service::SlotState { .. } | Service::Door { .. } | Service::Climate { .. } | Service::Hold { .. } => false,
        }
    }

    fn request(&mut self, wire_address: u8, question: &Question, _tries: u8) -> Vec<u8> {
        let ask = |command, data: &[u8]| frame(HOST, wire_address, command | REQUEST, data);
        match question {
            Question::Drive(turn) => match self.place(turn) {
                Some((row, column)) => ask(VEND, &[row, column]),
                // `ready` lets no slot without a place come here.
                None => ask(STATUS, &[]),
            },
            Question::Look(0) | Question::Follow(_, 0) => ask(RESULT, &[]),
            Question::Look(_) | Question::Follow(..) | Question::Halt => ask(STATUS, &[]),
            Question::Identity(_) => ask(INFO, &[]),
            Question::Service(Service::Switch { on: true, .. }, _) => ask(LIGHT_ON, &[]),
            Question::Service(Service::Switch { .. }, _) => ask(LIGHT_OFF, &[]),
            Question::Service(Service::Reset { .. }, _) => ask(RESET, &[]),
            Question::Service(..) => ask(STATUS, &[]),
        }
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        whole(BOARD, bytes)
    }

    fn reply(&self, wire_address: u8, question: &Question, frame: &[u8]) -> Option<Answer<Look>> {
        let [_, _, from, _, command, data @ .., _, _] = frame else { return None };
        if *from != wire_address {
            return None;
        }
        match (question, *command, data) {
            (Question::Look(0) | Question::Follow(_, 0), RESULT, &[vending, failed, reason, ..]) => {
                Some(Answer::Look(Look { result: Some(LastVend { vending, failed, reason }), ..Look::default() }))
            }
            (Question::Look(1) | Question::Follow(_, 1), STATUS, &[state, fault, ..]) => {
                Some(Answer::Look(Look { status: Some([state, fault]), ..Look::default() }))
            }
            (Question::Drive(_), VEND, _) => Some(Answer::Taken),
            (Question::Identity(_), INFO, data) => {
                let hex: Vec<String> = data.iter().map(|byte| format!("{byte:02x}")).collect();
                Some(Answer::Identity(format!("lift, configuration {}", hex.join(" "))))
            }
            (Question::Service(Service::SelfCheck { .. }, _), STATUS, &[state, fault, ..]) => {
                Some(Answer::Reading(match fault {
                    0 if state & GOODS_LEFT == 0 => Reading::Healthy,
                    0 => Reading::faulty(said!("goods lie in the pick-up box", "取货口内有货")),
                    code => Reading::faulty(said!("fault {code}", "故障 {code}"; code)),
                }))
            }
            (Question::Service(Service::Switch { on: true, .. }, _), LIGHT_ON, _)
            | (Question::Service(Service::Switch { on: false, .. }, _), LIGHT_OFF, _)
            | (Question::Service(Service::Reset { .. }, _), RESET, _) => Some(Answer::Reading(Reading::Done)),
            _ => None,
        }
    }

    fn absorb(&self, look: &mut Look, part: Look) {
        if part.result.is_some() {
            look.was_vending = look.result.is_some_and(LastVend::is_vending);
        }
        look.result = part.result.or(look.result);
        look.status = part.status.or(look.status);
    }

    fn rests(&self, look: &Look) -> bool {
        look.result.is_some_and(|last| !last.is_vending()) && look.status.is_some_and(|[state, _]| state & BUSY == 0)
    }

    /// A failure that is gone without a vend.
    fn restarted(&self, before: &Look, now: &Look) -> bool {
        let had_failed = before.result.is_some_and(|last| !last.is_vending() && !last.is_success());
        had_failed && now.result.is_some_and(LastVend::is_success) && !now.was_vending
    }

    fn keep(&self, look: &Look, _turn: &Turn) -> Vec<u8> {
        match (look.result, look.status) {
            (Some(LastVend { vending, failed, reason }), Some([state, fault])) => {
                vec![vending, failed, reason, state, fault]
            }
            _ => Vec::new(),
        }
    }

    fn kept(&self, bytes: &[u8], _turn: &Turn) -> Option<Look> {
        let &[vending, failed, reason, state, fault] = bytes else { return None };
        let result = Some(LastVend { vending, failed, reason });
        Some(Look { result, status: Some([state, fault]), was_vending: false })
    }

    /// A lift with something in its pick-up box or with a fault would not vend, and it would not say so before.
    fn ready(&self, _kept: &Look, now: &Look, turn: &Turn) -> Result<(), Reason> {
        match now.status {
            _ if self.place(turn).is_none() => Err(Reason::Slot),
            Some([state, 0]) if state & GOODS_LEFT == 0 => Ok(()),
            _ => Err(Reason::Busy),
        }
    }

    fn judge(&self, _turn: &Turn, _before: &Look, now: &Look, seen: &Seen) -> Verdict {
        let Some(last) = now.result else { return Verdict::Waiting };
        if last.is_vending() {
            return Verdict::Turning;
        }
        if seen.turning {
            return match self.evidence(last) {
                Some(_) if last.is_success() && seen.was_silent => {
                    Verdict::CannotTell("the board was silent before it said success, as if it had started anew")
                }
                Some(evidence) => Verdict::Ended(evidence),
                None => Verdict::CannotTell("the board does not say what became of the goods of this vend"),
            };
        }
        match seen {
            _ if seen.restarted => Verdict::CannotTell("the board started anew"),
            _ if seen.resumed => Verdict::CannotTell("the board says what it may have said before the command"),
            _ if seen.since_ms < START_GRACE_MS => Verdict::Waiting,
            _ => Verdict::CannotTell("the board was not seen vending"),
        }
    }
}
