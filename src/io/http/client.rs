//! One small HTTP/1.1 client for reports and the cloud: kept connections, bounded in time and size.

use super::connect::{Connection, Connector, from_hyper, within};
use super::proxy::Proxies;
use super::resolver::Resolve;
use super::supply::TlsSupply;
use super::target::{Origin, Refused, Scheme, Target, TargetRules, quoted};
use crate::io::clock::boot_now;
use crate::order::constant_time;
use crate::order::said::{Said, words};
use crate::order::time::{BootMs, UnixMs};
use crate::order::url_mask;
use bytes::Bytes;
use http::header::{DATE, HOST, LOCATION, PROXY_AUTHORIZATION, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Largest answer of the cloud: an order with all its lines is a few KiB.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Largest answer of the cloud to a person's question, in bytes: the list of all slots of the largest machine.
pub const CATALOGUE_BYTES_MAX: usize = 1024 * 1024;
/// How much of a receiver's answer is read. Its status settles a report; a short body is taken so that the
/// connection can be kept, and for people who ask why a report was not accepted.
pub const REPORT_BODY_BYTES_MAX: usize = 4 * 1024;
/// How long a receiver's body is waited for after its status. It nearly always comes in the same packet.
const REPORT_BODY_TIME: Duration = Duration::from_millis(200);
/// Most redirects that one report follows: a load balancer needs one, a slash at the end another.
pub(super) const REDIRECTS_MAX: usize = 3;
/// Kept connections: a few merchants and the cloud. Each costs some 40 KiB with TLS.
const IDLE_MAX: usize = 8;
/// Kept connections of one origin: as many as the core has requests under way to one host. With fewer, a queue of reports to one
/// merchant makes connections anew all the time, and hands over certificates each time.
const IDLE_PER_ORIGIN_MAX: usize = 4;
/// Longest session that is taken from an answer, in bytes; what servers accept in one header.
const COOKIES_BYTES_MAX: usize = 4 * 1024;
/// How long a connection is kept unused, in ms: below the 60–75 s after which usual servers and mobile gateways
/// forget it.
const IDLE_KEPT_MS: u64 = 45_000;

/// How long each part of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOuts {
    /// Resolving the name; each TCP connection attempt; the proxy's answer.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From the request to the head of the answer, and again to the end of the cloud's body.
    pub response: Duration,
    /// All of it, redirects and the one repetition included.
    pub total: Duration,
}

impl Default for TimeOuts {
    /// Long enough for a poor mobile link (a lost SYN alone costs 1, 3, 7 s), and short enough that an attempt ends
    /// before its successor is due in all but the first steps of the back-off.
    fn default() -> Self {
        TimeOuts {
            connect: Duration::from_secs(8),
            tls: Duration::from_secs(10),
            response: Duration::from_secs(15),
            total: Duration::from_secs(30),
        }
    }
}

/// Whom a request is for: it decides the rules, and what of the answer matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A report to a merchant's `notify_url`.
    Report,
    /// The platform's open API.
    Cloud,
    /// The same for a person's tool, which also asks for lists.
    Catalogue,
}

/// One request. A report carries its `Idempotency-Key`; see [`Client::send`] for what depends on it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute URL, as it came.
    pub url: String,
    /// Header fields. Host, length and user agent are added.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Whom it is for.
    pub kind: Kind,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The Date header: the sender's wall clock.
    pub date: Option<UnixMs>,
    /// The Retry-After header, in seconds from the answer. A date counts from the Date header, since our own clock
    /// may be wrong; without a Date header it says nothing.
    pub retry_after_s: Option<u64>,
    /// The session that it gives, if it gives one.
    pub cookies: Cookies,
    /// The body: of the cloud all of it, of a receiver at most the first [`REPORT_BODY_BYTES_MAX`] that came at once.
    pub body: Vec<u8>,
}

