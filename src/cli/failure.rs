//! Why a command did not do what it was asked, for people and as an exit code.

use super::exit::Exit;
use super::lang::Lang;
use crate::board::profile::ProfileError;
use crate::config::credentials::CredentialError;
use crate::config::problem::ConfigError;
use std::io;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A secret is not there.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// A profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Standard output takes no more.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
    /// The effective configuration holds what TOML cannot.
    #[error("the configuration cannot be shown as TOML: {0}; use --json")]
    Toml(#[from] toml::ser::Error),
    /// The daemon cannot start.
    #[error("{why}")]
    Start {
        /// How it ends.
        exit: Exit,
        /// What is wrong and what to do.
        why: String,
    },
    /// This build has no part that the command needs.
    #[error("this build has no {part}; use: {remedy}")]
    NotInBuild {
        /// What is not there.
        part: &'static str,
        /// The command to use instead.
        remedy: &'static str,
        /// How it ends.
        exit: Exit,
    },
}

impl Failure {
    /// The daemon cannot start, because of this.
    pub fn start(exit: Exit, why: impl std::fmt::Display) -> Failure {
        Failure::Start { exit, why: why.to_string() }
    }

    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Config(_) | Failure::Credentials(_) => Exit::Configuration,
            Failure::Profile(ProfileError::Unknown { .. }) => Exit::NotFound,
            Failure::Profile(ProfileError::Read { source, .. }) => match source.kind() {
                io::ErrorKind::NotFound => Exit::NotFound,
                io::ErrorKind::PermissionDenied => Exit::NoPermission,
                _ => Exit::Failed,
            },
            Failure::Profile(ProfileError::Syntax { .. } | ProfileError::Value { .. }) => Exit::Configuration,
            // The reader had enough, as `head` does: nothing failed.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Failure::Output(_) | Failure::Toml(_) => Exit::Failed,
            Failure::Start { exit, .. } | Failure::NotInBuild { exit, .. } => *exit,
        }
    }

    /// What to tell a person; nothing when the reader left.
    #[must_use]
    pub fn text(&self, lang: Lang) -> Option<String> {
        match self {
            Failure::Config(error) => Some(lang.pick(error.text())),
            Failure::Credentials(error) => Some(lang.pick(error.text())),
            Failure::Profile(error) => Some(lang.say(error.to_string(), format!("板卡配置不可用：{error}"))),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Failure::Output(error) => Some(lang.say(self.to_string(), format!("标准输出：{error}"))),
            Failure::Toml(error) => {
                Some(lang.say(self.to_string(), format!("配置无法以 TOML 显示：{error}；请使用 --json")))
            }
            Failure::Start { why, .. } => Some(lang.say(why.clone(), format!("无法启动：{why}"))),
            Failure::NotInBuild { part, remedy, .. } => {
                Some(lang.say(self.to_string(), format!("此版本不含 {part}；请使用：{remedy}")))
            }
        }
    }
}
