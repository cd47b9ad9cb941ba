//! Everything that touches the world: broker, line, disk, HTTP, clock. It does; it decides nothing.

pub mod broker;
pub mod clock;
pub mod clock_word;
pub mod console;
pub mod control;
pub mod control_client;
pub mod detect;
pub mod doctor;
pub mod host;
pub mod http;
mod in_chinese;
pub mod journal;
pub mod line;
pub mod log;
pub mod machine;
pub mod mark;
pub mod port;
pub mod ports;
pub mod systemd;
pub mod web;
