//! When to try again, and when losing the connection again and again means a second client with our id. Pure, and open
//! to `tests/fleet/million.rs`, which plays a million machines with this very back-off.

use super::{BrokerFault, CONNECT_PATIENT_S, CONNECT_TIME_OUT_S, PATIENT_EACH, Trouble};
use crate::order::backoff::full_jitter;
use std::time::Duration;

/// The back-off's first range, in ms.
pub const BASE_MS: u64 = 1_000;
/// The back-off's longest range, in ms: an order is good for 20 minutes, so a broker that comes back must find us soon.
pub const MAX_MS: u64 = 120_000;
/// A connection that lived this long was a good one: the back-off starts anew.
const STABLE: Duration = Duration::from_secs(60);
/// The same after a take-over. A rival that backs off as we do (at most [`MAX_MS`]) would let a connection live for
/// the stable minute, then lose its own to our first quick retry: only several times its longest pause proves that
/// it is gone.
const STABLE_AFTER_TAKE_OVER: Duration = Duration::from_secs(600);
/// MQTT 3.1.1 has no word for a take-over, and mosquitto 2.0.11 does not use the one of MQTT 5. So many connections in
/// a row that were accepted and then closed by the broker within [`STABLE`] look like one; a broker that restarts
/// refuses connections in between.
const SHORT_LIVES_MAX: u32 = 3;

/// What is remembered from one connection to the next.
#[derive(Debug, Clone, Default)]
pub struct Retry {
    attempt: u32,
    unanswered: u32,
    short_lives: u32,
    taken_over: u32,
}

impl Retry {
    /// A connection ended `lived` after CONNACK, or never had one. Says what a person must mend, if that is it.
    pub fn lost(&mut self, lived: Option<Duration>, trouble: &Trouble) -> Option<BrokerFault> {
        let stable = if self.taken_over > 0 { STABLE_AFTER_TAKE_OVER } else { STABLE };
        if lived.is_some_and(|lived| lived >= stable) {
            *self = Retry::default();
        }
        let kicked = *trouble == Trouble::ClosedByBroker && lived.is_some_and(|lived| lived < STABLE);
        self.short_lives = if kicked { self.short_lives.saturating_add(1) } else { 0 };
        self.unanswered = if *trouble == Trouble::ConnectTimeOut { self.unanswered.saturating_add(1) } else { 0 };
        match trouble {
            Trouble::PacketTooLarge { bytes } => Some(BrokerFault::PacketTooLarge { bytes: *bytes }),
            Trouble::TakenOver => Some(self.taken_over()),
            _ if self.short_lives >= SHORT_LIVES_MAX => Some(self.taken_over()),
            _ => None,
        }
    }

    fn taken_over(&mut self) -> BrokerFault {
        self.taken_over = self.taken_over.saturating_add(1).max(self.short_lives);
        BrokerFault::TakenOver { times: self.taken_over }
    }

    /// How long the next connection may take until CONNACK, in s.
    #[must_use]
    pub const fn patience_s(&self) -> u64 {
        if self.unanswered % PATIENT_EACH == PATIENT_EACH - 1 { CONNECT_PATIENT_S } else { CONNECT_TIME_OUT_S }
    }

