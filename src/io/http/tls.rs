//! One TLS configuration for HTTP and MQTT: rustls on ring, TLS 1.2 and 1.3. How files that are replaced come into it
//! is [`super::supply`].

use super::authorities::Authorities;
use crate::config::pem::{self, PemFault};
use crate::order::said::Said;
use crate::order::time::UnixMs;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A client certificate and its key, both PEM. One file may hold both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, followed by its chain.
    pub certificate: PathBuf,
    /// The private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// Why no TLS configuration could be made. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it must.
    #[error("{}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: PemFault,
    },
    /// The system trusts nobody.
    #[error("the system has no trusted certificates ({}); install ca-certificates, or set ca_file", .why.en)]
    NoSystemRoots {
        /// Why.
        why: Said,
    },
    /// The provider and the protocol versions do not fit, which would be a fault of the build.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// A configuration, and what was seen of the own certificate.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) config: Arc<ClientConfig>,
    /// The last second of the own certificate.
    pub(super) own_not_after_s: Option<u64>,
}

/// Hears of the last second of each server certificate that was accepted.
pub(super) type OnServer = Arc<dyn Fn(u64) + Send + Sync>;

/// The configuration for a client that trusts the certificates in `ca_file`, or, without one, the system's `authorities`,
/// and shows `identity` where a server asks for it. An own `ca_file` replaces the system's, so that a pinned private
/// CA is not widened by a hundred public ones.
///
/// # Errors
/// [`TlsError`] names the file and what is wrong with it.
pub(super) fn make(
    ca_file: Option<&Path>,
    authorities: &Authorities,
    identity: Option<&Identity>,
    on_server: Option<OnServer>,
) -> Result<Made, TlsError> {
    let roots = match ca_file {
        Some(path) => Arc::new(from_file(path, pem::authorities)?),
        None => authorities.get()?,
    };
    let setup = |e: &dyn fmt::Display| TlsError::Setup(e.to_string());
    // The provider is named here: two libraries that both install a process-wide one would fight.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| setup(&e))?;
    let builder = match on_server {
        None => builder.with_root_certificates(roots),
        Some(on_server) => {
            let verifier = Watching::new(roots, provider, on_server).map_err(|e| setup(&e))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let Some(identity) = identity else {
        return Ok(Made { config: Arc::new(builder.with_no_client_auth()), own_not_after_s: None });
    };
    let (chain, key) = read_identity(identity)?;
    let own_not_after_s = chain.first().and_then(pem::not_after_s);
    let config = builder.with_client_auth_cert(chain, key).map_err(|e| unusable(identity, &e))?;
    Ok(Made { config: Arc::new(config), own_not_after_s })
}

/// The configuration for a server that shows `identity` and asks nobody for theirs; for stand-ins.
///
/// # Errors
/// [`TlsError`] names the file and what is wrong with it.
pub fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Setup(e.to_string()))?;
    let (chain, key) = read_identity(identity)?;
    let config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(|e| unusable(identity, &e))?;
    Ok(Arc::new(config))
}

/// A certificate and its key, which belong to each other.
fn read_identity(identity: &Identity) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = from_file(&identity.certificate, pem::chain)?;
    let key = from_file(&identity.key, pem::private_key)?;
    pem::pair(&chain, &key).map_err(|fault| TlsError::File { path: identity.key.clone(), fault })?;
    Ok((chain, key))
}

fn unusable(identity: &Identity, error: &rustls::Error) -> TlsError {
    TlsError::File { path: identity.key.clone(), fault: PemFault::BadKey { why: error.to_string() } }
}

fn from_file<T>(path: &Path, read: impl FnOnce(&[u8]) -> Result<T, PemFault>) -> Result<T, TlsError> {
    let bytes = std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })?;
    read(&bytes).map_err(|fault| TlsError::File { path: path.to_owned(), fault })
}

/// The usual verifier, which also says until when the server's certificate is good. It accepts nothing else.
struct Watching {
    usual: Arc<WebPkiServerVerifier>,
    on_server: OnServer,
}

impl Watching {
    fn new(
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
        on_server: OnServer,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        let usual = WebPkiServerVerifier::builder_with_provider(roots, provider).build()?;
        Ok(Watching { usual, on_server })
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching").field("usual", &self.usual).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        if let Some(not_after_s) = pem::not_after_s(end_entity) {
            (self.on_server)(not_after_s);
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// What TLS complained about, and what to do, when anything in the error's chain is TLS's own.
#[must_use]
pub fn complaint(error: &(dyn std::error::Error + 'static)) -> Option<Said> {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(tls) = e.downcast_ref::<rustls::Error>() {
            return Some(explained(tls));
        }
        // An io::Error shows what it wraps by get_ref; its source() is already one deeper.
        let wrapped = e.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => e.source(),
        };
    }
    None
}

