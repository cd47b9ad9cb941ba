//! Ctrl-C, for a command that waits and wants to say something before it ends.

use super::exit::Exit;
use super::failure::Failure;
use crate::order::said::{Said, said};
use std::io;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, which is heard from here on and ends nothing by itself.
pub(super) struct Interrupts {
    runtime: Runtime,
    signal: Signal,
}

impl Interrupts {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system refuses the signal.
    pub(super) fn new() -> io::Result<Interrupts> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signal = {
            let _entered = runtime.enter();
            signal(SignalKind::interrupt())?
        };
        Ok(Interrupts { runtime, signal })
    }

    /// Waits for so long, or until one came.
    pub(super) fn came_within(&mut self, time: Duration) -> bool {
        let Interrupts { runtime, signal } = self;
        runtime.block_on(async { tokio::time::timeout(time, signal.recv()).await.is_ok() })
    }

    /// Waits for what is under way.
    ///
    /// # Errors
    /// Ctrl-C came first.
    pub(super) fn or<T>(&mut self, under_way: impl Future<Output = T>) -> Result<T, Failure> {
        let Interrupts { runtime, signal } = self;
        runtime.block_on(async {
            tokio::select! {
                done = under_way => Ok(done),
                _ = signal.recv() => Err(Failure::told(Exit::Interrupted, said!("given up", "已中止"))),
            }
        })
    }

    /// Waits for so long.
    ///
    /// # Errors
    /// One came: what goes on in the machine, and where to look, in both languages.
    pub(super) fn pass(&mut self, time: Duration, en: &str, zh: &str) -> Result<(), Failure> {
        if self.came_within(time) { Err(Failure::told(Exit::Interrupted, Said::new(en, zh))) } else { Ok(()) }
    }
}
