//! The ground floor: the words everyone uses, and what an order does next.
//! Nothing here knows a socket, a port, a disk or a clock.

pub mod backoff;
pub mod call;
pub mod civil;
pub mod command;
pub mod constant_time;
pub mod fault;
mod format_1;
mod format_2;
pub mod host;
pub mod instruction;
pub mod key;
pub mod label;
pub mod life;
pub mod local_time;
pub mod mark;
pub mod motor;
pub mod outcome;
pub mod payment;
pub mod pickup;
pub mod record;
pub mod report;
pub mod said;
pub mod sale;
pub mod schedule;
pub mod stock;
pub mod sync;
pub mod system_words;
pub mod time;
pub mod url_mask;
