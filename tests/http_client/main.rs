//! The embedded HTTP client against real sockets on loopback: good receivers, bad ones, and proxies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod certificates;
mod rebinding;
mod support;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::Full;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Ca, SeenRequest, listen, read_request, serve, serve_raw};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vend::config::host::HostPattern;
use vend::io::http::authorities::Authorities;
use vend::io::http::client::{
    Answer, BODY_BYTES_MAX, CATALOGUE_BYTES_MAX, Client, Failure, Kind, Parts, Phase, REPORT_BODY_BYTES_MAX, Request,
    TimeOuts,
};
use vend::io::http::proxy::Proxies;
use vend::io::http::resolver::System;
use vend::io::http::supply::{TlsFiles, TlsSupply};
use vend::io::http::target::{Refused, TargetRules};
use vend::io::http::tls::Identity;
use vend::order::time::UnixMs;

/// Generous: only a broken client ever waits this long.
const DEADLINE: Duration = Duration::from_secs(20);

fn ok(_: &SeenRequest) -> Response<Full<Bytes>> {
    Response::new(Full::from("{}"))
}

fn status(code: u16, header: &str, value: &str) -> Response<Full<Bytes>> {
    Response::builder().status(code).header(header, value).body(Full::default()).unwrap()
}

// --- the client -----------------------------------------------------------------------------------------------

fn patient() -> TimeOuts {
    TimeOuts { connect: DEADLINE, tls: DEADLINE, response: DEADLINE, total: DEADLINE }
}

fn hosts(texts: &[&str]) -> Vec<HostPattern> {
    texts.iter().map(|text| HostPattern::parse(text).unwrap()).collect()
}

fn open_rules() -> TargetRules {
    TargetRules::new(hosts(&["localhost", "127.0.0.1", "*.example"]), true, false)
}

/// Trusts `ca` alone, and shows these files.
fn supply(ca: &Ca, identity: Option<Identity>) -> Arc<TlsSupply> {
    TlsSupply::open(TlsFiles { ca_file: Some(ca.file("ca.pem")), identity }, None, &Authorities::default()).unwrap()
}

/// A client that trusts `ca` and may reach loopback.
fn parts(ca: &Ca) -> Parts {
    Parts {
        tls: supply(ca, None),
        resolver: Arc::new(System),
        report: open_rules(),
        cloud: TargetRules::operators_own(false),
        proxies: Proxies::default(),
        time_outs: patient(),
    }
}

fn client() -> Client {
    Client::new(parts(&Ca::new()))
}

fn impatient_client() -> Client {
    let time_outs = TimeOuts { response: Duration::from_millis(300), ..patient() };
    Client::new(Parts { time_outs, ..parts(&Ca::new()) })
}

fn post(url: String, kind: Kind) -> Request {
    Request { method: Method::POST, url, headers: HeaderMap::new(), body: Bytes::from_static(b"{}"), kind }
}

fn report(url: String) -> Request {
    let mut request = post(url, Kind::Report);
    request.headers.insert("idempotency-key", "16327129:60:78:1".parse().unwrap());
    request
}

fn plain(port: u16) -> String {
    format!("http://127.0.0.1:{port}/notify?a=1")
}

fn secure(port: u16) -> String {
    format!("https://localhost:{port}/notify")
}

async fn send(client: &Client, request: Request) -> Result<Answer, Failure> {
    tokio::time::timeout(2 * DEADLINE, client.send(request)).await.expect("the client's own time-outs end this earlier")
}

// --- connections ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_report_arrives_as_it_was_given() {
    let (port, seen) = serve(None, ok).await;
    let answer = send(&client(), report(plain(port))).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, &b"{}"[..]));
    let [request] = &seen.requests()[..] else { panic!("one request") };
    assert_eq!((&request.method, request.uri.as_str(), &request.body[..]), (&Method::POST, "/notify?a=1", &b"{}"[..]));
    assert_eq!(request.headers["host"], format!("127.0.0.1:{port}"));
    assert_eq!(request.headers["idempotency-key"], "16327129:60:78:1");
    assert_eq!(request.headers["content-length"], "2");
    assert!(request.headers["user-agent"].to_str().unwrap().starts_with("vend/"));
}

#[tokio::test]
async fn a_kept_connection_serves_the_next_request_of_the_same_kind() {
    let (port, seen) = serve(None, ok).await;
    let client = client();
    for _ in 0..3 {
        send(&client, report(plain(port))).await.unwrap();
    }
    assert_eq!(seen.connections(), 1);
    send(&client, post(plain(port), Kind::Cloud)).await.unwrap();
    assert_eq!(seen.connections(), 2, "a connection made under other rules is not shared");
    assert_eq!(seen.requests().len(), 4);
}

