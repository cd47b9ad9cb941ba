//! C: the configuration and the files it names.

use super::super::seen::{Seen, check_of};
use super::super::{Check, Verdict};
use super::{Judged, known, some_of};
use crate::config::Config;
use crate::config::endpoint::Endpoint;
use crate::config::host::Host;
use crate::config::problem::{Both, ConfigError};
use crate::core::WARN_DAYS;
use crate::order::time::UnixMs;
use std::io::ErrorKind;

/// As they stand in the example that is installed.
const EXAMPLE_MACHINE_NO: &str = "00000000";
/// See [`EXAMPLE_MACHINE_NO`].
const EXAMPLE_APP_ID: &str = "ds0000000000000000";
/// Reserved for examples (RFC 2606): no server is ever there.
const EXAMPLE_DOMAIN: &str = ".example";
/// Readable for group or others.
const READABLE_BITS: u32 = 0o077;
/// Certificates are worth a word from the first warning of the daemon on.
const CERTIFICATE_WARNING_S: u64 = WARN_DAYS[0] * 86_400;

pub(super) fn file_readable(seen: &Seen) -> Judged {
    Ok(match &seen.configuration {
        Some(Err(ConfigError::Read { path, source })) => {
            let verdict =
                Verdict::failed(format!("{}: {source}", path.display()), format!("{}：{source}", path.display()));
            match source.kind() {
                ErrorKind::PermissionDenied => {
                    verdict.fix("it is not for this user: sudo vend doctor", "当前用户无权读取：sudo vend doctor")
                }
                _ => verdict,
            }
        }
        Some(_) => Verdict::ok("it is", "是"),
        None => {
            let limit_s = Check::FileReadable.entry().probe.time_out_s();
            Verdict::failed(format!("it was not read within {limit_s} s"), format!("{limit_s} 秒内未能读完"))
                .fix("the disk may hang: dmesg | tail", "磁盘可能已挂起：dmesg | tail")
        }
    })
}

/// The mistakes that belong to one check, and what no reader of the file can know to be one.
pub(super) fn mistakes(check: Check, seen: &Seen) -> Judged {
    let Some(read) = &seen.configuration else { return Err(Verdict::skipped(Check::FileReadable)) };
    let problems = match read {
        Ok(config) => return Ok(good(check, config)),
        Err(ConfigError::Wrong { problems, .. }) => problems,
        Err(ConfigError::Read { .. }) => return Err(Verdict::skipped(Check::FileReadable)),
    };
    let mut ours = problems.iter().filter(|problem| check_of(&problem.complaint) == check);
    let Some(first) = ours.next() else {
        return Ok(Verdict::ok("nothing wrong is seen", "未见错误"));
    };
    let (line, message, hint) = (first.place.line, first.complaint.message(), first.complaint.hint());
    // A profile's mistake comes with its own lines; the first says what it is.
    let short = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let more = ours.count();
    let and_more = |en: &str, zh: &str| match more {
        0 => Both::new("", ""),
        n => Both::new(format!(" (and {n} {en})"), format!("（另有 {n} {zh}）")),
    };
    let rest = and_more("more", "处");
    Ok(Verdict::failed(
        format!("line {line}: {}{}", short(&message.en), rest.en),
        format!("第 {line} 行：{}{}", short(&message.zh), rest.zh),
    )
    .fix(hint.en, hint.zh))
}

/// The configuration was taken: what is good, and what is still as in the example.
fn good(check: Check, config: &Config) -> Verdict {
    match check {
        Check::MachineNumber => match config.machine_no.as_str() {
            EXAMPLE_MACHINE_NO => Verdict::failed(
                format!("machine_no is {EXAMPLE_MACHINE_NO}, as in the example"),
                format!("machine_no 仍是示例中的 {EXAMPLE_MACHINE_NO}"),
            ),
            number => Verdict::ok(number, number),
        },
        Check::BoardProfile => {
            let profile = &config.board.profile;
            let text = format!("{} ({})", profile.name, profile.title);
            Verdict::ok(text.clone(), text)
        }
        Check::Addresses => addresses(config),
        Check::ReportRules => report_rules(config),
        _ => Verdict::ok("nothing wrong is seen", "未见错误"),
    }
}

fn addresses(config: &Config) -> Verdict {
    let of_example = |endpoint: &Endpoint| match &endpoint.host {
        Host::Name(name) => name.ends_with(EXAMPLE_DOMAIN),
        Host::Address(_) => false,
    };
    let cloud = config.cloud.as_ref();
    let mut examples = Vec::new();
    if of_example(&config.broker.endpoint) {
        examples.push("[broker] url".to_owned());
    }
    if cloud.is_some_and(|cloud| of_example(&cloud.endpoint)) {
        examples.push("[cloud] url".to_owned());
    }
    if cloud.is_some_and(|cloud| cloud.app_id == EXAMPLE_APP_ID) {
        examples.push("[cloud] app_id".to_owned());
    }
    if examples.is_empty() {
        let hosts: Vec<String> = [Some(&config.broker.endpoint), cloud.map(|cloud| &cloud.endpoint)]
            .into_iter()
            .flatten()
            .map(|endpoint| format!("{}:{}", endpoint.host, endpoint.port))
            .collect();
        return Verdict::ok(hosts.join(", "), hosts.join(", "));
    }
    let names = examples.join(", ");
    Verdict::failed(format!("as in the example: {names}"), format!("仍是示例内容：{names}"))
}

