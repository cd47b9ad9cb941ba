//! `vend demo`: a machine for a minute. The real agent, killed in mid-vend, between a broker, a board, a merchant and
//! a cloud that watch it. What they saw is held against the promise.
//!
//! | file | subject |
//! |---|---|
//! | `script` | what happens to each order |
//! | `director` | sends, shows, keeps, waits |
//! | `cast` | who plays: witnesses in this process, the agent as a child |
//! | `evidence` | what the witnesses saw |
//! | `verdict` | was the promise kept? |
//! | `stage` | where the audience looks |

mod cast;
mod director;
mod evidence;
mod script;
mod stage;
mod verdict;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::lang::Lang;
use crate::io::clock::Clock;
use cast::Cast;
use director::{Cut, Director};
use stage::Stage;
use tokio::task::LocalSet;

/// The machine's journal is so old, in s: older than its oldest command.
const IN_SERVICE_S: u64 = 86_400;

/// Plays, shows the table, and says whether the promise was kept.
///
/// # Errors
/// When the play cannot begin, or nobody reads any more.
pub fn play(lang: Lang) -> Result<Exit, Failure> {
    let directory = tempfile::Builder::new().prefix("vend-demo-").tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let stage = Stage::new(lang);
        stage.line(lang.say(
            "The promise: for a paid order at most one motor turn per unit, and always one final result for the merchant.",
            "承诺：每个已付款商品电机至多转动一次，且必有一个最终结果送达商户。",
        ))?;
        let mut clock = Clock::new();
        let since_s = clock.now().wall.seconds().saturating_sub(IN_SERVICE_S);
        let cast = Cast::enter(directory.path(), since_s).await?;
        let mut director = Director::new(cast, stage, clock);
        let played = tokio::select! {
            played = script::play(&mut director) => played,
            // The child dies with this process; the directory goes.
            interrupted = tokio::signal::ctrl_c() => { interrupted?; return Ok(Exit::Interrupted) }
        };
        conclude(&director, played)
    })
}

fn conclude(director: &Director, played: Result<(), Cut>) -> Result<Exit, Failure> {
    let Director { cast, stage, record, played: orders, .. } = director;
    let lang = stage.lang;
    let (table, all_kept) = verdict::table(orders, record, lang, stage.colour);
    stage.line(&format!("\n{table}"))?;
    if let Err(cut) = played {
        if let Cut::Io(error) = cut {
            return Err(error.into());
        }
        stage.line(&lang.say(format!("The play was cut short: {cut}"), format!("演示中断：{cut}")))?;
        stage.line(&lang.say("The end of the agent's log:", "代理程序日志的末尾："))?;
        stage.line(&cast.agent.last_words())?;
        return Ok(Exit::Failed);
    }
    let (turns, orders) = (record.turns.len(), orders.len());
    if all_kept {
        stage.line(&lang.say(
            format!(
                "The promise was kept: {orders} orders, {turns} motor turns, each one paid for, every result told."
            ),
            format!("守住承诺：{orders} 个订单，电机转动 {turns} 次，次次有据，结果全部送达。"),
        ))?;
        Ok(Exit::Done)
    } else {
        stage.line(lang.say("THE PROMISE WAS BROKEN.", "承诺被违背。"))?;
        Ok(Exit::Failed)
    }
}
