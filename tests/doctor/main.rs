//! `vend doctor`: for each check a machine that is good, and the same machine broken, as far as a test can break it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]
#![allow(clippy::disallowed_methods, reason = "the platform's clock, and how long a test waits, are not the agent's")]

#[path = "../common/chinese.rs"]
#[allow(dead_code, reason = "here some of a text may be English alone")]
mod chinese;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/tree.rs"]
#[allow(dead_code, reason = "only files are read here, and no names looked up")]
mod tree;

mod support;

mod configuration;
mod data;
mod document;
mod judged;
mod network;
mod port;
mod running;
mod service;
mod tool;
