//! The other end of the control socket: one question, one document.

use crate::control::{Ask, Refusal, SCHEMA_VERSION};
use crate::order::said::{InChinese as _, Said};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

/// From connecting to the last byte. Longer than a daemon waits for clients that hang and were before us.
const TIME_OUT: Duration = Duration::from_secs(10);
/// The same for what the board or a slow disk must answer first. Longer than the daemon waits for it.
const BOARD_TIME_OUT: Duration = Duration::from_secs(80);
/// Most bytes of an answer: 1,024 orders of 10 units each, four times over.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no daemon answers at {}: {source}", .socket.display())]
    NotRunning {
        /// Where.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket is not for us.
    #[error("{} is for root, the user vend and the members of its group", .socket.display())]
    NoPermission {
        /// Which socket.
        socket: PathBuf,
    },
    /// The daemon, or whoever is there, says nothing in time.
    #[error("the daemon at {} gives no answer within {} s", .socket.display(), .after.as_secs())]
    TimeOut {
        /// Where.
        socket: PathBuf,
        /// How long was waited.
        after: Duration,
    },
    /// The daemon answers, but not with a document.
    #[error("the daemon says: {}", .refusal.error)]
    Refused {
        /// The status.
        status: StatusCode,
        /// Its reason.
        refusal: Refusal,
    },
    /// What answers is no daemon of this version.
    #[error("the answer of {} cannot be read: {}", .socket.display(), .why.en)]
    Unreadable {
        /// Where.
        socket: PathBuf,
        /// What is wrong with it.
        why: Said,
    },
    /// No runtime, no file descriptor.
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

/// Asks the daemon at `socket` and waits for its document.
///
/// # Errors
/// See [`AskError`].
pub fn ask<T: DeserializeOwned>(socket: &Path, question: Ask) -> Result<T, AskError> {
    let document = document(socket, question)?;
    serde_json::from_slice(&document).map_err(|e| no_document(socket, &e))
}

/// The document as it came, of a version that can be read. Apart from [`ask`], so that it exists once and not for each
/// kind of document.
fn document(socket: &Path, question: Ask) -> Result<Bytes, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let after = if question.waits() { BOARD_TIME_OUT } else { TIME_OUT };
    let asked = async { tokio::time::timeout(after, exchange(socket, question)).await };
    let (status, body) =
        runtime.block_on(asked).unwrap_or_else(|_| Err(AskError::TimeOut { socket: socket.to_owned(), after }))?;
    if status != StatusCode::OK {
        return Err(refused(status, &body));
    }
    // The version first: a document of another one need not have the keys of this one.
    let Version { schema_version } = serde_json::from_slice(&body).map_err(|e| no_document(socket, &e))?;
    if schema_version != SCHEMA_VERSION {
        let why = Said::new(
            format!("it is of version {schema_version}, this vend reads {SCHEMA_VERSION}"),
            format!("版本为 {schema_version}，此 vend 读取 {SCHEMA_VERSION}"),
        );
        return Err(AskError::Unreadable { socket: socket.to_owned(), why });
    }
    Ok(body)
}

fn no_document(socket: &Path, error: &serde_json::Error) -> AskError {
    AskError::Unreadable { socket: socket.to_owned(), why: error.said() }
}

fn unreadable(socket: &Path, error: &dyn Error) -> AskError {
    AskError::Unreadable { socket: socket.to_owned(), why: Said::word(error.to_string()) }
}

fn refused(status: StatusCode, body: &[u8]) -> AskError {
    let refusal: Result<Refusal, _> = serde_json::from_slice(body);
    AskError::Refused { status, refusal: refusal.unwrap_or_else(|_| Refusal::of(status.to_string())) }
}

/// The process that listens at `socket`, if anybody does; nothing is asked of it.
#[must_use]
pub fn listener(socket: &Path) -> Option<u32> {
    let stream = std::os::unix::net::UnixStream::connect(socket).ok()?;
    let listener = rustix::net::sockopt::socket_peercred(&stream).ok()?;
    u32::try_from(listener.pid.as_raw_nonzero().get()).ok()
}

/// How listening ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListeningEnded {
    /// Ctrl-C.
    Interrupted,
    /// Whoever took the lines had enough.
    Enough,
    /// The daemon has ended.
    Over,
}

/// Listens to the daemon at `socket`: hands out one document after the other until `take` says that it is enough,
/// Ctrl-C, or the daemon's end.
///
/// # Errors
/// See [`AskError`].
pub fn listen<T: DeserializeOwned>(
    socket: &Path,
    question: Ask,
    mut take: impl FnMut(T) -> io::Result<bool>,
) -> Result<ListeningEnded, AskError> {
    lines(socket, &question, &mut |line| {
        let document = serde_json::from_slice(line).map_err(|e| no_document(socket, &e))?;
        Ok(take(document)?)
    })
}

/// The lines as they come. Apart from [`listen`], so that it exists once and not for each kind of document.
fn lines(
    socket: &Path,
    question: &Ask,
    take: &mut dyn FnMut(&[u8]) -> Result<bool, AskError>,
) -> Result<ListeningEnded, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (mut sender, connection) = connect(socket).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request(socket, question)?).await.map_err(|e| unreadable(socket, &e))?;
        let status = response.status();
        let mut body = response.into_body();
        if status != StatusCode::OK {
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|e| unreadable(socket, &*e))?;
            return Err(refused(status, &body.to_bytes()));
        }
        let mut waiting = Vec::new();
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                _ = interrupt.recv() => return Ok(ListeningEnded::Interrupted),
            };
            let Some(Ok(frame)) = frame else { break };
            waiting.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                if !take(&line)? {
                    return Ok(ListeningEnded::Enough);
                }
            }
        }
        connection.abort();
        Ok(ListeningEnded::Over)
    })
}

type Sender = http1::SendRequest<Full<Bytes>>;
type Connection = http1::Connection<TokioIo<UnixStream>, Full<Bytes>>;

async fn connect(socket: &Path) -> Result<(Sender, Connection), AskError> {
    let stream = UnixStream::connect(socket).await.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            AskError::NotRunning { socket: socket.to_owned(), source }
        }
        io::ErrorKind::PermissionDenied => AskError::NoPermission { socket: socket.to_owned() },
        _ => AskError::Io(source),
    })?;
    http1::handshake(TokioIo::new(stream)).await.map_err(|e| unreadable(socket, &e))
}

fn request(socket: &Path, question: &Ask) -> Result<Request<Full<Bytes>>, AskError> {
    let body = question.body().map_err(|e| unreadable(socket, &e))?;
    Request::builder()
        .method(question.place().method())
        .uri(question.path_and_query())
        .header(http::header::HOST, "vend")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| unreadable(socket, &e))
}

async fn exchange(socket: &Path, question: Ask) -> Result<(StatusCode, Bytes), AskError> {
    let (mut sender, connection) = connect(socket).await?;
    let request = request(socket, &question)?;
    let asked = async {
        let response = sender.send_request(request).await.map_err(|e| unreadable(socket, &e))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map_err(|e| unreadable(socket, &*e))?.to_bytes()))
    };
    tokio::pin!(asked);
    tokio::select! {
        answer = &mut asked => answer,
        // How the connection ended is told by the answer, or by its lack.
        _ = connection => asked.await,
    }
}
