//! What the clouds say and want to hear: signature, envelope, messages, open API. Pure.
//!
//! A command's way in: [`envelope::open`] (is it a flat JSON object?) → [`envelope::verify`] (did the platform sign
//! it?) → [`device::decode`] (what does it ask for?). The way out is [`up`]'s messages and the
//! [`report`] → [`envelope::seal`]; [`call`] is what a stored call becomes; [`agreement`] compares books.
//! [`open_platform`] asks the cloud itself, over HTTP.
//!
//! [`orders`] speaks with other clouds about the orders that a machine sells.

pub mod agreement;
pub mod api_codes;
mod body;
pub mod call;
pub mod device;
pub mod envelope;
pub mod inbound;
pub mod instruction;
mod json;
pub mod open_platform;
pub mod orders;
pub mod pickup;
pub mod report;
pub mod sign;
pub mod telemetry;
pub mod up;
