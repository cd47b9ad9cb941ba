//! The time line of a run, for a person who looks for the cause of a failure.

use std::fmt;

/// Lines with their times. Told only when asked for: a run that holds costs nothing for it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Story {
    lines: Option<Vec<(u64, String)>>,
}

impl Story {
    /// A story that is written down.
    #[must_use]
    pub const fn told() -> Self {
        Story { lines: Some(Vec::new()) }
    }

    /// Adds what happened now.
    pub(super) fn tell(&mut self, now_ms: u64, what: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((now_ms, what()));
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at_ms, what) in self.lines.iter().flatten() {
            writeln!(f, "{:>9}.{:03} s  {what}", at_ms / 1_000, at_ms % 1_000)?;
        }
        Ok(())
    }
}
