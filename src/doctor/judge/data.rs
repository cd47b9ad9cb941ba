//! D: the state directory, its disk, and the journal.

use super::super::seen::{Disk, Fact, Journal, Lock, Seen};
use super::super::{Check, Verdict};
use super::{Judged, known, mib};
use crate::core::TroubleLine;
use crate::order::record;
use crate::order::said::Said;

/// Of what the daemon needs to take orders, so many times is time to look before it does not.
const FREE_BYTES_WARNING: u64 = 4;
/// The journal makes a handful of files at a start, systemd and logs more.
const FREE_INODES_MIN: u64 = 100;
/// See [`FREE_INODES_MIN`].
const FREE_INODES_WARNING: u64 = 1_000;
/// 20,000 tombstones take some 40 MiB, and sled several times that in segments that it has not used again yet.
const JOURNAL_BYTES_WARNING: u64 = 512 << 20;
/// Rights for group and others.
const FOREIGN_BITS: u32 = 0o077;

fn disk(seen: &Seen) -> Result<&Disk, Verdict> {
    known(seen, &seen.disk)
}

pub(super) fn state_directory(seen: &Seen) -> Judged {
    let disk = disk(seen)?;
    let path = disk.directory.display();
    if disk.not_a_directory {
        return Ok(Verdict::failed(format!("{path} is no directory"), format!("{path} 不是目录")).fix(
            format!("move {path} away; the service makes the directory"),
            format!("请移走 {path}；服务会自动创建目录"),
        ));
    }
    let Some(rights) = disk.rights else {
        return Ok(Verdict::not_applicable(
            format!("{path} is not there yet; the first start makes it"),
            format!("{path} 尚不存在；首次启动时创建"),
        ));
    };
    let owner = seen.unit.value().and_then(Option::as_ref).and_then(|unit| unit.account.as_ref()).map(|a| a.uid);
    if owner.is_some_and(|owner| owner != rights.uid) {
        let uid = rights.uid;
        return Ok(Verdict::failed(
            format!("{path} belongs to user {uid}, not to the service's"),
            format!("{path} 属于用户 {uid}，而非服务的用户"),
        ));
    }
    Ok(if rights.mode & FOREIGN_BITS != 0 {
        Verdict::warning(
            format!("{path} is open to others (mode {:04o})", rights.mode),
            format!("{path} 对其他用户开放（权限 {:04o}）", rights.mode),
        )
        .fix(format!("chmod 0700 {path}"), format!("请执行：chmod 0700 {path}"))
    } else {
        Verdict::ok(format!("{path} {:04o}", rights.mode), format!("{path} {:04o}", rights.mode))
    })
}

pub(super) fn free_bytes(seen: &Seen) -> Judged {
    let disk = disk(seen)?;
    let (free, needed) = (disk.free_bytes, disk.needed_bytes);
    let told = (format!("{} are free", mib(free)), format!("剩余 {}", mib(free)));
    Ok(if free < needed {
        let (en, zh) = told;
        Verdict::failed(
            format!("{en}; below {} no order is taken", mib(needed)),
            format!("{zh}；低于 {} 时不接受订单", mib(needed)),
        )
    } else if free < needed.saturating_mul(FREE_BYTES_WARNING) {
        Verdict::warning(told.0, told.1)
    } else {
        Verdict::ok(told.0, told.1)
    })
}

pub(super) fn free_inodes(seen: &Seen) -> Judged {
    let Some(free) = disk(seen)?.free_inodes else {
        return Ok(Verdict::not_applicable("this file system does not count files", "此文件系统不限制文件数"));
    };
    let told = (format!("{free} more files"), format!("还可新建 {free} 个文件"));
    Ok(match free {
        0..FREE_INODES_MIN => Verdict::failed(told.0, told.1),
        FREE_INODES_MIN..FREE_INODES_WARNING => Verdict::warning(told.0, told.1),
        _ => Verdict::ok(told.0, told.1),
    })
}

pub(super) fn disk_writable(seen: &Seen) -> Judged {
    let disk = disk(seen)?;
    let path = disk.directory.display();
    Ok(if disk.read_only {
        Verdict::failed(
            format!("{path} lies on a disk that is mounted read-only"),
            format!("{path} 所在磁盘为只读挂载"),
        )
    } else {
        Verdict::ok("it can", "可写")
    })
}

