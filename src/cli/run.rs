//! `vend run`: the daemon.

use super::ConfigArgs;
use super::failure::Failure;
use crate::config::Config;
use crate::config::credentials::Credentials;
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
    agent::run(config, credentials)
}

// The call site for `crate::agent::run`: the lead puts it in place of this module.
mod agent {
    use super::{Config, Credentials, ExitCode, Failure};
    use crate::cli::exit::Exit;

    pub(super) fn run(_config: Config, _credentials: Credentials) -> Result<ExitCode, Failure> {
        Err(Failure::NotInBuild { part: "agent", remedy: "a build with src/agent.rs", exit: Exit::Failed })
    }
}
