//! Frames of the ubox-e7 family: `E7 LEN (F7 and version) MT SN data CRC CRC`, the check high byte first.

use crate::board::deframer::{Cut, Framing};
use crate::board::driver::LineFault;
use crate::board::frame::crc16_xmodem;

/// Board: I heard your message, and do it.
pub const ACK_RPT: u8 = 0x01;
/// Board: I do not.
pub const NAK_RPT: u8 = 0x02;
/// Board: have you something to say?
pub const POLL: u8 = 0x03;
/// Board: how I am set up. It says so when it starts.
pub const VMC_SETUP: u8 = 0x05;
/// Board: how a vend ended.
pub const VENDOUT_RPT: u8 = 0x08;
/// Board: send me my configuration.
pub const REQUEST: u8 = 0x09;
/// Board: what somebody did at the machine.
pub const ADMIN_RPT: u8 = 0x0A;
/// Board: what I am doing.
pub const ACTION_RPT: u8 = 0x0B;
/// Board: how the machine is.
pub const STATUS_RPT: u8 = 0x0D;
/// Board: every slot, fault and count.
pub const HUODAO_RPT: u8 = 0x0E;
/// Board: to [`GET_INFO`].
pub const INFO_RPT: u8 = 0x11;
/// Board: what was sold while nobody listened.
pub const OFFLINE_DATA_RPT: u8 = 0x13;
/// Host: heard.
pub const ACK: u8 = 0x80;
/// Host: vend.
pub const VENDOUT_IND: u8 = 0x83;
/// Host: start anew.
pub const RESET_IND: u8 = 0x84;
/// Host: how is the machine?
pub const GET_STATUS: u8 = 0x86;
/// Host: how are the slots?
pub const GET_HUODAO: u8 = 0x8A;
/// Host: tell me this of yourself.
pub const GET_INFO: u8 = 0x8C;
/// Host: how are you set up?
pub const GET_SETUP: u8 = 0x90;
/// Host: what was sold while nobody listened?
pub const GET_OFFLINE_DATA: u8 = 0x91;

/// [`GET_INFO`]: counters that are never cleared.
pub const INFO_COUNTERS: u8 = 6;
/// [`GET_INFO`]: the firmware, as text.
pub const INFO_FIRMWARE: u8 = 14;
/// [`GET_INFO`]: the board's own number.
pub const INFO_HARDWARE: u8 = 15;

/// [`VENDOUT_IND`] names a slot and not a product.
pub const BY_SLOT: u8 = 2;
/// [`VENDOUT_RPT`]: sold.
pub const VENDED: u8 = 0;
/// [`VENDOUT_RPT`]: not sold.
pub const NOT_VENDED: u8 = 2;
/// [`ACTION_RPT`]: a vend begins that takes longer than a second.
pub const ACTION_VEND: u8 = 1;
/// [`ADMIN_RPT`]: the door was opened.
pub const DOOR_OPENED: u8 = 5;
/// [`ADMIN_RPT`]: the door was closed.
pub const DOOR_CLOSED: u8 = 6;
/// [`OFFLINE_DATA_RPT`]: the message holds vends.
pub const LOG_OF_VENDS: u8 = 0;
/// Vends in one [`OFFLINE_DATA_RPT`] at most; fewer are the last ones.
pub const LOG_RECORDS_MAX: usize = 20;
/// Bytes of a vend in [`OFFLINE_DATA_RPT`]: seconds 4, slot, cost 2.
pub const LOG_RECORD_BYTES: usize = 7;

const HEAD: u8 = 0xE7;
const VERSION: u8 = 3;
const NEEDS_ANSWER: u8 = 0x80;
/// E7, LEN, F7 and version, MT, SN.
const HEADER_BYTES: usize = 5;
const CHECK_BYTES: usize = 2;
/// What LEN can count beside the header.
const DATA_BYTES_MAX: usize = 250;
/// The longest frame takes 268 ms at 9600 baud, and a USB converter holds bytes back for 16 ms: what is incomplete for
/// longer began with noise. The next poll comes 500 ms after the last.
const FRAME_MS_MAX: u64 = 350;

/// One frame whose check fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// F7: the other side has to answer.
    pub needs_answer: bool,
    /// MT.
    pub kind: u8,
    /// SN: the same number is the same message, and an answer carries the number of what it answers.
    pub number: u8,
    /// The rest.
    pub data: Vec<u8>,
}

