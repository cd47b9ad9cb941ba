//! `vend cloud faults`: the payments that course could not be told of, as its document demands that they are kept.

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::output::{Output, OutputArgs};
use super::super::status::SocketArgs;
use crate::control::Ask;
use crate::core::{FaultLine, FaultLines};
use crate::io::control_client;
use crate::order::local_time::show_date_time;
use clap::Args;

/// Arguments of `vend cloud faults`.
#[derive(Debug, Clone, Args)]
pub struct FaultsArgs {
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Shows the log, oldest first.
///
/// # Errors
/// No daemon, no permission, or a standard output that takes no more.
pub(super) fn run(args: &FaultsArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let log: FaultLines = control_client::ask(&args.socket.socket, Ask::Faults)?;
    if out.is_json() {
        out.json(&log)?;
        return Ok(Exit::Done);
    }
    if log.dropped > 0 {
        let dropped = log.dropped;
        out.line(&out.lang.say(format!("{dropped} older faults are gone"), format!("更早的 {dropped} 条已不在")))?;
    }
    // Results are the words of JSON, and of the cloud, whatever the language.
    let header = out.lang.say(
        ["no", "time (GMT+8)", "call", "result", "trade_no", "amount", "tries", "told", "what happened"],
        ["序号", "时间 (GMT+8)", "接口", "结果", "订单号", "金额", "次数", "已告知", "原因"],
    );
    let (yes, no) = out.lang.say(("yes", "no"), ("是", "否"));
    let row = |line: &FaultLine| {
        vec![
            line.number.to_string(),
            line.at_s.map_or_else(|| "?".to_owned(), show_date_time),
            line.path.clone(),
            line.result.clone(),
            line.trade_no.clone(),
            line.amount.clone(),
            line.attempt.to_string(),
            if line.told { yes } else { no }.to_owned(),
            line.why.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = log.faults.iter().map(row).collect();
    out.table(&header, &rows)?;
    Ok(Exit::Done)
}
