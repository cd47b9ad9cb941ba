//! `tcn-00ff`.

use super::Script;
use super::line::{Family, Line, profile_of};
use std::sync::LazyLock;
use vend::board::driver::{Address, Driver, Finding, FloorType, MotorCommand, Output, Reference, Slot, Written};
use vend::board::frame::sum8;
use vend::board::profile::Profile;
use vend::board::tcn_00ff::{REPLY_FAULT, REPLY_OK, SLOT_MAX, Tcn00ff, reply};
use vend::order::time::BootMs;

static PROFILE: LazyLock<Profile> = LazyLock::new(|| profile_of("tcn-00ff", true));

/// Frames and driver of the TCN boards.
pub fn tcn_00ff(data: &[u8]) {
    let mut script = Script(data);
    if script.byte() & 1 == 1 {
        Line::play::<Tcn00ff>(&PROFILE, &mut script);
    } else {
        after_noise(&mut script);
    }
}

impl Family for Tcn00ff {
    // The board holds nothing.
    const SILENT_WHILE_HELD: bool = false;

    fn board_frame(script: &mut Script, profile: &Profile) -> Vec<u8> {
        let kind = script.byte();
        let board = profile.addresses.first_on_wire.wrapping_add(kind & 7);
        let (error, delivered) = (script.byte(), script.byte());
        reply(board, kind & 0x10 == 0, error, delivered).to_vec()
    }

    fn turns_motor(bytes: &[u8], _: &Profile) -> Option<bool> {
        let [a, not_a, b, not_b, c, not_c] = *bytes else { return None };
        (a == !not_a && b == !not_b && c == !not_c).then_some((1..=SLOT_MAX).contains(&b))
    }
}

/// A reply is understood after any noise in which no reply hides, in any cut.
fn after_noise(script: &mut Script) {
    let (error, delivered, cut) = (script.byte(), script.byte(), script.byte());
    let noise = script.rest();
    let wanted = reply(PROFILE.addresses.first_on_wire, true, error, delivered);
    let said = [noise, &wanted].concat();
    let is_reply = |w: &[u8]| [REPLY_OK, REPLY_FAULT].contains(&w[1]) && sum8(&w[..4]) == w[4];
    if said.windows(5).take(noise.len()).any(is_reply) {
        return;
    }
    let mut driver = Tcn00ff::new(&PROFILE);
    driver.opened(BootMs(0));
    let command = MotorCommand {
        address: Address::new(1).expect("1 is one"),
        slot: Slot(1),
        floor_type: FloorType::Spring,
        lift: false,
        drop_check: true,
    };
    driver.drive(BootMs(0), &command, &Reference::default());
    driver.motor_written(BootMs(0), Written::All);
    for part in said.chunks(usize::from(cut).max(1)) {
        driver.received(BootMs(5), BootMs(5), part);
    }
    let outcomes = std::iter::from_fn(|| driver.next_output())
        .filter(|output| matches!(output, Output::Finding(Finding::Outcome(_))))
        .count();
    assert_eq!(outcomes, 1, "{said:02x?} in parts of {cut}");
}
