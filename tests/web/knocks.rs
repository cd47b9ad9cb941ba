//! Who knocks at the listener, and what is answered.

use crate::source::{Source, TOKEN};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use vend::config::file::WebTokenFor;

/// Longer than the daemon lets any client hang.
const GENEROUS: Duration = Duration::from_secs(60);

fn connect(source: &Source) -> TcpStream {
    let stream = TcpStream::connect(source.address).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    stream
}

/// Sends bytes and reads to the end.
pub fn http(source: &Source, request: &str) -> String {
    let mut stream = connect(source);
    // It may have refused, and closed, before it has read all.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

pub fn get(source: &Source, path: &str, headers: &str) -> String {
    http(source, &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", source.address))
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("no status: {answer}")).parse().unwrap()
}

const FILES: [&str; 9] = [
    "/",
    "/screen.css",
    "/screen.js",
    "/service",
    "/service.css",
    "/service.js",
    "/plots.js",
    "/watch.js",
    "/common.js",
];
/// What only technicians see.
const TECHNICIANS: [&str; 7] = [
    "/api/status",
    "/api/orders",
    "/api/slots",
    "/api/order?order_id=80001&record_id=1",
    "/api/frames",
    "/api/doctor",
    "/metrics",
];

#[test]
fn every_answer_forbids_keeping_guessing_and_loading_from_elsewhere() {
    let source = Source::start(WebTokenFor::Service);
    let answered = FILES.into_iter().map(|path| (path, 200)).chain([
        ("/api/texts", 200),
        ("/api/screen", 200),
        ("/healthz", 200),
        ("/nothing", 404),
    ]);
    for (path, wanted) in answered.chain(TECHNICIANS.map(|path| (path, 401))) {
        let answer = get(&source, path, "");
        assert_eq!(status(&answer), wanted, "{path}");
        let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
        for header in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';",
            "frame-ancestors 'none'",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{path} lacks {header}: {head}");
        }
        assert!(!head.contains("unsafe"), "{head}");
    }
}