/// An error of TLS with what to do about it.
fn explained(error: &rustls::Error) -> Said {
    use AlertDescription as Alert;
    use rustls::Error;
    match error {
        Error::InvalidCertificate(why) => explained_certificate(why, error),
        Error::AlertReceived(Alert::CertificateRequired) => Said::new(
            "the server asks for a client certificate; set client_certificate and client_key",
            "服务器要求客户端证书；请设置 client_certificate 与 client_key",
        ),
        Error::AlertReceived(Alert::CertificateExpired) => Said::new(
            "the server says that our client certificate has expired; renew client_certificate and client_key",
            "服务器称本机的客户端证书已到期；请更新 client_certificate 与 client_key",
        ),
        Error::AlertReceived(
            alert @ (Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::AccessDenied
            | Alert::DecryptError),
        ) => Said::new(
            format!(
                "the server does not accept our client certificate ({alert:?}); it must be of an authority that the \
                 server trusts"
            ),
            format!("服务器不接受本机的客户端证书（{alert:?}）；证书须由服务器信任的机构签发"),
        ),
        Error::AlertReceived(
            alert @ (Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity),
        ) => Said::new(
            format!(
                "the server wants another TLS than ours ({alert:?}): it must speak 1.2 or 1.3 with modern suites; or \
                 it asks for a client certificate"
            ),
            format!(
                "服务器要求的 TLS 与本机不同（{alert:?}）：须支持 1.2 或 1.3 及现代加密套件；也可能是要求客户端证书"
            ),
        ),
        Error::PeerIncompatible(what) => Said::new(
            format!("the server and this machine have no TLS in common ({what:?}); it must speak TLS 1.2 or 1.3"),
            format!("服务器与本机没有共同的 TLS（{what:?}）；服务器须支持 TLS 1.2 或 1.3"),
        ),
        Error::InvalidMessage(what) => Said::new(
            format!("what the server says is no TLS ({what:?}); look at the port in the url"),
            format!("服务器发来的不是 TLS（{what:?}）；请检查 url 中的端口"),
        ),
        // In the library's words.
        other => Said::new(other.to_string(), format!("TLS 出错：{other}")),
    }
}

/// A certificate of the server that is not taken.
fn explained_certificate(why: &CertificateError, error: &rustls::Error) -> Said {
    let day = |time: &UnixTime| UnixMs::from_seconds(time.as_secs()).date();
    match why {
        CertificateError::ExpiredContext { time, not_after } => Said::new(
            format!(
                "the server's certificate expired on {}, and this machine's clock says {}; renew it there, or set the \
                 clock",
                day(not_after),
                day(time)
            ),
            format!("服务器证书已于 {} 到期，而本机时钟为 {}；请更新服务器证书，或校正时钟", day(not_after), day(time)),
        ),
        CertificateError::NotValidYetContext { time, not_before } => Said::new(
            format!(
                "the server's certificate begins on {}, and this machine's clock says {}; set the clock",
                day(not_before),
                day(time)
            ),
            format!("服务器证书自 {} 起有效，而本机时钟为 {}；请校正时钟", day(not_before), day(time)),
        ),
        CertificateError::NotValidForNameContext { expected, presented } => Said::new(
            format!(
                "the server's certificate is not for {} but for {}; correct the host in the url, or the certificate",
                expected.to_str(),
                presented.join(", ")
            ),
            format!(
                "服务器证书不属于 {}，而属于 {}；请更正 url 中的主机，或更换证书",
                expected.to_str(),
                presented.join("，")
            ),
        ),
        CertificateError::UnknownIssuer => Said::new(
            "the server's certificate is of an authority that is not trusted (UnknownIssuer); name that authority's \
             certificate in ca_file",
            "服务器证书的签发机构不受信任（UnknownIssuer）；请用 ca_file 指定该机构的证书",
        ),
        CertificateError::Revoked => Said::new(error.to_string(), "服务器证书已被吊销（Revoked）；请更换服务器证书"),
        CertificateError::BadSignature => {
            Said::new(error.to_string(), "服务器证书的签名不对（BadSignature）；请更换服务器证书")
        }
        CertificateError::BadEncoding => {
            Said::new(error.to_string(), "服务器证书的编码不对（BadEncoding）；请更换服务器证书")
        }
        // In the library's words.
        other => Said::new(error.to_string(), format!("服务器证书不可用（{other:?}）")),
    }
}
