//! The other order clouds, served over HTTP.
#![allow(dead_code, reason = "each test that includes this uses what it needs")]

use super::command::now_s;
use super::http_server::{Answer, HttpServer, Request};
use rustls::ServerConfig;
use std::sync::{Arc, Mutex, MutexGuard};
use vend::sim::cloud::{StandIn, over_http};

/// A stand-in behind a server.
pub struct Served<S> {
    pub server: HttpServer,
    books: Arc<Mutex<S>>,
    is_tls: bool,
}

impl<S: StandIn + 'static> Served<S> {
    pub fn start(cloud: S, tls: Option<Arc<ServerConfig>>) -> Served<S> {
        let books = Arc::new(Mutex::new(cloud));
        let (theirs, is_tls) = (books.clone(), tls.is_some());
        let decide =
            move |request: &Request| -> Answer { over_http::answer(&mut *theirs.lock().unwrap(), request, now_s()).0 };
        Served { server: HttpServer::start(tls, decide), books, is_tls }
    }

    pub fn url(&self) -> String {
        let (scheme, host) = if self.is_tls { ("https", "localhost") } else { ("http", "127.0.0.1") };
        format!("{scheme}://{host}:{}", self.server.port())
    }

    pub fn books(&self) -> MutexGuard<'_, S> {
        self.books.lock().unwrap()
    }
}
