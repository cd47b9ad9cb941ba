//! `vend log-level`: the log is louder for a while, and falls back by itself.

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use super::status::SocketArgs;
use crate::cli::usage::Misread;
use crate::control::{Ask, LOUDER_S_MAX, LogLevel, Loudness};
use crate::io::control_client;
use crate::order::said::said;
use clap::Args;

/// Arguments of `vend log-level`.
#[derive(Debug, Clone, Args)]
pub struct LogLevelArgs {
    /// error, warn, info, debug or trace
    #[arg(id = "loudness", value_name = "LEVEL", value_enum, hide_possible_values = true)]
    pub level: Loudness,
    /// For how long: 90s, 10m or 2h, at most 24h
    #[arg(id = "loud_for", long = "for", value_name = "TIME", default_value = "10m", value_parser = read_time)]
    pub for_s: u64,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Reads `90s`, `10m` or `2h`.
pub(super) fn read_time(text: &str) -> Result<u64, Misread> {
    let hours = LOUDER_S_MAX / 3_600;
    let wrong = || {
        Misread(said!("90s, 10m or 2h are times, up to {hours}h", "时间应写作 90s、10m 或 2h，至多 {hours}h"; hours))
    };
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(wrong()),
    };
    let count: u64 = text.strip_suffix(unit).and_then(|count| count.parse().ok()).ok_or_else(wrong)?;
    count.checked_mul(seconds).filter(|for_s| (1..=LOUDER_S_MAX).contains(for_s)).ok_or_else(wrong)
}

/// Runs `vend log-level`.
///
/// # Errors
/// No daemon, no permission, or a standard output that takes no more.
pub fn run(args: &LogLevelArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let ask = Ask::Log(LogLevel { level: args.level, for_s: args.for_s });
    let level: LogLevel = control_client::ask(&args.socket.socket, ask)?;
    if out.is_json() {
        out.json(&level)?;
    } else {
        let (word, for_s) = (level.level.as_str(), level.for_s);
        out.line(&out.lang.say(
            format!("the log is at {word} for {for_s} s; see it with journalctl -u vend -f"),
            format!("日志级别为 {word}，持续 {for_s} 秒；请用 journalctl -u vend -f 查看"),
        ))?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_is_a_day_at_most() {
        assert_eq!((read_time("90s"), read_time("10m"), read_time("24h")), (Ok(90), Ok(600), Ok(86_400)));
        for wrong in ["", "10", "0m", "25h", "m", "-1s", "10日", "99999999999999999999h"] {
            assert!(read_time(wrong).is_err(), "{wrong}");
        }
    }
}
