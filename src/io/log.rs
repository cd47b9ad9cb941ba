//! The log: standard error, which systemd keeps. Level by `VEND_LOG` (like `debug` or `vend=debug`), info by default.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Where the level stands.
pub const VARIABLE: &str = "VEND_LOG";

/// Starts the log of this process. A second call changes nothing.
pub fn start() {
    // Targets and levels only: filters by span and field would bring a regular-expression engine into the binary.
    let wanted = std::env::var(VARIABLE).ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    // The system's journal adds the time itself, and shows colours as noise.
    let in_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let log = if in_journal {
        log.without_time().with_ansi(false).with_filter(filter).boxed()
    } else {
        log.with_ansi(rustix::termios::isatty(std::io::stderr())).with_filter(filter).boxed()
    };
    let started = tracing_subscriber::registry().with(log).try_init();
    // Only tests start it twice in one process.
    let _ = started;
}
