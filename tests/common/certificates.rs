//! A certificate authority of a test's own.
#![allow(dead_code, reason = "each test that includes this uses what it needs")]

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

    /// For a server on localhost in this process.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let (certificate, key) = self.localhost();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}
