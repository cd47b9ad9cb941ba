//! From an origin to a connection that speaks HTTP/1.1: resolve, check, connect, ask the proxy, TLS, hyper.

use super::client::{Failure, Phase, TimeOuts};
use super::proxy::{Proxies, Proxy};
use super::resolver::Resolve;
use super::supply::TlsSupply;
use super::target::{Origin, Scheme, TargetRules};
use super::tls;
use crate::config::host::Host;
use crate::order::said::{InChinese, Said};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// Longest head of an answer, in bytes: hyper's buffer, which would otherwise grow to 400 KiB.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most header fields of an answer; receivers behind several gateways send about 30.
const HEADERS_MAX: usize = 100;
/// Longest answer of a proxy to CONNECT, in bytes.
const PROXY_ANSWER_BYTES_MAX: usize = 8 * 1024;
/// Most addresses of one name that are tried, so that a name with many dead ones cannot use up the whole time.
const ADDRESSES_MAX: usize = 4;

/// Something that bytes go through. One dynamic type instead of two copies of hyper's state machine in the binary.
trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// An open connection. Dropping it closes the socket at once, whatever hyper still wanted to do with it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Takes the requests.
    pub(super) sender: SendRequest<Full<Bytes>>,
    /// hyper's side of it.
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What every connection is made with.
pub(super) struct Connector {
    pub(super) tls: Arc<TlsSupply>,
    pub(super) proxies: Proxies,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) time_outs: TimeOuts,
}

impl Connector {
    /// Opens a connection for requests to `origin`, under `rules`.
    pub(super) async fn open(&self, origin: &Origin, rules: &TargetRules) -> Result<Connection, Failure> {
        let tcp = match self.proxies.for_origin(origin) {
            Some(proxy) => {
                rules.check_proxied(origin)?;
                let mut tcp = self.reach(&proxy.host, proxy.port, |_| Ok(())).await?;
                if origin.scheme == Scheme::Https {
                    let tunnel = ask_for_tunnel(&mut tcp, proxy, origin);
                    within(self.time_outs.connect, Phase::Proxy, tunnel).await?;
                }
                tcp
            }
            None => self.reach(&origin.host, origin.port, |address| Ok(rules.check_address(origin, address)?)).await?,
        };
        let pipe: Box<dyn Pipe> = match origin.scheme {
            Scheme::Http => Box::new(tcp),
            Scheme::Https => {
                Box::new(within(self.time_outs.tls, Phase::Tls, secure(&self.tls, tcp, &origin.host)).await?)
            }
        };
        let (sender, connection) = http1().handshake(TokioIo::new(pipe)).await.map_err(|e| from_hyper(&e))?;
        let task = tokio::spawn(async move {
            // The request that meets an error gets it from its sender.
            let _ = connection.await;
        });
        Ok(Connection { sender, task })
    }

    /// Connects to the first of the host's addresses that passes `check` and answers. Each address is checked and
    /// then connected to itself, without a second resolution: a name that changes its mind in between gains nothing.
    async fn reach(
        &self,
        host: &Host,
        port: u16,
        check: impl Fn(IpAddr) -> Result<(), Failure>,
    ) -> Result<TcpStream, Failure> {
        let addresses: Vec<SocketAddr> = match host {
            Host::Address(address) => vec![SocketAddr::new(*address, port)],
            Host::Name(name) => {
                let resolve = async { self.resolver.resolve(name).await.map_err(|e| connect_failure(host, &e)) };
                let found = within(self.time_outs.connect, Phase::Resolve, resolve).await?;
                found.into_iter().map(|address| SocketAddr::new(address, port)).collect()
            }
        };
        // Only when no address may be used is the target bad. One that merely does not answer is worth another try.
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in addresses {
            match (host, check(address.ip())) {
                (_, Ok(())) => allowed.push(address),
                (Host::Name(name), Err(Failure::BadTarget(why))) => {
                    refused = Some(Failure::Misled { host: name.to_string(), why });
                }
                (_, Err(e)) => refused = Some(e),
            }
        }
        let mut silent = None;
        for address in by_turns(allowed).into_iter().take(ADDRESSES_MAX) {
            let connect = async { TcpStream::connect(address).await.map_err(|e| connect_failure(host, &e)) };
            match within(self.time_outs.connect, Phase::Connect, connect).await {
                Ok(tcp) => {
                    // A report is one small write: Nagle could only delay it. Without the option it still arrives.
                    let _ = tcp.set_nodelay(true);
                    return Ok(tcp);
                }
                Err(e) => silent = Some(e),
            }
        }
        let no_address = || Failure::Connect {
            host: host.to_string(),
            why: Said::new("the name has no address", "域名没有地址"),
        };
        Err(silent.or(refused).unwrap_or_else(no_address))
    }
}