#[tokio::test]
async fn requests_side_by_side_have_a_connection_each() {
    let (port, seen) = serve(None, ok).await;
    let client = client();
    let (a, b, c) = tokio::join!(
        send(&client, report(plain(port))),
        send(&client, report(plain(port))),
        send(&client, report(plain(port)))
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(seen.connections(), 3);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_between_two_requests_costs_nothing() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let port = serve_raw(move |mut stream, _| {
        let count = Arc::clone(&count);
        async move {
            if read_request(&mut stream).await {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            }
        }
    })
    .await;
    let client = client();
    for _ in 0..3 {
        send(&client, report(plain(port))).await.unwrap();
    }
    assert_eq!(served.load(Ordering::SeqCst), 3);
}

/// Answers the first request of the first connection, and closes on every other request without a word.
async fn serve_once_then_die() -> (u16, Arc<AtomicUsize>) {
    let received = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&received);
    let port = serve_raw(move |mut stream, number| {
        let count = Arc::clone(&count);
        async move {
            if number == 1 && read_request(&mut stream).await {
                count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            }
            if read_request(&mut stream).await {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    (port, received)
}

#[tokio::test]
async fn a_request_that_met_a_dying_kept_connection_is_repeated_once_if_it_has_a_key() {
    let (port, received) = serve_once_then_die().await;
    let client = client();
    send(&client, report(plain(port))).await.unwrap();
    let failure = send(&client, report(plain(port))).await.unwrap_err();
    assert!(matches!(failure, Failure::Lost { .. }) && !failure.is_final(), "{failure:?}");
    assert_eq!(received.load(Ordering::SeqCst), 3, "one answered, one on the kept connection, one on a fresh one");
}

#[tokio::test]
async fn a_request_without_a_key_is_not_repeated_once_it_left() {
    let (port, received) = serve_once_then_die().await;
    let client = client();
    send(&client, post(plain(port), Kind::Cloud)).await.unwrap();
    let failure = send(&client, post(plain(port), Kind::Cloud)).await.unwrap_err();
    assert!(matches!(failure, Failure::Lost { .. }), "{failure:?}");
    assert_eq!(received.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_dropped_request_closes_its_connection() {
    let (ended, end) = tokio::sync::oneshot::channel();
    let ended = Arc::new(Mutex::new(Some(ended)));
    let (arrived, arrival) = tokio::sync::oneshot::channel();
    let arrived = Arc::new(Mutex::new(Some(arrived)));
    let port = serve_raw(move |mut stream, _| {
        let (arrived, ended) = (arrived.lock().unwrap().take().unwrap(), ended.lock().unwrap().take().unwrap());
        async move {
            assert!(read_request(&mut stream).await);
            arrived.send(()).unwrap();
            let _ = stream.read(&mut [0]).await;
            ended.send(()).unwrap();
        }
    })
    .await;
    let client = client();
    tokio::select! {
        answer = send(&client, report(plain(port))) => panic!("{answer:?}"),
        arrived = arrival => arrived.unwrap(),
    }
    tokio::time::timeout(DEADLINE, end).await.expect("the server sees the end").unwrap();
}

#[tokio::test]
async fn a_request_that_ran_out_of_time_is_not_written_on_behind_our_back() {
    const BODY_BYTES: usize = 32 << 20;
    let (gave_up, failed) = tokio::sync::oneshot::channel();
    let (count, counted) = tokio::sync::oneshot::channel();
    let once = Arc::new(Mutex::new(Some((failed, count))));
    let port = serve_raw(move |mut stream, _| {
        let (failed, count) = once.lock().unwrap().take().unwrap();
        async move {
            failed.await.unwrap();
            let mut received = 0;
            let mut buffer = vec![0; 65_536];
            while let Ok(more @ 1..) = stream.read(&mut buffer).await {
                received += more;
            }
            count.send(received).unwrap();
        }
    })
    .await;
    let request = Request { body: Bytes::from(vec![b'x'; BODY_BYTES]), ..report(plain(port)) };
    let failure = send(&impatient_client(), request).await.unwrap_err();
    assert_eq!(failure, Failure::TimeOut { phase: Phase::Response });
    gave_up.send(()).unwrap();
    let received = tokio::time::timeout(DEADLINE, counted).await.unwrap().unwrap();
    assert!(received < BODY_BYTES, "only what the kernel had already taken arrives");
}

#[tokio::test]
async fn nobody_listening_is_a_failure_to_connect_that_is_tried_again() {
    let (listener, port) = listen().await;
    drop(listener);
    let failure = send(&client(), report(plain(port))).await.unwrap_err();
    assert!(matches!(failure, Failure::Connect { .. }) && !failure.is_final(), "{failure:?}");
}

// --- answers --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn ten_megabytes_settle_a_report_by_their_status_and_are_cut_off_for_the_cloud() {
    let (port, seen) = serve(None, |_| Response::new(Full::from(vec![b'x'; 10 << 20]))).await;
    let client = client();
    let answer = send(&client, report(plain(port))).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, REPORT_BODY_BYTES_MAX));
    send(&client, report(plain(port))).await.unwrap();
    assert_eq!(seen.connections(), 2, "what was not read to its end is not kept");
    let failure = send(&client, post(plain(port), Kind::Cloud)).await.unwrap_err();
    assert_eq!(failure, Failure::TooLarge { limit_bytes: BODY_BYTES_MAX });
}

#[tokio::test]
async fn a_body_at_the_limit_is_whole_and_one_byte_more_is_too_large() {
    for (kind, limit_bytes) in [(Kind::Cloud, BODY_BYTES_MAX), (Kind::Catalogue, CATALOGUE_BYTES_MAX)] {
        let (port, _) = serve(None, move |request: &SeenRequest| {
            let length = if request.uri.contains("more") { limit_bytes + 1 } else { limit_bytes };
            Response::new(Full::from(vec![b'x'; length]))
        })
        .await;
        let client = client();
        let answer = send(&client, post(plain(port), kind)).await.unwrap();
        assert_eq!(answer.body.len(), limit_bytes);
        let more = send(&client, post(format!("http://127.0.0.1:{port}/more"), kind)).await;
        assert_eq!(more, Err(Failure::TooLarge { limit_bytes }));
    }
}

/// Sends a head and then chunks of `chunk_bytes` without end, as fast as they are taken.
async fn serve_without_end(chunk_bytes: usize) -> u16 {
    serve_raw(move |mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let chunk = format!("{chunk_bytes:x}\r\n{}\r\n", "x".repeat(chunk_bytes));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let client = client();
    for chunk_bytes in [1, 5_000] {
        let port = serve_without_end(chunk_bytes).await;
        let answer = send(&client, report(plain(port))).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.body.len() <= REPORT_BODY_BYTES_MAX);
        let failure = send(&client, post(plain(port), Kind::Cloud)).await.unwrap_err();
        assert_eq!(failure, Failure::TooLarge { limit_bytes: BODY_BYTES_MAX });
    }
}

/// Sends `bytes` and then nothing more, keeping the connection open.
async fn serve_bytes_and_stop(bytes: &'static [u8]) -> u16 {
    serve_raw(move |mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(bytes).await.unwrap();
        let _ = stream.read(&mut [0]).await;
    })
    .await
}

#[tokio::test]
async fn an_answer_that_stops_half_way_runs_out_of_time_in_its_phase() {
    let client = impatient_client();
    for head in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Le"] {
        let port = serve_bytes_and_stop(head).await;
        let failure = send(&client, report(plain(port))).await.unwrap_err();
        assert_eq!(failure, Failure::TimeOut { phase: Phase::Response });
    }
    let port = serve_bytes_and_stop(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nhalf").await;
    let failure = send(&client, post(plain(port), Kind::Cloud)).await.unwrap_err();
    assert_eq!(failure, Failure::TimeOut { phase: Phase::Body });
    let answer = send(&client, report(plain(port))).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (201, &b"half"[..]), "the status settles a report");
}

#[tokio::test]
async fn everything_together_has_a_time_out_too() {
    let time_outs = TimeOuts { total: Duration::from_millis(300), ..patient() };
    let client = Client::new(Parts { time_outs, ..parts(&Ca::new()) });
    let port = serve_bytes_and_stop(b"").await;
    let failure = send(&client, report(plain(port))).await.unwrap_err();
    assert_eq!(failure, Failure::TimeOut { phase: Phase::Total });
}

#[tokio::test]
async fn a_connection_that_ends_within_the_body_is_lost_for_the_cloud_and_enough_for_a_report() {
    let port = serve_raw(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    })
    .await;
    let client = client();
    assert_eq!(send(&client, report(plain(port))).await.unwrap().status, StatusCode::OK);
    let failure = send(&client, post(plain(port), Kind::Cloud)).await.unwrap_err();
    assert!(matches!(failure, Failure::Lost { .. }), "{failure:?}");
}

