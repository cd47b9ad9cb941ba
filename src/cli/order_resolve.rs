//! `vend order resolve`: a person says what became of an order in doubt.

use super::ask_person::{ask, can_ask};
use super::books::read_reason;
use super::exit::Exit;
use super::failure::Failure;
use super::order::table;
use super::output::{Output, OutputArgs};
use super::status::SocketArgs;
use crate::control::Ask;
use crate::core::{Decision, OrderLine, Verdict};
use crate::io::control_client;
use crate::order::key::Key;
use crate::order::said::Said;
use clap::{Args, ValueEnum};
use std::path::Path;

/// Arguments of `vend order resolve`.
#[derive(Debug, Clone, Args)]
pub struct ResolveArgs {
    /// The order: ORDER_ID:RECORD_ID
    #[arg(value_name = "ORDER_ID:RECORD_ID")]
    pub key: Key,
    /// What became of it: dispensed, failed or unknown (for good)
    #[arg(id = "verdict", long = "as", value_name = "OUTCOME", value_enum, hide_possible_values = true)]
    pub verdict: Word,
    /// Why you believe it; kept in the audit
    #[arg(id = "why", long = "reason", value_name = "TEXT", value_parser = read_reason)]
    pub reason: String,
    /// Do not ask: the report leaves at once
    #[arg(id = "yes_decided", long = "yes")]
    pub yes: bool,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What became of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Word {
    /// The customer has the goods.
    Dispensed,
    /// The goods are still there.
    Failed,
    /// Nobody will ever know.
    Unknown,
}

impl Word {
    const fn verdict(self) -> Verdict {
        match self {
            Word::Dispensed => Verdict::Dispensed,
            Word::Failed => Verdict::Failed,
            Word::Unknown => Verdict::Unknown,
        }
    }
}

/// Runs `vend order resolve`.
///
/// # Errors
/// No confirmation, no daemon, no permission, an order that is not in doubt or may still turn.
pub fn run(args: &ResolveArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let verdict = args.verdict.verdict();
    if !args.yes {
        let (key, word) = (&args.key, verdict.as_str());
        let question = out.lang.say(
            format!("the merchant will be told that order {key} is {word}, for good. Type the order's key: "),
            format!("商户将被告知订单 {key} 的最终结果为 {word}。请输入订单号确认："),
        );
        confirm(key, &question)?;
    }
    let decision = Decision::Resolve { key: args.key.clone(), verdict, reason: args.reason.clone() };
    decide(&args.socket.socket, decision, out)
}

/// Has it decided, and shows the order after it.
pub(super) fn decide(socket: &Path, decision: Decision, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let order: OrderLine = control_client::ask(socket, Ask::Decide(decision))?;
    if out.is_json() {
        out.json(&order)?;
    } else {
        table(&[order], out)?;
    }
    Ok(Exit::Done)
}

/// The order's key is typed once more: what the merchant is told cannot be taken back.
fn confirm(key: &Key, question: &str) -> Result<(), Failure> {
    let cancelled = |en: &str, zh: &str| Failure::told(Exit::Cancelled, Said::new(en, zh));
    if !can_ask() {
        return Err(cancelled(
            "this is told to the merchant for good, and there is nobody to ask: use --yes",
            "结果将告知商户且不可撤回，而无人可询问：请使用 --yes",
        ));
    }
    if ask(question)? == key.to_string() {
        Ok(())
    } else {
        Err(cancelled("not confirmed; nothing was changed", "未确认；未作任何更改"))
    }
}
