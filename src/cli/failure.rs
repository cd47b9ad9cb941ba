//! Why a command did not do what it was asked, for people and as an exit code.

use super::exit::Exit;
use super::lang::Lang;
use crate::agent::StartError;
use crate::board::profile::ProfileError;
use crate::board::service::ServiceError;
use crate::config::credentials::CredentialError;
use crate::config::problem::ConfigError;
use crate::control::Refusal;
use crate::core::{BooksError, DecisionError, SaleRefusal, SlotError};
use crate::io::control_client::AskError;
use crate::io::journal::OpenError;
use crate::order::said::{InChinese, Said, said};
use http::StatusCode;
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
    #[error(transparent)]
    Start(#[from] StartError),
    /// The daemon was asked and did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Anything else, told by the command itself.
    #[error("{}", .text.en)]
    Told {
        /// How it ends.
        exit: Exit,
        /// What is wrong and what to do.
        text: Said,
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
    /// A command ended early, because of this.
    pub const fn told(exit: Exit, text: Said) -> Failure {
        Failure::Told { exit, text }
    }

    /// A command ended early, because of an error that says all there is to say.
    pub fn of(exit: Exit, error: &(impl InChinese + ?Sized)) -> Failure {
        Failure::told(exit, error.said())
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
            Failure::Ask(AskError::NotRunning { .. }) => Exit::NotRunning,
            Failure::Ask(AskError::NoPermission { .. }) => Exit::NoPermission,
            Failure::Ask(AskError::Refused { refusal: Refusal { slot: Some(why), .. }, .. }) => match why {
                SlotError::NoSuchSlot => Exit::NotFound,
                SlotError::NoCapacity | SlotError::Unavailable => Exit::Refused,
            },
            Failure::Ask(AskError::Refused { refusal: Refusal { sale: Some(why), .. }, .. }) => match why {
                SaleRefusal::NoSuchSlot
                | SaleRefusal::NoSuchCode
                | SaleRefusal::NoSuchSale
                | SaleRefusal::NotForSale => Exit::NotFound,
                SaleRefusal::NotConfigured => Exit::Configuration,
                SaleRefusal::BoardAway => Exit::Device,
                SaleRefusal::CloudAway => Exit::Network,
                SaleRefusal::Open
                | SaleRefusal::AmbiguousCode
                | SaleRefusal::Empty
                | SaleRefusal::OutOfOrder
                | SaleRefusal::Busy
                | SaleRefusal::Unavailable
                | SaleRefusal::NotOpen
                | SaleRefusal::NothingOwed => Exit::Refused,
            },
            Failure::Ask(AskError::Refused { refusal: Refusal { books: Some(why), .. }, .. }) => match why {
                BooksError::NoSuchCall | BooksError::NoDifference => Exit::NotFound,
                _ => Exit::Refused,
            },
            Failure::Ask(AskError::Refused { refusal: Refusal { decision: Some(why), .. }, .. }) => match why {
                DecisionError::NoSuchOrder => Exit::NotFound,
                _ => Exit::Refused,
            },
            Failure::Ask(AskError::Refused { status, refusal }) => match refusal.why {
                Some(ServiceError::NotOffered | ServiceError::NoSuchBoard | ServiceError::NoSuchSlot) => Exit::NotFound,
                Some(ServiceError::Busy | ServiceError::Unavailable | ServiceError::Refused) => Exit::Refused,
                Some(ServiceError::Away | ServiceError::NoAnswer | ServiceError::TookTooLong) => Exit::Device,
                None if *status == StatusCode::FORBIDDEN => Exit::NoPermission,
                None => Exit::Failed,
            },
            Failure::Ask(_) => Exit::Failed,
            // To start again helps neither: another vend must be installed, or another directory named.
            Failure::Start(StartError::Configuration(_) | StartError::Journal(OpenError::Newer { .. })) => {
                Exit::Configuration
            }
            Failure::Start(StartError::Journal(OpenError::InUse { .. })) => Exit::Refused,
            Failure::Start(StartError::Journal(_) | StartError::System(_)) => Exit::Failed,
            Failure::Told { exit, .. } | Failure::NotInBuild { exit, .. } => *exit,
        }
    }

    /// What to tell a person; nothing when the reader left.
    #[must_use]
    pub fn text(&self, lang: Lang) -> Option<String> {
        Some(lang.pick(match self {
            Failure::Config(error) => error.said(),
            Failure::Credentials(error) => error.said(),
            Failure::Profile(error) => error.said(),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Failure::Output(error) => said!("standard output: {error}", "标准输出：{error}", error),
            Failure::Toml(error) => said!(
                "the configuration cannot be shown as TOML: {error}; use --json",
                "配置无法以 TOML 显示：{error}；请使用 --json";
                error = error.to_string()
            ),
            Failure::Start(why) => why.said(),
            Failure::Ask(error) => ask_text(error),
            Failure::Told { text, .. } => text.clone(),
            Failure::NotInBuild { part, remedy, .. } => said!(
                "this build has no {part}; use: {remedy}",
                "此版本不含 {part}；请使用：{remedy}";
                part, remedy
            ),
        }))
    }
}

/// What a daemon that does not answer means for a person.
fn ask_text(error: &AskError) -> Said {
    match error {
        AskError::NotRunning { .. } => said!(
            "{error}\n  = is it running, and with this socket? systemctl status vend; another socket: --socket PATH",
            "{error}\n  = 请查看：systemctl status vend；其他套接字请用 --socket PATH 指定",
            error
        ),
        AskError::NoPermission { socket } => said!(
            "{error}\n  = use sudo, or join the group: ls -l {shown}",
            "没有权限：{error}\n  = 请使用 sudo，或加入其用户组：ls -l {shown}",
            error; shown = socket.display()
        ),
        AskError::TimeOut { .. } => said!(
            "{error}\n  = what it logs: journalctl -u vend -e",
            "{error}\n  = 查看日志：journalctl -u vend -e",
            error
        ),
        AskError::Unreadable { .. } => said!(
            "{error}\n  = after an update, start the daemon again: systemctl restart vend",
            "{error}\n  = 升级后请重启守护进程：systemctl restart vend",
            error
        ),
        AskError::Refused { refusal: Refusal { why: Some(why), lacks, .. }, .. } => {
            // What the profile says is in its own words.
            let lacks: String = lacks.iter().map(|lack| format!("\n  = {lack}")).collect();
            said!("{why}{lacks}", "{why}{lacks}", why; lacks)
        }
        AskError::Refused { refusal: Refusal { slot: Some(why), .. }, .. } => why.said(),
        AskError::Refused { refusal: Refusal { sale: Some(why), .. }, .. } => why.said(),
        AskError::Refused { refusal: Refusal { books: Some(why), .. }, .. } => why.said(),
        AskError::Refused { refusal: Refusal { decision: Some(why), .. }, .. } => why.said(),
        AskError::Refused { status, .. } if *status == StatusCode::FORBIDDEN => Said::new(
            format!("{error}\n  = use sudo"),
            "没有权限：会改变机器的操作仅限 root 与守护进程的用户\n  = 请使用 sudo",
        ),
        AskError::Refused { .. } | AskError::Io(_) => error.said(),
    }
}
