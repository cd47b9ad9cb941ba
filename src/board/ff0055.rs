//! `ff0055`: control boards that speak `FF 00 55` / `FF 00 AA` (boards.md, I). Class 1b: the result of a slot's last
//! vend can be asked for, and nothing says of which vend it is.
//!
//! Two things tie an answer to a command: it is another than the one that the vend before it had, as far as this life
//! has seen that to its end; or the board took the command, the longest vend time is over, and it still gives that
//! answer. Before that the answer may be the old one, since nobody says when the board forgets it. The first counts only
//! while the board answered all the time: whether the result outlives a restart of the board, and what it says instead,
//! is not documented (boards.md, I). So after a restart of the agent neither counts.
//!
//! The board does not say whether a motor turns, nor anything of a slot that has not vended since it has power, so it
//! is asked who it is to see that it is there.
//!
//! Its codes are the constants below, each with its meaning.

use super::asked::Asked;
use super::frame::sum8;
use super::profile::{Mistake, Profile, no_address_on_the_wire};
use super::protocol::{Fit, Turn};
use super::service::{Reading, Service};
use super::words::{Answer, Question, Seen, Verdict, Words};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use std::collections::BTreeMap;

/// The driver.
pub type Ff0055 = Asked<Ff0055Words>;

/// Third byte of what the host says.
pub const HOST: u8 = 0x55;
/// Third byte of what the board says.
pub const BOARD: u8 = 0xAA;

/// Who are you?
pub const ID: u8 = 0x31;
/// Vend.
pub const VEND: u8 = 0x41;
/// What became of the last vend of a slot?
pub const RESULT: u8 = 0xE1;
/// Forget your fault.
pub const CLEAR_FAULT: u8 = 0xA2;

/// What [`ID`] carries.
pub const ID_MARK: u8 = 0xAD;
/// What [`CLEAR_FAULT`] carries.
pub const CLEAR_MARK: u8 = 0xFF;
/// Units of one command: each unit of an order has an intent of its own.
pub const ONE_UNIT: u8 = 1;

/// Answers to [`RESULT`], and to [`CLEAR_FAULT`]: well done.
pub const SUCCESS: u8 = 1;
/// The motor failed.
pub const MOTOR_FAILED: u8 = 2;
/// The optical eye saw nothing fall.
pub const EYE_FAILED: u8 = 3;

/// Two bytes, the side, command and length, before the data.
const HEAD_BYTES: usize = 5;
/// The longest answer is the 15 characters of an identity; more is noise that looks like a head.
const DATA_BYTES_MAX: usize = 32;

/// A whole frame of either side.
#[must_use]
pub fn frame(side: u8, command: u8, data: &[u8]) -> Vec<u8> {
    let len = u8::try_from(data.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![0xFF, 0x00, side, command, len];
    bytes.extend_from_slice(data);
    let sum = sum8(bytes.get(2..).unwrap_or_default());
    bytes.push(sum);
    bytes
}

/// Whether bytes begin with a frame of one side.
#[must_use]
pub fn whole(side: u8, bytes: &[u8]) -> Fit {
    let [0xFF, 0x00, from, _, len, ..] = *bytes else { return Fit::No };
    let len = usize::from(len);
    if from != side || len > DATA_BYTES_MAX {
        return Fit::No;
    }
    match bytes.get(2..=HEAD_BYTES + len).and_then(<[u8]>::split_last) {
        Some((sum, body)) if sum8(body) == *sum => Fit::Whole(HEAD_BYTES + len + 1),
        Some(_) => Fit::BadCheck,
        None => Fit::No,
    }
}

/// What the board says of itself, as far as it told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// It said who it is.
    pub(super) is_there: bool,
    /// What it says of the last vend of the command's slot; kept with a command: what it said of the one before.
    pub(super) result: Option<u8>,
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_slots(1..=u16::from(u8::MAX))?;
    profile.check_alone(&no_address_on_the_wire())
}

/// The bytes on the wire.
pub struct Ff0055Words {
    profile: Profile,
    /// What became of the last vend of each slot, as far as this life has seen it to its end.
    known: BTreeMap<u8, u8>,
    /// What was known of the slot when its command was sent.
    known_before: Option<u8>,
}

impl Ff0055Words {
    /// Nothing for an answer that nobody has explained.
    fn evidence(&self, result: u8, drop_check: bool) -> Option<Evidence> {
        let if_armed = |drop_sensor| if drop_check { drop_sensor } else { DropSensor::None };
        match (self.profile.evidence_of(result), result) {
            (Some(evidence), _) => Some(evidence),
            (None, SUCCESS) => Some(Evidence { motor: Motor::Ok, drop_sensor: if_armed(DropSensor::Seen) }),
            (None, MOTOR_FAILED) => Some(Evidence { motor: Motor::Timeout, drop_sensor: DropSensor::None }),
            // The eye judges, whatever the command said.
            (None, EYE_FAILED) => Some(Evidence { motor: Motor::Ok, drop_sensor: DropSensor::NotSeen }),
            (None, _) => None,
        }
    }
}

