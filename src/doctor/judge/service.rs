//! S: the unit and the daemon.

use super::super::seen::{Journal, Lock, NoDaemon, Rights, Seen, Unit};
use super::super::{Check, State, Verdict};
use super::{Judged, known};
use crate::config::problem::Both;
use crate::core::TroubleLine;
use crate::order::said::Said;

/// So many restarts by systemd, the last of them within [`CALM_AFTER_S`], are a loop and no accident.
const RESTARTS_MAX: u64 = 3;
/// A service that has run for an hour has recovered from whatever it was.
const CALM_AFTER_S: u64 = 3_600;
/// What a wrong configuration ends with; the unit does not start it again.
const EXIT_CONFIGURATION: i32 = 78;

/// The unit, where systemd runs the machine.
fn unit(seen: &Seen) -> Result<&Unit, Verdict> {
    known(seen, &seen.unit)?.as_ref().ok_or_else(no_systemd)
}

fn no_systemd() -> Verdict {
    Verdict::not_applicable("systemd does not run this machine", "本机不由 systemd 管理")
}

pub(super) fn unit_installed(seen: &Seen) -> Judged {
    let unit = unit(seen)?;
    Ok(match unit.load_state.as_str() {
        "loaded" => Verdict::ok("vend.service", "vend.service"),
        other => Verdict::failed(format!("vend.service is {other}"), format!("vend.service 的状态为 {other}")),
    })
}

pub(super) fn unit_enabled(seen: &Seen) -> Judged {
    let unit = unit(seen)?;
    Ok(match unit.file_state.as_str() {
        word @ ("enabled" | "enabled-runtime" | "static" | "alias" | "generated") => Verdict::ok(word, word),
        other => Verdict::failed(format!("it is {other}"), format!("状态为 {other}")),
    })
}

pub(super) fn unit_active(seen: &Seen) -> Judged {
    let unit = unit(seen)?;
    let exit = unit.exit_code.filter(|code| *code != 0);
    // systemd's own words, which a technician sees everywhere.
    let state = format!("{} ({})", unit.active_state, unit.sub_state);
    let (en, zh) = match exit {
        Some(code) => (format!("{state}, exit code {code}"), format!("{state}，退出码 {code}")),
        None => (state.clone(), state),
    };
    if let "active" | "reloading" = unit.active_state.as_str() {
        return Ok(Verdict::ok(en, zh));
    }
    if let Some(fix) = kept_down(seen) {
        return Ok(Verdict::failed(en, zh).fix(fix.en, fix.zh));
    }
    Ok(match (unit.active_state.as_str(), exit) {
        (_, Some(EXIT_CONFIGURATION)) => Verdict::failed(en, zh).fix(
            "its configuration or a secret was wrong, and nobody starts it again: mend it (vend config check), then: systemctl restart vend",
            "配置或密钥有误，且不会自动重启：请先改正（vend config check），然后执行：systemctl restart vend",
        ),
        ("inactive", _) => Verdict::failed(en, zh).fix("systemctl start vend", "请执行：systemctl start vend"),
        _ => Verdict::failed(en, zh),
    })
}

/// What of the data keeps the daemon down, and what to do about that: to start it again would help nobody. A journal that
/// is damaged does not; the daemon runs in quarantine then.
fn kept_down(seen: &Seen) -> Option<Both> {
    let is_closed = matches!(seen.journal.value(), Some(Journal::Closed(_)));
    let main_pid = seen.unit.value().and_then(Option::as_ref).and_then(|unit| unit.main_pid);
    // A daemon that has not answered yet holds its lock rightly.
    let is_its_own = matches!(seen.lock.value(), Some(Lock::Held { pid, .. }) if Some(*pid) == main_pid);
    let all = [
        (Check::StateDirectory, true),
        (Check::DiskWritable, true),
        (Check::OneOwner, !is_its_own),
        (Check::JournalSound, is_closed),
        (Check::JournalOurs, true),
    ];
    let mut failed = all.into_iter().filter(|(_, counts)| *counts).map(|(check, _)| (check, super::judge(check, seen)));
    let (check, verdict) = failed.find(|(_, verdict)| verdict.state == State::Failed)?;
    let (id, Both { en, zh }) = (check.entry().id, verdict.fix.unwrap_or_else(|| check.fix()));
    let (then_en, then_zh) = match en.contains("systemctl") {
        true => ("", ""),
        false => ("; then: systemctl restart vend", "；然后执行：systemctl restart vend"),
    };
    Some(Both::new(format!("{id} is why: {en}{then_en}"), format!("原因见 {id}：{zh}{then_zh}")))
}

