//! Orders of other clouds than the platform: three public interfaces, each in its own words. Pure: requests are built
//! and answers read here; somebody else carries them. `docs/clouds.md` lists every field, status and code.
//!
//! | file | what |
//! |---|---|
//! | `songshu` | seed 000: told of every order, when it is created and when it is paid |
//! | `batch` | when songshu is told |
//! | `course` | seed 001: create, tell of payments, query, list |
//! | `fault_log` | the log of payments that course could not be told of |
//! | `mall` | seed 002: create, pay code, query |
//! | `walk` | reading a list page by page |
//! | `poll` | asking until an order's payment is decided |
//! | `interface` | what a sale asks of any of them, and of the platform (`platform`) |
//! | `row`, `table` | what a cloud says about itself, and all of them |
//! | `seller` | the cloud at which orders of sales are made |
//! | `session` | logging in where one must be logged in |
//! | `answer`, `json`, `request` | what their answers and requests have in common |
//!
//! Money is [`Fen`](crate::cloud::open_platform::Fen) inside and the cloud's own form at its edge; an amount that
//! cannot be read exactly is an error. No answer is a success for what it lacks.

mod answer;
pub mod batch;
pub mod course;
pub mod fault_log;
pub mod interface;
mod json;
pub mod mall;
pub mod platform;
pub mod poll;
mod request;
pub mod row;
pub mod seller;
pub mod session;
pub mod songshu;
pub mod table;
#[cfg(test)]
mod tests;
pub mod walk;

pub use answer::{ANSWER_BYTES_MAX, AnswerError, CloudName, Refusal};
pub use json::{Stamp, TEXT_CHARS_MAX};
pub use request::{BadSession, Session};