    /// How long to wait before the next attempt, in ms; `random` is any evenly spread number.
    pub fn pause_ms(&mut self, random: u64) -> u64 {
        let pause_ms = full_jitter(self.attempt, BASE_MS, MAX_MS, random);
        self.attempt = self.attempt.saturating_add(1);
        pause_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Option<Duration> = Some(Duration::from_secs(59));

    /// The longest pause that could come now, in ms.
    fn longest_pause_ms(retry: &Retry) -> u64 {
        full_jitter(retry.attempt, BASE_MS, MAX_MS, (BASE_MS << retry.attempt.min(20)).min(MAX_MS))
    }

    fn lose(retry: &mut Retry, lived: Option<Duration>, trouble: &Trouble) -> Option<BrokerFault> {
        let fault = retry.lost(lived, trouble);
        let _ = retry.pause_ms(0);
        fault
    }

    #[test]
    fn each_third_attempt_that_nobody_answers_waits_until_the_kernel_gives_up_a_silent_address() {
        let mut retry = Retry::default();
        let mut patience = Vec::new();
        for _ in 0..6 {
            patience.push(retry.patience_s());
            lose(&mut retry, None, &Trouble::ConnectTimeOut);
        }
        let (short, long) = (CONNECT_TIME_OUT_S, CONNECT_PATIENT_S);
        assert_eq!(patience, [short, short, long, short, short, long]);
        // SYNs after 1, 2, 4 … 64 s, and as long again until the last is given up; then the next address has its time.
        assert!(long >= (1 << 7) - 1 + short);
        lose(&mut retry, None, &Trouble::ConnectTimeOut);
        lose(&mut retry, None, &Trouble::ClosedByBroker);
        lose(&mut retry, None, &Trouble::ConnectTimeOut);
        assert_eq!(retry.patience_s(), short, "an answer in between");
    }

    #[test]
    fn the_pause_grows_whether_the_broker_is_away_or_accepts_and_kicks() {
        for lived in [None, Some(Duration::ZERO), SHORT] {
            let mut retry = Retry::default();
            let mut longest = Vec::new();
            for _ in 0..9 {
                longest.push(longest_pause_ms(&retry));
                lose(&mut retry, lived, &Trouble::ClosedByBroker);
            }
            assert_eq!(longest, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 120_000, 120_000], "{lived:?}");
        }
    }

    #[test]
    fn a_stable_minute_starts_the_back_off_anew() {
        let mut retry = Retry::default();
        for _ in 0..5 {
            lose(&mut retry, None, &Trouble::ConnectTimeOut);
        }
        retry.lost(Some(STABLE), &Trouble::KeepAlive);
        assert_eq!(longest_pause_ms(&retry), BASE_MS);
    }

    #[test]
    fn a_stable_minute_does_not_end_the_caution_after_a_take_over() {
        let mut retry = Retry::default();
        for times in 1..=5 {
            assert_eq!(lose(&mut retry, SHORT, &Trouble::TakenOver), Some(BrokerFault::TakenOver { times }));
        }
        assert_eq!(lose(&mut retry, Some(STABLE), &Trouble::TakenOver), Some(BrokerFault::TakenOver { times: 6 }));
        assert_eq!(longest_pause_ms(&retry), 64_000, "the pause goes on growing");
        assert_eq!(
            lose(&mut retry, Some(STABLE_AFTER_TAKE_OVER), &Trouble::TakenOver),
            Some(BrokerFault::TakenOver { times: 1 })
        );
    }

    #[test]
    fn three_short_lives_in_a_row_look_like_a_take_over() {
        let mut retry = Retry::default();
        let kicks = [1, 2, 3, 4].map(|_| lose(&mut retry, SHORT, &Trouble::ClosedByBroker));
        let fault = |times| Some(BrokerFault::TakenOver { times });
        assert_eq!(kicks, [None, None, fault(3), fault(4)]);
    }

    #[test]
    fn a_broker_that_restarts_or_a_bad_link_is_no_take_over() {
        let mut retry = Retry::default();
        for _ in 0..10 {
            assert_eq!(lose(&mut retry, SHORT, &Trouble::ClosedByBroker), None);
            assert_eq!(lose(&mut retry, SHORT, &Trouble::ClosedByBroker), None);
            assert_eq!(lose(&mut retry, None, &Trouble::Unreachable("refused".into())), None);
        }
        for _ in 0..10 {
            assert_eq!(lose(&mut retry, Some(STABLE), &Trouble::ClosedByBroker), None);
        }
    }

    #[test]
    fn a_packet_that_is_too_large_is_a_fault_each_time_and_the_pause_grows() {
        let mut retry = Retry::default();
        for _ in 0..3 {
            let fault = lose(&mut retry, SHORT, &Trouble::PacketTooLarge { bytes: 2_000_000 });
            assert!(fault.unwrap().to_string().contains("message_size_limit"));
        }
        assert_eq!(longest_pause_ms(&retry), 8_000);
    }
}