pub(super) fn unit_calm(seen: &Seen) -> Judged {
    let unit = unit(seen)?;
    let (n, active) = (unit.restarts, unit.active_for_s);
    let told = (format!("restarted {n} times"), format!("已重启 {n} 次"));
    let is_recent = active.is_none_or(|s| s < CALM_AFTER_S);
    Ok(if n >= RESTARTS_MAX && is_recent {
        let since = active.map_or_else(|| Said::word("-"), Said::duration);
        Verdict::warning(format!("{}, running for {}", told.0, since.en), format!("{}，已运行 {}", told.1, since.zh))
    } else {
        Verdict::ok(told.0, told.1)
    })
}

pub(super) fn unit_watched(seen: &Seen) -> Judged {
    let unit = unit(seen)?;
    Ok(if unit.watchdog {
        Verdict::ok("it does", "已启用")
    } else if unit.active_state != "active" {
        // systemd tells the time of its watchdog only of a service that it has started.
        Verdict::not_applicable("seen only while the service runs", "仅在服务运行时可见")
    } else {
        Verdict::warning("WatchdogSec is 0: a daemon that hangs stays so", "WatchdogSec 为 0：守护进程挂起后不会恢复")
    })
}

pub(super) fn unit_user(seen: &Seen) -> Judged {
    let unit = unit(seen)?;
    let user = match unit.user.as_str() {
        "" => "root",
        user => user,
    };
    if unit.account.is_none() {
        return Ok(Verdict::failed(format!("there is no user {user}"), format!("没有用户 {user}")));
    }
    if user == "root" {
        return Ok(Verdict::warning("it runs as root", "以 root 身份运行"));
    }
    // The port's own group counts, whatever it is called; without a port dialout is Debian's.
    let port = seen.port.value().and_then(|port| port.rights);
    let account_gids = unit.account.as_ref().map(|account| account.gids.as_slice()).unwrap_or_default();
    let owns = |rights: Rights| unit.account.as_ref().is_some_and(|account| account.uid == rights.uid);
    let fits = match port {
        // The owner needs no group: a udev rule with OWNER=, an emulated board.
        Some(rights) if rights.gid != 0 => account_gids.contains(&rights.gid) || owns(rights),
        // A port of root's own group is P2's to tell.
        _ => unit.groups.iter().any(|group| group == "dialout"),
    };
    let groups = unit.groups.join(" ");
    Ok(if fits {
        Verdict::ok(format!("{user}, {groups}"), format!("{user}，{groups}"))
    } else {
        Verdict::failed(
            format!("{user} is not in the group of the port (its groups: {groups})"),
            format!("{user} 不在串口的用户组中（所在组：{groups}）"),
        )
    })
}

pub(super) fn daemon_answers(seen: &Seen) -> Judged {
    Ok(match known(seen, &seen.daemon)? {
        Ok(daemon) => Verdict::ok(
            format!("vend {} of machine {}", daemon.status.version, daemon.status.machine_no),
            format!("vend {}，机器 {}", daemon.status.version, daemon.status.machine_no),
        ),
        Err(NoDaemon::NotRunning(socket)) => {
            let socket = socket.display();
            let verdict = Verdict::failed(format!("nobody listens at {socket}"), format!("{socket} 无人监听"));
            match kept_down(seen) {
                Some(fix) => verdict.fix(fix.en, fix.zh),
                None => verdict,
            }
        }
        Err(NoDaemon::NoPermission(socket)) => {
            let socket = socket.display();
            Verdict::new(
                State::Skipped,
                format!("{socket} is for root, vend and its group: sudo vend doctor"),
                format!("{socket} 仅限 root、vend 及其用户组：sudo vend doctor"),
            )
        }
        Err(NoDaemon::Other(why)) => Verdict::failed(&why.en, format!("守护进程应答异常：{}", why.zh)),
    })
}

pub(super) fn daemon_serves(seen: &Seen) -> Judged {
    let Some(daemon) = seen.daemon() else { return Err(Verdict::skipped(Check::DaemonAnswers)) };
    let phase = &daemon.status.phase;
    Ok(match phase.as_str() {
        "running" => Verdict::ok("running", "运行中"),
        "opening" => Verdict::warning("it is opening; look again in a minute", "正在启动；请一分钟后再看"),
        "stopping" => Verdict::warning("it is stopping; look again in a minute", "正在停止；请一分钟后再看"),
        other => {
            let zh = match other {
                "quarantine" => "处于隔离",
                "failed" => "已失败",
                // Of a newer daemon.
                other => other,
            };
            Verdict::failed_by_daemon(seen, TroubleLine::JOURNAL, Said::new(format!("it is in {other}"), zh))
        }
    })
}

pub(super) fn same_version(seen: &Seen) -> Judged {
    let Some(daemon) = seen.daemon() else { return Err(Verdict::skipped(Check::DaemonAnswers)) };
    let (daemon, tool) = (&daemon.status.version, &seen.version);
    Ok(if daemon == tool {
        Verdict::ok(tool.clone(), tool.clone())
    } else {
        Verdict::warning(format!("daemon {daemon}, tool {tool}"), format!("守护进程 {daemon}，工具 {tool}"))
    })
}
