//! Why a command did not do what it was asked, for people and as an exit code.

use super::exit::Exit;
use super::lang::Lang;
use crate::agent::StartError;
use crate::board::profile::ProfileError;
use crate::board::service::ServiceError;
use crate::config::credentials::CredentialError;
use crate::config::problem::{Both, ConfigError};
use crate::control::Refusal;
use crate::core::{BooksError, DecisionError, SaleRefusal, SlotError};
use crate::io::control_client::AskError;
use crate::io::journal::OpenError;
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
        text: Both,
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
    pub fn told(exit: Exit, en: impl std::fmt::Display, zh: impl Into<String>) -> Failure {
        Failure::Told { exit, text: Both::new(en.to_string(), zh) }
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
            Failure::Config(error) => error.text(),
            Failure::Credentials(error) => error.text(),
            Failure::Profile(error) => Both::new(error.to_string(), format!("板卡配置不可用：{error}")),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Failure::Output(error) => Both::new(self.to_string(), format!("标准输出：{error}")),
            Failure::Toml(error) => {
                Both::new(self.to_string(), format!("配置无法以 TOML 显示：{error}；请使用 --json"))
            }
            Failure::Start(why) => Both::new(why.to_string(), format!("无法启动：{why}")),
            Failure::Ask(error) => ask_text(error),
            Failure::Told { text, .. } => text.clone(),
            Failure::NotInBuild { part, remedy, .. } => {
                Both::new(self.to_string(), format!("此版本不含 {part}；请使用：{remedy}"))
            }
        }))
    }
}

