//! The deterministic simulation of the whole core as it ships: the real core and drivers against emulated boards, with
//! a clock, a disk, a line, a broker, receivers and a cloud that fail on purpose. Pure: one seed replays one run.
//!
//! | file | subject |
//! |---|---|
//! | `plan` | what a seed means: orders, messages, faults |
//! | `stage` | the run: an agenda, the core, what carries its effects out |
//! | `disk`, `line`, `broker`, `outside` | the models of what surrounds the core |
//! | `judge` | the promise, held against what really happened |
//! | `shrink` | a failing run told with less |
//! | `story` | the time line for a person |

mod broker;
mod disk;
mod judge;
mod line;
mod outside;
pub mod plan;
mod shrink;
mod stage;
mod story;

pub use judge::Broken;
pub use plan::Plan;
pub use shrink::shortened;
pub use story::Story;

use stage::Stage;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What broke the promise, if anything did.
    pub broken: Option<Broken>,
    /// Its time line, if it was to be told.
    pub story: Story,
    /// Orders of the plan.
    pub orders: usize,
    /// Motor turns.
    pub turns: usize,
    /// Times that the agent lost its life to a cut, the board's own cuts apart.
    pub cuts: usize,
    /// Times that the board alone lost its power.
    pub board_cuts: usize,
    /// Units whose last report says unknown.
    pub unknown: usize,
}

/// Runs a plan. `story` is [`Story::told`] if somebody will read it.
#[must_use]
pub fn run(plan: &Plan, story: Story) -> Run {
    let mut run = Run {
        broken: None,
        story: Story::default(),
        orders: plan.orders.len(),
        turns: 0,
        cuts: 0,
        board_cuts: 0,
        unknown: 0,
    };
    match Stage::new(plan, story) {
        Ok(mut stage) => {
            let ended = catch_unwind(AssertUnwindSafe(|| stage.run()));
            run.broken = ended.unwrap_or_else(|panic| Err(Broken::Panic(text_of(panic.as_ref())))).err();
            (run.turns, run.cuts, run.unknown) = (stage.judge.turns(), stage.cuts, stage.judge.unknown());
            run.board_cuts = stage.board_cuts;
            run.story = stage.story;
        }
        Err(broken) => run.broken = Some(broken),
    }
    run
}

/// Runs a plan without one clause of a rule: what the proof must notice.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn run_without(plan: &Plan, clause: crate::sabotage::Clause, story: Story) -> Run {
    let _out = crate::sabotage::Without::new(clause);
    run(plan, story)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words").to_owned()
}

/// Everything that a person needs to find the cause of a failing seed: nothing when it holds.
#[must_use]
pub fn failure_of(plan: &Plan) -> Option<String> {
    run(plan, Story::default()).broken?;
    let plan = shortened(plan);
    let Run { broken, story, .. } = run(&plan, Story::told());
    let broken = broken.map(|b| b.to_string()).unwrap_or_default();
    let faults: String = plan.faults.iter().map(|fault| format!("  {fault}\n")).collect();
    let (seed, life, board) = (plan.seed, plan.life, plan.profile);
    Some(format!(
        "seed {seed}, a life of kind {life:?}, board {board}: {broken}\nfaults that are needed:\n{faults}{story}"
    ))
}
