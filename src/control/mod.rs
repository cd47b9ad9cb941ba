//! What the control socket understands, and what it answers. HTTP and JSON, so that `curl --unix-socket` works too.

mod ask;
mod place;
mod told;

pub use ask::{Ask, Asked, check_why};
pub use place::Place;
pub use told::{
    Answer, Audit, BrokerTrip, Codes, CurrentSale, DocumentAnswer, FrameLine, LOUDER_S_MAX, LastTest, LogLevel,
    Loudness, MeasuredTrip, MessageLine, Orders, Refusal, Sales, Slots, Testing, Told, Versioned,
};

/// Version of all JSON documents, of the socket as of the tool. It rises when a key goes away or changes its meaning,
/// not when one is added.
pub const SCHEMA_VERSION: u32 = 1;
