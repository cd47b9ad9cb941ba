//! The command line: one file per command. Results go to standard output, everything else to standard error, and
//! the process ends with a code of [`exit::Exit`].

mod ask_person;
pub mod audit;
pub mod board;
pub mod books;
pub mod clock;
pub mod cloud;
pub mod completions;
pub mod config;
pub mod demo;
pub mod detect;
pub mod doctor;
pub mod exit;
pub mod failure;
mod help;
#[cfg(test)]
mod in_chinese;
mod interrupts;
pub mod journal;
pub mod lang;
pub mod log_level;
pub mod man;
pub mod mqtt;
mod mqtt_ping;
mod next_step;
pub mod order;
pub mod order_resolve;
pub mod order_show;
pub mod output;
pub mod pickup;
pub mod report;
mod report_retry;
pub mod run;
pub mod sale;
pub mod send;
pub mod serial;
mod serial_send;
pub mod service;
pub mod setup;
pub mod sign;
pub mod simulate;
pub mod slot;
pub mod slot_test;
pub mod status;
pub mod support;
mod usage;
mod watch;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum as _};
use exit::Exit;
use failure::Failure;
use lang::Lang;
use output::{Output, OutputArgs};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// An agent for vending machines: at most one motor turn per paid unit, always one final result
#[derive(Debug, Parser)]
#[command(name = "vend", version, arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// Language for people: en or zh; else the locale's
    #[arg(long, global = true, value_enum, value_name = "LANG", hide_possible_values = true)]
    pub lang: Option<Lang>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The daemon: takes orders, drives the board, reports results
    Run(ConfigArgs),
    /// Keeps the kernel's word about the clock for the daemon, which may not ask; vend-clock.service runs it
    Clock(clock::ClockArgs),
    /// Make a machine of an installation: asks or takes arguments, writes configuration and secrets
    Setup(Box<setup::SetupArgs>),
    /// The configuration: check it, show what is in force
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// The state of the daemon: broker, board, orders, last events
    Status(status::StatusArgs),
    /// What is wrong with this machine, and what to do about it
    Doctor(doctor::DoctorArgs),
    /// Orders
    #[command(subcommand)]
    Order(order::OrderCommand),
    /// What the platform must be told beside results: refunds, used codes, stock
    #[command(subcommand)]
    Call(books::CallCommand),
    /// Results that the platform's books do not agree with
    #[command(subcommand)]
    Difference(books::DifferenceCommand),
    /// Results on their way to merchant and platform, and the dead letters
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// What the platform wanted of the machine beside vending, and what persons decided
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Slots: what lies in them; they were filled, or looked at; turn one for a test
    #[command(subcommand)]
    Slot(slot::SlotCommand),
    /// The journal of a daemon that does not run
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// The board: ask it, switch something, and the profiles; an emulated board
    #[command(subcommand)]
    Board(board::BoardCommand),
    /// The platform's open API, with the configuration's credentials
    #[command(subcommand)]
    Cloud(cloud::CloudCommand),
    /// The serial line: watch it, find its port, send raw bytes
    #[command(subcommand)]
    Serial(serial::SerialCommand),
    /// The broker: watch what comes, measure the way to it
    #[command(subcommand)]
    Mqtt(mqtt::MqttCommand),
    /// The daemon's log is louder or quieter for a while; for root and the daemon's user
    LogLevel(log_level::LogLevelArgs),
    /// Pickup codes: enter one, see which there are
    #[command(subcommand)]
    Pickup(pickup::PickupCommand),
    /// Sales at the machine: buy by telephone, see what became of it, settle what a person must
    #[command(subcommand)]
    Sale(sale::SaleCommand),
    /// Sign a JSON object from standard input
    Sign(sign::SignArgs),
    /// Send a signed command to a machine, for tests
    #[command(subcommand)]
    Send(send::SendCommand),
    /// A demonstration on this computer, with an emulated board
    Demo,
    /// For whoever helps from afar
    #[command(subcommand)]
    Support(support::SupportCommand),
    /// Completions for a shell, on standard output
    Completions(completions::CompletionsArgs),
    /// The manual pages of these commands
    Man(man::ManArgs),
}

/// Where configuration and secrets are.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// The directory with the secrets: app_secret, app_key, mqtt_password, sale_session, web_token, notify_secret and others
    // systemd sets the variable to where LoadCredential= puts the files.
    #[arg(long, value_name = "DIR", env = "CREDENTIALS_DIRECTORY", hide_env_values = true)]
    pub credentials: Option<PathBuf>,
}

impl ConfigArgs {
    /// Where the secrets are: as it was said, else beside the configuration, where the package puts them and the unit takes
    /// them from.
    pub(crate) fn secrets_directory(&self) -> PathBuf {
        let beside = self.config.parent().unwrap_or(Path::new("/")).join("credentials");
        self.credentials.clone().unwrap_or(beside)
    }
}

/// The one command that a small controller waits for at each start. The definition of all of them is 5.8 of the 7.5 million
/// instructions until then (docs/budget.md), and is never used again; what this one does not take, help and mistakes among
/// it, is for the whole definition.
#[derive(Debug, Parser)]
#[command(disable_help_flag = true, disable_version_flag = true)]
struct Daemon {
    #[command(subcommand)]
    command: DaemonCommand,
}

