//! Certificates and keys in PEM: what a file must hold, and what is wrong with one that does not.

use super::problem::Both;
use crate::order::said::{InChinese, said};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};
use std::time::Duration;

/// How an encrypted key begins: PKCS#8, and the older form that OpenSSL wrote.
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];

/// What is wrong with a file of certificates or with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text().en)]
pub enum PemFault {
    /// It is cut off, or something else than PEM stands in it.
    NotPem {
        /// What the reader stumbled over.
        why: Both,
    },
    /// No certificate in it.
    NoCertificate,
    /// No private key in it.
    NoKey,
    /// The key wants a pass phrase, and nobody is there to type one.
    EncryptedKey,
    /// A certificate that is none.
    BadCertificate {
        /// In the reader's words.
        why: String,
    },
    /// A key of a kind that cannot be used.
    BadKey {
        /// In the library's words.
        why: String,
    },
    /// The key belongs to another certificate.
    KeyDoesNotFit,
}

impl PemFault {
    /// What is wrong, and what to do.
    #[must_use]
    pub fn text(&self) -> Both {
        match self {
            PemFault::NotPem { why } => said!(
                "not PEM, or cut off ({why}); copy the whole file again",
                "不是 PEM 或不完整（{why}）；请重新复制整个文件",
                why
            ),
            PemFault::NoCertificate => Both::new(
                "holds no certificate (-----BEGIN CERTIFICATE-----)",
                "其中没有证书（-----BEGIN CERTIFICATE-----）",
            ),
            PemFault::NoKey => Both::new(
                "holds no private key (-----BEGIN PRIVATE KEY-----)",
                "其中没有私钥（-----BEGIN PRIVATE KEY-----）",
            ),
            PemFault::EncryptedKey => Both::new(
                "the key is encrypted, and nobody types a pass phrase at a machine; write it without one: openssl pkey -in KEY -out NEW, mode 0600",
                "私钥已加密，而机器上无人输入口令；请去掉口令：openssl pkey -in KEY -out NEW，权限 0600",
            ),
            PemFault::BadCertificate { why } => said!(
                "a certificate in it cannot be used ({why}); ask for it again from whoever issued it",
                "其中的证书不可用（{why}）；请向签发者重新索取";
                why
            ),
            PemFault::BadKey { why } => said!(
                "the key cannot be used ({why}); RSA from 2048 bits, P-256, P-384 and Ed25519 can",
                "私钥不可用（{why}）；可用 RSA（2048 位起）、P-256、P-384、Ed25519";
                why
            ),
            PemFault::KeyDoesNotFit => Both::new(
                "the key does not belong to the certificate; put both files of one pair there, the machine's own certificate first",
                "私钥与证书不匹配；请放同一对文件，机器自己的证书须在最前",
            ),
        }
    }
}

impl InChinese for PemFault {
    fn zh(&self) -> String {
        self.text().zh
    }
}

/// What the reader of PEM says: its own words in English, ours in Chinese.
fn stumbled(error: &pem::Error) -> Both {
    let zh = match error {
        pem::Error::MissingSectionEnd { .. } => "没有结尾的 -----END 行".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "-----BEGIN 行有误".to_owned(),
        pem::Error::Base64Decode(_) => "Base64 有误".to_owned(),
        pem::Error::Io(why) => why.zh(),
        pem::Error::NoItemsFound => "没有任何内容".to_owned(),
        other => other.to_string(),
    };
    Both::new(error.to_string(), zh)
}

fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemFault> {
    let certificates = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| PemFault::NotPem { why: stumbled(&e) })?;
    if certificates.is_empty() { Err(PemFault::NoCertificate) } else { Ok(certificates) }
}

/// The authorities of a file.
///
/// # Errors
/// [`PemFault`]: also when only one of several cannot be used.
pub fn authorities(bytes: &[u8]) -> Result<RootCertStore, PemFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(bytes)? {
        roots.add(certificate).map_err(|e| PemFault::BadCertificate { why: e.to_string() })?;
    }
    Ok(roots)
}

