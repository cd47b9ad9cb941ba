//! A report and its copies: one over HTTP, one over MQTT (order-life, section 4). What an answer means for a copy.

use super::outcome::UnitOutcome;
use super::said::words;
use serde::{Deserialize, Serialize};
use std::fmt;

/// First pause of the back-off, in ms.
pub const RETRY_BASE_MS: u64 = 1_000;
/// Longest pause of the back-off, in ms: ten minutes.
pub const RETRY_MAX_MS: u64 = 600_000;
/// Longest `Retry-After` that is honoured, in s: an hour.
pub const RETRY_AFTER_MAX_S: u64 = 3_600;
/// How often an answer is tried again that says "never" (4xx): a merchant's server under repair says so too.
pub const CLIENT_ERROR_ATTEMPTS_MAX: u32 = 10;

/// Why a copy lies in the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadReason {
    /// The target is not allowed: scheme, user part, private address, host, redirect elsewhere.
    BadTarget,
    /// The receiver said 4xx too often; the last status.
    Status(u16),
    /// Too many newer ones waited with it.
    Crowded,
}

words! {
    DeadReason {
        DeadReason::BadTarget => "bad_target", "目标地址无效";
        DeadReason::Status(_) => "status", "状态码";
        DeadReason::Crowded => "crowded", "过多";
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self {
            DeadReason::Status(status) => write!(f, " {status}"),
            DeadReason::BadTarget | DeadReason::Crowded => Ok(()),
        }
    }
}

/// Where a copy, a call or a whole report stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyState {
    /// Not yet taken by everybody who is to have it.
    Pending,
    /// Taken.
    Settled,
    /// Refused for good.
    Dead,
}

words! {
    CopyState {
        CopyState::Pending => "pending", "待送达";
        CopyState::Settled => "settled", "已送达";
        CopyState::Dead => "dead", "死信";
    }
}

/// One copy of a report on its way to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Copy {
    /// There is no such receiver.
    #[default]
    None,
    /// Not yet taken.
    Pending {
        /// Tries so far.
        attempts: u32,
    },
    /// Taken.
    Settled {
        /// Tries it took.
        attempts: u32,
    },
    /// Kept, shown, re-drivable, never dropped.
    Dead {
        /// Tries so far.
        attempts: u32,
        /// Why.
        reason: DeadReason,
    },
}

impl Copy {
    /// Where it stands; a copy that nobody is to have is settled.
    #[must_use]
    pub const fn state(self) -> CopyState {
        match self {
            Copy::Pending { .. } => CopyState::Pending,
            Copy::Dead { .. } => CopyState::Dead,
            Copy::None | Copy::Settled { .. } => CopyState::Settled,
        }
    }

    /// Why it is dead, if it is.
    #[must_use]
    pub const fn dead_reason(self) -> Option<DeadReason> {
        match self {
            Copy::Dead { reason, .. } => Some(reason),
            Copy::None | Copy::Pending { .. } | Copy::Settled { .. } => None,
        }
    }

    /// To be sent, not tried yet.
    #[must_use]
    pub const fn fresh() -> Self {
        Copy::Pending { attempts: 0 }
    }

    /// Still to be taken.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Copy::Pending { .. })
    }

    /// In the dead letters.
    #[must_use]
    pub const fn is_dead(self) -> bool {
        matches!(self, Copy::Dead { .. })
    }

    /// Tries so far.
    #[must_use]
    pub const fn attempts(self) -> u32 {
        match self {
            Copy::None => 0,
            Copy::Pending { attempts } | Copy::Settled { attempts } | Copy::Dead { attempts, .. } => attempts,
        }
    }

    /// What the copy becomes after a try, and the pause before the next one.
    pub fn after(&mut self, answer: Answer) -> Next {
        let attempts = self.attempts().saturating_add(1);
        match answer {
            Answer::Taken => {
                *self = Copy::Settled { attempts };
                Next::Done
            }
            Answer::Never(reason) => {
                *self = Copy::Dead { attempts, reason };
                Next::Done
            }
            Answer::Unwelcome(reason) if attempts >= CLIENT_ERROR_ATTEMPTS_MAX => {
                *self = Copy::Dead { attempts, reason };
                Next::Done
            }
            Answer::Unwelcome(_) | Answer::Later { retry_after_s: None } => {
                *self = Copy::Pending { attempts };
                Next::AgainWithBackOff { attempts }
            }
            Answer::Later { retry_after_s: Some(s) } => {
                *self = Copy::Pending { attempts };
                Next::AgainAfter { ms: s.min(RETRY_AFTER_MAX_S).saturating_mul(1_000) }
            }
        }
    }
}