/// The addresses of both families by turns, each family in its order: one that leads nowhere, as IPv6 does behind many a
/// router, must not use up all tries (RFC 8305, section 4).
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let begins_with_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv4() == begins_with_v4);
    let mut turns: Vec<_> = first.into_iter().enumerate().chain(second.into_iter().enumerate()).collect();
    // Stable: of two in the same turn, the first family's stays first.
    turns.sort_by_key(|&(turn, _)| turn);
    turns.into_iter().map(|(_, address)| address).collect()
}

/// TLS on a connection to `host`, with the certificates of `supply`.
///
/// # Errors
/// [`Failure::Tls`] with what to do, or [`Failure::Lost`].
pub async fn secure(
    supply: &Arc<TlsSupply>,
    tcp: TcpStream,
    host: &Host,
) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, Failure> {
    let name = match host {
        Host::Address(address) => ServerName::from(*address),
        Host::Name(name) => ServerName::try_from(name.to_string()).map_err(|e| {
            let en = format!("{name} is no name for a certificate: {e}");
            Failure::Tls { why: Said::new(en, format!("{name} 不能作为证书的名称：{e}")) }
        })?,
    };
    let config = supply.current().await.map_err(|e| Failure::Tls { why: e.said() })?;
    TlsConnector::from(config).connect(name, tcp).await.map_err(|e| match tls::complaint(&e) {
        Some(why) => Failure::Tls { why },
        None => Failure::Lost {
            why: Said::new(format!("during the TLS handshake: {e}"), format!("TLS 握手期间：{e}")),
        },
    })
}

fn connect_failure(host: &Host, e: &std::io::Error) -> Failure {
    Failure::Connect { host: host.to_string(), why: Said::word(e.to_string()) }
}

/// Bounds one phase.
pub(super) async fn within<T>(
    time: Duration,
    phase: Phase,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(time, work).await.unwrap_or(Err(Failure::TimeOut { phase }))
}

/// HTTP/1.1 with our limits on what an answer's head may be.
#[must_use]
pub fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    builder
}

/// Asks a proxy for a tunnel to `origin` (RFC 9110, section 9.3.6).
///
/// # Errors
/// [`Failure`]: the proxy refuses, or what it says is too long, cut off or no HTTP/1.1.
pub async fn ask_for_tunnel(
    tcp: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    origin: &Origin,
) -> Result<(), Failure> {
    let lost =
        |e: std::io::Error| Failure::Lost { why: Said::new(format!("by the proxy: {e}"), format!("经代理：{e}")) };
    let place = format!("{}:{}", origin.host, origin.port);
    let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    tcp.write_all(&request).await.map_err(lost)?;

    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let room = PROXY_ANSWER_BYTES_MAX.saturating_sub(answer.len());
        // Nothing may follow the answer before our first TLS byte, so all that comes belongs to it.
        let read = (&mut *tcp).take(room as u64).read_buf(&mut answer).await.map_err(lost)?;
        if read == 0 {
            let why = Said::new("the proxy's answer to CONNECT has no end", "代理对 CONNECT 的应答没有结尾");
            return Err(Failure::Protocol { why });
        }
    }
    let status = answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    match status.and_then(|digits| StatusCode::from_bytes(digits).ok()) {
        Some(status) if status.is_success() => Ok(()),
        Some(status) => Err(Failure::Proxy { status }),
        None => {
            Err(Failure::Protocol { why: Said::new("the proxy does not speak HTTP/1.1", "代理不使用 HTTP/1.1") })
        }
    }
}

/// What hyper's frequent errors mean; their causes are the system's.
impl InChinese for hyper::Error {
    fn zh(&self) -> String {
        if self.is_incomplete_message() {
            "应答未完，连接已关闭".to_owned()
        } else if self.is_canceled() || self.is_closed() {
            "连接已关闭".to_owned()
        } else if self.is_parse() {
            format!("不是 HTTP/1.1（\"{self}\"）")
        } else {
            match self.source() {
                Some(source) => format!("收发失败：{source}"),
                None => format!("收发失败（\"{self}\"）"),
            }
        }
    }
}

/// hyper's error in our words.
pub(super) fn from_hyper(e: &hyper::Error) -> Failure {
    let why = match e.source() {
        Some(source) => Said::new(format!("{e}: {source}"), e.zh()),
        None => e.said(),
    };
    if let Some(why) = tls::complaint(e) {
        Failure::Tls { why }
    } else if e.is_parse_too_large() {
        Failure::TooLarge { limit_bytes: HEAD_BYTES_MAX }
    } else if e.is_parse() || e.is_user() {
        Failure::Protocol { why }
    } else {
        Failure::Lost { why }
    }
}
