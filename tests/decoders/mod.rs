//! One function for each decoder that reads bytes from outside, with what must hold for every input. Fuzzing
//! (`tests/fuzz`) and the property tests (`tests/properties.rs`) call the same functions; they panic when a property
//! does not hold, and return otherwise.

mod asked;
mod cloud;
mod clouds;
mod config;
mod control;
mod easivend;
mod http;
mod journal;
mod line;
mod polled;
mod tcn_00ff;
mod ubox_e7;
mod xy_v3;

pub use asked::{lock_8a, lock_cu, m102, vendapin, vmc96};
pub use cloud::{device_message, envelope, platform_answer};
pub use clouds::{course_answer, mall_answer, songshu_message};
pub use config::{board_profile, configuration, credentials};
pub use control::control_request;
pub use easivend::{col_ed, ff0055, lift_c7};
pub use http::{http_answer, url};
pub use journal::{journal_lead, journal_record, journal_value, sale_record};
pub use polled::{adh, uling_modbus};
pub use tcn_00ff::tcn_00ff;
pub use ubox_e7::ubox_e7;
pub use xy_v3::xy_v3;

/// A decoder with its properties.
pub type Decoder = fn(&[u8]);

/// All of them, under the names of their fuzz targets and corpora.
pub const ALL: [(&str, Decoder); 29] = [
    ("uling_modbus", uling_modbus),
    ("adh", adh),
    ("xy_v3", xy_v3),
    ("tcn_00ff", tcn_00ff),
    ("lift_c7", lift_c7),
    ("col_ed", col_ed),
    ("ff0055", ff0055),
    ("ubox_e7", ubox_e7),
    ("m102", m102),
    ("lock_8a", lock_8a),
    ("lock_cu", lock_cu),
    ("vendapin", vendapin),
    ("vmc96", vmc96),
    ("envelope", envelope),
    ("device_message", device_message),
    ("platform_answer", platform_answer),
    ("songshu_message", songshu_message),
    ("course_answer", course_answer),
    ("mall_answer", mall_answer),
    ("http_answer", http_answer),
    ("url", url),
    ("configuration", configuration),
    ("board_profile", board_profile),
    ("credentials", credentials),
    ("journal_record", journal_record),
    ("journal_value", journal_value),
    ("journal_lead", journal_lead),
    ("sale_record", sale_record),
    ("control_request", control_request),
];

/// Input read as a script: numbers and pieces one after the other; at its end everything is 0 and empty.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// At most `n` bytes.
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A piece whose length stands in one byte before it.
    fn piece(&mut self) -> &'a [u8] {
        let n = self.byte();
        self.take(usize::from(n))
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// A copy with one byte changed: which and how is read from the script.
fn one_byte_changed(bytes: &[u8], script: &mut Script) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let at = usize::from(script.u16()) % bytes.len().max(1);
    if let Some(byte) = changed.get_mut(at) {
        *byte ^= script.byte().max(1);
    }
    changed
}
