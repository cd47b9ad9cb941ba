//! TLS from files that may be replaced while the process lives: looked at whenever a connection is made, read when
//! they changed, and kept as they were while the new ones are not good.

use super::tls::{Identity, Made, OnServer, TlsError, make};
use crate::core::event::{CertificateNews, CertificateOf};
use rustls::ClientConfig;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Where the files are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Trust these instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Shown where a server asks for it.
    pub identity: Option<Identity>,
}

/// Who wants to know about the certificates of a [`TlsSupply`].
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where to. What has no room is not waited for: a handshake or the next connection says it again.
    pub to: mpsc::Sender<CertificateNews>,
    /// What the files are called.
    pub own: CertificateOf,
    /// What the server's certificate is called, where it is one server.
    pub server: Option<CertificateOf>,
}

/// A TLS configuration that follows its files. The system's authorities are read once.
pub struct TlsSupply {
    files: TlsFiles,
    listener: Option<Listener>,
    state: Mutex<State>,
}

struct State {
    config: Arc<ClientConfig>,
    /// As the files were when they were last read, whether they were good or not.
    looked: Vec<Option<Stamp>>,
}

/// What changes when a file is replaced or written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl TlsFiles {
    fn stamps(&self) -> Vec<Option<Stamp>> {
        let identity = self.identity.iter().flat_map(|identity| [&identity.certificate, &identity.key]);
        let stamp = |path: &PathBuf| {
            let found = std::fs::metadata(path).ok()?;
            Some(Stamp {
                device: found.dev(),
                inode: found.ino(),
                size: found.size(),
                modified: (found.mtime(), found.mtime_nsec()),
                changed: (found.ctime(), found.ctime_nsec()),
            })
        };
        self.ca_file.iter().chain(identity).map(stamp).collect()
    }
}

impl TlsSupply {
    /// Reads the files for the first time. They must be good.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong with it.
    pub fn open(files: TlsFiles, listener: Option<Listener>) -> Result<Arc<Self>, TlsError> {
        let looked = files.stamps();
        let Made { config, own_not_after_s } = read(&files, listener.as_ref())?;
        let supply = TlsSupply { files, listener, state: Mutex::new(State { config, looked }) };
        supply.tell_own(own_not_after_s);
        Ok(Arc::new(supply))
    }

    /// The configuration for a connection that is to be made now. The files are looked at off the core's thread, since
    /// a slow disk must not keep a board waiting.
    pub async fn current(self: &Arc<Self>) -> Arc<ClientConfig> {
        let supply = Arc::clone(self);
        match tokio::task::spawn_blocking(move || supply.look()).await {
            Ok(config) => config,
            // It panicked, or the process is about to end.
            Err(_) => self.state().config.clone(),
        }
    }

    /// Reads what changed, and takes it if it is good.
    fn look(&self) -> Arc<ClientConfig> {
        let mut state = self.state();
        // Taken before the files are read: what changes while they are read is read again next time.
        let stamps = self.files.stamps();
        if stamps != state.looked {
            state.looked = stamps;
            match read(&self.files, self.listener.as_ref()) {
                Ok(Made { config, own_not_after_s }) => {
                    state.config = config;
                    self.tell_own(own_not_after_s);
                }
                Err(error) => self.tell(|listener| CertificateNews::Kept { of: listener.own, why: error.to_string() }),
            }
        }
        state.config.clone()
    }

    /// Nothing that holds the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_own(&self, not_after_s: Option<u64>) {
        if let Some(not_after_s) = not_after_s {
            self.tell(|listener| CertificateNews::InUse { of: listener.own, not_after_s });
        }
    }

    fn tell(&self, news: impl FnOnce(&Listener) -> CertificateNews) {
        if let Some(listener) = &self.listener {
            let _ = listener.to.try_send(news(listener));
        }
    }
}

impl std::fmt::Debug for TlsSupply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSupply").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &TlsFiles, listener: Option<&Listener>) -> Result<Made, TlsError> {
    let on_server = listener.and_then(|listener| {
        let (to, of) = (listener.to.clone(), listener.server?);
        let tell = move |not_after_s| {
            let _ = to.try_send(CertificateNews::InUse { of, not_after_s });
        };
        Some(Arc::new(tell) as OnServer)
    });
    make(files.ca_file.as_deref(), files.identity.as_ref(), on_server)
}
