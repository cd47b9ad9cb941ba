//! What can be wrong with a journal, in Chinese. The English stands with the errors.

use super::damage::{CommitError, Damage, OpenError, advice, whom};
use super::digest::Digest;
use super::home::Fact;
use super::inspect::InspectError;
use super::loss::AcceptError;
use super::value::{HEADER_BYTES, Unreadable};
use crate::order::said::InChinese;

impl InChinese for Unreadable {
    fn zh(&self) -> String {
        match self {
            Unreadable::Short { found_bytes } => format!("只有 {found_bytes} 字节，不足头部的 {HEADER_BYTES} 字节"),
            Unreadable::CheckSum => "校验和错误".to_owned(),
            Unreadable::Format(format) => format!("格式为 {format}，并无此格式"),
            Unreadable::Newer(format) => format!("格式为 {format}，需要较新的 vend"),
            Unreadable::Body { found_bytes } => format!("内容有 {found_bytes} 字节，长度不对"),
        }
    }
}

impl InChinese for Digest {
    fn zh(&self) -> String {
        format!("{} 条，提交号 {}（{:016x}）", self.entries, self.counter, self.xor)
    }
}

impl InChinese for Damage {
    fn zh(&self) -> String {
        match self {
            Damage::SledMissing => "journal/db 不见了；lead 中已不再保存的内容已丢失".to_owned(),
            Damage::JournalMissing => "日志文件夹不见了；其中的订单已丢失".to_owned(),
            Damage::MarkerMissing { records, counter } => {
                format!("日志的创建标记不见了，而日志有 {records} 条记录、已提交 {counter} 次")
            }
            Damage::CannotOpen { text } => format!("日志无法打开：{}", text.zh),
            Damage::CannotRead { text } => format!("日志无法读到末尾：{}", text.zh),
            Damage::DigestMissing => "日志没有摘要，而每次提交都会写入；无法得知是否缺少记录".to_owned(),
            Damage::DigestUnreadable(why) => format!("日志的摘要{}", why.zh()),
            Damage::Digest { expected, found } => {
                format!("日志应为 {}，实为 {}：记录有缺少、多余或陈旧", expected.zh(), found.zh())
            }
            Damage::Records { count, key, why } => {
                format!("{count} 条记录无法读取；第一条 {}：{}", key.escape_ascii(), why.zh())
            }
            Damage::ForeignKey { key } => format!("日志中有 vend 从不写入的键：{}", key.escape_ascii()),
            Damage::BlobFile { name } => {
                format!("日志中有 blob 文件 {name}，它从不同步到磁盘，而 vend 的记录不会大到需要它")
            }
            Damage::SecondFileMissing => "第二文件不见了；无法得知日志是否丢失了最近的提交".to_owned(),
            Damage::SecondFileUnreadable => "第二文件的两个槽位均无法读取；无法得知日志是否丢失了最近的提交".to_owned(),
            Damage::SecondFileAhead { journal, second } => {
                format!("日志丢失了提交：日志为 {journal}，而 {second} 曾已写入磁盘")
            }
            Damage::SecondFileDiffers { journal, second } => {
                format!("日志为 {}，而第二文件记为 {}", journal.zh(), second.zh())
            }
            Damage::LeadMissing { counter } => {
                format!("journal/lead 不见了，最近的提交随之丢失；日志中 sled 的部分为提交 {counter}")
            }
            Damage::LeadCut { found_bytes, expected_bytes } => {
                format!("journal/lead 有 {found_bytes} 字节，应为 {expected_bytes}；较新的提交可能已丢失")
            }
            Damage::Hole { last, beyond } => {
                format!("日志丢失了提交：可读部分止于 {last}，而其后还有 {beyond}")
            }
            Damage::Lead { counter, expected, found } => {
                format!("提交 {counter} 记载当时日志为 {}，实为 {}", expected.zh(), found.zh())
            }
            Damage::Elsewhere { differs } => format!(
                "日志不是在此处写成的（{}不同）：克隆的存储卡、备份或换过的部件。此后处理的订单可能不在其中。若没有其他机器继续使用它，\
                 且它今后就在此处：vend journal accept-move --reason TEXT",
                Fact::list(differs).zh
            ),
            Damage::Earlier { text } => format!("{}（在先前启动时发现）", text.zh),
        }
    }
}

impl InChinese for OpenError {
    fn zh(&self) -> String {
        match self {
            OpenError::InUse { state_dir, holder } => {
                format!("状态目录 {} 正由{}使用；只能有一个 vend 使用它", state_dir.display(), whom(holder).zh)
            }
            OpenError::Newer { found, known } => {
                format!("日志格式为 {found}，此 vend 只认识 {known} 及以下：请重新安装较新的 vend")
            }
            OpenError::Io { doing, path, source } => {
                format!("无法{} {}：{source}{}", doing.word().zh, path.display(), advice(source).zh)
            }
            OpenError::Birth { text } => format!("无法建立新日志：{}", text.zh),
        }
    }
}

impl InChinese for CommitError {
    fn zh(&self) -> String {
        match self {
            CommitError::TooLarge { what, found_bytes, limit_bytes } => {
                format!("日志条目的{}有 {found_bytes} 字节；最多 {limit_bytes}", what.word().zh)
            }
            CommitError::StorageFull { doing } => {
                format!("{}时磁盘已满；请腾出空间，已确认的数据不会丢失", doing.word().zh)
            }
            CommitError::Failed { doing, text } => format!("无法{}：{}", doing.word().zh, text.zh),
            CommitError::Unreadable { key, why } => format!("日志记录 {}：{}", key.escape_ascii(), why.zh()),
            CommitError::FileReplaced => "vend 运行时日志文件被移动、删除或替换".to_owned(),
            CommitError::BlobFile { name } => format!("日志写出了 blob 文件 {name}，它从不同步到磁盘"),
        }
    }
}

impl InChinese for InspectError {
    fn zh(&self) -> String {
        match self {
            InspectError::InUse { state_dir, holder } => {
                format!("状态目录 {} 正由{}使用；请停止它，或向它查询", state_dir.display(), whom(holder).zh)
            }
            InspectError::Absent { state_dir } => format!("{} 中没有日志", state_dir.display()),
            InspectError::Copy { from, to, source } => {
                format!("无法把 {} 复制到 {}：{source}", from.display(), to.display())
            }
            InspectError::Open(error) => error.zh(),
        }
    }
}

impl InChinese for AcceptError {
    fn zh(&self) -> String {
        match self {
            AcceptError::InUse { state_dir, holder } => {
                format!("状态目录 {} 正由{}使用；请先停止它", state_dir.display(), whom(holder).zh)
            }
            AcceptError::NotQuarantined { state_dir } => {
                format!("{} 中的日志未被隔离；未作任何更改", state_dir.display())
            }
            AcceptError::NotMoved { state_dir } => {
                format!("{} 中的日志就在写成之处；未作任何更改", state_dir.display())
            }
            AcceptError::NoReason => "须写明原因；它会记入 journal.losses".to_owned(),
            AcceptError::Io { doing, path, source } => {
                format!("无法{} {}：{source}{}", doing.word().zh, path.display(), advice(source).zh)
            }
        }
    }
}
