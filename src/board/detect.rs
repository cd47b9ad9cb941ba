//! Which board is at the other end of a line that nobody uses: listening first, then questions that can turn nothing.
//! Pure.
//!
//! 1. Boards that speak by themselves (xy-v3, ubox-e7) are known by what they say. Whoever is heard is asked nothing, and
//!    where somebody speaks whom we do not understand, nobody is asked anything.
//! 2. The other families are asked one question each, of those that only look: never a motor, never a stop, never a
//!    reset, and never what makes a board forget a result (uling-modbus clears its run state when that is read, so its
//!    version is read instead). A journal may still wait for that result.
//! 3. The fastest links come first: to a slower board such a frame is a few glitches, while a slow frame could be read as
//!    many bytes by a fast one. `sim::board::detected` gives every frame to every board at every speed: none turns.
//! 4. Profiles whose boards speak alike cannot be told apart by wire; a person chooses among those that were found.

use super::deframer::{Deframer, Framing};
use super::profile::{Family, Link, Profile};
use super::protocol::{Protocol, Reply, Request};
use super::words::{Answer, Question, Words};
use super::{
    adh, col_ed, ff0055, lift_c7, lock_8a, lock_cu, m102, tcn_00ff, ubox_e7, uling_modbus, vendapin, vmc96, xy_v3,
};
use crate::order::time::BootMs;
use serde::Serialize;

/// xy-v3 boards poll every 200 ms, or up to every 2 s if somebody set that; half a second for luck.
const HEAR_XY_MS: u64 = 2_500;
/// ubox-e7 boards that were left alone poll every 5 s; half a second for luck.
const HEAR_UBOX_MS: u64 = 5_500;
/// Longer than a board's reply time after each question, in ms: USB adapters hold bytes back for 16 ms, and what one
/// board has not understood it forgets within this silence.
const SLACK_MS: u64 = 200;
/// No question waits longer for its answer, in ms; the longest reply time of a profile that is asked.
const REPLY_MS_MAX: u64 = 2_000;
/// One answer may fall to noise.
const TRIES: u8 = 2;
/// Opening a port, or a plug that moves, makes a byte or two. Who sends more speaks.
const GLITCH_BYTES_MAX: usize = 8;
/// Bytes that are kept of one answer: several of the longest frames.
const ANSWER_BYTES_MAX: usize = 256;
/// No detection takes longer, in ms: two tries of every question without an answer, and both listenings.
pub const DETECTION_MS_MAX: u64 = 60_000;

/// What the line is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Set the link, and throw away what came before.
    Set(Link),
    /// Put this frame on the line.
    Write(Vec<u8>),
    /// Read until this time.
    ReadUntil(BootMs),
    /// It is over: [`Detector::found`].
    Over,
}

/// What is at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Detection {
    /// Names of the built-in profiles whose board this may be; none where nobody was understood.
    pub profiles: Vec<String>,
    /// Their family.
    pub family: Option<Family>,
    /// The link on which it was understood.
    pub link: Option<Link>,
    /// What the board says of itself.
    pub identity: Option<String>,
    /// Bytes that came unasked and that no family sends.
    pub strange_bytes: usize,
    /// The cable gives back what is sent: `[options] echo` of lock and m102 boards.
    pub echoes: bool,
    /// Questions that were put on the line.
    pub questions: usize,
}

/// An answer, with what it says of the board's name; nothing where these bytes hold none.
type Recognise = Box<dyn Fn(&[u8]) -> Option<Option<String>> + Send>;

struct Probe {
    family: Family,
    link: Link,
    /// All whose boards this is the question for.
    profiles: Vec<String>,
    frame: Vec<u8>,
    reply_ms: u64,
    recognise: Recognise,
}

struct Hearing {
    family: Family,
    link: Link,
    profiles: Vec<String>,
    for_ms: u64,
}

/// What is done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Hear(usize),
    Ask { probe: usize, tries: u8 },
}

/// One detection, from the first byte to the end.
pub struct Detector {
    hearings: Vec<Hearing>,
    probes: Vec<Probe>,
    stage: Option<Stage>,
    /// Where the stage ends; nothing before it has begun.
    until: Option<BootMs>,
    link: Option<Link>,
    heard: Heard,
    answer: Vec<u8>,
    found: Detection,
}

/// The ears for those who poll.
#[derive(Default)]
struct Heard {
    xy: Deframer<xy_v3::wire::Wire>,
    ubox: Deframer<ubox_e7::wire::Wire>,
    bytes: usize,
}