/// The client's certificate and its chain, in the order of the file.
///
/// # Errors
/// [`PemFault`]: also when only one of several cannot be used.
pub fn chain(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemFault> {
    let chain = certificates(bytes)?;
    for certificate in &chain {
        ParsedCertificate::try_from(certificate).map_err(|e| PemFault::BadCertificate { why: e.to_string() })?;
    }
    Ok(chain)
}

/// The first private key of a file.
///
/// # Errors
/// [`PemFault`].
pub fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, PemFault> {
    let text = String::from_utf8_lossy(bytes);
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        _ if ENCRYPTED.iter().any(|sign| text.contains(sign)) => PemFault::EncryptedKey,
        pem::Error::NoItemsFound => PemFault::NoKey,
        other => PemFault::NotPem { why: stumbled(&other) },
    })
}

/// Whether a key can be used and belongs to the first certificate of the chain.
///
/// # Errors
/// [`PemFault::KeyDoesNotFit`] or [`PemFault::BadKey`].
pub fn pair(chain: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>) -> Result<(), PemFault> {
    let provider = rustls::crypto::ring::default_provider();
    match CertifiedKey::from_der(chain.to_vec(), key.clone_key(), &provider) {
        Ok(_) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(Error::InconsistentKeys(_)) => Err(PemFault::KeyDoesNotFit),
        Err(error) => Err(PemFault::BadKey { why: error.to_string() }),
    }
}

/// The last second in which a certificate is good, in Unix seconds. Nothing for one that does not read.
///
/// The verifier is asked at the end of time, since it names the date before it looks at anything else; so no second
/// reader of certificates is needed.
#[must_use]
pub fn not_after_s(certificate: &CertificateDer<'_>) -> Option<u64> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    let nobody = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(&parsed, &nobody, &[], end_of_time, algorithms) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => Some(not_after.as_secs()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

    fn made(change: impl FnOnce(&mut CertificateParams)) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec!["machine".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap(), key)
    }

    #[test]
    fn the_end_of_a_certificate_is_read_whatever_it_is_for() {
        for (year, seconds) in [(2002, 1_009_843_200), (2038, 2_145_916_800), (2051, 2_556_144_000)] {
            for purpose in [ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth] {
                let (certificate, _) = made(|params| {
                    params.not_before = date_time_ymd(2001, 1, 1);
                    params.not_after = date_time_ymd(year, 1, 1);
                    params.extended_key_usages = vec![purpose];
                });
                assert_eq!(not_after_s(certificate.der()), Some(seconds), "{year}");
            }
        }
        assert_eq!(not_after_s(&CertificateDer::from(vec![0x30, 0])), None);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_what_to_do() {
        let ((certificate, key), (_, other)) = (made(|_| {}), made(|_| {}));
        let (certificate, key_pem) = (certificate.pem(), key.serialize_pem());
        let read = chain(certificate.as_bytes()).unwrap();
        assert_eq!(pair(&read, &private_key(key_pem.as_bytes()).unwrap()), Ok(()));
        assert_eq!(pair(&read, &private_key(other.serialize_pem().as_bytes()).unwrap()), Err(PemFault::KeyDoesNotFit));

        let cut = &certificate[..certificate.len() / 2];
        assert!(matches!(certificates(cut.as_bytes()), Err(PemFault::NotPem { .. })));
        assert_eq!(certificates(b""), Err(PemFault::NoCertificate));
        assert_eq!(certificates(key_pem.as_bytes()), Err(PemFault::NoCertificate));
        let bogus = b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(chain(bogus), Err(PemFault::BadCertificate { .. })));
        assert!(matches!(authorities(bogus), Err(PemFault::BadCertificate { .. })));
        let key_fault = |text: &str| private_key(text.as_bytes()).unwrap_err();
        assert_eq!(key_fault(&certificate), PemFault::NoKey);
        let new_form = key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let old_form = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
                        -----END RSA PRIVATE KEY-----\n";
        for encrypted in [new_form.as_str(), old_form] {
            assert_eq!(key_fault(encrypted), PemFault::EncryptedKey);
        }
        assert!(PemFault::EncryptedKey.to_string().contains("openssl pkey"));
    }
}
