//! `col-ed`: EasiVend column boards (boards.md, C1). The result of a vend is pushed once, with the number of its
//! command: class 4. The board can be asked for the state of a column, which says that a motor turns, but not of which
//! vend it tells.
//!
//! A vend has two answers of one form: the first within a second, the second with the result. So the first frame with
//! the command's number is never the result, except when it comes so late that the first must have been lost.
//!
//! Vends have odd numbers and questions even ones: no frame has the number of the one before it, whoever restarted,
//! and the number of a vend is known before it is sent.
//!
//! Its codes are the constants below, each with its meaning.

use super::asked::Asked;
use super::frame::xor8;
use super::profile::{Mistake, Profile, Timing, no_address_on_the_wire};
use super::protocol::{Fit, Turn};
use super::service::{Reading, Service};
use super::words::{Answer, Question, Seen, Unasked, Verdict, Words};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::said::said;

/// The driver.
pub type ColEd = Asked<ColEdWords>;

/// First byte of what the host says.
pub const HOST: u8 = 0xED;
/// First byte of what the board says.
pub const BOARD: u8 = 0xEE;
/// Every frame, both ways; also its second byte.
pub const FRAME_BYTES: usize = 8;
const LEN: u8 = 8;

/// Vend.
pub const VEND: u8 = 0x70;
/// How is this column?
pub const STATE: u8 = 0x71;

/// Bits of a status: the vend failed.
pub const FAILED: u8 = 0x01;
/// A motor turns.
pub const BUSY: u8 = 0x02;
/// The column is empty.
pub const EMPTY: u8 = 0x08;
/// A fault of the column; its two bits have no published meanings.
pub const FAULT: u8 = 0x30;
/// The drop sensor is out of order: the firmware of the machine's own controller counts it as such.
pub const SENSOR_FAULT: u8 = 0x80;

/// The first answer comes within a second; what comes later than twice that is the second.
const FIRST_REPLY_MS: u64 = 2_000;
/// Both kinds of numbers step by this.
const SN_STEP: u8 = 2;

/// What the host says.
#[must_use]
pub fn request(sn: u8, command: u8, column: u8, armed: bool) -> [u8; FRAME_BYTES] {
    sealed([HOST, LEN, sn, command, column, 0, u8::from(armed)])
}

/// What the board says.
#[must_use]
pub fn reply(sn: u8, command: u8, column: u8, status: u8) -> [u8; FRAME_BYTES] {
    sealed([BOARD, LEN, sn, command, column, status, 0])
}

fn sealed(body: [u8; FRAME_BYTES - 1]) -> [u8; FRAME_BYTES] {
    let [b0, b1, b2, b3, b4, b5, b6] = body;
    [b0, b1, b2, b3, b4, b5, b6, xor8(&body)]
}

/// Whether bytes begin with a frame of one side.
#[must_use]
pub fn whole(start: u8, bytes: &[u8]) -> Fit {
    match bytes.first_chunk::<FRAME_BYTES>() {
        Some(frame) if frame.starts_with(&[start, LEN]) => {
            if xor8(frame) == 0 {
                Fit::Whole(FRAME_BYTES)
            } else {
                Fit::BadCheck
            }
        }
        _ => Fit::No,
    }
}

/// One of the answers to a vend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    sn: u8,
    pub(super) column: u8,
    pub(super) status: u8,
}

/// What the board says of itself, as far as it told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// The status of the column that was asked last.
    pub(super) status: Option<u8>,
    /// The answer to a vend that came just now, after all else that was told.
    pub(super) told: Option<Told>,
    /// The one that came before.
    told_before: Option<Told>,
    /// Kept with the command: its number.
    sn: Option<u8>,
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_slots(1..=u16::from(u8::MAX))?;
    profile.check_alone(&no_address_on_the_wire())
}

/// The bytes on the wire.
pub struct ColEdWords {
    profile: Profile,
    /// Asked at rest.
    first_column: u8,
    /// Of the last vend.
    vend_sn: u8,
    /// Of the last question.
    question_sn: u8,
}

impl ColEdWords {
    const fn next_vend_sn(&self) -> u8 {
        self.vend_sn.wrapping_add(SN_STEP)
    }

    fn asked_column(&self, question: &Question) -> Option<u8> {
        match *question {
            Question::Look(_) => Some(self.first_column),
            Question::Follow(turn, _) | Question::Drive(turn) => Some(turn.slot),
            Question::Service(Service::SlotState { slot, .. }, _) => u8::try_from(slot.0).ok(),
            Question::Service(..) | Question::Halt | Question::Identity(_) => None,
        }
    }

    fn evidence(&self, status: u8, drop_check: bool) -> Evidence {
        if let Some(evidence) = self.profile.evidence_of(status) {
            return evidence;
        }
        let has_failed = status & (FAILED | EMPTY | FAULT) != 0;
        let is_armed = drop_check && status & SENSOR_FAULT == 0;
        let motor = match (has_failed, is_armed) {
            (false, _) => Motor::Ok,
            // Nothing is wrong with the column, and the sensor saw nothing.
            (true, true) if status & FAULT == 0 => Motor::Ok,
            (true, _) => Motor::Timeout,
        };
        let drop_sensor = match (is_armed, has_failed) {
            (false, _) => DropSensor::None,
            (true, false) => DropSensor::Seen,
            (true, true) => DropSensor::NotSeen,
        };
        Evidence { motor, drop_sensor }
    }
}

