//! How loud the log is, for a while: a technician makes it louder, and it falls back by itself.

use crate::control::{LogLevel, Refusal};
use crate::io::log::LogControl;
use crate::order::said::Said;
use crate::order::time::BootMs;

/// The log's level, and when it falls back.
pub(super) struct Loud {
    log: LogControl,
    until: Option<BootMs>,
}

impl Loud {
    pub(super) const fn new(log: LogControl) -> Loud {
        Loud { log, until: None }
    }

    pub(super) fn set(&mut self, now: BootMs, level: LogLevel) -> Result<LogLevel, Refusal> {
        if !self.log.set(level.level.as_str()) {
            return Err(Refusal::said(Said::new("this log cannot be changed", "此日志的级别无法更改")));
        }
        self.until = Some(now.plus_ms(level.for_s.saturating_mul(1_000)));
        Ok(level)
    }

    pub(super) const fn deadline(&self) -> Option<BootMs> {
        self.until
    }

    /// Falls back when it is time.
    pub(super) fn mind(&mut self, now: BootMs) {
        if self.until.take_if(|until| *until <= now).is_some() {
            self.log.restore();
            tracing::info!(what = "log_level", "the log is as loud as at the start again");
        }
    }
}
