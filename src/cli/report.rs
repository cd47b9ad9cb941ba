//! `vend report`: results on their way to merchant and platform, and the dead letters.

use super::books::copy_state;
use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::report_retry::{self, RetryArgs};
use super::status::SocketArgs;
use crate::control::Ask;
use crate::core::words::About;
use crate::core::{Letter, Letters, Wait};
use crate::io::control_client;
use crate::order::key::Key;
use crate::order::local_time::show_date_time;
use crate::order::report::CopyState;
use clap::{Args, Subcommand};

/// What to do with reports.
#[derive(Debug, Clone, Subcommand)]
pub enum ReportCommand {
    /// The reports that are not yet taken, and the dead letters
    List(ListArgs),
    /// All reports of one order, with what they say
    Show(KeyArgs),
    /// Send the dead letters of an order, or of all, again as they were; for root and the daemon's user
    Retry(RetryArgs),
}

/// Arguments of `vend report list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// The dead letters only
    #[arg(id = "only_dead", long = "dead", conflicts_with = "only_pending")]
    pub dead: bool,
    /// Those only that are not yet taken
    #[arg(id = "only_pending", long = "pending")]
    pub pending: bool,
    /// Those only for this host
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend report show`.
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    /// The order: ORDER_ID:RECORD_ID
    #[arg(value_name = "ORDER_ID:RECORD_ID")]
    pub key: Key,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl ListArgs {
    fn wants(&self, letter: &Letter) -> bool {
        let is_dead = letter.state == CopyState::Dead.as_str();
        let state = if self.dead { is_dead } else { !(self.pending && is_dead) };
        state && self.host.as_ref().is_none_or(|host| letter.host.as_ref() == Some(host))
    }
}

impl ReportCommand {
    /// The form of the result.
    #[must_use]
    pub const fn output(&self) -> OutputArgs {
        match self {
            ReportCommand::List(args) => args.output,
            ReportCommand::Show(args) => args.output,
            ReportCommand::Retry(args) => args.output,
        }
    }
}

/// Runs `vend report …`.
///
/// # Errors
/// No daemon, no permission, no such order, nothing that is dead, or a standard output that takes no more.
pub fn run(command: &ReportCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let (socket, ask) = match command {
        ReportCommand::List(args) => (&args.socket.socket, Ask::Reports),
        ReportCommand::Show(args) => (&args.socket.socket, Ask::Report(args.key.clone())),
        ReportCommand::Retry(args) => return report_retry::run(args, out),
    };
    let mut letters: Letters = control_client::ask(socket, ask)?;
    if let ReportCommand::List(args) = command {
        letters.letters.retain(|letter| args.wants(letter));
    }
    if out.is_json() {
        out.json(&letters)?;
        return Ok(Exit::Done);
    }
    let header = out.lang.say(
        ["order", "report", "written (GMT+8)", "way", "state", "tries", "waits for"],
        ["订单", "上报", "写入 (GMT+8)", "途径", "状态", "次数", "等待"],
    );
    let rows: Vec<Vec<String>> = letters.letters.iter().map(|letter| row(letter, out.lang)).collect();
    out.table(&header, &rows)?;
    // The same for every way of one report.
    let mut shown = None;
    for letter in &letters.letters {
        if let Some(says) = letter.says.as_ref().filter(|_| shown != Some(letter.sequence)) {
            out.line(&format!("{}\t{says}", letter.sequence))?;
            shown = Some(letter.sequence);
        }
    }
    Ok(Exit::Done)
}

/// One copy.
pub(super) fn row(letter: &Letter, lang: Lang) -> Vec<String> {
    let way = match &letter.host {
        Some(host) => format!("{} {host}", letter.way),
        None => letter.way.clone(),
    };
    let waits_for = match letter.waits_for.as_deref() {
        // How long says more.
        Some(wait) if wait == Wait::Time.as_str() => match letter.waits_ms.unwrap_or_default().div_ceil(1_000) {
            0 => lang.say("its turn", "发送").to_owned(),
            s => lang.say(format!("{s} s"), format!("{s} 秒")),
        },
        Some(wait) => lang.word(About::Wait, wait),
        None => "-".to_owned(),
    };
    vec![
        format!("{}:{}", letter.order_id, letter.record_id),
        letter.sequence.to_string(),
        show_date_time(letter.written_at_s),
        way,
        copy_state(&letter.state, letter.reason.as_deref(), lang),
        letter.attempts.to_string(),
        waits_for,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_why_it_is_dead_or_what_it_waits_for() {
        let mut letter = Letter {
            order_id: "60".to_owned(),
            record_id: "78".to_owned(),
            sequence: 2,
            written_at_s: 1_714_373_690,
            way: "http".to_owned(),
            host: Some("shop.example".to_owned()),
            state: "pending".to_owned(),
            attempts: 3,
            reason: None,
            waits_for: Some("time".to_owned()),
            waits_ms: Some(1_500),
            says: None,
        };
        let written = "2024-04-29 14:54:50";
        assert_eq!(row(&letter, Lang::En), ["60:78", "2", written, "http shop.example", "pending", "3", "2 s"]);
        letter.waits_for = Some("host".to_owned());
        assert_eq!(row(&letter, Lang::Zh)[6], "其主机");
        (letter.state, letter.reason, letter.waits_for) = ("dead".to_owned(), Some("status 404".to_owned()), None);
        assert_eq!(row(&letter, Lang::En)[4..], ["dead: status 404", "3", "-"]);
        assert_eq!(row(&letter, Lang::Zh)[4..], ["死信：状态码 404", "3", "-"]);
    }
}
