//! The families whose host asks: `uling-modbus` and `adh`.

use super::line::{Family, Line, profile_of};
use super::{Script, one_byte_changed};
use std::sync::LazyLock;
use vend::board::adh::{self, AdhProtocol};
use vend::board::driver::{LineState, Output};
use vend::board::driver_for;
use vend::board::frame::crc16_modbus;
use vend::board::profile::{AdhVariant, Profile};
use vend::board::protocol::{Fit, Protocol, Reply, Request, Status, sealed};
use vend::board::uling_modbus::{self as modbus, Zdm8};
use vend::order::time::BootMs;

/// No frame of these families is longer.
const FRAME_BYTES_MAX: usize = 40;

static ULING: LazyLock<[Profile; 2]> = LazyLock::new(|| [false, true].map(|known| profile_of("uling-zdm8", known)));
static ADH_814: LazyLock<[Profile; 2]> = LazyLock::new(|| [false, true].map(|known| profile_of("adh814", known)));
static ADH_815: LazyLock<[Profile; 2]> = LazyLock::new(|| [false, true].map(|known| profile_of("adh815", known)));

/// Frames, wire and driver of the ZDM8 boards.
pub fn uling_modbus(data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    let profile = &ULING[usize::from(mode & 2 == 0)];
    if mode & 1 == 1 {
        Line::play::<Zdm8>(profile, &mut script);
    } else {
        wire::<Zdm8>(profile, &mut script);
    }
}

/// Frames, wire and driver of the ADH814 and ADH815.
pub fn adh(data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    let profiles = if mode & 4 == 0 { &ADH_814 } else { &ADH_815 };
    let profile = &profiles[usize::from(mode & 2 == 0)];
    if mode & 1 == 1 {
        Line::play::<AdhProtocol>(profile, &mut script);
    } else {
        wire::<AdhProtocol>(profile, &mut script);
    }
}

impl Family for Zdm8 {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, profile: &Profile) -> Vec<u8> {
        let kind = script.byte();
        let from = profile.addresses.first_on_wire.wrapping_add(kind >> 5);
        let [ship1, ship0] = modbus::SHIP.to_be_bytes();
        let mut bytes = vec![from];
        match kind & 7 {
            0 | 1 => bytes.extend([modbus::READ, 2, script.byte() % 5, script.byte()]),
            2 => bytes.extend([modbus::WRITE_MANY, ship1, ship0, 0, 2]),
            3 => bytes.extend([modbus::WRITE_MANY | modbus::EXCEPTION, script.byte() % 10]),
            4 => bytes.extend([&[modbus::READ, 4], script.take(4)].concat()),
            5 => bytes.extend([modbus::WRITE_ONE, script.byte(), script.byte(), script.byte(), script.byte()]),
            6 => bytes.extend([modbus::READ, 2, script.byte(), script.byte()]),
            _ => bytes.extend([modbus::READ | modbus::EXCEPTION, script.byte()]),
        }
        sealed(bytes)
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        let [_, function, r1, r0, ..] = *bytes else { return None };
        let ships = function == modbus::WRITE_MANY && u16::from_be_bytes([r1, r0]) == modbus::SHIP;
        let is_known = ships || [modbus::READ, modbus::WRITE_ONE].contains(&function);
        (crc16_modbus(bytes) == 0 && is_known).then_some(ships)
    }
}

impl Family for AdhProtocol {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, profile: &Profile) -> Vec<u8> {
        let kind = script.byte();
        let variant = profile.options.adh_variant.unwrap_or(AdhVariant::Adh815);
        let code = |code| adh::command(variant, code);
        let mut bytes = vec![if kind & 0x80 == 0 { 0 } else { script.byte() }];
        match kind & 7 {
            0..=2 => {
                bytes.extend([code(adh::POLL), script.byte() % 4, script.byte(), script.byte()]);
                bytes.extend([0, 0, 0, 0, 0, 0x19]);
            }
            3 => bytes.extend([code(adh::RUN), script.byte() % 5]),
            4 => bytes.push(code(adh::ACK)),
            5 => bytes.extend([code(adh::MODE), script.byte(), 0]),
            6 => {
                bytes[0] = 1 + (kind >> 5) % 4;
                bytes.push(code(adh::ID));
                bytes.extend(script.take(16));
            }
            _ => bytes.extend([code(adh::TEMPERATURE), script.byte(), 0, 5]),
        }
        sealed(bytes)
    }

    fn turns_motor(bytes: &[u8], profile: &Profile) -> Option<bool> {
        let variant = profile.options.adh_variant?;
        let known = [adh::ID, adh::POLL, adh::ACK, adh::MODE, adh::RUN, adh::TEMPERATURE]
            .map(|code| adh::command(variant, code));
        let &code = bytes.get(1)?;
        (crc16_modbus(bytes) == 0 && known.contains(&code)).then_some(code == adh::command(variant, adh::RUN))
    }
}