fn report_rules(config: &Config) -> Verdict {
    let report = &config.report;
    if report.allow_private_targets && report.allow_hosts.is_empty() {
        return Verdict::warning(
            "results may go to any host of the machine's own network",
            "结果可发往机器所在内网的任何主机",
        );
    }
    match report.allow_hosts.len() {
        0 => Verdict::ok("any public host", "任何公网主机"),
        n => Verdict::ok(format!("{n} listed"), format!("已列出 {n} 个")),
    }
}

pub(super) fn secrets_there(seen: &Seen) -> Judged {
    let files = known(seen, &seen.secrets)?;
    if files.is_empty() {
        return Ok(Verdict::ok("the configuration uses none", "配置不使用密钥"));
    }
    if let Some(forbidden) = files.iter().find(|file| file.forbidden) {
        let path = forbidden.path.display();
        return Ok(Verdict::new(
            super::super::State::Skipped,
            format!("{path}: only root may look: sudo vend doctor"),
            format!("{path}：仅 root 可以查看：sudo vend doctor"),
        ));
    }
    let faulty: Vec<_> = files.iter().filter_map(|file| file.fault.as_ref().map(|fault| (file, fault))).collect();
    let Some((first, _)) = faulty.first() else {
        let names: Vec<String> = files.iter().filter_map(|f| Some(f.path.file_name()?.display().to_string())).collect();
        return Ok(Verdict::ok(some_of(&names), some_of(&names)));
    };
    let told = |of: fn(&Both) -> &String, colon: &str| {
        faulty.iter().map(|(f, fault)| format!("{}{colon}{}", f.path.display(), of(fault))).collect::<Vec<_>>()
    };
    let (path, by) = (first.path.display(), first.needed_by);
    Ok(Verdict::failed(some_of(&told(|b| &b.en, ": ")), some_of(&told(|b| &b.zh, "："))).fix(
        format!("{by} needs it: install -m 0600 /dev/null {path}, write the secret into it as one line, then: systemctl restart vend"),
        format!("{by} 需要它：install -m 0600 /dev/null {path}，把密钥作为一行写入，然后执行：systemctl restart vend"),
    ))
}

pub(super) fn secrets_rights(seen: &Seen) -> Judged {
    let files = known(seen, &seen.secrets)?;
    if files.is_empty() {
        return Ok(Verdict::not_applicable("no secret is used", "未使用密钥"));
    }
    let daemon_uid = seen.unit.value().and_then(Option::as_ref).and_then(|unit| unit.account.as_ref()).map(|a| a.uid);
    let mut wrong = Vec::new();
    let mut commands = Vec::new();
    for file in files {
        let Some(rights) = file.rights else { continue };
        let path = file.path.display();
        if rights.mode & READABLE_BITS != 0 {
            wrong.push(format!("{path} {:04o}", rights.mode));
            commands.push(format!("chmod 0600 {path}"));
        }
        // root, whoever runs the service, and whoever looks may own it.
        if rights.uid != 0 && Some(rights.uid) != daemon_uid && daemon_uid.is_some() {
            wrong.push(format!("{path} uid {}", rights.uid));
            commands.push(format!("chown root:root {path}"));
        }
    }
    if wrong.is_empty() {
        return Ok(Verdict::ok("mode 0600", "权限 0600"));
    }
    let (files, commands) = (some_of(&wrong), commands.join("; "));
    Ok(Verdict::warning(format!("others may read or own: {files}"), format!("他人可读或属他人：{files}"))
        .fix(commands.clone(), commands))
}

pub(super) fn certificates_end(seen: &Seen) -> Judged {
    let files = known(seen, &seen.certificates)?;
    let clock = known(seen, &seen.clock)?;
    let mut soonest: Option<(u64, String)> = None;
    for file in files {
        let Some(end_s) = file.not_after_s else { continue };
        if soonest.as_ref().is_none_or(|(s, _)| end_s < *s) {
            soonest = Some((end_s, file.path.display().to_string()));
        }
    }
    let Some((end_s, path)) = soonest else {
        return Ok(Verdict::not_applicable("no certificate file is named", "未指定证书文件"));
    };
    let date = UnixMs::from_seconds(end_s).date();
    Ok(match end_s.checked_sub(clock.wall_s) {
        None => Verdict::failed(format!("{path} expired on {date}"), format!("{path} 已于 {date} 到期")),
        Some(left_s) if left_s <= CERTIFICATE_WARNING_S => Verdict::warning(
            format!("{path} ends on {date}, in {} days", left_s / 86_400),
            format!("{path} 将于 {date} 到期，还有 {} 天", left_s / 86_400),
        ),
        Some(_) => Verdict::ok(format!("the first ends on {date}"), format!("最早于 {date} 到期")),
    })
}
