//! The embedded HTTP client.
