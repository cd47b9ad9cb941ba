//! `vend clock`: what `vend-clock.service` runs.

use super::exit::Exit;
use super::failure::Failure;
use crate::io::{clock_word, systemd};
use crate::order::said::said;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `vend clock`.
#[derive(Debug, Clone, Args)]
pub struct ClockArgs {
    /// Where the word is written
    #[arg(long, id = "word_file", value_name = "FILE", default_value = clock_word::WORD_FILE)]
    pub file: PathBuf,
}

/// Writes the kernel's word until it is killed.
///
/// # Errors
/// When the kernel does not tell, or the file cannot be written.
pub fn run(args: &ClockArgs) -> Result<std::process::ExitCode, Failure> {
    let ended = clock_word::keep(&args.file, systemd::tell_ready);
    let Err(error) = ended;
    Err(Failure::told(
        Exit::Failed,
        said!(
            "the kernel's word about the clock cannot be kept in {shown}: {error}",
            "无法把内核对时钟的说明写入 {shown}：{error}",
            error; shown = args.file.display()
        ),
    ))
}
