//! What the control socket understands, and what it answers. HTTP and JSON, so that `curl --unix-socket` works too.

use crate::board::service::{HOLD_C, Service, ServiceError};
use crate::core::OrderLine;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Version of all JSON documents, of the socket as of the tool. It rises when a key goes away or changes its meaning,
/// not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// Where something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `GET /v1/status`: one [`crate::core::Status`].
    Status,
    /// `GET /v1/orders`: the [`Orders`].
    Orders,
    /// `POST /v1/service` with a [`Service`]: one [`crate::board::service::Reading`].
    Service,
}

impl Place {
    /// All of them.
    pub const ALL: [Place; 3] = [Place::Status, Place::Orders, Place::Service];

    /// Its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Place::Status => "/v1/status",
            Place::Orders => "/v1/orders",
            Place::Service => "/v1/service",
        }
    }

    /// How it is asked: what only reads the daemon's own memory by GET, what wants something of the board by POST.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Place::Status | Place::Orders => "GET",
            Place::Service => "POST",
        }
    }
}

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// At [`Place::Status`].
    Status,
    /// At [`Place::Orders`].
    Orders,
    /// At [`Place::Service`].
    Service(Service),
}

impl Ask {
    /// Where it is asked.
    #[must_use]
    pub const fn place(&self) -> Place {
        match self {
            Ask::Status => Place::Status,
            Ask::Orders => Place::Orders,
            Ask::Service(_) => Place::Service,
        }
    }
}

/// Reads what stands in the body of a request for [`Place::Service`].
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_service(body: &[u8]) -> Result<Service, String> {
    let service: Service = serde_json::from_slice(body).map_err(|e| format!("the body is no service: {e}"))?;
    match service {
        Service::Hold { target_c, .. } if !HOLD_C.contains(&target_c) => {
            Err(format!("target_c is {target_c}, and goods are held at {} to {} °C", HOLD_C.start(), HOLD_C.end()))
        }
        service => Ok(service),
    }
}

/// A [`Versioned`] JSON document, or why there is none.
pub type Answer = Result<Vec<u8>, Refusal>;

/// A question and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub ask: Ask,
    /// For the answer.
    pub answer: oneshot::Sender<Answer>,
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
    /// Why the board did not do what it was asked, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<ServiceError>,
    /// What the board's profile says that board and protocol lack, where that may be why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
}

impl Refusal {
    /// A refusal that has nothing to do with the board.
    #[must_use]
    pub const fn of(error: String) -> Refusal {
        Refusal { error, why: None, lacks: Vec::new() }
    }

    /// The board was asked, or could not be.
    #[must_use]
    pub fn by_board(why: ServiceError, lacks: &[String]) -> Refusal {
        let lacks = if why == ServiceError::NotOffered { lacks.to_vec() } else { Vec::new() };
        Refusal { error: why.to_string(), why: Some(why), lacks }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::driver::Address;
    use crate::board::service::ClimateMode;

    #[test]
    fn a_service_is_read_as_it_is_written_and_nothing_else_is() {
        let address = Address::new(2).unwrap();
        for service in [
            Service::Climate { address },
            Service::Hold { address, mode: ClimateMode::Cool, target_c: -30 },
            Service::Hold { address, mode: ClimateMode::Heat, target_c: 70 },
            Service::Reset { address },
        ] {
            assert_eq!(read_service(&serde_json::to_vec(&service).unwrap()), Ok(service));
        }
        for (body, why) in [
            ("", "EOF"),
            ("[]", "no service"),
            (r#"{"service":"motor","address":1}"#, "unknown variant"),
            (r#"{"service":"door"}"#, "address"),
            (r#"{"service":"door","address":9}"#, "1 to 8"),
            (r#"{"service":"door","address":0}"#, "1 to 8"),
            (r#"{"service":"slot_state","address":1,"slot":65536}"#, "no service"),
            (r#"{"service":"hold","address":1,"mode":"cool","target_c":-31}"#, "-30 to 70"),
            (r#"{"service":"hold","address":1,"mode":"heat","target_c":71}"#, "-30 to 70"),
        ] {
            let told = read_service(body.as_bytes()).unwrap_err();
            assert!(told.contains(why), "{body}: {told}");
        }
    }

    #[test]
    fn what_a_profile_lacks_is_told_only_when_it_may_be_why() {
        let lacks = ["no door contact".to_owned()];
        assert_eq!(Refusal::by_board(ServiceError::NotOffered, &lacks).lacks, lacks);
        assert_eq!(Refusal::by_board(ServiceError::Busy, &lacks).lacks, [""; 0]);
    }
}
