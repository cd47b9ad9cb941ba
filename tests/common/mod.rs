//! The world of the end-to-end tests: the real binary between a real broker, a board on a pty, an HTTP receiver and
//! a stand-in for the platform's open API. Everything in a folder of its own and on loopback.
#![allow(dead_code, reason = "each test that includes this uses what it needs")]

pub mod agent;
pub mod board;
pub mod certificates;
pub mod cloud;
pub mod command;
pub mod http_server;
pub mod mosquitto;
pub mod mount;
pub mod order_clouds;
pub mod platform;
pub mod receiver;
pub mod record;
pub mod world;

use std::future::pending;
use std::sync::LazyLock;
use tokio::runtime::{Builder, Handle};

/// Runs what surrounds the agents of all tests, on a thread of its own: boards, receivers, the platform's MQTT client.
pub static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(pending::<()>()));
    handle
});
