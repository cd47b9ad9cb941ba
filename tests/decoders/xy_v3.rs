//! `xy-v3`.

use super::line::{Family, Line, profile_of};
use super::{Script, one_byte_changed};
use std::sync::LazyLock;
use vend::board::profile::Profile;
use vend::board::xy_v3::XyV3;
use vend::board::xy_v3::wire::{self, Deframer, Frame, frame};
use vend::order::time::BootMs;

static PROFILES: LazyLock<[Profile; 2]> = LazyLock::new(|| {
    [5, 6].map(|len| {
        let mut profile = profile_of("xy-v3", true);
        profile.options.direct_drive_len = Some(len);
        profile
    })
});

/// Longer than any frame takes: what is incomplete by then is dropped.
const GAP_MS: u64 = 101;
/// Bytes of the longest frame.
const FRAME_BYTES_MAX: usize = 260;

/// Frames and driver of the Xing Yuan boards.
pub fn xy_v3(data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    if mode & 1 == 1 {
        Line::play::<XyV3>(&PROFILES[usize::from(mode >> 1 & 1)], &mut script);
    } else {
        frames(&mut script);
    }
}

impl Family for XyV3 {
    // Polls are answered meanwhile.
    const SILENT_WHILE_HELD: bool = false;

    fn board_frame(script: &mut Script, _: &Profile) -> Vec<u8> {
        let kind = script.byte();
        match kind & 7 {
            0 | 1 => frame(wire::POLL, &[]),
            2 => frame(wire::ACK, &[]),
            3 | 4 => frame(wire::DISPENSING, &[script.byte() % 4, script.byte(), 0, kind >> 3]),
            5 => frame(wire::SLOT_STATUS, &[script.byte(), script.byte() % 3, 0, kind >> 3]),
            6 if kind & 8 == 0 => frame(wire::SYNC, &[script.byte()]),
            6 => frame(wire::MACHINE_STATUS_REPLY, &[b'7'; 41][..40 + usize::from(kind >> 4 & 1)]),
            _ => frame(script.byte(), script.piece()),
        }
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        let mut deframer = Deframer::default();
        deframer.push(BootMs(0), bytes);
        match (deframer.next_frame(), deframer.next_frame()) {
            (Some(Ok(frame)), None) => Some([wire::DIRECT_DRIVE, wire::SELECT].contains(&frame.command)),
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
    let (command, text) = (script.byte(), script.piece());
    let good = frame(command, text);
    let changed = one_byte_changed(&good, script);
    let noise = script.rest();
    let wanted = Frame { command, text: text.to_vec() };
    assert_eq!(found(&mut Deframer::default(), BootMs(0), &good), std::slice::from_ref(&wanted));
    // An XOR notices every single changed byte, unless it is LEN that lies or the head that is gone.
    let whole = found(&mut Deframer::default(), BootMs(0), &changed);
    assert!(whole.iter().all(|f| frame(f.command, &f.text).len() < good.len()), "{changed:02x?}: {whole:02x?}");

    // No frame is made up, and the cut of the bytes does not matter.
    let said = [noise, &good].concat();
    let at_once = found(&mut Deframer::default(), BootMs(0), &said);
    for f in &at_once {
        let bytes = frame(f.command, &f.text);
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