impl Frame {
    /// The bytes on the wire. Data that LEN cannot count is cut off.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let data = self.data.get(..DATA_BYTES_MAX).unwrap_or(&self.data);
        let len = u8::try_from(HEADER_BYTES + data.len()).unwrap_or(u8::MAX);
        let flags = if self.needs_answer { NEEDS_ANSWER | VERSION } else { VERSION };
        let mut bytes = vec![HEAD, len, flags, self.kind, self.number];
        bytes.extend_from_slice(data);
        bytes.extend(crc16_xmodem(&bytes).to_be_bytes());
        bytes
    }
}

/// How frames are cut here.
#[derive(Debug, Default)]
pub struct Wire;

/// Finds frames in bytes that come in any cut, with noise between them.
pub type Deframer = super::super::deframer::Deframer<Wire>;

impl Framing for Wire {
    type Frame = Frame;
    const HEAD: &'static [u8] = &[HEAD];
    const FRAME_MS_MAX: u64 = FRAME_MS_MAX;

    fn cut(bytes: &[u8]) -> Cut<Frame> {
        let noise = Cut::Bad(LineFault::Noise, usize::MAX);
        let Some(&len) = bytes.get(1) else { return Cut::Short };
        let len = usize::from(len);
        if len < HEADER_BYTES {
            return noise;
        }
        match bytes.get(2) {
            None => return Cut::Short,
            Some(flags) if flags & !NEEDS_ANSWER != VERSION => return noise,
            Some(_) => {}
        }
        let size = len + CHECK_BYTES;
        let Some(whole) = bytes.get(..size) else { return Cut::Short };
        // Over a whole frame with its check the CRC is 0.
        match (crc16_xmodem(whole), whole) {
            (0, &[_, _, flags, kind, number, ref data @ .., _, _]) => {
                let needs_answer = flags & NEEDS_ANSWER != 0;
                Cut::Whole(Frame { needs_answer, kind, number, data: data.to_vec() }, size)
            }
            _ => Cut::Bad(LineFault::BadCheck, usize::MAX),
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

    fn poll(number: u8) -> Frame {
        Frame { needs_answer: true, kind: POLL, number, data: Vec::new() }
    }

    #[test]
    fn a_frame_is_found_in_any_cut_and_after_noise() {
        let wanted = Frame { needs_answer: false, kind: INFO_RPT, number: 0xE7, data: vec![0xE7, 5, 3, 0xE7] };
        let noise: &[&[u8]] =
            &[&[], &[0x00, 0xFF], &[0xE7, 0x04], &[0xE7, 0x05, 0x04], &[0xE7, 0x05, 0x83, 3, 1, 0, 0]];
        for noise in noise {
            let bytes = [noise, wanted.bytes().as_slice()].concat();
            for cut in 0..=bytes.len() {
                let mut deframer = Deframer::default();
                deframer.push(BootMs(0), &bytes[..cut]);
                let mut found = all(&mut deframer);
                deframer.push(BootMs(5), &bytes[cut..]);
                found.extend(all(&mut deframer));
                let frames: Vec<_> = found.into_iter().flatten().collect();
                assert_eq!(frames, std::slice::from_ref(&wanted), "{noise:02X?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_false_len_costs_no_more_than_the_frames_of_its_own_burst() {
        for (late_ms, found) in [(FRAME_MS_MAX, vec![]), (FRAME_MS_MAX + 1, vec![Err(LineFault::Noise), Ok(poll(9))])] {
            let mut deframer = Deframer::default();
            deframer.push(BootMs(0), &[0xE7, 0xFF, 0x83]);
            assert_eq!(all(&mut deframer), []);
            deframer.push(BootMs(late_ms), &poll(9).bytes());
            assert_eq!(all(&mut deframer), found, "{late_ms}");
        }
    }

    #[test]
    fn data_that_len_cannot_count_is_cut_off() {
        let long = Frame { needs_answer: false, kind: INFO_RPT, number: 1, data: vec![7; 300] };
        let mut deframer = Deframer::default();
        deframer.push(BootMs(0), &long.bytes());
        let wanted = Frame { data: vec![7; DATA_BYTES_MAX], ..long };
        assert_eq!(all(&mut deframer), [Ok(wanted)]);
    }
}
