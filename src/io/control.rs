//! The control socket: HTTP/1.1 on a Unix socket, a few questions, each answered by the core.
//!
//! Nothing here can disturb a vend. Clients are few and their time is short, whatever they do or leave undone; the
//! core is asked over a bounded channel; and a socket that cannot be made is told loudly and done without.
//!
//! Who may ask is decided by the kernel: only root, the daemon's user and members of the socket's group can connect
//! to a socket of mode 0660. What only reads is for all of them; what changes something on the board is for root and
//! the daemon's user, and leaves a line in the log with the peer's user.

use crate::board::service::{SERVICE_MS_MAX, ServiceError};
use crate::control::{Ask, Asked, Place, Refusal, Told, Versioned};
use crate::core::{BooksError, DecisionError, SaleRefusal, SlotError};
use crate::io::http::single;
use crate::order::said::Said;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use rustix::fs::Mode;
use std::cell::Cell;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// Clients at once; more wait in the kernel. A technician, a monitor and a script are three.
const CLIENTS_MAX: usize = 8;
/// Clients that the kernel lets wait.
const BACKLOG: u32 = 32;
/// From accepting a client to its end: an honest one needs milliseconds, and one that hangs gives its place back.
const CLIENT_TIME: Duration = Duration::from_secs(5);
/// Beyond it, for one who waits for the board: as long as the core lets it take, and a little, so that its end is told.
const BOARD_TIME: Duration = Duration::from_millis(SERVICE_MS_MAX + 5_000);
/// Most bytes of a request's head: the least that hyper allows, and ten times what curl sends.
const HEAD_BYTES_MAX: usize = 8_192;
/// Most bytes of a request's body: many times the longest service.
const BODY_BYTES_MAX: usize = 4_096;
/// Longest path of a Unix socket, in bytes, that Linux takes (sun_path without its closing 0).
const PATH_BYTES_MAX: usize = 107;
/// After a failure to accept (no file descriptor left), so that it is no hot loop.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("its path has {bytes} bytes and Linux takes at most {PATH_BYTES_MAX}; choose a shorter one")]
    PathTooLong { bytes: usize },
    #[error("another process answers there; each daemon needs a socket of its own")]
    InUse,
    #[error("something that is no socket is in its place; move it away")]
    NoSocket,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Serves the socket for as long as the core takes questions. Without a socket it only waits: the vend goes on.
pub async fn serve(path: PathBuf, asks: mpsc::Sender<Asked>) {
    let (listener, _file) = match bind(&path).await {
        Ok(bound) => bound,
        Err(error) => {
            tracing::error!(
                what = "control_socket",
                "no control socket at {}: {error}. The vend goes on; `vend status` and the like do not reach it",
                path.display()
            );
            return asks.closed().await;
        }
    };
    tokio::select! {
        never = accept(listener, &asks) => match never {},
        () = asks.closed() => {}
    }
}

