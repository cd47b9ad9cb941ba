//! Whom the system trusts: read when the first connection needs it, and once for all clients.

use super::tls::TlsError;
use crate::order::said::Said;
use rustls::RootCertStore;
use rustls_native_certs::CertificateResult;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The system's authorities: some hundred certificates to be read and kept, which would be the work of each start and the
/// memory of each client. A machine whose cloud and merchants are reached without TLS needs none.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Arc<Mutex<Option<Arc<RootCertStore>>>>);

impl Authorities {
    /// Reads them, if nobody has. What was not found is looked for again the next time.
    ///
    /// # Errors
    /// [`TlsError::NoSystemRoots`].
    pub(super) fn get(&self) -> Result<Arc<RootCertStore>, TlsError> {
        // Set at once or not at all, so a panic between leaves nothing half done.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = &*known {
            return Ok(Arc::clone(roots));
        }
        Ok(Arc::clone(known.insert(Arc::new(system_roots()?))))
    }
}

/// Debian's bundle of all that lies one by one in the folder beside it. The library would read both, some 280 files more.
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Where somebody says that others are the system's.
const SYSTEM_ELSEWHERE: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

fn system_certificates() -> CertificateResult {
    if SYSTEM_ELSEWHERE.iter().all(|name| std::env::var_os(name).is_none()) {
        let bundle = rustls_native_certs::load_certs_from_paths(Some(Path::new(SYSTEM_BUNDLE)), None);
        if !bundle.certs.is_empty() {
            return bundle;
        }
    }
    rustls_native_certs::load_native_certs()
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = system_certificates();
    let mut roots = RootCertStore::empty();
    // One odd certificate among the system's must not take the others away.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| Said::word(error.to_string()));
        let why = why.unwrap_or_else(|| Said::new("none found", "没有找到"));
        return Err(TlsError::NoSystemRoots { why });
    }
    Ok(roots)
}
