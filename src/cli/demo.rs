//! `vend demo`: needs an embedded broker, which never enters the shipped binary.

use super::exit::Exit;
use super::failure::Failure;
use std::process::ExitCode;

/// Names the way to a demonstration.
///
/// # Errors
/// Always: this binary has no broker.
pub fn run() -> Result<ExitCode, Failure> {
    Err(Failure::NotInBuild { part: "demo", remedy: "make demo", exit: Exit::Usage })
}
