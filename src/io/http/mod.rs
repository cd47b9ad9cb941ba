//! The embedded HTTP client: small, on the one TLS configuration, and careful about where it connects. And a server for
//! stand-ins.

pub mod authorities;
pub mod client;
mod connect;
mod in_chinese;
pub mod proxy;
pub mod resolver;
pub mod server;
pub mod single;
pub mod supply;
pub mod target;
pub mod tls;

pub use connect::{ask_for_tunnel, http1, secure};
