//! Certificates and servers for the tests of the HTTP client.

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use vend::io::http::tls::Identity;

// --- certificates ---------------------------------------------------------------------------------------------

/// A certificate authority and its files.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    directory: TempDir,
}

impl Ca {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        // Two authorities of one name would be told apart by their signatures only.
        let name = key.public_key_raw().iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
        params.distinguished_name.push(DnType::CommonName, name);
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Ca { issuer: Issuer::new(params, key), directory }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn leaf(&self, name: &str, expired: bool) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Writes a client certificate and its key.
    pub fn identity(&self) -> Identity {
        let (certificate, key) = self.leaf("machine", false);
        let identity = Identity { certificate: self.file("client.pem"), key: self.file("client.key") };
        std::fs::write(&identity.certificate, certificate.pem()).unwrap();
        std::fs::write(&identity.key, key.serialize_pem()).unwrap();
        identity
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()).unwrap();
        roots
    }

    pub fn server(&self, name: &str) -> ServerTls<'_> {
        ServerTls { ca: self, name: name.to_owned(), expired: false, versions: rustls::ALL_VERSIONS, ask_client: false }
    }
}

pub static TLS12_ONLY: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
pub static TLS13_ONLY: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

/// How a TLS server is to be.
pub struct ServerTls<'a> {
    pub ca: &'a Ca,
    pub name: String,
    pub expired: bool,
    pub versions: &'static [&'static SupportedProtocolVersion],
    pub ask_client: bool,
}

impl ServerTls<'_> {
    pub fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(self.versions).unwrap();
        let builder = if self.ask_client {
            let roots = Arc::new(self.ca.roots());
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap(),
            )
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = self.ca.leaf(&self.name, self.expired);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}

// --- servers --------------------------------------------------------------------------------------------------

/// What a server saw.
#[derive(Clone, Default)]
pub struct Seen {
    pub connections: Arc<AtomicUsize>,
    pub requests: Arc<Mutex<Vec<SeenRequest>>>,
}

#[derive(Clone, Debug)]
pub struct SeenRequest {
    pub method: Method,
    pub uri: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<SeenRequest> {
        self.requests.lock().unwrap().clone()
    }
}

pub async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

pub async fn speak_http<S>(stream: S, seen: Seen, answer: impl Fn(&SeenRequest) -> Response<Full<Bytes>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request: http::Request<Incoming>| {
        let (seen, answer) = (&seen, &answer);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let (method, uri, headers) = (head.method, head.uri.to_string(), head.headers);
            let request = SeenRequest { method, uri, headers, body };
            let response = answer(&request);
            seen.requests.lock().unwrap().push(request);
            Ok::<_, hyper::Error>(response)
        }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A well-behaved server. Returns its port.
pub async fn serve<A>(tls: Option<Arc<ServerConfig>>, answer: A) -> (u16, Seen)
where
    A: Fn(&SeenRequest) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
{
    let seen = Seen::default();
    let theirs = seen.clone();
    let port = serve_raw(move |stream, number| {
        let (seen, answer, tls) = (theirs.clone(), answer.clone(), tls.clone());
        async move {
            seen.connections.store(number, Ordering::SeqCst);
            match tls {
                None => speak_http(stream, seen, answer).await,
                Some(config) => {
                    if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                        speak_http(stream, seen, answer).await;
                    }
                }
            }
        }
    })
    .await;
    (port, seen)
}

/// A server that does with each connection, counted from 1, what the script says.
pub async fn serve_raw<S, F>(script: S) -> u16
where
    S: Fn(TcpStream, usize) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        for number in 1.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(script(stream, number));
        }
    });
    port
}

/// Reads one request with a body of one byte or none, to the last byte; false at the end of the connection.
pub async fn read_request(stream: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") || bytes.last() != Some(&b'}') {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return false;
        }
    }
    true
}
