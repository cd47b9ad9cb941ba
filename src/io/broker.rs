//! The MQTT session.
