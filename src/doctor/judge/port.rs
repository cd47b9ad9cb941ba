//! P: the serial port, the board, and the line between.

use super::super::seen::{Port, Rights, Seen, UsbDriver};
use super::super::{Check, Verdict};
use super::{Judged, known};
use crate::board::driver::LineState;
use crate::core::{LineCounts, TroubleLine};
use crate::order::said::Said;

/// The hours that speak of the line as it is now.
const HOURS: u8 = 3;
/// Fewer faults than this say nothing: a board that was switched on, a plug that was moved.
const FAULTS_MIN: u64 = 5;
/// Of a hundred frames that came or should have come so many may be wrong; a sound line has none.
const WARNING_PERCENT: u64 = 1;
/// A line on which every tenth answer is lost fails vends.
const FAILURE_PERCENT: u64 = 10;
/// Openings and restarts of the board in [`HOURS`]: a plug that was pulled once is no fault.
const EVENTS_MAX: u64 = 3;
/// A board that was just switched on takes some seconds, and every family has asked several times by then.
const SETTLES_WITHIN_S: u64 = 30;
/// So many questions in a row without any frame are no lost answer: a family says a question again at least once.
const UNANSWERED_MAX: u64 = 3;

fn port(seen: &Seen) -> Result<&Port, Verdict> {
    known(seen, &seen.port)
}

/// A daemon that serves nothing leaves the board alone: its port is no fault of the port.
fn keeps_the_port_closed(phase: &str) -> bool {
    matches!(phase, "quarantine" | "failed")
}

/// The daemon has it open.
fn is_open(seen: &Seen) -> bool {
    seen.daemon().is_some_and(|daemon| daemon.status.line != LineState::Closed)
}

pub(super) fn there(seen: &Seen) -> Judged {
    let port = port(seen)?;
    let path = port.path.display();
    Ok(match &port.device {
        Some(_) if !port.is_device => Verdict::failed(format!("{path} is no serial port"), format!("{path} 不是串口"))
            .fix("correct [board] port", "请更正 [board] port"),
        Some(device) if *device == port.path => Verdict::ok(path.to_string(), path.to_string()),
        Some(device) => {
            let text = format!("{path} → {}", device.display());
            Verdict::ok(text.clone(), text)
        }
        None if port.adapters.is_empty() && port.usb_driver == UsbDriver::Missing => {
            let fix = Check::PortDriver.fix();
            Verdict::failed(
                format!("{path} does not exist, and this kernel has no driver for USB adapters"),
                format!("{path} 不存在，且此内核没有 USB 适配器驱动"),
            )
            .fix(
                format!("plug the board's adapter in; if it is: {}", fix.en),
                format!("请插好板卡的适配器；若已插好：{}", fix.zh),
            )
        }
        None if port.adapters.is_empty() && port.usb_driver == UsbDriver::OfAnotherKernel => Verdict::failed(
            format!("{path} does not exist, and the drivers on the disk are of another kernel than the one that runs"),
            format!("{path} 不存在，且磁盘上的驱动不属于正在运行的内核"),
        )
        .fix(
            "the kernel was upgraded: restart the machine when no order is open",
            "内核已升级：请在没有订单时重启机器",
        ),
        None if port.adapters.is_empty() => Verdict::failed(format!("{path} does not exist"), format!("{path} 不存在")),
        None => {
            let others = super::some_of(&port.adapters);
            Verdict::failed(
                format!("{path} does not exist, but there are {others}"),
                format!("{path} 不存在，但有 {others}"),
            )
            .fix(
                "if one of them is the board's adapter, name it as [board] port; else plug the board's in",
                "若其中之一是板卡的适配器，请写入 [board] port；否则请插好板卡的适配器",
            )
        }
    })
}

/// Whether somebody with these numbers may read and write.
fn may_use(rights: Rights, uid: u32, gids: &[u32]) -> bool {
    /// Read and write, of one of the three sets of bits.
    const BOTH: u32 = 0o6;
    let bits = if uid == rights.uid {
        rights.mode >> 6
    } else if gids.contains(&rights.gid) {
        rights.mode >> 3
    } else {
        rights.mode
    };
    uid == 0 || bits & BOTH == BOTH
}

