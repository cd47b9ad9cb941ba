//! What systemd is told: READY, STATUS, and a watchdog fed by the core's own progress, never by a lone timer.

use crate::core::Core;
use crate::order::time::{BootMs, Now};
use sd_notify::NotifyState;

/// Talks to `$NOTIFY_SOCKET`, if there is one.
#[derive(Debug)]
pub struct Notifier {
    is_ready: bool,
    /// How often the watchdog wants to hear of us: half of what systemd allows.
    watchdog_ms: Option<u64>,
    feed_at: Option<BootMs>,
    status: String,
}

impl Notifier {
    /// Reads what systemd wants from the environment.
    #[must_use]
    pub fn new() -> Self {
        let watchdog_ms = sd_notify::watchdog_enabled().and_then(|limit| u64::try_from(limit.as_millis() / 2).ok());
        Notifier { is_ready: false, watchdog_ms, feed_at: None, status: String::new() }
    }

    /// The core has made a step.
    pub fn tell(&mut self, core: &Core, now: Now) {
        if !self.is_ready && core.is_ready() {
            self.is_ready = true;
            notify(&[NotifyState::Ready]);
        }
        if let Some(every_ms) = self.watchdog_ms
            && self.feed_at.is_none_or(|at| at <= now.boot)
        {
            self.feed_at = Some(now.boot.plus_ms(every_ms));
            notify(&[NotifyState::Watchdog]);
        }
        let status = core.headline();
        if status != self.status {
            notify(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// When the core must make a step for the watchdog's sake.
    #[must_use]
    pub const fn deadline(&self) -> Option<BootMs> {
        self.feed_at
    }
}

impl Default for Notifier {
    fn default() -> Self {
        Notifier::new()
    }
}

/// What `Type=notify` waits for, from a program that has nothing else to tell.
pub fn tell_ready() {
    notify(&[NotifyState::Ready]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
