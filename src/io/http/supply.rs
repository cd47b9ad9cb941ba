//! TLS from files that may be replaced while the process lives: looked at whenever a connection is made, read when
//! they changed, and kept as they were while the new ones are not good.

use super::authorities::Authorities;
use super::tls::{Identity, OnServer, TlsError, make};
use crate::core::event::{CertificateNews, CertificateOf};
use crate::order::said::InChinese as _;
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

/// A TLS configuration that follows its files. The system's authorities are read once, by the first connection.
pub struct TlsSupply {
    files: TlsFiles,
    authorities: Authorities,
    listener: Option<Listener>,
    state: Mutex<State>,
}

struct State {
    /// None before the first connection that trusts the system's authorities and shows nothing.
    config: Option<Arc<ClientConfig>>,
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

impl Listener {
    /// Who hears of the server's certificates.
    fn on_server(&self) -> Option<OnServer> {
        let (to, of) = (self.to.clone(), self.server?);
        Some(Arc::new(move |not_after_s| {
            let _ = to.try_send(CertificateNews::InUse { of, not_after_s });
        }))
    }
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
    /// Reads the files for the first time, if any are named. They must be good.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong with it.
    pub fn open(files: TlsFiles, listener: Option<Listener>, authorities: &Authorities) -> Result<Arc<Self>, TlsError> {
        let state = Mutex::new(State { config: None, looked: Vec::new() });
        let supply = TlsSupply { authorities: authorities.clone(), files, listener, state };
        if supply.files != TlsFiles::default() {
            supply.read_into(&mut supply.state())?;
        }
        Ok(Arc::new(supply))
    }

    /// The configuration for a connection that is to be made now. The files are looked at off the core's thread, since
    /// a slow disk must not keep a board waiting.
    ///
    /// # Errors
    /// [`TlsError::NoSystemRoots`], where the system's authorities are to be trusted and none could be read yet.
    pub async fn current(self: &Arc<Self>) -> Result<Arc<ClientConfig>, TlsError> {
        let supply = Arc::clone(self);
        match tokio::task::spawn_blocking(move || supply.look()).await {
            Ok(config) => config,
            // It panicked, or the process is about to end.
            Err(error) => self.state().config.clone().ok_or_else(|| TlsError::Setup(error.to_string())),
        }
    }

    /// Reads what changed, and takes it if it is good.
    fn look(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let mut state = self.state();
        if let Some(config) = state.config.clone() {
            if self.files.stamps() == state.looked {
                return Ok(config);
            }
            return Ok(self.read_into(&mut state).unwrap_or_else(|error| {
                self.tell(|listener| CertificateNews::Kept { of: listener.own, why: error.said() });
                config
            }));
        }
        self.read_into(&mut state)
    }

    fn read_into(&self, state: &mut State) -> Result<Arc<ClientConfig>, TlsError> {
        // Taken before the files are read: what changes while they are read is read again next time.
        state.looked = self.files.stamps();
        let TlsFiles { ca_file, identity } = &self.files;
        let on_server = self.listener.as_ref().and_then(Listener::on_server);
        let made = make(ca_file.as_deref(), &self.authorities, identity.as_ref(), on_server)?;
        if let Some(not_after_s) = made.own_not_after_s {
            self.tell(|listener| CertificateNews::InUse { of: listener.own, not_after_s });
        }
        Ok(Arc::clone(state.config.insert(made.config)))
    }

    /// Nothing that holds the lock leaves the state half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