impl Words for Ff0055Words {
    type Look = Look;

    const IDENTITY_PARTS: u8 = 1;
    // The answer about a result does not name its slot.
    const REPLIES_ARE_ANONYMOUS: bool = true;
    const TELLS_REST: bool = false;
    const CHECKS_BY_LOOKING: bool = true;

    fn new(profile: &Profile) -> Self {
        Ff0055Words { profile: profile.clone(), known: BTreeMap::new(), known_before: None }
    }

    fn serves(&self, service: &Service) -> bool {
        matches!(service, Service::Reset { .. })
    }

    fn request(&mut self, _wire_address: u8, question: &Question, _tries: u8) -> Vec<u8> {
        match question {
            Question::Drive(turn) => {
                self.known_before = self.known.remove(&turn.slot);
                frame(HOST, VEND, &[turn.slot, ONE_UNIT])
            }
            Question::Follow(turn, _) => frame(HOST, RESULT, &[turn.slot, ONE_UNIT]),
            Question::Service(..) => {
                // Nobody says what else the board forgets with its fault.
                self.known.clear();
                frame(HOST, CLEAR_FAULT, &[CLEAR_MARK])
            }
            Question::Look(_) | Question::Halt | Question::Identity(_) => frame(HOST, ID, &[ID_MARK]),
        }
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        whole(BOARD, bytes)
    }

    fn reply(&self, _wire_address: u8, question: &Question, frame: &[u8]) -> Option<Answer<Look>> {
        let [_, _, _, command, _, data @ .., _] = frame else { return None };
        match (question, *command, data) {
            (Question::Look(_), ID, _) => Some(Answer::Look(Look { is_there: true, result: None })),
            (Question::Identity(_), ID, data) => {
                let name = data.iter().filter(|b| b.is_ascii_graphic() || **b == b' ').map(|&b| char::from(b));
                Some(Answer::Identity(name.collect::<String>().trim().to_owned()))
            }
            (Question::Drive(turn), VEND, [slot, ONE_UNIT]) if *slot == turn.slot => Some(Answer::Taken),
            // Four bytes are an amount of money.
            (Question::Follow(..), RESULT, [result]) => {
                Some(Answer::Look(Look { is_there: false, result: Some(*result) }))
            }
            (Question::Service(..), CLEAR_FAULT, [SUCCESS, ..]) => Some(Answer::Reading(Reading::Done)),
            (Question::Service(..), CLEAR_FAULT, _) => Some(Answer::Refused(Reason::Invalid)),
            _ => None,
        }
    }

    fn absorb(&self, look: &mut Look, part: Look) {
        look.is_there |= part.is_there;
        look.result = part.result.or(look.result);
    }

    /// Nothing that it says is about a motor that turns; time alone settles the line.
    fn rests(&self, _look: &Look) -> bool {
        true
    }

    fn keep(&self, _look: &Look, turn: &Turn) -> Vec<u8> {
        self.known.get(&turn.slot).copied().into_iter().collect()
    }

    fn kept(&self, bytes: &[u8], _turn: &Turn) -> Option<Look> {
        match *bytes {
            [] => Some(Look::default()),
            [result] => Some(Look { is_there: false, result: Some(result) }),
            _ => None,
        }
    }

    fn ready(&self, _kept: &Look, _now: &Look, _turn: &Turn) -> Result<(), Reason> {
        Ok(())
    }

    fn ended(&mut self, turn: &Turn, now: &Look) {
        self.known.extend(now.result.map(|result| (turn.slot, result)));
    }

    fn judge(&self, turn: &Turn, _before: &Look, now: &Look, seen: &Seen) -> Verdict {
        let Some((result, evidence)) = now.result.and_then(|r| Some((r, self.evidence(r, turn.command.drop_check)?)))
        else {
            return Verdict::Waiting;
        };
        // A board that may have started anew meanwhile may tell the value that it starts with (rule 20).
        let is_same_start = !seen.resumed && !seen.was_silent;
        let is_another = is_same_start && self.known_before.is_some_and(|old| old != result);
        let stands = seen.taken && seen.is_over && !seen.is_silent;
        if is_another || stands {
            Verdict::Ended(evidence)
        } else if seen.is_over {
            Verdict::CannotTell("what the board says may be of an earlier vend of this slot")
        } else {
            Verdict::Waiting
        }
    }
}
