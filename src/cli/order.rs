//! `vend order`: what the daemon has in hand, the course of one order, and what became of one in doubt.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::order_resolve::{self, ResolveArgs};
use super::order_show::{self, ShowArgs};
use super::output::{Output, OutputArgs};
use super::status::SocketArgs;
use crate::control::{Ask, Orders};
use crate::core::words::About;
use crate::core::{OrderLine, ReportLine};
use crate::io::control_client;
use clap::{Args, Subcommand};

/// What to do with orders.
#[derive(Debug, Clone, Subcommand)]
pub enum OrderCommand {
    /// The orders that are not settled or not as the platform's books say, oldest first
    List(ListArgs),
    /// The course of one order: every state, message, frame and try to report it
    Show(ShowArgs),
    /// Say what became of an order in doubt; a report of it leaves, no motor turns; for root and the daemon's user
    Resolve(ResolveArgs),
}

/// Arguments of `vend order list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl OrderCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        match self {
            OrderCommand::List(args) => args.output,
            OrderCommand::Show(args) => args.output,
            OrderCommand::Resolve(args) => args.output,
        }
    }
}

/// Runs `vend order …`.
///
/// # Errors
/// No daemon, no permission, or a standard output that takes no more.
pub fn run(command: &OrderCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let args = match command {
        OrderCommand::List(args) => args,
        OrderCommand::Show(args) => return order_show::run(args, out),
        OrderCommand::Resolve(args) => return order_resolve::run(args, out),
    };
    let orders: Orders = control_client::ask(&args.socket.socket, Ask::Orders)?;
    if out.is_json() {
        out.json(&orders)?;
    } else {
        table(&orders.orders, out)?;
    }
    Ok(Exit::Done)
}

/// Orders for people, one a row.
pub(super) fn table(orders: &[OrderLine], out: &mut Output<'_>) -> std::io::Result<()> {
    let header = out
        .lang
        .say(["order_id", "record_id", "state", "units", "reports"], ["order_id", "record_id", "状态", "商品", "上报"]);
    let rows: Vec<Vec<String>> = orders.iter().map(|order| row(order, out.lang)).collect();
    out.table(&header, &rows)
}

pub(super) fn row(order: &OrderLine, lang: Lang) -> Vec<String> {
    let report = |report: &ReportLine| {
        let state = lang.word(About::Copy, &report.state);
        match report.attempts {
            0 => state,
            n => lang.say(format!("{state} ({n} tries)"), format!("{state}（{n} 次尝试）")),
        }
    };
    vec![
        order.order_id.clone(),
        order.record_id.clone(),
        state_of(order, lang),
        units_of(order, lang),
        lang.list(order.reports.iter().map(report)),
    ]
}

/// Where an order stands, and whether the platform's books say otherwise.
fn state_of(order: &OrderLine, lang: Lang) -> String {
    let state = lang.word(About::Order, &order.state);
    match order.difference.as_deref().map(|difference| lang.word(About::Difference, difference)) {
        Some(difference) => {
            lang.say(format!("{state}, differs: {difference}"), format!("{state}，与平台不一致：{difference}"))
        }
        None => state,
    }
}

/// What became of each unit, or where it stands.
pub(super) fn units_of(order: &OrderLine, lang: Lang) -> String {
    lang.list(order.units.iter().map(|unit| lang.pick(unit.said())))
}
