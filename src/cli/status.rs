//! Arguments of `vend status`.

use super::output::OutputArgs;
use clap::Args;
use std::path::PathBuf;

/// The daemon's socket, for the commands that talk to it.
#[derive(Debug, Clone, Args)]
pub struct SocketArgs {
    /// The daemon's socket
    #[arg(long, value_name = "PATH", default_value = crate::config::file::CONTROL_SOCKET_DEFAULT)]
    pub socket: PathBuf,
}

/// Arguments of `vend status`: the whole machine on one screen.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Show it again whenever something changes
    #[arg(long)]
    pub watch: bool,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}
