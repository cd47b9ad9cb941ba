//! Many machines at one broker: a few real ones with the broker's own permissions on, the back-off of a hundred thousand,
//! and other brokers where they are installed. `make fleet` and `make fleet-arrivals` (tests/bench/fleet.rs) do the same
//! on a large scale and write docs/fleet.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]
#![allow(clippy::disallowed_methods, reason = "clocks and pauses of the tests' harness")]

#[path = "../common/mod.rs"]
mod common;
mod five;
mod hub;
#[allow(dead_code, reason = "the bench asks more of it")]
mod machines;
#[allow(dead_code, reason = "the bench asks more of it")]
mod million;
mod rabbit;
mod spread;
