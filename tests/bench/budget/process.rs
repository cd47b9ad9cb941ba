//! What the kernel says of a process.

use std::fs;
use std::path::Path;

/// One look at a process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    pub rss_kb: u64,
    /// Of it what no file backs.
    pub anon_kb: u64,
    pub peak_kb: u64,
    pub threads: u64,
    pub descriptors: u64,
    /// Voluntary context switches of all threads.
    pub wake_ups: u64,
    /// Bytes of pages that were made dirty.
    pub write_bytes: u64,
}

impl Look {
    pub fn at(pid: u32) -> Look {
        let read = |path: String| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        let status = read(format!("/proc/{pid}/status"));
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let switches =
            tasks.map(|task| field(&read(format!("{}/status", task.path().display())), "voluntary_ctxt_switches"));
        Look {
            rss_kb: field(&status, "VmRSS"),
            anon_kb: field(&status, "RssAnon"),
            peak_kb: field(&status, "VmHWM"),
            threads: field(&status, "Threads"),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |all| all.count() as u64),
            wake_ups: switches.sum(),
            write_bytes: field(&read(format!("/proc/{pid}/io")), "write_bytes"),
        }
    }
}

/// All bytes of the files in a folder and below.
pub fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size_of(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
