//! `vend status`: the whole machine on one screen.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::next_step::next_steps;
use super::output::{Output, OutputArgs};
use super::watch;
use crate::board::driver::LineState;
use crate::control::Ask;
use crate::core::words::About;
use crate::core::{CertificateLine, CertificateState, Counters, LineQuality, SaleCounts, Status, TroubleLine};
use crate::io::control_client;
use crate::order::said::Said;
use crate::order::sale::State;
use clap::Args;
use std::path::PathBuf;

/// Lines of a screen of 24 that stay for the rows, beside the shell's own.
const ROWS_SHOWN: usize = 23;
/// The last events, as many as fit beside the rest, but so many at least, and not more than can be taken in; `--json` has
/// them all.
const EVENTS_SHOWN: std::ops::RangeInclusive<usize> = 2..=6;

/// So many differences and dead calls are named on the screen; `vend order list` and `--json` have more.
const NAMED_MAX: usize = 3;

/// The daemon's socket, for the commands that talk to it.
#[derive(Debug, Clone, Args)]
pub struct SocketArgs {
    /// The daemon's socket
    #[arg(long, value_name = "PATH", default_value = crate::config::file::CONTROL_SOCKET_DEFAULT)]
    pub socket: PathBuf,
}

/// Arguments of `vend status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Look again every second, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Asks the daemon and shows what it says. A daemon that cannot serve (quarantine, failed journal) is
/// [`Exit::Failed`].
///
/// # Errors
/// No daemon, no permission, or a standard output that takes no more.
pub fn run(args: &StatusArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if args.watch {
        return watch::run(&args.socket.socket, out);
    }
    let status: Status = control_client::ask(&args.socket.socket, Ask::Status)?;
    let exit = match status.phase.as_str() {
        "quarantine" | "failed" => Exit::Failed,
        _ => Exit::Done,
    };
    if out.is_json() {
        out.json(&status)?;
    } else {
        let header = out.lang.say(["what", "value"], ["项目", "值"]);
        out.table(&header, &rows(&status, out.lang))?;
    }
    Ok(exit)
}

fn rows(status: &Status, lang: Lang) -> Vec<Vec<String>> {
    let (zh_yes_no, en_yes_no) = (["是", "否"], ["yes", "no"]);
    let yes = |it: bool| lang.say(en_yes_no, zh_yes_no)[usize::from(!it)].to_owned();
    let broker =
        if status.broker_connected { lang.say("connected", "已连接") } else { lang.say("away", "未连接") };
    // Why it is so, where it is bad.
    let because = |of: &str, how: String| match status.trouble(of) {
        Some(why) => format!("{how}{}{}", lang.say("; ", "；"), lang.pick(why)),
        None => how,
    };
    let orders = lang.say(
        format!("{} open, {} kept to answer duplicates", status.orders_open, status.orders_settled),
        format!("{} 个未完成，{} 个已了结（备查重复）", status.orders_open, status.orders_settled),
    );
    let mut rows = vec![
        (lang.say("machine", "机器"), status.machine_no.clone()),
        (lang.say("version", "版本"), status.version.clone()),
        (lang.say("phase", "阶段"), because(TroubleLine::JOURNAL, phase(&status.phase, lang))),
        (lang.say("broker", "消息服务器"), because(TroubleLine::BROKER, broker.to_owned())),
        (lang.say("board", "板卡"), status.board.clone()),
        (
            lang.say("board says", "板卡自述"),
            status.board_identity.clone().unwrap_or_else(|| lang.say("nothing so far", "尚无").to_owned()),
        ),
        (lang.say("line", "串口线"), because(TroubleLine::LINE, line(status.line, lang).to_owned())),
        (lang.say("line quality", "线路质量"), quality(&status.line_quality, lang)),
        (lang.say("time trusted", "时间可信"), yes(status.time_trusted)),
        (lang.say("room on the disk", "磁盘空间足够"), yes(status.has_space)),
        (lang.say("asks the cloud", "向平台核实订单"), yes(status.verifies_orders)),
        (lang.say("orders", "订单"), orders),
        (
            lang.say("reports", "结果上报"),
            lang.say(
                format!("{} copies not yet taken", status.reports_open),
                format!("{} 份待接收", status.reports_open),
            ),
        ),
        (lang.say("calls", "平台通知"), calls(status, lang)),
        (lang.say("the platform's books", "与平台核对"), books(status, lang)),
        (lang.say("counters", "计数"), counters(&status.counters, lang)),
    ];
    if !status.sales.by_state.is_empty() {
        rows.push((lang.say("sales", "销售"), sales(&status.sales, lang)));
    }
    let clouds = status.troubles.iter().filter(|line| line.of == TroubleLine::CLOUD);
    rows.extend(clouds.map(|line| (lang.say("CLOUD AWAY", "云端故障"), lang.pick(line.said()))));
    let next = next_steps(status, lang).into_iter();
    rows.extend(next.map(|step| (lang.say("NEXT", "下一步"), step)));
    if status.sales_for_people > 0 {
        let (n, key) = (status.sales_for_people, lang.say("SALES", "销售"));
        let waiting = lang
            .say(format!("{n} WAIT FOR A PERSON: see vend sale list"), format!("{n} 笔待人工处理：见 vend sale list"));
        rows.push((key, waiting));
    }
    let certificates = status.certificates.iter();
    rows.extend(certificates.map(|line| (lang.say("certificate", "证书"), certificate(line, lang))));
    // On the platform's clock, GMT+8.
    let plans = lang.say(&status.schedule, &status.schedule_zh);
    rows.extend(plans.iter().map(|plan| (lang.say("schedule (GMT+8)", "定时开关机 (GMT+8)"), plan.clone())));
    rows.extend(
        status.settings.iter().map(|(name, value)| (lang.say("setting", "平台设置"), format!("{name} = {value}"))),
    );
    let rejected = status.rejected.last();
    rows.extend(rejected.map(|last| {
        (lang.say("last rejected", "最近拒收"), lang.pick(Said { en: last.why.clone(), zh: last.why_zh.clone() }))
    }));
    let room = ROWS_SHOWN.saturating_sub(rows.len()).clamp(*EVENTS_SHOWN.start(), *EVENTS_SHOWN.end());
    let skipped = status.recent.len().saturating_sub(room);
    let events = status.recent.iter().skip(skipped);
    rows.extend(events.map(|e| {
        (lang.say("event", "事件"), format!("{}: {}: {}", lang.word(About::Level, &e.level), e.what, e.text))
    }));
    rows.into_iter().map(|(key, value)| vec![key.to_owned(), value]).collect()
}

