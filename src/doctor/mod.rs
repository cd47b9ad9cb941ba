//! `vend doctor`: what is wrong with this machine, and what a technician can do about it.
//!
//! Pure: [`Seen`] is what `io::doctor` and the command found, [`examine`] says what it means. Each
//! [`Check`] has an id that can be read over the telephone, and texts in both languages that cannot be left out.

mod check;
mod judge;
pub mod seen;

pub use check::{Check, Entry, Group, Probe};

use crate::config::problem::Both;
use crate::order::said::Said;
use seen::Seen;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// There is nothing to check on this machine, or not now.
    NotApplicable,
    /// Another check failed, or the right to look is missing; the finding says which.
    Skipped,
    /// It works, and somebody should look.
    Warning,
    /// It does not work.
    Failed,
}

impl State {
    /// All of them, the better first.
    pub const ALL: [State; 5] = [State::Ok, State::NotApplicable, State::Skipped, State::Warning, State::Failed];

    /// The word in JSON and in plain output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::NotApplicable => "not_applicable",
            State::Skipped => "skipped",
            State::Warning => "warning",
            State::Failed => "failed",
        }
    }
}

/// What one check found. No text of it holds a secret, or a URL with more than scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Like `N3`; stable for ever.
    pub id: String,
    /// configuration, service, data, port, network, time or orders.
    pub group: String,
    /// How it ended.
    pub state: State,
    /// What is checked.
    pub title: Both,
    /// What was seen.
    pub saw: Both,
    /// What to do, for warnings and failures.
    pub fix: Option<Both>,
    /// Because of which check it was skipped.
    pub skipped_because_of: Option<String>,
}

/// Everything that the doctor found, in the order of the checks. It leaves the process inside
/// `control::Versioned`, as every document does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// One for each check that was asked for.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many ended so.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }

    /// A check of the configuration failed.
    #[must_use]
    pub fn configuration_failed(&self) -> bool {
        let group = Group::Configuration.as_str();
        self.findings.iter().any(|finding| finding.state == State::Failed && finding.group == group)
    }
}

/// What a judge says of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    state: State,
    saw: Both,
    /// Better than the check's own text, where what was seen says more.
    fix: Option<Both>,
    because_of: Option<Check>,
}

impl Verdict {
    fn new(state: State, en: impl Into<String>, zh: impl Into<String>) -> Verdict {
        Verdict { state, saw: Both::new(en, zh), fix: None, because_of: None }
    }

    /// It failed, for this reason.
    fn failed_for(what: &Said, why: &Said) -> Verdict {
        let Said { en, zh } = what.then(why);
        Verdict::failed(en, zh)
    }

    /// It failed, for the reason that the daemon tells of its journal, line, broker or cloud.
    fn failed_by_daemon(seen: &Seen, of: &str, what: Said) -> Verdict {
        match seen.trouble(of) {
            Some(why) => Verdict::failed_for(&what, &why),
            None => Verdict::failed(what.en, what.zh),
        }
    }

    fn ok(en: impl Into<String>, zh: impl Into<String>) -> Verdict {
        Verdict::new(State::Ok, en, zh)
    }

    fn warning(en: impl Into<String>, zh: impl Into<String>) -> Verdict {
        Verdict::new(State::Warning, en, zh)
    }

    fn failed(en: impl Into<String>, zh: impl Into<String>) -> Verdict {
        Verdict::new(State::Failed, en, zh)
    }

    fn not_applicable(en: impl Into<String>, zh: impl Into<String>) -> Verdict {
        Verdict::new(State::NotApplicable, en, zh)
    }

    fn skipped(because_of: Check) -> Verdict {
        let id = because_of.entry().id;
        let mut verdict = Verdict::new(State::Skipped, format!("skipped because of {id}"), format!("因 {id} 而跳过"));
        verdict.because_of = Some(because_of);
        verdict
    }

    fn not_permitted() -> Verdict {
        Verdict::new(State::Skipped, "only root may look: sudo vend doctor", "仅 root 可以查看：sudo vend doctor")
    }

    /// With something better to do than the check's own text.
    fn fix(mut self, en: impl Into<String>, zh: impl Into<String>) -> Verdict {
        self.fix = Some(Both::new(en, zh));
        self
    }
}

/// The checks that must be known for these: they, and whatever they depend on.
fn with_needs(wanted: &BTreeSet<Check>) -> BTreeSet<Check> {
    let mut all = BTreeSet::new();
    let mut open: Vec<Check> = wanted.iter().copied().collect();
    while let Some(check) = open.pop() {
        if all.insert(check) {
            open.extend(check.entry().needs);
        }
    }
    all
}

/// The probes that must look for these checks to be judged.
#[must_use]
pub fn asked_by(wanted: &BTreeSet<Check>, left_out: &BTreeSet<Check>) -> BTreeSet<Probe> {
    let checks = with_needs(wanted).into_iter().filter(|check| !left_out.contains(check));
    checks.flat_map(|check| check.entry().probe.with_what_it_needs()).collect()
}

/// Judges the wanted checks. What a failed or skipped check says of others is *skipped because of* the first one; a
/// check in `left_out` is not judged, and stands in nobody's way.
#[must_use]
pub fn examine(seen: &Seen, wanted: &BTreeSet<Check>, left_out: &BTreeSet<Check>) -> Report {
    let mut verdicts: BTreeMap<Check, Verdict> = BTreeMap::new();
    // In the order of the list: no check depends on a later one, which a test holds.
    for check in with_needs(wanted).into_iter().filter(|check| !left_out.contains(check)) {
        let in_the_way = check.entry().needs.iter().find_map(|need| match verdicts.get(need) {
            Some(Verdict { state: State::Failed, .. }) => Some(*need),
            Some(Verdict { state: State::Skipped, because_of, .. }) => Some(because_of.unwrap_or(*need)),
            _ => None,
        });
        let verdict = in_the_way.map_or_else(|| judge::judge(check, seen), Verdict::skipped);
        verdicts.insert(check, verdict);
    }
    let finding = |(check, verdict): (Check, Verdict)| {
        let entry = check.entry();
        let wants_fix = matches!(verdict.state, State::Warning | State::Failed);
        Finding {
            id: entry.id.to_owned(),
            group: entry.group.as_str().to_owned(),
            state: verdict.state,
            title: check.title(),
            saw: verdict.saw,
            fix: wants_fix.then(|| verdict.fix.unwrap_or_else(|| check.fix())),
            skipped_because_of: verdict.because_of.map(|check| check.entry().id.to_owned()),
        }
    };
    let findings = verdicts.into_iter().filter(|(check, _)| wanted.contains(check)).map(finding).collect();
    Report { findings }
}
