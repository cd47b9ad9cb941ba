//! `vend serial`: what passes over the line, and which ports there are. Only `send` can turn a motor.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::serial_send::{self, SendArgs};
use super::status::SocketArgs;
use crate::control::{Ask, FrameLine};
use crate::io::control_client::{self, ListeningEnded};
use crate::io::ports::{self, SerialPort};
use crate::order::local_time::show_date_time;
use clap::{Args, Subcommand};
use serde::Serialize;

/// What to do with the line.
#[derive(Debug, Clone, Subcommand)]
pub enum SerialCommand {
    /// Every frame on the line as it passes, with what it means, until Ctrl-C; orders go on
    Monitor(MonitorArgs),
    /// Put raw bytes on the line and show what comes back; only while the agent does not run
    Send(SendArgs),
    /// The serial ports of this computer, their lasting names, and who holds them
    Ports(PortsArgs),
}

/// Arguments of `vend serial monitor`.
#[derive(Debug, Clone, Args)]
pub struct MonitorArgs {
    /// Bytes only, without their meaning
    #[arg(long)]
    pub raw: bool,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend serial ports`.
#[derive(Debug, Clone, Args)]
pub struct PortsArgs {
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl SerialCommand {
    /// The form of the result.
    #[must_use]
    pub const fn output(&self) -> OutputArgs {
        match self {
            SerialCommand::Monitor(args) => args.output,
            SerialCommand::Send(args) => args.output,
            SerialCommand::Ports(args) => args.output,
        }
    }
}

/// Runs `vend serial …`.
///
/// # Errors
/// No daemon, no permission, too many listeners, or a standard output that takes no more.
pub fn run(command: &SerialCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        SerialCommand::Monitor(args) => monitor(args, out),
        SerialCommand::Send(args) => serial_send::run(args, out),
        SerialCommand::Ports(_) => list_ports(out),
    }
}

fn monitor(args: &MonitorArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let raw = args.raw;
    let ended = control_client::listen(&args.socket.socket, Ask::Frames, |line: FrameLine| {
        if out.is_json() {
            out.json(&line)?;
        } else {
            out.line(&frame(&line, raw, out.lang))?;
        }
        // Whoever watches wants it now.
        out.finish().map(|()| true)
    })?;
    Ok(end(ended))
}

/// How a command ends that listens.
pub(super) const fn end(ended: ListeningEnded) -> Exit {
    match ended {
        ListeningEnded::Interrupted => Exit::Interrupted,
        ListeningEnded::Enough => Exit::Done,
        ListeningEnded::Over => Exit::NotRunning,
    }
}

/// One frame on a line: time, direction, bytes, meaning, between TABs.
pub(super) fn frame(line: &FrameLine, raw: bool, lang: Lang) -> String {
    let way = match line.way.as_str() {
        "to_board" => "→",
        "from_board" => "←",
        _ => {
            let lost = line.lost.unwrap_or_default();
            return lang.say(format!("… {lost} were not shown in time"), format!("… 有 {lost} 条未能及时显示"));
        }
    };
    let time = show_date_time(line.wall_ms / 1_000);
    let time = time.split(' ').next_back().unwrap_or_default();
    let head = format!("{time}.{:03}\t{way}\t{}", line.wall_ms % 1_000, line.hex);
    if raw { head } else { format!("{head}\t{}", lang.say(&line.meaning, &line.meaning_zh)) }
}

#[derive(Serialize)]
struct Ports {
    ports: Vec<SerialPort>,
}

fn list_ports(out: &mut Output<'_>) -> Result<Exit, Failure> {
    let ports = ports::list();
    if out.is_json() {
        out.json(&Ports { ports })?;
        return Ok(Exit::Done);
    }
    let header = out.lang.say(["port", "lasting names", "held by"], ["串口", "固定名称", "占用者"]);
    let joined = |all: Vec<String>| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
    let row = |port: &SerialPort| {
        let holders = port.holders.iter().map(|holder| format!("{} ({})", holder.name, holder.pid)).collect();
        vec![port.path.clone(), joined(port.names.clone()), joined(holders)]
    };
    let rows: Vec<Vec<String>> = ports.iter().map(row).collect();
    out.table(&header, &rows)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_line_and_what_was_lost_is_said() {
        let mut line = FrameLine {
            since_boot_ms: 5,
            wall_ms: 1_714_373_690_042,
            way: "to_board".to_owned(),
            hex: "00 ff".to_owned(),
            meaning: "TURN slot 5".to_owned(),
            meaning_zh: "转动货道 5".to_owned(),
            lost: None,
        };
        assert_eq!(frame(&line, false, Lang::En), "14:54:50.042\t→\t00 ff\tTURN slot 5");
        assert_eq!(frame(&line, true, Lang::En), "14:54:50.042\t→\t00 ff");
        (line.way, line.lost) = ("lost".to_owned(), Some(7));
        assert_eq!(frame(&line, false, Lang::Zh), "… 有 7 条未能及时显示");
    }
}
