//! `vend report retry`: dead letters leave again, as they were.

use super::ask_person::{ask, can_ask};
use super::exit::Exit;
use super::failure::Failure;
use super::order_resolve::decide;
use super::output::{Output, OutputArgs};
use super::status::SocketArgs;
use super::warn;
use crate::control::Ask;
use crate::core::{Decision, DecisionError, Letters, OrderLine};
use crate::io::control_client::{self, AskError};
use crate::order::key::{Id, Key};
use crate::order::said::{InChinese as _, Said};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// Arguments of `vend report retry`.
#[derive(Debug, Clone, Args)]
pub struct RetryArgs {
    /// The order: ORDER_ID:RECORD_ID
    #[arg(id = "retried", value_name = "ORDER_ID:RECORD_ID", required_unless_present = "every_dead")]
    pub key: Option<Key>,
    /// The dead letters of all orders, one order after the other
    #[arg(id = "every_dead", long = "all", conflicts_with = "retried")]
    pub all: bool,
    /// Do not ask before all are sent
    #[arg(id = "yes_retry", long = "yes")]
    pub yes: bool,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What became of one order.
#[derive(Debug, Serialize)]
struct Retried {
    order_id: String,
    record_id: String,
    /// Why nothing of it leaves again.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<DecisionError>,
}

#[derive(Debug, Serialize)]
struct AllRetried {
    orders: Vec<Retried>,
}

/// Runs `vend report retry`.
///
/// # Errors
/// No confirmation, no daemon, no permission, no such order, or nothing that is dead.
pub fn run(args: &RetryArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let socket = &args.socket.socket;
    match &args.key {
        Some(key) => decide(socket, Decision::Retry { key: key.clone() }, out),
        None => all(args, out),
    }
}

fn all(args: &RetryArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let socket = &args.socket.socket;
    let mut keys = dead(socket)?;
    if keys.is_empty() {
        warn(out.lang.say("there are no dead letters", "没有死信"), "");
    } else {
        confirm(args, keys.len(), out)?;
    }
    let (mut seen, mut orders) = (BTreeSet::new(), Vec::new());
    // The list is bounded: what it shows after some were sent may be new. Nothing is sent twice.
    while !keys.is_empty() {
        for key in keys {
            orders.push(retry(socket, &key)?);
            seen.insert(key);
        }
        keys = dead(socket)?.into_iter().filter(|key| !seen.contains(key)).collect();
    }
    let is_refused = orders.iter().any(|order| order.refused.is_some());
    if out.is_json() {
        out.json(&AllRetried { orders })?;
    } else {
        let header = out.lang.say(["order", "became"], ["订单", "结果"]);
        let row = |order: &Retried| {
            let became = match order.refused {
                Some(why) => out.lang.pick(why.said()),
                None => out.lang.say("sent again", "已重发").to_owned(),
            };
            vec![format!("{}:{}", order.order_id, order.record_id), became]
        };
        let rows: Vec<Vec<String>> = orders.iter().map(row).collect();
        out.table(&header, &rows)?;
    }
    Ok(if is_refused { Exit::Refused } else { Exit::Done })
}

/// The orders with dead letters, as many as are shown at once.
fn dead(socket: &Path) -> Result<BTreeSet<Key>, Failure> {
    let letters: Letters = control_client::ask(socket, Ask::Reports)?;
    let dead = letters.letters.iter().filter(|letter| letter.state == "dead");
    let key = |order_id: &str, record_id: &str| {
        Some(Key { order_id: Id::read(order_id).ok()?, record_id: Id::read(record_id).ok()? })
    };
    Ok(dead.filter_map(|letter| key(&letter.order_id, &letter.record_id)).collect())
}

/// One order's. What is refused of it is told, and the others go on.
fn retry(socket: &Path, key: &Key) -> Result<Retried, Failure> {
    let answer: Result<OrderLine, AskError> =
        control_client::ask(socket, Ask::Decide(Decision::Retry { key: key.clone() }));
    let refused = match answer {
        Ok(_) => None,
        Err(AskError::Refused { refusal, .. }) if refusal.decision.is_some() => refusal.decision,
        Err(error) => return Err(error.into()),
    };
    Ok(Retried { order_id: key.order_id.to_string(), record_id: key.record_id.to_string(), refused })
}

/// The number of orders is typed: as many merchants may hear of old results at once.
fn confirm(args: &RetryArgs, count: usize, out: &Output<'_>) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let cancelled = |en: &str, zh: &str| Failure::told(Exit::Cancelled, Said::new(en, zh));
    if !can_ask() {
        return Err(cancelled(
            "the results of many orders will leave again, and there is nobody to ask: use --yes",
            "多个订单的结果将重新发出，而无人可询问：请使用 --yes",
        ));
    }
    let question = out.lang.say(
        format!("the dead letters of {count} orders will leave again. Type their number: "),
        format!("将重发 {count} 个订单的死信。请输入该数字确认："),
    );
    if ask(&question)?.parse() == Ok(count) {
        Ok(())
    } else {
        Err(cancelled("not confirmed; nothing was changed", "未确认；未作任何更改"))
    }
}
