//! `lock-cu`: Kerong KR-CU12 and KR-CU16 lock boards (boards.md, G). Class 5: the latch is the evidence, and where one
//! is fitted a sensor that sees whether something lies behind the door.
//!
//! No answer to an opening can be depended on, so none is waited for: one question tells all latches of a board.
//!
//! Its codes are the constants below, each with its meaning.

use super::asked::Asked;
use super::frame::sum8;
use super::latch::{self, Latch, Latches};
use super::profile::{Mistake, Profile, Timing};
use super::protocol::{Fit, Turn};
use super::service::{Reading, Service};
use super::words::{Answer, Question, Seen, Unasked, Verdict, Words};
use crate::order::outcome::Reason;
use crate::order::said::said;

/// The driver.
pub type LockCu = Asked<LockCuWords>;

/// First byte of every frame.
pub const START: u8 = 0x02;
/// Last byte before the check.
pub const END: u8 = 0x03;
/// What do the latches of a board do?
pub const STATE: u8 = 0x30;
/// Open one lock.
pub const UNLOCK: u8 = 0x31;
/// The answer to [`STATE`].
pub const STATE_REPLY: u8 = 0x35;
/// Locks of one board.
pub const LOCKS: u8 = 16;
/// Board 15, lock 0 means every board.
pub const BOARD_MAX: u8 = 14;

const REQUEST_BYTES: usize = 5;
const REPLY_BYTES: usize = 9;

/// A whole frame.
#[must_use]
pub fn frame(board: u8, lock: u8, command: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![START, (board << 4) | (lock & 0x0F), command];
    bytes.extend_from_slice(data);
    bytes.push(END);
    bytes.push(sum8(&bytes));
    bytes
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_slots(0..=u16::from(LOCKS) - 1)?;
    if profile.addresses.first_on_wire.saturating_add(profile.addresses.count - 1) > BOARD_MAX {
        let problem = said!(
            "must leave every board at {max} or below: board 15 means all",
            "须使每块板卡不大于 {max}：15 号指全部板卡";
            max = BOARD_MAX
        );
        return Err(Mistake::new("addresses.first_on_wire", problem));
    }
    Ok(())
}

/// The bytes on the wire.
pub struct LockCuWords {
    echoes: bool,
}

impl Words for LockCuWords {
    type Look = Latches;

    const IDENTITY_PARTS: u8 = 0;
    // A late picture does not say that it is one: a door that was seen open would be taken for shut again.
    const REPLIES_ARE_ANONYMOUS: bool = true;
    // A bolt that was told to open may stick, and spring later.
    const TELLS_REST: bool = false;

    fn new(profile: &Profile) -> Self {
        LockCuWords { echoes: profile.options.echo.unwrap_or(false) }
    }

    fn drive_reply_ms(&self, _timing: &Timing) -> Option<u64> {
        None
    }

    fn echoes(&self) -> bool {
        self.echoes
    }

    fn serves(&self, service: &Service) -> bool {
        matches!(service, Service::SlotState { slot, .. } if slot.0 < u16::from(LOCKS))
    }

    fn request(&mut self, wire_address: u8, question: &Question, _tries: u8) -> Vec<u8> {
        match question {
            // `ready` lets no lock above 15 come here.
            Question::Drive(turn) => frame(wire_address, turn.slot, UNLOCK, &[]),
            _ => frame(wire_address, 0, STATE, &[]),
        }
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        let len = match *bytes {
            [START, _, STATE_REPLY, ..] => REPLY_BYTES,
            [START, _, STATE | UNLOCK, ..] => REQUEST_BYTES,
            _ => return Fit::No,
        };
        match bytes.get(..len).and_then(<[u8]>::split_last) {
            Some((check, body)) if body.last() == Some(&END) && sum8(body) == *check => Fit::Whole(len),
            Some(_) => Fit::BadCheck,
            None => Fit::No,
        }
    }

    fn reply(&self, wire_address: u8, question: &Question, frame: &[u8]) -> Option<Answer<Latches>> {
        let [START, from, STATE_REPLY, hook_low, hook_high, item_low, item_high, END, _] = *frame else { return None };
        if from != wire_address << 4 {
            return None;
        }
        let (hooks, items) = (u16::from_le_bytes([hook_low, hook_high]), u16::from_le_bytes([item_low, item_high]));
        let latch = |lock: u8| Latch { is_open: hooks >> lock & 1 == 0, item: Some(items >> lock & 1 == 1) };
        match question {
            Question::Look(_) | Question::Follow(..) => {
                Some(Answer::Look(Latches((0..LOCKS).map(|lock| (lock, latch(lock))).collect())))
            }
            Question::Service(Service::SlotState { slot, .. }, _) => {
                let lock = u8::try_from(slot.0).ok().filter(|&lock| lock < LOCKS)?;
                Some(Answer::Reading(if latch(lock).is_open {
                    Reading::faulty(said!("the latch is open", "锁舌已打开"))
                } else {
                    Reading::SlotReady
                }))
            }
            Question::Drive(_) | Question::Halt | Question::Identity(_) | Question::Service(..) => None,
        }
    }

    /// A picture that nobody waits for may be an old one.
    fn unasked(&self, wire_address: u8, frame: &[u8]) -> Option<Unasked<Latches>> {
        matches!(*frame, [START, from, STATE_REPLY, ..] if from == wire_address << 4).then_some(Unasked::Changed)
    }

    fn absorb(&self, look: &mut Latches, part: Latches) {
        look.absorb(part);
    }

    fn rests(&self, _look: &Latches) -> bool {
        true
    }

    fn keep(&self, look: &Latches, turn: &Turn) -> Vec<u8> {
        look.keep(turn)
    }

    fn kept(&self, bytes: &[u8], turn: &Turn) -> Option<Latches> {
        Latches::kept(bytes, turn)
    }

    fn ready(&self, _kept: &Latches, now: &Latches, turn: &Turn) -> Result<(), Reason> {
        now.ready(turn)
    }

    fn judge(&self, turn: &Turn, before: &Latches, now: &Latches, seen: &Seen) -> Verdict {
        latch::judge(turn, before, now, seen)
    }
}
