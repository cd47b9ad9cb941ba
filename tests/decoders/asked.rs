//! The families whose board says what is: `m102`, `lock-8a`, `lock-cu`, `vendapin` and `vmc96`.

use super::line::{Family, Line, profile_of};
use super::{Script, one_byte_changed};
use std::sync::LazyLock;
use vend::board::driver::{Address, FloorType, LineState, MotorCommand, Output, Slot};
use vend::board::driver_for;
use vend::board::frame::{sum8, xor8};
use vend::board::lock_8a::{self, Lock8aWords};
use vend::board::lock_cu::{self, LockCuWords};
use vend::board::m102::{self, M102Words};
use vend::board::profile::{Profile, ShortWhen};
use vend::board::protocol::{Fit, Turn};
use vend::board::service::Service;
use vend::board::vendapin::{self, VendapinWords};
use vend::board::vmc96::{self, Vmc96Words};
use vend::board::words::{Answer, Question, Words};
use vend::order::time::BootMs;

/// No frame of these families is longer.
const FRAME_BYTES_MAX: usize = 40;

static M102: LazyLock<[Profile; 4]> = LazyLock::new(|| {
    [(false, false), (true, false), (false, true), (true, true)].map(|(remembers, has_suffix)| {
        let mut profile = profile_of("m102", remembers);
        profile.options.crc_suffix = has_suffix.then(|| "-made up-".to_owned());
        profile
    })
});
static LOCK_8A: LazyLock<[Profile; 2]> = LazyLock::new(|| [false, true].map(|known| few_locks("lock-8a", known)));
static LOCK_CU: LazyLock<[Profile; 2]> = LazyLock::new(|| [false, true].map(|known| profile_of("lock-cu", known)));
static VENDAPIN: LazyLock<[Profile; 2]> = LazyLock::new(|| [false, true].map(|known| profile_of("vendapin", known)));
static VMC96: LazyLock<Profile> = LazyLock::new(|| profile_of("vmc96", true));

/// Frames, wire and driver of the M102 boards, with a suffix and without.
pub fn m102(data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    let profile = &M102[usize::from(mode >> 1) % M102.len()];
    if mode & 1 == 1 {
        Line::play::<M102Words>(profile, &mut script);
    } else {
        wire::<M102Words>(profile, &mut script);
    }
}

/// Frames, wire and driver of the `8A … 11 XOR` lock boards.
pub fn lock_8a(data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    let profile = &LOCK_8A[usize::from(mode & 2 == 0)];
    if mode & 1 == 1 {
        Line::play::<Lock8aWords>(profile, &mut script);
    } else {
        wire::<Lock8aWords>(profile, &mut script);
    }
}

/// Frames, wire and driver of the Kerong lock boards.
pub fn lock_cu(data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    let profile = &LOCK_CU[usize::from(mode & 2 == 0)];
    if mode & 1 == 1 {
        Line::play::<LockCuWords>(profile, &mut script);
    } else {
        wire::<LockCuWords>(profile, &mut script);
    }
}

/// Frames, wire and driver of the Vendapin dispensers.
pub fn vendapin(data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    let profile = &VENDAPIN[usize::from(mode & 2 == 0)];
    if mode & 1 == 1 {
        Line::play::<VendapinWords>(profile, &mut script);
    } else {
        wire::<VendapinWords>(profile, &mut script);
    }
}

/// Frames, wire and driver of the VMC96 boards.
pub fn vmc96(data: &[u8]) {
    let mut script = Script(data);
    if script.byte() & 1 == 1 {
        Line::play::<Vmc96Words>(&VMC96, &mut script);
    } else {
        wire::<Vmc96Words>(&VMC96, &mut script);
    }
}

/// A cabinet of which a short script can tell every latch.
fn few_locks(name: &str, remembers: bool) -> Profile {
    let mut profile = profile_of(name, remembers);
    profile.slots.last = profile.slots.first + 1;
    profile
}

/// What these families add.
trait Pictures: Words + Family {
    /// What a board at rest answers to its [`Words::look_parts`] questions, in their order.
    fn at_rest(profile: &Profile) -> Vec<Vec<u8>>;
}