/// Sales at the machine: what is open, what is owed, what persons settled.
fn sales(sales: &SaleCounts, lang: Lang) -> String {
    let [waiting, paid, settled] = [State::Waiting, State::Serving, State::Settled].map(|state| sales.of(state));
    let (open, due) = (sales.open, sales.refunds_due);
    let mut told = lang.say(
        format!("{open} open ({waiting} wait for payment, {paid} paid), {due} refunds due, {settled} settled"),
        format!("{open} 笔未结束（{waiting} 笔待支付，{paid} 笔已支付），{due} 笔待退款，{settled} 笔已人工处理"),
    );
    if let Some(s) = sales.oldest_refund_s.filter(|_| sales.has_late_refund()) {
        let minutes = s / 60;
        told.push_str(&lang.say(
            format!("; A REFUND IS LATE: due for {minutes} min, see vend sale list"),
            format!("；退款已逾期：已等待 {minutes} 分钟，见 vend sale list"),
        ));
    }
    told
}

/// What the platform is told, and what it refused.
fn calls(status: &Status, lang: Lang) -> String {
    let mut parts = vec![lang.say(
        format!("{} not yet taken, {} refused for good", status.calls_open, status.calls_dead),
        format!("{} 条待平台接收，{} 条被平台永久拒绝", status.calls_open, status.calls_dead),
    )];
    parts.extend(lang.say(&status.dead_calls, &status.dead_calls_zh).iter().take(NAMED_MAX).cloned());
    parts.join(lang.say("; ", "；"))
}

/// Whether the platform's books agree with our results.
fn books(status: &Status, lang: Lang) -> String {
    let mut parts = vec![lang.say(
        format!("{} results to compare, {} differ", status.results_open, status.differences),
        format!("{} 个结果待核对，{} 个不一致", status.results_open, status.differences),
    )];
    let differing = status.differing.iter().take(NAMED_MAX);
    parts.extend(
        differing
            .map(|it| format!("{}:{} {}", it.order_id, it.record_id, lang.word(About::Difference, &it.difference))),
    );
    parts.join(lang.say("; ", "；"))
}

/// The phase with what it means, where that is bad news.
pub(super) fn phase(phase: &str, lang: Lang) -> String {
    match phase {
        "opening" => lang.say("opening", "启动中"),
        "running" => lang.say("running", "运行中"),
        "stopping" => lang.say("stopping", "停止中"),
        "quarantine" => lang.say(
            "QUARANTINE: the journal is damaged, nothing is sold; see vend journal dump",
            "隔离：日志已损坏，停止出货；请看 vend journal dump",
        ),
        "failed" => lang.say(
            "FAILED: the journal cannot be written, the daemon is about to start again",
            "失败：日志无法写入，守护进程即将重启",
        ),
        other => other,
    }
    .to_owned()
}

