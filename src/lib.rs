//! vend: an agent for vending machines. For a paid order, at most one motor turn per unit, and always one final
//! result that reaches the merchant. `ARCHITECTURE.md` follows one order through this library.
//!
//! Everything outside [`io`] decides and is pure; everything inside it does.

pub mod agent;
pub mod board;
pub mod cli;
pub mod cloud;
pub mod config;
pub mod control;
pub mod core;
pub mod doctor;
pub mod excerpt;
pub mod io;
pub mod order;
pub mod qr;
pub mod sabotage;
pub mod sim;
pub mod web;
