//! What an operator writes: the configuration file, a board's profile, credentials.

use super::Script;
use std::collections::BTreeSet;
use std::path::Path;
use vend::board::driver::{Address, FloorType, LineState, MotorCommand, Slot};
use vend::board::driver_for;
use vend::board::profile::{Profile, ProfileError};
use vend::config::Config;
use vend::config::credentials::{CredentialFault, SECRET_BYTES_MAX, Secret};
use vend::config::problem::ConfigError;
use vend::order::time::BootMs;

/// Nothing is here, so that no path of a configuration leads to a file.
const NOWHERE: &str = "/nowhere/vend.toml";

/// Any text as a configuration. Texts that name real places are left out: they may be devices without end.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(table) = text.trim_start_matches('\u{feff}').parse::<toml::Table>()
        && leads_somewhere(&toml::Value::Table(table))
    {
        return;
    }
    match Config::parse(Path::new(NOWHERE), text) {
        Ok(loaded) => {
            let effective = loaded.effective.to_toml().expect("the text was UTF-8");
            let again = Config::parse(Path::new(NOWHERE), &effective).expect("what is in force can be written");
            assert_eq!(again.config, loaded.config, "{effective}");
            assert_eq!(again.effective.to_toml().expect("as before"), effective);
        }
        Err(error @ ConfigError::Read { .. }) => panic!("{error}"),
        Err(ConfigError::Wrong { path, problems }) => {
            assert!(!problems.is_empty(), "refused without a reason");
            let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
            for problem in &problems {
                let place = &problem.place;
                let line = lines.get(place.line - 1).unwrap_or_else(|| panic!("no line {}", place.line));
                let room = line.chars().count() + 1;
                assert!((1..=room).contains(&place.column), "column {} of {line:?}", place.column);
                assert!(place.carets >= 1, "nothing is marked");
                let (message, hint) = (problem.complaint.message(), problem.complaint.hint());
                for said in [message.en, message.zh, hint.en, hint.zh] {
                    assert!(!said.trim().is_empty(), "{problem:?}");
                }
            }
            let told = ConfigError::Wrong { path, problems }.to_string();
            assert!(told.contains(NOWHERE), "{told}");
        }
    }
}

/// Whether a text of the file is a path that leads out of nowhere.
fn leads_somewhere(value: &toml::Value) -> bool {
    match value {
        toml::Value::String(text) => text.starts_with('/') || text.contains(".."),
        toml::Value::Array(values) => values.iter().any(leads_somewhere),
        toml::Value::Table(table) => table.values().any(leads_somewhere),
        _ => false,
    }
}

/// Any text as a board's profile. One that is taken can be driven by.
pub fn board_profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let profile = match Profile::parse("x.toml", text) {
        Ok(profile) => profile,
        Err(error) => {
            assert!(matches!(error, ProfileError::Syntax { .. } | ProfileError::Value { .. }), "{error}");
            assert!(error.to_string().starts_with("x.toml:"), "{error}");
            return;
        }
    };
    let addresses: Vec<Address> = (1..=profile.addresses.count).filter_map(Address::new).collect();
    assert_eq!(addresses.len(), usize::from(profile.addresses.count));
    let on_wire: BTreeSet<u8> = addresses.iter().map(|&address| profile.wire_address(address)).collect();
    assert_eq!(on_wire.len(), addresses.len(), "two addresses are one board on the wire");
    for &address in &addresses {
        assert_eq!(profile.address_of(profile.wire_address(address)), Some(address));
    }
    let known = (0..=u8::MAX).filter(|&code| profile.evidence_of(code).is_some()).count();
    assert_eq!(known, profile.outcomes.len(), "two entries for one code");
    let mut slots = 0;
    for slot in profile.slots.all() {
        let code = profile.slots.code_of(slot).expect("every slot has a code");
        assert_eq!(profile.slots.slot_of(code), Some(slot), "code {code} means another slot");
        slots += 1;
    }
    assert!(slots > 0, "a board without slots");
    drive(&profile);
}

/// A short conversation with every kind of byte: no time or number of the profile may break the driver's arithmetic.
fn drive(profile: &Profile) {
    let mut driver = driver_for(profile);
    let mut now = BootMs(5_000);
    driver.opened(now);
    let address = Address::new(1).expect("1 is one");
    let command = MotorCommand {
        address,
        slot: Slot(profile.slots.last),
        floor_type: FloorType::Spring,
        lift: false,
        drop_check: true,
    };
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    for _ in 0..8 {
        while driver.next_output().is_some() {}
        driver.received(now, now, &every_byte);
        if driver.state() == LineState::Idle {
            let reference = driver.reference(&command);
            driver.drive(now, &command, &reference);
        }
        if let Some(due) = driver.deadline() {
            assert!(due.since_ms(now) < 86_400_000, "asleep for more than a day");
            now = now.max(due);
        }
        driver.wake(now);
    }
}

/// Any bytes as the file of a secret.
pub fn credentials(data: &[u8]) {
    let mut script = Script(data);
    let mut bytes = script.piece().repeat(usize::from(script.byte() % 64).max(1));
    bytes.extend(script.rest());
    match Secret::of_file(&bytes) {
        Ok(secret) => {
            let text = secret.reveal();
            assert!(!text.is_empty() && bytes.starts_with(text.as_bytes()));
            assert!(["", "\n", "\r\n", "\r"].map(str::as_bytes).contains(&&bytes[text.len()..]));
            assert!(text.chars().all(|c| !c.is_control()));
            for shown in [format!("{secret}"), format!("{secret:?}")] {
                assert!(text.chars().count() < 3 || !shown.contains(text) || "Secret(…)".contains(text), "{shown}");
            }
            assert!(Secret::of_file(text.as_bytes()).is_ok_and(|again| again == secret));
        }
        Err(fault) => {
            assert_eq!(matches!(fault, CredentialFault::TooLong), bytes.len() as u64 > SECRET_BYTES_MAX);
            assert!(!fault.text().en.is_empty() && !fault.text().zh.is_empty());
        }
    }
}