impl Family for M102Words {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, profile: &Profile) -> Vec<u8> {
        let kind = script.byte();
        let from = profile.addresses.first_on_wire.wrapping_add(kind >> 5);
        let function = match kind & 7 {
            0..=3 => m102::POLL,
            4 => m102::RUN,
            5 => m102::ID,
            _ => script.byte(),
        };
        let data = match function {
            m102::POLL => [&[script.byte() % 4, script.byte() % 8, script.byte() % 6][..], script.take(7)].concat(),
            m102::RUN => vec![script.byte() % 4],
            _ => script.take(m102::DATA_BYTES).to_vec(),
        };
        let suffix = if kind & 8 == 0 { None } else { profile.options.crc_suffix.as_deref() };
        m102::frame(from, function, &data, suffix.unwrap_or_default().as_bytes())
    }

    fn turns_motor(bytes: &[u8], profile: &Profile) -> Option<bool> {
        let suffix = profile.options.crc_suffix.as_deref().unwrap_or_default();
        let sealed = m102::is_sealed(bytes, &[]) || m102::is_sealed(bytes, suffix.as_bytes());
        let known = [m102::ID, m102::POLL, m102::SCAN, m102::RUN, m102::TEMPERATURE, m102::OUTPUT, m102::HUMIDITY];
        bytes.get(1).filter(|function| sealed && known.contains(function)).map(|&function| function == m102::RUN)
    }
}

impl Pictures for M102Words {
    fn at_rest(profile: &Profile) -> Vec<Vec<u8>> {
        vec![m102::frame(profile.addresses.first_on_wire, m102::POLL, &[m102::IDLE], &[])]
    }
}

impl Family for Lock8aWords {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, profile: &Profile) -> Vec<u8> {
        let (kind, lock) = (script.byte(), script.byte());
        let from = profile.addresses.first_on_wire.wrapping_add(kind >> 5);
        let contact = if lock & 0x80 == 0 { lock_8a::CONTACT_OPEN } else { lock_8a::CONTACT_CLOSED };
        let first = [lock_8a::STATE, lock_8a::STATE, lock_8a::OPEN, lock_8a::MOVED][usize::from(kind) % 4];
        lock_8a::frame(first, from, lock & 3, contact).to_vec()
    }

    fn turns_motor(bytes: &[u8], profile: &Profile) -> Option<bool> {
        let [kind, board, lock, last, check] = *bytes else { return None };
        let opens = (kind, last) == (lock_8a::OPEN, lock_8a::OPEN_MARK);
        let known = opens || (kind, last) == (lock_8a::STATE, lock_8a::STATE_MARK);
        // Lock 0 means all of them: to ask for them is harmless, to open them is not.
        let may_be_meant = !opens || profile.has_slot(Slot(lock.into()));
        (known && may_be_meant && xor8(&[kind, board, lock, last]) == check).then_some(opens)
    }
}

impl Pictures for Lock8aWords {
    fn at_rest(profile: &Profile) -> Vec<Vec<u8>> {
        let contact = match profile.options.short_when {
            Some(ShortWhen::Open) => lock_8a::CONTACT_OPEN,
            _ => lock_8a::CONTACT_CLOSED,
        };
        let locks = (profile.slots.first..=profile.slots.last).filter_map(|lock| u8::try_from(lock).ok());
        let board = profile.addresses.first_on_wire;
        locks.map(|lock| lock_8a::frame(lock_8a::STATE, board, lock, contact).to_vec()).collect()
    }
}

impl Family for LockCuWords {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, profile: &Profile) -> Vec<u8> {
        let kind = script.byte();
        let from = profile.addresses.first_on_wire.wrapping_add(kind >> 5);
        let command = if kind & 7 == 7 { script.byte() } else { lock_cu::STATE_REPLY };
        // Latches 0 to 7 move; the others are shut.
        let data = [script.byte(), 0xFF, script.byte(), script.byte()];
        lock_cu::frame(from, 0, command, if command == lock_cu::STATE_REPLY { &data } else { &[] })
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        let [lock_cu::START, address, command @ (lock_cu::STATE | lock_cu::UNLOCK), lock_cu::END, check] = *bytes
        else {
            return None;
        };
        let good = address >> 4 <= lock_cu::BOARD_MAX && sum8(&bytes[..4]) == check;
        good.then_some(command == lock_cu::UNLOCK)
    }
}

