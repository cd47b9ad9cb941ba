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

const FILES: [&str; 7] = ["/", "/screen.css", "/screen.js", "/service", "/service.css", "/service.js", "/common.js"];

#[test]
fn every_answer_forbids_keeping_guessing_and_loading_from_elsewhere() {
    let source = Source::start(WebTokenFor::Service);
    let answered = FILES.into_iter().map(|path| (path, 200)).chain([
        ("/api/texts", 200),
        ("/api/screen", 200),
        ("/healthz", 200),
        ("/api/status", 401),
        ("/metrics", 401),
        ("/nothing", 404),
    ]);
    for (path, wanted) in answered {
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
    let technicians = ["/api/status", "/api/orders", "/api/slots", "/metrics"];
    for (token_for, for_customers) in [(WebTokenFor::Service, 200), (WebTokenFor::Always, 401)] {
        let source = Source::start(token_for);
        for path in technicians.into_iter().chain(["/api/screen"]) {
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
