//! `vend call` and `vend difference`: what stands between machine and platform, and what a person does about it.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::status::SocketArgs;
use crate::cli::usage::Misread;
use crate::control::{Ask, check_why};
use crate::core::words::About;
use crate::core::{Books, BooksAct, CallLine, DifferenceLine};
use crate::io::control_client;
use crate::order::key::Key;
use crate::order::local_time::show_date_time;
use crate::order::sync::Difference;
use clap::{Args, Subcommand};

/// What to do with calls.
#[derive(Debug, Clone, Subcommand)]
pub enum CallCommand {
    /// The calls that the platform refused for good, and those that it has not yet taken
    List(ListArgs),
    /// Send a call again that was refused for good, as it was; for root and the daemon's user
    Retry(RetryArgs),
    /// Give up a call that was refused for good; for root and the daemon's user
    Drop(DropArgs),
}

/// What to do with differences.
#[derive(Debug, Clone, Subcommand)]
pub enum DifferenceCommand {
    /// The orders that differ, and in what
    List(ListArgs),
    /// Ask the platform once more about one; for root and the daemon's user
    Ask(AskArgs),
    /// Take one on: it is shown no more; for root and the daemon's user
    Accept(AcceptArgs),
}

/// Whom to ask, and how to tell.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend call retry`.
#[derive(Debug, Clone, Args)]
pub struct RetryArgs {
    /// The call's number, as vend call list shows it
    #[arg(value_name = "NUMBER")]
    pub number: u64,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub list: ListArgs,
}

/// Arguments of `vend call drop`.
#[derive(Debug, Clone, Args)]
pub struct DropArgs {
    /// The call's number, as vend call list shows it
    #[arg(value_name = "NUMBER")]
    pub number: u64,
    /// Why; kept in the audit
    #[arg(long, value_name = "TEXT", value_parser = read_reason)]
    pub reason: String,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub list: ListArgs,
}

/// Arguments of `vend difference ask`.
#[derive(Debug, Clone, Args)]
pub struct AskArgs {
    /// The order: ORDER_ID:RECORD_ID, as vend difference list shows it
    #[arg(id = "differing", value_name = "ORDER_ID:RECORD_ID")]
    pub key: Key,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub list: ListArgs,
}

/// Arguments of `vend difference accept`.
#[derive(Debug, Clone, Args)]
pub struct AcceptArgs {
    /// The order: ORDER_ID:RECORD_ID, as vend difference list shows it
    #[arg(id = "differing", value_name = "ORDER_ID:RECORD_ID")]
    pub key: Key,
    /// Why; kept in the audit
    #[arg(long, value_name = "TEXT", value_parser = read_reason)]
    pub reason: String,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub list: ListArgs,
}

pub(super) fn read_reason(text: &str) -> Result<String, Misread> {
    check_why(text.trim()).map(|()| text.trim().to_owned()).map_err(Misread)
}

impl CallCommand {
    fn list(&self) -> &ListArgs {
        match self {
            CallCommand::List(list) => list,
            CallCommand::Retry(args) => &args.list,
            CallCommand::Drop(args) => &args.list,
        }
    }

    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        self.list().output
    }
}

impl DifferenceCommand {
    fn list(&self) -> &ListArgs {
        match self {
            DifferenceCommand::List(list) => list,
            DifferenceCommand::Ask(args) => &args.list,
            DifferenceCommand::Accept(args) => &args.list,
        }
    }

    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        self.list().output
    }
}

/// Has it done if something is to be done, and brings both lists as they are then.
fn ask(list: &ListArgs, act: Option<BooksAct>) -> Result<Books, Failure> {
    let question = act.map_or(Ask::Books, Ask::BooksAct);
    Ok(control_client::ask(&list.socket.socket, question)?)
}

/// Runs `vend call …`.
///
/// # Errors
/// No daemon, no permission, no such call, one that was not refused, or a standard output that takes no more.
pub fn run_call(command: &CallCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let act = match command {
        CallCommand::List(_) => None,
        CallCommand::Retry(args) => Some(BooksAct::Retry { number: args.number }),
        CallCommand::Drop(args) => Some(BooksAct::Drop { number: args.number, reason: args.reason.clone() }),
    };
    let books = ask(command.list(), act)?;
    if out.is_json() {
        out.json(&books)?;
    } else {
        let header = out
            .lang
            .say(["no", "made (GMT+8)", "state", "tries", "what"], ["编号", "产生 (GMT+8)", "状态", "次数", "内容"]);
        let rows: Vec<Vec<String>> = books.calls.iter().map(|line| row(line, out.lang)).collect();
        out.table(&header, &rows)?;
    }
    Ok(Exit::Done)
}