#[test]
fn a_page_of_another_name_learns_nothing() {
    let source = Source::start(WebTokenFor::Never);
    let asked = |host: &str| status(&http(&source, &format!("GET /api/status HTTP/1.1\r\n{host}\r\n")));
    let port = source.address.port();
    assert_eq!(asked(&format!("Host: localhost:{port}\r\n")), 200);
    assert_eq!(asked(&format!("Host: vend.lan:{port}\r\n")), 200);
    assert_eq!(asked(&format!("Host: rebound.example:{port}\r\n")), 421);
    assert_eq!(asked("Host: 192.0.2.1\r\n"), 421);
    assert_eq!(asked(""), 400);
    let whole = http(&source, "GET http://127.0.0.1/api/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assert_eq!(status(&whole), 400, "as a proxy is asked");
    assert!(!get(&source, "/api/status", "").to_lowercase().contains("access-control"), "no other origin may read");
}

#[test]
fn without_the_token_nothing_of_the_machine_is_told() {
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for (token_for, for_customers) in [(WebTokenFor::Service, 200), (WebTokenFor::Always, 401)] {
        let source = Source::start(token_for);
        for path in TECHNICIANS.into_iter().chain(["/api/screen"]) {
            let wanted = if path == "/api/screen" { for_customers } else { 401 };
            for headers in [String::new(), bearer("another-token-of-some"), bearer(""), bearer(&TOKEN[1..])] {
                let answer = get(&source, path, &headers);
                assert_eq!(status(&answer), wanted, "{path} {headers}");
                assert!(wanted == 200 || !answer.contains("16327129"), "{answer}");
            }
            assert_eq!(status(&get(&source, path, &bearer(TOKEN))), 200, "{path}");
        }
        let asked = source.machine.lock().unwrap().asked.len();
        get(&source, "/api/status", "");
        assert_eq!(source.machine.lock().unwrap().asked.len(), asked, "nobody was asked");
    }
}

#[test]
fn what_is_not_served_is_not_there_and_what_is_not_http_ends() {
    let source = Source::start(WebTokenFor::Never);
    for path in ["/../etc/passwd", "/..%2f..%2fetc/passwd", "/assets/screen.js", "//", "/api", "/api/", "/Service"] {
        assert_eq!(status(&get(&source, path, "")), 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "BREW"] {
        let request = format!(
            "{method} /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let answer = http(&source, &request);
        assert_eq!(status(&answer), 405, "{method}");
        assert!(answer.to_lowercase().contains("allow: get\r\n"), "{answer}");
    }
    let foreign = "POST /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n";
    assert_eq!(status(&http(&source, foreign)), 403, "a form of another site");
    let long = "x".repeat(5_000);
    let body = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n{long}");
    assert_eq!(status(&http(&source, &body)), 413);
    assert_eq!(status(&get(&source, "/", &format!("X: {long}{long}\r\n"))), 431);
    assert_eq!(status(&http(&source, "\x16\x03\x01 nonsense\r\n\r\n")), 400);
    assert_eq!(status(&get(&source, "/?token=x#y", "")), 200, "a query is nobody's business");
}

#[test]
fn clients_that_hang_give_their_places_back_and_those_beyond_the_places_are_turned_away() {
    let source = Source::start(WebTokenFor::Never);
    let mut hanging: Vec<TcpStream> = (0..32).map(|_| connect(&source)).collect();
    hanging[0].write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    hanging[1].write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n").unwrap();
    // All places are taken: at once, and not after somebody has left.
    let mut turned_away = String::new();
    connect(&source).read_to_string(&mut turned_away).unwrap();
    assert_eq!(status(&turned_away), 503, "{turned_away}");
    assert!(turned_away.contains("Retry-After: 1"), "{turned_away}");
    for mut stream in hanging {
        let mut rest = Vec::new();
        assert!(stream.read_to_end(&mut rest).is_ok(), "it was never let go of");
    }
    assert_eq!(status(&get(&source, "/healthz", "")), 200, "there is room again");
}

/// Asks by POST, as our own page does.
fn post(source: &Source, path: &str, headers: &str) -> String {
    let host = source.address;
    http(source, &format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: 2\r\n\r\n{{}}"))
}

#[test]
fn only_our_own_page_has_the_doctor_look_and_only_with_the_token() {
    let directory = tempfile::tempdir().unwrap();
    let ran = directory.path().join("ran");
    let script = format!("echo x >> {}; echo '{{\"findings\":[]}}'", ran.display());
    let source = Source::with_doctor(WebTokenFor::Service, &script);
    let (json, token) = ("Content-Type: application/json\r\n", format!("Authorization: Bearer {TOKEN}\r\n"));
    let foreign = format!("{json}{token}Origin: http://evil.example\r\n");
    for (headers, wanted) in [
        (json.to_owned(), 401),
        (format!("{json}Authorization: Bearer {TOKEN}x\r\n"), 401),
        (token.clone(), 403),
        (format!("Content-Type: text/plain\r\n{token}"), 403),
        (foreign, 403),
    ] {
        assert_eq!(status(&post(&source, "/api/doctor", &headers)), wanted, "{headers}");
    }
    assert_eq!(status(&get(&source, "/api/doctor", &token)), 200);
    assert!(!ran.exists(), "who only asks what was found has nobody look");
    let answer = post(&source, "/api/doctor", &format!("{json}{token}Origin: http://{}\r\n", source.address));
    assert!(answer.contains("\"looking\":true"), "{answer}");
    crate::support::wait_for("what it found", || {
        let answer = get(&source, "/api/doctor", &token);
        answer.contains("\"report\":{\"findings\":[]}").then_some(())
    });
    // Whoever asks a hundred times has it look once.
    for _ in 0..100 {
        post(&source, "/api/doctor", &format!("{json}{token}"));
    }
    assert_eq!(std::fs::read_to_string(&ran).unwrap(), "x\n");
}

#[test]
fn an_order_is_asked_for_by_its_key_and_by_nothing_else() {
    let source = Source::start(WebTokenFor::Never);
    let answer = get(&source, "/api/order?order_id=80001&record_id=1", "");
    assert!(status(&answer) == 200 && answer.contains("put came from the platform"), "{answer}");
    assert_eq!(status(&get(&source, "/api/order?order_id=90001&record_id=1", "")), 404);
    for query in ["", "?order_id=1", "?order_id=1&record_id=%00", "?order_id=../../etc&record_id=1", "?x=1"] {
        assert_eq!(status(&get(&source, &format!("/api/order{query}"), "")), 400, "{query}");
    }
    for query in ["?after=", "?after=-1", "?after=x", "?before=1"] {
        assert_eq!(status(&get(&source, &format!("/api/frames{query}"), "")), 400, "{query}");
    }
}

#[test]
fn the_listener_to_the_frames_leaves_when_no_page_asks_any_more() {
    let source = Source::start(WebTokenFor::Never);
    let first = get(&source, "/api/frames", "");
    assert!(first.contains("\"next\":0,\"lost\":0,\"frames\":[]"), "{first}");
    source.machine.lock().unwrap().passes("to_board", "0a", "turn");
    crate::support::wait_for("the frame", || get(&source, "/api/frames?after=0", "").contains("\"0a\"").then_some(()));
    let has_left = || source.machine.lock().unwrap().listeners[0].is_closed();
    assert!(!has_left());
    crate::support::wait_for("the end of listening", || has_left().then_some(()));
    let again = get(&source, "/api/frames?after=1", "");
    assert!(again.contains("\"next\":1,\"lost\":0,\"frames\":[]"), "the numbers go on: {again}");
    assert_eq!(source.machine.lock().unwrap().listeners.len(), 2, "and somebody listens anew");
}

#[test]
fn a_flood_of_headers_is_refused_and_a_drip_of_them_ends_with_the_time_of_a_client() {
    let source = Source::start(WebTokenFor::Never);
    let many: String = (0..150).map(|n| format!("X-{n}: y\r\n")).collect();
    assert_eq!(status(&get(&source, "/healthz", &many)), 431, "small ones, but many");
    let endless = format!("GET /{} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "x".repeat(9_000));
    assert!(matches!(status(&http(&source, &endless)), 414 | 431), "a path without end");
    // One header in a while: each keeps the connection alive, and none of them gives it more time.
    let mut slow = connect(&source);
    let mut rest = slow.try_clone().unwrap();
    let reader = std::thread::spawn(move || rest.read_to_end(&mut Vec::new()));
    slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut n = 0_u32;
    while slow.write_all(format!("X-{n}: y\r\n").as_bytes()).is_ok() {
        n += 1;
        assert!(n < 600, "it was never let go of");
        std::thread::sleep(Duration::from_millis(100));
    }
    let _ = reader.join().unwrap();
    assert_eq!(status(&get(&source, "/healthz", "")), 200);
}

#[test]
fn a_second_request_on_a_connection_is_not_answered() {
    let source = Source::start(WebTokenFor::Never);
    let one = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", source.address);
    let answer = http(&source, &format!("{one}{one}"));
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "whoever holds a place holds it for one answer: {answer}");
    let smuggled = format!(
        "POST /api/doctor HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{one}",
        source.address
    );
    let answer = http(&source, &smuggled);
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

#[test]
fn the_token_is_compared_in_constant_time() {
    // Time itself cannot be tested without luck; what does the comparing can.
    let source = include_str!("../../src/web/access.rs").split("#[cfg(test)]").next().unwrap();
    assert!(source.contains("constant_time::equal(it, token.reveal().as_bytes())"));
    assert_eq!(source.matches("reveal()").count(), 1, "and nothing else looks at the token");
}
