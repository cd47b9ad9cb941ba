//! An HTTP server on loopback that keeps every request, and that can go away and come back.

use super::RUNTIME;
use super::record::Record;
use rustls::ServerConfig;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use vend::io::http::server::{self, Decide};
pub use vend::io::http::server::{Answer, Request};

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
        let requests: Arc<Record<Request>> = Arc::default();
        let kept = requests.clone();
        let decide = move |request: &Request| {
            let answer = decide(request);
            kept.push(request.clone());
            answer
        };
        let mut server = HttpServer { port: 0, tls, decide: Arc::new(decide), requests, task: None };
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
        self.task = Some(RUNTIME.spawn(server::serve(listener, self.tls.clone(), self.decide.clone())));
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}
