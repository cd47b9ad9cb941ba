//! `vend demo`: a machine for a minute. The real agent, killed in mid-vend, between a broker, a board, a merchant and
//! a cloud that watch it. What they saw is held against the promise.
//!
//! | file | subject |
//! |---|---|
//! | `script` | what happens to each order |
//! | `director` | sends, shows, keeps, waits |
//! | `cast` | who plays: witnesses in this process, the agent as a child |
//! | `broker` | MQTT with kept sessions, and a witness |
//! | `evidence` | what the witnesses saw |
//! | `verdict` | was the promise kept? |
//! | `stage` | where the audience looks |

mod broker;
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
use crate::order::said::said;
use cast::Cast;
use director::{Cut, Director};
use evidence::Record;
use stage::{Closed, Stage};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;
use verdict::Played;

/// The machine's journal is so old, in s: older than its oldest command.
const IN_SERVICE_S: u64 = 86_400;

/// Plays, shows the table, and says whether the promise was kept.
///
/// # Errors
/// When the play cannot begin, or nobody reads any more.
pub fn play(lang: Lang) -> Result<Exit, Failure> {
    let cannot_begin = |error: std::io::Error| {
        Failure::told(Exit::Failed, said!("the demonstration cannot begin: {error}", "演示无法开始：{error}", error))
    };
    let directory = tempfile::Builder::new().prefix("vend-demo-").tempdir().map_err(cannot_begin)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot_begin)?;
    LocalSet::new().block_on(&runtime, async {
        let mut stage = Stage::new(lang);
        stage.line(lang.say(
            "The promise: for a paid order at most one motor turn per unit, and always one final result for the merchant.",
            "承诺：每个已付款商品电机至多转动一次，且必有一个最终结果送达商户。",
        ))?;
        let mut clock = Clock::new();
        let since_s = clock.now().wall.seconds().saturating_sub(IN_SERVICE_S);
        let cast = Cast::enter(directory.path(), since_s).await.map_err(cannot_begin)?;
        let mut stop = Stop::new().map_err(cannot_begin)?;
        let mut director = Director::new(cast, stage, clock);
        let played = tokio::select! {
            played = script::play(&mut director) => played,
            // The agent is killed and the directory removed on the way out.
            () = stop.asked() => return Ok(Exit::Interrupted),
        };
        let log = director.cast.agent.last_words();
        conclude(&mut director.stage, &director.played, &director.record, played, &log)
    })
}

/// The ways to be asked to stop. Left to themselves they would end this process and leave the agent behind.
struct Stop([Signal; 3]);

impl Stop {
    fn new() -> std::io::Result<Stop> {
        let [interrupt, terminate, hangup] = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Ok(Stop([signal(interrupt)?, signal(terminate)?, signal(hangup)?]))
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The table and the verdict.
fn conclude(
    stage: &mut Stage,
    orders: &[Played],
    record: &Record,
    played: Result<(), Cut>,
    log: &str,
) -> Result<Exit, Failure> {
    let lang = stage.lang;
    let (table, all_kept) = verdict::table(orders, record, lang, stage.colour);
    stage.line(&format!("\n{table}"))?;
    match played {
        Ok(()) if all_kept => {
            let (turns, orders) = (record.turns.len(), orders.len());
            stage.line(&lang.say(
                format!(
                    "The promise was kept: {orders} orders, {turns} motor turns, each one paid for, every result told."
                ),
                format!("守住承诺：{orders} 个订单，电机转动 {turns} 次，次次有据，结果全部送达。"),
            ))?;
            return Ok(Exit::Done);
        }
        Ok(()) => stage.line(lang.say("THE PROMISE WAS BROKEN.", "承诺被违背。"))?,
        Err(Cut::Closed(closed)) => return Err(closed.into()),
        Err(cut) => stage.line(&lang.pick(said!("The play was cut short: {cut}", "演示中断：{cut}", cut)))?,
    }
    if !log.is_empty() {
        stage.line(lang.say("The end of the agent's log:", "代理程序日志的末尾："))?;
        stage.line(log)?;
    }
    Ok(Exit::Failed)
}

impl From<Closed> for Failure {
    fn from(Closed(error): Closed) -> Failure {
        Failure::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::time::BootMs;
    use crate::sim::board::Turn;
    use verdict::Expected;

    fn forgery() -> Played {
        Played {
            order_id: "1".to_owned(),
            title: "wrong signature",
            slot: 5,
            forbidden_slot: None,
            expected: Expected::Silence,
            hung_up: 0,
        }
    }

    #[test]
    fn only_a_whole_play_with_every_promise_kept_ends_well() {
        let turn = Turn { at: BootMs(1), wire_address: 1, slot: 5, dropped: true };
        let kept = Record::default();
        let broken = Record { turns: vec![turn], ..Record::default() };
        let cut = || Err(Cut::Waited { what: said!("a result", "结果") });
        for (record, played, exit, word) in [
            (&kept, Ok(()), Exit::Done, "The promise was kept: 1 orders"),
            (&broken, Ok(()), Exit::Failed, "THE PROMISE WAS BROKEN"),
            (&kept, cut(), Exit::Failed, "cut short: waited 60 s in vain for a result"),
            (&broken, cut(), Exit::Failed, "cut short"),
        ] {
            let (mut stage, seen) = stage::tests::stage(Lang::En, false);
            assert_eq!(conclude(&mut stage, &[forgery()], record, played, "a log").unwrap(), exit);
            let text = seen.text();
            assert!(text.contains(word), "{text}");
            assert_eq!(text.contains("a log"), exit == Exit::Failed, "{text}");
        }
    }
}