pub(super) fn one_owner(seen: &Seen) -> Judged {
    let answers = seen.daemon().is_some();
    Ok(match known(seen, &seen.lock)? {
        Lock::Absent => Verdict::not_applicable("there is no journal yet", "尚无日志"),
        Lock::Free => Verdict::ok("nobody uses it", "无人使用"),
        Lock::Held { pid, name } if answers => {
            Verdict::ok(format!("process {pid} ({name})"), format!("进程 {pid}（{name}）"))
        }
        Lock::Held { pid, name } => {
            let verdict = Verdict::failed(
                format!("process {pid} ({name}) holds it, and no daemon answers"),
                format!("进程 {pid}（{name}）占用日志，而守护进程无应答"),
            );
            verdict.fix(
                format!("see what it is: ps -fp {pid}; end it: kill {pid}; then: systemctl restart vend"),
                format!("请查看：ps -fp {pid}；结束它：kill {pid}；然后执行：systemctl restart vend"),
            )
        }
    })
}

pub(super) fn journal_sound(seen: &Seen) -> Judged {
    if let Some(daemon) = seen.daemon() {
        return Ok(match daemon.status.phase.as_str() {
            "quarantine" => {
                let what = Said::new("QUARANTINE: it is damaged, nothing is sold", "隔离：日志已损坏，停止出货");
                Verdict::failed_by_daemon(seen, TroubleLine::JOURNAL, what)
            }
            "failed" => {
                Verdict::failed_by_daemon(seen, TroubleLine::JOURNAL, Said::new("it cannot be written", "日志无法写入"))
                    .fix("see D2, D3 and D4; the daemon starts again by itself", "请看 D2、D3、D4；守护进程会自行重启")
            }
            _ => Verdict::ok("by the daemon's word", "守护进程确认"),
        });
    }
    Ok(match known(seen, &seen.journal)? {
        Journal::DaemonsOwn => Verdict::ok("by the daemon's word", "守护进程确认"),
        Journal::Absent => Verdict::not_applicable("there is none yet", "尚无日志"),
        Journal::InUse => return Err(Verdict::skipped(Check::OneOwner)),
        Journal::TooLarge => Verdict::not_applicable(
            "too large to be copied and read while the daemon is away",
            "日志过大，守护进程未运行时不复制检查",
        ),
        Journal::Closed(why) => Verdict::failed(&why.en, format!("日志无法打开：{}", why.zh))
            .fix("as it says; the journal itself may be sound", "请按提示处理；日志本身可能完好"),
        Journal::Newer(_) => Verdict::ok("it is of a newer format, see D7", "格式较新，见 D7"),
        Journal::Read { damage: Some(damage), .. } => Verdict::failed(&damage.en, format!("日志已损坏：{}", damage.zh)),
        Journal::Read { damage: None, .. } => Verdict::ok("every record can be read", "所有记录可读"),
    })
}

pub(super) fn journal_ours(seen: &Seen) -> Judged {
    if seen.daemon().is_some() {
        // It would not have started with another machine's.
        return Ok(Verdict::ok("by the daemon's word", "守护进程确认"));
    }
    Ok(match known(seen, &seen.journal)? {
        Journal::Newer(why) => {
            Verdict::failed(&why.en, &why.zh).fix("install the newer vend again", "请重新安装较新的 vend")
        }
        Journal::Read { machine_no: Some(theirs), .. } => {
            match seen.config().map(|config| config.machine_no.as_str()) {
                Some(ours) if ours != theirs => Verdict::failed(
                    format!("it belongs to machine {theirs}, the configuration names {ours}"),
                    format!("日志属于机器 {theirs}，而配置为 {ours}"),
                )
                .fix(
                    "correct machine_no; or, where the disk came from that machine, name another [state] directory",
                    "请更正 machine_no；若磁盘来自那台机器，请另设 [state] directory",
                ),
                _ => Verdict::ok(
                    format!("machine {theirs}, format {} or older", record::FORMAT),
                    format!("机器 {theirs}，格式不高于 {}", record::FORMAT),
                ),
            }
        }
        _ => Verdict::not_applicable("there is none to look at", "没有可查看的日志"),
    })
}

pub(super) fn journal_size(seen: &Seen) -> Judged {
    let Some(bytes) = disk(seen)?.journal_bytes else {
        return Ok(Verdict::not_applicable("there is none to look at", "没有可查看的日志"));
    };
    Ok(if bytes > JOURNAL_BYTES_WARNING {
        Verdict::warning(mib(bytes), mib(bytes))
    } else {
        Verdict::ok(mib(bytes), mib(bytes))
    })
}

pub(super) fn mark_in_memory(seen: &Seen) -> Judged {
    let disk = disk(seen)?;
    let path = disk.mark_directory.display();
    Ok(if disk.mark_in_memory {
        Verdict::ok(path.to_string(), path.to_string())
    } else {
        Verdict::warning(
            format!("{path} is on a disk; after a crash more orders end unknown"),
            format!("{path} 位于磁盘上；崩溃后会有更多订单的结果为“未知”"),
        )
    })
}

/// When the journal was last written, if it was.
pub(super) const fn written_s(seen: &Seen) -> Option<u64> {
    match &seen.disk {
        Fact::Is(disk) => disk.written_s,
        _ => None,
    }
}