/// What a receiver's answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 2xx, or PUBACK.
    Taken,
    /// 408, 425, 429, 5xx, a transport error, a name that leads astray; perhaps with the pause that the receiver asked for.
    Later {
        /// From `Retry-After`, in s.
        retry_after_s: Option<u64>,
    },
    /// Another 4xx, a 3xx that leads elsewhere: again, ten times, then never.
    Unwelcome(DeadReason),
    /// The target may never be called.
    Never(DeadReason),
}

impl Answer {
    /// What an HTTP status means for a report.
    #[must_use]
    pub const fn of_status(status: u16, retry_after_s: Option<u64>) -> Answer {
        match status {
            200..=299 => Answer::Taken,
            408 | 425 | 429 | 500..=599 => Answer::Later { retry_after_s },
            _ => Answer::Unwelcome(DeadReason::Status(status)),
        }
    }
}

/// When the next try is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Never: taken or dead.
    Done,
    /// After the back-off of this many attempts.
    AgainWithBackOff {
        /// Tries so far, at least 1.
        attempts: u32,
    },
    /// After exactly this pause.
    AgainAfter {
        /// Milliseconds.
        ms: u64,
    },
}

/// One report of an order. The body follows from it byte for byte, so it is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Rises with each correction.
    pub sequence: u32,
    /// Unix seconds in the body.
    pub timestamp_s: u64,
    /// What it says.
    pub units: Vec<UnitOutcome>,
    /// The copy to `notify_url`.
    pub http: Copy,
    /// The copy over MQTT.
    pub mqtt: Copy,
}

impl Report {
    /// Any copy was tried.
    #[must_use]
    pub const fn was_tried(&self) -> bool {
        self.http.attempts() > 0 || self.mqtt.attempts() > 0
    }

    /// Where both copies stand: pending while one is, dead if one was refused for good, else settled.
    #[must_use]
    pub const fn state(&self) -> CopyState {
        match (self.http.state(), self.mqtt.state()) {
            (CopyState::Pending, _) | (_, CopyState::Pending) => CopyState::Pending,
            (CopyState::Dead, _) | (_, CopyState::Dead) => CopyState::Dead,
            (CopyState::Settled, CopyState::Settled) => CopyState::Settled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_2xx_settles_and_overload_is_tried_again() {
        assert_eq!(Answer::of_status(204, None), Answer::Taken);
        for status in [408, 425, 429, 500, 503, 599] {
            assert_eq!(Answer::of_status(status, Some(7)), Answer::Later { retry_after_s: Some(7) }, "{status}");
        }
        for status in [301, 400, 401, 404, 410] {
            assert_eq!(Answer::of_status(status, None), Answer::Unwelcome(DeadReason::Status(status)));
        }
    }

    #[test]
    fn another_4xx_is_tried_ten_times_and_then_kept_as_a_dead_letter() {
        let mut copy = Copy::fresh();
        for attempt in 1..CLIENT_ERROR_ATTEMPTS_MAX {
            assert_eq!(
                copy.after(Answer::Unwelcome(DeadReason::Status(404))),
                Next::AgainWithBackOff { attempts: attempt }
            );
        }
        assert_eq!(copy.after(Answer::Unwelcome(DeadReason::Status(404))), Next::Done);
        assert_eq!(copy, Copy::Dead { attempts: 10, reason: DeadReason::Status(404) });
    }

    #[test]
    fn an_overloaded_receiver_is_tried_for_ever_and_its_retry_after_is_capped_at_an_hour() {
        let mut copy = Copy::Pending { attempts: 1_000 };
        assert_eq!(copy.after(Answer::Later { retry_after_s: Some(86_400) }), Next::AgainAfter { ms: 3_600_000 });
        assert!(copy.is_open());
        assert_eq!(
            Copy::Pending { attempts: u32::MAX }.after(Answer::Later { retry_after_s: None }),
            Next::AgainWithBackOff { attempts: u32::MAX }
        );
    }
}
