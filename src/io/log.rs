//! The log: standard error, which systemd keeps. Level by `VEND_LOG` (like `debug` or `vend=debug`), info by default; it can
//! be another one for a while.

use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// Where the level stands.
pub const VARIABLE: &str = "VEND_LOG";

/// Changes the level of a running log.
#[derive(Debug)]
pub struct LogControl(reload::Handle<Targets, Registry>);

impl LogControl {
    /// From now on what is at least so loud: a level's word. False if there is no log that could be changed.
    #[must_use]
    pub fn set(&self, level: &str) -> bool {
        level.parse().is_ok_and(|targets: Targets| self.0.reload(targets).is_ok())
    }

    /// As it was at the start.
    pub fn restore(&self) {
        let _ = self.0.reload(at_start());
    }
}

/// Targets and levels only: filters by span and field would bring a regular-expression engine into the binary.
fn at_start() -> Targets {
    let wanted = std::env::var(VARIABLE).ok().and_then(|text| text.parse::<Targets>().ok());
    wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO))
}

/// Starts the log of this process. A second call changes nothing.
pub fn start() -> LogControl {
    let (filter, control) = reload::Layer::new(at_start());
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
    LogControl(control)
}
