//! S: the unit and the daemon.

use super::super::Verdict;
use super::super::seen::{NoDaemon, Rights, Seen, Unit};
use super::{Judged, known};
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
    let told = match exit {
        Some(code) => format!("{} ({}), exit code {code}", unit.active_state, unit.sub_state),
        None => format!("{} ({})", unit.active_state, unit.sub_state),
    };
    Ok(match (unit.active_state.as_str(), exit) {
        ("active" | "reloading", _) => Verdict::ok(told.clone(), told),
        (_, Some(EXIT_CONFIGURATION)) => Verdict::failed(told.clone(), told).fix(
            "its configuration or a secret was wrong, and nobody starts it again: mend it (vend config check), then: systemctl restart vend",
            "配置或密钥有误，且不会自动重启：请先改正（vend config check），然后执行：systemctl restart vend",
        ),
        ("inactive", _) => Verdict::failed(told.clone(), told).fix("systemctl start vend", "请执行：systemctl start vend"),
        _ => Verdict::failed(told.clone(), told),
    })
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
            Verdict::failed(format!("nobody listens at {socket}"), format!("{socket} 无人监听"))
        }
        Err(NoDaemon::NoPermission(socket)) => {
            let socket = socket.display();
            Verdict::new(
                super::super::State::Skipped,
                format!("{socket} is for root, vend and its group: sudo vend doctor"),
                format!("{socket} 仅限 root、vend 及其用户组：sudo vend doctor"),
            )
        }
        Err(NoDaemon::Other(why)) => Verdict::failed(why.clone(), format!("守护进程应答异常：{why}")),
    })
}

pub(super) fn daemon_serves(seen: &Seen) -> Judged {
    let Some(daemon) = seen.daemon() else { return Err(Verdict::skipped(super::Check::DaemonAnswers)) };
    let phase = &daemon.status.phase;
    Ok(match phase.as_str() {
        "running" => Verdict::ok("running", "运行中"),
        "opening" | "stopping" => {
            Verdict::warning(format!("it is {phase}; look again in a minute"), format!("处于 {phase}；请一分钟后再看"))
        }
        other => Verdict::failed(format!("it is in {other}"), format!("处于 {other}")),
    })
}

pub(super) fn same_version(seen: &Seen) -> Judged {
    let Some(daemon) = seen.daemon() else { return Err(Verdict::skipped(super::Check::DaemonAnswers)) };
    let (daemon, tool) = (&daemon.status.version, &seen.version);
    Ok(if daemon == tool {
        Verdict::ok(tool.clone(), tool.clone())
    } else {
        Verdict::warning(format!("daemon {daemon}, tool {tool}"), format!("守护进程 {daemon}，工具 {tool}"))
    })
}