impl Heard {
    /// A frame that only this family's board sends is among these bytes: a poll, or, just after it started, what it
    /// says again until a host answers.
    fn board(&mut self, family: Family, now: BootMs, bytes: &[u8]) -> bool {
        fn any<F: Framing + Default>(deframer: &mut Deframer<F>, is_boards: impl Fn(&F::Frame) -> bool) -> bool {
            std::iter::from_fn(|| deframer.next_frame())
                .fold(false, |any, frame| any | frame.is_ok_and(|f| is_boards(&f)))
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        match family {
            Family::XyV3 => {
                self.xy.push(now, bytes);
                any(&mut self.xy, |frame| frame.command != xy_v3::wire::ACK)
            }
            _ => {
                self.ubox.push(now, bytes);
                any(&mut self.ubox, |frame| frame.kind < ubox_e7::wire::ACK)
            }
        }
    }
}

impl Detector {
    /// For the boards of these profiles.
    #[must_use]
    pub fn new(profiles: &[Profile]) -> Detector {
        let mut hearings: Vec<Hearing> = Vec::new();
        let mut probes: Vec<Probe> = Vec::new();
        for profile in profiles {
            let (family, link, name) = (profile.family, profile.link, profile.name.clone());
            match question(profile) {
                None => match hearings.iter_mut().find(|h| (h.family, h.link) == (family, link)) {
                    Some(hearing) => hearing.profiles.push(name),
                    None => {
                        let for_ms = if family == Family::XyV3 { HEAR_XY_MS } else { HEAR_UBOX_MS };
                        hearings.push(Hearing { family, link, profiles: vec![name], for_ms });
                    }
                },
                Some((frame, recognise)) => {
                    let reply_ms = profile.timing.reply_ms.min(REPLY_MS_MAX) + SLACK_MS;
                    let same = probes.iter_mut().find(|p| (p.family, p.link) == (family, link) && p.frame == frame);
                    match same {
                        Some(probe) => probe.profiles.push(name),
                        None => probes.push(Probe { family, link, profiles: vec![name], frame, reply_ms, recognise }),
                    }
                }
            }
        }
        hearings.sort_by_key(|hearing| std::cmp::Reverse(hearing.link.baud));
        probes.sort_by_key(|probe| std::cmp::Reverse(probe.link.baud));
        let mut detector = Detector {
            hearings,
            probes,
            stage: None,
            until: None,
            link: None,
            heard: Heard::default(),
            answer: Vec::new(),
            found: Detection::default(),
        };
        detector.stage = detector.after(None);
        detector
    }

    /// Every frame that may ever go out, with the link that it goes out on.
    pub fn frames(&self) -> impl Iterator<Item = (Link, &[u8])> {
        self.probes.iter().map(|probe| (probe.link, probe.frame.as_slice()))
    }

    /// What is to be done now. Call it again when that is done, and whenever bytes came.
    pub fn step(&mut self, now: BootMs) -> Step {
        loop {
            let Some(stage) = self.stage else { return Step::Over };
            let (link, begin) = match stage {
                Stage::Hear(n) => match self.hearings.get(n) {
                    Some(hearing) => (hearing.link, (hearing.for_ms, None)),
                    None => return Step::Over,
                },
                Stage::Ask { probe, .. } => match self.probes.get(probe) {
                    Some(probe) => (probe.link, (probe.reply_ms, Some(probe.frame.clone()))),
                    None => return Step::Over,
                },
            };
            if self.link != Some(link) {
                self.link = Some(link);
                self.heard = Heard { bytes: self.heard.bytes, ..Heard::default() };
                return Step::Set(link);
            }
            match self.until {
                Some(until) if now < until => return Step::ReadUntil(until),
                Some(_) => {
                    self.until = None;
                    self.stage = self.after(Some(stage));
                }
                None => {
                    let (for_ms, frame) = begin;
                    self.until = Some(now.plus_ms(for_ms));
                    self.answer.clear();
                    if let Some(frame) = frame {
                        self.found.questions += 1;
                        return Step::Write(frame);
                    }
                }
            }
        }
    }

    /// Bytes that came.
    pub fn received(&mut self, now: BootMs, bytes: &[u8]) {
        match self.stage {
            Some(Stage::Hear(n)) => {
                let Some(hearing) = self.hearings.get(n) else { return };
                if self.heard.board(hearing.family, now, bytes) {
                    self.found.profiles.clone_from(&hearing.profiles);
                    (self.found.family, self.found.link) = (Some(hearing.family), Some(hearing.link));
                    // Known: whatever came before was the same board at another speed.
                    self.heard.bytes = 0;
                    self.stage = None;
                }
            }
            Some(Stage::Ask { probe, .. }) => {
                let Some(probe) = self.probes.get(probe) else { return };
                let room = ANSWER_BYTES_MAX.saturating_sub(self.answer.len());
                self.answer.extend(bytes.iter().take(room));
                // An answer that is the question itself is the cable's.
                let is_echo = self.answer.starts_with(&probe.frame);
                self.found.echoes |= is_echo;
                let answer = self.answer.get(if is_echo { probe.frame.len() } else { 0 }..).unwrap_or_default();
                if !self.found.profiles.contains(&probe.profiles[0])
                    && let Some(identity) = (probe.recognise)(answer)
                {
                    self.found.profiles.extend_from_slice(&probe.profiles);
                    (self.found.family, self.found.link) = (Some(probe.family), Some(probe.link));
                    self.found.identity = self.found.identity.take().or(identity);
                }
            }
            None => {}
        }
    }

    /// What was found so far; everything when [`Detector::step`] says that it is over.
    #[must_use]
    pub fn found(mut self) -> Detection {
        self.found.strange_bytes = self.heard.bytes;
        self.found
    }

