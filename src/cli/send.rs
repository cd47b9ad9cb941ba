//! Arguments of `vend send`.

use super::ConfigArgs;
use crate::order::command::QUANTITY_MAX;
use crate::order::key::Id;
use clap::Args;

fn id(text: &str) -> Result<Id, crate::order::key::IdError> {
    Id::parse(text)
}

/// Arguments of `vend send dispense`: publish a signed command to this machine, for tests.
#[derive(Debug, Clone, Args)]
pub struct DispenseArgs {
    /// Where broker, machine and keys are.
    #[command(flatten)]
    pub place: ConfigArgs,
    /// The order: 1 to 64 of 0-9 A-Z a-z _ . -
    #[arg(long, value_name = "ID", value_parser = id)]
    pub order_id: Id,
    /// The line of the order; a new attempt needs a new one
    #[arg(long, value_name = "ID", value_parser = id)]
    pub record_id: Id,
    /// The slot in the board's own numbering
    #[arg(long, value_name = "SLOT")]
    pub code: String,
    /// The driver board, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    pub addr: Option<u8>,
    /// Units
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(QUANTITY_MAX)))]
    pub quantity: u8,
    /// Where the result is POSTed
    #[arg(long, value_name = "URL")]
    pub notify_url: Option<String>,
}
