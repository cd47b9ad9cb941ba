//! Frames of the xy-v3 family: `FA FB | CMD | LEN | PackNO and text | XOR`.

use crate::board::deframer::{Cut, Framing};
use crate::board::driver::LineFault;
use crate::board::frame::xor8;

/// The board asks whether the host has something to say.
pub const POLL: u8 = 0x41;
/// "Heard", from either side. Carries no PackNO.
pub const ACK: u8 = 0x42;
/// Host: how is this slot?
pub const CHECK_SLOT: u8 = 0x01;
/// Board: how a slot is.
pub const SLOT_STATUS: u8 = 0x02;
/// Host: vend, as if the key had been pressed.
pub const SELECT: u8 = 0x03;
/// Board: how a vend goes or ended.
pub const DISPENSING: u8 = 0x04;
/// Board: somebody chose this slot at its keys, or, 0, gave the choice up.
pub const CHOSEN: u8 = 0x05;
/// Host: turn this motor.
pub const DIRECT_DRIVE: u8 = 0x06;
/// Either: I have started.
pub const SYNC: u8 = 0x31;
/// Host: how is the machine?
pub const MACHINE_STATUS: u8 = 0x51;
/// Board: how the machine is, with its id.
pub const MACHINE_STATUS_REPLY: u8 = 0x52;
/// Host: how is the machine, in one byte?
pub const SHORT_STATUS: u8 = 0x53;
/// Board: how the machine is, in one byte.
pub const SHORT_STATUS_REPLY: u8 = 0x54;

/// Host: read or set something of the menu.
pub const MENU: u8 = 0x70;
/// Board: what the menu says.
pub const MENU_REPLY: u8 = 0x71;

const HEAD: [u8; 2] = [0xFA, 0xFB];
/// FA FB, CMD, LEN and XOR.
const OVERHEAD_BYTES: usize = 5;
/// The longest frame takes 45 ms at 57600 baud and a USB converter holds bytes back for 16 ms: what is incomplete
/// for longer began with noise.
const FRAME_MS_MAX: u64 = 100;

/// A sequence number: 1…255, then 1 again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackNo(u8);

impl PackNo {
    /// The number before the first.
    pub const START: PackNo = PackNo(u8::MAX);

    /// 1…255; 0 is no number.
    #[must_use]
    pub const fn new(n: u8) -> Option<PackNo> {
        if n == 0 { None } else { Some(PackNo(n)) }
    }

    /// 1…255.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The number that follows.
    #[must_use]
    pub const fn next(self) -> PackNo {
        if self.0 == u8::MAX { PackNo(1) } else { PackNo(self.0 + 1) }
    }
}

/// The bytes of a frame. `text` begins with the PackNO where the command has one; what LEN cannot count (past 255
/// bytes) is cut off.
#[must_use]
pub fn frame(command: u8, text: &[u8]) -> Vec<u8> {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let mut bytes = Vec::with_capacity(usize::from(len) + OVERHEAD_BYTES);
    bytes.extend_from_slice(&HEAD);
    bytes.extend_from_slice(&[command, len]);
    bytes.extend(text.iter().take(usize::from(len)));
    bytes.push(xor8(&bytes));
    bytes
}

/// One frame whose check fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// CMD.
    pub command: u8,
    /// PackNO and text.
    pub text: Vec<u8>,
}

/// How frames are cut here.
#[derive(Debug, Default)]
pub struct Wire;

/// Finds frames in bytes that come in any cut, with noise between them.
pub type Deframer = super::super::deframer::Deframer<Wire>;

impl Framing for Wire {
    type Frame = Frame;
    const HEAD: &'static [u8] = &HEAD;
    const FRAME_MS_MAX: u64 = FRAME_MS_MAX;

    fn cut(bytes: &[u8]) -> Cut<Frame> {
        let [_, _, command, len, rest @ ..] = bytes else { return Cut::Short };
        let size = usize::from(*len) + OVERHEAD_BYTES;
        match (bytes.get(..size), rest.get(..usize::from(*len))) {
            (Some(whole), Some(text)) if xor8(whole) == 0 => {
                Cut::Whole(Frame { command: *command, text: text.to_vec() }, size)
            }
            (Some(_), _) => Cut::Bad(LineFault::BadCheck, size),
            (None, _) => Cut::Short,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::time::BootMs;

    fn all(deframer: &mut Deframer) -> Vec<Result<Frame, LineFault>> {
        std::iter::from_fn(|| deframer.next_frame()).collect()
    }

    #[test]
    fn a_frame_is_found_in_any_cut() {
        let bytes = frame(DISPENSING, &[7, 2, 0, 25]);
        let wanted = Frame { command: DISPENSING, text: vec![7, 2, 0, 25] };
        for cut in 0..=bytes.len() {
            let mut deframer = Deframer::default();
            deframer.push(BootMs(0), &bytes[..cut]);
            let mut found = all(&mut deframer);
            deframer.push(BootMs(5), &bytes[cut..]);
            found.extend(all(&mut deframer));
            assert_eq!(found, [Ok(wanted.clone())], "cut at {cut}");
        }
    }

    #[test]
    fn a_frame_after_noise_and_a_bad_check_is_found() {
        let mut bytes = vec![0x00, 0xFA, 0x13];
        let mut bad = frame(DISPENSING, &[7, 2, 0, 25]);
        bad[5] ^= 0x40;
        bytes.extend(bad);
        bytes.extend(frame(POLL, &[]));
        let mut deframer = Deframer::default();
        deframer.push(BootMs(0), &bytes);
        let poll = Frame { command: POLL, text: vec![] };
        assert_eq!(all(&mut deframer), [Err(LineFault::Noise), Err(LineFault::BadCheck), Ok(poll)]);
    }

    #[test]
    fn a_false_len_costs_no_more_than_the_frames_of_its_own_burst() {
        let mut deframer = Deframer::default();
        deframer.push(BootMs(0), &[0xFA, 0xFB, 0x04, 0xFF]);
        assert_eq!(all(&mut deframer), []);
        deframer.push(BootMs(200), &frame(POLL, &[]));
        assert_eq!(all(&mut deframer), [Err(LineFault::Noise), Ok(Frame { command: POLL, text: vec![] })]);
    }

    #[test]
    fn a_len_that_is_too_long_hides_no_frame_behind_it() {
        let mut bad = frame(DISPENSING, &[7, 2, 0, 25]);
        bad[3] = 6;
        bad.extend(frame(POLL, &[]));
        let mut deframer = Deframer::default();
        deframer.push(BootMs(0), &bad);
        assert!(all(&mut deframer).contains(&Ok(Frame { command: POLL, text: vec![] })));
    }

    #[test]
    fn a_sequence_number_is_never_zero() {
        assert_eq!(PackNo::START.next(), PackNo(1));
        assert_eq!(PackNo::new(0), None);
        assert_eq!(PackNo(254).next().next(), PackNo(1));
    }

    #[test]
    fn the_rest_of_a_frame_may_come_as_late_as_the_longest_frame_takes() {
        let poll = frame(POLL, &[]);
        for (late_ms, whole) in [(FRAME_MS_MAX, true), (FRAME_MS_MAX + 1, false)] {
            let mut deframer = Deframer::default();
            deframer.push(BootMs(0), &poll[..3]);
            assert_eq!(all(&mut deframer), []);
            deframer.push(BootMs(late_ms), &poll[3..]);
            assert_eq!(all(&mut deframer).contains(&Ok(Frame { command: POLL, text: vec![] })), whole, "{late_ms}");
        }
    }
}