/// What an answer wants to be sent back as a `Cookie` header: names and values without their attributes. The client
/// itself sends nothing back and remembers nothing. A log-in's secret, so it shows itself to nobody who prints it.
#[derive(Clone, Default)]
pub struct Cookies(Box<str>);

impl PartialEq for Cookies {
    fn eq(&self, other: &Self) -> bool {
        constant_time::equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Cookies {}

impl Cookies {
    fn of(headers: &HeaderMap) -> Cookies {
        let pair = |value: &HeaderValue| {
            let pair = value.to_str().ok()?.split(';').next()?.trim();
            pair.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty())?;
            Some(pair.to_owned())
        };
        let pairs: Vec<String> = headers.get_all(SET_COOKIE).iter().filter_map(pair).collect();
        let text = pairs.join("; ");
        if text.len() <= COOKIES_BYTES_MAX { Cookies(text.into()) } else { Cookies::default() }
    }

    /// The header's text, if there is any.
    #[must_use]
    pub fn reveal(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&*self.0)
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Cookies(none)" } else { "Cookies(hidden)" })
    }
}

/// What a request was doing when its time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Looking up the name.
    Resolve,
    /// Connecting.
    Connect,
    /// Waiting for the proxy's tunnel.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// Waiting for the head of the answer.
    Response,
    /// Reading the body.
    Body,
    /// Everything together took too long.
    Total,
}

words! {
    Phase {
        Phase::Resolve => "Resolve", "查询域名";
        Phase::Connect => "Connect", "建立连接";
        Phase::Proxy => "Proxy", "等待代理的隧道";
        Phase::Tls => "Tls", "TLS 握手";
        Phase::Response => "Response", "等待应答";
        Phase::Body => "Body", "读取应答内容";
        Phase::Total => "Total", "全部过程";
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The target is refused. Final.
    #[error("{0}")]
    BadTarget(#[from] Refused),
    /// The host's name leads only to addresses that are not allowed. Not final: a router without uplink answers every
    /// name with its own address.
    #[error("the name {host} leads astray: {why}")]
    Misled {
        /// The host.
        host: String,
        /// About its last address.
        why: Refused,
    },
    /// The receiver sends us somewhere else. Not final: a server under repair does so too, and the page of a network that wants
    /// to be paid or logged in to.
    #[error(
        "the receiver answered {status} and names another place, {to}; only 307 and 308 to the same scheme, host and port are followed, {REDIRECTS_MAX} times"
    )]
    Redirect {
        /// The answer's status.
        status: StatusCode,
        /// The Location, shortened.
        to: String,
    },
    /// The certificate or the handshake was not accepted, by us or by the other side.
    #[error("TLS: {}", .why.en)]
    Tls {
        /// What TLS said.
        why: Said,
    },
    /// No connection.
    #[error("no connection to {host}: {}", .why.en)]
    Connect {
        /// The host, of the target or of its proxy.
        host: String,
        /// What the system said.
        why: Said,
    },
    /// The proxy refused the tunnel.
    #[error("the proxy refused with {status}; look at https_proxy and its user and password")]
    Proxy {
        /// Its answer.
        status: StatusCode,
    },
    /// The other side took too long.
    #[error("no answer in time ({})", .phase.as_str())]
    TimeOut {
        /// While doing what.
        phase: Phase,
    },
    /// The connection ended before the answer did.
    #[error("the connection was lost: {}", .why.en)]
    Lost {
        /// What was seen of it.
        why: Said,
    },
    /// The answer is not HTTP/1.1.
    #[error("the answer cannot be read: {}", .why.en)]
    Protocol {
        /// What is wrong with it.
        why: Said,
    },
    /// The answer's head or body is beyond its limit.
    #[error("the answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
}

impl Failure {
    /// Another try of the same request would end the same way.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Failure::BadTarget(_))
    }
}

/// Where a receiver sends us, as logs may hold it: with a token in it, it would be a key to somebody's house.
fn shown_place(place: &str) -> String {
    if place.contains("://") { url_mask::masked(place) } else { url_mask::masked_path(place) }
}

