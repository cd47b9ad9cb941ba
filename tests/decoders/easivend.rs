//! The families whose host asks and whose board says what is: `lift-c7`, `col-ed` and `ff0055`.

use super::line::{Family, Line, profile_of};
use super::{Script, one_byte_changed};
use std::sync::LazyLock;
use vend::board::col_ed::{self, ColEdWords};
use vend::board::driver::{LineState, Output};
use vend::board::driver_for;
use vend::board::ff0055::{self, Ff0055Words};
use vend::board::lift_c7::{self, LiftC7Words};
use vend::board::profile::Profile;
use vend::board::protocol::Fit;
use vend::board::words::Words;
use vend::order::time::BootMs;

/// No lift of a script vends longer, so that it comes to its end soon.
const LONGEST_VEND_MS: u64 = 20_000;

static LIFT: LazyLock<[Profile; 2]> = LazyLock::new(|| both("lift-c7"));
static COLUMN: LazyLock<[Profile; 2]> = LazyLock::new(|| both("col-ed"));
static FF0055: LazyLock<[Profile; 2]> = LazyLock::new(|| both("ff0055"));

fn both(name: &str) -> [Profile; 2] {
    [false, true].map(|remembers| {
        let mut profile = profile_of(name, remembers);
        profile.timing.longest_vend_ms = profile.timing.longest_vend_ms.min(LONGEST_VEND_MS);
        profile
    })
}

/// Frames, wire and driver of the EasiVend lift.
pub fn lift_c7(data: &[u8]) {
    play::<LiftC7Words>(&LIFT, data);
}

/// Frames, wire and driver of the EasiVend column boards.
pub fn col_ed(data: &[u8]) {
    play::<ColEdWords>(&COLUMN, data);
}

/// Frames, wire and driver of the `FF 00 55` / `FF 00 AA` boards.
pub fn ff0055(data: &[u8]) {
    play::<Ff0055Words>(&FF0055, data);
}

/// What a board says that rests, to a question.
trait Rest: Words + Family {
    fn at_rest(question: &[u8]) -> Vec<u8>;
}

fn play<W: Rest>(profiles: &[Profile; 2], data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    let profile = &profiles[usize::from(mode & 2 == 0)];
    if mode & 1 == 1 {
        Line::play::<W>(profile, &mut script);
    } else {
        wire::<W>(profile, &mut script);
    }
}

/// What must hold of single frames and of frames in noise.
fn wire<W: Rest>(profile: &Profile, script: &mut Script) {
    let words = W::new(profile);
    let frame = W::board_frame(script, profile);
    let other = one_byte_changed(&frame, script);
    let noise = script.rest();
    assert_eq!(words.fit(&frame), Fit::Whole(frame.len()), "{frame:02x?}");
    assert_eq!(words.fit(&[&frame[..], noise].concat()), Fit::Whole(frame.len()));
    assert_ne!(words.fit(&other), Fit::Whole(frame.len()), "{other:02x?}");
    after_noise::<W>(profile, &words, noise);
}

/// A board at rest is understood after any noise in which no frame hides, in any cut.
fn after_noise<W: Rest>(profile: &Profile, words: &W, noise: &[u8]) {
    let mut driver = driver_for(profile);
    driver.opened(BootMs(0));
    let (mut now, mut noise) = (BootMs(0), noise);
    for _ in 0..words.look_parts() {
        let question = loop {
            match driver.next_output() {
                Some(Output::Write(write)) => break write.bytes,
                Some(Output::Finding(_)) => {}
                None => {
                    now = driver.deadline().expect("the board is asked").max(now);
                    driver.wake(now);
                }
            }
        };
        let said = [noise, &W::at_rest(&question)].concat();
        if (0..noise.len()).any(|at| matches!(words.fit(&said[at..]), Fit::Whole(_))) {
            return;
        }
        let cut = noise.first().map_or(said.len(), |&byte| usize::from(byte).max(1));
        for part in said.chunks(cut) {
            driver.received(now, now, part);
        }
        noise = &[];
    }
    assert_eq!(driver.state(), LineState::Idle);
}

fn is_whole(fit: Fit, bytes: &[u8]) -> bool {
    fit == Fit::Whole(bytes.len())
}

impl Family for LiftC7Words {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, profile: &Profile) -> Vec<u8> {
        let kind = script.byte();
        let from = profile.addresses.first_on_wire.wrapping_add(kind >> 7);
        let (command, data) = match kind & 7 {
            0..=2 => (lift_c7::RESULT, vec![script.byte() & 1, script.byte() & 1, script.byte() & 7]),
            3 | 4 => (lift_c7::STATUS, vec![script.byte() & 0x81, script.byte() & 1]),
            5 => (lift_c7::VEND, Vec::new()),
            _ => (script.byte(), script.take(3).to_vec()),
        };
        lift_c7::frame(lift_c7::BOARD, from, command, &data)
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        let is_frame = is_whole(lift_c7::whole(lift_c7::HOST, bytes), bytes);
        is_frame.then(|| bytes[4] == lift_c7::VEND | lift_c7::REQUEST)
    }
}

impl Rest for LiftC7Words {
    fn at_rest(question: &[u8]) -> Vec<u8> {
        let command = question[4] & !lift_c7::REQUEST;
        lift_c7::frame(lift_c7::BOARD, question[2], command, &[0, 0, 0])
    }
}

impl Family for ColEdWords {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, _: &Profile) -> Vec<u8> {
        let (kind, sn, column) = (script.byte(), script.byte() & 0x0F, script.byte() & 0x1F);
        let command = if kind & 1 == 0 { col_ed::VEND } else { col_ed::STATE };
        col_ed::reply(sn, command, column, [0, col_ed::BUSY, col_ed::FAILED, kind][usize::from(kind >> 6)]).to_vec()
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        is_whole(col_ed::whole(col_ed::HOST, bytes), bytes).then(|| bytes[3] == col_ed::VEND)
    }
}

impl Rest for ColEdWords {
    fn at_rest(question: &[u8]) -> Vec<u8> {
        col_ed::reply(question[2], question[3], question[4], 0).to_vec()
    }
}

impl Family for Ff0055Words {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, _: &Profile) -> Vec<u8> {
        let kind = script.byte();
        let (command, data) = match kind & 7 {
            0..=2 => (ff0055::RESULT, vec![script.byte() & 3]),
            3 | 4 => (ff0055::ID, b"any name at all".to_vec()),
            5 | 6 => (ff0055::VEND, vec![kind >> 3, ff0055::ONE_UNIT]),
            _ => (script.byte(), script.take(4).to_vec()),
        };
        ff0055::frame(ff0055::BOARD, command, &data)
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        is_whole(ff0055::whole(ff0055::HOST, bytes), bytes).then(|| bytes[3] == ff0055::VEND)
    }
}

impl Rest for Ff0055Words {
    fn at_rest(_: &[u8]) -> Vec<u8> {
        ff0055::frame(ff0055::BOARD, ff0055::ID, b"any name at all")
    }
}