#[tokio::test]
async fn what_is_not_http_or_has_a_huge_head_is_refused() {
    let client = client();
    let port = serve_bytes_and_stop(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    let failure = send(&client, report(plain(port))).await.unwrap_err();
    assert!(matches!(failure, Failure::Protocol { .. }), "{failure:?}");
    let port = serve_raw(|mut stream, _| async move {
        read_request(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(100_000));
        let _ = stream.write_all(head.as_bytes()).await;
    })
    .await;
    let failure = send(&client, report(plain(port))).await.unwrap_err();
    assert!(matches!(failure, Failure::TooLarge { .. }), "{failure:?}");
}

#[tokio::test]
async fn date_and_retry_after_come_from_the_answer() {
    let (port, _) = serve(None, |request: &SeenRequest| {
        let after = if request.uri.contains("date") { "Sun, 06 Nov 1994 08:50:37 GMT" } else { "7" };
        let mut response = status(503, "retry-after", after);
        response.headers_mut().insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        response
    })
    .await;
    let client = client();
    let answer = send(&client, report(plain(port))).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.retry_after_s), (503, Some(7)));
    assert_eq!(answer.date, Some(UnixMs(784_111_777_000)));
    let answer = send(&client, report(format!("http://127.0.0.1:{port}/date"))).await.unwrap();
    assert_eq!(answer.retry_after_s, Some(60));
}

