//! What a person does about what stands for a person: calls that the platform refused for good, and results that its
//! books do not agree with. Each act has its audit entry in its own batch, and whoever did it is told when that is
//! durable. None of them drives anything.

use super::commit::After;
use super::event::{Effect, Token};
use super::own::Reply;
use super::{Core, DifferenceLine, Phase};
use crate::order::call::CallRecord;
use crate::order::instruction::Kind;
use crate::order::key::Key;
use crate::order::record::RecordKey;
use crate::order::said::InChinese;
use crate::order::time::Now;
use serde::{Deserialize, Serialize};

/// Longest reason that a person may give, in bytes: with what it is about it fits into an audit entry.
pub const WHY_BYTES_MAX: usize = 100;
/// So many calls are shown at once, the newest dead ones first; the counts know them all. Nobody reads more.
pub const CALLS_SHOWN_MAX: usize = 500;

/// What a person does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum BooksAct {
    /// A call that was refused for good is sent again, as it was.
    Retry {
        /// Which one.
        number: u64,
    },
    /// A call that was refused for good is given up.
    Drop {
        /// Which one.
        number: u64,
        /// Why; kept in the audit.
        reason: String,
    },
    /// The platform is asked once more whether its books agree.
    Ask {
        /// About which order.
        key: Key,
    },
    /// The difference is somebody's, and is shown no more.
    Accept {
        /// Of which order.
        key: Key,
        /// Why; kept in the audit.
        reason: String,
    },
}

impl BooksAct {
    /// The reason, where one is wanted.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            BooksAct::Drop { reason, .. } | BooksAct::Accept { reason, .. } => Some(reason),
            BooksAct::Retry { .. } | BooksAct::Ask { .. } => None,
        }
    }
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum BooksError {
    /// There is no such call.
    #[error("there is no such call; vend call list shows them")]
    NoSuchCall,
    /// The platform has not refused it for good.
    #[error("the call is still on its way: it is tried again by itself")]
    NotDead,
    /// It tells a state that may have changed since.
    #[error("the call tells a state of its time, which is told anew when it changes; give it up with vend call drop")]
    MayBeOld,
    /// It would give money back that is no longer owed.
    #[error("the call would give back money that is no longer owed for its sale; give it up with vend call drop")]
    NothingOwed,
    /// The books of this order do not differ.
    #[error("no difference stands for this order; vend difference list shows them")]
    NoDifference,
    /// The platform is not asked, or not any more.
    #[error("the platform is not asked about this order any more; look with vend cloud order show, then accept it")]
    NotAsked,
    /// The agent keeps nothing now.
    #[error("the agent keeps nothing now: it is starting or stopping, or its journal failed; see vend status")]
    Unavailable,
}

impl InChinese for BooksError {
    fn zh(&self) -> String {
        match self {
            BooksError::NoSuchCall => "没有此通知；vend call list 会列出通知",
            BooksError::NotDead => "该通知仍在发送：会自行重试",
            BooksError::MayBeOld => "该通知说的是当时的状态，状态再变时会重新通知平台；请用 vend call drop 放弃",
            BooksError::NothingOwed => "该销售已不欠款，此通知会再次退款；请用 vend call drop 放弃",
            BooksError::NoDifference => "该订单没有不一致；vend difference list 会列出不一致的订单",
            BooksError::NotAsked => {
                "不再就该订单询问平台；请用 vend cloud order show 查看，然后 vend difference accept"
            }
            BooksError::Unavailable => "守护进程此时不保存数据：正在启动或停止，或日志已失败；请看 vend status",
        }
        .to_owned()
    }
}

/// What stands between machine and platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Calls that are not yet taken.
    pub calls_open: usize,
    /// Calls that were refused for good.
    pub calls_dead: usize,
    /// At most [`CALLS_SHOWN_MAX`]: the newest that were refused, then the oldest that are not yet taken.
    pub calls: Vec<CallLine>,
    /// Every result that the platform's books do not agree with.
    pub differences: Vec<DifferenceLine>,
}

