//! Who asks: the merchant's credentials, and the frame of every call (cloud 1.2, 1.3).

use super::answer::{Answer, ApiError};
use crate::cloud::envelope::{Value as Field, seal};
use crate::cloud::json::to_json;
use crate::cloud::sign::SigningKey;
use crate::order::constant_time;
use crate::order::key::MachineNo;
use serde_json::{Value, json};
use std::fmt;

/// Below the configured `[cloud] url`.
pub const BASE_PATH: &str = "/api/openapi/v1";
/// Names the merchant.
pub const APP_ID_HEADER: &str = "Appid";
/// Proves the merchant; it never enters a signature.
pub const APP_SECRET_HEADER: &str = "AppSecret";

/// The secret of [`APP_SECRET_HEADER`]. Never shown.
#[derive(Clone)]
pub struct AppSecret(Box<str>);

impl PartialEq for AppSecret {
    fn eq(&self, other: &Self) -> bool {
        constant_time::equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for AppSecret {}

impl AppSecret {
    /// Takes the secret exactly as given; whoever reads it from a file cuts the line end off first.
    #[must_use]
    pub fn new(text: &str) -> Self {
        AppSecret(text.into())
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppSecret(hidden)")
    }
}

/// What the merchant is known by. Signatures over HTTP use the AppKey, whatever `[signing]` says about MQTT.
#[derive(Debug, Clone)]
pub struct Account {
    /// `ds` and 16 hex digits.
    pub app_id: String,
    /// The secret in the header.
    pub app_secret: AppSecret,
    /// The key of the signatures.
    pub app_key: SigningKey,
}

/// A call to be carried by any HTTP client.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiRequest {
    /// POST or PUT.
    pub method: &'static str,
    /// Below the base url; safe as it is.
    pub path: String,
    /// Names and values. The secret is among them.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (headers hidden, {} bytes)", self.method, self.path, self.body.len())
    }
}

impl ApiRequest {
    /// Asks without credentials: refused, and the refusal tells the cloud's time all the same.
    #[must_use]
    pub fn unsigned_ping() -> Self {
        let path = format!("{BASE_PATH}/ping");
        ApiRequest { method: "POST", path, headers: Vec::new(), body: b"{}".to_vec() }
    }
}

impl Account {
    /// Asks whether url, credentials and key are right: POST /ping. The answer goes to [`read_ping`].
    #[must_use]
    pub fn ping(&self, machine_no: &MachineNo, timestamp_s: u64) -> ApiRequest {
        self.signed("POST", "/ping", machine_no, timestamp_s, [])
    }

    /// A call with a signed payload: machine_no, timestamp (Unix s) and the call's own fields, all of them texts
    /// (cloud 1.2).
    pub(super) fn signed<'a>(
        &self,
        method: &'static str,
        path: &str,
        machine_no: &'a MachineNo,
        timestamp_s: u64,
        own: impl IntoIterator<Item = (&'static str, Field<'a>)>,
    ) -> ApiRequest {
        let fields = [("machine_no", machine_no.as_str().into()), ("timestamp", timestamp_s.to_string().into())];
        let payload = seal(fields.into_iter().chain(own), &self.app_key);
        self.plain(method, path, &json!({ "payload": String::from_utf8_lossy(&payload) }))
    }

    /// A call whose body is not signed.
    pub(super) fn plain(&self, method: &'static str, path: &str, body: &Value) -> ApiRequest {
        ApiRequest {
            method,
            path: format!("{BASE_PATH}{path}"),
            headers: vec![
                (APP_ID_HEADER, self.app_id.clone()),
                (APP_SECRET_HEADER, self.app_secret.0.to_string()),
                ("Content-Type", "application/json".to_owned()),
            ],
            body: to_json(body),
        }
    }
}

/// A part of a path made of an [`Id`](crate::order::key::Id)'s letters. It holds nothing that must be escaped, but
/// "." and ".." would climb.
pub(super) fn segment(id: &str) -> String {
    if id.bytes().all(|b| b == b'.') { id.replace('.', "%2E") } else { id.to_owned() }
}

/// Reads the answer to [`Account::ping`]. Its proof is `data` "pong".
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_ping(status: u16, body: &[u8]) -> Result<(), ApiError> {
    let answer = Answer::read(status, body)?;
    if answer.data == "pong" { Ok(()) } else { Err(answer.not_proven("data \"pong\"")) }
}