pub(super) fn rights(seen: &Seen) -> Judged {
    let port = port(seen)?;
    if is_open(seen) {
        return Ok(Verdict::ok("the daemon has it open", "守护进程已打开"));
    }
    let Some(rights) = port.rights else { return Err(Verdict::skipped(Check::PortThere)) };
    let account = seen.unit.value().and_then(Option::as_ref).and_then(|unit| unit.account.as_ref());
    let may = account.map_or(port.ours, |account| may_use(rights, account.uid, &account.gids));
    let Rights { mode, uid, gid } = rights;
    let en = format!("mode {mode:04o}, uid {uid}, gid {gid}");
    let zh = format!("权限 {mode:04o}，uid {uid}，gid {gid}");
    Ok(if may { Verdict::ok(en, zh) } else { Verdict::failed(en, zh) })
}

pub(super) fn free(seen: &Seen) -> Judged {
    let port = port(seen)?;
    let Some((pid, name)) = port.holders.first() else {
        return Ok(if is_open(seen) {
            Verdict::ok("only the daemon has it", "仅守护进程占用")
        } else if port.holders_hidden {
            Verdict::not_permitted()
        } else {
            Verdict::ok("nobody has it", "无人占用")
        });
    };
    Ok(Verdict::failed(format!("process {pid} ({name}) has it open"), format!("进程 {pid}（{name}）已打开它")).fix(
        format!("end it: kill {pid}, or: systemctl disable --now the service that it belongs to"),
        format!("请结束它：kill {pid}，或停用所属服务：systemctl disable --now"),
    ))
}

pub(super) fn opens(seen: &Seen) -> Judged {
    if let Some(daemon) = seen.daemon() {
        if keeps_the_port_closed(&daemon.status.phase) {
            return Err(Verdict::skipped(Check::DaemonServes));
        }
        return Ok(if is_open(seen) {
            Verdict::ok("the daemon has it open", "守护进程已打开")
        } else {
            let what = Said::new("the daemon cannot open it", "守护进程无法打开串口");
            Verdict::failed_by_daemon(seen, TroubleLine::LINE, what)
                .fix("journalctl -u vend -g line -n 5 says why", "原因见：journalctl -u vend -g line -n 5")
        });
    }
    if seen.lock.value().is_some_and(|lock| matches!(lock, super::super::seen::Lock::Held { .. })) {
        return Err(Verdict::skipped(Check::OneOwner));
    }
    Ok(match known(seen, &seen.port_opens)? {
        Ok(()) => {
            let link = seen.config().map(|config| config.board.profile.link);
            let baud = link.map_or_else(String::new, |link| link.baud.to_string());
            Verdict::ok(format!("opened with {baud} baud, and closed"), format!("已按 {baud} 波特打开并关闭"))
        }
        Err(why) => Verdict::failed(&why.en, &why.zh),
    })
}

pub(super) fn board_answers(seen: &Seen) -> Judged {
    let Some(daemon) = seen.daemon() else { return Err(Verdict::skipped(Check::DaemonAnswers)) };
    let status = &daemon.status;
    let total = &status.line_quality.total;
    if keeps_the_port_closed(&status.phase) {
        return Err(Verdict::skipped(Check::DaemonServes));
    }
    Ok(match status.line {
        // A family that asks nothing at rest is ready as soon as its port is open, whatever is on the other end.
        LineState::Idle | LineState::Busy | LineState::Held if total.frames_in == 0 => match total.time_outs {
            0 => Verdict::not_applicable(
                "nothing was asked of it since the daemon began; to see whether it answers: vend slot test SLOT",
                "守护进程启动后尚未询问过板卡；可用 vend slot test SLOT 查看其是否应答",
            ),
            n => Verdict::failed(
                format!("it was asked {n} times since the daemon began and never answered"),
                format!("守护进程启动后询问了 {n} 次，从未应答"),
            ),
        },
        LineState::Idle | LineState::Busy | LineState::Held if status.line_quality.unanswered >= UNANSWERED_MAX => {
            let n = status.line_quality.unanswered;
            Verdict::failed(
                format!("it answered before, and has not answered the last {n} questions"),
                format!("板卡曾应答，但最近 {n} 次询问均无应答"),
            )
        }
        LineState::Idle | LineState::Busy | LineState::Held => {
            let identity = status.board_identity.clone().unwrap_or_else(|| status.board.clone());
            Verdict::ok(identity.clone(), identity)
        }
        LineState::Settling if status.line_quality.counted_for_s < SETTLES_WITHIN_S => Verdict::warning(
            "the daemon began just now, and the board has not answered yet; look again in a minute",
            "守护进程刚刚启动，板卡尚未应答；请一分钟后再看",
        ),
        LineState::Settling => Verdict::failed(
            format!("nothing is heard of {} so far", status.board),
            format!("尚未收到 {} 的应答", status.board),
        ),
        LineState::Closed => return Err(Verdict::skipped(Check::PortOpens)),
    })
}

