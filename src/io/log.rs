//! The log: standard error, which systemd keeps. Level by `VEND_LOG` (like `debug` or `vend=debug`), info by default.

use tracing_subscriber::EnvFilter;

/// Where the level stands.
pub const VARIABLE: &str = "VEND_LOG";

/// Starts the log of this process. A second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // The system's journal adds the time itself, and shows colours as noise.
    let in_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let started = if in_journal {
        log.without_time().with_ansi(false).try_init()
    } else {
        log.with_ansi(rustix::termios::isatty(std::io::stderr())).try_init()
    };
    // Only tests start it twice in one process.
    let _ = started;
}
