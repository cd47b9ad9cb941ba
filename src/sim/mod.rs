//! Simulated worlds: byte-exact boards, a cloud stand-in, faults. For technicians, tests and `vend demo`.

pub mod board;
pub mod cloud;
pub mod clouds;
pub mod pty;
pub mod sample;
pub mod world;
