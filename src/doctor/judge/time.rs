//! T: clocks and the time zone.

use super::super::Verdict;
use super::super::seen::{Clock, Platform, Seen};
use super::data::written_s;
use super::{Judged, known};
use crate::config::file::TimeTrust;
use crate::order::said::Said;
use crate::order::time::{UnixMs, WALL_CLOCK_MIN};

/// The journal was written so many seconds in the future: the clock was set back. Small steps are what time
/// synchronisation does all day.
const SET_BACK_S: u64 = 120;
/// The platform's Date counts whole seconds and travels; half a minute is no network's doing.
const AHEAD_WARNING_S: u64 = 30;
/// Signed calls are refused when they are older or newer than five minutes (cloud 1.2).
const AHEAD_FAILURE_S: u64 = 300;
/// A battery-backed clock loses a minute in some months.
const RTC_WARNING_S: u64 = 300;

fn clock(seen: &Seen) -> Result<&Clock, Verdict> {
    known(seen, &seen.clock)
}

pub(super) fn synchronised(seen: &Seen) -> Judged {
    if seen.config().is_some_and(|config| config.time_trust == TimeTrust::System) {
        return Ok(Verdict::ok("[time] trust says that this clock is good", "[time] trust 指明本机时钟可信"));
    }
    if seen.daemon().is_some_and(|daemon| daemon.status.time_trusted) {
        return Ok(Verdict::ok("the daemon trusts the time", "守护进程认为时间可信"));
    }
    Ok(match &clock(seen)?.synchronised {
        // It hears the kernel through vend-clock.service.
        Some(Ok(true)) if seen.daemon().is_some() => Verdict::failed(
            "the kernel says so, and the daemon has not heard it, so orders are held: systemctl status vend-clock",
            "内核确认，但守护进程未获知，订单会被暂缓：systemctl status vend-clock",
        ),
        Some(Ok(true)) => Verdict::ok("the kernel says so", "内核确认"),
        Some(Ok(false)) => {
            Verdict::failed("nobody vouches for the clock, so orders are held", "时钟未经确认，订单会被暂缓")
        }
        Some(Err(why)) => {
            let Said { en, zh } = Said::new("the kernel does not tell", "内核未告知").then(why);
            Verdict::warning(en, zh)
        }
        None => Verdict::not_applicable("it was not asked", "未询问"),
    })
}

pub(super) fn sane(seen: &Seen) -> Judged {
    let now_s = clock(seen)?.wall_s;
    let date = UnixMs::from_seconds(now_s).date();
    if now_s < WALL_CLOCK_MIN.seconds() {
        return Ok(Verdict::failed(
            format!("it says {date}, before this program was written"),
            format!("时钟为 {date}，早于本程序问世"),
        ));
    }
    Ok(match written_s(seen).and_then(|s| s.checked_sub(now_s)) {
        Some(behind_s) if behind_s > SET_BACK_S => Verdict::failed(
            format!("it says {date}, and the journal was written {} later", Said::duration(behind_s).en),
            format!("时钟为 {date}，而日志的写入时间比它晚 {}", Said::duration(behind_s).zh),
        ),
        _ => Verdict::ok(date.clone(), date),
    })
}

pub(super) fn agrees(seen: &Seen) -> Judged {
    let ahead_s = match known(seen, &seen.platform)? {
        Platform::Answered { ahead_s: Some(s), .. } => *s,
        _ => return Ok(Verdict::not_applicable("the platform told no time", "平台未告知时间")),
    };
    let off_s = ahead_s.unsigned_abs();
    let off = Said::duration(off_s);
    let en = match ahead_s {
        0.. => format!("the platform is {} ahead", off.en),
        _ => format!("this clock is {} ahead", off.en),
    };
    let zh = match ahead_s {
        0.. => format!("平台快 {}", off.zh),
        _ => format!("本机快 {}", off.zh),
    };
    Ok(match off_s {
        AHEAD_FAILURE_S.. => Verdict::failed(en, zh),
        AHEAD_WARNING_S.. => Verdict::warning(en, zh),
        _ => Verdict::ok(en, zh),
    })
}

pub(super) fn zone(seen: &Seen) -> Judged {
    Ok(match &clock(seen)?.zone {
        Some(Ok(zone)) => Verdict::ok(zone.clone(), zone.clone()),
        Some(Err(why)) => Verdict::warning(&why.en, format!("时区无法读取：{}", why.zh)),
        None => Verdict::ok("UTC", "UTC"),
    })
}

pub(super) fn real_time_clock(seen: &Seen) -> Judged {
    let clock = clock(seen)?;
    let Some(rtc_s) = clock.rtc_s else {
        return Ok(Verdict::not_applicable(
            "there is none: after a power cut the time comes from the network",
            "没有电池时钟：断电后时间来自网络",
        ));
    };
    let off_s = rtc_s.abs_diff(clock.wall_s);
    let off = Said::duration(off_s);
    let told = (format!("it is {} off", off.en), format!("相差 {}", off.zh));
    Ok(if off_s > RTC_WARNING_S { Verdict::warning(told.0, told.1) } else { Verdict::ok(told.0, told.1) })
}