/// Takes clients, for ever.
async fn accept(listener: UnixListener, asks: &mpsc::Sender<Asked>) -> Infallible {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let place = places.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let asks = asks.clone();
                tokio::task::spawn_local(async move {
                    client(stream, asks).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(what = "control_socket", "cannot take a client: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Who asks, as the kernel names it.
#[derive(Debug)]
pub struct Peer {
    uid: u32,
    /// It may change something on the board.
    may_act: bool,
    /// It waits for the board, which is not its fault.
    is_waiting: Cell<bool>,
    /// It listens to what passes, for as long as it likes.
    is_listening: Cell<bool>,
}

impl Peer {
    /// A client of this user, asking a daemon of that user.
    #[must_use]
    pub const fn new(uid: u32, daemon_uid: u32) -> Peer {
        Peer {
            uid,
            may_act: uid == 0 || uid == daemon_uid,
            is_waiting: Cell::new(false),
            is_listening: Cell::new(false),
        }
    }
}

/// One client, one request.
async fn client(stream: UnixStream, asks: mpsc::Sender<Asked>) {
    let peer = match stream.peer_cred() {
        Ok(peer) => {
            tracing::debug!(what = "control_client", uid = peer.uid(), gid = peer.gid(), pid = ?peer.pid());
            Peer::new(peer.uid(), rustix::process::geteuid().as_raw())
        }
        Err(error) => {
            tracing::warn!(what = "control_socket", "a client that the kernel cannot name was turned away: {error}");
            return;
        }
    };
    let mut conversation = std::pin::pin!(converse(stream, &peer, &asks));
    let mut ended = timeout(CLIENT_TIME, &mut conversation).await;
    if ended.is_err() && peer.is_waiting.get() {
        ended = timeout(BOARD_TIME, &mut conversation).await;
    }
    if ended.is_err() && peer.is_listening.get() {
        ended = Ok(conversation.await);
    }
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(what = "control_client", "{error}"),
        Err(_) => tracing::debug!(what = "control_client", "a client took longer than {CLIENT_TIME:?}"),
    }
}

/// One request and its answer, on whatever carries bytes. Ends when the client does; the time is the caller's.
///
/// # Errors
/// When the bytes are no HTTP/1.1, or stop half-way.
pub async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: &Peer,
    asks: &mpsc::Sender<Asked>,
) -> Result<(), hyper::Error> {
    single::converse(stream, HEAD_BYTES_MAX, |request| answer(request, peer, asks)).await
}

async fn answer(request: Request<Incoming>, peer: &Peer, asks: &mpsc::Sender<Asked>) -> Response<Telling> {
    let places = || Place::ALL.into_iter().filter(|place| place.path() == request.uri().path());
    let Some(place) = places().find(|place| request.method() == place.method()).or_else(|| places().next()) else {
        return refuse(StatusCode::NOT_FOUND, Refusal::of(format!("nothing is at {}", request.uri().path())));
    };
    if request.method() != place.method() {
        let methods: Vec<&str> = places().map(Place::method).collect();
        let methods = methods.join(", ");
        let error = format!("{} takes {methods} only", place.path());
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, Refusal::of(error));
        if let Ok(methods) = HeaderValue::try_from(methods) {
            response.headers_mut().insert(ALLOW, methods);
        }
        return response;
    }
    let query = request.uri().query().map(str::to_owned);
    // Of a question that is all in its path the body is read and not used.
    let Some(body) = single::body(request.into_body(), BODY_BYTES_MAX).await else {
        let error = format!("a body may have {BODY_BYTES_MAX} bytes");
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, Refusal::of(error));
    };
    let ask = match Ask::read(place, query.as_deref(), &body) {
        Ok(ask) => ask,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, Refusal::of(error)),
    };
    if ask.changes() && !peer.may_act {
        tracing::warn!(what = "act_refused", uid = peer.uid, "{ask:?}");
        let error = Said::new(
            "what changes something at the machine is for root and the daemon's user",
            "会改变机器的操作仅限 root 与守护进程的用户",
        );
        return refuse(StatusCode::FORBIDDEN, Refusal::said(error));
    }
    if let Some(what) = ask.deed() {
        // Digits show themselves to nobody: who entered a code stands here, and never which.
        tracing::info!(what, uid = peer.uid, order = ask.order().map(tracing::field::display), "{ask:?}");
    }
    let (sender, document) = oneshot::channel();
    peer.is_waiting.set(ask.waits());
    let asked = asks.send(Asked { ask, uid: peer.uid, answer: sender }).await;
    let answered = match asked {
        Ok(()) => document.await.ok(),
        Err(_) => None,
    };
    peer.is_waiting.set(false);
    match answered {
        Some(Ok(Told::Document(document))) => response(StatusCode::OK, document),
        Some(Ok(Told::Stream(lines))) => {
            peer.is_listening.set(true);
            let mut response = Response::new(Either::Right(Lines(lines)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
            response
        }
        Some(Err(refusal)) => {
            let status = refusal.why.map(status_of).or(refusal.slot.map(status_at_slot));
            let status = status.or(refusal.sale.map(status_of_sale)).or(refusal.books.map(status_at_the_books));
            let status = status.or(refusal.decision.map(status_about_order));
            refuse(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), refusal)
        }
        None => refuse(StatusCode::SERVICE_UNAVAILABLE, Refusal::said(stopping())),
    }
}

/// Why the core answers nobody any more.
pub(super) fn stopping() -> Said {
    Said::new("the daemon is stopping", "守护进程正在停止")
}