impl Pictures for LockCuWords {
    fn at_rest(profile: &Profile) -> Vec<Vec<u8>> {
        vec![lock_cu::frame(profile.addresses.first_on_wire, 0, lock_cu::STATE_REPLY, &[0xFF, 0xFF, 0, 0])]
    }
}

impl Family for VendapinWords {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, profile: &Profile) -> Vec<u8> {
        let kind = script.byte();
        let from = profile.addresses.first_on_wire;
        match kind & 7 {
            0 | 1 => {
                vendapin::frame(from, if kind & 8 == 0 { vendapin::ACK } else { vendapin::NAK }, &[b'0' + (kind >> 5)])
            }
            2..=4 => vendapin::frame(from, vendapin::ACK, &[0, 0, script.byte() % 2, script.byte()]),
            5 => vendapin::frame(from, vendapin::ACK, &[]),
            6 => vendapin::BANNER.to_vec(),
            _ => vendapin::frame(from, script.byte(), script.take(usize::from(kind >> 4))),
        }
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        let [vendapin::START, _, command @ vendapin::DISPENSE..=vendapin::COUNT, 0, vendapin::END, _] = *bytes else {
            return None;
        };
        (xor8(bytes) == 0).then_some(command == vendapin::DISPENSE)
    }
}

impl Pictures for VendapinWords {
    fn at_rest(profile: &Profile) -> Vec<Vec<u8>> {
        let yes = |data: &[u8]| vendapin::frame(profile.addresses.first_on_wire, vendapin::ACK, data);
        vec![yes(&[vendapin::READY]), yes(&[0, 0, 1, 0])]
    }
}

impl Family for Vmc96Words {
    const SILENT_WHILE_HELD: bool = true;

    fn board_frame(script: &mut Script, _: &Profile) -> Vec<u8> {
        let kind = script.byte();
        let data = match kind & 7 {
            0 | 1 => vec![vmc96::DONE],
            2 | 3 => [&[vmc96::STATUS, kind & 0xF0][..], script.piece().get(..2).unwrap_or_default()].concat(),
            4 | 5 => vec![vmc96::CURTAIN, 0, script.byte() & 1, 0, 0],
            6 => [&[vmc96::VERSION][..], script.take(usize::from(kind >> 3))].concat(),
            _ => script.take(1 + usize::from(kind >> 3)).to_vec(),
        };
        vmc96::frame(if kind == 0xFF { script.byte() } else { vmc96::MOTORS }, &data)
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        let [vmc96::START, controller, len, command, ..] = *bytes else { return None };
        let known = match controller {
            vmc96::MOTORS => {
                // The scan of the motors is not among them: it may move them for all that the sources say.
                [vmc96::PING, vmc96::VERSION, vmc96::STATUS, vmc96::STOP, vmc96::RUN, vmc96::CURTAIN].contains(&command)
            }
            relay => vmc96::RELAYS.contains(&relay) && command == vmc96::SWITCH,
        };
        let is_good = known && xor8(bytes) == 0 && usize::from(len) == bytes.len();
        is_good.then_some(command == vmc96::RUN)
    }
}

impl Pictures for Vmc96Words {
    fn at_rest(_: &Profile) -> Vec<Vec<u8>> {
        let told: [&[u8]; 3] = [&[vmc96::DONE], &[vmc96::STATUS, 0], &[vmc96::CURTAIN, 0, 0, 0, 0]];
        told.map(|data| vmc96::frame(vmc96::MOTORS, data)).to_vec()
    }
}

