//! The files of secrets and certificates. Secrets are read to see that they can be used, and forgotten.

use crate::config::credentials::{Credential, CredentialFault, SECRET_BYTES_MAX, Secret};
use crate::config::{Config, pem};
use crate::doctor::seen::{CertificateFile, Fact, Rights, SecretFile};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Permission bits of a mode, without the kind of file.
const MODE_BITS: u32 = 0o7777;

/// Rights as `ls -ln` shows them.
pub(super) fn rights_of(found: &fs::Metadata) -> Rights {
    Rights { mode: found.mode() & MODE_BITS, uid: found.uid(), gid: found.gid() }
}

/// The secrets that `config` uses, looked for in `directory`.
#[must_use]
pub fn secrets(directory: &Path, config: &Config) -> Fact<Vec<SecretFile>> {
    let used = Credential::ALL.into_iter().filter_map(|it| Some((it, it.needed_by(config)?)));
    Fact::Is(used.map(|(credential, needed_by)| secret(directory.join(credential.file_name()), needed_by)).collect())
}

fn secret(path: PathBuf, needed_by: &'static str) -> SecretFile {
    let rights = fs::metadata(&path).ok().as_ref().map(rights_of);
    let mut forbidden = false;
    let fault = match beginning(&path) {
        Ok(bytes) => Secret::of_file(&bytes).err(),
        Err(error) => {
            forbidden = error.kind() == io::ErrorKind::PermissionDenied;
            Some(CredentialFault::Read(Arc::new(error)))
        }
    };
    SecretFile { path, needed_by, fault: fault.map(|fault| fault.text()), forbidden, rights }
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SECRET_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The certificate files that `config` names.
#[must_use]
pub fn certificates(config: &Config) -> Fact<Vec<CertificateFile>> {
    let cloud = config.cloud.as_ref();
    let authorities = [&config.broker.ca_file, &config.report.ca_file];
    let authorities = authorities.into_iter().flatten().chain(cloud.and_then(|cloud| cloud.ca_file.as_ref()));
    let own = config.broker.client_identity.iter().chain(cloud.and_then(|cloud| cloud.client_identity.as_ref()));
    let ends = |path: &Path| -> Vec<u64> {
        let chain = fs::read(path).ok().and_then(|bytes| pem::chain(&bytes).ok()).unwrap_or_default();
        chain.iter().filter_map(pem::not_after_s).collect()
    };
    // A file of authorities may hold the old one beside the new one: it is good for as long as the last of them.
    let of_authorities =
        authorities.map(|path| CertificateFile { path: path.clone(), not_after_s: ends(path).into_iter().max() });
    let of_own = own.map(|identity| {
        let path = identity.certificate.clone();
        CertificateFile { not_after_s: ends(&path).into_iter().min(), path }
    });
    Fact::Is(of_authorities.chain(of_own).collect())
}