/// What a daemon that does not answer means for a person.
fn ask_text(error: &AskError) -> Both {
    match error {
        AskError::NotRunning { .. } => Both::new(
            format!(
                "{error}\n  = is it running, and with this socket? systemctl status vend; another socket: --socket PATH"
            ),
            format!("守护进程未应答：{error}\n  = 请查看：systemctl status vend；其他套接字请用 --socket PATH 指定"),
        ),
        AskError::NoPermission { socket } => {
            let shown = socket.display();
            Both::new(
                format!("{error}\n  = use sudo, or join the group: ls -l {shown}"),
                format!("没有权限：{error}\n  = 请使用 sudo，或加入其用户组：ls -l {shown}"),
            )
        }
        AskError::TimeOut { .. } => Both::new(
            format!("{error}\n  = what it logs: journalctl -u vend -e"),
            format!("守护进程超时：{error}\n  = 查看日志：journalctl -u vend -e"),
        ),
        AskError::Unreadable { .. } => Both::new(
            format!("{error}\n  = after an update, start the daemon again: systemctl restart vend"),
            format!("应答无法读取：{error}\n  = 升级后请重启守护进程：systemctl restart vend"),
        ),
        AskError::Refused { refusal: Refusal { why: Some(why), lacks, .. }, .. } => service_text(*why, lacks),
        AskError::Refused { refusal: Refusal { slot: Some(why), .. }, .. } => {
            let chinese = match why {
                SlotError::NoSuchSlot => "板卡配置中没有此货道；vend board show NAME 会列出货道",
                SlotError::NoCapacity => "不知道货道容量：平台尚未告知；请给出现有件数",
                SlotError::Unavailable => "守护进程此时不保存数据：正在启动或停止，或日志已失败；请看 vend status",
            };
            Both::new(why.to_string(), chinese)
        }
        AskError::Refused { refusal: Refusal { sale: Some(why), .. }, .. } => {
            let chinese = match why {
                SaleRefusal::NotConfigured => "本机不销售：未设置 [sale] cloud",
                SaleRefusal::Open => "另一次销售尚未结束；请取消或等待",
                SaleRefusal::NoSuchSlot => "板卡没有此货道",
                SaleRefusal::NoSuchCode => "没有商品使用此编号；vend slot list 会列出编号",
                SaleRefusal::AmbiguousCode => "不止一个货道使用此编号；请用 --address 指明驱动板，或用 --slot 选择",
                SaleRefusal::NotForSale => "此货道没有标价商品；见 vend slot list 与 [sale] goods",
                SaleRefusal::Empty => "货道已空",
                SaleRefusal::OutOfOrder => "货道停用，须人工检查；之后执行 vend slot clear",
                SaleRefusal::BoardAway => "板卡未就绪；请看 vend status",
                SaleRefusal::CloudAway => "销售云端暂时无法连接",
                SaleRefusal::Busy => "未完成的订单或销售过多",
                SaleRefusal::Unavailable => "机器暂不可用：正在启动或停止、空间不足，或日志已失败；请看 vend status",
                SaleRefusal::NoSuchSale => "没有此销售；见 vend sale list",
                SaleRefusal::NotOpen => "没有可取消的：销售已支付或已结束",
                SaleRefusal::NothingOwed => "此销售没有待人工处理的事项",
            };
            Both::new(why.to_string(), chinese)
        }
        AskError::Refused { refusal: Refusal { books: Some(why), .. }, .. } => {
            let chinese = match why {
                BooksError::NoSuchCall => "没有此通知；vend call list 会列出通知",
                BooksError::NotDead => "该通知仍在发送：会自行重试",
                BooksError::MayBeOld => "该通知说的是当时的状态，状态再变时会重新通知平台；请用 vend call drop 放弃",
                BooksError::NoDifference => "该订单没有不一致；vend difference list 会列出不一致的订单",
                BooksError::NotAsked => {
                    "不再就该订单询问平台；请用 vend cloud order show 查看，然后 vend difference accept"
                }
                BooksError::Unavailable => "守护进程此时不保存数据：正在启动或停止，或日志已失败；请看 vend status",
            };
            Both::new(why.to_string(), chinese)
        }
        AskError::Refused { refusal: Refusal { decision: Some(why), .. }, .. } => {
            let chinese = match why {
                DecisionError::NoSuchOrder => {
                    "没有此订单；vend order list 列出未了结的订单，vend report list 列出有死信的订单"
                }
                DecisionError::NotEnded => "订单尚未结束：它将被驱动、被拒绝或自行结束；请稍后再看",
                DecisionError::NotInDoubt => "订单没有未知的商品：无需裁定",
                DecisionError::MayStillTurn => {
                    "订单的电机可能仍在转动，或结果尚未到达：请等 vend status 显示串口线空闲"
                }
                DecisionError::NothingDead => "订单的上报没有被永久拒绝：无需重发",
                DecisionError::BeingWritten => "最近的变化正在写入；请重试",
                DecisionError::Unavailable => "守护进程此时不保存数据：正在启动或停止，或日志已失败；请看 vend status",
            };
            Both::new(why.to_string(), chinese)
        }
        AskError::Refused { status, .. } if *status == StatusCode::FORBIDDEN => Both::new(
            format!("{error}\n  = use sudo"),
            "没有权限：会改变机器的操作仅限 root 与守护进程的用户\n  = 请使用 sudo".to_owned(),
        ),
        AskError::Refused { .. } | AskError::Io(_) => {
            Both::new(error.to_string(), format!("询问守护进程失败：{error}"))
        }
    }
}

/// Why the board did not do what it was asked.
fn service_text(why: ServiceError, lacks: &[String]) -> Both {
    let chinese = match why {
        ServiceError::NotOffered => "板卡的协议没有此项；vend board show NAME 会列出所缺功能",
        ServiceError::NoSuchBoard => "板卡配置中没有此地址；vend board show NAME 会列出地址数",
        ServiceError::NoSuchSlot => "板卡配置中没有此货道；vend board show NAME 会列出货道",
        ServiceError::Busy => "正在处理订单，或另有询问；请在线路空闲时重试",
        ServiceError::Away => "板卡未就绪：串口未打开，或尚未稳定；请看 vend status",
        ServiceError::Unavailable => "守护进程此时不使用板卡：正在启动或停止，或日志已失败；请看 vend status",
        ServiceError::Refused => "板卡拒绝",
        ServiceError::NoAnswer => "板卡未应答；请检查其电源、线缆与地址",
        ServiceError::TookTooLong => {
            "超时已终止：板卡有通信但未完成应答，或线路干扰不断；请看 vend status 中的线路质量"
        }
    };
    // What the profile says is in its own words.
    let lacks: String = lacks.iter().map(|lack| format!("\n  = {lack}")).collect();
    Both::new(format!("{why}{lacks}"), format!("{chinese}{lacks}"))
}
