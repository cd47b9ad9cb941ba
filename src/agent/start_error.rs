//! Why the daemon cannot start, in both languages.

use crate::io::journal;
use crate::order::said::{InChinese, Said};
use std::io;

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration, or what it names, is wrong.
    #[error("{}", .0.en)]
    Configuration(Said),
    /// The journal cannot be opened now.
    #[error(transparent)]
    Journal(#[from] journal::OpenError),
    /// The system refused a thread, a timer or a signal.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl StartError {
    pub(super) fn configuration(en: impl Into<String>, zh: impl Into<String>) -> Self {
        StartError::Configuration(Said::new(en, zh))
    }

    pub(super) fn because(error: &impl InChinese) -> Self {
        StartError::Configuration(error.said())
    }
}

impl InChinese for StartError {
    fn zh(&self) -> String {
        match self {
            StartError::Configuration(why) => why.zh.clone(),
            StartError::Journal(error) => error.zh(),
            StartError::System(error) => error.zh(),
        }
    }
}
