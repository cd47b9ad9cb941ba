//! `lock-8a`: lock boards that speak `8A … 11 XOR` (boards.md, H). Class 5: the latch is the evidence.
//!
//! The answer to an opening that failed is the request itself, byte for byte, and a cable may give that back too. So
//! no answer to an opening counts: the latch is asked with a question of its own, whose echo is no answer. Lock number
//! 0 means *all of them* and never leaves this driver.
//!
//! Its codes are the constants below, each with its meaning.

use super::asked::Asked;
use super::driver::Slot;
use super::frame::xor8;
use super::latch::{self, Latch, Latches};
use super::profile::{Mistake, Profile, ShortWhen, Timing};
use super::protocol::{Fit, Turn};
use super::service::{Reading, Service};
use super::words::{Answer, Question, Seen, Unasked, Verdict, Words};
use crate::order::outcome::Reason;
use crate::order::said::said;

/// The driver.
pub type Lock8a = Asked<Lock8aWords>;

/// First byte of an opening and of its answer.
pub const OPEN: u8 = 0x8A;
/// First byte of the question for a latch and of its answer.
pub const STATE: u8 = 0x80;
/// First byte of what the board tells by itself when a latch has moved.
pub const MOVED: u8 = 0x81;
/// Fourth byte of an opening.
pub const OPEN_MARK: u8 = 0x11;
/// Fourth byte of the question for a latch.
pub const STATE_MARK: u8 = 0x33;
/// A latch's contact is open.
pub const CONTACT_OPEN: u8 = 0x00;
/// A latch's contact is closed.
pub const CONTACT_CLOSED: u8 = 0x11;
/// The highest lock of the largest board.
pub const LOCK_MAX: u16 = 50;

/// The board answers an opening when it has seen the latch, at the latest after this time.
const OPEN_REPLY_MS: u64 = 3_000;
const FRAME_BYTES: usize = 5;

/// A whole frame.
#[must_use]
pub fn frame(kind: u8, board: u8, lock: u8, last: u8) -> [u8; FRAME_BYTES] {
    [kind, board, lock, last, xor8(&[kind, board, lock, last])]
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_given("options.short_when", profile.options.short_when)?;
    profile.check_slots(1..=LOCK_MAX)
}

/// The bytes on the wire.
pub struct Lock8aWords {
    locks: Vec<u8>,
    short_when: ShortWhen,
    echoes: bool,
}

impl Lock8aWords {
    fn is_open(&self, contact: u8) -> Option<bool> {
        match (contact, self.short_when) {
            (CONTACT_OPEN, ShortWhen::Locked) | (CONTACT_CLOSED, ShortWhen::Open) => Some(true),
            (CONTACT_CLOSED, ShortWhen::Locked) | (CONTACT_OPEN, ShortWhen::Open) => Some(false),
            _ => None,
        }
    }

    fn asked_lock(&self, question: &Question) -> Option<u8> {
        match *question {
            Question::Look(part) => self.locks.get(usize::from(part)).copied(),
            Question::Follow(turn, _) | Question::Drive(turn) => Some(turn.slot),
            Question::Service(Service::SlotState { slot, .. }, _) => u8::try_from(slot.0).ok(),
            Question::Service(..) | Question::Halt | Question::Identity(_) => None,
        }
        .filter(|lock| self.locks.contains(lock))
    }
}

impl Words for Lock8aWords {
    type Look = Latches;

    const IDENTITY_PARTS: u8 = 0;
    // A late picture does not say that it is one: a door that was seen open would be taken for shut again.
    const REPLIES_ARE_ANONYMOUS: bool = true;
    // A bolt that was told to open may stick, and spring later.
    const TELLS_REST: bool = false;

    fn new(profile: &Profile) -> Self {
        // Profile::parse refuses locks below 1 or above LOCK_MAX.
        let locks =
            (profile.slots.first.max(1)..=profile.slots.last.min(LOCK_MAX)).filter(|&n| profile.has_slot(Slot(n)));
        Lock8aWords {
            locks: locks.filter_map(|n| u8::try_from(n).ok()).collect(),
            short_when: profile.options.short_when.unwrap_or(ShortWhen::Locked),
            echoes: profile.options.echo.unwrap_or(false),
        }
    }

    /// The question for all locks at once has another answer on every size of board, and only one is documented.
    fn look_parts(&self) -> u8 {
        u8::try_from(self.locks.len()).unwrap_or(u8::MAX).max(1)
    }

    fn drive_reply_ms(&self, _timing: &Timing) -> Option<u64> {
        Some(OPEN_REPLY_MS)
    }

    fn echoes(&self) -> bool {
        self.echoes
    }

    fn serves(&self, service: &Service) -> bool {
        matches!(service, Service::SlotState { slot, .. } if self.locks.iter().any(|&lock| u16::from(lock) == slot.0))
    }

    fn request(&mut self, wire_address: u8, question: &Question, _tries: u8) -> Vec<u8> {
        match (question, self.asked_lock(question)) {
            (Question::Drive(_), Some(lock)) => frame(OPEN, wire_address, lock, OPEN_MARK).to_vec(),
            // Without a lock it asks for all of them, which opens none.
            (_, lock) => frame(STATE, wire_address, lock.unwrap_or(0), STATE_MARK).to_vec(),
        }
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        match *bytes {
            [OPEN | STATE | MOVED, _, _, last, check, ..] => {
                let is_known = matches!(last, CONTACT_OPEN | CONTACT_CLOSED | STATE_MARK);
                match bytes.first_chunk::<4>() {
                    Some(body) if is_known && xor8(body) == check => Fit::Whole(FRAME_BYTES),
                    _ => Fit::BadCheck,
                }
            }
            _ => Fit::No,
        }
    }

    fn reply(&self, wire_address: u8, question: &Question, frame: &[u8]) -> Option<Answer<Latches>> {
        let [kind, from, lock, last, _] = *frame else { return None };
        if from != wire_address || self.asked_lock(question) != Some(lock) {
            return None;
        }
        let is_open = self.is_open(last);
        match (question, kind, is_open) {
            (Question::Drive(_), OPEN, Some(is_open)) => {
                // The request itself, and the cable may give it back.
                let may_be_echo = last == OPEN_MARK && !self.echoes;
                Some(if is_open && !may_be_echo { Answer::Taken } else { Answer::Unclear })
            }
            (Question::Look(_) | Question::Follow(..), STATE, Some(is_open)) => {
                Some(Answer::Look(Latches([(lock, Latch { is_open, item: None })].into())))
            }
            (Question::Service(..), STATE, Some(is_open)) => Some(Answer::Reading(if is_open {
                Reading::faulty(said!("the latch is open", "锁舌已打开"))
            } else {
                Reading::SlotReady
            })),
            _ => None,
        }
    }

    /// The published examples of what a board tells by itself have the other polarity than its answers, so it only
    /// says that something has moved.
    fn unasked(&self, wire_address: u8, frame: &[u8]) -> Option<Unasked<Latches>> {
        match *frame {
            [MOVED | OPEN, from, ..] if from == wire_address => Some(Unasked::Changed),
            _ => None,
        }
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
