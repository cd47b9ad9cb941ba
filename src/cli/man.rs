//! `vend man`: manual pages, made from the definition of the command line in the language that was asked for.

use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{Cli, help};
use crate::order::said::said;
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;
use std::io;
use std::path::{Path, PathBuf};

/// Arguments of `vend man`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// Write all pages into this folder, one for each command; otherwise vend(1) goes to standard output
    #[arg(long = "directory", value_name = "DIR")]
    pub into: Option<PathBuf>,
}

/// Writes one page, or all.
///
/// # Errors
/// When standard output or the folder takes no more.
pub fn run(args: &ManArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    // In English it is built too, so that each page names the whole command.
    let mut command = out.lang.say(Cli::command as fn() -> _, || help::in_chinese(Cli::command()))();
    command.build();
    match &args.into {
        None => out.line(&String::from_utf8_lossy(&page(&command)?))?,
        Some(directory) => {
            write_all(&command, "vend", directory).map_err(|error| {
                Failure::told(
                    Exit::Failed,
                    said!("{shown}: {error}", "{shown}：{error}", error; shown = directory.display()),
                )
            })?;
        }
    }
    Ok(Exit::Done)
}

fn write_all(command: &Command, name: &str, directory: &Path) -> io::Result<()> {
    std::fs::write(directory.join(format!("{name}.1")), page(command)?)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        write_all(sub, &format!("{name}-{}", sub.get_name()), directory)?;
    }
    Ok(())
}

/// The whole is called by its name, a command below it by its path: vend-board-list(1).
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut bytes = Vec::new();
    Man::new(command.clone()).title(name.to_uppercase()).date("").manual("vend").render(&mut bytes)?;
    Ok(bytes)
}
