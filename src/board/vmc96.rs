//! `vmc96`: MoneyFlex VMC96 boards, which speak K1 (boards.md, J). Class 6, and more: the board starts a motor and stops
//! it, and knows no turn. The host watches the light curtain and stops the motor when goods have fallen.
//!
//! So a motor whose host dies may turn on. The first word to a board is therefore always *stop*, and so is the last one
//! of each turn: when goods have fallen, when the time is over, when the curtain could not be read for longer than it
//! remembers, when another motor turns. The curtain is all that says when a turn is complete: a profile without one is refused.
//!
//! Its codes are the constants below, each with its meaning.

use super::asked::Asked;
use super::frame::xor8;
use super::profile::{Mistake, Profile, Timing, not_everything_names_its_board};
use super::protocol::{Fit, Turn};
use super::service::{Device, Reading, Service};
use super::talk::START_GRACE_MS;
use super::words::{Answer, Question, Seen, Verdict, Words};
use crate::order::outcome::{DropSensor, Evidence, Motor, Reason};
use crate::order::said::said;

/// The driver.
pub type Vmc96 = Asked<Vmc96Words>;

/// First byte of every frame.
pub const START: u8 = 0x35;
/// The two relays.
pub const RELAYS: [u8; 2] = [0x26, 0x27];
/// The motors.
pub const MOTORS: u8 = 0x30;

/// Commands: are you there?
pub const PING: u8 = 0x00;
/// Which version?
pub const VERSION: u8 = 0x02;
/// Which motors turn, and what do they draw?
pub const STATUS: u8 = 0x10;
/// Switch a relay.
pub const SWITCH: u8 = 0x11;
/// Stop all motors.
pub const STOP: u8 = 0x12;
/// Start a motor.
pub const RUN: u8 = 0x13;
/// What did the light curtain see?
pub const CURTAIN: u8 = 0x15;

/// The data of a plain *yes*.
pub const DONE: u8 = 0x00;
/// Columns of the matrix, which has eight rows.
pub const COLUMNS: u8 = 12;
/// The highest slot: row × 12 + column.
pub const SLOT_MAX: u16 = 95;

/// The curtain's history: 32 samples of 40 ms.
pub const HISTORY_MS: u64 = 1_280;
/// From stopping a motor to its result: what falls last has fallen, and was asked for.
pub const AFTER_RUN_MS: u64 = 3_500;

/// Start, controller, length; and the check.
const AROUND_DATA: usize = 4;
/// A command or a plain answer has one byte between.
const FRAME_BYTES_MIN: usize = 5;
/// The longest answer here: a version of 32 characters behind its command.
const FRAME_BYTES_MAX: usize = 38;

/// A whole frame.
#[must_use]
pub fn frame(controller: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![START, controller, u8::try_from(data.len() + AROUND_DATA).unwrap_or(u8::MAX)];
    bytes.extend_from_slice(data);
    bytes.push(xor8(&bytes));
    bytes
}

/// The motor of a slot on the wire: row and column, each counted from 1.
#[must_use]
pub const fn motor(slot: u8) -> u8 {
    (slot / COLUMNS + 1) << 4 | (slot % COLUMNS + 1)
}

/// What one board says of itself, as far as it told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// The motors that turn.
    pub turning: Option<Vec<u8>>,
    /// The curtain's samples of the last [`HISTORY_MS`]: a 1 is something that fell.
    pub samples: Option<[u8; 4]>,
    /// A motor drew something in one of the pictures.
    pub has_drawn: bool,
    /// Something fell in one of the pictures.
    pub has_fallen: bool,
    /// A motor turned in one of the pictures.
    pub has_turned: bool,
    /// It stood still in a later one, though nobody had stopped it and nothing had fallen.
    pub has_vanished: bool,
    /// The board has said *yes* to stopping all motors.
    pub is_stopped: bool,
    /// Pictures of the curtain since then.
    pub looks_since: u16,
}

/// What the family wants of its profile.
pub(super) fn check(profile: &Profile) -> Result<(), Mistake> {
    profile.check_relays(2)?;
    profile.check_slots(0..=SLOT_MAX)?;
    profile.check_alone(&not_everything_names_its_board())?;
    let Timing { longest_vend_ms, reply_ms, poll_ms, .. } = profile.timing;
    let (key, problem) = if !profile.defaults.drop_check {
        let problem = said!(
            "must be true for family vmc96: only the light curtain says when a turn is complete",
            "协议族 vmc96 必须为 true：只有光幕能说明一次转动已完成"
        );
        ("defaults.drop_check", problem)
    } else if longest_vend_ms <= AFTER_RUN_MS + HISTORY_MS {
        let least = AFTER_RUN_MS + HISTORY_MS;
        let problem = said!("must be above {least}: the motor runs so much less", "必须大于 {least}：电机运行时间比它短这么多"; least);
        ("timing.longest_vend_ms", problem)
    } else if poll_ms + 2 * reply_ms >= HISTORY_MS {
        let problem = said!(
            "and twice reply_ms must be below {max} together, or a lost answer hides a drop",
            "与两倍 reply_ms 之和必须小于 {max}，否则丢失一次应答会漏掉掉货";
            max = HISTORY_MS
        );
        ("timing.poll_ms", problem)
    } else {
        return Ok(());
    };
    Err(Mistake::new(key, problem))
}

