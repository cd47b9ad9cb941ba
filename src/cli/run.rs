//! `vend run`: the daemon.

use super::ConfigArgs;
use super::exit::Exit;
use super::failure::Failure;
use crate::agent::{self, Ended};
use crate::config::Config;
use crate::config::credentials::Credentials;
use crate::io::web::Findings;
use std::process::ExitCode;

/// Reads configuration and secrets, and hands over to the agent.
///
/// # Errors
/// A wrong configuration or a missing secret, before anything is touched.
pub fn run(args: &ConfigArgs) -> Result<ExitCode, Failure> {
    let config = Config::load(&args.config)?.config;
    let credentials = Credentials::load(args.credentials.as_deref(), &config)?;
    for exposed in &credentials.exposed {
        // English: the daemon's standard error is its log.
        super::warn(&exposed.text().en, "warning: ");
    }
    let log = crate::io::log::start();
    let doctor = Findings::of(&args.config, args.credentials.as_deref());
    Ok(match agent::run(config, credentials, doctor, log)? {
        Ended::Stopped => Exit::Done,
        Ended::Failed => Exit::Failed,
    }
    .into())
}
