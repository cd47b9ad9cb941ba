//! Configuration and credentials.
