//! Until when the certificates in use are good: said ahead, once a step, and only by trusted time.

use super::Core;
use super::event::{CertificateNews, CertificateOf, Effect, Level};
use crate::order::time::{BootMs, Now, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const DAY_S: u64 = 86_400;
const DAY_MS: u64 = DAY_S * 1_000;
/// Warnings come so many days before the end: time to order one, time to be asked again, the last call.
pub const WARN_DAYS: [u64; 3] = [30, 7, 1];
/// From the last day on the files are looked at so often for a connection that stands, in ms: a renewal in the last
/// hour is still found in time, and a look is three calls of the kernel.
const RENEW_EVERY_MS: u64 = 1_800_000;

/// How near the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateState {
    /// Nobody knows what time it is.
    TimeUnknown,
    /// More than 30 days are left.
    Good,
    /// At most 30 days are left.
    EndsWithin30Days,
    /// At most 7 days are left.
    EndsWithin7Days,
    /// At most a day is left.
    EndsWithin1Day,
    /// It is past.
    Expired,
}

impl CertificateState {
    fn of(not_after_s: u64, time: Option<UnixMs>) -> CertificateState {
        let Some(time) = time else { return CertificateState::TimeUnknown };
        let [far, near, last] = WARN_DAYS.map(|days| days * DAY_S);
        match not_after_s.checked_sub(time.seconds()) {
            None => CertificateState::Expired,
            Some(left_s) if left_s <= last => CertificateState::EndsWithin1Day,
            Some(left_s) if left_s <= near => CertificateState::EndsWithin7Days,
            Some(left_s) if left_s <= far => CertificateState::EndsWithin30Days,
            Some(_) => CertificateState::Good,
        }
    }
}

/// One certificate, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateLine {
    /// Whose.
    pub of: CertificateOf,
    /// Its last day.
    pub not_after: String,
    /// Its last second, in Unix seconds.
    pub not_after_s: u64,
    /// How near that is.
    pub state: CertificateState,
}

#[derive(Debug)]
struct Known {
    not_after_s: u64,
    /// The warning that holds now.
    state: CertificateState,
    /// When each warning was last given. A farm of servers whose certificates differ would otherwise give one with
    /// each connection.
    told: BTreeMap<CertificateState, BootMs>,
}

#[derive(Debug, Default)]
pub(super) struct Certificates {
    known: BTreeMap<CertificateOf, Known>,
    /// When a warning may be due, while time is trusted.
    look_at: Option<BootMs>,
    /// When the connection to the broker is next asked for a newer certificate.
    renew_at: Option<BootMs>,
}

impl Certificates {
    pub(super) fn deadline(&self) -> Option<BootMs> {
        self.look_at.into_iter().chain(self.renew_at).min()
    }
}

impl Core {
    pub(super) fn on_certificate(&mut self, now: Now, news: CertificateNews) {
        match news {
            CertificateNews::InUse { of, not_after_s } => {
                self.certificates.look_at = Some(now.boot);
                let known = self.certificates.known.get_mut(&of);
                match known {
                    Some(known) if known.not_after_s == not_after_s => {}
                    Some(known) => {
                        known.not_after_s = not_after_s;
                        known.state = CertificateState::TimeUnknown;
                        if of.is_our_own() {
                            let date = UnixMs::from_seconds(not_after_s).date();
                            let text = format!("{of}: a new one is in use, good until {date}");
                            self.note(Level::Info, "certificate_renewed", text);
                        }
                    }
                    None => {
                        let state = CertificateState::TimeUnknown;
                        let known = Known { not_after_s, state, told: BTreeMap::new() };
                        self.certificates.known.insert(of, known);
                    }
                }
            }
            CertificateNews::Kept { of, why } => {
                let text =
                    format!("{of}: the files were changed and are not good, the old ones stay in use: {}", why.en);
                self.note(Level::Error, "certificate_kept", text);
            }
        }
    }

    /// Gives the warnings that are due, and wakes the broker's session while the machine's own certificate is about to
    /// end: a connection that stands would go on with it, and the next one would be refused.
    pub(super) fn mind_the_certificates(&mut self, now: Now) {
        let Some(time) = self.time.trusted(now).filter(|_| !self.certificates.known.is_empty()) else {
            (self.certificates.look_at, self.certificates.renew_at) = (None, None);
            return;
        };
        if self.certificates.look_at.is_none_or(|at| at <= now.boot) {
            self.certificates.look_at = Some(now.boot.plus_ms(DAY_MS));
            for (of, text, state) in self.certificates.due(now, time) {
                let level = if state >= CertificateState::EndsWithin1Day { Level::Error } else { Level::Warn };
                self.note(level, "certificate_ends", format!("{of}: {text}; {}", of.remedy()));
            }
        }
        let own = self.certificates.known.get(&CertificateOf::OwnForBroker);
        let is_last_day = own.is_some_and(|known| known.state >= CertificateState::EndsWithin1Day);
        if !is_last_day {
            self.certificates.renew_at = None;
        } else if self.certificates.renew_at.is_none_or(|at| at <= now.boot) {
            self.certificates.renew_at = Some(now.boot.plus_ms(RENEW_EVERY_MS));
            self.effects.push(Effect::RenewBrokerTls);
        }
    }

    /// The certificates in use, for people.
    pub(super) fn certificate_lines(&self, now: Now) -> Vec<CertificateLine> {
        let time = self.time.trusted(now);
        let line = |(of, known): (&CertificateOf, &Known)| CertificateLine {
            of: *of,
            not_after: UnixMs::from_seconds(known.not_after_s).date(),
            not_after_s: known.not_after_s,
            state: CertificateState::of(known.not_after_s, time),
        };
        self.certificates.known.iter().map(line).collect()
    }
}

impl Certificates {
    /// What is to be said now. The next look is never later than the next step of any certificate.
    fn due(&mut self, now: Now, time: UnixMs) -> Vec<(CertificateOf, String, CertificateState)> {
        let mut due = Vec::new();
        for (&of, known) in &mut self.known {
            let end_s = known.not_after_s;
            let ahead = WARN_DAYS.into_iter().map(|days| end_s.saturating_sub(days * DAY_S));
            let steps = ahead.chain([end_s.saturating_add(1)]);
            let next = steps.map(|s| UnixMs::from_seconds(s).0.saturating_sub(time.0)).find(|ms| *ms > 0);
            if let Some(next_ms) = next {
                self.look_at = self.look_at.min(Some(now.boot.plus_ms(next_ms)));
            }
            let state = CertificateState::of(known.not_after_s, Some(time));
            let before = std::mem::replace(&mut known.state, state);
            let is_new = state > CertificateState::Good && state != before;
            if is_new && known.told.get(&state).is_none_or(|&last| now.boot.since_ms(last) >= DAY_MS) {
                known.told.insert(state, now.boot);
                let date = UnixMs::from_seconds(known.not_after_s).date();
                let text = match state {
                    CertificateState::Expired => format!("expired on {date}"),
                    _ => {
                        let left_s = known.not_after_s.saturating_sub(time.seconds());
                        format!("good until {date}, {} days more", left_s / DAY_S)
                    }
                };
                due.push((of, text, state));
            }
        }
        due
    }
}