/// One call.
pub(super) fn row(line: &CallLine, lang: Lang) -> Vec<String> {
    vec![
        line.number.to_string(),
        show_date_time(line.made_at_s),
        copy_state(&line.state, line.reason.as_deref(), lang),
        line.attempts.to_string(),
        lang.say(&line.what, &line.what_zh).clone(),
    ]
}

/// Runs `vend difference …`.
///
/// # Errors
/// No daemon, no permission, no such difference, or a standard output that takes no more.
pub fn run_difference(command: &DifferenceCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let act = match command {
        DifferenceCommand::List(_) => None,
        DifferenceCommand::Ask(args) => Some(BooksAct::Ask { key: args.key.clone() }),
        DifferenceCommand::Accept(args) => {
            Some(BooksAct::Accept { key: args.key.clone(), reason: args.reason.clone() })
        }
    };
    let books = ask(command.list(), act)?;
    if out.is_json() {
        out.json(&books)?;
    } else {
        let header = out.lang.say(["order", "difference", "meaning"], ["订单", "不一致", "含义"]);
        let rows: Vec<Vec<String>> = books.differences.iter().map(|line| differing(line, out.lang)).collect();
        out.table(&header, &rows)?;
    }
    Ok(Exit::Done)
}

/// One difference.
pub(super) fn differing(line: &DifferenceLine, lang: Lang) -> Vec<String> {
    let order = format!("{}:{}", line.order_id, line.record_id);
    vec![order, lang.word(About::Difference, &line.difference), meaning(&line.difference, lang).to_owned()]
}

/// What a difference says, for somebody who has to do something about it.
fn meaning(difference: &str, lang: Lang) -> &'static str {
    let Some(difference) = Difference::ALL.into_iter().find(|known| known.as_str() == difference) else {
        return lang.say("see the documentation", "请查阅文档");
    };
    match difference {
        Difference::NotHeard => lang.say("the platform still waits for the result", "平台仍在等待结果"),
        Difference::ServedNotKnown => lang.say("served here; the platform gave it up", "本机已出货；平台已放弃"),
        Difference::ServedRefunded => lang.say("served here; the money went back", "本机已出货；款项已退"),
        Difference::ServedUnpaid => lang.say("served here; not paid there", "本机已出货；平台显示未付款"),
        Difference::BookedServed => {
            lang.say("booked as served; it was not, or nobody knows", "平台记为已出货；本机未出货或未知")
        }
        Difference::NotRefunded => lang.say("nothing was served, and the money did not go back", "未出货，款项未退"),
        Difference::NotThere => lang.say("the platform does not know the order", "平台没有此订单"),
        Difference::Unreadable => lang.say("the platform says a word that nobody documents", "平台的状态无法识别"),
        Difference::NotAsked => lang.say("the platform could not be asked for a week", "一周内无法询问平台"),
    }
}

/// Where a copy or a call stands, and why it is dead.
pub(super) fn copy_state(state: &str, reason: Option<&str>, lang: Lang) -> String {
    let state = About::Copy.said(state);
    lang.pick(match reason {
        Some(reason) => state.then(&About::Dead.said(reason)),
        None => state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_with_why_it_is_dead() {
        let line = CallLine {
            number: 7,
            what: "call 7 about order 60: to be refunded".to_owned(),
            what_zh: "通知 7（订单 60）：应退款".to_owned(),
            made_at_s: 1_714_373_690,
            state: "dead".to_owned(),
            attempts: 10,
            reason: Some("status 404".to_owned()),
        };
        assert_eq!(row(&line, Lang::En)[..4], ["7", "2024-04-29 14:54:50", "dead: status 404", "10"]);
        assert_eq!(row(&line, Lang::Zh)[2..], ["死信：状态码 404", "10", "通知 7（订单 60）：应退款"]);
    }
}
