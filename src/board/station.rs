//! What is known of one board on a line of several, whatever its family says of itself.

use super::driver::Address;
use super::profile::Profile;
use super::talk::RETRY_MS;
use crate::order::time::BootMs;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its state is not known, or not settled.
    Unheard,
    /// Seen idle when that proves something.
    Idle,
    /// A motor turns that belongs to no open command.
    Turning,
    /// Its result is durable and has to be forgotten.
    Releasing,
    /// Does not answer.
    Silent,
}

/// One driver board on the line, and what the family's machine remembers of it.
#[derive(Debug)]
pub(super) struct Station<M> {
    pub(super) address: Address,
    pub(super) wire_address: u8,
    pub(super) standing: Standing,
    pub(super) ask_at: BootMs,
    pub(super) unanswered: u8,
    /// Questions in a row that it may leave unanswered before it counts as absent.
    pub(super) tries: u8,
    pub(super) idle_seen: Option<BootMs>,
    /// Idle proves nothing before: an unproven command may still begin to turn.
    pub(super) quiet_until: BootMs,
    pub(super) identity_parts_asked: u8,
    pub(super) memory: M,
}

impl<M> Station<M> {
    /// All boards of a profile, not yet heard.
    pub(super) fn all(profile: &Profile, memory: impl Fn() -> M) -> Vec<Station<M>> {
        let addresses = (1..=profile.addresses.count).filter_map(Address::new);
        let station = |address| Station {
            address,
            wire_address: profile.wire_address(address),
            standing: Standing::Unheard,
            ask_at: BootMs(0),
            unanswered: 0,
            tries: profile.timing.tries(),
            idle_seen: None,
            quiet_until: BootMs(0),
            identity_parts_asked: 0,
            memory: memory(),
        };
        addresses.map(station).collect()
    }

    pub(super) fn unsettle(&mut self, now: BootMs) {
        self.standing = Standing::Unheard;
        self.ask_at = now;
    }

    pub(super) fn missed(&mut self, now: BootMs) {
        self.unanswered = self.unanswered.saturating_add(1);
        self.idle_seen = None;
        if self.unanswered >= self.tries {
            self.standing = Standing::Silent;
            self.ask_at = now.plus_ms(RETRY_MS);
        } else {
            self.unsettle(now);
        }
    }
}

/// The board that is asked next because it is not settled; a silent one only when all are.
pub(super) fn unsettled<M>(stations: &[Station<M>]) -> Option<(usize, &Station<M>)> {
    let all_silent = stations.iter().all(|s| s.standing == Standing::Silent);
    let is_unsettled = |s: &Station<M>| match s.standing {
        Standing::Idle => false,
        Standing::Silent => all_silent,
        Standing::Unheard | Standing::Turning | Standing::Releasing => true,
    };
    stations.iter().enumerate().filter(|(_, s)| is_unsettled(s)).min_by_key(|(_, s)| s.ask_at)
}

/// A board at rest that was not yet asked for all parts of its identity.
pub(super) fn anonymous<M>(stations: &[Station<M>], parts: u8) -> Option<(usize, &Station<M>)> {
    stations.iter().enumerate().find(|(_, s)| s.standing == Standing::Idle && s.identity_parts_asked < parts)
}

/// Every board is at rest or silent, and one at rest.
pub(super) fn all_settled<M>(stations: &[Station<M>]) -> bool {
    stations.iter().all(|s| matches!(s.standing, Standing::Idle | Standing::Silent))
        && stations.iter().any(|s| s.standing == Standing::Idle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_board_is_asked_again_as_often_as_its_profile_says_before_it_counts_as_absent() {
        for (retries, asked) in [(None, 2), (Some(0), 1), (Some(1), 2), (Some(5), 6)] {
            let mut profile = Profile::find("adh815", Path::new(".")).unwrap();
            profile.timing.retries = retries;
            let mut station = Station::all(&profile, || ()).remove(0);
            let silent_after = (1..=10).find(|_| {
                station.missed(BootMs(0));
                station.standing == Standing::Silent
            });
            assert_eq!(silent_after, Some(asked), "{retries:?}");
        }
    }
}