/// The bytes on the wire.
pub struct Vmc96Words {
    relays: [Option<Device>; 2],
    run_ms: u64,
    /// So many pictures after stopping show all that fell.
    looks_after: u16,
}

impl Vmc96Words {
    fn relay_of(&self, device: Device) -> Option<u8> {
        RELAYS.into_iter().zip(self.relays).find(|(_, wired)| *wired == Some(device)).map(|(controller, _)| controller)
    }
}

/// When a turn is over.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A motor is stopped after this time.
    pub run_ms: u64,
    /// So many pictures of the curtain after stopping show all that fell.
    pub looks_after: u16,
}

/// The judgement of the light curtain: when the motor is to stop, and what became of the turn when it has.
#[must_use]
pub fn judge(turn: &Turn, before: &Picture, now: &Picture, seen: &Seen, limits: Limits) -> Verdict {
    let Some(turning) = &now.turning else { return Verdict::Waiting };
    if before.samples != Some([0; 4]) {
        return Verdict::CannotTell("what fell cannot be told from what fell before");
    }
    // A board without power has forgotten what its curtain saw too.
    if now.has_vanished {
        return Verdict::CannotTell("the motor stopped by itself: the board may have started anew");
    }
    if turning.iter().any(|&other| other != motor(turn.slot)) {
        return Verdict::CannotTell("another motor turns");
    }
    if now.is_stopped && turning.is_empty() {
        return judge_stopped(turn, now, seen, limits);
    }
    if now.is_stopped || now.has_fallen || is_over(seen, limits.run_ms) {
        return Verdict::Halt;
    }
    match turning.is_empty() {
        false => Verdict::Turning,
        true if seen.since_ms < START_GRACE_MS => Verdict::Waiting,
        true => Verdict::CannotTell("the board does not show the command"),
    }
}

/// The motor has turned for long enough, or something may have fallen and be forgotten by now.
const fn is_over(seen: &Seen, run_ms: u64) -> bool {
    seen.since_ms >= run_ms || seen.blind_ms > HISTORY_MS
}

fn judge_stopped(turn: &Turn, now: &Picture, seen: &Seen, limits: Limits) -> Verdict {
    let if_armed = |drop_sensor| if turn.command.drop_check { drop_sensor } else { DropSensor::None };
    let ended = |motor, drop_sensor| Verdict::Ended(Evidence { motor, drop_sensor: if_armed(drop_sensor) });
    if !now.has_turned {
        Verdict::CannotTell("the motor was not seen turning")
    } else if now.has_fallen {
        ended(Motor::Ok, DropSensor::Seen)
    } else if now.looks_since < limits.looks_after {
        Verdict::Waiting
    } else if !now.has_drawn && seen.blind_ms <= HISTORY_MS {
        ended(Motor::Open, DropSensor::NotSeen)
    } else {
        // Goods that fell just before a restart, and that just before the stop, leave the same pictures.
        Verdict::CannotTell("nothing was seen to fall, and a board that started anew would say the same")
    }
}

impl Words for Vmc96Words {
    type Look = Picture;

    const IDENTITY_PARTS: u8 = 1;
    const REPLIES_ARE_ANONYMOUS: bool = true;
    const HOST_ENDS_TURN: bool = true;

    fn new(profile: &Profile) -> Self {
        let looks_after = HISTORY_MS.div_ceil(profile.timing.poll_ms.max(1)).saturating_add(1);
        Vmc96Words {
            relays: [1, 2].map(|number| {
                profile.options.relays.iter().find(|(_, relay)| **relay == number).map(|(device, _)| *device)
            }),
            // Profile::parse refuses a shorter time.
            run_ms: profile.timing.longest_vend_ms.saturating_sub(AFTER_RUN_MS),
            looks_after: u16::try_from(looks_after).unwrap_or(u16::MAX),
        }
    }

    /// Stop, then who turns, then the curtain.
    fn look_parts(&self) -> u8 {
        3
    }

    /// Who turns, and the curtain.
    fn follow_parts(&self) -> u8 {
        2
    }

    fn must_halt(&self, seen: &Seen) -> bool {
        is_over(seen, self.run_ms)
    }

    fn serves(&self, service: &Service) -> bool {
        match service {
            Service::Switch { device, .. } => self.relay_of(*device).is_some(),
            Service::SelfCheck { .. } => true,
            // A reset and the scan of the motors may move them, for all that the sources say (rule 19).
            Service::Reset { .. }
            | Service::SlotState { .. }
            | Service::Door { .. }
            | Service::Climate { .. }
            | Service::Hold { .. } => false,
        }
    }

