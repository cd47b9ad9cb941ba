//! What the control socket understands, and what it answers. HTTP and JSON, so that `curl --unix-socket` works too.

use crate::core::OrderLine;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Version of all JSON documents, of the socket as of the tool. It rises when a key goes away or changes its meaning,
/// not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// `GET /v1/status`: one [`crate::core::Status`].
    Status,
    /// `GET /v1/orders`: the [`Orders`].
    Orders,
}

impl Ask {
    /// All of them.
    pub const ALL: [Ask; 2] = [Ask::Status, Ask::Orders];

    /// Where it is asked.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Ask::Status => "/v1/status",
            Ask::Orders => "/v1/orders",
        }
    }
}

/// A question and where its answer, a [`Versioned`] JSON document, goes.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub ask: Ask,
    /// For the answer.
    pub answer: oneshot::Sender<Vec<u8>>,
}

/// Every order that is not settled, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// The orders.
    pub orders: Vec<OrderLine>,
}

/// Why the socket does not answer with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For people.
    pub error: String,
}

/// A document with its version before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// An object.
    #[serde(flatten)]
    pub document: T,
}

impl<T> Versioned<T> {
    /// A document of this program's version.
    pub const fn of(document: T) -> Versioned<T> {
        Versioned { schema_version: SCHEMA_VERSION, document }
    }
}
