//! The socket of the pages: HTTP/1.1 over TCP, one request a connection, each question answered by the core.
//!
//! Nothing here can disturb a vend: clients are few and their time is short, and a listener that cannot be made is told
//! and tried again.

mod findings;
mod frames;

pub use findings::Findings;

use crate::config::host::Host;
use crate::control::{Ask, Asked, DocumentAnswer, Refusal, Told};
use crate::io::http::single;
use crate::web::access::Access;
use crate::web::{self, Asking, Decision, Rendering};
use frames::Frames;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// Clients at once. A browser opens six connections; a screen, a technician's telephone and a monitor are three clients.
const CLIENTS_MAX: usize = 32;
/// From accepting a client to its end: an honest one needs milliseconds, and one that hangs gives its place back.
const CLIENT_TIME: Duration = Duration::from_secs(5);
/// Most bytes of a request's head: the least that hyper allows, and several times what a browser sends.
const HEAD_BYTES_MAX: usize = 8_192;
/// Most bytes of a request's body: many times the longest choice of a slot.
const BODY_BYTES_MAX: usize = 1_024;
/// After a failure to accept (no file descriptor left), so that it is no hot loop.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Between two tries to listen: an address of a network that comes up later, or a port that somebody else still has.
const LISTEN_PAUSE: Duration = Duration::from_secs(10);
/// What a client beyond the places is told. It is not read: whoever floods us costs us one write.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What stands behind the pages.
pub struct Source {
    access: Access,
    asks: mpsc::Sender<Asked>,
    findings: Rc<Findings>,
    frames: Rc<Frames>,
}

impl Source {
    /// The core that takes these questions, the doctor, and who may see what of both.
    #[must_use]
    pub fn new(access: Access, asks: mpsc::Sender<Asked>, findings: Rc<Findings>) -> Rc<Source> {
        Rc::new(Source { access, asks, findings, frames: Frames::new() })
    }
}

/// Serves the pages for as long as the core takes questions.
pub async fn serve(address: SocketAddr, source: Rc<Source>) {
    tokio::select! {
        never = listen(address, &source) => match never {},
        () = source.asks.closed() => {}
    }
}

/// Listens, once it can, and takes clients, for ever.
async fn listen(address: SocketAddr, source: &Rc<Source>) -> Infallible {
    let mut was_told = false;
    loop {
        match bound(address).await {
            Ok((listener, local)) => {
                tracing::info!(what = "web", "the pages are at http://{local}/ and http://{local}/service");
                match accept(listener, source).await {}
            }
            Err(error) => {
                // Once: what lasts is not repeated every few seconds.
                if !std::mem::replace(&mut was_told, true) {
                    tracing::error!(
                        what = "web",
                        "the pages cannot be served at {address}: {error}. The vend goes on; this is tried again"
                    );
                }
                tokio::time::sleep(LISTEN_PAUSE).await;
            }
        }
    }
}

async fn bound(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

/// Takes clients, for ever.
pub async fn accept(listener: TcpListener, source: &Rc<Source>) -> Infallible {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(place) = places.clone().try_acquire_owned() else {
                    // The kernel's buffer of a new connection has room for it; if not, closing says the same.
                    let _ = stream.into_std().and_then(|mut stream| stream.write(NO_PLACE));
                    continue;
                };
                let source = source.clone();
                tokio::task::spawn_local(async move {
                    client(stream, &source).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(what = "web", "cannot take a client: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One client, one request.
async fn client(stream: TcpStream, source: &Source) {
    let Ok(local) = stream.local_addr() else { return };
    let reached_at = Host::Address(local.ip().to_canonical());
    let conversation = single::converse(stream, HEAD_BYTES_MAX, |request| answer(request, &reached_at, source));
    match timeout(CLIENT_TIME, conversation).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(what = "web_client", "{error}"),
        Err(_) => tracing::debug!(what = "web_client", "a client took longer than {CLIENT_TIME:?}"),
    }
}

async fn answer(request: Request<Incoming>, reached_at: &Host, source: &Source) -> Response<Full<Bytes>> {
    let stopping = || {
        let refusal = Refusal::said(super::control::stopping());
        web::refuse(StatusCode::SERVICE_UNAVAILABLE, &refusal)
    };
    let (head, body) = request.into_parts();
    let answer = match single::body(body, BODY_BYTES_MAX).await {
        Some(body) => match web::decide(&source.access, &Asking { head: &head, body: &body, reached_at }) {
            Decision::Answer(response) => response,
            Decision::Ask(wanted, rendering) => {
                ask(wanted, &source.asks).await.map_or_else(stopping, |answers| rendering.of(answers))
            }
            Decision::Frames(after) => {
                let passed = source.frames.after(after, &source.asks).await;
                passed.map_or_else(stopping, |passed| Rendering::Document.of(vec![passed]))
            }
            Decision::Findings { look } => {
                if look {
                    source.findings.look();
                }
                web::document(source.findings.document())
            }
        },
        None => {
            let refusal = Refusal::of(format!("a body may have {BODY_BYTES_MAX} bytes"));
            web::refuse(StatusCode::PAYLOAD_TOO_LARGE, &refusal)
        }
    };
    answer.map(Full::from)
}

/// The core's answers, in order; nothing when it takes no questions any more.
async fn ask(wanted: Vec<Ask>, asks: &mpsc::Sender<Asked>) -> Option<Vec<DocumentAnswer>> {
    let mut answers = Vec::new();
    for ask in wanted {
        let (sender, answer) = oneshot::channel();
        asks.send(Asked { ask, uid: rustix::process::geteuid().as_raw(), answer: sender }).await.ok()?;
        answers.push(answer.await.ok()?.and_then(Told::document));
    }
    Some(answers)
}
