//! Faults on demand: `KIND[:SLOT][@NTH]`, e.g. `jam:12`, `no-drop`, `power-loss:7`, `late@2`.

use crate::order::said::InChinese;
use std::str::FromStr;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The motor stalls: over-current.
    Jam,
    /// The motor turns and nothing falls.
    NoDrop,
    /// The motor's circuit is open: it does not turn.
    OpenMotor,
    /// The motor turns, and the board never says a word about it.
    Silence,
    /// The result frame leaves with a bad check.
    Garble,
    /// The result comes [`LATE_MS`] later than it should.
    Late,
    /// The board restarts in mid-turn: the motor has turned, everything volatile is forgotten, back after a moment.
    Restart,
    /// As [`FaultKind::Restart`], but the board stays dark for [`POWER_LOSS_MS`].
    PowerLoss,
    /// The board refuses the command and the motor does not turn.
    Refuse,
}

/// How much later a `late` result comes.
pub const LATE_MS: u64 = 3_000;
/// How long a board is dark after `power-loss`.
pub const POWER_LOSS_MS: u64 = 1_500;
/// How long a board is dark after `restart`.
pub const RESTART_MS: u64 = 100;

/// One fault and when it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only this slot (as on the wire); any when absent.
    pub slot: Option<u16>,
    /// Only the n-th command that otherwise matches, counted from 1; every one when absent.
    pub nth: Option<u32>,
}

/// Why a text is not a [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a fault; write KIND[:SLOT][@NTH] with KIND one of jam, no-drop, open-motor, silence, garble, late, \
     restart, power-loss, refuse"
)]
pub struct FaultError(pub String);

impl InChinese for FaultError {
    fn zh(&self) -> String {
        format!(
            "{:?} 不是故障；应写作 KIND[:SLOT][@NTH]，其中 KIND 为 jam, no-drop, open-motor, silence, garble, late, restart, \
             power-loss, refuse 之一",
            self.0
        )
    }
}

impl FromStr for Fault {
    type Err = FaultError;
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let bad = || FaultError(text.to_owned());
        let (rest, nth) = match text.split_once('@') {
            Some((rest, n)) => (rest, Some(n.parse().ok().filter(|&n| n > 0).ok_or_else(bad)?)),
            None => (text, None),
        };
        let (kind, slot) = match rest.split_once(':') {
            Some((kind, s)) => (kind, Some(s.parse().map_err(|_| bad())?)),
            None => (rest, None),
        };
        let kind = match kind {
            "jam" => FaultKind::Jam,
            "no-drop" => FaultKind::NoDrop,
            "open-motor" => FaultKind::OpenMotor,
            "silence" => FaultKind::Silence,
            "garble" => FaultKind::Garble,
            "late" => FaultKind::Late,
            "restart" => FaultKind::Restart,
            "power-loss" => FaultKind::PowerLoss,
            "refuse" => FaultKind::Refuse,
            _ => return Err(bad()),
        };
        Ok(Fault { kind, slot, nth })
    }
}

/// All faults of one board, with their counts.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    all: Vec<(Fault, u32)>,
}

impl Faults {
    /// Faults to apply, the first that matches a command wins.
    #[must_use]
    pub fn new(faults: impl IntoIterator<Item = Fault>) -> Self {
        Faults { all: faults.into_iter().map(|f| (f, 0)).collect() }
    }

    /// The fault that strikes this motor command, if any. Call once a command.
    pub fn strike(&mut self, slot: u16) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, seen) in &mut self.all {
            if fault.slot.is_none_or(|s| s == slot) {
                *seen += 1;
                if struck.is_none() && fault.nth.is_none_or(|n| n == *seen) {
                    struck = Some(fault.kind);
                }
            }
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_from_its_text() {
        assert_eq!("power-loss:7@2".parse(), Ok(Fault { kind: FaultKind::PowerLoss, slot: Some(7), nth: Some(2) }));
        assert_eq!("jam".parse(), Ok(Fault { kind: FaultKind::Jam, slot: None, nth: None }));
        for bad in ["", "jamm", "jam:", "jam:x", "jam@0", "jam@x", ":3"] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_fault_strikes_its_slot_and_its_turn_only() {
        let mut faults = Faults::new(["jam:3@2".parse().unwrap(), "no-drop:4".parse().unwrap()]);
        assert_eq!(faults.strike(3), None);
        assert_eq!(faults.strike(4), Some(FaultKind::NoDrop));
        assert_eq!(faults.strike(3), Some(FaultKind::Jam));
        assert_eq!(faults.strike(3), None);
    }
}
