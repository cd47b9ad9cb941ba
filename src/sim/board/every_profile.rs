//! Every profile of `boards/` against its own emulated board, from the platform's code to the motor: what a new file
//! there is tried with, without a line of Rust.

use super::duel::Duel;
use super::fault::Faults;
use super::{Emulator, emulator_for};
use crate::board::driver::{MotorCommand, Slot};
use crate::board::profile::{Family, Profile};
use crate::cloud::device::{PUT_METHOD, decode};
use crate::cloud::envelope;
use crate::cloud::inbound::Inbound;
use crate::cloud::sign::SigningKey;
use crate::order::command::Put;
use crate::order::key::MachineNo;
use crate::order::outcome::{DropSensor, Evidence, Reason, UnitOutcome};

/// Shorter than any profile's longest vend.
const TURN_MS: u64 = 1_000;

fn profiles() -> Vec<Profile> {
    Profile::built_in().into_iter().map(|(name, text)| Profile::parse(name, text).unwrap()).collect()
}

/// The platform's command for one unit, as the agent reads it.
fn put(profile: &Profile, code: u16, address: u8) -> Put {
    let key = SigningKey::new("kva").unwrap();
    let machine_no = MachineNo::parse("16327129").unwrap();
    let fields = [
        ("method", PUT_METHOD.to_owned()),
        ("timestamp", "1714373688".to_owned()),
        ("client_id", "16327129".to_owned()),
        ("order_id", "60".to_owned()),
        ("record_id", "78".to_owned()),
        ("code", code.to_string()),
        ("addr", address.to_string()),
    ];
    let payload = envelope::seal(fields.map(|(name, value)| (name, value.into())), &key);
    match decode(&payload, &machine_no, &key, profile) {
        Ok(Inbound::Put(put)) => put,
        other => panic!("{}: {other:?}", profile.name),
    }
}

fn motor_command(profile: &Profile, code: u16, address: u8) -> MotorCommand {
    let turns = put(profile, code, address).turns.unwrap_or_else(|reason| panic!("code {code}: {reason:?}"));
    MotorCommand {
        address: turns.address,
        slot: turns.slot,
        floor_type: turns.floor_type,
        lift: turns.lift,
        drop_check: turns.drop_check,
    }
}

/// Vends once; gives back the slot that turned and what the board said.
fn vend(profile: &Profile, code: u16, address: u8) -> (Slot, Evidence) {
    let command = motor_command(profile, code, address);
    let mut duel = Duel::new(profile, emulator_for(profile, TURN_MS, Faults::default()));
    duel.drive_this(&command);
    // Where only the end of the longest vend proves anything, the outcome comes then, and is journaled.
    duel.until(profile.timing.longest_vend_ms + 1_000, "the end of a vend", |d| d.intents[0].is_resolved());
    let [turn] = duel.board.turns() else { panic!("{}: {:?}", profile.name, duel.board.turns()) };
    assert_eq!(turn.wire_address, profile.wire_address(command.address), "{}", profile.name);
    let evidence = duel.intents[0].outcome.unwrap_or_else(|| panic!("{}: {:?}", profile.name, duel.findings));
    (Slot(turn.slot), evidence)
}

#[test]
fn every_profile_dispenses_its_first_and_its_last_slot_at_its_first_and_its_last_address() {
    for profile in profiles() {
        let (first, last) = (profile.slots.all().next().unwrap(), profile.slots.all().next_back().unwrap());
        for (slot, address) in
            [(first, 1), (last, 1), (first, profile.addresses.count), (last, profile.addresses.count)]
        {
            let code = profile.slots.code_of(slot).unwrap();
            let (turned, evidence) = vend(&profile, code, address);
            assert_eq!(turned, slot, "{}", profile.name);
            let is_dispensed = UnitOutcome::from_evidence(evidence).is_dispensed();
            assert!(is_dispensed, "{} slot {slot:?}: {evidence:?}", profile.name);
            let is_seen = evidence.drop_sensor == DropSensor::Seen;
            assert!(is_seen || !profile.defaults.drop_check, "{}: {evidence:?}", profile.name);
        }
    }
}

/// How long the disk takes: longer than most boards wait for an answer.
const DISK_MS: u64 = 900;

