//! The real binary, end to end: one order comes over a real broker, a motor turns, the merchant is told. Each test
//! has a world of its own and holds reports against the board's own log of turns.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(
    clippy::disallowed_methods,
    reason = "deadlines of tests, and the wall clock of the platform and its receivers"
)]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod brokers;
mod bundle;
mod clouds;
mod desk;
mod families;
mod instructions;
mod journals;
mod kills;
mod notices;
mod peers;
mod persons;
mod receivers;
mod sales;
mod security;
mod services;
mod shops;
mod telemetry;
mod vends;
mod watching;