// --- targets --------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_308_to_the_same_place_is_followed_with_method_body_and_key() {
    let (port, seen) = serve(None, |request: &SeenRequest| match request.uri.as_str() {
        "/moved" => ok(request),
        _ => status(308, "location", "/moved"),
    })
    .await;
    let answer = send(&client(), report(plain(port))).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    let requests = seen.requests();
    assert_eq!((requests.len(), seen.connections()), (2, 1));
    assert_eq!((&requests[1].method, &requests[1].body[..]), (&Method::POST, &b"{}"[..]));
    assert_eq!(requests[1].headers["idempotency-key"], "16327129:60:78:1");
}

#[tokio::test]
async fn every_other_redirect_of_a_report_leads_nowhere_and_is_worth_another_try() {
    let (elsewhere, untouched) = serve(None, ok).await;
    let (port, seen) = serve(None, move |request: &SeenRequest| match request.uri.as_str() {
        "/302" => status(302, "location", "/moved"),
        "/301" => status(301, "location", "/moved"),
        "/loop" => status(307, "location", "/loop"),
        "/file" => status(308, "location", "file:///etc/passwd"),
        "/token" => status(302, "location", "/hook/0f9a8b7c6d5e4f30?key=1"),
        "/url" => status(302, "location", "https://user:word@shop.example/0f9a8b7c6d5e4f30"),
        _ => status(308, "location", &format!("http://127.0.0.1:{elsewhere}/")),
    })
    .await;
    let client = client();
    for (path, requests) in [("302", 1), ("301", 1), ("elsewhere", 1), ("file", 1), ("loop", 4)] {
        let before = seen.requests().len();
        let failure = send(&client, report(format!("http://127.0.0.1:{port}/{path}"))).await.unwrap_err();
        assert!(matches!(failure, Failure::Redirect { .. }) && !failure.is_final(), "{failure:?}");
        assert_eq!(seen.requests().len() - before, requests, "{path}");
    }
    assert_eq!(untouched.connections(), 0);
    // What it says is logged, and where a receiver sends us may be a key to its house.
    for (path, shown) in [("token", "/hook/***?***;"), ("url", "https://***@shop.example/***;")] {
        let failure = send(&client, report(format!("http://127.0.0.1:{port}/{path}"))).await.unwrap_err();
        assert!(failure.to_string().contains(&format!("another place, {shown}")), "{failure}");
    }
}

#[tokio::test]
async fn the_clouds_redirects_are_answers() {
    let (port, seen) = serve(None, |_| status(308, "location", "/moved")).await;
    let answer = send(&client(), post(plain(port), Kind::Cloud)).await.unwrap();
    assert_eq!((answer.status.as_u16(), seen.requests().len()), (308, 1));
}