/// What a [`Client`] is made of.
pub struct Parts {
    /// Certificates.
    pub tls: Arc<TlsSupply>,
    /// Rules of `notify_url`.
    pub report: TargetRules,
    /// Rules of `[cloud] url`.
    pub cloud: TargetRules,
    /// From the environment.
    pub proxies: Proxies,
    /// [`super::resolver::System`] outside tests.
    pub resolver: Arc<dyn Resolve>,
    /// [`TimeOuts::default`] outside tests.
    pub time_outs: TimeOuts,
}

/// The client. Shared by reference; requests may run side by side.
pub struct Client {
    report: TargetRules,
    cloud: TargetRules,
    connector: Connector,
    idle: Mutex<Vec<Idle>>,
}

/// A kept connection.
#[derive(Debug)]
struct Idle {
    /// A connection made under one kind's rules is never used under another's.
    kind: Kind,
    origin: Origin,
    since: BootMs,
    connection: Connection,
}

/// How an exchange on one connection failed.
enum Broken {
    /// Nothing of the request left: another connection may be tried in any case.
    Unsent,
    /// The connection died before the head of an answer was complete.
    Died(Failure),
    /// The rest, where another connection would not help or the answer is already there.
    Other(Failure),
}

/// An answer with what only redirects need.
struct Answered {
    answer: Answer,
    location: Option<HeaderValue>,
}