/// A call for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLine {
    /// Its number.
    pub number: u64,
    /// What it is, in English.
    pub what: String,
    /// The same in Chinese; names of methods and numbers are as they are.
    #[serde(default)]
    pub what_zh: String,
    /// When it was made, in Unix s.
    pub made_at_s: u64,
    /// pending or dead.
    pub state: String,
    /// Tries so far.
    pub attempts: u32,
    /// Why it is dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl CallLine {
    fn of(record: &CallRecord) -> CallLine {
        let said = record.said();
        CallLine {
            number: record.number,
            what: said.en,
            what_zh: said.zh,
            made_at_s: record.timestamp_s,
            state: record.copy.state().as_str().to_owned(),
            attempts: record.copy.attempts(),
            reason: record.copy.dead_reason().map(|reason| reason.to_string()),
        }
    }
}

impl Core {
    /// Calls and differences as they stand.
    #[must_use]
    pub fn books(&self) -> Books {
        let differing = |(key, difference): (&Key, &crate::order::sync::Difference)| DifferenceLine {
            order_id: key.order_id.to_string(),
            record_id: key.record_id.to_string(),
            difference: difference.as_str().to_owned(),
        };
        Books {
            calls_open: self.calls.open(),
            calls_dead: self.calls.dead(),
            calls: self
                .calls
                .newest_dead()
                .chain(self.calls.oldest_open())
                .take(CALLS_SHOWN_MAX)
                .map(CallLine::of)
                .collect(),
            differences: self.results.differences().iter().map(differing).collect(),
        }
    }

    /// A person does something. The answer leaves when it is durable.
    pub(super) fn on_books_act(&mut self, now: Now, token: Token, uid: u32, act: &BooksAct) {
        let done = self.do_at_the_books(now, act).map(|(kind, detail)| {
            self.audit_person(now, uid, kind, detail);
            let reply = Reply::Books(Ok(self.books()));
            self.after_next_commit(After::Reply { token, reply });
        });
        if let Err(error) = done {
            self.effects.push(Effect::Reply { token, reply: Reply::Books(Err(error)) });
        }
    }

    /// What the audit says of it.
    fn do_at_the_books(&mut self, now: Now, act: &BooksAct) -> Result<(Kind, String), BooksError> {
        if self.phase != Phase::Running || self.failed.is_some() || self.stopping {
            return Err(BooksError::Unavailable);
        }
        match act {
            BooksAct::Retry { number } => {
                let record = self.dead_call(*number)?.clone();
                if self.pays_back_in_vain(&record) {
                    return Err(BooksError::NothingOwed);
                }
                if !self.calls.reopen(*number) {
                    return Err(BooksError::MayBeOld);
                }
                self.refund_sent_again(now, &record);
                self.save_record(RecordKey::Call(*number), [After::OfferCall(*number)]);
                Ok((Kind::CallRetried, record.to_string()))
            }
            BooksAct::Drop { number, reason } => {
                let what = self.dead_call(*number)?.to_string();
                self.end_call(now, *number);
                self.save_record(RecordKey::Call(*number), None);
                Ok((Kind::CallDropped, format!("{what}: {reason}")))
            }
            BooksAct::Ask { key } => {
                let difference = self.difference_of(key)?;
                if !self.ask_anew_about(now, key) {
                    return Err(BooksError::NotAsked);
                }
                self.save(key, None);
                Ok((Kind::DifferenceAsked, format!("order {key}: {difference}")))
            }
            BooksAct::Accept { key, reason } => {
                let difference = self.difference_of(key)?;
                self.accept_difference(now, key);
                self.save(key, None);
                Ok((Kind::DifferenceAccepted, format!("order {key}: {difference}: {reason}")))
            }
        }
    }

    fn dead_call(&self, number: u64) -> Result<&CallRecord, BooksError> {
        let record = self.calls.get(number).ok_or(BooksError::NoSuchCall)?;
        if record.copy.is_dead() { Ok(record) } else { Err(BooksError::NotDead) }
    }

    fn difference_of(&self, key: &Key) -> Result<&'static str, BooksError> {
        self.results.differences().get(key).map(|difference| difference.as_str()).ok_or(BooksError::NoDifference)
    }
}
