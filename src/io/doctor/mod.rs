//! What `vend doctor` looks at. Nothing here writes, waits for ever, or disturbs: the journal is read from a copy, the
//! port is opened only when nobody uses it, and no byte is put on the line.

mod disk;
mod files;
mod network;
mod port;
mod time;
mod unit;

pub use disk::{disk, journal, lock};
pub use files::{certificates, secrets};
pub use network::{broker, failed, proxies, receiver, resolve, route};
pub use port::{opens, port};
pub use time::clock;
pub use unit::unit;

use std::io;
use std::path::{Path, PathBuf};

/// The files of the system: below `/` but in tests.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Root::below(Path::new("/"))
    }
}

impl Root {
    /// The files below `root`.
    #[must_use]
    pub fn below(root: &Path) -> Root {
        Root(root.to_owned())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    fn read(&self, path: &str) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(self.at(path))?).into_owned())
    }

    /// The names in a folder; none where there is no such folder.
    fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.at(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The processes, by number and name.
    fn processes(&self) -> Vec<(u32, String)> {
        let pids = self.names("proc").into_iter().filter_map(|name| name.parse().ok());
        pids.map(|pid: u32| (pid, self.name_of(pid))).collect()
    }

    fn name_of(&self, pid: u32) -> String {
        self.read(&format!("proc/{pid}/comm")).map_or_else(|_| "?".to_owned(), |name| name.trim_end().to_owned())
    }
}