impl Client {
    /// A client without connections.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { tls, report, cloud, proxies, resolver, time_outs } = parts;
        Client { report, cloud, connector: Connector { tls, proxies, resolver, time_outs }, idle: Mutex::default() }
    }

    /// Sends a request and waits for its answer. Dropping the future closes its connection.
    ///
    /// A kept connection may have died unnoticed. A request that meets one is repeated, once, on a fresh connection:
    /// always when nothing of it left; after that only when it is idempotent by its method or carries an
    /// `Idempotency-Key`, by which the receiver knows that it has seen it. Everything else is for the caller's
    /// back-off.
    ///
    /// # Errors
    /// [`Failure`]; only [`Failure::is_final`] ones are not worth another try.
    pub async fn send(&self, request: Request) -> Result<Answer, Failure> {
        within(self.connector.time_outs.total, Phase::Total, self.follow(&request)).await
    }

    async fn follow(&self, request: &Request) -> Result<Answer, Failure> {
        let rules = match request.kind {
            Kind::Report => &self.report,
            Kind::Cloud | Kind::Catalogue => &self.cloud,
        };
        let mut target = rules.check_url(&request.url)?;
        let mut left = REDIRECTS_MAX;
        loop {
            let Answered { answer, location } = self.exchange(request, &target, rules).await?;
            let Some(location) = location.filter(|_| request.kind == Kind::Report && answer.status.is_redirection())
            else {
                return Ok(answer);
            };
            let place = String::from_utf8_lossy(location.as_bytes());
            let same_request = matches!(answer.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
            match target.resolve(&place) {
                Ok(next) if same_request && next.origin == target.origin && left > 0 => target = next,
                _ => return Err(Failure::Redirect { status: answer.status, to: quoted(&shown_place(&place)) }),
            }
            left -= 1;
        }
    }

    async fn exchange(&self, request: &Request, target: &Target, rules: &TargetRules) -> Result<Answered, Failure> {
        if let Some(kept) = self.take_idle(request.kind, &target.origin) {
            match self.ask(kept, request, target).await {
                Ok(answered) => return Ok(answered),
                Err(Broken::Unsent) => {}
                Err(Broken::Died(_)) if may_be_repeated(request) => {}
                Err(Broken::Died(failure) | Broken::Other(failure)) => return Err(failure),
            }
        }
        let fresh = self.connector.open(&target.origin, rules).await?;
        self.ask(fresh, request, target).await.map_err(|broken| match broken {
            Broken::Unsent => Failure::Lost { why: Said::new("before the request left", "请求尚未发出") },
            Broken::Died(failure) | Broken::Other(failure) => failure,
        })
    }

    /// One request and its answer on one connection, which is kept afterwards if it can be.
    async fn ask(&self, mut connection: Connection, request: &Request, target: &Target) -> Result<Answered, Broken> {
        let message = self.message(request, target).map_err(Broken::Other)?;
        if connection.sender.ready().await.is_err() {
            return Err(Broken::Unsent);
        }
        let time_outs = &self.connector.time_outs;
        let response = tokio::time::timeout(time_outs.response, connection.sender.try_send_request(message));
        let response = match response.await {
            Ok(Ok(response)) => response,
            Ok(Err(mut e)) => {
                return Err(match (e.take_message(), from_hyper(e.error())) {
                    (Some(_), _) => Broken::Unsent,
                    (None, lost @ Failure::Lost { .. }) => Broken::Died(lost),
                    (None, other) => Broken::Other(other),
                });
            }
            Err(_) => return Err(Broken::Other(Failure::TimeOut { phase: Phase::Response })),
        };
        let location = response.headers().get(LOCATION).cloned();
        let (answer, complete) =
            read_answer(response, request.kind, time_outs.response).await.map_err(Broken::Other)?;
        if complete {
            self.keep(request.kind, &target.origin, connection);
        }
        Ok(Answered { answer, location })
    }

    fn message(&self, request: &Request, target: &Target) -> Result<http::Request<Full<Bytes>>, Failure> {
        let origin = &target.origin;
        let protocol = |e: http::Error| Failure::Protocol { why: Said::word(e.to_string()) };
        // A proxy for plain http wants the absolute form; through a tunnel it sees nothing.
        let proxy = self.connector.proxies.for_origin(origin).filter(|_| origin.scheme == Scheme::Http);
        let uri = match proxy {
            None => Uri::from(target.path.clone()),
            Some(_) => Uri::try_from(target.to_string()).map_err(|e| protocol(e.into()))?,
        };
        let mut message = http::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = request.method.clone();
        *message.uri_mut() = uri;
        let headers = message.headers_mut();
        *headers = request.headers.clone();
        headers.insert(HOST, HeaderValue::try_from(origin.authority()).map_err(|e| protocol(e.into()))?);
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("vend/", env!("CARGO_PKG_VERSION"))));
        if let Some(authorization) = proxy.and_then(|proxy| proxy.authorization.clone()) {
            headers.insert(PROXY_AUTHORIZATION, authorization);
        }
        Ok(message)
    }

    /// Nothing that holds the lock can panic half-way, so a poisoned pool is still whole.
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The youngest kept connection to `origin`. Dead and old ones go; without further requests they wait for the
    /// server to close them, which costs a descriptor each and no wake-up.
    fn take_idle(&self, kind: Kind, origin: &Origin) -> Option<Connection> {
        let now = boot_now();
        let mut idle = self.idle();
        idle.retain(|kept| now.since_ms(kept.since) < IDLE_KEPT_MS && !kept.connection.sender.is_closed());
        let at = idle.iter().rposition(|kept| kept.kind == kind && kept.origin == *origin)?;
        Some(idle.remove(at).connection)
    }

    fn keep(&self, kind: Kind, origin: &Origin, connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        let mut idle = self.idle();
        let of_origin = |kept: &Idle| kept.kind == kind && kept.origin == *origin;
        if idle.iter().filter(|kept| of_origin(kept)).count() >= IDLE_PER_ORIGIN_MAX {
            return;
        }
        if idle.len() >= IDLE_MAX {
            idle.remove(0);
        }
        idle.push(Idle { kind, origin: origin.clone(), since: boot_now(), connection });
    }
}

fn may_be_repeated(request: &Request) -> bool {
    request.method.is_idempotent() || request.headers.contains_key("idempotency-key")
}

