//! `vend audit`: what the platform wanted of the machine beside vending and what became of it; what persons decided.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::status::SocketArgs;
use crate::control::{Ask, Audit};
use crate::core::AuditLine;
use crate::core::words::About;
use crate::io::control_client;
use crate::order::local_time::show_date_time;
use clap::{Args, Subcommand};

/// What to do with the audit.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// Instructions of the platform and decisions of persons, and what became of each, oldest first
    List(ListArgs),
}

/// Arguments of `vend audit list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl AuditCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        let AuditCommand::List(args) = self;
        args.output
    }
}

/// Runs `vend audit …`.
///
/// # Errors
/// No daemon, no permission, or a standard output that takes no more.
pub fn run(command: &AuditCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let AuditCommand::List(args) = command;
    let audit: Audit = control_client::ask(&args.socket.socket, Ask::Audit)?;
    if out.is_json() {
        out.json(&audit)?;
        return Ok(Exit::Done);
    }
    let lang = out.lang;
    let header = out.lang.say(
        ["no", "came (GMT+8)", "who", "what", "became", "detail"],
        ["序号", "到达 (GMT+8)", "来源", "指令", "结果", "说明"],
    );
    let rows: Vec<Vec<String>> = audit.entries.iter().map(|line| row(line, lang)).collect();
    out.table(&header, &rows)?;
    Ok(Exit::Done)
}

/// One entry. What stands behind it is a line of the log, and English.
pub(super) fn row(line: &AuditLine, lang: Lang) -> Vec<String> {
    let became = About::Became.said(&line.became);
    let refused = |reason: &String| became.then(&About::Refused.said(reason));
    let who = lang.word(About::Who, &line.who);
    vec![
        line.number.to_string(),
        show_date_time(line.came_at_s),
        line.uid.map_or_else(|| who.clone(), |uid| format!("{who} {uid}")),
        lang.word(About::Deed, &line.kind),
        lang.pick(line.reason.as_ref().map_or_else(|| became.clone(), refused)),
        line.detail.clone(),
    ]
}
