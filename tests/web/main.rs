//! The pages: their listener against whoever knocks, and the pages themselves in Debian's Chromium.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "deadlines of tests")]

#[path = "../common/mod.rs"]
mod common;

#[path = "../tool/support.rs"]
#[allow(dead_code, reason = "what the tests of the tool use beside")]
mod support;

mod browser;
mod daemon;
mod knocks;
mod metrics;
mod rebinding;
mod screen;
mod service;
mod source;
mod till;
