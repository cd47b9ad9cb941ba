//! What the clouds say and want to hear: signature, envelope, messages, open API. Pure.

pub mod device;
pub mod envelope;
pub mod open_platform;
pub mod sign;