#[tokio::test]
async fn a_name_that_resolves_to_this_machine_is_refused_before_anything_is_sent() {
    let (port, seen) = serve(None, ok).await;
    let report_rules = TargetRules::new(Vec::new(), false, true);
    let client = Client::new(Parts { report: report_rules, ..parts(&Ca::new()) });
    let failure = send(&client, report(format!("http://localhost:{port}/"))).await.unwrap_err();
    assert!(matches!(failure, Failure::Misled { why: Refused::Private { .. }, .. }), "{failure:?}");
    assert!(!failure.is_final(), "the name may lead somewhere else in an hour");
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]"] {
        let failure = send(&client, report(format!("http://{host}:{port}/"))).await.unwrap_err();
        assert!(matches!(failure, Failure::BadTarget(Refused::Private { .. })) && failure.is_final(), "{failure:?}");
    }
    send(&client, post(format!("http://localhost:{port}/"), Kind::Cloud)).await.expect("the operator's own may");
    assert_eq!(seen.connections(), 1);
}

// --- proxies --------------------------------------------------------------------------------------------------

fn through(port: u16) -> Proxies {
    Proxies::parse(|name| (name == "all_proxy").then(|| format!("http://alice:secret@127.0.0.1:{port}"))).unwrap()
}

/// A proxy that notes the request line and headers of each CONNECT and leads every tunnel to `target`.
async fn tunnel_to(target: u16, answer: &'static str) -> (u16, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    let port = serve_raw(move |mut stream, _| {
        let notes = Arc::clone(&notes);
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut head).await.unwrap() > 0);
            }
            notes.lock().unwrap().push(String::from_utf8(head).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
            if answer.contains(" 200 ") {
                let mut inner = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut inner).await;
            }
        }
    })
    .await;
    (port, asked)
}

#[tokio::test]
async fn https_goes_through_a_tunnel_to_the_name_with_its_own_certificate() {
    let ca = Ca::new();
    let (target, seen) = serve(Some(ca.server("shop.example").config()), ok).await;
    let (proxy, asked) = tunnel_to(target, "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n").await;
    let client = Client::new(Parts { proxies: through(proxy), ..parts(&ca) });
    for _ in 0..2 {
        let answer = send(&client, report("https://shop.example/notify".to_owned())).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
    }
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1, "the tunnel is kept");
    assert!(asked[0].starts_with("CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n"), "{asked:?}");
    assert!(asked[0].contains("Proxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n"), "{asked:?}");
    let [request, _] = &seen.requests()[..] else { panic!("two requests") };
    assert_eq!((request.uri.as_str(), &request.headers["host"]), ("/notify", &"shop.example".parse().unwrap()));
    assert!(!request.headers.contains_key("proxy-authorization"), "the receiver does not learn it");
}

#[tokio::test]
async fn plain_http_through_a_proxy_is_asked_for_in_absolute_form() {
    let (proxy, seen) = serve(None, ok).await;
    let report_rules = TargetRules::new(hosts(&["shop.example"]), false, true);
    let client = Client::new(Parts { proxies: through(proxy), report: report_rules, ..parts(&Ca::new()) });
    send(&client, report("http://shop.example:8080/notify?a=1".to_owned())).await.unwrap();
    let [request] = &seen.requests()[..] else { panic!("one request") };
    assert_eq!(request.uri, "http://shop.example:8080/notify?a=1");
    assert_eq!(request.headers["host"], "shop.example:8080");
    assert_eq!(request.headers["proxy-authorization"], "Basic YWxpY2U6c2VjcmV0");
}

#[tokio::test]
async fn a_proxy_is_never_asked_for_a_host_that_is_not_listed() {
    let (proxy, asked) = tunnel_to(0, "HTTP/1.1 200 OK\r\n\r\n").await;
    let any_public = TargetRules::new(Vec::new(), true, true);
    let client = Client::new(Parts { proxies: through(proxy), report: any_public, ..parts(&Ca::new()) });
    for url in ["https://shop.example/", "http://shop.example/"] {
        let failure = send(&client, report(url.to_owned())).await.unwrap_err();
        assert!(matches!(failure, Failure::BadTarget(Refused::NotListedForProxy { .. })), "{failure:?}");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_that_refuses_or_babbles_is_named_and_tried_again() {
    let ca = Ca::new();
    let table = [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Some(407)),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n", Some(502)),
        ("220 mail.example ESMTP\r\n\r\n", None),
    ];
    for (answer, expected) in table {
        let (proxy, _) = tunnel_to(0, answer).await;
        let client = Client::new(Parts { proxies: through(proxy), ..parts(&ca) });
        let failure = send(&client, report("https://shop.example/".to_owned())).await.unwrap_err();
        match (&failure, expected) {
            (Failure::Proxy { status }, Some(code)) => assert_eq!(status.as_u16(), code),
            (Failure::Protocol { .. }, None) => {}
            other => panic!("{other:?}"),
        }
        assert!(!failure.is_final());
    }
}