/// Rests, vends, rests. Wherever the driver calls the line silent, the host waits for its disk, if it does. Gives back how
/// often that was.
fn rest_vend_rest(profile: &Profile, waits_for_the_disk: bool) -> (Duel<Box<dyn Emulator>>, u32) {
    let slot = profile.slots.all().next().unwrap();
    let command = motor_command(profile, profile.slots.code_of(slot).unwrap(), 1);
    let mut duel = Duel::new(profile, emulator_for(profile, TURN_MS, Faults::default()));
    let mut silences = 0;
    for is_vend in [false, true] {
        if is_vend {
            duel.drive_this(&command);
        }
        let until = duel.now.plus_ms(profile.timing.longest_vend_ms + 10_000);
        while duel.now < until {
            match duel.is_silent() {
                true if waits_for_the_disk => duel.wait_for_the_disk(DISK_MS),
                _ if duel.is_at_rest() => break,
                _ => duel.tick(),
            }
            silences += u32::from(duel.is_silent());
        }
    }
    (duel, silences)
}

#[test]
fn rule_22_while_the_line_is_silent_the_disk_may_be_waited_for_and_no_board_that_polls_is_ever_silent() {
    for profile in profiles() {
        let (undisturbed, _) = rest_vend_rest(&profile, false);
        let (duel, silences) = rest_vend_rest(&profile, true);
        assert_eq!(duel.findings, undisturbed.findings, "{}", profile.name);
        assert!(duel.intents[0].outcome.is_some(), "{}: {:?}", profile.name, duel.findings);
        assert_eq!(duel.board.turns().len(), 1, "{}", profile.name);
        let polls = matches!(profile.family, Family::XyV3 | Family::UboxE7);
        assert_eq!(silences == 0, polls, "{}: silent {silences} times", profile.name);
    }
}

#[test]
fn no_profile_turns_what_is_not_in_its_slot_map() {
    for profile in profiles() {
        let codes: Vec<u16> = profile.slots.all().filter_map(|slot| profile.slots.code_of(slot)).collect();
        let (lowest, highest) = (*codes.iter().min().unwrap(), *codes.iter().max().unwrap());
        let holes = (lowest..=highest).filter(|code| !codes.contains(code));
        let outside = lowest.checked_sub(1).into_iter().chain([highest + 1]);
        // With addr the hundreds of a code name the board.
        let outside = outside.filter(|code| *code < 100 || !profile.slots.hundred_an_address);
        for code in holes.chain(outside) {
            assert_eq!(put(&profile, code, 1).turns, Err(Reason::Slot), "{} code {code}", profile.name);
        }
        for gap in &profile.slots.gaps {
            assert!(!profile.has_slot(Slot(*gap)), "{} slot {gap}", profile.name);
        }
        let beyond = put(&profile, lowest, profile.addresses.count + 1).turns;
        assert!(beyond.is_err(), "{} has a board too many", profile.name);
    }
}

#[test]
fn there_are_sixteen_profiles_and_each_is_a_board_of_its_own() {
    let profiles = profiles();
    assert!(profiles.len() >= 16, "{}", profiles.len());
    for (n, one) in profiles.iter().enumerate() {
        for other in &profiles[n + 1..] {
            assert_ne!(one.title, other.title);
            let as_other = Profile { name: other.name.clone(), title: other.title.clone(), ..one.clone() };
            let same_vendor_line = ["m102", "m109e", "mp2404"].contains(&one.name.as_str());
            assert!(as_other != *other || same_vendor_line, "{} and {} are one board", one.name, other.name);
        }
    }
}

/// What the guide shows is what a newcomer copies.
#[test]
fn the_example_of_the_guide_is_a_profile_that_vends() {
    let guide = include_str!("../../../boards/README.md");
    let blocks: Vec<&str> = guide.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let example = blocks.iter().find(|block| block.contains("family = ")).expect("an example in the guide");
    let profile = Profile::parse("boards/README.md", example).unwrap();
    for (code, slot) in [(11, 0), (18, 7), (21, 10), (68, 57)] {
        assert_eq!(vend(&profile, code, 1).0, Slot(slot), "code {code}");
    }
    for code in [10, 19, 61, 69] {
        assert_eq!(put(&profile, code, 1).turns, Err(Reason::Slot), "code {code}");
    }
}
