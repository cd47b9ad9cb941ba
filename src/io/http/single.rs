//! One HTTP/1.1 request and its answer: what the control socket and the pages serve. A connection carries no second
//! one, so that whoever holds a place holds it for one answer.

use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use tokio::io::{AsyncRead, AsyncWrite};

/// Answers one request on whatever carries bytes. Ends when the client does; the time is the caller's.
///
/// # Errors
/// When the bytes are no HTTP/1.1, or stop half-way. A head above `head_bytes_max` is answered with 431.
pub async fn converse<B, F>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    head_bytes_max: usize,
    answer: impl Fn(Request<Incoming>) -> F,
) -> Result<(), hyper::Error>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    F: Future<Output = Response<B>>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(head_bytes_max)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// The whole body; nothing when it is longer, or stops half-way.
pub async fn body(body: Incoming, bytes_max: usize) -> Option<Bytes> {
    Some(Limited::new(body, bytes_max).collect().await.ok()?.to_bytes())
}
