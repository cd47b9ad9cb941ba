//! `ubox-e7`.

use super::line::{Family, Line, profile_of};
use super::{Script, one_byte_changed};
use std::sync::LazyLock;
use vend::board::profile::Profile;
use vend::board::ubox_e7::UboxE7;
use vend::board::ubox_e7::wire::{self, Deframer, Frame};
use vend::order::time::BootMs;

/// With its counters, and without.
static PROFILES: LazyLock<[Profile; 2]> =
    LazyLock::new(|| [true, false].map(|remembers| profile_of("ubox-e7", remembers)));

/// Longer than any frame takes: what is incomplete by then is dropped.
const GAP_MS: u64 = 351;
/// Bytes of the longest frame.
const FRAME_BYTES_MAX: usize = 257;

/// Frames and driver of the UBox boards.
pub fn ubox_e7(data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    if mode & 1 == 1 {
        Line::play::<UboxE7>(&PROFILES[usize::from(mode >> 1 & 1)], &mut script);
    } else {
        frames(&mut script);
    }
}

impl Family for UboxE7 {
    // Polls are answered meanwhile.
    const SILENT_WHILE_HELD: bool = false;

    fn board_frame(script: &mut Script, _: &Profile) -> Vec<u8> {
        let choice = script.byte();
        let number = script.byte() % 8;
        let (needs_answer, kind, data) = match choice & 15 {
            0..=3 => (true, wire::POLL, vec![]),
            4 => (false, wire::ACK_RPT, vec![]),
            5 => (false, wire::NAK_RPT, vec![]),
            6 | 7 => {
                let (status, slot) = (script.byte() % 3, script.byte() % 4);
                (true, wire::VENDOUT_RPT, vec![0, status, slot, 2, 0, 0, 0, 0, script.byte()])
            }
            8 => (true, wire::OFFLINE_DATA_RPT, [&[0], script.piece()].concat()),
            9 | 10 => {
                let mut counters = [0; 52];
                counters[35] = script.byte() % 4;
                (false, wire::INFO_RPT, [&[wire::INFO_COUNTERS], &counters[..]].concat())
            }
            11 => (false, wire::INFO_RPT, vec![wire::INFO_FIRMWARE + (choice >> 4 & 1), b'1']),
            12 => (false, wire::STATUS_RPT, vec![script.byte(), 1, 0, 0, script.byte(), 0xFE, 0xFE, 0xFE, 0, 0]),
            13 => (false, wire::HUODAO_RPT, [&[0], script.piece()].concat()),
            14 => (true, [wire::VMC_SETUP, wire::REQUEST][usize::from(choice >> 4 & 1)], vec![1]),
            _ => (choice & 16 == 0, script.byte(), script.piece().to_vec()),
        };
        Frame { needs_answer, kind, number, data }.bytes()
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        let mut deframer = Deframer::default();
        deframer.push(BootMs(0), bytes);
        match (deframer.next_frame(), deframer.next_frame()) {
            (Some(Ok(frame)), None) => Some(frame.kind == wire::VENDOUT_IND),
            _ => None,
        }
    }
}

fn found(deframer: &mut Deframer, at: BootMs, bytes: &[u8]) -> Vec<Frame> {
    deframer.push(at, bytes);
    let frames = std::iter::from_fn(|| deframer.next_frame()).flatten().collect();
    // Five characters a byte; what is kept is less than one frame.
    assert!(format!("{deframer:?}").len() < 5 * FRAME_BYTES_MAX + 200, "the buffer grows");
    frames
}

fn frames(script: &mut Script) {
    let cut = usize::from(script.byte()).max(1);
    let (flags, kind, number) = (script.byte(), script.byte(), script.byte());
    let data = script.piece();
    let data = data.get(..250).unwrap_or(data).to_vec();
    let wanted = Frame { needs_answer: flags & 1 == 1, kind, number, data };
    let good = wanted.bytes();
    let changed = one_byte_changed(&good, script);
    let noise = script.rest();
    assert_eq!(found(&mut Deframer::default(), BootMs(0), &good), std::slice::from_ref(&wanted));
    // A CRC notices every single changed byte, unless it is LEN that lies or the head that is gone.
    let whole = found(&mut Deframer::default(), BootMs(0), &changed);
    assert!(whole.iter().all(|f| f.bytes().len() < good.len()), "{changed:02x?}: {whole:02x?}");

    // No frame is made up, and the cut of the bytes does not matter.
    let said = [noise, &good].concat();
    let at_once = found(&mut Deframer::default(), BootMs(0), &said);
    for f in &at_once {
        let bytes = f.bytes();
        assert!(said.windows(bytes.len()).any(|window| window == bytes), "{f:02x?} was never said");
    }
    let mut deframer = Deframer::default();
    let in_parts: Vec<Frame> = said.chunks(cut).flat_map(|part| found(&mut deframer, BootMs(0), part)).collect();
    assert_eq!(in_parts, at_once, "{said:02x?} in parts of {cut}");

    // Noise of any kind costs no frame that comes after a pause.
    let mut deframer = Deframer::default();
    found(&mut deframer, BootMs(0), noise);
    assert_eq!(found(&mut deframer, BootMs(GAP_MS), &good), [wanted], "after {noise:02x?}");
}
