//! One call of the open API and what its failure means for a person and a script.

use super::super::ConfigArgs;
use super::super::exit::Exit;
use super::super::failure::Failure;
use crate::agent;
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::{ANSWER_BYTES_MAX, Account, ApiError, ApiRequest, AppSecret};
use crate::cloud::sign::SigningKey;
use crate::config::Config;
use crate::config::credentials::Credentials;
use crate::core::event::{Audience, Request};
use crate::io::clock::Clock;
use crate::io::http::client::{self, CATALOGUE_BYTES_MAX, Kind};
use crate::order::key::MachineNo;
use crate::order::said::{Said, Spoken, said};
use std::rc::Rc;
use tokio::runtime::Runtime;

/// What the client lets through, the reader reads.
const _: () = assert!(ANSWER_BYTES_MAX == CATALOGUE_BYTES_MAX);

/// Calls the cloud of a configuration.
pub(super) struct Caller {
    pub(super) account: Account,
    pub(super) machine_no: MachineNo,
    url: String,
    client: Rc<client::Client>,
    runtime: Runtime,
    clock: Clock,
}

/// An answer, read to its end.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Caller {
    pub(super) fn new(place: &ConfigArgs) -> Result<Caller, Failure> {
        let config = Config::load(&place.config)?.config;
        let Some(cloud) = &config.cloud else {
            let path = place.config.display();
            return Err(Failure::told(
                Exit::Configuration,
                said!(
                    "{path} has no [cloud]\n  = set url and app_id in [cloud]",
                    "{path} 中没有 [cloud]\n  = 请在 [cloud] 中设置 url 与 app_id";
                    path
                ),
            ));
        };
        let merchant = Credentials::of_merchant(Some(&place.secrets_directory()))?;
        let account = Account {
            app_id: cloud.app_id.clone(),
            app_secret: AppSecret::new(merchant.app_secret.reveal()),
            app_key: SigningKey::new(merchant.app_key.reveal())
                .map_err(|error| Failure::of(Exit::Configuration, &error))?,
        };
        let client = agent::cloud_client(&config)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| no_answer(&e))?;
        Ok(Caller {
            account,
            machine_no: config.machine_no.clone(),
            url: cloud.endpoint.to_string().trim_end_matches('/').to_owned(),
            client: client.ok_or_else(|| no_answer(&said!("no client for [cloud]", "[cloud] 没有客户端")))?,
            runtime,
            clock: Clock::new(),
        })
    }

    /// Unix seconds, for signatures.
    pub(super) fn now_s(&mut self) -> u64 {
        self.clock.now().wall.seconds()
    }

    /// Sends a call and waits for its answer.
    pub(super) fn send(&self, call: ApiRequest) -> Result<Reply, Failure> {
        let request = Request {
            audience: Audience::Cloud,
            method: call.method,
            url: format!("{}{}", self.url, call.path),
            headers: call.headers,
            body: call.body,
        };
        let request = agent::http_request(request, Kind::Catalogue).map_err(|why| no_answer(&Said::word(why)))?;
        let answer = self.runtime.block_on(self.client.send(request)).map_err(|failure| no_answer(&failure))?;
        Ok(Reply { status: answer.status.as_u16(), body: answer.body })
    }

    /// Sends a call and reads its answer.
    pub(super) fn ask<T>(
        &self,
        call: ApiRequest,
        read: impl FnOnce(u16, &[u8]) -> Result<T, ApiError>,
    ) -> Result<T, Failure> {
        let reply = self.send(call)?;
        read(reply.status, &reply.body).map_err(|error| failed(&error))
    }
}

fn no_answer(why: &impl Spoken) -> Failure {
    Failure::told(
        Exit::Network,
        said!(
            "the cloud does not answer: {why}\n  = is [cloud] url right, and is there a network?",
            "云端没有应答：{why}\n  = 请检查 [cloud] url 与网络",
            why
        ),
    )
}

/// How a refusal ends.
fn exit(error: &ApiError) -> Exit {
    match error {
        ApiError::Unauthorized { .. } => Exit::Configuration,
        // What is not there: a record, a machine, a product.
        ApiError::Refused { code: 404 | 4004 | 80_002 | 30_001 | 30_003 | 6026 | 6045, .. }
        | ApiError::Http { status: 404 } => Exit::NotFound,
        ApiError::Refused { .. } if error.class() != RetryClass::Retry => Exit::Refused,
        // A failure with code 0 has its reason in the message.
        ApiError::NotProven { message, .. } if !message.is_empty() && !message.eq_ignore_ascii_case("ok") => {
            Exit::Refused
        }
        ApiError::Refused { .. }
        | ApiError::NotProven { .. }
        | ApiError::Http { .. }
        | ApiError::NotPlatform { .. }
        | ApiError::OtherOrder { .. }
        | ApiError::TooLarge { .. } => Exit::Network,
    }
}

/// What an unwanted answer means for a person.
pub(super) fn failed(error: &ApiError) -> Failure {
    Failure::of(exit(error), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_refusal_has_its_exit_code() {
        let refused = |code| ApiError::Refused { status: 200, code, message: String::new() };
        let said =
            |message: &str| ApiError::NotProven { wanted: Said::word("data.delivery_id"), message: message.to_owned() };
        let table = [
            (ApiError::Unauthorized { code: 10_013, message: String::new() }, Exit::Configuration),
            (refused(80_002), Exit::NotFound),
            (refused(4004), Exit::NotFound),
            (refused(30_003), Exit::NotFound),
            (ApiError::Http { status: 404 }, Exit::NotFound),
            (refused(40_005), Exit::Refused),
            (refused(6040), Exit::Refused),
            (refused(6049), Exit::Refused),
            (refused(30_002), Exit::Network),
            (refused(6015), Exit::Network),
            (refused(777_777), Exit::Network),
            (said("订单未支付"), Exit::Refused),
            (said("ok"), Exit::Network),
            (said(""), Exit::Network),
            (ApiError::Http { status: 502 }, Exit::Network),
            (ApiError::NotPlatform { start: "<html>".to_owned() }, Exit::Network),
        ];
        for (error, expected) in table {
            assert_eq!(exit(&error), expected, "{error}");
            assert_eq!(failed(&error).exit(), expected);
        }
    }
}