    fn request(&mut self, _wire_address: u8, question: &Question, _tries: u8) -> Vec<u8> {
        match *question {
            Question::Look(0) | Question::Halt => frame(MOTORS, &[STOP]),
            Question::Look(1) | Question::Follow(_, 0) => frame(MOTORS, &[STATUS]),
            Question::Look(_) | Question::Follow(..) => frame(MOTORS, &[CURTAIN]),
            Question::Identity(_) => frame(MOTORS, &[VERSION]),
            Question::Drive(turn) => frame(MOTORS, &[RUN, motor(turn.slot)]),
            Question::Service(Service::Switch { device, on, .. }, _) => match self.relay_of(device) {
                Some(relay) => frame(relay, &[SWITCH, u8::from(on)]),
                None => frame(MOTORS, &[PING]),
            },
            Question::Service(..) => frame(MOTORS, &[PING]),
        }
    }

    fn fit(&self, bytes: &[u8]) -> Fit {
        let [START, _, len, ..] = *bytes else { return Fit::No };
        let len = usize::from(len);
        if !(FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&len) {
            return Fit::No;
        }
        match bytes.get(..len).and_then(<[u8]>::split_last) {
            Some((check, body)) if xor8(body) == *check => Fit::Whole(len),
            Some(_) => Fit::BadCheck,
            None => Fit::No,
        }
    }

    fn reply(&self, _wire_address: u8, question: &Question, frame: &[u8]) -> Option<Answer<Picture>> {
        let [START, from, _, data @ .., _] = frame else { return None };
        let relay = match question {
            Question::Service(Service::Switch { device, .. }, _) => self.relay_of(*device),
            _ => None,
        };
        if *from != relay.unwrap_or(MOTORS) {
            return None;
        }
        match (question, data) {
            (Question::Look(0) | Question::Halt, [DONE]) => {
                Some(Answer::Look(Picture { is_stopped: true, ..Picture::default() }))
            }
            (Question::Look(1) | Question::Follow(_, 0), [STATUS, drawn, turning @ ..]) => {
                let has_drawn = *drawn > 0 && !turning.is_empty();
                Some(Answer::Look(Picture { turning: Some(turning.to_vec()), has_drawn, ..Picture::default() }))
            }
            (Question::Look(2) | Question::Follow(_, 1), &[CURTAIN, a, b, c, d]) => {
                let samples = [a, b, c, d];
                let has_fallen = samples != [0; 4];
                Some(Answer::Look(Picture { samples: Some(samples), has_fallen, ..Picture::default() }))
            }
            (Question::Drive(_), [DONE]) => Some(Answer::Taken),
            // Not *no*: what else a board may say here is not documented.
            (Question::Drive(_), [_]) => Some(Answer::Unclear),
            (Question::Identity(_), [VERSION, text @ ..]) => {
                let text = text.iter().filter(|b| b.is_ascii_graphic() || **b == b' ').map(|&b| char::from(b));
                Some(Answer::Identity(text.collect::<String>().trim().to_owned()))
            }
            (Question::Service(Service::Switch { .. }, _), [done]) => {
                let is_done = *done == DONE;
                Some(if is_done { Answer::Reading(Reading::Done) } else { Answer::Refused(Reason::Invalid) })
            }
            (Question::Service(Service::SelfCheck { .. }, _), [done]) => {
                let faulty = || {
                    Reading::faulty(
                        said!("the board answers {done:02x}h to a ping", "板卡对探询应答 {done:02x}h"; done),
                    )
                };
                Some(Answer::Reading(if *done == DONE { Reading::Healthy } else { faulty() }))
            }
            _ => None,
        }
    }

    fn absorb(&self, look: &mut Picture, part: Picture) {
        look.is_stopped |= part.is_stopped;
        look.has_drawn |= part.has_drawn;
        look.has_fallen |= part.has_fallen;
        if let Some(turning) = part.turning {
            look.has_turned |= !turning.is_empty();
            look.turning = Some(turning);
        }
        if part.samples.is_some() {
            let stands_still = look.turning.as_ref().is_some_and(Vec::is_empty);
            look.has_vanished |= look.has_turned && stands_still && !look.is_stopped && !look.has_fallen;
            look.looks_since = look.looks_since.saturating_add(u16::from(look.is_stopped));
            look.samples = part.samples;
        }
    }

    /// Nothing turns, and nothing that fell could be taken for the next command's.
    fn rests(&self, look: &Picture) -> bool {
        look.samples == Some([0; 4]) && look.turning.as_ref().is_some_and(Vec::is_empty)
    }

    fn keep(&self, _look: &Picture, _turn: &Turn) -> Vec<u8> {
        Vec::new()
    }

    fn kept(&self, bytes: &[u8], _turn: &Turn) -> Option<Picture> {
        bytes.is_empty().then(Picture::default)
    }

    fn ready(&self, _kept: &Picture, now: &Picture, turn: &Turn) -> Result<(), Reason> {
        match now.samples {
            _ if u16::from(turn.slot) > SLOT_MAX => Err(Reason::Slot),
            Some([0, 0, 0, 0]) => Ok(()),
            _ => Err(Reason::Busy),
        }
    }

    fn judge(&self, turn: &Turn, before: &Picture, now: &Picture, seen: &Seen) -> Verdict {
        judge(turn, before, now, seen, Limits { run_ms: self.run_ms, looks_after: self.looks_after })
    }
}
