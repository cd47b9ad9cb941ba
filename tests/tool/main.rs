//! The technician's tool and the daemon it talks to, as real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/certificates.rs"]
mod certificates;
#[path = "../common/chinese.rs"]
mod chinese;
#[path = "../common/mosquitto.rs"]
mod mosquitto;
mod support;

mod by_hand;
mod chinese_errors;
mod cloud;
mod clouds;
mod control;
mod desk;
mod detect;
mod errors;
mod every;
mod guide;
mod journal;
mod send;
mod setup;
mod simulate;
mod trouble;
