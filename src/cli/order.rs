//! Arguments of `vend order`.

use super::output::OutputArgs;
use super::status::SocketArgs;
use clap::Args;

/// Arguments of `vend order list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Also orders that are settled
    #[arg(long)]
    pub all: bool,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}
