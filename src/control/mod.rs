//! What the control socket understands. HTTP and JSON, so that `curl --unix-socket` works too.

use tokio::sync::oneshot;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `GET /v1/status`: one [`crate::core::Status`].
    Status,
    /// `GET /v1/orders`: every open [`crate::core::OrderLine`].
    Orders,
}

/// A question and where its answer, a JSON document, goes.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub ask: Ask,
    /// For the answer.
    pub answer: oneshot::Sender<Vec<u8>>,
}
