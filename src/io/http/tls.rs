//! One TLS configuration for HTTP and MQTT: rustls on ring, TLS 1.2 and 1.3.

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
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
    /// A file is not PEM.
    #[error("{}: not PEM: {why}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file without any certificate.
    #[error("{}: holds no certificate (-----BEGIN CERTIFICATE-----)", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate that cannot be used.
    #[error("{}: a certificate in it cannot be used: {why}", path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file without a private key.
    #[error("{}: holds no private key (-----BEGIN PRIVATE KEY-----)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is of a kind that ring cannot use, or belongs to another certificate.
    #[error("{}: the key does not fit the certificate in {}: {why}", key.display(), certificate.display())]
    KeyDoesNotFit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        why: String,
    },
    /// The system trusts nobody.
    #[error("the system has no trusted certificates ({why}); install ca-certificates, or set ca_file")]
    NoSystemRoots {
        /// Why.
        why: String,
    },
    /// The provider and the protocol versions do not fit, which would be a fault of the build.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// The configuration for a client that trusts the certificates in `ca_file`, or, without one, those of the system,
/// and shows `identity` where a server asks for it. An own `ca_file` replaces the system's, so that a pinned private
/// CA is not widened by a hundred public ones.
///
/// # Errors
/// [`TlsError`] names the file and what is wrong with it.
pub fn client_config(ca_file: Option<&Path>, identity: Option<&Identity>) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = match ca_file {
        Some(path) => own_roots(path)?,
        None => system_roots()?,
    };
    // The provider is named here: two libraries that both install a process-wide one would fight.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (certificates, key) = read_identity(identity)?;
            builder.with_client_auth_cert(certificates, key).map_err(|e| TlsError::KeyDoesNotFit {
                certificate: identity.certificate.clone(),
                key: identity.key.clone(),
                why: e.to_string(),
            })?
        }
    };
    Ok(Arc::new(config))
}

/// The configuration for a server that shows `identity` and asks nobody for theirs; for stand-ins.
///
/// # Errors
/// [`TlsError`] names the file and what is wrong with it.
pub fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(TlsError::Setup)?;
    let (certificates, key) = read_identity(identity)?;
    let config =
        builder.with_no_client_auth().with_single_cert(certificates, key).map_err(|e| TlsError::KeyDoesNotFit {
            certificate: identity.certificate.clone(),
            key: identity.key.clone(),
            why: e.to_string(),
        })?;
    Ok(Arc::new(config))
}

fn own_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|e| TlsError::BadCertificate { path: path.to_owned(), why: e.to_string() })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // One odd certificate among the system's must not take the others away.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(TlsError::NoSystemRoots { why });
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| TlsError::NotPem { path: path.to_owned(), why: e.to_string() })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

fn read_identity(identity: &Identity) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let certificates = read_certificates(&identity.certificate)?;
    let path = &identity.key;
    let key = PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|e| match e {
        PemError::NoItemsFound => TlsError::NoKey { path: path.clone() },
        other => TlsError::NotPem { path: path.clone(), why: other.to_string() },
    })?;
    Ok((certificates, key))
}
