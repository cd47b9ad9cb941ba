//! `vend demo`: a demonstration on this computer. It lives in a build of its own, so that nothing of it enters the
//! shipped binary.

#[cfg(feature = "demo")]
mod play;

use super::failure::Failure;
use super::lang::Lang;
use std::process::ExitCode;

/// Plays.
///
/// # Errors
/// When the play cannot begin, or standard output takes no more.
#[cfg(feature = "demo")]
pub fn run(lang: Lang) -> Result<ExitCode, Failure> {
    Ok(play::play(lang)?.into())
}

/// Names the way to a demonstration.
///
/// # Errors
/// Always: this binary has none.
#[cfg(not(feature = "demo"))]
pub fn run(_lang: Lang) -> Result<ExitCode, Failure> {
    Err(Failure::NotInBuild { part: "demo", remedy: "make demo", exit: super::exit::Exit::Usage })
}