impl Words for ColEdWords {
    type Look = Look;

    const IDENTITY_PARTS: u8 = 0;
    // A reply has its question's number.
    const REPLIES_ARE_ANONYMOUS: bool = false;
    // The second answer to a vend.
    const PUSHES: bool = true;
    // It is asked about one column, and no source says that the others share the bit.
    const TELLS_REST: bool = false;

    fn new(profile: &Profile) -> Self {
        ColEdWords {
            profile: profile.clone(),
            // Profile::parse lets no slot above 255 pass.
            first_column: u8::try_from(profile.slots.first).unwrap_or(u8::MAX),
            vend_sn: u8::MAX,
            question_sn: 0,
        }
    }

    fn last_kept(&mut self, bytes: &[u8]) {
        if let [sn] = *bytes {
            self.vend_sn = sn | 1;
        }
    }

    fn drive_reply_ms(&self, _timing: &Timing) -> Option<u64> {
        Some(FIRST_REPLY_MS)
    }

    fn serves(&self, service: &Service) -> bool {
        matches!(service, Service::SlotState { slot, .. } if u8::try_from(slot.0).is_ok())
    }

    fn request(&mut self, _wire_address: u8, question: &Question, _tries: u8) -> Vec<u8> {
        if let Question::Drive(turn) = question {
            self.vend_sn = self.next_vend_sn();
            return request(self.vend_sn, VEND, turn.slot, turn.command.drop_check).to_vec();
        }
        self.question_sn = self.question_sn.wrapping_add(SN_STEP).max(SN_STEP);
        let column = self.asked_column(question).unwrap_or(self.first_column);
        request(self.question_sn, STATE, column, false).to_vec()
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        whole(BOARD, bytes)
    }

    fn reply(&self, _wire_address: u8, question: &Question, frame: &[u8]) -> Option<Answer<Look>> {
        let [_, _, sn, command, column, status, ..] = *frame else { return None };
        if self.asked_column(question) != Some(column) {
            return None;
        }
        match (question, command) {
            (Question::Drive(_), VEND) if sn == self.vend_sn => {
                // *Busy* may mean that it is at it, or that it is not to be had.
                Some(if status == 0 { Answer::Taken } else { Answer::Unclear })
            }
            (Question::Look(_) | Question::Follow(..), STATE) if sn == self.question_sn => {
                Some(Answer::Look(Look { status: Some(status), ..Look::default() }))
            }
            (Question::Service(..), STATE) if sn == self.question_sn => Some(Answer::Reading(match status {
                _ if status & FAULT != 0 => Reading::faulty(
                    said!("fault {code} of the column", "货道故障 {code}"; code = (status & FAULT) >> 4),
                ),
                _ if status & SENSOR_FAULT != 0 => {
                    Reading::faulty(said!("the drop sensor is out of order", "掉货传感器故障"))
                }
                _ if status & EMPTY != 0 => Reading::SlotEmpty,
                _ => Reading::SlotReady,
            })),
            _ => None,
        }
    }

    fn unasked(&self, _wire_address: u8, frame: &[u8]) -> Option<Unasked<Look>> {
        match *frame {
            [_, _, sn, VEND, column, status, ..] => {
                Some(Unasked::Look(Look { told: Some(Told { sn, column, status }), ..Look::default() }))
            }
            _ => None,
        }
    }

    fn absorb(&self, look: &mut Look, part: Look) {
        // What was told of a vend counts at the moment in which it is told.
        if let Some(told) = std::mem::replace(&mut look.told, part.told) {
            look.told_before = Some(told);
        }
        look.status = part.status.or(look.status);
        look.sn = part.sn.or(look.sn);
    }

    fn rests(&self, look: &Look) -> bool {
        look.status.is_some_and(|status| status & BUSY == 0)
    }

    fn keep(&self, _look: &Look, _turn: &Turn) -> Vec<u8> {
        vec![self.next_vend_sn()]
    }

    fn kept(&self, bytes: &[u8], _turn: &Turn) -> Option<Look> {
        let &[sn] = bytes else { return None };
        Some(Look { sn: Some(sn), ..Look::default() })
    }

    fn ready(&self, _kept: &Look, _now: &Look, _turn: &Turn) -> Result<(), Reason> {
        Ok(())
    }

    fn judge(&self, turn: &Turn, before: &Look, now: &Look, seen: &Seen) -> Verdict {
        let own_sn = if seen.resumed { before.sn } else { Some(self.vend_sn) };
        let is_own = |told: &Told| Some(told.sn) == own_sn && told.column == turn.slot;
        let own = now.told.filter(is_own).filter(|told| told.status & BUSY == 0);
        if let Some(told) = own {
            // The first answer is past when it was heard, or when a question was answered that was asked after it. A life
            // that did not ask from the first moment on has only the time to go by.
            let is_second = if seen.resumed {
                now.told_before.as_ref().is_some_and(is_own) || (seen.since_ms >= FIRST_REPLY_MS && !seen.is_over)
            } else {
                seen.taken || now.told_before.as_ref().is_some_and(is_own) || now.status.is_some()
            };
            if is_second {
                return Verdict::Ended(self.evidence(told.status, turn.command.drop_check));
            }
        }
        match now.status {
            Some(status) if status & BUSY != 0 => Verdict::Turning,
            _ => Verdict::Waiting,
        }
    }
}
