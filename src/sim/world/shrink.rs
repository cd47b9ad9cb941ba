//! A failing run told with less: fewer faults, fewer messages, as long as it fails in the same way.

use super::plan::Plan;
use super::story::Story;
use super::{Broken, run};
use std::mem::{Discriminant, discriminant};
use std::ops::Range;

/// Runs that are spent on one failure: seconds, however long its story was.
const RUNS_MAX: u32 = 3_000;

/// Takes faults and messages out of a failing plan while it still fails in the same way: first halves, then quarters,
/// and in the end one by one.
#[must_use]
pub fn shortened(plan: &Plan) -> Plan {
    let mut shrinker = Shrinker { wanted: kind(plan), runs: 0, shortest: plan.clone() };
    loop {
        let before = shrinker.size();
        shrinker.thin_out(|plan| plan.faults.len(), |plan, range| drop(plan.faults.drain(range)));
        shrinker.thin_out(|plan| plan.sendings.len(), |plan, range| drop(plan.sendings.drain(range)));
        shrinker.thin_out(|plan| plan.instructions.len(), |plan, range| drop(plan.instructions.drain(range)));
        if shrinker.size() == before {
            return shrinker.shortest;
        }
    }
}

fn kind(plan: &Plan) -> Option<Discriminant<Broken>> {
    run(plan, Story::default()).broken.as_ref().map(discriminant)
}

struct Shrinker {
    wanted: Option<Discriminant<Broken>>,
    runs: u32,
    shortest: Plan,
}

impl Shrinker {
    fn size(&self) -> (usize, usize, usize) {
        (self.shortest.faults.len(), self.shortest.sendings.len(), self.shortest.instructions.len())
    }

    /// Takes out as much of one list as can go.
    fn thin_out(&mut self, len: fn(&Plan) -> usize, take_out: fn(&mut Plan, Range<usize>)) {
        let mut chunk = len(&self.shortest);
        while chunk > 0 {
            let mut from = 0;
            while from < len(&self.shortest) && self.runs < RUNS_MAX {
                let mut shorter = self.shortest.clone();
                take_out(&mut shorter, from..(from + chunk).min(len(&self.shortest)));
                self.runs += 1;
                if kind(&shorter) == self.wanted {
                    self.shortest = shorter;
                } else {
                    from += chunk;
                }
            }
            chunk /= 2;
        }
    }
}
