//! A small HTTP/1.1 server for stand-ins: it hands over whole requests and answers as it is told, byte for byte: well,
//! badly, or never. The daemon does not use it.

use crate::io::clock::Clock;
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Largest request, head and body, in bytes: far above every call and every report.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Connections at once; who comes beyond them waits. A machine, its tool and some tests need a dozen.
const CONNECTIONS_MAX: usize = 256;

/// The last second of the year 9999.
const DATE_S_MAX: u64 = 253_402_300_799;

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// In capitals, as it came.
    pub method: String,
    /// With its query, as it came.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A proper answer; the headers end in CRLF each. A Date is added unless they bring one.
    Whole {
        /// The status.
        status: u16,
        /// Header lines.
        headers: String,
        /// The body.
        body: Vec<u8>,
    },
    /// Status 200, and a body that never ends.
    Endless,
    /// These bytes, then the connection is cut.
    Cut(&'static [u8]),
    /// The other answer, after this time.
    After(Duration, Box<Answer>),
}

impl Answer {
    /// A proper answer without a body.
    #[must_use]
    pub fn status(status: u16) -> Answer {
        Answer::Whole { status, headers: String::new(), body: Vec::new() }
    }

    /// The same with one header line.
    #[must_use]
    pub fn with_header(status: u16, header: &str) -> Answer {
        Answer::Whole { status, headers: format!("{header}\r\n"), body: Vec::new() }
    }
}

/// A Date header that is so many seconds wrong, with its CRLF.
#[must_use]
pub fn date_header(off_s: i64) -> String {
    let now_s = Clock::new().now().wall.seconds().saturating_add_signed(off_s);
    // Beyond the year 9999 no date can be written.
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now_s.min(DATE_S_MAX)));
    format!("Date: {date}\r\n")
}

/// Decides about a request.
pub type Decide = dyn Fn(&Request) -> Answer + Send + Sync;

/// Serves whoever comes until it is dropped, and with it every connection.
pub async fn serve(listener: TcpListener, tls: Option<Arc<ServerConfig>>, decide: Arc<Decide>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely; the connections that end give some back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (tls, decide) = (tls.clone(), decide.clone());
        connections.spawn(async move {
            match tls {
                None => converse(stream, &*decide).await,
                Some(config) => {
                    if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                        converse(stream, &*decide).await;
                    }
                }
            }
        });
    }
}

/// Serves one connection until either side has enough of it.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, decide: &Decide) {
    let mut bytes = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut bytes).await {
        let answer = decide(&request);
        if !give(&mut stream, answer).await {
            return;
        }
    }
}

/// The next request; nothing when the other side leaves, or sends what is no request.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, bytes: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
            let mut lines = head.split("\r\n");
            let mut words = lines.next()?.split(' ').map(str::to_owned);
            let (method, path) = (words.next()?, words.next()?);
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
            let whole = end.checked_add(4)?.checked_add(length).filter(|&whole| whole <= REQUEST_BYTES_MAX)?;
            if let Some(body) = bytes.get(end + 4..whole) {
                let body = body.to_vec();
                bytes.drain(..whole);
                return Some(Request { method, path, headers, body });
            }
        }
        if bytes.len() > REQUEST_BYTES_MAX || stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// False when the connection is not to be used again.
async fn give<S: AsyncWrite + Unpin>(stream: &mut S, answer: Answer) -> bool {
    match answer {
        Answer::After(pause, answer) => {
            tokio::time::sleep(pause).await;
            Box::pin(give(stream, *answer)).await
        }
        Answer::Cut(bytes) => {
            let _ = stream.write_all(bytes).await;
            let _ = stream.flush().await;
            false
        }
        Answer::Endless => {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let mut went = stream.write_all(head).await;
            while went.is_ok() {
                went = stream.write_all(b"4\r\nmore\r\n").await;
            }
            false
        }
        Answer::Whole { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} As told\r\n{headers}");
            if !headers.to_ascii_lowercase().contains("date:") {
                head.push_str(&date_header(0));
            }
            if status != 204 {
                let _ = write!(head, "Content-Length: {}\r\n", body.len());
            }
            head.push_str("\r\n");
            stream.write_all(head.as_bytes()).await.is_ok()
                && stream.write_all(&body).await.is_ok()
                && stream.flush().await.is_ok()
        }
    }
}
