//! The journal's store: keys and values, durable when a commit returns.
//!
//! It knows nothing of orders; `order::record` turns them into bytes. One file for each subject:
//! - [`store`](Store): committing, the recipe that survives a power cut;
//! - [`lead`]: the newest commits, each one write and one sync; `held`: those over what sled has;
//! - `opening`: finding a journal sound; `birth`: making one, and later its sled;
//! - `database`: sled 0.34.7 itself behind a wall against its panics;
//! - `value`, `digest`, `second_file`: how lost, old and torn records are noticed;
//! - `layout`, `lock`, `home`: the state directory, who may work in it, and where it lies;
//! - [`Damage`], [`OpenError`], [`CommitError`]: what can go wrong, with [`Doing`] what; `in_chinese` says it in Chinese;
//! - [`read_copy`]: looking without touching; [`accept_loss`], [`accept_move`]: the end of a quarantine;
//! - [`spawn`]: the thread that commits.

mod birth;
mod damage;
mod database;
mod digest;
mod disk;
mod doing;
mod held;
mod home;
mod in_chinese;
mod inspect;
mod layout;
pub mod lead;
mod lock;
mod loss;
mod note;
mod opening;
mod outside;
pub mod second_file;
mod store;
mod thread;
pub mod value;

#[cfg(test)]
mod tests;

pub use damage::{CommitError, Damage, OpenError};
pub use digest::Digest;
pub use doing::{Doing, Part};
pub use home::Fact;
pub use inspect::{InspectError, Inspected, hold_unused, read_copy};
pub use lock::StateLock;
pub use loss::{AcceptError, accept_loss, accept_move};
pub use outside::{Outside, lock_holder};
pub use store::{Batch, FREE_BYTES_MIN, KEY_BYTES_MAX, Opened, Store, VALUE_BYTES_MAX};
pub use thread::{Here, JournalEvent, spawn};
pub use value::{FORMAT, Unreadable};
