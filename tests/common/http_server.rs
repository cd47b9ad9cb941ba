//! An HTTP server that keeps every request and answers as it is told, byte for byte: well, badly, or never.

use super::RUNTIME;
use super::record::Record;
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A proper answer; the headers end in CRLF each.
    Whole { status: u16, headers: String, body: Vec<u8> },
    /// Status 200, and a body that never ends.
    Endless,
    /// These bytes, then the connection is cut.
    Cut(&'static [u8]),
    /// The other answer, after this time.
    After(Duration, Box<Answer>),
}

impl Answer {
    pub fn status(status: u16) -> Answer {
        Answer::Whole { status, headers: String::new(), body: Vec::new() }
    }

    pub fn with_header(status: u16, header: &str) -> Answer {
        Answer::Whole { status, headers: format!("{header}\r\n"), body: Vec::new() }
    }
}

type Decide = dyn Fn(&Request) -> Answer + Send + Sync;

/// The server. Its port stays its own while it is away.
pub struct HttpServer {
    port: u16,
    tls: Option<Arc<ServerConfig>>,
    decide: Arc<Decide>,
    requests: Arc<Record<Request>>,
    task: Option<JoinHandle<()>>,
}

impl HttpServer {
    pub fn start(
        tls: Option<Arc<ServerConfig>>,
        decide: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> HttpServer {
        let mut server =
            HttpServer { port: 0, tls, decide: Arc::new(decide), requests: Arc::new(Record::default()), task: None };
        server.come_back();
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn requests(&self) -> &Record<Request> {
        &self.requests
    }

    /// Nobody listens any more, and open connections are cut.
    pub fn go_away(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // The listener is closed once the task has ended.
            let _ = RUNTIME.block_on(task);
        }
    }

    /// Listens (again).
    pub fn come_back(&mut self) {
        let listener = RUNTIME.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))).unwrap();
        self.port = listener.local_addr().unwrap().port();
        let (tls, decide, requests) = (self.tls.clone(), self.decide.clone(), self.requests.clone());
        self.task = Some(RUNTIME.spawn(async move {
            // Dropped with this task, and with it every connection.
            let mut connections = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (tls, decide, requests) = (tls.clone(), decide.clone(), requests.clone());
                connections.spawn(async move {
                    match tls {
                        None => converse(stream, &*decide, &requests).await,
                        Some(config) => {
                            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                                converse(stream, &*decide, &requests).await;
                            }
                        }
                    }
                });
            }
        }));
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Serves one connection until either side has enough of it.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, decide: &Decide, requests: &Record<Request>) {
    let mut bytes = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut bytes).await {
        let answer = decide(&request);
        requests.push(request);
        if !give(&mut stream, answer).await {
            return;
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, bytes: &mut Vec<u8>) -> Option<Request> {
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut lines = head.split("\r\n");
            let mut words = lines.next()?.split(' ').map(str::to_owned);
            let (method, path) = (words.next()?, words.next()?);
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
            let body_start = end + 4;
            if bytes.len() >= body_start + length {
                let body = bytes[body_start..body_start + length].to_vec();
                bytes.drain(..body_start + length);
                return Some(Request { method, path, headers, body });
            }
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
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
            let date = httpdate::fmt_http_date(SystemTime::now());
            let mut head = format!("HTTP/1.1 {status} As told\r\nDate: {date}\r\n{headers}");
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
