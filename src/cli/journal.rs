//! `vend journal`: looking into a journal that nobody uses, and ending a quarantine.

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use super::{order, warn};
use crate::core::OrderLine;
use crate::io::clock::Clock;
use crate::io::journal::{self, AcceptError, InspectError, Inspected, OpenError};
use crate::order::life::Order;
use crate::order::record::{self, Records};
use crate::order::said::{InChinese as _, Said, said};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::io;
use std::path::PathBuf;

/// What to do with a journal.
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// The orders of a state directory that no daemon uses, without changing it; exit 1 if anything is wrong with it
    Dump(DumpArgs),
    /// What is unfinished in a state directory that no daemon uses; exit 5 if anything is, 1 if it is damaged
    Unfinished(DumpArgs),
    /// The number of the journal's format that this program writes; it reads older ones
    Format,
    /// End a quarantine: the damaged journal is set aside, the next start makes a new one
    AcceptLoss(AcceptLossArgs),
    /// Say that a journal that was cloned, restored or moved belongs where it lies now; its orders and results are kept
    AcceptMove(AcceptLossArgs),
}

/// The state directory.
#[derive(Debug, Clone, Args)]
pub struct DirectoryArgs {
    /// The state directory
    #[arg(long, value_name = "DIR", default_value = crate::config::file::STATE_DIRECTORY_DEFAULT)]
    pub directory: PathBuf,
}

