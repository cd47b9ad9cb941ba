//! Boards: a profile (data, `boards/*.toml`) plus one pure driver per protocol family.
//! Bytes and time in, bytes and findings out; no port and no clock.

pub mod asked;
pub mod deframer;
pub mod detect;
pub mod driver;
pub mod frame;
pub mod in_words;
pub mod meaning;
pub mod polled;
pub mod profile;
pub mod protocol;
pub mod seal;
pub mod service;
mod station;
pub mod talk;
pub mod words;

pub mod adh;
pub mod col_ed;
pub mod ff0055;
pub mod latch;
pub mod lift_c7;
pub mod lock_8a;
pub mod lock_cu;
pub mod m102;
pub mod tcn_00ff;
pub mod ubox_e7;
pub mod uling_modbus;
pub mod vendapin;
pub mod vmc96;
pub mod xy_v3;

use driver::Driver;
use profile::{Family, Profile};

/// The driver for a profile's family, before the port was opened.
#[must_use]
pub fn driver_for(profile: &Profile) -> Box<dyn Driver> {
    match profile.family {
        Family::UlingModbus => Box::new(uling_modbus::UlingModbus::new(profile)),
        Family::XyV3 => Box::new(xy_v3::XyV3::new(profile)),
        Family::Adh => Box::new(adh::Adh::new(profile)),
        Family::Tcn00ff => Box::new(tcn_00ff::Tcn00ff::new(profile)),
        Family::M102 => Box::new(m102::M102::new(profile)),
        Family::Lock8a => Box::new(lock_8a::Lock8a::new(profile)),
        Family::LockCu => Box::new(lock_cu::LockCu::new(profile)),
        Family::LiftC7 => Box::new(lift_c7::LiftC7::new(profile)),
        Family::ColEd => Box::new(col_ed::ColEd::new(profile)),
        Family::Ff0055 => Box::new(ff0055::Ff0055::new(profile)),
        Family::UboxE7 => Box::new(ubox_e7::UboxE7::new(profile)),
        Family::Vendapin => Box::new(vendapin::Vendapin::new(profile)),
        Family::Vmc96 => Box::new(vmc96::Vmc96::new(profile)),
    }
}
