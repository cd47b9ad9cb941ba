//! `vend journal`: looking into a journal that nobody uses, and ending a quarantine.

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use super::{order, warn};
use crate::config::problem::Both;
use crate::core::OrderLine;
use crate::io::clock::Clock;
use crate::io::journal::{self, AcceptError, InspectError, Inspected, OpenError};
use crate::order::life::Order;
use crate::order::record::{self, Records};
use clap::{Args, Subcommand};
use std::io;
use std::path::PathBuf;

/// What to do with a journal.
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// The orders of a state directory that no daemon uses, without changing it; exit 1 if anything is wrong with it
    Dump(DumpArgs),
    /// End a quarantine: the damaged journal is set aside, the next start makes a new one
    AcceptLoss(AcceptLossArgs),
}

/// The state directory.
#[derive(Debug, Clone, Args)]
pub struct DirectoryArgs {
    /// The state directory
    #[arg(long, value_name = "DIR", default_value = crate::config::file::STATE_DIRECTORY_DEFAULT)]
    pub directory: PathBuf,
}

/// Arguments of `vend journal dump`.
#[derive(Debug, Clone, Args)]
pub struct DumpArgs {
    /// Which journal.
    #[command(flatten)]
    pub place: DirectoryArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend journal accept-loss`.
#[derive(Debug, Clone, Args)]
pub struct AcceptLossArgs {
    /// Which journal.
    #[command(flatten)]
    pub place: DirectoryArgs,
    /// Why the loss is accepted; kept for the audit
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

impl JournalCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        match self {
            JournalCommand::Dump(args) => args.output,
            JournalCommand::AcceptLoss(_) => OutputArgs::default(),
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
        JournalCommand::AcceptLoss(args) => accept_loss(args, out),
    }
}

fn dump(args: &DumpArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let (orders, complaints) = read(journal::read_copy(&args.place.directory).map_err(cannot_inspect)?);
    let lines: Vec<OrderLine> = orders.iter().map(OrderLine::of).collect();
    if out.is_json() {
        for line in &lines {
            out.json(line)?;
        }
    } else {
        order::table(&lines, out)?;
    }
    out.finish()?;
    for complaint in &complaints {
        warn(&out.lang.pick(complaint.clone()), out.lang.say("damage: ", "损坏："));
    }
    Ok(if complaints.is_empty() { Exit::Done } else { Exit::Failed })
}

/// All orders that can be read, oldest first, and whatever is wrong or not to be explained.
fn read(inspected: Inspected) -> (Vec<Order>, Vec<Both>) {
    let Inspected { damage, records, meta } = inspected;
    let mut complaints: Vec<Both> =
        damage.map(|damage| Both::new(damage.to_string(), damage.to_string())).into_iter().collect();
    let mut all = Records::default();
    for (key, value) in &records {
        if let Err(error) = all.take(key, value) {
            let key = key.escape_ascii();
            complaints.push(Both::new(
                format!("the record under {key} is none of ours: {error}"),
                format!("键 {key} 下的记录无法识别：{error}"),
            ));
        }
    }
    let mut orders = all.orders;
    orders.sort_by_key(|order| order.arrival_number);
    match meta.as_deref().map(record::decode_ledger) {
        Some(Ok(_)) => {}
        Some(Err(error)) => {
            complaints.push(Both::new(format!("the ledger does not read: {error}"), format!("总账无法读取：{error}")));
        }
        None if records.is_empty() => {}
        None => complaints.push(Both::new("there are records and no ledger", "有记录而没有总账")),
    }
    (orders, complaints)
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

fn cannot_inspect(error: InspectError) -> Failure {
    let exit = match &error {
        InspectError::InUse { .. } => Exit::Refused,
        InspectError::Absent { .. } => Exit::NotFound,
        InspectError::Copy { source, .. } | InspectError::Open(OpenError::Io { source, .. }) => of_io(source),
        InspectError::Open(_) => Exit::Failed,
    };
    Failure::told(exit, &error, format!("日志无法读取：{error}"))
}

fn cannot_accept(error: AcceptError) -> Failure {
    let exit = match &error {
        AcceptError::InUse { .. } | AcceptError::NotQuarantined { .. } => Exit::Refused,
        AcceptError::NoReason => Exit::Usage,
        AcceptError::Io { source, .. } => of_io(source),
    };
    Failure::told(exit, &error, format!("未作任何更改：{error}"))
}

fn of_io(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::NoPermission,
        _ => Exit::Failed,
    }
}
