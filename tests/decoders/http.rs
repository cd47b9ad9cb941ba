//! HTTP as it comes in: answers of merchants, of the cloud and of proxies; URLs and hosts from messages.

use super::Script;
use http::uri::Uri;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};
use vend::config::endpoint::{Endpoint, HTTP, MQTT};
use vend::config::host::{Host, HostPattern};
use vend::io::http::client::{BODY_BYTES_MAX, Kind, REPORT_BODY_BYTES_MAX, read_answer};
use vend::io::http::proxy::{Proxies, Proxy};
use vend::io::http::target::{Refused, Scheme, Target, TargetRules};
use vend::io::http::{ask_for_tunnel, http1};

/// Longer than any input: the whole answer is there at once, and its end after it.
const PIPE_BYTES: usize = 1 << 21;
/// Never waited for, since the other side has ended.
const BODY_TIME: Duration = Duration::from_secs(60);

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// Any bytes as the answer to a report, to a question to the cloud and to a proxy's CONNECT; the first one says how
/// many KiB more there are.
pub fn http_answer(data: &[u8]) {
    let mut script = Script(data);
    let more = vec![b'0'; usize::from(script.byte()) * 1024];
    let said = [script.rest(), &more].concat();
    runtime().block_on(async {
        for (kind, most) in [(Kind::Report, REPORT_BODY_BYTES_MAX), (Kind::Cloud, BODY_BYTES_MAX)] {
            answer(&said, kind, most).await;
        }
        tunnel(&said).await;
    });
}

async fn answer(said: &[u8], kind: Kind, most: usize) {
    let (ours, mut theirs) = tokio::io::duplex(PIPE_BYTES);
    let (mut sender, connection) = http1().handshake(TokioIo::new(ours)).await.expect("nothing was said yet");
    let request = http::Request::get("/").header("host", "shop.example").body(Empty::<Bytes>::new());
    let exchange = async {
        let response = sender.send_request(request.expect("a request")).await.ok()?;
        let status = response.status();
        let dates: Vec<_> = response.headers().get_all("date").iter().cloned().collect();
        let (answer, complete) = read_answer(response, kind, BODY_TIME).await.ok()?;
        assert_eq!(answer.status, status);
        assert!(answer.body.len() <= most, "{} bytes of a body", answer.body.len());
        assert!(answer.date.is_none() || !dates.is_empty(), "a time that nobody told");
        assert!(kind == Kind::Report || complete);
        Some(())
    };
    let them = async {
        let mut request = [0; 1024];
        let _ = theirs.read(&mut request).await;
        let _ = theirs.write_all(said).await;
        drop(theirs);
    };
    let _ = tokio::join!(them, connection, exchange);
}

async fn tunnel(said: &[u8]) {
    let (mut ours, mut theirs) = tokio::io::duplex(PIPE_BYTES);
    let proxy = Proxy { host: Host::parse("proxy.example").expect("a host"), port: 3128, authorization: None };
    let origin = Target::parse("https://shop.example").expect("a target").origin;
    let (asked, ()) = tokio::join!(ask_for_tunnel(&mut ours, &proxy, &origin), async {
        let mut request = [0; 1024];
        let _ = theirs.read(&mut request).await;
        let _ = theirs.write_all(said).await;
        drop(theirs);
    });
    let is_tunnel = said.starts_with(b"HTTP/1.") && said.get(9) == Some(&b'2');
    assert!(asked.is_err() || is_tunnel, "no tunnel, and taken for one");
}

/// Any text as a notify_url, a redirect, a host, an entry of allow_hosts, a URL of the configuration, a proxy.
pub fn url(data: &[u8]) {
    let mut script = Script(data);
    let mode = script.byte();
    let Ok(text) = std::str::from_utf8(script.rest()) else { return };
    target(text);
    host(text);
    for schemes in [&MQTT, &HTTP] {
        if let Ok(endpoint) = Endpoint::parse(text, schemes) {
            assert!(endpoint.port > 0 && !text.contains('@') || endpoint.base_path.contains('@'), "{text}");
            assert_eq!(Endpoint::parse(&endpoint.to_string(), &HTTP), Ok(endpoint), "{text}");
        }
    }
    let variable = ["http_proxy", "HTTPS_PROXY", "all_proxy", "no_proxy"][usize::from(mode) % 4];
    match Proxies::parse(|name| (name == variable).then(|| text.to_owned())) {
        Ok(proxies) => {
            let near = Target::parse("http://localhost:1/").expect("a target").origin;
            assert_eq!(proxies.for_origin(&near), None, "this machine is reached without a proxy");
        }
        Err(bad) => {
            let secret = text.split_once(':').and_then(|(_, rest)| rest.split_once('@')).map(|(secret, _)| secret);
            let told = bad.to_string();
            // Our own words hold none of these: a password with one is known when it is shown.
            let shown = |part: &str| part.contains(['%', '$', '!', '~', '^']) && told.contains(part);
            assert!(!secret.is_some_and(|secret| secret.split([':', '/']).any(shown)), "{told}");
        }
    }
}

fn target(text: &str) {
    let by_message = TargetRules::new(Vec::new(), false, false);
    let checked = by_message.check_url(text);
    let target = match Target::parse(text) {
        Ok(target) => target,
        Err(refused) => {
            assert!(refused.to_string().len() < 800, "{refused}");
            assert!(checked.is_err());
            return;
        }
    };
    let shown = target.to_string();
    assert_eq!(Target::parse(&shown).as_ref(), Ok(&target), "{text} is shown as {shown}");
    // A second reader finds the same host.
    let uri: Uri = shown.parse().unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(uri.host().map(str::to_owned), Some(target.origin.host.to_string()), "{shown}");
    assert_eq!(uri.port_u16().unwrap_or(target.origin.scheme.default_port()), target.origin.port, "{shown}");
    if let Host::Address(address) = target.origin.host {
        let private = match address {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified(),
            IpAddr::V6(v6) => {
                v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.to_ipv4_mapped().is_some()
            }
        };
        assert!(!private || checked.is_err(), "{shown} leads into the machine's own network");
        assert!(target.origin.scheme == Scheme::Https || checked.is_err(), "{shown} would be readable on the way");
    }
    // A redirect by a path stays where it is.
    let base = Target::parse("https://shop.example/a/b?c=1").expect("a target");
    match base.resolve(text) {
        Ok(next) => assert_eq!(Target::parse(&next.to_string()), Ok(next)),
        Err(refused) => assert!(!matches!(refused, Refused::Private { .. })),
    }
    if let Ok(next) = base.resolve(target.path.as_str()) {
        assert!(next.origin == base.origin || target.path.as_str().starts_with("//"), "{next}");
    }
}

fn host(text: &str) {
    if let Ok(host) = Host::parse(text) {
        assert_eq!(Host::parse(&host.to_string()), Ok(host.clone()), "{text}");
        if let Host::Name(name) = &host {
            assert!(name.parse::<IpAddr>().is_err(), "{name} is an address");
        }
    }
    if let Ok(pattern) = HostPattern::parse(text) {
        assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern.clone()), "{text}");
        let other = Host::parse("other.invalid").expect("a host");
        let covers = text.to_ascii_lowercase().trim_end_matches('.').ends_with("invalid");
        assert!(covers || !pattern.covers(&other), "{text} covers a stranger");
    }
}