const fn status_of(why: ServiceError) -> StatusCode {
    match why {
        ServiceError::NotOffered => StatusCode::NOT_IMPLEMENTED,
        ServiceError::NoSuchBoard | ServiceError::NoSuchSlot => StatusCode::NOT_FOUND,
        ServiceError::Busy => StatusCode::CONFLICT,
        ServiceError::Away | ServiceError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ServiceError::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        ServiceError::NoAnswer | ServiceError::TookTooLong => StatusCode::GATEWAY_TIMEOUT,
    }
}

const fn status_at_slot(why: SlotError) -> StatusCode {
    match why {
        SlotError::NoSuchSlot => StatusCode::NOT_FOUND,
        SlotError::NoCapacity => StatusCode::UNPROCESSABLE_ENTITY,
        SlotError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

const fn status_of_sale(why: SaleRefusal) -> StatusCode {
    match why {
        SaleRefusal::NotConfigured => StatusCode::NOT_IMPLEMENTED,
        SaleRefusal::NoSuchSlot | SaleRefusal::NoSuchCode | SaleRefusal::NoSuchSale => StatusCode::NOT_FOUND,
        SaleRefusal::Open | SaleRefusal::Busy | SaleRefusal::NotOpen | SaleRefusal::NothingOwed => StatusCode::CONFLICT,
        SaleRefusal::AmbiguousCode | SaleRefusal::NotForSale | SaleRefusal::Empty | SaleRefusal::OutOfOrder => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        SaleRefusal::BoardAway | SaleRefusal::CloudAway | SaleRefusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

const fn status_at_the_books(why: BooksError) -> StatusCode {
    match why {
        BooksError::NoSuchCall | BooksError::NoDifference => StatusCode::NOT_FOUND,
        BooksError::NotDead | BooksError::MayBeOld | BooksError::NothingOwed | BooksError::NotAsked => {
            StatusCode::CONFLICT
        }
        BooksError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

const fn status_about_order(why: DecisionError) -> StatusCode {
    match why {
        DecisionError::NoSuchOrder => StatusCode::NOT_FOUND,
        DecisionError::NotEnded
        | DecisionError::NotInDoubt
        | DecisionError::MayStillTurn
        | DecisionError::NothingDead
        | DecisionError::BeingWritten => StatusCode::CONFLICT,
        DecisionError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[allow(clippy::unwrap_used, reason = "a version and texts always have a JSON form")]
fn refuse(status: StatusCode, refusal: Refusal) -> Response<Telling> {
    response(status, serde_json::to_vec(&Versioned::of(refusal)).unwrap())
}

/// One document, or one a line.
type Telling = Either<Full<Bytes>, Lines>;

/// Lines as they come; it ends when nobody has any more.
struct Lines(mpsc::Receiver<Vec<u8>>);

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(Bytes::from(line)))))
    }
}

fn response(status: StatusCode, document: Vec<u8>) -> Response<Telling> {
    let mut response = Response::new(Either::Left(Full::from(document)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Makes the socket, in place of one that a dead daemon left behind.
async fn bind(path: &Path) -> Result<(UnixListener, SocketFile), Unusable> {
    let bytes = path.as_os_str().len();
    if bytes > PATH_BYTES_MAX {
        return Err(Unusable::PathTooLong { bytes });
    }
    remove_stale(path).await?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let file = SocketFile::of(path)?;
    // Before it listens, so that nobody connects under the umask's mode.
    rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP).map_err(io::Error::from)?;
    Ok((socket.listen(BACKLOG)?, file))
}

/// Removes the socket of a daemon that is dead. One that answers, or whose queue is full, is alive.
async fn remove_stale(path: &Path) -> Result<(), Unusable> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if !found.file_type().is_socket() => return Err(Unusable::NoSocket),
        other => other.map(drop)?,
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error.into()),
        Ok(_) | Err(_) => Err(Unusable::InUse),
    }
}

/// The socket's name, removed at the end if it is still ours.
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<SocketFile> {
        Ok(SocketFile { path: path.to_owned(), inode: fs::symlink_metadata(path)?.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(what = "control_socket", "cannot remove {}: {error}", self.path.display());
        }
    }
}
