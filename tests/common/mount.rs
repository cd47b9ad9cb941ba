//! A file system of a test's own, which can become read-only or full.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A mounted file system. Unmounted when dropped.
pub struct Mount(PathBuf, #[allow(dead_code, reason = "holds the folder")] TempDir);

impl Mount {
    /// None where mounting is not allowed.
    pub fn tmpfs(mib: u32) -> Option<Mount> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Mount(folder.path().to_owned(), folder);
        if mount.run("mount", &["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]) {
            return Some(mount);
        }
        eprintln!("SKIPPED: mounting is not allowed here; run as root");
        None
    }

    /// An ext4 that lies in a file. None where loop devices are not allowed.
    pub fn ext4(image: &Path) -> Option<Mount> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Mount(folder.path().to_owned(), folder);
        if mount.run("mount", &["-o", "loop", &image.display().to_string()]) {
            return Some(mount);
        }
        eprintln!("SKIPPED: loop devices are not allowed here; run as root");
        None
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        Command::new(program).args(arguments).arg(&self.0).status().is_ok_and(|status| status.success())
    }

    /// Mounts it again with another option.
    pub fn set(&self, option: &str) {
        assert!(self.run("mount", &["-o", &format!("remount,{option}")]), "remount,{option}");
    }

    /// Leaves so many free bytes, whatever is in it.
    pub fn leave_bytes(&self, free_bytes: u64) {
        let now = rustix::fs::statvfs(&self.0).unwrap();
        let used_bytes = (now.f_blocks - now.f_bfree) * now.f_frsize;
        self.set(&format!("size={}k", (used_bytes + free_bytes).div_ceil(1_024)));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.run("umount", &["--lazy"]);
    }
}
