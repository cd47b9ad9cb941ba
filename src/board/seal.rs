//! The check of a frame that a person typed, as the board's family makes it.

use super::frame::{crc16_modbus, crc16_xmodem, sum8, xor8};
use super::profile::{Family, Profile};

/// Bytes before which ff0055 does not count.
const FF0055_HEAD_BYTES: usize = 2;

/// The frame with its check: `body` is everything before it. Of tcn-00ff, whose check is the complement after each byte,
/// the body is board, command and parameter.
#[must_use]
pub fn sealed(profile: &Profile, body: &[u8]) -> Vec<u8> {
    let ended = |check: &[u8]| [body, check].concat();
    match profile.family {
        Family::UlingModbus | Family::Adh => ended(&crc16_modbus(body).to_le_bytes()),
        // The check covers the suffix too, which is not sent.
        Family::M102 => {
            let suffix = profile.options.crc_suffix.as_deref().unwrap_or_default().as_bytes();
            ended(&crc16_modbus(&[body, suffix].concat()).to_le_bytes())
        }
        Family::LiftC7 | Family::UboxE7 => ended(&crc16_xmodem(body).to_be_bytes()),
        Family::ColEd | Family::Lock8a | Family::Vendapin | Family::Vmc96 | Family::XyV3 => ended(&[xor8(body)]),
        Family::LockCu => ended(&[sum8(body)]),
        Family::Ff0055 => ended(&[sum8(body.get(FF0055_HEAD_BYTES..).unwrap_or_default())]),
        Family::Tcn00ff => body.iter().flat_map(|byte| [*byte, !*byte]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::driver::{Output, Written};
    use crate::board::driver_for;
    use crate::order::time::BootMs;
    use crate::sim::board::emulator_for;
    use crate::sim::board::fault::Faults;

    /// What the driver says first on a line with its board.
    fn first_frames(profile: &Profile) -> Vec<Vec<u8>> {
        let mut driver = driver_for(profile);
        let mut board = emulator_for(profile, 300, Faults::new([]));
        let (mut frames, mut now) = (Vec::new(), BootMs(10_000));
        driver.opened(now);
        for _ in 0..4_000 {
            while let Some(output) = driver.next_output() {
                if let Output::Write(write) = output {
                    if write.motor {
                        driver.motor_written(now, Written::All);
                    }
                    board.received(now, &write.bytes);
                    frames.push(write.bytes);
                }
            }
            while let Some(bytes) = board.next_output() {
                driver.received(now, now, &bytes);
            }
            now = now.plus_ms(5);
            if driver.deadline().is_some_and(|at| at <= now) {
                driver.wake(now);
            }
            if board.deadline().is_some_and(|at| at <= now) {
                board.wake(now);
            }
        }
        frames
    }

    #[test]
    fn a_frame_without_its_check_is_completed_to_what_the_driver_of_every_built_in_board_says() {
        for (name, text) in Profile::built_in() {
            let profile = Profile::parse(name, text).unwrap();
            let frames = first_frames(&profile);
            assert!(!frames.is_empty() || profile.family == Family::Tcn00ff, "{name}: the driver says nothing");
            for frame in frames {
                let body = match profile.family {
                    Family::Tcn00ff => frame.iter().copied().step_by(2).collect(),
                    Family::ColEd
                    | Family::Lock8a
                    | Family::Vendapin
                    | Family::Vmc96
                    | Family::XyV3
                    | Family::LockCu
                    | Family::Ff0055 => frame[..frame.len() - 1].to_vec(),
                    _ => frame[..frame.len() - 2].to_vec(),
                };
                assert_eq!(sealed(&profile, &body), frame, "{name}");
            }
        }
        let (name, text) = Profile::built_in().into_iter().find(|(name, _)| *name == "tcn-00ff").unwrap();
        let tcn = Profile::parse(name, text).unwrap();
        assert_eq!(sealed(&tcn, &[0, 5, 0xAA]), crate::board::tcn_00ff::request(0, 5, 0xAA));
    }
}