/// What must hold of single frames and of frames in noise.
fn wire<P: Protocol + Family>(profile: &Profile, script: &mut Script) {
    let mut profile = profile.clone();
    profile.addresses.count = 1;
    let protocol = P::new(&profile);
    let frame = P::board_frame(script, &profile);
    let other = one_byte_changed(&frame, script);
    let noise = script.rest();

    // A frame stays what it is whatever follows, and a changed byte is noticed: a CRC sees every burst of 16 bits.
    let fit = protocol.fit(&frame);
    assert_eq!(protocol.fit(&[&frame[..], noise].concat()), fit);
    // (Where no length is said, a check sum that ends in 0 is already right one byte before its end.)
    if fit == Fit::Whole(frame.len()) {
        let len = frame.len();
        assert_ne!(protocol.fit(&other), Fit::Whole(len), "{other:02x?}");
    }

    // What is called a frame is one: short, with a good check sum, and the same without what follows it.
    for at in 0..noise.len() {
        if let Fit::Whole(len) = protocol.fit(&noise[at..]) {
            let found = &noise[at..at + len];
            assert!(len <= FRAME_BYTES_MAX && crc16_modbus(found) == 0, "{found:02x?}");
            assert_eq!(protocol.fit(found), Fit::Whole(len));
            reply(&protocol, found);
        }
    }
    reply(&protocol, &frame);
    after_noise(&profile, &protocol, noise);
}

/// A reply is one to its question only.
fn reply<P: Protocol>(protocol: &P, frame: &[u8]) {
    let status = protocol.reply(1, &Request::Status, frame);
    assert!(matches!(status, None | Some(Reply::Status(_))), "{status:?}");
    if let Some(Reply::Status(Status::Finished(_, result))) = status {
        for drop_check in [false, true] {
            let _ = protocol.evidence(result, drop_check);
        }
    }
    let forgotten = protocol.reply(1, &Request::Forget, frame);
    assert!(matches!(forgotten, None | Some(Reply::Done)), "{forgotten:?}");
    let identity = protocol.reply(1, &Request::Identity(0), frame);
    assert!(matches!(identity, None | Some(Reply::Identity(_))), "{identity:?}");
}

/// A board that says it is idle is understood after any noise in which no frame hides, in any cut.
fn after_noise<P: Protocol>(profile: &Profile, protocol: &P, noise: &[u8]) {
    let mut driver = driver_for(profile);
    driver.opened(BootMs(0));
    let mut now = BootMs(0);
    while !std::iter::from_fn(|| driver.next_output()).any(|output| matches!(output, Output::Write(_))) {
        now = driver.deadline().expect("the board is asked").max(now);
        driver.wake(now);
    }
    let idle = idle_reply(profile);
    let said = [noise, &idle].concat();
    if (0..noise.len()).any(|at| matches!(protocol.fit(&said[at..]), Fit::Whole(_))) {
        return;
    }
    let cut = noise.first().map_or(said.len(), |&byte| usize::from(byte).max(1));
    for part in said.chunks(cut) {
        driver.received(now, now, part);
    }
    assert_eq!(driver.state(), LineState::Idle, "{said:02x?} in parts of {cut}");
}

fn idle_reply(profile: &Profile) -> Vec<u8> {
    match profile.options.adh_variant {
        None => sealed(vec![profile.addresses.first_on_wire, modbus::READ, 2, modbus::IDLE, 0]),
        Some(variant) => sealed(vec![0, adh::command(variant, adh::POLL), adh::IDLE, 0, 0, 0, 0, 0, 0, 0, 0x19]),
    }
}