/// What must hold of single frames and of frames in noise.
fn wire<W: Pictures>(profile: &Profile, script: &mut Script) {
    let mut profile = profile.clone();
    profile.addresses.count = 1;
    let words = W::new(&profile);
    let slot = script.byte();
    let frame = W::board_frame(script, &profile);
    let other = one_byte_changed(&frame, script);
    let noise = script.rest();

    // A frame stays what it is whatever follows, and a changed byte is noticed.
    let fit = words.fit(&frame);
    assert_eq!(words.fit(&[&frame[..], noise].concat()), fit);
    if fit == Fit::Whole(frame.len()) {
        assert_ne!(words.fit(&other), fit, "{other:02x?}");
    }

    // What is called a frame is one: short, and the same without what follows it.
    for at in 0..noise.len() {
        if let Fit::Whole(len) = words.fit(&noise[at..]) {
            let found = &noise[at..at + len];
            assert!((1..=FRAME_BYTES_MAX).contains(&len), "{found:02x?}");
            assert_eq!(words.fit(found), Fit::Whole(len));
            answers(&profile, &words, slot, found);
        }
    }
    answers(&profile, &words, slot, &frame);
    after_noise::<W>(&profile, noise);
}

/// An answer is one to its question only.
fn answers<W: Pictures>(profile: &Profile, words: &W, slot: u8, frame: &[u8]) {
    let address = Address::new(1).expect("1 is one");
    let wire_address = profile.wire_address(address);
    let reply = |question| words.reply(wire_address, &question, frame);
    let slot_number = Slot(slot.into());
    let command = MotorCommand {
        address,
        slot: slot_number,
        floor_type: FloorType::Spring,
        lift: false,
        drop_check: slot & 1 == 1,
    };
    let turn = Turn { slot, command };
    for question in [Question::Look(0), Question::Look(words.look_parts() - 1), Question::Follow(turn, 0)] {
        if let Some(answer) = reply(question) {
            let Answer::Look(part) = answer else { panic!("no picture for {question:?}") };
            let mut look = W::Look::default();
            words.absorb(&mut look, part);
            let kept = words.keep(&look, &turn);
            assert!(kept.len() <= vend::board::words::KEPT_BYTES_MAX, "{kept:02x?}");
            let again = words.kept(&kept, &turn).map(|look| words.keep(&look, &turn));
            assert!(again.is_none_or(|again| again == kept), "{kept:02x?} is kept as something else");
        }
    }
    for part in 0..W::IDENTITY_PARTS {
        assert!(matches!(reply(Question::Identity(part)), None | Some(Answer::Identity(_))));
    }
    let driven = reply(Question::Drive(turn));
    assert!(matches!(driven, None | Some(Answer::Taken | Answer::Refused(_) | Answer::Unclear)));
    for service in [Service::SlotState { address, slot: slot_number }, Service::Climate { address }] {
        if words.serves(&service) {
            for part in 0..words.service_parts(&service) {
                let served = reply(Question::Service(service, part));
                assert!(matches!(served, None | Some(Answer::Reading(_) | Answer::Refused(_))));
            }
        }
    }
}

/// A board at rest is understood after any noise in which no frame hides, in any cut.
fn after_noise<W: Pictures>(profile: &Profile, noise: &[u8]) {
    let words = W::new(profile);
    let replies = W::at_rest(profile);
    let first = [noise, replies.first().expect("a picture has parts")].concat();
    if (0..noise.len()).any(|at| matches!(words.fit(&first[at..]), Fit::Whole(_))) {
        return;
    }
    let mut driver = driver_for(profile);
    driver.opened(BootMs(0));
    let mut now = BootMs(0);
    for said in std::iter::once(&first).chain(&replies[1..]) {
        while !std::iter::from_fn(|| driver.next_output()).any(|output| matches!(output, Output::Write(_))) {
            now = driver.deadline().expect("the board is asked").max(now);
            driver.wake(now);
        }
        let cut = noise.first().map_or(said.len(), |&byte| usize::from(byte).max(1));
        for part in said.chunks(cut) {
            driver.received(now, now, part);
        }
    }
    assert_eq!(driver.state(), LineState::Idle, "{first:02x?}");
}