/// What is taken of a response, and whether that is all of it. `body_time` is how long the cloud's body may take.
///
/// # Errors
/// [`Failure`] about the body of the cloud, which is useless in part.
pub async fn read_answer(
    response: http::Response<Incoming>,
    kind: Kind,
    body_time: Duration,
) -> Result<(Answer, bool), Failure> {
    let (head, incoming) = response.into_parts();
    let (body, complete) = match kind {
        Kind::Report => first_bytes(incoming).await,
        Kind::Cloud => (within(body_time, Phase::Body, whole_body(incoming, BODY_BYTES_MAX)).await?, true),
        Kind::Catalogue => (within(body_time, Phase::Body, whole_body(incoming, CATALOGUE_BYTES_MAX)).await?, true),
    };
    let date = head.headers.get(DATE).and_then(parse_date);
    let retry_after_s = head.headers.get(RETRY_AFTER).and_then(|value| parse_retry_after(value, date));
    let cookies = Cookies::of(&head.headers);
    Ok((Answer { status: head.status, date, retry_after_s, cookies, body }, complete))
}

/// The first bytes of a body, as far as they come soon, and whether that is all of it. No error: the status counts.
async fn first_bytes(mut incoming: Incoming) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    let reading = async {
        while body.len() <= REPORT_BODY_BYTES_MAX {
            match incoming.frame().await {
                Some(Ok(frame)) => body.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(_)) => return false,
                None => return true,
            }
        }
        false
    };
    let complete = tokio::time::timeout(REPORT_BODY_TIME, reading).await.unwrap_or(false);
    body.truncate(REPORT_BODY_BYTES_MAX);
    (body, complete)
}

/// A body that is useless in part.
async fn whole_body(mut incoming: Incoming, limit_bytes: usize) -> Result<Vec<u8>, Failure> {
    let too_large = Failure::TooLarge { limit_bytes };
    if incoming.size_hint().lower() > limit_bytes as u64 {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|e| from_hyper(&e))?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        if body.len() + data.len() > limit_bytes {
            return Err(too_large);
        }
        body.extend_from_slice(data);
    }
    Ok(body)
}

fn parse_date(value: &HeaderValue) -> Option<UnixMs> {
    let time: SystemTime = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    Some(UnixMs::from_seconds(time.duration_since(UNIX_EPOCH).ok()?.as_secs()))
}

fn parse_retry_after(value: &HeaderValue, date: Option<UnixMs>) -> Option<u64> {
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are a very long time, and the caller has a bound of its own.
        return Some(text.parse().unwrap_or(u64::MAX));
    }
    Some(parse_date(value)?.seconds().saturating_sub(date?.seconds()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms_and_a_date_counts_from_the_answers_own_date() {
        let date = parse_date(&HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(date, Some(UnixMs(784_111_777_000)));
        let table = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, seconds) in table {
            assert_eq!(parse_retry_after(&HeaderValue::from_static(text), date), seconds, "{text:?}");
        }
        assert_eq!(parse_retry_after(&HeaderValue::from_static("Sun, 06 Nov 1994 08:50:37 GMT"), None), None);
        assert_eq!(parse_date(&HeaderValue::from_static("Mon, 01 Jan 1900 00:00:00 GMT")), None);
    }

    #[test]
    fn only_a_bad_target_is_final() {
        assert!(Failure::from(Refused::UserPart).is_final());
        for retried in [
            Failure::Tls { why: Said::word("") },
            Failure::TimeOut { phase: Phase::Total },
            Failure::Lost { why: Said::word("") },
            Failure::Misled { host: "shop".to_owned(), why: Refused::UserPart },
            Failure::Redirect { status: StatusCode::FOUND, to: "https://shop.example".to_owned() },
            Failure::TooLarge { limit_bytes: 1 },
        ] {
            assert!(!retried.is_final(), "{retried:?}");
        }
    }
}
