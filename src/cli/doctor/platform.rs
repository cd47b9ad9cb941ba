//! One ping of the open API: does anybody answer, is it the platform, does it know us, and what time is it there.

use crate::agent;
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::{ApiError, ApiRequest, read_ping};
use crate::config::Config;
use crate::config::credentials::{Credential, Credentials};
use crate::core::event::{Audience, Request};
use crate::doctor::seen::{Fact, Platform, PlatformWord};
use crate::io::clock::Clock;
use crate::io::http::client::Kind;
use crate::order::said::{InChinese as _, Said};

/// Asks the platform, if the daemon would ask it for anything.
pub(super) async fn ask(config: &Config, credentials: Option<&Credentials>) -> Fact<Platform> {
    let (Some(cloud), Some(_)) = (&config.cloud, Credential::AppSecret.needed_by(config)) else {
        return Fact::Is(Platform::None);
    };
    let silent = |why: Said| Fact::Is(Platform::Silent(why));
    let client = match agent::cloud_client(config) {
        Ok(Some(client)) => client,
        Ok(None) => return Fact::Is(Platform::None),
        Err(error) => return silent(error.said()),
    };
    let account = credentials.and_then(|credentials| agent::account(config, credentials).ok().flatten());
    let now_s = Clock::new().now().wall.seconds();
    let call = account.as_ref().map_or_else(ApiRequest::unsigned_ping, |it| it.ping(&config.machine_no, now_s));
    let request = Request {
        audience: Audience::Cloud,
        method: call.method,
        url: format!("{}{}", cloud.endpoint.to_string().trim_end_matches('/'), call.path),
        headers: call.headers,
        body: call.body,
    };
    let request = match agent::http_request(request, Kind::Cloud) {
        Ok(request) => request,
        Err(why) => return silent(Said::word(why)),
    };
    let answer = match client.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return silent(failure.said()),
    };
    let then_s = Clock::new().now().wall.seconds();
    let ahead_s = answer.date.map(|date| {
        let ahead = i128::from(date.seconds()) - i128::from(then_s);
        i64::try_from(ahead).unwrap_or(i64::MAX)
    });
    let has_account = account.is_some();
    let word = match read_ping(answer.status.as_u16(), &answer.body) {
        Ok(()) => PlatformWord::Accepted,
        Err(error @ ApiError::NotPlatform { .. }) => PlatformWord::SomebodyElse(error.said()),
        // Sent on to where one logs in; or told to (RFC 6585).
        Err(ApiError::Http { status: status @ (300..=399 | 511) }) => {
            PlatformWord::SomebodyElse(Said::word(format!("HTTP {status}")))
        }
        Err(error @ ApiError::Http { .. }) => return silent(error.said()),
        Err(_) if !has_account => PlatformWord::NotAsked,
        Err(error @ ApiError::Unauthorized { .. }) => PlatformWord::Unauthorised(error.said()),
        Err(error) if error.class() == RetryClass::Retry => return silent(error.said()),
        Err(error) => PlatformWord::Refused(error.said()),
    };
    Fact::Is(Platform::Answered { ahead_s, word })
}