    /// What follows.
    fn after(&self, stage: Option<Stage>) -> Option<Stage> {
        let (next, tries) = match stage {
            None if !self.hearings.is_empty() => return Some(Stage::Hear(0)),
            None => (0, 0),
            Some(Stage::Hear(n)) if n + 1 < self.hearings.len() => return Some(Stage::Hear(n + 1)),
            // Somebody speaks, and we do not know whom we would ask.
            Some(Stage::Hear(_)) if self.heard.bytes > GLITCH_BYTES_MAX => return None,
            Some(Stage::Hear(_)) => (0, 0),
            Some(Stage::Ask { probe, tries }) => (probe + 1, tries),
        };
        let may_be = |probe: &Probe| {
            self.found.profiles.is_empty()
                || (self.found.family, self.found.link) == (Some(probe.family), Some(probe.link))
        };
        let of = |from: usize, tries: u8| {
            let rest = self.probes.iter().enumerate().skip(from);
            rest.into_iter().find(|(_, probe)| may_be(probe)).map(|(probe, _)| Stage::Ask { probe, tries })
        };
        // Everybody once, and again only when nobody was understood.
        let again = || (self.found.profiles.is_empty() && tries + 1 < TRIES).then(|| of(0, tries + 1)).flatten();
        of(next, tries).or_else(again)
    }
}

/// The one question for a profile's board at its first address, and how its answer is known. Nothing for boards that
/// speak by themselves.
fn question(profile: &Profile) -> Option<(Vec<u8>, Recognise)> {
    Some(match profile.family {
        Family::XyV3 | Family::UboxE7 => return None,
        // Its run state would be cleared by reading it.
        Family::UlingModbus => polled::<uling_modbus::Zdm8>(profile, Request::Identity(0)),
        // What it holds stays until it is told to forget it; its identity has no documented form.
        Family::Adh => polled::<adh::AdhProtocol>(profile, Request::Status),
        Family::M102 => asked::<m102::M102Words>(profile, Question::Identity(0)),
        Family::Lock8a => asked::<lock_8a::Lock8aWords>(profile, Question::Look(0)),
        Family::LockCu => asked::<lock_cu::LockCuWords>(profile, Question::Look(0)),
        // Its status; part 0 is the last result, which may be none.
        Family::LiftC7 => asked::<lift_c7::LiftC7Words>(profile, Question::Look(1)),
        Family::ColEd => asked::<col_ed::ColEdWords>(profile, Question::Look(0)),
        Family::Ff0055 => asked::<ff0055::Ff0055Words>(profile, Question::Identity(0)),
        Family::Vendapin => asked::<vendapin::VendapinWords>(profile, Question::Look(0)),
        // Its look begins with a stop.
        Family::Vmc96 => asked::<vmc96::Vmc96Words>(profile, Question::Identity(0)),
        Family::Tcn00ff => {
            let board = profile.addresses.first_on_wire;
            let frame = tcn_00ff::request(board, tcn_00ff::DOOR, tcn_00ff::PARAMETER_OFF).to_vec();
            (frame, Box::new(move |bytes| tcn_answer(board, bytes).then_some(None)))
        }
    })
}

fn tcn_answer(board: u8, bytes: &[u8]) -> bool {
    let mut all = bytes.windows(tcn_00ff::REPLY_BYTES);
    all.any(|reply| match *reply {
        [_, kind, error, value, _] => {
            let is_ok = kind == tcn_00ff::REPLY_OK;
            (is_ok || kind == tcn_00ff::REPLY_FAULT) && reply == tcn_00ff::reply(board, is_ok, error, value)
        }
        _ => false,
    })
}

fn polled<P: Protocol + Sync + 'static>(profile: &Profile, request: Request) -> (Vec<u8>, Recognise) {
    let (words, wire_address) = (P::new(profile), profile.addresses.first_on_wire);
    let frame = words.request(wire_address, &request);
    let recognise = move |bytes: &[u8]| {
        frames(bytes, |rest| words.fit(rest).whole_len()).find_map(|frame| {
            match words.reply(wire_address, &request, frame)? {
                Reply::Identity(text) => Some(Some(text)),
                Reply::Status(_) => Some(None),
                _ => None,
            }
        })
    };
    (frame, Box::new(recognise))
}

fn asked<W: Words + Sync + 'static>(profile: &Profile, question: Question) -> (Vec<u8>, Recognise) {
    let (mut words, wire_address) = (W::new(profile), profile.addresses.first_on_wire);
    let frame = words.request(wire_address, &question, 0);
    let recognise = move |bytes: &[u8]| {
        frames(bytes, |rest| words.fit(rest).whole_len()).find_map(|frame| {
            match words.reply(wire_address, &question, frame)? {
                Answer::Identity(text) => Some(Some(text)),
                Answer::Look(_) => Some(None),
                _ => None,
            }
        })
    };
    (frame, Box::new(recognise))
}

/// Every frame that begins anywhere in these bytes.
fn frames(bytes: &[u8], len: impl Fn(&[u8]) -> Option<usize>) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).filter_map(move |at| {
        let rest = bytes.get(at..)?;
        rest.get(..len(rest)?)
    })
}