pub(super) fn line_quality(seen: &Seen) -> Judged {
    let Some(quality) = seen.line_quality() else { return Err(Verdict::skipped(Check::DaemonAnswers)) };
    let mut sum = LineCounts::default();
    for hour in quality.hours.iter().filter(|hour| hour.hours_ago < HOURS) {
        let counts = hour.counts;
        sum.frames_in = sum.frames_in.saturating_add(counts.frames_in);
        sum.bad_checks = sum.bad_checks.saturating_add(counts.bad_checks);
        sum.noise = sum.noise.saturating_add(counts.noise);
        sum.unexpected = sum.unexpected.saturating_add(counts.unexpected);
        sum.time_outs = sum.time_outs.saturating_add(counts.time_outs);
        sum.resends = sum.resends.saturating_add(counts.resends);
        sum.reopenings = sum.reopenings.saturating_add(counts.reopenings);
        sum.board_restarts = sum.board_restarts.saturating_add(counts.board_restarts);
    }
    let faults = sum.faults();
    let percent = faults.saturating_mul(100) / faults.saturating_add(sum.frames_in).max(1);
    let LineCounts { frames_in, bad_checks, noise, unexpected, time_outs, resends, reopenings, board_restarts, .. } =
        sum;
    let en = format!(
        "in {HOURS} h {frames_in} good frames, {bad_checks} bad checks, {noise} noise, {unexpected} unexpected, \
         {time_outs} time-outs, {resends} said again, {reopenings} reopened, {board_restarts} board restarts"
    );
    let zh = format!(
        "{HOURS} 小时内好帧 {frames_in}，校验错 {bad_checks}，杂音 {noise}，意外帧 {unexpected}，超时 {time_outs}，\
         重发 {resends}，重开 {reopenings}，板卡重启 {board_restarts}"
    );
    Ok(if faults >= FAULTS_MIN && percent >= FAILURE_PERCENT {
        Verdict::failed(en, zh)
    } else if faults >= FAULTS_MIN && percent >= WARNING_PERCENT {
        Verdict::warning(en, zh)
    } else if board_restarts >= EVENTS_MAX {
        Verdict::warning(en, zh).fix(
            "the board restarts by itself: look at its power supply, above all while motors turn",
            "板卡自行重启：请检查其电源，尤其是电机转动时",
        )
    } else if reopenings >= EVENTS_MAX {
        Verdict::warning(en, zh).fix(
            "the adapter comes and goes: another USB socket or cable, and look at dmesg",
            "适配器时断时续：请换 USB 口或线缆，并查看 dmesg",
        )
    } else {
        Verdict::ok(en, zh)
    })
}

pub(super) fn no_modem_manager(seen: &Seen) -> Judged {
    let port = port(seen)?;
    Ok(match (port.modem_manager, port.modem_like) {
        (false, _) => Verdict::ok("it does not run", "未运行"),
        (true, false) => Verdict::ok("it runs and leaves this port alone", "在运行，但不使用此串口"),
        (true, true) => Verdict::warning(
            "it runs and tries every USB serial port, this one too: a board may take that for commands",
            "它在运行，并会试探所有 USB 串口（包括此串口）：板卡可能将其误认为指令",
        ),
    })
}

pub(super) fn driver(seen: &Seen) -> Judged {
    let port = port(seen)?;
    Ok(match (&port.driver, &port.device) {
        (Some(driver), _) => Verdict::ok(driver.clone(), driver.clone()),
        (None, Some(_)) => Verdict::not_applicable("this port needs none", "此串口不需要驱动"),
        (None, None) => match port.usb_driver {
            UsbDriver::Loaded => Verdict::ok("those for USB adapters are loaded", "USB 适配器驱动已加载"),
            UsbDriver::Loadable => Verdict::ok(
                "those for USB adapters are there, and are loaded with the first adapter",
                "已有 USB 适配器驱动，首次插入适配器时加载",
            ),
            // Told there, once.
            UsbDriver::Missing | UsbDriver::OfAnotherKernel => return Err(Verdict::skipped(Check::PortThere)),
            UsbDriver::Hidden => return Err(Verdict::not_permitted()),
        },
    })
}
