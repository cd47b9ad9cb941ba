//! The control socket.

use crate::control::Asked;
use std::path::PathBuf;
use tokio::sync::mpsc;

/// Serves the socket.
pub async fn serve(_path: PathBuf, asks: mpsc::Sender<Asked>) {
    asks.closed().await;
}