pub(super) const fn line(state: LineState, lang: Lang) -> &'static str {
    let (en, zh) = match state {
        LineState::Closed => ("closed: the port cannot be opened", "已关闭：串口无法打开"),
        LineState::Settling => ("settling: the board has not answered yet", "等待中：板卡尚未应答"),
        LineState::Idle => ("idle: ready to vend", "空闲：可以出货"),
        LineState::Busy => ("busy: a motor command is under way", "忙：电机指令执行中"),
        LineState::Held => ("held: an outcome is being kept safe", "保持：正在保存结果"),
    };
    match lang {
        Lang::En => en,
        Lang::Zh => zh,
    }
}

/// The line since the start, and what was wrong with it in the last hours.
fn quality(quality: &LineQuality, lang: Lang) -> String {
    let total = quality.total;
    let mut parts = vec![lang.say(
        format!("{} frames out, {} in", total.frames_out, total.frames_in),
        format!("发 {} 帧，收 {} 帧", total.frames_out, total.frames_in),
    )];
    if let Some(mean_ms) = total.mean_round_trip_ms() {
        let longest_ms = total.longest_round_trip_ms;
        parts.push(lang.say(
            format!("answers in {mean_ms} ms, {longest_ms} at most"),
            format!("应答 {mean_ms} 毫秒，最长 {longest_ms}"),
        ));
    }
    let wrong = [
        (total.bad_checks, "bad checks", "校验错"),
        (total.noise, "noise", "杂波"),
        (total.unexpected, "unexpected", "意外帧"),
        (total.time_outs, "time-outs", "超时"),
        (total.resends, "said again", "重发"),
        (total.reopenings, "reopened", "重新打开"),
        (total.board_restarts, "board restarts", "板卡重启"),
    ];
    let counted = wrong.into_iter().filter(|(count, ..)| *count > 0);
    parts.extend(counted.map(|(count, en, zh)| format!("{} {count}", lang.say(en, zh))));
    parts.join(lang.say(", ", "，"))
}

/// Whose it is, its last day, and how near that is.
fn certificate(line: &CertificateLine, lang: Lang) -> String {
    let of = lang.pick(line.of.said());
    let state = match line.state {
        CertificateState::TimeUnknown => lang.say("the time is not known", "时间未知"),
        CertificateState::Good => lang.say("good", "有效"),
        CertificateState::EndsWithin30Days => lang.say("ENDS within 30 days", "30 天内到期"),
        CertificateState::EndsWithin7Days => lang.say("ENDS within 7 days", "7 天内到期"),
        CertificateState::EndsWithin1Day => lang.say("ENDS within a day", "1 天内到期"),
        CertificateState::Expired => lang.say("EXPIRED", "已过期"),
    };
    let date = &line.not_after;
    lang.say(format!("{of}: until {date}, {state}"), format!("{of}：至 {date}，{state}"))
}

/// Those that counted anything.
fn counters(counters: &Counters, lang: Lang) -> String {
    let Counters {
        messages,
        paced,
        rejected,
        accepted,
        refused,
        duplicates,
        conflicts,
        codes_used,
        codes_wrong,
        tests,
        driven,
        reports_settled,
        calls_settled,
        calls_left_out,
        differences,
        commits,
        // These three stand with the line.
        line_faults: _,
        line_opened: _,
        board_restarts: _,
    } = *counters;
    let all = [
        (messages, "messages", "消息"),
        (paced, "made to wait", "限速等待"),
        (rejected, "rejected", "拒收"),
        (accepted, "accepted", "接受"),
        (refused, "refused", "拒绝"),
        (duplicates, "duplicates", "重复"),
        (conflicts, "conflicts", "冲突"),
        (codes_used, "pickup codes used", "已用取货码"),
        (codes_wrong, "wrong pickup codes", "错误取货码"),
        (tests, "test vends", "测试出货"),
        (driven, "motor commands", "电机指令"),
        (reports_settled, "reports taken", "已接收上报"),
        (calls_settled, "calls taken", "平台已接收通知"),
        (calls_left_out, "calls left out", "未保存通知"),
        (differences, "differences", "不一致"),
        (commits, "commits", "提交"),
    ];
    let counted: Vec<String> = all
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, en, zh)| format!("{} {count}", lang.say(en, zh)))
        .collect();
    if counted.is_empty() { "-".to_owned() } else { counted.join(", ") }
}
