//! Whether the disk is quick: asked before somebody waits for it who has other things to do.

/// A commit that takes no longer, in ms, is quick. A board that has something to say while we wait for the disk is heard so much
/// later; the shortest time that any gives us is 100 ms, and such a one is never kept waiting at all.
const QUICK_MS_MAX: u64 = 5;
/// So many commits in a row are quick before one is waited for. A card that has begun to tidy up is slow for many, and of
/// these only the first is waited for.
const QUICK_IN_A_ROW: u32 = 16;

/// How long the last commits took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Disk {
    quick_in_a_row: u32,
}

impl Disk {
    /// A commit took so long.
    pub(super) fn took(&mut self, ms: u64) {
        self.quick_in_a_row = if ms <= QUICK_MS_MAX { self.quick_in_a_row.saturating_add(1) } else { 0 };
    }

    /// As after many quick commits.
    #[cfg(test)]
    pub(super) const fn known_to_be_quick() -> Self {
        Disk { quick_in_a_row: QUICK_IN_A_ROW }
    }

    /// The last commits were all quick.
    pub(super) const fn is_quick(&self) -> bool {
        self.quick_in_a_row >= QUICK_IN_A_ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_quick_after_many_quick_commits_and_slow_after_one_slow_one() {
        let mut disk = Disk::default();
        let quick = |disk: &mut Disk, times| (0..times).for_each(|_| disk.took(QUICK_MS_MAX));
        assert!(!disk.is_quick(), "nothing is known");
        quick(&mut disk, QUICK_IN_A_ROW - 1);
        assert!(!disk.is_quick());
        quick(&mut disk, 1);
        assert!(disk.is_quick());
        disk.took(QUICK_MS_MAX + 1);
        assert!(!disk.is_quick());
        quick(&mut disk, QUICK_IN_A_ROW);
        assert!(disk.is_quick(), "slow once is not slow for ever");
    }
}
