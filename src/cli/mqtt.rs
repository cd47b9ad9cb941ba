//! `vend mqtt`: what the platform sends to this machine, and how long the way to the broker is.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::mqtt_ping::{self, PingArgs};
use super::output::{Output, OutputArgs};
use super::serial::end;
use super::status::SocketArgs;
use crate::control::{Ask, MessageLine};
use crate::io::control_client;
use crate::order::local_time::show_date_time;
use clap::{Args, Subcommand};

/// What to do with the broker.
#[derive(Debug, Clone, Subcommand)]
pub enum MqttCommand {
    /// Every message of the platform as it comes, with secrets masked, until Ctrl-C
    Tail(TailArgs),
    /// How long the broker takes to answer
    Ping(PingArgs),
}

/// Arguments of `vend mqtt tail`.
#[derive(Debug, Clone, Args)]
pub struct TailArgs {
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl MqttCommand {
    /// The form of the result.
    #[must_use]
    pub const fn output(&self) -> OutputArgs {
        match self {
            MqttCommand::Tail(args) => args.output,
            MqttCommand::Ping(args) => args.output,
        }
    }
}

/// Runs `vend mqtt …`.
///
/// # Errors
/// No daemon, no permission, too many listeners, or a standard output that takes no more.
pub fn run(command: &MqttCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let args = match command {
        MqttCommand::Tail(args) => args,
        MqttCommand::Ping(args) => return mqtt_ping::run(args, out),
    };
    let ended = control_client::listen(&args.socket.socket, Ask::Messages, |line: MessageLine| {
        if out.is_json() {
            out.json(&line)?;
        } else {
            out.line(&message(&line, out.lang))?;
        }
        // Whoever watches wants it now.
        out.finish().map(|()| true)
    })?;
    Ok(end(ended))
}

/// One message on a line: time, method, the other fields, between TABs. The words are the platform's.
fn message(line: &MessageLine, lang: Lang) -> String {
    let method = line.fields.get("method").map_or("-", String::as_str);
    let others: Vec<String> = line
        .fields
        .iter()
        .filter(|(name, _)| *name != "method")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let lost = line.lost.map(|lost| lang.say(format!("({lost} lost) "), format!("（丢失 {lost} 条）")));
    let lost = lost.unwrap_or_default();
    let again = if line.redelivered { lang.say(" again", "（重复）") } else { "" };
    format!("{}\t{lost}{method}{again}\t{}", show_date_time(line.wall_ms / 1_000), others.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_and_one_that_does_not_read_is_shown_too() {
        let fields = [("method", "device.delivery.put"), ("order_id", "60")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let mut line = MessageLine { wall_ms: 0, bytes: 9, redelivered: true, fields: fields.into(), lost: Some(2) };
        assert_eq!(message(&line, Lang::En), "1970-01-01 08:00:00\t(2 lost) device.delivery.put again\torder_id=60");
        assert!(message(&line, Lang::Zh).contains("\t（丢失 2 条）device.delivery.put（重复）\t"));
        line.fields.clear();
        assert!(message(&line, Lang::En).contains("\t(2 lost) - again\t"));
    }
}
