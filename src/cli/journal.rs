//! Arguments of `vend journal`.

use clap::Args;
use std::path::PathBuf;

/// Arguments of `vend journal dump`: read a state directory offline, without changing it.
#[derive(Debug, Clone, Args)]
pub struct DumpArgs {
    /// The state directory
    #[arg(long, value_name = "DIR", default_value = crate::config::file::STATE_DIRECTORY_DEFAULT)]
    pub directory: PathBuf,
    /// One JSON document a line and order
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `vend journal accept-loss`: end a quarantine and start a new journal.
#[derive(Debug, Clone, Args)]
pub struct AcceptLossArgs {
    /// The state directory
    #[arg(long, value_name = "DIR", default_value = crate::config::file::STATE_DIRECTORY_DEFAULT)]
    pub directory: PathBuf,
    /// Why the loss is accepted; kept for the audit
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