#[derive(Debug, Subcommand)]
enum DaemonCommand {
    Run(ConfigArgs),
}

/// Reads the command line of this process and does what it says.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let lang = Lang::choose(lang_option(&arguments), |name| std::env::var(name).ok());
    if let Ok(Daemon { command: DaemonCommand::Run(args) }) = Daemon::try_parse_from(&arguments) {
        return ended(run::run(&args), lang);
    }
    let definition = lang.say(Cli::command as fn() -> _, || help::in_chinese(Cli::command()))();
    let parsed = definition.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            match lang.say(None, usage::in_chinese(&error)) {
                Some(text) => warn(&text, "错误："),
                // Help into a closed pipe is not a failure, and there is nobody left to tell.
                None => drop(error.print()),
            }
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    ended(dispatch(cli.command, lang), lang)
}

fn ended(result: Result<ExitCode, Failure>, lang: Lang) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(failure) => {
            if let Some(text) = failure.text(lang) {
                warn(&text, lang.say("error: ", "错误："));
            }
            failure.exit().into()
        }
    }
}

/// What `--lang` says, before the rest is read: help and mistakes in the rest are told in that language already.
fn lang_option(arguments: &[OsString]) -> Option<Lang> {
    let mut words = arguments.iter().filter_map(|a| a.to_str()).skip(1);
    while let Some(word) = words.next() {
        let value = match word {
            "--lang" => words.next(),
            "--" => return None,
            other => other.strip_prefix("--lang="),
        };
        if let Some(value) = value {
            return Lang::from_str(value, false).ok();
        }
    }
    None
}

fn dispatch(command: Command, lang: Lang) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Clock(args) => clock::run(&args),
        Command::Setup(args) => with_output(args.output, lang, |out| setup::run(&args, out)),
        Command::Config(command) => with_output(command.output(), lang, |out| config::run(&command, out)),
        Command::Board(command) => with_output(command.output(), lang, |out| board::run(&command, out)),
        Command::Status(args) => with_output(args.output, lang, |out| status::run(&args, out)),
        Command::Doctor(args) => with_output(args.output, lang, |out| doctor::run(&args, out)),
        Command::Order(command) => with_output(command.output(), lang, |out| order::run(&command, out)),
        Command::Call(command) => with_output(command.output(), lang, |out| books::run_call(&command, out)),
        Command::Difference(command) => with_output(command.output(), lang, |out| books::run_difference(&command, out)),
        Command::Report(command) => with_output(command.output(), lang, |out| report::run(&command, out)),
        Command::Audit(command) => with_output(command.output(), lang, |out| audit::run(&command, out)),
        Command::Journal(command) => with_output(command.output(), lang, |out| journal::run(&command, out)),
        Command::Cloud(command) => with_output(command.output(), lang, |out| cloud::run(&command, out)),
        Command::Slot(command) => with_output(command.output(), lang, |out| slot::run(&command, out)),
        Command::Pickup(command) => with_output(command.output(), lang, |out| pickup::run(&command, out)),
        Command::Sale(command) => with_output(command.output(), lang, |out| sale::run(&command, out)),
        Command::Serial(command) => with_output(command.output(), lang, |out| serial::run(&command, out)),
        Command::Mqtt(command) => with_output(command.output(), lang, |out| mqtt::run(&command, out)),
        Command::LogLevel(args) => with_output(args.output, lang, |out| log_level::run(&args, out)),
        Command::Sign(args) => {
            with_output(OutputArgs::default(), lang, |out| sign::run(&args, std::io::stdin().lock(), out))
        }
        Command::Send(command) => with_output(command.output(), lang, |out| send::run(&command, out)),
        Command::Support(command) => with_output(OutputArgs::default(), lang, |out| support::run(&command, out)),
        Command::Demo => demo::run(lang),
        Command::Completions(args) => with_output(OutputArgs::default(), lang, |out| completions::run(&args, out)),
        Command::Man(args) => with_output(OutputArgs::default(), lang, |out| man::run(&args, out)),
    }
}

/// Runs a command that ends with a result on standard output.
fn with_output(
    args: OutputArgs,
    lang: Lang,
    command: impl FnOnce(&mut Output<'_>) -> Result<Exit, Failure>,
) -> Result<ExitCode, Failure> {
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    let mut out = Output::new(&mut stdout, args, lang);
    let exit = command(&mut out)?;
    out.finish()?;
    Ok(exit.into())
}

/// Tells a person on standard error. Whether it gets there changes nothing.
fn warn(text: &str, prefix: &str) {
    let _ = writeln!(std::io::stderr(), "{prefix}{}", text.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_language_is_known_before_the_rest_is_read() {
        let of = |line: &str| lang_option(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("vend --lang zh nonsense"), Some(Lang::Zh));
        assert_eq!(of("vend config --lang=en check"), Some(Lang::En));
        for none in ["vend", "vend --lang", "vend --lang fr", "--lang=zh config", "vend -- --lang=zh"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
