//! A certificate authority of a test's own.
#![allow(dead_code, reason = "each test that includes this uses what it needs")]

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vend::io::clock::Clock;
use vend::order::time::UnixMs;

/// Year, month and day, so many days ahead.
fn day_ahead(days: u64) -> (i32, u8, u8) {
    let now_s = Clock::new().now().wall.seconds();
    let date = UnixMs::from_seconds(now_s + days * 86_400).date();
    (date[..4].parse().unwrap(), date[5..7].parse().unwrap(), date[8..].parse().unwrap())
}

/// An authority whose certificate lies in a file, for a `ca_file`.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub file: PathBuf,
}

impl Ca {
    /// Writes `NAME.pem` into `directory`.
    pub fn new(directory: &Path, name: &str) -> Ca {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be told apart by their signatures only.
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let file = directory.join(format!("{name}.pem"));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Ca { issuer: Issuer::new(params, key), file }
    }

    /// Writes `NAME.pem` and `NAME.key`, a client's certificate of that name whose last day is so many days ahead,
    /// each in one step, as a good renewal does.
    pub fn client_files(&self, directory: &Path, name: &str, common_name: &str, days: u64) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let (year, month, day) = day_ahead(days);
        params.not_after = date_time_ymd(year, month, day);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
        for (file, text) in [(&files.0, certificate.pem()), (&files.1, key.serialize_pem())] {
            let beside = file.with_extension("new");
            std::fs::write(&beside, text).unwrap();
            std::fs::rename(&beside, file).unwrap();
        }
        files
    }

    fn localhost(&self) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Writes certificate and key of a server on localhost; for programs that read files.
    pub fn server_files(&self, directory: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.localhost();
        let files = (directory.join("server.pem"), directory.join("server.key"));
        std::fs::write(&files.0, certificate.pem()).unwrap();
        std::fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }

    /// For a client in this process that trusts this authority only, and shows these files.
    pub fn client_config(&self, identity: Option<(PathBuf, PathBuf)>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.file).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_file(certificate).unwrap();
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        })
    }

    /// For a server on localhost in this process.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let (certificate, key) = self.localhost();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}
