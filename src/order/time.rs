//! Ages, trust and expiry (order-life rules 27–29). Pure: the time of day comes in as an argument.

use serde::{Deserialize, Serialize};

/// Milliseconds of CLOCK_BOOTTIME: goes on during suspend, never jumps, starts again at each boot.
/// All timers run on this (rule 29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct BootMs(pub u64);

impl BootMs {
    /// The time `ms` later; stays at the end of time instead of wrapping.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> BootMs {
        BootMs(self.0.saturating_add(ms))
    }

    /// How long ago `earlier` was, in ms; 0 when it is still to come.
    #[must_use]
    pub const fn since_ms(self, earlier: BootMs) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Milliseconds since 1970 by some wall clock. Whether to believe it is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// Whole seconds, as the cloud counts.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// From the cloud's seconds.
    #[must_use]
    pub const fn from_seconds(s: u64) -> UnixMs {
        UnixMs(s.saturating_mul(1000))
    }
}

/// The kernel's random name of this boot (`/proc/sys/kernel/random/boot_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct BootId(pub [u8; 16]);

/// What the clocks said at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time of this boot.
    pub boot: BootMs,
    /// The wall clock, believed or not.
    pub wall: UnixMs,
    /// The kernel says that the wall clock is synchronised.
    pub synchronised: bool,
}
