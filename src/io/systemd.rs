//! What systemd is told: READY, STATUS, and a watchdog fed by the core's own progress, never by a lone timer.

use crate::core::{Core, Headline};
use crate::order::time::{BootMs, Now};
use sd_notify::NotifyState;

/// The status is told at most once in this time, in ms: it changes several times a vend, and each telling is a socket that
/// is opened, written and closed.
const STATUS_EVERY_MS: u64 = 1_000;
/// Where systemd says whom to tell.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// Talks to `$NOTIFY_SOCKET`, if there is one.
#[derive(Debug)]
pub struct Notifier {
    /// Somebody listens.
    is_heard: bool,
    is_ready: bool,
    /// How often the watchdog wants to hear of us: half of what systemd allows.
    watchdog_ms: Option<u64>,
    feed_at: Option<BootMs>,
    status: StatusLine<Headline>,
}

/// What was told last, and what waits to be told.
#[derive(Debug)]
struct StatusLine<T> {
    told: Option<(T, BootMs)>,
    /// It has changed since, and is told then.
    due: Option<BootMs>,
}

impl<T: Copy + PartialEq> StatusLine<T> {
    const fn new() -> Self {
        StatusLine { told: None, due: None }
    }

    /// To be told now; what came too soon after the last is due later.
    fn take(&mut self, status: T, now: BootMs) -> bool {
        let again_at = match self.told {
            Some((told, _)) if told == status => {
                self.due = None;
                return false;
            }
            Some((_, at)) => at.plus_ms(STATUS_EVERY_MS),
            None => now,
        };
        let is_told = again_at <= now;
        self.due = (!is_told).then_some(again_at);
        if is_told {
            self.told = Some((status, now));
        }
        is_told
    }
}

impl Notifier {
    /// Reads what systemd wants from the environment.
    #[must_use]
    pub fn new() -> Self {
        let watchdog_ms = sd_notify::watchdog_enabled().and_then(|limit| u64::try_from(limit.as_millis() / 2).ok());
        let is_heard = std::env::var_os(SOCKET_VARIABLE).is_some();
        Notifier { is_heard, is_ready: false, watchdog_ms, feed_at: None, status: StatusLine::new() }
    }

    /// The core has made a step.
    pub fn tell(&mut self, core: &Core, now: Now) {
        if !self.is_heard {
            return;
        }
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
        let headline = core.headline();
        if self.status.take(headline, now.boot) {
            notify(&[NotifyState::Status(&headline.to_string())]);
        }
    }

    /// When the core must make a step for the watchdog's sake, or for a status that waits.
    #[must_use]
    pub fn deadline(&self) -> Option<BootMs> {
        self.feed_at.into_iter().chain(self.status.due).min()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_once_a_second_and_its_last_word_always() {
        let mut status = StatusLine::new();
        let mut told = Vec::new();
        // (ms, orders open)
        for (ms, open) in [(0, 0), (1, 0), (10, 1), (20, 2), (30, 0), (40, 3), (999, 4), (1_000, 4), (1_001, 4)] {
            if status.take(open, BootMs(ms)) {
                told.push((ms, open));
            }
            let waits = told.last().is_some_and(|&(_, last)| last != open);
            assert_eq!(status.due, waits.then_some(BootMs(1_000)), "{ms}");
        }
        assert_eq!(told, [(0, 0), (1_000, 4)]);
    }
}