/// Arguments of `vend journal dump` and `vend journal unfinished`.
#[derive(Debug, Clone, Args)]
pub struct DumpArgs {
    /// Which journal.
    #[command(flatten)]
    pub place: DirectoryArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend journal accept-loss` and `vend journal accept-move`.
#[derive(Debug, Clone, Args)]
pub struct AcceptLossArgs {
    /// Which journal.
    #[command(flatten)]
    pub place: DirectoryArgs,
    /// Why it is accepted; kept for the audit
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

impl JournalCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        match self {
            JournalCommand::Dump(args) | JournalCommand::Unfinished(args) => args.output,
            JournalCommand::Format | JournalCommand::AcceptLoss(_) | JournalCommand::AcceptMove(_) => {
                OutputArgs::default()
            }
        }
    }
}

/// Runs `vend journal …`.
///
/// # Errors
/// A directory in use or without a journal, no quarantine to end, or a standard output that takes no more.
pub fn run(command: &JournalCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        JournalCommand::Dump(args) => dump(args, out),
        JournalCommand::Unfinished(args) => unfinished(args, out),
        JournalCommand::Format => {
            out.line(&record::FORMAT.to_string())?;
            Ok(Exit::Done)
        }
        JournalCommand::AcceptLoss(args) => accept_loss(args, out),
        JournalCommand::AcceptMove(args) => accept_move(args, out),
    }
}

fn dump(args: &DumpArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let Found { orders, complaints, .. } = read(journal::read_copy(&args.place.directory).map_err(cannot_inspect)?);
    let lines: Vec<OrderLine> = orders.iter().map(OrderLine::of).collect();
    if out.is_json() {
        for line in &lines {
            out.json(line)?;
        }
    } else {
        order::table(&lines, out)?;
    }
    out.finish()?;
    complain(&complaints, out);
    Ok(if complaints.is_empty() { Exit::Done } else { Exit::Failed })
}

fn complain(complaints: &[Said], out: &Output<'_>) {
    for complaint in complaints {
        warn(&out.lang.pick(complaint.clone()), out.lang.say("damage: ", "损坏："));
    }
}

/// What would be lost with the directory: orders whose results are not taken, and what the platform is still to be told.
#[derive(Serialize)]
struct Unfinished {
    /// Orders that are not final.
    orders: usize,
    /// Orders with a result that is not taken.
    results: usize,
    /// Calls, as of refunds, that the platform did not take.
    calls: usize,
}

fn unfinished(args: &DumpArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let found = read(journal::read_copy(&args.place.directory).map_err(cannot_inspect)?);
    let count = |is: fn(&Order) -> bool| found.orders.iter().filter(|order| is(order)).count();
    let left = Unfinished {
        orders: count(|order| !order.is_final()),
        results: count(|order| order.is_final() && order.has_open_copy()),
        calls: found.calls,
    };
    if out.is_json() {
        out.json(&left)?;
    } else {
        let Unfinished { orders, results, calls } = &left;
        out.line(&out.lang.say(
            format!("orders not final: {orders}, results not taken: {results}, calls not taken: {calls}"),
            format!("未完成的订单：{orders}，未送达的结果：{results}，未送达的通知：{calls}"),
        ))?;
    }
    out.finish()?;
    complain(&found.complaints, out);
    Ok(match left {
        _ if !found.complaints.is_empty() => Exit::Failed,
        Unfinished { orders: 0, results: 0, calls: 0 } => Exit::Done,
        Unfinished { .. } => Exit::Refused,
    })
}

/// What a journal holds.
struct Found {
    /// All orders that can be read, oldest first.
    orders: Vec<Order>,
    /// Calls that were not taken.
    calls: usize,
    /// Whatever is wrong or not to be explained.
    complaints: Vec<Said>,
}

fn read(inspected: Inspected) -> Found {
    let Inspected { damage, records, meta } = inspected;
    let mut complaints: Vec<Said> = damage.map(|damage| damage.said()).into_iter().collect();
    let mut all = Records::default();
    for (key, value) in &records {
        if let Err(error) = all.take(key, value) {
            complaints.push(said!(
                "the record under {key} is none of ours: {error}",
                "键 {key} 下的记录无法识别：{error}",
                error; key = key.escape_ascii()
            ));
        }
    }
    // One that tells a state is no loss: whoever asks again gets the state of then.
    let calls = all.calls.iter().filter(|call| call.is_open() && !call.call.newest_wins).count();
    let mut orders = all.orders;
    orders.sort_by_key(|order| order.arrival_number);
    match meta.as_deref().map(record::decode_ledger) {
        Some(Ok(_)) => {}
        Some(Err(error)) => {
            complaints.push(said!("the ledger does not read: {error}", "总账无法读取：{error}", error));
        }
        None if records.is_empty() => {}
        None => complaints.push(said!("there are records and no ledger", "有记录而没有总账")),
    }
    Found { orders, calls, complaints }
}

fn accept_loss(args: &AcceptLossArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now = Clock::new().now().wall;
    let folder = journal::accept_loss(&args.place.directory, &args.reason, now).map_err(cannot_accept)?;
    let folder = folder.display();
    out.line(&out.lang.say(
        format!("the damaged journal is in {folder}; the next start makes a new one"),
        format!("已损坏的日志移至 {folder}；下次启动将建立新日志"),
    ))?;
    Ok(Exit::Done)
}

fn accept_move(args: &AcceptLossArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now = Clock::new().now().wall;
    journal::accept_move(&args.place.directory, &args.reason, now).map_err(cannot_accept)?;
    out.line(out.lang.say(
        "the journal belongs here now; orders issued before the next start are not driven, results are still told",
        "日志现归属此处；下次启动前下达的订单不再出货，结果仍会上报",
    ))?;
    Ok(Exit::Done)
}

fn cannot_inspect(error: InspectError) -> Failure {
    let exit = match &error {
        InspectError::InUse { .. } => Exit::Refused,
        InspectError::Absent { .. } => Exit::NotFound,
        InspectError::Copy { source, .. } | InspectError::Open(OpenError::Io { source, .. }) => of_io(source),
        InspectError::Open(_) => Exit::Failed,
    };
    Failure::of(exit, &error)
}

fn cannot_accept(error: AcceptError) -> Failure {
    let exit = match &error {
        AcceptError::InUse { .. } | AcceptError::NotQuarantined { .. } | AcceptError::NotMoved { .. } => Exit::Refused,
        AcceptError::NoReason => Exit::Usage,
        AcceptError::Io { source, .. } => of_io(source),
    };
    Failure::of(exit, &error)
}

fn of_io(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::NoPermission,
        _ => Exit::Failed,
    }
}
