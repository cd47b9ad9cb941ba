//! `vend completions`: made from the definition of the command line.

use super::Cli;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// Arguments of `vend completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Writes the completions.
///
/// # Errors
/// When standard output takes no more.
pub fn run(args: &CompletionsArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    // The generator panics on a pipe that closes, hence the detour over memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vend", &mut script);
    out.line(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
