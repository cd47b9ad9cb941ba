//! Slots that are chosen at the board's own keys: a sale like any other, which a screen shows.
//!
//! Nobody reads an answer there, so a choice that begins no sale is noted; a child that leans on the keys must not fill
//! the log.

use super::{SaleChoice, SaleRefusal};
use crate::core::Core;
use crate::core::event::Level;
use crate::order::motor::{Address, Slot};
use crate::order::time::{BootMs, Now};

/// Of choices that begin no sale one is noted for each reason in this time, in ms, with the number of those that were
/// not.
pub const KEY_NOTED_EVERY_MS: u64 = 10_000;

/// What was refused at the keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// When each reason was noted last: as many as there are reasons.
    noted: Vec<(SaleRefusal, BootMs)>,
    unnoted: u64,
}

impl Core {
    /// Somebody chose a slot at the board's keys; nothing: pressed the key that gives the choice up.
    pub(in crate::core) fn on_key(&mut self, now: Now, address: Address, slot: Option<Slot>) {
        if !self.settings.sale.as_ref().is_some_and(|sale| sale.keypad) {
            return;
        }
        let done = match slot {
            Some(slot) => self.begin_sale(now, SaleChoice { address, slot }, true),
            None => self.cancel_sale(now),
        };
        if let Err(refusal) = done {
            self.note_refused_key(now, slot, refusal);
        }
    }

    fn note_refused_key(&mut self, now: Now, slot: Option<Slot>, refusal: SaleRefusal) {
        let keys = &mut self.sales.keys;
        keys.noted.retain(|(_, at)| now.boot.since_ms(*at) < KEY_NOTED_EVERY_MS);
        if keys.noted.iter().any(|(noted, _)| *noted == refusal) {
            keys.unnoted = keys.unnoted.saturating_add(1);
            return;
        }
        keys.noted.push((refusal, now.boot));
        let before = match std::mem::take(&mut keys.unnoted) {
            0 => String::new(),
            n => format!("; {n} more were refused before it"),
        };
        let what = slot.map_or_else(|| "the cancel key".to_owned(), |slot| format!("slot {}", slot.0));
        self.note(Level::Warn, "key_refused", format!("{what} at the board's keys: {refusal}{before}"));
    }
}
